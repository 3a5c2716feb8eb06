/** Instructions as text and what stepping needs to know of them, by iced-x86 (loaded when first needed). */
import type { Decoder as IcedDecoder, Formatter as IcedFormatter, Instruction as IcedInstruction } from 'iced-x86';

type Iced = typeof import('iced-x86');
export type CodeBits = 16 | 32 | 64;

export interface DisassembledCode {
  readonly address: bigint;
  readonly length: number;
  readonly bytes: Uint8Array;
  readonly text: string;
  readonly valid: boolean;
  /** Where a direct branch or call goes, or a RIP-relative operand points. */
  readonly target?: bigint;
  readonly kind: InstructionKind;
}

/** What an instruction does to the flow of control, as far as stepping cares. */
export type InstructionKind = 'plain' | 'call' | 'interrupt' | 'system-call' | 'return' | 'repeat' | 'vm-entry';

/** The manual's limit (SDM volume 2, "Instruction Format"). */
export const LONGEST_INSTRUCTION = 15;

export class Disassembler {
  private readonly formatter: IcedFormatter;
  private readonly instruction: IcedInstruction;

  private constructor(private readonly iced: Iced) {
    this.formatter = new iced.Formatter(iced.FormatterSyntax.Nasm);
    this.formatter.hexPrefix = '0x';
    this.formatter.hexSuffix = '';
    this.formatter.uppercaseHex = false;
    this.formatter.branchLeadingZeros = false;
    this.formatter.spaceAfterOperandSeparator = true;
    this.instruction = new iced.Instruction();
  }

  static async load(): Promise<Disassembler> {
    const loaded = (await import('iced-x86')) as Iced & { default?: Iced };
    return new Disassembler(loaded.Decoder ? loaded : loaded.default!);
  }

  /** Decodes from the first byte on, at most `count` instructions; bytes that are no instruction come singly and not valid. */
  decode(bytes: Uint8Array, address: bigint, bits: CodeBits, count: number): DisassembledCode[] {
    const result: DisassembledCode[] = [];
    let decoder: IcedDecoder | undefined;
    try {
      decoder = new this.iced.Decoder(bits, bytes, this.iced.DecoderOptions.None);
      decoder.ip = address;
      while (result.length < count && decoder.canDecode) {
        const position = decoder.position;
        decoder.decodeOut(this.instruction);
        const valid = !this.instruction.isInvalid;
        const length = valid ? this.instruction.length : 1;
        if (!valid) {
          decoder.position = position + 1;
          decoder.ip = BigInt.asUintN(64, address + BigInt(position + 1));
        }
        const code = bytes.slice(position, position + length);
        const at = BigInt.asUintN(64, address + BigInt(position));
        result.push(
          valid
            ? {
                address: at,
                length,
                bytes: code,
                text: this.formatter.format(this.instruction),
                valid,
                target: this.target(),
                kind: this.kind(),
              }
            : { address: at, length, bytes: code, text: `db 0x${code[0]!.toString(16).padStart(2, '0')}`, valid, kind: 'plain' },
        );
      }
    } finally {
      decoder?.free();
    }
    return result;
  }

  one(bytes: Uint8Array, address: bigint, bits: CodeBits): DisassembledCode | undefined {
    return this.decode(bytes, address, bits, 1)[0];
  }

  private target(): bigint | undefined {
    const { instruction, iced } = this;
    switch (instruction.flowControl) {
      case iced.FlowControl.UnconditionalBranch:
      case iced.FlowControl.ConditionalBranch:
      case iced.FlowControl.Call:
        return instruction.op0Kind === iced.OpKind.NearBranch16 ||
          instruction.op0Kind === iced.OpKind.NearBranch32 ||
          instruction.op0Kind === iced.OpKind.NearBranch64
          ? instruction.nearBranchTarget
          : undefined;
      default:
        return instruction.isIpRelMemoryOperand ? instruction.ipRelMemoryAddress : undefined;
    }
  }

  private kind(): InstructionKind {
    const { instruction, iced } = this;
    switch (instruction.mnemonic) {
      case iced.Mnemonic.Vmlaunch:
      case iced.Mnemonic.Vmresume:
        return 'vm-entry';
      case iced.Mnemonic.Vmcall:
      case iced.Mnemonic.Vmfunc:
        return 'plain';
      case iced.Mnemonic.Syscall:
      case iced.Mnemonic.Sysenter:
        return 'system-call';
    }
    switch (instruction.flowControl) {
      case iced.FlowControl.Call:
      case iced.FlowControl.IndirectCall:
        return 'call';
      case iced.FlowControl.Interrupt:
        return 'interrupt';
      case iced.FlowControl.Return:
        return 'return';
    }
    return (instruction.hasRepPrefix || instruction.hasRepnePrefix) && instruction.isStringInstruction ? 'repeat' : 'plain';
  }
}
