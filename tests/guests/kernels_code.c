/* Kernels whose code is the load: an interpreter, objects, thousands of functions, short runs. */
#include "kernels.h"

#include <stdio.h>

/* an interpreter's loop with computed gotos */
static uint64_t k_threaded(unsigned n)
{
	static const void *const labels[] = { &&load, &&add, &&sub, &&mul, &&swap, &&jump, &&down, &&stop };
	/* r0 counts down; the rest is mixed */
	static const uint8_t code[] = { 0, 7, 1, 4, 3, 1, 2, 4, 0, 3, 1, 1, 6, 5, 0, 7 };
	uint64_t a = 1, b = 2, left = n * 300000ull;
	const uint8_t *pc = code;

#define NEXT goto *labels[*pc++]
	NEXT;
load: a ^= *pc++; NEXT;
add: a += b; NEXT;
sub: b -= a >> 3; NEXT;
mul: a *= 0x5851f42d4c957f2dull; NEXT;
swap: { uint64_t t = a; a = b; b = t; } NEXT;
jump: pc = code + *pc; NEXT;
down: if (--left == 0) pc = code + 15; NEXT;
stop: return a ^ b;
#undef NEXT
}

/* objects with tables of functions */
struct shape {
	const struct shape_ops *ops;
	int64_t a, b;
};
struct shape_ops {
	int64_t (*area)(const struct shape *s);
	void (*grow)(struct shape *s, int64_t by);
};
static int64_t area_box(const struct shape *s) { return s->a * s->b; }
static int64_t area_line(const struct shape *s) { return s->a + s->b; }
static int64_t area_ring(const struct shape *s) { return 3 * (s->a * s->a - s->b * s->b); }
static void grow_all(struct shape *s, int64_t by) { s->a += by; s->b += by; }
static void grow_one(struct shape *s, int64_t by) { s->a ^= by; }
static const struct shape_ops shape_ops[] = { { area_box, grow_all }, { area_line, grow_one }, { area_ring, grow_all },
					      { area_box, grow_one } };
static uint64_t k_objects(unsigned n)
{
	struct shape s[64];
	int64_t sum = 0;

	for (unsigned i = 0; i < 64; i++)
		s[i] = (struct shape){ &shape_ops[rnd() & 3], (int64_t)(rnd() & 1023), (int64_t)(rnd() & 1023) };
	for (unsigned r = 0; r < n * 3000; r++)
		for (unsigned i = 0; i < 64; i++) {
			sum += s[i].ops->area(&s[i]);
			s[i].ops->grow(&s[i], r & 7);
		}
	return (uint64_t)sum;
}

/* thousands of small functions, none much hotter than another: translated code that no cache holds */
#define F1(k) static uint32_t NOINLINE f##k(uint32_t a, uint32_t b)                                               \
	{ a ^= b * (2u * 0x##k + 1); if (a & 1u << (0x##k & 31)) b += a >> 3; else b ^= a << 2; return a + b * 7; }
#define F16(k) F1(k##0) F1(k##1) F1(k##2) F1(k##3) F1(k##4) F1(k##5) F1(k##6) F1(k##7) F1(k##8) F1(k##9) F1(k##a) \
	F1(k##b) F1(k##c) F1(k##d) F1(k##e) F1(k##f)
#define F256(k) F16(k##0) F16(k##1) F16(k##2) F16(k##3) F16(k##4) F16(k##5) F16(k##6) F16(k##7) F16(k##8)         \
	F16(k##9) F16(k##a) F16(k##b) F16(k##c) F16(k##d) F16(k##e) F16(k##f)
F256(1) F256(2) F256(3) F256(4) F256(5) F256(6) F256(7) F256(8)
#define C1(k) f##k,
#define C16(k) C1(k##0) C1(k##1) C1(k##2) C1(k##3) C1(k##4) C1(k##5) C1(k##6) C1(k##7) C1(k##8) C1(k##9) C1(k##a) \
	C1(k##b) C1(k##c) C1(k##d) C1(k##e) C1(k##f)
#define C256(k) C16(k##0) C16(k##1) C16(k##2) C16(k##3) C16(k##4) C16(k##5) C16(k##6) C16(k##7) C16(k##8)         \
	C16(k##9) C16(k##a) C16(k##b) C16(k##c) C16(k##d) C16(k##e) C16(k##f)
static uint64_t k_many(unsigned n)
{
	static uint32_t (*const f[])(uint32_t, uint32_t) = { C256(1) C256(2) C256(3) C256(4) C256(5) C256(6) C256(7)
							     C256(8) };
	uint32_t a = 1, b = 2;

	for (unsigned i = 0; i < n * 100000u; i++) {
		a = f[(a ^ i * 2654435761u) >> 21](a, b);
		b = f[i % 2048](b, a);
	}
	return (uint64_t)a << 32 | b;
}

/* libc's formatting and parsing */
static uint64_t k_print(unsigned n)
{
	char text[128];
	uint64_t sum = 0;

	for (unsigned i = 0; i < n * 3000u; i++) {
		int len = snprintf(text, sizeof(text), "%08x %d %s %c", i * 2654435761u, (int)i - 5000, "block", 'a' + (int)(i % 26));
		char *end;

		sum = sum * 31 + (unsigned)len + strtoul(text, &end, 16) + (uint64_t)strtol(end, NULL, 10);
	}
	return sum;
}

const struct kernel kernels_code[] = {
	{ "threaded", "15", k_threaded }, { "objects", "70", k_objects }, { "many", "14", k_many }, { "print", "50", k_print },
	{ NULL, NULL, NULL },
};
