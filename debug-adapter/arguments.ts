/** Reads the arguments of a request, whatever the client sent: a wrong type is a refusal with a sentence, never an accident later on. */
import { requestErrors } from './errors';

export class RequestArguments {
  private readonly values: Readonly<Record<string, unknown>>;

  constructor(
    readonly command: string,
    raw: unknown,
    /** The request's number, by which it can be cancelled. */
    readonly seq: number = 0,
  ) {
    this.values = typeof raw === 'object' && raw !== null && !Array.isArray(raw) ? (raw as Record<string, unknown>) : {};
  }

  get raw(): Readonly<Record<string, unknown>> {
    return this.values;
  }

  text(name: string): string {
    return this.optionalText(name) ?? this.refuse(name, 'a text');
  }
  optionalText(name: string): string | undefined {
    const value = this.values[name];
    if (value === undefined || value === null) return undefined;
    return typeof value === 'string' ? value : this.refuse(name, 'a text');
  }

  /** A whole number within the limits, both included. */
  integer(name: string, least: number, most: number): number {
    return this.optionalInteger(name, least, most) ?? this.refuse(name, `a whole number from ${least} to ${most}`);
  }
  optionalInteger(name: string, least: number, most: number): number | undefined {
    const value = this.values[name];
    if (value === undefined || value === null) return undefined;
    if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
    return this.refuse(name, `a whole number from ${least} to ${most}`);
  }

  flag(name: string): boolean {
    const value = this.values[name];
    if (value === undefined || value === null) return false;
    return typeof value === 'boolean' ? value : this.refuse(name, 'true or false');
  }

  /** A list of objects; a missing list is an empty one. */
  objects(name: string): Record<string, unknown>[] {
    const value = this.values[name] ?? [];
    if (!Array.isArray(value)) return this.refuse(name, 'a list');
    for (const element of value)
      if (typeof element !== 'object' || element === null || Array.isArray(element)) return this.refuse(name, 'a list of objects');
    return value as Record<string, unknown>[];
  }
  texts(name: string): string[] {
    const value = this.values[name] ?? [];
    if (!Array.isArray(value) || !value.every((element) => typeof element === 'string')) return this.refuse(name, 'a list of texts');
    return value as string[];
  }
  object(name: string): Record<string, unknown> | undefined {
    const value = this.values[name];
    if (value === undefined || value === null) return undefined;
    return typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : this.refuse(name, 'an object');
  }

  refuse(name: string, expected: string): never {
    throw requestErrors.argument(this.command, name, expected, this.values[name]);
  }
}
