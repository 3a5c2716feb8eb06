/**
 * Records by the bytes that decide about them: prefixes, opcode, ModRM and SIB. Instructions that share these differ only in displacement and
 * immediate, so that after the first one decoding is a walk down a tree of bytes and a copy. Derived state, kept for the life of a machine.
 */
import { Rec } from '../codegen/record';
import type { Decoded } from '../isa/decode';
import { BASE_RIP, type Instruction } from '../isa/instruction';

/** How to make the records of one header again. */
export interface RecordTemplate {
  /** Words of one or two records (an address record first), without offsets, displacement and immediate. */
  readonly words: Int32Array;
  readonly length: number;
  readonly headerBytes: number;
  readonly displacementBytes: number;
  readonly immediateBytes: number;
  /** Added to the displacement, beside the next instruction's offset when it is relative to RIP. */
  readonly displacementPlus: number;
  readonly ripRelative: boolean;
  /** Address-size 16 and 32 without registers: the displacement is unsigned. */
  readonly unsignedDisplacement: boolean;
  /** The displacement goes nowhere (string instructions). */
  readonly keepsDisplacement: boolean;
  readonly branch: boolean;
  readonly endsRun: boolean;
  readonly sample: Instruction;
}

/** A node of the tree: children by byte. */
interface Node {
  readonly template: RecordTemplate | undefined;
  readonly children: (Node | undefined)[];
}
const newNode = (template: RecordTemplate | undefined): Node => ({ template, children: template ? [] : new Array<Node | undefined>(256) });

export class RecordTemplates {
  private readonly roots = new Map<number, Node>();

  /** The template for the bytes at `at`, if all of the instruction lies before `end`. */
  find(mode: number, bytes: Uint8Array, at: number, end: number): RecordTemplate | undefined {
    let node = this.roots.get(mode);
    for (let i = at; node !== undefined && i < end; i++) {
      node = node.children[bytes[i]];
      if (node === undefined) return undefined;
      const { template } = node;
      if (template !== undefined) return at + template.length <= end ? template : undefined;
    }
    return undefined;
  }

  /** Learns from one decoded instruction and its records (as they were emitted, at `first` … `main` in wasm memory). */
  learn(mode: number, bytes: Uint8Array, at: number, d: Decoded, i32: Int32Array, first: number, main: number, endsRun: boolean): void {
    const { layout, instruction: insn } = d;
    if (!layout.repeatable || d.row.body === undefined) return;
    const words = i32.slice(first >> 2, (main + Rec.bytes) >> 2);
    const string = d.row.string !== undefined || d.parsed.mnemonic === 'XLATB';
    const template: RecordTemplate = {
      words,
      length: insn.length,
      headerBytes: layout.header,
      displacementBytes: layout.displacement,
      immediateBytes: layout.immediate,
      displacementPlus: d.row.body.name === 'POP' && d.memory && insn.base === 4 ? insn.operandSize : 0,
      ripRelative: insn.base === BASE_RIP,
      unsignedDisplacement: insn.addressSize !== 8 && insn.base < 0 && insn.index < 0,
      keepsDisplacement: string || layout.displacement === 0,
      branch: d.parsed.operands.some((o) => o.encoding === 'relative'),
      endsRun,
      sample: insn,
    };
    let node = this.roots.get(mode);
    if (node === undefined) this.roots.set(mode, (node = newNode(undefined)));
    for (let i = 0; i < layout.header; i++) {
      const byte = bytes[at + i];
      const last = i === layout.header - 1;
      let child: Node | undefined = node.children[byte];
      if (child === undefined) node.children[byte] = child = newNode(last ? template : undefined);
      node = child;
    }
  }
}

/** Reads a little-endian number of 1, 2 or 4 bytes. */
export function signedAt(bytes: Uint8Array, at: number, size: number): number {
  if (size === 1) return (bytes[at] << 24) >> 24;
  if (size === 2) return ((bytes[at] | (bytes[at + 1] << 8)) << 16) >> 16;
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}
