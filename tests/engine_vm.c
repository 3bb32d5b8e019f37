/* Real guests in real sessions: built, run in their sandbox, checked. Skips without /dev/kvm. */
#include <errno.h>
#include <poll.h>

#include "engine/base/cleanup.h"
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

static int teardown(void **state)
{
	(void)state;
	eng_session_free(session);
	session = NULL;
	assert_int_equal(fake_count(&fake, "state/ringside/journal"), 0);
	assert_int_equal(fake_count(&fake, "state/ringside/scratch"), 0);
	fake_done(&fake);
	return 0;
}

static void need_kvm(void)
{
	struct rs_err err = RS_ERR_INIT;

	if (vmm_available("kvm", &err) < 0) {
		print_message("skipped: %s\n", err.text[0]);
		skip();
	}
}

/* A lesson with one step that runs this file. */
static void vm_lesson_of(const char *file, const char *source, const char *vm, const char *rest)
{
	struct rs_err err = RS_ERR_INIT;
	char *yaml, buf[600];
	int n = asprintf(&yaml, "schema: ringside/lesson/v1\nid: vm-lesson\n"
				"title: {en: T, zh-TW: T}\nsummary: {en: S, zh-TW: S}\n"
				"track: rings\nminutes: 1\nfiles: {starter: [%s]}\nsteps:\n"
				"  - id: s\n    text: {en: x, zh-TW: x}\n"
				"    run: {vm: {source: %s, %s}}\n%s", file, file, vm, rest);

	fake.lesson = eng_lesson_parse(yaml, (size_t)n, "vm.yaml", NULL, &err);
	if (!fake.lesson)
		fail_msg("%s", rs_err_format(&err, RS_LANG_EN, buf, sizeof(buf)));
	free(yaml);
	fake_write(&fake, file, source);
	struct eng_session_opts o = { .lesson = fake.lesson, .workspace = fake.work,
				      .full = RS_FULL_BLOCK };

	session = eng_session_new(&o, &err);
	assert_non_null(session);
}

static void vm_lesson(const char *source, const char *vm, const char *rest)
{
	vm_lesson_of("guest.S", source, vm, rest);
}

static void show(void)
{
	const struct eng_evidence *e = eng_session_evidence(session, 0);
	unsigned n;
	struct eng_check_result *r = eng_session_results(session, 0, &n);

	for (size_t i = 0; i < e->events && i < 80; i++) {
		char line[400];

		print_message("  %s\n", rs_event_format(&e->event[i], line, sizeof(line)));
	}
	for (unsigned i = 0; i < n; i++)
		print_message("  check %s: verdict %d found %s\n%s\n", r[i].check->id, r[i].verdict,
			      r[i].found.p, r[i].note.p);
	print_message("  build: %s\n  stderr: %s\n  report: %s\n", e->out[RS_STREAM_BUILD].p,
		      e->out[RS_STREAM_STDERR].p, e->out[RS_STREAM_REPORT].p);
	print_message("  error: %s\n", eng_session_error(session)->text[0]);
}

static void run_and_pass(void)
{
	struct rs_err err = RS_ERR_INIT;
	unsigned n;
	struct eng_check_result *r = eng_session_results(session, 0, &n);

	assert_int_equal(eng_session_run(session, false, &err), 0);
	eng_session_wait(session);
	for (unsigned i = 0; i < n; i++)
		if (r[i].verdict != ENG_PASS) {
			show();
			fail_msg("check %s did not pass", r[i].check->id);
		}
}

static const char hello[] =
	".globl _start\n_start:\n"
	"  mov $0x3f8, %edx\n  mov $'H', %al\n  out %al, %dx\n  mov $'i', %al\n  out %al, %dx\n"
	"  mov data(%rip), %al\n  out %al, $0xf4\n"
	".data\ndata: .byte 42\n";

static void long64(void **state)
{
	(void)state;
	need_kvm();
	vm_lesson(hello, "entry: long64, memory: 4M",
		  "    checks:\n"
		  "      - {id: serial, points: 1, expect: 'output(serial) == \"Hi\"'}\n"
		  "      - {id: end, points: 1, expect: 'ended() == \"debug-exit\" and code() == 42'}\n"
		  "      - {id: sealed, points: 1, expect: 'count(exp.ready where sandboxed == \"yes\") == 1'}\n"
		  "      - {id: built, points: 1, expect: 'count(build.done where status == 0) == 1'}\n");
	run_and_pass();
}

static void prot32(void **state)
{
	(void)state;
	need_kvm();
	vm_lesson(".code32\n.globl _start\n_start:\n mov $0x3f8,%edx\n mov $'3',%al\n out %al,%dx\n"
		  " mov $7,%al\n out %al,$0xf4\n",
		  "entry: prot32, memory: 1M",
		  "    checks: [{id: c, points: 1, expect: 'output(serial) == \"3\" and code() == 7'}]\n");
	run_and_pass();
}

static void real16(void **state)
{
	(void)state;
	need_kvm();
	vm_lesson(".code16\n.globl _start\n_start:\n mov $text,%si\n1: lodsb\n test %al,%al\n jz 2f\n"
		  " mov $0x3f8,%dx\n out %al,%dx\n jmp 1b\n2: mov $9,%al\n out %al,$0xf4\n"
		  ".data\ntext: .asciz \"real\"\n",
		  "entry: real16, memory: 1M",
		  "    checks: [{id: c, points: 1, expect: 'output(serial) == \"real\" and code() == 9'}]\n");
	run_and_pass();
}

static void endless_loop(void **state)
{
	(void)state;
	need_kvm();
	vm_lesson(".globl _start\n_start: jmp _start\n", "entry: long64, trace: exits",
		  "    timeout: 6s\n"
		  "    checks: [{id: c, points: 1, expect: 'ended() == \"watchdog\"'}]\n");
	run_and_pass();
}

static void does_not_assemble(void **state)
{
	unsigned n;
	struct rs_err err = RS_ERR_INIT;

	(void)state;
	vm_lesson(".globl _start\n_start: movq %eax, %rbx\n", "entry: long64",
		  "    checks: [{id: c, points: 1, expect: 'ended() == \"halted\"'}]\n");
	assert_int_equal(eng_session_run(session, false, &err), 0);
	eng_session_wait(session);
	assert_int_equal(eng_session_phase(session), ENG_FAILED);
	assert_int_equal(eng_session_results(session, 0, &n)[0].verdict, ENG_FAIL);
	assert_non_null(strstr(eng_session_evidence(session, 0)->out[RS_STREAM_BUILD].p, "guest.S:2"));
	assert_non_null(strstr(eng_session_error(session)->text[0], "guest.S does not assemble"));
}

/* A difference of labels in a memory-like place: GNU as knows it, clang's own assembler does not. */
static void same_source_for_clang(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	bool built = false;

	(void)state;
	if (system("clang --version >/dev/null 2>&1") != 0)
		skip();
	vm_lesson(".intel_syntax noprefix\n.globl _start\n_start: mov esi, b - a\nhlt\na: .long 1\nb:\n",
		  "entry: long64", "    checks: [{id: c, points: 1, expect: 'ended() == \"halted\"'}]\n");
	setenv("CC", "clang -m64", 1);
	assert_int_equal(eng_session_run(session, false, &err), 0);
	eng_session_wait(session);
	unsetenv("CC");
	const struct eng_evidence *e = eng_session_evidence(session, 0);

	for (size_t i = 0; i < e->events; i++)
		built |= e->event[i].kind == RS_EV_BUILD_DONE && e->event[i].arg[0] == 0;
	if (!built)
		show();
	assert_true(built);
}

/* A C program with guest.h prints and ends, whatever compiles it. */
static void c_source(const char *cc)
{
	struct rs_err err = RS_ERR_INIT;

	vm_lesson_of("guest.c", "#include \"guest.h\"\nint main(void)\n{\n\tprint_number(-42);\n\treturn 7;\n}\n",
		     "entry: long64",
		     "    checks: [{id: c, points: 1, expect: 'output(serial) == \"-42\" and code() == 7'}]\n");
	rs_auto_free char *copy = rs_xasprintf("cp labs/include/guest.h %s/", fake.work);

	assert_int_equal(system(copy), 0); /* a lesson finds it beside its folder */
	setenv("CC", cc, 1);
	assert_int_equal(eng_session_run(session, false, &err), 0);
	eng_session_wait(session);
	unsetenv("CC");
	unsigned n;

	if (eng_session_results(session, 0, &n)[0].verdict != ENG_PASS ||
	    eng_session_evidence(session, 0)->out[RS_STREAM_BUILD].len) {
		show();
		fail();
	}
}

static void c_source_gcc(void **state)
{
	(void)state;
	need_kvm();
	c_source("cc");
}

static void c_source_clang(void **state)
{
	(void)state;
	need_kvm();
	if (getenv("RINGSIDE_TEST_AGAIN")) { /* emulated, it takes longer than a build may */
		puts("skip: clang on the emulated machine");
		skip();
	}
	if (system("clang --version >/dev/null 2>&1") != 0)
		skip();
	c_source("clang");
}

static void no_compiler(void **state)
{
	unsigned n;
	struct rs_err err = RS_ERR_INIT;
	char *old = strdup(getenv("PATH"));

	(void)state;
	vm_lesson(hello, "entry: long64",
		  "    checks: [{id: c, points: 1, expect: 'ended() == \"halted\"'}]\n");
	setenv("PATH", "/nowhere", 1);
	assert_int_equal(eng_session_run(session, false, &err), 0);
	setenv("PATH", old, 1);
	free(old);
	assert_int_equal(eng_session_phase(session), ENG_FAILED);
	assert_int_equal(eng_session_results(session, 0, &n)[0].verdict, ENG_UNGRADABLE);
	assert_non_null(strstr(eng_session_error(session)->text[0], "no C compiler"));
}

/* A build that goes on for ever: a preprocessor that includes itself without end is stopped by the
 * compiler, so the compiler itself is a script that sleeps. */
static void build_times_out(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	char cc[200];

	(void)state;
	vm_lesson(hello, "entry: long64", "    timeout: 500ms\n"
		  "    checks: [{id: c, points: 1, expect: 'ended() == \"halted\"'}]\n");
	fake_write(&fake, "slow-cc", "#!/bin/sh\nsleep 1000 & sleep 1000\n");
	snprintf(cc, sizeof(cc), "%s/slow-cc", fake.work);
	assert_int_equal(chmod(cc, 0755), 0);
	setenv("CC", cc, 1);
	assert_int_equal(eng_session_run(session, false, &err), 0);
	eng_session_wait(session);
	unsetenv("CC");
	assert_int_equal(eng_session_phase(session), ENG_FAILED);
	assert_non_null(strstr(eng_session_error(session)->text[0], "took too long"));
}

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

static void paused_stepped_inspected(void **state)
{
	struct rs_err err = RS_ERR_INIT;

	(void)state;
	need_kvm();
	vm_lesson(hello, "entry: long64, trace: steps",
		  "    timeout: 20s\n"
		  "    checks: [{id: c, points: 1, expect: 'code() == 42 and count(exp.paused) == 2'}]\n");
	assert_int_equal(eng_session_run(session, true, &err), 0);
	pump_until(ENG_PAUSED);
	assert_int_equal(eng_session_single_step(session, 2), 0);
	assert_int_equal(eng_session_inspect(session, RS_BLOCK_MEMORY, 0x10000, 64, false), 0);
	const struct eng_evidence *e = eng_session_evidence(session, 0);
	bool memory = false, regs = false;

	unsigned paused = 0;

	/* Until it stands still again behind the two instructions. */
	for (int t = 0; t < 1000 && !(memory && regs && paused == 2); t++) {
		usleep(10000);
		eng_session_pump(session);
		paused = 0;
		for (size_t i = 0; i < e->events; i++) {
			const struct rs_event *ev = &e->event[i];

			memory |= ev->kind == RS_EV_STATE_BLOCK && ev->arg[0] == RS_BLOCK_MEMORY;
			regs |= ev->kind == RS_EV_STATE_BLOCK && ev->arg[0] == RS_BLOCK_REGS;
			paused += ev->kind == RS_EV_EXP_PAUSED;
		}
	}
	if (!memory || !regs)
		show();
	assert_true(memory && regs);
	assert_int_equal(eng_session_resume(session), 0);
	pump_until(ENG_ENDED);
	unsigned n;

	if (eng_session_results(session, 0, &n)[0].verdict != ENG_PASS) {
		show();
		fail();
	}
}

/* The lesson's own folder: starter fails a check, solution earns all. */
static void grade_lesson(const char *folder, bool solution, unsigned *points, unsigned *max)
{
	struct rs_err err = RS_ERR_INIT;
	char buf[700], path[300];
	struct eng_lesson *l;

	snprintf(path, sizeof(path), "labs/%s", folder);
	l = eng_lesson_load(path, &err);
	if (!l)
		fail_msg("%s", rs_err_format(&err, RS_LANG_EN, buf, sizeof(buf)));
	fake.lesson = l;
	assert_int_equal(eng_workspace_prepare(l, fake.work, false, &err), 0);
	if (solution) {
		snprintf(path, sizeof(path), "cp labs/%s/solution/* %s/", folder, fake.work);
		assert_int_equal(system(path), 0);
	}
	struct eng_session_opts o = { .lesson = l, .workspace = fake.work, .full = RS_FULL_BLOCK };

	session = eng_session_new(&o, &err);
	assert_non_null(session);
	*points = 0;
	*max = l->points;
	for (unsigned i = 0; i < l->steps; i++) {
		unsigned n;

		assert_int_equal(eng_session_goto(session, i, &err), 0);
		if (!l->step[i].run)
			continue;
		assert_int_equal(eng_session_run(session, false, &err), 0);
		eng_session_wait(session);
		struct eng_check_result *r = eng_session_results(session, i, &n);

		for (unsigned k = 0; k < n; k++) {
			*points += r[k].points;
			if (solution && r[k].verdict != ENG_PASS)
				print_message("  %s %s: verdict %d, found %s\n%s\n%s\n", l->step[i].id,
					      r[k].check->id, r[k].verdict, r[k].found.p, r[k].note.p,
					      eng_session_error(session)->text[0]);
		}
	}
}

static void grade_both(const char *folder)
{
	unsigned points, max;

	need_kvm();
	grade_lesson(folder, true, &points, &max);
	assert_int_equal(points, max);
	eng_session_free(session);
	session = NULL;
	fake_done(&fake);
	fake_home(&fake);
	grade_lesson(folder, false, &points, &max);
	assert_true(points < max);
}

static void lesson_201(void **state)
{
	(void)state;
	grade_both("201-rings-privileged");
}

static void lesson_202(void **state)
{
	(void)state;
	grade_both("202-rings-syscall");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(does_not_assemble), T(same_source_for_clang), T(c_source_gcc),
		T(c_source_clang), T(no_compiler), T(build_times_out), T(long64), T(prot32),
		T(real16), T(endless_loop), T(paused_stepped_inspected), T(lesson_201), T(lesson_202),
	};

	cmocka_set_test_filter(getenv("TEST_FILTER"));
	return cmocka_run_group_tests_name("engine_vm", tests, NULL, NULL);
}
