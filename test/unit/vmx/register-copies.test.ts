/** The copies of VM entries and exits: generated code does what the loops over the tables do, on random states and regions. */
import { strict as assert } from 'node:assert';
import { instantiateCopies } from '../../../emulator/codegen/copy-functions';
import { loadCopies, saveCopies } from '../../../emulator/vmx/register-copies';
import { COPY_TABLES } from '../../../emulator/vmx/vmx';
import { randomSource } from '../../random-source';

const STATE = 0x1000;
const REGION = 0x8000;
const BYTES = 0x1000;

describe('copies of VM entries and exits', () => {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const words = new Uint32Array(memory.buffer);
  const state = words.subarray(STATE / 4, (STATE + BYTES) / 4);
  const generated = instantiateCopies(memory, COPY_TABLES);

  for (const table of COPY_TABLES)
    it(`table ${table.id} (${table.direction}): ${table.rows.length} values`, () => {
      assert.equal(COPY_TABLES[table.id], table, 'tables stand at their ids');
      const random = randomSource(table.id + 1);
      let moved = 0;
      for (let run = 0; run < 50; run++) {
        // In every other run most values are the same on both sides, so that few are new.
        for (let n = 0; n < BYTES / 4; n++) state[n] = words[REGION / 4 + n] = random() >>> 0;
        if (run % 2 === 0) for (let n = 0; n < BYTES / 4; n++) words[REGION / 4 + n] = random() >>> 0;
        else
          for (const { slot, at, wide } of table.rows) {
            if (random() % 4 === 0) continue;
            words[(REGION + at) / 4] = state[slot / 4]!;
            words[(REGION + at) / 4 + 1] = wide ? state[slot / 4 + 1]! : 0;
          }
        const before = words.slice();
        const expected = table.direction === 'load' ? 0 : saveCopies(state, words, REGION / 4, table);
        if (table.direction === 'load') loadCopies(state, words, REGION / 4, table);
        const after = words.slice();
        words.set(before);
        assert.equal(generated[table.id]!(STATE, REGION) >>> 0, expected >>> 0);
        assert.deepEqual(words, after);
        moved += after.filter((word, n) => word !== before[n]).length;
      }
      assert.ok(moved > 20 * table.rows.length, 'something is moved');
    });
});
