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
}

/** Features that models may lack, by the names that a launch configuration uses. Everything else that is built is always there. */
export const CPU_FEATURES = [
  // Paging and protection
  'nx', 'page1gb', 'pcid', 'invpcid', 'smep', 'smap', 'umip', 'pku', 'la57',
  // VMX
  'vmx', 'vmx-true-controls', 'ept', 'ept-ad', 'unrestricted-guest', 'vpid',
  // Instructions
  'cx16', 'syscall', 'rdtscp', 'rdpid', 'fsgsbase', 'monitor', 'movbe', 'popcnt', 'lzcnt', 'bmi1', 'bmi2', 'adx', 'crc32', 'rdrand', 'rdseed', 'clflushopt', 'clwb',
] as const; // prettier-ignore
export type CpuFeature = (typeof CPU_FEATURES)[number];

/** A feature cannot be there without these (SDM volume 3, appendix A "VMX Capability Reporting Facility", and what the features are made of). */
export const FEATURE_NEEDS: Readonly<Partial<Record<CpuFeature, readonly CpuFeature[]>>> = {
  'vmx-true-controls': ['vmx'],
  ept: ['vmx'],
  'ept-ad': ['ept'],
  'unrestricted-guest': ['ept'],
  vpid: ['vmx'],
  invpcid: ['pcid'],
};
