/**
 * The CPU models that can be chosen by name, and the text that chooses one and switches features: 'haswell', 'penryn,+popcnt',
 * 'haswell,-ept,+la57,maxphyaddr=40'. A model lists only what is built, so it shows less than its namesake has.
 */
import { UserError } from '../user-error';
import { type CacheLevel, CPU_FEATURES, type CpuFeature, type CpuModel, type CpuUnits, FEATURE_NEEDS } from './cpu-model';

function model(name: string, signature: number, maxPhyAddr: number, features: readonly CpuFeature[], units: CpuUnits): CpuModel {
  const set = new Set(features);
  return { name, signature, maxPhyAddr, linearBits: set.has('la57') ? 57 : 48, features: set, units };
}

const LINE = 64;
const cache = (level: 1 | 2 | 3, kind: CacheLevel['kind'], kib: number, ways: number, shared = false): CacheLevel => ({
  level,
  kind,
  ways,
  sets: (kib * 1024) / (ways * LINE),
  shared,
});
const level1 = [cache(1, 'data', 32, 8), cache(1, 'instruction', 32, 8)];
/** "Encoding of CPUID Leaf 2 Descriptors": 2CH and 30H are the level-1 caches above, F0H 64-byte prefetching, FFH says that leaf 4 has it all. */
const units = {
  // 7DH: level 2 of 2 MiB, 8 ways.
  qemu64: { maxBasicLeaf: 7, caches: [...level1, cache(2, 'unified', 2048, 8)], cacheDescriptors: [0x7d, 0x30, 0x2c], machineCheckBanks: 4, lastBranches: 0, performanceCounters: 0 },
  // 4EH: level 2 of 6 MiB, 24 ways.
  penryn: { maxBasicLeaf: 0xa, caches: [...level1, cache(2, 'unified', 6144, 24, true)], cacheDescriptors: [0x4e, 0x30, 0x2c, 0xf0], machineCheckBanks: 6, lastBranches: 4, performanceCounters: 2 },
  haswell: { maxBasicLeaf: 0xd, caches: [...level1, cache(2, 'unified', 256, 8), cache(3, 'unified', 8192, 16, true)], cacheDescriptors: [0xff, 0xf0], machineCheckBanks: 9, lastBranches: 16, performanceCounters: 4 },
  'skylake-server': { maxBasicLeaf: 0x16, caches: [...level1, cache(2, 'unified', 1024, 16), cache(3, 'unified', 14080, 11, true)], cacheDescriptors: [0xff, 0xf0], machineCheckBanks: 20, lastBranches: 32, performanceCounters: 4 },
} satisfies Record<string, CpuUnits>; // prettier-ignore

/** The least that a processor with Intel 64 has. */
const intel64: readonly CpuFeature[] = ['nx', 'cx16', 'syscall'];
const penryn: readonly CpuFeature[] = [...intel64, 'monitor', 'vmx'];
const haswell: readonly CpuFeature[] = [
  ...penryn, 'vmx-true-controls', 'ept', 'ept-ad', 'unrestricted-guest', 'vpid', 'page1gb', 'pcid', 'invpcid', 'smep', 'fsgsbase',
  'x2apic', 'tsc-deadline', 'vmfunc', 'vmcs-shadowing', 'preemption-timer', 'pause-loop-exiting', 'virtual-x2apic', 'rdtscp', 'movbe', 'popcnt', 'lzcnt', 'bmi1', 'bmi2', 'crc32', 'rdrand',
]; // prettier-ignore
const skylakeServer: readonly CpuFeature[] = [
  ...haswell,
  'mode-based-execute',
  'tsc-scaling',
  'apicv',
  'posted-interrupts',
  'zero-length-injection',
  'pml',
  'ept-ve',
  'smap',
  'pku',
  'adx',
  'rdseed',
  'clflushopt',
  'clwb',
];

export const cpuModels: Readonly<Record<string, CpuModel>> = {
  // Family 15, model 6, stepping 1: a 64-bit processor without virtualization.
  qemu64: model('qemu64', 0x00000f61, 40, intel64, units.qemu64),
  penryn: model('penryn', 0x0001067a, 40, penryn, units.penryn),
  haswell: model('haswell', 0x000306c3, 39, haswell, units.haswell),
  'skylake-server': model('skylake-server', 0x00050654, 46, skylakeServer, units['skylake-server']),
};
export const defaultCpuModel: CpuModel = cpuModels['skylake-server'];

const PHYSICAL_BITS = /^maxphyaddr=(\d+)$/;
const isFeature = (name: string): name is CpuFeature => (CPU_FEATURES as readonly string[]).includes(name);

/** All features that cannot be there without `feature`. */
function dependents(feature: CpuFeature): CpuFeature[] {
  const direct = CPU_FEATURES.filter((f) => FEATURE_NEEDS[f]?.includes(feature));
  return [...direct, ...direct.flatMap(dependents)];
}

interface Switches {
  readonly on: Set<CpuFeature>;
  readonly off: Set<CpuFeature>;
  maxPhyAddr: number | undefined;
}

function readSwitch(text: string, part: string, to: Switches): void {
  const bits = PHYSICAL_BITS.exec(part);
  if (bits) {
    const width = Number(bits[1]);
    if (width < 36 || width > 52)
      throw new UserError(`CPU model "${text}": a physical-address width of ${width} bits is outside 36 to 52`, 'cpu-model-mix');
    to.maxPhyAddr = width;
    return;
  }
  const name = part.slice(1);
  if ((part[0] !== '+' && part[0] !== '-') || !isFeature(name))
    throw new UserError(
      `CPU model "${text}": "${part}" switches no feature; write +name or -name with one of ${CPU_FEATURES.join(', ')}, or maxphyaddr=N`,
      'cpu-feature-unknown',
    );
  const [here, other] = part[0] === '+' ? [to.on, to.off] : [to.off, to.on];
  if (other.has(name)) throw new UserError(`CPU model "${text}": ${name} is switched both on and off`, 'cpu-model-mix');
  here.add(name);
}

/**
 * The model that a text asks for. Switching a feature off takes away what needs it; asking for a feature without what it needs is refused.
 * Throws UserError for unknown models and features and for impossible mixes.
 */
export function cpuModelNamed(text: string): CpuModel {
  const [name, ...parts] = text.split(',').map((part) => part.trim());
  const base = Object.hasOwn(cpuModels, name) ? cpuModels[name] : undefined;
  if (!base) throw new UserError(`unknown CPU model "${name}": expected one of ${Object.keys(cpuModels).join(', ')}`, 'cpu-model-unknown');
  if (parts.length === 0) return base;
  const switches: Switches = { on: new Set(), off: new Set(), maxPhyAddr: undefined };
  for (const part of parts) readSwitch(text, part, switches);
  const features = new Set(base.features);
  for (const feature of switches.off) for (const gone of [feature, ...dependents(feature)]) features.delete(gone);
  for (const feature of switches.on) features.add(feature);
  for (const feature of features)
    for (const needed of FEATURE_NEEDS[feature] ?? [])
      if (!features.has(needed)) {
        const why = switches.off.has(needed) ? `${needed} is switched off` : `the model ${name} has no ${needed}`;
        throw new UserError(`CPU model "${text}": ${feature} needs ${needed}, but ${why}`, 'cpu-model-mix');
      }
  return { ...model(name, base.signature, switches.maxPhyAddr ?? base.maxPhyAddr, [...features], base.units), name: text };
}
