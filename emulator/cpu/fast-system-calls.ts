/** SYSCALL, SYSRET, SYSENTER, SYSEXIT and SWAPGS (SDM volume 2; volume 3, "Performing Fast Calls to System Procedures"). */
import { Efer } from '../spec/registers';
import { Flag, Seg, State } from '../spec/vcpu-state';
import type { Cpu } from './cpu';
import { generalProtection, invalidOpcode, type SystemHandler } from './handler';
import { isCanonical, nextIp } from './operands';
import { Outcome } from './outcome';
import { isRealMode } from './processor-mode';

const RCX = 1;
const RDX = 2;
const RSP = 4;
const R11 = 11;
const WORD = 0xffff_ffffn;

/** Access rights of the flat segments that these instructions load without a descriptor: present, S, accessed, G. */
const CODE64 = 0xa09b;
const CODE32 = 0xc09b;
const DATA = 0xc093;

/** Loads flat CS and SS and the CPL. */
function loadFlat(cpu: Cpu, cs: number, ss: number, cpl: 0 | 3, code: number): void {
  cpu.setSegment(Seg.cs, (cs & 0xfffc) | cpl, 0n, 0xffffffff, code | (cpl << 5));
  cpu.setSegment(Seg.ss, (ss & 0xfffc) | cpl, 0n, 0xffffffff, DATA | (cpl << 5));
  cpu.setCpl(cpl);
}

const syscall: SystemHandler = (cpu, insn) => {
  if (insn.lock || !cpu.code64 || !(cpu.efer & Efer.SCE)) return invalidOpcode(cpu);
  const flags = cpu.flags;
  const star = Number((cpu.get64(State.star) >> 32n) & 0xffffn);
  cpu.setGpr(RCX, nextIp(cpu, insn));
  cpu.setGpr(R11, BigInt(flags >>> 0));
  cpu.rip = cpu.get64(State.lstar);
  // RF is cleared too: an instruction that completes clears it.
  cpu.flags = flags & ~Number(cpu.get64(State.fmask) & WORD) & ~Flag.RF;
  loadFlat(cpu, star, (star & 0xfffc) + 8, 0, CODE64);
  cpu.modeChanged();
  return Outcome.jumped;
};

const sysret: SystemHandler = (cpu, insn, ports) => {
  if (insn.lock || !cpu.code64 || !(cpu.efer & Efer.SCE)) return invalidOpcode(cpu);
  if (cpu.cpl !== 0) return generalProtection(cpu);
  const to64 = insn.rexW;
  const rip = cpu.gpr(RCX);
  if (to64 && !isCanonical(cpu, rip)) return generalProtection(cpu);
  const star = Number((cpu.get64(State.star) >> 48n) & 0xffffn);
  cpu.rip = to64 ? rip : rip & WORD;
  // RF and VM come out clear, reserved bits as fixed.
  cpu.flags = Number(cpu.gpr(R11) & 0x3c7fd7n);
  loadFlat(cpu, to64 ? star + 16 : star, star + 8, 3, to64 ? CODE64 : CODE32);
  cpu.modeChanged();
  if (!to64) ports.observer.modeSwitch(cpu);
  return Outcome.jumped;
};

const sysenter: SystemHandler = (cpu, insn, ports) => {
  if (insn.lock) return invalidOpcode(cpu);
  const cs = Number(cpu.get64(State.sysenterCs) & 0xfffcn);
  if (cs === 0 || isRealMode(cpu)) return generalProtection(cpu);
  const was64 = cpu.code64;
  const long = cpu.longMode;
  cpu.flags = cpu.flags & ~(Flag.VM | Flag.IF);
  cpu.setGpr(RSP, long ? cpu.get64(State.sysenterEsp) : cpu.get64(State.sysenterEsp) & WORD);
  cpu.rip = long ? cpu.get64(State.sysenterEip) : cpu.get64(State.sysenterEip) & WORD;
  loadFlat(cpu, cs, cs + 8, 0, long ? CODE64 : CODE32);
  cpu.modeChanged();
  if (was64 !== cpu.code64) ports.observer.modeSwitch(cpu);
  return Outcome.jumped;
};

const sysexit: SystemHandler = (cpu, insn, ports) => {
  if (insn.lock) return invalidOpcode(cpu);
  const cs = Number(cpu.get64(State.sysenterCs) & 0xfffcn);
  if (cs === 0 || cpu.cpl !== 0 || isRealMode(cpu)) return generalProtection(cpu);
  const to64 = insn.rexW;
  const rip = cpu.gpr(RDX);
  const rsp = cpu.gpr(RCX);
  if (to64 && !(isCanonical(cpu, rip) && isCanonical(cpu, rsp))) return generalProtection(cpu);
  const was64 = cpu.code64;
  cpu.rip = to64 ? rip : rip & WORD;
  cpu.setGpr(RSP, to64 ? rsp : rsp & WORD);
  const base = to64 ? cs + 32 : cs + 16;
  loadFlat(cpu, base, base + 8, 3, to64 ? CODE64 : CODE32);
  cpu.modeChanged();
  if (was64 !== cpu.code64) ports.observer.modeSwitch(cpu);
  return Outcome.jumped;
};

const swapgs: SystemHandler = (cpu, insn) => {
  if (insn.lock || !cpu.code64) return invalidOpcode(cpu);
  if (cpu.cpl !== 0) return generalProtection(cpu);
  const base = cpu.segmentBase(Seg.gs);
  cpu.setSegment(Seg.gs, cpu.segmentSelector(Seg.gs), cpu.get64(State.kernelGsBase), cpu.segmentLimit(Seg.gs), cpu.segmentAccess(Seg.gs));
  cpu.set64(State.kernelGsBase, base);
  return Outcome.next;
};

export const fastSystemCallInstructions: Readonly<Record<string, SystemHandler>> = {
  SYSCALL: syscall,
  SYSRET: sysret,
  SYSENTER: sysenter,
  SYSEXIT: sysexit,
  SWAPGS: swapgs,
};
