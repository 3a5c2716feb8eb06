/** SDM volume 3, "VMCS Shadowing", "VMREAD", "VMWRITE", "VMLAUNCH/VMRESUME" about shadow VMCSs; IA32_VMX_MISC bit 29 (appendix "Miscellaneous Data"). */
import { strict as assert } from 'node:assert';
import { Outcome } from '../../../emulator/cpu/outcome';
import { Flag } from '../../../emulator/spec/vcpu-state';
import { Field, VMCS_REVISION } from '../../../emulator/spec/vmcs-fields';
import { Vmcs } from '../../../emulator/vmx/vmcs';
import { entered, makeBench, OPERAND, OTHER_VMCS, VMXON_REGION, type Bench, type Values } from './vmx-bench';

const READ_BITMAP = 0x8000;
const WRITE_BITMAP = 0x9000;
const SHADOW = VMCS_REVISION + 0x8000_0000;
const SHADOWING: Values = {
  secondaryProcessorBasedVmExecutionControls: 2 | (1 << 14),
  vmreadBitmapAddress: READ_BITMAP,
  vmwriteBitmapAddress: WRITE_BITMAP,
  vmcsLinkPointer: OTHER_VMCS,
};
const GUEST_CR3 = BigInt(Field.guestCr3.encoding);
const reg = { reg: 1, rm: 0 };

/** A guest under VMCS shadowing, about to access GUEST_CR3. */
function guest(values: Values = SHADOWING): Bench {
  const bench = entered(values, (b) => b.memory.write32(OTHER_VMCS, SHADOW));
  bench.cpu.setGpr(1, GUEST_CR3);
  return bench;
}
const shadowOf = (bench: Bench): Vmcs => new Vmcs(bench.memory, OTHER_VMCS);

describe('VMCS shadowing', () => {
  it('VMREAD and VMWRITE of the guest reach the shadow VMCS', () => {
    const bench = guest();
    shadowOf(bench).setU64(Field.guestCr3, 0x1234_5000n);
    assert.equal(bench.execute('VMREAD', reg), Outcome.next);
    assert.equal(bench.cpu.gpr(0), 0x1234_5000n);
    bench.cpu.setGpr(0, 0x6000n);
    assert.equal(bench.execute('VMWRITE', reg), Outcome.next);
    assert.equal(shadowOf(bench).u64(Field.guestCr3), 0x6000n);
    assert.equal(bench.get('guestCr3'), 0x5000n, 'the current VMCS is as it was');
  });
  for (const [why, prepare] of [
    ['the bit of the bitmap is 1', (b: Bench) => b.memory.write8(READ_BITMAP + (0x6802 >> 3), 1 << (0x6802 & 7))],
    ['the encoding has a bit above 14', (b: Bench) => b.cpu.setGpr(1, GUEST_CR3 | 0x8000n)],
  ] as const) {
    it(`exits when ${why}`, () => {
      const bench = guest();
      prepare(bench);
      assert.equal(bench.execute('VMREAD', reg), Outcome.exited);
      assert.equal(bench.get('vmExitReason'), 23n);
    });
  }
  it('the bitmap of VMWRITE is another', () => {
    const bench = guest();
    bench.memory.write8(WRITE_BITMAP + (0x6802 >> 3), 1 << (0x6802 & 7));
    assert.equal(bench.execute('VMREAD', reg), Outcome.next);
    assert.equal(bench.execute('VMWRITE', reg), Outcome.exited);
    assert.equal(bench.get('vmExitReason'), 25n);
  });
  it('exits without the control', () => {
    const bench = entered();
    bench.cpu.setGpr(1, GUEST_CR3);
    assert.equal(bench.execute('VMREAD', reg), Outcome.exited);
  });
  it('CPL > 0 is #GP(0), after the exit', () => {
    const bench = guest();
    bench.cpu.setCpl(3);
    assert.equal(bench.execute('VMREAD', reg), Outcome.pending);
  });
  it('without a link pointer it is VMfailInvalid; an unsupported field is VMfailValid(12) in the shadow VMCS', () => {
    const bench = guest({ ...SHADOWING, vmcsLinkPointer: 0xffff_ffff_ffff_ffffn });
    bench.execute('VMREAD', reg);
    assert.ok(bench.cpu.flag(Flag.CF));
    const other = guest();
    other.cpu.setGpr(1, 0x6ffen);
    other.execute('VMREAD', reg);
    assert.ok(other.cpu.flag(Flag.ZF));
    assert.equal(shadowOf(other).u32(Field.vmInstructionError), 12);
    assert.equal(other.get('vmInstructionError'), 0n);
  });
  it('a shadow VMCS may be current, but not entered; no shadow VMXON region', () => {
    const bench = makeBench();
    bench.memory.write32(OTHER_VMCS, SHADOW);
    bench.memory.write64(OPERAND, BigInt(OTHER_VMCS));
    assert.equal(bench.execute('VMPTRLD'), Outcome.next);
    assert.ok(!bench.cpu.flag(Flag.CF) && !bench.cpu.flag(Flag.ZF));
    assert.equal(bench.execute('VMLAUNCH'), Outcome.next);
    assert.ok(bench.cpu.flag(Flag.CF), 'VMfailInvalid');
    const outside = makeBench();
    outside.execute('VMXOFF');
    outside.memory.write32(VMXON_REGION, SHADOW);
    outside.memory.write64(OPERAND, BigInt(VMXON_REGION));
    outside.execute('VMXON');
    assert.ok(outside.cpu.flag(Flag.CF));
  });
  it('the link pointer must name a shadow VMCS with the control, and an ordinary one without it', () => {
    for (const [values, word] of [[SHADOWING, VMCS_REVISION], [{ vmcsLinkPointer: OTHER_VMCS }, SHADOW]] as const) {
      const bench = makeBench();
      bench.set(values);
      bench.memory.write32(OTHER_VMCS, word);
      assert.equal(bench.execute('VMLAUNCH'), Outcome.exited);
      assert.deepEqual([bench.get('vmExitReason'), bench.get('exitQualification')], [0x8000_0021n, 4n]);
    }
  }); // prettier-ignore
  it('VMWRITE may write the exit-information fields: IA32_VMX_MISC bit 29', () => {
    const bench = makeBench();
    assert.equal((bench.vmx.capabilities.msrs.get(0x485)! >> 29n) & 1n, 1n);
    bench.cpu.setGpr(1, BigInt(Field.exitQualification.encoding));
    bench.cpu.setGpr(0, 7n);
    assert.equal(bench.execute('VMWRITE', reg), Outcome.next);
    assert.equal(bench.get('exitQualification'), 7n);
  });
});
