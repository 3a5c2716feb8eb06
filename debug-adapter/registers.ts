/**
 * The registers of one stack frame. Hardware keeps whole registers for the running level only: of a guest that has just exited, and of the
 * hypervisor under a running guest, the VMCS holds some; what nobody holds is unknown (SDM volume 3, "Guest-State Area", "Host-State Area").
 */
import type { CpuView, Level } from '../emulator/api';
import { expressionErrors } from './errors';

export interface FrameRegisters {
  readonly level: Level;
  /** The frame's registers are the processor's own, and can be set. */
  readonly live: boolean;
  /** Lower-case names that have a value here. */
  names(): readonly string[];
  get(name: string): bigint | undefined;
  set(name: string, value: bigint): void;
}

export const GENERAL_REGISTERS = [
  'rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rbp', 'rsp', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15', 'rip',
] as const; // prettier-ignore

/** Part of a register under a name of its own: eax is bits 31:0 of rax. */
export interface RegisterPart {
  readonly whole: string;
  readonly shift: number;
  readonly bits: number;
}

function partsTable(): ReadonlyMap<string, RegisterPart> {
  const parts = new Map<string, RegisterPart>();
  for (const letter of ['a', 'b', 'c', 'd']) {
    const whole = `r${letter}x`;
    parts.set(`e${letter}x`, { whole, shift: 0, bits: 32 });
    parts.set(`${letter}x`, { whole, shift: 0, bits: 16 });
    parts.set(`${letter}l`, { whole, shift: 0, bits: 8 });
    parts.set(`${letter}h`, { whole, shift: 8, bits: 8 });
  }
  for (const name of ['si', 'di', 'bp', 'sp']) {
    parts.set(`e${name}`, { whole: `r${name}`, shift: 0, bits: 32 });
    parts.set(name, { whole: `r${name}`, shift: 0, bits: 16 });
    parts.set(`${name}l`, { whole: `r${name}`, shift: 0, bits: 8 });
  }
  for (let number = 8; number <= 15; number++) {
    parts.set(`r${number}d`, { whole: `r${number}`, shift: 0, bits: 32 });
    parts.set(`r${number}w`, { whole: `r${number}`, shift: 0, bits: 16 });
    parts.set(`r${number}b`, { whole: `r${number}`, shift: 0, bits: 8 });
  }
  parts.set('eip', { whole: 'rip', shift: 0, bits: 32 });
  parts.set('eflags', { whole: 'rflags', shift: 0, bits: 32 });
  return parts;
}
export const REGISTER_PARTS: ReadonlyMap<string, RegisterPart> = partsTable();

/** RFLAGS by bit (SDM volume 1, "EFLAGS Register"), most useful first. */
export const FLAG_BITS: readonly { readonly name: string; readonly shift: number; readonly bits: number; readonly meaning: string }[] = [
  { name: 'CF', shift: 0, bits: 1, meaning: 'carry' },
  { name: 'PF', shift: 2, bits: 1, meaning: 'parity' },
  { name: 'AF', shift: 4, bits: 1, meaning: 'auxiliary carry' },
  { name: 'ZF', shift: 6, bits: 1, meaning: 'zero' },
  { name: 'SF', shift: 7, bits: 1, meaning: 'sign' },
  { name: 'OF', shift: 11, bits: 1, meaning: 'overflow' },
  { name: 'DF', shift: 10, bits: 1, meaning: 'direction' },
  { name: 'IF', shift: 9, bits: 1, meaning: 'interrupts enabled' },
  { name: 'TF', shift: 8, bits: 1, meaning: 'trap after each instruction' },
  { name: 'IOPL', shift: 12, bits: 2, meaning: 'I/O privilege level' },
  { name: 'NT', shift: 14, bits: 1, meaning: 'nested task' },
  { name: 'RF', shift: 16, bits: 1, meaning: 'resume' },
  { name: 'VM', shift: 17, bits: 1, meaning: 'virtual-8086 mode' },
  { name: 'AC', shift: 18, bits: 1, meaning: 'alignment check / SMAP access' },
  { name: 'VIF', shift: 19, bits: 1, meaning: 'virtual interrupt' },
  { name: 'VIP', shift: 20, bits: 1, meaning: 'virtual interrupt pending' },
  { name: 'ID', shift: 21, bits: 1, meaning: 'CPUID can be used' },
];

/** ZF PF IF: the flags that are set. */
export function flagsInWords(rflags: bigint): string {
  const set = FLAG_BITS.flatMap(({ name, shift, bits }) => {
    const value = Number((rflags >> BigInt(shift)) & ((1n << BigInt(bits)) - 1n));
    return value === 0 ? [] : [bits > 1 ? `${name}=${value}` : name];
  });
  return set.join(' ');
}

const SEGMENTS = new Set(['cs', 'ss', 'ds', 'es', 'fs', 'gs', 'tr', 'ldtr', 'gdtr', 'idtr']);
const CONTROL = /^(cr\d+|dr\d+|xcr0|efer|cpl)$/;

export type RegisterGroup = 'general' | 'flags' | 'segment' | 'control' | 'msr';
/** Which scope shows a register; cs_base and the like belong to their segment. */
export function groupOf(name: string): RegisterGroup {
  if (name === 'rflags') return 'flags';
  if ((GENERAL_REGISTERS as readonly string[]).includes(name)) return 'general';
  if (SEGMENTS.has(name.split('_')[0]!)) return 'segment';
  if (CONTROL.test(name)) return 'control';
  return 'msr';
}

/** The running level. */
export function liveRegisters(cpu: CpuView): FrameRegisters {
  return withParts({
    level: cpu.level,
    live: true,
    names: () => cpu.registerNames(),
    get: (name) => cpu.register(name),
    set: (name, value) => cpu.setRegister(name, value),
  });
}

/** VMCS fields by register, for a guest (prefix GUEST_) and for a hypervisor (prefix HOST_). */
const FIELDS: Readonly<Record<string, string>> = {
  rip: 'RIP',
  rsp: 'RSP',
  rflags: 'RFLAGS',
  cr0: 'CR0',
  cr3: 'CR3',
  cr4: 'CR4',
  dr7: 'DR7',
  cs: 'CS_SELECTOR',
  ss: 'SS_SELECTOR',
  ds: 'DS_SELECTOR',
  es: 'ES_SELECTOR',
  fs: 'FS_SELECTOR',
  gs: 'GS_SELECTOR',
  ldtr: 'LDTR_SELECTOR',
  tr: 'TR_SELECTOR',
  fs_base: 'FS_BASE',
  gs_base: 'GS_BASE',
  gdtr_base: 'GDTR_BASE',
  idtr_base: 'IDTR_BASE',
  efer: 'IA32_EFER',
  pat: 'IA32_PAT',
};

export interface VmcsReader {
  field(name: string): bigint | undefined;
}

/** A guest whose exit has been committed: state from the guest-state area; the general registers but RSP are still in the processor. */
export function exitedGuestRegisters(cpu: CpuView, vmcs: VmcsReader, rip: bigint): FrameRegisters {
  const inProcessor = (name: string): boolean =>
    (GENERAL_REGISTERS as readonly string[]).includes(name) && name !== 'rip' && name !== 'rsp';
  return heldByVmcs(
    2,
    'GUEST_',
    vmcs,
    rip,
    (name) => (inProcessor(name) ? cpu.register(name) : undefined),
    GENERAL_REGISTERS.filter(inProcessor),
  );
}

/** A hypervisor under a running guest: what the next VM exit will load. */
export function hostRegisters(vmcs: VmcsReader, rip: bigint): FrameRegisters {
  return heldByVmcs(1, 'HOST_', vmcs, rip, () => undefined, []);
}

/** A caller further up the stack: of its registers only these are known. */
export function callerRegisters(level: Level, known: Readonly<Record<string, bigint>>): FrameRegisters {
  return withParts({
    level,
    live: false,
    names: () => Object.keys(known),
    get: (name) => (Object.hasOwn(known, name) ? known[name] : undefined),
    set: (name) => {
      throw expressionErrors.registerReadOnly(name);
    },
  });
}

function heldByVmcs(
  level: Level,
  prefix: string,
  vmcs: VmcsReader,
  rip: bigint,
  processor: (name: string) => bigint | undefined,
  processorNames: readonly string[],
): FrameRegisters {
  const get = (name: string): bigint | undefined => {
    if (name === 'rip') return rip;
    return processor(name) ?? (Object.hasOwn(FIELDS, name) ? vmcs.field(prefix + FIELDS[name]!) : undefined);
  };
  return withParts({
    level,
    live: false,
    names: () => [...processorNames, ...Object.keys(FIELDS).filter((name) => get(name) !== undefined)],
    get,
    set: (name) => {
      throw expressionErrors.registerReadOnly(name);
    },
  });
}

/** Lets eax, al, r8d … be read and set through the registers that they are part of. */
function withParts(whole: FrameRegisters): FrameRegisters {
  return {
    level: whole.level,
    live: whole.live,
    names: () => whole.names(),
    get(name) {
      const part = REGISTER_PARTS.get(name);
      if (!part) return whole.get(name);
      const value = whole.get(part.whole);
      return value === undefined ? undefined : BigInt.asUintN(part.bits, value >> BigInt(part.shift));
    },
    set(name, value) {
      const part = REGISTER_PARTS.get(name);
      if (!part) return whole.set(name, value);
      if (value >> BigInt(part.bits) !== 0n) throw expressionErrors.valueTooWide(`0x${value.toString(16)}`, part.bits);
      const old = whole.get(part.whole) ?? 0n;
      // Writing a 32-bit name clears the upper half, as the instructions do (SDM volume 1, "General-Purpose Registers").
      if (part.bits === 32) return whole.set(part.whole, value);
      const mask = ((1n << BigInt(part.bits)) - 1n) << BigInt(part.shift);
      whole.set(part.whole, (old & ~mask) | (value << BigInt(part.shift)));
    },
  };
}
