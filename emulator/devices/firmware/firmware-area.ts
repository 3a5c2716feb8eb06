/**
 * What a PC's firmware leaves behind in memory: the few words of the BIOS data area that kernels read (IBM PC/AT Technical Reference, "BIOS
 * data area"), and in the segment at F0000H, which every memory map keeps from use, the ACPI and MP tables. There is no firmware code.
 */
import type { LoadableMemory } from '../../memory/physical-memory';
import type { FwCfgFile } from '../fw-cfg/fw-cfg-items';
import { ACPI_FILES, type FirmwareMachine, acpiTables } from './acpi-tables';
import { link, linkerScript } from './linked-tables';
import { MP_POINTER_BYTES, mpPointer, mpTable } from './mp-table';

const ROOT_AT = 0xf_0000;
const MP_POINTER_AT = 0xf_0040;
const MP_TABLE_AT = MP_POINTER_AT + MP_POINTER_BYTES;
const ACPI_TABLES_AT = 0xf_1000;
/** Ports of COM1 and COM2, the segment of the extended BIOS data area, the KiB below it. */
const BIOS_DATA = [[0x400, 0x3f8], [0x402, 0x2f8], [0x40e, 0x9fc0], [0x413, 639]] as const; // prettier-ignore
const EXTENDED_BIOS_DATA_AT = 0x9_fc00;

/** Writes it all, before an image is loaded: what the image brings itself goes over it. */
export function writeFirmwareArea(memory: LoadableMemory, machine: FirmwareMachine): void {
  const put = (address: number, bytes: Uint8Array): void => void memory.physWrite(address, bytes);
  for (const [address, value] of BIOS_DATA) put(address, Uint8Array.of(value & 0xff, value >> 8));
  // Its first byte is its own length in KiB.
  put(EXTENDED_BIOS_DATA_AT, Uint8Array.of(1));
  const { root, tables } = ACPI_FILES;
  const linked = link(acpiTables(machine), { [root]: ROOT_AT, [tables]: ACPI_TABLES_AT });
  put(ROOT_AT, linked[root]);
  put(ACPI_TABLES_AT, linked[tables]);
  put(MP_POINTER_AT, mpPointer(MP_TABLE_AT));
  put(MP_TABLE_AT, mpTable(machine));
}

/** The same tables for a firmware that the guest brings: files of the firmware configuration device. */
export function firmwareFiles(machine: FirmwareMachine): readonly FwCfgFile[] {
  const tables = acpiTables(machine);
  return [...tables.files.map(({ name, bytes }) => ({ name, bytes })), { name: ACPI_FILES.script, bytes: linkerScript(tables) }];
}
