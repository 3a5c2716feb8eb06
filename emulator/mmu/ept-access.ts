/**
 * Accesses to guest-physical addresses: the EPT walk with its permissions, accessed and dirty flags, the page-modification log, and the details
 * that an EPT violation, misconfiguration or full log leaves pending (SDM volume 3, "EPT Violations", "EPT Misconfigurations", "Accessed and
 * Dirty Flags for EPT", "Page-Modification Logging", "Mode-Based Execute Control"). Not modelled: sub-page write permissions, 5-level EPT.
 */
import type { PhysicalMemory } from '../memory/physical-memory';
import { EptMode, EptViolation } from '../spec/ept';
import { type PagingFacts, type PagingFormat, Right, eptFormat, eptModeBased, eptRoot } from '../spec/paging';
import { State } from '../spec/vcpu-state';
import type { VcpuRegisters } from './vcpu-registers';
import { type TableMemory, WalkResult, Walker } from './walk';

const EXIT_EPT_VIOLATION = 48;
const EXIT_EPT_MISCONFIGURATION = 49;
const EXIT_PML_FULL = 62;
const PENDING_EXIT = 2;
const ACCESS_BITS = EptViolation.read | EptViolation.write | EptViolation.fetch;
/** Entries of the page-modification log. */
const LOG_ENTRIES = 512;
/** Bit 63 of an entry, in its high half: EPT violations of this entry do not become virtualization exceptions. */
const SUPPRESS_VE = 0x8000_0000 | 0;

export class EptAccess {
  /** The last walk: page, size, leaf. */
  readonly walker = new Walker();
  /** What the linear address behind the access is, for the exit's guest-linear address. */
  linearLo = 0;
  linearHi = 0;
  private readonly tables: TableMemory;

  constructor(private readonly memory: PhysicalMemory) {
    this.tables = {
      locate: (address) => address,
      read32: (hpa) => memory.read32(hpa),
      write32: (hpa, value) => memory.write32(hpa, value >>> 0),
    };
  }

  marksDirty(cpu: VcpuRegisters): boolean {
    return (cpu.i32[State.eptMode >> 2] & EptMode.accessedDirty) !== 0;
  }

  /** Rights of the last walk for a page at a user-mode or supervisor-mode linear address. */
  rights(cpu: VcpuRegisters, user: boolean): number {
    const r = this.walker.rights;
    if ((cpu.i32[State.eptMode >> 2] & EptMode.modeBased) === 0 || !user) return r & 7;
    return (r & 3) | (r & Right.user ? Right.execute : 0);
  }

  /**
   * Translates a guest-physical address into walker.page. False: a VM exit is pending.
   * @param bits read, write and fetch of the exit qualification. @param details its bits 7 to 12. @param user a user-mode linear address.
   */
  translate(cpu: VcpuRegisters, gpa: number, bits: number, details: number, user: boolean, facts: PagingFacts): boolean {
    const lo = gpa >>> 0;
    const hi = Math.floor(gpa / 0x1_0000_0000) >>> 0;
    const w = this.walker;
    const mode = cpu.i32[State.eptMode >> 2];
    const format: PagingFormat = mode & EptMode.modeBased ? eptModeBased : eptFormat;
    const root = eptRoot(cpu.f64[State.eptPointer >> 3]);
    w.entryHi = SUPPRESS_VE;
    const result = hi >= 0x10000 ? WalkResult.notPresent : w.walk(format, root, lo, hi, facts, this.tables);
    if (result === WalkResult.ok && (this.rights(cpu, user) & bits) === bits) {
      if ((mode & EptMode.accessedDirty) === 0) return true;
      const write = (bits & EptViolation.write) !== 0;
      if (write && (w.leafLo & format.dirtyBit) === 0 && !this.log(cpu, gpa)) return false;
      w.markUsed(format, write, this.tables);
      return true;
    }
    if (result === WalkResult.reserved) return this.refuse(cpu, EXIT_EPT_MISCONFIGURATION, gpa, 0);
    // "The logical-AND of bits … in the EPT paging-structure entries used": all 0 when one is not present.
    const allowed = result === WalkResult.ok ? w.rights & 7 : 0;
    const userExecutes = mode & EptMode.modeBased && result === WalkResult.ok && w.rights & Right.user ? EptViolation.userExecutable : 0;
    cpu.set32(State.pendingConvertible, (w.entryHi & SUPPRESS_VE) === 0 ? 1 : 0);
    return this.refuse(cpu, EXIT_EPT_VIOLATION, gpa, (bits & ACCESS_BITS) | (allowed << 3) | userExecutes | details);
  }

  private refuse(cpu: VcpuRegisters, reason: number, gpa: number, qualification: number): false {
    cpu.set32(State.pendingKind, PENDING_EXIT);
    cpu.set32(State.pendingReason, reason);
    cpu.set64(State.pendingQualification, BigInt(qualification));
    cpu.setF64(State.pendingGpa, gpa);
    cpu.i32[State.pendingLinear >> 2] = this.linearLo;
    cpu.i32[(State.pendingLinear >> 2) + 1] = this.linearHi;
    return false;
  }

  /** Logs a page whose dirty flag is about to be set. False: the log is full and the VM exit pending. */
  private log(cpu: VcpuRegisters, gpa: number): boolean {
    if ((cpu.i32[State.eptMode >> 2] & EptMode.logging) === 0) return true;
    const index = cpu.get32(State.pmlIndex);
    if (index >= LOG_ENTRIES) return this.refuse(cpu, EXIT_PML_FULL, gpa, 0);
    this.memory.write64(cpu.getF64(State.pmlAddress) + index * 8, BigInt(gpa - (gpa % 4096)));
    cpu.set32(State.pmlIndex, (index - 1) & 0xffff);
    return true;
  }
}

/** Bits 7 to 11 of the qualification of an EPT violation at the translation of a linear address whose walk gave these rights. */
export function pageDetails(cpu: VcpuRegisters, rights: number): number {
  const details = EptViolation.linearValid | EptViolation.translatedLinear;
  if (!cpu.model.features.has('ept-violation-details')) return details;
  const user = rights & Right.user ? EptViolation.userModeAddress : 0;
  const writable = rights & Right.write ? EptViolation.writablePage : 0;
  return details | user | writable | (rights & Right.execute ? 0 : EptViolation.executeDisabledPage);
}
