/** How long the main thread of a node process has waited for a processor, as Linux tells it (Documentation/scheduler/sched-stats.rst). */
import { readFileSync } from 'node:fs';

export function runDelay(): number | undefined {
  try {
    // Time on the processor, time waiting for one (both in nanoseconds), number of turns.
    return Number(readFileSync('/proc/self/schedstat', 'utf8').split(' ')[1]) / 1e6;
  } catch {
    return undefined;
  }
}
