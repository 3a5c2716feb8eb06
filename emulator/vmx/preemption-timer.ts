/** The VMX-preemption timer: SDM volume 3, "VMX-Preemption Timer". State.deadline holds the tick at which it expires. */
import type { Cpu } from '../cpu/cpu';
import { State } from '../spec/vcpu-state';
import { Field } from '../spec/vmcs-fields';
import { PREEMPTION_TIMER_RATE } from '../spec/vmx-capabilities';
import { ExitControl, Pin } from '../spec/vmx-controls';
import type { Vmcs } from './vmcs';
import type { VmxContext } from './vmx-context';

/** It counts down by 1 whenever this bit of the TSC changes. */
const RATE = BigInt(PREEMPTION_TIMER_RATE);
const tscAt = (cpu: Cpu, tick: number): bigint => BigInt(tick) + BigInt.asIntN(64, cpu.get64(State.tscOffset));

/** To be called when the guest begins to run. */
export function startPreemptionTimer(vmx: VmxContext, cpu: Cpu, vmcs: Vmcs): void {
  if (!(vmcs.u32(Field.pinBasedVmExecutionControls) & Pin.activateVmxPreemptionTimer)) return;
  const now = vmx.clock.now();
  const tsc = tscAt(cpu, now);
  const expiry = ((tsc >> RATE) + BigInt(vmcs.u32(Field.vmxPreemptionTimerValue))) << RATE;
  cpu.setF64(State.deadline, Math.max(1, now + Math.max(0, Number(expiry - tsc))));
}

/** What is left of it, for a VM exit that saves it; the timer stops. */
export function stopPreemptionTimer(vmx: VmxContext, cpu: Cpu, vmcs: Vmcs): void {
  const deadline = cpu.getF64(State.deadline);
  if (deadline === 0) return;
  cpu.setF64(State.deadline, 0);
  if (!(vmcs.u32(Field.primaryVmExitControls) & ExitControl.saveVmxPreemptionTimerValue)) return;
  const left = (tscAt(cpu, deadline) >> RATE) - (tscAt(cpu, vmx.clock.now()) >> RATE);
  vmcs.setU32(Field.vmxPreemptionTimerValue, left > 0n ? Number(left) : 0);
}
