; Several processors that disturb each other as much as they can, and check that nothing is lost (SDM volume 3, "Locked Atomic Operations",
; "Propagation of Page Table and Page Directory Entry Changes to Multiple Processors", "Issuing Interprocessor Interrupts"). Each one, round
; after round: adds to a number under a ticket lock; sends its neighbour an interrupt and has it acknowledged; reads through a page whose
; translation everybody changes; and in some rounds changes it itself: a fresh frame, an interrupt to all others, and, once they have all
; acknowledged it, poison in the frame that nobody may know any more. Whoever reads poison, finds the lock's owner to be another, or is
; interrupted without mail ends the run. What is printed at the end depends on the number of processors only.

%include "long-mode.inc"
%include "serial.inc"
%include "exceptions.inc"

APIC_PHYSICAL equ 0xFEE00000
APIC          equ 0x7FE00000            ; where it is mapped
APIC_ID       equ APIC + 0x020
APIC_EOI      equ APIC + 0x0B0
APIC_SPURIOUS equ APIC + 0x0F0
APIC_ICR      equ APIC + 0x300
APIC_ICR_HIGH equ APIC + 0x310
APIC_ENABLE   equ 0x1FF
ICR_OTHERS    equ 3 << 18
ICR_PENDING   equ 1 << 12
ICR_ASSERT    equ 1 << 14
ICR_INIT      equ 5 << 8
ICR_STARTUP   equ 6 << 8

TRAMPOLINE    equ 0x8000
STACK_BYTES   equ 4096
MOST          equ 8
PAGE_UNCACHED equ 1 << 4

VECTOR_FORGET equ 0x41
VECTOR_MAIL   equ 0x42
VECTORS       equ 0x43

%ifndef ROUNDS
ROUNDS        equ 4000
%endif
CHANGE_EVERY  equ 16                    ; of a processor's rounds, one in so many changes the translation
WINDOW        equ 0x40000000
POISON        equ 0xDEADDEAD

section .bss
alignb 4096
window_pd: resb 4096
window_pt: resb 4096
frames:    resb 2 * MOST * 4096         ; two for each processor, which it uses in turn
stacks:    resb MOST * STACK_BYTES
alignb 16
idt_all:   resb VECTORS * 16
processors:resd 1
awake:     resd 1
go:        resd 1
done:      resd 1
alignb 64
next_ticket: resd 1
serving:   resd 1
owner:     resd 1
total:     resd 1
alignb 64
change_next: resd 1                     ; the ticket lock of those that change the translation
change_serving: resd 1
waiting_for: resd 1                     ; acknowledgements that are still to come
changes:   resd 1
alignb 64
mail:      resd MOST                    ; 1: an interrupt is on its way to this processor
sent:      resd 1
received:  resd 1

section .rodata
idt_all_pointer:
    dw VECTORS * 16 - 1
    dq idt_all

section .text
main:
    call idt_init
    call gates_init
    mov dword [boot_pdpt + 1 * 8], window_pd + (PAGE_PRESENT | PAGE_WRITABLE)
    mov dword [window_pd + ((APIC >> 21) & 511) * 8], APIC_PHYSICAL + (PAGE_PRESENT | PAGE_WRITABLE | PAGE_LARGE | PAGE_UNCACHED)
    mov dword [window_pd], window_pt + (PAGE_PRESENT | PAGE_WRITABLE)
    mov dword [window_pt], frames + (PAGE_PRESENT | PAGE_WRITABLE)
    mov dword [abs APIC_SPURIOUS], APIC_ENABLE
    mov al, 0xFF                        ; nothing from the 8259 pair
    out 0x21, al
    out 0xA1, al
    ; The firmware configuration device knows how many there are.
    mov edx, 0x510
    mov eax, 5
    out dx, ax
    inc edx
    in al, dx
    movzx eax, al
    mov [processors], eax
    call print_decimal
    print " processors", 10
    mov esi, trampoline
    mov edi, TRAMPOLINE
    mov ecx, trampoline_end - trampoline
    rep movsb
    mov dword [abs APIC_ICR], ICR_OTHERS | ICR_ASSERT | ICR_INIT
    mov ecx, 10000
.delay:
    pause
    loop .delay
    mov dword [abs APIC_ICR], ICR_OTHERS | ICR_ASSERT | ICR_STARTUP | (TRAMPOLINE >> 12)
    mov ecx, [processors]
    dec ecx
.asleep:
    pause
    cmp [awake], ecx
    jne .asleep
    mov dword [go], 1
    xor edi, edi
    call work
    mov ecx, [processors]
.working:
    pause
    cmp [done], ecx
    jne .working
.on_its_way:                            ; mail for one that was done before
    pause
    mov eax, [sent]
    cmp eax, [received]
    jne .on_its_way
    print "counted "
    mov eax, [total]
    call print_decimal
    print ", changed "
    mov eax, [changes]
    call print_decimal
    print ", sent "
    mov eax, [sent]
    call print_decimal
    print ", received "
    mov eax, [received]
    call print_decimal
    print 10
    mov eax, [processors]
    imul eax, eax, ROUNDS
    cmp eax, [total]
    jne failed
    mov eax, [sent]
    cmp eax, [received]
    jne failed
    print "end", 10
    mov al, STATUS_GOOD
    jmp finish

; EDI: this processor's APIC id.
work:
    mov r12d, edi
    mov r13d, ROUNDS
    sti
.round:
    ; The number, under the lock.
    mov eax, 1
    lock xadd [next_ticket], eax
.spin:
    cmp [serving], eax
    je .mine
    pause
    jmp .spin
.mine:
    mov [owner], r12d
    mov ecx, [total]
    inc ecx
    cmp [owner], r12d
    jne failed
    mov [total], ecx
    cmp [owner], r12d
    jne failed
    inc dword [serving]

    ; Through the window.
    mov ebx, WINDOW
    mov eax, [rbx]
    cmp eax, POISON
    je failed

    ; Mail for the neighbour.
    lea ecx, [r12 + 1]
    cmp ecx, [processors]
    jb .neighbour
    xor ecx, ecx
.neighbour:
    cmp ecx, r12d
    je .no_mail
    xor eax, eax
    mov edx, 1
    lock cmpxchg [mail + rcx * 4], edx
    jne .no_mail                        ; the last one has not been read
    lock inc dword [sent]
    shl ecx, 24
    cli
    mov [abs APIC_ICR_HIGH], ecx
    mov dword [abs APIC_ICR], ICR_ASSERT | VECTOR_MAIL
.on_its_way:
    test dword [abs APIC_ICR], ICR_PENDING
    jnz .on_its_way
    sti
.no_mail:
    mov eax, [rbx]
    cmp eax, POISON
    je failed
    lea eax, [r13 + r12]
    test eax, CHANGE_EVERY - 1
    jnz .unchanged
    call change
.unchanged:
    dec r13d
    jnz .round
    lock inc dword [done]
    ret

; Another frame behind the window.
change:
    mov eax, 1
    lock xadd [change_next], eax
.spin:
    cmp [change_serving], eax
    je .mine
    pause
    jmp .spin
.mine:
    mov r8d, [window_pt]                ; the frame that is there now
    and r8d, ~0xFFF
    lea r9d, [r12 * 2]                  ; the one of mine that is not
    shl r9d, 12
    add r9d, frames
    cmp r9d, r8d
    jne .fresh
    add r9d, 4096
.fresh:
    mov eax, [changes]
    mov [r9], eax                       ; no poison
    lea eax, [r9 + (PAGE_PRESENT | PAGE_WRITABLE)]
    mov ecx, [processors]
    dec ecx
    mov [waiting_for], ecx
    mov [window_pt], eax
    invlpg [rbx]
    jz .alone                           ; of the DEC: INVLPG changes no flags
    cli
    mov dword [abs APIC_ICR], ICR_OTHERS | ICR_ASSERT | VECTOR_FORGET
    sti
.wait:
    pause
    cmp dword [waiting_for], 0
    jne .wait
.alone:
    mov dword [r8], POISON
    mov eax, [rbx]
    cmp eax, POISON
    je failed
    inc dword [changes]
    inc dword [change_serving]
    ret

ap_main:
    mov dword [abs APIC_SPURIOUS], APIC_ENABLE
    lidt [idt_all_pointer]
    lock inc dword [awake]
.wait:
    pause
    cmp dword [go], 0
    je .wait
    call work
.idle:
    hlt
    jmp .idle

forget_handler:
    push rax
    mov eax, WINDOW
    invlpg [rax]
    cmp dword [rax], POISON             ; the new frame is there already
    je failed
    lock dec dword [waiting_for]
    mov dword [abs APIC_EOI], 0
    pop rax
    iretq

mail_handler:
    push rax
    push rdx
    mov edx, [abs APIC_ID]
    shr edx, 24
    xor eax, eax
    lock inc dword [received]
    xchg eax, [mail + rdx * 4]
    cmp eax, 1
    jne failed
    mov dword [abs APIC_EOI], 0
    pop rdx
    pop rax
    iretq

gates_init:
    mov esi, idt
    mov edi, idt_all
    mov ecx, 32 * 16
    rep movsb
    mov edi, idt_all + VECTOR_FORGET * 16
    mov eax, forget_handler
    call gate
    mov eax, mail_handler
    call gate
    lidt [idt_all_pointer]
    ret
gate:
    mov [rdi], ax
    mov word [rdi + 2], SELECTOR_CODE64
    mov word [rdi + 4], 0x8E00
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
failed:
    print "FAILED", 10
    mov al, STATUS_BAD
    jmp finish

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
