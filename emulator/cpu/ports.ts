/**
 * What the CPU asks of the parts above and beside it: VMX, the platform (ports, time) and the event log. Upward calls go only through these.
 */
import type { InterceptEvent } from '../spec/vmx-events';
import type { Cpu } from './cpu';
import type { Outcome } from './outcome';

/** VMX as the CPU sees it. `cpu.vmxNonRoot` is true only after a VM entry. */
export interface VmxPort {
  /**
   * Asked, in VMX non-root operation only, before an instruction or event takes effect. Returns true when a VM exit has been committed
   * (state is the host's; the caller returns Outcome.exited).
   */
  intercept(cpu: Cpu, event: InterceptEvent): boolean;
  /** VMXON … INVVPID. `modrmEa` operands are in the decoded instruction. Faults by `cpu.raise`. */
  execute(cpu: Cpu, instruction: VmxInstruction): Outcome;
  /**
   * Commits the VM exit that a failed access left in `cpu.pending*` (EPT violation or misconfiguration, full log). False: there is a
   * virtualization exception pending instead.
   */
  commitPendingExit(cpu: Cpu): boolean;
  /** CR0 bits that MOV CR0 / LMSW / CLTS may not change in VMX operation, as [fixed0, fixed1]; undefined outside VMX operation. */
  fixedCr0(cpu: Cpu): readonly [bigint, bigint] | undefined;
  fixedCr4(cpu: Cpu): readonly [bigint, bigint] | undefined;
  /** IA32_VMX_* capability MSRs and IA32_FEATURE_CONTROL are answered by spec tables: undefined when `index` is none of them. */
  readCapabilityMsr(cpu: Cpu, index: number): bigint | undefined;
  /** Value that a MOV from CR0/CR4 shows in non-root operation (guest/host mask and read shadow applied). */
  visibleCr0(cpu: Cpu, cr0: bigint): bigint;
  visibleCr4(cpu: Cpu, cr4: bigint): bigint;
  /** Instructions that are #UD in VMX non-root operation because their enabling control is 0. */
  disabledByControls(cpu: Cpu, name: 'RDTSCP' | 'INVPCID' | 'XSAVES' | 'XRSTORS'): boolean;
  /**
   * Asked at an instruction boundary in VMX non-root operation, at the event's place in the order of priorities ("Priority Among Concurrent
   * Events"; "Other Causes of VM Exits"), whether VMX has an event of its own there: true when an exit was committed.
   */
  atBoundary(cpu: Cpu, stage: BoundaryStage): boolean;
  /**
   * A maskable interrupt is pending and not held off by STI or MOV SS, in VMX non-root operation: 'exited' when an exit was committed (with or
   * without acknowledging), 'consumed' when VMX took it itself (posted-interrupt notification), 'deliver' when it goes through the guest's IDT
   * if RFLAGS.IF allows it.
   */
  externalInterrupt(cpu: Cpu): 'exited' | 'consumed' | 'deliver';
  /** In VMX non-root operation: “virtual NMIs” is 1, so that blocking by NMI means virtual NMIs and physical ones exit at any time. */
  usesVirtualNmis(cpu: Cpu): boolean;
  /** Vector of a virtual interrupt that is to be delivered now, taken into service; -1: none. Its priority is that of the interrupt window. */
  virtualInterrupt(cpu: Cpu): number;
  /** In VMX non-root operation: IRET ends blocking by NMI (with “NMI exiting” but no “virtual NMIs” it does not). */
  iretUnblocksNmis(cpu: Cpu): boolean;
  /** MOV from CR8 under “use TPR shadow”; undefined: it is not virtualised. */
  readVirtualCr8(cpu: Cpu): bigint | undefined;
  /** MOV to CR8 likewise; false: it is not virtualised. */
  writeVirtualCr8(cpu: Cpu, value: bigint): boolean;
  /** RDMSR under “virtualize x2APIC mode”; undefined: it is not virtualised. */
  readVirtualMsr(cpu: Cpu, index: number): bigint | undefined;
  writeVirtualMsr(cpu: Cpu, index: number, value: bigint): 'written' | 'fault' | undefined;
  /** An SMI is delivered: VMX operation is left, its state kept inside the processor. */
  enterSmm(cpu: Cpu): void;
  /** RSM: back into the VMX operation that the SMI interrupted. True: there was one. */
  leaveSmm(cpu: Cpu): boolean;
  /** INIT is held back in VMX root operation (it stays pending). */
  blocksInit(cpu: Cpu): boolean;
}

/** Where at a boundary VMX is asked; in the order of priority. 'apic': VM exits that follow APIC virtualization. */
export type BoundaryStage = 'apic' | 'monitor-trap' | 'preemption-timer' | 'nmi-window' | 'interrupt-window';

/** One VMX instruction with its operands as the decoder found them. */
export interface VmxInstruction {
  readonly name:
    | 'VMXON' | 'VMXOFF' | 'VMCLEAR' | 'VMPTRLD' | 'VMPTRST' | 'VMREAD' | 'VMWRITE' | 'VMLAUNCH' | 'VMRESUME' | 'VMCALL' | 'INVEPT' | 'INVVPID' | 'VMFUNC'; // prettier-ignore
  readonly length: number;
  /** Register number of the reg field (VMREAD/VMWRITE: the field encoding's register; INVEPT/INVVPID: the type's). */
  readonly reg: number;
  /** Register number of the r/m operand, or -1 when r/m is memory. */
  readonly rm: number;
  /** Memory operand (when rm is -1): segment number, effective address (offset in the segment) and the address registers for the instruction-information field. */
  readonly segment: number;
  readonly effectiveAddress: bigint;
  readonly addressSize: 2 | 4 | 8;
  readonly baseRegister: number; // -1: none
  readonly indexRegister: number; // -1: none
  readonly scaleLog2: number;
  readonly displacement: bigint;
}

/** Ports, as the CPU sees them. Values are zero-extended 32-bit numbers. */
export interface IoPort {
  /** Reads `size` (1, 2 or 4) bytes. Undefined: nothing is there that is modelled, and the machine must stop (`cpu.notModelled` was called). */
  in(cpu: Cpu, port: number, size: number): number;
  out(cpu: Cpu, port: number, size: number, value: number): void;
}

/** Guest-visible time. */
export interface ClockPort {
  /** Ticks since power-on, the same for all vCPUs. */
  now(): number;
  /** Ticks until a device acts on its own; 0 or less: it is due; Infinity: none will. */
  remaining(): number;
  /** Steps have been made. */
  stepped(steps: number): void;
  /** Time-stamp counter: steps + charges + what the guest added. */
  tsc(cpu: Cpu): bigint;
  charge(cpu: Cpu, kind: 'exit' | 'entry' | 'delivery' | 'device'): void;
}

/** A vCPU's local APIC, with the 8259 pair behind its LINT0, as the CPU sees them. */
export interface InterruptPort {
  /** Vector of the maskable interrupt that would be taken now were RFLAGS.IF set, -1: none. Changes nothing. */
  pending(vcpu: number): number;
  /** Takes that interrupt (IRR → ISR, or the 8259's acknowledge cycle) and gives its vector. Called only when `pending` is not -1. */
  acknowledge(vcpu: number): number;
  /** Ends the service of the interrupt in service with the highest priority, as a write to the EOI register does. */
  endOfInterrupt(vcpu: number): void;
  /** CR8: bits 7:4 of the task-priority register. */
  readCr8(vcpu: number): number;
  writeCr8(vcpu: number, value: number): void;
  /** IA32_APIC_BASE as it is. */
  apicBase(vcpu: number): bigint;
  /** False: #GP(0) (reserved bits, or a transition between modes that the manual forbids). */
  writeApicBase(vcpu: number, value: bigint): boolean;
  /** IA32_TSC_DEADLINE in TSC ticks (the caller applies TSC offsets) and the x2APIC registers 0x800 to 0x8ff. Undefined: #GP(0). */
  readMsr(vcpu: number, index: number): bigint | undefined;
  writeMsr(vcpu: number, index: number, value: bigint): boolean;
  /** What a write of `icr` to the interrupt command register does (destination in bits 63:32, as the local APIC's mode has it); the register keeps its value. */
  sendIpi(vcpu: number, icr: bigint): void;
  /** What a write to the EOI register does. */
  endOfInterrupt(vcpu: number): void;
  /** The processor carries out an INIT that `ProcessorSignals.init` told it of: its local APIC goes with it. */
  initialize(vcpu: number): void;
  /** Some source of interrupts is armed or unmasked that could reach this vCPU while it waits. */
  mayInterrupt(vcpu: number): boolean;
}

/** What the CPU tells the outside (trace, breakpoints). Never changes the machine. */
export interface ObserverPort {
  exception(cpu: Cpu, vector: number, errorCode: number | undefined): void;
  /** @param interrupted RIP before the delivery. */
  interruptDelivered(cpu: Cpu, vector: number, type: number, interrupted: bigint): void;
  modeSwitch(cpu: Cpu): void;
}

/** The hypervisor that stands in VMX root operation in hosted mode. */
export interface RootSoftware {
  /**
   * Called instead of running instructions when a vCPU is in VMX root operation at an instruction boundary: deals with the VM exit that led there
   * and makes a VM entry, which is one step. (Or stops the machine: `cpu.stop`.)
   */
  run(cpu: Cpu): void;
}

export interface CpuPorts {
  readonly vmx: VmxPort;
  readonly io: IoPort;
  readonly clock: ClockPort;
  readonly observer: ObserverPort;
  readonly interrupts: InterruptPort;
  /** Undefined in bare mode, where the program under test owns root operation. */
  readonly rootSoftware?: RootSoftware;
}
