/**
 * Bits of the control and debug registers, of IA32_EFER, and the exception vectors, by the names of the Intel SDM volume 3 ("Control
 * Registers", "Debug Registers", "Exception and Interrupt Reference"). Tables only.
 */
export const Cr0 = {
  PE: 1n << 0n, MP: 1n << 1n, EM: 1n << 2n, TS: 1n << 3n, ET: 1n << 4n, NE: 1n << 5n, WP: 1n << 16n, AM: 1n << 18n,
  NW: 1n << 29n, CD: 1n << 30n, PG: 1n << 31n,
} as const; // prettier-ignore
/** Defined bits; the others of CR0[31:0] ignore writes and read 0, and ET reads 1. */
export const CR0_DEFINED = 0xe005003fn;

export const Cr4 = {
  VME: 1n << 0n, PVI: 1n << 1n, TSD: 1n << 2n, DE: 1n << 3n, PSE: 1n << 4n, PAE: 1n << 5n, MCE: 1n << 6n, PGE: 1n << 7n, PCE: 1n << 8n,
  OSFXSR: 1n << 9n, OSXMMEXCPT: 1n << 10n, UMIP: 1n << 11n, LA57: 1n << 12n, VMXE: 1n << 13n, SMXE: 1n << 14n, FSGSBASE: 1n << 16n,
  PCIDE: 1n << 17n, OSXSAVE: 1n << 18n, SMEP: 1n << 20n, SMAP: 1n << 21n, PKE: 1n << 22n, CET: 1n << 23n, PKS: 1n << 24n,
} as const; // prettier-ignore

export const Efer = { SCE: 1n << 0n, LME: 1n << 8n, LMA: 1n << 10n, NXE: 1n << 11n } as const;

/** DR6: condition bits as a #DB sets them; the rest reads as `DR6_FIXED`. */
export const Dr6 = { B0: 1, B1: 2, B2: 4, B3: 8, BD: 1 << 13, BS: 1 << 14, BT: 1 << 15, RTM: 1 << 16 } as const;
export const DR6_FIXED = 0xffff0ff0n;
export const DR6_WRITABLE = 0xe00fn;
export const DR7_FIXED = 0x400n;
export const DR7_WRITABLE = 0xffff23ffn;
export const DR7_GD = 1n << 13n;

/** Exception vectors. */
export const Vector = {
  DE: 0, DB: 1, NMI: 2, BP: 3, OF: 4, BR: 5, UD: 6, NM: 7, DF: 8, TS: 10, NP: 11, SS: 12, GP: 13, PF: 14, MF: 16, AC: 17, MC: 18, XM: 19,
  VE: 20, CP: 21,
} as const; // prettier-ignore

/** Vectors that push an error code when a hardware exception is delivered ("Exceptions and Interrupts", error code column). */
export const VECTORS_WITH_ERROR_CODE: readonly number[] = [8, 10, 11, 12, 13, 14, 17, 21];
/** Fault-class exceptions: the RFLAGS image that they push has RF = 1 (#DB is a fault or a trap, see cpu/delivery). */
export const FAULT_CLASS_VECTORS: readonly number[] = [0, 5, 6, 7, 10, 11, 12, 13, 14, 16, 17, 19, 20, 21];
/** Contributory exceptions of the table "Interrupt and Exception Classes". */
export const CONTRIBUTORY_VECTORS: readonly number[] = [0, 10, 11, 12, 13, 21];
export const PAGE_FAULT_CLASS_VECTORS: readonly number[] = [14, 20];

/** Interruption type of the VMX interruption-information format, and of our event deliveries. */
export const EventType = {
  externalInterrupt: 0,
  nmi: 2,
  hardwareException: 3,
  softwareInterrupt: 4,
  privilegedSoftwareException: 5,
  softwareException: 6,
} as const;
export type EventType = (typeof EventType)[keyof typeof EventType];

/** State.interruptibility bits, as in the VMCS field "Interruptibility state". */
export const Interruptibility = { blockingBySti: 1, blockingByMovSs: 2, blockingBySmi: 4, blockingByNmi: 8 } as const;
/** State.activity values, as in the VMCS field "Activity state". */
export const Activity = { active: 0, hlt: 1, shutdown: 2, waitForSipi: 3 } as const;
