/**
 * The types of the emulator's door (see index.ts): configuration, stops, trace records, views. Types only.
 */
export interface MachineConfig {
  readonly image: Uint8Array;
  readonly imageName: string;
  readonly format?: 'auto' | 'multiboot' | 'elf' | 'flat';
  /** flat images: load address and entry mode. */
  readonly flat?: { readonly address: number; readonly mode: 32 | 64 };
  readonly cmdline?: string;
  readonly modules?: readonly { readonly name: string; readonly bytes: Uint8Array; readonly cmdline: string }[];
  /**
   * 'bare' (default): the program under test owns the hardware, VMX root operation included. 'hosted': the built-in hypervisor runs it in a VM with
   * memory of its own, and nests it when it uses VMX.
   */
  readonly mode?: 'bare' | 'hosted';
  /** Hosted mode. */
  readonly hosted?: {
    /** VMCS shadowing for the program under test, as far as the CPU model has it; default true. */
    readonly vmcsShadowing?: boolean;
    /** The most 4-KiB frames that tables of EPT02 may take; default 512. */
    readonly ept02Frames?: number;
  };
  /** Guest RAM in bytes. Default 128 MiB. */
  readonly memoryBytes?: number;
  readonly cpuModel?: string;
  /** vCPUs, 1 to 8; default 1. The first one starts the image, the others wait for INIT and a start-up IPI. */
  readonly cpus?: number;
  /** Seed of the schedule by which several vCPUs take turns; default 1. */
  readonly seed?: number;
  /** 'interpreter' never compiles; default 'jit': hot code becomes WebAssembly of its own. The guest cannot tell. */
  readonly tier?: 'interpreter' | 'jit';
  /** Branches to a place before it is compiled; default 200. Tests set it low. */
  readonly hotAfter?: number;
}

export type AddressSpace = 'gva' | 'gpa' | 'hpa';
/** Levels: 1 the program under test, 2 its guest. */
export type Level = 1 | 2;

export type StopReason =
  | { readonly kind: 'step-limit' }
  | { readonly kind: 'breakpoint'; /** Linear. */ readonly address: bigint; readonly level: Level }
  | ({
      readonly kind: 'watchpoint';
      /** What else the step met, this hit left out. */ readonly others: readonly WatchpointHit[];
    } & WatchpointHit)
  | { readonly kind: 'vm-exit'; readonly exit: VmExitRecord }
  | { readonly kind: 'vm-entry'; readonly entry: VmEntryRecord }
  | { readonly kind: 'vm-entry-failure'; readonly failure: VmEntryFailureRecord }
  | { readonly kind: 'exception'; readonly exception: ExceptionRecord }
  | { readonly kind: 'interrupt'; readonly interrupt: InterruptRecord }
  | { readonly kind: 'triple-fault'; readonly chain: readonly ExceptionRecord[] }
  | { readonly kind: 'vmx-abort'; /** VMX-abort indicator and what it means. */ readonly indicator: number; readonly sentence: string }
  | { readonly kind: 'halted'; /** HLT with interrupts off: for ever. */ readonly level: Level }
  | { readonly kind: 'guest-exit'; readonly value: number }
  /** The guest switched the machine off by ACPI (S5). */
  | { readonly kind: 'power-off' }
  /** The guest reset the machine, by the device named; it is not started anew. */
  | { readonly kind: 'reset'; readonly by: string }
  | { readonly kind: 'not-modelled'; readonly sentence: string }
  | { readonly kind: 'internal-error'; readonly sentence: string };

export interface VmExitRecord {
  readonly event: 'exit';
  readonly n: number;
  readonly vcpu: number;
  readonly level: 2;
  /** SDM name in upper snake case, such as EPT_VIOLATION. */
  readonly reason: string;
  readonly reasonNumber: number;
  readonly qualification: bigint;
  /** Guest RIP at the exit. */
  readonly rip: bigint;
  readonly gpa?: bigint;
  readonly linear?: bigint;
  readonly instructionLength: number;
  readonly interruptionInfo: number;
  readonly interruptionError: number;
  readonly vmcs: number;
  /** Steps that this vCPU has made, the exit included. */
  readonly vcpuSteps: number;
}
export interface VmEntryRecord {
  readonly event: 'entry';
  readonly n: number;
  readonly vcpu: number;
  readonly level: 2;
  readonly instruction: 'VMLAUNCH' | 'VMRESUME';
  /** RIP of the VMLAUNCH / VMRESUME in the hypervisor. */
  readonly from: bigint;
  /** Guest RIP entered. */
  readonly rip: bigint;
  readonly vmcs: number;
}
export interface VmEntryFailureRecord {
  readonly event: 'entry-failure';
  readonly n: number;
  readonly vcpu: number;
  readonly level: 1;
  readonly instruction: string;
  readonly rip: bigint;
  readonly kind: 'VMfailInvalid' | 'VMfailValid' | 'exit';
  /** VM-instruction error number, or the basic exit reason (33, 34). */
  readonly number: number;
  readonly qualification?: bigint;
  /** The check that refused it, when it was one of the check rows. */
  readonly check?: {
    readonly name: string;
    readonly section: string;
    readonly sentence: string;
    readonly fields: readonly { readonly name: string; readonly value: bigint }[];
  };
  readonly vmcs: number;
}
export interface ExceptionRecord {
  readonly event: 'exception';
  readonly n: number;
  readonly vcpu: number;
  readonly level: Level;
  readonly vector: number;
  readonly errorCode?: number;
  readonly rip: bigint;
  readonly cr2?: bigint;
}
/** An interrupt or NMI that has been delivered: RIP is the handler's first instruction by now. */
export interface InterruptRecord {
  readonly event: 'interrupt';
  readonly n: number;
  readonly vcpu: number;
  readonly level: Level;
  readonly vector: number;
  readonly kind: 'external' | 'nmi' | 'software';
  /** Where it interrupted. */
  readonly rip: bigint;
}
/** Hosted mode: a VM exit to the built-in hypervisor and what it did about it. What the program under test sees of it is a record of its own. */
export interface L0ExitRecord {
  readonly event: 'l0-exit';
  readonly n: number;
  readonly vcpu: number;
  /** Who exited. */
  readonly level: Level;
  readonly reason: string;
  readonly reasonNumber: number;
  readonly qualification: bigint;
  readonly rip: bigint;
  readonly gpa?: bigint;
  readonly routedTo: 'L0' | 'L1' | 'both';
  readonly handling: string;
}
/** Hosted mode: what the built-in hypervisor knows and did. */
export interface L0View {
  /** How often something happened, by the names of its ledger, such as 'exit L1 VMREAD'. */
  count(name: string): number;
  /** Sum of the counts whose name begins so. */
  sum(prefix: string): number;
  /** Analysis account: never seen by the guest. */
  readonly cycles: number;
  /** VMCS01, VMCS12 and VMCS02 side by side; undefined: level 1 has no current VMCS. */
  explainVmcs():
    | readonly {
        readonly field: { readonly name: string };
        readonly origin: 'from 12' | 'from 01' | 'forced by L0' | 'merged';
        readonly rule: string;
        readonly v01: bigint;
        readonly v12: bigint;
        readonly v02: bigint;
      }[]
    | undefined;
  /** Leaves of EPT02: level 2's page, what it was derived from (level 1's page and EPT12's entry, the frame of EPT01), and whether that is out of date. */
  derivedLeaves(): readonly {
    readonly eptp12: number;
    readonly ngpa: number;
    readonly derived: { readonly gpa: number; readonly entry12: bigint; readonly hpa: number; readonly entry02: bigint };
    readonly stale: boolean;
  }[];
  /** Frames of host memory that are in use, and by whom. */
  frames(): readonly {
    readonly hpa: number;
    readonly use: string;
    readonly gpa: number;
    readonly ept02: readonly (readonly [number, number])[];
  }[];
  /** Moves a page of level 1 to another frame; the old one is filled with `poison`. Leaves of EPT02 that were derived from it are dropped first. */
  movePage(gpa: number, poison: number): { readonly from: number; readonly to: number; readonly dropped: number };
}
export type TraceRecord = L0ExitRecord | VmExitRecord | VmEntryRecord | VmEntryFailureRecord | ExceptionRecord | InterruptRecord;

/** Which events end a slice. Not machine state; never changes what the guest sees. */
export interface BreakOn {
  vmExit: boolean;
  vmEntry: boolean;
  vmEntryFailure: boolean;
  /** Stops after the exception's delivery (or the VM exit or shutdown that it led to): RIP is the handler's. */
  exception: boolean;
  /** Likewise after an interrupt's or NMI's delivery. */
  interrupt: boolean;
}

export interface Breakpoint {
  /** Linear address; `level` restricts it. */
  readonly address: bigint;
  readonly level?: Level;
  /** Restricts it to one vCPU. */
  readonly vcpu?: number;
}

/**
 * Stops after the instruction (or delivered event) that has made an access of this kind to any of the bytes. 'gva' is a linear address; 'gpa'
 * is level 1's guest-physical address unless `level` is 2. Page walks, VMX structures and devices count with what they write to physical
 * memory; fetches, page walks and the user read nothing.
 */
export interface Watchpoint {
  readonly space: AddressSpace;
  readonly address: bigint;
  /** In bytes, at least 1. */
  readonly length: number;
  readonly access: 'read' | 'write' | 'readWrite';
  /** Only accesses made at this level. */
  readonly level?: Level;
  /** Only accesses made while CR3 holds this address (its low 12 bits do not count). */
  readonly cr3?: bigint;
}
export interface WatchpointHit {
  readonly watchpoint: Watchpoint;
  readonly access: 'read' | 'write';
  /** 'machine': written by the page walk, a VMX operation or a device. */
  readonly by: 'instruction' | 'machine';
  readonly vcpu: number;
  readonly level: Level;
  /** Instruction pointer of the instruction that made the access. */
  readonly rip: bigint;
  /** First byte of the access in the watchpoint's space, and its length: they may go beyond what is watched. */
  readonly address: bigint;
  readonly length: number;
  /** The bytes from `address` on, before and after (`newBytes` for writes); missing where they are not RAM or were not known. */
  readonly oldBytes?: Uint8Array;
  readonly newBytes?: Uint8Array;
}

export interface SliceOptions {
  /** Ends with step-limit after exactly this many steps, or earlier where all processors wait for something far in the future: go on then. */
  readonly maxSteps: number;
  /** Counts only this vCPU's steps; the others run as the schedule has it. */
  readonly countOnly?: number;
  /** With `countOnly`: the most steps of all vCPUs together. */
  readonly mostSteps?: number;
  /** Only this vCPU runs, the others hold (this changes how they interleave from here on). */
  readonly runOnly?: number;
  /** Where all processors wait, time passes to this tick at most; the slice ends there (step-limit). Leaves no mark: pacing to a wall clock. */
  readonly waitUntil?: number;
  /**
   * Bytes for COM1 may still come (sendSerialInput): where nothing else could wake a guest that waits for them with an interrupt, the slice
   * ends (step-limit, no step made) instead of the machine ('halted').
   */
  readonly inputMayCome?: boolean;
  /** A breakpoint at the very first instruction does not stop (resuming from it). */
  readonly ignoreFirstBreakpoint?: boolean;
}

export interface Machine {
  /** Position: steps made since power-on. */
  readonly steps: number;
  readonly instructions: number;
  readonly vcpuCount: number;
  /** The vCPU that ran last: the one that a stop is about. */
  readonly currentVcpu: number;
  /** Guest-visible time in ticks (nanoseconds) since power-on, the same for all vCPUs. */
  readonly time: number;
  /** Hosted mode: the built-in hypervisor. */
  readonly l0: L0View | undefined;
  /** What the second tier has done so far. Not machine state. */
  readonly tiers: { readonly compiled: number; readonly modules: number; readonly dropped: number };
  readonly breakOn: BreakOn;
  setBreakpoints(list: readonly Breakpoint[]): void;
  /** Replaces all watchpoints; throws UserError for one that cannot be. They never change what the guest does. */
  setWatchpoints(list: readonly Watchpoint[]): void;
  /** Runs synchronously until something stops it. */
  runSlice(options: SliceOptions): StopReason;
  /** Once the machine has ended (guest-exit, halted, triple-fault, not-modelled) further slices give the same answer. */
  readonly ended: StopReason | undefined;

  /** Bytes the guest sent to COM1 since the last call. */
  takeSerialOutput(): Uint8Array;
  takeDebugConsoleOutput(): Uint8Array;
  sendSerialInput(bytes: Uint8Array): void;

  /** Takes the trace records since the last call and gives those of the events `only` (default: all); bounded ring: `dropped` counts what was lost. */
  takeTrace(only?: readonly TraceRecord['event'][]): { readonly records: readonly TraceRecord[]; readonly dropped: number };
  /** Most recent VM exits, oldest first (for views). */
  readonly recentExits: readonly VmExitRecord[];
  readonly exitCounts: ReadonlyMap<string, number>;

  save(): MachineSnapshot;
  restore(snapshot: MachineSnapshot): void;
  /** Hash of the whole guest-visible state (hex). */
  hash(): string;

  cpu(vcpu: number): CpuView;
  readonly inspect: Inspector;
  /** Resolves an address without changing the machine. */
  resolve(vcpu: number, level: Level, space: AddressSpace, address: bigint): Resolution;
  /** Reads memory of a space; unmapped bytes end the answer. Never changes the machine. */
  readMemory(vcpu: number, level: Level, space: AddressSpace, address: bigint, length: number): Uint8Array;
  /** The user's write: through physWrite, returns bytes written. */
  writeMemory(vcpu: number, level: Level, space: AddressSpace, address: bigint, bytes: Uint8Array): number;
}

/** Opaque, plain, structured-clonable, versioned. */
export interface MachineSnapshot {
  readonly version: number;
  readonly parts: Readonly<Record<string, unknown>>;
}

/** Registers at a stop. `level` is where the CPU is; the other level's registers come from the VMCS. */
export interface CpuView {
  readonly level: Level;
  /** Steps that this vCPU has made since power-on. */
  readonly steps: number;
  readonly inVmx: boolean;
  readonly rip: bigint;
  readonly codeBits: 16 | 32 | 64;
  readonly cpl: number;
  readonly halted: boolean;
  /** Active, or what it waits for: the manual's activity states, and MWAIT. */
  readonly activity: 'active' | 'HLT' | 'shutdown' | 'wait-for-SIPI' | 'MWAIT';
  /** lower-case name: rax … r15, rip, rflags, cs … tr (selector), cr0 …, efer …: see inspect/registers. */
  register(name: string): bigint | undefined;
  /** Sets a register by name; throws UserError when it cannot be set. */
  setRegister(name: string, value: bigint): void;
  registerNames(): readonly string[];
  /** L2 state as the current VMCS has it (after an exit), or L1's host state while L2 runs. Undefined when there is no VMCS. */
  other():
    | {
        readonly level: Level;
        readonly rip: bigint;
        readonly rsp: bigint;
        readonly codeBits: 16 | 32 | 64;
        readonly cr3: bigint;
        readonly launched: boolean;
      }
    | undefined;
  /** The last VM entry made (to show the frame that led into L2), undefined before the first. */
  readonly lastEntry: VmEntryRecord | undefined;
  /** The exit that is committed and of which the hypervisor has not run an instruction yet. */
  readonly exitJustCommitted: VmExitRecord | undefined;
}

export interface InspectNode {
  /** Path to ask for the children of, stable over stops: 'vmcs/guest/GUEST_CR3'. */
  readonly id: string;
  readonly label: string;
  /** Raw value as 0x… where there is one. */
  readonly value?: string;
  /** Decoded in words. */
  readonly description?: string;
  /** Longer explanation with the manual's section (hover). */
  readonly tooltip?: string;
  readonly memory?: { readonly space: AddressSpace; readonly level: Level; readonly address: bigint };
  /** Where the value itself lies in memory (host-physical): a field of the VMCS region, a gate, a page-table entry. */
  readonly stored?: { readonly address: bigint; readonly bytes: number };
  readonly expandable: boolean;
}
export interface Inspector {
  /** Top-level: 'vmcs', 'idt', 'interrupts', 'page-tables', 'exits', 'registers', 'devices'. Children of a node by its id. Never changes the machine. */
  children(vcpu: number, id: string): readonly InspectNode[];
}

export interface ResolutionStep {
  /** 'guest PML4' …, 'EPT PML4' …  */
  readonly table: string;
  readonly stage: 'guest' | 'ept';
  readonly level: number;
  readonly index: number;
  /** Where the entry lies: guest-physical for guest tables, host-physical in `entryHpa`. */
  readonly entryAddress: bigint;
  readonly entryHpa?: bigint;
  readonly entryBytes: number;
  readonly entry: bigint;
  readonly present: boolean;
  readonly largePage: boolean;
  readonly permissions: string; // 'rwxu' style
  /** Why the walk stops here, in words; undefined when it goes on. */
  readonly stops?: string;
}
export interface Resolution {
  readonly input: { readonly space: AddressSpace; readonly level: Level; readonly address: bigint };
  readonly gva?: bigint;
  /** Guest-physical address in the level's own space. */
  readonly gpa?: bigint;
  readonly hpa?: bigint;
  readonly steps: readonly ResolutionStep[];
  /** All levels combined. */
  readonly permissions?: string;
  readonly memoryType?: string;
  readonly pageBytes?: number;
  readonly failure?: string;
  /** One line: 'GVA 0x… → GPA 0x… → HPA 0x… (rw-, 2 MiB page)'. */
  readonly summary: string;
}
