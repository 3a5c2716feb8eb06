"use strict";

// test/differential/slicing.test.ts
var import_node_assert = require("node:assert");
var import_node_fs = require("node:fs");
var import_node_path = require("node:path");

// emulator/user-error.ts
var UserError = class extends Error {
  constructor(message, code) {
    super(message);
    this.code = code;
    this.name = "UserError";
  }
  code;
};
function unreachable(what) {
  throw new Error(`Nestscope bug: ${what}`);
}

// emulator/boot/boot-errors.ts
var hex = (value) => `0x${value.toString(16)}`;
function bytesText(bytes) {
  for (const [unit, size] of [
    ["GiB", 2 ** 30],
    ["MiB", 2 ** 20],
    ["KiB", 2 ** 10]
  ])
    if (bytes >= size && bytes % size === 0) return `${bytes / size} ${unit}`;
  return `${bytes} bytes`;
}
var bootErrors = {
  empty: (image) => new UserError(`The image '${image}' is empty; expected an ELF, multiboot or flat binary.`, "image-empty"),
  unknownFormat: (image) => new UserError(
    `The format of the image '${image}' is not known: no ELF, multiboot, Linux or EFI magic was found. A flat binary needs its format, load address and entry mode named.`,
    "image-unknown-format"
  ),
  notAvailable: (image, what) => new UserError(`The image '${image}' is ${what}: booting that is not available yet.`, "image-not-available"),
  notThisFormat: (image, expected, found) => new UserError(`The image '${image}' was to be loaded as ${expected}, but ${found}.`, "image-wrong-format"),
  truncatedElf: (image, what, needed, size) => new UserError(
    `The ELF file '${image}' is truncated: its ${what} reaches to byte ${needed}, but the file has ${size} bytes.`,
    "image-truncated"
  ),
  badElf: (image, what) => new UserError(`The ELF file '${image}' cannot be booted: ${what}.`, "image-bad-elf"),
  badMultiboot: (image, what) => new UserError(`The multiboot header of '${image}' cannot be followed: ${what}.`, "image-bad-multiboot"),
  outsideMemory: (image, what, first, end, ramBytes) => new UserError(
    `The image '${image}' does not fit: its ${what} occupies ${hex(first)} to ${hex(end)}, but the machine has ${bytesText(ramBytes)} of memory (up to ${hex(ramBytes)}).`,
    "image-outside-memory"
  ),
  overlap: (image, one, other, address) => new UserError(
    `The image '${image}' cannot be loaded: its ${one} and its ${other} both occupy address ${hex(address)}.`,
    "image-overlap"
  ),
  entryOutside: (image, entry) => new UserError(
    `The image '${image}' cannot be started: its entry point ${hex(entry)} lies in no part of it that is loaded.`,
    "image-entry"
  ),
  noRoom: (image, what, bytes, ramBytes) => new UserError(
    `There is no room beside the image '${image}' for ${what} (${bytes} bytes) in ${bytesText(ramBytes)} of memory; give the machine more.`,
    "image-no-room"
  ),
  notTaken: (image, what, format) => new UserError(
    `${what === "modules" ? "Modules were" : "A command line was"} given for '${image}', but ${format} has no way to receive ${what === "modules" ? "them" : "it"}; a multiboot image has.`,
    "image-not-taken"
  ),
  flatAddress: (image, address) => new UserError(
    `The load address ${String(address)} of the flat image '${image}' is not an address; expected a whole number from 0 to 0xffffffff.`,
    "flat-address"
  )
};

// emulator/boot/elf.ts
var ELF_MAGIC = 1179403647;
var PT_LOAD = 1;
var PT_NOTE = 4;
var PN_XNUM = 65535;
var EM_386 = 3;
var EM_X86_64 = 62;
var MACHINE_NAMES = { 2: "SPARC", 8: "MIPS", 20: "PowerPC", 21: "PowerPC64", 22: "S/390", 40: "ARM", 50: "IA-64", 183: "AArch64", 243: "RISC-V" };
var TYPE_NAMES = {
  0: "a file of no type",
  1: "an object file that was not linked",
  3: "position-independent or a shared object",
  4: "a core dump"
};
var viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
function isElf(bytes) {
  return bytes.length >= 4 && viewOf(bytes).getUint32(0, true) === ELF_MAGIC;
}
function readElf(bytes, name) {
  const view = viewOf(bytes);
  const need = (end, what) => {
    if (!(end <= bytes.length)) throw bootErrors.truncatedElf(name, what, end, bytes.length);
  };
  const bad = (what) => bootErrors.badElf(name, what);
  need(16, "identification");
  if (!isElf(bytes)) throw bad("its magic is not 7F 45 4C 46");
  const elfClass = bytes[4] === 1 ? 32 : bytes[4] === 2 ? 64 : void 0;
  if (elfClass === void 0) throw bad(`its class is ${bytes[4]}, expected 1 (32-bit) or 2 (64-bit)`);
  if (bytes[5] !== 1) throw bad(`its data encoding is ${bytes[5]}, expected 1 (little endian)`);
  if (bytes[6] !== 1) throw bad(`its version is ${bytes[6]}, expected 1`);
  const wide = elfClass === 64;
  need(wide ? 64 : 52, "header");
  const word = (at) => wide ? Number(view.getBigUint64(at, true)) : view.getUint32(at, true);
  const type = view.getUint16(16, true);
  const machine = view.getUint16(18, true);
  if (machine !== EM_386 && machine !== EM_X86_64)
    throw bad(`it is for ${MACHINE_NAMES[machine] ?? `machine ${machine}`}, expected x86 (3) or x86-64 (62)`);
  if (wide && machine !== EM_X86_64) throw bad("it is a 64-bit file for the 80386, expected x86-64 (62)");
  if (type !== 2) throw bad(`it is ${TYPE_NAMES[type] ?? `of type ${type}`}, expected an executable (type 2)`);
  const entry = word(24);
  const headersAt = wide ? word(32) : view.getUint32(28, true);
  const headerBytes = view.getUint16(wide ? 54 : 42, true);
  const count = view.getUint16(wide ? 56 : 44, true);
  const expectedBytes = wide ? 56 : 32;
  if (count === 0) throw bad("it has no program headers, so that nothing says where it is to be loaded");
  if (count === PN_XNUM) throw bad("it has 65535 or more program headers");
  if (headerBytes !== expectedBytes) throw bad(`its program headers have ${headerBytes} bytes each, expected ${expectedBytes}`);
  need(headersAt + count * headerBytes, "program header table");
  const segments2 = [];
  const notes = [];
  for (let index = 0; index < count; index++) {
    const at = headersAt + index * headerBytes;
    const kind = view.getUint32(at, true);
    if (kind !== PT_LOAD && kind !== PT_NOTE) continue;
    const segment = wide ? { index, offset: word(at + 8), virtualAddress: word(at + 16), physicalAddress: word(at + 24), fileBytes: word(at + 32), memoryBytes: word(at + 40) } : { index, offset: word(at + 4), virtualAddress: word(at + 8), physicalAddress: word(at + 12), fileBytes: word(at + 16), memoryBytes: word(at + 20) };
    if (kind === PT_NOTE) {
      if (segment.offset + segment.fileBytes <= bytes.length) notes.push({ offset: segment.offset, bytes: segment.fileBytes });
      continue;
    }
    if (segment.memoryBytes === 0 && segment.fileBytes === 0) continue;
    if (segment.fileBytes > segment.memoryBytes)
      throw bad(`segment ${index} has ${segment.fileBytes} bytes in the file, but only ${segment.memoryBytes} in memory`);
    if (segment.fileBytes > 0) need(segment.offset + segment.fileBytes, `segment ${index}`);
    segments2.push(segment);
  }
  if (segments2.length === 0) throw bad("it has no segment that is to be loaded");
  return { elfClass, machine, entry, segments: segments2, notes };
}
function physicalEntry(elf, name) {
  const { entry, segments: segments2 } = elf;
  const virtual = segments2.find((s) => entry >= s.virtualAddress && entry < s.virtualAddress + s.memoryBytes);
  if (virtual) return entry - virtual.virtualAddress + virtual.physicalAddress;
  if (segments2.some((s) => entry >= s.physicalAddress && entry < s.physicalAddress + s.memoryBytes)) return entry;
  throw bootErrors.entryOutside(name, entry);
}
function loadSegments(elf, bytes, room) {
  for (const s of elf.segments)
    room.load(s.physicalAddress, bytes.subarray(s.offset, s.offset + s.fileBytes), s.memoryBytes, `segment ${s.index}`);
}
function hasPvhNote(elf, bytes) {
  const view = viewOf(bytes);
  const align = (n) => Math.ceil(n / 4) * 4;
  for (const note of elf.notes) {
    const end = note.offset + note.bytes;
    for (let at = note.offset; at + 12 <= end; ) {
      const nameBytes = view.getUint32(at, true);
      const isXen = nameBytes === 4 && at + 16 <= end && view.getUint32(at + 12, true) === 7234904;
      if (isXen && view.getUint32(at + 8, true) === 18) return true;
      at += 12 + align(nameBytes) + align(view.getUint32(at + 4, true));
    }
  }
  return false;
}

// emulator/boot/entry-structures.ts
var PAGE_TABLES_AT = 4096;
var GDT_AT = 28672;
var STACK_TOP = 589824;
var STACK_BYTES = 65536;
var Selector = { code32: 8, data: 16, code64: 24 };
var DESCRIPTORS = [
  0n,
  0x00cf9b000000ffffn,
  // 0x08: 32-bit code, ring 0, flat
  0x00cf93000000ffffn,
  // 0x10: data, ring 0, flat
  0x00af9b000000ffffn
  // 0x18: 64-bit code, ring 0
];
var FLAT_LIMIT = 4294967295;
var ACCESS_CODE32 = 49307;
var ACCESS_CODE64 = 41115;
var ACCESS_DATA = 49299;
var ACCESS_LDT = 130;
var ACCESS_BUSY_TSS = 139;
var CR0_PE = 1n << 0n;
var CR0_ET = 1n << 4n;
var CR0_PG = 1n << 31n;
var CR4_PAE = 1n << 5n;
var EFER_LME = 1n << 8n;
var EFER_LMA = 1n << 10n;
var PAGE_PRESENT_WRITABLE = 3n;
var PAGE_LARGE = 0x80n;
function writeGdt(room) {
  const at = room.place(GDT_AT, DESCRIPTORS.length * 8, "the loader's GDT");
  DESCRIPTORS.forEach((descriptor, i) => room.memory.write64(at + i * 8, descriptor));
  return at;
}
function writeIdentityTables(room) {
  const memory = room.memory;
  const pml4 = room.place(PAGE_TABLES_AT, 6 * 4096, "the loader's page tables");
  const pdpt = pml4 + 4096;
  memory.physWrite(pml4, new Uint8Array(6 * 4096));
  memory.write64(pml4, BigInt(pdpt) | PAGE_PRESENT_WRITABLE);
  for (let gib = 0; gib < 4; gib++) {
    const directory = pdpt + 4096 * (gib + 1);
    memory.write64(pdpt + gib * 8, BigInt(directory) | PAGE_PRESENT_WRITABLE);
    for (let i = 0; i < 512; i++)
      memory.write64(directory + i * 8, BigInt(gib * 2 ** 30 + i * 2 ** 21) | PAGE_PRESENT_WRITABLE | PAGE_LARGE);
  }
  return pml4;
}
function entryEnvironment(room, codeBits, entry, registers2 = {}) {
  const stack = room.place(STACK_TOP - STACK_BYTES, STACK_BYTES, "a first stack") + STACK_BYTES;
  const gdt = writeGdt(room);
  const long = codeBits === 64;
  const cr3 = long ? BigInt(writeIdentityTables(room)) : 0n;
  const data = { selector: Selector.data, base: 0n, limit: FLAT_LIMIT, access: ACCESS_DATA };
  const code = {
    selector: long ? Selector.code64 : Selector.code32,
    base: 0n,
    limit: FLAT_LIMIT,
    access: long ? ACCESS_CODE64 : ACCESS_CODE32
  };
  return {
    codeBits,
    rip: BigInt(entry),
    rflags: 2,
    registers: { rsp: BigInt(stack), ...registers2 },
    segments: {
      es: data,
      cs: code,
      ss: data,
      ds: data,
      fs: data,
      gs: data,
      ldtr: { selector: 0, base: 0n, limit: 65535, access: ACCESS_LDT },
      tr: { selector: 0, base: 0n, limit: 65535, access: ACCESS_BUSY_TSS }
    },
    cr0: long ? CR0_PE | CR0_ET | CR0_PG : CR0_PE | CR0_ET,
    cr3,
    cr4: long ? CR4_PAE : 0n,
    efer: long ? EFER_LME | EFER_LMA : 0n,
    gdtr: { base: BigInt(gdt), limit: DESCRIPTORS.length * 8 - 1 },
    idtr: { base: 0n, limit: 0 }
  };
}

// emulator/boot/loader-memory.ts
var CONVENTIONAL_END = 654336;
var LoaderMemory = class {
  constructor(memory, imageName) {
    this.memory = memory;
    this.imageName = imageName;
  }
  memory;
  imageName;
  ranges = [];
  /** Claims [first, first + bytes) for a part of the image. */
  claim(first, bytes, what) {
    const end = first + bytes;
    if (!(first >= 0 && end <= this.memory.ramBytes))
      throw bootErrors.outsideMemory(this.imageName, what, first, end, this.memory.ramBytes);
    const other = this.conflict(first, end);
    if (other) throw bootErrors.overlap(this.imageName, what, other.what, Math.max(first, other.first));
    if (bytes > 0) this.ranges.push({ first, end, what });
  }
  /** Claims a part of the image and fills it: `bytes`, then zeros up to `memoryBytes`. */
  load(first, bytes, memoryBytes, what) {
    this.claim(first, memoryBytes, what);
    this.memory.physWrite(first, bytes);
    const zeros = new Uint8Array(Math.min(memoryBytes - bytes.length, 1048576));
    for (let at = bytes.length; at < memoryBytes; at += zeros.length)
      this.memory.physWrite(first + at, zeros.subarray(0, Math.min(zeros.length, memoryBytes - at)));
  }
  /** Address for a structure of the loader: `preferred` when nothing of the image lies there, else page-aligned as high as there is room. */
  place(preferred, bytes, what) {
    if (preferred + bytes <= this.memory.ramBytes && !this.conflict(preferred, preferred + bytes)) {
      this.ranges.push({ first: preferred, end: preferred + bytes, what });
      return preferred;
    }
    let end = this.memory.ramBytes;
    for (; ; ) {
      const first = Math.floor((end - bytes) / 4096) * 4096;
      if (first < 4096) throw bootErrors.noRoom(this.imageName, what, bytes, this.memory.ramBytes);
      const other = this.unfit(first, first + bytes);
      if (!other) {
        this.ranges.push({ first, end: first + bytes, what });
        return first;
      }
      end = other.first;
    }
  }
  /** Page-aligned room above everything that is claimed from `above` on (modules go behind the kernel). */
  placeAfter(above, bytes, what) {
    let first = Math.ceil(above / 4096) * 4096;
    for (let other = this.unfit(first, first + bytes); other; other = this.unfit(first, first + bytes))
      first = Math.ceil(other.end / 4096) * 4096;
    if (first + bytes > this.memory.ramBytes) throw bootErrors.noRoom(this.imageName, what, bytes, this.memory.ramBytes);
    this.ranges.push({ first, end: first + bytes, what });
    return first;
  }
  /** One past the highest claimed byte. */
  get highestEnd() {
    return this.ranges.reduce((end, range2) => Math.max(end, range2.end), 0);
  }
  conflict(first, end, ranges = this.ranges) {
    return end > first ? ranges.find((range2) => range2.first < end && first < range2.end) : void 0;
  }
  /** As `conflict`, for the loader's own choices, which also stay out of what belongs to the firmware and the screen. */
  unfit(first, end) {
    return this.conflict(first, end) ?? this.conflict(first, end, [{ first: CONVENTIONAL_END, end: 1048576, what: "the firmware area" }]);
  }
};

// emulator/boot/multiboot-information.ts
var STRUCTURES_AT = 36864;
var STRUCTURES_BYTES = 1536;
var INFORMATION_OFFSET = 1280;
var LOADER_NAME = "nestscope";
var BOOT_DEVICE = 2147549183;
var INFORMATION_FLAGS = 591;
function memoryMap(ramBytes) {
  const mib = 1048576;
  const map = [{ first: 0, bytes: Math.min(CONVENTIONAL_END, ramBytes), type: 1 }];
  map.push({ first: CONVENTIONAL_END, bytes: 655360 - CONVENTIONAL_END, type: 2 });
  map.push({ first: 983040, bytes: 65536, type: 2 });
  if (ramBytes > mib) map.push({ first: mib, bytes: ramBytes - mib, type: 1 });
  return map;
}
function terminated(text2) {
  const utf8 = new TextEncoder().encode(text2);
  const bytes = new Uint8Array(utf8.length + 1);
  bytes.set(utf8);
  return bytes;
}
function writeInformation(room, kernelEnd, imageName, cmdline, modules) {
  const memory = room.memory;
  const strings2 = [
    ...modules.map((m) => terminated(m.cmdline === "" ? m.name : `${m.name} ${m.cmdline}`)),
    terminated(`${imageName} ${cmdline}`),
    terminated(LOADER_NAME)
  ];
  const stringBytes = strings2.reduce((sum, s) => sum + s.length, 0);
  const list = room.placeAfter(kernelEnd, modules.length * 16 + stringBytes, "the multiboot module list and strings");
  const stringAt = [];
  let at = list + modules.length * 16;
  for (const string of strings2) {
    stringAt.push(at);
    memory.physWrite(at, string);
    at += string.length;
  }
  let behind = at;
  modules.forEach((module2, i) => {
    const start = room.placeAfter(behind, module2.bytes.length, `module '${module2.name}'`);
    memory.physWrite(start, module2.bytes);
    behind = start + Math.max(1, module2.bytes.length);
    [start, start + module2.bytes.length, stringAt[i], 0].forEach((word, j) => memory.write32(list + i * 16 + j * 4, word));
  });
  const structures = room.place(STRUCTURES_AT, STRUCTURES_BYTES, "the multiboot information");
  memory.physWrite(structures, new Uint8Array(STRUCTURES_BYTES));
  const map = memoryMap(memory.ramBytes);
  map.forEach((entry, i) => {
    const to = structures + i * 24;
    memory.write32(to, 20);
    memory.write64(to + 4, BigInt(entry.first));
    memory.write64(to + 12, BigInt(entry.bytes));
    memory.write32(to + 20, entry.type);
  });
  const information = structures + INFORMATION_OFFSET;
  const words = [
    [0, INFORMATION_FLAGS],
    [4, Math.floor(Math.min(CONVENTIONAL_END, memory.ramBytes) / 1024)],
    // mem_lower, KiB
    [8, Math.max(0, Math.floor(memory.ramBytes / 1024) - 1024)],
    // mem_upper, KiB
    [12, BOOT_DEVICE],
    [16, stringAt[modules.length]],
    // cmdline
    [20, modules.length],
    // mods_count
    [24, list],
    // mods_addr
    [44, map.length * 24],
    // mmap_length
    [48, structures],
    // mmap_addr
    [64, stringAt[modules.length + 1]]
    // boot_loader_name
  ];
  for (const [offset, value] of words) memory.write32(information + offset, value);
  return information;
}

// emulator/boot/multiboot.ts
var HEADER_MAGIC = 464367618;
var LOADER_MAGIC = 732803074;
var SEARCH_BYTES = 8192;
var FLAG_VIDEO = 1 << 2;
var FLAG_ADDRESSES = 1 << 16;
var KNOWN_REQUIREMENTS = 7;
var viewOf2 = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
var hex2 = (value) => `0x${(value >>> 0).toString(16)}`;
function findMultibootHeader(bytes) {
  const view = viewOf2(bytes);
  let wrong;
  for (let offset = 0; offset + 12 <= Math.min(bytes.length, SEARCH_BYTES); offset += 4) {
    if (view.getUint32(offset, true) !== HEADER_MAGIC) continue;
    const flags = view.getUint32(offset + 4, true);
    const checksumRight = (HEADER_MAGIC + flags + view.getUint32(offset + 8, true)) % 2 ** 32 === 0;
    if (checksumRight) return { offset, flags, checksumRight };
    wrong ??= { offset, flags, checksumRight };
  }
  return wrong;
}
function loadByAddressFields(bytes, header, name, room) {
  const view = viewOf2(bytes);
  const bad = (what) => bootErrors.badMultiboot(name, what);
  if (header.offset + 32 > bytes.length) throw bad("its address fields reach beyond the end of the file");
  const field = (at) => view.getUint32(header.offset + at, true);
  const [headerAddress, loadAddress, loadEnd, bssEnd, entry] = [field(12), field(16), field(20), field(24), field(28)];
  if (loadAddress > headerAddress) throw bad(`load_addr ${hex2(loadAddress)} is above header_addr ${hex2(headerAddress)}`);
  const first = header.offset - (headerAddress - loadAddress);
  if (first < 0)
    throw bad(
      `header_addr ${hex2(headerAddress)} lies ${headerAddress - loadAddress} bytes after load_addr, but the header is at byte ${header.offset} of the file`
    );
  if (loadEnd !== 0 && loadEnd < loadAddress) throw bad(`load_end_addr ${hex2(loadEnd)} is below load_addr ${hex2(loadAddress)}`);
  const loadBytes = loadEnd === 0 ? bytes.length - first : loadEnd - loadAddress;
  if (first + loadBytes > bytes.length)
    throw bad(`load_end_addr ${hex2(loadEnd)} asks for ${loadBytes} bytes from byte ${first} on, but the file has ${bytes.length} bytes`);
  if (bssEnd !== 0 && bssEnd < loadAddress + loadBytes)
    throw bad(`bss_end_addr ${hex2(bssEnd)} is below the end of the loaded part ${hex2(loadAddress + loadBytes)}`);
  const memoryBytes = bssEnd === 0 ? loadBytes : bssEnd - loadAddress;
  room.load(loadAddress, bytes.subarray(first, first + loadBytes), memoryBytes, "load area");
  if (entry < loadAddress || entry >= loadAddress + memoryBytes) throw bootErrors.entryOutside(name, entry);
  return entry;
}
function loadMultiboot(bytes, name, room, cmdline, modules) {
  const header = findMultibootHeader(bytes);
  if (!header)
    throw bootErrors.notThisFormat(name, "multiboot", `there is no multiboot header (magic ${hex2(HEADER_MAGIC)}) in its first 8 KiB`);
  if (!header.checksumRight)
    throw bootErrors.badMultiboot(name, `magic, flags and checksum at byte ${header.offset} do not add up to zero`);
  if (header.flags & FLAG_VIDEO)
    throw bootErrors.badMultiboot(name, "it asks for a video mode (bit 2 of its flags), which is not available yet");
  const unknown = header.flags & 65535 & ~KNOWN_REQUIREMENTS;
  if (unknown) throw bootErrors.badMultiboot(name, `it requires features that are not known (flags bits ${hex2(unknown)})`);
  let entry;
  if (header.flags & FLAG_ADDRESSES) entry = loadByAddressFields(bytes, header, name, room);
  else if (isElf(bytes)) {
    const elf = readElf(bytes, name);
    loadSegments(elf, bytes, room);
    entry = physicalEntry(elf, name);
  } else throw bootErrors.badMultiboot(name, "it is no ELF file and gives no load addresses (bit 16 of its flags is clear)");
  const information = writeInformation(room, room.highestEnd, name, cmdline, modules);
  return entryEnvironment(room, 32, entry, { rax: BigInt(LOADER_MAGIC), rbx: BigInt(information) });
}

// emulator/boot/load-image.ts
var FLAT_DEFAULT = { address: 1048576, mode: 32 };
function loadImage(config, memory) {
  const { image, imageName } = config;
  if (image.length === 0) throw bootErrors.empty(imageName);
  const room = new LoaderMemory(memory, imageName);
  switch (chosenFormat(config)) {
    case "multiboot":
      return loadMultiboot(image, imageName, room, config.cmdline ?? "", config.modules ?? []);
    case "elf":
      refuseBootData(config, "a plain ELF image");
      return loadPlainElf(image, imageName, config.format === "elf", room);
    case "flat":
      refuseBootData(config, "a flat binary");
      return loadFlat(config, room);
  }
}
function chosenFormat(config) {
  if (config.format !== void 0 && config.format !== "auto") return config.format;
  const { image, imageName } = config;
  const found = recognise(image);
  switch (found) {
    case "multiboot":
    case "elf":
      return found;
    case "multiboot2":
      throw bootErrors.notAvailable(imageName, "a multiboot 2 image");
    case "linux":
      throw bootErrors.notAvailable(imageName, "a Linux kernel (bzImage)");
    case "efi":
      throw bootErrors.notAvailable(imageName, "an EFI executable");
    default:
      if (config.flat) return "flat";
      throw bootErrors.unknownFormat(imageName);
  }
}
function recognise(image) {
  const multiboot = findMultibootHeader(image);
  if (multiboot?.checksumRight) return "multiboot";
  if (hasMultiboot2Header(image)) return "multiboot2";
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  if (isElf(image)) return multiboot ? "multiboot" : "elf";
  if (image.length >= 518 && view.getUint16(510, true) === 43605 && view.getUint32(514, false) === 1214542419) return "linux";
  if (image.length >= 64 && view.getUint16(0, true) === 23117) return "efi";
  return multiboot ? "multiboot" : "unknown";
}
function hasMultiboot2Header(image) {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  for (let at = 0; at + 16 <= Math.min(image.length, 32768); at += 8) {
    if (view.getUint32(at, true) !== 3897708758) continue;
    let sum = 0;
    for (let word = 0; word < 4; word++) sum += view.getUint32(at + word * 4, true);
    if (sum % 2 ** 32 === 0) return true;
  }
  return false;
}
function refuseBootData(config, format) {
  if (config.cmdline) throw bootErrors.notTaken(config.imageName, "command line", format);
  if (config.modules?.length) throw bootErrors.notTaken(config.imageName, "modules", format);
}
function loadPlainElf(image, name, named, room) {
  const elf = readElf(image, name);
  if (!named && hasPvhNote(elf, image)) throw bootErrors.notAvailable(name, "a PVH kernel (ELF with a Xen note)");
  if (!named && elf.elfClass === 32)
    throw bootErrors.badElf(
      name,
      "it is a 32-bit file without a multiboot header in its first 8 KiB; name the format 'elf' to enter it without boot information"
    );
  loadSegments(elf, image, room);
  return entryEnvironment(room, elf.elfClass, physicalEntry(elf, name));
}
function loadFlat(config, room) {
  const { address, mode } = config.flat ?? FLAT_DEFAULT;
  if (!Number.isInteger(address) || address < 0 || address > 4294967295) throw bootErrors.flatAddress(config.imageName, address);
  room.load(address, config.image, config.image.length, "flat image");
  return entryEnvironment(room, mode, address);
}

// emulator/isa/ir.ts
var OPERAND_SEGMENT = -1;
var FlagKind = { explicit: 0, logic: 1, inc: 2, dec: 3, sub: 4, add: 5, adc: 6, sbb: 7, shl: 8, shr: 9, sar: 10 };
var ComputeName = { divU128: 0, divS128: 1 };
var c64 = (value) => ({ op: "const", type: "i64", value: BigInt(value) });
var c32 = (value) => ({ op: "const", type: "i32", value: BigInt(value) });
var comparisons = /* @__PURE__ */ new Set(["eq", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u"]);
function bin(op, a, b) {
  if (a.type !== b.type) throw new Error(`${op}: ${a.type} and ${b.type}`);
  return { op, type: comparisons.has(op) ? "i32" : a.type, a, b };
}
function un(op, a) {
  const type = op === "eqz" || op === "wrap" ? "i32" : op === "extend_u" || op === "extend_s" ? "i64" : a.type;
  return { op, type, a };
}
var select = (c, a, b) => ({ op: "select", type: a.type, c, a, b });
var maskOf = (size) => (1n << BigInt(size * 8)) - 1n;
var zx = (size, e) => size === 8 ? e : bin("and", e, c64(maskOf(size)));
var sx = (size, e) => size === 8 ? e : un(size === 4 ? "sx32" : size === 2 ? "sx16" : "sx8", e);

// emulator/spec/descriptors.ts
var Ar = {
  type: 15,
  accessed: 1,
  /** Data: writable. Code: readable. */
  writable: 2,
  /** Data: expand-down. Code: conforming. */
  expandDown: 4,
  conforming: 4,
  code: 8,
  /** S: 1 is a code or data segment, 0 a system descriptor. */
  notSystem: 16,
  dpl: 96,
  present: 128,
  avl: 4096,
  long: 8192,
  big: 16384,
  granularity: 32768,
  unusable: 65536
};
var SystemType = {
  tss16Available: 1,
  ldt: 2,
  tss16Busy: 3,
  callGate16: 4,
  taskGate: 5,
  interruptGate16: 6,
  trapGate16: 7,
  tssAvailable: 9,
  tssBusy: 11,
  callGate: 12,
  interruptGate: 14,
  trapGate: 15
};
var accessOf = (d) => d.high >>> 8 & 61695;
var dplOf = (access) => access >> 5 & 3;
var baseOf = (d) => (d.low >>> 16 | (d.high & 255) << 16 | d.high & 4278190080) >>> 0;
function limitOf(d) {
  const raw = d.low & 65535 | d.high & 983040;
  return d.high & 8388608 ? (raw << 12 | 4095) >>> 0 : raw;
}
var isCode = (access) => (access & (Ar.notSystem | Ar.code)) === (Ar.notSystem | Ar.code);
var isData = (access) => (access & (Ar.notSystem | Ar.code)) === Ar.notSystem;
var isWritableData = (access) => isData(access) && (access & Ar.writable) !== 0;
var isConformingCode = (access) => isCode(access) && (access & Ar.conforming) !== 0;
function gateOf(d, upper) {
  return {
    type: d.high >>> 8 & 15,
    system: (d.high & 4096) === 0,
    dpl: d.high >>> 13 & 3,
    present: (d.high & 32768) !== 0,
    selector: d.low >>> 16,
    offset: BigInt(upper >>> 0) << 32n | BigInt((d.high & 4294901760 | d.low & 65535) >>> 0),
    ist: d.high & 7
  };
}
var Tss = {
  /** 32-bit: ESPn at 4 + 8n, SSn four bytes above. */
  esp: (n) => 4 + 8 * n,
  ss: (n) => 8 + 8 * n,
  /** 64-bit: RSPn and IST1..7. */
  rsp: (n) => 4 + 8 * n,
  ist: (n) => 28 + 8 * n,
  /** 32-bit, the rest of the task's state; registers in the manual's numbering, segments ES, CS, SS, DS, FS, GS. */
  cr3: 28,
  eip: 32,
  eflags: 36,
  gpr: (n) => 40 + 4 * n,
  segment: (n) => 72 + 4 * n,
  ldt: 96,
  /** Bit 0: debug trap (T). */
  trap: 100,
  ioMapBase: 102,
  /** The smallest limit. */
  lastByte: 103
};
var Tss16 = {
  sp: (n) => 2 + 4 * n,
  ss: (n) => 4 + 4 * n,
  ip: 14,
  flags: 16,
  gpr: (n) => 18 + 2 * n,
  segment: (n) => 34 + 2 * n,
  ldt: 42,
  lastByte: 43
};
var selectorError = (selector, ext = 0) => selector & 65532 | ext;
var idtError = (vector, ext) => vector << 3 | 2 | ext;

// emulator/spec/vcpu-state.ts
var GPR_NAMES = [
  "rax",
  "rcx",
  "rdx",
  "rbx",
  "rsp",
  "rbp",
  "rsi",
  "rdi",
  "r8",
  "r9",
  "r10",
  "r11",
  "r12",
  "r13",
  "r14",
  "r15"
];
var SEGMENT_NAMES = ["es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"];
var Seg = { es: 0, cs: 1, ss: 2, ds: 3, fs: 4, gs: 5, ldtr: 6, tr: 7 };
var State = {
  gpr: 0,
  // 16 × i64
  zero: 128,
  // i64, always 0: the base or index of an address that has none
  pageIp: 136,
  // i64, IP of the first byte of the current code page (IP - page offset)
  eaTemp: 144,
  // i64, linear address computed by an address record for the next record
  flagKind: 152,
  // i32, how flagA and flagB give the six arithmetic flags (see codegen/flags)
  flagA: 160,
  // i64
  flagB: 168,
  // i64
  systemFlags: 176,
  // i32, RFLAGS without CF PF AF ZF SF OF (bit 1 always set)
  rip: 184,
  // i64, IP of the next instruction; exact whenever generated code is not running
  steps: 192,
  // f64, position: steps made by this vCPU
  timeCharge: 200,
  // f64, guest-visible charges added to steps (see memory/clock)
  budget: 208,
  // i32, steps that generated code may still make
  exitRecord: 212,
  // i32, wasm address of the decoded record at which generated code left
  cpl: 216,
  // i32
  mode: 220,
  // i32, mode word: keys decoded code (see cpu/mode)
  contextData: 224,
  // i64, TLB context id for data accesses of the current CPL
  contextFetch: 232,
  // i64, TLB context id for instruction fetches
  activity: 240,
  // i32, 0 active, 1 HLT, 2 shutdown, 3 wait-for-SIPI (the manual's activity states)
  interruptibility: 244,
  // i32, bit 0 blocking by STI, bit 1 by MOV SS, bit 2 by SMI, bit 3 by NMI
  accessLo: 248,
  // i32, argument of the slow path: low half of the linear address
  accessHi: 252,
  // i32, high half
  segment: 256,
  // 8 × 32 bytes: see SegmentState
  gdtrBase: 512,
  // i64
  gdtrLimit: 520,
  // i32
  idtrLimit: 524,
  // i32
  idtrBase: 528,
  // i64
  cr0: 536,
  // i64
  cr2: 544,
  // i64
  cr3: 552,
  // i64
  cr4: 560,
  // i64
  cr8: 568,
  // i64
  xcr0: 576,
  // i64
  dr: 584,
  // 8 × i64 (DR0..DR7)
  efer: 648,
  // i64
  star: 656,
  // i64
  lstar: 664,
  // i64
  cstar: 672,
  // i64
  fmask: 680,
  // i64
  kernelGsBase: 688,
  // i64
  tscAux: 696,
  // i64
  tscOffset: 704,
  // i64, what WRMSR to IA32_TIME_STAMP_COUNTER / IA32_TSC_ADJUST added
  sysenterCs: 712,
  // i64
  sysenterEsp: 720,
  // i64
  sysenterEip: 728,
  // i64
  pat: 736,
  // i64
  miscEnable: 744,
  // i64
  featureControl: 752,
  // i64
  debugctl: 760,
  // i64
  apicBase: 768,
  // i64
  perfGlobalCtrl: 776,
  // i64
  spareMsr: 784,
  // 14 × i64, for MSRs to come
  pdpte: 896,
  // 4 × i64, PDPTE registers of PAE paging
  // VMX operation
  vmxMode: 928,
  // i32, 0 outside VMX operation, 1 root, 2 non-root
  vmxInternal: 932,
  // i32, free for vmx/ (launch-state and shadow bits)
  vmxonPointer: 936,
  // f64, physical address, -1 when outside VMX operation
  currentVmcs: 944,
  // f64, physical address, -1 when there is none
  eptPointer: 952,
  // f64, physical address of the EPT PML4 in use, 0 when EPT is off
  vpid: 960,
  // i32
  eptMode: 964,
  // i32, bit 0 A/D enabled; other bits free for vmx/
  vmxScratch: 968,
  // 15 × i64, free for vmx/ (serialised like everything here)
  // An event that is to be delivered before the next instruction (VM-entry injection, later interrupts): the manual's interruption-information format
  pendingEventInfo: 1088,
  // i32, bit 31 = valid
  pendingEventError: 1092,
  // i32
  pendingEventLength: 1096,
  // i32, instruction length for software events
  boundary: 1100,
  // i32, non-zero forces a budget of 1 (bit 0 TF, bit 1 MTF, bit 2 windows …)
  pendingDebug: 1104,
  // i32, pending debug exceptions
  codeEpoch: 1108,
  // i32, derived: changes when decoded code was thrown away
  nextContext: 1112,
  // i32, next free TLB context index
  contextIndex: 1116,
  // i32, TLB context index in use
  // What a failed access left behind (see cpu/pending)
  pendingKind: 1120,
  // i32, 0 none, 1 exception, 2 VM exit
  pendingVector: 1124,
  // i32
  pendingErrorCode: 1128,
  // i32, -1 when the exception has none
  pendingReason: 1132,
  // i32, VM-exit basic reason
  pendingQualification: 1136,
  // i64
  pendingGpa: 1144,
  // f64
  pendingLinear: 1152,
  // i64
  // Exception being delivered (double-fault detection, IDT-vectoring information)
  vectoringInfo: 1160,
  // i32, interruption-information format, bit 31 = valid
  vectoringError: 1164,
  // i32
  vectoringLength: 1168,
  // i32
  nmiPending: 1172,
  // i32
  contextMap: 1184,
  // 8 × 24 bytes {f64 EPTP, i32 VPID × 4096 + PCID, i32 PKRU, i32 index, i32 used}: remembered TLB contexts
  fetchPage: 1376,
  // i64, linear address of the page that instructions are fetched from; 1: none
  fetchHpa: 1384,
  // f64, its host-physical address
  codeTable: 1392,
  // i32, derived: the code page's table of records, 0: to be looked up
  ipMask: 1400,
  // i64, 2^32 - 1 outside 64-bit code, else all ones
  instructions: 1408,
  // f64, retired instructions (REP iterations counted)
  csBase: 1416,
  // i64, derived: base of CS outside 64-bit code, 0 in 64-bit code: linear address of the IP minus the IP
  csLimit: 1424,
  // i32 (unsigned), derived: limit of CS
  canonicalShift: 1792,
  // i64, derived: 64 less the width of linear addresses (16, or 7 with 5-level paging)
  pkru: 1800,
  // i32, PKRU
  debugMatches: 1804,
  // i32, data breakpoints (DR6 bits 3:0) met by the instruction that is being carried out
  random: 1808,
  // i64, state of the generator behind RDRAND and RDSEED
  monitorArmed: 1816,
  // i32, MONITOR has been carried out
  globalGroup: 1820,
  // i32, group of the global pages of the EPTP and VPID in use
  mtrr: 1824,
  // 27 × i64: 8 pairs of IA32_MTRR_PHYSBASEn and PHYSMASKn, then the 11 fixed-range MTRRs
  nextGlobalGroup: 2040,
  // i32, the last group of global pages that was given out
  scratch: 2048,
  // 256 bytes: slow accesses (page-crossing, MMIO, code pages) are gathered here
  exitGuard: 2304,
  tlb: 4096,
  // 1024 × 32 bytes: see TlbEntry
  tlbPage: 36864
  // 1024 × f64: host-physical address of the page that each entry maps
};
var SEGMENT_STRIDE = 32;
var SegmentState = {
  base: 0,
  // i64
  limit: 8,
  // i32 (unsigned), in bytes, granularity applied
  access: 12,
  // i32, VMCS access-rights format; bit 16 = unusable
  selector: 16
  // i32
};
var TlbEntry = { stride: 32, count: 1024, read: 0, write: 8, fetch: 16, addend: 24, code: 28 };
var TLB_SLOW_BIT = 2048;
var TLB_EMPTY = 0x7ffn;
var VCPU_STRIDE = 131072;
var VCPU_FIRST = 65536;
var ARENA_FIRST = 2097152;
var ARENA_BYTES = 65011712;
var RAM_FIRST = 67108864;
var Flag = {
  CF: 1 << 0,
  PF: 1 << 2,
  AF: 1 << 4,
  ZF: 1 << 6,
  SF: 1 << 7,
  TF: 1 << 8,
  IF: 1 << 9,
  DF: 1 << 10,
  OF: 1 << 11,
  IOPL: 3 << 12,
  NT: 1 << 14,
  RF: 1 << 16,
  VM: 1 << 17,
  AC: 1 << 18,
  VIF: 1 << 19,
  VIP: 1 << 20,
  ID: 1 << 21
};
var ARITHMETIC_FLAGS = 2261;
var Mode = {
  code64: 1,
  // CS.L = 1 in IA-32e mode
  code32: 2,
  // default operand and address size 32 (CS.D = 1); neither bit: 16-bit
  longMode: 4,
  // EFER.LMA
  stack32: 8,
  // SS.B = 1 (outside 64-bit code)
  flat: 16,
  // CS, DS, ES and SS have base 0 and limit 4 GiB - 1 (outside 64-bit code)
  protectedMode: 32,
  segmented: 64
  // outside 64-bit code: not 32-bit code and stack in flat segments, so that every access checks its segment
};

// emulator/codegen/wasm.ts
var I32 = 127;
var I64 = 126;
var Op = {
  unreachable: 0,
  return: 15,
  drop: 26,
  select: 27,
  i32_eqz: 69,
  i32_eq: 70,
  i32_ne: 71,
  i32_lt_s: 72,
  i32_lt_u: 73,
  i32_gt_s: 74,
  i32_gt_u: 75,
  i32_le_s: 76,
  i32_le_u: 77,
  i32_ge_s: 78,
  i32_ge_u: 79,
  i64_eqz: 80,
  i64_eq: 81,
  i64_ne: 82,
  i64_lt_s: 83,
  i64_lt_u: 84,
  i64_gt_s: 85,
  i64_gt_u: 86,
  i64_le_s: 87,
  i64_le_u: 88,
  i64_ge_s: 89,
  i64_ge_u: 90,
  i32_clz: 103,
  i32_ctz: 104,
  i32_popcnt: 105,
  i32_add: 106,
  i32_sub: 107,
  i32_mul: 108,
  i32_and: 113,
  i32_or: 114,
  i32_xor: 115,
  i32_shl: 116,
  i32_shr_s: 117,
  i32_shr_u: 118,
  i64_clz: 121,
  i64_ctz: 122,
  i64_popcnt: 123,
  i64_add: 124,
  i64_sub: 125,
  i64_mul: 126,
  i64_div_s: 127,
  i64_div_u: 128,
  i64_rem_s: 129,
  i64_rem_u: 130,
  i64_and: 131,
  i64_or: 132,
  i64_xor: 133,
  i64_shl: 134,
  i64_shr_s: 135,
  i64_shr_u: 136,
  i64_rotl: 137,
  i64_rotr: 138,
  i32_wrap_i64: 167,
  i64_extend_i32_s: 172,
  i64_extend_i32_u: 173,
  i64_extend8_s: 194,
  i64_extend16_s: 195,
  i64_extend32_s: 196,
  i32_load: 40,
  i64_load: 41,
  i32_load8_u: 45,
  i32_load16_u: 47,
  i64_load8_u: 49,
  i64_load16_u: 51,
  i64_load32_s: 52,
  i64_load32_u: 53,
  i32_store: 54,
  i64_store: 55,
  i32_store8: 58,
  i32_store16: 59,
  i64_store8: 60,
  i64_store16: 61,
  i64_store32: 62
};
function uleb(out, value) {
  let n = value >>> 0;
  do {
    const low = n & 127;
    n >>>= 7;
    out.push(n === 0 ? low : low | 128);
  } while (n !== 0);
}
function sleb(out, value) {
  let v = value;
  for (; ; ) {
    const low = Number(v & 0x7fn);
    v >>= 7n;
    if (v === 0n && (low & 64) === 0 || v === -1n && (low & 64) !== 0) {
      out.push(low);
      return;
    }
    out.push(low | 128);
  }
}
var FunctionBody = class {
  constructor(parameterCount) {
    this.parameterCount = parameterCount;
  }
  parameterCount;
  bytes = [];
  labels = [];
  locals = [];
  local(type) {
    this.locals.push(type);
    return this.parameterCount + this.locals.length - 1;
  }
  get localTypes() {
    return this.locals;
  }
  op(opcode) {
    this.bytes.push(opcode);
    return this;
  }
  i32(value) {
    this.bytes.push(65);
    sleb(this.bytes, BigInt(value | 0));
    return this;
  }
  i64(value) {
    this.bytes.push(66);
    sleb(this.bytes, BigInt.asIntN(64, value));
    return this;
  }
  get(index) {
    this.bytes.push(32);
    uleb(this.bytes, index);
    return this;
  }
  set(index) {
    this.bytes.push(33);
    uleb(this.bytes, index);
    return this;
  }
  tee(index) {
    this.bytes.push(34);
    uleb(this.bytes, index);
    return this;
  }
  /** Load or store with a constant offset; alignment hint 0. */
  mem(opcode, offset) {
    this.bytes.push(opcode, 0);
    uleb(this.bytes, offset);
    return this;
  }
  block(label) {
    this.labels.push(label);
    this.bytes.push(2, 64);
    return this;
  }
  loop(label) {
    this.labels.push(label);
    this.bytes.push(3, 64);
    return this;
  }
  if() {
    this.labels.push("");
    this.bytes.push(4, 64);
    return this;
  }
  else() {
    this.bytes.push(5);
    return this;
  }
  end() {
    this.labels.pop();
    this.bytes.push(11);
    return this;
  }
  depth(label) {
    const at = this.labels.lastIndexOf(label);
    if (at < 0) throw new Error(`no label ${label}`);
    return this.labels.length - 1 - at;
  }
  br(label) {
    this.bytes.push(12);
    uleb(this.bytes, this.depth(label));
    return this;
  }
  brIf(label) {
    this.bytes.push(13);
    uleb(this.bytes, this.depth(label));
    return this;
  }
  brTable(labels, otherwise) {
    this.bytes.push(14);
    uleb(this.bytes, labels.length);
    for (const l2 of labels) uleb(this.bytes, this.depth(l2));
    uleb(this.bytes, this.depth(otherwise));
    return this;
  }
  call(index) {
    this.bytes.push(16);
    uleb(this.bytes, index);
    return this;
  }
  callIndirect(type) {
    this.bytes.push(17);
    uleb(this.bytes, type);
    this.bytes.push(0);
    return this;
  }
};
function encodeModule(parts) {
  const out = [0, 97, 115, 109, 1, 0, 0, 0];
  const section2 = (id, fill2) => {
    const body2 = [];
    fill2(body2);
    out.push(id);
    uleb(out, body2.length);
    for (const byte of body2) out.push(byte);
  };
  const name = (b, s) => {
    uleb(b, s.length);
    for (let i = 0; i < s.length; i++) b.push(s.charCodeAt(i));
  };
  section2(1, (b) => {
    uleb(b, parts.types.length);
    for (const t of parts.types) {
      b.push(96);
      uleb(b, t.parameters.length);
      b.push(...t.parameters);
      uleb(b, t.results.length);
      b.push(...t.results);
    }
  });
  section2(2, (b) => {
    uleb(b, parts.imports.length + 1);
    for (const i of parts.imports) {
      name(b, "e");
      name(b, i.name);
      b.push(0);
      uleb(b, i.type);
    }
    name(b, "e");
    name(b, "memory");
    b.push(2, 0);
    uleb(b, 1);
  });
  section2(3, (b) => {
    uleb(b, parts.functions.length);
    for (const f of parts.functions) uleb(b, f.type);
  });
  if (parts.table.length > 0)
    section2(4, (b) => {
      b.push(1, 112, 0);
      uleb(b, parts.tableSize ?? parts.table.length);
    });
  section2(7, (b) => {
    const exported = parts.functions.map((f, i) => [f.export, i + parts.imports.length]).filter(([n]) => n !== void 0);
    uleb(b, exported.length + (parts.exportTable === void 0 ? 0 : 1));
    if (parts.exportTable !== void 0) {
      name(b, parts.exportTable);
      b.push(1, 0);
    }
    for (const [n, i] of exported) {
      name(b, n);
      b.push(0);
      uleb(b, i);
    }
  });
  if (parts.table.length > 0)
    section2(9, (b) => {
      b.push(1, 0, 65, 0, 11);
      uleb(b, parts.table.length);
      for (const f of parts.table) uleb(b, f);
    });
  section2(10, (b) => {
    uleb(b, parts.functions.length);
    for (const f of parts.functions) {
      const code = [];
      const groups = [];
      for (const t of f.body.localTypes) {
        const last = groups[groups.length - 1];
        if (last !== void 0 && last[1] === t) last[0]++;
        else groups.push([1, t]);
      }
      uleb(code, groups.length);
      for (const [n, t] of groups) {
        uleb(code, n);
        code.push(t);
      }
      uleb(b, code.length + f.body.bytes.length + 1);
      for (const byte of code) b.push(byte);
      for (const byte of f.body.bytes) b.push(byte);
      b.push(11);
    }
  });
  return new Uint8Array(out);
}

// emulator/codegen/record.ts
var Rec = {
  bytes: 48,
  handler: 0,
  // u16
  alternative: 2,
  // u16, the real handler of a record that a breakpoint has replaced
  operand: 4,
  // 3 × u16
  base: 10,
  // u16, offset of an i64 slot
  index: 12,
  // u16
  scale: 14,
  // u8, log2
  segment: 15,
  // u8, segment register of the memory operand (segmented shapes)
  offset: 16,
  // u16, page offset of the instruction
  nextOffset: 18,
  // u16, page offset of the next one
  instruction: 20,
  // i32, number of the decoded instruction (call-outs, faults)
  immediate: 24,
  // i64
  displacement: 32,
  // i64
  counter: 40,
  // i32, taken branches here until a region is compiled
  region: 44
  // u16 element of the function table, u16 steps that the budget must hold to enter it
};
var Handler = {
  goto: 0,
  link: 1,
  breakpoint: 2,
  system: 3,
  cross: 4,
  address64: 5,
  address32: 6,
  address32Segment: 7,
  region: 8,
  first: 9
};
var Exit = {
  budget: 1,
  // the steps are made
  decode: 2,
  // no record at State.rip, which lies in the current fetch page
  fetch: 3,
  // State.rip lies in another page, of which the TLB has no fetch entry
  pending: 4,
  // exception or VM exit pending (State.pending*), the instruction did not happen
  system: 5,
  // call-out for the record's instruction
  cross: 6,
  // the instruction crosses its page
  breakpoint: 7,
  hot: 9,
  // State.rip has been branched to often: a region may be compiled
  redo: 10,
  // the instruction at State.rip is to be carried out by the interpreter
  notFlat: 8
  // an operand lies in a 32-bit segment with a limit
};

// emulator/codegen/lower.ts
var loadOp = { 1: Op.i64_load8_u, 2: Op.i64_load16_u, 4: Op.i64_load32_u, 8: Op.i64_load };
var storeOp = { 1: Op.i64_store8, 2: Op.i64_store16, 4: Op.i64_store32, 8: Op.i64_store };
var COMPUTE_SLOT = State.scratch + 192;
var binaryCode = {
  add: [Op.i32_add, Op.i64_add],
  sub: [Op.i32_sub, Op.i64_sub],
  mul: [Op.i32_mul, Op.i64_mul],
  and: [Op.i32_and, Op.i64_and],
  or: [Op.i32_or, Op.i64_or],
  xor: [Op.i32_xor, Op.i64_xor],
  shl: [Op.i32_shl, Op.i64_shl],
  shr_s: [Op.i32_shr_s, Op.i64_shr_s],
  shr_u: [Op.i32_shr_u, Op.i64_shr_u],
  eq: [Op.i32_eq, Op.i64_eq],
  ne: [Op.i32_ne, Op.i64_ne],
  lt_s: [Op.i32_lt_s, Op.i64_lt_s],
  lt_u: [Op.i32_lt_u, Op.i64_lt_u],
  gt_s: [Op.i32_gt_s, Op.i64_gt_s],
  gt_u: [Op.i32_gt_u, Op.i64_gt_u],
  le_s: [Op.i32_le_s, Op.i64_le_s],
  le_u: [Op.i32_le_u, Op.i64_le_u],
  ge_s: [Op.i32_ge_s, Op.i64_ge_s],
  ge_u: [Op.i32_ge_u, Op.i64_ge_u],
  div_s: [-1, Op.i64_div_s],
  div_u: [-1, Op.i64_div_u],
  rem_s: [-1, Op.i64_rem_s],
  rem_u: [-1, Op.i64_rem_u],
  rotl: [-1, Op.i64_rotl],
  rotr: [-1, Op.i64_rotr]
};
var unaryCode = {
  clz: [Op.i32_clz, Op.i64_clz],
  ctz: [Op.i32_ctz, Op.i64_ctz],
  popcnt: [Op.i32_popcnt, Op.i64_popcnt],
  eqz: [Op.i32_eqz, Op.i64_eqz],
  wrap: [-1, Op.i32_wrap_i64],
  extend_u: [Op.i64_extend_i32_u, -1],
  extend_s: [Op.i64_extend_i32_s, -1],
  sx8: [-1, Op.i64_extend8_s],
  sx16: [-1, Op.i64_extend16_s],
  sx32: [-1, Op.i64_extend32_s]
};
var Lowering = class {
  constructor(c) {
    this.c = c;
  }
  c;
  temps = /* @__PURE__ */ new Map();
  pointers = /* @__PURE__ */ new Map();
  used32 = 0;
  used64 = 0;
  local(type) {
    const pool = this.c.pool[type];
    const at = type === "i32" ? this.used32++ : this.used64++;
    if (at === pool.length) pool.push(this.c.f.local(type === "i32" ? I32 : I64));
    return pool[at];
  }
  tempLocal(t) {
    let at = this.temps.get(t.id);
    if (at === void 0) {
      at = this.local(t.type);
      this.temps.set(t.id, at);
    }
    return at;
  }
  expr(e) {
    const { f, vcpu, pc } = this.c;
    switch (e.op) {
      case "temp":
        f.get(this.tempLocal(e));
        return;
      case "const":
        if (e.type === "i32") f.i32(Number(BigInt.asIntN(32, e.value)));
        else f.i64(e.value);
        return;
      case "imm":
        f.get(pc).mem(Op.i64_load, Rec.immediate);
        return;
      case "branchTarget":
        f.get(vcpu).mem(Op.i64_load, State.pageIp).get(pc).mem(Op.i64_load, Rec.immediate).op(Op.i64_add);
        return;
      case "nextIp":
        f.get(vcpu).mem(Op.i64_load, State.pageIp).get(pc).mem(Op.i64_load16_u, Rec.nextOffset).op(Op.i64_add);
        return;
      case "ea":
        f.get(vcpu).get(pc).mem(Op.i32_load16_u, Rec.base).op(Op.i32_add).mem(Op.i64_load, 0);
        f.get(vcpu).get(pc).mem(Op.i32_load16_u, Rec.index).op(Op.i32_add).mem(Op.i64_load, 0);
        f.get(pc).mem(Op.i64_load8_u, Rec.scale).op(Op.i64_shl).op(Op.i64_add);
        f.get(pc).mem(Op.i64_load, Rec.displacement).op(Op.i64_add);
        return;
      case "select":
        this.expr(e.a);
        this.expr(e.b);
        this.expr(e.c);
        f.op(Op.select);
        return;
      default:
        if ("b" in e) {
          this.expr(e.a);
          this.expr(e.b);
          f.op(binaryCode[e.op][e.a.type === "i32" ? 0 : 1]);
        } else {
          this.expr(e.a);
          f.op(unaryCode[e.op][e.a.type === "i32" ? 0 : 1]);
        }
    }
  }
  /** Pushes the wasm address base (i32) of a register operand and returns the constant offset to add. */
  registerAddress(ref) {
    const { f, vcpu, pc } = this.c;
    f.get(vcpu);
    if ("fixed" in ref) return State.gpr + ref.fixed * 8;
    f.get(pc).mem(Op.i32_load16_u, Rec.operand + 2 * ref.operand).op(Op.i32_add);
    return 0;
  }
  program(program) {
    for (const s of program.statements) this.statement(s);
    if (!program.controlFlow) this.c.to.next();
    else if (program.statements[program.statements.length - 1].k === "again") this.c.to.next();
  }
  statement(s) {
    const { f, vcpu, to } = this.c;
    switch (s.k) {
      case "let":
        this.expr(s.value);
        f.set(this.tempLocal(s.temp));
        return;
      case "readRegister": {
        const offset = this.registerAddress(s.ref);
        f.mem(loadOp[s.size], offset).set(this.tempLocal(s.temp));
        return;
      }
      case "readState":
        f.get(vcpu).mem(Op.i32_load, s.offset).set(this.tempLocal(s.temp));
        return;
      case "access":
        this.access(s);
        return;
      case "load":
        f.get(this.pointer(s.location.id)).mem(loadOp[s.size], s.offset).set(this.tempLocal(s.temp));
        return;
      case "condition":
        this.condition(s.code);
        f.set(this.tempLocal(s.temp));
        return;
      case "readFlags":
        f.get(vcpu).call(this.c.functions.arithmeticFlags).set(this.tempLocal(s.temp));
        return;
      case "compute":
        this.compute(s);
        return;
      case "fault":
        this.expr(s.condition);
        f.if();
        this.raise(s.vector, s.errorCode);
        f.end();
        return;
      case "retireIf":
        this.expr(s.condition);
        f.if();
        to.next();
        f.end();
        return;
      case "writeRegister": {
        const offset = this.registerAddress(s.ref);
        this.expr(s.value);
        f.mem(storeOp[s.size === 4 ? 8 : s.size], offset);
        return;
      }
      case "store":
        f.get(this.pointer(s.location.id));
        this.expr(s.value);
        f.mem(storeOp[s.size], s.offset);
        return;
      case "storesDone":
        f.get(this.pointer(s.location.id)).get(vcpu).op(Op.i32_sub).i32(VCPU_STRIDE).op(Op.i32_lt_u).if();
        f.get(vcpu).i32(s.location.id).call(this.c.functions.commitStore).end();
        return;
      case "setFlags":
        if (s.when) {
          this.expr(s.when);
          f.if();
        }
        f.get(vcpu);
        this.expr(s.kind);
        f.mem(Op.i32_store, State.flagKind).get(vcpu);
        this.expr(s.a);
        f.mem(Op.i64_store, State.flagA);
        if (!(s.b.op === "const" && s.b.value === 0n)) {
          f.get(vcpu);
          this.expr(s.b);
          f.mem(Op.i64_store, State.flagB);
        }
        if (s.when) f.end();
        return;
      case "writeState":
        f.get(vcpu);
        this.expr(s.value);
        f.mem(Op.i32_store, s.offset);
        return;
      case "branch":
        if (s.condition === void 0) return to.branch();
        this.expr(s.condition);
        f.if();
        to.branch();
        f.end();
        to.next();
        return;
      case "jump":
        this.expr(s.target);
        to.jump();
        return;
      case "again":
        this.expr(s.condition);
        f.if();
        to.again();
        f.end();
        return;
    }
  }
  raise(vector, errorCode) {
    const { f, vcpu, to } = this.c;
    f.get(vcpu).i32(1).mem(Op.i32_store, State.pendingKind);
    f.get(vcpu).i32(vector).mem(Op.i32_store, State.pendingVector);
    f.get(vcpu).i32(errorCode).mem(Op.i32_store, State.pendingErrorCode);
    to.exit(Exit.pending);
  }
  pointer(id) {
    const at = this.pointers.get(id);
    if (at === void 0) throw new Error("location used before its access");
    return at;
  }
  /** TLB look-up; on a miss (or a page that is watched, holds code or is not RAM) TypeScript gives a pointer, or -1 and a pending fault. */
  access(s) {
    const { f, vcpu, functions, to } = this.c;
    const { bytes, access, id } = s.location;
    const linear = this.local("i64");
    const entry = this.local("i32");
    const p = this.local("i32");
    this.pointers.set(id, p);
    this.expr(s.address);
    if (s.segment !== void 0) {
      f.set(linear);
      this.segmentedAccess(s.location, s.segment, linear, entry, p);
      return;
    }
    f.tee(linear);
    this.tlbHit(s.location, linear, entry);
    f.if();
    this.hostAddress(linear, entry, p);
    f.else();
    f.get(vcpu).get(linear).mem(Op.i64_store, State.accessLo);
    f.get(vcpu).i32(packAccess(bytes, access, id)).call(functions.slowAccess).tee(p).i32(-1).op(Op.i32_eq).if();
    to.exit(Exit.pending);
    f.end().end();
  }
  /** From the linear address on the stack: i32 whether the TLB allows the access; `entry` is the entry's address less State.tlb. */
  tlbHit({ bytes, access }, linear, entry) {
    const { f, vcpu, context } = this.c;
    f.op(Op.i32_wrap_i64).i32(7).op(Op.i32_shr_u).i32((TlbEntry.count - 1) * TlbEntry.stride).op(Op.i32_and).get(vcpu).op(Op.i32_add).tee(entry);
    f.mem(Op.i64_load, State.tlb + (access === "r" ? TlbEntry.read : TlbEntry.write));
    f.get(linear);
    if (bytes > 1) f.i64(BigInt(bytes - 1)).op(Op.i64_add);
    f.i64(-4096n).op(Op.i64_and).get(context).op(Op.i64_or).op(Op.i64_eq);
  }
  hostAddress(linear, entry, p) {
    const { f } = this.c;
    f.get(linear).op(Op.i32_wrap_i64).get(entry).mem(Op.i32_load, State.tlb + TlbEntry.addend).op(Op.i32_add).set(p);
  }
  /**
   * An access at an offset of a segment. Inline: a usable expand-up data segment (writable for a write) whose limit holds the operand, and
   * a TLB hit; everything else (code segments, expand-down ones, faults) is TypeScript's.
   */
  segmentedAccess(location, segment, offset, entry, p) {
    const { f, vcpu, pc, functions, to } = this.c;
    const { id, bytes, access } = location;
    const linear = this.local("i64");
    const slot2 = this.local("i32");
    const operandSegment = segment === OPERAND_SEGMENT;
    f.get(vcpu);
    if (operandSegment) f.get(pc).mem(Op.i32_load8_u, Rec.segment).i32(SEGMENT_STRIDE).op(Op.i32_mul).op(Op.i32_add);
    f.set(slot2);
    const at = (field) => State.segment + (operandSegment ? 0 : segment * SEGMENT_STRIDE) + field;
    f.i32(-1).set(p);
    const [mask, value] = access === "r" ? [Ar.unusable | Ar.present | Ar.notSystem | Ar.code | Ar.expandDown, Ar.present | Ar.notSystem] : [Ar.unusable | Ar.present | Ar.notSystem | Ar.code | Ar.expandDown | Ar.writable, Ar.present | Ar.notSystem | Ar.writable];
    f.get(slot2).mem(Op.i32_load, at(SegmentState.access)).i32(mask).op(Op.i32_and).i32(value).op(Op.i32_eq);
    f.get(offset);
    if (bytes > 1) f.i64(BigInt(bytes - 1)).op(Op.i64_add);
    f.get(slot2).mem(Op.i64_load32_u, at(SegmentState.limit)).op(Op.i64_le_u).op(Op.i32_and).if();
    f.get(slot2).mem(Op.i64_load, at(SegmentState.base)).get(offset).op(Op.i64_add).i64(0xffffffffn).op(Op.i64_and).tee(linear);
    this.tlbHit(location, linear, entry);
    f.if();
    this.hostAddress(linear, entry, p);
    f.end().end();
    f.get(p).i32(-1).op(Op.i32_eq).if();
    f.get(vcpu).get(offset).mem(Op.i64_store, State.accessLo);
    f.get(vcpu).i32(packAccess(bytes, access, id));
    if (operandSegment) f.get(pc).mem(Op.i32_load8_u, Rec.segment).i32(24).op(Op.i32_shl);
    else f.i32(segment << 24);
    f.op(Op.i32_or).call(functions.segmentedAccess).tee(p).i32(-1).op(Op.i32_eq).if();
    to.exit(Exit.pending);
    f.end().end();
  }
  compute(s) {
    const { f, vcpu, functions } = this.c;
    const { fast } = s;
    if (fast) {
      this.expr(fast.condition);
      f.if();
      s.outs.forEach((out, i) => {
        this.expr(fast.values[i]);
        f.set(this.tempLocal(out));
      });
      f.else();
    }
    s.ins.forEach((e, i) => {
      f.get(vcpu);
      this.expr(e);
      f.mem(Op.i64_store, COMPUTE_SLOT + i * 8);
    });
    f.get(vcpu).i32(s.name).call(functions.compute).op(Op.i32_eqz).if();
    this.raise(s.vector, -1);
    f.end();
    s.outs.forEach(
      (out, i) => f.get(vcpu).mem(Op.i64_load, COMPUTE_SLOT + i * 8).set(this.tempLocal(out))
    );
    if (fast) f.end();
  }
  /** Condition code on the lazy flags: fast for the triples that compares and logic leave, else from the flags themselves. */
  condition(code) {
    const { f, vcpu, functions } = this.c;
    const result = this.local("i32");
    const kind = this.local("i32");
    const a = () => f.get(vcpu).mem(Op.i64_load, State.flagA);
    const b = () => f.get(vcpu).mem(Op.i64_load, State.flagB);
    const subOp = { 2: Op.i64_lt_u, 4: Op.i64_eq, 6: Op.i64_le_u, 12: Op.i64_lt_s, 14: Op.i64_le_s };
    const even = code & ~1;
    f.get(vcpu).mem(Op.i32_load, State.flagKind).i32(2).op(Op.i32_shr_u).set(kind);
    let nested = 0;
    if (even in subOp) {
      f.get(kind).i32(FlagKind.sub).op(Op.i32_eq).if();
      a();
      b().op(subOp[even]).set(result).else();
      nested++;
    }
    if (even !== 0 && even !== 10) {
      f.get(kind).i32(FlagKind.logic).op(Op.i32_eq).if();
      if (even === 2) f.i32(0);
      else if (even === 4 || even === 6) a().op(Op.i64_eqz);
      else if (even === 8 || even === 12) a().i64(0n).op(Op.i64_lt_s);
      else a().i64(0n).op(Op.i64_le_s);
      f.set(result).else();
      nested++;
    }
    f.get(vcpu).call(functions.arithmeticFlags).set(kind);
    const bit = (n) => f.get(kind).i32(n).op(Op.i32_shr_u).i32(1).op(Op.i32_and);
    if (even === 0) bit(11);
    else if (even === 2) bit(0);
    else if (even === 4) bit(6);
    else if (even === 6) {
      bit(0);
      bit(6).op(Op.i32_or);
    } else if (even === 8) bit(7);
    else if (even === 10) bit(2);
    else {
      bit(7);
      bit(11).op(Op.i32_xor);
      if (even === 14) bit(6).op(Op.i32_or);
    }
    f.set(result);
    for (; nested > 0; nested--) f.end();
    f.get(result);
    if (code & 1) f.op(Op.i32_eqz);
  }
};
function packAccess(bytes, access, slot2) {
  return bytes | (access === "r" ? 0 : 256) | (access === "rw" ? 512 : 0) | slot2 << 16;
}

// emulator/isa/instruction.ts
var BASE_RIP = 16;

// emulator/spec/registers.ts
var Cr0 = {
  PE: 1n << 0n,
  MP: 1n << 1n,
  EM: 1n << 2n,
  TS: 1n << 3n,
  ET: 1n << 4n,
  NE: 1n << 5n,
  WP: 1n << 16n,
  AM: 1n << 18n,
  NW: 1n << 29n,
  CD: 1n << 30n,
  PG: 1n << 31n
};
var CR0_DEFINED = 0xe005003fn;
var Cr4 = {
  VME: 1n << 0n,
  PVI: 1n << 1n,
  TSD: 1n << 2n,
  DE: 1n << 3n,
  PSE: 1n << 4n,
  PAE: 1n << 5n,
  MCE: 1n << 6n,
  PGE: 1n << 7n,
  PCE: 1n << 8n,
  OSFXSR: 1n << 9n,
  OSXMMEXCPT: 1n << 10n,
  UMIP: 1n << 11n,
  LA57: 1n << 12n,
  VMXE: 1n << 13n,
  SMXE: 1n << 14n,
  FSGSBASE: 1n << 16n,
  PCIDE: 1n << 17n,
  OSXSAVE: 1n << 18n,
  SMEP: 1n << 20n,
  SMAP: 1n << 21n,
  PKE: 1n << 22n,
  CET: 1n << 23n,
  PKS: 1n << 24n
};
var Efer = { SCE: 1n << 0n, LME: 1n << 8n, LMA: 1n << 10n, NXE: 1n << 11n };
var Dr6 = { B0: 1, B1: 2, B2: 4, B3: 8, BD: 1 << 13, BS: 1 << 14, BT: 1 << 15, RTM: 1 << 16 };
var DR6_FIXED = 0xffff0ff0n;
var DR6_WRITABLE = 0xe00fn;
var DR7_FIXED = 0x400n;
var DR7_WRITABLE = 0xffff23ffn;
var DR7_GD = 1n << 13n;
var Vector = {
  DE: 0,
  DB: 1,
  NMI: 2,
  BP: 3,
  OF: 4,
  BR: 5,
  UD: 6,
  NM: 7,
  DF: 8,
  TS: 10,
  NP: 11,
  SS: 12,
  GP: 13,
  PF: 14,
  MF: 16,
  AC: 17,
  MC: 18,
  XM: 19,
  VE: 20,
  CP: 21
};
var VECTORS_WITH_ERROR_CODE = [8, 10, 11, 12, 13, 14, 17, 21];
var FAULT_CLASS_VECTORS = [0, 5, 6, 7, 10, 11, 12, 13, 14, 16, 17, 19, 20, 21];
var CONTRIBUTORY_VECTORS = [0, 10, 11, 12, 13, 21];
var PAGE_FAULT_CLASS_VECTORS = [14, 20];
var EventType = {
  externalInterrupt: 0,
  nmi: 2,
  hardwareException: 3,
  softwareInterrupt: 4,
  privilegedSoftwareException: 5,
  softwareException: 6
};
var Interruptibility = { blockingBySti: 1, blockingByMovSs: 2, blockingBySmi: 4, blockingByNmi: 8 };
var Activity = { active: 0, hlt: 1, shutdown: 2, waitForSipi: 3 };

// emulator/cpu/operands.ts
var WORD = 0xffffffffn;
function isCanonical(cpu, linear) {
  const bits = cpu.model.linearBits === 57 && cpu.cr4 & Cr4.LA57 ? 57 : 48;
  return BigInt.asUintN(64, BigInt.asIntN(bits, linear)) === linear;
}
function nextIp(cpu, insn) {
  return BigInt.asUintN(cpu.code64 ? 64 : 32, cpu.rip + BigInt(insn.length));
}
function effectiveAddress(cpu, insn) {
  let offset = insn.displacement;
  if (insn.base === BASE_RIP) offset += nextIp(cpu, insn);
  else if (insn.base >= 0) offset += cpu.gpr(insn.base);
  if (insn.index >= 0) offset += cpu.gpr(insn.index) << BigInt(insn.scaleLog2);
  return BigInt.asUintN(insn.addressSize * 8, offset);
}
function uncheckedLinear(cpu, segment, offset) {
  if (!cpu.code64) return cpu.segmentBase(segment) + offset & WORD;
  return BigInt.asUintN(64, segment === Seg.fs || segment === Seg.gs ? cpu.segmentBase(segment) + offset : offset);
}
function insideLimit(limit, access, offset, size) {
  const last = offset + BigInt(size - 1);
  const expandDown = !isCode(access) && (access & Ar.expandDown) !== 0;
  if (!expandDown) return last <= BigInt(limit >>> 0);
  return offset > BigInt(limit >>> 0) && last <= (access & Ar.big ? WORD : 0xffffn);
}
function segmentLinear(cpu, segment, offset, size, write) {
  const vector = segment === Seg.ss ? Vector.SS : Vector.GP;
  if (cpu.code64) {
    const linear = uncheckedLinear(cpu, segment, offset);
    if (isCanonical(cpu, linear) && isCanonical(cpu, BigInt.asUintN(64, linear + BigInt(size - 1)))) return linear;
    cpu.raise(vector, 0);
    return void 0;
  }
  const access = cpu.segmentAccess(segment);
  const real = (cpu.u32[State.cr0 >> 2] & 1) === 0;
  const typeRefuses = real ? false : isCode(access) ? write || (access & Ar.writable) === 0 : write && (access & Ar.writable) === 0;
  if (access & Ar.unusable || typeRefuses || !insideLimit(cpu.segmentLimit(segment), access, offset, size)) {
    cpu.raise(vector, 0);
    return void 0;
  }
  return cpu.segmentBase(segment) + offset & WORD;
}
function operandLinear(cpu, insn, size, write) {
  return segmentLinear(cpu, insn.segment, effectiveAddress(cpu, insn), size, write);
}
function readRm(cpu, insn, size) {
  if (insn.rm >= 0) return cpu.gprSized(insn.rm, size);
  const linear = operandLinear(cpu, insn, size, false);
  return linear === void 0 ? void 0 : cpu.loadLinear(linear, size);
}
function writeRm(cpu, insn, size, value) {
  if (insn.rm >= 0) {
    cpu.setGprSized(insn.rm, size, BigInt.asUintN(size * 8, value));
    return true;
  }
  const linear = operandLinear(cpu, insn, size, true);
  return linear !== void 0 && cpu.storeLinear(linear, size, BigInt.asUintN(size * 8, value));
}
function writeSelectorRm(cpu, insn, value) {
  return writeRm(cpu, insn, insn.rm >= 0 ? insn.operandSize : 2, BigInt(value));
}

// emulator/mmu/tlb.ts
var USER_CLASS = 1;
var SMAP_CLASS = 4;
var CONTEXT_LIMIT = 126;
var MAP_SLOTS = 8;
var MAP_STRIDE = 24;
var SHIFT_TABLE = 45056;
var GROUP_TABLE = 46080;
var globalGroups = (cpu) => new Uint8Array(cpu.u32.buffer, cpu.base + GROUP_TABLE, TlbEntry.count);
var TagKind = { read: TlbEntry.read, write: TlbEntry.write, fetch: TlbEntry.fetch };
var tlbIndex = (lo) => lo >>> 12 & TlbEntry.count - 1;
function emptyTlb(cpu) {
  for (let i = 0; i < TlbEntry.count; i++) emptyEntry(cpu, i);
  cpu.set64(State.fetchPage, 1n);
  cpu.set32(State.codeTable, 0);
}
function emptyEntry(cpu, i) {
  const o = State.tlb + i * TlbEntry.stride >> 3;
  cpu.u64[o] = TLB_EMPTY;
  cpu.u64[o + 1] = TLB_EMPTY;
  cpu.u64[o + 2] = TLB_EMPTY;
  cpu.u64[o + 3] = 0n;
  cpu.f64[(State.tlbPage >> 3) + i] = 0;
}
function tagMatches(cpu, i, kind, pageLo, hi, context) {
  const o = State.tlb + i * TlbEntry.stride + kind >> 2;
  const low = cpu.i32[o];
  return cpu.i32[o + 1] === (hi | 0) && (low & ~TLB_SLOW_BIT) === (pageLo | context | 0) && low !== Number(TLB_EMPTY);
}
function tagIsSlow(cpu, i, kind) {
  return (cpu.i32[State.tlb + i * TlbEntry.stride + kind >> 2] & TLB_SLOW_BIT) !== 0;
}
function setTag(cpu, i, kind, pageLo, hi, context, slow) {
  const o = State.tlb + i * TlbEntry.stride + kind >> 2;
  cpu.i32[o] = pageLo | context | (slow ? TLB_SLOW_BIT : 0);
  cpu.i32[o + 1] = hi;
}
function slowWrites(cpu, hpaPage) {
  const pages = State.tlbPage >> 3;
  for (let i = 0; i < TlbEntry.count; i++) {
    if (cpu.f64[pages + i] !== hpaPage) continue;
    const o = State.tlb + i * TlbEntry.stride + TlbEntry.write >> 2;
    if (cpu.i32[o] !== Number(TLB_EMPTY) || cpu.i32[o + 1] !== 0) cpu.i32[o] |= TLB_SLOW_BIT;
  }
}
function slowPage(cpu, pageLo) {
  for (const kind of [TagKind.read, TagKind.write]) {
    const o = State.tlb + tlbIndex(pageLo) * TlbEntry.stride + kind >> 2;
    if (cpu.i32[o] !== Number(TLB_EMPTY) && (cpu.i32[o] & ~4095) === pageLo) cpu.i32[o] |= TLB_SLOW_BIT;
  }
}
var entryPage = (cpu, i) => cpu.f64[(State.tlbPage >> 3) + i];
function claimEntry(cpu, i, pageLo, hi, contextIndex, hpaPage, addend, shift2, global) {
  const o = State.tlb + i * TlbEntry.stride >> 2;
  const pages = (State.tlbPage >> 3) + i;
  const sameFrame = cpu.f64[pages] === hpaPage;
  for (const kind of [TlbEntry.read, TlbEntry.write, TlbEntry.fetch]) {
    const t = o + (kind >> 2);
    const low = cpu.i32[t];
    if (low === Number(TLB_EMPTY) && cpu.i32[t + 1] === 0) continue;
    const same = sameFrame && cpu.i32[t + 1] === (hi | 0) && (low & ~4095) === (pageLo | 0) && (low & 2047) >> 4 === contextIndex;
    if (same) continue;
    cpu.i32[t] = Number(TLB_EMPTY);
    cpu.i32[t + 1] = 0;
    if (kind === TlbEntry.fetch) cpu.i32[o + (TlbEntry.code >> 2)] = 0;
  }
  cpu.i32[o + (TlbEntry.addend >> 2)] = addend;
  cpu.f64[pages] = hpaPage;
  new Uint8Array(cpu.u32.buffer, cpu.base + SHIFT_TABLE, TlbEntry.count)[i] = shift2;
  globalGroups(cpu)[i] = global ? cpu.i32[State.globalGroup >> 2] : 0;
}
function invalidatePage(cpu, lo, hi) {
  const shifts = new Uint8Array(cpu.u32.buffer, cpu.base + SHIFT_TABLE, TlbEntry.count);
  for (let i = 0; i < TlbEntry.count; i++) {
    const shift2 = shifts[i];
    if (shift2 <= 12 && i !== tlbIndex(lo)) continue;
    const o = State.tlb + i * TlbEntry.stride >> 2;
    for (const kind of [TlbEntry.read, TlbEntry.write, TlbEntry.fetch]) {
      const t = o + (kind >> 2);
      if (samePage(cpu.i32[t], cpu.i32[t + 1], lo, hi, Math.max(shift2, 12))) {
        emptyEntry(cpu, i);
        break;
      }
    }
  }
  cpu.set64(State.fetchPage, 1n);
}
function samePage(tagLo, tagHi, lo, hi, shift2) {
  return tagHi === (hi | 0) && tagLo >>> Math.min(shift2, 31) === lo >>> Math.min(shift2, 31);
}
var EPTP = 0;
var PLACE = 2;
var PKRU = 3;
var INDEX = 4;
var USED = 5;
var GROUP_LIMIT = 255;
var CR4_PCIDE = 1 << 17;
var CR4_PKE = 1 << 22;
var slotOf = (s) => State.contextMap + s * MAP_STRIDE >> 2;
var vpidOf = (cpu) => cpu.i32[State.vpid >> 2] & 65535;
var keysOn = (cpu) => (cpu.i32[State.cr4 >> 2] & CR4_PKE) !== 0;
var pkruOf = (cpu) => keysOn(cpu) ? cpu.i32[State.pkru >> 2] : 0;
var pcidOf = (cpu) => cpu.i32[State.cr4 >> 2] & CR4_PCIDE ? cpu.i32[State.cr3 >> 2] & 4095 : 0;
var placeOf = (cpu, pcid) => vpidOf(cpu) << 12 | pcid;
function forget(cpu, which) {
  for (let s = 0; s < MAP_SLOTS; s++) if (which(slotOf(s))) cpu.i32[slotOf(s) + USED] = 0;
}
var sameEptp = (cpu, slot2) => cpu.f64[slot2 >> 1] === cpu.f64[State.eptPointer >> 3];
var sameVpid = (cpu, slot2) => cpu.i32[slot2 + PLACE] >>> 12 === vpidOf(cpu);
function groupOf(cpu) {
  for (let s = 0; s < MAP_SLOTS; s++) {
    const slot2 = slotOf(s);
    if (cpu.i32[slot2 + USED] !== 0 && sameEptp(cpu, slot2) && sameVpid(cpu, slot2)) return cpu.i32[slot2 + USED] >> 1;
  }
  const group2 = cpu.i32[State.nextGlobalGroup >> 2] + 1;
  if (group2 <= GROUP_LIMIT) {
    cpu.i32[State.nextGlobalGroup >> 2] = group2;
    return group2;
  }
  emptyTlb(cpu);
  forget(cpu, () => true);
  cpu.i32[State.nextGlobalGroup >> 2] = 1;
  return 1;
}
function freshContext(cpu, groupToKeep) {
  let group2 = groupToKeep;
  let index = cpu.i32[State.nextContext >> 2];
  if (index > CONTEXT_LIMIT) {
    emptyTlb(cpu);
    forget(cpu, () => true);
    index = 0;
    group2 = 1;
    cpu.i32[State.nextGlobalGroup >> 2] = 1;
  }
  cpu.i32[State.nextContext >> 2] = index + 1;
  let s = 0;
  while (s < MAP_SLOTS && cpu.i32[slotOf(s) + USED] !== 0) s++;
  const slot2 = slotOf(s < MAP_SLOTS ? s : index % MAP_SLOTS);
  cpu.f64[slot2 + EPTP >> 1] = cpu.f64[State.eptPointer >> 3];
  cpu.i32[slot2 + PLACE] = placeOf(cpu, pcidOf(cpu));
  cpu.i32[slot2 + PKRU] = pkruOf(cpu);
  cpu.i32[slot2 + INDEX] = index;
  cpu.i32[slot2 + USED] = 1 | group2 << 1;
  cpu.i32[State.contextIndex >> 2] = index;
  cpu.i32[State.globalGroup >> 2] = group2;
  cpu.set64(State.fetchPage, 1n);
}
function flushAllContexts(cpu) {
  emptyTlb(cpu);
  forget(cpu, () => true);
  cpu.i32[State.nextContext >> 2] = 0;
  cpu.i32[State.nextGlobalGroup >> 2] = 0;
  freshContext(cpu, groupOf(cpu));
}
function flushVpid(cpu) {
  forget(cpu, (slot2) => sameVpid(cpu, slot2));
  freshContext(cpu, groupOf(cpu));
}
function flushPcid(cpu, pcid) {
  const group2 = groupOf(cpu);
  const place = placeOf(cpu, pcid);
  forget(cpu, (slot2) => cpu.i32[slot2 + PLACE] === place && sameEptp(cpu, slot2));
  if (pcid === pcidOf(cpu)) freshContext(cpu, group2);
}
function flushNonGlobal(cpu) {
  const group2 = groupOf(cpu);
  forget(cpu, (slot2) => sameVpid(cpu, slot2) && sameEptp(cpu, slot2));
  freshContext(cpu, group2);
}
function selectContext(cpu) {
  const place = placeOf(cpu, pcidOf(cpu));
  const pkru = pkruOf(cpu);
  for (let s = 0; s < MAP_SLOTS; s++) {
    const slot2 = slotOf(s);
    if (cpu.i32[slot2 + USED] === 0 || cpu.i32[slot2 + PLACE] !== place || cpu.i32[slot2 + PKRU] !== pkru || !sameEptp(cpu, slot2)) continue;
    const index = cpu.i32[slot2 + INDEX];
    if (cpu.i32[State.contextIndex >> 2] === index) return;
    cpu.i32[State.contextIndex >> 2] = index;
    cpu.i32[State.globalGroup >> 2] = cpu.i32[slot2 + USED] >> 1;
    cpu.set64(State.fetchPage, 1n);
    return;
  }
  freshContext(cpu, groupOf(cpu));
}
function adoptGlobal(cpu, i, kind, pageLo, hi, context) {
  const group2 = globalGroups(cpu)[i];
  if (group2 === 0 || group2 !== cpu.i32[State.globalGroup >> 2] || keysOn(cpu)) return false;
  const o = State.tlb + i * TlbEntry.stride + kind >> 2;
  const low = cpu.i32[o];
  const empty = low === Number(TLB_EMPTY) && cpu.i32[o + 1] === 0;
  if (empty || cpu.i32[o + 1] !== (hi | 0) || (low & ~4095) !== (pageLo | 0) || (low & 15) !== (context & 15)) return false;
  cpu.i32[o] = pageLo | context | low & TLB_SLOW_BIT;
  return true;
}

// emulator/cpu/string-runs.ts
var RAX = 0;
var RCX = 1;
var RSI = 6;
var RDI = 7;
var LEAST = 4;
function offsetThroughTlb(cpu, register, tag) {
  const lo = cpu.i32[register * 2];
  const hi = cpu.i32[register * 2 + 1];
  const i = tlbIndex(lo);
  const entry = State.tlb + i * TlbEntry.stride >> 2;
  const context = cpu.i32[State.contextData >> 2];
  if (cpu.i32[entry + (tag >> 2)] !== (lo & ~4095 | context) || cpu.i32[entry + (tag >> 2) + 1] !== hi) return -1;
  return lo + cpu.i32[entry + (TlbEntry.addend >> 2)] >>> 0;
}
function stringRun(cpu, packed) {
  const record = packed & 67108863;
  const movs2 = (packed & 67108864) !== 0;
  const size = 1 << (packed >> 27 & 3);
  const { memory } = cpu;
  if (cpu.i32[State.systemFlags >> 2] & Flag.DF || memory.u16[record + Rec.base >> 1] !== State.zero) return 0;
  const count = cpu.u32[RCX * 2 + 1] !== 0 ? 4294967295 : cpu.u32[RCX * 2];
  const to = offsetThroughTlb(cpu, RDI, TlbEntry.write);
  if (to < 0) return 0;
  let n = Math.min(count, cpu.i32[State.budget >> 2], Math.floor((4096 - (cpu.i32[RDI * 2] & 4095)) / size));
  let from = 0;
  if (movs2) {
    from = offsetThroughTlb(cpu, RSI, TlbEntry.read);
    if (from < 0) return 0;
    n = Math.min(n, Math.floor((4096 - (cpu.i32[RSI * 2] & 4095)) / size));
    if (to > from) n = Math.min(n, Math.floor((to - from) / size));
  }
  if (n < LEAST) return 0;
  const bytes = n * size;
  if (movs2) memory.u8.copyWithin(to, from, from + bytes);
  else fill(cpu, to, size, bytes);
  cpu.u64[RDI] += BigInt(bytes);
  if (movs2) cpu.u64[RSI] += BigInt(bytes);
  cpu.u64[RCX] -= BigInt(n);
  return n;
}
function fill(cpu, to, size, bytes) {
  const { u8 } = cpu.memory;
  const value = cpu.u32[RAX * 2];
  if (size === 1) {
    u8.fill(value & 255, to, to + bytes);
    return;
  }
  for (let b = 0; b < size; b++) u8[to + b] = Number(cpu.u64[RAX] >> BigInt(8 * b) & 0xffn);
  for (let done = size; done < bytes; done *= 2) u8.copyWithin(to + done, to, to + Math.min(done, bytes - done));
}

// emulator/cpu/callbacks.ts
function createRegionCallbacks(mmu, cpuAt) {
  return { ...createCallbacks(mmu, cpuAt), slowAccess: (base, packed) => mmu.slowAccess(cpuAt(base), packed, true) };
}
function createCallbacks(mmu, cpuAt) {
  return {
    slowAccess: (base, packed) => mmu.slowAccess(cpuAt(base), packed),
    segmentedAccess: (base, packed) => segmentedAccess(mmu, cpuAt(base), packed),
    commitStore: (base, slot2) => mmu.commitStore(cpuAt(base), slot2),
    stringRun: (base, packed) => stringRun(cpuAt(base), packed),
    compute: (base, name) => divide(cpuAt(base), name === ComputeName.divS128) ? 1 : 0
  };
}
function segmentedAccess(mmu, cpu, packed) {
  const segment = packed >>> 24;
  const bytes = packed & 255;
  const offset = cpu.get64(State.accessLo);
  const linear = segmentLinear(cpu, segment, offset, bytes, (packed & 256) !== 0);
  if (linear === void 0) return wrappedFrame(cpu, segment, offset, bytes) ? refuse(cpu) : -1;
  cpu.set64(State.accessLo, linear);
  return mmu.slowAccess(cpu, packed & 16777215);
}
var wrappedFrame = (cpu, segment, offset, bytes) => segment === Seg.ss && bytes > 8 && cpu.segmentLimit(Seg.ss) === 65535 && offset + BigInt(bytes) > 0x10000n;
function refuse(cpu) {
  cpu.notModelled("PUSHA or POPA with a frame that wraps around at 64 KiB");
  return -1;
}
function divide(cpu, signed) {
  const high = cpu.get64(COMPUTE_SLOT);
  const low = cpu.get64(COMPUTE_SLOT + 8);
  let divisor = cpu.get64(COMPUTE_SLOT + 16);
  let dividend = high << 64n | low;
  if (signed) {
    divisor = BigInt.asIntN(64, divisor);
    dividend = BigInt.asIntN(128, dividend);
  }
  if (divisor === 0n) return false;
  const quotient = dividend / divisor;
  if (quotient !== (signed ? BigInt.asIntN(64, quotient) : BigInt.asUintN(64, quotient))) return false;
  cpu.set64(COMPUTE_SLOT, BigInt.asUintN(64, quotient));
  cpu.set64(COMPUTE_SLOT + 8, BigInt.asUintN(64, dividend % divisor));
  return true;
}

// emulator/cpu/clock.ts
var Charge = { exit: 1e3, entry: 700, delivery: 100, device: 300 };
function createClock(vmxOffset) {
  return {
    tsc: (cpu) => BigInt.asUintN(64, BigInt(cpu.getF64(State.steps) + cpu.getF64(State.timeCharge)) + cpu.get64(State.tscOffset) + vmxOffset(cpu)),
    charge: (cpu, kind) => cpu.setF64(State.timeCharge, cpu.getF64(State.timeCharge) + Charge[kind])
  };
}

// emulator/isa/notation.ts
function operandSpec(text2, opcodeRegister) {
  const make = (encoding, bits, register = 0) => ({
    encoding,
    size: bits === void 0 || bits === "" ? void 0 : Number(bits) / 8,
    register
  });
  let m;
  if (m = /^r\/m(8|16|32|64)$/.exec(text2)) return make("rm", m[1]);
  if (m = /^r(32|64)a$/.exec(text2)) return make("reg", m[1]);
  if (m = /^r(32|64)b$/.exec(text2)) return make("vvvv", m[1]);
  if (m = /^r(8|16|32|64)$/.exec(text2)) return make(opcodeRegister ? "opcode-reg" : "reg", m[1]);
  if (m = /^rAX(16|32|64)$/.exec(text2)) return make("fixed", m[1], 0);
  if (m = /^moffs(8|16|32|64)$/.exec(text2)) return make("moffs", m[1]);
  if (m = /^m(8|16|32|64)$/.exec(text2)) return make("memory", m[1]);
  if (/^m/.test(text2)) return make("memory");
  if (/^imm/.test(text2)) return make("immediate");
  if (/^rel/.test(text2)) return make("relative");
  if (text2 === "1") return make("one");
  if (text2 === "AL") return make("fixed", "8", 0);
  if (text2 === "CL") return make("fixed", "8", 1);
  return make("other");
}
function vexTokens(parts) {
  const pp = parts.filter((p) => p === "66" || p === "F2" || p === "F3");
  const map = parts.find((p) => p.startsWith("0F")) ?? "0F";
  return [...pp, "0F", ...map.length > 2 ? [map.slice(2)] : []];
}
function parseRow(row2) {
  const tokens = row2.opcode.replace(/REX\.W (\+ )?/, "").replace("NP ", "").split(" ");
  const noPrefix = row2.opcode.startsWith("NP ");
  const vex2 = tokens[0].startsWith("VEX.") ? (tokens.shift() ?? "").split(".") : void 0;
  if (vex2) tokens.unshift(...vexTokens(vex2));
  const bytes = [];
  let mandatoryPrefix = 0;
  let digit = -1;
  let slashR = false;
  let opcodeRegister = false;
  const immediates = [];
  for (const token of tokens) {
    if (/^[0-9A-F]{2}(\+r[bwdo])?$/.test(token)) {
      bytes.push(parseInt(token.slice(0, 2), 16));
      opcodeRegister ||= token.length > 2;
    } else if (token === "/r") slashR = true;
    else if (/^\/[0-7]$/.test(token)) digit = Number(token[1]);
    else if (/^(i[bwdo]|c[bwdp])$/.test(token)) immediates.push(token);
    else throw new Error(`opcode column '${row2.opcode}': '${token}'`);
  }
  if (bytes.length > 1 && (bytes[0] === 102 || bytes[0] === 242 || bytes[0] === 243)) mandatoryPrefix = bytes.shift();
  let map = 0;
  if (bytes[0] === 15 && bytes.length > 1) {
    bytes.shift();
    map = 1;
    const second = bytes[0];
    if ((second === 56 || second === 58) && bytes.length > 1) {
      bytes.shift();
      map = second === 56 ? 2 : 3;
    }
  }
  const fixedModRm = bytes.length > 1 ? bytes[1] : -1;
  const space = row2.instruction.indexOf(" ");
  const mnemonic = space < 0 ? row2.instruction : row2.instruction.slice(0, space);
  const operands = space < 0 ? [] : row2.instruction.slice(space + 1).split(", ").map((t) => operandSpec(t, opcodeRegister));
  const hasModRm = slashR || digit >= 0 || fixedModRm >= 0;
  if (vex2 && digit >= 0) operands[0] = { ...operands[0], encoding: "vvvv" };
  let rmKind = "any";
  if (operands.some((o) => o.encoding === "memory")) rmKind = "memory";
  else if (digit >= 0 && !operands.some((o) => o.encoding === "rm")) rmKind = "register";
  const first = operands[0]?.size;
  const byteString = /^(MOVS|STOS|LODS|SCAS|CMPS|INS|OUTS)B$/.test(mnemonic);
  const size = row2.operandSize ?? (byteString ? 1 : first ?? 4);
  return {
    mnemonic,
    map,
    vex: vex2 !== void 0,
    opcode: bytes[0],
    opcodeRegister,
    mandatoryPrefix,
    noPrefix,
    hasModRm,
    digit,
    fixedModRm,
    rmKind,
    immediates,
    operands,
    size
  };
}

// emulator/isa/decode.ts
var NO_LAYOUT = { header: 0, displacement: 0, immediate: 0, repeatable: false };
var VEX_MAP = 4;
var OpcodeTable = class {
  candidates = new Array(2048);
  undefinedRow;
  tooLongRow;
  constructor(rows) {
    const make = (row2) => ({ row: row2, parsed: parseRow(row2) });
    this.undefinedRow = make({ opcode: "0F 0B", instruction: "UD", system: "UD" });
    this.tooLongRow = make({ opcode: "0F 0B", instruction: "TOO_LONG", system: "TOO_LONG" });
    for (const row2 of rows) {
      const c = make(row2);
      const first = c.parsed.opcode;
      const map = c.parsed.map | (c.parsed.vex ? VEX_MAP : 0);
      for (let n = 0; n < (c.parsed.opcodeRegister ? 8 : 1); n++) (this.candidates[map << 8 | first + n] ??= []).push(c);
    }
    const rank = (c) => (c.parsed.mandatoryPrefix ? 0 : 2) + (c.parsed.fixedModRm >= 0 ? 0 : 1);
    for (const list of this.candidates) list?.sort((a, b) => rank(a) - rank(b));
  }
  at(map, opcode) {
    return this.candidates[map << 8 | opcode];
  }
};
function decode(table, bytes, start, end, mode) {
  const limit = Math.min(end, start + 15);
  const { code64 } = mode;
  const code16 = mode.code16 === true;
  let at = start;
  let prefix66 = false;
  let otherAddress = false;
  let lock2 = false;
  let rep = 0;
  let override = -1;
  let rex = 0;
  for (; ; at++) {
    if (at >= limit) return outOfBytes(table, start, end);
    const b = bytes[at];
    if (b === 102) prefix66 = true;
    else if (b === 103) otherAddress = true;
    else if (b === 240) lock2 = true;
    else if (b === 242 || b === 243) rep = b;
    else if (b === 38 || b === 46 || b === 54 || b === 62) override = code64 ? override : b - 38 >> 3;
    else if (b === 100 || b === 101) override = b - 96;
    else if (code64 && (b & 240) === 64) {
      rex = b;
      continue;
    } else break;
    rex = 0;
  }
  let map = 0;
  let opcode = bytes[at++];
  let vexPrefix = -1;
  let vvvv = 0;
  if (opcode === 196 || opcode === 197) {
    if (at >= limit) return outOfBytes(table, start, end);
    if (code64 || bytes[at] >= 192) {
      const three = opcode === 196;
      if (at + (three ? 2 : 1) >= limit) return outOfBytes(table, start, end);
      const inverted = ~bytes[at] & 224;
      map = three ? bytes[at++] & 31 : 1;
      const last = bytes[at++];
      opcode = bytes[at++];
      vexPrefix = [0, 102, 243, 242][last & 3];
      vvvv = ~last >> 3 & 15;
      if (prefix66 || rep !== 0 || lock2 || rex !== 0 || map < 1 || map > 3 || (last & 4) !== 0)
        return plain(table.undefinedRow, at - start, code64);
      if (code64) rex = (three ? last >> 4 & 8 : 0) | (three ? inverted >> 5 : inverted >> 5 & 4);
      else vvvv &= 7;
      map |= VEX_MAP;
    }
  }
  if (opcode === 15 && vexPrefix < 0) {
    if (at >= limit) return outOfBytes(table, start, end);
    opcode = bytes[at++];
    map = 1;
    if (opcode === 56 || opcode === 58) {
      if (at >= limit) return outOfBytes(table, start, end);
      map = opcode === 56 ? 2 : 3;
      opcode = bytes[at++];
    }
  }
  const candidates = table.at(map, opcode);
  const rexW = (rex & 8) !== 0;
  const ud = (length2) => plain(table.undefinedRow, length2, code64);
  if (candidates === void 0) return ud(at - start);
  const needsModRm = candidates.some((c) => c.parsed.hasModRm);
  let modrm = 0;
  if (needsModRm) {
    if (at >= limit) return outOfBytes(table, start, end);
    modrm = bytes[at];
  }
  const mod = modrm >> 6;
  let chosen;
  let operandSize = 4;
  for (const c of candidates) {
    const { parsed: parsed2, row: row3 } = c;
    if (row3.only !== void 0 && row3.only === 64 !== code64) continue;
    if (row3.feature !== void 0 && !mode.features.has(row3.feature)) continue;
    if (parsed2.vex) {
      if (parsed2.mandatoryPrefix !== vexPrefix || vvvv !== 0 && !parsed2.operands.some((o) => o.encoding === "vvvv")) continue;
    } else if (parsed2.mandatoryPrefix === 102 ? !prefix66 || rep !== 0 : parsed2.mandatoryPrefix !== 0 && parsed2.mandatoryPrefix !== rep)
      continue;
    if (parsed2.noPrefix && (prefix66 || rep !== 0)) continue;
    if (parsed2.map >= 2 && !parsed2.vex && parsed2.mandatoryPrefix === 0 && rep !== 0) continue;
    if (parsed2.fixedModRm >= 0 && parsed2.fixedModRm !== modrm) continue;
    if (parsed2.digit >= 0 && parsed2.digit !== (modrm >> 3 & 7)) continue;
    if (parsed2.hasModRm && parsed2.fixedModRm < 0 && parsed2.rmKind === (mod === 3 ? "memory" : "register")) continue;
    if (parsed2.mnemonic === "NOP" && map === 0 && (rex & 1) !== 0) continue;
    operandSize = effectiveOperandSize(row3, code64, rexW, prefix66 !== code16);
    if (row3.operandSize !== void 0 && row3.operandSize !== operandSize) continue;
    chosen = c;
    break;
  }
  if (chosen === void 0) return ud(at - start + (needsModRm ? 1 : 0));
  const { row: row2, parsed } = chosen;
  if (parsed.hasModRm) at++;
  const addressSize = code64 ? otherAddress ? 4 : 8 : otherAddress !== code16 ? 2 : 4;
  let rm = -1;
  let base = -1;
  let index = -1;
  let scaleLog2 = 0;
  let displacement = 0n;
  let displacementBytes = 0;
  let segment = Seg.ds;
  let memory = false;
  const signed = (size) => {
    let v = 0;
    for (let n = size - 1; n >= 0; n--) v = v * 256 + bytes[at + n];
    at += size;
    return BigInt.asIntN(size * 8, BigInt(v));
  };
  if (parsed.hasModRm && mod !== 3 && parsed.fixedModRm < 0 && !isRegisterOnly(row2)) {
    memory = true;
    base = modrm & 7 | (rex & 1) << 3;
    if (addressSize === 2) [base, index] = ADDRESS_16[modrm & 7];
    else if ((modrm & 7) === 4) {
      if (at >= limit) return outOfBytes(table, start, end);
      const sib = bytes[at++];
      scaleLog2 = sib >> 6;
      index = sib >> 3 & 7 | (rex & 2) << 2;
      if (index === 4) index = -1;
      base = sib & 7 | (rex & 1) << 3;
      if ((sib & 7) === 5 && mod === 0) base = -1;
    } else if ((modrm & 7) === 5 && mod === 0) base = code64 ? BASE_RIP : -1;
    if (addressSize === 2 && (modrm & 7) === 6 && mod === 0) base = -1;
    const bytesOfDisplacement = addressSize === 2 ? mod === 1 ? 1 : mod === 2 || base === -1 ? 2 : 0 : mod === 1 ? 1 : mod === 2 || base === BASE_RIP || base === -1 && mod === 0 ? 4 : 0;
    if (at + bytesOfDisplacement > limit) return outOfBytes(table, start, end);
    displacementBytes = bytesOfDisplacement;
    if (bytesOfDisplacement) displacement = signed(bytesOfDisplacement);
    if (base === 4 || base === 5) segment = Seg.ss;
  } else if (parsed.hasModRm) rm = modrm & 7 | (rex & 1) << 3;
  else if (parsed.opcodeRegister) rm = opcode & 7 | (rex & 1) << 3;
  const moffs = parsed.operands.some((o) => o.encoding === "moffs");
  if (moffs) {
    if (at + addressSize > limit) return outOfBytes(table, start, end);
    let v = 0n;
    for (let n = addressSize - 1; n >= 0; n--) v = v << 8n | BigInt(bytes[at + n]);
    at += addressSize;
    displacement = addressSize === 8 ? BigInt.asIntN(64, v) : v;
    memory = true;
  }
  if (override >= 0) segment = override;
  const immediateStart = at;
  let immediate = 0n;
  let immediate2 = 0;
  for (const [n, kind] of parsed.immediates.entries()) {
    const size = kind === "cp" ? operandSize === 2 ? 4 : 6 : { b: 1, w: 2, d: 4, o: 8 }[kind[1]];
    if (at + size > limit) return outOfBytes(table, start, end);
    if (kind === "cp") {
      immediate = BigInt.asUintN(operandSize === 2 ? 16 : 32, signed(operandSize === 2 ? 2 : 4));
      immediate2 = Number(BigInt.asUintN(16, signed(2)));
    } else if (kind === "io") {
      const low = BigInt.asUintN(32, signed(4));
      immediate = signed(4) << 32n | low;
    } else if (n > 0) immediate2 = Number(BigInt.asUintN(8, signed(1)));
    else immediate = signed(size);
  }
  if (parsed.operands.some((o) => o.encoding === "one")) immediate = 1n;
  const length = at - start;
  const immediateBytes = at - immediateStart;
  const layout = {
    header: length - immediateBytes - displacementBytes,
    displacement: displacementBytes,
    immediate: immediateBytes,
    repeatable: !moffs && parsed.immediates.length <= 1 && parsed.immediates[0] !== "cp"
  };
  const writesMemory = memory && (parsed.operands[0]?.encoding === "rm" || parsed.operands[0]?.encoding === "memory" || row2.lock === true);
  if (lock2 && !(row2.lock === true && writesMemory && parsed.operands[0]?.encoding !== "reg")) return ud(length);
  const byteForm = parsed.size === 1 && row2.operandSize === void 0;
  const portForm = row2.system === "IN" || row2.system === "OUT" || row2.system === "INS" || row2.system === "OUTS";
  const byteOperand = byteForm || portForm && (opcode & 1) === 0;
  const reg = modrm >> 3 & 7 | (rex & 4) << 1;
  const instruction = {
    mnemonic: parsed.mnemonic,
    system: row2.system ?? "",
    length,
    opcode: map === 0 ? opcode : (map & 3) === 1 ? 3840 | opcode : ((map & 3) === 2 ? 997376 : 997888) | opcode,
    operandSize: byteOperand ? 1 : portForm && operandSize === 8 ? 4 : operandSize,
    addressSize,
    lock: lock2,
    rep,
    rexW,
    rex: rex !== 0,
    hasModRm: parsed.hasModRm,
    mod,
    reg,
    rm,
    segment,
    base,
    index,
    scaleLog2,
    displacement,
    immediate,
    immediate2
  };
  const operands = parsed.operands.map((spec) => {
    let register = -1;
    if (spec.encoding === "reg") register = reg;
    else if (spec.encoding === "rm" && !memory) register = rm;
    else if (spec.encoding === "opcode-reg") register = rm;
    else if (spec.encoding === "fixed") register = spec.register;
    else if (spec.encoding === "vvvv") register = vvvv;
    const high = register >= 4 && register < 8 && rex === 0 && spec.size === 1 && spec.encoding !== "fixed";
    return { spec, register: high ? register - 4 : register, high };
  });
  return { instruction, row: row2, parsed, operands, memory, layout };
}
var ADDRESS_16 = [[3, 6], [3, 7], [5, 6], [5, 7], [6, -1], [7, -1], [5, -1], [3, -1]];
var isRegisterOnly = (row2) => /_(TO|FROM)_(CR|DR)$/.test(row2.system ?? "");
function effectiveOperandSize(row2, code64, rexW, operand16) {
  if (!code64) return operand16 ? 2 : 4;
  if (row2.in64 === "always64") return 8;
  if (row2.in64 === "default64") return operand16 && !rexW ? 2 : 8;
  return rexW ? 8 : operand16 ? 2 : 4;
}
function outOfBytes(table, start, end) {
  return end - start >= 15 ? plain(table.tooLongRow, 15, true) : void 0;
}
function plain(c, length, code64) {
  const instruction = {
    mnemonic: c.parsed.mnemonic,
    system: c.row.system ?? "",
    length,
    opcode: 0,
    operandSize: 4,
    addressSize: code64 ? 8 : 4,
    lock: false,
    rep: 0,
    rexW: false,
    rex: false,
    hasModRm: false,
    mod: 0,
    reg: 0,
    rm: -1,
    segment: Seg.ds,
    base: -1,
    index: -1,
    scaleLog2: 0,
    displacement: 0n,
    immediate: 0n,
    immediate2: 0
  };
  return { instruction, row: c.row, parsed: c.parsed, operands: [], memory: false, layout: NO_LAYOUT };
}

// emulator/isa/semantics.ts
var GENERAL_PROTECTION = 13;
var Semantics = class {
  constructor(shape) {
    this.shape = shape;
  }
  shape;
  statements = [];
  temps = 0;
  accesses = 0;
  committed = false;
  ends = false;
  get size() {
    return this.shape.size;
  }
  get bits() {
    return this.shape.size * 8;
  }
  // Phase 1 and 2: accesses, reads, computation ------------------------------------------------------------------
  temp(type) {
    return { op: "temp", type, id: this.temps++ };
  }
  early(what) {
    if (this.committed) throw new Error(`${what} after the first commit: the instruction would not be restartable`);
  }
  /** Names a value so that it is computed once. */
  let(value) {
    const temp = this.temp(value.type);
    this.statements.push({ k: "let", temp, value });
    return temp;
  }
  operandSize(i) {
    return this.shape.operandSizes[i] ?? this.shape.size;
  }
  /** Operand i as a checked location. An immediate has none. */
  location(i, access, bytes = this.operandSize(i)) {
    const kind = this.shape.operands[i];
    if (kind === "r") return { kind: "register", ref: { operand: i }, size: this.operandSize(i) };
    if (kind === "m") return this.access({ op: "ea", type: "i64" }, bytes, access);
    throw new Error(`operand ${i} has no location`);
  }
  /**
   * One checked memory access: after it neither reading nor (for w, rw) writing can fault.
   * @param segment what the address is an offset of in segmented shapes.
   */
  access(address, bytes, access, segment = OPERAND_SEGMENT) {
    this.early("access");
    const location = { kind: "memory", id: this.accesses++, access, bytes };
    this.statements.push({ k: "access", location, address, segment: this.shape.segmented ? segment : void 0 });
    return location;
  }
  /** Value of a location, zero-extended to 64 bits. */
  read(location, size = location.kind === "register" ? location.size : location.bytes, offset = 0) {
    if (location.kind === "register") return this.register(location.ref, size);
    const temp = this.temp("i64");
    this.statements.push({ k: "load", temp, location, size, offset });
    return temp;
  }
  /** Value of operand i (register, memory or immediate), zero-extended to 64 bits from its size. */
  value(i, size = this.operandSize(i)) {
    if (this.shape.operands[i] === "i") return this.let(zx(size, { op: "imm", type: "i64" }));
    return this.read(this.location(i, "r"), size);
  }
  register(ref, size) {
    const temp = this.temp("i64");
    this.statements.push({ k: "readRegister", temp, ref, size });
    return temp;
  }
  gpr(n, size = 8) {
    return this.register({ fixed: n }, size);
  }
  /** A 32-bit state slot. */
  state(offset) {
    const temp = this.temp("i32");
    this.statements.push({ k: "readState", temp, offset });
    return temp;
  }
  /** Condition code (0..15 as in Jcc) as i32 0 or 1. */
  condition(code) {
    const temp = this.temp("i32");
    this.statements.push({ k: "condition", temp, code });
    return temp;
  }
  /** The six arithmetic flags in their RFLAGS positions, i32. */
  arithmeticFlags() {
    const temp = this.temp("i32");
    this.statements.push({ k: "readFlags", temp });
    return temp;
  }
  /** CF as i64 0 or 1. */
  carry() {
    return un("extend_u", this.condition(2));
  }
  nextIp() {
    return { op: "nextIp", type: "i64" };
  }
  immediate() {
    return { op: "imm", type: "i64" };
  }
  compute(name, ins, outCount, vector, fast) {
    this.early("compute");
    const outs = Array.from({ length: outCount }, () => this.temp("i64"));
    this.statements.push({ k: "compute", name, ins, outs, vector, fast });
    return outs;
  }
  /** Raises `vector` when the condition (i32) holds; nothing has happened then. errorCode -1: none. */
  fault(condition, vector, errorCode = -1) {
    this.early("fault");
    this.statements.push({ k: "fault", condition, vector, errorCode });
  }
  retireIf(condition) {
    this.early("retireIf");
    this.statements.push({ k: "retireIf", condition });
  }
  // Phase 3: commits ---------------------------------------------------------------------------------------------
  /** Writes a location: registers by the manual's rules for the size, memory through the checked access. */
  write(location, value, size = location.kind === "register" ? location.size : location.bytes) {
    if (location.kind === "register") this.setRegister(location.ref, size, value);
    else {
      this.store(location, value, size, 0);
      this.storesDone(location);
    }
  }
  store(location, value, size, offset) {
    if (location.access === "r") throw new Error("store to a location that was only checked for reading");
    this.committed = true;
    this.statements.push({ k: "store", location, size, offset, value });
  }
  storesDone(location) {
    this.statements.push({ k: "storesDone", location });
  }
  setRegister(ref, size, value) {
    this.committed = true;
    this.statements.push({ k: "writeRegister", ref, size, value });
  }
  setGpr(n, value, size = 8) {
    this.setRegister({ fixed: n }, size, value);
  }
  writeState(offset, value) {
    this.committed = true;
    this.statements.push({ k: "writeState", offset, value });
  }
  /** The lazy triple for a result of this size; operands are stored sign-extended. */
  flags(kind, a, b = c64(0), size = this.size, when) {
    this.committed = true;
    const log2 = size === 8 ? 3 : size >> 1;
    this.statements.push({ k: "setFlags", kind: c32(kind * 4 + log2), a: sx(size, a), b: kind === FlagKind.sub || kind === FlagKind.add || kind === FlagKind.adc || kind === FlagKind.sbb ? sx(size, b) : b, when });
  }
  logicFlags(result, size = this.size) {
    this.flags(FlagKind.logic, result, c64(0), size);
  }
  /** ADC and SBB: with carry-in 0 they are ADD and SUB. */
  carryFlags(withCarry2, without, carryIn, a, b) {
    this.committed = true;
    const log2 = this.size === 8 ? 3 : this.size >> 1;
    const kind = select(un("wrap", carryIn), c32(withCarry2 * 4 + log2), c32(without * 4 + log2));
    this.statements.push({ k: "setFlags", kind, a: sx(this.size, a), b: sx(this.size, b) });
  }
  /** All six flags explicitly, i32 in their RFLAGS positions. */
  explicitFlags(flags, when) {
    this.committed = true;
    this.statements.push({ k: "setFlags", kind: c32(FlagKind.explicit), a: un("extend_u", flags), b: c64(0), when });
  }
  /** Outside 64-bit code a near target beyond the limit of CS is #GP(0) at the branch. To be called before the first commit. */
  checkBranch(condition) {
    if (this.shape.segmented) this.checkCodeLimit(this.branchTargetIp(), condition);
  }
  checkCodeLimit(target, condition) {
    const beyond = bin("gt_u", target, un("extend_u", this.state(State.csLimit)));
    this.fault(condition === void 0 ? beyond : bin("and", condition, beyond), GENERAL_PROTECTION, 0);
  }
  branchTargetIp() {
    return zx(this.size, { op: "branchTarget", type: "i64" });
  }
  branch(condition) {
    this.ends = true;
    if (this.size === 2) {
      const target = this.branchTargetIp();
      this.statements.push({ k: "jump", target: condition === void 0 ? target : select(condition, target, this.nextIp()) });
      return;
    }
    this.statements.push({ k: "branch", condition });
  }
  jump(target) {
    this.ends = true;
    this.statements.push({ k: "jump", target });
  }
  again(condition) {
    this.ends = true;
    this.statements.push({ k: "again", condition });
  }
  program() {
    return { statements: this.statements, controlFlow: this.ends };
  }
  // Arithmetic that several instructions share ---------------------------------------------------------------------
  /** Bit `n` (constant or expression) of a value as i32 0/1. */
  bit(value, n) {
    const shift2 = typeof n === "number" ? c64(n) : n;
    return un("wrap", bin("and", bin("shr_u", value, shift2), c64(1)));
  }
  /** i32 0/1 moved to flag position `position`. */
  at(flag, position) {
    return position === 0 ? flag : bin("shl", flag, c32(position));
  }
  /** SF, ZF and PF of a result, i32 in place. */
  resultFlags(result, size = this.size) {
    const r = sx(size, result);
    const sf = this.at(bin("lt_s", r, c64(0)), 7);
    const zf = this.at(un("eqz", zx(size, result)), 6);
    const parity = bin("xor", bin("and", un("popcnt", bin("and", un("wrap", result), c32(255))), c32(1)), c32(1));
    return bin("or", bin("or", sf, zf), this.at(parity, 2));
  }
  /** High 64 bits of the unsigned product. */
  mulHighUnsigned(a, b) {
    const lo = (e) => bin("and", e, c64(4294967295));
    const hi = (e) => bin("shr_u", e, c64(32));
    const p0 = this.let(bin("mul", lo(a), lo(b)));
    const p1 = this.let(bin("add", bin("mul", hi(a), lo(b)), hi(p0)));
    const p2 = this.let(bin("add", bin("mul", lo(a), hi(b)), lo(p1)));
    return this.let(bin("add", bin("add", bin("mul", hi(a), hi(b)), hi(p1)), hi(p2)));
  }
  /** High 64 bits of the signed product. */
  mulHighSigned(a, b) {
    const u = this.mulHighUnsigned(a, b);
    const fixA = bin("and", bin("shr_s", a, c64(63)), b);
    const fixB = bin("and", bin("shr_s", b, c64(63)), a);
    return this.let(bin("sub", bin("sub", u, fixA), fixB));
  }
};

// emulator/isa/shapes.ts
function operandShape(spec, memory) {
  if (spec.encoding === "rm") return memory ? "m" : "r";
  if (spec.encoding === "memory" || spec.encoding === "moffs") return "m";
  if (spec.encoding === "immediate" || spec.encoding === "one" || spec.encoding === "relative") return "i";
  return "r";
}
function handlerOf(row2, memory, mode) {
  const { body: body2 } = row2;
  if (body2 === void 0) throw new Error(`${row2.instruction} has no body`);
  const parsed = parseRow(row2);
  const uses = new Set(body2.uses);
  const operands = row2.addressOnly && body2.name !== "LEA" ? [] : parsed.operands.map((o) => operandShape(o, memory));
  const operandSizes = parsed.operands.map((o) => o.encoding === "immediate" || o.encoding === "one" || o.encoding === "relative" ? parsed.size : o.size ?? parsed.size);
  const segments2 = uses.has("segmented") || uses.has("stack") || operands.includes("m") && row2.addressOnly !== true;
  const rep = row2.string === void 0 || mode.rep === 0 ? 0 : row2.string === "rep" ? 243 : mode.rep;
  const shape = {
    size: parsed.size,
    operands,
    operandSizes: operands.length === 0 ? [] : operandSizes,
    stack: uses.has("stack") ? mode.stack : 8,
    address: uses.has("address") ? mode.address : 8,
    code64: uses.has("code64") ? mode.code64 : true,
    segmented: segments2 && mode.segmented,
    rep,
    parameter: uses.has("parameter") ? row2.parameter ?? 0 : 0
  };
  const sizes = shape.operandSizes.map((s) => s === shape.size ? "" : String(s));
  const parts = [
    body2.name,
    shape.size,
    shape.operands.map((o, i) => o + sizes[i]).join(","),
    ...uses.has("stack") ? [`s${shape.stack}`] : [],
    ...uses.has("address") ? [`a${shape.address}`] : [],
    ...uses.has("code64") ? [shape.code64 ? "l" : "p"] : [],
    ...shape.segmented ? ["seg"] : [],
    ...shape.rep ? [`rep${shape.rep.toString(16)}`] : [],
    ...uses.has("parameter") ? [`/${shape.parameter}`] : []
  ];
  return { key: parts.join(" "), body: body2, shape };
}
function traceProgram(handler) {
  const s = new Semantics(handler.shape);
  handler.body.trace(s);
  return s.program();
}
var stackShapes = [
  { stack: 8, segmented: false },
  { stack: 4, segmented: false },
  { stack: 4, segmented: true },
  { stack: 2, segmented: true }
];
function allHandlers(rows) {
  const found = /* @__PURE__ */ new Map();
  for (const row2 of rows) {
    if (row2.body === void 0) continue;
    for (const memory of [false, true])
      for (const code64 of [true, false])
        for (const address of [8, 4, 2])
          for (const rep of [0, 243, 242])
            for (const { stack, segmented } of stackShapes) {
              if (code64 ? address === 2 : address === 8) continue;
              if (code64 !== (stack === 8)) continue;
              const h = handlerOf(row2, memory, { stack, address, code64, rep, segmented });
              if (!found.has(h.key)) found.set(h.key, h);
            }
  }
  return found;
}

// emulator/cpu/record-templates.ts
var newNode = (template) => ({ template, children: template ? [] : new Array(256) });
var RecordTemplates = class {
  roots = /* @__PURE__ */ new Map();
  /** The template for the bytes at `at`, if all of the instruction lies before `end`. */
  find(mode, bytes, at, end) {
    let node = this.roots.get(mode);
    for (let i = at; node !== void 0 && i < end; i++) {
      node = node.children[bytes[i]];
      if (node === void 0) return void 0;
      const { template } = node;
      if (template !== void 0) return at + template.length <= end ? template : void 0;
    }
    return void 0;
  }
  /** Learns from one decoded instruction and its records (as they were emitted, at `first` … `main` in wasm memory). */
  learn(mode, bytes, at, d, i32, first, main, endsRun2) {
    const { layout, instruction: insn } = d;
    if (!layout.repeatable || d.row.body === void 0) return;
    const words = i32.slice(first >> 2, main + Rec.bytes >> 2);
    const string = d.row.string !== void 0 || d.parsed.mnemonic === "XLATB";
    const template = {
      words,
      length: insn.length,
      headerBytes: layout.header,
      displacementBytes: layout.displacement,
      immediateBytes: layout.immediate,
      displacementPlus: d.row.body.name === "POP" && d.memory && insn.base === 4 ? insn.operandSize : 0,
      ripRelative: insn.base === BASE_RIP,
      unsignedDisplacement: insn.addressSize !== 8 && insn.base < 0 && insn.index < 0,
      keepsDisplacement: string || layout.displacement === 0,
      branch: d.parsed.operands.some((o) => o.encoding === "relative"),
      endsRun: endsRun2,
      sample: insn
    };
    let node = this.roots.get(mode);
    if (node === void 0) this.roots.set(mode, node = newNode(void 0));
    for (let i = 0; i < layout.header; i++) {
      const byte = bytes[at + i];
      const last = i === layout.header - 1;
      let child = node.children[byte];
      if (child === void 0) node.children[byte] = child = newNode(last ? template : void 0);
      node = child;
    }
  }
};
function signedAt(bytes, at, size) {
  if (size === 1) return bytes[at] << 24 >> 24;
  if (size === 2) return (bytes[at] | bytes[at + 1] << 8) << 16 >> 16;
  return bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24;
}

// emulator/cpu/code-cache.ts
var TABLE_BYTES = 4097 * 4 + 4;
var LINES = 64;
var HOT_AFTER = 200;
var MAX_TEMPLATES = 4e4;
var RUN = 64;
var CodeCache = class {
  constructor(memory, mmu, table, interpreter, features, cpus, hotAfter = HOT_AFTER) {
    this.memory = memory;
    this.mmu = mmu;
    this.table = table;
    this.interpreter = interpreter;
    this.features = features;
    this.cpus = cpus;
    this.hotAfter = hotAfter;
    this.startRecord = ARENA_FIRST;
    this.top = ARENA_FIRST;
    this.reset();
    memory.codeWatcher = { written: (hpa, length) => this.written(hpa, length) };
  }
  memory;
  mmu;
  table;
  interpreter;
  features;
  cpus;
  hotAfter;
  startRecord;
  /** Compiled regions, which stand on the records. */
  regions;
  top;
  pages = /* @__PURE__ */ new Map();
  byPage = /* @__PURE__ */ new Map();
  instructions = new Array(1);
  /** Low 12 bits of breakpoint addresses. */
  breakpointOffsets = /* @__PURE__ */ new Set();
  templates = new RecordTemplates();
  /** Instructions that templates were learnt from, by number -1, -2 … */
  samples = [];
  handlers = /* @__PURE__ */ new Map();
  /** Throws all decoded code away. */
  reset() {
    this.regions?.reset();
    for (const list of this.byPage.values()) for (const p of list) this.memory.pageFlags[p.hpa / 4096] &= ~1;
    this.pages = /* @__PURE__ */ new Map();
    this.byPage = /* @__PURE__ */ new Map();
    this.instructions.length = 1;
    this.memory.u8.fill(0, ARENA_FIRST, ARENA_FIRST + Rec.bytes);
    this.top = ARENA_FIRST + 64;
    for (const cpu of this.cpus()) {
      cpu.set32(State.codeTable, 0);
      for (let i = 0; i < TlbEntry.count; i++) cpu.set32(State.tlb + i * TlbEntry.stride + TlbEntry.code, 0);
    }
  }
  /** What stands at a place of a page that lies wholly in it. */
  decodedAt(hpaPage, mode, offset) {
    const origin = RAM_FIRST + hpaPage;
    return decode(this.table, this.memory.u8, origin + offset, origin + 4096, this.decodeMode(mode));
  }
  decodeMode(mode) {
    return { code64: (mode & Mode.code64) !== 0, code16: (mode & (Mode.code64 | Mode.code32)) === 0, features: this.features };
  }
  /** The record's instruction; for instructions that generated code carries out, one with the same header. */
  instructionAt(record) {
    const number = this.memory.i32[record + Rec.instruction >> 2];
    return number < 0 ? this.samples[-1 - number] : this.instructions[number];
  }
  recordAt(table, offset) {
    return table === 0 ? 0 : this.memory.i32[(table >> 2) + offset];
  }
  /** Whether the record still stands in the arena (a reset throws all away). */
  recordIsLive(record) {
    return record < this.top;
  }
  /** Table of records of a page in a mode; 0 when the page is not RAM. */
  tableFor(hpaPage, mode) {
    return this.pageFor(hpaPage, mode)?.table ?? 0;
  }
  pageFor(hpaPage, mode) {
    const codeMode = codeModeOf(mode);
    const key = `${hpaPage}/${codeMode}`;
    const known = this.pages.get(key);
    if (known !== void 0) return known;
    if (this.memory.offsetOf(hpaPage) < 0) return void 0;
    if (this.top + TABLE_BYTES > ARENA_FIRST + ARENA_BYTES) this.reset();
    const page = { hpa: hpaPage, mode: codeMode, table: this.top, lines: new Uint8Array(LINES) };
    this.memory.u8.fill(0, this.top, this.top + TABLE_BYTES);
    this.top += TABLE_BYTES;
    this.top = this.top + 7 & ~7;
    this.pages.set(key, page);
    const siblings = this.byPage.get(hpaPage);
    if (siblings) siblings.push(page);
    else this.byPage.set(hpaPage, [page]);
    this.mmu.markCodePage(this.cpus(), hpaPage);
    return page;
  }
  /** Decodes the straight run at a page offset. The page's table must be asked for again afterwards. */
  decodeRun(hpaPage, mode, offset) {
    if (this.top + (RUN + 2) * 2 * Rec.bytes + TABLE_BYTES + 64 > ARENA_FIRST + ARENA_BYTES) this.reset();
    const page = this.pageFor(hpaPage, mode);
    if (page === void 0) return;
    const { u8, i32 } = this.memory;
    const origin = RAM_FIRST + hpaPage;
    let at = offset;
    const codeMode = codeModeOf(mode);
    for (let n = 0; n < RUN; n++) {
      if (at >= 4096 || n > 0 && i32[(page.table >> 2) + at] !== 0) break;
      const template = this.templates.find(codeMode, u8, origin + at, origin + 4096);
      if (template !== void 0) {
        i32[(page.table >> 2) + at] = this.emitTemplate(template, origin, at);
        this.mark(page, at, template.length);
        at += template.length;
        if (template.endsRun) return;
        continue;
      }
      const decoded = decode(this.table, u8, origin + at, origin + 4096, this.decodeMode(mode));
      if (decoded === void 0) {
        i32[(page.table >> 2) + at] = this.bare(Handler.cross, at, at);
        this.mark(page, at, 4096 - at);
        return;
      }
      const before2 = this.top;
      const start = this.emit(decoded, at, mode);
      i32[(page.table >> 2) + at] = start;
      const ends = endsRun(decoded);
      this.learn(codeMode, origin + at, decoded, before2, ends);
      this.mark(page, at, decoded.instruction.length);
      at += decoded.instruction.length;
      if (ends) return;
    }
    this.bare(Handler.link, at, at);
  }
  /** Whether an instruction (or one that is too long) lies wholly in the bytes. */
  isWhole(bytes, mode) {
    return decode(this.table, bytes, 0, bytes.length, this.decodeMode(mode)) !== void 0;
  }
  /**
   * A record outside any table, for an instruction whose bytes were brought together: executed once, followed by a link, no breakpoint on
   * it. Undefined: the instruction goes on behind the bytes.
   */
  temporaryRecord(bytes, offset, mode) {
    if (this.top + 8 * Rec.bytes > ARENA_FIRST + ARENA_BYTES) this.reset();
    const decoded = decode(this.table, bytes, 0, bytes.length, this.decodeMode(mode));
    if (decoded === void 0) return void 0;
    const keep = this.top;
    const count = this.instructions.length;
    const record = this.emit(decoded, offset, mode);
    this.instructions.length = count;
    this.instructions[0] = decoded.instruction;
    const { i32, u16 } = this.memory;
    for (let r = record; r < this.top; r += Rec.bytes) {
      i32[r + Rec.instruction >> 2] = 0;
      if (u16[r >> 1] === Handler.breakpoint) u16[r >> 1] = u16[r + Rec.alternative >> 1];
    }
    this.bare(Handler.link, offset + decoded.instruction.length, offset + decoded.instruction.length);
    this.top = keep;
    return record;
  }
  setBreakpointOffsets(offsets) {
    this.regions?.reset();
    const { i32, u16 } = this.memory;
    this.breakpointOffsets = new Set(offsets);
    for (const page of this.pages.values())
      for (let offset = 0; offset < 4096; offset++) {
        const record = i32[(page.table >> 2) + offset];
        if (record === 0) continue;
        const handler = u16[record >> 1];
        const wanted = offsets.has(offset);
        if (wanted && handler !== Handler.breakpoint) {
          u16[record + Rec.alternative >> 1] = handler;
          u16[record >> 1] = Handler.breakpoint;
        } else if (!wanted && handler === Handler.breakpoint) u16[record >> 1] = u16[record + Rec.alternative >> 1];
      }
  }
  /** Bytes of a code page have changed: instructions in the touched lines are forgotten. */
  written(hpa, length) {
    const hpaPage = hpa - hpa % 4096;
    const first = hpa % 4096;
    const last = first + length - 1;
    this.regions?.written(hpaPage, first, last);
    for (const page of this.byPage.get(hpaPage) ?? []) {
      let touched = false;
      for (let line = first >> 6; line <= last >> 6; line++) if (page.lines[line] !== 0) touched = true;
      if (!touched) continue;
      const { i32, u16 } = this.memory;
      for (let offset = Math.max(0, first - 14); offset <= last; offset++) {
        const record = i32[(page.table >> 2) + offset];
        if (record === 0) continue;
        if (u16[record + Rec.nextOffset >> 1] <= first && u16[record >> 1] !== Handler.cross) continue;
        i32[(page.table >> 2) + offset] = 0;
        u16[record >> 1] = Handler.link;
      }
    }
  }
  mark(page, offset, length) {
    for (let line = offset >> 6; line <= Math.min(offset + length - 1, 4095) >> 6; line++) page.lines[line] = 1;
  }
  bare(handler, offset, next) {
    const record = this.top;
    this.top += Rec.bytes;
    const { u8, u16 } = this.memory;
    u8.fill(0, record, record + Rec.bytes);
    u16[record >> 1] = handler;
    this.memory.i32[record + Rec.counter >> 2] = this.hotAfter;
    u16[record + Rec.alternative >> 1] = handler;
    u16[record + Rec.offset >> 1] = offset;
    u16[record + Rec.nextOffset >> 1] = next;
    return record;
  }
  /** Keeps the records just emitted (from `first` on) as a template, unless a breakpoint stands on them. */
  learn(codeMode, at, decoded, first, ends) {
    if (!decoded.layout.repeatable || decoded.row.body === void 0 || this.samples.length >= MAX_TEMPLATES) return;
    const { u8, u16, i32 } = this.memory;
    if (u16[first >> 1] === Handler.breakpoint) return;
    this.samples.push(decoded.instruction);
    for (let r = first; r < this.top; r += Rec.bytes) i32[r + Rec.instruction >> 2] = -this.samples.length;
    this.templates.learn(codeMode, u8, at, decoded, i32, first, this.top - Rec.bytes, ends);
  }
  /** Emits the records of an instruction whose header is known. */
  emitTemplate(t, origin, offset) {
    const { u8, u16, i32 } = this.memory;
    const first = this.top;
    const { words } = t;
    const bytes = words.length * 4;
    this.top += bytes;
    for (let i = 0, to = first >> 2; i < words.length; i++, to++) i32[to] = words[i];
    const next = offset + t.length;
    const main = this.top - Rec.bytes;
    for (let r = first; r <= main; r += Rec.bytes) {
      u16[r + Rec.offset >> 1] = offset;
      u16[r + Rec.nextOffset >> 1] = next;
    }
    let at = origin + offset + t.headerBytes;
    if (t.displacementBytes > 0) {
      if (!t.keepsDisplacement) {
        let value = signedAt(u8, at, t.displacementBytes);
        if (t.unsignedDisplacement) value = t.displacementBytes === 4 ? value >>> 0 : value & 65535;
        value += t.displacementPlus + (t.ripRelative ? next : 0);
        i32[first + Rec.displacement >> 2] = value | 0;
        i32[(first + Rec.displacement >> 2) + 1] = value < 0 ? -1 : 0;
      }
      at += t.displacementBytes;
    }
    if (t.immediateBytes === 8) {
      i32[main + Rec.immediate >> 2] = signedAt(u8, at, 4);
      i32[(main + Rec.immediate >> 2) + 1] = signedAt(u8, at + 4, 4);
    } else if (t.immediateBytes > 0) {
      const value = signedAt(u8, at, t.immediateBytes) + (t.branch ? next : 0);
      i32[main + Rec.immediate >> 2] = value | 0;
      i32[(main + Rec.immediate >> 2) + 1] = value < 0 ? -1 : 0;
    }
    if (this.breakpointOffsets.has(offset)) this.breakAt(first);
    return first;
  }
  emit(d, offset, mode) {
    const { instruction: insn, row: row2 } = d;
    const { u8, u16, i32, view } = this.memory;
    const code64 = (mode & Mode.code64) !== 0;
    const next = offset + insn.length;
    let first = 0;
    let base = slot(insn.base);
    let index = slot(insn.index);
    let scale = insn.scaleLog2;
    let displacement = insn.displacement;
    const string = row2.string !== void 0 || d.parsed.mnemonic === "XLATB";
    if (insn.base === BASE_RIP) displacement += BigInt(next);
    if (row2.body?.name === "POP" && d.memory && insn.base === 4) displacement += BigInt(insn.operandSize);
    const checked = !code64 && checksSegment(insn.segment, mode);
    const withSegment = code64 && (insn.segment === Seg.fs || insn.segment === Seg.gs);
    if (row2.body !== void 0 && string) {
      base = withSegment ? segmentSlot(insn.segment, SegmentState.base) : State.zero;
      index = State.zero;
      displacement = 0n;
    } else if (row2.body !== void 0 && d.memory) {
      const wraps = insn.addressSize !== 8 && !(insn.base < 0 && insn.index < 0);
      const addsBase = withSegment && row2.addressOnly !== true;
      if (!wraps && insn.addressSize !== 8) displacement = BigInt.asUintN(insn.addressSize * 8, displacement);
      if (wraps || addsBase) {
        first = this.bare(code64 ? Handler.address64 : Handler.address32, offset, next);
        u16[first + Rec.base >> 1] = base;
        u16[first + Rec.index >> 1] = index;
        u8[first + Rec.scale] = scale;
        view.setBigInt64(first + Rec.displacement, displacement, true);
        view.setBigInt64(first + Rec.immediate, insn.addressSize === 8 ? -1n : (1n << BigInt(insn.addressSize * 8)) - 1n, true);
        u16[first + Rec.operand >> 1] = addsBase ? segmentSlot(insn.segment, SegmentState.base) : State.zero;
        base = State.eaTemp;
        index = State.zero;
        scale = 0;
        displacement = 0n;
      }
    }
    const record = this.bare(Handler.system, offset, next);
    const number = this.instructions.length;
    this.instructions.push(insn);
    i32[record + Rec.instruction >> 2] = number;
    if (first !== 0) i32[first + Rec.instruction >> 2] = number;
    d.operands.forEach((o, i) => {
      if (o.register >= 0) u16[record + Rec.operand + 2 * i >> 1] = o.register * 8 + (o.high ? 1 : 0);
    });
    u16[record + Rec.base >> 1] = base;
    u16[record + Rec.index >> 1] = index;
    u8[record + Rec.scale] = scale;
    u8[record + Rec.segment] = insn.segment;
    view.setBigInt64(record + Rec.displacement, BigInt.asIntN(64, displacement), true);
    const relative = d.parsed.operands.some((o) => o.encoding === "relative");
    view.setBigInt64(record + Rec.immediate, relative ? insn.immediate + BigInt(next) : insn.immediate, true);
    if (row2.body !== void 0) u16[record >> 1] = this.handlerNumber(d, mode, checked);
    u16[record + Rec.alternative >> 1] = u16[record >> 1];
    const start = first !== 0 ? first : record;
    if (this.breakpointOffsets.has(offset)) this.breakAt(start);
    return start;
  }
  breakAt(record) {
    const { u16 } = this.memory;
    u16[record + Rec.alternative >> 1] = u16[record >> 1];
    u16[record >> 1] = Handler.breakpoint;
  }
  handlerNumber(d, mode, checked) {
    const { addressSize, rep } = d.instruction;
    const code64 = (mode & Mode.code64) !== 0;
    const segmented = (mode & Mode.segmented) !== 0 || checked && (d.memory || d.row.string !== void 0 || d.parsed.mnemonic === "XLATB");
    const stack = code64 ? 8 : mode & Mode.stack32 ? 4 : 2;
    const key = `${d.memory}${code64}${segmented}${stack}${addressSize}${d.row.string ? rep : 0}`;
    let byKey = this.handlers.get(d.row);
    if (byKey === void 0) this.handlers.set(d.row, byKey = /* @__PURE__ */ new Map());
    let number = byKey.get(key);
    if (number === void 0) {
      const h = handlerOf(d.row, d.memory, { stack, address: addressSize, code64, segmented, rep });
      number = this.interpreter.handlers.get(h.key);
      if (number === void 0) throw new Error(`no handler for ${h.key}`);
      byKey.set(key, number);
    }
    return number;
  }
};
var slot = (register) => register < 0 ? State.zero : register === BASE_RIP ? State.pageIp : State.gpr + register * 8;
var checksSegment = (segment, mode) => (mode & Mode.segmented) !== 0 || segment === Seg.cs || segment === Seg.fs || segment === Seg.gs;
var codeModeOf = (mode) => mode & Mode.code64 ? Mode.code64 : mode & (Mode.segmented | Mode.code32 | Mode.stack32);
var segmentSlot = (segment, field) => State.segment + segment * SEGMENT_STRIDE + field;
function endsRun(d) {
  if (d.row.body === void 0) return true;
  return ["JMP", "JMPI", "CALL", "CALLI", "RET", "Jcc", "LOOP", "JRCXZ"].includes(d.row.body.name) && !["Jcc", "LOOP", "JRCXZ"].includes(d.row.body.name);
}

// emulator/mmu/vcpu-registers.ts
var VcpuRegisters = class {
  constructor(index, base, memory, model2, arithmeticFlags) {
    this.index = index;
    this.base = base;
    this.memory = memory;
    this.model = model2;
    this.arithmeticFlags = arithmeticFlags;
    const b = memory.memory.buffer;
    this.i32 = new Int32Array(b, base, 131072 / 4);
    this.u32 = new Uint32Array(b, base, 131072 / 4);
    this.i64 = new BigInt64Array(b, base, 131072 / 8);
    this.u64 = new BigUint64Array(b, base, 131072 / 8);
    this.f64 = new Float64Array(b, base, 131072 / 8);
  }
  index;
  base;
  memory;
  model;
  arithmeticFlags;
  i32;
  u32;
  i64;
  u64;
  f64;
  /** Set when the machine must stop; cleared by the run loop. Not machine state: the step that set it did not happen. */
  stop;
  /** Any 64-bit state slot, unsigned (`State.cr0` and so on). */
  get64(offset) {
    return this.u64[offset >> 3];
  }
  set64(offset, value) {
    this.u64[offset >> 3] = value;
  }
  get32(offset) {
    return this.u32[offset >> 2];
  }
  set32(offset, value) {
    this.i32[offset >> 2] = value;
  }
  getF64(offset) {
    return this.f64[offset >> 3];
  }
  setF64(offset, value) {
    this.f64[offset >> 3] = value;
  }
  gpr(n) {
    return this.u64[n];
  }
  /** Low 32 bits, unsigned. */
  gpr32(n) {
    return this.u32[n * 2];
  }
  setGpr(n, value) {
    this.u64[n] = value;
  }
  /** Writes as a 32-bit destination does: upper half zeroed. */
  setGpr32(n, value) {
    this.i32[n * 2] = value;
    this.i32[n * 2 + 1] = 0;
  }
  /** Reads the low `size` bytes (1, 2, 4, 8; size 1 is never AH..BH here). */
  gprSized(n, size) {
    return BigInt.asUintN(size * 8, this.u64[n]);
  }
  /** Writes `size` bytes with the manual's rules (8/16-bit keep the rest, 32-bit zeroes the upper half). */
  setGprSized(n, size, value) {
    if (size === 8) this.u64[n] = value;
    else if (size === 4) this.u64[n] = BigInt.asUintN(32, value);
    else {
      const mask = (1n << BigInt(size * 8)) - 1n;
      this.u64[n] = this.u64[n] & ~mask | value & mask;
    }
  }
  get rip() {
    return this.get64(State.rip);
  }
  set rip(value) {
    this.set64(State.rip, value);
  }
  /** RFLAGS as the guest would push it (low 32 bits). */
  get flags() {
    return this.i32[State.systemFlags >> 2] | this.arithmeticFlags(this.base) | 2;
  }
  set flags(value) {
    this.i32[State.systemFlags >> 2] = value & ~ARITHMETIC_FLAGS & 4161495 | 2;
    this.i32[State.flagKind >> 2] = 0;
    this.set64(State.flagA, BigInt(value & ARITHMETIC_FLAGS));
    this.updateBoundary();
  }
  flag(bit) {
    return (this.flags & bit) !== 0;
  }
  setFlag(bit, on) {
    this.flags = on ? this.flags | bit : this.flags & ~bit;
  }
  get cpl() {
    return this.i32[State.cpl >> 2];
  }
  get cr0() {
    return this.get64(State.cr0);
  }
  get cr3() {
    return this.get64(State.cr3);
  }
  get cr4() {
    return this.get64(State.cr4);
  }
  get efer() {
    return this.get64(State.efer);
  }
  /** IA-32e mode (EFER.LMA). */
  get longMode() {
    return (this.u32[State.efer >> 2] & 1024) !== 0;
  }
  /** 64-bit code (IA-32e mode and CS.L). */
  get code64() {
    return (this.i32[State.mode >> 2] & 1) !== 0;
  }
  get vmxNonRoot() {
    return this.i32[State.vmxMode >> 2] === 2;
  }
  get vmxRoot() {
    return this.i32[State.vmxMode >> 2] === 1;
  }
  segmentOffset(n) {
    return State.segment + n * SEGMENT_STRIDE;
  }
  segmentBase(n) {
    return this.get64(this.segmentOffset(n) + SegmentState.base);
  }
  segmentLimit(n) {
    return this.get32(this.segmentOffset(n) + SegmentState.limit);
  }
  /** VMCS access-rights format: bits 3:0 type, 4 S, 6:5 DPL, 7 P, 12 AVL, 13 L, 14 D/B, 15 G, 16 unusable. */
  segmentAccess(n) {
    return this.get32(this.segmentOffset(n) + SegmentState.access);
  }
  segmentSelector(n) {
    return this.get32(this.segmentOffset(n) + SegmentState.selector);
  }
  /** Loads the hidden part and selector without any check. Call `modeChanged()` after the last of several. */
  setSegment(n, selector, base, limit, access) {
    const o = this.segmentOffset(n);
    this.set64(o + SegmentState.base, base);
    this.set32(o + SegmentState.limit, limit);
    this.set32(o + SegmentState.access, access);
    this.set32(o + SegmentState.selector, selector);
  }
  setCpl(cpl) {
    this.set32(State.cpl, cpl);
  }
  /** Recomputes the TF bit of the boundary word. */
  updateBoundary() {
    const tf = (this.i32[State.systemFlags >> 2] & Flag.TF) !== 0;
    this.i32[State.boundary >> 2] = this.i32[State.boundary >> 2] & ~1 | (tf ? 1 : 0);
  }
  /** Leaves an exception pending; returns Outcome.pending. Without an error code: `errorCode` undefined. */
  raise(vector, errorCode) {
    this.set32(State.pendingKind, 1);
    this.set32(State.pendingVector, vector);
    this.set32(State.pendingErrorCode, errorCode ?? -1);
    return 2;
  }
  /** Stops the machine with a `Not modelled:` sentence; returns Outcome.stopped. The step does not happen. */
  notModelled(what) {
    this.stop ??= { kind: "not-modelled", sentence: what };
    return 4;
  }
};

// emulator/spec/paging.ts
var Right = { read: 1, write: 2, execute: 4, user: 8 };
var fourLevels = [
  { name: "PML4", shift: 39 },
  { name: "PDPT", shift: 30 },
  { name: "PD", shift: 21 },
  { name: "PT", shift: 12 }
];
var PS = 128;
var highReserved = (hi, physicalBits) => (hi & 1048575) >>> physicalBits - 32 !== 0;
var largeLow = (level) => level === 1 ? 1073733632 : 2088960;
var guestWide = (name, levels, upper) => ({
  name,
  entryBytes: 8,
  indexBits: 9,
  levels,
  present: (lo) => (lo & 1) !== 0,
  isLeaf: (level, lo) => level === upper + 2 || level >= upper && level >= 0 && (lo & PS) !== 0,
  reserved(level, lo, hi, leaf, facts) {
    if (highReserved(hi, facts.physicalBits)) return true;
    if (!facts.nx && hi < 0) return true;
    if (upper < 0 && (hi & 2146435072) !== 0) return true;
    if (level < upper) return (lo & PS) !== 0;
    if (level === upper && leaf) return !facts.page1gb || (lo & largeLow(1)) !== 0;
    return level === upper + 1 && leaf && (lo & largeLow(2)) !== 0;
  },
  rights: (lo, hi, facts) => Right.read | (lo & 2 ? Right.write : 0) | (lo & 4 ? Right.user : 0) | (facts.nx && hi < 0 ? 0 : Right.execute),
  accessedBit: 32,
  dirtyBit: 64
});
var guest4Level = guestWide("guest 4-level", fourLevels, 1);
var guest5Level = guestWide("guest 5-level", [{ name: "PML5", shift: 48 }, ...fourLevels], 2);
var guestPae = guestWide("guest PAE", fourLevels.slice(2), -1);
function pdpteReserved(pdpte, physicalBits) {
  return (pdpte & 1n) !== 0n && ((pdpte & 0x1e6n) !== 0n || pdpte >> BigInt(physicalBits) !== 0n);
}
var pdpteAddress = (pdpte) => Number(pdpte & 0xffffffffff000n);
var guest32Bit = (isLeaf) => ({
  name: "guest 32-bit",
  entryBytes: 4,
  indexBits: 10,
  levels: [
    { name: "PD", shift: 22 },
    { name: "PT", shift: 12 }
  ],
  present: (lo) => (lo & 1) !== 0,
  isLeaf,
  // With PSE-36 bits 20:13 are address bits 39:32, as far as MAXPHYADDR goes; the rest up to bit 21 is reserved.
  reserved: (level, lo, _hi, leaf, facts) => level === 0 && leaf && (lo & 4186112) >>> Math.min(40, facts.physicalBits) - 19 !== 0,
  rights: (lo) => Right.read | Right.execute | (lo & 2 ? Right.write : 0) | (lo & 4 ? Right.user : 0),
  accessedBit: 32,
  dirtyBit: 64
});
var guest32BitPse = guest32Bit((level, lo) => level === 1 || (lo & PS) !== 0);
var guest32BitPlain = guest32Bit((level) => level === 1);
var eptFormat = {
  name: "EPT",
  entryBytes: 8,
  indexBits: 9,
  levels: fourLevels,
  present: (lo) => (lo & 7) !== 0,
  isLeaf: (level, lo) => level === 3 || (level === 1 || level === 2) && (lo & PS) !== 0,
  reserved(level, lo, hi, leaf, facts) {
    if ((lo & 3) === 2) return true;
    if ((lo & 7) === 4 && !facts.executeOnly) return true;
    if (highReserved(hi, facts.physicalBits)) return true;
    if (!leaf) return level === 0 ? (lo & 248) !== 0 : (lo & 120) !== 0;
    const type = lo >>> 3 & 7;
    if (type === 2 || type === 3 || type === 7) return true;
    if (level === 1) return !facts.page1gb || (lo & 1073737728) !== 0;
    return level === 2 && (lo & 2093056) !== 0;
  },
  rights: (lo) => lo & 7,
  accessedBit: 256,
  dirtyBit: 512
};

// emulator/memory/physical-memory.ts
var PageFlag = { code: 1, watched: 2 };
var PhysicalMemory = class {
  /** @param ramBytes guest RAM in bytes, a multiple of 4 KiB, up to 3 GiB. */
  constructor(ramBytes) {
    this.ramBytes = ramBytes;
    const pages = Math.ceil((RAM_FIRST + ramBytes) / 65536);
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const b = this.memory.buffer;
    this.u8 = new Uint8Array(b);
    this.u16 = new Uint16Array(b);
    this.i32 = new Int32Array(b);
    this.u32 = new Uint32Array(b);
    this.i64 = new BigInt64Array(b);
    this.u64 = new BigUint64Array(b);
    this.f64 = new Float64Array(b);
    this.view = new DataView(b);
    this.pageFlags = new Uint8Array(ramBytes / 4096);
  }
  ramBytes;
  memory;
  u8;
  u16;
  i32;
  u32;
  i64;
  u64;
  f64;
  view;
  /** One byte of PageFlag bits for each 4 KiB page of RAM. */
  pageFlags;
  /** Counts writes to pages that hold decoded code. */
  codeWrites = 0;
  codeWatcher;
  dataWatcher;
  regions = [];
  vcpuBase(index) {
    const base = VCPU_FIRST + index * VCPU_STRIDE;
    if (base + VCPU_STRIDE > ARENA_FIRST) throw new RangeError(`no room for vCPU ${index}`);
    return base;
  }
  isRam(hpa, length = 1) {
    return hpa >= 0 && hpa + length <= this.ramBytes;
  }
  /** Offset of a RAM byte in the WebAssembly memory, -1 when the address is not RAM. Contiguous inside a page. */
  offsetOf(hpa) {
    return hpa >= 0 && hpa < this.ramBytes ? RAM_FIRST + hpa : -1;
  }
  addRegion(region) {
    this.regions.push(region);
  }
  regionAt(hpa) {
    return this.regions.find((r) => hpa >= r.first && hpa <= r.last);
  }
  /** Naturally small reads by page walkers, VMCS code and devices: RAM only, all ones where nothing answers. */
  read8(hpa) {
    return this.isRam(hpa) ? this.u8[RAM_FIRST + hpa] : 255;
  }
  read16(hpa) {
    return this.isRam(hpa, 2) ? this.view.getUint16(RAM_FIRST + hpa, true) : 65535;
  }
  read32(hpa) {
    return this.isRam(hpa, 4) ? this.view.getUint32(RAM_FIRST + hpa, true) : 4294967295;
  }
  read64(hpa) {
    return this.isRam(hpa, 8) ? this.view.getBigUint64(RAM_FIRST + hpa, true) : 0xffffffffffffffffn;
  }
  write8(hpa, value) {
    if (!this.isRam(hpa)) return;
    this.u8[RAM_FIRST + hpa] = value;
    this.noteWrite(hpa, 1);
  }
  write16(hpa, value) {
    if (!this.isRam(hpa, 2)) return;
    this.view.setUint16(RAM_FIRST + hpa, value, true);
    this.noteWrite(hpa, 2);
  }
  write32(hpa, value) {
    if (!this.isRam(hpa, 4)) return;
    this.view.setUint32(RAM_FIRST + hpa, value, true);
    this.noteWrite(hpa, 4);
  }
  write64(hpa, value) {
    if (!this.isRam(hpa, 8)) return;
    this.view.setBigUint64(RAM_FIRST + hpa, value, true);
    this.noteWrite(hpa, 8);
  }
  /** Writes bytes from outside generated code (DMA, loader, user, L0). Bytes outside RAM are dropped. */
  physWrite(hpa, bytes) {
    const length = Math.min(bytes.length, Math.max(0, this.ramBytes - hpa));
    if (hpa < 0 || length <= 0) return;
    this.u8.set(length === bytes.length ? bytes : bytes.subarray(0, length), RAM_FIRST + hpa);
    this.noteWrite(hpa, length);
  }
  /** A copy of RAM bytes; shorter than asked where RAM ends. */
  physRead(hpa, length) {
    if (hpa < 0 || hpa >= this.ramBytes) return new Uint8Array(0);
    return this.u8.slice(RAM_FIRST + hpa, RAM_FIRST + Math.min(hpa + length, this.ramBytes));
  }
  /** Tells the watchers of flagged pages that [hpa, hpa + length) has changed. */
  noteWrite(hpa, length) {
    const last = Math.floor((hpa + length - 1) / 4096);
    for (let page = Math.floor(hpa / 4096); page <= last; page++) {
      const flags = this.pageFlags[page];
      if (flags === 0) continue;
      const from = Math.max(hpa, page * 4096);
      const to = Math.min(hpa + length, (page + 1) * 4096);
      if (flags & PageFlag.code) {
        this.codeWrites++;
        this.codeWatcher?.written(from, to - from);
      }
      if (flags & PageFlag.watched) this.dataWatcher?.written(from, to - from);
    }
  }
};

// emulator/mmu/breakpoint-registers.ts
var DR7 = State.dr + 56;
var ENABLES = 255;
var Kind = { execute: 0, write: 1, io: 2, readWrite: 3 };
var LENGTHS = [1, 2, 8, 4];
var ENABLED_BREAKPOINT = 1 << 12;
var breakpointsEnabled = (cpu) => (cpu.i32[DR7 >> 2] & ENABLES) !== 0;
function matches(cpu, test2) {
  const dr7 = cpu.i32[DR7 >> 2];
  let bits = 0;
  for (let n = 0; n < 4; n++) {
    if ((dr7 & 3 << 2 * n) === 0) continue;
    const bytes = LENGTHS[dr7 >>> 18 + 4 * n & 3];
    const address = cpu.get64(State.dr + 8 * n) & ~BigInt(bytes - 1);
    if (test2(dr7 >>> 16 + 4 * n & 3, address, bytes)) bits |= 1 << n;
  }
  return bits;
}
var isData2 = (kind) => kind === Kind.write || kind === Kind.readWrite;
var instructionBreakpoints = (cpu, linear) => matches(cpu, (kind, address, bytes) => kind === Kind.execute && bytes === 1 && address === linear);
var dataBreakpoints = (cpu, linear, size, write) => matches(cpu, (kind, address, bytes) => (kind === Kind.readWrite || write && kind === Kind.write) && linear < address + BigInt(bytes) && address < linear + BigInt(size));
function watchedPages(cpu) {
  const pages = [];
  matches(cpu, (kind, address) => isData2(kind) && pages.push(Number(address & 0xfffff000n) | 0) > 0);
  return pages;
}

// emulator/mmu/guest-access.ts
var CR0_WP = 1 << 16;
var CR4_PSE = 1 << 4;
var CR4_PAE2 = 1 << 5;
var CR4_LA57 = 1 << 12;
var CR4_SMEP = 1 << 20;
var CR4_SMAP = 1 << 21;
var CR4_PKE2 = 1 << 22;
var EFER_NXE = 1 << 11;
var PageFault = { present: 1, write: 2, user: 4, reserved: 8, fetch: 16, protectionKey: 32 };
function guestPaging(cpu) {
  if ((cpu.i32[State.cr0 >> 2] & 2147483648) === 0) return void 0;
  const cr3 = cpu.u32[State.cr3 >> 2];
  const cr4 = cpu.i32[State.cr4 >> 2];
  if (cpu.longMode) {
    const root = (cpu.u32[(State.cr3 >> 2) + 1] & 1048575) * 4294967296 + ((cr3 & 4294963200) >>> 0);
    return { format: cr4 & CR4_LA57 ? guest5Level : guest4Level, root };
  }
  if (cr4 & CR4_PAE2) return { format: guestPae, root: (cr3 & 4294967264) >>> 0 };
  return { format: cr4 & CR4_PSE ? guest32BitPse : guest32BitPlain, root: (cr3 & 4294963200) >>> 0 };
}
var paePaging = (cpu) => guestPaging(cpu)?.format === guestPae;
function pagingFacts(cpu) {
  return {
    physicalBits: cpu.model.maxPhyAddr,
    nx: (cpu.i32[State.efer >> 2] & EFER_NXE) !== 0,
    page1gb: cpu.model.features.has("page1gb"),
    executeOnly: true
  };
}
function smapEnforced(cpu, implicit) {
  return (cpu.i32[State.cr4 >> 2] & CR4_SMAP) !== 0 && (implicit || (cpu.i32[State.systemFlags >> 2] & Flag.AC) === 0);
}
function rightsFor(cpu, walked, leafHi, user, implicit) {
  const cr4 = cpu.i32[State.cr4 >> 2];
  const userPage = (walked & Right.user) !== 0;
  let rights = walked;
  if (user) {
    if (!userPage) return 0;
  } else {
    if ((cpu.i32[State.cr0 >> 2] & CR0_WP) === 0) rights |= Right.write;
    if (userPage && cr4 & CR4_SMEP) rights &= ~Right.execute;
    if (userPage && smapEnforced(cpu, implicit)) rights &= ~(Right.read | Right.write);
  }
  if (userPage && keysInForce(cpu)) rights &= ~keyDenies(cpu, leafHi, user);
  return rights;
}
var keysInForce = (cpu) => (cpu.i32[State.cr4 >> 2] & CR4_PKE2) !== 0 && cpu.longMode;
function keyDenies(cpu, leafHi, user) {
  const key = cpu.get32(State.pkru) >>> 2 * (leafHi >>> 27 & 15);
  if (key & 1) return Right.read | Right.write;
  return key & 2 && (user || cpu.i32[State.cr0 >> 2] & CR0_WP) ? Right.write : 0;
}
function pageFaultCode(cpu, access, walked, reserved) {
  const cr4 = cpu.i32[State.cr4 >> 2];
  let code = (access.write ? PageFault.write : 0) | (access.user ? PageFault.user : 0);
  const executeDisable = (cr4 & CR4_PAE2) !== 0 && (cpu.i32[State.efer >> 2] & EFER_NXE) !== 0;
  if (access.execute && (executeDisable || cr4 & CR4_SMEP)) code |= PageFault.fetch;
  if (reserved) code |= PageFault.present | PageFault.reserved;
  if (walked === void 0) return code;
  code |= PageFault.present;
  if (!access.execute && walked.rights & Right.user && keysInForce(cpu)) {
    const denied = keyDenies(cpu, walked.leafHi, access.user);
    if (denied & (access.write ? Right.write : Right.read)) code |= PageFault.protectionKey;
  }
  return code;
}

// emulator/mmu/walk.ts
var WalkResult = { ok: 0, notPresent: 1, reserved: 2, refused: 3 };
var Walker = class {
  /** Address of the first byte of the page that holds the address. */
  page = 0;
  /** log2 of the page size of the leaf. */
  shift = 12;
  rights = 0;
  /** Halves of the leaf entry. */
  leafLo = 0;
  leafHi = 0;
  /** Level at which the walk ended. */
  level = 0;
  entries = new Float64Array(5);
  values = new Int32Array(5);
  /** @param root physical address of the root table. */
  walk(format, root, lo, hi, facts, memory, sink) {
    let table = root;
    let rights = Right.read | Right.write | Right.execute | Right.user;
    for (let level = 0; ; level++) {
      this.level = level;
      const index = indexOf(lo, hi, format.levels[level].shift, format.indexBits);
      const entryAddress = table + index * format.entryBytes;
      const hpa = memory.locate(entryAddress, false);
      if (hpa < 0) return WalkResult.refused;
      const elo = memory.read32(hpa) | 0;
      const ehi = format.entryBytes === 8 ? memory.read32(hpa + 4) | 0 : 0;
      this.entries[level] = entryAddress;
      this.values[level] = elo;
      const present2 = format.present(elo, ehi);
      const leaf = present2 && format.isLeaf(level, elo);
      const reserved = present2 && format.reserved(level, elo, ehi, leaf, facts);
      sink?.({ format, level, index, entryAddress, entryHpa: hpa, lo: elo, hi: ehi, present: present2, leaf, reserved });
      if (!present2) return WalkResult.notPresent;
      if (reserved) return WalkResult.reserved;
      rights &= format.rights(elo, ehi, facts);
      let address = (ehi & 1048575) * 4294967296 + ((elo & 4294963200) >>> 0);
      if (!leaf) {
        table = address;
        continue;
      }
      const { shift: shift2 } = format.levels[level];
      if (shift2 > 12) {
        if (format.entryBytes === 4) address = (elo >>> 13 & 255) * 4294967296 + ((elo & 4290772992) >>> 0);
        const size = 2 ** shift2;
        address = address - address % size + (lo % size - (lo & 4095));
      }
      this.page = address;
      this.shift = shift2;
      this.rights = rights;
      this.leafLo = elo;
      this.leafHi = ehi;
      return WalkResult.ok;
    }
  }
  /**
   * Sets the accessed flag in every entry of the last walk and, for a write, the dirty flag in its leaf. False: a table could not be
   * written (refused by the tables' memory; nothing more was changed).
   */
  markUsed(format, write, memory) {
    for (let level = 0; level <= this.level; level++) {
      const bits = format.accessedBit | (write && level === this.level ? format.dirtyBit : 0);
      if ((this.values[level] & bits) === bits) continue;
      const hpa = memory.locate(this.entries[level], true);
      if (hpa < 0) return false;
      const value = memory.read32(hpa) | bits;
      memory.write32(hpa, value);
      this.values[level] = value;
      if (level === this.level) this.leafLo = value;
    }
    return true;
  }
};
function indexOf(lo, hi, shift2, bits) {
  const mask = (1 << bits) - 1;
  if (shift2 >= 32) return hi >>> shift2 - 32 & mask;
  if (shift2 + bits <= 32) return lo >>> shift2 & mask;
  return (lo >>> shift2 | hi << 32 - shift2) & mask;
}

// emulator/mmu/mmu.ts
var Access = { read: 1, write: 2, execute: 4, implicit: 8 };
var PF = 14;
var CR4_PGE = 1 << 7;
var CR4_LA572 = 1 << 12;
var LEAF_GLOBAL = 1 << 8;
var GP = 13;
var EXIT_EPT_VIOLATION = 48;
var EXIT_EPT_MISCONFIGURATION = 49;
var Mmu = class {
  constructor(memory) {
    this.memory = memory;
    const read322 = (hpa) => memory.read32(hpa);
    const write32 = (hpa, value) => memory.write32(hpa, value >>> 0);
    this.eptTables = { locate: (address) => address, read32: read322, write32 };
    this.tables = { locate: (address, write) => this.locateTable(address, write), read32: read322, write32 };
  }
  memory;
  guestWalker = new Walker();
  eptWalker = new Walker();
  stores = Array.from({ length: 4 }, () => ({ first: 0, firstBytes: 0, second: 0, bytes: 0 }));
  tables;
  eptTables;
  walking;
  linearLo = 0;
  linearHi = 0;
  /** Number of the access in its instruction. */
  slot = 0;
  // Mode ------------------------------------------------------------------------------------------------------------
  /** Recomputes the mode word, TLB contexts and IP mask from the registers; forgets the fetch page when any of them changed. */
  modeChanged(cpu) {
    selectContext(cpu);
    const long = cpu.longMode;
    const cs = cpu.segmentAccess(Seg.cs);
    const code64 = long && (cs & 8192) !== 0;
    const protectedMode = (cpu.u32[State.cr0 >> 2] & 1) !== 0;
    const ss = cpu.segmentAccess(Seg.ss);
    let mode = 0;
    if (code64) mode |= Mode.code64;
    else if (cs & 16384) mode |= Mode.code32;
    if (long) mode |= Mode.longMode;
    if (protectedMode) mode |= Mode.protectedMode;
    if (!code64 && ss & 16384) mode |= Mode.stack32;
    if (!code64 && isFlat(cpu, Seg.cs, FLAT_CODE) && [Seg.ss, Seg.ds, Seg.es].every((n) => isFlat(cpu, n, FLAT_DATA))) mode |= Mode.flat;
    const flat32 = Mode.flat | Mode.code32 | Mode.stack32;
    const segmented = !code64 && (mode & flat32) !== flat32;
    if (segmented) mode |= Mode.segmented;
    const csBase = code64 ? 0n : cpu.segmentBase(Seg.cs);
    const csLimit = code64 ? -1 : cpu.segmentLimit(Seg.cs) | 0;
    const index = cpu.i32[State.contextIndex >> 2];
    const user = cpu.cpl === 3 ? 1 : 0;
    const wp = cpu.u32[State.cr0 >> 2] & 65536 ? 2 : 0;
    const smap = user === 0 && smapEnforced(cpu, false) ? SMAP_CLASS : 0;
    const data = index * 16 + user + wp + smap;
    const fetch = index * 16 + 8 + user + (code64 ? 2 : 0) + (segmented ? 4 : 0);
    const moved = cpu.get64(State.csBase) !== csBase || cpu.i32[State.csLimit >> 2] !== csLimit;
    if (moved || mode !== cpu.i32[State.mode >> 2] || fetch !== cpu.i32[State.contextFetch >> 2]) cpu.set64(State.fetchPage, 1n);
    cpu.set64(State.csBase, csBase);
    cpu.set32(State.csLimit, csLimit);
    cpu.set32(State.mode, mode);
    cpu.set64(State.canonicalShift, cpu.i32[State.cr4 >> 2] & CR4_LA572 ? 7n : 16n);
    cpu.set64(State.contextData, BigInt(data));
    cpu.set64(State.contextFetch, BigInt(fetch));
    cpu.set64(State.ipMask, code64 ? 0xffffffffffffffffn : 0xffffffffn);
  }
  /** Drops everything that is cached for the current VPID, global pages included (VM entry and exit without VPID). */
  flushCurrentContext(cpu) {
    flushVpid(cpu);
    this.modeChanged(cpu);
  }
  /** Drops what is cached for a PCID of the current VPID, but not global pages (MOV CR3, INVPCID). */
  flushPcid(cpu, pcid) {
    flushPcid(cpu, pcid);
    this.modeChanged(cpu);
  }
  /** The same for all PCIDs. */
  flushNonGlobal(cpu) {
    flushNonGlobal(cpu);
    this.modeChanged(cpu);
  }
  /** Drops everything (INVEPT, INVVPID, CR0.PG or CR4 changes). */
  flushAll(cpu) {
    flushAllContexts(cpu);
    this.modeChanged(cpu);
  }
  invalidatePage(cpu, linear) {
    invalidatePage(cpu, Number(linear & 0xffffffffn) >>> 0, Number(linear >> 32n & 0xffffffffn) >>> 0);
  }
  /** A RAM page has begun to hold code or to be watched. */
  slowWrites(cpu, hpaPage) {
    slowWrites(cpu, hpaPage);
  }
  /** Pages on which data breakpoints lie are slow while DR7 enables them. */
  slowWatchedPages(cpu) {
    for (const page of watchedPages(cpu)) slowPage(cpu, page);
  }
  /** Notes the data breakpoints that an access of the instruction meets; they become a trap when it completes. */
  noteDataBreakpoints(cpu, lo, hi, size, write) {
    const linear = BigInt(hi) << 32n | BigInt(lo);
    cpu.i32[State.debugMatches >> 2] |= dataBreakpoints(cpu, linear, size, write);
  }
  // Translation -------------------------------------------------------------------------------------------------------
  /** The format and root of the guest paging in use; undefined when CR0.PG = 0. */
  static guestPaging(cpu) {
    return guestPaging(cpu);
  }
  /**
   * Loads the PDPTE registers from the table that CR3 names ("PDPTE Registers"): 'reserved bits' is #GP(0), and 'pending' an EPT violation;
   * the registers have not changed then.
   */
  loadPdptes(cpu, cr3) {
    this.walking = cpu;
    const root = Number(cr3 & 0xffffffe0n);
    const loaded = [];
    for (let n = 0; n < 4; n++) {
      const hpa = this.tables.locate(root + 8 * n, false);
      if (hpa < 0) return "pending";
      loaded.push(this.memory.read64(hpa));
    }
    if (loaded.some((pdpte) => pdpteReserved(pdpte, cpu.model.maxPhyAddr))) return "reserved bits";
    loaded.forEach((pdpte, n) => cpu.set64(State.pdpte + 8 * n, pdpte));
    return "loaded";
  }
  /**
   * Index of the TLB entry that maps the page of this linear address for this access, filled if need be; -1: a fault or exit is pending.
   * @param access Access bits; `rmw` only for EPT-violation qualifications.
   */
  translate(cpu, lo, hi, access, rmw = false) {
    const pageLo = lo & ~4095;
    const kind = access & Access.write ? TagKind.write : access & Access.execute ? TagKind.fetch : TagKind.read;
    const context = this.contextOf(cpu, access);
    const i = tlbIndex(lo);
    if (tagMatches(cpu, i, kind, pageLo, hi, context) || adoptGlobal(cpu, i, kind, pageLo, hi, context)) return i;
    return this.fill(cpu, lo, hi, access, kind, context, i, rmw) ? i : -1;
  }
  contextOf(cpu, access) {
    const context = cpu.i32[(access & Access.execute ? State.contextFetch : State.contextData) >> 2];
    return access & Access.implicit ? context & ~(USER_CLASS | SMAP_CLASS) | (smapEnforced(cpu, true) ? SMAP_CLASS : 0) : context;
  }
  fill(cpu, lo, hi, access, kind, context, i, rmw) {
    const paging = guestPaging(cpu);
    const facts = pagingFacts(cpu);
    const user = (access & Access.implicit) === 0 && cpu.cpl === 3;
    const write = (access & Access.write) !== 0;
    const execute = (access & Access.execute) !== 0;
    this.walking = cpu;
    this.linearLo = lo;
    this.linearHi = hi;
    let page;
    let shift2 = 12;
    let rights = Right.read | Right.write | Right.execute | Right.user;
    let dirty = true;
    let global = false;
    if (paging === void 0) page = (lo & ~4095) >>> 0;
    else {
      if (cpu.longMode && !isCanonical2(hi, (cpu.i32[State.cr4 >> 2] & CR4_LA572) !== 0)) {
        cpu.raise(GP, 0);
        cpu.set32(State.pendingReason, NON_CANONICAL + this.slot);
        return false;
      }
      const w = this.guestWalker;
      const root = paging.format === guestPae ? pdpteRoot(cpu, lo) : paging.root;
      const result = root < 0 ? WalkResult.notPresent : w.walk(paging.format, root, lo, hi, facts, this.tables);
      if (result === WalkResult.refused) return false;
      rights = result === WalkResult.ok ? rightsFor(cpu, w.rights, w.leafHi, user, (access & Access.implicit) !== 0) : 0;
      if ((rights & (write ? Right.write : execute ? Right.execute : Right.read)) === 0) {
        cpu.raise(PF, pageFaultCode(cpu, { write, execute, user }, result === WalkResult.ok ? w : void 0, result === WalkResult.reserved));
        cpu.i32[State.pendingLinear >> 2] = lo;
        cpu.i32[(State.pendingLinear >> 2) + 1] = hi;
        return false;
      }
      if (!w.markUsed(paging.format, write, this.tables)) return false;
      page = w.page;
      shift2 = w.shift;
      global = (w.leafLo & LEAF_GLOBAL) !== 0 && (cpu.i32[State.cr4 >> 2] & CR4_PGE) !== 0;
      dirty = (w.leafLo & paging.format.dirtyBit) !== 0;
    }
    if (cpu.f64[State.eptPointer >> 3] !== 0) {
      const bits = write ? rmw ? 3 : 2 : execute ? 4 : 1;
      if (!this.ept(cpu, page + (lo & 4095), bits, 128 | 1 << 8, facts)) return false;
      page = this.eptWalker.page;
      const r = this.eptWalker.rights;
      rights &= Right.user | r & 7;
      if (this.eptMarksDirty(cpu)) dirty &&= (this.eptWalker.leafLo & eptFormat.dirtyBit) !== 0;
      shift2 = Math.max(12, Math.min(shift2, this.eptWalker.shift));
    }
    const offset = this.memory.offsetOf(page);
    const index = cpu.i32[State.contextIndex >> 2];
    claimEntry(cpu, i, lo & ~4095, hi, index, page, offset < 0 ? 0 : offset - (lo & ~4095) | 0, shift2, global);
    const mmio = offset < 0;
    setTag(cpu, i, kind, lo & ~4095, hi, context, mmio || write && this.memory.pageFlags[page / 4096] !== 0);
    if (execute) cpu.set32(State.tlb + i * TlbEntry.stride + TlbEntry.code, 0);
    if (!execute) {
      if (write && rights & Right.read) setTag(cpu, i, TagKind.read, lo & ~4095, hi, context, mmio);
      if (!write && dirty && rights & Right.write) setTag(cpu, i, TagKind.write, lo & ~4095, hi, context, mmio || this.memory.pageFlags[page / 4096] !== 0);
    }
    if (breakpointsEnabled(cpu)) this.slowWatchedPages(cpu);
    return true;
  }
  eptMarksDirty(cpu) {
    return (cpu.i32[State.eptMode >> 2] & 1) !== 0;
  }
  /** Translates a guest-physical address through EPT into eptWalker.page; false: the VM exit is pending. @param bits access bits 0..2 of the qualification. */
  ept(cpu, gpa, bits, valid, facts) {
    const lo = gpa >>> 0;
    const hi = Math.floor(gpa / 4294967296) >>> 0;
    const w = this.eptWalker;
    const result = hi >= 65536 ? WalkResult.notPresent : w.walk(eptFormat, cpu.f64[State.eptPointer >> 3], lo, hi, facts, this.eptTables);
    if (result === WalkResult.ok && (w.rights & bits) === bits) {
      if (this.eptMarksDirty(cpu)) w.markUsed(eptFormat, (bits & 2) !== 0, this.eptTables);
      return true;
    }
    cpu.set32(State.pendingKind, 2);
    cpu.setF64(State.pendingGpa, gpa);
    cpu.i32[State.pendingLinear >> 2] = this.linearLo;
    cpu.i32[(State.pendingLinear >> 2) + 1] = this.linearHi;
    if (result === WalkResult.reserved) {
      cpu.set32(State.pendingReason, EXIT_EPT_MISCONFIGURATION);
      cpu.set64(State.pendingQualification, 0n);
    } else {
      const rights = result === WalkResult.ok ? w.rights & 7 : 0;
      cpu.set32(State.pendingReason, EXIT_EPT_VIOLATION);
      cpu.set64(State.pendingQualification, BigInt(bits | rights << 3 | valid));
    }
    return false;
  }
  /** Host-physical address of a guest paging-structure entry. */
  locateTable(address, write) {
    const cpu = this.walking;
    if (cpu === void 0 || cpu.f64[State.eptPointer >> 3] === 0) return address;
    const bits = write || this.eptMarksDirty(cpu) ? write ? 3 : 3 : 1;
    if (!this.ept(cpu, address, bits, 128, pagingFacts(cpu))) return -1;
    return this.eptWalker.page + address % 4096;
  }
  // Checked access ----------------------------------------------------------------------------------------------------
  /** Host-physical address of a linear byte for this access, -1: pending. */
  hpaOf(cpu, lo, hi, access, rmw = false) {
    const i = this.translate(cpu, lo, hi, access, rmw);
    return i < 0 ? -1 : entryPage(cpu, i) + (lo & 4095);
  }
  loadLinear(cpu, linear, size, access) {
    const lo = Number(linear & 0xffffffffn) >>> 0;
    const hi = Number(linear >> 32n & 0xffffffffn) >>> 0;
    const first = this.hpaOf(cpu, lo, hi, access);
    if (first < 0) return void 0;
    if (breakpointsEnabled(cpu) && (access & Access.implicit) === 0) this.noteDataBreakpoints(cpu, lo, hi, size, false);
    const inFirst = Math.min(size, 4096 - (lo & 4095));
    if (inFirst === size) return this.readPhysical(first, size);
    const second = this.hpaOf(cpu, lo + inFirst >>> 0, lo + inFirst > 4294967295 ? this.carry(cpu, hi) : hi, access);
    if (second < 0) return void 0;
    let value = 0n;
    for (let n = size - 1; n >= 0; n--) value = value << 8n | this.readPhysical(n < inFirst ? first + n : second + n - inFirst, 1);
    return value;
  }
  storeLinear(cpu, linear, size, value, access) {
    const lo = Number(linear & 0xffffffffn) >>> 0;
    const hi = Number(linear >> 32n & 0xffffffffn) >>> 0;
    const first = this.hpaOf(cpu, lo, hi, access);
    if (first < 0) return false;
    if (breakpointsEnabled(cpu) && (access & Access.implicit) === 0) this.noteDataBreakpoints(cpu, lo, hi, size, true);
    const inFirst = Math.min(size, 4096 - (lo & 4095));
    if (inFirst === size) {
      this.writePhysical(first, size, value);
      return true;
    }
    const second = this.hpaOf(cpu, lo + inFirst >>> 0, lo + inFirst > 4294967295 ? this.carry(cpu, hi) : hi, access);
    if (second < 0) return false;
    for (let n = 0; n < size; n++) this.writePhysical(n < inFirst ? first + n : second + n - inFirst, 1, value >> BigInt(8 * n) & 0xffn);
    return true;
  }
  probe(cpu, linear, size, access) {
    const lo = Number(linear & 0xffffffffn) >>> 0;
    const hi = Number(linear >> 32n & 0xffffffffn) >>> 0;
    if (this.hpaOf(cpu, lo, hi, access) < 0) return false;
    const inFirst = Math.min(size, 4096 - (lo & 4095));
    return inFirst === size || this.hpaOf(cpu, lo + inFirst >>> 0, lo + inFirst > 4294967295 ? this.carry(cpu, hi) : hi, access) >= 0;
  }
  /** High half after the low half has overflowed: 32-bit linear addresses wrap. */
  carry(cpu, hi) {
    return cpu.code64 ? hi + 1 >>> 0 : 0;
  }
  readPhysical(hpa, size) {
    const offset = this.memory.offsetOf(hpa);
    if (offset < 0) return this.readRegion(this.memory.regionAt(hpa), hpa, size);
    const { view } = this.memory;
    if (size === 8) return view.getBigUint64(offset, true);
    return BigInt(size === 1 ? view.getUint8(offset) : size === 2 ? view.getUint16(offset, true) : view.getUint32(offset, true));
  }
  readRegion(region, hpa, size) {
    return region === void 0 ? (1n << BigInt(size * 8)) - 1n : region.read(hpa, size);
  }
  writePhysical(hpa, size, value) {
    if (this.memory.offsetOf(hpa) < 0) this.memory.regionAt(hpa)?.write(hpa, size, value);
    else if (size === 8) this.memory.write64(hpa, BigInt.asUintN(64, value));
    else if (size === 1) this.memory.write8(hpa, Number(value));
    else if (size === 2) this.memory.write16(hpa, Number(value));
    else this.memory.write32(hpa, Number(value));
  }
  // Slow path of generated code ----------------------------------------------------------------------------------------
  /**
   * Called when the inline look-up misses. Returns a wasm address where the operand may be read or written, or -1 with a fault or exit
   * pending. Operands that cross pages, lie in watched or code pages or outside RAM are gathered in State.scratch; `commitStore` then
   * carries the write out. For a compiled region the answer INTERPRET says that its instruction must be left to the interpreter.
   */
  slowAccess(cpu, packed, inRegion = false) {
    const codeWrites = this.memory.codeWrites;
    const bytes = packed & 255;
    const write = (packed & 256) !== 0;
    const rmw = (packed & 512) !== 0;
    const slot2 = packed >> 16;
    this.slot = slot2;
    const lo = cpu.u32[State.accessLo >> 2];
    const hi = cpu.u32[State.accessHi >> 2];
    const access = write ? Access.write : Access.read;
    const i = this.translate(cpu, lo, hi, access, rmw);
    if (i < 0) return -1;
    const first = entryPage(cpu, i) + (lo & 4095);
    const firstBytes = Math.min(bytes, 4096 - (lo & 4095));
    let second = -1;
    if (firstBytes < bytes) {
      const nextLo = lo + firstBytes >>> 0;
      second = this.hpaOf(cpu, nextLo, nextLo < lo ? this.carry(cpu, hi) : hi, access, rmw);
      if (second < 0) return -1;
    }
    if (inRegion && (codeWrites !== this.memory.codeWrites || this.isSpecial(first, write) || second >= 0 && this.isSpecial(second, write)))
      return INTERPRET;
    if (second < 0 && !tagIsSlow(cpu, i, write ? TagKind.write : TagKind.read)) return RAM_FIRST + first;
    if (breakpointsEnabled(cpu)) {
      if (!write || rmw) this.noteDataBreakpoints(cpu, lo, hi, bytes, false);
      if (write) this.noteDataBreakpoints(cpu, lo, hi, bytes, true);
    }
    const at = cpu.base + State.scratch + slot2 * 64;
    if (!write || rmw) {
      this.gather(first, firstBytes, at);
      if (second >= 0) this.gather(second, bytes - firstBytes, at + firstBytes);
    }
    if (write) {
      const s = this.stores[slot2];
      s.first = first;
      s.firstBytes = firstBytes;
      s.second = second;
      s.bytes = bytes;
    }
    return at;
  }
  /** Outside RAM, or a write to a page that holds code or is watched: not for compiled regions. */
  isSpecial(hpa, write) {
    return this.memory.offsetOf(hpa) < 0 || write && this.memory.pageFlags[Math.floor(hpa / 4096)] !== 0;
  }
  gather(hpa, bytes, to) {
    const offset = this.memory.offsetOf(hpa);
    if (offset >= 0) {
      this.memory.u8.copyWithin(to, offset, offset + bytes);
      return;
    }
    const size = bytes === 8 || bytes === 4 || bytes === 2 ? bytes : 1;
    for (let n = 0; n < bytes; n += size) {
      const value = this.readRegion(this.memory.regionAt(hpa + n), hpa + n, size);
      for (let b = 0; b < size; b++) this.memory.u8[to + n + b] = Number(value >> BigInt(8 * b) & 0xffn);
    }
  }
  commitStore(cpu, slot2) {
    const s = this.stores[slot2];
    const at = cpu.base + State.scratch + slot2 * 64;
    this.scatter(at, s.first, s.firstBytes);
    if (s.second >= 0) this.scatter(at + s.firstBytes, s.second, s.bytes - s.firstBytes);
  }
  scatter(from, hpa, bytes) {
    if (this.memory.offsetOf(hpa) >= 0) {
      this.memory.physWrite(hpa, this.memory.u8.slice(from, from + bytes));
      return;
    }
    const size = bytes === 8 || bytes === 4 || bytes === 2 ? bytes : 1;
    for (let n = 0; n < bytes; n += size) {
      let value = 0n;
      for (let b = size - 1; b >= 0; b--) value = value << 8n | BigInt(this.memory.u8[from + n + b]);
      this.memory.regionAt(hpa + n)?.write(hpa + n, size, value);
    }
  }
  /** Decoded code was found at this page: its writes are slow from now on. */
  markCodePage(cpus, hpaPage) {
    this.memory.pageFlags[hpaPage / 4096] |= PageFlag.code;
    for (const cpu of cpus) slowWrites(cpu, hpaPage);
  }
};
var INTERPRET = -2;
var NON_CANONICAL = 28259;
var isCanonical2 = (hi, fiveLevels) => {
  const top = (hi | 0) >> (fiveLevels ? 24 : 15);
  return top === 0 || top === -1;
};
function pdpteRoot(cpu, lo) {
  const pdpte = cpu.get64(State.pdpte + 8 * (lo >>> 30));
  return pdpte & 1n ? pdpteAddress(pdpte) : -1;
}
var FLAT_CODE = { mask: Ar.unusable | Ar.present | Ar.notSystem | Ar.code | Ar.writable, value: Ar.present | Ar.notSystem | Ar.code | Ar.writable };
var FLAT_DATA = { mask: FLAT_CODE.mask | Ar.expandDown, value: Ar.present | Ar.notSystem | Ar.writable };
var isFlat = (cpu, n, rights) => cpu.segmentBase(n) === 0n && cpu.segmentLimit(n) === 4294967295 && (cpu.segmentAccess(n) & rights.mask) === rights.value;

// emulator/cpu/cpu.ts
var Cpu = class extends VcpuRegisters {
  constructor(index, base, memory, model2, arithmeticFlags, mmu) {
    super(index, base, memory, model2, arithmeticFlags);
    this.mmu = mmu;
  }
  mmu;
  /** Recomputes CPL-, CR- and CS-derived state (mode word, TLB contexts). To be called after any change of CPL, CS, SS, CR0, CR4, EFER, RFLAGS.AC or EPT. */
  modeChanged() {
    this.mmu.modeChanged(this);
  }
  /**
   * Reads `size` (1, 2, 4, 8) bytes at a linear address with the current CPL's rights (`Access.read`) or as an implicit supervisor access
   * (`Access.read | Access.implicit`: descriptor tables, TSS, IDT). Undefined: a fault or exit is pending.
   */
  loadLinear(linear, size, access = Access.read) {
    return this.mmu.loadLinear(this, linear, size, access);
  }
  /** Writes likewise; false: a fault or exit is pending and nothing was written. */
  storeLinear(linear, size, value, access = Access.write) {
    return this.mmu.storeLinear(this, linear, size, value, access);
  }
  /** Checks that a write of `size` bytes would succeed (sets A/D as the write would); false: a fault or exit is pending. */
  probeWrite(linear, size, access = Access.write) {
    return this.mmu.probe(this, linear, size, access);
  }
};

// emulator/codegen/flags.ts
function arithmeticFlagsFunction() {
  const f = new FunctionBody(1);
  const [kind, cf, of, af] = [0, 1, 2, 3].map(() => f.local(I32));
  const [shift2, a, b, A, B, R2, one] = [0, 1, 2, 3, 4, 5, 6].map(() => f.local(I64));
  const load = (offset) => f.get(0).mem(Op.i64_load, offset);
  f.get(0).mem(Op.i32_load, State.flagKind).tee(kind).op(Op.i32_eqz).if();
  f.get(0).mem(Op.i32_load, State.flagA).op(Op.return).end();
  f.i64(64n).i64(8n).get(kind).i32(3).op(Op.i32_and).op(Op.i64_extend_i32_u).op(Op.i64_shl).op(Op.i64_sub).set(shift2);
  load(State.flagA).tee(a).get(shift2).op(Op.i64_shl).set(A);
  load(State.flagB).tee(b).get(shift2).op(Op.i64_shl).set(B);
  f.i64(1n).get(shift2).op(Op.i64_shl).set(one);
  f.get(kind).i32(2).op(Op.i32_shr_u).set(kind);
  const top = () => f.i64(63n).op(Op.i64_shr_u).op(Op.i32_wrap_i64);
  const cases2 = [
    [FlagKind.logic, () => f.get(A).set(R2)],
    [
      FlagKind.inc,
      () => {
        f.get(A).set(R2);
        f.get(b).op(Op.i32_wrap_i64).set(cf);
        f.get(A).i64(-(1n << 63n)).op(Op.i64_eq).set(of);
        f.get(a).i64(15n).op(Op.i64_and).op(Op.i64_eqz).set(af);
      }
    ],
    [
      FlagKind.dec,
      () => {
        f.get(A).set(R2);
        f.get(b).op(Op.i32_wrap_i64).set(cf);
        f.get(A).i64((1n << 63n) - 1n).get(shift2).op(Op.i64_shr_u).get(shift2).op(Op.i64_shl).op(Op.i64_eq).set(of);
        f.get(a).i64(15n).op(Op.i64_and).i64(15n).op(Op.i64_eq).set(af);
      }
    ],
    ...[FlagKind.sub, FlagKind.sbb].map((k) => [
      k,
      () => {
        f.get(A).get(B).op(Op.i64_sub);
        if (k === FlagKind.sbb) f.get(one).op(Op.i64_sub);
        f.set(R2);
        f.get(A).get(B).op(k === FlagKind.sub ? Op.i64_lt_u : Op.i64_le_u).set(cf);
        f.get(A).get(B).op(Op.i64_xor).get(A).get(R2).op(Op.i64_xor).op(Op.i64_and);
        top().set(of);
        halfCarry();
      }
    ]),
    ...[FlagKind.add, FlagKind.adc].map((k) => [
      k,
      () => {
        f.get(A).get(B).op(Op.i64_add);
        if (k === FlagKind.adc) f.get(one).op(Op.i64_add);
        f.set(R2);
        f.get(R2).get(A).op(k === FlagKind.add ? Op.i64_lt_u : Op.i64_le_u).set(cf);
        f.get(A).get(R2).op(Op.i64_xor).get(B).get(R2).op(Op.i64_xor).op(Op.i64_and);
        top().set(of);
        halfCarry();
      }
    ]),
    [
      FlagKind.shl,
      () => {
        f.get(A).get(b).op(Op.i64_shl).set(R2);
        f.get(A).get(b).i64(1n).op(Op.i64_sub).op(Op.i64_shl);
        top().set(cf);
        f.get(R2);
        top().get(cf).op(Op.i32_xor).set(of);
      }
    ],
    [
      FlagKind.shr,
      () => {
        f.get(A).get(shift2).op(Op.i64_shr_u).set(a);
        f.get(a).get(b).op(Op.i64_shr_u).get(shift2).op(Op.i64_shl).set(R2);
        f.get(a).get(b).i64(1n).op(Op.i64_sub).op(Op.i64_shr_u).op(Op.i32_wrap_i64).i32(1).op(Op.i32_and).set(cf);
        f.get(A);
        top().set(of);
      }
    ],
    [
      FlagKind.sar,
      () => {
        f.get(a).get(b).op(Op.i64_shr_s).get(shift2).op(Op.i64_shl).set(R2);
        f.get(a).get(b).i64(1n).op(Op.i64_sub).op(Op.i64_shr_s).op(Op.i32_wrap_i64).i32(1).op(Op.i32_and).set(cf);
      }
    ]
  ];
  function halfCarry() {
    f.get(a).get(b).op(Op.i64_xor).get(R2).get(shift2).op(Op.i64_shr_u).op(Op.i64_xor);
    f.i64(4n).op(Op.i64_shr_u).op(Op.i32_wrap_i64).i32(1).op(Op.i32_and).set(af);
  }
  for (const [k, emit] of cases2) {
    f.get(kind).i32(k).op(Op.i32_eq).if();
    emit();
    f.end();
  }
  f.get(cf);
  f.get(af).i32(4).op(Op.i32_shl).op(Op.i32_or);
  f.get(of).i32(11).op(Op.i32_shl).op(Op.i32_or);
  f.get(R2).op(Op.i64_eqz).i32(6).op(Op.i32_shl).op(Op.i32_or);
  f.get(R2).i64(0n).op(Op.i64_lt_s).i32(7).op(Op.i32_shl).op(Op.i32_or);
  f.get(R2).get(shift2).op(Op.i64_shr_u).op(Op.i32_wrap_i64).i32(255).op(Op.i32_and).op(Op.i32_popcnt).i32(1).op(Op.i32_and).i32(1).op(Op.i32_xor).i32(2).op(Op.i32_shl).op(Op.i32_or);
  return f;
}

// emulator/codegen/interpreter.ts
var types = [
  { parameters: [I32, I32], results: [I32] },
  { parameters: [I32, I32], results: [] },
  { parameters: [I32], results: [I32] }
];
var Cold = { next: 0, again: 1, jump: 2, exit: 16 };
var REGION_ELEMENTS = 8192;
function isHot(h) {
  const { name } = h.body;
  if (h.shape.segmented) return false;
  const { size, operands, rep } = h.shape;
  if (["ADD", "SUB", "AND", "OR", "XOR", "CMP", "TEST", "MOV"].includes(name)) return size !== 2;
  if (["MOVZX", "MOVSX"].includes(name)) return size >= 4;
  if (["LEA", "IMUL2", "INC", "DEC", "NEG", "NOT", "ADC", "SBB", "SHL", "SHR", "SAR", "ROL", "ROR"].includes(name))
    return size >= 4 && operands[0] === "r";
  if (["PUSH", "POP", "CALL", "CALLI", "RET", "JMPI", "JMP", "Jcc", "LEAVE", "NOP", "NOPM", "CWD", "CBW"].includes(name))
    return h.shape.stack === 8 && h.shape.code64;
  if (name === "CMOV") return size >= 4 && operands[1] === "r";
  if (name === "SETcc") return operands[0] === "r";
  return (name === "MOVS" || name === "STOS") && rep !== 0 && h.shape.address === 8;
}
var isRepeatedStore = (h) => (h.body.name === "MOVS" || h.body.name === "STOS") && h.shape.rep !== 0;
function buildInterpreter(rows) {
  const all = [...allHandlers(rows).values()];
  const hot = all.filter(isHot);
  const cold = all.filter((h) => !isHot(h));
  const handlers = /* @__PURE__ */ new Map();
  [...hot, ...cold].forEach((h, i) => handlers.set(h.key, Handler.first + i));
  const hotCount = Handler.first + hot.length;
  const functions = { slowAccess: 0, commitStore: 1, compute: 2, segmentedAccess: 3, arithmeticFlags: 5 };
  const stringRun2 = 4;
  const bodies = cold.map((h) => coldFunction(h, functions));
  const bytes = encodeModule({
    types,
    imports: [
      { name: "slowAccess", type: 0 },
      { name: "commitStore", type: 1 },
      { name: "compute", type: 0 },
      { name: "segmentedAccess", type: 0 },
      { name: "stringRun", type: 0 }
    ],
    functions: [
      { type: 2, body: arithmeticFlagsFunction(), export: "arithmeticFlags" },
      { type: 0, body: hotFunction(hot, functions, hotCount, stringRun2), export: "enter" },
      ...bodies.map((body2) => ({ type: 0, body: body2 }))
    ],
    table: bodies.map((_, i) => 7 + i),
    tableSize: bodies.length + REGION_ELEMENTS,
    exportTable: "table"
  });
  return { bytes, handlers, hotCount, firstRegion: bodies.length };
}
function coldFunction(h, functions) {
  const f = new FunctionBody(2);
  const context = f.local(I64);
  f.get(0).mem(Op.i64_load, State.contextData).set(context);
  const leave2 = (code) => {
    f.i32(code).op(Op.return);
  };
  const ip = f.local(I64);
  const to = {
    next: () => leave2(Cold.next),
    again: () => leave2(Cold.again),
    exit: (code) => leave2(Cold.exit + code),
    jump: () => {
      f.set(ip).get(0).get(ip).mem(Op.i64_store, State.rip);
      leave2(Cold.jump);
    },
    branch: () => {
      f.get(0).get(0).mem(Op.i64_load, State.pageIp).get(1).mem(Op.i64_load, Rec.immediate).op(Op.i64_add).mem(Op.i64_store, State.rip);
      leave2(Cold.jump);
    }
  };
  new Lowering({ f, vcpu: 0, pc: 1, context, functions, to, pool: { i32: [], i64: [] } }).program(traceProgram(h));
  f.op(Op.unreachable);
  return f;
}
function hotFunction(hot, functions, hotCount, stringRun2) {
  const f = new FunctionBody(2);
  const [vcpu, pc] = [0, 1];
  const [budget, table, code, entry, handler, count] = [0, 1, 2, 3, 4, 5].map(() => f.local(I32));
  const [context, ip, page, linear] = [0, 1, 2, 3].map(() => f.local(I64));
  f.get(vcpu).mem(Op.i32_load, State.budget).set(budget);
  f.get(vcpu).mem(Op.i32_load, State.codeTable).set(table);
  f.get(vcpu).mem(Op.i64_load, State.contextData).set(context);
  const to = {
    next: () => f.get(pc).i32(Rec.bytes).op(Op.i32_add).set(pc).br("L"),
    again: () => f.br("L"),
    exit: (c) => f.i32(c).set(code).br("UNDONE"),
    jump: () => f.set(ip).br("GOTO"),
    branch: () => {
      f.get(pc).mem(Op.i64_load, Rec.immediate).tee(ip).i64(4096n).op(Op.i64_lt_u).if();
      f.get(table).get(ip).op(Op.i32_wrap_i64).i32(2).op(Op.i32_shl).op(Op.i32_add).mem(Op.i32_load, 0).tee(entry).if();
      f.get(entry).set(pc);
      countEntry();
      f.get(count).brIf("L");
      f.get(vcpu).mem(Op.i64_load, State.pageIp).get(ip).op(Op.i64_add).set(ip);
      leaveAt(Exit.hot);
      f.end().end();
      f.get(ip).get(vcpu).mem(Op.i64_load, State.pageIp).op(Op.i64_add).set(ip).br("GOTO");
    }
  };
  const context0 = { f, vcpu, pc, context, functions, to, pool: { i32: [], i64: [] } };
  const giveBack = () => {
    f.get(budget).i32(1).op(Op.i32_add).set(budget);
  };
  const special = {
    [Handler.goto]: () => {
      giveBack();
      f.get(vcpu).mem(Op.i64_load, State.rip).set(ip).br("GOTO");
    },
    [Handler.link]: () => {
      giveBack();
      f.get(vcpu).mem(Op.i64_load, State.pageIp).get(pc).mem(Op.i64_load16_u, Rec.offset).op(Op.i64_add).set(ip).br("GOTO");
    },
    [Handler.breakpoint]: () => to.exit(Exit.breakpoint),
    [Handler.system]: () => to.exit(Exit.system),
    [Handler.cross]: () => to.exit(Exit.cross),
    [Handler.region]: () => {
      giveBack();
      f.loop("R");
      f.get(budget).get(pc).mem(Op.i32_load16_u, Rec.region + 2).op(Op.i32_lt_s).if();
      f.get(budget).op(Op.i32_eqz).brIf("GOTO");
      f.get(budget).i32(1).op(Op.i32_sub).set(budget);
      f.get(pc).mem(Op.i32_load16_u, Rec.alternative).set(handler).br("D").end();
      f.get(vcpu).get(budget).mem(Op.i32_store, State.budget);
      f.get(vcpu).get(pc).get(pc).mem(Op.i32_load16_u, Rec.region).callIndirect(0).set(code);
      f.get(vcpu).mem(Op.i32_load, State.budget).set(budget);
      f.get(vcpu).mem(Op.i64_load, State.rip).set(ip);
      f.get(code).if();
      f.get(code).op(Op.return).end();
      f.get(ip).i64(-4096n).op(Op.i64_and).get(vcpu).mem(Op.i64_load, State.fetchPage).op(Op.i64_ne).brIf("GOTO");
      f.get(table).get(ip).op(Op.i32_wrap_i64).i32(4095).op(Op.i32_and).i32(2).op(Op.i32_shl).op(Op.i32_add).mem(Op.i32_load, 0).tee(entry).op(Op.i32_eqz).brIf("GOTO");
      f.get(entry).mem(Op.i32_load16_u, Rec.handler).i32(Handler.region).op(Op.i32_ne).brIf("GOTO");
      f.get(entry).set(pc).br("R").end();
      f.op(Op.unreachable);
    },
    [Handler.address64]: () => address(true, false),
    [Handler.address32]: () => address(false, false),
    [Handler.address32Segment]: () => address(false, true)
  };
  function address(wide, limited) {
    if (limited) {
      f.get(vcpu).get(pc).mem(Op.i32_load16_u, Rec.operand + 2).op(Op.i32_add).mem(Op.i32_load, 0).i32(-1).op(Op.i32_ne).if();
      to.exit(Exit.notFlat);
      f.end();
    }
    f.get(vcpu);
    new Lowering(context0).expr({ op: "ea", type: "i64" });
    f.get(pc).mem(Op.i64_load, Rec.immediate).op(Op.i64_and);
    f.get(vcpu).get(pc).mem(Op.i32_load16_u, Rec.operand).op(Op.i32_add).mem(Op.i64_load, 0).op(Op.i64_add);
    if (!wide) f.i64(0xffffffffn).op(Op.i64_and);
    f.mem(Op.i64_store, State.eaTemp);
    giveBack();
    to.next();
  }
  f.loop("L");
  f.block("GOTO").block("DONE").block("UNDONE");
  f.get(budget).i32(1).op(Op.i32_sub).tee(budget).i32(0).op(Op.i32_lt_s).if();
  f.i32(0).set(budget);
  f.get(vcpu).get(vcpu).mem(Op.i64_load, State.pageIp).get(pc).mem(Op.i64_load16_u, Rec.offset).op(Op.i64_add).get(vcpu).mem(Op.i64_load, State.ipMask).op(Op.i64_and).mem(Op.i64_store, State.rip);
  f.i32(Exit.budget).set(code).br("DONE").end();
  f.get(pc).mem(Op.i32_load16_u, Rec.handler).set(handler);
  f.loop("D");
  const labels = Array.from({ length: hotCount }, (_, i) => `h${i}`);
  f.block("cold");
  for (let i = hotCount - 1; i >= 0; i--) f.block(labels[i]);
  f.get(handler).brTable(labels, "cold");
  for (let i = 0; i < hotCount; i++) {
    f.end();
    if (i in special) special[i]();
    else if (i < Handler.first) f.op(Op.unreachable);
    else {
      const h = hot[i - Handler.first];
      if (isRepeatedStore(h)) manyIterations(h);
      new Lowering(context0).program(traceProgram(h));
    }
  }
  f.end();
  f.get(vcpu).get(pc).get(handler).i32(hotCount).op(Op.i32_sub).callIndirect(0).tee(code).op(Op.i32_eqz).if();
  to.next();
  f.end();
  f.get(code).i32(Cold.again).op(Op.i32_eq).if().br("L").end();
  f.get(code).i32(Cold.jump).op(Op.i32_eq).if();
  f.get(vcpu).mem(Op.i64_load, State.rip).set(ip).br("GOTO").end();
  f.get(code).i32(Cold.exit).op(Op.i32_sub).set(code).br("UNDONE");
  f.end();
  f.end();
  giveBack();
  f.get(vcpu).get(vcpu).mem(Op.i64_load, State.pageIp).get(pc).mem(Op.i64_load16_u, Rec.offset).op(Op.i64_add).get(vcpu).mem(Op.i64_load, State.ipMask).op(Op.i64_and).mem(Op.i64_store, State.rip);
  f.end();
  f.get(vcpu).get(budget).mem(Op.i32_store, State.budget);
  f.get(vcpu).get(pc).mem(Op.i32_store, State.exitRecord);
  f.get(code).op(Op.return);
  f.end();
  f.get(ip).get(vcpu).mem(Op.i64_load, State.ipMask).op(Op.i64_and).tee(ip);
  f.get(vcpu).mem(Op.i64_load, State.csBase).op(Op.i64_add).get(vcpu).mem(Op.i64_load, State.ipMask).op(Op.i64_and).tee(linear).i64(-4096n).op(Op.i64_and).tee(page);
  f.get(vcpu).mem(Op.i64_load, State.fetchPage).op(Op.i64_ne).if();
  f.get(linear).op(Op.i32_wrap_i64).i32(7).op(Op.i32_shr_u).i32((TlbEntry.count - 1) * TlbEntry.stride).op(Op.i32_and).get(vcpu).op(Op.i32_add).tee(entry);
  f.mem(Op.i64_load, State.tlb + TlbEntry.fetch);
  f.get(page).get(vcpu).mem(Op.i64_load, State.contextFetch).op(Op.i64_or).op(Op.i64_ne);
  f.get(entry).mem(Op.i32_load, State.tlb + TlbEntry.code).op(Op.i32_eqz).op(Op.i32_or).if();
  leaveAt(Exit.fetch);
  f.end();
  f.get(entry).mem(Op.i32_load, State.tlb + TlbEntry.code).set(table);
  f.get(vcpu).get(table).mem(Op.i32_store, State.codeTable);
  f.get(vcpu).get(page).mem(Op.i64_store, State.fetchPage);
  f.get(vcpu).get(page).get(vcpu).mem(Op.i64_load, State.csBase).op(Op.i64_sub).mem(Op.i64_store, State.pageIp);
  f.get(vcpu);
  f.get(entry).get(vcpu).op(Op.i32_sub).i32(2).op(Op.i32_shr_u).get(vcpu).op(Op.i32_add).mem(Op.i64_load, State.tlbPage).mem(Op.i64_store, State.fetchHpa);
  f.end();
  f.get(table).op(Op.i32_eqz).if();
  leaveAt(Exit.decode);
  f.end();
  f.get(table).get(linear).op(Op.i32_wrap_i64).i32(4095).op(Op.i32_and).i32(2).op(Op.i32_shl).op(Op.i32_add).mem(Op.i32_load, 0).tee(entry).op(Op.i32_eqz).if();
  leaveAt(Exit.decode);
  f.end();
  f.get(entry).set(pc);
  countEntry();
  f.get(count).brIf("L");
  leaveAt(Exit.hot);
  f.end();
  f.op(Op.unreachable);
  return f;
  function manyIterations(h) {
    const log2 = h.shape.size === 8 ? 3 : h.shape.size >> 1;
    f.get(vcpu).mem(Op.i64_load, State.gpr + 8).i64(8n).op(Op.i64_gt_u).if();
    f.get(vcpu).get(budget).i32(1).op(Op.i32_add).mem(Op.i32_store, State.budget);
    f.get(vcpu).get(pc).i32(log2 << 27 | (h.body.name === "MOVS" ? 1 << 26 : 0)).op(Op.i32_or).call(stringRun2).tee(count).if();
    f.get(budget).i32(1).op(Op.i32_add).get(count).op(Op.i32_sub).set(budget);
    f.get(vcpu).mem(Op.i64_load, State.gpr + 8).i64(0n).op(Op.i64_ne).brIf("L");
    to.next();
    f.end().end();
  }
  function countEntry() {
    f.get(pc).get(pc).mem(Op.i32_load, Rec.counter).i32(1).op(Op.i32_sub).tee(count).mem(Op.i32_store, Rec.counter);
  }
  function leaveAt(exit2) {
    f.get(vcpu).get(ip).mem(Op.i64_store, State.rip);
    f.get(vcpu).get(budget).mem(Op.i32_store, State.budget);
    f.i32(exit2).op(Op.return);
  }
}

// emulator/isa/row.ts
var body = (name, trace, ...uses) => ({ name, uses, trace });
var row = (opcode, instruction, by, attributes = {}) => typeof by === "string" ? { opcode, instruction, system: by, ...attributes } : { opcode, instruction, body: by, ...attributes };
function sized(opcode, instruction, by, attributes = {}) {
  return [2, 4, 8].map((size) => {
    const bits = String(size * 8);
    const immediate = size === 2 ? ["iw", "imm16"] : ["id", "imm32"];
    const op = (size === 8 && attributes.in64 === void 0 ? "REX.W + " : "") + opcode.replace("i#", immediate[0]).replace("+r#", size === 2 ? "+rw" : size === 4 ? "+rd" : "+ro");
    const text2 = instruction.replaceAll("imm#", immediate[1]).replaceAll("#", bits);
    const only = size === 8 ? { only: 64 } : {};
    const skip32 = size === 4 && attributes.in64 !== void 0 ? { only: 32 } : {};
    return row(op, text2, by, { ...only, ...skip32, ...attributes, operandSize: size });
  });
}

// emulator/isa/rows/arithmetic.ts
var addSub = (name, op) => body(name, (s) => {
  const dst = s.location(0, "rw");
  const b = s.value(1);
  const a = s.read(dst);
  const r = s.let(zx(s.size, bin(op, a, b)));
  s.flags(op === "add" ? FlagKind.add : FlagKind.sub, a, b);
  s.write(dst, r);
});
var withCarry = (name, op) => body(name, (s) => {
  const dst = s.location(0, "rw");
  const b = s.value(1);
  const a = s.read(dst);
  const c = s.let(s.carry());
  const r = s.let(zx(s.size, bin(op, bin(op, a, b), c)));
  if (op === "add") s.carryFlags(FlagKind.adc, FlagKind.add, c, a, b);
  else s.carryFlags(FlagKind.sbb, FlagKind.sub, c, a, b);
  s.write(dst, r);
});
var logic = (name, op) => body(name, (s) => {
  const dst = s.location(0, "rw");
  const b = s.value(1);
  const r = s.let(bin(op, s.read(dst), b));
  s.logicFlags(r);
  s.write(dst, r);
});
var cmp = body("CMP", (s) => {
  const a = s.value(0);
  const b = s.value(1);
  s.flags(FlagKind.sub, a, b);
});
var test = body("TEST", (s) => {
  const a = s.value(0);
  const b = s.value(1);
  s.logicFlags(s.let(bin("and", a, b)));
});
function alu(mnemonic, base, digit, by, lock2 = true) {
  const hex10 = (n) => n.toString(16).toUpperCase().padStart(2, "0");
  const l2 = { lock: lock2 };
  return [
    row(`${hex10(base)} /r`, `${mnemonic} r/m8, r8`, by, l2),
    ...sized(`${hex10(base + 1)} /r`, `${mnemonic} r/m#, r#`, by, l2),
    row(`${hex10(base + 2)} /r`, `${mnemonic} r8, r/m8`, by),
    ...sized(`${hex10(base + 3)} /r`, `${mnemonic} r#, r/m#`, by),
    row(`${hex10(base + 4)} ib`, `${mnemonic} AL, imm8`, by),
    ...sized(`${hex10(base + 5)} i#`, `${mnemonic} rAX#, imm#`, by),
    row(`80 /${digit} ib`, `${mnemonic} r/m8, imm8`, by, l2),
    row(`82 /${digit} ib`, `${mnemonic} r/m8, imm8`, by, { lock: lock2, only: 32 }),
    ...sized(`81 /${digit} i#`, `${mnemonic} r/m#, imm#`, by, l2),
    ...sized(`83 /${digit} ib`, `${mnemonic} r/m#, imm8`, by, l2)
  ];
}
var incDec = (name, op, kind) => body(name, (s) => {
  const dst = s.location(0, "rw");
  const a = s.read(dst);
  const c = s.let(s.carry());
  const r = s.let(zx(s.size, bin(op, a, c64(1))));
  s.flags(kind, r, c);
  s.write(dst, r);
});
var inc = incDec("INC", "add", FlagKind.inc);
var dec = incDec("DEC", "sub", FlagKind.dec);
var neg = body("NEG", (s) => {
  const dst = s.location(0, "rw");
  const a = s.read(dst);
  s.flags(FlagKind.sub, c64(0), a);
  s.write(dst, zx(s.size, bin("sub", c64(0), a)));
});
var not = body("NOT", (s) => {
  const dst = s.location(0, "rw");
  s.write(dst, zx(s.size, bin("xor", s.read(dst), c64(-1))));
});
function productFlags(s, low, overflow) {
  s.explicitFlags(bin("or", s.resultFlags(low), select(overflow, c32(Flag.CF | Flag.OF), c32(0))));
}
var mul = body("MUL", (s) => {
  const b = s.value(0);
  const a = s.gpr(0, s.size);
  if (s.size === 8) {
    const low = s.let(bin("mul", a, b));
    const high = s.mulHighUnsigned(a, b);
    s.setGpr(0, low);
    s.setGpr(2, high);
    productFlags(s, low, bin("ne", high, c64(0)));
  } else {
    const p = s.let(bin("mul", a, b));
    const high = s.let(bin("shr_u", p, c64(s.bits)));
    writeProduct(s, p, high);
    productFlags(s, p, bin("ne", zx(s.size, high), c64(0)));
  }
});
function writeProduct(s, product, high) {
  if (s.size === 1) s.setGpr(0, product, 2);
  else {
    s.setGpr(0, zx(s.size, product), s.size);
    s.setGpr(2, zx(s.size, high), s.size);
  }
}
var imul1 = body("IMUL1", (s) => {
  const b = s.value(0);
  const a = s.gpr(0, s.size);
  if (s.size === 8) {
    const low = s.let(bin("mul", a, b));
    const high = s.mulHighSigned(a, b);
    s.setGpr(0, low);
    s.setGpr(2, high);
    productFlags(s, low, bin("ne", high, bin("shr_s", low, c64(63))));
  } else {
    const p = s.let(bin("mul", sx(s.size, a), sx(s.size, b)));
    writeProduct(s, p, bin("shr_u", p, c64(s.bits)));
    productFlags(s, p, bin("ne", p, sx(s.size, p)));
  }
});
var imul2 = body("IMUL2", (s) => {
  const three = s.shape.operands.length === 3;
  const a = s.value(three ? 1 : 0);
  const b = s.value(three ? 2 : 1);
  const dst = s.location(0, "w");
  if (s.size === 8) {
    const low = s.let(bin("mul", a, b));
    const high = s.mulHighSigned(a, b);
    s.write(dst, low);
    productFlags(s, low, bin("ne", high, bin("shr_s", low, c64(63))));
  } else {
    const p = s.let(bin("mul", sx(s.size, a), sx(s.size, b)));
    s.write(dst, zx(s.size, p));
    productFlags(s, p, bin("ne", p, sx(s.size, p)));
  }
});
var DE = 0;
function divideNarrow(s, signed) {
  const size = s.size;
  const divisor = s.let(signed ? sx(size, s.value(0)) : s.value(0));
  let dividend;
  if (size === 1) dividend = s.gpr(0, 2);
  else dividend = bin("or", bin("shl", s.gpr(2, size), c64(s.bits)), s.gpr(0, size));
  const n = s.let(signed && size < 4 ? sx(size * 2, dividend) : dividend);
  s.fault(un("eqz", divisor), DE);
  if (signed) s.fault(bin("and", bin("eq", n, c64(-(1n << 63n))), bin("eq", divisor, c64(-1))), DE);
  const q = s.let(bin(signed ? "div_s" : "div_u", n, divisor));
  const r = s.let(bin(signed ? "rem_s" : "rem_u", n, divisor));
  s.fault(signed ? bin("ne", q, sx(size, q)) : bin("gt_u", q, c64(maskOf(size))), DE);
  if (size === 1) s.setGpr(0, bin("or", zx(1, q), bin("shl", zx(1, r), c64(8))), 2);
  else {
    s.setGpr(0, zx(size, q), size);
    s.setGpr(2, zx(size, r), size);
  }
}
function divideWide(s, signed) {
  const divisor = s.let(s.value(0));
  const low = s.gpr(0);
  const high = s.gpr(2);
  const fits = signed ? bin("and", bin("eq", high, bin("shr_s", low, c64(63))), bin("gt_u", bin("add", divisor, c64(1)), c64(1))) : bin("and", un("eqz", high), bin("ne", divisor, c64(0)));
  const [q, r] = s.compute(signed ? ComputeName.divS128 : ComputeName.divU128, [high, low, divisor], 2, DE, {
    condition: fits,
    values: [bin(signed ? "div_s" : "div_u", low, divisor), bin(signed ? "rem_s" : "rem_u", low, divisor)]
  });
  s.setGpr(0, q);
  s.setGpr(2, r);
}
var div = body("DIV", (s) => s.size === 8 ? divideWide(s, false) : divideNarrow(s, false));
var idiv = body("IDIV", (s) => s.size === 8 ? divideWide(s, true) : divideNarrow(s, true));
var decimalAdjust = (name, op) => body(name, (s) => {
  const al = s.gpr(0, 1);
  const flags = s.arithmeticFlags();
  const af = bin("ne", bin("and", flags, c32(Flag.AF)), c32(0));
  const cf = bin("and", flags, c32(1));
  const lowAdjust = s.let(bin("or", bin("gt_u", bin("and", al, c64(15)), c64(9)), af));
  const highAdjust = s.let(bin("or", bin("gt_u", al, c64(153)), cf));
  const step1 = s.let(select(lowAdjust, bin(op, al, c64(6)), al));
  const r = s.let(zx(1, select(highAdjust, bin(op, step1, c64(96)), step1)));
  const borrow = op === "sub" ? bin("and", lowAdjust, bin("lt_u", al, c64(6))) : c32(0);
  const cfOut = bin("or", highAdjust, borrow);
  s.explicitFlags(bin("or", s.resultFlags(r, 1), bin("or", s.at(lowAdjust, 4), cfOut)));
  s.setGpr(0, r, 1);
});
var asciiAdjust = (name, op) => body(name, (s) => {
  const ax = s.gpr(0, 2);
  const af = bin("ne", bin("and", s.arithmeticFlags(), c32(Flag.AF)), c32(0));
  const adjust = s.let(bin("or", bin("gt_u", bin("and", ax, c64(15)), c64(9)), af));
  const adjusted = bin(op, ax, c64(262));
  const r = s.let(bin("and", select(adjust, adjusted, ax), c64(65295)));
  s.explicitFlags(bin("or", s.resultFlags(r, 1), select(adjust, c32(Flag.AF | Flag.CF), c32(0))));
  s.setGpr(0, r, 2);
});
var aam = body("AAM", (s) => {
  const base = s.value(0, 1);
  s.fault(un("eqz", base), DE);
  const al = s.gpr(0, 1);
  const low = s.let(bin("rem_u", al, base));
  const high = s.let(bin("div_u", al, base));
  s.explicitFlags(s.resultFlags(low, 1));
  s.setGpr(0, bin("or", low, bin("shl", high, c64(8))), 2);
});
var aad = body("AAD", (s) => {
  const base = s.value(0, 1);
  const ax = s.gpr(0, 2);
  const r = s.let(zx(1, bin("add", bin("and", ax, c64(255)), bin("mul", bin("shr_u", ax, c64(8)), base))));
  s.explicitFlags(s.resultFlags(r, 1));
  s.setGpr(0, r, 2);
});
var l = { lock: true };
var arithmeticRows = [
  ...alu("ADD", 0, 0, addSub("ADD", "add")),
  ...alu("OR", 8, 1, logic("OR", "or")),
  ...alu("ADC", 16, 2, withCarry("ADC", "add")),
  ...alu("SBB", 24, 3, withCarry("SBB", "sub")),
  ...alu("AND", 32, 4, logic("AND", "and")),
  ...alu("SUB", 40, 5, addSub("SUB", "sub")),
  ...alu("XOR", 48, 6, logic("XOR", "xor")),
  ...alu("CMP", 56, 7, cmp, false),
  row("84 /r", "TEST r/m8, r8", test),
  ...sized("85 /r", "TEST r/m#, r#", test),
  row("A8 ib", "TEST AL, imm8", test),
  ...sized("A9 i#", "TEST rAX#, imm#", test),
  row("F6 /0 ib", "TEST r/m8, imm8", test),
  row("F6 /1 ib", "TEST r/m8, imm8", test),
  ...sized("F7 /0 i#", "TEST r/m#, imm#", test),
  ...sized("F7 /1 i#", "TEST r/m#, imm#", test),
  row("FE /0", "INC r/m8", inc, l),
  ...sized("FF /0", "INC r/m#", inc, l),
  row("FE /1", "DEC r/m8", dec, l),
  ...sized("FF /1", "DEC r/m#", dec, l),
  row("40+rw", "INC r16", inc, { only: 32, operandSize: 2 }),
  row("40+rd", "INC r32", inc, { only: 32, operandSize: 4 }),
  row("48+rw", "DEC r16", dec, { only: 32, operandSize: 2 }),
  row("48+rd", "DEC r32", dec, { only: 32, operandSize: 4 }),
  row("F6 /2", "NOT r/m8", not, l),
  ...sized("F7 /2", "NOT r/m#", not, l),
  row("F6 /3", "NEG r/m8", neg, l),
  ...sized("F7 /3", "NEG r/m#", neg, l),
  row("F6 /4", "MUL r/m8", mul),
  ...sized("F7 /4", "MUL r/m#", mul),
  row("F6 /5", "IMUL r/m8", imul1),
  ...sized("F7 /5", "IMUL r/m#", imul1),
  ...sized("0F AF /r", "IMUL r#, r/m#", imul2),
  ...sized("69 /r i#", "IMUL r#, r/m#, imm#", imul2),
  ...sized("6B /r ib", "IMUL r#, r/m#, imm8", imul2),
  row("F6 /6", "DIV r/m8", div),
  ...sized("F7 /6", "DIV r/m#", div),
  row("F6 /7", "IDIV r/m8", idiv),
  ...sized("F7 /7", "IDIV r/m#", idiv),
  row("27", "DAA", decimalAdjust("DAA", "add"), { only: 32 }),
  row("2F", "DAS", decimalAdjust("DAS", "sub"), { only: 32 }),
  row("37", "AAA", asciiAdjust("AAA", "add"), { only: 32 }),
  row("3F", "AAS", asciiAdjust("AAS", "sub"), { only: 32 }),
  row("D4 ib", "AAM imm8", aam, { only: 32 }),
  row("D5 ib", "AAD imm8", aad, { only: 32 })
];

// emulator/isa/rows/bit-manipulation.ts
var not2 = (e) => bin("xor", e, c64(-1));
var writeFirst = (s, value) => s.setRegister({ operand: 0 }, s.size, value);
function bitFlags(s, result, carry) {
  const kept = bin("and", s.arithmeticFlags(), c32(Flag.AF | Flag.PF));
  const sf = s.at(bin("lt_s", sx(s.size, result), c64(0)), 7);
  s.explicitFlags(bin("or", bin("or", kept, bin("or", sf, s.at(un("eqz", result), 6))), carry));
}
var andn = body("ANDN", (s) => {
  const r = s.let(bin("and", bin("xor", s.value(1), c64(-1)), s.value(2)));
  bitFlags(s, r, c32(0));
  writeFirst(s, r);
});
var bextr = body("BEXTR", (s) => {
  const source2 = s.value(1);
  const control = s.value(2);
  const start = s.let(bin("and", control, c64(255)));
  const length = s.let(bin("and", bin("shr_u", control, c64(8)), c64(255)));
  const shifted = select(bin("lt_u", start, c64(s.bits)), bin("shr_u", source2, start), c64(0));
  const mask = select(bin("lt_u", length, c64(s.bits)), bin("sub", bin("shl", c64(1), length), c64(1)), c64(-1));
  const r = s.let(bin("and", shifted, mask));
  const kept = bin("and", s.arithmeticFlags(), c32(Flag.AF | Flag.PF | Flag.SF));
  s.explicitFlags(bin("or", kept, s.at(un("eqz", r), 6)));
  writeFirst(s, r);
});
var lowestBit = (name, value, carryOfZero) => body(name, (s) => {
  const a = s.let(s.value(1));
  const r = s.let(zx(s.size, value(s, a)));
  bitFlags(s, r, bin(carryOfZero ? "eq" : "ne", a, c64(0)));
  writeFirst(s, r);
});
var blsi = lowestBit("BLSI", (_s, a) => bin("and", a, bin("sub", c64(0), a)), false);
var blsmsk = lowestBit("BLSMSK", (_s, a) => bin("xor", a, bin("sub", a, c64(1))), true);
var blsr = lowestBit("BLSR", (_s, a) => bin("and", a, bin("sub", a, c64(1))), true);
var bzhi = body("BZHI", (s) => {
  const source2 = s.value(1);
  const index = s.let(bin("and", s.value(2), c64(255)));
  const inside = s.let(bin("lt_u", index, c64(s.bits)));
  const r = s.let(select(inside, bin("and", source2, bin("sub", bin("shl", c64(1), index), c64(1))), source2));
  bitFlags(s, r, un("eqz", inside));
  writeFirst(s, r);
});
var mulx = body("MULX", (s) => {
  const b = s.value(2);
  const a = s.gpr(2, s.size);
  const low = s.let(bin("mul", a, b));
  const high = s.size === 8 ? s.mulHighUnsigned(a, b) : s.let(bin("shr_u", low, c64(32)));
  s.setRegister({ operand: 1 }, s.size, zx(s.size, low));
  s.setRegister({ operand: 0 }, s.size, high);
});
function moves(s, mask) {
  let m = mask;
  let zerosBelow = s.let(bin("shl", not2(mask), c64(1)));
  return [0, 1, 2, 3, 4, 5].map((n) => {
    let odd = zerosBelow;
    for (const shift2 of [1, 2, 4, 8, 16, 32]) odd = s.let(bin("xor", odd, bin("shl", odd, c64(shift2))));
    const moved = s.let(bin("and", odd, m));
    m = s.let(bin("or", bin("xor", m, moved), bin("shr_u", moved, c64(1 << n))));
    zerosBelow = s.let(bin("and", zerosBelow, not2(odd)));
    return moved;
  });
}
var pext = body("PEXT", (s) => {
  const source2 = s.value(1);
  const mask = s.let(s.value(2));
  let x = s.let(bin("and", source2, mask));
  moves(s, mask).forEach((moved, n) => {
    const t = s.let(bin("and", x, moved));
    x = s.let(bin("or", bin("xor", x, t), bin("shr_u", t, c64(1 << n))));
  });
  writeFirst(s, x);
});
var pdep = body("PDEP", (s) => {
  const source2 = s.value(1);
  const mask = s.let(s.value(2));
  let x = source2;
  for (const [n, moved] of [...moves(s, mask).entries()].reverse())
    x = s.let(bin("or", bin("and", x, not2(moved)), bin("and", bin("shl", x, c64(1 << n)), moved)));
  writeFirst(s, bin("and", x, mask));
});
var rorx = body("RORX", (s) => {
  const a = s.value(1);
  const n = s.let(bin("and", s.immediate(), c64(s.bits - 1)));
  const rotated = s.size === 8 ? bin("rotr", a, n) : bin("or", bin("shr_u", a, n), bin("shl", a, bin("sub", c64(32), n)));
  writeFirst(s, zx(s.size, rotated));
});
var shiftX = (name, op) => body(name, (s) => {
  const a = s.value(1);
  const n = s.let(bin("and", s.value(2), c64(s.bits - 1)));
  writeFirst(s, zx(s.size, bin(op, op === "shr_s" ? sx(s.size, a) : a, n)));
});
var addFlag = (name, flag, position) => body(name, (s) => {
  const b = s.value(1);
  const a = s.register({ operand: 0 }, s.size);
  const old = s.arithmeticFlags();
  const carry = un("extend_u", bin("and", bin("shr_u", old, c32(position)), c32(1)));
  const r = s.let(bin("add", bin("add", a, b), carry));
  const out = bin("or", bin("and", a, b), bin("and", bin("or", a, b), not2(r)));
  s.explicitFlags(bin("or", bin("and", old, c32(~flag)), s.at(s.bit(out, s.bits - 1), position)));
  writeFirst(s, zx(s.size, r));
});
var POLYNOMIAL = 2197175160;
var crc32 = body("CRC32", (s) => {
  const source2 = s.value(1);
  const size = s.operandSize(1);
  const start = s.register({ operand: 0 }, 4);
  let x = s.let(bin("xor", start, source2));
  for (let n = 0; n < size * 8; n++)
    x = s.let(bin("xor", bin("shr_u", x, c64(1)), bin("and", bin("sub", c64(0), bin("and", x, c64(1))), c64(POLYNOMIAL))));
  s.setRegister({ operand: 0 }, 8, zx(4, x));
});
function vex(opcode, instruction, by, feature) {
  return [4, 8].map((size) => {
    const attributes = { operandSize: size, feature, ...size === 8 && { only: 64 } };
    return row(opcode.replace("W#", size === 8 ? "W1" : "W0"), instruction.replaceAll("#", String(size * 8)), by, attributes);
  });
}
var add = (prefix, mnemonic, by) => [
  row(`${prefix} REX.W 0F 38 F6 /r`, `${mnemonic} r64, r/m64`, by, { operandSize: 8, only: 64, feature: "adx" }),
  row(`${prefix} 0F 38 F6 /r`, `${mnemonic} r32, r/m32`, by, { feature: "adx" })
];
var bitManipulationRows = [
  ...vex("VEX.LZ.0F38.W# F2 /r", "ANDN r#a, r#b, r/m#", andn, "bmi1"),
  ...vex("VEX.LZ.0F38.W# F7 /r", "BEXTR r#a, r/m#, r#b", bextr, "bmi1"),
  ...vex("VEX.LZ.0F38.W# F3 /3", "BLSI r#, r/m#", blsi, "bmi1"),
  ...vex("VEX.LZ.0F38.W# F3 /2", "BLSMSK r#, r/m#", blsmsk, "bmi1"),
  ...vex("VEX.LZ.0F38.W# F3 /1", "BLSR r#, r/m#", blsr, "bmi1"),
  ...vex("VEX.LZ.0F38.W# F5 /r", "BZHI r#a, r/m#, r#b", bzhi, "bmi2"),
  ...vex("VEX.LZ.F2.0F38.W# F6 /r", "MULX r#a, r#b, r/m#", mulx, "bmi2"),
  ...vex("VEX.LZ.F2.0F38.W# F5 /r", "PDEP r#a, r#b, r/m#", pdep, "bmi2"),
  ...vex("VEX.LZ.F3.0F38.W# F5 /r", "PEXT r#a, r#b, r/m#", pext, "bmi2"),
  ...vex("VEX.LZ.F2.0F3A.W# F0 /r ib", "RORX r#, r/m#, imm8", rorx, "bmi2"),
  ...vex("VEX.LZ.66.0F38.W# F7 /r", "SHLX r#a, r/m#, r#b", shiftX("SHLX", "shl"), "bmi2"),
  ...vex("VEX.LZ.F2.0F38.W# F7 /r", "SHRX r#a, r/m#, r#b", shiftX("SHRX", "shr_u"), "bmi2"),
  ...vex("VEX.LZ.F3.0F38.W# F7 /r", "SARX r#a, r/m#, r#b", shiftX("SARX", "shr_s"), "bmi2"),
  ...add("66", "ADCX", addFlag("ADCX", Flag.CF, 0)),
  ...add("F3", "ADOX", addFlag("ADOX", Flag.OF, 11)),
  row("F2 REX.W 0F 38 F0 /r", "CRC32 r64, r/m8", crc32, { operandSize: 8, only: 64, feature: "crc32" }),
  row("F2 0F 38 F0 /r", "CRC32 r32, r/m8", crc32, { feature: "crc32" }),
  row("F2 REX.W 0F 38 F1 /r", "CRC32 r64, r/m64", crc32, { operandSize: 8, only: 64, feature: "crc32" }),
  row("F2 0F 38 F1 /r", "CRC32 r32, r/m16", crc32, { operandSize: 2, feature: "crc32" }),
  row("F2 0F 38 F1 /r", "CRC32 r32, r/m32", crc32, { operandSize: 4, feature: "crc32" })
];

// emulator/isa/rows/moves.ts
var RSP = 4;
var RBP = 5;
var mov = body("MOV", (s) => {
  const v = s.value(1);
  s.write(s.location(0, "w"), v);
});
var movzx = body("MOVZX", (s) => {
  const v = s.value(1);
  s.write(s.location(0, "w"), v);
});
var movsx = body("MOVSX", (s) => {
  const v = s.value(1);
  s.write(s.location(0, "w"), zx(s.size, sx(s.operandSize(1), v)));
});
var lea = body("LEA", (s) => s.write(s.location(0, "w"), zx(s.size, { op: "ea", type: "i64" })));
var movbe = body("MOVBE", (s) => {
  const v = s.value(1);
  const bytes = Array.from(
    { length: s.size },
    (_, i) => bin("shl", bin("and", bin("shr_u", v, c64(i * 8)), c64(255)), c64((s.size - 1 - i) * 8))
  );
  s.write(
    s.location(0, "w"),
    bytes.reduce((a, b) => bin("or", a, b))
  );
});
var xchg = body("XCHG", (s) => {
  const dst = s.location(0, "rw");
  const a = s.read(dst);
  const b = s.value(1);
  s.setRegister({ operand: 1 }, s.size, a);
  s.write(dst, b);
});
var xadd = body("XADD", (s) => {
  const dst = s.location(0, "rw");
  const a = s.read(dst);
  const b = s.value(1);
  s.flags(FlagKind.add, a, b);
  s.setRegister({ operand: 1 }, s.size, a);
  s.write(dst, zx(s.size, bin("add", a, b)));
});
var cmpxchg = body("CMPXCHG", (s) => {
  const dst = s.location(0, "rw");
  const a = s.read(dst);
  const src = s.value(1);
  const old = s.gpr(0);
  const accumulator = s.let(zx(s.size, old));
  const equal = s.let(bin("eq", accumulator, a));
  s.flags(FlagKind.sub, accumulator, a);
  const loaded = s.size <= 2 ? bin("or", bin("and", old, c64(s.size === 1 ? ~0xffn : ~0xffffn)), a) : a;
  s.setGpr(0, select(equal, old, loaded));
  s.write(dst, select(equal, src, a));
});
var cmpxchgPair = (name, half) => body(name, (s) => {
  const address = { op: "ea", type: "i64" };
  if (half === 8) s.fault(bin("ne", bin("and", address, c64(15)), c64(0)), 13, 0);
  const dst = s.access(address, half * 2, "rw");
  const low = s.read(dst, half, 0);
  const high = s.read(dst, half, half);
  const a = s.gpr(0, half);
  const d = s.gpr(2, half);
  const oldA = s.gpr(0);
  const oldD = s.gpr(2);
  const equal = s.let(bin("and", bin("eq", a, low), bin("eq", d, high)));
  const b = s.gpr(3, half);
  const c = s.gpr(1, half);
  s.explicitFlags(bin("or", bin("and", s.arithmeticFlags(), c32(~Flag.ZF)), s.at(equal, 6)));
  s.setGpr(0, select(equal, oldA, low));
  s.setGpr(2, select(equal, oldD, high));
  s.store(dst, select(equal, b, low), half, 0);
  s.store(dst, select(equal, c, high), half, half);
  s.storesDone(dst);
});
var cmov = body(
  "CMOV",
  (s) => {
    const v = s.value(1);
    const c = s.condition(s.shape.parameter);
    const old = s.register({ operand: 0 }, s.size);
    s.write(s.location(0, "w"), select(c, v, old));
  },
  "parameter"
);
var setcc = body("SETcc", (s) => s.write(s.location(0, "w"), un("extend_u", s.condition(s.shape.parameter))), "parameter");
var extendAccumulator = body("CBW", (s) => {
  const half = s.size / 2;
  s.setGpr(0, zx(s.size, sx(half, s.gpr(0, half))), s.size);
});
var signToDx = body("CWD", (s) => s.setGpr(2, zx(s.size, bin("shr_s", sx(s.size, s.gpr(0, s.size)), c64(63))), s.size));
var stackMask = (s, e) => zx(s.shape.stack, e);
function push(s, value, size = s.size) {
  const sp = s.let(stackMask(s, bin("sub", s.gpr(RSP, s.shape.stack), c64(size))));
  const slot2 = s.access(sp, size, "w", Seg.ss);
  s.setGpr(RSP, sp, s.shape.stack);
  s.write(slot2, value);
}
function pop(s, size = s.size) {
  const sp = s.gpr(RSP, s.shape.stack);
  const value = s.read(s.access(sp, size, "r", Seg.ss), size);
  return {
    value,
    setSp: (extra) => {
      const next = bin("add", sp, c64(size));
      s.setGpr(RSP, stackMask(s, extra ? bin("add", next, extra) : next), s.shape.stack);
    }
  };
}
var pushBody = body("PUSH", (s) => push(s, s.value(0)), "stack");
var popBody = body(
  "POP",
  (s) => {
    const top = pop(s);
    const dst = s.location(0, "w");
    top.setSp();
    s.write(dst, top.value);
  },
  "stack"
);
var pusha = body(
  "PUSHA",
  (s) => {
    const sp = s.gpr(RSP, s.shape.stack);
    const bottom = s.let(stackMask(s, bin("sub", sp, c64(8 * s.size))));
    const area = s.access(bottom, 8 * s.size, "w", Seg.ss);
    const values = Array.from({ length: 8 }, (_, n) => n === RSP ? zx(s.size, sp) : s.gpr(n, s.size));
    s.setGpr(RSP, bottom, s.shape.stack);
    values.forEach((v, n) => s.store(area, v, s.size, (7 - n) * s.size));
    s.storesDone(area);
  },
  "stack"
);
var popa = body(
  "POPA",
  (s) => {
    const sp = s.gpr(RSP, s.shape.stack);
    const area = s.access(sp, 8 * s.size, "r", Seg.ss);
    const values = Array.from({ length: 8 }, (_, n) => s.read(area, s.size, (7 - n) * s.size));
    values.forEach((v, n) => n !== RSP && s.setGpr(n, v, s.size));
    s.setGpr(RSP, stackMask(s, bin("add", sp, c64(8 * s.size))), s.shape.stack);
  },
  "stack"
);
var leave = body(
  "LEAVE",
  (s) => {
    const bp = s.gpr(RBP, s.shape.stack);
    const value = s.read(s.access(bp, s.size, "r", Seg.ss), s.size);
    s.setGpr(RSP, stackMask(s, bin("add", bp, c64(s.size))), s.shape.stack);
    s.setGpr(RBP, value, s.size);
  },
  "stack"
);
var carryTo = (name, change) => body(name, (s) => s.explicitFlags(change(s.arithmeticFlags())));
var direction = (name, on) => body(name, (s) => {
  const old = s.state(State.systemFlags);
  s.writeState(State.systemFlags, on ? bin("or", old, c32(Flag.DF)) : bin("and", old, c32(~Flag.DF)));
});
var SAHF_MASK = Flag.SF | Flag.ZF | Flag.AF | Flag.PF | Flag.CF;
var lahf = body("LAHF", (s) => {
  const f = bin("or", bin("and", s.arithmeticFlags(), c32(SAHF_MASK)), c32(2));
  const ax = s.gpr(0, 2);
  s.setGpr(0, bin("or", bin("and", ax, c64(255)), bin("shl", un("extend_u", f), c64(8))), 2);
});
var sahf = body("SAHF", (s) => {
  const ah = un("wrap", bin("shr_u", s.gpr(0, 2), c64(8)));
  s.explicitFlags(bin("or", bin("and", s.arithmeticFlags(), c32(Flag.OF)), bin("and", ah, c32(SAHF_MASK))));
});
var salc = body("SALC", (s) => s.setGpr(0, bin("sub", c64(0), s.carry()), 1));
var nop = body("NOP", () => void 0);
var nopMemory = body("NOPM", () => void 0);
var conditions = ["O", "NO", "B", "AE", "E", "NE", "BE", "A", "S", "NS", "P", "NP", "L", "GE", "LE", "G"];
var hex3 = (n) => n.toString(16).toUpperCase().padStart(2, "0");
var lock = { lock: true };
var d64 = { in64: "default64" };
var moveRows = [
  row("88 /r", "MOV r/m8, r8", mov),
  ...sized("89 /r", "MOV r/m#, r#", mov),
  row("8A /r", "MOV r8, r/m8", mov),
  ...sized("8B /r", "MOV r#, r/m#", mov),
  row("A0", "MOV AL, moffs8", mov),
  ...sized("A1", "MOV rAX#, moffs#", mov),
  row("A2", "MOV moffs8, AL", mov),
  ...sized("A3", "MOV moffs#, rAX#", mov),
  row("B0+rb ib", "MOV r8, imm8", mov),
  row("B8+rw iw", "MOV r16, imm16", mov, { operandSize: 2 }),
  row("B8+rd id", "MOV r32, imm32", mov, { operandSize: 4 }),
  row("REX.W + B8+rd io", "MOV r64, imm64", mov, { operandSize: 8, only: 64 }),
  row("C6 /0 ib", "MOV r/m8, imm8", mov),
  ...sized("C7 /0 i#", "MOV r/m#, imm#", mov),
  ...sized("0F B6 /r", "MOVZX r#, r/m8", movzx),
  ...sized("0F B7 /r", "MOVZX r#, r/m16", movzx),
  ...sized("0F BE /r", "MOVSX r#, r/m8", movsx),
  ...sized("0F BF /r", "MOVSX r#, r/m16", movsx),
  row("63 /r", "MOVSXD r16, r/m16", movsx, { only: 64, operandSize: 2 }),
  row("63 /r", "MOVSXD r32, r/m32", movsx, { only: 64, operandSize: 4 }),
  row("REX.W + 63 /r", "MOVSXD r64, r/m32", movsx, { only: 64, operandSize: 8 }),
  ...sized("8D /r", "LEA r#, m", lea, { addressOnly: true }),
  // Reported with SSE2, which every processor with 64-bit mode has.
  row("NP 0F C3 /r", "MOVNTI m32, r32", mov, { operandSize: 4 }),
  row("NP REX.W + 0F C3 /r", "MOVNTI m64, r64", mov, { operandSize: 8, only: 64 }),
  ...sized("0F 38 F0 /r", "MOVBE r#, m#", movbe, { feature: "movbe" }),
  ...sized("0F 38 F1 /r", "MOVBE m#, r#", movbe, { feature: "movbe" }),
  row("86 /r", "XCHG r/m8, r8", xchg, lock),
  ...sized("87 /r", "XCHG r/m#, r#", xchg, lock),
  row("90", "NOP", nop),
  ...sized("90+r#", "XCHG rAX#, r#", xchg),
  row("0F C0 /r", "XADD r/m8, r8", xadd, lock),
  ...sized("0F C1 /r", "XADD r/m#, r#", xadd, lock),
  row("0F B0 /r", "CMPXCHG r/m8, r8", cmpxchg, lock),
  ...sized("0F B1 /r", "CMPXCHG r/m#, r#", cmpxchg, lock),
  row("0F C7 /1", "CMPXCHG8B m64", cmpxchgPair("CMPXCHG8B", 4), { ...lock, operandSize: 2 }),
  row("0F C7 /1", "CMPXCHG8B m64", cmpxchgPair("CMPXCHG8B", 4), { ...lock, operandSize: 4 }),
  row("REX.W + 0F C7 /1", "CMPXCHG16B m128", cmpxchgPair("CMPXCHG16B", 8), { ...lock, operandSize: 8, only: 64, feature: "cx16" }),
  ...conditions.flatMap((c, n) => [
    ...sized(`0F ${hex3(64 + n)} /r`, `CMOV${c} r#, r/m#`, cmov, { parameter: n }),
    row(`0F ${hex3(144 + n)} /r`, `SET${c} r/m8`, setcc, { parameter: n })
  ]),
  ...sized("98", "CBW#", extendAccumulator),
  ...sized("99", "CWD#", signToDx),
  ...sized("50+r#", "PUSH r#", pushBody, d64),
  ...sized("FF /6", "PUSH r/m#", pushBody, d64),
  ...sized("68 i#", "PUSH imm#", pushBody, d64),
  ...sized("6A ib", "PUSH imm8", pushBody, d64),
  ...sized("58+r#", "POP r#", popBody, d64),
  ...sized("8F /0", "POP r/m#", popBody, d64),
  row("60", "PUSHA", pusha, { only: 32, operandSize: 2 }),
  row("60", "PUSHAD", pusha, { only: 32, operandSize: 4 }),
  row("61", "POPA", popa, { only: 32, operandSize: 2 }),
  row("61", "POPAD", popa, { only: 32, operandSize: 4 }),
  ...sized("C9", "LEAVE", leave, d64),
  row("F5", "CMC", carryTo("CMC", (f) => bin("xor", f, c32(1)))),
  // prettier-ignore
  row("F8", "CLC", carryTo("CLC", (f) => bin("and", f, c32(~1)))),
  // prettier-ignore
  row("F9", "STC", carryTo("STC", (f) => bin("or", f, c32(1)))),
  // prettier-ignore
  row("FC", "CLD", direction("CLD", false)),
  row("FD", "STD", direction("STD", true)),
  row("D6", "SALC", salc, { only: 32 }),
  row("9F", "LAHF", lahf),
  row("9E", "SAHF", sahf),
  ...sized("0F 1F /0", "NOP r/m#", nopMemory, { addressOnly: true }),
  ...[13, 24, 25, 26, 27, 28, 29, 30].map(
    (o) => row(`0F ${hex3(o)} /r`, "NOP r/m32, r32", nopMemory, { addressOnly: true })
  ),
  ...[1, 2, 3, 4, 5, 6, 7].map((d) => row(`0F 1F /${d}`, "NOP r/m32", nopMemory, { addressOnly: true }))
];

// emulator/isa/rows/control.ts
var RCX2 = 1;
var RSI2 = 6;
var RDI2 = 7;
var GP2 = 13;
function checkTarget(s, target) {
  if (!s.shape.code64) {
    const near = s.let(zx(s.size, target));
    if (s.shape.segmented) s.checkCodeLimit(near);
    return near;
  }
  const t = s.let(target);
  const shift2 = s.let(un("extend_u", s.state(State.canonicalShift)));
  s.fault(bin("ne", bin("shr_s", bin("shl", t, shift2), shift2), t), GP2, 0);
  return t;
}
var jcc = body(
  "Jcc",
  (s) => {
    const taken = s.condition(s.shape.parameter);
    s.checkBranch(taken);
    s.branch(taken);
  },
  "parameter",
  "segmented"
);
var jmp = body(
  "JMP",
  (s) => {
    s.checkBranch();
    s.branch();
  },
  "segmented"
);
var jmpIndirect = body("JMPI", (s) => s.jump(checkTarget(s, s.value(0))), "code64", "segmented");
var call = body(
  "CALL",
  (s) => {
    s.checkBranch();
    push(s, zx(s.size, s.nextIp()));
    s.branch();
  },
  "stack",
  "code64"
);
var callIndirect = body(
  "CALLI",
  (s) => {
    const target = checkTarget(s, s.let(s.value(0)));
    push(s, zx(s.size, s.nextIp()));
    s.jump(target);
  },
  "stack",
  "code64"
);
var ret = body(
  "RET",
  (s) => {
    const top = pop(s);
    const target = s.let(checkTarget(s, top.value));
    top.setSp(s.shape.operands.length > 0 ? bin("and", s.immediate(), c64(65535)) : void 0);
    s.jump(target);
  },
  "stack",
  "code64"
);
var decrementCounter = (s) => s.let(zx(s.shape.address, bin("sub", s.gpr(RCX2, s.shape.address), c64(1))));
var loop = body(
  "LOOP",
  (s) => {
    const count = decrementCounter(s);
    let taken = bin("ne", count, c64(0));
    if (s.shape.parameter < 2) taken = bin("and", taken, s.condition(s.shape.parameter === 1 ? 4 : 5));
    const t = s.let(taken);
    s.checkBranch(t);
    s.setGpr(RCX2, count, s.shape.address);
    s.branch(t);
  },
  "address",
  "parameter",
  "segmented"
);
var jrcxz = body(
  "JRCXZ",
  (s) => {
    const taken = s.let(un("eqz", s.gpr(RCX2, s.shape.address)));
    s.checkBranch(taken);
    s.branch(taken);
  },
  "address",
  "segmented"
);
var masked = (s, e) => zx(s.shape.address, e);
var stringBody = (name, iteration) => body(
  name,
  (s) => {
    if (s.shape.rep !== 0) s.retireIf(un("eqz", s.gpr(RCX2, s.shape.address)));
    iteration(s, s.size);
  },
  "address",
  "rep",
  "segmented"
);
var step = (s) => s.let(select(bin("and", s.state(State.systemFlags), c32(Flag.DF)), c64(-s.size), c64(s.size)));
var source = (s) => s.gpr(RSI2, s.shape.address);
var destination = (s) => s.gpr(RDI2, s.shape.address);
var inSourceSegment = (s, address) => s.shape.segmented ? address : bin("add", { op: "ea", type: "i64" }, address);
var advance = (s, register, from, by) => s.setGpr(register, masked(s, bin("add", from, by)), s.shape.address);
function repeat(s, whileEqual) {
  if (s.shape.rep === 0) return;
  const count = decrementCounter(s);
  s.setGpr(RCX2, count, s.shape.address);
  const more = bin("ne", count, c64(0));
  s.again(whileEqual === void 0 ? more : bin("and", more, s.shape.rep === 243 ? whileEqual : un("eqz", whileEqual)));
}
var movs = stringBody("MOVS", (s, size) => {
  const by = step(s);
  const si = source(s);
  const di = destination(s);
  const v = s.read(s.access(inSourceSegment(s, si), size, "r"), size);
  const dst = s.access(di, size, "w", Seg.es);
  advance(s, RSI2, si, by);
  advance(s, RDI2, di, by);
  s.write(dst, v);
  repeat(s);
});
var stos = stringBody("STOS", (s, size) => {
  const by = step(s);
  const di = destination(s);
  const v = s.gpr(0, size);
  const dst = s.access(di, size, "w", Seg.es);
  advance(s, RDI2, di, by);
  s.write(dst, v);
  repeat(s);
});
var lods = stringBody("LODS", (s, size) => {
  const by = step(s);
  const si = source(s);
  const v = s.read(s.access(inSourceSegment(s, si), size, "r"), size);
  advance(s, RSI2, si, by);
  s.setGpr(0, v, size);
  repeat(s);
});
var scas = stringBody("SCAS", (s, size) => {
  const by = step(s);
  const di = destination(s);
  const v = s.read(s.access(di, size, "r", Seg.es), size);
  const a = s.gpr(0, size);
  const equal = s.let(bin("eq", a, v));
  s.flags(FlagKind.sub, a, v);
  advance(s, RDI2, di, by);
  repeat(s, equal);
});
var cmps = stringBody("CMPS", (s, size) => {
  const by = step(s);
  const si = source(s);
  const di = destination(s);
  const a = s.read(s.access(inSourceSegment(s, si), size, "r"), size);
  const b = s.read(s.access(di, size, "r", Seg.es), size);
  const equal = s.let(bin("eq", a, b));
  s.flags(FlagKind.sub, a, b);
  advance(s, RSI2, si, by);
  advance(s, RDI2, di, by);
  repeat(s, equal);
});
var xlat = body(
  "XLAT",
  (s) => {
    const address = masked(s, bin("add", s.gpr(3, s.shape.address), s.gpr(0, 1)));
    s.setGpr(0, s.read(s.access(inSourceSegment(s, address), 1, "r"), 1), 1);
  },
  "address",
  "segmented"
);
var conditions2 = ["O", "NO", "B", "AE", "E", "NE", "BE", "A", "S", "NS", "P", "NP", "L", "GE", "LE", "G"];
var hex4 = (n) => n.toString(16).toUpperCase().padStart(2, "0");
var nearSized = (opcode, instruction, by) => sized(opcode, instruction, by, { in64: "always64" }).map((r) => r.operandSize === 8 ? r : { ...r, only: 32 });
var branch = (opcode, instruction, by, parameter = 0) => [
  row(opcode, instruction, by, { operandSize: 4, only: 32, parameter }),
  row(opcode, instruction, by, { operandSize: 8, only: 64, in64: "always64", parameter }),
  row(opcode.replace("cd", "cw"), instruction.replace("rel32", "rel16"), by, { operandSize: 2, only: 32, parameter })
];
var strings = (opcode, mnemonic, by, kind) => [
  row(hex4(opcode), `${mnemonic}B`, by, { string: kind }),
  ...sized(hex4(opcode + 1), `${mnemonic}#`, by, { string: kind })
];
var controlRows = [
  ...conditions2.flatMap((c, n) => [
    ...branch(`${hex4(112 + n)} cb`, `J${c} rel8`, jcc, n),
    ...branch(`0F ${hex4(128 + n)} cd`, `J${c} rel32`, jcc, n)
  ]),
  ...branch("EB cb", "JMP rel8", jmp),
  ...branch("E9 cd", "JMP rel32", jmp),
  ...branch("E8 cd", "CALL rel32", call),
  ...nearSized("FF /4", "JMP r/m#", jmpIndirect),
  ...nearSized("FF /2", "CALL r/m#", callIndirect),
  ...nearSized("C3", "RET", ret),
  ...nearSized("C2 iw", "RET imm16", ret),
  ...branch("E0 cb", "LOOPNE rel8", loop, 0),
  ...branch("E1 cb", "LOOPE rel8", loop, 1),
  ...branch("E2 cb", "LOOP rel8", loop, 2),
  ...branch("E3 cb", "JRCXZ rel8", jrcxz),
  ...strings(164, "MOVS", movs, "rep"),
  ...strings(170, "STOS", stos, "rep"),
  ...strings(172, "LODS", lods, "rep"),
  ...strings(174, "SCAS", scas, "repe"),
  ...strings(166, "CMPS", cmps, "repe"),
  row("D7", "XLATB", xlat)
];

// emulator/isa/rows/shifts.ts
var maskedCount = (s, i) => s.let(bin("and", s.value(i, 1), c64(s.size === 8 ? 63 : 31)));
var nonZero = (e) => bin("ne", e, c64(0));
var shift = (name, kind) => body(name, (s) => {
  const count = maskedCount(s, 1);
  const dst = s.location(0, "rw");
  const a = s.read(dst);
  const value = kind === FlagKind.shl ? bin("shl", a, count) : kind === FlagKind.shr ? bin("shr_u", a, count) : bin("shr_s", sx(s.size, a), count);
  const r = s.let(zx(s.size, value));
  s.flags(kind, a, count, s.size, nonZero(count));
  s.write(dst, r);
});
var shl = shift("SHL", FlagKind.shl);
var shr = shift("SHR", FlagKind.shr);
var sar = shift("SAR", FlagKind.sar);
function rotateFlags(s, old, cf, of, when) {
  const kept = bin("and", old, c32(~(Flag.CF | Flag.OF)));
  s.explicitFlags(bin("or", kept, bin("or", cf, s.at(of, 11))), when);
}
var rotate = (name, left) => body(name, (s) => {
  const count = maskedCount(s, 1);
  const dst = s.location(0, "rw");
  const a = s.read(dst);
  const old = s.arithmeticFlags();
  let r;
  if (s.size === 8) r = s.let(bin(left ? "rotl" : "rotr", a, count));
  else {
    const n = s.let(bin("and", count, c64(s.bits - 1)));
    const back = bin("sub", c64(s.bits), n);
    r = s.let(zx(s.size, bin("or", bin(left ? "shl" : "shr_u", a, n), bin(left ? "shr_u" : "shl", a, back))));
  }
  const top = s.bit(r, s.bits - 1);
  if (left) rotateFlags(s, old, s.bit(r, 0), bin("xor", top, s.bit(r, 0)), nonZero(count));
  else rotateFlags(s, old, top, bin("xor", top, s.bit(r, s.bits - 2)), nonZero(count));
  s.write(dst, r);
});
var rol = rotate("ROL", true);
var ror = rotate("ROR", false);
var rotateCarry = (name, left) => body(name, (s) => {
  const masked2 = maskedCount(s, 1);
  const dst = s.location(0, "rw");
  const a = s.read(dst);
  const c = s.let(s.carry());
  const old = s.arithmeticFlags();
  let r;
  let cf;
  let count = masked2;
  if (s.size === 8) {
    const back = bin("sub", c64(64), count);
    const turned = left ? bin("or", bin("or", bin("shl", a, count), bin("shl", c, bin("sub", count, c64(1)))), bin("shr_u", bin("shr_u", a, c64(1)), back)) : bin("or", bin("or", bin("shr_u", a, count), bin("shl", c, back)), bin("shl", bin("shl", a, c64(1)), back));
    r = s.let(select(nonZero(count), turned, a));
    cf = s.bit(a, left ? back : bin("sub", count, c64(1)));
  } else {
    const width = s.bits + 1;
    count = s.let(s.size === 4 ? masked2 : bin("rem_u", masked2, c64(width)));
    const x = s.let(bin("or", a, bin("shl", c, c64(s.bits))));
    const back = bin("sub", c64(width), count);
    const turned = s.let(bin("and", bin("or", bin(left ? "shl" : "shr_u", x, count), bin(left ? "shr_u" : "shl", x, back)), c64((1n << BigInt(width)) - 1n)));
    r = s.let(zx(s.size, turned));
    cf = s.bit(turned, s.bits);
  }
  const cfOut = s.let(cf);
  const top = s.bit(r, s.bits - 1);
  rotateFlags(s, old, cfOut, left ? bin("xor", top, cfOut) : bin("xor", top, s.bit(r, s.bits - 2)), nonZero(count));
  s.write(dst, r);
});
var rcl = rotateCarry("RCL", true);
var rcr = rotateCarry("RCR", false);
var doubleShift = (name, left) => body(name, (s) => {
  const count = maskedCount(s, 2);
  const dst = s.location(0, "rw");
  const a = s.read(dst);
  const b = s.value(1);
  const back = bin("sub", c64(s.bits), count);
  const joined = bin("or", bin(left ? "shl" : "shr_u", a, count), bin(left ? "shr_u" : "shl", b, back));
  const r = s.let(select(nonZero(count), zx(s.size, joined), a));
  const cf = s.bit(a, left ? back : bin("sub", count, c64(1)));
  const of = bin("xor", s.bit(r, s.bits - 1), s.bit(a, s.bits - 1));
  s.explicitFlags(bin("or", s.resultFlags(r), bin("or", cf, s.at(of, 11))), nonZero(count));
  s.write(dst, r);
});
var shld = doubleShift("SHLD", true);
var shrd = doubleShift("SHRD", false);
function group(mnemonic, digit, by) {
  return [
    row(`C0 /${digit} ib`, `${mnemonic} r/m8, imm8`, by),
    ...sized(`C1 /${digit} ib`, `${mnemonic} r/m#, imm8`, by),
    row(`D0 /${digit}`, `${mnemonic} r/m8, 1`, by),
    ...sized(`D1 /${digit}`, `${mnemonic} r/m#, 1`, by),
    row(`D2 /${digit}`, `${mnemonic} r/m8, CL`, by),
    ...sized(`D3 /${digit}`, `${mnemonic} r/m#, CL`, by)
  ];
}
var bitTest = (name, change) => body(
  name,
  (s) => {
    const index = s.value(1);
    const access = change === "none" ? "r" : "rw";
    const log2 = s.size === 8 ? 6 : s.size === 4 ? 5 : 4;
    let dst;
    if (s.shape.operands[0] === "m" && s.shape.operands[1] === "r") {
      const units = bin("shr_s", sx(s.size, index), c64(log2));
      const address = bin("add", { op: "ea", type: "i64" }, bin("mul", units, c64(s.size)));
      dst = s.access(zx(s.shape.address, address), s.size, access);
    } else dst = s.location(0, access);
    const n = s.let(bin("and", index, c64(s.bits - 1)));
    const a = s.read(dst, s.size);
    const bit = s.let(s.bit(a, n));
    s.explicitFlags(bin("or", bin("and", s.arithmeticFlags(), c32(~Flag.CF)), bit));
    if (change === "none") return;
    const mask = bin("shl", c64(1), n);
    const r = change === "set" ? bin("or", a, mask) : change === "reset" ? bin("and", a, bin("xor", mask, c64(-1))) : bin("xor", a, mask);
    s.write(dst, zx(s.size, r), s.size);
  },
  "address"
);
var scan = (name, forward) => body(name, (s) => {
  const v = s.let(s.value(1));
  const dst = s.location(0, "w");
  const old = s.register({ operand: 0 }, 8);
  const zero = un("eqz", v);
  const r = forward ? un("ctz", v) : bin("sub", c64(63), un("clz", v));
  s.explicitFlags(bin("or", bin("and", s.arithmeticFlags(), c32(~Flag.ZF)), s.at(zero, 6)));
  if (dst.kind !== "register") throw new Error("bit scan to memory");
  const kept = s.size === 2 ? bin("and", old, c64(~0xffffn)) : c64(0);
  s.setRegister(dst.ref, 8, select(zero, old, bin("or", kept, r)));
});
var countZeros = (name, trailing) => body(name, (s) => {
  const v = s.let(s.value(1));
  const dst = s.location(0, "w");
  const full = c64(s.bits);
  const counted = trailing ? un("ctz", v) : bin("sub", un("clz", v), c64(64 - s.bits));
  const r = s.let(select(un("eqz", v), full, counted));
  s.explicitFlags(bin("or", s.at(un("eqz", r), 6), un("eqz", v)));
  s.write(dst, r);
});
var popcnt = body("POPCNT", (s) => {
  const v = s.let(s.value(1));
  const dst = s.location(0, "w");
  s.explicitFlags(s.at(un("eqz", v), 6));
  s.write(dst, un("popcnt", v));
});
var bswap = body("BSWAP", (s) => {
  const a = s.register({ operand: 0 }, s.size);
  if (s.size === 2) return s.setRegister({ operand: 0 }, 2, c64(0));
  const swap = (e, shiftBits, mask) => bin("or", bin("and", bin("shr_u", e, c64(shiftBits)), c64(mask)), bin("shl", bin("and", e, c64(mask)), c64(shiftBits)));
  let r = s.let(swap(a, 8, 0x00ff00ff00ff00ffn));
  r = s.let(swap(r, 16, 0x0000ffff0000ffffn));
  if (s.size === 8) r = bin("rotl", r, c64(32));
  s.setRegister({ operand: 0 }, s.size, bin("and", r, c64(maskOf(s.size))));
});
var bt = bitTest("BT", "none");
var bts = bitTest("BTS", "set");
var btr = bitTest("BTR", "reset");
var btc = bitTest("BTC", "complement");
var shiftRows = [
  ...group("ROL", 0, rol),
  ...group("ROR", 1, ror),
  ...group("RCL", 2, rcl),
  ...group("RCR", 3, rcr),
  ...group("SHL", 4, shl),
  ...group("SHR", 5, shr),
  ...group("SAL", 6, shl),
  ...group("SAR", 7, sar),
  ...sized("0F A4 /r ib", "SHLD r/m#, r#, imm8", shld),
  ...sized("0F A5 /r", "SHLD r/m#, r#, CL", shld),
  ...sized("0F AC /r ib", "SHRD r/m#, r#, imm8", shrd),
  ...sized("0F AD /r", "SHRD r/m#, r#, CL", shrd),
  ...sized("0F A3 /r", "BT r/m#, r#", bt),
  ...sized("0F AB /r", "BTS r/m#, r#", bts, { lock: true }),
  ...sized("0F B3 /r", "BTR r/m#, r#", btr, { lock: true }),
  ...sized("0F BB /r", "BTC r/m#, r#", btc, { lock: true }),
  ...sized("0F BA /4 ib", "BT r/m#, imm8", bt),
  ...sized("0F BA /5 ib", "BTS r/m#, imm8", bts, { lock: true }),
  ...sized("0F BA /6 ib", "BTR r/m#, imm8", btr, { lock: true }),
  ...sized("0F BA /7 ib", "BTC r/m#, imm8", btc, { lock: true }),
  ...sized("F3 0F BC /r", "TZCNT r#, r/m#", countZeros("TZCNT", true), { feature: "bmi1" }),
  ...sized("F3 0F BD /r", "LZCNT r#, r/m#", countZeros("LZCNT", false), { feature: "lzcnt" }),
  ...sized("F3 0F B8 /r", "POPCNT r#, r/m#", popcnt, { feature: "popcnt" }),
  ...sized("0F BC /r", "BSF r#, r/m#", scan("BSF", true)),
  ...sized("0F BD /r", "BSR r#, r/m#", scan("BSR", false)),
  ...sized("0F C8+r#", "BSWAP r#", bswap)
];

// emulator/isa/rows/system.ts
var hex5 = (n) => n.toString(16).toUpperCase().padStart(2, "0");
var range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
var simd = [
  ...range(16, 23),
  ...range(40, 47),
  ...range(80, 119),
  ...range(124, 127),
  194,
  196,
  197,
  198,
  ...range(208, 254)
];
var systemRows = [
  row("0F A2", "CPUID", "CPUID"),
  row("F4", "HLT", "HLT"),
  row("FA", "CLI", "CLI"),
  row("FB", "STI", "STI"),
  ...sized("9C", "PUSHF#", "PUSHF", { in64: "default64" }),
  ...sized("9D", "POPF#", "POPF", { in64: "default64" }),
  ...sized("C8 iw ib", "ENTER imm16, imm8", "ENTER", { in64: "default64" }),
  row("F3 90", "PAUSE", "PAUSE"),
  row("0F 20 /r", "MOV r64, CR0", "MOV_FROM_CR"),
  row("0F 22 /r", "MOV CR0, r64", "MOV_TO_CR"),
  row("0F 21 /r", "MOV r64, DR0", "MOV_FROM_DR"),
  row("0F 23 /r", "MOV DR0, r64", "MOV_TO_DR"),
  row("0F 06", "CLTS", "CLTS"),
  row("0F 08", "INVD", "INVD"),
  row("0F 09", "WBINVD", "WBINVD"),
  row("0F 0B", "UD2", "UD"),
  row("0F B9 /r", "UD1 r32, r/m32", "UD"),
  row("0F FF /r", "UD0 r32, r/m32", "UD"),
  row("0F 30", "WRMSR", "WRMSR"),
  row("0F 31", "RDTSC", "RDTSC"),
  row("0F 32", "RDMSR", "RDMSR"),
  row("0F 33", "RDPMC", "RDPMC"),
  row("0F 34", "SYSENTER", "SYSENTER"),
  row("0F 35", "SYSEXIT", "SYSEXIT", {}),
  row("0F 05", "SYSCALL", "SYSCALL"),
  row("0F 07", "SYSRET", "SYSRET"),
  row("0F 01 /0", "SGDT m", "SGDT"),
  row("0F 01 /1", "SIDT m", "SIDT"),
  row("0F 01 /2", "LGDT m16&64", "LGDT"),
  row("0F 01 /3", "LIDT m16&64", "LIDT"),
  row("0F 01 /4", "SMSW r/m16", "SMSW"),
  row("0F 01 /6", "LMSW r/m16", "LMSW"),
  row("0F 01 /7", "INVLPG m", "INVLPG"),
  row("0F 01 C1", "VMCALL", "VMX"),
  row("0F 01 C2", "VMLAUNCH", "VMX"),
  row("0F 01 C3", "VMRESUME", "VMX"),
  row("0F 01 C4", "VMXOFF", "VMX"),
  row("0F 01 D4", "VMFUNC", "VMX"),
  row("NP 0F 01 C8", "MONITOR", "MONITOR", { feature: "monitor" }),
  row("NP 0F 01 C9", "MWAIT", "MWAIT", { feature: "monitor" }),
  row("NP 0F 01 CA", "CLAC", "CLAC", { feature: "smap" }),
  row("NP 0F 01 CB", "STAC", "STAC", { feature: "smap" }),
  row("NP 0F 01 EE", "RDPKRU", "RDPKRU", { feature: "pku" }),
  row("NP 0F 01 EF", "WRPKRU", "WRPKRU", { feature: "pku" }),
  row("0F 01 D0", "XGETBV", "XGETBV"),
  row("0F 01 D1", "XSETBV", "XSETBV"),
  row("0F 01 F8", "SWAPGS", "SWAPGS", { only: 64 }),
  row("0F 01 F9", "RDTSCP", "RDTSCP"),
  row("NP 0F C7 /6", "VMPTRLD m64", "VMX"),
  row("66 0F C7 /6", "VMCLEAR m64", "VMX"),
  row("F3 0F C7 /6", "VMXON m64", "VMX"),
  row("NP 0F C7 /7", "VMPTRST m64", "VMX"),
  row("F3 0F C7 /7", "RDPID r64", "RDPID", { feature: "rdpid" }),
  row("NP 0F C7 /6", "RDRAND r64", "RDRAND", { feature: "rdrand" }),
  row("66 0F C7 /6", "RDRAND r64", "RDRAND", { feature: "rdrand" }),
  row("NP 0F C7 /7", "RDSEED r64", "RDSEED", { feature: "rdseed" }),
  row("66 0F C7 /7", "RDSEED r64", "RDSEED", { feature: "rdseed" }),
  row("NP 0F 78 /r", "VMREAD r/m64, r64", "VMX"),
  row("NP 0F 79 /r", "VMWRITE r64, r/m64", "VMX"),
  row("66 0F 38 80 /r", "INVEPT r64, m128", "VMX"),
  row("66 0F 38 81 /r", "INVVPID r64, m128", "VMX"),
  row("66 0F 38 82 /r", "INVPCID r64, m128", "INVPCID", { feature: "invpcid" }),
  row("0F 00 /0", "SLDT r/m16", "SLDT"),
  row("0F 00 /1", "STR r/m16", "STR"),
  row("0F 00 /2", "LLDT r/m16", "LLDT"),
  row("0F 00 /3", "LTR r/m16", "LTR"),
  row("0F 00 /4", "VERR r/m16", "VERR"),
  row("0F 00 /5", "VERW r/m16", "VERW"),
  row("0F 02 /r", "LAR r32, r/m16", "LAR"),
  row("0F 03 /r", "LSL r32, r/m16", "LSL"),
  row("63 /r", "ARPL r/m16, r16", "ARPL", { only: 32 }),
  ...sized("8C /r", "MOV r/m#, Sreg", "MOV_FROM_SREG"),
  ...sized("8E /r", "MOV Sreg, r/m#", "MOV_TO_SREG"),
  ...[
    ["06", "ES"],
    ["0E", "CS"],
    ["16", "SS"],
    ["1E", "DS"]
  ].map(([o, s]) => row(o, `PUSH ${s}`, "PUSH_SREG", { only: 32 })),
  ...[
    ["07", "ES"],
    ["17", "SS"],
    ["1F", "DS"]
  ].map(([o, s]) => row(o, `POP ${s}`, "POP_SREG", { only: 32 })),
  ...["A0", "A8"].flatMap((o) => sized(`0F ${o}`, `PUSH ${o === "A0" ? "FS" : "GS"}`, "PUSH_SREG", { in64: "default64" })),
  ...["A1", "A9"].flatMap((o) => sized(`0F ${o}`, `POP ${o === "A1" ? "FS" : "GS"}`, "POP_SREG", { in64: "default64" })),
  row("C4 /r", "LES r32, m16:32", "LOAD_FAR_POINTER", { only: 32 }),
  row("C5 /r", "LDS r32, m16:32", "LOAD_FAR_POINTER", { only: 32 }),
  row("0F B2 /r", "LSS r32, m16:32", "LOAD_FAR_POINTER"),
  row("0F B4 /r", "LFS r32, m16:32", "LOAD_FAR_POINTER"),
  row("0F B5 /r", "LGS r32, m16:32", "LOAD_FAR_POINTER"),
  row("62 /r", "BOUND r32, m32&32", "BOUND", { only: 32 }),
  row("CC", "INT3", "INT3"),
  row("CD ib", "INT imm8", "INT"),
  row("CE", "INTO", "INTO", { only: 32 }),
  row("F1", "INT1", "INT1"),
  ...sized("CF", "IRET#", "IRET"),
  row("EA cp", "JMP ptr16:32", "JMP_FAR", { only: 32 }),
  row("9A cp", "CALL ptr16:32", "CALL_FAR", { only: 32 }),
  ...sized("FF /5", "JMP m16:#", "JMP_FAR"),
  ...sized("FF /3", "CALL m16:#", "CALL_FAR"),
  ...sized("CB", "RET_FAR", "RET_FAR"),
  ...sized("CA iw", "RET_FAR imm16", "RET_FAR"),
  row("E4 ib", "IN AL, imm8", "IN"),
  row("E5 ib", "IN EAX, imm8", "IN"),
  row("EC", "IN AL, DX", "IN"),
  row("ED", "IN EAX, DX", "IN"),
  row("E6 ib", "OUT imm8, AL", "OUT"),
  row("E7 ib", "OUT imm8, EAX", "OUT"),
  row("EE", "OUT DX, AL", "OUT"),
  row("EF", "OUT DX, EAX", "OUT"),
  row("6C", "INSB", "INS", { string: "rep" }),
  row("6D", "INSD", "INS", { string: "rep" }),
  row("6E", "OUTSB", "OUTS", { string: "rep" }),
  row("6F", "OUTSD", "OUTS", { string: "rep" }),
  row("NP 0F AE /7", "CLFLUSH m8", "CLFLUSH"),
  row("66 0F AE /7", "CLFLUSHOPT m8", "CLFLUSH", { feature: "clflushopt" }),
  row("66 0F AE /6", "CLWB m8", "CLFLUSH", { feature: "clwb" }),
  row("NP 0F AE /5", "LFENCE", "FENCE"),
  row("NP 0F AE /6", "MFENCE", "FENCE"),
  row("NP 0F AE /7", "SFENCE", "FENCE"),
  row("F3 0F AE /0", "RDFSBASE r64", "RDFSBASE", { only: 64, feature: "fsgsbase" }),
  row("F3 0F AE /1", "RDGSBASE r64", "RDGSBASE", { only: 64, feature: "fsgsbase" }),
  row("F3 0F AE /2", "WRFSBASE r64", "WRFSBASE", { only: 64, feature: "fsgsbase" }),
  row("F3 0F AE /3", "WRGSBASE r64", "WRGSBASE", { only: 64, feature: "fsgsbase" }),
  ...[0, 1, 2, 3, 4].map((d) => row(`0F AE /${d}`, "FXSAVE m", "FPU")),
  row("9B", "WAIT", "FPU"),
  ...range(216, 223).map((o) => row(`${hex5(o)} /r`, "ESC m", "FPU")),
  ...simd.filter((o) => o !== 120 && o !== 121).map((o) => row(`0F ${hex5(o)} /r`, "SIMD r32, r/m32", "FPU"))
];

// emulator/isa/rows.ts
var instructionRows = [
  ...arithmeticRows,
  ...shiftRows,
  ...bitManipulationRows,
  ...moveRows,
  ...controlRows,
  ...systemRows
];

// emulator/cpu/interpreter-instance.ts
async function instantiateInterpreter(memory, imports) {
  const module2 = buildInterpreter(instructionRows);
  const { instance } = await WebAssembly.instantiate(module2.bytes, { e: { memory: memory.memory, ...imports } });
  return { module: module2, exports: instance.exports };
}

// emulator/spec/msr.ts
var WORD2 = 0xffffffffn;
var QUAD = 0xffffffffffffffffn;
var readOnly = { kind: "read-only" };
var ignored = { kind: "ignored" };
var canonical = { kind: "canonical" };
var Msr = {
  IA32_TIME_STAMP_COUNTER: 16,
  IA32_APIC_BASE: 27,
  IA32_FEATURE_CONTROL: 58,
  IA32_SYSENTER_CS: 372,
  IA32_SYSENTER_ESP: 373,
  IA32_SYSENTER_EIP: 374,
  IA32_MISC_ENABLE: 416,
  IA32_DEBUGCTL: 473,
  IA32_PAT: 631,
  IA32_EFER: 3221225600,
  IA32_STAR: 3221225601,
  IA32_LSTAR: 3221225602,
  IA32_CSTAR: 3221225603,
  IA32_FMASK: 3221225604,
  IA32_FS_BASE: 3221225728,
  IA32_GS_BASE: 3221225729,
  IA32_KERNEL_GS_BASE: 3221225730,
  IA32_TSC_AUX: 3221225731
};
var Spare = { mtrrDefType: State.spareMsr, mcgStatus: State.spareMsr + 8, mcControl: State.spareMsr + 16 };
var VARIABLE_MTRRS = 8;
var FIXED_MTRRS = [
  [592, "IA32_MTRR_FIX64K_00000", 0, 65536],
  [600, "IA32_MTRR_FIX16K_80000", 524288, 16384],
  [601, "IA32_MTRR_FIX16K_A0000", 655360, 16384],
  ...Array.from({ length: 8 }, (_, n) => {
    const from = 786432 + n * 32768;
    return [616 + n, `IA32_MTRR_FIX4K_${from.toString(16).toUpperCase()}`, from, 4096];
  })
];
var mtrrSlot = {
  base: (n) => State.mtrr + 16 * n,
  mask: (n) => State.mtrr + 16 * n + 8,
  /** By position in FIXED_MTRRS. */
  fixed: (n) => State.mtrr + 16 * VARIABLE_MTRRS + 8 * n,
  defType: Spare.mtrrDefType
};
var mtrrRows = () => [
  ...Array.from({ length: VARIABLE_MTRRS }, (_, n) => [
    { index: 512 + 2 * n, name: `IA32_MTRR_PHYSBASE${n}`, slot: mtrrSlot.base(n), reset: 0n, write: { kind: "mtrr-base" } },
    { index: 513 + 2 * n, name: `IA32_MTRR_PHYSMASK${n}`, slot: mtrrSlot.mask(n), reset: 0n, write: { kind: "mtrr-mask" } }
  ]).flat(),
  ...FIXED_MTRRS.map(([index, name], n) => ({ index, name, slot: mtrrSlot.fixed(n), reset: 0n, write: { kind: "mtrr-fixed" } }))
];
var MC_BANKS = 4;
var onlyZero = { kind: "mask", mask: 0n };
var machineCheckRows = () => [
  // Number of banks; no IA32_MCG_CTL.
  { index: 377, name: "IA32_MCG_CAP", reset: BigInt(MC_BANKS), write: readOnly },
  { index: 378, name: "IA32_MCG_STATUS", slot: Spare.mcgStatus, reset: 0n, write: { kind: "mask", mask: 7n } },
  ...Array.from({ length: MC_BANKS }, (_, n) => [
    { index: 1024 + 4 * n, name: `IA32_MC${n}_CTL`, slot: Spare.mcControl + 8 * n, reset: 0n, write: { kind: "mask", mask: QUAD } },
    { index: 1025 + 4 * n, name: `IA32_MC${n}_STATUS`, reset: 0n, write: onlyZero },
    { index: 1026 + 4 * n, name: `IA32_MC${n}_ADDR`, reset: 0n, write: onlyZero },
    { index: 1027 + 4 * n, name: `IA32_MC${n}_MISC`, reset: 0n, write: onlyZero }
  ]).flat()
];
var msrTable = [
  { index: 0, name: "IA32_P5_MC_ADDR", reset: 0n, write: ignored },
  { index: 1, name: "IA32_P5_MC_TYPE", reset: 0n, write: ignored },
  { index: Msr.IA32_TIME_STAMP_COUNTER, name: "IA32_TIME_STAMP_COUNTER", reset: 0n, write: { kind: "tsc" } },
  { index: 23, name: "IA32_PLATFORM_ID", reset: 0n, write: readOnly },
  // Bootstrap processor, APIC disabled: the local APIC is not modelled yet.
  { index: Msr.IA32_APIC_BASE, name: "IA32_APIC_BASE", slot: State.apicBase, reset: 0xfee00100n, write: { kind: "apic-base" } },
  { index: Msr.IA32_FEATURE_CONTROL, name: "IA32_FEATURE_CONTROL", slot: State.featureControl, reset: 0n, write: { kind: "feature-control" }, needs: ["vmx"] },
  // prettier-ignore
  { index: 121, name: "IA32_BIOS_UPDT_TRIG", reset: 0n, write: ignored },
  { index: 139, name: "IA32_BIOS_SIGN_ID", reset: 0n, write: ignored },
  // Eight variable ranges, the fixed ones, and the write-combining type.
  { index: 254, name: "IA32_MTRRCAP", reset: 0x500n | BigInt(VARIABLE_MTRRS), write: readOnly },
  ...mtrrRows(),
  ...machineCheckRows(),
  { index: Msr.IA32_SYSENTER_CS, name: "IA32_SYSENTER_CS", slot: State.sysenterCs, reset: 0n, write: { kind: "truncate", mask: WORD2 } },
  { index: Msr.IA32_SYSENTER_ESP, name: "IA32_SYSENTER_ESP", slot: State.sysenterEsp, reset: 0n, write: canonical },
  { index: Msr.IA32_SYSENTER_EIP, name: "IA32_SYSENTER_EIP", slot: State.sysenterEip, reset: 0n, write: canonical },
  // Fast strings on; branch trace storage and processor event based sampling unavailable.
  { index: Msr.IA32_MISC_ENABLE, name: "IA32_MISC_ENABLE", slot: State.miscEnable, reset: 0x1801n, write: { kind: "misc-enable" } },
  { index: Msr.IA32_DEBUGCTL, name: "IA32_DEBUGCTL", slot: State.debugctl, reset: 0n, write: { kind: "debugctl" } },
  { index: Msr.IA32_PAT, name: "IA32_PAT", slot: State.pat, reset: 0x0007040600070406n, write: { kind: "pat" } },
  { index: 767, name: "IA32_MTRR_DEF_TYPE", slot: Spare.mtrrDefType, reset: 0n, write: { kind: "mtrr-def-type" } },
  { index: Msr.IA32_EFER, name: "IA32_EFER", slot: State.efer, reset: 0n, write: { kind: "efer" } },
  { index: Msr.IA32_STAR, name: "IA32_STAR", slot: State.star, reset: 0n, write: { kind: "mask", mask: QUAD }, needs: ["syscall"] },
  { index: Msr.IA32_LSTAR, name: "IA32_LSTAR", slot: State.lstar, reset: 0n, write: canonical, needs: ["syscall"] },
  { index: Msr.IA32_CSTAR, name: "IA32_CSTAR", slot: State.cstar, reset: 0n, write: canonical, needs: ["syscall"] },
  { index: Msr.IA32_FMASK, name: "IA32_FMASK", slot: State.fmask, reset: 0n, write: { kind: "mask", mask: WORD2 }, needs: ["syscall"] },
  { index: Msr.IA32_FS_BASE, name: "IA32_FS_BASE", reset: 0n, write: { kind: "fs-base" } },
  { index: Msr.IA32_GS_BASE, name: "IA32_GS_BASE", reset: 0n, write: { kind: "gs-base" } },
  { index: Msr.IA32_KERNEL_GS_BASE, name: "IA32_KERNEL_GS_BASE", slot: State.kernelGsBase, reset: 0n, write: canonical },
  {
    index: Msr.IA32_TSC_AUX,
    name: "IA32_TSC_AUX",
    slot: State.tscAux,
    reset: 0n,
    write: { kind: "mask", mask: WORD2 },
    needs: ["rdtscp", "rdpid"]
  }
];
var byIndex = new Map(msrTable.map((row2) => [row2.index, row2]));
var msrRow = (index) => byIndex.get(index >>> 0);

// emulator/cpu/handler.ts
var generalProtection = (cpu, errorCode = 0) => cpu.raise(Vector.GP, errorCode);
var invalidOpcode = (cpu) => cpu.raise(Vector.UD);
function instructionExits(cpu, ports, name, length) {
  return cpu.vmxNonRoot && ports.vmx.intercept(cpu, { kind: "instruction", name, length });
}

// emulator/cpu/outcome.ts
var Outcome = {
  /** Retired: RIP moves to the next instruction. */
  next: 0,
  /** Retired (or VM entry made): RIP and mode were set by the instruction itself. */
  jumped: 1,
  /** Not retired: `cpu.pending*` says which exception or VM exit is due. */
  pending: 2,
  /** Not retired: a VM exit (or a VM entry failure that ends as one) is committed, the state is the host's. */
  exited: 3,
  /** Not retired: the machine stops (`cpu.stop` says why). */
  stopped: 4
};

// emulator/cpu/msr.ts
var RAX2 = 0;
var RCX3 = 1;
var RDX = 2;
var QUAD2 = 64;
var LOCK = 1n;
var FEATURE_CONTROL_WRITABLE = 7n;
var FAST_STRINGS = 1n;
var ENABLE_MONITOR = 1n << 18n;
var MISC_ENABLE_NOT_MODELLED = 1n << 22n | 1n << 34n;
var DEBUGCTL_WRITABLE = 3n;
var APIC_GLOBAL_ENABLE = 1n << 11n;
var MTRR_DEF_TYPE_WRITABLE = 0xcffn;
var PAT_TYPES = [0, 1, 4, 5, 6, 7];
var MTRR_TYPES = [0, 1, 4, 5, 6];
var exists = (cpu, row2) => !row2.needs || row2.needs.some((feature) => cpu.model.features.has(feature));
function resetMsrs(cpu) {
  for (const row2 of msrTable) if (row2.slot !== void 0) cpu.set64(row2.slot, row2.reset);
  if (cpu.model.features.has("monitor")) cpu.set64(State.miscEnable, cpu.get64(State.miscEnable) | ENABLE_MONITOR);
  cpu.set64(State.random, BigInt(cpu.index));
}
function setFirmwareMtrrs(cpu) {
  const eightTimes = (type) => type * 0x0101010101010101n;
  FIXED_MTRRS.forEach(([, , from], n) => cpu.set64(mtrrSlot.fixed(n), eightTimes(from >= 786432 ? 5n : from >= 655360 ? 0n : 6n)));
  cpu.set64(mtrrSlot.defType, 0xc06n);
}
function readMsr(cpu, ports, index) {
  const row2 = msrRow(index);
  if (!row2 || !exists(cpu, row2)) return cpu.model.features.has("vmx") ? ports.vmx.readCapabilityMsr(cpu, index >>> 0) : void 0;
  switch (row2.index) {
    case Msr.IA32_TIME_STAMP_COUNTER:
      return ports.clock.tsc(cpu);
    case Msr.IA32_FS_BASE:
      return cpu.segmentBase(Seg.fs);
    case Msr.IA32_GS_BASE:
      return cpu.segmentBase(Seg.gs);
    default:
      return row2.slot === void 0 ? row2.reset : cpu.get64(row2.slot);
  }
}
function writeMsr(cpu, ports, index, value) {
  const row2 = msrRow(index);
  if (!row2 || !exists(cpu, row2)) return false;
  const store = (stored) => {
    if (row2.slot !== void 0) cpu.set64(row2.slot, stored);
    return true;
  };
  switch (row2.write.kind) {
    case "read-only":
      return false;
    case "ignored":
      return true;
    case "mask":
      return (value & ~row2.write.mask) === 0n && store(value);
    case "truncate":
      return store(value & row2.write.mask);
    case "canonical":
      return isCanonical(cpu, value) && store(value);
    case "fs-base":
    case "gs-base":
      return isCanonical(cpu, value) && writeSegmentBase(cpu, row2.write.kind === "fs-base" ? Seg.fs : Seg.gs, value);
    case "tsc":
      cpu.set64(State.tscOffset, BigInt.asUintN(QUAD2, cpu.get64(State.tscOffset) + value - ports.clock.tsc(cpu)));
      return true;
    case "efer":
      return writeEfer(cpu, value);
    case "feature-control":
      return (cpu.get64(State.featureControl) & LOCK) === 0n && (value & ~FEATURE_CONTROL_WRITABLE) === 0n && store(value);
    case "pat":
      return bytesOf(value).every((type) => PAT_TYPES.includes(type)) && store(value);
    case "mtrr-def-type":
      return (value & ~MTRR_DEF_TYPE_WRITABLE) === 0n && MTRR_TYPES.includes(Number(value & 0xffn)) && store(value);
    case "mtrr-base":
      return (value & 0xf00n) === 0n && withinPhysicalWidth(cpu, value) && MTRR_TYPES.includes(Number(value & 0xffn)) && store(value);
    case "mtrr-mask":
      return (value & 0x7ffn) === 0n && withinPhysicalWidth(cpu, value) && store(value);
    case "mtrr-fixed":
      return bytesOf(value).every((type) => MTRR_TYPES.includes(type)) && store(value);
    case "misc-enable":
      if (value & MISC_ENABLE_NOT_MODELLED) return refuseNotModelled(cpu, "WRMSR to IA32_MISC_ENABLE sets a feature that is not built");
      return store(cpu.get64(State.miscEnable) & ~miscEnableWritable(cpu) | value & miscEnableWritable(cpu));
    case "debugctl":
      if (value & ~DEBUGCTL_WRITABLE) return false;
      return value === 0n ? store(value) : refuseNotModelled(cpu, "last-branch records and single-step on branches: WRMSR to IA32_DEBUGCTL");
    case "apic-base":
      if (value & APIC_GLOBAL_ENABLE) return refuseNotModelled(cpu, "the local APIC: WRMSR to IA32_APIC_BASE enables it");
      return (value & 0xffn) === 0n && value >> BigInt(cpu.model.maxPhyAddr) === 0n && store(value);
  }
}
var withinPhysicalWidth = (cpu, value) => value >> BigInt(cpu.model.maxPhyAddr) === 0n;
var miscEnableWritable = (cpu) => FAST_STRINGS | (cpu.model.features.has("monitor") ? ENABLE_MONITOR : 0n);
function refuseNotModelled(cpu, sentence) {
  cpu.notModelled(sentence);
  return false;
}
var bytesOf = (value) => Array.from({ length: 8 }, (_, i) => Number(value >> BigInt(i * 8) & 0xffn));
function writeSegmentBase(cpu, segment, base) {
  cpu.setSegment(segment, cpu.segmentSelector(segment), base, cpu.segmentLimit(segment), cpu.segmentAccess(segment));
  return true;
}
function writeEfer(cpu, value) {
  let allowed = Efer.LME | Efer.LMA;
  if (cpu.model.features.has("syscall")) allowed |= Efer.SCE;
  if (cpu.model.features.has("nx")) allowed |= Efer.NXE;
  if (value & ~allowed) return false;
  const old = cpu.efer;
  if (cpu.cr0 & Cr0.PG && (value ^ old) & Efer.LME) return false;
  cpu.set64(State.efer, value & ~Efer.LMA | old & Efer.LMA);
  if ((value ^ old) & Efer.NXE) cpu.mmu.flushAll(cpu);
  cpu.modeChanged();
  return true;
}
var rdmsr = (cpu, insn, ports) => {
  if (insn.lock) return invalidOpcode(cpu);
  if (cpu.cpl !== 0) return generalProtection(cpu);
  const index = cpu.gpr32(RCX3);
  if (cpu.vmxNonRoot && ports.vmx.intercept(cpu, { kind: "rdmsr", index, length: insn.length })) return Outcome.exited;
  const value = readMsr(cpu, ports, index);
  if (value === void 0) return generalProtection(cpu);
  cpu.setGpr(RAX2, value & 0xffffffffn);
  cpu.setGpr(RDX, value >> 32n);
  return Outcome.next;
};
var wrmsr = (cpu, insn, ports) => {
  if (insn.lock) return invalidOpcode(cpu);
  if (cpu.cpl !== 0) return generalProtection(cpu);
  const index = cpu.gpr32(RCX3);
  const value = BigInt(cpu.gpr32(RDX)) << 32n | BigInt(cpu.gpr32(RAX2));
  if (cpu.vmxNonRoot && ports.vmx.intercept(cpu, { kind: "wrmsr", index, length: insn.length, value })) return Outcome.exited;
  if (writeMsr(cpu, ports, index, value)) return Outcome.next;
  return cpu.stop ? Outcome.stopped : generalProtection(cpu);
};
var msrInstructions = { RDMSR: rdmsr, WRMSR: wrmsr };

// emulator/cpu/processor-mode.ts
var isRealMode = (cpu) => (cpu.u32[State.cr0 >> 2] & 1) === 0;
var isVirtual8086 = (cpu) => (cpu.i32[State.systemFlags >> 2] & Flag.VM) !== 0 && !isRealMode(cpu);
var isReal8086 = (cpu) => isRealMode(cpu) || isVirtual8086(cpu);
var ioplOf = (cpu) => (cpu.i32[State.systemFlags >> 2] & Flag.IOPL) >> 12;
var VIRTUAL_8086_ACCESS = 243;
var REAL_ACCESS = 147;
function loadRealSegment(cpu, segment, selector) {
  const base = BigInt(selector & 65535) << 4n;
  if (isVirtual8086(cpu)) return loadVirtual8086Segment(cpu, segment, selector);
  const access = cpu.segmentAccess(segment);
  if (access & Ar.unusable) cpu.setSegment(segment, selector & 65535, base, 65535, REAL_ACCESS);
  else cpu.setSegment(segment, selector & 65535, base, cpu.segmentLimit(segment), access);
}
function loadVirtual8086Segment(cpu, segment, selector) {
  cpu.setSegment(segment, selector & 65535, BigInt(selector & 65535) << 4n, 65535, VIRTUAL_8086_ACCESS);
}
function protectedOnly(handlers) {
  const wrapped = {};
  for (const [name, handler] of Object.entries(handlers))
    wrapped[name] = (cpu, insn, ports) => isReal8086(cpu) ? invalidOpcode(cpu) : handler(cpu, insn, ports);
  return wrapped;
}

// emulator/cpu/segmentation.ts
var IMPLICIT_READ = Access.read | Access.implicit;
var IMPLICIT_WRITE = Access.write | Access.implicit;
var isNull = (selector) => (selector & 65532) === 0;
var tableLinear = (cpu, linear) => BigInt.asUintN(cpu.longMode ? 64 : 32, linear);
function readDescriptor(cpu, selector, bytes = 8) {
  const local = (selector & 4) !== 0;
  if (local && cpu.segmentAccess(Seg.ldtr) & Ar.unusable) return "outside";
  const base = local ? cpu.segmentBase(Seg.ldtr) : cpu.get64(State.gdtrBase);
  const limit = local ? cpu.segmentLimit(Seg.ldtr) : cpu.get32(State.gdtrLimit);
  const offset = selector & 65528;
  if (offset + bytes - 1 > limit) return "outside";
  const linear = tableLinear(cpu, base + BigInt(offset));
  const first = cpu.loadLinear(linear, 8, IMPLICIT_READ);
  if (first === void 0) return void 0;
  let second = 0n;
  if (bytes === 16) {
    const upper = cpu.loadLinear(tableLinear(cpu, linear + 8n), 8, IMPLICIT_READ);
    if (upper === void 0) return void 0;
    second = upper;
  }
  const raw = { low: Number(first & 0xffffffffn), high: Number(first >> 32n) };
  return {
    selector,
    linear,
    raw,
    access: accessOf(raw),
    upperBase: Number(second & 0xffffffffn),
    upperWord: Number(second >> 32n)
  };
}
function fetchDescriptor(cpu, selector, vector = Vector.GP, ext = 0, bytes = 8) {
  const d = readDescriptor(cpu, selector, bytes);
  if (d !== "outside") return d;
  cpu.raise(vector, selectorError(selector, ext));
  return void 0;
}
function markAccessed(cpu, d) {
  if (d.access & Ar.accessed) return true;
  return cpu.storeLinear(d.linear + 5n, 1, BigInt(d.access & 255 | Ar.accessed), IMPLICIT_WRITE);
}
function setFromDescriptor(cpu, segment, selector, d) {
  cpu.setSegment(segment, selector & 65535, BigInt(baseOf(d.raw)), limitOf(d.raw), d.access | Ar.accessed);
}
function setNull(cpu, segment, selector, cpl = 0) {
  cpu.setSegment(segment, selector & 65535, 0n, 0, Ar.unusable | (segment === Seg.ss ? cpl << 5 : 0));
}
function refuse2(cpu, vector, errorCode) {
  cpu.raise(vector, errorCode);
  return false;
}
function loadSs(cpu, selector) {
  const cpl = cpu.cpl;
  if (isNull(selector)) {
    if (!cpu.code64 || cpl === 3 || (selector & 3) !== cpl) return refuse2(cpu, Vector.GP, 0);
    setNull(cpu, Seg.ss, selector, cpl);
    return true;
  }
  const d = fetchDescriptor(cpu, selector);
  if (!d) return false;
  if ((selector & 3) !== cpl || !isWritableData(d.access) || dplOf(d.access) !== cpl)
    return refuse2(cpu, Vector.GP, selectorError(selector));
  if (!(d.access & Ar.present)) return refuse2(cpu, Vector.SS, selectorError(selector));
  if (!markAccessed(cpu, d)) return false;
  setFromDescriptor(cpu, Seg.ss, selector, d);
  return true;
}
function loadSegmentRegister(cpu, segment, selector) {
  if (isReal8086(cpu)) {
    loadRealSegment(cpu, segment, selector);
    return true;
  }
  if (segment === Seg.ss) return loadSs(cpu, selector);
  if (isNull(selector)) {
    setNull(cpu, segment, selector);
    return true;
  }
  const d = fetchDescriptor(cpu, selector);
  if (!d) return false;
  const readable = isData(d.access) || isCode(d.access) && (d.access & Ar.writable) !== 0;
  if (!readable) return refuse2(cpu, Vector.GP, selectorError(selector));
  const dpl = dplOf(d.access);
  if (!isConformingCode(d.access) && ((selector & 3) > dpl || cpu.cpl > dpl)) return refuse2(cpu, Vector.GP, selectorError(selector));
  if (!(d.access & Ar.present)) return refuse2(cpu, Vector.NP, selectorError(selector));
  if (!markAccessed(cpu, d)) return false;
  setFromDescriptor(cpu, segment, selector, d);
  return true;
}
var reservedLongAndBig = (cpu, access) => cpu.longMode && (access & Ar.long) !== 0 && (access & Ar.big) !== 0;
function isValidTarget(cpu, d, offset) {
  if (cpu.longMode && d.access & Ar.long) return isCanonical(cpu, offset);
  return offset <= BigInt(limitOf(d.raw));
}
function commitCodeSegment(cpu, selector, d, cpl, rip) {
  setFromDescriptor(cpu, Seg.cs, selector & 65532 | cpl, d);
  cpu.setCpl(cpl);
  cpu.rip = rip;
}
function dropInnerSegments(cpu, cpl) {
  for (const segment of [Seg.es, Seg.fs, Seg.gs, Seg.ds]) {
    const access = cpu.segmentAccess(segment);
    if (access & Ar.unusable || isConformingCode(access) || dplOf(access) >= cpl) continue;
    cpu.setSegment(segment, 0, cpu.segmentBase(segment), cpu.segmentLimit(segment), Ar.unusable);
  }
}

// emulator/cpu/stack.ts
var RSP2 = 4;
function currentStack(cpu, errorCode = 0) {
  const access = cpu.segmentAccess(Seg.ss);
  const bits = cpu.code64 ? 64 : access & Ar.big ? 32 : 16;
  return {
    sp: BigInt.asUintN(bits, cpu.gpr(RSP2)),
    wide: cpu.code64,
    bits,
    base: cpu.segmentBase(Seg.ss),
    limit: cpu.segmentLimit(Seg.ss),
    access,
    privilege: 0,
    errorCode
  };
}
function wideStack(sp, privilege, errorCode) {
  return { sp, wide: true, bits: 64, base: 0n, limit: 4294967295, access: 0, privilege, errorCode };
}
function segmentStack(sp, base, limit, access, privilege, errorCode) {
  const bits = access & Ar.big ? 32 : 16;
  return { sp: BigInt.asUintN(bits, sp), wide: false, bits, base, limit, access, privilege, errorCode };
}
function slotLinear(cpu, stack, sp, size) {
  const ok = stack.wide ? isCanonical(cpu, sp) && isCanonical(cpu, BigInt.asUintN(64, sp + BigInt(size - 1))) : (stack.access & Ar.unusable) === 0 && insideLimit(stack.limit, stack.access, sp, size);
  if (ok) return stack.wide ? sp : stack.base + sp & 0xffffffffn;
  cpu.raise(Vector.SS, stack.errorCode);
  return void 0;
}
function pushFrame(cpu, stack, slots) {
  let sp = stack.sp;
  const places = [];
  for (const slot2 of slots) {
    sp = BigInt.asUintN(stack.bits, sp - BigInt(slot2.size));
    const linear = slotLinear(cpu, stack, sp, slot2.size);
    if (linear === void 0) return false;
    places.push(linear);
  }
  for (let i = 0; i < slots.length; i++)
    if (slots.length > 1 && !cpu.probeWrite(places[i], slots[i].written ?? slots[i].size, Access.write | stack.privilege)) return false;
  for (let i = 0; i < slots.length; i++) {
    const size = slots[i].written ?? slots[i].size;
    if (!cpu.storeLinear(places[i], size, BigInt.asUintN(size * 8, slots[i].value), Access.write | stack.privilege)) return false;
  }
  stack.sp = sp;
  return true;
}
function popFrame(cpu, stack, size, count) {
  let sp = stack.sp;
  const values = [];
  for (let i = 0; i < count; i++) {
    const linear = slotLinear(cpu, stack, sp, size);
    if (linear === void 0) return void 0;
    const value = cpu.loadLinear(linear, size, Access.read | stack.privilege);
    if (value === void 0) return void 0;
    values.push(value);
    sp = BigInt.asUintN(stack.bits, sp + BigInt(size));
  }
  stack.sp = sp;
  return values;
}
function setStackPointer(cpu, sp, bits) {
  cpu.setGprSized(RSP2, bits / 8, BigInt.asUintN(bits, sp));
}
function commitStack(cpu, stack) {
  setStackPointer(cpu, stack.sp, stack.bits);
}

// emulator/cpu/inner-stack.ts
var privilegeOf = (cpl) => cpl < 3 ? Access.implicit : 0;
function readTss(cpu, offset, size, ext) {
  if (offset + size - 1 > cpu.segmentLimit(Seg.tr)) {
    cpu.raise(Vector.TS, selectorError(cpu.segmentSelector(Seg.tr), ext));
    return void 0;
  }
  return cpu.loadLinear(tableLinear(cpu, cpu.segmentBase(Seg.tr) + BigInt(offset)), size, IMPLICIT_READ);
}
function innerStack(cpu, cpl, ext) {
  const wide = (cpu.segmentAccess(Seg.tr) & 8) !== 0;
  const [spAt, ssAt] = wide ? [Tss.esp(cpl), Tss.ss(cpl)] : [Tss16.sp(cpl), Tss16.ss(cpl)];
  if (ssAt + 1 > cpu.segmentLimit(Seg.tr)) return cpu.raise(Vector.TS, selectorError(cpu.segmentSelector(Seg.tr), ext));
  const sp = readTss(cpu, spAt, wide ? 4 : 2, ext);
  if (sp === void 0) return Outcome.pending;
  const ss = readTss(cpu, ssAt, 2, ext);
  if (ss === void 0) return Outcome.pending;
  const selector = Number(ss);
  if (isNull(selector)) return cpu.raise(Vector.TS, ext);
  const descriptor = fetchDescriptor(cpu, selector, Vector.TS, ext);
  if (!descriptor) return Outcome.pending;
  const { access } = descriptor;
  const code = selectorError(selector, ext);
  if ((selector & 3) !== cpl || dplOf(access) !== cpl || !isWritableData(access)) return cpu.raise(Vector.TS, code);
  if (!(access & Ar.present)) return cpu.raise(Vector.SS, code);
  if (!markAccessed(cpu, descriptor)) return Outcome.pending;
  const stack = segmentStack(sp, BigInt(baseOf(descriptor.raw)), limitOf(descriptor.raw), access, privilegeOf(cpl), code);
  return { stack, selector, descriptor };
}

// emulator/cpu/real-transfers.ts
var beyondLimit = (cpu, ip) => ip > BigInt(cpu.segmentLimit(Seg.cs));
function commitRealCode(cpu, selector, ip) {
  loadRealSegment(cpu, Seg.cs, selector);
  cpu.rip = ip;
  cpu.modeChanged();
  return Outcome.jumped;
}
function realJump(cpu, selector, ip) {
  return beyondLimit(cpu, ip) ? generalProtection(cpu) : commitRealCode(cpu, selector, ip);
}
function realCall(cpu, insn, selector, ip) {
  const size = insn.operandSize;
  const stack = currentStack(cpu);
  if (beyondLimit(cpu, ip)) return generalProtection(cpu);
  const frame = [
    { size, value: BigInt(cpu.segmentSelector(Seg.cs)) },
    { size, value: nextIp(cpu, insn) }
  ];
  if (!pushFrame(cpu, stack, frame)) return Outcome.pending;
  commitStack(cpu, stack);
  return commitRealCode(cpu, selector, ip);
}
function realReturn(cpu, insn, released) {
  const stack = currentStack(cpu);
  const frame = popFrame(cpu, stack, insn.operandSize, 2);
  if (!frame) return Outcome.pending;
  if (beyondLimit(cpu, frame[0])) return generalProtection(cpu);
  stack.sp = BigInt.asUintN(stack.bits, stack.sp + released);
  commitStack(cpu, stack);
  return commitRealCode(cpu, Number(frame[1] & 0xffffn), frame[0]);
}
function realInterruptReturn(cpu, size, loads, image = (flags) => flags) {
  const stack = currentStack(cpu);
  const frame = popFrame(cpu, stack, size, 3);
  if (!frame) return Outcome.pending;
  if (beyondLimit(cpu, frame[0])) return generalProtection(cpu);
  const flags = image(Number(frame[2] & 0xffffffffn) | 0);
  if (flags === void 0) return generalProtection(cpu);
  commitStack(cpu, stack);
  cpu.flags = cpu.flags & ~loads | flags & loads;
  cpu.set32(State.interruptibility, cpu.get32(State.interruptibility) & ~Interruptibility.blockingByNmi);
  return commitRealCode(cpu, Number(frame[1] & 0xffffn), frame[0]);
}
var realIretFlags = (size) => ARITHMETIC_FLAGS | Flag.TF | Flag.IF | Flag.DF | Flag.IOPL | Flag.NT | (size === 2 ? 0 : Flag.RF | Flag.AC | Flag.ID);
function deliverThroughVectors(cpu, vector, ext, returnIp, flags, cleared) {
  const virtual = isVirtual8086(cpu);
  if (!virtual && vector * 4 + 3 > cpu.get32(State.idtrLimit)) return cpu.raise(Vector.GP, idtError(vector, ext));
  const table = virtual ? 0n : cpu.get64(State.idtrBase);
  const pointer = cpu.loadLinear(tableLinear(cpu, table + BigInt(vector * 4)), 4, IMPLICIT_READ);
  if (pointer === void 0) return Outcome.pending;
  const stack = currentStack(cpu, ext);
  const ip = pointer & 0xffffn;
  if (beyondLimit(cpu, ip)) return cpu.raise(Vector.GP, ext);
  const values = [BigInt(flags & 65535), BigInt(cpu.segmentSelector(Seg.cs)), returnIp];
  const frame = values.map((value) => ({ size: 2, value }));
  if (!pushFrame(cpu, stack, frame)) return Outcome.pending;
  commitStack(cpu, stack);
  cpu.flags = cpu.flags & ~cleared;
  return commitRealCode(cpu, Number(pointer >> 16n), ip);
}

// emulator/cpu/task-switch.ts
var TaskSource = { call: 0, iret: 1, jmp: 2, gate: 3 };
var DR7_LOCAL = 0x155n;
var BUSY = 2;
function newTss(cpu, s) {
  const back = s.source === TaskSource.iret;
  const vector = back ? Vector.TS : Vector.GP;
  const code = selectorError(s.selector, s.ext);
  if (isNull(s.selector) || s.selector & 4) return cpu.raise(vector, code);
  const d = fetchDescriptor(cpu, s.selector, vector, s.ext);
  if (!d) return Outcome.pending;
  const type = d.access & (Ar.notSystem | Ar.type);
  const wanted = back ? [SystemType.tssBusy, SystemType.tss16Busy] : [SystemType.tssAvailable, SystemType.tss16Available];
  if (!wanted.some((t) => t === type)) return cpu.raise(vector, code);
  if (!(d.access & Ar.present)) return cpu.raise(Vector.NP, code);
  return limitOf(d.raw) < (d.access & 8 ? Tss.lastByte : Tss16.lastByte) ? cpu.raise(Vector.TS, code) : d;
}
function readTask(cpu, base, wide) {
  let failed2 = false;
  const read = (offset, size) => {
    if (failed2) return 0;
    const value = cpu.loadLinear(tableLinear(cpu, base + BigInt(offset)), size, IMPLICIT_READ);
    if (value === void 0) failed2 = true;
    return Number(value ?? 0n);
  };
  const eight = [0, 1, 2, 3, 4, 5, 6, 7];
  const state = wide ? {
    wide,
    cr3: read(Tss.cr3, 4),
    eip: read(Tss.eip, 4),
    flags: read(Tss.eflags, 4),
    registers: eight.map((n) => read(Tss.gpr(n), 4)),
    segments: [0, 1, 2, 3, 4, 5].map((n) => read(Tss.segment(n), 2)),
    ldt: read(Tss.ldt, 2),
    trap: (read(Tss.trap, 2) & 1) !== 0
  } : {
    wide,
    cr3: 0,
    eip: read(Tss16.ip, 2),
    flags: read(Tss16.flags, 2),
    // The manual does not say what becomes of the upper halves; the 80386 and its successors set them.
    registers: eight.map((n) => (4294901760 | read(Tss16.gpr(n), 2)) >>> 0),
    segments: [...[0, 1, 2, 3].map((n) => read(Tss16.segment(n), 2)), 0, 0],
    ldt: read(Tss16.ldt, 2),
    trap: false
  };
  return failed2 ? void 0 : state;
}
function saveTask(cpu, base, wide, flags, eip) {
  const write = (offset, size2, value) => {
    cpu.storeLinear(tableLinear(cpu, base + BigInt(offset)), size2, BigInt.asUintN(size2 * 8, BigInt(value)), IMPLICIT_WRITE);
  };
  const at = wide ? Tss : Tss16;
  const size = wide ? 4 : 2;
  write(wide ? Tss.eip : Tss16.ip, size, eip);
  write(wide ? Tss.eflags : Tss16.flags, size, flags >>> 0);
  for (let n = 0; n < 8; n++) write(at.gpr(n), size, cpu.gpr32(n));
  for (let n = 0; n < (wide ? 6 : 4); n++) write(at.segment(n), 2, cpu.segmentSelector(n));
}
var saved = (wide) => wide ? [Tss.eip, 94 - Tss.eip] : [Tss16.ip, 42 - Tss16.ip];
function switchTask(cpu, ports, s) {
  const d = newTss(cpu, s);
  if (typeof d === "number") return d;
  if (cpu.vmxNonRoot && ports.vmx.intercept(cpu, { kind: "task-switch", selector: s.selector, source: s.source, length: s.length }))
    return Outcome.exited;
  const nests = s.source === TaskSource.call || s.source === TaskSource.gate;
  const oldWide = (cpu.segmentAccess(Seg.tr) & 8) !== 0;
  const oldBase = cpu.segmentBase(Seg.tr);
  const oldSelector = cpu.segmentSelector(Seg.tr);
  const oldDescriptor = tableLinear(cpu, cpu.get64(State.gdtrBase) + BigInt((oldSelector & 65528) + 5));
  const base = BigInt(baseOf(d.raw));
  const [first, bytes] = saved(oldWide);
  if (first + bytes - 1 > cpu.segmentLimit(Seg.tr)) return cpu.raise(Vector.TS, selectorError(oldSelector, s.ext));
  if (!cpu.probeWrite(tableLinear(cpu, oldBase + BigInt(first)), bytes, IMPLICIT_WRITE)) return Outcome.pending;
  const next = readTask(cpu, base, (d.access & 8) !== 0);
  if (!next) return Outcome.pending;
  if (nests && !cpu.probeWrite(base, 2, IMPLICIT_WRITE)) return Outcome.pending;
  if (!cpu.probeWrite(d.linear + 5n, 1, IMPLICIT_WRITE)) return Outcome.pending;
  if (!nests) {
    const rights = cpu.loadLinear(oldDescriptor, 1, IMPLICIT_READ);
    if (rights === void 0 || !cpu.storeLinear(oldDescriptor, 1, rights & ~BigInt(BUSY), IMPLICIT_WRITE)) return Outcome.pending;
  }
  saveTask(cpu, oldBase, oldWide, s.flags, s.returnIp);
  if (nests) cpu.storeLinear(base, 2, BigInt(oldSelector), IMPLICIT_WRITE);
  if (s.source !== TaskSource.iret) cpu.storeLinear(d.linear + 5n, 1, BigInt(d.access & 255 | BUSY), IMPLICIT_WRITE);
  cpu.setSegment(Seg.tr, s.selector, base, limitOf(d.raw), d.access | BUSY);
  const outcome = enterTask(cpu, next, nests, s.ext);
  cpu.modeChanged();
  return outcome;
}
function enterTask(cpu, next, nested, ext) {
  cpu.set64(State.cr0, cpu.cr0 | Cr0.TS);
  cpu.set64(State.dr + 56, cpu.get64(State.dr + 56) & ~DR7_LOCAL);
  next.registers.forEach((value, n) => cpu.setGpr32(n, value));
  cpu.rip = BigInt(next.eip);
  cpu.flags = nested ? next.flags | Flag.NT : next.flags;
  const virtual80862 = (next.flags & Flag.VM) !== 0;
  cpu.setCpl(virtual80862 ? 3 : next.segments[Seg.cs] & 3);
  next.segments.forEach((selector, n) => virtual80862 ? loadVirtual8086Segment(cpu, n, selector) : setNull(cpu, n, selector, cpu.cpl));
  setNull(cpu, Seg.ldtr, next.ldt);
  if (next.trap) cpu.set32(State.pendingDebug, cpu.get32(State.pendingDebug) | Dr6.BT);
  if (next.wide && cpu.cr0 & Cr0.PG) {
    cpu.set64(State.cr3, BigInt(next.cr3));
    const paePaging3 = (cpu.cr4 & Cr4.PAE) !== 0n;
    const loaded = paePaging3 ? cpu.mmu.loadPdptes(cpu, BigInt(next.cr3)) : "loaded";
    cpu.mmu.flushPcid(cpu, 0);
    if (loaded === "pending") return Outcome.pending;
    if (loaded === "reserved bits") return cpu.raise(Vector.GP, 0);
  }
  if (!loadLdt(cpu, next.ldt, ext)) return Outcome.pending;
  if (!virtual80862) {
    if (!loadCode(cpu, next.segments[Seg.cs], ext) || !loadStack(cpu, next.segments[Seg.ss], ext)) return Outcome.pending;
    for (const n of [Seg.ds, Seg.es, Seg.fs, Seg.gs]) if (!loadData(cpu, n, next.segments[n], ext)) return Outcome.pending;
  }
  return next.eip > cpu.segmentLimit(Seg.cs) ? cpu.raise(Vector.GP, ext) : Outcome.jumped;
}
function refuse3(cpu, vector, selector, ext) {
  cpu.raise(vector, selectorError(selector, ext));
  return false;
}
function loadLdt(cpu, selector, ext) {
  if (isNull(selector)) return true;
  if (selector & 4) return refuse3(cpu, Vector.TS, selector, ext);
  const d = fetchDescriptor(cpu, selector, Vector.TS, ext);
  if (!d) return false;
  if ((d.access & (Ar.notSystem | Ar.type)) !== SystemType.ldt || !(d.access & Ar.present)) return refuse3(cpu, Vector.TS, selector, ext);
  cpu.setSegment(Seg.ldtr, selector, BigInt(baseOf(d.raw)), limitOf(d.raw), d.access);
  return true;
}
function loadCode(cpu, selector, ext) {
  const d = isNull(selector) ? void 0 : fetchDescriptor(cpu, selector, Vector.TS, ext);
  if (!d) return isNull(selector) ? refuse3(cpu, Vector.TS, selector, ext) : false;
  const rpl = selector & 3;
  const dpl = dplOf(d.access);
  if (!isCode(d.access) || (isConformingCode(d.access) ? dpl > rpl : dpl !== rpl)) return refuse3(cpu, Vector.TS, selector, ext);
  if (!(d.access & Ar.present)) return refuse3(cpu, Vector.NP, selector, ext);
  if (!markAccessed(cpu, d)) return false;
  setFromDescriptor(cpu, Seg.cs, selector, d);
  return true;
}
function loadStack(cpu, selector, ext) {
  const d = isNull(selector) ? void 0 : fetchDescriptor(cpu, selector, Vector.TS, ext);
  if (!d) return isNull(selector) ? refuse3(cpu, Vector.TS, selector, ext) : false;
  const level = (selector & 3) === cpu.cpl && dplOf(d.access) === cpu.cpl;
  if (!isWritableData(d.access) || !level) return refuse3(cpu, Vector.TS, selector, ext);
  if (!(d.access & Ar.present)) return refuse3(cpu, Vector.SS, selector, ext);
  if (!markAccessed(cpu, d)) return false;
  setFromDescriptor(cpu, Seg.ss, selector, d);
  return true;
}
function loadData(cpu, segment, selector, ext) {
  if (isNull(selector)) return true;
  const d = fetchDescriptor(cpu, selector, Vector.TS, ext);
  if (!d) return false;
  const readable = isData(d.access) || isCode(d.access) && (d.access & Ar.writable) !== 0;
  const dpl = dplOf(d.access);
  const allowed = isConformingCode(d.access) || dpl >= cpu.cpl && dpl >= (selector & 3);
  if (!readable || !allowed) return refuse3(cpu, Vector.TS, selector, ext);
  if (!(d.access & Ar.present)) return refuse3(cpu, Vector.NP, selector, ext);
  if (!markAccessed(cpu, d)) return false;
  setFromDescriptor(cpu, segment, selector, d);
  return true;
}

// emulator/cpu/virtual-8086.ts
var BIG_ENOUGH = 0xffffn;
var hasVme = (cpu) => (cpu.cr4 & Cr4.VME) !== 0n;
var virtualFlags = (flags) => flags & ~Flag.IF | (flags & Flag.VIF ? Flag.IF : 0) | Flag.IOPL;
function acceptVirtualFlags(cpu, image) {
  if (image & Flag.TF || image & Flag.IF && cpu.flags & Flag.VIP) return void 0;
  return image & ~Flag.VIF | (image & Flag.IF ? Flag.VIF : 0);
}
var VIRTUAL_FLAGS_LOADED = ARITHMETIC_FLAGS | Flag.TF | Flag.DF | Flag.NT | Flag.VIF;
var virtualisesFlags = (cpu, operandSize) => hasVme(cpu) && operandSize === 2;
function virtual8086InterruptReturn(cpu, size) {
  if (ioplOf(cpu) === 3) return realInterruptReturn(cpu, size, realIretFlags(size) & ~Flag.IOPL);
  if (!virtualisesFlags(cpu, size)) return generalProtection(cpu);
  return realInterruptReturn(cpu, size, VIRTUAL_FLAGS_LOADED, (flags) => acceptVirtualFlags(cpu, flags));
}
function virtual8086SoftwareInterrupt(cpu, vector, returnIp) {
  const trusted = ioplOf(cpu) === 3;
  if (hasVme(cpu)) {
    const redirected = isRedirected(cpu, vector);
    if (redirected === void 0) return Outcome.pending;
    if (redirected) {
      const flags = trusted ? cpu.flags : virtualFlags(cpu.flags);
      return deliverThroughVectors(cpu, vector, 0, returnIp, flags, Flag.TF | Flag.RF | (trusted ? Flag.IF : Flag.VIF));
    }
  }
  return trusted ? void 0 : generalProtection(cpu);
}
function isRedirected(cpu, vector) {
  const tr = cpu.segmentBase(Seg.tr);
  const limit = cpu.segmentLimit(Seg.tr);
  const map = limit < Tss.lastByte ? void 0 : cpu.loadLinear(tableLinear(cpu, tr + BigInt(Tss.ioMapBase)), 2, IMPLICIT_READ);
  if (map === void 0) {
    if (limit < Tss.lastByte) generalProtection(cpu);
    return void 0;
  }
  const at = Number(map) - 32 + (vector >> 3);
  if (at > limit) {
    generalProtection(cpu);
    return void 0;
  }
  const byte = cpu.loadLinear(tableLinear(cpu, tr + BigInt(at)), 1, IMPLICIT_READ);
  return byte === void 0 ? void 0 : (Number(byte) >> (vector & 7) & 1) === 0;
}
function enterVirtual8086(cpu, stack, ip, selector, flags) {
  const rest = popFrame(cpu, stack, 4, 6);
  if (!rest) return Outcome.pending;
  if (ip > BIG_ENOUGH) return generalProtection(cpu);
  cpu.flags = flags;
  cpu.setCpl(3);
  loadVirtual8086Segment(cpu, Seg.cs, selector);
  [Seg.ss, Seg.es, Seg.ds, Seg.fs, Seg.gs].forEach((segment, n) => loadVirtual8086Segment(cpu, segment, Number(rest[n + 1] & 0xffffn)));
  setStackPointer(cpu, rest[0], 32);
  cpu.rip = ip;
  cpu.set32(State.interruptibility, cpu.get32(State.interruptibility) & ~Interruptibility.blockingByNmi);
  cpu.modeChanged();
  return Outcome.jumped;
}

// emulator/cpu/delivery.ts
var isSoftware = (type) => type >= EventType.softwareInterrupt;
function noteVectoring(cpu, event) {
  const hasError = event.errorCode !== void 0;
  cpu.set32(State.vectoringInfo, event.vector | event.type << 8 | (hasError ? 1 << 11 : 0) | 1 << 31);
  cpu.set32(State.vectoringError, event.errorCode ?? 0);
  cpu.set32(State.vectoringLength, isSoftware(event.type) ? event.length ?? 0 : 0);
}
function clearVectoring(cpu) {
  cpu.set32(State.vectoringInfo, 0);
  cpu.set32(State.vectoringError, 0);
  cpu.set32(State.vectoringLength, 0);
}
function deliverEvent(cpu, ports, event) {
  noteVectoring(cpu, event);
  const outcome = cpu.longMode ? deliver64(cpu, event) : isRealMode(cpu) ? deliverReal(cpu, event) : deliver32(cpu, ports, event);
  if (outcome === Outcome.exited) clearVectoring(cpu);
  if (outcome !== Outcome.jumped) return outcome;
  clearVectoring(cpu);
  cpu.set32(State.activity, Activity.active);
  const blocking = cpu.get32(State.interruptibility) & ~(Interruptibility.blockingBySti | Interruptibility.blockingByMovSs);
  cpu.set32(State.interruptibility, event.type === EventType.nmi ? blocking | Interruptibility.blockingByNmi : blocking);
  if (event.vector === Vector.DB && event.type === EventType.hardwareException)
    cpu.set64(State.dr + 56, cpu.get64(State.dr + 56) & ~DR7_GD);
  cpu.modeChanged();
  ports.clock.charge(cpu, "delivery");
  if (event.type === EventType.externalInterrupt || event.type === EventType.nmi || event.type === EventType.softwareInterrupt)
    ports.observer.interruptDelivered(cpu, event.vector, event.type);
  return Outcome.jumped;
}
function flagsImage(cpu, event) {
  const fault = event.injected !== true && event.type === EventType.hardwareException && (FAULT_CLASS_VECTORS.includes(event.vector) || event.debugFault === true);
  return BigInt((cpu.flags | (fault ? Flag.RF : 0)) >>> 0);
}
var isInterruptGate = (gate) => gate.type === SystemType.interruptGate || gate.type === SystemType.interruptGate16;
var isNarrow = (gate) => gate.type === SystemType.interruptGate16 || gate.type === SystemType.trapGate16;
function clearFlags(cpu, gate) {
  const cleared = Flag.TF | Flag.NT | Flag.RF | Flag.VM | (isInterruptGate(gate) ? Flag.IF : 0);
  cpu.flags = cpu.flags & ~cleared;
}
var extOf = (event) => event.type === EventType.softwareInterrupt || event.type === EventType.softwareException ? 0 : 1;
function fetchGate(cpu, event, bytes) {
  const ext = extOf(event);
  const code = idtError(event.vector, ext);
  if (event.vector * bytes + bytes - 1 > cpu.get32(State.idtrLimit)) return cpu.raise(Vector.GP, code);
  const linear = tableLinear(cpu, cpu.get64(State.idtrBase) + BigInt(event.vector * bytes));
  const first = cpu.loadLinear(linear, 8, IMPLICIT_READ);
  if (first === void 0) return Outcome.pending;
  let upper = 0;
  if (bytes === 16) {
    const second = cpu.loadLinear(tableLinear(cpu, linear + 8n), 8, IMPLICIT_READ);
    if (second === void 0) return Outcome.pending;
    upper = Number(second & 0xffffffffn);
  }
  const gate = gateOf({ low: Number(first & 0xffffffffn), high: Number(first >> 32n) }, upper);
  const isGate32 = gate.type === SystemType.interruptGate || gate.type === SystemType.trapGate;
  const isLegacyGate = bytes === 8 && gate.type >= SystemType.taskGate && gate.type <= SystemType.trapGate16;
  if (!gate.system || !(isGate32 || isLegacyGate)) return cpu.raise(Vector.GP, code);
  const checksDpl = event.type === EventType.softwareInterrupt || event.type === EventType.softwareException;
  if (checksDpl && gate.dpl < cpu.cpl) return cpu.raise(Vector.GP, code);
  if (!gate.present) return cpu.raise(Vector.NP, code);
  return isNarrow(gate) ? { ...gate, offset: gate.offset & 0xffffn } : gate;
}
function fetchHandlerSegment(cpu, gate, ext) {
  if (isNull(gate.selector)) return cpu.raise(Vector.GP, ext);
  const d = fetchDescriptor(cpu, gate.selector, Vector.GP, ext);
  if (!d) return Outcome.pending;
  const code = selectorError(gate.selector, ext);
  if (!isCode(d.access) || dplOf(d.access) > cpu.cpl) return cpu.raise(Vector.GP, code);
  if (isVirtual8086(cpu) && (isConformingCode(d.access) || dplOf(d.access) !== 0)) return cpu.raise(Vector.GP, code);
  if (cpu.longMode && (!(d.access & Ar.long) || reservedLongAndBig(cpu, d.access))) return cpu.raise(Vector.GP, code);
  if (!(d.access & Ar.present)) return cpu.raise(Vector.NP, code);
  if (!isValidTarget(cpu, d, gate.offset)) return cpu.raise(Vector.GP, ext);
  return d;
}
var returnIpOf = (cpu, event) => isSoftware(event.type) ? cpu.rip + BigInt(event.length ?? 0) : cpu.rip;
var VIRTUAL_8086_PUSHED = [Seg.gs, Seg.fs, Seg.ds, Seg.es];
function frameSlots(cpu, event, size, withStack) {
  const selectorOf = (n) => BigInt(cpu.segmentSelector(n));
  const values = isVirtual8086(cpu) ? VIRTUAL_8086_PUSHED.map(selectorOf) : [];
  if (withStack) values.push(selectorOf(Seg.ss), cpu.gpr(4));
  values.push(flagsImage(cpu, event), selectorOf(Seg.cs), returnIpOf(cpu, event));
  if (event.errorCode !== void 0) values.push(BigInt(event.errorCode >>> 0));
  return values.map((value) => ({ size, value }));
}
function deliver64(cpu, event) {
  const ext = extOf(event);
  const gate = fetchGate(cpu, event, 16);
  if (typeof gate === "number") return gate;
  const cs = fetchHandlerSegment(cpu, gate, ext);
  if (typeof cs === "number") return cs;
  const cpl = isConformingCode(cs.access) ? cpu.cpl : dplOf(cs.access);
  const inner = cpl < cpu.cpl;
  let rsp = cpu.gpr(4);
  if (inner || gate.ist !== 0) {
    const offset = gate.ist !== 0 ? Tss.ist(gate.ist) : Tss.rsp(cpl);
    const found = readTss(cpu, offset, 8, ext);
    if (found === void 0) return Outcome.pending;
    rsp = found;
    if (!isCanonical(cpu, rsp)) return cpu.raise(Vector.SS, ext);
  }
  const stack = wideStack(rsp & ~0xfn, privilegeOf(cpl), ext);
  if (!markAccessed(cpu, cs)) return Outcome.pending;
  if (!pushFrame(cpu, stack, frameSlots(cpu, event, 8, true))) return Outcome.pending;
  if (inner) setNull(cpu, Seg.ss, cpl, cpl);
  commitCodeSegment(cpu, gate.selector, cs, cpl, gate.offset);
  commitStack(cpu, stack);
  clearFlags(cpu, gate);
  return Outcome.jumped;
}
function deliver32(cpu, ports, event) {
  const ext = extOf(event);
  const virtual = isVirtual8086(cpu);
  if (virtual && event.type === EventType.softwareInterrupt) {
    const outcome = virtual8086SoftwareInterrupt(cpu, event.vector, returnIpOf(cpu, event));
    if (outcome !== void 0) return outcome;
  }
  const gate = fetchGate(cpu, event, 8);
  if (typeof gate === "number") return gate;
  if (gate.type === SystemType.taskGate) return deliverToTask(cpu, ports, event, gate.selector);
  const cs = fetchHandlerSegment(cpu, gate, ext);
  if (typeof cs === "number") return cs;
  const cpl = isConformingCode(cs.access) ? cpu.cpl : dplOf(cs.access);
  const inner = cpl < cpu.cpl ? innerStack(cpu, cpl, ext) : void 0;
  if (typeof inner === "number") return inner;
  const stack = inner ? inner.stack : currentStack(cpu, ext);
  if (!markAccessed(cpu, cs)) return Outcome.pending;
  if (!pushFrame(cpu, stack, frameSlots(cpu, event, isNarrow(gate) ? 2 : 4, inner !== void 0))) return Outcome.pending;
  if (virtual) for (const n of VIRTUAL_8086_PUSHED) setNull(cpu, n, 0);
  if (inner) setFromDescriptor(cpu, Seg.ss, inner.selector, inner.descriptor);
  commitCodeSegment(cpu, gate.selector, cs, cpl, gate.offset);
  commitStack(cpu, stack);
  clearFlags(cpu, gate);
  return Outcome.jumped;
}
function deliverToTask(cpu, ports, event, selector) {
  const ext = extOf(event);
  const length = isSoftware(event.type) ? event.length ?? 0 : 0;
  const flags = Number(flagsImage(cpu, event));
  const outcome = switchTask(cpu, ports, { selector, source: TaskSource.gate, ext, flags, returnIp: returnIpOf(cpu, event), length });
  if (outcome !== Outcome.jumped || event.errorCode === void 0) return outcome;
  const stack = currentStack(cpu, ext);
  const size = cpu.segmentAccess(Seg.tr) & 8 ? 4 : 2;
  if (!pushFrame(cpu, stack, [{ size, value: BigInt(event.errorCode >>> 0) }])) return Outcome.pending;
  commitStack(cpu, stack);
  return Outcome.jumped;
}
function deliverReal(cpu, event) {
  const cleared = Flag.IF | Flag.TF | Flag.AC | Flag.RF;
  return deliverThroughVectors(cpu, event.vector, extOf(event), returnIpOf(cpu, event), cpu.flags, cleared);
}

// emulator/cpu/faults.ts
var PENDING_NONE = 0;
var PENDING_EXIT = 2;
function raiseDebug(cpu, conditions3) {
  cpu.set64(State.pendingQualification, BigInt(conditions3));
  return cpu.raise(Vector.DB);
}
var DEBUG_FAULT = 219;
function deliverInstructionBreakpoint(cpu, ports, conditions3) {
  raiseDebug(cpu, conditions3);
  cpu.set32(State.pendingReason, DEBUG_FAULT);
  return handlePendingException(cpu, ports);
}
function deliverDebugTrap(cpu, ports, conditions3) {
  raiseDebug(cpu, conditions3);
  return handlePendingException(cpu, ports);
}
function classOf(vector, type) {
  if (type !== EventType.hardwareException) return "benign";
  if (vector === Vector.DF) return "double-fault";
  if (CONTRIBUTORY_VECTORS.includes(vector)) return "contributory";
  return PAGE_FAULT_CLASS_VECTORS.includes(vector) ? "page-fault" : "benign";
}
function combine(first, second) {
  if (second === "benign" || first === "benign") return "serial";
  if (first === "double-fault") return "shutdown";
  if (first === "contributory") return second === "contributory" ? "double-fault" : "serial";
  return "double-fault";
}
function tripleFault(cpu, ports) {
  clearVectoring(cpu);
  if (cpu.vmxNonRoot && ports.vmx.intercept(cpu, { kind: "triple-fault" })) return "exited";
  cpu.set32(State.activity, Activity.shutdown);
  return "triple-fault";
}
function handlePendingException(cpu, ports) {
  for (; ; ) {
    if (cpu.get32(State.pendingKind) === PENDING_EXIT) return "pending VM exit";
    const vector = cpu.get32(State.pendingVector);
    const pendingError = cpu.i32[State.pendingErrorCode >> 2];
    const errorCode = pendingError === -1 ? void 0 : pendingError;
    const qualification = vector === Vector.PF ? cpu.get64(State.pendingLinear) : vector === Vector.DB ? cpu.get64(State.pendingQualification) : 0n;
    ports.observer.exception(cpu, vector, errorCode);
    const outcome = takeException(cpu, ports, vector, errorCode, qualification);
    if (outcome !== Outcome.pending) return outcome;
  }
}
function takeException(cpu, ports, vector, errorCode, qualification) {
  if (exits(cpu, ports, vector, errorCode, qualification)) return "exited";
  if (vector === Vector.PF) cpu.set64(State.cr2, qualification);
  if (vector === Vector.DB) recordDebugConditions(cpu, qualification);
  const info = cpu.get32(State.vectoringInfo);
  const combined = info >>> 31 ? combine(classOf(info & 255, info >>> 8 & 7), classOf(vector, EventType.hardwareException)) : "serial";
  if (combined === "shutdown") return tripleFault(cpu, ports);
  let delivered = { vector, errorCode };
  if (combined === "double-fault") {
    clearVectoring(cpu);
    delivered = { vector: Vector.DF, errorCode: 0 };
    ports.observer.exception(cpu, Vector.DF, 0);
    if (exits(cpu, ports, Vector.DF, 0, 0n)) return "exited";
  }
  cpu.set32(State.pendingKind, PENDING_NONE);
  cpu.set64(State.pendingQualification, 0n);
  const debugFault = vector === Vector.DB && ((qualification & BigInt(Dr6.BD)) !== 0n || cpu.get32(State.pendingReason) === DEBUG_FAULT);
  const outcome = deliverEvent(cpu, ports, { ...delivered, type: EventType.hardwareException, debugFault });
  if (outcome === Outcome.jumped) return "delivered";
  if (outcome === Outcome.exited) return "exited";
  return outcome === Outcome.pending ? Outcome.pending : "stopped";
}
function exits(cpu, ports, vector, errorCode, qualification) {
  if (!cpu.vmxNonRoot) return false;
  const event = { kind: "exception", vector, errorCode, type: EventType.hardwareException, length: 0, qualification };
  if (!ports.vmx.intercept(cpu, event)) return false;
  cpu.set32(State.pendingKind, PENDING_NONE);
  cpu.set64(State.pendingQualification, 0n);
  clearVectoring(cpu);
  return true;
}
function recordDebugConditions(cpu, conditions3) {
  const slot2 = State.dr + 48;
  const kept = cpu.get64(slot2) & ~0xfn;
  cpu.set64(slot2, kept | conditions3 | DR6_FIXED);
}

// emulator/spec/cpuid.ts
var MAX_BASIC_LEAF = 7;
var MAX_EXTENDED_LEAF = 2147483656;
var BRAND = "Nestscope virtual processor";
var cpuidFeatureBits = [
  { leaf: 1, register: "ecx", bit: 3, name: "MONITOR", feature: "monitor" },
  { leaf: 1, register: "ecx", bit: 5, name: "VMX", feature: "vmx" },
  { leaf: 1, register: "ecx", bit: 13, name: "CMPXCHG16B", feature: "cx16" },
  { leaf: 1, register: "ecx", bit: 17, name: "PCID", feature: "pcid" },
  { leaf: 1, register: "ecx", bit: 22, name: "MOVBE", feature: "movbe" },
  { leaf: 1, register: "ecx", bit: 23, name: "POPCNT", feature: "popcnt" },
  { leaf: 1, register: "ecx", bit: 30, name: "RDRAND", feature: "rdrand" },
  { leaf: 1, register: "edx", bit: 2, name: "DE" },
  { leaf: 1, register: "edx", bit: 3, name: "PSE" },
  { leaf: 1, register: "edx", bit: 4, name: "TSC" },
  { leaf: 1, register: "edx", bit: 5, name: "MSR" },
  { leaf: 1, register: "edx", bit: 6, name: "PAE" },
  { leaf: 1, register: "edx", bit: 7, name: "MCE" },
  { leaf: 1, register: "edx", bit: 8, name: "CX8" },
  { leaf: 1, register: "edx", bit: 11, name: "SEP" },
  { leaf: 1, register: "edx", bit: 12, name: "MTRR" },
  { leaf: 1, register: "edx", bit: 13, name: "PGE" },
  { leaf: 1, register: "edx", bit: 14, name: "MCA" },
  { leaf: 1, register: "edx", bit: 15, name: "CMOV" },
  { leaf: 1, register: "edx", bit: 16, name: "PAT" },
  { leaf: 1, register: "edx", bit: 17, name: "PSE-36" },
  { leaf: 1, register: "edx", bit: 19, name: "CLFSH" },
  { leaf: 7, register: "ebx", bit: 0, name: "FSGSBASE", feature: "fsgsbase" },
  { leaf: 7, register: "ebx", bit: 3, name: "BMI1", feature: "bmi1" },
  { leaf: 7, register: "ebx", bit: 7, name: "SMEP", feature: "smep" },
  { leaf: 7, register: "ebx", bit: 8, name: "BMI2", feature: "bmi2" },
  { leaf: 7, register: "ebx", bit: 19, name: "ADX", feature: "adx" },
  { leaf: 7, register: "ebx", bit: 10, name: "INVPCID", feature: "invpcid" },
  { leaf: 7, register: "ebx", bit: 18, name: "RDSEED", feature: "rdseed" },
  { leaf: 7, register: "ebx", bit: 20, name: "SMAP", feature: "smap" },
  { leaf: 7, register: "ebx", bit: 23, name: "CLFLUSHOPT", feature: "clflushopt" },
  { leaf: 7, register: "ebx", bit: 24, name: "CLWB", feature: "clwb" },
  { leaf: 7, register: "ecx", bit: 2, name: "UMIP", feature: "umip" },
  { leaf: 7, register: "ecx", bit: 3, name: "PKU", feature: "pku" },
  { leaf: 7, register: "ecx", bit: 16, name: "LA57", feature: "la57" },
  { leaf: 7, register: "ecx", bit: 22, name: "RDPID", feature: "rdpid" },
  { leaf: 2147483649, register: "ecx", bit: 0, name: "LAHF-SAHF in 64-bit mode" },
  { leaf: 2147483649, register: "ecx", bit: 5, name: "LZCNT", feature: "lzcnt" },
  { leaf: 2147483649, register: "edx", bit: 20, name: "Execute Disable", feature: "nx" },
  { leaf: 2147483649, register: "edx", bit: 26, name: "1-GByte pages", feature: "page1gb" },
  { leaf: 2147483649, register: "edx", bit: 27, name: "RDTSCP", feature: "rdtscp" },
  { leaf: 2147483649, register: "edx", bit: 29, name: "Intel 64" },
  { leaf: 2147483655, register: "edx", bit: 8, name: "Invariant TSC" }
];
function featureWord(model2, leaf, register) {
  let word = 0;
  for (const b of cpuidFeatureBits)
    if (b.leaf === leaf && b.register === register && (!b.feature || model2.features.has(b.feature))) word |= 1 << b.bit;
  return word;
}
function text(s, at) {
  let word = 0;
  for (let i = 3; i >= 0; i--) word = word << 8 | (s.charCodeAt(at + i) || 0);
  return word;
}
function cpuid(model2, leafAsked, subleaf, context) {
  let leaf = leafAsked >>> 0;
  if (leaf > MAX_BASIC_LEAF && leaf < 2147483648 || leaf > MAX_EXTENDED_LEAF) leaf = MAX_BASIC_LEAF;
  const word = (register) => featureWord(model2, leaf, register);
  switch (leaf) {
    case 0:
      return { eax: MAX_BASIC_LEAF, ebx: text("Genu", 0), edx: text("ineI", 0), ecx: text("ntel", 0) };
    case 1:
      return {
        eax: model2.signature,
        // CLFLUSH line of 8 quadwords; one logical processor.
        ebx: 8 << 8 | 1 << 16 | context.initialApicId << 24,
        ecx: word("ecx") | (context.osxsave ? 1 << 27 : 0),
        edx: word("edx")
      };
    case 5:
      return model2.features.has("monitor") ? { eax: 64, ebx: 64, ecx: 3, edx: 0 } : { eax: 0, ebx: 0, ecx: 0, edx: 0 };
    case 7:
      return subleaf === 0 ? { eax: 0, ebx: word("ebx"), ecx: word("ecx") | (context.ospke ? 1 << 4 : 0), edx: word("edx") } : { eax: 0, ebx: 0, ecx: 0, edx: 0 };
    case 2147483648:
      return { eax: MAX_EXTENDED_LEAF, ebx: 0, ecx: 0, edx: 0 };
    case 2147483649:
      return { eax: 0, ebx: 0, ecx: word("ecx"), edx: word("edx") | (context.code64 && model2.features.has("syscall") ? 1 << 11 : 0) };
    case 2147483650:
    case 2147483651:
    case 2147483652: {
      const at = (leaf - 2147483650) * 16;
      return { eax: text(BRAND, at), ebx: text(BRAND, at + 4), ecx: text(BRAND, at + 8), edx: text(BRAND, at + 12) };
    }
    case 2147483655:
      return { eax: 0, ebx: 0, ecx: 0, edx: word("edx") };
    case 2147483656:
      return { eax: model2.maxPhyAddr | model2.linearBits << 8, ebx: 0, ecx: 0, edx: 0 };
    default:
      return { eax: 0, ebx: 0, ecx: 0, edx: 0 };
  }
}

// emulator/cpu/control-registers.ts
var CR3_NO_FLUSH = 1n << 63n;
var CR4_ALWAYS = Cr4.TSD | Cr4.DE | Cr4.PSE | Cr4.PAE | Cr4.MCE | Cr4.PGE | Cr4.PCE;
var CR4_BY_FEATURE = [
  ["vmx", Cr4.VMXE],
  ["smep", Cr4.SMEP],
  ["smap", Cr4.SMAP],
  ["pcid", Cr4.PCIDE],
  ["fsgsbase", Cr4.FSGSBASE],
  ["umip", Cr4.UMIP],
  ["pku", Cr4.PKE],
  ["la57", Cr4.LA57]
];
var CR4_NOT_MODELLED = Cr4.OSFXSR | Cr4.OSXMMEXCPT | Cr4.OSXSAVE;
function cr4Allowed(cpu) {
  let bits = CR4_ALWAYS;
  for (const [feature, bit] of CR4_BY_FEATURE) if (cpu.model.features.has(feature)) bits |= bit;
  return bits;
}
var violatesFixed = (fixed, value) => fixed !== void 0 && ((value & fixed[0]) !== fixed[0] || (value & ~fixed[1]) !== 0n);
function hostOwned(cpu, visible) {
  const all = 0xffffffffffffffffn;
  return cpu.vmxNonRoot ? ~(visible(cpu, 0n) ^ visible(cpu, all)) & all : 0n;
}
var cr0HostOwned = (cpu, ports) => hostOwned(cpu, (c, v) => ports.vmx.visibleCr0(c, v));
var cr4HostOwned = (cpu, ports) => hostOwned(cpu, (c, v) => ports.vmx.visibleCr4(c, v));
function writeCr0(cpu, ports, value) {
  if (value >> 32n) return generalProtection(cpu);
  const old = cpu.cr0;
  const owned = cr0HostOwned(cpu, ports);
  const cr0 = (value & ~owned | old & owned) & CR0_DEFINED | Cr0.ET;
  if (cr0 & Cr0.PG && !(cr0 & Cr0.PE)) return generalProtection(cpu);
  if (cr0 & Cr0.NW && !(cr0 & Cr0.CD)) return generalProtection(cpu);
  if (violatesFixed(ports.vmx.fixedCr0(cpu), cr0)) return generalProtection(cpu);
  const paging = (cr0 & Cr0.PG) !== 0n;
  const pagingChanges = ((cr0 ^ old) & Cr0.PG) !== 0n;
  const longMode = (cpu.efer & Efer.LME) !== 0n;
  const csLong = (cpu.segmentAccess(Seg.cs) & Ar.long) !== 0;
  if (pagingChanges && paging && longMode) {
    const trType = cpu.segmentAccess(Seg.tr) & Ar.type;
    if (!(cpu.cr4 & Cr4.PAE) || csLong || trType === 1 || trType === 3) return generalProtection(cpu);
  }
  if (pagingChanges && !paging && (cpu.code64 || cpu.cr4 & Cr4.PCIDE)) return generalProtection(cpu);
  if (paging && !longMode && cpu.cr4 & Cr4.PAE && (cr0 ^ old) & (Cr0.CD | Cr0.NW | Cr0.PG)) {
    const refused = loadPdptes(cpu, cpu.cr3);
    if (refused !== void 0) return refused;
  }
  cpu.set64(State.cr0, cr0);
  if (pagingChanges) {
    const efer = cpu.efer & ~Efer.LMA;
    cpu.set64(State.efer, paging && longMode ? efer | Efer.LMA : efer);
    cpu.mmu.flushAll(cpu);
  }
  cpu.modeChanged();
  if (pagingChanges) ports.observer.modeSwitch(cpu);
  return Outcome.next;
}
var paePaging2 = (cpu, cr4) => (cpu.cr0 & Cr0.PG) !== 0n && !cpu.longMode && (cr4 & Cr4.PAE) !== 0n;
function loadPdptes(cpu, cr3) {
  const result = cpu.mmu.loadPdptes(cpu, cr3);
  if (result === "loaded") return void 0;
  return result === "pending" ? Outcome.pending : generalProtection(cpu);
}
function writeCr3(cpu, value) {
  const pcids = (cpu.cr4 & Cr4.PCIDE) !== 0n;
  const cr3 = pcids ? value & ~CR3_NO_FLUSH : value;
  if (cpu.longMode && cr3 >> BigInt(cpu.model.maxPhyAddr)) return generalProtection(cpu);
  if (paePaging2(cpu, cpu.cr4)) {
    const refused = loadPdptes(cpu, cr3);
    if (refused !== void 0) return refused;
  }
  cpu.set64(State.cr3, cr3);
  if (pcids && value & CR3_NO_FLUSH) cpu.modeChanged();
  else cpu.mmu.flushPcid(cpu, pcids ? Number(cr3 & 0xfffn) : 0);
  return Outcome.next;
}
function writeCr4(cpu, ports, value) {
  const old = cpu.cr4;
  const owned = cr4HostOwned(cpu, ports);
  const cr4 = value & ~owned | old & owned;
  if (cr4 & ~(cr4Allowed(cpu) | CR4_NOT_MODELLED)) return generalProtection(cpu);
  const changed = cr4 ^ old;
  if (cpu.longMode && changed & (Cr4.PAE | Cr4.LA57)) return generalProtection(cpu);
  if (changed & cr4 & Cr4.PCIDE && (!cpu.longMode || cpu.cr3 & 0xfffn)) return generalProtection(cpu);
  if (violatesFixed(ports.vmx.fixedCr4(cpu), cr4)) return generalProtection(cpu);
  if (cr4 & CR4_NOT_MODELLED) return cpu.notModelled("SSE and XSAVE state: MOV to CR4 sets OSFXSR, OSXMMEXCPT or OSXSAVE");
  if (paePaging2(cpu, cr4) && changed & (Cr4.PAE | Cr4.PGE | Cr4.PSE | Cr4.SMEP)) {
    const refused = loadPdptes(cpu, cpu.cr3);
    if (refused !== void 0) return refused;
  }
  cpu.set64(State.cr4, cr4);
  cpu.modeChanged();
  if (changed & (Cr4.PGE | Cr4.PAE | Cr4.PSE | Cr4.PCIDE | Cr4.SMEP)) cpu.mmu.flushAll(cpu);
  return Outcome.next;
}
function writeCr8(cpu, value) {
  if (value >> 4n) return generalProtection(cpu);
  cpu.set64(State.cr8, value);
  return Outcome.next;
}
var isControlRegister = (n) => n === 0 || n === 2 || n === 3 || n === 4 || n === 8;
var registerSize = (cpu) => cpu.code64 ? 8 : 4;
var movToCr = (cpu, insn, ports) => {
  const cr = insn.reg;
  if (insn.lock || !isControlRegister(cr)) return invalidOpcode(cpu);
  if (cpu.cpl !== 0) return generalProtection(cpu);
  const value = cpu.gprSized(insn.rm, registerSize(cpu));
  if (cr === 2) {
    cpu.set64(State.cr2, value);
    return Outcome.next;
  }
  if (cpu.vmxNonRoot && ports.vmx.intercept(cpu, { kind: "cr", cr, access: "mov-to", register: insn.rm, value, length: insn.length }))
    return Outcome.exited;
  if (cr === 0) return writeCr0(cpu, ports, value);
  if (cr === 3) return writeCr3(cpu, value);
  return cr === 4 ? writeCr4(cpu, ports, value) : writeCr8(cpu, value);
};
var movFromCr = (cpu, insn, ports) => {
  const cr = insn.reg;
  if (insn.lock || !isControlRegister(cr)) return invalidOpcode(cpu);
  if (cpu.cpl !== 0) return generalProtection(cpu);
  let value;
  if (cr === 2) value = cpu.get64(State.cr2);
  else {
    if (cpu.vmxNonRoot && ports.vmx.intercept(cpu, { kind: "cr", cr, access: "mov-from", register: insn.rm, value: 0n, length: insn.length }))
      return Outcome.exited;
    if (cr === 0) value = cpu.vmxNonRoot ? ports.vmx.visibleCr0(cpu, cpu.cr0) : cpu.cr0;
    else if (cr === 3) value = cpu.cr3;
    else if (cr === 4) value = cpu.vmxNonRoot ? ports.vmx.visibleCr4(cpu, cpu.cr4) : cpu.cr4;
    else value = cpu.get64(State.cr8);
  }
  const size = registerSize(cpu);
  cpu.setGprSized(insn.rm, size, BigInt.asUintN(size * 8, value));
  return Outcome.next;
};
var clts = (cpu, insn, ports) => {
  if (insn.lock) return invalidOpcode(cpu);
  if (cpu.cpl !== 0) return generalProtection(cpu);
  if (cpu.vmxNonRoot && ports.vmx.intercept(cpu, { kind: "cr", cr: 0, access: "clts", register: 0, value: 0n, length: insn.length }))
    return Outcome.exited;
  cpu.set64(State.cr0, cpu.cr0 & ~(Cr0.TS & ~cr0HostOwned(cpu, ports)));
  cpu.modeChanged();
  return Outcome.next;
};
var lmsw = (cpu, insn, ports) => {
  if (insn.lock) return invalidOpcode(cpu);
  if (cpu.cpl !== 0) return generalProtection(cpu);
  const source2 = readRm(cpu, insn, 2);
  if (source2 === void 0) return Outcome.pending;
  const linear = insn.rm >= 0 ? void 0 : uncheckedLinear(cpu, insn.segment, effectiveAddress(cpu, insn));
  if (cpu.vmxNonRoot && ports.vmx.intercept(cpu, { kind: "cr", cr: 0, access: "lmsw", register: insn.rm, value: source2, length: insn.length, linear }))
    return Outcome.exited;
  const value = cpu.cr0 & ~0xen | source2 & 0xfn;
  return writeCr0(cpu, ports, value);
};
var smsw = (cpu, insn, ports) => {
  if (insn.lock) return invalidOpcode(cpu);
  if (cpu.cr4 & Cr4.UMIP && cpu.cpl > 0) return generalProtection(cpu);
  const cr0 = cpu.vmxNonRoot ? ports.vmx.visibleCr0(cpu, cpu.cr0) : cpu.cr0;
  return writeRm(cpu, insn, insn.rm >= 0 ? insn.operandSize : 2, cr0) ? Outcome.next : Outcome.pending;
};
function debugRegister(cpu, insn, ports, toDr) {
  if (insn.lock || insn.reg > 7) return { outcome: invalidOpcode(cpu) };
  if (cpu.vmxNonRoot && ports.vmx.intercept(cpu, { kind: "dr", dr: insn.reg, toDr, register: insn.rm, length: insn.length }))
    return { outcome: Outcome.exited };
  const alias = insn.reg === 4 || insn.reg === 5;
  if (alias && cpu.cr4 & Cr4.DE) return { outcome: invalidOpcode(cpu) };
  if (cpu.cpl !== 0) return { outcome: generalProtection(cpu) };
  if (cpu.get64(State.dr + 56) & DR7_GD) return { outcome: raiseDebug(cpu, Dr6.BD) };
  return alias ? insn.reg + 2 : insn.reg;
}
var hasIoBreakpoint = (dr7) => [0n, 1n, 2n, 3n].some((n) => dr7 >> 2n * n & 3n && (dr7 >> 16n + 4n * n & 3n) === 2n);
var movToDr = (cpu, insn, ports) => {
  const dr = debugRegister(cpu, insn, ports, true);
  if (typeof dr !== "number") return dr.outcome;
  const value = cpu.gprSized(insn.rm, registerSize(cpu));
  if (dr >= 6 && value >> 32n) return generalProtection(cpu);
  if (dr === 7 && cpu.cr4 & Cr4.DE && hasIoBreakpoint(value)) return cpu.notModelled("I/O breakpoints: MOV to DR7 enables one");
  const stored = dr === 6 ? value & DR6_WRITABLE | DR6_FIXED : dr === 7 ? value & DR7_WRITABLE | DR7_FIXED : value;
  cpu.set64(State.dr + dr * 8, stored);
  return Outcome.next;
};
var movFromDr = (cpu, insn, ports) => {
  const dr = debugRegister(cpu, insn, ports, false);
  if (typeof dr !== "number") return dr.outcome;
  const size = registerSize(cpu);
  cpu.setGprSized(insn.rm, size, BigInt.asUintN(size * 8, cpu.get64(State.dr + dr * 8)));
  return Outcome.next;
};
var controlRegisterInstructions = {
  MOV_TO_CR: movToCr,
  MOV_FROM_CR: movFromCr,
  MOV_TO_DR: movToDr,
  MOV_FROM_DR: movFromDr,
  CLTS: clts,
  LMSW: lmsw,
  SMSW: smsw
};

// emulator/cpu/access-control-instructions.ts
var RAX3 = 0;
var RCX4 = 1;
var RDX2 = 2;
var PCID_MASK = 0xfffn;
var alignmentCheck = (on) => (cpu, insn) => {
  if (insn.lock || cpu.cpl > 0) return invalidOpcode(cpu);
  cpu.setFlag(Flag.AC, on);
  cpu.modeChanged();
  return Outcome.next;
};
var rdpkru = (cpu, insn) => {
  if (insn.lock || !(cpu.cr4 & Cr4.PKE)) return invalidOpcode(cpu);
  if (cpu.gpr32(RCX4) !== 0) return generalProtection(cpu);
  cpu.setGpr32(RAX3, cpu.get32(State.pkru));
  cpu.setGpr32(RDX2, 0);
  return Outcome.next;
};
var wrpkru = (cpu, insn) => {
  if (insn.lock || !(cpu.cr4 & Cr4.PKE)) return invalidOpcode(cpu);
  if (cpu.gpr32(RCX4) !== 0 || cpu.gpr32(RDX2) !== 0) return generalProtection(cpu);
  cpu.set32(State.pkru, cpu.gpr32(RAX3));
  cpu.modeChanged();
  return Outcome.next;
};
var InvpcidType = { address: 0, context: 1, allWithGlobal: 2, allButGlobal: 3 };
function readDescriptor2(cpu, linear) {
  const low = cpu.loadLinear(linear, 8);
  if (low === void 0) return void 0;
  const address = cpu.loadLinear(BigInt.asUintN(64, linear + 8n), 8);
  return address === void 0 ? void 0 : [low, address];
}
var invpcid = (cpu, insn, ports) => {
  if (insn.lock || insn.rm >= 0) return invalidOpcode(cpu);
  if (cpu.vmxNonRoot && ports.vmx.disabledByControls(cpu, "INVPCID")) return invalidOpcode(cpu);
  if (cpu.cpl !== 0) return generalProtection(cpu);
  const type = cpu.code64 ? cpu.gpr(insn.reg) : BigInt(cpu.gpr32(insn.reg));
  if (type > BigInt(InvpcidType.allButGlobal)) return generalProtection(cpu);
  const linear = operandLinear(cpu, insn, 16, false);
  if (linear === void 0) return Outcome.pending;
  const descriptor = readDescriptor2(cpu, linear);
  if (descriptor === void 0) return Outcome.pending;
  const [low, address] = descriptor;
  if (low & ~PCID_MASK) return generalProtection(cpu);
  const pcid = Number(low);
  const one = type === BigInt(InvpcidType.address) || type === BigInt(InvpcidType.context);
  if (one && pcid !== 0 && !(cpu.cr4 & Cr4.PCIDE)) return generalProtection(cpu);
  switch (Number(type)) {
    case InvpcidType.address:
      if (!isCanonical(cpu, address)) return generalProtection(cpu);
      cpu.mmu.invalidatePage(cpu, address);
      break;
    case InvpcidType.context:
      cpu.mmu.flushPcid(cpu, pcid);
      break;
    case InvpcidType.allWithGlobal:
      cpu.mmu.flushAll(cpu);
      break;
    default:
      cpu.mmu.flushNonGlobal(cpu);
  }
  return Outcome.next;
};
var accessControlInstructions = {
  CLAC: alignmentCheck(false),
  STAC: alignmentCheck(true),
  RDPKRU: rdpkru,
  WRPKRU: wrpkru,
  INVPCID: invpcid
};

// emulator/cpu/call-gates.ts
function readGate(cpu, selector, first) {
  let d = first;
  const code = selectorError(selector);
  if (cpu.longMode) {
    const whole = fetchDescriptor(cpu, selector, Vector.GP, 0, 16);
    if (!whole) return Outcome.pending;
    if (whole.upperWord >>> 8 & 31) return generalProtection(cpu, code);
    d = whole;
  }
  const gate = gateOf(d.raw, d.upperBase);
  if (gate.dpl < cpu.cpl || (selector & 3) > gate.dpl) return generalProtection(cpu, code);
  if (!gate.present) return cpu.raise(Vector.NP, code);
  const narrow = gate.type === SystemType.callGate16;
  return {
    selector: gate.selector,
    offset: narrow ? gate.offset & 0xffffn : gate.offset,
    size: cpu.longMode ? 8 : narrow ? 2 : 4,
    parameters: cpu.longMode ? 0 : d.raw.high & 31
  };
}
function readTarget(cpu, gate, call2) {
  if (isNull(gate.selector)) return generalProtection(cpu);
  const cs = fetchDescriptor(cpu, gate.selector);
  if (!cs) return Outcome.pending;
  const code = selectorError(gate.selector);
  const dpl = dplOf(cs.access);
  if (!isCode(cs.access) || dpl > cpu.cpl) return generalProtection(cpu, code);
  if (cpu.longMode && (cs.access & (Ar.long | Ar.big)) !== Ar.long) return generalProtection(cpu, code);
  if (!call2 && !isConformingCode(cs.access) && dpl !== cpu.cpl) return generalProtection(cpu, code);
  if (!(cs.access & Ar.present)) return cpu.raise(Vector.NP, code);
  return isValidTarget(cpu, cs, gate.offset) ? cs : generalProtection(cpu);
}
function throughCallGate(cpu, insn, selector, d, call2) {
  const gate = readGate(cpu, selector, d);
  if (typeof gate === "number") return gate;
  const cs = readTarget(cpu, gate, call2);
  if (typeof cs === "number") return cs;
  const dpl = dplOf(cs.access);
  if (call2 && !isConformingCode(cs.access) && dpl < cpu.cpl) return callInner(cpu, insn, gate, cs, dpl);
  const stack = currentStack(cpu);
  if (!markAccessed(cpu, cs)) return Outcome.pending;
  if (call2 && !pushFrame(cpu, stack, returnAddress(cpu, insn, gate.size))) return Outcome.pending;
  if (call2) commitStack(cpu, stack);
  commitCodeSegment(cpu, gate.selector, cs, cpu.cpl, gate.offset);
  return Outcome.jumped;
}
var returnAddress = (cpu, insn, size) => [
  { size, value: BigInt(cpu.segmentSelector(Seg.cs)) },
  { size, value: nextIp(cpu, insn) }
];
function callInner(cpu, insn, gate, cs, cpl) {
  const { size } = gate;
  const outer = [
    { size, value: BigInt(cpu.segmentSelector(Seg.ss)) },
    { size, value: cpu.gpr(4) }
  ];
  if (cpu.longMode) {
    const rsp = readTss(cpu, Tss.rsp(cpl), 8, 0);
    if (rsp === void 0) return Outcome.pending;
    if (!isCanonical(cpu, rsp)) return cpu.raise(Vector.SS, 0);
    const stack = wideStack(rsp, privilegeOf(cpl), 0);
    if (!markAccessed(cpu, cs) || !pushFrame(cpu, stack, [...outer, ...returnAddress(cpu, insn, 8)])) return Outcome.pending;
    setNull(cpu, Seg.ss, cpl, cpl);
    commitCodeSegment(cpu, gate.selector, cs, cpl, gate.offset);
    commitStack(cpu, stack);
    return Outcome.jumped;
  }
  const inner = innerStack(cpu, cpl, 0);
  if (typeof inner === "number") return inner;
  const old = currentStack(cpu);
  const parameters = [];
  for (let n = gate.parameters - 1; n >= 0; n--) {
    const linear = segmentLinear(cpu, Seg.ss, BigInt.asUintN(old.bits, old.sp + BigInt(n * size)), size, false);
    const value = linear === void 0 ? void 0 : cpu.loadLinear(linear, size);
    if (value === void 0) return Outcome.pending;
    parameters.push({ size, value });
  }
  if (!markAccessed(cpu, cs)) return Outcome.pending;
  if (!pushFrame(cpu, inner.stack, [...outer, ...parameters, ...returnAddress(cpu, insn, size)])) return Outcome.pending;
  setFromDescriptor(cpu, Seg.ss, inner.selector, inner.descriptor);
  commitCodeSegment(cpu, gate.selector, cs, cpl, gate.offset);
  commitStack(cpu, inner.stack);
  return Outcome.jumped;
}

// emulator/cpu/far-transfers.ts
function farPointer(cpu, insn) {
  const size = insn.operandSize === 2 ? 2 : insn.operandSize === 8 ? 8 : 4;
  if (!insn.hasModRm) return { selector: insn.immediate2 & 65535, offset: BigInt.asUintN(size * 8, insn.immediate) };
  const linear = operandLinear(cpu, insn, size + 2, false);
  if (linear === void 0) return void 0;
  const offset = cpu.loadLinear(linear, size);
  if (offset === void 0) return void 0;
  const selector = cpu.loadLinear(BigInt.asUintN(cpu.code64 ? 64 : 32, linear + BigInt(size)), 2);
  return selector === void 0 ? void 0 : { selector: Number(selector), offset };
}
function systemTarget(cpu, insn, ports, target, d, call2) {
  const { selector } = target;
  const code = selectorError(selector);
  const type = d.access & (Ar.notSystem | Ar.type);
  if (type === SystemType.callGate || !cpu.longMode && type === SystemType.callGate16) {
    const outcome = throughCallGate(cpu, insn, selector, d, call2);
    if (outcome === Outcome.jumped) enteredCode(cpu, ports);
    return outcome;
  }
  const isTss = type === SystemType.tssAvailable || type === SystemType.tss16Available;
  if (cpu.longMode || !(isTss || type === SystemType.taskGate)) return generalProtection(cpu, code);
  const dpl = dplOf(d.access);
  if (dpl < cpu.cpl || dpl < (selector & 3)) return generalProtection(cpu, code);
  if (!isTss && !(d.access & Ar.present)) return cpu.raise(Vector.NP, code);
  const tss = isTss ? selector : gateOf(d.raw, 0).selector;
  const source2 = call2 ? TaskSource.call : TaskSource.jmp;
  return switchTask(cpu, ports, { selector: tss, source: source2, ext: 0, flags: cpu.flags, returnIp: nextIp(cpu, insn), length: insn.length });
}
function sameLevelTarget(cpu, insn, ports, target, call2) {
  const { selector } = target;
  if (isNull(selector)) return generalProtection(cpu);
  const d = fetchDescriptor(cpu, selector);
  if (!d) return Outcome.pending;
  if (!isCode(d.access)) return systemTarget(cpu, insn, ports, target, d, call2);
  const code = selectorError(selector);
  if (reservedLongAndBig(cpu, d.access)) return generalProtection(cpu, code);
  const dpl = dplOf(d.access);
  const allowed = isConformingCode(d.access) ? dpl <= cpu.cpl : (selector & 3) <= cpu.cpl && dpl === cpu.cpl;
  if (!allowed) return generalProtection(cpu, code);
  if (!(d.access & Ar.present)) return cpu.raise(Vector.NP, code);
  if (!isValidTarget(cpu, d, target.offset)) return generalProtection(cpu);
  return d;
}
var jmpFar = (cpu, insn, ports) => {
  if (insn.lock || insn.hasModRm && insn.rm >= 0) return invalidOpcode(cpu);
  const target = farPointer(cpu, insn);
  if (!target) return Outcome.pending;
  if (isReal8086(cpu)) return realJump(cpu, target.selector, target.offset);
  const d = sameLevelTarget(cpu, insn, ports, target, false);
  if (typeof d === "number") return d;
  if (!markAccessed(cpu, d)) return Outcome.pending;
  commitCodeSegment(cpu, target.selector, d, cpu.cpl, target.offset);
  enteredCode(cpu, ports);
  return Outcome.jumped;
};
var callFar = (cpu, insn, ports) => {
  if (insn.lock || insn.hasModRm && insn.rm >= 0) return invalidOpcode(cpu);
  const target = farPointer(cpu, insn);
  if (!target) return Outcome.pending;
  if (isReal8086(cpu)) return realCall(cpu, insn, target.selector, target.offset);
  const d = sameLevelTarget(cpu, insn, ports, target, true);
  if (typeof d === "number") return d;
  const size = insn.operandSize;
  const stack = currentStack(cpu);
  if (!markAccessed(cpu, d)) return Outcome.pending;
  const frame = [
    { size, value: BigInt(cpu.segmentSelector(Seg.cs)) },
    { size, value: nextIp(cpu, insn) }
  ];
  if (!pushFrame(cpu, stack, frame)) return Outcome.pending;
  commitStack(cpu, stack);
  commitCodeSegment(cpu, target.selector, d, cpu.cpl, target.offset);
  enteredCode(cpu, ports);
  return Outcome.jumped;
};
function enteredCode(cpu, ports) {
  const was64 = cpu.code64;
  cpu.modeChanged();
  if (was64 !== cpu.code64) ports.observer.modeSwitch(cpu);
}
function returnTarget(cpu, target) {
  const { selector } = target;
  if (isNull(selector)) return generalProtection(cpu);
  const d = fetchDescriptor(cpu, selector);
  if (!d) return Outcome.pending;
  const code = selectorError(selector);
  const rpl = selector & 3;
  if (!isCode(d.access) || rpl < cpu.cpl || reservedLongAndBig(cpu, d.access)) return generalProtection(cpu, code);
  const dpl = dplOf(d.access);
  if (isConformingCode(d.access) ? dpl > rpl : dpl !== rpl) return generalProtection(cpu, code);
  if (!(d.access & Ar.present)) return cpu.raise(Vector.NP, code);
  if (!isValidTarget(cpu, d, target.offset)) return generalProtection(cpu);
  return d;
}
function returnStack(cpu, selector, cpl, cs) {
  if (isNull(selector)) {
    const to64 = cpu.longMode && (cs.access & Ar.long) !== 0;
    if (!to64 || cpl === 3 || (selector & 3) !== cpl) return generalProtection(cpu);
    return { selector, descriptor: void 0 };
  }
  const descriptor = fetchDescriptor(cpu, selector);
  if (!descriptor) return Outcome.pending;
  const { access } = descriptor;
  const code = selectorError(selector);
  if ((selector & 3) !== cpl || !isWritableData(access) || dplOf(access) !== cpl) return generalProtection(cpu, code);
  if (!(access & Ar.present)) return cpu.raise(Vector.SS, code);
  return { selector, descriptor };
}
function commitReturnStack(cpu, ss, cpl, cs, sp) {
  if (ss.descriptor) setFromDescriptor(cpu, Seg.ss, ss.selector, ss.descriptor);
  else setNull(cpu, Seg.ss, ss.selector, cpl);
  const wide = cpu.longMode && (cs.access & Ar.long) !== 0;
  setStackPointer(cpu, sp, wide ? 64 : ss.descriptor && ss.descriptor.access & Ar.big ? 32 : 16);
}
var retFar = (cpu, insn, ports) => {
  if (insn.lock) return invalidOpcode(cpu);
  const size = insn.operandSize;
  const released = (insn.opcode & 255) === 202 ? insn.immediate & 0xffffn : 0n;
  if (isReal8086(cpu)) return realReturn(cpu, insn, released);
  const stack = currentStack(cpu);
  const frame = popFrame(cpu, stack, size, 2);
  if (!frame) return Outcome.pending;
  const target = { offset: frame[0], selector: Number(frame[1] & 0xffffn) };
  const cs = returnTarget(cpu, target);
  if (typeof cs === "number") return cs;
  const cpl = target.selector & 3;
  stack.sp = BigInt.asUintN(stack.bits, stack.sp + released);
  if (cpl === cpu.cpl) {
    if (!markAccessed(cpu, cs)) return Outcome.pending;
    commitStack(cpu, stack);
    commitCodeSegment(cpu, target.selector, cs, cpl, target.offset);
  } else {
    const outer = popFrame(cpu, stack, size, 2);
    if (!outer) return Outcome.pending;
    const ss = returnStack(cpu, Number(outer[1] & 0xffffn), cpl, cs);
    if (typeof ss === "number") return ss;
    if (!markAccessed(cpu, cs) || ss.descriptor && !markAccessed(cpu, ss.descriptor)) return Outcome.pending;
    commitReturnStack(cpu, ss, cpl, cs, outer[0] + released);
    commitCodeSegment(cpu, target.selector, cs, cpl, target.offset);
    dropInnerSegments(cpu, cpl);
  }
  enteredCode(cpu, ports);
  return Outcome.jumped;
};
function flagsAfterIret(cpu, image, size) {
  let mask = ARITHMETIC_FLAGS | Flag.TF | Flag.DF | Flag.NT;
  if (size !== 2) mask |= Flag.RF | Flag.AC | Flag.ID;
  const iopl = (cpu.flags & Flag.IOPL) >> 12;
  if (cpu.cpl <= iopl) mask |= Flag.IF;
  if (cpu.cpl === 0) mask |= Flag.IOPL | (size !== 2 ? Flag.VIF | Flag.VIP : 0);
  return cpu.flags & ~mask | image & mask;
}
function returnToTask(cpu, insn, ports) {
  const link = readTss(cpu, 0, 2, 0);
  if (link === void 0) return Outcome.pending;
  const flags = cpu.flags & ~Flag.NT;
  const selector = Number(link);
  return switchTask(cpu, ports, { selector, source: TaskSource.iret, ext: 0, flags, returnIp: nextIp(cpu, insn), length: insn.length });
}
var iret = (cpu, insn, ports) => {
  if (insn.lock) return invalidOpcode(cpu);
  const size = insn.operandSize;
  if (isRealMode(cpu)) return realInterruptReturn(cpu, size, realIretFlags(size));
  if (isVirtual8086(cpu)) return virtual8086InterruptReturn(cpu, size);
  if (cpu.flag(Flag.NT)) return cpu.longMode ? generalProtection(cpu) : returnToTask(cpu, insn, ports);
  const stack = currentStack(cpu);
  const frame = popFrame(cpu, stack, size, 3);
  if (!frame) return Outcome.pending;
  const target = { offset: frame[0], selector: Number(frame[1] & 0xffffn) };
  const image = Number(frame[2] & 0xffffffffn) | 0;
  if (!cpu.longMode && size === 4 && image & Flag.VM && cpu.cpl === 0)
    return enterVirtual8086(cpu, stack, frame[0], target.selector, image);
  const cs = returnTarget(cpu, target);
  if (typeof cs === "number") return cs;
  const cpl = target.selector & 3;
  const flags = flagsAfterIret(cpu, image, size);
  if (cpu.code64 || cpl !== cpu.cpl) {
    const outer = popFrame(cpu, stack, size, 2);
    if (!outer) return Outcome.pending;
    const ss = returnStack(cpu, Number(outer[1] & 0xffffn), cpl, cs);
    if (typeof ss === "number") return ss;
    if (!markAccessed(cpu, cs) || ss.descriptor && !markAccessed(cpu, ss.descriptor)) return Outcome.pending;
    const toOuter = cpl !== cpu.cpl;
    commitReturnStack(cpu, ss, cpl, cs, outer[0]);
    commitCodeSegment(cpu, target.selector, cs, cpl, target.offset);
    if (toOuter) dropInnerSegments(cpu, cpl);
  } else {
    if (!markAccessed(cpu, cs)) return Outcome.pending;
    commitStack(cpu, stack);
    commitCodeSegment(cpu, target.selector, cs, cpl, target.offset);
  }
  cpu.flags = flags;
  cpu.set32(State.interruptibility, cpu.get32(State.interruptibility) & ~Interruptibility.blockingByNmi);
  enteredCode(cpu, ports);
  return Outcome.jumped;
};
var farTransferInstructions = {
  JMP_FAR: jmpFar,
  CALL_FAR: callFar,
  RET_FAR: retFar,
  IRET: iret
};

// emulator/cpu/fast-system-calls.ts
var RCX5 = 1;
var RDX3 = 2;
var RSP3 = 4;
var R11 = 11;
var WORD3 = 0xffffffffn;
var CODE64 = 41115;
var CODE32 = 49307;
var DATA = 49299;
function loadFlat2(cpu, cs, ss, cpl, code) {
  cpu.setSegment(Seg.cs, cs & 65532 | cpl, 0n, 4294967295, code | cpl << 5);
  cpu.setSegment(Seg.ss, ss & 65532 | cpl, 0n, 4294967295, DATA | cpl << 5);
  cpu.setCpl(cpl);
}
var syscall = (cpu, insn) => {
  if (insn.lock || !cpu.code64 || !(cpu.efer & Efer.SCE)) return invalidOpcode(cpu);
  const flags = cpu.flags;
  const star = Number(cpu.get64(State.star) >> 32n & 0xffffn);
  cpu.setGpr(RCX5, nextIp(cpu, insn));
  cpu.setGpr(R11, BigInt(flags >>> 0));
  cpu.rip = cpu.get64(State.lstar);
  cpu.flags = flags & ~Number(cpu.get64(State.fmask) & WORD3) & ~Flag.RF;
  loadFlat2(cpu, star, (star & 65532) + 8, 0, CODE64);
  cpu.modeChanged();
  return Outcome.jumped;
};
var sysret = (cpu, insn, ports) => {
  if (insn.lock || !cpu.code64 || !(cpu.efer & Efer.SCE)) return invalidOpcode(cpu);
  if (cpu.cpl !== 0) return generalProtection(cpu);
  const to64 = insn.rexW;
  const rip = cpu.gpr(RCX5);
  if (to64 && !isCanonical(cpu, rip)) return generalProtection(cpu);
  const star = Number(cpu.get64(State.star) >> 48n & 0xffffn);
  cpu.rip = to64 ? rip : rip & WORD3;
  cpu.flags = Number(cpu.gpr(R11) & 0x3c7fd7n);
  loadFlat2(cpu, to64 ? star + 16 : star, star + 8, 3, to64 ? CODE64 : CODE32);
  cpu.modeChanged();
  if (!to64) ports.observer.modeSwitch(cpu);
  return Outcome.jumped;
};
var sysenter = (cpu, insn, ports) => {
  if (insn.lock) return invalidOpcode(cpu);
  const cs = Number(cpu.get64(State.sysenterCs) & 0xfffcn);
  if (cs === 0 || isRealMode(cpu)) return generalProtection(cpu);
  const was64 = cpu.code64;
  const long = cpu.longMode;
  cpu.flags = cpu.flags & ~(Flag.VM | Flag.IF);
  cpu.setGpr(RSP3, long ? cpu.get64(State.sysenterEsp) : cpu.get64(State.sysenterEsp) & WORD3);
  cpu.rip = long ? cpu.get64(State.sysenterEip) : cpu.get64(State.sysenterEip) & WORD3;
  loadFlat2(cpu, cs, cs + 8, 0, long ? CODE64 : CODE32);
  cpu.modeChanged();
  if (was64 !== cpu.code64) ports.observer.modeSwitch(cpu);
  return Outcome.jumped;
};
var sysexit = (cpu, insn, ports) => {
  if (insn.lock) return invalidOpcode(cpu);
  const cs = Number(cpu.get64(State.sysenterCs) & 0xfffcn);
  if (cs === 0 || cpu.cpl !== 0 || isRealMode(cpu)) return generalProtection(cpu);
  const to64 = insn.rexW;
  const rip = cpu.gpr(RDX3);
  const rsp = cpu.gpr(RCX5);
  if (to64 && !(isCanonical(cpu, rip) && isCanonical(cpu, rsp))) return generalProtection(cpu);
  const was64 = cpu.code64;
  cpu.rip = to64 ? rip : rip & WORD3;
  cpu.setGpr(RSP3, to64 ? rsp : rsp & WORD3);
  const base = to64 ? cs + 32 : cs + 16;
  loadFlat2(cpu, base, base + 8, 3, to64 ? CODE64 : CODE32);
  cpu.modeChanged();
  if (was64 !== cpu.code64) ports.observer.modeSwitch(cpu);
  return Outcome.jumped;
};
var swapgs = (cpu, insn) => {
  if (insn.lock || !cpu.code64) return invalidOpcode(cpu);
  if (cpu.cpl !== 0) return generalProtection(cpu);
  const base = cpu.segmentBase(Seg.gs);
  cpu.setSegment(Seg.gs, cpu.segmentSelector(Seg.gs), cpu.get64(State.kernelGsBase), cpu.segmentLimit(Seg.gs), cpu.segmentAccess(Seg.gs));
  cpu.set64(State.kernelGsBase, base);
  return Outcome.next;
};
var fastSystemCallInstructions = {
  SYSCALL: syscall,
  SYSRET: sysret,
  SYSENTER: sysenter,
  SYSEXIT: sysexit,
  SWAPGS: swapgs
};

// emulator/cpu/flag-instructions.ts
function hasVirtualInterrupts(cpu) {
  if (isVirtual8086(cpu)) return (cpu.cr4 & Cr4.VME) !== 0n;
  return cpu.cpl === 3 && (cpu.cr4 & Cr4.PVI) !== 0n;
}
var cli = (cpu, insn) => {
  if (insn.lock) return invalidOpcode(cpu);
  if (cpu.cpl <= ioplOf(cpu)) cpu.setFlag(Flag.IF, false);
  else if (hasVirtualInterrupts(cpu)) cpu.setFlag(Flag.VIF, false);
  else return generalProtection(cpu);
  return Outcome.next;
};
var sti = (cpu, insn) => {
  if (insn.lock) return invalidOpcode(cpu);
  const kept = cpu.get32(State.interruptibility) & ~(Interruptibility.blockingBySti | Interruptibility.blockingByMovSs);
  if (cpu.cpl > ioplOf(cpu)) {
    if (!hasVirtualInterrupts(cpu) || cpu.flag(Flag.VIP)) return generalProtection(cpu);
    cpu.set32(State.interruptibility, kept);
    cpu.setFlag(Flag.VIF, true);
    return Outcome.next;
  }
  cpu.set32(State.interruptibility, cpu.flag(Flag.IF) ? kept : kept | Interruptibility.blockingBySti);
  cpu.setFlag(Flag.IF, true);
  return Outcome.next;
};
var pushf = (cpu, insn) => {
  if (insn.lock) return invalidOpcode(cpu);
  const virtual = isVirtual8086(cpu) && ioplOf(cpu) < 3;
  if (virtual && !virtualisesFlags(cpu, insn.operandSize)) return generalProtection(cpu);
  const stack = currentStack(cpu);
  const image = BigInt(((virtual ? virtualFlags(cpu.flags) : cpu.flags) & ~(Flag.VM | Flag.RF)) >>> 0);
  if (!pushFrame(cpu, stack, [{ size: insn.operandSize, value: image }])) return Outcome.pending;
  commitStack(cpu, stack);
  return Outcome.next;
};
var popf = (cpu, insn) => {
  if (insn.lock) return invalidOpcode(cpu);
  const virtual = isVirtual8086(cpu) && ioplOf(cpu) < 3;
  if (virtual && !virtualisesFlags(cpu, insn.operandSize)) return generalProtection(cpu);
  const stack = currentStack(cpu);
  const frame = popFrame(cpu, stack, insn.operandSize, 1);
  if (!frame) return Outcome.pending;
  if (virtual) {
    const accepted = acceptVirtualFlags(cpu, Number(frame[0]));
    if (accepted === void 0) return generalProtection(cpu);
    commitStack(cpu, stack);
    cpu.flags = cpu.flags & ~VIRTUAL_FLAGS_LOADED | accepted & VIRTUAL_FLAGS_LOADED;
    return Outcome.next;
  }
  const image = Number(frame[0] & 0xffffffffn) | 0;
  let mask = ARITHMETIC_FLAGS | Flag.TF | Flag.DF | Flag.NT;
  if (insn.operandSize !== 2) mask |= Flag.AC | Flag.ID;
  if (cpu.cpl <= ioplOf(cpu)) mask |= Flag.IF;
  if (cpu.cpl === 0) mask |= Flag.IOPL;
  const cleared = insn.operandSize === 2 ? 0 : Flag.RF | (cpu.cpl === 0 ? Flag.VIF | Flag.VIP : 0);
  commitStack(cpu, stack);
  cpu.flags = cpu.flags & ~mask & ~cleared | image & mask;
  cpu.modeChanged();
  return Outcome.next;
};
var flagInstructions = { CLI: cli, STI: sti, PUSHF: pushf, POPF: popf };

// emulator/cpu/io-instructions.ts
var RAX4 = 0;
var RCX6 = 1;
var RDX4 = 2;
var RSI3 = 6;
var RDI3 = 7;
function portAllowed(cpu, port, size) {
  if (cpu.cpl <= ioplOf(cpu) && !isVirtual8086(cpu)) return true;
  const refuse4 = () => {
    generalProtection(cpu);
    return false;
  };
  const access = cpu.segmentAccess(Seg.tr);
  if (access & Ar.unusable || !(access & 8)) return refuse4();
  const limit = cpu.segmentLimit(Seg.tr);
  if (Tss.ioMapBase + 1 > limit) return refuse4();
  const tr = cpu.segmentBase(Seg.tr);
  const map = cpu.loadLinear(tableLinear(cpu, tr + BigInt(Tss.ioMapBase)), 2, IMPLICIT_READ);
  if (map === void 0) return false;
  const at = Number(map) + (port >> 3);
  if (at + 1 > limit) return refuse4();
  const bits = cpu.loadLinear(tableLinear(cpu, tr + BigInt(at)), 2, IMPLICIT_READ);
  if (bits === void 0) return false;
  return Number(bits) >> (port & 7) & (1 << size) - 1 ? refuse4() : true;
}
var portSize = (insn) => insn.opcode & 1 ? insn.operandSize === 2 ? 2 : 4 : 1;
var isImmediate = (insn) => (insn.opcode & 255) < 232;
function registerPortRefused(cpu, insn, ports, port, input) {
  if (insn.lock) return invalidOpcode(cpu);
  const size = portSize(insn);
  if (!portAllowed(cpu, port, size)) return Outcome.pending;
  if (!cpu.vmxNonRoot) return void 0;
  const event = {
    kind: "io",
    port,
    size,
    in: input,
    string: false,
    rep: false,
    immediate: isImmediate(insn),
    length: insn.length
  };
  return ports.vmx.intercept(cpu, event) ? Outcome.exited : void 0;
}
var portOf = (cpu, insn) => isImmediate(insn) ? Number(insn.immediate & 0xffn) : cpu.gpr32(RDX4) & 65535;
var inHandler = (cpu, insn, ports) => {
  const port = portOf(cpu, insn);
  const refused = registerPortRefused(cpu, insn, ports, port, true);
  if (refused !== void 0) return refused;
  const size = portSize(insn);
  const value = ports.io.in(cpu, port, size);
  if (cpu.stop) return Outcome.stopped;
  cpu.setGprSized(RAX4, size, BigInt.asUintN(size * 8, BigInt(value >>> 0)));
  return Outcome.next;
};
var outHandler = (cpu, insn, ports) => {
  const port = portOf(cpu, insn);
  const refused = registerPortRefused(cpu, insn, ports, port, false);
  if (refused !== void 0) return refused;
  const size = portSize(insn);
  ports.io.out(cpu, port, size, Number(cpu.gprSized(RAX4, size)));
  return cpu.stop ? Outcome.stopped : Outcome.next;
};
function stringIo(cpu, insn, ports, input) {
  if (insn.lock) return invalidOpcode(cpu);
  const { addressSize } = insn;
  const repeated = insn.rep !== 0;
  if (repeated && cpu.gprSized(RCX6, addressSize) === 0n) return Outcome.next;
  const size = portSize(insn);
  const port = cpu.gpr32(RDX4) & 65535;
  if (!portAllowed(cpu, port, size)) return Outcome.pending;
  const indexRegister = input ? RDI3 : RSI3;
  const segment = input ? Seg.es : insn.segment;
  const offset = cpu.gprSized(indexRegister, addressSize);
  if (cpu.vmxNonRoot) {
    const linear2 = uncheckedLinear(cpu, segment, offset);
    const event = { kind: "io", port, size, in: input, string: true, rep: repeated, immediate: false, length: insn.length, linear: linear2, segment, addressSize };
    if (ports.vmx.intercept(cpu, event)) return Outcome.exited;
  }
  const linear = segmentLinear(cpu, segment, offset, size, input);
  if (linear === void 0) return Outcome.pending;
  if (input) {
    if (!cpu.probeWrite(linear, size)) return Outcome.pending;
    const value = ports.io.in(cpu, port, size);
    if (cpu.stop) return Outcome.stopped;
    if (!cpu.storeLinear(linear, size, BigInt.asUintN(size * 8, BigInt(value >>> 0)), Access.write)) return Outcome.pending;
  } else {
    const value = cpu.loadLinear(linear, size);
    if (value === void 0) return Outcome.pending;
    ports.io.out(cpu, port, size, Number(value));
    if (cpu.stop) return Outcome.stopped;
  }
  const step2 = BigInt(cpu.flag(Flag.DF) ? -size : size);
  cpu.setGprSized(indexRegister, addressSize, BigInt.asUintN(addressSize * 8, offset + step2));
  if (!repeated) return Outcome.next;
  const left = BigInt.asUintN(addressSize * 8, cpu.gprSized(RCX6, addressSize) - 1n);
  cpu.setGprSized(RCX6, addressSize, left);
  return left === 0n ? Outcome.next : Outcome.jumped;
}
var ioInstructions = {
  IN: inHandler,
  OUT: outHandler,
  INS: (cpu, insn, ports) => stringIo(cpu, insn, ports, true),
  OUTS: (cpu, insn, ports) => stringIo(cpu, insn, ports, false)
};

// emulator/cpu/random-instructions.ts
var QUAD3 = 64;
var STEP = 0x9e3779b97f4a7c15n;
var MIX1 = 0xbf58476d1ce4e5b9n;
var MIX2 = 0x94d049bb133111ebn;
function nextRandom(cpu) {
  const counter = BigInt.asUintN(QUAD3, cpu.get64(State.random) + STEP);
  cpu.set64(State.random, counter);
  let x = counter;
  x = BigInt.asUintN(QUAD3, (x ^ x >> 30n) * MIX1);
  x = BigInt.asUintN(QUAD3, (x ^ x >> 27n) * MIX2);
  return x ^ x >> 31n;
}
var randomNumber = (name, feature) => (cpu, insn, ports) => {
  if (insn.lock || insn.rm < 0 || !cpu.model.features.has(feature)) return invalidOpcode(cpu);
  if (instructionExits(cpu, ports, name, insn.length)) return Outcome.exited;
  cpu.setGprSized(insn.rm, insn.operandSize, BigInt.asUintN(insn.operandSize * 8, nextRandom(cpu)));
  cpu.flags = cpu.flags & ~ARITHMETIC_FLAGS | Flag.CF;
  return Outcome.next;
};
var randomInstructions = {
  RDRAND: randomNumber("RDRAND", "rdrand"),
  RDSEED: randomNumber("RDSEED", "rdseed")
};

// emulator/cpu/segment-base-instructions.ts
var readBase = (segment) => (cpu, insn) => {
  if (insn.lock || insn.rm < 0 || !(cpu.cr4 & Cr4.FSGSBASE)) return invalidOpcode(cpu);
  const size = insn.operandSize === 8 ? 8 : 4;
  cpu.setGprSized(insn.rm, size, BigInt.asUintN(size * 8, cpu.segmentBase(segment)));
  return Outcome.next;
};
var writeBase = (segment) => (cpu, insn) => {
  if (insn.lock || insn.rm < 0 || !(cpu.cr4 & Cr4.FSGSBASE)) return invalidOpcode(cpu);
  const base = cpu.gprSized(insn.rm, insn.operandSize === 8 ? 8 : 4);
  if (!isCanonical(cpu, base)) return generalProtection(cpu);
  cpu.setSegment(segment, cpu.segmentSelector(segment), base, cpu.segmentLimit(segment), cpu.segmentAccess(segment));
  return Outcome.next;
};
var rdpid = (cpu, insn, ports) => {
  if (insn.lock || insn.rm < 0) return invalidOpcode(cpu);
  if (cpu.vmxNonRoot && ports.vmx.disabledByControls(cpu, "RDTSCP")) return invalidOpcode(cpu);
  cpu.setGprSized(insn.rm, cpu.code64 ? 8 : 4, cpu.get64(State.tscAux) & 0xffffffffn);
  return Outcome.next;
};
var segmentBaseInstructions = {
  RDFSBASE: readBase(Seg.fs),
  RDGSBASE: readBase(Seg.gs),
  WRFSBASE: writeBase(Seg.fs),
  WRGSBASE: writeBase(Seg.gs),
  RDPID: rdpid
};

// emulator/cpu/segment-instructions.ts
function setMovSsBlocking(cpu, segment) {
  const kept = cpu.get32(State.interruptibility) & ~(Interruptibility.blockingBySti | Interruptibility.blockingByMovSs);
  cpu.set32(State.interruptibility, segment === Seg.ss ? kept | Interruptibility.blockingByMovSs : kept);
}
var movToSreg = (cpu, insn) => {
  const segment = insn.reg & 7;
  if (insn.lock || segment === Seg.cs || segment > Seg.gs) return invalidOpcode(cpu);
  const selector = readRm(cpu, insn, 2);
  if (selector === void 0 || !loadSegmentRegister(cpu, segment, Number(selector))) return Outcome.pending;
  setMovSsBlocking(cpu, segment);
  cpu.modeChanged();
  return Outcome.next;
};
var movFromSreg = (cpu, insn) => {
  const segment = insn.reg & 7;
  if (insn.lock || segment > Seg.gs) return invalidOpcode(cpu);
  return writeSelectorRm(cpu, insn, cpu.segmentSelector(segment)) ? Outcome.next : Outcome.pending;
};
var segmentOfOpcode = (opcode) => opcode >> 3 & 7;
var pushSreg = (cpu, insn) => {
  if (insn.lock) return invalidOpcode(cpu);
  const stack = currentStack(cpu);
  const size = insn.operandSize;
  const slot2 = { size, value: BigInt(cpu.segmentSelector(segmentOfOpcode(insn.opcode))), written: size === 4 ? 2 : size };
  if (!pushFrame(cpu, stack, [slot2])) return Outcome.pending;
  commitStack(cpu, stack);
  return Outcome.next;
};
var popSreg = (cpu, insn) => {
  if (insn.lock) return invalidOpcode(cpu);
  const segment = segmentOfOpcode(insn.opcode);
  const stack = currentStack(cpu);
  const frame = popFrame(cpu, stack, insn.operandSize, 1);
  if (!frame || !loadSegmentRegister(cpu, segment, Number(frame[0] & 0xffffn))) return Outcome.pending;
  setStackPointer(cpu, stack.sp, stack.bits);
  setMovSsBlocking(cpu, segment);
  cpu.modeChanged();
  return Outcome.next;
};
var farPointerSegment = { LES: Seg.es, LDS: Seg.ds, LSS: Seg.ss, LFS: Seg.fs, LGS: Seg.gs };
var loadFarPointer = (cpu, insn) => {
  if (insn.lock || insn.rm >= 0) return invalidOpcode(cpu);
  const segment = farPointerSegment[insn.mnemonic];
  const size = insn.operandSize === 2 ? 2 : insn.operandSize === 8 ? 8 : 4;
  const linear = operandLinear(cpu, insn, size + 2, false);
  if (linear === void 0) return Outcome.pending;
  const offset = cpu.loadLinear(linear, size);
  if (offset === void 0) return Outcome.pending;
  const selector = cpu.loadLinear(BigInt.asUintN(cpu.code64 ? 64 : 32, linear + BigInt(size)), 2);
  if (selector === void 0 || !loadSegmentRegister(cpu, segment, Number(selector))) return Outcome.pending;
  cpu.setGprSized(insn.reg, size, offset);
  setMovSsBlocking(cpu, -1);
  cpu.modeChanged();
  return Outcome.next;
};
var LAR_TYPES = { legacy: [1, 2, 3, 4, 5, 9, 11, 12], long: [2, 9, 11, 12] };
var LSL_TYPES = { legacy: [1, 2, 3, 9, 11], long: [2, 9, 11] };
function visibleDescriptor(cpu, selector, systemTypes) {
  if (isNull(selector)) return "invisible";
  const d = readDescriptor(cpu, selector);
  if (d === void 0) return void 0;
  if (d === "outside") return "invisible";
  if (!(d.access & Ar.notSystem)) {
    const types3 = systemTypes && (cpu.longMode ? systemTypes.long : systemTypes.legacy);
    if (!types3?.includes(d.access & Ar.type)) return "invisible";
  }
  const dpl = dplOf(d.access);
  if (!isConformingCode(d.access) && (cpu.cpl > dpl || (selector & 3) > dpl)) return "invisible";
  return d;
}
var larOrLsl = (types3, valueOf) => (cpu, insn) => {
  if (insn.lock) return invalidOpcode(cpu);
  const selector = readRm(cpu, insn, 2);
  if (selector === void 0) return Outcome.pending;
  const d = visibleDescriptor(cpu, Number(selector), types3);
  if (d === void 0) return Outcome.pending;
  if (d !== "invisible") cpu.setGprSized(insn.reg, insn.operandSize, BigInt.asUintN(insn.operandSize * 8, BigInt(valueOf(d) >>> 0)));
  cpu.setFlag(Flag.ZF, d !== "invisible");
  return Outcome.next;
};
var verify = (allows) => (cpu, insn) => {
  if (insn.lock) return invalidOpcode(cpu);
  const selector = readRm(cpu, insn, 2);
  if (selector === void 0) return Outcome.pending;
  const d = visibleDescriptor(cpu, Number(selector), void 0);
  if (d === void 0) return Outcome.pending;
  cpu.setFlag(Flag.ZF, d !== "invisible" && allows(d.access));
  return Outcome.next;
};
var arpl = (cpu, insn) => {
  if (insn.lock || cpu.code64) return invalidOpcode(cpu);
  const destination2 = readRm(cpu, insn, 2);
  if (destination2 === void 0) return Outcome.pending;
  const rpl = cpu.gprSized(insn.reg, 2) & 3n;
  const raises = (destination2 & 3n) < rpl;
  if (!writeRm(cpu, insn, 2, raises ? destination2 & ~3n | rpl : destination2)) return Outcome.pending;
  cpu.setFlag(Flag.ZF, raises);
  return Outcome.next;
};
var segmentInstructions = {
  MOV_TO_SREG: movToSreg,
  MOV_FROM_SREG: movFromSreg,
  PUSH_SREG: pushSreg,
  POP_SREG: popSreg,
  LOAD_FAR_POINTER: loadFarPointer,
  ...protectedOnly({
    LAR: larOrLsl(LAR_TYPES, (d) => d.raw.high & 16776960),
    LSL: larOrLsl(LSL_TYPES, (d) => limitOf(d.raw)),
    VERR: verify((access) => isData(access) || isCode(access) && (access & Ar.writable) !== 0),
    VERW: verify((access) => isWritableData(access)),
    ARPL: arpl
  })
};

// emulator/cpu/software-interrupts.ts
function softwareException(cpu, insn, ports, vector, type) {
  ports.observer.exception(cpu, vector, void 0);
  const event = { kind: "exception", vector, type, length: insn.length, qualification: 0n };
  if (cpu.vmxNonRoot && ports.vmx.intercept(cpu, event)) return Outcome.exited;
  return deliverEvent(cpu, ports, { vector, type, length: insn.length });
}
var bound = (cpu, insn) => {
  if (insn.lock || insn.rm >= 0 || cpu.code64) return invalidOpcode(cpu);
  const size = insn.operandSize === 2 ? 2 : 4;
  const linear = operandLinear(cpu, insn, size * 2, false);
  if (linear === void 0) return Outcome.pending;
  const lower = cpu.loadLinear(linear, size);
  const upper = lower === void 0 ? void 0 : cpu.loadLinear(BigInt.asUintN(32, linear + BigInt(size)), size);
  if (lower === void 0 || upper === void 0) return Outcome.pending;
  const signed = (value) => BigInt.asIntN(size * 8, value);
  const index = signed(cpu.gprSized(insn.reg, size));
  return index < signed(lower) || index > signed(upper) ? cpu.raise(Vector.BR) : Outcome.next;
};
var softwareInterruptInstructions = {
  INT: (cpu, insn, ports) => insn.lock ? invalidOpcode(cpu) : deliverEvent(cpu, ports, { vector: Number(insn.immediate & 0xffn), type: EventType.softwareInterrupt, length: insn.length }),
  INT3: (cpu, insn, ports) => insn.lock ? invalidOpcode(cpu) : softwareException(cpu, insn, ports, Vector.BP, EventType.softwareException),
  INTO: (cpu, insn, ports) => {
    if (insn.lock || cpu.code64) return invalidOpcode(cpu);
    return cpu.flag(Flag.OF) ? softwareException(cpu, insn, ports, Vector.OF, EventType.softwareException) : Outcome.next;
  },
  INT1: (cpu, insn, ports) => insn.lock ? invalidOpcode(cpu) : softwareException(cpu, insn, ports, Vector.DB, EventType.privilegedSoftwareException),
  BOUND: bound
};

// emulator/cpu/stack-frame.ts
var RBP2 = 5;
var enter = (cpu, insn) => {
  if (insn.lock) return invalidOpcode(cpu);
  const size = insn.operandSize;
  const allocated = insn.immediate & 0xffffn;
  const level = insn.immediate2 & 31;
  const stack = currentStack(cpu);
  const rbp = cpu.gprSized(RBP2, stack.bits / 8);
  const slots = [{ size, value: cpu.gprSized(RBP2, size) }];
  const frame = BigInt.asUintN(stack.bits, stack.sp - BigInt(size));
  for (let i = 1; i < level; i++) {
    const linear = segmentLinear(cpu, Seg.ss, BigInt.asUintN(stack.bits, rbp - BigInt(size * i)), size, false);
    const value = linear === void 0 ? void 0 : cpu.loadLinear(linear, size);
    if (value === void 0) return Outcome.pending;
    slots.push({ size, value });
  }
  if (level > 0) slots.push({ size, value: frame });
  const total = BigInt(size * slots.length) + allocated;
  const sp = BigInt.asUintN(stack.bits, stack.sp - total);
  const last = segmentLinear(cpu, Seg.ss, sp, size, true);
  if (last === void 0 || !cpu.probeWrite(last, size) || !pushFrame(cpu, stack, slots)) return Outcome.pending;
  cpu.setGprSized(RBP2, size, BigInt.asUintN(size * 8, frame));
  setStackPointer(cpu, sp, stack.bits);
  return Outcome.next;
};

// emulator/cpu/table-registers.ts
var IDENTITY = { SGDT: 0, SIDT: 1, LGDT: 2, LIDT: 3, SLDT: 0, STR: 1, LLDT: 2, LTR: 3 };
function instructionInformation(cpu, insn, name) {
  const identity = IDENTITY[name] << 28;
  if (insn.rm >= 0) return identity | 1 << 10 | insn.rm << 3;
  const addressSize = insn.addressSize === 2 ? 0 : insn.addressSize === 4 ? 1 : 2;
  const index = insn.index >= 0 ? insn.scaleLog2 | insn.index << 18 : 1 << 22;
  const base = insn.base >= 0 && insn.base !== BASE_RIP ? insn.base << 23 : 1 << 27;
  const isTable = name === "SGDT" || name === "SIDT" || name === "LGDT" || name === "LIDT";
  const operandSize = isTable && !cpu.code64 && insn.operandSize !== 2 ? 1 << 11 : 0;
  return identity | index | base | operandSize | addressSize << 7 | insn.segment << 15;
}
function exits2(cpu, insn, ports, name) {
  if (!cpu.vmxNonRoot) return false;
  const base = insn.base === BASE_RIP ? nextIp(cpu, insn) : 0n;
  const displacement = insn.rm >= 0 ? 0n : BigInt.asUintN(64, insn.displacement + base);
  const information = instructionInformation(cpu, insn, name);
  return ports.vmx.intercept(cpu, { kind: "descriptor-table", name, length: insn.length, information, displacement });
}
var storesTable = (name, baseSlot, limitSlot) => (cpu, insn, ports) => {
  if (insn.lock || insn.rm >= 0) return invalidOpcode(cpu);
  if (cpu.cr4 & Cr4.UMIP && cpu.cpl > 0) return generalProtection(cpu);
  if (exits2(cpu, insn, ports, name)) return Outcome.exited;
  const size = cpu.code64 ? 8 : 4;
  const linear = operandLinear(cpu, insn, size + 2, true);
  if (linear === void 0) return Outcome.pending;
  const second = BigInt.asUintN(cpu.code64 ? 64 : 32, linear + 2n);
  if (!cpu.probeWrite(second, size)) return Outcome.pending;
  if (!cpu.storeLinear(linear, 2, BigInt(cpu.get32(limitSlot) & 65535))) return Outcome.pending;
  return cpu.storeLinear(second, size, BigInt.asUintN(size * 8, cpu.get64(baseSlot))) ? Outcome.next : Outcome.pending;
};
var loadsTable = (name, baseSlot, limitSlot) => (cpu, insn, ports) => {
  if (insn.lock || insn.rm >= 0) return invalidOpcode(cpu);
  if (cpu.cpl !== 0) return generalProtection(cpu);
  if (exits2(cpu, insn, ports, name)) return Outcome.exited;
  const size = cpu.code64 ? 8 : 4;
  const linear = operandLinear(cpu, insn, size + 2, false);
  if (linear === void 0) return Outcome.pending;
  const limit = cpu.loadLinear(linear, 2);
  const base = limit === void 0 ? void 0 : cpu.loadLinear(BigInt.asUintN(cpu.code64 ? 64 : 32, linear + 2n), size);
  if (limit === void 0 || base === void 0) return Outcome.pending;
  if (cpu.code64 && !isCanonical(cpu, base)) return generalProtection(cpu);
  cpu.set64(baseSlot, !cpu.code64 && insn.operandSize === 2 ? base & 0xffffffn : base);
  cpu.set32(limitSlot, Number(limit));
  return Outcome.next;
};
var storesSelector = (name, segment) => (cpu, insn, ports) => {
  if (insn.lock) return invalidOpcode(cpu);
  if (cpu.cr4 & Cr4.UMIP && cpu.cpl > 0) return generalProtection(cpu);
  if (exits2(cpu, insn, ports, name)) return Outcome.exited;
  return writeSelectorRm(cpu, insn, cpu.segmentSelector(segment)) ? Outcome.next : Outcome.pending;
};
function systemBase(cpu, d) {
  const base = BigInt(d.upperBase) << 32n | BigInt(baseOf(d.raw));
  if (d.upperWord >>> 8 & 31 || !isCanonical(cpu, base)) {
    generalProtection(cpu, selectorError(d.selector));
    return void 0;
  }
  return base;
}
var lldt = (cpu, insn, ports) => {
  if (insn.lock) return invalidOpcode(cpu);
  if (cpu.cpl !== 0) return generalProtection(cpu);
  if (exits2(cpu, insn, ports, "LLDT")) return Outcome.exited;
  const operand2 = readRm(cpu, insn, 2);
  if (operand2 === void 0) return Outcome.pending;
  const selector = Number(operand2);
  if (isNull(selector)) {
    setNull(cpu, Seg.ldtr, selector);
    return Outcome.next;
  }
  if (selector & 4) return generalProtection(cpu, selectorError(selector));
  const d = fetchDescriptor(cpu, selector, Vector.GP, 0, cpu.longMode ? 16 : 8);
  if (!d) return Outcome.pending;
  if ((d.access & (Ar.notSystem | Ar.type)) !== SystemType.ldt) return generalProtection(cpu, selectorError(selector));
  if (!(d.access & Ar.present)) return cpu.raise(Vector.NP, selectorError(selector));
  const base = systemBase(cpu, d);
  if (base === void 0) return Outcome.pending;
  cpu.setSegment(Seg.ldtr, selector, base, limitOf(d.raw), d.access);
  return Outcome.next;
};
var ltr = (cpu, insn, ports) => {
  if (insn.lock) return invalidOpcode(cpu);
  if (cpu.cpl !== 0) return generalProtection(cpu);
  if (exits2(cpu, insn, ports, "LTR")) return Outcome.exited;
  const operand2 = readRm(cpu, insn, 2);
  if (operand2 === void 0) return Outcome.pending;
  const selector = Number(operand2);
  if (isNull(selector)) return generalProtection(cpu);
  if (selector & 4) return generalProtection(cpu, selectorError(selector));
  const d = fetchDescriptor(cpu, selector, Vector.GP, 0, cpu.longMode ? 16 : 8);
  if (!d) return Outcome.pending;
  const type = d.access & (Ar.notSystem | Ar.type);
  const available = type === SystemType.tssAvailable || !cpu.longMode && type === SystemType.tss16Available;
  if (!available) return generalProtection(cpu, selectorError(selector));
  if (!(d.access & Ar.present)) return cpu.raise(Vector.NP, selectorError(selector));
  const base = systemBase(cpu, d);
  if (base === void 0) return Outcome.pending;
  const busy = d.access | 2;
  if (!cpu.storeLinear(d.linear + 5n, 1, BigInt(busy & 255), IMPLICIT_WRITE)) return Outcome.pending;
  cpu.setSegment(Seg.tr, selector, base, limitOf(d.raw), busy);
  return Outcome.next;
};
var tableRegisterInstructions = {
  SGDT: storesTable("SGDT", State.gdtrBase, State.gdtrLimit),
  SIDT: storesTable("SIDT", State.idtrBase, State.idtrLimit),
  LGDT: loadsTable("LGDT", State.gdtrBase, State.gdtrLimit),
  LIDT: loadsTable("LIDT", State.idtrBase, State.idtrLimit),
  ...protectedOnly({
    SLDT: storesSelector("SLDT", Seg.ldtr),
    STR: storesSelector("STR", Seg.tr),
    LLDT: lldt,
    LTR: ltr
  })
};

// emulator/cpu/system-instructions.ts
var RAX5 = 0;
var RCX7 = 1;
var RDX5 = 2;
var RBX = 3;
var MWAIT_INTERRUPT_BREAK = 1;
var cpuidHandler = (cpu, insn, ports) => {
  if (insn.lock) return invalidOpcode(cpu);
  if (instructionExits(cpu, ports, "CPUID", insn.length)) return Outcome.exited;
  const context = { code64: cpu.code64, osxsave: (cpu.cr4 & Cr4.OSXSAVE) !== 0n, ospke: (cpu.cr4 & Cr4.PKE) !== 0n, initialApicId: cpu.index };
  const result = cpuid(cpu.model, cpu.gpr32(RAX5), cpu.gpr32(RCX7), context);
  cpu.setGpr32(RAX5, result.eax);
  cpu.setGpr32(RBX, result.ebx);
  cpu.setGpr32(RCX7, result.ecx);
  cpu.setGpr32(RDX5, result.edx);
  return Outcome.next;
};
var privileged = (name, effect) => (cpu, insn, ports) => {
  if (insn.lock) return invalidOpcode(cpu);
  if (cpu.cpl !== 0) return generalProtection(cpu);
  if (instructionExits(cpu, ports, name, insn.length)) return Outcome.exited;
  effect(cpu);
  return Outcome.next;
};
var timeStamp = (cpu, ports) => {
  const tsc = ports.clock.tsc(cpu);
  cpu.setGpr(RAX5, tsc & 0xffffffffn);
  cpu.setGpr(RDX5, BigInt.asUintN(64, tsc) >> 32n);
};
var timeStampRefused = (cpu) => cpu.cpl > 0 && (cpu.cr4 & Cr4.TSD) !== 0n;
var rdtsc = (cpu, insn, ports) => {
  if (insn.lock) return invalidOpcode(cpu);
  if (timeStampRefused(cpu)) return generalProtection(cpu);
  if (instructionExits(cpu, ports, "RDTSC", insn.length)) return Outcome.exited;
  timeStamp(cpu, ports);
  return Outcome.next;
};
var rdtscp = (cpu, insn, ports) => {
  if (insn.lock || !cpu.model.features.has("rdtscp")) return invalidOpcode(cpu);
  if (cpu.vmxNonRoot && ports.vmx.disabledByControls(cpu, "RDTSCP")) return invalidOpcode(cpu);
  if (timeStampRefused(cpu)) return generalProtection(cpu);
  if (instructionExits(cpu, ports, "RDTSCP", insn.length)) return Outcome.exited;
  timeStamp(cpu, ports);
  cpu.setGpr(RCX7, cpu.get64(State.tscAux) & 0xffffffffn);
  return Outcome.next;
};
var rdpmc = (cpu, insn, ports) => {
  if (insn.lock) return invalidOpcode(cpu);
  if (cpu.cpl > 0 && !(cpu.cr4 & Cr4.PCE)) return generalProtection(cpu);
  if (instructionExits(cpu, ports, "RDPMC", insn.length)) return Outcome.exited;
  return generalProtection(cpu);
};
var pause = (cpu, insn, ports) => {
  if (insn.lock) return invalidOpcode(cpu);
  return instructionExits(cpu, ports, "PAUSE", insn.length) ? Outcome.exited : Outcome.next;
};
var invlpg = (cpu, insn, ports) => {
  if (insn.lock || insn.rm >= 0) return invalidOpcode(cpu);
  if (cpu.cpl !== 0) return generalProtection(cpu);
  const linear = uncheckedLinear(cpu, insn.segment, effectiveAddress(cpu, insn));
  if (cpu.vmxNonRoot && ports.vmx.intercept(cpu, { kind: "invlpg", linear, length: insn.length })) return Outcome.exited;
  if (!cpu.code64 || isCanonical(cpu, linear)) cpu.mmu.invalidatePage(cpu, linear);
  return Outcome.next;
};
var clflush = (cpu, insn) => {
  if (insn.lock || insn.rm >= 0) return invalidOpcode(cpu);
  const linear = operandLinear(cpu, insn, 1, false);
  return linear === void 0 || cpu.loadLinear(linear, 1) === void 0 ? Outcome.pending : Outcome.next;
};
var ENABLE_MONITOR2 = 1n << 18n;
var monitor = (cpu, insn, ports) => {
  if (insn.lock || cpu.cpl !== 0 || !(cpu.get64(State.miscEnable) & ENABLE_MONITOR2)) return invalidOpcode(cpu);
  if (instructionExits(cpu, ports, "MONITOR", insn.length)) return Outcome.exited;
  if (cpu.gpr32(RCX7) !== 0) return generalProtection(cpu);
  const offset = BigInt.asUintN(insn.addressSize * 8, cpu.gpr(RAX5));
  const linear = segmentLinear(cpu, insn.segment, offset, 1, false);
  if (linear === void 0 || cpu.loadLinear(linear, 1) === void 0) return Outcome.pending;
  cpu.set32(State.monitorArmed, 1);
  return Outcome.next;
};
var mwait = (cpu, insn, ports) => {
  if (insn.lock || cpu.cpl !== 0 || !(cpu.get64(State.miscEnable) & ENABLE_MONITOR2)) return invalidOpcode(cpu);
  if (instructionExits(cpu, ports, "MWAIT", insn.length)) return Outcome.exited;
  if (cpu.gpr32(RCX7) & ~MWAIT_INTERRUPT_BREAK) return generalProtection(cpu);
  cpu.set32(State.monitorArmed, 0);
  return Outcome.next;
};
var floatingPoint = (cpu, insn) => {
  if (insn.lock) return invalidOpcode(cpu);
  const em = (cpu.cr0 & Cr0.EM) !== 0n;
  const ts = (cpu.cr0 & Cr0.TS) !== 0n;
  if (insn.mnemonic === "WAIT") return ts && cpu.cr0 & Cr0.MP ? cpu.raise(Vector.NM) : cpu.notModelled("an x87 instruction (WAIT)");
  if (insn.mnemonic === "ESC" || insn.mnemonic === "FXSAVE")
    return em || ts ? cpu.raise(Vector.NM) : cpu.notModelled("an x87 instruction, or FXSAVE or FXRSTOR");
  if (insn.mnemonic === "SIMD" && em) return invalidOpcode(cpu);
  return cpu.notModelled("an MMX or SSE instruction");
};
var vmxNames = [
  "VMXON",
  "VMXOFF",
  "VMCLEAR",
  "VMPTRLD",
  "VMPTRST",
  "VMREAD",
  "VMWRITE",
  "VMLAUNCH",
  "VMRESUME",
  "VMCALL",
  "INVEPT",
  "INVVPID",
  "VMFUNC"
];
var vmx = (cpu, insn, ports) => {
  const name = vmxNames.find((n) => n === insn.mnemonic);
  if (insn.lock || !name || !cpu.model.features.has("vmx")) return invalidOpcode(cpu);
  const hasMemory = insn.hasModRm && insn.rm < 0;
  return ports.vmx.execute(cpu, {
    name,
    length: insn.length,
    reg: insn.reg,
    rm: insn.rm,
    segment: insn.segment,
    effectiveAddress: hasMemory ? effectiveAddress(cpu, insn) : 0n,
    addressSize: insn.addressSize,
    baseRegister: insn.base,
    indexRegister: insn.index,
    scaleLog2: insn.scaleLog2,
    displacement: insn.displacement
  });
};
var undefinedInstruction = (cpu) => invalidOpcode(cpu);
var systemInstructions = {
  ...controlRegisterInstructions,
  ...tableRegisterInstructions,
  ...segmentInstructions,
  ...farTransferInstructions,
  ...softwareInterruptInstructions,
  ...fastSystemCallInstructions,
  ...flagInstructions,
  ...ioInstructions,
  ...msrInstructions,
  ...accessControlInstructions,
  ...randomInstructions,
  ...segmentBaseInstructions,
  CPUID: cpuidHandler,
  HLT: privileged("HLT", (cpu) => cpu.set32(State.activity, Activity.hlt)),
  INVD: privileged("INVD", () => {
  }),
  WBINVD: privileged("WBINVD", () => {
  }),
  INVLPG: invlpg,
  RDTSC: rdtsc,
  RDTSCP: rdtscp,
  RDPMC: rdpmc,
  PAUSE: pause,
  CLFLUSH: clflush,
  FENCE: (cpu, insn) => insn.lock ? invalidOpcode(cpu) : Outcome.next,
  ENTER: enter,
  // CR4.OSXSAVE cannot be set: XSAVE is not built.
  XGETBV: undefinedInstruction,
  XSETBV: undefinedInstruction,
  MONITOR: monitor,
  MWAIT: mwait,
  UD: undefinedInstruction,
  // Longer than 15 bytes.
  TOO_LONG: (cpu) => generalProtection(cpu),
  FPU: floatingPoint,
  VMX: vmx
};

// emulator/cpu/processor.ts
var CHUNK = 1e5;
var SHADOW = 3;
var BS = 1 << 14;
var BT = 1 << 15;
var ACTIVITY_HLT = 1;
var ACTIVITY_SHUTDOWN = 2;
var SHADOW_MAKERS = /* @__PURE__ */ new Set(["STI", "MOV_TO_SREG", "POP_SREG", "LOAD_FAR_POINTER"]);
var FLAG_LOADERS = /* @__PURE__ */ new Set(["IRET", "VMX"]);
var STACK_ACCESS = {
  PUSH: 1,
  CALL: 1,
  POP: 0,
  RET: 0,
  LEAVE: 0,
  PUSHA: 0,
  PUSHAD: 0,
  POPA: 0,
  POPAD: 0
};
var PREFIXES = /* @__PURE__ */ new Set([38, 46, 54, 62, 100, 101, 102, 103, 240, 242, 243]);
var CLEARS_TF = /* @__PURE__ */ new Set(["INT", "INT3", "INTO", "INT1", "SYSCALL"]);
var Processor = class {
  constructor(cpu, mmu, code, regions, generated, ports, isBreakpoint) {
    this.cpu = cpu;
    this.mmu = mmu;
    this.code = code;
    this.regions = regions;
    this.generated = generated;
    this.ports = ports;
    this.isBreakpoint = isBreakpoint;
  }
  cpu;
  mmu;
  code;
  regions;
  generated;
  ports;
  isBreakpoint;
  /** Set by observers to end the slice after the current step. */
  eventStop = false;
  /** Runs at most `maxSteps` steps. */
  run(maxSteps, ignoreFirstBreakpoint = false) {
    const { cpu } = this;
    let ignore = ignoreFirstBreakpoint;
    const last = cpu.getF64(State.steps) + maxSteps;
    this.eventStop = false;
    for (; ; ) {
      if (cpu.stop !== void 0) return "stopped";
      if (this.eventStop) return "event";
      const activity = cpu.i32[State.activity >> 2];
      if (activity === ACTIVITY_SHUTDOWN) return "shutdown";
      const left = last - cpu.getF64(State.steps);
      if (left <= 0) return "budget";
      if (this.beforeInstruction()) continue;
      if (activity === ACTIVITY_HLT) return "halted";
      if (activity > ACTIVITY_SHUTDOWN) {
        cpu.notModelled("the wait-for-SIPI activity state (several processors)");
        continue;
      }
      const shadow = cpu.i32[State.interruptibility >> 2] & SHADOW;
      const resume = cpu.i32[State.systemFlags >> 2] & Flag.RF;
      const watched = breakpointsEnabled(cpu);
      if (watched && this.atBreakpointRegister(resume, shadow)) continue;
      const single = cpu.i32[State.boundary >> 2] !== 0 || shadow !== 0 || resume !== 0 || watched;
      const end = this.enter(this.code.startRecord, single ? 1 : Math.min(left, CHUNK), shadow, resume, ignore);
      if (end !== void 0) return end;
      ignore = false;
    }
  }
  /** Events due before the next instruction: injected or pending ones, traps, VMX boundaries. True: a step was made (or something stopped). */
  beforeInstruction() {
    const { cpu, ports } = this;
    const info = cpu.get32(State.pendingEventInfo);
    if (info >>> 31 !== 0) {
      cpu.set32(State.pendingEventInfo, 0);
      const type = info >>> 8 & 7;
      const vector = info & 255;
      const errorCode = info & 1 << 11 ? cpu.get32(State.pendingEventError) : void 0;
      this.concludeDelivery(
        deliverEvent(cpu, ports, { vector, type, errorCode, length: cpu.get32(State.pendingEventLength), injected: true })
      );
      return true;
    }
    if (cpu.i32[State.boundary >> 2] & ~1 && ports.vmx.atBoundary(cpu)) {
      this.step(0);
      return true;
    }
    const pendingDebug = cpu.i32[State.pendingDebug >> 2];
    const conditions3 = pendingDebug & (BS | BT) | (pendingDebug & ENABLED_BREAKPOINT ? pendingDebug & 15 : 0);
    if (conditions3 !== 0 && (cpu.i32[State.interruptibility >> 2] & 2) === 0) {
      cpu.set32(State.pendingDebug, 0);
      this.concludeException(deliverDebugTrap(cpu, ports, conditions3));
      return true;
    }
    return false;
  }
  /** DR0 to DR3 before an instruction: its breakpoint is a fault unless RF is set; data breakpoints are watched for. True: a step was made. */
  atBreakpointRegister(resume, shadow) {
    const { cpu } = this;
    cpu.set32(State.debugMatches, 0);
    this.mmu.slowWatchedPages(cpu);
    if (resume !== 0 || (shadow & 2) !== 0) return false;
    const met = instructionBreakpoints(cpu, this.linearIp());
    if (met === 0) return false;
    this.concludeException(deliverInstructionBreakpoint(cpu, this.ports, met));
    return true;
  }
  /** Runs generated code and deals with its return; `undefined`: go on. */
  enter(start, budget, shadow, resume, ignoreBreakpoint) {
    const { cpu } = this;
    const trap = (cpu.i32[State.systemFlags >> 2] & Flag.TF) !== 0;
    cpu.i32[State.budget >> 2] = budget;
    const from = resume !== 0 ? cpu.rip : 0n;
    this.regions.breathe();
    const exit2 = this.generated.enter(cpu.base, start);
    const done = budget - cpu.i32[State.budget >> 2];
    if (done > 0) {
      this.step(done);
      this.retired(shadow, resume !== 0 && this.repeats(from) ? 0 : resume, trap);
    }
    if (cpu.i32[State.budget >> 2] === 0) return void 0;
    switch (exit2) {
      case Exit.decode:
        this.decode();
        return void 0;
      case Exit.fetch:
        return this.fetch(shadow, resume, ignoreBreakpoint);
      case Exit.pending:
        if (cpu.stop !== void 0) {
          cpu.set32(State.pendingKind, 0);
          return void 0;
        }
        this.correctStackFault();
        this.concludeException(handlePendingException(cpu, this.ports));
        return void 0;
      case Exit.system:
        this.callOut(this.code.instructionAt(cpu.get32(State.exitRecord)), shadow, resume, trap);
        return void 0;
      case Exit.cross:
        return this.singleInstruction(shadow, resume, ignoreBreakpoint);
      case Exit.breakpoint:
        if (!ignoreBreakpoint && this.isBreakpoint(this.linearIp())) return "breakpoint";
        return this.pastBreakpoint(shadow, resume);
      case Exit.hot:
        this.regions.hot(cpu.getF64(State.fetchHpa), this.mode(), Number(this.linearIp() & 0xfffn));
        return void 0;
      case Exit.redo:
        return this.enter(this.code.startRecord, 1, shadow, resume, true);
      default:
        throw new Error(`generated code returned ${exit2}`);
    }
  }
  step(instructions) {
    const { cpu } = this;
    cpu.f64[State.steps >> 3] += Math.max(1, instructions);
    cpu.f64[State.instructions >> 3] += instructions;
  }
  /** What the completion of an instruction ends: the shadow it stood in, RF; and the trap that TF asks for. */
  retired(shadow, resume, trap) {
    const { cpu } = this;
    if (shadow !== 0) cpu.i32[State.interruptibility >> 2] &= ~shadow;
    if (resume !== 0) cpu.i32[State.systemFlags >> 2] &= ~Flag.RF;
    if (trap) cpu.i32[State.pendingDebug >> 2] |= BS;
    const matches2 = cpu.i32[State.debugMatches >> 2];
    if (matches2 === 0) return;
    cpu.i32[State.pendingDebug >> 2] |= matches2 | ENABLED_BREAKPOINT;
    cpu.i32[State.debugMatches >> 2] = 0;
  }
  /** Whether the step made from this IP was one iteration of a REP that goes on: RF stays set until its last one. */
  repeats(from) {
    const { cpu } = this;
    if (cpu.rip !== from || cpu.get64(State.fetchPage) !== (this.linearIp() & ~0xfffn)) return false;
    const bytes = cpu.memory.physRead(cpu.getF64(State.fetchHpa) + Number(this.linearIp() & 0xfffn), 4);
    return bytes.some((b, i) => (b === 242 || b === 243) && bytes.subarray(0, i).every((p) => PREFIXES.has(p)));
  }
  callOut(insn, shadow, resume, trap) {
    const { cpu } = this;
    const handler = systemInstructions[insn.system];
    if (handler === void 0) {
      cpu.notModelled(`the instruction ${insn.mnemonic} (opcode ${insn.opcode.toString(16)})`);
      return;
    }
    const wasNonRoot = cpu.vmxNonRoot;
    const task = cpu.segmentSelector(Seg.tr);
    const outcome = handler(cpu, insn, this.ports);
    switch (outcome) {
      case Outcome.next:
        cpu.rip = cpu.rip + BigInt(insn.length) & cpu.get64(State.ipMask);
        break;
      case Outcome.jumped:
        break;
      case Outcome.pending:
        this.concludeException(handlePendingException(cpu, this.ports));
        return;
      case Outcome.exited:
        this.step(0);
        return;
      case Outcome.stopped:
        return;
    }
    this.step(1);
    const entered = cpu.vmxNonRoot !== wasNonRoot;
    this.retired(
      SHADOW_MAKERS.has(insn.system) || entered ? 0 : shadow,
      FLAG_LOADERS.has(insn.system) ? 0 : resume,
      trap && !entered && !CLEARS_TF.has(insn.system) && (insn.system === "LTR" || task === cpu.segmentSelector(Seg.tr)) && (cpu.i32[State.interruptibility >> 2] & 2) === 0
    );
  }
  /** An event's delivery has been tried as part of this step. */
  concludeDelivery(outcome) {
    if (outcome === Outcome.jumped) this.step(0);
    else if (outcome === Outcome.exited) this.step(0);
    else if (outcome === Outcome.pending) this.concludeException(handlePendingException(this.cpu, this.ports));
  }
  concludeException(result) {
    const { cpu } = this;
    if (result === "pending VM exit") {
      this.ports.vmx.commitPendingExit(cpu);
      clearVectoring(cpu);
    }
    cpu.set32(State.pendingKind, 0);
    cpu.set32(State.pendingReason, 0);
    cpu.set32(State.debugMatches, 0);
    if (result !== "stopped") this.step(0);
  }
  /** A non-canonical stack address is #SS(0); the access did not know which segment it was for. */
  correctStackFault() {
    const { cpu } = this;
    const access = cpu.get32(State.pendingReason) - NON_CANONICAL;
    if (access < 0 || access > 3 || cpu.get32(State.pendingKind) !== 1) return;
    const insn = this.code.instructionAt(cpu.get32(State.exitRecord));
    const stack = STACK_ACCESS[insn.mnemonic];
    const withMemory = insn.hasModRm && insn.mod !== 3;
    const byStack = stack !== void 0 && (!withMemory || stack === access);
    if (byStack || withMemory && insn.segment === Seg.ss) cpu.set32(State.pendingVector, 12);
    cpu.set32(State.pendingReason, 0);
  }
  mode() {
    return this.cpu.i32[State.mode >> 2];
  }
  /** No record at RIP in the current fetch page: find or make it. */
  decode() {
    const { cpu, code } = this;
    const hpa = cpu.getF64(State.fetchHpa);
    const table = code.tableFor(hpa, this.mode());
    const offset = Number(this.linearIp() & 0xfffn);
    if (this.code.recordAt(table, offset) === 0) code.decodeRun(hpa, this.mode(), offset);
    cpu.set32(State.codeTable, code.tableFor(hpa, this.mode()));
  }
  /** Linear address of the instruction pointer. */
  linearIp() {
    const { cpu } = this;
    return cpu.rip + cpu.get64(State.csBase) & cpu.get64(State.ipMask);
  }
  /** Control has come to another page: its translation, through the TLB. */
  fetch(shadow, resume, ignoreBreakpoint) {
    const { cpu, code } = this;
    const segmented = (this.mode() & Mode.segmented) !== 0;
    if (segmented && cpu.rip > BigInt(cpu.get32(State.csLimit))) return this.beyondCodeLimit();
    const linear = this.linearIp();
    const lo = Number(linear & 0xffffffffn) >>> 0;
    const hi = Number(linear >> 32n) >>> 0;
    const i = this.translateFetch(lo, hi);
    if (i < 0) return void 0;
    const hpa = entryPage(cpu, i);
    const page = linear & ~0xfffn;
    const pageIp = page - cpu.get64(State.csBase);
    cpu.setF64(State.fetchHpa, hpa);
    cpu.set64(State.pageIp, BigInt.asUintN(64, pageIp));
    const lastIp = BigInt.asUintN(32, pageIp + 4095n);
    if (segmented && (lastIp > BigInt(cpu.get32(State.csLimit)) || lastIp < cpu.rip))
      return this.singleInstruction(shadow, resume, ignoreBreakpoint);
    const table = code.tableFor(hpa, this.mode());
    cpu.set32(State.tlb + i * TlbEntry.stride + TlbEntry.code, segmented ? 0 : table);
    cpu.set32(State.codeTable, table);
    cpu.set64(State.fetchPage, page);
    return void 0;
  }
  /** #GP(0): the instruction, or part of it, lies beyond the limit of CS. */
  beyondCodeLimit() {
    this.cpu.raise(Vector.GP, 0);
    this.concludeException(handlePendingException(this.cpu, this.ports));
    return void 0;
  }
  /** TLB entry for a fetch; -1: the fault has been dealt with as a step, or the machine stops. */
  translateFetch(lo, hi) {
    const { cpu } = this;
    const i = this.mmu.translate(cpu, lo, hi, Access.execute);
    if (i < 0) {
      cpu.set32(State.pendingReason, cpu.get32(State.pendingKind) === 1 ? 0 : cpu.get32(State.pendingReason));
      this.concludeException(handlePendingException(cpu, this.ports));
      return -1;
    }
    if (cpu.memory.offsetOf(entryPage(cpu, i)) < 0) {
      cpu.notModelled(`fetching instructions from outside RAM (physical address 0x${entryPage(cpu, i).toString(16)})`);
      return -1;
    }
    return i;
  }
  /**
   * An instruction that is decoded each time: its bytes lie in two pages, of which the second one's translation can change, or near the
   * limit of CS. State.fetchHpa and State.pageIp are those of its first page.
   */
  singleInstruction(shadow, resume, ignoreBreakpoint) {
    const { cpu, code } = this;
    const linear = this.linearIp();
    if (!ignoreBreakpoint && this.isBreakpoint(linear)) return "breakpoint";
    const offset = Number(linear & 0xfffn);
    const segmented = (this.mode() & Mode.segmented) !== 0;
    const allowed = segmented ? Math.min(15, cpu.get32(State.csLimit) - Number(cpu.rip) + 1) : 15;
    const inPage = Math.min(allowed, 4096 - offset);
    let bytes = cpu.memory.physRead(cpu.getF64(State.fetchHpa) + offset, inPage);
    if (inPage < allowed && !code.isWhole(bytes, this.mode())) {
      const next = linear + BigInt(inPage) & cpu.get64(State.ipMask);
      const i = this.translateFetch(Number(next & 0xffffffffn) >>> 0, Number(next >> 32n) >>> 0);
      if (i < 0) return void 0;
      const first = bytes;
      bytes = new Uint8Array(allowed);
      bytes.set(first);
      bytes.set(cpu.memory.physRead(entryPage(cpu, i), allowed - inPage), inPage);
    }
    const record = code.temporaryRecord(bytes, offset, this.mode());
    if (record === void 0) return this.beyondCodeLimit();
    cpu.set32(State.codeTable, code.tableFor(cpu.getF64(State.fetchHpa), this.mode()));
    return this.enter(record, 1, shadow, resume, true);
  }
  /** Carries out the one instruction under a breakpoint that does not stop. */
  pastBreakpoint(shadow, resume) {
    const { cpu } = this;
    const { u16 } = cpu.memory;
    const record = cpu.get32(State.exitRecord);
    const real = u16[record + Rec.alternative >> 1];
    u16[record >> 1] = real;
    const end = this.enter(this.code.startRecord, 1, shadow, resume, true);
    if (u16[record >> 1] === real && this.code.recordIsLive(record)) u16[record >> 1] = Handler.breakpoint;
    return end;
  }
};

// emulator/codegen/jit/region.ts
var MAX_BLOCKS = 48;
var MAX_INSTRUCTIONS = 500;
var MAX_RETURNS = 6;
var UNCONDITIONAL = /* @__PURE__ */ new Set(["JMP", "JMPI", "CALL", "CALLI", "RET"]);
var isCall = (insn) => insn.decoded.row.body?.name === "CALL" && insn.decoded.parsed.size !== 2;
var CONDITIONAL = /* @__PURE__ */ new Set(["Jcc", "LOOP", "JRCXZ"]);
function buildRegion(entry, source2) {
  const blocks2 = discover(entry, source2);
  if (blocks2.size === 0) return void 0;
  const order = reversePostorder(entry, blocks2);
  const positions = new Map(order.map((b, i) => [b.offset, i]));
  const targetsOf = (b) => [b.taken, b.next, ...b.returns].map((o) => o === void 0 ? void 0 : positions.get(o)).filter((p) => p !== void 0);
  const loopEnds2 = loops(order, targetsOf);
  const innermost = (position) => [...loopEnds2].filter(([h, end]) => h <= position && position <= end).map(([h]) => h);
  const inside = order.map((_, i) => new Set(innermost(i)));
  const canBranch = (from, to) => {
    if (to <= from) return loopEnds2.has(to) && inside[from].has(to);
    for (const h of inside[to]) if (h !== to && !inside[from].has(h)) return false;
    return true;
  };
  const longest = /* @__PURE__ */ new Map();
  const longestFrom = (position) => {
    const known = longest.get(position);
    if (known !== void 0) return known;
    let best = 0;
    for (const t of targetsOf(order[position]))
      if (t > position && canBranch(position, t) && !loopEnds2.has(t)) best = Math.max(best, longestFrom(t));
    const total = order[position].instructions.length + best;
    longest.set(position, total);
    return total;
  };
  return { entry, blocks: order, loopEnds: loopEnds2, canBranch, positionOf: (o) => positions.get(o), longestFrom };
}
function discover(entry, source2) {
  const found = /* @__PURE__ */ new Map();
  const leaders = /* @__PURE__ */ new Set([entry]);
  const sites = /* @__PURE__ */ new Set();
  const queue = [entry];
  while (queue.length > 0 && found.size < MAX_INSTRUCTIONS && leaders.size <= MAX_BLOCKS) {
    let at = queue.shift();
    while (!found.has(at) && found.size < MAX_INSTRUCTIONS) {
      const insn = source2(at);
      if (insn === void 0) break;
      found.set(at, insn);
      const { taken, next } = successors(insn);
      if (taken !== void 0 && taken >= 0 && taken < 4096) {
        if (!leaders.has(taken)) queue.push(taken);
        leaders.add(taken);
      }
      if (taken !== void 0 && next !== void 0) leaders.add(next);
      const behind = at + insn.decoded.instruction.length;
      if (isCall(insn) && taken !== void 0 && taken >= 0 && taken < 4096 && sites.size < MAX_RETURNS) {
        sites.add(behind);
        leaders.add(behind);
        queue.push(behind);
      }
      if (next === void 0) break;
      at = next;
    }
  }
  const blocks2 = /* @__PURE__ */ new Map();
  for (const leader of leaders) {
    const instructions = [];
    let at = leader;
    let end = { taken: void 0, next: leader };
    for (; ; ) {
      const insn = found.get(at);
      if (insn === void 0 || at !== leader && leaders.has(at)) break;
      instructions.push(insn);
      end = successors(insn);
      if (end.taken !== void 0 || end.next === void 0) break;
      at = end.next;
    }
    if (instructions.length === 0) continue;
    const last = instructions[instructions.length - 1];
    const returns = last.decoded.row.body?.name === "RET" ? [...sites] : [];
    blocks2.set(leader, { offset: leader, instructions, ...end, returns });
  }
  return blocks2;
}
function successors(insn) {
  const name = insn.decoded.row.body?.name ?? "";
  const next = insn.offset + insn.decoded.instruction.length;
  const narrow = insn.decoded.parsed.size === 2;
  const relative = name === "JMP" || name === "CALL" || CONDITIONAL.has(name);
  if (!relative) return { taken: void 0, next: UNCONDITIONAL.has(name) ? void 0 : next };
  if (narrow) return { taken: void 0, next: void 0 };
  const target = Number(BigInt.asIntN(53, insn.decoded.instruction.immediate)) + next;
  return { taken: target, next: CONDITIONAL.has(name) ? next : void 0 };
}
function reversePostorder(entry, blocks2) {
  const seen = /* @__PURE__ */ new Set();
  const out = [];
  const visit = (offset) => {
    const block2 = blocks2.get(offset);
    if (block2 === void 0 || seen.has(offset)) return;
    seen.add(offset);
    const targets = [block2.taken, block2.next, ...block2.returns].filter((t) => t !== void 0).sort((a, b) => b - a);
    for (const t of targets) visit(t);
    out.push(block2);
  };
  visit(entry);
  return out.reverse();
}
function loops(order, targetsOf) {
  const ends = /* @__PURE__ */ new Map();
  order.forEach((b, i) => {
    for (const t of targetsOf(b)) if (t <= i) ends.set(t, Math.max(ends.get(t) ?? 0, i));
  });
  for (let changed = true; changed; ) {
    changed = false;
    for (const [h1, e1] of ends)
      for (const [h2, e2] of ends)
        if (h1 < h2 && h2 <= e1 && e1 < e2) {
          ends.set(h1, e2);
          changed = true;
        }
  }
  return ends;
}

// emulator/codegen/jit/labels.ts
function blockLabels(region) {
  const open = region.blocks.map(() => []);
  for (const [header, end] of region.loopEnds) open[header].push({ kind: "loop", position: header, end });
  region.blocks.forEach((_, target) => {
    if (target === 0) return;
    let start = 0;
    for (const [header, end] of region.loopEnds) if (header < target && target <= end) start = Math.max(start, header);
    open[start].push({ kind: "block", position: target, end: target });
  });
  for (const labels of open)
    labels.sort((a, b) => {
      if (a.kind !== b.kind) return outside(a, b) ? -1 : 1;
      return b.end - a.end;
    });
  return open;
}
function outside(a, b) {
  const endOf = (l2) => l2.kind === "loop" ? l2.end + 0.5 : l2.end;
  return endOf(a) > endOf(b);
}
var forwardEnds = (open, position) => open.flat().filter((l2) => l2.kind === "block" && l2.end === position);
var loopEnds = (open, position) => open.flat().filter((l2) => l2.kind === "loop" && l2.end === position);

// emulator/codegen/jit/region-flags.ts
var RegionFlags = class {
  constructor(f, vcpu, arithmeticFlags, pushExpr) {
    this.f = f;
    this.vcpu = vcpu;
    this.arithmeticFlags = arithmeticFlags;
    this.pushExpr = pushExpr;
    this.fk = f.local(I32);
    this.fa = f.local(I64);
    this.fb = f.local(I64);
    this.scratch = f.local(I32);
  }
  f;
  vcpu;
  arithmeticFlags;
  pushExpr;
  /** Kind of the triple (FlagKind × 4 + log2 size) as far as it is known while code is made; undefined: it stands in the local. */
  kind;
  fk;
  fa;
  fb;
  scratch;
  /** Loads the triple from the state at a function's beginning. */
  load(to) {
    to.get(this.vcpu).mem(Op.i32_load, State.flagKind).set(this.fk);
    to.get(this.vcpu).mem(Op.i64_load, State.flagA).set(this.fa);
    to.get(this.vcpu).mem(Op.i64_load, State.flagB).set(this.fb);
  }
  /** Writes it back (the kind must have been settled). */
  spill() {
    this.f.get(this.vcpu).get(this.fk).mem(Op.i32_store, State.flagKind);
    this.f.get(this.vcpu).get(this.fa).mem(Op.i64_store, State.flagA);
    this.f.get(this.vcpu).get(this.fb).mem(Op.i64_store, State.flagB);
  }
  /** Puts the kind into its local, for places that may be reached from elsewhere. */
  settle() {
    if (this.kind !== void 0) this.f.i32(this.kind).set(this.fk);
  }
  /** Takes over the statement's triple. */
  set(s) {
    const { f } = this;
    const constant = s.kind.op === "const" ? Number(s.kind.value) : void 0;
    if (s.when) {
      this.settle();
      this.pushExpr(s.when);
      f.if();
      this.pushExpr(s.kind);
      f.set(this.fk);
    } else if (constant === void 0) {
      this.pushExpr(s.kind);
      f.set(this.fk);
    }
    this.pushExpr(s.a);
    f.set(this.fa);
    this.pushExpr(s.b);
    f.set(this.fb);
    if (s.when) f.end();
    this.kind = s.when ? void 0 : constant;
  }
  /** Pushes the six arithmetic flags in their RFLAGS positions (i32). */
  all() {
    const { f } = this;
    this.settle();
    if (this.kind === FlagKind.explicit * 4) {
      f.get(this.fa).op(Op.i32_wrap_i64);
      return;
    }
    f.get(this.vcpu).get(this.fk).mem(Op.i32_store, State.flagKind);
    f.get(this.vcpu).get(this.fa).mem(Op.i64_store, State.flagA);
    f.get(this.vcpu).get(this.fb).mem(Op.i64_store, State.flagB);
    f.get(this.vcpu).call(this.arithmeticFlags);
  }
  /** Pushes a condition code's value (i32 0 or 1). */
  condition(code) {
    const { f } = this;
    const even = code & ~1;
    const negate = (code & 1) !== 0;
    const kind = this.kind === void 0 ? -1 : this.kind >> 2;
    const size = this.kind === void 0 ? 8 : 1 << (this.kind & 3);
    const extend = { 1: Op.i64_extend8_s, 2: Op.i64_extend16_s, 4: Op.i64_extend32_s };
    const sign = () => {
      const op = extend[size];
      if (op !== void 0) f.op(op);
    };
    const compare = { 2: Op.i64_lt_u, 4: Op.i64_eq, 6: Op.i64_le_u, 12: Op.i64_lt_s, 14: Op.i64_le_s };
    const result = (op) => {
      f.get(this.fa).i64(0n).op(op);
    };
    if (kind === FlagKind.sub && even in compare) f.get(this.fa).get(this.fb).op(compare[even]);
    else if (kind === FlagKind.sub && even === 8) {
      f.get(this.fa).get(this.fb).op(Op.i64_sub);
      sign();
      f.i64(0n).op(Op.i64_lt_s);
    } else if (kind === FlagKind.logic && (even === 0 || even === 2)) f.i32(0);
    else if (kind === FlagKind.logic && (even === 4 || even === 6)) result(Op.i64_eq);
    else if (kind === FlagKind.logic && (even === 8 || even === 12)) result(Op.i64_lt_s);
    else if (kind === FlagKind.logic && even === 14) result(Op.i64_le_s);
    else if ((kind === FlagKind.inc || kind === FlagKind.dec) && even === 4) result(Op.i64_eq);
    else if ((kind === FlagKind.inc || kind === FlagKind.dec) && even === 8) result(Op.i64_lt_s);
    else if ((kind === FlagKind.inc || kind === FlagKind.dec) && even === 2) f.get(this.fb).op(Op.i32_wrap_i64);
    else if (kind === FlagKind.add && (even === 4 || even === 8 || even === 2)) {
      f.get(this.fa).get(this.fb).op(Op.i64_add);
      sign();
      if (even === 2) f.get(this.fa).op(Op.i64_lt_u);
      else f.i64(0n).op(even === 4 ? Op.i64_eq : Op.i64_lt_s);
    } else {
      this.fromFlags(even);
    }
    if (negate) f.op(Op.i32_eqz);
  }
  fromFlags(even) {
    const { f } = this;
    this.all();
    f.set(this.scratch);
    const bit = (n) => {
      f.get(this.scratch).i32(n).op(Op.i32_shr_u).i32(1).op(Op.i32_and);
    };
    if (even === 0) bit(11);
    else if (even === 2) bit(0);
    else if (even === 4) bit(6);
    else if (even === 6) {
      bit(0);
      bit(6);
      f.op(Op.i32_or);
    } else if (even === 8) bit(7);
    else if (even === 10) bit(2);
    else {
      bit(7);
      bit(11);
      f.op(Op.i32_xor);
      if (even === 14) {
        bit(6);
        f.op(Op.i32_or);
      }
    }
  }
};

// emulator/codegen/jit/lower-region.ts
var LEAVE = 0;
var REFUSED = -2;
var VCPU = 0;
function lowerRegion(region, functions, code64) {
  return new RegionLowering(region, functions, code64).function();
}
var RegionLowering = class {
  constructor(region, functions, code64) {
    this.region = region;
    this.functions = functions;
    this.code64 = code64;
    this.gprs = Array.from({ length: 16 }, () => this.f.local(I64));
    this.flags = new RegionFlags(this.f, VCPU, functions.arithmeticFlags, (e) => this.expr(e));
  }
  region;
  functions;
  code64;
  f = new FunctionBody(2);
  gprs;
  written = /* @__PURE__ */ new Set();
  used = /* @__PURE__ */ new Set();
  context = this.f.local(I64);
  pageIp = this.f.local(I64);
  ip = this.f.local(I64);
  budget = this.f.local(I32);
  leaveOffset = this.f.local(I32);
  leaveSteps = this.f.local(I32);
  leaveRecord = this.f.local(I32);
  leaveCode = this.f.local(I32);
  flags;
  pool = { i32: [], i64: [] };
  // Of the instruction being lowered:
  temps = /* @__PURE__ */ new Map();
  pointers = /* @__PURE__ */ new Map();
  usedPool = { i32: 0, i64: 0 };
  now;
  left = 0;
  function() {
    const { f, region } = this;
    f.block("LEAVE").block("EXIT");
    const openAt = blockLabels(region);
    const enter2 = (position) => {
      for (const label of openAt[position]) {
        if (label.kind === "loop") f.loop(`loop${label.position}`);
        else f.block(`to${label.position}`);
      }
    };
    region.blocks.forEach((block2, position) => {
      for (let n = forwardEnds(openAt, position).length; n > 0; n--) f.end();
      enter2(position);
      this.block(block2, position);
      for (let n = loopEnds(openAt, position).length; n > 0; n--) f.end();
    });
    f.op(Op.unreachable);
    f.end();
    this.spill();
    f.get(VCPU).get(this.budget).get(this.leaveSteps).op(Op.i32_add).mem(Op.i32_store, State.budget);
    f.get(VCPU).get(this.pageIp).get(this.leaveOffset).op(Op.i64_extend_i32_u).op(Op.i64_add).mem(Op.i64_store, State.rip);
    f.get(VCPU).get(this.leaveRecord).mem(Op.i32_store, State.exitRecord);
    f.get(this.leaveCode).op(Op.return);
    f.end();
    this.spill();
    f.get(VCPU).get(this.budget).mem(Op.i32_store, State.budget);
    f.get(VCPU).get(this.ip).mem(Op.i64_store, State.rip);
    f.i32(LEAVE).op(Op.return);
    f.op(Op.unreachable);
    const whole = new FunctionBody(2);
    for (const type of f.localTypes) whole.local(type);
    whole.get(VCPU).mem(Op.i64_load, State.contextData).set(this.context);
    whole.get(VCPU).mem(Op.i64_load, State.pageIp).set(this.pageIp);
    whole.get(VCPU).mem(Op.i32_load, State.budget).set(this.budget);
    this.flags.load(whole);
    for (const n of this.used)
      whole.get(VCPU).mem(Op.i64_load, State.gpr + n * 8).set(this.gprs[n]);
    for (const byte of f.bytes) whole.bytes.push(byte);
    return whole;
  }
  spill() {
    const { f } = this;
    for (const n of this.written)
      f.get(VCPU).get(this.gprs[n]).mem(Op.i64_store, State.gpr + n * 8);
    this.flags.spill();
  }
  // Blocks ------------------------------------------------------------------------------------------------------------
  block(block2, position) {
    const { f, region } = this;
    const length = block2.instructions.length;
    this.flags.kind = void 0;
    if (position === 0 || region.loopEnds.has(position)) {
      f.get(this.budget).i32(region.longestFrom(position)).op(Op.i32_lt_s).if();
      this.leaveTo(block2.offset);
      f.end();
    }
    f.get(this.budget).i32(length).op(Op.i32_sub).set(this.budget);
    block2.instructions.forEach((insn, i) => {
      this.left = length - i;
      this.instruction(insn, block2, position);
    });
    const last = block2.instructions[length - 1];
    const ends = last.program.controlFlow;
    if (!ends && block2.next !== void 0) this.go(position, block2.next);
  }
  /** To a page offset: inside the region if control can, else out. */
  go(from, offset) {
    const { f, region } = this;
    this.flags.settle();
    const to = region.positionOf(offset);
    if (to !== void 0 && region.canBranch(from, to)) {
      if (to === from + 1 && !region.loopEnds.has(to)) {
        f.br(`to${to}`);
        return;
      }
      f.br(to <= from ? `loop${to}` : `to${to}`);
      return;
    }
    this.leaveTo(offset);
  }
  leaveTo(offset) {
    const { f } = this;
    this.flags.settle();
    f.get(this.pageIp).i64(BigInt(offset)).op(Op.i64_add).set(this.ip).br("LEAVE");
  }
  // Instructions ------------------------------------------------------------------------------------------------------
  instruction(insn, block2, position) {
    this.now = insn;
    this.temps = /* @__PURE__ */ new Map();
    this.pointers = /* @__PURE__ */ new Map();
    this.usedPool = { i32: 0, i64: 0 };
    for (const s of insn.program.statements) this.statement(s, block2, position);
  }
  local(type) {
    const pool = this.pool[type];
    const at = this.usedPool[type]++;
    if (at === pool.length) pool.push(this.f.local(type === "i32" ? I32 : I64));
    return pool[at];
  }
  tempLocal(t) {
    let at = this.temps.get(t.id);
    if (at === void 0) this.temps.set(t.id, at = this.local(t.type));
    return at;
  }
  gpr(n) {
    this.used.add(n);
    return this.gprs[n];
  }
  expr(e) {
    const { f } = this;
    const { instruction } = this.now.decoded;
    switch (e.op) {
      case "temp":
        f.get(this.tempLocal(e));
        return;
      case "const":
        if (e.type === "i32") f.i32(Number(BigInt.asIntN(32, e.value)));
        else f.i64(e.value);
        return;
      case "imm":
        f.i64(instruction.immediate);
        return;
      case "nextIp":
        f.get(this.pageIp).i64(BigInt(this.now.offset + instruction.length)).op(Op.i64_add);
        return;
      case "branchTarget":
        f.get(this.pageIp).i64(BigInt(this.now.offset + instruction.length) + instruction.immediate).op(Op.i64_add);
        return;
      case "ea":
        this.effectiveAddress();
        return;
      case "select":
        this.expr(e.a);
        this.expr(e.b);
        this.expr(e.c);
        f.op(Op.select);
        return;
      default:
        if ("b" in e) {
          this.expr(e.a);
          this.expr(e.b);
          f.op(binaryCode[e.op][e.a.type === "i32" ? 0 : 1]);
        } else {
          this.expr(e.a);
          f.op(unaryCode[e.op][e.a.type === "i32" ? 0 : 1]);
        }
    }
  }
  /** The linear address of the memory operand, as the record's address would give it. */
  effectiveAddress() {
    const { f } = this;
    const { row: row2, memory, instruction } = this.now.decoded;
    const segmented = (instruction.segment === Seg.fs || instruction.segment === Seg.gs) && row2.addressOnly !== true;
    const base = () => {
      f.get(VCPU).mem(Op.i64_load, State.segment + instruction.segment * SEGMENT_STRIDE + SegmentState.base);
    };
    if (row2.string !== void 0 || !memory) {
      if (segmented) base();
      else f.i64(0n);
      return;
    }
    let displacement = instruction.displacement;
    if (row2.body?.name === "POP" && instruction.base === 4) displacement += BigInt(instruction.operandSize);
    if (instruction.base === BASE_RIP) {
      displacement += BigInt(this.now.offset + instruction.length);
      f.get(this.pageIp).i64(displacement).op(Op.i64_add);
    } else if (instruction.base >= 0) {
      f.get(this.gpr(instruction.base));
      if (displacement !== 0n) f.i64(displacement).op(Op.i64_add);
    } else f.i64(displacement);
    if (instruction.index >= 0) {
      f.get(this.gpr(instruction.index));
      if (instruction.scaleLog2 > 0) f.i64(BigInt(instruction.scaleLog2)).op(Op.i64_shl);
      f.op(Op.i64_add);
    }
    if (instruction.addressSize !== 8) f.i64((1n << BigInt(instruction.addressSize * 8)) - 1n).op(Op.i64_and);
    if (segmented) {
      base();
      f.op(Op.i64_add);
      if (!this.code64) f.i64(0xffffffffn).op(Op.i64_and);
    }
  }
  register(ref) {
    if ("fixed" in ref) return { n: ref.fixed, high: false };
    const o = this.now.decoded.operands[ref.operand];
    return { n: o.register, high: o.high };
  }
  statement(s, block2, position) {
    const { f } = this;
    switch (s.k) {
      case "let":
        this.expr(s.value);
        f.set(this.tempLocal(s.temp));
        return;
      case "readRegister": {
        const { n, high } = this.register(s.ref);
        f.get(this.gpr(n));
        if (high) f.i64(8n).op(Op.i64_shr_u);
        if (s.size !== 8) f.i64(maskOf(s.size)).op(Op.i64_and);
        f.set(this.tempLocal(s.temp));
        return;
      }
      case "writeRegister":
        this.writeRegister(s.ref, s.size, s.value);
        return;
      case "readState":
        f.get(VCPU).mem(Op.i32_load, s.offset).set(this.tempLocal(s.temp));
        return;
      case "writeState":
        f.get(VCPU);
        this.expr(s.value);
        f.mem(Op.i32_store, s.offset);
        return;
      case "access":
        this.access(s);
        return;
      case "load":
        f.get(this.pointer(s.location.id)).mem(loadOp[s.size], s.offset).set(this.tempLocal(s.temp));
        return;
      case "store":
        f.get(this.pointer(s.location.id));
        this.expr(s.value);
        f.mem(storeOp[s.size], s.offset);
        return;
      case "storesDone":
        f.get(this.pointer(s.location.id)).get(VCPU).op(Op.i32_sub).i32(VCPU_STRIDE).op(Op.i32_lt_u).if();
        f.get(VCPU).i32(s.location.id).call(this.functions.commitStore).end();
        return;
      case "condition":
        this.flags.condition(s.code);
        f.set(this.tempLocal(s.temp));
        return;
      case "readFlags":
        this.flags.all();
        f.set(this.tempLocal(s.temp));
        return;
      case "compute":
        this.compute(s);
        return;
      case "fault":
        this.expr(s.condition);
        f.if();
        this.raise(s.vector, s.errorCode);
        f.end();
        return;
      case "setFlags":
        this.flags.set(s);
        return;
      case "branch":
        if (s.condition !== void 0) {
          this.expr(s.condition);
          this.flags.settle();
          f.if();
          this.flags.kind = void 0;
          this.go(position, block2.taken);
          f.end();
          this.go(position, block2.next);
        } else this.go(position, block2.taken);
        return;
      case "jump":
        this.flags.settle();
        this.expr(s.target);
        f.set(this.ip);
        this.flags.kind = void 0;
        for (const site of block2.returns) {
          const to = this.region.positionOf(site);
          if (to === void 0 || !this.region.canBranch(position, to)) continue;
          f.get(this.ip).get(this.pageIp).i64(BigInt(site)).op(Op.i64_add).op(Op.i64_eq).if();
          this.go(position, site);
          f.end();
        }
        f.br("LEAVE");
        return;
      case "retireIf":
      case "again":
        throw new Error("REP is not compiled");
    }
  }
  writeRegister(ref, size, value) {
    const { f } = this;
    const { n, high } = this.register(ref);
    const local = this.gpr(n);
    this.written.add(n);
    if (size >= 4) {
      this.expr(value);
      f.set(local);
      return;
    }
    const shift2 = high ? 8n : 0n;
    f.get(local).i64(~(maskOf(size) << shift2)).op(Op.i64_and);
    this.expr(value);
    f.i64(maskOf(size)).op(Op.i64_and);
    if (high) f.i64(8n).op(Op.i64_shl);
    f.op(Op.i64_or).set(local);
  }
  pointer(id) {
    const at = this.pointers.get(id);
    if (at === void 0) throw new Error("location used before its access");
    return at;
  }
  /** Leaves at the start of this instruction. */
  exit(code) {
    const { f } = this;
    this.flags.settle();
    f.i32(this.now.offset).set(this.leaveOffset);
    f.i32(this.left).set(this.leaveSteps);
    f.i32(this.now.record).set(this.leaveRecord);
    f.i32(code).set(this.leaveCode).br("EXIT");
  }
  raise(vector, errorCode) {
    const { f } = this;
    f.get(VCPU).i32(1).mem(Op.i32_store, State.pendingKind);
    f.get(VCPU).i32(vector).mem(Op.i32_store, State.pendingVector);
    f.get(VCPU).i32(errorCode).mem(Op.i32_store, State.pendingErrorCode);
    this.exit(Exit.pending);
  }
  access(s) {
    const { f } = this;
    const { bytes, access, id } = s.location;
    const linear = this.local("i64");
    const entry = this.local("i32");
    const p = this.local("i32");
    this.pointers.set(id, p);
    this.expr(s.address);
    f.tee(linear).op(Op.i32_wrap_i64).i32(7).op(Op.i32_shr_u).i32((TlbEntry.count - 1) * TlbEntry.stride).op(Op.i32_and).get(VCPU).op(Op.i32_add).tee(entry);
    f.mem(Op.i64_load, State.tlb + (access === "r" ? TlbEntry.read : TlbEntry.write));
    f.get(linear);
    if (bytes > 1) f.i64(BigInt(bytes - 1)).op(Op.i64_add);
    f.i64(-4096n).op(Op.i64_and).get(this.context).op(Op.i64_or).op(Op.i64_eq).if();
    f.get(linear).op(Op.i32_wrap_i64).get(entry).mem(Op.i32_load, State.tlb + TlbEntry.addend).op(Op.i32_add).set(p);
    f.else();
    f.get(VCPU).get(linear).mem(Op.i64_store, State.accessLo);
    f.get(VCPU).i32(packAccess(bytes, access, id)).call(this.functions.slowAccess).tee(p).i32(REFUSED).op(Op.i32_ge_u).if();
    f.get(p).i32(REFUSED).op(Op.i32_eq).if();
    this.exit(Exit.redo);
    f.end();
    this.exit(Exit.pending);
    f.end().end();
  }
  compute(s) {
    const { f } = this;
    const { fast } = s;
    if (fast) {
      this.expr(fast.condition);
      f.if();
      s.outs.forEach((out, i) => {
        this.expr(fast.values[i]);
        f.set(this.tempLocal(out));
      });
      f.else();
    }
    s.ins.forEach((e, i) => {
      f.get(VCPU);
      this.expr(e);
      f.mem(Op.i64_store, COMPUTE_SLOT + i * 8);
    });
    f.get(VCPU).i32(s.name).call(this.functions.compute).op(Op.i32_eqz).if();
    this.raise(s.vector, -1);
    f.end();
    s.outs.forEach(
      (out, i) => f.get(VCPU).mem(Op.i64_load, COMPUTE_SLOT + i * 8).set(this.tempLocal(out))
    );
    if (fast) f.end();
  }
};

// emulator/codegen/jit/region-module.ts
var types2 = [
  { parameters: [I32, I32], results: [I32] },
  { parameters: [I32, I32], results: [] },
  { parameters: [I32], results: [I32] }
];
function buildRegionModule(regions) {
  const functions = { slowAccess: 0, commitStore: 1, compute: 2, arithmeticFlags: 3 };
  return encodeModule({
    types: types2,
    imports: [
      { name: "slowAccess", type: 0 },
      { name: "commitStore", type: 1 },
      { name: "compute", type: 0 },
      { name: "arithmeticFlags", type: 2 }
    ],
    functions: regions.map(({ region, code64 }, i) => ({ type: 0, body: lowerRegion(region, functions, code64), export: `r${i}` })),
    table: []
  });
}

// emulator/cpu/regions.ts
var BATCH = 12;
var PATIENCE = 4;
var STORM = 12;
var Regions = class {
  constructor(memory, code, module2, interpreter, imports) {
    this.memory = memory;
    this.code = code;
    this.module = module2;
    this.interpreter = interpreter;
    this.imports = imports;
    this.nextElement = module2.firstRegion;
  }
  memory;
  code;
  module;
  interpreter;
  imports;
  enabled = true;
  statistics = { compiled: 0, modules: 0, dropped: 0 };
  waiting = [];
  waited = 0;
  live = /* @__PURE__ */ new Map();
  drops = /* @__PURE__ */ new Map();
  free = [];
  nextElement;
  programs = /* @__PURE__ */ new Map();
  /** Control has come often to this place. */
  hot(hpaPage, mode, offset) {
    if (!this.enabled || !compilable(mode) || (this.drops.get(hpaPage) ?? 0) >= STORM) return;
    this.waiting.push({ hpaPage, mode, offset });
  }
  /** Called between runs of generated code: compiles what waits when there is enough of it or it has waited long enough. */
  breathe() {
    if (this.waiting.length === 0) return;
    this.waited++;
    if (this.waiting.length >= BATCH || this.waited >= PATIENCE) this.compileWaiting();
  }
  compileWaiting() {
    const { waiting } = this;
    this.waiting = [];
    this.waited = 0;
    const made = [];
    for (const at of waiting) {
      const table = this.code.tableFor(at.hpaPage, at.mode);
      const record = this.code.recordAt(table, at.offset);
      if (record === 0 || this.memory.u16[record >> 1] === Handler.region || this.memory.u16[record >> 1] === Handler.breakpoint) continue;
      const region = buildRegion(at.offset, (offset) => this.instruction(at, table, offset));
      if (region !== void 0) made.push({ region, code64: (at.mode & Mode.code64) !== 0, at, record });
    }
    const room = REGION_ELEMENTS - (this.nextElement - this.module.firstRegion) + this.free.length;
    if (made.length === 0 || room < made.length) return;
    const instance = new WebAssembly.Instance(new WebAssembly.Module(buildRegionModule(made)), {
      e: { memory: this.memory.memory, ...this.imports, arithmeticFlags: this.interpreter.arithmeticFlags }
    });
    this.statistics.modules++;
    made.forEach(({ region, at, record }, i) => {
      const element = this.free.pop() ?? this.nextElement++;
      this.interpreter.table.set(element, instance.exports[`r${i}`]);
      const { u16 } = this.memory;
      u16[record + Rec.alternative >> 1] = u16[record >> 1];
      u16[record >> 1] = Handler.region;
      u16[record + Rec.region >> 1] = element;
      u16[record + Rec.region + 2 >> 1] = Math.max(2, region.longestFrom(0));
      const offsets = region.blocks.flatMap((b) => b.instructions);
      const first = Math.min(...offsets.map((o) => o.offset));
      const last = Math.max(...offsets.map((o) => o.offset + o.decoded.instruction.length - 1));
      const list = this.live.get(at.hpaPage);
      const compiled = { hpaPage: at.hpaPage, record, element, first, last };
      if (list) list.push(compiled);
      else this.live.set(at.hpaPage, [compiled]);
      this.statistics.compiled++;
    });
  }
  /** An instruction that a region can hold, at a page offset; only what the interpreter has met is taken in. */
  instruction(at, table, offset) {
    const record = this.code.recordAt(table, offset);
    if (record === 0) return void 0;
    const handler = this.memory.u16[record >> 1];
    if (handler === Handler.system || handler === Handler.cross || handler === Handler.link || handler === Handler.breakpoint)
      return void 0;
    const decoded = this.code.decodedAt(at.hpaPage, at.mode, offset);
    if (decoded?.row.body === void 0) return void 0;
    const { instruction: insn, row: row2 } = decoded;
    const code64 = (at.mode & Mode.code64) !== 0;
    if (row2.string !== void 0 && insn.rep !== 0) return void 0;
    if (!code64 && (insn.segment === Seg.fs || insn.segment === Seg.gs || insn.segment === Seg.cs)) return void 0;
    const shape = handlerOf(row2, decoded.memory, { stack: code64 ? 8 : 4, address: insn.addressSize, code64, segmented: false, rep: 0 });
    let program = this.programs.get(shape.key);
    if (program === void 0) this.programs.set(shape.key, program = traceProgram(shape));
    return { offset, decoded, program, record };
  }
  /** Bytes of a page have changed. */
  written(hpaPage, first, last) {
    const list = this.live.get(hpaPage);
    if (list === void 0) return;
    const kept = list.filter((c) => c.last < first || c.first > last);
    if (kept.length === list.length) return;
    for (const c of list) if (!kept.includes(c)) this.drop(c);
    if (kept.length > 0) this.live.set(hpaPage, kept);
    else this.live.delete(hpaPage);
    this.drops.set(hpaPage, (this.drops.get(hpaPage) ?? 0) + 1);
  }
  drop(c) {
    const { u16 } = this.memory;
    if (u16[c.record >> 1] === Handler.region) u16[c.record >> 1] = u16[c.record + Rec.alternative >> 1];
    this.interpreter.table.set(c.element, null);
    this.free.push(c.element);
    this.statistics.dropped++;
  }
  /** Drops every region: breakpoints have changed, or the records are about to be thrown away. */
  reset() {
    for (const list of this.live.values()) for (const c of list) this.drop(c);
    this.live.clear();
    this.waiting = [];
  }
};
var compilable = (mode) => (mode & Mode.code64) !== 0 || (mode & (Mode.flat | Mode.code32 | Mode.stack32)) === (Mode.flat | Mode.code32 | Mode.stack32);

// emulator/devices/absent/absent-ports.ts
var ABSENT = [
  { device: "DMA controller", ports: [[0, 15], [192, 223]] },
  // prettier-ignore
  { device: "programmable interval timer (PIT)", ports: [[64, 67]] },
  { device: "keyboard controller (i8042)", ports: [[96, 96], [100, 100]] },
  // prettier-ignore
  { device: "system control port B (PIT channel 2, speaker)", ports: [[97, 97]] },
  // Selecting a register and masking NMI, of which there are none, changes nothing until the data port is used.
  { device: "real-time clock (CMOS)", ports: [[112, 113]], harmlessWrite: (port) => port === 112 },
  // A20 is always enabled: reading says so and enabling it again is nothing; bit 0 would reset the processor.
  {
    device: "system control port A (fast A20 and reset)",
    ports: [[146, 146]],
    harmlessWrite: (_port, value) => (value & 3) === 2,
    certainRead: () => 2
  },
  { device: "PCI configuration and the reset control register", ports: [[3320, 3327]] }
];
var AbsentPorts = class {
  name = "absent";
  ports = ABSENT.flatMap((absent) => absent.ports);
  widest = 4;
  read(port, size, notModelled) {
    const absent = find(port);
    const certain = absent.certainRead?.(port);
    if (certain !== void 0) return certain;
    notModelled(`Not modelled: reading ${size} bytes of the ${absent.device} at port 0x${port.toString(16)}.`);
    return 4294967295 >>> 32 - 8 * size;
  }
  write(port, size, value, notModelled) {
    const absent = find(port);
    if (absent.harmlessWrite?.(port, value)) return;
    notModelled(`Not modelled: writing 0x${value.toString(16)} (${size} bytes) to the ${absent.device} at port 0x${port.toString(16)}.`);
  }
};
function find(port) {
  const found = ABSENT.find((absent) => absent.ports.some(([first, last]) => port >= first && port <= last));
  if (found === void 0) throw new RangeError(`port 0x${port.toString(16)} is not in the table of absent devices`);
  return found;
}

// emulator/devices/byte-queue.ts
var ByteQueue = class {
  bytes = new Uint8Array(256);
  length = 0;
  push(byte) {
    if (this.length === this.bytes.length) {
      const grown = new Uint8Array(this.length * 2);
      grown.set(this.bytes);
      this.bytes = grown;
    }
    this.bytes[this.length++] = byte;
  }
  /** Everything since the last call. */
  take() {
    const taken = this.bytes.slice(0, this.length);
    this.length = 0;
    return taken;
  }
};

// emulator/devices/debug-console/debug-console.ts
var DebugConsole = class {
  constructor(output) {
    this.output = output;
  }
  output;
  name = "debug-console";
  ports = [[233, 233]];
  widest = 1;
  read() {
    return 233;
  }
  write(_port, _size, value) {
    this.output.push(value);
  }
};

// emulator/devices/device-state.ts
function expectVersion(saved2, version, what) {
  const found = saved2?.version;
  if (found !== version)
    throw new UserError(
      `The snapshot was made by another version of Nestscope: its ${what} state has version ${String(found)}, expected ${version}.`,
      "snapshot-version"
    );
  return saved2;
}

// emulator/devices/debug-exit/isa-debug-exit.ts
var IsaDebugExit = class {
  constructor(ended) {
    this.ended = ended;
  }
  ended;
  name = "debug-exit";
  ports = [[244, 247]];
  widest = 4;
  written = -1;
  get value() {
    return this.written < 0 ? void 0 : this.written;
  }
  read() {
    return 0;
  }
  write(_port, _size, value) {
    if (this.written >= 0) return;
    this.written = value;
    this.ended(value);
  }
  save() {
    return { version: 1, value: this.written };
  }
  restore(saved2) {
    this.written = expectVersion(saved2, 1, "debug exit").value;
  }
};

// emulator/devices/pic/pic-registers.ts
var PicRegisters = class {
  name = "pic";
  ports = [[32, 33], [160, 161]];
  // prettier-ignore
  widest = 1;
  controllers = [powerOn(8), powerOn(112)];
  read(port, _size, notModelled) {
    if (port & 1) return this.at(port).mask;
    notModelled(`Not modelled: reading the interrupt controller's request and in-service registers (port 0x${port.toString(16)}).`);
    return 255;
  }
  write(port, _size, value, notModelled) {
    const controller = this.at(port);
    if (port & 1) this.writeData(controller, value);
    else if (value & 16) {
      controller.icw1 = value;
      controller.expects = 2;
      controller.mask = 0;
    } else if (value & 8) {
      if (value & 68)
        notModelled(`Not modelled: interrupt controller command OCW3 0x${value.toString(16)} (port 0x${port.toString(16)}).`);
    }
  }
  save() {
    return { version: 1, controllers: this.controllers.map((c) => ({ ...c })) };
  }
  restore(saved2) {
    this.controllers = expectVersion(saved2, 1, "interrupt controller").controllers.map((c) => ({ ...c }));
  }
  at(port) {
    return this.controllers[port < 128 ? 0 : 1];
  }
  writeData(controller, value) {
    const { expects, icw1 } = controller;
    const last = icw1 & 1 ? 4 : 0;
    if (expects === 0) controller.mask = value;
    else if (expects === 2) {
      controller.vectorBase = value & 248;
      controller.expects = icw1 & 2 ? last : 3;
    } else controller.expects = expects === 3 ? last : 0;
  }
};
function powerOn(vectorBase) {
  return { mask: 255, expects: 0, icw1: 17, vectorBase };
}

// emulator/devices/port-bus/port-bus.ts
var PortBus = class {
  constructor(devices) {
    this.devices = devices;
    devices.forEach((device, i) => {
      for (const [first, last] of device.ports) {
        for (let port = first; port <= last; port++) {
          if (this.at[port] !== 0) throw new RangeError(`port 0x${port.toString(16)} has two devices`);
          this.at[port] = i + 1;
        }
      }
    });
  }
  devices;
  /** Index into `devices` plus one for each port, 0: nothing. */
  at = new Uint8Array(65536);
  in(cpu, port, size) {
    return this.read(port, size, (sentence) => void cpu.notModelled(sentence));
  }
  out(cpu, port, size, value) {
    this.write(port, size, value, (sentence) => void cpu.notModelled(sentence));
  }
  read(port, size, notModelled) {
    const device = this.whole(port, size);
    if (device !== void 0) return device.read(port, size, notModelled) >>> 0;
    let value = 0;
    for (let i = 0; i < size; i++) {
      const byte = this.deviceAt(port + i)?.read(port + i & 65535, 1, notModelled) ?? 255;
      value |= (byte & 255) << 8 * i;
    }
    return value >>> 0;
  }
  write(port, size, value, notModelled) {
    const device = this.whole(port, size);
    if (device !== void 0) {
      device.write(port, size, value >>> 0, notModelled);
      return;
    }
    for (let i = 0; i < size; i++) this.deviceAt(port + i)?.write(port + i & 65535, 1, value >>> 8 * i & 255, notModelled);
  }
  deviceAt(port) {
    return this.devices[this.at[port & 65535] - 1];
  }
  /** The device that takes the whole access at once, if there is one. */
  whole(port, size) {
    const device = this.deviceAt(port);
    return device && size <= device.widest && this.deviceAt(port + size - 1) === device ? device : void 0;
  }
};

// emulator/devices/uart/uart-16550.ts
var LCR_DLAB = 128;
var MCR_LOOP = 16;
var LSR_DATA_READY = 1;
var LSR_OVERRUN = 2;
var LSR_TRANSMITTER_EMPTY = 96;
var FCR_ENABLE = 1;
var FCR_CLEAR_RECEIVER = 2;
var IER_RECEIVED = 1;
var IER_TRANSMITTER = 2;
var IER_LINE = 4;
var IER_MODEM = 8;
var FIFO_BYTES = 16;
var TRIGGER_LEVELS = [1, 4, 8, 14];
var MODEM_CONNECTED = 176;
var POWER_ON = {
  version: 1,
  divisor: 12,
  // 9600 baud, what firmware leaves
  interruptEnable: 0,
  fifoControl: 0,
  lineControl: 0,
  modemControl: 0,
  modemStatus: MODEM_CONNECTED,
  scratch: 0,
  overrun: false,
  transmitterInterrupt: false,
  receiver: [],
  waiting: []
};
var copyOf = (state) => ({ ...state, receiver: [...state.receiver], waiting: [...state.waiting] });
var Uart16550 = class {
  constructor(base, output) {
    this.base = base;
    this.output = output;
    this.ports = [[base, base + 7]];
  }
  base;
  output;
  name = "uart";
  ports;
  widest = 1;
  s = copyOf(POWER_ON);
  /** Bytes that arrive on the line. */
  receive(bytes) {
    for (const byte of bytes) this.s.waiting.push(byte);
    this.fill();
  }
  /** Whether the interrupt line is asserted (for the interrupt controllers to come). */
  get interruptPending() {
    return (this.identification() & 1) === 0;
  }
  read(port) {
    const s = this.s;
    const latch = (s.lineControl & LCR_DLAB) !== 0;
    switch (port - this.base) {
      case 0:
        return latch ? s.divisor & 255 : this.receiverBuffer();
      case 1:
        return latch ? s.divisor >> 8 : s.interruptEnable;
      case 2: {
        const identification = this.identification();
        if (identification === 2) s.transmitterInterrupt = false;
        return identification | (s.fifoControl & FCR_ENABLE ? 192 : 0);
      }
      case 3:
        return s.lineControl;
      case 4:
        return s.modemControl;
      case 5: {
        const status = LSR_TRANSMITTER_EMPTY | (s.receiver.length > 0 ? LSR_DATA_READY : 0) | (s.overrun ? LSR_OVERRUN : 0);
        s.overrun = false;
        return status;
      }
      case 6: {
        const status = s.modemStatus;
        s.modemStatus &= 240;
        return status;
      }
      default:
        return s.scratch;
    }
  }
  write(port, _size, value) {
    const s = this.s;
    const latch = (s.lineControl & LCR_DLAB) !== 0;
    switch (port - this.base) {
      case 0:
        if (latch) s.divisor = s.divisor & 65280 | value;
        else this.transmit(value);
        break;
      case 1:
        if (latch) s.divisor = s.divisor & 255 | value << 8;
        else {
          if (value & ~s.interruptEnable & IER_TRANSMITTER) s.transmitterInterrupt = true;
          s.interruptEnable = value & 15;
        }
        break;
      case 2:
        this.writeFifoControl(value);
        break;
      case 3:
        s.lineControl = value;
        break;
      case 4:
        s.modemControl = value & 31;
        this.updateModemStatus();
        this.fill();
        break;
      case 7:
        s.scratch = value;
        break;
      default:
        break;
    }
  }
  save() {
    return copyOf(this.s);
  }
  restore(saved2) {
    this.s = copyOf(expectVersion(saved2, 1, "serial port"));
  }
  get fifoBytes() {
    return this.s.fifoControl & FCR_ENABLE ? FIFO_BYTES : 1;
  }
  transmit(byte) {
    const s = this.s;
    s.transmitterInterrupt = true;
    if ((s.modemControl & MCR_LOOP) === 0) {
      this.output.push(byte);
      return;
    }
    if (s.receiver.length < this.fifoBytes) {
      s.receiver.push(byte);
      return;
    }
    s.overrun = true;
    if ((s.fifoControl & FCR_ENABLE) === 0) s.receiver[0] = byte;
  }
  receiverBuffer() {
    const byte = this.s.receiver.shift() ?? 0;
    this.fill();
    return byte;
  }
  /** Moves waiting bytes into the receiver; in loopback the line is cut. */
  fill() {
    const s = this.s;
    if (s.modemControl & MCR_LOOP) return;
    const room = Math.min(this.fifoBytes - s.receiver.length, s.waiting.length);
    if (room > 0) s.receiver.push(...s.waiting.splice(0, room));
  }
  writeFifoControl(value) {
    const s = this.s;
    const switched = ((value ^ s.fifoControl) & FCR_ENABLE) !== 0;
    if (switched || value & FCR_ENABLE && value & FCR_CLEAR_RECEIVER) s.receiver = [];
    s.fifoControl = value & FCR_ENABLE ? value & 201 : 0;
    this.fill();
  }
  /** In loopback DTR, RTS, OUT1 and OUT2 come back as DSR, CTS, RI and DCD; a change sets the delta bits. */
  updateModemStatus() {
    const s = this.s;
    const mcr = s.modemControl;
    const lines = mcr & MCR_LOOP ? (mcr & 1) << 5 | (mcr & 2) << 3 | (mcr & 4) << 4 | (mcr & 8) << 4 : MODEM_CONNECTED;
    const changed = (s.modemStatus ^ lines) & 240;
    const ringEnded = changed & 64 && (lines & 64) === 0 ? 4 : 0;
    s.modemStatus = lines | s.modemStatus & 15 | changed >> 4 & 11 | ringEnded;
  }
  /** Interrupt identification, highest priority first; bit 0 set when there is none. */
  identification() {
    const s = this.s;
    if (s.interruptEnable & IER_LINE && s.overrun) return 6;
    if (s.interruptEnable & IER_RECEIVED && s.receiver.length > 0) {
      const fifo = (s.fifoControl & FCR_ENABLE) !== 0;
      return !fifo || s.receiver.length >= TRIGGER_LEVELS[s.fifoControl >> 6] ? 4 : 12;
    }
    if (s.interruptEnable & IER_TRANSMITTER && s.transmitterInterrupt) return 2;
    if (s.interruptEnable & IER_MODEM && s.modemStatus & 15) return 0;
    return 1;
  }
};

// emulator/devices/absent/absent-memory.ts
var ABSENT2 = [
  ["I/O APIC", 4273995776],
  ["high-precision event timer (HPET)", 4275044352],
  ["local APIC", 4276092928]
];
function notModelledRegions(stop) {
  return ABSENT2.map(([name, first]) => ({
    name,
    first,
    last: first + 4095,
    read(hpa, size) {
      stop(`Not modelled: reading ${size} bytes of the ${name} at 0x${hpa.toString(16)}.`);
      return (1n << BigInt(8 * size)) - 1n;
    },
    write(hpa, size, value) {
      stop(`Not modelled: writing 0x${value.toString(16)} (${size} bytes) to the ${name} at 0x${hpa.toString(16)}.`);
    }
  }));
}

// emulator/devices/platform.ts
function createPlatform(hooks = {}) {
  const serial = new ByteQueue();
  const debug = new ByteQueue();
  const uart = new Uart16550(1016, serial);
  const exit2 = new IsaDebugExit((value) => hooks.guestExit?.(value));
  const pic = new PicRegisters();
  const stateful = [uart, exit2, pic];
  const bus = new PortBus([...stateful, new DebugConsole(debug), new AbsentPorts()]);
  return {
    io: bus,
    serialOutput: () => serial.take(),
    debugOutput: () => debug.take(),
    sendSerial: (bytes) => uart.receive(bytes),
    get exitValue() {
      return exit2.value;
    },
    save: () => ({ version: 1, devices: Object.fromEntries(stateful.map((device) => [device.name, device.save()])) }),
    restore(saved2) {
      const { devices } = expectVersion(saved2, 1, "platform");
      for (const device of stateful) device.restore(devices[device.name]);
      serial.take();
      debug.take();
    }
  };
}

// emulator/spec/vmcs-fields.ts
var BLOCKS = [
  { width: 16, type: "control", rows: [
    [0, "VIRTUAL_PROCESSOR_IDENTIFIER", "execution/ept", "number", "secondary.enableVpid"],
    [2, "POSTED_INTERRUPT_NOTIFICATION_VECTOR", "execution/apic", "number", "pin.processPostedInterrupts"],
    [4, "EPTP_INDEX", "execution/ept", "number", "secondary.eptViolationVe"],
    [6, "HLAT_PREFIX_SIZE", "execution/ept", "number", "tertiary.enableHlat"],
    [8, "LAST_PID_POINTER_INDEX", "execution/apic", "number", "tertiary.ipiVirtualization"]
  ] },
  { width: 16, type: "guest", rows: [
    [2048, "GUEST_ES_SELECTOR", "guest/segments", "selector"],
    [2050, "GUEST_CS_SELECTOR", "guest/segments", "selector"],
    [2052, "GUEST_SS_SELECTOR", "guest/segments", "selector"],
    [2054, "GUEST_DS_SELECTOR", "guest/segments", "selector"],
    [2056, "GUEST_FS_SELECTOR", "guest/segments", "selector"],
    [2058, "GUEST_GS_SELECTOR", "guest/segments", "selector"],
    [2060, "GUEST_LDTR_SELECTOR", "guest/segments", "selector"],
    [2062, "GUEST_TR_SELECTOR", "guest/segments", "selector"],
    [2064, "GUEST_INTERRUPT_STATUS", "guest/non-register", "hex", "secondary.virtualInterruptDelivery"],
    [2066, "PML_INDEX", "guest/non-register", "number", "secondary.enablePml"],
    [2068, "GUEST_UINV", "guest/msrs", "number", "entry.loadUinv"]
  ] },
  { width: 16, type: "host", rows: [
    [3072, "HOST_ES_SELECTOR", "host/segments", "selector"],
    [3074, "HOST_CS_SELECTOR", "host/segments", "selector"],
    [3076, "HOST_SS_SELECTOR", "host/segments", "selector"],
    [3078, "HOST_DS_SELECTOR", "host/segments", "selector"],
    [3080, "HOST_FS_SELECTOR", "host/segments", "selector"],
    [3082, "HOST_GS_SELECTOR", "host/segments", "selector"],
    [3084, "HOST_TR_SELECTOR", "host/segments", "selector"]
  ] },
  { width: 64, type: "control", rows: [
    [8192, "IO_BITMAP_A", "execution/bitmaps", "physical"],
    [8194, "IO_BITMAP_B", "execution/bitmaps", "physical"],
    [8196, "MSR_BITMAPS", "execution/bitmaps", "physical", "primary.useMsrBitmaps"],
    [8198, "VM_EXIT_MSR_STORE_ADDRESS", "exit/msrs", "physical"],
    [8200, "VM_EXIT_MSR_LOAD_ADDRESS", "exit/msrs", "physical"],
    [8202, "VM_ENTRY_MSR_LOAD_ADDRESS", "entry/msrs", "physical"],
    [8204, "EXECUTIVE_VMCS_POINTER", "execution/controls", "physical"],
    [8206, "PML_ADDRESS", "execution/ept", "physical", "secondary.enablePml"],
    [8208, "TSC_OFFSET", "execution/time", "hex"],
    [8210, "VIRTUAL_APIC_ADDRESS", "execution/apic", "physical", "primary.useTprShadow"],
    [8212, "APIC_ACCESS_ADDRESS", "execution/apic", "physical", "secondary.virtualizeApicAccesses"],
    [8214, "POSTED_INTERRUPT_DESCRIPTOR_ADDRESS", "execution/apic", "physical", "pin.processPostedInterrupts"],
    [8216, "VM_FUNCTION_CONTROLS", "execution/ept", "vm-functions", "secondary.enableVmFunctions"],
    [8218, "EPT_POINTER", "execution/ept", "eptp", "secondary.enableEpt"],
    [8220, "EOI_EXIT_BITMAP_0", "execution/apic", "hex", "secondary.virtualInterruptDelivery"],
    [8222, "EOI_EXIT_BITMAP_1", "execution/apic", "hex", "secondary.virtualInterruptDelivery"],
    [8224, "EOI_EXIT_BITMAP_2", "execution/apic", "hex", "secondary.virtualInterruptDelivery"],
    [8226, "EOI_EXIT_BITMAP_3", "execution/apic", "hex", "secondary.virtualInterruptDelivery"],
    [8228, "EPTP_LIST_ADDRESS", "execution/ept", "physical", "secondary.enableVmFunctions"],
    [8230, "VMREAD_BITMAP_ADDRESS", "execution/bitmaps", "physical", "secondary.vmcsShadowing"],
    [8232, "VMWRITE_BITMAP_ADDRESS", "execution/bitmaps", "physical", "secondary.vmcsShadowing"],
    [8234, "VIRTUALIZATION_EXCEPTION_INFORMATION_ADDRESS", "execution/ept", "physical", "secondary.eptViolationVe"],
    [8236, "XSS_EXITING_BITMAP", "execution/bitmaps", "hex", "secondary.enableXsaves"],
    [8238, "ENCLS_EXITING_BITMAP", "execution/bitmaps", "hex", "secondary.enableEnclsExiting"],
    [8240, "SUB_PAGE_PERMISSION_TABLE_POINTER", "execution/ept", "physical", "secondary.subPageWritePermissions"],
    [8242, "TSC_MULTIPLIER", "execution/time", "hex", "secondary.useTscScaling"],
    [8244, "TERTIARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS", "execution/controls", "controls:tertiary", "primary.activateTertiaryControls"],
    [8246, "ENCLV_EXITING_BITMAP", "execution/bitmaps", "hex", "secondary.enableEnclvExiting"],
    [8248, "LOW_PASID_DIRECTORY_ADDRESS", "execution/bitmaps", "physical", "secondary.pasidTranslation"],
    [8250, "HIGH_PASID_DIRECTORY_ADDRESS", "execution/bitmaps", "physical", "secondary.pasidTranslation"],
    [8254, "PCONFIG_EXITING_BITMAP", "execution/bitmaps", "hex", "secondary.enablePconfig"],
    [8256, "HLAT_POINTER", "execution/ept", "physical", "tertiary.enableHlat"],
    [8258, "PID_POINTER_TABLE_ADDRESS", "execution/apic", "physical", "tertiary.ipiVirtualization"],
    [8260, "SECONDARY_VM_EXIT_CONTROLS", "exit/controls", "controls:secondaryExit", "exit.activateSecondaryControls"],
    [8266, "IA32_SPEC_CTRL_MASK", "execution/registers", "hex", "tertiary.virtualizeIa32SpecCtrl"],
    [8268, "IA32_SPEC_CTRL_SHADOW", "execution/registers", "hex", "tertiary.virtualizeIa32SpecCtrl"]
  ] },
  { width: 64, type: "read-only", rows: [
    [9216, "GUEST_PHYSICAL_ADDRESS", "information/basic", "physical", "secondary.enableEpt"]
  ] },
  { width: 64, type: "guest", rows: [
    [10240, "VMCS_LINK_POINTER", "guest/non-register", "link-pointer"],
    [10242, "GUEST_IA32_DEBUGCTL", "guest/msrs", "debugctl"],
    [10244, "GUEST_IA32_PAT", "guest/msrs", "pat", "entry.loadIa32Pat"],
    [10246, "GUEST_IA32_EFER", "guest/msrs", "efer", "entry.loadIa32Efer"],
    [10248, "GUEST_IA32_PERF_GLOBAL_CTRL", "guest/msrs", "hex", "entry.loadIa32PerfGlobalCtrl"],
    [10250, "GUEST_PDPTE0", "guest/non-register", "pdpte", "secondary.enableEpt"],
    [10252, "GUEST_PDPTE1", "guest/non-register", "pdpte", "secondary.enableEpt"],
    [10254, "GUEST_PDPTE2", "guest/non-register", "pdpte", "secondary.enableEpt"],
    [10256, "GUEST_PDPTE3", "guest/non-register", "pdpte", "secondary.enableEpt"],
    [10258, "GUEST_IA32_BNDCFGS", "guest/msrs", "hex", "entry.loadIa32Bndcfgs"],
    [10260, "GUEST_IA32_RTIT_CTL", "guest/msrs", "hex", "entry.loadIa32RtitCtl"],
    [10262, "GUEST_IA32_LBR_CTL", "guest/msrs", "hex", "entry.loadGuestIa32LbrCtl"],
    [10264, "GUEST_IA32_PKRS", "guest/msrs", "hex", "entry.loadPkrs"]
  ] },
  { width: 64, type: "host", rows: [
    [11264, "HOST_IA32_PAT", "host/msrs", "pat", "exit.loadIa32Pat"],
    [11266, "HOST_IA32_EFER", "host/msrs", "efer", "exit.loadIa32Efer"],
    [11268, "HOST_IA32_PERF_GLOBAL_CTRL", "host/msrs", "hex", "exit.loadIa32PerfGlobalCtrl"],
    [11270, "HOST_IA32_PKRS", "host/msrs", "hex", "exit.loadPkrs"]
  ] },
  { width: 32, type: "control", rows: [
    [16384, "PIN_BASED_VM_EXECUTION_CONTROLS", "execution/controls", "controls:pin"],
    [16386, "PRIMARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS", "execution/controls", "controls:primary"],
    [16388, "EXCEPTION_BITMAP", "execution/exceptions", "exception-bitmap"],
    [16390, "PAGE_FAULT_ERROR_CODE_MASK", "execution/exceptions", "page-fault-code"],
    [16392, "PAGE_FAULT_ERROR_CODE_MATCH", "execution/exceptions", "page-fault-code"],
    [16394, "CR3_TARGET_COUNT", "execution/registers", "number"],
    [16396, "PRIMARY_VM_EXIT_CONTROLS", "exit/controls", "controls:exit"],
    [16398, "VM_EXIT_MSR_STORE_COUNT", "exit/msrs", "number"],
    [16400, "VM_EXIT_MSR_LOAD_COUNT", "exit/msrs", "number"],
    [16402, "VM_ENTRY_CONTROLS", "entry/controls", "controls:entry"],
    [16404, "VM_ENTRY_MSR_LOAD_COUNT", "entry/msrs", "number"],
    [16406, "VM_ENTRY_INTERRUPTION_INFORMATION", "entry/event", "event-injection"],
    [16408, "VM_ENTRY_EXCEPTION_ERROR_CODE", "entry/event", "error-code"],
    [16410, "VM_ENTRY_INSTRUCTION_LENGTH", "entry/event", "number"],
    [16412, "TPR_THRESHOLD", "execution/apic", "number", "primary.useTprShadow"],
    [16414, "SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS", "execution/controls", "controls:secondary", "primary.activateSecondaryControls"],
    [16416, "PLE_GAP", "execution/time", "number", "secondary.pauseLoopExiting"],
    [16418, "PLE_WINDOW", "execution/time", "number", "secondary.pauseLoopExiting"],
    [16420, "INSTRUCTION_TIMEOUT_CONTROL", "execution/time", "number", "secondary.instructionTimeout"]
  ] },
  { width: 32, type: "read-only", rows: [
    [17408, "VM_INSTRUCTION_ERROR", "information/instruction-error", "instruction-error"],
    [17410, "VM_EXIT_REASON", "information/basic", "exit-reason"],
    [17412, "VM_EXIT_INTERRUPTION_INFORMATION", "information/vectored", "exit-interruption"],
    [17414, "VM_EXIT_INTERRUPTION_ERROR_CODE", "information/vectored", "error-code"],
    [17416, "IDT_VECTORING_INFORMATION", "information/delivery", "idt-vectoring"],
    [17418, "IDT_VECTORING_ERROR_CODE", "information/delivery", "error-code"],
    [17420, "VM_EXIT_INSTRUCTION_LENGTH", "information/instruction", "number"],
    [17422, "VM_EXIT_INSTRUCTION_INFORMATION", "information/instruction", "instruction-information"]
  ] },
  { width: 32, type: "guest", rows: [
    [18432, "GUEST_ES_LIMIT", "guest/segments", "limit"],
    [18434, "GUEST_CS_LIMIT", "guest/segments", "limit"],
    [18436, "GUEST_SS_LIMIT", "guest/segments", "limit"],
    [18438, "GUEST_DS_LIMIT", "guest/segments", "limit"],
    [18440, "GUEST_FS_LIMIT", "guest/segments", "limit"],
    [18442, "GUEST_GS_LIMIT", "guest/segments", "limit"],
    [18444, "GUEST_LDTR_LIMIT", "guest/segments", "limit"],
    [18446, "GUEST_TR_LIMIT", "guest/segments", "limit"],
    [18448, "GUEST_GDTR_LIMIT", "guest/descriptor-tables", "limit"],
    [18450, "GUEST_IDTR_LIMIT", "guest/descriptor-tables", "limit"],
    [18452, "GUEST_ES_ACCESS_RIGHTS", "guest/segments", "access-rights"],
    [18454, "GUEST_CS_ACCESS_RIGHTS", "guest/segments", "access-rights"],
    [18456, "GUEST_SS_ACCESS_RIGHTS", "guest/segments", "access-rights"],
    [18458, "GUEST_DS_ACCESS_RIGHTS", "guest/segments", "access-rights"],
    [18460, "GUEST_FS_ACCESS_RIGHTS", "guest/segments", "access-rights"],
    [18462, "GUEST_GS_ACCESS_RIGHTS", "guest/segments", "access-rights"],
    [18464, "GUEST_LDTR_ACCESS_RIGHTS", "guest/segments", "access-rights"],
    [18466, "GUEST_TR_ACCESS_RIGHTS", "guest/segments", "access-rights"],
    [18468, "GUEST_INTERRUPTIBILITY_STATE", "guest/non-register", "interruptibility"],
    [18470, "GUEST_ACTIVITY_STATE", "guest/non-register", "activity"],
    [18472, "GUEST_SMBASE", "guest/msrs", "hex"],
    [18474, "GUEST_IA32_SYSENTER_CS", "guest/msrs", "hex"],
    [18478, "VMX_PREEMPTION_TIMER_VALUE", "guest/non-register", "number", "pin.activateVmxPreemptionTimer"]
  ] },
  { width: 32, type: "host", rows: [
    [19456, "HOST_IA32_SYSENTER_CS", "host/msrs", "hex"]
  ] },
  { width: "natural", type: "control", rows: [
    [24576, "CR0_GUEST_HOST_MASK", "execution/registers", "cr0"],
    [24578, "CR4_GUEST_HOST_MASK", "execution/registers", "cr4"],
    [24580, "CR0_READ_SHADOW", "execution/registers", "cr0"],
    [24582, "CR4_READ_SHADOW", "execution/registers", "cr4"],
    [24584, "CR3_TARGET_VALUE_0", "execution/registers", "hex"],
    [24586, "CR3_TARGET_VALUE_1", "execution/registers", "hex"],
    [24588, "CR3_TARGET_VALUE_2", "execution/registers", "hex"],
    [24590, "CR3_TARGET_VALUE_3", "execution/registers", "hex"]
  ] },
  { width: "natural", type: "read-only", rows: [
    [25600, "EXIT_QUALIFICATION", "information/basic", "exit-qualification"],
    [25602, "IO_RCX", "information/instruction", "hex"],
    [25604, "IO_RSI", "information/instruction", "hex"],
    [25606, "IO_RDI", "information/instruction", "hex"],
    [25608, "IO_RIP", "information/instruction", "hex"],
    [25610, "GUEST_LINEAR_ADDRESS", "information/basic", "address"]
  ] },
  { width: "natural", type: "guest", rows: [
    [26624, "GUEST_CR0", "guest/registers", "cr0"],
    [26626, "GUEST_CR3", "guest/registers", "physical"],
    [26628, "GUEST_CR4", "guest/registers", "cr4"],
    [26630, "GUEST_ES_BASE", "guest/segments", "address"],
    [26632, "GUEST_CS_BASE", "guest/segments", "address"],
    [26634, "GUEST_SS_BASE", "guest/segments", "address"],
    [26636, "GUEST_DS_BASE", "guest/segments", "address"],
    [26638, "GUEST_FS_BASE", "guest/segments", "address"],
    [26640, "GUEST_GS_BASE", "guest/segments", "address"],
    [26642, "GUEST_LDTR_BASE", "guest/segments", "address"],
    [26644, "GUEST_TR_BASE", "guest/segments", "address"],
    [26646, "GUEST_GDTR_BASE", "guest/descriptor-tables", "address"],
    [26648, "GUEST_IDTR_BASE", "guest/descriptor-tables", "address"],
    [26650, "GUEST_DR7", "guest/registers", "dr7"],
    [26652, "GUEST_RSP", "guest/registers", "address"],
    [26654, "GUEST_RIP", "guest/registers", "address"],
    [26656, "GUEST_RFLAGS", "guest/registers", "rflags"],
    [26658, "GUEST_PENDING_DEBUG_EXCEPTIONS", "guest/non-register", "pending-debug"],
    [26660, "GUEST_IA32_SYSENTER_ESP", "guest/msrs", "address"],
    [26662, "GUEST_IA32_SYSENTER_EIP", "guest/msrs", "address"],
    [26664, "GUEST_IA32_S_CET", "guest/msrs", "hex", "entry.loadCetState"],
    [26666, "GUEST_SSP", "guest/registers", "address", "entry.loadCetState"],
    [26668, "GUEST_IA32_INTERRUPT_SSP_TABLE_ADDR", "guest/msrs", "address", "entry.loadCetState"]
  ] },
  { width: "natural", type: "host", rows: [
    [27648, "HOST_CR0", "host/registers", "cr0"],
    [27650, "HOST_CR3", "host/registers", "physical"],
    [27652, "HOST_CR4", "host/registers", "cr4"],
    [27654, "HOST_FS_BASE", "host/segments", "address"],
    [27656, "HOST_GS_BASE", "host/segments", "address"],
    [27658, "HOST_TR_BASE", "host/segments", "address"],
    [27660, "HOST_GDTR_BASE", "host/descriptor-tables", "address"],
    [27662, "HOST_IDTR_BASE", "host/descriptor-tables", "address"],
    [27664, "HOST_IA32_SYSENTER_ESP", "host/msrs", "address"],
    [27666, "HOST_IA32_SYSENTER_EIP", "host/msrs", "address"],
    [27668, "HOST_RSP", "host/registers", "address"],
    [27670, "HOST_RIP", "host/registers", "address"],
    [27672, "HOST_IA32_S_CET", "host/msrs", "hex", "exit.loadCetState"],
    [27674, "HOST_SSP", "host/registers", "address", "exit.loadCetState"],
    [27676, "HOST_IA32_INTERRUPT_SSP_TABLE_ADDR", "host/msrs", "address", "exit.loadCetState"]
  ] }
];
var FIELD_GROUPS = [
  { id: "information", title: "VM-exit information", subgroups: [
    ["basic", "Basic VM-exit information"],
    ["vectored", "VM exits due to vectored events"],
    ["delivery", "VM exits that occur during event delivery"],
    ["instruction", "VM exits due to instruction execution"],
    ["instruction-error", "VM-instruction error"]
  ] },
  { id: "guest", title: "Guest-state area", subgroups: [
    ["registers", "Guest register state"],
    ["segments", "Guest segment registers"],
    ["descriptor-tables", "Guest GDTR and IDTR"],
    ["msrs", "Guest MSRs"],
    ["non-register", "Guest non-register state"]
  ] },
  { id: "host", title: "Host-state area", subgroups: [
    ["registers", "Host register state"],
    ["segments", "Host segment registers"],
    ["descriptor-tables", "Host GDTR and IDTR"],
    ["msrs", "Host MSRs"]
  ] },
  { id: "execution", title: "VM-execution control fields", subgroups: [
    ["controls", "Pin-based and processor-based controls"],
    ["exceptions", "Exception bitmap and page-fault error codes"],
    ["bitmaps", "Bitmap addresses"],
    ["registers", "Guest/host masks, read shadows and CR3 targets"],
    ["ept", "EPT and VPID"],
    ["apic", "APIC virtualization"],
    ["time", "Time"]
  ] },
  { id: "exit", title: "VM-exit control fields", subgroups: [["controls", "VM-exit controls"], ["msrs", "VM-exit MSR areas"]] },
  { id: "entry", title: "VM-entry control fields", subgroups: [["controls", "VM-entry controls"], ["msrs", "VM-entry MSR-load area"], ["event", "Event injection"]] }
];
function camelCaseOf(name) {
  return name.toLowerCase().replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase());
}
var VmcsRegion = { revision: 0, abortIndicator: 4, launchState: 8, changed: 12, firstField: 64, bytes: 4096 };
var VMCS_REVISION = 1314062337;
function buildFields() {
  const fields = [];
  for (const { width, type, rows } of BLOCKS) {
    for (const [encoding, name, place, format, control] of rows) {
      const [group2, subgroup] = place.split("/");
      const index = fields.length;
      fields.push({
        encoding,
        name,
        id: camelCaseOf(name),
        width,
        type,
        group: group2,
        subgroup,
        format,
        control,
        offset: VmcsRegion.firstField + index * 8,
        index
      });
    }
  }
  return fields;
}
var VMCS_FIELDS = buildFields();
var Field = Object.fromEntries(VMCS_FIELDS.map((f) => [f.id, f]));
var BY_ENCODING = new Map(VMCS_FIELDS.map((f) => [f.encoding, f]));
var BY_NAME = new Map(VMCS_FIELDS.map((f) => [f.name, f]));
function fieldByName(name) {
  return BY_NAME.get(name);
}
function encodingParts(encoding) {
  const types3 = ["control", "read-only", "guest", "host"];
  const widths = [16, 64, 32, "natural"];
  return {
    high: (encoding & 1) !== 0,
    index: encoding >> 1 & 511,
    type: types3[encoding >> 10 & 3],
    width: widths[encoding >> 13 & 3]
  };
}

// emulator/vmx/vmx-state.ts
var VmxState = {
  /** i64: added to the TSC that the guest reads while “use TSC offsetting” is 1, else 0. */
  tscOffset: State.vmxScratch,
  /** f64: step count at the guest's first instruction boundary, for the monitor trap flag. */
  trapSteps: State.vmxScratch + 8,
  /** i32: groups of VMCS fields changed since their checks last held, see changes. */
  changed: State.vmxScratch + 16,
  /** i32: see MonitorTrap. */
  monitorTrap: State.vmxInternal
};
var MonitorTrap = {
  off: 0,
  /** The guest has not reached its first boundary; the exit is due one step after it. */
  untilFirstBoundary: 1,
  /** Due as soon as a step was made after `trapSteps`. */
  afterStep: 2,
  /** Due at the next boundary: an event was delivered, or VM entry injected a pending MTF VM exit. */
  due: 3
};
var Boundary = { monitorTrap: 2, window: 4 };
var VmxMode = { outside: 0, root: 1, nonRoot: 2 };
var EptMode = { accessedDirty: 1 };

// emulator/vmx/changes.ts
var ALL_CHANGED = 4294967295;
var VIRTUAL_8086_CHANGED = 1 << 2;
var GROUPS = [
  [Field.guestRip],
  [Field.guestRflags],
  [],
  // VIRTUAL_8086_CHANGED
  [Field.guestCr0],
  [Field.guestCr3],
  [Field.guestCr4],
  [Field.guestCsSelector, Field.guestCsBase, Field.guestCsLimit, Field.guestCsAccessRights],
  [Field.guestSsSelector, Field.guestSsBase, Field.guestSsLimit, Field.guestSsAccessRights],
  (f) => /^GUEST_(DS|ES)_/.test(f.name),
  (f) => /^GUEST_(FS|GS)_/.test(f.name),
  (f) => /^GUEST_(TR|LDTR)_/.test(f.name),
  (f) => f.subgroup === "descriptor-tables" && f.type === "guest",
  (f) => f.subgroup === "msrs" && f.type === "guest" || f === Field.guestDr7,
  [Field.guestInterruptibilityState],
  [Field.guestActivityState],
  [Field.guestPendingDebugExceptions],
  [Field.vmcsLinkPointer],
  (f) => f.format === "pdpte",
  [Field.vmEntryControls],
  (f) => f.group === "entry" && f.subgroup === "event",
  [Field.primaryVmExitControls],
  [Field.pinBasedVmExecutionControls],
  [Field.primaryProcessorBasedVmExecutionControls, Field.secondaryProcessorBasedVmExecutionControls],
  (f) => f.group === "execution" && f.subgroup !== "controls",
  (f) => (f.group === "exit" || f.group === "entry") && f.subgroup === "msrs",
  (f) => f.group === "host"
];
var BITS = VMCS_FIELDS.map((field) => {
  const bit = GROUPS.findIndex((group2) => typeof group2 === "function" ? group2(field) : group2.includes(field));
  return bit < 0 ? 0 : 1 << bit;
});
function changeBit(field) {
  return BITS[field.index];
}
function noteFieldWrite(cpu, field) {
  cpu.u32[VmxState.changed >> 2] |= BITS[field.index] | (field === Field.guestRflags ? VIRTUAL_8086_CHANGED : 0);
}
function forgetChecks(cpu) {
  cpu.set32(VmxState.changed, ALL_CHANGED);
}

// emulator/vmx/vmcs.ts
var LaunchState = { clear: 0, launched: 1 };
var Vmcs = class {
  constructor(memory, pointer) {
    this.memory = memory;
    this.words = memory.u32;
    this.quads = memory.u64;
    if (pointer !== void 0) this.select(pointer);
  }
  memory;
  words;
  quads;
  /** Offset of the region in the WebAssembly memory. */
  base = 0;
  pointerValue = -1;
  /** Goes to the region at a 4-KiB-aligned address in RAM. */
  select(pointer) {
    this.base = RAM_FIRST + pointer;
    this.pointerValue = pointer;
    return this;
  }
  get pointer() {
    return this.pointerValue;
  }
  u32(field) {
    return this.words[this.base + field.offset >>> 2];
  }
  high32(field) {
    return this.words[this.base + field.offset + 4 >>> 2];
  }
  u64(field) {
    return this.quads[this.base + field.offset >>> 3];
  }
  address(field) {
    return this.high32(field) * 4294967296 + this.u32(field);
  }
  setU32(field, value) {
    this.words[this.base + field.offset >>> 2] = value;
    this.words[this.base + field.offset + 4 >>> 2] = 0;
  }
  setU64(field, value) {
    this.quads[this.base + field.offset >>> 3] = value;
  }
  setHalves(field, low, high) {
    this.words[this.base + field.offset >>> 2] = low;
    this.words[this.base + field.offset + 4 >>> 2] = high;
  }
  /** Writes 64 bits and tells with the field's change bit whether they differ from what was there, else 0. */
  saveHalves(field, low, high) {
    const at = this.base + field.offset >>> 2;
    const { words } = this;
    if (words[at] === low >>> 0 && words[at + 1] === high >>> 0) return 0;
    words[at] = low;
    words[at + 1] = high;
    return changeBit(field);
  }
  /** Writes the bits that a field of its width holds. */
  setMasked(field, value) {
    if (field.width === 16) this.setU32(field, Number(value & 0xffffn));
    else if (field.width === 32) this.setU32(field, Number(value & 0xffffffffn));
    else this.setU64(field, BigInt.asUintN(64, value));
  }
  get revision() {
    return this.words[this.base + VmcsRegion.revision >>> 2];
  }
  get revisionMatches() {
    return this.revision === VMCS_REVISION;
  }
  get abortIndicator() {
    return this.words[this.base + VmcsRegion.abortIndicator >>> 2];
  }
  set abortIndicator(value) {
    this.words[this.base + VmcsRegion.abortIndicator >>> 2] = value;
  }
  get launchState() {
    return this.words[this.base + VmcsRegion.launchState >>> 2];
  }
  set launchState(value) {
    this.words[this.base + VmcsRegion.launchState >>> 2] = value;
  }
  /** Tells the memory's watchers that the region has changed; to be called once after a group of writes. */
  noteWritten() {
    if (this.memory.pageFlags[this.pointerValue >>> 12] !== 0) this.memory.noteWrite(this.pointerValue, VmcsRegion.bytes);
  }
};

// emulator/inspect/registers.ts
var SLOTS = {
  cr0: State.cr0,
  cr2: State.cr2,
  cr3: State.cr3,
  cr4: State.cr4,
  cr8: State.cr8,
  efer: State.efer,
  star: State.star,
  lstar: State.lstar,
  cstar: State.cstar,
  fmask: State.fmask,
  kernel_gs_base: State.kernelGsBase,
  sysenter_cs: State.sysenterCs,
  sysenter_esp: State.sysenterEsp,
  sysenter_eip: State.sysenterEip,
  pat: State.pat,
  feature_control: State.featureControl,
  debugctl: State.debugctl,
  apic_base: State.apicBase,
  tsc_aux: State.tscAux,
  gdtr_base: State.gdtrBase,
  idtr_base: State.idtrBase,
  ...Object.fromEntries([0, 1, 2, 3, 6, 7].map((n) => [`dr${n}`, State.dr + 8 * n]))
};
var READ_ONLY = /* @__PURE__ */ new Set(["cr0", "cr3", "cr4", "efer", ...SEGMENT_NAMES]);
function registerNames() {
  return [
    ...GPR_NAMES,
    "rip",
    "rflags",
    ...SEGMENT_NAMES,
    ...SEGMENT_NAMES.flatMap((s) => [`${s}_base`, `${s}_limit`, `${s}_access`]),
    "gdtr_limit",
    "idtr_limit",
    ...Object.keys(SLOTS),
    "cpl"
  ];
}
function readRegister(cpu, name) {
  const gpr = GPR_NAMES.indexOf(name);
  if (gpr >= 0) return cpu.gpr(gpr);
  if (name === "rip") return cpu.rip;
  if (name === "rflags") return BigInt(cpu.flags >>> 0);
  if (name === "cpl") return BigInt(cpu.cpl);
  if (name === "gdtr_limit") return BigInt(cpu.get32(State.gdtrLimit));
  if (name === "idtr_limit") return BigInt(cpu.get32(State.idtrLimit));
  if (Object.hasOwn(SLOTS, name)) return cpu.get64(SLOTS[name]);
  const [segment, part] = name.split("_");
  const n = SEGMENT_NAMES.indexOf(segment);
  if (n < 0) return void 0;
  if (part === void 0) return BigInt(cpu.segmentSelector(n));
  if (part === "base") return cpu.segmentBase(n);
  if (part === "limit") return BigInt(cpu.segmentLimit(n));
  return part === "access" ? BigInt(cpu.segmentAccess(n)) : void 0;
}
function writeRegister(cpu, name, value) {
  if (value < 0n || value > 0xffffffffffffffffn)
    throw new UserError(`${name} takes a value of 64 bits, not ${value.toString(16)}`, "register-value");
  const gpr = GPR_NAMES.indexOf(name);
  if (gpr >= 0) cpu.setGpr(gpr, value);
  else if (name === "rip") cpu.rip = value;
  else if (name === "rflags") {
    cpu.flags = Number(value & 0xffffffffn) | 0;
    cpu.modeChanged();
  } else if (Object.hasOwn(SLOTS, name) && !READ_ONLY.has(name)) cpu.set64(SLOTS[name], value);
  else if (readRegister(cpu, name) === void 0) throw new UserError(`there is no register named ${name}`, "register-unknown");
  else
    throw new UserError(`${name} cannot be set here: change it in the guest, where the processor checks the value`, "register-read-only");
}

// emulator/inspect/translation-context.ts
var levelOf = (cpu) => cpu.vmxNonRoot ? 2 : 1;
function currentVmcs(cpu, memory) {
  const pointer = cpu.getF64(State.currentVmcs);
  return cpu.get32(State.vmxMode) !== 0 && pointer >= 0 && memory.isRam(pointer, 4096) ? new Vmcs(memory, pointer) : void 0;
}
var ADDRESS = 0xffffffffff000n;
var LA57 = 1n << 12n;
var PAE = 1n << 5n;
function pagingOf(cr0, cr3, cr4, longMode, pdptes2) {
  if ((cr0 & 0x80000000n) === 0n) return void 0;
  if (longMode) return { format: cr4 & LA57 ? guest5Level : guest4Level, root: Number(cr3 & ADDRESS) };
  if (cr4 & PAE) return { format: guestPae, root: Number(cr3 & 0xffffffe0n), pdptes: pdptes2() };
  return { format: cr4 & 0x10n ? guest32BitPse : guest32BitPlain, root: Number(cr3 & 0xfffff000n) };
}
var pdptesInMemory = (memory, table) => [0, 1, 2, 3].map((n) => memory.isRam(table + 8 * n, 8) ? memory.read64(table + 8 * n) : 0n);
function contextOf(cpu, memory, level) {
  const registers2 = () => [0, 1, 2, 3].map((n) => cpu.get64(State.pdpte + 8 * n));
  if (level === levelOf(cpu)) {
    const paging = Mmu.guestPaging(cpu);
    return {
      paging: paging?.format === guestPae ? { ...paging, pdptes: registers2() } : paging,
      eptPointer: cpu.getF64(State.eptPointer),
      longMode: cpu.longMode,
      nx: (cpu.efer & 0x800n) !== 0n
    };
  }
  const vmcs = currentVmcs(cpu, memory);
  if (vmcs === void 0) return void 0;
  if (level === 1) {
    const longMode2 = (vmcs.u32(Field.primaryVmExitControls) & 512) !== 0;
    const hostPdptes = () => pdptesInMemory(memory, Number(vmcs.u64(Field.hostCr3) & 0xffffffe0n));
    return { paging: pagingOf(vmcs.u64(Field.hostCr0), vmcs.u64(Field.hostCr3), vmcs.u64(Field.hostCr4), longMode2, hostPdptes), eptPointer: 0, longMode: longMode2, nx: (cpu.efer & 0x800n) !== 0n };
  }
  const longMode = (vmcs.u32(Field.vmEntryControls) & 512) !== 0;
  const secondary2 = (vmcs.u32(Field.primaryProcessorBasedVmExecutionControls) & 2147483648) !== 0;
  const ept = secondary2 && (vmcs.u32(Field.secondaryProcessorBasedVmExecutionControls) & 2) !== 0;
  const guestCr3 = vmcs.u64(Field.guestCr3);
  const guestPdptes = () => ept ? [Field.guestPdpte0, Field.guestPdpte1, Field.guestPdpte2, Field.guestPdpte3].map((field) => vmcs.u64(field)) : pdptesInMemory(memory, Number(guestCr3 & 0xffffffe0n));
  return {
    paging: pagingOf(vmcs.u64(Field.guestCr0), guestCr3, vmcs.u64(Field.guestCr4), longMode, guestPdptes),
    eptPointer: ept ? Number(vmcs.u64(Field.eptPointer) & ADDRESS) : 0,
    longMode,
    nx: (vmcs.u64(Field.guestIa32Efer) & 0x800n) !== 0n || (cpu.efer & 0x800n) !== 0n
  };
}

// emulator/inspect/cpu-view.ts
var CS_L = 8192;
var CS_D = 16384;
function createCpuView(cpu, memory, events) {
  return {
    get level() {
      return levelOf(cpu);
    },
    get inVmx() {
      return cpu.get32(State.vmxMode) !== 0;
    },
    get rip() {
      return cpu.rip;
    },
    get codeBits() {
      const mode = cpu.get32(State.mode);
      return mode & Mode.code64 ? 64 : mode & Mode.code32 ? 32 : 16;
    },
    get cpl() {
      return cpu.cpl;
    },
    get halted() {
      return cpu.get32(State.activity) === 1;
    },
    register: (name) => readRegister(cpu, name),
    setRegister: (name, value) => writeRegister(cpu, name, value),
    registerNames,
    other: () => otherLevel(cpu, memory),
    get lastEntry() {
      return events.lastEntry;
    },
    get exitJustCommitted() {
      const last = events.recentExits[events.recentExits.length - 1];
      return last !== void 0 && !cpu.vmxNonRoot && last.n === cpu.getF64(State.steps) ? last : void 0;
    }
  };
}
function otherLevel(cpu, memory) {
  const vmcs = currentVmcs(cpu, memory);
  if (vmcs === void 0) return void 0;
  const launched = vmcs.launchState === LaunchState.launched;
  const level = levelOf(cpu) === 1 ? 2 : 1;
  if (level === 1) {
    const long2 = (vmcs.u32(Field.primaryVmExitControls) & 512) !== 0;
    return {
      level,
      rip: vmcs.u64(Field.hostRip),
      rsp: vmcs.u64(Field.hostRsp),
      codeBits: long2 ? 64 : 32,
      cr3: vmcs.u64(Field.hostCr3),
      launched
    };
  }
  const access = vmcs.u32(Field.guestCsAccessRights);
  const long = (vmcs.u32(Field.vmEntryControls) & 512) !== 0;
  const codeBits = long && access & CS_L ? 64 : access & CS_D ? 32 : 16;
  return { level, rip: vmcs.u64(Field.guestRip), rsp: vmcs.u64(Field.guestRsp), codeBits, cr3: vmcs.u64(Field.guestCr3), launched };
}

// emulator/spec/exceptions.ts
var ROWS = [
  [0, "#DE", "divide error"],
  [1, "#DB", "debug exception"],
  [2, "NMI", "non-maskable interrupt"],
  [3, "#BP", "breakpoint"],
  [4, "#OF", "overflow"],
  [5, "#BR", "BOUND range exceeded"],
  [6, "#UD", "invalid opcode"],
  [7, "#NM", "device not available"],
  [8, "#DF", "double fault"],
  [10, "#TS", "invalid TSS"],
  [11, "#NP", "segment not present"],
  [12, "#SS", "stack-segment fault"],
  [13, "#GP", "general protection"],
  [14, "#PF", "page fault"],
  [16, "#MF", "x87 floating-point error"],
  [17, "#AC", "alignment check"],
  [18, "#MC", "machine check"],
  [19, "#XM", "SIMD floating-point exception"],
  [20, "#VE", "virtualization exception"],
  [21, "#CP", "control protection exception"]
];
var EXCEPTIONS = ROWS.map(([vector, mnemonic, words]) => ({ vector, mnemonic, words }));
function exceptionRow(vector) {
  return EXCEPTIONS.find((row2) => row2.vector === vector);
}

// emulator/spec/memory-types.ts
var MemoryType = { UC: 0, WC: 1, WT: 4, WP: 5, WB: 6, UCminus: 7 };
var NAMES = { 0: "UC", 1: "WC", 4: "WT", 5: "WP", 6: "WB", 7: "UC-" };
var memoryTypeName = (type) => NAMES[type] ?? "reserved";
var VALID = 1n << 11n;
var ENABLED = 1n << 11n;
var FIXED_ENABLED = 1n << 10n;
var BELOW_1M = 1048576;
var ADDRESS2 = 0xffffffffff000n;
function mtrrType(mtrrs, address) {
  const { defType } = mtrrs;
  if ((defType & ENABLED) === 0n) return MemoryType.UC;
  if (address < BELOW_1M && defType & FIXED_ENABLED) {
    const n = FIXED_MTRRS.findIndex(([, , from2, bytes2]) => address >= from2 && address < from2 + 8 * bytes2);
    const [, , from, bytes] = FIXED_MTRRS[n];
    return Number(mtrrs.fixed(n) >> BigInt(8 * Math.floor((address - from) / bytes)) & 0xffn);
  }
  const found = /* @__PURE__ */ new Set();
  for (let n = 0; n < VARIABLE_MTRRS; n++) {
    const mask = mtrrs.mask(n);
    if (mask & VALID && (BigInt(address) & mask & ADDRESS2) === (mtrrs.base(n) & mask & ADDRESS2)) found.add(Number(mtrrs.base(n) & 0xffn));
  }
  if (found.size === 0) return Number(defType & 0xffn);
  if (found.size === 1) return [...found][0];
  return found.size === 2 && found.has(MemoryType.WT) && found.has(MemoryType.WB) ? MemoryType.WT : MemoryType.UC;
}
function combinedType(mtrr, pat) {
  const { UC, WC, WT, WP, UCminus } = MemoryType;
  if (pat === UC || pat === WC) return pat;
  if (pat === UCminus) return mtrr === WC || mtrr === WP ? WC : UC;
  if (pat === WT || pat === WP) return mtrr === UC || mtrr === WC ? UC : pat;
  return mtrr;
}

// emulator/inspect/resolve.ts
var IGNORE_PAT = 1 << 6;
var hex6 = (v) => `0x${v.toString(16)}`;
function rightsText(rights, withUser) {
  const flag = (bit, letter) => rights & bit ? letter : "-";
  return flag(Right.read, "r") + flag(Right.write, "w") + flag(Right.execute, "x") + (withUser ? flag(Right.user, "u") : "");
}
var Resolver = class {
  constructor(memory) {
    this.memory = memory;
    this.direct = { locate: (address) => address, read32: (hpa) => memory.read32(hpa), write32: () => void 0 };
  }
  memory;
  guest = new Walker();
  ept = new Walker();
  direct;
  facts(cpu, context) {
    return { physicalBits: cpu.model.maxPhyAddr, nx: context.nx, page1gb: cpu.model.features.has("page1gb"), executeOnly: true };
  }
  /** Host-physical address of a linear or physical address of a level; undefined where nothing is mapped. */
  toHpa(cpu, level, space, address) {
    const r = this.resolve(cpu, level, space, address);
    return r.hpa === void 0 ? void 0 : Number(r.hpa);
  }
  resolve(cpu, level, space, address) {
    const input = { space, level, address };
    const steps = [];
    if (space === "hpa") return { input, hpa: address, steps, permissions: "rwx", summary: this.physicalSummary(address) };
    const context = contextOf(cpu, this.memory, level);
    if (context === void 0)
      return { input, steps, failure: `level ${level} does not exist now: there is no current VMCS`, summary: `L${level} has no state: there is no current VMCS` };
    const facts = this.facts(cpu, context);
    const tables = context.eptPointer === 0 ? this.direct : { ...this.direct, locate: (gpa2) => this.throughEpt(context, facts, gpa2) };
    const parts = [];
    let gpa;
    let rights = Right.read | Right.write | Right.execute | Right.user;
    let pageBytes = 4096;
    let pat;
    let eptType;
    if (space === "gpa") gpa = Number(address);
    else {
      parts.push(`GVA ${hex6(address)}`);
      if (context.paging === void 0) gpa = Number(address & 0xffffffffn);
      else {
        const { format, pdptes: pdptes2 } = context.paging;
        let { root } = context.paging;
        const top = BigInt.asIntN(64, address) >> (format === guest5Level ? 56n : 47n);
        if (context.longMode && top !== 0n && top !== -1n)
          return { input, gva: address, steps, failure: "the address is not canonical", summary: `GVA ${hex6(address)}: not canonical` };
        if (pdptes2 !== void 0) {
          const step2 = describePdpte(pdptes2, Number(address >> 30n & 3n));
          steps.push(step2);
          if (!step2.present)
            return { input, gva: address, steps, failure: step2.stops, summary: `GVA ${hex6(address)} \u2192 stops at the ${step2.table}: ${step2.stops}` };
          root = pdpteAddress(step2.entry);
        }
        const w = this.guest;
        const result = w.walk(format, root, ...halves(address), facts, tables, (s) => steps.push(describe2(s, "guest", facts)));
        if (result !== WalkResult.ok) {
          const why = result === WalkResult.refused ? "EPT does not map the next guest table" : steps[steps.length - 1]?.stops ?? "not mapped";
          return {
            input,
            gva: address,
            steps,
            failure: why,
            summary: `GVA ${hex6(address)} \u2192 stops at the ${steps[steps.length - 1]?.table ?? "root"}: ${why}`
          };
        }
        gpa = w.page + Number(address & 0xfffn);
        rights = w.rights;
        pageBytes = 2 ** w.shift;
        pat = patType(cpu, w.leafLo, format, w.level);
      }
    }
    let hpa = gpa;
    parts.push(`GPA ${hex6(gpa)}`);
    if (context.eptPointer !== 0) {
      const w = this.ept;
      const result = w.walk(
        eptFormat,
        context.eptPointer,
        ...halves(BigInt(gpa)),
        facts,
        this.direct,
        (s) => steps.push(describe2(s, "ept", facts))
      );
      if (result !== WalkResult.ok) {
        const why = steps[steps.length - 1]?.stops ?? "not mapped";
        return { input, gva: space === "gva" ? address : void 0, gpa: BigInt(gpa), steps, failure: `EPT: ${why}`, summary: `${parts.join(" \u2192 ")} \u2192 stops at the ${steps[steps.length - 1]?.table ?? "EPTP"}: ${why}` };
      }
      hpa = w.page + gpa % 4096;
      rights &= Right.user | w.rights;
      pageBytes = Math.min(pageBytes, 2 ** w.shift);
      eptType = (w.leafLo & IGNORE_PAT) !== 0 ? void 0 : combinedType(w.leafLo >>> 3 & 7, pat ?? MemoryType.WB);
      eptType ??= w.leafLo >>> 3 & 7;
    }
    const withUser = space === "gva" && context.paging !== void 0;
    const permissions = rightsText(rights, withUser);
    const inRam = this.memory.isRam(hpa);
    parts.push(`HPA ${hex6(hpa)}`);
    return {
      input,
      gva: space === "gva" ? address : void 0,
      gpa: BigInt(gpa),
      hpa: BigInt(hpa),
      steps,
      permissions,
      memoryType: memoryTypeName(eptType ?? effectiveType(cpu, hpa, pat)),
      pageBytes,
      failure: inRam ? void 0 : this.outside(hpa),
      summary: `${parts.join(" \u2192 ")} (${permissions}, ${sizeText(pageBytes)}${inRam ? "" : `, ${this.outside(hpa)}`})`
    };
  }
  throughEpt(context, facts, gpa) {
    const ok = this.ept.walk(eptFormat, context.eptPointer, ...halves(BigInt(gpa)), facts, this.direct) === WalkResult.ok;
    return ok ? this.ept.page + gpa % 4096 : -1;
  }
  outside(hpa) {
    return this.memory.regionAt(hpa)?.name ?? "no memory there";
  }
  physicalSummary(address) {
    return `HPA ${hex6(address)}${this.memory.isRam(Number(address)) ? "" : ` (${this.outside(Number(address))})`}`;
  }
};
var halves = (address) => [Number(address & 0xffffffffn) >>> 0, Number(address >> 32n & 0xffffffffn) >>> 0];
var sizeText = (bytes) => bytes >= 2 ** 30 ? `${bytes / 2 ** 30} GiB page` : bytes >= 2 ** 20 ? `${bytes / 2 ** 20} MiB page` : `${bytes / 1024} KiB page`;
function describe2(s, stage, facts) {
  const wide = s.format.entryBytes === 8;
  const entry = wide ? BigInt(s.hi >>> 0) << 32n | BigInt(s.lo >>> 0) : BigInt(s.lo >>> 0);
  return {
    table: `${stage === "ept" ? "EPT " : ""}${s.format.levels[s.level].name}`,
    stage,
    level: s.level,
    index: s.index,
    entryAddress: BigInt(s.entryAddress),
    entryHpa: BigInt(s.entryHpa),
    entry,
    present: s.present,
    largePage: s.leaf && s.format.levels[s.level].shift > 12,
    permissions: s.present ? rightsText(s.format.rights(s.lo, s.hi, facts), stage === "guest") : "",
    stops: !s.present ? "entry not present" : s.reserved ? stage === "ept" ? "EPT misconfiguration" : "reserved bits set" : void 0
  };
}
function describePdpte(pdptes2, index) {
  const entry = pdptes2[index];
  const present2 = (entry & 1n) !== 0n;
  const stops = present2 ? void 0 : "entry not present";
  return { table: "PDPTE register", stage: "guest", level: 0, index, entryAddress: 0n, entryHpa: 0n, entry, present: present2, largePage: false, permissions: present2 ? "rwxu" : "", stops };
}
function effectiveType(cpu, hpa, pat) {
  if (cpu.cr0 & Cr0.CD) return MemoryType.UC;
  const mtrr = mtrrType(
    {
      defType: cpu.get64(mtrrSlot.defType),
      base: (n) => cpu.get64(mtrrSlot.base(n)),
      mask: (n) => cpu.get64(mtrrSlot.mask(n)),
      fixed: (n) => cpu.get64(mtrrSlot.fixed(n))
    },
    hpa
  );
  return combinedType(mtrr, pat ?? MemoryType.WB);
}
function patType(cpu, leafLo, format, level) {
  const pat = format.levels[level].shift > 12 ? leafLo >>> 12 & 1 : leafLo >>> 7 & 1;
  const index = leafLo >>> 3 & 3 | pat << 2;
  return Number(cpu.get64(State.pat) >> BigInt(8 * index) & 7n);
}

// emulator/inspect/tables.ts
var hex7 = (v, digits = 0) => `0x${v.toString(16).padStart(digits, "0")}`;
var GATE_TYPES = {
  5: "task gate",
  6: "16-bit interrupt gate",
  7: "16-bit trap gate",
  14: "interrupt gate",
  15: "trap gate"
};
var vectorName = (vector) => {
  const row2 = exceptionRow(vector);
  return row2 === void 0 ? vector < 32 ? "reserved" : "interrupt" : `${row2.mnemonic} ${row2.words}`;
};
function idtNodes(cpu, memory, resolver, level, id) {
  const here = level === levelOf(cpu);
  const vmcs = here ? void 0 : currentVmcs(cpu, memory);
  if (!here && vmcs === void 0) return [];
  const base = vmcs === void 0 ? cpu.get64(State.idtrBase) : vmcs.u64(level === 2 ? Field.guestIdtrBase : Field.hostIdtrBase);
  const limit = vmcs === void 0 ? cpu.get32(State.idtrLimit) : level === 2 ? vmcs.u32(Field.guestIdtrLimit) : 65535;
  const long = contextOf(cpu, memory, level)?.longMode ?? false;
  const size = long ? 16 : 8;
  const nodes = [];
  for (let vector = 0; vector < 256; vector++) {
    const name = `${vector} ${vectorName(vector)}`;
    const linear = base + BigInt(vector * size);
    const common = { id: `${id}/${vector}`, label: name, expandable: false, memory: { space: "gva", level, address: linear } };
    if (vector * size + size - 1 > limit) {
      nodes.push({ ...common, description: "beyond the IDT limit" });
      continue;
    }
    const words = [0, 4, 8].map((o) => read32(cpu, memory, resolver, level, linear + BigInt(o)));
    if (words[0] === void 0 || words[1] === void 0 || long && words[2] === void 0) {
      nodes.push({ ...common, description: "not mapped" });
      continue;
    }
    const [w0, w1, w2] = words;
    const offset = BigInt(long ? w2 : 0) << 32n | BigInt((w1 & 4294901760 | w0 & 65535) >>> 0);
    const type = w1 >>> 8 & 15;
    const present2 = (w1 & 32768) !== 0;
    const facts = [
      `selector ${hex7(w0 >>> 16, 4)}`,
      GATE_TYPES[type] ?? `type ${type}`,
      `DPL ${w1 >>> 13 & 3}`,
      ...long && w1 & 7 ? [`IST ${w1 & 7}`] : [],
      ...present2 ? [] : ["not present"]
    ];
    nodes.push({
      ...common,
      value: hex7(offset),
      description: facts.join(", "),
      tooltip: `IDT entry ${vector} at ${hex7(linear)}: handler ${hex7(offset)}, ${facts.join(", ")}`
    });
  }
  return nodes;
}
function read32(cpu, memory, resolver, level, linear) {
  const hpa = resolver.toHpa(cpu, level, "gva", linear);
  return hpa !== void 0 && memory.isRam(hpa, 4) ? memory.read32(hpa) : void 0;
}
function pageTableNodes(cpu, memory, resolver, id) {
  const parts = id.split("/");
  if (parts.length === 1) return roots(cpu, memory);
  const level = parts[1].endsWith("2") ? 2 : 1;
  const ept = parts[1].startsWith("ept");
  const context = contextOf(cpu, memory, level);
  if (context === void 0) return [];
  const pdptes2 = ept ? void 0 : context.paging?.pdptes;
  const root = ept ? context.eptPointer : context.paging?.root;
  const format = ept ? eptFormat : context.paging?.format;
  if (format === void 0 || root === void 0 || ept && root === 0) return [];
  const locate = (address) => ept ? address : resolver.toHpa(cpu, level, "gpa", BigInt(address));
  let table = root;
  let prefix = 0n;
  const path = parts.slice(2).map(Number);
  if (pdptes2 !== void 0) {
    const [first] = path;
    if (first === void 0) return pdpteNodes(pdptes2, id);
    if (first !== 0 && first !== 1 && first !== 2 && first !== 3) return [];
    if ((pdptes2[first] & 1n) === 0n) return [];
    table = pdpteAddress(pdptes2[first]);
    prefix = BigInt(first) << 30n;
    path.shift();
  }
  for (const [depth, index] of path.entries()) {
    if (!Number.isInteger(index) || index < 0 || index >= 1 << format.indexBits || depth >= format.levels.length - 1) return [];
    const entry = readEntry(memory, format, locate(table + index * format.entryBytes));
    if (entry === void 0 || !format.present(entry.lo, entry.hi) || format.isLeaf(depth, entry.lo)) return [];
    prefix |= BigInt(index) << BigInt(format.levels[depth].shift);
    table = (entry.hi & 1048575) * 4294967296 + ((entry.lo & 4294963200) >>> 0);
  }
  return entries(cpu, memory, format, path.length, table, prefix, locate, id, ept, level);
}
var pdpteNodes = (pdptes2, id) => pdptes2.map((pdpte, n) => {
  const present2 = (pdpte & 1n) !== 0n;
  const linear = hex7(BigInt(n) << 30n);
  return { id: `${id}/${n}`, label: `PDPTE[${n}] ${linear}`, value: hex7(pdpte, 16), description: present2 ? "present" : "not present", tooltip: `PDPTE register ${n} for linear ${linear}`, expandable: present2 };
});
function roots(cpu, memory) {
  const nodes = [];
  for (const level of [2, 1]) {
    const context = contextOf(cpu, memory, level);
    if (context === void 0) continue;
    const { paging, eptPointer } = context;
    nodes.push({ id: `page-tables/guest${level}`, label: `L${level} CR3`, value: paging && hex7(paging.root), description: paging ? paging.format.name : "paging is off", expandable: paging !== void 0 });
    if (eptPointer !== 0)
      nodes.push({ id: `page-tables/ept${level}`, label: `L${level} EPT`, value: hex7(eptPointer), description: "4-level EPT", expandable: true, memory: { space: "hpa", level: 1, address: BigInt(eptPointer) } });
  }
  return nodes;
}
function readEntry(memory, format, hpa) {
  if (hpa === void 0 || !memory.isRam(hpa, format.entryBytes)) return void 0;
  return { lo: memory.read32(hpa) | 0, hi: format.entryBytes === 8 ? memory.read32(hpa + 4) | 0 : 0 };
}
function entries(cpu, memory, format, depth, table, prefix, locate, id, ept, level) {
  const facts = { physicalBits: cpu.model.maxPhyAddr, nx: true, page1gb: cpu.model.features.has("page1gb"), executeOnly: true };
  const { name, shift: shift2 } = format.levels[depth];
  const nodes = [];
  for (let index = 0; index < 1 << format.indexBits; index++) {
    const address = table + index * format.entryBytes;
    const entry = readEntry(memory, format, locate(address));
    if (entry === void 0 || entry.lo === 0 && entry.hi === 0) continue;
    const { lo, hi } = entry;
    const present2 = format.present(lo, hi);
    const leaf = present2 && format.isLeaf(depth, lo);
    const reserved = present2 && format.reserved(depth, lo, hi, leaf, facts);
    let linear = prefix | BigInt(index) << BigInt(shift2);
    if (!ept && format.levels.length === 4 && linear >> 47n) linear |= 0xffff000000000000n;
    if (!ept && format.levels.length === 5 && linear >> 56n) linear |= 0xfe00000000000000n;
    const raw = BigInt(hi >>> 0) << 32n | BigInt(lo >>> 0);
    const words = [
      present2 ? rightsText(format.rights(lo, hi, facts), !ept) : "not present",
      ...leaf ? [`${sizeText(2 ** shift2)}`] : [],
      ...present2 && lo & format.accessedBit ? ["A"] : [],
      ...leaf && lo & format.dirtyBit ? ["D"] : [],
      ...reserved ? [ept ? "misconfigured" : "reserved bits set"] : []
    ];
    nodes.push({
      id: `${id}/${index}`,
      label: `${name}[${index}] ${hex7(linear)}`,
      value: hex7(raw, format.entryBytes * 2),
      description: words.join(" "),
      tooltip: `${ept ? "EPT " : ""}${name} entry ${index} at ${hex7(address)} for ${ept ? "guest-physical" : "linear"} ${hex7(linear)}`,
      memory: { space: ept ? "hpa" : "gpa", level, address: BigInt(address) },
      expandable: present2 && !leaf && !reserved
    });
  }
  return nodes;
}

// emulator/spec/named-bits.ts
function flagBit(bit, name, meaning) {
  return { low: bit, high: bit, name, ...meaning === void 0 ? {} : { meaning } };
}
function bitRange(low, high, name, words, meaning) {
  return { low, high, name, ...words === void 0 ? {} : { words }, ...meaning === void 0 ? {} : { meaning } };
}
function extractBits(bits, value) {
  return value >> BigInt(bits.low) & (1n << BigInt(bits.high - bits.low + 1)) - 1n;
}
function decodeBits(layout, value) {
  return layout.map((bits) => {
    const part = extractBits(bits, value);
    const word = bits.words?.[Number(part)];
    const plain2 = bits.high === bits.low ? String(part) : part < 10n ? String(part) : `0x${part.toString(16)}`;
    return { bits, value: part, text: word ?? plain2 };
  });
}
function summarizeBits(layout, value) {
  const parts = [];
  for (const { bits, value: part, text: text2 } of decodeBits(layout, value)) {
    const isFlag = bits.low === bits.high;
    if (isFlag && bits.words === void 0) {
      if (part === 1n) parts.push(bits.name);
    } else if (bits.words !== void 0) {
      if (bits.words[Number(part)] !== void 0 ? bits.words[Number(part)] !== "" : part !== 0n) parts.push(`${bits.name}: ${text2}`);
    } else if (part !== 0n) parts.push(`${bits.name} ${text2}`);
  }
  return parts.join(", ");
}

// emulator/spec/vmx-controls.ts
var PIN = [
  [0, "externalInterruptExiting", "external-interrupt exiting", "External interrupts cause VM exits."],
  [3, "nmiExiting", "NMI exiting", "Non-maskable interrupts cause VM exits."],
  [5, "virtualNmis", "virtual NMIs", "NMIs are never blocked; the blocking-by-NMI bit of the interruptibility state tracks virtual-NMI blocking."],
  [6, "activateVmxPreemptionTimer", "activate VMX-preemption timer", "The VMX-preemption timer counts down in VMX non-root operation and causes a VM exit at zero."],
  [7, "processPostedInterrupts", "process posted interrupts", "Interrupts with the posted-interrupt notification vector are processed by updating the virtual-APIC page."]
];
var PRIMARY = [
  [2, "interruptWindowExiting", "interrupt-window exiting", "A VM exit occurs at the beginning of any instruction if RFLAGS.IF = 1 and nothing else blocks interrupts."],
  [3, "useTscOffsetting", "use TSC offsetting", "RDTSC, RDTSCP and RDMSR of the TSC return a value modified by the TSC offset."],
  [7, "hltExiting", "HLT exiting", "HLT causes VM exits."],
  [9, "invlpgExiting", "INVLPG exiting", "INVLPG causes VM exits."],
  [10, "mwaitExiting", "MWAIT exiting", "MWAIT causes VM exits."],
  [11, "rdpmcExiting", "RDPMC exiting", "RDPMC causes VM exits."],
  [12, "rdtscExiting", "RDTSC exiting", "RDTSC and RDTSCP cause VM exits."],
  [15, "cr3LoadExiting", "CR3-load exiting", "MOV to CR3 causes VM exits unless the value is a CR3-target value."],
  [16, "cr3StoreExiting", "CR3-store exiting", "MOV from CR3 causes VM exits."],
  [17, "activateTertiaryControls", "activate tertiary controls", "The tertiary processor-based VM-execution controls are used."],
  [19, "cr8LoadExiting", "CR8-load exiting", "MOV to CR8 causes VM exits."],
  [20, "cr8StoreExiting", "CR8-store exiting", "MOV from CR8 causes VM exits."],
  [21, "useTprShadow", "use TPR shadow", "TPR virtualization and other APIC-virtualization features are enabled."],
  [22, "nmiWindowExiting", "NMI-window exiting", "A VM exit occurs at the beginning of any instruction if there is no virtual-NMI blocking."],
  [23, "movDrExiting", "MOV-DR exiting", "MOV DR causes VM exits."],
  [24, "unconditionalIoExiting", "unconditional I/O exiting", "I/O instructions cause VM exits; ignored when the I/O bitmaps are used."],
  [25, "useIoBitmaps", "use I/O bitmaps", "I/O bitmaps restrict the execution of I/O instructions."],
  [27, "monitorTrapFlag", "monitor trap flag", "A VM exit becomes pending at the next instruction boundary."],
  [28, "useMsrBitmaps", "use MSR bitmaps", "MSR bitmaps control RDMSR and WRMSR; otherwise both always cause VM exits."],
  [29, "monitorExiting", "MONITOR exiting", "MONITOR causes VM exits."],
  [30, "pauseExiting", "PAUSE exiting", "PAUSE causes VM exits."],
  [31, "activateSecondaryControls", "activate secondary controls", "The secondary processor-based VM-execution controls are used."]
];
var SECONDARY = [
  [0, "virtualizeApicAccesses", "virtualize APIC accesses", "Accesses to the page with the APIC-access address are treated specially."],
  [1, "enableEpt", "enable EPT", "Extended page tables translate guest-physical addresses."],
  [2, "descriptorTableExiting", "descriptor-table exiting", "LGDT, LIDT, LLDT, LTR, SGDT, SIDT, SLDT and STR cause VM exits."],
  [3, "enableRdtscp", "enable RDTSCP", "RDTSCP may be executed; otherwise it causes #UD."],
  [4, "virtualizeX2apicMode", "virtualize x2APIC mode", "RDMSR and WRMSR to MSRs 800H-8FFH are treated specially."],
  [5, "enableVpid", "enable VPID", "Cached translations are associated with a virtual-processor identifier."],
  [6, "wbinvdExiting", "WBINVD exiting", "WBINVD and WBNOINVD cause VM exits."],
  [7, "unrestrictedGuest", "unrestricted guest", "The guest may run in unpaged protected mode or in real-address mode."],
  [8, "apicRegisterVirtualization", "APIC-register virtualization", "Certain APIC registers are virtualized."],
  [9, "virtualInterruptDelivery", "virtual-interrupt delivery", "Pending virtual interrupts are evaluated and delivered."],
  [10, "pauseLoopExiting", "PAUSE-loop exiting", "A series of PAUSE executions can cause a VM exit."],
  [11, "rdrandExiting", "RDRAND exiting", "RDRAND causes VM exits."],
  [12, "enableInvpcid", "enable INVPCID", "INVPCID may be executed; otherwise it causes #UD."],
  [13, "enableVmFunctions", "enable VM functions", "VMFUNC may be used in VMX non-root operation."],
  [14, "vmcsShadowing", "VMCS shadowing", "VMREAD and VMWRITE in VMX non-root operation may access a shadow VMCS."],
  [15, "enableEnclsExiting", "enable ENCLS exiting", "ENCLS consults the ENCLS-exiting bitmap."],
  [16, "rdseedExiting", "RDSEED exiting", "RDSEED causes VM exits."],
  [17, "enablePml", "enable PML", "An access that sets an EPT dirty bit is logged first."],
  [18, "eptViolationVe", "EPT-violation #VE", "EPT violations may cause virtualization exceptions instead of VM exits."],
  [19, "concealVmxFromPt", "conceal VMX from PT", "Intel PT does not see VMX non-root operation."],
  [20, "enableXsaves", "enable XSAVES/XRSTORS", "XSAVES and XRSTORS may be executed; otherwise they cause #UD."],
  [21, "pasidTranslation", "PASID translation", "ENQCMD and ENQCMDS use PASID translation."],
  [22, "modeBasedExecuteControl", "mode-based execute control for EPT", "EPT execute permission depends on user or supervisor mode."],
  [23, "subPageWritePermissions", "sub-page write permissions for EPT", "EPT write permission may be given for 128-byte regions."],
  [24, "ptUsesGuestPhysical", "Intel PT uses guest physical addresses", "Output addresses of Intel PT are guest-physical."],
  [25, "useTscScaling", "use TSC scaling", "Reads of the TSC are modified by the TSC multiplier."],
  [26, "enableUserWaitAndPause", "enable user wait and pause", "TPAUSE, UMONITOR and UMWAIT may be executed; otherwise they cause #UD."],
  [27, "enablePconfig", "enable PCONFIG", "PCONFIG may be executed; otherwise it causes #UD."],
  [28, "enableEnclvExiting", "enable ENCLV exiting", "ENCLV consults the ENCLV-exiting bitmap."],
  [30, "vmmBusLockDetection", "VMM bus-lock detection", "A bus lock causes a VM exit after the instruction."],
  [31, "instructionTimeout", "instruction timeout", "A VM exit occurs when an instruction takes too long."]
];
var TERTIARY = [
  [0, "loadiwkeyExiting", "LOADIWKEY exiting", "LOADIWKEY causes VM exits."],
  [1, "enableHlat", "enable HLAT", "Hypervisor-managed linear-address translation is enabled."],
  [2, "eptPagingWriteControl", "EPT paging-write control", "EPT permissions can be specified to allow writes only for paging-related updates."],
  [3, "guestPagingVerification", "guest-paging verification", "EPT permissions can be specified to prevent accesses using linear addresses whose translation has certain properties."],
  [4, "ipiVirtualization", "IPI virtualization", "Virtualization of interprocessor interrupts is enabled."],
  [6, "enableMsrListInstructions", "enable MSR-list instructions", "RDMSRLIST and WRMSRLIST may be executed; otherwise they cause #UD."],
  [7, "virtualizeIa32SpecCtrl", "virtualize IA32_SPEC_CTRL", "RDMSR and WRMSR of IA32_SPEC_CTRL are treated specially."]
];
var EXIT = [
  [2, "saveDebugControls", "save debug controls", "DR7 and IA32_DEBUGCTL are saved on VM exit."],
  [9, "hostAddressSpaceSize", "host address-space size", "The processor is in 64-bit mode after the next VM exit."],
  [12, "loadIa32PerfGlobalCtrl", "load IA32_PERF_GLOBAL_CTRL", "IA32_PERF_GLOBAL_CTRL is loaded on VM exit."],
  [15, "acknowledgeInterruptOnExit", "acknowledge interrupt on exit", "A VM exit due to an external interrupt acknowledges the interrupt controller and records the vector."],
  [18, "saveIa32Pat", "save IA32_PAT", "IA32_PAT is saved on VM exit."],
  [19, "loadIa32Pat", "load IA32_PAT", "IA32_PAT is loaded on VM exit."],
  [20, "saveIa32Efer", "save IA32_EFER", "IA32_EFER is saved on VM exit."],
  [21, "loadIa32Efer", "load IA32_EFER", "IA32_EFER is loaded on VM exit."],
  [22, "saveVmxPreemptionTimerValue", "save VMX-preemption timer value", "The VMX-preemption timer value is saved on VM exit."],
  [23, "clearIa32Bndcfgs", "clear IA32_BNDCFGS", "IA32_BNDCFGS is cleared on VM exit."],
  [24, "concealVmxFromPt", "conceal VMX from PT", "Intel PT does not see the VM exit."],
  [25, "clearIa32RtitCtl", "clear IA32_RTIT_CTL", "IA32_RTIT_CTL is cleared on VM exit."],
  [26, "clearIa32LbrCtl", "clear IA32_LBR_CTL", "IA32_LBR_CTL is cleared on VM exit."],
  [27, "clearUinv", "clear UINV", "UINV is cleared on VM exit."],
  [28, "loadCetState", "load CET state", "CET-related MSRs and SSP are loaded on VM exit."],
  [29, "loadPkrs", "load PKRS", "IA32_PKRS is loaded on VM exit."],
  [30, "saveIa32PerfGlobalCtrl", "save IA32_PERF_GLOBAL_CTRL", "IA32_PERF_GLOBAL_CTRL is saved on VM exit."],
  [31, "activateSecondaryControls", "activate secondary controls", "The secondary VM-exit controls are used."]
];
var SECONDARY_EXIT = [
  [3, "prematurelyBusyShadowStack", "prematurely busy shadow stack", "A VM exit tells when it occurred while a supervisor shadow stack was prematurely busy."]
];
var ENTRY = [
  [2, "loadDebugControls", "load debug controls", "DR7 and IA32_DEBUGCTL are loaded on VM entry."],
  [9, "ia32eModeGuest", "IA-32e mode guest", "The processor is in IA-32e mode after VM entry."],
  [10, "entryToSmm", "entry to SMM", "The processor is in system-management mode after VM entry."],
  [11, "deactivateDualMonitorTreatment", "deactivate dual-monitor treatment", "The default treatment of SMIs and SMM is in effect after the VM entry."],
  [13, "loadIa32PerfGlobalCtrl", "load IA32_PERF_GLOBAL_CTRL", "IA32_PERF_GLOBAL_CTRL is loaded on VM entry."],
  [14, "loadIa32Pat", "load IA32_PAT", "IA32_PAT is loaded on VM entry."],
  [15, "loadIa32Efer", "load IA32_EFER", "IA32_EFER is loaded on VM entry."],
  [16, "loadIa32Bndcfgs", "load IA32_BNDCFGS", "IA32_BNDCFGS is loaded on VM entry."],
  [17, "concealVmxFromPt", "conceal VMX from PT", "Intel PT does not see the VM entry."],
  [18, "loadIa32RtitCtl", "load IA32_RTIT_CTL", "IA32_RTIT_CTL is loaded on VM entry."],
  [19, "loadUinv", "load UINV", "UINV is loaded on VM entry."],
  [20, "loadCetState", "load CET state", "CET-related MSRs and SSP are loaded on VM entry."],
  [21, "loadGuestIa32LbrCtl", "load guest IA32_LBR_CTL", "IA32_LBR_CTL is loaded on VM entry."],
  [22, "loadPkrs", "load PKRS", "IA32_PKRS is loaded on VM entry."]
];
function masks(rows) {
  return Object.fromEntries(rows.map(([bit, id]) => [id, 1 << bit >>> 0]));
}
var Pin = masks(PIN);
var Primary = masks(PRIMARY);
var Secondary = masks(SECONDARY);
var Tertiary = masks(TERTIARY);
var ExitControl = masks(EXIT);
var SecondaryExitControl = masks(SECONDARY_EXIT);
var EntryControl = masks(ENTRY);
var CONTROL_WORDS = {
  pin: { id: "pin", field: "PIN_BASED_VM_EXECUTION_CONTROLS", title: "Pin-Based VM-Execution Controls", rows: PIN },
  primary: { id: "primary", field: "PRIMARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS", title: "Primary Processor-Based VM-Execution Controls", rows: PRIMARY },
  secondary: { id: "secondary", field: "SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS", title: "Secondary Processor-Based VM-Execution Controls", rows: SECONDARY },
  tertiary: { id: "tertiary", field: "TERTIARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS", title: "Tertiary Processor-Based VM-Execution Controls", rows: TERTIARY },
  exit: { id: "exit", field: "PRIMARY_VM_EXIT_CONTROLS", title: "Primary VM-Exit Controls", rows: EXIT },
  secondaryExit: { id: "secondaryExit", field: "SECONDARY_VM_EXIT_CONTROLS", title: "Secondary VM-Exit Controls", rows: SECONDARY_EXIT },
  entry: { id: "entry", field: "VM_ENTRY_CONTROLS", title: "VM-Entry Controls", rows: ENTRY }
};
function controlLayout(word) {
  return CONTROL_WORDS[word].rows.map(([bit, , name, meaning]) => flagBit(bit, name, meaning));
}
function controlNamed(path) {
  const [word, id] = path.split(".");
  const row2 = CONTROL_WORDS[word]?.rows.find((r) => r[1] === id);
  return row2 && { word: CONTROL_WORDS[word], bit: row2[0], name: row2[2] };
}
var DEFAULT1 = { pin: 22, primary: 67232114, exit: 224767, entry: 4607 };

// emulator/spec/vmcs-formats.ts
var ACCESS_RIGHTS_LAYOUT = [
  bitRange(0, 3, "type"),
  flagBit(4, "S", "Code or data segment (0: system segment)."),
  bitRange(5, 6, "DPL"),
  flagBit(7, "P", "Segment present."),
  flagBit(12, "AVL", "Available for use by system software."),
  flagBit(13, "L", "64-bit code segment."),
  flagBit(14, "D/B", "Default operation size 32 bits."),
  flagBit(15, "G", "The limit counts in units of 4 KiB."),
  flagBit(16, "unusable", "The segment register cannot be used.")
];
var OTHER_EVENT = 7;
var TYPE_WORDS = {
  0: "external interrupt",
  1: "reserved",
  2: "NMI",
  3: "hardware exception",
  4: "software interrupt",
  5: "privileged software exception",
  6: "software exception",
  7: "other event"
};
var EVENT_INJECTION_LAYOUT = [
  bitRange(0, 7, "vector"),
  bitRange(8, 10, "type", TYPE_WORDS),
  flagBit(11, "deliver error code"),
  flagBit(31, "valid")
];
var EXIT_INTERRUPTION_LAYOUT = [
  bitRange(0, 7, "vector"),
  bitRange(8, 10, "type", TYPE_WORDS),
  flagBit(11, "error code valid"),
  flagBit(12, "NMI unblocking due to IRET"),
  flagBit(31, "valid")
];
var IDT_VECTORING_LAYOUT = [
  bitRange(0, 7, "vector"),
  bitRange(8, 10, "type", TYPE_WORDS),
  flagBit(11, "error code valid"),
  flagBit(31, "valid")
];
var EXIT_REASON_LAYOUT = [
  bitRange(0, 15, "basic exit reason"),
  flagBit(25, "busy shadow stack"),
  flagBit(26, "bus lock"),
  flagBit(27, "enclave mode"),
  flagBit(28, "pending MTF VM exit"),
  flagBit(29, "VM exit from VMX root operation"),
  flagBit(31, "VM-entry failure")
];
var INTERRUPTIBILITY_LAYOUT = [
  flagBit(0, "blocking by STI"),
  flagBit(1, "blocking by MOV SS"),
  flagBit(2, "blocking by SMI"),
  flagBit(3, "blocking by NMI"),
  flagBit(4, "enclave interruption")
];
var ACTIVITY_WORDS = { 0: "active", 1: "HLT", 2: "shutdown", 3: "wait-for-SIPI" };
var PENDING_DEBUG_LAYOUT = [
  flagBit(0, "B0"),
  flagBit(1, "B1"),
  flagBit(2, "B2"),
  flagBit(3, "B3"),
  flagBit(12, "enabled breakpoint"),
  flagBit(14, "BS"),
  flagBit(16, "RTM")
];
var PAGE_FAULT_CODE_LAYOUT = [
  flagBit(0, "P", "The fault was a protection violation (0: a page was not present)."),
  flagBit(1, "W/R", "The access was a write."),
  flagBit(2, "U/S", "The access was made in user mode."),
  flagBit(3, "RSVD", "A reserved bit was set in a paging-structure entry."),
  flagBit(4, "I/D", "The access was an instruction fetch."),
  flagBit(5, "PK", "A protection key denied the access."),
  flagBit(6, "SS", "The access was a shadow-stack access."),
  flagBit(15, "SGX", "An SGX access-control requirement was violated.")
];
var PAT_WORDS = { 0: "UC", 1: "WC", 4: "WT", 5: "WP", 6: "WB", 7: "UC-" };
var PAT_LAYOUT = [0, 1, 2, 3, 4, 5, 6, 7].map((n) => bitRange(n * 8, n * 8 + 7, `PA${n}`, PAT_WORDS));
var EXCEPTION_NAMES = {
  0: "#DE",
  1: "#DB",
  2: "NMI",
  3: "#BP",
  4: "#OF",
  5: "#BR",
  6: "#UD",
  7: "#NM",
  8: "#DF",
  10: "#TS",
  11: "#NP",
  12: "#SS",
  13: "#GP",
  14: "#PF",
  16: "#MF",
  17: "#AC",
  18: "#MC",
  19: "#XM",
  20: "#VE",
  21: "#CP"
};
var EXCEPTION_BITMAP_LAYOUT = Array.from(
  { length: 32 },
  (_, vector) => flagBit(vector, EXCEPTION_NAMES[vector] ?? `vector ${vector}`)
);
var VMX_ABORT_REASONS = {
  1: "There was a failure in saving guest MSRs.",
  2: "Host checking of the page-directory-pointer-table entries failed.",
  3: "The current VMCS has been corrupted.",
  4: "There was a failure on loading host MSRs.",
  5: "There was a machine-check event during VM exit.",
  6: "The processor was in IA-32e mode before the VM exit and \u201Chost address-space size\u201D was 0."
};

// emulator/spec/ept.ts
var EPTP_LAYOUT = [
  bitRange(0, 2, "memory type", { 0: "UC", 6: "WB" }, "Memory type of the EPT paging structures."),
  bitRange(3, 5, "page-walk length minus 1", { 3: "3 (4 levels)", 4: "4 (5 levels)" }),
  flagBit(6, "accessed and dirty flags", "EPT accessed and dirty flags are enabled."),
  flagBit(7, "supervisor shadow-stack control", "Access rights for supervisor shadow-stack pages are enforced."),
  bitRange(12, 51, "PML4 page frame")
];
var EptEntry = {
  read: 1 << 0,
  write: 1 << 1,
  execute: 1 << 2,
  memoryTypeShift: 3,
  ignorePat: 1 << 6,
  largePage: 1 << 7,
  accessed: 1 << 8,
  dirty: 1 << 9,
  userExecute: 1 << 10
};

// emulator/spec/exit-reasons.ts
var ROWS2 = [
  [0, "EXCEPTION_NMI", "The guest caused an exception whose bit in the exception bitmap was 1, or a non-maskable interrupt arrived and \u201CNMI exiting\u201D was 1."],
  [1, "EXTERNAL_INTERRUPT", "An external interrupt arrived and \u201Cexternal-interrupt exiting\u201D was 1."],
  [2, "TRIPLE_FAULT", "The processor met an exception while it tried to call the double-fault handler."],
  [3, "INIT_SIGNAL", "An INIT signal arrived."],
  [4, "SIPI", "A start-up IPI arrived while the processor was in the wait-for-SIPI state."],
  [5, "IO_SMI", "An SMI arrived immediately after an I/O instruction and caused an SMM VM exit."],
  [6, "OTHER_SMI", "An SMI arrived and caused an SMM VM exit, but not immediately after an I/O instruction."],
  [7, "INTERRUPT_WINDOW", "At the beginning of an instruction interrupts could be delivered (RFLAGS.IF = 1, no blocking) and \u201Cinterrupt-window exiting\u201D was 1."],
  [8, "NMI_WINDOW", "At the beginning of an instruction there was no virtual-NMI blocking and \u201CNMI-window exiting\u201D was 1."],
  [9, "TASK_SWITCH", "The guest attempted a task switch."],
  [10, "CPUID", "The guest attempted to execute CPUID."],
  [11, "GETSEC", "The guest attempted to execute GETSEC."],
  [12, "HLT", "The guest attempted to execute HLT and \u201CHLT exiting\u201D was 1."],
  [13, "INVD", "The guest attempted to execute INVD."],
  [14, "INVLPG", "The guest attempted to execute INVLPG and \u201CINVLPG exiting\u201D was 1."],
  [15, "RDPMC", "The guest attempted to execute RDPMC and \u201CRDPMC exiting\u201D was 1."],
  [16, "RDTSC", "The guest attempted to execute RDTSC and \u201CRDTSC exiting\u201D was 1."],
  [17, "RSM", "The guest attempted to execute RSM in SMM."],
  [18, "VMCALL", "VMCALL was executed by the guest, or by the executive monitor to enter the SMM monitor."],
  [19, "VMCLEAR", "The guest attempted to execute VMCLEAR."],
  [20, "VMLAUNCH", "The guest attempted to execute VMLAUNCH."],
  [21, "VMPTRLD", "The guest attempted to execute VMPTRLD."],
  [22, "VMPTRST", "The guest attempted to execute VMPTRST."],
  [23, "VMREAD", "The guest attempted to execute VMREAD."],
  [24, "VMRESUME", "The guest attempted to execute VMRESUME."],
  [25, "VMWRITE", "The guest attempted to execute VMWRITE."],
  [26, "VMXOFF", "The guest attempted to execute VMXOFF."],
  [27, "VMXON", "The guest attempted to execute VMXON."],
  [28, "CR_ACCESS", "The guest attempted to access CR0, CR3, CR4 or CR8 with MOV, CLTS or LMSW, and the VM-execution control fields ask for a VM exit."],
  [29, "MOV_DR", "The guest attempted a MOV to or from a debug register and \u201CMOV-DR exiting\u201D was 1."],
  [30, "IO_INSTRUCTION", "The guest attempted to execute an I/O instruction that the I/O bitmaps or \u201Cunconditional I/O exiting\u201D intercept."],
  [31, "RDMSR", "The guest attempted to execute RDMSR of an MSR that the MSR bitmaps intercept."],
  [32, "WRMSR", "The guest attempted to execute WRMSR to an MSR that the MSR bitmaps intercept."],
  [33, "INVALID_GUEST_STATE", "VM-entry failure: a check on the guest state failed."],
  [34, "MSR_LOADING", "VM-entry failure: an MSR of the VM-entry MSR-load area could not be loaded."],
  [36, "MWAIT", "The guest attempted to execute MWAIT and \u201CMWAIT exiting\u201D was 1."],
  [37, "MONITOR_TRAP_FLAG", "A VM exit was pending at an instruction boundary because \u201Cmonitor trap flag\u201D was 1 or VM entry injected it."],
  [39, "MONITOR", "The guest attempted to execute MONITOR and \u201CMONITOR exiting\u201D was 1."],
  [40, "PAUSE", "The guest attempted to execute PAUSE and \u201CPAUSE exiting\u201D was 1, or a PAUSE loop was found."],
  [41, "MACHINE_CHECK", "VM-entry failure: a machine-check event occurred during VM entry."],
  [43, "TPR_BELOW_THRESHOLD", "The virtual task priority fell below the TPR threshold."],
  [44, "APIC_ACCESS", "The guest accessed the page with the APIC-access address and \u201Cvirtualize APIC accesses\u201D was 1."],
  [45, "VIRTUALIZED_EOI", "EOI virtualization was performed for a vector whose bit is set in the EOI-exit bitmap."],
  [46, "GDTR_IDTR_ACCESS", "The guest attempted to execute LGDT, LIDT, SGDT or SIDT and \u201Cdescriptor-table exiting\u201D was 1."],
  [47, "LDTR_TR_ACCESS", "The guest attempted to execute LLDT, LTR, SLDT or STR and \u201Cdescriptor-table exiting\u201D was 1."],
  [48, "EPT_VIOLATION", "The EPT paging structures did not allow an access to a guest-physical address."],
  [49, "EPT_MISCONFIGURATION", "The processor met a misconfigured EPT paging-structure entry."],
  [50, "INVEPT", "The guest attempted to execute INVEPT."],
  [51, "RDTSCP", "The guest attempted to execute RDTSCP and \u201Cenable RDTSCP\u201D and \u201CRDTSC exiting\u201D were 1."],
  [52, "VMX_PREEMPTION_TIMER", "The VMX-preemption timer counted down to zero."],
  [53, "INVVPID", "The guest attempted to execute INVVPID."],
  [54, "WBINVD", "The guest attempted to execute WBINVD or WBNOINVD and \u201CWBINVD exiting\u201D was 1."],
  [55, "XSETBV", "The guest attempted to execute XSETBV."],
  [56, "APIC_WRITE", "The guest completed a write to the virtual-APIC page that the hypervisor must virtualize."],
  [57, "RDRAND", "The guest attempted to execute RDRAND and \u201CRDRAND exiting\u201D was 1."],
  [58, "INVPCID", "The guest attempted to execute INVPCID and \u201Cenable INVPCID\u201D and \u201CINVLPG exiting\u201D were 1."],
  [59, "VMFUNC", "The guest invoked a VM function with VMFUNC that was not enabled or that asks for a VM exit."],
  [60, "ENCLS", "The guest attempted to execute ENCLS and the ENCLS-exiting bitmap intercepts the leaf."],
  [61, "RDSEED", "The guest attempted to execute RDSEED and \u201CRDSEED exiting\u201D was 1."],
  [62, "PML_FULL", "The processor attempted to log a guest-physical address and the page-modification log was full."],
  [63, "XSAVES", "The guest attempted to execute XSAVES and the XSS-exiting bitmap intercepts a component."],
  [64, "XRSTORS", "The guest attempted to execute XRSTORS and the XSS-exiting bitmap intercepts a component."],
  [65, "PCONFIG", "The guest attempted to execute PCONFIG and the PCONFIG-exiting bitmap intercepts the leaf."],
  [66, "SPP_EVENT", "The processor met an SPP miss or SPP misconfiguration in the sub-page-permission table."],
  [67, "UMWAIT", "The guest attempted to execute UMWAIT and \u201CRDTSC exiting\u201D was 1."],
  [68, "TPAUSE", "The guest attempted to execute TPAUSE and \u201CRDTSC exiting\u201D was 1."],
  [69, "LOADIWKEY", "The guest attempted to execute LOADIWKEY and \u201CLOADIWKEY exiting\u201D was 1."],
  [70, "ENCLV", "The guest attempted to execute ENCLV and the ENCLV-exiting bitmap intercepts the leaf."],
  [72, "ENQCMD_PASID_TRANSLATION_FAILURE", "PASID translation failed during the execution of ENQCMD."],
  [73, "ENQCMDS_PASID_TRANSLATION_FAILURE", "PASID translation failed during the execution of ENQCMDS."],
  [74, "BUS_LOCK", "The processor asserted a bus lock and \u201CVMM bus-lock detection\u201D was 1."],
  [75, "INSTRUCTION_TIMEOUT", "An instruction took longer than the instruction-timeout control allows."],
  [76, "SEAMCALL", "SEAMCALL was executed."],
  [77, "TDCALL", "TDCALL was executed."],
  [78, "RDMSRLIST", "The guest attempted to execute RDMSRLIST and the MSR bitmaps intercept an MSR."],
  [79, "WRMSRLIST", "The guest attempted to execute WRMSRLIST and the MSR bitmaps intercept an MSR."]
];
var EXIT_REASONS = ROWS2.map(([number, name, sentence]) => ({ number, name, sentence }));
var ExitReason = Object.fromEntries(ROWS2.map(([number, name]) => [name, number]));
var BY_NUMBER = new Map(EXIT_REASONS.map((r) => [r.number, r]));
function exitReasonRow(basicReason) {
  return BY_NUMBER.get(basicReason);
}
function exitReasonName(basicReason) {
  return BY_NUMBER.get(basicReason)?.name ?? `REASON_${basicReason}`;
}
var ENTRY_FAILURE_BIT = 2147483648;

// emulator/spec/exit-qualification.ts
var REGISTER_WORDS = {
  0: "RAX",
  1: "RCX",
  2: "RDX",
  3: "RBX",
  4: "RSP",
  5: "RBP",
  6: "RSI",
  7: "RDI",
  8: "R8",
  9: "R9",
  10: "R10",
  11: "R11",
  12: "R12",
  13: "R13",
  14: "R14",
  15: "R15"
};
var DEBUG = [
  flagBit(0, "B0"),
  flagBit(1, "B1"),
  flagBit(2, "B2"),
  flagBit(3, "B3"),
  flagBit(11, "BLD", "Bus lock (active low in DR6)."),
  flagBit(13, "BD", "Debug-register access detected."),
  flagBit(14, "BS", "Single instruction execution."),
  flagBit(16, "RTM")
];
var TASK_SWITCH = [
  bitRange(0, 15, "TSS selector"),
  bitRange(30, 31, "source", { 0: "CALL instruction", 1: "IRET instruction", 2: "JMP instruction", 3: "task gate in the IDT" })
];
var CR_ACCESS = [
  bitRange(0, 3, "control register", { 0: "CR0", 3: "CR3", 4: "CR4", 8: "CR8" }),
  bitRange(4, 5, "access type", { 0: "MOV to CR", 1: "MOV from CR", 2: "CLTS", 3: "LMSW" }),
  bitRange(6, 6, "LMSW operand", { 0: "register", 1: "memory" }),
  bitRange(8, 11, "register", REGISTER_WORDS),
  bitRange(16, 31, "LMSW source data")
];
var MOV_DR = [
  bitRange(0, 2, "debug register", { 0: "DR0", 1: "DR1", 2: "DR2", 3: "DR3", 4: "DR4", 5: "DR5", 6: "DR6", 7: "DR7" }),
  bitRange(4, 4, "direction", { 0: "MOV to DR", 1: "MOV from DR" }),
  bitRange(8, 11, "register", REGISTER_WORDS)
];
var IO = [
  bitRange(0, 2, "size", { 0: "1 byte", 1: "2 bytes", 3: "4 bytes" }),
  bitRange(3, 3, "direction", { 0: "OUT", 1: "IN" }),
  bitRange(4, 4, "string", { 0: "not a string instruction", 1: "string instruction" }),
  bitRange(5, 5, "REP prefixed", { 0: "no", 1: "yes" }),
  bitRange(6, 6, "operand encoding", { 0: "DX", 1: "immediate" }),
  bitRange(16, 31, "port")
];
var APIC_ACCESS = [
  bitRange(0, 11, "offset"),
  bitRange(12, 15, "access type", {
    0: "linear access for a data read during instruction execution",
    1: "linear access for a data write during instruction execution",
    2: "linear access for an instruction fetch",
    3: "linear access during event delivery",
    10: "guest-physical access during event delivery",
    15: "guest-physical access for an instruction fetch or during instruction execution"
  }),
  flagBit(16, "asynchronous", "The access is asynchronous to instruction execution.")
];
var EptViolation = {
  read: 1 << 0,
  write: 1 << 1,
  fetch: 1 << 2,
  readable: 1 << 3,
  writable: 1 << 4,
  executable: 1 << 5,
  userExecutable: 1 << 6,
  linearValid: 1 << 7,
  translatedLinear: 1 << 8,
  nmiUnblocking: 1 << 12
};
var EPT_VIOLATION = [
  flagBit(0, "data read", "The access was a data read."),
  flagBit(1, "data write", "The access was a data write."),
  flagBit(2, "instruction fetch", "The access was an instruction fetch."),
  flagBit(3, "readable", "The translation allowed reads."),
  flagBit(4, "writable", "The translation allowed writes."),
  flagBit(5, "executable", "The translation allowed execution."),
  flagBit(6, "user executable", "The translation allowed execution in user mode (mode-based execute control)."),
  flagBit(7, "linear address valid", "The guest linear-address field is valid."),
  bitRange(8, 8, "cause", { 0: "access to a guest paging-structure entry", 1: "access to the translation of a linear address" }),
  flagBit(9, "user-mode address"),
  flagBit(10, "read/write page"),
  flagBit(11, "execute-disable page"),
  flagBit(12, "NMI unblocking due to IRET"),
  flagBit(13, "shadow-stack access"),
  flagBit(14, "supervisor shadow-stack page"),
  flagBit(15, "guest-paging verification"),
  flagBit(16, "asynchronous")
];
var ENTRY_FAILURE_WORDS = {
  0: "a check of the guest state that has no number of its own",
  2: "the page-directory-pointer-table entries (PDPTEs) are not valid",
  3: "an attempt to inject an NMI into a guest that blocks events by STI",
  4: "the VMCS link pointer is not valid"
};
var R = ExitReason;
var memoryOperand = {
  kind: "displacement",
  title: "displacement of the memory operand",
  words: "The displacement in the instruction that caused the exit; for RIP-relative operands the address itself."
};
var ROWS3 = [
  [[R.EXCEPTION_NMI], { kind: "bits", layout: DEBUG, title: "debug exceptions found (#DB), or the faulting linear address (#PF)" }],
  [[R.SIPI], { kind: "bits", layout: [bitRange(0, 7, "vector")], title: "SIPI vector" }],
  [[R.TASK_SWITCH], { kind: "bits", layout: TASK_SWITCH, title: "task switch" }],
  [[R.CR_ACCESS], { kind: "bits", layout: CR_ACCESS, title: "control-register access" }],
  [[R.MOV_DR], { kind: "bits", layout: MOV_DR, title: "debug-register access" }],
  [[R.IO_INSTRUCTION], { kind: "bits", layout: IO, title: "I/O instruction" }],
  [[R.APIC_ACCESS], { kind: "bits", layout: APIC_ACCESS, title: "APIC access" }],
  [[R.EPT_VIOLATION], { kind: "bits", layout: EPT_VIOLATION, title: "EPT violation" }],
  [[R.VIRTUALIZED_EOI], { kind: "bits", layout: [bitRange(0, 7, "vector")], title: "virtualized EOI" }],
  [[R.APIC_WRITE], { kind: "bits", layout: [bitRange(0, 11, "offset")], title: "APIC write" }],
  [[R.INVLPG], { kind: "linear-address", title: "linear address", words: "The linear-address operand of the instruction." }],
  [[R.MWAIT], { kind: "bits", layout: [bitRange(0, 0, "monitoring hardware", { 0: "not armed", 1: "armed" })], title: "MWAIT" }],
  [
    [R.INVALID_GUEST_STATE],
    { kind: "bits", layout: [bitRange(0, 31, "cause", ENTRY_FAILURE_WORDS)], title: "what the VM-entry failure was about" }
  ],
  [
    [R.MSR_LOADING],
    {
      kind: "number",
      title: "MSR entry",
      words: "The number of the entry of the VM-entry MSR-load area that could not be loaded (1 for the first)."
    }
  ],
  [
    [
      R.VMCLEAR,
      R.VMPTRLD,
      R.VMPTRST,
      R.VMREAD,
      R.VMWRITE,
      R.VMXON,
      R.INVEPT,
      R.INVVPID,
      R.INVPCID,
      R.GDTR_IDTR_ACCESS,
      R.LDTR_TR_ACCESS,
      R.XSAVES,
      R.XRSTORS
    ],
    memoryOperand
  ],
  [
    [R.PML_FULL, R.SPP_EVENT],
    {
      kind: "bits",
      layout: [
        bitRange(11, 11, "cause", { 0: "SPP misconfiguration", 1: "SPP miss" }),
        flagBit(12, "NMI unblocking due to IRET"),
        flagBit(16, "asynchronous")
      ],
      title: "event during an EPT access"
    }
  ]
];
var BY_REASON = new Map(ROWS3.flatMap(([reasons, row2]) => reasons.map((r) => [r, row2])));
function decodeQualification(basicReason, qualification, vector) {
  const row2 = BY_REASON.get(basicReason);
  if (row2?.kind !== "bits" || basicReason === R.EXCEPTION_NMI && vector !== 1) return [];
  return decodeBits(row2.layout, qualification);
}
function explainQualification(basicReason, qualification, vector) {
  const hex10 = `0x${qualification.toString(16)}`;
  if (basicReason === R.EXCEPTION_NMI) {
    if (vector === 14) return `page fault at linear address ${hex10}`;
    return vector === 1 ? summarizeBits(DEBUG, qualification) : "";
  }
  const part = (low, high) => Number(qualification >> BigInt(low) & (1n << BigInt(high - low + 1)) - 1n);
  if (basicReason === R.IO_INSTRUCTION) {
    const size = part(0, 2) + 1;
    const name = (part(5, 5) ? "REP " : "") + (part(4, 4) ? part(3, 3) ? "INS" : "OUTS" : part(3, 3) ? "IN" : "OUT");
    return `${name} of ${size} byte${size === 1 ? "" : "s"}, port 0x${part(16, 31).toString(16)} (${part(6, 6) ? "immediate" : "DX"})`;
  }
  if (basicReason === R.CR_ACCESS) {
    const cr = `CR${part(0, 3)}`;
    const register = REGISTER_WORDS[part(8, 11)];
    if (part(4, 5) === 0) return `MOV to ${cr} from ${register}`;
    if (part(4, 5) === 1) return `MOV from ${cr} to ${register}`;
    return part(4, 5) === 2 ? "CLTS" : `LMSW with 0x${part(16, 31).toString(16)} (${part(6, 6) ? "memory" : "register"} operand)`;
  }
  if (basicReason === R.MOV_DR)
    return part(4, 4) ? `MOV from DR${part(0, 2)} to ${REGISTER_WORDS[part(8, 11)]}` : `MOV to DR${part(0, 2)} from ${REGISTER_WORDS[part(8, 11)]}`;
  if (basicReason === R.EPT_VIOLATION) {
    const kinds = [part(0, 0) && "data read", part(1, 1) && "data write", part(2, 2) && "instruction fetch"].filter(Boolean).join(" and ") || "access";
    const rights = `${part(3, 3) ? "r" : "-"}${part(4, 4) ? "w" : "-"}${part(5, 5) ? "x" : "-"}`;
    const where = part(7, 7) ? part(8, 8) ? ", of the translation of a linear address" : ", to a guest paging-structure entry" : "";
    return `${kinds}${where}; EPT allows ${rights === "---" ? "nothing (not present)" : rights}`;
  }
  const row2 = BY_REASON.get(basicReason);
  if (row2 === void 0) return "";
  if (row2.kind === "bits") return summarizeBits(row2.layout, qualification);
  return `${row2.title} ${row2.kind === "number" ? String(qualification) : hex10}`;
}
var ADDRESS_SIZE = bitRange(7, 9, "address size", { 0: "16-bit", 1: "32-bit", 2: "64-bit" });
var SEGMENT = bitRange(15, 17, "segment register", { 0: "ES", 1: "CS", 2: "SS", 3: "DS", 4: "FS", 5: "GS" });
var SCALING = bitRange(0, 1, "scaling", { 0: "no scaling", 1: "scale by 2", 2: "scale by 4", 3: "scale by 8" });
var ADDRESS_REGISTERS = [
  bitRange(18, 21, "index register", REGISTER_WORDS),
  flagBit(22, "index register invalid"),
  bitRange(23, 26, "base register", REGISTER_WORDS),
  flagBit(27, "base register invalid")
];
var MEMORY_OR_REGISTER = bitRange(10, 10, "operand", { 0: "memory", 1: "register" });
var MEMORY_ONLY = [SCALING, ADDRESS_SIZE, SEGMENT, ...ADDRESS_REGISTERS];
var INSTRUCTION_INFORMATION = new Map([
  [R.IO_INSTRUCTION, [ADDRESS_SIZE, SEGMENT]],
  ...[R.VMCLEAR, R.VMPTRLD, R.VMPTRST, R.VMXON, R.XSAVES, R.XRSTORS].map((r) => [r, MEMORY_ONLY]),
  ...[R.INVEPT, R.INVVPID, R.INVPCID].map((r) => [r, [...MEMORY_ONLY, bitRange(28, 31, "Reg2", REGISTER_WORDS)]]),
  ...[R.VMREAD, R.VMWRITE].map(
    (r) => [r, [SCALING, bitRange(3, 6, "Reg1", REGISTER_WORDS), ADDRESS_SIZE, MEMORY_OR_REGISTER, SEGMENT, ...ADDRESS_REGISTERS, bitRange(28, 31, "Reg2", REGISTER_WORDS)]]
  ),
  [
    R.GDTR_IDTR_ACCESS,
    [
      SCALING,
      ADDRESS_SIZE,
      bitRange(11, 11, "operand size", { 0: "16-bit", 1: "32-bit" }),
      SEGMENT,
      ...ADDRESS_REGISTERS,
      bitRange(28, 29, "instruction", { 0: "SGDT", 1: "SIDT", 2: "LGDT", 3: "LIDT" })
    ]
  ],
  [
    R.LDTR_TR_ACCESS,
    [
      SCALING,
      bitRange(3, 6, "Reg1", REGISTER_WORDS),
      ADDRESS_SIZE,
      MEMORY_OR_REGISTER,
      SEGMENT,
      ...ADDRESS_REGISTERS,
      bitRange(28, 29, "instruction", { 0: "SLDT", 1: "STR", 2: "LLDT", 3: "LTR" })
    ]
  ],
  ...[R.RDRAND, R.RDSEED, R.TPAUSE, R.UMWAIT].map(
    (r) => [r, [bitRange(3, 6, "destination register", REGISTER_WORDS), bitRange(11, 12, "operand size", { 0: "16-bit", 1: "32-bit", 2: "64-bit" })]]
  )
]);
function instructionInformationLayout(basicReason) {
  return INSTRUCTION_INFORMATION.get(basicReason);
}

// emulator/spec/vm-instruction-errors.ts
var ROWS4 = [
  [1, "vmcallInRoot", "VMCALL executed in VMX root operation"],
  [2, "vmclearInvalidAddress", "VMCLEAR with invalid physical address"],
  [3, "vmclearVmxonPointer", "VMCLEAR with VMXON pointer"],
  [4, "vmlaunchNonClear", "VMLAUNCH with non-clear VMCS"],
  [5, "vmresumeNonLaunched", "VMRESUME with non-launched VMCS"],
  [6, "vmresumeAfterVmxoff", "VMRESUME after VMXOFF (VMXOFF and VMXON between VMLAUNCH and VMRESUME)"],
  [7, "invalidControlFields", "VM entry with invalid control field(s)"],
  [8, "invalidHostState", "VM entry with invalid host-state field(s)"],
  [9, "vmptrldInvalidAddress", "VMPTRLD with invalid physical address"],
  [10, "vmptrldVmxonPointer", "VMPTRLD with VMXON pointer"],
  [11, "vmptrldIncorrectRevision", "VMPTRLD with incorrect VMCS revision identifier"],
  [12, "unsupportedComponent", "VMREAD/VMWRITE from/to unsupported VMCS component"],
  [13, "readOnlyComponent", "VMWRITE to read-only VMCS component"],
  [15, "vmxonInRoot", "VMXON executed in VMX root operation"],
  [16, "invalidExecutivePointer", "VM entry with invalid executive-VMCS pointer"],
  [17, "nonLaunchedExecutive", "VM entry with non-launched executive VMCS"],
  [18, "executiveNotVmxonPointer", "VM entry with executive-VMCS pointer not VMXON pointer (when attempting to deactivate the dual-monitor treatment of SMIs and SMM)"],
  [19, "vmcallNonClear", "VMCALL with non-clear VMCS (when attempting to activate the dual-monitor treatment of SMIs and SMM)"],
  [20, "vmcallInvalidExitControls", "VMCALL with invalid VM-exit control fields"],
  [22, "vmcallIncorrectMseg", "VMCALL with incorrect MSEG revision identifier (when attempting to activate the dual-monitor treatment of SMIs and SMM)"],
  [23, "vmxoffDualMonitor", "VMXOFF under dual-monitor treatment of SMIs and SMM"],
  [24, "vmcallInvalidSmmFeatures", "VMCALL with invalid SMM-monitor features (when attempting to activate the dual-monitor treatment of SMIs and SMM)"],
  [25, "invalidExecutiveControls", "VM entry with invalid VM-execution control fields in executive VMCS (when attempting to return from SMM)"],
  [26, "blockedByMovSs", "VM entry with events blocked by MOV SS"],
  [28, "invalidInvOperand", "Invalid operand to INVEPT/INVVPID"]
];
var VmError = Object.fromEntries(ROWS4.map(([number, id]) => [id, number]));
var VM_INSTRUCTION_ERRORS = ROWS4.map(
  ([number, id, sentence]) => ({ number, id, sentence })
);
function vmInstructionErrorSentence(number) {
  return VM_INSTRUCTION_ERRORS.find((row2) => row2.number === number)?.sentence ?? `reserved error number ${number}`;
}

// emulator/inspect/field-words.ts
function layoutOf(masks2) {
  return Object.entries(masks2).map(([name, mask]) => ({ low: bitLow(mask), high: BigInt(mask).toString(2).length - 1, name }));
}
function bitLow(mask) {
  let low = 0;
  for (let m = BigInt(mask); m !== 0n && (m & 1n) === 0n; m >>= 1n) low++;
  return low;
}
var CR0_LAYOUT = layoutOf(Cr0);
var CR4_LAYOUT = layoutOf(Cr4);
var EFER_LAYOUT = layoutOf(Efer);
var RFLAGS_LAYOUT = layoutOf(Flag);
var DEBUGCTL_LAYOUT = [
  { low: 0, high: 0, name: "LBR" },
  { low: 1, high: 1, name: "BTF" }
];
var DR7_LAYOUT = [
  ...[0, 1, 2, 3].flatMap((n) => [{ low: n * 2, high: n * 2, name: `L${n}` }, { low: n * 2 + 1, high: n * 2 + 1, name: `G${n}` }]),
  { low: 8, high: 8, name: "LE" },
  { low: 9, high: 9, name: "GE" },
  { low: 11, high: 11, name: "RTM" },
  { low: 13, high: 13, name: "GD" },
  ...[0, 1, 2, 3].flatMap((n) => [{ low: 16 + n * 4, high: 17 + n * 4, name: `R/W${n}` }, { low: 18 + n * 4, high: 19 + n * 4, name: `LEN${n}` }])
];
var PDPTE_LAYOUT = [
  { low: 0, high: 0, name: "present" },
  { low: 12, high: 51, name: "page frame" }
];
var VM_FUNCTIONS_LAYOUT = [{ low: 0, high: 0, name: "EPTP switching" }];
var LAYOUTS = {
  "access-rights": ACCESS_RIGHTS_LAYOUT,
  "event-injection": EVENT_INJECTION_LAYOUT,
  "exit-interruption": EXIT_INTERRUPTION_LAYOUT,
  "idt-vectoring": IDT_VECTORING_LAYOUT,
  "exit-reason": EXIT_REASON_LAYOUT,
  interruptibility: INTERRUPTIBILITY_LAYOUT,
  "pending-debug": PENDING_DEBUG_LAYOUT,
  "page-fault-code": PAGE_FAULT_CODE_LAYOUT,
  "exception-bitmap": EXCEPTION_BITMAP_LAYOUT,
  pat: PAT_LAYOUT,
  eptp: EPTP_LAYOUT,
  cr0: CR0_LAYOUT,
  cr4: CR4_LAYOUT,
  efer: EFER_LAYOUT,
  rflags: RFLAGS_LAYOUT,
  debugctl: DEBUGCTL_LAYOUT,
  dr7: DR7_LAYOUT,
  pdpte: PDPTE_LAYOUT,
  "vm-functions": VM_FUNCTIONS_LAYOUT
};
var VALID_BIT_FORMATS = ["event-injection", "exit-interruption", "idt-vectoring"];
function layoutFor(field, around) {
  if (field.format.startsWith("controls:")) return controlLayout(field.format.slice("controls:".length));
  if (field.format === "instruction-information") return instructionInformationLayout(around.basicReason);
  return LAYOUTS[field.format];
}
function fieldBits(field, value, around) {
  if (field.format === "exit-qualification") return decodeQualification(around.basicReason, value, around.vector);
  const layout = layoutFor(field, around);
  return layout === void 0 ? [] : decodeBits(layout, value);
}
function explainInterruption(info) {
  if (!(info >>> 31)) return "not valid";
  const vector = info & 255;
  const type = info >>> 8 & 7;
  const typeWord = EXIT_INTERRUPTION_LAYOUT[1].words?.[type] ?? "";
  if (type === 7) return vector === 0 ? "pending MTF VM exit" : `other event ${vector}`;
  const name = type === 3 || type === 5 || type === 6 ? EXCEPTION_NAMES[vector] : void 0;
  return `${name === void 0 ? "" : `${name}, `}${typeWord}, vector ${vector}${info & 2048 ? ", with error code" : ""}`;
}
function describeField(field, value, around) {
  switch (field.format) {
    case "exit-reason": {
      const reason = Number(value & 0xffffn);
      const failure = value & 0x80000000n ? " (VM-entry failure)" : "";
      return `${exitReasonName(reason)}${failure}: ${exitReasonRow(reason)?.sentence ?? "no such exit reason"}`;
    }
    case "exit-qualification":
      return explainQualification(around.basicReason, value, around.vector);
    case "instruction-error":
      return value === 0n ? "" : vmInstructionErrorSentence(Number(value));
    case "activity":
      return ACTIVITY_WORDS[Number(value)] ?? "reserved value";
    case "link-pointer":
      return value === 0xffffffffffffffffn ? "not used" : "";
    case "selector":
      return value === 0n ? "null" : `index ${value >> 3n}, ${value & 4n ? "LDT" : "GDT"}, RPL ${value & 3n}`;
    case "number":
      return value < 10n ? "" : String(value);
    case "access-rights":
      return describeAccessRights(Number(value));
  }
  if (VALID_BIT_FORMATS.includes(field.format)) return explainInterruption(Number(value));
  const layout = layoutFor(field, around);
  return layout === void 0 ? "" : summarizeBits(layout, value);
}
function describeAccessRights(access) {
  if (access & 65536) return "unusable";
  const type = access & 15;
  let words;
  if (!(access & 16)) words = { 2: "LDT", 3: "busy 16-bit TSS", 9: "available TSS", 11: "busy TSS" }[type] ?? `system type ${type}`;
  else if (type & 8) words = `code${type & 4 ? ", conforming" : ""}${type & 2 ? ", readable" : ""}`;
  else words = `data${type & 4 ? ", expand-down" : ""}${type & 2 ? ", writable" : ""}`;
  const size = access & 8192 ? ", 64-bit" : access & 16 ? access & 16384 ? ", 32-bit" : ", 16-bit" : "";
  return `${words}${size}, DPL ${access >> 5 & 3}${access & 128 ? "" : ", not present"}`;
}

// emulator/inspect/explain.ts
var hex8 = (value) => `0x${value.toString(16)}`;
function explainExit(exit2) {
  const lines = [`VM exit ${exit2.reason} (${exit2.reasonNumber}) at RIP ${hex8(exit2.rip)}.`];
  const sentence = exitReasonRow(exit2.reasonNumber)?.sentence;
  if (sentence !== void 0) lines.push(sentence);
  const words = explainQualification(exit2.reasonNumber, exit2.qualification, exit2.interruptionInfo & 255);
  if (words !== "") lines.push(`Exit qualification ${hex8(exit2.qualification)}: ${words}.`);
  if (exit2.gpa !== void 0) lines.push(`Guest-physical address ${hex8(exit2.gpa)}.`);
  if (exit2.linear !== void 0) lines.push(`Guest linear address ${hex8(exit2.linear)}.`);
  if (exit2.interruptionInfo >>> 31) {
    const error = exit2.interruptionInfo & 2048 ? `, error code ${hex8(exit2.interruptionError)}` : "";
    lines.push(`Event: ${explainInterruption(exit2.interruptionInfo)}${error}.`);
  }
  if (exit2.instructionLength > 0)
    lines.push(`The instruction is ${exit2.instructionLength} byte${exit2.instructionLength === 1 ? "" : "s"} long.`);
  return lines.join("\n");
}

// emulator/inspect/vmcs.ts
var NO_NODES = [];
function hexOf(field, value) {
  const digits = field.width === 16 ? 4 : field.width === 32 ? 8 : 16;
  return `0x${value.toString(16).padStart(digits, "0")}`;
}
function surroundings(vmcs) {
  return { basicReason: vmcs.u32(Field.vmExitReason) & 65535, vector: vmcs.u32(Field.vmExitInterruptionInformation) & 255 };
}
function memoryOf(field, vmcs, value) {
  if (field.format === "address" && field.type === "guest") return { space: "gva", level: 2, address: value };
  if (field.format === "address" && field.type === "host") return { space: "gva", level: 1, address: value };
  if (field.format === "address" && field.id === "guestLinearAddress") return { space: "gva", level: 2, address: value };
  if (field.format === "physical") {
    const level = field.type === "guest" || field.type === "read-only" ? 2 : 1;
    return { space: "gpa", level, address: value & 0x000ffffffffff000n };
  }
  if (field.format === "eptp") return { space: "gpa", level: 1, address: value & 0x000ffffffffff000n };
  return { space: "hpa", level: 1, address: BigInt(vmcs.pointer + field.offset) };
}
function tooltipOf(field) {
  const control = field.control === void 0 ? void 0 : controlNamed(field.control);
  const width = field.width === "natural" ? "natural width" : `${field.width} bits`;
  const exists2 = control === void 0 ? "" : ` It exists on processors that support \u201C${control.name}\u201D (${control.word.title}).`;
  return `${field.name}: encoding 0x${field.encoding.toString(16).padStart(4, "0")}, ${width}, ${field.type}.${exists2}`;
}
function fieldNode(field, vmcs, around) {
  const value = vmcs.u64(field);
  const description = describeField(field, value, around);
  return {
    id: `vmcs/${field.group}/${field.name}`,
    label: field.name,
    value: hexOf(field, value),
    ...description === "" ? {} : { description },
    tooltip: tooltipOf(field),
    memory: memoryOf(field, vmcs, value),
    expandable: fieldBits(field, value, around).length > 0
  };
}
function bitNodes(field, vmcs, around) {
  return fieldBits(field, vmcs.u64(field), around).map(({ bits, value, text: text2 }) => ({
    id: `vmcs/${field.group}/${field.name}/${bits.low}`,
    label: bits.high === bits.low ? `${bits.name} (bit ${bits.low})` : `${bits.name} (bits ${bits.high}:${bits.low})`,
    value: `0x${value.toString(16)}`,
    description: text2,
    ...bits.meaning === void 0 ? {} : { tooltip: bits.meaning },
    expandable: false
  }));
}
function headerNodes(vmcs) {
  const launched = vmcs.launchState === LaunchState.launched;
  const abort2 = vmcs.abortIndicator;
  const place = (offset) => ({ space: "hpa", level: 1, address: BigInt(vmcs.pointer + offset) });
  return [
    {
      id: "vmcs/region",
      label: "VMCS region",
      value: `0x${vmcs.pointer.toString(16)}`,
      description: launched ? "launched" : "clear",
      tooltip: "Physical address of the current VMCS and its launch state.",
      memory: place(0),
      expandable: false
    },
    {
      id: "vmcs/revision",
      label: "VMCS revision identifier",
      value: `0x${vmcs.revision.toString(16)}`,
      description: vmcs.revisionMatches ? "as IA32_VMX_BASIC reports" : "not the identifier of this processor",
      memory: place(VmcsRegion.revision),
      expandable: false
    },
    {
      id: "vmcs/abort",
      label: "VMX-abort indicator",
      value: `0x${abort2.toString(16)}`,
      description: abort2 === 0 ? "no VMX abort" : VMX_ABORT_REASONS[abort2] ?? "unknown",
      memory: place(VmcsRegion.abortIndicator),
      expandable: false
    }
  ];
}
function vmcsChildren(memory, pointer, id = "vmcs", capabilities) {
  if (pointer < 0 || !memory.isRam(pointer, VmcsRegion.bytes)) return NO_NODES;
  const vmcs = new Vmcs(memory, pointer);
  const around = surroundings(vmcs);
  const [root, groupId, part, more] = id.split("/");
  if (root !== "vmcs" || more !== void 0) return NO_NODES;
  if (groupId === void 0)
    return [...headerNodes(vmcs), ...FIELD_GROUPS.map((g) => ({ id: `vmcs/${g.id}`, label: g.title, expandable: true }))];
  const group2 = FIELD_GROUPS.find((g) => g.id === groupId);
  if (group2 === void 0) return NO_NODES;
  if (part === void 0) {
    return group2.subgroups.filter(([sub]) => fieldsOf(group2.id, sub, capabilities).length > 0).map(([sub, title]) => ({ id: `vmcs/${group2.id}/${sub}`, label: title, expandable: true }));
  }
  const field = fieldByName(part);
  if (field !== void 0) return field.group === group2.id ? bitNodes(field, vmcs, around) : NO_NODES;
  return fieldsOf(group2.id, part, capabilities).map((f) => fieldNode(f, vmcs, around));
}
function fieldsOf(group2, subgroup, capabilities) {
  return VMCS_FIELDS.filter(
    (f) => f.group === group2 && f.subgroup === subgroup && (capabilities === void 0 || capabilities.fields.has(f.encoding))
  );
}

// emulator/inspect/inspector.ts
var hex9 = (v) => `0x${v.toString(16)}`;
function createInspector(cpu, memory, resolver, history) {
  return {
    children(_vcpu, id) {
      const [root, first] = id.split("/");
      switch (root) {
        case "registers":
          return registerNames().map((name) => ({
            id: `registers/${name}`,
            label: name,
            value: hex9(readRegister(cpu, name) ?? 0n),
            expandable: false
          }));
        case "vmcs": {
          const vmcs = currentVmcs(cpu, memory);
          return vmcs === void 0 ? [] : vmcsChildren(memory, vmcs.pointer, id);
        }
        case "idt":
          if (first === void 0) return idtRoots(cpu, memory, resolver);
          return idtNodes(cpu, memory, resolver, first === "l2" ? 2 : 1, id);
        case "page-tables":
          return pageTableNodes(cpu, memory, resolver, id);
        case "exits":
          return exitNodes(history, first);
        default:
          return [];
      }
    }
  };
}
function idtRoots(cpu, memory, resolver) {
  return [1, 2].filter((level) => idtNodes(cpu, memory, resolver, level, "").length > 0).map((level) => ({ id: `idt/l${level}`, label: `L${level} IDT`, expandable: true }));
}
function exitNodes(history, first) {
  if (first === "recent") {
    const exits3 = history.recentExits;
    return exits3.map((e, i) => ({
      id: `exits/recent/${e.n}`,
      label: `${e.n} ${e.reason}`,
      value: hex9(e.qualification),
      description: explainExit(e),
      tooltip: `exit ${i + 1 - exits3.length} from the last, at step ${e.n}, L2 RIP ${hex9(e.rip)}`,
      memory: { space: "gva", level: 2, address: e.rip },
      expandable: false
    }));
  }
  if (first !== void 0) return [];
  const counts = [...history.exitCounts].sort((a, b) => b[1] - a[1]);
  const total = counts.reduce((sum, [, n]) => sum + n, 0);
  return [
    ...counts.map(([reason, n]) => ({ id: `exits/count/${reason}`, label: reason, value: String(n), expandable: false })),
    ...total > 0 ? [{ id: "exits/recent", label: "Most recent", description: `${total} in all`, expandable: true }] : []
  ];
}

// emulator/memory/snapshot.ts
var BLOCK = 65536;
function isZero(words) {
  for (let i = 0; i < words.length; i++) if (words[i] !== 0) return false;
  return true;
}
function* ramBlocks(memory) {
  for (let address = 0; address < memory.ramBytes; address += BLOCK) {
    const bytes = Math.min(BLOCK, memory.ramBytes - address);
    yield { address, bytes, words: new Int32Array(memory.memory.buffer, RAM_FIRST + address, bytes / 4) };
  }
}
function copyRam(memory) {
  const blocks2 = [];
  for (const { address, words, bytes } of ramBlocks(memory)) {
    if (isZero(words)) continue;
    blocks2.push({ address, contents: memory.u8.slice(RAM_FIRST + address, RAM_FIRST + address + bytes) });
  }
  return { bytes: memory.ramBytes, blocks: blocks2 };
}
function restoreRam(memory, copy) {
  memory.u8.fill(0, RAM_FIRST, RAM_FIRST + memory.ramBytes);
  for (const b of copy.blocks) memory.u8.set(b.contents, RAM_FIRST + b.address);
}
var TAGS = [TlbEntry.read, TlbEntry.write, TlbEntry.fetch];
var TRANSIENT = [State.budget, State.exitRecord, State.codeTable, State.codeEpoch, State.accessLo, State.accessHi];
function copyVcpu(memory, base, flags) {
  const copy = memory.u8.slice(base, base + VCPU_STRIDE);
  const view = new DataView(copy.buffer);
  for (const offset of TRANSIENT) view.setInt32(offset, 0, true);
  view.setBigInt64(State.eaTemp, 0n, true);
  view.setInt32(State.flagKind, 0, true);
  view.setBigInt64(State.flagA, BigInt(flags & ARITHMETIC_FLAGS), true);
  view.setBigInt64(State.flagB, 0n, true);
  for (let i = 0; i < TlbEntry.count; i++) {
    const entry = State.tlb + i * TlbEntry.stride;
    view.setInt32(entry + TlbEntry.code, 0, true);
    for (const tag of TAGS) view.setInt32(entry + tag, view.getInt32(entry + tag, true) & ~TLB_SLOW_BIT, true);
  }
  copy.fill(0, State.scratch, State.scratch + 256);
  return copy;
}
function restoreVcpu(memory, base, copy) {
  memory.u8.set(copy, base);
  for (let i = 0; i < TlbEntry.count; i++) {
    if (memory.isRam(memory.f64[(base + State.tlbPage) / 8 + i], 4096)) continue;
    for (const tag of TAGS) memory.i32[base + State.tlb + i * TlbEntry.stride + tag >> 2] |= TLB_SLOW_BIT;
  }
}
var StateHash = class {
  a = 2654435769 | 0;
  b = 2246822507 | 0;
  words(words) {
    let { a, b } = this;
    for (let i = 0; i < words.length; i++) {
      const w = words[i];
      a = Math.imul(a ^ w, 16777619);
      a = a << 13 | a >>> 19;
      b = Math.imul(b + w, 1540483477);
      b ^= b >>> 15;
    }
    this.a = a;
    this.b = b;
  }
  bytes(bytes) {
    const padded = new Uint8Array(bytes.length + 7 & ~3);
    padded.set(bytes);
    padded[padded.length - 1] = bytes.length & 255;
    this.words(new Int32Array(padded.buffer));
  }
  ram(memory) {
    for (const { address, words } of ramBlocks(memory)) {
      if (isZero(words)) continue;
      this.words(Int32Array.of(address / BLOCK));
      this.words(words);
    }
  }
  digest() {
    return (this.a >>> 0).toString(16).padStart(8, "0") + (this.b >>> 0).toString(16).padStart(8, "0");
  }
};

// emulator/spec/cpu-model.ts
var CPU_FEATURES = [
  // Paging and protection
  "nx",
  "page1gb",
  "pcid",
  "invpcid",
  "smep",
  "smap",
  "umip",
  "pku",
  "la57",
  // VMX
  "vmx",
  "vmx-true-controls",
  "ept",
  "ept-ad",
  "unrestricted-guest",
  "vpid",
  // Instructions
  "cx16",
  "syscall",
  "rdtscp",
  "rdpid",
  "fsgsbase",
  "monitor",
  "movbe",
  "popcnt",
  "lzcnt",
  "bmi1",
  "bmi2",
  "adx",
  "crc32",
  "rdrand",
  "rdseed",
  "clflushopt",
  "clwb"
];
var FEATURE_NEEDS = {
  "vmx-true-controls": ["vmx"],
  ept: ["vmx"],
  "ept-ad": ["ept"],
  "unrestricted-guest": ["ept"],
  vpid: ["vmx"],
  invpcid: ["pcid"]
};

// emulator/spec/cpu-models.ts
function model(name, signature, maxPhyAddr, features) {
  const set = new Set(features);
  return { name, signature, maxPhyAddr, linearBits: set.has("la57") ? 57 : 48, features: set };
}
var intel64 = ["nx", "cx16", "syscall"];
var penryn = [...intel64, "monitor", "vmx"];
var haswell = [
  ...penryn,
  "vmx-true-controls",
  "ept",
  "ept-ad",
  "unrestricted-guest",
  "vpid",
  "page1gb",
  "pcid",
  "invpcid",
  "smep",
  "fsgsbase",
  "rdtscp",
  "movbe",
  "popcnt",
  "lzcnt",
  "bmi1",
  "bmi2",
  "crc32",
  "rdrand"
];
var skylakeServer = [...haswell, "smap", "pku", "adx", "rdseed", "clflushopt", "clwb"];
var cpuModels = {
  // Family 15, model 6, stepping 1: a 64-bit processor without virtualization.
  qemu64: model("qemu64", 3937, 40, intel64),
  penryn: model("penryn", 67194, 40, penryn),
  haswell: model("haswell", 198339, 39, haswell),
  "skylake-server": model("skylake-server", 329300, 46, skylakeServer)
};
var defaultCpuModel = cpuModels["skylake-server"];
var PHYSICAL_BITS = /^maxphyaddr=(\d+)$/;
var isFeature = (name) => CPU_FEATURES.includes(name);
function dependents(feature) {
  const direct = CPU_FEATURES.filter((f) => FEATURE_NEEDS[f]?.includes(feature));
  return [...direct, ...direct.flatMap(dependents)];
}
function readSwitch(text2, part, to) {
  const bits = PHYSICAL_BITS.exec(part);
  if (bits) {
    const width = Number(bits[1]);
    if (width < 36 || width > 52)
      throw new UserError(`CPU model "${text2}": a physical-address width of ${width} bits is outside 36 to 52`, "cpu-model-mix");
    to.maxPhyAddr = width;
    return;
  }
  const name = part.slice(1);
  if (part[0] !== "+" && part[0] !== "-" || !isFeature(name))
    throw new UserError(
      `CPU model "${text2}": "${part}" switches no feature; write +name or -name with one of ${CPU_FEATURES.join(", ")}, or maxphyaddr=N`,
      "cpu-feature-unknown"
    );
  const [here, other] = part[0] === "+" ? [to.on, to.off] : [to.off, to.on];
  if (other.has(name)) throw new UserError(`CPU model "${text2}": ${name} is switched both on and off`, "cpu-model-mix");
  here.add(name);
}
function cpuModelNamed(text2) {
  const [name, ...parts] = text2.split(",").map((part) => part.trim());
  const base = Object.hasOwn(cpuModels, name) ? cpuModels[name] : void 0;
  if (!base) throw new UserError(`unknown CPU model "${name}": expected one of ${Object.keys(cpuModels).join(", ")}`, "cpu-model-unknown");
  if (parts.length === 0) return base;
  const switches = { on: /* @__PURE__ */ new Set(), off: /* @__PURE__ */ new Set(), maxPhyAddr: void 0 };
  for (const part of parts) readSwitch(text2, part, switches);
  const features = new Set(base.features);
  for (const feature of switches.off) for (const gone of [feature, ...dependents(feature)]) features.delete(gone);
  for (const feature of switches.on) features.add(feature);
  for (const feature of features)
    for (const needed of FEATURE_NEEDS[feature] ?? [])
      if (!features.has(needed)) {
        const why = switches.off.has(needed) ? `${needed} is switched off` : `the model ${name} has no ${needed}`;
        throw new UserError(`CPU model "${text2}": ${feature} needs ${needed}, but ${why}`, "cpu-model-mix");
      }
  return { ...model(name, base.signature, switches.maxPhyAddr ?? base.maxPhyAddr, [...features]), name: text2 };
}

// emulator/trace.ts
var RING = 65536;
var RECENT = 256;
var Trace = class {
  records = [];
  droppedCount = 0;
  recentExits = [];
  exitCounts = /* @__PURE__ */ new Map();
  lastEntry;
  /** The last few exceptions: the chain that led to a triple fault. */
  exceptions = [];
  add(record) {
    if (this.records.length >= RING) {
      this.records.splice(0, RING / 2);
      this.droppedCount += RING / 2;
    }
    this.records.push(record);
    if (record.event === "exit") {
      this.recentExits.push(record);
      if (this.recentExits.length > 2 * RECENT) this.recentExits = this.recentExits.slice(-RECENT);
      this.exitCounts.set(record.reason, (this.exitCounts.get(record.reason) ?? 0) + 1);
    } else if (record.event === "entry") this.lastEntry = record;
    else if (record.event === "exception") this.exceptions = [...this.exceptions.slice(-15), record];
  }
  take() {
    const taken = { records: this.records, dropped: this.droppedCount };
    this.records = [];
    this.droppedCount = 0;
    return taken;
  }
  save() {
    return {
      version: 1,
      recentExits: this.recentExits.slice(-RECENT),
      exitCounts: [...this.exitCounts],
      lastEntry: this.lastEntry,
      exceptions: this.exceptions
    };
  }
  restore(state) {
    this.records = [];
    this.droppedCount = 0;
    this.recentExits = [...state.recentExits];
    this.exitCounts = new Map(state.exitCounts);
    this.lastEntry = state.lastEntry;
    this.exceptions = [...state.exceptions];
  }
};

// emulator/spec/vmx-capabilities.ts
var VmxMsr = {
  featureControl: 58,
  basic: 1152,
  pinbasedCtls: 1153,
  procbasedCtls: 1154,
  exitCtls: 1155,
  entryCtls: 1156,
  misc: 1157,
  cr0Fixed0: 1158,
  cr0Fixed1: 1159,
  cr4Fixed0: 1160,
  cr4Fixed1: 1161,
  vmcsEnum: 1162,
  procbasedCtls2: 1163,
  eptVpidCap: 1164,
  truePinbasedCtls: 1165,
  trueProcbasedCtls: 1166,
  trueExitCtls: 1167,
  trueEntryCtls: 1168,
  vmfunc: 1169
};
var VMX_MSR_NAMES = {
  [VmxMsr.featureControl]: "IA32_FEATURE_CONTROL",
  [VmxMsr.basic]: "IA32_VMX_BASIC",
  [VmxMsr.pinbasedCtls]: "IA32_VMX_PINBASED_CTLS",
  [VmxMsr.procbasedCtls]: "IA32_VMX_PROCBASED_CTLS",
  [VmxMsr.exitCtls]: "IA32_VMX_EXIT_CTLS",
  [VmxMsr.entryCtls]: "IA32_VMX_ENTRY_CTLS",
  [VmxMsr.misc]: "IA32_VMX_MISC",
  [VmxMsr.cr0Fixed0]: "IA32_VMX_CR0_FIXED0",
  [VmxMsr.cr0Fixed1]: "IA32_VMX_CR0_FIXED1",
  [VmxMsr.cr4Fixed0]: "IA32_VMX_CR4_FIXED0",
  [VmxMsr.cr4Fixed1]: "IA32_VMX_CR4_FIXED1",
  [VmxMsr.vmcsEnum]: "IA32_VMX_VMCS_ENUM",
  [VmxMsr.procbasedCtls2]: "IA32_VMX_PROCBASED_CTLS2",
  [VmxMsr.eptVpidCap]: "IA32_VMX_EPT_VPID_CAP",
  [VmxMsr.truePinbasedCtls]: "IA32_VMX_TRUE_PINBASED_CTLS",
  [VmxMsr.trueProcbasedCtls]: "IA32_VMX_TRUE_PROCBASED_CTLS",
  [VmxMsr.trueExitCtls]: "IA32_VMX_TRUE_EXIT_CTLS",
  [VmxMsr.trueEntryCtls]: "IA32_VMX_TRUE_ENTRY_CTLS",
  [VmxMsr.vmfunc]: "IA32_VMX_VMFUNC"
};
var FeatureControl = { lock: 1n << 0n, vmxInSmx: 1n << 1n, vmxOutsideSmx: 1n << 2n };
var FEATURE_CONTROL_RESET = FeatureControl.lock | FeatureControl.vmxOutsideSmx;
var ALLOWED = {
  pin: ["externalInterruptExiting", "nmiExiting"],
  primary: [
    "interruptWindowExiting",
    "useTscOffsetting",
    "hltExiting",
    "invlpgExiting",
    "mwaitExiting",
    "rdpmcExiting",
    "rdtscExiting",
    "cr3LoadExiting",
    "cr3StoreExiting",
    "cr8LoadExiting",
    "cr8StoreExiting",
    "movDrExiting",
    "unconditionalIoExiting",
    "useIoBitmaps",
    "monitorTrapFlag",
    "useMsrBitmaps",
    "monitorExiting",
    "pauseExiting",
    "activateSecondaryControls"
  ],
  secondary: [
    ["enableEpt", "ept"],
    "descriptorTableExiting",
    ["enableRdtscp", "rdtscp"],
    ["enableVpid", "vpid"],
    "wbinvdExiting",
    ["unrestrictedGuest", "unrestricted-guest"]
  ],
  exit: ["saveDebugControls", "hostAddressSpaceSize", "acknowledgeInterruptOnExit", "saveIa32Pat", "loadIa32Pat", "saveIa32Efer", "loadIa32Efer"],
  entry: ["loadDebugControls", "ia32eModeGuest", "loadIa32Pat", "loadIa32Efer"]
};
var MAY_BE_0 = {
  primary: ["cr3LoadExiting", "cr3StoreExiting"],
  exit: ["saveDebugControls"],
  entry: ["loadDebugControls"]
};
var CR4_BITS = [
  [2, void 0],
  // TSD
  [3, void 0],
  // DE
  [4, void 0],
  // PSE
  [5, void 0],
  // PAE
  [6, void 0],
  // MCE
  [7, void 0],
  // PGE
  [8, void 0],
  // PCE
  [11, "umip"],
  [12, "la57"],
  [12, "la57"],
  [13, "vmx"],
  [16, "fsgsbase"],
  [17, "pcid"],
  [20, "smep"],
  [21, "smap"],
  [22, "pku"],
  [22, "pku"]
];
function allowedBits(word, model2) {
  let bits = 0;
  for (const entry of ALLOWED[word] ?? []) {
    const [id, feature] = typeof entry === "string" ? [entry, void 0] : entry;
    if (feature === void 0 || model2.features.has(feature)) bits |= maskOf2(word, id);
  }
  return bits >>> 0;
}
function maskOf2(word, id) {
  const row2 = CONTROL_WORDS[word].rows.find((r) => r[1] === id);
  if (row2 === void 0) unreachable(`there is no control ${word}.${id}`);
  return 1 << row2[0] >>> 0;
}
var pair = (allowed0, allowed1) => BigInt(allowed1) << 32n | BigInt(allowed0);
function vmxCapabilities(model2) {
  const hasEpt = model2.features.has("ept");
  const hasVpid = model2.features.has("vpid");
  const trueControls = model2.features.has("vmx-true-controls");
  const capability = (word) => ({
    allowed0: (DEFAULT1[word] & ~(trueControls ? MAY_BE_0[word] ?? [] : []).reduce((bits, id) => bits | maskOf2(word, id), 0)) >>> 0,
    allowed1: (DEFAULT1[word] | allowedBits(word, model2)) >>> 0
  });
  const controls = {
    pin: capability("pin"),
    primary: capability("primary"),
    secondary: { allowed0: 0, allowed1: allowedBits("secondary", model2) },
    exit: capability("exit"),
    entry: capability("entry")
  };
  const eptCap = hasEpt ? 1n << 0n | 1n << 6n | 1n << 8n | 1n << 14n | 1n << 16n | 1n << 20n | 1n << 25n | 1n << 26n | (model2.features.has("page1gb") ? 1n << 17n : 0n) | (model2.features.has("ept-ad") ? 1n << 21n : 0n) : 0n;
  const vpidCap = hasVpid ? 1n << 32n | 1n << 40n | 1n << 41n | 1n << 42n | 1n << 43n : 0n;
  const cr4Fixed1 = CR4_BITS.reduce(
    (bits, [bit, feature]) => feature === void 0 || model2.features.has(feature) ? bits | 1n << BigInt(bit) : bits,
    0n
  );
  const cr0Fixed0 = 0x80000021n;
  const cr0Fixed1 = 0xffffffffn;
  const cr4Fixed0 = 0x2000n;
  const cr3Targets = 4;
  const msrListMaximum = 512;
  const exists2 = (field) => {
    if (field.control === void 0) return true;
    const [word, id] = field.control.split(".");
    return word in controls && (controls[word].allowed1 & maskOf2(word, id)) !== 0;
  };
  const fields = new Map(VMCS_FIELDS.filter(exists2).map((f) => [f.encoding, f]));
  const highestIndex = Math.max(...[...fields.keys()].map((e) => encodingParts(e).index));
  const misc = 1n << 5n | 1n << 6n | 1n << 7n | BigInt(cr3Targets) << 16n;
  const basic = BigInt(VMCS_REVISION) | BigInt(VmcsRegion.bytes) << 32n | 6n << 50n | 1n << 54n | (trueControls ? 1n << 55n : 0n);
  const msrs = /* @__PURE__ */ new Map([
    [VmxMsr.basic, basic],
    [VmxMsr.pinbasedCtls, pair(DEFAULT1.pin, controls.pin.allowed1)],
    [VmxMsr.procbasedCtls, pair(DEFAULT1.primary, controls.primary.allowed1)],
    [VmxMsr.exitCtls, pair(DEFAULT1.exit, controls.exit.allowed1)],
    [VmxMsr.entryCtls, pair(DEFAULT1.entry, controls.entry.allowed1)],
    [VmxMsr.misc, misc],
    [VmxMsr.cr0Fixed0, cr0Fixed0],
    [VmxMsr.cr0Fixed1, cr0Fixed1],
    [VmxMsr.cr4Fixed0, cr4Fixed0],
    [VmxMsr.cr4Fixed1, cr4Fixed1],
    [VmxMsr.vmcsEnum, BigInt(highestIndex << 1)],
    [VmxMsr.procbasedCtls2, pair(0, controls.secondary.allowed1)]
  ]);
  if (trueControls) {
    msrs.set(VmxMsr.truePinbasedCtls, pair(controls.pin.allowed0, controls.pin.allowed1));
    msrs.set(VmxMsr.trueProcbasedCtls, pair(controls.primary.allowed0, controls.primary.allowed1));
    msrs.set(VmxMsr.trueExitCtls, pair(controls.exit.allowed0, controls.exit.allowed1));
    msrs.set(VmxMsr.trueEntryCtls, pair(controls.entry.allowed0, controls.entry.allowed1));
  }
  if (hasEpt || hasVpid) msrs.set(VmxMsr.eptVpidCap, eptCap | vpidCap);
  return {
    model: model2,
    controls,
    cr0Fixed0,
    cr0Fixed1,
    cr4Fixed0,
    cr4Fixed1,
    eptVpidCap: eptCap | vpidCap,
    cr3Targets,
    msrListMaximum,
    msrs,
    fields
  };
}

// emulator/vmx/segment-fields.ts
var GUEST_SEGMENTS = [
  { segment: Seg.es, selector: Field.guestEsSelector, base: Field.guestEsBase, limit: Field.guestEsLimit, access: Field.guestEsAccessRights },
  { segment: Seg.cs, selector: Field.guestCsSelector, base: Field.guestCsBase, limit: Field.guestCsLimit, access: Field.guestCsAccessRights },
  { segment: Seg.ss, selector: Field.guestSsSelector, base: Field.guestSsBase, limit: Field.guestSsLimit, access: Field.guestSsAccessRights },
  { segment: Seg.ds, selector: Field.guestDsSelector, base: Field.guestDsBase, limit: Field.guestDsLimit, access: Field.guestDsAccessRights },
  { segment: Seg.fs, selector: Field.guestFsSelector, base: Field.guestFsBase, limit: Field.guestFsLimit, access: Field.guestFsAccessRights },
  { segment: Seg.gs, selector: Field.guestGsSelector, base: Field.guestGsBase, limit: Field.guestGsLimit, access: Field.guestGsAccessRights },
  { segment: Seg.ldtr, selector: Field.guestLdtrSelector, base: Field.guestLdtrBase, limit: Field.guestLdtrLimit, access: Field.guestLdtrAccessRights },
  { segment: Seg.tr, selector: Field.guestTrSelector, base: Field.guestTrBase, limit: Field.guestTrLimit, access: Field.guestTrAccessRights }
];

// emulator/vmx/guest-state.ts
var CR0_KEPT = 2147155920;
var EFER_LMA2 = 1024;
var EFER_LME2 = 256;
function loadSlot(cpu, slot2, vmcs, field) {
  cpu.u32[slot2 >> 2] = vmcs.u32(field);
  cpu.u32[(slot2 >> 2) + 1] = vmcs.high32(field);
}
function saveSlot(cpu, slot2, vmcs, field) {
  return vmcs.saveHalves(field, cpu.u32[slot2 >> 2], cpu.u32[(slot2 >> 2) + 1]);
}
function setLongMode(cpu, on, pagingOn) {
  let efer = cpu.u32[State.efer >> 2] & ~EFER_LMA2;
  if (pagingOn) efer = efer & ~EFER_LME2 | (on ? EFER_LME2 : 0);
  cpu.u32[State.efer >> 2] = efer | (on ? EFER_LMA2 : 0);
}
function legalDr7(value) {
  return (value & ~53248 | 1024) >>> 0;
}
function loadGuestRegisters(cpu, vmcs) {
  const entry = vmcs.u32(Field.vmEntryControls);
  const cr0 = vmcs.u32(Field.guestCr0) & ~CR0_KEPT | cpu.u32[State.cr0 >> 2] & CR0_KEPT;
  cpu.u32[State.cr0 >> 2] = cr0;
  cpu.u32[(State.cr0 >> 2) + 1] = 0;
  loadSlot(cpu, State.cr3, vmcs, Field.guestCr3);
  loadSlot(cpu, State.cr4, vmcs, Field.guestCr4);
  if (entry & EntryControl.loadDebugControls) {
    cpu.u32[State.dr + 56 >> 2] = legalDr7(vmcs.u32(Field.guestDr7));
    cpu.u32[State.dr + 60 >> 2] = 0;
    loadSlot(cpu, State.debugctl, vmcs, Field.guestIa32Debugctl);
  }
  loadSlot(cpu, State.sysenterCs, vmcs, Field.guestIa32SysenterCs);
  loadSlot(cpu, State.sysenterEsp, vmcs, Field.guestIa32SysenterEsp);
  loadSlot(cpu, State.sysenterEip, vmcs, Field.guestIa32SysenterEip);
  if (entry & EntryControl.loadIa32Efer) loadSlot(cpu, State.efer, vmcs, Field.guestIa32Efer);
  else setLongMode(cpu, (entry & EntryControl.ia32eModeGuest) !== 0, (cr0 & 2147483648) !== 0);
  if (entry & EntryControl.loadIa32Pat) loadSlot(cpu, State.pat, vmcs, Field.guestIa32Pat);
  for (const s of GUEST_SEGMENTS) {
    const slot2 = State.segment + s.segment * SEGMENT_STRIDE >> 2;
    cpu.u32[slot2 + (SegmentState.base >> 2)] = vmcs.u32(s.base);
    cpu.u32[slot2 + (SegmentState.base >> 2) + 1] = vmcs.high32(s.base);
    cpu.u32[slot2 + (SegmentState.limit >> 2)] = vmcs.u32(s.limit);
    cpu.u32[slot2 + (SegmentState.access >> 2)] = vmcs.u32(s.access) & (s.segment === Seg.cs ? 61695 : 127231);
    cpu.u32[slot2 + (SegmentState.selector >> 2)] = vmcs.u32(s.selector);
  }
  loadSlot(cpu, State.gdtrBase, vmcs, Field.guestGdtrBase);
  cpu.u32[State.gdtrLimit >> 2] = vmcs.u32(Field.guestGdtrLimit);
  loadSlot(cpu, State.idtrBase, vmcs, Field.guestIdtrBase);
  cpu.u32[State.idtrLimit >> 2] = vmcs.u32(Field.guestIdtrLimit);
  loadSlot(cpu, State.rip, vmcs, Field.guestRip);
  loadSlot(cpu, State.gpr + 4 * 8, vmcs, Field.guestRsp);
  cpu.flags = vmcs.u32(Field.guestRflags);
  cpu.setCpl((vmcs.u32(Field.guestSsAccessRights) & Ar.dpl) >> 5);
}
function saveGuestRegisters(cpu, vmcs, rflags) {
  const exit2 = vmcs.u32(Field.primaryVmExitControls);
  const { u32 } = cpu;
  let changed = saveSlot(cpu, State.cr0, vmcs, Field.guestCr0);
  changed |= saveSlot(cpu, State.cr3, vmcs, Field.guestCr3);
  changed |= saveSlot(cpu, State.cr4, vmcs, Field.guestCr4);
  if (exit2 & ExitControl.saveDebugControls) {
    changed |= saveSlot(cpu, State.dr + 56, vmcs, Field.guestDr7);
    changed |= saveSlot(cpu, State.debugctl, vmcs, Field.guestIa32Debugctl);
  }
  changed |= vmcs.saveHalves(Field.guestIa32SysenterCs, u32[State.sysenterCs >> 2], 0);
  changed |= saveSlot(cpu, State.sysenterEsp, vmcs, Field.guestIa32SysenterEsp);
  changed |= saveSlot(cpu, State.sysenterEip, vmcs, Field.guestIa32SysenterEip);
  if (exit2 & ExitControl.saveIa32Pat) changed |= saveSlot(cpu, State.pat, vmcs, Field.guestIa32Pat);
  if (exit2 & ExitControl.saveIa32Efer) changed |= saveSlot(cpu, State.efer, vmcs, Field.guestIa32Efer);
  const entry = vmcs.u32(Field.vmEntryControls) & ~EntryControl.ia32eModeGuest;
  changed |= vmcs.saveHalves(Field.vmEntryControls, entry | (cpu.longMode ? EntryControl.ia32eModeGuest : 0), 0);
  for (const s of GUEST_SEGMENTS) {
    const slot2 = State.segment + s.segment * SEGMENT_STRIDE >> 2;
    changed |= vmcs.saveHalves(s.base, u32[slot2 + (SegmentState.base >> 2)], u32[slot2 + (SegmentState.base >> 2) + 1]);
    changed |= vmcs.saveHalves(s.limit, u32[slot2 + (SegmentState.limit >> 2)], 0);
    changed |= vmcs.saveHalves(s.access, u32[slot2 + (SegmentState.access >> 2)], 0);
    changed |= vmcs.saveHalves(s.selector, u32[slot2 + (SegmentState.selector >> 2)], 0);
  }
  changed |= saveSlot(cpu, State.gdtrBase, vmcs, Field.guestGdtrBase);
  changed |= vmcs.saveHalves(Field.guestGdtrLimit, u32[State.gdtrLimit >> 2], 0);
  changed |= saveSlot(cpu, State.idtrBase, vmcs, Field.guestIdtrBase);
  changed |= vmcs.saveHalves(Field.guestIdtrLimit, u32[State.idtrLimit >> 2], 0);
  changed |= saveSlot(cpu, State.rip, vmcs, Field.guestRip);
  changed |= saveSlot(cpu, State.gpr + 4 * 8, vmcs, Field.guestRsp);
  if ((vmcs.u32(Field.guestRflags) ^ rflags) & Flag.VM) changed |= VIRTUAL_8086_CHANGED;
  return changed | vmcs.saveHalves(Field.guestRflags, rflags, 0);
}

// emulator/vmx/intercepts.ts
var VALID2 = 2147483648;
function exit(reason, parts = {}) {
  return {
    reason,
    qualification: parts.qualification ?? 0n,
    instructionLength: parts.instructionLength ?? 0,
    instructionInformation: parts.instructionInformation ?? 0,
    interruptionInformation: parts.interruptionInformation ?? 0,
    interruptionErrorCode: parts.interruptionErrorCode ?? 0,
    linear: parts.linear,
    gpa: parts.gpa,
    resumeFlag: parts.resumeFlag ?? "keep",
    duringDelivery: parts.duringDelivery ?? false
  };
}
function instructionExit(reason, length, qualification = 0n, instructionInformation3 = 0, linear) {
  return exit(reason, { qualification, instructionLength: length, instructionInformation: instructionInformation3, linear, resumeFlag: "clear" });
}
var INSTRUCTIONS = {
  CPUID: "always",
  GETSEC: "always",
  INVD: "always",
  XSETBV: "always",
  RSM: "always",
  VMCALL: "always",
  VMLAUNCH: "always",
  VMRESUME: "always",
  VMXOFF: "always",
  HLT: { primary: Primary.hltExiting },
  MWAIT: { primary: Primary.mwaitExiting },
  MONITOR: { primary: Primary.monitorExiting },
  PAUSE: { primary: Primary.pauseExiting },
  RDPMC: { primary: Primary.rdpmcExiting },
  RDTSC: { primary: Primary.rdtscExiting },
  RDTSCP: { primary: Primary.rdtscExiting, secondary: Secondary.enableRdtscp },
  INVPCID: { primary: Primary.invlpgExiting, secondary: Secondary.enableInvpcid },
  WBINVD: { secondary: Secondary.wbinvdExiting },
  RDRAND: { secondary: Secondary.rdrandExiting },
  RDSEED: { secondary: Secondary.rdseedExiting },
  XSAVES: "never",
  XRSTORS: "never",
  VMFUNC: "never"
};
var VMX_INSTRUCTIONS = {
  VMCALL: ExitReason.VMCALL,
  VMCLEAR: ExitReason.VMCLEAR,
  VMLAUNCH: ExitReason.VMLAUNCH,
  VMPTRLD: ExitReason.VMPTRLD,
  VMPTRST: ExitReason.VMPTRST,
  VMREAD: ExitReason.VMREAD,
  VMRESUME: ExitReason.VMRESUME,
  VMWRITE: ExitReason.VMWRITE,
  VMXOFF: ExitReason.VMXOFF,
  VMXON: ExitReason.VMXON,
  INVEPT: ExitReason.INVEPT,
  INVVPID: ExitReason.INVVPID
};
function secondaryControls(fields) {
  return fields.u32(Field.primaryProcessorBasedVmExecutionControls) & Primary.activateSecondaryControls ? fields.u32(Field.secondaryProcessorBasedVmExecutionControls) : 0;
}
function intercepts(controls, event) {
  const f = controls.fields;
  const primary2 = f.u32(Field.primaryProcessorBasedVmExecutionControls);
  switch (event.kind) {
    case "instruction": {
      const rule = INSTRUCTIONS[event.name];
      if (rule === "never") return void 0;
      if (rule !== "always") {
        if (rule.primary !== void 0 && !(primary2 & rule.primary)) return void 0;
        if (rule.secondary !== void 0 && !(secondaryControls(f) & rule.secondary)) return void 0;
      }
      return instructionExit(ExitReason[event.name], event.length);
    }
    case "vmx": {
      const reason = VMX_INSTRUCTIONS[event.name];
      return reason === void 0 ? void 0 : instructionExit(reason, event.length, event.qualification, event.information);
    }
    case "io":
      return ioExit(controls, primary2, event);
    case "rdmsr":
    case "wrmsr": {
      const exits3 = !(primary2 & Primary.useMsrBitmaps) || msrBitmapBit(controls, event.index, event.kind === "wrmsr");
      return exits3 ? instructionExit(event.kind === "rdmsr" ? ExitReason.RDMSR : ExitReason.WRMSR, event.length) : void 0;
    }
    case "cr":
      return crExit(f, primary2, event);
    case "dr": {
      if (!(primary2 & Primary.movDrExiting)) return void 0;
      const qualification = event.dr | (event.toDr ? 0 : 1 << 4) | event.register << 8;
      return instructionExit(ExitReason.MOV_DR, event.length, BigInt(qualification));
    }
    case "invlpg":
      return primary2 & Primary.invlpgExiting ? instructionExit(ExitReason.INVLPG, event.length, event.linear) : void 0;
    case "descriptor-table": {
      if (!(secondaryControls(f) & Secondary.descriptorTableExiting)) return void 0;
      const tables = event.name === "SGDT" || event.name === "SIDT" || event.name === "LGDT" || event.name === "LIDT";
      const reason = tables ? ExitReason.GDTR_IDTR_ACCESS : ExitReason.LDTR_TR_ACCESS;
      return instructionExit(reason, event.length, event.displacement, event.information);
    }
    case "exception":
      return exceptionExit(f, event);
    case "nmi":
      if (!(f.u32(Field.pinBasedVmExecutionControls) & Pin.nmiExiting)) return void 0;
      return exit(ExitReason.EXCEPTION_NMI, { interruptionInformation: (VALID2 | EventType.nmi << 8 | 2) >>> 0 });
    case "external-interrupt": {
      if (!(f.u32(Field.pinBasedVmExecutionControls) & Pin.externalInterruptExiting)) return void 0;
      const acknowledge = (f.u32(Field.primaryVmExitControls) & ExitControl.acknowledgeInterruptOnExit) !== 0;
      return exit(ExitReason.EXTERNAL_INTERRUPT, { interruptionInformation: acknowledge ? (VALID2 | event.vector) >>> 0 : 0 });
    }
    case "triple-fault":
      return exit(ExitReason.TRIPLE_FAULT);
    case "task-switch":
      return exit(ExitReason.TASK_SWITCH, {
        qualification: BigInt(event.selector) | BigInt(event.source) << 30n,
        instructionLength: event.length,
        duringDelivery: event.source === 3
      });
    case "ept-violation":
      return exit(ExitReason.EPT_VIOLATION, {
        qualification: event.qualification,
        gpa: event.gpa,
        linear: event.linear,
        resumeFlag: "set-unless-delivering",
        duringDelivery: true
      });
    case "ept-misconfiguration":
      return exit(ExitReason.EPT_MISCONFIGURATION, { gpa: event.gpa, resumeFlag: "set-unless-delivering", duringDelivery: true });
    case "mtf":
      return exit(ExitReason.MONITOR_TRAP_FLAG);
    case "interrupt-window":
      return primary2 & Primary.interruptWindowExiting ? exit(ExitReason.INTERRUPT_WINDOW) : void 0;
    case "nmi-window":
      return primary2 & Primary.nmiWindowExiting ? exit(ExitReason.NMI_WINDOW) : void 0;
  }
}
function ioExit(controls, primary2, event) {
  if (primary2 & Primary.useIoBitmaps) {
    if (!ioBitmapBits(controls, event.port, event.size)) return void 0;
  } else if (!(primary2 & Primary.unconditionalIoExiting)) return void 0;
  const qualification = event.size - 1 | (event.in ? 1 << 3 : 0) | (event.string ? 1 << 4 : 0) | (event.rep ? 1 << 5 : 0) | (event.immediate ? 1 << 6 : 0) | event.port << 16;
  let information = 0;
  if (event.string) {
    const addressSize = event.addressSize === 8 ? 2 : event.addressSize === 4 ? 1 : 0;
    information = addressSize << 7 | (event.in ? 0 : (event.segment ?? 0) << 15);
  }
  return instructionExit(ExitReason.IO_INSTRUCTION, event.length, BigInt(qualification >>> 0), information, event.linear);
}
function ioBitmapBits(controls, port, size) {
  if (port + size > 65536) return true;
  for (let p = port; p < port + size; p++) {
    const bitmap = controls.fields.address(p < 32768 ? Field.ioBitmapA : Field.ioBitmapB);
    const bit = p & 32767;
    if (controls.readBitmapByte(bitmap + (bit >> 3)) >> (bit & 7) & 1) return true;
  }
  return false;
}
function msrBitmapBit(controls, index, write) {
  const unsigned = index >>> 0;
  const high = unsigned >= 3221225472;
  const bit = high ? unsigned - 3221225472 : unsigned;
  if (bit > 8191) return true;
  const bitmap = controls.fields.address(Field.msrBitmaps) + (write ? 2048 : 0) + (high ? 1024 : 0);
  return (controls.readBitmapByte(bitmap + (bit >> 3)) >> (bit & 7) & 1) !== 0;
}
function crExit(f, primary2, event) {
  const type = { "mov-to": 0, "mov-from": 1, clts: 2, lmsw: 3 }[event.access];
  if (!crIntercepted(f, primary2, event)) return void 0;
  let qualification = event.cr | type << 4;
  if (event.access === "lmsw") qualification |= (event.linear !== void 0 ? 1 << 6 : 0) | Number(event.value & 0xffffn) << 16;
  else if (event.access !== "clts") qualification |= event.register << 8;
  return instructionExit(ExitReason.CR_ACCESS, event.length, BigInt(qualification >>> 0), 0, event.linear);
}
function crIntercepted(f, primary2, event) {
  if (event.access === "mov-from") {
    if (event.cr === 3) return (primary2 & Primary.cr3StoreExiting) !== 0;
    return event.cr === 8 && (primary2 & Primary.cr8StoreExiting) !== 0;
  }
  if (event.cr === 8) return (primary2 & Primary.cr8LoadExiting) !== 0;
  if (event.cr === 3) return (primary2 & Primary.cr3LoadExiting) !== 0 && !isCr3Target(f, event.value);
  const mask = f.u64(event.cr === 0 ? Field.cr0GuestHostMask : Field.cr4GuestHostMask);
  const shadow = f.u64(event.cr === 0 ? Field.cr0ReadShadow : Field.cr4ReadShadow);
  if (event.access === "clts") return (mask & shadow & 8n) !== 0n;
  const differing = (event.value ^ shadow) & mask;
  if (event.access === "mov-to") return differing !== 0n;
  return (differing & 0xen) !== 0n || (differing & event.value & 1n) !== 0n;
}
function isCr3Target(f, value) {
  const count = f.u32(Field.cr3TargetCount);
  const targets = [Field.cr3TargetValue0, Field.cr3TargetValue1, Field.cr3TargetValue2, Field.cr3TargetValue3];
  return targets.some((target, n) => n < count && f.u64(target) === value);
}
function exceptionExit(f, event) {
  let bit = f.u32(Field.exceptionBitmap) >>> event.vector & 1;
  if (event.vector === 14) {
    const matches2 = ((event.errorCode ?? 0) & f.u32(Field.pageFaultErrorCodeMask)) >>> 0 === f.u32(Field.pageFaultErrorCodeMatch);
    if (!matches2) bit ^= 1;
  }
  if (bit === 0) return void 0;
  const hasError = event.errorCode !== void 0;
  const software = event.type !== EventType.hardwareException;
  return exit(ExitReason.EXCEPTION_NMI, {
    qualification: event.vector === 1 || event.vector === 14 ? event.qualification : 0n,
    instructionLength: software ? event.length : 0,
    interruptionInformation: (VALID2 | (hasError ? 1 << 11 : 0) | event.type << 8 | event.vector) >>> 0,
    interruptionErrorCode: event.errorCode ?? 0,
    // As the RFLAGS image on the stack would have it: 1 for faults; #DB, #DF, #MC and software exceptions leave it as it is.
    resumeFlag: software || event.vector === 1 || event.vector === 8 || event.vector === 18 ? "keep" : "set",
    // A double fault that causes the VM exit itself is not an exit during event delivery.
    duringDelivery: event.vector !== 8 || software
  });
}

// emulator/vmx/host-state.ts
var CODE642 = 41115;
var CODE322 = 49307;
var DATA2 = 49299;
var BUSY_TSS = 139;
var UNUSABLE = 65536;
var FULL_LIMIT = 4294967295;
var CR4_PAE3 = 32;
var CR4_PCIDE2 = 131072;
var BLOCKING_BY_NMI = 8;
function loadHostState(cpu, vmcs, byNmi) {
  const exit2 = vmcs.u32(Field.primaryVmExitControls);
  const host642 = (exit2 & ExitControl.hostAddressSpaceSize) !== 0;
  const usedVpid = (secondaryControls(vmcs) & Secondary.enableVpid) !== 0;
  cpu.set32(State.vmxMode, VmxMode.root);
  cpu.u32[State.cr0 >> 2] = vmcs.u32(Field.hostCr0) & ~CR0_KEPT | cpu.u32[State.cr0 >> 2] & CR0_KEPT;
  cpu.u32[(State.cr0 >> 2) + 1] = 0;
  loadSlot(cpu, State.cr3, vmcs, Field.hostCr3);
  loadSlot(cpu, State.cr4, vmcs, Field.hostCr4);
  if (host642) cpu.u32[State.cr4 >> 2] |= CR4_PAE3;
  else cpu.u32[State.cr4 >> 2] &= ~CR4_PCIDE2;
  cpu.set64(State.dr + 56, 0x400n);
  cpu.set64(State.debugctl, 0n);
  loadSlot(cpu, State.sysenterCs, vmcs, Field.hostIa32SysenterCs);
  loadSlot(cpu, State.sysenterEsp, vmcs, Field.hostIa32SysenterEsp);
  loadSlot(cpu, State.sysenterEip, vmcs, Field.hostIa32SysenterEip);
  setLongMode(cpu, host642, true);
  if (exit2 & ExitControl.loadIa32Pat) loadSlot(cpu, State.pat, vmcs, Field.hostIa32Pat);
  if (exit2 & ExitControl.loadIa32Efer) loadSlot(cpu, State.efer, vmcs, Field.hostIa32Efer);
  const fsBase = vmcs.u64(Field.hostFsBase);
  const gsBase = vmcs.u64(Field.hostGsBase);
  cpu.setSegment(Seg.cs, vmcs.u32(Field.hostCsSelector), 0n, FULL_LIMIT, host642 ? CODE642 : CODE322);
  loadData2(cpu, Seg.ss, vmcs.u32(Field.hostSsSelector), 0n);
  loadData2(cpu, Seg.ds, vmcs.u32(Field.hostDsSelector), 0n);
  loadData2(cpu, Seg.es, vmcs.u32(Field.hostEsSelector), 0n);
  loadData2(cpu, Seg.fs, vmcs.u32(Field.hostFsSelector), fsBase);
  loadData2(cpu, Seg.gs, vmcs.u32(Field.hostGsSelector), gsBase);
  cpu.setSegment(Seg.tr, vmcs.u32(Field.hostTrSelector), vmcs.u64(Field.hostTrBase), 103, BUSY_TSS);
  cpu.setSegment(Seg.ldtr, 0, 0n, 0, UNUSABLE);
  loadSlot(cpu, State.gdtrBase, vmcs, Field.hostGdtrBase);
  cpu.set32(State.gdtrLimit, 65535);
  loadSlot(cpu, State.idtrBase, vmcs, Field.hostIdtrBase);
  cpu.set32(State.idtrLimit, 65535);
  loadSlot(cpu, State.rip, vmcs, Field.hostRip);
  loadSlot(cpu, State.gpr + 4 * 8, vmcs, Field.hostRsp);
  if (!host642) cpu.u32[(State.gpr + 4 * 8 >> 2) + 1] = 0;
  cpu.flags = 2;
  cpu.setCpl(0);
  cpu.set32(State.activity, 0);
  cpu.set32(State.interruptibility, byNmi ? BLOCKING_BY_NMI : cpu.get32(State.interruptibility) & BLOCKING_BY_NMI);
  cpu.set32(State.pendingDebug, 0);
  cpu.set32(State.pendingEventInfo, 0);
  cpu.set32(State.vectoringInfo, 0);
  cpu.set32(State.vectoringError, 0);
  cpu.set32(State.vectoringLength, 0);
  cpu.set32(State.pendingKind, 0);
  cpu.set32(State.boundary, 0);
  cpu.set32(VmxState.monitorTrap, MonitorTrap.off);
  cpu.set64(VmxState.tscOffset, 0n);
  cpu.setF64(State.eptPointer, 0);
  cpu.set32(State.eptMode, 0);
  cpu.set32(State.vpid, 0);
  const pdptesLoaded = !paePaging(cpu) || cpu.mmu.loadPdptes(cpu, cpu.cr3) === "loaded";
  cpu.modeChanged();
  if (!usedVpid) cpu.mmu.flushCurrentContext(cpu);
  return pdptesLoaded;
}
function loadData2(cpu, segment, selector, base) {
  cpu.setSegment(segment, selector, base, FULL_LIMIT, selector === 0 ? UNUSABLE : DATA2);
}

// emulator/vmx/msr-areas.ts
var ENTRY_BYTES = 16;
var IA32_BIOS_UPDT_TRIG = 121;
var IA32_SMM_MONITOR_CTL = 155;
var IA32_SMBASE = 158;
function loadMsrArea(vmx2, cpu, address, count) {
  for (let n = 0; n < count; n++) {
    const entry = address + n * ENTRY_BYTES;
    const index = vmx2.memory.read32(entry);
    const reserved = vmx2.memory.read32(entry + 4);
    const refused = index === Msr.IA32_FS_BASE || index === Msr.IA32_GS_BASE || index === IA32_SMM_MONITOR_CTL || index === IA32_BIOS_UPDT_TRIG;
    if (reserved !== 0 || refused || !vmx2.msrs.writeMsr(cpu, index, vmx2.memory.read64(entry + 8))) return n + 1;
  }
  return 0;
}
function storeMsrArea(vmx2, cpu, address, count) {
  for (let n = 0; n < count; n++) {
    const entry = address + n * ENTRY_BYTES;
    const index = vmx2.memory.read32(entry);
    if (vmx2.memory.read32(entry + 4) !== 0 || index === IA32_SMBASE) return n + 1;
    const value = vmx2.msrs.readMsr(cpu, index);
    if (value === void 0) return n + 1;
    vmx2.memory.write64(entry + 8, value);
  }
  return 0;
}

// emulator/vmx/vmx-context.ts
function currentPointer(cpu) {
  return cpu.getF64(State.currentVmcs);
}
function currentVmcs2(vmx2, cpu) {
  return vmx2.vmcs.select(currentPointer(cpu));
}

// emulator/vmx/exit.ts
var VALID3 = 2147483648;
var PENDING_DEBUG_BITS = 20495;
var AbortReason = { savingMsrs: 1, hostPdptes: 2, loadingHostMsrs: 4 };
function commitExit(vmx2, cpu, decision) {
  const vmcs = currentVmcs2(vmx2, cpu);
  const rip = cpu.rip;
  const vectoring = decision.duringDelivery ? cpu.get32(State.vectoringInfo) : 0;
  const instructionLength = recordInformation(cpu, vmcs, decision, vectoring);
  const changed = saveGuestRegisters(cpu, vmcs, rflagsImage(cpu, decision, vectoring)) | saveNonRegisterState(cpu, vmcs, decision);
  cpu.u32[VmxState.changed >> 2] |= changed;
  const { vmcs: view } = vmx2;
  const stored = storeMsrArea(vmx2, cpu, view.address(Field.vmExitMsrStoreAddress), view.u32(Field.vmExitMsrStoreCount));
  vmx2.clock.charge(cpu, "exit");
  loadHost(vmx2, cpu, vmcs, stored, decision);
  vmx2.observer.exit(cpu, {
    reason: exitReasonName(decision.reason),
    reasonNumber: decision.reason,
    qualification: decision.qualification,
    rip,
    gpa: decision.gpa === void 0 ? void 0 : BigInt(decision.gpa),
    linear: decision.linear,
    instructionLength,
    interruptionInfo: decision.interruptionInformation,
    interruptionError: decision.interruptionErrorCode,
    vmcs: vmcs.pointer
  });
}
function commitEntryFailure(vmx2, cpu, reason, qualification) {
  const vmcs = currentVmcs2(vmx2, cpu);
  vmcs.setU32(Field.vmExitReason, (reason | ENTRY_FAILURE_BIT) >>> 0);
  vmcs.setHalves(Field.exitQualification, qualification, 0);
  vmcs.noteWritten();
  vmx2.clock.charge(cpu, "exit");
  loadHost(vmx2, cpu, vmcs, 0, void 0);
}
function loadHost(vmx2, cpu, vmcs, storedEntry, decision) {
  if (storedEntry !== 0) {
    abort(vmx2, cpu, vmcs, AbortReason.savingMsrs);
    return;
  }
  const byNmi = decision?.reason === ExitReason.EXCEPTION_NMI && (decision.interruptionInformation >>> 8 & 7) === EventType.nmi;
  if (!loadHostState(cpu, vmcs, byNmi)) {
    abort(vmx2, cpu, vmcs, AbortReason.hostPdptes);
    return;
  }
  const count = vmcs.u32(Field.vmExitMsrLoadCount);
  if (count === 0) return;
  if (loadMsrArea(vmx2, cpu, vmcs.address(Field.vmExitMsrLoadAddress), count) !== 0) abort(vmx2, cpu, vmcs, AbortReason.loadingHostMsrs);
  else cpu.modeChanged();
}
function abort(vmx2, cpu, vmcs, indicator) {
  vmcs.abortIndicator = indicator;
  vmcs.noteWritten();
  cpu.set32(State.activity, Activity.shutdown);
  vmx2.observer.abort?.(cpu, indicator, VMX_ABORT_REASONS[indicator]);
}
function recordInformation(cpu, vmcs, d, vectoring) {
  const isVectoring = (vectoring & VALID3) !== 0;
  const vectoringType = vectoring >>> 8 & 7;
  const softwareDelivery = isVectoring && vectoringType >= EventType.softwareInterrupt && vectoringType <= EventType.softwareException;
  const length = softwareDelivery ? cpu.get32(State.vectoringLength) : d.instructionLength;
  vmcs.setU32(Field.vmExitReason, d.reason);
  vmcs.setU64(Field.exitQualification, d.qualification);
  vmcs.setU64(Field.guestLinearAddress, d.linear ?? 0n);
  vmcs.setU64(Field.guestPhysicalAddress, d.gpa === void 0 ? 0n : BigInt(d.gpa));
  vmcs.setU32(Field.vmExitInterruptionInformation, d.interruptionInformation);
  vmcs.setU32(Field.vmExitInterruptionErrorCode, d.interruptionErrorCode);
  vmcs.setU32(Field.idtVectoringInformation, isVectoring ? vectoring & 2147487743 : 0);
  vmcs.setU32(Field.idtVectoringErrorCode, isVectoring && vectoring & 2048 ? cpu.get32(State.vectoringError) : 0);
  vmcs.setU32(Field.vmExitInstructionLength, length);
  vmcs.setU32(Field.vmExitInstructionInformation, d.instructionInformation);
  const injection = vmcs.u32(Field.vmEntryInterruptionInformation);
  cpu.u32[VmxState.changed >> 2] |= vmcs.saveHalves(Field.vmEntryInterruptionInformation, injection & ~VALID3, 0);
  return length;
}
function rflagsImage(cpu, d, vectoring) {
  const flags = cpu.flags;
  switch (d.resumeFlag) {
    case "clear":
      return flags & ~Flag.RF;
    case "set":
      return flags | Flag.RF;
    case "keep":
      return flags;
    case "set-unless-delivering": {
      if (!(vectoring & VALID3)) return flags | Flag.RF;
      const fault = (vectoring >>> 8 & 7) === EventType.hardwareException && FAULT_CLASS_VECTORS.includes(vectoring & 255);
      return fault ? flags | Flag.RF : flags;
    }
  }
}
function saveNonRegisterState(cpu, vmcs, d) {
  const interruptibility = cpu.get32(State.interruptibility);
  let changed = vmcs.saveHalves(Field.guestActivityState, cpu.get32(State.activity), 0);
  changed |= vmcs.saveHalves(Field.guestInterruptibilityState, interruptibility, 0);
  const keepsPending = d.reason === ExitReason.MONITOR_TRAP_FLAG || (interruptibility & Interruptibility.blockingByMovSs) !== 0;
  const pending = keepsPending ? cpu.get32(State.pendingDebug) & PENDING_DEBUG_BITS : 0;
  changed |= vmcs.saveHalves(Field.guestPendingDebugExceptions, pending, 0);
  if (cpu.getF64(State.eptPointer) !== 0 && !cpu.longMode) {
    const pdptes2 = [Field.guestPdpte0, Field.guestPdpte1, Field.guestPdpte2, Field.guestPdpte3];
    pdptes2.forEach((field, n) => changed |= saveSlot(cpu, State.pdpte + n * 8, vmcs, field));
  }
  vmcs.noteWritten();
  return changed;
}

// emulator/vmx/checks/check-row.ts
function section(title, outcome, rows) {
  return rows.map((row2) => ({
    name: row2.name,
    section: title,
    sentence: row2.sentence,
    outcome,
    qualification: row2.qualification ?? 0,
    fields: row2.fields,
    conditions: row2.conditions ?? [],
    msrs: row2.msrs ?? [],
    looksOutside: row2.looksOutside ?? false,
    holds: row2.holds
  }));
}
var SECONDARY_FIELDS = [Field.primaryProcessorBasedVmExecutionControls, Field.secondaryProcessorBasedVmExecutionControls];
function primary(c) {
  return c.u32(Field.primaryProcessorBasedVmExecutionControls);
}
function secondary(c) {
  return primary(c) & Primary.activateSecondaryControls ? c.u32(Field.secondaryProcessorBasedVmExecutionControls) : 0;
}
function unrestrictedGuest(c) {
  return (secondary(c) & Secondary.unrestrictedGuest) !== 0;
}
function eptEnabled(c) {
  return (secondary(c) & Secondary.enableEpt) !== 0;
}
function ia32eModeGuest(c) {
  return (c.u32(Field.vmEntryControls) & EntryControl.ia32eModeGuest) !== 0;
}
function entryControl(c, mask) {
  return (c.u32(Field.vmEntryControls) & mask) !== 0;
}
function host64(c) {
  return (c.u32(Field.primaryVmExitControls) & ExitControl.hostAddressSpaceSize) !== 0;
}
function exitControl(c, mask) {
  return (c.u32(Field.primaryVmExitControls) & mask) !== 0;
}
function canonical2(c, field) {
  const top = (c.high32(field) | 0) >> c.capabilities.model.linearBits - 33;
  return top === 0 || top === -1;
}
function withinPhysicalWidth2(c, field) {
  return c.high32(field) >>> c.capabilities.model.maxPhyAddr - 32 === 0;
}
function pageAligned(c, field) {
  return (c.u32(field) & 4095) === 0;
}
function patValid(c, field) {
  for (const word of [c.u32(field), c.high32(field)]) {
    for (let shift2 = 0; shift2 < 32; shift2 += 8) {
      const type = word >>> shift2 & 255;
      if (type > 7 || type === 2 || type === 3) return false;
    }
  }
  return true;
}
function eferReservedClear(c, field) {
  const defined = c.capabilities.model.features.has("nx") ? 3329 : 1281;
  return (c.u32(field) & ~defined) === 0 && c.high32(field) === 0;
}
function fixedBits(c, field, fixed0, fixed1, unchecked = 0) {
  const value = c.u32(field);
  const must1 = Number(fixed0) & ~unchecked;
  const may1 = Number(fixed1) | unchecked;
  return (value & must1) === must1 && (value & ~may1) === 0 && c.high32(field) === 0;
}

// emulator/vmx/checks/control-checks.ts
var PRIMARY_FIELD = Field.primaryProcessorBasedVmExecutionControls;
var SECONDARY_FIELD = Field.secondaryProcessorBasedVmExecutionControls;
var INFO = Field.vmEntryInterruptionInformation;
function reservedBits(name, field, msr, capability) {
  return {
    name: `${name}: reserved bits`,
    sentence: `Reserved bits of the ${name} must be set as the capability MSR says: bits that are 1 in its low half must be 1, bits that are 0 in its high half must be 0.`,
    fields: [field],
    msrs: [msr],
    holds: (c) => {
      const { allowed0, allowed1 } = c.capabilities.controls[capability];
      const value = c.u32(field);
      return (value & allowed0) >>> 0 === allowed0 && (value & ~allowed1) === 0;
    }
  };
}
function pageAddress(field, control, conditions3, used) {
  return [
    {
      name: `${field.name}: alignment`,
      sentence: `If \u201C${control}\u201D is 1, bits 11:0 of ${field.name} must be 0.`,
      fields: [field],
      conditions: conditions3,
      holds: (c) => !used(c) || pageAligned(c, field)
    },
    {
      name: `${field.name}: physical-address width`,
      sentence: `If \u201C${control}\u201D is 1, ${field.name} must not set any bit beyond the processor's physical-address width.`,
      fields: [field],
      conditions: conditions3,
      holds: (c) => !used(c) || withinPhysicalWidth2(c, field)
    }
  ];
}
function msrArea(address, count) {
  return [
    {
      name: `${address.name}: alignment`,
      sentence: `If ${count.name} is not 0, bits 3:0 of ${address.name} must be 0.`,
      fields: [address, count],
      holds: (c) => c.u32(count) === 0 || (c.u32(address) & 15) === 0
    },
    {
      name: `${address.name}: physical-address width`,
      sentence: `If ${count.name} is not 0, neither ${address.name} nor the address of the last byte of the area (address + count \xD7 16 - 1) may set any bit beyond the processor's physical-address width.`,
      fields: [address, count],
      holds: (c) => c.u32(count) === 0 || withinPhysicalWidth2(c, address) && c.address(address) + c.u32(count) * 16 <= 2 ** c.capabilities.model.maxPhyAddr
    }
  ];
}
var usesIoBitmaps = (c) => (primary(c) & Primary.useIoBitmaps) !== 0;
var usesMsrBitmaps = (c) => (primary(c) & Primary.useMsrBitmaps) !== 0;
var executionControls = section("VM-Execution Control Fields", "control", [
  reservedBits("pin-based VM-execution controls", Field.pinBasedVmExecutionControls, VmxMsr.truePinbasedCtls, "pin"),
  reservedBits("primary processor-based VM-execution controls", PRIMARY_FIELD, VmxMsr.trueProcbasedCtls, "primary"),
  {
    name: "secondary processor-based VM-execution controls: reserved bits",
    sentence: "If \u201Cactivate secondary controls\u201D is 1, reserved bits of the secondary processor-based VM-execution controls must be cleared: bits that are 0 in the high half of the capability MSR must be 0.",
    fields: [SECONDARY_FIELD],
    conditions: [PRIMARY_FIELD],
    msrs: [VmxMsr.procbasedCtls2],
    holds: (c) => (secondary(c) & ~c.capabilities.controls.secondary.allowed1) === 0
  },
  {
    name: "CR3_TARGET_COUNT",
    sentence: "The CR3-target count must not be greater than 4.",
    fields: [Field.cr3TargetCount],
    msrs: [VmxMsr.misc],
    holds: (c) => c.u32(Field.cr3TargetCount) <= c.capabilities.cr3Targets
  },
  ...pageAddress(Field.ioBitmapA, "use I/O bitmaps", [PRIMARY_FIELD], usesIoBitmaps),
  ...pageAddress(Field.ioBitmapB, "use I/O bitmaps", [PRIMARY_FIELD], usesIoBitmaps),
  ...pageAddress(Field.msrBitmaps, "use MSR bitmaps", [PRIMARY_FIELD], usesMsrBitmaps),
  {
    name: "VIRTUAL_PROCESSOR_IDENTIFIER",
    sentence: "If \u201Cenable VPID\u201D is 1, the virtual-processor identifier must not be 0000H.",
    fields: [Field.virtualProcessorIdentifier],
    conditions: SECONDARY_FIELDS,
    holds: (c) => !(secondary(c) & Secondary.enableVpid) || c.u32(Field.virtualProcessorIdentifier) !== 0
  },
  {
    name: "EPT_POINTER: memory type",
    sentence: "If \u201Cenable EPT\u201D is 1, bits 2:0 of the EPTP must be a memory type that the processor supports for EPT paging structures: 0 (uncacheable) or 6 (write-back).",
    fields: [Field.eptPointer],
    conditions: SECONDARY_FIELDS,
    msrs: [VmxMsr.eptVpidCap],
    holds: (c) => !eptEnabled(c) || eptpMemoryType(c.capabilities.eptVpidCap, c.u32(Field.eptPointer))
  },
  {
    name: "EPT_POINTER: page-walk length",
    sentence: "If \u201Cenable EPT\u201D is 1, bits 5:3 of the EPTP must be 3, one less than the EPT page-walk length of 4.",
    fields: [Field.eptPointer],
    conditions: SECONDARY_FIELDS,
    msrs: [VmxMsr.eptVpidCap],
    holds: (c) => !eptEnabled(c) || (c.u32(Field.eptPointer) >> 3 & 7) === 3
  },
  {
    name: "EPT_POINTER: accessed and dirty flags",
    sentence: "If \u201Cenable EPT\u201D is 1, bit 6 of the EPTP must be 0 if the processor does not support accessed and dirty flags for EPT.",
    fields: [Field.eptPointer],
    conditions: SECONDARY_FIELDS,
    msrs: [VmxMsr.eptVpidCap],
    holds: (c) => !eptEnabled(c) || eptpAccessedDirty(c.capabilities.eptVpidCap, c.u32(Field.eptPointer))
  },
  {
    name: "EPT_POINTER: reserved bits",
    sentence: "If \u201Cenable EPT\u201D is 1, reserved bits 11:7 of the EPTP and those beyond the physical-address width must be 0.",
    fields: [Field.eptPointer],
    conditions: SECONDARY_FIELDS,
    holds: (c) => !eptEnabled(c) || (c.u32(Field.eptPointer) & 3968) === 0 && withinPhysicalWidth2(c, Field.eptPointer)
  },
  {
    name: "\u201Cunrestricted guest\u201D needs \u201Cenable EPT\u201D",
    sentence: "If \u201Cunrestricted guest\u201D is 1, \u201Cenable EPT\u201D must also be 1.",
    fields: [SECONDARY_FIELD],
    conditions: [PRIMARY_FIELD],
    holds: (c) => !unrestrictedGuest(c) || eptEnabled(c)
  }
]);
function eptpMemoryType(eptVpidCap, eptp) {
  const type = eptp & 7;
  return type === 0 && (eptVpidCap & 1n << 8n) !== 0n || type === 6 && (eptVpidCap & 1n << 14n) !== 0n;
}
function eptpAccessedDirty(eptVpidCap, eptp) {
  return (eptp & 64) === 0 || (eptVpidCap & 1n << 21n) !== 0n;
}
function eptpValid(eptVpidCap, maxPhyAddr, eptp) {
  const low = Number(eptp & 0xfffn);
  return eptpMemoryType(eptVpidCap, low) && (low >> 3 & 7) === 3 && eptpAccessedDirty(eptVpidCap, low) && (low & 3968) === 0 && eptp >> BigInt(maxPhyAddr) === 0n;
}
var exitControls = section("VM-Exit Control Fields", "control", [
  reservedBits("primary VM-exit controls", Field.primaryVmExitControls, VmxMsr.trueExitCtls, "exit"),
  ...msrArea(Field.vmExitMsrStoreAddress, Field.vmExitMsrStoreCount),
  ...msrArea(Field.vmExitMsrLoadAddress, Field.vmExitMsrLoadCount)
]);
var injectedType = (c) => c.u32(INFO) & 2147483648 ? c.u32(INFO) >> 8 & 7 : -1;
var injectedVector = (c) => c.u32(INFO) & 255;
var deliversErrorCode = (c) => (c.u32(INFO) & 2048) !== 0;
var entryControls = section("VM-Entry Control Fields", "control", [
  reservedBits("VM-entry controls", Field.vmEntryControls, VmxMsr.trueEntryCtls, "entry"),
  {
    name: "event injection: interruption type",
    sentence: "If the VM-entry interruption-information field is valid, its interruption type (bits 10:8) must not be 1, which is reserved.",
    fields: [INFO],
    holds: (c) => injectedType(c) !== 1
  },
  {
    name: "event injection: vector",
    sentence: "If the VM-entry interruption-information field is valid, its vector must fit its type: 2 for an NMI, at most 31 for a hardware exception, 0 (pending MTF VM exit) for an other event.",
    fields: [INFO],
    holds: (c) => {
      const type = injectedType(c);
      if (type === EventType.nmi) return injectedVector(c) === 2;
      if (type === EventType.hardwareException) return injectedVector(c) <= 31;
      return type !== OTHER_EVENT || injectedVector(c) === 0;
    }
  },
  {
    name: "event injection: error code only with a hardware exception",
    sentence: "If the VM-entry interruption-information field is valid, its deliver-error-code bit (bit 11) must be 0 unless the interruption type is hardware exception.",
    fields: [INFO],
    holds: (c) => injectedType(c) < 0 || injectedType(c) === EventType.hardwareException || !deliversErrorCode(c)
  },
  {
    name: "event injection: error code in real-address mode",
    sentence: "If \u201Cunrestricted guest\u201D is 1 and CR0.PE is 0 in the guest-state area, the deliver-error-code bit must be 0.",
    fields: [INFO, Field.guestCr0],
    conditions: SECONDARY_FIELDS,
    holds: (c) => injectedType(c) !== EventType.hardwareException || !deliversErrorCode(c) || !unrestrictedGuest(c) || (c.u32(Field.guestCr0) & 1) !== 0
  },
  {
    name: "event injection: error code of the vector",
    sentence: "For a hardware exception injected into protected mode, the deliver-error-code bit must be 1 if the vector delivers an error code (8, 10 to 14 and 17) and 0 otherwise.",
    fields: [INFO, Field.guestCr0],
    conditions: SECONDARY_FIELDS,
    holds: (c) => {
      if (injectedType(c) !== EventType.hardwareException) return true;
      if (unrestrictedGuest(c) && !(c.u32(Field.guestCr0) & 1)) return true;
      const delivers = injectedVector(c) !== 21 && VECTORS_WITH_ERROR_CODE.includes(injectedVector(c));
      return deliversErrorCode(c) === delivers;
    }
  },
  {
    name: "event injection: reserved bits",
    sentence: "If the VM-entry interruption-information field is valid, its reserved bits 30:12 must be 0.",
    fields: [INFO],
    holds: (c) => injectedType(c) < 0 || (c.u32(INFO) & 2147479552) === 0
  },
  {
    name: "VM_ENTRY_EXCEPTION_ERROR_CODE",
    sentence: "If the deliver-error-code bit is 1, bits 31:16 of the VM-entry exception error-code field must be 0.",
    fields: [Field.vmEntryExceptionErrorCode, INFO],
    holds: (c) => injectedType(c) < 0 || !deliversErrorCode(c) || c.u32(Field.vmEntryExceptionErrorCode) >>> 16 === 0
  },
  {
    name: "VM_ENTRY_INSTRUCTION_LENGTH",
    sentence: "If the injected event is a software interrupt, software exception or privileged software exception, the VM-entry instruction-length field must be 1 to 15.",
    fields: [Field.vmEntryInstructionLength, INFO],
    holds: (c) => {
      const type = injectedType(c);
      const length = c.u32(Field.vmEntryInstructionLength);
      return type < EventType.softwareInterrupt || type > EventType.softwareException || length >= 1 && length <= 15;
    }
  },
  ...msrArea(Field.vmEntryMsrLoadAddress, Field.vmEntryMsrLoadCount)
]);
var CONTROL_CHECKS = [...executionControls, ...exitControls, ...entryControls];

// emulator/vmx/checks/guest-non-register-checks.ts
var INFO2 = Field.vmEntryInterruptionInformation;
var ACTIVITY = Field.guestActivityState;
var INTERRUPTIBILITY = Field.guestInterruptibilityState;
var PENDING = Field.guestPendingDebugExceptions;
var LINK = Field.vmcsLinkPointer;
var BLOCKING_BY_STI = 1;
var BLOCKING_BY_MOV_SS = 2;
var injectedType2 = (c) => c.u32(INFO2) & 2147483648 ? c.u32(INFO2) >> 8 & 7 : -1;
var injectedVector2 = (c) => c.u32(INFO2) & 255;
var linkUsed = (c) => c.u32(LINK) !== 4294967295 || c.high32(LINK) !== 4294967295;
function injectionAllowed(c) {
  const type = injectedType2(c);
  if (type < 0) return true;
  const vector = injectedVector2(c);
  switch (c.u32(ACTIVITY)) {
    case 1:
      if (type === EventType.hardwareException) return vector === 1 || vector === 18;
      return type === EventType.externalInterrupt || type === EventType.nmi || type === OTHER_EVENT;
    case 2:
      return type === EventType.nmi || type === EventType.hardwareException && vector === 18;
    case 3:
      return false;
    default:
      return true;
  }
}
function singleStepMatters(c) {
  return (c.u32(INTERRUPTIBILITY) & (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS)) !== 0 || c.u32(ACTIVITY) === 1;
}
var singleStepping = (c) => (c.u32(Field.guestRflags) & 256) !== 0 && (c.u32(Field.guestIa32Debugctl) & 2) === 0;
var nonRegister = section("Checks on Guest Non-Register State", "guest", [
  {
    name: "GUEST_ACTIVITY_STATE",
    sentence: "The activity-state field must be 0 (active), 1 (HLT) or 2 (shutdown), the values that IA32_VMX_MISC reports.",
    fields: [ACTIVITY],
    holds: (c) => c.u32(ACTIVITY) <= 2
  },
  {
    name: "GUEST_ACTIVITY_STATE: HLT needs privilege level 0",
    sentence: "The activity state must not be HLT if the DPL (bits 6:5) of the SS access rights is not 0.",
    fields: [ACTIVITY, Field.guestSsAccessRights],
    holds: (c) => c.u32(ACTIVITY) !== 1 || (c.u32(Field.guestSsAccessRights) & 96) === 0
  },
  {
    name: "GUEST_ACTIVITY_STATE: active while events are blocked",
    sentence: "The activity state must be active if the interruptibility state indicates blocking by STI or by MOV SS.",
    fields: [ACTIVITY, INTERRUPTIBILITY],
    holds: (c) => c.u32(ACTIVITY) === 0 || (c.u32(INTERRUPTIBILITY) & (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS)) === 0
  },
  {
    name: "GUEST_ACTIVITY_STATE: injected event",
    sentence: "An injected event must be one that the activity state allows: in HLT an external interrupt, NMI, #DB, #MC or pending MTF VM exit; in shutdown an NMI or #MC.",
    fields: [ACTIVITY, INFO2],
    holds: injectionAllowed
  },
  {
    name: "GUEST_INTERRUPTIBILITY_STATE: reserved bits",
    sentence: "Bits 31:5 of the interruptibility state must be 0, and bit 4 (enclave interruption) on a processor without SGX.",
    fields: [INTERRUPTIBILITY],
    holds: (c) => c.u32(INTERRUPTIBILITY) >>> 4 === 0
  },
  {
    name: "GUEST_INTERRUPTIBILITY_STATE: STI and MOV SS",
    sentence: "The interruptibility state must not indicate both blocking by STI and blocking by MOV SS.",
    fields: [INTERRUPTIBILITY],
    holds: (c) => (c.u32(INTERRUPTIBILITY) & 3) !== 3
  },
  {
    name: "GUEST_INTERRUPTIBILITY_STATE: STI needs IF",
    sentence: "Blocking by STI must be 0 if the IF flag (bit 9) of GUEST_RFLAGS is 0.",
    fields: [INTERRUPTIBILITY, Field.guestRflags],
    holds: (c) => !(c.u32(INTERRUPTIBILITY) & BLOCKING_BY_STI) || (c.u32(Field.guestRflags) & 512) !== 0
  },
  {
    name: "GUEST_INTERRUPTIBILITY_STATE: injected external interrupt",
    sentence: "Blocking by STI and blocking by MOV SS must be 0 if VM entry injects an external interrupt.",
    fields: [INTERRUPTIBILITY, INFO2],
    holds: (c) => injectedType2(c) !== EventType.externalInterrupt || (c.u32(INTERRUPTIBILITY) & 3) === 0
  },
  {
    name: "GUEST_INTERRUPTIBILITY_STATE: injected NMI",
    sentence: "Blocking by MOV SS must be 0 if VM entry injects a non-maskable interrupt.",
    fields: [INTERRUPTIBILITY, INFO2],
    holds: (c) => injectedType2(c) !== EventType.nmi || (c.u32(INTERRUPTIBILITY) & BLOCKING_BY_MOV_SS) === 0
  },
  {
    name: "GUEST_INTERRUPTIBILITY_STATE: SMI",
    sentence: "Blocking by SMI must be 0 if the processor is not in system-management mode.",
    fields: [INTERRUPTIBILITY],
    holds: (c) => (c.u32(INTERRUPTIBILITY) & 4) === 0
  },
  {
    name: "GUEST_PENDING_DEBUG_EXCEPTIONS: reserved bits",
    sentence: "Bits 11:4, 13, 15 and 63:17 of the pending-debug-exceptions field must be 0, and bit 16 (RTM) on a processor without RTM.",
    fields: [PENDING],
    holds: (c) => (c.u32(PENDING) & 4294946800) === 0 && c.high32(PENDING) === 0
  },
  {
    name: "GUEST_PENDING_DEBUG_EXCEPTIONS: BS must be 1",
    sentence: "If events are blocked by STI or MOV SS or the activity state is HLT, bit 14 (BS) must be 1 if the TF flag of GUEST_RFLAGS is 1 and the BTF flag of GUEST_IA32_DEBUGCTL is 0.",
    fields: [PENDING, Field.guestRflags, Field.guestIa32Debugctl, INTERRUPTIBILITY, ACTIVITY],
    holds: (c) => !singleStepMatters(c) || !singleStepping(c) || (c.u32(PENDING) & 16384) !== 0
  },
  {
    name: "GUEST_PENDING_DEBUG_EXCEPTIONS: BS must be 0",
    sentence: "If events are blocked by STI or MOV SS or the activity state is HLT, bit 14 (BS) must be 0 if the TF flag of GUEST_RFLAGS is 0 or the BTF flag of GUEST_IA32_DEBUGCTL is 1.",
    fields: [PENDING, Field.guestRflags, Field.guestIa32Debugctl, INTERRUPTIBILITY, ACTIVITY],
    holds: (c) => !singleStepMatters(c) || singleStepping(c) || (c.u32(PENDING) & 16384) === 0
  },
  {
    name: "VMCS_LINK_POINTER: alignment",
    sentence: "If the VMCS link pointer is not FFFFFFFF_FFFFFFFFH, its bits 11:0 must be 0.",
    qualification: 4,
    fields: [LINK],
    holds: (c) => !linkUsed(c) || (c.u32(LINK) & 4095) === 0
  },
  {
    name: "VMCS_LINK_POINTER: physical-address width",
    sentence: "If the VMCS link pointer is not FFFFFFFF_FFFFFFFFH, it must not set any bit beyond the processor's physical-address width.",
    qualification: 4,
    fields: [LINK],
    holds: (c) => !linkUsed(c) || c.high32(LINK) >>> c.capabilities.model.maxPhyAddr - 32 === 0
  },
  {
    name: "VMCS_LINK_POINTER: revision identifier",
    looksOutside: true,
    sentence: "If the VMCS link pointer is not FFFFFFFF_FFFFFFFFH, the 4 bytes in memory that it references must hold the processor's VMCS revision identifier, with bit 31 equal to \u201CVMCS shadowing\u201D (0).",
    qualification: 4,
    fields: [LINK],
    holds: (c) => !linkUsed(c) || c.read32(c.address(LINK)) === VMCS_REVISION
  },
  {
    name: "VMCS_LINK_POINTER: not the current VMCS",
    looksOutside: true,
    sentence: "The VMCS link pointer must not be the current-VMCS pointer.",
    qualification: 4,
    fields: [LINK],
    holds: (c) => c.address(LINK) !== c.pointer
  }
]);
function paePagingGuest(c) {
  return !ia32eModeGuest(c) && (c.u32(Field.guestCr0) & 2147483648) !== 0 && (c.u32(Field.guestCr4) & 32) !== 0;
}
function pdpteValid(maxPhyAddr, low, high) {
  return (low & 1) === 0 || (low & 486) === 0 && high >>> maxPhyAddr - 32 === 0;
}
var PAGING_FIELDS = [Field.guestCr0, Field.guestCr4, Field.vmEntryControls, ...SECONDARY_FIELDS];
function pdpteRow(field) {
  return {
    name: `${field.name}: reserved bits`,
    sentence: `If \u201Cenable EPT\u201D is 1 and the guest uses PAE paging, reserved bits of ${field.name} must be 0 if its bit 0 (present) is 1.`,
    qualification: 2,
    fields: [field],
    conditions: PAGING_FIELDS,
    holds: (c) => !eptEnabled(c) || !paePagingGuest(c) || pdpteValid(c.capabilities.model.maxPhyAddr, c.u32(field), c.high32(field))
  };
}
var pdptes = section("Checks on Guest Page-Directory-Pointer-Table Entries", "guest", [
  {
    name: "PDPTEs at GUEST_CR3: reserved bits",
    looksOutside: true,
    sentence: "If \u201Cenable EPT\u201D is 0 and the guest uses PAE paging, reserved bits of the four PDPTEs that GUEST_CR3 references must be 0 in each present entry.",
    qualification: 2,
    fields: [Field.guestCr3],
    conditions: PAGING_FIELDS,
    holds: (c) => {
      if (eptEnabled(c) || !paePagingGuest(c)) return true;
      const table = (c.u32(Field.guestCr3) & 4294967264) >>> 0;
      return [0, 1, 2, 3].every((n) => pdpteValid(c.capabilities.model.maxPhyAddr, c.read32(table + n * 8), c.read32(table + n * 8 + 4)));
    }
  },
  ...[Field.guestPdpte0, Field.guestPdpte1, Field.guestPdpte2, Field.guestPdpte3].map(pdpteRow)
]);
var GUEST_NON_REGISTER_CHECKS = nonRegister;
var GUEST_PDPTE_CHECKS = pdptes;

// emulator/vmx/checks/guest-register-checks.ts
var ENTRY2 = Field.vmEntryControls;
var DEBUGCTL_DEFINED = 3;
function canonicalRow(field) {
  return {
    name: `${field.name}: canonical`,
    sentence: `${field.name} must contain a canonical address.`,
    fields: [field],
    holds: (c) => canonical2(c, field)
  };
}
var controlRegisters = section("Checks on Guest Control Registers, Debug Registers, and MSRs", "guest", [
  {
    name: "GUEST_CR0",
    sentence: "GUEST_CR0 must not set any bit to a value not supported in VMX operation; PE and PG are not checked if \u201Cunrestricted guest\u201D is 1, CD and NW are never checked.",
    fields: [Field.guestCr0],
    conditions: SECONDARY_FIELDS,
    msrs: [VmxMsr.cr0Fixed0, VmxMsr.cr0Fixed1],
    holds: (c) => fixedBits(
      c,
      Field.guestCr0,
      c.capabilities.cr0Fixed0,
      c.capabilities.cr0Fixed1,
      1610612736 | (unrestrictedGuest(c) ? 2147483649 : 0)
    )
  },
  {
    name: "GUEST_CR0: PG needs PE",
    sentence: "If bit 31 (PG) of GUEST_CR0 is 1, bit 0 (PE) must also be 1.",
    fields: [Field.guestCr0],
    holds: (c) => (c.u32(Field.guestCr0) & 2147483648) === 0 || (c.u32(Field.guestCr0) & 1) !== 0
  },
  {
    name: "GUEST_CR4",
    sentence: "GUEST_CR4 must not set any bit to a value not supported in VMX operation.",
    fields: [Field.guestCr4],
    msrs: [VmxMsr.cr4Fixed0, VmxMsr.cr4Fixed1],
    holds: (c) => fixedBits(c, Field.guestCr4, c.capabilities.cr4Fixed0, c.capabilities.cr4Fixed1)
  },
  {
    name: "GUEST_IA32_DEBUGCTL",
    sentence: "If \u201Cload debug controls\u201D is 1, bits reserved in IA32_DEBUGCTL must be 0 in GUEST_IA32_DEBUGCTL.",
    fields: [Field.guestIa32Debugctl],
    conditions: [ENTRY2],
    holds: (c) => !entryControl(c, EntryControl.loadDebugControls) || (c.u32(Field.guestIa32Debugctl) & ~DEBUGCTL_DEFINED) === 0 && c.high32(Field.guestIa32Debugctl) === 0
  },
  {
    name: "IA-32e mode guest: CR0.PG and CR4.PAE",
    sentence: "If \u201CIA-32e mode guest\u201D is 1, bit 31 (PG) of GUEST_CR0 and bit 5 (PAE) of GUEST_CR4 must each be 1.",
    fields: [ENTRY2, Field.guestCr0, Field.guestCr4],
    holds: (c) => !ia32eModeGuest(c) || (c.u32(Field.guestCr0) & 2147483648) !== 0 && (c.u32(Field.guestCr4) & 32) !== 0
  },
  {
    name: "CR4.PCIDE outside IA-32e mode",
    sentence: "If \u201CIA-32e mode guest\u201D is 0, bit 17 (PCIDE) of GUEST_CR4 must be 0.",
    fields: [ENTRY2, Field.guestCr4],
    holds: (c) => ia32eModeGuest(c) || (c.u32(Field.guestCr4) & 1 << 17) === 0
  },
  {
    name: "GUEST_CR3",
    sentence: "Bits 63:52 of GUEST_CR3 and those beyond the processor's physical-address width must be 0.",
    fields: [Field.guestCr3],
    holds: (c) => withinPhysicalWidth2(c, Field.guestCr3)
  },
  {
    name: "GUEST_DR7",
    sentence: "If \u201Cload debug controls\u201D is 1, bits 63:32 of GUEST_DR7 must be 0.",
    fields: [Field.guestDr7],
    conditions: [ENTRY2],
    holds: (c) => !entryControl(c, EntryControl.loadDebugControls) || c.high32(Field.guestDr7) === 0
  },
  canonicalRow(Field.guestIa32SysenterEsp),
  canonicalRow(Field.guestIa32SysenterEip),
  {
    name: "GUEST_IA32_PAT",
    sentence: "If the \u201Cload IA32_PAT\u201D VM-entry control is 1, each byte of GUEST_IA32_PAT must be 0, 1, 4, 5, 6 or 7.",
    fields: [Field.guestIa32Pat],
    conditions: [ENTRY2],
    holds: (c) => !entryControl(c, EntryControl.loadIa32Pat) || patValid(c, Field.guestIa32Pat)
  },
  {
    name: "GUEST_IA32_EFER: reserved bits",
    sentence: "If the \u201Cload IA32_EFER\u201D VM-entry control is 1, bits reserved in IA32_EFER must be 0 in GUEST_IA32_EFER.",
    fields: [Field.guestIa32Efer],
    conditions: [ENTRY2],
    holds: (c) => !entryControl(c, EntryControl.loadIa32Efer) || eferReservedClear(c, Field.guestIa32Efer)
  },
  {
    name: "GUEST_IA32_EFER: LMA",
    sentence: "If the \u201Cload IA32_EFER\u201D VM-entry control is 1, bit 10 (LMA) of GUEST_IA32_EFER must equal \u201CIA-32e mode guest\u201D.",
    fields: [Field.guestIa32Efer, ENTRY2],
    holds: (c) => !entryControl(c, EntryControl.loadIa32Efer) || (c.u32(Field.guestIa32Efer) & 1024) !== 0 === ia32eModeGuest(c)
  },
  {
    name: "GUEST_IA32_EFER: LMA and LME",
    sentence: "If the \u201Cload IA32_EFER\u201D VM-entry control is 1 and CR0.PG is 1, bits 10 (LMA) and 8 (LME) of GUEST_IA32_EFER must be equal.",
    fields: [Field.guestIa32Efer, Field.guestCr0],
    conditions: [ENTRY2],
    holds: (c) => {
      if (!entryControl(c, EntryControl.loadIa32Efer) || !(c.u32(Field.guestCr0) & 2147483648)) return true;
      const efer = c.u32(Field.guestIa32Efer);
      return (efer >> 10 & 1) === (efer >> 8 & 1);
    }
  }
]);
var limitRow = (field) => ({
  name: `${field.name}: bits 31:16`,
  sentence: `Bits 31:16 of ${field.name} must be 0.`,
  fields: [field],
  holds: (c) => c.u32(field) >>> 16 === 0
});
var descriptorTables = section("Checks on Guest Descriptor-Table Registers", "guest", [
  canonicalRow(Field.guestGdtrBase),
  canonicalRow(Field.guestIdtrBase),
  limitRow(Field.guestGdtrLimit),
  limitRow(Field.guestIdtrLimit)
]);
var instructionPointer = section("Checks on Guest RIP, RFLAGS, and SSP", "guest", [
  {
    name: "GUEST_RIP: bits 63:32",
    sentence: "Bits 63:32 of GUEST_RIP must be 0 if \u201CIA-32e mode guest\u201D is 0 or the L bit (bit 13) of the CS access rights is 0.",
    fields: [Field.guestRip, Field.guestCsAccessRights, ENTRY2],
    holds: (c) => ia32eModeGuest(c) && (c.u32(Field.guestCsAccessRights) & 8192) !== 0 || c.high32(Field.guestRip) === 0
  },
  {
    name: "GUEST_RIP: linear-address width",
    sentence: "Bits 63:N of GUEST_RIP must be identical, where N is the linear-address width, if \u201CIA-32e mode guest\u201D is 1 and the L bit (bit 13) of the CS access rights is 1.",
    fields: [Field.guestRip, Field.guestCsAccessRights, ENTRY2],
    holds: (c) => {
      if (!ia32eModeGuest(c) || !(c.u32(Field.guestCsAccessRights) & 8192)) return true;
      const top = (c.high32(Field.guestRip) | 0) >> c.capabilities.model.linearBits - 32;
      return top === 0 || top === -1;
    }
  },
  {
    name: "GUEST_RFLAGS: reserved bits",
    sentence: "Reserved bits 63:22, 15, 5 and 3 of GUEST_RFLAGS must be 0, and reserved bit 1 must be 1.",
    fields: [Field.guestRflags],
    holds: (c) => (c.u32(Field.guestRflags) & 4290805802) === 2 && c.high32(Field.guestRflags) === 0
  },
  {
    name: "GUEST_RFLAGS: VM",
    sentence: "The VM flag (bit 17) of GUEST_RFLAGS must be 0 if \u201CIA-32e mode guest\u201D is 1 or CR0.PE is 0 in the guest-state area.",
    fields: [Field.guestRflags, Field.guestCr0, ENTRY2],
    holds: (c) => !(c.u32(Field.guestRflags) & 1 << 17) || !ia32eModeGuest(c) && (c.u32(Field.guestCr0) & 1) !== 0
  },
  {
    name: "GUEST_RFLAGS: IF with an injected external interrupt",
    sentence: "The IF flag (bit 9) of GUEST_RFLAGS must be 1 if the VM-entry interruption-information field injects an external interrupt.",
    fields: [Field.guestRflags, Field.vmEntryInterruptionInformation],
    holds: (c) => {
      const info = c.u32(Field.vmEntryInterruptionInformation);
      const external = (info & 2147483648) !== 0 && (info >> 8 & 7) === EventType.externalInterrupt;
      return !external || (c.u32(Field.guestRflags) & 512) !== 0;
    }
  }
]);
var GUEST_CONTROL_REGISTER_CHECKS = controlRegisters;
var GUEST_DESCRIPTOR_TABLE_CHECKS = descriptorTables;
var GUEST_RIP_RFLAGS_CHECKS = instructionPointer;

// emulator/vmx/checks/guest-segment-checks.ts
var CS = {
  name: "CS",
  selector: Field.guestCsSelector,
  base: Field.guestCsBase,
  limit: Field.guestCsLimit,
  access: Field.guestCsAccessRights
};
var SS = {
  name: "SS",
  selector: Field.guestSsSelector,
  base: Field.guestSsBase,
  limit: Field.guestSsLimit,
  access: Field.guestSsAccessRights
};
var DS = {
  name: "DS",
  selector: Field.guestDsSelector,
  base: Field.guestDsBase,
  limit: Field.guestDsLimit,
  access: Field.guestDsAccessRights
};
var ES = {
  name: "ES",
  selector: Field.guestEsSelector,
  base: Field.guestEsBase,
  limit: Field.guestEsLimit,
  access: Field.guestEsAccessRights
};
var FS = {
  name: "FS",
  selector: Field.guestFsSelector,
  base: Field.guestFsBase,
  limit: Field.guestFsLimit,
  access: Field.guestFsAccessRights
};
var GS = {
  name: "GS",
  selector: Field.guestGsSelector,
  base: Field.guestGsBase,
  limit: Field.guestGsLimit,
  access: Field.guestGsAccessRights
};
var TR = {
  name: "TR",
  selector: Field.guestTrSelector,
  base: Field.guestTrBase,
  limit: Field.guestTrLimit,
  access: Field.guestTrAccessRights
};
var LDTR = { name: "LDTR", selector: Field.guestLdtrSelector, base: Field.guestLdtrBase, limit: Field.guestLdtrLimit, access: Field.guestLdtrAccessRights };
var CODE_AND_DATA = [CS, SS, DS, ES, FS, GS];
var DATA3 = [DS, ES, FS, GS];
var RFLAGS = Field.guestRflags;
var virtual8086 = (c) => (c.u32(RFLAGS) & 1 << 17) !== 0;
var usable = (c, s) => (c.u32(s.access) & Ar.unusable) === 0;
var typeOf = (c, s) => c.u32(s.access) & Ar.type;
var dplOf2 = (c, s) => c.u32(s.access) >> 5 & 3;
var rplOf = (c, s) => c.u32(s.selector) & 3;
function accessRule(s, what, demand, ok, more = [], conditions3 = []) {
  const always = s === CS || s === TR;
  const system = s === TR || s === LDTR;
  return {
    name: `${s.access.name}: ${what}`,
    sentence: `${always ? "" : `If ${s.name} is usable, `}${always ? demand[0].toUpperCase() + demand.slice(1) : demand}.`,
    fields: [s.access, ...more],
    conditions: system ? conditions3 : [RFLAGS, ...conditions3],
    holds: (c) => !system && virtual8086(c) || !always && !usable(c, s) || ok(c)
  };
}
var selectors = [
  {
    name: "GUEST_TR_SELECTOR: TI",
    sentence: "The TI flag (bit 2) of the TR selector must be 0.",
    fields: [TR.selector],
    holds: (c) => (c.u32(TR.selector) & 4) === 0
  },
  {
    name: "GUEST_LDTR_SELECTOR: TI",
    sentence: "If LDTR is usable, the TI flag (bit 2) of its selector must be 0.",
    fields: [LDTR.selector, LDTR.access],
    holds: (c) => !usable(c, LDTR) || (c.u32(LDTR.selector) & 4) === 0
  },
  {
    name: "GUEST_SS_SELECTOR: RPL",
    sentence: "If the guest will not be virtual-8086 and \u201Cunrestricted guest\u201D is 0, the RPL of the SS selector must equal the RPL of the CS selector.",
    fields: [SS.selector, CS.selector],
    conditions: [RFLAGS, ...SECONDARY_FIELDS],
    holds: (c) => virtual8086(c) || unrestrictedGuest(c) || rplOf(c, SS) === rplOf(c, CS)
  }
];
var bases = [
  ...CODE_AND_DATA.map((s) => ({
    name: `${s.base.name}: virtual-8086`,
    sentence: `If the guest will be virtual-8086, the ${s.name} base must be the ${s.name} selector shifted left by 4 bits.`,
    fields: [s.base, s.selector],
    conditions: [RFLAGS],
    holds: (c) => !virtual8086(c) || c.u32(s.base) === (c.u32(s.selector) & 65535) << 4 && c.high32(s.base) === 0
  })),
  ...[TR, FS, GS].map((s) => ({
    name: `${s.base.name}: canonical`,
    sentence: `The ${s.name} base must be a canonical address.`,
    fields: [s.base],
    holds: (c) => canonical2(c, s.base)
  })),
  {
    name: `${LDTR.base.name}: canonical`,
    sentence: "If LDTR is usable, its base must be a canonical address.",
    fields: [LDTR.base, LDTR.access],
    holds: (c) => !usable(c, LDTR) || canonical2(c, LDTR.base)
  },
  {
    name: `${CS.base.name}: bits 63:32`,
    sentence: "Bits 63:32 of the CS base must be 0.",
    fields: [CS.base],
    holds: (c) => c.high32(CS.base) === 0
  },
  ...[SS, DS, ES].map((s) => ({
    name: `${s.base.name}: bits 63:32`,
    sentence: `If ${s.name} is usable, bits 63:32 of its base must be 0.`,
    fields: [s.base, s.access],
    holds: (c) => !usable(c, s) || c.high32(s.base) === 0
  }))
];
var virtual8086Rows = [
  ...CODE_AND_DATA.map((s) => ({
    name: `${s.limit.name}: virtual-8086`,
    sentence: `If the guest will be virtual-8086, the ${s.name} limit must be 0000FFFFH.`,
    fields: [s.limit],
    conditions: [RFLAGS],
    holds: (c) => !virtual8086(c) || c.u32(s.limit) === 65535
  })),
  ...CODE_AND_DATA.map((s) => ({
    name: `${s.access.name}: virtual-8086`,
    sentence: `If the guest will be virtual-8086, the ${s.name} access rights must be 000000F3H.`,
    fields: [s.access],
    conditions: [RFLAGS],
    holds: (c) => !virtual8086(c) || c.u32(s.access) === 243
  }))
];
function granularity(s) {
  return accessRule(
    s,
    "G",
    `the G bit (bit 15) of ${s.name} must be 0 if any bit in 11:0 of its limit is 0, and 1 if any bit in 31:20 of its limit is 1`,
    (c) => {
      const limit = c.u32(s.limit);
      const g = (c.u32(s.access) & Ar.granularity) !== 0;
      return !(g && (limit & 4095) !== 4095) && !(!g && limit >>> 20 !== 0);
    },
    [s.limit]
  );
}
var reservedLow = (s) => accessRule(s, "bits 11:8", `bits 11:8 of the ${s.name} access rights must be 0`, (c) => (c.u32(s.access) & 3840) === 0);
var reservedHigh = (s) => accessRule(s, "bits 31:17", `bits 31:17 of the ${s.name} access rights must be 0`, (c) => c.u32(s.access) >>> 17 === 0);
var present = (s) => accessRule(s, "P", `the P bit (bit 7) of ${s.name} must be 1`, (c) => (c.u32(s.access) & Ar.present) !== 0);
var accessRights = [
  // Type
  accessRule(
    CS,
    "type",
    "the CS type must be 9, 11, 13 or 15 (accessed code segment), or 3 (read/write accessed expand-up data segment) if \u201Cunrestricted guest\u201D is 1",
    (c) => {
      const type = typeOf(c, CS);
      return (type & 9) === 9 || type === 3 && unrestrictedGuest(c);
    },
    [],
    SECONDARY_FIELDS
  ),
  accessRule(
    SS,
    "type",
    "the SS type must be 3 or 7 (read/write, accessed data segment)",
    (c) => typeOf(c, SS) === 3 || typeOf(c, SS) === 7
  ),
  ...DATA3.map(
    (s) => accessRule(
      s,
      "type",
      `bit 0 of the ${s.name} type must be 1 (accessed), and bit 1 must be 1 (readable) if bit 3 is 1 (code segment)`,
      (c) => (typeOf(c, s) & 1) !== 0 && ((typeOf(c, s) & 8) === 0 || (typeOf(c, s) & 2) !== 0)
    )
  ),
  // S
  ...CODE_AND_DATA.map(
    (s) => accessRule(s, "S", `the S bit (bit 4) of ${s.name} must be 1`, (c) => (c.u32(s.access) & Ar.notSystem) !== 0)
  ),
  // DPL
  accessRule(CS, "DPL of a data segment", "the CS DPL must be 0 if the CS type is 3", (c) => typeOf(c, CS) !== 3 || dplOf2(c, CS) === 0),
  accessRule(
    CS,
    "DPL of a non-conforming segment",
    "the CS DPL must equal the SS DPL if the CS type is 9 or 11 (non-conforming code segment)",
    (c) => typeOf(c, CS) !== 9 && typeOf(c, CS) !== 11 || dplOf2(c, CS) === dplOf2(c, SS),
    [SS.access]
  ),
  accessRule(
    CS,
    "DPL of a conforming segment",
    "the CS DPL must not be greater than the SS DPL if the CS type is 13 or 15 (conforming code segment)",
    (c) => typeOf(c, CS) !== 13 && typeOf(c, CS) !== 15 || dplOf2(c, CS) <= dplOf2(c, SS),
    [SS.access]
  ),
  {
    name: `${SS.access.name}: DPL and RPL`,
    sentence: "If \u201Cunrestricted guest\u201D is 0, the SS DPL must equal the RPL of the SS selector.",
    fields: [SS.access, SS.selector],
    conditions: [RFLAGS, ...SECONDARY_FIELDS],
    holds: (c) => virtual8086(c) || unrestrictedGuest(c) || dplOf2(c, SS) === rplOf(c, SS)
  },
  {
    name: `${SS.access.name}: DPL in real-address mode`,
    sentence: "The SS DPL must be 0 if the CS type is 3 or CR0.PE is 0 in the guest-state area.",
    fields: [SS.access, CS.access, Field.guestCr0],
    conditions: [RFLAGS],
    holds: (c) => virtual8086(c) || typeOf(c, CS) !== 3 && (c.u32(Field.guestCr0) & 1) !== 0 || dplOf2(c, SS) === 0
  },
  ...DATA3.map(
    (s) => accessRule(
      s,
      "DPL and RPL",
      `the ${s.name} DPL must not be less than the RPL of the ${s.name} selector if \u201Cunrestricted guest\u201D is 0 and the type is 0 to 11 (data segment or non-conforming code segment)`,
      (c) => unrestrictedGuest(c) || typeOf(c, s) > 11 || dplOf2(c, s) >= rplOf(c, s),
      [s.selector],
      SECONDARY_FIELDS
    )
  ),
  // P, reserved bits
  ...CODE_AND_DATA.map(present),
  ...CODE_AND_DATA.map(reservedLow),
  // D/B
  accessRule(
    CS,
    "D/B and L",
    "the D/B bit (bit 14) of CS must be 0 if the guest will be in IA-32e mode and the L bit (bit 13) is 1",
    (c) => !ia32eModeGuest(c) || (c.u32(CS.access) & (Ar.long | Ar.big)) !== (Ar.long | Ar.big),
    [Field.vmEntryControls]
  ),
  ...CODE_AND_DATA.map(granularity),
  ...CODE_AND_DATA.map(reservedHigh),
  // TR
  accessRule(
    TR,
    "type",
    "the TR type must be 11 (busy 64-bit TSS) in IA-32e mode, and 3 (busy 16-bit TSS) or 11 (busy 32-bit TSS) otherwise",
    (c) => typeOf(c, TR) === 11 || typeOf(c, TR) === 3 && !ia32eModeGuest(c),
    [Field.vmEntryControls]
  ),
  accessRule(TR, "S", "the S bit (bit 4) of TR must be 0", (c) => (c.u32(TR.access) & Ar.notSystem) === 0),
  present(TR),
  reservedLow(TR),
  granularity(TR),
  accessRule(TR, "unusable", "bit 16 (unusable) of the TR access rights must be 0", (c) => (c.u32(TR.access) & Ar.unusable) === 0),
  reservedHigh(TR),
  // LDTR
  accessRule(LDTR, "type", "the LDTR type must be 2 (LDT)", (c) => typeOf(c, LDTR) === 2),
  accessRule(LDTR, "S", "the S bit (bit 4) of LDTR must be 0", (c) => (c.u32(LDTR.access) & Ar.notSystem) === 0),
  present(LDTR),
  reservedLow(LDTR),
  granularity(LDTR),
  reservedHigh(LDTR)
];
var GUEST_SEGMENT_CHECKS = section("Checks on Guest Segment Registers", "guest", [
  ...selectors,
  ...bases,
  ...virtual8086Rows,
  ...accessRights
]);

// emulator/vmx/checks/host-checks.ts
var EXIT2 = Field.primaryVmExitControls;
function canonicalRow2(field) {
  return {
    name: `${field.name}: canonical`,
    sentence: `${field.name} must contain a canonical address.`,
    fields: [field],
    holds: (c) => canonical2(c, field)
  };
}
function selectorRow(field) {
  return {
    name: `${field.name}: RPL and TI`,
    sentence: `In ${field.name} the RPL (bits 1:0) and the TI flag (bit 2) must be 0.`,
    fields: [field],
    holds: (c) => (c.u32(field) & 7) === 0
  };
}
var registers = section("Checks on Host Control Registers, MSRs, and SSP", "host", [
  {
    name: "HOST_CR0",
    sentence: "HOST_CR0 must not set any bit to a value not supported in VMX operation.",
    fields: [Field.hostCr0],
    msrs: [VmxMsr.cr0Fixed0, VmxMsr.cr0Fixed1],
    holds: (c) => fixedBits(c, Field.hostCr0, c.capabilities.cr0Fixed0, c.capabilities.cr0Fixed1)
  },
  {
    name: "HOST_CR4",
    sentence: "HOST_CR4 must not set any bit to a value not supported in VMX operation.",
    fields: [Field.hostCr4],
    msrs: [VmxMsr.cr4Fixed0, VmxMsr.cr4Fixed1],
    holds: (c) => fixedBits(c, Field.hostCr4, c.capabilities.cr4Fixed0, c.capabilities.cr4Fixed1)
  },
  {
    name: "HOST_CR3",
    sentence: "Bits 63:52 of HOST_CR3 and those beyond the processor's physical-address width must be 0.",
    fields: [Field.hostCr3],
    holds: (c) => withinPhysicalWidth2(c, Field.hostCr3)
  },
  canonicalRow2(Field.hostIa32SysenterEsp),
  canonicalRow2(Field.hostIa32SysenterEip),
  {
    name: "HOST_IA32_PAT",
    sentence: "If the \u201Cload IA32_PAT\u201D VM-exit control is 1, each byte of HOST_IA32_PAT must be 0, 1, 4, 5, 6 or 7.",
    fields: [Field.hostIa32Pat],
    conditions: [EXIT2],
    holds: (c) => !exitControl(c, ExitControl.loadIa32Pat) || patValid(c, Field.hostIa32Pat)
  },
  {
    name: "HOST_IA32_EFER: reserved bits",
    sentence: "If the \u201Cload IA32_EFER\u201D VM-exit control is 1, bits reserved in IA32_EFER must be 0 in HOST_IA32_EFER.",
    fields: [Field.hostIa32Efer],
    conditions: [EXIT2],
    holds: (c) => !exitControl(c, ExitControl.loadIa32Efer) || eferReservedClear(c, Field.hostIa32Efer)
  },
  {
    name: "HOST_IA32_EFER: LMA and LME",
    sentence: "If the \u201Cload IA32_EFER\u201D VM-exit control is 1, LMA and LME in HOST_IA32_EFER must each have the value of \u201Chost address-space size\u201D.",
    fields: [Field.hostIa32Efer, EXIT2],
    holds: (c) => !exitControl(c, ExitControl.loadIa32Efer) || (c.u32(Field.hostIa32Efer) & 1280) === (host64(c) ? 1280 : 0)
  }
]);
var segments = section("Checks on Host Segment and Descriptor-Table Registers", "host", [
  ...[
    Field.hostCsSelector,
    Field.hostSsSelector,
    Field.hostDsSelector,
    Field.hostEsSelector,
    Field.hostFsSelector,
    Field.hostGsSelector,
    Field.hostTrSelector
  ].map(selectorRow),
  ...[Field.hostCsSelector, Field.hostTrSelector].map((field) => ({
    name: `${field.name}: not null`,
    sentence: `${field.name} must not be 0000H.`,
    fields: [field],
    holds: (c) => c.u32(field) !== 0
  })),
  {
    name: "HOST_SS_SELECTOR: not null",
    sentence: "HOST_SS_SELECTOR must not be 0000H if \u201Chost address-space size\u201D is 0.",
    fields: [Field.hostSsSelector, EXIT2],
    holds: (c) => host64(c) || c.u32(Field.hostSsSelector) !== 0
  },
  ...[Field.hostFsBase, Field.hostGsBase, Field.hostGdtrBase, Field.hostIdtrBase, Field.hostTrBase].map(canonicalRow2)
]);
var addressSpace = section("Checks Related to Address-Space Size", "host", [
  {
    name: "\u201CIA-32e mode guest\u201D outside IA-32e mode",
    looksOutside: true,
    sentence: "If the processor is outside IA-32e mode at the time of VM entry, \u201CIA-32e mode guest\u201D must be 0.",
    fields: [Field.vmEntryControls],
    holds: (c) => c.ia32eMode || !ia32eModeGuest(c)
  },
  {
    name: "\u201Chost address-space size\u201D outside IA-32e mode",
    looksOutside: true,
    sentence: "If the processor is outside IA-32e mode at the time of VM entry, \u201Chost address-space size\u201D must be 0.",
    fields: [EXIT2],
    holds: (c) => c.ia32eMode || !host64(c)
  },
  {
    name: "\u201Chost address-space size\u201D in IA-32e mode",
    looksOutside: true,
    sentence: "If the processor is in IA-32e mode at the time of VM entry, \u201Chost address-space size\u201D must be 1.",
    fields: [EXIT2],
    holds: (c) => !c.ia32eMode || host64(c)
  },
  {
    name: "\u201CIA-32e mode guest\u201D with a 32-bit host",
    sentence: "If \u201Chost address-space size\u201D is 0, \u201CIA-32e mode guest\u201D must be 0.",
    fields: [Field.vmEntryControls, EXIT2],
    holds: (c) => host64(c) || !ia32eModeGuest(c)
  },
  {
    name: "HOST_CR4.PCIDE with a 32-bit host",
    sentence: "If \u201Chost address-space size\u201D is 0, bit 17 (CR4.PCIDE) of HOST_CR4 must be 0.",
    fields: [Field.hostCr4, EXIT2],
    holds: (c) => host64(c) || (c.u32(Field.hostCr4) & 1 << 17) === 0
  },
  {
    name: "HOST_RIP with a 32-bit host",
    sentence: "If \u201Chost address-space size\u201D is 0, bits 63:32 of HOST_RIP must be 0.",
    fields: [Field.hostRip, EXIT2],
    holds: (c) => host64(c) || c.high32(Field.hostRip) === 0
  },
  {
    name: "HOST_CR4.PAE with a 64-bit host",
    sentence: "If \u201Chost address-space size\u201D is 1, bit 5 (CR4.PAE) of HOST_CR4 must be 1.",
    fields: [Field.hostCr4, EXIT2],
    holds: (c) => !host64(c) || (c.u32(Field.hostCr4) & 1 << 5) !== 0
  },
  {
    name: "HOST_RIP: canonical",
    sentence: "If \u201Chost address-space size\u201D is 1, HOST_RIP must contain a canonical address.",
    fields: [Field.hostRip, EXIT2],
    holds: (c) => !host64(c) || canonical2(c, Field.hostRip)
  }
]);
var HOST_CHECKS = [...registers, ...segments, ...addressSpace];

// emulator/vmx/checks/entry-checks.ts
function inputsOf(row2) {
  if (row2.looksOutside) return -1;
  const fields = row2.fields.reduce((bits, f) => bits | changeBit(f) | (f === Field.guestRflags ? VIRTUAL_8086_CHANGED : 0), 0);
  return row2.conditions.reduce((bits, f) => bits | (f === Field.guestRflags ? VIRTUAL_8086_CHANGED : changeBit(f)), fields);
}
function block(rows) {
  const inputs = rows.map(inputsOf);
  return { rows, inputs, anyInput: inputs.reduce((a, b) => a | b, 0) };
}
function blocks(rows) {
  const found = [];
  let run = [];
  for (const row2 of rows) {
    if (run.length > 0 && run[run.length - 1].looksOutside !== row2.looksOutside) {
      found.push(block(run));
      run = [];
    }
    run.push(row2);
  }
  if (run.length > 0) found.push(block(run));
  return found;
}
var GUEST_PARTS = [
  GUEST_CONTROL_REGISTER_CHECKS,
  GUEST_SEGMENT_CHECKS,
  GUEST_DESCRIPTOR_TABLE_CHECKS,
  GUEST_RIP_RFLAGS_CHECKS,
  GUEST_NON_REGISTER_CHECKS,
  GUEST_PDPTE_CHECKS
];
var CONTROL_BLOCKS = blocks(CONTROL_CHECKS);
var HOST_BLOCKS = blocks(HOST_CHECKS);
var GUEST_BLOCKS = GUEST_PARTS.flatMap(blocks);
var GUEST_CHECKS = GUEST_PARTS.flat();
var ENTRY_CHECKS = [...CONTROL_CHECKS, ...HOST_CHECKS, ...GUEST_CHECKS];
function failureIn(list, context, changed) {
  for (const { rows, inputs, anyInput } of list) {
    if ((anyInput & changed) === 0 && anyInput !== -1) continue;
    for (let n = 0; n < rows.length; n++) {
      if (((inputs[n] & changed) !== 0 || inputs[n] === -1) && !rows[n].holds(context)) return rows[n];
    }
  }
  return void 0;
}
function controlOrHostFailure(context, changed) {
  return failureIn(CONTROL_BLOCKS, context, changed) ?? failureIn(HOST_BLOCKS, context, changed);
}
function guestFailure(context, changed) {
  return failureIn(GUEST_BLOCKS, context, changed);
}
function describeFailure(row2, context) {
  const values = row2.fields.map((field) => ({ name: field.name, value: context.u64(field) }));
  const limits = row2.msrs.map((msr) => ({ name: VMX_MSR_NAMES[msr], value: context.capabilities.msrs.get(msr) ?? 0n }));
  return { name: row2.name, section: row2.section, sentence: row2.sentence, fields: [...values, ...limits] };
}

// emulator/vmx/checks/vmcs-check-context.ts
var VmcsCheckContext = class {
  constructor(vmcs, memory, capabilities, ia32eMode) {
    this.vmcs = vmcs;
    this.memory = memory;
    this.capabilities = capabilities;
    this.ia32eMode = ia32eMode;
    this.pointer = vmcs.pointer;
  }
  vmcs;
  memory;
  capabilities;
  ia32eMode;
  pointer;
  u32(field) {
    return this.vmcs.u32(field);
  }
  high32(field) {
    return this.vmcs.high32(field);
  }
  u64(field) {
    return this.vmcs.u64(field);
  }
  address(field) {
    return this.vmcs.address(field);
  }
  read32(physical) {
    return this.memory.read32(physical);
  }
  read64(physical) {
    return this.memory.read64(physical);
  }
};
function vmcsCheckContext(vmx2, cpu, vmcs) {
  return new VmcsCheckContext(vmcs, vmx2.memory, vmx2.capabilities, cpu.longMode);
}

// emulator/vmx/vm-flags.ts
function vmSucceed(cpu) {
  cpu.flags = cpu.flags & ~ARITHMETIC_FLAGS;
}
function vmFailInvalid(cpu) {
  cpu.flags = cpu.flags & ~ARITHMETIC_FLAGS | Flag.CF;
}
function vmFailValid(vmx2, cpu, error) {
  cpu.flags = cpu.flags & ~ARITHMETIC_FLAGS | Flag.ZF;
  const vmcs = currentVmcs2(vmx2, cpu);
  vmcs.setU32(Field.vmInstructionError, error);
  vmcs.noteWritten();
}
function vmFail(vmx2, cpu, instruction, error) {
  if (currentPointer(cpu) < 0) vmFailInvalid(cpu);
  else vmFailValid(vmx2, cpu, error);
  vmx2.observer.instructionFailed?.(cpu, instruction, currentPointer(cpu) < 0 ? 0 : error);
}

// emulator/vmx/entry.ts
function enterGuest(vmx2, cpu, instruction) {
  const from = cpu.rip;
  if (currentPointer(cpu) < 0) {
    vmFailInvalid(cpu);
    vmx2.observer.entryFailure(cpu, { instruction, rip: from, kind: "VMfailInvalid", number: 0, vmcs: -1 });
    return Outcome.next;
  }
  const vmcs = currentVmcs2(vmx2, cpu);
  const refuse4 = (number, check) => {
    vmFailValid(vmx2, cpu, number);
    vmx2.observer.entryFailure(cpu, { instruction, rip: from, kind: "VMfailValid", number, check, vmcs: vmcs.pointer });
    return Outcome.next;
  };
  if (cpu.get32(State.interruptibility) & Interruptibility.blockingByMovSs) return refuse4(VmError.blockedByMovSs);
  if (instruction === "VMLAUNCH" && vmcs.launchState !== LaunchState.clear) return refuse4(VmError.vmlaunchNonClear);
  if (instruction === "VMRESUME" && vmcs.launchState !== LaunchState.launched) return refuse4(VmError.vmresumeNonLaunched);
  const context = vmcsCheckContext(vmx2, cpu, vmcs);
  const changed = cpu.get32(VmxState.changed);
  const refusal = controlOrHostFailure(context, changed);
  if (refusal) {
    return refuse4(
      refusal.outcome === "control" ? VmError.invalidControlFields : VmError.invalidHostState,
      describeFailure(refusal, context)
    );
  }
  const hostGap = notModelledHost(vmx2, vmcs);
  if (hostGap !== void 0) return cpu.notModelled(hostGap);
  const guest = guestFailure(context, changed);
  if (guest) return failEntry(vmx2, cpu, instruction, from, ExitReason.INVALID_GUEST_STATE, guest.qualification, guest, context);
  const guestGap = notModelledGuest(vmcs);
  if (guestGap !== void 0) return cpu.notModelled(guestGap);
  cpu.set32(VmxState.changed, 0);
  return loadGuest(vmx2, cpu, vmcs, instruction, from);
}
function failEntry(vmx2, cpu, instruction, from, reason, qualification, row2, context) {
  const check = row2 && context ? describeFailure(row2, context) : void 0;
  commitEntryFailure(vmx2, cpu, reason, qualification);
  vmx2.observer.entryFailure(cpu, {
    instruction,
    rip: from,
    kind: "exit",
    number: reason,
    qualification: BigInt(qualification),
    check,
    vmcs: currentPointer(cpu)
  });
  return Outcome.exited;
}
function loadGuest(vmx2, cpu, vmcs, instruction, from) {
  const msrCount = vmcs.u32(Field.vmEntryMsrLoadCount);
  const before2 = msrCount > 0 ? cpu.u32.slice(0, State.tlb >> 2) : void 0;
  loadGuestRegisters(cpu, vmcs);
  if (before2) {
    const failed2 = loadMsrArea(vmx2, cpu, vmcs.address(Field.vmEntryMsrLoadAddress), msrCount);
    if (cpu.stop !== void 0) {
      cpu.u32.set(before2);
      return Outcome.stopped;
    }
    if (failed2 !== 0) {
      const check = msrFailure(vmx2, vmcs, failed2);
      commitEntryFailure(vmx2, cpu, ExitReason.MSR_LOADING, failed2);
      vmx2.observer.entryFailure(cpu, {
        instruction,
        rip: from,
        kind: "exit",
        number: ExitReason.MSR_LOADING,
        qualification: BigInt(failed2),
        check,
        vmcs: vmcs.pointer
      });
      return Outcome.exited;
    }
  }
  const secondary2 = secondaryControls(vmcs);
  const usesEpt = (secondary2 & Secondary.enableEpt) !== 0;
  const usesVpid = (secondary2 & Secondary.enableVpid) !== 0;
  cpu.set32(State.vmxMode, VmxMode.nonRoot);
  const eptp = vmcs.u32(Field.eptPointer);
  cpu.setF64(State.eptPointer, usesEpt ? vmcs.high32(Field.eptPointer) * 4294967296 + ((eptp & 4294963200) >>> 0) : 0);
  cpu.set32(State.eptMode, usesEpt && eptp & 64 ? EptMode.accessedDirty : 0);
  cpu.set32(State.vpid, usesVpid ? vmcs.u32(Field.virtualProcessorIdentifier) : 0);
  if (paePaging(cpu)) loadPdptes2(cpu, vmcs, usesEpt);
  loadNonRegisterState(cpu, vmcs);
  if (instruction === "VMLAUNCH") vmcs.launchState = LaunchState.launched;
  vmcs.noteWritten();
  cpu.modeChanged();
  if (!usesVpid) cpu.mmu.flushCurrentContext(cpu);
  vmx2.clock.charge(cpu, "entry");
  vmx2.observer.entry(cpu, { instruction, from, rip: cpu.rip, vmcs: vmcs.pointer });
  return Outcome.jumped;
}
function loadPdptes2(cpu, vmcs, usesEpt) {
  if (!usesEpt) {
    cpu.mmu.loadPdptes(cpu, cpu.cr3);
    return;
  }
  const fields = [Field.guestPdpte0, Field.guestPdpte1, Field.guestPdpte2, Field.guestPdpte3];
  fields.forEach((field, n) => cpu.set64(State.pdpte + 8 * n, vmcs.u64(field)));
}
function loadNonRegisterState(cpu, vmcs) {
  const primary2 = vmcs.u32(Field.primaryProcessorBasedVmExecutionControls);
  const info = vmcs.u32(Field.vmEntryInterruptionInformation);
  const valid = (info & 2147483648) !== 0;
  const type = info >>> 8 & 7;
  const vectoring = valid && type !== OTHER_EVENT;
  let interruptibility = vmcs.u32(Field.guestInterruptibilityState) & 15;
  if (vectoring && type === EventType.nmi) interruptibility |= Interruptibility.blockingByNmi;
  cpu.set32(State.interruptibility, interruptibility);
  const activity = vmcs.u32(Field.guestActivityState);
  cpu.set32(State.activity, vectoring ? 0 : activity);
  cpu.set32(State.pendingEventInfo, vectoring ? info : 0);
  cpu.set32(State.pendingEventError, vmcs.u32(Field.vmEntryExceptionErrorCode));
  cpu.set32(State.pendingEventLength, vmcs.u32(Field.vmEntryInstructionLength));
  const keepsDebug = debugExceptionsStay(vectoring, type, interruptibility, activity);
  cpu.set32(State.pendingDebug, keepsDebug ? vmcs.u32(Field.guestPendingDebugExceptions) : 0);
  const trapInjected = valid && type === OTHER_EVENT;
  const trap = (primary2 & Primary.monitorTrapFlag) !== 0;
  cpu.set32(
    VmxState.monitorTrap,
    trapInjected || trap && vectoring ? MonitorTrap.due : trap ? MonitorTrap.untilFirstBoundary : MonitorTrap.off
  );
  cpu.setF64(VmxState.trapSteps, 0);
  const window = (primary2 & Primary.interruptWindowExiting) !== 0;
  const boundary = cpu.get32(State.boundary) & 1;
  cpu.set32(State.boundary, boundary | (trap || trapInjected ? Boundary.monitorTrap : 0) | (window ? Boundary.window : 0));
  if (primary2 & Primary.useTscOffsetting) loadSlot(cpu, VmxState.tscOffset, vmcs, Field.tscOffset);
  else cpu.set64(VmxState.tscOffset, 0n);
}
function debugExceptionsStay(vectoring, type, interruptibility, activity) {
  if (!vectoring) return activity < 2;
  if (type !== EventType.softwareInterrupt && type !== EventType.softwareException) return false;
  return (interruptibility & Interruptibility.blockingByMovSs) !== 0;
}
function msrFailure(vmx2, vmcs, entry) {
  const address = vmcs.address(Field.vmEntryMsrLoadAddress) + (entry - 1) * 16;
  return {
    name: `VM-entry MSR-load area: entry ${entry}`,
    section: "Loading MSRs",
    sentence: "Each entry of the VM-entry MSR-load area must name an MSR that WRMSR could write with this value, other than IA32_FS_BASE and IA32_GS_BASE, and bits 63:32 must be 0.",
    fields: [
      { name: "MSR index", value: BigInt(vmx2.memory.read32(address)) },
      { name: "bits 63:32", value: BigInt(vmx2.memory.read32(address + 4)) },
      { name: "MSR data", value: vmx2.memory.read64(address + 8) },
      { name: Field.vmEntryMsrLoadAddress.name, value: vmcs.u64(Field.vmEntryMsrLoadAddress) }
    ]
  };
}
function notModelledHost(vmx2, vmcs) {
  for (const count of [Field.vmExitMsrStoreCount, Field.vmExitMsrLoadCount, Field.vmEntryMsrLoadCount]) {
    if (vmcs.u32(count) > vmx2.capabilities.msrListMaximum) {
      return `an MSR area of more than ${vmx2.capabilities.msrListMaximum} entries (${count.name} is ${vmcs.u32(count)})`;
    }
  }
  return void 0;
}
function notModelledGuest(vmcs) {
  const cr0 = vmcs.u32(Field.guestCr0);
  const entry = vmcs.u32(Field.vmEntryControls);
  if (!(cr0 & 1)) return "VM entry to a guest in real-address mode";
  if (vmcs.u32(Field.guestRflags) & Flag.VM) return "VM entry to a guest in virtual-8086 mode";
  if (entry & EntryControl.loadDebugControls && vmcs.u32(Field.guestIa32Debugctl)) return "VM entry to a guest with IA32_DEBUGCTL bits set";
  const usesEpt = (secondaryControls(vmcs) & Secondary.enableEpt) !== 0;
  if (usesEpt && vmcs.address(Field.eptPointer) < 4096) return "an EPT PML4 table at physical address 0";
  return void 0;
}

// emulator/vmx/instructions.ts
var invalidOpcode2 = (cpu) => cpu.raise(Vector.UD);
var generalProtection2 = (cpu) => cpu.raise(Vector.GP, 0);
function wrongMode(cpu) {
  return !(cpu.u32[State.cr0 >> 2] & 1) || (cpu.get32(State.systemFlags) & Flag.VM) !== 0 || cpu.longMode && !cpu.code64;
}
function executeVmx(vmx2, cpu, insn) {
  if (insn.name === "VMXON") return vmxon(vmx2, cpu, insn);
  const mode = cpu.get32(State.vmxMode);
  const memoryOnly = insn.name !== "VMREAD" && insn.name !== "VMWRITE" && hasOperand(insn);
  if (mode === VmxMode.outside || memoryOnly && insn.rm >= 0) return invalidOpcode2(cpu);
  if (insn.name === "VMFUNC") return invalidOpcode2(cpu);
  if (insn.name !== "VMCALL" && wrongMode(cpu)) return invalidOpcode2(cpu);
  if ((insn.name === "INVEPT" || insn.name === "INVVPID") && !invInstructionSupported(vmx2, insn.name)) return invalidOpcode2(cpu);
  if (mode === VmxMode.nonRoot) return exitFor(vmx2, cpu, insn);
  if (insn.name === "VMCALL" && wrongMode(cpu)) return invalidOpcode2(cpu);
  if (cpu.cpl !== 0) return generalProtection2(cpu);
  switch (insn.name) {
    case "VMCALL":
      return failed(vmx2, cpu, insn, VmError.vmcallInRoot);
    case "VMXOFF":
      return vmxoff(cpu);
    case "VMCLEAR":
      return vmclear(vmx2, cpu, insn);
    case "VMPTRLD":
      return vmptrld(vmx2, cpu, insn);
    case "VMPTRST":
      return vmptrst(cpu, insn);
    case "VMREAD":
      return vmread(vmx2, cpu, insn);
    case "VMWRITE":
      return vmwrite(vmx2, cpu, insn);
    case "VMLAUNCH":
    case "VMRESUME":
      return enterGuest(vmx2, cpu, insn.name);
    case "INVEPT":
      return invept(vmx2, cpu, insn);
    case "INVVPID":
      return invvpid(vmx2, cpu, insn);
  }
}
var WITHOUT_OPERAND = /* @__PURE__ */ new Set(["VMXOFF", "VMLAUNCH", "VMRESUME", "VMCALL", "VMFUNC"]);
function hasOperand(insn) {
  return !WITHOUT_OPERAND.has(insn.name);
}
function invInstructionSupported(vmx2, name) {
  return (vmx2.capabilities.eptVpidCap & (name === "INVEPT" ? 1n << 20n : 1n << 32n)) !== 0n;
}
function failed(vmx2, cpu, insn, error) {
  vmFail(vmx2, cpu, insn.name, error);
  return Outcome.next;
}
function succeeded(cpu) {
  vmSucceed(cpu);
  return Outcome.next;
}
function exitFor(vmx2, cpu, insn) {
  currentVmcs2(vmx2, cpu);
  const decision = intercepts(vmx2.controls, {
    kind: "vmx",
    name: insn.name,
    length: insn.length,
    qualification: hasOperand(insn) && insn.rm < 0 ? displacementOf(insn) : 0n,
    information: hasOperand(insn) ? instructionInformation2(insn) : 0
  });
  if (decision) commitExit(vmx2, cpu, decision);
  return Outcome.exited;
}
function displacementOf(insn) {
  if (insn.baseRegister === BASE_RIP) return insn.effectiveAddress;
  return BigInt.asUintN(64, insn.displacement);
}
function instructionInformation2(insn) {
  const reg2 = insn.name === "VMREAD" || insn.name === "VMWRITE" || insn.name === "INVEPT" || insn.name === "INVVPID" ? insn.reg << 28 : 0;
  if (insn.rm >= 0) return (reg2 | 1 << 10 | insn.rm << 3) >>> 0;
  const addressSize = insn.addressSize === 8 ? 2 : insn.addressSize === 4 ? 1 : 0;
  const index = insn.indexRegister >= 0 ? insn.scaleLog2 | insn.indexRegister << 18 : 1 << 22;
  const base = insn.baseRegister >= 0 && insn.baseRegister !== BASE_RIP ? insn.baseRegister << 23 : 1 << 27;
  return (reg2 | index | base | addressSize << 7 | insn.segment << 15) >>> 0;
}
function operand(cpu, insn, size, write) {
  return segmentLinear(cpu, insn.segment, insn.effectiveAddress, size, write);
}
function readOperand(cpu, insn, size) {
  const linear = operand(cpu, insn, size, false);
  return linear === void 0 ? void 0 : cpu.loadLinear(linear, size);
}
function physicalPointer(cpu, address) {
  return (address & 0xfffn) !== 0n || address >> BigInt(cpu.model.maxPhyAddr) !== 0n ? void 0 : Number(address);
}
function vmxon(vmx2, cpu, insn) {
  if (insn.rm >= 0 || !(cpu.cr4 & Cr4.VMXE) || wrongMode(cpu)) return invalidOpcode2(cpu);
  const mode = cpu.get32(State.vmxMode);
  if (mode === VmxMode.nonRoot) return exitFor(vmx2, cpu, insn);
  if (cpu.cpl !== 0) return generalProtection2(cpu);
  if (mode === VmxMode.root) return failed(vmx2, cpu, insn, VmError.vmxonInRoot);
  const { cr0Fixed0, cr0Fixed1, cr4Fixed0, cr4Fixed1 } = vmx2.capabilities;
  const unsupported = (value, fixed0, fixed1) => (value & fixed0) !== fixed0 || (value & ~fixed1) !== 0n;
  if (unsupported(cpu.cr0, cr0Fixed0, cr0Fixed1) || unsupported(cpu.cr4, cr4Fixed0, cr4Fixed1)) return generalProtection2(cpu);
  const needed = FeatureControl.lock | FeatureControl.vmxOutsideSmx;
  if ((cpu.get64(State.featureControl) & needed) !== needed) return generalProtection2(cpu);
  const address = readOperand(cpu, insn, 8);
  if (address === void 0) return Outcome.pending;
  const pointer = physicalPointer(cpu, address);
  if (pointer === void 0 || vmx2.memory.read32(pointer) !== VMCS_REVISION) {
    vmFailInvalid(cpu);
    vmx2.observer.instructionFailed?.(cpu, insn.name, 0);
    return Outcome.next;
  }
  cpu.setF64(State.currentVmcs, -1);
  cpu.setF64(State.vmxonPointer, pointer);
  cpu.set32(State.vmxMode, VmxMode.root);
  return succeeded(cpu);
}
function vmxoff(cpu) {
  cpu.set32(State.vmxMode, VmxMode.outside);
  cpu.setF64(State.currentVmcs, -1);
  cpu.setF64(State.vmxonPointer, -1);
  return succeeded(cpu);
}
function vmclear(vmx2, cpu, insn) {
  const address = readOperand(cpu, insn, 8);
  if (address === void 0) return Outcome.pending;
  const pointer = physicalPointer(cpu, address);
  if (pointer === void 0) return failed(vmx2, cpu, insn, VmError.vmclearInvalidAddress);
  if (pointer === cpu.getF64(State.vmxonPointer)) return failed(vmx2, cpu, insn, VmError.vmclearVmxonPointer);
  if (vmx2.memory.isRam(pointer, 4096)) {
    const vmcs = vmx2.vmcs.select(pointer);
    vmcs.launchState = LaunchState.clear;
    vmcs.noteWritten();
  }
  if (pointer === currentPointer(cpu)) cpu.setF64(State.currentVmcs, -1);
  return succeeded(cpu);
}
function vmptrld(vmx2, cpu, insn) {
  const address = readOperand(cpu, insn, 8);
  if (address === void 0) return Outcome.pending;
  const pointer = physicalPointer(cpu, address);
  if (pointer === void 0) return failed(vmx2, cpu, insn, VmError.vmptrldInvalidAddress);
  if (pointer === cpu.getF64(State.vmxonPointer)) return failed(vmx2, cpu, insn, VmError.vmptrldVmxonPointer);
  if (vmx2.memory.read32(pointer) !== VMCS_REVISION) return failed(vmx2, cpu, insn, VmError.vmptrldIncorrectRevision);
  cpu.setF64(State.currentVmcs, pointer);
  cpu.set32(VmxState.changed, ALL_CHANGED);
  return succeeded(cpu);
}
function vmptrst(cpu, insn) {
  const linear = operand(cpu, insn, 8, true);
  const pointer = currentPointer(cpu);
  const value = pointer < 0 ? 0xffffffffffffffffn : BigInt(pointer);
  if (linear === void 0 || !cpu.storeLinear(linear, 8, value)) return Outcome.pending;
  return succeeded(cpu);
}
function component(vmx2, encoding) {
  if (encoding > 0xffffffffn) return void 0;
  const high = (encoding & 1n) !== 0n;
  const field = vmx2.capabilities.fields.get(Number(encoding) & ~1);
  return field === void 0 || high && field.width !== 64 ? void 0 : { field, high };
}
function vmread(vmx2, cpu, insn) {
  const size = cpu.code64 ? 8 : 4;
  if (currentPointer(cpu) < 0) {
    vmFail(vmx2, cpu, insn.name, 0);
    return Outcome.next;
  }
  const found = component(vmx2, cpu.gprSized(insn.reg, size));
  if (found === void 0) return failed(vmx2, cpu, insn, VmError.unsupportedComponent);
  const vmcs = currentVmcs2(vmx2, cpu);
  const value = found.high ? BigInt(vmcs.high32(found.field)) : vmcs.u64(found.field);
  if (insn.rm >= 0) cpu.setGprSized(insn.rm, size, BigInt.asUintN(size * 8, value));
  else {
    const linear = operand(cpu, insn, size, true);
    if (linear === void 0 || !cpu.storeLinear(linear, size, BigInt.asUintN(size * 8, value))) return Outcome.pending;
  }
  return succeeded(cpu);
}
function vmwrite(vmx2, cpu, insn) {
  const size = cpu.code64 ? 8 : 4;
  if (currentPointer(cpu) < 0) {
    vmFail(vmx2, cpu, insn.name, 0);
    return Outcome.next;
  }
  const value = insn.rm >= 0 ? cpu.gprSized(insn.rm, size) : readOperand(cpu, insn, size);
  if (value === void 0) return Outcome.pending;
  const found = component(vmx2, cpu.gprSized(insn.reg, size));
  if (found === void 0) return failed(vmx2, cpu, insn, VmError.unsupportedComponent);
  if (found.field.type === "read-only") return failed(vmx2, cpu, insn, VmError.readOnlyComponent);
  const vmcs = currentVmcs2(vmx2, cpu);
  if (found.high) vmcs.setHalves(found.field, vmcs.u32(found.field), Number(value & 0xffffffffn));
  else vmcs.setMasked(found.field, value);
  vmcs.noteWritten();
  noteFieldWrite(cpu, found.field);
  return succeeded(cpu);
}
function readDescriptor3(cpu, insn) {
  const linear = operand(cpu, insn, 16, false);
  if (linear === void 0) return void 0;
  const low = cpu.loadLinear(linear, 8);
  const high = low === void 0 ? void 0 : cpu.loadLinear(BigInt.asUintN(cpu.code64 ? 64 : 32, linear + 8n), 8);
  return low === void 0 || high === void 0 ? void 0 : [low, high];
}
function invept(vmx2, cpu, insn) {
  const type = cpu.gprSized(insn.reg, cpu.code64 ? 8 : 4);
  const supported = type === 1n && vmx2.capabilities.eptVpidCap & 1n << 25n || type === 2n && vmx2.capabilities.eptVpidCap & 1n << 26n;
  if (!supported) return failed(vmx2, cpu, insn, VmError.invalidInvOperand);
  const descriptor = readDescriptor3(cpu, insn);
  if (descriptor === void 0) return Outcome.pending;
  if (type === 1n && !eptpValid(vmx2.capabilities.eptVpidCap, cpu.model.maxPhyAddr, descriptor[0])) {
    return failed(vmx2, cpu, insn, VmError.invalidInvOperand);
  }
  cpu.mmu.flushAll(cpu);
  return succeeded(cpu);
}
function invvpid(vmx2, cpu, insn) {
  const type = cpu.gprSized(insn.reg, cpu.code64 ? 8 : 4);
  if (type > 3n || !(vmx2.capabilities.eptVpidCap & 1n << 40n + type)) return failed(vmx2, cpu, insn, VmError.invalidInvOperand);
  const descriptor = readDescriptor3(cpu, insn);
  if (descriptor === void 0) return Outcome.pending;
  const [low, linear] = descriptor;
  const canonical3 = BigInt.asUintN(64, BigInt.asIntN(cpu.model.linearBits, linear)) === linear;
  const allContexts = type === 2n;
  const wrong = low >> 16n !== 0n || !allContexts && (low & 0xffffn) === 0n || type === 0n && !canonical3;
  if (wrong) return failed(vmx2, cpu, insn, VmError.invalidInvOperand);
  cpu.mmu.flushAll(cpu);
  return succeeded(cpu);
}

// emulator/vmx/vmx.ts
var CR0_PE_PG = 0x80000001n;
var DEBUG_DUE = 20480;
function createVmx(parts) {
  const vmcs = new Vmcs(parts.memory);
  const context = {
    memory: parts.memory,
    capabilities: vmxCapabilities(parts.model),
    observer: parts.observer,
    msrs: parts.msrs,
    clock: parts.clock,
    vmcs,
    controls: { fields: vmcs, readBitmapByte: (address) => parts.memory.read8(address) }
  };
  return new VmxImplementation(context);
}
var VmxImplementation = class {
  constructor(context) {
    this.context = context;
    this.capabilities = context.capabilities;
  }
  context;
  capabilities;
  intercept(cpu, event) {
    if (!cpu.vmxNonRoot) return false;
    currentVmcs2(this.context, cpu);
    const decision = intercepts(this.context.controls, event);
    if (decision === void 0) return false;
    commitExit(this.context, cpu, decision);
    return true;
  }
  execute(cpu, instruction) {
    return executeVmx(this.context, cpu, instruction);
  }
  commitPendingExit(cpu) {
    const kind = cpu.get32(State.pendingReason) === ExitReason.EPT_MISCONFIGURATION ? "ept-misconfiguration" : "ept-violation";
    const qualification = cpu.get64(State.pendingQualification);
    const linear = qualification & 0x80n ? cpu.get64(State.pendingLinear) : void 0;
    this.intercept(cpu, { kind, qualification, gpa: cpu.getF64(State.pendingGpa), linear });
    cpu.set32(State.pendingKind, 0);
    cpu.set32(State.pendingReason, 0);
  }
  fixedCr0(cpu) {
    const mode = cpu.get32(State.vmxMode);
    if (mode === VmxMode.outside) return void 0;
    const { cr0Fixed0, cr0Fixed1 } = this.capabilities;
    const unrestricted = mode === VmxMode.nonRoot && (this.secondary(cpu) & Secondary.unrestrictedGuest) !== 0;
    return [unrestricted ? cr0Fixed0 & ~CR0_PE_PG : cr0Fixed0, cr0Fixed1];
  }
  fixedCr4(cpu) {
    if (cpu.get32(State.vmxMode) === VmxMode.outside) return void 0;
    return [this.capabilities.cr4Fixed0, this.capabilities.cr4Fixed1];
  }
  readCapabilityMsr(cpu, index) {
    if (index === VmxMsr.featureControl) return cpu.get64(State.featureControl);
    return this.capabilities.msrs.get(index);
  }
  visibleCr0(cpu, cr0) {
    if (!cpu.vmxNonRoot) return cr0;
    const vmcs = currentVmcs2(this.context, cpu);
    const mask = vmcs.u64(Field.cr0GuestHostMask);
    return cr0 & ~mask | vmcs.u64(Field.cr0ReadShadow) & mask;
  }
  visibleCr4(cpu, cr4) {
    if (!cpu.vmxNonRoot) return cr4;
    const vmcs = currentVmcs2(this.context, cpu);
    const mask = vmcs.u64(Field.cr4GuestHostMask);
    return cr4 & ~mask | vmcs.u64(Field.cr4ReadShadow) & mask;
  }
  atBoundary(cpu) {
    if (!cpu.vmxNonRoot) return false;
    const boundary = cpu.get32(State.boundary);
    if (boundary & Boundary.monitorTrap && this.monitorTrapDue(cpu)) return this.intercept(cpu, { kind: "mtf" });
    return (boundary & Boundary.window) !== 0 && windowOpen(cpu) && this.intercept(cpu, { kind: "interrupt-window" });
  }
  /** The exit is due at the boundary after the first step, or at once when an event was injected: SDM "Monitor Trap Flag". */
  monitorTrapDue(cpu) {
    const steps = cpu.getF64(State.steps);
    switch (cpu.get32(VmxState.monitorTrap)) {
      case MonitorTrap.due:
        return true;
      case MonitorTrap.untilFirstBoundary:
        cpu.set32(VmxState.monitorTrap, MonitorTrap.afterStep);
        cpu.setF64(VmxState.trapSteps, steps);
        return false;
      case MonitorTrap.afterStep:
        return steps !== cpu.getF64(VmxState.trapSteps);
      default:
        return false;
    }
  }
  tscOffset(cpu) {
    return cpu.get64(VmxState.tscOffset);
  }
  disabledByControls(cpu, name) {
    if (!cpu.vmxNonRoot) return false;
    const needed = name === "RDTSCP" ? Secondary.enableRdtscp : name === "INVPCID" ? Secondary.enableInvpcid : Secondary.enableXsaves;
    return (this.secondary(cpu) & needed) === 0;
  }
  secondary(cpu) {
    return secondaryControls(currentVmcs2(this.context, cpu));
  }
};
function resetVmx(cpu) {
  cpu.set32(State.vmxMode, VmxMode.outside);
  cpu.setF64(State.vmxonPointer, -1);
  cpu.setF64(State.currentVmcs, -1);
  cpu.setF64(State.eptPointer, 0);
  cpu.set32(State.eptMode, 0);
  cpu.set32(State.vpid, 0);
  cpu.set32(VmxState.monitorTrap, MonitorTrap.off);
  cpu.set64(VmxState.tscOffset, 0n);
  cpu.set32(VmxState.changed, ALL_CHANGED);
  if (cpu.model.features.has("vmx")) cpu.set64(State.featureControl, FEATURE_CONTROL_RESET);
}
function windowOpen(cpu) {
  if (!(cpu.get32(State.systemFlags) & Flag.IF)) return false;
  if (cpu.get32(State.interruptibility) & (Interruptibility.blockingBySti | Interruptibility.blockingByMovSs)) return false;
  if (cpu.get32(State.activity) > 1 || cpu.get32(State.pendingEventInfo) >>> 31) return false;
  return (cpu.get32(State.pendingDebug) & DEBUG_DUE) === 0;
}

// emulator/machine.ts
var DEFAULT_MEMORY = 128 * 1024 * 1024;
var SNAPSHOT_VERSION = 1;
var PAGE_FAULT = 14;
async function createMachine(config) {
  const bytes = config.memoryBytes ?? DEFAULT_MEMORY;
  if (!Number.isInteger(bytes) || bytes < 1024 * 1024 || bytes > 3 * 2 ** 30 || bytes % 4096 !== 0)
    throw new UserError(`guest memory of ${bytes} bytes: expected a multiple of 4 KiB between 1 MiB and 3 GiB`, "memory-size");
  const model2 = config.cpuModel === void 0 ? defaultCpuModel : cpuModelNamed(config.cpuModel);
  let memory;
  try {
    memory = new PhysicalMemory(bytes);
  } catch {
    throw new UserError(`no room for ${bytes / 2 ** 20} MiB of guest memory: choose a smaller 'memory'`, "memory-size");
  }
  const mmu = new Mmu(memory);
  const cpus = [];
  const interpreter = await instantiateInterpreter(
    memory,
    createCallbacks(mmu, () => cpus[0])
  );
  const cpu = new Cpu(0, memory.vcpuBase(0), memory, model2, (base) => interpreter.exports.arithmeticFlags(base), mmu);
  cpus.push(cpu);
  const code = new CodeCache(memory, mmu, new OpcodeTable(instructionRows), interpreter.module, model2.features, () => cpus, config.hotAfter);
  const regions = new Regions(
    memory,
    code,
    interpreter.module,
    interpreter.exports,
    createRegionCallbacks(mmu, () => cpus[0])
  );
  regions.enabled = config.tier !== "interpreter";
  code.regions = regions;
  return new EmulatedMachine(config, memory, mmu, cpu, code, regions, interpreter.exports);
}
var EmulatedMachine = class {
  constructor(config, memory, mmu, vcpu, code, regions, generated) {
    this.memory = memory;
    this.vcpu = vcpu;
    this.code = code;
    this.regions = regions;
    this.platform = createPlatform({ guestExit: (value) => this.guestExit(value) });
    for (const region of notModelledRegions((sentence) => vcpu.notModelled(sentence))) memory.addRegion(region);
    const ports = this.createPorts();
    this.processor = new Processor(vcpu, mmu, code, regions, generated, ports, (ip) => this.isBreakpoint(ip));
    this.resolver = new Resolver(memory);
    this.view = createCpuView(vcpu, memory, this.trace);
    this.inspect = createInspector(vcpu, memory, this.resolver, this.trace);
    resetMsrs(vcpu);
    setFirmwareMtrrs(vcpu);
    resetVmx(vcpu);
    applyEntryState(vcpu, loadImage(config, memory));
  }
  memory;
  vcpu;
  code;
  regions;
  vcpuCount = 1;
  breakOn = { vmExit: false, vmEntry: false, vmEntryFailure: false, exception: false };
  inspect;
  platform;
  processor;
  trace = new Trace();
  resolver;
  view;
  breakpoints = [];
  endedBy;
  stopEvent;
  createPorts() {
    const clock = createClock((cpu) => vmx2.tscOffset(cpu));
    const position = (cpu) => cpu.getF64(State.steps) + 1;
    const vmx2 = createVmx({
      memory: this.memory,
      model: this.vcpu.model,
      clock,
      msrs: {
        readMsr: (cpu, index) => readMsr(cpu, ports, index),
        writeMsr: (cpu, index, value) => writeMsr(cpu, ports, index, value)
      },
      observer: {
        exit: (cpu, report) => {
          const exit2 = { event: "exit", n: position(cpu), vcpu: cpu.index, level: 2, ...report };
          this.note(exit2, this.breakOn.vmExit ? { kind: "vm-exit", exit: exit2 } : void 0);
        },
        entry: (cpu, report) => {
          const entry = { event: "entry", n: position(cpu), vcpu: cpu.index, level: 2, ...report };
          this.note(entry, this.breakOn.vmEntry ? { kind: "vm-entry", entry } : void 0);
        },
        entryFailure: (cpu, report) => {
          const failure = { event: "entry-failure", n: position(cpu), vcpu: cpu.index, level: 1, ...report };
          this.note(failure, this.breakOn.vmEntryFailure ? { kind: "vm-entry-failure", failure } : void 0);
        }
      }
    });
    const ports = {
      io: this.platform.io,
      clock,
      observer: {
        exception: (cpu, vector, errorCode) => {
          const record = {
            event: "exception",
            n: position(cpu),
            vcpu: cpu.index,
            level: levelOf(cpu),
            vector,
            errorCode,
            rip: cpu.rip,
            cr2: vector === PAGE_FAULT ? cpu.get64(State.pendingLinear) : void 0
          };
          this.note(record, this.breakOn.exception ? { kind: "exception", exception: record } : void 0);
        },
        interruptDelivered: () => void 0,
        modeSwitch: () => void 0
      },
      vmx: vmx2
    };
    return ports;
  }
  note(record, stop) {
    this.trace.add(record);
    if (stop === void 0) return;
    this.stopEvent = stop;
    this.processor.eventStop = true;
  }
  guestExit(value) {
    this.endedBy = { kind: "guest-exit", value };
    this.processor.eventStop = true;
  }
  isBreakpoint(ip) {
    const level = levelOf(this.vcpu);
    return this.breakpoints.some((b) => b.address === ip && (b.level === void 0 || b.level === level));
  }
  // Running -----------------------------------------------------------------------------------------------------------
  get steps() {
    return this.vcpu.getF64(State.steps);
  }
  get instructions() {
    return this.vcpu.getF64(State.instructions);
  }
  get tiers() {
    return { ...this.regions.statistics };
  }
  get ended() {
    return this.endedBy;
  }
  setBreakpoints(list) {
    this.breakpoints = [...list];
    this.code.setBreakpointOffsets(new Set(list.map((b) => Number(b.address & 0xfffn))));
  }
  runSlice(options) {
    if (this.endedBy !== void 0) return this.endedBy;
    this.stopEvent = void 0;
    let end;
    try {
      end = this.processor.run(options.maxSteps, options.ignoreFirstBreakpoint);
    } catch (e) {
      const what = e instanceof Error ? e.message : String(e);
      this.endedBy = { kind: "internal-error", sentence: `Nestscope met an error of its own (${what}); the machine is kept as it is. Please report it with the image and this sentence.` };
      return this.endedBy;
    }
    return this.stopReason(end);
  }
  stopReason(end) {
    const { vcpu } = this;
    switch (end) {
      case "budget":
        return this.endedBy ?? this.stopEvent ?? { kind: "step-limit" };
      case "event":
        return this.endedBy ?? this.stopEvent ?? { kind: "step-limit" };
      case "breakpoint":
        return { kind: "breakpoint", address: vcpu.rip, level: levelOf(vcpu) };
      case "halted":
        if (vcpu.flag(Flag.IF)) {
          this.endedBy = { kind: "not-modelled", sentence: "Not modelled: interrupt controllers and timers; the guest waits (HLT with interrupts enabled) for an interrupt that cannot come." };
          return this.endedBy;
        }
        this.endedBy = { kind: "halted", level: levelOf(vcpu) };
        return this.endedBy;
      case "shutdown": {
        const last = this.trace.exceptions[this.trace.exceptions.length - 1];
        const chain = last === void 0 ? [] : this.trace.exceptions.filter((e) => e.n === last.n);
        this.endedBy = { kind: "triple-fault", chain };
        return this.endedBy;
      }
      case "stopped": {
        const stop = vcpu.stop;
        vcpu.stop = void 0;
        const sentence = stop?.sentence ?? "stopped without a reason";
        this.endedBy = stop?.kind === "internal-error" ? { kind: "internal-error", sentence } : { kind: "not-modelled", sentence: sentence.startsWith("Not modelled:") ? sentence : `Not modelled: ${sentence}` };
        return this.endedBy;
      }
    }
  }
  // Input and output ----------------------------------------------------------------------------------------------------
  takeSerialOutput() {
    return this.platform.serialOutput();
  }
  takeDebugConsoleOutput() {
    return this.platform.debugOutput();
  }
  sendSerialInput(bytes) {
    this.platform.sendSerial(bytes);
  }
  takeTrace() {
    return this.trace.take();
  }
  get recentExits() {
    return this.trace.recentExits;
  }
  get exitCounts() {
    return this.trace.exitCounts;
  }
  // State ---------------------------------------------------------------------------------------------------------------
  vcpuCopy() {
    return copyVcpu(this.memory, this.vcpu.base, this.vcpu.flags);
  }
  save() {
    return {
      version: SNAPSHOT_VERSION,
      parts: {
        ram: copyRam(this.memory),
        vcpu0: this.vcpuCopy(),
        platform: this.platform.save(),
        trace: this.trace.save(),
        ended: this.endedBy
      }
    };
  }
  restore(snapshot) {
    if (snapshot.version !== SNAPSHOT_VERSION)
      throw new UserError(`a snapshot of version ${snapshot.version}: expected version ${SNAPSHOT_VERSION}`, "snapshot-version");
    const ram = snapshot.parts.ram;
    if (ram.bytes !== this.memory.ramBytes)
      throw new UserError(
        `a snapshot of a machine with ${ram.bytes} bytes of memory: this one has ${this.memory.ramBytes}`,
        "snapshot-memory"
      );
    this.code.reset();
    restoreRam(this.memory, ram);
    restoreVcpu(this.memory, this.vcpu.base, snapshot.parts.vcpu0);
    this.platform.restore(snapshot.parts.platform);
    this.trace.restore(snapshot.parts.trace);
    this.endedBy = snapshot.parts.ended;
    this.vcpu.stop = void 0;
  }
  hash() {
    const h = new StateHash();
    h.bytes(this.vcpuCopy());
    h.ram(this.memory);
    h.bytes(new TextEncoder().encode(JSON.stringify(this.platform.save(), (_k, v) => typeof v === "bigint" ? `${v}n` : v)));
    return h.digest();
  }
  // Looking inside ------------------------------------------------------------------------------------------------------
  cpu() {
    return this.view;
  }
  resolve(_vcpu, level, space, address) {
    return this.resolver.resolve(this.vcpu, level, space, address);
  }
  readMemory(_vcpu, level, space, address, length) {
    const parts = [];
    let done = 0;
    while (done < length) {
      const at = address + BigInt(done);
      const inPage = Math.min(length - done, 4096 - Number(at & 0xfffn));
      const hpa = this.resolver.toHpa(this.vcpu, level, space, at);
      const bytes = hpa === void 0 ? new Uint8Array(0) : this.memory.physRead(hpa, inPage);
      parts.push(bytes);
      done += bytes.length;
      if (bytes.length < inPage) break;
    }
    const all = new Uint8Array(done);
    let to = 0;
    for (const p of parts) {
      all.set(p, to);
      to += p.length;
    }
    return all;
  }
  writeMemory(_vcpu, level, space, address, bytes) {
    let done = 0;
    while (done < bytes.length) {
      const at = address + BigInt(done);
      const inPage = Math.min(bytes.length - done, 4096 - Number(at & 0xfffn));
      const hpa = this.resolver.toHpa(this.vcpu, level, space, at);
      if (hpa === void 0 || !this.memory.isRam(hpa, inPage)) break;
      this.memory.physWrite(hpa, bytes.subarray(done, done + inPage));
      done += inPage;
    }
    forgetChecks(this.vcpu);
    return done;
  }
};
function applyEntryState(cpu, entry) {
  cpu.setF64(State.vmxonPointer, -1);
  cpu.setF64(State.currentVmcs, -1);
  GPR_NAMES.forEach((name, n) => cpu.setGpr(n, entry.registers[name] ?? 0n));
  SEGMENT_NAMES.forEach((name, n) => {
    const s = entry.segments[name];
    cpu.setSegment(n, s.selector, s.base, s.limit, s.access);
  });
  cpu.set64(State.cr0, entry.cr0);
  cpu.set64(State.cr3, entry.cr3);
  cpu.set64(State.cr4, entry.cr4);
  cpu.set64(State.efer, entry.efer);
  cpu.set64(State.gdtrBase, entry.gdtr.base);
  cpu.set32(State.gdtrLimit, entry.gdtr.limit);
  cpu.set64(State.idtrBase, entry.idtr.base);
  cpu.set32(State.idtrLimit, entry.idtr.limit);
  cpu.set64(State.dr + 8 * 6, 0xffff0ff0n);
  cpu.set64(State.dr + 8 * 7, 0x400n);
  cpu.rip = entry.rip;
  cpu.flags = entry.rflags;
  cpu.mmu.flushAll(cpu);
}

// test/differential/slicing.test.ts
var examples = (0, import_node_path.join)("/work/main/test/differential", "../../examples");
var guests = (0, import_node_path.join)("/work/main/test/differential", "../guests");
var machineOf = (path, cmdline = "") => createMachine({ image: (0, import_node_fs.readFileSync)(path), imageName: path, cmdline, memoryBytes: 32 << 20 });
function runTo(machine, steps, slice) {
  while (machine.steps < steps && machine.ended === void 0)
    machine.runSlice({ maxSteps: Math.min(slice(), steps - machine.steps), ignoreFirstBreakpoint: true });
}
var cases = [
  {
    name: "nested-hello",
    path: (0, import_node_path.join)(examples, "nested-hello/nested-hello.elf"),
    cmdline: "",
    points: [1, 2, 777, 8535, 8536, 8806, 9e3, 18922, 18923, 21e3, 27049]
  },
  { name: "entry-failure", path: (0, import_node_path.join)(examples, "entry-failure/entry-failure.elf"), cmdline: "", points: [5e3, 30001, 60007] },
  { name: "kernels", path: (0, import_node_path.join)(guests, "kernels/kernels.elf"), cmdline: "scale=1", points: [10001, 300007, 1234567] }
];
describe("position and state", function() {
  this.timeout(12e4);
  for (const { name, path, cmdline, points } of cases) {
    describe(name, () => {
      const hashes = /* @__PURE__ */ new Map();
      before(async () => {
        const machine = await machineOf(path, cmdline);
        for (const n of points) {
          runTo(machine, n, () => Number.MAX_SAFE_INTEGER);
          import_node_assert.strict.equal(machine.steps, n);
          hashes.set(n, machine.hash());
        }
        import_node_assert.strict.equal(new Set(hashes.values()).size, points.length, "the hash tells states apart");
      });
      const check = (machine, n) => {
        import_node_assert.strict.equal(machine.steps, n);
        import_node_assert.strict.equal(machine.hash(), hashes.get(n), `after ${n} steps`);
      };
      it("is the same in uneven slices", async () => {
        const machine = await machineOf(path, cmdline);
        let x = 12345;
        for (const n of points) {
          runTo(machine, n, () => (x = x * 48271 % 2147483647) % (n < 5e4 ? 7 : 5e3) || 1);
          check(machine, n);
        }
      });
      it("is the same with breakpoints that stop or only look like it", async () => {
        const machine = await machineOf(path, cmdline);
        const first = machine.cpu(0).rip;
        machine.setBreakpoints([{ address: first + 0x20n }, { address: first + 0x100000040n }, { address: 0x40010028n, level: 2 }]);
        for (const n of points) {
          runTo(machine, n, () => Number.MAX_SAFE_INTEGER);
          check(machine, n);
        }
      });
      it("is the same when everything is looked at along the way", async () => {
        const machine = await machineOf(path, cmdline);
        for (const n of points) {
          runTo(machine, n, () => Number.MAX_SAFE_INTEGER);
          for (const root of ["vmcs", "idt", "page-tables", "exits", "registers"])
            for (const node of machine.inspect.children(0, root)) machine.inspect.children(0, node.id);
          for (const level of [1, 2])
            for (const space of ["gva", "gpa", "hpa"]) {
              machine.resolve(0, level, space, machine.cpu(0).rip);
              machine.readMemory(0, level, space, 0x100000n, 9e3);
            }
          check(machine, n);
        }
      });
      it("is the same after saving in the middle and going on in another machine", async () => {
        const machine = await machineOf(path, cmdline);
        for (const [i, n] of points.entries()) {
          const at = Math.max(1, Math.floor(n / 2), points[i - 1] ?? 0);
          runTo(machine, at, () => Number.MAX_SAFE_INTEGER);
          const other = await machineOf(path, cmdline);
          runTo(other, 100, () => 33);
          other.restore(structuredClone(machine.save()));
          import_node_assert.strict.equal(other.hash(), machine.hash());
          runTo(other, n, () => Number.MAX_SAFE_INTEGER);
          check(other, n);
        }
      });
      it("is the same when going back and forward again in one machine", async () => {
        const machine = await machineOf(path, cmdline);
        const middle = points[Math.floor(points.length / 2)];
        runTo(machine, middle, () => Number.MAX_SAFE_INTEGER);
        const saved2 = machine.save();
        const last = points[points.length - 1];
        runTo(machine, last, () => Number.MAX_SAFE_INTEGER);
        check(machine, last);
        machine.restore(saved2);
        check(machine, middle);
        runTo(machine, last, () => 999);
        check(machine, last);
      });
    });
  }
});
