/**
 * Loading host state on a VM exit, and on a VM-entry failure that ends as one: SDM volume 3, "Loading Host State".
 */
import type { Cpu } from '../cpu/cpu';
import { paePaging } from '../mmu/guest-access';
import { SEGMENT_STRIDE, Seg, SegmentState, State } from '../spec/vcpu-state';
import { Field } from '../spec/vmcs-fields';
import { ExitControl, Secondary } from '../spec/vmx-controls';
import { clearEptState } from './ept-state';
import { CR0_KEPT, loadSlot, setLongMode } from './guest-state';
import { secondaryControls } from './intercepts';
import { copyTable, narrow, wide } from './register-copies';
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

const segmentSlot = (segment: number): number => State.segment + segment * SEGMENT_STRIDE;
const selector = (segment: number): number => segmentSlot(segment) + SegmentState.selector;
const base = (segment: number): number => segmentSlot(segment) + SegmentState.base;
/** What every exit loads as it is. */
export const HOST_LOADED = copyTable(2, 'load', [
  wide(State.cr3, Field.hostCr3),
  wide(State.cr4, Field.hostCr4),
  wide(State.sysenterCs, Field.hostIa32SysenterCs),
  wide(State.sysenterEsp, Field.hostIa32SysenterEsp),
  wide(State.sysenterEip, Field.hostIa32SysenterEip),
  narrow(selector(Seg.cs), Field.hostCsSelector),
  narrow(selector(Seg.ss), Field.hostSsSelector),
  narrow(selector(Seg.ds), Field.hostDsSelector),
  narrow(selector(Seg.es), Field.hostEsSelector),
  narrow(selector(Seg.fs), Field.hostFsSelector),
  wide(base(Seg.fs), Field.hostFsBase),
  narrow(selector(Seg.gs), Field.hostGsSelector),
  wide(base(Seg.gs), Field.hostGsBase),
  narrow(selector(Seg.tr), Field.hostTrSelector),
  wide(base(Seg.tr), Field.hostTrBase),
  wide(State.gdtrBase, Field.hostGdtrBase),
  wide(State.idtrBase, Field.hostIdtrBase),
  wide(State.rip, Field.hostRip),
  wide(State.gpr + 4 * 8, Field.hostRsp),
]);

/** False: a PDPTE of the host has reserved bits set, which is a VMX abort. @param byNmi the exit was caused by an NMI, which blocks NMIs in the host. */
export function loadHostState(cpu: Cpu, vmcs: Vmcs, byNmi: boolean): boolean {
  const exit = vmcs.u32(Field.primaryVmExitControls);
  const host64 = (exit & ExitControl.hostAddressSpaceSize) !== 0;
  const usedVpid = (secondaryControls(vmcs) & Secondary.enableVpid) !== 0;
  cpu.set32(State.vmxMode, VmxMode.root);

  // Control registers, debug registers, MSRs
  cpu.u32[State.cr0 >> 2] = (vmcs.u32(Field.hostCr0) & ~CR0_KEPT) | (cpu.u32[State.cr0 >> 2] & CR0_KEPT);
  cpu.u32[(State.cr0 >> 2) + 1] = 0;
  vmcs.load(cpu, HOST_LOADED);
  if (host64) cpu.u32[State.cr4 >> 2] |= CR4_PAE;
  else cpu.u32[State.cr4 >> 2] &= ~CR4_PCIDE;
  cpu.set64(State.dr + 56, 0x400n);
  cpu.set64(State.debugctl, 0n);
  setLongMode(cpu, host64, true);
  if (exit & ExitControl.loadIa32Pat) loadSlot(cpu, State.pat, vmcs, Field.hostIa32Pat);
  if (exit & ExitControl.loadIa32Efer) loadSlot(cpu, State.efer, vmcs, Field.hostIa32Efer);

  // Segment and descriptor-table registers
  clearBase(cpu, Seg.cs);
  setRights(cpu, Seg.cs, FULL_LIMIT, host64 ? CODE64 : CODE32);
  for (const segment of WITHOUT_BASE) clearBase(cpu, segment);
  for (const segment of DATA_SEGMENTS) loadData(cpu, segment);
  setRights(cpu, Seg.tr, 0x67, BUSY_TSS);
  cpu.setSegment(Seg.ldtr, 0, 0n, 0, UNUSABLE);
  cpu.set32(State.gdtrLimit, 0xffff);
  cpu.set32(State.idtrLimit, 0xffff);

  // RIP, RSP, RFLAGS
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
function loadData(cpu: Cpu, segment: number): void {
  setRights(cpu, segment, FULL_LIMIT, cpu.i32[selector(segment) >> 2] === 0 ? UNUSABLE : DATA);
}
function setRights(cpu: Cpu, segment: number, limit: number, access: number): void {
  cpu.i32[(segmentSlot(segment) + SegmentState.limit) >> 2] = limit;
  cpu.i32[(segmentSlot(segment) + SegmentState.access) >> 2] = access;
}
function clearBase(cpu: Cpu, segment: number): void {
  cpu.i32[base(segment) >> 2] = 0;
  cpu.i32[(base(segment) >> 2) + 1] = 0;
}
const WITHOUT_BASE = [Seg.ss, Seg.ds, Seg.es];
const DATA_SEGMENTS = [Seg.ss, Seg.ds, Seg.es, Seg.fs, Seg.gs];
