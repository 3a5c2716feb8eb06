/**
 * Every recorded vector whose form is built must come out as on the processor that recorded it: registers, RIP, defined flags, memory,
 * exceptions. A form that is not built is a failure; such forms are counted and named at the end.
 */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createVectorMachine } from './bench-machine';
import { differences, mismatchText } from './comparison';
import { type Vector, type VectorMachine, readVectors } from './vector-file';

const shown = 3;
const leastRun = 15_000;

function byForm(vectors: readonly Vector[]): Map<string, Vector[]> {
  const forms = new Map<string, Vector[]>();
  for (const vector of vectors) {
    const key = vector.opcode ? `${vector.form} [${vector.opcode}]` : vector.form;
    const list = forms.get(key);
    if (list) list.push(vector);
    else forms.set(key, [vector]);
  }
  return forms;
}

describe('instruction vectors recorded from a processor', () => {
  let machine: VectorMachine;
  let ran = 0;
  const notBuilt: { name: string; vectors: number }[] = [];

  before(async () => {
    machine = await createVectorMachine();
  });

  for (const mode of [64, 32] as const) {
    const file = join(import.meta.dirname, `int${mode}.jsonl`);
    const forms = byForm(readVectors(readFileSync(file, 'utf8')));
    describe(`${mode}-bit mode`, () => {
      for (const [name, vectors] of forms)
        it(`${name}`, () => {
          const [sample] = vectors;
          if (!machine.supports(sample.form, sample)) {
            notBuilt.push({ name: `${name} (${mode}-bit, ${sample.group})`, vectors: vectors.length });
            assert.fail(`${name} is not built`);
          }
          const wrong: string[] = [];
          for (const vector of vectors) {
            const lines = differences(vector, machine.run(vector));
            if (lines.length > 0) wrong.push(mismatchText(vector, lines));
          }
          ran += vectors.length;
          if (wrong.length > 0) assert.fail(`${wrong.length} of ${vectors.length} differ:\n${wrong.slice(0, shown).join('\n')}`);
        });
    });
  }

  describe('all of them', () => {
    it(`ran at least ${leastRun} vectors`, () => {
      const missing = notBuilt.reduce((sum, { vectors }) => sum + vectors, 0);
      console.log(`    ${ran} vectors ran; ${missing} belong to ${notBuilt.length} forms that are not built`);
      for (const { name, vectors } of notBuilt) console.log(`      not built: ${name}, ${vectors} vectors`);
      assert.ok(ran >= leastRun, `${ran} vectors ran`);
    });
  });
});
