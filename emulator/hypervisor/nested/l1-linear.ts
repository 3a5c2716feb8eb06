/**
 * Memory operands of L1's VMX instructions, which L0 reads and writes for it: the address from the exit's instruction information, segmentation, and
 * L1's paging by the one walker (SDM volume 3, "Information for VM Exits Due to Instruction Execution"; "Paging"). The accesses are those of
 * supervisor-mode software, since the instructions need CPL 0. Not modelled: protection keys (no VMX instruction's operand lies in user pages that
 * supervisor keys protect), segments that expand down.
 */
import type { Cpu } from '../../cpu/cpu';
import { type TableMemory, WalkResult, Walker } from '../../mmu/walk';
import {
  type PagingFormat, Right, guest32BitPlain, guest32BitPse, guest4Level, guest5Level, guestPae, pdpteAddress,
} from '../../spec/paging'; // prettier-ignore
import { Cr0, Cr4, Efer, Vector } from '../../spec/registers';
import { Flag, SEGMENT_NAMES } from '../../spec/vcpu-state';
import { Field, type VmcsField, fieldByName } from '../../spec/vmcs-fields';
import { unreachable } from '../../user-error';
import type { GuestMemory } from '../guest-memory';
import type { GuestRegisters } from '../guest-registers';
import type { ExitInformation } from '../vcpu-state';

const FS = 4;
const NO_INDEX = 1 << 22;
const NO_BASE = 1 << 27;
const REGISTER_OPERAND = 1 << 10;
const UNUSABLE = 0x10000;
const WRITABLE_OR_READABLE = 2;
const CODE = 8;
const PDPTES = [Field.guestPdpte0, Field.guestPdpte1, Field.guestPdpte2, Field.guestPdpte3] as const;

const field = (name: string): VmcsField => fieldByName(name) ?? unreachable(`no field ${name}`);
const SEGMENTS = SEGMENT_NAMES.slice(0, 6).map((name) => ({
  base: field(`GUEST_${name.toUpperCase()}_BASE`),
  limit: field(`GUEST_${name.toUpperCase()}_LIMIT`),
  access: field(`GUEST_${name.toUpperCase()}_ACCESS_RIGHTS`),
}));
const SS = 2;

export class L1Linear {
  private readonly walker = new Walker();
  private readonly tables: TableMemory;

  constructor(
    private readonly cpu: Cpu,
    private readonly l1: GuestRegisters,
    private readonly guest: GuestMemory,
  ) {
    this.tables = {
      locate: (address) => guest.toHpa(address),
      read32: (hpa) => cpu.memory.read32(hpa),
      write32: (hpa, value) => cpu.memory.write32(hpa, value >>> 0),
    };
  }

  /** The register operand of the r/m field, -1: it is memory. */
  static register(exit: ExitInformation): number {
    return exit.information & REGISTER_OPERAND ? (exit.information >>> 3) & 15 : -1;
  }
  static secondRegister(exit: ExitInformation): number {
    return (exit.information >>> 28) & 15;
  }

  /** Linear address of the operand; undefined: a fault has been injected. */
  operand(exit: ExitInformation, bytes: number, write: boolean): bigint | undefined {
    const { l1 } = this;
    const { information } = exit;
    const segment = (information >>> 15) & 7;
    let offset = exit.qualification;
    if ((information & NO_BASE) === 0) offset += l1.gpr((information >>> 23) & 15);
    if ((information & NO_INDEX) === 0) offset += l1.gpr((information >>> 18) & 15) << BigInt(information & 3);
    const width = [16, 32, 64][(information >>> 7) & 7];
    offset = BigInt.asUintN(width, offset);
    const vector = segment === SS ? Vector.SS : Vector.GP;
    if (l1.code64) {
      const base = segment >= FS ? l1.vmcs.u64(SEGMENTS[segment].base) : 0n;
      const linear = BigInt.asUintN(64, base + offset);
      const canonical = (address: bigint): boolean => BigInt.asUintN(64, BigInt.asIntN(this.linearBits(), address)) === address;
      if (canonical(linear) && canonical(BigInt.asUintN(64, linear + BigInt(bytes - 1)))) return linear;
      l1.fault(vector, 0);
      return undefined;
    }
    const access = l1.vmcs.u32(SEGMENTS[segment].access);
    const code = (access & CODE) !== 0;
    const allowed = code ? !write && (access & WRITABLE_OR_READABLE) !== 0 : !write || (access & WRITABLE_OR_READABLE) !== 0;
    if (access & UNUSABLE || !allowed || offset + BigInt(bytes - 1) > BigInt(l1.vmcs.u32(SEGMENTS[segment].limit))) {
      l1.fault(vector, 0);
      return undefined;
    }
    return BigInt.asUintN(32, l1.vmcs.u64(SEGMENTS[segment].base) + offset);
  }
  private linearBits(): number {
    return this.l1.vmcs.u64(Field.guestCr4) & Cr4.LA57 ? 57 : 48;
  }

  /** Little-endian value at a linear address; undefined: a fault has been injected. */
  read(linear: bigint, bytes: number): bigint | undefined {
    let value = 0n;
    for (const part of this.pages(linear, bytes)) {
      const gpa = this.translate(part.linear, false);
      if (gpa === undefined) return undefined;
      for (let n = 0; n < part.bytes; n++) value |= BigInt(this.guest.read8(gpa + n)) << BigInt(8 * (part.done + n));
    }
    return value;
  }
  /** False: a fault has been injected and nothing written. */
  write(linear: bigint, bytes: number, value: bigint): boolean {
    const places: { readonly gpa: number; readonly bytes: number; readonly done: number }[] = [];
    for (const part of this.pages(linear, bytes)) {
      const gpa = this.translate(part.linear, true);
      if (gpa === undefined) return false;
      places.push({ gpa, bytes: part.bytes, done: part.done });
    }
    for (const { gpa, bytes: count, done } of places)
      for (let n = 0; n < count; n++) this.guest.write8(gpa + n, Number((value >> BigInt(8 * (done + n))) & 0xffn));
    return true;
  }
  private pages(linear: bigint, bytes: number): { readonly linear: bigint; readonly bytes: number; readonly done: number }[] {
    const first = Math.min(bytes, 4096 - Number(linear & 0xfffn));
    const whole = [{ linear, bytes: first, done: 0 }];
    if (first === bytes) return whole;
    return [...whole, { linear: BigInt.asUintN(this.l1.code64 ? 64 : 32, linear + BigInt(first)), bytes: bytes - first, done: first }];
  }

  /** Guest-physical address; undefined: a page fault has been injected. */
  private translate(linear: bigint, write: boolean): number | undefined {
    const { vmcs } = this.l1;
    if (!(vmcs.u64(Field.guestCr0) & Cr0.PG)) return Number(linear);
    const lo = Number(linear & 0xffff_ffffn);
    const hi = Number(linear >> 32n);
    const { format, root } = this.paging(lo);
    const nx = (vmcs.u64(Field.guestIa32Efer) & Efer.NXE) !== 0n;
    const facts = { physicalBits: this.cpu.model.maxPhyAddr, nx, page1gb: this.cpu.model.features.has('page1gb'), executeOnly: true };
    const result = root < 0 ? WalkResult.notPresent : this.walker.walk(format, root, lo, hi, facts, this.tables);
    const found = result === WalkResult.ok;
    if (!found || !this.allowed(write)) {
      const reserved = result === WalkResult.reserved;
      this.l1.pageFault(linear, (write ? 2 : 0) | (found || reserved ? 1 : 0) | (reserved ? 8 : 0));
      return undefined;
    }
    this.walker.markUsed(format, write, this.tables);
    return this.walker.page + (lo & 0xfff);
  }
  private allowed(write: boolean): boolean {
    const { vmcs } = this.l1;
    const { rights } = this.walker;
    if (rights & Right.user && vmcs.u64(Field.guestCr4) & Cr4.SMAP && !(vmcs.u32(Field.guestRflags) & Flag.AC)) return false;
    return !write || (rights & Right.write) !== 0 || !(vmcs.u64(Field.guestCr0) & Cr0.WP);
  }
  private paging(lo: number): { readonly format: PagingFormat; readonly root: number } {
    const { vmcs } = this.l1;
    const cr3 = vmcs.u64(Field.guestCr3);
    const cr4 = vmcs.u64(Field.guestCr4);
    if (this.l1.longMode) return { format: cr4 & Cr4.LA57 ? guest5Level : guest4Level, root: Number(cr3 & 0xf_ffff_ffff_f000n) };
    if (cr4 & Cr4.PAE) {
      const pdpte = vmcs.u64(PDPTES[lo >>> 30]);
      return { format: guestPae, root: pdpte & 1n ? pdpteAddress(pdpte) : -1 };
    }
    return { format: cr4 & Cr4.PSE ? guest32BitPse : guest32BitPlain, root: Number(cr3 & 0xffff_f000n) };
  }
}
