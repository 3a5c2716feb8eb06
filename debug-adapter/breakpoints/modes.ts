/** Breakpoint modes: at which level a breakpoint counts, whatever code or event it stands on. The client shows them as a choice. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Level } from '../../emulator/api';
import { breakpointErrors } from '../errors';

const KINDS: DebugProtocol.BreakpointModeApplicability[] = ['source', 'instruction', 'exception'];

export const BREAKPOINT_MODES: readonly DebugProtocol.BreakpointMode[] = [
  { mode: 'any', label: 'Any level', description: 'Stops whoever gets there: the program under test or its guest.', appliesTo: KINDS },
  { mode: 'l1', label: 'L1 only', description: 'Stops the program under test, not its guest.', appliesTo: KINDS },
  { mode: 'l2', label: 'L2 only', description: 'Stops the guest of the program under test.', appliesTo: KINDS },
];

const SPACES: readonly [space: string, label: string, description: string][] = [
  ['l2:gva', 'L2 linear', "A linear address of the guest, by the guest's page tables."],
  ['l2:gpa', 'L2 guest-physical', "A physical address of the guest, by its hypervisor's EPT."],
  ['l1:gva', 'L1 linear', 'A linear address of the program under test.'],
  ['l1:gpa', 'L1 physical', 'A physical address of the program under test.'],
  ['hpa', 'Host-physical', 'Memory of the emulated hardware, whoever gets there by whatever address.'],
];

/** For data breakpoints: the space that the address is one of. */
export const DATA_MODES: readonly DebugProtocol.BreakpointMode[] = [
  { mode: 'as-written', label: 'Space as written', description: 'l2:gpa:0x… and the like name their space.', appliesTo: ['data'] },
  ...SPACES.map(([mode, label, description]): DebugProtocol.BreakpointMode => ({ mode, label, description, appliesTo: ['data'] })),
];

/** The space that a data breakpoint's mode names, undefined for the one that is written; a sentence when there is no such mode. */
export function spaceOfMode(mode: unknown): { readonly space: string | undefined } | string {
  if (mode === undefined || mode === null || mode === 'as-written') return { space: undefined };
  if (SPACES.some(([space]) => space === mode)) return { space: mode as string };
  return breakpointErrors.unknownMode(
    String(mode),
    DATA_MODES.map((known) => known.mode),
  );
}

/** The level that a mode names, undefined for any; a sentence when there is no such mode. */
export function levelOfMode(mode: unknown): { readonly level: Level | undefined } | string {
  if (mode === undefined || mode === null || mode === 'any') return { level: undefined };
  if (mode === 'l1') return { level: 1 };
  if (mode === 'l2') return { level: 2 };
  return breakpointErrors.unknownMode(
    String(mode),
    BREAKPOINT_MODES.map((known) => known.mode),
  );
}
