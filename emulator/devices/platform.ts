/**
 * The devices of the machine put together on their buses, as machine.ts uses them: ports, memory-mapped registers, interrupt controllers, the
 * timeline of their acts, the serial line, and their state as one part. What the processors touch may move a deadline, so that the earliest one
 * is worked out anew only behind such a touch.
 */
import type { InterruptPort, IoPort } from '../cpu/ports';
import type { LoadableMemory, MmioBus } from '../memory/physical-memory';
import type { CpuModel } from '../spec/cpu-model';
import { ByteQueue } from './byte-queue';
import { IsaDebugExit } from './debug-exit/isa-debug-exit';
import type { DeviceTime, ProcessorSignals } from './device';
import { type DescribedDevice, describeDevice } from './description/devices';
import { expectVersion } from './device-state';
import { firmwareFiles } from './firmware/firmware-area';
import { InterruptSystem } from './interrupt-system';
import { MmioDevices } from './mmio-bus';
import { type PcOptions, createPcDevices } from './pc-devices';
import { PortBus } from './port-bus/port-bus';
import { Timeline } from './timeline';

export interface PlatformOptions {
  readonly memory: LoadableMemory;
  readonly vcpuCount: number;
  readonly model: CpuModel;
  readonly time: DeviceTime;
  readonly signals: ProcessorSignals;
  readonly boot?: PcOptions['boot'];
  /** Called when the guest writes to the debug exit; the machine ends with this instruction. */
  guestExit?(value: number): void;
  /** The guest has switched the machine off. */
  powerOff?(): void;
  /** The guest resets the machine; `by` names what it used. */
  reset?(by: string): void;
  /** The gate of address line 20, for the keyboard controller. */
  readonly a20?: PcOptions['a20'];
  /** Stops the machine with a `Not modelled:` sentence for a vCPU (-1: none of them). */
  notModelled?(sentence: string, vcpu: number): void;
}

export interface PlatformState {
  readonly version: 2;
  /** By device name. */
  readonly devices: Readonly<Record<string, unknown>>;
}

export interface Platform {
  readonly io: IoPort;
  readonly mmio: MmioBus;
  readonly interrupts: InterruptPort;
  /** When devices act on their own. */
  readonly timeline: { readonly deadline: number; advance(now: number): void };
  /** Bytes that the guest sent to COM1 since the last call. */
  serialOutput(): Uint8Array;
  /** Bytes that the guest sent to COM2 since the last call. */
  serial2Output(): Uint8Array;
  /** Bytes that the guest wrote to the debug console since the last call. */
  debugOutput(): Uint8Array;
  sendSerial(bytes: Uint8Array): void;
  /** What the guest wrote to the debug exit; undefined until then. */
  readonly exitValue: number | undefined;
  /** Does COM1 interrupt when a byte comes? */
  readonly awaitsSerialInput: boolean;
  /** What the device of this name is in, for a person; undefined: there is none. Changes nothing. */
  describe(name: string): DescribedDevice | undefined;
  /** Names of the devices, in the order in which a person reads them. */
  readonly deviceNames: readonly string[];
  save(): PlatformState;
  /** Output that was not taken yet belongs to the time line that is left, and is dropped. */
  restore(saved: unknown): void;
}

export function createPlatform(options: PlatformOptions): Platform {
  const { memory, vcpuCount, model, time, signals } = options;
  const serial = new ByteQueue();
  const serial2 = new ByteQueue();
  const debug = new ByteQueue();
  const exit = new IsaDebugExit((value) => options.guestExit?.(value));
  const system = new InterruptSystem({
    vcpus: vcpuCount,
    time,
    signals,
    model: {
      maxPhyAddr: model.maxPhyAddr,
      x2apic: model.features.has('x2apic'),
      tscDeadline: model.features.has('tsc-deadline'),
      cmci: false,
    },
    windowChanged(vcpu) {
      const { first } = system.mmio[vcpu].mmio;
      if (first >= 0 && first < memory.ramBytes)
        options.notModelled?.('Not modelled: a local APIC whose registers lie over RAM (IA32_APIC_BASE).', vcpu);
    },
  });
  const pc = createPcDevices({
    memory,
    vcpuCount,
    time,
    setLine: (line, level) => system.setLine(line, level),
    message: (address, data) => system.deliverMsi(address, data),
    smi() {
      for (let vcpu = 0; vcpu < vcpuCount; vcpu++) signals.smi(vcpu);
      return true;
    },
    powerOff: () => options.powerOff?.(),
    reset: (by) => options.reset?.(by),
    a20: options.a20,
    output: { com1: serial, com2: serial2, debug },
    boot: {
      ...options.boot,
      files: firmwareFiles({ memoryBytes: memory.ramBytes, vcpuCount, cpuSignature: model.signature }),
    },
  });
  const stateful = [exit, ...pc.stateful, ...system.stateful];
  const bus = new PortBus([exit, ...pc.ports, ...system.ports]);
  const mmio = new MmioDevices([...pc.mmio, system.ioApic], system.mmio);
  const all = new Timeline([...pc.timed, ...system.timed]);
  let deadline: number | undefined;
  /** Wraps what may move a deadline. */
  const touching =
    <A extends unknown[], R>(act: (...args: A) => R) =>
    (...args: A): R => {
      deadline = undefined;
      return act(...args);
    };

  return {
    io: {
      in: touching((...args) => bus.in(...args)),
      out: touching((...args) => bus.out(...args)),
    },
    mmio: {
      nameAt: (hpa, vcpu) => mmio.nameAt(hpa, vcpu),
      read: touching((...args) => mmio.read(...args)),
      write: touching((...args) => mmio.write(...args)),
    },
    interrupts: {
      pending: (vcpu) => system.pending(vcpu),
      acknowledge: touching((vcpu) => system.acknowledge(vcpu)),
      readCr8: (vcpu) => system.readCr8(vcpu),
      writeCr8: touching((vcpu, value) => system.writeCr8(vcpu, value)),
      apicBase: (vcpu) => system.apicBase(vcpu),
      writeApicBase: touching((vcpu, value) => system.writeApicBase(vcpu, value)),
      readMsr: touching((vcpu, index) => system.readMsr(vcpu, index)),
      writeMsr: touching((vcpu, index, value) => system.writeMsr(vcpu, index, value)),
      sendIpi: touching((vcpu, icr) => system.sendIpi(vcpu, icr)),
      endOfInterrupt: touching((vcpu) => system.endOfInterrupt(vcpu)),
      initialize: touching((vcpu) => system.initialize(vcpu)),
      mayInterrupt: (vcpu) => system.mayInterrupt(vcpu),
    },
    timeline: {
      get deadline() {
        return (deadline ??= all.deadline);
      },
      advance: touching((now) => all.advance(now)),
    },
    serialOutput: () => serial.take(),
    serial2Output: () => serial2.take(),
    debugOutput: () => debug.take(),
    sendSerial: touching((bytes) => pc.com1.receive(bytes)),
    get exitValue() {
      return exit.value;
    },
    get awaitsSerialInput() {
      return pc.com1.awaitsInput;
    },
    deviceNames: [...system.stateful, exit, ...pc.stateful].map(({ name }) => name),
    describe(name) {
      const device = stateful.find((one) => one.name === name);
      return device && describeDevice(name, device.save(), { now: time.now(), pciNames: pc.pci.names });
    },
    save: () => ({ version: 2, devices: Object.fromEntries(stateful.map((device) => [device.name, device.save()])) }),
    restore(saved) {
      const { devices } = expectVersion<PlatformState>(saved, 2, 'platform');
      for (const device of stateful) device.restore(devices[device.name]);
      system.restored();
      deadline = undefined;
      serial.take();
      serial2.take();
      debug.take();
      for (let vcpu = 0; vcpu < vcpuCount; vcpu++) signals.interruptsChanged(vcpu);
    },
  };
}
