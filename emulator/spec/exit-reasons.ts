/** Basic VM-exit reasons: SDM volume 3, appendix C "VMX Basic Exit Reasons". */

export interface ExitReasonRow {
  readonly number: number;
  /** SDM name in upper snake case. */
  readonly name: string;
  readonly sentence: string;
}

const ROWS = [
  [0, 'EXCEPTION_NMI', 'The guest caused an exception whose bit in the exception bitmap was 1, or a non-maskable interrupt arrived and “NMI exiting” was 1.'],
  [1, 'EXTERNAL_INTERRUPT', 'An external interrupt arrived and “external-interrupt exiting” was 1.'],
  [2, 'TRIPLE_FAULT', 'The processor met an exception while it tried to call the double-fault handler.'],
  [3, 'INIT_SIGNAL', 'An INIT signal arrived.'],
  [4, 'SIPI', 'A start-up IPI arrived while the processor was in the wait-for-SIPI state.'],
  [5, 'IO_SMI', 'An SMI arrived immediately after an I/O instruction and caused an SMM VM exit.'],
  [6, 'OTHER_SMI', 'An SMI arrived and caused an SMM VM exit, but not immediately after an I/O instruction.'],
  [7, 'INTERRUPT_WINDOW', 'At the beginning of an instruction interrupts could be delivered (RFLAGS.IF = 1, no blocking) and “interrupt-window exiting” was 1.'],
  [8, 'NMI_WINDOW', 'At the beginning of an instruction there was no virtual-NMI blocking and “NMI-window exiting” was 1.'],
  [9, 'TASK_SWITCH', 'The guest attempted a task switch.'],
  [10, 'CPUID', 'The guest attempted to execute CPUID.'],
  [11, 'GETSEC', 'The guest attempted to execute GETSEC.'],
  [12, 'HLT', 'The guest attempted to execute HLT and “HLT exiting” was 1.'],
  [13, 'INVD', 'The guest attempted to execute INVD.'],
  [14, 'INVLPG', 'The guest attempted to execute INVLPG and “INVLPG exiting” was 1.'],
  [15, 'RDPMC', 'The guest attempted to execute RDPMC and “RDPMC exiting” was 1.'],
  [16, 'RDTSC', 'The guest attempted to execute RDTSC and “RDTSC exiting” was 1.'],
  [17, 'RSM', 'The guest attempted to execute RSM in SMM.'],
  [18, 'VMCALL', 'VMCALL was executed by the guest, or by the executive monitor to enter the SMM monitor.'],
  [19, 'VMCLEAR', 'The guest attempted to execute VMCLEAR.'],
  [20, 'VMLAUNCH', 'The guest attempted to execute VMLAUNCH.'],
  [21, 'VMPTRLD', 'The guest attempted to execute VMPTRLD.'],
  [22, 'VMPTRST', 'The guest attempted to execute VMPTRST.'],
  [23, 'VMREAD', 'The guest attempted to execute VMREAD.'],
  [24, 'VMRESUME', 'The guest attempted to execute VMRESUME.'],
  [25, 'VMWRITE', 'The guest attempted to execute VMWRITE.'],
  [26, 'VMXOFF', 'The guest attempted to execute VMXOFF.'],
  [27, 'VMXON', 'The guest attempted to execute VMXON.'],
  [28, 'CR_ACCESS', 'The guest attempted to access CR0, CR3, CR4 or CR8 with MOV, CLTS or LMSW, and the VM-execution control fields ask for a VM exit.'],
  [29, 'MOV_DR', 'The guest attempted a MOV to or from a debug register and “MOV-DR exiting” was 1.'],
  [30, 'IO_INSTRUCTION', 'The guest attempted to execute an I/O instruction that the I/O bitmaps or “unconditional I/O exiting” intercept.'],
  [31, 'RDMSR', 'The guest attempted to execute RDMSR of an MSR that the MSR bitmaps intercept.'],
  [32, 'WRMSR', 'The guest attempted to execute WRMSR to an MSR that the MSR bitmaps intercept.'],
  [33, 'INVALID_GUEST_STATE', 'VM-entry failure: a check on the guest state failed.'],
  [34, 'MSR_LOADING', 'VM-entry failure: an MSR of the VM-entry MSR-load area could not be loaded.'],
  [36, 'MWAIT', 'The guest attempted to execute MWAIT and “MWAIT exiting” was 1.'],
  [37, 'MONITOR_TRAP_FLAG', 'A VM exit was pending at an instruction boundary because “monitor trap flag” was 1 or VM entry injected it.'],
  [39, 'MONITOR', 'The guest attempted to execute MONITOR and “MONITOR exiting” was 1.'],
  [40, 'PAUSE', 'The guest attempted to execute PAUSE and “PAUSE exiting” was 1, or a PAUSE loop was found.'],
  [41, 'MACHINE_CHECK', 'VM-entry failure: a machine-check event occurred during VM entry.'],
  [43, 'TPR_BELOW_THRESHOLD', 'The virtual task priority fell below the TPR threshold.'],
  [44, 'APIC_ACCESS', 'The guest accessed the page with the APIC-access address and “virtualize APIC accesses” was 1.'],
  [45, 'VIRTUALIZED_EOI', 'EOI virtualization was performed for a vector whose bit is set in the EOI-exit bitmap.'],
  [46, 'GDTR_IDTR_ACCESS', 'The guest attempted to execute LGDT, LIDT, SGDT or SIDT and “descriptor-table exiting” was 1.'],
  [47, 'LDTR_TR_ACCESS', 'The guest attempted to execute LLDT, LTR, SLDT or STR and “descriptor-table exiting” was 1.'],
  [48, 'EPT_VIOLATION', 'The EPT paging structures did not allow an access to a guest-physical address.'],
  [49, 'EPT_MISCONFIGURATION', 'The processor met a misconfigured EPT paging-structure entry.'],
  [50, 'INVEPT', 'The guest attempted to execute INVEPT.'],
  [51, 'RDTSCP', 'The guest attempted to execute RDTSCP and “enable RDTSCP” and “RDTSC exiting” were 1.'],
  [52, 'VMX_PREEMPTION_TIMER', 'The VMX-preemption timer counted down to zero.'],
  [53, 'INVVPID', 'The guest attempted to execute INVVPID.'],
  [54, 'WBINVD', 'The guest attempted to execute WBINVD or WBNOINVD and “WBINVD exiting” was 1.'],
  [55, 'XSETBV', 'The guest attempted to execute XSETBV.'],
  [56, 'APIC_WRITE', 'The guest completed a write to the virtual-APIC page that the hypervisor must virtualize.'],
  [57, 'RDRAND', 'The guest attempted to execute RDRAND and “RDRAND exiting” was 1.'],
  [58, 'INVPCID', 'The guest attempted to execute INVPCID and “enable INVPCID” and “INVLPG exiting” were 1.'],
  [59, 'VMFUNC', 'The guest invoked a VM function with VMFUNC that was not enabled or that asks for a VM exit.'],
  [60, 'ENCLS', 'The guest attempted to execute ENCLS and the ENCLS-exiting bitmap intercepts the leaf.'],
  [61, 'RDSEED', 'The guest attempted to execute RDSEED and “RDSEED exiting” was 1.'],
  [62, 'PML_FULL', 'The processor attempted to log a guest-physical address and the page-modification log was full.'],
  [63, 'XSAVES', 'The guest attempted to execute XSAVES and the XSS-exiting bitmap intercepts a component.'],
  [64, 'XRSTORS', 'The guest attempted to execute XRSTORS and the XSS-exiting bitmap intercepts a component.'],
  [65, 'PCONFIG', 'The guest attempted to execute PCONFIG and the PCONFIG-exiting bitmap intercepts the leaf.'],
  [66, 'SPP_EVENT', 'The processor met an SPP miss or SPP misconfiguration in the sub-page-permission table.'],
  [67, 'UMWAIT', 'The guest attempted to execute UMWAIT and “RDTSC exiting” was 1.'],
  [68, 'TPAUSE', 'The guest attempted to execute TPAUSE and “RDTSC exiting” was 1.'],
  [69, 'LOADIWKEY', 'The guest attempted to execute LOADIWKEY and “LOADIWKEY exiting” was 1.'],
  [70, 'ENCLV', 'The guest attempted to execute ENCLV and the ENCLV-exiting bitmap intercepts the leaf.'],
  [72, 'ENQCMD_PASID_TRANSLATION_FAILURE', 'PASID translation failed during the execution of ENQCMD.'],
  [73, 'ENQCMDS_PASID_TRANSLATION_FAILURE', 'PASID translation failed during the execution of ENQCMDS.'],
  [74, 'BUS_LOCK', 'The processor asserted a bus lock and “VMM bus-lock detection” was 1.'],
  [75, 'INSTRUCTION_TIMEOUT', 'An instruction took longer than the instruction-timeout control allows.'],
  [76, 'SEAMCALL', 'SEAMCALL was executed.'],
  [77, 'TDCALL', 'TDCALL was executed.'],
  [78, 'RDMSRLIST', 'The guest attempted to execute RDMSRLIST and the MSR bitmaps intercept an MSR.'],
  [79, 'WRMSRLIST', 'The guest attempted to execute WRMSRLIST and the MSR bitmaps intercept an MSR.'],
] as const; // prettier-ignore

export type ExitReasonName = (typeof ROWS)[number][1];
export const EXIT_REASONS: readonly ExitReasonRow[] = ROWS.map(([number, name, sentence]) => ({ number, name, sentence }));
/** Numbers by name: `ExitReason.CPUID`. */
export const ExitReason = Object.fromEntries(ROWS.map(([number, name]) => [name, number])) as { readonly [K in ExitReasonName]: number };

const BY_NUMBER: ReadonlyMap<number, ExitReasonRow> = new Map(EXIT_REASONS.map((r) => [r.number, r]));
/** Row of a basic exit reason (bits 15:0 of the exit-reason field). */
export function exitReasonRow(basicReason: number): ExitReasonRow | undefined {
  return BY_NUMBER.get(basicReason);
}
export function exitReasonName(basicReason: number): string {
  return BY_NUMBER.get(basicReason)?.name ?? `REASON_${basicReason}`;
}

/** Bit 31 of the exit-reason field: SDM "Basic VM-Exit Information". */
export const ENTRY_FAILURE_BIT = 0x8000_0000;
