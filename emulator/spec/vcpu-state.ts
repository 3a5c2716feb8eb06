/**
 * The layout of one virtual CPU's state inside the machine's WebAssembly memory: byte offsets from the vCPU base, shared by generated
 * code and TypeScript (a table only; segment access rights use the VMCS format of the SDM, "Format of Access Rights").
 */

/** General registers in the order of the manual's register numbers (ModRM encoding with REX): RAX=0 … R15=15, eight bytes each. */
export const GPR_NAMES = [
  'rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15',
] as const; // prettier-ignore

/** Segment registers in the manual's encoding order, then LDTR and TR. */
export const SEGMENT_NAMES = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'] as const;
export const Seg = { es: 0, cs: 1, ss: 2, ds: 3, fs: 4, gs: 5, ldtr: 6, tr: 7 } as const;

/** Byte offsets from the vCPU base. Widths are in the comment of each line: i32, i64, f64 (an exact integer below 2^53). */
export const State = {
  gpr: 0x000, // 16 × i64
  zero: 0x080, // i64, always 0: the base or index of an address that has none
  pageIp: 0x088, // i64, IP of the first byte of the current code page (IP - page offset)
  eaTemp: 0x090, // i64, linear address computed by an address record for the next record
  flagKind: 0x098, // i32, how flagA and flagB give the six arithmetic flags (see codegen/flags)
  flagA: 0x0a0, // i64
  flagB: 0x0a8, // i64
  systemFlags: 0x0b0, // i32, RFLAGS without CF PF AF ZF SF OF (bit 1 always set)
  rip: 0x0b8, // i64, IP of the next instruction; exact whenever generated code is not running
  steps: 0x0c0, // f64, steps made by this vCPU (the machine's position counts those of all)
  deadline: 0x0c8, // f64, tick of the machine's clock at which this vCPU itself acts (VMX-preemption timer), 0: none
  budget: 0x0d0, // i32, steps that generated code may still make
  exitRecord: 0x0d4, // i32, wasm address of the decoded record at which generated code left
  cpl: 0x0d8, // i32
  mode: 0x0dc, // i32, mode word: keys decoded code (see cpu/mode)
  contextData: 0x0e0, // i64, TLB context id for data accesses of the current CPL
  contextFetch: 0x0e8, // i64, TLB context id for instruction fetches
  activity: 0x0f0, // i32, 0 active, 1 HLT, 2 shutdown, 3 wait-for-SIPI (the manual's activity states)
  interruptibility: 0x0f4, // i32, bit 0 blocking by STI, bit 1 by MOV SS, bit 2 by SMI, bit 3 by NMI
  accessLo: 0x0f8, // i32, argument of the slow path: low half of the linear address
  accessHi: 0x0fc, // i32, high half
  segment: 0x100, // 8 × 32 bytes: see SegmentState
  gdtrBase: 0x200, // i64
  gdtrLimit: 0x208, // i32
  idtrLimit: 0x20c, // i32
  idtrBase: 0x210, // i64
  cr0: 0x218, // i64
  cr2: 0x220, // i64
  cr3: 0x228, // i64
  cr4: 0x230, // i64
  xcr0: 0x240, // i64
  dr: 0x248, // 8 × i64 (DR0..DR7)
  efer: 0x288, // i64
  star: 0x290, // i64
  lstar: 0x298, // i64
  cstar: 0x2a0, // i64
  fmask: 0x2a8, // i64
  kernelGsBase: 0x2b0, // i64
  tscAux: 0x2b8, // i64
  tscOffset: 0x2c0, // i64, what WRMSR to IA32_TIME_STAMP_COUNTER / IA32_TSC_ADJUST added
  sysenterCs: 0x2c8, // i64
  sysenterEsp: 0x2d0, // i64
  sysenterEip: 0x2d8, // i64
  pat: 0x2e0, // i64
  miscEnable: 0x2e8, // i64
  featureControl: 0x2f0, // i64
  debugctl: 0x2f8, // i64
  perfGlobalCtrl: 0x308, // i64
  spareMsr: 0x310, // 14 × i64, for MSRs to come
  pdpte: 0x380, // 4 × i64, PDPTE registers of PAE paging
  // VMX operation
  vmxMode: 0x3a0, // i32, 0 outside VMX operation, 1 root, 2 non-root
  vmxInternal: 0x3a4, // i32, free for vmx/ (launch-state and shadow bits)
  vmxonPointer: 0x3a8, // f64, physical address, -1 when outside VMX operation
  currentVmcs: 0x3b0, // f64, physical address, -1 when there is none
  eptPointer: 0x3b8, // f64, the EPTP in use (its low bits are never all 0), 0 when EPT is off
  vpid: 0x3c0, // i32
  eptMode: 0x3c4, // i32, EptMode of spec/ept
  vmxScratch: 0x3c8, // 10 × i64, free for vmx/ (serialised like everything here)
  apicAccessPage: 0x418, // f64, address of the APIC-access page in use plus 1, 0: none
  pmlAddress: 0x420, // f64, page-modification log in use with EptMode.logging
  pmlIndex: 0x428, // i32, next entry of that log
  hostedLevel: 0x430, // i32, hosted mode: level (1 or 2) of the guest whose VMCS is current; 0: bare
  pendingConvertible: 0x42c, // i32, 1: the pending EPT violation may become a virtualization exception
  // An event that is to be delivered before the next instruction (VM-entry injection, later interrupts): the manual's interruption-information format
  pendingEventInfo: 0x440, // i32, bit 31 = valid
  pendingEventError: 0x444, // i32
  pendingEventLength: 0x448, // i32, instruction length for software events
  boundary: 0x44c, // i32, non-zero forces a budget of 1 (bit 0 TF, bit 1 MTF, bit 2 windows …)
  pendingDebug: 0x450, // i32, pending debug exceptions
  codeEpoch: 0x454, // i32, derived: changes when decoded code was thrown away
  nextContext: 0x458, // i32, next free TLB context index
  contextIndex: 0x45c, // i32, TLB context index in use
  // What a failed access left behind (see cpu/pending)
  pendingKind: 0x460, // i32, 0 none, 1 exception, 2 VM exit
  pendingVector: 0x464, // i32
  pendingErrorCode: 0x468, // i32, -1 when the exception has none
  pendingReason: 0x46c, // i32, VM-exit basic reason
  pendingQualification: 0x470, // i64
  pendingGpa: 0x478, // f64
  pendingLinear: 0x480, // i64
  // Exception being delivered (double-fault detection, IDT-vectoring information)
  vectoringInfo: 0x488, // i32, interruption-information format, bit 31 = valid
  vectoringError: 0x48c, // i32
  vectoringLength: 0x490, // i32
  nmiUnblocked: 0x494, // i32, the IRET whose fault is under way has ended blocking by NMI
  a20Masked: 0x498, // i32, 1: A20M# is asserted, so that bit 20 of physical addresses is 0 outside VMX operation
  contextMap: 0x4a0, // 8 × 24 bytes {f64 EPTP, i32 VPID × 4096 + PCID, i32 PKRU, i32 index, i32 used}: remembered TLB contexts
  fetchPage: 0x560, // i64, linear address of the page that instructions are fetched from; 1: none
  fetchHpa: 0x568, // f64, its host-physical address
  codeTable: 0x570, // i32, derived: the code page's table of records, 0: to be looked up
  ipMask: 0x578, // i64, 2^32 - 1 outside 64-bit code, else all ones
  instructions: 0x580, // f64, retired instructions (REP iterations counted)
  csBase: 0x588, // i64, derived: base of CS outside 64-bit code, 0 in 64-bit code: linear address of the IP minus the IP
  csLimit: 0x590, // i32 (unsigned), derived: limit of CS
  signals: 0x594, // i32, signals that wait for an instruction boundary: see Signal
  startUpVector: 0x598, // i32, vector of the start-up IPI that waits
  monitorWait: 0x59c, // i32, see MonitorWait
  canonicalShift: 0x700, // i64, derived: 64 less the width of linear addresses (16, or 7 with 5-level paging)
  pkru: 0x708, // i32, PKRU
  debugMatches: 0x70c, // i32, data breakpoints (DR6 bits 3:0) met by the instruction that is being carried out
  random: 0x710, // i64, state of the generator behind RDRAND and RDSEED
  monitorArmed: 0x718, // i32, MONITOR has been carried out
  globalGroup: 0x71c, // i32, group of the global pages of the EPTP and VPID in use
  mtrr: 0x720, // 27 × i64: 8 pairs of IA32_MTRR_PHYSBASEn and PHYSMASKn, then the 11 fixed-range MTRRs
  nextGlobalGroup: 0x7f8, // i32, the last group of global pages that was given out
  scratch: 0x800, // 256 bytes: slow accesses (page-crossing, MMIO, code pages) are gathered here
  exitGuard: 0x900,
  tlb: 0x1000, // 1024 × 32 bytes: see TlbEntry
  tlbPage: 0x9000, // 1024 × f64: host-physical address of the page that each entry maps
  tlbGpa: 0xc000, // 1024 × f64: the guest-physical address that was translated to it
  machineCheck: 0xe000, // 32 banks × 4 × i64: control, status, address, miscellaneous
  mcgStatus: 0xe400, // i64, IA32_MCG_STATUS
  mcgControl: 0xe408, // i64, IA32_MCG_CTL
  lastBranch: 0xe500, // 32 × 2 × i64: from and to of the last-branch record stack
  lastBranchTop: 0xe700, // i64, MSR_LASTBRANCH_TOS
  lastBranchSelect: 0xe708, // i64, MSR_LBR_SELECT
  lastException: 0xe710, // 2 × i64: MSR_LER_FROM_LIP and MSR_LER_TO_LIP
  counter: 0xe720, // 7 × i64: 4 general-purpose performance counters, 3 fixed ones
  counterSelect: 0xe758, // 4 × i64: IA32_PERFEVTSELn
  fixedCounterControl: 0xe778, // i64
  counterOverflow: 0xe780, // i64, IA32_PERF_GLOBAL_STATUS
  counting: 0xe788, // i32, a counter counts now; bit 1: the processor was halted when it was last looked at
  countedInstructions: 0xe790, // f64, State.instructions when it was last looked at
  countedTicks: 0xe798, // f64, the clock then
  // System-management mode: what the processor keeps inside while it lasts (see cpu/system-management)
  smbase: 0xe800, // i32
  smmInterruptibility: 0xe804, // i32, interruptibility before the SMI
  smmActivity: 0xe808, // i32
  smmPendingDebug: 0xe80c, // i32
  smmCpl: 0xe810, // i32
  smmVirtual8086: 0xe814, // i32, RFLAGS.VM in its place
  smmVmxe: 0xe818, // i32, CR4.VMXE in its place
  smiIo: 0xe81c, // i32, I/O state field of the instruction behind which the SMI came, 0: none
  smiIoRip: 0xe820, // i64
  smiIoAddress: 0xe828, // i64
  smmLimits: 0xe830, // GDTR and IDTR limits
  smmPdptes: 0xe838, // 4 × i64
  smmSegments: 0xe900, // 8 × 32 bytes, as `segment`
  smmVmx: 0xea00, // 0xb0 bytes: see vmx/system-management
  monitorLine: 0xeac0, // f64, host-physical address of the line that MONITOR has armed the monitor on
  monitorBytes: 0xeac8, // 8 × i64, what the line held then
} as const;

/** Bits of State.signals. Interrupts are not among them: the local APIC holds those. */
export const Signal = { smi: 1, init: 2, startUp: 4, nmi: 8 } as const;

/** Bits of State.monitorWait. */
export const MonitorWait = { waits: 1, maskedInterrupts: 2 } as const;

export const SEGMENT_STRIDE = 32;
/** Offsets inside one segment's 32 bytes. */
export const SegmentState = {
  base: 0, // i64
  limit: 8, // i32 (unsigned), in bytes, granularity applied
  access: 12, // i32, VMCS access-rights format; bit 16 = unusable
  selector: 16, // i32
} as const;

/** Offsets inside one TLB entry. A tag is (linear page | slow bit | context id); 1 never matches. */
export const TlbEntry = { stride: 32, count: 1024, read: 0, write: 8, fetch: 16, addend: 24, code: 28 } as const;
/** Bit of a tag that sends a hit through the slow path although the translation is known. */
export const TLB_SLOW_BIT = 0x800;
/** A tag that no look-up can match (context ids and the slow bit are never odd alone). */
export const TLB_EMPTY = 0x7ffn;

export const VCPU_STRIDE = 0x20000;
export const VCPU_FIRST = 0x10000;
/** The most vCPUs that a machine can have. */
export const MAX_VCPUS = 8;
/** Where decoded records live. */
export const ARENA_FIRST = 0x200000;
export const ARENA_BYTES = 0x3e00000;
/** Guest RAM begins here. */
export const RAM_FIRST = 0x4000000;

/** RFLAGS bits by name (SDM volume 1, "EFLAGS Register"). */
export const Flag = {
  CF: 1 << 0, PF: 1 << 2, AF: 1 << 4, ZF: 1 << 6, SF: 1 << 7, TF: 1 << 8, IF: 1 << 9, DF: 1 << 10, OF: 1 << 11,
  IOPL: 3 << 12, NT: 1 << 14, RF: 1 << 16, VM: 1 << 17, AC: 1 << 18, VIF: 1 << 19, VIP: 1 << 20, ID: 1 << 21,
} as const; // prettier-ignore
export const ARITHMETIC_FLAGS = 0x8d5;

/** Mode-word bits: everything of the CPU's mode that decoding depends on. */
export const Mode = {
  code64: 1, // CS.L = 1 in IA-32e mode
  code32: 2, // default operand and address size 32 (CS.D = 1); neither bit: 16-bit
  longMode: 4, // EFER.LMA
  stack32: 8, // SS.B = 1 (outside 64-bit code)
  flat: 16, // CS, DS, ES and SS have base 0 and limit 4 GiB - 1 (outside 64-bit code)
  protectedMode: 32,
  segmented: 64, // outside 64-bit code: not 32-bit code and stack in flat segments, so that every access checks its segment
} as const;
