/**
 * Every recorded vector must come out in both tiers as on the processor that recorded it: registers, RIP, defined flags, memory, exceptions.
 * A form that is not built is a failure; such forms are counted and named at the end. Which tier ran is counted by the machine: in the
 * second one every instruction goes through a region of its own but for those that regions leave to the interpreter, by the reasons below.
 */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createVectorMachine } from './bench-machine';
import { differences, mismatchText } from './comparison';
import { type Vector, type VectorMachine, readVectors } from './vector-file';

const shown = 3;
const leastRun = 15_000;
const leastCompiled = 12_500;

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

const prefixes = (code: Uint8Array): number[] => {
  const known = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3];
  return [...code.subarray(0, Math.max(0, code.findIndex((b) => !known.includes(b))))]; // prettier-ignore
};
/** Forms that are carried out by call-outs in both tiers: what the processor does there is more than computation. */
const CALL_OUTS =
  /^(PUSHF|POPF|ENTER|PAUSE|UD|INT|IRET|VERR|VERW|LAR|LSL|ARPL|L[DEFGS]S |BOUND|CLFLUSH|CLWB|.FENCE|CLI|STI|HLT|IN|OUT|RDPMC|.*\b([CDEFGS]S|Sreg|DR|CR\d?|DR\d|cr|dr)\b)/;

/** Why a region may leave a vector to the interpreter; undefined: it must not. */
function leftToInterpreter(v: Vector): string | undefined {
  if (v.opcode === '') return 'cases that are no one form';
  if (CALL_OUTS.test(v.form)) return 'call-outs';
  if (v.group === 'privileged' || v.group === 'selector' || v.group === 'far' || v.group === 'trap') return 'call-outs';
  const before = prefixes(v.code);
  if (v.group === 'string' && /^REP/.test(v.form)) return 'repeated string instructions';
  if (v.mode === 32 && before.some((b) => b === 0x64 || b === 0x65 || b === 0x2e)) return 'CS, FS and GS in 32-bit code';
  if (Number(v.before.rip & 0xfffn) + v.code.length > 4096) return 'instructions in two pages';
  return undefined;
}

for (const tier of ['interpreter', 'jit'] as const)
  describe(`instruction vectors recorded from a processor, ${tier === 'jit' ? 'in compiled regions' : 'in the interpreter'}`, function () {
    this.timeout(120_000);
    let machine: VectorMachine;
    let ran = 0;
    const left = new Map<string, number>();
    const notBuilt: { name: string; vectors: number }[] = [];

    before(async () => {
      machine = await createVectorMachine(tier);
    });

    /** Runs one; in the second tier it must go through a region or have a reason. */
    function wrongLines(vector: Vector): string | undefined {
      const { regionRuns } = machine.tiers;
      const lines = differences(vector, machine.run(vector));
      const inRegion = machine.tiers.regionRuns > regionRuns;
      if (tier === 'interpreter') assert.ok(!inRegion);
      else if (!inRegion) {
        const reason = leftToInterpreter(vector);
        if (reason === undefined) lines.push('it did not run in a region');
        else left.set(reason, (left.get(reason) ?? 0) + 1);
      }
      return lines.length > 0 ? mismatchText(vector, lines) : undefined;
    }

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
            const wrong = vectors.map(wrongLines).filter((text) => text !== undefined);
            ran += vectors.length;
            if (wrong.length > 0) assert.fail(`${wrong.length} of ${vectors.length} differ:\n${wrong.slice(0, shown).join('\n')}`);
          });
      });
    }

    describe('all of them', () => {
      it(`ran at least ${leastRun} vectors, in the tier that was asked for`, () => {
        const missing = notBuilt.reduce((sum, { vectors }) => sum + vectors, 0);
        const { regionRuns, refused, compiled } = machine.tiers;
        console.log(`    ${ran} vectors ran; ${missing} belong to ${notBuilt.length} forms that are not built`);
        if (tier === 'jit') {
          const reasons = [...left].map(([reason, n]) => `${reason} ${n}`).join(', ');
          console.log(
            `    ${regionRuns} in regions (${compiled} compiled), ${refused} refused by them; left to the interpreter: ${reasons}`,
          );
        }
        for (const { name, vectors } of notBuilt) console.log(`      not built: ${name}, ${vectors} vectors`);
        assert.ok(ran >= leastRun, `${ran} vectors ran`);
        if (tier === 'interpreter') assert.deepEqual({ regionRuns, compiled }, { regionRuns: 0, compiled: 0 });
        else {
          assert.ok(regionRuns >= leastCompiled, `${regionRuns} vectors ran in regions`);
          assert.equal(regionRuns + [...left.values()].reduce((a, b) => a + b, 0), ran);
        }
      });
    });
  });
