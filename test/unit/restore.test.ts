/** A snapshot brings back what was zero, too: pages that the guest has written since are as they were. */
import { strict as assert } from 'node:assert';
import { DATA, flatGuest } from './cpu/flat-guest';

describe('restoring a snapshot', () => {
  it('zeroes what was zero when it was taken', async () => {
    // rdi walks on: mov [rdi], rdi; add rdi, 4096; jmp
    const machine = await flatGuest({
      code: [0x48, 0x89, 0x3f, 0x48, 0x81, 0xc7, 0x00, 0x10, 0x00, 0x00, 0xeb, 0xf4],
      registers: { rdi: DATA },
    });
    machine.runSlice({ maxSteps: 3 });
    const before = machine.hash();
    const saved = machine.save();
    machine.runSlice({ maxSteps: 300 });
    const written = BigInt(DATA + 90 * 4096);
    assert.notDeepEqual([...machine.readMemory(0, 1, 'hpa', written, 8)], new Array(8).fill(0), 'the guest has written there');
    machine.restore(saved);
    assert.deepEqual([...machine.readMemory(0, 1, 'hpa', written, 8)], new Array(8).fill(0));
    assert.equal(machine.hash(), before);
  });
});
