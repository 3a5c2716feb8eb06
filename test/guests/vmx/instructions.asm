; The VMX instructions in root operation: operands, faults, VM-instruction errors and their order, VMCS states; capability MSRs that agree with each
; other and with what VM entry accepts. SDM volume 3, "VMX Instruction Reference", "VM Instruction Error Numbers", appendix A.
%include "conformance.inc"

section .bss
alignb 4096
other_vmcs:    resb 4096
third_vmcs:    resb 4096
pointer:       resq 2
descriptor:    resq 2
flags_seen:    resq 1
beyond:        resq 1
section .text

CF   equ 1
ZF   equ 0x40
SIX  equ 0x8D5

; does instruction : makes an instruction with the six status flags set before and notes them afterwards.
%macro does 1+
    mov qword [fault_seen], 0
    mov qword [recover], %%next
    push 2 | SIX
    popfq
    %1
    pushfq
    pop qword [flags_seen]
    and qword [flags_seen], SIX
  %%next:
    mov qword [recover], 0
%endmacro
%macro succeeds 1+
    does %1
    expect_value "faults", [fault_seen], 0
    expect_value {"flags of ", %str(%1)}, [flags_seen], 0
%endmacro
%macro fails_invalid 1+
    does %1
    expect_value "faults", [fault_seen], 0
    expect_value {"flags of ", %str(%1)}, [flags_seen], CF
%endmacro
; fails error, instruction
%macro fails 2+
    does %2
    expect_value "faults", [fault_seen], 0
    expect_value {"flags of ", %str(%2)}, [flags_seen], ZF
    expect VM_INSTRUCTION_ERROR, %1
%endmacro
; raises vector, instruction
%macro raises 2+
    does %2
    expect_value {"vector + 1 of ", %str(%2)}, [fault_seen], %1 + 1
%endmacro
; plain_case "name", "section" : a case that needs no VMCS.
%macro plain_case 2.nolist
    section .rodata
%%text: db %1, 0
    section .text
    call end_case
    mov dword [case_name], %%text
    mov dword [case_bad], 0
%endmacro
%macro point 1
    mov rax, %1
    mov [pointer], rax
%endmacro

cases:
    mov eax, 0x80000008
    cpuid
    mov ecx, eax
    mov eax, 1
    shl rax, cl
    mov [beyond], rax
    mov eax, [vmcs_region]
    and eax, 0x7FFFFFFF
    mov [other_vmcs], eax
    mov [third_vmcs], eax
    call pointers
    call fields
    call entries
    call invalidation
    call operation
    call capabilities
    ret

; ------------------------------------------------------------------------------------------------- VMCLEAR, VMPTRLD, VMPTRST
pointers:
    case "VMCLEAR: addresses", "VMCLEAR—Clear Virtual-Machine Control Structure"
    point other_vmcs
    succeeds vmclear [pointer]
    point other_vmcs + 1
    fails 2, vmclear [pointer]
    point other_vmcs + 0x800
    fails 2, vmclear [pointer]
    point [beyond]
    fails 2, vmclear [pointer]
    point 1 << 63
    fails 2, vmclear [pointer]
    point vmxon_region
    fails 3, vmclear [pointer]
    case "VMPTRLD: addresses", "VMPTRLD—Load Pointer to Virtual-Machine Control Structure"
    point other_vmcs
    succeeds vmptrld [pointer]
    point other_vmcs + 8
    fails 9, vmptrld [pointer]
    point [beyond]
    fails 9, vmptrld [pointer]
    point vmxon_region
    fails 10, vmptrld [pointer]
    mov qword [pointer + 8], 0
    succeeds vmptrst [pointer + 8]
    expect_value "the pointer has not changed", [pointer + 8], other_vmcs
    case "VMPTRLD: revision identifiers", "VMPTRLD—Load Pointer to Virtual-Machine Control Structure"
    point other_vmcs
    xor dword [other_vmcs], 1
    fails 11, vmptrld [pointer]
    xor dword [other_vmcs], 1
    succeeds vmptrld [pointer]
    or dword [third_vmcs], 1 << 31
    point third_vmcs
    mov eax, [allowed2]
    test eax, PROC2_SHADOWING
    jz .no_shadow
    succeeds vmptrld [pointer]
    fails_invalid vmlaunch
    jmp .shadow_done
.no_shadow:
    fails 11, vmptrld [pointer]
.shadow_done:
    and dword [third_vmcs], 0x7FFFFFFF
    case "VMPTRST: no current VMCS", "VMPTRST—Store Pointer to Virtual-Machine Control Structure"
    point vmcs_region
    succeeds vmclear [pointer]
    succeeds vmptrst [pointer]
    expect_value "the pointer", [pointer], -1
    fails_invalid vmlaunch
    fails_invalid vmresume
    mov ecx, GUEST_RIP
    fails_invalid vmread rax, rcx
    fails_invalid vmwrite rcx, rax
    point other_vmcs + 1
    fails_invalid vmclear [pointer]
    fails_invalid vmptrld [pointer]
    point vmcs_region
    succeeds vmptrld [pointer]
    case "VMCLEAR of another VMCS leaves the current one", "VMCLEAR—Clear Virtual-Machine Control Structure"
    point other_vmcs
    succeeds vmclear [pointer]
    succeeds vmptrst [pointer]
    expect_value "the pointer", [pointer], vmcs_region
    case "several VMCSs keep their fields", "Software Use of Virtual-Machine Control Structures"
    set GUEST_RSP, 0x1111
    point other_vmcs
    succeeds vmclear [pointer]
    succeeds vmptrld [pointer]
    set GUEST_RSP, 0x2222
    point vmcs_region
    succeeds vmptrld [pointer]
    expect GUEST_RSP, 0x1111
    point other_vmcs
    succeeds vmptrld [pointer]
    expect GUEST_RSP, 0x2222
    succeeds vmclear [pointer]
    point vmcs_region
    succeeds vmptrld [pointer]
    case "operands in memory: page faults", "VMX Instruction Reference"
    raises 14, vmclear [0x40000000]
    raises 14, vmptrld [0x40000000]
    raises 14, vmptrst [0x40000000]
    expect_value "error code of a write", [fault_error], 2
    mov rbx, 1 << 55
    raises 13, vmptrst [rbx]
    raises 13, vmclear [rbx]
    ret

; ------------------------------------------------------------------------------------------------- VMREAD, VMWRITE
fields:
    case "VMWRITE and VMREAD: every width", "VMWRITE—Write Field to Virtual-Machine Control Structure"
    mov rax, 0x123456789ABCDEF0
    mov ecx, GUEST_ES_SELECTOR
    succeeds vmwrite rcx, rax
    expect GUEST_ES_SELECTOR, 0xDEF0
    mov ecx, GUEST_ES_LIMIT
    mov rax, 0x123456789ABCDEF0
    succeeds vmwrite rcx, rax
    expect GUEST_ES_LIMIT, 0x9ABCDEF0
    mov ecx, VMCS_LINK_POINTER
    mov rax, 0x123456789ABCDEF0
    succeeds vmwrite rcx, rax
    expect VMCS_LINK_POINTER, 0x123456789ABCDEF0
    mov ecx, VMCS_LINK_POINTER + 1
    mov rax, 0xFFFFFFFF11111111
    succeeds vmwrite rcx, rax
    expect VMCS_LINK_POINTER + 1, 0x11111111
    expect VMCS_LINK_POINTER, 0x111111119ABCDEF0
    mov ecx, GUEST_RSP
    mov rax, 0x123456789ABCDEF0
    succeeds vmwrite rcx, rax
    expect GUEST_RSP, 0x123456789ABCDEF0
    case "VMREAD and VMWRITE: unsupported components", "VMREAD—Read Field from Virtual-Machine Control Structure"
  %macro unsupported 1
    mov rcx, %1
    fails 12, vmread rax, rcx
    mov rcx, %1
    fails 12, vmwrite rcx, rax
  %endmacro
    unsupported 0x4001                  ; the high part of a 32-bit field
    unsupported 0x6801                  ; of one of natural width
    unsupported 0x0801                  ; of a 16-bit field
    unsupported 0xFFFF
    unsupported 0x7000
    unsupported 0x400004000
    unsupported 0x80004000
    unsupported 0x5000                  ; bit 12 is reserved
    unsupported 0x14000
    case "VMWRITE: read-only fields", "VMWRITE—Write Field to Virtual-Machine Control Structure"
    mov ecx, IA32_VMX_MISC
    rdmsr
    bt eax, VMX_MISC_VMWRITE_ANY_BIT
    mov ecx, EXIT_REASON
    mov eax, 5
    jc .any
    fails 13, vmwrite rcx, rax
    jmp .read_only_done
.any:
    succeeds vmwrite rcx, rax
    expect EXIT_REASON, 5
.read_only_done:
    case "VMREAD and VMWRITE: memory operands", "VMREAD—Read Field from Virtual-Machine Control Structure"
    mov qword [pointer], 0x777
    mov ecx, GUEST_RSP
    succeeds vmwrite rcx, [pointer]
    mov qword [pointer], 0
    mov ecx, GUEST_RSP
    succeeds vmread [pointer], rcx
    expect_value "what was read", [pointer], 0x777
    mov ecx, GUEST_RSP
    raises 14, vmread [0x40000000], rcx
    mov ecx, GUEST_RSP
    raises 14, vmwrite rcx, [0x40000000]
    case "IA32_VMX_VMCS_ENUM: no field has a higher index", "VMCS Enumeration"
    mov ecx, 0x48A
    rdmsr
    shr eax, 1
    and eax, 0x1FF
    mov r12d, eax                       ; highest index
    xor r13d, r13d                      ; highest index that can be read
    xor r14d, r14d                      ; encoding: width, type, index
.next_field:
    mov eax, r14d
    vmread rbx, rax
    jbe .not_there
    mov eax, r14d
    shr eax, 1
    and eax, 0x1FF
    cmp eax, r13d
    cmova r13d, eax
.not_there:
    add r14d, 2
    test r14d, 0x1000
    jz .go_on
    and r14d, ~0x1FFF
    add r14d, 0x2000
.go_on:
    cmp r14d, 0x8000
    jb .next_field
    expect_value "highest index", r13, r12
    ret

; ------------------------------------------------------------------------------------------------- VMLAUNCH, VMRESUME
entries:
    case "VMLAUNCH and VMRESUME: launch state", "VMLAUNCH/VMRESUME—Launch/Resume Virtual Machine"
    fails 5, vmresume
    guest guest_code
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    fails 4, vmlaunch
    point vmcs_region
    succeeds vmclear [pointer]
    succeeds vmptrld [pointer]
    fails 5, vmresume
    case "VMLAUNCH: a failed one leaves the VMCS clear", "VMLAUNCH/VMRESUME—Launch/Resume Virtual Machine"
    set HOST_CR0, 0
    fails 8, vmlaunch
    fails 5, vmresume
    case "VMLAUNCH: a failed guest check leaves the VMCS clear", "VMLAUNCH/VMRESUME—Launch/Resume Virtual Machine"
    set GUEST_RFLAGS, 0
    enter_guest
    expect EXIT_REASON, ENTRY_FAILURE | EXIT_REASON_GUEST_STATE
    fails 5, vmresume
    case "VMLAUNCH: blocking by MOV SS", "VMLAUNCH/VMRESUME—Launch/Resume Virtual Machine"
    set HOST_CR0, 0                     ; comes later
    mov bx, ss
    mov qword [recover], .blocked
    mov ss, bx
    vmlaunch
    setz al
    movzx eax, al
    expect_value "ZF", rax, 1
    expect VM_INSTRUCTION_ERROR, 26
.blocked:
    mov qword [recover], 0
    case "VMLAUNCH: controls come before the guest state", "VM Entries"
    set CR3_TARGET_COUNT, 5
    set GUEST_RFLAGS, 0
    fails 7, vmlaunch
    case "VMLAUNCH: host state comes before the guest state", "VM Entries"
    set HOST_TR_SELECTOR, 0
    set GUEST_RFLAGS, 0
    fails 8, vmlaunch
    case "VM-entry failure: information fields", "VM-Entry Failures During or After Loading Guest State"
    guest guest_code
    enter_guest
    expect_exit EXIT_REASON_VMCALL
    set VM_ENTRY_INTERRUPTION_INFO, 0x80000306
    set GUEST_RFLAGS, 0
    enter_guest
    expect EXIT_REASON, ENTRY_FAILURE | EXIT_REASON_GUEST_STATE
    expect VM_EXIT_INSTRUCTION_LENGTH, 3
    expect VM_ENTRY_INTERRUPTION_INFO, 0x80000306
    expect GUEST_RFLAGS, 0
    not_on_peer .no_vmcall
    case "VMCALL in root operation", "VMCALL—Call to VM Monitor"
    fails 1, vmcall
.no_vmcall:
    case "VMXON in root operation", "VMXON—Enter VMX Operation"
    point vmxon_region
    fails 15, vmxon [pointer]
    ret

; ------------------------------------------------------------------------------------------------- INVEPT, INVVPID
invalidation:
    case "INVEPT: types and descriptors", "INVEPT—Invalidate Translations Derived from EPT"
    mov qword [descriptor], ept_pml4 + EPTP_WRITE_BACK + EPTP_FOUR_LEVELS
    mov qword [descriptor + 8], 0
    mov eax, 1
    succeeds invept rax, [descriptor]
    mov eax, 2
    succeeds invept rax, [descriptor]
    xor eax, eax
    fails 28, invept rax, [descriptor]
    mov eax, 3
    fails 28, invept rax, [descriptor]
    mov rax, 1 << 32 | 1
    fails 28, invept rax, [descriptor]
    mov qword [descriptor], ept_pml4 + EPTP_FOUR_LEVELS + 1
    mov eax, 1
    fails 28, invept rax, [descriptor]
    mov qword [descriptor], ept_pml4 + EPTP_WRITE_BACK
    mov eax, 1
    fails 28, invept rax, [descriptor]
    mov qword [descriptor], ept_pml4 + EPTP_WRITE_BACK + EPTP_FOUR_LEVELS + (1 << 7)
    mov eax, 1
    fails 28, invept rax, [descriptor]
    mov rax, [beyond]
    add rax, ept_pml4 + EPTP_WRITE_BACK + EPTP_FOUR_LEVELS
    mov [descriptor], rax
    mov eax, 1
    fails 28, invept rax, [descriptor]
    mov eax, 2
    succeeds invept rax, [descriptor]
    mov eax, 1
    raises 14, invept rax, [0x40000000]
    case "INVVPID: types and descriptors", "INVVPID—Invalidate Translations Based on VPID"
  %macro vpid 4                         ; type, VPID and bits 63:16, address, error or 0
    mov rax, %2
    mov [descriptor], rax
    mov rax, %3
    mov [descriptor + 8], rax
    mov eax, %1
   %if %4 == 0
    succeeds invvpid rax, [descriptor]
   %else
    fails %4, invvpid rax, [descriptor]
   %endif
  %endmacro
    vpid 0, 1, 0x1000, 0
    vpid 0, 0xFFFF, -4096, 0
    vpid 0, 0, 0x1000, 28
    vpid 0, 1, 1 << 55, 28
    vpid 0, 0x10001, 0, 28
    vpid 0, (1 << 63) | 1, 0, 28
    vpid 1, 1, 1 << 55, 0
    vpid 1, 0, 0, 28
    vpid 1, 0x10001, 0, 28
    vpid 2, 0, 0, 0
    vpid 2, 0, 1 << 55, 0
    vpid 2, 0x10000, 0, 28
    vpid 3, 1, 0, 0
    vpid 3, 0, 0, 28
    vpid 3, 0x20001, 0, 28
    vpid 4, 1, 0, 28
    mov eax, 2
    raises 14, invvpid rax, [0x40000000]
    ret

; ------------------------------------------------------------------------------------------------- entering and leaving VMX operation
operation:
    case "control registers: bits that VMX operation fixes", "Restrictions on VMX Operation"
    mov rax, cr4
    and eax, ~CR4_VMXE
    raises 13, mov cr4, rax
    mov rax, cr0
    and eax, ~CR0_NE
    raises 13, mov cr0, rax
    case "IA32_FEATURE_CONTROL is locked", "Enabling and Entering VMX Operation"
    mov ecx, IA32_FEATURE_CONTROL
    rdmsr
    raises 13, wrmsr
    case "capability MSRs are read-only", "VMX Capability Reporting Facility"
    mov ecx, IA32_VMX_BASIC
    rdmsr
    raises 13, wrmsr
    mov ecx, IA32_VMX_MISC
    rdmsr
    raises 13, wrmsr
    plain_case "outside VMX operation", "VMX Instruction Reference"
    point vmcs_region
    succeeds vmclear [pointer]
    succeeds vmxoff
    raises 6, vmxoff
    raises 6, vmcall
    raises 6, vmlaunch
    raises 6, vmresume
    raises 6, vmptrst [pointer]
    raises 6, vmptrld [pointer]
    raises 6, vmclear [pointer]
    raises 6, vmread rax, rcx
    raises 6, vmwrite rax, rcx
    raises 6, invept rax, [descriptor]
    raises 6, invvpid rax, [descriptor]
    raises 6, vmfunc
    plain_case "VMXON: addresses and revision identifier", "VMXON—Enter VMX Operation"
    point vmxon_region + 1
    fails_invalid vmxon [pointer]
    point [beyond]
    fails_invalid vmxon [pointer]
    point vmxon_region
    xor dword [vmxon_region], 1
    fails_invalid vmxon [pointer]
    xor dword [vmxon_region], 1
    or dword [vmxon_region], 1 << 31
    fails_invalid vmxon [pointer]
    and dword [vmxon_region], 0x7FFFFFFF
    plain_case "VMXON: CR4.VMXE and CR0.NE", "VMXON—Enter VMX Operation"
    mov rax, cr4
    and eax, ~CR4_VMXE
    does mov cr4, rax
    expect_value "faults", [fault_seen], 0
    raises 6, vmxon [pointer]
    mov rax, cr4
    or eax, CR4_VMXE
    mov cr4, rax
    mov rax, cr0
    and eax, ~CR0_NE
    mov cr0, rax
    raises 13, vmxon [pointer]
    mov rax, cr0
    or eax, CR0_NE
    mov cr0, rax
    point vmxon_region
    succeeds vmxon [pointer]
    point vmcs_region
    succeeds vmptrld [pointer]
    ret

; ------------------------------------------------------------------------------------------------- capability MSRs
; Each bit of a word of controls: what the MSR says is what VM entry does (with the rest as the template has it, so only those that stand alone).
capabilities:
    case "IA32_VMX_BASIC", "Basic VMX Information"
    mov ecx, IA32_VMX_BASIC
    rdmsr
    mov r14d, edx
    mov ebx, eax
    shr ebx, 31
    expect_value "bit 31", rbx, 0
    mov ebx, r14d
    and ebx, 0x1FFF
    xor eax, eax
    cmp ebx, 4096
    setbe al
    expect_value "the region has at most 4096 bytes", rax, 1
    shr r14d, 18
    and r14d, 15
    mov r12d, r14d
    expect_value "memory type", r12, 6
    case "TRUE capability MSRs differ in default1 bits alone", "Reserved Controls and Default Settings"
    cmp dword [true_distance], 0
    je .no_true
  %macro default1 2
    mov ecx, %1
    rdmsr
    mov r12d, eax
    mov r13d, edx
    mov ecx, %1 + VMX_TRUE_DISTANCE
    rdmsr
    expect_value "allowed 1-settings", rdx, r13
    mov ebx, r12d
    and ebx, %2
    mov r14d, ebx
    expect_value "default1 bits of the old MSR", r14, %2
    mov ebx, eax
    xor ebx, r12d
    and ebx, ~(%2)
    mov r14d, ebx
    expect_value "other differences", r14, 0
  %endmacro
    default1 IA32_VMX_PINBASED_CTLS, 0x16
    default1 IA32_VMX_PROCBASED_CTLS, 0x0401E172
    default1 IA32_VMX_EXIT_CTLS, 0x36DFF
    default1 IA32_VMX_ENTRY_CTLS, 0x11FF
.no_true:
    case "CR0 and CR4 fixed bits: the processor obeys them", "VMX-Fixed Bits in CR0"
    mov ecx, IA32_VMX_CR0_FIXED0
    rdmsr
    mov r12d, eax
    mov ecx, IA32_VMX_CR0_FIXED1
    rdmsr
    mov r14d, eax
    mov rbx, cr0
    mov r13d, r12d
    and r13d, ebx
    expect_value "bits that must be 1", r13, r12
    not r14d
    and r14d, ebx
    mov r13d, r14d
    expect_value "bits that must be 0", r13, 0
    mov ecx, IA32_VMX_CR4_FIXED0
    rdmsr
    mov r12d, eax
    mov rbx, cr4
    mov r13d, r12d
    and r13d, ebx
    expect_value "CR4: bits that must be 1", r13, r12
    case "secondary controls: bits that depend on each other", "Secondary Processor-Based VM-Execution Controls"
    mov eax, [allowed2]
    mov ebx, eax
    and ebx, PROC2_UNRESTRICTED
    shr ebx, 7
    mov ecx, eax
    and ecx, PROC2_ENABLE_EPT
    shr ecx, 1
    cmp ebx, ecx
    setbe al
    movzx eax, al
    expect_value "unrestricted guest only with EPT", rax, 1
    ret
