; EPT level by level: every combination of permissions in an entry of each level, in 4-KByte, 2-MByte and 1-GByte mappings, against reads, writes
; and fetches; every kind of misconfiguration; accessed and dirty flags of each level. SDM volume 3, "The Extended Page Table Mechanism (EPT)".
%include "conformance.inc"

; Guest-linear DISTANT is guest-physical DISTANT_PHYSICAL, which has EPT tables of its own and is TEST_DATA in the end.
DISTANT                       equ 0x40000000
DISTANT_PHYSICAL              equ 0x8000000000

section .bss
alignb 4096
far_guest_pd:  resb 4096
far_pdpt:      resb 4096
far_pd:        resb 4096
far_pt:        resb 4096
beyond:        resq 1

section .text
guest_read:
    mov rax, [DISTANT]
    vmcall
guest_write:
    mov [DISTANT], rax
    vmcall
guest_fetch:
    mov eax, DISTANT
    jmp rax

; Fresh tables: 4-KByte pages; the page begins with VMCALL.
far_tables:
    mov dword [TEST_DATA], 0xC1010F
    mov qword [ept_pml4 + 8], far_pdpt + EPT_RWX
    mov qword [far_pdpt], far_pd + EPT_RWX
    mov qword [far_pd], far_pt + EPT_RWX
    mov qword [far_pt], TEST_DATA + EPT_RWX + EPT_WRITE_BACK
flush:
    push 0
    push 0
    mov eax, 2
    invept rax, [rsp]
    add rsp, 16
    ret
; Mapped by a 2-MByte page; by a 1-GByte page, whose first 16 MiB are the machine's.
large_tables:
    call far_tables
    mov qword [far_pd], TEST_PAGE + EPT_RWX + EPT_WRITE_BACK + EPT_LARGE
    mov dword [TEST_PAGE], 0xC1010F
    jmp flush
huge_tables:
    call far_tables
    mov qword [far_pdpt], EPT_RWX + EPT_WRITE_BACK + EPT_LARGE
    ; Guest-linear DISTANT is at TEST_PAGE of it.
    mov dword [TEST_PAGE], 0xC1010F
    mov rax, DISTANT_PHYSICAL + TEST_PAGE + (PAGE_PRESENT | PAGE_WRITABLE | PAGE_LARGE)
    mov [far_guest_pd], rax
    jmp flush

%macro outcome 2                        ; qualification, 0 (made) or -1 (misconfiguration); guest-physical address
  %if %1 == 0
    expect_exit EXIT_REASON_VMCALL
  %elif %1 == -1
    expect_exit REASON_MISCONFIGURATION
    expect GUEST_PHYSICAL_ADDRESS, %2
  %else
    expect_exit EXIT_REASON_EPT_VIOLATION
    mov ecx, EXIT_QUALIFICATION
    vmread rax, rcx
    and eax, ~0xE00                     ; bits 11:9 are there on some processors only
    expect_value "EXIT_QUALIFICATION", rax, %1
    expect GUEST_PHYSICAL_ADDRESS, %2
    expect GUEST_LINEAR_ADDRESS, DISTANT
  %endif
%endmacro

; access "name", tables, entry, permissions, what, program, qualification, guest-physical address
%macro access 8
    case {"EPT ", %1, ": ", %5}, "EPT Violations"
    call %2
    and qword [%3], -8
    or qword [%3], %4
    guest %6
    enter_guest
    outcome %7, %8
%endmacro
; combination "name", tables, entry, guest-physical address : all permissions; bits of a permission are those of the exit qualification.
%macro combination 4
    access {%1, " ---"}, %2, %3, 0, "read", guest_read, 0x181, %4
    access {%1, " ---"}, %2, %3, 0, "write", guest_write, 0x182, %4
    access {%1, " ---"}, %2, %3, 0, "fetch", guest_fetch, 0x184, %4
    access {%1, " r--"}, %2, %3, 1, "read", guest_read, 0, %4
    access {%1, " r--"}, %2, %3, 1, "write", guest_write, 0x18A, %4
    access {%1, " r--"}, %2, %3, 1, "fetch", guest_fetch, 0x18C, %4
    access {%1, " -w-"}, %2, %3, 2, "read", guest_read, -1, %4
    access {%1, " -w-"}, %2, %3, 2, "write", guest_write, -1, %4
    access {%1, " -w-"}, %2, %3, 2, "fetch", guest_fetch, -1, %4
    access {%1, " rw-"}, %2, %3, 3, "read", guest_read, 0, %4
    access {%1, " rw-"}, %2, %3, 3, "write", guest_write, 0, %4
    access {%1, " rw-"}, %2, %3, 3, "fetch", guest_fetch, 0x19C, %4
    access {%1, " --x"}, %2, %3, 4, "read", guest_read, 0x1A1, %4
    access {%1, " --x"}, %2, %3, 4, "write", guest_write, 0x1A2, %4
    access {%1, " --x"}, %2, %3, 4, "fetch", guest_fetch, 0, %4
    access {%1, " r-x"}, %2, %3, 5, "read", guest_read, 0, %4
    access {%1, " r-x"}, %2, %3, 5, "write", guest_write, 0x1AA, %4
    access {%1, " r-x"}, %2, %3, 5, "fetch", guest_fetch, 0, %4
    access {%1, " -wx"}, %2, %3, 6, "read", guest_read, -1, %4
    access {%1, " -wx"}, %2, %3, 6, "write", guest_write, -1, %4
    access {%1, " -wx"}, %2, %3, 6, "fetch", guest_fetch, -1, %4
    access {%1, " rwx"}, %2, %3, 7, "read", guest_read, 0, %4
    access {%1, " rwx"}, %2, %3, 7, "write", guest_write, 0, %4
    access {%1, " rwx"}, %2, %3, 7, "fetch", guest_fetch, 0, %4
%endmacro

cases:
    mov eax, 0x80000008
    cpuid
    mov ecx, eax
    mov eax, 1
    shl rax, cl
    mov [beyond], rax
    call map_far
    combination "PML4E", far_tables, ept_pml4 + 8, DISTANT_PHYSICAL
    combination "PDPTE", far_tables, far_pdpt, DISTANT_PHYSICAL
    combination "PDE", far_tables, far_pd, DISTANT_PHYSICAL
    combination "PTE", far_tables, far_pt, DISTANT_PHYSICAL
    combination "2-MByte PDE", large_tables, far_pd, DISTANT_PHYSICAL
    test dword [ept_capabilities], 1 << 17
    jz .no_huge
    combination "1-GByte PDPTE", huge_tables, far_pdpt, DISTANT_PHYSICAL + TEST_PAGE
.no_huge:
    call map_far
    call together
    call misconfigured
    call ignored
    call flags
    ret

; Guest paging: DISTANT by a 2-MByte page.
map_far:
    mov dword [boot_pdpt + 8], far_guest_pd + (PAGE_PRESENT | PAGE_WRITABLE)
    mov rax, DISTANT_PHYSICAL + (PAGE_PRESENT | PAGE_WRITABLE | PAGE_LARGE)
    mov [far_guest_pd], rax
    ret

together:
    case "EPT: permissions of different levels are combined", "EPT Violations"
    call far_tables
    and qword [ept_pml4 + 8], ~EPT_WRITE
    and qword [far_pd], ~EPT_EXECUTE
    guest guest_write
    enter_guest
    outcome 0x18A, DISTANT_PHYSICAL
    case "EPT: permissions of different levels leave none", "EPT Violations"
    call far_tables
    and qword [far_pdpt], ~(EPT_READ | EPT_WRITE)
    and qword [far_pt], ~EPT_EXECUTE
    guest guest_read
    enter_guest
    outcome 0x181, DISTANT_PHYSICAL
    case "EPT: an upper entry that is not present hides a misconfigured one below", "EPT Misconfigurations"
    call far_tables
    and qword [ept_pml4 + 8], ~EPT_RWX
    mov qword [far_pt], EPT_WRITE
    guest guest_read
    enter_guest
    outcome 0x181, DISTANT_PHYSICAL
    case "EPT: a misconfiguration comes before a violation", "EPT Misconfigurations"
    call far_tables
    and qword [ept_pml4 + 8], ~EPT_WRITE
    or qword [far_pt], 7 << 3
    guest guest_write
    enter_guest
    outcome -1, DISTANT_PHYSICAL
    case "EPT: a guest-physical address beyond 48 bits", "EPT Violations"
    call far_tables
    mov rax, [far_guest_pd]
    bts rax, 45
    mov [far_guest_pd], rax
    guest guest_read
    enter_guest
    expect_exit EXIT_REASON_EPT_VIOLATION
    call map_far
    ret

; misconfiguration "name", tables, entry, bits that are set
%macro misconfiguration 4
    case {"EPT misconfiguration: ", %1}, "EPT Misconfigurations"
    call %2
    mov rax, %4
    or [%3], rax
    guest guest_read
    enter_guest
    outcome -1, DISTANT_PHYSICAL
    expect EXIT_QUALIFICATION, 0
%endmacro
misconfigured:
  %assign bit 3
  %rep 5
    %defstr name bit
    misconfiguration {"PML4E bit ", name}, far_tables, ept_pml4 + 8, 1 << bit
    %if bit != 7
    misconfiguration {"PDPTE bit ", name}, far_tables, far_pdpt, 1 << bit
    misconfiguration {"PDE bit ", name}, far_tables, far_pd, 1 << bit
    %endif
    %assign bit bit + 1
  %endrep
    misconfiguration "PML4E beyond the physical width", far_tables, ept_pml4 + 8, [beyond]
    misconfiguration "PDPTE beyond the physical width", far_tables, far_pdpt, [beyond]
    misconfiguration "PDE beyond the physical width", far_tables, far_pd, [beyond]
    misconfiguration "PTE beyond the physical width", far_tables, far_pt, [beyond]
    misconfiguration "PTE bit 51", far_tables, far_pt, 1 << 51
    misconfiguration "2-MByte page, bit 12", large_tables, far_pd, 1 << 12
    misconfiguration "2-MByte page, bit 20", large_tables, far_pd, 1 << 20
  %macro memory_type 3
    case {"EPT memory type ", %1}, "EPT Misconfigurations"
    call far_tables
    and qword [far_pt], ~(7 << 3)
    or qword [far_pt], %2 << 3
    guest guest_read
    enter_guest
    outcome %3, DISTANT_PHYSICAL
  %endmacro
    memory_type "0 (UC)", 0, 0
    memory_type "1 (WC)", 1, 0
    memory_type "2", 2, -1
    memory_type "3", 3, -1
    memory_type "4 (WT)", 4, 0
    memory_type "5 (WP)", 5, 0
    memory_type "6 (WB)", 6, 0
    memory_type "7", 7, -1
    ret

; Bits that processors ignore.
%macro ignored_bit 4
    case {"EPT ignored: ", %1}, "Formats of EPT Paging-Structure Entries"
    call %2
    mov rax, %4
    or [%3], rax
    guest guest_write
    enter_guest
    outcome 0, 0
%endmacro
ignored:
  %assign bit 8
  %rep 4
    %defstr name bit
    ignored_bit {"PML4E bit ", name}, far_tables, ept_pml4 + 8, 1 << bit
    ignored_bit {"PDPTE bit ", name}, far_tables, far_pdpt, 1 << bit
    ignored_bit {"PDE bit ", name}, far_tables, far_pd, 1 << bit
    ignored_bit {"PTE bit ", name}, far_tables, far_pt, 1 << bit
    %assign bit bit + 1
  %endrep
    ignored_bit "PML4E bits 63:52", far_tables, ept_pml4 + 8, 0xFFF << 52
    ignored_bit "PDPTE bits 63:52", far_tables, far_pdpt, 0xFFF << 52
    ignored_bit "PDE bits 63:52", far_tables, far_pd, 0xFFF << 52
    ignored_bit "PTE bits 59:52", far_tables, far_pt, 0xFF << 52
    ignored_bit "PTE bit 6 (PAT)", far_tables, far_pt, 1 << 6
    ignored_bit "PTE bit 7", far_tables, far_pt, 1 << 7
    ret

; flags_after "name", tables, program, {entry, flags expected}, ...
%macro flags_after 3-*
    case {"EPT accessed and dirty flags: ", %1}, "Accessed and Dirty Flags for EPT"
    call %2
    set EPT_POINTER, ept_pml4 + EPTP_WRITE_BACK + EPTP_FOUR_LEVELS + EPTP_ACCESSED_DIRTY
    guest %3
    enter_guest
    expect_exit EXIT_REASON_VMCALL
  %rotate 3
  %rep (%0 - 3) / 2
    mov rax, [%1]
    and eax, EPT_ACCESSED | EPT_DIRTY
    expect_value {"flags of ", %str(%1)}, rax, %2
    %rotate 2
  %endrep
%endmacro
flags:
    test dword [ept_capabilities], 1 << 21
    jz .none
    flags_after "a read", far_tables, guest_read, ept_pml4 + 8, EPT_ACCESSED, far_pdpt, EPT_ACCESSED, far_pd, EPT_ACCESSED, far_pt, EPT_ACCESSED
    flags_after "a write", far_tables, guest_write, ept_pml4 + 8, EPT_ACCESSED, far_pdpt, EPT_ACCESSED, far_pd, EPT_ACCESSED, far_pt, EPT_ACCESSED | EPT_DIRTY
    flags_after "a fetch", far_tables, guest_fetch, ept_pml4 + 8, EPT_ACCESSED, far_pdpt, EPT_ACCESSED, far_pd, EPT_ACCESSED, far_pt, EPT_ACCESSED
    flags_after "a read, 2-MByte page", large_tables, guest_read, far_pdpt, EPT_ACCESSED, far_pd, EPT_ACCESSED
    flags_after "a write, 2-MByte page", large_tables, guest_write, far_pdpt, EPT_ACCESSED, far_pd, EPT_ACCESSED | EPT_DIRTY
    flags_after "a read and a write", far_tables, .read_write, far_pt, EPT_ACCESSED | EPT_DIRTY
    case "EPT accessed and dirty flags: none for a violation", "Accessed and Dirty Flags for EPT"
    call far_tables
    set EPT_POINTER, ept_pml4 + EPTP_WRITE_BACK + EPTP_FOUR_LEVELS + EPTP_ACCESSED_DIRTY
    and qword [far_pt], ~EPT_WRITE
    guest guest_write
    enter_guest
    outcome 0x1AA, DISTANT_PHYSICAL
    mov rax, [far_pt]
    and eax, EPT_DIRTY
    expect_value "dirty flag of the leaf", rax, 0
    case "EPT accessed and dirty flags: guest paging structures become dirty", "Accessed and Dirty Flags for EPT"
    mov rax, [boot_pml4]
    mov [TEST_DATA + 0x1000], rax
    set EPT_POINTER, ept_pml4 + EPTP_WRITE_BACK + EPTP_FOUR_LEVELS + EPTP_ACCESSED_DIRTY
    set GUEST_CR3, TEST_DATA + 0x1000
    guest guest_code
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    mov rax, [ept_pt + 16]
    and eax, EPT_ACCESSED | EPT_DIRTY
    expect_value "flags of the page of the guest's PML4 table", rax, EPT_ACCESSED | EPT_DIRTY
.none:
    ret
.read_write:
    mov rax, [DISTANT]
    mov [DISTANT], rax
    vmcall
