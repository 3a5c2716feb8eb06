/** The requests and events that this adapter adds to the Debug Adapter Protocol, typed for both sides. Numbers of 64 bits travel as 0x… strings. */
import type { AddressSpace, Level } from '../emulator/api';

export interface InspectArguments {
  /** Default 0. */
  readonly vcpu?: number;
  /** '' or a top-level id such as 'vmcs', 'idt', 'interrupts', 'page-tables', 'exits', 'registers', 'devices', or the id of a node. */
  readonly id: string;
}
export interface InspectedNode {
  readonly id: string;
  readonly label: string;
  readonly value?: string;
  readonly description?: string;
  readonly tooltip?: string;
  /** As readMemory takes it. */
  readonly memoryReference?: string;
  /** The bytes that hold the value, as a data breakpoint takes them: hpa:0x5000/8. */
  readonly dataId?: string;
  /** Where the value is an address of code or data that the symbols know: vm_exit_handler+0x4. */
  readonly symbol?: string;
  readonly expandable: boolean;
}
export interface InspectResult {
  readonly nodes: readonly InspectedNode[];
}

export interface ResolveArguments {
  /** Default 0. */
  readonly vcpu?: number;
  /** An address as 0x…, a memory reference such as l2:gva:0x…, or an expression. */
  readonly address: string;
  /** Default 'gva'; a memory reference brings its own. */
  readonly space?: AddressSpace;
  /** Default: where the virtual CPU is. */
  readonly level?: Level;
  /** Evaluates names in this frame. */
  readonly frameId?: number;
}
export interface ResolvedStep {
  readonly table: string;
  readonly stage: 'guest' | 'ept';
  readonly level: number;
  readonly index: number;
  readonly entryAddress: string;
  readonly entryHpa?: string;
  readonly entry: string;
  readonly present: boolean;
  readonly largePage: boolean;
  readonly permissions: string;
  readonly stops?: string;
}
export interface ResolveResult {
  readonly space: AddressSpace;
  readonly level: Level;
  readonly address: string;
  readonly gva?: string;
  readonly gpa?: string;
  readonly hpa?: string;
  readonly steps: readonly ResolvedStep[];
  readonly permissions?: string;
  readonly memoryType?: string;
  readonly pageBytes?: number;
  readonly failure?: string;
  readonly summary: string;
}

export interface ExitsArguments {
  /** Most recent ones, default 100. */
  readonly limit?: number;
}
export interface ExitEntry {
  readonly n: number;
  readonly vcpu: number;
  readonly reason: string;
  readonly reasonNumber: number;
  readonly qualification: string;
  readonly rip: string;
  readonly symbol?: string;
  readonly gpa?: string;
  readonly linear?: string;
  readonly vmcs: string;
}
export interface ExitsResult {
  /** Oldest first. */
  readonly exits: readonly ExitEntry[];
  readonly counts: Readonly<Record<string, number>>;
}

export interface PositionResult {
  readonly steps: number;
  readonly instructions: number;
  readonly vcpuCount: number;
  readonly running: boolean;
  readonly ended: boolean;
  readonly vcpus: readonly {
    readonly vcpu: number;
    readonly level: Level;
    readonly rip: string;
    readonly codeBits: number;
    readonly cpl: number;
    /** Steps that it has made. */
    readonly steps: number;
    /** active, or what it waits for: HLT, shutdown, wait-for-SIPI, MWAIT. */
    readonly activity: string;
  }[];
}

export interface SerialInputArguments {
  /** What the user typed into the console, for COM1. */
  readonly text: string;
}

/** Custom requests by name: what they take and what they answer. */
export interface CustomRequests {
  'nestscope/inspect': { arguments: InspectArguments; result: InspectResult };
  'nestscope/resolve': { arguments: ResolveArguments; result: ResolveResult };
  'nestscope/exits': { arguments: ExitsArguments; result: ExitsResult };
  'nestscope/position': { arguments: Record<string, never>; result: PositionResult };
  'nestscope/serialInput': { arguments: SerialInputArguments; result: Record<string, never> };
}

/** Custom events by name. */
export interface CustomEvents {
  /** Bytes that the guest sent to COM1, base64; the same text goes out as an output event. */
  'nestscope/serial': { readonly port: 'COM1' | 'debug console'; readonly base64: string };
}

/** Ids of the exception filters (fixed at initialize). */
export type FilterId = 'vm-exit' | 'vm-entry-failure' | 'triple-fault' | 'exception' | 'interrupt';

/** Between an editor's extension and the worker that holds adapter and machine. */
export type WorkerMessage =
  | { readonly kind: 'dap'; readonly message: unknown }
  /** The worker asks for a file. */
  | { readonly kind: 'read'; readonly id: number; readonly path: string }
  | { readonly kind: 'read-result'; readonly id: number; readonly bytes?: Uint8Array; readonly error?: string };
