/**
 * The keyboard and auxiliary device controller (Intel 8042) at ports 0x60 and 0x64 (IBM PS/2 Hardware Interface Technical Reference, "Keyboard
 * and Auxiliary Device Controller"): status, command byte, self-tests, output port with the A20 gate and the system reset, IRQ 1 and IRQ 12.
 * Bytes take no time on their way. The controller is as firmware leaves it: tested, interrupts of the keyboard on, the mouse port off.
 * Not modelled: keys and movements (nothing is typed), translation of scan codes other than those that commands are answered with.
 */
import type { InterruptLine, StatefulDevice } from '../device';
import { expectVersion } from '../device-state';
import type { PortDevice } from '../port-bus/port-bus';
import { type Ps2State, idleKeyboard, idleMouse, keyboardAnswer, mouseAnswer } from './ps2-devices';

const DATA = 0x60;
const COMMAND = 0x64;
const Status = { full: 0x01, system: 0x04, command: 0x08, unlocked: 0x10, auxiliary: 0x20 } as const;
/** Command byte. */
const Mode = { keyboardInterrupt: 0x01, mouseInterrupt: 0x02, system: 0x04, keyboardOff: 0x10, mouseOff: 0x20, translate: 0x40 } as const;
const OUTPUT_RESET = 0x01;
const OUTPUT_A20 = 0x02;
/** Where a byte in the output buffer came from. */
const Source = { none: 0, keyboard: 1, mouse: 2 } as const;
/** Set 2 to set 1, of the bytes that answers contain. */
const TRANSLATED: Readonly<Record<number, number>> = { 0x01: 0x43, 0x02: 0x41, 0x03: 0x3f, 0x83: 0x41 };

export interface I8042State {
  readonly version: 1;
  readonly mode: number;
  readonly memory: readonly number[];
  /** The controller command whose parameter port 0x60 awaits, 0: none. */
  readonly pending: number;
  readonly lastWasCommand: boolean;
  readonly output: number;
  /** `Source` of the byte in the output buffer. */
  readonly source: number;
  /** Bytes that wait for the output buffer. */
  readonly controllerQueue: readonly number[];
  readonly keyboardQueue: readonly number[];
  readonly mouseQueue: readonly number[];
  readonly keyboard: Readonly<Ps2State>;
  readonly mouse: Readonly<Ps2State>;
}

export interface A20Gate {
  readonly enabled: boolean;
  set(enabled: boolean): void;
}

export interface I8042Options {
  readonly keyboardIrq: InterruptLine;
  readonly mouseIrq: InterruptLine;
  readonly a20: A20Gate;
  /** The processor's reset line was pulsed. */
  reset(): void;
}

type Mutable = Omit<{ -readonly [K in keyof I8042State]: I8042State[K] }, `${string}Queue` | 'memory' | 'keyboard' | 'mouse'> & {
  memory: number[];
  controllerQueue: number[];
  keyboardQueue: number[];
  mouseQueue: number[];
  keyboard: Ps2State;
  mouse: Ps2State;
};

const POWER_ON = (): Mutable => ({
  version: 1,
  mode: Mode.keyboardInterrupt | Mode.system | Mode.mouseOff | Mode.translate,
  memory: new Array<number>(32).fill(0),
  pending: 0,
  lastWasCommand: true,
  output: 0,
  source: Source.none,
  controllerQueue: [],
  keyboardQueue: [],
  mouseQueue: [],
  keyboard: idleKeyboard(),
  mouse: idleMouse(),
});

export class I8042 implements PortDevice, StatefulDevice {
  readonly name = 'i8042';
  readonly ports = [[DATA, DATA], [COMMAND, COMMAND]] as const; // prettier-ignore
  readonly widest = 1;
  private s = POWER_ON();

  constructor(private readonly options: I8042Options) {}

  read(port: number): number {
    const { s } = this;
    if (port === COMMAND) {
      const full = s.source !== Source.none ? Status.full : 0;
      const auxiliary = s.source === Source.mouse ? Status.auxiliary : 0;
      return full | auxiliary | (s.mode & Mode.system ? Status.system : 0) | (s.lastWasCommand ? Status.command : 0) | Status.unlocked;
    }
    const byte = s.output;
    s.source = Source.none;
    this.drive();
    this.fill();
    return byte;
  }

  write(port: number, _size: number, value: number): void {
    const { s } = this;
    s.lastWasCommand = port === COMMAND;
    if (port === COMMAND) {
      s.pending = 0;
      this.command(value);
    } else if (s.pending !== 0) {
      const { pending } = s;
      s.pending = 0;
      this.parameter(pending, value);
    } else {
      // A byte for the keyboard enables its interface.
      s.mode &= ~Mode.keyboardOff;
      s.keyboardQueue = keyboardAnswer(s.keyboard, value);
    }
    this.fill();
  }

  save(): I8042State {
    return structuredCopy(this.s);
  }

  restore(saved: unknown): void {
    this.s = structuredCopy(expectVersion<I8042State>(saved, 1, 'keyboard controller'));
  }

  private command(value: number): void {
    const { s, options } = this;
    if (value >= 0x20 && value < 0x40) {
      this.answer(value === 0x20 ? s.mode : s.memory[value & 31]);
      return;
    }
    if (value >= 0xf0) {
      // Zeros among the low four bits are pulsed on the output port; bit 0 is the reset.
      if ((value & OUTPUT_RESET) === 0) options.reset();
      return;
    }
    switch (value) {
      case 0xa7:
        s.mode |= Mode.mouseOff;
        break;
      case 0xa8:
        s.mode &= ~Mode.mouseOff;
        break;
      case 0xa9: // test of the mouse interface: no error
      case 0xab: // test of the keyboard interface: no error
        this.answer(0);
        break;
      case 0xaa: // self-test
        s.mode |= Mode.system;
        this.answer(0x55);
        break;
      case 0xad:
        s.mode |= Mode.keyboardOff;
        break;
      case 0xae:
        s.mode &= ~Mode.keyboardOff;
        break;
      case 0xc0: // input port: keyboard not locked
        this.answer(0x80);
        break;
      case 0xd0:
        this.answer(this.outputPort);
        break;
      case 0xdd: // A20 off and on, as IBM's compatibles have them
        options.a20.set(false);
        break;
      case 0xdf:
        options.a20.set(true);
        break;
      case 0xe0: // test inputs
        this.answer(0);
        break;
      default:
        // 0x60 to 0x7f and 0xd1 to 0xd4 wait for their parameter; what is not known is ignored.
        if ((value >= 0x60 && value < 0x80) || (value >= 0xd1 && value <= 0xd4)) s.pending = value;
    }
  }

  private parameter(command: number, value: number): void {
    const { s } = this;
    switch (command) {
      case 0x60:
        s.mode = value & 0x7f;
        this.drive();
        break;
      case 0xd1:
        this.options.a20.set((value & OUTPUT_A20) !== 0);
        if ((value & OUTPUT_RESET) === 0) this.options.reset();
        break;
      case 0xd2: // as if the keyboard had sent it
        this.put(value, Source.keyboard);
        break;
      case 0xd3: // as if the mouse had sent it
        this.put(value, Source.mouse);
        break;
      case 0xd4:
        s.mode &= ~Mode.mouseOff;
        s.mouseQueue = mouseAnswer(s.mouse, value);
        break;
      default:
        s.memory[command & 31] = value;
    }
  }

  private get outputPort(): number {
    const { source } = this.s;
    const lines = (source === Source.keyboard ? 0x10 : 0) | (source === Source.mouse ? 0x20 : 0);
    return 0xc0 | lines | (this.options.a20.enabled ? OUTPUT_A20 : 0) | OUTPUT_RESET;
  }

  /** An answer of the controller itself comes before what the devices have to say. */
  private answer(byte: number): void {
    this.s.controllerQueue = [byte];
  }

  private put(byte: number, source: number): void {
    this.s.output = byte;
    this.s.source = Source.none;
    this.drive();
    this.s.source = source;
    this.drive();
  }

  /** The next byte that waits goes to the output buffer when that is empty. */
  private fill(): void {
    const { s } = this;
    if (s.source !== Source.none) return;
    if (s.controllerQueue.length > 0) this.put(s.controllerQueue.shift()!, Source.keyboard);
    else if (s.keyboardQueue.length > 0 && (s.mode & Mode.keyboardOff) === 0) {
      const byte = s.keyboardQueue.shift()!;
      s.keyboard.last = byte;
      this.put(s.mode & Mode.translate ? (TRANSLATED[byte] ?? byte) : byte, Source.keyboard);
    } else if (s.mouseQueue.length > 0 && (s.mode & Mode.mouseOff) === 0) {
      s.mouse.last = s.mouseQueue.shift()!;
      this.put(s.mouse.last, Source.mouse);
    }
  }

  private drive(): void {
    const { source, mode } = this.s;
    this.options.keyboardIrq(source === Source.keyboard && (mode & Mode.keyboardInterrupt) !== 0);
    this.options.mouseIrq(source === Source.mouse && (mode & Mode.mouseInterrupt) !== 0);
  }
}

function structuredCopy(from: I8042State): Mutable {
  return {
    ...from,
    memory: [...from.memory],
    controllerQueue: [...from.controllerQueue],
    keyboardQueue: [...from.keyboardQueue],
    mouseQueue: [...from.mouseQueue],
    keyboard: { ...from.keyboard },
    mouse: { ...from.mouse },
  };
}
