; entry-failure: one wrong VMCS after another. Each case starts from a VMCS that works, breaks one thing, tries to enter the guest,
; and compares what the processor says with what the manual demands (Intel SDM volume 3, "VM Entries", and the descriptions
; of the VMX instructions). Where it is cheap, the nearest legal value follows, and that one has to enter.
;
; A processor refuses in three ways, and this program shows all of them:
;
;   VMfailInvalid   CF = 1: there is no current VMCS that could hold an error number
;   VMfailValid n   ZF = 1: n is in the VMCS, in the field "VM-instruction error" (7: controls, 8: host state, ...)
;   exit 33, 34     the entry got as far as the guest's state (33) or the MSR-load list (34): it ends like a VM exit, with bit 31 of
;                   the exit reason set, and the exit qualification says a little more
;
; The guest is one instruction, VMCALL: an entry that succeeds comes back with exit reason 18.
;
; Good things to try in the debugger: the exception filter "vm-entry-failure" stops at each refusal and names the failed check.

%include "long-mode.inc"
%include "serial.inc"
%include "exceptions.inc"
%include "vmx.inc"
%include "vmcs-template.inc"

; What can come of an attempt. The low half is the VM-instruction error or the basic exit reason.
KIND_SUCCESS       equ 0 << 16          ; the VMX instruction succeeded (and was no VM entry)
KIND_FAIL_INVALID  equ 1 << 16
KIND_FAIL_VALID    equ 2 << 16
KIND_ENTRY_FAILURE equ 3 << 16          ; exit reason with bit 31
KIND_EXIT          equ 4 << 16          ; the guest ran, and exited with this reason
ENTERS             equ KIND_EXIT | EXIT_REASON_VMCALL
BAD_CONTROLS       equ KIND_FAIL_VALID | 7
BAD_HOST_STATE     equ KIND_FAIL_VALID | 8
BAD_GUEST_STATE    equ KIND_ENTRY_FAILURE | EXIT_REASON_GUEST_STATE
BAD_MSR_LOADING    equ KIND_ENTRY_FAILURE | EXIT_REASON_MSR_LOADING

MSR_SYSENTER_CS    equ 0x174            ; may stand in an MSR-load list
MSR_FS_BASE        equ 0xC0000100       ; may not: the manual names it among the forbidden ones

NON_CANONICAL      equ 0x0001000000000000
NO_SUCH_FIELD      equ 0x6FFE

section .bss
alignb 4096
vmxon_region:  resb 4096
linked_region: resb 4096                ; another region with the right revision identifier
wrong_region:  resb 4096                ; a region with a wrong one
attempt_rsp:   resq 1                   ; where an attempt goes on after a VM exit
outcome:       resq 1                   ; KIND_... and number
qualification: resq 1
cases_run:     resd 1
cases_bad:     resd 1

section .data
align 16
msr_list_good: dd MSR_SYSENTER_CS, 0
               dq 0
msr_list_bad:  dd MSR_FS_BASE, 0
               dq 0
guest_idt:     times 2 dq 0, 0          ; only vector 2, NMI, has a gate
guest_nmi_gate: dq 0, 0
GUEST_IDT_BYTES equ $ - guest_idt

section .text

main:
    call idt_init
    print "entry-failure: wrong VMX operands and wrong VMCSs, one after another", 10
    call check_vmx
    call fix_control_registers
    call prepare_regions
    call prepare_template

    mov ebx, cases
.next:
    cmp ebx, cases_end
    je .end
    call run_case
    add ebx, case_row_size
    jmp .next
.end:
    vmxoff
    mov eax, [cases_run]
    call print_decimal
    print " attempts, "
    mov eax, [cases_bad]
    call print_decimal
    print " not as the manual says", 10
    cmp dword [cases_bad], 0
    jne failed
    print "entry-failure: good", 10
    mov al, STATUS_GOOD
    jmp finish

; ------------------------------------------------------------------------------------------------- preparations

prepare_regions:
    mov ecx, IA32_VMX_BASIC
    rdmsr
    and eax, 0x7FFFFFFF
    mov [vmxon_region], eax
    mov [vmcs_region], eax
    mov [linked_region], eax
    xor eax, 1
    mov [wrong_region], eax

    call prepare_identity_ept

    mov eax, guest_nmi
    mov [guest_nmi_gate], ax
    mov word [guest_nmi_gate + 2], SELECTOR_CODE64
    mov word [guest_nmi_gate + 4], 0x8E00
    shr eax, 16
    mov [guest_nmi_gate + 6], ax
    ret

; ------------------------------------------------------------------------------------------------- running the cases

struc case_row
.name:       resd 1                     ; text
.routine:    resd 1                     ; ends with the VMX instruction that is tried, and RET
.prepare:    resd 1                     ; further VMWRITEs that bad and good share, or 0
.field:      resd 1                     ; the field to break, or 0: one attempt, with the VMCS as it is
.flip:       resd 1                     ; 0: write the value; 1: XOR it to the template's value
.good_flip:  resd 1
.bad:        resq 1
.good:       resq 1
.good_name:  resd 1                     ; text
.expected:   resd 1                     ; the outcome of the bad attempt
.qualification: resq 1
endstruc

; RBX: the row.
run_case:
    cmp dword [rbx + case_row.field], 0
    jne .with_field
    mov esi, [rbx + case_row.name]
    mov edi, [rbx + case_row.routine]
    mov edx, [rbx + case_row.expected]
    mov r8, [rbx + case_row.qualification]
    jmp attempt

.with_field:
    call apply_template
    mov edi, [rbx + case_row.prepare]
    test edi, edi
    jz .prepared
    call rdi
.prepared:
    mov ecx, [rbx + case_row.field]
    vmread r15, rcx                     ; the template's value
    mov rax, [rbx + case_row.bad]
    mov edx, [rbx + case_row.flip]
    call write_field
    mov esi, [rbx + case_row.name]
    mov edi, [rbx + case_row.routine]
    mov edx, [rbx + case_row.expected]
    mov r8, [rbx + case_row.qualification]
    call attempt

    ; The refused VMCS is still clear and current. Only the field is mended, and the same VMLAUNCH has to enter.
    mov esi, [rbx + case_row.good_name]
    mov rax, [rbx + case_row.good]
    mov edx, [rbx + case_row.good_flip]
    call write_field
    mov edi, [rbx + case_row.routine]
    mov edx, ENTERS
    xor r8d, r8d
    jmp attempt

; RAX: a value or bits to flip in R15, as EDX says.
write_field:
    test edx, edx
    jz .write
    xor rax, r15
.write:
    mov ecx, [rbx + case_row.field]
    vmwrite rcx, rax
    jbe vm_instruction_failed
    ret

; ESI: text, EDI: routine, EDX: expected outcome, R8: expected qualification. The guest changes no general register, so
; they survive a VM exit as they survive a call.
attempt:
    mov [attempt_rsp], rsp
    mov qword [qualification], 0
    call rdi
    jc .fail_invalid
    jz .fail_valid
    mov eax, KIND_SUCCESS
    jmp .known
.fail_invalid:
    mov eax, KIND_FAIL_INVALID
    jmp .known
.fail_valid:
    mov ecx, VM_INSTRUCTION_ERROR
    vmread rax, rcx
    or eax, KIND_FAIL_VALID
    jmp .known

vm_exit_handler:
    mov rsp, [attempt_rsp]
    vmcs_read rax, EXIT_QUALIFICATION
    mov [qualification], rax
    vmcs_read rax, EXIT_REASON
    bt eax, EXIT_REASON_ENTRY_FAILURE_BIT
    movzx eax, ax
    jc .entry_failure
    or eax, KIND_EXIT
    jmp attempt.known
.entry_failure:
    or eax, KIND_ENTRY_FAILURE
    jmp attempt.known

attempt.known:
    mov [outcome], rax

    inc dword [cases_run]
    call print_padded
    call print_outcome
    cmp [outcome], rdx
    jne .bad
    cmp [qualification], r8
    jne .bad
    print "ok", 10
    ret
.bad:
    inc dword [cases_bad]
    print "BAD, expected "
    mov [outcome], rdx
    mov [qualification], r8
    call print_outcome
    print 10
    ret

; RSI: text, followed by spaces up to a fixed column.
NAME_COLUMNS equ 64
print_padded:
    push rax
    push rcx
    push rsi
    mov ecx, NAME_COLUMNS
.next:
    lodsb
    test al, al
    jz .pad
    call print_char
    dec ecx
    jmp .next
.pad:
    mov al, ' '
    call print_char
    dec ecx
    jg .pad
    pop rsi
    pop rcx
    pop rax
    ret

print_outcome:
    push rax
    push rcx
    push rsi
    mov eax, [outcome]
    shr eax, 16
    mov esi, [outcome_texts + rax * 4]
    call print_string
    mov eax, [outcome]
    movzx ecx, ax
    cmp eax, KIND_FAIL_VALID
    jb .done
    mov eax, ecx
    call print_decimal
    cmp byte [outcome + 2], KIND_ENTRY_FAILURE >> 16
    jne .done
    print ", qualification "
    mov eax, [qualification]
    call print_decimal
.done:
    print "; "
    pop rsi
    pop rcx
    pop rax
    ret

section .rodata
text_success:       db 'succeeds', 0
text_fail_invalid:  db 'VMfailInvalid', 0
text_fail_valid:    db 'VMfailValid ', 0
text_entry_failure: db 'entry failure, exit reason ', 0
text_exit:          db 'enters, exit reason ', 0
align 4
outcome_texts: dd text_success, text_fail_invalid, text_fail_valid, text_entry_failure, text_exit
section .text

; The guest.
guest_code:
    vmcall
guest_nmi:                              ; the handler of an injected NMI
    vmcall

; ------------------------------------------------------------------------------------------------- what is tried

; An attempt: push the operand, execute, and take the operand away again without touching the flags.
%macro with_operand 2.nolist
    push %2
    %1 [rsp]
    lea rsp, [rsp + 8]
    ret
%endmacro

try_vmxon_unaligned:   with_operand vmxon, vmxon_region + 8
try_vmxon_wrong:       with_operand vmxon, wrong_region
try_vmxon:             with_operand vmxon, vmxon_region
try_vmclear_unaligned: with_operand vmclear, vmcs_region + 0x10
try_vmclear_vmxon:     with_operand vmclear, vmxon_region
try_vmclear:           with_operand vmclear, vmcs_region
try_vmptrld_unaligned: with_operand vmptrld, vmcs_region + 0x800
try_vmptrld_vmxon:     with_operand vmptrld, vmxon_region
try_vmptrld_wrong:     with_operand vmptrld, wrong_region
try_vmptrld:           with_operand vmptrld, vmcs_region

try_vmread_nothing:
    mov ecx, NO_SUCH_FIELD
    vmread rax, rcx
    ret
try_vmwrite_nothing:
    mov ecx, NO_SUCH_FIELD
    vmwrite rcx, rcx
    ret

; Whether the read-only fields can be written is told by bit 29 of IA32_VMX_MISC. So that this program prints the same on every
; processor, this attempt counts as a success when the processor does as that bit says: VMsucceed, or VMfailValid 13.
try_vmwrite_read_only:
    push rdx
    mov ecx, IA32_VMX_MISC
    rdmsr
    pop rdx
    mov ecx, EXIT_REASON
    bt eax, VMX_MISC_VMWRITE_ANY_BIT
    jnc .refused
    vmwrite rcx, rcx
    ret
.refused:
    vmwrite rcx, rcx
    jnz .otherwise                      ; not VMfailValid
    mov ecx, VM_INSTRUCTION_ERROR
    vmread rax, rcx
    cmp eax, 13
    jne .otherwise
    test esp, esp                       ; CF = 0, ZF = 0
    ret
.otherwise:
    stc
    ret

try_vmlaunch:
    vmlaunch
    ret
try_vmlaunch_template:
    push rsi
    call apply_template
    pop rsi
    vmlaunch
    ret
try_vmlaunch_after_mov_ss:
    mov eax, SELECTOR_DATA
    mov ss, eax                         ; blocks events until the next instruction has ended, and VM entries with them
    vmlaunch
    ret
try_vmresume:
    vmresume
    ret
try_invept_wrong_type:
    mov eax, 3                          ; types 1 (single context) and 2 (all contexts) exist
    push 0
    push qword 0
    invept rax, [rsp]
    lea rsp, [rsp + 16]
    ret

; Preparations that bad and good attempts share.
one_entry_msr:
    vmcs_write VM_ENTRY_MSR_LOAD_COUNT, 1
    ret
one_exit_msr:
    vmcs_write VM_EXIT_MSR_LOAD_COUNT, 1
    ret
compatibility_cs:
    vmcs_write GUEST_CS_ACCESS_RIGHTS, RIGHTS_CODE32
    ret

; instruction "name", routine, expected
%macro instruction 3.nolist
  [section .rodata]
%%name: db %1, 0
  __?SECT?__
    dd %%name, %2, 0, 0, 0, 0
    dq 0, 0
    dd 0, %3
    dq 0
%endmacro

; wrong "name", field, SET|FLIP, value, expected, qualification, preparation or 0 :
; begins a row; `legal` must follow it.
%define SET  0
%define FLIP 1
%macro wrong 7.nolist
  [section .rodata]
%%name: db %1, 0
  __?SECT?__
    dd %%name, try_vmlaunch, %7, %2, %3
%define pending_value %4
%define pending_expected %5
%define pending_qualification %6
%endmacro
; legal "name", SET|FLIP, value: ends the row that `wrong` began.
%macro legal 3.nolist
  [section .rodata]
%%name: db '    ', %1, 0
  __?SECT?__
    dd %2
    dq pending_value, %3
    dd %%name, pending_expected
    dq pending_qualification
%endmacro

section .data
align 8
cases:
    ; "VMXON": outside VMX operation every refusal is VMfailInvalid.
    instruction "VMXON, pointer not on a page boundary", try_vmxon_unaligned, KIND_FAIL_INVALID
    instruction "VMXON, wrong revision identifier in the region", try_vmxon_wrong, KIND_FAIL_INVALID
    instruction "VMXON, all right", try_vmxon, KIND_SUCCESS

    ; In VMX root operation without a current VMCS: an error number would have no place to go.
    instruction "VMLAUNCH without a current VMCS", try_vmlaunch, KIND_FAIL_INVALID
    instruction "VMRESUME without a current VMCS", try_vmresume, KIND_FAIL_INVALID
    instruction "VMPTRLD, wrong revision identifier, no current VMCS", try_vmptrld_wrong, KIND_FAIL_INVALID
    instruction "VMCLEAR, all right", try_vmclear, KIND_SUCCESS
    instruction "VMPTRLD, all right", try_vmptrld, KIND_SUCCESS

    ; "VM-Instruction Error Numbers"
    instruction "VMXON in VMX root operation", try_vmxon, KIND_FAIL_VALID | 15
    instruction "VMCLEAR, pointer not on a page boundary", try_vmclear_unaligned, KIND_FAIL_VALID | 2
    instruction "VMCLEAR of the VMXON region", try_vmclear_vmxon, KIND_FAIL_VALID | 3
    instruction "VMPTRLD, pointer not on a page boundary", try_vmptrld_unaligned, KIND_FAIL_VALID | 9
    instruction "VMPTRLD of the VMXON region", try_vmptrld_vmxon, KIND_FAIL_VALID | 10
    instruction "VMPTRLD, wrong revision identifier", try_vmptrld_wrong, KIND_FAIL_VALID | 11
    instruction "VMREAD of a field that does not exist", try_vmread_nothing, KIND_FAIL_VALID | 12
    instruction "VMWRITE of a field that does not exist", try_vmwrite_nothing, KIND_FAIL_VALID | 12
    instruction "VMWRITE of a read-only field, as IA32_VMX_MISC bit 29 says", try_vmwrite_read_only, KIND_SUCCESS
    instruction "INVEPT of a type that does not exist", try_invept_wrong_type, KIND_FAIL_VALID | 28
    instruction "VMRESUME of a VMCS that was not launched", try_vmresume, KIND_FAIL_VALID | 5
    instruction "VMLAUNCH right after MOV SS", try_vmlaunch_after_mov_ss, KIND_FAIL_VALID | 26
    instruction "VMLAUNCH, all right", try_vmlaunch_template, ENTERS
    instruction "VMLAUNCH of a VMCS that is launched", try_vmlaunch, KIND_FAIL_VALID | 4
    instruction "VMRESUME of a VMCS that is launched", try_vmresume, ENTERS

    ; "Checks on VMX Controls"
    wrong "pin-based controls all 0", PIN_BASED_CONTROLS, SET, 0, BAD_CONTROLS, 0, 0
    legal "the bits set that must be 1", FLIP, 0
    wrong "virtual NMIs without NMI exiting", PIN_BASED_CONTROLS, FLIP, PIN_VIRTUAL_NMIS, BAD_CONTROLS, 0, 0
    legal "NMI exiting without virtual NMIs", FLIP, PIN_NMI_EXITING
    wrong "CR3-target count 5", CR3_TARGET_COUNT, SET, 5, BAD_CONTROLS, 0, 0
    legal "CR3-target count 4", SET, 4
    wrong "I/O bitmap A not on a page boundary", IO_BITMAP_A, FLIP, 1, BAD_CONTROLS, 0, 0
    legal "I/O bitmap A on a page boundary", FLIP, 0
    wrong "MSR bitmaps not on a page boundary", MSR_BITMAPS, FLIP, 0x800, BAD_CONTROLS, 0, 0
    legal "MSR bitmaps on a page boundary", FLIP, 0
    wrong "EPT pointer with memory type 2", EPT_POINTER, FLIP, 6 ^ 2, BAD_CONTROLS, 0, 0
    legal "EPT pointer with memory type 6, write-back", FLIP, 0
    wrong "EPT pointer with a page walk of 3 levels", EPT_POINTER, FLIP, (3 ^ 2) << 3, BAD_CONTROLS, 0, 0
    legal "EPT pointer with a page walk of 4 levels", FLIP, 0
    wrong "VM-exit MSR-load list not on a 16-byte boundary", VM_EXIT_MSR_LOAD_ADDRESS, SET, msr_list_good + 8, BAD_CONTROLS, 0, one_exit_msr
    legal "the list on a 16-byte boundary", SET, msr_list_good
    wrong "injecting an event of the reserved type 1", VM_ENTRY_INTERRUPTION_INFO, SET, 0x80000100, BAD_CONTROLS, 0, 0
    legal "the same without the valid bit", SET, 0x100
    wrong "injecting an NMI with vector 3", VM_ENTRY_INTERRUPTION_INFO, SET, 0x80000203, BAD_CONTROLS, 0, 0
    legal "injecting an NMI with vector 2", SET, 0x80000202

    ; "Checks on Host Control Registers, MSRs, and Segment Registers"
    wrong "host CR0 without PG", HOST_CR0, FLIP, CR0_PG, BAD_HOST_STATE, 0, 0
    legal "host CR0 with PG", FLIP, 0
    wrong "host CR3 with bit 62", HOST_CR3, FLIP, 1 << 62, BAD_HOST_STATE, 0, 0
    legal "host CR3 without bit 62", FLIP, 0
    wrong "host CS null", HOST_CS_SELECTOR, SET, 0, BAD_HOST_STATE, 0, 0
    legal "host CS not null", FLIP, 0
    wrong "host DS with RPL 3", HOST_DS_SELECTOR, SET, SELECTOR_DATA | 3, BAD_HOST_STATE, 0, 0
    legal "host DS null", SET, 0
    wrong "host SS with the TI flag", HOST_SS_SELECTOR, SET, SELECTOR_DATA | 4, BAD_HOST_STATE, 0, 0
    legal "host SS null, which a 64-bit host may have", SET, 0
    wrong "host TR null", HOST_TR_SELECTOR, SET, 0, BAD_HOST_STATE, 0, 0
    legal "host TR not null", FLIP, 0
    wrong "host RIP not canonical", HOST_RIP, SET, NON_CANONICAL, BAD_HOST_STATE, 0, 0
    legal "host RIP canonical", FLIP, 0
    wrong "host IA32_EFER without LMA for a 64-bit host", HOST_IA32_EFER, SET, EFER_LME, BAD_HOST_STATE, 0, 0
    legal "host IA32_EFER with LMA, and SCE", SET, EFER_LMA | EFER_LME | 1

    ; "Checks on the Guest State Area"
    wrong "guest CR0 with PG but without PE", GUEST_CR0, FLIP, CR0_PE, BAD_GUEST_STATE, 0, 0
    legal "guest CR0 with both", FLIP, 0
    wrong "guest CR3 with bit 62", GUEST_CR3, FLIP, 1 << 62, BAD_GUEST_STATE, 0, 0
    legal "guest CR3 without bit 62", FLIP, 0
    wrong "IA-32e mode guest without CR4.PAE", GUEST_CR4, FLIP, CR4_PAE, BAD_GUEST_STATE, 0, 0
    legal "IA-32e mode guest with CR4.PAE", FLIP, 0
    wrong "IA-32e mode guest without EFER.LMA", GUEST_IA32_EFER, FLIP, EFER_LMA, BAD_GUEST_STATE, 0, 0
    legal "IA-32e mode guest with EFER.LMA", FLIP, 0
    wrong "guest CS with both L and D", GUEST_CS_ACCESS_RIGHTS, FLIP, 1 << 14, BAD_GUEST_STATE, 0, 0
    legal "guest CS with L alone", FLIP, 0
    wrong "guest CS limit 0xfffff000 with G", GUEST_CS_LIMIT, SET, 0xFFFFF000, BAD_GUEST_STATE, 0, 0
    legal "guest CS limit 0xfff with G", SET, 0xFFF
    wrong "guest SS with another RPL than CS", GUEST_SS_SELECTOR, SET, SELECTOR_DATA | 1, BAD_GUEST_STATE, 0, 0
    legal "guest SS with the RPL of CS", FLIP, 0
    wrong "guest SS read-only", GUEST_SS_ACCESS_RIGHTS, FLIP, 2, BAD_GUEST_STATE, 0, 0
    legal "guest SS unusable", SET, RIGHTS_UNUSABLE
    wrong "guest TR unusable", GUEST_TR_ACCESS_RIGHTS, SET, RIGHTS_UNUSABLE, BAD_GUEST_STATE, 0, 0
    legal "guest TR a busy 64-bit TSS", FLIP, 0
    wrong "guest TR a busy 16-bit TSS in IA-32e mode", GUEST_TR_ACCESS_RIGHTS, SET, 0x83, BAD_GUEST_STATE, 0, 0
    legal "guest TR a busy 64-bit TSS", FLIP, 0
    wrong "guest GDTR limit 0x10000", GUEST_GDTR_LIMIT, SET, 0x10000, BAD_GUEST_STATE, 0, 0
    legal "guest GDTR limit 0xffff", SET, 0xFFFF
    wrong "guest RIP above 4 GiB with a 32-bit CS", GUEST_RIP, FLIP, 1 << 32, BAD_GUEST_STATE, 0, compatibility_cs
    legal "guest RIP below 4 GiB with a 32-bit CS", FLIP, 0
    wrong "guest RFLAGS without bit 1", GUEST_RFLAGS, SET, 0, BAD_GUEST_STATE, 0, 0
    legal "guest RFLAGS with bit 1 and all arithmetic flags", SET, 0x8D7
    wrong "guest RFLAGS with VM in IA-32e mode", GUEST_RFLAGS, FLIP, 1 << 17, BAD_GUEST_STATE, 0, 0
    legal "guest RFLAGS without VM", FLIP, 0
    wrong "injecting an external interrupt with IF clear", VM_ENTRY_INTERRUPTION_INFO, SET, 0x80000020, BAD_GUEST_STATE, 0, 0
    legal "injecting nothing with IF clear", SET, 0
    wrong "guest activity state 4", GUEST_ACTIVITY_STATE, SET, 4, BAD_GUEST_STATE, 0, 0
    legal "guest activity state 0, active", SET, 0
    wrong "blocking by STI and by MOV SS together", GUEST_INTERRUPTIBILITY, SET, 3, BAD_GUEST_STATE, 0, 0
    legal "blocking by MOV SS alone", SET, 2
    wrong "a reserved bit in the interruptibility state", GUEST_INTERRUPTIBILITY, SET, 1 << 5, BAD_GUEST_STATE, 0, 0
    legal "interruptibility state 0", SET, 0
    wrong "a reserved bit in the pending debug exceptions", GUEST_PENDING_DEBUG, SET, 1 << 5, BAD_GUEST_STATE, 0, 0
    legal "no pending debug exceptions", SET, 0
    wrong "VMCS link pointer not on a page boundary", VMCS_LINK_POINTER, SET, linked_region + 1, BAD_GUEST_STATE, 4, 0
    legal "VMCS link pointer all ones", FLIP, 0
    wrong "VMCS link pointer to a wrong revision identifier", VMCS_LINK_POINTER, SET, wrong_region, BAD_GUEST_STATE, 4, 0
    legal "VMCS link pointer to the right one", SET, linked_region

    ; "Loading MSRs": the qualification is the number of the entry that failed, counted from 1.
    wrong "IA32_FS_BASE in the VM-entry MSR-load list", VM_ENTRY_MSR_LOAD_ADDRESS, SET, msr_list_bad, BAD_MSR_LOADING, 1, one_entry_msr
    legal "IA32_SYSENTER_CS in the list", SET, msr_list_good
cases_end:

section .text
; ------------------------------------------------------------------------------------------------- when this program is wrong

vm_instruction_failed:
    print "a VMX instruction of the template failed", 10
    jmp failed

on_exception:
    print "unexpected exception, vector "
    print_number [rdi + frame.vector], 2
    print ", RIP "
    print_number [rdi + frame.rip], 8
    print 10
failed:
    print "entry-failure: FAILED", 10
    mov al, STATUS_BAD
    jmp finish
