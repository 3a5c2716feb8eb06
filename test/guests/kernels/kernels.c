// Eleven integer kernels of the kinds that programs are made of. Plain C without library calls, no floating point, no undefined
// behaviour, and no dependence on addresses, so that every machine must come to the same checksums.
#include "kernels.h"

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;

static u64 rotate_left(u64 x, unsigned n) { return (x << n) | (x >> (64 - n)); }

// xorshift64*: the source of all data here.
static u64 random_next(u64 *state) {
  u64 x = *state;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  *state = x;
  return x * 0x2545F4914F6CDD1Du;
}

#define BUFFER_BYTES (1u << 20)
static u8 buffer_a[BUFFER_BYTES] __attribute__((aligned(64)));
static u8 buffer_b[BUFFER_BYTES] __attribute__((aligned(64)));

static void fill_random(u8 *bytes, u32 count, u64 seed) {
  for (u32 i = 0; i < count; i++) bytes[i] = (u8)(random_next(&seed) >> 56);
}

// Sieve of Eratosthenes: byte stores at growing strides. There are 17,984 primes below 200,000.
#define SIEVE_LIMIT 200000u
static u64 sieve(u32 rounds) {
  u64 sum = 0;
  for (u32 r = 0; r < rounds; r++) {
    for (u32 i = 0; i < SIEVE_LIMIT; i++) buffer_a[i] = 1;
    for (u32 i = 2; i * i < SIEVE_LIMIT; i++) {
      if (!buffer_a[i]) continue;
      for (u32 j = i * i; j < SIEVE_LIMIT; j += i) buffer_a[j] = 0;
    }
    u32 count = 0;
    for (u32 i = 2; i < SIEVE_LIMIT; i++) count += buffer_a[i];
    sum = sum * 31 + count + r;
  }
  return sum;
}

// CRC-32 (polynomial EDB88320), bit by bit to make the table, then by table.
static u32 crc_table[256];
static u32 crc32_of(const u8 *bytes, u32 count) {
  u32 crc = ~0u;
  for (u32 i = 0; i < count; i++) crc = crc_table[(crc ^ bytes[i]) & 255] ^ (crc >> 8);
  return ~crc;
}
static u64 crc32(u32 rounds) {
  for (u32 i = 0; i < 256; i++) {
    u32 value = i;
    for (int bit = 0; bit < 8; bit++) value = value & 1 ? 0xEDB88320u ^ (value >> 1) : value >> 1;
    crc_table[i] = value;
  }
  // The known answer: CRC-32 of "123456789" is CBF43926.
  u64 sum = crc32_of((const u8 *)"123456789", 9);
  fill_random(buffer_a, 4096, 1);
  for (u32 r = 0; r < rounds; r++) {
    buffer_a[r & 4095] ^= (u8)sum;
    sum = rotate_left(sum, 7) ^ crc32_of(buffer_a, 4096);
  }
  return sum;
}

// A 64-bit hash: wide multiplications (both halves), rotations, carries.
static u64 hash64(u32 rounds) {
  u64 a = 0x9E3779B97F4A7C15u, b = 0xBF58476D1CE4E5B9u, carries = 0;
  for (u32 i = 0; i < rounds; i++) {
    unsigned __int128 product = (unsigned __int128)a * (b ^ i);
    u64 low = (u64)product, high = (u64)(product >> 64);
    a = rotate_left(a ^ high, 23) + low;
    b = rotate_left(b + low, 41) ^ (a >> 3);
    carries += __builtin_add_overflow(a, b, &low);
    b += low | 1;
  }
  return a ^ b ^ carries;
}

// Memory moves of all alignments, in bytes and in 64-bit words, forwards and backwards where they overlap.
static void move_bytes(u8 *to, const u8 *from, u32 count) {
  if (to <= from) {
    for (u32 i = 0; i < count; i++) to[i] = from[i];
  } else {
    for (u32 i = count; i > 0; i--) to[i - 1] = from[i - 1];
  }
}
static void move_words(u8 *to, const u8 *from, u32 words) {
  typedef struct __attribute__((packed, may_alias)) { u64 value; } Unaligned;
  for (u32 i = 0; i < words; i++) ((Unaligned *)to)[i].value = ((const Unaligned *)from)[i].value;
}
static u64 moves(u32 rounds) {
  u64 seed = 7, sum = 0;
  fill_random(buffer_a, 65536, 7);
  fill_random(buffer_b, 65536, 8);
  for (u32 r = 0; r < rounds; r++) {
    u64 x = random_next(&seed);
    u32 from = (u32)x & 0x7FFF, to = (u32)(x >> 16) & 0x7FFF, count = (u32)(x >> 32) & 0x1FF;
    move_bytes(buffer_a + to, buffer_a + from, count);
    move_words(buffer_b + to, buffer_a + from, count / 4);
    move_words(buffer_a + from, buffer_b + to + 1, count / 8);
    sum = sum * 33 + buffer_a[to] + buffer_b[from];
  }
  for (u32 i = 0; i < 65536; i++) sum = sum * 33 + (buffer_a[i] ^ buffer_b[i]);
  return sum;
}

// Quicksort with the middle element as pivot, then a check of the order.
static void quicksort_range(u32 *values, int low, int high) {
  while (low < high) {
    u32 pivot = values[low + (high - low) / 2];
    int i = low, j = high;
    while (i <= j) {
      while (values[i] < pivot) i++;
      while (values[j] > pivot) j--;
      if (i > j) break;
      u32 swap = values[i];
      values[i++] = values[j];
      values[j--] = swap;
    }
    if (j - low < high - i) {
      quicksort_range(values, low, j);
      low = i;
    } else {
      quicksort_range(values, i, high);
      high = j;
    }
  }
}
static u64 quicksort(u32 rounds) {
  enum { COUNT = 8192 };
  static u32 values[COUNT];
  u64 seed = 11, sum = 0;
  for (u32 r = 0; r < rounds; r++) {
    for (u32 i = 0; i < COUNT; i++) values[i] = (u32)(random_next(&seed) >> 33);
    quicksort_range(values, 0, COUNT - 1);
    for (u32 i = 1; i < COUNT; i++) {
      if (values[i - 1] > values[i]) return 0xBAD;
      sum = rotate_left(sum, 1) ^ values[i];
    }
  }
  return sum;
}

// Calls and returns: Fibonacci by its definition. noipa keeps the compiler from flattening the recursion.
__attribute__((noipa)) static u32 fibonacci(u32 n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }
static u64 calls(u32 rounds) {
  u64 sum = 0;
  for (u32 r = 0; r < rounds; r++) sum = sum * 3 + fibonacci(18 + (r & 3));
  return sum;
}

// A byte-code machine with a stack: an indirect jump for each operation. The program computes the length of a Collatz sequence.
enum { OP_PUSH, OP_LOAD, OP_STORE, OP_ADD, OP_MUL, OP_SHR, OP_AND, OP_LESS, OP_JUMP, OP_JUMP_IF_ZERO, OP_HALT };
static const u8 collatz[][2] = {
  {OP_PUSH, 0}, {OP_STORE, 1},                                                                  //  0: length = 0
  {OP_PUSH, 1}, {OP_LOAD, 0}, {OP_LESS, 0}, {OP_JUMP_IF_ZERO, 26},                              //  2: while (1 < n)
  {OP_LOAD, 0}, {OP_PUSH, 1}, {OP_AND, 0}, {OP_JUMP_IF_ZERO, 17},                               //  6:   if (n & 1)
  {OP_LOAD, 0}, {OP_PUSH, 3}, {OP_MUL, 0}, {OP_PUSH, 1}, {OP_ADD, 0}, {OP_STORE, 0}, {OP_JUMP, 21}, // 10: n = n * 3 + 1
  {OP_LOAD, 0}, {OP_PUSH, 1}, {OP_SHR, 0}, {OP_STORE, 0},                                       // 17:   else n = n >> 1
  {OP_LOAD, 1}, {OP_PUSH, 1}, {OP_ADD, 0}, {OP_STORE, 1}, {OP_JUMP, 2},                         // 21:   length = length + 1
  {OP_LOAD, 1}, {OP_HALT, 0},                                                                   // 26: return length
};
__attribute__((noipa)) static u64 interpret(const u8 (*code)[2], u64 input) {
  u64 stack[8], variables[2] = {input, 0};
  u64 *top = stack; // points at the first free slot
  for (u32 at = 0;;) {
    const u8 *op = code[at++];
    switch (op[0]) {
      case OP_PUSH: *top++ = op[1]; break;
      case OP_LOAD: *top++ = variables[op[1]]; break;
      case OP_STORE: variables[op[1]] = *--top; break;
      case OP_ADD: top--; top[-1] += *top; break;
      case OP_MUL: top--; top[-1] *= *top; break;
      case OP_SHR: top--; top[-1] >>= *top & 63; break;
      case OP_AND: top--; top[-1] &= *top; break;
      case OP_LESS: top--; top[-1] = top[-1] < *top; break;
      case OP_JUMP: at = op[1]; break;
      case OP_JUMP_IF_ZERO: if (*--top == 0) at = op[1]; break;
      default: return *--top;
    }
  }
}
static u64 bytecode(u32 rounds) {
  // The known answer: the sequence from 27 takes 111 steps.
  u64 sum = interpret(collatz, 27);
  for (u32 r = 0; r < rounds; r++) sum = sum * 5 + interpret(collatz, 1000 + r);
  return sum;
}

// Integer matrices, 48 × 48, signed 32-bit.
static u64 matrix(u32 rounds) {
  enum { N = 48 };
  static int32_t a[N][N], b[N][N], c[N][N];
  u64 seed = 13, sum = 0;
  for (u32 i = 0; i < N; i++) {
    for (u32 j = 0; j < N; j++) {
      a[i][j] = (int32_t)(random_next(&seed) >> 54) - 512;
      b[i][j] = (int32_t)(random_next(&seed) >> 54) - 512;
    }
  }
  for (u32 r = 0; r < rounds; r++) {
    for (u32 i = 0; i < N; i++) {
      for (u32 j = 0; j < N; j++) {
        int32_t dot = 0;
        for (u32 k = 0; k < N; k++) dot += a[i][k] * b[k][j];
        c[i][j] = dot;
      }
    }
    for (u32 i = 0; i < N; i++) {
      for (u32 j = 0; j < N; j++) {
        sum = sum * 31 + (u32)c[i][j];
        a[i][j] = (c[i][j] >> 7 & 1023) - 512; // stays small: no overflow
      }
    }
  }
  return sum;
}

// The string instructions with REP, both directions of the comparisons.
static void rep_movsb(void *to, const void *from, u64 count) {
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}
static void rep_movsq(void *to, const void *from, u64 count) {
  __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}
static void rep_stosb(void *to, u8 value, u64 count) {
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(value) : "memory");
}
static void rep_stosq(void *to, u64 value, u64 count) {
  __asm__ volatile("rep stosq" : "+D"(to), "+c"(count) : "a"(value) : "memory");
}
static u64 repne_scasb(const void *from, u8 value, u64 count) {
  __asm__ volatile("repne scasb" : "+D"(from), "+c"(count) : "a"(value) : "cc", "memory");
  return count; // what was left
}
static u64 repe_cmpsb(const void *left, const void *right, u64 count) {
  __asm__ volatile("repe cmpsb" : "+S"(left), "+D"(right), "+c"(count) : : "cc", "memory");
  return count;
}
static u64 strings(u32 rounds) {
  u64 seed = 17, sum = 0;
  fill_random(buffer_a, 32768, 17);
  for (u32 r = 0; r < rounds; r++) {
    u64 x = random_next(&seed);
    u32 from = (u32)x & 0x3FFF, to = (u32)(x >> 16) & 0x3FFF, count = (u32)(x >> 32) & 0x3FF;
    rep_movsq(buffer_b + to, buffer_a + from, count);
    rep_movsb(buffer_b + from, buffer_a + to, count);
    rep_stosb(buffer_a + to, (u8)x, count / 8);
    rep_stosq(buffer_a + from, x, count / 16);
    sum = sum * 33 + repne_scasb(buffer_b + from, (u8)(x >> 56), 512);
    sum = sum * 33 + repe_cmpsb(buffer_b + to, buffer_a + from, 512);
  }
  for (u32 i = 0; i < 32768; i++) sum = sum * 33 + (buffer_a[i] ^ buffer_b[i]);
  return sum;
}

// Numbers to decimal text and back: divisions of 32 and 64 bits, signed and unsigned.
static u64 divide(u32 rounds) {
  u64 seed = 19, sum = 0;
  for (u32 r = 0; r < rounds; r++) {
    u64 x = random_next(&seed), divisor = (x >> 40) | 1;
    u8 text[24];
    u32 length = 0;
    for (u64 rest = x; rest != 0; rest /= 10) text[length++] = (u8)('0' + rest % 10);
    u64 back = 0;
    while (length > 0) back = back * 10 + (text[--length] - '0');
    int32_t small = (int32_t)(x >> 32), by = (int32_t)(x & 0xFFFF) - 40000;
    if (by >= -1 && by <= 0) by = 7; // neither a division by zero nor the overflow of INT_MIN / -1
    sum = rotate_left(sum, 5) ^ (back - x) ^ x / divisor ^ x % divisor ^ (u32)(small / by) ^ (u64)(u32)(small % by) << 32;
  }
  return sum;
}

// A binary tree in an array: loads that depend on loads, over half a megabyte.
static u64 tree(u32 rounds) {
  enum { NODES = 16384 };
  typedef struct { u64 key; u32 left, right; } Node; // index 0: none
  static Node nodes[NODES];
  u64 seed = 23, sum = 0;
  u32 used = 1;
  for (u32 r = 0; r < rounds; r++) {
    if (used == NODES) used = 1;
    u64 key = random_next(&seed) >> 32;
    u32 fresh = used++, at = 1, depth = 0;
    nodes[fresh] = (Node){key, 0, 0};
    while (fresh != 1) {
      u32 *next = key < nodes[at].key ? &nodes[at].left : &nodes[at].right;
      depth++;
      if (*next == 0) {
        *next = fresh;
        break;
      }
      at = *next;
    }
    sum = sum * 7 + depth;
  }
  return sum;
}

const Kernel kernels[] = {
  {"sieve", sieve, 1},        {"crc32", crc32, 110},   {"hash64", hash64, 150000}, {"moves", moves, 1000},     {"quicksort", quicksort, 2},
  {"calls", calls, 20},       {"bytecode", bytecode, 200}, {"matrix", matrix, 4},  {"strings", strings, 1700}, {"divide", divide, 6000},
  {"tree", tree, 16000},
};
const u32 kernel_count = sizeof kernels / sizeof kernels[0];

static char *put_text(char *at, const char *text) {
  while (*text) *at++ = *text++;
  return at;
}
static char *put_hex(char *at, u64 value) {
  for (int shift = 60; shift >= 0; shift -= 4) *at++ = "0123456789abcdef"[value >> shift & 15];
  return at;
}

void run_kernels(u32 scale, void (*say)(const char *line)) {
  char line[64];
  u64 total = 0;
  for (u32 i = 0; i < kernel_count; i++) {
    u64 sum = kernels[i].run(kernels[i].rounds * scale);
    total = rotate_left(total, 9) ^ sum;
    char *at = put_text(line, kernels[i].name);
    at = put_text(at, " ");
    at = put_hex(at, sum);
    put_text(at, "\n")[0] = 0;
    say(line);
  }
  char *at = put_text(line, "DONE ");
  at = put_hex(at, total);
  put_text(at, "\n")[0] = 0;
  say(line);
}
