/**
 * VMCS01: the VM in which L0 runs the program under test. Host state is L0's; guest state is what the loader left in the processor; as few exits as VMX
 * allows (SDM volume 3, "Virtual-Machine Control Structures").
 */
import type { Cpu } from '../cpu/cpu';
import type { PhysicalMemory } from '../memory/physical-memory';
import { Cr0, Cr4 } from '../spec/registers';
import { Field, VMCS_REVISION, VmcsRegion, type VmcsField } from '../spec/vmcs-fields';
import { EntryControl, ExitControl, Primary, Secondary } from '../spec/vmx-controls';
import type { VmxCapabilities } from '../spec/vmx-capabilities';
import { UserError } from '../user-error';
import { saveGuestRegisters } from '../vmx/guest-state';
import type { Vmcs } from '../vmx/vmcs';
import type { VcpuFrames } from './l0-context';
import { VPID01 } from './nested/nested-entry';
import { cr0OwnedBits } from './nested/vmx-instructions';

/** L0's own world: flat 64-bit segments; nothing of it is ever executed, since L0's handlers are not made of instructions. */
const HOST: readonly (readonly [VmcsField, bigint])[] = [
  [Field.hostCr0, Cr0.PG | Cr0.PE | Cr0.NE | Cr0.WP | Cr0.ET],
  [Field.hostCr4, Cr4.PAE | Cr4.VMXE],
  [Field.hostCsSelector, 8n],
  [Field.hostSsSelector, 16n],
  [Field.hostDsSelector, 16n],
  [Field.hostEsSelector, 16n],
  [Field.hostFsSelector, 16n],
  [Field.hostGsSelector, 16n],
  [Field.hostTrSelector, 24n],
  [Field.hostIa32Efer, 0xd00n],
  [Field.hostIa32Pat, 0x0007_0406_0007_0406n],
  // A canonical address at which no code of a guest lies: "the handler".
  [Field.hostRip, 0xffff_ffff_8000_0000n],
  [Field.hostRsp, 0xffff_ffff_8010_0000n],
];

/** What hosted mode needs of the processor. */
export function requireHostedMode({ model, controls }: VmxCapabilities): void {
  const needed = (Secondary.enableEpt | Secondary.enableVpid | Secondary.unrestrictedGuest) >>> 0;
  const missing = (controls.secondary.allowed1 & needed) >>> 0 !== needed || (controls.primary.allowed0 & Primary.cr3LoadExiting) !== 0;
  if (!model.features.has('vmx') || missing)
    throw new UserError(
      `hosted mode on CPU model '${model.name}': expected a model with VMX, EPT, VPIDs, unrestricted guests and TRUE controls, such as 'skylake-server'`,
      'hosted-model',
    );
}

/** Writes the host-state area of VMCS01 or VMCS02. */
export function writeHostState(memory: PhysicalMemory, vmcs: Vmcs): void {
  memory.physWrite(vmcs.pointer, new Uint8Array(VmcsRegion.bytes));
  memory.write32(vmcs.pointer, VMCS_REVISION);
  for (const [field, value] of HOST) vmcs.setU64(field, value);
  vmcs.setU64(Field.vmcsLinkPointer, 0xffff_ffff_ffff_ffffn);
}

/** Makes VMCS01 out of the processor as the loader left it. */
export function createVmcs01(
  cpu: Cpu,
  vmcs: Vmcs,
  capabilities: VmxCapabilities,
  frames: VcpuFrames,
  eptp: number,
  shadowing: boolean,
): void {
  writeHostState(cpu.memory, vmcs);
  const { controls } = capabilities;
  const word = (field: VmcsField, kind: keyof typeof controls, bits: number): void =>
    vmcs.setU32(field, ((bits & controls[kind].allowed1) | controls[kind].allowed0) >>> 0);
  // External interrupts and NMIs go to L1 as they come; ports and MSRs are its own.
  word(Field.pinBasedVmExecutionControls, 'pin', 0);
  word(Field.primaryProcessorBasedVmExecutionControls, 'primary', Primary.useMsrBitmaps | Primary.activateSecondaryControls);
  word(
    Field.secondaryProcessorBasedVmExecutionControls,
    'secondary',
    Secondary.enableEpt |
      Secondary.enableVpid |
      Secondary.unrestrictedGuest |
      Secondary.enableRdtscp |
      Secondary.enableInvpcid |
      (shadowing ? Secondary.vmcsShadowing : 0),
  );
  word(
    Field.primaryVmExitControls,
    'exit',
    ExitControl.saveDebugControls |
      ExitControl.hostAddressSpaceSize |
      ExitControl.saveIa32Pat |
      ExitControl.loadIa32Pat |
      ExitControl.saveIa32Efer |
      ExitControl.loadIa32Efer,
  );
  word(Field.vmEntryControls, 'entry', EntryControl.loadDebugControls | EntryControl.loadIa32Pat | EntryControl.loadIa32Efer);
  vmcs.setU64(Field.msrBitmaps, BigInt(frames.msrBitmap));
  cpu.memory.physWrite(frames.msrBitmap, new Uint8Array(4096));
  vmcs.setU64(Field.vmreadBitmapAddress, BigInt(frames.accessBitmaps[0]));
  vmcs.setU64(Field.vmwriteBitmapAddress, BigInt(frames.accessBitmaps[1]));
  vmcs.setU64(Field.eptPointer, BigInt(eptp));
  vmcs.setU32(Field.virtualProcessorIdentifier, VPID01);
  saveGuestRegisters(cpu, vmcs, cpu.flags);
  const cr0 = vmcs.u64(Field.guestCr0);
  vmcs.setU64(Field.guestCr0, cr0 | Cr0.NE);
  vmcs.setU64(Field.cr0GuestHostMask, cr0OwnedBits(false));
  vmcs.setU64(Field.cr0ReadShadow, cr0 & Cr0.NE);
  const cr4 = vmcs.u64(Field.guestCr4);
  vmcs.setU64(Field.guestCr4, cr4 | Cr4.VMXE);
  vmcs.setU64(Field.cr4GuestHostMask, Cr4.VMXE);
  vmcs.setU64(Field.cr4ReadShadow, cr4 & Cr4.VMXE);
  usableTaskRegister(vmcs);
}

/** VM entry wants a busy TSS in TR; the loader may have left the power-on value, an available one. */
function usableTaskRegister(vmcs: Vmcs): void {
  const access = Field.guestTrAccessRights;
  const rights = vmcs.u32(access);
  const type = rights & 15;
  if (type === 1 || type === 9 || type === 2) vmcs.setU32(access, (rights & ~15) | 11);
}
