/** Which tables translate for a level now: from the registers when the CPU is in that level, else from the current VMCS. */
import type { Level } from '../api';
import type { Cpu } from '../cpu/cpu';
import type { PhysicalMemory } from '../memory/physical-memory';
import { Mmu } from '../mmu/mmu';
import { type PagingFormat, guest32BitPlain, guest32BitPse, guest4Level } from '../spec/paging';
import { State } from '../spec/vcpu-state';
import { Field } from '../spec/vmcs-fields';
import { Vmcs } from '../vmx/vmcs';

export interface TranslationContext {
  readonly paging: { readonly format: PagingFormat; readonly root: number } | undefined;
  /** Host-physical address of the EPT PML4, 0: no EPT. */
  readonly eptPointer: number;
  readonly longMode: boolean;
  readonly nx: boolean;
}

export const levelOf = (cpu: Cpu): Level => (cpu.vmxNonRoot ? 2 : 1);

/** The current VMCS, or undefined. */
export function currentVmcs(cpu: Cpu, memory: PhysicalMemory): Vmcs | undefined {
  const pointer = cpu.getF64(State.currentVmcs);
  return cpu.get32(State.vmxMode) !== 0 && pointer >= 0 && memory.isRam(pointer, 4096) ? new Vmcs(memory, pointer) : undefined;
}

const ADDRESS = 0xf_ffff_ffff_f000n;
function pagingOf(cr0: bigint, cr3: bigint, cr4: bigint, longMode: boolean): TranslationContext['paging'] {
  if ((cr0 & 0x80000000n) === 0n) return undefined;
  if (longMode) return { format: guest4Level, root: Number(cr3 & ADDRESS) };
  return { format: cr4 & 0x10n ? guest32BitPse : guest32BitPlain, root: Number(cr3 & 0xfffff000n) };
}

export function contextOf(cpu: Cpu, memory: PhysicalMemory, level: Level): TranslationContext | undefined {
  if (level === levelOf(cpu))
    return {
      paging: Mmu.guestPaging(cpu),
      eptPointer: cpu.getF64(State.eptPointer),
      longMode: cpu.longMode,
      nx: (cpu.efer & 0x800n) !== 0n,
    };
  const vmcs = currentVmcs(cpu, memory);
  if (vmcs === undefined) return undefined;
  if (level === 1) {
    const longMode = (vmcs.u32(Field.primaryVmExitControls) & 0x200) !== 0;
    return { paging: pagingOf(vmcs.u64(Field.hostCr0), vmcs.u64(Field.hostCr3), vmcs.u64(Field.hostCr4), longMode), eptPointer: 0, longMode, nx: (cpu.efer & 0x800n) !== 0n }; // prettier-ignore
  }
  const longMode = (vmcs.u32(Field.vmEntryControls) & 0x200) !== 0;
  const secondary = (vmcs.u32(Field.primaryProcessorBasedVmExecutionControls) & 0x80000000) !== 0;
  const ept = secondary && (vmcs.u32(Field.secondaryProcessorBasedVmExecutionControls) & 2) !== 0;
  return {
    paging: pagingOf(vmcs.u64(Field.guestCr0), vmcs.u64(Field.guestCr3), vmcs.u64(Field.guestCr4), longMode),
    eptPointer: ept ? Number(vmcs.u64(Field.eptPointer) & ADDRESS) : 0,
    longMode,
    nx: (vmcs.u64(Field.guestIa32Efer) & 0x800n) !== 0n || (cpu.efer & 0x800n) !== 0n,
  };
}
