// Compiles harness.c and runs a list of cases through it: {mode, code, rip, rflags, registers, memory} → {registers, rip, rflags, fault, changes}.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gsBase, regionOf, regions } from './layout.mjs';

const TRAP_AND_RESUME_FLAGS = 0x10100;
const protection = (access) => (access[0] === 'r' ? 1 : 0) | (access[1] === 'w' ? 2 : 0) | (access[2] === 'x' ? 4 : 0);
/** INT3 everywhere: an instruction that runs on by mistake is seen at once. */
const fill = (access) => (access[2] === 'x' ? 0xcc : 0);

class Writer {
  chunks = [];
  u32(...values) {
    this.chunks.push(Buffer.from(Uint32Array.from(values).buffer));
  }
  u64(...values) {
    this.chunks.push(Buffer.from(BigUint64Array.from(values).buffer));
  }
}

/** Neighbouring bytes become one extent: [{address, bytes}], in the order of addresses. */
export function extentsOf(bytes) {
  const sorted = [...bytes].sort((a, b) => (a.at < b.at ? -1 : 1));
  const extents = [];
  for (const { at, byte } of sorted) {
    const last = extents.at(-1);
    if (last && last.address + last.bytes.length === Number(at)) last.bytes.push(byte);
    else extents.push({ address: Number(at), bytes: [byte] });
  }
  return extents;
}

function serialise(cases) {
  const writer = new Writer();
  writer.u32(regions.length, cases.length);
  writer.u64(gsBase);
  for (const { address, size, access } of regions) writer.u32(address, size, protection(access), fill(access));
  for (const { mode, code, rip, rflags, registers, memory } of cases) {
    const codeBytes = code.map((byte, i) => ({ at: rip + BigInt(i), byte })).filter(({ at }) => regionOf(at));
    const extents = [...extentsOf(codeBytes), ...extentsOf(memory)];
    writer.u32(mode, extents.length);
    writer.u64(...registers, rip, BigInt(rflags));
    for (const { address, bytes } of extents) {
      writer.u32(address, bytes.length);
      writer.chunks.push(Buffer.from(bytes));
    }
  }
  return Buffer.concat(writer.chunks);
}

function* parse(output, count) {
  let at = 0;
  const u64 = () => output.readBigUInt64LE((at += 8) - 8);
  const u32 = () => output.readUInt32LE((at += 4) - 4);
  for (let n = 0; n < count; n++) {
    const registers = Array.from({ length: 16 }, u64);
    const [rip, rflags, cr2] = [u64(), u64(), u64()];
    const [signal, trap, error, cs, changeCount] = [u32(), u32(), u32(), u32(), u32()];
    at += 4;
    const changes = Array.from({ length: changeCount }, () => ({ at: BigInt(u32()), byte: u32() }));
    yield { registers, rip, rflags: Number(rflags) & ~TRAP_AND_RESUME_FLAGS, cr2, signal, trap, error, cs, changes };
  }
  if (at !== output.length) throw new Error(`the harness wrote ${output.length - at} bytes too many`);
}

export function runCases(cases) {
  const folder = mkdtempSync(join(tmpdir(), 'vectors-'));
  try {
    const program = join(folder, 'harness');
    const source = fileURLToPath(new URL('harness.c', import.meta.url));
    const compiled = spawnSync('gcc', ['-O2', '-Wall', '-o', program, source], { encoding: 'utf8' });
    if (compiled.status !== 0) throw new Error(`gcc: ${compiled.stderr ?? compiled.error?.message}`);
    const ran = spawnSync(program, { input: serialise(cases), maxBuffer: 1 << 30, timeout: 120_000 });
    if (ran.status !== 0) throw new Error(`the harness ended with ${ran.status ?? ran.signal}: ${ran.stderr}`);
    return [...parse(ran.stdout, cases.length)];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
