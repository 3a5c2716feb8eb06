/** The devices of the machine put together on their buses, as machine.ts uses them: ports, serial line, debug exit, and their state as one part. */
import type { InterruptPort, IoPort } from '../cpu/ports';
import type { MmioBus } from '../memory/physical-memory';
import { absentInterrupts } from './absent/absent-interrupts';
import { notModelledRegions } from './absent/absent-memory';
import { AbsentPorts } from './absent/absent-ports';
import { ByteQueue } from './byte-queue';
import { DebugConsole } from './debug-console/debug-console';
import { IsaDebugExit } from './debug-exit/isa-debug-exit';
import { expectVersion } from './device-state';
import { MmioDevices } from './mmio-bus';
import { PicRegisters } from './pic/pic-registers';
import { PortBus } from './port-bus/port-bus';
import { Uart16550 } from './uart/uart-16550';

export interface PlatformHooks {
  /** Called when the guest writes to the debug exit; the machine ends with this instruction. */
  guestExit?(value: number): void;
  /** Stops the machine with a `Not modelled:` sentence for a vCPU (-1: none of them). */
  notModelled?(sentence: string, vcpu: number): void;
}

export interface PlatformState {
  readonly version: 1;
  /** By device name. */
  readonly devices: Readonly<Record<string, unknown>>;
}

export interface Platform {
  readonly io: IoPort;
  readonly mmio: MmioBus;
  readonly interrupts: InterruptPort;
  /** When devices act on their own. */
  readonly timeline: { readonly deadline: number; advance(now: number): void };
  /** Could any device still interrupt this vCPU? @param enabled maskable interrupts reach it. */
  canInterrupt(vcpu: number, enabled: boolean): boolean;
  /** Bytes that the guest sent to COM1 since the last call. */
  serialOutput(): Uint8Array;
  /** Bytes that the guest wrote to the debug console since the last call. */
  debugOutput(): Uint8Array;
  sendSerial(bytes: Uint8Array): void;
  /** What the guest wrote to the debug exit; undefined until then. */
  readonly exitValue: number | undefined;
  save(): PlatformState;
  /** Output that was not taken yet belongs to the time line that is left, and is dropped. */
  restore(saved: unknown): void;
}

export function createPlatform(hooks: PlatformHooks = {}): Platform {
  const serial = new ByteQueue();
  const debug = new ByteQueue();
  const uart = new Uart16550(0x3f8, serial);
  const exit = new IsaDebugExit((value) => hooks.guestExit?.(value));
  const pic = new PicRegisters();
  const stateful = [uart, exit, pic];
  const bus = new PortBus([...stateful, new DebugConsole(debug), new AbsentPorts()]);
  return {
    io: bus,
    mmio: new MmioDevices(notModelledRegions((sentence, vcpu) => hooks.notModelled?.(sentence, vcpu))),
    interrupts: absentInterrupts(),
    timeline: { deadline: Infinity, advance: () => undefined },
    canInterrupt: () => false,
    serialOutput: () => serial.take(),
    debugOutput: () => debug.take(),
    sendSerial: (bytes) => uart.receive(bytes),
    get exitValue() {
      return exit.value;
    },
    save: () => ({ version: 1, devices: Object.fromEntries(stateful.map((device) => [device.name, device.save()])) }),
    restore(saved) {
      const { devices } = expectVersion<PlatformState>(saved, 1, 'platform');
      for (const device of stateful) device.restore(devices[device.name]);
      serial.take();
      debug.take();
    },
  };
}
