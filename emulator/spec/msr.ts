/**
 * Model-specific registers that exist here (SDM volume 4, "Architectural MSRs"): index, name, where the value lives and what a write may
 * hold. The VMX capability MSRs (480H..) are answered by vmx/. Any other index is #GP(0), as on hardware.
 */
import type { CpuFeature, CpuUnits } from './cpu-model';
import { State } from './vcpu-state';

/** How a write is judged: see cpu/msr, which carries each kind out. */
export type MsrWrite =
  /** #GP(0) on any write. */
  | { readonly kind: 'read-only' }
  /** Accepted without effect. */
  | { readonly kind: 'ignored' }
  /** Bits outside `mask` must be 0, else #GP(0). */
  | { readonly kind: 'mask'; readonly mask: bigint }
  /** Bits outside `mask` are dropped. */
  | { readonly kind: 'truncate'; readonly mask: bigint }
  | { readonly kind: 'canonical' }
  /** Like 'mask', but counting by the performance counters follows it. */
  | { readonly kind: 'counting'; readonly mask: bigint }
  | {
      readonly kind:
        'tsc' | 'efer' | 'local-apic' | 'feature-control' | 'pat' | 'misc-enable' | 'debugctl' | 'mtrr-def-type' | 'mtrr-base' | 'mtrr-mask' | 'mtrr-fixed' | 'fs-base' | 'gs-base'
        /** The low 32 bits, sign-extended; 48 bits; bits of IA32_PERF_GLOBAL_STATUS to be cleared; the bits that the counters of the model have. */
        | 'counter' | 'wide-counter' | 'clear-overflow' | 'counting-global'; // prettier-ignore
    };

export interface MsrRow {
  readonly index: number;
  readonly name: string;
  /** State slot that holds it; without one it reads `reset`. */
  readonly slot?: number;
  /** Value at power-on. */
  readonly reset: bigint;
  readonly write: MsrWrite;
  /** Exists only when the model has one of these features. */
  readonly needs?: readonly CpuFeature[];
  /** Exists only when the model has as many of something. */
  readonly has?: (units: CpuUnits) => boolean;
}

const WORD = 0xffff_ffffn;
const QUAD = 0xffff_ffff_ffff_ffffn;
const readOnly: MsrWrite = { kind: 'read-only' };
const ignored: MsrWrite = { kind: 'ignored' };
const canonical: MsrWrite = { kind: 'canonical' };
const anything: MsrWrite = { kind: 'mask', mask: QUAD };

export const Msr = {
  IA32_TIME_STAMP_COUNTER: 0x10,
  IA32_APIC_BASE: 0x1b,
  IA32_FEATURE_CONTROL: 0x3a,
  IA32_MCG_CAP: 0x179,
  IA32_SYSENTER_CS: 0x174,
  IA32_SYSENTER_ESP: 0x175,
  IA32_SYSENTER_EIP: 0x176,
  IA32_MISC_ENABLE: 0x1a0,
  IA32_DEBUGCTL: 0x1d9,
  IA32_PAT: 0x277,
  IA32_EFER: 0xc000_0080,
  IA32_STAR: 0xc000_0081,
  IA32_LSTAR: 0xc000_0082,
  IA32_CSTAR: 0xc000_0083,
  IA32_FMASK: 0xc000_0084,
  IA32_FS_BASE: 0xc000_0100,
  IA32_GS_BASE: 0xc000_0101,
  IA32_KERNEL_GS_BASE: 0xc000_0102,
  IA32_TSC_AUX: 0xc000_0103,
} as const;

/** Use of the spare MSR slots of the state table. */
const Spare = { mtrrDefType: State.spareMsr } as const;

/** Pairs of variable-range MTRRs. */
export const VARIABLE_MTRRS = 8;
/** Fixed-range MTRRs: MSR, name, first address and bytes of each of its eight ranges. */
export const FIXED_MTRRS: readonly (readonly [index: number, name: string, from: number, bytes: number])[] = [
  [0x250, 'IA32_MTRR_FIX64K_00000', 0, 0x10000],
  [0x258, 'IA32_MTRR_FIX16K_80000', 0x80000, 0x4000],
  [0x259, 'IA32_MTRR_FIX16K_A0000', 0xa0000, 0x4000],
  ...Array.from({ length: 8 }, (_, n) => {
    const from = 0xc0000 + n * 0x8000;
    return [0x268 + n, `IA32_MTRR_FIX4K_${from.toString(16).toUpperCase()}`, from, 0x1000] as const;
  }),
];
export const mtrrSlot = {
  base: (n: number): number => State.mtrr + 16 * n,
  mask: (n: number): number => State.mtrr + 16 * n + 8,
  /** By position in FIXED_MTRRS. */
  fixed: (n: number): number => State.mtrr + 16 * VARIABLE_MTRRS + 8 * n,
  defType: Spare.mtrrDefType,
};
const mtrrRows = (): MsrRow[] => [
  ...Array.from({ length: VARIABLE_MTRRS }, (_, n): MsrRow[] => [
    { index: 0x200 + 2 * n, name: `IA32_MTRR_PHYSBASE${n}`, slot: mtrrSlot.base(n), reset: 0n, write: { kind: 'mtrr-base' } },
    { index: 0x201 + 2 * n, name: `IA32_MTRR_PHYSMASK${n}`, slot: mtrrSlot.mask(n), reset: 0n, write: { kind: 'mtrr-mask' } },
  ]).flat(),
  ...FIXED_MTRRS.map(([index, name], n): MsrRow => ({ index, name, slot: mtrrSlot.fixed(n), reset: 0n, write: { kind: 'mtrr-fixed' } })),
];

/** The most machine-check banks that a model has. */
const MC_BANKS = 32;
/** Registers of a bank in State.machineCheck. */
export const bankSlot = (bank: number, register: 0 | 1 | 2 | 3): number => State.machineCheck + 32 * bank + 8 * register;
const onlyZero: MsrWrite = { kind: 'mask', mask: 0n };
/** "Machine-Check MSRs": status, address and miscellaneous registers can be cleared, and writing anything else is #GP(0). No CMCI, no extended state, no software error recovery. */
const machineCheckRows = (): MsrRow[] => [
  { index: Msr.IA32_MCG_CAP, name: 'IA32_MCG_CAP', reset: 0n, write: readOnly },
  { index: 0x17a, name: 'IA32_MCG_STATUS', slot: State.mcgStatus, reset: 0n, write: { kind: 'mask', mask: 7n } },
  { index: 0x17b, name: 'IA32_MCG_CTL', slot: State.mcgControl, reset: 0n, write: anything },
  ...Array.from({ length: MC_BANKS }, (_, n): MsrRow[] => {
    const has = (units: CpuUnits): boolean => units.machineCheckBanks > n;
    return [
      { index: 0x400 + 4 * n, name: `IA32_MC${n}_CTL`, slot: bankSlot(n, 0), reset: 0n, write: anything, has },
      { index: 0x401 + 4 * n, name: `IA32_MC${n}_STATUS`, slot: bankSlot(n, 1), reset: 0n, write: onlyZero, has },
      { index: 0x402 + 4 * n, name: `IA32_MC${n}_ADDR`, slot: bankSlot(n, 2), reset: 0n, write: onlyZero, has },
      { index: 0x403 + 4 * n, name: `IA32_MC${n}_MISC`, slot: bankSlot(n, 3), reset: 0n, write: onlyZero, has },
    ];
  }).flat(),
];

/** "Last Branch, Interrupt, and Exception Recording": records hold the offsets in CS of source and destination, no further information. */
const lastBranchRows = (): MsrRow[] => {
  const stack = (from: number, to: number, entries: number, has: (units: CpuUnits) => boolean): MsrRow[] =>
    Array.from({ length: entries }, (_, n): MsrRow[] => [
      { index: from + n, name: `MSR_LASTBRANCH_${n}_FROM_IP`, slot: State.lastBranch + 16 * n, reset: 0n, write: canonical, has: (u) => has(u) && u.lastBranches > n }, // prettier-ignore
      { index: to + n, name: `MSR_LASTBRANCH_${n}_TO_IP`, slot: State.lastBranch + 16 * n + 8, reset: 0n, write: canonical, has: (u) => has(u) && u.lastBranches > n }, // prettier-ignore
    ]).flat();
  const small = (units: CpuUnits): boolean => units.lastBranches === 4;
  const large = (units: CpuUnits): boolean => units.lastBranches > 4;
  const any = (units: CpuUnits): boolean => units.lastBranches > 0;
  return [
    ...stack(0x40, 0x60, 4, small),
    ...stack(0x680, 0x6c0, 32, large),
    { index: 0x1c8, name: 'MSR_LBR_SELECT', slot: State.lastBranchSelect, reset: 0n, write: { kind: 'mask', mask: 0x1ffn }, has: large },
    { index: 0x1c9, name: 'MSR_LASTBRANCH_TOS', slot: State.lastBranchTop, reset: 0n, write: readOnly, has: any },
    { index: 0x1dd, name: 'MSR_LER_FROM_LIP', slot: State.lastException, reset: 0n, write: readOnly, has: any },
    { index: 0x1de, name: 'MSR_LER_TO_LIP', slot: State.lastException + 8, reset: 0n, write: readOnly, has: any },
  ];
};

/** "Architectural Performance Monitoring", version 2. A counter's place in State.counter: general-purpose ones first, then the fixed ones. */
export const MAX_COUNTERS = 4;
const performanceRows = (): MsrRow[] => {
  const monitored = (units: CpuUnits): boolean => units.performanceCounters > 0;
  return [
    ...Array.from({ length: MAX_COUNTERS }, (_, n): MsrRow[] => {
      const has = (units: CpuUnits): boolean => units.performanceCounters > n;
      return [
        { index: 0xc1 + n, name: `IA32_PMC${n}`, slot: State.counter + 8 * n, reset: 0n, write: { kind: 'counter' }, has },
        // Event, unit mask, USR, OS, edge, pin control, interrupt, enable, invert, counter mask; bit 21 belongs to version 3.
        { index: 0x186 + n, name: `IA32_PERFEVTSEL${n}`, slot: State.counterSelect + 8 * n, reset: 0n, write: { kind: 'counting', mask: 0xffdf_ffffn }, has }, // prettier-ignore
      ];
    }).flat(),
    // Instructions, unhalted core cycles, unhalted reference cycles.
    ...[0, 1, 2].map(
      (n): MsrRow => ({ index: 0x309 + n, name: `IA32_FIXED_CTR${n}`, slot: State.counter + 8 * (MAX_COUNTERS + n), reset: 0n, write: { kind: 'wide-counter' }, has: monitored }), // prettier-ignore
    ),
    { index: 0x38d, name: 'IA32_FIXED_CTR_CTRL', slot: State.fixedCounterControl, reset: 0n, write: { kind: 'counting', mask: 0xbbbn }, has: monitored }, // prettier-ignore
    { index: 0x38e, name: 'IA32_PERF_GLOBAL_STATUS', slot: State.counterOverflow, reset: 0n, write: readOnly, has: monitored },
    {
      index: 0x38f,
      name: 'IA32_PERF_GLOBAL_CTRL',
      slot: State.perfGlobalCtrl,
      reset: 0n,
      write: { kind: 'counting-global' },
      has: monitored,
    },
    { index: 0x390, name: 'IA32_PERF_GLOBAL_OVF_CTRL', reset: 0n, write: { kind: 'clear-overflow' }, has: monitored },
  ];
};

export const msrTable: readonly MsrRow[] = [
  { index: 0x00, name: 'IA32_P5_MC_ADDR', reset: 0n, write: ignored },
  { index: 0x01, name: 'IA32_P5_MC_TYPE', reset: 0n, write: ignored },
  { index: Msr.IA32_TIME_STAMP_COUNTER, name: 'IA32_TIME_STAMP_COUNTER', reset: 0n, write: { kind: 'tsc' } },
  { index: 0x17, name: 'IA32_PLATFORM_ID', reset: 0n, write: readOnly },
  // Bootstrap processor, APIC disabled: the local APIC is not modelled yet.
  // Held by the local APIC.
  { index: Msr.IA32_APIC_BASE, name: 'IA32_APIC_BASE', reset: 0n, write: { kind: 'local-apic' } },
  { index: Msr.IA32_FEATURE_CONTROL, name: 'IA32_FEATURE_CONTROL', slot: State.featureControl, reset: 0n, write: { kind: 'feature-control' }, needs: ['vmx'] }, // prettier-ignore
  { index: 0x79, name: 'IA32_BIOS_UPDT_TRIG', reset: 0n, write: ignored },
  { index: 0x8b, name: 'IA32_BIOS_SIGN_ID', reset: 0n, write: ignored },
  // Eight variable ranges, the fixed ones, and the write-combining type.
  { index: 0xfe, name: 'IA32_MTRRCAP', reset: 0x500n | BigInt(VARIABLE_MTRRS), write: readOnly },
  ...mtrrRows(),
  ...machineCheckRows(),
  ...lastBranchRows(),
  ...performanceRows(),
  { index: Msr.IA32_SYSENTER_CS, name: 'IA32_SYSENTER_CS', slot: State.sysenterCs, reset: 0n, write: { kind: 'truncate', mask: WORD } },
  { index: Msr.IA32_SYSENTER_ESP, name: 'IA32_SYSENTER_ESP', slot: State.sysenterEsp, reset: 0n, write: canonical },
  { index: Msr.IA32_SYSENTER_EIP, name: 'IA32_SYSENTER_EIP', slot: State.sysenterEip, reset: 0n, write: canonical },
  // Fast strings on; branch trace storage and processor event based sampling unavailable.
  { index: Msr.IA32_MISC_ENABLE, name: 'IA32_MISC_ENABLE', slot: State.miscEnable, reset: 0x1801n, write: { kind: 'misc-enable' } },
  { index: Msr.IA32_DEBUGCTL, name: 'IA32_DEBUGCTL', slot: State.debugctl, reset: 0n, write: { kind: 'debugctl' } },
  { index: Msr.IA32_PAT, name: 'IA32_PAT', slot: State.pat, reset: 0x0007_0406_0007_0406n, write: { kind: 'pat' } },
  { index: 0x2ff, name: 'IA32_MTRR_DEF_TYPE', slot: Spare.mtrrDefType, reset: 0n, write: { kind: 'mtrr-def-type' } },
  { index: Msr.IA32_EFER, name: 'IA32_EFER', slot: State.efer, reset: 0n, write: { kind: 'efer' } },
  { index: Msr.IA32_STAR, name: 'IA32_STAR', slot: State.star, reset: 0n, write: { kind: 'mask', mask: QUAD }, needs: ['syscall'] },
  { index: Msr.IA32_LSTAR, name: 'IA32_LSTAR', slot: State.lstar, reset: 0n, write: canonical, needs: ['syscall'] },
  { index: Msr.IA32_CSTAR, name: 'IA32_CSTAR', slot: State.cstar, reset: 0n, write: canonical, needs: ['syscall'] },
  { index: Msr.IA32_FMASK, name: 'IA32_FMASK', slot: State.fmask, reset: 0n, write: { kind: 'mask', mask: WORD }, needs: ['syscall'] },
  { index: Msr.IA32_FS_BASE, name: 'IA32_FS_BASE', reset: 0n, write: { kind: 'fs-base' } },
  { index: Msr.IA32_GS_BASE, name: 'IA32_GS_BASE', reset: 0n, write: { kind: 'gs-base' } },
  { index: Msr.IA32_KERNEL_GS_BASE, name: 'IA32_KERNEL_GS_BASE', slot: State.kernelGsBase, reset: 0n, write: canonical },
  {
    index: Msr.IA32_TSC_AUX,
    name: 'IA32_TSC_AUX',
    slot: State.tscAux,
    reset: 0n,
    write: { kind: 'mask', mask: WORD },
    needs: ['rdtscp', 'rdpid'],
  },
];

const byIndex: ReadonlyMap<number, MsrRow> = new Map(msrTable.map((row) => [row.index, row]));
export const msrRow = (index: number): MsrRow | undefined => byIndex.get(index >>> 0);
