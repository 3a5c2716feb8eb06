/** Formats of paging-structure entries (SDM volume 3, "Paging" and "The Extended Page Table Mechanism"): what the one walker needs to know of each. */

/** Rights of a translation, accumulated over its levels. */
export const Right = { read: 1, write: 2, execute: 4, user: 8 } as const;

export interface PagingLevel {
  /** 'PML4', 'PDPT', 'PD', 'PT' */
  readonly name: string;
  /** Lowest bit of the index. */
  readonly shift: number;
}

export interface PagingFormat {
  readonly name: 'guest 32-bit' | 'guest PAE' | 'guest 4-level' | 'guest 5-level' | 'EPT';
  readonly entryBytes: 4 | 8;
  readonly indexBits: 9 | 10;
  /** From the root to the page table. */
  readonly levels: readonly PagingLevel[];
  present(lo: number, hi: number): boolean;
  /** The entry maps a page (given that it is present). */
  isLeaf(level: number, lo: number): boolean;
  /** Reserved bits set, or (EPT) a combination that is a misconfiguration. `physicalBits` is MAXPHYADDR. */
  reserved(level: number, lo: number, hi: number, leaf: boolean, facts: PagingFacts): boolean;
  rights(lo: number, hi: number, facts: PagingFacts): number;
  readonly accessedBit: number;
  readonly dirtyBit: number;
}
export interface PagingFacts {
  readonly physicalBits: number;
  /** IA32_EFER.NXE */
  readonly nx: boolean;
  readonly page1gb: boolean;
  /** EPT execute-only translations supported. */
  readonly executeOnly: boolean;
}

const fourLevels: readonly PagingLevel[] = [
  { name: 'PML4', shift: 39 },
  { name: 'PDPT', shift: 30 },
  { name: 'PD', shift: 21 },
  { name: 'PT', shift: 12 },
];
const PS = 0x80;

/** Physical-address bits of a 64-bit entry beyond MAXPHYADDR (at least 32), in its high half (bits 51:32). */
const highReserved = (hi: number, physicalBits: number): boolean => (hi & 0xfffff) >>> (physicalBits - 32) !== 0;
/** Address bits below a large page's size that must be zero, excluding PAT (bit 12) for guest entries. */
const largeLow = (level: number): number => (level === 1 ? 0x3fffe000 : 0x1fe000);

/**
 * 64-bit entries of guest tables. `upper` levels stand above the page-directory-pointer table; PAE paging's walk begins below it, with a PDPTE
 * register.
 */
const guestWide = (name: PagingFormat['name'], levels: readonly PagingLevel[], upper: -1 | 1 | 2): PagingFormat => ({
  name,
  entryBytes: 8,
  indexBits: 9,
  levels,
  present: (lo) => (lo & 1) !== 0,
  isLeaf: (level, lo) => level === upper + 2 || (level >= upper && level >= 0 && (lo & PS) !== 0),
  reserved(level, lo, hi, leaf, facts) {
    if (highReserved(hi, facts.physicalBits)) return true;
    if (!facts.nx && hi < 0) return true;
    // Bits 62:52 are ignored, but not with PAE paging.
    if (upper < 0 && (hi & 0x7ff00000) !== 0) return true;
    if (level < upper) return (lo & PS) !== 0;
    if (level === upper && leaf) return !facts.page1gb || (lo & largeLow(1)) !== 0;
    return level === upper + 1 && leaf && (lo & largeLow(2)) !== 0;
  },
  rights: (lo, hi, facts) => Right.read | (lo & 2 ? Right.write : 0) | (lo & 4 ? Right.user : 0) | (facts.nx && hi < 0 ? 0 : Right.execute),
  accessedBit: 0x20,
  dirtyBit: 0x40,
});

/** 4-level paging: "Formats of CR3 and Paging-Structure Entries with 4-Level Paging". */
export const guest4Level = guestWide('guest 4-level', fourLevels, 1);
/** 5-level paging (CR4.LA57). */
export const guest5Level = guestWide('guest 5-level', [{ name: 'PML5', shift: 48 }, ...fourLevels], 2);
/** PAE paging below the PDPTE registers: "Formats of CR3 and Paging-Structure Entries with PAE Paging". */
export const guestPae = guestWide('guest PAE', fourLevels.slice(2), -1);

/** PDPTE reserved bits: 2:1, 8:5 and those at and above MAXPHYADDR; checked when a PDPTE that is present is loaded. */
export function pdpteReserved(pdpte: bigint, physicalBits: number): boolean {
  return (pdpte & 1n) !== 0n && ((pdpte & 0x1e6n) !== 0n || pdpte >> BigInt(physicalBits) !== 0n);
}
/** Address of the page directory that a present PDPTE names. */
export const pdpteAddress = (pdpte: bigint): number => Number(pdpte & 0xf_ffff_ffff_f000n);

/** 32-bit paging: "Formats of CR3 and Paging-Structure Entries with 32-Bit Paging". PSE-36: bits 39:32 of a 4 MiB page in bits 20:13. */
const guest32Bit = (isLeaf: PagingFormat['isLeaf']): PagingFormat => ({
  name: 'guest 32-bit',
  entryBytes: 4,
  indexBits: 10,
  levels: [
    { name: 'PD', shift: 22 },
    { name: 'PT', shift: 12 },
  ],
  present: (lo) => (lo & 1) !== 0,
  isLeaf,
  // With PSE-36 bits 20:13 are address bits 39:32, as far as MAXPHYADDR goes; the rest up to bit 21 is reserved.
  reserved: (level, lo, _hi, leaf, facts) => level === 0 && leaf && (lo & 0x3fe000) >>> (Math.min(40, facts.physicalBits) - 19) !== 0,
  rights: (lo) => Right.read | Right.execute | (lo & 2 ? Right.write : 0) | (lo & 4 ? Right.user : 0),
  accessedBit: 0x20,
  dirtyBit: 0x40,
});
/** With CR4.PSE, and without. */
export const guest32BitPse = guest32Bit((level, lo) => level === 1 || (lo & PS) !== 0);
export const guest32BitPlain = guest32Bit((level) => level === 1);

/** Physical address of the EPT PML4 table that an EPTP names (bits 51:12). */
export const eptRoot = (eptp: number): number => eptp - (eptp % 4096);

/** Bit 10: execution at user-mode linear addresses, with mode-based execute control. */
const EPT_USER_EXECUTE = 0x400;
/** EPT: "Formats of EPTP and EPT Paging-Structure Entries"; reserved covers "EPT Misconfigurations". */
const ept = (executeBits: number): PagingFormat => ({
  name: 'EPT',
  entryBytes: 8,
  indexBits: 9,
  levels: fourLevels,
  present: (lo) => (lo & (3 | executeBits)) !== 0,
  isLeaf: (level, lo) => level === 3 || ((level === 1 || level === 2) && (lo & PS) !== 0),
  reserved(level, lo, hi, leaf, facts) {
    if ((lo & 3) === 2) return true; // writable but not readable
    if ((lo & 1) === 0 && !facts.executeOnly) return true;
    if (highReserved(hi, facts.physicalBits)) return true;
    if (!leaf) return level === 0 ? (lo & 0xf8) !== 0 : (lo & 0x78) !== 0;
    const type = (lo >>> 3) & 7;
    if (type === 2 || type === 3 || type === 7) return true;
    if (level === 1) return !facts.page1gb || (lo & 0x3ffff000) !== 0;
    return level === 2 && (lo & 0x1ff000) !== 0;
  },
  // Right.user stands for execution at user-mode addresses.
  rights: (lo) => (lo & 7) | (lo & executeBits & EPT_USER_EXECUTE ? Right.user : 0),
  accessedBit: 0x100,
  dirtyBit: 0x200,
});
export const eptFormat = ept(4);
/** With “mode-based execute control for EPT”: bit 2 is execution at supervisor-mode addresses, bit 10 at user-mode addresses. */
export const eptModeBased = ept(4 | EPT_USER_EXECUTE);
