/**
 * Exit qualifications and VM-exit instruction information, field by field: SDM volume 3, "Basic VM-Exit Information" and "Information
 * for VM Exits Due to Instruction Execution". One row a reason; encoders, decoders and views read it.
 */
import { bitRange, flagBit, decodeBits, summarizeBits, type BitLayout, type DecodedBits } from './named-bits';
import { ExitReason } from './exit-reasons';

export const REGISTER_WORDS: Readonly<Record<number, string>> = {
  0: 'RAX', 1: 'RCX', 2: 'RDX', 3: 'RBX', 4: 'RSP', 5: 'RBP', 6: 'RSI', 7: 'RDI', 8: 'R8', 9: 'R9', 10: 'R10', 11: 'R11', 12: 'R12', 13: 'R13', 14: 'R14', 15: 'R15',
}; // prettier-ignore

/** What an exit qualification is, for one exit reason: named bits, or one value (an address or number). */
export type QualificationRow =
  | { readonly kind: 'bits'; readonly layout: BitLayout; readonly title: string }
  | { readonly kind: 'linear-address' | 'physical-address' | 'displacement' | 'number'; readonly title: string; readonly words: string };

const DEBUG: BitLayout = [
  flagBit(0, 'B0'), flagBit(1, 'B1'), flagBit(2, 'B2'), flagBit(3, 'B3'), flagBit(11, 'BLD', 'Bus lock (active low in DR6).'), flagBit(13, 'BD', 'Debug-register access detected.'),
  flagBit(14, 'BS', 'Single instruction execution.'), flagBit(16, 'RTM'),
]; // prettier-ignore
const TASK_SWITCH: BitLayout = [
  bitRange(0, 15, 'TSS selector'),
  bitRange(30, 31, 'source', { 0: 'CALL instruction', 1: 'IRET instruction', 2: 'JMP instruction', 3: 'task gate in the IDT' }),
];
const CR_ACCESS: BitLayout = [
  bitRange(0, 3, 'control register', { 0: 'CR0', 3: 'CR3', 4: 'CR4', 8: 'CR8' }),
  bitRange(4, 5, 'access type', { 0: 'MOV to CR', 1: 'MOV from CR', 2: 'CLTS', 3: 'LMSW' }),
  bitRange(6, 6, 'LMSW operand', { 0: 'register', 1: 'memory' }),
  bitRange(8, 11, 'register', REGISTER_WORDS),
  bitRange(16, 31, 'LMSW source data'),
];
const MOV_DR: BitLayout = [
  bitRange(0, 2, 'debug register', { 0: 'DR0', 1: 'DR1', 2: 'DR2', 3: 'DR3', 4: 'DR4', 5: 'DR5', 6: 'DR6', 7: 'DR7' }),
  bitRange(4, 4, 'direction', { 0: 'MOV to DR', 1: 'MOV from DR' }),
  bitRange(8, 11, 'register', REGISTER_WORDS),
];
const IO: BitLayout = [
  bitRange(0, 2, 'size', { 0: '1 byte', 1: '2 bytes', 3: '4 bytes' }),
  bitRange(3, 3, 'direction', { 0: 'OUT', 1: 'IN' }),
  bitRange(4, 4, 'string', { 0: 'not a string instruction', 1: 'string instruction' }),
  bitRange(5, 5, 'REP prefixed', { 0: 'no', 1: 'yes' }),
  bitRange(6, 6, 'operand encoding', { 0: 'DX', 1: 'immediate' }),
  bitRange(16, 31, 'port'),
];
const APIC_ACCESS: BitLayout = [
  bitRange(0, 11, 'offset'),
  bitRange(12, 15, 'access type', {
    0: 'linear access for a data read during instruction execution',
    1: 'linear access for a data write during instruction execution',
    2: 'linear access for an instruction fetch',
    3: 'linear access during event delivery',
    10: 'guest-physical access during event delivery',
    15: 'guest-physical access for an instruction fetch or during instruction execution',
  }),
  flagBit(16, 'asynchronous', 'The access is asynchronous to instruction execution.'),
];
const EPT_VIOLATION: BitLayout = [
  flagBit(0, 'data read', 'The access was a data read.'),
  flagBit(1, 'data write', 'The access was a data write.'),
  flagBit(2, 'instruction fetch', 'The access was an instruction fetch.'),
  flagBit(3, 'readable', 'The translation allowed reads.'),
  flagBit(4, 'writable', 'The translation allowed writes.'),
  flagBit(5, 'executable', 'The translation allowed execution.'),
  flagBit(6, 'user executable', 'The translation allowed execution in user mode (mode-based execute control).'),
  flagBit(7, 'linear address valid', 'The guest linear-address field is valid.'),
  bitRange(8, 8, 'cause', { 0: 'access to a guest paging-structure entry', 1: 'access to the translation of a linear address' }),
  flagBit(9, 'user-mode address'),
  flagBit(10, 'read/write page'),
  flagBit(11, 'execute-disable page'),
  flagBit(12, 'NMI unblocking due to IRET'),
  flagBit(13, 'shadow-stack access'),
  flagBit(14, 'supervisor shadow-stack page'),
  flagBit(15, 'guest-paging verification'),
  flagBit(16, 'asynchronous'),
];
const ENTRY_FAILURE_WORDS: Readonly<Record<number, string>> = {
  0: 'a check of the guest state that has no number of its own',
  2: 'the page-directory-pointer-table entries (PDPTEs) are not valid',
  3: 'an attempt to inject an NMI into a guest that blocks events by STI',
  4: 'the VMCS link pointer is not valid',
};

const R = ExitReason;
const memoryOperand: QualificationRow = {
  kind: 'displacement',
  title: 'displacement of the memory operand',
  words: 'The displacement in the instruction that caused the exit; for RIP-relative operands the address itself.',
};
const ROWS: readonly (readonly [reasons: readonly number[], row: QualificationRow])[] = [
  [[R.EXCEPTION_NMI], { kind: 'bits', layout: DEBUG, title: 'debug exceptions found (#DB), or the faulting linear address (#PF)' }],
  [[R.SIPI], { kind: 'bits', layout: [bitRange(0, 7, 'vector')], title: 'SIPI vector' }],
  [[R.TASK_SWITCH], { kind: 'bits', layout: TASK_SWITCH, title: 'task switch' }],
  [[R.CR_ACCESS], { kind: 'bits', layout: CR_ACCESS, title: 'control-register access' }],
  [[R.MOV_DR], { kind: 'bits', layout: MOV_DR, title: 'debug-register access' }],
  [[R.IO_INSTRUCTION], { kind: 'bits', layout: IO, title: 'I/O instruction' }],
  [[R.APIC_ACCESS], { kind: 'bits', layout: APIC_ACCESS, title: 'APIC access' }],
  [[R.EPT_VIOLATION], { kind: 'bits', layout: EPT_VIOLATION, title: 'EPT violation' }],
  [[R.VIRTUALIZED_EOI], { kind: 'bits', layout: [bitRange(0, 7, 'vector')], title: 'virtualized EOI' }],
  [[R.APIC_WRITE], { kind: 'bits', layout: [bitRange(0, 11, 'offset')], title: 'APIC write' }],
  [[R.INVLPG], { kind: 'linear-address', title: 'linear address', words: 'The linear-address operand of the instruction.' }],
  [[R.MWAIT], { kind: 'bits', layout: [bitRange(0, 0, 'monitoring hardware', { 0: 'not armed', 1: 'armed' })], title: 'MWAIT' }],
  [
    [R.INVALID_GUEST_STATE],
    { kind: 'bits', layout: [bitRange(0, 31, 'cause', ENTRY_FAILURE_WORDS)], title: 'what the VM-entry failure was about' },
  ],
  [
    [R.MSR_LOADING],
    {
      kind: 'number',
      title: 'MSR entry',
      words: 'The number of the entry of the VM-entry MSR-load area that could not be loaded (1 for the first).',
    },
  ],
  [
    [
      R.VMCLEAR,
      R.VMPTRLD,
      R.VMPTRST,
      R.VMREAD,
      R.VMWRITE,
      R.VMXON,
      R.INVEPT,
      R.INVVPID,
      R.INVPCID,
      R.GDTR_IDTR_ACCESS,
      R.LDTR_TR_ACCESS,
      R.XSAVES,
      R.XRSTORS,
    ],
    memoryOperand,
  ],
  [
    [R.PML_FULL, R.SPP_EVENT],
    {
      kind: 'bits',
      layout: [
        bitRange(11, 11, 'cause', { 0: 'SPP misconfiguration', 1: 'SPP miss' }),
        flagBit(12, 'NMI unblocking due to IRET'),
        flagBit(16, 'asynchronous'),
      ],
      title: 'event during an EPT access',
    },
  ],
];
const BY_REASON: ReadonlyMap<number, QualificationRow> = new Map(ROWS.flatMap(([reasons, row]) => reasons.map((r) => [r, row] as const)));

export function qualificationRow(basicReason: number): QualificationRow | undefined {
  return BY_REASON.get(basicReason);
}

/** The parts of a qualification. `vector` is that of the exception for EXCEPTION_NMI (14: the qualification is an address). */
export function decodeQualification(basicReason: number, qualification: bigint, vector?: number): readonly DecodedBits[] {
  const row = BY_REASON.get(basicReason);
  if (row?.kind !== 'bits' || (basicReason === R.EXCEPTION_NMI && vector !== 1)) return [];
  return decodeBits(row.layout, qualification);
}

/** The qualification in one line of words; empty when the reason has none. */
export function explainQualification(basicReason: number, qualification: bigint, vector?: number): string {
  const hex = `0x${qualification.toString(16)}`;
  if (basicReason === R.EXCEPTION_NMI) {
    if (vector === 14) return `page fault at linear address ${hex}`;
    return vector === 1 ? summarizeBits(DEBUG, qualification) : '';
  }
  const part = (low: number, high: number): number => Number((qualification >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n));
  if (basicReason === R.IO_INSTRUCTION) {
    const size = part(0, 2) + 1;
    const name = (part(5, 5) ? 'REP ' : '') + (part(4, 4) ? (part(3, 3) ? 'INS' : 'OUTS') : part(3, 3) ? 'IN' : 'OUT');
    return `${name} of ${size} byte${size === 1 ? '' : 's'}, port 0x${part(16, 31).toString(16)} (${part(6, 6) ? 'immediate' : 'DX'})`;
  }
  if (basicReason === R.CR_ACCESS) {
    const cr = `CR${part(0, 3)}`;
    const register = REGISTER_WORDS[part(8, 11)];
    if (part(4, 5) === 0) return `MOV to ${cr} from ${register}`;
    if (part(4, 5) === 1) return `MOV from ${cr} to ${register}`;
    return part(4, 5) === 2 ? 'CLTS' : `LMSW with 0x${part(16, 31).toString(16)} (${part(6, 6) ? 'memory' : 'register'} operand)`;
  }
  if (basicReason === R.MOV_DR)
    return part(4, 4)
      ? `MOV from DR${part(0, 2)} to ${REGISTER_WORDS[part(8, 11)]}`
      : `MOV to DR${part(0, 2)} from ${REGISTER_WORDS[part(8, 11)]}`;
  if (basicReason === R.EPT_VIOLATION) {
    const kinds =
      [part(0, 0) && 'data read', part(1, 1) && 'data write', part(2, 2) && 'instruction fetch'].filter(Boolean).join(' and ') || 'access';
    const rights = `${part(3, 3) ? 'r' : '-'}${part(4, 4) ? 'w' : '-'}${part(5, 5) ? 'x' : '-'}`;
    const where = part(7, 7) ? (part(8, 8) ? ', of the translation of a linear address' : ', to a guest paging-structure entry') : '';
    return `${kinds}${where}; EPT allows ${rights === '---' ? 'nothing (not present)' : rights}`;
  }
  const row = BY_REASON.get(basicReason);
  if (row === undefined) return '';
  if (row.kind === 'bits') return summarizeBits(row.layout, qualification);
  return `${row.title} ${row.kind === 'number' ? String(qualification) : hex}`;
}

/** VM-exit instruction information: SDM tables in "Information for VM Exits Due to Instruction Execution". */
const ADDRESS_SIZE = bitRange(7, 9, 'address size', { 0: '16-bit', 1: '32-bit', 2: '64-bit' });
const SEGMENT = bitRange(15, 17, 'segment register', { 0: 'ES', 1: 'CS', 2: 'SS', 3: 'DS', 4: 'FS', 5: 'GS' });
const SCALING = bitRange(0, 1, 'scaling', { 0: 'no scaling', 1: 'scale by 2', 2: 'scale by 4', 3: 'scale by 8' });
const ADDRESS_REGISTERS = [
  bitRange(18, 21, 'index register', REGISTER_WORDS), flagBit(22, 'index register invalid'), bitRange(23, 26, 'base register', REGISTER_WORDS), flagBit(27, 'base register invalid'),
] as const; // prettier-ignore
const MEMORY_OR_REGISTER = bitRange(10, 10, 'operand', { 0: 'memory', 1: 'register' });
const MEMORY_ONLY: BitLayout = [SCALING, ADDRESS_SIZE, SEGMENT, ...ADDRESS_REGISTERS];
const INSTRUCTION_INFORMATION: ReadonlyMap<number, BitLayout> = new Map<number, BitLayout>([
  [R.IO_INSTRUCTION, [ADDRESS_SIZE, SEGMENT]],
  ...[R.VMCLEAR, R.VMPTRLD, R.VMPTRST, R.VMXON, R.XSAVES, R.XRSTORS].map((r) => [r, MEMORY_ONLY] as const),
  ...[R.INVEPT, R.INVVPID, R.INVPCID].map((r) => [r, [...MEMORY_ONLY, bitRange(28, 31, 'Reg2', REGISTER_WORDS)]] as const),
  ...[R.VMREAD, R.VMWRITE].map(
    (r) => [r, [SCALING, bitRange(3, 6, 'Reg1', REGISTER_WORDS), ADDRESS_SIZE, MEMORY_OR_REGISTER, SEGMENT, ...ADDRESS_REGISTERS, bitRange(28, 31, 'Reg2', REGISTER_WORDS)]] as const,
  ),
  [
    R.GDTR_IDTR_ACCESS,
    [
      SCALING, ADDRESS_SIZE, bitRange(11, 11, 'operand size', { 0: '16-bit', 1: '32-bit' }), SEGMENT, ...ADDRESS_REGISTERS,
      bitRange(28, 29, 'instruction', { 0: 'SGDT', 1: 'SIDT', 2: 'LGDT', 3: 'LIDT' }),
    ],
  ],
  [
    R.LDTR_TR_ACCESS,
    [
      SCALING, bitRange(3, 6, 'Reg1', REGISTER_WORDS), ADDRESS_SIZE, MEMORY_OR_REGISTER, SEGMENT, ...ADDRESS_REGISTERS,
      bitRange(28, 29, 'instruction', { 0: 'SLDT', 1: 'STR', 2: 'LLDT', 3: 'LTR' }),
    ],
  ],
  ...[R.RDRAND, R.RDSEED, R.TPAUSE, R.UMWAIT].map(
    (r) => [r, [bitRange(3, 6, 'destination register', REGISTER_WORDS), bitRange(11, 12, 'operand size', { 0: '16-bit', 1: '32-bit', 2: '64-bit' })]] as const,
  ),
]); // prettier-ignore
export function instructionInformationLayout(basicReason: number): BitLayout | undefined {
  return INSTRUCTION_INFORMATION.get(basicReason);
}
