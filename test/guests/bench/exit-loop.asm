; Exercises: the cost of VM exits and entries. L2 executes VMCALL `count` times (multiboot command line, default 10000); L1 reads
; the exit reason, the instruction length and RIP, writes RIP, and resumes. After L2's HLT, L1 prints how many exits it saw.

%include "long-mode.inc"
%include "serial.inc"
%include "exceptions.inc"
%include "vmx.inc"
%include "vmcs-template.inc"

DEFAULT_COUNT   equ 10000
HAS_COMMAND_LINE equ 1 << 2
INFO_COMMAND_LINE equ 16                ; offset in the multiboot information
GUEST_IDT_BYTES equ 16

section .bss
alignb 4096
vmxon_region: resb 4096
host_stack:   resb 4096
host_stack_top:
guest_idt:    resb 16                   ; empty: L2 has no use for it
exits:        resd 1

section .text
main:
    call read_count                     ; EBX = count
    mov r13d, ebx
    call idt_init
    print "exit-loop: count "
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
    call prepare_identity_ept
    call prepare_template
    call apply_template
    vmcs_write HOST_RSP, host_stack_top
    print "begin", 10
    vmlaunch
    jmp vm_instruction_failed

vm_exit_handler:
    push rax
    push rcx
    push rdx
    vmcs_read rax, EXIT_REASON
    cmp eax, EXIT_REASON_VMCALL
    jne .other
    inc dword [exits]
    vmcs_read rax, VM_EXIT_INSTRUCTION_LENGTH
    vmcs_read rdx, GUEST_RIP
    add rax, rdx
    vmcs_write GUEST_RIP, rax
    pop rdx
    pop rcx
    pop rax
    vmresume
    jmp vm_instruction_failed
.other:
    cmp eax, EXIT_REASON_HLT
    jne failed
    print "DONE "
    mov eax, [exits]
    call print_decimal
    print 10
    cmp [exits], r13d                   ; L2 leaves this register alone
    jne failed
    vmxoff
    mov al, STATUS_GOOD
    jmp finish

; L2.
guest_code:
    mov ebx, r13d
.next:
    vmcall
    dec ebx
    jnz .next
    hlt

; EBX = the number after "count=" on the command line that ESI's information structure leads to.
read_count:
    mov ebx, DEFAULT_COUNT
    test dword [rsi], HAS_COMMAND_LINE
    jz .done
    mov esi, [rsi + INFO_COMMAND_LINE]
.search:
    cmp byte [rsi], 0
    je .done
    inc esi
    cmp dword [rsi - 1], 'coun'
    jne .search
    cmp word [rsi + 3], 't='
    jne .search
    add esi, 5
    xor ebx, ebx
.digit:
    movzx eax, byte [rsi]
    sub eax, '0'
    cmp eax, 9
    ja .done
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
    print "exit-loop: FAILED", 10
    mov al, STATUS_BAD
    jmp finish
