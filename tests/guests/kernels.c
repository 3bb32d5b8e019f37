/* The kernels that the benchmarks of the translator measure: one program, built from tests/guests/kernels*.c
 * for this machine and for each guest. `kernels NAME ROUNDS` prints a checksum, which must be the same
 * everywhere; `kernels` alone prints names and rounds, a line a kernel.
 */
#include "kernels.h"

#include <stdio.h>

static uint64_t seed = 88172645463325252ull;
uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* integer loop: a hash */
static uint64_t k_hash(unsigned n)
{
	uint64_t h = 14695981039346656037ull;

	for (unsigned i = 0; i < n * 4000000u; i++) {
		h ^= i & 0xff;
		h *= 1099511628211ull;
		h ^= h >> 29;
	}
	return h;
}

/* 32-bit arithmetic with division */
static uint64_t k_gcd(unsigned n)
{
	uint64_t sum = 0;

	for (unsigned i = 1; i < n * 120000u; i++) {
		int a = (int)(i * 7919u % 65521u) + 1, b = (int)(i % 9973u) + 1;

		while (b) {
			int t = a % b;

			a = b;
			b = t;
		}
		sum += (unsigned)a;
	}
	return sum;
}

/* memory: a sieve */
static uint64_t k_sieve(unsigned n)
{
	static uint8_t composite[1u << 20];
	uint64_t count = 0;

	for (unsigned r = 0; r < n * 3; r++) {
		memset(composite, 0, sizeof(composite));
		for (unsigned i = 2; i < 1024; i++) {
			if (composite[i])
				continue;
			for (unsigned j = i * i; j < sizeof(composite); j += i)
				composite[j] = 1;
		}
		for (unsigned i = 2; i < sizeof(composite); i++)
			count += !composite[i];
	}
	return count;
}

/* memory: pointers that are chased */
static uint64_t k_chase(unsigned n)
{
	static uint32_t next[1u << 14];
	uint32_t at = 0;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < 1u << 14; i++)
		next[i] = i;
	for (uint32_t i = (1u << 14) - 1; i > 0; i--) {
		uint32_t j = (uint32_t)(rnd() % i), t = next[i];

		next[i] = next[j];
		next[j] = t;
	}
	for (unsigned i = 0; i < n * 8000000u; i++) {
		at = next[at];
		sum += at;
	}
	return sum;
}

/* branchy: sorting */
static void NOINLINE quick(uint32_t *a, int lo, int hi)
{
	while (lo < hi) {
		uint32_t p = a[(lo + hi) / 2];
		int i = lo, j = hi;

		while (i <= j) {
			while (a[i] < p)
				i++;
			while (a[j] > p)
				j--;
			if (i <= j) {
				uint32_t t = a[i];

				a[i++] = a[j];
				a[j--] = t;
			}
		}
		quick(a, lo, j);
		lo = i;
	}
}
static uint64_t k_sort(unsigned n)
{
	static uint32_t a[100000];
	uint64_t sum = 0;

	for (unsigned r = 0; r < n * 3; r++) {
		for (unsigned i = 0; i < 100000; i++)
			a[i] = (uint32_t)rnd();
		quick(a, 0, 99999);
		sum += a[r];
	}
	return sum;
}

/* calls: recursion */
static unsigned NOINLINE fib(unsigned n)
{
	return n < 2 ? n : fib(n - 1) + fib(n - 2);
}
static uint64_t k_fib(unsigned n)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += fib(32 + (i & 1));
	return sum;
}

/* indirect calls: a small stack machine */
static int64_t NOINLINE op_add(int64_t a, int64_t b) { return a + b; }
static int64_t NOINLINE op_sub(int64_t a, int64_t b) { return a - b * 3; }
static int64_t NOINLINE op_xor(int64_t a, int64_t b) { return a ^ b; }
static int64_t NOINLINE op_rot(int64_t a, int64_t b) { return (int64_t)((uint64_t)a << 7 | (uint64_t)a >> 57) + b; }
static uint64_t k_indirect(unsigned n)
{
	int64_t (*volatile table[4])(int64_t, int64_t) = { op_add, op_sub, op_xor, op_rot };
	uint8_t program[256];
	int64_t acc = 1;

	for (unsigned i = 0; i < 256; i++)
		program[i] = rnd() & 3;
	for (unsigned i = 0; i < n * 6000000u; i++)
		acc = table[program[i & 255]](acc, (int64_t)i);
	return (uint64_t)acc;
}

/* a big switch */
static uint64_t k_switch(unsigned n)
{
	uint8_t program[512];
	uint64_t a = 1, b = 2;

	for (unsigned i = 0; i < 512; i++)
		program[i] = (uint8_t)(rnd() % 12);
	for (unsigned i = 0; i < n * 8000000u; i++) {
		switch (program[i & 511]) {
		case 0: a += b; break;
		case 1: b ^= a; break;
		case 2: a = a << 3 | a >> 61; break;
		case 3: b += i; break;
		case 4: a -= b; break;
		case 5: b = ~b; break;
		case 6: a *= 5; break;
		case 7: b |= 1; break;
		case 8: a ^= i; break;
		case 9: b -= a; break;
		case 10: a += 77; break;
		default: b <<= 1; break;
		}
	}
	return a ^ b;
}

/* strings */
static uint64_t k_string(unsigned n)
{
	char text[512], copy[512];
	uint64_t sum = 0;

	for (unsigned i = 0; i < 511; i++)
		text[i] = (char)('a' + i % 23);
	text[511] = 0;
	for (unsigned r = 0; r < n * 30000u; r++) {
		text[r % 511] = (char)('a' + r % 26);
		strcpy(copy, text);
		sum += strlen(copy) + (strchr(copy, 'z') != NULL) + (unsigned)(strcmp(copy, text) == 0);
	}
	return sum;
}

/* floating point: matrices */
static uint64_t k_matrix(unsigned n)
{
	static double a[96][96], b[96][96], c[96][96];
	double sum = 0;

	for (unsigned i = 0; i < 96; i++)
		for (unsigned j = 0; j < 96; j++) {
			a[i][j] = i + 1.5 * j;
			b[i][j] = (double)i - j;
		}
	for (unsigned r = 0; r < n * 20; r++) {
		for (unsigned i = 0; i < 96; i++)
			for (unsigned j = 0; j < 96; j++) {
				double s = 0;

				for (unsigned k = 0; k < 96; k++)
					s += a[i][k] * b[k][j];
				c[i][j] = s;
			}
		for (unsigned i = 0; i < 96; i++)
			a[i][r % 96] += c[i][i] * 0x1p-40;
	}
	for (unsigned i = 0; i < 96; i++)
		sum += c[i][i];
	return (uint64_t)(int64_t)sum;
}

/* floating point: bodies */
static uint64_t k_nbody(unsigned n)
{
	double x[5], y[5], vx[5] = { 0 }, vy[5] = { 0 };
	double e = 0;

	for (unsigned i = 0; i < 5; i++) {
		x[i] = i * 3 % 5 + 0.5;
		y[i] = i * 2 % 5 - 0.25;
	}
	for (unsigned s = 0; s < n * 200000u; s++) {
		for (unsigned i = 0; i < 5; i++)
			for (unsigned j = i + 1; j < 5; j++) {
				double dx = x[i] - x[j], dy = y[i] - y[j];
				double d2 = dx * dx + dy * dy + 0.01, f = 0.0001 / (d2 * __builtin_sqrt(d2));

				vx[i] -= dx * f;
				vy[i] -= dy * f;
				vx[j] += dx * f;
				vy[j] += dy * f;
			}
		for (unsigned i = 0; i < 5; i++) {
			x[i] += vx[i] * 0.01;
			y[i] += vy[i] * 0.01;
		}
	}
	for (unsigned i = 0; i < 5; i++)
		e += vx[i] * vx[i] + vy[i] * vy[i];
	return (uint64_t)(int64_t)(e * 1e6);
}

/* floating point, single: Mandelbrot */
static uint64_t k_mandel(unsigned n)
{
	uint64_t sum = 0;

	for (unsigned py = 0; py < 64 * n; py++)
		for (unsigned px = 0; px < 128; px++) {
			float cx = (float)px / 42.6f - 2.2f, cy = (float)(py % 64) / 25.6f - 1.25f, zx = 0, zy = 0;
			unsigned i = 0;

			while (i < 200 && zx * zx + zy * zy < 4) {
				float t = zx * zx - zy * zy + cx;

				zy = 2 * zx * zy + cy;
				zx = t;
				i++;
			}
			sum += i;
		}
	return sum;
}

/* large straight-line code, run a few times: translation counts */
#define S1(k) a += b ^ (k); b = b * 3 + a; c ^= a >> ((k) & 7); if (c & 1u << ((k) & 31)) a -= c; else b += c;
#define S4(k) S1(k) S1((k) + 1) S1((k) + 2) S1((k) + 3)
#define S16(k) S4(k) S4((k) + 4) S4((k) + 8) S4((k) + 12)
#define S64(k) S16(k) S16((k) + 16) S16((k) + 32) S16((k) + 48)
#define S256(k) S64(k) S64((k) + 64) S64((k) + 128) S64((k) + 192)
static uint32_t NOINLINE straight(uint32_t a, uint32_t b)
{
	uint32_t c = 1;

	S256(0) S256(256) S256(512) S256(768)
	return a ^ b ^ c;
}
static uint64_t k_straight(unsigned n)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n * 500; i++)
		sum += straight(i, i * 17);
	return sum;
}

/* nothing: what starting costs */
static uint64_t k_start(unsigned n)
{
	return n;
}

static const struct kernel basic[] = {
	{ "hash", "6", k_hash }, { "gcd", "6", k_gcd }, { "sieve", "6", k_sieve }, { "chase", "2", k_chase },
	{ "sort", "2", k_sort }, { "fib", "6", k_fib }, { "indirect", "3", k_indirect }, { "switch", "2", k_switch },
	{ "string", "50", k_string }, { "matrix", "6", k_matrix }, { "nbody", "4", k_nbody },
	{ "mandel", "30", k_mandel }, { "straight", "16", k_straight }, { "start", "1", k_start }, { NULL, NULL, NULL },
};
static const struct kernel *const all[] = { basic, kernels_integer, kernels_memory, kernels_float, kernels_code };

int main(int argc, char **argv)
{
	for (unsigned t = 0; t < sizeof(all) / sizeof(all[0]); t++) {
		for (const struct kernel *k = all[t]; k->name; k++) {
			if (argc < 2)
				printf("%s %s\n", k->name, k->rounds);
			else if (strcmp(argv[1], k->name) == 0)
				return printf("%016llx\n",
					      (unsigned long long)k->run(argc > 2 ? (unsigned)atoi(argv[2]) : 1)) < 0;
		}
	}
	return argc < 2 ? 0 : 2;
}
