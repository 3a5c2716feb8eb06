/**
 * The state save area of system-management mode on processors with Intel 64 (SDM volume 3, "System Management Mode", table "SMRAM State Save
 * Map for Intel 64 Architecture"): offsets from SMBASE + 8000H. Tables only.
 */
import { Seg } from './vcpu-state';

export const SMBASE_RESET = 0x30000;
/** SMBASE + 8000H is the handler's first instruction; offsets of the save area count from there. */
export const SMM_ENTRY = 0x8000;

export const SaveArea = {
  cr0: 0x7ff8, cr3: 0x7ff0, rflags: 0x7fe8, efer: 0x7fe0, rip: 0x7fd8, dr6: 0x7fd0, dr7: 0x7fc8,
  /** Selectors, 4 bytes each. */
  tr: 0x7fc4, ldtr: 0x7fc0, gs: 0x7fbc, fs: 0x7fb8, ds: 0x7fb4, ss: 0x7fb0, cs: 0x7fac, es: 0x7fa8,
  ioMisc: 0x7fa4, ioMemoryAddress: 0x7f9c,
  /** Words. */
  autoHalt: 0x7f02, ioRestart: 0x7f00,
  revision: 0x7efc, smbase: 0x7ef8,
  eptEnabled: 0x7ee0, eptPointer: 0x7ed8,
  ldtBaseLow: 0x7e9c, idtBaseLow: 0x7e94, gdtBaseLow: 0x7e8c,
  cr4: 0x7e40, ioRip: 0x7de8,
  idtBaseHigh: 0x7dd8, ldtBaseHigh: 0x7dd4, gdtBaseHigh: 0x7dd0,
} as const; // prettier-ignore

/** Places of the general registers in the order of their numbers: RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 … R15. */
export const SAVED_GPRS: readonly number[] = [
  0x7f5c, 0x7f64, 0x7f6c, 0x7f74, 0x7f7c, 0x7f84, 0x7f8c, 0x7f94, 0x7f54, 0x7f4c, 0x7f44, 0x7f3c, 0x7f34, 0x7f2c, 0x7f24, 0x7f1c,
]; // prettier-ignore

export const SAVED_SELECTORS: readonly (readonly [segment: number, offset: number])[] = [
  [Seg.es, SaveArea.es],
  [Seg.cs, SaveArea.cs],
  [Seg.ss, SaveArea.ss],
  [Seg.ds, SaveArea.ds],
  [Seg.fs, SaveArea.fs],
  [Seg.gs, SaveArea.gs],
  [Seg.ldtr, SaveArea.ldtr],
  [Seg.tr, SaveArea.tr],
];

/** "SMM Revision Identifier": bit 16 I/O instruction restart, bit 17 SMBASE relocation; 100H names the 64-bit map. */
export const SMM_REVISION = 0x3_0100;
/** I/O instruction restart field: the instruction is to be made again. */
export const RESTART_IO = 0xff;
export const AUTO_HALT = 1;

/** "I/O State Field": bit 0 the SMI came with an I/O instruction, 3:1 length, 7:4 type, 31:16 port. */
export const ioMisc = (bytes: number, type: number, port: number): number => (1 | (bytes << 1) | (type << 4) | (port << 16)) >>> 0;
export const IoType = { outImmediate: 8, inImmediate: 9, outDx: 0, inDx: 1, outs: 2, ins: 3, repOuts: 6, repIns: 7 } as const;
