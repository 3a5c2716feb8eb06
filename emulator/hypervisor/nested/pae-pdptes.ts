/** The PDPTEs of a guest with PAE paging, where they are not in its VMCS (SDM volume 3, "Loading Page-Directory-Pointer-Table Entries"). */
import { Cr0, Cr4 } from '../../spec/registers';
import { Field } from '../../spec/vmcs-fields';
import { EntryControl } from '../../spec/vmx-controls';
import type { Vmcs } from '../../vmx/vmcs';
import type { GuestMemory } from '../guest-memory';

/** Undefined: no PAE paging. */
export function paePdptes(guest: GuestMemory, vmcs: Vmcs): readonly bigint[] | undefined {
  const pae = (vmcs.u64(Field.guestCr0) & Cr0.PG) !== 0n && (vmcs.u64(Field.guestCr4) & Cr4.PAE) !== 0n;
  if (!pae || vmcs.u32(Field.vmEntryControls) & EntryControl.ia32eModeGuest) return undefined;
  const table = Number(vmcs.u64(Field.guestCr3) & 0xffff_ffe0n);
  return [0, 1, 2, 3].map((n) => guest.read64(table + 8 * n));
}
