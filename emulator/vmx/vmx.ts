/**
 * VMX as the CPU sees it: the VmxPort of cpu/ports over one machine's memory. Holds no machine state of its own: everything is in the VMCS
 * regions and in the vCPU state table.
 */
import type { Cpu } from '../cpu/cpu';
import { Outcome } from '../cpu/outcome';
import type { BoundaryStage, ClockPort, InterruptPort, VmxInstruction, VmxPort } from '../cpu/ports';
import type { Instruction } from '../isa/instruction';
import type { PhysicalMemory } from '../memory/physical-memory';
import { type ApicAccessPage, ApicAccessType } from '../mmu/apic-access-page';
import type { CpuModel } from '../spec/cpu-model';
import { ExitReason } from '../spec/exit-reasons';
import { Activity } from '../spec/registers';
import { State } from '../spec/vcpu-state';
import { Field } from '../spec/vmcs-fields';
import { FEATURE_CONTROL_RESET, vmxCapabilities, VmxMsr, type VmxCapabilities } from '../spec/vmx-capabilities';
import { ExitControl, Pin, Secondary } from '../spec/vmx-controls';
import type { InterceptEvent } from '../spec/vmx-events';
import { ApicAccesses, readVirtualCr8, readVirtualMsr, writeVirtualCr8, writeVirtualMsr } from './apic-accesses';
import { boundaryEvent, virtualInterruptDue } from './boundary';
import { ALL_CHANGED } from './changes';
import { CheckSelection } from './checks/entry-checks';
import { clearEptState } from './ept-state';
import { commitExit } from './exit';
import { GUEST_LOADED, GUEST_SAVED } from './guest-state';
import { HOST_LOADED } from './host-state';
import { executeVmx } from './instructions';
import { intercepts, secondaryControls } from './intercepts';
import type { MsrAccess } from './msr-access';
import type { VmxObserver } from './observer';
import { pauseLoopFound } from './pause-loop';
import type { CopyTable, GeneratedCopies } from './register-copies';
import { leaveVmxForSmm, returnToVmxFromSmm } from './system-management';
import { VirtualApic } from './virtual-apic';
import { Vmcs } from './vmcs';
import { convertToException } from './virtualization-exception';
import { accessInPassing } from './vmcs-access';
import { currentVmcs, type VmxContext } from './vmx-context';
import { GuestFact, MonitorTrap, VmxMode, VmxState } from './vmx-state';

const CR0_PE_PG = 0x8000_0001n;

/** What a failed access can leave pending, by exit reason. */
const PENDING_EXITS: Readonly<Record<number, 'ept-violation' | 'ept-misconfiguration' | 'pml-full'>> = {
  [ExitReason.EPT_VIOLATION]: 'ept-violation',
  [ExitReason.EPT_MISCONFIGURATION]: 'ept-misconfiguration',
  [ExitReason.PML_FULL]: 'pml-full',
};

export interface Vmx extends VmxPort {
  readonly capabilities: VmxCapabilities;
  /** For software in VMX root operation that is not made of instructions (the built-in hypervisor). */
  readonly context: VmxContext;
  /** What RDTSC, RDTSCP and RDMSR of the TSC give: in VMX non-root operation scaled and offset as the controls have it. */
  guestTsc(cpu: Cpu, tsc: bigint): bigint;
  /** What the MMU asks about accesses to the APIC-access page. */
  readonly apicAccesses: ApicAccessPage;
  /** See vmcs-access. */
  accessInPassing(cpu: Cpu, insn: Instruction): boolean;
  /** Instructions that are #UD in VMX non-root operation because their enabling control is 0. */
  disabledByControls(cpu: Cpu, name: 'RDTSCP' | 'INVPCID' | 'XSAVES' | 'XRSTORS'): boolean;
}

export interface VmxParts {
  readonly memory: PhysicalMemory;
  readonly model: CpuModel;
  readonly observer: VmxObserver;
  readonly msrs: MsrAccess;
  readonly clock: Pick<ClockPort, 'charge' | 'now'>;
  readonly interrupts: Pick<InterruptPort, 'acknowledge' | 'endOfInterrupt'>;
  /** Generated code for COPY_TABLES. */
  readonly copies?: GeneratedCopies;
}

/** By their ids. */
export const COPY_TABLES: readonly CopyTable[] = [GUEST_LOADED, GUEST_SAVED, HOST_LOADED];

export function createVmx(parts: VmxParts): Vmx {
  const vmcs = new Vmcs(parts.memory, undefined, parts.copies);
  const context: VmxContext = {
    memory: parts.memory,
    capabilities: vmxCapabilities(parts.model),
    observer: parts.observer,
    msrs: parts.msrs,
    clock: parts.clock,
    vmcs,
    controls: { fields: vmcs, readBitmapByte: (address) => parts.memory.read8(address) },
    checks: new CheckSelection(),
  };
  return new VmxImplementation(context, parts.interrupts);
}

class VmxImplementation implements Vmx {
  readonly capabilities: VmxCapabilities;
  readonly apicAccesses: ApicAccessPage;

  constructor(
    readonly context: VmxContext,
    private readonly interrupts: VmxParts['interrupts'],
  ) {
    this.capabilities = context.capabilities;
    this.apicAccesses = new ApicAccesses(context);
  }

  intercept(cpu: Cpu, event: InterceptEvent): boolean {
    if (!cpu.vmxNonRoot) return false;
    currentVmcs(this.context, cpu);
    const pause = event.kind === 'instruction' && event.name === 'PAUSE';
    const asked = pause ? { ...event, loop: pauseLoopFound(this.context, cpu) } : event;
    const decision = intercepts(this.context.controls, asked);
    if (decision === undefined) return false;
    commitExit(this.context, cpu, decision);
    return true;
  }

  accessInPassing(cpu: Cpu, insn: Instruction): boolean {
    return accessInPassing(this.context, cpu, insn);
  }

  execute(cpu: Cpu, instruction: VmxInstruction): Outcome {
    return executeVmx(this.context, cpu, instruction);
  }

  commitPendingExit(cpu: Cpu): boolean {
    if (convertToException(this.context, cpu)) return false;
    const reason = cpu.get32(State.pendingReason);
    if (reason === ExitReason.APIC_ACCESS) {
      const details = Number(cpu.get64(State.pendingQualification));
      const type = details >> 12;
      const linear = type < ApicAccessType.guestPhysicalDelivery ? cpu.get64(State.pendingLinear) : undefined;
      this.intercept(cpu, { kind: 'apic-access', offset: details & 0xfff, type, linear });
      return this.nothingPending(cpu);
    }
    const kind = PENDING_EXITS[reason];
    const qualification = cpu.get64(State.pendingQualification);
    const linear = qualification & 0x80n ? cpu.get64(State.pendingLinear) : undefined;
    this.intercept(cpu, { kind, qualification, gpa: cpu.getF64(State.pendingGpa), linear });
    return this.nothingPending(cpu);
  }
  private nothingPending(cpu: Cpu): true {
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
    const event = boundaryEvent(cpu, stage);
    return event !== undefined && this.intercept(cpu, event);
  }
  virtualInterrupt(cpu: Cpu): number {
    return virtualInterruptDue(cpu) ? new VirtualApic(this.context, cpu).takeInterrupt() : -1;
  }

  externalInterrupt(cpu: Cpu): 'exited' | 'consumed' | 'deliver' {
    const vmcs = currentVmcs(this.context, cpu);
    const pin = vmcs.u32(Field.pinBasedVmExecutionControls);
    if (!(pin & Pin.externalInterruptExiting) || cpu.get32(State.activity) > Activity.hlt) return 'deliver';
    const acknowledges = (vmcs.u32(Field.primaryVmExitControls) & ExitControl.acknowledgeInterruptOnExit) !== 0;
    const vector = acknowledges ? this.interrupts.acknowledge(cpu.index) : 0;
    if (pin & Pin.processPostedInterrupts && vector === vmcs.u32(Field.postedInterruptNotificationVector)) {
      this.interrupts.endOfInterrupt(cpu.index);
      new VirtualApic(this.context, cpu).processPosted();
      return 'consumed';
    }
    return this.intercept(cpu, { kind: 'external-interrupt', vector }) ? 'exited' : 'deliver';
  }

  usesVirtualNmis(cpu: Cpu): boolean {
    return (cpu.get32(VmxState.facts) & GuestFact.virtualNmis) !== 0;
  }
  iretUnblocksNmis(cpu: Cpu): boolean {
    const facts = cpu.get32(VmxState.facts);
    return (facts & GuestFact.nmiExiting) === 0 || (facts & GuestFact.virtualNmis) !== 0;
  }
  readVirtualCr8(cpu: Cpu): bigint | undefined {
    return readVirtualCr8(this.context, cpu);
  }
  writeVirtualCr8(cpu: Cpu, value: bigint): boolean {
    return writeVirtualCr8(this.context, cpu, Number(value & 15n));
  }
  readVirtualMsr(cpu: Cpu, index: number): bigint | undefined {
    return readVirtualMsr(this.context, cpu, index);
  }
  writeVirtualMsr(cpu: Cpu, index: number, value: bigint): 'written' | 'fault' | undefined {
    return writeVirtualMsr(this.context, cpu, index, value);
  }

  enterSmm(cpu: Cpu): void {
    leaveVmxForSmm(cpu);
  }
  leaveSmm(cpu: Cpu): boolean {
    return returnToVmxFromSmm(cpu);
  }

  blocksInit(cpu: Cpu): boolean {
    return cpu.get32(State.vmxMode) === VmxMode.root;
  }

  guestTsc(cpu: Cpu, tsc: bigint): bigint {
    const multiplier = cpu.get64(VmxState.tscMultiplier);
    return (multiplier === 0n ? tsc : (tsc * multiplier) >> 48n) + cpu.get64(VmxState.tscOffset);
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
  cpu.set64(VmxState.tscMultiplier, 0n);
  cpu.setF64(State.deadline, 0);
  cpu.setF64(State.apicAccessPage, 0);
  cpu.setF64(VmxState.lastApicPage, 0);
  cpu.set32(VmxState.changed, ALL_CHANGED);
  if (cpu.model.features.has('vmx')) cpu.set64(State.featureControl, FEATURE_CONTROL_RESET);
}
