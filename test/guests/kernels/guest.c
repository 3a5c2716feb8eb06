// The kernels as a guest: reads `scale=N` (default 1) from the multiboot command line, prints a checksum for each kernel on COM1.
// With the word `tsc` on the command line it prints, too, how far the time-stamp counter went; that is not deterministic everywhere.
#include "kernels.h"

void guest_print(const char *text);
void guest_finish(int status);

enum { MULTIBOOT_LOADED = 0x2BADB002, HAS_COMMAND_LINE = 1 << 2, STATUS_GOOD = 0x10, STATUS_BAD = 0x11 };

static const char *find(const char *text, const char *word) {
  for (; *text; text++) {
    const char *a = text, *b = word;
    while (*b && *a == *b) a++, b++;
    if (!*b) return a;
  }
  return 0;
}

static char *decimal(char *end, uint64_t value) {
  do {
    *--end = (char)('0' + value % 10);
    value /= 10;
  } while (value);
  return end;
}

static int show_tsc;
static uint64_t tsc_before;

static uint64_t read_tsc(void) {
  uint32_t low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  return (uint64_t)high << 32 | low;
}

static void say(const char *line) {
  if (show_tsc) {
    char text[24] = {0};
    text[22] = ' ';
    guest_print(decimal(text + 22, read_tsc() - tsc_before));
  }
  guest_print(line);
  if (show_tsc) tsc_before = read_tsc();
}

void guest_main(uint32_t magic, const uint32_t *info) {
  if (magic != MULTIBOOT_LOADED) {
    guest_print("not started by a multiboot loader\n");
    guest_finish(STATUS_BAD);
  }
  uint32_t scale = 0;
  if (info[0] & HAS_COMMAND_LINE) {
    const char *line = (const char *)(uintptr_t)info[4];
    const char *digits = find(line, "scale=");
    while (digits && *digits >= '0' && *digits <= '9') scale = scale * 10 + (uint32_t)(*digits++ - '0');
    show_tsc = find(line, "tsc") != 0;
  }
  if (scale == 0) scale = 1;
  char text[24] = {0};
  text[22] = '\n';
  guest_print("kernels scale=");
  guest_print(decimal(text + 22, scale));
  if (show_tsc) tsc_before = read_tsc();
  run_kernels(scale, say);
  guest_finish(STATUS_GOOD);
}

// gcc may call these even in freestanding code.
void *memcpy(void *to, const void *from, uint64_t count) {
  void *result = to;
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
  return result;
}
void *memset(void *to, int value, uint64_t count) {
  void *result = to;
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(value) : "memory");
  return result;
}
