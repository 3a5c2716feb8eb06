; Modes, timers, windows and the virtual APIC: a guest in real-address mode, the monitor trap flag, the preemption timer, NMI windows, TPR shadow and
; APIC-access page, VMCS shadowing. SDM volume 3, "VM Entries", "VMX Non-Root Operation", "APIC Virtualization and Virtual Interrupts".
%include "conformance.inc"

REAL_CODE                 equ 0x8000
REAL_VECTORS              equ 0x9000
APIC_PAGE                 equ TEST_DATA

section .bss
alignb 4096
virtual_apic:  resb 4096
read_bitmap:   resb 4096
write_bitmap:  resb 4096

section .text
cases:
    call real_mode
    call traps
    call timer
    call windows
    call tpr
    call apic_page
    call shadowing
    call apic_fetch
    ret

; ------------------------------------------------------------------------------------------------- real-address mode
real_mode:
    case "real-address mode: code, stack and INT", "Checks on Guest Control Registers, Debug Registers, and MSRs"
    needs PROC2_UNRESTRICTED, .none
    mov esi, real_program
    mov edi, REAL_CODE
    mov ecx, real_program_end - real_program
    rep movsb
    mov word [REAL_VECTORS + 4 * 0x20], real_handler - real_program
    mov word [REAL_VECTORS + 4 * 0x20 + 2], REAL_CODE >> 4
    set GUEST_CR0, 0x30
    clear_bits GUEST_CR4, 0x20
    clear_bits VM_ENTRY_CONTROLS, ENTRY_IA32E_GUEST
    set GUEST_IA32_EFER, 0
    set GUEST_CS_SELECTOR, REAL_CODE >> 4
    set GUEST_CS_BASE, REAL_CODE
    set GUEST_CS_LIMIT, 0xFFFF
    set GUEST_CS_ACCESS_RIGHTS, 0x9B
  %macro real_segment 1
    set GUEST_%1_SELECTOR, 0
    set GUEST_%1_BASE, 0
    set GUEST_%1_LIMIT, 0xFFFF
    set GUEST_%1_ACCESS_RIGHTS, 0x93
  %endmacro
    real_segment SS
    real_segment DS
    real_segment ES
    real_segment FS
    real_segment GS
    set GUEST_IDTR_BASE, REAL_VECTORS
    set GUEST_IDTR_LIMIT, 0x3FF
    set GUEST_RSP, 0x7FF0
    set GUEST_RIP, 0
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    movzx eax, word [guest_registers]
    expect_value "AX", rax, 0x1235
    movzx eax, word [guest_registers + 24]
    expect_value "BX (the return address on the stack)", rax, real_returns - real_program
    expect GUEST_CS_SELECTOR, REAL_CODE >> 4
    expect GUEST_RIP, real_vmcall - real_program
    expect GUEST_RSP, 0x7FF0
    expect GUEST_DS_BASE, 0x56780
.none:
    ret
bits 16
real_program:
    mov ax, 0x1234
    int 0x20
real_returns:
    mov cx, 0x5678
    mov ds, cx
real_vmcall:
    vmcall
real_handler:
    inc ax
    mov bp, sp
    mov bx, [bp]
    iret
real_program_end:
bits 64

; ------------------------------------------------------------------------------------------------- monitor trap flag
traps:
    case "MTF: after one instruction", "Monitor Trap Flag"
    needs_primary PROC_MONITOR_TRAP, .exiting
    guest .program
    enter_guest
    expect_exit REASON_MONITOR_TRAP
    expect GUEST_RIP, .second
    enter_guest
    expect_exit REASON_MONITOR_TRAP
    expect GUEST_RIP, .third
.exiting:
    case "MTF: an instruction that exits comes first", "Monitor Trap Flag"
    needs_primary PROC_MONITOR_TRAP, .injected
    guest .third
    enter_guest
    expect_exit EXIT_REASON_VMCALL
.injected:
    case "MTF: an injected event is delivered first", "Monitor Trap Flag"
    needs_primary PROC_MONITOR_TRAP, .none
    set VM_ENTRY_INTERRUPTION_INFO, 0x80000306
    guest .program
    enter_guest
    expect_exit REASON_MONITOR_TRAP
    expect GUEST_RIP, guest_stubs + 6 * 16
.none:
    ret
.program:
    nop
.second:
    mov eax, 1
.third:
    vmcall

; ------------------------------------------------------------------------------------------------- preemption timer
timer:
    case "preemption timer: 0 exits before the first instruction", "VMX-Preemption Timer"
    call with_timer
    jc .loop
    set PREEMPTION_TIMER_VALUE, 0
    guest .program
    enter_guest
    expect_exit REASON_PREEMPTION_TIMER
    expect GUEST_RIP, .program
.loop:
    case "preemption timer: ends an endless loop", "VMX-Preemption Timer"
    call with_timer
    jc .halted
    set PREEMPTION_TIMER_VALUE, 1000
    add_bits VM_EXIT_CONTROLS, EXIT_SAVE_TIMER
    guest .forever
    enter_guest
    expect_exit REASON_PREEMPTION_TIMER
    expect PREEMPTION_TIMER_VALUE, 0
    expect GUEST_RIP, .forever
.halted:
    case "preemption timer: wakes from HLT", "VMX-Preemption Timer"
    call with_timer
    jc .saved
    set PREEMPTION_TIMER_VALUE, 1000
    set GUEST_ACTIVITY_STATE, 1
    guest .program
    enter_guest
    expect_exit REASON_PREEMPTION_TIMER
    expect GUEST_ACTIVITY_STATE, 1
    expect GUEST_RIP, .program
.saved:
    case "preemption timer: not saved without the control", "VMX-Preemption Timer"
    call with_timer
    jc .none
    set PREEMPTION_TIMER_VALUE, 0x7FFFFFFF
    guest .program
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    expect PREEMPTION_TIMER_VALUE, 0x7FFFFFFF
.none:
    ret
.program:
    vmcall
.forever:
    jmp .forever

; ------------------------------------------------------------------------------------------------- NMI window
windows:
    case "NMI window: open at once", "Other Causes of VM Exits"
    add_bits PIN_BASED_CONTROLS, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS
    add_bits PROC_BASED_CONTROLS, PROC_NMI_WINDOW
    guest guest_vmcall
    enter_guest
    expect_exit REASON_NMI_WINDOW
    expect GUEST_RIP, guest_vmcall
    case "NMI window: opened by IRET", "Other Causes of VM Exits"
    add_bits PIN_BASED_CONTROLS, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS
    add_bits PROC_BASED_CONTROLS, PROC_NMI_WINDOW
    set GUEST_INTERRUPTIBILITY, 8
    guest .program
    enter_guest
    expect_exit REASON_NMI_WINDOW
    expect GUEST_RIP, .returned
    expect GUEST_INTERRUPTIBILITY, 0
    case "NMI window: held off by MOV SS", "Other Causes of VM Exits"
    add_bits PIN_BASED_CONTROLS, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS
    add_bits PROC_BASED_CONTROLS, PROC_NMI_WINDOW
    set GUEST_INTERRUPTIBILITY, 2
    guest .shadowed
    enter_guest
    expect_exit REASON_NMI_WINDOW
    expect GUEST_RIP, .behind
    ret
.program:
    mov rax, rsp
    push SELECTOR_DATA
    push rax
    pushfq
    push SELECTOR_CODE64
    push .returned
    iretq
.returned:
    vmcall
.shadowed:
    nop
.behind:
    vmcall

; ------------------------------------------------------------------------------------------------- TPR shadow
tpr:
    case "TPR shadow: MOV CR8 works on the virtual TPR", "Virtualizing CR8-Based TPR Accesses"
    add_bits PROC_BASED_CONTROLS, PROC_TPR_SHADOW
    set VIRTUAL_APIC_ADDRESS, virtual_apic
    set TPR_THRESHOLD, 0
    mov dword [virtual_apic + 0x80], 0xA0
    guest .program
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    expect_value "CR8 read", [guest_registers], 0xA
    mov eax, [virtual_apic + 0x80]
    expect_value "virtual TPR", rax, 0x30
    case "TPR shadow: below the threshold", "TPR Virtualization"
    add_bits PROC_BASED_CONTROLS, PROC_TPR_SHADOW
    set VIRTUAL_APIC_ADDRESS, virtual_apic
    set TPR_THRESHOLD, 4
    mov dword [virtual_apic + 0x80], 0xA0
    guest .program
    enter_guest
    expect_exit REASON_TPR_THRESHOLD
    expect GUEST_RIP, .written
    ret
.program:
    mov rax, cr8
    mov ecx, 3
    mov cr8, rcx
.written:
    vmcall

; ------------------------------------------------------------------------------------------------- APIC-access page
apic_page:
    case "APIC-access page: the TPR is virtualised", "Virtualizing Memory-Mapped APIC Accesses"
    needs PROC2_VIRTUALIZE_APIC, .read
    call prepare_apic_page
    mov dword [virtual_apic + 0x80], 0x70
    guest .tpr
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    mov eax, [guest_registers]
    expect_value "TPR read", rax, 0x70
    mov eax, [virtual_apic + 0x80]
    expect_value "virtual TPR", rax, 0x50
.read:
    case "APIC-access page: a read of another register", "Virtualizing Memory-Mapped APIC Accesses"
    needs PROC2_VIRTUALIZE_APIC, .write
    call prepare_apic_page
    guest .version
    enter_guest
    expect_exit REASON_APIC_ACCESS
    expect EXIT_QUALIFICATION, 0x030
    expect GUEST_RIP, .version
.write:
    case "APIC-access page: a write of another register", "Virtualizing Memory-Mapped APIC Accesses"
    needs PROC2_VIRTUALIZE_APIC, .wide
    call prepare_apic_page
    guest .command
    enter_guest
    expect_exit REASON_APIC_ACCESS
    expect EXIT_QUALIFICATION, 0x1300
.wide:
    case "APIC-access page: an access of eight bytes", "Virtualizing Memory-Mapped APIC Accesses"
    needs PROC2_VIRTUALIZE_APIC, .none
    call prepare_apic_page
    guest .eight
    enter_guest
    expect_exit REASON_APIC_ACCESS
    expect EXIT_QUALIFICATION, 0x080
.none:
    ret
.tpr:
    mov eax, [APIC_PAGE + 0x80]
    mov dword [APIC_PAGE + 0x80], 0x50
    vmcall
.version:
    mov eax, [APIC_PAGE + 0x30]
    vmcall
.command:
    mov dword [APIC_PAGE + 0x300], 0
    vmcall
.eight:
    mov rax, [APIC_PAGE + 0x80]
    vmcall
prepare_apic_page:
    add_bits PROC_BASED_CONTROLS, PROC_TPR_SHADOW
    set VIRTUAL_APIC_ADDRESS, virtual_apic
    set APIC_ACCESS_ADDRESS, APIC_PAGE
    set TPR_THRESHOLD, 0
    ret

; ------------------------------------------------------------------------------------------------- VMCS shadowing
shadowing:
    case "VMCS shadowing: VMREAD and VMWRITE of the guest", "VMCS Shadowing"
    needs PROC2_SHADOWING, .bit
    call prepare_shadow
    guest .program
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    expect_value "what the guest read back", [guest_registers], 0x12345
.bit:
    case "VMCS shadowing: a bit of the bitmap", "VMCS Shadowing"
    needs PROC2_SHADOWING, .none
    call prepare_shadow
    or byte [read_bitmap + (GUEST_RSP >> 3)], 1 << (GUEST_RSP & 7)
    guest .program
    enter_guest
    mov byte [read_bitmap + (GUEST_RSP >> 3)], 0
    expect_exit REASON_VMREAD
    expect GUEST_RIP, .read
.none:
    ret
.program:
    mov ecx, GUEST_RSP
    mov eax, 0x12345
    vmwrite rcx, rax
    xor eax, eax
.read:
    vmread rax, rcx
    vmcall
prepare_shadow:
    or dword [spare_vmcs], 1 << 31
    set VMREAD_BITMAP, read_bitmap
    set VMWRITE_BITMAP, write_bitmap
    set VMCS_LINK_POINTER, spare_vmcs
    ret

; Last, since bochs 2.7 gives up here.
apic_fetch:
    case "APIC-access page: an instruction fetch", "Virtualizing Memory-Mapped APIC Accesses"
    needs PROC2_VIRTUALIZE_APIC, .none
    call prepare_apic_page
    guest APIC_PAGE
    enter_guest
    expect_exit REASON_APIC_ACCESS
    expect EXIT_QUALIFICATION, 0x2000
.none:
    ret
