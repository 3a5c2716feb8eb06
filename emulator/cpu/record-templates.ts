/**
 * Records by the bytes that decide about them: prefixes, opcode, ModRM and SIB. Instructions that share these differ only in displacement and
 * immediate, so that after the first one decoding is a walk down a tree of bytes and a copy, which generated code does (codegen/decode-run).
 * Derived state, kept for the life of a machine.
 */
import { Arena, FieldKind, Rec, Template, TemplateFlag } from '../codegen/record';
import type { Decoded } from '../isa/decode';
import { BASE_RIP } from '../isa/instruction';
import type { PhysicalMemory } from '../memory/physical-memory';

/** A node of the tree: 256 pointers, to another node or, odd, to a template; 0: not met yet. */
const NODE_BYTES = 256 * 4;
const TEMPLATE = 1;

export class RecordTemplates {
  private top: number = Arena.templates;
  private readonly roots = new Map<number, number>();

  constructor(private readonly memory: PhysicalMemory) {}

  /** Root of a mode's tree. */
  root(mode: number): number {
    let root = this.roots.get(mode);
    if (root === undefined) this.roots.set(mode, (root = this.allocate(NODE_BYTES)));
    return root;
  }

  /** Room for one more template and the nodes on its way. */
  get hasRoom(): boolean {
    return this.top + 16 * NODE_BYTES < Arena.templatesEnd;
  }

  /** Learns from one decoded instruction and its records (as they were emitted, at `first` … `main` in wasm memory). */
  learn(mode: number, at: number, d: Decoded, first: number, main: number, endsRun: boolean): void {
    const { layout, instruction: insn } = d;
    const { u8, i32 } = this.memory;
    const string = d.row.string !== undefined || d.parsed.mnemonic === 'XLATB';
    const relative = d.parsed.operands.some((o) => o.encoding === 'relative');
    const unsigned = insn.addressSize !== 8 && insn.base < 0 && insn.index < 0;
    let node = this.root(mode);
    for (let i = 0; i < layout.header - 1; i++) {
      const slot = (node >> 2) + u8[at + i];
      if (i32[slot] === 0) i32[slot] = this.allocate(NODE_BYTES);
      node = i32[slot];
    }
    const t = this.allocate(Template.records + main + Rec.bytes - first);
    i32[(node >> 2) + u8[at + layout.header - 1]] = t | TEMPLATE;
    u8[t + Template.length] = insn.length;
    u8[t + Template.displacementKind] = string ? FieldKind.fixed : fieldKind(layout.displacement, unsigned);
    u8[t + Template.immediateKind] = fieldKind(layout.immediate, false);
    u8[t + Template.flags] = (main === first ? 0 : TemplateFlag.two) | (endsRun ? TemplateFlag.endsRun : 0);
    u8[t + Template.displacementAt] = layout.header;
    u8[t + Template.immediateAt] = layout.header + layout.displacement;
    u8[t + Template.plus] = d.row.body?.name === 'POP' && d.memory && insn.base === 4 ? insn.operandSize : 0;
    i32[(t + Template.ripMask) >> 2] = insn.base === BASE_RIP ? -1 : 0;
    i32[(t + Template.branchMask) >> 2] = relative ? -1 : 0;
    u8.copyWithin(t + Template.records, first, main + Rec.bytes);
  }

  private allocate(bytes: number): number {
    const at = this.top;
    this.top += bytes;
    return at;
  }
}

function fieldKind(bytes: number, unsigned: boolean): number {
  if (bytes === 1) return FieldKind.signed8;
  if (bytes === 2) return unsigned ? FieldKind.unsigned16 : FieldKind.signed16;
  if (bytes === 4) return unsigned ? FieldKind.unsigned32 : FieldKind.signed32;
  return bytes === 8 ? FieldKind.whole64 : FieldKind.fixed;
}
