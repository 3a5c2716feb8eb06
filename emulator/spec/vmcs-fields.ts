/**
 * Every VMCS field in one row: SDM volume 3, appendix B "Field Encoding in VMCS", with the tree, decoder and place in the VMCS region
 * that this processor gives it. Leaves out the fields of FRED transitions and TDX.
 */

export type FieldWidth = 16 | 32 | 64 | 'natural';
export type FieldType = 'control' | 'read-only' | 'guest' | 'host';
/** The groups of the tree: SDM "Organization of VMCS Data". */
export type FieldGroup = 'guest' | 'host' | 'execution' | 'exit' | 'entry' | 'information';
/** How a value is shown. `controls:` names a control word of vmx-controls. */
export type FieldFormat =
  | 'hex' | 'number' | 'address' | 'physical' | 'selector' | 'limit' | 'access-rights' | 'event-injection' | 'exit-interruption' | 'idt-vectoring' | 'exit-reason'
  | 'exit-qualification' | 'instruction-information' | 'instruction-error' | 'error-code' | 'cr0' | 'cr4' | 'rflags' | 'efer' | 'debugctl' | 'pat' | 'dr7'
  | 'interruptibility' | 'activity' | 'pending-debug' | 'eptp' | 'exception-bitmap' | 'page-fault-code' | 'pdpte' | 'vm-functions' | 'link-pointer'
  | 'controls:pin' | 'controls:primary' | 'controls:secondary' | 'controls:tertiary' | 'controls:exit' | 'controls:secondaryExit' | 'controls:entry'; // prettier-ignore

/** encoding, SDM name, subgroup of the tree, format, control (word.id) without which the field does not exist. */
type Row = readonly [encoding: number, name: string, subgroup: string, format: FieldFormat, control?: string];
interface Block {
  readonly width: FieldWidth;
  readonly type: FieldType;
  readonly rows: readonly Row[];
}

const BLOCKS = [
  { width: 16, type: 'control', rows: [
    [0x0000, 'VIRTUAL_PROCESSOR_IDENTIFIER', 'execution/ept', 'number', 'secondary.enableVpid'],
    [0x0002, 'POSTED_INTERRUPT_NOTIFICATION_VECTOR', 'execution/apic', 'number', 'pin.processPostedInterrupts'],
    [0x0004, 'EPTP_INDEX', 'execution/ept', 'number', 'secondary.eptViolationVe'],
    [0x0006, 'HLAT_PREFIX_SIZE', 'execution/ept', 'number', 'tertiary.enableHlat'],
    [0x0008, 'LAST_PID_POINTER_INDEX', 'execution/apic', 'number', 'tertiary.ipiVirtualization'],
  ] },
  { width: 16, type: 'guest', rows: [
    [0x0800, 'GUEST_ES_SELECTOR', 'guest/segments', 'selector'],
    [0x0802, 'GUEST_CS_SELECTOR', 'guest/segments', 'selector'],
    [0x0804, 'GUEST_SS_SELECTOR', 'guest/segments', 'selector'],
    [0x0806, 'GUEST_DS_SELECTOR', 'guest/segments', 'selector'],
    [0x0808, 'GUEST_FS_SELECTOR', 'guest/segments', 'selector'],
    [0x080a, 'GUEST_GS_SELECTOR', 'guest/segments', 'selector'],
    [0x080c, 'GUEST_LDTR_SELECTOR', 'guest/segments', 'selector'],
    [0x080e, 'GUEST_TR_SELECTOR', 'guest/segments', 'selector'],
    [0x0810, 'GUEST_INTERRUPT_STATUS', 'guest/non-register', 'hex', 'secondary.virtualInterruptDelivery'],
    [0x0812, 'PML_INDEX', 'guest/non-register', 'number', 'secondary.enablePml'],
    [0x0814, 'GUEST_UINV', 'guest/msrs', 'number', 'entry.loadUinv'],
  ] },
  { width: 16, type: 'host', rows: [
    [0x0c00, 'HOST_ES_SELECTOR', 'host/segments', 'selector'],
    [0x0c02, 'HOST_CS_SELECTOR', 'host/segments', 'selector'],
    [0x0c04, 'HOST_SS_SELECTOR', 'host/segments', 'selector'],
    [0x0c06, 'HOST_DS_SELECTOR', 'host/segments', 'selector'],
    [0x0c08, 'HOST_FS_SELECTOR', 'host/segments', 'selector'],
    [0x0c0a, 'HOST_GS_SELECTOR', 'host/segments', 'selector'],
    [0x0c0c, 'HOST_TR_SELECTOR', 'host/segments', 'selector'],
  ] },
  { width: 64, type: 'control', rows: [
    [0x2000, 'IO_BITMAP_A', 'execution/bitmaps', 'physical'],
    [0x2002, 'IO_BITMAP_B', 'execution/bitmaps', 'physical'],
    [0x2004, 'MSR_BITMAPS', 'execution/bitmaps', 'physical', 'primary.useMsrBitmaps'],
    [0x2006, 'VM_EXIT_MSR_STORE_ADDRESS', 'exit/msrs', 'physical'],
    [0x2008, 'VM_EXIT_MSR_LOAD_ADDRESS', 'exit/msrs', 'physical'],
    [0x200a, 'VM_ENTRY_MSR_LOAD_ADDRESS', 'entry/msrs', 'physical'],
    [0x200c, 'EXECUTIVE_VMCS_POINTER', 'execution/controls', 'physical'],
    [0x200e, 'PML_ADDRESS', 'execution/ept', 'physical', 'secondary.enablePml'],
    [0x2010, 'TSC_OFFSET', 'execution/time', 'hex'],
    [0x2012, 'VIRTUAL_APIC_ADDRESS', 'execution/apic', 'physical', 'primary.useTprShadow'],
    [0x2014, 'APIC_ACCESS_ADDRESS', 'execution/apic', 'physical', 'secondary.virtualizeApicAccesses'],
    [0x2016, 'POSTED_INTERRUPT_DESCRIPTOR_ADDRESS', 'execution/apic', 'physical', 'pin.processPostedInterrupts'],
    [0x2018, 'VM_FUNCTION_CONTROLS', 'execution/ept', 'vm-functions', 'secondary.enableVmFunctions'],
    [0x201a, 'EPT_POINTER', 'execution/ept', 'eptp', 'secondary.enableEpt'],
    [0x201c, 'EOI_EXIT_BITMAP_0', 'execution/apic', 'hex', 'secondary.virtualInterruptDelivery'],
    [0x201e, 'EOI_EXIT_BITMAP_1', 'execution/apic', 'hex', 'secondary.virtualInterruptDelivery'],
    [0x2020, 'EOI_EXIT_BITMAP_2', 'execution/apic', 'hex', 'secondary.virtualInterruptDelivery'],
    [0x2022, 'EOI_EXIT_BITMAP_3', 'execution/apic', 'hex', 'secondary.virtualInterruptDelivery'],
    [0x2024, 'EPTP_LIST_ADDRESS', 'execution/ept', 'physical', 'secondary.enableVmFunctions'],
    [0x2026, 'VMREAD_BITMAP_ADDRESS', 'execution/bitmaps', 'physical', 'secondary.vmcsShadowing'],
    [0x2028, 'VMWRITE_BITMAP_ADDRESS', 'execution/bitmaps', 'physical', 'secondary.vmcsShadowing'],
    [0x202a, 'VIRTUALIZATION_EXCEPTION_INFORMATION_ADDRESS', 'execution/ept', 'physical', 'secondary.eptViolationVe'],
    [0x202c, 'XSS_EXITING_BITMAP', 'execution/bitmaps', 'hex', 'secondary.enableXsaves'],
    [0x202e, 'ENCLS_EXITING_BITMAP', 'execution/bitmaps', 'hex', 'secondary.enableEnclsExiting'],
    [0x2030, 'SUB_PAGE_PERMISSION_TABLE_POINTER', 'execution/ept', 'physical', 'secondary.subPageWritePermissions'],
    [0x2032, 'TSC_MULTIPLIER', 'execution/time', 'hex', 'secondary.useTscScaling'],
    [0x2034, 'TERTIARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS', 'execution/controls', 'controls:tertiary', 'primary.activateTertiaryControls'],
    [0x2036, 'ENCLV_EXITING_BITMAP', 'execution/bitmaps', 'hex', 'secondary.enableEnclvExiting'],
    [0x2038, 'LOW_PASID_DIRECTORY_ADDRESS', 'execution/bitmaps', 'physical', 'secondary.pasidTranslation'],
    [0x203a, 'HIGH_PASID_DIRECTORY_ADDRESS', 'execution/bitmaps', 'physical', 'secondary.pasidTranslation'],
    [0x203e, 'PCONFIG_EXITING_BITMAP', 'execution/bitmaps', 'hex', 'secondary.enablePconfig'],
    [0x2040, 'HLAT_POINTER', 'execution/ept', 'physical', 'tertiary.enableHlat'],
    [0x2042, 'PID_POINTER_TABLE_ADDRESS', 'execution/apic', 'physical', 'tertiary.ipiVirtualization'],
    [0x2044, 'SECONDARY_VM_EXIT_CONTROLS', 'exit/controls', 'controls:secondaryExit', 'exit.activateSecondaryControls'],
    [0x204a, 'IA32_SPEC_CTRL_MASK', 'execution/registers', 'hex', 'tertiary.virtualizeIa32SpecCtrl'],
    [0x204c, 'IA32_SPEC_CTRL_SHADOW', 'execution/registers', 'hex', 'tertiary.virtualizeIa32SpecCtrl'],
  ] },
  { width: 64, type: 'read-only', rows: [
    [0x2400, 'GUEST_PHYSICAL_ADDRESS', 'information/basic', 'physical', 'secondary.enableEpt'],
  ] },
  { width: 64, type: 'guest', rows: [
    [0x2800, 'VMCS_LINK_POINTER', 'guest/non-register', 'link-pointer'],
    [0x2802, 'GUEST_IA32_DEBUGCTL', 'guest/msrs', 'debugctl'],
    [0x2804, 'GUEST_IA32_PAT', 'guest/msrs', 'pat', 'entry.loadIa32Pat'],
    [0x2806, 'GUEST_IA32_EFER', 'guest/msrs', 'efer', 'entry.loadIa32Efer'],
    [0x2808, 'GUEST_IA32_PERF_GLOBAL_CTRL', 'guest/msrs', 'hex', 'entry.loadIa32PerfGlobalCtrl'],
    [0x280a, 'GUEST_PDPTE0', 'guest/non-register', 'pdpte', 'secondary.enableEpt'],
    [0x280c, 'GUEST_PDPTE1', 'guest/non-register', 'pdpte', 'secondary.enableEpt'],
    [0x280e, 'GUEST_PDPTE2', 'guest/non-register', 'pdpte', 'secondary.enableEpt'],
    [0x2810, 'GUEST_PDPTE3', 'guest/non-register', 'pdpte', 'secondary.enableEpt'],
    [0x2812, 'GUEST_IA32_BNDCFGS', 'guest/msrs', 'hex', 'entry.loadIa32Bndcfgs'],
    [0x2814, 'GUEST_IA32_RTIT_CTL', 'guest/msrs', 'hex', 'entry.loadIa32RtitCtl'],
    [0x2816, 'GUEST_IA32_LBR_CTL', 'guest/msrs', 'hex', 'entry.loadGuestIa32LbrCtl'],
    [0x2818, 'GUEST_IA32_PKRS', 'guest/msrs', 'hex', 'entry.loadPkrs'],
  ] },
  { width: 64, type: 'host', rows: [
    [0x2c00, 'HOST_IA32_PAT', 'host/msrs', 'pat', 'exit.loadIa32Pat'],
    [0x2c02, 'HOST_IA32_EFER', 'host/msrs', 'efer', 'exit.loadIa32Efer'],
    [0x2c04, 'HOST_IA32_PERF_GLOBAL_CTRL', 'host/msrs', 'hex', 'exit.loadIa32PerfGlobalCtrl'],
    [0x2c06, 'HOST_IA32_PKRS', 'host/msrs', 'hex', 'exit.loadPkrs'],
  ] },
  { width: 32, type: 'control', rows: [
    [0x4000, 'PIN_BASED_VM_EXECUTION_CONTROLS', 'execution/controls', 'controls:pin'],
    [0x4002, 'PRIMARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS', 'execution/controls', 'controls:primary'],
    [0x4004, 'EXCEPTION_BITMAP', 'execution/exceptions', 'exception-bitmap'],
    [0x4006, 'PAGE_FAULT_ERROR_CODE_MASK', 'execution/exceptions', 'page-fault-code'],
    [0x4008, 'PAGE_FAULT_ERROR_CODE_MATCH', 'execution/exceptions', 'page-fault-code'],
    [0x400a, 'CR3_TARGET_COUNT', 'execution/registers', 'number'],
    [0x400c, 'PRIMARY_VM_EXIT_CONTROLS', 'exit/controls', 'controls:exit'],
    [0x400e, 'VM_EXIT_MSR_STORE_COUNT', 'exit/msrs', 'number'],
    [0x4010, 'VM_EXIT_MSR_LOAD_COUNT', 'exit/msrs', 'number'],
    [0x4012, 'VM_ENTRY_CONTROLS', 'entry/controls', 'controls:entry'],
    [0x4014, 'VM_ENTRY_MSR_LOAD_COUNT', 'entry/msrs', 'number'],
    [0x4016, 'VM_ENTRY_INTERRUPTION_INFORMATION', 'entry/event', 'event-injection'],
    [0x4018, 'VM_ENTRY_EXCEPTION_ERROR_CODE', 'entry/event', 'error-code'],
    [0x401a, 'VM_ENTRY_INSTRUCTION_LENGTH', 'entry/event', 'number'],
    [0x401c, 'TPR_THRESHOLD', 'execution/apic', 'number', 'primary.useTprShadow'],
    [0x401e, 'SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS', 'execution/controls', 'controls:secondary', 'primary.activateSecondaryControls'],
    [0x4020, 'PLE_GAP', 'execution/time', 'number', 'secondary.pauseLoopExiting'],
    [0x4022, 'PLE_WINDOW', 'execution/time', 'number', 'secondary.pauseLoopExiting'],
    [0x4024, 'INSTRUCTION_TIMEOUT_CONTROL', 'execution/time', 'number', 'secondary.instructionTimeout'],
  ] },
  { width: 32, type: 'read-only', rows: [
    [0x4400, 'VM_INSTRUCTION_ERROR', 'information/instruction-error', 'instruction-error'],
    [0x4402, 'VM_EXIT_REASON', 'information/basic', 'exit-reason'],
    [0x4404, 'VM_EXIT_INTERRUPTION_INFORMATION', 'information/vectored', 'exit-interruption'],
    [0x4406, 'VM_EXIT_INTERRUPTION_ERROR_CODE', 'information/vectored', 'error-code'],
    [0x4408, 'IDT_VECTORING_INFORMATION', 'information/delivery', 'idt-vectoring'],
    [0x440a, 'IDT_VECTORING_ERROR_CODE', 'information/delivery', 'error-code'],
    [0x440c, 'VM_EXIT_INSTRUCTION_LENGTH', 'information/instruction', 'number'],
    [0x440e, 'VM_EXIT_INSTRUCTION_INFORMATION', 'information/instruction', 'instruction-information'],
  ] },
  { width: 32, type: 'guest', rows: [
    [0x4800, 'GUEST_ES_LIMIT', 'guest/segments', 'limit'],
    [0x4802, 'GUEST_CS_LIMIT', 'guest/segments', 'limit'],
    [0x4804, 'GUEST_SS_LIMIT', 'guest/segments', 'limit'],
    [0x4806, 'GUEST_DS_LIMIT', 'guest/segments', 'limit'],
    [0x4808, 'GUEST_FS_LIMIT', 'guest/segments', 'limit'],
    [0x480a, 'GUEST_GS_LIMIT', 'guest/segments', 'limit'],
    [0x480c, 'GUEST_LDTR_LIMIT', 'guest/segments', 'limit'],
    [0x480e, 'GUEST_TR_LIMIT', 'guest/segments', 'limit'],
    [0x4810, 'GUEST_GDTR_LIMIT', 'guest/descriptor-tables', 'limit'],
    [0x4812, 'GUEST_IDTR_LIMIT', 'guest/descriptor-tables', 'limit'],
    [0x4814, 'GUEST_ES_ACCESS_RIGHTS', 'guest/segments', 'access-rights'],
    [0x4816, 'GUEST_CS_ACCESS_RIGHTS', 'guest/segments', 'access-rights'],
    [0x4818, 'GUEST_SS_ACCESS_RIGHTS', 'guest/segments', 'access-rights'],
    [0x481a, 'GUEST_DS_ACCESS_RIGHTS', 'guest/segments', 'access-rights'],
    [0x481c, 'GUEST_FS_ACCESS_RIGHTS', 'guest/segments', 'access-rights'],
    [0x481e, 'GUEST_GS_ACCESS_RIGHTS', 'guest/segments', 'access-rights'],
    [0x4820, 'GUEST_LDTR_ACCESS_RIGHTS', 'guest/segments', 'access-rights'],
    [0x4822, 'GUEST_TR_ACCESS_RIGHTS', 'guest/segments', 'access-rights'],
    [0x4824, 'GUEST_INTERRUPTIBILITY_STATE', 'guest/non-register', 'interruptibility'],
    [0x4826, 'GUEST_ACTIVITY_STATE', 'guest/non-register', 'activity'],
    [0x4828, 'GUEST_SMBASE', 'guest/msrs', 'hex'],
    [0x482a, 'GUEST_IA32_SYSENTER_CS', 'guest/msrs', 'hex'],
    [0x482e, 'VMX_PREEMPTION_TIMER_VALUE', 'guest/non-register', 'number', 'pin.activateVmxPreemptionTimer'],
  ] },
  { width: 32, type: 'host', rows: [
    [0x4c00, 'HOST_IA32_SYSENTER_CS', 'host/msrs', 'hex'],
  ] },
  { width: 'natural', type: 'control', rows: [
    [0x6000, 'CR0_GUEST_HOST_MASK', 'execution/registers', 'cr0'],
    [0x6002, 'CR4_GUEST_HOST_MASK', 'execution/registers', 'cr4'],
    [0x6004, 'CR0_READ_SHADOW', 'execution/registers', 'cr0'],
    [0x6006, 'CR4_READ_SHADOW', 'execution/registers', 'cr4'],
    [0x6008, 'CR3_TARGET_VALUE_0', 'execution/registers', 'hex'],
    [0x600a, 'CR3_TARGET_VALUE_1', 'execution/registers', 'hex'],
    [0x600c, 'CR3_TARGET_VALUE_2', 'execution/registers', 'hex'],
    [0x600e, 'CR3_TARGET_VALUE_3', 'execution/registers', 'hex'],
  ] },
  { width: 'natural', type: 'read-only', rows: [
    [0x6400, 'EXIT_QUALIFICATION', 'information/basic', 'exit-qualification'],
    [0x6402, 'IO_RCX', 'information/instruction', 'hex'],
    [0x6404, 'IO_RSI', 'information/instruction', 'hex'],
    [0x6406, 'IO_RDI', 'information/instruction', 'hex'],
    [0x6408, 'IO_RIP', 'information/instruction', 'hex'],
    [0x640a, 'GUEST_LINEAR_ADDRESS', 'information/basic', 'address'],
  ] },
  { width: 'natural', type: 'guest', rows: [
    [0x6800, 'GUEST_CR0', 'guest/registers', 'cr0'],
    [0x6802, 'GUEST_CR3', 'guest/registers', 'physical'],
    [0x6804, 'GUEST_CR4', 'guest/registers', 'cr4'],
    [0x6806, 'GUEST_ES_BASE', 'guest/segments', 'address'],
    [0x6808, 'GUEST_CS_BASE', 'guest/segments', 'address'],
    [0x680a, 'GUEST_SS_BASE', 'guest/segments', 'address'],
    [0x680c, 'GUEST_DS_BASE', 'guest/segments', 'address'],
    [0x680e, 'GUEST_FS_BASE', 'guest/segments', 'address'],
    [0x6810, 'GUEST_GS_BASE', 'guest/segments', 'address'],
    [0x6812, 'GUEST_LDTR_BASE', 'guest/segments', 'address'],
    [0x6814, 'GUEST_TR_BASE', 'guest/segments', 'address'],
    [0x6816, 'GUEST_GDTR_BASE', 'guest/descriptor-tables', 'address'],
    [0x6818, 'GUEST_IDTR_BASE', 'guest/descriptor-tables', 'address'],
    [0x681a, 'GUEST_DR7', 'guest/registers', 'dr7'],
    [0x681c, 'GUEST_RSP', 'guest/registers', 'address'],
    [0x681e, 'GUEST_RIP', 'guest/registers', 'address'],
    [0x6820, 'GUEST_RFLAGS', 'guest/registers', 'rflags'],
    [0x6822, 'GUEST_PENDING_DEBUG_EXCEPTIONS', 'guest/non-register', 'pending-debug'],
    [0x6824, 'GUEST_IA32_SYSENTER_ESP', 'guest/msrs', 'address'],
    [0x6826, 'GUEST_IA32_SYSENTER_EIP', 'guest/msrs', 'address'],
    [0x6828, 'GUEST_IA32_S_CET', 'guest/msrs', 'hex', 'entry.loadCetState'],
    [0x682a, 'GUEST_SSP', 'guest/registers', 'address', 'entry.loadCetState'],
    [0x682c, 'GUEST_IA32_INTERRUPT_SSP_TABLE_ADDR', 'guest/msrs', 'address', 'entry.loadCetState'],
  ] },
  { width: 'natural', type: 'host', rows: [
    [0x6c00, 'HOST_CR0', 'host/registers', 'cr0'],
    [0x6c02, 'HOST_CR3', 'host/registers', 'physical'],
    [0x6c04, 'HOST_CR4', 'host/registers', 'cr4'],
    [0x6c06, 'HOST_FS_BASE', 'host/segments', 'address'],
    [0x6c08, 'HOST_GS_BASE', 'host/segments', 'address'],
    [0x6c0a, 'HOST_TR_BASE', 'host/segments', 'address'],
    [0x6c0c, 'HOST_GDTR_BASE', 'host/descriptor-tables', 'address'],
    [0x6c0e, 'HOST_IDTR_BASE', 'host/descriptor-tables', 'address'],
    [0x6c10, 'HOST_IA32_SYSENTER_ESP', 'host/msrs', 'address'],
    [0x6c12, 'HOST_IA32_SYSENTER_EIP', 'host/msrs', 'address'],
    [0x6c14, 'HOST_RSP', 'host/registers', 'address'],
    [0x6c16, 'HOST_RIP', 'host/registers', 'address'],
    [0x6c18, 'HOST_IA32_S_CET', 'host/msrs', 'hex', 'exit.loadCetState'],
    [0x6c1a, 'HOST_SSP', 'host/registers', 'address', 'exit.loadCetState'],
    [0x6c1c, 'HOST_IA32_INTERRUPT_SSP_TABLE_ADDR', 'host/msrs', 'address', 'exit.loadCetState'],
  ] },
] as const satisfies readonly Block[]; // prettier-ignore

/** Titles of the tree, in the order in which it is shown. */
export const FIELD_GROUPS: readonly { readonly id: FieldGroup; readonly title: string; readonly subgroups: readonly (readonly [id: string, title: string])[] }[] = [
  { id: 'information', title: 'VM-exit information', subgroups: [
    ['basic', 'Basic VM-exit information'], ['vectored', 'VM exits due to vectored events'], ['delivery', 'VM exits that occur during event delivery'],
    ['instruction', 'VM exits due to instruction execution'], ['instruction-error', 'VM-instruction error'] ] },
  { id: 'guest', title: 'Guest-state area', subgroups: [
    ['registers', 'Guest register state'], ['segments', 'Guest segment registers'], ['descriptor-tables', 'Guest GDTR and IDTR'], ['msrs', 'Guest MSRs'],
    ['non-register', 'Guest non-register state'] ] },
  { id: 'host', title: 'Host-state area', subgroups: [
    ['registers', 'Host register state'], ['segments', 'Host segment registers'], ['descriptor-tables', 'Host GDTR and IDTR'], ['msrs', 'Host MSRs'] ] },
  { id: 'execution', title: 'VM-execution control fields', subgroups: [
    ['controls', 'Pin-based and processor-based controls'], ['exceptions', 'Exception bitmap and page-fault error codes'], ['bitmaps', 'Bitmap addresses'],
    ['registers', 'Guest/host masks, read shadows and CR3 targets'], ['ept', 'EPT and VPID'], ['apic', 'APIC virtualization'], ['time', 'Time'] ] },
  { id: 'exit', title: 'VM-exit control fields', subgroups: [['controls', 'VM-exit controls'], ['msrs', 'VM-exit MSR areas']] },
  { id: 'entry', title: 'VM-entry control fields', subgroups: [['controls', 'VM-entry controls'], ['msrs', 'VM-entry MSR-load area'], ['event', 'Event injection']] },
]; // prettier-ignore

export interface VmcsField {
  readonly encoding: number;
  /** SDM name in upper snake case. */
  readonly name: string;
  /** The same in camel case, the identifier in code. */
  readonly id: string;
  readonly width: FieldWidth;
  readonly type: FieldType;
  readonly group: FieldGroup;
  readonly subgroup: string;
  readonly format: FieldFormat;
  /** The control without whose support the field does not exist, as 'word.id'. */
  readonly control: string | undefined;
  /** Byte offset in the VMCS region; every field has eight bytes of its own there. */
  readonly offset: number;
  /** Position in the table. */
  readonly index: number;
}

type Camel<S extends string> = S extends `${infer Head}_${infer Tail}` ? `${Lowercase<Head>}${Pascal<Tail>}` : Lowercase<S>;
type Pascal<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Capitalize<Lowercase<Head>>}${Pascal<Tail>}`
  : Capitalize<Lowercase<S>>;
export type VmcsFieldName = (typeof BLOCKS)[number]['rows'][number][1];
export type VmcsFieldId = Camel<VmcsFieldName>;

/** Camel case of an SDM name: GUEST_IA32_EFER → guestIa32Efer. */
export function camelCaseOf(name: string): string {
  return name.toLowerCase().replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** Bytes of the VMCS region before the first field: revision identifier, VMX-abort indicator, then this processor's own words. */
export const VmcsRegion = { revision: 0, abortIndicator: 4, launchState: 8, changed: 12, firstField: 0x40, bytes: 4096 } as const;
/** VMCS revision identifier of this layout (31 bits). To be raised when an offset changes. */
export const VMCS_REVISION = 0x4e53_0001;
/** Bit 31 of the first word of a VMCS region: it is a shadow VMCS. */
export const SHADOW_INDICATOR = 0x8000_0000;

function buildFields(): VmcsField[] {
  const fields: VmcsField[] = [];
  for (const { width, type, rows } of BLOCKS as readonly Block[]) {
    for (const [encoding, name, place, format, control] of rows) {
      const [group, subgroup] = place.split('/') as [FieldGroup, string];
      const index = fields.length;
      fields.push({
        encoding,
        name,
        id: camelCaseOf(name),
        width,
        type,
        group,
        subgroup,
        format,
        control,
        offset: VmcsRegion.firstField + index * 8,
        index,
      });
    }
  }
  return fields;
}

export const VMCS_FIELDS: readonly VmcsField[] = buildFields();
/** Fields by identifier: `Field.guestCr3`. */
export const Field = Object.fromEntries(VMCS_FIELDS.map((f) => [f.id, f])) as { readonly [K in VmcsFieldId]: VmcsField };

const BY_ENCODING: ReadonlyMap<number, VmcsField> = new Map(VMCS_FIELDS.map((f) => [f.encoding, f]));
/** The field of an encoding with access type full (bit 0 clear). */
export function fieldByEncoding(encoding: number): VmcsField | undefined {
  return BY_ENCODING.get(encoding);
}
const BY_NAME: ReadonlyMap<string, VmcsField> = new Map(VMCS_FIELDS.map((f) => [f.name, f]));
export function fieldByName(name: string): VmcsField | undefined {
  return BY_NAME.get(name);
}

/** The parts of an encoding: SDM appendix B, "Structure of VMCS Component Encoding". */
export function encodingParts(encoding: number): {
  readonly high: boolean;
  readonly index: number;
  readonly type: FieldType;
  readonly width: FieldWidth;
} {
  const types: readonly FieldType[] = ['control', 'read-only', 'guest', 'host'];
  const widths: readonly FieldWidth[] = [16, 64, 32, 'natural'];
  return {
    high: (encoding & 1) !== 0,
    index: (encoding >> 1) & 0x1ff,
    type: types[(encoding >> 10) & 3],
    width: widths[(encoding >> 13) & 3],
  };
}
