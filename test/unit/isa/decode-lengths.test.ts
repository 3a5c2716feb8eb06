/** The decoder against iced-x86 on random byte strings: same lengths, same instructions, and undefined where iced finds nothing that this CPU has. */
import { strict as assert } from 'node:assert';
import { CpuidFeature, Decoder, DecoderOptions, Mnemonic } from 'iced-x86';
import { OpcodeTable, decode } from '../../../emulator/isa/decode';
import { instructionRows } from '../../../emulator/isa/rows';
import { defaultCpuModel } from '../../../emulator/spec/cpu-models';
import { randomSource } from '../../random-source';

const seed = Number(process.env.NESTSCOPE_SEED ?? 2);
const strings = Number(process.env.NESTSCOPE_STRINGS ?? 150_000);

/** Extensions of which the rows have everything that is no SIMD. */
const HAVE = new Set<CpuidFeature>([
  CpuidFeature.INTEL8086, CpuidFeature.INTEL8086_ONLY, CpuidFeature.INTEL186, CpuidFeature.INTEL286, CpuidFeature.INTEL386, CpuidFeature.INTEL486, CpuidFeature.X64, CpuidFeature.CMOV, CpuidFeature.CPUID, CpuidFeature.CX8,
  CpuidFeature.CMPXCHG16B, CpuidFeature.MSR, CpuidFeature.SEP, CpuidFeature.SYSCALL, CpuidFeature.TSC, CpuidFeature.RDTSCP, CpuidFeature.POPCNT, CpuidFeature.LZCNT, CpuidFeature.MOVBE, CpuidFeature.VMX, CpuidFeature.RDPMC, CpuidFeature.PAUSE,
  CpuidFeature.BMI1, CpuidFeature.BMI2, CpuidFeature.ADX,
]); // prettier-ignore

describe(`decoder against iced-x86 (seed ${seed})`, function () {
  this.timeout(120_000);
  const table = new OpcodeTable(instructionRows);
  for (const bits of [64, 32, 16] as const)
    it(`${strings} random strings in ${bits}-bit mode`, () => {
      const random = randomSource(seed + bits);
      const bytes = new Uint8Array(18);
      const wrong: string[] = [];
      let compared = 0;
      for (let n = 0; n < strings && wrong.length < 20; n++) {
        for (let i = 0; i < 18; i += 2) {
          const r = random();
          bytes[i] = r;
          bytes[i + 1] = r >>> 8;
        }
        const kind = random() % 8;
        if (kind === 0) bytes[0] = [0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x64, 0x48][random() % 8];
        if (kind === 1) bytes[0] = 0x0f;
        if (kind === 2) bytes.set([0x48, 0x0f]);
        const ours = decode(table, bytes, 0, 18, { code64: bits === 64, code16: bits === 16, features: defaultCpuModel.features });
        const decoder = new Decoder(bits, bytes, DecoderOptions.None);
        const theirs = decoder.decode();
        const text = `${Buffer.from(bytes).toString('hex')}: ours ${ours?.instruction.mnemonic} ${ours?.instruction.length}, iced ${Mnemonic[theirs.mnemonic]} ${theirs.length}`;
        const invalid = theirs.mnemonic === Mnemonic.INVALID;
        const features = [...theirs.cpuidFeatures()];
        const have = features.every((f) => HAVE.has(f));
        const theirLength = theirs.length;
        theirs.free();
        decoder.free();
        assert.ok(ours);
        const { system, mnemonic, length } = ours.instruction;
        // Wrong control, debug and segment register numbers are found out when the instruction is carried out.
        if (system === 'FPU' || (invalid && /_(CR|DR|SREG)$/.test(system))) continue;
        if (system === 'UD' || system === 'TOO_LONG') {
          if (!invalid && have && mnemonic !== 'UD2' && mnemonic !== 'UD1' && mnemonic !== 'UD0') wrong.push(`undefined here: ${text}`);
          continue;
        }
        compared++;
        if (invalid) wrong.push(`defined only here: ${text}`);
        else if (theirLength !== length && !(mnemonic === 'TOO_LONG')) wrong.push(`length: ${text}`);
      }
      assert.deepEqual(wrong, []);
      assert.ok(compared > strings / 4, `${compared} compared`);
    });
});
