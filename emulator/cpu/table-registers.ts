/** LGDT, LIDT, SGDT, SIDT, LLDT, SLDT, LTR, STR (SDM volume 2), with the VM-exit instruction information that they report. */
import type { Instruction } from '../isa/instruction';
import { Ar, baseOf, limitOf, selectorError, SystemType } from '../spec/descriptors';
import { Cr4, Vector } from '../spec/registers';
import { Seg, State } from '../spec/vcpu-state';
import type { Cpu } from './cpu';
import { displacementQualification, memoryInformation } from './exit-information';
import { generalProtection, invalidOpcode, type SystemHandler } from './handler';
import { isCanonical, operandLinear, readRm, writeSelectorRm } from './operands';
import { Outcome } from './outcome';
import { protectedOnly } from './processor-mode';
import type { CpuPorts } from './ports';
import type { Descriptor } from './segmentation';
import { fetchDescriptor, IMPLICIT_WRITE, isNull, setNull } from './segmentation';

type TableInstruction = 'SGDT' | 'SIDT' | 'LGDT' | 'LIDT' | 'SLDT' | 'STR' | 'LLDT' | 'LTR';
/** Bits 29:28 of the instruction information ("Format of the VM-Exit Instruction-Information Field"). */
const IDENTITY: Readonly<Record<TableInstruction, number>> = { SGDT: 0, SIDT: 1, LGDT: 2, LIDT: 3, SLDT: 0, STR: 1, LLDT: 2, LTR: 3 };

function instructionInformation(cpu: Cpu, insn: Instruction, name: TableInstruction): number {
  const identity = IDENTITY[name] << 28;
  if (insn.rm >= 0) return identity | (1 << 10) | (insn.rm << 3);
  const isTable = name === 'SGDT' || name === 'SIDT' || name === 'LGDT' || name === 'LIDT';
  const operandSize = isTable && !cpu.code64 && insn.operandSize !== 2 ? 1 << 11 : 0;
  return identity | operandSize | memoryInformation(insn);
}

function exits(cpu: Cpu, insn: Instruction, ports: CpuPorts, name: TableInstruction): boolean {
  if (!cpu.vmxNonRoot) return false;
  const displacement = displacementQualification(cpu, insn);
  const information = instructionInformation(cpu, insn, name);
  return ports.vmx.intercept(cpu, { kind: 'descriptor-table', name, length: insn.length, information, displacement });
}

const storesTable =
  (name: 'SGDT' | 'SIDT', baseSlot: number, limitSlot: number): SystemHandler =>
  (cpu, insn, ports) => {
    if (insn.lock || insn.rm >= 0) return invalidOpcode(cpu);
    if (cpu.cr4 & Cr4.UMIP && cpu.cpl > 0) return generalProtection(cpu);
    if (exits(cpu, insn, ports, name)) return Outcome.exited;
    const size = cpu.code64 ? 8 : 4;
    const linear = operandLinear(cpu, insn, size + 2, true);
    if (linear === undefined) return Outcome.pending;
    const second = BigInt.asUintN(cpu.code64 ? 64 : 32, linear + 2n);
    if (!cpu.probeWrite(second, size)) return Outcome.pending;
    if (!cpu.storeLinear(linear, 2, BigInt(cpu.get32(limitSlot) & 0xffff))) return Outcome.pending;
    return cpu.storeLinear(second, size, BigInt.asUintN(size * 8, cpu.get64(baseSlot))) ? Outcome.next : Outcome.pending;
  };

const loadsTable =
  (name: 'LGDT' | 'LIDT', baseSlot: number, limitSlot: number): SystemHandler =>
  (cpu, insn, ports) => {
    if (insn.lock || insn.rm >= 0) return invalidOpcode(cpu);
    if (cpu.cpl !== 0) return generalProtection(cpu);
    if (exits(cpu, insn, ports, name)) return Outcome.exited;
    const size = cpu.code64 ? 8 : 4;
    const linear = operandLinear(cpu, insn, size + 2, false);
    if (linear === undefined) return Outcome.pending;
    const limit = cpu.loadLinear(linear, 2);
    const base = limit === undefined ? undefined : cpu.loadLinear(BigInt.asUintN(cpu.code64 ? 64 : 32, linear + 2n), size);
    if (limit === undefined || base === undefined) return Outcome.pending;
    if (cpu.code64 && !isCanonical(cpu, base)) return generalProtection(cpu);
    // The 16-bit operand size loads a 24-bit base.
    cpu.set64(baseSlot, !cpu.code64 && insn.operandSize === 2 ? base & 0xff_ffffn : base);
    cpu.set32(limitSlot, Number(limit));
    return Outcome.next;
  };

const storesSelector =
  (name: 'SLDT' | 'STR', segment: number): SystemHandler =>
  (cpu, insn, ports) => {
    if (insn.lock) return invalidOpcode(cpu);
    if (cpu.cr4 & Cr4.UMIP && cpu.cpl > 0) return generalProtection(cpu);
    if (exits(cpu, insn, ports, name)) return Outcome.exited;
    return writeSelectorRm(cpu, insn, cpu.segmentSelector(segment)) ? Outcome.next : Outcome.pending;
  };

/** Base of a system descriptor: 64 bits in IA-32e mode, where it must be canonical and the fourth word's type 0. Undefined: #GP is pending. */
function systemBase(cpu: Cpu, d: Descriptor): bigint | undefined {
  const base = (BigInt(d.upperBase) << 32n) | BigInt(baseOf(d.raw));
  if ((d.upperWord >>> 8) & 0x1f || !isCanonical(cpu, base)) {
    generalProtection(cpu, selectorError(d.selector));
    return undefined;
  }
  return base;
}

const lldt: SystemHandler = (cpu, insn, ports) => {
  if (insn.lock) return invalidOpcode(cpu);
  if (cpu.cpl !== 0) return generalProtection(cpu);
  if (exits(cpu, insn, ports, 'LLDT')) return Outcome.exited;
  const operand = readRm(cpu, insn, 2);
  if (operand === undefined) return Outcome.pending;
  const selector = Number(operand);
  if (isNull(selector)) {
    setNull(cpu, Seg.ldtr, selector);
    return Outcome.next;
  }
  if (selector & 4) return generalProtection(cpu, selectorError(selector));
  const d = fetchDescriptor(cpu, selector, Vector.GP, 0, cpu.longMode ? 16 : 8);
  if (!d) return Outcome.pending;
  if ((d.access & (Ar.notSystem | Ar.type)) !== SystemType.ldt) return generalProtection(cpu, selectorError(selector));
  if (!(d.access & Ar.present)) return cpu.raise(Vector.NP, selectorError(selector));
  const base = systemBase(cpu, d);
  if (base === undefined) return Outcome.pending;
  cpu.setSegment(Seg.ldtr, selector, base, limitOf(d.raw), d.access);
  return Outcome.next;
};

const ltr: SystemHandler = (cpu, insn, ports) => {
  if (insn.lock) return invalidOpcode(cpu);
  if (cpu.cpl !== 0) return generalProtection(cpu);
  if (exits(cpu, insn, ports, 'LTR')) return Outcome.exited;
  const operand = readRm(cpu, insn, 2);
  if (operand === undefined) return Outcome.pending;
  const selector = Number(operand);
  if (isNull(selector)) return generalProtection(cpu);
  if (selector & 4) return generalProtection(cpu, selectorError(selector));
  const d = fetchDescriptor(cpu, selector, Vector.GP, 0, cpu.longMode ? 16 : 8);
  if (!d) return Outcome.pending;
  const type = d.access & (Ar.notSystem | Ar.type);
  const available = type === SystemType.tssAvailable || (!cpu.longMode && type === SystemType.tss16Available);
  if (!available) return generalProtection(cpu, selectorError(selector));
  if (!(d.access & Ar.present)) return cpu.raise(Vector.NP, selectorError(selector));
  const base = systemBase(cpu, d);
  if (base === undefined) return Outcome.pending;
  const busy = d.access | 2;
  if (!cpu.storeLinear(d.linear + 5n, 1, BigInt(busy & 0xff), IMPLICIT_WRITE)) return Outcome.pending;
  cpu.setSegment(Seg.tr, selector, base, limitOf(d.raw), busy);
  return Outcome.next;
};

export const tableRegisterInstructions: Readonly<Record<string, SystemHandler>> = {
  SGDT: storesTable('SGDT', State.gdtrBase, State.gdtrLimit),
  SIDT: storesTable('SIDT', State.idtrBase, State.idtrLimit),
  LGDT: loadsTable('LGDT', State.gdtrBase, State.gdtrLimit),
  LIDT: loadsTable('LIDT', State.idtrBase, State.idtrLimit),
  ...protectedOnly({
    SLDT: storesSelector('SLDT', Seg.ldtr),
    STR: storesSelector('STR', Seg.tr),
    LLDT: lldt,
    LTR: ltr,
  }),
};
