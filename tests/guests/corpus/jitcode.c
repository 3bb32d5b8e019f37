/* Code that the program makes itself: written, run, rewritten, on one page and on many, by threads. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef long fn(long);

/* return x + n */
static size_t emit(unsigned char *to, int n)
{
#if defined(__x86_64__)
	unsigned char code[8] = { 0x48, 0x8d, 0x87, 0, 0, 0, 0, 0xc3 }; /* lea n(%rdi),%rax; ret */

	memcpy(code + 3, &n, 4);
#elif defined(__aarch64__)
	uint32_t code[2] = { 0x91000000u | (uint32_t)(n & 0xfff) << 10, 0xd65f03c0u }; /* add x0,x0,#n; ret */
#elif defined(__riscv)
	uint32_t code[2] = { 0x00050513u | (uint32_t)(n & 0x7ff) << 20, 0x00008067u }; /* addi a0,a0,n; ret */
#endif
	memcpy(to, code, sizeof(code));
	__builtin___clear_cache((char *)to, (char *)to + sizeof(code));
	return sizeof(code);
}

static unsigned char *page;

static void *caller(void *arg)
{
	long sum = 0;

	for (int i = 0; i < 3000; i++)
		sum += ((fn *)(uintptr_t)page)(i);
	*(long *)arg = sum;
	return NULL;
}

int main(void)
{
	unsigned char *many, *alias;
	pthread_t t;
	long sum = 0, got;
	int fd;

	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 1000; i++) {
		emit(page, i);
		sum = sum * 3 + ((fn *)(uintptr_t)page)(sum & 15);
	}
	printf("rewritten %lx\n", sum);

	/* never writable and executable at once */
	for (int i = 0; i < 50; i++) {
		mprotect(page, 4096, PROT_READ | PROT_WRITE);
		emit(page, i);
		mprotect(page, 4096, PROT_READ | PROT_EXEC);
		sum = sum * 3 + ((fn *)(uintptr_t)page)(sum & 15);
	}
	printf("flipped %lx\n", sum);

	/* a lot of functions, called in turns, some of them changed meanwhile */
	many = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 2000; i++)
		emit(many + i * 64, i % 2000);
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 2000; i++)
			sum = sum * 3 + ((fn *)(uintptr_t)(many + i * 64))(i);
		for (int i = round; i < 2000; i += 97)
			emit(many + i * 64, (i + round * 11) % 2000);
	}
	printf("many %lx\n", sum);

	/* the writer sees another address */
	fd = memfd_create("code", 0);
	if (ftruncate(fd, 4096) < 0)
		return 1;
	alias = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	emit(alias, 7);
	many = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	printf("alias %ld\n", ((fn *)(uintptr_t)many)(100));
	for (int i = 0; i < 40; i++) {
		unsigned char code[8];
		size_t n = emit(code, i);

		memset(code + n, 0, sizeof(code) - n);
		if (i % 2)
			memcpy(alias, code, n);
		else if (pwrite(fd, code, n, 0) != (ssize_t)n) /* or no address at all */
			return 1;
#ifdef __riscv
		__asm__ volatile("fence.i" ::: "memory");
#endif
		__builtin___clear_cache((char *)many, (char *)many + n);
		sum = sum * 3 + ((fn *)(uintptr_t)many)(sum & 15);
	}
	printf("written elsewhere %lx\n", sum);

	/* unmapped and mapped again at the same place */
	for (int i = 0; i < 20; i++) {
		munmap(page, 4096);
		page = mmap(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		emit(page, i + 3);
		sum = sum * 3 + ((fn *)(uintptr_t)page)(1);
	}
	printf("remapped %lx\n", sum);
	emit(page, 1);
	pthread_create(&t, NULL, caller, &got);
	pthread_join(t, NULL);
	printf("thread %ld\n", got);
	return 0;
}
