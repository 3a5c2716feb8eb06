/**
 * A VM exit of L2 as L1 sees it: exit information and guest state into VMCS12, L1's host state into VMCS01, so that L1 goes on at its host RIP (SDM
 * volume 3, "VM Exits": "Recording VM-Exit Information", "Saving Guest State", "Loading Host State").
 */
import { ENTRY_FAILURE_BIT, ExitReason, exitReasonName } from '../../spec/exit-reasons';
import { EventType } from '../../spec/registers';
import { Flag, State } from '../../spec/vcpu-state';
import { VMX_ABORT_REASONS } from '../../spec/vmcs-formats';
import { Field, VMCS_FIELDS, type VmcsField } from '../../spec/vmcs-fields';
import { EntryControl, ExitControl, Pin, Secondary } from '../../spec/vmx-controls';
import { VIRTUAL_8086_CHANGED } from '../../vmx/changes';
import { secondaryControls } from '../../vmx/intercepts';
import type { Vmcs } from '../../vmx/vmcs';
import { type L0Context, set12, vmcs12Of } from '../l0-context';
import type { Reflection } from '../vcpu-state';
import { loadL1HostState } from './l1-host-state';
import { copyMsrArea } from './msr-copies';
import { exposeVmcs12 } from './shadow-vmcs';

const VALID = 0x8000_0000;
const ENTRY_BYTES = 16;
/** VMX-abort indicators: SDM "VMX Aborts". */
export const AbortReason = { savingMsrs: 1, hostPdptes: 2, loadingHostMsrs: 4 } as const;

/** Guest state that a VM exit saves only if the control is 1. */
const SAVED_BY: ReadonlyMap<VmcsField, number> = new Map<VmcsField, number>([
  [Field.guestDr7, ExitControl.saveDebugControls],
  [Field.guestIa32Debugctl, ExitControl.saveDebugControls],
  [Field.guestIa32Pat, ExitControl.saveIa32Pat],
  [Field.guestIa32Efer, ExitControl.saveIa32Efer],
  [Field.vmxPreemptionTimerValue, ExitControl.saveVmxPreemptionTimerValue],
]);
const PDPTES: readonly VmcsField[] = [Field.guestPdpte0, Field.guestPdpte1, Field.guestPdpte2, Field.guestPdpte3];
/** L0 keeps the index of L1's page-modification log in VMCS12 itself. */
const SAVED: readonly VmcsField[] = VMCS_FIELDS.filter(
  (f) => f.type === 'guest' && f !== Field.vmcsLinkPointer && f !== Field.pmlIndex && !PDPTES.includes(f),
);

/** Carries out `state.reflection`. False: a VMX abort. */
export function reflect(l0: L0Context): boolean {
  const { state, vmcs02, observer, cpu } = l0;
  const r = state.reflection;
  if (r === undefined) return true;
  const vmcs12 = vmcs12Of(l0);
  const rip = vmcs02.u64(Field.guestRip);
  set12(l0, vmcs12, Field.vmExitReason, BigInt((r.reason | (r.entryFailed ? ENTRY_FAILURE_BIT : 0)) >>> 0));
  set12(l0, vmcs12, Field.exitQualification, r.qualification);
  if (!r.entryFailed) {
    recordInformation(l0, vmcs12, r);
    saveGuestState(l0, vmcs12);
    if (!storeMsrs(l0, vmcs12)) return abort(l0, vmcs12, AbortReason.savingMsrs);
  }
  const byNmi = r.reason === ExitReason.EXCEPTION_NMI && ((r.interruption >>> 8) & 7) === EventType.nmi;
  if (!loadL1HostState(l0, vmcs12, byNmi, r.entryFailed ? r.reason : 0)) return abort(l0, vmcs12, AbortReason.hostPdptes);
  copyMsrArea(l0, vmcs12.address(Field.vmExitMsrLoadAddress), vmcs12.u32(Field.vmExitMsrLoadCount), l0.pages.entryMsrs01);
  l0.l1.set(Field.vmEntryMsrLoadAddress, BigInt(l0.pages.entryMsrs01));
  l0.l1.set(Field.vmEntryMsrLoadCount, vmcs12.u64(Field.vmExitMsrLoadCount));
  vmcs12.noteWritten();
  exposeVmcs12(l0);
  if (!(secondaryControls(vmcs12) & Secondary.enableVpid)) cpu.mmu.flushAll(cpu);
  state.inL2 = false;
  state.target = 1;
  state.reflection = undefined;
  if (r.entryFailed) return true;
  observer.exit(cpu, {
    reason: exitReasonName(r.reason),
    reasonNumber: r.reason,
    qualification: r.qualification,
    rip,
    gpa: r.reason === ExitReason.EPT_VIOLATION || r.reason === ExitReason.EPT_MISCONFIGURATION ? BigInt(r.gpa) : undefined,
    linear: hasLinear(r) ? r.linear : undefined,
    instructionLength: r.length,
    interruptionInfo: r.interruption,
    interruptionError: r.interruptionError,
    vmcs: state.vmcs12,
  });
  return true;
}

/** Exits whose guest-linear address is valid. */
function hasLinear(r: Reflection): boolean {
  switch (r.reason) {
    case ExitReason.EPT_VIOLATION:
      return (r.qualification & 0x80n) !== 0n;
    case ExitReason.IO_INSTRUCTION:
      return (r.qualification & 0x10n) !== 0n;
    case ExitReason.APIC_ACCESS:
      return ((r.qualification >> 12n) & 15n) < 10n;
    case ExitReason.CR_ACCESS:
      return (r.qualification & 0x70n) === 0x70n;
    default:
      return false;
  }
}

function recordInformation(l0: L0Context, vmcs12: Vmcs, r: Reflection): void {
  const set = (field: VmcsField, value: bigint): void => set12(l0, vmcs12, field, value);
  set(Field.guestLinearAddress, r.linear);
  set(Field.guestPhysicalAddress, BigInt(r.gpa));
  set(Field.vmExitInterruptionInformation, BigInt(r.interruption));
  set(Field.vmExitInterruptionErrorCode, BigInt(r.interruptionError));
  set(Field.idtVectoringInformation, BigInt(r.vectoring));
  set(Field.idtVectoringErrorCode, BigInt(r.vectoringError));
  set(Field.vmExitInstructionLength, BigInt(r.length));
  set(Field.vmExitInstructionInformation, BigInt(r.information));
  set(Field.vmEntryInterruptionInformation, BigInt((vmcs12.u32(Field.vmEntryInterruptionInformation) & ~VALID) >>> 0));
}

/** VMCS02 → VMCS12: what a VM exit of L1's guest saves. */
function saveGuestState(l0: L0Context, vmcs12: Vmcs): void {
  const { vmcs02, state } = l0;
  const exit = vmcs12.u32(Field.primaryVmExitControls);
  const copy = (field: VmcsField): void => {
    state.changed12 |= vmcs12.saveHalves(field, vmcs02.u32(field), vmcs02.high32(field));
  };
  if ((vmcs12.u32(Field.guestRflags) ^ vmcs02.u32(Field.guestRflags)) & Flag.VM) state.changed12 |= VIRTUAL_8086_CHANGED;
  const timer = (vmcs12.u32(Field.pinBasedVmExecutionControls) & Pin.activateVmxPreemptionTimer) !== 0;
  for (const field of SAVED) {
    const control = SAVED_BY.get(field);
    if (control !== undefined && (exit & control) === 0) continue;
    if (field === Field.vmxPreemptionTimerValue && !timer) continue;
    copy(field);
  }
  const ia32e = vmcs02.u32(Field.vmEntryControls) & EntryControl.ia32eModeGuest;
  const entry = (vmcs12.u32(Field.vmEntryControls) & ~EntryControl.ia32eModeGuest) | ia32e;
  set12(l0, vmcs12, Field.vmEntryControls, BigInt(entry >>> 0));
  if (secondaryControls(vmcs12) & Secondary.enableEpt && ia32e === 0) PDPTES.forEach(copy);
}

/** What hardware has stored goes to L1's area. False: one of its entries cannot be stored. */
function storeMsrs(l0: L0Context, vmcs12: Vmcs): boolean {
  const { state, guest, cpu, pages } = l0;
  const to = vmcs12.address(Field.vmExitMsrStoreAddress);
  const count = state.unstorable > 0 ? state.unstorable - 1 : vmcs12.u32(Field.vmExitMsrStoreCount);
  for (let n = 0; n < count; n++) guest.write64(to + n * ENTRY_BYTES + 8, cpu.memory.read64(pages.storeMsrs02 + n * ENTRY_BYTES + 8));
  return state.unstorable === 0;
}

/** A VMX abort of L1: the indicator goes to VMCS12, and the processor to the shutdown state. */
export function abort(l0: L0Context, vmcs12: Vmcs, indicator: number): false {
  vmcs12.abortIndicator = indicator;
  vmcs12.noteWritten();
  l0.cpu.set32(State.activity, 2);
  l0.observer.abort?.(l0.cpu, indicator, VMX_ABORT_REASONS[indicator]);
  return false;
}
