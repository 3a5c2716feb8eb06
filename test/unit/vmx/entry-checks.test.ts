/** Each VM-entry check, on both sides of its border; see entry-check-cases. */
import { strict as assert } from 'node:assert';
import { Outcome } from '../../../emulator/cpu/outcome';
import { Flag, State } from '../../../emulator/spec/vcpu-state';
import { Field, type VmcsField } from '../../../emulator/spec/vmcs-fields';
import { forgetChecks } from '../../../emulator/vmx/changes';
import type { CheckContext } from '../../../emulator/vmx/checks/check-row';
import { ENTRY_CHECKS, firstFailure } from '../../../emulator/vmx/checks/entry-checks';
import { vmcsCheckContext } from '../../../emulator/vmx/checks/vmcs-check-context';
import { CHECK_CASES, type CheckCase } from './entry-check-cases';
import { GUEST_RIP, HOST_RIP, LEGAL, makeBench, OPERAND, OTHER_VMCS, VMCS_REGION, type Bench, type Values } from './vmx-bench';

function benchFor(c: CheckCase, values: Values): Bench {
  const bench = makeBench(c.model);
  c.prepare?.(bench);
  bench.set({ ...c.common, ...values });
  return bench;
}
function contextOf(bench: Bench, c: CheckCase): CheckContext {
  const { vmx, memory, cpu, vmcs } = bench;
  const capabilities = { ...vmx.capabilities, eptVpidCap: vmx.capabilities.eptVpidCap & ~(c.without ?? 0n) };
  return vmcsCheckContext({ memory, capabilities }, cpu, vmcs);
}
const failing = (context: CheckContext): string[] => ENTRY_CHECKS.filter((row) => !row.holds(context)).map((row) => row.name);

describe('VM-entry checks', () => {
  it('every row has a case, and every case a row', () => {
    const rows = ENTRY_CHECKS.map((r) => r.name);
    assert.equal(new Set(rows).size, rows.length, 'names are unique');
    const cases = CHECK_CASES.map((c) => c.row);
    assert.deepEqual(rows.filter((name) => !cases.includes(name)), []);
    assert.deepEqual(cases.filter((name) => !rows.includes(name)), []);
  }); // prettier-ignore

  it('the legal VMCS of the bench enters', () => {
    const bench = makeBench();
    assert.equal(firstFailure(ENTRY_CHECKS, vmcsCheckContext({ memory: bench.memory, capabilities: bench.vmx.capabilities }, bench.cpu, bench.vmcs)), undefined);
    assert.equal(bench.execute('VMLAUNCH'), Outcome.jumped);
    assert.equal(bench.cpu.rip, GUEST_RIP);
    assert.equal(bench.cpu.get32(State.vmxMode), 2);
  }); // prettier-ignore

  for (const c of CHECK_CASES) {
    it(`${c.row}: refused with ${c.ends}`, () => {
      const bench = benchFor(c, c.broken);
      const context = contextOf(bench, c);
      assert.deepEqual(failing(context).sort(), [c.row, ...(c.also ?? [])].sort());
      if (c.without !== undefined) return; // another processor: only the rows can be asked
      if (c.ends === 33) {
        assert.equal(bench.execute('VMLAUNCH'), Outcome.exited);
        assert.equal(bench.get('vmExitReason'), 0x8000_0021n);
        assert.equal(bench.get('exitQualification'), BigInt(c.qualification ?? 0));
        assert.equal(bench.cpu.rip, HOST_RIP);
        assert.equal(bench.cpu.get32(State.vmxMode), 1);
      } else {
        assert.equal(bench.execute('VMLAUNCH'), Outcome.next);
        assert.equal(bench.get('vmInstructionError'), BigInt(c.ends));
        assert.ok(bench.cpu.flag(Flag.ZF));
        assert.ok(!bench.cpu.flag(Flag.CF));
      }
      assert.equal(bench.vmcs.launchState, 0);
      const [failure] = bench.failures;
      const first = failing(context)[0];
      assert.equal(failure.check?.name, first);
      if (!c.also) assert.equal(first, c.row);
      assert.ok(failure.check!.fields.length > 0);
    });

    it(`${c.row}: the nearest legal state enters`, () => {
      const bench = benchFor(c, c.legal);
      assert.deepEqual(failing(contextOf(bench, c)).filter((name) => !(c.also ?? []).includes(name)), []);
      if (c.also && failing(contextOf(bench, c)).length > 0) return; // the border of this row alone
      const outcome = bench.execute('VMLAUNCH');
      assert.equal(outcome, Outcome.jumped, JSON.stringify(bench.failures, (_k, v: unknown) => (typeof v === 'bigint' ? `0x${v.toString(16)}` : v)));
    }); // prettier-ignore
  }

  it('a row reads only the fields that it declares', () => {
    for (const c of CHECK_CASES) {
      for (const values of [c.legal, c.broken]) {
        const bench = benchFor(c, values);
        const context = contextOf(bench, c);
        const read = new Set<VmcsField>();
        const recording: CheckContext = {
          capabilities: context.capabilities,
          ia32eMode: context.ia32eMode,
          pointer: context.pointer,
          u32: (f) => (read.add(f), context.u32(f)),
          high32: (f) => (read.add(f), context.high32(f)),
          u64: (f) => (read.add(f), context.u64(f)),
          address: (f) => (read.add(f), context.address(f)),
          read32: (a) => context.read32(a),
          read64: (a) => context.read64(a),
        };
        for (const row of ENTRY_CHECKS) {
          read.clear();
          row.holds(recording);
          const undeclared = [...read].filter((f) => !row.fields.includes(f) && !row.conditions.includes(f));
          assert.deepEqual(undeclared.map((f) => f.name), [], row.name);
        }
      }
    }
  }).timeout(20000); // prettier-ignore

  it('an entry that repeats only the checks whose inputs changed decides as one that makes them all', () => {
    const seed = 0x5eed;
    let state = seed;
    const random = (n: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * n);
    };
    const plain = CHECK_CASES.filter((c) => c.model === undefined && c.without === undefined && !c.prepare);
    let refused = 0;
    let made = 0;
    for (let round = 0; round < 60; round++) {
      const bench = makeBench();
      for (let n = 0; n < 25; n++) {
        const full = vmcsCheckContext({ memory: bench.memory, capabilities: bench.vmx.capabilities }, bench.cpu, bench.vmcs);
        const expected = firstFailure(ENTRY_CHECKS, full)?.name;
        const failures = bench.failures.length;
        bench.cpu.stop = undefined;
        const outcome = bench.execute(bench.vmcs.launchState === 0 ? 'VMLAUNCH' : 'VMRESUME');
        assert.equal(bench.failures[failures]?.check?.name, expected, `seed ${seed}, round ${round}, entry ${n}`);
        if (expected !== undefined) refused++;
        if (outcome === Outcome.jumped) {
          made++;
          // The guest changes some of its state and exits.
          const { cpu } = bench;
          if (random(3) === 0) cpu.flags = [2, 0x202, 0x102, 0x2_0002][random(4)];
          if (random(4) === 0) cpu.rip = [0x1_0000_0000n, 0x1_0000_0000_0000n, GUEST_RIP][random(3)];
          if (random(4) === 0) cpu.setSegment(random(8), random(64), 0n, 0xffff_ffff, [0xc093, 0xc0f3, 0x10000, 0xa09b, 0x8b][random(5)]);
          if (random(6) === 0) cpu.set32(State.interruptibility, random(4));
          if (random(6) === 0) cpu.set64(State.cr0, [0x8000_0031n, 0x8000_0011n][random(2)]);
          bench.vmx.intercept(cpu, { kind: 'instruction', name: 'CPUID', length: 2 });
        }
        const { common, legal, broken } = plain[random(plain.length)];
        if (random(2) === 0) bench.set(LEGAL);
        if (random(2) === 0) bench.set({ ...common, ...(random(3) === 0 ? broken : legal) });
      }
    }
    assert.ok(refused > 200 && made > 200, `${refused} refused, ${made} made`);
  });

  /** A guest that was entered and exited, so that all checks held once. */
  function exited(values: Values): Bench {
    const bench = makeBench();
    bench.set(values);
    assert.equal(bench.execute('VMLAUNCH'), Outcome.jumped);
    bench.vmx.intercept(bench.cpu, { kind: 'instruction', name: 'CPUID', length: 2 });
    return bench;
  }
  it('what changes outside the VMCS is seen at the next entry', () => {
    const bench = exited({ vmcsLinkPointer: OTHER_VMCS });
    bench.memory.write32(OTHER_VMCS, 0);
    assert.equal(bench.execute('VMRESUME'), Outcome.exited);
    assert.equal(bench.failures[0].check?.name, 'VMCS_LINK_POINTER: revision identifier');
    const mode = exited({});
    mode.cpu.set64(State.efer, 0n);
    mode.cpu.set32(State.mode, 2);
    mode.execute('VMRESUME');
    assert.equal(mode.failures[0].check?.name, '“IA-32e mode guest” outside IA-32e mode');
  });
  it('VMWRITE of RFLAGS.VM makes the segment checks again', () => {
    const bench = exited({ vmEntryControls: 0x11fb, guestCr4: 0x2000, guestCsAccessRights: 0xc09b });
    bench.cpu.setGpr(1, 0x6820n);
    bench.cpu.setGpr(0, 0x2_0002n);
    assert.equal(bench.execute('VMWRITE', { reg: 1, rm: 0 }), Outcome.next);
    assert.equal(bench.execute('VMRESUME'), Outcome.exited);
    assert.equal(bench.failures[0].check?.name, 'GUEST_CS_BASE: virtual-8086');
  });
  it("VMPTRLD and a user's edit make every check again", () => {
    for (const again of [
      (b: Bench) => forgetChecks(b.cpu),
      (b: Bench) => {
        b.memory.write64(OPERAND, BigInt(VMCS_REGION));
        b.execute('VMPTRLD');
      },
    ]) {
      const bench = exited({});
      bench.vmcs.setU32(Field.hostTrSelector, 0);
      again(bench);
      assert.equal(bench.execute('VMRESUME'), Outcome.next);
      assert.equal(bench.failures[0].check?.name, 'HOST_TR_SELECTOR: not null');
    }
  });

  it('names an exact section of the manual for every row', () => {
    const sections = new Set(ENTRY_CHECKS.map((r) => r.section));
    assert.deepEqual(
      [...sections],
      [
        'VM-Execution Control Fields',
        'VM-Exit Control Fields',
        'VM-Entry Control Fields',
        'Checks on Host Control Registers, MSRs, and SSP',
        'Checks on Host Segment and Descriptor-Table Registers',
        'Checks Related to Address-Space Size',
        'Checks on Guest Control Registers, Debug Registers, and MSRs',
        'Checks on Guest Segment Registers',
        'Checks on Guest Descriptor-Table Registers',
        'Checks on Guest RIP, RFLAGS, and SSP',
        'Checks on Guest Non-Register State',
        'Checks on Guest Page-Directory-Pointer-Table Entries',
      ],
    );
  });
});
