; Exercises: the cost of a VM exit with what a hypervisor does on it and the VM entry after it, by kind of exit. L2 causes `count` exits of one
; kind, L1 reads the reason, the instruction length and RIP, writes RIP behind the instruction and resumes. Multiboot command line:
;   count=N     round trips, default 10000
;   kind=cpuid|io|rdmsr|ept   what L2 executes: CPUID, OUT to port 80H, RDMSR of an MSR beyond the bitmaps, a load from a page that EPT leaves out
;               (L1 reads the qualification and the guest-physical address too); default cpuid
;   plain       neither EPT nor VPID, so that every entry and exit flushes; otherwise both

%include "long-mode.inc"
%include "serial.inc"
%include "exceptions.inc"
%include "vmx.inc"
%include "vmcs-template.inc"

DEFAULT_COUNT     equ 10000
HAS_COMMAND_LINE  equ 1 << 2
INFO_COMMAND_LINE equ 16                ; offset in the multiboot information
GUEST_IDT_BYTES   equ 16
PROC2_VPID        equ 1 << 5
VIRTUAL_PROCESSOR_IDENTIFIER equ 0x0000
EXIT_QUALIFICATION equ 0x6400
MSR_BEYOND_BITMAPS equ 0x40000000
OUTSIDE_EPT       equ (EPT_MAPPED_LARGE_PAGES - 1) << 21
PORT              equ 0x80

section .bss
alignb 4096
vmxon_region: resb 4096
host_stack:   resb 4096
host_stack_top:
guest_idt:    resb 16                   ; empty: L2 has no use for it
exits:        resd 1
plain:        resb 1

section .data
align 8
kind:         dq guest_cpuid

section .text
main:
    mov ebx, DEFAULT_COUNT
    call read_command_line              ; EBX = count
    mov r13d, ebx
    call idt_init
    print "round-trips: count "
    mov eax, r13d
    call print_decimal
    print 10
    call check_vmx
    call fix_control_registers
    mov ecx, IA32_VMX_BASIC
    rdmsr
    and eax, 0x7FFFFFFF
    mov [vmxon_region], eax
    mov [vmcs_region], eax
    push vmxon_region
    vmxon [rsp]
    pop rax
    jbe vm_instruction_failed
    mov byte [io_bitmap_a + PORT / 8], 1 << (PORT & 7)
    call prepare_identity_ept
    mov qword [ept_pd + 8 * (EPT_MAPPED_LARGE_PAGES - 1)], 0
    call prepare_template
    cmp byte [plain], 0
    jne .without_ept
    template_control template_proc2, IA32_VMX_PROCBASED_CTLS2, PROC2_ENABLE_EPT | PROC2_VPID
    jmp .write
.without_ept:
    template_control template_proc2, IA32_VMX_PROCBASED_CTLS2, 0
.write:
    call apply_template
    vmcs_write HOST_RSP, host_stack_top
    vmcs_write GUEST_RIP, [kind]
    cmp byte [plain], 0
    jne .launch
    vmcs_write VIRTUAL_PROCESSOR_IDENTIFIER, 1
.launch:
    print "begin", 10
    vmlaunch
    jmp vm_instruction_failed

vm_exit_handler:
    push rax
    push rcx
    push rdx
    vmcs_read rax, EXIT_REASON
    cmp eax, EXIT_REASON_EPT_VIOLATION
    je .ept_violation
    cmp eax, EXIT_REASON_HLT
    je .done
    cmp eax, EXIT_REASON_CPUID
    je .advance
    cmp eax, EXIT_REASON_IO
    je .advance
    cmp eax, EXIT_REASON_RDMSR
    jne failed
.advance:
    inc dword [exits]
    vmcs_read rax, VM_EXIT_INSTRUCTION_LENGTH
.move:
    vmcs_read rdx, GUEST_RIP
    add rax, rdx
    vmcs_write GUEST_RIP, rax
    pop rdx
    pop rcx
    pop rax
    vmresume
    jmp vm_instruction_failed
.ept_violation:
    inc dword [exits]
    vmcs_read rax, EXIT_QUALIFICATION
    vmcs_read rdx, GUEST_PHYSICAL_ADDRESS
    cmp edx, OUTSIDE_EPT
    jne failed
    mov eax, guest_ept.behind - guest_ept.load
    jmp .move
.done:
    print "DONE "
    mov eax, [exits]
    call print_decimal
    print 10
    vmxoff
    mov al, STATUS_GOOD
    jmp finish

; L2: one loop for each kind, in a page of its own, as a guest's code is.
    align 4096, db 0
guest_cpuid:
    cpuid                               ; L1 gives no values: the registers keep theirs
    dec r13d
    jnz guest_cpuid
    jmp guest_done
guest_io:
    out PORT, al
    dec r13d
    jnz guest_io
    jmp guest_done
guest_rdmsr:
    mov ecx, MSR_BEYOND_BITMAPS
.next:
    rdmsr
    dec r13d
    jnz .next
    jmp guest_done
guest_ept:
.load:
    mov eax, [OUTSIDE_EPT]
.behind:
    dec r13d
    jnz guest_ept
guest_done:
    hlt
    align 4096, db 0
guest_code equ guest_cpuid              ; the template's; main writes the chosen one

; Reads the words above from the command line that ESI's information structure leads to.
read_command_line:
    test dword [rsi], HAS_COMMAND_LINE
    jz .done
    mov esi, [rsi + INFO_COMMAND_LINE]
.search:
    cmp byte [rsi], 0
    je .done
    cmp dword [rsi], 'coun'
    je .count
    cmp dword [rsi], 'plai'
    je .plain
    cmp dword [rsi], 'kind'
    je .kind
.again:
    inc esi
    jmp .search
.plain:
    mov byte [plain], 1
    jmp .again
.kind:
    mov eax, guest_io
    cmp word [rsi + 5], 'io'
    je .chosen
    mov eax, guest_rdmsr
    cmp word [rsi + 5], 'rd'
    je .chosen
    mov eax, guest_ept
    cmp word [rsi + 5], 'ep'
    jne .again
.chosen:
    mov [kind], rax
    jmp .again
.count:
    add esi, 6
    xor ebx, ebx
.digit:
    movzx eax, byte [rsi]
    sub eax, '0'
    cmp eax, 9
    ja .search
    imul ebx, ebx, 10
    add ebx, eax
    inc esi
    jmp .digit
.done:
    ret

vm_instruction_failed:
    print "a VMX instruction failed", 10
    jmp failed
on_exception:
    print "unexpected exception", 10
failed:
    print "round-trips: FAILED", 10
    mov al, STATUS_BAD
    jmp finish
