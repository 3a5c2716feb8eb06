/** Which tables translate for a level now: from the registers when the CPU is in that level, else from the current VMCS. */
import type { Level } from '../api';
import type { Cpu } from '../cpu/cpu';
import type { PhysicalMemory } from '../memory/physical-memory';
import { Mmu } from '../mmu/mmu';
import { type PagingFormat, guest32BitPlain, guest32BitPse, guest4Level, guest5Level, guestPae, eptRoot } from '../spec/paging';
import { State } from '../spec/vcpu-state';
import { Field } from '../spec/vmcs-fields';
import { Vmcs } from '../vmx/vmcs';

export interface TranslationContext {
  readonly paging:
    | {
        readonly format: PagingFormat;
        readonly root: number;
        /** PAE paging: the PDPTE registers, where the walk begins. */
        readonly pdptes?: readonly bigint[];
      }
    | undefined;
  /** Host-physical address of the EPT PML4; undefined: no EPT. */
  readonly eptRoot: number | undefined;
  readonly longMode: boolean;
  readonly nx: boolean;
}

/** In hosted mode the level of the guest that runs, or whose exit the built-in hypervisor deals with. */
export function levelOf(cpu: Cpu): Level {
  const hosted = cpu.get32(State.hostedLevel);
  return hosted === 0 ? (cpu.vmxNonRoot ? 2 : 1) : hosted === 2 ? 2 : 1;
}

/** The current VMCS, or undefined. */
export function currentVmcs(cpu: Cpu, memory: PhysicalMemory): Vmcs | undefined {
  const pointer = cpu.getF64(State.currentVmcs);
  return cpu.get32(State.vmxMode) !== 0 && pointer >= 0 && memory.isRam(pointer, 4096) ? new Vmcs(memory, pointer) : undefined;
}

const ADDRESS = 0xf_ffff_ffff_f000n;
const LA57 = 1n << 12n;
const PAE = 1n << 5n;
/** @param pdptes asked with PAE paging only. */
function pagingOf(cr0: bigint, cr3: bigint, cr4: bigint, longMode: boolean, pdptes: () => readonly bigint[]): TranslationContext['paging'] {
  if ((cr0 & 0x80000000n) === 0n) return undefined;
  if (longMode) return { format: cr4 & LA57 ? guest5Level : guest4Level, root: Number(cr3 & ADDRESS) };
  if (cr4 & PAE) return { format: guestPae, root: Number(cr3 & 0xffffffe0n), pdptes: pdptes() };
  return { format: cr4 & 0x10n ? guest32BitPse : guest32BitPlain, root: Number(cr3 & 0xfffff000n) };
}

const pdptesInMemory = (memory: PhysicalMemory, table: number): bigint[] =>
  [0, 1, 2, 3].map((n) => (memory.isRam(table + 8 * n, 8) ? memory.read64(table + 8 * n) : 0n));

export function contextOf(cpu: Cpu, memory: PhysicalMemory, level: Level): TranslationContext | undefined {
  const registers = (): bigint[] => [0, 1, 2, 3].map((n) => cpu.get64(State.pdpte + 8 * n));
  if (level === levelOf(cpu)) {
    const paging = Mmu.guestPaging(cpu);
    return {
      paging: paging?.format === guestPae ? { ...paging, pdptes: registers() } : paging,
      eptRoot: cpu.getF64(State.eptPointer) === 0 ? undefined : eptRoot(cpu.getF64(State.eptPointer)),
      longMode: cpu.longMode,
      nx: (cpu.efer & 0x800n) !== 0n,
    };
  }
  const vmcs = currentVmcs(cpu, memory);
  if (vmcs === undefined) return undefined;
  if (level === 1) {
    const longMode = (vmcs.u32(Field.primaryVmExitControls) & 0x200) !== 0;
    // A VM exit loads the host's PDPTEs from memory.
    const hostPdptes = (): bigint[] => pdptesInMemory(memory, Number(vmcs.u64(Field.hostCr3) & 0xffffffe0n));
    return { paging: pagingOf(vmcs.u64(Field.hostCr0), vmcs.u64(Field.hostCr3), vmcs.u64(Field.hostCr4), longMode, hostPdptes), eptRoot: undefined, longMode, nx: (cpu.efer & 0x800n) !== 0n }; // prettier-ignore
  }
  const longMode = (vmcs.u32(Field.vmEntryControls) & 0x200) !== 0;
  const secondary = (vmcs.u32(Field.primaryProcessorBasedVmExecutionControls) & 0x80000000) !== 0;
  const ept = secondary && (vmcs.u32(Field.secondaryProcessorBasedVmExecutionControls) & 2) !== 0;
  const guestCr3 = vmcs.u64(Field.guestCr3);
  const guestPdptes = (): bigint[] =>
    ept
      ? [Field.guestPdpte0, Field.guestPdpte1, Field.guestPdpte2, Field.guestPdpte3].map((field) => vmcs.u64(field))
      : pdptesInMemory(memory, Number(guestCr3 & 0xffffffe0n));
  return {
    paging: pagingOf(vmcs.u64(Field.guestCr0), guestCr3, vmcs.u64(Field.guestCr4), longMode, guestPdptes),
    eptRoot: ept ? Number(vmcs.u64(Field.eptPointer) & ADDRESS) : undefined,
    longMode,
    nx: (vmcs.u64(Field.guestIa32Efer) & 0x800n) !== 0n || (cpu.efer & 0x800n) !== 0n,
  };
}
