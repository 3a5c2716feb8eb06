/** The CPU models that can be chosen by name. A model lists only what is built, so it shows less than its namesake has. */
import { UserError } from '../user-error';
import type { CpuFeature, CpuModel } from './cpu-model';

const skylakeServer: CpuModel = {
  name: 'skylake-server',
  maxPhyAddr: 46,
  linearBits: 48,
  features: new Set<CpuFeature>(['nx', 'page1gb', 'vmx', 'ept', 'unrestricted-guest', 'vpid', 'syscall', 'rdtscp', 'popcnt', 'lzcnt', 'bmi1', 'bmi2', 'adx', 'crc32', 'movbe', 'cx16']),
};

export const cpuModels: Readonly<Record<string, CpuModel>> = { 'skylake-server': skylakeServer };
export const defaultCpuModel: CpuModel = skylakeServer;

export function cpuModelNamed(name: string): CpuModel {
  const model = Object.hasOwn(cpuModels, name) ? cpuModels[name] : undefined;
  if (!model) throw new UserError(`unknown CPU model "${name}": expected one of ${Object.keys(cpuModels).join(', ')}`, 'cpu-model-unknown');
  return model;
}
