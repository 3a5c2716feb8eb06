/** VMFUNC in VMX non-root operation: SDM volume 3, "VM Functions": the one function there is, EPTP switching. */
import type { Cpu } from '../cpu/cpu';
import { Outcome } from '../cpu/outcome';
import type { VmxInstruction } from '../cpu/ports';
import { Vector } from '../spec/registers';
import { Field } from '../spec/vmcs-fields';
import { Secondary } from '../spec/vmx-controls';
import { eptpValid } from './checks/control-checks';
import { setEptPointer } from './ept-state';
import { commitExit } from './exit';
import { intercepts, secondaryControls } from './intercepts';
import { currentVmcs, type VmxContext } from './vmx-context';

const RAX = 0;
const RCX = 1;
const EPTP_SWITCHING = 0;
const EPTP_LIST_ENTRIES = 512;

export function vmfunc(vmx: VmxContext, cpu: Cpu, insn: VmxInstruction): Outcome {
  const vmcs = currentVmcs(vmx, cpu);
  const secondary = secondaryControls(vmcs);
  const leaf = cpu.gpr32(RAX);
  if (!(secondary & Secondary.enableVmFunctions) || leaf > 63) return cpu.raise(Vector.UD);
  const refuse = (): Outcome => {
    const decision = intercepts(vmx.controls, { kind: 'vmfunc', length: insn.length });
    if (decision) commitExit(vmx, cpu, decision);
    return Outcome.exited;
  };
  const enabled = (vmcs.u64(Field.vmFunctionControls) >> BigInt(leaf)) & 1n;
  const index = cpu.gpr32(RCX);
  if (!enabled || leaf !== EPTP_SWITCHING || index >= EPTP_LIST_ENTRIES) return refuse();
  const eptp = vmx.memory.read64(vmcs.address(Field.eptpListAddress) + 8 * index);
  if (!eptpValid(vmx.capabilities.eptVpidCap, cpu.model.maxPhyAddr, eptp)) return refuse();
  vmcs.setU64(Field.eptPointer, eptp);
  if (secondary & Secondary.eptViolationVe) vmcs.setU32(Field.eptpIndex, index);
  vmcs.noteWritten();
  setEptPointer(cpu, Number(eptp));
  cpu.modeChanged();
  return Outcome.next;
}
