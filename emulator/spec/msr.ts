/**
 * Model-specific registers that exist here (SDM volume 4, "Architectural MSRs"): index, name, where the value lives and what a write may
 * hold. The VMX capability MSRs (480H..) are answered by vmx/. Any other index is #GP(0), as on hardware.
 */
import type { CpuFeature } from './cpu-model';
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
  | {
      readonly kind:
        'tsc' | 'efer' | 'local-apic' | 'feature-control' | 'pat' | 'misc-enable' | 'debugctl' | 'mtrr-def-type' | 'mtrr-base' | 'mtrr-mask' | 'mtrr-fixed' | 'fs-base' | 'gs-base'; // prettier-ignore
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
}

const WORD = 0xffff_ffffn;
const QUAD = 0xffff_ffff_ffff_ffffn;
const readOnly: MsrWrite = { kind: 'read-only' };
const ignored: MsrWrite = { kind: 'ignored' };
const canonical: MsrWrite = { kind: 'canonical' };

export const Msr = {
  IA32_TIME_STAMP_COUNTER: 0x10,
  IA32_APIC_BASE: 0x1b,
  IA32_FEATURE_CONTROL: 0x3a,
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
const Spare = { mtrrDefType: State.spareMsr, mcgStatus: State.spareMsr + 8, mcControl: State.spareMsr + 16 } as const;

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

/** Machine-check banks. No machine check is ever reported, so that status, address and miscellaneous registers hold 0 and take nothing else. */
const MC_BANKS = 4;
const onlyZero: MsrWrite = { kind: 'mask', mask: 0n };
const machineCheckRows = (): MsrRow[] => [
  // Number of banks; no IA32_MCG_CTL.
  { index: 0x179, name: 'IA32_MCG_CAP', reset: BigInt(MC_BANKS), write: readOnly },
  { index: 0x17a, name: 'IA32_MCG_STATUS', slot: Spare.mcgStatus, reset: 0n, write: { kind: 'mask', mask: 7n } },
  ...Array.from({ length: MC_BANKS }, (_, n): MsrRow[] => [
    { index: 0x400 + 4 * n, name: `IA32_MC${n}_CTL`, slot: Spare.mcControl + 8 * n, reset: 0n, write: { kind: 'mask', mask: QUAD } },
    { index: 0x401 + 4 * n, name: `IA32_MC${n}_STATUS`, reset: 0n, write: onlyZero },
    { index: 0x402 + 4 * n, name: `IA32_MC${n}_ADDR`, reset: 0n, write: onlyZero },
    { index: 0x403 + 4 * n, name: `IA32_MC${n}_MISC`, reset: 0n, write: onlyZero },
  ]).flat(),
];

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
