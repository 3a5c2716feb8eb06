/**
 * System-management mode (SDM volume 3, "System Management Mode"): delivery of an SMI, the state save area, RSM. Blocking by SMI in
 * State.interruptibility says that the processor is in SMM. What the manual leaves to the processor ("reserved" in the save map: descriptor
 * caches, table limits, blocking of events) is kept inside, in the vCPU's state, and not in SMRAM.
 * Not modelled: the dual-monitor treatment, restart of string I/O, SMRAM ranges of a chipset (SMRAM is ordinary memory).
 */
import { readPhysical, writePhysical } from '../mmu/physical-access';
import { Activity, Cr0, Cr4, DR6_FIXED, DR7_FIXED, Efer, Interruptibility } from '../spec/registers';
import { AUTO_HALT, ioMisc, IoType, RESTART_IO, SAVED_GPRS, SAVED_SELECTORS, SaveArea, SMM_ENTRY, SMM_REVISION } from '../spec/smram';
import { Flag, GPR_NAMES, SEGMENT_NAMES, SEGMENT_STRIDE, Seg, SegmentState, State } from '../spec/vcpu-state';
import type { Instruction } from '../isa/instruction';
import { cr4Implemented } from './control-registers';
import type { Cpu } from './cpu';
import { invalidOpcode, type SystemHandler } from './handler';
import { uncheckedLinear } from './operands';
import { Outcome } from './outcome';
import type { CpuPorts } from './ports';

const FLAGS = 2;
const FULL_LIMIT = 0xffff_ffff;
/** Access rights: present, accessed, G; writable data and readable code. */
const DATA = 0x8093;
const CODE = 0x809b;
const RDX = 2;
const RSI = 6;
const RDI = 7;
const STRING_IO = 2 << 4;

export const inSmm = (cpu: Cpu): boolean => (cpu.get32(State.interruptibility) & Interruptibility.blockingBySmi) !== 0;

class Smram {
  private readonly base: number;
  constructor(private readonly cpu: Cpu) {
    this.base = cpu.get32(State.smbase) + SMM_ENTRY;
  }
  read(offset: number, size: number): bigint {
    return readPhysical(this.cpu.memory, this.cpu.index, this.base + offset, size);
  }
  write(offset: number, size: number, value: bigint | number): void {
    writePhysical(this.cpu.memory, this.cpu.index, this.base + offset, size, BigInt(value));
  }
  readHalves(low: number, high: number): bigint {
    return this.read(low, 4) | (this.read(high, 4) << 32n);
  }
  writeHalves(low: number, high: number, value: bigint): void {
    this.write(low, 4, value & 0xffff_ffffn);
    this.write(high, 4, value >> 32n);
  }
}

/** What the state table keeps inside the processor: from where, to where, bytes (multiples of 8). */
const INSIDE: readonly (readonly [from: number, to: number, bytes: number])[] = [
  [State.segment, State.smmSegments, SEGMENT_STRIDE * SEGMENT_NAMES.length],
  [State.gdtrLimit, State.smmLimits, 8],
  [State.pdpte, State.smmPdptes, 32],
];

/** An I/O instruction has been carried out behind which an SMI waits that was not there before: the save area will name it. */
export function noteIoBeforeSmi(cpu: Cpu, insn: Instruction): void {
  const input = insn.system === 'IN' || insn.system === 'INS';
  const string = insn.system === 'INS' || insn.system === 'OUTS';
  const immediate = !string && (insn.opcode & 0xff) < 0xe8;
  const bytes = insn.opcode & 1 ? (insn.operandSize === 2 ? 2 : 4) : 1;
  const port = immediate ? Number(insn.immediate & 0xffn) : cpu.gpr32(RDX) & 0xffff;
  let type: number = immediate ? IoType.outImmediate : IoType.outDx;
  if (string) type = insn.rep !== 0 ? IoType.repOuts : IoType.outs;
  cpu.set32(State.smiIo, ioMisc(bytes, type | (input ? 1 : 0), port));
  cpu.set64(State.smiIoRip, cpu.rip);
  if (!string) return;
  // The index register has moved on.
  const register = input ? RDI : RSI;
  const moved = BigInt(cpu.flag(Flag.DF) ? bytes : -bytes);
  const offset = BigInt.asUintN(insn.addressSize * 8, cpu.gprSized(register, insn.addressSize) + moved);
  cpu.set64(State.smiIoAddress, uncheckedLinear(cpu, input ? Seg.es : insn.segment, offset));
}

/** Delivers an SMI: the state goes to SMRAM, the handler begins at SMBASE + 8000H. */
export function enterSmm(cpu: Cpu, ports: CpuPorts): void {
  const ept = cpu.vmxNonRoot ? cpu.getF64(State.eptPointer) : 0;
  cpu.set32(State.smmInterruptibility, cpu.get32(State.interruptibility));
  cpu.set32(State.smmActivity, cpu.get32(State.activity));
  cpu.set32(State.smmPendingDebug, cpu.get32(State.pendingDebug));
  cpu.set32(State.smmCpl, cpu.cpl);
  cpu.set32(State.smmVirtual8086, cpu.flags & Flag.VM);
  cpu.set32(State.smmVmxe, Number(cpu.cr4 & Cr4.VMXE));
  ports.vmx.enterSmm(cpu);
  for (const [from, to, bytes] of INSIDE) for (let at = 0; at < bytes; at += 8) cpu.set64(to + at, cpu.get64(from + at));
  cpu.set64(State.cr4, cpu.cr4 & ~Cr4.VMXE);
  saveState(cpu, ept);
  cpu.set32(State.interruptibility, Interruptibility.blockingBySmi | Interruptibility.blockingByNmi);
  cpu.set32(State.activity, Activity.active);
  cpu.set32(State.pendingDebug, 0);

  // "Initial SMM Execution Environment"
  cpu.flags = FLAGS;
  cpu.rip = BigInt(SMM_ENTRY);
  const smbase = cpu.get32(State.smbase);
  cpu.setSegment(Seg.cs, (smbase >>> 4) & 0xffff, BigInt(smbase), FULL_LIMIT, CODE);
  for (const n of [Seg.ds, Seg.es, Seg.fs, Seg.gs, Seg.ss]) cpu.setSegment(n, 0, 0n, FULL_LIMIT, DATA);
  cpu.setCpl(0);
  cpu.set64(State.cr0, cpu.cr0 & ~(Cr0.PE | Cr0.EM | Cr0.TS | Cr0.PG));
  cpu.set64(State.cr4, 0n);
  cpu.set64(State.efer, 0n);
  cpu.set64(State.dr + 56, DR7_FIXED);
  cpu.mmu.flushAll(cpu);
  ports.observer.modeSwitch(cpu);
}

function saveState(cpu: Cpu, ept: number): void {
  const area = new Smram(cpu);
  area.write(SaveArea.cr0, 8, cpu.cr0);
  area.write(SaveArea.cr3, 8, cpu.cr3);
  area.write(SaveArea.cr4, 8, cpu.cr4);
  area.write(SaveArea.efer, 8, cpu.efer);
  area.write(SaveArea.rflags, 8, cpu.flags >>> 0);
  area.write(SaveArea.rip, 8, cpu.rip);
  area.write(SaveArea.dr6, 8, cpu.get64(State.dr + 48));
  area.write(SaveArea.dr7, 8, cpu.get64(State.dr + 56));
  SAVED_GPRS.forEach((offset, n) => area.write(offset, 8, cpu.gpr(n)));
  for (const [segment, offset] of SAVED_SELECTORS) area.write(offset, 4, cpu.segmentSelector(segment));
  area.writeHalves(SaveArea.gdtBaseLow, SaveArea.gdtBaseHigh, cpu.get64(State.gdtrBase));
  area.writeHalves(SaveArea.idtBaseLow, SaveArea.idtBaseHigh, cpu.get64(State.idtrBase));
  area.writeHalves(SaveArea.ldtBaseLow, SaveArea.ldtBaseHigh, cpu.segmentBase(Seg.ldtr));
  area.write(SaveArea.eptEnabled, 8, ept === 0 ? 0 : 1);
  area.write(SaveArea.eptPointer, 8, BigInt(ept));
  area.write(SaveArea.ioMisc, 4, cpu.get32(State.smiIo));
  area.write(SaveArea.ioRip, 8, cpu.get64(State.smiIoRip));
  area.write(SaveArea.ioMemoryAddress, 8, cpu.get64(State.smiIoAddress));
  area.write(SaveArea.autoHalt, 2, cpu.get32(State.activity) === Activity.hlt ? AUTO_HALT : 0);
  area.write(SaveArea.ioRestart, 2, 0);
  area.write(SaveArea.revision, 4, SMM_REVISION);
  area.write(SaveArea.smbase, 4, cpu.get32(State.smbase));
}

/** "Resuming from System Management Mode": values with which RSM enters the shutdown state. */
function isInvalid(cpu: Cpu, cr0: bigint, cr4: bigint, efer: bigint): boolean {
  if (cr0 >> 32n !== 0n || (cr0 & Cr0.PG && !(cr0 & Cr0.PE)) || (cr0 & Cr0.NW && !(cr0 & Cr0.CD))) return true;
  // CR4.VMXE too: the bit goes by what the processor keeps inside.
  if (cr4 & ~cr4Implemented(cpu) || cr4 & Cr4.VMXE) return true;
  const longMode = (efer & Efer.LMA) !== 0n;
  if (longMode !== (efer & Efer.LME && cr0 & Cr0.PG ? true : false)) return true;
  if (longMode && !(cr4 & Cr4.PAE)) return true;
  if (cr4 & Cr4.PCIDE && !longMode) return true;
  return (efer & ~(Efer.SCE | Efer.LME | Efer.LMA | Efer.NXE)) !== 0n;
}

const rsm: SystemHandler = (cpu, insn, ports) => {
  if (insn.lock || !inSmm(cpu)) return invalidOpcode(cpu);
  const area = new Smram(cpu);
  const cr0 = area.read(SaveArea.cr0, 8);
  const cr4 = area.read(SaveArea.cr4, 8);
  const efer = area.read(SaveArea.efer, 8);
  if (isInvalid(cpu, cr0, cr4, efer)) {
    cpu.set32(State.activity, Activity.shutdown);
    return Outcome.next;
  }
  const restartsIo = area.read(SaveArea.ioRestart, 1) === BigInt(RESTART_IO) && cpu.get32(State.smiIo) !== 0;
  if (restartsIo && cpu.get32(State.smiIo) & STRING_IO) return cpu.notModelled('restart of a string I/O instruction by RSM');
  const inside = cpu.get32(State.smmInterruptibility);

  for (const [from, to, bytes] of INSIDE) for (let at = 0; at < bytes; at += 8) cpu.set64(from + at, cpu.get64(to + at));
  for (const [segment, offset] of SAVED_SELECTORS)
    cpu.set32(State.segment + segment * SEGMENT_STRIDE + SegmentState.selector, Number(area.read(offset, 2)));
  cpu.set64(State.gdtrBase, area.readHalves(SaveArea.gdtBaseLow, SaveArea.gdtBaseHigh));
  cpu.set64(State.idtrBase, area.readHalves(SaveArea.idtBaseLow, SaveArea.idtBaseHigh));
  SAVED_GPRS.slice(0, GPR_NAMES.length).forEach((offset, n) => cpu.setGpr(n, area.read(offset, 8)));
  cpu.set64(State.cr0, cr0 | Cr0.ET);
  cpu.set64(State.cr3, area.read(SaveArea.cr3, 8));
  cpu.set64(State.cr4, cr4 | BigInt(cpu.get32(State.smmVmxe)));
  cpu.set64(State.efer, efer);
  cpu.set64(State.dr + 48, area.read(SaveArea.dr6, 8) | DR6_FIXED);
  cpu.set64(State.dr + 56, area.read(SaveArea.dr7, 8) | DR7_FIXED);
  cpu.flags = Number(area.read(SaveArea.rflags, 4));
  cpu.rip = restartsIo ? cpu.get64(State.smiIoRip) : area.read(SaveArea.rip, 8);
  cpu.setCpl(cpu.get32(State.smmCpl));
  // "SMBASE Relocation": the new base counts from the next SMI on.
  cpu.set32(State.smbase, Number(area.read(SaveArea.smbase, 4)));
  const halted = cpu.get32(State.smmActivity) === Activity.hlt;
  const staysHalted = (area.read(SaveArea.autoHalt, 2) & BigInt(AUTO_HALT)) !== 0n;
  cpu.set32(State.activity, halted && !staysHalted ? Activity.active : cpu.get32(State.smmActivity));
  cpu.set32(State.interruptibility, inside);
  cpu.set32(State.pendingDebug, cpu.get32(State.smmPendingDebug));
  if (ports.vmx.leaveSmm(cpu)) returnToVmx(cpu, ports);
  forget(cpu);
  cpu.mmu.flushAll(cpu);
  ports.observer.modeSwitch(cpu);
  return Outcome.jumped;
};

/** VMX-critical state beyond what vmx/ keeps, and the bits that VMX operation fixes. */
function returnToVmx(cpu: Cpu, ports: CpuPorts): void {
  cpu.flags = (cpu.flags & ~Flag.VM) | cpu.get32(State.smmVirtual8086);
  const cr0 = ports.vmx.fixedCr0(cpu);
  const cr4 = ports.vmx.fixedCr4(cpu);
  if (cr0) cpu.set64(State.cr0, (cpu.cr0 | cr0[0]) & cr0[1]);
  if (cr4) cpu.set64(State.cr4, (cpu.cr4 | cr4[0]) & cr4[1]);
}

/** The store inside the processor holds nothing outside system-management mode. */
function forget(cpu: Cpu): void {
  for (const [, to, bytes] of INSIDE) for (let at = 0; at < bytes; at += 8) cpu.set64(to + at, 0n);
  const { smmInterruptibility, smmActivity, smmPendingDebug, smmCpl, smmVirtual8086, smmVmxe, smiIo } = State;
  for (const slot of [smmInterruptibility, smmActivity, smmPendingDebug, smmCpl, smmVirtual8086, smmVmxe, smiIo]) cpu.set32(slot, 0);
  cpu.set64(State.smiIoRip, 0n);
  cpu.set64(State.smiIoAddress, 0n);
}

export const systemManagementInstructions: Readonly<Record<string, SystemHandler>> = { RSM: rsm };
