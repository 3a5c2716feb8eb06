/**
 * RDRAND and RDSEED (SDM volume 2). The numbers come from a seeded generator whose state is part of the vCPU, so that two runs of one machine
 * see the same ones; they never run out (CF is always 1).
 */
import { ARITHMETIC_FLAGS, Flag, State } from '../spec/vcpu-state';
import type { Cpu } from './cpu';
import { instructionExits, invalidOpcode, type SystemHandler } from './handler';
import { Outcome } from './outcome';

const QUAD = 64;
const SIZE_CODES: Readonly<Record<number, number>> = { 2: 0, 4: 1, 8: 2 };
/** SplitMix64: a counter with an odd step, mixed by two multiplications. */
const STEP = 0x9e37_79b9_7f4a_7c15n;
const MIX1 = 0xbf58_476d_1ce4_e5b9n;
const MIX2 = 0x94d0_49bb_1331_11ebn;

function nextRandom(cpu: Cpu): bigint {
  const counter = BigInt.asUintN(QUAD, cpu.get64(State.random) + STEP);
  cpu.set64(State.random, counter);
  let x = counter;
  x = BigInt.asUintN(QUAD, (x ^ (x >> 30n)) * MIX1);
  x = BigInt.asUintN(QUAD, (x ^ (x >> 27n)) * MIX2);
  return x ^ (x >> 31n);
}

const randomNumber =
  (name: 'RDRAND' | 'RDSEED', feature: 'rdrand' | 'rdseed'): SystemHandler =>
  (cpu, insn, ports) => {
    if (insn.lock || insn.rm < 0 || !cpu.model.features.has(feature)) return invalidOpcode(cpu);
    // Bits 6:3 destination register, 12:11 operand size.
    const information = (insn.rm << 3) | (SIZE_CODES[insn.operandSize] << 11);
    if (instructionExits(cpu, ports, name, insn.length, { information })) return Outcome.exited;
    cpu.setGprSized(insn.rm, insn.operandSize, BigInt.asUintN(insn.operandSize * 8, nextRandom(cpu)));
    cpu.flags = (cpu.flags & ~ARITHMETIC_FLAGS) | Flag.CF;
    return Outcome.next;
  };

export const randomInstructions: Readonly<Record<string, SystemHandler>> = {
  RDRAND: randomNumber('RDRAND', 'rdrand'),
  RDSEED: randomNumber('RDSEED', 'rdseed'),
};
