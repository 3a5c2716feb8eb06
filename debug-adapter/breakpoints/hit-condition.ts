/** Hit conditions: 5 and >= 5 stop from the fifth hit on, == 5 at the fifth, % 5 at every fifth. */
import { breakpointErrors } from '../errors';

export type HitCondition = (hits: number) => boolean;

const FORM = /^(==|=|>=|>|<=|<|%)?\s*([0-9]{1,15})$/;

/** A sentence when the text is not understood. */
export function parseHitCondition(text: string): HitCondition | string {
  const match = FORM.exec(text.trim());
  const number = Number(match?.[2]);
  if (!match || (match[1] === '%' && number === 0)) return breakpointErrors.badHitCondition(text);
  switch (match[1]) {
    case '==':
    case '=':
      return (hits) => hits === number;
    case '>':
      return (hits) => hits > number;
    case '<':
      return (hits) => hits < number;
    case '<=':
      return (hits) => hits <= number;
    case '%':
      return (hits) => hits % number === 0;
    default:
      return (hits) => hits >= number;
  }
}
