; VM exits due to instructions: each control with its bit off and on, the exit qualification, instruction length and instruction information that the
; exit records, and what comes first. SDM volume 3, "Instructions That Cause VM Exits", "Exit Qualification", "Information for VM Exits Due to
; Instruction Execution".
%include "conformance.inc"

REASON_INVD               equ 13
REASON_INVLPG             equ 14
REASON_RDPMC              equ 15
REASON_RDTSC              equ 16
REASON_VMCLEAR            equ 19
REASON_VMLAUNCH           equ 20
REASON_VMPTRLD            equ 21
REASON_VMPTRST            equ 22
REASON_VMRESUME           equ 24
REASON_VMWRITE            equ 25
REASON_VMXOFF             equ 26
REASON_VMXON              equ 27
REASON_CR                 equ 28
REASON_DR                 equ 29
REASON_WRMSR              equ 32
REASON_MWAIT              equ 36
REASON_MONITOR            equ 39
REASON_PAUSE              equ 40
REASON_GDTR_IDTR          equ 46
REASON_LDTR_TR            equ 47
REASON_INVEPT             equ 50
REASON_RDTSCP             equ 51
REASON_INVVPID            equ 53
REASON_WBINVD             equ 54
REASON_RDRAND             equ 57
REASON_INVPCID            equ 58
REASON_RDSEED             equ 61
PROC_TSC_OFFSETTING       equ 1 << 3
PROC_INVLPG               equ 1 << 9
PROC_MWAIT                equ 1 << 10
PROC_RDPMC                equ 1 << 11
PROC_RDTSC                equ 1 << 12
PROC_CR3_LOAD             equ 1 << 15
PROC_CR3_STORE            equ 1 << 16
PROC_CR8_LOAD             equ 1 << 19
PROC_CR8_STORE            equ 1 << 20
PROC_MOV_DR               equ 1 << 23
PROC_UNCONDITIONAL_IO     equ 1 << 24
PROC_MONITOR              equ 1 << 29
PROC_PAUSE                equ 1 << 30
PROC2_WBINVD              equ 1 << 6
PROC2_PAUSE_LOOP          equ 1 << 10
PROC2_RDRAND              equ 1 << 11
PROC2_INVPCID             equ 1 << 12
PROC2_RDSEED              equ 1 << 16
CR3_TARGET0               equ 0x6008
CR3_TARGET1               equ 0x600A
CR3_TARGET3               equ 0x600E
CR0_TS                    equ 8
USER                      equ 3
IA32_TSC                  equ 0x10

section .bss
alignb 16
operand:   resq 4
section .text

; exits_with "name", primary, secondary, program, reason, length : with the controls the instruction at .program exits.
%macro exits_with 6
    case {%1, ": control on"}, "Instructions That Cause VM Exits Conditionally"
  %if %3 != 0
    needs %3, %%skip
  %endif
  %if %2 != 0
    add_bits PROC_BASED_CONTROLS, %2
  %endif
    guest %4
    enter_guest
    expect_exit %5
    expect VM_EXIT_INSTRUCTION_LENGTH, %6
    expect GUEST_RIP, %4
  %%skip:
%endmacro
; without "name", primary, secondary to be set, program : it does not, and VMCALL follows.
%macro without 4
    case {%1, ": control off"}, "Instructions That Cause VM Exits Conditionally"
  %if %3 != 0
    needs %3, %%skip
  %endif
    clear_bits PROC_BASED_CONTROLS, %2
    guest %4
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    expect_value "exceptions", [guest_vector], 0
  %%skip:
%endmacro
; faults "name", primary, secondary, program, vector : an exception comes first, or instead.
%macro faults 5
    case {%1}, "Relative Priority of Faults and VM Exits"
  %if %3 != 0
    needs %3, %%skip
  %endif
  %if %2 != 0
    add_bits PROC_BASED_CONTROLS, %2
  %endif
    guest %4
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    expect_value "vector + 1", [guest_vector], %5 + 1
  %%skip:
%endmacro

; Destination register and operand size of RDRAND and RDSEED; the other bits are undefined.
%macro random_information 1
    mov ecx, VM_EXIT_INSTRUCTION_INFO
    vmread rax, rcx
    and eax, 0x1878
    expect_value "VM_EXIT_INSTRUCTION_INFO", rax, %1
%endmacro

cases:
    call simple
    call control_registers
    call debug_registers
    call ports
    call msrs
    call tables
    call vmx_instructions
    call exceptions
    call counters
    ret

; ------------------------------------------------------------------------------------------------- instructions without operands
simple:
    exits_with "CPUID", 0, 0, .cpuid, EXIT_REASON_CPUID, 2
    expect EXIT_QUALIFICATION, 0
    exits_with "INVD", 0, 0, .invd, REASON_INVD, 2
    exits_with "HLT", PROC_HLT_EXITING, 0, .hlt, EXIT_REASON_HLT, 1
    exits_with "RDTSC", PROC_RDTSC, 0, .rdtsc, REASON_RDTSC, 2
    without "RDTSC", PROC_RDTSC, 0, .rdtsc
    exits_with "RDTSCP", PROC_RDTSC, PROC2_RDTSCP, .rdtscp, REASON_RDTSCP, 3
    without "RDTSCP", PROC_RDTSC, PROC2_RDTSCP, .rdtscp
    faults "RDTSCP: not enabled", PROC_RDTSC, 0, .rdtscp, 6
    exits_with "RDPMC", PROC_RDPMC, 0, .rdpmc, REASON_RDPMC, 2
    exits_with "PAUSE", PROC_PAUSE, 0, .pause, REASON_PAUSE, 2
    without "PAUSE", PROC_PAUSE, 0, .pause
    exits_with "WBINVD", 0, PROC2_WBINVD, .wbinvd, REASON_WBINVD, 2
    without "WBINVD", 0, 0, .wbinvd
    exits_with "MONITOR", PROC_MONITOR, 0, .monitor, REASON_MONITOR, 3
    without "MONITOR", PROC_MONITOR, 0, .monitor
    exits_with "MWAIT", PROC_MWAIT, 0, .mwait, REASON_MWAIT, 3
    expect EXIT_QUALIFICATION, 0
    case "MWAIT: the monitor is armed", "Exit Qualification"
    add_bits PROC_BASED_CONTROLS, PROC_MWAIT
    guest .armed
    enter_guest
    expect_exit REASON_MWAIT
    expect EXIT_QUALIFICATION, 1
    exits_with "INVLPG", PROC_INVLPG, 0, .invlpg, REASON_INVLPG, 3
    expect EXIT_QUALIFICATION, 0
    case "INVLPG: the address", "Exit Qualification"
    add_bits PROC_BASED_CONTROLS, PROC_INVLPG
    mov rax, 0x123456789ABC
    mov [guest_registers + 24], rax
    guest .invlpg
    enter_guest
    expect_exit REASON_INVLPG
    expect EXIT_QUALIFICATION, 0x123456789ABC
    without "INVLPG", PROC_INVLPG, 0, .invlpg
    exits_with "RDRAND", 0, PROC2_RDRAND, .rdrand, REASON_RDRAND, 4
    random_information (10 << 3) | (2 << 11)
    exits_with "RDRAND (32 bits)", 0, PROC2_RDRAND, .rdrand32, REASON_RDRAND, 3
    random_information (3 << 3) | (1 << 11)
    exits_with "RDRAND (16 bits)", 0, PROC2_RDRAND, .rdrand16, REASON_RDRAND, 4
    random_information 6 << 3
    without "RDRAND", 0, 0, .rdrand
    exits_with "RDSEED", 0, PROC2_RDSEED, .rdseed, REASON_RDSEED, 4
    random_information (9 << 3) | (2 << 11)
    exits_with "INVPCID", PROC_INVLPG, PROC2_INVPCID, .invpcid, REASON_INVPCID, 7
    expect EXIT_QUALIFICATION, 0x40
    expect VM_EXIT_INSTRUCTION_INFO, (1 << 22) | (3 << 23) | (2 << 7) | (3 << 15) | (2 << 28)
    without "INVPCID", PROC_INVLPG, PROC2_INVPCID, .invpcid_all
    faults "INVPCID: not enabled", PROC_INVLPG, 0, .invpcid, 6

    ; Privilege comes first.
  %macro user_faults 4
    case {%1, " at CPL 3: the fault comes first"}, "Relative Priority of Faults and VM Exits"
    add_bits PROC_BASED_CONTROLS, %2
    add_bits EXCEPTION_BITMAP, (1 << 13) | (1 << 6) | (1 << 14)
    call make_user
    guest %3
    enter_guest
    expect_exit REASON_EXCEPTION_NMI
    mov ecx, VM_EXIT_INTERRUPTION_INFO
    vmread rax, rcx
    and eax, 0xFF
    expect_value "vector", rax, %4
  %endmacro
    user_faults "HLT", PROC_HLT_EXITING, .hlt, 13
    user_faults "INVD", 0, .invd, 13
    user_faults "INVLPG", PROC_INVLPG, .invlpg, 13
    user_faults "MONITOR", PROC_MONITOR, .monitor, 6
    user_faults "MWAIT", PROC_MWAIT, .mwait, 6
    user_faults "RDPMC", PROC_RDPMC, .rdpmc, 13
    user_faults "RDMSR", 0, msrs.rdmsr, 13
    user_faults "MOV to CR3", PROC_CR3_LOAD, control_registers.to_cr3, 13
    user_faults "CLTS", 0, control_registers.clts, 13
    mov word [tss + 0x66], 0xFFFF       ; no I/O permission bit map
    user_faults "OUT", 0, ports.out_byte, 13
    case "CPUID at CPL 3", "Instructions That Cause VM Exits Unconditionally"
    call make_user
    guest .cpuid
    enter_guest
    expect_exit EXIT_REASON_CPUID
    case "VMCALL at CPL 3", "VMCALL—Call to VM Monitor"
    call make_user
    guest guest_vmcall
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    case "VMXOFF at CPL 3: the VM exit comes first", "VMXOFF—Leave VMX Operation"
    call make_user
    guest vmx_instructions.vmxoff
    enter_guest
    expect_exit REASON_VMXOFF
    ret
.cpuid:
    cpuid
    vmcall
.invd:
    invd
    vmcall
.hlt:
    hlt
    vmcall
.rdtsc:
    rdtsc
    vmcall
.rdtscp:
    rdtscp
    vmcall
.rdpmc:
    rdpmc
    vmcall
.pause:
    pause
    vmcall
.wbinvd:
    wbinvd
    vmcall
.monitor:
    monitor
    vmcall
.mwait:
    mwait
    vmcall
.armed:
    mov eax, operand
    xor ecx, ecx
    xor edx, edx
    monitor
    mwait
    vmcall
.invlpg:
    invlpg [rbx]
    vmcall
.rdrand:
    rdrand r10
    vmcall
.rdrand32:
    rdrand ebx
    vmcall
.rdrand16:
    rdrand si
    vmcall
.rdseed:
    rdseed r9
    vmcall
.invpcid_all:
    mov edx, 2
    mov ebx, operand - 0x40
.invpcid:
    invpcid rdx, [rbx + 0x40]
    vmcall

; CPL 3 with the flat segments that it may have.
make_user:
    set GUEST_SS_ACCESS_RIGHTS, RIGHTS_DATA | 0x60
    set GUEST_CS_ACCESS_RIGHTS, RIGHTS_CODE64 | 0x60
    set GUEST_SS_SELECTOR, SELECTOR_DATA | 3
    set GUEST_CS_SELECTOR, SELECTOR_CODE64 | 3
    mov rax, cr3
    ; Pages for user mode, from the tables of the frame.
    or byte [boot_pml4], 4
    or byte [boot_pdpt], 4
    mov edi, boot_pd
.next:
    or byte [rdi], 4
    add edi, 8
    cmp edi, boot_pd + 64
    jb .next
    mov rax, cr3
    mov cr3, rax
    ret

; ------------------------------------------------------------------------------------------------- control registers
control_registers:
    exits_with "MOV to CR3", PROC_CR3_LOAD, 0, .to_cr3, REASON_CR, 3
    expect EXIT_QUALIFICATION, 0x103 + (2 << 8)
    without "MOV to CR3", PROC_CR3_LOAD, 0, .cr3_again
    case "MOV to CR3: a CR3-target value", "CR3-Target Controls"
    add_bits PROC_BASED_CONTROLS, PROC_CR3_LOAD
    clear_bits PROC_BASED_CONTROLS, PROC_CR3_STORE
    set CR3_TARGET_COUNT, 4
    set CR3_TARGET0, 0
    mov rax, cr3
    set CR3_TARGET3, rax
    guest .cr3_again
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    case "MOV to CR3: a CR3-target value beyond the count", "CR3-Target Controls"
    add_bits PROC_BASED_CONTROLS, PROC_CR3_LOAD
    clear_bits PROC_BASED_CONTROLS, PROC_CR3_STORE
    set CR3_TARGET_COUNT, 3
    mov rax, cr3
    set CR3_TARGET3, rax
    guest .cr3_again
    enter_guest
    expect_exit REASON_CR
    exits_with "MOV from CR3", PROC_CR3_STORE, 0, .from_cr3, REASON_CR, 3
    expect EXIT_QUALIFICATION, 3 | (1 << 4) | (5 << 8)
    without "MOV from CR3", PROC_CR3_STORE, 0, .from_cr3
    exits_with "MOV to CR8", PROC_CR8_LOAD, 0, .to_cr8, REASON_CR, 4
    expect EXIT_QUALIFICATION, 8 | (1 << 8)
    without "MOV to CR8", PROC_CR8_LOAD, 0, .to_cr8
    exits_with "MOV from CR8", PROC_CR8_STORE, 0, .from_cr8, REASON_CR, 4
    expect EXIT_QUALIFICATION, 8 | (1 << 4) | (10 << 8)
    without "MOV from CR8", PROC_CR8_STORE, 0, .from_cr8
    case "MOV to CR8: the VM exit comes before the #GP of reserved bits", "Relative Priority of Faults and VM Exits"
    add_bits PROC_BASED_CONTROLS, PROC_CR8_LOAD
    mov qword [guest_registers + 8], 0x100
    guest .to_cr8
    enter_guest
    expect_exit REASON_CR

  %macro masked 6                       ; name, field mask, mask, field shadow, shadow, program
    case {%1}, "Guest/Host Masks and Read Shadows for CR0 and CR4"
    set %2, %3
    set %4, %5
    mov rax, cr0
    or eax, CR0_TS
    set GUEST_CR0, rax
    guest %6
    enter_guest
  %endmacro
    masked "CLTS: not owned", CR0_GUEST_HOST_MASK, 0, CR0_READ_SHADOW, 0, .clts
    expect_exit EXIT_REASON_VMCALL
    mov ecx, GUEST_CR0
    vmread rax, rcx
    and eax, CR0_TS
    expect_value "TS", rax, 0
    masked "CLTS: owned, 0 in the shadow", CR0_GUEST_HOST_MASK, CR0_TS, CR0_READ_SHADOW, 0, .clts
    expect_exit EXIT_REASON_VMCALL
    mov ecx, GUEST_CR0
    vmread rax, rcx
    and eax, CR0_TS
    expect_value "TS", rax, CR0_TS
    masked "CLTS: owned, 1 in the shadow", CR0_GUEST_HOST_MASK, CR0_TS, CR0_READ_SHADOW, CR0_TS, .clts
    expect_exit REASON_CR
    expect EXIT_QUALIFICATION, 2 << 4
    expect VM_EXIT_INSTRUCTION_LENGTH, 2
    masked "LMSW: PE is not cleared, so it does not exit", CR0_GUEST_HOST_MASK, 1, CR0_READ_SHADOW, 1, .lmsw_zero
    expect_exit EXIT_REASON_VMCALL
    masked "LMSW: sets PE that the shadow has clear", CR0_GUEST_HOST_MASK, 1, CR0_READ_SHADOW, 0, .lmsw_one
    expect_exit REASON_CR
    expect EXIT_QUALIFICATION, (3 << 4) | (1 << 16)
    masked "LMSW: TS differs from the shadow", CR0_GUEST_HOST_MASK, CR0_TS, CR0_READ_SHADOW, 0, .lmsw_memory
    expect_exit REASON_CR
    expect EXIT_QUALIFICATION, (3 << 4) | (1 << 6) | (0x1239 << 16)
    expect GUEST_LINEAR_ADDRESS, .nine
    masked "LMSW: bits above TS do not count", CR0_GUEST_HOST_MASK, 0xFFF0, CR0_READ_SHADOW, 0, .lmsw_memory
    expect_exit EXIT_REASON_VMCALL
    masked "MOV to CR0: owned bits as in the shadow", CR0_GUEST_HOST_MASK, CR0_TS, CR0_READ_SHADOW, 0, .cr0_same
    expect_exit EXIT_REASON_VMCALL
    expect_value "what the guest reads: TS", [guest_registers + 24], 0
    mov ecx, GUEST_CR0
    vmread rax, rcx
    and eax, CR0_TS
    expect_value "TS", rax, CR0_TS
    masked "MOV to CR0: an owned bit differs", CR0_GUEST_HOST_MASK, CR0_TS, CR0_READ_SHADOW, CR0_TS, .cr0_cleared
    expect_exit REASON_CR
    expect EXIT_QUALIFICATION, 0
    masked "MOV to CR4: an owned bit differs", CR4_GUEST_HOST_MASK, 4, CR4_READ_SHADOW, 4, .to_cr4
    expect_exit REASON_CR
    expect EXIT_QUALIFICATION, 4 | (6 << 8)
    masked "MOV to CR4: owned bits as in the shadow", CR4_GUEST_HOST_MASK, CR4_VMXE, CR4_READ_SHADOW, 0, .cr4_same
    expect_exit EXIT_REASON_VMCALL
    expect_value "exceptions", [guest_vector], 0
    mov ecx, GUEST_CR4
    vmread rax, rcx
    and eax, CR4_VMXE
    expect_value "VMXE", rax, CR4_VMXE
    masked "MOV to CR4: VMXE may not be cleared", CR4_GUEST_HOST_MASK, 0, CR4_READ_SHADOW, 0, .no_vmxe
    expect_exit EXIT_REASON_VMCALL
    expect_value "vector + 1", [guest_vector], 14
    masked "MOV to CR0: NE may not be cleared", CR0_GUEST_HOST_MASK, 0, CR0_READ_SHADOW, 0, .no_ne
    expect_exit EXIT_REASON_VMCALL
    expect_value "vector + 1", [guest_vector], 14
    masked "SMSW: reads the shadow", CR0_GUEST_HOST_MASK, 0xFFFF, CR0_READ_SHADOW, 0xABCD, .smsw
    expect_exit EXIT_REASON_VMCALL
    expect_value "AX", [guest_registers], 0xABCD
    ret
.to_cr3:
    mov cr3, rbx
    vmcall
.cr3_again:
    mov rax, cr3
    mov cr3, rax
    vmcall
.from_cr3:
    mov rbp, cr3
    vmcall
.to_cr8:
    mov cr8, rcx
    vmcall
.from_cr8:
    mov r10, cr8
    vmcall
.clts:
    clts
    vmcall
.lmsw_zero:
    xor eax, eax
    lmsw ax
    vmcall
.lmsw_one:
    mov eax, 1
    lmsw ax
    vmcall
.lmsw_memory:
    lmsw [.nine]
    vmcall
.nine: dw 0x1239
.cr0_same:
    mov rax, cr0
    mov ebx, eax
    and ebx, CR0_TS
    mov cr0, rax
    vmcall
.cr0_cleared:
    mov rax, cr0
    and eax, ~CR0_TS
    mov cr0, rax
    vmcall
.to_cr4:
    xor esi, esi
    mov cr4, rsi
    vmcall
.cr4_same:
    mov rax, cr4
    mov cr4, rax
    vmcall
.no_vmxe:
    mov rax, cr4
    and eax, ~CR4_VMXE
    mov cr4, rax
    vmcall
.no_ne:
    mov rax, cr0
    and eax, ~CR0_NE
    mov cr0, rax
    vmcall
.smsw:
    xor eax, eax
    smsw ax
    vmcall

; ------------------------------------------------------------------------------------------------- debug registers
debug_registers:
    exits_with "MOV to DR7", PROC_MOV_DR, 0, .to_dr7, REASON_DR, 3
    expect EXIT_QUALIFICATION, 7 | (3 << 8)
    exits_with "MOV from DR0", PROC_MOV_DR, 0, .from_dr0, REASON_DR, 4
    expect EXIT_QUALIFICATION, 0 | (1 << 4) | (11 << 8)
    without "MOV from DR0", PROC_MOV_DR, 0, .from_dr0
    case "MOV DR at CPL 3: the VM exit comes first", "Relative Priority of Faults and VM Exits"
    add_bits PROC_BASED_CONTROLS, PROC_MOV_DR
    call make_user
    guest .from_dr0
    enter_guest
    expect_exit REASON_DR
    case "MOV DR4 with CR4.DE: the VM exit comes first", "Relative Priority of Faults and VM Exits"
    add_bits PROC_BASED_CONTROLS, PROC_MOV_DR
    add_bits GUEST_CR4, 8
    guest .from_dr4
    enter_guest
    expect_exit REASON_DR
    expect EXIT_QUALIFICATION, 4 | (1 << 4)
    ret
.to_dr7:
    mov dr7, rbx
    vmcall
.from_dr0:
    mov r11, dr0
    vmcall
.from_dr4:
    db 0x0F, 0x21, 0xE0                 ; MOV RAX, DR4
    vmcall

; ------------------------------------------------------------------------------------------------- I/O
ports:
  %macro io 5                           ; name, port bit to be set, program, qualification, length
    case {"I/O bitmaps: ", %1}, "I/O-Bitmap Addresses"
    or byte [io_bitmap_a + (%2) / 8], 1 << ((%2) & 7)
    guest %3
    enter_guest
    mov byte [io_bitmap_a + (%2) / 8], 0
    expect_exit EXIT_REASON_IO
    expect EXIT_QUALIFICATION, %4
    expect VM_EXIT_INSTRUCTION_LENGTH, %5
  %endmacro
    io "OUT imm8, AL", 0x80, .out_byte, (0x80 << 16) | (1 << 6), 2
    io "OUT imm8, EAX: the last of its ports", 0x83, .out_dword, (0x80 << 16) | (1 << 6) | 3, 2
    io "OUT imm8, AX: the second of its ports", 0x81, .out_word, (0x80 << 16) | (1 << 6) | 1, 3
    io "IN AL, DX", 0x61, .in_byte, (0x61 << 16) | (1 << 3), 1
    io "IN EAX, DX in bitmap B", 0xFFFC, .in_high, (0xFFFC << 16) | (1 << 3) | 3, 1
    io "IN AX, DX across the bitmaps", 0x8000, .in_middle, (0x7FFF << 16) | (1 << 3) | 1, 2
    case "I/O bitmaps: the port space wraps", "I/O-Bitmap Addresses"
    guest .in_last
    enter_guest
    expect_exit EXIT_REASON_IO
    expect EXIT_QUALIFICATION, (0xFFFF << 16) | (1 << 3) | 1
    case "I/O bitmaps: the bit is 0", "I/O-Bitmap Addresses"
    bts dword [io_bitmap_a], 0x84
    bts dword [io_bitmap_a], 0x7F
    guest .out_dword
    enter_guest
    btr dword [io_bitmap_a], 0x84
    btr dword [io_bitmap_a], 0x7F
    expect_exit EXIT_REASON_VMCALL
    io "OUTSB", 0x80, .outsb, (0x80 << 16) | (1 << 4), 1
    expect GUEST_LINEAR_ADDRESS, operand
    expect VM_EXIT_INSTRUCTION_INFO, (2 << 7) | (3 << 15)
    io "REP INSW", 0x80, .insw, (0x80 << 16) | (1 << 3) | (1 << 4) | (1 << 5) | 1, 3
    expect GUEST_LINEAR_ADDRESS, operand
    mov ecx, VM_EXIT_INSTRUCTION_INFO
    vmread rax, rcx
    and eax, 7 << 7
    expect_value "address size", rax, 2 << 7
    io "OUTSD with FS and 32-bit addresses", 0x80, .outsd, (0x80 << 16) | (1 << 4) | 3, 3
    expect VM_EXIT_INSTRUCTION_INFO, (1 << 7) | (4 << 15)
    case "I/O: unconditional", "Instructions That Cause VM Exits Conditionally"
    clear_bits PROC_BASED_CONTROLS, PROC_USE_IO_BITMAPS
    add_bits PROC_BASED_CONTROLS, PROC_UNCONDITIONAL_IO
    guest .out_byte
    enter_guest
    expect_exit EXIT_REASON_IO
    case "I/O: neither control", "Instructions That Cause VM Exits Conditionally"
    clear_bits PROC_BASED_CONTROLS, PROC_USE_IO_BITMAPS | PROC_UNCONDITIONAL_IO
    guest .out_byte
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    case "I/O: the bitmaps make the other control unimportant", "Instructions That Cause VM Exits Conditionally"
    add_bits PROC_BASED_CONTROLS, PROC_UNCONDITIONAL_IO
    guest .out_byte
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    ret
.out_byte:
    out 0x80, al
    vmcall
.out_word:
    out 0x80, ax
    vmcall
.out_dword:
    out 0x80, eax
    vmcall
.in_byte:
    mov edx, 0x61
    in al, dx
    vmcall
.in_high:
    mov edx, 0xFFFC
    in eax, dx
    vmcall
.in_middle:
    mov edx, 0x7FFF
    in ax, dx
    vmcall
.in_last:
    mov edx, 0xFFFF
    in ax, dx
    vmcall
.outsb:
    mov edx, 0x80
    mov esi, operand
    outsb
    vmcall
.insw:
    mov edx, 0x80
    mov edi, operand
    mov ecx, 2
    rep insw
    vmcall
.outsd:
    mov edx, 0x80
    mov esi, operand
    db 0x64, 0x67, 0x6F
    vmcall

; ------------------------------------------------------------------------------------------------- MSRs
msrs:
  %macro msr 5                          ; name, byte of the bitmap page, bit, program, reason
    case {"MSR bitmaps: ", %1}, "MSR-Bitmap Address"
    or byte [msr_bitmaps + %2], 1 << (%3)
    guest %4
    enter_guest
    mov byte [msr_bitmaps + %2], 0
    expect_exit %5
    expect VM_EXIT_INSTRUCTION_LENGTH, 2
  %endmacro
    msr "RDMSR of a low MSR", 0x10 / 8, 0x10 % 8, .rdmsr, EXIT_REASON_RDMSR
    msr "WRMSR of a low MSR", 2048 + 0x10 / 8, 0x10 % 8, .wrmsr, REASON_WRMSR
    msr "RDMSR of a high MSR", 1024 + 0x82 / 8, 0x82 % 8, .rdmsr_high, EXIT_REASON_RDMSR
    msr "WRMSR of a high MSR", 3072 + 0x82 / 8, 0x82 % 8, .wrmsr_high, REASON_WRMSR
    msr "the last low MSR", 0x1FFF / 8, 7, .rdmsr_1fff, EXIT_REASON_RDMSR
    msr "RDMSR beyond the low MSRs", 0, 0, .rdmsr_2000, EXIT_REASON_RDMSR
    msr "RDMSR beyond the high MSRs", 0, 0, .rdmsr_c0002000, EXIT_REASON_RDMSR
    msr "WRMSR between them", 0, 0, .wrmsr_40000000, REASON_WRMSR
  %macro msr_passes 4
    case {"MSR bitmaps: ", %1}, "MSR-Bitmap Address"
    or byte [msr_bitmaps + %2], 1 << (%3)
    guest %4
    enter_guest
    mov byte [msr_bitmaps + %2], 0
    expect_exit EXIT_REASON_VMCALL
    expect_value "exceptions", [guest_vector], 0
  %endmacro
    msr_passes "the bit of writes says nothing of reads", 2048 + 0x10 / 8, 0, .rdmsr
    msr_passes "the bit of reads says nothing of writes", 1024 + 0x82 / 8, 0x82 % 8, .wrmsr_high
    msr_passes "the bit of the low MSR says nothing of the high one", 0x82 / 8, 0x82 % 8, .rdmsr_high
    case "MSRs: without bitmaps all exit", "Instructions That Cause VM Exits Conditionally"
    clear_bits PROC_BASED_CONTROLS, PROC_USE_MSR_BITMAPS
    guest .rdmsr
    enter_guest
    expect_exit EXIT_REASON_RDMSR
    case "MSRs: the VM exit comes before the #GP of an unknown MSR", "Relative Priority of Faults and VM Exits"
    guest .rdmsr_2000
    enter_guest
    expect_exit EXIT_REASON_RDMSR
    ret
.rdmsr:
    mov ecx, IA32_TSC
    rdmsr
    vmcall
.wrmsr:
    mov ecx, IA32_TSC
    wrmsr
    vmcall
.rdmsr_high:
    mov ecx, 0xC0000082
    rdmsr
    vmcall
.wrmsr_high:
    mov ecx, 0xC0000082
    xor eax, eax
    xor edx, edx
    wrmsr
    vmcall
.rdmsr_1fff:
    mov ecx, 0x1FFF
    rdmsr
    vmcall
.rdmsr_2000:
    mov ecx, 0x2000
    rdmsr
    vmcall
.rdmsr_c0002000:
    mov ecx, 0xC0002000
    rdmsr
    vmcall
.wrmsr_40000000:
    mov ecx, 0x40000000
    wrmsr
    vmcall

; ------------------------------------------------------------------------------------------------- descriptor tables
; Instruction information: 1:0 scaling, 9:7 address size, 10 register, 17:15 segment, 21:18 index, 22 no index, 26:23 base, 27 no base, 29:28 instruction.
NO_INDEX  equ 1 << 22
NO_BASE   equ 1 << 27
ADDRESS64 equ 2 << 7
ADDRESS32 equ 1 << 7
IN_DS     equ 3 << 15
tables:
  %macro table 6                        ; name, program, reason, length, qualification, information
    case {%1, ": descriptor-table exiting"}, "Information for VM Exits Due to Instruction Execution"
    needs PROC2_DESCRIPTOR_TABLES, %%skip
    guest %2
    enter_guest
    expect_exit %3
    expect GUEST_RIP, %2
    expect VM_EXIT_INSTRUCTION_LENGTH, %4
    expect EXIT_QUALIFICATION, %5
    mov ecx, VM_EXIT_INSTRUCTION_INFO
    vmread rax, rcx
    and eax, ~((1 << 11) | 0x7000 | (7 << 3) | (3 << 30) | 4)
    expect_value "VM_EXIT_INSTRUCTION_INFO", rax, (%6) & ~((1 << 11) | 0x7000 | (7 << 3) | (3 << 30) | 4)
  %%skip:
  %endmacro
    table "SGDT", .sgdt, REASON_GDTR_IDTR, 4, 0x10, ADDRESS64 | IN_DS | NO_INDEX | (3 << 23)
    table "SIDT", .sidt, REASON_GDTR_IDTR, 8, 0x1000, 2 | ADDRESS64 | IN_DS | (6 << 18) | (0 << 23) | (1 << 28)
    table "LGDT", .lgdt, REASON_GDTR_IDTR, 8, operand, ADDRESS64 | IN_DS | NO_INDEX | NO_BASE | (2 << 28)
    table "LIDT with RIP", .lidt, REASON_GDTR_IDTR, 7, operand, ADDRESS64 | IN_DS | NO_INDEX | NO_BASE | (3 << 28)
    table "LIDT with FS, index alone and 32-bit addresses", .lidt32, REASON_GDTR_IDTR, 11, 8, 3 | ADDRESS32 | (4 << 15) | (9 << 18) | NO_BASE | (3 << 28)
    table "SLDT to a register", .sldt, REASON_LDTR_TR, 3, 0, (1 << 10)
    table "STR to memory", .str, REASON_LDTR_TR, 5, -8, ADDRESS64 | (2 << 15) | NO_INDEX | (4 << 23) | (1 << 28)
    table "LLDT", .lldt, REASON_LDTR_TR, 3, 0, (1 << 10) | (2 << 28)
    table "LTR from memory", .ltr, REASON_LDTR_TR, 3, 0, ADDRESS64 | IN_DS | NO_INDEX | (1 << 23) | (3 << 28)
    case "SGDT: control off", "Instructions That Cause VM Exits Conditionally"
    mov qword [guest_registers + 24], operand - 0x10
    guest .sgdt
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    case "SLDT: the register", "Information for VM Exits Due to Instruction Execution"
    needs PROC2_DESCRIPTOR_TABLES, .none
    guest .sldt_r13
    enter_guest
    expect_exit REASON_LDTR_TR
    mov ecx, VM_EXIT_INSTRUCTION_INFO
    vmread rax, rcx
    and eax, (15 << 3) | (1 << 10)
    expect_value "VM_EXIT_INSTRUCTION_INFO", rax, (13 << 3) | (1 << 10)
.none:
    ret
.sgdt:
    sgdt [rbx + 0x10]
    vmcall
.sidt:
    sidt [rax + rsi * 4 + 0x1000]
.lgdt:
    lgdt [abs operand]
.lidt:
    lidt [rel operand]
.lidt32:
    a32 fs lidt [nosplit r9d * 8 + 8]
.sldt:
    sldt eax
.sldt_r13:
    sldt r13d
.str:
    str [rsp - 8]
.lldt:
    lldt ax
.ltr:
    ltr [rcx]

; ------------------------------------------------------------------------------------------------- VMX instructions in the guest
vmx_instructions:
  %macro vmx 6
    case {%1, ": VM exit"}, "Information for VM Exits Due to Instruction Execution"
    guest %2
    enter_guest
    expect_exit %3
    expect GUEST_RIP, %2
    expect VM_EXIT_INSTRUCTION_LENGTH, %4
    expect EXIT_QUALIFICATION, %5
  %if (%6) != 0
    mov ecx, VM_EXIT_INSTRUCTION_INFO
    vmread rax, rcx
    and eax, %%mask
    expect_value "VM_EXIT_INSTRUCTION_INFO", rax, (%6) & %%mask
  %endif
  ; undefined: 2, 6:3 for memory, 14:11, scaling without index
  %if (%6) & (1 << 10)
  %%mask equ 0xF0000000 | (1 << 10) | 0x78
  %else
  %%mask equ ~(0x7800 | 0x7C)
  %endif
  %endmacro
    vmx "VMCALL", guest_vmcall, EXIT_REASON_VMCALL, 3, 0, 0
    vmx "VMLAUNCH", .vmlaunch, REASON_VMLAUNCH, 3, 0, 0
    vmx "VMRESUME", .vmresume, REASON_VMRESUME, 3, 0, 0
    vmx "VMXOFF", .vmxoff, REASON_VMXOFF, 3, 0, 0
    vmx "VMCLEAR", .vmclear, REASON_VMCLEAR, 5, 0x18, ADDRESS64 | IN_DS | NO_INDEX | (3 << 23)
    vmx "VMPTRLD", .vmptrld, REASON_VMPTRLD, 8, operand, ADDRESS64 | IN_DS | NO_INDEX | NO_BASE
    vmx "VMPTRST", .vmptrst, REASON_VMPTRST, 5, 0, 1 | ADDRESS64 | (2 << 15) | (12 << 18) | (4 << 23)
    vmx "VMXON", .vmxon, REASON_VMXON, 6, -1, ADDRESS64 | IN_DS | NO_INDEX | (9 << 23)
    vmx "VMREAD to a register", .vmread, REASON_VMREAD, 3, 0, (1 << 10) | (2 << 28) | (6 << 3)
    vmx "VMREAD to memory", .vmread_memory, REASON_VMREAD, 4, 0, ADDRESS64 | IN_DS | NO_INDEX | (14 << 23) | (11 << 28)
    vmx "VMWRITE from a register", .vmwrite, REASON_VMWRITE, 4, 0, (1 << 10) | (12 << 28) | (13 << 3)
    vmx "VMWRITE from memory with RIP", .vmwrite_memory, REASON_VMWRITE, 7, operand, ADDRESS64 | IN_DS | NO_INDEX | NO_BASE | (7 << 28)
    vmx "INVEPT", .invept, REASON_INVEPT, 5, 0, ADDRESS64 | IN_DS | NO_INDEX | (0 << 23) | (3 << 28)
    vmx "INVVPID", .invvpid, REASON_INVVPID, 6, 0, 3 | ADDRESS64 | IN_DS | (1 << 18) | (2 << 23) | (5 << 28)
    ret
.vmlaunch:
    vmlaunch
.vmresume:
    vmresume
.vmxoff:
    vmxoff
    vmcall
.vmclear:
    vmclear [rbx + 0x18]
.vmptrld:
    vmptrld [abs operand]
.vmptrst:
    vmptrst [rsp + r12 * 2]
.vmxon:
    vmxon [r9 - 1]
.vmread:
    vmread rsi, rdx
.vmread_memory:
    vmread [r14], r11
.vmwrite:
    vmwrite r12, r13
.vmwrite_memory:
    vmwrite rdi, [rel operand]
.invept:
    invept rbx, [rax]
.invvpid:
    invvpid rbp, [rdx + rcx * 8]

; ------------------------------------------------------------------------------------------------- exceptions
exceptions:
  %macro exception 5                    ; name, vector, program, information, qualification
    case {"exception bitmap: ", %1}, "Exception Bitmap"
    set EXCEPTION_BITMAP, 1 << (%2)
    guest %3
    enter_guest
    expect_exit REASON_EXCEPTION_NMI
    expect VM_EXIT_INTERRUPTION_INFO, %4
    expect EXIT_QUALIFICATION, %5
    expect GUEST_RIP, %3
    expect IDT_VECTORING_INFO, 0
  %endmacro
    exception "#UD", 6, .ud, 0x80000306, 0
    expect GUEST_RFLAGS, 0x10002
    exception "#DE", 0, .de, 0x80000300, 0
    exception "#BP", 3, .bp, 0x80000603, 0
    expect VM_EXIT_INSTRUCTION_LENGTH, 1
    expect GUEST_RFLAGS, 2
    exception "INT1", 1, .icebp, 0x80000501, 0
    expect VM_EXIT_INSTRUCTION_LENGTH, 1
    exception "#GP", 13, .gp, 0x80000B0D, 0
    expect VM_EXIT_INTERRUPTION_ERROR, 0x1230
    mov eax, 0x1111
    mov cr2, rax
    exception "#PF", 14, .pf, 0x80000B0E, 0x40000000
    expect VM_EXIT_INTERRUPTION_ERROR, 2
    mov rax, cr2
    expect_value "CR2", rax, 0x1111
    case "exception bitmap: INT n is no exception", "Exception Bitmap"
    set EXCEPTION_BITMAP, -1
    set PAGE_FAULT_ERROR_CODE_MASK, 0
    guest .int6
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    expect_value "vector + 1", [guest_vector], 7

  %macro page_fault 5                   ; name, bit 14, mask, match, exits
    case {"page faults: ", %1}, "Exception Bitmap"
    set EXCEPTION_BITMAP, %2 << 14
    set PAGE_FAULT_ERROR_CODE_MASK, %3
    set PAGE_FAULT_ERROR_CODE_MATCH, %4
    guest .pf
    enter_guest
   %if %5
    expect_exit REASON_EXCEPTION_NMI
   %else
    expect_exit EXIT_REASON_VMCALL
    expect_value "vector + 1", [guest_vector], 15
   %endif
  %endmacro
    page_fault "bit 1, all match", 1, 0, 0, 1
    page_fault "bit 0, all match", 0, 0, 0, 0
    page_fault "bit 1, none matches", 1, 0, 1, 0
    page_fault "bit 0, none matches", 0, 0, 1, 1
    page_fault "bit 1, a write matches", 1, 2, 2, 1
    page_fault "bit 1, a read would match", 1, 2, 0, 0
    page_fault "bit 0, a read would match", 0, 2, 0, 1
    page_fault "bit 0, a write matches", 0, 3, 2, 0
    ret
.ud:
    ud2
.de:
    div ecx
.bp:
    int3
.icebp:
    db 0xF1
.gp:
    mov ds, [.selector]
.selector: dw 0x1230
.pf:
    mov [0x40000000], rax
    vmcall
.int6:
    int 6

; ------------------------------------------------------------------------------------------------- time
counters:
    case "TSC offsetting: RDTSC and RDMSR", "Other Changes of Instruction Behavior in VMX Non-Root Operation"
    add_bits PROC_BASED_CONTROLS, PROC_TSC_OFFSETTING
    mov rax, 1 << 60
    set TSC_OFFSET, rax
    guest .twice
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    mov rax, [guest_registers + 24]
    shr rax, 60
    expect_value "RDTSC, bits 63:60", rax, 1
    mov rax, [guest_registers + 48]
    shr rax, 60
    expect_value "RDMSR, bits 63:60", rax, 1
    case "TSC offset: not without the control", "Other Changes of Instruction Behavior in VMX Non-Root Operation"
    mov rax, 1 << 60
    set TSC_OFFSET, rax
    guest .twice
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    mov rax, [guest_registers + 24]
    shr rax, 60
    expect_value "RDTSC, bits 63:60", rax, 0
    case "TSC scaling", "Other Changes of Instruction Behavior in VMX Non-Root Operation"
    needs PROC2_TSC_SCALING, .none
    add_bits PROC_BASED_CONTROLS, PROC_TSC_OFFSETTING
    set TSC_OFFSET, 0
    mov rax, 1 << 58                    ; times 1024
    set TSC_MULTIPLIER, rax
    rdtsc
    shl rdx, 32
    or rax, rdx
    mov r15, rax
    guest .twice
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    mov rax, [guest_registers + 24]
    shr rax, 9
    xor edx, edx
    cmp rax, r15
    seta dl
    expect_value "more than 512 times as much", rdx, 1
    case "TSC: the MSR-store area has no offset", "Saving MSRs"
    add_bits PROC_BASED_CONTROLS, PROC_TSC_OFFSETTING
    mov rax, 1 << 60
    set TSC_OFFSET, rax
    mov qword [operand], IA32_TSC
    mov qword [operand + 8], 0
    set 0x2006, operand
    set VM_EXIT_MSR_STORE_COUNT, 1
    guest .twice
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    mov rax, [operand + 8]
    shr rax, 60
    expect_value "TSC stored, bits 63:60", rax, 0
    case "TSC: WRMSR knows no offset", "Other Changes of Instruction Behavior in VMX Non-Root Operation"
    add_bits PROC_BASED_CONTROLS, PROC_TSC_OFFSETTING
    mov rax, 1 << 60
    set TSC_OFFSET, rax
    guest .write
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    rdtsc
    shr edx, 20
    expect_value "TSC of the host, bits 63:52", rdx, 1
    mov ecx, IA32_TSC
    xor eax, eax
    xor edx, edx
    wrmsr
.none:
    ret
.twice:
    rdtsc
    shl rdx, 32
    lea rbx, [rax + rdx]
    mov ecx, IA32_TSC
    rdmsr
    shl rdx, 32
    lea rsi, [rax + rdx]
    vmcall
.write:
    mov ecx, IA32_TSC
    xor eax, eax
    mov edx, 1 << 20
    wrmsr
    vmcall
