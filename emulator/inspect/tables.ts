/** Trees of interrupt gates and paging structures for views, read lazily and without touching the machine. */
import type { InspectNode, Level } from '../api';
import type { Cpu } from '../cpu/cpu';
import type { PhysicalMemory } from '../memory/physical-memory';
import { exceptionRow } from '../spec/exceptions';
import { type PagingFormat, eptFormat, pdpteAddress } from '../spec/paging';
import { State } from '../spec/vcpu-state';
import { Field } from '../spec/vmcs-fields';
import type { Resolver } from './resolve';
import { rightsText, sizeText } from './resolve';
import { contextOf, currentVmcs, levelOf } from './translation-context';

const hex = (v: bigint | number, digits = 0): string => `0x${v.toString(16).padStart(digits, '0')}`;

const GATE_TYPES: Readonly<Record<number, string>> = {
  5: 'task gate',
  6: '16-bit interrupt gate',
  7: '16-bit trap gate',
  14: 'interrupt gate',
  15: 'trap gate',
};
const vectorName = (vector: number): string => {
  const row = exceptionRow(vector);
  return row === undefined ? (vector < 32 ? 'reserved' : 'interrupt') : `${row.mnemonic} ${row.words}`;
};

/** The 256 gates of a level's IDT; those past its limit are left out and said so. */
export function idtNodes(cpu: Cpu, memory: PhysicalMemory, resolver: Resolver, level: Level, id: string): InspectNode[] {
  const here = level === levelOf(cpu);
  const vmcs = here ? undefined : currentVmcs(cpu, memory);
  if (!here && vmcs === undefined) return [];
  const base = vmcs === undefined ? cpu.get64(State.idtrBase) : vmcs.u64(level === 2 ? Field.guestIdtrBase : Field.hostIdtrBase);
  const limit = vmcs === undefined ? cpu.get32(State.idtrLimit) : level === 2 ? vmcs.u32(Field.guestIdtrLimit) : 0xffff;
  const long = contextOf(cpu, memory, level)?.longMode ?? false;
  const size = long ? 16 : 8;
  const nodes: InspectNode[] = [];
  for (let vector = 0; vector < 256; vector++) {
    const name = `${vector} ${vectorName(vector)}`;
    const linear = base + BigInt(vector * size);
    const hpa = resolver.toHpa(cpu, level, 'gva', linear);
    const common = {
      id: `${id}/${vector}`,
      label: name,
      expandable: false,
      memory: { space: 'gva' as const, level, address: linear },
      ...(hpa === undefined ? {} : { stored: { address: BigInt(hpa), bytes: size } }),
    };
    if (vector * size + size - 1 > limit) {
      nodes.push({ ...common, description: 'beyond the IDT limit' });
      continue;
    }
    const words = [0, 4, 8].map((o) => read32(cpu, memory, resolver, level, linear + BigInt(o)));
    if (words[0] === undefined || words[1] === undefined || (long && words[2] === undefined)) {
      nodes.push({ ...common, description: 'not mapped' });
      continue;
    }
    const [w0, w1, w2] = words as number[];
    const offset = (BigInt(long ? w2 : 0) << 32n) | BigInt(((w1 & 0xffff0000) | (w0 & 0xffff)) >>> 0);
    const type = (w1 >>> 8) & 15;
    const present = (w1 & 0x8000) !== 0;
    const facts = [
      `selector ${hex(w0 >>> 16, 4)}`,
      GATE_TYPES[type] ?? `type ${type}`,
      `DPL ${(w1 >>> 13) & 3}`,
      ...(long && w1 & 7 ? [`IST ${w1 & 7}`] : []),
      ...(present ? [] : ['not present']),
    ];
    nodes.push({
      ...common,
      value: hex(offset),
      description: facts.join(', '),
      tooltip: `IDT entry ${vector} at ${hex(linear)}: handler ${hex(offset)}, ${facts.join(', ')}`,
    });
  }
  return nodes;
}

function read32(cpu: Cpu, memory: PhysicalMemory, resolver: Resolver, level: Level, linear: bigint): number | undefined {
  const hpa = resolver.toHpa(cpu, level, 'gva', linear);
  return hpa !== undefined && memory.isRam(hpa, 4) ? memory.read32(hpa) : undefined;
}

/** Present entries of a paging-structure tree; ids are paths of indices. */
export function pageTableNodes(cpu: Cpu, memory: PhysicalMemory, resolver: Resolver, id: string): InspectNode[] {
  const parts = id.split('/');
  if (parts.length === 1) return roots(cpu, memory);
  const level: Level = parts[1].endsWith('2') ? 2 : 1;
  const ept = parts[1].startsWith('ept');
  const context = contextOf(cpu, memory, level);
  if (context === undefined) return [];
  const pdptes = ept ? undefined : context.paging?.pdptes;
  const root = ept ? context.eptRoot : context.paging?.root;
  const format = ept ? eptFormat : context.paging?.format;
  if (format === undefined || root === undefined) return [];
  const locate = (address: number): number | undefined => (ept ? address : resolver.toHpa(cpu, level, 'gpa', BigInt(address)));
  let table = root;
  let prefix = 0n;
  const path = parts.slice(2).map(Number);
  if (pdptes !== undefined) {
    const [first] = path;
    if (first === undefined) return pdpteNodes(pdptes, id);
    if (first !== 0 && first !== 1 && first !== 2 && first !== 3) return [];
    if ((pdptes[first] & 1n) === 0n) return [];
    table = pdpteAddress(pdptes[first]);
    prefix = BigInt(first) << 30n;
    path.shift();
  }
  for (const [depth, index] of path.entries()) {
    if (!Number.isInteger(index) || index < 0 || index >= 1 << format.indexBits || depth >= format.levels.length - 1) return [];
    const entry = readEntry(memory, format, locate(table + index * format.entryBytes));
    if (entry === undefined || !format.present(entry.lo, entry.hi) || format.isLeaf(depth, entry.lo)) return [];
    prefix |= BigInt(index) << BigInt(format.levels[depth].shift);
    table = (entry.hi & 0xfffff) * 0x1_0000_0000 + ((entry.lo & 0xfffff000) >>> 0);
  }
  return entries(cpu, memory, format, path.length, table, prefix, locate, id, ept, level);
}

/** The four PDPTE registers of PAE paging. */
const pdpteNodes = (pdptes: readonly bigint[], id: string): InspectNode[] =>
  pdptes.map((pdpte, n) => {
    const present = (pdpte & 1n) !== 0n;
    const linear = hex(BigInt(n) << 30n);
    return { id: `${id}/${n}`, label: `PDPTE[${n}] ${linear}`, value: hex(pdpte, 16), description: present ? 'present' : 'not present', tooltip: `PDPTE register ${n} for linear ${linear}`, expandable: present }; // prettier-ignore
  });

function roots(cpu: Cpu, memory: PhysicalMemory): InspectNode[] {
  const nodes: InspectNode[] = [];
  for (const level of [2, 1] as const) {
    const context = contextOf(cpu, memory, level);
    if (context === undefined) continue;
    const { paging, eptRoot } = context;
    nodes.push({ id: `page-tables/guest${level}`, label: `L${level} CR3`, value: paging && hex(paging.root), description: paging ? paging.format.name : 'paging is off', expandable: paging !== undefined }); // prettier-ignore
    if (eptRoot !== undefined)
      nodes.push({ id: `page-tables/ept${level}`, label: `L${level} EPT`, value: hex(eptRoot), description: '4-level EPT', expandable: true, memory: { space: 'hpa', level: 1, address: BigInt(eptRoot) } }); // prettier-ignore
  }
  return nodes;
}

function readEntry(memory: PhysicalMemory, format: PagingFormat, hpa: number | undefined): { lo: number; hi: number } | undefined {
  if (hpa === undefined || !memory.isRam(hpa, format.entryBytes)) return undefined;
  return { lo: memory.read32(hpa) | 0, hi: format.entryBytes === 8 ? memory.read32(hpa + 4) | 0 : 0 };
}

function entries(
  cpu: Cpu,
  memory: PhysicalMemory,
  format: PagingFormat,
  depth: number,
  table: number,
  prefix: bigint,
  locate: (a: number) => number | undefined,
  id: string,
  ept: boolean,
  level: Level,
): InspectNode[] {
  // prettier-ignore
  const facts = { physicalBits: cpu.model.maxPhyAddr, nx: true, page1gb: cpu.model.features.has('page1gb'), executeOnly: true };
  const { name, shift } = format.levels[depth];
  const nodes: InspectNode[] = [];
  for (let index = 0; index < 1 << format.indexBits; index++) {
    const address = table + index * format.entryBytes;
    const entry = readEntry(memory, format, locate(address));
    if (entry === undefined || (entry.lo === 0 && entry.hi === 0)) continue;
    const { lo, hi } = entry;
    const present = format.present(lo, hi);
    const leaf = present && format.isLeaf(depth, lo);
    const reserved = present && format.reserved(depth, lo, hi, leaf, facts);
    let linear = prefix | (BigInt(index) << BigInt(shift));
    if (!ept && format.levels.length === 4 && linear >> 47n) linear |= 0xffff_0000_0000_0000n;
    if (!ept && format.levels.length === 5 && linear >> 56n) linear |= 0xfe00_0000_0000_0000n;
    const raw = (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
    const words = [
      present ? rightsText(format.rights(lo, hi, facts), !ept) : 'not present',
      ...(leaf ? [`${sizeText(2 ** shift)}`] : []),
      ...(present && lo & format.accessedBit ? ['A'] : []),
      ...(leaf && lo & format.dirtyBit ? ['D'] : []),
      ...(reserved ? [ept ? 'misconfigured' : 'reserved bits set'] : []),
    ];
    nodes.push({
      id: `${id}/${index}`,
      label: `${name}[${index}] ${hex(linear)}`,
      value: hex(raw, format.entryBytes * 2),
      description: words.join(' '),
      tooltip: `${ept ? 'EPT ' : ''}${name} entry ${index} at ${hex(address)} for ${ept ? 'guest-physical' : 'linear'} ${hex(linear)}`,
      memory: { space: ept ? 'hpa' : 'gpa', level, address: BigInt(address) },
      stored: { address: BigInt(locate(address) ?? address), bytes: format.entryBytes },
      expandable: present && !leaf && !reserved,
    });
  }
  return nodes;
}
