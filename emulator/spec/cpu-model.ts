/** CPU models by name: what CPUID, the capability MSRs and the reserved-bit checks follow (Not modelled yet: models other than the default). */
export interface CpuModel {
  readonly name: string;
  /** Physical-address width in bits (CPUID 80000008H). */
  readonly maxPhyAddr: number;
  readonly linearBits: 48 | 57;
  readonly features: ReadonlySet<CpuFeature>;
}
export type CpuFeature =
  | 'pcid' | 'invpcid' | 'smep' | 'smap' | 'umip' | 'pku' | 'la57' | 'fsgsbase' | 'rdpid' | 'rdrand' | 'rdseed' | 'monitor' | 'clflushopt' | 'clwb'
  | 'nx' | 'page1gb' | 'vmx' | 'ept' | 'unrestricted-guest' | 'vpid' | 'popcnt' | 'lzcnt' | 'bmi1' | 'bmi2' | 'adx' | 'crc32' | 'movbe' | 'syscall' | 'rdtscp' | 'cx16'; // prettier-ignore
