; What VM entries load and VM exits save and load: control registers, debug registers, MSRs with their controls off and on, segments, descriptor
; tables, RFLAGS, the MSR areas with their failures. SDM volume 3, "Loading Guest State", "Saving Guest State", "Loading Host State", "Loading
; MSRs", "Saving MSRs".
%include "conformance.inc"

EXIT_SAVE_DEBUG           equ 1 << 2
EXIT_SAVE_PAT             equ 1 << 18
EXIT_LOAD_PAT             equ 1 << 19
ENTRY_LOAD_DEBUG          equ 1 << 2
ENTRY_LOAD_PAT            equ 1 << 14
GUEST_IA32_PAT            equ 0x2804
HOST_IA32_PAT             equ 0x2C00
MSR_STORE_ADDRESS         equ 0x2006
IA32_PAT                  equ 0x277
IA32_DEBUGCTL             equ 0x1D9
IA32_SYSENTER_CS          equ 0x174
IA32_SYSENTER_ESP         equ 0x175
IA32_SYSENTER_EIP         equ 0x176
IA32_KERNEL_GS_BASE       equ 0xC0000102
IA32_FS_BASE              equ 0xC0000100
IA32_GS_BASE              equ 0xC0000101
IA32_LSTAR                equ 0xC0000082
IA32_TSC                  equ 0x10
IA32_BIOS_UPDT_TRIG       equ 0x79
IA32_SMM_MONITOR_CTL      equ 0x9B
IA32_SMBASE               equ 0x9E
PAT_DEFAULT               equ 0x0007040600070406
PAT_OTHER                 equ 0x0606060606060606

section .bss
alignb 4096
msr_area:      resb 3 * 4096
section .text

; in_msr index, 64-bit value
%macro in_msr 2
    mov ecx, %1
    mov rax, %2
    mov rdx, rax
    shr rdx, 32
    wrmsr
%endmacro
; expect_msr index, value
%macro expect_msr 2
    mov ecx, %1
    rdmsr
    shl rdx, 32
    or rax, rdx
    expect_value {"MSR ", %str(%1)}, rax, %2
%endmacro
; entry n, index, reserved word, value
%macro entry 4
    mov dword [msr_area + 16 * (%1)], %2
    mov dword [msr_area + 16 * (%1) + 4], %3
    mov rax, %4
    mov [msr_area + 16 * (%1) + 8], rax
%endmacro

cases:
    call registers
    call msrs
    call entry_area
    call exit_areas
    ret

; ------------------------------------------------------------------------------------------------- registers
registers:
    case "DR7 and IA32_DEBUGCTL: loaded and saved", "Loading Guest Control Registers, Debug Registers, and MSRs"
    add_bits VM_ENTRY_CONTROLS, ENTRY_LOAD_DEBUG
    add_bits VM_EXIT_CONTROLS, EXIT_SAVE_DEBUG
    set GUEST_DR7, 0x4FF
    set GUEST_IA32_DEBUGCTL, 2
    guest .debug
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    expect_value "DR7 of the guest", [guest_registers + 24], 0x4FF
    expect_value "IA32_DEBUGCTL of the guest", [guest_registers], 2
    expect GUEST_DR7, 0x403
    expect GUEST_IA32_DEBUGCTL, 2
    mov rax, dr7
    expect_value "DR7 of the host", rax, 0x400
    expect_msr IA32_DEBUGCTL, 0
    case "DR7 and IA32_DEBUGCTL: not loaded", "Loading Guest Control Registers, Debug Registers, and MSRs"
    clear_bits VM_ENTRY_CONTROLS, ENTRY_LOAD_DEBUG
    set GUEST_DR7, 0x4FF
    set GUEST_IA32_DEBUGCTL, 2
    mov eax, 0x40C
    mov dr7, rax
    guest .debug
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    expect_value "DR7 of the guest", [guest_registers + 24], 0x40C
    expect_value "IA32_DEBUGCTL of the guest", [guest_registers], 0
    case "DR7 and IA32_DEBUGCTL: not saved", "Saving Control Registers, Debug Registers, and MSRs"
    clear_bits VM_EXIT_CONTROLS, EXIT_SAVE_DEBUG
    add_bits VM_ENTRY_CONTROLS, ENTRY_LOAD_DEBUG
    set GUEST_DR7, 0x4FF
    guest .debug
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    expect GUEST_DR7, 0x4FF
    case "control registers: loaded and saved", "Saving Control Registers, Debug Registers, and MSRs"
    mov rax, cr0
    or eax, 8
    mov [pattern], rax
    set GUEST_CR0, rax
    mov rax, cr4
    or eax, 4
    mov [pattern + 8], rax
    set GUEST_CR4, rax
    guest .control
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    expect_value "CR0 of the guest", [guest_registers], [pattern]
    expect_value "CR4 of the guest", [guest_registers + 24], [pattern + 8]
    expect GUEST_CR0, [pattern]
    mov rax, cr0
    and eax, 8
    expect_value "TS of the host", rax, 0
    mov rax, cr4
    and eax, 4
    expect_value "TSD of the host", rax, 0
    case "CR0: CD and NW are not loaded", "Loading Guest Control Registers, Debug Registers, and MSRs"
    mov rax, cr0
    bts rax, 30
    set GUEST_CR0, rax
    guest .control
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    mov rax, [guest_registers]
    and eax, 1 << 30
    expect_value "CD of the guest", rax, 0
    case "SYSENTER MSRs: loaded, saved, loaded again", "Loading Guest Control Registers, Debug Registers, and MSRs"
    set GUEST_IA32_SYSENTER_CS, 0x1234
    set GUEST_IA32_SYSENTER_ESP, 0x5678
    set GUEST_IA32_SYSENTER_EIP, 0x9ABC
    set HOST_IA32_SYSENTER_CS, 0x11
    set HOST_IA32_SYSENTER_ESP, 0x22
    set HOST_IA32_SYSENTER_EIP, 0x33
    guest .sysenter
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    expect_value "IA32_SYSENTER_CS of the guest", [guest_registers + 24], 0x1234
    expect GUEST_IA32_SYSENTER_CS, 0x4321
    expect GUEST_IA32_SYSENTER_ESP, 0x5678
    expect GUEST_IA32_SYSENTER_EIP, 0x9ABC
    expect_msr IA32_SYSENTER_CS, 0x11
    expect_msr IA32_SYSENTER_ESP, 0x22
    expect_msr IA32_SYSENTER_EIP, 0x33
    case "segments: bases of FS and GS", "Loading Host Segment and Descriptor-Table Registers"
    set GUEST_FS_BASE, 0x111000
    set GUEST_GS_BASE, 0x222000
    set HOST_FS_BASE, 0x333000
    set HOST_GS_BASE, 0x444000
    guest .bases
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    expect_value "FS base of the guest", [guest_registers + 24], 0x111000
    expect_value "GS base of the guest", [guest_registers + 48], 0x222000
    expect GUEST_FS_BASE, 0x111000
    expect_msr IA32_FS_BASE, 0x333000
    expect_msr IA32_GS_BASE, 0x444000
    in_msr IA32_FS_BASE, 0
    in_msr IA32_GS_BASE, 0
    case "descriptor tables: bases and limits", "Loading Host Segment and Descriptor-Table Registers"
    set GUEST_GDTR_BASE, gdt
    set GUEST_GDTR_LIMIT, 0x123
    set GUEST_IDTR_LIMIT, 0x234
    guest .descriptor_tables
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    sgdt [pattern]
    sidt [pattern + 16]
    movzx eax, word [pattern + 32]
    expect_value "GDTR limit of the guest", rax, 0x123
    movzx eax, word [pattern + 48]
    expect_value "IDTR limit of the guest", rax, 0x234
    movzx eax, word [pattern]
    expect_value "GDTR limit of the host", rax, 0xFFFF
    movzx eax, word [pattern + 16]
    expect_value "IDTR limit of the host", rax, 0xFFFF
    expect_value "GDTR base of the host", [pattern + 2], gdt
    lgdt [gdt_pointer]
    lidt [idt_pointer]
    sldt eax
    movzx eax, ax
    expect_value "LDTR of the host", rax, 0
    str eax
    movzx eax, ax
    expect_value "TR of the host", rax, SELECTOR_TSS
    case "RFLAGS: saved, and cleared", "Loading Host RIP, RSP, RFLAGS, and SSP"
    set GUEST_RFLAGS, 0x40ED7 & ~0x300
    guest guest_code
    mov qword [pattern], .flags_seen
    enter_guest
    pushfq
    pop rbx
    expect_exit EXIT_REASON_VMCALL
    expect GUEST_RFLAGS, 0x40ED7 & ~0x300
.flags_seen:
    case "“IA-32e mode guest” follows IA32_EFER.LMA", "Saving Control Registers, Debug Registers, and MSRs"
    guest guest_code
    enter_guest
    mov ecx, VM_ENTRY_CONTROLS
    vmread rax, rcx
    and eax, ENTRY_IA32E_GUEST
    expect_value "the control", rax, ENTRY_IA32E_GUEST
    case "unusable segments: bit 16 is saved", "Saving Segment Registers and Descriptor-Table Registers"
    guest .null_segments
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    mov ecx, GUEST_DS_ACCESS_RIGHTS
    vmread rax, rcx
    and eax, RIGHTS_UNUSABLE
    expect_value "DS, unusable", rax, RIGHTS_UNUSABLE
    mov ecx, GUEST_ES_ACCESS_RIGHTS
    vmread rax, rcx
    expect_value "ES", rax, RIGHTS_DATA
    enter_guest
    ret
.debug:
    mov rbx, dr7
    mov ecx, IA32_DEBUGCTL
    rdmsr
    mov esi, 0x403
    mov dr7, rsi
    vmcall
.control:
    mov rax, cr0
    mov rbx, cr4
    vmcall
.sysenter:
    mov ecx, IA32_SYSENTER_CS
    rdmsr
    mov ebx, eax
    mov eax, 0x4321
    wrmsr
    vmcall
.bases:
    mov ecx, IA32_FS_BASE
    rdmsr
    mov ebx, eax
    mov ecx, IA32_GS_BASE
    rdmsr
    mov esi, eax
    vmcall
.descriptor_tables:
    sgdt [pattern + 32]
    sidt [pattern + 48]
    vmcall
.null_segments:
    xor eax, eax
    mov ds, ax
    vmcall
    vmcall

; ------------------------------------------------------------------------------------------------- MSRs with controls
msrs:
    case "IA32_PAT: loaded and saved, loaded for the host", "Loading Guest Control Registers, Debug Registers, and MSRs"
    add_bits VM_ENTRY_CONTROLS, ENTRY_LOAD_PAT
    add_bits VM_EXIT_CONTROLS, EXIT_SAVE_PAT | EXIT_LOAD_PAT
    mov rax, PAT_OTHER
    set GUEST_IA32_PAT, rax
    mov rax, PAT_DEFAULT
    set HOST_IA32_PAT, rax
    guest .pat
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    expect_value "of the guest, low half", [guest_registers + 24], 0x06060606
    expect GUEST_IA32_PAT, 0x0606060600000000
    expect_msr IA32_PAT, PAT_DEFAULT
    case "IA32_PAT: neither loaded nor saved", "Loading Guest Control Registers, Debug Registers, and MSRs"
    in_msr IA32_PAT, PAT_DEFAULT
    mov rax, PAT_OTHER
    set GUEST_IA32_PAT, rax
    set HOST_IA32_PAT, rax
    guest .pat
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    expect_value "of the guest, low half", [guest_registers + 24], 0x00070406
    expect GUEST_IA32_PAT, PAT_OTHER
    expect_msr IA32_PAT, 0x0007040600000000
    in_msr IA32_PAT, PAT_DEFAULT
    case "IA32_EFER: loaded and saved", "Loading Guest Control Registers, Debug Registers, and MSRs"
    set GUEST_IA32_EFER, 0x501
    guest .efer
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    expect_value "of the guest", [guest_registers], 0x501
    expect GUEST_IA32_EFER, 0x501
    expect_msr IA32_EFER, 0x500
    case "IA32_EFER: neither loaded nor saved", "Loading Guest Control Registers, Debug Registers, and MSRs"
    clear_bits VM_ENTRY_CONTROLS, ENTRY_LOAD_EFER
    clear_bits VM_EXIT_CONTROLS, EXIT_SAVE_EFER | EXIT_LOAD_EFER
    set GUEST_IA32_EFER, 0
    set HOST_IA32_EFER, 0
    in_msr IA32_EFER, 0x501
    guest .efer
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    expect_value "of the guest", [guest_registers], 0x501
    expect GUEST_IA32_EFER, 0
    expect_msr IA32_EFER, 0x501
    in_msr IA32_EFER, 0x500
    case "other MSRs go through", "Loading Guest Control Registers, Debug Registers, and MSRs"
    in_msr IA32_LSTAR, 0x1234
    guest .lstar
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    expect_value "of the guest", [guest_registers], 0x1234
    ret
.pat:
    mov ecx, IA32_PAT
    rdmsr
    mov ebx, eax
    xor eax, eax
    wrmsr
    vmcall
.efer:
    mov ecx, IA32_EFER
    rdmsr
    vmcall
.lstar:
    mov ecx, IA32_LSTAR
    rdmsr
    vmcall

; ------------------------------------------------------------------------------------------------- the area of VM entries
entry_area:
    case "VM-entry MSR-load area: loads in order", "Loading MSRs"
    entry 0, IA32_KERNEL_GS_BASE, 0, 0x1111
    entry 1, IA32_LSTAR, 0, 0x2222
    entry 2, IA32_KERNEL_GS_BASE, 0, 0x3333
    set VM_ENTRY_MSR_LOAD_ADDRESS, msr_area
    set VM_ENTRY_MSR_LOAD_COUNT, 3
    guest guest_code
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    expect_msr IA32_KERNEL_GS_BASE, 0x3333
    expect_msr IA32_LSTAR, 0x2222
    ; The entry that fails: number, index, reserved word, value
  %macro failing 5
    case {"VM-entry MSR-load area: ", %1}, "Loading MSRs"
    entry 0, IA32_KERNEL_GS_BASE, 0, 0x1111
    entry 1, IA32_LSTAR, 0, 0x2222
    entry 2, IA32_LSTAR, 0, 0x4444
    entry %2 - 1, %3, %4, %5
    in_msr IA32_KERNEL_GS_BASE, 0
    set VM_ENTRY_MSR_LOAD_ADDRESS, msr_area
    set VM_ENTRY_MSR_LOAD_COUNT, 3
    set GUEST_RSP, 0x7777
    guest guest_code
    enter_guest
    expect_value "VM entry (0: made)", [entry_failed], 0
    expect EXIT_REASON, ENTRY_FAILURE | EXIT_REASON_MSR_LOADING
    expect EXIT_QUALIFICATION, %2
    expect GUEST_RSP, 0x7777
    expect GUEST_RIP, guest_code
   %if %2 > 1
    expect_msr IA32_KERNEL_GS_BASE, 0x1111
   %else
    expect_msr IA32_KERNEL_GS_BASE, 0
   %endif
  %endmacro
    failing "IA32_FS_BASE", 1, IA32_FS_BASE, 0, 0
    failing "IA32_GS_BASE", 2, IA32_GS_BASE, 0, 0
    failing "an MSR that there is not", 2, 0x1FFF, 0, 0
    failing "an MSR that is read-only", 3, IA32_VMX_BASIC, 0, 0
    failing "a value that is not canonical", 2, IA32_LSTAR, 0, 1 << 55
    failing "a reserved bit of IA32_EFER", 3, IA32_EFER, 0, 0x502
    failing "the reserved word", 2, IA32_LSTAR, 1, 0
    failing "x2APIC MSRs", 2, 0x808, 0, 0
    failing "IA32_SMM_MONITOR_CTL", 2, IA32_SMM_MONITOR_CTL, 0, 0
    case "VM-entry MSR-load area: 512 entries", "Loading MSRs"
    call fill_area
    entry 511, IA32_LSTAR, 0, 0x5555
    set VM_ENTRY_MSR_LOAD_ADDRESS, msr_area
    set VM_ENTRY_MSR_LOAD_COUNT, 512
    guest guest_code
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    expect_msr IA32_LSTAR, 0x5555
    case "VM-entry MSR-load area: entry 512 fails", "Loading MSRs"
    call fill_area
    entry 511, IA32_FS_BASE, 0, 0
    set VM_ENTRY_MSR_LOAD_ADDRESS, msr_area
    set VM_ENTRY_MSR_LOAD_COUNT, 512
    guest guest_code
    enter_guest
    expect EXIT_REASON, ENTRY_FAILURE | EXIT_REASON_MSR_LOADING
    expect EXIT_QUALIFICATION, 512
    case "VM-entry failure: host MSRs are loaded all the same", "VM-Entry Failures During or After Loading Guest State"
    entry 0, IA32_LSTAR, 0, 0x6666
    set VM_EXIT_MSR_LOAD_ADDRESS, msr_area
    set VM_EXIT_MSR_LOAD_COUNT, 1
    set GUEST_RFLAGS, 0
    guest guest_code
    enter_guest
    expect EXIT_REASON, ENTRY_FAILURE | EXIT_REASON_GUEST_STATE
    expect_msr IA32_LSTAR, 0x6666
    case "VM-entry failure: nothing is stored", "VM-Entry Failures During or After Loading Guest State"
    entry 0, IA32_LSTAR, 0, 0x1010
    set MSR_STORE_ADDRESS, msr_area
    set VM_EXIT_MSR_STORE_COUNT, 1
    set GUEST_RFLAGS, 0
    guest guest_code
    enter_guest
    expect_value "the area", [msr_area + 8], 0x1010
    ret
fill_area:
    mov edi, msr_area
.next:
    mov eax, IA32_KERNEL_GS_BASE
    mov [rdi], rax
    mov qword [rdi + 8], 0
    add edi, 16
    cmp edi, msr_area + 16 * 512
    jb .next
    ret

; ------------------------------------------------------------------------------------------------- the areas of VM exits
exit_areas:
    case "VM-exit MSR-store area", "Saving MSRs"
    in_msr IA32_LSTAR, 0x123456789
    entry 0, IA32_LSTAR, 0, 0
    entry 1, IA32_SYSENTER_CS, 0, 0
    entry 2, IA32_FS_BASE, 0, 0
    set GUEST_IA32_SYSENTER_CS, 0x55
    set HOST_IA32_SYSENTER_CS, 0x66
    set GUEST_FS_BASE, 0x77000
    set MSR_STORE_ADDRESS, msr_area
    set VM_EXIT_MSR_STORE_COUNT, 3
    guest guest_code
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    expect_value "IA32_LSTAR", [msr_area + 8], 0x123456789
    expect_value "IA32_SYSENTER_CS of the guest", [msr_area + 24], 0x55
    expect_value "IA32_FS_BASE of the guest", [msr_area + 40], 0x77000
    case "VM-exit MSR-load area", "Loading MSRs"
    entry 0, IA32_LSTAR, 0, 0x7070
    entry 1, IA32_KERNEL_GS_BASE, 0, 0x8080
    set VM_EXIT_MSR_LOAD_ADDRESS, msr_area
    set VM_EXIT_MSR_LOAD_COUNT, 2
    guest guest_code
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    expect_msr IA32_LSTAR, 0x7070
    expect_msr IA32_KERNEL_GS_BASE, 0x8080
    case "VM-exit MSR areas: 512 entries", "Saving MSRs"
    call fill_area
    entry 511, IA32_LSTAR, 0, 0x9999
    set VM_EXIT_MSR_LOAD_ADDRESS, msr_area
    set VM_EXIT_MSR_LOAD_COUNT, 512
    set MSR_STORE_ADDRESS, msr_area
    set VM_EXIT_MSR_STORE_COUNT, 511
    in_msr IA32_KERNEL_GS_BASE, 0x4242
    guest guest_code
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    expect_value "the last that was stored", [msr_area + 510 * 16 + 8], 0x4242
    expect_msr IA32_LSTAR, 0x9999
    case "VM-exit MSR-store area: VM-exit time comes close behind RDTSC", "Saving MSRs"
    mov qword [msr_area], IA32_TSC
    mov qword [msr_area + 8], 0
    set MSR_STORE_ADDRESS, msr_area
    set VM_EXIT_MSR_STORE_COUNT, 1
    guest .time
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    mov rax, [msr_area + 8]
    sub rax, [guest_registers + 24]
    xor edx, edx
    cmp rax, 1000
    seta dl
    expect_value "more than 1000 ticks", rdx, 0
    ret
.time:
    rdtsc
    shl rdx, 32
    lea rbx, [rax + rdx]
    vmcall

section .bss
pattern: resb 64
