/**
 * The ACPI tables of the configured machine (ACPI Specification 6.0, 5.2 "ACPI System Description Tables"; IA-PC HPET Specification 1.0a, 3.2.4):
 * RSDP, RSDT, XSDT, FADT, FACS, DSDT, MADT and the HPET's, as linked files under the names that QEMU's firmware device gives them.
 */
import { IO_APIC_ADDRESS } from '../io-apic/io-apic';
import { AcpiCommand, AcpiPort } from '../acpi/acpi-pm';
import { HPET_BASE, HPET_ID } from '../hpet/hpet';
import { DEFAULT_BASE as LOCAL_APIC_ADDRESS } from '../local-apic/local-apic';
import { ByteWriter } from './byte-writer';
import { dsdtBody } from './dsdt';
import { type LinkedTables, type TableChecksum, type TablePointer } from './linked-tables';

export const ACPI_FILES = { root: 'etc/acpi/rsdp', tables: 'etc/acpi/tables', script: 'etc/table-loader' } as const;

const HEADER_BYTES = 36;
const CHECKSUM_OFFSET = 9;
const TABLE_ALIGNMENT = 64;
const ROOT_BYTES = 36;
/** What the checksum of ACPI 1.0 covers. */
const FIRST_ROOT_BYTES = 20;
const RESET_REGISTER = 0xcf9;
const RESET_VALUE = 6;
const SCI = 9;
/** ISA interrupts whose I/O APIC input differs from bus conventions: the timer's is 2; those of PCI and the SCI are level-triggered, active high. */
const TIMER_INPUT = 2;
const LEVEL_INTERRUPTS = [5, 9, 10, 11];
const LEVEL_ACTIVE_HIGH = 0x000d;

const Flag = { writeBackInvalidate: 1 << 0, haltOnAll: 1 << 2, noPowerButton: 1 << 4, noSleepButton: 1 << 5, resetRegister: 1 << 10 } as const; // prettier-ignore
const LEGACY_DEVICES = 1;
const KEYBOARD_CONTROLLER = 2;
const PC_AT_COMPATIBLE = 1;

export interface FirmwareMachine {
  readonly memoryBytes: number;
  readonly vcpuCount: number;
  /** As CPUID leaf 1 gives it in EAX. */
  readonly cpuSignature: number;
}

/** Gathers tables into the one file, each on its alignment. */
class TableFileWriter {
  readonly pointers: TablePointer[] = [];
  readonly checksums: TableChecksum[] = [];
  private readonly out = new ByteWriter();

  /** A table without the common header; gives its offset. */
  raw(bytes: Uint8Array): number {
    this.out.zeros((TABLE_ALIGNMENT - (this.out.length % TABLE_ALIGNMENT)) % TABLE_ALIGNMENT);
    const at = this.out.length;
    this.out.append(bytes);
    return at;
  }

  /** @param points offsets from the table's start at which offsets of other tables lie. */
  table(signature: string, revision: number, body: Uint8Array, points: readonly (readonly [offset: number, bytes: 4 | 8])[] = []): number {
    const length = HEADER_BYTES + body.length;
    const bytes = new ByteWriter().text(signature).dword(length).byte(revision, 0).text('NESTSC').text('NESTPC', 8).dword(1).text('NEST').dword(1).append(body); // prettier-ignore
    const at = this.raw(bytes.take());
    const file = ACPI_FILES.tables;
    for (const [offset, size] of points) this.pointers.push({ file, target: file, offset: at + offset, bytes: size });
    this.checksums.push({ file, offset: at + CHECKSUM_OFFSET, first: at, length });
    return at;
  }

  take(): Uint8Array {
    return this.out.take();
  }
}

/** A generic address (5.2.3.2) of an I/O port. */
const portAddress = (out: ByteWriter, port: number, bits: number): ByteWriter => out.byte(1, bits, 0, 0).qword(port);

function fadtBody(facs: number, dsdt: number): Uint8Array {
  const out = new ByteWriter();
  out.dword(facs).dword(dsdt).byte(0, 0).word(SCI);
  out.dword(AcpiPort.smiCommand).byte(AcpiCommand.enable, AcpiCommand.disable, 0, 0);
  out.dword(AcpiPort.event).dword(0).dword(AcpiPort.control).dword(0).dword(0).dword(AcpiPort.timer).dword(AcpiPort.generalEvents).dword(0);
  out.byte(4, 2, 0, 4, 4, 0, 0, 0);
  // No C2, no C3, no flushing by reading, no throttling, no alarm by day or month; the century is in the clock.
  out.word(0xfff).word(0xfff).word(0).word(0).byte(0, 0, 0, 0, 0x32);
  out.word(LEGACY_DEVICES | KEYBOARD_CONTROLLER).byte(0);
  out.dword(Flag.writeBackInvalidate | Flag.haltOnAll | Flag.noPowerButton | Flag.noSleepButton | Flag.resetRegister);
  portAddress(out, RESET_REGISTER, 8).byte(RESET_VALUE).word(0).byte(0);
  // The 64-bit address of the FACS stays zero where the 32-bit one is used (5.2.9).
  out.qword(0).qword(dsdt);
  portAddress(out, AcpiPort.event, 32).zeros(12);
  portAddress(out, AcpiPort.control, 16).zeros(24);
  portAddress(out, AcpiPort.timer, 32);
  portAddress(out, AcpiPort.generalEvents, 32).zeros(12);
  return out.take();
}
const FADT_REVISION = 3;
const FADT_POINTERS = [[36, 4], [40, 4], [140, 8]] as const; // prettier-ignore

function madtBody(vcpuCount: number): Uint8Array {
  const out = new ByteWriter().dword(LOCAL_APIC_ADDRESS).dword(PC_AT_COMPATIBLE);
  for (let n = 0; n < vcpuCount; n++) out.byte(0, 8, n, n).dword(1);
  out.byte(1, 12, 0, 0).dword(IO_APIC_ADDRESS).dword(0);
  out.byte(2, 10, 0, 0).dword(TIMER_INPUT).word(0);
  for (const irq of LEVEL_INTERRUPTS) out.byte(2, 10, 0, irq).dword(irq).word(LEVEL_ACTIVE_HIGH);
  // NMI at LINT1 of every processor.
  return out.byte(4, 6, 0xff).word(0).byte(1).take();
}

function facsBytes(): Uint8Array {
  return new ByteWriter().text('FACS').dword(64).zeros(24).byte(1).zeros(31).take();
}

export function acpiTables({ memoryBytes, vcpuCount }: FirmwareMachine): LinkedTables {
  const out = new TableFileWriter();
  const facs = out.raw(facsBytes());
  const dsdt = out.table('DSDT', 1, dsdtBody(memoryBytes, vcpuCount));
  const listed = [
    out.table('FACP', FADT_REVISION, fadtBody(facs, dsdt), FADT_POINTERS),
    out.table('APIC', 1, madtBody(vcpuCount)),
    out.table('HPET', 1, new ByteWriter().dword(HPET_ID).byte(0, 64, 0, 0).qword(HPET_BASE).byte(0).word(0).byte(0).take()),
  ];
  const list = (bytes: 4 | 8): readonly (readonly [number, 4 | 8])[] => listed.map((_, i) => [HEADER_BYTES + i * bytes, bytes]);
  const entries = (write: (to: ByteWriter, offset: number) => ByteWriter): Uint8Array => listed.reduce(write, new ByteWriter()).take();
  const rsdt = out.table('RSDT', 1, entries((to, offset) => to.dword(offset)), list(4)); // prettier-ignore
  const xsdt = out.table('XSDT', 1, entries((to, offset) => to.qword(offset)), list(8)); // prettier-ignore
  const root = new ByteWriter().text('RSD PTR ').byte(0).text('NESTSC').byte(2).dword(rsdt).dword(ROOT_BYTES).qword(xsdt).zeros(4);
  const { tables, root: file } = ACPI_FILES;
  return {
    files: [
      { name: file, bytes: root.take(), alignment: 16, zone: 'low' },
      { name: tables, bytes: out.take(), alignment: TABLE_ALIGNMENT, zone: 'high' },
    ],
    pointers: [...out.pointers, { file, target: tables, offset: 16, bytes: 4 }, { file, target: tables, offset: 24, bytes: 8 }],
    checksums: [
      ...out.checksums,
      { file, offset: 8, first: 0, length: FIRST_ROOT_BYTES },
      { file, offset: 32, first: 0, length: ROOT_BYTES },
    ],
  };
}
