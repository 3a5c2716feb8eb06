/**
 * VM exits of L2 that L0 deals with: EPT violations, which are L1's only if EPT12 says so, and VM functions (SDM volume 3, "EPT Violations",
 * "Virtualization Exceptions", "VM Functions"). What L1 must know ends as a reflection.
 */
import { ExitReason } from '../../spec/exit-reasons';
import { EptViolation } from '../../spec/ept';
import { EventType, Interruptibility, Vector } from '../../spec/registers';
import { Field } from '../../spec/vmcs-fields';
import { Secondary } from '../../spec/vmx-controls';
import { unreachable } from '../../user-error';
import { eptpValid } from '../../vmx/checks/control-checks';
import { secondaryControls } from '../../vmx/intercepts';
import type { Vmcs } from '../../vmx/vmcs';
import { GuestRegisters } from '../guest-registers';
import { type L0Context, redeliver, set02, set12, vmcs12Of } from '../l0-context';
import { CYCLES } from '../ledger';
import type { ExitInformation } from '../vcpu-state';
import type { Logging } from './ept02';
import { reflection, reflectionOf } from './reflection';

const RAX = 0;
const RCX = 1;
const VALID = 0x8000_0000;
const EPTP_LIST_ENTRIES = 512;
const LOG_ENTRIES = 512;
/** Bits of the qualification that say what EPT12 allows; the others are about the access. */
const ALLOWED_BITS = BigInt(EptViolation.readable | EptViolation.writable | EptViolation.executable | EptViolation.userExecutable);
/** SDM table "Format of the Virtualization-Exception Information Area". */
const Area = { reason: 0, busy: 4, qualification: 8, linear: 16, guestPhysical: 24, eptpIndex: 32 } as const;

/** How an EPT violation of L2 was dealt with, for trace and ledger. */
export type EptClass = 'fill02' | 'fill01' | 'reflect' | 'misconfiguration' | 'log-full' | 'virtualization-exception';

export function handleNestedEpt(l0: L0Context, exit: ExitInformation): EptClass {
  const { state } = l0;
  const vmcs12 = vmcs12Of(l0);
  const secondary = secondaryControls(vmcs12);
  if (exit.reason === ExitReason.EPT_MISCONFIGURATION) unreachable('EPT02 is misconfigured');
  if (!(secondary & Secondary.enableEpt)) {
    // L1 shadows L2's page tables itself: what is missing is L0's.
    l0.guest.map(exit.gpa);
    return resumeL2(l0, exit, 'fill01');
  }
  const modeBased = (secondary & Secondary.modeBasedExecuteControl) !== 0;
  const bits = Number(exit.qualification & 7n);
  const logging = secondary & Secondary.enablePml ? logOf(l0, vmcs12) : undefined;
  const result = l0.ept02.compose(vmcs12.address(Field.eptPointer), modeBased, exit.gpa, bits, logging);
  switch (result.kind) {
    case 'fill':
      l0.ledger.note('walk references of EPT02 fills', 8 * CYCLES.walkReference);
      return resumeL2(l0, exit, 'fill02');
    case 'reflect': {
      const { allowed } = result;
      const user = modeBased && allowed & 8 ? BigInt(EptViolation.userExecutable) : 0n;
      const qualification = (exit.qualification & ~ALLOWED_BITS) | (BigInt(allowed & 7) << 3n) | user;
      if (result.convertible && becomesException(l0, vmcs12, exit, qualification)) return 'virtualization-exception';
      state.reflection = reflection({ ...reflectionOf(exit), qualification });
      state.stage = 'reflect';
      return 'reflect';
    }
    case 'misconfiguration':
      state.reflection = reflection({ ...reflectionOf(exit), reason: ExitReason.EPT_MISCONFIGURATION, qualification: 0n, linear: 0n });
      state.stage = 'reflect';
      return 'misconfiguration';
    case 'log-full': {
      const qualification = exit.qualification & BigInt(EptViolation.nmiUnblocking);
      state.reflection = reflection({ ...reflectionOf(exit), reason: ExitReason.PML_FULL, qualification, linear: 0n, gpa: 0 });
      state.stage = 'reflect';
      return 'log-full';
    }
  }
}

/** L2 goes on as if nothing had happened: an event that was being delivered is delivered again, and an IRET that ended blocking by NMI has not. */
function resumeL2<T extends EptClass>(l0: L0Context, exit: ExitInformation, what: T): T {
  if (exit.vectoring >>> 31 === 0 && exit.qualification & BigInt(EptViolation.nmiUnblocking)) {
    const blocked = l0.vmcs02.u32(Field.guestInterruptibilityState) | Interruptibility.blockingByNmi;
    set02(l0, Field.guestInterruptibilityState, BigInt(blocked));
  }
  set02(l0, Field.vmEntryMsrLoadCount, 0n);
  redeliver(l0, (field, value) => set02(l0, field, value));
  l0.state.target = 2;
  l0.state.stage = 'enter';
  return what;
}

/** L1's page-modification log, which L0 writes when it lets L2 write a page for the first time. */
const logOf = (l0: L0Context, vmcs12: Vmcs): Logging => ({
  log(gpa) {
    const index = vmcs12.u32(Field.pmlIndex);
    if (index >= LOG_ENTRIES) return false;
    l0.guest.write64(vmcs12.address(Field.pmlAddress) + index * 8, BigInt(gpa));
    set12(l0, vmcs12, Field.pmlIndex, BigInt((index - 1) & 0xffff));
    return true;
  },
});

/** The violation becomes #VE in L2, or the VM exit that L1's exception bitmap makes of it. False: it does not. */
function becomesException(l0: L0Context, vmcs12: Vmcs, exit: ExitInformation, qualification: bigint): boolean {
  const secondary = secondaryControls(vmcs12);
  const protectedMode = (l0.vmcs02.u32(Field.guestCr0) & 1) !== 0;
  if (!(secondary & Secondary.eptViolationVe) || !protectedMode || exit.vectoring >>> 31 !== 0) return false;
  const area = vmcs12.address(Field.virtualizationExceptionInformationAddress);
  const { guest, state } = l0;
  if (guest.read32(area + Area.busy) !== 0) return false;
  guest.write32(area + Area.reason, ExitReason.EPT_VIOLATION);
  guest.write32(area + Area.busy, 0xffff_ffff);
  guest.write64(area + Area.qualification, qualification);
  guest.write64(area + Area.linear, exit.linear);
  guest.write64(area + Area.guestPhysical, BigInt(exit.gpa));
  guest.write16(area + Area.eptpIndex, vmcs12.u32(Field.eptpIndex));
  const info = (VALID | (EventType.hardwareException << 8) | Vector.VE) >>> 0;
  if ((vmcs12.u32(Field.exceptionBitmap) >>> Vector.VE) & 1) {
    state.reflection = reflection({ reason: ExitReason.EXCEPTION_NMI, interruption: info });
    state.stage = 'reflect';
    return true;
  }
  set02(l0, Field.vmEntryInterruptionInformation, BigInt(info));
  set02(l0, Field.vmEntryMsrLoadCount, 0n);
  state.target = 2;
  state.stage = 'enter';
  return true;
}

/** VMFUNC of L2: EPTP switching by L1's list, or a VM exit that L1 sees. */
export function handleVmFunction(l0: L0Context, exit: ExitInformation): 'switched' | 'reflect' {
  const { cpu, guest, state, vmx } = l0;
  const vmcs12 = vmcs12Of(l0);
  const secondary = secondaryControls(vmcs12);
  const index = cpu.gpr32(RCX);
  const enabled = cpu.gpr32(RAX) === 0 && (vmcs12.u64(Field.vmFunctionControls) & 1n) !== 0n && index < EPTP_LIST_ENTRIES;
  const eptp = enabled ? guest.read64(vmcs12.address(Field.eptpListAddress) + 8 * index) : 0n;
  if (!enabled || !eptpValid(vmx.capabilities.eptVpidCap, cpu.model.maxPhyAddr, eptp)) {
    state.reflection = reflectionOf(exit);
    state.stage = 'reflect';
    return 'reflect';
  }
  set12(l0, vmcs12, Field.eptPointer, eptp);
  if (secondary & Secondary.eptViolationVe) set12(l0, vmcs12, Field.eptpIndex, BigInt(index));
  const modeBased = (secondary & Secondary.modeBasedExecuteControl) !== 0;
  set02(l0, Field.eptPointer, BigInt(l0.ept02.use(Number(eptp), modeBased)));
  new GuestRegisters(cpu, l0.vmcs02, (bits) => (state.changed02 |= bits)).skip(exit.length);
  set02(l0, Field.vmEntryMsrLoadCount, 0n);
  state.target = 2;
  state.stage = 'enter';
  return 'switched';
}
