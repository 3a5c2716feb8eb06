/**
 * CPUID leaves by model (SDM volume 2, "CPUID—CPU Identification"). Only what is built is reported: no x87, MMX, SSE, AVX, XSAVE or APIC
 * bits. Not modelled: leaf 0DH (XSAVE is not built); leaves whose unit a model lacks answer zeros.
 */
import type { CacheLevel, CpuFeature, CpuModel } from './cpu-model';

export interface CpuidResult {
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}
/** Bits that follow the CPU's state at the time of the instruction. */
export interface CpuidContext {
  readonly code64: boolean;
  readonly osxsave: boolean;
  /** CR4.PKE; default false. */
  readonly ospke?: boolean;
  readonly initialApicId: number;
  /** x2APIC ID; default the initial one. */
  readonly x2ApicId?: number;
  /** The local APIC is not disabled by IA32_APIC_BASE; default false. */
  readonly apicPresent?: boolean;
  /** Logical processors of the machine, each a core of the one package; default 1. */
  readonly logicalProcessors?: number;
  /** IA32_MISC_ENABLE, default 0 but for MONITOR. */
  readonly miscEnable?: bigint;
}
/** IA32_MISC_ENABLE bits that CPUID follows. */
export const MiscEnable = {
  performanceMonitoring: 1n << 7n,
  fastStrings: 1n << 0n,
  monitor: 1n << 18n,
  limitCpuid: 1n << 22n,
  executeDisableOff: 1n << 34n,
} as const;
/** The highest basic leaf that is left with "Limit CPUID Maxval". */
const LIMITED_LEAF = 2;
/** The core crystal clock and the time-stamp counter run at 1 GHz: one tick is a nanosecond. */
const CRYSTAL_HZ = 1_000_000_000;
const BASE_MHZ = 1000;
const BUS_MHZ = 100;
/** Width of the performance counters, and the architectural events: unhalted core cycles, instructions, unhalted reference cycles; not the cache and branch events. */
export const COUNTER_BITS = 48;
const EVENTS = 7;
const EVENTS_MISSING = 0x78;
export const FIXED_COUNTERS = 3;
export const MAX_EXTENDED_LEAF = 0x80000008;

const BRAND = 'Nestscope virtual processor';

type Register = 'eax' | 'ebx' | 'ecx' | 'edx';
/** A feature bit: always reported (`feature` undefined) or when the model has the feature. */
interface FeatureBit {
  readonly leaf: number;
  readonly register: Register;
  readonly bit: number;
  readonly name: string;
  readonly feature?: CpuFeature;
}
export const cpuidFeatureBits: readonly FeatureBit[] = [
  { leaf: 1, register: 'ecx', bit: 3, name: 'MONITOR', feature: 'monitor' },
  { leaf: 1, register: 'ecx', bit: 5, name: 'VMX', feature: 'vmx' },
  { leaf: 1, register: 'ecx', bit: 13, name: 'CMPXCHG16B', feature: 'cx16' },
  { leaf: 1, register: 'ecx', bit: 17, name: 'PCID', feature: 'pcid' },
  { leaf: 1, register: 'ecx', bit: 21, name: 'x2APIC', feature: 'x2apic' },
  { leaf: 1, register: 'ecx', bit: 24, name: 'TSC-Deadline', feature: 'tsc-deadline' },
  { leaf: 1, register: 'ecx', bit: 22, name: 'MOVBE', feature: 'movbe' },
  { leaf: 1, register: 'ecx', bit: 23, name: 'POPCNT', feature: 'popcnt' },
  { leaf: 1, register: 'ecx', bit: 30, name: 'RDRAND', feature: 'rdrand' },
  { leaf: 1, register: 'edx', bit: 1, name: 'VME' },
  { leaf: 1, register: 'edx', bit: 2, name: 'DE' },
  { leaf: 1, register: 'edx', bit: 3, name: 'PSE' },
  { leaf: 1, register: 'edx', bit: 4, name: 'TSC' },
  { leaf: 1, register: 'edx', bit: 5, name: 'MSR' },
  { leaf: 1, register: 'edx', bit: 6, name: 'PAE' },
  { leaf: 1, register: 'edx', bit: 7, name: 'MCE' },
  { leaf: 1, register: 'edx', bit: 8, name: 'CX8' },
  { leaf: 1, register: 'edx', bit: 11, name: 'SEP' },
  { leaf: 1, register: 'edx', bit: 12, name: 'MTRR' },
  { leaf: 1, register: 'edx', bit: 13, name: 'PGE' },
  { leaf: 1, register: 'edx', bit: 14, name: 'MCA' },
  { leaf: 1, register: 'edx', bit: 15, name: 'CMOV' },
  { leaf: 1, register: 'edx', bit: 16, name: 'PAT' },
  { leaf: 1, register: 'edx', bit: 17, name: 'PSE-36' },
  { leaf: 1, register: 'edx', bit: 19, name: 'CLFSH' },
  { leaf: 7, register: 'ebx', bit: 0, name: 'FSGSBASE', feature: 'fsgsbase' },
  { leaf: 7, register: 'ebx', bit: 3, name: 'BMI1', feature: 'bmi1' },
  { leaf: 7, register: 'ebx', bit: 7, name: 'SMEP', feature: 'smep' },
  { leaf: 7, register: 'ebx', bit: 8, name: 'BMI2', feature: 'bmi2' },
  { leaf: 7, register: 'ebx', bit: 19, name: 'ADX', feature: 'adx' },
  { leaf: 7, register: 'ebx', bit: 10, name: 'INVPCID', feature: 'invpcid' },
  { leaf: 7, register: 'ebx', bit: 18, name: 'RDSEED', feature: 'rdseed' },
  { leaf: 7, register: 'ebx', bit: 20, name: 'SMAP', feature: 'smap' },
  { leaf: 7, register: 'ebx', bit: 23, name: 'CLFLUSHOPT', feature: 'clflushopt' },
  { leaf: 7, register: 'ebx', bit: 24, name: 'CLWB', feature: 'clwb' },
  { leaf: 7, register: 'ecx', bit: 2, name: 'UMIP', feature: 'umip' },
  { leaf: 7, register: 'ecx', bit: 3, name: 'PKU', feature: 'pku' },
  { leaf: 7, register: 'ecx', bit: 16, name: 'LA57', feature: 'la57' },
  { leaf: 7, register: 'ecx', bit: 22, name: 'RDPID', feature: 'rdpid' },
  { leaf: 0x80000001, register: 'ecx', bit: 0, name: 'LAHF-SAHF in 64-bit mode' },
  { leaf: 0x80000001, register: 'ecx', bit: 5, name: 'LZCNT', feature: 'lzcnt' },
  { leaf: 0x80000001, register: 'edx', bit: 20, name: 'Execute Disable', feature: 'nx' },
  { leaf: 0x80000001, register: 'edx', bit: 26, name: '1-GByte pages', feature: 'page1gb' },
  { leaf: 0x80000001, register: 'edx', bit: 27, name: 'RDTSCP', feature: 'rdtscp' },
  { leaf: 0x80000001, register: 'edx', bit: 29, name: 'Intel 64' },
  { leaf: 0x80000007, register: 'edx', bit: 8, name: 'Invariant TSC' },
];

function featureWord(model: CpuModel, leaf: number, register: Register): number {
  let word = 0;
  for (const b of cpuidFeatureBits)
    if (b.leaf === leaf && b.register === register && (!b.feature || model.features.has(b.feature))) word |= 1 << b.bit;
  return word;
}
/** Feature bits that software has switched off in IA32_MISC_ENABLE. */
function switchedOff(leaf: number, register: Register, miscEnable: bigint | undefined): number {
  if (miscEnable === undefined) return 0;
  if (leaf === 1 && register === 'ecx' && !(miscEnable & MiscEnable.monitor)) return 1 << 3;
  return leaf === 0x80000001 && register === 'edx' && miscEnable & MiscEnable.executeDisableOff ? 1 << 20 : 0;
}

const NOTHING: CpuidResult = { eax: 0, ebx: 0, ecx: 0, edx: 0 };
/** Bits that an APIC ID needs for so many cores. */
const idBits = (cores: number): number => Math.ceil(Math.log2(cores));

/** Leaf 4: the cache with this number; type 0 ends the list. */
function cacheLeaf(caches: readonly CacheLevel[], n: number, cores: number): CpuidResult {
  if (n >= caches.length) return NOTHING;
  const { level, kind, ways, sets, shared } = caches[n];
  const type = kind === 'data' ? 1 : kind === 'instruction' ? 2 : 3;
  const ids = 2 ** idBits(cores);
  // Self-initializing; identifiers of logical processors that share it, and of cores in the package, each less one.
  const eax = type | (level << 5) | (1 << 8) | ((shared ? ids - 1 : 0) << 14) | ((ids - 1) << 26);
  return { eax, ebx: 63 | ((ways - 1) << 22), ecx: sets - 1, edx: 0 };
}

/** Leaf 2: 01H, then a cache descriptor a byte. */
function descriptorLeaf(descriptors: readonly number[]): CpuidResult {
  const words = [1, 0, 0, 0];
  descriptors.forEach((d, n) => (words[(n + 1) >> 2] |= d << (8 * ((n + 1) & 3))));
  return { eax: words[0], ebx: words[1], ecx: words[2], edx: words[3] };
}

/** Leaf 0BH: one thread a core, the cores of one package. */
function topologyLeaf(subleaf: number, cores: number, x2ApicId: number): CpuidResult {
  if (subleaf === 0) return { eax: 0, ebx: 1, ecx: (1 << 8) | subleaf, edx: x2ApicId };
  if (subleaf === 1) return { eax: idBits(cores), ebx: cores, ecx: (2 << 8) | subleaf, edx: x2ApicId };
  return { eax: 0, ebx: 0, ecx: subleaf & 0xff, edx: x2ApicId };
}

/** Leaf 80000006H: the level-2 cache, its ways in the leaf's own code. */
function level2Leaf(caches: readonly CacheLevel[]): CpuidResult {
  const second = caches.find((c) => c.level === 2);
  if (second === undefined) return NOTHING;
  const { ways, sets } = second;
  const code = ways >= 16 ? 8 : ways >= 8 ? 6 : 4;
  return { ...NOTHING, ecx: 64 | (code << 12) | (((ways * sets * 64) / 1024) << 16) };
}

/** Four bytes of text, little-endian. */
function text(s: string, at: number): number {
  let word = 0;
  for (let i = 3; i >= 0; i--) word = (word << 8) | (s.charCodeAt(at + i) || 0);
  return word;
}

/** What CPUID gives for EAX = leaf, ECX = subleaf; registers as signed or unsigned 32-bit words. */
export function cpuid(model: CpuModel, leafAsked: number, subleaf: number, context: CpuidContext): CpuidResult {
  let leaf = leafAsked >>> 0;
  const { units } = model;
  const { miscEnable } = context;
  const highest = miscEnable !== undefined && miscEnable & MiscEnable.limitCpuid ? LIMITED_LEAF : units.maxBasicLeaf;
  // A leaf above the highest of its range answers as the highest basic leaf does ("CPUID", Input Limits).
  if ((leaf > highest && leaf < 0x80000000) || leaf > MAX_EXTENDED_LEAF) leaf = highest;
  const word = (register: Register): number => featureWord(model, leaf, register) & ~switchedOff(leaf, register, miscEnable);
  const cores = context.logicalProcessors ?? 1;
  switch (leaf) {
    case 0:
      return { eax: highest, ebx: text('Genu', 0), edx: text('ineI', 0), ecx: text('ntel', 0) };
    case 1:
      return {
        eax: model.signature,
        // CLFLUSH line of 8 quadwords; logical processors that the package can have.
        ebx: (8 << 8) | ((2 ** idBits(cores)) << 16) | (context.initialApicId << 24),
        ecx: word('ecx') | (context.osxsave ? 1 << 27 : 0),
        edx: word('edx') | (context.apicPresent ? 1 << 9 : 0) | (cores > 1 ? 1 << 28 : 0),
      };
    case 2:
      return descriptorLeaf(units.cacheDescriptors);
    case 4:
      return cacheLeaf(units.caches, subleaf, cores);
    case 5:
      // Lines of 64 bytes; extensions enumerated, interrupts break MWAIT although they are masked.
      return model.features.has('monitor') ? { eax: 64, ebx: 64, ecx: 3, edx: 0 } : NOTHING;
    case 6:
      // The APIC timer runs always (ARAT).
      return { ...NOTHING, eax: 1 << 2 };
    case 0xa:
      return units.performanceCounters === 0
        ? NOTHING
        : { eax: 2 | (units.performanceCounters << 8) | (COUNTER_BITS << 16) | (EVENTS << 24), ebx: EVENTS_MISSING, ecx: 0, edx: FIXED_COUNTERS | (COUNTER_BITS << 5) }; // prettier-ignore
    case 0xb:
      return topologyLeaf(subleaf, cores, context.x2ApicId ?? context.initialApicId);
    case 0x15:
      return { eax: 1, ebx: 1, ecx: CRYSTAL_HZ, edx: 0 };
    case 0x16:
      return { eax: BASE_MHZ, ebx: BASE_MHZ, ecx: BUS_MHZ, edx: 0 };
    case 7:
      return subleaf === 0 ? { eax: 0, ebx: word('ebx'), ecx: word('ecx') | (context.ospke ? 1 << 4 : 0), edx: word('edx') } : NOTHING;
    case 0x80000000:
      return { eax: MAX_EXTENDED_LEAF, ebx: 0, ecx: 0, edx: 0 };
    case 0x80000001:
      // SYSCALL and SYSRET are reported in 64-bit mode only.
      return { eax: 0, ebx: 0, ecx: word('ecx'), edx: word('edx') | (context.code64 && model.features.has('syscall') ? 1 << 11 : 0) };
    case 0x80000002:
    case 0x80000003:
    case 0x80000004: {
      const at = (leaf - 0x80000002) * 16;
      return { eax: text(BRAND, at), ebx: text(BRAND, at + 4), ecx: text(BRAND, at + 8), edx: text(BRAND, at + 12) };
    }
    case 0x80000006:
      return level2Leaf(units.caches);
    case 0x80000007:
      return { eax: 0, ebx: 0, ecx: 0, edx: word('edx') };
    case 0x80000008:
      return { eax: model.maxPhyAddr | (model.linearBits << 8), ebx: 0, ecx: 0, edx: 0 };
    default:
      return NOTHING;
  }
}
