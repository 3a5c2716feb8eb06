/** Reads and writes of host-physical memory by the CPU, RAM or not: through the memory's one way of writing, or at a region's door. */
import type { PhysicalMemory } from '../memory/physical-memory';

export function readPhysical(memory: PhysicalMemory, vcpu: number, hpa: number, size: number): bigint {
  const offset = memory.offsetOf(hpa);
  if (offset < 0) return readRegion(memory, vcpu, hpa, size);
  const { view } = memory;
  if (size === 8) return view.getBigUint64(offset, true);
  return BigInt(size === 1 ? view.getUint8(offset) : size === 2 ? view.getUint16(offset, true) : view.getUint32(offset, true));
}
/** Where nothing answers a read gives ones. */
const readRegion = (memory: PhysicalMemory, vcpu: number, hpa: number, size: number): bigint =>
  memory.mmio?.read(hpa, size, vcpu) ?? (1n << BigInt(size * 8)) - 1n;

export function writePhysical(memory: PhysicalMemory, vcpu: number, hpa: number, size: number, value: bigint): void {
  if (memory.offsetOf(hpa) < 0) memory.mmio?.write(hpa, size, value, vcpu);
  else if (size === 8) memory.write64(hpa, BigInt.asUintN(64, value));
  else if (size === 1) memory.write8(hpa, Number(value));
  else if (size === 2) memory.write16(hpa, Number(value));
  else memory.write32(hpa, Number(value));
}

/** Copies an operand out of one page to an offset of the WebAssembly memory. */
export function gather(memory: PhysicalMemory, vcpu: number, hpa: number, bytes: number, to: number): void {
  const offset = memory.offsetOf(hpa);
  if (offset >= 0) {
    memory.u8.copyWithin(to, offset, offset + bytes);
    return;
  }
  const size = unitOf(bytes);
  for (let n = 0; n < bytes; n += size) {
    const value = readRegion(memory, vcpu, hpa + n, size);
    for (let b = 0; b < size; b++) memory.u8[to + n + b] = Number((value >> BigInt(8 * b)) & 0xffn);
  }
}
/** Copies an operand from an offset of the WebAssembly memory into one page. */
export function scatter(memory: PhysicalMemory, vcpu: number, from: number, hpa: number, bytes: number): void {
  if (memory.offsetOf(hpa) >= 0) {
    memory.physWrite(hpa, memory.u8.slice(from, from + bytes));
    return;
  }
  const size = unitOf(bytes);
  for (let n = 0; n < bytes; n += size) {
    let value = 0n;
    for (let b = size - 1; b >= 0; b--) value = (value << 8n) | BigInt(memory.u8[from + n + b]);
    memory.mmio?.write(hpa + n, size, value, vcpu);
  }
}
const unitOf = (bytes: number): number => (bytes === 8 || bytes === 4 || bytes === 2 ? bytes : 1);
