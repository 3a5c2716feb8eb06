/** CPU models: the text that chooses them, refused mixes, and that CPUID, CR4 and the VMX capabilities say the same. */
import { strict as assert } from 'node:assert';
import { CPU_FEATURES, FEATURE_NEEDS } from '../../../emulator/spec/cpu-model';
import { cpuModelNamed, cpuModels, defaultCpuModel } from '../../../emulator/spec/cpu-models';
import { cpuid, cpuidFeatureBits } from '../../../emulator/spec/cpuid';
import { VmxMsr, vmxCapabilities } from '../../../emulator/spec/vmx-capabilities';
import { UserError } from '../../../emulator/user-error';

const context = { code64: true, osxsave: false, initialApicId: 0 };
const refusal = (text: string): string => {
  try {
    cpuModelNamed(text);
  } catch (e) {
    assert.ok(e instanceof UserError);
    return e.message;
  }
  throw new Error(`${text} was accepted`);
};

describe('CPU models', () => {
  it('are four, skylake-server the default, and each has what its features need', () => {
    assert.deepEqual(Object.keys(cpuModels), ['qemu64', 'penryn', 'haswell', 'skylake-server']);
    assert.equal(cpuModelNamed('skylake-server'), defaultCpuModel);
    for (const model of Object.values(cpuModels))
      for (const f of model.features)
        for (const needed of FEATURE_NEEDS[f] ?? []) assert.ok(model.features.has(needed), `${model.name} ${f}`);
  });

  it('features are switched on and off; what needs a feature goes with it', () => {
    const m = cpuModelNamed('haswell,-ept,+la57,maxphyaddr=40');
    assert.equal(m.name, 'haswell,-ept,+la57,maxphyaddr=40');
    for (const gone of ['ept', 'ept-ad', 'unrestricted-guest'] as const) assert.ok(!m.features.has(gone), gone);
    assert.ok(m.features.has('vmx') && m.features.has('vpid'));
    assert.deepEqual([m.linearBits, m.maxPhyAddr], [57, 40]);
    assert.deepEqual(
      [...cpuModelNamed('haswell, -vmx').features].filter((f) => /vmx|ept|vpid|unrestricted/.test(f)),
      [],
    );
    assert.ok(cpuModelNamed('qemu64,+vmx,+ept').features.has('ept'));
  });

  it('impossible mixes and unknown names are refused with a sentence', () => {
    assert.match(refusal('qemu64,+ept'), /ept needs vmx, but the model qemu64 has no vmx/);
    assert.match(refusal('haswell,-vmx,+vpid'), /vpid needs vmx, but vmx is switched off/);
    assert.match(refusal('haswell,-ept,+unrestricted-guest'), /unrestricted-guest needs ept, but ept is switched off/);
    assert.match(refusal('haswell,-pcid,+invpcid'), /invpcid needs pcid/);
    assert.match(refusal('haswell,+pku,-pku'), /both on and off/);
    assert.match(refusal('haswell,+avx'), /"\+avx" switches no feature.*bmi1/);
    assert.match(refusal('haswell,la57'), /"la57" switches no feature/);
    assert.match(refusal('haswell,maxphyaddr=53'), /outside 36 to 52/);
    assert.match(refusal('nehalem'), /unknown CPU model "nehalem"/);
    assert.match(refusal('constructor'), /unknown CPU model/);
  });

  it('CPUID shows exactly the features that have a bit there', () => {
    for (const model of Object.values(cpuModels))
      for (const bit of cpuidFeatureBits) {
        const shown = (cpuid(model, bit.leaf, 0, context)[bit.register] >>> bit.bit) & 1;
        assert.equal(shown, bit.feature === undefined || model.features.has(bit.feature) ? 1 : 0, `${model.name} ${bit.name}`);
      }
    const shownSomewhere = new Set(cpuidFeatureBits.map((b) => b.feature));
    const hidden = CPU_FEATURES.filter((f) => !shownSomewhere.has(f));
    // VMX features have capability MSRs, SYSCALL a bit of its own rule, CRC32 belongs to SSE4.2, which is not built.
    assert.deepEqual(hidden, [
      'vmx-true-controls', 'ept', 'ept-ad', 'unrestricted-guest', 'vpid', 'ept-violation-details', 'mode-based-execute', 'pml', 'ept-ve', 'vmfunc', 'vmcs-shadowing', 'preemption-timer', 'pause-loop-exiting', 'tsc-scaling', 'virtual-x2apic', 'apicv', 'posted-interrupts', 'zero-length-injection', 'syscall', 'crc32',
    ]); // prettier-ignore
    assert.equal(cpuid(cpuModelNamed('haswell,+pku'), 7, 0, { ...context, ospke: true }).ecx & 0x18, 0x18);
    assert.deepEqual(
      Object.values(cpuModels).map((m) => cpuid(m, 1, 0, context).eax),
      [0xf61, 0x1067a, 0x306c3, 0x50654],
    );
    assert.equal(cpuid(cpuModelNamed('haswell,+la57'), 0x80000008, 0, context).eax, 39 | (57 << 8));
  });

  it('VMX capabilities follow: TRUE controls, EPT, VPID, unrestricted guest, CR4 bits', () => {
    const of = (text: string): ReturnType<typeof vmxCapabilities> => vmxCapabilities(cpuModelNamed(text));
    const penryn = of('penryn');
    assert.equal((penryn.msrs.get(VmxMsr.basic) ?? 0n) >> 55n, 0n);
    assert.ok(!penryn.msrs.has(VmxMsr.trueEntryCtls) && !penryn.msrs.has(VmxMsr.eptVpidCap));
    const haswell = of('haswell');
    assert.equal((haswell.msrs.get(VmxMsr.basic) ?? 0n) >> 55n, 1n);
    assert.equal((haswell.eptVpidCap >> 21n) & 1n, 1n);
    assert.equal((of('haswell,-ept-ad').eptVpidCap >> 21n) & 1n, 0n);
    assert.equal((of('haswell,-page1gb').eptVpidCap >> 17n) & 1n, 0n);
    const ept = 1 << 1, vpid = 1 << 5, unrestricted = 1 << 7; // prettier-ignore
    const secondary = (text: string): number => of(text).controls.secondary.allowed1 & (ept | vpid | unrestricted);
    assert.deepEqual(['penryn', 'haswell', 'haswell,-ept', 'haswell,-unrestricted-guest'].map(secondary), [
      0,
      ept | vpid | unrestricted,
      vpid,
      ept | vpid,
    ]);
    const cr4 = (text: string): bigint => of(text).cr4Fixed1 & ((1n << 12n) | (1n << 20n) | (1n << 22n));
    assert.deepEqual(['penryn', 'haswell', 'skylake-server', 'penryn,+la57'].map(cr4), [
      0n,
      1n << 20n,
      (1n << 20n) | (1n << 22n),
      1n << 12n,
    ]);
  });
});
