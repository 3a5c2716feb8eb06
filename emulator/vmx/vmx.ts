/**
 * VMX as the CPU sees it: the VmxPort of cpu/ports over one machine's memory. Holds no machine state of its own: everything is in the VMCS
 * regions and in the vCPU state table.
 */
import type { Cpu } from '../cpu/cpu';
import { Outcome } from '../cpu/outcome';
import type { BoundaryStage, ClockPort, InterruptPort, VmxInstruction, VmxPort } from '../cpu/ports';
import type { PhysicalMemory } from '../memory/physical-memory';
import type { CpuModel } from '../spec/cpu-model';
import { ExitReason } from '../spec/exit-reasons';
import { Interruptibility } from '../spec/registers';
import { Flag, State } from '../spec/vcpu-state';
import { Field } from '../spec/vmcs-fields';
import { FEATURE_CONTROL_RESET, vmxCapabilities, VmxMsr, type VmxCapabilities } from '../spec/vmx-capabilities';
import { ExitControl, Pin, Secondary } from '../spec/vmx-controls';
import type { InterceptEvent } from '../spec/vmx-events';
import { ALL_CHANGED } from './changes';
import { clearEptState } from './ept-state';
import { commitExit } from './exit';
import { executeVmx } from './instructions';
import { intercepts, secondaryControls } from './intercepts';
import type { MsrAccess } from './msr-access';
import type { VmxObserver } from './observer';
import { Vmcs } from './vmcs';
import { convertToException } from './virtualization-exception';
import { currentVmcs, type VmxContext } from './vmx-context';
import { Boundary, MonitorTrap, VmxMode, VmxState } from './vmx-state';

const CR0_PE_PG = 0x8000_0001n;
/** Pending-debug bits that mean that a #DB is due: an enabled breakpoint or BS. */
const DEBUG_DUE = 0x5000;

/** What a failed access can leave pending, by exit reason. */
const PENDING_EXITS: Readonly<Record<number, 'ept-violation' | 'ept-misconfiguration' | 'pml-full'>> = {
  [ExitReason.EPT_VIOLATION]: 'ept-violation',
  [ExitReason.EPT_MISCONFIGURATION]: 'ept-misconfiguration',
  [ExitReason.PML_FULL]: 'pml-full',
};

export interface Vmx extends VmxPort {
  readonly capabilities: VmxCapabilities;
  /** What RDTSC and RDMSR of the TSC add in VMX non-root operation: the TSC offset, or 0. */
  tscOffset(cpu: Cpu): bigint;
  /** Instructions that are #UD in VMX non-root operation because their enabling control is 0. */
  disabledByControls(cpu: Cpu, name: 'RDTSCP' | 'INVPCID' | 'XSAVES' | 'XRSTORS'): boolean;
}

export interface VmxParts {
  readonly memory: PhysicalMemory;
  readonly model: CpuModel;
  readonly observer: VmxObserver;
  readonly msrs: MsrAccess;
  readonly clock: Pick<ClockPort, 'charge'>;
  readonly interrupts: Pick<InterruptPort, 'acknowledge'>;
}

export function createVmx(parts: VmxParts): Vmx {
  const vmcs = new Vmcs(parts.memory);
  const context: VmxContext = {
    memory: parts.memory,
    capabilities: vmxCapabilities(parts.model),
    observer: parts.observer,
    msrs: parts.msrs,
    clock: parts.clock,
    vmcs,
    controls: { fields: vmcs, readBitmapByte: (address) => parts.memory.read8(address) },
  };
  return new VmxImplementation(context, parts.interrupts);
}

class VmxImplementation implements Vmx {
  readonly capabilities: VmxCapabilities;

  constructor(
    private readonly context: VmxContext,
    private readonly interrupts: VmxParts['interrupts'],
  ) {
    this.capabilities = context.capabilities;
  }

  intercept(cpu: Cpu, event: InterceptEvent): boolean {
    if (!cpu.vmxNonRoot) return false;
    currentVmcs(this.context, cpu);
    const decision = intercepts(this.context.controls, event);
    if (decision === undefined) return false;
    commitExit(this.context, cpu, decision);
    return true;
  }

  execute(cpu: Cpu, instruction: VmxInstruction): Outcome {
    return executeVmx(this.context, cpu, instruction);
  }

  commitPendingExit(cpu: Cpu): boolean {
    if (convertToException(this.context, cpu)) return false;
    const kind = PENDING_EXITS[cpu.get32(State.pendingReason)];
    const qualification = cpu.get64(State.pendingQualification);
    const linear = qualification & 0x80n ? cpu.get64(State.pendingLinear) : undefined;
    this.intercept(cpu, { kind, qualification, gpa: cpu.getF64(State.pendingGpa), linear });
    cpu.set32(State.pendingKind, 0);
    cpu.set32(State.pendingReason, 0);
    return true;
  }

  fixedCr0(cpu: Cpu): readonly [bigint, bigint] | undefined {
    const mode = cpu.get32(State.vmxMode);
    if (mode === VmxMode.outside) return undefined;
    const { cr0Fixed0, cr0Fixed1 } = this.capabilities;
    const unrestricted = mode === VmxMode.nonRoot && (this.secondary(cpu) & Secondary.unrestrictedGuest) !== 0;
    return [unrestricted ? cr0Fixed0 & ~CR0_PE_PG : cr0Fixed0, cr0Fixed1];
  }

  fixedCr4(cpu: Cpu): readonly [bigint, bigint] | undefined {
    if (cpu.get32(State.vmxMode) === VmxMode.outside) return undefined;
    return [this.capabilities.cr4Fixed0, this.capabilities.cr4Fixed1];
  }

  readCapabilityMsr(cpu: Cpu, index: number): bigint | undefined {
    if (index === VmxMsr.featureControl) return cpu.get64(State.featureControl);
    return this.capabilities.msrs.get(index);
  }

  visibleCr0(cpu: Cpu, cr0: bigint): bigint {
    if (!cpu.vmxNonRoot) return cr0;
    const vmcs = currentVmcs(this.context, cpu);
    const mask = vmcs.u64(Field.cr0GuestHostMask);
    return (cr0 & ~mask) | (vmcs.u64(Field.cr0ReadShadow) & mask);
  }

  visibleCr4(cpu: Cpu, cr4: bigint): bigint {
    if (!cpu.vmxNonRoot) return cr4;
    const vmcs = currentVmcs(this.context, cpu);
    const mask = vmcs.u64(Field.cr4GuestHostMask);
    return (cr4 & ~mask) | (vmcs.u64(Field.cr4ReadShadow) & mask);
  }

  atBoundary(cpu: Cpu, stage: BoundaryStage): boolean {
    const boundary = cpu.get32(State.boundary);
    switch (stage) {
      case 'monitor-trap':
        return (boundary & Boundary.monitorTrap) !== 0 && this.monitorTrapDue(cpu) && this.intercept(cpu, { kind: 'mtf' });
      case 'interrupt-window':
        return (boundary & Boundary.window) !== 0 && windowOpen(cpu) && this.intercept(cpu, { kind: 'interrupt-window' });
      default:
        return false;
    }
  }

  externalInterrupt(cpu: Cpu): 'exited' | 'consumed' | 'deliver' {
    const vmcs = currentVmcs(this.context, cpu);
    if (!(vmcs.u32(Field.pinBasedVmExecutionControls) & Pin.externalInterruptExiting)) return 'deliver';
    const acknowledges = (vmcs.u32(Field.primaryVmExitControls) & ExitControl.acknowledgeInterruptOnExit) !== 0;
    const vector = acknowledges ? this.interrupts.acknowledge(cpu.index) : 0;
    return this.intercept(cpu, { kind: 'external-interrupt', vector }) ? 'exited' : 'deliver';
  }

  usesVirtualNmis(cpu: Cpu): boolean {
    return (currentVmcs(this.context, cpu).u32(Field.pinBasedVmExecutionControls) & Pin.virtualNmis) !== 0;
  }

  blocksInit(cpu: Cpu): boolean {
    return cpu.get32(State.vmxMode) === VmxMode.root;
  }

  /** The exit is due at the boundary after the first step, or at once when an event was injected: SDM "Monitor Trap Flag". */
  private monitorTrapDue(cpu: Cpu): boolean {
    const steps = cpu.getF64(State.steps);
    switch (cpu.get32(VmxState.monitorTrap)) {
      case MonitorTrap.due:
        return true;
      case MonitorTrap.untilFirstBoundary:
        cpu.set32(VmxState.monitorTrap, MonitorTrap.afterStep);
        cpu.setF64(VmxState.trapSteps, steps);
        return false;
      case MonitorTrap.afterStep:
        return steps !== cpu.getF64(VmxState.trapSteps);
      default:
        return false;
    }
  }

  tscOffset(cpu: Cpu): bigint {
    return cpu.get64(VmxState.tscOffset);
  }

  disabledByControls(cpu: Cpu, name: 'RDTSCP' | 'INVPCID' | 'XSAVES' | 'XRSTORS'): boolean {
    if (!cpu.vmxNonRoot) return false;
    const needed = name === 'RDTSCP' ? Secondary.enableRdtscp : name === 'INVPCID' ? Secondary.enableInvpcid : Secondary.enableXsaves;
    return (this.secondary(cpu) & needed) === 0;
  }

  private secondary(cpu: Cpu): number {
    return secondaryControls(currentVmcs(this.context, cpu));
  }
}

/** The state in which power-on and firmware leave VMX: outside VMX operation, no VMXON region, IA32_FEATURE_CONTROL locked with VMXON allowed. */
export function resetVmx(cpu: Cpu): void {
  cpu.set32(State.vmxMode, VmxMode.outside);
  cpu.setF64(State.vmxonPointer, -1);
  cpu.setF64(State.currentVmcs, -1);
  clearEptState(cpu);
  cpu.set32(VmxState.monitorTrap, MonitorTrap.off);
  cpu.set64(VmxState.tscOffset, 0n);
  cpu.set32(VmxState.changed, ALL_CHANGED);
  if (cpu.model.features.has('vmx')) cpu.set64(State.featureControl, FEATURE_CONTROL_RESET);
}

/** An external interrupt could be delivered before the next instruction: SDM "Interrupt-Window Exiting and Virtual-Interrupt Delivery". */
function windowOpen(cpu: Cpu): boolean {
  if (!(cpu.get32(State.systemFlags) & Flag.IF)) return false;
  if (cpu.get32(State.interruptibility) & (Interruptibility.blockingBySti | Interruptibility.blockingByMovSs)) return false;
  // A shutdown or wait-for-SIPI processor waits; an injected event or a pending debug exception comes first.
  if (cpu.get32(State.activity) > 1 || cpu.get32(State.pendingEventInfo) >>> 31) return false;
  return (cpu.get32(State.pendingDebug) & DEBUG_DUE) === 0;
}
