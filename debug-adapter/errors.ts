/** Every sentence that a user of the debug adapter may read, and the error that carries one (launch configurations: errors-launch.ts). */

/** Refuses a request with one sentence. `show` makes the editor put it before the user's eyes. */
export class RequestError extends Error {
  constructor(
    /** Stable number, for clients and tests. */
    readonly id: number,
    message: string,
    readonly show: boolean = false,
  ) {
    super(message);
    this.name = 'RequestError';
  }
}

const quoted = (text: string): string => `'${text.length > 60 ? `${text.slice(0, 60)}…` : text}'`;

export const requestErrors = {
  notLaunched: (command: string) => new RequestError(1001, `'${command}' needs a machine, and none has been launched yet.`),
  alreadyLaunched: () =>
    new RequestError(1002, 'This session has launched its machine already: use restart, or start another session.', true),
  unknown: (command: string) => new RequestError(1003, `The request ${quoted(command)} is not known to this debug adapter.`),
  running: (command: string) => new RequestError(1004, `'${command}' needs a stopped machine: pause it first.`),
  ended: (how: string) => new RequestError(1006, `The machine cannot go on: ${how}`, true),
  argument: (command: string, name: string, expected: string, given: unknown) =>
    new RequestError(1007, `'${command}' expects ${name} to be ${expected}; given: ${describeGiven(given)}.`),
  noThread: (id: unknown, count: number) =>
    new RequestError(1008, `There is no thread ${describeGiven(id)}: threads are virtual CPUs, numbered 1 to ${count}.`),
  staleFrame: () => new RequestError(1009, 'This stack frame belongs to an earlier stop.'),
  staleVariables: () => new RequestError(1010, 'These variables belong to an earlier stop.'),
  staleLocation: () => new RequestError(1016, 'This place belongs to an earlier stop, or its source file cannot be read.'),
  cancelled: () => new RequestError(1011, 'Cancelled.'),
  attach: () => new RequestError(1012, "The request 'attach' is not possible: Nestscope runs its own machine. Use 'launch'.", true),
  notYet: (what: string) => new RequestError(1013, `${what} is not available yet.`),
  bug: (command: string, message: string) =>
    new RequestError(
      1099,
      `Nestscope's debug adapter made a mistake while answering '${command}': ${message}. Please report it with the launch configuration.`,
    ),
  noException: () => new RequestError(1015, 'The machine was not stopped by an exception, a VM exit or the end of its run.'),
};

export function stepLimitSentence(steps: number): string {
  return `The machine reached the limit of ${steps} steps that the launch configuration sets (maxSteps).`;
}

function describeGiven(given: unknown): string {
  if (given === undefined) return 'nothing';
  if (typeof given === 'string') return quoted(given);
  if (typeof given === 'bigint') return String(given);
  try {
    return quoted(JSON.stringify(given) ?? String(given));
  } catch {
    return typeof given;
  }
}

export const expressionErrors = {
  empty: () => new RequestError(1101, 'The expression is empty.'),
  tooLong: (limit: number) => new RequestError(1102, `The expression is longer than ${limit} characters.`),
  tooDeep: () => new RequestError(1103, 'The expression is nested too deeply.'),
  unexpected: (text: string, at: number) => new RequestError(1104, `Unexpected ${quoted(text)} at character ${at + 1} of the expression.`),
  missing: (sign: string, found: string | undefined) =>
    new RequestError(1105, `The expression lacks a '${sign}'${found === undefined ? ' at its end' : ` before ${quoted(found)}`}.`),
  endsEarly: () => new RequestError(1106, 'The expression ends where a value was expected.'),
  unknownName: (name: string, similar: string | undefined) =>
    new RequestError(
      1107,
      `${quoted(name)} is no register, symbol, VMCS field, event variable or exit reason${similar === undefined ? '' : `; did you mean ${similar}?`}${similar === undefined ? '.' : ''}`,
    ),
  notInEvent: (name: string) => new RequestError(1108, `The variable '${name}' has no value in this event.`),
  unknownFunction: (name: string) =>
    new RequestError(1109, `There is no function ${quoted(name)}: the functions are gpa(address) and hpa(address).`),
  functionArgument: (name: string) => new RequestError(1110, `The function ${name}() takes one argument, an address.`),
  unmapped: (address: string, why: string) => new RequestError(1111, `${address} is not mapped: ${why}`),
  unreadable: (address: string) => new RequestError(1112, `Memory at ${address} cannot be read.`),
  unwritable: (address: string) => new RequestError(1113, `Memory at ${address} cannot be written.`),
  divisionByZero: () => new RequestError(1114, 'The expression divides by zero.'),
  notAssignable: () => new RequestError(1115, 'Only a register or memory, such as rax or dword [0x1000], can be assigned to.'),
  logElsewhere: () =>
    new RequestError(
      1120,
      'log("…") belongs into the condition of a breakpoint or of an exception filter: it writes a line and does not stop.',
    ),
  logText: () => new RequestError(1121, 'log() takes one text in double quotes, such as log("RAX is {rax}").'),
  notHere: () => new RequestError(1116, 'An assignment is not allowed here.'),
  registerUnknownInFrame: (name: string, level: number) =>
    new RequestError(1117, `L${level}'s ${name} is not known here: the processor holds it for the level that is running only.`),
  registerReadOnly: (name: string) => new RequestError(1118, `${name} can be set only in the frame of the level that is running.`),
  valueTooWide: (value: string, bits: number) => new RequestError(1119, `The value ${value} does not fit into ${bits} bits.`),
};

export const breakpointErrors = {
  notLaunched: () => 'Will be checked when the machine has been launched.',
  goneDisassembly: () =>
    "This disassembly was read from a machine that is gone. Set the breakpoint in the running session's disassembly, or by address: add a function breakpoint such as 0x100000 in the Breakpoints view.",
  noInstruction: () => 'No instruction stands on this line or after it.',
  unknownMode: (mode: string, expected: readonly string[]) =>
    `There is no breakpoint mode ${quoted(mode)}: expected ${expected.join(', ')}.`,
  otherLevel: (level: number) => `This can happen in L${level} only: choose another mode.`,
  noLines: (path: string) => `The launched program has no line information for ${path}.`,
  noCode: (line: number) => `There is no code at line ${line} or after it.`,
  noSymbol: (name: string, similar: string | undefined) =>
    `No symbol ${quoted(name)} in the program's symbol table${similar === undefined ? '.' : `; did you mean ${similar}?`}`,
  noExitReason: (name: string, similar: string | undefined) =>
    `${quoted(name)} is no VM-exit reason${similar === undefined ? ": use the manual's names, such as EPT_VIOLATION." : `; did you mean ${similar}?`}`,
  badAddress: (text: string) => `${quoted(text)} is no address: expected 0x… or l2:gva:0x….`,
  notLinear: (text: string) => `${text} is a physical address; instruction breakpoints take linear addresses only so far.`,
  badDataId: (text: string) => `${quoted(text)} names no memory: expected a place and a number of bytes, such as hpa:0x5000/8.`,
  badDataLength: (bytes: number, most: number) => `${bytes} bytes cannot be watched: expected 1 to ${most}.`,
  badHitCondition: (text: string) => `The hit condition ${quoted(text)} is not understood: use 5, == 5, > 5, >= 5, < 5, <= 5 or % 5.`,
  badLogMessage: (sentence: string) => `The log message is not understood: ${sentence}`,
  badCondition: (sentence: string) => `The condition is not understood: ${sentence}`,
  unknownFilter: (id: string) => `There is no exception filter ${quoted(id)}.`,
  conditionFailed: (condition: string, sentence: string) =>
    `The condition ${quoted(condition)} could not be evaluated, so the machine stopped: ${sentence}`,
  notHeld: (text: string) => `${quoted(text)} is expected to be a list entry with the protocol's attributes.`,
};

export const memoryErrors = {
  badReference: (text: string) =>
    new RequestError(1201, `${quoted(text)} is no memory reference: expected 0x…, l1:gva:0x…, l2:gpa:0x… or hpa:0x….`),
  badData: () => new RequestError(1202, 'The data to write is not base64.'),
  tooMuch: (what: string, limit: number) => new RequestError(1203, `${what} is more than one request may ask for (${limit}).`),
  notWritten: (reference: string) =>
    new RequestError(1204, `Nothing could be written at ${reference}: the address is not mapped to memory.`, true),
};

export const variableErrors = {
  readOnly: (name: string) => new RequestError(1301, `${name} cannot be set here.`, true),
  none: (name: string) => new RequestError(1302, `There is no variable ${quoted(name)} here.`),
};

export const dataErrors = {
  register: (name: string) =>
    `${quoted(name)} is not in memory, and only memory can be watched. To watch what a register points to, watch [${name}].`,
  notInMemory: (name: string) => `${quoted(name)} has no place in memory that could be watched.`,
};

export const jumpErrors = {
  staleTarget: () => new RequestError(1401, 'This place belongs to an earlier stop or to the level that does not run.'),
  atExit: () =>
    new RequestError(
      1402,
      'The guest has just exited: step into its hypervisor, or over the instruction that exited, before you jump.',
      true,
    ),
};

export const doorSentences = {
  badPort: (given: string) => `--port expects a number from 0 to 65535; given: ${given}`,
  unknownOption: (given: string) => `Unknown option ${given}: expected nothing (the protocol on standard input and output) or --port N.`,
  listening: (port: number) => `listening on 127.0.0.1:${port}`,
  cannotListen: (port: number, why: string) => `Cannot listen on 127.0.0.1:${port}: ${why}`,
};
