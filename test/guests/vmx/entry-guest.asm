; VM-entry checks on the guest-state area: SDM volume 3, "Checks on the Guest State Area".
%include "borders.inc"

PIN                       equ PIN_BASED_CONTROLS
PROC2                     equ PROC_BASED_CONTROLS2
ENTRY                     equ VM_ENTRY_CONTROLS
ENTRY_LOAD_DEBUG          equ 1 << 2
ENTRY_LOAD_PAT            equ 1 << 14
GUEST_IA32_PAT            equ 0x2804
GUEST_PDPTE1              equ 0x280C
GUEST_PDPTE2              equ 0x280E
GUEST_PDPTE3              equ 0x2810
VALID                     equ 0x80000000
NOT_CANONICAL             equ 0x0100000000000000
VIRTUAL_8086              equ 1 << 17
RIGHTS_8086               equ 0xF3
CR4_PCIDE                 equ 1 << 17
DOWN                      equ 0x600000 ; a table for PAE paging without EPT

%define INFO VM_ENTRY_INTERRUPTION_INFO
%define SEGMENTS "Checks on Guest Segment Registers"

; A guest in protected mode with 32-bit paging.
%define LEGACY clear_bits, ENTRY, ENTRY_IA32E_GUEST, set, GUEST_IA32_EFER, 0, clear_bits, GUEST_CR4, CR4_PAE | CR4_PCIDE, set, GUEST_CS_ACCESS_RIGHTS, RIGHTS_CODE32
; The same with PAE paging.
%define PAE_GUEST clear_bits, ENTRY, ENTRY_IA32E_GUEST, set, GUEST_IA32_EFER, 0, clear_bits, GUEST_CR4, CR4_PCIDE, set, GUEST_CS_ACCESS_RIGHTS, RIGHTS_CODE32, set, GUEST_PDPTE0, 0, set, GUEST_PDPTE1, 0, set, GUEST_PDPTE2, 0, set, GUEST_PDPTE3, 0
%define REAL_MODE need2, PROC2_UNRESTRICTED, 0, LEGACY, set, GUEST_CR0, 0x30

; All that makes a virtual-8086 guest but the controls.
%macro all_8086 2
    call make_8086
%endmacro
%macro shadow 2
    mov eax, [vmcs_region]
    or eax, %1 << 31
    mov [spare_vmcs], eax
%endmacro

cases:
    call measure_addresses
    call registers
    call selectors
    call virtual_8086
    call rights
    call tables
    call pointer
    call other_state
    call pdptes
    ret

registers:
%define SECTION "Checks on Guest Control Registers, Debug Registers, and MSRs"
    border "GUEST_CR0", SECTION, 33, 0, {}, {}, {add_bits, GUEST_CR0, CR0_NE}, {clear_bits, GUEST_CR0, CR0_NE}
    border "GUEST_CR0 (32)", SECTION, 33, 0, {}, {}, {add_bits, GUEST_CR0, 0}, {add_bits, GUEST_CR0, 1 << 32}
    border "GUEST_CR0 (PE without unrestricted guest)", SECTION, 33, 0, {}, {LEGACY}, {add_bits, GUEST_CR0, 0x80000001}, {clear_bits, GUEST_CR0, 0x80000001}
    border "GUEST_CR0 (PE with unrestricted guest)", SECTION, 33, 0, {need2, PROC2_UNRESTRICTED, 0}, {LEGACY}, {clear_bits, GUEST_CR0, 0x80000001}, {clear_bits, GUEST_CR0, 0x80000001 | CR0_NE}
    border "GUEST_CR0 (CD and NW are not checked)", SECTION, 33, 0, {}, {}, {add_bits, GUEST_CR0, 0x60000000}, {add_bits, GUEST_CR0, 1 << 33}
    border "GUEST_CR0: PG needs PE", SECTION, 33, 0, {need2, PROC2_UNRESTRICTED, 0}, {LEGACY}, {set, GUEST_CR0, 0x30}, {set, GUEST_CR0, 0x80000030}
    border "GUEST_CR4", SECTION, 33, 0, {}, {}, {add_bits, GUEST_CR4, CR4_VMXE}, {clear_bits, GUEST_CR4, CR4_VMXE}
    border "GUEST_CR4 (31)", SECTION, 33, 0, {}, {}, {clear_bits, GUEST_CR4, 1 << 31}, {add_bits, GUEST_CR4, 1 << 31}
    border "GUEST_CR4 (63)", SECTION, 33, 0, {}, {}, {clear_bits, GUEST_CR4, 1 << 63}, {add_bits, GUEST_CR4, 1 << 63}
    border "GUEST_IA32_DEBUGCTL", SECTION, 33, 0, {}, {add_bits, ENTRY, ENTRY_LOAD_DEBUG}, {set, GUEST_IA32_DEBUGCTL, 3}, {set, GUEST_IA32_DEBUGCTL, 1 << 63}
    border "GUEST_IA32_DEBUGCTL (4)", SECTION, 33, 0, {}, {add_bits, ENTRY, ENTRY_LOAD_DEBUG}, {set, GUEST_IA32_DEBUGCTL, 0}, {set, GUEST_IA32_DEBUGCTL, 1 << 4}
    border "IA-32e mode guest: CR0.PG and CR4.PAE", SECTION, 33, 0, {}, {}, {add_bits, GUEST_CR4, CR4_PAE}, {clear_bits, GUEST_CR4, CR4_PAE}
    border "IA-32e mode guest: CR0.PG and CR4.PAE (PG)", SECTION, 33, 0, {need2, PROC2_UNRESTRICTED, 0}, {}, {add_bits, GUEST_CR0, CR0_PG}, {clear_bits, GUEST_CR0, CR0_PG}
    border "CR4.PCIDE outside IA-32e mode", SECTION, 33, 0, {}, {PAE_GUEST}, {clear_bits, GUEST_CR4, CR4_PCIDE}, {add_bits, GUEST_CR4, CR4_PCIDE}
    border "GUEST_CR3", SECTION, 33, 0, {}, {}, {add_bits, GUEST_CR3, 0}, {add_bits, GUEST_CR3, [beyond]}
    border "GUEST_CR3 (63)", SECTION, 33, 0, {}, {}, {add_bits, GUEST_CR3, 0}, {add_bits, GUEST_CR3, 1 << 63}
    border "GUEST_DR7", SECTION, 33, 0, {}, {add_bits, ENTRY, ENTRY_LOAD_DEBUG}, {set, GUEST_DR7, 0xFFFFFFFF}, {set, GUEST_DR7, 1 << 32}
    border "GUEST_DR7 (not loaded)", SECTION, 33, 0, {need, IA32_VMX_ENTRY_CTLS + VMX_TRUE_DISTANCE, 0}, {set, GUEST_DR7, 1 << 32}, {clear_bits, ENTRY, ENTRY_LOAD_DEBUG}, {add_bits, ENTRY, ENTRY_LOAD_DEBUG}
  %macro canonical 2
    border {%1, ": canonical"}, SECTION, 33, 0, {}, {}, {set, %2, 0x1000}, {set, %2, NOT_CANONICAL}
    border {%1, ": canonical (sign)"}, SECTION, 33, 0, {}, {}, {set, %2, -4096}, {set, %2, 1 << 63}
  %endmacro
    canonical "GUEST_IA32_SYSENTER_ESP", GUEST_IA32_SYSENTER_ESP
    canonical "GUEST_IA32_SYSENTER_EIP", GUEST_IA32_SYSENTER_EIP
    border "GUEST_IA32_PAT", SECTION, 33, 0, {need, IA32_VMX_ENTRY_CTLS, ENTRY_LOAD_PAT}, {add_bits, ENTRY, ENTRY_LOAD_PAT}, {set, GUEST_IA32_PAT, 0x0007040600070106}, {set, GUEST_IA32_PAT, 0x0007040600070206}
    border "GUEST_IA32_PAT (8)", SECTION, 33, 0, {need, IA32_VMX_ENTRY_CTLS, ENTRY_LOAD_PAT}, {add_bits, ENTRY, ENTRY_LOAD_PAT}, {set, GUEST_IA32_PAT, 0x0507040600070106}, {set, GUEST_IA32_PAT, 0x0807040600070106}
    border "GUEST_IA32_PAT (not loaded)", SECTION, 33, 0, {need, IA32_VMX_ENTRY_CTLS, ENTRY_LOAD_PAT}, {set, GUEST_IA32_PAT, -1}, {clear_bits, ENTRY, ENTRY_LOAD_PAT}, {add_bits, ENTRY, ENTRY_LOAD_PAT}
    border "GUEST_IA32_EFER: reserved bits", SECTION, 33, 0, {}, {}, {set, GUEST_IA32_EFER, 0x501}, {set, GUEST_IA32_EFER, 0x502}
    border "GUEST_IA32_EFER: LMA", SECTION, 33, 0, {}, {}, {set, GUEST_IA32_EFER, 0x500}, {set, GUEST_IA32_EFER, 0}
    border "GUEST_IA32_EFER: LMA (legacy)", SECTION, 33, 0, {}, {LEGACY}, {set, GUEST_IA32_EFER, 0}, {set, GUEST_IA32_EFER, 0x500}
    border "GUEST_IA32_EFER: LMA and LME", SECTION, 33, 0, {}, {}, {set, GUEST_IA32_EFER, 0x500}, {set, GUEST_IA32_EFER, 0x400}
    border "GUEST_IA32_EFER: LMA and LME (without paging)", SECTION, 33, 0, {need2, PROC2_UNRESTRICTED, 0}, {LEGACY, set, GUEST_IA32_EFER, 0x100}, {clear_bits, GUEST_CR0, CR0_PG}, {add_bits, GUEST_CR0, CR0_PG}
    ret

selectors:
%define SECTION SEGMENTS
    border "GUEST_TR_SELECTOR: TI", SECTION, 33, 0, {}, {}, {set, GUEST_TR_SELECTOR, SELECTOR_TSS}, {set, GUEST_TR_SELECTOR, SELECTOR_TSS | 4}
    border "GUEST_LDTR_SELECTOR: TI", SECTION, 33, 0, {}, {set, GUEST_LDTR_SELECTOR, 0x1C}, {set, GUEST_LDTR_ACCESS_RIGHTS, RIGHTS_UNUSABLE}, {set, GUEST_LDTR_ACCESS_RIGHTS, 0x82}
    border "GUEST_SS_SELECTOR: RPL", SECTION, 33, 0, {}, {}, {set, GUEST_SS_SELECTOR, 0}, {set, GUEST_CS_SELECTOR, SELECTOR_CODE64 | 1}
    border "GUEST_SS_SELECTOR: RPL (unrestricted guest)", SECTION, 33, 0, {need2, PROC2_UNRESTRICTED, 0}, {set, GUEST_CS_SELECTOR, SELECTOR_CODE64 | 1}, {add_bits, PROC2, PROC2_UNRESTRICTED}, {clear_bits, PROC2, PROC2_UNRESTRICTED}
    canonical "GUEST_TR_BASE", GUEST_TR_BASE
    canonical "GUEST_FS_BASE", GUEST_FS_BASE
    canonical "GUEST_GS_BASE", GUEST_GS_BASE
    border "GUEST_LDTR_BASE: canonical", SECTION, 33, 0, {}, {set, GUEST_LDTR_BASE, NOT_CANONICAL}, {set, GUEST_LDTR_ACCESS_RIGHTS, RIGHTS_UNUSABLE}, {set, GUEST_LDTR_ACCESS_RIGHTS, 0x82}
    border "GUEST_CS_BASE: bits 63:32", SECTION, 33, 0, {}, {}, {set, GUEST_CS_BASE, 0xFFFFFFFF}, {set, GUEST_CS_BASE, 1 << 32}
  %macro low_base 2
    border {%1, ": bits 63:32"}, SECTION, 33, 0, {}, {}, {set, %2_BASE, 0xFFFFFFFF}, {set, %2_BASE, 1 << 32}
    border {%1, ": bits 63:32 (unusable)"}, SECTION, 33, 0, {}, {set, %2_BASE, 1 << 32}, {set, %2_ACCESS_RIGHTS, RIGHTS_UNUSABLE}, {set, %2_ACCESS_RIGHTS, RIGHTS_DATA}
  %endmacro
    low_base "GUEST_SS_BASE", GUEST_SS
    low_base "GUEST_DS_BASE", GUEST_DS
    low_base "GUEST_ES_BASE", GUEST_ES
    ret

virtual_8086:
  %macro segment_8086 3                 ; register, selector, base
    set GUEST_%1_SELECTOR, %2
    set GUEST_%1_BASE, %3
    set GUEST_%1_LIMIT, 0xFFFF
    set GUEST_%1_ACCESS_RIGHTS, RIGHTS_8086
  %endmacro
  %macro rows_8086 2
    border {%1, "_BASE: virtual-8086"}, SECTION, 33, 0, {}, {LEGACY, all_8086, 0, 0}, {set, %2_SELECTOR, 0x1000}, {set, %2_SELECTOR, 0x1001}
    border {%1, "_LIMIT: virtual-8086"}, SECTION, 33, 0, {}, {LEGACY, all_8086, 0, 0}, {set, %2_LIMIT, 0xFFFF}, {set, %2_LIMIT, 0xFFFE}
    border {%1, "_LIMIT: virtual-8086 (too great)"}, SECTION, 33, 0, {}, {LEGACY, all_8086, 0, 0}, {set, %2_LIMIT, 0xFFFF}, {set, %2_LIMIT, 0xFFFFF}
    border {%1, "_ACCESS_RIGHTS: virtual-8086"}, SECTION, 33, 0, {}, {LEGACY, all_8086, 0, 0}, {set, %2_ACCESS_RIGHTS, 0xF3}, {set, %2_ACCESS_RIGHTS, 0x93}
  %endmacro
    rows_8086 "GUEST_CS", GUEST_CS
    rows_8086 "GUEST_SS", GUEST_SS
    rows_8086 "GUEST_DS", GUEST_DS
    rows_8086 "GUEST_ES", GUEST_ES
    rows_8086 "GUEST_FS", GUEST_FS
    rows_8086 "GUEST_GS", GUEST_GS
    ret
make_8086:
    segment_8086 CS, 0x1000, 0x10000
    segment_8086 SS, 0x1000, 0x10000
    segment_8086 DS, 0x1000, 0x10000
    segment_8086 ES, 0x1000, 0x10000
    segment_8086 FS, 0x1000, 0x10000
    segment_8086 GS, 0x1000, 0x10000
    set GUEST_RFLAGS, VIRTUAL_8086 | 2
    set GUEST_RIP, 0
    ret

rights:
  ; Rights of a 32-bit data segment that is usable: name, field prefix
  %macro usable_rows 3
    border {%1, "_ACCESS_RIGHTS: S"}, SECTION, 33, 0, {}, {%3}, {add_bits, %2_ACCESS_RIGHTS, 0x10}, {clear_bits, %2_ACCESS_RIGHTS, 0x10}
    border {%1, "_ACCESS_RIGHTS: P"}, SECTION, 33, 0, {}, {%3}, {add_bits, %2_ACCESS_RIGHTS, 0x80}, {clear_bits, %2_ACCESS_RIGHTS, 0x80}
    common_rows %1, %2, {%3}
  %endmacro
  %macro common_rows 3
    border {%1, "_ACCESS_RIGHTS: bits 11:8"}, SECTION, 33, 0, {}, {%3}, {clear_bits, %2_ACCESS_RIGHTS, 0xF00}, {add_bits, %2_ACCESS_RIGHTS, 0x100}
    border {%1, "_ACCESS_RIGHTS: bits 11:8 (11)"}, SECTION, 33, 0, {}, {%3}, {clear_bits, %2_ACCESS_RIGHTS, 0xF00}, {add_bits, %2_ACCESS_RIGHTS, 0x800}
    border {%1, "_ACCESS_RIGHTS: bits 31:17"}, SECTION, 33, 0, {}, {%3}, {clear_bits, %2_ACCESS_RIGHTS, 0xFFFE0000}, {add_bits, %2_ACCESS_RIGHTS, 1 << 17}
    border {%1, "_ACCESS_RIGHTS: bits 31:17 (31)"}, SECTION, 33, 0, {}, {%3}, {clear_bits, %2_ACCESS_RIGHTS, 0xFFFE0000}, {add_bits, %2_ACCESS_RIGHTS, 1 << 31}
    border {%1, "_ACCESS_RIGHTS: G"}, SECTION, 33, 0, {}, {%3, set, %2_LIMIT, 0xFFFFF}, {clear_bits, %2_ACCESS_RIGHTS, 0x8000}, {set, %2_LIMIT, 0x1FFFFF, clear_bits, %2_ACCESS_RIGHTS, 0x8000}
    border {%1, "_ACCESS_RIGHTS: G (low bits of the limit)"}, SECTION, 33, 0, {}, {%3, add_bits, %2_ACCESS_RIGHTS, 0x8000}, {set, %2_LIMIT, 0xFFF}, {set, %2_LIMIT, 0xFFE}
  %endmacro
  %macro unusable_row 2
    border {%1, "_ACCESS_RIGHTS: P (unusable)"}, SECTION, 33, 0, {}, {clear_bits, %2_ACCESS_RIGHTS, 0xFF}, {add_bits, %2_ACCESS_RIGHTS, RIGHTS_UNUSABLE}, {set, %2_ACCESS_RIGHTS, 0x13}
  %endmacro
    usable_rows "GUEST_CS", GUEST_CS, {set, GUEST_CS_ACCESS_RIGHTS, RIGHTS_CODE64}
    usable_rows "GUEST_SS", GUEST_SS, {set, GUEST_SS_ACCESS_RIGHTS, RIGHTS_DATA}
    usable_rows "GUEST_DS", GUEST_DS, {set, GUEST_DS_ACCESS_RIGHTS, RIGHTS_DATA}
    usable_rows "GUEST_ES", GUEST_ES, {set, GUEST_ES_ACCESS_RIGHTS, RIGHTS_DATA}
    usable_rows "GUEST_FS", GUEST_FS, {set, GUEST_FS_ACCESS_RIGHTS, RIGHTS_DATA, set, GUEST_FS_LIMIT, 0xFFFFFFFF}
    usable_rows "GUEST_GS", GUEST_GS, {set, GUEST_GS_ACCESS_RIGHTS, RIGHTS_DATA, set, GUEST_GS_LIMIT, 0xFFFFFFFF}
    unusable_row "GUEST_SS", GUEST_SS
    unusable_row "GUEST_DS", GUEST_DS
    unusable_row "GUEST_ES", GUEST_ES
    unusable_row "GUEST_FS", GUEST_FS
    unusable_row "GUEST_GS", GUEST_GS

  ; Each type of segment: type, legal for CS, for SS, for the others
  %macro one_type 4
    %defstr name %1
    one_type_of {"GUEST_CS_ACCESS_RIGHTS: type (", name, ")"}, GUEST_CS, 0xA090 | %1, %2
    one_type_of {"GUEST_SS_ACCESS_RIGHTS: type (", name, ")"}, GUEST_SS, 0xC090 | %1, %3
    one_type_of {"GUEST_DS_ACCESS_RIGHTS: type (", name, ")"}, GUEST_DS, 0xC090 | %1, %4
    one_type_of {"GUEST_ES_ACCESS_RIGHTS: type (", name, ")"}, GUEST_ES, 0xC090 | %1, %4
    one_type_of {"GUEST_FS_ACCESS_RIGHTS: type (", name, ")"}, GUEST_FS, 0xC090 | %1, %4
    one_type_of {"GUEST_GS_ACCESS_RIGHTS: type (", name, ")"}, GUEST_GS, 0xC090 | %1, %4
  %endmacro
  %macro one_type_of 4
    %if %4
    case {%1, ": enters"}, SEGMENTS
    %else
    case {%1, ": refused"}, SEGMENTS
    %endif
    call arm_timer
    set %2_LIMIT, 0xFFFFFFFF
    set %2_ACCESS_RIGHTS, %3
    enter_guest
    %if %4
    call check_entered
    %else
    mov eax, 33
    xor edx, edx
    call check_refused
    %endif
  %endmacro
    one_type 0, 0, 0, 0
    one_type 1, 0, 0, 1
    one_type 2, 0, 0, 0
    one_type 3, 0, 1, 1
    one_type 4, 0, 0, 0
    one_type 5, 0, 0, 1
    one_type 6, 0, 0, 0
    one_type 7, 0, 1, 1
    one_type 8, 0, 0, 0
    one_type 9, 1, 0, 0
    one_type 10, 0, 0, 0
    one_type 11, 1, 0, 1
    one_type 12, 0, 0, 0
    one_type 13, 1, 0, 0
    one_type 14, 0, 0, 0
    one_type 15, 1, 0, 1
    border "GUEST_CS_ACCESS_RIGHTS: type (3, unrestricted guest)", SECTION, 33, 0, {need2, PROC2_UNRESTRICTED, 0}, {REAL_MODE, set, GUEST_CS_LIMIT, 0xFFFF}, {set, GUEST_CS_ACCESS_RIGHTS, 0x93}, {set, GUEST_CS_ACCESS_RIGHTS, 0x97}
    border "GUEST_CS_ACCESS_RIGHTS: DPL of a data segment", SECTION, 33, 0, {need2, PROC2_UNRESTRICTED, 0}, {REAL_MODE, set, GUEST_CS_LIMIT, 0xFFFF}, {set, GUEST_CS_ACCESS_RIGHTS, 0x93}, {set, GUEST_CS_ACCESS_RIGHTS, 0xB3}
    border "GUEST_CS_ACCESS_RIGHTS: DPL of a non-conforming segment", SECTION, 33, 0, {}, {}, {set, GUEST_CS_ACCESS_RIGHTS, RIGHTS_CODE64}, {set, GUEST_CS_ACCESS_RIGHTS, RIGHTS_CODE64 | 0x20}
    border "GUEST_CS_ACCESS_RIGHTS: DPL of a conforming segment", SECTION, 33, 0, {}, {}, {set, GUEST_CS_ACCESS_RIGHTS, RIGHTS_CODE64 | 4}, {set, GUEST_CS_ACCESS_RIGHTS, RIGHTS_CODE64 | 0x24}
    border "GUEST_CS_ACCESS_RIGHTS: DPL of a conforming segment (below)", SECTION, 33, 0, {}, {set, GUEST_SS_ACCESS_RIGHTS, RIGHTS_DATA | 0x60, set, GUEST_SS_SELECTOR, SELECTOR_DATA | 3, set, GUEST_CS_SELECTOR, SELECTOR_CODE64 | 3}, {set, GUEST_CS_ACCESS_RIGHTS, RIGHTS_CODE64 | 4}, {set, GUEST_CS_ACCESS_RIGHTS, RIGHTS_CODE64}
    border "GUEST_SS_ACCESS_RIGHTS: DPL and RPL", SECTION, 33, 0, {}, {set, GUEST_CS_ACCESS_RIGHTS, RIGHTS_CODE64 | 4}, {set, GUEST_SS_ACCESS_RIGHTS, RIGHTS_DATA}, {set, GUEST_SS_ACCESS_RIGHTS, RIGHTS_DATA | 0x20}
    border "GUEST_SS_ACCESS_RIGHTS: DPL and RPL (unrestricted guest)", SECTION, 33, 0, {need2, PROC2_UNRESTRICTED, 0}, {set, GUEST_CS_ACCESS_RIGHTS, RIGHTS_CODE64 | 4, set, GUEST_SS_ACCESS_RIGHTS, RIGHTS_DATA | 0x20}, {add_bits, PROC2, PROC2_UNRESTRICTED}, {clear_bits, PROC2, PROC2_UNRESTRICTED}
    border "GUEST_SS_ACCESS_RIGHTS: DPL in real-address mode", SECTION, 33, 0, {need2, PROC2_UNRESTRICTED, 0}, {REAL_MODE, set, GUEST_CS_LIMIT, 0xFFFF, set, GUEST_CS_ACCESS_RIGHTS, 0x93}, {set, GUEST_SS_ACCESS_RIGHTS, RIGHTS_DATA}, {set, GUEST_SS_ACCESS_RIGHTS, RIGHTS_DATA | 0x60}
  %macro privilege 2
    border {%1, "_ACCESS_RIGHTS: DPL and RPL"}, SECTION, 33, 0, {}, {set, %2_LIMIT, 0xFFFFFFFF, set, %2_SELECTOR, SELECTOR_DATA | 1}, {set, %2_ACCESS_RIGHTS, RIGHTS_DATA | 0x20}, {set, %2_ACCESS_RIGHTS, RIGHTS_DATA}
    border {%1, "_ACCESS_RIGHTS: DPL and RPL (conforming code)"}, SECTION, 33, 0, {}, {set, %2_LIMIT, 0xFFFFFFFF, set, %2_SELECTOR, SELECTOR_DATA | 1}, {set, %2_ACCESS_RIGHTS, 0xC09F}, {set, %2_ACCESS_RIGHTS, 0xC09B}
    border {%1, "_ACCESS_RIGHTS: DPL and RPL (unrestricted guest)"}, SECTION, 33, 0, {need2, PROC2_UNRESTRICTED, 0}, {set, %2_LIMIT, 0xFFFFFFFF, set, %2_SELECTOR, SELECTOR_DATA | 1, set, %2_ACCESS_RIGHTS, RIGHTS_DATA}, {add_bits, PROC2, PROC2_UNRESTRICTED}, {clear_bits, PROC2, PROC2_UNRESTRICTED}
    border {%1, "_ACCESS_RIGHTS: DPL and RPL (unusable)"}, SECTION, 33, 0, {}, {set, %2_LIMIT, 0xFFFFFFFF, set, %2_SELECTOR, SELECTOR_DATA | 1}, {set, %2_ACCESS_RIGHTS, RIGHTS_UNUSABLE}, {set, %2_ACCESS_RIGHTS, RIGHTS_DATA}
  %endmacro
    privilege "GUEST_DS", GUEST_DS
    privilege "GUEST_ES", GUEST_ES
    privilege "GUEST_FS", GUEST_FS
    privilege "GUEST_GS", GUEST_GS
    border "GUEST_CS_ACCESS_RIGHTS: D/B and L", SECTION, 33, 0, {}, {}, {set, GUEST_CS_ACCESS_RIGHTS, RIGHTS_CODE64}, {set, GUEST_CS_ACCESS_RIGHTS, RIGHTS_CODE64 | 0x4000}
    border "GUEST_CS_ACCESS_RIGHTS: D/B and L (legacy)", SECTION, 33, 0, {}, {set, GUEST_CS_ACCESS_RIGHTS, RIGHTS_CODE64 | 0x4000}, {LEGACY, set, GUEST_CS_ACCESS_RIGHTS, RIGHTS_CODE64 | 0x4000}, {set, GUEST_RIP, 0}
    common_rows "GUEST_TR", GUEST_TR, {set, GUEST_TR_ACCESS_RIGHTS, 0x8B}
    border "GUEST_TR_ACCESS_RIGHTS: type", SECTION, 33, 0, {}, {}, {set, GUEST_TR_ACCESS_RIGHTS, 0x8B}, {set, GUEST_TR_ACCESS_RIGHTS, 0x89}
    border "GUEST_TR_ACCESS_RIGHTS: type (16-bit, IA-32e mode)", SECTION, 33, 0, {}, {}, {set, GUEST_TR_ACCESS_RIGHTS, 0x8B}, {set, GUEST_TR_ACCESS_RIGHTS, 0x83}
    border "GUEST_TR_ACCESS_RIGHTS: type (16-bit, legacy)", SECTION, 33, 0, {}, {LEGACY}, {set, GUEST_TR_ACCESS_RIGHTS, 0x83}, {set, GUEST_TR_ACCESS_RIGHTS, 0x81}
    border "GUEST_TR_ACCESS_RIGHTS: S", SECTION, 33, 0, {}, {}, {set, GUEST_TR_ACCESS_RIGHTS, 0x8B}, {set, GUEST_TR_ACCESS_RIGHTS, 0x9B}
    border "GUEST_TR_ACCESS_RIGHTS: P", SECTION, 33, 0, {}, {}, {set, GUEST_TR_ACCESS_RIGHTS, 0x8B}, {set, GUEST_TR_ACCESS_RIGHTS, 0x0B}
    border "GUEST_TR_ACCESS_RIGHTS: unusable", SECTION, 33, 0, {}, {}, {set, GUEST_TR_ACCESS_RIGHTS, 0x8B}, {set, GUEST_TR_ACCESS_RIGHTS, 0x1008B}
    common_rows "GUEST_LDTR", GUEST_LDTR, {set, GUEST_LDTR_ACCESS_RIGHTS, 0x82}
    border "GUEST_LDTR_ACCESS_RIGHTS: type", SECTION, 33, 0, {}, {}, {set, GUEST_LDTR_ACCESS_RIGHTS, 0x82}, {set, GUEST_LDTR_ACCESS_RIGHTS, 0x83}
    border "GUEST_LDTR_ACCESS_RIGHTS: S", SECTION, 33, 0, {}, {}, {set, GUEST_LDTR_ACCESS_RIGHTS, 0x82}, {set, GUEST_LDTR_ACCESS_RIGHTS, 0x92}
    border "GUEST_LDTR_ACCESS_RIGHTS: P", SECTION, 33, 0, {}, {}, {set, GUEST_LDTR_ACCESS_RIGHTS, 0x82}, {set, GUEST_LDTR_ACCESS_RIGHTS, 0x02}
    border "GUEST_LDTR_ACCESS_RIGHTS: P (unusable)", SECTION, 33, 0, {}, {}, {set, GUEST_LDTR_ACCESS_RIGHTS, 0x10002}, {set, GUEST_LDTR_ACCESS_RIGHTS, 0x00002}
    ret

tables:
%define SECTION "Checks on Guest Descriptor-Table Registers"
    border "GUEST_GDTR_BASE: canonical", SECTION, 33, 0, {}, {}, {set, GUEST_GDTR_BASE, -4096}, {set, GUEST_GDTR_BASE, NOT_CANONICAL}
    border "GUEST_IDTR_BASE: canonical", SECTION, 33, 0, {}, {}, {set, GUEST_IDTR_BASE, -4096}, {set, GUEST_IDTR_BASE, NOT_CANONICAL}
    border "GUEST_GDTR_LIMIT: bits 31:16", SECTION, 33, 0, {}, {}, {set, GUEST_GDTR_LIMIT, 0xFFFF}, {set, GUEST_GDTR_LIMIT, 0x10000}
    border "GUEST_IDTR_LIMIT: bits 31:16", SECTION, 33, 0, {}, {}, {set, GUEST_IDTR_LIMIT, 0xFFFF}, {set, GUEST_IDTR_LIMIT, 0x80000000}
    ret

pointer:
%define SECTION "Checks on Guest RIP, RFLAGS, and SSP"
    border "GUEST_RIP: bits 63:32", SECTION, 33, 0, {}, {LEGACY}, {set, GUEST_RIP, 0xFFFFFFFF}, {set, GUEST_RIP, 1 << 32}
    border "GUEST_RIP: bits 63:32 (compatibility mode)", SECTION, 33, 0, {}, {set, GUEST_CS_ACCESS_RIGHTS, RIGHTS_CODE32}, {set, GUEST_RIP, 0xFFFFFFFF}, {set, GUEST_RIP, 1 << 32}
    border "GUEST_RIP: linear-address width", SECTION, 33, 0, {}, {}, {set, GUEST_RIP, -1}, {set, GUEST_RIP, NOT_CANONICAL}
    border "GUEST_RIP: linear-address width (one too high)", SECTION, 33, 0, {}, {}, {set, GUEST_RIP, 0x0000800000000000}, {set, GUEST_RIP, 0x0200000000000000}
    border "GUEST_RFLAGS: reserved bits", SECTION, 33, 0, {}, {}, {set, GUEST_RFLAGS, 2}, {set, GUEST_RFLAGS, 0}
  %macro reserved_flag 1
    %defstr name %1
    border {"GUEST_RFLAGS: reserved bits (", name, ")"}, SECTION, 33, 0, {}, {}, {set, GUEST_RFLAGS, 2}, {set, GUEST_RFLAGS, 2 | (1 << %1)}
  %endmacro
    reserved_flag 3
    reserved_flag 5
    reserved_flag 15
    reserved_flag 22
    reserved_flag 31
    reserved_flag 63
    border "GUEST_RFLAGS: VM", SECTION, 33, 0, {}, {}, {set, GUEST_RFLAGS, 2}, {all_8086, 0, 0}
    border "GUEST_RFLAGS: VM (real-address mode)", SECTION, 33, 0, {need2, PROC2_UNRESTRICTED, 0}, {REAL_MODE, all_8086, 0, 0, clear_bits, GUEST_CR0, CR0_PG}, {add_bits, GUEST_CR0, 1}, {clear_bits, GUEST_CR0, 1}
    border "GUEST_RFLAGS: IF with an injected external interrupt", SECTION, 33, 0, {}, {set, INFO, VALID | 0x31}, {set, GUEST_RFLAGS, 0x202}, {set, GUEST_RFLAGS, 2}
    ret

other_state:
%define SECTION "Checks on Guest Non-Register State"
    border "GUEST_ACTIVITY_STATE", SECTION, 33, 0, {}, {}, {set, GUEST_ACTIVITY_STATE, 1}, {set, GUEST_ACTIVITY_STATE, 4}
    border "GUEST_ACTIVITY_STATE (shutdown)", SECTION, 33, 0, {}, {}, {set, GUEST_ACTIVITY_STATE, 2}, {set, GUEST_ACTIVITY_STATE, 0x80000000}
  %macro user_guest 2
    set GUEST_SS_ACCESS_RIGHTS, RIGHTS_DATA | 0x60
    set GUEST_CS_ACCESS_RIGHTS, RIGHTS_CODE64 | 0x60
    set GUEST_SS_SELECTOR, SELECTOR_DATA | 3
    set GUEST_CS_SELECTOR, SELECTOR_CODE64 | 3
  %endmacro
    border "GUEST_ACTIVITY_STATE: HLT needs privilege level 0", SECTION, 33, 0, {}, {user_guest, 0, 0}, {set, GUEST_ACTIVITY_STATE, 0}, {set, GUEST_ACTIVITY_STATE, 1}
    border "GUEST_ACTIVITY_STATE: active while events are blocked", SECTION, 33, 0, {}, {set, GUEST_INTERRUPTIBILITY, 2}, {set, GUEST_ACTIVITY_STATE, 0}, {set, GUEST_ACTIVITY_STATE, 1}
    border "GUEST_ACTIVITY_STATE: active while events are blocked (STI)", SECTION, 33, 0, {}, {set, GUEST_INTERRUPTIBILITY, 1, set, GUEST_RFLAGS, 0x202}, {set, GUEST_ACTIVITY_STATE, 0}, {set, GUEST_ACTIVITY_STATE, 2}
  %macro injected 4                     ; name, activity, legal, refused
    border {"GUEST_ACTIVITY_STATE: injected event (", %1, ")"}, SECTION, 33, 0, {}, {set, GUEST_ACTIVITY_STATE, %2, set, VM_ENTRY_EXCEPTION_ERROR_CODE, 0, set, VM_ENTRY_INSTRUCTION_LENGTH, 2, set, GUEST_RFLAGS, 0x202}, {set, INFO, VALID | %3}, {set, INFO, VALID | %4}
  %endmacro
    border "GUEST_ACTIVITY_STATE: injected event", SECTION, 33, 0, {}, {set, GUEST_ACTIVITY_STATE, 1}, {set, INFO, VALID | 0x202}, {set, INFO, VALID | 0x306}
    injected "HLT, external interrupt", 1, 0x31, 0x300
    injected "HLT, #DB", 1, 0x301, 0x303
    injected "HLT, #MC", 1, 0x312, 0xB0E
    injected "HLT, software interrupt", 1, 0x202, 0x420
    injected "HLT, software exception", 1, 0x202, 0x603
    injected "shutdown, external interrupt", 2, 0x202, 0x31
    injected "shutdown, #DB", 2, 0x312, 0x301
    injected "shutdown, #GP", 2, 0x202, 0xB0D
    border "GUEST_INTERRUPTIBILITY_STATE: reserved bits", SECTION, 33, 0, {}, {}, {set, GUEST_INTERRUPTIBILITY, 0}, {set, GUEST_INTERRUPTIBILITY, 1 << 5}
    border "GUEST_INTERRUPTIBILITY_STATE: reserved bits (31)", SECTION, 33, 0, {}, {}, {set, GUEST_INTERRUPTIBILITY, 0}, {set, GUEST_INTERRUPTIBILITY, 1 << 31}
    border "GUEST_INTERRUPTIBILITY_STATE: STI and MOV SS", SECTION, 33, 0, {}, {set, GUEST_RFLAGS, 0x202}, {set, GUEST_INTERRUPTIBILITY, 1}, {set, GUEST_INTERRUPTIBILITY, 3}
    border "GUEST_INTERRUPTIBILITY_STATE: STI needs IF", SECTION, 33, 0, {}, {set, GUEST_INTERRUPTIBILITY, 1}, {set, GUEST_RFLAGS, 0x202}, {set, GUEST_RFLAGS, 2}
    border "GUEST_INTERRUPTIBILITY_STATE: injected external interrupt", SECTION, 33, 0, {}, {set, GUEST_RFLAGS, 0x202, set, INFO, VALID | 0x31}, {set, GUEST_INTERRUPTIBILITY, 0}, {set, GUEST_INTERRUPTIBILITY, 1}
    border "GUEST_INTERRUPTIBILITY_STATE: injected external interrupt (MOV SS)", SECTION, 33, 0, {}, {set, GUEST_RFLAGS, 0x202, set, INFO, VALID | 0x31}, {set, GUEST_INTERRUPTIBILITY, 8}, {set, GUEST_INTERRUPTIBILITY, 2}
    border "GUEST_INTERRUPTIBILITY_STATE: injected NMI", SECTION, 33, 0, {}, {set, INFO, VALID | 0x202}, {set, GUEST_INTERRUPTIBILITY, 0}, {set, GUEST_INTERRUPTIBILITY, 2}
    border "GUEST_INTERRUPTIBILITY_STATE: SMI", SECTION, 33, 0, {}, {}, {set, GUEST_INTERRUPTIBILITY, 8}, {set, GUEST_INTERRUPTIBILITY, 4}
    border "GUEST_INTERRUPTIBILITY_STATE: injected NMI with virtual NMIs", SECTION, 33, 0, {}, {set, INFO, VALID | 0x202, add_bits, PIN, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS}, {set, GUEST_INTERRUPTIBILITY, 0}, {set, GUEST_INTERRUPTIBILITY, 8}
    border "GUEST_INTERRUPTIBILITY_STATE: injected NMI with virtual NMIs (without)", SECTION, 33, 0, {}, {set, INFO, VALID | 0x202, set, GUEST_INTERRUPTIBILITY, 8}, {clear_bits, PIN, PIN_VIRTUAL_NMIS}, {add_bits, PIN, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS}
    border "GUEST_PENDING_DEBUG_EXCEPTIONS: reserved bits", SECTION, 33, 0, {}, {}, {set, GUEST_PENDING_DEBUG, 0x100F}, {set, GUEST_PENDING_DEBUG, 1 << 4}
  %macro reserved_pending 1
    %defstr name %1
    border {"GUEST_PENDING_DEBUG_EXCEPTIONS: reserved bits (", name, ")"}, SECTION, 33, 0, {}, {}, {set, GUEST_PENDING_DEBUG, 0}, {set, GUEST_PENDING_DEBUG, 1 << %1}
  %endmacro
    reserved_pending 11
    reserved_pending 13
    reserved_pending 15
    reserved_pending 17
    reserved_pending 63
    border "GUEST_PENDING_DEBUG_EXCEPTIONS: BS must be 1", SECTION, 33, 0, {}, {set, GUEST_RFLAGS, 0x102, set, GUEST_INTERRUPTIBILITY, 2}, {set, GUEST_PENDING_DEBUG, 0x4000}, {set, GUEST_PENDING_DEBUG, 0}
    border "GUEST_PENDING_DEBUG_EXCEPTIONS: BS must be 1 (STI)", SECTION, 33, 0, {}, {set, GUEST_RFLAGS, 0x302, set, GUEST_INTERRUPTIBILITY, 1}, {set, GUEST_PENDING_DEBUG, 0x4000}, {set, GUEST_PENDING_DEBUG, 0}
    border "GUEST_PENDING_DEBUG_EXCEPTIONS: BS must be 1 (HLT)", SECTION, 33, 0, {}, {set, GUEST_RFLAGS, 0x102, set, GUEST_ACTIVITY_STATE, 1}, {set, GUEST_PENDING_DEBUG, 0x4000}, {set, GUEST_PENDING_DEBUG, 0}
    border "GUEST_PENDING_DEBUG_EXCEPTIONS: BS must be 1 (active)", SECTION, 33, 0, {}, {set, GUEST_RFLAGS, 0x302}, {set, GUEST_INTERRUPTIBILITY, 0}, {set, GUEST_INTERRUPTIBILITY, 1}
    border "GUEST_PENDING_DEBUG_EXCEPTIONS: BS must be 0", SECTION, 33, 0, {}, {set, GUEST_RFLAGS, 2, set, GUEST_INTERRUPTIBILITY, 2}, {set, GUEST_PENDING_DEBUG, 0}, {set, GUEST_PENDING_DEBUG, 0x4000}
    border "GUEST_PENDING_DEBUG_EXCEPTIONS: BS must be 0 (HLT)", SECTION, 33, 0, {}, {set, GUEST_ACTIVITY_STATE, 1}, {set, GUEST_PENDING_DEBUG, 0}, {set, GUEST_PENDING_DEBUG, 0x4000}
    border "GUEST_PENDING_DEBUG_EXCEPTIONS: BS must be 0 (BTF)", SECTION, 33, 0, {}, {set, GUEST_RFLAGS, 0x102, set, GUEST_INTERRUPTIBILITY, 2, set, GUEST_IA32_DEBUGCTL, 2, add_bits, ENTRY, ENTRY_LOAD_DEBUG}, {set, GUEST_PENDING_DEBUG, 0}, {set, GUEST_PENDING_DEBUG, 0x4000}
    border "GUEST_PENDING_DEBUG_EXCEPTIONS: BS must be 0 (active)", SECTION, 33, 0, {}, {set, GUEST_PENDING_DEBUG, 0x4000}, {set, GUEST_INTERRUPTIBILITY, 0}, {set, GUEST_INTERRUPTIBILITY, 2}
    border "VMCS_LINK_POINTER: alignment", SECTION, 33, 4, {}, {}, {set, VMCS_LINK_POINTER, spare_vmcs}, {set, VMCS_LINK_POINTER, spare_vmcs + 1}
    border "VMCS_LINK_POINTER: physical-address width", SECTION, 33, 4, {}, {}, {set, VMCS_LINK_POINTER, spare_vmcs}, {set, VMCS_LINK_POINTER, [beyond]}
    border "VMCS_LINK_POINTER: revision identifier", SECTION, 33, 4, {}, {}, {set, VMCS_LINK_POINTER, spare_vmcs}, {set, VMCS_LINK_POINTER, spare_page}
    border "VMCS_LINK_POINTER: revision identifier (shadow)", SECTION, 33, 4, {need2, PROC2_SHADOWING, 0}, {set, VMREAD_BITMAP, spare_page, set, VMWRITE_BITMAP, spare_page, set, VMCS_LINK_POINTER, spare_vmcs}, {shadow, 1, 0}, {shadow, 0, 0}
    border "VMCS_LINK_POINTER: not the current VMCS", SECTION, 33, 4, {}, {}, {set, VMCS_LINK_POINTER, -1}, {set, VMCS_LINK_POINTER, vmcs_region}
    ret

pdptes:
%define SECTION "Checks on Guest Page-Directory-Pointer-Table Entries"
  %macro pdpte 3
    border {%1, ": reserved bits", %3}, SECTION, 33, 2, {}, {PAE_GUEST}, {set, %2, 0x2001}, {set, %2, 0x2003}
    border {%1, ": reserved bits (5)", %3}, SECTION, 33, 2, {}, {PAE_GUEST}, {set, %2, 0x2001}, {set, %2, 0x2021}
    border {%1, ": reserved bits (not present)", %3}, SECTION, 33, 2, {}, {PAE_GUEST}, {set, %2, 0x20FE}, {set, %2, 0x21E7}
    border {%1, ": reserved bits (physical-address width)", %3}, SECTION, 33, 2, {}, {PAE_GUEST}, {set, %2, 0x2001}, {set, %2, 0x2001, add_bits, %2, [beyond]}
  %endmacro
    pdpte "GUEST_PDPTE0", GUEST_PDPTE0, ""
    pdpte "GUEST_PDPTE1", GUEST_PDPTE1, ""
    pdpte "GUEST_PDPTE2", GUEST_PDPTE2, ""
    pdpte "GUEST_PDPTE3", GUEST_PDPTE3, ""
  %macro in_memory 3
    border {"PDPTEs at GUEST_CR3: reserved bits", %1}, SECTION, 33, 2, {}, {PAE_GUEST, clear_bits, PROC2, PROC2_ENABLE_EPT, set, GUEST_CR3, DOWN, store, DOWN, 1, store, DOWN + 8, 0, store, DOWN + 16, 0, store, DOWN + 24, 0}, {store, DOWN + %2, 0x2001}, {store, DOWN + %2, %3}
  %endmacro
    in_memory "", 0, 0x2003
    in_memory " (3)", 24, 0x2081
    ret
