/**
 * L0: the hypervisor that is built in, for hosted mode. It stands where a real one's root mode would: the hardware leaves the guest by VM exits and comes
 * back by VM entries, and in between L0 works on VMCS fields, memory and MSRs, as any software in VMX root operation could. Its handler is a chain of
 * named stages; what lies between two of them is plain state.
 * Not modelled: several vCPUs and several VMs, ports and MSRs that L0 keeps for itself, exit-less interrupts, enlightened VMCSs.
 */
import type { AddressLine20 } from '../cpu/address-line-20-gate';
import type { Cpu } from '../cpu/cpu';
import type { InterruptPort, RootSoftware } from '../cpu/ports';
import type { PhysicalMemory } from '../memory/physical-memory';
import { ENTRY_FAILURE_BIT, ExitReason, exitReasonName } from '../spec/exit-reasons';
import { State } from '../spec/vcpu-state';
import { Field, VMCS_FIELDS } from '../spec/vmcs-fields';
import { unreachable } from '../user-error';
import { ALL_CHANGED } from '../vmx/changes';
import { enterGuest } from '../vmx/entry';
import { loadHostState } from '../vmx/host-state';
import type { EntryFailureReport, VmxObserver } from '../vmx/observer';
import { LaunchState, Vmcs } from '../vmx/vmcs';
import type { VmxContext } from '../vmx/vmx-context';
import { VmxState } from '../vmx/vmx-state';
import { EptTables } from './ept-tables';
import { FRAME_BYTES, type FrameTable, type FrameTableState, type FrameUse } from './frame-table';
import type { GuestMemory } from './guest-memory';
import { GuestRegisters } from './guest-registers';
import { type L0Context, type VcpuFrames, vmcs12Of } from './l0-context';
import { handleL1Exit } from './l1-exits';
import { CYCLES, Ledger, type LedgerState } from './ledger';
import { Ept02, type Ept02State } from './nested/ept02';
import { eventOf } from './nested/exit-event';
import { explainField, type MergedField } from './nested/merge-rules';
import { failNestedEntry, mergeInput } from './nested/nested-entry';
import { handleNestedEpt, handleVmFunction } from './nested/nested-exits';
import { AbortReason, abort, reflect } from './nested/reflect';
import { reflectionOf } from './nested/reflection';
import { route } from './nested/routing';
import { prepareShadowing } from './nested/shadow-vmcs';
import { L1VmxInstructions } from './nested/vmx-instructions';
import { type ExitInformation, type VcpuState, initialVcpuState } from './vcpu-state';
import { createVmcs01, writeHostState } from './vmcs01';

/** A hardware VM exit to L0 and what became of it. */
export interface L0ExitReport {
  readonly level: 1 | 2;
  readonly reason: string;
  readonly reasonNumber: number;
  readonly qualification: bigint;
  readonly rip: bigint;
  readonly gpa?: bigint;
  readonly routedTo: 'L0' | 'L1' | 'both';
  /** What L0 did, or why it went where it went. */
  readonly handling: string;
}

export interface HypervisorOptions {
  /** VMCS shadowing for L1, where the processor has it. */
  readonly shadowing: boolean;
  /** The most frames that EPT02 may take. */
  readonly ept02Frames: number;
}

export interface HypervisorState {
  readonly version: 1;
  readonly frames: FrameTableState;
  readonly ept01Tables: readonly number[];
  readonly address20Masked: boolean;
  readonly ept02: Ept02State;
  readonly ledger: LedgerState;
  readonly vcpu: VcpuState;
}

const STATE_VERSION = 1;

export class Hypervisor implements RootSoftware {
  readonly ledger = new Ledger();
  private readonly l0: L0Context;
  private readonly instructions: L1VmxInstructions;
  /** The VM entry under way was refused: told by the hardware's observer. */
  private failure: EntryFailureReport | undefined;

  constructor(
    private readonly cpu: Cpu,
    private readonly guest: GuestMemory,
    private readonly frames: FrameTable,
    private readonly vmx: VmxContext,
    observer: VmxObserver,
    interrupts: Pick<InterruptPort, 'apicBase'>,
    private readonly exited: (cpu: Cpu, report: L0ExitReport) => void,
    options: HypervisorOptions,
  ) {
    const { memory } = cpu;
    const facts = { physicalBits: cpu.model.maxPhyAddr, nx: false, page1gb: cpu.model.features.has('page1gb'), executeOnly: true };
    const pages = takeVcpuFrames(memory, frames);
    const state = initialVcpuState();
    const vmcs01 = new Vmcs(memory, pages.vmcs01);
    const ept02 = new Ept02(memory, guest, frames, facts, options.ept02Frames, () => cpu.mmu.flushAll(cpu));
    const shadowing = options.shadowing && vmx.capabilities.shadowing;
    this.l0 = {
      vmx,
      cpu,
      state,
      guest,
      frames,
      ept02,
      ledger: this.ledger,
      pages,
      vmcs01,
      vmcs02: new Vmcs(memory, pages.vmcs02),
      l1: new GuestRegisters(cpu, vmcs01, (bits) => (state.changed01 |= bits)),
      observer,
      interrupts,
      shadowing,
    };
    this.instructions = new L1VmxInstructions(this.l0);
    writeHostState(memory, this.l0.vmcs02);
    createVmcs01(cpu, vmcs01, vmx.capabilities, pages, guest.eptp, shadowing);
    if (shadowing) prepareShadowing(this.l0);
  }

  /** Puts the vCPU, which is at the image's first instruction, into VMX root operation with L0 about to enter it. */
  begin(): void {
    const { cpu, l0 } = this;
    cpu.setF64(State.vmxonPointer, l0.pages.vmxon);
    cpu.setF64(State.currentVmcs, l0.pages.vmcs01);
    cpu.set32(State.hostedLevel, 1);
    loadHostState(cpu, l0.vmcs01, false);
  }

  /** What the hardware's observer tells of VM entries that L0 makes. */
  entryRefused(report: EntryFailureReport): void {
    this.failure = report;
  }
  /** The chipset's gate of address line 20, as the VM has it. */
  get addressLine20(): AddressLine20 {
    const { guest, cpu } = this;
    return {
      get enabled() {
        return !guest.address20IsMasked;
      },
      set(enabled) {
        if (enabled === this.enabled) return;
        guest.maskAddress20(!enabled);
        cpu.mmu.flushAll(cpu);
      },
    };
  }
  /** Somebody wrote memory behind everybody's back: all checks are made again. */
  forgetChecks(): void {
    const { state } = this.l0;
    state.changed01 = ALL_CHANGED;
    state.changed02 = ALL_CHANGED;
    state.changed12 = ALL_CHANGED;
  }

  // Stages ------------------------------------------------------------------------------------------------------------------

  run(cpu: Cpu): void {
    if (this.l0.state.stage === 'guest') this.l0.state.stage = 'read-exit';
    while (cpu.stop === undefined && !cpu.vmxNonRoot && cpu.get32(State.activity) === 0) this.runStage();
  }

  /** Carries out one stage and notes the next. */
  private runStage(): void {
    const { state } = this.l0;
    switch (state.stage) {
      case 'guest':
        return unreachable('L0 runs while nothing has exited');
      case 'read-exit':
        return this.readExit();
      case 'handle':
        return this.handle();
      case 'handle-nested':
        return this.handleNested();
      case 'reflect':
        if (reflect(this.l0)) state.stage = 'enter';
        return;
      case 'enter':
        return this.enter();
    }
  }

  private readExit(): void {
    const { l0, cpu } = this;
    const { state } = l0;
    const level = cpu.get32(State.hostedLevel) === 2 ? 2 : 1;
    const vmcs = level === 2 ? l0.vmcs02 : l0.vmcs01;
    if (level === 2) state.changed02 |= cpu.get32(VmxState.changed);
    else state.changed01 |= cpu.get32(VmxState.changed);
    const reason = vmcs.u32(Field.vmExitReason);
    state.exit = {
      level,
      reason: reason & 0xffff,
      entryFailed: (reason & ENTRY_FAILURE_BIT) !== 0,
      qualification: vmcs.u64(Field.exitQualification),
      length: vmcs.u32(Field.vmExitInstructionLength),
      information: vmcs.u32(Field.vmExitInstructionInformation),
      interruption: vmcs.u32(Field.vmExitInterruptionInformation),
      interruptionError: vmcs.u32(Field.vmExitInterruptionErrorCode),
      vectoring: vmcs.u32(Field.idtVectoringInformation),
      vectoringError: vmcs.u32(Field.idtVectoringErrorCode),
      gpa: vmcs.address(Field.guestPhysicalAddress),
      linear: vmcs.u64(Field.guestLinearAddress),
    };
    this.ledger.note(`exit L${level} ${exitReasonName(state.exit.reason)}`, CYCLES.exit + CYCLES.handler);
    state.stage = level === 2 ? 'handle-nested' : 'handle';
  }

  private handle(): void {
    const { l0 } = this;
    const { state } = l0;
    const { exit } = state;
    if (exit === undefined) return unreachable('no exit was read');
    const { rip } = l0.l1;
    state.stage = 'enter';
    state.target = 1;
    // What the VM entry before loaded has been loaded.
    if (l0.vmcs01.u32(Field.vmEntryMsrLoadCount) !== 0) l0.l1.set(Field.vmEntryMsrLoadCount, 0n);
    const known = this.instructions.execute(exit) || handleL1Exit(l0, exit);
    if (!known) unreachable(`an exit of L1 that L0 did not ask for: ${exitReasonName(exit.reason)}`);
    this.tell(exit, rip, 'L0', exit.reason === ExitReason.EPT_VIOLATION ? 'fill01' : 'carried out for L1');
  }

  private handleNested(): void {
    const { l0, cpu } = this;
    const { state, guest } = l0;
    const { exit } = state;
    if (exit === undefined) return unreachable('no exit was read');
    const rip = l0.vmcs02.u64(Field.guestRip);
    const event = eventOf(exit, { gpr: (n) => (n === 4 ? l0.vmcs02.u64(Field.guestRsp) : cpu.gpr(n)) });
    const vmcs12 = vmcs12Of(l0);
    const { to, because } = route(
      event,
      { fields: vmcs12, readBitmapByte: (address) => guest.read8(address) },
      { fields: l0.vmcs01, readBitmapByte: (address) => cpu.memory.read8(address) },
    );
    if (to !== 'L0') {
      state.reflection = reflectionOf(exit);
      state.stage = 'reflect';
      this.tell(exit, rip, to, because);
      return;
    }
    if (exit.reason === ExitReason.VMFUNC) {
      const what = handleVmFunction(l0, exit);
      this.tell(exit, rip, what === 'reflect' ? 'L1' : 'L0', what === 'reflect' ? 'VMCS12 does not allow the function' : 'EPTP switched');
    } else if (exit.reason === ExitReason.EPT_VIOLATION || exit.reason === ExitReason.EPT_MISCONFIGURATION) {
      const what = handleNestedEpt(l0, exit);
      this.ledger.note(`EPT ${what}`, 0);
      this.tell(exit, rip, l0IsEnough(what) ? 'L0' : 'L1', what);
    } else unreachable(`an exit of L2 that nobody asked for: ${exitReasonName(exit.reason)}`);
  }

  private tell(exit: ExitInformation, rip: bigint, routedTo: L0ExitReport['routedTo'], handling: string): void {
    if (exit.level === 2) this.ledger.note(`routed to ${routedTo}`, 0);
    const ept = exit.reason === ExitReason.EPT_VIOLATION || exit.reason === ExitReason.EPT_MISCONFIGURATION;
    this.exited(this.cpu, {
      level: exit.level,
      reason: exitReasonName(exit.reason),
      reasonNumber: exit.reason,
      qualification: exit.qualification,
      rip,
      gpa: ept ? BigInt(exit.gpa) : undefined,
      routedTo,
      handling,
    });
  }

  /** The VM entry, by the code by which any hypervisor's VMRESUME makes it. */
  private enter(): void {
    const { l0, cpu } = this;
    const { state } = l0;
    const { target } = state;
    const vmcs = target === 2 ? l0.vmcs02 : l0.vmcs01;
    cpu.setF64(State.currentVmcs, vmcs.pointer);
    cpu.set32(VmxState.changed, target === 2 ? state.changed02 : state.changed01);
    cpu.set32(State.hostedLevel, target);
    this.failure = undefined;
    this.vmx.vmcs.select(vmcs.pointer);
    enterGuest(this.vmx, cpu, vmcs.launchState === LaunchState.clear ? 'VMLAUNCH' : 'VMRESUME');
    if (cpu.stop !== undefined) return;
    if (!cpu.vmxNonRoot) return this.entryFailed();
    if (target === 2) state.changed02 = 0;
    else state.changed01 = 0;
    state.stage = 'guest';
    state.exit = undefined;
    this.ledger.note(`entry L${target}`, CYCLES.entry);
    if (target === 1 || state.instruction === undefined) return;
    const { instruction } = state;
    state.instruction = undefined;
    const vmcs12 = vmcs12Of(l0);
    if (instruction === 'VMLAUNCH') vmcs12.launchState = LaunchState.launched;
    vmcs12.noteWritten();
    l0.observer.entry(cpu, { instruction, from: state.from, rip: cpu.rip, vmcs: state.vmcs12 });
  }

  private entryFailed(): void {
    const { l0 } = this;
    const { state } = l0;
    const failure = this.failure ?? unreachable('a VM entry of L0 failed and nobody knows why');
    if (state.target === 2 && state.instruction !== undefined && failure.kind === 'exit') {
      failNestedEntry(l0, failure.number, failure.qualification ?? 0n, failure.check);
      return;
    }
    // L1's VM-exit MSR-load area is loaded by the VM entry to L1.
    if (state.target === 1 && failure.number === ExitReason.MSR_LOADING) {
      abort(l0, vmcs12Of(l0), AbortReason.loadingHostMsrs);
      return;
    }
    unreachable(`the hardware refused VMCS0${state.target}: ${failure.check?.name ?? `${failure.kind} ${failure.number}`}`);
  }

  // Looking inside ----------------------------------------------------------------------------------------------------------

  /** VMCS01, VMCS12 and VMCS02 field by field, with the origin of each field of VMCS02. Undefined: L1 has no current VMCS. */
  explain(): readonly (MergedField & { readonly v01: bigint; readonly v12: bigint; readonly v02: bigint })[] | undefined {
    const { l0 } = this;
    if (l0.state.vmcs12 < 0) return undefined;
    const vmcs12 = vmcs12Of(l0);
    const input = mergeInput(l0, vmcs12);
    return VMCS_FIELDS.flatMap((field) => {
      const why = explainField(field, input);
      return why === undefined ? [] : [{ ...why, v01: l0.vmcs01.u64(field), v12: vmcs12.u64(field), v02: l0.vmcs02.u64(field) }];
    });
  }
  /** Leaves of EPT02 with what they were derived from. */
  derivedLeaves(): ReturnType<Ept02['leaves']> {
    return this.l0.ept02.leaves();
  }
  frameList(): ReturnType<FrameTable['list']> {
    return this.frames.list();
  }

  /** Moves a page of the VM to another frame, as compaction does; the old frame is poisoned before it is free. */
  movePage(gpa: number, poison: number): { readonly from: number; readonly to: number; readonly dropped: number } {
    const page = gpa - (gpa % FRAME_BYTES);
    const dropped = this.l0.ept02.forgetFrame(this.guest.toHpa(page));
    this.cpu.mmu.flushAll(this.cpu);
    return { ...this.guest.move(page, poison), dropped };
  }

  save(): HypervisorState {
    return {
      version: STATE_VERSION,
      frames: this.frames.save(),
      ept01Tables: [...this.guest.tables],
      address20Masked: this.guest.address20IsMasked,
      ept02: this.l0.ept02.save(),
      ledger: this.ledger.save(),
      vcpu: { ...this.l0.state, vpids: [...this.l0.state.vpids] },
    };
  }
  restore(state: HypervisorState): void {
    this.frames.restore(state.frames);
    this.guest.restoreTables(state.ept01Tables, state.address20Masked, !state.vcpu.vmxOn);
    this.l0.ept02.restore(state.ept02);
    this.ledger.restore(state.ledger);
    Object.assign(this.l0.state, { ...state.vcpu, vpids: [...state.vcpu.vpids] });
  }
}

const l0IsEnough = (what: ReturnType<typeof handleNestedEpt>): boolean =>
  what === 'fill02' || what === 'fill01' || what === 'virtualization-exception';

function takeVcpuFrames(memory: PhysicalMemory, frames: FrameTable): VcpuFrames {
  const take = (use: Exclude<FrameUse, 'guest'>): number => {
    const hpa = frames.take(use) ?? unreachable('no host memory for a vCPU');
    memory.physWrite(hpa, new Uint8Array(FRAME_BYTES));
    return hpa;
  };
  /** Two frames that follow each other: frames go out from the top down. */
  const pair = (): number => {
    const high = take('msr-list');
    const low = take('msr-list');
    return low + FRAME_BYTES === high ? low : unreachable('the frames of an MSR list do not follow each other');
  };
  const vmxon = take('vmxon');
  return {
    vmxon,
    vmcs01: take('vmcs01'),
    vmcs02: take('vmcs02'),
    shadow: take('shadow-vmcs'),
    msrBitmap: take('msr-bitmap'),
    accessBitmaps: [take('vmcs-bitmap'), take('vmcs-bitmap')],
    entryMsrs02: pair(),
    storeMsrs02: pair(),
    entryMsrs01: pair(),
  };
}

/** The VM's memory in a host that has more than the VM: what L0 needs on top, by its own tables. */
export function hostBytesFor(guestBytes: number, ept02Frames: number): number {
  const tables = Math.ceil(guestBytes / 2 ** 21) + Math.ceil(guestBytes / 2 ** 30) + 2;
  const pages = tables + ept02Frames + ROOM_FOR_REGISTERS + VCPU_FRAMES + SPARE;
  return guestBytes + Math.ceil(pages / 16) * 16 * FRAME_BYTES;
}
/** Tables of EPT01 for what lies outside memory. */
const ROOM_FOR_REGISTERS = 64;
const VCPU_FRAMES = 16;
/** For frames that are passed over, and one to move pages with. */
const SPARE = 16;

export function createEpt01Root(memory: PhysicalMemory, frames: FrameTable): number {
  return EptTables.table(memory, frames, 'ept01') ?? unreachable('no host memory for EPT01');
}
