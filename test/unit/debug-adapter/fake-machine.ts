/** A machine without a processor: it walks through a list of positions, some of which raise an event, so that the adapter is tested alone. */
import type {
  Breakpoint,
  CpuView,
  InspectNode,
  Level,
  Machine,
  Resolution,
  StopReason,
  VmEntryRecord,
  VmExitRecord,
} from '../../../emulator/api';
import type { Host } from '../../../debug-adapter/host';

export interface Position {
  readonly level: Level;
  readonly rip: bigint;
  readonly rsp?: bigint;
  /** What making the step from here does; the machine is at the next position when it is told. */
  readonly event?: 'exit' | 'entry' | 'exception' | 'entry-failure';
  /** The machine ends here. */
  readonly end?: StopReason;
}

export const exitRecord = (n: number, rip: bigint, reason = 'EPT_VIOLATION', reasonNumber = 48): VmExitRecord => ({
  event: 'exit',
  n,
  vcpu: 0,
  level: 2,
  reason,
  reasonNumber,
  qualification: 0x182n,
  rip,
  gpa: 0x20000n,
  linear: 0x40020000n,
  instructionLength: 3,
  interruptionInfo: 0,
  interruptionError: 0,
  vmcs: 0x5000,
  vcpuSteps: n,
});

export interface FakeOptions {
  readonly positions: readonly Position[];
  /** After the last position the first one comes again. */
  readonly endless?: boolean;
  readonly code?: ReadonlyMap<bigint, readonly number[]>;
  /** Called for each slice with its steps, to let a fake clock run. */
  readonly onSlice?: (steps: number) => void;
}

export class FakeMachine implements Machine {
  steps = 0;
  readonly vcpuCount = 1;
  readonly currentVcpu = 0;
  get time(): number {
    return this.steps;
  }
  readonly l0 = undefined;
  readonly tiers = { compiled: 0, modules: 0, dropped: 0 };
  readonly breakOn = { vmExit: false, vmEntry: false, vmEntryFailure: false, exception: false, interrupt: false };
  breakpoints: readonly Breakpoint[] = [];
  ended: StopReason | undefined;
  recentExits: VmExitRecord[] = [];
  readonly exitCounts = new Map<string, number>();
  readonly registers = new Map<string, bigint>([
    ['rax', 0x1122334455667788n],
    ['rbp', 0n],
    ['rflags', 0x46n],
    ['cr3', 0x1000n],
    ['cs', 8n],
    ['efer', 0x500n],
  ]);
  readonly memory = new Map<bigint, number>();
  serial: number[] = [];
  private committed: VmExitRecord | undefined;
  private entry: VmEntryRecord | undefined;

  constructor(private readonly options: FakeOptions) {
    for (const [address, bytes] of options.code ?? []) bytes.forEach((byte, i) => this.memory.set(address + BigInt(i), byte));
  }

  get instructions(): number {
    return this.steps;
  }
  private get position(): Position {
    const { positions } = this.options;
    return positions[this.options.endless ? this.steps % positions.length : Math.min(this.steps, positions.length - 1)]!;
  }
  setWatchpoints(): void {
    // None of the tests looks at them.
  }
  setBreakpoints(list: readonly Breakpoint[]): void {
    this.breakpoints = list;
  }
  runSlice({ maxSteps, ignoreFirstBreakpoint }: { maxSteps: number; ignoreFirstBreakpoint?: boolean }): StopReason {
    const before = this.steps;
    const stop = this.run(maxSteps, ignoreFirstBreakpoint === true);
    this.options.onSlice?.(this.steps - before);
    return stop;
  }
  private run(maxSteps: number, ignoreFirst: boolean): StopReason {
    if (this.ended) return this.ended;
    for (let made = 0; made < maxSteps; made++) {
      const { level, rip, event, end } = this.position;
      const hit = this.breakpoints.some((b) => b.address === rip && (b.level ?? level) === level);
      if (hit && !(ignoreFirst && made === 0)) return { kind: 'breakpoint', address: rip, level };
      if (end) return (this.ended = end);
      this.committed = undefined;
      this.steps++;
      const n = this.steps;
      if (event === 'exit') {
        const exit = exitRecord(n, rip);
        this.committed = exit;
        this.recentExits.push(exit);
        this.exitCounts.set(exit.reason, (this.exitCounts.get(exit.reason) ?? 0) + 1);
        if (this.breakOn.vmExit) return { kind: 'vm-exit', exit };
      } else if (event === 'entry') {
        this.entry = { event: 'entry', n, vcpu: 0, level: 2, instruction: 'VMRESUME', from: rip, rip: this.position.rip, vmcs: 0x5000 };
        if (this.breakOn.vmEntry) return { kind: 'vm-entry', entry: this.entry };
      } else if (event === 'exception' && this.breakOn.exception) {
        return { kind: 'exception', exception: { event: 'exception', n, vcpu: 0, level, vector: 14, errorCode: 2, rip, cr2: 0x1000n } };
      } else if (event === 'entry-failure' && this.breakOn.vmEntryFailure) {
        const check = {
          name: 'guest CR0 fixed bits',
          section: 'Checks on Guest Control Registers',
          sentence: 'CR0 must have the fixed bits.',
          fields: [{ name: 'GUEST_CR0', value: 0n }],
        };
        const failure = {
          event: 'entry-failure',
          n,
          vcpu: 0,
          level: 1,
          instruction: 'VMLAUNCH',
          rip,
          kind: 'exit',
          number: 33,
          check,
          vmcs: 0x5000,
        } as const;
        return { kind: 'vm-entry-failure', failure };
      }
    }
    return { kind: 'step-limit' };
  }
  takeSerialOutput(): Uint8Array {
    const bytes = Uint8Array.from(this.serial);
    this.serial = [];
    return bytes;
  }
  takeDebugConsoleOutput(): Uint8Array {
    return new Uint8Array();
  }
  sendSerialInput(): void {}
  takeTrace() {
    return { records: [], dropped: 0 };
  }
  save(): never {
    throw new Error('not used');
  }
  restore(): void {}
  hash(): string {
    return '';
  }
  cpu(): CpuView {
    const { level, rip, rsp = 0x8000n } = this.position;
    const { registers } = this;
    const own: Record<string, bigint> = { rip, rsp };
    return {
      level,
      steps: this.steps,
      inVmx: true,
      rip,
      codeBits: 64,
      cpl: 0,
      halted: false,
      activity: 'active',
      register: (name) => own[name] ?? registers.get(name),
      setRegister: (name, value) => void registers.set(name, value),
      registerNames: () => ['rip', 'rsp', ...registers.keys()],
      other: () =>
        this.entry ? { level: level === 1 ? 2 : 1, rip: 0x100100n, rsp: 0x9000n, codeBits: 64, cr3: 0x2000n, launched: true } : undefined,
      lastEntry: this.entry,
      exitJustCommitted: this.committed,
    };
  }
  readonly inspect = {
    children: (_vcpu: number, id: string): readonly InspectNode[] => {
      if (id === 'vmcs') return [{ id: 'vmcs/guest', label: 'Guest state', expandable: true }];
      if (id === 'vmcs/guest')
        return [{ id: 'vmcs/guest/GUEST_CR3', label: 'Guest CR3', value: '0x7000', description: 'PML4 at 0x7000', expandable: false }];
      return [];
    },
  };
  resolve(_vcpu: number, level: Level, space: Resolution['input']['space'], address: bigint): Resolution {
    const input = { space, level, address };
    if (address > 0xffffffffn)
      return {
        input,
        steps: [],
        failure: 'PML4 entry not present',
        summary: `GVA 0x${address.toString(16)} is not mapped: PML4 entry not present`,
      };
    const hpa = address + 0xa00000n;
    return {
      input,
      gva: address,
      gpa: address,
      hpa,
      steps: [],
      permissions: 'rwx',
      summary: `GVA 0x${address.toString(16)} → HPA 0x${hpa.toString(16)} (rwx)`,
    };
  }
  readMemory(_vcpu: number, _level: Level, _space: string, address: bigint, length: number): Uint8Array {
    const bytes: number[] = [];
    for (let i = 0n; i < BigInt(length) && address + i <= 0xffffffffn; i++) bytes.push(this.memory.get(address + i) ?? 0x90);
    return Uint8Array.from(bytes);
  }
  writeMemory(_vcpu: number, _level: Level, _space: string, address: bigint, bytes: Uint8Array): number {
    if (address > 0xffffffffn) return 0;
    bytes.forEach((byte, i) => this.memory.set(address + BigInt(i), byte));
    return bytes.length;
  }
}

/** A host that hands out the machine given. */
export function fakeHost(machine: Machine, onEnd: () => void = () => undefined): Host {
  return {
    readFile: async () => new Uint8Array(16),
    createMachine: async () => machine,
    scheduler: { now: () => performance.now(), defer: (work) => void setImmediate(work), later: (ms, work) => void setTimeout(work, ms) },
    onEnd,
  };
}
