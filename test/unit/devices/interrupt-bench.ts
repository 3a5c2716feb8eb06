/** The interrupt controllers with stand-ins for processors and time, for the tests of this folder. */
import { InterruptSystem, type InterruptSystemOptions } from '../../../emulator/devices/interrupt-system';
import { PortBus } from '../../../emulator/devices/port-bus/port-bus';

export interface InterruptBench {
  readonly system: InterruptSystem;
  /** Signals since the last look, such as 'nmi 0', 'startUp 1 9a'; changes of what is pending are in `changes`. */
  take(): string[];
  readonly changes: number[];
  now: number;
  /** Advances all that is due up to `tick`, in the order of its deadlines. */
  runTo(tick: number): void;
  in(port: number, size?: number): number;
  out(port: number, ...values: number[]): void;
  /** 32-bit register of a vCPU's local APIC by its offset. */
  apicRead(offset: number, vcpu?: number): number;
  apicWrite(offset: number, value: number, vcpu?: number): void;
  /** By the I/O APIC's index and window. */
  ioApicRead(register: number): number;
  ioApicWrite(register: number, value: number): void;
}

export function interruptBench(vcpus = 1, model: Partial<InterruptSystemOptions['model']> = {}): InterruptBench {
  const signals: string[] = [];
  const changes: number[] = [];
  const system = new InterruptSystem({
    vcpus,
    model: { maxPhyAddr: 46, x2apic: true, tscDeadline: true, cmci: false, ...model },
    time: { now: () => bench.now },
    signals: {
      interruptsChanged: (vcpu) => changes.push(vcpu),
      nmi: (vcpu) => signals.push(`nmi ${vcpu}`),
      smi: (vcpu) => signals.push(`smi ${vcpu}`),
      init: (vcpu) => signals.push(`init ${vcpu}`),
      startUp: (vcpu, vector) => signals.push(`startUp ${vcpu} ${vector.toString(16)}`),
    },
  });
  const bus = new PortBus([...system.ports]);
  const refuse = (sentence: string): never => {
    throw new Error(sentence);
  };
  const bench: InterruptBench = {
    system,
    changes,
    now: 0,
    take: () => signals.splice(0),
    runTo(tick) {
      for (;;) {
        const next = system.timed.reduce((a, b) => (b.deadline < a.deadline ? b : a));
        if (next.deadline > tick) break;
        bench.now = Math.max(bench.now, next.deadline);
        next.advance(bench.now);
      }
      bench.now = tick;
    },
    in: (port, size = 1) => bus.read(port, size, refuse),
    out(port, ...values) {
      for (const value of values) bus.write(port, 1, value, refuse);
    },
    apicRead: (offset, vcpu = 0) => Number(system.mmio[vcpu].readMmio(offset, 4, vcpu)),
    apicWrite: (offset, value, vcpu = 0) => system.mmio[vcpu].writeMmio(offset, 4, BigInt(value), vcpu),
    ioApicRead(register) {
      system.ioApic.writeMmio(0, 4, BigInt(register));
      return Number(system.ioApic.readMmio(0x10, 4));
    },
    ioApicWrite(register, value) {
      system.ioApic.writeMmio(0, 4, BigInt(register));
      system.ioApic.writeMmio(0x10, 4, BigInt(value));
    },
  };
  return bench;
}

/** Takes interrupts until none is pending, without ending any. */
export function takeAll(bench: InterruptBench, vcpu = 0): number[] {
  const vectors: number[] = [];
  while (bench.system.pending(vcpu) >= 0) vectors.push(bench.system.acknowledge(vcpu));
  return vectors;
}
