/**
 * The definition block of the machine (ACPI Specification 6.0, 5.2.11.1): the PCI host bridge with its windows and interrupt routing, the serial
 * ports, the clock, the keyboard controller, the processors, and how the machine is switched off.
 * Leaves out methods: routing is as the firmware has set it up and cannot be changed through ACPI.
 */
import { SleepType } from '../acpi/acpi-pm';
import { PIRQS, pirqOf } from '../pci/pirq-router';
import { type Aml, busNumbers, device, eisaId, integer, isaInterrupt, memoryWindow, named, packageOf, portWindow, ports, processor, resources, scope } from './aml'; // prettier-ignore
import { ByteWriter } from './byte-writer';

/** ISA interrupts to which the firmware has routed PIRQ A to D (see pci-bus). */
export const PIRQ_INTERRUPTS = [10, 10, 11, 11] as const;
const SLOTS = 32;
/** Where device memory begins and the interrupt controllers end it. */
const PCI_MEMORY_LAST = 0xfebf_ffff;

/** The AML behind the table's header. */
export function dsdtBody(memoryBytes: number, vcpuCount: number): Uint8Array {
  const routes = [];
  for (let slot = 1; slot < SLOTS; slot++)
    for (let pin = 0; pin < PIRQS; pin++)
      routes.push(packageOf(integer(slot * 0x10000 + 0xffff), integer(pin), integer(0), integer(PIRQ_INTERRUPTS[pirqOf(slot, pin)])));
  const legacy = (name: string, id: string, ...found: readonly Aml[]): readonly number[] =>
    device(name, named('_HID', eisaId(id)), named('_CRS', resources(...found)));
  const com = (n: number, port: number, irq: number): readonly number[] =>
    device(`COM${n}`, named('_HID', eisaId('PNP0501')), named('_UID', integer(n)), named('_CRS', resources(ports(port, 8), isaInterrupt(irq)))); // prettier-ignore
  const bridge = device(
    'PCI0',
    named('_HID', eisaId('PNP0A03')),
    named('_UID', integer(0)),
    named('_CRS', resources(busNumbers(0, 0), ports(0xcf8, 8), portWindow(0, 0xcf7), portWindow(0xd00, 0xffff), memoryWindow(memoryBytes, PCI_MEMORY_LAST))), // prettier-ignore
    named('_PRT', packageOf(...routes)),
    com(1, 0x3f8, 4),
    com(2, 0x2f8, 3),
    legacy('RTC', 'PNP0B00', ports(0x70, 2), isaInterrupt(8)),
    legacy('KBD', 'PNP0303', ports(0x60, 1), ports(0x64, 1), isaInterrupt(1)),
    legacy('MOU', 'PNP0F13', isaInterrupt(12)),
  );
  const processors = Array.from({ length: vcpuCount }, (_, n) => processor(`CPU${n}`, n));
  return new ByteWriter()
    .append(scope('\\_SB', bridge))
    .append(scope('\\_PR', ...processors))
    .append(named('\\_S5', packageOf(integer(SleepType.off), integer(SleepType.off), integer(0), integer(0))))
    .take();
}
