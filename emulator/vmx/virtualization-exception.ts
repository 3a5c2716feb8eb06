/**
 * Virtualization exceptions: SDM volume 3, "Virtualization Exceptions": an EPT violation that is convertible becomes #VE, with its details in the
 * virtualization-exception information area.
 */
import type { Cpu } from '../cpu/cpu';
import { ExitReason } from '../spec/exit-reasons';
import { Vector } from '../spec/registers';
import { State } from '../spec/vcpu-state';
import { Field } from '../spec/vmcs-fields';
import { Secondary } from '../spec/vmx-controls';
import { secondaryControls } from './intercepts';
import { currentVmcs, type VmxContext } from './vmx-context';

/** Offsets in the information area: SDM table "Format of the Virtualization-Exception Information Area". */
const Area = { reason: 0, busy: 4, qualification: 8, linear: 16, guestPhysical: 24, eptpIndex: 32 } as const;

/** True: the pending EPT violation has become a pending #VE. */
export function convertToException(vmx: VmxContext, cpu: Cpu): boolean {
  const vmcs = currentVmcs(vmx, cpu);
  if (cpu.get32(State.pendingReason) !== ExitReason.EPT_VIOLATION || cpu.get32(State.pendingConvertible) === 0) return false;
  if (!(secondaryControls(vmcs) & Secondary.eptViolationVe)) return false;
  const protectedMode = (cpu.u32[State.cr0 >> 2] & 1) !== 0;
  const delivering = cpu.get32(State.vectoringInfo) >>> 31 !== 0;
  if (!protectedMode || delivering) return false;
  const area = vmcs.address(Field.virtualizationExceptionInformationAddress);
  const { memory } = vmx;
  if (memory.read32(area + Area.busy) !== 0) return false;
  memory.write32(area + Area.reason, ExitReason.EPT_VIOLATION);
  memory.write32(area + Area.busy, 0xffff_ffff);
  memory.write64(area + Area.qualification, cpu.get64(State.pendingQualification));
  memory.write64(area + Area.linear, cpu.get64(State.pendingLinear));
  memory.write64(area + Area.guestPhysical, BigInt(cpu.getF64(State.pendingGpa)));
  memory.write16(area + Area.eptpIndex, vmcs.u32(Field.eptpIndex));
  cpu.raise(Vector.VE);
  cpu.set32(State.pendingReason, 0);
  return true;
}
