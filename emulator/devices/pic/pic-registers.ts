/**
 * The two 8259A interrupt controllers as far as a guest that wants no interrupts from them needs: initialisation sequences, masks and
 * end-of-interrupt commands are taken (Intel 8259A, "Programming the 8259A"), the mask reads back.
 * Not modelled: interrupts, the request and in-service registers, special masks and poll mode, which stop the machine when they are asked for.
 */
import { expectVersion } from '../device-state';
import type { NotModelled, PortDevice } from '../port-bus/port-bus';

interface Controller {
  mask: number;
  /** The next initialisation word that the data port expects (2, 3, 4), 0 when initialisation is over. */
  expects: number;
  /** ICW1: bit 0 an ICW4 follows, bit 1 single (no ICW3). */
  icw1: number;
  /** ICW2: the vector of the first line. */
  vectorBase: number;
}

export interface PicState {
  readonly version: 1;
  readonly controllers: readonly Readonly<Controller>[];
}

export class PicRegisters implements PortDevice {
  readonly name = 'pic';
  readonly ports = [[0x20, 0x21], [0xa0, 0xa1]] as const; // prettier-ignore
  readonly widest = 1;
  private controllers: Controller[] = [powerOn(0x08), powerOn(0x70)];

  read(port: number, _size: number, notModelled: NotModelled): number {
    if (port & 1) return this.at(port).mask;
    notModelled(`Not modelled: reading the interrupt controller's request and in-service registers (port 0x${port.toString(16)}).`);
    return 0xff;
  }

  write(port: number, _size: number, value: number, notModelled: NotModelled): void {
    const controller = this.at(port);
    if (port & 1) this.writeData(controller, value);
    else if (value & 0x10) {
      // ICW1 starts the sequence and clears the mask.
      controller.icw1 = value;
      controller.expects = 2;
      controller.mask = 0;
    } else if (value & 0x08) {
      // OCW3: choosing which register to read changes nothing until it is read.
      if (value & 0x44)
        notModelled(`Not modelled: interrupt controller command OCW3 0x${value.toString(16)} (port 0x${port.toString(16)}).`);
    }
    // OCW2 (end of interrupt, rotation) finds nothing in service.
  }

  save(): PicState {
    return { version: 1, controllers: this.controllers.map((c) => ({ ...c })) };
  }

  restore(saved: unknown): void {
    this.controllers = expectVersion<PicState>(saved, 1, 'interrupt controller').controllers.map((c) => ({ ...c }));
  }

  private at(port: number): Controller {
    return this.controllers[port < 0x80 ? 0 : 1];
  }

  private writeData(controller: Controller, value: number): void {
    const { expects, icw1 } = controller;
    const last = icw1 & 1 ? 4 : 0;
    if (expects === 0) controller.mask = value;
    else if (expects === 2) {
      controller.vectorBase = value & 0xf8;
      controller.expects = icw1 & 2 ? last : 3;
    } else controller.expects = expects === 3 ? last : 0;
  }
}

/** As firmware leaves them: initialised, every line masked. */
function powerOn(vectorBase: number): Controller {
  return { mask: 0xff, expects: 0, icw1: 0x11, vectorBase };
}
