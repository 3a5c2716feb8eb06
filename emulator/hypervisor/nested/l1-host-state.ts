/** L1's host state becomes L1's state: SDM volume 3, "Loading Host State", carried out by L0 on VMCS01. */
import { ExitReason } from '../../spec/exit-reasons';
import { pdpteReserved } from '../../spec/paging';
import { Cr0, Cr4, Interruptibility } from '../../spec/registers';
import { type VmcsField, Field } from '../../spec/vmcs-fields';
import { EntryControl, ExitControl, Pin } from '../../spec/vmx-controls';
import type { Vmcs } from '../../vmx/vmcs';
import type { L0Context } from '../l0-context';
import { paePdptes } from './pae-pdptes';

const CODE64 = 0xa09bn;
const CODE32 = 0xc09bn;
const DATA = 0xc093n;
const BUSY_TSS = 0x8bn;
const UNUSABLE = 0x10000n;
const FULL_LIMIT = 0xffff_ffffn;
const EFER_LMA = 0x400n;
const EFER_LME = 0x100n;

interface SegmentFields {
  readonly selector: VmcsField;
  readonly base: VmcsField;
  readonly limit: VmcsField;
  readonly access: VmcsField;
}
const cs: SegmentFields = { selector: Field.guestCsSelector, base: Field.guestCsBase, limit: Field.guestCsLimit, access: Field.guestCsAccessRights }; // prettier-ignore
const tr: SegmentFields = { selector: Field.guestTrSelector, base: Field.guestTrBase, limit: Field.guestTrLimit, access: Field.guestTrAccessRights }; // prettier-ignore
const ldtr: SegmentFields = { selector: Field.guestLdtrSelector, base: Field.guestLdtrBase, limit: Field.guestLdtrLimit, access: Field.guestLdtrAccessRights }; // prettier-ignore
const data: readonly (SegmentFields & { readonly from: VmcsField; readonly fromBase?: VmcsField })[] = [
  { from: Field.hostSsSelector, selector: Field.guestSsSelector, base: Field.guestSsBase, limit: Field.guestSsLimit, access: Field.guestSsAccessRights },
  { from: Field.hostDsSelector, selector: Field.guestDsSelector, base: Field.guestDsBase, limit: Field.guestDsLimit, access: Field.guestDsAccessRights },
  { from: Field.hostEsSelector, selector: Field.guestEsSelector, base: Field.guestEsBase, limit: Field.guestEsLimit, access: Field.guestEsAccessRights },
  { from: Field.hostFsSelector, fromBase: Field.hostFsBase, selector: Field.guestFsSelector, base: Field.guestFsBase, limit: Field.guestFsLimit, access: Field.guestFsAccessRights },
  { from: Field.hostGsSelector, fromBase: Field.hostGsBase, selector: Field.guestGsSelector, base: Field.guestGsBase, limit: Field.guestGsLimit, access: Field.guestGsAccessRights },
]; // prettier-ignore
const PDPTES = [Field.guestPdpte0, Field.guestPdpte1, Field.guestPdpte2, Field.guestPdpte3];

/** @param failed reason of a VM entry that failed, 0: L2 ran. When no guest state was loaded, what VM exits leave alone is still L1's. False: a PDPTE of L1 has reserved bits set. */
export function loadL1HostState(l0: L0Context, vmcs12: Vmcs, byNmi: boolean, failed: number): boolean {
  const { l1, vmcs02 } = l0;
  const before = failed === ExitReason.INVALID_GUEST_STATE ? l0.vmcs01 : vmcs02;
  const exit = vmcs12.u32(Field.primaryVmExitControls);
  const host64 = (exit & ExitControl.hostAddressSpaceSize) !== 0;
  const put = (field: VmcsField, value: bigint): void => l1.set(field, value);
  const copy = (field: VmcsField, from: VmcsField): void => l1.set(field, vmcs12.u64(from));

  // Control registers, debug registers, MSRs
  put(Field.guestCr0, (vmcs12.u64(Field.hostCr0) & 0xffff_ffffn) | Cr0.NE);
  copy(Field.guestCr3, Field.hostCr3);
  const cr4 = vmcs12.u64(Field.hostCr4);
  put(Field.guestCr4, host64 ? cr4 | Cr4.PAE : cr4 & ~Cr4.PCIDE);
  put(Field.guestDr7, 0x400n);
  put(Field.guestIa32Debugctl, 0n);
  copy(Field.guestIa32SysenterCs, Field.hostIa32SysenterCs);
  copy(Field.guestIa32SysenterEsp, Field.hostIa32SysenterEsp);
  copy(Field.guestIa32SysenterEip, Field.hostIa32SysenterEip);
  const efer = exit & ExitControl.loadIa32Efer ? vmcs12.u64(Field.hostIa32Efer) : before.u64(Field.guestIa32Efer);
  put(Field.guestIa32Efer, (efer & ~(EFER_LMA | EFER_LME)) | (host64 ? EFER_LMA | EFER_LME : 0n));
  put(Field.guestIa32Pat, exit & ExitControl.loadIa32Pat ? vmcs12.u64(Field.hostIa32Pat) : before.u64(Field.guestIa32Pat));
  const entry = (l0.vmcs01.u32(Field.vmEntryControls) & ~EntryControl.ia32eModeGuest) | (host64 ? EntryControl.ia32eModeGuest : 0);
  put(Field.vmEntryControls, BigInt(entry >>> 0));

  // Segment and descriptor-table registers
  const segment = (fields: SegmentFields, selector: bigint, base: bigint, limit: bigint, access: bigint): void => {
    put(fields.selector, selector);
    put(fields.base, base);
    put(fields.limit, limit);
    put(fields.access, access);
  };
  segment(cs, vmcs12.u64(Field.hostCsSelector), 0n, FULL_LIMIT, host64 ? CODE64 : CODE32);
  for (const s of data) {
    const selector = vmcs12.u64(s.from);
    // A null selector makes the register unusable; its base is loaded all the same.
    segment(s, selector, s.fromBase === undefined ? 0n : vmcs12.u64(s.fromBase), FULL_LIMIT, selector === 0n ? UNUSABLE : DATA);
  }
  segment(tr, vmcs12.u64(Field.hostTrSelector), vmcs12.u64(Field.hostTrBase), 0x67n, BUSY_TSS);
  segment(ldtr, 0n, 0n, 0n, UNUSABLE);
  copy(Field.guestGdtrBase, Field.hostGdtrBase);
  put(Field.guestGdtrLimit, 0xffffn);
  copy(Field.guestIdtrBase, Field.hostIdtrBase);
  put(Field.guestIdtrLimit, 0xffffn);

  // RIP, RSP, RFLAGS, non-register state
  copy(Field.guestRip, Field.hostRip);
  put(Field.guestRsp, host64 ? vmcs12.u64(Field.hostRsp) : vmcs12.u64(Field.hostRsp) & 0xffff_ffffn);
  put(Field.guestRflags, 2n);
  put(Field.guestActivityState, 0n);
  const virtualNmis = (vmcs12.u32(Field.pinBasedVmExecutionControls) & Pin.virtualNmis) !== 0 && failed === 0;
  const blocking = virtualNmis
    ? 0
    : (failed === 0 ? vmcs02 : l0.vmcs01).u32(Field.guestInterruptibilityState) & Interruptibility.blockingByNmi;
  put(Field.guestInterruptibilityState, BigInt(byNmi ? Interruptibility.blockingByNmi : blocking));
  put(Field.guestPendingDebugExceptions, 0n);
  put(Field.vmEntryInterruptionInformation, 0n);
  const pdptes = paePdptes(l0.guest, l0.vmcs01);
  if (pdptes?.some((pdpte) => pdpteReserved(pdpte, l0.cpu.model.maxPhyAddr))) return false;
  pdptes?.forEach((pdpte, n) => put(PDPTES[n], pdpte));
  return true;
}
