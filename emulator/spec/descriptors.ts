/**
 * Segment and gate descriptors (SDM volume 3, "Segment Descriptors", "System Descriptor Types", "IDT Descriptors"): fields of the raw
 * eight bytes and the access-rights format of the VMCS, which the hidden parts of segment registers use here.
 */
/** Bits of an access-rights word (VMCS "Format of Access Rights"). */
export const Ar = {
  type: 0xf,
  accessed: 1,
  /** Data: writable. Code: readable. */
  writable: 2,
  /** Data: expand-down. Code: conforming. */
  expandDown: 4,
  conforming: 4,
  code: 8,
  /** S: 1 is a code or data segment, 0 a system descriptor. */
  notSystem: 0x10,
  dpl: 0x60,
  present: 0x80,
  avl: 0x1000,
  long: 0x2000,
  big: 0x4000,
  granularity: 0x8000,
  unusable: 0x10000,
} as const;

/** System-segment and gate types. In IA-32e mode 2, 9, 11, 12, 14 and 15 remain, as 16-byte descriptors. */
export const SystemType = {
  tss16Available: 1,
  ldt: 2,
  tss16Busy: 3,
  callGate16: 4,
  taskGate: 5,
  interruptGate16: 6,
  trapGate16: 7,
  tssAvailable: 9,
  tssBusy: 11,
  callGate: 12,
  interruptGate: 14,
  trapGate: 15,
} as const;

/** Eight bytes of a descriptor table as two words. */
export interface RawDescriptor {
  readonly low: number;
  readonly high: number;
}

/** Access rights of a segment descriptor: bits 23:20 and 15:8 of the high word. */
export const accessOf = (d: RawDescriptor): number => (d.high >>> 8) & 0xf0ff;
export const dplOf = (access: number): number => (access >> 5) & 3;
/** Bits 31:0 of the base. */
export const baseOf = (d: RawDescriptor): number => ((d.low >>> 16) | ((d.high & 0xff) << 16) | (d.high & 0xff000000)) >>> 0;
/** Limit in bytes, granularity applied. */
export function limitOf(d: RawDescriptor): number {
  const raw = (d.low & 0xffff) | (d.high & 0xf0000);
  return d.high & 0x800000 ? ((raw << 12) | 0xfff) >>> 0 : raw;
}
export const isCode = (access: number): boolean => (access & (Ar.notSystem | Ar.code)) === (Ar.notSystem | Ar.code);
export const isData = (access: number): boolean => (access & (Ar.notSystem | Ar.code)) === Ar.notSystem;
export const isWritableData = (access: number): boolean => isData(access) && (access & Ar.writable) !== 0;
export const isConformingCode = (access: number): boolean => isCode(access) && (access & Ar.conforming) !== 0;

/** An interrupt or trap gate. */
export interface Gate {
  readonly type: number;
  readonly dpl: number;
  readonly present: boolean;
  readonly system: boolean;
  readonly selector: number;
  readonly offset: bigint;
  readonly ist: number;
}
/** @param upper bits 63:32 of the offset (IA-32e mode), else 0. */
export function gateOf(d: RawDescriptor, upper: number): Gate {
  return {
    type: (d.high >>> 8) & 0xf,
    system: (d.high & 0x1000) === 0,
    dpl: (d.high >>> 13) & 3,
    present: (d.high & 0x8000) !== 0,
    selector: d.low >>> 16,
    offset: (BigInt(upper >>> 0) << 32n) | BigInt(((d.high & 0xffff0000) | (d.low & 0xffff)) >>> 0),
    ist: d.high & 7,
  };
}

/** Offsets in a TSS ("Task-State Segment (TSS)", "TSS Format in 64-bit Mode"). */
export const Tss = {
  /** 32-bit: ESPn at 4 + 8n, SSn four bytes above. */
  esp: (n: number): number => 4 + 8 * n,
  ss: (n: number): number => 8 + 8 * n,
  /** 64-bit: RSPn and IST1..7. */
  rsp: (n: number): number => 4 + 8 * n,
  ist: (n: number): number => 0x1c + 8 * n,
  /** 32-bit, the rest of the task's state; registers in the manual's numbering, segments ES, CS, SS, DS, FS, GS. */
  cr3: 0x1c,
  eip: 0x20,
  eflags: 0x24,
  gpr: (n: number): number => 0x28 + 4 * n,
  segment: (n: number): number => 0x48 + 4 * n,
  ldt: 0x60,
  /** Bit 0: debug trap (T). */
  trap: 0x64,
  ioMapBase: 0x66,
  /** The smallest limit. */
  lastByte: 0x67,
} as const;

/** "16-Bit TSS Format". */
export const Tss16 = {
  sp: (n: number): number => 2 + 4 * n,
  ss: (n: number): number => 4 + 4 * n,
  ip: 0x0e,
  flags: 0x10,
  gpr: (n: number): number => 0x12 + 2 * n,
  segment: (n: number): number => 0x22 + 2 * n,
  ldt: 0x2a,
  lastByte: 0x2b,
} as const;

/** Error codes for selectors ("Error Code"): bit 0 EXT, bit 1 IDT, bit 2 TI. */
export const selectorError = (selector: number, ext = 0): number => (selector & 0xfffc) | ext;
export const idtError = (vector: number, ext: number): number => (vector << 3) | 2 | ext;
