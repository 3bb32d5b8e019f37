/* 128-bit integers, overflow checks, bit tricks. */
#include <inttypes.h>
#include <stdio.h>

typedef __int128 i128;
typedef unsigned __int128 u128;
static uint64_t seed = 99;
static uint64_t rnd(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return seed ^ seed >> 31;
}

static void show(const char *what, u128 v)
{
	printf("%s %016" PRIx64 "%016" PRIx64 "\n", what, (uint64_t)(v >> 64), (uint64_t)v);
}

int main(void)
{
	u128 sum = 1, fact = 1;
	i128 s = -1;
	uint64_t overflows = 0, bits = 0;

	for (int i = 0; i < 2000; i++) {
		u128 a = (u128)rnd() << 64 | rnd(), b = (u128)rnd() << (i % 64) | rnd();
		unsigned n = (unsigned)(rnd() % 128);
		int64_t x = (int64_t)rnd(), y = (int64_t)(rnd() >> (i % 60)), z;
		int p, q = (int)rnd();

		sum = sum * 3 + a * b + a / b + a % (b >> 3 | 1) + (a << n) + (b >> n);
		s = s * 5 + (i128)a / ((i128)b | 1) + ((i128)a >> n) + ((i128)a < (i128)b) + (a < b);
		sum += (u128)((i128)x * y) + (u128)(uint64_t)x * (uint64_t)y;
		overflows += (uint64_t)__builtin_add_overflow(x, y, &z) + (uint64_t)__builtin_mul_overflow(x, y, &z) * 3 +
			     (uint64_t)__builtin_sub_overflow((int)x, q, &p) * 7 + (uint64_t)__builtin_mul_overflow(q, 77, &p);
		bits = bits * 3 + (uint64_t)__builtin_popcountll((uint64_t)x) + (uint64_t)__builtin_clzll((uint64_t)x | 1) +
		       (uint64_t)__builtin_ctzll((uint64_t)x | 1ull << 63) + __builtin_bswap64((uint64_t)x) +
		       __builtin_bswap32((uint32_t)x) + (uint64_t)__builtin_parityll((uint64_t)x) +
		       ((uint64_t)x << (n & 63) | (uint64_t)x >> (-n & 63)) + (uint64_t)__builtin_ffsll(y) +
		       (uint64_t)__builtin_clrsbll(y);
	}
	show("sum", sum);
	show("signed", (u128)s);
	for (int i = 2; i < 34; i++)
		fact *= (unsigned)i;
	show("33!", fact);
	printf("%" PRIu64 " %016" PRIx64 "\n", overflows, bits);
	printf("%.17g %.17g %" PRId64 "\n", (double)fact, (double)(i128)-fact, (int64_t)(i128)-1e18);
	return 0;
}
