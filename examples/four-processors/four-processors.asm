; four-processors: the boot processor wakes the others with INIT and a start-up IPI, and they work together: they count under a
; spin lock, answer interrupts that one sends to all others, and forget a translation that one of them has changed (a TLB
; shoot-down). What is printed does not depend on who is faster; it needs a machine with several processors ("cpus": 4).
;
; Good things to try in the debugger: set a breakpoint on `ap_main` and look at the threads; step one processor and see the
; others move, then step it with "Step This Virtual CPU Only" and see them stand; break on interrupt 0x41; let another seed
; ("seed": 2) mix their steps in another way.

%include "long-mode.inc"
%include "serial.inc"
%include "exceptions.inc"

; The local APIC's registers (Intel SDM volume 3, "Local APIC Register Address Map").
APIC_PHYSICAL equ 0xFEE00000
APIC          equ 0x7FE00000            ; where it is mapped: a displacement of 32 bits reaches it
APIC_ID       equ APIC + 0x020
APIC_EOI      equ APIC + 0x0B0
APIC_SPURIOUS equ APIC + 0x0F0
APIC_ICR      equ APIC + 0x300
APIC_ENABLE   equ 0x1FF                 ; software-enabled, spurious vector 0xFF
ICR_OTHERS    equ 3 << 18               ; destination shorthand: all excluding self
ICR_ASSERT    equ 1 << 14
ICR_INIT      equ 5 << 8
ICR_STARTUP   equ 6 << 8

TRAMPOLINE    equ 0x8000                ; where a start-up IPI with vector 8 begins
STACK_BYTES   equ 4096
MOST          equ 8

PAGE_UNCACHED equ 1 << 4                ; PCD

VECTOR_COUNT  equ 0x40                  ; "add yourself to the answers"
VECTOR_FORGET equ 0x41                  ; "forget what you know of the window"
VECTOR_READ   equ 0x42                  ; "tell what you read through the window"
VECTORS       equ 0x43

ROUNDS        equ 500                   ; additions of each processor
WINDOW        equ 0x40000000            ; one page whose translation changes

section .bss
alignb 4096
window_pd: resb 4096
window_pt: resb 4096
frame_old: resb 4096
frame_new: resb 4096
stacks:    resb MOST * STACK_BYTES
alignb 16
idt_all:   resb VECTORS * 16
spin_lock: resd 1                       ; 0: free
processors:resd 1
awake:     resd 1                       ; application processors that run
go:        resd 1                       ; they may begin
total:     resd 1
finished:  resd 1
answers:   resd 1
seen:      resq MOST                    ; by APIC id: what was read through the window

section .rodata
idt_all_pointer:
    dw VECTORS * 16 - 1
    dq idt_all

section .text
main:
    call idt_init
    call gates_init
    call map_apic
    mov dword [abs APIC_SPURIOUS], APIC_ENABLE
    call count_processors
    mov [processors], eax
    call print_decimal
    print " processors", 10

    ; The others begin in real mode at the page that the start-up IPI's vector names.
    mov esi, trampoline
    mov edi, TRAMPOLINE
    mov ecx, trampoline_end - trampoline
    rep movsb
    mov dword [abs APIC_ICR], ICR_OTHERS | ICR_ASSERT | ICR_INIT
    call delay
    mov dword [abs APIC_ICR], ICR_OTHERS | ICR_ASSERT | ICR_STARTUP | (TRAMPOLINE >> 12)
    mov ecx, [processors]
    dec ecx
    mov ebx, awake
    call wait_for
    mov eax, [awake]
    call print_decimal
    print " woke up", 10

    ; Everybody adds to the same number, one at a time.
    mov dword [go], 1
    call add_rounds
    mov ecx, [processors]
    mov ebx, finished
    call wait_for
    print "counted to "
    mov eax, [total]
    call print_decimal
    print 10

    mov eax, VECTOR_COUNT
    call ask_others
    print "answers to an interrupt: "
    mov eax, [answers]
    call print_decimal
    print 10

    ; A page whose translation everybody has used, then another frame behind it.
    mov dword [window_pd], window_pt + (PAGE_PRESENT | PAGE_WRITABLE)
    mov dword [window_pt], frame_old + (PAGE_PRESENT | PAGE_WRITABLE)
    mov dword [frame_old], 1
    mov dword [frame_new], 2
    mov eax, VECTOR_READ
    call ask_others
    print "read before: "
    call print_seen
    mov dword [window_pt], frame_new + (PAGE_PRESENT | PAGE_WRITABLE)
change_done:
    mov eax, VECTOR_FORGET
    call ask_others
    mov eax, VECTOR_READ
    call ask_others
    print "read after:  "
    call print_seen

    ; Each of them read 1 before and 2 after.
    mov eax, [processors]
    imul eax, eax, ROUNDS
    cmp eax, [total]
    mov al, STATUS_GOOD
    je finish
    mov al, STATUS_BAD
    jmp finish

; EAX: a vector. Sends it to all others and waits until each has answered.
ask_others:
    mov dword [answers], 0
    or eax, ICR_OTHERS | ICR_ASSERT
    mov [abs APIC_ICR], eax
    mov ecx, [processors]
    dec ecx
    mov ebx, answers
; RBX: a counter, ECX: what it comes to.
wait_for:
    pause
    cmp [rbx], ecx
    jne wait_for
    ret

; The sum over the other processors of what they read.
print_seen:
    xor eax, eax
    mov ecx, MOST - 1
.next:
    add eax, [seen + rcx * 8]
    dec ecx
    jns .next
    call print_decimal
    print 10
    ret

delay:
    mov ecx, 10000
.next:
    pause
    loop .next
    ret

; EAX: how many processors the machine has, as QEMU's firmware configuration device tells (its item 5).
count_processors:
    mov edx, 0x510
    mov eax, 5
    out dx, ax
    inc edx
    in al, dx
    movzx eax, al
    cmp eax, MOST
    jbe .known
    mov eax, 1                          ; no such device
.known:
    ret

; One page directory for the second GiB: the window is its first page table, the local APIC's registers its last large page.
map_apic:
    mov dword [boot_pdpt + 1 * 8], window_pd + (PAGE_PRESENT | PAGE_WRITABLE)
    mov dword [window_pd + ((APIC >> 21) & 511) * 8], APIC_PHYSICAL + (PAGE_PRESENT | PAGE_WRITABLE | PAGE_LARGE | PAGE_UNCACHED)
    ret

acquire:
    mov eax, 1
    xchg [spin_lock], eax
    test eax, eax
    jz .taken
.spin:
    pause
    cmp dword [spin_lock], 0
    jne .spin
    jmp acquire
.taken:
    ret

release:
    mov dword [spin_lock], 0
    ret

; One addition after the other, each of them in two steps that only the lock keeps together.
add_rounds:
    mov ebx, ROUNDS
.next:
    call acquire
    mov ecx, [total]
    inc ecx
    mov [total], ecx
    call release
    dec ebx
    jnz .next
    lock inc dword [finished]
    ret

; --------------------------------------------------------------------------------------------------- the other processors

; RDI: the processor's APIC id.
ap_main:
    mov dword [abs APIC_SPURIOUS], APIC_ENABLE
    lidt [idt_all_pointer]
    lock inc dword [awake]
.wait:
    pause
    cmp dword [go], 0
    je .wait
    call add_rounds
    sti
.idle:
    hlt                                 ; everything else is done by interrupt handlers
    jmp .idle

count_handler:
    lock inc dword [answers]
    mov dword [abs APIC_EOI], 0
    iretq

forget_handler:
    push rax
    mov eax, WINDOW
    invlpg [rax]
    pop rax
    lock inc dword [answers]
    mov dword [abs APIC_EOI], 0
    iretq

read_handler:
    push rax
    push rdx
    mov edx, [abs APIC_ID]
    shr edx, 24
    mov eax, WINDOW
    mov eax, [rax]
    mov [seen + rdx * 8], rax
    pop rdx
    pop rax
    lock inc dword [answers]
    mov dword [abs APIC_EOI], 0
    iretq

; The exceptions' gates, and those of the three interrupts.
gates_init:
    mov esi, idt
    mov edi, idt_all
    mov ecx, 32 * 16
    rep movsb
    mov edi, idt_all + VECTOR_COUNT * 16
    mov eax, count_handler
    call gate
    mov eax, forget_handler
    call gate
    mov eax, read_handler
    call gate
    lidt [idt_all_pointer]
    ret
; EAX: a handler, RDI: its gate; RDI goes on to the next one.
gate:
    mov [rdi], ax
    mov word [rdi + 2], SELECTOR_CODE64
    mov word [rdi + 4], 0x8E00          ; P = 1, DPL = 0, type 14 (interrupt gate)
    shr eax, 16
    mov [rdi + 6], ax
    add edi, 16
    ret

on_exception:
    print "unexpected exception, vector "
    print_number [rdi + frame.vector], 2
    print ", RIP "
    print_number [rdi + frame.rip], 16
    print 10
    mov al, STATUS_BAD
    jmp finish

; ------------------------------------------------------------------------------------ from real mode to 64-bit mode at once

; Runs at TRAMPOLINE. The boot processor's page tables and GDT serve all.
bits 16
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
    mov cr0, eax                        ; paging and protection together: straight to IA-32e mode
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
    ; A stack of its own for each: the one of APIC id n ends where that of n + 1 begins.
    lea esp, [rdi + 1]
    imul esp, esp, STACK_BYTES
    add esp, stacks
    jmp ap_main
