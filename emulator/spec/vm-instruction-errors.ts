/** VM-instruction error numbers: SDM volume 3, "VM Instruction Error Numbers". */

const ROWS = [
  [1, 'vmcallInRoot', 'VMCALL executed in VMX root operation'],
  [2, 'vmclearInvalidAddress', 'VMCLEAR with invalid physical address'],
  [3, 'vmclearVmxonPointer', 'VMCLEAR with VMXON pointer'],
  [4, 'vmlaunchNonClear', 'VMLAUNCH with non-clear VMCS'],
  [5, 'vmresumeNonLaunched', 'VMRESUME with non-launched VMCS'],
  [6, 'vmresumeAfterVmxoff', 'VMRESUME after VMXOFF (VMXOFF and VMXON between VMLAUNCH and VMRESUME)'],
  [7, 'invalidControlFields', 'VM entry with invalid control field(s)'],
  [8, 'invalidHostState', 'VM entry with invalid host-state field(s)'],
  [9, 'vmptrldInvalidAddress', 'VMPTRLD with invalid physical address'],
  [10, 'vmptrldVmxonPointer', 'VMPTRLD with VMXON pointer'],
  [11, 'vmptrldIncorrectRevision', 'VMPTRLD with incorrect VMCS revision identifier'],
  [12, 'unsupportedComponent', 'VMREAD/VMWRITE from/to unsupported VMCS component'],
  [13, 'readOnlyComponent', 'VMWRITE to read-only VMCS component'],
  [15, 'vmxonInRoot', 'VMXON executed in VMX root operation'],
  [16, 'invalidExecutivePointer', 'VM entry with invalid executive-VMCS pointer'],
  [17, 'nonLaunchedExecutive', 'VM entry with non-launched executive VMCS'],
  [18, 'executiveNotVmxonPointer', 'VM entry with executive-VMCS pointer not VMXON pointer (when attempting to deactivate the dual-monitor treatment of SMIs and SMM)'],
  [19, 'vmcallNonClear', 'VMCALL with non-clear VMCS (when attempting to activate the dual-monitor treatment of SMIs and SMM)'],
  [20, 'vmcallInvalidExitControls', 'VMCALL with invalid VM-exit control fields'],
  [22, 'vmcallIncorrectMseg', 'VMCALL with incorrect MSEG revision identifier (when attempting to activate the dual-monitor treatment of SMIs and SMM)'],
  [23, 'vmxoffDualMonitor', 'VMXOFF under dual-monitor treatment of SMIs and SMM'],
  [24, 'vmcallInvalidSmmFeatures', 'VMCALL with invalid SMM-monitor features (when attempting to activate the dual-monitor treatment of SMIs and SMM)'],
  [25, 'invalidExecutiveControls', 'VM entry with invalid VM-execution control fields in executive VMCS (when attempting to return from SMM)'],
  [26, 'blockedByMovSs', 'VM entry with events blocked by MOV SS'],
  [28, 'invalidInvOperand', 'Invalid operand to INVEPT/INVVPID'],
] as const; // prettier-ignore

/** Numbers by identifier: `VmError.vmlaunchNonClear`. */
export const VmError = Object.fromEntries(ROWS.map(([number, id]) => [id, number])) as { readonly [K in (typeof ROWS)[number][1]]: number };
export const VM_INSTRUCTION_ERRORS: readonly { readonly number: number; readonly id: string; readonly sentence: string }[] = ROWS.map(
  ([number, id, sentence]) => ({ number, id, sentence }),
);
export function vmInstructionErrorSentence(number: number): string {
  return VM_INSTRUCTION_ERRORS.find((row) => row.number === number)?.sentence ?? `reserved error number ${number}`;
}
