/**
 * Reading and writing model-specific registers by the table of spec/msr (SDM volume 2, "RDMSR", "WRMSR"; volume 4), for the instructions
 * and for the MSR areas of VM entries and exits.
 */
import { COUNTER_BITS, MiscEnable } from '../spec/cpuid';
import { Cr0, Efer } from '../spec/registers';
import { FIXED_MTRRS, Msr, msrRow, msrTable, mtrrSlot } from '../spec/msr';
import { SMBASE_RESET } from '../spec/smram';
import type { MsrRow } from '../spec/msr';
import { Seg, State } from '../spec/vcpu-state';
import type { Cpu } from './cpu';
import { generalProtection, invalidOpcode, type SystemHandler } from './handler';
import { isCanonical } from './operands';
import { Outcome } from './outcome';
import { clearableOverflow, counterBits, isRefusedSelection, selectionChanged } from './performance-counters';
import type { CpuPorts } from './ports';

const RAX = 0;
const RCX = 1;
const RDX = 2;
const QUAD = 64;
const LOCK = 1n;
/** IA32_MCG_CAP: there is an IA32_MCG_CTL. */
const MCG_CTL_P = 1n << 8n;
const FEATURE_CONTROL_WRITABLE = 7n;
const DEBUGCTL_WRITABLE = 3n;
const MTRR_DEF_TYPE_WRITABLE = 0xcffn;
/** Memory types that PAT and MTRRs may hold: UC, WC, WT, WP, WB, and (PAT only) UC-. */
const PAT_TYPES: readonly number[] = [0, 1, 4, 5, 6, 7];
const MTRR_TYPES: readonly number[] = [0, 1, 4, 5, 6];

const exists = (cpu: Cpu, row: MsrRow): boolean =>
  (!row.needs || row.needs.some((feature) => cpu.model.features.has(feature))) && (row.has?.(cpu.model.units) ?? true);

/** Sets every MSR of the table to its power-on value. */
export function resetMsrs(cpu: Cpu): void {
  for (const row of msrTable) if (row.slot !== undefined) cpu.set64(row.slot, row.reset);
  if (cpu.model.features.has('monitor')) cpu.set64(State.miscEnable, cpu.get64(State.miscEnable) | MiscEnable.monitor);
  if (cpu.model.units.performanceCounters > 0) cpu.set64(State.miscEnable, cpu.get64(State.miscEnable) | MiscEnable.performanceMonitoring);
  cpu.set64(State.random, BigInt(cpu.index));
  cpu.set32(State.smbase, SMBASE_RESET);
  // All general-purpose counters are enabled as far as this register goes.
  cpu.set64(State.perfGlobalCtrl, 2n ** BigInt(cpu.model.units.performanceCounters) - 1n);
}

/** The MTRRs as firmware leaves them: write-back everywhere but for the video window (UC) and the ROMs below 1 MiB (WP). */
export function setFirmwareMtrrs(cpu: Cpu): void {
  const eightTimes = (type: bigint): bigint => type * 0x0101_0101_0101_0101n;
  FIXED_MTRRS.forEach(([, , from], n) => cpu.set64(mtrrSlot.fixed(n), eightTimes(from >= 0xc0000 ? 5n : from >= 0xa0000 ? 0n : 6n)));
  cpu.set64(mtrrSlot.defType, 0xc06n);
}

/** The value, or undefined where RDMSR is #GP(0). */
export function readMsr(cpu: Cpu, ports: CpuPorts, index: number): bigint | undefined {
  const row = msrRow(index);
  if (isLocalApicMsr(index)) return readLocalApic(cpu, ports, index >>> 0);
  if (!row || !exists(cpu, row)) return cpu.model.features.has('vmx') ? ports.vmx.readCapabilityMsr(cpu, index >>> 0) : undefined;
  switch (row.index) {
    case Msr.IA32_TIME_STAMP_COUNTER:
      return ports.clock.tsc(cpu);
    case Msr.IA32_APIC_BASE:
      return ports.interrupts.apicBase(cpu.index);
    case Msr.IA32_MCG_CAP:
      return MCG_CTL_P | BigInt(cpu.model.units.machineCheckBanks);
    case Msr.IA32_FS_BASE:
      return cpu.segmentBase(Seg.fs);
    case Msr.IA32_GS_BASE:
      return cpu.segmentBase(Seg.gs);
    default:
      return row.slot === undefined ? row.reset : cpu.get64(row.slot);
  }
}

/**
 * Writes; false where WRMSR is #GP(0), or where the machine stops because the value asks for something not modelled (`cpu.stop`).
 * Nothing has changed then.
 */
export function writeMsr(cpu: Cpu, ports: CpuPorts, index: number, value: bigint): boolean {
  const row = msrRow(index);
  if (isLocalApicMsr(index)) return writeLocalApic(cpu, ports, index >>> 0, value);
  if (!row || !exists(cpu, row)) return false;
  const store = (stored: bigint): true => {
    if (row.slot !== undefined) cpu.set64(row.slot, stored);
    return true;
  };
  switch (row.write.kind) {
    case 'read-only':
      return false;
    case 'ignored':
      return true;
    case 'mask':
      return (value & ~row.write.mask) === 0n && store(value);
    case 'counting':
      if (value & ~row.write.mask) return false;
      if (isRefusedSelection(value) && row.name.startsWith('IA32_PERFEVTSEL'))
        return refuseNotModelled(cpu, `edge detection, inversion and counter masks of performance counters: WRMSR to ${row.name}`);
      store(value);
      selectionChanged(cpu, ports.clock.now());
      return true;
    case 'counting-global':
      if (value & ~counterBits(cpu.model.units)) return false;
      store(value);
      selectionChanged(cpu, ports.clock.now());
      return true;
    case 'counter':
      return store(BigInt.asUintN(COUNTER_BITS, BigInt.asIntN(32, value)));
    case 'wide-counter':
      return value >> BigInt(COUNTER_BITS) === 0n && store(value);
    case 'clear-overflow':
      if (value & ~clearableOverflow(cpu.model.units)) return false;
      cpu.set64(State.counterOverflow, cpu.get64(State.counterOverflow) & ~value);
      return true;
    case 'truncate':
      return store(value & row.write.mask);
    case 'canonical':
      return isCanonical(cpu, value) && store(value);
    case 'fs-base':
    case 'gs-base':
      return isCanonical(cpu, value) && writeSegmentBase(cpu, row.write.kind === 'fs-base' ? Seg.fs : Seg.gs, value);
    case 'tsc':
      // The counter itself: in VMX non-root operation WRMSR knows no offset and no multiplier.
      cpu.set64(State.tscOffset, BigInt.asUintN(QUAD, value - BigInt(ports.clock.now())));
      return true;
    case 'efer':
      return writeEfer(cpu, value);
    case 'feature-control':
      return (cpu.get64(State.featureControl) & LOCK) === 0n && (value & ~FEATURE_CONTROL_WRITABLE) === 0n && store(value);
    case 'pat':
      return bytesOf(value).every((type) => PAT_TYPES.includes(type)) && store(value);
    case 'mtrr-def-type':
      return (value & ~MTRR_DEF_TYPE_WRITABLE) === 0n && MTRR_TYPES.includes(Number(value & 0xffn)) && store(value);
    case 'mtrr-base':
      return (value & 0xf00n) === 0n && withinPhysicalWidth(cpu, value) && MTRR_TYPES.includes(Number(value & 0xffn)) && store(value);
    case 'mtrr-mask':
      return (value & 0x7ffn) === 0n && withinPhysicalWidth(cpu, value) && store(value);
    case 'mtrr-fixed':
      return bytesOf(value).every((type) => MTRR_TYPES.includes(type)) && store(value);
    case 'misc-enable':
      return writeMiscEnable(cpu, value);
    case 'debugctl':
      // LBR has no effect that could be seen: there are no last-branch records. BTF counts when TF is set (cpu/branch-traps).
      return (value & ~DEBUGCTL_WRITABLE) === 0n && store(value);
    case 'local-apic':
      return ports.interrupts.writeApicBase(cpu.index, value);
  }
}

const TSC_DEADLINE = 0x6e0;
const isLocalApicMsr = (index: number): boolean => index === TSC_DEADLINE || index >>> 8 === 8;

/** The deadline is in ticks of this processor's counter, which software may have moved. */
function readLocalApic(cpu: Cpu, ports: CpuPorts, index: number): bigint | undefined {
  const value = ports.interrupts.readMsr(cpu.index, index);
  if (index !== TSC_DEADLINE || value === undefined || value === 0n) return value;
  return BigInt.asUintN(QUAD, value + cpu.get64(State.tscOffset));
}
function writeLocalApic(cpu: Cpu, ports: CpuPorts, index: number, value: bigint): boolean {
  if (index !== TSC_DEADLINE || value === 0n) return ports.interrupts.writeMsr(cpu.index, index, value);
  const tick = BigInt.asIntN(QUAD, value - cpu.get64(State.tscOffset));
  // A deadline that has passed already asks for its interrupt at once.
  return ports.interrupts.writeMsr(cpu.index, index, tick <= 0n ? 1n : tick);
}

const withinPhysicalWidth = (cpu: Cpu, value: bigint): boolean => value >> BigInt(cpu.model.maxPhyAddr) === 0n;

/** IA32_MISC_ENABLE: what the model has not keeps its value. Switching execute-disable off takes IA32_EFER.NXE with it. */
function writeMiscEnable(cpu: Cpu, value: bigint): true {
  let writable: bigint = MiscEnable.fastStrings | MiscEnable.limitCpuid;
  if (cpu.model.features.has('monitor')) writable |= MiscEnable.monitor;
  if (cpu.model.features.has('nx')) writable |= MiscEnable.executeDisableOff;
  const stored = (cpu.get64(State.miscEnable) & ~writable) | (value & writable);
  cpu.set64(State.miscEnable, stored);
  if (stored & MiscEnable.executeDisableOff && cpu.efer & Efer.NXE) {
    cpu.set64(State.efer, cpu.efer & ~Efer.NXE);
    cpu.mmu.flushAll(cpu);
    cpu.modeChanged();
  }
  return true;
}

function refuseNotModelled(cpu: Cpu, sentence: string): false {
  cpu.notModelled(sentence);
  return false;
}

const bytesOf = (value: bigint): number[] => Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(i * 8)) & 0xffn));

function writeSegmentBase(cpu: Cpu, segment: number, base: bigint): true {
  cpu.setSegment(segment, cpu.segmentSelector(segment), base, cpu.segmentLimit(segment), cpu.segmentAccess(segment));
  return true;
}

/** IA32_EFER: LMA is read-only, LME may not change while paging is on, NXE and SCE only where the model has them. */
function writeEfer(cpu: Cpu, value: bigint): boolean {
  let allowed = Efer.LME | Efer.LMA;
  if (cpu.model.features.has('syscall')) allowed |= Efer.SCE;
  if (cpu.model.features.has('nx') && !(cpu.get64(State.miscEnable) & MiscEnable.executeDisableOff)) allowed |= Efer.NXE;
  if (value & ~allowed) return false;
  const old = cpu.efer;
  if (cpu.cr0 & Cr0.PG && (value ^ old) & Efer.LME) return false;
  cpu.set64(State.efer, (value & ~Efer.LMA) | (old & Efer.LMA));
  if ((value ^ old) & Efer.NXE) cpu.mmu.flushAll(cpu);
  cpu.modeChanged();
  return true;
}

const rdmsr: SystemHandler = (cpu, insn, ports) => {
  if (insn.lock) return invalidOpcode(cpu);
  if (cpu.cpl !== 0) return generalProtection(cpu);
  const index = cpu.gpr32(RCX);
  if (cpu.vmxNonRoot && ports.vmx.intercept(cpu, { kind: 'rdmsr', index, length: insn.length })) return Outcome.exited;
  const value = (cpu.vmxNonRoot ? ports.vmx.readVirtualMsr(cpu, index) : undefined) ?? readMsr(cpu, ports, index);
  if (value === undefined) return generalProtection(cpu);
  cpu.setGpr(RAX, value & 0xffff_ffffn);
  cpu.setGpr(RDX, value >> 32n);
  return Outcome.next;
};

const wrmsr: SystemHandler = (cpu, insn, ports) => {
  if (insn.lock) return invalidOpcode(cpu);
  if (cpu.cpl !== 0) return generalProtection(cpu);
  const index = cpu.gpr32(RCX);
  const value = (BigInt(cpu.gpr32(RDX)) << 32n) | BigInt(cpu.gpr32(RAX));
  if (cpu.vmxNonRoot && ports.vmx.intercept(cpu, { kind: 'wrmsr', index, length: insn.length, value })) return Outcome.exited;
  const virtual = cpu.vmxNonRoot ? ports.vmx.writeVirtualMsr(cpu, index, value) : undefined;
  if (virtual !== undefined) return virtual === 'written' ? Outcome.next : generalProtection(cpu);
  if (writeMsr(cpu, ports, index, value)) return Outcome.next;
  return cpu.stop ? Outcome.stopped : generalProtection(cpu);
};

export const msrInstructions: Readonly<Record<string, SystemHandler>> = { RDMSR: rdmsr, WRMSR: wrmsr };
