/** A real Cpu on real memory whose MMU is cut down to what the call-outs need: linear addresses are physical ones, chosen pages fault. */
import { absentInterrupts } from '../../../emulator/devices/absent/absent-interrupts';
import { Cpu } from '../../../emulator/cpu/cpu';
import type { CpuPorts } from '../../../emulator/cpu/ports';
import { resetMsrs } from '../../../emulator/cpu/msr';
import type { Instruction } from '../../../emulator/isa/instruction';
import { PhysicalMemory } from '../../../emulator/memory/physical-memory';
import { Access, Mmu } from '../../../emulator/mmu/mmu';
import type { VcpuRegisters } from '../../../emulator/mmu/vcpu-registers';
import { defaultCpuModel } from '../../../emulator/spec/cpu-models';
import { DR6_FIXED, DR7_FIXED } from '../../../emulator/spec/registers';
import { ARITHMETIC_FLAGS, Seg, State } from '../../../emulator/spec/vcpu-state';
import type { InterceptEvent } from '../../../emulator/spec/vmx-events';

export const GDT = 0x1000;
export const IDT = 0x2000;
export const TSS = 0x3000;
export const LDT = 0x3800;
/** Stack tops: ring 0 (from the TSS), the current stack, IST1. */
export const RSP0 = 0x8000;
export const STACK = 0xa000;
export const IST1 = 0xc000;
export const CODE = 0x10000;

/** Selectors of the GDT built here. */
export const Sel = {
  code0: 0x08, // 64-bit in long mode, else 32-bit
  data0: 0x10,
  compat0: 0x18, // 32-bit code, DPL 0
  data3: 0x20 | 3,
  code3: 0x28 | 3,
  compat3: 0x30 | 3,
  notPresent: 0x38, // data, DPL 0, P = 0
  readOnly: 0x40,
  conforming: 0x48, // 32-bit (64-bit in long mode) conforming code, DPL 0
  tss: 0x50, // 16 bytes in long mode
  ldt: 0x60,
  executeOnly: 0x70,
  codeNotPresent: 0x78,
  small: 0x80, // data, limit 0xfff, byte granularity
} as const;
const GDT_LIMIT = 0x87;

export interface Log {
  readonly exceptions: (readonly [number, number | undefined])[];
  readonly intercepts: InterceptEvent[];
  readonly out: (readonly [number, number, number])[];
  readonly interrupts: (readonly [number, number])[];
}

export interface TestCpu {
  readonly cpu: Cpu;
  readonly ports: CpuPorts;
  readonly log: Log;
  /** Page numbers that fault (not present). */
  readonly absent: Set<number>;
  /** Page numbers that leave an EPT violation pending. */
  readonly eptAbsent: Set<number>;
  /** Decides what VMX intercepts; by default nothing. */
  exits: (event: InterceptEvent) => boolean;
  /** Value that port reads give. */
  portValue: number;
  read(address: number, size: number): bigint;
  write(address: number, size: number, value: bigint): void;
}

class FlatMmu extends Mmu {
  flushes = 0;
  readonly invalidated: bigint[] = [];
  constructor(
    memory: PhysicalMemory,
    private readonly absent: Set<number>,
    private readonly eptAbsent: Set<number>,
  ) {
    super(memory);
  }
  private allowed(cpu: VcpuRegisters, linear: bigint, size: number, access: number): boolean {
    for (const address of [linear, linear + BigInt(size - 1)]) {
      const page = Number(address >> 12n);
      if (this.eptAbsent.has(page)) {
        cpu.set32(State.pendingKind, 2);
        return false;
      }
      if (this.absent.has(page)) {
        const user = cpu.cpl === 3 && !(access & Access.implicit);
        cpu.set64(State.pendingLinear, address);
        cpu.raise(14, (access & Access.write ? 2 : 0) | (user ? 4 : 0));
        return false;
      }
    }
    return true;
  }
  override loadLinear(cpu: VcpuRegisters, linear: bigint, size: number, access: number): bigint | undefined {
    if (!this.allowed(cpu, linear, size, access)) return undefined;
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.memory.read8(Number(linear) + i));
    return value;
  }
  override storeLinear(cpu: VcpuRegisters, linear: bigint, size: number, value: bigint, access: number): boolean {
    if (!this.allowed(cpu, linear, size, access)) return false;
    for (let i = 0; i < size; i++) this.memory.write8(Number(linear) + i, Number((value >> BigInt(i * 8)) & 0xffn));
    return true;
  }
  override probe(cpu: VcpuRegisters, linear: bigint, size: number, access: number): boolean {
    return this.allowed(cpu, linear, size, access);
  }
  override physical(cpu: VcpuRegisters, linear: bigint, access: number): number {
    return this.allowed(cpu, linear, 1, access) ? Number(linear) : -1;
  }
  override flushCurrentContext(): void {
    this.flushes++;
  }
  override flushAll(): void {
    this.flushes++;
  }
  override invalidatePage(_cpu: VcpuRegisters, linear: bigint): void {
    this.invalidated.push(linear);
  }
}

/** Eight bytes of a segment descriptor; limit in the descriptor's units. */
export function descriptor(base: number, limit: number, access: number): bigint {
  const low = ((base & 0xffff) << 16) | (limit & 0xffff);
  const high = ((base >>> 16) & 0xff) | ((access & 0xf0ff) << 8) | (limit & 0xf0000) | (base & 0xff000000);
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

/** Writes a gate into the IDT: access is P, DPL and type (0x8e: present interrupt gate, DPL 0). */
export function setGate(t: TestCpu, vector: number, selector: number, offset: bigint, access = 0x8e, ist = 0): void {
  const size = t.cpu.longMode ? 16 : 8;
  const low = (BigInt(selector) << 16n) | (offset & 0xffffn);
  const high = (offset & 0xffff0000n) | BigInt((access << 8) | ist);
  t.write(IDT + vector * size, 8, (high << 32n) | low);
  if (size === 16) t.write(IDT + vector * size + 8, 8, offset >> 32n);
}

export interface Setup {
  readonly mode: 32 | 64;
  readonly cpl?: 0 | 3;
}

/** A CPU in flat protected or 64-bit mode with GDT, IDT (gates to 0x20000 + vector × 16 in code0), TSS and stack in place. */
export function makeCpu({ mode, cpl = 0 }: Setup): TestCpu {
  const memory = new PhysicalMemory(0x100000);
  const absent = new Set<number>();
  const eptAbsent = new Set<number>();
  const log: Log = { exceptions: [], intercepts: [], out: [], interrupts: [] };
  const arithmetic = (base: number): number =>
    memory.i32[(base + State.flagKind) >> 2] === 0 ? memory.i32[(base + State.flagA) >> 2] & ARITHMETIC_FLAGS : 0;
  const cpu = new Cpu(0, memory.vcpuBase(0), memory, defaultCpuModel, arithmetic, new FlatMmu(memory, absent, eptAbsent));
  const t: TestCpu = {
    cpu,
    log,
    absent,
    eptAbsent,
    exits: () => false,
    portValue: 0,
    ports: {
      vmx: {
        intercept: (_c, event) => {
          log.intercepts.push(event);
          return t.exits(event);
        },
        execute: () => 0,
        commitPendingExit: () => true,
        disabledByControls: () => false,
        fixedCr0: () => undefined,
        fixedCr4: () => undefined,
        readCapabilityMsr: (_c, index) => (index === 0x480 ? 0x1234n : undefined),
        visibleCr0: (_c, v) => v,
        visibleCr4: (_c, v) => v,
        atBoundary: () => false,
        externalInterrupt: () => 'deliver',
        usesVirtualNmis: () => false,
        blocksInit: () => false,
        enterSmm: () => {},
        leaveSmm: () => false,
        virtualInterrupt: () => -1,
        iretUnblocksNmis: () => true,
        readVirtualCr8: () => undefined,
        writeVirtualCr8: () => false,
        readVirtualMsr: () => undefined,
        writeVirtualMsr: () => undefined,
      },
      io: { in: () => t.portValue, out: (_c, port, size, value) => void log.out.push([port, size, value]) },
      clock: {
        tsc: (c) => BigInt.asUintN(64, 1000n + c.get64(State.tscOffset)),
        charge: () => {},
        now: () => 1000,
        remaining: () => Infinity,
        stepped: () => {},
      },
      observer: {
        exception: (_c, vector, errorCode) => void log.exceptions.push([vector, errorCode]),
        interruptDelivered: (_c, vector, type) => void log.interrupts.push([vector, type]),
        modeSwitch: () => {},
      },
      interrupts: absentInterrupts(),
    } as CpuPorts,
    read: (address, size) => {
      let value = 0n;
      for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(memory.read8(address + i));
      return value;
    },
    write: (address, size, value) => {
      for (let i = 0; i < size; i++) memory.write8(address + i, Number((value >> BigInt(i * 8)) & 0xffn));
    },
  };
  resetMsrs(cpu);
  const long = mode === 64;
  const code = long ? 0xa09a : 0xc09a;
  const table: [number, bigint][] = [
    [Sel.code0, descriptor(0, 0xfffff, code)],
    [Sel.data0, descriptor(0, 0xfffff, 0xc092)],
    [Sel.compat0, descriptor(0, 0xfffff, 0xc09a)],
    [Sel.data3, descriptor(0, 0xfffff, 0xc0f2)],
    [Sel.code3, descriptor(0, 0xfffff, code | 0x60)],
    [Sel.compat3, descriptor(0, 0xfffff, 0xc0fa)],
    [Sel.notPresent, descriptor(0, 0xfffff, 0xc012)],
    [Sel.readOnly, descriptor(0, 0xfffff, 0xc090)],
    [Sel.conforming, descriptor(0, 0xfffff, code | 4)],
    [Sel.tss, descriptor(TSS, 0x80, 0x0089)],
    [Sel.tss + 8, 0n],
    [Sel.ldt, descriptor(LDT, 0x1f, 0x0082)],
    [Sel.ldt + 8, 0n],
    [Sel.executeOnly, descriptor(0, 0xfffff, code & ~2)],
    [Sel.codeNotPresent, descriptor(0, 0xfffff, code & ~0x80)],
    [Sel.small, descriptor(0, 0xfff, 0x4092)],
  ];
  for (const [selector, value] of table) t.write(GDT + (selector & 0xfff8), 8, value);
  cpu.set64(State.gdtrBase, BigInt(GDT));
  cpu.set32(State.gdtrLimit, GDT_LIMIT);
  cpu.set64(State.idtrBase, BigInt(IDT));
  cpu.set32(State.idtrLimit, long ? 0xfff : 0x7ff);
  cpu.set64(State.cr0, long ? 0x80000011n : 0x11n);
  cpu.set64(State.cr4, long ? 0x20n : 0n);
  cpu.set64(State.efer, long ? 0x501n : 0n);
  cpu.set64(State.dr + 48, DR6_FIXED);
  cpu.set64(State.dr + 56, DR7_FIXED);
  cpu.setSegment(Seg.cs, cpl === 0 ? Sel.code0 : Sel.code3, 0n, 0xffffffff, code | 1 | (cpl << 5));
  for (const s of [Seg.ss, Seg.ds, Seg.es, Seg.fs, Seg.gs])
    cpu.setSegment(s, cpl === 0 ? Sel.data0 : Sel.data3, 0n, 0xffffffff, 0xc093 | (cpl << 5));
  cpu.setSegment(Seg.tr, Sel.tss, BigInt(TSS), 0x80, 0x8b);
  cpu.setSegment(Seg.ldtr, 0, 0n, 0, 0x10000);
  if (long) {
    t.write(TSS + 4, 8, BigInt(RSP0));
    t.write(TSS + 0x24, 8, BigInt(IST1));
  } else {
    t.write(TSS + 4, 4, BigInt(RSP0));
    t.write(TSS + 8, 4, BigInt(Sel.data0));
  }
  t.write(TSS + 0x66, 2, 0x70n);
  cpu.setCpl(cpl);
  cpu.flags = 0x202;
  cpu.setGpr(4, BigInt(STACK));
  cpu.rip = BigInt(CODE);
  cpu.modeChanged();
  for (let vector = 0; vector < 64; vector++) setGate(t, vector, Sel.code0, handlerOf(vector));
  return t;
}
export const handlerOf = (vector: number): bigint => BigInt(0x20000 + vector * 16);

/** A decoded instruction; what is not given is as for a register form without operands. */
export function insn(over: Partial<Instruction> & { length?: number } = {}): Instruction {
  return {
    mnemonic: '',
    system: '',
    length: 2,
    opcode: 0,
    operandSize: 4,
    addressSize: 8,
    lock: false,
    rep: 0,
    rexW: false,
    rex: false,
    hasModRm: false,
    mod: 3,
    reg: 0,
    rm: -1,
    segment: Seg.ds,
    base: -1,
    index: -1,
    scaleLog2: 0,
    displacement: 0n,
    immediate: 0n,
    immediate2: 0,
    ...over,
  };
}

/** The exception that a handler left pending, as [vector, error code]. */
export function pending(cpu: Cpu): readonly [number, number | undefined] | undefined {
  if (cpu.get32(State.pendingKind) !== 1) return undefined;
  const errorCode = cpu.i32[State.pendingErrorCode >> 2];
  return [cpu.get32(State.pendingVector), errorCode === -1 ? undefined : errorCode];
}
