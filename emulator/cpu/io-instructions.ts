/**
 * IN, OUT, INS and OUTS (SDM volume 1, "Input/Output": I/O privilege level, I/O permission bit map; volume 2). A REP form makes one
 * iteration a call and names itself again.
 */
import type { Instruction } from '../isa/instruction';
import { Access } from '../mmu/mmu';
import { Ar, Tss } from '../spec/descriptors';
import { Flag, Seg } from '../spec/vcpu-state';
import type { Cpu } from './cpu';
import { generalProtection, invalidOpcode, type SystemHandler } from './handler';
import { segmentLinear, uncheckedLinear } from './operands';
import { Outcome } from './outcome';
import type { CpuPorts } from './ports';
import { ioplOf, isVirtual8086 } from './processor-mode';
import { IMPLICIT_READ, tableLinear } from './segmentation';

const RAX = 0;
const RCX = 1;
const RDX = 2;
const RSI = 6;
const RDI = 7;

/** "I/O Permission Bit Map": with CPL > IOPL, and always in virtual-8086 mode, every bit of the ports accessed must be 0. False: #GP(0) or a fault of the read is pending. */
function portAllowed(cpu: Cpu, port: number, size: number): boolean {
  if (cpu.cpl <= ioplOf(cpu) && !isVirtual8086(cpu)) return true;
  const refuse = (): false => {
    generalProtection(cpu);
    return false;
  };
  const access = cpu.segmentAccess(Seg.tr);
  // A 16-bit TSS has no map.
  if (access & Ar.unusable || !(access & 8)) return refuse();
  const limit = cpu.segmentLimit(Seg.tr);
  if (Tss.ioMapBase + 1 > limit) return refuse();
  const tr = cpu.segmentBase(Seg.tr);
  const map = cpu.loadLinear(tableLinear(cpu, tr + BigInt(Tss.ioMapBase)), 2, IMPLICIT_READ);
  if (map === undefined) return false;
  // Two bytes are read always: the map ends with a byte of ones.
  const at = Number(map) + (port >> 3);
  if (at + 1 > limit) return refuse();
  const bits = cpu.loadLinear(tableLinear(cpu, tr + BigInt(at)), 2, IMPLICIT_READ);
  if (bits === undefined) return false;
  return (Number(bits) >> (port & 7)) & ((1 << size) - 1) ? refuse() : true;
}

const portSize = (insn: Instruction): 1 | 2 | 4 => (insn.opcode & 1 ? (insn.operandSize === 2 ? 2 : 4) : 1);
/** E4..E7 hold the port in the instruction, EC..EF in DX. */
const isImmediate = (insn: Instruction): boolean => (insn.opcode & 0xff) < 0xe8;

/** IN and OUT: checks and VM exit. A number is the outcome of a refusal, undefined means go on. */
function registerPortRefused(cpu: Cpu, insn: Instruction, ports: CpuPorts, port: number, input: boolean): Outcome | undefined {
  if (insn.lock) return invalidOpcode(cpu);
  const size = portSize(insn);
  if (!portAllowed(cpu, port, size)) return Outcome.pending;
  if (!cpu.vmxNonRoot) return undefined;
  const event = {
    kind: 'io',
    port,
    size,
    in: input,
    string: false,
    rep: false,
    immediate: isImmediate(insn),
    length: insn.length,
  } as const;
  return ports.vmx.intercept(cpu, event) ? Outcome.exited : undefined;
}
const portOf = (cpu: Cpu, insn: Instruction): number => (isImmediate(insn) ? Number(insn.immediate & 0xffn) : cpu.gpr32(RDX) & 0xffff);

const inHandler: SystemHandler = (cpu, insn, ports) => {
  const port = portOf(cpu, insn);
  const refused = registerPortRefused(cpu, insn, ports, port, true);
  if (refused !== undefined) return refused;
  const size = portSize(insn);
  const value = ports.io.in(cpu, port, size);
  if (cpu.stop) return Outcome.stopped;
  cpu.setGprSized(RAX, size, BigInt.asUintN(size * 8, BigInt(value >>> 0)));
  return Outcome.next;
};

const outHandler: SystemHandler = (cpu, insn, ports) => {
  const port = portOf(cpu, insn);
  const refused = registerPortRefused(cpu, insn, ports, port, false);
  if (refused !== undefined) return refused;
  const size = portSize(insn);
  ports.io.out(cpu, port, size, Number(cpu.gprSized(RAX, size)));
  return cpu.stop ? Outcome.stopped : Outcome.next;
};

/** One iteration of INS or OUTS. */
function stringIo(cpu: Cpu, insn: Instruction, ports: CpuPorts, input: boolean): Outcome {
  if (insn.lock) return invalidOpcode(cpu);
  const { addressSize } = insn;
  const repeated = insn.rep !== 0;
  if (repeated && cpu.gprSized(RCX, addressSize) === 0n) return Outcome.next;
  const size = portSize(insn);
  const port = cpu.gpr32(RDX) & 0xffff;
  if (!portAllowed(cpu, port, size)) return Outcome.pending;
  const indexRegister = input ? RDI : RSI;
  // ES cannot be overridden.
  const segment = input ? Seg.es : insn.segment;
  const offset = cpu.gprSized(indexRegister, addressSize);
  if (cpu.vmxNonRoot) {
    const linear = uncheckedLinear(cpu, segment, offset);
    const event = { kind: 'io', port, size, in: input, string: true, rep: repeated, immediate: false, length: insn.length, linear, segment, addressSize } as const; // prettier-ignore
    if (ports.vmx.intercept(cpu, event)) return Outcome.exited;
  }
  const linear = segmentLinear(cpu, segment, offset, size, input);
  if (linear === undefined) return Outcome.pending;
  if (input) {
    // The port is read only when its value can be stored.
    if (!cpu.probeWrite(linear, size)) return Outcome.pending;
    const value = ports.io.in(cpu, port, size);
    if (cpu.stop) return Outcome.stopped;
    if (!cpu.storeLinear(linear, size, BigInt.asUintN(size * 8, BigInt(value >>> 0)), Access.write)) return Outcome.pending;
  } else {
    const value = cpu.loadLinear(linear, size);
    if (value === undefined) return Outcome.pending;
    ports.io.out(cpu, port, size, Number(value));
    if (cpu.stop) return Outcome.stopped;
  }
  const step = BigInt(cpu.flag(Flag.DF) ? -size : size);
  cpu.setGprSized(indexRegister, addressSize, BigInt.asUintN(addressSize * 8, offset + step));
  if (!repeated) return Outcome.next;
  const left = BigInt.asUintN(addressSize * 8, cpu.gprSized(RCX, addressSize) - 1n);
  cpu.setGprSized(RCX, addressSize, left);
  return left === 0n ? Outcome.next : Outcome.jumped;
}

export const ioInstructions: Readonly<Record<string, SystemHandler>> = {
  IN: inHandler,
  OUT: outHandler,
  INS: (cpu, insn, ports) => stringIo(cpu, insn, ports, true),
  OUTS: (cpu, insn, ports) => stringIo(cpu, insn, ports, false),
};
