/** The boot loaders: what they put where, the state at entry, and the sentence for every image that cannot be booted. */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import type { MachineConfig } from '../../../emulator/api';
import { loadImage } from '../../../emulator/boot/load-image';
import { PhysicalMemory } from '../../../emulator/memory/physical-memory';
import { UserError } from '../../../emulator/user-error';
import { buildElf, multibootHeader } from './elf-builder';

const MIB = 0x10_0000;
const memory = (mib = 16): PhysicalMemory => new PhysicalMemory(mib * MIB);
const example = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../../../examples/${name}/${name}.elf`, import.meta.url)));
const config = (image: Uint8Array, more: Partial<MachineConfig> = {}): MachineConfig => ({ image, imageName: 'guest.elf', ...more });
const cString = (m: PhysicalMemory, at: number): string => {
  let end = at;
  while (m.read8(end) !== 0) end++;
  return new TextDecoder().decode(m.physRead(at, end - at));
};
const kernel = (flags = 3, bytes = 0x2000): Uint8Array => {
  const text = new Uint8Array(bytes).fill(0x90);
  text.set(multibootHeader(flags));
  return text;
};
const multibootElf = (flags = 3): Uint8Array =>
  buildElf({ elfClass: 32, entry: MIB + 16, segments: [{ virtual: MIB, bytes: kernel(flags), memoryBytes: 0x2345 }] });

function refused(c: MachineConfig, code: string, sentence: RegExp, mib = 16): void {
  assert.throws(
    () => loadImage(c, memory(mib)),
    (error: unknown) => {
      assert.ok(error instanceof UserError, String(error));
      assert.equal(error.code, code, error.message);
      assert.match(error.message, sentence);
      return true;
    },
  );
}

describe('boot: multiboot', () => {
  it('loads an ELF32 kernel and enters it in flat 32-bit protected mode', () => {
    const m = memory();
    m.write32(MIB + 0x2200, 0xdeadbeef); // old contents of what becomes .bss
    const state = loadImage(config(multibootElf()), m);
    assert.equal(m.read32(MIB), 0x1badb002);
    assert.equal(m.read8(MIB + 0x1fff), 0x90);
    assert.equal(m.read32(MIB + 0x2200), 0);
    assert.equal(state.codeBits, 32);
    assert.equal(state.rip, BigInt(MIB + 16));
    assert.equal(state.registers.rax, 0x2badb002n);
    assert.equal(state.registers.rbx, 0x9500n);
    assert.equal(state.rflags & 0x20200, 0); // VM and IF clear
    assert.equal(state.cr0 & 0x8000_0001n, 1n); // PE set, PG clear
    for (const name of ['cs', 'ds', 'es', 'ss', 'fs', 'gs'] as const) {
      assert.equal(state.segments[name].base, 0n);
      assert.equal(state.segments[name].limit, 0xffff_ffff);
    }
    assert.equal(state.segments.cs.access & 0x600f, 0x400b); // 32-bit code, accessed, readable
    // The GDT describes what the segment registers hold.
    const gdt = Number(state.gdtr.base);
    assert.equal(m.read64(gdt + state.segments.cs.selector), 0x00cf9b000000ffffn);
    assert.equal(m.read64(gdt + state.segments.ds.selector), 0x00cf93000000ffffn);
  });

  it("gives the information structure of QEMU's loader", () => {
    const m = memory(128);
    const modules = [
      { name: 'm1', bytes: new Uint8Array([65, 65, 65, 65, 10]), cmdline: 'x=1 y' },
      { name: 'm2', bytes: new Uint8Array(5000).fill(7), cmdline: '' },
    ];
    const state = loadImage(config(multibootElf(), { imageName: 'dump.elf', cmdline: 'a b', modules }), m);
    const info = Number(state.registers.rbx);
    assert.equal(m.read32(info), 0x24f);
    assert.equal(m.read32(info + 4), 639);
    assert.equal(m.read32(info + 8), 127 * 1024);
    assert.equal(m.read32(info + 12), 0x8000ffff);
    assert.equal(cString(m, m.read32(info + 16)), 'dump.elf a b');
    assert.equal(m.read32(info + 20), 2);
    const list = m.read32(info + 24);
    assert.equal(list, 0x103000); // the page behind the kernel's 0x2345 bytes
    assert.deepEqual([m.read32(list), m.read32(list + 4)], [0x104000, 0x104005]);
    assert.equal(cString(m, m.read32(list + 8)), 'm1 x=1 y');
    assert.deepEqual([m.read32(list + 16), m.read32(list + 20)], [0x105000, 0x105000 + 5000]);
    assert.equal(cString(m, m.read32(list + 24)), 'm2');
    assert.deepEqual([...m.physRead(0x104000, 5)], [65, 65, 65, 65, 10]);
    assert.equal(m.read8(0x105000 + 4999), 7);
    assert.equal(cString(m, m.read32(info + 64)), 'nestscope');
    const map: unknown[] = [];
    const [length, at] = [m.read32(info + 44), m.read32(info + 48)];
    for (let entry = at; entry < at + length; entry += m.read32(entry) + 4)
      map.push([m.read64(entry + 4), m.read64(entry + 12), m.read32(entry + 20)]);
    assert.deepEqual(map, [
      [0n, 0x9fc00n, 1],
      [0x9fc00n, 0x400n, 2],
      [0xf0000n, 0x10000n, 2],
      [0x100000n, 127n * 0x100000n, 1],
    ]);
  });

  it('always gives a command line, with nothing behind the name when there is none', () => {
    const m = memory();
    const info = Number(loadImage(config(multibootElf()), m).registers.rbx);
    assert.equal(cString(m, m.read32(info + 16)), 'guest.elf ');
    assert.equal(m.read32(info + 20), 0);
  });

  it('loads by the address fields of the header, also when the file is no ELF', () => {
    const image = new Uint8Array(0x300);
    image.set(multibootHeader(0x10000, [0x200010, 0x200000, 0x200100, 0x200400, 0x200040]), 0x30);
    image[0x20 + 0x40] = 0xf4;
    const m = memory();
    m.write8(0x200110, 0x55);
    const state = loadImage(config(image), m);
    assert.equal(m.read32(0x200010), 0x1badb002);
    assert.equal(m.read8(0x200040), 0xf4);
    assert.equal(m.read8(0x200110), 0); // behind load_end_addr is .bss
    assert.equal(state.rip, 0x200040n);
  });

  it('enters a kernel that is linked higher than it is loaded at its physical address', () => {
    const image = buildElf({ elfClass: 32, entry: 0xc0100020, segments: [{ virtual: 0xc0100000, physical: MIB, bytes: kernel() }] });
    assert.equal(loadImage(config(image), memory()).rip, 0x100020n);
  });

  it('takes an ELF64 container, still in 32-bit mode', () => {
    const image = buildElf({ elfClass: 64, entry: MIB + 16, segments: [{ virtual: MIB, bytes: kernel() }] });
    const state = loadImage(config(image), memory());
    assert.deepEqual([state.codeBits, state.efer, state.rip], [32, 0n, 0x100010n]);
  });

  it('moves its structures where the kernel lies in low memory', () => {
    const image = buildElf({ elfClass: 32, entry: 0x7010, segments: [{ virtual: 0x7000, bytes: kernel(3, 0x80000) }] });
    const m = memory();
    const state = loadImage(config(image), m);
    const info = Number(state.registers.rbx);
    assert.ok(info >= 0x87000, info.toString(16));
    assert.equal(m.read32(info), 0x24f);
    assert.ok(Number(state.gdtr.base) >= 0x87000);
    assert.ok(Number(state.registers.rsp) >= 0x97000);
    assert.equal(m.read8(0x9500), 0x90);
    const list = m.read32(info + 24);
    assert.ok(list >= 0x87000 && (list < 0x9fc00 || list >= MIB), list.toString(16)); // not in the firmware's place
  });

  it('refuses headers that cannot be followed', () => {
    const wrongSum = multibootElf();
    wrongSum[84 + 8] ^= 1;
    refused(config(wrongSum), 'image-bad-multiboot', /do not add up to zero/);
    refused(config(multibootElf(4)), 'image-bad-multiboot', /video mode/);
    refused(config(multibootElf(8)), 'image-bad-multiboot', /not known \(flags bits 0x8\)/);
    refused(config(kernel()), 'image-bad-multiboot', /no ELF file and gives no load addresses/);
    refused(config(new Uint8Array(64).fill(1), { format: 'multiboot' }), 'image-wrong-format', /no multiboot header/);
    const fields = (...addresses: number[]): MachineConfig => {
      const image = new Uint8Array(0x100);
      image.set(multibootHeader(0x10000, addresses), 0x10);
      return config(image);
    };
    refused(fields(0x200010, 0x200020, 0, 0, 0x200000), 'image-bad-multiboot', /load_addr 0x200020 is above header_addr/);
    refused(fields(0x200020, 0x200000, 0, 0, 0x200000), 'image-bad-multiboot', /32 bytes after load_addr, but the header is at byte 16/);
    refused(fields(0x200010, 0x200000, 0x1ff000, 0, 0x200000), 'image-bad-multiboot', /load_end_addr 0x1ff000 is below/);
    refused(fields(0x200010, 0x200000, 0x201000, 0, 0x200000), 'image-bad-multiboot', /asks for 4096 bytes/);
    refused(fields(0x200010, 0x200000, 0, 0x200001, 0x200000), 'image-bad-multiboot', /bss_end_addr/);
    refused(fields(0x200010, 0x200000, 0, 0, 0x300000), 'image-entry', /entry point 0x300000/);
    refused(fields(0x200010, 0x200000, 0, 0xf0000000, 0x200000), 'image-outside-memory', /16 MiB of memory/);
    refused(config(new Uint8Array([...multibootHeader(0x10000)])), 'image-bad-multiboot', /beyond the end of the file/);
  });
});

describe('boot: plain ELF64 and flat binaries', () => {
  it('enters an ELF64 in 64-bit mode on page tables that map memory to itself', () => {
    const m = memory();
    const image = buildElf({ elfClass: 64, entry: 0x200004, segments: [{ virtual: 0x200000, bytes: new Uint8Array(64).fill(0xf4) }] });
    const state = loadImage(config(image), m);
    assert.deepEqual([state.codeBits, state.rip], [64, 0x200004n]);
    assert.equal(state.cr0 & 0x8000_0001n, 0x8000_0001n);
    assert.equal(state.cr4 & 0x20n, 0x20n);
    assert.equal(state.efer, 0x500n);
    assert.equal(state.segments.cs.access & 0x600f, 0x200b); // L set, D clear
    assert.equal(state.registers.rsp, 0x90000n);
    // Walk by hand, for the first and the last byte of 4 GiB and one between.
    for (const address of [0n, 0xffff_ffffn, 0x5432_1000n]) {
      const entry = (table: bigint, shift: bigint): bigint => m.read64(Number(table & ~0xfffn) + Number((address >> shift) & 511n) * 8);
      const directoryEntry = entry(entry(entry(state.cr3, 39n), 30n), 21n);
      assert.equal(directoryEntry & 0x83n, 0x83n); // present, writable, 2 MiB
      assert.equal((directoryEntry & ~0x1f_ffffn) | (address & 0x1f_ffffn), address);
    }
  });

  it('puts a flat binary at its address in either mode', () => {
    const image = new Uint8Array([0xf4, 0x90]);
    for (const mode of [32, 64] as const) {
      const m = memory();
      const state = loadImage(config(image, { format: 'flat', flat: { address: 0x7c00, mode } }), m);
      assert.deepEqual([state.codeBits, state.rip, m.read16(0x7c00)], [mode, 0x7c00n, 0x90f4]);
    }
    assert.equal(loadImage(config(image, { format: 'flat' }), memory()).rip, 0x100000n);
    // A flat binary over the usual place of the page tables moves them.
    const m = memory();
    const state = loadImage(config(new Uint8Array(0x9000).fill(0x90), { flat: { address: 0x1000, mode: 64 } }), m);
    assert.equal(m.read8(0x1000), 0x90);
    assert.equal(m.read8(0x7000), 0x90);
    assert.ok(state.cr3 >= 0xa000n);
  });

  it('refuses what cannot be booted, each with its sentence', () => {
    const segment = { virtual: MIB, bytes: new Uint8Array(16) };
    const elf = (more: Partial<Parameters<typeof buildElf>[0]>): MachineConfig =>
      config(buildElf({ elfClass: 64, entry: MIB, segments: [segment], ...more }));
    refused(config(new Uint8Array(0)), 'image-empty', /is empty/);
    refused(config(new Uint8Array([1, 2, 3])), 'image-unknown-format', /not known/);
    refused(elf({ machine: 183 }), 'image-bad-elf', /for AArch64, expected x86/);
    refused(elf({ machine: 3 }), 'image-bad-elf', /64-bit file for the 80386/);
    refused(elf({ type: 1 }), 'image-bad-elf', /object file that was not linked/);
    refused(elf({ type: 3 }), 'image-bad-elf', /position-independent/);
    refused(elf({ elfClass: 32 }), 'image-bad-elf', /32-bit file without a multiboot header.*name the format 'elf'/);
    assert.equal(loadImage({ ...elf({ elfClass: 32 }), format: 'elf' }, memory()).codeBits, 32);
    refused(elf({ segments: [] }), 'image-bad-elf', /no program headers/);
    refused(elf({ entry: 5 }), 'image-entry', /entry point 0x5/);
    refused(elf({ segments: [{ ...segment, memoryBytes: 8 }] }), 'image-bad-elf', /16 bytes in the file, but only 8 in memory/);
    refused(elf({ segments: [{ ...segment, virtual: 16 * MIB - 8 }] }), 'image-outside-memory', /segment 0 occupies 0xfffff8 to 0x1000008/);
    refused(elf({ segments: [{ ...segment, memoryBytes: 2 ** 52 }] }), 'image-outside-memory', /does not fit/);
    refused(elf({ segments: [segment, { ...segment, virtual: MIB + 15 }] }), 'image-overlap', /segment 1 and its segment 0/);
    refused(config(new Uint8Array(2 * MIB), { format: 'flat' }), 'image-outside-memory', /2 MiB of memory/, 2);
    refused(elf({ segments: [{ virtual: 0, bytes: new Uint8Array(2 * MIB - 4096) }], entry: 0 }), 'image-no-room', /no room/, 2);
    refused(config(new Uint8Array(1), { format: 'flat', flat: { address: -1, mode: 32 } }), 'flat-address', /-1/);
    refused({ ...elf({}), cmdline: 'x' }, 'image-not-taken', /command line was given/);
    refused({ ...elf({}), modules: [{ name: 'm', bytes: new Uint8Array(1), cmdline: '' }] }, 'image-not-taken', /Modules were given/);
    const half = buildElf({ elfClass: 64, entry: MIB, segments: [segment] });
    refused(config(half.subarray(0, 40)), 'image-truncated', /header reaches to byte 64, but the file has 40 bytes/);
    refused(config(half.subarray(0, 100)), 'image-truncated', /program header table/);
    refused(config(half.subarray(0, half.length - 1)), 'image-truncated', /segment 0 reaches to byte 136, but the file has 135/);
  });

  it('recognises what is not built yet', () => {
    const linux = new Uint8Array(0x400);
    linux.set([0x55, 0xaa], 0x1fe);
    linux.set(new TextEncoder().encode('HdrS'), 0x202);
    refused(config(linux), 'image-not-available', /Linux kernel.*not available yet/);
    const efi = new Uint8Array(0x80);
    efi.set([0x4d, 0x5a]);
    refused(config(efi), 'image-not-available', /EFI executable.*not available yet/);
    const multiboot2 = new Uint8Array(0x100);
    const view = new DataView(multiboot2.buffer);
    [0xe85250d6, 0, 16, -(0xe85250d6 + 16)].forEach((word, i) => view.setUint32(0x40 + 4 * i, word >>> 0, true));
    refused(config(multiboot2), 'image-not-available', /multiboot 2.*not available yet/);
    const note = new Uint8Array(20);
    new DataView(note.buffer).setUint32(0, 4, true);
    new DataView(note.buffer).setUint32(4, 4, true);
    new DataView(note.buffer).setUint32(8, 18, true);
    note.set(new TextEncoder().encode('Xen'), 12);
    const pvh = buildElf({ elfClass: 64, entry: MIB, segments: [{ virtual: MIB, bytes: new Uint8Array(16) }, { type: 4, virtual: 0, bytes: note }] }); // prettier-ignore
    refused(config(pvh), 'image-not-available', /PVH.*not available yet/);
  });
});

describe('boot: damaged images', () => {
  /** xorshift32 */
  const random = (seed: number) => (): number => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return seed >>> 0;
  };
  const images = (): Uint8Array[] => [
    example('hello64'),
    example('nested-hello'),
    buildElf({ elfClass: 64, entry: MIB, segments: [{ virtual: MIB, bytes: new Uint8Array(256) }, { virtual: 2 * MIB, bytes: new Uint8Array(64), memoryBytes: 4096 }] }), // prettier-ignore
  ];
  function attempt(m: PhysicalMemory, image: Uint8Array, what: string): boolean {
    try {
      const state = loadImage(config(image), m);
      assert.ok(state.rip < BigInt(m.ramBytes), `${what}: entry ${state.rip}`);
      return true;
    } catch (error) {
      assert.ok(error instanceof UserError, `${what}: ${error instanceof Error ? error.stack : String(error)}`);
      return false;
    }
  }

  it('cut short anywhere are refused with a sentence, or booted when nothing that is loaded is missing', () => {
    const m = memory();
    for (const image of images()) {
      assert.ok(attempt(m, image, 'whole image'));
      const next = random(7);
      for (let i = 0; i < 400; i++) attempt(m, image.subarray(0, i < 160 ? i : next() % image.length), `seed 7, cut ${i}`);
    }
  });

  it('with flipped bytes never throw anything but a UserError', () => {
    const m = memory();
    for (const [which, image] of images().entries()) {
      let booted = 0;
      for (let seed = 1; seed <= 600; seed++) {
        const next = random(seed * 2654435761);
        const damaged = image.slice();
        // Most damage goes where the headers are.
        for (let flips = 1 + (next() % 3); flips > 0; flips--) damaged[next() % (seed % 4 ? 160 : image.length)] = next() & 0xff;
        if (attempt(m, damaged, `image ${which}, seed ${seed}`)) booted++;
      }
      assert.ok(booted > 0 && booted < 600, `image ${which}: ${booted} of 600 booted`);
    }
  });
});
