/**
 * VMCS shadowing for L1: a shadow VMCS in host memory that hardware lets L1's VMREAD and VMWRITE work on, copied from VMCS12 when L1 may look at it
 * and back when L0 needs it (SDM volume 3, "VMCS Shadowing").
 */
import { Field, SHADOW_INDICATOR, VMCS_FIELDS, VMCS_REVISION } from '../../spec/vmcs-fields';
import { VIRTUAL_8086_CHANGED } from '../../vmx/changes';
import { Vmcs } from '../../vmx/vmcs';
import { type L0Context, vmcs12Of } from '../l0-context';

const NONE = 0xffff_ffff_ffff_ffffn;
const shadowOf = (l0: L0Context): Vmcs => new Vmcs(l0.cpu.memory, l0.pages.shadow);

/** Bitmaps that let every field through that there is; to be called once. */
export function prepareShadowing(l0: L0Context): void {
  const { memory } = l0.cpu;
  for (const page of l0.pages.accessBitmaps) {
    const bitmap = new Uint8Array(4096).fill(0xff);
    for (const encoding of l0.vmx.capabilities.fields.keys())
      for (const e of encoding >> 13 === 1 ? [encoding, encoding + 1] : [encoding]) bitmap[e >> 3] &= ~(1 << (e & 7));
    memory.physWrite(page, bitmap);
  }
  memory.write32(l0.pages.shadow, (VMCS_REVISION | SHADOW_INDICATOR) >>> 0);
}

/** L1 has a VMCS12: its fields become visible. */
export function exposeVmcs12(l0: L0Context): void {
  if (!l0.shadowing) return;
  const vmcs12 = vmcs12Of(l0);
  const shadow = shadowOf(l0);
  for (const field of VMCS_FIELDS) shadow.setHalves(field, vmcs12.u32(field), vmcs12.high32(field));
  l0.l1.set(Field.vmcsLinkPointer, BigInt(l0.pages.shadow));
}

/** What L1 has written goes to VMCS12. */
export function collectVmcs12(l0: L0Context): void {
  if (!l0.shadowing || l0.state.vmcs12 < 0) return;
  const vmcs12 = vmcs12Of(l0);
  const shadow = shadowOf(l0);
  for (const field of VMCS_FIELDS) l0.state.changed12 |= vmcs12.saveHalves(field, shadow.u32(field), shadow.high32(field));
  // RFLAGS.VM has a change bit of its own.
  if (l0.state.changed12 !== 0) l0.state.changed12 |= VIRTUAL_8086_CHANGED;
  vmcs12.noteWritten();
}

/** L1 has no VMCS12 any more: VMREAD and VMWRITE fail as without a current VMCS. */
export function hideVmcs12(l0: L0Context): void {
  if (l0.shadowing) l0.l1.set(Field.vmcsLinkPointer, NONE);
}
