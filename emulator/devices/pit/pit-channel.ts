/**
 * One counter of the Intel 8254 Programmable Interval Timer (Intel 8254 data sheet, "Operational Description" and "Mode Definitions"): its
 * state as plain data and what it shows at a cycle of its clock. A count that is written at cycle n is loaded at n + 1; from then on the
 * counting element is a function of the cycles since.
 * A count of 1 in modes 2 and 3, which the data sheet forbids, leaves OUT high.
 */

export interface PitChannel {
  /** Bits 5:0 of the mode control word as written: access, mode, BCD. */
  control: number;
  /** The count register, as written. */
  count: number;
  /** The first byte of a two-byte count whose second has not come, else -1. */
  firstByte: number;
  /** A count has been written since the control word. */
  armed: boolean;
  /** Status bit 6: the count register has not been loaded into the counting element. */
  nullCount: boolean;
  /** Cycle at which the count register is to be loaded, -1: none is due. */
  loadAt: number;
  /** Cycle at which the running count was loaded (in mode 3: the half-cycle began), -1: not counting, and the element shows `frozen`. */
  loaded: number;
  /** The count that was loaded, 1 to 65536. */
  initial: number;
  /** Cycles counted when the gate stopped the counter, -1: it runs. */
  held: number;
  frozen: number;
  /** Mode 3: OUT in this half-cycle. */
  high: boolean;
  gate: boolean;
  /** Latched count and status, -1: none. */
  latchedCount: number;
  latchedStatus: number;
  /** The next read (of two) gives the high byte. */
  readHigh: boolean;
}

export const Access = { latch: 0, low: 1, high: 2, both: 3 } as const;

/** @param control bits 5:0. The counter has no count yet. */
export function idleChannel(control: number, gate: boolean): PitChannel {
  return {
    control, count: 0, firstByte: -1, armed: false, nullCount: true, loadAt: -1, loaded: -1, initial: 0x10000, held: -1, frozen: 0, high: true,
    gate, latchedCount: -1, latchedStatus: -1, readHigh: false,
  }; // prettier-ignore
}

/** Mode 0 to 5: the high bit of modes 2 and 3 is not looked at. */
export function modeOf(channel: PitChannel): number {
  const mode = (channel.control >> 1) & 7;
  return mode > 5 ? mode - 4 : mode;
}
export const accessOf = (channel: PitChannel): number => channel.control >> 4;
const isBcd = (channel: PitChannel): boolean => (channel.control & 1) !== 0;

/** Modes whose counting the gate stops; in modes 1 and 5 it only triggers. */
const gateStops = (mode: number): boolean => mode !== 1 && mode !== 5;

const toBcd = (n: number): number =>
  (n % 10) | ((Math.floor(n / 10) % 10) << 4) | ((Math.floor(n / 100) % 10) << 8) | ((Math.floor(n / 1000) % 10) << 12);
const fromBcd = (n: number): number => (n & 15) + 10 * ((n >> 4) & 15) + 100 * ((n >> 8) & 15) + 1000 * (n >> 12);

/** The count register as a number of cycles: zero is the largest count. */
function cyclesOf(channel: PitChannel): number {
  if (!isBcd(channel)) return channel.count || 0x10000;
  return fromBcd(channel.count) % 10000 || 10000;
}

const elapsed = (channel: PitChannel, cycle: number): number => (channel.held >= 0 ? channel.held : cycle - channel.loaded);

/** Mode 3: length of a half-cycle; an odd count is high for one cycle longer. */
const halfCycle = (initial: number, high: boolean): number => (high ? (initial + 1) >> 1 : initial >> 1);

function load(channel: PitChannel, at: number): void {
  channel.loaded = at;
  channel.initial = cyclesOf(channel);
  channel.loadAt = -1;
  channel.nullCount = false;
  channel.held = !channel.gate && gateStops(modeOf(channel)) ? 0 : -1;
  channel.high = true;
}

/** Brings the channel to `cycle`: loads that were due, and in modes 2 and 3 the periods that have ended. */
export function settle(channel: PitChannel, cycle: number): void {
  if (channel.loadAt >= 0 && channel.loadAt <= cycle) load(channel, channel.loadAt);
  const mode = modeOf(channel);
  if (channel.loaded < 0 || channel.held >= 0 || (mode !== 2 && mode !== 3)) return;
  for (;;) {
    const { initial } = channel;
    const past = cycle - channel.loaded;
    // With a count of 1 there is no period to end; a new count is loaded one cycle later.
    const part = mode === 2 || initial === 1 ? initial : halfCycle(initial, channel.high);
    if (past < part) return;
    if (!channel.nullCount) {
      if (past >= initial) {
        channel.loaded += Math.floor(past / initial) * initial;
        continue;
      }
      channel.loaded += part;
      channel.high = initial === 1 || !channel.high;
    } else {
      const high = mode === 2 || initial === 1 || !channel.high;
      load(channel, channel.loaded + part);
      channel.high = high || channel.initial === 1;
    }
  }
}

/** The counting element as its 16 bits read; the channel must be settled. */
export function countAt(channel: PitChannel, cycle: number): number {
  if (channel.loaded < 0) return channel.frozen;
  const past = elapsed(channel, cycle);
  const { initial } = channel;
  const modulus = isBcd(channel) ? 10000 : 0x10000;
  const mode = modeOf(channel);
  let value: number;
  if (mode === 2) value = initial - (past % initial);
  else if (mode === 3) value = (initial & ~1) - 2 * past;
  else value = (((initial - past) % modulus) + modulus) % modulus;
  value = Math.max(0, value) % modulus;
  return isBcd(channel) ? toBcd(value) : value;
}

/** OUT; the channel must be settled. */
export function outAt(channel: PitChannel, cycle: number): boolean {
  const mode = modeOf(channel);
  if (channel.loaded < 0) return mode !== 0;
  const past = elapsed(channel, cycle);
  switch (mode) {
    case 0:
    case 1:
      return past >= channel.initial;
    case 2:
      // The gate at 0 makes OUT high at once.
      return channel.held >= 0 || channel.initial === 1 || past !== channel.initial - 1;
    case 3:
      return channel.held >= 0 || channel.high;
    default:
      return past !== channel.initial;
  }
}

/** The first cycle after `cycle` at which OUT differs, Infinity when nothing but an access can change it. The channel must be settled. */
export function nextEdge(channel: PitChannel, cycle: number): number {
  let edge = Infinity;
  const mode = modeOf(channel);
  const { initial, loadAt } = channel;
  if (channel.loaded >= 0 && channel.held < 0) {
    const past = cycle - channel.loaded;
    if (mode <= 1) edge = past < initial ? channel.loaded + initial : Infinity;
    else if (mode === 2) edge = initial === 1 ? periodEnd(channel) : channel.loaded + (past < initial - 1 ? initial - 1 : initial);
    else if (mode === 3) edge = initial === 1 ? periodEnd(channel) : channel.loaded + halfCycle(initial, channel.high);
    else edge = past < initial ? channel.loaded + initial : past === initial ? channel.loaded + initial + 1 : Infinity;
  }
  if (loadAt < 0 || edge < loadAt) return edge;
  // What is loaded next: OUT may change with it (mode 1; a strobe that ends), else when it has been counted.
  const next = { ...channel };
  const before = outAt(channel, loadAt - 1);
  settle(next, loadAt);
  return outAt(next, loadAt) !== before ? loadAt : nextEdge(next, loadAt);
}

/** With the forbidden count of 1 nothing happens until another count is loaded. */
const periodEnd = (channel: PitChannel): number => {
  if (!channel.nullCount) return Infinity;
  const next = { ...channel };
  settle(next, channel.loaded + 1);
  return next.initial === 1 ? Infinity : nextEdge(next, channel.loaded + 1);
};

// What the guest does ---------------------------------------------------------------------------------------------------

/** A mode control word: everything is cleared and OUT goes to the mode's idle level. */
export function writeControl(channel: PitChannel, control: number, cycle: number): void {
  settle(channel, cycle);
  Object.assign(channel, { ...idleChannel(control & 0x3f, channel.gate), count: channel.count, frozen: countAt(channel, cycle) });
}

/** A byte of the count, in the order that the control word has chosen. */
export function writeCount(channel: PitChannel, byte: number, cycle: number): void {
  settle(channel, cycle);
  const access = accessOf(channel);
  const mode = modeOf(channel);
  if (access === Access.both && channel.firstByte < 0) {
    channel.firstByte = byte;
    // Mode 0: the first byte stops the counting and sets OUT low.
    if (mode === 0) stop(channel, cycle);
    return;
  }
  channel.count = access === Access.low ? byte : access === Access.high ? byte << 8 : channel.firstByte | (byte << 8);
  channel.firstByte = -1;
  channel.armed = true;
  channel.nullCount = true;
  if (mode === 0) stop(channel, cycle);
  // In modes 1 and 5 the trigger loads it; in 2 and 3 the end of the period, once the counter runs.
  const waits = mode === 1 || mode === 5 || ((mode === 2 || mode === 3) && channel.loaded >= 0 && channel.loadAt < 0);
  if (!waits) channel.loadAt = cycle + 1;
}

function stop(channel: PitChannel, cycle: number): void {
  channel.frozen = countAt(channel, cycle);
  channel.loaded = -1;
  channel.loadAt = -1;
  channel.held = -1;
}

/** The gate input. A rising edge triggers modes 1, 2, 3 and 5; a low level stops modes 0, 2, 3 and 4. */
export function setGate(channel: PitChannel, gate: boolean, cycle: number): void {
  settle(channel, cycle);
  if (gate === channel.gate) return;
  const mode = modeOf(channel);
  if (!gate) {
    channel.gate = false;
    if (channel.loaded >= 0 && channel.held < 0 && gateStops(mode)) channel.held = cycle - channel.loaded;
    return;
  }
  channel.gate = true;
  if (mode === 0 || mode === 4) {
    if (channel.held >= 0) channel.loaded = cycle - channel.held;
    channel.held = -1;
  } else if (channel.armed) channel.loadAt = cycle + 1;
}

/** The counter latch command and its part of the read-back command: a latch that is not yet read is kept. */
export function latchCount(channel: PitChannel, cycle: number): void {
  settle(channel, cycle);
  if (channel.latchedCount < 0) channel.latchedCount = countAt(channel, cycle);
}

/** The read-back command's status byte. */
export function latchStatus(channel: PitChannel, cycle: number): void {
  settle(channel, cycle);
  if (channel.latchedStatus < 0)
    channel.latchedStatus = (outAt(channel, cycle) ? 0x80 : 0) | (channel.nullCount ? 0x40 : 0) | channel.control;
}

/** A read of the counter's port: latched status first, then latched count, else the counting element as it is. */
export function readChannel(channel: PitChannel, cycle: number): number {
  settle(channel, cycle);
  if (channel.latchedStatus >= 0) {
    const status = channel.latchedStatus;
    channel.latchedStatus = -1;
    return status;
  }
  const value = channel.latchedCount >= 0 ? channel.latchedCount : countAt(channel, cycle);
  const access = accessOf(channel);
  const high = access === Access.high || (access === Access.both && channel.readHigh);
  if (access === Access.both) channel.readHigh = !channel.readHigh;
  if (access !== Access.both || high) channel.latchedCount = -1;
  return high ? value >> 8 : value & 0xff;
}
