/**
 * The state of a processor after INIT, and after the start-up IPI that follows it (SDM volume 3, table "IA-32 and Intel 64 Processor States
 * Following Power-up, Reset, or INIT", and "MP Initialization Protocol Algorithm"). x87, SSE and most MSRs keep their values over INIT.
 */
import { Activity, Cr0 } from '../spec/registers';
import { GPR_NAMES, SEGMENT_NAMES, Seg, State } from '../spec/vcpu-state';
import type { Cpu } from './cpu';

const FLAGS_AFTER_INIT = 2;
const RDX = 2;
/** Access rights: present, accessed; writable data, readable code, LDT, busy 16-bit TSS as the table has them. */
const DATA = 0x93;
const CODE = 0x9b;
const LDT = 0x82;
const TSS = 0x8b;
const LIMIT = 0xffff;

/** INIT: the bootstrap processor (the one that the loader started) goes to the reset vector, the others wait for a start-up IPI. */
export function initProcessor(cpu: Cpu): void {
  GPR_NAMES.forEach((_, n) => cpu.setGpr(n, n === RDX ? BigInt(cpu.model.signature >>> 0) : 0n));
  SEGMENT_NAMES.forEach((_, n) => cpu.setSegment(n, 0, 0n, LIMIT, n === Seg.ldtr ? LDT : n === Seg.tr ? TSS : DATA));
  cpu.setSegment(Seg.cs, 0xf000, 0xffff_0000n, LIMIT, CODE);
  // CD and NW are unchanged, ET is set.
  cpu.set64(State.cr0, (cpu.cr0 & (Cr0.CD | Cr0.NW)) | Cr0.ET);
  for (const slot of [State.cr2, State.cr3, State.cr4, State.efer]) cpu.set64(slot, 0n);
  cpu.set64(State.gdtrBase, 0n);
  cpu.set32(State.gdtrLimit, LIMIT);
  cpu.set64(State.idtrBase, 0n);
  cpu.set32(State.idtrLimit, LIMIT);
  for (let n = 0; n < 4; n++) cpu.set64(State.dr + 8 * n, 0n);
  cpu.set64(State.dr + 8 * 6, 0xffff_0ff0n);
  cpu.set64(State.dr + 8 * 7, 0x400n);
  cpu.rip = 0xfff0n;
  cpu.flags = FLAGS_AFTER_INIT;
  cpu.set64(State.debugctl, 0n);
  cpu.set32(State.interruptibility, 0);
  cpu.set32(State.pendingDebug, 0);
  cpu.set32(State.boundary, 0);
  cpu.set32(State.monitorArmed, 0);
  cpu.setCpl(0);
  cpu.set32(State.activity, cpu.index === 0 ? Activity.active : Activity.waitForSipi);
  cpu.mmu.flushAll(cpu);
}

/** SIPI: execution begins in real-address mode at the page whose number is the vector. */
export function startProcessor(cpu: Cpu, vector: number): void {
  cpu.setSegment(Seg.cs, vector << 8, BigInt(vector) << 12n, LIMIT, CODE);
  cpu.rip = 0n;
  cpu.set32(State.activity, Activity.active);
  cpu.modeChanged();
}
