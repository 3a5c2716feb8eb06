/** Which VMCS fields hold each guest segment register. */
import { Field, type VmcsField } from '../spec/vmcs-fields';
import { Seg } from '../spec/vcpu-state';

export interface GuestSegment {
  readonly segment: number;
  readonly selector: VmcsField;
  readonly base: VmcsField;
  readonly limit: VmcsField;
  readonly access: VmcsField;
}
export const GUEST_SEGMENTS: readonly GuestSegment[] = [
  { segment: Seg.es, selector: Field.guestEsSelector, base: Field.guestEsBase, limit: Field.guestEsLimit, access: Field.guestEsAccessRights },
  { segment: Seg.cs, selector: Field.guestCsSelector, base: Field.guestCsBase, limit: Field.guestCsLimit, access: Field.guestCsAccessRights },
  { segment: Seg.ss, selector: Field.guestSsSelector, base: Field.guestSsBase, limit: Field.guestSsLimit, access: Field.guestSsAccessRights },
  { segment: Seg.ds, selector: Field.guestDsSelector, base: Field.guestDsBase, limit: Field.guestDsLimit, access: Field.guestDsAccessRights },
  { segment: Seg.fs, selector: Field.guestFsSelector, base: Field.guestFsBase, limit: Field.guestFsLimit, access: Field.guestFsAccessRights },
  { segment: Seg.gs, selector: Field.guestGsSelector, base: Field.guestGsBase, limit: Field.guestGsLimit, access: Field.guestGsAccessRights },
  { segment: Seg.ldtr, selector: Field.guestLdtrSelector, base: Field.guestLdtrBase, limit: Field.guestLdtrLimit, access: Field.guestLdtrAccessRights },
  { segment: Seg.tr, selector: Field.guestTrSelector, base: Field.guestTrBase, limit: Field.guestTrLimit, access: Field.guestTrAccessRights },
]; // prettier-ignore
