/**
 * The local APIC's registers as software reaches them: memory-mapped (xAPIC) and by RDMSR and WRMSR (x2APIC), both by the rows of spec/apic
 * (SDM volume 3, "Local APIC", "Extended xAPIC (x2APIC)").
 * Memory-mapped registers are 32 bits wide at every 16 bytes. Reads of other sizes or places give the bytes that are there, zero for bytes 4 to
 * 15; writes other than of 4 bytes at the register's address have no effect (the manual leaves both undefined).
 */
import { ApicError, ApicRegister, DeliveryMode, LVT_MASKED, Lvt, REMOTE_IRR_BIT, SVR_ENABLE, apicRegister, type ApicRegisterRow } from '../../spec/apic'; // prettier-ignore
import { Shorthand, type InterruptMessage } from '../interrupt-message';
import type { LocalApic, LocalApicHost } from './local-apic';

const WORD = 0xffff_ffffn;
/** An integrated APIC that can suppress the broadcast of the end of an interrupt. */
const VERSION = 0x0100_0014;
const MAX_LVT_SHIFT = 16;
const INIT_DEASSERT = 0x8000; // level-triggered and level 0
const LEVEL_AND_TRIGGER = 0xc000;

/** Local vector table entry of each of its registers. */
const LVT_OF: Readonly<Record<number, number>> = {
  [ApicRegister.lvtCmci]: Lvt.cmci,
  [ApicRegister.lvtTimer]: Lvt.timer,
  [ApicRegister.lvtThermal]: Lvt.thermal,
  [ApicRegister.lvtPerformance]: Lvt.performance,
  [ApicRegister.lvtLint0]: Lvt.lint0,
  [ApicRegister.lvtLint1]: Lvt.lint1,
  [ApicRegister.lvtError]: Lvt.error,
};

export class ApicRegisters {
  constructor(
    private readonly apic: LocalApic,
    private readonly host: LocalApicHost,
  ) {}

  // Memory-mapped -------------------------------------------------------------------------------------------------------

  readMmio(offset: number, size: number): bigint {
    this.catchUp();
    const byte = offset & 0xf;
    const register = this.exists(offset >> 4, 'xapic');
    if (register === undefined) {
      this.apic.error(ApicError.illegalRegister);
      return 0n;
    }
    if (!register.read || byte >= 4) return 0n;
    return BigInt.asUintN(8 * size, BigInt(this.read(register.register)) >> BigInt(8 * byte));
  }

  writeMmio(offset: number, size: number, value: bigint): void {
    this.catchUp();
    const register = this.exists(offset >> 4, 'xapic');
    if (register === undefined) this.apic.error(ApicError.illegalRegister);
    else if (register.write && size === 4 && (offset & 0xf) === 0)
      this.write(register.register, (Number(BigInt.asUintN(32, value)) & register.writable) >>> 0);
  }

  // x2APIC --------------------------------------------------------------------------------------------------------------

  /** Undefined: #GP(0). */
  readX2apic(number: number): bigint | undefined {
    const register = this.apic.x2apic ? this.exists(number, 'x2apic') : undefined;
    if (!register?.read) return undefined;
    this.catchUp();
    const low = BigInt(this.read(number));
    return number === ApicRegister.icr ? (BigInt(this.apic.s.icrHigh) << 32n) | low : low;
  }

  /** False: #GP(0). */
  writeX2apic(number: number, value: bigint): boolean {
    const register = this.apic.x2apic ? this.exists(number, 'x2apic') : undefined;
    // The logical destination register is read-only in x2APIC mode.
    if (!register?.write || number === ApicRegister.ldr) return false;
    const low = Number(value & WORD);
    if ((low & ~(register.writable | register.readOnly)) !== 0) return false;
    if (number === ApicRegister.icr) {
      this.catchUp();
      this.apic.s.icrHigh = Number(value >> 32n);
      this.write(number, low);
      return true;
    }
    if (value >> 32n !== 0n) return false;
    this.catchUp();
    this.write(number, (low & register.writable) >>> 0);
    return true;
  }

  // Registers -----------------------------------------------------------------------------------------------------------

  private exists(number: number, mode: 'xapic' | 'x2apic'): ApicRegisterRow | undefined {
    const row = apicRegister(number);
    if (row === undefined || (row.only !== undefined && row.only !== mode)) return undefined;
    return number === ApicRegister.lvtCmci && !this.apic.model.cmci ? undefined : row;
  }

  /** What was due before this access comes first. */
  private catchUp(): void {
    const now = this.host.time.now();
    if (this.apic.deadline <= now) this.apic.advance(now);
  }

  private read(number: number): number {
    const { apic } = this;
    const { s } = apic;
    switch (number) {
      case ApicRegister.id:
        // Read-only, as since the Nehalem microarchitecture.
        return apic.x2apic ? apic.vcpu : (apic.vcpu << 24) >>> 0;
      case ApicRegister.version:
        return VERSION | ((apic.model.cmci ? 6 : 5) << MAX_LVT_SHIFT);
      case ApicRegister.tpr:
        return s.tpr;
      case ApicRegister.apr:
        return apic.arbitrationPriority;
      case ApicRegister.ppr:
        return apic.ppr;
      case ApicRegister.ldr:
        return apic.logicalId;
      case ApicRegister.dfr:
        return s.dfr;
      case ApicRegister.svr:
        return s.svr;
      case ApicRegister.esr:
        return s.esr;
      case ApicRegister.icr:
        return s.icr;
      case ApicRegister.icrHigh:
        return s.icrHigh;
      case ApicRegister.initialCount:
        return apic.timer.state.initialCount;
      case ApicRegister.currentCount:
        return apic.timer.currentCount(this.host.time.now());
      case ApicRegister.divide:
        return apic.timer.state.divide;
      default:
        break;
    }
    if (number in LVT_OF) return s.lvt[LVT_OF[number]];
    if (number >= ApicRegister.irr && number < ApicRegister.irr + 8) return apic.irr.words[number - ApicRegister.irr];
    if (number >= ApicRegister.tmr && number < ApicRegister.tmr + 8) return apic.tmr.words[number - ApicRegister.tmr];
    if (number >= ApicRegister.isr && number < ApicRegister.isr + 8) return apic.isr.words[number - ApicRegister.isr];
    return 0; // remote read, which no processor since the Pentium 4 supports
  }

  /** @param value only bits that a write changes. */
  private write(number: number, value: number): void {
    const { apic } = this;
    const { s } = apic;
    switch (number) {
      case ApicRegister.tpr:
        apic.setTaskPriority(value);
        break;
      case ApicRegister.eoi:
        apic.endOfInterrupt();
        break;
      case ApicRegister.ldr:
        s.ldr = value;
        this.host.acceptanceChanged();
        break;
      case ApicRegister.dfr:
        s.dfr = (value | 0x0fff_ffff) >>> 0;
        this.host.acceptanceChanged();
        break;
      case ApicRegister.svr:
        this.writeSpuriousVector(value);
        break;
      case ApicRegister.esr:
        s.esr = s.errors;
        s.errors = 0;
        s.errorSignalled = 0;
        break;
      case ApicRegister.icr:
        s.icr = value;
        this.sendIpi(s.icr, s.icrHigh);
        break;
      case ApicRegister.icrHigh:
        s.icrHigh = value;
        break;
      case ApicRegister.selfIpi:
        this.sendIpi((Shorthand.self << 18) | value, 0);
        break;
      case ApicRegister.initialCount:
        apic.timer.setInitialCount(value, this.host.time.now());
        break;
      case ApicRegister.divide:
        apic.timer.setDivide(value, this.host.time.now());
        break;
      default:
        this.writeLvt(LVT_OF[number], value);
    }
  }

  private writeSpuriousVector(value: number): void {
    const { s } = this.apic;
    s.svr = value;
    // "Local APIC State After It Has Been Software Disabled": every entry is masked, and stays so.
    if ((value & SVR_ENABLE) === 0) for (let n = 0; n < s.lvt.length; n++) s.lvt[n] |= LVT_MASKED;
    this.host.acceptanceChanged();
    this.host.changed(this.apic.vcpu);
  }

  private writeLvt(entry: number, value: number): void {
    const { s } = this.apic;
    const masked = (s.svr & SVR_ENABLE) === 0 ? LVT_MASKED : 0;
    s.lvt[entry] = value | masked | (s.lvt[entry] & REMOTE_IRR_BIT);
    if (entry === Lvt.timer) this.apic.timer.setMode(this.timerMode(value));
    this.apic.levelPins();
    this.host.changed(this.apic.vcpu);
  }
  /** Bit 18 is reserved without TSC-deadline support. */
  private timerMode(value: number): number {
    return (value >> 17) & (this.apic.model.tscDeadline ? 3 : 1);
  }

  // Interprocessor interrupts -------------------------------------------------------------------------------------------

  /** As a write to the interrupt command register does, without changing the register ("Interrupt Command Register (ICR)"). */
  sendIpi(low: number, high: number): void {
    const { apic } = this;
    const mode = (low >> 8) & 7;
    const shorthand = (low >> 18) & 3;
    const vector = low & 0xff;
    if (mode === DeliveryMode.reserved || mode === DeliveryMode.extInt) return;
    // The de-assertion of INIT was for the P6 family; the level and the trigger mode mean nothing else.
    if (mode === DeliveryMode.init && (low & LEVEL_AND_TRIGGER) === INIT_DEASSERT) return;
    // "Valid Combinations": only fixed interrupts go to oneself by a shorthand.
    if ((shorthand === Shorthand.self || shorthand === Shorthand.all) && mode !== DeliveryMode.fixed) return;
    if (mode <= DeliveryMode.lowestPriority && vector < 16) {
      apic.error(ApicError.sendIllegalVector | (shorthand === Shorthand.self ? ApicError.receiveIllegalVector : 0));
      return;
    }
    if (shorthand === Shorthand.self) {
      apic.acceptOwn(vector);
      return;
    }
    const wide = apic.x2apic;
    const message: InterruptMessage = {
      mode,
      vector,
      level: false,
      logical: (low & 0x800) !== 0,
      destination: wide ? high : high >>> 24,
      wide,
    };
    this.host.send(apic.vcpu, shorthand, message);
  }
}
