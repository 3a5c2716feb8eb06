/*
 * Runs single user-mode instructions on this machine's own processor (Linux, x86-64) and reports what each did: record.mjs writes the
 * cases and reads the results. A signal handler replaces the whole interrupted context by the next case with RFLAGS.TF set; the return
 * from the signal then carries out exactly one instruction, whose trap or fault raises the next signal (Intel SDM volume 3, "Single-Step
 * Exception Condition"). CS = 23H selects 32-bit compatibility mode. Leaves out floating-point and vector registers.
 *
 * stdin:  u32 regions, u32 cases, u64 GS base; per region {u32 address, u32 size, u32 protection (PROT_*), u32 fill byte};
 *         per case {u32 mode, u32 extents, u64 gpr[16], u64 rip, u64 rflags}, then per extent {u32 address, u32 length, bytes}
 * stdout: per case {u64 gpr[16], u64 rip, u64 rflags, u64 cr2, u32 signal, u32 trap, u32 error, u32 cs, u32 changes, u32 zero},
 *         then per changed byte {u32 address, u32 value}
 */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { MAX_REGIONS = 16, TRAP_FLAG = 0x100, CS_64 = 0x33, CS_32 = 0x23, FLAT_DATA = 0x2b };

struct region {
  uint32_t address, size, protection, fill;
};
struct test_case {
  uint32_t mode, extents;
  uint64_t gpr[16], rip, rflags;
};
struct result {
  uint64_t gpr[16], rip, rflags, cr2;
  uint32_t signal, trap, error, cs, changes, zero;
};

/* The manual's register numbers in the order of the kernel's context. */
static const int context_index[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                      REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

static struct region regions[MAX_REGIONS];
static uint32_t region_count, case_count, next_case;
static uint32_t total_size;
/* A second, always writable view of all regions, one after the other, and what the current case found there. */
static uint8_t *view, *before;
static uint8_t *input;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static const void *take(size_t length) {
  const void *at = input;
  input += length;
  return at;
}

static uint8_t *view_of(uint32_t address) {
  uint32_t offset = 0;
  for (uint32_t i = 0; i < region_count; offset += regions[i++].size)
    if (address - regions[i].address < regions[i].size) return view + offset + (address - regions[i].address);
  fprintf(stderr, "address %x lies in no region\n", address);
  exit(1);
}

static void clear_memory(void) {
  uint32_t offset = 0;
  for (uint32_t i = 0; i < region_count; offset += regions[i++].size) memset(view + offset, (int)regions[i].fill, regions[i].size);
}

static void record(int number, const ucontext_t *context) {
  const greg_t *gregs = context->uc_mcontext.gregs;
  struct result result = {.rip = (uint64_t)gregs[REG_RIP], .rflags = (uint64_t)gregs[REG_EFL], .cr2 = (uint64_t)gregs[REG_CR2]};
  for (int i = 0; i < 16; i++) result.gpr[i] = (uint64_t)gregs[context_index[i]];
  result.signal = (uint32_t)number;
  result.trap = (uint32_t)gregs[REG_TRAPNO];
  result.error = (uint32_t)gregs[REG_ERR];
  result.cs = (uint32_t)gregs[REG_CSGSFS] & 0xffff;
  for (uint32_t i = 0; i < total_size; i++) result.changes += view[i] != before[i];
  fwrite(&result, sizeof result, 1, stdout);
  uint32_t offset = 0;
  for (uint32_t i = 0; result.changes && i < region_count; offset += regions[i++].size)
    for (uint32_t j = 0; j < regions[i].size; j++)
      if (view[offset + j] != before[offset + j]) {
        uint32_t change[2] = {regions[i].address + j, view[offset + j]};
        fwrite(change, sizeof change, 1, stdout);
      }
}

static void load(ucontext_t *context) {
  const struct test_case *test = take(sizeof *test);
  clear_memory();
  for (uint32_t i = 0; i < test->extents; i++) {
    const uint32_t *extent = take(2 * sizeof *extent);
    const uint8_t *bytes = take(extent[1]);
    for (uint32_t j = 0; j < extent[1]; j++) *view_of(extent[0] + j) = bytes[j];
  }
  memcpy(before, view, total_size);
  greg_t *gregs = context->uc_mcontext.gregs;
  for (int i = 0; i < 16; i++) gregs[context_index[i]] = (greg_t)test->gpr[i];
  gregs[REG_RIP] = (greg_t)test->rip;
  gregs[REG_EFL] = (greg_t)(test->rflags | TRAP_FLAG);
  gregs[REG_CR2] = 0;
  gregs[REG_CSGSFS] = (gregs[REG_CSGSFS] & ~(greg_t)0xffff) | (test->mode == 32 ? CS_32 : CS_64);
  /* A 64-bit process runs with null data segments, which 32-bit code may not use. */
  __asm__ volatile("mov %0, %%ds\n\tmov %0, %%es" : : "r"(FLAT_DATA));
}

__attribute__((used)) static void handle(int number, siginfo_t *info, void *opaque) {
  static int running;
  ucontext_t *context = opaque;
  (void)info;
  if (running) record(number, context);
  running = 1;
  if (next_case++ == case_count) {
    fflush(stdout);
    _exit(0);
  }
  load(context);
}

/* POPF may have left AC, NT or ID set: the handler's own code wants none of them. */
void signal_entry(int, siginfo_t *, void *);
__asm__("signal_entry: pushq $2\n\tpopfq\n\tjmp handle\n");

static void read_input(void) {
  size_t size = 0, room = 1 << 20;
  uint8_t *buffer = malloc(room);
  for (size_t got; buffer && (got = fread(buffer + size, 1, room - size, stdin)) > 0;) {
    size += got;
    if (size == room) buffer = realloc(buffer, room *= 2);
  }
  if (!buffer) fail("memory for the cases");
  input = buffer;
}

int main(void) {
  read_input();
  region_count = *(const uint32_t *)take(4);
  case_count = *(const uint32_t *)take(4);
  uint64_t gs_base = *(const uint64_t *)take(8);
  if (region_count > MAX_REGIONS) fail("too many regions");
  memcpy(regions, take(region_count * sizeof *regions), region_count * sizeof *regions);
  for (uint32_t i = 0; i < region_count; i++) total_size += regions[i].size;

  int file = memfd_create("vectors", 0);
  if (file < 0 || ftruncate(file, total_size) != 0) fail("memfd");
  view = mmap(NULL, total_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file, 0);
  before = malloc(total_size);
  if (view == MAP_FAILED || !before) fail("memory");
  uint32_t offset = 0;
  for (uint32_t i = 0; i < region_count; offset += regions[i++].size) {
    void *address = (void *)(uintptr_t)regions[i].address;
    void *got = mmap(address, regions[i].size, (int)regions[i].protection, MAP_SHARED | MAP_POPULATE | MAP_FIXED_NOREPLACE, file, offset);
    if (got != address) fail("a region cannot be mapped");
  }
  if (syscall(SYS_arch_prctl, ARCH_SET_GS, gs_base) != 0) fail("GS base");

  static uint8_t signal_stack[1 << 16];
  stack_t stack = {.ss_sp = signal_stack, .ss_size = sizeof signal_stack};
  struct sigaction action = {.sa_sigaction = signal_entry, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  const int signals[] = {SIGTRAP, SIGSEGV, SIGBUS, SIGILL, SIGFPE};
  if (sigaltstack(&stack, NULL) != 0) fail("sigaltstack");
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++)
    if (sigaction(signals[i], &action, NULL) != 0) fail("sigaction");
  __asm__ volatile("int3");
  return 1;
}
