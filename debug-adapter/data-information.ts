/** dataBreakpointInfo: which bytes a variable, an expression or an address stands for, and so what can be watched. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { RequestArguments } from './arguments';
import { formatDataId } from './breakpoints/watching';
import type { Debuggee } from './debuggee';
import { dataErrors, RequestError } from './errors';
import { evaluateExpression } from './evaluate/evaluate';
import { parseExpression } from './evaluate/syntax';
import { namesIn } from './evaluation';
import { type MemoryPlace, parsePlace } from './memory-reference';
import type { Frame } from './stack';
import type { Container } from './variables';

type Answer = DebugProtocol.DataBreakpointInfoResponse['body'];

interface Stretch {
  readonly place: MemoryPlace;
  readonly bytes: number;
}

const MOST_BYTES = 1 << 24;

export function dataInformation(debuggee: Debuggee, args: RequestArguments, container: Container | undefined, frame: () => Frame): Answer {
  const name = args.text('name');
  const bytes = args.optionalInteger('bytes', 1, MOST_BYTES);
  const found = container ? ofVariable(debuggee, container, name) : ofExpression(debuggee, frame(), name, args.flag('asAddress'), bytes);
  if (typeof found === 'string') return { dataId: null, description: found };
  const dataId = formatDataId(found.place, found.bytes);
  const text = name === dataId || name.startsWith('0x') ? dataId : `${name} (${dataId})`;
  return { dataId, description: text, accessTypes: ['read', 'write', 'readWrite'], canPersist: true };
}

function ofVariable(debuggee: Debuggee, container: Container, name: string): Stretch | string {
  switch (container.kind) {
    case 'inspect': {
      const node = debuggee.machine.inspect.children(container.vcpu, container.id).find(({ label }) => label === name);
      if (!node?.stored) return dataErrors.notInMemory(name);
      return { place: { space: 'hpa', level: 1, address: node.stored.address }, bytes: node.stored.bytes };
    }
    case 'resolution': {
      const step = container.resolution.steps.find(({ table, index }) => `${table}[${index}]` === name);
      if (step?.entryHpa !== undefined) return { place: { space: 'hpa', level: 1, address: step.entryHpa }, bytes: step.entryBytes };
      return dataErrors.notInMemory(name);
    }
    case 'registers':
    case 'last-exit':
      return dataErrors.register(name);
  }
}

function ofExpression(debuggee: Debuggee, frame: Frame, text: string, asAddress: boolean, bytes: number | undefined): Stretch | string {
  const pointer = frame.codeBits === 64 ? 8 : 4;
  const written = parsePlace(text, frame.level);
  if (written) return { place: written, bytes: bytes ?? pointer };
  try {
    const expression = parseExpression(text);
    if (expression.kind === 'memory' && !asAddress) {
      // Only the address is asked for: memory can be watched before anything is mapped there.
      const address = evaluateExpression(expression.address, namesIn(debuggee, frame));
      if (typeof address.value === 'boolean') return dataErrors.notInMemory(text);
      const at = address.place ?? { space: 'gva' as const, level: frame.level, address: address.value };
      return { place: at, bytes: bytes ?? expression.bytes ?? pointer };
    }
    const value = evaluateExpression(expression, namesIn(debuggee, frame));
    const { origin, place } = value;
    if (place) return { place, bytes: bytes ?? pointer };
    if (!asAddress && origin?.kind === 'register') return dataErrors.register(text);
    if (!asAddress || typeof value.value === 'boolean') return dataErrors.notInMemory(text);
    return { place: { space: 'gva', level: frame.level, address: value.value }, bytes: bytes ?? pointer };
  } catch (error) {
    if (error instanceof RequestError) return error.message;
    throw error;
  }
}
