/** readMemory, writeMemory and disassemble: memory of a named address space, as bytes and as instructions. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { RequestArguments } from './arguments';
import { decodeBase64, encodeBase64 } from './base64';
import type { Debuggee } from './debuggee';
import { type CodeBits, type DisassembledCode, LONGEST_INSTRUCTION } from './disassembly';
import { memoryErrors } from './errors';
import { formatPlace, hex, type MemoryPlace, offsetPlace, parsePlace } from './memory-reference';
import type { SourceFinder } from './source-files';
import { symbolText } from './symbol-source';

const MOST_BYTES = 1 << 24;
const MOST_INSTRUCTIONS = 20_000;
const OFFSET_LIMIT = Number.MAX_SAFE_INTEGER;

function placeOf(debuggee: Debuggee, args: RequestArguments): MemoryPlace {
  const text = args.text('memoryReference');
  const place = parsePlace(text, debuggee.machine.cpu(debuggee.vcpu).level);
  if (!place) throw memoryErrors.badReference(text);
  return offsetPlace(place, args.optionalInteger('offset', -OFFSET_LIMIT, OFFSET_LIMIT) ?? 0);
}

/** Linear addresses are a virtual CPU's; without one, of that which the stop is about. */
function vcpuOf({ machine, vcpu }: Debuggee, place: MemoryPlace): number {
  return place.vcpu !== undefined && place.vcpu < machine.vcpuCount ? place.vcpu : vcpu;
}

export function readMemory(debuggee: Debuggee, args: RequestArguments): DebugProtocol.ReadMemoryResponse['body'] {
  const place = placeOf(debuggee, args);
  const count = args.integer('count', 0, OFFSET_LIMIT);
  if (count > MOST_BYTES) throw memoryErrors.tooMuch(`${count} bytes`, MOST_BYTES);
  const bytes = debuggee.machine.readMemory(vcpuOf(debuggee, place), place.level, place.space, place.address, count);
  // The client takes the address as a number to count lines from, so it comes without its space.
  const address = hex(place.address);
  if (bytes.length === count) return { address, data: encodeBase64(bytes) };
  return { address, unreadableBytes: unreadable(debuggee, place, bytes.length, count), data: encodeBase64(bytes) };
}

/** How many bytes from the first unreadable one on cannot be read: at least to the end of its page. */
function unreadable(debuggee: Debuggee, place: MemoryPlace, readable: number, count: number): number {
  const PAGE = 4096;
  let offset = readable;
  while (offset < count) {
    const at = offsetPlace(place, offset);
    offset += PAGE - Number(at.address % BigInt(PAGE));
    if (
      offset < count &&
      debuggee.machine.readMemory(vcpuOf(debuggee, place), place.level, place.space, offsetPlace(place, offset).address, 1).length > 0
    )
      break;
  }
  return Math.min(offset, count) - readable;
}

export interface WrittenMemory {
  readonly place: MemoryPlace;
  readonly bytesWritten: number;
}

export function writeMemory(debuggee: Debuggee, args: RequestArguments): WrittenMemory {
  const place = placeOf(debuggee, args);
  const bytes = decodeBase64(args.text('data'));
  if (!bytes) throw memoryErrors.badData();
  const bytesWritten = debuggee.machine.writeMemory(vcpuOf(debuggee, place), place.level, place.space, place.address, bytes);
  if (bytesWritten === 0 && bytes.length > 0) throw memoryErrors.notWritten(formatPlace(place));
  return { place, bytesWritten };
}

export async function disassemble(
  debuggee: Debuggee,
  args: RequestArguments,
  sources: SourceFinder,
  lineBase: number,
): Promise<DebugProtocol.DisassembleResponse['body']> {
  const place = placeOf(debuggee, args);
  const count = args.integer('instructionCount', 0, OFFSET_LIMIT);
  const skip = args.optionalInteger('instructionOffset', -OFFSET_LIMIT, OFFSET_LIMIT) ?? 0;
  if (count > MOST_INSTRUCTIONS || Math.abs(skip) > MOST_INSTRUCTIONS)
    throw memoryErrors.tooMuch(`${Math.max(count, Math.abs(skip))} instructions`, MOST_INSTRUCTIONS);
  const bits = bitsOf(debuggee, place);
  const before = skip < 0 ? codeBefore(debuggee, place, bits, -skip).slice(0, count) : [];
  const wanted = count - before.length;
  const after = wanted > 0 ? codeFrom(debuggee, place, bits, Math.max(skip, 0), wanted) : [];
  const instructions: DebugProtocol.DisassembledInstruction[] = [];
  let previous: string | undefined;
  for (const code of [...before, ...after]) {
    const shown = await show(debuggee, place, code, sources, previous, lineBase);
    previous = shown.location ? `${shown.location.path}:${shown.line}` : previous;
    instructions.push(shown);
  }
  return { instructions };
}

/** An address that no instruction could be read from. */
interface NoCode {
  readonly address: bigint;
  readonly missing: true;
}

function bitsOf(debuggee: Debuggee, place: MemoryPlace): CodeBits {
  const cpu = debuggee.machine.cpu(vcpuOf(debuggee, place));
  return cpu.level === place.level || place.space === 'hpa' ? cpu.codeBits : (cpu.other()?.codeBits ?? cpu.codeBits);
}

function read(debuggee: Debuggee, place: MemoryPlace, length: number): Uint8Array {
  return debuggee.machine.readMemory(vcpuOf(debuggee, place), place.level, place.space, place.address, length);
}

function codeFrom(debuggee: Debuggee, place: MemoryPlace, bits: CodeBits, skip: number, count: number): (DisassembledCode | NoCode)[] {
  const result: (DisassembledCode | NoCode)[] = [];
  let at = place;
  const CHUNK = 256;
  while (result.length < skip + count) {
    const needed = skip + count - result.length;
    const bytes = read(debuggee, at, Math.min(needed, CHUNK) * LONGEST_INSTRUCTION);
    const codes = debuggee.disassembler.decode(bytes, at.address, bits, Math.min(needed, CHUNK));
    result.push(...codes);
    const used = codes.reduce((sum, { length }) => sum + length, 0);
    // What cannot be read counts as instructions of a byte each.
    if (used === 0) {
      result.push({ address: at.address, missing: true });
      at = offsetPlace(at, 1);
    } else {
      at = offsetPlace(at, used);
    }
  }
  return result.slice(skip);
}

/** The instructions before an address. x86 cannot be read backwards: each run of them begins at a symbol, else where decoding meets the address. */
function codeBefore(debuggee: Debuggee, place: MemoryPlace, bits: CodeBits, count: number): (DisassembledCode | NoCode)[] {
  const found: (DisassembledCode | NoCode)[] = [];
  let end = place.address;
  while (found.length < count) {
    const missing = count - found.length;
    const run = runBefore(debuggee, { ...place, address: end }, bits, missing).slice(-missing);
    if (run.length > 0) {
      found.unshift(...run);
    } else {
      const address = BigInt.asUintN(64, end - 1n);
      const byte = read(debuggee, { ...place, address }, 1);
      const code = byte.length === 1 ? debuggee.disassembler.one(byte, address, bits) : undefined;
      found.unshift(code?.length === 1 ? code : { address, missing: true });
    }
    end = found[0]!.address;
  }
  return found;
}

/** Instructions that end exactly at the address; empty when none do. */
function runBefore(debuggee: Debuggee, end: MemoryPlace, bits: CodeBits, count: number): DisassembledCode[] {
  const reach = BigInt(count * LONGEST_INSTRUCTION);
  const lowest = end.address > reach ? end.address - reach : 0n;
  const starts: bigint[] = [];
  const symbol = end.space === 'gva' ? debuggee.symbols.symbolAt(end.level, BigInt.asUintN(64, end.address - 1n)) : undefined;
  if (symbol && symbol.address >= lowest && symbol.address < end.address) starts.push(symbol.address);
  // Wrong starts fall into step after a few instructions: of fifteen neighbours one is right.
  for (let start = lowest; start < end.address && start < lowest + BigInt(LONGEST_INSTRUCTION); start++) starts.push(start);
  for (const start of starts) {
    const length = Number(end.address - start);
    const bytes = read(debuggee, { ...end, address: start }, length);
    if (bytes.length < length) continue;
    const codes = debuggee.disassembler.decode(bytes, start, bits, length);
    const last = codes.at(-1);
    if (last?.valid && last.address + BigInt(last.length) === end.address) return codes;
  }
  return [];
}

async function show(
  debuggee: Debuggee,
  place: MemoryPlace,
  code: DisassembledCode | NoCode,
  sources: SourceFinder,
  previous: string | undefined,
  lineBase: number,
): Promise<DebugProtocol.DisassembledInstruction> {
  const address = hex(code.address);
  if ('missing' in code) return { address, instruction: '(not readable)', presentationHint: 'invalid' };
  const target = code.target !== undefined && place.space === 'gva' ? debuggee.symbols.symbolAt(place.level, code.target) : undefined;
  const result: DebugProtocol.DisassembledInstruction = {
    address,
    instructionBytes: [...code.bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' '),
    instruction: target ? `${code.text} ; ${symbolText(debuggee.symbols, place.level, code.target!)}` : code.text,
  };
  if (!code.valid) result.presentationHint = 'invalid';
  if (place.space !== 'gva') return result;
  const symbol = debuggee.symbols.symbolAt(place.level, code.address);
  if (symbol?.offset === 0n) result.symbol = symbol.name;
  const row = debuggee.symbols.rowAt(place.level, code.address);
  if (row) {
    const source = await sources.find(row.file);
    // Said once for each run of instructions of a line.
    const line = row.line - 1 + lineBase;
    if (source && `${source.path}:${line}` !== previous) {
      result.location = source;
      result.line = line;
    }
  }
  return result;
}
