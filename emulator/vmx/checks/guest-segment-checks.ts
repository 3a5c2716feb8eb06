/** Checks on guest segment registers: SDM volume 3, "Checks on Guest Segment Registers", register by register in the manual's order of fields. */
import { Ar } from '../../spec/descriptors';
import { Field, type VmcsField } from '../../spec/vmcs-fields';
import {
  canonical,
  ia32eModeGuest,
  section,
  SECONDARY_FIELDS,
  unrestrictedGuest,
  type CheckContext,
  type CheckRow,
  type CheckRowInit,
} from './check-row';

interface SegmentFields {
  readonly name: string;
  readonly selector: VmcsField;
  readonly base: VmcsField;
  readonly limit: VmcsField;
  readonly access: VmcsField;
}
const CS: SegmentFields = {
  name: 'CS',
  selector: Field.guestCsSelector,
  base: Field.guestCsBase,
  limit: Field.guestCsLimit,
  access: Field.guestCsAccessRights,
};
const SS: SegmentFields = {
  name: 'SS',
  selector: Field.guestSsSelector,
  base: Field.guestSsBase,
  limit: Field.guestSsLimit,
  access: Field.guestSsAccessRights,
};
const DS: SegmentFields = {
  name: 'DS',
  selector: Field.guestDsSelector,
  base: Field.guestDsBase,
  limit: Field.guestDsLimit,
  access: Field.guestDsAccessRights,
};
const ES: SegmentFields = {
  name: 'ES',
  selector: Field.guestEsSelector,
  base: Field.guestEsBase,
  limit: Field.guestEsLimit,
  access: Field.guestEsAccessRights,
};
const FS: SegmentFields = {
  name: 'FS',
  selector: Field.guestFsSelector,
  base: Field.guestFsBase,
  limit: Field.guestFsLimit,
  access: Field.guestFsAccessRights,
};
const GS: SegmentFields = {
  name: 'GS',
  selector: Field.guestGsSelector,
  base: Field.guestGsBase,
  limit: Field.guestGsLimit,
  access: Field.guestGsAccessRights,
};
const TR: SegmentFields = {
  name: 'TR',
  selector: Field.guestTrSelector,
  base: Field.guestTrBase,
  limit: Field.guestTrLimit,
  access: Field.guestTrAccessRights,
};
const LDTR: SegmentFields = { name: 'LDTR', selector: Field.guestLdtrSelector, base: Field.guestLdtrBase, limit: Field.guestLdtrLimit, access: Field.guestLdtrAccessRights }; // prettier-ignore
const CODE_AND_DATA = [CS, SS, DS, ES, FS, GS];
const DATA = [DS, ES, FS, GS];

const RFLAGS = Field.guestRflags;
/** The guest will be in virtual-8086 mode. */
const virtual8086 = (c: CheckContext): boolean => (c.u32(RFLAGS) & (1 << 17)) !== 0;
const usable = (c: CheckContext, s: SegmentFields): boolean => (c.u32(s.access) & Ar.unusable) === 0;
const typeOf = (c: CheckContext, s: SegmentFields): number => c.u32(s.access) & Ar.type;
const dplOf = (c: CheckContext, s: SegmentFields): number => (c.u32(s.access) >> 5) & 3;
const rplOf = (c: CheckContext, s: SegmentFields): number => c.u32(s.selector) & 3;

/** A rule for code and data segments outside virtual-8086 mode; CS is always judged, the others while usable. */
function accessRule(
  s: SegmentFields,
  what: string,
  demand: string,
  ok: (c: CheckContext) => boolean,
  more: readonly VmcsField[] = [],
  conditions: readonly VmcsField[] = [],
): CheckRowInit {
  const always = s === CS || s === TR;
  const system = s === TR || s === LDTR;
  return {
    name: `${s.access.name}: ${what}`,
    sentence: `${always ? '' : `If ${s.name} is usable, `}${always ? demand[0].toUpperCase() + demand.slice(1) : demand}.`,
    fields: [s.access, ...more],
    conditions: system ? conditions : [RFLAGS, ...conditions],
    holds: (c) => (!system && virtual8086(c)) || (!always && !usable(c, s)) || ok(c),
  };
}

const selectors: CheckRowInit[] = [
  {
    name: 'GUEST_TR_SELECTOR: TI',
    sentence: 'The TI flag (bit 2) of the TR selector must be 0.',
    fields: [TR.selector],
    holds: (c) => (c.u32(TR.selector) & 4) === 0,
  },
  {
    name: 'GUEST_LDTR_SELECTOR: TI',
    sentence: 'If LDTR is usable, the TI flag (bit 2) of its selector must be 0.',
    fields: [LDTR.selector, LDTR.access],
    holds: (c) => !usable(c, LDTR) || (c.u32(LDTR.selector) & 4) === 0,
  },
  {
    name: 'GUEST_SS_SELECTOR: RPL',
    sentence:
      'If the guest will not be virtual-8086 and “unrestricted guest” is 0, the RPL of the SS selector must equal the RPL of the CS selector.',
    fields: [SS.selector, CS.selector],
    conditions: [RFLAGS, ...SECONDARY_FIELDS],
    holds: (c) => virtual8086(c) || unrestrictedGuest(c) || rplOf(c, SS) === rplOf(c, CS),
  },
];

const bases: CheckRowInit[] = [
  ...CODE_AND_DATA.map((s): CheckRowInit => ({
    name: `${s.base.name}: virtual-8086`,
    sentence: `If the guest will be virtual-8086, the ${s.name} base must be the ${s.name} selector shifted left by 4 bits.`,
    fields: [s.base, s.selector],
    conditions: [RFLAGS],
    holds: (c) => !virtual8086(c) || (c.u32(s.base) === (c.u32(s.selector) & 0xffff) << 4 && c.high32(s.base) === 0),
  })),
  ...[TR, FS, GS].map((s): CheckRowInit => ({
    name: `${s.base.name}: canonical`,
    sentence: `The ${s.name} base must be a canonical address.`,
    fields: [s.base],
    holds: (c) => canonical(c, s.base),
  })),
  {
    name: `${LDTR.base.name}: canonical`,
    sentence: 'If LDTR is usable, its base must be a canonical address.',
    fields: [LDTR.base, LDTR.access],
    holds: (c) => !usable(c, LDTR) || canonical(c, LDTR.base),
  },
  {
    name: `${CS.base.name}: bits 63:32`,
    sentence: 'Bits 63:32 of the CS base must be 0.',
    fields: [CS.base],
    holds: (c) => c.high32(CS.base) === 0,
  },
  ...[SS, DS, ES].map((s): CheckRowInit => ({
    name: `${s.base.name}: bits 63:32`,
    sentence: `If ${s.name} is usable, bits 63:32 of its base must be 0.`,
    fields: [s.base, s.access],
    holds: (c) => !usable(c, s) || c.high32(s.base) === 0,
  })),
];

const virtual8086Rows: CheckRowInit[] = [
  ...CODE_AND_DATA.map((s): CheckRowInit => ({
    name: `${s.limit.name}: virtual-8086`,
    sentence: `If the guest will be virtual-8086, the ${s.name} limit must be 0000FFFFH.`,
    fields: [s.limit],
    conditions: [RFLAGS],
    holds: (c) => !virtual8086(c) || c.u32(s.limit) === 0xffff,
  })),
  ...CODE_AND_DATA.map((s): CheckRowInit => ({
    name: `${s.access.name}: virtual-8086`,
    sentence: `If the guest will be virtual-8086, the ${s.name} access rights must be 000000F3H.`,
    fields: [s.access],
    conditions: [RFLAGS],
    holds: (c) => !virtual8086(c) || c.u32(s.access) === 0xf3,
  })),
];

/** Rules that the access rights of every segment obey. */
function granularity(s: SegmentFields): CheckRowInit {
  return accessRule(
    s,
    'G',
    `the G bit (bit 15) of ${s.name} must be 0 if any bit in 11:0 of its limit is 0, and 1 if any bit in 31:20 of its limit is 1`,
    (c) => {
      const limit = c.u32(s.limit);
      const g = (c.u32(s.access) & Ar.granularity) !== 0;
      return !(g && (limit & 0xfff) !== 0xfff) && !(!g && limit >>> 20 !== 0);
    },
    [s.limit],
  );
}
const reservedLow = (s: SegmentFields): CheckRowInit =>
  accessRule(s, 'bits 11:8', `bits 11:8 of the ${s.name} access rights must be 0`, (c) => (c.u32(s.access) & 0xf00) === 0);
const reservedHigh = (s: SegmentFields): CheckRowInit =>
  accessRule(s, 'bits 31:17', `bits 31:17 of the ${s.name} access rights must be 0`, (c) => c.u32(s.access) >>> 17 === 0);
const present = (s: SegmentFields): CheckRowInit =>
  accessRule(s, 'P', `the P bit (bit 7) of ${s.name} must be 1`, (c) => (c.u32(s.access) & Ar.present) !== 0);

const accessRights: CheckRowInit[] = [
  // Type
  accessRule(
    CS,
    'type',
    'the CS type must be 9, 11, 13 or 15 (accessed code segment), or 3 (read/write accessed expand-up data segment) if “unrestricted guest” is 1',
    (c) => {
      const type = typeOf(c, CS);
      return (type & 9) === 9 || (type === 3 && unrestrictedGuest(c));
    },
    [],
    SECONDARY_FIELDS,
  ),
  accessRule(
    SS,
    'type',
    'the SS type must be 3 or 7 (read/write, accessed data segment)',
    (c) => typeOf(c, SS) === 3 || typeOf(c, SS) === 7,
  ),
  ...DATA.map((s) =>
    accessRule(
      s,
      'type',
      `bit 0 of the ${s.name} type must be 1 (accessed), and bit 1 must be 1 (readable) if bit 3 is 1 (code segment)`,
      (c) => (typeOf(c, s) & 1) !== 0 && ((typeOf(c, s) & 8) === 0 || (typeOf(c, s) & 2) !== 0),
    ),
  ),
  // S
  ...CODE_AND_DATA.map((s) =>
    accessRule(s, 'S', `the S bit (bit 4) of ${s.name} must be 1`, (c) => (c.u32(s.access) & Ar.notSystem) !== 0),
  ),
  // DPL
  accessRule(CS, 'DPL of a data segment', 'the CS DPL must be 0 if the CS type is 3', (c) => typeOf(c, CS) !== 3 || dplOf(c, CS) === 0),
  accessRule(
    CS,
    'DPL of a non-conforming segment',
    'the CS DPL must equal the SS DPL if the CS type is 9 or 11 (non-conforming code segment)',
    (c) => (typeOf(c, CS) !== 9 && typeOf(c, CS) !== 11) || dplOf(c, CS) === dplOf(c, SS),
    [SS.access],
  ),
  accessRule(
    CS,
    'DPL of a conforming segment',
    'the CS DPL must not be greater than the SS DPL if the CS type is 13 or 15 (conforming code segment)',
    (c) => (typeOf(c, CS) !== 13 && typeOf(c, CS) !== 15) || dplOf(c, CS) <= dplOf(c, SS),
    [SS.access],
  ),
  {
    name: `${SS.access.name}: DPL and RPL`,
    sentence: 'If “unrestricted guest” is 0, the SS DPL must equal the RPL of the SS selector.',
    fields: [SS.access, SS.selector],
    conditions: [RFLAGS, ...SECONDARY_FIELDS],
    holds: (c) => virtual8086(c) || unrestrictedGuest(c) || dplOf(c, SS) === rplOf(c, SS),
  },
  {
    name: `${SS.access.name}: DPL in real-address mode`,
    sentence: 'The SS DPL must be 0 if the CS type is 3 or CR0.PE is 0 in the guest-state area.',
    fields: [SS.access, CS.access, Field.guestCr0],
    conditions: [RFLAGS],
    holds: (c) => virtual8086(c) || (typeOf(c, CS) !== 3 && (c.u32(Field.guestCr0) & 1) !== 0) || dplOf(c, SS) === 0,
  },
  ...DATA.map((s) =>
    accessRule(
      s,
      'DPL and RPL',
      `the ${s.name} DPL must not be less than the RPL of the ${s.name} selector if “unrestricted guest” is 0 and the type is 0 to 11 (data segment or non-conforming code segment)`,
      (c) => unrestrictedGuest(c) || typeOf(c, s) > 11 || dplOf(c, s) >= rplOf(c, s),
      [s.selector],
      SECONDARY_FIELDS,
    ),
  ),
  // P, reserved bits
  ...CODE_AND_DATA.map(present),
  ...CODE_AND_DATA.map(reservedLow),
  // D/B
  accessRule(
    CS,
    'D/B and L',
    'the D/B bit (bit 14) of CS must be 0 if the guest will be in IA-32e mode and the L bit (bit 13) is 1',
    (c) => !ia32eModeGuest(c) || (c.u32(CS.access) & (Ar.long | Ar.big)) !== (Ar.long | Ar.big),
    [Field.vmEntryControls],
  ),
  ...CODE_AND_DATA.map(granularity),
  ...CODE_AND_DATA.map(reservedHigh),
  // TR
  accessRule(
    TR,
    'type',
    'the TR type must be 11 (busy 64-bit TSS) in IA-32e mode, and 3 (busy 16-bit TSS) or 11 (busy 32-bit TSS) otherwise',
    (c) => typeOf(c, TR) === 11 || (typeOf(c, TR) === 3 && !ia32eModeGuest(c)),
    [Field.vmEntryControls],
  ),
  accessRule(TR, 'S', 'the S bit (bit 4) of TR must be 0', (c) => (c.u32(TR.access) & Ar.notSystem) === 0),
  present(TR),
  reservedLow(TR),
  granularity(TR),
  accessRule(TR, 'unusable', 'bit 16 (unusable) of the TR access rights must be 0', (c) => (c.u32(TR.access) & Ar.unusable) === 0),
  reservedHigh(TR),
  // LDTR
  accessRule(LDTR, 'type', 'the LDTR type must be 2 (LDT)', (c) => typeOf(c, LDTR) === 2),
  accessRule(LDTR, 'S', 'the S bit (bit 4) of LDTR must be 0', (c) => (c.u32(LDTR.access) & Ar.notSystem) === 0),
  present(LDTR),
  reservedLow(LDTR),
  granularity(LDTR),
  reservedHigh(LDTR),
];

export const GUEST_SEGMENT_CHECKS: readonly CheckRow[] = section('Checks on Guest Segment Registers', 'guest', [
  ...selectors,
  ...bases,
  ...virtual8086Rows,
  ...accessRights,
]);
