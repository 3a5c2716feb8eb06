/** One virtual CPU as TypeScript sees it: its registers and checked access to guest memory through the one MMU. */
import { VcpuRegisters } from '../mmu/vcpu-registers';
import { Access, type CheckedAccess } from '../mmu/mmu';
import type { CpuModel } from '../spec/cpu-model';
import type { PhysicalMemory } from '../memory/physical-memory';

/** Registers of a vCPU's local APIC that debuggers show beside the processor's own. */
export interface LocalApicView {
  readCr8(vcpu: number): number;
  writeCr8(vcpu: number, value: number): void;
  apicBase(vcpu: number): bigint;
}

export class Cpu extends VcpuRegisters {
  /** The interrupt controllers hold a maskable interrupt for this vCPU. Derived from their state. */
  interruptPending = false;
  /** The local APIC, for those who look. Wiring. */
  controller: LocalApicView | undefined;

  constructor(
    index: number,
    base: number,
    memory: PhysicalMemory,
    model: CpuModel,
    arithmeticFlags: (base: number) => number,
    readonly mmu: CheckedAccess,
    /** vCPUs of the machine. */
    readonly vcpuCount = 1,
  ) {
    super(index, base, memory, model, arithmeticFlags);
  }

  /** Recomputes CPL-, CR- and CS-derived state (mode word, TLB contexts). To be called after any change of CPL, CS, SS, CR0, CR4, EFER, RFLAGS.AC or EPT. */
  modeChanged(): void {
    this.mmu.modeChanged(this);
  }
  /**
   * Reads `size` (1, 2, 4, 8) bytes at a linear address with the current CPL's rights (`Access.read`) or as an implicit supervisor access
   * (`Access.read | Access.implicit`: descriptor tables, TSS, IDT). Undefined: a fault or exit is pending.
   */
  loadLinear(linear: bigint, size: number, access: number = Access.read): bigint | undefined {
    return this.mmu.loadLinear(this, linear, size, access);
  }
  /** Writes likewise; false: a fault or exit is pending and nothing was written. */
  storeLinear(linear: bigint, size: number, value: bigint, access: number = Access.write): boolean {
    return this.mmu.storeLinear(this, linear, size, value, access);
  }
  /** Checks that a write of `size` bytes would succeed (sets A/D as the write would); false: a fault or exit is pending. */
  probeWrite(linear: bigint, size: number, access: number = Access.write): boolean {
    return this.mmu.probe(this, linear, size, access);
  }
}
