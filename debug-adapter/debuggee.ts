/** A launched program under the debugger: its machine, symbols and disassembler, and why it stands. */
import type { CpuView, Level, Machine } from '../emulator/api';
import { type CodeBits, type DisassembledCode, type Disassembler, LONGEST_INSTRUCTION } from './disassembly';
import { eventVariables, type EventVariables } from './evaluate/event-variables';
import type { Stop } from './stops';
import type { SymbolSource } from './symbol-source';
import { vmcsFields, type VmcsFields } from './vmcs-fields';

/** The only virtual CPU that stepping moves so far. */
export const FIRST_VCPU = 0;

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

  vmcs(vcpu: number): VmcsFields {
    let fields = this.fields.get(vcpu);
    if (!fields) this.fields.set(vcpu, (fields = vmcsFields(this.machine, vcpu)));
    return fields;
  }

  /** The event that the machine stands at, for expressions. */
  get event(): EventVariables {
    return eventVariables(this.stop?.cause);
  }

  instructionAt(vcpu: number, level: Level, address: bigint, bits: CodeBits): DisassembledCode | undefined {
    const bytes = this.machine.readMemory(vcpu, level, 'gva', address, LONGEST_INSTRUCTION);
    return bytes.length === 0 ? undefined : this.disassembler.one(bytes, address, bits);
  }

  currentInstruction(cpu: CpuView, vcpu: number): DisassembledCode | undefined {
    return this.instructionAt(vcpu, cpu.level, cpu.rip, cpu.codeBits);
  }
}

/** The event that the machine has been stopped by in the guest that has just exited. */
export function inExitView(debuggee: Debuggee): boolean {
  return debuggee.stop?.exitView === true && debuggee.machine.cpu(FIRST_VCPU).exitJustCommitted !== undefined;
}
