/**
 * How each control of VMCS02 comes about: its merge class, one row a control. VMCS12 says what L1 wants of L2, VMCS01 what L0 wants of L1 (and so of
 * everything below it); the classes say which of both counts. A plain union would be wrong for bitmaps, windows, APIC virtualization and whatever
 * L0 does itself. SDM volume 3, "VM-Execution Control Fields", "VM-Exit Control Fields", "VM-Entry Control Fields".
 */
import { EntryControl, ExitControl, Pin, Primary, Secondary } from '../../spec/vmx-controls';

export type MergeClass =
  /** 1 if VMCS12 or VMCS01 has it: a cause of VM exits that both may want. */
  | 'either'
  /** As VMCS12 has it: it is L1's business alone. */
  | 'from 12'
  /** 1 if VMCS12 and VMCS01 have it: without the bitmap everything exits, and then both get their exits. */
  | 'both'
  /** L0 needs it. */
  | 'forced 1'
  /** L0 does it in software. */
  | 'forced 0'
  /** As the pin-based “activate VMX-preemption timer” of VMCS12: L0 must know what is left when L2 exits. */
  | 'with the preemption timer';

type Classes<T> = { readonly [K in keyof T]: MergeClass };

/** Controls that are not named here are not offered by the capability MSRs; they stay as VMCS12 has them. */
export const PIN_CLASSES: Classes<typeof Pin> = {
  externalInterruptExiting: 'either',
  nmiExiting: 'either',
  virtualNmis: 'from 12',
  activateVmxPreemptionTimer: 'from 12',
  processPostedInterrupts: 'from 12',
};

export const PRIMARY_CLASSES: Partial<Classes<typeof Primary>> = {
  interruptWindowExiting: 'from 12',
  useTscOffsetting: 'either',
  hltExiting: 'either',
  invlpgExiting: 'either',
  mwaitExiting: 'either',
  rdpmcExiting: 'either',
  rdtscExiting: 'either',
  cr3LoadExiting: 'from 12',
  cr3StoreExiting: 'from 12',
  cr8LoadExiting: 'either',
  cr8StoreExiting: 'either',
  useTprShadow: 'from 12',
  nmiWindowExiting: 'from 12',
  movDrExiting: 'either',
  // L0 intercepts no port: the bitmaps are L1's own pages.
  unconditionalIoExiting: 'from 12',
  useIoBitmaps: 'from 12',
  monitorTrapFlag: 'from 12',
  useMsrBitmaps: 'both',
  monitorExiting: 'either',
  pauseExiting: 'either',
  activateSecondaryControls: 'forced 1',
};

export const SECONDARY_CLASSES: Partial<Classes<typeof Secondary>> = {
  virtualizeApicAccesses: 'from 12',
  enableEpt: 'forced 1',
  descriptorTableExiting: 'either',
  enableRdtscp: 'from 12',
  virtualizeX2apicMode: 'from 12',
  enableVpid: 'forced 1',
  wbinvdExiting: 'either',
  unrestrictedGuest: 'from 12',
  apicRegisterVirtualization: 'from 12',
  virtualInterruptDelivery: 'from 12',
  pauseLoopExiting: 'from 12',
  rdrandExiting: 'either',
  enableInvpcid: 'from 12',
  // The functions themselves are all off, so that each VMFUNC exits and L0 switches EPT02.
  enableVmFunctions: 'from 12',
  vmcsShadowing: 'from 12',
  rdseedExiting: 'either',
  enablePml: 'forced 0',
  eptViolationVe: 'forced 0',
  modeBasedExecuteControl: 'from 12',
  useTscScaling: 'from 12',
};

export const EXIT_CLASSES: Partial<Classes<typeof ExitControl>> = {
  saveDebugControls: 'forced 1',
  hostAddressSpaceSize: 'forced 1',
  acknowledgeInterruptOnExit: 'from 12',
  saveIa32Pat: 'forced 1',
  loadIa32Pat: 'forced 1',
  saveIa32Efer: 'forced 1',
  loadIa32Efer: 'forced 1',
  saveVmxPreemptionTimerValue: 'with the preemption timer',
};

export const ENTRY_CLASSES: Partial<Classes<typeof EntryControl>> = {
  loadDebugControls: 'forced 1',
  ia32eModeGuest: 'from 12',
  loadIa32Pat: 'forced 1',
  loadIa32Efer: 'forced 1',
};

/** Masks of one word by class, worked out once. */
export interface ClassMasks {
  readonly either: number;
  readonly both: number;
  readonly forced1: number;
  readonly forced0: number;
  readonly withTimer: number;
}
function masks(bits: Readonly<Record<string, number>>, classes: Readonly<Record<string, MergeClass | undefined>>): ClassMasks {
  const of = (kind: MergeClass): number => Object.keys(bits).reduce((mask, id) => (classes[id] === kind ? mask | bits[id] : mask), 0) >>> 0;
  return {
    either: of('either'),
    both: of('both'),
    forced1: of('forced 1'),
    forced0: of('forced 0'),
    withTimer: of('with the preemption timer'),
  };
}
export const CLASS_MASKS = {
  pin: masks(Pin, PIN_CLASSES),
  primary: masks(Primary, PRIMARY_CLASSES),
  secondary: masks(Secondary, SECONDARY_CLASSES),
  exit: masks(ExitControl, EXIT_CLASSES),
  entry: masks(EntryControl, ENTRY_CLASSES),
} as const;

/** A control word of VMCS02. */
export function mergeControls(m: ClassMasks, word12: number, word01: number, timer: boolean): number {
  let word = (word12 | (word01 & m.either)) & ~(m.both & ~word01);
  word = (word | m.forced1) & ~m.forced0;
  return (timer ? word | m.withTimer : word & ~m.withTimer) >>> 0;
}
