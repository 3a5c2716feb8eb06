/** A launched program under the debugger: its machine, symbols and disassembler, and why it stands. */
import type { CpuView, Level, Machine } from '../emulator/api';
import { type CodeBits, type DisassembledCode, type Disassembler, LONGEST_INSTRUCTION } from './disassembly';
import { eventVariables, type EventVariables } from './evaluate/event-variables';
import { formatPlace, type MemoryPlace } from './memory-reference';
import type { Stop } from './stops';
import type { SymbolSource } from './symbol-source';
import { vmcsFields, type VmcsFields } from './vmcs-fields';

export class Debuggee {
  /** Why the machine stands; undefined while it runs and before it starts. */
  stop: Stop | undefined;
  private readonly fields = new Map<number, VmcsFields>();

  constructor(
    readonly name: string,
    readonly path: string,
    readonly machine: Machine,
    readonly symbols: SymbolSource,
    readonly disassembler: Disassembler,
  ) {}

  /** The virtual CPU that the stop is about. */
  get vcpu(): number {
    return this.stop?.vcpu ?? this.machine.currentVcpu;
  }

  vmcs(vcpu: number): VmcsFields {
    let fields = this.fields.get(vcpu);
    if (!fields) this.fields.set(vcpu, (fields = vmcsFields(this.machine, vcpu)));
    return fields;
  }

  /** The event that the machine stands at, for expressions. */
  get event(): EventVariables {
    return eventVariables(this.stop?.cause);
  }

  /** A place of one virtual CPU's address space, as it travels: where there is only one, or its page tables do not matter, without it. */
  reference(vcpu: number, place: MemoryPlace): string {
    const physical = place.space === 'hpa' || (place.space === 'gpa' && place.level === 1);
    return formatPlace(physical || this.machine.vcpuCount === 1 ? place : { ...place, vcpu });
  }

  instructionAt(vcpu: number, level: Level, address: bigint, bits: CodeBits): DisassembledCode | undefined {
    const bytes = this.machine.readMemory(vcpu, level, 'gva', address, LONGEST_INSTRUCTION);
    return bytes.length === 0 ? undefined : this.disassembler.one(bytes, address, bits);
  }

  currentInstruction(cpu: CpuView, vcpu: number): DisassembledCode | undefined {
    return this.instructionAt(vcpu, cpu.level, cpu.rip, cpu.codeBits);
  }
}

/** Does the machine stand at an exit of this virtual CPU's guest, of which its hypervisor has not run an instruction yet? */
export function inExitView({ stop, machine }: Debuggee, vcpu: number): boolean {
  return stop?.exitView === true && stop.vcpu === vcpu && machine.cpu(vcpu).exitJustCommitted !== undefined;
}
