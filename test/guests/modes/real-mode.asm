; Real-address mode, entered from 32-bit protected mode and left again: segment arithmetic, the interrupt vector table (faults, traps, INT n,
; single-step, no error codes), limits of 64 KiB, 16-bit and 32-bit operand and address sizes, far transfers, strings that wrap, the 16-bit
; stack, instructions of protected mode only (#UD), IP beyond the limit, and "unreal" mode with a 4 GiB limit kept across the switch.

%include "low-memory.inc"

IVT equ 0x500
HIGH equ 0x200000                       ; beyond 1 MiB, for unreal mode

low_begin:
text_routines 32
text_routines 16

align 8
gdt:
    dq 0
    dq 0x00CF9A000000FFFF               ; 08: code, 32-bit, 4 GiB
    dq 0x00CF92000000FFFF               ; 10: data, 32-bit, 4 GiB
    dq 0x00009A000000FFFF               ; 18: code, 16-bit, 64 KiB
    dq 0x000092000000FFFF               ; 20: data, 16-bit, 64 KiB
gdt_pointer:
    dw gdt_pointer - gdt - 1
    dd L(gdt)
real_idt:
    dw 0x3FF
    dd IVT
resume:    dw 0
resume_sp: dw 0
expected:  dw 0
steps:     dw 0
far_target: dw L(far_body), 0
table:     dd 0, 0
bounds:    dw 3, 9
translate: db "0123456789ABCDEF"

bits 32
main:
    say "real-mode: from protected mode", 10
    ; Vectors 0 to 31 and 0x40.
    mov edi, IVT
    mov eax, L(vectors)
    mov ecx, 32
.vector:
    mov [edi], eax
    add edi, 4
    add eax, vector_1 - vectors
    loop .vector
    mov dword [IVT + 0x40 * 4], L(int40)
    mov dword [IVT + 0x41 * 4], L(int41)
    jmp to_real_32

to_real_32:
    lidt [L(real_idt)]
    jmp 0x18:L(.sixteen)
bits 16
.sixteen:
    mov ax, 0x20
    mov ds, ax
    mov es, ax
    mov fs, ax
    mov gs, ax
    mov ss, ax
    mov eax, cr0
    and eax, ~1
    mov cr0, eax
    jmp 0:L(real)

vectors:
%assign v 0
%rep 32
vector_%[v]:
    push word v
    jmp near exception
%assign v v+1
%endrep

; A fault or trap: prints it, and goes on where `resume` says.
exception:
    push bp
    mov bp, sp
    push eax
    push ds
    push word 0
    pop ds
    say "  vector "
    movzx eax, word [bp + 2]
    hex eax, 2
    movzx eax, word [bp + 6]
    say " at "
    hex eax, 4
    movzx eax, word [bp + 4]
    sub ax, [expected_at]
    say " ip "
    hex eax, 4
    mov ax, [bp + 8]
    and eax, 0x7702
    say " flags "
    hex eax, 4
    newline
    pop ds
    pop eax
    mov ax, 0
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, [L(resume_sp)]
    push word 2
    popf
    jmp [L(resume)]
expected_at equ L(expected)

; faults name: what follows, up to `faulted`, must fault; IP is shown relative to it.
%macro faults 1+
    say %1, 10
    mov word [L(resume)], L(%%after)
    mov [L(resume_sp)], sp
    mov word [L(expected)], L(%%body)
%push faults
%define %$after %%after
%%body:
%endmacro
%macro faulted 0
    say "  no fault", 10
%$after:
%pop
%endmacro

real:
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov fs, ax
    mov gs, ax
    mov ss, ax
    mov esp, 0x12340000 | STACK_TOP
    say "real mode", 10
    mov eax, cr0
    and eax, 1
    hex eax, 1
    smsw ax
    and eax, 1
    hex eax, 1
    newline

    ; segment arithmetic
    mov ax, 0x1234
    mov es, ax
    mov byte [es:0x10], 0x5A
    mov ax, 0x1235
    mov fs, ax
    mov al, [fs:0]
    hex eax, 2
    mov ax, 0xFFFF
    mov gs, ax
    mov ax, gs
    hex eax, 4
    xor ax, ax
    mov es, ax
    newline

    ; the stack: 16-bit SP wraps, the upper half of ESP stays
    say "stack "
    mov bx, sp
    mov sp, 0
    push word 0x1111
    mov eax, esp
    pop cx
    mov sp, bx
    hex eax, 8
    mov bx, sp
    mov sp, 0
    push dword 0x22223333
    mov eax, esp
    mov sp, bx
    say " "
    hex eax, 8
    mov bp, sp
    push dword 0xAABBCCDD
    mov ax, [bp - 2]
    mov cx, [bp - 4]
    add sp, 4
    say " "
    hex eax, 4
    hex ecx, 4
    pusha
    mov bp, sp
    mov ax, [bp + 6]
    sub ax, bp
    mov bx, ax
    popa
    say " pusha "
    pushad
    mov ebp, esp
    movzx eax, word [bp + 12]
    movzx ebx, bp
    sub ax, bx
    mov [L(table)], ax
    popad
    mov ax, [L(table)]
    hex eax, 4
    enter 16, 2
    mov ax, bp
    sub ax, sp
    leave
    hex eax, 4
    newline

    ; limits
    faults "word at ffff"
    mov bx, 0xFFFF
    mov ax, [bx]
    faulted
    faults "word at ffff of the stack"
    mov bp, 0xFFFF
    mov ax, [bp]
    faulted
    faults "dword at fffd, write"
    mov bx, 0xFFFD
    mov [bx], eax
    faulted
    faults "32-bit offset 10000"
    mov esi, 0x10000
    mov al, [esi]
    faulted
    mov bx, 0xFFFE
    mov si, 3
    mov byte [1], 0x77
    mov al, [bx + si]                   ; 16-bit offsets wrap
    say "wrapped "
    hex eax, 2
    mov eax, 0x8000
    mov byte [L(table)], 0x42
    mov al, [eax + L(table) - 0x8000]
    hex eax, 2
    mov ecx, 2
    mov al, [ecx * 4 + L(table) - 8]
    hex eax, 2
    newline

    ; exceptions
    faults "divide by zero"
    xor cx, cx
    mov ax, 1
    div cx
    faulted
    faults "UD2"
    ud2
    faulted
    faults "SLDT"
    sldt ax
    faulted
    faults "LAR"
    lar ax, bx
    faulted
    faults "ARPL"
    arpl ax, bx
    faulted
    faults "LTR"
    mov ax, 0x18
    ltr ax
    faulted
    faults "VERR"
    verr ax
    faulted
    faults "BOUND"
    mov ax, 10
    bound ax, [L(bounds)]
    faulted
    faults "INTO"
    mov al, 0x7F
    inc al
    into
    faulted
    faults "INT3"
    int3
    faulted
    faults "INT1 by F1"
    db 0xF1
    faulted
    faults "LOCK NOP"
    db 0xF0, 0x90
    faulted
    faults "SYSENTER"
    sysenter
    faulted
    faults "jump beyond the limit"
    mov eax, 0x10000
    jmp eax
    faulted
    faults "relative jump beyond the limit"
    jmp dword LOW_BEYOND
    faulted
    faults "call beyond the limit"
    mov eax, 0x12345678
    call eax
    faulted
    faults "return beyond the limit"
    push dword 0x10000
    o32 ret
    faulted
    faults "far jump beyond the limit"
    jmp dword 0:0x10000
    faulted
    say "sequence over the limit", 10
    mov word [L(resume)], L(.over)
    mov [L(resume_sp)], sp
    mov word [L(expected)], 0
    mov ax, 0x1000
    mov es, ax
    mov word [es:0xFFFE], 0x9090
    xor ax, ax
    mov es, ax
    jmp 0x1000:0xFFFE
.over:
    say "instruction over the limit", 10
    mov word [L(resume)], L(.over2)
    mov ax, 0x1000
    mov es, ax
    mov word [es:0xFFFE], 0x00B8        ; mov ax, imm16 with one byte missing
    xor ax, ax
    mov es, ax
    jmp 0x1000:0xFFFE
.over2:

    ; single-step
    say "single-step "
    mov word [L(steps)], 0
    mov word [IVT + 4], L(count_step)
    pushf
    pop ax
    or ax, 0x100
    push ax
    popf
    nop
    nop
    mov ax, ss
    mov ss, ax
    nop
    pushf
    pop ax
    and ax, ~0x100
    push ax
    popf
    nop
    movzx eax, word [L(steps)]
    hex eax, 4
    mov word [IVT + 4], L(vector_1)
    newline

    ; INT n, IRET, IRETD
    say "INT 40 "
    push word 0x3202
    popf
    int 0x40
    pushf
    pop ax
    and eax, 0x7702
    say " after "
    hex eax, 4
    newline
    say "INT 41 "
    int 0x41
.after_int41:
    pushfd
    pop eax
    and eax, 0x247702
    hex eax, 8
    newline
    push word 2
    popf
    faults "INT 140 (outside the table when it is short)"
    lidt [L(short_idt)]
    int 0x40
    faulted
    lidt [L(real_idt)]

    ; far transfers
    say "far "
    call 0:L(far_body)
    call far [L(far_target)]
    push word 0x55
    call 0x0100:L(far_pop) - 0x1000
    mov ax, sp
    hex eax, 4
    o32 call dword 0:L(far_wide)
    jmp 0x0200:L(.far_jump) - 0x2000
.far_jump:
    mov ax, cs
    hex eax, 4
    jmp 0:L(.back)
.back:
    lds si, [L(far_target)]
    les di, [L(far_target)]
    lfs bx, [L(far_target)]
    hex esi, 4
    xor ax, ax
    mov es, ax
    newline

    ; strings
    say "strings "
    mov ax, 0x2000
    mov ds, ax
    mov es, ax
    mov byte [0xFFFE], 'a'
    mov byte [0xFFFF], 'b'
    mov byte [0], 'c'
    mov si, 0xFFFE
    mov di, 0x100
    mov ecx, 0xABCD0003
    cld
    rep movsb
    mov eax, [0x100]
    hex eax, 6
    hex ecx, 8
    hex esi, 4
    mov cx, 4
    mov di, 6
    mov ax, 0x1122
    std
    rep stosw
    cld
    mov eax, [4]
    hex eax, 8
    hex edi, 4
    mov edi, 0x100
    mov ecx, 5
    mov al, 'c'
    a32 repne scasb
    hex edi, 4
    hex ecx, 2
    xor ax, ax
    mov ds, ax
    mov es, ax
    newline
    faults "stosw at ffff"
    mov di, 0xFFFF
    mov cx, 2
    rep stosw
    faulted
    mov ecx, 0x10003
    xor eax, eax
.loop:
    inc eax
    loop .loop
    hex eax, 4
    hex ecx, 8
    mov ecx, 0x10000
    jcxz .zero
    say " not zero"
.zero:
    jecxz .ezero
    say " ECX not zero"
.ezero:
    mov bx, L(translate)
    mov al, 11
    xlatb
    hex eax, 2
    newline

    ; flags: all of IOPL and NT can be set; operand-size forms
    push word 0x7002
    popf
    pushf
    pop ax
    and eax, 0x7702
    hex eax, 4
    push word 2
    popf
    sgdt [L(table)]
    mov eax, [L(table)]
    hex eax, 8
    mov eax, [L(table) + 2]
    hex eax, 8
    newline

    ; unreal mode: a 4 GiB limit kept in DS and FS
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp $ + 2
    mov bx, 0x10
    mov ds, bx
    mov fs, bx
    and al, 0xFE
    mov cr0, eax
    xor bx, bx
    mov ds, bx
    mov fs, bx
    say "unreal "
    mov esi, HIGH
    mov dword [esi], 0x600DF00D
    mov eax, [fs:esi]
    hex eax, 8
    mov bx, 0x10
    mov ds, bx
    mov eax, [esi - 0x100]              ; base 0x100 now, the limit still 4 GiB
    hex eax, 8
    xor bx, bx
    mov ds, bx
    newline
    faults "ES keeps its limit"
    mov eax, [es:esi]
    faulted

    ; and back
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp dword 0x08:L(protected)

far_body:
    mov ax, cs
    hex eax, 4
    retf
far_pop:
    mov bp, sp
    mov ax, [bp + 4]
    hex eax, 2
    mov ax, cs
    hex eax, 4
    retf 2
far_wide:
    mov bp, sp
    mov eax, [bp + 4]
    hex eax, 8
    o32 retf
int40:
    push bp
    mov bp, sp
    mov ax, [bp + 6]
    and eax, 0x7702
    hex eax, 4
    pushf
    pop ax
    and eax, 0x7702
    say " in "
    hex eax, 4
    pop bp
    iret
int41:                                  ; goes back by IRETD with its own frame
    add sp, 6
    push dword 0x00247702 & ~0x100 & ~0x200
    push dword 0
    push dword L(.there)
    iretd
.there:
    push word 0
    push word L(after41)
    retf
count_step:
    inc word [cs:L(steps)]
    iret

after41 equ real.after_int41
short_idt:
    dw 0x40 * 4 + 2
    dd IVT

bits 32
protected:
    mov ax, 0x10
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esp, STACK_TOP
    say "protected mode again", 10
    finish
low_end:
LOW_BEYOND equ low_begin + 0x18000
