/* Snapshots: the register table, and putting pieces together whatever comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "engine/base/state.h"

static struct rs_event piece(uint64_t offset, uint64_t total, uint64_t len, char fill)
{
	struct rs_event ev = { .kind = RS_EV_STATE_BLOCK, .arg = { RS_BLOCK_MEMORY, offset, total, len } };

	memset(ev.text, fill, sizeof(ev.text));
	return ev;
}

static size_t feed(struct rs_state_assembler *a, uint64_t offset, uint64_t total, uint64_t len, char fill)
{
	struct rs_event ev = piece(offset, total, len, fill);

	return rs_state_feed(a, &ev);
}

static void test_registers(void **state)
{
	struct rs_x86_regs r;
	(void)state;

	assert_int_equal(rs_x86_reg_count * sizeof(uint64_t), sizeof(r)); /* each field has a row */
	for (unsigned i = 0; i < rs_x86_reg_count; i++) {
		const struct rs_x86_reg_info *x = &rs_x86_reg_infos[i];

		assert_int_equal(x->offset, i * sizeof(uint64_t));
		assert_true(x->bits == 8 || x->bits == 16 || x->bits == 32 || x->bits == 64);
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(x->name, rs_x86_reg_infos[j].name);
	}
	assert_true(sizeof(struct rs_x86_regs) <= RS_STATE_MAX);
	assert_int_equal(rs_x86_reg_infos[0].offset, offsetof(struct rs_x86_regs, rax));
	assert_string_equal(rs_x86_reg_infos[16].name, "RIP");
	assert_int_equal(sizeof(struct rs_mem_head), 24);
}

static void test_pieces(void **state)
{
	static struct rs_state_assembler a;
	(void)state;

	assert_int_equal(feed(&a, 0, 5, 5, 'a'), 5);
	assert_memory_equal(a.buf, "aaaaa", 5);
	assert_int_equal(feed(&a, 0, 100, 72, 'b'), 0);
	assert_int_equal(feed(&a, 72, 100, 28, 'c'), 100);
	assert_memory_equal(a.buf + 71, "bccc", 4);
	/* two in a row; the state starts over after each */
	assert_int_equal(feed(&a, 72, 100, 28, 'c'), 0);
	assert_int_equal(feed(&a, 0, 100, 72, 'd'), 0);
	assert_int_equal(feed(&a, 72, 100, 28, 'e'), 100);
}

static void test_lost_pieces(void **state)
{
	static struct rs_state_assembler a;
	(void)state;

	assert_int_equal(feed(&a, 0, 200, 72, 'a'), 0);
	assert_int_equal(feed(&a, 144, 200, 56, 'b'), 0); /* the middle is missing */
	assert_int_equal(feed(&a, 72, 200, 72, 'c'), 0);
	assert_int_equal(feed(&a, 144, 200, 56, 'd'), 0);
	assert_int_equal(feed(&a, 0, 200, 72, 'a'), 0);   /* a new one starts over a torn one */
	assert_int_equal(feed(&a, 0, 80, 72, 'x'), 0);
	assert_int_equal(feed(&a, 72, 80, 8, 'y'), 80);
	assert_int_equal(feed(&a, 0, 80, 72, 'x'), 0);
	assert_int_equal(feed(&a, 72, 90, 18, 'y'), 0);   /* of another snapshot */
	assert_int_equal(feed(&a, 72, 80, 8, 'y'), 0);
}

static void test_lies(void **state)
{
	static struct rs_state_assembler a;
	struct rs_event ev;
	(void)state;

	assert_int_equal(feed(&a, 0, 0, 0, 'a'), 0);
	assert_int_equal(feed(&a, 0, 10, 0, 'a'), 0);
	assert_int_equal(feed(&a, 0, 10, 11, 'a'), 0);
	assert_int_equal(feed(&a, 0, 200, 73, 'a'), 0);
	assert_int_equal(feed(&a, 0, RS_STATE_MAX + 1, 72, 'a'), 0);
	assert_int_equal(feed(&a, 0, ~0ull, 72, 'a'), 0);
	assert_int_equal(feed(&a, ~0ull, ~0ull, 1, 'a'), 0);
	assert_int_equal(feed(&a, ~0ull - 3, ~0ull, 72, 'a'), 0);
	assert_int_equal(feed(&a, 0, (1ull << 32) + 5, 5, 'a'), 0); /* 5, if it were cut to 32 bits */
	ev = piece(0, 5, 5, 'a');
	ev.kind = RS_EV_OUT_DATA;
	assert_int_equal(rs_state_feed(&a, &ev), 0);
	/* anything at all: never out of bounds (the sanitizer watches), never more than the maximum */
	for (unsigned i = 0; i < 2000000; i++) {
		static const uint64_t odd[] = { 0, 1, 71, 72, 73, 144, 200, RS_STATE_MAX - 72, RS_STATE_MAX,
						RS_STATE_MAX + 1, 1ull << 32, ~0ull };
		size_t n = feed(&a, odd[rand() % 12], odd[rand() % 12], odd[rand() % 12], 'z');

		assert_true(n <= RS_STATE_MAX);
	}
	/* the largest */
	for (unsigned at = 0; at < RS_STATE_MAX; at += 72) {
		unsigned len = RS_STATE_MAX - at < 72 ? RS_STATE_MAX - at : 72;
		size_t n = feed(&a, at, RS_STATE_MAX, len, 'm');

		assert_int_equal(n, at + len == RS_STATE_MAX ? RS_STATE_MAX : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_lost_pieces),
		cmocka_unit_test(test_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
