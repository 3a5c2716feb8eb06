/**
 * How guests reach the virtual APIC: the APIC-access page, MOV CR8 and the MSRs of x2APIC mode. SDM volume 3, "Virtualizing CR8-Based TPR
 * Accesses", "Virtualizing Memory-Mapped APIC Accesses", "Virtualizing MSR-Based APIC Accesses".
 */
import type { Cpu } from '../cpu/cpu';
import { ApicAccessType, type ApicAccessPage } from '../mmu/apic-access-page';
import { ExitReason } from '../spec/exit-reasons';
import { Field } from '../spec/vmcs-fields';
import { Primary, Secondary } from '../spec/vmx-controls';
import { ApicOffset } from '../spec/virtual-apic';
import { VirtualApic } from './virtual-apic';
import { currentVmcs, type VmxContext } from './vmx-context';

/** Registers that “APIC-register virtualization” covers, by page offset: those that may be written, and those that may only be read. */
const WRITABLE: ReadonlySet<number> = new Set([
  0x20, 0x80, 0xb0, 0xd0, 0xe0, 0xf0, 0x280, 0x300, 0x310, 0x320, 0x330, 0x340, 0x350, 0x360, 0x370, 0x380, 0x3e0,
]);
const READABLE: ReadonlySet<number> = new Set([
  ...WRITABLE,
  0x30,
  // In-service, trigger-mode and interrupt-request registers.
  ...Array.from({ length: 24 }, (_, n) => 0x100 + 16 * n),
]);

/** The access lies in the low four bytes of one register. */
const insideRegister = (offset: number, bytes: number): boolean => bytes <= 4 && (offset & 15) + bytes <= 4;

function virtualized(secondary: number, offset: number, bytes: number, write: boolean): boolean {
  if (!insideRegister(offset, bytes)) return false;
  const register = offset & ~15;
  if (secondary & Secondary.apicRegisterVirtualization) return (write ? WRITABLE : READABLE).has(register);
  const delivers = (secondary & Secondary.virtualInterruptDelivery) !== 0;
  // Without it only the register's own offset counts.
  return offset === ApicOffset.tpr || (write && delivers && (offset === ApicOffset.eoi || offset === ApicOffset.icrLow));
}

export class ApicAccesses implements ApicAccessPage {
  constructor(private readonly vmx: VmxContext) {}

  redirect(cpu: Cpu, offset: number, bytes: number, type: number): number {
    const vmcs = currentVmcs(this.vmx, cpu);
    const primary = vmcs.u32(Field.primaryProcessorBasedVmExecutionControls);
    const apic = new VirtualApic(this.vmx, cpu);
    const data = type === ApicAccessType.read || type === ApicAccessType.write;
    const write = type === ApicAccessType.write;
    if (!data || !(primary & Primary.useTprShadow) || !virtualized(apic.secondary, offset, bytes, write)) return -1;
    return vmcs.address(Field.virtualApicAddress) + offset;
  }

  written(cpu: Cpu, offset: number): void {
    const apic = new VirtualApic(this.vmx, cpu);
    const register = offset & ~15;
    switch (register) {
      case ApicOffset.tpr:
        apic.write32(register, apic.read32(register) & 0xff);
        apic.virtualizeTpr();
        return;
      case ApicOffset.eoi:
        if (!apic.delivers) break;
        apic.write32(register, 0);
        apic.virtualizeEoi();
        return;
      case ApicOffset.icrLow: {
        const icr = apic.read32(register);
        if (!apic.delivers || !isSelfIpi(icr)) break;
        apic.virtualizeSelfIpi(icr & 0xff);
        return;
      }
      case ApicOffset.icrHigh:
        apic.write32(register, apic.read32(register) & 0xff00_0000);
        return;
    }
    apic.exitAfter(ExitReason.APIC_WRITE, offset);
  }
}

/**
 * The ICR asks for what self-IPI virtualization does: reserved bits and delivery status 0, fixed delivery, edge-triggered, destination shorthand
 * self, a vector of 16 or more.
 */
function isSelfIpi(icr: number): boolean {
  const reserved = 0xfff3_2000;
  const fixed = (icr & 0x700) === 0;
  const idle = (icr & 0x1000) === 0;
  const edge = (icr & 0x8000) === 0;
  const self = (icr & 0xc_0000) === 0x4_0000;
  return (icr & reserved) === 0 && fixed && idle && edge && self && (icr & 0xf0) !== 0;
}

const usesTprShadow = (vmx: VmxContext, cpu: Cpu): boolean =>
  cpu.vmxNonRoot && (currentVmcs(vmx, cpu).u32(Field.primaryProcessorBasedVmExecutionControls) & Primary.useTprShadow) !== 0;

/** MOV from CR8; undefined: it is not virtualised. */
export function readVirtualCr8(vmx: VmxContext, cpu: Cpu): bigint | undefined {
  return usesTprShadow(vmx, cpu) ? BigInt((new VirtualApic(vmx, cpu).read32(ApicOffset.tpr) >> 4) & 15) : undefined;
}
/** MOV to CR8; false: it is not virtualised. */
export function writeVirtualCr8(vmx: VmxContext, cpu: Cpu, value: number): boolean {
  if (!usesTprShadow(vmx, cpu)) return false;
  const apic = new VirtualApic(vmx, cpu);
  apic.write32(ApicOffset.tpr, (value & 15) << 4);
  apic.virtualizeTpr();
  return true;
}

/** MSRs 800H to 8FFH. */
const isApicMsr = (index: number): boolean => index >>> 8 === 8;
const MSR_TPR = 0x808;
const MSR_EOI = 0x80b;
const MSR_SELF_IPI = 0x83f;

const virtualizesX2apic = (vmx: VmxContext, cpu: Cpu, index: number): VirtualApic | undefined => {
  if (!cpu.vmxNonRoot || !isApicMsr(index)) return undefined;
  const apic = new VirtualApic(vmx, cpu);
  return apic.secondary & Secondary.virtualizeX2apicMode ? apic : undefined;
};

/** RDMSR that does not exit; undefined: it is not virtualised. */
export function readVirtualMsr(vmx: VmxContext, cpu: Cpu, index: number): bigint | undefined {
  const apic = virtualizesX2apic(vmx, cpu, index);
  if (apic === undefined) return undefined;
  return index === MSR_TPR || apic.secondary & Secondary.apicRegisterVirtualization ? apic.read64((index & 0xff) << 4) : undefined;
}

/** WRMSR that does not exit. */
export function writeVirtualMsr(vmx: VmxContext, cpu: Cpu, index: number, value: bigint): 'written' | 'fault' | undefined {
  const apic = virtualizesX2apic(vmx, cpu, index);
  if (apic === undefined) return undefined;
  const offset = (index & 0xff) << 4;
  switch (index) {
    case MSR_TPR:
      if (value >> 8n) return 'fault';
      apic.write64(offset, value);
      apic.virtualizeTpr();
      return 'written';
    case MSR_EOI:
      if (!apic.delivers) return undefined;
      if (value !== 0n) return 'fault';
      apic.write64(offset, value);
      apic.virtualizeEoi();
      return 'written';
    case MSR_SELF_IPI:
      if (!apic.delivers) return undefined;
      if (value >> 8n) return 'fault';
      apic.write64(offset, value);
      if (value >> 4n) apic.virtualizeSelfIpi(Number(value));
      else apic.exitAfter(ExitReason.APIC_WRITE, offset);
      return 'written';
    default:
      return undefined;
  }
}
