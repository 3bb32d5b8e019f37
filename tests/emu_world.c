/* One translated process from outside: kicks that come at any moment, code that changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "tests/emu_random.h"

/* -- endless loops of two CPUs in one world are left when they are kicked -- */

static void put(struct side *s, uint32_t at, uint32_t word)
{
	assert_true(emu_mem_write(&s->w->mem, at, &word, 4));
}

static void *run_thread(void *arg)
{
	return (void *)(uintptr_t)emu_cpu_run(arg);
}

static void test_kick(void **state)
{
	struct emu_options opt = { 0 };
	struct emu_cpu *cpu[2];
	struct side a;

	(void)state;
	side_start(&a, &opt, 1);
	put(&a, CODE, 2);
	put(&a, CODE + 4, 4);
	cpu[0] = a.cpu;
	cpu[1] = emu_cpu_new(a.w, NULL);
	for (unsigned round = 0; round < 50; round++) {
		pthread_t t[2];
		void *exc[2];

		for (unsigned i = 0; i < 2; i++) {
			cpu[i]->pc = cpu[i]->r[6] = CODE + 4 * i;
			assert_int_equal(pthread_create(&t[i], NULL, run_thread, cpu[i]), 0);
		}
		if (round % 2)
			usleep(500);
		for (unsigned i = 0; i < 2; i++) {
			emu_cpu_kick(cpu[i]);
			pthread_join(t[i], &exc[i]);
			assert_int_equal((uintptr_t)exc[i], EMU_EXC_KICK);
			assert_int_equal(cpu[i]->pc, CODE + 4 * i);
		}
	}
	emu_world_free(a.w);
}

/* -- a kick before any instruction of host code is not lost, and leaves an exact state -- */

static struct {
	struct emu_cpu *cpu;
	unsigned helpers;       /* how often the program has called one */
	unsigned steps, at;     /* instructions of the host since WARM of them; the kick comes before this one */
} trace;

#define WARM 20u  /* by then the loop is translated and chained */
#define TURN 300u /* more instructions than a turn of it */

#define TRAP_FLAG 0x100 /* EFLAGS.TF: a trap after each instruction (SDM volume 1, 3.4.3.3) */

static void on_start(int sig, siginfo_t *si, void *context)
{
	(void)sig;
	(void)si;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void on_trap(int sig, siginfo_t *si, void *context)
{
	(void)sig;
	(void)si;
	if (!trace.cpu->in_code || ++trace.steps < trace.at)
		return;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
	emu_cpu_kick(trace.cpu);
}

static void start_trace(void)
{
	if (++trace.helpers == WARM)
		raise(SIGUSR1);
}

static void on_alarm(int sig)
{
	static const char text[] = "a kick was lost\n";

	(void)sig;
	_exit(write(2, text, sizeof(text) - 1) < 0 ? 2 : 1);
}

static void handle(int sig, void (*fn)(int, siginfo_t *, void *))
{
	struct sigaction sa = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO };

	sigfillset(&sa.sa_mask); /* the kick comes when the handler has returned */
	assert_int_equal(sigaction(sig, &sa, NULL), 0);
}

/* A loop with a call, a helper before it and in the function, and a return. */
static void put_loop(struct side *s)
{
	static const uint32_t words[] = { 10, 12, 16, 10, 14 };

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		put(s, CODE + 4 * i, words[i]);
}

static void kick_anywhere(struct emu_options opt)
{
	struct emu_options exact = { .interp = true, .max_insns = 1, .no_superblock = true };
	struct side a, b;

	opt.count = true;
	side_start(&a, &exact, 1);
	side_start(&b, &opt, 1);
	put_loop(&a);
	put_loop(&b);
	for (trace.at = 1; trace.at < TURN; trace.at++) {
		trace.cpu = b.cpu;
		trace.steps = trace.helpers = 0;
		on_helper = start_trace;
		alarm(10);
		b.exc = emu_cpu_run(b.cpu);
		alarm(0);
		on_helper = NULL;
		assert_int_equal(b.exc, EMU_EXC_KICK);
		assert_int_equal(trace.steps, trace.at);
		a.w->opt.insn_limit = b.cpu->insns;
		assert_int_equal(emu_cpu_run(a.cpu), EMU_EXC_LIMIT);
		assert_int_equal(a.cpu->insns, b.cpu->insns);
		assert_int_equal(a.cpu->pc, b.cpu->pc);
		assert_memory_equal(a.cpu->r, b.cpu->r, sizeof(a.cpu->r));
	}
	emu_world_free(a.w);
	emu_world_free(b.w);
}

static void test_kick_anywhere(void **state)
{
	static const struct emu_options ways[] = {
		{ 0 }, { .no_return_stack = true }, { .no_superblock = true, .max_branches = 1 }, { .no_pin = true }, { .no_chain = true },
	};

	(void)state;
	handle(SIGUSR1, on_start);
	handle(SIGTRAP, on_trap);
	signal(SIGALRM, on_alarm);
	for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		kick_anywhere(ways[i]);
}

/* -- code that the lab, and code that the guest itself writes over -- */

static void test_changed_code(void **state)
{
	(void)state;
	for (unsigned interp = 0; interp < 2; interp++) {
		struct emu_options opt = { .interp = interp };
		struct side a;

		side_start(&a, &opt, 1);
		for (uint32_t i = 1; i < 20; i++) {
			put(&a, CODE, 6 << 8 | i);
			put(&a, CODE + 4, 0);
			a.cpu->pc = CODE;
			assert_int_equal(emu_cpu_run(a.cpu), EMU_EXC_SYSCALL);
			assert_int_equal(a.cpu->r[5], i);
		}
		put(&a, CODE + 256, 8);
		put(&a, CODE + 260, 0);
		for (uint32_t i = 20; i < 40; i++) {
			a.cpu->pc = CODE + 256;
			a.cpu->r[7] = CODE;
			a.cpu->r[8] = 6 << 8 | i;
			assert_int_equal(emu_cpu_run(a.cpu), EMU_EXC_SYSCALL);
			a.cpu->pc = CODE;
			assert_int_equal(emu_cpu_run(a.cpu), EMU_EXC_SYSCALL);
			assert_int_equal(a.cpu->r[5], i);
		}
		emu_world_free(a.w);
	}
}

/* -- code that leads the translator's look ahead in circles -- */

static void test_look_ahead(void **state)
{
	static const uint32_t words[] = { 0xeb01001f, 0xb4000001 }; /* cmp x0, x1; cbz x1, itself */
	struct emu_options opt = { .interp = true };
	struct rs_err err = RS_ERR_INIT;
	struct emu_world *w = emu_world_new(&emu_guest_aarch64, &opt, NULL, &err);
	uint32_t page[EMU_BLOCK_PAGES];
	unsigned pages;

	(void)state;
	assert_non_null(w);
	assert_int_equal(emu_mem_map(&w->mem, CODE, EMU_PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE, -1, 0), 0);
	assert_true(emu_mem_write(&w->mem, CODE, words, sizeof(words)));
	assert_int_equal(emu_translate_raw(w, CODE, w->ir, page, &pages), 0);
	emu_world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kick),
		cmocka_unit_test(test_kick_anywhere),
		cmocka_unit_test(test_changed_code),
		cmocka_unit_test(test_look_ahead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
