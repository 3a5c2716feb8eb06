/**
 * The machine that vectors are run on: the real core (memory, walker, TLB, decoder, generated interpreter, call-outs) with user pages as the
 * vectors' layout says, and a small kernel world (GDT, IDT, TSS, stack) that catches exceptions.
 */
import { absentInterrupts } from '../../emulator/devices/absent/absent-interrupts';
import { createCallbacks, createRegionCallbacks } from '../../emulator/cpu/callbacks';
import { CodeCache } from '../../emulator/cpu/code-cache';
import { Cpu } from '../../emulator/cpu/cpu';
import { instantiateInterpreter } from '../../emulator/cpu/interpreter-instance';
import { CompiledStep } from './compiled-step';
import { resetMsrs } from '../../emulator/cpu/msr';
import type { CpuPorts } from '../../emulator/cpu/ports';
import { Processor } from '../../emulator/cpu/processor';
import { Regions } from '../../emulator/cpu/regions';
import { OpcodeTable, decode } from '../../emulator/isa/decode';
import { instructionRows } from '../../emulator/isa/rows';
import { PhysicalMemory } from '../../emulator/memory/physical-memory';
import { Mmu } from '../../emulator/mmu/mmu';
import { defaultCpuModel } from '../../emulator/spec/cpu-models';
import { Seg, State } from '../../emulator/spec/vcpu-state';
import { type Vector, type VectorFault, type VectorMachine, type VectorOutcome, layout } from './vector-file';

const PML4 = 0x500000;
const GDT = 0x410000;
const IDT = 0x411000;
const TSS = 0x412000;
const KERNEL_STACK = 0x414000;
const HANDLERS = 0x420000;
const KERNEL_CS = 0x10;
const WITH_ERROR_CODE = new Set([8, 10, 11, 12, 13, 14, 17]);
/** Software interrupts that user code may make there: INT3 and INTO. */
const USER_GATES = new Set([3, 4]);

const Access = { code64: 0xa0fb, code32: 0xc0fb, data: 0xc0f3, kernelCode: 0xa09b, tss: 0x8b, unusable: 0x10000 } as const;

/** @param tier 'jit': every instruction that a region can hold is carried out by a region of its own. */
export async function createVectorMachine(tier: 'interpreter' | 'jit' = 'interpreter'): Promise<VectorMachine> {
  const memory = new PhysicalMemory(8 << 20);
  const mmu = new Mmu(memory);
  const cpus: Cpu[] = [];
  const interpreter = await instantiateInterpreter(
    memory,
    createCallbacks(mmu, () => cpus[0], { handler: undefined }),
  );
  const cpu = new Cpu(0, memory.vcpuBase(0), memory, defaultCpuModel, (base) => interpreter.exports.arithmeticFlags(base), mmu);
  cpus.push(cpu);
  const table = new OpcodeTable(instructionRows);
  const code = new CodeCache(memory, mmu, table, interpreter.module, interpreter.exports, defaultCpuModel.features, () => cpus);
  const none = (): undefined => undefined;
  const ports: CpuPorts = {
    vmx: {
      intercept: () => false, execute: () => cpu.raise(6), commitPendingExit: () => true, fixedCr0: none, fixedCr4: none, readCapabilityMsr: none,
      visibleCr0: (_c, v) => v, visibleCr4: (_c, v) => v, atBoundary: () => false, disabledByControls: () => false,
      externalInterrupt: () => 'deliver', usesVirtualNmis: () => false, blocksInit: () => false, enterSmm: none, leaveSmm: () => false, virtualInterrupt: () => -1, iretUnblocksNmis: () => true, readVirtualCr8: () => undefined, writeVirtualCr8: () => false, readVirtualMsr: () => undefined, writeVirtualMsr: () => undefined,
    },
    io: { in: () => 0xffffffff, out: none },
    clock: { tsc: () => 0n, charge: none, now: () => 0, remaining: () => Infinity, stepped: none },
    observer: { exception: none, interruptDelivered: none, modeSwitch: none },
    interrupts: absentInterrupts(),
  }; // prettier-ignore
  const regions = new Regions(
    memory,
    code,
    interpreter.module,
    interpreter.exports,
    createRegionCallbacks(mmu, () => cpus[0]),
  );
  code.regions = regions;
  regions.enabled = tier === 'jit';
  const compiled = new CompiledStep(cpu, code, regions, interpreter.exports);
  const generated = tier === 'jit' ? compiled.exports : interpreter.exports;
  const processor = new Processor(cpu, mmu, code, regions, generated, ports, () => false, { eventStop: false });
  buildTables(memory);
  resetMsrs(cpu);

  return {
    supports(_form, sample) {
      if (sample.opcode === '') return true;
      const bytes = new Uint8Array(16);
      bytes.set(sample.code);
      const decoded = decode(table, bytes, 0, 16, { code64: sample.mode === 64, features: defaultCpuModel.features });
      return decoded !== undefined && (decoded.instruction.system !== 'UD' || sample.fault?.vector === 6);
    },
    get tiers() {
      return { regionRuns: compiled.runs, refused: compiled.refused, compiled: regions.statistics.compiled };
    },
    run(vector) {
      if (tier === 'jit') {
        code.reset();
        compiled.arm();
      }
      return runVector(vector, memory, cpu, processor);
    },
  };
}

function buildTables(memory: PhysicalMemory): void {
  const [pdpt, pd] = [PML4 + 0x1000, PML4 + 0x2000];
  const USER = 7n;
  memory.write64(PML4, BigInt(pdpt) | USER);
  memory.write64(pdpt, BigInt(pd) | USER);
  const tables = new Map<number, number>();
  const map = (address: number, rights: bigint): void => {
    const slot = address >>> 21;
    let pt = tables.get(slot);
    if (pt === undefined) {
      pt = pd + 0x1000 * (tables.size + 1);
      tables.set(slot, pt);
      memory.write64(pd + slot * 8, BigInt(pt) | USER);
    }
    memory.write64(pt + ((address >>> 12) & 511) * 8, BigInt(address) | rights);
  };
  for (const { address, size, writable, executable } of layout.regions)
    for (let page = address; page < address + size; page += 4096) map(page, 5n | (writable ? 2n : 0n) | (executable ? 0n : 1n << 63n));
  for (let page = 0x410000; page < 0x422000; page += 4096) map(page, 3n);
  const gdt = [0n, 0n, 0x00af9b000000ffffn, 0n, 0x00cffb000000ffffn, 0x00cff3000000ffffn, 0x00affb000000ffffn];
  gdt.forEach((d, i) => memory.write64(GDT + i * 8, d));
  for (let v = 0; v < 256; v++) {
    const handler = BigInt(HANDLERS + v * 16);
    const type = USER_GATES.has(v) ? 0xeen : 0x8en;
    memory.write64(IDT + v * 16, (handler & 0xffffn) | (BigInt(KERNEL_CS) << 16n) | (type << 40n) | ((handler & 0xffff0000n) << 32n));
    memory.write64(IDT + v * 16 + 8, 0n);
  }
  memory.write64(TSS + 4, BigInt(KERNEL_STACK));
  memory.write16(TSS + 102, 0x68); // no I/O permission map
}

function runVector(vector: Vector, memory: PhysicalMemory, cpu: Cpu, processor: Processor): VectorOutcome {
  for (const { address, size, executable } of layout.regions) memory.physWrite(address, new Uint8Array(size).fill(executable ? 0xcc : 0));
  memory.physWrite(Number(vector.before.rip), vector.code);
  for (const { address, bytes } of vector.memory) memory.physWrite(address, bytes);
  const wide = vector.mode === 64;
  const { selectors } = layout;
  cpu.set64(State.cr0, 0x80050033n);
  cpu.set64(State.cr3, BigInt(PML4));
  cpu.set64(State.cr4, 0x20n);
  cpu.set64(State.efer, 0xd01n);
  cpu.set64(State.cr2, 0n);
  cpu.set64(State.gdtrBase, BigInt(GDT));
  cpu.set32(State.gdtrLimit, 7 * 8 - 1);
  cpu.set64(State.idtrBase, BigInt(IDT));
  cpu.set32(State.idtrLimit, 4095);
  cpu.setSegment(Seg.cs, wide ? selectors.cs64 : selectors.cs32, 0n, 0xffffffff, wide ? Access.code64 : Access.code32);
  for (const s of [Seg.ss, Seg.ds, Seg.es]) cpu.setSegment(s, selectors.data, 0n, 0xffffffff, Access.data);
  cpu.setSegment(Seg.fs, 0, 0n, 0xffffffff, wide ? Access.data : Access.unusable);
  cpu.setSegment(Seg.gs, 0, wide ? layout.gsBase : 0n, 0xffffffff, wide ? Access.data : Access.unusable);
  cpu.setSegment(Seg.ldtr, 0, 0n, 0, Access.unusable);
  cpu.setSegment(Seg.tr, 0x40, BigInt(TSS), 0x67, Access.tss);
  cpu.setCpl(3);
  for (let n = 0; n < 16; n++) cpu.setGpr(n, vector.before.registers[n] ?? 0n);
  cpu.rip = vector.before.rip;
  cpu.flags = vector.before.rflags;
  for (const slot of [State.activity, State.interruptibility, State.pendingDebug, State.pendingKind, State.boundary]) cpu.set32(slot, 0);
  cpu.mmu.flushAll(cpu);
  const end = processor.run(1);
  if (cpu.stop !== undefined) {
    const { sentence } = cpu.stop;
    cpu.stop = undefined;
    throw new Error(`${vector.form}: ${sentence}`);
  }
  if (end !== 'budget') throw new Error(`${vector.form}: the machine ended with ${end}`);

  let fault: VectorFault | undefined;
  let { rip, flags: rflags } = cpu;
  let cs = cpu.segmentSelector(Seg.cs);
  const registers = Array.from({ length: wide ? 16 : 8 }, (_, n) => cpu.gpr(n));
  if (cpu.cpl === 0) {
    const number = (Number(rip) - HANDLERS) / 16;
    let frame = Number(cpu.gpr(4));
    let errorCode: number | undefined;
    if (WITH_ERROR_CODE.has(number)) {
      errorCode = memory.read32(frame);
      frame += 8;
    }
    rip = memory.read64(frame);
    cs = memory.read16(frame + 8);
    rflags = memory.read32(frame + 16);
    registers[4] = memory.read64(frame + 24);
    fault = { vector: number, ...(errorCode !== undefined && { errorCode }), ...(number === 14 && { cr2: cpu.get64(State.cr2) }) };
  }
  return {
    registers: wide ? registers : registers.map((r) => BigInt.asUintN(32, r)),
    rip,
    rflags,
    cs,
    ...(fault && { fault }),
    read: (address, length) => memory.physRead(address, length),
  };
}
