; Events around VM entries and VM exits: the monitor trap flag before every kind of instruction, pending debug exceptions, injected events of all
; types, windows, NMIs, external interrupts, the preemption timer among other events, VM exits during event delivery. SDM volume 3, "VM Entries",
; "VMX Non-Root Operation", "VM Exits".
%include "conformance.inc"

PIN_EXTERNAL              equ 1
PROC_INTERRUPT_WINDOW     equ 1 << 2
EXIT_ACKNOWLEDGE          equ 1 << 15
EXIT_SAVE_DEBUG           equ 1 << 2
ENTRY_LOAD_DEBUG          equ 1 << 2
REASON_EXTERNAL           equ 1
REASON_INTERRUPT_WINDOW   equ 7
RFLAGS_TF                 equ 1 << 8
RFLAGS_IF                 equ 1 << 9
RFLAGS_RF                 equ 1 << 16
ACTIVE                    equ 0
HALTED                    equ 1
SHUTDOWN                  equ 2
BY_STI                    equ 1
BY_MOV_SS                 equ 2
BY_NMI                    equ 8
PENDING_BS                equ 1 << 14
PENDING_ENABLED           equ 1 << 12
EXTERNAL_INTERRUPT        equ 0x80000000
NMI                       equ 0x80000200
HARDWARE                  equ 0x80000300
SOFTWARE_INTERRUPT        equ 0x80000400
PRIVILEGED_SOFTWARE       equ 0x80000500
SOFTWARE_EXCEPTION        equ 0x80000600
PENDING_MTF               equ 0x80000700
WITH_ERROR                equ 1 << 11
IA32_APIC_BASE            equ 0x1B
APIC_X2APIC               equ 3 << 10
X2APIC_ICR                equ 0x830
X2APIC_EOI                equ 0x80B
X2APIC_SPURIOUS           equ 0x80F
ICR_NMI                   equ 0x400
INTERRUPT_VECTOR          equ 0x31

%define stub(vector) (guest_stubs + (vector) * 16)

section .text
; expect_pushed offset, value : what lies on the guest's stack.
%macro expect_pushed 2.nolist
    mov ecx, GUEST_RSP
    vmread rbx, rcx
    expect_value {"stack + ", %str(%1)}, [rbx + %1], %2
%endmacro
; expect_vector vector : the guest's handler of this exception has run.
%macro expect_vector 1.nolist
    expect_exit EXIT_REASON_VMCALL
    expect_value "vector + 1", [guest_vector], %1 + 1
%endmacro
; sends an interrupt command to this processor itself. Changes RAX, RCX, RDX.
%macro send 1.nolist
    mov ecx, X2APIC_ICR
    mov eax, %1
    xor edx, edx
    wrmsr
%endmacro

; load_dr7 value : DR7 and IA32_DEBUGCTL are loaded by VM entries and saved by VM exits.
%macro load_dr7 1.nolist
    add_bits VM_ENTRY_CONTROLS, ENTRY_LOAD_DEBUG
    add_bits VM_EXIT_CONTROLS, EXIT_SAVE_DEBUG
    set GUEST_DR7, %1
%endmacro

cases:
    mov al, 0xFF                        ; firmware may have left the timer's interrupt on
    out 0x21, al
    out 0xA1, al
    mov ecx, IA32_APIC_BASE
    rdmsr
    or eax, APIC_X2APIC
    wrmsr
    mov ecx, X2APIC_SPURIOUS
    mov eax, 0x13F
    xor edx, edx
    wrmsr
    call traps
    call debug
    call injection
    call windows
    call interrupts
    call timer
    call delivery
    ret

; ------------------------------------------------------------------------------------------------- monitor trap flag
traps:
  %macro trapped 2-*
    case {"MTF: ", %1}, "Monitor Trap Flag"
    needs_primary PROC_MONITOR_TRAP, .none
    clear_bits PROC_BASED_CONTROLS, PROC_HLT_EXITING
    mov qword [guest_registers + 8], 5
    mov qword [guest_registers + 48], boot_stack
    guest %2
    enter_guest
    expect_exit REASON_MONITOR_TRAP
  %endmacro
    trapped "a fault is delivered first", .invalid
    expect GUEST_RIP, stub(6)
    trapped "INT n", .software
    expect GUEST_RIP, stub(5)
    expect_pushed 0, .software + 2
    trapped "INT3", .breakpoint
    expect GUEST_RIP, stub(3)
    trapped "INT1", .icebp
    expect GUEST_RIP, stub(1)
    trapped "one iteration of REP", .repeated
    expect GUEST_RIP, .repeated
    expect_value "RCX", [guest_registers + 8], 4
    trapped "HLT leaves the guest halted", .halt
    expect GUEST_RIP, .halted
    expect GUEST_ACTIVITY_STATE, HALTED
    trapped "a page fault is delivered first", .unmapped
    expect GUEST_RIP, stub(14)
    trapped "MOV SS leaves its blocking", .shadow
    expect GUEST_RIP, .shadowed
    expect GUEST_INTERRUPTIBILITY, BY_MOV_SS
    trapped "STI leaves its blocking", .sti
    expect GUEST_RIP, .enabled
    expect GUEST_INTERRUPTIBILITY, BY_STI

    case "MTF: comes before the debug trap of the instruction", "Monitor Trap Flag"
    needs_primary PROC_MONITOR_TRAP, .none
    set GUEST_RFLAGS, 2 | RFLAGS_TF
    guest .two
    enter_guest
    expect_exit REASON_MONITOR_TRAP
    expect GUEST_RIP, .second
    expect GUEST_PENDING_DEBUG, PENDING_BS
    expect GUEST_RFLAGS, 2 | RFLAGS_TF
    clear_bits PROC_BASED_CONTROLS, PROC_MONITOR_TRAP
    enter_guest
    expect_vector 1
    expect_pushed 0, .second

    case "MTF: a pending debug exception is delivered first", "Monitor Trap Flag"
    needs_primary PROC_MONITOR_TRAP, .none
    set GUEST_PENDING_DEBUG, PENDING_BS
    guest .two
    enter_guest
    expect_exit REASON_MONITOR_TRAP
    expect GUEST_RIP, stub(1)

    case "MTF: an injected software interrupt is delivered first", "Monitor Trap Flag"
    needs_primary PROC_MONITOR_TRAP, .none
    set VM_ENTRY_INTERRUPTION_INFO, SOFTWARE_INTERRUPT | 5
    set VM_ENTRY_INSTRUCTION_LENGTH, 2
    guest .two
    enter_guest
    expect_exit REASON_MONITOR_TRAP
    expect GUEST_RIP, stub(5)
    expect_pushed 0, .two + 2

    case "MTF: injected as an event, without the control", "VM Entries with a Pending MTF VM Exit"
    set VM_ENTRY_INTERRUPTION_INFO, PENDING_MTF
    guest .two
    enter_guest
    expect_exit REASON_MONITOR_TRAP
    expect GUEST_RIP, .two
    case "MTF: injected as an event, into HLT", "VM Entries with a Pending MTF VM Exit"
    set VM_ENTRY_INTERRUPTION_INFO, PENDING_MTF
    set GUEST_ACTIVITY_STATE, HALTED
    guest .two
    enter_guest
    expect_exit REASON_MONITOR_TRAP
    expect GUEST_RIP, .two
    expect GUEST_ACTIVITY_STATE, HALTED

    case "MTF: nothing is executed in HLT", "Monitor Trap Flag"
    needs_primary PROC_MONITOR_TRAP, .none
    call with_timer
    jc .none
    set PREEMPTION_TIMER_VALUE, 1000
    set GUEST_ACTIVITY_STATE, HALTED
    guest .two
    enter_guest
    expect_exit REASON_PREEMPTION_TIMER
    expect GUEST_RIP, .two
.none:
    ret
.invalid:
    ud2
.software:
    int 5
.breakpoint:
    int3
.icebp:
    db 0xF1
.repeated:
    rep lodsb
.halt:
    hlt
.halted:
    vmcall
.unmapped:
    mov rax, [0x40000000]
.shadow:
    mov ss, [.selector]
.shadowed:
    vmcall
.sti:
    sti
.enabled:
    vmcall
.two:
    nop
.second:
    nop
    vmcall
.selector:
    dw SELECTOR_DATA

; ------------------------------------------------------------------------------------------------- pending debug exceptions
debug:
    case "pending BS: delivered before the first instruction", "Delivery of Pending Debug Exceptions after VM Entry"
    set GUEST_PENDING_DEBUG, PENDING_BS
    mov rax, 0xFFFF0FF0
    mov dr6, rax
    guest .program
    enter_guest
    expect_vector 1
    expect_pushed 0, .program
    mov rax, dr6
    expect_value "DR6", rax, 0xFFFF4FF0

    case "pending breakpoint: delivered before the first instruction", "Delivery of Pending Debug Exceptions after VM Entry"
    set GUEST_PENDING_DEBUG, PENDING_ENABLED | 5
    mov rax, 0xFFFF0FF0
    mov dr6, rax
    guest .program
    enter_guest
    expect_vector 1
    expect_pushed 0, .program
    mov rax, dr6
    expect_value "DR6", rax, 0xFFFF0FF5

    case "pending B0 alone: not a debug exception", "Delivery of Pending Debug Exceptions after VM Entry"
    set GUEST_PENDING_DEBUG, 1
    guest .program
    enter_guest
    expect_exit EXIT_REASON_CPUID
    expect GUEST_PENDING_DEBUG, 0

    case "pending breakpoint: held off by MOV SS", "Delivery of Pending Debug Exceptions after VM Entry"
    set GUEST_PENDING_DEBUG, PENDING_ENABLED | 1
    set GUEST_INTERRUPTIBILITY, BY_MOV_SS
    guest .nop
    enter_guest
    expect_vector 1
    expect_pushed 0, .program

    case "pending breakpoint: not held off by STI", "Delivery of Pending Debug Exceptions after VM Entry"
    set GUEST_PENDING_DEBUG, PENDING_ENABLED | 1
    set GUEST_INTERRUPTIBILITY, BY_STI
    set GUEST_RFLAGS, 2 | RFLAGS_IF
    guest .nop
    enter_guest
    expect_vector 1
    expect_pushed 0, .nop

    not_on_peer .injected
    case "pending breakpoint: wakes from HLT", "Delivery of Pending Debug Exceptions after VM Entry"
    set GUEST_PENDING_DEBUG, PENDING_ENABLED | 1
    set GUEST_ACTIVITY_STATE, HALTED
    guest .program
    enter_guest
    expect_vector 1
    expect_pushed 0, .program

.injected:
    case "pending BS: gone with an injected hardware exception", "Delivery of Pending Debug Exceptions after VM Entry"
    set GUEST_PENDING_DEBUG, PENDING_BS
    set VM_ENTRY_INTERRUPTION_INFO, HARDWARE | 6
    guest .program
    enter_guest
    expect_vector 6
    expect GUEST_PENDING_DEBUG, 0

    case "pending BS: gone with an injected software interrupt", "Delivery of Pending Debug Exceptions after VM Entry"
    set GUEST_PENDING_DEBUG, PENDING_BS
    set VM_ENTRY_INTERRUPTION_INFO, SOFTWARE_INTERRUPT | 5
    set VM_ENTRY_INSTRUCTION_LENGTH, 2
    guest .program
    enter_guest
    expect_vector 5

    case "single-step trap: VM exit", "Exit Qualification for Debug Exceptions"
    set EXCEPTION_BITMAP, 1 << 1
    set GUEST_RFLAGS, 2 | RFLAGS_TF
    mov rax, 0xFFFF0FF0
    mov dr6, rax
    guest .nop
    enter_guest
    expect_exit REASON_EXCEPTION_NMI
    expect EXIT_QUALIFICATION, PENDING_BS
    expect VM_EXIT_INTERRUPTION_INFO, HARDWARE | 1
    expect GUEST_RIP, .program
    expect GUEST_PENDING_DEBUG, 0
    expect GUEST_RFLAGS, 2 | RFLAGS_TF
    mov rax, dr6
    expect_value "DR6", rax, 0xFFFF0FF0

    case "single-step trap: VM exit in the shadow of STI", "Saving Non-Register State"
    set EXCEPTION_BITMAP, 1 << 1
    set GUEST_RFLAGS, 2 | RFLAGS_TF
    guest .sti
    enter_guest
    expect_exit REASON_EXCEPTION_NMI
    expect EXIT_QUALIFICATION, PENDING_BS
    expect GUEST_RIP, .after_sti
    expect GUEST_INTERRUPTIBILITY, BY_STI
    expect GUEST_PENDING_DEBUG, 0

    case "single-step trap: held off by MOV SS, saved by a VM exit", "Saving Non-Register State"
    set GUEST_RFLAGS, 2 | RFLAGS_TF
    guest .mov_ss
    enter_guest
    expect_exit EXIT_REASON_CPUID
    expect GUEST_INTERRUPTIBILITY, BY_MOV_SS
    expect GUEST_PENDING_DEBUG, PENDING_BS
    call skip_instruction
    set GUEST_INTERRUPTIBILITY, 0
    enter_guest
    expect_vector 1

    case "data breakpoint of MOV SS: saved by a VM exit", "Saving Non-Register State"
    mov eax, .selector
    mov dr0, rax
    load_dr7 0x70401                ; DR0, read or write, two bytes
    guest .mov_ss
    enter_guest
    expect_exit EXIT_REASON_CPUID
    expect GUEST_INTERRUPTIBILITY, BY_MOV_SS
    expect GUEST_PENDING_DEBUG, PENDING_ENABLED | 1
    call skip_instruction
    enter_guest
    expect_vector 1

    case "data breakpoint: VM exit", "Exit Qualification for Debug Exceptions"
    mov eax, .selector
    mov dr0, rax
    set EXCEPTION_BITMAP, 1 << 1
    load_dr7 0x70401
    guest .load
    enter_guest
    expect_exit REASON_EXCEPTION_NMI
    mov ecx, EXIT_QUALIFICATION
    vmread rax, rcx
    and eax, ~PENDING_ENABLED
    expect_value "EXIT_QUALIFICATION", rax, 1
    expect GUEST_RIP, .loaded
    expect GUEST_DR7, 0x70401

    case "instruction breakpoint: VM exit with RF", "Saving RIP, RSP, RFLAGS, and SSP"
    mov eax, .program
    mov dr0, rax
    set EXCEPTION_BITMAP, 1 << 1
    load_dr7 0x401
    guest .nop
    enter_guest
    expect_exit REASON_EXCEPTION_NMI
    mov ecx, EXIT_QUALIFICATION
    vmread rax, rcx
    and eax, ~PENDING_ENABLED
    expect_value "EXIT_QUALIFICATION", rax, 1
    expect GUEST_RIP, .program
    expect GUEST_RFLAGS, 2 | RFLAGS_RF

    case "general detect: VM exit with RF", "Saving RIP, RSP, RFLAGS, and SSP"
    set EXCEPTION_BITMAP, 1 << 1
    load_dr7 0x2400
    guest .debug_register
    enter_guest
    expect_exit REASON_EXCEPTION_NMI
    expect EXIT_QUALIFICATION, 1 << 13
    expect GUEST_RIP, .debug_register
    expect GUEST_DR7, 0x2400

    case "single-step on branches", "Single-Stepping on Branches"
    set GUEST_RFLAGS, 2 | RFLAGS_TF
    load_dr7 0x400
    set GUEST_IA32_DEBUGCTL, 2
    set EXCEPTION_BITMAP, 1 << 1
    guest .branch
    enter_guest
    expect_exit REASON_EXCEPTION_NMI
    expect EXIT_QUALIFICATION, PENDING_BS
    expect GUEST_RIP, .program
    mov ecx, 0
    mov dr7, rcx
    mov dr0, rcx
    ret
.mov_ss:
    mov ss, [.selector]
    cpuid
    nop
    vmcall
.sti:
    sti
.after_sti:
    jmp .program
.load:
    mov ax, [.selector]
.loaded:
    jmp .program
.branch:
    nop
    xor eax, eax
    jnz .sti
    jz .program
    vmcall
.debug_register:
    mov rax, dr3
    vmcall
.nop:
    nop
.program:
    cpuid
.after:
    nop
    vmcall
.selector:
    dw SELECTOR_DATA

; ------------------------------------------------------------------------------------------------- event injection
injection:
  %macro inject 3
    case {"injection: ", %1}, "Details of Vectored-Event Injection"
    set VM_ENTRY_INTERRUPTION_INFO, %2
    set VM_ENTRY_EXCEPTION_ERROR_CODE, 0x1234
    set VM_ENTRY_INSTRUCTION_LENGTH, 2
    set GUEST_RFLAGS, 2 | RFLAGS_IF
    guest .program
    enter_guest
    expect_vector %3
    mov ecx, VM_ENTRY_INTERRUPTION_INFO
    vmread rax, rcx
    shr rax, 31
    expect_value "valid bit of the field", rax, 0
  %endmacro
  %assign v 0
  %rep 22
    %if v != 2 && v != 9 && v != 15 && v != 21
      %defstr name v
      %if v == 8 || (v >= 10 && v <= 14) || v == 17
        inject {"hardware exception ", name}, HARDWARE | WITH_ERROR | v, v
        expect_pushed 0, 0x1234
        expect_pushed 8, .program
        expect_pushed 24, 2 | RFLAGS_IF
      %else
        inject {"hardware exception ", name}, HARDWARE | v, v
        expect_pushed 0, .program
      %endif
    %endif
    %assign v v + 1
  %endrep
    inject "external interrupt", EXTERNAL_INTERRUPT | INTERRUPT_VECTOR, INTERRUPT_VECTOR
    expect_pushed 0, .program
    expect_pushed 16, 2 | RFLAGS_IF
    inject "NMI", NMI | 2, 2
    expect_pushed 0, .program
    expect GUEST_INTERRUPTIBILITY, BY_NMI
    call unblock_nmis
    inject "software interrupt", SOFTWARE_INTERRUPT | 0x20, 0x20
    expect_pushed 0, .program + 2
    inject "privileged software exception", PRIVILEGED_SOFTWARE | 1, 1
    expect_pushed 0, .program + 2
    inject "software exception 3", SOFTWARE_EXCEPTION | 3, 3
    expect_pushed 0, .program + 2
    inject "software exception 4", SOFTWARE_EXCEPTION | 4, 4
    expect_pushed 0, .program + 2

    case "injection: a software interrupt of length 0", "VM-Entry Control Fields"
    mov ecx, IA32_VMX_MISC
    rdmsr
    bt eax, 30
    jnc .refused
    set VM_ENTRY_INTERRUPTION_INFO, SOFTWARE_INTERRUPT | 0x20
    set VM_ENTRY_INSTRUCTION_LENGTH, 0
    guest .program
    enter_guest
    expect_vector 0x20
    expect_pushed 0, .program
    jmp .resume_flag
.refused:
    set VM_ENTRY_INTERRUPTION_INFO, SOFTWARE_INTERRUPT | 0x20
    set VM_ENTRY_INSTRUCTION_LENGTH, 0
    guest .program
    enter_guest
    expect_value "VMfailValid", [entry_failed], 2
    expect VM_INSTRUCTION_ERROR, 7

.resume_flag:
    case "injection: RF is pushed as it is", "Details of Vectored-Event Injection"
    set VM_ENTRY_INTERRUPTION_INFO, HARDWARE | 6
    set GUEST_RFLAGS, 2 | RFLAGS_RF
    guest .program
    enter_guest
    expect_vector 6
    expect_pushed 16, 2 | RFLAGS_RF
    case "injection: RF is not set for a fault", "Details of Vectored-Event Injection"
    set VM_ENTRY_INTERRUPTION_INFO, HARDWARE | 6
    guest .program
    enter_guest
    expect_vector 6
    expect_pushed 16, 2

    case "injection: #DB leaves DR6 and DR7 alone", "Details of Vectored-Event Injection"
    set VM_ENTRY_INTERRUPTION_INFO, HARDWARE | 1
    load_dr7 0x2400
    mov rax, 0xFFFF0FF0
    mov dr6, rax
    guest .program
    enter_guest
    expect_vector 1
    expect GUEST_DR7, 0x2400
    mov rax, dr6
    expect_value "DR6", rax, 0xFFFF0FF0

    case "injection: #PF leaves CR2 alone", "Details of Vectored-Event Injection"
    set VM_ENTRY_INTERRUPTION_INFO, HARDWARE | WITH_ERROR | 14
    set VM_ENTRY_EXCEPTION_ERROR_CODE, 0
    mov eax, 0x1111
    mov cr2, rax
    guest .program
    enter_guest
    expect_vector 14
    mov rax, cr2
    expect_value "CR2", rax, 0x1111

    case "injection: the exception bitmap does not count", "Details of Vectored-Event Injection"
    set VM_ENTRY_INTERRUPTION_INFO, HARDWARE | 6
    set EXCEPTION_BITMAP, 1 << 6
    guest .program
    enter_guest
    expect_vector 6

    case "injection: ends HLT", "Details of Vectored-Event Injection"
    set VM_ENTRY_INTERRUPTION_INFO, EXTERNAL_INTERRUPT | INTERRUPT_VECTOR
    set GUEST_ACTIVITY_STATE, HALTED
    set GUEST_RFLAGS, 2 | RFLAGS_IF
    guest .program
    enter_guest
    expect_vector INTERRUPT_VECTOR
    expect GUEST_ACTIVITY_STATE, ACTIVE

    case "injection: ends shutdown", "Details of Vectored-Event Injection"
    set VM_ENTRY_INTERRUPTION_INFO, NMI | 2
    set GUEST_ACTIVITY_STATE, SHUTDOWN
    guest .program
    enter_guest
    expect_vector 2
    expect GUEST_ACTIVITY_STATE, ACTIVE
    call unblock_nmis

    case "injection: ends blocking by MOV SS", "Details of Vectored-Event Injection"
    set VM_ENTRY_INTERRUPTION_INFO, HARDWARE | 6
    set GUEST_INTERRUPTIBILITY, BY_MOV_SS
    guest .program
    enter_guest
    expect_vector 6
    expect GUEST_INTERRUPTIBILITY, 0
    ret
.program:
    nop
    nop
    vmcall

; ------------------------------------------------------------------------------------------------- windows
windows:
  %macro interrupt_window 4             ; name, RFLAGS, interruptibility, program
    case {"interrupt window: ", %1}, "Interrupt-Window Exiting and Virtual-Interrupt Delivery"
    add_bits PROC_BASED_CONTROLS, PROC_INTERRUPT_WINDOW
    set GUEST_RFLAGS, 2 | %2
    set GUEST_INTERRUPTIBILITY, %3
    guest %4
    enter_guest
  %endmacro
    interrupt_window "open at once", RFLAGS_IF, 0, .program
    expect_exit REASON_INTERRUPT_WINDOW
    expect GUEST_RIP, .program
    interrupt_window "closed without IF", 0, 0, .program
    expect_exit EXIT_REASON_VMCALL
    interrupt_window "opened by STI and the instruction behind it", 0, 0, .sti
    expect_exit REASON_INTERRUPT_WINDOW
    expect GUEST_RIP, .behind
    interrupt_window "held off by MOV SS", RFLAGS_IF, BY_MOV_SS, .program
    expect_exit REASON_INTERRUPT_WINDOW
    expect GUEST_RIP, .second
    interrupt_window "held off by STI", RFLAGS_IF, BY_STI, .program
    expect_exit REASON_INTERRUPT_WINDOW
    expect GUEST_RIP, .second
    interrupt_window "opened by POPF", 0, 0, .popf
    expect_exit REASON_INTERRUPT_WINDOW
    expect GUEST_RIP, .popped

    not_on_peer .active
    case "interrupt window: wakes from HLT", "Interrupt-Window Exiting and Virtual-Interrupt Delivery"
    add_bits PROC_BASED_CONTROLS, PROC_INTERRUPT_WINDOW
    set GUEST_RFLAGS, 2 | RFLAGS_IF
    set GUEST_ACTIVITY_STATE, HALTED
    guest .program
    enter_guest
    expect_exit REASON_INTERRUPT_WINDOW
    expect GUEST_ACTIVITY_STATE, HALTED

.active:
    case "interrupt window: behind the NMI window", "Interrupt-Window Exiting and Virtual-Interrupt Delivery"
    add_bits PIN_BASED_CONTROLS, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS
    add_bits PROC_BASED_CONTROLS, PROC_INTERRUPT_WINDOW | PROC_NMI_WINDOW
    set GUEST_RFLAGS, 2 | RFLAGS_IF
    guest .program
    enter_guest
    expect_exit REASON_NMI_WINDOW

    case "interrupt window: behind an injected event", "Interrupt-Window Exiting and Virtual-Interrupt Delivery"
    add_bits PROC_BASED_CONTROLS, PROC_INTERRUPT_WINDOW
    set GUEST_RFLAGS, 2 | RFLAGS_IF
    set VM_ENTRY_INTERRUPTION_INFO, HARDWARE | 6
    guest .program
    enter_guest
    expect_vector 6                     ; the gate has cleared IF

    case "NMI window: behind an injected NMI stays closed", "Interrupt-Window Exiting and Virtual-Interrupt Delivery"
    add_bits PIN_BASED_CONTROLS, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS
    add_bits PROC_BASED_CONTROLS, PROC_NMI_WINDOW
    set VM_ENTRY_INTERRUPTION_INFO, NMI | 2
    guest .program
    enter_guest
    expect_vector 2
    expect GUEST_INTERRUPTIBILITY, BY_NMI
    call unblock_nmis

    not_on_peer .awake
    case "NMI window: wakes from HLT", "Other Causes of VM Exits"
    add_bits PIN_BASED_CONTROLS, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS
    add_bits PROC_BASED_CONTROLS, PROC_NMI_WINDOW
    set GUEST_ACTIVITY_STATE, HALTED
    guest .program
    enter_guest
    expect_exit REASON_NMI_WINDOW
    expect GUEST_ACTIVITY_STATE, HALTED
    case "NMI window: wakes from shutdown", "Other Causes of VM Exits"
    add_bits PIN_BASED_CONTROLS, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS
    add_bits PROC_BASED_CONTROLS, PROC_NMI_WINDOW
    set GUEST_ACTIVITY_STATE, SHUTDOWN
    guest .program
    enter_guest
    expect_exit REASON_NMI_WINDOW
    expect GUEST_ACTIVITY_STATE, SHUTDOWN
.awake:
    case "NMI window: a pending debug exception comes first", "Other Causes of VM Exits"
    add_bits PIN_BASED_CONTROLS, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS
    add_bits PROC_BASED_CONTROLS, PROC_NMI_WINDOW
    set GUEST_PENDING_DEBUG, PENDING_BS
    guest .program
    enter_guest
    expect_exit REASON_NMI_WINDOW
    expect GUEST_RIP, stub(1)
    ret
.program:
    nop
.second:
    nop
    vmcall
.sti:
    sti
    nop
.behind:
    vmcall
.popf:
    push 2 | RFLAGS_IF
    popfq
.popped:
    vmcall

; ------------------------------------------------------------------------------------------------- NMIs and external interrupts
interrupts:
    case "NMI: VM exit", "Other Causes of VM Exits"
    add_bits PIN_BASED_CONTROLS, PIN_NMI_EXITING
    guest .nmi
    enter_guest
    expect_exit REASON_EXCEPTION_NMI
    expect VM_EXIT_INTERRUPTION_INFO, NMI | 2
    expect GUEST_RIP, .after
    expect GUEST_INTERRUPTIBILITY, 0
    expect IDT_VECTORING_INFO, 0
    call unblock_nmis

    case "NMI: delivered without NMI exiting", "Other Causes of VM Exits"
    guest .nmi
    enter_guest
    expect_vector 2
    expect_pushed 0, .after
    expect GUEST_INTERRUPTIBILITY, BY_NMI
    call unblock_nmis

    case "NMI: virtual blocking does not block it", "Other Causes of VM Exits"
    add_bits PIN_BASED_CONTROLS, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS
    set GUEST_INTERRUPTIBILITY, BY_NMI
    guest .nmi
    enter_guest
    expect_exit REASON_EXCEPTION_NMI
    expect VM_EXIT_INTERRUPTION_INFO, NMI | 2
    expect GUEST_INTERRUPTIBILITY, BY_NMI
    call unblock_nmis

    case "NMI: blocking holds it off until IRET", "Other Causes of VM Exits"
    set GUEST_INTERRUPTIBILITY, BY_NMI
    guest .nmi_iret
    enter_guest
    expect_vector 2
    expect_pushed 0, .returned
    call unblock_nmis

    case "NMI: IRET does not unblock NMIs that exit", "Other Changes of Instruction Behavior in VMX Non-Root Operation"
    add_bits PIN_BASED_CONTROLS, PIN_NMI_EXITING
    set GUEST_INTERRUPTIBILITY, BY_NMI
    guest .iret
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    expect GUEST_INTERRUPTIBILITY, BY_NMI
    call unblock_nmis

    case "NMI: held off by MOV SS", "Other Causes of VM Exits"
    add_bits PIN_BASED_CONTROLS, PIN_NMI_EXITING
    guest .nmi_shadow
    enter_guest
    expect_exit REASON_EXCEPTION_NMI
    expect VM_EXIT_INTERRUPTION_INFO, NMI | 2
    call unblock_nmis

    case "fault of IRET: NMI unblocking", "Information About NMI Unblocking Due to IRET"
    set GUEST_INTERRUPTIBILITY, BY_NMI
    set EXCEPTION_BITMAP, 1 << 13
    guest .bad_iret
    enter_guest
    expect_exit REASON_EXCEPTION_NMI
    expect VM_EXIT_INTERRUPTION_INFO, HARDWARE | WITH_ERROR | (1 << 12) | 13
    expect GUEST_INTERRUPTIBILITY, 0
    call unblock_nmis

  %macro external 4                     ; name, RFLAGS, program, extra exit controls
    case {"external interrupt: ", %1}, "Other Causes of VM Exits"
    add_bits PIN_BASED_CONTROLS, PIN_EXTERNAL
    add_bits VM_EXIT_CONTROLS, %4
    set GUEST_RFLAGS, 2 | %2
    guest %3
    enter_guest
    expect_exit REASON_EXTERNAL
  %endmacro
    external "VM exit without acknowledgement", RFLAGS_IF, .self, 0
    expect VM_EXIT_INTERRUPTION_INFO, 0
    expect GUEST_RIP, .sent
    call take_interrupt
    expect_value "interrupts taken by the host", [taken], 1
    external "VM exit with acknowledgement", RFLAGS_IF, .self, EXIT_ACKNOWLEDGE
    expect VM_EXIT_INTERRUPTION_INFO, EXTERNAL_INTERRUPT | INTERRUPT_VECTOR
    call end_of_interrupt
    call take_interrupt
    expect_value "interrupts taken by the host", [taken], 0
    external "VM exit although IF is 0", 0, .self, EXIT_ACKNOWLEDGE
    expect VM_EXIT_INTERRUPTION_INFO, EXTERNAL_INTERRUPT | INTERRUPT_VECTOR
    call end_of_interrupt
  %macro shadowed_interrupt 2
    case {"external interrupt: held off by ", %1}, "Other Causes of VM Exits"
    send INTERRUPT_VECTOR
    add_bits PIN_BASED_CONTROLS, PIN_EXTERNAL
    add_bits VM_EXIT_CONTROLS, EXIT_ACKNOWLEDGE
    set GUEST_RFLAGS, 2 | RFLAGS_IF
    set GUEST_INTERRUPTIBILITY, %2
    guest .after
    enter_guest
    expect_exit REASON_EXTERNAL
    expect GUEST_RIP, .behind
    call end_of_interrupt
  %endmacro
    shadowed_interrupt "STI", BY_STI
    shadowed_interrupt "MOV SS", BY_MOV_SS

    case "external interrupt: delivered without the control", "Other Causes of VM Exits"
    set GUEST_RFLAGS, 2 | RFLAGS_IF
    guest .self
    enter_guest
    expect_vector INTERRUPT_VECTOR
    expect_pushed 0, .sent
    call end_of_interrupt

    case "external interrupt: pending at VM entry", "Other Causes of VM Exits"
    send INTERRUPT_VECTOR
    add_bits PIN_BASED_CONTROLS, PIN_EXTERNAL
    add_bits VM_EXIT_CONTROLS, EXIT_ACKNOWLEDGE
    set GUEST_RFLAGS, 2 | RFLAGS_IF
    guest .after
    enter_guest
    expect_exit REASON_EXTERNAL
    expect GUEST_RIP, .after
    call end_of_interrupt

    case "external interrupt: pending at VM entry, wakes from HLT", "Other Causes of VM Exits"
    send INTERRUPT_VECTOR
    add_bits PIN_BASED_CONTROLS, PIN_EXTERNAL
    add_bits VM_EXIT_CONTROLS, EXIT_ACKNOWLEDGE
    set GUEST_ACTIVITY_STATE, HALTED
    set GUEST_RFLAGS, 2 | RFLAGS_IF
    guest .after
    enter_guest
    expect_exit REASON_EXTERNAL
    expect GUEST_ACTIVITY_STATE, HALTED
    call end_of_interrupt

    case "external interrupt: behind an injected event", "Other Causes of VM Exits"
    send INTERRUPT_VECTOR
    add_bits PIN_BASED_CONTROLS, PIN_EXTERNAL
    add_bits VM_EXIT_CONTROLS, EXIT_ACKNOWLEDGE
    set VM_ENTRY_INTERRUPTION_INFO, HARDWARE | 6
    guest .after
    enter_guest
    expect_exit REASON_EXTERNAL
    expect GUEST_RIP, stub(6)
    call end_of_interrupt

    case "external interrupt: behind the interrupt window", "Interrupt-Window Exiting and Virtual-Interrupt Delivery"
    send INTERRUPT_VECTOR
    add_bits PIN_BASED_CONTROLS, PIN_EXTERNAL
    add_bits PROC_BASED_CONTROLS, PROC_INTERRUPT_WINDOW
    set GUEST_RFLAGS, 2 | RFLAGS_IF
    guest .after
    enter_guest
    expect_exit REASON_INTERRUPT_WINDOW
    call take_interrupt
    ret
.nmi:
    send ICR_NMI
.after:
    nop
.behind:
    vmcall
.self:
    send INTERRUPT_VECTOR
.sent:
    nop
    vmcall
.nmi_shadow:
    mov ebx, SELECTOR_DATA
    send ICR_NMI
    mov ss, bx
    nop
    vmcall
.nmi_iret:
    send ICR_NMI
.iret:
    mov rax, rsp
    push SELECTOR_DATA
    push rax
    pushfq
    push SELECTOR_CODE64
    push .returned
    iretq
.returned:
    nop
    vmcall
.bad_iret:
    push SELECTOR_DATA
    push rsp
    pushfq
    push 0x1000
    push .returned
    iretq

; Ends the blocking of NMIs in root operation.
unblock_nmis:
    mov rax, rsp
    push SELECTOR_DATA
    push rax
    pushfq
    push SELECTOR_CODE64
    push .back
    iretq
.back:
    ret
end_of_interrupt:
    mov ecx, X2APIC_EOI
    xor eax, eax
    xor edx, edx
    wrmsr
    ret
; [taken]: interrupts that come when the host allows them.
take_interrupt:
    mov dword [taken], 0
    lidt [host_idt_pointer]
    mov eax, host_interrupt
    mov [host_idt + INTERRUPT_VECTOR * 16], ax
    mov word [host_idt + INTERRUPT_VECTOR * 16 + 2], SELECTOR_CODE64
    mov word [host_idt + INTERRUPT_VECTOR * 16 + 4], 0x8E00
    shr eax, 16
    mov [host_idt + INTERRUPT_VECTOR * 16 + 6], ax
    sti
    nop
    nop
    cli
    lidt [idt_pointer]
    ret
host_interrupt:
    push rax
    push rcx
    push rdx
    inc dword [taken]
    call end_of_interrupt
    pop rdx
    pop rcx
    pop rax
    iretq
section .bss
alignb 16
host_idt: resb 64 * 16
taken:    resq 1
section .data
host_idt_pointer:
    dw 64 * 16 - 1
    dq host_idt
section .text

; ------------------------------------------------------------------------------------------------- preemption timer
timer:
  %macro timed 2
    case {"preemption timer: ", %1}, "VMX-Preemption Timer"
    call with_timer
    jc .none
    set PREEMPTION_TIMER_VALUE, %2
    guest .program
  %endmacro
    timed "behind an injected event", 0
    set VM_ENTRY_INTERRUPTION_INFO, HARDWARE | 6
    enter_guest
    expect_exit REASON_PREEMPTION_TIMER
    expect GUEST_RIP, stub(6)
    timed "behind a pending debug exception", 0
    set GUEST_PENDING_DEBUG, PENDING_BS
    enter_guest
    expect_exit REASON_PREEMPTION_TIMER
    expect GUEST_RIP, stub(1)
    timed "before the NMI window", 0
    add_bits PIN_BASED_CONTROLS, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS
    add_bits PROC_BASED_CONTROLS, PROC_NMI_WINDOW
    enter_guest
    expect_exit REASON_PREEMPTION_TIMER
    timed "before the interrupt window", 0
    add_bits PROC_BASED_CONTROLS, PROC_INTERRUPT_WINDOW
    set GUEST_RFLAGS, 2 | RFLAGS_IF
    enter_guest
    expect_exit REASON_PREEMPTION_TIMER
    timed "behind the pending MTF VM exit", 0
    needs_primary PROC_MONITOR_TRAP, .without
    set VM_ENTRY_INTERRUPTION_INFO, PENDING_MTF
    enter_guest
    expect_exit REASON_MONITOR_TRAP
.without:
    not_on_peer .running
    timed "in shutdown", 1000
    set GUEST_ACTIVITY_STATE, SHUTDOWN
    enter_guest
    expect_exit REASON_PREEMPTION_TIMER
    expect GUEST_ACTIVITY_STATE, SHUTDOWN
.running:
    timed "blocked by nothing: MOV SS", 0
    set GUEST_INTERRUPTIBILITY, BY_MOV_SS
    enter_guest
    expect_exit REASON_PREEMPTION_TIMER
    expect GUEST_RIP, .program
    expect GUEST_INTERRUPTIBILITY, BY_MOV_SS
    timed "0 with TF set", 0
    set GUEST_RFLAGS, 2 | RFLAGS_TF
    enter_guest
    expect_exit REASON_PREEMPTION_TIMER
    expect GUEST_RIP, .program
    expect GUEST_PENDING_DEBUG, 0
    timed "0 is saved as 0", 0
    add_bits VM_EXIT_CONTROLS, EXIT_SAVE_TIMER
    enter_guest
    expect_exit REASON_PREEMPTION_TIMER
    expect PREEMPTION_TIMER_VALUE, 0
.none:
    ret
.program:
    nop
    vmcall

; ------------------------------------------------------------------------------------------------- VM exits during event delivery
; The guest's IDT lies on TEST_DATA, which EPT does not map.
delivery:
  %macro unreadable_idt 2
    case {"during delivery: ", %1}, "Information for VM Exits During Event Delivery"
    mov qword [ept_pt + 8], 0
    set GUEST_IDTR_BASE, TEST_DATA
    guest %2
  %endmacro
  %macro violated 1
    enter_guest
    expect_exit EXIT_REASON_EPT_VIOLATION
    expect IDT_VECTORING_INFO, %1
    expect GUEST_PHYSICAL_ADDRESS, TEST_DATA + 16 * ((%1) & 0xFF)
  %endmacro
    unreadable_idt "INT n", .software
    violated SOFTWARE_INTERRUPT | 5
    expect VM_EXIT_INSTRUCTION_LENGTH, 2
    expect GUEST_RIP, .software
    unreadable_idt "INT3", .breakpoint
    violated SOFTWARE_EXCEPTION | 3
    expect VM_EXIT_INSTRUCTION_LENGTH, 1
    unreadable_idt "INT1", .icebp
    violated PRIVILEGED_SOFTWARE | 1
    expect VM_EXIT_INSTRUCTION_LENGTH, 1
    unreadable_idt "#UD", .invalid
    violated HARDWARE | 6
    expect GUEST_RFLAGS, 2 | RFLAGS_RF
    unreadable_idt "#GP with its error code", .protection
    violated HARDWARE | WITH_ERROR | 13
    expect IDT_VECTORING_ERROR, 0x1230
    unreadable_idt "#PF, CR2 has the address", .page
    mov eax, 0x1111
    mov cr2, rax
    violated HARDWARE | WITH_ERROR | 14
    expect IDT_VECTORING_ERROR, 0
    mov rax, cr2
    expect_value "CR2", rax, 0x40000000
    unreadable_idt "single-step trap, DR6 has its cause", .nops
    mov rax, 0xFFFF0FF0
    mov dr6, rax
    set GUEST_RFLAGS, 2 | RFLAGS_TF
    violated HARDWARE | 1
    expect GUEST_PENDING_DEBUG, 0
    expect GUEST_RFLAGS, 2 | RFLAGS_TF
    mov rax, dr6
    expect_value "DR6", rax, 0xFFFF4FF0
    unreadable_idt "injected software interrupt", .nops
    set VM_ENTRY_INTERRUPTION_INFO, SOFTWARE_INTERRUPT | 0x21
    set VM_ENTRY_INSTRUCTION_LENGTH, 3
    violated SOFTWARE_INTERRUPT | 0x21
    expect VM_EXIT_INSTRUCTION_LENGTH, 3
    unreadable_idt "injected exception with its error code", .nops
    set VM_ENTRY_INTERRUPTION_INFO, HARDWARE | WITH_ERROR | 17
    set VM_ENTRY_EXCEPTION_ERROR_CODE, 0x55
    violated HARDWARE | WITH_ERROR | 17
    expect IDT_VECTORING_ERROR, 0x55
    unreadable_idt "injected NMI blocks NMIs", .nops
    set VM_ENTRY_INTERRUPTION_INFO, NMI | 2
    violated NMI | 2
    expect GUEST_INTERRUPTIBILITY, BY_NMI
    call unblock_nmis
    unreadable_idt "NMI blocks NMIs", .nmi
    violated NMI | 2
    expect GUEST_INTERRUPTIBILITY, BY_NMI
    call unblock_nmis
    unreadable_idt "external interrupt ends HLT", .nops
    send INTERRUPT_VECTOR
    set GUEST_RFLAGS, 2 | RFLAGS_IF
    set GUEST_ACTIVITY_STATE, HALTED
    violated EXTERNAL_INTERRUPT | INTERRUPT_VECTOR
    expect GUEST_ACTIVITY_STATE, ACTIVE
    call end_of_interrupt
    unreadable_idt "a fault in the shadow of STI ends it", .sti_invalid
    violated HARDWARE | 6
    expect GUEST_INTERRUPTIBILITY, 0

    case "during delivery: a second exception meets the bitmap", "Information for VM Exits During Event Delivery"
    set GUEST_IDTR_LIMIT, 0
    set EXCEPTION_BITMAP, 1 << 13
    guest .invalid
    enter_guest
    expect_exit REASON_EXCEPTION_NMI
    expect VM_EXIT_INTERRUPTION_INFO, HARDWARE | WITH_ERROR | 13
    expect VM_EXIT_INTERRUPTION_ERROR, 6 * 8 + 3
    expect IDT_VECTORING_INFO, HARDWARE | 6
    case "during delivery: a double fault is none", "Information for VM Exits During Event Delivery"
    set GUEST_IDTR_LIMIT, 0
    set EXCEPTION_BITMAP, 1 << 8
    guest .protection
    enter_guest
    expect_exit REASON_EXCEPTION_NMI
    expect VM_EXIT_INTERRUPTION_INFO, HARDWARE | WITH_ERROR | 8
    expect VM_EXIT_INTERRUPTION_ERROR, 0
    expect IDT_VECTORING_INFO, 0
    case "triple fault", "Other Causes of VM Exits"
    set GUEST_IDTR_LIMIT, 0
    guest .protection
    enter_guest
    expect_exit REASON_TRIPLE_FAULT
    expect IDT_VECTORING_INFO, 0
    expect VM_EXIT_INTERRUPTION_INFO, 0
    expect GUEST_ACTIVITY_STATE, ACTIVE
    expect GUEST_RIP, .protection
    ret
.software:
    int 5
.breakpoint:
    int3
.icebp:
    db 0xF1
.sti_invalid:
    sti
.invalid:
    ud2
.protection:
    mov ds, [.bad_selector]
.bad_selector:
    dw 0x1230
.page:
    mov rax, [0x40000000]
.nmi:
    send ICR_NMI
.nops:
    nop
    nop
    vmcall
