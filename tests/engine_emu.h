/* For tests of translated programs in real sessions: a lesson of one step, made here, its run, its checks.
 * What needs a cross compiler is skipped where there is none. */
#ifndef TESTS_ENGINE_EMU_H
#define TESTS_ENGINE_EMU_H

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

static inline void emu_lesson(const char *name, const char *source, const char *emu, const char *rest)
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

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
