/* Translated programs as a lab shows them: paused, stepped, their blocks and registers, and recorded. */
#include "tests/engine_emu.h"

/* ---- pausing, steps, snapshots ---- */

static void pump_until(enum eng_phase p)
{
	for (int i = 0; i < 20000 && eng_session_phase(session) != p; i++) {
		struct pollfd pf = { .fd = -1, .events = POLLIN };
		int fds[4], timeout = 10;

		if (eng_session_pollfds(session, fds, &timeout))
			pf.fd = fds[0];
		poll(&pf, 1, timeout);
		eng_session_pump(session);
	}
	if (eng_session_phase(session) != p) {
		show();
		fail_msg("phase %d never came; it is %d", p, eng_session_phase(session));
	}
}

/* The last snapshots that have come. */
static struct seen {
	struct rs_state_assembler part[16];
	size_t from;             /* events before this one were looked at */
	unsigned paused, stages;
	struct rs_emu_regs regs;
	struct rs_emu_reg reg[RS_EMU_REGS_MAX];
	struct rs_emu_blocks blocks;
	struct rs_emu_block block[RS_EMU_BLOCKS_MAX];
	struct rs_emu_cache cache;
	struct rs_emu_stage stage[24];
	char text[24][RS_STATE_MAX];
	char code[RS_STATE_MAX];
} seen;

static void take(const struct rs_event *ev)
{
	struct rs_state_assembler *a = &seen.part[ev->arg[0]];
	size_t n = rs_state_feed(a, ev);
	struct rs_emu_stage s;

	if (!n)
		return;
	switch (ev->arg[0]) {
	case RS_BLOCK_EMU_REGS:
		memcpy(&seen.regs, a->buf, sizeof(seen.regs));
		assert_int_equal(n, sizeof(seen.regs) + seen.regs.n * sizeof(seen.reg[0]));
		memcpy(seen.reg, a->buf + sizeof(seen.regs), n - sizeof(seen.regs));
		break;
	case RS_BLOCK_EMU_BLOCKS:
		memcpy(&seen.blocks, a->buf, sizeof(seen.blocks));
		assert_int_equal(n, sizeof(seen.blocks) + seen.blocks.n * sizeof(seen.block[0]));
		memcpy(seen.block, a->buf + sizeof(seen.blocks), n - sizeof(seen.blocks));
		break;
	case RS_BLOCK_EMU_CACHE:
		memcpy(&seen.cache, a->buf, sizeof(seen.cache));
		assert_int_equal(n, sizeof(seen.cache) + seen.cache.n * sizeof(struct rs_emu_span));
		break;
	case RS_BLOCK_EMU_STAGE:
		memcpy(&s, a->buf, sizeof(s));
		assert_true(s.index < s.of && s.of <= 24);
		seen.stage[s.index] = s;
		seen.stages = s.index + 1u;
		memcpy(seen.text[s.index], a->buf + sizeof(s), n - sizeof(s));
		seen.text[s.index][n - sizeof(s)] = 0;
		break;
	case RS_BLOCK_CODE:
		memcpy(seen.code, a->buf, n);
		seen.code[n] = 0;
		break;
	}
}

static void look(void)
{
	const struct eng_evidence *e = eng_session_evidence(session, 0);

	for (; seen.from < e->events; seen.from++) {
		const struct rs_event *ev = &e->event[seen.from];

		if (ev->kind == RS_EV_STATE_BLOCK)
			take(ev);
		seen.paused += ev->kind == RS_EV_EXP_PAUSED;
	}
}

/* Until it stands still for the n-th time. */
static void pump_paused(unsigned n)
{
	for (int t = 0; t < 2000 && seen.paused < n; t++) {
		usleep(5000);
		eng_session_pump(session);
		look();
	}
	if (seen.paused < n) {
		show();
		fail_msg("it never stood still for the %uth time", n);
	}
}

static uint64_t reg(const char *name)
{
	for (unsigned i = 0; i < seen.regs.n; i++)
		if (!strcmp(seen.reg[i].name, name))
			return seen.reg[i].v[0];
	fail_msg("no register %s", name);
	return 0;
}

static const struct rs_emu_block *block(const char *symbol)
{
	for (unsigned i = 0; i < seen.blocks.n; i++)
		if (!strcmp(seen.block[i].symbol, symbol))
			return &seen.block[i];
	return NULL;
}

static const char *stage(const char *name)
{
	for (unsigned i = 0; i < seen.stages; i++)
		if (!strcmp(seen.stage[i].name, name))
			return seen.text[i];
	return NULL;
}

static void steps_on(const char *engine)
{
	struct rs_err err = RS_ERR_INIT;

	memset(&seen, 0, sizeof(seen));
	open_lesson("prog.S", rv_loop, "", rv_checks, engine, RS_FULL_BLOCK);
	assert_int_equal(eng_session_run(session, true, &err), 0);
	pump_paused(1);
	assert_int_equal(eng_session_phase(session), ENG_PAUSED);
	assert_string_equal(seen.regs.symbol, "_start");
	assert_string_equal(seen.regs.guest, "riscv64");
	assert_string_equal(seen.regs.insn, "li a0,0");
	assert_int_equal(seen.blocks.n, 0);
	assert_non_null(strstr(seen.code, ">    10000:"));
	/* by instructions */
	assert_int_equal(eng_session_single_step(session, 2), 0);
	pump_paused(2);
	assert_string_equal(seen.regs.symbol, "loop");
	assert_int_equal(reg("a0"), 0);
	assert_int_equal(reg("a1"), 1000);
	assert_int_equal(seen.regs.insns, 2);
	assert_int_equal(eng_session_single_step(session, 4), 0);
	pump_paused(3);
	assert_string_equal(seen.regs.symbol, "loop+0x2");
	assert_int_equal(reg("a0"), 1999);
	assert_int_equal(seen.regs.insns, 6);
	assert_int_equal(eng_session_single_step(session, 2), 0);
	pump_paused(4);
	/* by blocks: the loop goes round three times */
	assert_int_equal(eng_session_step_blocks(session, 3), 0);
	pump_paused(5);
	assert_string_equal(seen.regs.symbol, "loop");
	assert_int_equal(reg("a1"), 995);
	assert_int_equal(seen.regs.insns, 17);
	assert_non_null(block("loop"));
	assert_int_equal(block("loop")->runs, 3);
	assert_int_equal(block("loop")->insns, 3);
	assert_int_equal(block("loop")->exits, 2);
	assert_int_equal(block("loop")->indirect, 0);
	/* to the end; the counts are those of an undisturbed run */
	assert_int_equal(eng_session_resume(session), 0);
	pump_until(ENG_ENDED);
	look();
	must_pass();
	assert_int_equal(seen.regs.insns, 3011);
	assert_int_equal(block("loop")->runs, 995 + 3);
	done();
}

static void steps(void **state)
{
	(void)state;
	need("riscv64-cc");
	steps_on("interp");
	if (eng_ability("emu-jit", NULL) == 0)
		steps_on("jit");
}

/* A line of a stage: "2\tbnez a1,...". How many lines belong to instruction n? */
static unsigned lines_of(const char *text, const char *n)
{
	unsigned count = 0;

	for (const char *p = text; *p; p = strchr(p, '\n') + 1) {
		assert_non_null(strchr(p, '\n'));
		count += !strncmp(p, n, strlen(n)) && p[strlen(n)] == '\t';
	}
	return count;
}

static void running_is_shown(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	struct rs_counters c;

	(void)state;
	need("riscv64-cc");
	need("emu-jit");
	memset(&seen, 0, sizeof(seen));
	open_lesson("prog.S", "	.globl _start\n_start:	li a0, 0\nturn:	li a1, 9\nloop:	add a0, a0, a1\n	addi a1, a1, -1\n"
		    "	bnez a1, loop\n	sd a0, -8(sp)\n	j turn\n", "", "    timeout: 60s\n", NULL, RS_FULL_DROP);
	assert_int_equal(eng_session_run(session, false, &err), 0);
	for (int t = 0; t < 2000 && (!block("loop") || block("loop")->runs < 1000000); t++) {
		usleep(5000);
		eng_session_pump(session);
		look();
	}
	assert_non_null(block("loop"));
	/* the block that ran most is shown, in each stage */
	assert_string_equal(seen.block[0].symbol, "loop");
	assert_int_equal(seen.blocks.shown, seen.block[0].pc);
	assert_int_equal(seen.blocks.counted, 1);
	assert_int_equal(seen.block[0].exits, 2);
	assert_int_equal(seen.block[0].chained, 3);
	assert_true(seen.block[0].exit[0] == seen.block[0].pc || seen.block[0].exit[1] == seen.block[0].pc);
	assert_int_equal(seen.stages, seen.stage[0].of);
	assert_string_equal(seen.stage[0].symbol, "loop");
	for (unsigned n = 0; n < 3; n++) {
		char number[4];

		snprintf(number, sizeof(number), "%u", n);
		assert_int_equal(lines_of(stage("guest"), number), 1);
		assert_true(lines_of(stage("ir"), number) >= 1);
		assert_true(lines_of(stage("dead"), number) >= 1);
		assert_true(lines_of(stage("host"), number) >= 1);
	}
	assert_int_equal(lines_of(stage("guest"), "3"), 0);
	assert_non_null(strstr(stage("guest"), "add a0,a0,a1"));
	assert_true(seen.cache.n == seen.blocks.n && seen.cache.used > 0 && seen.cache.size > seen.cache.used);
	/* counters go on while the program does not come back */
	c = eng_session_counters(session);
	assert_true(c.v[RS_CTR_EMU_INSNS] > 1000000 && c.v[RS_CTR_EMU_CODE_NS] > 0);
	/* pause, look at another block, go on, stop */
	assert_int_equal(eng_session_pause(session), 0);
	pump_paused(1);
	assert_int_equal(eng_session_phase(session), ENG_PAUSED);
	assert_true(seen.regs.insns > 1000000);
	assert_int_equal(eng_session_inspect(session, RS_BLOCK_EMU_STAGE, 0x10002, 0, false), 0);
	assert_int_equal(eng_session_single_step(session, 5), 0);
	pump_paused(2);
	assert_string_equal(seen.stage[0].symbol, "turn");
	assert_int_equal(eng_session_resume(session), 0);
	pump_until(ENG_RUNNING);
	assert_int_equal(eng_session_pause(session), 0);
	pump_paused(3);
	assert_int_equal(eng_session_stop(session), 0);
	pump_until(ENG_ENDED);
	const struct eng_evidence *e = eng_session_evidence(session, 0);
	const struct rs_event *end = NULL;

	for (size_t i = 0; i < e->events; i++)
		if (e->event[i].kind == RS_EV_EMU_END)
			end = &e->event[i];
	assert_non_null(end);
	assert_int_equal(end->arg[0], RS_OUT_STOPPED);
}

/* A block with an if, a call and a branch to its end: each instruction has its operations and host code beside
 * it, in order, whatever labels stand between. */
static void stages_of_a_superblock(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	static const char *const names[] = { "guest", "ir", "dead", "host" };
	unsigned insns = 0;

	(void)state;
	need("riscv64-cc");
	need("emu-jit");
	memset(&seen, 0, sizeof(seen));
	open_lesson("prog.S", "	.globl _start\n_start:	li s0, 3\nloop:	andi t0, s0, 1\n	beqz t0, even\n	addi s1, s1, 5\n"
		    "even:	addi s2, s2, 7\n	call twice\n	addi s0, s0, -1\n	bnez s0, loop\n	li a0, 0\n	li a7, 93\n"
		    "	ecall\ntwice:	add s2, s2, s2\n	ret\n", "at: loop", "", NULL, RS_FULL_BLOCK);
	assert_int_equal(eng_session_run(session, false, &err), 0);
	eng_session_wait(session);
	look();
	assert_non_null(stage("guest"));
	while (lines_of(stage("guest"), (char[2]){ (char)('0' + insns), 0 }))
		insns++;
	assert_int_equal(insns, 7);
	for (unsigned k = 0; k < 4; k++) {
		const char *text = stage(names[k]);
		unsigned last = 0;

		assert_non_null(text);
		for (unsigned n = 0; n < insns; n++)
			if (!lines_of(text, (char[2]){ (char)('0' + n), 0 }))
				fail_msg("%s: nothing of instruction %u in\n%s", names[k], n, text);
		/* host code stands in the order of the instructions; behind it what is rarely run */
		for (const char *p = text; k == 3 && p && *p >= '0' && *p <= '9'; p = strchr(p, '\n') + 1) {
			unsigned n = (unsigned)strtoul(p, NULL, 10);

			assert_in_range(n, last, last + 1);
			last = n;
		}
	}
	done();
}

/* The registers of a guest thread, asked for while everything stands still. */
static uint64_t asked(uint64_t cpu, const char *name)
{
	assert_int_equal(eng_session_inspect(session, RS_BLOCK_EMU_REGS, cpu, 0, false), 0);
	memset(&seen.regs, 0xff, sizeof(seen.regs));
	for (int t = 0; t < 2000 && seen.regs.cpu != cpu; t++) {
		usleep(5000);
		eng_session_pump(session);
		look();
	}
	assert_int_equal(seen.regs.cpu, cpu);
	return reg(name);
}

static void threads_stand_still(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	uint64_t first, other;

	(void)state;
	need("riscv64-cc");
	for (int i = 0; i < 2; i++) {
		if (!i && eng_ability("emu-jit", NULL) < 0)
			continue;
		memset(&seen, 0, sizeof(seen));
		open_lesson("prog.S",
			    "	.globl _start\n_start:	li s1, 0\n	li a0, 0x50f00\n	addi a1, sp, -1024\n	li a2, 0\n"
			    "	li a3, 0\n	li a4, 0\n	li a7, 220\n	ecall\n	beqz a0, other\n"
			    "first:	addi s1, s1, 1\n	j first\n"
			    "other:	addi s1, s1, 2\n	addi s2, s2, 1\n	j other\n",
			    "", "    timeout: 60s\n", i ? "interp" : "jit", RS_FULL_DROP);
		assert_int_equal(eng_session_run(session, false, &err), 0);
		for (int t = 0; t < 2000 && (!block("first") || !block("other") || block("other")->runs < 10000); t++) {
			usleep(5000);
			eng_session_pump(session);
			look();
		}
		assert_true(block("other") && block("other")->runs >= 10000);
		assert_int_equal(eng_session_pause(session), 0);
		pump_paused(1);
		first = asked(0, "s1");
		assert_non_null(strstr(seen.regs.symbol, "first"));
		other = asked(1, "s1");
		assert_non_null(strstr(seen.regs.symbol, "other"));
		usleep(100000);
		assert_int_equal(asked(0, "s1"), first);
		assert_int_equal(asked(1, "s1"), other);
		/* a step moves the first one alone */
		assert_int_equal(eng_session_step_blocks(session, 5), 0);
		pump_paused(2);
		assert_int_equal(reg("s1"), first + 5);
		assert_int_equal(asked(1, "s1"), other);
		assert_int_equal(eng_session_stop(session), 0);
		pump_until(ENG_ENDED);
		done();
	}
}

/* A recording shows the same blocks and gives the same verdicts. */
static void recorded(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	char path[200];
	struct rs_emu_block live;
	unsigned n;

	(void)state;
	need("riscv64-cc");
	need("emu-jit");
	memset(&seen, 0, sizeof(seen));
	open_lesson("prog.S", rv_loop, "", rv_checks, NULL, RS_FULL_BLOCK);
	eng_session_free(session);
	snprintf(path, sizeof(path), "%s/run.rec", fake.home);
	struct eng_session_opts o = { .lesson = fake.lesson, .workspace = fake.work, .full = RS_FULL_BLOCK,
				      .record = path };
	session = eng_session_new(&o, &err);
	assert_non_null(session);
	run_and_pass();
	look();
	assert_non_null(block("loop"));
	live = *block("loop");
	assert_int_equal(live.runs, 999);
	assert_int_equal(live.chained, 3);
	done();
	memset(&seen, 0, sizeof(seen));
	session = eng_session_replay(path, 0, &err);
	assert_non_null(session);
	eng_session_wait(session);
	look();
	must_pass();
	eng_session_results(session, 0, &n);
	assert_int_equal(n, 6);
	assert_non_null(block("loop"));
	assert_memory_equal(&live, block("loop"), sizeof(live));
	assert_int_equal(seen.regs.insns, 3011);
	assert_non_null(stage("host"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(steps), T(running_is_shown), T(stages_of_a_superblock), T(recorded), T(threads_stand_still),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
