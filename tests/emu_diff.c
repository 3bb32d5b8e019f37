/* The IR interpreter and the x86-64 back end agree, on random programs of the made-up guest of emu_random.h:
 * both engines run the same words from the same state; registers, floating point, flags, memory, pc, the way
 * it ended and the number of instructions must be equal. Seeds: tests/seeds.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emu_random.h"
#include "tests/seeds.h"

static void compare_sides(const struct side *a, const struct side *b, uint64_t seed, unsigned step)
{
	uint64_t bad = 0;

	if (a->exc != b->exc || a->cpu->pc != b->cpu->pc)
		fail_msg("seed %llu step %u: interpreter %s at %llx, host code %s at %llx", (unsigned long long)seed, step,
			 emu_exc_name(a->exc), (unsigned long long)a->cpu->pc, emu_exc_name(b->exc),
			 (unsigned long long)b->cpu->pc);
	for (unsigned i = 1; i < 32; i++) {
		if (a->cpu->r[i] != b->cpu->r[i])
			bad = fprintf(stderr, "r%u: %llx, %llx\n", i, (unsigned long long)a->cpu->r[i],
				      (unsigned long long)b->cpu->r[i]) > 0;
	}
	for (unsigned i = 0; i < 32; i++) {
		if (a->cpu->v[i].q[0] != b->cpu->v[i].q[0])
			bad = fprintf(stderr, "f%u: %llx, %llx\n", i, (unsigned long long)a->cpu->v[i].q[0],
				      (unsigned long long)b->cpu->v[i].q[0]) > 0;
	}
	/* the host also has a flag for subnormal operands, which RISC-V does not know */
	if (emu_cpu_fflags(a->cpu) != emu_cpu_fflags(b->cpu))
		bad = fprintf(stderr, "flags: %x, %x\n", emu_cpu_fflags(a->cpu), emu_cpu_fflags(b->cpu)) > 0;
	if (memcmp(a->w->mem.base + DATA, b->w->mem.base + DATA, DATA_SIZE))
		bad = fprintf(stderr, "memory\n") > 0;
	if (a->exc == EMU_EXC_SEGV || a->exc == EMU_EXC_MISALIGNED)
		bad |= a->cpu->fault_addr != b->cpu->fault_addr || a->cpu->fault_write != b->cpu->fault_write;
	if (bad)
		fail_msg("seed %llu step %u: difference after %s at %llx", (unsigned long long)seed, step,
			 emu_exc_name(a->exc), (unsigned long long)a->cpu->pc);
}

/* Runs on past faults, at the next instruction, so that one program gives many comparisons. */
static uint64_t program(uint64_t seed)
{
	struct emu_options interp = { .interp = true }, jit = { 0 };
	struct side a, b;
	uint64_t s = seed, insns;

	interp.passes_off = ~0u;
	jit.passes_off = seed % 3 ? 0 : (unsigned)mix(&s);
	jit.no_pin = seed % 7 == 0;
	jit.no_chain = seed % 11 == 0;
	jit.no_jump_cache = seed % 13 == 0;
	jit.count = seed % 5 == 0;
	interp.no_superblock = jit.no_superblock = seed % 17 == 0;
	jit.no_return_stack = seed % 19 == 0;
	jit.max_branches = seed % 4 ? 0 : 1;
	jit.no_low = seed % 3 == 1;
	jit.code_bytes = seed % 6 ? 0 : 256u << 10; /* the cache overflows now and then */
	side_start(&a, &interp, seed);
	side_start(&b, &jit, seed);
	for (unsigned step = 0; step < 200; step++) {
		uint64_t ran_a = a.cpu->insns, ran_b = b.cpu->insns;

		a.exc = emu_cpu_run(a.cpu);
		b.exc = emu_cpu_run(b.cpu);
		compare_sides(&a, &b, seed, step);
		ran_a = a.cpu->insns - ran_a;
		ran_b = b.cpu->insns - ran_b;
		if (jit.count && ran_a != ran_b)
			fail_msg("seed %llu step %u: %llu instructions, host code counts %llu",
				 (unsigned long long)seed, step, (unsigned long long)ran_a,
				 (unsigned long long)ran_b);
		if (a.exc == EMU_EXC_SYSCALL)
			break;
		a.cpu->pc += 4;
		b.cpu->pc += 4;
	}
	insns = a.cpu->insns;
	emu_world_free(a.w);
	emu_world_free(b.w);
	return insns;
}

#define PROGRAMS 300

static void test_random_programs(void **state)
{
	struct seeds s = seeds_begin(PROGRAMS);
	uint64_t seed, insns = 0;

	(void)state;
	while (seeds_next(&s, &seed))
		insns += program(seed);
	print_message("%llu programs, %llu instructions, no difference\n", (unsigned long long)seeds_done(&s),
		      (unsigned long long)insns);
	assert_true(!seeds_enough(&s, PROGRAMS) || insns >= 100000);
}

/* -- what the front end makes, and what each pass leaves, keeps the rules of ir.h -- */

static void test_rules_of_the_ir(void **state)
{
	struct emu_options opt = { .interp = true };
	struct side a;

	(void)state;
	side_start(&a, &opt, 77);
	for (uint64_t pc = CODE; pc < CODE + (CODE_WORDS - 64) * 4; pc += 4) {
		uint32_t page[EMU_BLOCK_PAGES];
		unsigned pages;
		const char *bad;

		assert_int_equal(emu_translate_raw(a.w, pc, a.w->ir, page, &pages), 0);
		bad = emu_ir_check(a.w->ir);
		for (unsigned p = 0; p < EMU_PASSES && !bad; p++) {
			emu_pass_run(a.w->ir, (enum emu_pass)p);
			bad = emu_ir_check(a.w->ir);
			if (bad)
				fail_msg("after pass %s at %llx: %s", emu_pass_name((enum emu_pass)p),
					 (unsigned long long)pc, bad);
		}
		if (bad)
			fail_msg("at %llx: %s", (unsigned long long)pc, bad);
	}
	emu_world_free(a.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_programs),
		cmocka_unit_test(test_rules_of_the_ir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
