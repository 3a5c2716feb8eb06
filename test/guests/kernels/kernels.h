// The kernels and what they are started with. The same file is compiled for the guest and, to get the expected checksums, natively.
#ifndef KERNELS_H
#define KERNELS_H

#include <stdint.h>

typedef struct {
  const char *name;
  uint64_t (*run)(uint32_t rounds); // returns a checksum of everything it computed
  uint32_t rounds;                  // for scale 1: about three million instructions
} Kernel;

extern const Kernel kernels[];
extern const uint32_t kernel_count;

// Runs them all, `scale` times the rounds of each, and says a line for each through `say`: its name and its checksum.
void run_kernels(uint32_t scale, void (*say)(const char *line));

#endif
