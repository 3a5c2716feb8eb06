; What processors send each other (SDM volume 3, "Issuing Interprocessor Interrupts", "Multiple-Processor (MP) Initialization"): INIT and
; start-up, destinations, shorthands, NMIs, and waking. Needs four processors. Each application processor counts the vectors that come to it.

%include "checks.inc"

TRAMPOLINE  equ 0x8000
SECOND      equ 0x9000                  ; another start-up page
SECOND_RAN  equ 0x9800
MOST        equ 4
STACK_BYTES equ 4096
INIT        equ 5 << 8
STARTUP     equ 6 << 8
NMI         equ 4 << 8
LOGICAL     equ 1 << 11
LOWEST      equ 1 << 8

; send destination, command
%macro send 2.nolist
    mov dword [abs APIC_ICR_HIGH], (%1) << 24
    mov dword [abs APIC_ICR], %2
%endmacro
; All counters of a vector, one byte for each processor.
%macro counts 4.nolist                  ; name, section, vector, value
    mov ecx, %3
    mov eax, %4
    call settle
    check %1, %2, rax, %4
    call forget
%endmacro

section .bss
alignb 4096
stacks:     resb MOST * STACK_BYTES
came:       resb MOST * 256             ; by processor and vector
started:    resd MOST
loops:      resq MOST
go:         resd 1

section .text
main:
    call frame_init
    mov qword [hook], count_it
    mov esi, trampoline
    mov edi, TRAMPOLINE
    mov ecx, trampoline_end - trampoline
    rep movsb
    mov esi, other_page
    mov edi, SECOND
    mov ecx, other_page_end - other_page
    rep movsb

    heading "start-up"
    send 1, ASSERT | STARTUP | (TRAMPOLINE >> 12)
    call long_pause
    check32 "without INIT: the first start-up IPI after power-up", "MP Initialization Protocol Algorithm", [started + 4], 1
    send 1, ASSERT | STARTUP | (TRAMPOLINE >> 12)
    send 1, ASSERT | STARTUP | (SECOND >> 12)
    call long_pause
    check32 "a processor that runs ignores start-up IPIs", "Issuing Interprocessor Interrupts", [started + 4], 1
    check32 "whatever their vector", "same", [abs SECOND_RAN], 0
    send 1, ASSERT | INIT
    call long_pause
    mov rax, [loops + 8]
    mov [saved], rax
    call long_pause
    mov rax, [loops + 8]
    check "INIT stops it", "Initialization IPI", rax, [saved]
    send 1, ASSERT | 0x55
    call long_pause
    mov rax, [loops + 8]
    check "waiting for a start-up IPI no interrupt is answered", "same", rax, [saved]
    send 1, ASSERT | STARTUP | (SECOND >> 12)
    call long_pause
    check32 "the start-up IPI's vector is its page", "Issuing Interprocessor Interrupts", [abs SECOND_RAN], 1
    send 1, ASSERT | INIT
    send 1, ASSERT | STARTUP | (TRAMPOLINE >> 12)
    call long_pause
    check32 "and again", "same", [started + 4], 2
    mov dword [abs APIC_ICR], OTHERS | ASSERT | INIT
    mov dword [abs APIC_ICR], OTHERS | ASSERT | STARTUP | (TRAMPOLINE >> 12)
    call long_pause
    call long_pause
    check32 "all others: the second", "same", [started + 4], 3
    check32 "the third", "same", [started + 8], 1
    check32 "the fourth", "same", [started + 12], 1
    check32 "not the sender", "same", [started], 0
    sti

    heading "destinations"
    mov dword [go], 1
    call forget
    send 2, ASSERT | 0x60
    counts "physical: one", "Physical Destination Mode", 0x60, 0x00010000
    send 0xFF, ASSERT | 0x61
    counts "physical FFH: all", "same", 0x61, 0x01010101
    mov dword [abs APIC_ICR], SELF | ASSERT | 0x62
    counts "self", "Destination Shorthand", 0x62, 0x00000001
    mov dword [abs APIC_ICR], ALL | ASSERT | 0x63
    counts "all including self", "same", 0x63, 0x01010101
    mov dword [abs APIC_ICR], OTHERS | ASSERT | 0x64
    counts "all excluding self", "same", 0x64, 0x01010100
    send 0x0A, ASSERT | LOGICAL | 0x65
    counts "logical, flat: a set", "Logical Destination Mode", 0x65, 0x01000100
    send 0x30, ASSERT | LOGICAL | 0x66
    counts "nobody has one of the bits", "same", 0x66, 0
    send 0x0E, ASSERT | LOGICAL | LOWEST | 0x67
    call long_pause
    mov ecx, 0x67
    call gather
    ; One of the three, whichever.
    mov ecx, eax
    shr ecx, 8
    add eax, ecx
    shr ecx, 8
    add eax, ecx
    shr ecx, 8
    add eax, ecx
    and eax, 0xFF
    check "lowest priority: exactly one", "Lowest Priority Delivery Mode", rax, 1
    call forget
    send 7, ASSERT | 0x68
    counts "no processor has this id", "Physical Destination Mode", 0x68, 0

    heading "NMIs and waking"
    send 3, ASSERT | NMI
    counts "an NMI to one", "Handling the NMI Interrupt (vector 2)", 2, 0x01000000
    mov dword [abs APIC_ICR], OTHERS | ASSERT | NMI
    counts "to all others", "same", 2, 0x01010100
    mov dword [go], 2                   ; they halt now, with interrupts masked
    call long_pause
    mov rax, [loops + 16]
    mov [saved], rax
    send 2, ASSERT | 0x69
    call long_pause
    mov rax, [loops + 16]
    check "HLT with IF = 0 is not ended by an interrupt", "HLT—Halt", rax, [saved]
    send 2, ASSERT | NMI
    call long_pause
    mov rax, [loops + 16]
    sub rax, [saved]
    check "but by an NMI", "same", rax, 1
    mov dword [go], 3                   ; the next HLT is with IF = 1
    send 2, ASSERT | NMI
    counts "what waited comes when IF is set", "same", 0x69, 0x00010000

    heading "MONITOR and MWAIT"
    mov dword [go], 4
    mov dword [abs APIC_ICR], OTHERS | ASSERT | NMI
    call long_pause
    mov rax, [loops + 16]
    mov [saved], rax
    call long_pause
    mov rax, [loops + 16]
    check "a processor waits", "MONITOR/MWAIT Instruction", rax, [saved]
    mov dword [watched + 64], 1
    call long_pause
    mov rax, [loops + 16]
    check "a store behind the line does not wake it", "MONITOR/MWAIT Instruction", rax, [saved]
    inc dword [watched + 60]
    call long_pause
    mov rax, [loops + 16]
    sub rax, [saved]
    check "one to the line does", "MONITOR/MWAIT Instruction", rax, 1
    send 2, ASSERT | 0x6A
    call long_pause
    mov rax, [loops + 16]
    sub rax, [saved]
    check "a masked interrupt does not", "MONITOR/MWAIT Instruction", rax, 1
    send 2, ASSERT | NMI
    call long_pause
    mov rax, [loops + 16]
    sub rax, [saved]
    check "an NMI does", "MONITOR/MWAIT Instruction", rax, 2
    mov dword [go], 5                   ; with ECX bit 0
    inc dword [watched]
    call long_pause
    mov rax, [loops + 16]
    mov [saved], rax
    call forget
    send 2, ASSERT | 0x6B
    call long_pause
    mov rax, [loops + 16]
    sub rax, [saved]
    mov ecx, eax
    xor eax, eax
    cmp ecx, 1
    setae al
    check "with ECX bit 0 a masked one does", "MONITOR/MWAIT Instruction", rax, 1
    counts "which is not delivered", "MONITOR/MWAIT Instruction", 0x6B, 0
    jmp conclude

; ECX: vector; EAX: its counters.
gather:
    push rdx
    push rdi
    xor eax, eax
    mov edi, MOST - 1
.next:
    shl eax, 8
    mov edx, edi
    shl edx, 8
    add edx, ecx
    mov al, [came + rdx]
    dec edi
    jns .next
    pop rdi
    pop rdx
    ret
; The same a while later; where it is not EAX yet, much later (another machine's processors may be slow to run).
settle:
    push rbx
    push rdx
    mov ebx, eax
    mov edx, 100
.again:
    call long_pause
    call gather
    cmp eax, ebx
    je .done
    dec edx
    jnz .again
.done:
    pop rdx
    pop rbx
    ret
forget:
    push rax
    push rcx
    push rdi
    mov edi, came
    mov ecx, MOST * 256
    xor eax, eax
    rep stosb
    pop rdi
    pop rcx
    pop rax
    ret
; In a handler: ECX is the vector.
count_it:
    mov edx, [abs APIC_ID]
    shr edx, 24
    shl edx, 8
    add edx, ecx
    inc byte [came + rdx]
    mov dword [logged], 0
    ret

long_pause:
    push rcx
    mov ecx, 40000
.next:
    pause
    loop .next
    pop rcx
    ret

ap_main:
    mov dword [abs APIC_SVR], 0x1FF
    mov eax, 1 << 24
    mov ecx, edi
    shl eax, cl
    mov dword [abs APIC_LDR], eax
    mov dword [abs APIC_DFR], 0xFFFFFFFF
    lidt [idt_pointer]
    lock inc dword [started + rdi * 4]
.run:
    mov eax, [go]
    cmp eax, 1
    jb .quiet
    je .open
    cmp eax, 3
    je .asleep
    ja .monitor
    cli
    hlt
    inc qword [loops + rdi * 8]
    jmp .run
.asleep:
    sti
    hlt
    inc qword [loops + rdi * 8]
    jmp .run
.monitor:
    cli
    xor ecx, ecx
    xor edx, edx
    mov eax, watched
    monitor
    mov ecx, [go]
    sub ecx, 4
    xor eax, eax
    mwait
    inc qword [loops + rdi * 8]
    jmp .run
.open:
    sti
.quiet:
    pause
    inc qword [loops + rdi * 8]
    jmp .run

bits 16
other_page:
    cli
    xor ax, ax
    mov ds, ax
    mov dword [SECOND_RAN], 1
.stay:
    jmp .stay
other_page_end:

trampoline:
    cli
    xor eax, eax
    mov ds, ax
    mov eax, CR4_PAE
    mov cr4, eax
    mov eax, boot_pml4
    mov cr3, eax
    mov ecx, IA32_EFER
    rdmsr
    or eax, EFER_LME
    wrmsr
    mov eax, CR0_PG | CR0_WP | CR0_PE
    mov cr0, eax
    o32 lgdt [dword trampoline_gdt - trampoline + TRAMPOLINE]
    jmp dword SELECTOR_CODE64:ap_long_mode
align 8
trampoline_gdt:
    dw gdt_end - gdt - 1
    dd gdt
trampoline_end:

bits 64
ap_long_mode:
    mov eax, SELECTOR_DATA
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov edi, [abs APIC_ID]
    shr edi, 24
    lea esp, [rdi + 1]
    imul esp, esp, STACK_BYTES
    add esp, stacks
    jmp ap_main

section .bss
saved: resq 1
alignb 64
watched: resb 128
