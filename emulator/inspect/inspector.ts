/**
 * The trees that views show, by node id: 'vmcs', 'idt', 'interrupts', 'page-tables', 'exits', 'registers', 'devices' and what lies under them.
 * Reading never changes the machine.
 */
import type { InspectNode, Inspector, VmExitRecord } from '../api';
import type { Cpu } from '../cpu/cpu';
import type { PhysicalMemory } from '../memory/physical-memory';
import { type DeviceSource, deviceNode, deviceNodes } from './device-nodes';
import { pendingEventNodes, pendingSummary } from './pending-events';
import { readRegister, registerNames } from './registers';
import type { Resolver } from './resolve';
import { idtNodes, pageTableNodes } from './tables';
import { currentVmcs } from './translation-context';
import { explainExit, vmcsChildren } from './vmcs';

export interface ExitHistory {
  readonly recentExits: readonly VmExitRecord[];
  readonly exitCounts: ReadonlyMap<string, number>;
  /** Where the exits of a reason came from, most of them first; `others` could not be told apart. */
  exitSites(reason: string): { readonly sites: readonly { readonly rip: bigint; readonly exits: number }[]; readonly others: number };
}

/** What the machine has beside processors and memory. */
export interface InspectedPlatform extends DeviceSource {
  readonly interrupts: { pending(vcpu: number): number };
}

const hex = (v: bigint | number): string => `0x${v.toString(16)}`;

export function createInspector(
  cpus: readonly Cpu[],
  memory: PhysicalMemory,
  resolver: Resolver,
  history: ExitHistory,
  platform: InspectedPlatform,
): Inspector {
  return {
    children(vcpu, id) {
      const cpu = cpus[vcpu];
      if (cpu === undefined) return [];
      const [root, first, second] = id.split('/');
      switch (root) {
        case 'registers':
          return registerNames().map((name) => ({
            id: `registers/${name}`,
            label: name,
            value: hex(readRegister(cpu, name) ?? 0n),
            expandable: false,
          }));
        case 'vmcs': {
          const vmcs = currentVmcs(cpu, memory);
          return vmcs === undefined ? [] : vmcsChildren(memory, vmcs.pointer, id);
        }
        case 'idt':
          if (first === undefined) return idtRoots(cpu, memory, resolver);
          return idtNodes(cpu, memory, resolver, first === 'l2' ? 2 : 1, id);
        case 'interrupts': {
          const vector = platform.interrupts.pending(vcpu);
          if (first !== undefined) return first === 'pending' ? pendingEventNodes(cpu, vector) : [];
          return [
            ...idtRoots(cpu, memory, resolver),
            { id: 'interrupts/pending', label: 'Pending events', description: pendingSummary(cpu, vector), expandable: true },
            ...[`local-apic-${vcpu}`, 'io-apic', 'pic'].flatMap((name) => deviceNode(platform, name)),
          ];
        }
        case 'devices':
          return deviceNodes(platform, id.split('/').slice(1));
        case 'page-tables':
          return pageTableNodes(cpu, memory, resolver, id);
        case 'exits':
          return first === 'count' ? exitSiteNodes(history, second ?? '') : exitNodes(history, first);
        default:
          return [];
      }
    },
  };
}

function idtRoots(cpu: Cpu, memory: PhysicalMemory, resolver: Resolver): InspectNode[] {
  return ([1, 2] as const)
    .filter((level) => idtNodes(cpu, memory, resolver, level, '').length > 0)
    .map((level) => ({ id: `idt/l${level}`, label: `L${level} IDT`, expandable: true }));
}

/** The instructions of the guest that the exits of a reason came from. */
function exitSiteNodes(history: ExitHistory, reason: string): InspectNode[] {
  if (!history.exitCounts.has(reason)) return [];
  const { sites, others } = history.exitSites(reason);
  return [
    ...sites.slice(0, MOST_SITES).map(({ rip, exits }): InspectNode => ({
      id: `exits/count/${reason}/${hex(rip)}`,
      label: `L2 ${hex(rip)}`,
      value: String(exits),
      tooltip: `exits ${reason} of the instruction at L2 RIP ${hex(rip)}`,
      memory: { space: 'gva', level: 2, address: rip },
      expandable: false,
    })),
    ...rest(
      reason,
      sites.slice(MOST_SITES).reduce((sum, { exits }) => sum + exits, others),
    ),
  ];
}
const rest = (reason: string, exits: number): InspectNode[] =>
  exits === 0 ? [] : [{ id: `exits/count/${reason}/others`, label: 'elsewhere', value: String(exits), expandable: false }];
/** Shown of a reason; the others are counted together. */
const MOST_SITES = 100;

function sitesInWords(history: ExitHistory, reason: string): string {
  const { sites, others } = history.exitSites(reason);
  if (sites.length === 1 && others === 0) return `L2, at ${hex(sites[0].rip)}`;
  return `L2, at ${others === 0 ? '' : 'more than '}${sites.length} places`;
}

function exitNodes(history: ExitHistory, first: string | undefined): InspectNode[] {
  if (first === 'recent') {
    const exits = history.recentExits;
    return exits.map((e, i) => ({
      id: `exits/recent/${e.n}`,
      label: `${e.n} ${e.reason}`,
      value: hex(e.qualification),
      description: explainExit(e),
      tooltip: `exit ${i + 1 - exits.length} from the last, at step ${e.n}, L2 RIP ${hex(e.rip)}`,
      memory: { space: 'gva', level: 2, address: e.rip },
      expandable: false,
    }));
  }
  if (first !== undefined) return [];
  const counts = [...history.exitCounts].sort((a, b) => b[1] - a[1]);
  const total = counts.reduce((sum, [, n]) => sum + n, 0);
  return [
    ...counts.map(([reason, n]) => ({
      id: `exits/count/${reason}`,
      label: reason,
      value: String(n),
      description: sitesInWords(history, reason),
      expandable: true,
    })),
    ...(total > 0 ? [{ id: 'exits/recent', label: 'Most recent', description: `${total} in all`, expandable: true }] : []),
  ];
}
