/**
 * A PS/2 keyboard and mouse as their drivers meet them (IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device
 * Controller", "Commands from the System"): every command is answered; nobody types and nothing moves. Pure functions over plain state.
 */

export interface Ps2State {
  /** The command whose parameter byte is awaited, 0: none. */
  pending: number;
  scanning: boolean;
  leds: number;
  /** Keyboard: scan code set, 1 to 3. Mouse: resolution. */
  setting: number;
  /** Typematic rate, sample rate. */
  rate: number;
  /** Mouse: scaling 2:1 (bit 0), remote mode (bit 1), wrap mode (bit 2). */
  mode: number;
  /** The last byte sent. */
  last: number;
}

const ACKNOWLEDGE = 0xfa;
const RESEND = 0xfe;
const PASSED = 0xaa;

export const idleKeyboard = (): Ps2State => ({ pending: 0, scanning: true, leds: 0, setting: 2, rate: 0x2b, mode: 0, last: 0 });
export const idleMouse = (): Ps2State => ({ pending: 0, scanning: false, leds: 0, setting: 2, rate: 100, mode: 0, last: 0 });

const WRAP = 4;

/** What the keyboard sends for a byte from the system. */
export function keyboardAnswer(s: Ps2State, byte: number): number[] {
  const { pending } = s;
  s.pending = 0;
  if (pending === 0xed) s.leds = byte & 7;
  else if (pending === 0xf3) s.rate = byte & 0x7f;
  else if (pending === 0xf0) {
    if (byte === 0) return [ACKNOWLEDGE, s.setting];
    if (byte > 3) return [RESEND];
    s.setting = byte;
  }
  if (pending !== 0) return [ACKNOWLEDGE];
  switch (byte) {
    case 0xed: // set indicators
    case 0xf0: // scan code set
    case 0xf3: // typematic rate
      s.pending = byte;
      return [ACKNOWLEDGE];
    case 0xee: // echo
      return [0xee];
    case 0xf2: // identify
      return [ACKNOWLEDGE, 0xab, 0x83];
    case 0xf4: // enable
    case 0xf5: // default, disable
    case 0xf6: // default
      if (byte !== 0xf4) Object.assign(s, idleKeyboard(), { leds: s.leds });
      s.scanning = byte !== 0xf5;
      return [ACKNOWLEDGE];
    case 0xfe:
      return [s.last];
    case 0xff: // reset and self-test
      Object.assign(s, idleKeyboard());
      return [ACKNOWLEDGE, PASSED];
    default:
      return [RESEND];
  }
}

/** What the mouse sends for a byte from the system. */
export function mouseAnswer(s: Ps2State, byte: number): number[] {
  const { pending } = s;
  s.pending = 0;
  if (pending === 0xe8) s.setting = byte & 3;
  else if (pending === 0xf3) s.rate = byte;
  if (pending !== 0) return [ACKNOWLEDGE];
  if (s.mode & WRAP && byte !== 0xec && byte !== 0xff) return [byte];
  switch (byte) {
    case 0xe6: // scaling 1:1
    case 0xe7: // scaling 2:1
      s.mode = (s.mode & ~1) | (byte & 1);
      return [ACKNOWLEDGE];
    case 0xe8: // resolution
    case 0xf3: // sample rate
      s.pending = byte;
      return [ACKNOWLEDGE];
    case 0xe9: // status request
      return [ACKNOWLEDGE, ((s.mode & 2) << 5) | (s.scanning ? 0x20 : 0) | ((s.mode & 1) << 4), s.setting, s.rate];
    case 0xea: // stream mode
    case 0xf0: // remote mode
      s.mode = (s.mode & ~2) | (byte === 0xf0 ? 2 : 0);
      return [ACKNOWLEDGE];
    case 0xeb: // read data: no button, no movement
      return [ACKNOWLEDGE, 0x08, 0, 0];
    case 0xec: // end of wrap mode
    case 0xee: // wrap mode
      s.mode = (s.mode & ~WRAP) | (byte === 0xee ? WRAP : 0);
      return [ACKNOWLEDGE];
    case 0xf2: // read device type
      return [ACKNOWLEDGE, 0];
    case 0xf4: // enable
    case 0xf5: // disable
      s.scanning = byte === 0xf4;
      return [ACKNOWLEDGE];
    case 0xf6: // default
      Object.assign(s, idleMouse());
      return [ACKNOWLEDGE];
    case 0xfe:
      return [s.last];
    case 0xff: // reset
      Object.assign(s, idleMouse());
      return [ACKNOWLEDGE, PASSED, 0];
    default:
      return [RESEND];
  }
}
