/**
 * The virtual APIC: registers on the virtual-APIC page, and what changes of them set off. SDM volume 3, "Virtual APIC State", "TPR
 * Virtualization", "PPR Virtualization", "EOI Virtualization", "Self-IPI Virtualization", "Evaluation of Pending Virtual Interrupts",
 * "Virtual-Interrupt Delivery", "Posted-Interrupt Processing". Left out: IPI virtualization.
 */
import type { Cpu } from '../cpu/cpu';
import { ExitReason } from '../spec/exit-reasons';
import { ApicOffset } from '../spec/virtual-apic';
import { Field, type VmcsField } from '../spec/vmcs-fields';
import { Primary, Secondary } from '../spec/vmx-controls';
import { State } from '../spec/vcpu-state';
import { secondaryControls } from './intercepts';
import type { Vmcs } from './vmcs';
import { currentVmcs, type VmxContext } from './vmx-context';
import { Boundary, VmxState } from './vmx-state';

const EOI_BITMAPS: readonly VmcsField[] = [Field.eoiExitBitmap0, Field.eoiExitBitmap1, Field.eoiExitBitmap2, Field.eoiExitBitmap3];
/** Bits of the posted-interrupt descriptor's fifth quadword. */
const OUTSTANDING_NOTIFICATION = 1n;
const NOTIFICATION_OFFSET = 32;
/** Priority class: bits 7:4. */
const classOf = (priority: number): number => (priority >> 4) & 15;

export class VirtualApic {
  private readonly vmcs: Vmcs;
  readonly secondary: number;
  private readonly page: number;

  constructor(
    private readonly vmx: VmxContext,
    private readonly cpu: Cpu,
  ) {
    this.vmcs = currentVmcs(vmx, cpu);
    this.secondary = secondaryControls(this.vmcs);
    this.page = this.vmcs.address(Field.virtualApicAddress);
  }

  get delivers(): boolean {
    return (this.secondary & Secondary.virtualInterruptDelivery) !== 0;
  }
  read32(offset: number): number {
    return this.vmx.memory.read32(this.page + offset);
  }
  write32(offset: number, value: number): void {
    this.vmx.memory.write32(this.page + offset, value >>> 0);
  }
  read64(offset: number): bigint {
    return this.vmx.memory.read64(this.page + offset);
  }
  write64(offset: number, value: bigint): void {
    this.vmx.memory.write64(this.page + offset, value);
  }

  /** Requesting virtual interrupt, and the servicing one: the halves of the guest interrupt status. */
  private get rvi(): number {
    return this.vmcs.u32(Field.guestInterruptStatus) & 0xff;
  }
  private get svi(): number {
    return (this.vmcs.u32(Field.guestInterruptStatus) >> 8) & 0xff;
  }
  private setStatus(rvi: number, svi: number): void {
    this.vmcs.setU32(Field.guestInterruptStatus, rvi | (svi << 8));
    this.vmcs.noteWritten();
  }

  /** Bit of a 256-bit register: 32 of them in each 16 bytes. */
  private setBit(register: number, vector: number, on: boolean): void {
    const offset = register + ((vector & 0xe0) >> 1);
    const bit = 1 << (vector & 31);
    const word = this.read32(offset);
    this.write32(offset, on ? word | bit : word & ~bit);
  }
  private highest(register: number): number {
    for (let n = 7; n >= 0; n--) {
      const word = this.read32(register + 16 * n);
      if (word !== 0) return 32 * n + 31 - Math.clz32(word);
    }
    return 0;
  }

  /** After a change of VTPR. */
  virtualizeTpr(): void {
    if (this.delivers) {
      this.virtualizePpr();
      this.evaluate();
    } else if (classOf(this.read32(ApicOffset.tpr)) < (this.vmcs.u32(Field.tprThreshold) & 15)) {
      this.exitAfter(ExitReason.TPR_BELOW_THRESHOLD, 0);
    }
  }
  virtualizePpr(): void {
    const tpr = this.read32(ApicOffset.tpr) & 0xff;
    this.write32(ApicOffset.ppr, classOf(tpr) >= classOf(this.svi) ? tpr : this.svi & 0xf0);
  }
  virtualizeEoi(): void {
    const vector = this.svi;
    this.setBit(ApicOffset.isr, vector, false);
    this.setStatus(this.rvi, this.highest(ApicOffset.isr));
    this.virtualizePpr();
    const exits = (this.vmcs.u64(EOI_BITMAPS[vector >> 6]) >> BigInt(vector & 63)) & 1n;
    if (exits) this.exitAfter(ExitReason.VIRTUALIZED_EOI, vector);
    else this.evaluate();
  }
  virtualizeSelfIpi(vector: number): void {
    this.setBit(ApicOffset.irr, vector, true);
    this.setStatus(Math.max(this.rvi, vector), this.svi);
    this.evaluate();
  }

  /** Whether a virtual interrupt is recognised; it is delivered at a boundary that allows it. */
  evaluate(): void {
    const window = this.vmcs.u32(Field.primaryProcessorBasedVmExecutionControls) & Primary.interruptWindowExiting;
    const recognised = window === 0 && classOf(this.rvi) > classOf(this.read32(ApicOffset.ppr));
    this.setBoundary(Boundary.virtualInterrupt, recognised);
  }
  /** Takes the recognised interrupt into service and gives its vector. */
  takeInterrupt(): number {
    const vector = this.rvi;
    this.setBit(ApicOffset.isr, vector, true);
    this.write32(ApicOffset.ppr, vector & 0xf0);
    this.setBit(ApicOffset.irr, vector, false);
    this.setStatus(this.highest(ApicOffset.irr), vector);
    this.setBoundary(Boundary.virtualInterrupt, false);
    return vector;
  }

  /** The posted requests of the descriptor become virtual interrupt requests. */
  processPosted(): void {
    const { memory } = this.vmx;
    const descriptor = this.vmcs.address(Field.postedInterruptDescriptorAddress);
    const control = descriptor + NOTIFICATION_OFFSET;
    memory.write64(control, memory.read64(control) & ~OUTSTANDING_NOTIFICATION);
    let posted = 0;
    for (let n = 0; n < 8; n++) {
      const word = memory.read32(descriptor + 4 * n);
      if (word === 0) continue;
      memory.write32(descriptor + 4 * n, 0);
      this.write32(ApicOffset.irr + 16 * n, this.read32(ApicOffset.irr + 16 * n) | word);
      posted = 32 * n + 31 - Math.clz32(word);
    }
    this.setStatus(Math.max(this.rvi, posted), this.svi);
    this.evaluate();
  }

  /** Leaves a trap-like VM exit due before the next instruction. */
  exitAfter(reason: number, qualification: number): void {
    this.cpu.set32(VmxState.apicExit, reason);
    this.cpu.set32(VmxState.apicQualification, qualification);
    this.setBoundary(Boundary.apicExit, true);
  }
  private setBoundary(bit: number, on: boolean): void {
    const boundary = this.cpu.get32(State.boundary);
    this.cpu.set32(State.boundary, on ? boundary | bit : boundary & ~bit);
  }
}

/**
 * What a VM entry does to the virtual APIC: "VM Exits Induced by the TPR Threshold", "Virtual-Interrupt Delivery" after VM entry. The APIC-access
 * page is in use from then on.
 */
export function enterWithVirtualApic(vmx: VmxContext, cpu: Cpu, vmcs: Vmcs, secondary: number): void {
  const virtualizes = (secondary & Secondary.virtualizeApicAccesses) !== 0;
  const page = virtualizes ? vmcs.address(Field.apicAccessAddress) + 1 : 0;
  cpu.setF64(State.apicAccessPage, page);
  // What was cached while another page was the APIC-access page does not know of this one.
  if (page !== cpu.getF64(VmxState.lastApicPage)) cpu.mmu.flushAll(cpu);
  cpu.setF64(VmxState.lastApicPage, page);
  if (!(vmcs.u32(Field.primaryProcessorBasedVmExecutionControls) & Primary.useTprShadow)) return;
  const apic = new VirtualApic(vmx, cpu);
  if (apic.delivers) {
    apic.virtualizePpr();
    apic.evaluate();
  } else if (virtualizes) apic.virtualizeTpr();
}
