; Exercises: gcc -O2 code in 64-bit mode, integer instructions of every common kind, REP MOVS / STOS / SCAS / CMPS, calls, indirect jumps.
; The entry of the kernels guest: long mode by the examples' own boot code, then the C code of guest.c.

%include "long-mode.inc"
%include "serial.inc"
%include "exceptions.inc"

extern guest_main
global guest_print, guest_finish

section .text
main:                                   ; EDI, ESI: what the multiboot loader handed over
    push rdi
    push rsi
    call idt_init
    pop rsi
    pop rdi
    and rsp, -16                        ; as the calling convention wants it before a call
    call guest_main
    ud2

guest_print:                            ; void guest_print(const char *text)
    mov rsi, rdi
    jmp print_string

guest_finish:                           ; void guest_finish(int status)
    mov eax, edi
    jmp finish

on_exception:
    print "unexpected exception, vector "
    print_number [rdi + frame.vector], 2
    print ", RIP "
    print_number [rdi + frame.rip], 8
    print 10
    mov al, STATUS_BAD
    jmp finish
