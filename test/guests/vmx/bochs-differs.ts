/**
 * Cases of the VMX conformance guests, by the beginning of their names, in which bochs 2.7 does something else, and what the manual (SDM volume 3)
 * says. The rest of the transcripts is the same.
 */
export const BOCHS_DIFFERS: Readonly<Record<string, string>> = {
  'EPT: an accessed flag of the guest is written': 'An update of an accessed flag is a write to the guest paging-structure entry and needs EPT write permission ("EPT Violations").',
  'EPT accessed and dirty flags: guest paging structures are written': 'Such an access sets both bit 0 and bit 1 of the qualification (footnote of "Exit Qualification for EPT Violations").',
  'PML: a page is logged when it becomes dirty': 'The value written is the guest-physical address with bits 11:0 clear ("Page-Modification Logging").',
  'EPT-violation #VE: a convertible violation': 'Bytes 33:32 receive the EPTP-index VM-execution control ("Virtualization-Exception Information").',
  'single-step trap: VM exit in the shadow of STI': 'The interruptibility state is that before the exit: an exception that exits directly ends no blocking by STI ("Architectural State Before a VM Exit").',
  'instruction breakpoint: VM exit with RF': 'RFLAGS is saved as delivery would push it, with RF for an instruction breakpoint ("Saving RIP, RSP, RFLAGS, and SSP").',
  'single-step on branches': 'With BTF, TF traps behind branches only ("Single-Stepping on Branches").',
  'NMI window: a pending debug exception comes first': 'The exit comes before execution of any instruction, the first of a handler too ("Other Causes of VM Exits").',
  'NMI: VM exit': 'NMIs are blocked, but only after the VM exit completes ("Architectural State Before a VM Exit").',
  'external interrupt: VM exit although IF is 0': 'With “external-interrupt exiting” RFLAGS.IF does not control their blocking ("Event Blocking").',
  'external interrupt: pending at VM entry, wakes from HLT': 'The activity state is that before the VM exit ("Saving Non-Register State").',
  'preemption timer: blocked by nothing: MOV SS': 'With 0 the VM exit comes immediately after VM entry, unlike NMI windows whatever is blocked ("VMX-Preemption Timer").',
  'VM-entry controls: reserved bits (entry to SMM): refused': '“Entry to SMM” must be 0 outside SMM ("VM-Entry Control Fields").',
  'GUEST_IA32_DEBUGCTL': 'Bits reserved in IA32_DEBUGCTL must be 0 in the field if “load debug controls” is 1 ("Checks on Guest Control Registers, Debug Registers, and MSRs").',
  'IA-32e mode guest: CR0.PG and CR4.PAE (PG): refused': 'If “IA-32e mode guest” is 1, bit 31 in the CR0 field must be 1 ("Checks on Guest Control Registers, Debug Registers, and MSRs").',
  'GUEST_SS_SELECTOR: RPL (unrestricted guest): enters': 'The RPL of SS must equal that of CS only if “unrestricted guest” is 0 ("Checks on Guest Segment Registers").',
  'GUEST_DS_ACCESS_RIGHTS: DPL and RPL (conforming code): refused': 'The DPL must not be less than the RPL for types 0 to 11 ("Checks on Guest Segment Registers").',
  'GUEST_ES_ACCESS_RIGHTS: DPL and RPL (conforming code): refused': 'The DPL must not be less than the RPL for types 0 to 11 ("Checks on Guest Segment Registers").',
  'GUEST_FS_ACCESS_RIGHTS: DPL and RPL (conforming code): refused': 'The DPL must not be less than the RPL for types 0 to 11 ("Checks on Guest Segment Registers").',
  'GUEST_GS_ACCESS_RIGHTS: DPL and RPL (conforming code): refused': 'The DPL must not be less than the RPL for types 0 to 11 ("Checks on Guest Segment Registers").',
  'GUEST_RIP: linear-address width': 'Bits 63:N must be identical, N being the linear-address width ("Checks on Guest RIP, RFLAGS, and SSP").',
  'GUEST_RFLAGS: VM (real-address mode): refused': 'The VM flag must be 0 if bit 0 in the CR0 field (PE) is 0 ("Checks on Guest RIP, RFLAGS, and SSP").',
  'GUEST_ACTIVITY_STATE: injected event': 'In HLT only external interrupts, NMIs, #DB, #MC and pending MTF VM exits may be injected ("Checks on Guest Non-Register State").',
  'GUEST_INTERRUPTIBILITY_STATE: injected NMI with virtual NMIs': 'If “virtual NMIs” is 1 and an NMI is injected, bit 3 (blocking by NMI) must be 0 ("Checks on Guest Non-Register State").',
  'GUEST_PENDING_DEBUG_EXCEPTIONS: reserved bits (63): refused': 'Bits 63:17 must be 0 ("Checks on Guest Non-Register State").',
  'GUEST_PENDING_DEBUG_EXCEPTIONS: BS must be': 'Under blocking by STI or MOV SS and in HLT, BS must be as TF and BTF have it ("Checks on Guest Non-Register State").',
}; // prettier-ignore
