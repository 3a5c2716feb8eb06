; How one processor is interrupted (SDM volume 3, "Advanced Programmable Interrupt Controller (APIC)" and "Interrupt and Exception Handling"):
; priorities, shadows, NMIs and their blocking, the 8259 pair behind LINT0, the I/O APIC with edges and levels, the timer, errors, software
; disabling, and x2APIC mode. What should be is written beside each check, with its section.

%include "checks.inc"

; self vector : an interrupt to this processor
%macro self 1.nolist
    mov dword [abs APIC_ICR], SELF | ASSERT | (%1)
%endmacro
%macro settle 0.nolist
    call pause_a_while
%endmacro
%macro io_apic 2.nolist                 ; register, value
    mov dword [abs IO_SELECT], %1
    mov dword [abs IO_WINDOW], %2
%endmacro
%macro check_io_apic 4.nolist           ; name, section, register, value
    mov dword [abs IO_SELECT], %3
    check32 %1, %2, [abs IO_WINDOW], %4
%endmacro

IA32_TSC_DEADLINE equ 0x6E0
X2APIC            equ 0x800

section .bss
has_x2apic: resd 1
has_deadline: resd 1
apic_base: resq 1

section .text
main:
    call frame_init
    mov eax, 1
    cpuid
    bt ecx, 21
    adc dword [has_x2apic], 0
    bt ecx, 24
    adc dword [has_deadline], 0

    heading "shadows and priorities"
    fresh
    self 0x50
    settle
    check32 "an interrupt waits in IRR while IF = 0", "Interrupt Acceptance for Fixed Interrupts", [abs APIC_IRR + 0x20], 1 << 16
    check32 "it is not in service", "same", [abs APIC_ISR + 0x20], 0
    sti
    nop
.after_sti:
    nop
    cli
    expect_log "it is delivered after STI", "same", 0x50
    check "after the instruction behind STI", "STI—Set Interrupt Flag", [log_rip], .after_sti
    check32 "IRR is empty", "Interrupt Acceptance for Fixed Interrupts", [abs APIC_IRR + 0x20], 0
    check32 "and ISR after EOI", "Signaling Interrupt Servicing Completion", [abs APIC_ISR + 0x20], 0

    fresh
    self 0x50
    settle
    mov eax, ss
    sti
    mov ss, eax
    nop
.after_ss:
    nop
    cli
    expect_log "MOV SS in the shadow of STI", "MOV—Move", 0x50
    check "the instruction behind it is shadowed too", "Masking Exceptions and Interrupts When Switching Stacks", [log_rip], .after_ss

    fresh
    self 0x50
    self 0x61
    self 0x62
    settle
    sti
    nop
    nop
    cli
    expect_log "the highest vector comes first", "Interrupt, Task, and Processor Priority", 0x506162

    fresh
    mov dword [abs APIC_TPR], 0x60
    check32 "PPR follows TPR", "Interrupt, Task, and Processor Priority", [abs APIC_PPR], 0x60
    mov rax, cr8
    check "CR8 is TPR bits 7:4", "Task Priority in IA-32e Mode", rax, 6
    sti
    self 0x61
    self 0x71
    settle
    expect_log "TPR holds its class and those below", "Interrupt, Task, and Processor Priority", 0x71
    mov eax, 5
    mov cr8, rax
    nop
    expect_log "until it is lowered through CR8", "Task Priority in IA-32e Mode", 0x6171
    check32 "which changes TPR", "Task Priority in IA-32e Mode", [abs APIC_TPR], 0x50
    mov dword [abs APIC_TPR], 0x5F
    mov rax, cr8
    check "the subclass is not in CR8", "Task Priority in IA-32e Mode", rax, 5
    check32 "PPR has TPR whole where no higher class is in service", "Interrupt, Task, and Processor Priority", [abs APIC_PPR], 0x5F
    mov dword [abs APIC_TPR], 0
    cli

    fresh
    mov dword [eoi], 0
    sti
    self 0x61
    settle
    check32 "without EOI the interrupt stays in service", "same", [abs APIC_ISR + 0x30], 1 << 1
    check32 "PPR is its class", "same", [abs APIC_PPR], 0x60
    self 0x65
    settle
    expect_log "its class is held", "same", 0x61
    self 0x71
    settle
    expect_log "a higher one is not", "same", 0x7161
    check32 "PPR is the highest in service", "same", [abs APIC_PPR], 0x70
    mov dword [abs APIC_EOI], 0
    check32 "EOI ends the highest", "Signaling Interrupt Servicing Completion", [abs APIC_PPR], 0x60
    mov dword [eoi], 1
    mov dword [abs APIC_EOI], 0
    nop
    expect_log "the one that waited comes", "same", 0x657161
    check32 "nothing is in service", "same", [abs APIC_PPR], 0
    cli

    fresh
    self 0x66
    self 0x66
    settle
    sti
    nop
    nop
    cli
    expect_log "an interrupt that waits already is one", "Interrupt Acceptance for Fixed Interrupts", 0x66

    heading "traps, faults and interrupts at one boundary"
    fresh
    mov dword [clear_tf], 1
    self 0x50
    settle
    sti
    pushf
    or dword [rsp], 0x100
    popf                                ; TF from here on, and the interrupt that waits comes first
    nop
    nop
    cli
    ; POPF ends the shadow of STI no sooner than PUSHF, which is the instruction behind it: the interrupt is taken before the OR.
    expect_log "the interrupt behind STI, then the trap of the instruction behind POPF", "Priority Among Simultaneous Exceptions and Interrupts", 0x0150

    fresh
    mov dword [clear_tf], 1
    mov qword [hook], .send_from_trap
    pushf
    or dword [rsp], 0x300
    cli
    popf
.stepped:
    nop
.behind_step:
    nop
    cli
    expect_log "a trap before the interrupt that waits", "Priority Among Simultaneous Exceptions and Interrupts", 0x5001
    check "the trap is behind the instruction", "Single-Step Exception Condition", [log_rip], .behind_step
    check "the interrupt before the next", "same", [log_rip + 8], .behind_step

    heading "non-maskable interrupts"
    fresh
    mov dword [abs APIC_ICR_HIGH], 0
    mov dword [abs APIC_ICR], ASSERT | (4 << 8)
    settle
    expect_log "an NMI comes although IF = 0", "Handling the NMI Interrupt (vector 2)", 0x02
    fresh
    mov qword [hook], .nmi_in_nmi
    mov dword [abs APIC_ICR], ASSERT | (4 << 8)
    settle
    expect_log "another one waits for IRET", "Handling Multiple NMIs", 0x0202
    check32 "and was blocked before", "same", [nested_seen], 1
    fresh
    mov qword [hook], .fault_in_nmi
    mov dword [nested_seen], 0
    mov dword [abs APIC_ICR], ASSERT | (4 << 8)
    settle
    expect_log "an IRET inside, of an exception's handler, ends the blocking", "Handling Multiple NMIs", 0x020302

    heading "the 8259 pair and LINT0"
    fresh
    mov dword [eoi], 0
    mov dword [abs APIC_LVT_LINT0], 0x700 ; ExtINT
    mov qword [hook], .pic_end
    out8 0x43, 0x30                     ; channel 0, mode 0
    out8 0x40, 0
    out8 0x40, 4                        ; 1024 cycles, 0.9 ms
    out8 PIC1 + 1, 0xFE
    sti
    hlt
    cli
    expect_log "the 8254's interrupt through LINT0 as ExtINT", "Local Vector Table", 0x30
    check32 "is in no register of the local APIC", "same", [abs APIC_ISR + 0x10], 0
    check32 "it was in service in the 8259", "8259A", [pic_service], 1
    fresh
    mov dword [eoi], 0
    mov qword [hook], .pic_end
    mov dword [abs APIC_LVT_LINT0], MASKED | 0x700
    out8 PIC1 + 1, 0xFE
    out8 0x43, 0x30
    out8 0x40, 0x40
    out8 0x40, 0
    call timer_out
    sti
    settle
    cli
    expect_log "a masked LINT0 lets nothing through", "Local Vector Table", 0
    mov dword [abs APIC_LVT_LINT0], 0x700
    sti
    nop
    nop
    cli
    expect_log "and what waits comes with the mask's end", "same", 0x30
    mov dword [abs APIC_LVT_LINT0], MASKED
    out8 PIC1 + 1, 0xFF

    heading "the I/O APIC"
    mov dword [abs IO_SELECT], 1
    mov eax, [abs IO_WINDOW]
    shr eax, 16
    check "24 inputs", "I/O APIC Version Register", rax, 23
    fresh
    io_apic 0x10 + 2 * 2 + 1, 0
    io_apic 0x10 + 2 * 2, 0x58
    out8 0x43, 0x30
    out8 0x40, 0
    out8 0x40, 4
    sti
    hlt
    cli
    expect_log "input 2 is the 8254's, edge-triggered", "I/O Redirection Table Registers", 0x58
    io_apic 0x10 + 2 * 2, MASKED | 0x58
    fresh
    out8 0x43, 0x30
    out8 0x40, 0x40
    out8 0x40, 0
    call timer_out
    sti
    settle
    io_apic 0x10 + 2 * 2, 0x58
    settle
    cli
    expect_log "an edge while masked is lost", "same", 0
    io_apic 0x10 + 2 * 2, MASKED | 0x58
    fresh
    ; The UART's line stays high while its transmitter is empty and that interrupt is enabled: a level.
    io_apic 0x10 + 4 * 2 + 1, 0
    io_apic 0x10 + 4 * 2, 0x8059        ; level
    mov dword [eoi], 0
    out8 COM1 + 4, 8                    ; OUT2 lets the interrupt out
    sti
    out8 COM1 + 1, 2
    settle
    cli
    expect_log "a level is delivered", "same", 0x59
    check_io_apic "remote IRR is set", "same", 0x10 + 4 * 2, 0xC059
    check32 "TMR says level", "Interrupt Acceptance for Fixed Interrupts", [abs APIC_TMR + 0x20], 1 << 25
    mov dword [eoi], 1
    sti
    mov dword [hook_count], 3
    mov qword [hook], .uart_quiet_later
    mov dword [abs APIC_EOI], 0
    settle
    cli
    expect_log "EOI has it again as long as the line is high", "Signaling Interrupt Servicing Completion", 0x59595959
    check_io_apic "then remote IRR is clear", "same", 0x10 + 4 * 2, 0x8059
    io_apic 0x10 + 4 * 2, MASKED
    out8 COM1 + 1, 0
    out8 COM1 + 4, 0

    heading "the timer"
    fresh
    mov dword [abs APIC_DIVIDE], 0xB    ; by 1
    mov dword [abs APIC_LVT_TIMER], 0x6A
    mov dword [abs APIC_INITIAL], 20000
    mov eax, [abs APIC_CURRENT]
    cmp eax, 20000
    mov eax, 0
    adc eax, 0
    check "the count goes down", "APIC Timer", rax, 1
    sti
    hlt
    cli
    expect_log "one shot", "APIC Timer", 0x6A
    check32 "then the count stays 0", "APIC Timer", [abs APIC_CURRENT], 0
    settle
    sti
    settle
    cli
    expect_log "and nothing more comes", "APIC Timer", 0x6A
    fresh
    mov dword [abs APIC_LVT_TIMER], 0x2006B
    mov dword [abs APIC_INITIAL], 20000
    sti
    hlt
    hlt
    hlt
    mov dword [abs APIC_INITIAL], 0
    cli
    expect_log "periodic, until the initial count is 0", "APIC Timer", 0x6B6B6B
    fresh
    mov dword [abs APIC_LVT_TIMER], MASKED | 0x6A
    mov dword [abs APIC_INITIAL], 1000
    sti
    settle
    settle
    cli
    expect_log "masked", "APIC Timer", 0
    cmp dword [has_deadline], 0
    je .no_deadline
    fresh
    mov dword [abs APIC_LVT_TIMER], 0x4006C
    mfence
    mov dword [abs APIC_INITIAL], 100
    check32 "in TSC-deadline mode the initial count is ignored", "TSC-Deadline Mode", [abs APIC_CURRENT], 0
    rdtsc
    add eax, 200000
    adc edx, 0
    mov ecx, IA32_TSC_DEADLINE
    wrmsr
    sti
    hlt
    cli
    expect_log "an interrupt at the deadline", "TSC-Deadline Mode", 0x6C
    mov ecx, IA32_TSC_DEADLINE
    rdmsr
    shl rdx, 32
    or rax, rdx
    check "which is 0 then", "TSC-Deadline Mode", rax, 0
.no_deadline:
    mov dword [abs APIC_LVT_TIMER], MASKED

    heading "errors and software disabling"
    fresh
    mov dword [abs APIC_ESR], 0
    mov dword [abs APIC_LVT_ERROR], 0x6E
    sti
    self 0x0F
    settle
    cli
    mov dword [abs APIC_ESR], 0
    mov eax, [abs APIC_ESR]
    and eax, 0x20
    check "an illegal vector is not sent", "Error Handling", rax, 0x20
    expect_log "the error interrupt", "Error Handling", 0x6E
    mov dword [abs APIC_ESR], 0
    mov dword [abs APIC_ESR], 0
    check32 "ESR is cleared by the next write", "Error Handling", [abs APIC_ESR], 0
    mov dword [abs APIC_LVT_ERROR], MASKED

    fresh
    mov dword [abs APIC_LVT_TIMER], 0x6A
    mov dword [abs APIC_SVR], 0xFF
    check32 "software disabling masks the LVT", "Local APIC State After It Has Been Software Disabled", [abs APIC_LVT_TIMER], MASKED | 0x6A
    mov dword [abs APIC_LVT_TIMER], 0x6A
    check32 "and its masks cannot be cleared", "same", [abs APIC_LVT_TIMER], MASKED | 0x6A
    mov dword [abs APIC_SVR], 0x1FF
    check32 "enabling leaves them", "same", [abs APIC_LVT_TIMER], MASKED | 0x6A

    fresh
    mov dword [abs APIC_TPR], 0x20
    mov dword [abs APIC_LDR], 0x12000000
    check32 "LDR has 8 bits", "Logical Destination Mode", [abs APIC_LDR], 0x12000000
    mov dword [abs APIC_DFR], 0xFFFFFFFF
    sti
    mov dword [abs APIC_ICR_HIGH], 0x02000000
    mov dword [abs APIC_ICR], ASSERT | 0x800 | 0x52
    settle
    mov dword [abs APIC_ICR_HIGH], 0x04000000
    mov dword [abs APIC_ICR], ASSERT | 0x800 | 0x53
    settle
    expect_log "flat model: a bit in common", "Logical Destination Mode", 0x52
    fresh
    mov dword [abs APIC_DFR], 0x0FFFFFFF
    mov dword [abs APIC_ICR_HIGH], 0x12000000
    mov dword [abs APIC_ICR], ASSERT | 0x800 | 0x54
    settle
    mov dword [abs APIC_ICR_HIGH], 0x22000000
    mov dword [abs APIC_ICR], ASSERT | 0x800 | 0x55
    settle
    mov dword [abs APIC_ICR_HIGH], 0xF2000000
    mov dword [abs APIC_ICR], ASSERT | 0x800 | 0x56
    settle
    cli
    expect_log "cluster model: the cluster and a bit, or all clusters", "Logical Destination Mode", 0x5654
    mov dword [abs APIC_DFR], 0xFFFFFFFF
    mov dword [abs APIC_TPR], 0

    cmp dword [has_x2apic], 0
    je .no_x2apic
    heading "x2APIC mode"
    fresh
    mov qword [recover], .bad_first
    mov ecx, X2APIC + 2
    rdmsr
.bad_first:
    expect_log "its MSRs are not there in xAPIC mode", "x2APIC Register Address Space", 13
    fresh
    mov ecx, IA32_APIC_BASE
    rdmsr
    mov [apic_base], eax
    mov [apic_base + 4], edx
    or eax, 0xC00
    wrmsr
    mov ecx, X2APIC + 2
    rdmsr
    check "the id", "x2APIC Register Address Space", rax, 0
    mov ecx, X2APIC + 0xD
    rdmsr
    check "the logical id follows from it", "Deriving Logical x2APIC ID From the Local x2APIC ID", rax, 1
    fresh
    sti
    mov ecx, X2APIC + 0x3F
    mov eax, 0x5A
    xor edx, edx
    wrmsr
    settle
    cli
    ; The handler's EOI through memory does nothing here.
    expect_log "SELF IPI", "SELF IPI Register", 0x5A
    mov ecx, X2APIC + 0x12
    rdmsr
    check "it is in service", "x2APIC Register Address Space", rax, 1 << 26
    mov ecx, X2APIC + 0xB
    xor eax, eax
    wrmsr
    mov ecx, X2APIC + 0x12
    rdmsr
    check "until EOI", "same", rax, 0
    fresh
    mov dword [eoi], 0
    sti
    mov ecx, X2APIC + 0x30
    mov eax, ASSERT | 0x800 | 0x5B
    mov edx, 1
    wrmsr
    settle
    cli
    expect_log "ICR in one piece, logical", "x2APIC Interrupt Command Register", 0x5B
    mov ecx, X2APIC + 0xB
    xor eax, eax
    xor edx, edx
    wrmsr
%macro refused 3.nolist                 ; name, MSR, "rdmsr" or "wrmsr" with EDX:EAX as they are
    fresh
    mov qword [recover], %%after
    mov ecx, %2
    %3
%%after:
    expect_log %1, "x2APIC Register Availability and Access Modes", 13
%endmacro
    xor edx, edx
    mov eax, 1
    refused "EOI takes 0 only", X2APIC + 0xB, wrmsr
    mov eax, 0
    refused "EOI cannot be read", X2APIC + 0xB, rdmsr
    refused "ID cannot be written", X2APIC + 2, wrmsr
    refused "DFR is not there", X2APIC + 0xE, rdmsr
    refused "the high half of ICR is not there", X2APIC + 0x31, rdmsr
    mov eax, 0x100
    refused "reserved bits of TPR", X2APIC + 8, wrmsr
    mov eax, 1
    refused "ESR takes 0 only", X2APIC + 0x28, wrmsr
    refused "SELF IPI cannot be read", X2APIC + 0x3F, rdmsr
    mov eax, [apic_base]
    mov edx, [apic_base + 4]
    refused "back to xAPIC mode at once", IA32_APIC_BASE, wrmsr
    mov eax, [apic_base]
    and eax, ~0x800
    or eax, 0x400
    refused "EXTD without EN", IA32_APIC_BASE, wrmsr
    fresh
    mov ecx, IA32_APIC_BASE
    mov eax, [apic_base]
    and eax, ~0x800
    mov edx, [apic_base + 4]
    wrmsr
    mov eax, 1
    cpuid
    shr edx, 9
    and edx, 1
    check "CPUID tells of no APIC while it is disabled", "Enabling or Disabling the Local APIC", rdx, 0
    mov eax, [apic_base]
    mov edx, [apic_base + 4]
    or eax, 0xC00
    refused "from disabled to x2APIC mode", IA32_APIC_BASE, wrmsr
    fresh
    mov ecx, IA32_APIC_BASE
    mov eax, [apic_base]
    mov edx, [apic_base + 4]
    wrmsr
    check32 "xAPIC mode begins as after reset", "Local APIC State After Power-Up or Reset", [abs APIC_SVR], 0xFF
.no_x2apic:
    jmp conclude

.send_from_trap:
    cmp byte [log], 1
    jne .sent
    cmp dword [logged], 1
    jne .sent
    self 0x50
.sent:
    ret
.nmi_in_nmi:
    cmp dword [logged], 1
    jne .sent
    mov dword [abs APIC_ICR], ASSERT | (4 << 8)
    settle
    mov eax, [logged]
    mov [nested_seen], eax
    ret
.fault_in_nmi:
    cmp dword [logged], 1
    jne .sent
    mov dword [abs APIC_ICR], ASSERT | (4 << 8)
    settle
    int3
    ret
.pic_end:
    out8 PIC1, 0x0B                     ; OCW3: read ISR
    in8 PIC1
    mov [pic_service], eax
    out8 PIC1, 0x20
    ret
.uart_quiet_later:
    dec dword [hook_count]
    jnz .sent
    out8 COM1 + 1, 0
    ret

; Until the output of the 8254's channel 0 is high (read-back command, status bit 7).
timer_out:
    out8 0x43, 0xE2
    in8 0x40
    test al, 0x80
    jz timer_out
    ret

pause_a_while:
    push rcx
    mov ecx, 3000
.next:
    pause
    loop .next
    pop rcx
    ret

section .bss
nested_seen: resd 1
pic_service: resd 1
hook_count:  resd 1
