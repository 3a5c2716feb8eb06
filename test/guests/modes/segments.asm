; Segmentation in protected mode: limits (expand-up, expand-down, 16-bit and 32-bit), types, presence, null selectors, the LDT, code segments
; with a base and a limit, 16-bit code and stacks, 16-bit and 32-bit call gates with parameters, conforming code, level 3 and back, 16-bit
; interrupt gates and a 16-bit TSS, SYSENTER and SYSEXIT, LAR, LSL, VERR, VERW.

%include "low-memory.inc"

AREA   equ 0x10000
STACK3 equ 0x6800
STACK0 equ 0x6400
TSS    equ 0x600
TSS16  equ 0x700
BASED_END equ 0x6000                    ; limit of selector B8 + 1

%macro descriptor 3                     ; base, limit, access (flags in bits 15:12)
    dw (%2) & 0xFFFF, (%1) & 0xFFFF
    db ((%1) >> 16) & 0xFF, (%3) & 0xFF
    db (((%3) >> 8) & 0xF0) | (((%2) >> 16) & 0xF), ((%1) >> 24) & 0xFF
%endmacro
%macro call_gate 4                      ; selector, offset, access, parameters
    dw (%2), %1
    db %4, %3
    dw 0
%endmacro

low_begin:
text_routines 32
text_routines 16
%include "protected.inc"

align 8
gdt:
    dq 0
    descriptor 0, 0xFFFFF, 0xC09A       ; 08 code
    descriptor 0, 0xFFFFF, 0xC092       ; 10 data
    descriptor 0, 0xFFFF, 0x009A        ; 18 16-bit code
    descriptor 0, 0xFFFF, 0x0092        ; 20 16-bit data
    descriptor AREA, 0xFFF, 0x4092      ; 28 small data
    descriptor AREA, 0xFFF, 0x4096      ; 30 expand-down, 32-bit
    descriptor AREA, 0xFFF, 0x0096      ; 38 expand-down, 16-bit
    descriptor AREA, 0xFFFF, 0x0090     ; 40 read-only
    descriptor 0, 0xFFFFF, 0xC098       ; 48 execute-only
    descriptor AREA, 0xFFF, 0x409A      ; 50 small code
    descriptor 0, 0xFFFFF, 0xC012       ; 58 not present
    descriptor TSS, 0x87, 0x0089        ; 60 TSS
    descriptor L(ldt), 0x0F, 0x0082     ; 68 LDT
    descriptor 0, 0xFFFFF, 0xC0FA       ; 70 code, DPL 3
    descriptor 0, 0xFFFFF, 0xC0F2       ; 78 data, DPL 3
    descriptor 0, 0xFFFFF, 0xC09E       ; 80 conforming code
    call_gate 0x08, L(gate32), 0xEC, 2  ; 88
    call_gate 0x18, L(gate16), 0xE4, 2  ; 90
    descriptor 0, 0xFFFF, 0x00FA        ; 98 16-bit code, DPL 3
    descriptor 0, 0xFFFF, 0x00F2        ; A0 16-bit data, DPL 3
    call_gate 0x08, L(gate32), 0x6C, 0  ; A8 not present
    call_gate 0x08, L(gate32), 0x8C, 0  ; B0 DPL 0
    descriptor LOW, BASED_END - 1, 0x409A ; B8 code with base and limit
    descriptor 0x20000, 0xFFF, 0x4092   ; C0 small stack
    descriptor TSS16, 0x2B, 0x0081      ; C8 16-bit TSS
    call_gate 0x10, L(gate32), 0xEC, 0  ; D0 leads to data
    call_gate 0, L(gate32), 0xEC, 0     ; D8 leads nowhere
    call_gate 0x80, L(conforming), 0xEC, 0 ; E0 leads to conforming code
    descriptor 0, 0xFFFFF, 0xC093       ; E8 for SYSENTER: E8 is not used; see F0
    descriptor 0, 0xFFFFF, 0xC09A       ; F0 SYSENTER code
    descriptor 0, 0xFFFFF, 0xC092       ; F8 SYSENTER stack
    descriptor 0, 0xFFFFF, 0xC0FA       ; 100 SYSEXIT code
    descriptor 0, 0xFFFFF, 0xC0F2       ; 108 SYSEXIT stack
gdt_pointer:
    dw gdt_pointer - gdt - 1
    dd L(gdt)
ldt:
    dq 0
    descriptor AREA, 0xFF, 0x4092       ; 0C through the LDT
far32:   dd L(conforming)
         dw 0x80
far_sysenter: dd 0, 0

%macro load 2                           ; segment, selector
    mov ax, %2
    mov %1, ax
%endmacro

; Goes on at level 3 with IOPL 3.
%macro level3 0
    push dword 0x7B
    push dword STACK3
    push dword 0x3002
    push dword 0x73
    push dword L(%%there)
    iretd
%%there:
    load ds, 0x7B
%endmacro

bits 32
main:
    say "segments: protected mode", 10
    call idt_init
    mov dword [TSS + 4], STACK0
    mov dword [TSS + 8], 0x10
    mov word [TSS + 0x66], 0x68
    mov dword [AREA + 0xFFC], 0x44332211
    mov dword [AREA + 0x1000], 0x88776655
    mov dword [AREA + 0xFFFC], 0xCCBBAA99
    mov dword [AREA], 0x04030201

    xor eax, eax
    lldt ax
    say "limits", 10
    load gs, 0x28
    mov eax, [gs:0xFFC]
    hex eax, 8
    newline
    faults "small: dword at ffd"
    mov eax, [gs:0xFFD]
    faulted
    faults "small: byte at 1000"
    mov al, [gs:0x1000]
    faulted
    faults "small: write of a word at fff"
    mov [gs:0xFFF], ax
    faulted
    faults "small: read-modify-write at 1000"
    inc byte [gs:0x1000]
    faulted
    faults "small: offset ffffffff"
    mov ebx, -1
    mov al, [gs:ebx]
    faulted
    load gs, 0x30
    mov eax, [gs:0x1000]
    hex eax, 8
    newline
    faults "expand-down: dword at ffd"
    mov eax, [gs:0xFFD]
    faulted
    faults "expand-down: dword at 0"
    mov eax, [gs:0]
    faulted
    load gs, 0x38
    mov eax, [gs:0xFFFC]
    hex eax, 8
    newline
    faults "expand-down, 16-bit: dword at fffe"
    mov eax, [gs:0xFFFE]
    faulted
    faults "expand-down, 16-bit: byte at 10000"
    mov al, [gs:0x10000]
    faulted

    say "types", 10
    load gs, 0x40
    mov eax, [gs:0xFFC]
    hex eax, 8
    newline
    faults "write to read-only"
    mov [gs:0], al
    faulted
    faults "write to code by CS"
    mov [cs:L(ldt)], al
    faulted
    load gs, 0x50
    mov eax, [gs:0xFFC]
    hex eax, 8
    newline
    faults "write to readable code in GS"
    mov [gs:0], al
    faulted
    faults "GS := execute-only"
    load gs, 0x48
    faulted
    faults "GS := not present"
    load gs, 0x58
    faulted
    faults "GS := beyond the GDT"
    load gs, 0x1F8
    faulted
    faults "GS := TSS"
    load gs, 0x60
    faulted
    faults "GS := LDT entry without an LDT"
    load gs, 0x0C
    faulted
    load gs, 3
    faults "use of a null GS"
    mov al, [gs:0]
    faulted
    faults "SS := null"
    load ss, 0
    faulted
    faults "SS := RPL 3"
    load ss, 0x7B
    faulted
    faults "SS := read-only"
    load ss, 0x40
    faulted
    faults "SS := not present"
    load ss, 0x58
    faulted
    faults "CS := by MOV"
    db 0x8E, 0xC8
    faulted
    mov ax, 0x68
    lldt ax
    load gs, 0x0C
    mov eax, [gs:0]
    hex eax, 8
    newline
    faults "LDT segment: beyond its limit"
    mov eax, [gs:0xFD]
    faulted
    faults "GS := beyond the LDT"
    load gs, 0x14
    faulted
    faults "LLDT of data"
    mov ax, 0x28
    lldt ax
    faulted
    faults "DS small: pop to it, push from it, string"
    load ds, 0x28
    push dword [0xFFC]
    pop dword [0]
    mov esi, 0xFFE
    lodsw
    lodsw
    faulted
    load ds, 0x10
    mov eax, [AREA]
    hex eax, 8
    newline
    faults "ES small: rep stosd over the limit"
    load es, 0x28
    mov edi, 0xFF4
    mov ecx, 9
    mov eax, 0x5A5A5A5A
    rep stosd
    faulted
    mov eax, ecx
    hex ecx, 2
    hex edi, 4
    hex [AREA + 0xFFC], 8
    newline

    say "stack with a limit", 10
    load es, 0x10
    mov ebx, esp
    load ss, 0xC0
    mov esp, 0x1000
    push dword 0x11223344
    mov ebp, 0xFFC
    mov eax, [ebp]
    load ss, 0x10
    mov esp, ebx
    hex eax, 8
    hex [0x20FFC], 8
    newline
    faults "SS small: dword at ffd by EBP"
    load ss, 0xC0
    mov esp, 0x800
    mov ebp, 0xFFD
    mov eax, [ebp]
    faulted
    load ss, 0x20                       ; 16-bit stack in 32-bit code
    mov esp, 0xABC00000
    push dword 0x55667788
    mov eax, esp
    pop edx
    load ss, 0x10
    mov esp, ebx
    hex eax, 8
    hex edx, 8
    newline

    say "code with base and limit", 10
    jmp 0xB8:based - low_begin
based:
    call .next
.next:
    pop eax
    sub eax, .next - low_begin
    hex eax, 8
    mov eax, [cs:L(ldt) - LOW + 8]
    hex eax, 8
    newline
    faults "jump beyond the limit"
    jmp near low_begin + BASED_END
    faulted
    jmp 0xB8:.again - low_begin
.again:
    faults "indirect call beyond the limit"
    mov eax, BASED_END
    call eax
    faulted
    mov dword [LOW + BASED_END - 4], 0x90909090
    mov dword [LOW + BASED_END], 0x90909090
    mov dword [L(resume)], L(.past)
    mov [L(resume_esp)], esp
    mov dword [L(expected)], 0
    say "sequence over the limit"
    jmp 0xB8:BASED_END - 4
.past:
    mov dword [LOW + BASED_END - 4], 0x05C7F8F9 ; STC, CLC, and the beginning of MOV m32, imm32
    say "instruction over the limit"
    mov dword [L(resume)], L(.past2)
    jmp 0xB8:BASED_END - 4
.past2:
    faults "far jump beyond the limit"
    jmp 0xB8:BASED_END
    faulted
    faults "far jump to data"
    jmp 0x10:0
    faulted
    faults "far jump to DPL 3"
    jmp 0x73:0
    faulted
    faults "far jump to null"
    jmp 0:0
    faulted

    say "16-bit code", 10
    call 0x18:L(sixteen)
    mov ebx, esp
    load ss, 0x20
    mov esp, 0x12346000
    call 0x18:L(sixteen)
    mov eax, esp
    load ss, 0x10
    mov esp, ebx
    hex eax, 8
    newline
    gate 0x32, 0x18, L(int16), 0xE6
    gate 0x33, 0x18, L(int16), 0xE7
    mov eax, esp
    mov [L(resume_esp)], eax
    int 0x32
    int 0x33
    faults "16-bit gate, not present"
    gate 0x34, 0x18, L(int16), 0x66
    int 0x34
    faulted

    say "level 3", 10
    mov ax, 0x60
    ltr ax
    load fs, 0x10
    load gs, 0x7B
    level3
    mov ax, fs
    hex eax, 4
    mov ax, gs
    hex eax, 4
    mov ax, cs
    hex eax, 4
    mov ax, ss
    hex eax, 4
    newline
    faults "DS := DPL 0"
    load ds, 0x10
    faulted
    level3
    faults "HLT"
    hlt
    faulted
    level3
    faults "far call of DPL 0 code"
    call 0x08:0
    faulted
    level3
    faults "INT of a gate with DPL 0"
    gate 0x31, 0x08, L(gate32), 0x8E
    int 0x31
    faulted
    level3
    faults "call gate with DPL 0"
    call 0xB3:0
    faulted
    level3
    faults "call gate not present"
    call 0xAB:0
    faulted
    level3
    faults "call gate to data"
    call 0xD3:0
    faulted
    level3
    faults "call gate to null"
    call 0xDB:0
    faulted
    level3
    faults "jump through a gate to an inner level"
    jmp 0x8B:0
    faulted
    level3
    say "call gate 32 "
    mov esi, esp
    push dword 0xAAAA1111
    push dword 0xBBBB2222
    call 0x8B:0x12345678
    sub esi, esp
    hex esi, 8
    mov ax, ds
    hex eax, 4
    newline
    say "call gate 16 "
    mov esi, esp
    push word 0x3333
    push word 0x4444
    call 0x93:0
    sub esi, esp
    hex esi, 8
    newline
    say "conforming "
    call far [L(far32)]
    call 0xE3:0
    newline
    say "retf to the inner level "
    faults "is refused"
    push dword 0x08
    push dword L(main)
    retf
    faulted
    ; level 3 with 16-bit code and stack
    push dword 0xA3
    push dword 0x6800
    push dword 0x3002
    push dword 0x9B
    push dword L(.user16)
    iretd
bits 16
.user16:
    mov ax, 0x7B
    mov ds, ax
    mov ax, sp
    mov cx, ss
    call 0x8B:0                         ; through a 32-bit gate from a 16-bit stack, garbage as parameters
    say "16-bit level 3 "
    hex ecx, 4
    hex eax, 4
    newline
    mov ax, 0x7B
    mov ds, ax
    mov eax, L(.leave16)
    mov [L(resume)], eax
    mov eax, L(.hlt16)
    mov [L(expected)], eax
.hlt16:
    hlt
bits 32
.leave16:
    say "16-bit TSS", 10
    mov word [TSS16 + 2], STACK0
    mov word [TSS16 + 4], 0x10
    mov ax, 0xC8
    ltr ax
    str ax
    hex eax, 4
    lar eax, eax
    newline
    level3
    faults "inner stack from a 16-bit TSS"
    hlt
    faulted

    say "SYSENTER", 10
    mov ecx, 0x174
    xor edx, edx
    mov eax, 0xF0
    wrmsr
    inc ecx
    mov eax, STACK0
    wrmsr
    inc ecx
    mov eax, L(entered)
    wrmsr
    level3
    sysenter
entered:
    mov ax, cs
    hex eax, 4
    mov ax, ss
    hex eax, 4
    hex esp, 8
    mov edx, L(.exited)
    mov ecx, STACK3
    sysexit
.exited:
    mov ax, cs
    hex eax, 4
    mov ax, ss
    hex eax, 4
    newline
    faults "SYSEXIT at level 3"
    sysexit
    faulted

    say "LAR, LSL, VERR, VERW", 10
    mov ebx, 8
.each:
    mov eax, 0
    lar eax, ebx
    call zero_flag
    hex eax, 8
    mov eax, 0
    lsl eax, ebx
    call zero_flag
    hex eax, 8
    verr bx
    call zero_flag
    verw bx
    call zero_flag
    newline
    add ebx, 8
    cmp ebx, 0x118
    jb .each
    finish

zero_flag:
    pushfd
    jz .set
    say " -"
    popfd
    ret
.set:
    say " +"
    popfd
    ret

bits 32
gate32:
    mov ebp, esp
    mov ax, cs
    hex eax, 4
    hex [ebp], 8
    hex [ebp + 4], 4
    hex [ebp + 8], 8
    hex [ebp + 12], 8
    cmp word [ebp + 4], 0x9B
    je .narrow
    hex [ebp + 16], 8
    hex [ebp + 20], 4
.narrow:
    retf 8
conforming:
    mov ax, cs
    hex eax, 4
    retf

bits 16
sixteen:
    mov eax, 0x11112222
    mov ax, 0x3333
    hex eax, 8
    mov ax, cs
    hex eax, 4
    mov eax, esp
    push ax
    mov ecx, esp
    pop ax
    sub eax, ecx
    hex eax, 8
    newline
    o32 retf
gate16:
    mov bp, sp
    hex [ss:bp + 4], 8
    hex [ss:bp + 8], 8
    mov ax, cs
    hex eax, 4
    retf 4
int16:
    movzx ebp, sp
    mov eax, [L(resume_esp)]
    sub eax, ebp
    hex eax, 4
    movzx eax, word [ss:ebp + 2]
    hex eax, 4
    pushf
    pop ax
    and eax, 0x7702
    hex eax, 4
    newline
    iret
low_end:
