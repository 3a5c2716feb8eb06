; Waits with HLT for bytes on COM1, whose interrupt comes through input 4 of the I/O APIC, and sends each back; q ends it. Without input nothing can
; ever wake it.

%include "checks.inc"

COM1 equ 0x3F8

section .text
main:
    call frame_init
    mov dword [eoi], 1
    mov dword [abs IO_SELECT], 0x10 + 4 * 2 + 1
    mov dword [abs IO_WINDOW], 0
    mov dword [abs IO_SELECT], 0x10 + 4 * 2
    mov dword [abs IO_WINDOW], 0x54
    out8 COM1 + 4, 0x0B                 ; OUT2 lets the interrupt out
    out8 COM1 + 1, 1                    ; received data available
    out8 0x43, 0x30                     ; no more pulses of the 8254: mode 0 without a count
    print "ready", 10
.wait:
    sti
    hlt
    cli
.more:
    in8 COM1 + 5
    test al, 1
    jz .wait
    in8 COM1
    out dx, al
    cmp al, 'q'
    jne .more
    mov al, STATUS_GOOD
    jmp finish
