; Hardware task switches: CALL and JMP to a TSS, through a task gate, INT and an exception with an error code through task gates, IRET back by
; the link, 16-bit TSS, level-3 task, LDT and CR3 of the task, NT, CR0.TS, busy bits, the T flag (#DB with BT), and what refuses a switch
; before it (in the old task) and after it (in the new one).

%include "low-memory.inc"

TSS_A  equ 0x2000                       ; the first task
TSS_B  equ 0x2100
TSS_C  equ 0x2200                       ; 16-bit
TSS_D  equ 0x2300                       ; for tasks that cannot begin
STACKB equ 0x6800
STACKC equ 0x6400
STACK0 equ 0x6000
PAGES  equ 0x100000 * 4                 ; two page directories that map 4 MiB pages, at 4 MiB

%macro descriptor 3
    dw (%2) & 0xFFFF, (%1) & 0xFFFF
    db ((%1) >> 16) & 0xFF, (%3) & 0xFF
    db (((%3) >> 8) & 0xF0) | (((%2) >> 16) & 0xF), ((%1) >> 24) & 0xFF
%endmacro

low_begin:
text_routines 32
text_routines 16
%include "protected.inc"

align 8
gdt:
    dq 0
    descriptor 0, 0xFFFFF, 0xC09A       ; 08
    descriptor 0, 0xFFFFF, 0xC092       ; 10
    descriptor 0, 0xFFFF, 0x009A        ; 18
    descriptor 0, 0xFFFF, 0x0092        ; 20
    descriptor TSS_A, 0x67, 0x0089      ; 28
    descriptor TSS_B, 0x67, 0x0089      ; 30
    descriptor TSS_C, 0x2B, 0x0081      ; 38
    dw 0, 0x30, 0x8500, 0               ; 40 task gate to B
    descriptor TSS_D, 0x67, 0x0089      ; 48
    descriptor L(ldt), 0x0F, 0x0082     ; 50
    descriptor TSS_D, 0x66, 0x0089      ; 58 too small
    descriptor TSS_D, 0x67, 0x0009      ; 60 not present
    descriptor 0, 0xFFFFF, 0xC0FA       ; 68 code, DPL 3
    descriptor 0, 0xFFFFF, 0xC0F2       ; 70 data, DPL 3
    descriptor 0, 0xFFFFF, 0xC012       ; 78 data, not present
    dw 0, 0x33, 0xE500, 0               ; 80 task gate to B, DPL 3
    dw 0, 0x04, 0x8500, 0               ; 88 task gate to the LDT
    dw 0, 0x10, 0x8500, 0               ; 90 task gate to data
    dw 0, 0x30, 0x0500, 0               ; 98 task gate, not present
    descriptor 0, 0xFFFFF, 0xC01A       ; A0 code, not present
gdt_pointer:
    dw gdt_pointer - gdt - 1
    dd L(gdt)
ldt:
    dq 0
    descriptor 0x30000, 0xFFF, 0x4092   ; 0C

; show the things that a switch changes
%macro state 0
    call show_state
%endmacro

bits 32
main:
    say "tasks", 10
    call idt_init
    ; Paging with 4 MiB pages: the second directory maps 12 MiB onto 8 MiB.
    mov edi, PAGES
    mov ecx, 0x800
    xor eax, eax
    rep stosd
    mov eax, 0x87
    mov edi, PAGES
    mov ecx, 8
.page:
    mov [edi], eax
    mov [edi + 0x1000], eax
    add edi, 4
    add eax, 0x400000
    loop .page
    mov dword [PAGES + 0x1000 + 3 * 4], 0x800087
    mov dword [0x800000], 0x88888888
    mov dword [0xC00000], 0xCCCCCCCC
    mov eax, cr4
    or eax, 0x10
    mov cr4, eax
    mov eax, PAGES
    mov cr3, eax
    mov eax, cr0
    or eax, 0x80000000
    mov cr0, eax

    mov edi, TSS_A
    mov ecx, 0x400 / 4
    xor eax, eax
    rep stosd
    mov ax, 0x28
    ltr ax
    mov dword [TSS_A + 0x1C], PAGES
    mov dword [TSS_A + 4], STACK0
    mov dword [TSS_A + 8], 0x10

    ; CALL to a TSS, IRET back
    call fill_b
    mov dword [TSS_B + 0x20], L(task_b)
    mov dword [TSS_B + 0x1C], PAGES + 0x1000
    mov word [TSS_B + 0x60], 0x50
    mov word [TSS_B + 0x58], 0x0C       ; FS through the LDT
    mov dword [0x30000], 0x10C10C10
    say "CALL TSS", 10
    mov eax, 0x0A0A0A0A
    mov ebx, 0x0B0B0B0B
    stc
    call 0x30:0x11223344
    hex eax, 8
    hex ebx, 8
    newline
    state
    clts
    say "CALL task gate", 10
    call 0x40:0
    clts
    state
    say "CALL again: the task goes on behind its IRET", 10
    call 0x30:0
    clts

    ; JMP there and back
    say "JMP TSS", 10
    call fill_b
    mov dword [TSS_B + 0x20], L(jumped)
    jmp 0x30:0
after_jump:
    clts
    state
    hex [TSS_B], 4
    hex [TSS_B + 0x24], 8
    newline

    ; INT through a task gate
    say "INT through a task gate", 10
    call fill_b
    mov dword [TSS_B + 0x20], L(task_b_int)
    gate 0x40, 0x30, 0, 0x85
    int 0x40
    clts
    state

    ; #GP with its error code
    say "#GP through a task gate", 10
    call fill_b
    mov dword [TSS_B + 0x20], L(task_b_fault)
    mov dword [L(gp_gate)], 0
    mov eax, [IDT + 13 * 8]
    mov [L(gp_gate)], eax
    mov eax, [IDT + 13 * 8 + 4]
    mov [L(gp_gate) + 4], eax
    gate 13, 0x30, 0, 0x85
    mov ax, 0x128
    mov gs, ax
    clts
    mov eax, [L(gp_gate)]
    mov [IDT + 13 * 8], eax
    mov eax, [L(gp_gate) + 4]
    mov [IDT + 13 * 8 + 4], eax
    state

    ; 16-bit TSS
    say "CALL 16-bit TSS", 10
    mov word [TSS_C + 0x0E], L(task_c)
    mov word [TSS_C + 0x10], 2
    mov word [TSS_C + 0x12], 0x1111
    mov word [TSS_C + 0x1A], STACKC
    mov word [TSS_C + 0x22], 0x10
    mov word [TSS_C + 0x24], 0x18
    mov word [TSS_C + 0x26], 0x20
    mov word [TSS_C + 0x28], 0x10
    mov word [TSS_C + 0x2A], 0
    mov ax, 0x10
    mov fs, ax
    mov gs, ax
    call 0x38:0
    clts
    state
    hex [TSS_C], 4
    hex [TSS_C + 0x0E], 4
    hex [TSS_C + 0x12], 4
    newline

    ; the T flag
    say "T flag"
    call fill_b
    mov dword [TSS_B + 0x20], L(task_t)
    mov word [TSS_B + 0x64], 1
    mov dword [L(resume)], L(trapped)
    mov dword [L(resume_esp)], STACK_TOP
    mov dword [L(expected)], L(task_t)
    jmp 0x30:0
trapped:
    mov eax, dr6
    hex eax, 8
    xor eax, eax
    mov dr6, eax
    newline
    call back_to_a

    ; refusals in the old task
    faults "CALL of the busy task"
    call 0x28:0
    faulted
    faults "CALL of a small TSS"
    call 0x58:0
    faulted
    faults "CALL of an absent TSS"
    call 0x60:0
    faulted
    faults "task gate to the LDT"
    call 0x88:0
    faulted
    faults "task gate to data"
    jmp 0x90:0
    faulted
    faults "task gate not present"
    jmp 0x98:0
    faulted
    faults "RPL 3"
    call 0x33:0
    faulted
    faults "IRET with NT and a bad link"
    mov word [TSS_A], 0x10
    pushfd
    or dword [esp], 0x4000
    popfd
    iretd
    faulted
    faults "IRET with NT and a link to an available task"
    mov word [TSS_A], 0x30
    pushfd
    or dword [esp], 0x4000
    popfd
    iretd
    faulted
    state

    ; refusals in the new task
%macro refused 3                        ; name, field, value
    say %1
    call fill_d
    mov word [TSS_D + %2], %3
    mov dword [L(resume)], L(%%after)
    mov dword [L(resume_esp)], STACK_TOP
    mov dword [L(expected)], L(task_t)
    jmp 0x48:0
%%after:
    str ax
    hex eax, 4
    newline
    call back_to_a
%endmacro
    refused "CS null", 0x4C, 0
    refused "CS data", 0x4C, 0x10
    refused "CS DPL 3, RPL 0", 0x4C, 0x68
    refused "CS not present", 0x4C, 0xA0
    refused "DS execute TSS", 0x54, 0x28
    refused "ES not present", 0x48, 0x78
    refused "FS beyond", 0x58, 0x3F8

    ; a level-3 task by a gate, which comes back by an interrupt gate
    say "level 3 task", 10
    call fill_b
    mov dword [TSS_B + 0x20], L(user)
    mov dword [TSS_B + 0x24], 0x3002
    mov dword [TSS_B + 4], STACK0
    mov word [TSS_B + 8], 0x10
    mov word [TSS_B + 0x48], 0
    mov word [TSS_B + 0x4C], 0x6B
    mov word [TSS_B + 0x50], 0x73
    mov word [TSS_B + 0x54], 0x73
    call 0x40:0
    clts
    state
    finish

gp_gate: dd 0, 0

; Makes A the current task again, whatever is current.
back_to_a:
    mov byte [L(gdt) + 0x28 + 5], 0x89
    mov byte [L(gdt) + 0x30 + 5], 0x89
    mov byte [L(gdt) + 0x48 + 5], 0x89
    mov ax, 0x28
    ltr ax
    xor ax, ax
    lldt ax
    mov fs, ax
    mov gs, ax
    clts
    ret

fill_b:
    mov edi, TSS_B
    jmp fill
fill_d:
    mov edi, TSS_D
fill:
    push edi
    mov ecx, 0x68 / 4
    xor eax, eax
    rep stosd
    pop edi
    mov dword [edi + 0x1C], PAGES
    mov dword [edi + 0x20], L(task_t)
    mov dword [edi + 0x24], 2
    mov dword [edi + 0x28], 0xB0B0B0B0  ; EAX
    mov dword [edi + 0x38], STACKB
    mov word [edi + 0x48], 0x10
    mov word [edi + 0x4C], 0x08
    mov word [edi + 0x50], 0x10
    mov word [edi + 0x54], 0x10
    ret

show_state:
    push eax
    pushfd
    say "  tr "
    str eax
    hex eax, 4
    sldt eax
    say " ldtr "
    hex eax, 4
    say " ts "
    mov eax, cr0
    shr eax, 3
    and eax, 1
    hex eax, 1
    say " nt "
    pushfd
    pop eax
    shr eax, 14
    and eax, 1
    hex eax, 1
    say " cr3 "
    mov eax, cr3
    hex eax, 8
    say " types "
    mov al, [L(gdt) + 0x28 + 5]
    hex eax, 2
    mov al, [L(gdt) + 0x30 + 5]
    hex eax, 2
    mov al, [L(gdt) + 0x38 + 5]
    hex eax, 2
    mov al, [L(gdt) + 0x48 + 5]
    hex eax, 2
    newline
    popfd
    pop eax
    ret

task_b:
    hex eax, 8
    hex [0xC00000], 8
    hex [fs:0], 8
    hex [TSS_B], 4
    hex [TSS_A + 0x28], 8
    hex [TSS_A + 0x34], 8
    mov eax, [TSS_A + 0x24]
    and eax, 0x4001
    hex eax, 4
    newline
    state
    inc eax
    iretd
    say "  second time "
    hex eax, 8
    newline
    iretd
    say "  third time", 10
    iretd

jumped:
    state
    hex [TSS_B], 4
    newline
    mov dword [TSS_A + 0x20], L(after_jump)
    jmp 0x28:0

task_b_int:
    state
    iretd
task_b_fault:
    pop eax
    hex eax, 8
    hex [TSS_A + 0x24], 8
    newline
    add dword [TSS_A + 0x20], 2         ; over MOV GS, AX
    state
    iretd

task_t:
    nop
    jmp task_t

user:
    mov ax, cs
    hex eax, 4
    newline
    gate 0x41, 0x08, L(.inner), 0xEE
    int 0x41
    iretd
.inner:
    hex [esp + 4], 4
    hex [esp + 12], 8
    newline
    state
    iretd

bits 16
task_c:
    hex eax, 8
    hex esp, 8
    mov ax, fs
    hex eax, 4
    newline
    iret
low_end:
