; Virtual-8086 mode: in by IRET and by a task, out by exceptions and interrupts; IOPL-sensitive instructions at IOPL 3 and below, the I/O
; permission bit map, what is undefined or privileged there, limits; the virtual-mode extensions (VIF, VIP, redirection of INT n), and the
; virtual interrupt flag of protected mode (CR4.PVI).

%include "low-memory.inc"

TSS    equ 0x2000                       ; with the redirection map at 0x68 and the I/O map at 0x88
TSS_V  equ 0x5000                       ; a virtual-8086 task
STACK0 equ 0x6000
STACKV equ 0x6800

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
    descriptor TSS, 0x2088, 0x0089      ; 28
    descriptor TSS_V, 0x100, 0x0089      ; 30
    descriptor 0, 0xFFFFF, 0xC0FA       ; 38 code, DPL 3
    descriptor 0, 0xFFFFF, 0xC0F2       ; 40 data, DPL 3
    descriptor 0, 0xFFFFF, 0xC09E       ; 48 conforming
gdt_pointer:
    dw gdt_pointer - gdt - 1
    dd L(gdt)

seen: dd 0, 0

; v86 flags : goes on in virtual-8086 mode (16-bit code) with these EFLAGS besides VM
%macro v86 1
bits 32
    push dword 0x6666                   ; GS
    push dword 0x5555                   ; FS
    push dword 0                        ; DS
    push dword 0                        ; ES
    push dword 0                        ; SS
    push dword STACKV
    push dword 0x20002 | (%1)
    push dword 0
    push dword L(%%there)
    iretd
bits 16
%%there:
%endmacro
; v86_faults name, flags : the next instructions run in virtual-8086 mode and must fault
%macro v86_faults 2
bits 32
    say %1
    mov dword [L(resume)], L(%%after)
    mov [L(resume_esp)], esp
    mov dword [L(expected)], L(%%body)
%push v86
%define %$after %%after
    v86 %2
%%body:
%endmacro
%macro v86_faulted 0
    int 0x42                            ; no fault: ends the snippet too
bits 32
%$after:
%pop
%endmacro

IOPL3 equ 0x3000
VIP equ 0x100000
VIF equ 0x80000

bits 32
main:
    say "virtual-8086", 10
    call idt_init
    mov edi, TSS
    mov ecx, 0x2100 / 4
    xor eax, eax
    rep stosd
    mov dword [TSS + 4], STACK0
    mov dword [TSS + 8], 0x10
    mov word [TSS + 0x66], 0x88
    mov byte [TSS + 0x88 + 0x60 / 8], 1 ; port 0x60 is refused
    mov byte [TSS + 0x2088], 0xFF
    mov byte [TSS + 0x68 + 0x51 / 8], 2 ; INT 51 is not redirected
    mov ax, 0x28
    ltr ax
    gate 0x40, 0x08, L(show_frame), 0xEE
    gate 0x41, 0x08, L(show_frame), 0x8E
    gate 0x42, 0x08, L(no_fault), 0xEE
    gate 0x43, 0x38, L(show_frame), 0xEE
    gate 0x44, 0x48, L(show_frame), 0xEE
    gate 0x45, 0x18, L(show_frame16), 0xE6
    mov dword [0x50 * 4], L(int50)
    mov dword [0x51 * 4], L(int50)

    v86 IOPL3
    say "at IOPL 3", 10
    mov ax, cs
    hex eax, 4
    mov ax, fs
    hex eax, 4
    mov ax, 0x2000
    mov es, ax
    mov dword [es:4], 0xFEEDBEEF
    mov ax, 0x1FFF
    mov gs, ax
    mov eax, [gs:0x14]
    hex eax, 8
    hex esp, 8
    newline
    pushfd
    pop eax
    and eax, 0x37702
    hex eax, 5
    sti
    pushf
    pop ax
    and eax, 0x7702
    hex eax, 4
    cli
    push word 0x0002
    popf
    pushf
    pop ax
    and eax, 0x7702
    hex eax, 4
    newline
    call 0x0100:L(far_code) - 0x1000
    pushf
    push word 0
    push word L(.returned)
    iret
.returned:
    mov eax, 0xE0E0E0E0
    int 0x40
    hex eax, 8
    mov ax, es
    hex eax, 4
    mov ax, gs
    hex eax, 4
    newline
    mov dword [L(resume)], L(.next)
    mov dword [L(resume_esp)], STACK_TOP
    int 0x42
bits 32
.next:
    v86_faults "16-bit gate ", IOPL3
    int 0x45
    v86_faulted
    v86_faults "INT of DPL 0", IOPL3
    int 0x41
    v86_faulted
    v86_faults "INT to level 3", IOPL3
    int 0x43
    v86_faulted
    v86_faults "INT to conforming code", IOPL3
    int 0x44
    v86_faulted
    v86_faults "word at ffff", IOPL3
    mov bx, 0xFFFF
    mov ax, [bx]
    v86_faulted
    v86_faults "stack at ffff", IOPL3
    mov bp, 0xFFFF
    mov ax, [bp]
    v86_faulted
    v86_faults "jump beyond the limit", IOPL3
    mov eax, 0x10000
    jmp eax
    v86_faulted
    v86_faults "HLT", IOPL3
    hlt
    v86_faulted
    v86_faults "MOV CR0", IOPL3
    mov eax, cr0
    v86_faulted
    v86_faults "LGDT", IOPL3
    lgdt [L(gdt_pointer)]
    v86_faulted
    v86_faults "SLDT", IOPL3
    sldt ax
    v86_faulted
    v86_faults "VERW", IOPL3
    verw ax
    v86_faulted
    v86_faults "ARPL", IOPL3
    arpl ax, ax
    v86_faulted
    v86_faults "IN from a refused port", IOPL3
    in al, 0x60
    v86_faulted
    v86_faults "IN of two ports, one refused", IOPL3
    in ax, 0x5F
    v86_faulted
    v86_faults "division", IOPL3
    xor cl, cl
    div cl
    v86_faulted
    v86_faults "INT3", IOPL3
    int3
    v86_faulted
    v86_faults "SYSENTER", IOPL3
    sysenter
    v86_faulted
    say "below IOPL 3", 10
    v86_faults "CLI", 0
    cli
    v86_faulted
    v86_faults "STI", 0x1000
    sti
    v86_faulted
    v86_faults "PUSHF", 0x2000
    pushf
    v86_faulted
    v86_faults "POPF", 0
    popf
    v86_faulted
    v86_faults "INT 40", 0
    int 0x40
    v86_faulted
    v86_faults "IRET", 0
    iret
    v86_faulted
    v86_faults "UD2", 0x200
    ud2
    v86_faulted

    say "with CR4.VME", 10
    mov eax, cr4
    or eax, 1
    mov cr4, eax
    gate 0x42, 0x08, L(no_fault_flags), 0xEE
    mov dword [L(resume)], L(.vme2)
    mov dword [L(resume_esp)], STACK_TOP
    mov dword [L(expected)], L(.vme2)
    v86 VIF
    pushf
    pop ax
    and eax, 0xF702
    hex eax, 4
    cli
    pushf
    pop ax
    and eax, 0xF702
    hex eax, 4
    sti
    pushf
    pop ax
    and eax, 0xF702
    hex eax, 4
    push word 0x4002
    popf
    pushf
    pop ax
    and eax, 0xF702
    hex eax, 4
    sti
    newline
    int 0x50
    pushf
    pop ax
    and eax, 0xF702
    hex eax, 4
    newline
    hlt
bits 32
.vme2:
    v86_faults "PUSHFD", VIF
    pushfd
    v86_faulted
    v86_faults "POPF with TF", VIF
    push word 0x102
    popf
    v86_faulted
    v86_faults "STI with VIP", VIP
    sti
    v86_faulted
    v86_faults "POPF of IF with VIP", VIP
    push word 0x202
    popf
    v86_faulted
    v86_faults "IRET of IF with VIP", VIP
    push word 0x202
    push word 0
    push word 0
    iret
    v86_faulted
    v86_faults "INT 51, not redirected", VIF
    int 0x51
    v86_faulted
    v86_faults "INT 50 at IOPL 3, then CLI STI", IOPL3 | VIF | 0x200
    int 0x50
    pushfd
    pop eax
    and eax, 0x1F7702
    hex eax, 6
    cli
    hlt
    v86_faulted
    v86_faults "INT 51 at IOPL 3", IOPL3
    int 0x51
    v86_faulted

    say "CR4.PVI", 10
    mov eax, cr4
    xor eax, 3
    mov cr4, eax
    mov dword [L(resume)], L(.pvi)
    mov [L(resume_esp)], esp
    push dword 0x43
    push dword STACKV
    push dword 0x0002 | VIF
    push dword 0x3B
    push dword L(.user)
    iretd
.user:
    mov ax, 0x43
    mov ds, ax
    cli
    pushfd
    pop dword [L(seen)]
    sti
    pushfd
    pop dword [L(seen) + 4]
    hlt
.pvi:
    and dword [L(seen)], 0x1F7702
    and dword [L(seen) + 4], 0x1F7702
    hex [L(seen)], 6
    hex [L(seen) + 4], 6
    newline

    say "a virtual-8086 task", 10
    mov edi, TSS_V
    mov ecx, 0x104 / 4
    xor eax, eax
    rep stosd
    mov word [TSS_V + 0x66], 0x68
    mov dword [TSS_V + 4], STACK0
    mov dword [TSS_V + 8], 0x10
    mov dword [TSS_V + 0x20], L(task)
    mov dword [TSS_V + 0x24], 0x23002
    mov dword [TSS_V + 0x38], STACKV
    mov word [TSS_V + 0x48], 0x1111
    mov word [TSS_V + 0x5C], 0x7777
    gate 0x40, 0x08, L(show_and_leave), 0xEE
    call 0x30:0
    say "back", 10
    str ax
    hex eax, 4
    newline
    finish

show_frame:                             ; EIP CS EFLAGS ESP SS ES DS FS GS
    mov ebx, eax
    mov ax, ds
    mov cx, gs
    mov dx, 0x10
    mov ds, edx
    say "frame "
    hex eax, 4
    hex ecx, 4
    mov esi, esp
    mov ecx, 9
.next:
    say " "
    mov eax, [ss:esi]
    cmp ecx, 7
    jne .shown
    and eax, 0x3F7702
.shown:
    cmp ecx, 9
    jne .print
    sub eax, L(main)
.print:
    hex eax, 8
    add esi, 4
    dec ecx
    jnz .next
    newline
    mov eax, ebx
    inc eax
    iretd
show_and_leave:
    mov dx, 0x10
    mov ds, edx
    hex [esp + 20], 4
    hex [esp + 32], 4
    newline
    pushfd
    or dword [esp], 0x4000
    popfd
    iretd
no_fault_flags:
no_fault:
    mov dx, 0x10
    mov ds, edx
    say "  no fault", 10
    mov esp, [L(resume_esp)]
    jmp [L(resume)]

bits 16
show_frame16:
    mov dx, 0x10
    mov ds, dx
    mov si, sp
    mov cx, 9
.next:
    movzx eax, word [ss:si]
    cmp cx, 7
    jne .shown
    and ax, 0x7702
.shown:
    cmp cx, 9
    jne .print
    sub ax, [L(expected)]
.print:
    hex eax, 4
    add si, 2
    dec cx
    jnz .next
    say " sp "
    movzx eax, sp
    hex eax, 4
    newline
    mov esp, [L(resume_esp)]
    push dword 0x08
    push dword [L(resume)]
    o32 retf
far_code:
    mov ax, cs
    hex eax, 4
    retf
int50:
    push bp
    mov bp, sp
    mov ax, [bp + 6]
    and eax, 0xF702
    hex eax, 4
    pushf
    pop ax
    and eax, 0xF702
    say " "
    hex eax, 4
    say " "
    pop bp
    iret
task:
    mov ax, es
    hex eax, 4
    int 0x40
low_end:
