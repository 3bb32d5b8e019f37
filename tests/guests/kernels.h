/* What the files of kernels share: see kernels.c. */
#ifndef GUESTS_KERNELS_H
#define GUESTS_KERNELS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NOINLINE __attribute__((noinline))

struct kernel {
	const char *name;
	const char *rounds;     /* that give native code about 50 ms */
	uint64_t (*run)(unsigned n); /* a checksum; its time grows with n */
};
/* Ended by a row without a name. */
extern const struct kernel kernels_integer[], kernels_memory[], kernels_float[], kernels_code[];

/* The same sequence everywhere. */
uint64_t rnd(void);

#endif
