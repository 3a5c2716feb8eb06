/** PAUSE-loop exiting: SDM volume 3, "Instructions That Cause VM Exits Conditionally" (PAUSE), "Controls for PAUSE-Loop Exiting". */
import type { Cpu } from '../cpu/cpu';
import { Field } from '../spec/vmcs-fields';
import { Primary, Secondary } from '../spec/vmx-controls';
import { secondaryControls } from './intercepts';
import { currentVmcs, type VmxContext } from './vmx-context';
import { VmxState } from './vmx-state';

/** Notes a PAUSE at CPL 0. True: it belongs to a loop that has lasted longer than PLE_WINDOW. Times are ticks of the TSC. */
export function pauseLoopFound(vmx: VmxContext, cpu: Cpu): boolean {
  const vmcs = currentVmcs(vmx, cpu);
  const pauseExiting = vmcs.u32(Field.primaryProcessorBasedVmExecutionControls) & Primary.pauseExiting;
  if (pauseExiting || cpu.cpl !== 0 || !(secondaryControls(vmcs) & Secondary.pauseLoopExiting)) return false;
  const now = vmx.clock.now();
  const last = cpu.getF64(VmxState.lastPause);
  cpu.setF64(VmxState.lastPause, now);
  // The first PAUSE since VM entry, or one after a gap, begins a loop.
  if (last === 0 || now - last > vmcs.u32(Field.pleGap)) {
    cpu.setF64(VmxState.firstPause, now);
    return false;
  }
  return now - cpu.getF64(VmxState.firstPause) > vmcs.u32(Field.pleWindow);
}
