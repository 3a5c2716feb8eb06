/**
 * Guest paging as the registers have it now, and what it allows: formats by paging mode, "Access Rights" (user and supervisor, CR0.WP, SMEP,
 * SMAP, protection keys) and page-fault error codes (SDM volume 3, "Paging").
 */
import { type PagingFacts, type PagingFormat, Right, guest32BitPlain, guest32BitPse, guest4Level, guest5Level, guestPae } from '../spec/paging'; // prettier-ignore
import { Flag, State } from '../spec/vcpu-state';
import type { VcpuRegisters } from './vcpu-registers';

const CR0_WP = 1 << 16;
const CR4_PSE = 1 << 4;
const CR4_PAE = 1 << 5;
const CR4_LA57 = 1 << 12;
const CR4_SMEP = 1 << 20;
const CR4_SMAP = 1 << 21;
const CR4_PKE = 1 << 22;
const EFER_NXE = 1 << 11;

/** Bits of a page-fault error code. */
export const PageFault = { present: 1, write: 2, user: 4, reserved: 8, fetch: 16, protectionKey: 32 } as const;

export interface GuestPaging {
  readonly format: PagingFormat;
  /** Physical address of the top table; with PAE paging of the PDPTEs in memory, which the processor does not walk. */
  readonly root: number;
}

export function guestPaging(cpu: VcpuRegisters): GuestPaging | undefined {
  if ((cpu.i32[State.cr0 >> 2] & 0x80000000) === 0) return undefined;
  const cr3 = cpu.u32[State.cr3 >> 2];
  const cr4 = cpu.i32[State.cr4 >> 2];
  if (cpu.longMode) {
    const root = (cpu.u32[(State.cr3 >> 2) + 1] & 0xfffff) * 0x1_0000_0000 + ((cr3 & 0xfffff000) >>> 0);
    return { format: cr4 & CR4_LA57 ? guest5Level : guest4Level, root };
  }
  if (cr4 & CR4_PAE) return { format: guestPae, root: (cr3 & 0xffffffe0) >>> 0 };
  return { format: cr4 & CR4_PSE ? guest32BitPse : guest32BitPlain, root: (cr3 & 0xfffff000) >>> 0 };
}

/** PAE paging: the PDPTE registers are in use. */
export const paePaging = (cpu: VcpuRegisters): boolean => guestPaging(cpu)?.format === guestPae;

export function pagingFacts(cpu: VcpuRegisters): PagingFacts {
  return {
    physicalBits: cpu.model.maxPhyAddr,
    nx: (cpu.i32[State.efer >> 2] & EFER_NXE) !== 0,
    page1gb: cpu.model.features.has('page1gb'),
    executeOnly: true,
  };
}

/** Whether CR4.SMAP keeps supervisor accesses off user-mode pages now. `implicit` accesses do not ask RFLAGS.AC. */
export function smapEnforced(cpu: VcpuRegisters, implicit: boolean): boolean {
  return (cpu.i32[State.cr4 >> 2] & CR4_SMAP) !== 0 && (implicit || (cpu.i32[State.systemFlags >> 2] & Flag.AC) === 0);
}

/**
 * Rights that a translation gives to accesses of this mode: of `walked` (over all levels) those that the mode takes away are gone, and the
 * write that CR0.WP = 0 gives to supervisors is there.
 * @param leafHi high half of the leaf entry (its protection key).
 */
export function rightsFor(cpu: VcpuRegisters, walked: number, leafHi: number, user: boolean, implicit: boolean): number {
  const cr4 = cpu.i32[State.cr4 >> 2];
  const userPage = (walked & Right.user) !== 0;
  let rights = walked;
  if (user) {
    if (!userPage) return 0;
  } else {
    if ((cpu.i32[State.cr0 >> 2] & CR0_WP) === 0) rights |= Right.write;
    if (userPage && cr4 & CR4_SMEP) rights &= ~Right.execute;
    if (userPage && smapEnforced(cpu, implicit)) rights &= ~(Right.read | Right.write);
  }
  if (userPage && keysInForce(cpu)) rights &= ~keyDenies(cpu, leafHi, user);
  return rights;
}

const keysInForce = (cpu: VcpuRegisters): boolean => (cpu.i32[State.cr4 >> 2] & CR4_PKE) !== 0 && cpu.longMode;
/** Data rights that the page's protection key takes away. */
function keyDenies(cpu: VcpuRegisters, leafHi: number, user: boolean): number {
  const key = cpu.get32(State.pkru) >>> (2 * ((leafHi >>> 27) & 15));
  if (key & 1) return Right.read | Right.write;
  return key & 2 && (user || cpu.i32[State.cr0 >> 2] & CR0_WP) ? Right.write : 0;
}

/** Error code of a page fault. @param walked rights of the whole walk, or undefined when no translation was found. */
export function pageFaultCode(
  cpu: VcpuRegisters,
  access: { readonly write: boolean; readonly execute: boolean; readonly user: boolean },
  walked: { readonly rights: number; readonly leafHi: number } | undefined,
  reserved: boolean,
): number {
  const cr4 = cpu.i32[State.cr4 >> 2];
  let code = (access.write ? PageFault.write : 0) | (access.user ? PageFault.user : 0);
  const executeDisable = (cr4 & CR4_PAE) !== 0 && (cpu.i32[State.efer >> 2] & EFER_NXE) !== 0;
  if (access.execute && (executeDisable || cr4 & CR4_SMEP)) code |= PageFault.fetch;
  if (reserved) code |= PageFault.present | PageFault.reserved;
  if (walked === undefined) return code;
  code |= PageFault.present;
  if (!access.execute && walked.rights & Right.user && keysInForce(cpu)) {
    const denied = keyDenies(cpu, walked.leafHi, access.user);
    if (denied & (access.write ? Right.write : Right.read)) code |= PageFault.protectionKey;
  }
  return code;
}
