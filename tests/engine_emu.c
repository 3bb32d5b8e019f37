/* Translated programs in real sessions: compiled, run in their sandbox, paused, stepped, shown, checked.
 * What needs a cross compiler is skipped where there is none. */
#include <errno.h>
#include <poll.h>
#include <signal.h>

#include "engine/base/cleanup.h"
#include "engine/base/state.h"
#include "engine/session.h"
#include "tests/engine_fake.h"

static struct fake fake;
static struct eng_session *session;

static int setup(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	fake_home(&fake);
	return 0;
}

static void done(void)
{
	eng_session_free(session);
	session = NULL;
}

static int teardown(void **state)
{
	(void)state;
	done();
	assert_int_equal(fake_count(&fake, "state/ringside/journal"), 0);
	assert_int_equal(fake_count(&fake, "state/ringside/scratch"), 0);
	fake_done(&fake);
	return 0;
}

static void need(const char *ability)
{
	struct rs_err err = RS_ERR_INIT;

	if (eng_ability(ability, &err) < 0) {
		print_message("skipped: %s\n", err.text[0]);
		skip();
	}
}

/* A lesson with one step that runs prog.S or prog.c. `emu` are further keys of the run. */
static void open_lesson(const char *name, const char *source, const char *emu, const char *rest, const char *engine,
			enum rs_full full)
{
	struct rs_err err = RS_ERR_INIT;
	char *yaml, buf[600];
	int n = asprintf(&yaml, "schema: ringside/lesson/v1\nid: emu-lesson\n"
				"title: {en: T, zh-TW: T}\nsummary: {en: S, zh-TW: S}\n"
				"track: levels\nminutes: 1\nfiles: {starter: [%s]}\nsteps:\n"
				"  - id: s\n    text: {en: x, zh-TW: x}\n"
				"    run: {emu: {source: %s%s%s}}\n%s", name, name, *emu ? ", " : "", emu, rest);

	eng_lesson_free(fake.lesson);
	fake.lesson = eng_lesson_parse(yaml, (size_t)n, "emu.yaml", NULL, &err);
	if (!fake.lesson)
		fail_msg("%s", rs_err_format(&err, RS_LANG_EN, buf, sizeof(buf)));
	free(yaml);
	fake_write(&fake, name, source);
	struct eng_session_opts o = { .lesson = fake.lesson, .workspace = fake.work, .full = full, .engine = engine };

	session = eng_session_new(&o, &err);
	assert_non_null(session);
}

static void emu_lesson(const char *name, const char *source, const char *emu, const char *rest)
{
	open_lesson(name, source, emu, rest, NULL, RS_FULL_BLOCK);
}

static void show(void)
{
	const struct eng_evidence *e = eng_session_evidence(session, 0);
	unsigned n, shown = 0;
	struct eng_check_result *r = eng_session_results(session, 0, &n);

	for (size_t i = 0; i < e->events && shown < 80; i++) {
		char line[400];

		if (e->event[i].kind == RS_EV_STATE_BLOCK)
			continue;
		print_message("  %s\n", rs_event_format(&e->event[i], line, sizeof(line)));
		shown++;
	}
	for (unsigned i = 0; i < n; i++)
		print_message("  check %s: verdict %d found %s\n%s\n", r[i].check->id, r[i].verdict,
			      r[i].found.p, r[i].note.p);
	print_message("  build: %s\n  stderr: %s\n", e->out[RS_STREAM_BUILD].p, e->out[RS_STREAM_STDERR].p);
	print_message("  error: %s\n", eng_session_error(session)->text[0]);
}

static void must_pass(void)
{
	unsigned n;
	struct eng_check_result *r = eng_session_results(session, 0, &n);

	for (unsigned i = 0; i < n; i++)
		if (r[i].verdict != ENG_PASS) {
			show();
			fail_msg("check %s did not pass", r[i].check->id);
		}
}

static void run_and_pass(void)
{
	struct rs_err err = RS_ERR_INIT;

	assert_int_equal(eng_session_run(session, false, &err), 0);
	eng_session_wait(session);
	must_pass();
}

static const char rv_loop[] =
	"	.globl _start\n"
	"_start:	li	a0, 0\n"
	"	li	a1, 1000\n"
	"loop:	add	a0, a0, a1\n"
	"	addi	a1, a1, -1\n"
	"	bnez	a1, loop\n"
	"	li	a0, 1\n"
	"	la	a1, text\n"
	"	li	a2, 6\n"
	"	li	a7, 64\n"
	"	ecall\n"
	"	li	a0, 7\n"
	"	li	a7, 93\n"
	"	ecall\n"
	"	.data\n"
	"text:	.ascii	\"Hello\\n\"\n";

/* What both engines must give, counted exactly: 2 + 3 * 1000 + 6 + 3 instructions. */
static const char rv_checks[] =
	"    checks:\n"
	"      - {id: says, expect: 'output(stdout) == \"Hello\\n\"'}\n"
	"      - {id: ends, expect: 'ended() == \"exited\" and code() == 7'}\n"
	"      - {id: sealed, expect: 'count(exp.ready where sandboxed == \"yes\") == 1'}\n"
	"      - {id: loop, expect: 'count(emu.block where pc == sym(\"loop\") and insns == 3 and last == sym(\"loop\") + 4 and text == \"loop\") == 1'}\n"
	"      - {id: blocks, expect: 'counter(emu.blocks) == count(emu.block) and counter(emu.translated) == sum(emu.block.insns)'}\n"
	"      - {id: counted, expect: 'counter(emu.instructions) == 3011'}\n";

static void both_engines(void **state)
{
	(void)state;
	need("riscv64-cc");
	for (int i = 0; i < 2; i++) {
		const char *engine = i ? "interp" : "jit";

		if (!i && eng_ability("emu-jit", NULL) < 0)
			continue;
		open_lesson("prog.S", rv_loop, "", rv_checks, engine, RS_FULL_BLOCK);
		run_and_pass();
		done();
	}
}

static void chains(void **state)
{
	(void)state;
	need("riscv64-cc");
	need("emu-jit");
	emu_lesson("prog.S", rv_loop, "", "    checks:\n"
		   "      - {id: self, expect: 'count(emu.chain where from == sym(\"loop\") and to == sym(\"loop\")) == 1'}\n"
		   "      - {id: exact, expect: 'counter(emu.chains) == count(emu.chain) and counter(emu.lookups) < 10'}\n");
	run_and_pass();
	done();
	emu_lesson("prog.S", rv_loop, "chain: false", "    checks:\n"
		   "      - {id: none, expect: 'count(emu.chain) == 0 and counter(emu.chains) == 0'}\n"
		   "      - {id: looked, expect: 'counter(emu.lookups) > 1000'}\n");
	run_and_pass();
}

static void arguments(void **state)
{
	(void)state;
	need("riscv64-cc");
	emu_lesson("prog.c",
		   "typedef unsigned long ul;\n"
		   "static long call(long n, long a, long b, long c) { register long r0 asm(\"a0\") = a, r1 asm(\"a1\") = b,\n"
		   " r2 asm(\"a2\") = c, nr asm(\"a7\") = n; asm volatile(\"ecall\" : \"+r\"(r0) : \"r\"(r1), \"r\"(r2), \"r\"(nr)\n"
		   " : \"memory\"); return r0; }\n"
		   "static void put(const char *s) { ul n = 0; while (s[n]) n++; call(64, 1, (long)s, n); call(64, 1, (long)\"|\", 1); }\n"
		   "void entry(ul *sp) { char b[9] = { 0 }; for (ul i = 1; i <= sp[0]; i++) put((char *)sp[i]);\n"
		   " char **e = (char **)(sp + sp[0] + 2); while (*e) put(*e++); call(63, 0, (long)b, 8); put(b); call(93, 0, 0, 0); }\n"
		   "asm(\".globl _start\\n_start: mv a0, sp\\n j entry\\n\");\n",
		   "args: [one, one], env: [A=1], input: 'in!', flags: [-O1]",
		   "    checks:\n"
		   "      - {id: c, expect: 'output(stdout) == \"./prog|one|one|A=1|in!|\" and code() == 0'}\n");
	run_and_pass();
}

static void aarch64(void **state)
{
	(void)state;
	need("aarch64-cc");
	emu_lesson("prog.S",
		   "	.globl _start\n_start:	mov	x0, #1\n	adr	x1, text\n	mov	x2, #3\n	mov	x8, #64\n"
		   "	svc	#0\n	mov	x0, #9\n	mov	x8, #93\n	svc	#0\ntext:	.ascii	\"arm\"\n",
		   "guest: aarch64", "    checks: [{id: c, expect: 'output(stdout) == \"arm\" and code() == 9'}]\n");
	run_and_pass();
}

static void does_not_compile(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	unsigned n;

	(void)state;
	need("riscv64-cc");
	emu_lesson("prog.c", "int x;\nvoid _start(void) { x = ; }\n", "",
		   "    checks: [{id: c, expect: 'ended() == \"exited\"'}]\n");
	assert_int_equal(eng_session_run(session, false, &err), 0);
	eng_session_wait(session);
	assert_int_equal(eng_session_phase(session), ENG_FAILED);
	assert_int_equal(eng_session_results(session, 0, &n)[0].verdict, ENG_FAIL);
	assert_non_null(strstr(eng_session_evidence(session, 0)->out[RS_STREAM_BUILD].p, "prog.c:2:"));
	assert_non_null(strstr(eng_session_error(session)->text[0], "prog.c does not compile"));
}

static void no_compiler(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	unsigned n;

	(void)state;
	emu_lesson("prog.S", rv_loop, "", rv_checks);
	setenv("RISCV64_CC", "/nowhere/cc", 1);
	assert_int_equal(eng_session_run(session, false, &err), 0);
	assert_int_equal(eng_lesson_runnable(fake.lesson, NULL, &err), -ENOENT);
	unsetenv("RISCV64_CC");
	assert_int_equal(eng_session_phase(session), ENG_FAILED);
	assert_int_equal(eng_session_results(session, 0, &n)[0].verdict, ENG_UNGRADABLE);
	assert_non_null(strstr(eng_session_error(session)->text[0], "no compiler for riscv64"));
}

/* ---- ends ---- */

static void endless_loop(void **state)
{
	(void)state;
	need("riscv64-cc");
	emu_lesson("prog.S", ".globl _start\n_start: j _start\n", "",
		   "    timeout: 1s\n    checks: [{id: c, expect: 'ended() == \"watchdog\"'}]\n");
	run_and_pass();
}

static void faults(void **state)
{
	(void)state;
	need("riscv64-cc");
	emu_lesson("prog.S", "	.globl _start\n_start:	li a0, 0x123000\nbad:	sd zero, 8(a0)\n	ebreak\n", "",
		   "    checks:\n"
		   "      - {id: fault, expect: 'count(emu.fault where pc == sym(\"bad\") and signal == \"SIGSEGV\" and address == 0x123008) == 1'}\n"
		   "      - {id: text, expect: 'first(emu.fault.text) == \"sd zero,8(a0)\"'}\n"
		   "      - {id: end, expect: 'ended() == \"killed\" and first(emu.end.signal) == \"SIGSEGV\"'}\n");
	run_and_pass();
}

/* ---- programs that mean harm ---- */

/* Each call is made, and its result written down: "name=result ". Raw calls: no library is in the way. */
static const char hostile[] =
	"static long call(long n, long a, long b, long c, long d, long e) {\n"
	"	register long r0 asm(\"a0\") = a, r1 asm(\"a1\") = b, r2 asm(\"a2\") = c, r3 asm(\"a3\") = d,\n"
	"		r4 asm(\"a4\") = e, nr asm(\"a7\") = n;\n"
	"	asm volatile(\"ecall\" : \"+r\"(r0) : \"r\"(r1), \"r\"(r2), \"r\"(r3), \"r\"(r4), \"r\"(nr) : \"memory\");\n"
	"	return r0;\n}\n"
	"static void put(const char *s) { long n = 0; while (s[n]) n++; call(64, 1, (long)s, n, 0, 0); }\n"
	"static void num(long v) { char b[24], *p = b + 23; int m = v < 0; *p = 0; if (m) v = -v;\n"
	"	do *--p = '0' + v % 10; while (v /= 10); if (m) *--p = '-'; put(p); }\n"
	"static void tell(const char *s, long r) { put(s); put(\"=\"); num(r > 0 ? 1 : r); put(\" \"); }\n"
	"void _start(void) {\n"
	"	static const char *const none[] = { 0 };\n"
	"	long mine = call(172, 0, 0, 0, 0, 0), parent = call(173, 0, 0, 0, 0, 0), sum = 0;\n"
	"	tell(\"exec\", call(221, (long)\"/bin/true\", (long)none, (long)none, 0, 0));\n"
	"	tell(\"fork\", call(220, 17, 0, 0, 0, 0));\n"
	"	tell(\"kill\", call(129, parent, 9, 0, 0, 0));\n"
	"	tell(\"all\", call(129, -1, 9, 0, 0, 0));\n"
	"	tell(\"group\", call(129, 0, 9, 0, 0, 0));\n"
	"	tell(\"stop\", call(129, mine, 19, 0, 0, 0));\n"
	"	tell(\"socket\", call(198, 1, 1, 0, 0, 0));\n"
	"	tell(\"passwd\", call(56, -100, (long)\"/etc/passwd\", 0, 0, 0));\n"
	"	tell(\"up\", call(56, -100, (long)\"../state\", 0, 0, 0));\n"
	"	tell(\"link\", call(56, -100, (long)\"out\", 0, 0, 0));\n"
	"	tell(\"own\", call(56, -100, (long)\"prog.c\", 0, 0, 0));\n"
	"	tell(\"write\", call(56, -100, (long)\"prog.c\", 1, 0, 0));\n"
	"	tell(\"create\", call(56, -100, (long)\"new\", 0101, 0644, 0));\n"
	"	tell(\"unlink\", call(35, -100, (long)\"prog.c\", 0, 0, 0));\n"
	"	tell(\"chdir\", call(49, (long)\"/\", 0, 0, 0, 0));\n"
	"	for (long fd = 4; fd < 6; fd++) {\n"
	"		sum += call(57, fd, 0, 0, 0, 0) == -9;\n"
	"		sum += call(64, fd, (long)none, 8, 0, 0) == -9;\n"
	"		sum += call(24, 1, fd, 0, 0, 0) == -9;\n"
	"		sum += call(24, fd, 100, 0, 0, 0) == -9;\n"
	"		sum += call(222, 0, 4096, 3, 1, fd) == -9;\n"
	"	}\n"
	"	tell(\"lab\", sum - 10);\n"
	"	while (call(222, 0, 16 << 20, 3, 0x22, -1) > 0) sum++;\n"
	"	tell(\"memory\", sum < 100);\n"
	"	for (unsigned long at = 1ul << 32; at; at <<= 1)\n"
	"		tell(\"far\", call(63, 0, at, 8, 0, 0));\n"
	"	call(93, 3, 0, 0, 0, 0);\n}\n";

static void harm(void **state)
{
	char link[300];

	(void)state;
	need("riscv64-cc");
	for (int i = 0; i < 2; i++) {
		open_lesson("prog.c", hostile, "input: none, memory: 64M",
			    "    checks:\n"
			    "      - {id: end, expect: 'ended() == \"exited\" and code() == 3'}\n"
			    "      - {id: files, expect: 'contains(output(stdout), \"passwd=-13 up=-13 link=-13 own=1 write=-30 create=-30 unlink=-1 chdir=-1 \")'}\n"
			    "      - {id: calls, expect: 'contains(output(stdout), \"exec=-1 fork=-1 kill=-1 all=-1 group=-1 stop=-1 socket=-1 \")'}\n"
			    "      - {id: lab, expect: 'contains(output(stdout), \"lab=0 memory=1 far=-14 far=-14\")'}\n"
			    "      - {id: said, expect: 'exists(emu.refused where text == \"execve\" and error == \"EPERM\") and exists(emu.refused where text == \"socket\")'}\n"
			    "      - {id: once, expect: 'count(emu.refused where text == \"kill\") == 1'}\n",
			    i || eng_ability("emu-jit", NULL) < 0 ? "interp" : "jit", RS_FULL_BLOCK);
		snprintf(link, sizeof(link), "%s/out", fake.work);
		if (!i)
			assert_int_equal(symlink("/etc/passwd", link), 0);
		run_and_pass();
		done();
	}
}

/* Writes everywhere it can, and then where it cannot. */
static void wild_writes(void **state)
{
	static char guard[1 << 16];
	struct rs_err err = RS_ERR_INIT;

	(void)state;
	need("riscv64-cc");
	memset(guard, 0x5a, sizeof(guard));
	emu_lesson("prog.S",
		   "	.globl _start\n_start:	la t0, _start\n	li t1, -1\n	li t2, 4096\n	mv t3, sp\n"
		   "1:	sd t1, 0(t3)\n	add t3, t3, t2\n	j 1b\n", "",
		   "    checks: [{id: c, expect: 'ended() == \"killed\" and exists(emu.fault where signal == \"SIGSEGV\")'}]\n");
	run_and_pass();
	done();
	/* host addresses are no guest addresses: the high bits do not count, or fault */
	emu_lesson("prog.S",
		   "	.globl _start\n_start:	li t0, 1\n	slli t0, t0, 47\n1:	addi t0, t0, -2048\n	sd t0, 0(t0)\n"
		   "	j 1b\n", "", "    checks: [{id: c, expect: 'ended() == \"killed\"'}]\n");
	assert_int_equal(eng_session_run(session, false, &err), 0);
	eng_session_wait(session);
	must_pass();
	for (size_t i = 0; i < sizeof(guard); i++)
		assert_int_equal(guard[i], 0x5a);
}

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
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(both_engines), T(chains), T(arguments), T(aarch64), T(does_not_compile), T(no_compiler),
		T(endless_loop), T(faults), T(harm), T(wild_writes), T(steps), T(running_is_shown), T(recorded), T(threads_stand_still),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
