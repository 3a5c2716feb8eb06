; VM-entry checks on the control fields and the host-state area: SDM volume 3, "Checks on VMX Controls and Host-State Area".
%include "borders.inc"

PIN                       equ PIN_BASED_CONTROLS
PROC                      equ PROC_BASED_CONTROLS
PROC2                     equ PROC_BASED_CONTROLS2
PIN_EXTERNAL              equ 1
PIN_POSTED                equ 1 << 7
PROC2_X2APIC              equ 1 << 4
PROC2_REGISTERS           equ 1 << 8
PROC2_DELIVERY            equ 1 << 9
EXIT_ACKNOWLEDGE          equ 1 << 15
EXIT_LOAD_PAT             equ 1 << 19
POSTED_VECTOR             equ 0x0002
POSTED_DESCRIPTOR         equ 0x2016
MSR_STORE_ADDRESS         equ 0x2006
HOST_IA32_PAT             equ 0x2C00
VALID                     equ 0x80000000
WITH_ERROR                equ 0x800
; The middle of the addresses that are not canonical.
NOT_CANONICAL             equ 0x0100000000000000
CANONICAL_HIGH            equ 0xFFFF800000000000

%define INFO VM_ENTRY_INTERRUPTION_INFO
%define ERROR_CODE VM_ENTRY_EXCEPTION_ERROR_CODE
%define LENGTH VM_ENTRY_INSTRUCTION_LENGTH
%define SECTION "VM-Execution Control Fields"

cases:
    call measure_addresses
    mov dword [spare_page], 0x10        ; an entry of an MSR area: IA32_TIME_STAMP_COUNTER
    call execution
    call apic
    call ept
    call exits
    call entries
    call host
    ret

execution:
    border "pin-based VM-execution controls: reserved bits", SECTION, 7, 0, {}, {}, {add_bits, PIN, 2}, {clear_bits, PIN, 2}
    border "pin-based VM-execution controls: reserved bits (31)", SECTION, 7, 0, {}, {}, {clear_bits, PIN, 1 << 31}, {add_bits, PIN, 1 << 31}
    border "primary processor-based VM-execution controls: reserved bits", SECTION, 7, 0, {}, {}, {add_bits, PROC, 2}, {clear_bits, PROC, 2}
    border "primary processor-based VM-execution controls: reserved bits (0)", SECTION, 7, 0, {}, {}, {clear_bits, PROC, 1}, {add_bits, PROC, 1}
    border "secondary processor-based VM-execution controls: reserved bits", SECTION, 7, 0, {}, {}, {clear_bits, PROC2, 1 << 31}, {add_bits, PROC2, 1 << 31}
    border "secondary processor-based VM-execution controls: reserved bits (not activated)", SECTION, 7, 0, {}, {add_bits, PROC2, 1 << 31}, {clear_bits, PROC, PROC_SECONDARY_CONTROLS}, {add_bits, PROC, PROC_SECONDARY_CONTROLS}
    border "CR3_TARGET_COUNT", SECTION, 7, 0, {}, {}, {set, CR3_TARGET_COUNT, 4}, {set, CR3_TARGET_COUNT, 5}
    page_border "IO_BITMAP_A", {}, {}, IO_BITMAP_A, 0x10
    page_border "IO_BITMAP_B", {}, {}, IO_BITMAP_B, 0x800
    page_border "MSR_BITMAPS", {}, {}, MSR_BITMAPS, 1
    border "IO_BITMAP_A: alignment (not used)", SECTION, 7, 0, {}, {set, IO_BITMAP_A, spare_page + 1}, {clear_bits, PROC, PROC_USE_IO_BITMAPS}, {add_bits, PROC, PROC_USE_IO_BITMAPS}
    border "MSR_BITMAPS: alignment (not used)", SECTION, 7, 0, {}, {set, MSR_BITMAPS, spare_page + 1}, {clear_bits, PROC, PROC_USE_MSR_BITMAPS}, {add_bits, PROC, PROC_USE_MSR_BITMAPS}
    border "“virtual NMIs” needs “NMI exiting”", SECTION, 7, 0, {}, {add_bits, PIN, PIN_VIRTUAL_NMIS}, {add_bits, PIN, PIN_NMI_EXITING}, {clear_bits, PIN, PIN_NMI_EXITING}
    border "“NMI-window exiting” needs “virtual NMIs”", SECTION, 7, 0, {}, {add_bits, PIN, PIN_NMI_EXITING, add_bits, PROC, PROC_NMI_WINDOW}, {add_bits, PIN, PIN_VIRTUAL_NMIS}, {clear_bits, PIN, PIN_VIRTUAL_NMIS}
    border "VIRTUAL_PROCESSOR_IDENTIFIER", SECTION, 7, 0, {need2, PROC2_VPID, 0}, {}, {set, VIRTUAL_PROCESSOR_IDENTIFIER, 1}, {set, VIRTUAL_PROCESSOR_IDENTIFIER, 0}
    border "VM_FUNCTION_CONTROLS: reserved bits", SECTION, 7, 0, {need2, PROC2_VM_FUNCTIONS, 0}, {set, EPTP_LIST_ADDRESS, spare_page}, {set, VM_FUNCTION_CONTROLS, 1}, {set, VM_FUNCTION_CONTROLS, 3}
    border "“EPTP switching” needs “enable EPT”", SECTION, 7, 0, {need2, PROC2_VM_FUNCTIONS, 0}, {set, VM_FUNCTION_CONTROLS, 1, set, EPTP_LIST_ADDRESS, spare_page}, {add_bits, PROC2, PROC2_ENABLE_EPT}, {clear_bits, PROC2, PROC2_ENABLE_EPT}
    %define SWITCHING {set, VM_FUNCTION_CONTROLS, 1}
    page_border "EPTP_LIST_ADDRESS", {need2, PROC2_VM_FUNCTIONS, 0}, {set, VM_FUNCTION_CONTROLS, 1}, EPTP_LIST_ADDRESS, 8
    page_border "VMREAD_BITMAP_ADDRESS", {need2, PROC2_SHADOWING, 0}, {set, VMWRITE_BITMAP, spare_page}, VMREAD_BITMAP, 8
    page_border "VMWRITE_BITMAP_ADDRESS", {need2, PROC2_SHADOWING, 0}, {set, VMREAD_BITMAP, spare_page}, VMWRITE_BITMAP, 8
    page_border "VIRTUALIZATION_EXCEPTION_INFORMATION_ADDRESS", {need2, PROC2_VE, 0}, {}, VE_INFORMATION_ADDRESS, 8
    ret

apic:
  %macro shadow_border 5
    border %1, "VM-Execution Control Fields", 7, 0, {%2}, {add_bits, PROC, PROC_TPR_SHADOW, set, VIRTUAL_APIC_ADDRESS, spare_page, set, TPR_THRESHOLD, 0, %3}, {%4}, {%5}
  %endmacro
    page_border "VIRTUAL_APIC_ADDRESS", {}, {add_bits, PROC, PROC_TPR_SHADOW, set, TPR_THRESHOLD, 0}, VIRTUAL_APIC_ADDRESS, 0x10
    shadow_border "TPR_THRESHOLD: bits 31:4", {need2, PROC2_VIRTUALIZE_APIC, 0}, {set, APIC_ACCESS_ADDRESS, guest_stack}, {set, TPR_THRESHOLD, 15}, {set, TPR_THRESHOLD, 16}
    shadow_border "TPR_THRESHOLD: not above the virtual TPR", {}, {store, spare_page + 0x80, 0x5F}, {set, TPR_THRESHOLD, 5}, {set, TPR_THRESHOLD, 6}
    page_border "APIC_ACCESS_ADDRESS", {need2, PROC2_VIRTUALIZE_APIC, 0}, {}, APIC_ACCESS_ADDRESS, 0x10
  %macro needs_shadow 2
    border {"“", %1, "” needs “use TPR shadow”"}, "VM-Execution Control Fields", 7, 0, {need2, %2, 0}, {set, VIRTUAL_APIC_ADDRESS, spare_page, set, TPR_THRESHOLD, 0, add_bits, PIN, PIN_EXTERNAL}, {add_bits, PROC, PROC_TPR_SHADOW}, {clear_bits, PROC, PROC_TPR_SHADOW}
  %endmacro
    needs_shadow "virtualize x2APIC mode", PROC2_X2APIC
    needs_shadow "APIC-register virtualization", PROC2_REGISTERS
    needs_shadow "virtual-interrupt delivery", PROC2_DELIVERY
    shadow_border "“virtualize x2APIC mode” excludes “virtualize APIC accesses”", {need2, PROC2_X2APIC | PROC2_VIRTUALIZE_APIC, 0}, {set, APIC_ACCESS_ADDRESS, guest_stack}, {clear_bits, PROC2, PROC2_VIRTUALIZE_APIC}, {add_bits, PROC2, PROC2_VIRTUALIZE_APIC}
    shadow_border "“virtual-interrupt delivery” needs “external-interrupt exiting”", {need2, PROC2_DELIVERY, 0}, {clear_bits, PIN, 1}, {add_bits, PIN, PIN_EXTERNAL}, {clear_bits, PIN, PIN_EXTERNAL}
  %macro posted 3
    shadow_border %1, {need2, PROC2_DELIVERY, 0, need, IA32_VMX_PINBASED_CTLS, PIN_POSTED}, {add_bits, PIN, PIN_EXTERNAL | PIN_POSTED, add_bits, VM_EXIT_CONTROLS, EXIT_ACKNOWLEDGE, set, POSTED_VECTOR, 0xF0, set, POSTED_DESCRIPTOR, spare_page}, {%2}, {%3}
  %endmacro
    posted "“process posted interrupts” needs “virtual-interrupt delivery”", {add_bits, PROC2, PROC2_DELIVERY}, {clear_bits, PROC2, PROC2_DELIVERY}
    posted "“process posted interrupts” needs “acknowledge interrupt on exit”", {add_bits, VM_EXIT_CONTROLS, EXIT_ACKNOWLEDGE}, {clear_bits, VM_EXIT_CONTROLS, EXIT_ACKNOWLEDGE}
    posted "POSTED_INTERRUPT_NOTIFICATION_VECTOR", {set, POSTED_VECTOR, 255}, {set, POSTED_VECTOR, 256}
    posted "POSTED_INTERRUPT_DESCRIPTOR_ADDRESS: alignment", {set, POSTED_DESCRIPTOR, spare_page + 0x40}, {set, POSTED_DESCRIPTOR, spare_page + 0x20}
    posted "POSTED_INTERRUPT_DESCRIPTOR_ADDRESS: physical-address width", {set, POSTED_DESCRIPTOR, [top_page]}, {set, POSTED_DESCRIPTOR, [beyond]}
    mov qword [spare_page + 0x80], 0
    ret

ept:
  %macro eptp 2-*
    border {"EPT_POINTER: ", %1}, "VM-Execution Control Fields", 7, 0, {}, {}, {set, EPT_POINTER, ept_pml4 + 0x1E}, {set, EPT_POINTER, %2}
  %endmacro
    eptp "memory type", ept_pml4 + 0x19
    eptp "memory type (4)", ept_pml4 + 0x1C
    eptp "memory type (7)", ept_pml4 + 0x1F
    eptp "page-walk length", ept_pml4 + 0x16
    eptp "page-walk length (8)", ept_pml4 + 0x3E
  %assign bit 7
  %rep 5
    %defstr name bit
    eptp {"reserved bits (", name, ")"}, ept_pml4 + 0x1E + (1 << bit)
    %assign bit bit + 1
  %endrep
    border "EPT_POINTER: reserved bits", SECTION, 7, 0, {}, {}, {set, EPT_POINTER, ept_pml4 + 0x1E}, {set, EPT_POINTER, ept_pml4 + 0x1E, add_bits, EPT_POINTER, [beyond]}
    ; With flags the processor has them or refuses them.
    test dword [ept_capabilities], 1 << 21
    jz .without
    case "EPT_POINTER: accessed and dirty flags: enters", SECTION
    call arm_timer
    set EPT_POINTER, ept_pml4 + 0x5E
    enter_guest
    call check_entered
    jmp .dependent
.without:
    case "EPT_POINTER: accessed and dirty flags: refused", SECTION
    call arm_timer
    set EPT_POINTER, ept_pml4 + 0x5E
    enter_guest
    mov eax, 7
    call check_refused
.dependent:
  %macro needs_ept 3
    border {"“", %1, "” needs “enable EPT”"}, "VM-Execution Control Fields", 7, 0, {need2, %2, 0}, {%3}, {add_bits, PROC2, PROC2_ENABLE_EPT}, {clear_bits, PROC2, PROC2_ENABLE_EPT}
  %endmacro
    needs_ept "unrestricted guest", PROC2_UNRESTRICTED, {}
    needs_ept "mode-based execute control for EPT", PROC2_MODE_BASED_EXECUTE, {}
    needs_ept "enable PML", PROC2_PML, {set, PML_ADDRESS, spare_page}
    page_border "PML_ADDRESS", {need2, PROC2_PML, 0}, {}, PML_ADDRESS, 0x800
    ret

exits:
%define SECTION "VM-Exit Control Fields"
    border "primary VM-exit controls: reserved bits", SECTION, 7, 0, {}, {}, {add_bits, VM_EXIT_CONTROLS, 1}, {clear_bits, VM_EXIT_CONTROLS, 1}
    border "primary VM-exit controls: reserved bits (31)", SECTION, 7, 0, {}, {}, {clear_bits, VM_EXIT_CONTROLS, 1 << 31}, {add_bits, VM_EXIT_CONTROLS, 1 << 31}
    border "“save VMX-preemption timer value” needs the timer", SECTION, 7, 0, {need, IA32_VMX_PINBASED_CTLS, PIN_PREEMPTION_TIMER}, {add_bits, VM_EXIT_CONTROLS, EXIT_SAVE_TIMER}, {add_bits, PIN, PIN_PREEMPTION_TIMER}, {clear_bits, PIN, PIN_PREEMPTION_TIMER}
  %macro msr_area 3
    border {%1, ": alignment"}, "VM-Exit Control Fields", 7, 0, {}, {set, %3, 1}, {set, %2, spare_page}, {set, %2, spare_page + 8}
    border {%1, ": alignment (no entries)"}, "VM-Exit Control Fields", 7, 0, {}, {set, %2, spare_page + 8}, {set, %3, 0}, {set, %3, 1}
    border {%1, ": physical-address width"}, "VM-Exit Control Fields", 7, 0, {}, {set, %3, 1}, {set, %2, spare_page}, {set, %2, [beyond]}
    border {%1, ": physical-address width (last byte)"}, "VM-Exit Control Fields", 7, 0, {}, {set, %2, spare_page}, {set, %3, 1}, {set, %2, [top_page], set, %3, 257}
  %endmacro
    msr_area "VM_EXIT_MSR_STORE_ADDRESS", MSR_STORE_ADDRESS, VM_EXIT_MSR_STORE_COUNT
    mov qword [spare_page + 8], 0
    msr_area "VM_EXIT_MSR_LOAD_ADDRESS", VM_EXIT_MSR_LOAD_ADDRESS, VM_EXIT_MSR_LOAD_COUNT
    ret

entries:
%define SECTION "VM-Entry Control Fields"
    border "VM-entry controls: reserved bits", SECTION, 7, 0, {}, {}, {add_bits, VM_ENTRY_CONTROLS, 1}, {clear_bits, VM_ENTRY_CONTROLS, 1}
    border "VM-entry controls: reserved bits (31)", SECTION, 7, 0, {}, {}, {clear_bits, VM_ENTRY_CONTROLS, 1 << 31}, {add_bits, VM_ENTRY_CONTROLS, 1 << 31}
    border "VM-entry controls: reserved bits (entry to SMM)", SECTION, 7, 0, {}, {}, {clear_bits, VM_ENTRY_CONTROLS, 1 << 10}, {add_bits, VM_ENTRY_CONTROLS, 1 << 10}
    border "event injection: interruption type", SECTION, 7, 0, {}, {}, {set, INFO, VALID | 0x202}, {set, INFO, VALID | 0x102}
    border "event injection: vector", SECTION, 7, 0, {}, {}, {set, INFO, VALID | 0x31F}, {set, INFO, VALID | 0x320}
    border "event injection: vector (NMI)", SECTION, 7, 0, {}, {}, {set, INFO, VALID | 0x202}, {set, INFO, VALID | 0x203}
    border "event injection: vector (other event)", SECTION, 7, 0, {need, IA32_VMX_PROCBASED_CTLS, PROC_MONITOR_TRAP}, {}, {set, INFO, VALID | 0x700}, {set, INFO, VALID | 0x701}
    border "event injection: error code only with a hardware exception", SECTION, 7, 0, {}, {set, ERROR_CODE, 0}, {set, INFO, VALID | 0x202}, {set, INFO, VALID | WITH_ERROR | 0x202}
    border "event injection: error code only with a hardware exception (software interrupt)", SECTION, 7, 0, {}, {set, ERROR_CODE, 0, set, LENGTH, 2}, {set, INFO, VALID | 0x40D}, {set, INFO, VALID | WITH_ERROR | 0x40D}
  %assign v 0
  %rep 32
    %if v != 2 && v != 21
    %defstr name v
    %if v == 8 || (v >= 10 && v <= 14) || v == 17
    border {"event injection: error code of the vector (", name, ")"}, SECTION, 7, 0, {}, {set, ERROR_CODE, 0}, {set, INFO, VALID | WITH_ERROR | 0x300 | v}, {set, INFO, VALID | 0x300 | v}
    %else
    border {"event injection: error code of the vector (", name, ")"}, SECTION, 7, 0, {}, {set, ERROR_CODE, 0}, {set, INFO, VALID | 0x300 | v}, {set, INFO, VALID | WITH_ERROR | 0x300 | v}
    %endif
    %endif
    %assign v v + 1
  %endrep
    border "event injection: error code in real-address mode", SECTION, 7, 0, {need2, PROC2_UNRESTRICTED, 0}, {set, ERROR_CODE, 0, set, GUEST_CR0, 0x30, clear_bits, VM_ENTRY_CONTROLS, ENTRY_IA32E_GUEST, set, GUEST_IA32_EFER, 0, set, GUEST_CS_ACCESS_RIGHTS, RIGHTS_CODE32}, {set, INFO, VALID | 0x30D}, {set, INFO, VALID | WITH_ERROR | 0x30D}
  %assign bit 12
  %rep 19
    %defstr name bit
    border {"event injection: reserved bits (", name, ")"}, SECTION, 7, 0, {}, {}, {set, INFO, VALID | 0x306}, {set, INFO, VALID | 0x306 | (1 << bit)}
    %assign bit bit + 1
  %endrep
    border "event injection: reserved bits (not valid)", SECTION, 7, 0, {}, {}, {set, INFO, 0x7FFFF906}, {set, INFO, 0xFFFFF306}
    border "VM_ENTRY_EXCEPTION_ERROR_CODE", SECTION, 7, 0, {}, {set, INFO, VALID | WITH_ERROR | 0x30E}, {set, ERROR_CODE, 0x7FFF}, {set, ERROR_CODE, 0x10000}
    border "VM_ENTRY_EXCEPTION_ERROR_CODE (31)", SECTION, 7, 0, {}, {set, INFO, VALID | WITH_ERROR | 0x30E}, {set, ERROR_CODE, 0}, {set, ERROR_CODE, 0x80000000}
    border "VM_ENTRY_INSTRUCTION_LENGTH", SECTION, 7, 0, {}, {set, INFO, VALID | 0x420}, {set, LENGTH, 15}, {set, LENGTH, 16}
    border "VM_ENTRY_INSTRUCTION_LENGTH (software exception)", SECTION, 7, 0, {}, {set, INFO, VALID | 0x603}, {set, LENGTH, 1}, {set, LENGTH, 16}
    border "VM_ENTRY_INSTRUCTION_LENGTH (privileged software exception)", SECTION, 7, 0, {}, {set, INFO, VALID | 0x501}, {set, LENGTH, 1}, {set, LENGTH, -1}
    msr_area "VM_ENTRY_MSR_LOAD_ADDRESS", VM_ENTRY_MSR_LOAD_ADDRESS, VM_ENTRY_MSR_LOAD_COUNT
    ret

host:
%define SECTION "Checks on Host Control Registers, MSRs, and SSP"
    border "HOST_CR0", SECTION, 8, 0, {}, {}, {add_bits, HOST_CR0, 1}, {clear_bits, HOST_CR0, 1}
    border "HOST_CR0 (NE)", SECTION, 8, 0, {}, {}, {add_bits, HOST_CR0, CR0_NE}, {clear_bits, HOST_CR0, CR0_NE}
    border "HOST_CR0 (PG)", SECTION, 8, 0, {}, {}, {add_bits, HOST_CR0, CR0_PG}, {clear_bits, HOST_CR0, CR0_PG}
    border "HOST_CR4", SECTION, 8, 0, {}, {}, {add_bits, HOST_CR4, CR4_VMXE}, {clear_bits, HOST_CR4, CR4_VMXE}
    border "HOST_CR4 (31)", SECTION, 8, 0, {}, {}, {clear_bits, HOST_CR4, 1 << 31}, {add_bits, HOST_CR4, 1 << 31}
    border "HOST_CR3", SECTION, 8, 0, {}, {}, {add_bits, HOST_CR3, 0}, {add_bits, HOST_CR3, [beyond]}
  %macro canonical 2
    border {%1, ": canonical"}, "Checks on Host Segment and Descriptor-Table Registers", 8, 0, {}, {}, {add_bits, %2, 0}, {set, %2, NOT_CANONICAL}
    border {%1, ": canonical (sign)"}, "Checks on Host Segment and Descriptor-Table Registers", 8, 0, {}, {}, {add_bits, %2, 0}, {set, %2, 1 << 63}
  %endmacro
    canonical "HOST_IA32_SYSENTER_ESP", HOST_IA32_SYSENTER_ESP
    canonical "HOST_IA32_SYSENTER_EIP", HOST_IA32_SYSENTER_EIP
    canonical "HOST_FS_BASE", HOST_FS_BASE
    canonical "HOST_GS_BASE", HOST_GS_BASE
    canonical "HOST_GDTR_BASE", HOST_GDTR_BASE
    canonical "HOST_IDTR_BASE", HOST_IDTR_BASE
    canonical "HOST_TR_BASE", HOST_TR_BASE
    border "HOST_FS_BASE: canonical (high half)", SECTION, 8, 0, {}, {}, {set, HOST_FS_BASE, CANONICAL_HIGH}, {set, HOST_FS_BASE, NOT_CANONICAL}
    border "HOST_IA32_PAT", SECTION, 8, 0, {need, IA32_VMX_EXIT_CTLS, EXIT_LOAD_PAT}, {add_bits, VM_EXIT_CONTROLS, EXIT_LOAD_PAT}, {set, HOST_IA32_PAT, 0x0007040600070406}, {set, HOST_IA32_PAT, 0x0007040600070402}
    border "HOST_IA32_PAT (3)", SECTION, 8, 0, {need, IA32_VMX_EXIT_CTLS, EXIT_LOAD_PAT}, {add_bits, VM_EXIT_CONTROLS, EXIT_LOAD_PAT}, {set, HOST_IA32_PAT, 0x0507040600070106}, {set, HOST_IA32_PAT, 0x0307040600070406}
    border "HOST_IA32_PAT (8)", SECTION, 8, 0, {need, IA32_VMX_EXIT_CTLS, EXIT_LOAD_PAT}, {add_bits, VM_EXIT_CONTROLS, EXIT_LOAD_PAT}, {set, HOST_IA32_PAT, 0x0007040600070406}, {set, HOST_IA32_PAT, 0x0007040608070406}
    border "HOST_IA32_PAT (not loaded)", SECTION, 8, 0, {need, IA32_VMX_EXIT_CTLS, EXIT_LOAD_PAT}, {set, HOST_IA32_PAT, -1}, {clear_bits, VM_EXIT_CONTROLS, EXIT_LOAD_PAT}, {add_bits, VM_EXIT_CONTROLS, EXIT_LOAD_PAT}
    border "HOST_IA32_EFER: reserved bits", SECTION, 8, 0, {}, {}, {set, HOST_IA32_EFER, 0x500}, {set, HOST_IA32_EFER, 0x502}
    border "HOST_IA32_EFER: reserved bits (63)", SECTION, 8, 0, {}, {}, {set, HOST_IA32_EFER, 0x500}, {set, HOST_IA32_EFER, (1 << 63) | 0x500}
    border "HOST_IA32_EFER: LMA and LME", SECTION, 8, 0, {}, {}, {set, HOST_IA32_EFER, 0x500}, {set, HOST_IA32_EFER, 0x100}
    border "HOST_IA32_EFER: LMA and LME (LME)", SECTION, 8, 0, {}, {}, {set, HOST_IA32_EFER, 0x500}, {set, HOST_IA32_EFER, 0x400}
    border "HOST_IA32_EFER: LMA and LME (not loaded)", SECTION, 8, 0, {}, {set, HOST_IA32_EFER, 0}, {clear_bits, VM_EXIT_CONTROLS, EXIT_LOAD_EFER}, {add_bits, VM_EXIT_CONTROLS, EXIT_LOAD_EFER}
%define SECTION "Checks on Host Segment and Descriptor-Table Registers"
  %macro selector 2
    border {%1, ": RPL and TI"}, SECTION, 8, 0, {}, {}, {add_bits, %2, 0}, {add_bits, %2, 4}
    border {%1, ": RPL and TI (1)"}, SECTION, 8, 0, {}, {}, {add_bits, %2, 0}, {add_bits, %2, 1}
    border {%1, ": RPL and TI (2)"}, SECTION, 8, 0, {}, {}, {add_bits, %2, 0}, {add_bits, %2, 2}
  %endmacro
    selector "HOST_CS_SELECTOR", HOST_CS_SELECTOR
    selector "HOST_SS_SELECTOR", HOST_SS_SELECTOR
    selector "HOST_DS_SELECTOR", HOST_DS_SELECTOR
    selector "HOST_ES_SELECTOR", HOST_ES_SELECTOR
    selector "HOST_FS_SELECTOR", HOST_FS_SELECTOR
    selector "HOST_GS_SELECTOR", HOST_GS_SELECTOR
    selector "HOST_TR_SELECTOR", HOST_TR_SELECTOR
    border "HOST_CS_SELECTOR: not null", SECTION, 8, 0, {}, {}, {set, HOST_CS_SELECTOR, SELECTOR_CODE64}, {set, HOST_CS_SELECTOR, 0}
    border "HOST_TR_SELECTOR: not null", SECTION, 8, 0, {}, {}, {set, HOST_TR_SELECTOR, SELECTOR_TSS}, {set, HOST_TR_SELECTOR, 0}
%define SECTION "Checks Related to Address-Space Size"
    border "“host address-space size” in IA-32e mode", SECTION, 8, 0, {}, {set, HOST_IA32_EFER, 0}, {set, HOST_IA32_EFER, 0x500}, {clear_bits, VM_EXIT_CONTROLS, EXIT_HOST_64BIT}
    border "HOST_CR4.PAE with a 64-bit host", SECTION, 8, 0, {}, {}, {add_bits, HOST_CR4, CR4_PAE}, {clear_bits, HOST_CR4, CR4_PAE}
    border "HOST_RIP: canonical", SECTION, 8, 0, {}, {}, {add_bits, HOST_RIP, 0}, {set, HOST_RIP, NOT_CANONICAL}
    ret
