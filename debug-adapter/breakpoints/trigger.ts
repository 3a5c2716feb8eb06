/** When does a breakpoint that was met stop the machine? Condition, hit count and log message, alike for every kind of breakpoint. */
import { evaluateExpression, isTrue, type Names } from '../evaluate/evaluate';
import { couldBeKnown } from '../evaluate/names';
import { mostSimilar } from '../evaluate/similar';
import { logsIn, namesIn, parseExpression, type Expression } from '../evaluate/syntax';
import { breakpointErrors, expressionErrors, RequestError } from '../errors';
import { exitReasonNames, isVmcsFieldName } from '../manual-tables';
import type { SymbolSource } from '../symbol-source';
import { parseHitCondition, type HitCondition } from './hit-condition';
import { parseLogMessage, renderLogMessage, type LogMessage } from './log-message';

export interface TriggerSettings {
  readonly condition?: string;
  readonly hitCondition?: string;
  readonly logMessage?: string;
}

export interface Verdict {
  readonly stop: boolean;
  /** A line for the debug console. */
  readonly output?: string;
}

export class Trigger {
  hits = 0;

  private constructor(
    private readonly conditionText: string,
    private readonly condition: Expression | undefined,
    private readonly hitCondition: HitCondition | undefined,
    private readonly logMessage: LogMessage | undefined,
    /** What the condition's log() says, by its text. */
    private readonly logs: ReadonlyMap<string, LogMessage>,
  ) {}

  /** A sentence when one of the settings is not understood. */
  static parse(settings: TriggerSettings, registers: readonly string[], symbols: SymbolSource): Trigger | string {
    let condition: Expression | undefined;
    const logs = new Map<string, LogMessage>();
    const conditionText = settings.condition?.trim() ?? '';
    if (conditionText !== '') {
      try {
        condition = parseExpression(conditionText);
        if (condition.kind === 'assign') throw expressionErrors.notHere();
        for (const text of logsIn(condition)) {
          const log = parseLogMessage(text);
          if (typeof log === 'string') return log;
          logs.set(text, log);
        }
        for (const name of namesIn(condition)) {
          if (couldBeKnown(name, registers, symbols, isVmcsFieldName)) continue;
          throw expressionErrors.unknownName(name, mostSimilar(name, [...exitReasonNames(), ...registers, ...symbols.symbolNames()]));
        }
      } catch (error) {
        if (error instanceof RequestError) return breakpointErrors.badCondition(error.message);
        throw error;
      }
    }
    const hitCondition = settings.hitCondition?.trim() ? parseHitCondition(settings.hitCondition) : undefined;
    if (typeof hitCondition === 'string') return hitCondition;
    const logMessage = settings.logMessage ? parseLogMessage(settings.logMessage) : undefined;
    if (typeof logMessage === 'string') return logMessage;
    return new Trigger(conditionText, condition, hitCondition, logMessage, logs);
  }

  /** The breakpoint was met; `names` is asked only when an expression needs it. */
  met(names: (hits: number) => Names): Verdict {
    const hits = this.hits + 1;
    if (this.condition) {
      try {
        const known = names(hits);
        const lines: string[] = [];
        const log = (text: string): void => void lines.push(renderLogMessage(this.logs.get(text) ?? [], known));
        const met = isTrue(evaluateExpression(this.condition, { ...known, log }));
        if (!met) {
          // `hits` in a condition counts every meeting; a hit condition counts those that the condition let through.
          if (namesIn(this.condition).includes('hits')) this.hits = hits;
          return { stop: false, ...(lines.length > 0 ? { output: lines.join('\n') } : {}) };
        }
      } catch (error) {
        if (!(error instanceof RequestError)) throw error;
        this.hits = hits;
        return { stop: true, output: breakpointErrors.conditionFailed(this.conditionText, error.message) };
      }
    }
    this.hits = hits;
    if (this.hitCondition && !this.hitCondition(hits)) return { stop: false };
    if (this.logMessage) return { stop: false, output: renderLogMessage(this.logMessage, names(hits)) };
    return { stop: true };
  }
}
