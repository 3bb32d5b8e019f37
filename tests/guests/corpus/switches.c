/* Big switches, tables of labels and of functions: an interpreter written three ways. */
#include <stdint.h>
#include <stdio.h>

#define OPS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17) \
	X(18) X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31)
#define DO(n) (a = (a ^ (a >> (n % 7 + 1))) * (2 * n + 3) + n)

static uint32_t with_switch(const uint8_t *p, unsigned n)
{
	uint32_t a = 1;

	for (unsigned i = 0; i < n; i++)
		switch (p[i]) {
#define CASE(n) case n: DO(n); break;
		OPS(CASE)
		case 40: case 41: a += 3; break;
		case 200: a = ~a; break;
		case 255: a <<= 1; break;
		default: a++;
		}
	return a;
}

static uint32_t with_labels(const uint8_t *p, unsigned n)
{
#define LABEL(n) &&l##n,
	static void *const to[32] = { OPS(LABEL) };
	const unsigned n_all = n;
	uint32_t a = 1;
	unsigned i = 0;

	goto *to[p[0] & 31];
#define CODE(n) l##n: DO(n); if (++i >= n_all) return a; goto *to[p[i] & 31];
	OPS(CODE)
}

#define FUNCTION(n) static uint32_t f##n(uint32_t a) { return DO(n); }
OPS(FUNCTION)
static uint32_t with_functions(const uint8_t *p, unsigned n)
{
#define NAME(n) f##n,
	static uint32_t (*const f[32])(uint32_t) = { OPS(NAME) };
	uint32_t a = 1;

	for (unsigned i = 0; i < n; i++)
		a = f[p[i] & 31](a);
	return a;
}

static const char *word(long n)
{
	switch (n) {
	case -5: return "minus five";
	case 0: return "zero";
	case 1000000: return "million";
	case 1000001: return "and one";
	case 0x7fffffffffffffff: return "most";
	case -0x7fffffffffffffff - 1: return "least";
	}
	return "other";
}

int main(void)
{
	static uint8_t code[20000];
	uint32_t s = 1;

	for (unsigned i = 0; i < sizeof(code); i++)
		code[i] = (uint8_t)((s = s * 1664525 + 1013904223) >> 24);
	printf("%08x %08x %08x\n", with_switch(code, sizeof(code)), with_labels(code, sizeof(code)),
	       with_functions(code, sizeof(code)));
	printf("%s %s %s %s %s %s\n", word(-5), word(0), word(1000001), word(0x7fffffffffffffff),
	       word(-0x7fffffffffffffff - 1), word(1 << 20));
	return 0;
}
