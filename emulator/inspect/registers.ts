/** Registers by name, as debuggers show and set them. */
import type { Cpu } from '../cpu/cpu';
import { GPR_NAMES, SEGMENT_NAMES, State } from '../spec/vcpu-state';
import { UserError } from '../user-error';

/** 64-bit state slots by name. */
const SLOTS: Readonly<Record<string, number>> = {
  cr0: State.cr0, cr2: State.cr2, cr3: State.cr3, cr4: State.cr4, efer: State.efer, star: State.star, lstar: State.lstar, cstar: State.cstar, fmask: State.fmask,
  kernel_gs_base: State.kernelGsBase, sysenter_cs: State.sysenterCs, sysenter_esp: State.sysenterEsp, sysenter_eip: State.sysenterEip, pat: State.pat, feature_control: State.featureControl,
  debugctl: State.debugctl, tsc_aux: State.tscAux, gdtr_base: State.gdtrBase, idtr_base: State.idtrBase,
  ...Object.fromEntries([0, 1, 2, 3, 6, 7].map((n) => [`dr${n}`, State.dr + 8 * n])),
}; // prettier-ignore
/** What the local APIC holds. */
const CONTROLLER: Readonly<Record<string, (cpu: Cpu) => bigint>> = {
  cr8: (cpu) => BigInt(cpu.controller?.readCr8(cpu.index) ?? 0),
  apic_base: (cpu) => cpu.controller?.apicBase(cpu.index) ?? 0n,
};
/** Control state that a user may not set directly: it would not pass the checks that the instructions make. */
const READ_ONLY = new Set(['cr0', 'cr3', 'cr4', 'efer', ...SEGMENT_NAMES]);

export function registerNames(): string[] {
  return [
    ...GPR_NAMES,
    'rip',
    'rflags',
    ...SEGMENT_NAMES,
    ...SEGMENT_NAMES.flatMap((s) => [`${s}_base`, `${s}_limit`, `${s}_access`]),
    'gdtr_limit',
    'idtr_limit',
    ...Object.keys(SLOTS),
    ...Object.keys(CONTROLLER),
    'cpl',
  ];
}

export function readRegister(cpu: Cpu, name: string): bigint | undefined {
  const gpr = (GPR_NAMES as readonly string[]).indexOf(name);
  if (gpr >= 0) return cpu.gpr(gpr);
  if (name === 'rip') return cpu.rip;
  if (name === 'rflags') return BigInt(cpu.flags >>> 0);
  if (name === 'cpl') return BigInt(cpu.cpl);
  if (name === 'gdtr_limit') return BigInt(cpu.get32(State.gdtrLimit));
  if (name === 'idtr_limit') return BigInt(cpu.get32(State.idtrLimit));
  if (Object.hasOwn(SLOTS, name)) return cpu.get64(SLOTS[name]);
  if (Object.hasOwn(CONTROLLER, name)) return CONTROLLER[name](cpu);
  const [segment, part] = name.split('_');
  const n = (SEGMENT_NAMES as readonly string[]).indexOf(segment);
  if (n < 0) return undefined;
  if (part === undefined) return BigInt(cpu.segmentSelector(n));
  if (part === 'base') return cpu.segmentBase(n);
  if (part === 'limit') return BigInt(cpu.segmentLimit(n));
  return part === 'access' ? BigInt(cpu.segmentAccess(n)) : undefined;
}

export function writeRegister(cpu: Cpu, name: string, value: bigint): void {
  if (value < 0n || value > 0xffff_ffff_ffff_ffffn)
    throw new UserError(`${name} takes a value of 64 bits, not ${value.toString(16)}`, 'register-value');
  const gpr = (GPR_NAMES as readonly string[]).indexOf(name);
  if (gpr >= 0) cpu.setGpr(gpr, value);
  else if (name === 'rip') cpu.rip = value;
  else if (name === 'rflags') {
    cpu.flags = Number(value & 0xffffffffn) | 0;
    cpu.modeChanged();
  } else if (name === 'cr8' && value < 16n) cpu.controller?.writeCr8(cpu.index, Number(value));
  else if (Object.hasOwn(SLOTS, name) && !READ_ONLY.has(name)) cpu.set64(SLOTS[name], value);
  else if (readRegister(cpu, name) === undefined) throw new UserError(`there is no register named ${name}`, 'register-unknown');
  else
    throw new UserError(`${name} cannot be set here: change it in the guest, where the processor checks the value`, 'register-read-only');
}
