/**
 * Instructions that change what accesses are allowed or remembered: CLAC, STAC, RDPKRU, WRPKRU, INVPCID (SDM volume 2; volume 3, "Paging").
 */
import { Cr4 } from '../spec/registers';
import { Flag, State } from '../spec/vcpu-state';
import type { Cpu } from './cpu';
import { displacementQualification, memoryInformation } from './exit-information';
import { generalProtection, instructionExits, invalidOpcode, type SystemHandler } from './handler';
import { isCanonical, operandLinear } from './operands';
import { Outcome } from './outcome';

const RAX = 0;
const RCX = 1;
const RDX = 2;
const PCID_MASK = 0xfffn;

const alignmentCheck =
  (on: boolean): SystemHandler =>
  (cpu, insn) => {
    if (insn.lock || cpu.cpl > 0) return invalidOpcode(cpu);
    cpu.setFlag(Flag.AC, on);
    cpu.modeChanged();
    return Outcome.next;
  };

const rdpkru: SystemHandler = (cpu, insn) => {
  if (insn.lock || !(cpu.cr4 & Cr4.PKE)) return invalidOpcode(cpu);
  if (cpu.gpr32(RCX) !== 0) return generalProtection(cpu);
  cpu.setGpr32(RAX, cpu.get32(State.pkru));
  cpu.setGpr32(RDX, 0);
  return Outcome.next;
};

const wrpkru: SystemHandler = (cpu, insn) => {
  if (insn.lock || !(cpu.cr4 & Cr4.PKE)) return invalidOpcode(cpu);
  if (cpu.gpr32(RCX) !== 0 || cpu.gpr32(RDX) !== 0) return generalProtection(cpu);
  cpu.set32(State.pkru, cpu.gpr32(RAX));
  cpu.modeChanged();
  return Outcome.next;
};

/** INVPCID types, in the order of their numbers. */
const InvpcidType = { address: 0, context: 1, allWithGlobal: 2, allButGlobal: 3 } as const;

function readDescriptor(cpu: Cpu, linear: bigint): readonly [low: bigint, address: bigint] | undefined {
  const low = cpu.loadLinear(linear, 8);
  if (low === undefined) return undefined;
  const address = cpu.loadLinear(BigInt.asUintN(64, linear + 8n), 8);
  return address === undefined ? undefined : [low, address];
}

const invpcid: SystemHandler = (cpu, insn, ports) => {
  if (insn.lock || insn.rm >= 0) return invalidOpcode(cpu);
  if (cpu.vmxNonRoot && ports.vmx.disabledByControls(cpu, 'INVPCID')) return invalidOpcode(cpu);
  if (cpu.cpl !== 0) return generalProtection(cpu);
  const details = { qualification: displacementQualification(cpu, insn), information: ((insn.reg << 28) | memoryInformation(insn)) >>> 0 };
  if (instructionExits(cpu, ports, 'INVPCID', insn.length, details)) return Outcome.exited;
  const type = cpu.code64 ? cpu.gpr(insn.reg) : BigInt(cpu.gpr32(insn.reg));
  if (type > BigInt(InvpcidType.allButGlobal)) return generalProtection(cpu);
  const linear = operandLinear(cpu, insn, 16, false);
  if (linear === undefined) return Outcome.pending;
  const descriptor = readDescriptor(cpu, linear);
  if (descriptor === undefined) return Outcome.pending;
  const [low, address] = descriptor;
  if (low & ~PCID_MASK) return generalProtection(cpu);
  const pcid = Number(low);
  const one = type === BigInt(InvpcidType.address) || type === BigInt(InvpcidType.context);
  if (one && pcid !== 0 && !(cpu.cr4 & Cr4.PCIDE)) return generalProtection(cpu);
  switch (Number(type)) {
    case InvpcidType.address:
      if (!isCanonical(cpu, address)) return generalProtection(cpu);
      cpu.mmu.invalidatePage(cpu, address);
      break;
    case InvpcidType.context:
      cpu.mmu.flushPcid(cpu, pcid);
      break;
    case InvpcidType.allWithGlobal:
      cpu.mmu.flushAll(cpu);
      break;
    default:
      cpu.mmu.flushNonGlobal(cpu);
  }
  return Outcome.next;
};

export const accessControlInstructions: Readonly<Record<string, SystemHandler>> = {
  CLAC: alignmentCheck(false),
  STAC: alignmentCheck(true),
  RDPKRU: rdpkru,
  WRPKRU: wrpkru,
  INVPCID: invpcid,
};
