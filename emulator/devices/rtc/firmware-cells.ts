/**
 * What a PC's firmware keeps in the CMOS memory beside the time: memory sizes, equipment, the checksum over cells 0x10 to 0x2d, the number of
 * processors. Cells as SeaBIOS and QEMU's "pc" machine use them; no disks, no floppies, the shutdown byte zero.
 */

const KIB = 1024;
const MIB = 1024 * KIB;
/** Conventional memory in KiB. */
const BASE_KIB = 640;
/** A coprocessor and a PS/2 mouse port; no floppy. */
const EQUIPMENT = 0x06;

/** Index and byte of each cell that is not zero by itself. */
export function firmwareCells(memoryBytes: number, vcpuCount: number): readonly (readonly [number, number])[] {
  const cells = new Map<number, number>();
  const word = (index: number, value: number): void => {
    const capped = Math.max(0, Math.min(0xffff, Math.floor(value)));
    cells.set(index, capped & 0xff).set(index + 1, capped >> 8);
  };
  cells.set(0x14, EQUIPMENT);
  word(0x15, BASE_KIB);
  // Above 1 MiB in KiB, twice; above 16 MiB in units of 64 KiB.
  word(0x17, memoryBytes / KIB - KIB);
  word(0x30, memoryBytes / KIB - KIB);
  word(0x34, (memoryBytes - 16 * MIB) / (64 * KIB));
  cells.set(0x5f, vcpuCount - 1);
  let sum = 0;
  for (let index = 0x10; index <= 0x2d; index++) sum += cells.get(index) ?? 0;
  cells.set(0x2e, sum >> 8).set(0x2f, sum & 0xff);
  return [...cells];
}
