/** Errors with a sentence for the user, and the mark of our own bugs. */

/** A user's mistake: the message says what was given, what was expected and where to look. */
export class UserError extends Error {
  constructor(
    message: string,
    /** Stable word for tests and for choosing help, such as 'image-truncated'. */
    readonly code: string,
  ) {
    super(message);
    this.name = 'UserError';
  }
}

/** Our own bug: the run loop turns it into an internal-error stop that keeps the machine for inspection. */
export function unreachable(what: string): never {
  throw new Error(`Nestscope bug: ${what}`);
}
