/**
 * The interrupt controllers of the machine put together: a local APIC for each vCPU, an I/O APIC, the 8259 pair, the messages between them, and
 * what each processor would take now (`InterruptPort`). A PC's wiring: the 8259s' output goes to LINT0 of the boot processor and to input 0 of the
 * I/O APIC, NMI to every LINT1; ISA's lines go to the 8259s and to the inputs of their numbers, the timer's (0) to input 2; lines 16 to 23 are PCI's.
 *
 * As firmware leaves a PC, the boot processor is in virtual wire mode: its local APIC is enabled (SVR 1FFH), LINT0 delivers ExtINT, LINT1
 * NMI; the others' local APICs are as after reset. The 8259s have their DOS vectors (08H, 70H); every input of theirs and of the I/O APIC is masked.
 *
 * An interrupt of the local APIC comes before one of the 8259s; among destinations of a lowest-priority interrupt the one with the lowest
 * processor priority takes it, of several the one with the lowest number.
 */
import type { InterruptPort } from '../cpu/ports';
import { DeliveryMode, Lvt, TSC_DEADLINE_MSR, X2APIC_FIRST_MSR, X2APIC_LAST_MSR } from '../spec/apic';
import type { DeviceTime, InterruptLine, MmioDevice, PortDevice, ProcessorSignals, StatefulDevice, TimedDevice } from './device';
import { IO_APIC_PINS, IoApic } from './io-apic/io-apic';
import { type InterruptMessage, Shorthand, messageSignalled } from './interrupt-message';
import { ApicRegisters } from './local-apic/apic-registers';
import { LocalApic, type LocalApicHost, type LocalApicModel } from './local-apic/local-apic';
import { PicPair } from './pic/pic-pair';

export interface InterruptSystemOptions {
  readonly vcpus: number;
  readonly model: LocalApicModel;
  readonly time: DeviceTime;
  readonly signals: ProcessorSignals;
  /** The memory-mapped registers of a vCPU's local APIC have moved, appeared or gone: see `mmio`. */
  windowChanged?(vcpu: number): void;
}

const NONE = -1;
const BOOT = 0;
const ISA_LINES = 16;
const CASCADE_LINE = 2;
/** Inputs of the I/O APIC: of the 8259s' output, and of ISA's line 0. */
const PIC_PIN = 0;
const TIMER_PIN = 2;

export class InterruptSystem implements InterruptPort {
  /** By vCPU. */
  readonly localApics: readonly LocalApic[];
  readonly pic: PicPair;
  readonly ioApic: IoApic;
  /** All that is saved. After restoring every one of them, call `restored`. */
  readonly stateful: readonly StatefulDevice[];
  readonly timed: readonly TimedDevice[];
  readonly ports: readonly PortDevice[];
  /**
   * The memory-mapped registers by vCPU, for this vCPU's own accesses alone; `mmio` follows IA32_APIC_BASE (first -1, last -2: there are none).
   */
  readonly mmio: readonly MmioDevice[];
  private readonly registers: readonly ApicRegisters[];
  /** What `pending` answers: derived from the state of the controllers. */
  private readonly answers: Int32Array;

  constructor(private readonly options: InterruptSystemOptions) {
    const { time, signals, vcpus } = options;
    const host: LocalApicHost = {
      time,
      signals,
      send: (from, shorthand, message) => this.sendFrom(from, shorthand, message),
      endOfInterrupt: (vector) => this.ioApic.endOfInterrupt(vector),
      changed: (vcpu) => this.update(vcpu),
      acceptanceChanged: () => this.ioApic.retry(),
      windowChanged: (vcpu) => options.windowChanged?.(vcpu),
    };
    this.localApics = Array.from({ length: vcpus }, (_, vcpu) => new LocalApic(vcpu, options.model, host));
    this.registers = this.localApics.map((apic) => new ApicRegisters(apic, host));
    this.localApics[BOOT].setVirtualWire();
    this.ioApic = new IoApic((message) => this.deliver(message));
    this.pic = new PicPair(
      (level) => this.picOutput(level),
      () => this.externalVectorChanged(),
    );
    this.answers = new Int32Array(vcpus).fill(NONE);
    this.stateful = [...this.localApics, this.ioApic, this.pic];
    this.timed = this.localApics;
    this.ports = [this.pic];
    this.mmio = this.localApics.map((apic, vcpu) => windowOf(apic, this.registers[vcpu]));
  }

  /** The level of a line: 0 to 15 are ISA's, 16 to 23 PCI's. Line 2 is the cascade's and leads nowhere. */
  setLine(line: number, level: boolean): void {
    if (line === CASCADE_LINE || line >= IO_APIC_PINS) return;
    if (line < ISA_LINES) this.pic.setLine(line, level);
    this.ioApic.setPin(line === 0 ? TIMER_PIN : line, level);
  }

  /** The line of NMI, to LINT1 of every local APIC. */
  readonly nmiLine: InterruptLine = (level) => {
    for (const apic of this.localApics) apic.setPin(Lvt.lint1, level);
  };

  /** A message-signalled interrupt: what a device's write of `data` to `address` does. */
  deliverMsi(address: number, data: number): void {
    const message = messageSignalled(address, data);
    if (message) this.deliver(message);
  }

  /** Delivers a message to all that are meant, or to one of them; true when it was accepted. */
  deliver(message: InterruptMessage, among: (vcpu: number) => boolean = everyone): boolean {
    const { localApics } = this;
    if (message.mode === DeliveryMode.lowestPriority) {
      let best: LocalApic | undefined;
      for (const apic of localApics)
        if (among(apic.vcpu) && apic.enabled && apic.isDestination(message) && (best === undefined || apic.ppr < best.ppr)) best = apic;
      return best?.receive(message) ?? false;
    }
    let accepted = false;
    for (const apic of localApics) if (among(apic.vcpu) && apic.isDestination(message)) accepted = apic.receive(message) || accepted;
    return accepted;
  }

  // InterruptPort -------------------------------------------------------------------------------------------------------

  pending(vcpu: number): number {
    return this.answers[vcpu];
  }

  acknowledge(vcpu: number): number {
    const apic = this.localApics[vcpu];
    const own = apic.deliverable;
    if (own !== NONE) {
      apic.acknowledge(own);
      this.update(vcpu);
      return own;
    }
    apic.s.extInt = 0;
    const vector = this.pic.acknowledge();
    this.update(vcpu);
    return vector;
  }

  readCr8(vcpu: number): number {
    return this.localApics[vcpu].s.tpr >> 4;
  }
  writeCr8(vcpu: number, value: number): void {
    this.localApics[vcpu].setTaskPriority((value & 0xf) << 4);
  }
  apicBase(vcpu: number): bigint {
    return BigInt(this.localApics[vcpu].s.apicBase);
  }
  writeApicBase(vcpu: number, value: bigint): boolean {
    return this.localApics[vcpu].writeApicBase(value);
  }

  readMsr(vcpu: number, index: number): bigint | undefined {
    const apic = this.localApics[vcpu];
    if (index === TSC_DEADLINE_MSR) {
      if (!apic.model.tscDeadline) return undefined;
      this.catchUp(apic);
      return apic.timer.tscDeadline;
    }
    return isX2apicMsr(index) ? this.registers[vcpu].readX2apic(index - X2APIC_FIRST_MSR) : undefined;
  }

  writeMsr(vcpu: number, index: number, value: bigint): boolean {
    const apic = this.localApics[vcpu];
    if (index === TSC_DEADLINE_MSR) {
      if (!apic.model.tscDeadline) return false;
      this.catchUp(apic);
      apic.timer.setTscDeadline(value);
      this.catchUp(apic);
      return true;
    }
    return isX2apicMsr(index) && this.registers[vcpu].writeX2apic(index - X2APIC_FIRST_MSR, value);
  }

  sendIpi(vcpu: number, icr: bigint): void {
    this.registers[vcpu].sendIpi(Number(icr & 0xffff_ffffn), Number((icr >> 32n) & 0xffff_ffffn));
  }
  endOfInterrupt(vcpu: number): void {
    this.localApics[vcpu].endOfInterrupt();
  }
  initialize(vcpu: number): void {
    this.localApics[vcpu].initialize();
  }

  mayInterrupt(vcpu: number): boolean {
    const apic = this.localApics[vcpu];
    if (this.answers[vcpu] !== NONE || apic.deadline !== Infinity) return true;
    return (apic.present && this.ioApic.hasUnmaskedInput) || (apic.takesExternal && this.pic.hasUnmaskedInput);
  }

  // State ---------------------------------------------------------------------------------------------------------------

  /** Works out anew what is derived from the state. Signals nothing: what was signalled is part of the processors' state. */
  restored(): void {
    for (const apic of this.localApics) this.answers[apic.vcpu] = this.answer(apic);
  }

  private catchUp(apic: LocalApic): void {
    const now = this.options.time.now();
    if (apic.deadline <= now) apic.advance(now);
  }

  private answer(apic: LocalApic): number {
    const own = apic.deliverable;
    return own !== NONE || !apic.externalRequest ? own : this.pic.vector;
  }

  private update(vcpu: number): void {
    const answer = this.answer(this.localApics[vcpu]);
    if (answer === this.answers[vcpu]) return;
    this.answers[vcpu] = answer;
    this.options.signals.interruptsChanged(vcpu);
  }

  private picOutput(level: boolean): void {
    this.localApics[BOOT].setPin(Lvt.lint0, level);
    this.ioApic.setPin(PIC_PIN, level);
  }
  private externalVectorChanged(): void {
    for (const apic of this.localApics) if (apic.externalRequest) this.update(apic.vcpu);
  }

  private sendFrom(from: number, shorthand: number, message: InterruptMessage): void {
    if (shorthand === Shorthand.none) this.deliver(message);
    else {
      const broadcast = { ...message, logical: false, destination: message.wide ? 0xffff_ffff : 0xff };
      this.deliver(broadcast, shorthand === Shorthand.all ? everyone : (vcpu) => vcpu !== from);
    }
  }
}

const everyone = (): boolean => true;
const isX2apicMsr = (index: number): boolean => index >= X2APIC_FIRST_MSR && index <= X2APIC_LAST_MSR;

function windowOf(apic: LocalApic, registers: ApicRegisters): MmioDevice {
  return {
    get mmio() {
      const first = apic.window;
      return { first, last: first < 0 ? -2 : first + 0xfff };
    },
    readMmio: (offset, size) => registers.readMmio(offset, size),
    writeMmio: (offset, size, value) => registers.writeMmio(offset, size, value),
  };
}
