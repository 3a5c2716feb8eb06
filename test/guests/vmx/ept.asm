; EPT: permissions of every kind against every access, misconfigurations, accessed and dirty flags, the page-modification log, virtualization
; exceptions, EPTP switching, mode-based execute control. SDM volume 3, "The Extended Page Table Mechanism (EPT)", "VM Functions",
; "Virtualization Exceptions", "Page-Modification Logging".
%include "conformance.inc"

section .bss
alignb 4096
second_pml4:   resb 4096
eptp_list:     resb 4096
ve_area:       resb 4096
page_log:      resb 4096

section .text
; access label : the guest makes one access to TEST_DATA and then VMCALL.
guest_read:
    mov rax, [TEST_DATA]
    vmcall
guest_write:
    mov [TEST_DATA], rax
    vmcall
guest_modify:
    lock add qword [TEST_DATA], 1
    vmcall
guest_fetch:
    mov eax, TEST_DATA
    jmp rax

; permissions name, EPT flags, qualification of a read, of a write, of a fetch; 0: the access is made.
; Qualification: bits 2:0 access, 5:3 permissions, bit 7 linear address valid, bit 8 the access is to the translation of a linear address.
%macro permissions 5
    case {"EPT ", %1, ": read"}, "EPT Violations"
    mov qword [ept_pt + 8], TEST_DATA | EPT_WRITE_BACK | %2
    guest guest_read
    enter_guest
    outcome %3
    case {"EPT ", %1, ": write"}, "EPT Violations"
    mov qword [ept_pt + 8], TEST_DATA | EPT_WRITE_BACK | %2
    guest guest_write
    enter_guest
    outcome %4
    case {"EPT ", %1, ": fetch"}, "EPT Violations"
    mov qword [ept_pt + 8], TEST_DATA | EPT_WRITE_BACK | %2
    guest guest_fetch
    enter_guest
    outcome %5
%endmacro
%macro outcome 1
  %if %1 == 0
    expect_exit EXIT_REASON_VMCALL
  %elif %1 == -1
    expect_exit REASON_MISCONFIGURATION
    expect GUEST_PHYSICAL_ADDRESS, TEST_DATA
  %else
    expect_exit EXIT_REASON_EPT_VIOLATION
    mov ecx, EXIT_QUALIFICATION
    vmread rax, rcx
    and eax, ~0xE00                     ; bits 11:9 are there on some processors only
    expect_value "EXIT_QUALIFICATION", rax, %1
    expect GUEST_PHYSICAL_ADDRESS, TEST_DATA
    expect GUEST_LINEAR_ADDRESS, TEST_DATA
  %endif
%endmacro

cases:
    permissions "---", 0, 0x181, 0x182, 0x184
    permissions "r--", EPT_READ, 0, 0x18A, 0x18C
    permissions "-w-", EPT_WRITE, -1, -1, -1
    permissions "rw-", EPT_READ | EPT_WRITE, 0, 0, 0x19C
    permissions "--x", EPT_EXECUTE, 0x1A1, 0x1A2, 0
    permissions "r-x", EPT_READ | EPT_EXECUTE, 0, 0x1AA, 0
    permissions "-wx", EPT_WRITE | EPT_EXECUTE, -1, -1, -1
    permissions "rwx", EPT_RWX, 0, 0, 0

    case "EPT r--: read-modify-write", "EPT Violations"
    mov qword [ept_pt + 8], TEST_DATA | EPT_WRITE_BACK | EPT_READ
    guest guest_modify
    enter_guest
    expect_exit EXIT_REASON_EPT_VIOLATION
    mov ecx, EXIT_QUALIFICATION
    vmread rax, rcx
    and eax, 0x1FE
    expect_value "EXIT_QUALIFICATION bits 8:1", rax, 0x18A

    case "EPT permissions: upper levels count", "EPT Violations"
    mov dword [ept_pd + 8 * (TEST_PAGE >> 21)], ept_pt + EPT_READ + EPT_EXECUTE
    guest guest_write
    enter_guest
    outcome 0x1AA

    case "EPT misconfiguration: memory type 2", "EPT Misconfigurations"
    mov qword [ept_pt + 8], TEST_DATA | (2 << 3) | EPT_RWX
    guest guest_read
    enter_guest
    outcome -1
    case "EPT misconfiguration: address beyond the physical width", "EPT Misconfigurations"
    mov rax, TEST_DATA | EPT_WRITE_BACK | EPT_RWX | (1 << 51)
    mov [ept_pt + 8], rax
    guest guest_read
    enter_guest
    outcome -1
    case "EPT misconfiguration: reserved bit 6 of a table entry", "EPT Misconfigurations"
    or dword [ept_pd + 8 * (TEST_PAGE >> 21)], 1 << 6
    guest guest_read
    enter_guest
    outcome -1
    case "EPT: bits of a leaf that are ignored", "Format of an EPT Page-Table Entry"
    mov rax, TEST_DATA | EPT_WRITE_BACK | EPT_RWX | (1 << 11) | (1 << 7) | (1 << 52)
    mov [ept_pt + 8], rax
    guest guest_read
    enter_guest
    outcome 0

    case "EPT: guest paging structures are read", "EPT Violations"
    ; The guest's page tables lie on a page that EPT does not map.
    mov rax, [boot_pml4]
    mov [TEST_DATA + 0x1000], rax
    mov qword [ept_pt + 16], 0
    set GUEST_CR3, TEST_DATA + 0x1000
    guest guest_read
    enter_guest
    expect_exit EXIT_REASON_EPT_VIOLATION
    expect EXIT_QUALIFICATION, 0x81
    expect GUEST_PHYSICAL_ADDRESS, TEST_DATA + 0x1000
    expect GUEST_LINEAR_ADDRESS, guest_read

    case "EPT: an accessed flag of the guest is written", "EPT Violations"
    mov rax, [boot_pml4]
    and eax, ~0x20
    mov [TEST_DATA + 0x1000], rax
    mov qword [ept_pt + 16], TEST_DATA + 0x1000 + EPT_WRITE_BACK + EPT_READ
    set GUEST_CR3, TEST_DATA + 0x1000
    guest guest_read
    enter_guest
    expect_exit EXIT_REASON_EPT_VIOLATION
    expect EXIT_QUALIFICATION, 0x8B

    call accessed_and_dirty
    call logging
    call exceptions
    call switching
    call mode_based
    ret

accessed_and_dirty:
    test dword [ept_capabilities], 1 << 21
    jz .none
    case "EPT accessed flag: a read sets it", "Accessed and Dirty Flags for EPT"
    set EPT_POINTER, ept_pml4 + EPTP_WRITE_BACK + EPTP_FOUR_LEVELS + EPTP_ACCESSED_DIRTY
    guest guest_read
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    mov rax, [ept_pt + 8]
    and eax, EPT_ACCESSED | EPT_DIRTY
    expect_value "flags of the leaf", rax, EPT_ACCESSED
    case "EPT dirty flag: a write sets it", "Accessed and Dirty Flags for EPT"
    set EPT_POINTER, ept_pml4 + EPTP_WRITE_BACK + EPTP_FOUR_LEVELS + EPTP_ACCESSED_DIRTY
    guest guest_write
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    mov rax, [ept_pt + 8]
    and eax, EPT_ACCESSED | EPT_DIRTY
    expect_value "flags of the leaf", rax, EPT_ACCESSED | EPT_DIRTY
    mov rax, [ept_pd + 8 * (TEST_PAGE >> 21)]
    and eax, EPT_ACCESSED | EPT_DIRTY
    expect_value "flags of the entry above", rax, EPT_ACCESSED
    case "EPT accessed and dirty flags: guest paging structures are written", "Accessed and Dirty Flags for EPT"
    mov rax, [boot_pml4]
    or eax, 0x20
    mov [TEST_DATA + 0x1000], rax
    mov qword [ept_pt + 16], TEST_DATA + 0x1000 + EPT_WRITE_BACK + EPT_READ
    set EPT_POINTER, ept_pml4 + EPTP_WRITE_BACK + EPTP_FOUR_LEVELS + EPTP_ACCESSED_DIRTY
    set GUEST_CR3, TEST_DATA + 0x1000
    guest guest_read
    enter_guest
    expect_exit EXIT_REASON_EPT_VIOLATION
    expect EXIT_QUALIFICATION, 0x8B
    case "EPT accessed flag: not without bit 6 of the EPTP", "Accessed and Dirty Flags for EPT"
    guest guest_write
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    mov rax, [ept_pt + 8]
    and eax, EPT_ACCESSED | EPT_DIRTY
    expect_value "flags of the leaf", rax, 0
.none:
    ret

logging:
    case "PML: a page is logged when it becomes dirty", "Page-Modification Logging"
    needs PROC2_PML, .full
    mov qword [page_log + 8 * 5], 0
    set EPT_POINTER, ept_pml4 + EPTP_WRITE_BACK + EPTP_FOUR_LEVELS + EPTP_ACCESSED_DIRTY
    set PML_ADDRESS, page_log
    set PML_INDEX, 511
    guest .twice
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    mov ecx, PML_INDEX
    vmread rbx, rcx
    inc ebx
    mov rax, [page_log + rbx * 8]
    expect_value "the newest entry", rax, TEST_DATA
    ; The guest's own tables and stack may have been logged too, the page only once.
    xor eax, eax
.count:
    cmp qword [page_log + rbx * 8], TEST_DATA
    jne .other
    inc eax
.other:
    inc ebx
    cmp ebx, 512
    jb .count
    expect_value "entries of the page", rax, 1
.full:
    case "PML: a full log exits before the write", "Page-Modification Logging"
    needs PROC2_PML, .none
    mov qword [TEST_DATA + 8], 0
    set EPT_POINTER, ept_pml4 + EPTP_WRITE_BACK + EPTP_FOUR_LEVELS + EPTP_ACCESSED_DIRTY
    set PML_ADDRESS, page_log
    set PML_INDEX, 0xFFFF
    guest .mark
    enter_guest
    expect_exit REASON_PML_FULL
    expect EXIT_QUALIFICATION, 0
    expect PML_INDEX, 0xFFFF
    expect_value "the data", qword [TEST_DATA + 8], 0
.none:
    ret
.twice:
    mov [TEST_DATA + 8], rax
    mov [TEST_DATA + 16], rax
    vmcall
.mark:
    mov dword [TEST_DATA + 8], 1
    vmcall

exceptions:
    case "EPT-violation #VE: a convertible violation", "Virtualization Exceptions"
    needs PROC2_VE, .suppressed
    mov qword [ve_area], 0
    mov qword [ept_pt + 8], TEST_DATA | EPT_WRITE_BACK | EPT_READ
    set VE_INFORMATION_ADDRESS, ve_area
    set EPTP_INDEX, 7
    guest guest_write
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    expect_value "vector + 1", [guest_vector], 21
    expect_value "reason", [ve_area], 0xFFFFFFFF00000030
    mov rax, [ve_area + 8]
    and eax, ~0xE00
    expect_value "qualification", rax, 0x18A
    expect_value "linear address", [ve_area + 16], TEST_DATA
    expect_value "guest-physical address", [ve_area + 24], TEST_DATA
    movzx eax, word [ve_area + 32]
    expect_value "EPTP index", rax, 7
.suppressed:
    case "EPT-violation #VE: bit 63 of the entry is 1", "Convertible EPT Violations"
    needs PROC2_VE, .busy
    mov qword [ve_area], 0
    mov rax, TEST_DATA | EPT_WRITE_BACK | EPT_READ | (1 << 63)
    mov [ept_pt + 8], rax
    set VE_INFORMATION_ADDRESS, ve_area
    guest guest_write
    enter_guest
    outcome 0x18A
.busy:
    case "EPT-violation #VE: the area is in use", "Convertible EPT Violations"
    needs PROC2_VE, .none
    mov rax, 1 << 32
    mov [ve_area], rax
    mov qword [ept_pt + 8], TEST_DATA | EPT_WRITE_BACK | EPT_READ
    set VE_INFORMATION_ADDRESS, ve_area
    guest guest_write
    enter_guest
    outcome 0x18A
.none:
    ret

switching:
    case "VMFUNC 0: another EPTP of the list", "EPTP Switching"
    needs PROC2_VM_FUNCTIONS, .disabled
    call prepare_switching
    guest .switch
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    expect EPT_POINTER, second_pml4 + EPTP_WRITE_BACK + EPTP_FOUR_LEVELS
.disabled:
    case "VMFUNC 1 is not enabled", "General Operation of the VMFUNC Instruction"
    needs PROC2_VM_FUNCTIONS, .index
    call prepare_switching
    guest .other
    enter_guest
    expect_exit REASON_VMFUNC
    expect VM_EXIT_INSTRUCTION_LENGTH, 3
.index:
    case "VMFUNC 0: ECX = 512", "EPTP Switching"
    needs PROC2_VM_FUNCTIONS, .value
    call prepare_switching
    guest .beyond
    enter_guest
    expect_exit REASON_VMFUNC
.value:
    case "VMFUNC 0: an EPTP that VM entry refuses", "EPTP Switching"
    needs PROC2_VM_FUNCTIONS, .without
    call prepare_switching
    or dword [eptp_list + 8], 1
    guest .switch
    enter_guest
    expect_exit REASON_VMFUNC
    expect EPT_POINTER, ept_pml4 + EPTP_WRITE_BACK + EPTP_FOUR_LEVELS
.without:
    case "VMFUNC without the control is #UD", "General Operation of the VMFUNC Instruction"
    guest .switch
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    expect_value "vector + 1", [guest_vector], 7
    ret
.switch:
    xor eax, eax
    mov ecx, 1
    vmfunc
    vmcall
.other:
    mov eax, 1
    xor ecx, ecx
    vmfunc
    vmcall
.beyond:
    xor eax, eax
    mov ecx, 512
    vmfunc
    vmcall
prepare_switching:
    mov eax, [ept_pml4]
    mov [second_pml4], eax
    mov qword [eptp_list + 8], second_pml4 + EPTP_WRITE_BACK + EPTP_FOUR_LEVELS
    set VM_FUNCTION_CONTROLS, 1
    set EPTP_LIST_ADDRESS, eptp_list
    ret

mode_based:
    case "mode-based execute: supervisor page without XS", "EPT Violations"
    needs PROC2_MODE_BASED_EXECUTE, .allowed
    call grant_user_execute
    mov qword [ept_pt + 8], TEST_DATA | EPT_WRITE_BACK | EPT_READ | EPT_USER_EXECUTE
    guest guest_fetch
    enter_guest
    expect_exit EXIT_REASON_EPT_VIOLATION
    mov ecx, EXIT_QUALIFICATION
    vmread rax, rcx
    and eax, ~0xE00
    expect_value "EXIT_QUALIFICATION", rax, 0x1CC
.allowed:
    case "mode-based execute: supervisor page with XS alone", "EPT Violations"
    needs PROC2_MODE_BASED_EXECUTE, .none
    call grant_user_execute
    mov qword [ept_pt + 8], TEST_DATA | EPT_WRITE_BACK | EPT_READ | EPT_EXECUTE
    guest guest_fetch
    enter_guest
    outcome 0
.none:
    ret
grant_user_execute:
    or dword [ept_pml4], EPT_USER_EXECUTE
    or dword [ept_pdpt], EPT_USER_EXECUTE
    or dword [ept_pd + 8 * (TEST_PAGE >> 21)], EPT_USER_EXECUTE
    ret
