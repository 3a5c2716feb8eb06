/** A scheduler for whatever thread the adapter runs in: the next slice comes after the input that waits. */
import type { Scheduler } from '../host';

export function threadScheduler(): Scheduler {
  const now = (): number => performance.now();
  // Node: a message port would handle up to a thousand of its messages in a row before input gets a turn.
  const later = (milliseconds: number, work: () => void): void => void setTimeout(work, milliseconds);
  if (typeof setImmediate === 'function') return { now, later, defer: (work) => void setImmediate(work) };
  // Browsers: a message has no minimum delay, as nested timers have.
  const { port1, port2 } = new MessageChannel();
  const waiting: (() => void)[] = [];
  port1.onmessage = () => waiting.shift()?.();
  return {
    now,
    later,
    defer(work) {
      waiting.push(work);
      port2.postMessage(undefined);
    },
  };
}
