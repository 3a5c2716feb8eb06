/**
 * The two 8237A DMA controllers of a PC/AT with their page registers (Intel 8237A data sheet, "Register Description"; ports 0x00 to 0x0f, 0xc0 to
 * 0xdf, 0x80 to 0x8f): registers that read back what was written. No device here asks for DMA. Port 0x80 shows power-on self-test codes to
 * nobody.
 * Not modelled: transfers. One that would start (a request by software) stops the machine.
 */
import type { StatefulDevice } from '../device';
import { expectVersion } from '../device-state';
import type { NotModelled, PortDevice } from '../port-bus/port-bus';

const SECOND = 0xc0;
const PAGES = 0x80;
const REQUEST_SET = 4;

interface Controller {
  /** Base address and count of each channel, in turn. */
  words: number[];
  modes: number[];
  command: number;
  mask: number;
  /** The byte pointer: the next access is to a high byte. */
  high: boolean;
}

export interface DmaControllerState {
  readonly version: 1;
  readonly controllers: readonly Readonly<Controller>[];
  readonly pages: readonly number[];
}

const powerOn = (): Controller => ({ words: new Array<number>(8).fill(0), modes: [0, 1, 2, 3], command: 0, mask: 0x0f, high: false });
const copyOf = (c: Readonly<Controller>): Controller => ({ ...c, words: [...c.words], modes: [...c.modes] });

export class DmaController implements PortDevice, StatefulDevice {
  readonly name = 'dma-controller';
  readonly ports = [[0x00, 0x0f], [PAGES, PAGES + 0x0f], [SECOND, SECOND + 0x1f]] as const; // prettier-ignore
  readonly widest = 1;
  private controllers = [powerOn(), powerOn()];
  private pages = new Array<number>(16).fill(0);

  read(port: number): number {
    if (port >= PAGES && port < SECOND) return this.pages[port & 15];
    const [controller, register] = this.at(port);
    if (register < 8) {
      const word = controller.words[register];
      controller.high = !controller.high;
      return controller.high ? word & 0xff : word >> 8;
    }
    // Status: no request, no terminal count. The rest can only be written, or reads what the last transfer left, none.
    return register === 15 ? 0xf0 | controller.mask : 0;
  }

  write(port: number, _size: number, value: number, notModelled: NotModelled): void {
    if (port >= PAGES && port < SECOND) {
      this.pages[port & 15] = value;
      return;
    }
    const [c, register] = this.at(port);
    if (register < 8) {
      const word = c.words[register];
      c.words[register] = c.high ? (word & 0xff) | (value << 8) : (word & 0xff00) | value;
      c.high = !c.high;
      return;
    }
    switch (register) {
      case 8:
        c.command = value;
        break;
      case 9:
        if (value & REQUEST_SET)
          notModelled(`Not modelled: DMA transfers; a request by software for channel ${value & 3} (port 0x${port.toString(16)}).`);
        break;
      case 10:
        c.mask = value & 4 ? c.mask | (1 << (value & 3)) : c.mask & ~(1 << (value & 3));
        break;
      case 11:
        c.modes[value & 3] = value;
        break;
      case 12:
        c.high = false;
        break;
      case 13: // master clear
        Object.assign(c, { command: 0, mask: 0x0f, high: false });
        break;
      case 14:
        c.mask = 0;
        break;
      default:
        c.mask = value & 0x0f;
    }
  }

  save(): DmaControllerState {
    return { version: 1, controllers: this.controllers.map(copyOf), pages: [...this.pages] };
  }

  restore(saved: unknown): void {
    const state = expectVersion<DmaControllerState>(saved, 1, 'DMA controller');
    this.controllers = state.controllers.map(copyOf);
    this.pages = [...state.pages];
  }

  /** The second controller's registers are two ports apart. */
  private at(port: number): [Controller, number] {
    return port < SECOND ? [this.controllers[0], port & 15] : [this.controllers[1], (port - SECOND) >> 1];
  }
}
