; The devices of a PC as their data sheets have them: Intel 8254 and port 61H, 8259A, MC146818A (RTC), 8042 with a keyboard and a mouse,
; 16550, 8237A registers, PCI configuration mechanism 1, ACPI PM timer, HPET; and QEMU's fw_cfg and edu device. The section named beside a check
; is that of the device's data sheet or specification.

%include "checks.inc"

COM2 equ 0x2F8

%macro cmos_read 1.nolist               ; to EAX
    out8 0x70, %1
    in8 0x71
%endmacro
%macro cmos_write 2.nolist
    out8 0x70, %1
    out8 0x71, %2
%endmacro
%macro to_8042 1.nolist
    call input_free
    out8 0x64, %1
%endmacro
%macro to_8042_data 1.nolist
    call input_free
    out8 0x60, %1
%endmacro
%macro pci_read 4.nolist                ; bus, device, function, register; to EAX
    mov eax, (1 << 31) | ((%1) << 16) | ((%2) << 11) | ((%3) << 8) | ((%4) & 0xFC)
    mov dx, 0xCF8
    out dx, eax
    mov dx, 0xCFC
    in eax, dx
%endmacro

section .text
main:
    call frame_init

    heading "8254"
    out8 0x61, 0                        ; gate of channel 2 low, speaker off
    out8 0x43, 0xB4                     ; channel 2, both bytes, mode 2
    out8 0x42, 0x34
    out8 0x42, 0x12
    out8 0x43, 0xE8                     ; read back: status of channel 2
    in8 0x42
    and eax, 0x3F
    check "status has the mode and the access", "Read-Back Command", rax, 0x34
    out8 0x61, 1
    out8 0x43, 0xC8                     ; read back: count and status
    in8 0x42
    and eax, 0xBF
    check "mode 2: output high while it counts", "Mode 2: Rate Generator", rax, 0xB4
    in8 0x42
    mov ebx, eax
    in8 0x42
    shl eax, 8
    or eax, ebx
    cmp eax, 0x1235
    mov eax, 0
    adc eax, 0
    check "the latched count is within the period", "same", rax, 1
    out8 0x43, 0x80                     ; latch twice: the second is ignored
    call long_pause
    out8 0x43, 0x80
    in8 0x42
    mov ebx, eax
    in8 0x42
    shl eax, 8
    or ebx, eax
    out8 0x43, 0x80
    in8 0x42
    mov ecx, eax
    in8 0x42
    shl eax, 8
    or ecx, eax
    xor eax, eax
    cmp ecx, ebx
    setne al
    check "and goes on", "Counter Latch Command", rax, 1
    out8 0x61, 0
    out8 0x43, 0x80
    in8 0x42
    mov ebx, eax
    in8 0x42
    mov bh, al
    call long_pause
    out8 0x43, 0x80
    in8 0x42
    mov ecx, eax
    in8 0x42
    mov ch, al
    sub ecx, ebx
    check "with the gate low it stands", "Mode 2: Rate Generator", rcx, 0
    out8 0x43, 0xB0                     ; mode 0: output low until the count is over
    in8 0x61
    and eax, 0x20
    check "mode 0: output low", "Mode 0: Interrupt on Terminal Count", rax, 0
    out8 0x61, 1
    out8 0x42, 0x20
    out8 0x42, 0
.wait_out:
    in8 0x61
    test al, 0x20
    jz .wait_out
    out8 0x43, 0xE8
    in8 0x42
    and eax, 0xC0
    check "then high, and the count is no null count", "same", rax, 0x80
    out8 0x43, 0x90                     ; channel 2, low byte only, mode 0
    out8 0x42, 0xFF
    out8 0x43, 0x80
    in8 0x42
    cmp eax, 0x100
    mov eax, 0
    adc eax, 0
    check "low byte only", "Control Word Format", rax, 1
    in8 0x61
    and eax, 3
    check "port 61H keeps gate and speaker bits", "PIIX: NMISC", rax, 1
    out8 0x61, 0

    heading "8259A"
    call pic_init
    in8 PIC1 + 1
    check "OCW1 reads back", "Operation Control Word 1", rax, 0xFF
    out8 PIC2 + 1, 0xA5
    in8 PIC2 + 1
    check "of the second one too", "same", rax, 0xA5
    out8 PIC2 + 1, 0xFF
    fresh
    mov dword [eoi], 0
    ; The 8254 and the UART ask; the processor listens to neither.
    call timer_request
    out8 COM1 + 4, 8
    out8 COM1 + 1, 2
    out8 PIC1, 0x0A                     ; OCW3: read IRR
    in8 PIC1
    and eax, 0x11
    check "IRR shows what asks although it is masked", "Operation Control Word 3", rax, 0x11
    out8 PIC1, 0x0B
    in8 PIC1
    check "ISR is empty", "same", rax, 0
    out8 PIC1 + 1, 0xEE
    out8 PIC1, 0x0C                     ; poll
    in8 PIC1
    check "a poll takes the highest", "Poll Command", rax, 0x80
    out8 PIC1, 0x0B
    in8 PIC1
    check "and puts it in service", "same", rax, 1
    out8 PIC1, 0x0C
    in8 PIC1
    and eax, 0x80
    check "while it is, lower ones do not come", "Fully Nested Mode", rax, 0
    out8 PIC1, 0x60                     ; specific EOI for level 0
    out8 PIC1, 0x0C
    in8 PIC1
    check "after EOI they do", "End of Interrupt (EOI)", rax, 0x84
    out8 PIC1, 0xA0                     ; rotate on non-specific EOI
    call timer_request
    out8 COM1 + 1, 0
    out8 COM1 + 1, 2
    out8 PIC1, 0x0C
    in8 PIC1
    and eax, 0x87
    check "rotation: what was served is the lowest, level 0 comes first", "Automatic Rotation", rax, 0x80
    out8 PIC1, 0x60
    out8 PIC1, 0xC3                     ; set priority: level 3 lowest, so 4 is the highest
    call timer_request
    out8 PIC1, 0x0C
    in8 PIC1
    check "specific rotation: level 4 comes before level 0", "Specific Rotation", rax, 0x84
    out8 PIC1, 0x64
    out8 PIC1, 0xC7                     ; as it was
    out8 COM1 + 1, 0
    out8 COM1 + 4, 0
    out8 PIC1 + 1, 0xFE
    out8 PIC1, 0x0C
    in8 PIC1
    out8 PIC1, 0x20
    out8 PIC1, 0x68                     ; special mask mode on
    out8 PIC1, 0x48
    out8 PIC1 + 1, 0xFF

    heading "RTC"
    cmos_read 0x0D
    check "register D: memory is valid", "Register D", rax, 0x80
    cmos_read 0x0A
    and eax, 0x7F
    check "register A: 32.768 kHz, 1024 a second", "Register A", rax, 0x26
    cmos_read 0x0B
    and eax, 0x7F
    check "register B: 24 hours, BCD, no interrupts", "Register B", rax, 2
    cmos_write 0x50, 0x5A
    cmos_read 0x50
    check "a free cell keeps what is written", "General Purpose RAM", rax, 0x5A
    cmos_write 0x0C, 0xFF
    cmos_read 0x0C
    cmos_read 0x0C
    and eax, 0x8F
    check "register C cannot be written, reading clears it", "Register C", rax, 0
    cmos_write 0x0B, 0x82               ; SET: time stands
    cmos_write 0x00, 0x58
    cmos_write 0x02, 0x59
    cmos_write 0x04, 0x23
    cmos_write 0x07, 0x28
    cmos_write 0x08, 0x02
    cmos_write 0x09, 0x24
    cmos_write 0x0B, 0x12               ; update-ended interrupt
    fresh
    mov dword [eoi], 0
    mov qword [hook], .clock_tick
    mov dword [ticks], 0
    mov dword [abs APIC_LVT_LINT0], 0x700
    out8 PIC1 + 1, 0xFB
    out8 PIC2 + 1, 0xFE
    sti
.midnight:
    hlt
    cmos_read 0x04
    cmp eax, 0x23
    je .midnight
    cli
    cmos_read 0x07
    check "29 February in a leap year", "Time, Calendar, and Alarm Locations", rax, 0x29
    cmos_read 0x04
    check "midnight", "same", rax, 0
    cmos_read 0x02
    check "with its minutes", "same", rax, 0
    cmos_read 0x08
    check "the month stays", "same", rax, 2
    mov eax, [ticks]
    cmp eax, 4
    mov eax, 0
    adc eax, 0
    check "after at most three interrupts", "Update Cycle", rax, 1
    cmp byte [log], 0x38
    sete al
    check "which are IRQ 8", "same", rax, 1
    mov eax, [clock_cause]
    and eax, 0x90
    check "register C said why", "Register C", rax, 0x90
    cmos_write 0x0B, 0x06               ; binary
    cmos_write 0x05, 0xC0               ; alarm: any hour
    cmos_read 0x05
    check "alarm cells keep their don't-care code", "Alarm", rax, 0xC0
    cmos_write 0x0B, 0x42               ; periodic interrupt
    fresh
    mov dword [eoi], 0
    mov qword [hook], .clock_tick
    mov dword [ticks], 0
    sti
.periodic:
    hlt
    cmp dword [ticks], 4
    jb .periodic
    cli
    expect_log "periodic interrupts", "Periodic Interrupt", 0x38383838
    mov eax, [clock_cause]
    and eax, 0xC0
    check "register C said why", "same", rax, 0xC0
    cmos_write 0x0B, 0x02
    cmos_read 0x0C
    mov dword [abs APIC_LVT_LINT0], MASKED
    call pic_init

    heading "8042"
    to_8042 0xAD
    to_8042 0xA7
    call drain_8042
    to_8042 0xAA
    call answer_8042
    check "self-test", "Command AAH", rax, 0x55
    to_8042 0xAB
    call answer_8042
    check "test of the keyboard's interface", "Command ABH", rax, 0
    to_8042 0xA9
    call answer_8042
    check "of the mouse's", "Command A9H", rax, 0
    to_8042 0x60
    to_8042_data 0x44                   ; translation, system flag, no interrupts, mouse enabled
    to_8042 0x20
    call answer_8042
    and eax, 0x47
    check "the command byte reads back", "Commands 20H and 60H", rax, 0x44
    in8 0x64
    and eax, 0x04
    check "the system flag is in the status", "Status Register", rax, 4
    to_8042_data 0xEE
    call answer_8042
    check "echo", "Keyboard: Echo (EEH)", rax, 0xEE
    to_8042_data 0xF2
    call answer_8042
    check "the keyboard's id is acknowledged", "Keyboard: Read ID (F2H)", rax, 0xFA
    call answer_8042
    check "its first byte", "same", rax, 0xAB
    call answer_8042
    call drain_8042
    to_8042 0xD2
    to_8042_data 0x77
    in8 0x64
    and eax, 0x21
    check "D2H: as if the keyboard had sent it", "Command D2H", rax, 1
    in8 0x60
    check "the byte", "same", rax, 0x77
    to_8042 0xD3
    to_8042_data 0x66
    in8 0x64
    and eax, 0x21
    check "D3H: as if the mouse had", "Command D3H", rax, 0x21
    in8 0x60
    check "the byte", "same", rax, 0x66
    in8 0x64
    and eax, 1
    check "then nothing waits", "Status Register", rax, 0

    out8 COM2 + 7, 0x5A
    in8 COM2 + 7
    cmp eax, 0x5A
    jne .no_uart
    heading "16550"
    out8 COM2 + 7, 0xA5
    in8 COM2 + 7
    check "scratch", "Scratch Register", rax, 0xA5
    out8 COM2 + 3, 0x83
    out8 COM2, 0x01
    out8 COM2 + 1, 0x00
    in8 COM2
    check "divisor latch", "Programmable Baud Generator", rax, 1
    out8 COM2 + 3, 0x03
    in8 COM2 + 3
    check "line control", "Line Control Register", rax, 3
    out8 COM2 + 4, 0x1F                 ; loopback, all outputs on
    in8 COM2 + 6
    and eax, 0xF0
    check "loopback: modem outputs are inputs", "MODEM Control Register", rax, 0xF0
    out8 COM2 + 4, 0x12                 ; RTS only
    in8 COM2 + 6
    mov ebx, eax
    and eax, 0xF0
    check "RTS is CTS", "same", rax, 0x10
    and ebx, 0x0F
    check "the deltas say what changed, RI only its end", "MODEM Status Register", rbx, 0x0E
    in8 COM2 + 6
    and eax, 0x0F
    check "reading clears them", "same", rax, 0
    out8 COM2 + 2, 0x07                 ; FIFOs, cleared
    in8 COM2 + 2
    and eax, 0xC0
    check "FIFOs are there", "Interrupt Identification Register", rax, 0xC0
    out8 COM2, 0x41
    out8 COM2, 0x42
    call byte_time
    in8 COM2 + 5
    and eax, 0x01
    check "loopback: data ready", "Line Status Register", rax, 1
    in8 COM2
    check "the first byte", "Receiver FIFO", rax, 0x41
    in8 COM2
    check "the second", "same", rax, 0x42
    in8 COM2 + 5
    and eax, 0x61
    check "then the receiver is empty, the transmitter too", "same", rax, 0x60
    out8 COM2 + 1, 0x0F
    in8 COM2 + 2
    and eax, 0x0F
    check "transmitter empty is the cause", "Interrupt Identification Register", rax, 2
    in8 COM2 + 2
    and eax, 0x0F
    check "reading it takes it back", "same", rax, 1
    out8 COM2, 0x43
    call byte_time
    in8 COM2 + 2
    and eax, 0x0E
    cmp eax, 0x0C                       ; a single byte below the trigger level: time-out; at level 1: data
    jne .level
    mov eax, 4
.level:
    check "received data comes before it", "same", rax, 4
    in8 COM2
    out8 COM2 + 1, 0
    in8 COM2 + 6
    out8 COM2 + 4, 0
    out8 COM2 + 2, 0
.no_uart:

    heading "8237A"
    out8 0x0D, 0                        ; master clear
    out8 0x0C, 0                        ; flip-flop to the low byte
    out8 0x04, 0x34
    out8 0x04, 0x12
    out8 0x05, 0x78
    out8 0x05, 0x56
    out8 0x0C, 0
    in8 0x04
    check "current address, low byte", "Register Description", rax, 0x34
    in8 0x04
    check "high byte", "same", rax, 0x12
    in8 0x05
    check "current count", "same", rax, 0x78
    in8 0x05
    check "high byte", "same", rax, 0x56
    in8 0x08
    and eax, 0x0F
    check "no terminal count was reached", "Status Register", rax, 0

    heading "PCI"
    pci_read 0, 0, 0, 0
    check "the host bridge is an 82441FX", "82441FX: VID, DID", rax, 0x12378086
    pci_read 0, 1, 0, 0
    check "PIIX3 is there", "82371SB: VID, DID", rax, 0x70008086
    pci_read 0, 1, 0, 8
    shr eax, 16
    check "as an ISA bridge", "Class Code", rax, 0x0601
    pci_read 0, 31, 7, 0
    check "where nothing is there are ones", "Configuration Mechanism #1", rax, 0xFFFFFFFF
    mov eax, 0x00000000
    mov dx, 0xCF8
    out dx, eax
    mov dx, 0xCFC
    in eax, dx
    check "without the enable bit nothing answers", "same", rax, 0xFFFFFFFF
    mov eax, 0x80000800
    mov dx, 0xCF8
    out dx, eax
    in eax, dx
    check "CONFIG_ADDRESS reads back", "same", rax, 0x80000800
    mov dx, 0xCFE
    xor eax, eax
    in ax, dx
    check "a word of a register", "same", rax, 0x7000

    heading "PM timer"
    mov dword [hook_count], 0
    pci_read 0, 1, 3, 0
    cmp eax, 0x71138086
    jne .no_pm
    mov dx, 0x608
    in eax, dx
    mov ebx, eax
    call long_pause
    in8 0x80
    mov dx, 0x608
    in eax, dx
    mov ecx, eax
    and ecx, 0xFF000000
    check "24 bits", "Power Management Timer", rcx, 0
    sub eax, ebx
    and eax, 0xFFFFFF
    cmp eax, 1
    mov eax, 0
    adc eax, 0
    check "it goes on", "same", rax, 0
.no_pm:

    heading "HPET"
    mov eax, [abs HPET]
    mov ecx, [abs HPET + 4]
    and eax, 0xFFFFA000
    check "vendor and legacy replacement", "General Capabilities and ID Register", rax, 0x8086A000
    xor eax, eax
    cmp ecx, 100000000                  ; a period of at most 100 ns
    setbe al
    check "the period is one that is allowed", "same", rax, 1
    mov dword [abs HPET + 0x10], 0
    mov dword [abs HPET + 0xF0], 0
    mov dword [abs HPET + 0xF4], 0
    check32 "stopped, the counter keeps what is written", "Main Counter Register", [abs HPET + 0xF0], 0
    fresh
    mov dword [abs IO_SELECT], 0x10 + 2 * 2 + 1
    mov dword [abs IO_WINDOW], 0
    mov dword [abs IO_SELECT], 0x10 + 2 * 2
    mov dword [abs IO_WINDOW], 0x5C
    mov dword [abs HPET + 0x100], 4     ; interrupts, edge, one shot
    mov dword [abs HPET + 0x104], 0
    mov dword [abs HPET + 0x108], 20000
    mov dword [abs HPET + 0x10C], 0
    mov dword [abs HPET + 0x10], 3      ; go, legacy replacement: timer 0 is I/O APIC input 2
    sti
    hlt
    cli
    expect_log "timer 0 in place of the 8254", "Legacy Replacement Route", 0x5C
    mov dword [abs HPET + 0x10], 0
    mov eax, [abs HPET + 0xF0]
    cmp eax, 20000
    mov eax, 0
    adc eax, 0
    check "the counter went on", "Main Counter Register", rax, 0
    mov dword [abs HPET + 0x100], 0
    mov dword [abs IO_SELECT], 0x10 + 2 * 2
    mov dword [abs IO_WINDOW], MASKED

    heading "nothing there"
    in8 0xED
    check "an empty port", "ISA bus", rax, 0xFF
    mov dx, 0x1234
    in eax, dx
    check "of 32 bits", "ISA bus", rax, 0xFFFFFFFF

    ; What only QEMU has.
    mov dx, 0x510
    xor eax, eax
    out dx, ax
    mov dx, 0x511
    in al, dx
    cmp al, 'Q'
    jne .no_fw_cfg
    heading "fw_cfg and edu"
    xor eax, eax
    mov ecx, 3
.signature:
    in al, dx
    shl eax, 8
    loop .signature
    shr eax, 8
    check "signature", "Selector Register", rax, 'UME'
    mov dx, 0x510
    mov eax, 0x19
    out dx, ax
    mov dx, 0x511
    in al, dx
    check "the file directory's size begins with a zero", "File Directory", rax, 0
    mov dx, 0x514
    in eax, dx
    check "DMA signature", "DMA Interface", rax, 'QEMU'
    call find_edu
    test ebx, ebx
    jz .no_edu
    mov eax, [rbx]
    check "edu's identification", "edu: MMIO area", rax, 0x010000ED
    mov dword [rbx + 4], 0x12345678
    mov eax, [rbx + 4]
    check "liveness check", "same", rax, 0xEDCBA987
    mov dword [rbx + 8], 5
.factorial:
    test dword [rbx + 0x20], 1
    jnz .factorial
    mov eax, [rbx + 8]
    check "factorial", "same", rax, 120
.no_edu:
.no_fw_cfg:
    jmp conclude

.clock_tick:
    cmos_read 0x0C
    mov [clock_cause], eax
    inc dword [ticks]
    out8 PIC2, 0x20
    out8 PIC1, 0x20
    ret

; EBX: where edu's registers are, 0: it is not there. The window is mapped at 0x7F800000.
find_edu:
    xor edi, edi
    xor ebx, ebx
.next:
    mov eax, edi
    shl eax, 11
    or eax, 1 << 31
    mov dx, 0xCF8
    out dx, eax
    mov dx, 0xCFC
    in eax, dx
    cmp eax, 0x11E81234
    je .found
    inc edi
    cmp edi, 32
    jb .next
    ret
.found:
    mov eax, edi
    shl eax, 11
    or eax, (1 << 31) | 4
    mov dx, 0xCF8
    out dx, eax
    mov dx, 0xCFC
    in eax, dx
    or eax, 2                           ; memory space
    out dx, eax
    mov eax, edi
    shl eax, 11
    or eax, (1 << 31) | 0x10
    mov dx, 0xCF8
    out dx, eax
    mov dx, 0xCFC
    mov eax, 0xFFFFFFFF
    in eax, dx
    mov ecx, eax                        ; where the firmware has put it
    mov eax, 0xFFFFFFFF
    out dx, eax
    in eax, dx
    push rax
    mov eax, ecx
    out dx, eax
    pop rax
    check "sizing BAR 0: 1 MiB", "PCI: Base Addresses", rax, 0xFFF00000
    mov eax, ecx
    and eax, 0xFFE00000
    or eax, PAGE_PRESENT | PAGE_WRITABLE | PAGE_LARGE | 0x10
    mov [devices_pd + ((0x7F800000 >> 21) & 511) * 8], eax
    mov ebx, ecx
    and ebx, 0x1FFFF0
    add ebx, 0x7F800000
    ret

; The 8254's channel 0 makes an edge on IRQ 0.
timer_request:
    out8 0x43, 0x30
    out8 0x40, 2
    out8 0x40, 0
.wait:
    out8 0x43, 0xE2
    in8 0x40
    test al, 0x80
    jz .wait
    ret

input_free:
    in8 0x64
    test al, 2
    jnz input_free
    ret
answer_8042:
    in8 0x64
    test al, 1
    jz answer_8042
    in8 0x60
    ret
drain_8042:
    call long_pause
    in8 0x64
    test al, 1
    jz .empty
    in8 0x60
    jmp drain_8042
.empty:
    ret
; Longer than two bytes take on the line at 115200 baud.
byte_time:
    push rbx
    mov ebx, 60
.next:
    call long_pause
    dec ebx
    jnz .next
    pop rbx
    ret
long_pause:
    push rcx
    mov ecx, 5000
.next:
    pause
    loop .next
    pop rcx
    ret

section .bss
ticks:       resd 1
clock_cause: resd 1
hook_count:  resd 1
