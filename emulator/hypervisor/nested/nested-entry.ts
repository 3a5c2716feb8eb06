/**
 * VM entries that L1 asks for: the checks of VMCS12 by the rows that hardware checks a VMCS with, and VMCS02 written by the merge rules (SDM volume 3,
 * "VM Entries").
 */
import { paePdptes } from './pae-pdptes';
import { ExitReason } from '../../spec/exit-reasons';
import { Interruptibility } from '../../spec/registers';
import { VmError } from '../../spec/vm-instruction-errors';
import { Field, type VmcsField } from '../../spec/vmcs-fields';
import type { VmxCapabilities } from '../../spec/vmx-capabilities';
import { Secondary } from '../../spec/vmx-controls';
import { ALL_CHANGED } from '../../vmx/changes';
import type { CheckContext } from '../../vmx/checks/check-row';
import { describeFailure } from '../../vmx/checks/entry-checks';
import { secondaryControls } from '../../vmx/intercepts';
import type { FailedCheck } from '../../vmx/observer';
import { LaunchState, type Vmcs } from '../../vmx/vmcs';
import { type L0Context, set02, vmcs12Of } from '../l0-context';
import { MERGE_RULES, type MergeInput } from './merge-rules';
import { copyMsrAreas } from './msr-copies';
import { reflection } from './reflection';
import { collectVmcs12 } from './shadow-vmcs';

/** VPIDs of L0: 1 is L1's, 2 stands for VPID 0000H of L2. */
export const VPID01 = 1;
const VPID_OF_NONE = 2;
const FIRST_VPID = 3;
const VPIDS = 0xfff0;

/** VMCS12 as the check rows look at it: addresses in it are L1's. */
class Vmcs12Checks implements CheckContext {
  readonly pointer: number;
  readonly capabilities: VmxCapabilities;
  readonly ia32eMode: boolean;
  constructor(
    private readonly l0: L0Context,
    private readonly vmcs12: Vmcs,
  ) {
    this.pointer = l0.state.vmcs12;
    this.capabilities = l0.vmx.capabilities;
    this.ia32eMode = l0.l1.longMode;
  }
  u32(field: VmcsField): number {
    return this.vmcs12.u32(field);
  }
  high32(field: VmcsField): number {
    return this.vmcs12.high32(field);
  }
  u64(field: VmcsField): bigint {
    return this.vmcs12.u64(field);
  }
  address(field: VmcsField): number {
    return this.vmcs12.address(field);
  }
  read32(physical: number): number {
    return this.l0.guest.read32(physical);
  }
  read64(physical: number): bigint {
    return this.l0.guest.read64(physical);
  }
}

/** VMLAUNCH or VMRESUME by L1, after the checks for #UD and #GP. @param fail VMfail with an error number, 0: VMfailInvalid. */
export function beginNestedEntry(l0: L0Context, instruction: 'VMLAUNCH' | 'VMRESUME', fail: (error: number) => void): void {
  const { state, l1, observer, cpu } = l0;
  const from = l1.rip;
  collectVmcs12(l0);
  const refuse = (number: number, check?: FailedCheck): void => {
    fail(number);
    const kind = number === 0 ? 'VMfailInvalid' : 'VMfailValid';
    observer.entryFailure(cpu, { instruction, rip: from, kind, number, check, vmcs: number === 0 ? -1 : state.vmcs12 });
  };
  if (state.vmcs12 < 0) return refuse(0);
  const vmcs12 = vmcs12Of(l0);
  if (vmcs12.isShadow) return refuse(0);
  if (l1.vmcs.u32(Field.guestInterruptibilityState) & Interruptibility.blockingByMovSs) return refuse(VmError.blockedByMovSs);
  if (instruction === 'VMLAUNCH' && vmcs12.launchState !== LaunchState.clear) return refuse(VmError.vmlaunchNonClear);
  if (instruction === 'VMRESUME' && vmcs12.launchState !== LaunchState.launched) return refuse(VmError.vmresumeNonLaunched);

  const context = new Vmcs12Checks(l0, vmcs12);
  const refusal = l0.vmx.checks.controlOrHostFailure(context, state.changed12);
  if (refusal) {
    const number = refusal.outcome === 'control' ? VmError.invalidControlFields : VmError.invalidHostState;
    return refuse(number, describeFailure(refusal, context));
  }
  state.instruction = instruction;
  state.from = from;
  const guest = l0.vmx.checks.guestFailure(context, state.changed12);
  if (guest) {
    failNestedEntry(l0, ExitReason.INVALID_GUEST_STATE, BigInt(guest.qualification), describeFailure(guest, context));
    return;
  }
  state.changed12 = 0;
  prepareVmcs02(l0, vmcs12);
  state.inL2 = true;
  state.target = 2;
  state.stage = 'enter';
}

/** "VM-Entry Failures During or After Loading Guest State": L1 sees a VM exit. */
export function failNestedEntry(l0: L0Context, reason: number, qualification: bigint, check?: FailedCheck): void {
  const { state, observer, cpu } = l0;
  observer.entryFailure(cpu, {
    instruction: state.instruction ?? 'VMRESUME',
    rip: state.from,
    kind: 'exit',
    number: reason,
    qualification,
    check,
    vmcs: state.vmcs12,
  });
  state.instruction = undefined;
  state.reflection = reflection({ reason, qualification, entryFailed: true });
  state.stage = 'reflect';
}

/** What the merge rules look at for the VMCS12 that is current. */
export function mergeInput(l0: L0Context, vmcs12: Vmcs): MergeInput {
  const { guest, state } = l0;
  const secondary = secondaryControls(vmcs12);
  const usesEpt = (secondary & Secondary.enableEpt) !== 0;
  // Looked up when they are asked for: looking inside reads no memory of L1.
  let pdptes: ReturnType<typeof paePdptes>;
  let looked = usesEpt;
  return {
    vmcs12,
    vmcs01: l0.vmcs01,
    toHpa: (gpa) => guest.toHpa(gpa),
    eptPointer: () =>
      usesEpt ? l0.ept02.use(vmcs12.address(Field.eptPointer), (secondary & Secondary.modeBasedExecuteControl) !== 0) : guest.eptp,
    vpid: () => (secondary & Secondary.enableVpid ? vpidFor(l0, vmcs12.u32(Field.virtualProcessorIdentifier)) : VPID_OF_NONE),
    pdpte: (n) => {
      if (!looked) pdptes = paePdptes(guest, vmcs12);
      looked = true;
      return pdptes?.[n];
    },
    entryMsrs: { hpa: l0.pages.entryMsrs02, count: vmcs12.u32(Field.vmEntryMsrLoadCount) },
    exitStoreMsrs: {
      hpa: l0.pages.storeMsrs02,
      count: state.unstorable > 0 ? state.unstorable - 1 : vmcs12.u32(Field.vmExitMsrStoreCount),
    },
  };
}

function vpidFor(l0: L0Context, vpid12: number): number {
  const { vpids } = l0.state;
  let at = vpids.indexOf(vpid12);
  if (at < 0) {
    if (vpids.length === VPIDS) {
      vpids.length = 0;
      l0.cpu.mmu.flushAll(l0.cpu);
    }
    at = vpids.push(vpid12) - 1;
  }
  return FIRST_VPID + at;
}

/** Writes VMCS02 for a VM entry that L1 asked for. */
function prepareVmcs02(l0: L0Context, vmcs12: Vmcs): void {
  copyMsrAreas(l0, vmcs12);
  const input = mergeInput(l0, vmcs12);
  const { vmcs02, state } = l0;
  for (const rule of MERGE_RULES) {
    if (rule.copies) state.changed02 |= vmcs02.saveHalves(rule.field, vmcs12.u32(rule.field), vmcs12.high32(rule.field));
    else set02(l0, rule.field, rule.value(input));
  }
  // RFLAGS.VM has a change bit of its own.
  if (state.changed02 !== 0) state.changed02 = ALL_CHANGED;
  vmcs02.noteWritten();
  // Without VPIDs a VM entry drops what is cached for VPID 0000H, which L1 and L2 share then.
  if (!(secondaryControls(vmcs12) & Secondary.enableVpid)) l0.cpu.mmu.flushAll(l0.cpu);
}
