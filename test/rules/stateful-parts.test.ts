/**
 * Law: all machine state is plain, saved and restored. Enumerates the parts of a snapshot and every slot of the vCPU table, changes each, and
 * expects the hash to notice; and finds classes of the emulator that keep mutable fields which no snapshot could carry.
 */
import { strict as assert } from 'node:assert';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type MachineSnapshot, createMachine } from '../../emulator/index';
import { State, TlbEntry } from '../../emulator/spec/vcpu-state';

const root = join(import.meta.dirname, '../..');
const image = join(root, 'examples/nested-hello/nested-hello.elf');

/** Slots that are derived, or mean something only in the middle of an instruction: saved as zero. */
const TRANSIENT = new Set([
  'budget',
  'exitRecord',
  'codeTable',
  'codeEpoch',
  'accessLo',
  'accessHi',
  'eaTemp',
  'scratch',
  'zero',
  'flagKind',
  'flagB',
]);

/** Classes with fields that change, and why each is no machine state or is saved. */
const KNOWN: Readonly<Record<string, string>> = {
  'cpu/code-cache.ts': 'derived from memory: thrown away at any time',
  'cpu/processor.ts': 'eventStop: a request to the run loop, cleared when a slice begins',
  'cpu/cpu.ts': 'interruptPending: derived from the interrupt controllers; controller: wiring',
  'devices/local-apic/apic-timer.ts': 'saved by its local APIC',
  'devices/pic/pic-8259.ts': 'saved by the pair',
  'cpu/clock.ts': 'saved as the part "clock"',
  'cpu/schedule.ts': 'saved as the part "schedule"',
  'cpu/processors.ts': 'last: the vCPU that a stop is about',
  'mmu/vcpu-registers.ts': 'stop: why the slice ends; the step did not happen',
  'mmu/mmu.ts': 'what one instruction in flight is about to store; the walk under way',
  'mmu/walk.ts': 'outcome of the last walk',
  'mmu/ept-access.ts': 'the linear address of the access under way',
  'mmu/watchpoints.ts': "the user's watchpoints, and what the step under way has met of them",
  'mmu/tlb-journal.ts': 'TLB entries that the access under way has filled',
  'memory/physical-memory.ts': 'watchers and regions: wiring; the memory itself is saved',
  'memory/snapshot.ts': 'a hash being computed',
  'machine.ts': 'endedBy is saved; breakpoints and stopEvent belong to the user',
  'trace.ts': 'saved as the part "trace"',
  'trace-ring.ts': 'records of the trace, saved by it',
  'exit-sites.ts': 'saved by trace.ts',
  'devices/byte-queue.ts': 'output that the host has not taken yet',
  'devices/acpi/acpi-pm.ts': 'saved by its device',
  'devices/fw-cfg/fw-cfg.ts': 'saved by its device',
  'devices/pc-testdev/pc-testdev.ts': 'saved by its device',
  'devices/pit/pit.ts': 'saved by its device',
  'devices/rtc/rtc.ts': 'saved by its device',
  'devices/shared-lines.ts': 'saved as a device of its own',
  'devices/dma-controller/dma-controller.ts': 'saved by its device',
  'devices/edu/edu.ts': 'saved by its device',
  'devices/hpet/hpet.ts': 'saved by its device',
  'devices/hpet/hpet-timer.ts': 'saved by its device',
  'devices/i8042/i8042.ts': 'saved by its device',
  'devices/pci/pci-bus.ts': 'saved by its device',
  'devices/pci/pci-function.ts': 'saved by the PCI bus',
  'devices/pci/pirq-router.ts': 'saved by the PCI bus',
  'devices/control-port/system-control-port.ts': 'saved by its device',
  'devices/shutdown-port/shutdown-port.ts': 'saved by its device',
  'devices/uart/uart-16550.ts': 'saved by its device',
  'devices/debug-exit/isa-debug-exit.ts': 'saved by its device',
  'devices/pic/pic-pair.ts': 'saved by its device',
  'devices/io-apic/io-apic.ts': 'saved by its device',
  'devices/local-apic/local-apic.ts': 'saved by its device',
  'vmx/vmcs.ts': 'which region the accessor looks at; chosen anew at each use',
  'codegen/lower.ts': 'code being generated',
  'codegen/statement-lowering.ts': 'code being generated',
  'codegen/wasm.ts': 'code being generated',
  'codegen/jit/lower-region.ts': 'code being generated',
  'codegen/jit/region-flags.ts': 'code being generated',
  'cpu/record-templates.ts': 'derived: where the next template goes',
  'cpu/regions.ts': 'derived from memory: compiled code, thrown away at any time',
  'hypervisor/frame-table.ts': 'saved as a part of "hypervisor"',
  'hypervisor/guest-memory.ts': 'saved as a part of "hypervisor"; what is heeded follows from VMX operation of level 1',
  'hypervisor/hypervisor.ts': 'failure: what the hardware told of the VM entry under way',
  'hypervisor/ledger.ts': 'saved as a part of "hypervisor"',
  'hypervisor/nested/ept02.ts': 'saved as a part of "hypervisor"',
  'hypervisor/nested/merge-classes.ts': 'a table',
  'isa/semantics.ts': 'a program being traced',
};

function mutableFields(file: string): string[] {
  const source = readFileSync(file, 'utf8');
  if (!/\bclass\b/.test(source)) return [];
  return [
    ...source.matchAll(
      /^ {2}(?:private |protected |public )?(?!readonly|static readonly|get |set |async |constructor)([a-zA-Z]\w*)(?:[?!]?: [^()=;]+)?(?: = [^;]*)?;$/gm,
    ),
  ].map((m) => m[1]);
}
function* sources(dir: string, prefix = ''): Generator<string> {
  for (const e of readdirSync(dir, { withFileTypes: true }))
    if (e.isDirectory()) yield* sources(join(dir, e.name), `${prefix}${e.name}/`);
    else if (e.name.endsWith('.ts')) yield `${prefix}${e.name}`;
}

describe('stateful parts', function () {
  this.timeout(60_000);
  const running = async () => {
    const machine = await createMachine({ image: readFileSync(image), imageName: 'nested-hello', memoryBytes: 16 << 20 });
    machine.runSlice({ maxSteps: 9000 });
    return machine;
  };

  it('a snapshot has exactly the known parts, each plain data', async () => {
    const snapshot = (await running()).save();
    assert.deepEqual(Object.keys(snapshot.parts).sort(), ['clock', 'ended', 'platform', 'ram', 'schedule', 'trace', 'vcpus']);
    assert.deepEqual(structuredClone(snapshot), snapshot);
    const { devices } = snapshot.parts.platform as { devices: Record<string, unknown> };
    assert.ok(Object.keys(devices).length >= 3);
  });

  it('every slot of the vCPU table is saved, restored and hashed', async () => {
    const machine = await running();
    const saved = machine.save();
    const original = machine.hash();
    const unnoticed: string[] = [];
    for (const [name, offset] of Object.entries(State)) {
      if (TRANSIENT.has(name)) continue;
      const vcpu0 = (saved.parts.vcpus as Uint8Array[])[0].slice();
      vcpu0[offset] ^= 1;
      machine.restore({ ...saved, parts: { ...saved.parts, vcpus: [vcpu0] } } as MachineSnapshot);
      if (machine.hash() === original) unnoticed.push(name);
      assert.equal((machine.save().parts.vcpus as Uint8Array[])[0][offset], vcpu0[offset], `${name} is restored`);
    }
    assert.deepEqual(unnoticed, []);
    machine.restore(saved);
    assert.equal(machine.hash(), original);
  });

  it('TLB tags and frames are saved and hashed', async () => {
    const machine = await running();
    const saved = machine.save();
    const original = machine.hash();
    for (const offset of [
      State.tlb + TlbEntry.read,
      State.tlb + TlbEntry.write,
      State.tlb + TlbEntry.fetch,
      State.tlb + TlbEntry.addend,
      State.tlbPage + 7,
    ]) {
      const vcpu0 = (saved.parts.vcpus as Uint8Array[])[0].slice();
      vcpu0[offset + 5 * TlbEntry.stride] ^= 2;
      machine.restore({ ...saved, parts: { ...saved.parts, vcpus: [vcpu0] } } as MachineSnapshot);
      assert.notEqual(machine.hash(), original, `offset ${offset}`);
    }
  });

  it('every byte of RAM and every number of a device counts', async () => {
    const machine = await running();
    const saved = machine.save();
    const original = machine.hash();
    machine.writeMemory(0, 1, 'hpa', 0xfff_fffn, Uint8Array.of(1));
    assert.notEqual(machine.hash(), original);
    type Devices = { version: number; devices: Record<string, Record<string, unknown>> };
    const platform = saved.parts.platform as Devices;
    for (const [device, state] of Object.entries(platform.devices))
      for (const [field, value] of Object.entries(state)) {
        if (field === 'version' || typeof value !== 'number') continue;
        const changed = structuredClone(platform) as Devices;
        changed.devices[device][field] = value ^ 1;
        machine.restore({ ...saved, parts: { ...saved.parts, platform: changed } } as MachineSnapshot);
        assert.notEqual(machine.hash(), original, `${device}.${field}`);
      }
  });

  it('no class of the emulator keeps mutable fields that are not accounted for', () => {
    const found = new Map<string, string[]>();
    for (const file of sources(join(root, 'emulator'))) {
      if (file.startsWith('spec/')) continue; // tables only
      const fields = mutableFields(join(root, 'emulator', file));
      if (fields.length > 0) found.set(file, fields);
    }
    const unknown = [...found].filter(([file]) => !(file in KNOWN)).map(([file, fields]) => `${file}: ${fields.join(', ')}`);
    assert.deepEqual(unknown, [], 'say in KNOWN why this is no machine state, or save it');
    assert.ok(found.size >= 8, `the search found only ${found.size} files`);
  });
});
