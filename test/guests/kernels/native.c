// Runs the kernels on the machine that builds them: what they print here is what every emulator has to print. Argument: the scale.
#include "kernels.h"
#include <stdio.h>
#include <stdlib.h>

static void say(const char *line) {
  fputs(line, stdout);
}

int main(int count, char **arguments) {
  uint32_t scale = count > 1 ? (uint32_t)strtoul(arguments[1], 0, 10) : 1;
  printf("kernels scale=%u\n", scale);
  run_kernels(scale, say);
  return 0;
}
