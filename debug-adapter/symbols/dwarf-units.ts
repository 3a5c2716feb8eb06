/**
 * Just enough of .debug_info for line tables (DWARF 5, "Unit Headers", "Attribute Encodings"; versions 2 to 5): of every compilation unit
 * the name and directory, keyed by where its line table begins. Leaves out everything below the unit's own entry.
 */
import { ByteReader, Malformed, stringAt } from './byte-reader';
import type { ElfSections } from './elf-sections';

export interface CompilationUnit {
  readonly name: string;
  readonly directory: string;
}

const DW_UT_COMPILE = 1;
const DW_UT_PARTIAL = 3;
const DW_UT_SKELETON = 4;
const DW_AT_NAME = 0x03;
const DW_AT_STMT_LIST = 0x10;
const DW_AT_COMP_DIR = 0x1b;

/** Units by the offset of their line table in .debug_line. */
export function readUnits(elf: ElfSections): Map<number, CompilationUnit> {
  const units = new Map<number, CompilationUnit>();
  const info = elf.byName('.debug_info');
  if (info === undefined) return units;
  const all = new ByteReader(info);
  try {
    while (!all.done) {
      let length = all.u32();
      const dwarf64 = length === 0xffffffff;
      if (dwarf64) length = Number(all.u64());
      const unit = new ByteReader(info, all.position, all.position + length);
      all.skip(length);
      try {
        readUnit(elf, unit, dwarf64, units);
      } catch (error) {
        if (!(error instanceof Malformed)) throw error;
      }
    }
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
  }
  return units;
}

function readUnit(elf: ElfSections, unit: ByteReader, dwarf64: boolean, units: Map<number, CompilationUnit>): void {
  const version = unit.u16();
  let addressBytes: number;
  let abbreviationsAt: number;
  if (version === 5) {
    const type = unit.u8();
    addressBytes = unit.u8();
    abbreviationsAt = unit.offset(dwarf64);
    if (type === DW_UT_SKELETON) unit.skip(8);
    else if (type !== DW_UT_COMPILE && type !== DW_UT_PARTIAL) return;
  } else if (version >= 2 && version <= 4) {
    abbreviationsAt = unit.offset(dwarf64);
    addressBytes = unit.u8();
  } else return;

  const code = unit.uleb();
  const abbreviations = elf.byName('.debug_abbrev');
  if (abbreviations === undefined) return;
  const table = new ByteReader(abbreviations, abbreviationsAt);
  for (;;) {
    const row = table.uleb();
    if (row === 0n) return;
    table.uleb(); // tag
    table.skip(1); // whether it has children
    const wanted = row === code;
    let name = '';
    let directory = '';
    let lines: number | undefined;
    for (;;) {
      const attribute = table.count();
      const form = table.count();
      const constant = form === DW_FORM_IMPLICIT_CONST ? table.sleb() : 0n;
      if (attribute === 0 && form === 0) break;
      if (!wanted) continue;
      const value = readForm(elf, unit, form, constant, { version, dwarf64, addressBytes });
      if (attribute === DW_AT_NAME && typeof value === 'string') name = value;
      else if (attribute === DW_AT_COMP_DIR && typeof value === 'string') directory = value;
      else if (attribute === DW_AT_STMT_LIST && typeof value === 'bigint') lines = Number(value);
    }
    if (!wanted) continue;
    if (lines !== undefined) units.set(lines, { name, directory });
    return;
  }
}

export interface FormContext {
  readonly version: number;
  readonly dwarf64: boolean;
  readonly addressBytes: number;
}

const DW_FORM_IMPLICIT_CONST = 0x21;
const DW_FORM_INDIRECT = 0x16;

/** Forms with a fixed number of bytes whose value is a number. */
const FIXED: Readonly<Record<number, number>> = {
  0x05: 2, 0x06: 4, 0x07: 8, 0x0b: 1, 0x0c: 1, 0x11: 1, 0x12: 2, 0x13: 4, 0x14: 8, 0x20: 8, 0x24: 8, 0x1c: 4,
  0x25: 1, 0x26: 2, 0x27: 3, 0x28: 4, 0x29: 1, 0x2a: 2, 0x2b: 3, 0x2c: 4,
}; // prettier-ignore

/** Reads one attribute value: text, a number, or undefined for values of no interest here. Unknown forms are Malformed, as their length is not known. */
export function readForm(
  elf: ElfSections,
  r: ByteReader,
  form: number,
  constant: bigint,
  context: FormContext,
): string | bigint | undefined {
  const fixed = FIXED[form];
  if (fixed !== undefined) return r.unsigned(fixed);
  switch (form) {
    case 0x01: // addr
      return r.unsigned(Math.min(8, context.addressBytes));
    case 0x03: // block2
      return void r.skip(r.u16());
    case 0x04: // block4
      return void r.skip(r.u32());
    case 0x0a: // block1
      return void r.skip(r.u8());
    case 0x09: // block
    case 0x18: // exprloc
      return void r.skip(r.count());
    case 0x1e: // data16
      return void r.skip(16);
    case 0x08: // string
      return r.string();
    case 0x0e: // strp
      return stringAt(elf.byName('.debug_str'), r.offset(context.dwarf64));
    case 0x1f: // line_strp
      return stringAt(elf.byName('.debug_line_str'), r.offset(context.dwarf64));
    case 0x0d: // sdata
      return r.sleb();
    case 0x0f: // udata
    case 0x15: // ref_udata
    case 0x1a: // strx
    case 0x1b: // addrx
    case 0x22: // loclistx
    case 0x23: // rnglistx
      return r.uleb();
    case 0x10: // ref_addr: the size of an address in version 2
      return context.version === 2 ? r.unsigned(Math.min(8, context.addressBytes)) : BigInt(r.offset(context.dwarf64));
    case 0x17: // sec_offset
    case 0x1d: // strp_sup
      return BigInt(r.offset(context.dwarf64));
    case 0x19: // flag_present
      return 1n;
    case DW_FORM_IMPLICIT_CONST:
      return constant;
    case DW_FORM_INDIRECT: {
      const actual = r.count();
      if (actual === DW_FORM_INDIRECT || actual === DW_FORM_IMPLICIT_CONST) throw new Malformed('indirect form of an indirect form');
      return readForm(elf, r, actual, 0n, context);
    }
    default:
      throw new Malformed(`form 0x${form.toString(16)}`);
  }
}
