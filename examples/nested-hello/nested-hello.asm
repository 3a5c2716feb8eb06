; nested-hello: a small hypervisor (L1) and its guest (L2), in one file.
;
; L1 enters VMX root operation, gives L2 four MiB of memory of its own through EPT, and runs it. L2 executes six things that
; L1 has to handle: CPUID, OUT, RDMSR, VMCALL, a store to a page that EPT does not map, and HLT. L1 prints each VM exit
; with its reason and qualification, answers it, and resumes L2; after HLT it leaves VMX operation and reports.
;
; Three address spaces are at work, and no two agree on where L2's memory is:
;
;     guest-virtual (GVA)          guest-physical (GPA)       host-physical (HPA)
;     0x40000000 .. 0x401FFFFF  →  0x000000 .. 0x1FFFFF    →  0xA00000 .. 0xBFFFFF in 4 KiB pages, with one hole:
;     0x40020000                →  0x020000                →  nothing, until L1 maps it to `spare_frame`
;     0x40200000 .. 0x403FFFFF  →  0x200000 .. 0x3FFFFF    →  0xC00000 .. 0xDFFFFF in one 2 MiB page
;                              L2's page tables          EPT, owned by L1
;
; Good things to try in the debugger: break on the VM exit EPT_VIOLATION; look at the walk of 0x40020000 before and after it;
; step over `guest_touch`; watch GUEST_RIP move in `advance`.

%include "long-mode.inc"
%include "serial.inc"
%include "exceptions.inc"
%include "vmx.inc"

GUEST_MEMORY      equ 0xA00000          ; HPA of GPA 0
GUEST_MEMORY_SIZE equ 4 << 20
GUEST_VIRTUAL     equ 0x40000000        ; GVA of GPA 0
HOLE              equ 0x20000           ; GPA of the page that EPT does not map at first
GUEST_STACK       equ GUEST_VIRTUAL + GUEST_MEMORY_SIZE

; L2's page tables, in its own memory (GPA).
GUEST_PML4        equ 0x1000
GUEST_PDPT        equ 0x2000
GUEST_PD          equ 0x3000

PORT_WATCHED      equ 0x510             ; the only port in the I/O bitmaps
MSR_WATCHED       equ 0x8B              ; the only MSR in the MSR bitmaps: IA32_BIOS_SIGN_ID
CPUID_SIGNATURE   equ 0x40000000        ; the leaf where hypervisors introduce themselves
HYPERCALL_PRINT   equ 1                 ; our one hypercall: RDI = GPA of a text, RSI = its length

MADE_UP_REVISION  equ 0x0000002A00000000
STORED_VALUE      equ 0x4E6573745363        ; what L2 stores into the hole

section .bss
alignb 4096
vmxon_region:  resb 4096
vmcs_region:   resb 4096
io_bitmap_a:   resb 4096                ; ports 0x0000 to 0x7FFF
io_bitmap_b:   resb 4096                ; ports 0x8000 to 0xFFFF
msr_bitmaps:   resb 4096                ; reads low, reads high, writes low, writes high: 1 KiB each
ept_pml4:      resb 4096
ept_pdpt:      resb 4096
ept_pd:        resb 4096
ept_pt:        resb 4096                ; the 4 KiB pages of GPA 0 to 0x1FFFFF
spare_frame:   resb 4096                ; will fill the hole
host_stack:    resb 8192
host_stack_top:
exit_counts:   resd 64                  ; by basic exit reason
exit_total:    resd 1

section .text

; ------------------------------------------------------------------------------------------------- L1: preparations

main:
    call idt_init
    print "nested-hello: L1 starts in 64-bit mode", 10
    call check_vmx
    call enter_vmx_operation
    call build_guest_memory
    call build_ept
    call build_bitmaps
    call load_vmcs
    call write_controls
    call write_host_state
    call write_guest_state

    print "VMLAUNCH: entering L2", 10
    xor eax, eax                        ; L2 starts with empty registers
    xor ebx, ebx
    xor ecx, ecx
    xor edx, edx
    xor esi, esi
    xor edi, edi
    xor ebp, ebp
    vmlaunch
    jmp vm_instruction_failed           ; only a failed VMLAUNCH comes here; success goes on at guest_entry

enter_vmx_operation:
    call fix_control_registers
    mov ecx, IA32_VMX_BASIC
    rdmsr
    and eax, 0x7FFFFFFF                 ; bits 30:0: the VMCS revision identifier
    mov [vmxon_region], eax
    mov [vmcs_region], eax
    push vmxon_region
    vmxon [rsp]                         ; its operand is a place that holds the region's physical address
    pop rax
    jbe vm_instruction_failed
    print "VMXON: L1 is in VMX root operation", 10
    ret

; L2's page tables: GVA 0x40000000 to 0x403FFFFF → GPA 0 to 0x3FFFFF in two 2 MiB pages. (The loader has put L2's code at
; GPA 0x10000 already: link.ld says so.)
build_guest_memory:
    mov edi, GUEST_MEMORY + GUEST_PML4
    mov ecx, 3 * 4096 / 8
    xor eax, eax
    rep stosq
    mov dword [GUEST_MEMORY + GUEST_PML4], GUEST_PDPT | PAGE_PRESENT | PAGE_WRITABLE
    mov dword [GUEST_MEMORY + GUEST_PDPT + 8 * (GUEST_VIRTUAL >> 30)], GUEST_PD | PAGE_PRESENT | PAGE_WRITABLE
    mov dword [GUEST_MEMORY + GUEST_PD], 0 << 21 | PAGE_PRESENT | PAGE_WRITABLE | PAGE_LARGE
    mov dword [GUEST_MEMORY + GUEST_PD + 8], 1 << 21 | PAGE_PRESENT | PAGE_WRITABLE | PAGE_LARGE
    ret

; EPT: GPA 0 to 0x1FFFFF through a page table with a hole, GPA 0x200000 to 0x3FFFFF through one large page.
build_ept:
    mov dword [ept_pml4], ept_pdpt + EPT_RWX
    mov dword [ept_pdpt], ept_pd + EPT_RWX
    mov dword [ept_pd], ept_pt + EPT_RWX
    mov dword [ept_pd + 8], (GUEST_MEMORY + (2 << 20)) | EPT_RWX | EPT_WRITE_BACK | EPT_LARGE
    mov edi, ept_pt
    mov eax, GUEST_MEMORY | EPT_RWX | EPT_WRITE_BACK
.next:
    mov [rdi], rax
    add eax, 4096
    add edi, 8
    cmp edi, ept_pt + 4096
    jb .next
    mov qword [ept_pt + 8 * (HOLE >> 12)], 0
    print "EPT maps GPA 0 to 0x3fffff from HPA 0xa00000 on, but not GPA 0x20000", 10
    ret

; One bit for each port and for each MSR: 1 means that the access exits.
build_bitmaps:
    or byte [io_bitmap_a + PORT_WATCHED / 8], 1 << (PORT_WATCHED % 8)
    or byte [msr_bitmaps + MSR_WATCHED / 8], 1 << (MSR_WATCHED % 8) ; reads of the low MSRs
    ret

; VMCLEAR gives the region the launch state "clear", VMPTRLD makes it the current VMCS.
load_vmcs:
    push vmcs_region
    vmclear [rsp]
    jbe vm_instruction_failed
    vmptrld [rsp]
    jbe vm_instruction_failed
    pop rax
    ret

; control field, capability MSR, wanted bits
%macro write_control 3.nolist
    mov eax, %3
    mov ecx, %2
  %if %2 != IA32_VMX_PROCBASED_CTLS2    ; the secondary controls have no TRUE variant
    add ecx, [true_distance]
  %endif
    call adjust_controls
    jc control_missing
    vmcs_write %1, rax
%endmacro

write_controls:
    write_control PIN_BASED_CONTROLS, IA32_VMX_PINBASED_CTLS, 0
    write_control PROC_BASED_CONTROLS, IA32_VMX_PROCBASED_CTLS, PROC_HLT_EXITING | PROC_USE_IO_BITMAPS | PROC_USE_MSR_BITMAPS | PROC_SECONDARY_CONTROLS
    write_control PROC_BASED_CONTROLS2, IA32_VMX_PROCBASED_CTLS2, PROC2_ENABLE_EPT
    write_control VM_EXIT_CONTROLS, IA32_VMX_EXIT_CTLS, EXIT_HOST_64BIT | EXIT_SAVE_EFER | EXIT_LOAD_EFER
    write_control VM_ENTRY_CONTROLS, IA32_VMX_ENTRY_CTLS, ENTRY_IA32E_GUEST | ENTRY_LOAD_EFER
    vmcs_write IO_BITMAP_A, io_bitmap_a
    vmcs_write IO_BITMAP_B, io_bitmap_b
    vmcs_write MSR_BITMAPS, msr_bitmaps
    vmcs_write EPT_POINTER, ept_pml4 + EPTP_WRITE_BACK + EPTP_FOUR_LEVELS
    vmcs_write EXCEPTION_BITMAP, 0
    vmcs_write PAGE_FAULT_ERROR_CODE_MASK, 0
    vmcs_write PAGE_FAULT_ERROR_CODE_MATCH, 0
    vmcs_write CR3_TARGET_COUNT, 0
    vmcs_write VM_EXIT_MSR_STORE_COUNT, 0
    vmcs_write VM_EXIT_MSR_LOAD_COUNT, 0
    vmcs_write VM_ENTRY_MSR_LOAD_COUNT, 0
    vmcs_write VM_ENTRY_INTERRUPTION_INFO, 0
    vmcs_write CR0_GUEST_HOST_MASK, 0
    vmcs_write CR4_GUEST_HOST_MASK, 0
    vmcs_write CR0_READ_SHADOW, 0
    vmcs_write CR4_READ_SHADOW, 0
    ret

control_missing:
    print "this processor lacks a control that L1 needs", 10
    jmp failed

; What the processor loads at every VM exit: L1's own state, and where L1 goes on.
write_host_state:
    mov rax, cr0
    vmcs_write HOST_CR0, rax
    mov rax, cr3
    vmcs_write HOST_CR3, rax
    mov rax, cr4
    vmcs_write HOST_CR4, rax
    vmcs_write HOST_CS_SELECTOR, SELECTOR_CODE64
    vmcs_write HOST_SS_SELECTOR, SELECTOR_DATA
    vmcs_write HOST_DS_SELECTOR, SELECTOR_DATA
    vmcs_write HOST_ES_SELECTOR, SELECTOR_DATA
    vmcs_write HOST_FS_SELECTOR, 0
    vmcs_write HOST_GS_SELECTOR, 0
    vmcs_write HOST_TR_SELECTOR, SELECTOR_TSS
    vmcs_write HOST_FS_BASE, 0
    vmcs_write HOST_GS_BASE, 0
    vmcs_write HOST_TR_BASE, tss
    vmcs_write HOST_GDTR_BASE, gdt
    vmcs_write HOST_IDTR_BASE, idt
    vmcs_write HOST_IA32_SYSENTER_CS, 0
    vmcs_write HOST_IA32_SYSENTER_ESP, 0
    vmcs_write HOST_IA32_SYSENTER_EIP, 0
    vmcs_write HOST_IA32_EFER, EFER_LME | EFER_LMA
    vmcs_write HOST_RSP, host_stack_top
    vmcs_write HOST_RIP, vm_exit_handler
    ret

; guest segment: name, selector, base, limit, access rights
%macro guest_segment 5.nolist
    vmcs_write GUEST_%1_SELECTOR, %2
    vmcs_write GUEST_%1_BASE, %3
    vmcs_write GUEST_%1_LIMIT, %4
    vmcs_write GUEST_%1_ACCESS_RIGHTS, %5
%endmacro

; L2 begins in 64-bit mode with paging on, at guest_entry. It has no IDT: an exception in it would end in a triple fault.
write_guest_state:
    mov rax, cr0
    vmcs_write GUEST_CR0, rax           ; as L1's: PG, PE, NE and what the FIXED MSRs demand
    vmcs_write GUEST_CR3, GUEST_PML4    ; a guest-physical address
    mov rax, cr4
    vmcs_write GUEST_CR4, rax           ; as L1's: PAE, VMXE
    guest_segment CS, 0x08, 0, 0xFFFFFFFF, RIGHTS_CODE64
    guest_segment SS, 0x10, 0, 0xFFFFFFFF, RIGHTS_DATA
    guest_segment DS, 0x10, 0, 0xFFFFFFFF, RIGHTS_DATA
    guest_segment ES, 0x10, 0, 0xFFFFFFFF, RIGHTS_DATA
    guest_segment FS, 0, 0, 0, RIGHTS_UNUSABLE
    guest_segment GS, 0, 0, 0, RIGHTS_UNUSABLE
    guest_segment LDTR, 0, 0, 0, RIGHTS_UNUSABLE
    guest_segment TR, 0x18, 0, 0x67, RIGHTS_TSS_BUSY ; must be usable, though L2 never uses it
    vmcs_write GUEST_GDTR_BASE, 0
    vmcs_write GUEST_GDTR_LIMIT, 0
    vmcs_write GUEST_IDTR_BASE, 0
    vmcs_write GUEST_IDTR_LIMIT, 0
    vmcs_write GUEST_DR7, 0x400
    vmcs_write GUEST_RSP, GUEST_STACK
    vmcs_write GUEST_RIP, guest_entry
    vmcs_write GUEST_RFLAGS, 2          ; bit 1 is always 1; interrupts off
    vmcs_write GUEST_PENDING_DEBUG, 0
    vmcs_write GUEST_INTERRUPTIBILITY, 0
    vmcs_write GUEST_ACTIVITY_STATE, 0  ; active
    vmcs_write GUEST_IA32_SYSENTER_CS, 0
    vmcs_write GUEST_IA32_SYSENTER_ESP, 0
    vmcs_write GUEST_IA32_SYSENTER_EIP, 0
    vmcs_write GUEST_IA32_DEBUGCTL, 0
    vmcs_write GUEST_IA32_EFER, EFER_LME | EFER_LMA
    vmcs_write VMCS_LINK_POINTER, -1    ; no shadow VMCS
    ret

; ------------------------------------------------------------------------------------------------- L1: VM exits

; L2's general registers; the processor saves only RSP, RIP and RFLAGS in the VMCS.
struc registers
.rax: resq 1
.rcx: resq 1
.rdx: resq 1
.rbx: resq 1
.rbp: resq 1
.rsi: resq 1
.rdi: resq 1
.r8:  resq 8
endstruc

; Every VM exit arrives here, with RSP = host_stack_top and L2's values in the other general registers.
vm_exit_handler:
%assign number 15
%rep 8
    push r %+ number
  %assign number number - 1
%endrep
    push rdi
    push rsi
    push rbp
    push rbx
    push rdx
    push rcx
    push rax
    mov rbp, rsp                        ; RBP: the struc above

    vmcs_read r12, EXIT_REASON
    vmcs_read r13, EXIT_QUALIFICATION
    vmcs_read r14, GUEST_RIP
    bt r12d, EXIT_REASON_ENTRY_FAILURE_BIT
    jc vm_entry_failed
    movzx r12d, r12w                    ; the basic exit reason
    inc dword [exit_total]
    inc dword [exit_counts + r12 * 4]

    print "exit "
    mov eax, [exit_total]
    call print_decimal
    print ": reason "
    mov eax, r12d
    call print_decimal
    mov ebx, exit_table
.search:
    mov esi, [rbx + exit_row.name]
    test esi, esi
    jz exit_unknown
    cmp r12d, [rbx + exit_row.reason]
    je .found
    add ebx, exit_row_size
    jmp .search
.found:
    print " "
    call print_string
    print ", qualification "
    print_number r13, 16
    print ", RIP "
    print_number r14, 8
    print 10, "  "
    mov eax, [rbx + exit_row.handler]
    call rax

resume:
    pop rax
    pop rcx
    pop rdx
    pop rbx
    pop rbp
    pop rsi
    pop rdi
%assign number 8
%rep 8
    pop r %+ number
  %assign number number + 1
%endrep
    vmresume
    jmp vm_instruction_failed           ; only a failed VMRESUME comes here

struc exit_row
.reason:  resd 1
.handler: resd 1
.name:    resd 1
endstruc

%macro exit_case 3
  [section .rodata]
%%name: db %3, 0
  __?SECT?__
    dd %1, %2, %%name
%endmacro

section .data
exit_table:
    exit_case EXIT_REASON_CPUID, on_cpuid, "CPUID"
    exit_case EXIT_REASON_IO, on_io, "IO_INSTRUCTION"
    exit_case EXIT_REASON_RDMSR, on_rdmsr, "RDMSR"
    exit_case EXIT_REASON_VMCALL, on_vmcall, "VMCALL"
    exit_case EXIT_REASON_EPT_VIOLATION, on_ept_violation, "EPT_VIOLATION"
    exit_case EXIT_REASON_HLT, on_hlt, "HLT"
    dd 0, 0, 0
section .text

; Moves L2 behind the instruction that caused the exit.
advance:
    vmcs_read rax, VM_EXIT_INSTRUCTION_LENGTH
    add rax, r14
    vmcs_write GUEST_RIP, rax
    ret

; CPUID exits always. We answer the hypervisor leaf with a signature and let the processor answer the others.
on_cpuid:
    print "L2 asks for leaf "
    print_number [rbp + registers.rax], 8
    mov eax, [rbp + registers.rax]
    cmp eax, CPUID_SIGNATURE
    jne .pass
    print "; L1 signs as 'Nestscope L1'", 10
    mov eax, CPUID_SIGNATURE            ; the highest leaf of this kind
    mov ebx, 'Nest'
    mov ecx, 'scop'
    mov edx, 'e L1'
    jmp .answer
.pass:
    print 10
    mov ecx, [rbp + registers.rcx]
    cpuid
.answer:
    mov [rbp + registers.rax], rax
    mov [rbp + registers.rbx], rbx
    mov [rbp + registers.rcx], rcx
    mov [rbp + registers.rdx], rdx
    jmp advance

; The qualification tells all: bits 2:0 size - 1, bit 3 in or out, bits 31:16 the port.
on_io:
    print "L2 writes "
    print_number [rbp + registers.rax], 2
    print " to port "
    mov rax, r13
    shr eax, 16
    print_number rax, 4
    print "; L1 lets it vanish", 10
    test r13d, 1 << 3 | 7               ; we know only OUT of one byte
    jnz failed
    jmp advance

on_rdmsr:
    print "L2 reads MSR "
    print_number [rbp + registers.rcx], 8
    cmp dword [rbp + registers.rcx], MSR_WATCHED
    jne failed
    print "; L1 makes a value up", 10
    mov rax, MADE_UP_REVISION
    mov edx, eax
    mov [rbp + registers.rax], rdx
    shr rax, 32
    mov [rbp + registers.rdx], rax
    jmp advance

; A hypervisor never trusts an address of its guest: the text must lie in L2's memory, and not in the hole.
on_vmcall:
    cmp qword [rbp + registers.rax], HYPERCALL_PRINT
    jne failed
    mov rsi, [rbp + registers.rdi]
    mov rcx, [rbp + registers.rsi]
    cmp rcx, 256
    ja failed
    lea rax, [rsi + rcx]
    cmp rsi, GUEST_MEMORY_SIZE - 256
    ja failed
    cmp rax, HOLE
    ja failed
    print "L2 asks to print the text at GPA "
    print_number rsi, 8
    print ": "
    add rsi, GUEST_MEMORY               ; GPA → HPA, and L1's own mapping is virtual = physical
.next:
    lodsb
    call print_char
    loop .next
    print 10
    jmp advance

; L1 fills the hole and resumes at the same RIP: the store is tried again. INVEPT is not needed, because translations
; that are not present are never cached.
on_ept_violation:
    vmcs_read rsi, GUEST_PHYSICAL_ADDRESS
    vmcs_read rdi, GUEST_LINEAR_ADDRESS
    print "L2 "
    test r13d, 1 << 1                   ; qualification: bit 0 read, bit 1 write, bit 2 fetch
    jz .not_write
    print "writes"
    jmp .where
.not_write:
    print "reads or fetches"
.where:
    print " GVA "
    print_number rdi, 8
    print " = GPA "
    print_number rsi, 8
    mov rax, rsi
    and rax, -4096
    cmp rax, HOLE
    jne failed
    mov qword [ept_pt + 8 * (HOLE >> 12)], spare_frame + (EPT_RWX | EPT_WRITE_BACK)
    print "; L1 maps a spare frame there", 10
    ret

on_hlt:
    print "L2 halts with RAX "
    print_number [rbp + registers.rax], 16
    print 10
    ; L2 loaded this value back from the hole. Is it what L1 finds in the frame?
    mov rbx, [rbp + registers.rax]
    vmxoff
    jbe vm_instruction_failed
    print "VMXOFF: L1 has left VMX operation", 10
    print "the frame holds "
    print_number [spare_frame], 16
    print 10
    mov eax, [exit_total]
    call print_decimal
    print " VM exits:"
    mov edi, exit_table
.next:
    mov esi, [rdi + exit_row.name]
    test esi, esi
    jz .end
    print " "
    call print_string
    print " "
    mov eax, [rdi + exit_row.reason]
    mov eax, [exit_counts + rax * 4]
    call print_decimal
    add edi, exit_row_size
    jmp .next
.end:
    print 10
    mov rax, STORED_VALUE
    cmp rbx, rax
    jne failed
    cmp [spare_frame], rax
    jne failed
    print "nested-hello: good", 10
    mov al, STATUS_GOOD
    jmp finish

; ------------------------------------------------------------------------------------------------- L1: when it goes wrong

exit_unknown:
    print ": L1 has no handler for this", 10
    jmp failed

; The entry began, but L2's state was refused: the exit reason has bit 31 set.
vm_entry_failed:
    print "VM entry refused, exit reason "
    print_number r12, 8
    print ", qualification "
    print_number r13, 16
    print 10
    jmp failed

; CF: VMfailInvalid (there is no current VMCS that could tell more). ZF: VMfailValid, with a number in the VMCS.
vm_instruction_failed:
    jc .invalid
    print "VMfailValid, error "
    mov ecx, VM_INSTRUCTION_ERROR
    vmread rax, rcx
    call print_decimal
    print 10
    jmp failed
.invalid:
    print "VMfailInvalid", 10
    jmp failed

; No exception is expected here.
on_exception:
    print "unexpected exception, vector "
    print_number [rdi + frame.vector], 2
    print ", RIP "
    print_number [rdi + frame.rip], 8
    print 10

failed:
    print 10, "nested-hello: FAILED", 10
    mov al, STATUS_BAD
    jmp finish

; ------------------------------------------------------------------------------------------------- L2: the guest

; Linked at GVA 0x40010000, loaded at HPA 0xA10000 = GPA 0x10000 (link.ld).
section .guest progbits alloc exec write align=16
bits 64

guest_entry:
    lea rsi, [rel guest_text]               ; COM1 is not in the I/O bitmaps: L2 prints without any VM exit
    mov edx, COM1_LSR
.next:
    in al, dx
    test al, LSR_THR_EMPTY
    jz .next
    lodsb
    test al, al
    jz guest_cpuid
    mov edx, COM1
    out dx, al
    mov edx, COM1_LSR
    jmp .next

guest_cpuid:
    mov eax, CPUID_SIGNATURE
    cpuid
    mov [rel guest_signature], ebx
    mov [rel guest_signature + 4], ecx
    mov [rel guest_signature + 8], edx

guest_out:
    mov edx, PORT_WATCHED
    mov al, 0x4E
    out dx, al

guest_rdmsr:
    mov ecx, MSR_WATCHED
    rdmsr
    add [rel guest_revision], dl            ; 0x2A = '*' shows that the value came through

guest_vmcall:
    mov eax, HYPERCALL_PRINT
    mov edi, guest_greeting - GUEST_VIRTUAL ; GVA → GPA
    mov esi, guest_greeting_end - guest_greeting
    vmcall

guest_touch:
    mov rbx, STORED_VALUE
    mov edi, GUEST_VIRTUAL + HOLE
    mov [rdi], rbx                      ; EPT violation; after L1 has filled the hole, the store is executed again
    mov rax, [rdi]                      ; and this load finds it

guest_hlt:
    hlt
    jmp guest_hlt                       ; L1 does not resume us

guest_text:      db '  (L2 prints this itself)', 10, 0
guest_greeting:  db '"I run under '
guest_signature: times 12 db '?'
                 db ', revision '
guest_revision:  db 0
                 db '"'
guest_greeting_end:
