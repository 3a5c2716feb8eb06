/**
 * VM entry: SDM volume 3, "VM Entries": the checks, loading the guest, event injection.
 */
import type { Cpu } from '../cpu/cpu';
import { Outcome } from '../cpu/outcome';
import { paePaging } from '../mmu/guest-access';
import { ExitReason } from '../spec/exit-reasons';
import { EventType, Interruptibility } from '../spec/registers';
import { State } from '../spec/vcpu-state';
import { VmError } from '../spec/vm-instruction-errors';
import { OTHER_EVENT } from '../spec/vmcs-formats';
import { Field } from '../spec/vmcs-fields';
import { Pin, Primary, Secondary } from '../spec/vmx-controls';
import type { CheckContext, CheckRow } from './checks/check-row';
import { describeFailure } from './checks/entry-checks';
import { vmcsCheckContext } from './checks/vmcs-check-context';
import { loadEptState } from './ept-state';
import { commitEntryFailure } from './exit';
import { loadGuestRegisters, loadSlot } from './guest-state';
import { secondaryControls } from './intercepts';
import { loadMsrArea } from './msr-areas';
import type { FailedCheck } from './observer';
import { LaunchState, type Vmcs } from './vmcs';
import { currentPointer, currentVmcs, type VmxContext } from './vmx-context';
import { vmFailInvalid, vmFailValid } from './vm-flags';
import { startPreemptionTimer } from './preemption-timer';
import { enterWithVirtualApic } from './virtual-apic';
import { Boundary, GuestFact, MonitorTrap, VmxMode, VmxState } from './vmx-state';

type EntryInstruction = 'VMLAUNCH' | 'VMRESUME';

/** VMLAUNCH or VMRESUME in VMX root operation, after the checks for #UD and #GP. */
export function enterGuest(vmx: VmxContext, cpu: Cpu, instruction: EntryInstruction): Outcome {
  const from = cpu.rip;
  // No current VMCS, or a shadow VMCS.
  if (currentPointer(cpu) < 0 || currentVmcs(vmx, cpu).isShadow) {
    vmFailInvalid(cpu);
    vmx.observer.entryFailure(cpu, { instruction, rip: from, kind: 'VMfailInvalid', number: 0, vmcs: -1 });
    return Outcome.next;
  }
  const vmcs = currentVmcs(vmx, cpu);
  const refuse = (number: number, check?: FailedCheck): Outcome => {
    vmFailValid(vmx, cpu, number);
    vmx.observer.entryFailure(cpu, { instruction, rip: from, kind: 'VMfailValid', number, check, vmcs: vmcs.pointer });
    return Outcome.next;
  };
  if (cpu.get32(State.interruptibility) & Interruptibility.blockingByMovSs) return refuse(VmError.blockedByMovSs);
  if (instruction === 'VMLAUNCH' && vmcs.launchState !== LaunchState.clear) return refuse(VmError.vmlaunchNonClear);
  if (instruction === 'VMRESUME' && vmcs.launchState !== LaunchState.launched) return refuse(VmError.vmresumeNonLaunched);

  const context = vmcsCheckContext(vmx, cpu, vmcs);
  const changed = cpu.get32(VmxState.changed);
  const refusal = vmx.checks.controlOrHostFailure(context, changed);
  if (refusal) {
    return refuse(
      refusal.outcome === 'control' ? VmError.invalidControlFields : VmError.invalidHostState,
      describeFailure(refusal, context),
    );
  }
  const guest = vmx.checks.guestFailure(context, changed);
  if (guest) return failEntry(vmx, cpu, instruction, from, ExitReason.INVALID_GUEST_STATE, guest.qualification, guest, context);
  cpu.set32(VmxState.changed, 0);

  return loadGuest(vmx, cpu, vmcs, instruction, from);
}

function failEntry(
  vmx: VmxContext,
  cpu: Cpu,
  instruction: EntryInstruction,
  from: bigint,
  reason: number,
  qualification: number,
  row: CheckRow | undefined,
  context: CheckContext | undefined,
): Outcome {
  const check = row && context ? describeFailure(row, context) : undefined;
  commitEntryFailure(vmx, cpu, reason, qualification);
  vmx.observer.entryFailure(cpu, {
    instruction,
    rip: from,
    kind: 'exit',
    number: reason,
    qualification: BigInt(qualification),
    check,
    vmcs: currentPointer(cpu),
  });
  return Outcome.exited;
}

function loadGuest(vmx: VmxContext, cpu: Cpu, vmcs: Vmcs, instruction: EntryInstruction, from: bigint): Outcome {
  const msrCount = vmcs.u32(Field.vmEntryMsrLoadCount);
  // Kept so that a stop in the middle of the MSR area leaves the step undone.
  const before = msrCount > 0 ? cpu.u32.slice(0, State.tlb >> 2) : undefined;
  loadGuestRegisters(cpu, vmcs);
  if (before) {
    const failed = loadMsrArea(vmx, cpu, vmcs.address(Field.vmEntryMsrLoadAddress), msrCount);
    if (cpu.stop !== undefined) {
      cpu.u32.set(before);
      return Outcome.stopped;
    }
    if (failed !== 0) {
      const check = msrFailure(vmx, vmcs, failed);
      commitEntryFailure(vmx, cpu, ExitReason.MSR_LOADING, failed);
      vmx.observer.entryFailure(cpu, {
        instruction,
        rip: from,
        kind: 'exit',
        number: ExitReason.MSR_LOADING,
        qualification: BigInt(failed),
        check,
        vmcs: vmcs.pointer,
      });
      return Outcome.exited;
    }
  }
  const secondary = secondaryControls(vmcs);
  const usesEpt = (secondary & Secondary.enableEpt) !== 0;
  const usesVpid = (secondary & Secondary.enableVpid) !== 0;
  cpu.set32(State.vmxMode, VmxMode.nonRoot);
  loadEptState(cpu, vmcs, secondary);
  if (paePaging(cpu)) loadPdptes(cpu, vmcs, usesEpt);
  loadNonRegisterState(cpu, vmcs);
  if (instruction === 'VMLAUNCH') vmcs.launchState = LaunchState.launched;
  vmcs.noteWritten();
  cpu.modeChanged();
  // SDM "Operations that Invalidate Cached Mappings": without VPIDs, VM entries invalidate what is cached for VPID 0000H.
  if (!usesVpid) cpu.mmu.flushCurrentContext(cpu);
  enterWithVirtualApic(vmx, cpu, vmcs, secondary);
  vmx.clock.charge(cpu, 'entry');
  startPreemptionTimer(vmx, cpu, vmcs);
  vmx.observer.entry(cpu, { instruction, from, rip: cpu.rip, vmcs: vmcs.pointer });
  return Outcome.jumped;
}

/** "Loading Page-Directory-Pointer-Table Entries": with EPT from the VMCS, else from memory, where the entry's checks have found them valid. */
function loadPdptes(cpu: Cpu, vmcs: Vmcs, usesEpt: boolean): void {
  if (!usesEpt) {
    cpu.mmu.loadPdptes(cpu, cpu.cr3);
    return;
  }
  const fields = [Field.guestPdpte0, Field.guestPdpte1, Field.guestPdpte2, Field.guestPdpte3];
  fields.forEach((field, n) => cpu.set64(State.pdpte + 8 * n, vmcs.u64(field)));
}

/** Activity, interruptibility, pending debug exceptions, the event to be injected, MTF and windows. */
function loadNonRegisterState(cpu: Cpu, vmcs: Vmcs): void {
  const primary = vmcs.u32(Field.primaryProcessorBasedVmExecutionControls);
  const info = vmcs.u32(Field.vmEntryInterruptionInformation);
  const valid = (info & 0x8000_0000) !== 0;
  const type = (info >>> 8) & 7;
  const vectoring = valid && type !== OTHER_EVENT;
  let interruptibility = vmcs.u32(Field.guestInterruptibilityState) & 0xf;
  // Injection of an NMI blocks NMIs.
  if (vectoring && type === EventType.nmi) interruptibility |= Interruptibility.blockingByNmi;
  cpu.set32(State.interruptibility, interruptibility);
  const activity = vmcs.u32(Field.guestActivityState);
  // After a vectoring VM entry the processor is in the active state.
  cpu.set32(State.activity, vectoring ? 0 : activity);
  cpu.set32(State.pendingEventInfo, vectoring ? info : 0);
  cpu.set32(State.pendingEventError, vmcs.u32(Field.vmEntryExceptionErrorCode));
  cpu.set32(State.pendingEventLength, vmcs.u32(Field.vmEntryInstructionLength));
  const keepsDebug = debugExceptionsStay(vectoring, type, interruptibility, activity);
  cpu.set32(State.pendingDebug, keepsDebug ? vmcs.u32(Field.guestPendingDebugExceptions) : 0);

  const trapInjected = valid && type === OTHER_EVENT;
  const trap = (primary & Primary.monitorTrapFlag) !== 0;
  cpu.set32(
    VmxState.monitorTrap,
    trapInjected || (trap && vectoring) ? MonitorTrap.due : trap ? MonitorTrap.untilFirstBoundary : MonitorTrap.off,
  );
  cpu.setF64(VmxState.trapSteps, 0);
  // "Clearing Address-Range Monitoring"
  cpu.set32(State.monitorArmed, 0);
  let boundary = cpu.get32(State.boundary) & 1;
  if (trap || trapInjected) boundary |= Boundary.monitorTrap;
  if (primary & Primary.interruptWindowExiting) boundary |= Boundary.window;
  if (primary & Primary.nmiWindowExiting) boundary |= Boundary.nmiWindow;
  cpu.set32(State.boundary, boundary);
  const pin = vmcs.u32(Field.pinBasedVmExecutionControls);
  cpu.set32(VmxState.facts, (pin & Pin.nmiExiting ? GuestFact.nmiExiting : 0) | (pin & Pin.virtualNmis ? GuestFact.virtualNmis : 0));
  cpu.setF64(VmxState.lastPause, 0);
  const offsets = (primary & Primary.useTscOffsetting) !== 0;
  if (offsets) loadSlot(cpu, VmxState.tscOffset, vmcs, Field.tscOffset);
  else cpu.set64(VmxState.tscOffset, 0n);
  if (offsets && secondaryControls(vmcs) & Secondary.useTscScaling) loadSlot(cpu, VmxState.tscMultiplier, vmcs, Field.tscMultiplier);
  else cpu.set64(VmxState.tscMultiplier, 0n);
}

/** SDM "Delivery of Pending Debug Exceptions after VM Entry": when the field says nothing, there are none. */
function debugExceptionsStay(vectoring: boolean, type: number, interruptibility: number, activity: number): boolean {
  if (!vectoring) return activity < 2;
  if (type !== EventType.softwareInterrupt && type !== EventType.softwareException) return false;
  return (interruptibility & Interruptibility.blockingByMovSs) !== 0;
}

function msrFailure(vmx: VmxContext, vmcs: Vmcs, entry: number): FailedCheck {
  const address = vmcs.address(Field.vmEntryMsrLoadAddress) + (entry - 1) * 16;
  return {
    name: `VM-entry MSR-load area: entry ${entry}`,
    section: 'Loading MSRs',
    sentence:
      'Each entry of the VM-entry MSR-load area must name an MSR that WRMSR could write with this value, other than IA32_FS_BASE and IA32_GS_BASE, and bits 63:32 must be 0.',
    fields: [
      { name: 'MSR index', value: BigInt(vmx.memory.read32(address)) },
      { name: 'bits 63:32', value: BigInt(vmx.memory.read32(address + 4)) },
      { name: 'MSR data', value: vmx.memory.read64(address + 8) },
      { name: Field.vmEntryMsrLoadAddress.name, value: vmcs.u64(Field.vmEntryMsrLoadAddress) },
    ],
  };
}
