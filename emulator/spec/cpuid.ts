/**
 * CPUID leaves by model (SDM volume 2, "CPUID—CPU Identification"). Only what is built is reported: no x87, MMX, SSE, AVX, XSAVE or APIC
 * bits. Not modelled: leaves above 7, cache and topology leaves (their features are absent too).
 */
import type { CpuFeature, CpuModel } from './cpu-model';

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
}
export const MAX_BASIC_LEAF = 7;
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

/** Four bytes of text, little-endian. */
function text(s: string, at: number): number {
  let word = 0;
  for (let i = 3; i >= 0; i--) word = (word << 8) | (s.charCodeAt(at + i) || 0);
  return word;
}

/** What CPUID gives for EAX = leaf, ECX = subleaf; registers as signed or unsigned 32-bit words. */
export function cpuid(model: CpuModel, leafAsked: number, subleaf: number, context: CpuidContext): CpuidResult {
  let leaf = leafAsked >>> 0;
  // A leaf above the highest of its range answers as the highest basic leaf does ("CPUID", Input Limits).
  if ((leaf > MAX_BASIC_LEAF && leaf < 0x80000000) || leaf > MAX_EXTENDED_LEAF) leaf = MAX_BASIC_LEAF;
  const word = (register: Register): number => featureWord(model, leaf, register);
  switch (leaf) {
    case 0:
      return { eax: MAX_BASIC_LEAF, ebx: text('Genu', 0), edx: text('ineI', 0), ecx: text('ntel', 0) };
    case 1:
      return {
        eax: model.signature,
        // CLFLUSH line of 8 quadwords; one logical processor.
        ebx: (8 << 8) | (1 << 16) | (context.initialApicId << 24),
        ecx: word('ecx') | (context.osxsave ? 1 << 27 : 0),
        edx: word('edx'),
      };
    case 5:
      // Lines of 64 bytes; extensions enumerated, interrupts break MWAIT although they are masked.
      return model.features.has('monitor') ? { eax: 64, ebx: 64, ecx: 3, edx: 0 } : { eax: 0, ebx: 0, ecx: 0, edx: 0 };
    case 7:
      return subleaf === 0
        ? { eax: 0, ebx: word('ebx'), ecx: word('ecx') | (context.ospke ? 1 << 4 : 0), edx: word('edx') }
        : { eax: 0, ebx: 0, ecx: 0, edx: 0 };
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
    case 0x80000007:
      return { eax: 0, ebx: 0, ecx: 0, edx: word('edx') };
    case 0x80000008:
      return { eax: model.maxPhyAddr | (model.linearBits << 8), ebx: 0, ecx: 0, edx: 0 };
    default:
      return { eax: 0, ebx: 0, ecx: 0, edx: 0 };
  }
}
