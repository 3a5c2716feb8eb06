; hello64: a 64-bit kernel in one page of code. It enters long mode, installs an IDT, prints on COM1, and repairs its own
; page faults: three accesses that must fail at first are completed by the #PF handler, which gives the page that was missing
; or the right that was missing, and returns to the instruction that faulted.
;
; Good things to try in the debugger: step over `load_unmapped` and watch the stack; open the IDT and find vector 14; look at
; the page walk of 0x40000000 before and after the fault.

%include "long-mode.inc"
%include "serial.inc"
%include "exceptions.inc"

; The playground: three pages at 1 GiB. Their page table exists from the start, the entries for the pages do not.
PLAYGROUND     equ 0x40000000
PAGE_UNWRITTEN equ PLAYGROUND           ; not present, will be written to
PAGE_UNREAD    equ PLAYGROUND + 0x1000  ; not present, will be read from
PAGE_READONLY  equ PLAYGROUND + 0x2000  ; present, but read-only, will be written to

VECTOR_BP      equ 3
VECTOR_PF      equ 14
PF_PRESENT     equ 1 << 0               ; error code: a right was missing (set) or the page was (clear)

section .bss
alignb 4096
playground_pd: resb 4096
playground_pt: resb 4096
frames:        resb 3 * 4096            ; the physical pages that the handler gives
faults:        resd 1                   ; how many page faults were repaired

section .text
main:
    call idt_init
    print "Hello from 64-bit mode.", 10

    ; An exception without an error code, a trap: RIP in the frame points behind the INT3.
    int3
    print "back from the breakpoint", 10

    ; Hook the playground into the page tables: PDPT entry 1 covers the addresses from 1 GiB.
    mov dword [boot_pdpt + 1 * 8], playground_pd + (PAGE_PRESENT | PAGE_WRITABLE)
    mov dword [playground_pd], playground_pt + (PAGE_PRESENT | PAGE_WRITABLE)
    mov dword [playground_pt + 2 * 8], frames + 2 * 4096 + PAGE_PRESENT

    mov eax, PAGE_UNWRITTEN
    mov rbx, 0x0123456789ABCDEF
store_unmapped:
    mov [rax], rbx                      ; #PF, error code 2: a write to a page that is not present
    print "stored "
    print_number [rax], 16
    print 10

    mov eax, PAGE_UNREAD
load_unmapped:
    mov rbx, [rax + 0x10]               ; #PF, error code 0: a read from a page that is not present
    print "loaded "
    print_number rbx, 16
    print 10

    mov eax, PAGE_READONLY
    mov rbx, [rax]                      ; reading is allowed
store_readonly:
    add qword [rax], 42                 ; #PF, error code 3: a write to a present page (CR0.WP = 1)
    print "added, now "
    print_number [rax], 16
    print 10

    mov eax, [faults]
    call print_decimal
    print " page faults repaired", 10
    cmp eax, 3
    mov al, STATUS_GOOD
    je finish
    mov al, STATUS_BAD
    jmp finish

; RDI: the exception's frame (exceptions.inc).
on_exception:
    cmp byte [rdi + frame.vector], VECTOR_PF
    je page_fault_handler
    cmp byte [rdi + frame.vector], VECTOR_BP
    je breakpoint_handler
unexpected_exception:
    print "unexpected exception, vector "
    print_number [rdi + frame.vector], 2
    print ", RIP "
    print_number [rdi + frame.rip], 16
    print 10
    mov al, STATUS_BAD
    jmp finish

breakpoint_handler:
    print "#BP at RIP "
    print_number [rdi + frame.rip], 16
    print 10
    ret

page_fault_handler:
    mov rsi, cr2                        ; the address whose access failed
    print "#PF: CR2 "
    print_number rsi, 16
    print ", error code "
    print_number [rdi + frame.error_code], 4
    print ", RIP "
    print_number [rdi + frame.rip], 16

    ; Only the playground's three pages can be repaired.
    mov rbx, rsi
    sub rbx, PLAYGROUND
    cmp rbx, 3 * 4096
    jae unexpected_exception
    shr ebx, 12                         ; the page's index: its page-table entry and its frame

    test dword [rdi + frame.error_code], PF_PRESENT
    jnz .make_writable
    mov eax, ebx
    shl eax, 12
    add eax, frames + (PAGE_PRESENT | PAGE_WRITABLE)
    mov [playground_pt + rbx * 8], rax
    print ": mapped", 10
    jmp .repaired
.make_writable:
    or dword [playground_pt + rbx * 8], PAGE_WRITABLE
    print ": made writable", 10
.repaired:
    invlpg [rsi]                        ; drop what the processor may still hold of the old entry
    inc dword [faults]
    ret
