// What both peers need: a temporary folder that is always removed, and waiting for text in a growing serial file.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const POLL_MS = 10;

/** Runs `body` with a fresh temporary folder; the folder and every registered process are gone afterwards, even after a signal. */
export async function withPeer(prefix, body) {
  const folder = mkdtempSync(join(tmpdir(), prefix));
  const stops = [];
  const cleanUp = () => {
    for (const stop of stops) stop();
    rmSync(folder, { recursive: true, force: true });
  };
  // A normal exit of this process in the middle of a run; signals are turned into one, so that nothing stays behind.
  const onSignal = () => process.exit(130);
  process.on('exit', cleanUp);
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, onSignal);
  try {
    return await body(folder, (stop) => stops.push(stop));
  } finally {
    process.off('exit', cleanUp);
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.off(name, onSignal);
    cleanUp();
  }
}

export function readSerial(path) {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

/** Ends one process that we started, by its id. */
export function endProcess(pid) {
  if (!(pid > 1)) return; // 0 would be this whole process group
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It had ended already.
  }
}

/**
 * Polls the serial file until `until` matches, `isOver()` says that the peer ended, or the time is up.
 * `seconds` runs from the moment when `from` first matched (from the call where `from` is absent).
 */
export async function waitForSerial(path, { from, until, timeoutMs, isOver }) {
  const called = performance.now();
  let started = from ? undefined : called;
  for (;;) {
    const over = isOver();
    const output = readSerial(path);
    const now = performance.now();
    if (started === undefined && from.test(output)) started = now;
    const seconds = started === undefined ? 0 : (now - started) / 1000;
    if (until?.test(output)) return { output, seconds, matched: true };
    if (over) return { output, seconds, matched: false };
    if (now - called > timeoutMs) return { output, seconds, matched: false, timedOut: true };
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
