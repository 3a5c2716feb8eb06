/** A real Cpu in VMX root operation on real memory with a legal VMCS, and an MMU for which linear addresses are physical ones. */
import { strict as assert } from 'node:assert';
import { Cpu } from '../../../emulator/cpu/cpu';
import { Outcome } from '../../../emulator/cpu/outcome';
import type { VmxInstruction } from '../../../emulator/cpu/ports';
import { PhysicalMemory } from '../../../emulator/memory/physical-memory';
import { Mmu } from '../../../emulator/mmu/mmu';
import type { VcpuRegisters } from '../../../emulator/mmu/vcpu-registers';
import type { CpuModel } from '../../../emulator/spec/cpu-model';
import { defaultCpuModel } from '../../../emulator/spec/cpu-models';
import { Seg, State } from '../../../emulator/spec/vcpu-state';
import { Field, VMCS_REVISION, type VmcsFieldId } from '../../../emulator/spec/vmcs-fields';
import type { InterceptEvent } from '../../../emulator/spec/vmx-events';
import { noteFieldWrite } from '../../../emulator/vmx/changes';
import type { EntryFailureReport, EntryReport, ExitReport } from '../../../emulator/vmx/observer';
import { Vmcs } from '../../../emulator/vmx/vmcs';
import { createVmx, resetVmx, type Vmx } from '../../../emulator/vmx/vmx';

export const VMXON_REGION = 0x10000;
export const VMCS_REGION = 0x11000;
export const OTHER_VMCS = 0x12000;
/** Where tests put memory operands. */
export const OPERAND = 0x20000;
export const HOST_RIP = 0x40_0000n;
export const GUEST_RIP = 0x50_0000n;
/** What the interrupt controller gives on an acknowledge cycle. */
export const INTERRUPT_VECTOR = 0x31;
export const LAUNCH_RIP = 0x41_0000n;

class IdentityMmu extends Mmu {
  flushesOfCurrent = 0;
  flushesOfAll = 0;
  override modeChanged(): void {}
  override loadLinear(_cpu: VcpuRegisters, linear: bigint, size: number): bigint | undefined {
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.memory.read8(Number(linear) + i));
    return value;
  }
  override storeLinear(_cpu: VcpuRegisters, linear: bigint, size: number, value: bigint): boolean {
    for (let i = 0; i < size; i++) this.memory.write8(Number(linear) + i, Number((value >> BigInt(i * 8)) & 0xffn));
    return true;
  }
  override probe(): boolean {
    return true;
  }
  override flushCurrentContext(): void {
    this.flushesOfCurrent++;
  }
  override flushAll(): void {
    this.flushesOfAll++;
  }
}

export interface Bench {
  readonly cpu: Cpu;
  readonly memory: PhysicalMemory;
  readonly mmu: IdentityMmu;
  readonly vmx: Vmx;
  readonly vmcs: Vmcs;
  /** The machine's clock. */
  readonly time: { now: number };
  readonly exits: ExitReport[];
  readonly entries: EntryReport[];
  readonly failures: EntryFailureReport[];
  readonly instructionFailures: (readonly [string, number])[];
  readonly aborts: number[];
  readonly charges: string[];
  /** MSRs that the MSR areas reach; others are refused. */
  readonly msrs: Map<number, bigint>;
  set(values: Partial<Record<VmcsFieldId, bigint | number>>): void;
  get(id: VmcsFieldId): bigint;
  execute(name: VmxInstruction['name'], parts?: Partial<VmxInstruction>): number;
}

export const FULL_MODEL: CpuModel = {
  ...defaultCpuModel,
  features: new Set([...defaultCpuModel.features, 'vpid', 'unrestricted-guest', 'ept', 'rdtscp']),
};

/** Every field that the checks look at, set to a legal value: a 64-bit guest of a 64-bit hypervisor. */
export const LEGAL: Partial<Record<VmcsFieldId, bigint | number>> = {
  pinBasedVmExecutionControls: 0x16,
  primaryProcessorBasedVmExecutionControls: 0x8400_6172,
  secondaryProcessorBasedVmExecutionControls: 0x02,
  eptPointer: 0x3_001e,
  primaryVmExitControls: 0x3_6dfb | 0x200,
  vmEntryControls: 0x11fb | 0x200,
  hostCr0: 0x8000_0031,
  hostCr3: 0x1000,
  hostCr4: 0x2020,
  hostCsSelector: 0x08,
  hostSsSelector: 0x10,
  hostDsSelector: 0x10,
  hostEsSelector: 0x10,
  hostTrSelector: 0x18,
  hostRip: HOST_RIP,
  hostRsp: 0x7000,
  hostGdtrBase: 0x2000,
  hostIdtrBase: 0x3000,
  hostTrBase: 0x4000,
  guestCr0: 0x8000_0031,
  guestCr3: 0x5000,
  guestCr4: 0x2020,
  guestDr7: 0x400,
  guestRip: GUEST_RIP,
  guestRsp: 0x9000,
  guestRflags: 2,
  guestCsSelector: 0x08,
  guestCsLimit: 0xffff_ffff,
  guestCsAccessRights: 0xa09b,
  guestSsSelector: 0x10,
  guestSsLimit: 0xffff_ffff,
  guestSsAccessRights: 0xc093,
  guestDsSelector: 0x10,
  guestDsLimit: 0xffff_ffff,
  guestDsAccessRights: 0xc093,
  guestEsSelector: 0x10,
  guestEsLimit: 0xffff_ffff,
  guestEsAccessRights: 0xc093,
  guestFsSelector: 0x10,
  guestFsLimit: 0xffff_ffff,
  guestFsAccessRights: 0xc093,
  guestGsSelector: 0x10,
  guestGsLimit: 0xffff_ffff,
  guestGsAccessRights: 0xc093,
  guestTrSelector: 0x18,
  guestTrLimit: 0x67,
  guestTrAccessRights: 0x8b,
  guestLdtrAccessRights: 0x10000,
  guestGdtrLimit: 0xff,
  guestIdtrLimit: 0xfff,
  vmcsLinkPointer: 0xffff_ffff_ffff_ffffn,
};

export type Values = typeof LEGAL;
export const ROOT_STATE = { cr0: 0x8000_0031n, cr4: 0x2020n, efer: 0x500n };

/** Makes the bench. By default the CPU is in VMX root operation, 64-bit, with the legal VMCS current and clear. */
export function makeBench(model: CpuModel = FULL_MODEL): Bench {
  const memory = new PhysicalMemory(0x100000);
  const mmu = new IdentityMmu(memory);
  // The arithmetic flags as the setter stores them; the lazy triple is generated code's matter.
  const cpu = new Cpu(0, memory.vcpuBase(0), memory, model, (base) => Number(memory.u64[(base + State.flagA) >> 3]), mmu);
  resetVmx(cpu);
  cpu.set64(State.cr0, ROOT_STATE.cr0);
  cpu.set64(State.cr3, 0x1000n);
  cpu.set64(State.cr4, ROOT_STATE.cr4);
  cpu.set64(State.efer, ROOT_STATE.efer);
  cpu.set64(State.pat, 0x0007_0406_0007_0406n);
  cpu.set32(State.mode, 1); // 64-bit code
  cpu.setSegment(Seg.cs, 8, 0n, 0xffff_ffff, 0xa09b);
  cpu.setSegment(Seg.ss, 0x10, 0n, 0xffff_ffff, 0xc093);
  cpu.setSegment(Seg.ds, 0x10, 0n, 0xffff_ffff, 0xc093);
  cpu.flags = 2;
  cpu.rip = LAUNCH_RIP;
  const msrs = new Map<number, bigint>();
  const exits: ExitReport[] = [];
  const entries: EntryReport[] = [];
  const failures: EntryFailureReport[] = [];
  const instructionFailures: (readonly [string, number])[] = [];
  const aborts: number[] = [];
  const charges: string[] = [];
  const time = { now: 0x10_0000 };
  const vmx = createVmx({
    memory,
    model,
    interrupts: { acknowledge: () => INTERRUPT_VECTOR, endOfInterrupt: () => void charges.push('eoi') },
    clock: { charge: (_cpu, kind) => void charges.push(kind), now: () => time.now },
    msrs: {
      readMsr: (_cpu, index) => msrs.get(index),
      writeMsr: (_cpu, index, value) => msrs.has(index) && (msrs.set(index, value), true),
    },
    observer: {
      exit: (_cpu, report) => void exits.push(report),
      entry: (_cpu, report) => void entries.push(report),
      entryFailure: (_cpu, report) => void failures.push(report),
      instructionFailed: (_cpu, name, error) => void instructionFailures.push([name, error]),
      abort: (_cpu, indicator) => void aborts.push(indicator),
    },
  });
  for (const region of [VMXON_REGION, VMCS_REGION, OTHER_VMCS]) memory.write32(region, VMCS_REVISION);
  cpu.set32(State.vmxMode, 1);
  cpu.setF64(State.vmxonPointer, VMXON_REGION);
  cpu.setF64(State.currentVmcs, VMCS_REGION);
  const vmcs = new Vmcs(memory, VMCS_REGION);
  const bench: Bench = {
    cpu, memory, mmu, vmx, time, vmcs, exits, entries, failures, instructionFailures, aborts, charges, msrs,
    set(values) {
      for (const [id, value] of Object.entries(values)) {
        const wide = BigInt(value);
        vmcs.setMasked(Field[id as VmcsFieldId], Number(BigInt.asUintN(32, wide)), Number(BigInt.asUintN(32, wide >> 32n)));
        noteFieldWrite(cpu, Field[id as VmcsFieldId]);
      }
    },
    get: (id) => vmcs.u64(Field[id]),
    execute: (name, parts = {}) =>
      vmx.execute(cpu, {
        name, length: 3, reg: 0, rm: -1, segment: Seg.ds, effectiveAddress: BigInt(OPERAND), addressSize: 8, baseRegister: -1, indexRegister: -1, scaleLog2: 0, displacement: BigInt(OPERAND), ...parts,
      }),
  }; // prettier-ignore
  bench.set(LEGAL);
  return bench;
}

export const CPUID: InterceptEvent = { kind: 'instruction', name: 'CPUID', length: 2 };
/** A bench whose guest has been entered. */
export function entered(values: Values = {}, prepare?: (b: Bench) => void): Bench {
  const bench = makeBench();
  bench.set(values);
  prepare?.(bench);
  assert.equal(bench.execute('VMLAUNCH'), Outcome.jumped, JSON.stringify(bench.failures.map((f) => f.check?.name)));
  return bench;
}
/** The guest causes an event that is a VM exit. */
export const exit = (bench: Bench, event: InterceptEvent = CPUID): void => assert.equal(bench.vmx.intercept(bench.cpu, event), true);
