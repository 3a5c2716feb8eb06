/**
 * The call-outs by name: instructions carried out in TypeScript. Here are the ones that need no file of their own (CPUID, HLT, time,
 * caches, XCR0, refusals of units that are not built, VMX instructions handed on); the rest is merged in.
 */
import { MiscEnable, cpuid } from '../spec/cpuid';
import { Activity, Cr0, Cr4, Vector } from '../spec/registers';
import { MonitorWait, State } from '../spec/vcpu-state';
import { Access } from '../mmu/mmu';
import { armMonitor, lineChanged } from './monitored-line';
import { controlRegisterInstructions } from './control-registers';
import { accessControlInstructions } from './access-control-instructions';
import type { Cpu } from './cpu';
import { farTransferInstructions } from './far-transfers';
import { fastSystemCallInstructions } from './fast-system-calls';
import { flagInstructions } from './flag-instructions';
import { generalProtection, instructionExits, invalidOpcode, type SystemHandler } from './handler';
import { ioInstructions } from './io-instructions';
import { msrInstructions } from './msr';
import { effectiveAddress, isCanonical, operandLinear, segmentLinear, uncheckedLinear } from './operands';
import { Outcome } from './outcome';
import { readCounter } from './performance-counters';
import type { CpuPorts, VmxInstruction } from './ports';
import { randomInstructions } from './random-instructions';
import { segmentBaseInstructions } from './segment-base-instructions';
import { segmentInstructions } from './segment-instructions';
import { softwareInterruptInstructions } from './software-interrupts';
import { enter } from './stack-frame';
import { systemManagementInstructions } from './system-management';
import { tableRegisterInstructions } from './table-registers';

export type { SystemHandler } from './handler';

const RAX = 0;
const RCX = 1;
const RDX = 2;
const RBX = 3;
/** IA32_APIC_BASE: the local APIC is there. */
const APIC_GLOBAL_ENABLE = 1n << 11n;
/** MWAIT extension in ECX: interrupts break the wait although they are masked (CPUID leaf 5). */
const MWAIT_INTERRUPT_BREAK = 1;

const cpuidHandler: SystemHandler = (cpu, insn, ports) => {
  if (insn.lock) return invalidOpcode(cpu);
  if (instructionExits(cpu, ports, 'CPUID', insn.length)) return Outcome.exited;
  identify(cpu, ports.interrupts.apicBase(cpu.index), cpu.cr4, cpu.code64);
  return Outcome.next;
};

/** What CPUID does, for software whose CR4 and code size are these. */
export function identify(cpu: Cpu, apicBase: bigint, cr4: bigint, code64: boolean): void {
  const context = {
    code64,
    osxsave: (cr4 & Cr4.OSXSAVE) !== 0n,
    ospke: (cr4 & Cr4.PKE) !== 0n,
    initialApicId: cpu.index,
    logicalProcessors: cpu.vcpuCount,
    apicPresent: (apicBase & APIC_GLOBAL_ENABLE) !== 0n,
    miscEnable: cpu.get64(State.miscEnable),
  };
  const result = cpuid(cpu.model, cpu.gpr32(RAX), cpu.gpr32(RCX), context);
  cpu.setGpr32(RAX, result.eax);
  cpu.setGpr32(RBX, result.ebx);
  cpu.setGpr32(RCX, result.ecx);
  cpu.setGpr32(RDX, result.edx);
}

/** CPL 0 only, a VM exit when VMX asks for it, then the effect. */
const privileged =
  (name: 'HLT' | 'INVD' | 'WBINVD', effect: (cpu: Cpu) => void): SystemHandler =>
  (cpu, insn, ports) => {
    if (insn.lock) return invalidOpcode(cpu);
    if (cpu.cpl !== 0) return generalProtection(cpu);
    if (instructionExits(cpu, ports, name, insn.length)) return Outcome.exited;
    effect(cpu);
    return Outcome.next;
  };

const timeStamp = (cpu: Cpu, ports: CpuPorts): void => {
  const tsc = ports.clock.tsc(cpu);
  cpu.setGpr(RAX, tsc & 0xffff_ffffn);
  cpu.setGpr(RDX, BigInt.asUintN(64, tsc) >> 32n);
};
const timeStampRefused = (cpu: Cpu): boolean => cpu.cpl > 0 && (cpu.cr4 & Cr4.TSD) !== 0n;

const rdtsc: SystemHandler = (cpu, insn, ports) => {
  if (insn.lock) return invalidOpcode(cpu);
  if (timeStampRefused(cpu)) return generalProtection(cpu);
  if (instructionExits(cpu, ports, 'RDTSC', insn.length)) return Outcome.exited;
  timeStamp(cpu, ports);
  return Outcome.next;
};

const rdtscp: SystemHandler = (cpu, insn, ports) => {
  if (insn.lock || !cpu.model.features.has('rdtscp')) return invalidOpcode(cpu);
  if (cpu.vmxNonRoot && ports.vmx.disabledByControls(cpu, 'RDTSCP')) return invalidOpcode(cpu);
  if (timeStampRefused(cpu)) return generalProtection(cpu);
  if (instructionExits(cpu, ports, 'RDTSCP', insn.length)) return Outcome.exited;
  timeStamp(cpu, ports);
  cpu.setGpr(RCX, cpu.get64(State.tscAux) & 0xffff_ffffn);
  return Outcome.next;
};

const rdpmc: SystemHandler = (cpu, insn, ports) => {
  if (insn.lock) return invalidOpcode(cpu);
  if (cpu.cpl > 0 && !(cpu.cr4 & Cr4.PCE)) return generalProtection(cpu);
  if (instructionExits(cpu, ports, 'RDPMC', insn.length)) return Outcome.exited;
  const value = readCounter(cpu, cpu.gpr32(RCX));
  if (value === undefined) return generalProtection(cpu);
  cpu.setGpr(RAX, value & 0xffff_ffffn);
  cpu.setGpr(RDX, value >> 32n);
  return Outcome.next;
};

const pause: SystemHandler = (cpu, insn, ports) => {
  if (insn.lock) return invalidOpcode(cpu);
  return instructionExits(cpu, ports, 'PAUSE', insn.length) ? Outcome.exited : Outcome.next;
};

const invlpg: SystemHandler = (cpu, insn, ports) => {
  if (insn.lock || insn.rm >= 0) return invalidOpcode(cpu);
  if (cpu.cpl !== 0) return generalProtection(cpu);
  const linear = uncheckedLinear(cpu, insn.segment, effectiveAddress(cpu, insn));
  if (cpu.vmxNonRoot && ports.vmx.intercept(cpu, { kind: 'invlpg', linear, length: insn.length })) return Outcome.exited;
  // A non-canonical address is ignored.
  if (!cpu.code64 || isCanonical(cpu, linear)) cpu.mmu.invalidatePage(cpu, linear);
  return Outcome.next;
};

/** CLFLUSH may fault as a byte read does; there is no cache to flush. */
const clflush: SystemHandler = (cpu, insn) => {
  if (insn.lock || insn.rm >= 0) return invalidOpcode(cpu);
  const linear = operandLinear(cpu, insn, 1, false);
  return linear === undefined || cpu.loadLinear(linear, 1) === undefined ? Outcome.pending : Outcome.next;
};

/** MONITOR arms the monitor on the line at DS:RAX (another segment by an override), which it reads as a byte load does. */
const monitor: SystemHandler = (cpu, insn, ports) => {
  if (insn.lock || cpu.cpl !== 0 || !(cpu.get64(State.miscEnable) & MiscEnable.monitor)) return invalidOpcode(cpu);
  if (instructionExits(cpu, ports, 'MONITOR', insn.length)) return Outcome.exited;
  if (cpu.gpr32(RCX) !== 0) return generalProtection(cpu);
  const offset = BigInt.asUintN(insn.addressSize * 8, cpu.gpr(RAX));
  const linear = segmentLinear(cpu, insn.segment, offset, 1, false);
  if (linear === undefined || cpu.loadLinear(linear, 1) === undefined) return Outcome.pending;
  const hpa = cpu.mmu.physical(cpu, linear, Access.read);
  if (hpa < 0) return Outcome.pending;
  armMonitor(cpu, hpa);
  return Outcome.next;
};

/** MWAIT waits for a store to the armed line or an event (see boundary-events and processors); without an armed monitor it does nothing. */
const mwait: SystemHandler = (cpu, insn, ports) => {
  if (insn.lock || cpu.cpl !== 0 || !(cpu.get64(State.miscEnable) & MiscEnable.monitor)) return invalidOpcode(cpu);
  const details = { qualification: BigInt(cpu.get32(State.monitorArmed)) };
  if (instructionExits(cpu, ports, 'MWAIT', insn.length, details)) return Outcome.exited;
  if (cpu.gpr32(RCX) & ~MWAIT_INTERRUPT_BREAK) return generalProtection(cpu);
  const waits = cpu.get32(State.monitorArmed) !== 0 && !lineChanged(cpu);
  cpu.set32(State.monitorArmed, 0);
  if (waits)
    cpu.set32(
      State.monitorWait,
      cpu.gpr32(RCX) & MWAIT_INTERRUPT_BREAK ? MonitorWait.waits | MonitorWait.maskedInterrupts : MonitorWait.waits,
    );
  return Outcome.next;
};

/** x87, MMX and SSE: the exceptions by which an operating system controls these units, then the sentence that they are not built. */
const floatingPoint: SystemHandler = (cpu, insn) => {
  if (insn.lock) return invalidOpcode(cpu);
  const em = (cpu.cr0 & Cr0.EM) !== 0n;
  const ts = (cpu.cr0 & Cr0.TS) !== 0n;
  if (insn.mnemonic === 'WAIT') return ts && cpu.cr0 & Cr0.MP ? cpu.raise(Vector.NM) : cpu.notModelled('an x87 instruction (WAIT)');
  if (insn.mnemonic === 'ESC' || insn.mnemonic === 'FXSAVE')
    return em || ts ? cpu.raise(Vector.NM) : cpu.notModelled('an x87 instruction, or FXSAVE or FXRSTOR');
  if (insn.mnemonic === 'SIMD' && em) return invalidOpcode(cpu);
  return cpu.notModelled('an MMX or SSE instruction');
};

const VMX_NAMES: ReadonlyMap<string, VmxInstruction['name']> = new Map(
  ([
    'VMXON', 'VMXOFF', 'VMCLEAR', 'VMPTRLD', 'VMPTRST', 'VMREAD', 'VMWRITE', 'VMLAUNCH', 'VMRESUME', 'VMCALL', 'INVEPT', 'INVVPID', 'VMFUNC',
  ] as const).map((name) => [name, name]), // prettier-ignore
);

const vmx: SystemHandler = (cpu, insn, ports) => {
  const name = VMX_NAMES.get(insn.mnemonic);
  if (insn.lock || !name || !cpu.model.features.has('vmx')) return invalidOpcode(cpu);
  const hasMemory = insn.hasModRm && insn.rm < 0;
  return ports.vmx.execute(cpu, {
    name,
    length: insn.length,
    reg: insn.reg,
    rm: insn.rm,
    segment: insn.segment,
    effectiveAddress: hasMemory ? effectiveAddress(cpu, insn) : 0n,
    addressSize: insn.addressSize,
    baseRegister: insn.base,
    indexRegister: insn.index,
    scaleLog2: insn.scaleLog2,
    displacement: insn.displacement,
  });
};

/** Instructions of features that no model has. */
const undefinedInstruction: SystemHandler = (cpu) => invalidOpcode(cpu);

export const systemInstructions: Readonly<Record<string, SystemHandler>> = {
  ...controlRegisterInstructions,
  ...tableRegisterInstructions,
  ...segmentInstructions,
  ...farTransferInstructions,
  ...softwareInterruptInstructions,
  ...fastSystemCallInstructions,
  ...flagInstructions,
  ...ioInstructions,
  ...msrInstructions,
  ...accessControlInstructions,
  ...randomInstructions,
  ...segmentBaseInstructions,
  ...systemManagementInstructions,
  CPUID: cpuidHandler,
  HLT: privileged('HLT', (cpu) => cpu.set32(State.activity, Activity.hlt)),
  INVD: privileged('INVD', () => {}),
  WBINVD: privileged('WBINVD', () => {}),
  INVLPG: invlpg,
  RDTSC: rdtsc,
  RDTSCP: rdtscp,
  RDPMC: rdpmc,
  PAUSE: pause,
  CLFLUSH: clflush,
  FENCE: (cpu, insn) => (insn.lock ? invalidOpcode(cpu) : Outcome.next),
  ENTER: enter,
  // CR4.OSXSAVE cannot be set: XSAVE is not built.
  XGETBV: undefinedInstruction,
  XSETBV: undefinedInstruction,
  MONITOR: monitor,
  MWAIT: mwait,
  UD: undefinedInstruction,
  // Longer than 15 bytes.
  TOO_LONG: (cpu) => generalProtection(cpu),
  FPU: floatingPoint,
  VMX: vmx,
};
