/**
 * Finds the callers of a function without unwind tables: a return address counts only if a CALL stands before it. Follows RBP where it is a
 * frame pointer, else looks for the nearest such address on the stack. Not modelled: DWARF call frame information, so a frame may be missing.
 */
import type { Level, Machine } from '../emulator/api';
import type { CodeBits, Disassembler } from './disassembly';
import { littleEndian } from './evaluate/evaluate';
import type { SymbolSource } from './symbol-source';

export interface Caller {
  readonly returnAddress: bigint;
  /** Where the return address lies: after the return the stack pointer is above it. */
  readonly slot: bigint;
  /** The caller's RBP, when it is known. */
  readonly rbp: bigint | undefined;
}

export interface UnwindStart {
  readonly vcpu: number;
  readonly level: Level;
  readonly codeBits: CodeBits;
  readonly rip: bigint;
  readonly rsp: bigint;
  readonly rbp: bigint | undefined;
}

const MOST_FRAMES = 64;
/** How many stack slots are looked at for a return address when there is no frame pointer. */
const SCANNED_SLOTS = 48;
const LARGEST_FRAME = 1n << 20n;
/** Lengths that CALL can have (E8 rel, FF /2 with every addressing form, with a prefix). */
const CALL_LENGTHS = [5, 2, 3, 6, 7, 4, 8];

export class Unwinder {
  constructor(
    private readonly machine: Machine,
    private readonly symbols: SymbolSource,
    private readonly disassembler: Disassembler,
  ) {}

  callers(start: UnwindStart, limit: number = MOST_FRAMES): Caller[] {
    const result: Caller[] = [];
    let { rip, rsp, rbp } = start;
    while (result.length < limit) {
      const caller = this.callerOf({ ...start, rip, rsp, rbp });
      if (!caller || caller.slot < rsp) break;
      result.push(caller);
      rip = caller.returnAddress;
      rsp = caller.slot + BigInt(start.codeBits / 8);
      rbp = caller.rbp;
    }
    return result;
  }

  private callerOf(at: UnwindStart): Caller | undefined {
    const size = BigInt(at.codeBits / 8);
    const fromFramePointer = this.byFramePointer(at, size);
    const scanned = this.byScanning(at, size, fromFramePointer?.slot);
    return scanned ?? fromFramePointer;
  }

  private byFramePointer(at: UnwindStart, size: bigint): Caller | undefined {
    const { rbp, rsp } = at;
    if (rbp === undefined || rbp < rsp || rbp - rsp > LARGEST_FRAME || rbp % size !== 0n) return undefined;
    const saved = this.pointer(at, rbp, size);
    const returnAddress = this.pointer(at, rbp + size, size);
    if (saved === undefined || returnAddress === undefined || !this.follows(at, returnAddress)) return undefined;
    return { returnAddress, slot: rbp + size, rbp: saved };
  }

  /** A frameless function: the nearest return address of a direct call to the function that we are in, below the frame pointer's one. */
  private byScanning(at: UnwindStart, size: bigint, below: bigint | undefined): Caller | undefined {
    const entry = this.functionOf(at.level, at.rip);
    if (entry === undefined) return undefined;
    const bytes = this.machine.readMemory(at.vcpu, at.level, 'gva', at.rsp, SCANNED_SLOTS * Number(size));
    for (let offset = 0; offset + Number(size) <= bytes.length; offset += Number(size)) {
      const slot = at.rsp + BigInt(offset);
      if (below !== undefined && slot >= below) return undefined;
      const returnAddress = littleEndian(bytes.subarray(offset, offset + Number(size)));
      const call = this.callBefore(at, returnAddress);
      if (!call) continue;
      // An indirect call may have gone anywhere; a direct one must have come here.
      if (call.target === undefined || this.functionOf(at.level, call.target) === entry) return { returnAddress, slot, rbp: at.rbp };
    }
    return undefined;
  }

  /** Start of the function: NASM's local labels (main.loop) belong to the label before the dot. */
  private functionOf(level: Level, address: bigint): bigint | undefined {
    const symbol = this.symbols.symbolAt(level, address);
    if (!symbol) return undefined;
    const dot = symbol.name.indexOf('.', 1);
    return dot > 0 ? (this.symbols.addressOf(symbol.name.slice(0, dot))?.address ?? symbol.address) : symbol.address;
  }

  private follows(at: UnwindStart, returnAddress: bigint): boolean {
    return this.callBefore(at, returnAddress) !== undefined;
  }

  private callBefore(at: UnwindStart, returnAddress: bigint): { readonly target?: bigint } | undefined {
    if (this.symbols.symbolAt(at.level, returnAddress) === undefined) return undefined;
    const longest = Math.max(...CALL_LENGTHS);
    if (returnAddress < BigInt(longest)) return undefined;
    const bytes = this.machine.readMemory(at.vcpu, at.level, 'gva', returnAddress - BigInt(longest), longest);
    if (bytes.length < longest) return undefined;
    for (const length of CALL_LENGTHS) {
      const code = this.disassembler.one(bytes.subarray(longest - length), returnAddress - BigInt(length), at.codeBits);
      if (code?.kind === 'call' && code.length === length) return { target: code.target };
    }
    return undefined;
  }

  private pointer(at: UnwindStart, address: bigint, size: bigint): bigint | undefined {
    const bytes = this.machine.readMemory(at.vcpu, at.level, 'gva', address, Number(size));
    return bytes.length === Number(size) ? littleEndian(bytes) : undefined;
  }
}
