/** The VMCS tree: every field once, decoded; reading changes nothing; exits and refusals in words. */
import { strict as assert } from 'node:assert';
import { explainEntryFailure, explainExit, vmcsChildren, vmcsFieldNode } from '../../../emulator/inspect/vmcs';
import type { InspectNode } from '../../../emulator/api';
import { VMCS_FIELDS } from '../../../emulator/spec/vmcs-fields';
import { makeBench, VMCS_REGION } from '../vmx/vmx-bench';

function walk(list: (id: string) => readonly InspectNode[], id: string): InspectNode[] {
  return list(id).flatMap((node) => [node, ...(node.expandable ? walk(list, node.id) : [])]);
}

describe('inspect: VMCS', () => {
  it('shows every field once, and changes nothing', () => {
    const bench = makeBench();
    const before = bench.memory.physRead(0, 0x100000);
    const nodes = walk((id) => vmcsChildren(bench.memory, VMCS_REGION, id), 'vmcs');
    const labels = nodes.map((n) => n.label);
    for (const field of VMCS_FIELDS) assert.equal(labels.filter((l) => l === field.name).length, 1, field.name);
    assert.equal(new Set(nodes.map((n) => n.id)).size, nodes.length, 'ids are unique');
    for (const node of nodes) if (node.expandable) assert.ok(vmcsChildren(bench.memory, VMCS_REGION, node.id).length > 0, node.id);
    assert.deepEqual(bench.memory.physRead(0, 0x100000), before);
  });
  it('leaves out what the processor does not have when asked to', () => {
    const bench = makeBench();
    const labels = walk((id) => vmcsChildren(bench.memory, VMCS_REGION, id, bench.vmx.capabilities), 'vmcs').map((n) => n.label);
    assert.ok(labels.includes('EPT_POINTER'));
    assert.ok(!labels.includes('ENCLS_EXITING_BITMAP'));
  });
  it('decodes values', () => {
    const bench = makeBench();
    bench.set({ exceptionBitmap: 0x4002, vmEntryInterruptionInformation: 0x8000_0b0d, guestActivityState: 1 });
    const of = (name: string): InspectNode => vmcsFieldNode(bench.memory, VMCS_REGION, name)!;
    assert.equal(of('GUEST_CR0').value, '0x0000000080000031');
    assert.equal(of('GUEST_CR0').description, 'PE, ET, NE, PG');
    assert.equal(of('GUEST_CS_ACCESS_RIGHTS').description, 'code, readable, 64-bit, DPL 0');
    assert.equal(of('GUEST_LDTR_ACCESS_RIGHTS').description, 'unusable');
    assert.equal(of('GUEST_TR_ACCESS_RIGHTS').description, 'busy TSS, DPL 0');
    assert.equal(of('EXCEPTION_BITMAP').description, '#DB, #PF');
    assert.equal(of('VM_ENTRY_INTERRUPTION_INFORMATION').description, '#GP, hardware exception, vector 13, with error code');
    assert.equal(of('GUEST_ACTIVITY_STATE').description, 'HLT');
    assert.equal(of('VMCS_LINK_POINTER').description, 'not used');
    assert.match(of('EPT_POINTER').description!, /WB.*4 levels/);
    assert.match(of('SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS').description!, /^enable EPT$/);
    assert.match(of('GUEST_CR3').tooltip!, /encoding 0x6802, natural width/);
    assert.deepEqual(of('GUEST_RIP').memory, { space: 'gva', level: 2, address: 0x50_0000n });
    assert.deepEqual(of('GUEST_CR3').memory, { space: 'gpa', level: 2, address: 0x5000n });
    const bits = vmcsChildren(bench.memory, VMCS_REGION, 'vmcs/guest/GUEST_CS_ACCESS_RIGHTS');
    assert.deepEqual(bits.map((b) => [b.label, b.value]).slice(0, 3), [['type (bits 3:0)', '0xb'], ['S (bit 4)', '0x1'], ['DPL (bits 6:5)', '0x0']]);
  }); // prettier-ignore
  it('decodes the qualification by the reason', () => {
    const bench = makeBench();
    bench.execute('VMLAUNCH');
    bench.vmx.intercept(bench.cpu, { kind: 'ept-violation', qualification: 0x182n, gpa: 0x1234_5000, linear: 0x7000n });
    assert.match(vmcsFieldNode(bench.memory, VMCS_REGION, 'EXIT_QUALIFICATION')!.description!, /^data write/);
    assert.match(vmcsFieldNode(bench.memory, VMCS_REGION, 'VM_EXIT_REASON')!.description!, /^EPT_VIOLATION: /);
  });
  it('answers nothing without a VMCS or for unknown nodes', () => {
    const bench = makeBench();
    for (const [pointer, id] of [[-1, 'vmcs'], [0x7fff_f000, 'vmcs'], [VMCS_REGION, 'vmcs/none'], [VMCS_REGION, 'vmcs/guest/HOST_CR0'], [VMCS_REGION, 'idt'], [VMCS_REGION, 'vmcs/guest/GUEST_CR0/0']] as const) {
      assert.deepEqual(vmcsChildren(bench.memory, pointer, id), []);
    }
    assert.equal(vmcsFieldNode(bench.memory, VMCS_REGION, 'NO_SUCH_FIELD'), undefined);
  }); // prettier-ignore
});

describe('inspect: words', () => {
  it('explain an exit', () => {
    const bench = makeBench();
    bench.execute('VMLAUNCH');
    bench.vmx.intercept(bench.cpu, { kind: 'ept-violation', qualification: 0x182n, gpa: 0x1234_5000, linear: 0x7000n });
    assert.equal(
      explainExit(bench.exits[0]),
      [
        'VM exit EPT_VIOLATION (48) at RIP 0x500000.',
        'The EPT paging structures did not allow an access to a guest-physical address.',
        'Exit qualification 0x182: data write, of the translation of a linear address; EPT allows nothing (not present).',
        'Guest-physical address 0x12345000.',
        'Guest linear address 0x7000.',
      ].join('\n'),
    );
  });
  it('explain an exception exit', () => {
    const bench = makeBench();
    bench.set({ exceptionBitmap: 1 << 14 });
    bench.execute('VMLAUNCH');
    bench.vmx.intercept(bench.cpu, { kind: 'exception', vector: 14, errorCode: 2, type: 3, length: 0, qualification: 0xdead_0000n });
    assert.match(explainExit(bench.exits[0]), /page fault at linear address 0xdead0000/);
    assert.match(explainExit(bench.exits[0]), /Event: #PF, hardware exception, vector 14, with error code, error code 0x2\./);
  });
  it('explain a refused entry with the check and its values', () => {
    const bench = makeBench();
    bench.set({ guestRflags: 0 });
    bench.execute('VMLAUNCH');
    const words = explainEntryFailure(bench.failures[0]);
    assert.match(words, /^VMLAUNCH failed with exit reason 33 \(INVALID_GUEST_STATE\), exit qualification 0x0\./);
    assert.match(words, /Check “GUEST_RFLAGS: reserved bits” \(SDM “Checks on Guest RIP, RFLAGS, and SSP”\)/);
    assert.match(words, /GUEST_RFLAGS = 0x0/);
    const invalid = makeBench();
    invalid.execute('VMRESUME');
    assert.match(explainEntryFailure(invalid.failures[0]), /VM-instruction error 5: VMRESUME with non-launched VMCS/);
  });
});
