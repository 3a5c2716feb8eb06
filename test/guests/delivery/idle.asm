; Waits one second, again and again, each time with HLT and another timer: the local APIC's in its three modes, the 8254, the HPET, the RTC, and
; MWAIT. Prints how many milliseconds the time-stamp counter made of it (a tick is a nanosecond).

%include "checks.inc"

IA32_TSC_DEADLINE equ 0x6E0

%macro waited 1.nolist
    print %1, " "
    call tell_time
%endmacro

section .text
main:
    call frame_init
    mov dword [eoi], 1
    mov dword [abs APIC_DIVIDE], 0xB

    call note_time
    mov dword [abs APIC_LVT_TIMER], 0x50
    mov dword [abs APIC_INITIAL], 1000000000
    sti
    hlt
    cli
    waited "APIC-one-shot"

    call note_time
    mov dword [abs APIC_LVT_TIMER], 0x20050
    mov dword [abs APIC_INITIAL], 10000000
    mov ebx, 100
    sti
.periodic:
    hlt
    dec ebx
    jnz .periodic
    cli
    mov dword [abs APIC_INITIAL], 0
    waited "APIC-periodic"

    call note_time
    mov dword [abs APIC_LVT_TIMER], 0x40050
    mfence
    rdtsc
    mov ecx, edx
    shl rcx, 32
    or rax, rcx
    add rax, 1000000000
    mov rdx, rax
    shr rdx, 32
    mov ecx, IA32_TSC_DEADLINE
    wrmsr
    sti
    hlt
    cli
    mov dword [abs APIC_LVT_TIMER], MASKED
    waited "TSC-deadline"

    ; 100 interrupts of the 8254 in mode 2, 11,932 cycles each, through input 2 of the I/O APIC.
    mov dword [abs IO_SELECT], 0x15
    mov dword [abs IO_WINDOW], 0
    mov dword [abs IO_SELECT], 0x14
    mov dword [abs IO_WINDOW], 0x51
    out8 0x43, 0x34
    call note_time
    out8 0x40, 0x9C
    out8 0x40, 0x2E
    mov ebx, 100
    sti
.rate:
    hlt
    dec ebx
    jnz .rate
    cli
    out8 0x43, 0x30
    waited "8254"

    call note_time
    mov dword [abs HPET + 0x10], 0
    mov dword [abs HPET + 0xF0], 0
    mov dword [abs HPET + 0xF4], 0
    mov dword [abs HPET + 0x100], 4
    mov dword [abs HPET + 0x108], 100000000
    mov dword [abs HPET + 0x10C], 0
    mov dword [abs HPET + 0x10], 3
    sti
    hlt
    cli
    mov dword [abs HPET + 0x10], 0
    mov dword [abs HPET + 0x100], 0
    mov dword [abs IO_SELECT], 0x14
    mov dword [abs IO_WINDOW], MASKED
    waited "HPET"

    ; The end of an update, and the end of the next one.
    mov dword [abs IO_SELECT], 0x10 + 8 * 2 + 1
    mov dword [abs IO_WINDOW], 0
    mov dword [abs IO_SELECT], 0x10 + 8 * 2
    mov dword [abs IO_WINDOW], 0x52
    out8 0x70, 0x0B
    out8 0x71, 0x12
    sti
    hlt
    call note_time
    out8 0x70, 0x0C
    in8 0x71
    hlt
    cli
    out8 0x70, 0x0C
    in8 0x71
    out8 0x70, 0x0B
    out8 0x71, 0x02
    waited "RTC"

    call note_time
    mov dword [abs APIC_LVT_TIMER], 0x50
    mov dword [abs APIC_INITIAL], 1000000000
    mov eax, begun
    xor ecx, ecx
    xor edx, edx
    sti
    monitor
    xor eax, eax
    mwait
    cli
    waited "MWAIT"
    print "end", 10
    mov al, STATUS_GOOD
    jmp finish

note_time:
    rdtsc
    mov [begun], eax
    mov [begun + 4], edx
    ret
tell_time:
    rdtsc
    shl rdx, 32
    or rax, rdx
    sub rax, [begun]
    add rax, 500000
    xor edx, edx
    mov ecx, 1000000
    div rcx
    call print_decimal
    print 10
    ret

section .bss
alignb 64
begun: resq 1
