/** The MSR areas of VM entries and VM exits: SDM volume 3, "Loading MSRs" (VM entry), "Saving MSRs", "Loading MSRs" (VM exit). */
import type { Cpu } from '../cpu/cpu';
import { Msr } from '../spec/msr';
import type { VmxContext } from './vmx-context';

/** Bytes of an entry: MSR index, reserved word, value. */
const ENTRY_BYTES = 16;
const IA32_BIOS_UPDT_TRIG = 0x79;
const IA32_SMM_MONITOR_CTL = 0x9b;
const IA32_SMBASE = 0x9e;
/** Bits 31:8 = 000008H: registers of a local APIC in x2APIC mode. */
const isX2apic = (index: number): boolean => index >>> 8 === 8;

/**
 * Loads an area. Returns 0, or the number of the entry that failed (1 for the first). Beyond the recommended maximum of IA32_VMX_MISC bits
 * 27:25 the manual leaves the behaviour open; here the first entry beyond it fails.
 */
export function loadMsrArea(vmx: VmxContext, cpu: Cpu, address: number, count: number): number {
  for (let n = 0; n < count; n++) {
    if (n === vmx.capabilities.msrListMaximum) return n + 1;
    const entry = address + n * ENTRY_BYTES;
    const index = vmx.memory.read32(entry);
    const reserved = vmx.memory.read32(entry + 4);
    // The base MSRs of FS and GS are loaded from the state areas only; these writes are refused for reasons of their own.
    const refused =
      index === Msr.IA32_FS_BASE || index === Msr.IA32_GS_BASE || index === IA32_SMM_MONITOR_CTL || index === IA32_BIOS_UPDT_TRIG;
    if (reserved !== 0 || refused || isX2apic(index) || !vmx.msrs.writeMsr(cpu, index, vmx.memory.read64(entry + 8))) return n + 1;
  }
  return 0;
}

/** VM exits cannot store this entry: one of the MSRs that the manual names, or reserved bits. */
export const storeRefuses = (index: number, reserved: number): boolean => reserved !== 0 || index === IA32_SMBASE || isX2apic(index);

/** Stores an area. Returns 0, or the number of the entry that failed, as for loading. */
export function storeMsrArea(vmx: VmxContext, cpu: Cpu, address: number, count: number): number {
  for (let n = 0; n < count; n++) {
    if (n === vmx.capabilities.msrListMaximum) return n + 1;
    const entry = address + n * ENTRY_BYTES;
    const index = vmx.memory.read32(entry);
    if (storeRefuses(index, vmx.memory.read32(entry + 4))) return n + 1;
    const value = vmx.msrs.readMsr(cpu, index);
    if (value === undefined) return n + 1;
    vmx.memory.write64(entry + 8, value);
  }
  return 0;
}
