/** Resolves an address of any level and space through the one walker, without touching the machine (product: GVA → (L2 GPA → L1 GPA →) HPA). */
import type { AddressSpace, Level, Resolution, ResolutionStep } from '../api';
import type { Cpu } from '../cpu/cpu';
import type { PhysicalMemory } from '../memory/physical-memory';
import { lineMasked } from '../mmu/address-line-20';
import { type TableMemory, WalkResult, Walker, type WalkStep } from '../mmu/walk';
import { MemoryType, combinedType, memoryTypeName, mtrrType } from '../spec/memory-types';
import { mtrrSlot } from '../spec/msr';
import { type PagingFacts, type PagingFormat, Right, eptFormat, guest5Level, pdpteAddress } from '../spec/paging';
import { Cr0 } from '../spec/registers';
import { State } from '../spec/vcpu-state';
import { type TranslationContext, contextOf } from './translation-context';

/** Bit of an EPT leaf: the PAT does not count. */
const IGNORE_PAT = 1 << 6;
const hex = (v: bigint | number): string => `0x${v.toString(16)}`;

export function rightsText(rights: number, withUser: boolean): string {
  const flag = (bit: number, letter: string): string => (rights & bit ? letter : '-');
  return flag(Right.read, 'r') + flag(Right.write, 'w') + flag(Right.execute, 'x') + (withUser ? flag(Right.user, 'u') : '');
}

/** Translates without effects. Reused for many pages; the outcome stands in its fields. */
export class Resolver {
  private readonly guest = new Walker();
  private readonly ept = new Walker();
  private readonly direct: TableMemory;

  constructor(private readonly memory: PhysicalMemory) {
    this.direct = { locate: (address) => address, read32: (hpa) => memory.read32(hpa), write32: () => undefined };
  }

  private facts(cpu: Cpu, context: TranslationContext): PagingFacts {
    return { physicalBits: cpu.model.maxPhyAddr, nx: context.nx, page1gb: cpu.model.features.has('page1gb'), executeOnly: true };
  }

  /** Host-physical address of a linear or physical address of a level; undefined where nothing is mapped. */
  toHpa(cpu: Cpu, level: Level, space: AddressSpace, address: bigint): number | undefined {
    const r = this.resolve(cpu, level, space, address);
    return r.hpa === undefined ? undefined : Number(r.hpa);
  }

  resolve(cpu: Cpu, level: Level, space: AddressSpace, address: bigint): Resolution {
    const input = { space, level, address };
    const steps: ResolutionStep[] = [];
    if (space === 'hpa') return { input, hpa: address, steps, permissions: 'rwx', summary: this.physicalSummary(address) };
    const context = contextOf(cpu, this.memory, level);
    if (context === undefined)
      return { input, steps, failure: `level ${level} does not exist now: there is no current VMCS`, summary: `L${level} has no state: there is no current VMCS` }; // prettier-ignore
    const facts = this.facts(cpu, context);
    const tables: TableMemory =
      context.eptRoot === undefined
        ? { ...this.direct, locate: (address) => lineMasked(cpu, address) }
        : { ...this.direct, locate: (gpa) => this.throughEpt(context, facts, gpa) };
    const parts: string[] = [];
    let gpa: number;
    let rights = Right.read | Right.write | Right.execute | Right.user;
    let pageBytes = 4096;
    let pat: number | undefined;
    let eptType: number | undefined;
    if (space === 'gpa') gpa = Number(address);
    else {
      parts.push(`GVA ${hex(address)}`);
      if (context.paging === undefined) gpa = Number(address & 0xffffffffn);
      else {
        const { format, pdptes } = context.paging;
        let { root } = context.paging;
        const top = BigInt.asIntN(64, address) >> (format === guest5Level ? 56n : 47n);
        if (context.longMode && top !== 0n && top !== -1n)
          return { input, gva: address, steps, failure: 'the address is not canonical', summary: `GVA ${hex(address)}: not canonical` };
        if (pdptes !== undefined) {
          const step = describePdpte(pdptes, Number((address >> 30n) & 3n));
          steps.push(step);
          if (!step.present)
            return { input, gva: address, steps, failure: step.stops, summary: `GVA ${hex(address)} → stops at the ${step.table}: ${step.stops}` }; // prettier-ignore
          root = pdpteAddress(step.entry);
        }
        const w = this.guest;
        const result = w.walk(format, root, ...halves(address), facts, tables, (s) => steps.push(describe(s, 'guest', facts)));
        if (result !== WalkResult.ok) {
          const why =
            result === WalkResult.refused ? 'EPT does not map the next guest table' : (steps[steps.length - 1]?.stops ?? 'not mapped');
          return {
            input,
            gva: address,
            steps,
            failure: why,
            summary: `GVA ${hex(address)} → stops at the ${steps[steps.length - 1]?.table ?? 'root'}: ${why}`,
          };
        }
        gpa = w.page + Number(address & 0xfffn);
        rights = w.rights;
        pageBytes = 2 ** w.shift;
        pat = patType(cpu, w.leafLo, format, w.level);
      }
    }
    let hpa = lineMasked(cpu, gpa);
    parts.push(`GPA ${hex(gpa)}${hpa === gpa ? '' : ' (address line 20 is off)'}`);
    if (context.eptRoot !== undefined) {
      const w = this.ept;
      const result = w.walk(eptFormat, context.eptRoot, ...halves(BigInt(gpa)), facts, this.direct, (s) =>
        steps.push(describe(s, 'ept', facts)),
      );
      if (result !== WalkResult.ok) {
        const why = steps[steps.length - 1]?.stops ?? 'not mapped';
        return { input, gva: space === 'gva' ? address : undefined, gpa: BigInt(gpa), steps, failure: `EPT: ${why}`, summary: `${parts.join(' → ')} → stops at the ${steps[steps.length - 1]?.table ?? 'EPTP'}: ${why}` }; // prettier-ignore
      }
      hpa = w.page + (gpa % 4096);
      rights &= Right.user | w.rights;
      pageBytes = Math.min(pageBytes, 2 ** w.shift);
      eptType = (w.leafLo & IGNORE_PAT) !== 0 ? undefined : combinedType((w.leafLo >>> 3) & 7, pat ?? MemoryType.WB);
      eptType ??= (w.leafLo >>> 3) & 7;
    }
    const withUser = space === 'gva' && context.paging !== undefined;
    const permissions = rightsText(rights, withUser);
    const inRam = this.memory.isRam(hpa);
    parts.push(`HPA ${hex(hpa)}`);
    return {
      input,
      gva: space === 'gva' ? address : undefined,
      gpa: BigInt(gpa),
      hpa: BigInt(hpa),
      steps,
      permissions,
      memoryType: memoryTypeName(eptType ?? effectiveType(cpu, hpa, pat)),
      pageBytes,
      failure: inRam ? undefined : this.outside(hpa),
      summary: `${parts.join(' → ')} (${permissions}, ${sizeText(pageBytes)}${inRam ? '' : `, ${this.outside(hpa)}`})`,
    };
  }

  private throughEpt(context: TranslationContext, facts: PagingFacts, gpa: number): number {
    const root = context.eptRoot;
    const ok = root !== undefined && this.ept.walk(eptFormat, root, ...halves(BigInt(gpa)), facts, this.direct) === WalkResult.ok;
    return ok ? this.ept.page + (gpa % 4096) : -1;
  }
  private outside(hpa: number): string {
    return this.memory.mmio?.nameAt(hpa, 0) ?? 'no memory there';
  }
  private physicalSummary(address: bigint): string {
    return `HPA ${hex(address)}${this.memory.isRam(Number(address)) ? '' : ` (${this.outside(Number(address))})`}`;
  }
}

const halves = (address: bigint): [number, number] => [Number(address & 0xffffffffn) >>> 0, Number((address >> 32n) & 0xffffffffn) >>> 0];
export const sizeText = (bytes: number): string =>
  bytes >= 2 ** 30 ? `${bytes / 2 ** 30} GiB page` : bytes >= 2 ** 20 ? `${bytes / 2 ** 20} MiB page` : `${bytes / 1024} KiB page`;

function describe(s: WalkStep, stage: 'guest' | 'ept', facts: PagingFacts): ResolutionStep {
  const wide = s.format.entryBytes === 8;
  const entry = wide ? (BigInt(s.hi >>> 0) << 32n) | BigInt(s.lo >>> 0) : BigInt(s.lo >>> 0);
  return {
    table: `${stage === 'ept' ? 'EPT ' : ''}${s.format.levels[s.level].name}`,
    stage,
    level: s.level,
    index: s.index,
    entryAddress: BigInt(s.entryAddress),
    entryHpa: BigInt(s.entryHpa),
    entryBytes: s.format.entryBytes,
    entry,
    present: s.present,
    largePage: s.leaf && s.format.levels[s.level].shift > 12,
    permissions: s.present ? rightsText(s.format.rights(s.lo, s.hi, facts), stage === 'guest') : '',
    stops: !s.present ? 'entry not present' : s.reserved ? (stage === 'ept' ? 'EPT misconfiguration' : 'reserved bits set') : undefined,
  };
}

/** The PDPTE register as the first step of a PAE walk. */
function describePdpte(pdptes: readonly bigint[], index: number): ResolutionStep {
  const entry = pdptes[index];
  const present = (entry & 1n) !== 0n;
  const stops = present ? undefined : 'entry not present';
  return { table: 'PDPTE register', stage: 'guest', level: 0, index, entryAddress: 0n, entryHpa: undefined, entryBytes: 8, entry, present, largePage: false, permissions: present ? 'rwxu' : '', stops }; // prettier-ignore
}

/** Memory type without EPT: MTRRs and PAT ("Effective Page-Level Memory Types"); uncached while CR0.CD is set. @param pat undefined: paging is off. */
function effectiveType(cpu: Cpu, hpa: number, pat: number | undefined): number {
  if (cpu.cr0 & Cr0.CD) return MemoryType.UC;
  const mtrr = mtrrType(
    {
      defType: cpu.get64(mtrrSlot.defType),
      base: (n) => cpu.get64(mtrrSlot.base(n)),
      mask: (n) => cpu.get64(mtrrSlot.mask(n)),
      fixed: (n) => cpu.get64(mtrrSlot.fixed(n)),
    },
    hpa,
  );
  return combinedType(mtrr, pat ?? MemoryType.WB);
}

/** Memory type by IA32_PAT of a guest leaf (bits PWT 3, PCD 4, PAT 7 or 12). */
function patType(cpu: Cpu, leafLo: number, format: PagingFormat, level: number): number {
  const pat = format.levels[level].shift > 12 ? (leafLo >>> 12) & 1 : (leafLo >>> 7) & 1;
  const index = ((leafLo >>> 3) & 3) | (pat << 2);
  return Number((cpu.get64(State.pat) >> BigInt(8 * index)) & 7n);
}
