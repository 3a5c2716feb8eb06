/**
 * VM exits of L1 that have nothing to do with its own guest: what L0 carries out for it, so that it sees the processor that it would see without L0 (SDM
 * volume 3, "Instructions That Cause VM Exits"). Devices, ports, MSRs and interrupts reach L1 without exits.
 * Not modelled: task switches, XSETBV, INIT and start-up IPIs in hosted mode.
 */
import { cr4Allowed } from '../cpu/control-registers';
import { identify } from '../cpu/system-instructions';
import { ExitReason, exitReasonName } from '../spec/exit-reasons';
import { EptViolation } from '../spec/ept';
import { Activity, Cr0, Cr4, Interruptibility, Vector } from '../spec/registers';
import { Field } from '../spec/vmcs-fields';
import { unreachable } from '../user-error';
import { type L0Context, redeliver } from './l0-context';
import type { ExitInformation } from './vcpu-state';

const RAX = 0;
const RBX = 3;
const RCX = 1;
const RDX = 2;
/** CPUID leaf 1 ECX: a hypervisor is present. */
const HYPERVISOR_PRESENT = 0x8000_0000 | 0;
/** The first leaf for hypervisors, and ours: highest leaf of the block, and "NestscopeHv." in EBX, ECX and EDX. */
const HYPERVISOR_LEAVES = 0x4000_0000;
const PRODUCT_LEAF = 0x4000_0200;
const PRODUCT_SIGNATURE = [0x7473_654e, 0x706f_6373, 0x2e76_4865] as const;
/** CR4 bits that are refused with a sentence of their own when they are carried out. */
const CR4_OTHER = Cr4.OSFXSR | Cr4.OSXMMEXCPT | Cr4.OSXSAVE;

/** False: the exit is none of these. */
export function handleL1Exit(l0: L0Context, exit: ExitInformation): boolean {
  const { l1, cpu } = l0;
  switch (exit.reason) {
    case ExitReason.CPUID:
      identifyForL1(l0);
      l1.skip(exit.length);
      return true;
    case ExitReason.INVD:
      l1.skip(exit.length);
      return true;
    case ExitReason.GETSEC:
      l1.fault(Vector.UD);
      return true;
    // Every MSR that there is passes: this one is in neither range of the bitmap.
    case ExitReason.RDMSR:
    case ExitReason.WRMSR:
      l1.fault(Vector.GP, 0);
      return true;
    case ExitReason.CR_ACCESS:
      controlRegister(l0, exit);
      return true;
    case ExitReason.EPT_VIOLATION:
      l0.guest.map(exit.gpa);
      if (exit.vectoring >>> 31 === 0 && exit.qualification & BigInt(EptViolation.nmiUnblocking)) {
        const blocked = l1.vmcs.u32(Field.guestInterruptibilityState) | Interruptibility.blockingByNmi;
        l1.set(Field.guestInterruptibilityState, BigInt(blocked));
      }
      redeliver(l0, (field, value) => l1.set(field, value));
      return true;
    case ExitReason.EPT_MISCONFIGURATION:
      return unreachable('EPT01 is misconfigured');
    case ExitReason.TRIPLE_FAULT:
      l1.set(Field.guestActivityState, BigInt(Activity.shutdown));
      return true;
    case ExitReason.TASK_SWITCH:
    case ExitReason.XSETBV:
    case ExitReason.INIT_SIGNAL:
    case ExitReason.SIPI:
      cpu.notModelled(`Not modelled: ${exitReasonName(exit.reason)} of the program under test in hosted mode.`);
      return true;
    default:
      return false;
  }
}

function identifyForL1({ l1, cpu, interrupts }: L0Context): void {
  const leaf = cpu.gpr32(RAX);
  const product = leaf === PRODUCT_LEAF;
  if (leaf >= HYPERVISOR_LEAVES && leaf <= HYPERVISOR_LEAVES + 0xffff) {
    cpu.setGpr32(RAX, product ? PRODUCT_LEAF : 0);
    [RBX, RCX, RDX].forEach((register, n) => cpu.setGpr32(register, product ? PRODUCT_SIGNATURE[n] : 0));
    return;
  }
  const cr4 = (l1.vmcs.u64(Field.guestCr4) & ~Cr4.VMXE) | (l1.vmcs.u64(Field.cr4ReadShadow) & Cr4.VMXE);
  identify(cpu, interrupts.apicBase(cpu.index), cr4, l1.code64);
  if (leaf === 1) cpu.setGpr32(RCX, cpu.gpr32(RCX) | HYPERVISOR_PRESENT);
}

/**
 * MOV to CR0 or CR4 that changes a bit which is L0's: the read shadow takes it and the instruction is carried out again, so that hardware makes the
 * other checks and effects. What would fault there must fault here, before the shadow changes.
 */
function controlRegister(l0: L0Context, exit: ExitInformation): void {
  const { l1 } = l0;
  const low = Number(exit.qualification & 0xffff_ffffn);
  const cr = low & 15;
  // LMSW and CLTS change no bit of L0's, and CR3 and CR8 pass.
  if (((low >>> 4) & 3) !== 0 || (cr !== 0 && cr !== 4))
    unreachable(`a control-register exit that L0 did not ask for (0x${low.toString(16)})`);
  const register = (low >>> 8) & 15;
  const value = l1.code64 ? l1.gpr(register) : l1.gpr(register) & 0xffff_ffffn;
  if (cr === 0) {
    const refused =
      l0.state.vmxOn ||
      value >> 32n !== 0n ||
      ((value & Cr0.PG) !== 0n && (value & Cr0.PE) === 0n) ||
      ((value & Cr0.NW) !== 0n && (value & Cr0.CD) === 0n);
    if (refused) l1.fault(Vector.GP, 0);
    else l1.set(Field.cr0ReadShadow, value & Cr0.NE);
    return;
  }
  const old = l1.vmcs.u64(Field.guestCr4);
  const changes = (bit: bigint): boolean => ((old ^ value) & bit) !== 0n;
  const pcids = changes(Cr4.PCIDE) && (value & Cr4.PCIDE) !== 0n && (!l1.longMode || (l1.vmcs.u64(Field.guestCr3) & 0xfffn) !== 0n);
  const refused =
    l0.state.vmxOn ||
    (value & ~(cr4Allowed(l0.cpu) | CR4_OTHER)) !== 0n ||
    (l1.longMode && (changes(Cr4.PAE) || changes(Cr4.LA57))) ||
    pcids;
  if (refused) l1.fault(Vector.GP, 0);
  else l1.set(Field.cr4ReadShadow, value & Cr4.VMXE);
}
