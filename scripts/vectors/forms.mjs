// The instruction forms that get vectors: which mnemonics, in which group and how many cases each, taken from iced-x86's opcode table (whose
// texts are the Intel SDM's opcode and instruction columns). Leaves out what a user-mode recording cannot show and where AMD's manual and
// Intel's differ; each exclusion says which.
import iced from 'iced-x86';

const { Code, CodeExt, EncodingKind, MemorySizeExt, Mnemonic, OpCodeOperandKind } = iced;

const conditions = ['O', 'NO', 'B', 'AE', 'E', 'NE', 'BE', 'A', 'S', 'NS', 'P', 'NP', 'L', 'GE', 'LE', 'G'];

/** Group: mnemonics and cases for each form in 64-bit and in 32-bit mode. */
const groups = {
  arithmetic: { cases: [15, 10], mnemonics: 'ADD OR ADC SBB AND SUB XOR CMP TEST INC DEC NEG NOT' },
  multiply: { cases: [17, 11], mnemonics: 'MUL IMUL DIV IDIV' },
  shift: { cases: [17, 11], mnemonics: 'ROL ROR RCL RCR SHL SHR SAR SHLD SHRD' },
  alias: { cases: [4, 4], mnemonics: 'SAL' },
  decimal: { cases: [0, 38], mnemonics: 'DAA DAS AAA AAS AAM AAD' },
  move: {
    cases: [13, 10],
    mnemonics: 'MOV MOVZX MOVSX MOVSXD LEA XCHG XADD CMPXCHG CMPXCHG8B CMPXCHG16B BSWAP CBW CWDE CDQE CWD CDQ CQO XLATB',
  },
  bit: { cases: [15, 10], mnemonics: 'BT BTS BTR BTC BSF BSR' },
  condition: { cases: [7, 4], mnemonics: conditions.flatMap((cc) => [`SET${cc}`, `CMOV${cc}`, `J${cc}`]).join(' ') },
  branch: { cases: [15, 11], mnemonics: 'JMP CALL RET LOOP LOOPE LOOPNE JCXZ JECXZ JRCXZ' },
  stack: { cases: [15, 11], mnemonics: 'PUSH POP PUSHA PUSHAD POPA POPAD PUSHF PUSHFD PUSHFQ POPF POPFD POPFQ ENTER LEAVE' },
  flag: { cases: [7, 6], mnemonics: 'LAHF SAHF CLC STC CMC CLD STD' },
  string: {
    cases: [15, 11],
    mnemonics: 'MOVSB MOVSW MOVSD MOVSQ STOSB STOSW STOSD STOSQ LODSB LODSW LODSD LODSQ SCASB SCASW SCASD SCASQ CMPSB CMPSW CMPSD CMPSQ',
  },
  nothing: {
    cases: [6, 4],
    mnemonics: 'NOP PAUSE ENDBR64 ENDBR32 PREFETCHNTA PREFETCHT0 PREFETCHT1 PREFETCHT2 PREFETCHW LFENCE MFENCE SFENCE',
  },
  trap: { cases: [6, 8], mnemonics: 'INT3 INTO BOUND UD2 ARPL' },
  popcnt: { cases: [15, 8], mnemonics: 'POPCNT' },
  lzcnt: { cases: [15, 8], mnemonics: 'LZCNT TZCNT' },
  movbe: { cases: [15, 8], mnemonics: 'MOVBE' },
  movnti: { cases: [9, 6], mnemonics: 'MOVNTI' },
  bmi1: { cases: [15, 8], mnemonics: 'ANDN BEXTR BLSI BLSMSK BLSR' },
  bmi2: { cases: [15, 8], mnemonics: 'BZHI MULX PDEP PEXT RORX SARX SHLX SHRX' },
  adx: { cases: [15, 8], mnemonics: 'ADCX ADOX' },
  cache: { cases: [8, 6], mnemonics: 'CLFLUSH CLFLUSHOPT CLWB' },
  crc32: { cases: [15, 8], mnemonics: 'CRC32' },
};

const groupOf = new Map(
  Object.entries(groups).flatMap(([name, { mnemonics }]) => mnemonics.split(' ').map((mnemonic) => [mnemonic, name])),
);

const exclusions = [
  // Far branches change CS; only same-mode ones could be shown.
  [({ name }) => /^(Call|Jmp)_(ptr|m16)/.test(name)],
  // Intel ignores an operand-size prefix on near branches in 64-bit mode, AMD truncates to 16 bits.
  [({ opcode, group, mnemonic }) => /\bo16\b/.test(opcode) && (group === 'branch' || /^J/.test(mnemonic)), 64],
  // Undefined result.
  [({ name }) => name === 'Bswap_r16'],
  // Intel reads 16 bits from the source, AMD's manual 32.
  [({ name }) => name === 'Movsxd_r16_rm16'],
  // Upper half of the 32-bit stack slot: zero or untouched, by processor.
  [({ name }) => /^Pushd_[ECSDFG]S$/.test(name)],
  // POP SS inhibits the trap that ends the recording; FS and GS carry the recorder's own bases.
  [({ name }) => /^Pop[wdq]_(SS|FS|GS|CS)$/.test(name)],
  // Control and debug registers are recorded as privileged instructions; test registers are gone.
  [({ name }) => /_(cr|dr|tr)(_|$)|_(cr|dr|tr)$/.test(name)],
  // The first 486 steppings' opcode.
  [({ opcode }) => /0F A[67] /.test(opcode)],
  // Aliases with a ModRM.rm that the manual ignores.
  [({ opcode }) => /0F AE ([EF][1-79A-F])/.test(opcode)],
  [({ name }) => /KNC|REX|reserved|Movs[ds]_xmm|Cmps[ds]_xmm|^Xabort/i.test(name)],
];

const bits = (text) => Number(/\d+/.exec(text)[0]);

function describe(name, code) {
  const opCode = CodeExt.opCode(code);
  const mnemonic = Mnemonic[opCode.mnemonic].toUpperCase();
  const group = groupOf.get(mnemonic);
  const wanted = opCode.encoding === EncodingKind.Legacy || (opCode.encoding === EncodingKind.VEX && /^(bmi|adx)/.test(group));
  if (!group || !wanted || !opCode.isInstruction) return undefined;
  const operands = Array.from({ length: opCode.opCount }, (_, i) => OpCodeOperandKind[opCode.opKind(i)]);
  if (operands.some((kind) => /mm_|xmm|^k_/.test(kind))) return undefined;
  const form = {
    name,
    code,
    group,
    mnemonic,
    text: opCode.instructionString,
    opcode: opCode.opCodeString,
    operands,
    memoryBytes: MemorySizeExt.size(opCode.memorySize),
    canLock: opCode.canUseLockPrefix,
    defaults64: opCode.defaultOpSize64 || opCode.forceOpSize64,
    modes: [64, 32].filter((mode) => opCode.isAvailableInMode(mode)),
    operandBits: /\bo(16|32|64)\b/.test(opCode.opCodeString) ? bits(/\bo(16|32|64)\b/.exec(opCode.opCodeString)[1]) : 0,
    rep: 0,
  };
  form.modes = form.modes.filter((mode) => !exclusions.some(([test, only]) => (only ?? mode) === mode && test(form)));
  return form;
}

/** REP forms of a string instruction; the other prefix of MOVS, STOS and LODS is undefined. */
function repeated(form) {
  if (form.group !== 'string') return [];
  const compares = /^(CMPS|SCAS)/.test(form.mnemonic);
  const variant = (rep, prefix) => ({
    ...form,
    rep,
    text: `${prefix} ${form.text}`,
    opcode: `${rep.toString(16).toUpperCase()} ${form.opcode}`,
  });
  return compares ? [variant(0xf3, 'REPE'), variant(0xf2, 'REPNE')] : [variant(0xf3, 'REP')];
}

export function allForms() {
  const forms = [];
  for (const [name, code] of Object.entries(Code)) {
    if (typeof code !== 'number') continue;
    const form = describe(name, code);
    if (form && form.modes.length > 0) forms.push(form, ...repeated(form));
  }
  return forms;
}

/** How many cases a form gets in a mode. */
export function caseCount(form, mode) {
  return groups[form.group].cases[mode === 64 ? 0 : 1];
}
