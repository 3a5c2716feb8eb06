/**
 * Loading host state on a VM exit, and on a VM-entry failure that ends as one: SDM volume 3, "Loading Host State".
 */
import type { Cpu } from '../cpu/cpu';
import { paePaging } from '../mmu/guest-access';
import { Seg, State } from '../spec/vcpu-state';
import { Field } from '../spec/vmcs-fields';
import { ExitControl, Secondary } from '../spec/vmx-controls';
import { clearEptState } from './ept-state';
import { CR0_KEPT, loadSlot, setLongMode } from './guest-state';
import { secondaryControls } from './intercepts';
import type { Vmcs } from './vmcs';
import { GuestFact, MonitorTrap, VmxMode, VmxState } from './vmx-state';

const CODE64 = 0xa09b;
const CODE32 = 0xc09b;
const DATA = 0xc093;
const BUSY_TSS = 0x8b;
const UNUSABLE = 0x10000;
const FULL_LIMIT = 0xffff_ffff;
const CR4_PAE = 0x20;
const CR4_PCIDE = 0x2_0000;
const BLOCKING_BY_NMI = 8;

/** False: a PDPTE of the host has reserved bits set, which is a VMX abort. @param byNmi the exit was caused by an NMI, which blocks NMIs in the host. */
export function loadHostState(cpu: Cpu, vmcs: Vmcs, byNmi: boolean): boolean {
  const exit = vmcs.u32(Field.primaryVmExitControls);
  const host64 = (exit & ExitControl.hostAddressSpaceSize) !== 0;
  const usedVpid = (secondaryControls(vmcs) & Secondary.enableVpid) !== 0;
  cpu.set32(State.vmxMode, VmxMode.root);

  // Control registers, debug registers, MSRs
  cpu.u32[State.cr0 >> 2] = (vmcs.u32(Field.hostCr0) & ~CR0_KEPT) | (cpu.u32[State.cr0 >> 2] & CR0_KEPT);
  cpu.u32[(State.cr0 >> 2) + 1] = 0;
  loadSlot(cpu, State.cr3, vmcs, Field.hostCr3);
  loadSlot(cpu, State.cr4, vmcs, Field.hostCr4);
  if (host64) cpu.u32[State.cr4 >> 2] |= CR4_PAE;
  else cpu.u32[State.cr4 >> 2] &= ~CR4_PCIDE;
  cpu.set64(State.dr + 56, 0x400n);
  cpu.set64(State.debugctl, 0n);
  loadSlot(cpu, State.sysenterCs, vmcs, Field.hostIa32SysenterCs);
  loadSlot(cpu, State.sysenterEsp, vmcs, Field.hostIa32SysenterEsp);
  loadSlot(cpu, State.sysenterEip, vmcs, Field.hostIa32SysenterEip);
  setLongMode(cpu, host64, true);
  if (exit & ExitControl.loadIa32Pat) loadSlot(cpu, State.pat, vmcs, Field.hostIa32Pat);
  if (exit & ExitControl.loadIa32Efer) loadSlot(cpu, State.efer, vmcs, Field.hostIa32Efer);

  // Segment and descriptor-table registers
  const fsBase = vmcs.u64(Field.hostFsBase);
  const gsBase = vmcs.u64(Field.hostGsBase);
  cpu.setSegment(Seg.cs, vmcs.u32(Field.hostCsSelector), 0n, FULL_LIMIT, host64 ? CODE64 : CODE32);
  loadData(cpu, Seg.ss, vmcs.u32(Field.hostSsSelector), 0n);
  loadData(cpu, Seg.ds, vmcs.u32(Field.hostDsSelector), 0n);
  loadData(cpu, Seg.es, vmcs.u32(Field.hostEsSelector), 0n);
  loadData(cpu, Seg.fs, vmcs.u32(Field.hostFsSelector), fsBase);
  loadData(cpu, Seg.gs, vmcs.u32(Field.hostGsSelector), gsBase);
  cpu.setSegment(Seg.tr, vmcs.u32(Field.hostTrSelector), vmcs.u64(Field.hostTrBase), 0x67, BUSY_TSS);
  cpu.setSegment(Seg.ldtr, 0, 0n, 0, UNUSABLE);
  loadSlot(cpu, State.gdtrBase, vmcs, Field.hostGdtrBase);
  cpu.set32(State.gdtrLimit, 0xffff);
  loadSlot(cpu, State.idtrBase, vmcs, Field.hostIdtrBase);
  cpu.set32(State.idtrLimit, 0xffff);

  // RIP, RSP, RFLAGS
  loadSlot(cpu, State.rip, vmcs, Field.hostRip);
  loadSlot(cpu, State.gpr + 4 * 8, vmcs, Field.hostRsp);
  if (!host64) cpu.u32[((State.gpr + 4 * 8) >> 2) + 1] = 0;
  cpu.flags = 2;
  cpu.setCpl(0);

  // Non-register state: active, nothing pending; blocking by NMI stays as the guest had it
  cpu.set32(State.activity, 0);
  // With virtual NMIs the guest's bit is no blocking of NMIs.
  const virtualNmis = (cpu.get32(VmxState.facts) & GuestFact.virtualNmis) !== 0;
  const blocking = virtualNmis ? 0 : cpu.get32(State.interruptibility) & BLOCKING_BY_NMI;
  cpu.set32(State.interruptibility, byNmi ? BLOCKING_BY_NMI : blocking);
  cpu.set32(VmxState.facts, 0);
  cpu.set32(State.pendingDebug, 0);
  cpu.set32(State.pendingEventInfo, 0);
  cpu.set32(State.vectoringInfo, 0);
  cpu.set32(State.vectoringError, 0);
  cpu.set32(State.vectoringLength, 0);
  cpu.set32(State.pendingKind, 0);
  // "Clearing Address-Range Monitoring"
  cpu.set32(State.monitorArmed, 0);
  cpu.set32(State.boundary, 0);
  cpu.set32(VmxState.monitorTrap, MonitorTrap.off);
  cpu.set64(VmxState.tscOffset, 0n);
  cpu.set64(VmxState.tscMultiplier, 0n);
  cpu.setF64(State.deadline, 0);
  cpu.setF64(State.apicAccessPage, 0);

  // Translations
  clearEptState(cpu);
  // SDM "Checking and Loading Host Page-Directory-Pointer-Table Entries".
  const pdptesLoaded = !paePaging(cpu) || cpu.mmu.loadPdptes(cpu, cpu.cr3) === 'loaded';
  cpu.modeChanged();
  // SDM "Operations that Invalidate Cached Mappings": without VPIDs, VM exits invalidate what is cached for VPID 0000H.
  if (!usedVpid) cpu.mmu.flushCurrentContext(cpu);
  return pdptesLoaded;
}

/** A null selector makes the register unusable; its base is loaded all the same. */
function loadData(cpu: Cpu, segment: number, selector: number, base: bigint): void {
  cpu.setSegment(segment, selector, base, FULL_LIMIT, selector === 0 ? UNUSABLE : DATA);
}
