/** MOV, PUSH and POP of segment registers, far-pointer loads, LAR, LSL, VERR, VERW, ARPL (SDM volume 2). */
import { Ar, dplOf, isCode, isConformingCode, isData, isWritableData, limitOf } from '../spec/descriptors';
import { Interruptibility } from '../spec/registers';
import { Flag, Seg, State } from '../spec/vcpu-state';
import type { Cpu } from './cpu';
import { invalidOpcode, type SystemHandler } from './handler';
import { operandLinear, readRm, writeRm, writeSelectorRm } from './operands';
import { Outcome } from './outcome';
import { protectedOnly } from './processor-mode';
import type { Descriptor } from './segmentation';
import { isNull, loadSegmentRegister, readDescriptor } from './segmentation';
import { commitStack, currentStack, popFrame, pushFrame, setStackPointer } from './stack';

/** "MOV SS" and "POP SS" hold off events until after the next instruction; any other load ends a blocking that it stood in. */
function setMovSsBlocking(cpu: Cpu, segment: number): void {
  const kept = cpu.get32(State.interruptibility) & ~(Interruptibility.blockingBySti | Interruptibility.blockingByMovSs);
  cpu.set32(State.interruptibility, segment === Seg.ss ? kept | Interruptibility.blockingByMovSs : kept);
}

const movToSreg: SystemHandler = (cpu, insn) => {
  const segment = insn.reg & 7;
  if (insn.lock || segment === Seg.cs || segment > Seg.gs) return invalidOpcode(cpu);
  const selector = readRm(cpu, insn, 2);
  if (selector === undefined || !loadSegmentRegister(cpu, segment, Number(selector))) return Outcome.pending;
  setMovSsBlocking(cpu, segment);
  cpu.modeChanged();
  return Outcome.next;
};

const movFromSreg: SystemHandler = (cpu, insn) => {
  const segment = insn.reg & 7;
  if (insn.lock || segment > Seg.gs) return invalidOpcode(cpu);
  return writeSelectorRm(cpu, insn, cpu.segmentSelector(segment)) ? Outcome.next : Outcome.pending;
};

/** 06, 0E, 16, 1E and 0F A0, 0F A8 (POP: one more) hold the segment register in bits 5:3. */
const segmentOfOpcode = (opcode: number): number => (opcode >> 3) & 7;

const pushSreg: SystemHandler = (cpu, insn) => {
  if (insn.lock) return invalidOpcode(cpu);
  const stack = currentStack(cpu);
  const size = insn.operandSize;
  // "PUSH": with a 32-bit operand size recent processors write 16 bits only; the 64-bit form zero-extends.
  const slot = { size, value: BigInt(cpu.segmentSelector(segmentOfOpcode(insn.opcode))), written: size === 4 ? 2 : size };
  if (!pushFrame(cpu, stack, [slot])) return Outcome.pending;
  commitStack(cpu, stack);
  return Outcome.next;
};

const popSreg: SystemHandler = (cpu, insn) => {
  if (insn.lock) return invalidOpcode(cpu);
  const segment = segmentOfOpcode(insn.opcode);
  const stack = currentStack(cpu);
  const frame = popFrame(cpu, stack, insn.operandSize, 1);
  if (!frame || !loadSegmentRegister(cpu, segment, Number(frame[0] & 0xffffn))) return Outcome.pending;
  setStackPointer(cpu, stack.sp, stack.bits);
  setMovSsBlocking(cpu, segment);
  cpu.modeChanged();
  return Outcome.next;
};

const farPointerSegment: Readonly<Record<string, number>> = { LES: Seg.es, LDS: Seg.ds, LSS: Seg.ss, LFS: Seg.fs, LGS: Seg.gs };

const loadFarPointer: SystemHandler = (cpu, insn) => {
  if (insn.lock || insn.rm >= 0) return invalidOpcode(cpu);
  const segment = farPointerSegment[insn.mnemonic];
  const size = insn.operandSize === 2 ? 2 : insn.operandSize === 8 ? 8 : 4;
  const linear = operandLinear(cpu, insn, size + 2, false);
  if (linear === undefined) return Outcome.pending;
  const offset = cpu.loadLinear(linear, size);
  if (offset === undefined) return Outcome.pending;
  const selector = cpu.loadLinear(BigInt.asUintN(cpu.code64 ? 64 : 32, linear + BigInt(size)), 2);
  if (selector === undefined || !loadSegmentRegister(cpu, segment, Number(selector))) return Outcome.pending;
  cpu.setGprSized(insn.reg, size, offset);
  // LSS holds nothing off.
  setMovSsBlocking(cpu, -1);
  cpu.modeChanged();
  return Outcome.next;
};

/** System types that LAR and LSL accept, outside and in IA-32e mode. */
const LAR_TYPES = { legacy: [1, 2, 3, 4, 5, 9, 11, 12], long: [2, 9, 11, 12] } as const;
const LSL_TYPES = { legacy: [1, 2, 3, 9, 11], long: [2, 9, 11] } as const;
interface TypeLists {
  readonly legacy: readonly number[];
  readonly long: readonly number[];
}

/** The descriptor that LAR, LSL, VERR or VERW may show; 'invisible' clears ZF; undefined: a fault is pending. */
function visibleDescriptor(cpu: Cpu, selector: number, systemTypes: TypeLists | undefined): Descriptor | 'invisible' | undefined {
  if (isNull(selector)) return 'invisible';
  const d = readDescriptor(cpu, selector);
  if (d === undefined) return undefined;
  if (d === 'outside') return 'invisible';
  if (!(d.access & Ar.notSystem)) {
    const types = systemTypes && (cpu.longMode ? systemTypes.long : systemTypes.legacy);
    if (!types?.includes(d.access & Ar.type)) return 'invisible';
  }
  const dpl = dplOf(d.access);
  if (!isConformingCode(d.access) && (cpu.cpl > dpl || (selector & 3) > dpl)) return 'invisible';
  return d;
}

const larOrLsl =
  (types: TypeLists, valueOf: (d: Descriptor) => number): SystemHandler =>
  (cpu, insn) => {
    if (insn.lock) return invalidOpcode(cpu);
    const selector = readRm(cpu, insn, 2);
    if (selector === undefined) return Outcome.pending;
    const d = visibleDescriptor(cpu, Number(selector), types);
    if (d === undefined) return Outcome.pending;
    if (d !== 'invisible') cpu.setGprSized(insn.reg, insn.operandSize, BigInt.asUintN(insn.operandSize * 8, BigInt(valueOf(d) >>> 0)));
    cpu.setFlag(Flag.ZF, d !== 'invisible');
    return Outcome.next;
  };

const verify =
  (allows: (access: number) => boolean): SystemHandler =>
  (cpu, insn) => {
    if (insn.lock) return invalidOpcode(cpu);
    const selector = readRm(cpu, insn, 2);
    if (selector === undefined) return Outcome.pending;
    const d = visibleDescriptor(cpu, Number(selector), undefined);
    if (d === undefined) return Outcome.pending;
    cpu.setFlag(Flag.ZF, d !== 'invisible' && allows(d.access));
    return Outcome.next;
  };

const arpl: SystemHandler = (cpu, insn) => {
  if (insn.lock || cpu.code64) return invalidOpcode(cpu);
  const destination = readRm(cpu, insn, 2);
  if (destination === undefined) return Outcome.pending;
  const rpl = cpu.gprSized(insn.reg, 2) & 3n;
  const raises = (destination & 3n) < rpl;
  // The destination is written only when its RPL is raised, but must be writable all the same.
  if (!writeRm(cpu, insn, 2, raises ? (destination & ~3n) | rpl : destination)) return Outcome.pending;
  cpu.setFlag(Flag.ZF, raises);
  return Outcome.next;
};

export const segmentInstructions: Readonly<Record<string, SystemHandler>> = {
  MOV_TO_SREG: movToSreg,
  MOV_FROM_SREG: movFromSreg,
  PUSH_SREG: pushSreg,
  POP_SREG: popSreg,
  LOAD_FAR_POINTER: loadFarPointer,
  ...protectedOnly({
    LAR: larOrLsl(LAR_TYPES, (d) => d.raw.high & 0x00ffff00),
    LSL: larOrLsl(LSL_TYPES, (d) => limitOf(d.raw)),
    VERR: verify((access) => isData(access) || (isCode(access) && (access & Ar.writable) !== 0)),
    VERW: verify((access) => isWritableData(access)),
    ARPL: arpl,
  }),
};
