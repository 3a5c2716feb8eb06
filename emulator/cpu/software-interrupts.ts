/** INT n, INT3, INTO, INT1 and BOUND (SDM volume 2): software interrupts and exceptions. INT3, INTO and INT1 meet the exception bitmap first. */
import type { Instruction } from '../isa/instruction';
import { EventType, Vector } from '../spec/registers';
import { Flag } from '../spec/vcpu-state';
import type { Cpu } from './cpu';
import { deliverEvent } from './delivery';
import { invalidOpcode, type SystemHandler } from './handler';
import { operandLinear } from './operands';
import { Outcome } from './outcome';
import type { CpuPorts } from './ports';

function softwareException(cpu: Cpu, insn: Instruction, ports: CpuPorts, vector: number, type: 5 | 6): Outcome {
  ports.observer.exception(cpu, vector, undefined);
  const event = { kind: 'exception', vector, type, length: insn.length, qualification: 0n } as const;
  if (cpu.vmxNonRoot && ports.vmx.intercept(cpu, event)) return Outcome.exited;
  return deliverEvent(cpu, ports, { vector, type, length: insn.length });
}

const bound: SystemHandler = (cpu, insn) => {
  if (insn.lock || insn.rm >= 0 || cpu.code64) return invalidOpcode(cpu);
  const size = insn.operandSize === 2 ? 2 : 4;
  const linear = operandLinear(cpu, insn, size * 2, false);
  if (linear === undefined) return Outcome.pending;
  const lower = cpu.loadLinear(linear, size);
  const upper = lower === undefined ? undefined : cpu.loadLinear(BigInt.asUintN(32, linear + BigInt(size)), size);
  if (lower === undefined || upper === undefined) return Outcome.pending;
  const signed = (value: bigint): bigint => BigInt.asIntN(size * 8, value);
  const index = signed(cpu.gprSized(insn.reg, size));
  return index < signed(lower) || index > signed(upper) ? cpu.raise(Vector.BR) : Outcome.next;
};

export const softwareInterruptInstructions: Readonly<Record<string, SystemHandler>> = {
  INT: (cpu, insn, ports) =>
    insn.lock
      ? invalidOpcode(cpu)
      : deliverEvent(cpu, ports, { vector: Number(insn.immediate & 0xffn), type: EventType.softwareInterrupt, length: insn.length }),
  INT3: (cpu, insn, ports) =>
    insn.lock ? invalidOpcode(cpu) : softwareException(cpu, insn, ports, Vector.BP, EventType.softwareException),
  INTO: (cpu, insn, ports) => {
    if (insn.lock || cpu.code64) return invalidOpcode(cpu);
    return cpu.flag(Flag.OF) ? softwareException(cpu, insn, ports, Vector.OF, EventType.softwareException) : Outcome.next;
  },
  INT1: (cpu, insn, ports) =>
    insn.lock ? invalidOpcode(cpu) : softwareException(cpu, insn, ports, Vector.DB, EventType.privilegedSoftwareException),
  BOUND: bound,
};
