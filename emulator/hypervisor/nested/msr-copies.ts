/** L1's MSR areas in host memory, where hardware can use them (SDM volume 3, "Loading MSRs", "Saving MSRs"). */
import { Field } from '../../spec/vmcs-fields';
import { storeRefuses } from '../../vmx/msr-areas';
import type { Vmcs } from '../../vmx/vmcs';
import type { L0Context } from '../l0-context';

const ENTRY_BYTES = 16;

/** Copies of L1's VM-entry MSR-load and VM-exit MSR-store areas for hardware to use. */
export function copyMsrAreas(l0: L0Context, vmcs12: Vmcs): void {
  copyMsrArea(l0, vmcs12.address(Field.vmEntryMsrLoadAddress), vmcs12.u32(Field.vmEntryMsrLoadCount), l0.pages.entryMsrs02);
  const from = vmcs12.address(Field.vmExitMsrStoreAddress);
  const count = vmcs12.u32(Field.vmExitMsrStoreCount);
  l0.state.unstorable = 0;
  for (let n = 0; n < count; n++) {
    const index = l0.guest.read32(from + n * ENTRY_BYTES);
    const reserved = l0.guest.read32(from + n * ENTRY_BYTES + 4);
    const full = n === l0.vmx.capabilities.msrListMaximum;
    if (full || storeRefuses(index, reserved) || l0.vmx.msrs.readMsr(l0.cpu, index) === undefined) {
      l0.state.unstorable = n + 1;
      return;
    }
    l0.cpu.memory.write64(l0.pages.storeMsrs02 + n * ENTRY_BYTES, BigInt(index));
  }
}
/** Entries beyond the recommended maximum are not looked at by hardware: the first of them fails. */
export function copyMsrArea(l0: L0Context, from: number, count: number, to: number): void {
  for (let n = 0; n < Math.min(count, l0.vmx.capabilities.msrListMaximum); n++) {
    l0.cpu.memory.write64(to + n * ENTRY_BYTES, l0.guest.read64(from + n * ENTRY_BYTES));
    l0.cpu.memory.write64(to + n * ENTRY_BYTES + 8, l0.guest.read64(from + n * ENTRY_BYTES + 8));
  }
}
