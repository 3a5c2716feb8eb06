; Exercises: code that runs only once. This part enters long mode, clears the registers that the generated code uses, calls that code at
; 2 MiB (make-cold-image.mjs appends it to this image), and prints the checksum that it returns in RAX.

%include "long-mode.inc"
%include "serial.inc"
%include "exceptions.inc"

GENERATED_CODE equ 0x200000
SLOTS          equ 64                   ; 64-bit variables, addressed through R15

section .bss
alignb 4096
slots: resq SLOTS

section .text
main:
    call idt_init
    ; The first GiB in all: the generated code may be long.
    mov edi, boot_pd
    mov eax, PAGE_PRESENT | PAGE_WRITABLE | PAGE_LARGE
.next_page:
    mov [rdi], rax
    add edi, 8
    add eax, 2 << 20
    cmp edi, boot_pd + 512 * 8
    jb .next_page
    print "cold: begin", 10
    xor eax, eax
    xor ecx, ecx
    xor edx, edx
    xor ebx, ebx
    xor esi, esi
    xor edi, edi
    xor r8d, r8d
    xor r9d, r9d
    xor r10d, r10d
    xor r11d, r11d
    mov r15d, slots
    mov r14d, GENERATED_CODE
    call r14
    print "DONE "
    print_number rax, 16
    print 10
    mov al, STATUS_GOOD
    jmp finish

on_exception:
    print "unexpected exception, vector "
    print_number [rdi + frame.vector], 2
    print ", RIP "
    print_number [rdi + frame.rip], 8
    print 10
    mov al, STATUS_BAD
    jmp finish
