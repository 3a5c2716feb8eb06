// npm run vectors: records the instruction vectors of test/vectors on this machine's own processor (x86-64 Linux with gcc). The cases come
// from a seed; the same seed gives the same files. Expectations are what the processor did; what it may do as it likes is masked or left out.
//   node scripts/vectors/record.mjs [--seed TEXT] [--check]      --check compares with the committed files instead of writing them
import { readFileSync, writeFileSync } from 'node:fs';
import iced from 'iced-x86';
import { CaseBuilder } from './case-builder.mjs';
import { allForms, caseCount } from './forms.mjs';
import { defaultFlags, defaultRegisters, defaultRip, regionOf } from './layout.mjs';
import { extentsOf, runCases } from './run-harness.mjs';
import { SeededRandom } from './seeded-random.mjs';
import { specialCases } from './special-cases.mjs';

const { Code, Decoder, Mnemonic } = iced;
const names = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'];
const selector = { 64: 0x33, 32: 0x23 };
/** Exceptions that push an error code. */
const withErrorCode = new Set([8, 10, 11, 12, 13, 14, 17]);
const hex = (value) => value.toString(16);

function decode({ mode, code, rip }) {
  const decoder = new Decoder(mode, Uint8Array.from(code), 0);
  decoder.ip = rip;
  return decoder.decode();
}

function generated(seed) {
  const cases = [];
  for (const form of allForms())
    for (const mode of form.modes) {
      const random = new SeededRandom(`${seed}/${mode}/${form.text}/${form.opcode}`);
      for (let i = 0; i < caseCount(form, mode); i++) {
        const built = new CaseBuilder(form, mode, random, i).build();
        const instruction = decode(built);
        // XCHG of the accumulator with itself is NOP, which has vectors of its own.
        if (form.mnemonic === 'XCHG' && /^Nop/.test(Code[instruction.code])) continue;
        if (instruction.code !== form.code || instruction.length !== built.code.length)
          throw new Error(
            `${form.text} [${form.opcode}] in mode ${mode} was encoded as ${Buffer.from(built.code).toString('hex')} ${Code[instruction.code]}`,
          );
        cases.push(built);
      }
    }
  return cases;
}

/** Cases by hand take their form from the decoder where they name none. */
function named(each) {
  if (each.form) return each;
  const instruction = decode(each);
  const { instructionString: text, opCodeString: opcode } = instruction.opCode;
  if (instruction.code === Code.INVALID || instruction.length !== each.code.length)
    throw new Error(`${Buffer.from(each.code).toString('hex')} is no instruction`);
  return { ...each, form: { text, opcode, group: each.group, mnemonic: Mnemonic[instruction.mnemonic].toUpperCase() } };
}

function changedRegisters(before, after, mode) {
  const changes = {};
  names.forEach((name, i) => {
    if (mode === 32 && i > 7) return;
    const value = BigInt.asUintN(mode, after[i]);
    if (value !== BigInt.asUintN(mode, before[i])) changes[name] = hex(value);
  });
  return changes;
}

const memoryText = (bytes) =>
  Object.fromEntries(extentsOf(bytes).map(({ address, bytes: run }) => [hex(address), Buffer.from(run).toString('hex')]));

/** A pushed RFLAGS image holds the recorder's own trap flag. */
function withoutTrapFlag(each, changes, registers) {
  if (!/^PUSHF/.test(each.form.mnemonic)) return changes;
  const at = registers[4] + 1n;
  const before = each.memory.find((byte) => byte.at === at)?.byte ?? 0;
  return changes
    .map((change) => (change.at === at ? { at, byte: change.byte & ~1 } : change))
    .filter((change) => change.at !== at || change.byte !== before);
}

/** Why a recorded case is not a vector, or nothing. */
function unusable(each, result) {
  const fault = result.trap !== 1;
  // The manual does not say how much of several stores is done before one of them faults.
  if (fault && result.changes.length > 0) return 'partly stored';
  // A shift by 0 of a memory operand: whether that is a write is the processor's business.
  if (fault && each.shiftedByNothing && result.trap === 14) return 'shift by 0 of inaccessible memory';
  return undefined;
}

function vectorOf(each, result) {
  const { mode, rip, undefinedMask } = each;
  const fault = result.trap !== 1;
  const known = [0, 1, 3, 4, 5, 6, 12, 13, 14];
  if (!known.includes(result.trap)) throw new Error(`${each.form.text}: trap ${result.trap}, signal ${result.signal}`);
  const undef = fault && result.trap !== 0 ? 0 : undefinedMask;
  const vector = { code: Buffer.from(each.code).toString('hex'), in: changedRegisters(defaultRegisters, each.registers, mode) };
  if (rip !== defaultRip) vector.in.rip = hex(rip);
  if (each.rflags !== defaultFlags) vector.in.rflags = hex(each.rflags);
  if (each.memory.length > 0) vector.mem = memoryText(each.memory);
  vector.out = changedRegisters(each.registers, result.registers, mode);
  if (result.rip !== (fault ? rip : rip + BigInt(each.code.length))) vector.out.rip = hex(result.rip);
  const rflags = (result.rflags & ~undef) | (each.rflags & undef);
  if (rflags !== each.rflags) vector.out.rflags = hex(rflags);
  if (result.cs !== selector[mode]) vector.out.cs = hex(result.cs);
  const changes = withoutTrapFlag(each, result.changes, result.registers);
  if (changes.length > 0) vector.memOut = memoryText(changes);
  if (undef) vector.undef = hex(undef);
  if (fault) {
    vector.fault = [result.trap];
    if (withErrorCode.has(result.trap)) vector.fault.push(hex(result.error));
    if (result.trap === 14) vector.fault.push(hex(result.cr2));
  }
  return vector;
}

function fileText(mode, seed, cases, results, dropped) {
  const groups = new Map();
  cases.forEach((each, i) => {
    if (each.mode !== mode) return;
    const why = unusable(each, results[i]);
    if (why) return dropped.push(`${mode} ${each.form.text}: ${why}`);
    const { text: form, opcode, group } = each.form;
    const key = `${form} ${opcode}`;
    if (!groups.has(key)) groups.set(key, { head: JSON.stringify({ form, opcode, group }), vectors: new Set() });
    groups.get(key).vectors.add(JSON.stringify(vectorOf(each, results[i])));
  });
  const lines = [JSON.stringify({ vectors: 1, mode, seed })];
  for (const { head, vectors } of groups.values()) lines.push(head, ...vectors);
  return { text: `${lines.join('\n')}\n`, forms: groups.size, vectors: lines.length - 1 - groups.size };
}

const args = process.argv.slice(2);
const seed = args.includes('--seed') ? args[args.indexOf('--seed') + 1] : 'nestscope-1';
const cases = [...generated(seed), ...specialCases().map(named)];
for (const each of cases) if (each.memory.some(({ at }) => !regionOf(at))) throw new Error(`${each.form.text}: memory outside the regions`);
const results = runCases(cases);
const dropped = [];
let different = 0;
console.log(`seed ${seed}: ${cases.length} cases`);
for (const mode of [64, 32]) {
  const { text, forms, vectors } = fileText(mode, seed, cases, results, dropped);
  const file = new URL(`../../test/vectors/int${mode}.jsonl`, import.meta.url);
  if (args.includes('--check')) {
    const same = readFileSync(file, 'utf8') === text;
    if (!same) different++;
    console.log(`int${mode}.jsonl: ${same ? 'identical' : 'DIFFERENT'}`);
  } else {
    writeFileSync(file, text);
    console.log(`int${mode}.jsonl: ${forms} forms, ${vectors} vectors, ${text.length} bytes`);
  }
}
console.log(`left out: ${dropped.length}${dropped.map((line) => `\n  ${line}`).join('')}`);
process.exitCode = different > 0 ? 1 : 0;
