/** CPU models by name: what CPUID, the capability MSRs and the reserved-bit checks follow (Not modelled yet: models other than the default). */
export interface CpuModel {
  readonly name: string;
  /** Physical-address width in bits (CPUID 80000008H). */
  readonly maxPhyAddr: number;
  readonly linearBits: 48 | 57;
  readonly features: ReadonlySet<CpuFeature>;
}
export type CpuFeature =
  | 'nx' | 'page1gb' | 'vmx' | 'ept' | 'unrestricted-guest' | 'vpid' | 'smep' | 'smap' | 'pcid' | 'popcnt' | 'lzcnt' | 'bmi1' | 'movbe' | 'syscall' | 'rdtscp' | 'fsgsbase' | 'umip' | 'cx16'; // prettier-ignore
