/** Writes WebAssembly binary modules (WebAssembly Core Specification, "Binary Format"): function bodies with named labels, and the module around them. */

export const I32 = 0x7f;
export const I64 = 0x7e;
export type ValueType = typeof I32 | typeof I64;

/** Opcodes used by the code generator, by their names in the specification. */
export const Op = {
  unreachable: 0x00, return: 0x0f, drop: 0x1a, select: 0x1b,
  i32_eqz: 0x45, i32_eq: 0x46, i32_ne: 0x47, i32_lt_s: 0x48, i32_lt_u: 0x49, i32_gt_s: 0x4a, i32_gt_u: 0x4b, i32_le_s: 0x4c, i32_le_u: 0x4d, i32_ge_s: 0x4e, i32_ge_u: 0x4f,
  i64_eqz: 0x50, i64_eq: 0x51, i64_ne: 0x52, i64_lt_s: 0x53, i64_lt_u: 0x54, i64_gt_s: 0x55, i64_gt_u: 0x56, i64_le_s: 0x57, i64_le_u: 0x58, i64_ge_s: 0x59, i64_ge_u: 0x5a,
  i32_clz: 0x67, i32_ctz: 0x68, i32_popcnt: 0x69, i32_add: 0x6a, i32_sub: 0x6b, i32_mul: 0x6c, i32_and: 0x71, i32_or: 0x72, i32_xor: 0x73, i32_shl: 0x74, i32_shr_s: 0x75, i32_shr_u: 0x76,
  i64_clz: 0x79, i64_ctz: 0x7a, i64_popcnt: 0x7b, i64_add: 0x7c, i64_sub: 0x7d, i64_mul: 0x7e, i64_div_s: 0x7f, i64_div_u: 0x80, i64_rem_s: 0x81, i64_rem_u: 0x82,
  i64_and: 0x83, i64_or: 0x84, i64_xor: 0x85, i64_shl: 0x86, i64_shr_s: 0x87, i64_shr_u: 0x88, i64_rotl: 0x89, i64_rotr: 0x8a,
  i32_wrap_i64: 0xa7, i64_extend_i32_s: 0xac, i64_extend_i32_u: 0xad, i32_trunc_f64_u: 0xab, i64_extend8_s: 0xc2, i64_extend16_s: 0xc3, i64_extend32_s: 0xc4,
  i32_load: 0x28, i64_load: 0x29, f64_load: 0x2b, i32_load8_u: 0x2d, i32_load16_u: 0x2f, i64_load8_s: 0x30, i64_load8_u: 0x31, i64_load16_s: 0x32, i64_load16_u: 0x33, i64_load32_s: 0x34, i64_load32_u: 0x35,
  i32_store: 0x36, i64_store: 0x37, i32_store8: 0x3a, i32_store16: 0x3b, i64_store8: 0x3c, i64_store16: 0x3d, i64_store32: 0x3e,
} as const; // prettier-ignore

function uleb(out: number[], value: number): void {
  let n = value >>> 0;
  do {
    const low = n & 0x7f;
    n >>>= 7;
    out.push(n === 0 ? low : low | 0x80);
  } while (n !== 0);
}

function sleb(out: number[], value: bigint): void {
  let v = value;
  for (;;) {
    const low = Number(v & 0x7fn);
    v >>= 7n;
    if ((v === 0n && (low & 0x40) === 0) || (v === -1n && (low & 0x40) !== 0)) {
      out.push(low);
      return;
    }
    out.push(low | 0x80);
  }
}

/** A function body under construction. Labels are strings, unique in their nesting. */
export class FunctionBody {
  readonly bytes: number[] = [];
  private readonly labels: string[] = [];
  private readonly locals: ValueType[] = [];

  constructor(readonly parameterCount: number) {}

  local(type: ValueType): number {
    this.locals.push(type);
    return this.parameterCount + this.locals.length - 1;
  }
  get localTypes(): readonly ValueType[] {
    return this.locals;
  }

  op(opcode: number): this {
    this.bytes.push(opcode);
    return this;
  }
  i32(value: number): this {
    this.bytes.push(0x41);
    sleb(this.bytes, BigInt(value | 0));
    return this;
  }
  i64(value: bigint): this {
    this.bytes.push(0x42);
    sleb(this.bytes, BigInt.asIntN(64, value));
    return this;
  }
  get(index: number): this {
    this.bytes.push(0x20);
    uleb(this.bytes, index);
    return this;
  }
  set(index: number): this {
    this.bytes.push(0x21);
    uleb(this.bytes, index);
    return this;
  }
  tee(index: number): this {
    this.bytes.push(0x22);
    uleb(this.bytes, index);
    return this;
  }
  /** Load or store with a constant offset; alignment hint 0. */
  mem(opcode: number, offset: number): this {
    this.bytes.push(opcode, 0);
    uleb(this.bytes, offset);
    return this;
  }
  block(label: string): this {
    this.labels.push(label);
    this.bytes.push(0x02, 0x40);
    return this;
  }
  loop(label: string): this {
    this.labels.push(label);
    this.bytes.push(0x03, 0x40);
    return this;
  }
  if(): this {
    this.labels.push('');
    this.bytes.push(0x04, 0x40);
    return this;
  }
  else(): this {
    this.bytes.push(0x05);
    return this;
  }
  end(): this {
    this.labels.pop();
    this.bytes.push(0x0b);
    return this;
  }
  private depth(label: string): number {
    const at = this.labels.lastIndexOf(label);
    if (at < 0) throw new Error(`no label ${label}`);
    return this.labels.length - 1 - at;
  }
  br(label: string): this {
    this.bytes.push(0x0c);
    uleb(this.bytes, this.depth(label));
    return this;
  }
  brIf(label: string): this {
    this.bytes.push(0x0d);
    uleb(this.bytes, this.depth(label));
    return this;
  }
  brTable(labels: readonly string[], otherwise: string): this {
    this.bytes.push(0x0e);
    uleb(this.bytes, labels.length);
    for (const l of labels) uleb(this.bytes, this.depth(l));
    uleb(this.bytes, this.depth(otherwise));
    return this;
  }
  call(index: number): this {
    this.bytes.push(0x10);
    uleb(this.bytes, index);
    return this;
  }
  callIndirect(type: number): this {
    this.bytes.push(0x11);
    uleb(this.bytes, type);
    this.bytes.push(0);
    return this;
  }
}

export interface FunctionType {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}
export interface ModuleParts {
  readonly types: readonly FunctionType[];
  /** Imported functions come first in the index space, then `functions`. */
  readonly imports: readonly { readonly name: string; readonly type: number }[];
  readonly functions: readonly { readonly type: number; readonly body: FunctionBody; readonly export?: string }[];
  /** Function indices of the module's own table (call_indirect), from element 0. */
  readonly table: readonly number[];
  /** Elements of the table, at least those; default as many. */
  readonly tableSize?: number;
  readonly exportTable?: string;
}

/** The bytes of a module that imports its memory as e.memory and its functions as e.<name>. */
export function encodeModule(parts: ModuleParts): Uint8Array<ArrayBuffer> {
  const out: number[] = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  const section = (id: number, fill: (b: number[]) => void): void => {
    const body: number[] = [];
    fill(body);
    out.push(id);
    uleb(out, body.length);
    for (const byte of body) out.push(byte);
  };
  const name = (b: number[], s: string): void => {
    uleb(b, s.length);
    for (let i = 0; i < s.length; i++) b.push(s.charCodeAt(i));
  };
  section(1, (b) => {
    uleb(b, parts.types.length);
    for (const t of parts.types) {
      b.push(0x60);
      uleb(b, t.parameters.length);
      b.push(...t.parameters);
      uleb(b, t.results.length);
      b.push(...t.results);
    }
  });
  section(2, (b) => {
    uleb(b, parts.imports.length + 1);
    for (const i of parts.imports) {
      name(b, 'e');
      name(b, i.name);
      b.push(0);
      uleb(b, i.type);
    }
    name(b, 'e');
    name(b, 'memory');
    b.push(2, 0);
    uleb(b, 1);
  });
  section(3, (b) => {
    uleb(b, parts.functions.length);
    for (const f of parts.functions) uleb(b, f.type);
  });
  if (parts.table.length > 0)
    section(4, (b) => {
      b.push(1, 0x70, 0);
      uleb(b, parts.tableSize ?? parts.table.length);
    });
  section(7, (b) => {
    const exported = parts.functions.map((f, i) => [f.export, i + parts.imports.length] as const).filter(([n]) => n !== undefined);
    uleb(b, exported.length + (parts.exportTable === undefined ? 0 : 1));
    if (parts.exportTable !== undefined) {
      name(b, parts.exportTable);
      b.push(1, 0);
    }
    for (const [n, i] of exported) {
      name(b, n as string);
      b.push(0);
      uleb(b, i);
    }
  });
  if (parts.table.length > 0)
    section(9, (b) => {
      b.push(1, 0, 0x41, 0, 0x0b);
      uleb(b, parts.table.length);
      for (const f of parts.table) uleb(b, f);
    });
  section(10, (b) => {
    uleb(b, parts.functions.length);
    for (const f of parts.functions) {
      const code: number[] = [];
      const groups: [number, ValueType][] = [];
      for (const t of f.body.localTypes) {
        const last = groups[groups.length - 1];
        if (last !== undefined && last[1] === t) last[0]++;
        else groups.push([1, t]);
      }
      uleb(code, groups.length);
      for (const [n, t] of groups) {
        uleb(code, n);
        code.push(t);
      }
      uleb(b, code.length + f.body.bytes.length + 1);
      for (const byte of code) b.push(byte);
      for (const byte of f.body.bytes) b.push(byte);
      b.push(0x0b);
    }
  });
  return new Uint8Array(out);
}
