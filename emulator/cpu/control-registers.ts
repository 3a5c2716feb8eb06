/**
 * MOV to and from control and debug registers, CLTS, LMSW, SMSW (SDM volume 3, "Control Registers", "Debug Registers"; volume 2, "MOV—Move
 * to/from Control Registers"). Not modelled: I/O breakpoints, CR4 bits of units that
 * are not built.
 */
import type { Instruction } from '../isa/instruction';
import { Ar } from '../spec/descriptors';
import { Cr0, CR0_DEFINED, Cr4, Dr6, DR6_FIXED, DR6_WRITABLE, DR7_FIXED, DR7_GD, DR7_WRITABLE, Efer, Interruptibility } from '../spec/registers'; // prettier-ignore
import type { CpuFeature } from '../spec/cpu-model';
import { Seg, State } from '../spec/vcpu-state';
import type { Cpu } from './cpu';
import { raiseDebug } from './faults';
import { generalProtection, invalidOpcode, type SystemHandler } from './handler';
import { effectiveAddress, readRm, uncheckedLinear, writeRm } from './operands';
import { Outcome } from './outcome';
import type { CpuPorts } from './ports';

const CR3_NO_FLUSH = 1n << 63n;

/** CR4 bits that every model here has. */
const CR4_ALWAYS = Cr4.VME | Cr4.PVI | Cr4.TSD | Cr4.DE | Cr4.PSE | Cr4.PAE | Cr4.MCE | Cr4.PGE | Cr4.PCE;
const CR4_BY_FEATURE: readonly (readonly [CpuFeature, bigint])[] = [
  ['vmx', Cr4.VMXE],
  ['smep', Cr4.SMEP],
  ['smap', Cr4.SMAP],
  ['pcid', Cr4.PCIDE],
  ['fsgsbase', Cr4.FSGSBASE],
  ['umip', Cr4.UMIP],
  ['pku', Cr4.PKE],
  ['la57', Cr4.LA57],
];
/** Bits that software for any 64-bit processor may set, although the units behind them are not built. */
const CR4_NOT_MODELLED = Cr4.OSFXSR | Cr4.OSXMMEXCPT | Cr4.OSXSAVE;

/** CR4 bits that may be set on this model; VM entry checks use it too. */
export function cr4Allowed(cpu: Cpu): bigint {
  let bits: bigint = CR4_ALWAYS;
  for (const [feature, bit] of CR4_BY_FEATURE) if (cpu.model.features.has(feature)) bits |= bit;
  return bits;
}

/** CR4 bits that software may find set, those of units that are not built among them. */
export const cr4Implemented = (cpu: Cpu): bigint => cr4Allowed(cpu) | CR4_NOT_MODELLED;

type Fixed = readonly [bigint, bigint] | undefined;
/** VMX operation fixes bits: those set in fixed0 must be 1, those clear in fixed1 must be 0. */
const violatesFixed = (fixed: Fixed, value: bigint): boolean =>
  fixed !== undefined && ((value & fixed[0]) !== fixed[0] || (value & ~fixed[1]) !== 0n);

/**
 * In non-root operation a bit owned by the host (guest/host mask) keeps its value. The mask shows in what the guest sees: a host-owned
 * bit reads the same whatever the register holds.
 */
function hostOwned(cpu: Cpu, visible: (cpu: Cpu, value: bigint) => bigint): bigint {
  const all = 0xffff_ffff_ffff_ffffn;
  return cpu.vmxNonRoot ? ~(visible(cpu, 0n) ^ visible(cpu, all)) & all : 0n;
}
const cr0HostOwned = (cpu: Cpu, ports: CpuPorts): bigint => hostOwned(cpu, (c, v) => ports.vmx.visibleCr0(c, v));
const cr4HostOwned = (cpu: Cpu, ports: CpuPorts): bigint => hostOwned(cpu, (c, v) => ports.vmx.visibleCr4(c, v));

/** Loads CR0 with every check of MOV to CR0. Outcome.next: done (TLB, IA32_EFER.LMA and mode follow). */
export function writeCr0(cpu: Cpu, ports: CpuPorts, value: bigint): Outcome {
  if (value >> 32n) return generalProtection(cpu);
  const old = cpu.cr0;
  const owned = cr0HostOwned(cpu, ports);
  const cr0 = (((value & ~owned) | (old & owned)) & CR0_DEFINED) | Cr0.ET;
  if (cr0 & Cr0.PG && !(cr0 & Cr0.PE)) return generalProtection(cpu);
  if (cr0 & Cr0.NW && !(cr0 & Cr0.CD)) return generalProtection(cpu);
  if (violatesFixed(ports.vmx.fixedCr0(cpu), cr0)) return generalProtection(cpu);
  const paging = (cr0 & Cr0.PG) !== 0n;
  const pagingChanges = ((cr0 ^ old) & Cr0.PG) !== 0n;
  const longMode = (cpu.efer & Efer.LME) !== 0n;
  const csLong = (cpu.segmentAccess(Seg.cs) & Ar.long) !== 0;
  if (pagingChanges && paging && longMode) {
    const trType = cpu.segmentAccess(Seg.tr) & Ar.type;
    if (!(cpu.cr4 & Cr4.PAE) || csLong || trType === 1 || trType === 3) return generalProtection(cpu);
  }
  if (pagingChanges && !paging && (cpu.code64 || cpu.cr4 & Cr4.PCIDE)) return generalProtection(cpu);
  if (paging && !longMode && cpu.cr4 & Cr4.PAE && (cr0 ^ old) & (Cr0.CD | Cr0.NW | Cr0.PG)) {
    const refused = loadPdptes(cpu, cpu.cr3);
    if (refused !== undefined) return refused;
  }
  cpu.set64(State.cr0, cr0);
  if (pagingChanges) {
    const efer = cpu.efer & ~Efer.LMA;
    cpu.set64(State.efer, paging && longMode ? efer | Efer.LMA : efer);
    cpu.mmu.flushAll(cpu);
  }
  cpu.modeChanged();
  if (pagingChanges) ports.observer.modeSwitch(cpu);
  return Outcome.next;
}

const paePaging = (cpu: Cpu, cr4: bigint): boolean => (cpu.cr0 & Cr0.PG) !== 0n && !cpu.longMode && (cr4 & Cr4.PAE) !== 0n;
/** Loads the PDPTE registers. Undefined: done; else the outcome of a refusal. */
function loadPdptes(cpu: Cpu, cr3: bigint): Outcome | undefined {
  const result = cpu.mmu.loadPdptes(cpu, cr3);
  if (result === 'loaded') return undefined;
  return result === 'pending' ? Outcome.pending : generalProtection(cpu);
}

/** Loads CR3: bits above the physical-address width must be 0; bit 63 asks for no flush when PCIDs are on. */
export function writeCr3(cpu: Cpu, value: bigint): Outcome {
  const pcids = (cpu.cr4 & Cr4.PCIDE) !== 0n;
  const cr3 = pcids ? value & ~CR3_NO_FLUSH : value;
  if (cpu.longMode && cr3 >> BigInt(cpu.model.maxPhyAddr)) return generalProtection(cpu);
  if (paePaging(cpu, cpu.cr4)) {
    const refused = loadPdptes(cpu, cr3);
    if (refused !== undefined) return refused;
  }
  cpu.set64(State.cr3, cr3);
  if (pcids && value & CR3_NO_FLUSH) cpu.modeChanged();
  else cpu.mmu.flushPcid(cpu, pcids ? Number(cr3 & 0xfffn) : 0);
  return Outcome.next;
}

/** Loads CR4 with every check of MOV to CR4. */
export function writeCr4(cpu: Cpu, ports: CpuPorts, value: bigint): Outcome {
  const old = cpu.cr4;
  const owned = cr4HostOwned(cpu, ports);
  const cr4 = (value & ~owned) | (old & owned);
  if (cr4 & ~cr4Implemented(cpu)) return generalProtection(cpu);
  const changed = cr4 ^ old;
  if (cpu.longMode && changed & (Cr4.PAE | Cr4.LA57)) return generalProtection(cpu);
  if (changed & cr4 & Cr4.PCIDE && (!cpu.longMode || cpu.cr3 & 0xfffn)) return generalProtection(cpu);
  if (violatesFixed(ports.vmx.fixedCr4(cpu), cr4)) return generalProtection(cpu);
  // "Protection of CR4.VMXE in SMM"
  if (cr4 & Cr4.VMXE && cpu.get32(State.interruptibility) & Interruptibility.blockingBySmi) return generalProtection(cpu);
  if (cr4 & CR4_NOT_MODELLED) return cpu.notModelled('SSE and XSAVE state: MOV to CR4 sets OSFXSR, OSXMMEXCPT or OSXSAVE');
  if (paePaging(cpu, cr4) && changed & (Cr4.PAE | Cr4.PGE | Cr4.PSE | Cr4.SMEP)) {
    const refused = loadPdptes(cpu, cpu.cr3);
    if (refused !== undefined) return refused;
  }
  cpu.set64(State.cr4, cr4);
  cpu.modeChanged();
  if (changed & (Cr4.PGE | Cr4.PAE | Cr4.PSE | Cr4.PCIDE | Cr4.SMEP)) cpu.mmu.flushAll(cpu);
  return Outcome.next;
}

/** CR8 is the task-priority register of the local APIC. */
function writeCr8(cpu: Cpu, ports: CpuPorts, value: bigint): Outcome {
  if (value >> 4n) return generalProtection(cpu);
  if (cpu.vmxNonRoot && ports.vmx.writeVirtualCr8(cpu, value)) return Outcome.next;
  ports.interrupts.writeCr8(cpu.index, Number(value));
  return Outcome.next;
}

const isControlRegister = (n: number): n is 0 | 2 | 3 | 4 | 8 => n === 0 || n === 2 || n === 3 || n === 4 || n === 8;
const registerSize = (cpu: Cpu): 4 | 8 => (cpu.code64 ? 8 : 4);

const movToCr: SystemHandler = (cpu, insn, ports) => {
  const cr = insn.reg;
  if (insn.lock || !isControlRegister(cr)) return invalidOpcode(cpu);
  if (cpu.cpl !== 0) return generalProtection(cpu);
  const value = cpu.gprSized(insn.rm, registerSize(cpu));
  if (cr === 2) {
    cpu.set64(State.cr2, value);
    return Outcome.next;
  }
  if (cpu.vmxNonRoot && ports.vmx.intercept(cpu, { kind: 'cr', cr, access: 'mov-to', register: insn.rm, value, length: insn.length }))
    return Outcome.exited;
  if (cr === 0) return writeCr0(cpu, ports, value);
  if (cr === 3) return writeCr3(cpu, value);
  return cr === 4 ? writeCr4(cpu, ports, value) : writeCr8(cpu, ports, value);
};

const movFromCr: SystemHandler = (cpu, insn, ports) => {
  const cr = insn.reg;
  if (insn.lock || !isControlRegister(cr)) return invalidOpcode(cpu);
  if (cpu.cpl !== 0) return generalProtection(cpu);
  let value: bigint;
  if (cr === 2) value = cpu.get64(State.cr2);
  else {
    if (
      cpu.vmxNonRoot &&
      ports.vmx.intercept(cpu, { kind: 'cr', cr, access: 'mov-from', register: insn.rm, value: 0n, length: insn.length })
    )
      return Outcome.exited;
    if (cr === 0) value = cpu.vmxNonRoot ? ports.vmx.visibleCr0(cpu, cpu.cr0) : cpu.cr0;
    else if (cr === 3) value = cpu.cr3;
    else if (cr === 4) value = cpu.vmxNonRoot ? ports.vmx.visibleCr4(cpu, cpu.cr4) : cpu.cr4;
    else value = (cpu.vmxNonRoot ? ports.vmx.readVirtualCr8(cpu) : undefined) ?? BigInt(ports.interrupts.readCr8(cpu.index));
  }
  const size = registerSize(cpu);
  cpu.setGprSized(insn.rm, size, BigInt.asUintN(size * 8, value));
  return Outcome.next;
};

const clts: SystemHandler = (cpu, insn, ports) => {
  if (insn.lock) return invalidOpcode(cpu);
  if (cpu.cpl !== 0) return generalProtection(cpu);
  if (cpu.vmxNonRoot && ports.vmx.intercept(cpu, { kind: 'cr', cr: 0, access: 'clts', register: 0, value: 0n, length: insn.length }))
    return Outcome.exited;
  cpu.set64(State.cr0, cpu.cr0 & ~(Cr0.TS & ~cr0HostOwned(cpu, ports)));
  cpu.modeChanged();
  return Outcome.next;
};

const lmsw: SystemHandler = (cpu, insn, ports) => {
  if (insn.lock) return invalidOpcode(cpu);
  if (cpu.cpl !== 0) return generalProtection(cpu);
  const source = readRm(cpu, insn, 2);
  if (source === undefined) return Outcome.pending;
  const linear = insn.rm >= 0 ? undefined : uncheckedLinear(cpu, insn.segment, effectiveAddress(cpu, insn));
  if (
    cpu.vmxNonRoot &&
    ports.vmx.intercept(cpu, { kind: 'cr', cr: 0, access: 'lmsw', register: insn.rm, value: source, length: insn.length, linear })
  )
    // prettier-ignore
    return Outcome.exited;
  // PE can be set but not cleared; bits 3:1 are copied.
  const value = (cpu.cr0 & ~0xen) | (source & 0xfn);
  return writeCr0(cpu, ports, value);
};

const smsw: SystemHandler = (cpu, insn, ports) => {
  if (insn.lock) return invalidOpcode(cpu);
  if (cpu.cr4 & Cr4.UMIP && cpu.cpl > 0) return generalProtection(cpu);
  const cr0 = cpu.vmxNonRoot ? ports.vmx.visibleCr0(cpu, cpu.cr0) : cpu.cr0;
  return writeRm(cpu, insn, insn.rm >= 0 ? insn.operandSize : 2, cr0) ? Outcome.next : Outcome.pending;
};

/** Opening checks of MOV DR. A number is the register meant (4 and 5 are 6 and 7), an object the outcome of a refusal. */
function debugRegister(cpu: Cpu, insn: Instruction, ports: CpuPorts, toDr: boolean): number | { readonly outcome: Outcome } {
  if (insn.lock || insn.reg > 7) return { outcome: invalidOpcode(cpu) };
  // This exit takes priority over the privilege check and the CR4.DE check ("Relative Priority of Faults and VM Exits").
  if (cpu.vmxNonRoot && ports.vmx.intercept(cpu, { kind: 'dr', dr: insn.reg, toDr, register: insn.rm, length: insn.length }))
    return { outcome: Outcome.exited };
  const alias = insn.reg === 4 || insn.reg === 5;
  if (alias && cpu.cr4 & Cr4.DE) return { outcome: invalidOpcode(cpu) };
  if (cpu.cpl !== 0) return { outcome: generalProtection(cpu) };
  if (cpu.get64(State.dr + 56) & DR7_GD) return { outcome: raiseDebug(cpu, Dr6.BD) };
  return alias ? insn.reg + 2 : insn.reg;
}

/** Whether an enabled breakpoint is on ports (R/W = 2). */
const hasIoBreakpoint = (dr7: bigint): boolean =>
  [0n, 1n, 2n, 3n].some((n) => (dr7 >> (2n * n)) & 3n && ((dr7 >> (16n + 4n * n)) & 3n) === 2n);

const movToDr: SystemHandler = (cpu, insn, ports) => {
  const dr = debugRegister(cpu, insn, ports, true);
  if (typeof dr !== 'number') return dr.outcome;
  const value = cpu.gprSized(insn.rm, registerSize(cpu));
  if (dr >= 6 && value >> 32n) return generalProtection(cpu);
  if (dr === 7 && cpu.cr4 & Cr4.DE && hasIoBreakpoint(value)) return cpu.notModelled('I/O breakpoints: MOV to DR7 enables one');
  const stored = dr === 6 ? (value & DR6_WRITABLE) | DR6_FIXED : dr === 7 ? (value & DR7_WRITABLE) | DR7_FIXED : value;
  cpu.set64(State.dr + dr * 8, stored);
  return Outcome.next;
};

const movFromDr: SystemHandler = (cpu, insn, ports) => {
  const dr = debugRegister(cpu, insn, ports, false);
  if (typeof dr !== 'number') return dr.outcome;
  const size = registerSize(cpu);
  cpu.setGprSized(insn.rm, size, BigInt.asUintN(size * 8, cpu.get64(State.dr + dr * 8)));
  return Outcome.next;
};

export const controlRegisterInstructions: Readonly<Record<string, SystemHandler>> = {
  MOV_TO_CR: movToCr,
  MOV_FROM_CR: movFromCr,
  MOV_TO_DR: movToDr,
  MOV_FROM_DR: movFromDr,
  CLTS: clts,
  LMSW: lmsw,
  SMSW: smsw,
};
