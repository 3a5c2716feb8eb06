/** Log points: text with {expressions}; \{ and \} stand for braces. */
import { evaluateExpression, formatValue, type Names } from '../evaluate/evaluate';
import { parseExpression, type Expression } from '../evaluate/syntax';
import { breakpointErrors, RequestError } from '../errors';

export type LogMessage = readonly (string | Expression)[];

/** A sentence when an expression in it is not understood. */
export function parseLogMessage(text: string): LogMessage | string {
  const parts: (string | Expression)[] = [];
  const pattern = /\\([{}])|\{([^}]*)\}|[^\\{]+|[\\{]/g;
  try {
    for (const [whole, escaped, expression] of text.matchAll(pattern)) {
      parts.push(expression !== undefined ? parseExpression(expression) : (escaped ?? whole));
    }
  } catch (error) {
    if (error instanceof RequestError) return breakpointErrors.badLogMessage(error.message);
    throw error;
  }
  return parts;
}

/** An expression without a value shows why, in its place. */
export function renderLogMessage(message: LogMessage, names: Names): string {
  return message
    .map((part) => {
      if (typeof part === 'string') return part;
      try {
        return formatValue(evaluateExpression(part, names));
      } catch (error) {
        if (error instanceof RequestError) return `<${error.message}>`;
        throw error;
      }
    })
    .join('');
}
