/** RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE and RDPID (SDM volume 2): 64-bit code's short ways to the FS and GS bases, and IA32_TSC_AUX without a time stamp. */
import { Cr4 } from '../spec/registers';
import { Seg, State } from '../spec/vcpu-state';
import { generalProtection, invalidOpcode, type SystemHandler } from './handler';
import { isCanonical } from './operands';
import { Outcome } from './outcome';

const readBase =
  (segment: number): SystemHandler =>
  (cpu, insn) => {
    if (insn.lock || insn.rm < 0 || !(cpu.cr4 & Cr4.FSGSBASE)) return invalidOpcode(cpu);
    const size = insn.operandSize === 8 ? 8 : 4;
    cpu.setGprSized(insn.rm, size, BigInt.asUintN(size * 8, cpu.segmentBase(segment)));
    return Outcome.next;
  };

const writeBase =
  (segment: number): SystemHandler =>
  (cpu, insn) => {
    if (insn.lock || insn.rm < 0 || !(cpu.cr4 & Cr4.FSGSBASE)) return invalidOpcode(cpu);
    const base = cpu.gprSized(insn.rm, insn.operandSize === 8 ? 8 : 4);
    if (!isCanonical(cpu, base)) return generalProtection(cpu);
    cpu.setSegment(segment, cpu.segmentSelector(segment), base, cpu.segmentLimit(segment), cpu.segmentAccess(segment));
    return Outcome.next;
  };

const rdpid: SystemHandler = (cpu, insn, ports) => {
  if (insn.lock || insn.rm < 0) return invalidOpcode(cpu);
  if (cpu.vmxNonRoot && ports.vmx.disabledByControls(cpu, 'RDTSCP')) return invalidOpcode(cpu);
  cpu.setGprSized(insn.rm, cpu.code64 ? 8 : 4, cpu.get64(State.tscAux) & 0xffff_ffffn);
  return Outcome.next;
};

export const segmentBaseInstructions: Readonly<Record<string, SystemHandler>> = {
  RDFSBASE: readBase(Seg.fs),
  RDGSBASE: readBase(Seg.gs),
  WRFSBASE: writeBase(Seg.fs),
  WRGSBASE: writeBase(Seg.gs),
  RDPID: rdpid,
};
