/** Runs a machine from the command line to its end: slices, serial output and input, trace, save and restore in the middle, statistics. */
import type { Machine, MachineConfig, StopReason } from '../../emulator/api';
import { Pacer } from '../pacing';
import { endOf, entryFailureText, Status, statsText, traceLine } from './cli-report';

/** What a run needs of the world; the tests give their own. */
export interface RunWorld {
  createMachine(config: MachineConfig): Promise<Machine>;
  /** COM1's target. Resolves when more may be written; false when nobody reads any more. */
  serial(bytes: Uint8Array): Promise<boolean>;
  /** Bytes for COM1 that came since the last call. */
  serialInput(): Uint8Array;
  /** Somebody sits there who can still type: a guest that waits for it waits. */
  readonly interactive: boolean;
  stderr(text: string | Uint8Array): void;
  /** Undefined: no trace is wanted. */
  readonly trace: ((lines: string) => void) | undefined;
  /** Milliseconds from any fixed moment. */
  now(): number;
  /** Lets signals and input arrive. */
  breathe(): Promise<void>;
  sleep(milliseconds: number): Promise<void>;
  interrupted(): boolean;
}

export interface RunLimits {
  readonly maxSteps: number | undefined;
  readonly realtime: boolean;
  readonly saveAt: number | undefined;
  readonly stats: boolean;
}

/** Steps in one slice: short enough for Ctrl-C and for the trace ring, which a slice must not overflow. */
const SLICE_STEPS = 500_000;
/** The first one is short, so that what a guest begins with is seen at once. */
const FIRST_SLICE_STEPS = 1_000;
const TRACED_SLICE_STEPS = 4_000;
/** How often a guest that waits for somebody to type is asked. */
const WAITING_MS = 8;

export async function runMachine(config: MachineConfig, limits: RunLimits, world: RunWorld): Promise<number> {
  let machine = await world.createMachine(config);
  const started = world.now();
  const pacer = limits.realtime ? new Pacer(() => world.now()) : undefined;
  pacer?.start(machine.time);
  const maxSteps = limits.maxSteps ?? Infinity;
  let saveAt = limits.saveAt ?? Infinity;
  /** Counts of machines that were left behind by --save-at, less what a restored machine began with. */
  const exitsBefore = new Map<string, number>();
  let instructionsBefore = 0;
  let lostRecords = 0;

  const takeOutput = async (): Promise<boolean> => {
    const { records, dropped } = machine.takeTrace(world.trace ? undefined : ['entry-failure']);
    lostRecords += dropped;
    let lines = '';
    for (const record of records) {
      if (record.event === 'entry-failure') world.stderr(`nestscope: ${entryFailureText(record)}\n`);
      const line = world.trace && traceLine(record);
      if (line !== undefined) lines += `${line}\n`;
    }
    if (lines !== '') world.trace?.(lines);
    const debug = machine.takeDebugConsoleOutput();
    if (debug.length > 0) world.stderr(debug);
    const serial = machine.takeSerialOutput();
    return serial.length === 0 || (await world.serial(serial));
  };

  const count = (sign: 1 | -1): void => {
    for (const [reason, n] of machine.exitCounts) exitsBefore.set(reason, (exitsBefore.get(reason) ?? 0) + sign * n);
    instructionsBefore += sign * machine.instructions;
  };

  const longest = world.trace ? TRACED_SLICE_STEPS : SLICE_STEPS;
  let sliceSteps = Math.min(FIRST_SLICE_STEPS, longest);
  let end: { readonly status: number; readonly sentence?: string } | undefined;
  while (end === undefined) {
    if (machine.steps === saveAt) {
      saveAt = Infinity;
      // A copy, so that nothing is shared with the machine that made it.
      const snapshot = structuredClone(machine.save());
      count(1);
      machine = await world.createMachine(config);
      machine.restore(snapshot);
      count(-1);
    }
    const input = world.serialInput();
    if (input.length > 0) machine.sendSerialInput(input);
    const until = Math.min(maxSteps, saveAt > machine.steps ? saveAt : Infinity);
    sliceSteps = Math.min(longest, 2 * sliceSteps);
    const before = { steps: machine.steps, time: machine.time };
    const stop: StopReason =
      machine.steps >= until
        ? { kind: 'step-limit' }
        : slice(machine, Math.min(sliceSteps, until - machine.steps), world.interactive, pacer);
    const read = await takeOutput();
    if (!read) end = { status: Status.brokenPipe };
    else if (stop.kind !== 'step-limit') end = endOf(stop, machine.steps);
    else if (machine.steps >= maxSteps) end = endOf(stop, machine.steps);
    else if (world.interrupted()) end = { status: Status.interrupted, sentence: `Interrupted after ${machine.steps} steps.` };
    else {
      const waits = machine.steps === before.steps && machine.time === before.time;
      const sleep = waits ? WAITING_MS : (pacer?.sleep(machine.time) ?? 0);
      await (sleep > 0 ? world.sleep(sleep) : world.breathe());
    }
  }

  if (end.sentence !== undefined) world.stderr(`nestscope: ${end.sentence}\n`);
  if (limits.saveAt !== undefined && saveAt !== Infinity)
    world.stderr(`nestscope: The step of --save-at, ${limits.saveAt}, was not reached.\n`);
  if (lostRecords > 0) world.stderr(`nestscope: The trace is not complete: ${lostRecords} records were lost.\n`);
  if (limits.stats) {
    count(1);
    world.stderr(statsText(machine.steps, instructionsBefore, (world.now() - started) / 1000, exitsBefore));
  }
  return end.status;
}

/** An exception out of the emulator is our bug, but still ends with a sentence. */
function slice(machine: Machine, maxSteps: number, inputMayCome: boolean, pacer: Pacer | undefined): StopReason {
  try {
    const waitUntil = pacer?.limit(machine.time);
    const mostSteps = waitUntil === undefined ? maxSteps : Math.max(1, Math.min(maxSteps, Math.ceil(waitUntil - machine.time)));
    return machine.runSlice({ maxSteps: mostSteps, waitUntil, inputMayCome });
  } catch (error) {
    return { kind: 'internal-error', sentence: error instanceof Error ? error.message : String(error) };
  }
}
