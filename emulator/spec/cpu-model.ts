/** A CPU model as data: what CPUID, the capability MSRs and the reserved-bit checks follow. The models by name are in cpu-models. */
export interface CpuModel {
  readonly name: string;
  /** Family, model and stepping as CPUID leaf 1 gives them in EAX. */
  readonly signature: number;
  /** Physical-address width in bits (CPUID 80000008H). */
  readonly maxPhyAddr: number;
  /** 57 with the feature `la57`. */
  readonly linearBits: 48 | 57;
  readonly features: ReadonlySet<CpuFeature>;
  readonly units: CpuUnits;
}

/** A cache as CPUID leaf 4 describes it. Nothing is cached here: software asks, and wants an answer that fits the model. */
export interface CacheLevel {
  readonly level: 1 | 2 | 3;
  readonly kind: 'data' | 'instruction' | 'unified';
  readonly ways: number;
  readonly sets: number;
  /** All cores of the package share it. */
  readonly shared: boolean;
}

/** What a model has a number of. */
export interface CpuUnits {
  /** Highest basic CPUID leaf. */
  readonly maxBasicLeaf: number;
  readonly caches: readonly CacheLevel[];
  /** Cache descriptors of CPUID leaf 2. */
  readonly cacheDescriptors: readonly number[];
  readonly machineCheckBanks: number;
  /** Entries of the last-branch record stack, 0: there is none. */
  readonly lastBranches: 0 | 4 | 16 | 32;
  /** General-purpose performance counters, 0: no architectural performance monitoring. */
  readonly performanceCounters: 0 | 2 | 4;
}

/** Features that models may lack, by the names that a launch configuration uses. Everything else that is built is always there. */
export const CPU_FEATURES = [
  // Paging and protection
  'nx', 'page1gb', 'pcid', 'invpcid', 'smep', 'smap', 'umip', 'pku', 'la57',
  // VMX
  'vmx', 'vmx-true-controls', 'ept', 'ept-ad', 'unrestricted-guest', 'vpid', 'ept-violation-details', 'mode-based-execute', 'pml', 'ept-ve', 'vmfunc', 'vmcs-shadowing', 'preemption-timer', 'pause-loop-exiting', 'tsc-scaling', 'virtual-x2apic', 'apicv', 'posted-interrupts', 'zero-length-injection',
  // Instructions
  'cx16', 'syscall', 'rdtscp', 'rdpid', 'fsgsbase', 'monitor', 'x2apic', 'tsc-deadline', 'movbe', 'popcnt', 'lzcnt', 'bmi1', 'bmi2', 'adx', 'crc32', 'rdrand', 'rdseed', 'clflushopt', 'clwb',
] as const; // prettier-ignore
export type CpuFeature = (typeof CPU_FEATURES)[number];

/** A feature cannot be there without these (SDM volume 3, appendix A "VMX Capability Reporting Facility", and what the features are made of). */
export const FEATURE_NEEDS: Readonly<Partial<Record<CpuFeature, readonly CpuFeature[]>>> = {
  'vmx-true-controls': ['vmx'],
  ept: ['vmx'],
  'ept-ad': ['ept'],
  'unrestricted-guest': ['ept'],
  'ept-violation-details': ['ept'],
  'mode-based-execute': ['ept'],
  pml: ['ept-ad'],
  'ept-ve': ['ept'],
  vmfunc: ['ept'],
  'vmcs-shadowing': ['vmx'],
  'preemption-timer': ['vmx'],
  'pause-loop-exiting': ['vmx'],
  'tsc-scaling': ['vmx'],
  'virtual-x2apic': ['vmx'],
  apicv: ['virtual-x2apic'],
  'posted-interrupts': ['apicv'],
  'zero-length-injection': ['vmx'],
  vpid: ['vmx'],
  invpcid: ['pcid'],
};
