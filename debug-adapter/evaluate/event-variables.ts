/** The variables that an event brings to conditions and expressions: reason, qualification, gpa, vector … */
import type { StopReason } from '../../emulator/api';
import { numberOf } from '../breakpoints/watching';
import type { Value } from './evaluate';

/** Every name, with what it means (for completions and for the documentation of conditions). */
export const EVENT_VARIABLES: Readonly<Record<string, string>> = {
  reason: 'basic exit reason of the VM exit, comparable with names such as EPT_VIOLATION',
  qualification: 'exit qualification',
  gpa: 'guest-physical address of the event',
  linear: 'guest-linear address of the event',
  rip: 'RIP at the event',
  n: 'step count at the event',
  vcpu: 'virtual CPU',
  level: '1: the program under test, 2: its guest',
  length: 'VM-exit instruction length',
  interruptionInfo: 'VM-exit interruption information',
  interruptionError: 'VM-exit interruption error code',
  vmcs: 'physical address of the VMCS',
  vector: 'vector of the exception or interrupt',
  nmi: '1 for a non-maskable interrupt, 0 for another',
  software: '1 for an interrupt that INT n has made, 0 for another',
  errorCode: 'error code of the exception',
  cr2: 'page-fault linear address',
  number: 'VM-instruction error number or exit reason of a failed VM entry',
  address: 'first byte that was read or written',
  bytes: 'how many bytes were read or written',
  write: '1 for a write, 0 for a read',
  old: 'what the bytes were before',
  new: 'what the bytes are after a write',
  hits: 'how many events of this kind the filter has seen, this one included',
};

export type EventVariables = ReadonlyMap<string, Value>;

function variable(name: string, value: bigint | number | undefined, label?: string): [string, Value][] {
  return value === undefined ? [] : [[name, { value: BigInt(value), label, origin: { kind: 'event', name } }]];
}

/** Empty for stops that are no event of the processor. */
export function eventVariables(stop: StopReason | undefined, hits?: number): EventVariables {
  const all = (entries: [string, Value][][]): EventVariables => new Map([...entries.flat(), ...variable('hits', hits)]);
  switch (stop?.kind) {
    case 'vm-exit': {
      const { exit } = stop;
      return all([
        variable('reason', exit.reasonNumber, exit.reason),
        variable('qualification', exit.qualification),
        variable('gpa', exit.gpa),
        variable('linear', exit.linear),
        variable('rip', exit.rip),
        variable('n', exit.n),
        variable('vcpu', exit.vcpu),
        variable('level', exit.level),
        variable('length', exit.instructionLength),
        variable('interruptionInfo', exit.interruptionInfo),
        variable('interruptionError', exit.interruptionError),
        variable('vector', (exit.interruptionInfo >>> 31) & 1 ? exit.interruptionInfo & 0xff : undefined),
        variable('errorCode', exit.interruptionInfo & 0x800 && (exit.interruptionInfo >>> 31) & 1 ? exit.interruptionError : undefined),
        variable('vmcs', exit.vmcs),
      ]);
    }
    case 'watchpoint':
      return all([
        variable('address', stop.address),
        variable('bytes', stop.length),
        variable('write', stop.access === 'write' ? 1 : 0),
        variable('old', numberOf(stop.oldBytes)),
        variable('new', numberOf(stop.newBytes)),
        variable('rip', stop.rip),
        variable('vcpu', stop.vcpu),
        variable('level', stop.level),
      ]);
    case 'vm-entry-failure': {
      const { failure } = stop;
      return all([
        variable('number', failure.number),
        variable('qualification', failure.qualification),
        variable('rip', failure.rip),
        variable('n', failure.n),
        variable('vcpu', failure.vcpu),
        variable('level', failure.level),
        variable('vmcs', failure.vmcs),
      ]);
    }
    case 'interrupt': {
      const { interrupt } = stop;
      return all([
        variable('vector', interrupt.vector),
        variable('nmi', Number(interrupt.kind === 'nmi')),
        variable('software', Number(interrupt.kind === 'software')),
        variable('rip', interrupt.rip),
        variable('n', interrupt.n),
        variable('vcpu', interrupt.vcpu),
        variable('level', interrupt.level),
      ]);
    }
    case 'triple-fault':
    case 'exception': {
      const exception = stop.kind === 'exception' ? stop.exception : stop.chain.at(-1);
      if (!exception) return all([]);
      return all([
        variable('vector', exception.vector),
        variable('errorCode', exception.errorCode),
        variable('cr2', exception.cr2),
        variable('rip', exception.rip),
        variable('n', exception.n),
        variable('vcpu', exception.vcpu),
        variable('level', exception.level),
      ]);
    }
    default:
      return all([]);
  }
}
