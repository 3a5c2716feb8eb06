; Address line 20 (SDM volume 3, "Wraparound in Real-Address Mode"; A20M#): while the gate is closed, bit 20 of every physical address is 0, for
; data, for instructions, for page tables and for what they map; what was translated before is forgotten. The gate at port 0x92 and the one of
; the keyboard controller are the same. Low memory's image begins at 0x8000; the second MiB holds its own values.

%include "low-memory.inc"

MIB     equ 0x100000
CELL    equ 0x6000                      ; free low memory
TABLES  equ 0x3000                      ; page directory in low memory

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
    dd 0

bits 32
; wait for room in the controller, then send
%macro controller 1
%%busy:
    in al, 0x64
    test al, 2
    jnz %%busy
    mov al, %1
    out 0x64, al
%endmacro
%macro to_data 1
%%busy:
    in al, 0x64
    test al, 2
    jnz %%busy
    mov al, %1
    out 0x60, al
%%done:
    in al, 0x64
    test al, 2
    jnz %%done
%endmacro
close_fast:
    in al, 0x92
    and al, 0xFC
    out 0x92, al
    ret
open_fast:
    in al, 0x92
    and al, 0xFE
    or al, 2
    out 0x92, al
    ret
gate_state:                             ; bit 1 of port 0x92, and of the controller's output port
    push eax
    in al, 0x92
    shr al, 1
    and eax, 1
    hex eax, 1
    controller 0xD0
.wait:
    in al, 0x64
    test al, 1
    jz .wait
    in al, 0x60
    shr al, 1
    and eax, 1
    say " "
    hex eax, 1
    newline
    pop eax
    ret

where:                                  ; the copy in the second MiB returns another value
    mov eax, 0x11111111
    ret

main:
    say "address line 20", 10
    mov dword [MIB + L(where)], 0x222222B8   ; mov eax, 0x22222222
    mov dword [MIB + L(where) + 1], 0x22222222
    mov byte [MIB + L(where) + 5], 0xC3
    call open_fast
    say "open: "
    call gate_state
    mov dword [CELL], 0xAAAAAAAA
    mov dword [MIB + CELL], 0xBBBBBBBB
    mov dword [2 * MIB + CELL], 0xCCCCCCCC
    mov dword [3 * MIB + CELL], 0xDDDDDDDD
    call four
    mov ebx, MIB + L(where)
    call ebx
    hex eax, 8
    newline
    mov dword [MIB + TABLES], 0x83      ; the directory that an open gate shows: another second slot
    mov dword [MIB + TABLES + 4], 0x800083
    mov dword [0x800000 + CELL], 0xEEEEEEEE

    say "closed by port 0x92: "
    call close_fast
    call gate_state
    call four
    mov ebx, MIB + L(where)
    call ebx
    hex eax, 8
    newline
    mov dword [MIB + CELL], 0x12345678  ; goes to the first MiB
    mov dword [3 * MIB + CELL], 0x9ABCDEF0
    call four

    say "opened by the keyboard controller: "
    controller 0xD1
    to_data 0xDF
    call gate_state
    call four
    mov ebx, MIB + L(where)
    call ebx
    hex eax, 8
    newline

    say "closed by the keyboard controller: "
    controller 0xD1
    to_data 0xDD
    call gate_state
    call four

    say "page tables: CR3 in the second MiB is read from the first", 10
    mov edi, TABLES
    mov eax, 0x83                       ; the first 4 MiB one to one; the next 64 KiB at 1 MiB, by a table named in the second MiB
    mov [edi], eax
    mov dword [edi + 4], TABLES + 0x1000 + MIB + 3
    mov edi, TABLES + 0x1000
    mov eax, MIB + 3
    mov ecx, 16
.page:
    mov [edi], eax
    add eax, 0x1000
    add edi, 4
    loop .page
    mov eax, cr4
    or eax, 0x10
    mov cr4, eax
    mov eax, TABLES + MIB
    mov cr3, eax
    mov eax, cr0
    or eax, 0x80000000
    mov cr0, eax
    mov eax, [0x400000 + CELL]          ; maps 1 MiB + CELL
    hex eax, 8
    say " "
    mov eax, [MIB + CELL]
    hex eax, 8
    newline
    call open_fast
    say "opened, the directory is another: "
    mov eax, [0x400000 + CELL]
    hex eax, 8
    newline
    mov eax, cr0
    and eax, 0x7FFFFFFF
    mov cr0, eax

    say "real-address mode, FFFF:0010 and beyond", 10
    mov dword [0], 0x0BADF00D
    mov dword [MIB], 0x600DCAFE
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
    and al, 0xFE
    mov cr0, eax
    jmp 0:L(.real)
.real:
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, STACK_TOP
    mov ax, 0xFFFF
    mov fs, ax
    mov ebx, [fs:0x10]
    say "open "
    hex ebx, 8
    in al, 0x92
    and al, 0xFC
    out 0x92, al
    mov ebx, [fs:0x10]
    say ", closed "
    hex ebx, 8
    mov ebx, [fs:0x0E]                  ; half at the end of the MiB, half behind it
    shr ebx, 16
    say ", its edge "
    hex ebx, 4
    newline
    in al, 0x92
    or al, 2
    out 0x92, al
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp 0x08:L(.protected)
bits 32
.protected:
    mov ax, 0x10
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esp, STACK_TOP
    finish

four:
    hex dword [CELL], 8
    say " "
    hex dword [MIB + CELL], 8
    say " "
    hex dword [2 * MIB + CELL], 8
    say " "
    hex dword [3 * MIB + CELL], 8
    newline
    ret
low_end:
