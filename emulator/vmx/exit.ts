/** Committing a VM exit: SDM volume 3, "VM Exits": records why, saves the guest, loads the host. Not modelled: SMM. */
import type { Cpu } from '../cpu/cpu';
import { exitReasonName, ENTRY_FAILURE_BIT, ExitReason } from '../spec/exit-reasons';
import { Activity, EventType, FAULT_CLASS_VECTORS, Interruptibility, Vector } from '../spec/registers';
import { Flag, State } from '../spec/vcpu-state';
import { VMX_ABORT_REASONS } from '../spec/vmcs-formats';
import { Field } from '../spec/vmcs-fields';
import { saveEptState } from './ept-state';
import { saveGuestRegisters, saveSlot } from './guest-state';
import { loadHostState } from './host-state';
import type { ExitDecision } from './intercepts';
import { loadMsrArea, storeMsrArea } from './msr-areas';
import { stopPreemptionTimer } from './preemption-timer';
import type { Vmcs } from './vmcs';
import { currentVmcs, type VmxContext } from './vmx-context';
import { VmxState } from './vmx-state';

const VALID = 0x8000_0000;
const NMI_UNBLOCKING = 1n << 12n;
/** Pending-debug bits that are recorded: B0..B3, enabled breakpoint, BS. */
const PENDING_DEBUG_BITS = 0x500f;
const PENDING_BS = 0x4000;
const DEBUGCTL_BTF = 2;
const isDebugException = (d: ExitDecision): boolean =>
  d.reason === ExitReason.EXCEPTION_NMI && (d.interruptionInformation & 0xff) === Vector.DB;
/** VM exits after which debug exceptions of the instruction before are still pending. */
const KEEPS_PENDING_DEBUG: ReadonlySet<number> = new Set([
  ExitReason.INIT_SIGNAL,
  ExitReason.TPR_BELOW_THRESHOLD,
  ExitReason.VIRTUALIZED_EOI,
  ExitReason.APIC_WRITE,
  ExitReason.MONITOR_TRAP_FLAG,
]);
/** VMX-abort indicators: SDM "VMX Aborts". */
const AbortReason = { savingMsrs: 1, hostPdptes: 2, loadingHostMsrs: 4 } as const;

export function commitExit(vmx: VmxContext, cpu: Cpu, decision: ExitDecision): void {
  const vmcs = currentVmcs(vmx, cpu);
  const rip = cpu.rip;
  const vectoring = decision.duringDelivery ? cpu.get32(State.vectoringInfo) : 0;
  const instructionLength = recordInformation(cpu, vmcs, decision, vectoring);
  const changed = saveGuestRegisters(cpu, vmcs, rflagsImage(cpu, decision, vectoring)) | saveNonRegisterState(cpu, vmcs, decision);
  cpu.u32[VmxState.changed >> 2] |= changed;
  stopPreemptionTimer(vmx, cpu, vmcs);
  // TSC offsetting and scaling are for the guest's instructions: the MSR-store area gets the counter itself.
  cpu.set64(VmxState.tscOffset, 0n);
  cpu.set64(VmxState.tscMultiplier, 0n);
  const { vmcs: view } = vmx;
  const stored = storeMsrArea(vmx, cpu, view.address(Field.vmExitMsrStoreAddress), view.u32(Field.vmExitMsrStoreCount));
  vmx.clock.charge(cpu, 'exit');
  loadHost(vmx, cpu, vmcs, stored, decision);
  vmx.observer.exit(cpu, {
    reason: exitReasonName(decision.reason),
    reasonNumber: decision.reason,
    qualification: decision.qualification,
    rip,
    gpa: decision.gpa === undefined ? undefined : BigInt(decision.gpa),
    linear: decision.linear,
    instructionLength,
    interruptionInfo: decision.interruptionInformation,
    interruptionError: decision.interruptionErrorCode,
    vmcs: vmcs.pointer,
  });
}

/** A VM entry that failed after the guest state was checked: SDM "VM-Entry Failures During or After Loading Guest State". */
export function commitEntryFailure(vmx: VmxContext, cpu: Cpu, reason: number, qualification: number): void {
  const vmcs = currentVmcs(vmx, cpu);
  vmcs.setU32(Field.vmExitReason, (reason | ENTRY_FAILURE_BIT) >>> 0);
  vmcs.setHalves(Field.exitQualification, qualification, 0);
  vmcs.noteWritten();
  vmx.clock.charge(cpu, 'exit');
  loadHost(vmx, cpu, vmcs, 0, undefined);
}

function loadHost(vmx: VmxContext, cpu: Cpu, vmcs: Vmcs, storedEntry: number, decision: ExitDecision | undefined): void {
  if (storedEntry !== 0) {
    abort(vmx, cpu, vmcs, AbortReason.savingMsrs);
    return;
  }
  const byNmi = decision?.reason === ExitReason.EXCEPTION_NMI && ((decision.interruptionInformation >>> 8) & 7) === EventType.nmi;
  if (!loadHostState(cpu, vmcs, byNmi)) {
    abort(vmx, cpu, vmcs, AbortReason.hostPdptes);
    return;
  }
  const count = vmcs.u32(Field.vmExitMsrLoadCount);
  if (count === 0) return;
  if (loadMsrArea(vmx, cpu, vmcs.address(Field.vmExitMsrLoadAddress), count) !== 0) abort(vmx, cpu, vmcs, AbortReason.loadingHostMsrs);
  else cpu.modeChanged();
}

/** SDM "VMX Aborts": the indicator goes to the VMCS region and the processor to the shutdown state. */
function abort(vmx: VmxContext, cpu: Cpu, vmcs: Vmcs, indicator: number): void {
  vmcs.abortIndicator = indicator;
  vmcs.noteWritten();
  cpu.set32(State.activity, Activity.shutdown);
  vmx.observer.abort?.(cpu, indicator, VMX_ABORT_REASONS[indicator]);
}

/** Writes the VM-exit information fields; fields that the manual leaves undefined become 0. Returns the instruction length. */
function recordInformation(cpu: Cpu, vmcs: Vmcs, d: ExitDecision, vectoring: number): number {
  const isVectoring = (vectoring & VALID) !== 0;
  const vectoringType = (vectoring >>> 8) & 7;
  // An exit during delivery of a software interrupt or exception reports the length of that instruction.
  const softwareDelivery = isVectoring && vectoringType >= EventType.softwareInterrupt && vectoringType <= EventType.softwareException;
  const length = softwareDelivery ? cpu.get32(State.vectoringLength) : d.instructionLength;
  const unblocked = nmiUnblocking(cpu, d, isVectoring);
  vmcs.setU32(Field.vmExitReason, d.reason);
  vmcs.setU64(Field.exitQualification, unblocked === 'qualification' ? d.qualification | NMI_UNBLOCKING : d.qualification);
  vmcs.setU64(Field.guestLinearAddress, d.linear ?? 0n);
  vmcs.setU64(Field.guestPhysicalAddress, d.gpa === undefined ? 0n : BigInt(d.gpa));
  const information =
    unblocked === 'interruption information' ? d.interruptionInformation | Number(NMI_UNBLOCKING) : d.interruptionInformation;
  vmcs.setU32(Field.vmExitInterruptionInformation, information);
  vmcs.setU32(Field.vmExitInterruptionErrorCode, d.interruptionErrorCode);
  vmcs.setU32(Field.idtVectoringInformation, isVectoring ? vectoring & 0x8000_0fff : 0);
  vmcs.setU32(Field.idtVectoringErrorCode, isVectoring && vectoring & 0x800 ? cpu.get32(State.vectoringError) : 0);
  vmcs.setU32(Field.vmExitInstructionLength, length);
  vmcs.setU32(Field.vmExitInstructionInformation, d.instructionInformation);
  // SDM "Saving Guest State": VM exits clear the valid bit of the VM-entry interruption-information field.
  const injection = vmcs.u32(Field.vmEntryInterruptionInformation);
  cpu.u32[VmxState.changed >> 2] |= vmcs.saveHalves(Field.vmEntryInterruptionInformation, injection & ~VALID, 0);
  return length;
}

/**
 * Where “NMI unblocking due to IRET” is reported: the fault or EPT violation of an IRET that ended blocking by NMI, or virtual-NMI blocking, and no
 * exit during event delivery and no double fault ("Information About NMI Unblocking Due to IRET").
 */
function nmiUnblocking(cpu: Cpu, d: ExitDecision, delivering: boolean): 'interruption information' | 'qualification' | undefined {
  if (cpu.get32(State.nmiUnblocked) === 0 || delivering) return undefined;
  if (d.reason === ExitReason.EXCEPTION_NMI)
    return (d.interruptionInformation & 0xff) === Vector.DF ? undefined : 'interruption information';
  return d.reason === ExitReason.EPT_VIOLATION || d.reason === ExitReason.PML_FULL ? 'qualification' : undefined;
}

/** RFLAGS as it is saved: SDM "Saving RIP, RSP, RFLAGS, and SSP". */
function rflagsImage(cpu: Cpu, d: ExitDecision, vectoring: number): number {
  const flags = cpu.flags;
  switch (d.resumeFlag) {
    case 'clear':
      return flags & ~Flag.RF;
    case 'set':
      return flags | Flag.RF;
    case 'keep':
      return flags;
    case 'set-unless-delivering': {
      if (!(vectoring & VALID)) return flags | Flag.RF;
      const fault = ((vectoring >>> 8) & 7) === EventType.hardwareException && FAULT_CLASS_VECTORS.includes(vectoring & 0xff);
      return fault ? flags | Flag.RF : flags;
    }
  }
}

function saveNonRegisterState(cpu: Cpu, vmcs: Vmcs, d: ExitDecision): number {
  const interruptibility = cpu.get32(State.interruptibility);
  let changed = vmcs.saveHalves(Field.guestActivityState, cpu.get32(State.activity), 0);
  changed |= vmcs.saveHalves(Field.guestInterruptibilityState, interruptibility, 0);
  // SDM "Saving Non-Register State": debug exceptions stay pending across these VM exits, and while MOV SS blocks them.
  const heldOff = (interruptibility & Interruptibility.blockingByMovSs) !== 0;
  let pending = KEEPS_PENDING_DEBUG.has(d.reason) || heldOff ? cpu.get32(State.pendingDebug) & PENDING_DEBUG_BITS : 0;
  // MOV SS holds off the single-step trap too, which VM entry demands to be pending then.
  const singleStepping = (cpu.flags & Flag.TF) !== 0 && (cpu.get32(State.debugctl) & DEBUGCTL_BTF) === 0;
  if (heldOff && singleStepping && !isDebugException(d)) pending |= PENDING_BS;
  changed |= vmcs.saveHalves(Field.guestPendingDebugExceptions, pending, 0);
  if (cpu.getF64(State.eptPointer) !== 0 && !cpu.longMode) {
    const pdptes = [Field.guestPdpte0, Field.guestPdpte1, Field.guestPdpte2, Field.guestPdpte3];
    pdptes.forEach((field, n) => (changed |= saveSlot(cpu, State.pdpte + n * 8, vmcs, field)));
  }
  saveEptState(cpu, vmcs);
  vmcs.noteWritten();
  return changed;
}
