/**
 * One local APIC (SDM volume 3, "Advanced Programmable Interrupt Controller (APIC)"): identity and modes, acceptance and priority of
 * interrupts, the local vector table with its pins, errors, the timer. Its registers as software reaches them are in apic-registers; messages
 * go through the interrupt system. Of the Pentium 4 kind and later: INIT level de-assert does nothing, IPIs are always edge-triggered.
 * Not modelled: arbitration and errors of the P6 family's APIC bus, focus processors, the polarity of LINT pins (a line is asserted or not).
 */
import { ApicBase, ApicError, DeliveryMode, LVT_MASKED, Lvt, REMOTE_IRR_BIT, SVR_ENABLE, SVR_SUPPRESS_EOI_BROADCAST, TRIGGER_LEVEL } from '../../spec/apic'; // prettier-ignore
import { expectVersion } from '../device-state';
import type { DeviceTime, ProcessorSignals, TimedDevice } from '../device';
import type { InterruptMessage } from '../interrupt-message';
import { ApicTimer, type ApicTimerState, TIMER_RESET } from './apic-timer';
import { VectorSet } from './vector-set';

/** What the local APIC needs of the interrupt system that it is part of. */
export interface LocalApicHost {
  readonly time: DeviceTime;
  readonly signals: ProcessorSignals;
  /** An interprocessor interrupt leaves. */
  send(from: number, shorthand: number, message: InterruptMessage): void;
  /** The end of a level-triggered interrupt is broadcast to the I/O APICs. */
  endOfInterrupt(vector: number): void;
  /** The interrupt that the processor would take may be another one. */
  changed(vcpu: number): void;
  /** It may now accept messages that it did not accept. */
  acceptanceChanged(): void;
  /** The registers appear at another address, or no longer. */
  windowChanged(vcpu: number): void;
}

export interface LocalApicModel {
  readonly maxPhyAddr: number;
  readonly x2apic: boolean;
  readonly tscDeadline: boolean;
  /** IA32_MCG_CAP has CMCI: the local vector table has its seventh entry. */
  readonly cmci: boolean;
}

export interface LocalApicState {
  readonly version: 1;
  /** IA32_APIC_BASE; physical addresses fit a number. */
  apicBase: number;
  tpr: number;
  ldr: number;
  dfr: number;
  svr: number;
  icr: number;
  icrHigh: number;
  /** What reading the error status register gives, and what has been detected since it was last written. */
  esr: number;
  errors: number;
  /** An error interrupt was made and the error status register has not been written since. */
  errorSignalled: number;
  /** An ExtINT message was accepted and its acknowledge cycle has not been made. */
  extInt: number;
  /** Levels of the pins. */
  lint0: number;
  lint1: number;
  /** By `Lvt`. */
  lvt: number[];
  timer: ApicTimerState;
  irr: readonly number[];
  isr: readonly number[];
  tmr: readonly number[];
}

export const DEFAULT_BASE = 0xfee0_0000;
const PAGE = 0xfff;
const CLASS = 0xf0;
const FIRST_LEGAL_VECTOR = 16;
const MODE = ApicBase.EN | ApicBase.EXTD;
const FLAT = 0xf;
const CLUSTER = 0x0;

/** After power-up, and after INIT but for what is kept then. */
function resetState(apicBase: number): LocalApicState {
  const zero = [0, 0, 0, 0, 0, 0, 0, 0];
  return {
    version: 1, apicBase, tpr: 0, ldr: 0, dfr: 0xffff_ffff, svr: 0xff, icr: 0, icrHigh: 0, esr: 0, errors: 0, errorSignalled: 0, extInt: 0,
    lint0: 0, lint1: 0, lvt: Array<number>(7).fill(LVT_MASKED), timer: { ...TIMER_RESET }, irr: zero, isr: zero, tmr: zero,
  }; // prettier-ignore
}

export class LocalApic implements TimedDevice {
  readonly name: string;
  readonly irr = new VectorSet();
  readonly isr = new VectorSet();
  readonly tmr = new VectorSet();
  readonly timer: ApicTimer;
  /** The vector sets and the timer's state in here are stale but for `save`. */
  s: LocalApicState;

  constructor(
    readonly vcpu: number,
    readonly model: LocalApicModel,
    private readonly host: LocalApicHost,
  ) {
    this.name = `local-apic-${vcpu}`;
    this.s = resetState(DEFAULT_BASE + ApicBase.EN + (vcpu === 0 ? ApicBase.BSP : 0));
    this.timer = new ApicTimer(this.s.timer);
  }

  /** Virtual wire mode, as a PC's firmware leaves the boot processor: enabled, the 8259s at LINT0, NMI at LINT1. */
  setVirtualWire(): void {
    this.s.svr = 0x1ff;
    this.s.lvt[Lvt.lint0] = TRIGGER_LEVEL | (DeliveryMode.extInt << 8);
    this.s.lvt[Lvt.lint1] = TRIGGER_LEVEL | (DeliveryMode.nmi << 8);
  }

  // Modes ---------------------------------------------------------------------------------------------------------------

  /** Not disabled by IA32_APIC_BASE. */
  get present(): boolean {
    return (this.s.apicBase & ApicBase.EN) !== 0;
  }
  get x2apic(): boolean {
    return (this.s.apicBase & MODE) === MODE;
  }
  /** Present and enabled by the spurious-interrupt vector register. */
  get enabled(): boolean {
    return this.present && (this.s.svr & SVR_ENABLE) !== 0;
  }
  /** First address of the memory-mapped registers, -1: there are none. */
  get window(): number {
    return (this.s.apicBase & MODE) === ApicBase.EN ? this.s.apicBase - (this.s.apicBase & PAGE) : -1;
  }
  /** The logical ID: in x2APIC mode it is made of the APIC ID. */
  get logicalId(): number {
    return this.x2apic ? ((this.vcpu >> 4) << 16) | (1 << (this.vcpu & 15)) : this.s.ldr;
  }

  /** WRMSR to IA32_APIC_BASE; false: #GP(0) ("x2APIC State Transitions"). */
  writeApicBase(value: bigint): boolean {
    if ((value & 0x2ffn) !== 0n || value >> BigInt(this.model.maxPhyAddr) !== 0n) return false;
    const next = Number(value);
    const from = this.s.apicBase & MODE;
    const to = next & MODE;
    if (to === ApicBase.EXTD || (to === MODE && !this.model.x2apic)) return false;
    if (to !== from && ((from === MODE && to !== 0) || (from === 0 && to === MODE))) return false;
    if (to === 0 && from !== 0) this.reset(next);
    else {
      this.s.apicBase = next;
      if (to === MODE && from !== MODE) this.s.icrHigh = 0;
    }
    this.host.windowChanged(this.vcpu);
    this.host.acceptanceChanged();
    this.host.changed(this.vcpu);
    return true;
  }

  /** The processor has carried out an INIT: as after power-up, but for IA32_APIC_BASE and what follows from it. */
  initialize(): void {
    this.reset(this.s.apicBase);
    this.host.acceptanceChanged();
    this.host.changed(this.vcpu);
  }

  private reset(apicBase: number): void {
    const { lint0, lint1 } = this.s;
    this.s = { ...resetState(apicBase), lint0, lint1 };
    this.timer.state = this.s.timer;
    for (const set of [this.irr, this.isr, this.tmr]) set.clear();
  }

  // Priority ------------------------------------------------------------------------------------------------------------

  get ppr(): number {
    const service = this.isr.highest();
    const serviceClass = service < 0 ? 0 : service & CLASS;
    return (this.s.tpr & CLASS) >= serviceClass ? this.s.tpr : serviceClass;
  }
  get arbitrationPriority(): number {
    const requested = Math.max(this.irr.highest(), 0) & CLASS;
    const service = Math.max(this.isr.highest(), 0) & CLASS;
    const task = this.s.tpr & CLASS;
    return task >= requested && task > service ? this.s.tpr : Math.max(task & service, requested);
  }
  /** The vector that the processor would take, -1: none. */
  get deliverable(): number {
    if (!this.present) return -1;
    const vector = this.irr.highest();
    return vector >= 0 && (vector & CLASS) > (this.ppr & CLASS) ? vector : -1;
  }
  /** The processor takes it. */
  acknowledge(vector: number): void {
    this.irr.remove(vector);
    this.isr.add(vector);
  }

  /** A write to the EOI register. */
  endOfInterrupt(): void {
    const vector = this.isr.highest();
    if (vector < 0) return;
    this.isr.remove(vector);
    if (this.tmr.has(vector)) {
      for (const pin of [Lvt.lint0, Lvt.lint1]) if ((this.s.lvt[pin] & 0xff) === vector) this.s.lvt[pin] &= ~REMOTE_IRR_BIT;
      if ((this.s.svr & SVR_SUPPRESS_EOI_BROADCAST) === 0) this.host.endOfInterrupt(vector);
      this.levelPins();
    }
    this.host.changed(this.vcpu);
  }

  setTaskPriority(value: number): void {
    this.s.tpr = value;
    this.host.changed(this.vcpu);
  }

  // Acceptance ----------------------------------------------------------------------------------------------------------

  /** True when a message is meant for this APIC. */
  isDestination(message: InterruptMessage): boolean {
    if (!this.present) return false;
    const { destination } = message;
    if (destination === (message.wide ? 0xffff_ffff : 0xff)) return true;
    if (!message.logical) return destination === this.vcpu;
    if (this.x2apic) return destination >>> 16 === this.logicalId >>> 16 && (destination & this.logicalId & 0xffff) !== 0;
    if (destination > 0xff) return false;
    const id = this.s.ldr >>> 24;
    switch (this.s.dfr >>> 28) {
      case FLAT:
        return (id & destination) !== 0;
      case CLUSTER:
        return (destination >> 4 === 0xf || destination >> 4 === id >> 4) && (id & destination & 0xf) !== 0;
      default:
        return false;
    }
  }

  /** A message that is meant for this APIC arrives; false when it does not accept it. */
  receive(message: InterruptMessage): boolean {
    const { signals } = this.host;
    switch (message.mode) {
      case DeliveryMode.fixed:
      case DeliveryMode.lowestPriority:
        return this.enabled && this.accept(message.vector, message.level);
      case DeliveryMode.smi:
        signals.smi(this.vcpu);
        return true;
      case DeliveryMode.nmi:
        signals.nmi(this.vcpu);
        return true;
      case DeliveryMode.init:
        signals.init(this.vcpu);
        return true;
      case DeliveryMode.startUp:
        signals.startUp(this.vcpu, message.vector);
        return true;
      case DeliveryMode.extInt:
        if (!this.enabled) return false;
        this.s.extInt = 1;
        this.host.changed(this.vcpu);
        return true;
      default:
        return false;
    }
  }

  /** Into the interrupt request register. An illegal vector counts as accepted: there is nothing to repeat. */
  private accept(vector: number, level: boolean): boolean {
    if (vector < FIRST_LEGAL_VECTOR) {
      this.error(ApicError.receiveIllegalVector);
      return true;
    }
    this.irr.add(vector);
    if (level) this.tmr.add(vector);
    else this.tmr.remove(vector);
    this.host.changed(this.vcpu);
    return true;
  }

  /** A fixed interrupt to this APIC itself, edge-triggered. */
  acceptOwn(vector: number): void {
    if (this.enabled) this.accept(vector, false);
  }

  error(bits: number): void {
    this.s.errors |= bits;
    const entry = this.s.lvt[Lvt.error];
    if (this.s.errorSignalled || entry & LVT_MASKED) return;
    this.s.errorSignalled = 1;
    if ((entry & 0xff) < FIRST_LEGAL_VECTOR) this.s.errors |= ApicError.receiveIllegalVector;
    else this.accept(entry & 0xff, false);
  }

  // Local interrupts ----------------------------------------------------------------------------------------------------

  /** An event of a local source (timer, thermal sensor, performance counters, CMCI) goes by its entry of the local vector table. */
  raise(source: number): void {
    const entry = this.s.lvt[source];
    if (!this.present || entry & LVT_MASKED) return;
    // "Local Vector Table": a performance-monitoring interrupt masks its entry.
    if (source === Lvt.performance) this.s.lvt[source] |= LVT_MASKED;
    this.deliverLocal(source === Lvt.timer ? DeliveryMode.fixed : (entry >> 8) & 7, entry & 0xff);
  }

  private deliverLocal(mode: number, vector: number): void {
    if (mode === DeliveryMode.fixed) this.accept(vector, false);
    else if (mode === DeliveryMode.smi) this.host.signals.smi(this.vcpu);
    else if (mode === DeliveryMode.nmi) this.host.signals.nmi(this.vcpu);
  }

  /** The 8259s' output, or the line of NMI, changes at a pin. */
  setPin(pin: typeof Lvt.lint0 | typeof Lvt.lint1, level: boolean): void {
    const { s } = this;
    const before = pin === Lvt.lint0 ? s.lint0 : s.lint1;
    if (before === Number(level)) return;
    if (pin === Lvt.lint0) s.lint0 = Number(level);
    else s.lint1 = Number(level);
    if (level) this.risingEdge(pin);
    this.host.changed(this.vcpu);
  }

  private risingEdge(pin: number): void {
    const { signals } = this.host;
    if (!this.present) {
      // The pins are INTR and NMI then.
      if (pin === Lvt.lint1) signals.nmi(this.vcpu);
      return;
    }
    const entry = this.s.lvt[pin];
    if (entry & LVT_MASKED) return;
    const mode = (entry >> 8) & 7;
    if (mode === DeliveryMode.init) signals.init(this.vcpu);
    else if (mode !== DeliveryMode.fixed) this.deliverLocal(mode, entry & 0xff);
    else if (this.isLevelPin(pin)) this.levelPins();
    else this.accept(entry & 0xff, false);
  }

  /** Level triggering is for fixed interrupts at LINT0; LINT1 does not support it. */
  private isLevelPin(pin: number): boolean {
    const entry = this.s.lvt[pin];
    return pin === Lvt.lint0 && (entry & TRIGGER_LEVEL) !== 0 && ((entry >> 8) & 7) === DeliveryMode.fixed;
  }

  /** A level-triggered pin that is asserted asks again once its last interrupt has ended. */
  levelPins(): void {
    const { s } = this;
    const entry = s.lvt[Lvt.lint0];
    if (!this.enabled || s.lint0 === 0 || entry & (LVT_MASKED | REMOTE_IRR_BIT) || !this.isLevelPin(Lvt.lint0)) return;
    if ((entry & 0xff) >= FIRST_LEGAL_VECTOR) s.lvt[Lvt.lint0] |= REMOTE_IRR_BIT;
    this.accept(entry & 0xff, true);
  }

  /** The 8259s' request reaches the processor through this APIC (ExtINT), or past it. */
  get externalRequest(): boolean {
    const { s } = this;
    if (!this.present) return s.lint0 !== 0;
    return s.extInt !== 0 || (s.lint0 !== 0 && this.passesExtInt(Lvt.lint0)) || (s.lint1 !== 0 && this.passesExtInt(Lvt.lint1));
  }
  /** It would, once the 8259s ask. */
  get takesExternal(): boolean {
    return !this.present || this.passesExtInt(Lvt.lint0) || this.passesExtInt(Lvt.lint1);
  }
  private passesExtInt(pin: number): boolean {
    const entry = this.s.lvt[pin];
    return (entry & LVT_MASKED) === 0 && ((entry >> 8) & 7) === DeliveryMode.extInt;
  }

  // Time and state ------------------------------------------------------------------------------------------------------

  get deadline(): number {
    return this.timer.deadline;
  }
  advance(now: number): void {
    if (this.timer.advance(now)) this.raise(Lvt.timer);
  }

  save(): LocalApicState {
    return {
      ...this.s,
      lvt: [...this.s.lvt],
      timer: { ...this.s.timer },
      irr: this.irr.save(),
      isr: this.isr.save(),
      tmr: this.tmr.save(),
    };
  }
  restore(saved: unknown): void {
    const state = expectVersion<LocalApicState>(saved, 1, 'local APIC');
    this.s = { ...state, lvt: [...state.lvt], timer: { ...state.timer } };
    this.timer.state = this.s.timer;
    this.irr.restore(state.irr);
    this.isr.restore(state.isr);
    this.tmr.restore(state.tmr);
  }
}
