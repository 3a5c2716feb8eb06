; IA-32e mode: 64-bit call gates to the same and an inner level, compatibility mode with segments that are not flat and 16-bit code, far
; transfers between the sub-modes, SYSENTER and SYSEXIT from compatibility mode, and gates and descriptors that IA-32e mode refuses.

%include "low-memory.inc"

PML4   equ 0x100000 * 4
TSS    equ 0x2000
STACK0 equ 0x6000
STACK3 equ 0x6800
AREA   equ 0x10000

%macro descriptor 3
    dw (%2) & 0xFFFF, (%1) & 0xFFFF
    db ((%1) >> 16) & 0xFF, (%3) & 0xFF
    db (((%3) >> 8) & 0xF0) | (((%2) >> 16) & 0xF), ((%1) >> 24) & 0xFF
%endmacro
%macro call_gate 4                      ; selector, offset, access, type of the upper half
    dw (%2), %1
    db 0, %3
    dw 0
    dd 0, (%4) << 8
%endmacro

low_begin:
text_routines 32
text_routines 16

; 64-bit text: through RAX and RSI
bits 64
put_char_64:
    push rdx
    push rax
    mov edx, COM1 + 5
.wait:
    in al, dx
    test al, 0x20
    jz .wait
    pop rax
    mov edx, COM1
    out dx, al
    pop rdx
    ret
print_text_64:
    pushfq
    push rax
    push rsi
    mov rsi, [rsp + 32]
.next:
    mov al, [rsi]
    inc rsi
    test al, al
    jz .done
    call put_char_64
    jmp .next
.done:
    pop rsi
    pop rax
    popfq
    ret 8
; print_hex_64: the value is below the number of digits on the stack
print_hex_64:
    pushfq
    push rax
    push rbx
    push rcx
    mov rcx, [rsp + 40]
    mov rbx, [rsp + 48]
    push rcx
    neg ecx
    lea ecx, [ecx * 4 + 64]
    shl rbx, cl
    pop rcx
.next:
    rol rbx, 4
    mov al, bl
    and al, 15
    add al, '0'
    cmp al, '9'
    jbe .digit
    add al, 'a' - '0' - 10
.digit:
    call put_char_64
    dec ecx
    jnz .next
    pop rcx
    pop rbx
    pop rax
    popfq
    ret 16
%macro hex64 2
    push qword %1
    push %2
    call print_hex_64
%endmacro

IDT equ 0x1000
align 8
gdt:
    dq 0
    descriptor 0, 0xFFFFF, 0xC09A       ; 08 32-bit code
    descriptor 0, 0xFFFFF, 0xC092       ; 10 data
    descriptor 0, 0xFFFFF, 0xA09A       ; 18 64-bit code
    descriptor 0, 0xFFFFF, 0xA0FA       ; 20 64-bit code, DPL 3
    descriptor 0, 0xFFFFF, 0xC0F2       ; 28 data, DPL 3
    descriptor 0, 0xFFFFF, 0xC0FA       ; 30 32-bit code, DPL 3
    descriptor AREA, 0xFFF, 0x40F2      ; 38 small data, DPL 3
    descriptor TSS, 0x67, 0x0089        ; 40
    dq 0
    call_gate 0x18, L(gate_same), 0xEC, 0 ; 50
    call_gate 0x08, L(gate_same), 0xEC, 0 ; 60 to 32-bit code: refused
    call_gate 0x18, L(gate_same), 0xEC, 5 ; 70 upper half with a type: refused
    descriptor 0, 0xFFFF, 0x00FA        ; 80 16-bit code, DPL 3
    descriptor 0, 0xFFFF, 0x00F2        ; 88 16-bit data, DPL 3
    descriptor 0, 0xFFFFF, 0xE0FA       ; 90 L and D: refused
    dw 0, 0x40, 0xE500, 0               ; 98 task gate
    dw L(gate_same), 0x18, 0xE400, 0    ; A0 16-bit call gate
    descriptor 0, 0xFFFFF, 0xA09E       ; A8 conforming 64-bit code
gdt_pointer:
    dw gdt_pointer - gdt - 1
    dd L(gdt), 0
idt_pointer:
    dw 32 * 16 - 1
    dd IDT, 0
resume:     dq 0
far_same:   dd 0x11112222
            dw 0x50
far_inner:  dd 0x33334444
            dw 0x53
far_32:     dd L(main.compatible)
            dw 0x08
far_60:     dd 0
            dw 0x63
far_70:     dd 0
            dw 0x73
far_90:     dd 0
            dw 0x93
far_98:     dd 0
            dw 0x9B
far_a0:     dd 0
            dw 0xA3
far_tss:    dd 0
            dw 0x40
far_a8:     dd L(conforming)
            dw 0xA8

bits 32
main:
    say "long-mode-gates", 10
    mov edi, IDT
    mov eax, L(vectors)
    mov ecx, 32
.vector:
    mov [edi], ax
    mov word [edi + 2], 0x18
    mov word [edi + 4], 0x8E00
    mov word [edi + 6], 0
    mov dword [edi + 8], 0
    mov dword [edi + 12], 0
    add edi, 16
    add eax, vector_1 - vectors
    loop .vector
    lidt [L(idt_pointer)]
    mov edi, PML4
    mov ecx, 0x800
    xor eax, eax
    rep stosd
    mov dword [PML4], PML4 + 0x1007
    mov dword [PML4 + 0x1000], PML4 + 0x2007
    mov eax, 0x87
    mov edi, PML4 + 0x2000
    mov ecx, 8
.page:
    mov [edi], eax
    mov dword [edi + 4], 0
    add edi, 8
    add eax, 0x200000
    loop .page
    mov edi, TSS
    mov ecx, 26
    xor eax, eax
    rep stosd
    mov dword [TSS + 4], STACK0
    mov word [TSS + 0x66], 0x68
    mov eax, cr4
    or eax, 0x20
    mov cr4, eax
    mov eax, PML4
    mov cr3, eax
    mov ecx, 0xC0000080
    rdmsr
    or eax, 0x100
    wrmsr
    mov eax, cr0
    or eax, 0x80000000
    mov cr0, eax
    jmp 0x18:L(.long)
bits 64
.long:
    mov ax, 0x40
    ltr ax
    say "64-bit", 10
    mov rsi, rsp
    mov rax, 0x1234567890ABCDEF
    hex64 rax, 16
    newline
    call dword far [L(far_same)]
    sub rsi, rsp
    hex64 rsi, 4
    newline
    jmp dword far [L(far_32)]
bits 32
.compatible:
    say "compatibility mode", 10
    mov ax, cs
    hex eax, 4
    hex esp, 8
    call 0x50:0x99999999                ; a 64-bit gate from 32-bit code
    newline
    push dword 0x2B                     ; level 3, compatibility mode, IOPL 3
    push dword STACK3
    push dword 0x3002
    push dword 0x33
    push dword L(.user)
    iretd
.user:
    mov ax, 0x2B
    mov ds, ax
    mov ax, 0x3B
    mov es, ax
    mov gs, ax
    mov dword [AREA + 0xFFC], 0x600DF00D
    mov dword [AREA + 0x10], 0x12121212
    mov eax, [gs:0xFFC]
    hex eax, 8
    mov edi, 0x10
    xor eax, eax
    mov eax, 0x34343434
    stosd
    mov eax, [AREA + 0x10]
    hex eax, 8
    newline
    mov dword [L(resume)], L(.r1)
    mov eax, [gs:0xFFD]
.r1:
    mov ax, 0x3B                        ; the handler came back by IRETQ: segments are as they were
    mov dword [L(resume)], L(.r2)
    mov ecx, 8
    mov edi, 0xFF8
    rep stosd
.r2:
    hex ecx, 4
    hex edi, 4
    newline
    say "inner call gate", 10
    call 0x53:0
    mov ax, ss
    hex eax, 4
    hex esp, 8
    newline
    say "refused", 10
    mov dword [L(resume)], L(.r3)
    call dword far [L(far_60)]
.r3:
    mov dword [L(resume)], L(.r4)
    call dword far [L(far_70)]
.r4:
    mov dword [L(resume)], L(.r5)
    jmp dword far [L(far_90)]
.r5:
    mov dword [L(resume)], L(.r6)
    call dword far [L(far_98)]
.r6:
    mov dword [L(resume)], L(.r7)
    call dword far [L(far_a0)]
.r7:
    mov dword [L(resume)], L(.r8)
    jmp dword far [L(far_tss)]
.r8:
    mov dword [L(resume)], L(.r9)
    jmp 0x53:0
.r9:
    say "16-bit compatibility mode", 10
    mov ebx, esp
    mov ax, 0x8B
    mov ss, ax
    mov esp, 0xABCD0000 | STACK3
    call 0x83:L(sixteen)
    mov eax, esp
    mov cx, 0x2B
    mov ss, cx
    mov esp, ebx
    hex eax, 8
    newline
    say "conforming", 10
    call dword far [L(far_a8)]
    say "64-bit at level 3", 10
    jmp 0x23:L(.user64)
bits 64
.user64:
    mov rsi, rsp
    call dword far [L(far_inner)]
    sub rsi, rsp
    hex64 rsi, 4
    mov ax, ss
    hex64 rax, 4
    newline
    push 0x33
    push L(.back)
    retfq
bits 32
.back:
    say "and back to compatibility mode", 10
    say "end", 10
    mov dx, 0xF4
    mov al, 0x10
    out dx, al
    jmp $                               ; HLT is not for level 3

bits 64
gate_same:
    mov ax, cs
    hex64 rax, 4
    mov ax, ss
    hex64 rax, 4
    hex64 rsp, 4
    hex64 [rsp], 8
    hex64 [rsp + 8], 4
    test byte [rsp + 8], 3
    jz .same
    hex64 [rsp + 16], 8
    hex64 [rsp + 24], 4
.same:
    newline
    retfq
conforming:
    mov ax, cs
    hex64 rax, 4
    newline
    db 0xCB                             ; RETF of the frame that 32-bit code pushed

bits 16
sixteen:
    mov eax, 0x11112222
    mov ax, 0x3333
    push eax
    mov bx, sp
    mov cx, [ss:bx]
    pop eax
    hex eax, 8
    hex ecx, 4
    mov ax, cs
    hex eax, 4
    newline
    o32 retf

bits 64
align 16
vectors:
%assign v 0
%rep 32
align 16
vector_%[v]:
%if v != 8 && (v < 10 || v > 14) && v != 17
    push 0xBAD
%endif
    push v
    jmp near exception
%assign v v+1
%endrep
; Prints and goes on at `resume` on the same level and stack.
exception:
    push rax
    say "  vector "
    hex64 [rsp + 8], 2
    say " error "
    hex64 [rsp + 16], 4
    say " cs "
    hex64 [rsp + 32], 4
    say " ss "
    hex64 [rsp + 56], 4
    newline
    mov eax, [L(resume)]
    mov [rsp + 24], rax
    pop rax
    add rsp, 16
    iretq
low_end:
