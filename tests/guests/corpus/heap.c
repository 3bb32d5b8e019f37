/* malloc and its family under load, in threads, with alignment. */
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t check(uint32_t seed, unsigned rounds)
{
	unsigned char *p[64] = { 0 };
	size_t n[64] = { 0 };
	uint32_t sum = 0;

	for (unsigned i = 0; i < rounds; i++) {
		unsigned k = (seed = seed * 1664525 + 1013904223) >> 26;
		size_t size = (seed >> 8) % (i % 50 ? 700 : 300000) + 1;

		for (size_t j = 0; j < n[k]; j += 37)
			if (p[k][j] != (unsigned char)(k + j))
				sum += 1000000;
		if (i % 3 == 0) {
			free(p[k]);
			p[k] = NULL;
			n[k] = 0;
			continue;
		}
		p[k] = realloc(p[k], size);
		n[k] = size;
		/* all of a small one; of a large one what is looked at above */
		for (size_t j = 0; j < size; j += size > 4096 ? 37 : 1)
			p[k][j] = (unsigned char)(k + j);
		sum = sum * 31 + (uint32_t)size;
	}
	for (unsigned k = 0; k < 64; k++)
		free(p[k]);
	return sum;
}

static void *run(void *arg)
{
	return (void *)(uintptr_t)check((uint32_t)(uintptr_t)arg, 1500);
}

int main(void)
{
	pthread_t t[4];
	void *r, *a;
	int *z;
	long bad = 0;

	printf("%08x\n", check(1, 6000));
	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, run, (void *)(i + 10));
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], &r);
		printf("%08x ", (uint32_t)(uintptr_t)r);
	}
	puts("");
	for (size_t al = 16; al <= 1 << 16; al *= 2) {
		bad += posix_memalign(&a, al, al + 5) != 0 || (uintptr_t)a % al;
		free(a);
	}
	z = calloc(100000, sizeof(*z));
	for (int i = 0; i < 100000; i++)
		bad += z[i];
	free(z);
	printf("%ld %d\n", bad, malloc(SIZE_MAX / 4) == NULL);
	return 0;
}
