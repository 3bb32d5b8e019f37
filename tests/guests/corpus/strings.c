/* Strings, varargs, sorting, the heap, big switches, setjmp. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static long sum(int n, ...)
{
	va_list ap;
	long s = 0;

	va_start(ap, n);
	for (int i = 0; i < n; i++)
		s += i % 2 ? (long)va_arg(ap, double) : va_arg(ap, int);
	va_end(ap);
	return s;
}

#define CASE(n) case n: return x * (n + 3) + (x >> (n & 7));
#define CASES(n) CASE(n) CASE(n + 1) CASE(n + 2) CASE(n + 3) CASE(n + 4) CASE(n + 5) CASE(n + 6) CASE(n + 7)
__attribute__((noinline)) static unsigned big_switch(unsigned k, unsigned x)
{
	switch (k) {
	CASES(0) CASES(8) CASES(16) CASES(24) CASES(32) CASES(40) CASES(48) CASES(56)
	}
	return x;
}

static jmp_buf env;
__attribute__((noinline)) static void deep(int n)
{
	volatile char room[100];

	room[n % 100] = (char)n;
	if (n == 0)
		longjmp(env, 42);
	deep(n - 1 + room[n % 100] - (char)n);
}

int main(int argc, char **argv)
{
	char *words[200], text[64];
	unsigned x = 12345;

	for (int i = 0; i < 200; i++) {
		x = x * 1103515245 + 12345;
		snprintf(text, sizeof(text), "%08x-%d-%c", x, i, 'a' + i % 26);
		words[i] = strdup(text);
	}
	qsort(words, 200, sizeof(words[0]), compare);
	for (int i = 0; i < 200; i += 20)
		printf("%s %zu\n", words[i], strlen(words[i]));
	for (int i = 0; i < 200; i++)
		free(words[i]);
	for (unsigned i = 0; i < 100000; i++)
		x += big_switch(x % 70, i);
	printf("%u %ld\n", x, sum(6, 1, 2.0, 3, 4.5, 5, 6.9));
	printf("%d\n", setjmp(env) ? 42 : (deep(500), 0));
	char *big = malloc(3000000);

	memset(big, 'x', 3000000);
	big = realloc(big, 9000000);
	memmove(big + 1000001, big, 2000000);
	printf("%zu %d\n", strspn(big, "x"), memcmp(big, big + 1000001, 1000000));
	free(big);
	printf("%d %s %s\n", argc, argc > 1 ? argv[1] : "-", getenv("EMU_TEST") ? getenv("EMU_TEST") : "-");
	printf("%5d|%-8s|%+.3e|%x|%lld|%p\n", -42, "abc", 12345.678, 0xbeef, 1ll << 60, (void *)0x1234);
	return 7;
}
