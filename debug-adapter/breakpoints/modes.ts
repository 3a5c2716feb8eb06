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
