/**
 * The floating pointer and the configuration table of Intel's MultiProcessor Specification 1.4 (chapter 4): processors, busses, the I/O APIC
 * and its inputs, the local interrupt inputs. Extended entries are left out, as most firmware does.
 */
import { IO_APIC_ADDRESS } from '../io-apic/io-apic';
import { PIRQS, pirqOf } from '../pci/pirq-router';
import { DEFAULT_BASE as LOCAL_APIC_ADDRESS } from '../local-apic/local-apic';
import { type FirmwareMachine } from './acpi-tables';
import { ByteWriter } from './byte-writer';
import { PIRQ_INTERRUPTS } from './dsdt';
import { checksum } from './linked-tables';

export const MP_POINTER_BYTES = 16;
const POINTER_CHECKSUM = 10;
const TABLE_CHECKSUM = 7;
const HEADER_BYTES = 44;
/** Version of the specification: 1.4. */
const SPECIFICATION = 4;
const LOCAL_APIC_VERSION = 0x14;
const IO_APIC_VERSION = 0x20;
const Entry = { processor: 0, bus: 1, ioApic: 2, ioInterrupt: 3, localInterrupt: 4 } as const;
const Kind = { interrupt: 0, nmi: 1, external: 3 } as const;
const Bus = { pci: 0, isa: 1 } as const;
const ENABLED = 1;
const BOOT_PROCESSOR = 2;
/** FPU, MCE, CMPXCHG8B, APIC: the feature flags that table 4-5 defines. */
const FEATURES = 0x381;
const ALL_APICS = 0xff;
const LEVEL_ACTIVE_HIGH = 0x0d;
const CASCADE = 2;
const SLOTS = 32;
/** As its register says at power-on. On a system bus it shares no numbers with the local APICs. */
const IO_APIC_ID = 0;

export function mpPointer(tableAddress: number): Uint8Array {
  const bytes = new ByteWriter().text('_MP_').dword(tableAddress).byte(1, SPECIFICATION, 0, 0, 0, 0, 0, 0).take();
  bytes[POINTER_CHECKSUM] = checksum(bytes);
  return bytes;
}

export function mpTable({ vcpuCount, cpuSignature }: FirmwareMachine): Uint8Array {
  const body = new ByteWriter();
  let entries = 0;
  const entry = (kind: number): ByteWriter => {
    entries++;
    return body.byte(kind);
  };
  for (let n = 0; n < vcpuCount; n++)
    entry(Entry.processor)
      .byte(n, LOCAL_APIC_VERSION, ENABLED | (n === 0 ? BOOT_PROCESSOR : 0))
      .dword(cpuSignature)
      .dword(FEATURES)
      .zeros(8);
  entry(Entry.bus).byte(Bus.pci).text('PCI', 6);
  entry(Entry.bus).byte(Bus.isa).text('ISA', 6);
  entry(Entry.ioApic).byte(IO_APIC_ID, IO_APIC_VERSION, ENABLED).dword(IO_APIC_ADDRESS);
  const input = (flags: number, bus: number, source: number, pin: number): ByteWriter =>
    entry(Entry.ioInterrupt).byte(Kind.interrupt).word(flags).byte(bus, source, IO_APIC_ID, pin);
  for (let slot = 1; slot < SLOTS; slot++)
    for (let pin = 0; pin < PIRQS; pin++) input(LEVEL_ACTIVE_HIGH, Bus.pci, slot * 4 + pin, PIRQ_INTERRUPTS[pirqOf(slot, pin)]);
  const usedByPci: readonly number[] = PIRQ_INTERRUPTS;
  for (let irq = 0; irq < 16; irq++) if (irq !== CASCADE && !usedByPci.includes(irq)) input(0, Bus.isa, irq, irq === 0 ? 2 : irq);
  entry(Entry.localInterrupt).byte(Kind.external).word(0).byte(Bus.isa, 0, 0, 0);
  entry(Entry.localInterrupt).byte(Kind.nmi).word(0).byte(Bus.isa, 0, ALL_APICS, 1);
  const length = HEADER_BYTES + body.length;
  const bytes = new ByteWriter()
    .text('PCMP')
    .word(length)
    .byte(SPECIFICATION, 0)
    .text('NESTSC', 8)
    .text('NESTPC', 12)
    .dword(0)
    .word(0)
    .word(entries)
    .dword(LOCAL_APIC_ADDRESS)
    .dword(0)
    .append(body.take())
    .take();
  bytes[TABLE_CHECKSUM] = checksum(bytes);
  return bytes;
}
