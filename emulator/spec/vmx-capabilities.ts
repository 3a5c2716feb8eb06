/**
 * What this processor's VMX can do, as data, and the capability MSRs that say so: SDM volume 3, appendix A "VMX Capability Reporting
 * Facility". The lists of allowed controls below are the one place that decides what VM entry accepts.
 */
import { unreachable } from '../user-error';
import type { CpuFeature, CpuModel } from './cpu-model';
import { CONTROL_WORDS, DEFAULT1, type ControlWordId } from './vmx-controls';
import { encodingParts, VMCS_FIELDS, VMCS_REVISION, VmcsRegion, type VmcsField } from './vmcs-fields';

/** MSR numbers (SDM volume 4, "Architectural MSRs"). */
export const VmxMsr = {
  featureControl: 0x3a,
  basic: 0x480,
  pinbasedCtls: 0x481,
  procbasedCtls: 0x482,
  exitCtls: 0x483,
  entryCtls: 0x484,
  misc: 0x485,
  cr0Fixed0: 0x486,
  cr0Fixed1: 0x487,
  cr4Fixed0: 0x488,
  cr4Fixed1: 0x489,
  vmcsEnum: 0x48a,
  procbasedCtls2: 0x48b,
  eptVpidCap: 0x48c,
  truePinbasedCtls: 0x48d,
  trueProcbasedCtls: 0x48e,
  trueExitCtls: 0x48f,
  trueEntryCtls: 0x490,
  vmfunc: 0x491,
} as const;

export const VMX_MSR_NAMES: Readonly<Record<number, string>> = {
  [VmxMsr.featureControl]: 'IA32_FEATURE_CONTROL',
  [VmxMsr.basic]: 'IA32_VMX_BASIC',
  [VmxMsr.pinbasedCtls]: 'IA32_VMX_PINBASED_CTLS',
  [VmxMsr.procbasedCtls]: 'IA32_VMX_PROCBASED_CTLS',
  [VmxMsr.exitCtls]: 'IA32_VMX_EXIT_CTLS',
  [VmxMsr.entryCtls]: 'IA32_VMX_ENTRY_CTLS',
  [VmxMsr.misc]: 'IA32_VMX_MISC',
  [VmxMsr.cr0Fixed0]: 'IA32_VMX_CR0_FIXED0',
  [VmxMsr.cr0Fixed1]: 'IA32_VMX_CR0_FIXED1',
  [VmxMsr.cr4Fixed0]: 'IA32_VMX_CR4_FIXED0',
  [VmxMsr.cr4Fixed1]: 'IA32_VMX_CR4_FIXED1',
  [VmxMsr.vmcsEnum]: 'IA32_VMX_VMCS_ENUM',
  [VmxMsr.procbasedCtls2]: 'IA32_VMX_PROCBASED_CTLS2',
  [VmxMsr.eptVpidCap]: 'IA32_VMX_EPT_VPID_CAP',
  [VmxMsr.truePinbasedCtls]: 'IA32_VMX_TRUE_PINBASED_CTLS',
  [VmxMsr.trueProcbasedCtls]: 'IA32_VMX_TRUE_PROCBASED_CTLS',
  [VmxMsr.trueExitCtls]: 'IA32_VMX_TRUE_EXIT_CTLS',
  [VmxMsr.trueEntryCtls]: 'IA32_VMX_TRUE_ENTRY_CTLS',
  [VmxMsr.vmfunc]: 'IA32_VMX_VMFUNC',
};

/** IA32_FEATURE_CONTROL: SDM "Enabling and Entering VMX Operation". */
export const FeatureControl = { lock: 1n << 0n, vmxInSmx: 1n << 1n, vmxOutsideSmx: 1n << 2n } as const;
/** As firmware leaves it: locked, VMXON allowed outside SMX operation. A guest must also cope with an unlocked 0. */
export const FEATURE_CONTROL_RESET = FeatureControl.lock | FeatureControl.vmxOutsideSmx;

/** The preemption timer counts down whenever this bit of the TSC changes: IA32_VMX_MISC bits 4:0. */
export const PREEMPTION_TIMER_RATE = 5;

/** Controls that may be 1, with the feature of the CPU model that each needs. The default1 settings come on top. */
const ALLOWED: Readonly<Partial<Record<ControlWordId, readonly (string | readonly [string, CpuFeature])[]>>> = {
  pin: ['externalInterruptExiting', 'nmiExiting', 'virtualNmis', ['activateVmxPreemptionTimer', 'preemption-timer'], ['processPostedInterrupts', 'posted-interrupts']],
  primary: [
    'interruptWindowExiting', 'useTscOffsetting', 'hltExiting', 'invlpgExiting', 'mwaitExiting', 'rdpmcExiting', 'rdtscExiting', 'cr3LoadExiting', 'cr3StoreExiting',
    'cr8LoadExiting', 'cr8StoreExiting', 'movDrExiting', 'unconditionalIoExiting', 'useIoBitmaps', 'monitorTrapFlag', 'useMsrBitmaps', 'monitorExiting', 'pauseExiting',
    'activateSecondaryControls', 'useTprShadow', 'nmiWindowExiting',
  ],
  secondary: [
    ['enableEpt', 'ept'], 'descriptorTableExiting', ['enableRdtscp', 'rdtscp'], ['enableVpid', 'vpid'], 'wbinvdExiting', ['unrestrictedGuest', 'unrestricted-guest'],
    'virtualizeApicAccesses', ['virtualizeX2apicMode', 'virtual-x2apic'], ['apicRegisterVirtualization', 'apicv'], ['virtualInterruptDelivery', 'apicv'],
    ['pauseLoopExiting', 'pause-loop-exiting'], ['rdrandExiting', 'rdrand'], ['rdseedExiting', 'rdseed'], ['enableInvpcid', 'invpcid'], ['useTscScaling', 'tsc-scaling'],
    ['enableVmFunctions', 'vmfunc'], ['vmcsShadowing', 'vmcs-shadowing'], ['enablePml', 'pml'], ['eptViolationVe', 'ept-ve'], ['modeBasedExecuteControl', 'mode-based-execute'],
  ],
  exit: ['saveDebugControls', 'hostAddressSpaceSize', 'acknowledgeInterruptOnExit', 'saveIa32Pat', 'loadIa32Pat', 'saveIa32Efer', 'loadIa32Efer', ['saveVmxPreemptionTimerValue', 'preemption-timer']],
  entry: ['loadDebugControls', 'ia32eModeGuest', 'loadIa32Pat', 'loadIa32Efer'],
}; // prettier-ignore

/** Default1 controls that the TRUE capability MSRs allow to be 0. */
const MAY_BE_0: Readonly<Partial<Record<ControlWordId, readonly string[]>>> = {
  primary: ['cr3LoadExiting', 'cr3StoreExiting'],
  exit: ['saveDebugControls'],
  entry: ['loadDebugControls'],
};

export interface ControlCapability {
  /** Bits that must be 1 (as the TRUE MSR says where there is one). */
  readonly allowed0: number;
  /** Bits that may be 1. */
  readonly allowed1: number;
}

export interface VmxCapabilities {
  readonly model: CpuModel;
  readonly controls: Readonly<Record<'pin' | 'primary' | 'secondary' | 'exit' | 'entry', ControlCapability>>;
  readonly cr0Fixed0: bigint;
  readonly cr0Fixed1: bigint;
  readonly cr4Fixed0: bigint;
  readonly cr4Fixed1: bigint;
  readonly eptVpidCap: bigint;
  /** VM functions that may be enabled. */
  readonly vmFunctions: bigint;
  /** CR3-target values supported. */
  readonly cr3Targets: number;
  /** Entries that an MSR list should not exceed: IA32_VMX_MISC bits 27:25. */
  readonly msrListMaximum: number;
  /** “VMCS shadowing” and shadow VMCSs. */
  readonly shadowing: boolean;
  /** VMWRITE may write the VM-exit information fields too: IA32_VMX_MISC bit 29. */
  readonly writesAnyField: boolean;
  readonly msrs: ReadonlyMap<number, bigint>;
  /** Fields that VMREAD and VMWRITE reach, by encoding (access type full). */
  readonly fields: ReadonlyMap<number, VmcsField>;
}

/** CR4 bits with the feature that each needs (undefined: always there); what MOV CR4 accepts must agree. */
const CR4_BITS: readonly (readonly [bit: number, feature: CpuFeature | undefined])[] = [
  [0, undefined], // VME
  [1, undefined], // PVI
  [2, undefined], // TSD
  [3, undefined], // DE
  [4, undefined], // PSE
  [5, undefined], // PAE
  [6, undefined], // MCE
  [7, undefined], // PGE
  [8, undefined], // PCE
  [11, 'umip'],
  [12, 'la57'],
  [12, 'la57'],
  [13, 'vmx'],
  [16, 'fsgsbase'],
  [17, 'pcid'],
  [20, 'smep'],
  [21, 'smap'],
  [22, 'pku'],
  [22, 'pku'],
];

function allowedBits(word: ControlWordId, model: CpuModel): number {
  let bits = 0;
  for (const entry of ALLOWED[word] ?? []) {
    const [id, feature] = typeof entry === 'string' ? [entry, undefined] : entry;
    if (feature === undefined || model.features.has(feature)) bits |= maskOf(word, id);
  }
  return bits >>> 0;
}
function maskOf(word: ControlWordId, id: string): number {
  const row = CONTROL_WORDS[word].rows.find((r) => r[1] === id);
  if (row === undefined) unreachable(`there is no control ${word}.${id}`);
  return (1 << row[0]) >>> 0;
}
const pair = (allowed0: number, allowed1: number): bigint => (BigInt(allowed1) << 32n) | BigInt(allowed0);

export function vmxCapabilities(model: CpuModel): VmxCapabilities {
  const hasEpt = model.features.has('ept');
  const hasVpid = model.features.has('vpid');
  const trueControls = model.features.has('vmx-true-controls');
  const capability = (word: 'pin' | 'primary' | 'exit' | 'entry'): ControlCapability => ({
    allowed0: (DEFAULT1[word] & ~(trueControls ? (MAY_BE_0[word] ?? []) : []).reduce((bits, id) => bits | maskOf(word, id), 0)) >>> 0,
    allowed1: (DEFAULT1[word] | allowedBits(word, model)) >>> 0,
  });
  const controls = {
    pin: capability('pin'),
    primary: capability('primary'),
    secondary: { allowed0: 0, allowed1: allowedBits('secondary', model) },
    exit: capability('exit'),
    entry: capability('entry'),
  };
  // 4-level walks, UC and WB structures, 2-MByte and 1-GByte pages, execute-only translations, accessed and dirty flags, INVEPT of both types.
  const eptCap = hasEpt
    ? (1n << 0n) |
      (1n << 6n) |
      (1n << 8n) |
      (1n << 14n) |
      (1n << 16n) |
      (1n << 20n) |
      (1n << 25n) |
      (1n << 26n) |
      (model.features.has('page1gb') ? 1n << 17n : 0n) |
      (model.features.has('ept-ad') ? 1n << 21n : 0n) |
      (model.features.has('ept-violation-details') ? 1n << 22n : 0n)
    : 0n;
  const vmFunctions = model.features.has('vmfunc') ? 1n : 0n;
  // INVVPID of all four types.
  const vpidCap = hasVpid ? (1n << 32n) | (1n << 40n) | (1n << 41n) | (1n << 42n) | (1n << 43n) : 0n;
  const cr4Fixed1 = CR4_BITS.reduce(
    (bits, [bit, feature]) => (feature === undefined || model.features.has(feature) ? bits | (1n << BigInt(bit)) : bits),
    0n,
  );
  const cr0Fixed0 = 0x8000_0021n;
  const cr0Fixed1 = 0xffff_ffffn;
  const cr4Fixed0 = 0x2000n;
  const cr3Targets = 4;
  const msrListMaximum = 512;
  // A field exists when the control that needs it may be 1.
  const exists = (field: VmcsField): boolean => {
    if (field.control === undefined) return true;
    const [word, id] = field.control.split('.') as [ControlWordId, string];
    return word in controls && (controls[word as keyof typeof controls].allowed1 & maskOf(word, id)) !== 0;
  };
  const fields = new Map(VMCS_FIELDS.filter(exists).map((f) => [f.encoding, f]));
  const highestIndex = Math.max(...[...fields.keys()].map((e) => encodingParts(e).index));
  // Bit 5: VM exits store IA32_EFER.LMA into “IA-32e mode guest”; bits 6 to 8: activity states HLT, shutdown and wait-for-SIPI; bit 29: VMWRITE to any field.
  const shadowing = model.features.has('vmcs-shadowing');
  // Bits 4:0: the preemption timer's rate.
  const misc =
    (model.features.has('preemption-timer') ? BigInt(PREEMPTION_TIMER_RATE) : 0n) |
    (1n << 5n) |
    (1n << 6n) |
    (1n << 7n) |
    (1n << 8n) |
    (BigInt(cr3Targets) << 16n) |
    (shadowing ? 1n << 29n : 0n) |
    // VM entry may inject a software event with an instruction length of 0.
    (model.features.has('zero-length-injection') ? 1n << 30n : 0n);
  // Region size, write-back VMCS, INS/OUTS information on VM exits, TRUE capability MSRs.
  const basic = BigInt(VMCS_REVISION) | (BigInt(VmcsRegion.bytes) << 32n) | (6n << 50n) | (1n << 54n) | (trueControls ? 1n << 55n : 0n);
  const msrs = new Map<number, bigint>([
    [VmxMsr.basic, basic],
    [VmxMsr.pinbasedCtls, pair(DEFAULT1.pin, controls.pin.allowed1)],
    [VmxMsr.procbasedCtls, pair(DEFAULT1.primary, controls.primary.allowed1)],
    [VmxMsr.exitCtls, pair(DEFAULT1.exit, controls.exit.allowed1)],
    [VmxMsr.entryCtls, pair(DEFAULT1.entry, controls.entry.allowed1)],
    [VmxMsr.misc, misc],
    [VmxMsr.cr0Fixed0, cr0Fixed0],
    [VmxMsr.cr0Fixed1, cr0Fixed1],
    [VmxMsr.cr4Fixed0, cr4Fixed0],
    [VmxMsr.cr4Fixed1, cr4Fixed1],
    [VmxMsr.vmcsEnum, BigInt(highestIndex << 1)],
    [VmxMsr.procbasedCtls2, pair(0, controls.secondary.allowed1)],
  ]);
  if (trueControls) {
    msrs.set(VmxMsr.truePinbasedCtls, pair(controls.pin.allowed0, controls.pin.allowed1));
    msrs.set(VmxMsr.trueProcbasedCtls, pair(controls.primary.allowed0, controls.primary.allowed1));
    msrs.set(VmxMsr.trueExitCtls, pair(controls.exit.allowed0, controls.exit.allowed1));
    msrs.set(VmxMsr.trueEntryCtls, pair(controls.entry.allowed0, controls.entry.allowed1));
  }
  if (vmFunctions !== 0n) msrs.set(VmxMsr.vmfunc, vmFunctions);
  if (hasEpt || hasVpid) msrs.set(VmxMsr.eptVpidCap, eptCap | vpidCap);
  return {
    model, controls, cr0Fixed0, cr0Fixed1, cr4Fixed0, cr4Fixed1, eptVpidCap: eptCap | vpidCap, vmFunctions, cr3Targets, shadowing, writesAnyField: shadowing, msrListMaximum, msrs, fields,
  }; // prettier-ignore
}
