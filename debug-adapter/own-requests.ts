/** Answers to the requests that this adapter adds to the protocol (protocol.ts). */
import type { AddressSpace, InspectNode, Level } from '../emulator/api';
import type { RequestArguments } from './arguments';
import { formatDataId } from './breakpoints/watching';
import type { Debuggee } from './debuggee';
import { evaluateIn } from './evaluation';
import { hex, parsePlace } from './memory-reference';
import type { ExitEntry, ExitsResult, InspectResult, PositionResult, ResolveResult } from './protocol';
import { resolutionOnWire } from './resolution';
import type { Frame } from './stack';
import { symbolText } from './symbol-source';

const DEFAULT_EXITS = 100;
const MOST_EXITS = 1_000_000;

function vcpuOf(debuggee: Debuggee, args: RequestArguments): number {
  return args.optionalInteger('vcpu', 0, debuggee.machine.vcpuCount - 1) ?? debuggee.vcpu;
}

export function inspect(debuggee: Debuggee, args: RequestArguments): InspectResult {
  const vcpu = vcpuOf(debuggee, args);
  const nodes = debuggee.machine.inspect.children(vcpu, args.text('id'));
  return {
    nodes: nodes.map(({ memory, stored, ...node }) => ({
      ...node,
      dataId: stored && formatDataId({ space: 'hpa', level: 1, address: stored.address }, stored.bytes),
      symbol: symbolOf(debuggee, { memory, ...node }),
      memoryReference: memory && debuggee.reference(vcpu, memory),
    })),
  };
}

/** The handler of a gate; what an address that stands in a field is called. */
function symbolOf(debuggee: Debuggee, { id, value, memory }: InspectNode): string | undefined {
  if (value === undefined || !memory || !/^0x[0-9a-f]+$/i.test(value)) return undefined;
  const address = BigInt(value);
  const isGate = /^idt\/l[12]\/\d+$/.test(id);
  if (memory.space !== 'gva' || !(isGate || memory.address === address)) return undefined;
  const { symbols } = debuggee;
  return symbols.symbolAt(memory.level, address) && symbolText(symbols, memory.level, address);
}

export function resolve(debuggee: Debuggee, args: RequestArguments, frame: () => Frame): ResolveResult {
  const { machine } = debuggee;
  const vcpu = vcpuOf(debuggee, args);
  const level = (args.optionalInteger('level', 1, 2) ?? machine.cpu(vcpu).level) as Level;
  const space = (args.optionalText('space') ?? 'gva') as AddressSpace;
  if (!['gva', 'gpa', 'hpa'].includes(space)) args.refuse('space', "'gva', 'gpa' or 'hpa'");
  const text = args.text('address');
  const written = parsePlace(text, level);
  const place = written && (text.includes(':') ? written : { ...written, space });
  if (place) return resolutionOnWire(machine.resolve(vcpu, place.level, place.space, place.address));
  const value = evaluateIn(debuggee, frame(), text);
  if (typeof value.value === 'boolean') return args.refuse('address', 'an address');
  const named = value.place ?? { space, level, address: value.value };
  return resolutionOnWire(machine.resolve(vcpu, named.level, named.space, named.address));
}

export function exits(debuggee: Debuggee, args: RequestArguments): ExitsResult {
  const { machine, symbols } = debuggee;
  const limit = args.optionalInteger('limit', 0, MOST_EXITS) ?? DEFAULT_EXITS;
  const recent = limit === 0 ? [] : machine.recentExits.slice(-limit);
  const entries = recent.map(({ n, vcpu, reason, reasonNumber, qualification, rip, gpa, linear, vmcs }): ExitEntry => ({
    n,
    vcpu,
    reason,
    reasonNumber,
    qualification: hex(qualification),
    rip: hex(rip),
    symbol: symbols.symbolAt(2, rip) && symbolText(symbols, 2, rip),
    gpa: gpa === undefined ? undefined : hex(gpa),
    linear: linear === undefined ? undefined : hex(linear),
    vmcs: hex(vmcs),
  }));
  return { exits: entries, counts: Object.fromEntries(machine.exitCounts) };
}

export function position(debuggee: Debuggee, running: boolean): PositionResult {
  const { machine } = debuggee;
  const vcpus = Array.from({ length: machine.vcpuCount }, (_, vcpu) => {
    const { level, rip, codeBits, cpl, steps, activity } = machine.cpu(vcpu);
    return { vcpu, level, rip: hex(rip), codeBits, cpl, steps, activity };
  });
  const { steps, instructions, vcpuCount } = machine;
  return { steps, instructions, vcpuCount, running, ended: machine.ended !== undefined, vcpus };
}
