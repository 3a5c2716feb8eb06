/**
 * The VM-execution, VM-exit and VM-entry control words bit by bit: SDM volume 3, "VM-Execution Control Fields", "VM-Exit Control Fields",
 * "VM-Entry Control Fields". Bits that no edition names are left out (they are reserved).
 */
import { flagBit, type BitLayout } from './named-bits';

/** One control: bit, identifier in code, the manual's name, what 1 means. */
type ControlRow = readonly [bit: number, id: string, name: string, meaning: string];

const PIN = [
  [0, 'externalInterruptExiting', 'external-interrupt exiting', 'External interrupts cause VM exits.'],
  [3, 'nmiExiting', 'NMI exiting', 'Non-maskable interrupts cause VM exits.'],
  [5, 'virtualNmis', 'virtual NMIs', 'NMIs are never blocked; the blocking-by-NMI bit of the interruptibility state tracks virtual-NMI blocking.'],
  [6, 'activateVmxPreemptionTimer', 'activate VMX-preemption timer', 'The VMX-preemption timer counts down in VMX non-root operation and causes a VM exit at zero.'],
  [7, 'processPostedInterrupts', 'process posted interrupts', 'Interrupts with the posted-interrupt notification vector are processed by updating the virtual-APIC page.'],
] as const satisfies readonly ControlRow[]; // prettier-ignore

const PRIMARY = [
  [2, 'interruptWindowExiting', 'interrupt-window exiting', 'A VM exit occurs at the beginning of any instruction if RFLAGS.IF = 1 and nothing else blocks interrupts.'],
  [3, 'useTscOffsetting', 'use TSC offsetting', 'RDTSC, RDTSCP and RDMSR of the TSC return a value modified by the TSC offset.'],
  [7, 'hltExiting', 'HLT exiting', 'HLT causes VM exits.'],
  [9, 'invlpgExiting', 'INVLPG exiting', 'INVLPG causes VM exits.'],
  [10, 'mwaitExiting', 'MWAIT exiting', 'MWAIT causes VM exits.'],
  [11, 'rdpmcExiting', 'RDPMC exiting', 'RDPMC causes VM exits.'],
  [12, 'rdtscExiting', 'RDTSC exiting', 'RDTSC and RDTSCP cause VM exits.'],
  [15, 'cr3LoadExiting', 'CR3-load exiting', 'MOV to CR3 causes VM exits unless the value is a CR3-target value.'],
  [16, 'cr3StoreExiting', 'CR3-store exiting', 'MOV from CR3 causes VM exits.'],
  [17, 'activateTertiaryControls', 'activate tertiary controls', 'The tertiary processor-based VM-execution controls are used.'],
  [19, 'cr8LoadExiting', 'CR8-load exiting', 'MOV to CR8 causes VM exits.'],
  [20, 'cr8StoreExiting', 'CR8-store exiting', 'MOV from CR8 causes VM exits.'],
  [21, 'useTprShadow', 'use TPR shadow', 'TPR virtualization and other APIC-virtualization features are enabled.'],
  [22, 'nmiWindowExiting', 'NMI-window exiting', 'A VM exit occurs at the beginning of any instruction if there is no virtual-NMI blocking.'],
  [23, 'movDrExiting', 'MOV-DR exiting', 'MOV DR causes VM exits.'],
  [24, 'unconditionalIoExiting', 'unconditional I/O exiting', 'I/O instructions cause VM exits; ignored when the I/O bitmaps are used.'],
  [25, 'useIoBitmaps', 'use I/O bitmaps', 'I/O bitmaps restrict the execution of I/O instructions.'],
  [27, 'monitorTrapFlag', 'monitor trap flag', 'A VM exit becomes pending at the next instruction boundary.'],
  [28, 'useMsrBitmaps', 'use MSR bitmaps', 'MSR bitmaps control RDMSR and WRMSR; otherwise both always cause VM exits.'],
  [29, 'monitorExiting', 'MONITOR exiting', 'MONITOR causes VM exits.'],
  [30, 'pauseExiting', 'PAUSE exiting', 'PAUSE causes VM exits.'],
  [31, 'activateSecondaryControls', 'activate secondary controls', 'The secondary processor-based VM-execution controls are used.'],
] as const satisfies readonly ControlRow[]; // prettier-ignore

const SECONDARY = [
  [0, 'virtualizeApicAccesses', 'virtualize APIC accesses', 'Accesses to the page with the APIC-access address are treated specially.'],
  [1, 'enableEpt', 'enable EPT', 'Extended page tables translate guest-physical addresses.'],
  [2, 'descriptorTableExiting', 'descriptor-table exiting', 'LGDT, LIDT, LLDT, LTR, SGDT, SIDT, SLDT and STR cause VM exits.'],
  [3, 'enableRdtscp', 'enable RDTSCP', 'RDTSCP may be executed; otherwise it causes #UD.'],
  [4, 'virtualizeX2apicMode', 'virtualize x2APIC mode', 'RDMSR and WRMSR to MSRs 800H-8FFH are treated specially.'],
  [5, 'enableVpid', 'enable VPID', 'Cached translations are associated with a virtual-processor identifier.'],
  [6, 'wbinvdExiting', 'WBINVD exiting', 'WBINVD and WBNOINVD cause VM exits.'],
  [7, 'unrestrictedGuest', 'unrestricted guest', 'The guest may run in unpaged protected mode or in real-address mode.'],
  [8, 'apicRegisterVirtualization', 'APIC-register virtualization', 'Certain APIC registers are virtualized.'],
  [9, 'virtualInterruptDelivery', 'virtual-interrupt delivery', 'Pending virtual interrupts are evaluated and delivered.'],
  [10, 'pauseLoopExiting', 'PAUSE-loop exiting', 'A series of PAUSE executions can cause a VM exit.'],
  [11, 'rdrandExiting', 'RDRAND exiting', 'RDRAND causes VM exits.'],
  [12, 'enableInvpcid', 'enable INVPCID', 'INVPCID may be executed; otherwise it causes #UD.'],
  [13, 'enableVmFunctions', 'enable VM functions', 'VMFUNC may be used in VMX non-root operation.'],
  [14, 'vmcsShadowing', 'VMCS shadowing', 'VMREAD and VMWRITE in VMX non-root operation may access a shadow VMCS.'],
  [15, 'enableEnclsExiting', 'enable ENCLS exiting', 'ENCLS consults the ENCLS-exiting bitmap.'],
  [16, 'rdseedExiting', 'RDSEED exiting', 'RDSEED causes VM exits.'],
  [17, 'enablePml', 'enable PML', 'An access that sets an EPT dirty bit is logged first.'],
  [18, 'eptViolationVe', 'EPT-violation #VE', 'EPT violations may cause virtualization exceptions instead of VM exits.'],
  [19, 'concealVmxFromPt', 'conceal VMX from PT', 'Intel PT does not see VMX non-root operation.'],
  [20, 'enableXsaves', 'enable XSAVES/XRSTORS', 'XSAVES and XRSTORS may be executed; otherwise they cause #UD.'],
  [21, 'pasidTranslation', 'PASID translation', 'ENQCMD and ENQCMDS use PASID translation.'],
  [22, 'modeBasedExecuteControl', 'mode-based execute control for EPT', 'EPT execute permission depends on user or supervisor mode.'],
  [23, 'subPageWritePermissions', 'sub-page write permissions for EPT', 'EPT write permission may be given for 128-byte regions.'],
  [24, 'ptUsesGuestPhysical', 'Intel PT uses guest physical addresses', 'Output addresses of Intel PT are guest-physical.'],
  [25, 'useTscScaling', 'use TSC scaling', 'Reads of the TSC are modified by the TSC multiplier.'],
  [26, 'enableUserWaitAndPause', 'enable user wait and pause', 'TPAUSE, UMONITOR and UMWAIT may be executed; otherwise they cause #UD.'],
  [27, 'enablePconfig', 'enable PCONFIG', 'PCONFIG may be executed; otherwise it causes #UD.'],
  [28, 'enableEnclvExiting', 'enable ENCLV exiting', 'ENCLV consults the ENCLV-exiting bitmap.'],
  [30, 'vmmBusLockDetection', 'VMM bus-lock detection', 'A bus lock causes a VM exit after the instruction.'],
  [31, 'instructionTimeout', 'instruction timeout', 'A VM exit occurs when an instruction takes too long.'],
] as const satisfies readonly ControlRow[]; // prettier-ignore

const TERTIARY = [
  [0, 'loadiwkeyExiting', 'LOADIWKEY exiting', 'LOADIWKEY causes VM exits.'],
  [1, 'enableHlat', 'enable HLAT', 'Hypervisor-managed linear-address translation is enabled.'],
  [2, 'eptPagingWriteControl', 'EPT paging-write control', 'EPT permissions can be specified to allow writes only for paging-related updates.'],
  [3, 'guestPagingVerification', 'guest-paging verification', 'EPT permissions can be specified to prevent accesses using linear addresses whose translation has certain properties.'],
  [4, 'ipiVirtualization', 'IPI virtualization', 'Virtualization of interprocessor interrupts is enabled.'],
  [6, 'enableMsrListInstructions', 'enable MSR-list instructions', 'RDMSRLIST and WRMSRLIST may be executed; otherwise they cause #UD.'],
  [7, 'virtualizeIa32SpecCtrl', 'virtualize IA32_SPEC_CTRL', 'RDMSR and WRMSR of IA32_SPEC_CTRL are treated specially.'],
] as const satisfies readonly ControlRow[]; // prettier-ignore

const EXIT = [
  [2, 'saveDebugControls', 'save debug controls', 'DR7 and IA32_DEBUGCTL are saved on VM exit.'],
  [9, 'hostAddressSpaceSize', 'host address-space size', 'The processor is in 64-bit mode after the next VM exit.'],
  [12, 'loadIa32PerfGlobalCtrl', 'load IA32_PERF_GLOBAL_CTRL', 'IA32_PERF_GLOBAL_CTRL is loaded on VM exit.'],
  [15, 'acknowledgeInterruptOnExit', 'acknowledge interrupt on exit', 'A VM exit due to an external interrupt acknowledges the interrupt controller and records the vector.'],
  [18, 'saveIa32Pat', 'save IA32_PAT', 'IA32_PAT is saved on VM exit.'],
  [19, 'loadIa32Pat', 'load IA32_PAT', 'IA32_PAT is loaded on VM exit.'],
  [20, 'saveIa32Efer', 'save IA32_EFER', 'IA32_EFER is saved on VM exit.'],
  [21, 'loadIa32Efer', 'load IA32_EFER', 'IA32_EFER is loaded on VM exit.'],
  [22, 'saveVmxPreemptionTimerValue', 'save VMX-preemption timer value', 'The VMX-preemption timer value is saved on VM exit.'],
  [23, 'clearIa32Bndcfgs', 'clear IA32_BNDCFGS', 'IA32_BNDCFGS is cleared on VM exit.'],
  [24, 'concealVmxFromPt', 'conceal VMX from PT', 'Intel PT does not see the VM exit.'],
  [25, 'clearIa32RtitCtl', 'clear IA32_RTIT_CTL', 'IA32_RTIT_CTL is cleared on VM exit.'],
  [26, 'clearIa32LbrCtl', 'clear IA32_LBR_CTL', 'IA32_LBR_CTL is cleared on VM exit.'],
  [27, 'clearUinv', 'clear UINV', 'UINV is cleared on VM exit.'],
  [28, 'loadCetState', 'load CET state', 'CET-related MSRs and SSP are loaded on VM exit.'],
  [29, 'loadPkrs', 'load PKRS', 'IA32_PKRS is loaded on VM exit.'],
  [30, 'saveIa32PerfGlobalCtrl', 'save IA32_PERF_GLOBAL_CTRL', 'IA32_PERF_GLOBAL_CTRL is saved on VM exit.'],
  [31, 'activateSecondaryControls', 'activate secondary controls', 'The secondary VM-exit controls are used.'],
] as const satisfies readonly ControlRow[]; // prettier-ignore

const SECONDARY_EXIT = [
  [3, 'prematurelyBusyShadowStack', 'prematurely busy shadow stack', 'A VM exit tells when it occurred while a supervisor shadow stack was prematurely busy.'],
] as const satisfies readonly ControlRow[]; // prettier-ignore

const ENTRY = [
  [2, 'loadDebugControls', 'load debug controls', 'DR7 and IA32_DEBUGCTL are loaded on VM entry.'],
  [9, 'ia32eModeGuest', 'IA-32e mode guest', 'The processor is in IA-32e mode after VM entry.'],
  [10, 'entryToSmm', 'entry to SMM', 'The processor is in system-management mode after VM entry.'],
  [11, 'deactivateDualMonitorTreatment', 'deactivate dual-monitor treatment', 'The default treatment of SMIs and SMM is in effect after the VM entry.'],
  [13, 'loadIa32PerfGlobalCtrl', 'load IA32_PERF_GLOBAL_CTRL', 'IA32_PERF_GLOBAL_CTRL is loaded on VM entry.'],
  [14, 'loadIa32Pat', 'load IA32_PAT', 'IA32_PAT is loaded on VM entry.'],
  [15, 'loadIa32Efer', 'load IA32_EFER', 'IA32_EFER is loaded on VM entry.'],
  [16, 'loadIa32Bndcfgs', 'load IA32_BNDCFGS', 'IA32_BNDCFGS is loaded on VM entry.'],
  [17, 'concealVmxFromPt', 'conceal VMX from PT', 'Intel PT does not see the VM entry.'],
  [18, 'loadIa32RtitCtl', 'load IA32_RTIT_CTL', 'IA32_RTIT_CTL is loaded on VM entry.'],
  [19, 'loadUinv', 'load UINV', 'UINV is loaded on VM entry.'],
  [20, 'loadCetState', 'load CET state', 'CET-related MSRs and SSP are loaded on VM entry.'],
  [21, 'loadGuestIa32LbrCtl', 'load guest IA32_LBR_CTL', 'IA32_LBR_CTL is loaded on VM entry.'],
  [22, 'loadPkrs', 'load PKRS', 'IA32_PKRS is loaded on VM entry.'],
] as const satisfies readonly ControlRow[]; // prettier-ignore

type Masks<T extends readonly ControlRow[]> = { readonly [R in T[number] as R[1]]: number };
function masks<T extends readonly ControlRow[]>(rows: T): Masks<T> {
  return Object.fromEntries(rows.map(([bit, id]) => [id, (1 << bit) >>> 0])) as Masks<T>;
}
/** Masks by identifier: `(primary & Primary.useIoBitmaps) !== 0`. */
export const Pin = masks(PIN);
export const Primary = masks(PRIMARY);
export const Secondary = masks(SECONDARY);
export const Tertiary = masks(TERTIARY);
export const ExitControl = masks(EXIT);
export const SecondaryExitControl = masks(SECONDARY_EXIT);
export const EntryControl = masks(ENTRY);

export type ControlWordId = 'pin' | 'primary' | 'secondary' | 'tertiary' | 'exit' | 'secondaryExit' | 'entry';
export interface ControlWord {
  readonly id: ControlWordId;
  /** The VMCS field that holds it, by SDM name. */
  readonly field: string;
  readonly title: string;
  readonly rows: readonly ControlRow[];
}
export const CONTROL_WORDS: Readonly<Record<ControlWordId, ControlWord>> = {
  pin: { id: 'pin', field: 'PIN_BASED_VM_EXECUTION_CONTROLS', title: 'Pin-Based VM-Execution Controls', rows: PIN },
  primary: { id: 'primary', field: 'PRIMARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS', title: 'Primary Processor-Based VM-Execution Controls', rows: PRIMARY },
  secondary: { id: 'secondary', field: 'SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS', title: 'Secondary Processor-Based VM-Execution Controls', rows: SECONDARY },
  tertiary: { id: 'tertiary', field: 'TERTIARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS', title: 'Tertiary Processor-Based VM-Execution Controls', rows: TERTIARY },
  exit: { id: 'exit', field: 'PRIMARY_VM_EXIT_CONTROLS', title: 'Primary VM-Exit Controls', rows: EXIT },
  secondaryExit: { id: 'secondaryExit', field: 'SECONDARY_VM_EXIT_CONTROLS', title: 'Secondary VM-Exit Controls', rows: SECONDARY_EXIT },
  entry: { id: 'entry', field: 'VM_ENTRY_CONTROLS', title: 'VM-Entry Controls', rows: ENTRY },
}; // prettier-ignore

export function controlLayout(word: ControlWordId): BitLayout {
  return CONTROL_WORDS[word].rows.map(([bit, , name, meaning]) => flagBit(bit, name, meaning));
}
/** The row of a control written as 'secondary.enableEpt'. */
export function controlNamed(path: string): { readonly word: ControlWord; readonly bit: number; readonly name: string } | undefined {
  const [word, id] = path.split('.') as [ControlWordId, string];
  const row = CONTROL_WORDS[word]?.rows.find((r) => r[1] === id);
  return row && { word: CONTROL_WORDS[word], bit: row[0], name: row[2] };
}

/** Control settings that the first VMX processors required to be 1: SDM appendix A, "Reserved Controls and Default Settings". */
export const DEFAULT1 = { pin: 0x16, primary: 0x0401e172, exit: 0x36dff, entry: 0x11ff } as const;
