/** Scopes and variables of a frame: registers by group, flags, the VMCS through the inspector, the last VM exit decoded, page walks. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { explainExit } from '../emulator';
import type { InspectNode, Resolution, VmExitRecord } from '../emulator/api';
import type { Debuggee } from './debuggee';
import { expressionErrors, variableErrors } from './errors';
import { evaluateIn } from './evaluation';
import { formatPlace, hex, type MemoryPlace } from './memory-reference';
import { FLAG_BITS, flagsInWords, GENERAL_REGISTERS, groupOf, type RegisterGroup } from './registers';
import { stepInWords, stepName } from './resolution';
import type { Frame } from './stack';
import { symbolText } from './symbol-source';

/** What a variablesReference stands for. */
export type Container =
  | { readonly kind: 'registers'; readonly frame: Frame; readonly group: RegisterGroup }
  | { readonly kind: 'inspect'; readonly vcpu: number; readonly id: string }
  | { readonly kind: 'last-exit'; readonly exit: VmExitRecord }
  | { readonly kind: 'resolution'; readonly resolution: Resolution };

/** Gives out numbers for containers; they are void when the machine runs on. */
export interface References {
  add(container: Container): number;
  /** For the request 'locations': undefined where no source line is known. */
  location(place: MemoryPlace): number | undefined;
}

const GROUPS: readonly { readonly group: RegisterGroup; readonly title: string }[] = [
  { group: 'general', title: 'General' },
  { group: 'flags', title: 'Flags' },
  { group: 'segment', title: 'Segment' },
  { group: 'control', title: 'Control' },
  { group: 'msr', title: 'MSRs' },
];

export function scopesOf(debuggee: Debuggee, frame: Frame, references: References): DebugProtocol.Scope[] {
  const scopes: DebugProtocol.Scope[] = [];
  const names = frame.registers.names();
  for (const { group, title } of GROUPS) {
    if (!names.some((name) => groupOf(name) === group)) continue;
    const scope: DebugProtocol.Scope = {
      name: title,
      variablesReference: references.add({ kind: 'registers', frame, group }),
      expensive: false,
    };
    if (group === 'general') scope.presentationHint = 'registers';
    scopes.push(scope);
  }
  if (frame.kind === 'caller' || frame.kind === 'entry') return scopes;
  const { machine } = debuggee;
  if (machine.inspect.children(frame.vcpu, 'vmcs').length > 0) {
    const name = frame.level === 2 ? 'VMCS (of this guest)' : 'VMCS (current)';
    scopes.push({ name, variablesReference: references.add({ kind: 'inspect', vcpu: frame.vcpu, id: 'vmcs' }), expensive: false });
  }
  const exit = lastExit(debuggee, frame.vcpu);
  if (exit) scopes.push({ name: 'Last VM exit', variablesReference: references.add({ kind: 'last-exit', exit }), expensive: false });
  return scopes;
}

function lastExit(debuggee: Debuggee, vcpu: number): VmExitRecord | undefined {
  return debuggee.machine.recentExits.filter((exit) => exit.vcpu === vcpu).at(-1);
}

export function variablesOf(debuggee: Debuggee, container: Container, references: References): DebugProtocol.Variable[] {
  switch (container.kind) {
    case 'registers':
      return container.group === 'flags'
        ? flagVariables(container.frame)
        : registerVariables(debuggee, container.frame, container.group, references);
    case 'inspect':
      return debuggee.machine.inspect.children(container.vcpu, container.id).map((node) => nodeVariable(container.vcpu, node, references));
    case 'last-exit':
      return exitVariables(debuggee, container.exit);
    case 'resolution':
      return resolutionVariables(container.resolution);
  }
}

function registerVariables(debuggee: Debuggee, frame: Frame, group: RegisterGroup, references: References): DebugProtocol.Variable[] {
  const { registers } = frame;
  const known = registers.names().filter((name) => groupOf(name) === group);
  if (group === 'segment') return segmentVariables(frame, known);
  const order = group === 'general' ? GENERAL_REGISTERS.filter((name) => known.includes(name)) : known;
  return order.flatMap((name) => {
    const value = registers.get(name);
    if (value === undefined) return [];
    const symbol = group === 'general' ? debuggee.symbols.symbolAt(frame.level, value) : undefined;
    const variable: DebugProtocol.Variable = {
      name,
      value: symbol ? `${hex(value)} <${symbolText(debuggee.symbols, frame.level, value)}>` : hex(value),
      evaluateName: name,
      variablesReference: 0,
    };
    if (group === 'general') {
      const place: MemoryPlace = { space: 'gva', level: frame.level, address: value };
      variable.memoryReference = debuggee.reference(frame.vcpu, place);
      const location = symbol && references.location(place);
      if (location !== undefined) variable.valueLocationReference = location;
    }
    if (name === 'cr3')
      variable.memoryReference = debuggee.reference(frame.vcpu, { space: 'gpa', level: frame.level, address: value & ~0xfffn });
    if (!registers.live) variable.presentationHint = { attributes: ['readOnly'] };
    return [variable];
  });
}

/** One row for each segment: selector, and what the processor has cached with it. */
function segmentVariables(frame: Frame, known: readonly string[]): DebugProtocol.Variable[] {
  const segments = [...new Set(known.map((name) => name.split('_')[0]!))];
  return segments.map((segment) => {
    const part = (name: string): string[] => {
      const value = frame.registers.get(`${segment}_${name}`);
      return value === undefined ? [] : [`${name} ${hex(value)}`];
    };
    const selector = frame.registers.get(segment);
    const value = [...(selector === undefined ? [] : [hex(selector)]), ...part('base'), ...part('limit'), ...part('access')].join(', ');
    const evaluateName = selector === undefined ? `${segment}_base` : segment;
    return { name: segment, value, evaluateName, variablesReference: 0, presentationHint: { attributes: ['readOnly'] } };
  });
}

function flagVariables(frame: Frame): DebugProtocol.Variable[] {
  const rflags = frame.registers.get('rflags') ?? 0n;
  const readOnly = frame.registers.live ? {} : { presentationHint: { attributes: ['readOnly'] } };
  const whole = {
    name: 'rflags',
    value: `${hex(rflags)} ${flagsInWords(rflags)}`.trim(),
    evaluateName: 'rflags',
    variablesReference: 0,
    ...readOnly,
  };
  const bits = FLAG_BITS.map(({ name, shift, bits, meaning }) => ({
    name,
    value: String((rflags >> BigInt(shift)) & ((1n << BigInt(bits)) - 1n)),
    type: meaning,
    variablesReference: 0,
    ...readOnly,
  }));
  return [whole, ...bits];
}

function nodeVariable(vcpu: number, node: InspectNode, references: References): DebugProtocol.Variable {
  const field = /\/([A-Z][A-Z0-9_]*)$/.exec(node.id)?.[1];
  const variable: DebugProtocol.Variable = {
    name: node.label,
    value: [node.value, node.description].filter((part) => part !== undefined && part !== '').join(' ') || ' ',
    variablesReference: node.expandable ? references.add({ kind: 'inspect', vcpu, id: node.id }) : 0,
    presentationHint: { attributes: ['readOnly'] },
  };
  if (node.tooltip !== undefined) variable.type = node.tooltip;
  if (field !== undefined && node.value !== undefined) variable.evaluateName = field;
  if (node.memory) variable.memoryReference = formatPlace(node.memory);
  return variable;
}

function exitVariables(debuggee: Debuggee, exit: VmExitRecord): DebugProtocol.Variable[] {
  const row = (name: string, value: string, memoryReference?: string): DebugProtocol.Variable => ({
    name,
    value,
    variablesReference: 0,
    presentationHint: { attributes: ['readOnly'] },
    ...(memoryReference === undefined ? {} : { memoryReference }),
  });
  const rows = [
    row('reason', `${exit.reason} (${exit.reasonNumber})`),
    row('qualification', hex(exit.qualification)),
    row(
      'guest RIP',
      `${hex(exit.rip)} <${symbolText(debuggee.symbols, 2, exit.rip)}>`,
      formatPlace({ space: 'gva', level: 2, address: exit.rip }),
    ),
    row('instruction length', String(exit.instructionLength)),
  ];
  if (exit.gpa !== undefined)
    rows.push(row('guest-physical address', hex(exit.gpa), formatPlace({ space: 'gpa', level: 2, address: exit.gpa })));
  if (exit.linear !== undefined)
    rows.push(row('guest-linear address', hex(exit.linear), formatPlace({ space: 'gva', level: 2, address: exit.linear })));
  if (exit.interruptionInfo >>> 31)
    rows.push(
      row('interruption information', hex(exit.interruptionInfo >>> 0)),
      row('interruption error code', hex(exit.interruptionError >>> 0)),
    );
  rows.push(row('VMCS', hex(exit.vmcs), formatPlace({ space: 'gpa', level: 1, address: BigInt(exit.vmcs) })), row('step', String(exit.n)));
  rows.push(row('in words', explainExit(exit).replaceAll('\n', ' ')));
  return rows;
}

export function resolutionVariables(resolution: Resolution): DebugProtocol.Variable[] {
  const row = (name: string, value: string, memoryReference?: string): DebugProtocol.Variable => ({
    name,
    value,
    variablesReference: 0,
    presentationHint: { attributes: ['readOnly'] },
    ...(memoryReference === undefined ? {} : { memoryReference }),
  });
  const { level } = resolution.input;
  const rows = resolution.steps.map((step) => {
    const address = step.entryHpa ?? step.entryAddress;
    return row(
      stepName(step),
      stepInWords(step),
      formatPlace({ space: step.entryHpa === undefined && step.stage === 'guest' ? 'gpa' : 'hpa', level, address }),
    );
  });
  if (resolution.gva !== undefined)
    rows.push(row('GVA', hex(resolution.gva), formatPlace({ space: 'gva', level, address: resolution.gva })));
  if (resolution.gpa !== undefined)
    rows.push(row('GPA', hex(resolution.gpa), formatPlace({ space: 'gpa', level, address: resolution.gpa })));
  if (resolution.hpa !== undefined)
    rows.push(row('HPA', hex(resolution.hpa), formatPlace({ space: 'hpa', level, address: resolution.hpa })));
  if (resolution.permissions !== undefined) rows.push(row('permissions', resolution.permissions));
  if (resolution.memoryType !== undefined) rows.push(row('memory type', resolution.memoryType));
  if (resolution.failure !== undefined) rows.push(row('failure', resolution.failure));
  return rows;
}

/** Sets a register or a flag; answers with what it is now. */
export function setVariable(debuggee: Debuggee, container: Container, name: string, text: string): string {
  if (container.kind !== 'registers') throw variableErrors.readOnly(name);
  const { frame } = container;
  const { registers } = frame;
  if (!registers.live) throw expressionErrors.registerReadOnly(name);
  const { value } = evaluateIn(debuggee, frame, text);
  const number = typeof value === 'boolean' ? BigInt(value) : value;
  const flag = container.group === 'flags' ? FLAG_BITS.find((bit) => bit.name === name) : undefined;
  if (flag) {
    if (number >> BigInt(flag.bits) !== 0n) throw expressionErrors.valueTooWide(hex(number), flag.bits);
    const mask = ((1n << BigInt(flag.bits)) - 1n) << BigInt(flag.shift);
    registers.set('rflags', ((registers.get('rflags') ?? 0n) & ~mask) | (number << BigInt(flag.shift)));
    return String(number);
  }
  if (registers.get(name) === undefined) throw variableErrors.none(name);
  registers.set(name, number);
  return hex(registers.get(name) ?? number);
}
