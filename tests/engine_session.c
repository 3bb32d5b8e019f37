/* The run state machine, with a scripted experiment in place of a guest. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include "engine/session.h"
#include "tests/engine_fake.h"

#define RUN "    text: {en: x, zh-TW: x}\n    run: {vm: {image: image.bin}}\n"

static struct fake fake;
static struct eng_session *session;

static void open_session(const struct eng_session_opts *more)
{
	struct rs_err err = RS_ERR_INIT;
	struct eng_session_opts o = more ? *more : (struct eng_session_opts){ .full = RS_FULL_BLOCK };

	o.lesson = fake.lesson;
	o.workspace = fake.work;
	session = eng_session_new(&o, &err);
	if (!session)
		fail_msg("%s", err.text[0]);
}

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
	/* Whatever happened: nothing is left. */
	assert_int_equal(fake_count(&fake, "state/ringside/journal"), 0);
	assert_int_equal(fake_count(&fake, "state/ringside/scratch"), 0);
	fake_done(&fake);
	return 0;
}

static void run_to_end(void)
{
	struct rs_err err = RS_ERR_INIT;

	assert_int_equal(eng_session_run(session, false, &err), 0);
	eng_session_wait(session);
}

static const struct eng_check_result *result(unsigned step, unsigned i)
{
	unsigned n;
	struct eng_check_result *r = eng_session_results(session, step, &n);

	assert_true(i < n);
	return &r[i];
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- experiments ---- */

static void ring(const struct eng_exec *x, unsigned from, unsigned to, enum rs_via via)
{
	rs_emit(x->em, RS_EV_CPU_RING, RS_SRC_STEP, 0, from, to, via, 0x1000, NULL);
}

static void end(const struct eng_exec *x, enum rs_outcome o)
{
	rs_emit(x->em, RS_EV_VM_END, RS_SRC_MONITOR, 0, o, 7, 0x1000, 3, NULL);
}

static int exec_rings(const struct eng_exec *x, struct rs_err *err)
{
	uint64_t off = 0;
	int rc = x->seal(x->seal_arg, err);

	if (rc < 0)
		return rc;
	for (int i = 0; i < 3; i++) {
		ring(x, 3, 0, RS_VIA_INT);
		ring(x, 0, 3, RS_VIA_IRET);
	}
	rs_emit_out(x->em, RS_SRC_MONITOR, 0, RS_STREAM_SERIAL, &off, "hello\n", 6);
	rs_count(x->em, RS_CTR_VM_EXITS + 2, 5);
	end(x, RS_OUT_DEBUG_EXIT);
	return 0;
}

static int exec_flood(const struct eng_exec *x, struct rs_err *err)
{
	(void)err;
	for (uint64_t i = 0; i < 200000; i++)
		rs_emit(x->em, RS_EV_VM_EXIT, RS_SRC_EXIT, 0, 2, i, 0, 0, NULL);
	end(x, RS_OUT_HALTED);
	return 0;
}

static int exec_sleep(const struct eng_exec *x, struct rs_err *err)
{
	(void)x;
	(void)err;
	while (pause())
		;
	return 0;
}

static int exec_spin(const struct eng_exec *x, struct rs_err *err)
{
	(void)err;
	for (volatile uint64_t i = 1; i; i = i + 1)
		rs_count(x->em, RS_CTR_VM_STEPS, 1);
	return 0;
}

static int exec_crash(const struct eng_exec *x, struct rs_err *err)
{
	(void)err;
	ring(x, 0, 3, RS_VIA_IRET);
	raise(SIGSEGV);
	return 0;
}

static int exec_open(const struct eng_exec *x, struct rs_err *err)
{
	int rc = x->seal(x->seal_arg, err);

	if (rc == 0)
		fopen("/etc/passwd", "r");
	return rc;
}

static int exec_print(const struct eng_exec *x, struct rs_err *err)
{
	(void)err;
	printf("to stdout\n");
	fflush(stdout);
	fprintf(stderr, "to stderr\n");
	end(x, RS_OUT_HALTED);
	return 0;
}

static int exec_no_kvm(const struct eng_exec *x, struct rs_err *err)
{
	(void)x;
	return rs_err_set(err, -ENOENT, "there is no %s", "/dev/kvm");
}

static int exec_bad_image(const struct eng_exec *x, struct rs_err *err)
{
	(void)x;
	return rs_err_set(err, -ENOEXEC, "bad image");
}

static int exec_forge(const struct eng_exec *x, struct rs_err *err)
{
	(void)err;
	rs_emit(x->em, RS_EV_CHECK_RESULT, RS_SRC_ENGINE, 0, 1, 2, 2, 0, "three");
	rs_emit(x->em, RS_EV_EXP_EXIT, RS_SRC_ENGINE, 0, 0, 0, 0, 0, NULL);
	end(x, RS_OUT_HALTED);
	return 0;
}

/* Obeys orders, as a monitor does. */
static int exec_obey(const struct eng_exec *x, struct rs_err *err)
{
	bool paused = x->start_paused;
	uint64_t off = 0;

	(void)err;
	if (paused)
		rs_emit(x->em, RS_EV_EXP_PAUSED, RS_SRC_MONITOR, 0, 0x10000, 0, 0, 0, NULL);
	for (;;) {
		struct pollfd p = { x->control_fd, POLLIN, 0 };
		struct rs_control m;

		poll(&p, 1, -1);
		if (rs_control_recv(x->control_fd, &m) < 0)
			continue;
		switch (m.op) {
		case RS_CONTROL_PAUSE:
			rs_emit(x->em, RS_EV_EXP_PAUSED, RS_SRC_MONITOR, 0, 0x10002, 0, 0, 0, NULL);
			break;
		case RS_CONTROL_RESUME:
			rs_emit(x->em, RS_EV_EXP_RESUMED, RS_SRC_MONITOR, 0, 0, 0, 0, 0, NULL);
			break;
		case RS_CONTROL_STEP:
			rs_emit(x->em, RS_EV_CPU_STEP, RS_SRC_STEP, 0, m.a, 0, 0, 0, NULL);
			rs_emit(x->em, RS_EV_EXP_PAUSED, RS_SRC_MONITOR, 0, 0x10004, 0, 0, 0, NULL);
			break;
		case RS_CONTROL_INPUT:
			rs_emit_out(x->em, RS_SRC_MONITOR, 0, RS_STREAM_SERIAL, &off, m.data,
				    (size_t)m.a);
			break;
		case RS_CONTROL_STOP:
			end(x, RS_OUT_STOPPED);
			return 0;
		default:
			break;
		}
		m.result = 0;
		rs_control_send(x->control_fd, &m);
	}
}

/* ---- tests ---- */

static const char three[] =
	"  - id: s\n" RUN
	"    checks:\n"
	"      - {id: three, points: 2, expect: 'count(cpu.ring where to == 0) == 3'}\n"
	"      - {id: four, points: 1, expect: 'count(cpu.ring where to == 0) == 4'}\n"
	"      - {id: out, points: 1, expect: 'output(serial) == \"hello\\n\"'}\n"
	"      - {id: ctr, points: 1, expect: 'counter(vm.exits, io) == 5'}\n"
	"      - {id: end, points: 1, expect: 'ended() == \"debug-exit\" and code() == 7'}\n";

static void passes_and_fails(void **state)
{
	(void)state;
	fake_lesson(&fake, three, exec_rings);
	open_session(NULL);
	assert_int_equal(eng_session_phase(session), ENG_IDLE);
	assert_int_equal(result(0, 0)->verdict, ENG_OPEN);
	run_to_end();
	assert_int_equal(eng_session_phase(session), ENG_ENDED);
	assert_int_equal(result(0, 0)->verdict, ENG_PASS);
	assert_int_equal(result(0, 0)->points, 2);
	assert_int_equal(result(0, 1)->verdict, ENG_FAIL);
	assert_int_equal(result(0, 1)->points, 0);
	assert_string_equal(result(0, 1)->found.p, "3");
	for (unsigned i = 2; i < 5; i++)
		assert_int_equal(result(0, i)->verdict, ENG_PASS);
	/* again: the same from a clean sheet */
	run_to_end();
	assert_int_equal(result(0, 0)->verdict, ENG_PASS);
	assert_int_equal(eng_session_counters(session).v[RS_CTR_VM_EXITS + 2], 5);
}

struct watcher {
	struct rs_sink sink;
	uint64_t seq, time;
	unsigned events, results;
};

static void watch(struct rs_sink *self, const struct rs_event *ev)
{
	struct watcher *w = (struct watcher *)self;

	assert_int_equal(ev->seq, w->seq + 1);
	w->seq = ev->seq;
	w->events++;
	w->results += ev->kind == RS_EV_CHECK_RESULT;
}

static void stream_is_numbered(void **state)
{
	struct watcher w = { .sink.event = watch, .seq = 0 };

	(void)state;
	fake_lesson(&fake, three, exec_rings);
	open_session(NULL);
	rs_bus_attach(eng_session_bus(session), &w.sink);
	run_to_end();
	assert_int_equal(w.results, 5);
	assert_true(w.events > 10);
	const struct eng_evidence *e = eng_session_evidence(session, 0);

	assert_int_equal(e->event[0].kind, RS_EV_EXP_START);
	assert_int_equal(e->event[1].kind, RS_EV_EXP_READY);
	assert_int_equal(e->event[e->events - 1].kind, RS_EV_EXP_EXIT);
	assert_true(e->ran && e->ended);
	rs_bus_detach(eng_session_bus(session), &w.sink);
}

static const char flood[] = "  - id: s\n" RUN
	"    checks: [{id: c, points: 1, expect: 'count(vm.exit) == 200000'}]\n";

static void flood_blocks_and_nothing_is_lost(void **state)
{
	(void)state;
	fake_lesson(&fake, flood, exec_flood);
	open_session(NULL);
	run_to_end();
	assert_int_equal(eng_session_evidence(session, 0)->lost, 0);
	assert_int_equal(result(0, 0)->verdict, ENG_PASS);
}

static void lost_events_are_inconclusive(void **state)
{
	struct eng_session_opts o = { .full = RS_FULL_DROP };
	struct rs_err err = RS_ERR_INIT;

	(void)state;
	fake_lesson(&fake, flood, exec_flood);
	open_session(&o);
	assert_int_equal(eng_session_run(session, false, &err), 0);
	usleep(300000); /* nobody reads: the ring overflows */
	eng_session_wait(session);
	assert_true(eng_session_evidence(session, 0)->lost > 0);
	assert_int_equal(result(0, 0)->verdict, ENG_INCONCLUSIVE);
	assert_non_null(strstr(result(0, 0)->found.p, "lost"));
}

static int exec_endless_flood(const struct eng_exec *x, struct rs_err *err)
{
	(void)err;
	for (uint64_t i = 1; i; i++)
		rs_emit(x->em, RS_EV_VM_EXIT, RS_SRC_EXIT, 0, 2, i, 0, 0, NULL);
	return 0;
}

static void endless_flood_is_judged(void **state)
{
	(void)state;
	fake_lesson(&fake, "  - id: s\n" RUN
		    "    timeout: 60s\n"
		    "    checks:\n"
		    "      - {id: c, points: 1, expect: 'count(vm.exit) == 200000'}\n"
		    "      - {id: e, points: 1, expect: 'ended() == \"exit-limit\"'}\n", exec_endless_flood);
	open_session(NULL);
	run_to_end();
	assert_int_equal(eng_session_evidence(session, 0)->lost, 0);
	assert_int_equal(result(0, 0)->verdict, ENG_FAIL);
	assert_int_equal(result(0, 1)->verdict, ENG_PASS);
}

static const char timed[] = "  - id: s\n" RUN
	"    timeout: 300ms\n"
	"    checks: [{id: c, points: 1, expect: 'ended() == \"watchdog\"'}]\n";

static void timed_out(int (*exec)(const struct eng_exec *x, struct rs_err *err))
{
	double t = seconds();

	fake_lesson(&fake, timed, exec);
	open_session(NULL);
	run_to_end();
	t = seconds() - t;
	assert_true(t > 0.3 && t < 3);
	assert_int_equal(eng_session_phase(session), ENG_ENDED);
	assert_int_equal(result(0, 0)->verdict, ENG_PASS);
}

static void sleeper_times_out(void **state)
{
	(void)state;
	timed_out(exec_sleep);
}

static void spinner_times_out(void **state)
{
	(void)state;
	timed_out(exec_spin);
}

static void failed(int (*exec)(const struct eng_exec *x, struct rs_err *err), enum eng_verdict v,
		   const char *part)
{
	fake_lesson(&fake, three, exec);
	open_session(NULL);
	run_to_end();
	assert_int_equal(eng_session_phase(session), ENG_FAILED);
	const struct rs_err *e = eng_session_error(session);

	if (!strstr(e->text[RS_LANG_EN], part))
		fail_msg("\"%s\" lacks \"%s\"", e->text[RS_LANG_EN], part);
	assert_int_equal(result(0, 0)->verdict, v);
	assert_string_equal(result(0, 0)->why.text[0], e->text[0]);
}

static void crash_is_explained(void **state)
{
	(void)state;
	failed(exec_crash, ENG_INCONCLUSIVE, "SIGSEGV");
	/* the events before it are there */
	const struct eng_evidence *e = eng_session_evidence(session, 0);
	bool seen = false;

	for (size_t i = 0; i < e->events; i++)
		seen |= e->event[i].kind == RS_EV_CPU_RING;
	assert_true(seen);
}

static void forbidden_call_is_named(void **state)
{
	(void)state;
	failed(exec_open, ENG_INCONCLUSIVE, "open");
}

static void missing_kvm_is_ungradable(void **state)
{
	(void)state;
	failed(exec_no_kvm, ENG_UNGRADABLE, "there is no /dev/kvm");
}

static void bad_image_is_the_students(void **state)
{
	(void)state;
	failed(exec_bad_image, ENG_FAIL, "bad image");
}

static void missing_image(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	char path[200];

	(void)state;
	fake_lesson(&fake, three, exec_rings);
	open_session(NULL);
	snprintf(path, sizeof(path), "%s/image.bin", fake.work);
	unlink(path);
	assert_int_equal(eng_session_run(session, false, &err), 0);
	assert_int_equal(eng_session_phase(session), ENG_FAILED);
	assert_int_equal(result(0, 0)->verdict, ENG_FAIL);
}

static void prints_are_captured(void **state)
{
	const struct eng_evidence *e;

	(void)state;
	fake_lesson(&fake, "  - id: s\n" RUN
		    "    checks: [{id: c, points: 1, expect: 'contains(output(stdout), \"to stdout\")'}]\n",
		    exec_print);
	open_session(NULL);
	run_to_end();
	e = eng_session_evidence(session, 0);
	assert_string_equal(e->out[RS_STREAM_STDOUT].p, "to stdout\n");
	assert_string_equal(e->out[RS_STREAM_STDERR].p, "to stderr\n");
	assert_int_equal(result(0, 0)->verdict, ENG_PASS);
}

static void results_cannot_be_forged(void **state)
{
	(void)state;
	fake_lesson(&fake, three, exec_forge);
	open_session(NULL);
	run_to_end();
	const struct eng_evidence *e = eng_session_evidence(session, 0);
	unsigned exits = 0;

	for (size_t i = 0; i < e->events; i++) {
		assert_int_not_equal(e->event[i].kind, RS_EV_CHECK_RESULT);
		exits += e->event[i].kind == RS_EV_EXP_EXIT;
	}
	assert_int_equal(exits, 1);
	assert_int_equal(result(0, 0)->verdict, ENG_FAIL);
}

static void pump_until(enum eng_phase p)
{
	double t = seconds();

	while (eng_session_phase(session) != p) {
		struct pollfd pf = { .events = POLLIN };
		int fds[4], timeout = 100;

		if (eng_session_pollfds(session, fds, &timeout)) {
			pf.fd = fds[0];
			poll(&pf, 1, timeout);
		}
		eng_session_pump(session);
		if (seconds() - t > 5)
			fail_msg("phase %d never came; it is %d", p, eng_session_phase(session));
	}
}

static void orders(void **state)
{
	struct rs_err err = RS_ERR_INIT;

	(void)state;
	fake_lesson(&fake, "  - id: s\n" RUN "    timeout: 400ms\n"
		    "    checks: [{id: c, points: 1, expect: 'ended() == \"stopped\" and "
		    "count(cpu.step) == 1'}]\n", exec_obey);
	open_session(NULL);
	assert_int_equal(eng_session_pause(session), -ESRCH);
	assert_int_equal(eng_session_run(session, true, &err), 0);
	pump_until(ENG_PAUSED);
	/* paused time does not count: longer than the step's timeout */
	usleep(600000);
	eng_session_pump(session);
	assert_int_equal(eng_session_phase(session), ENG_PAUSED);
	int fds[4], timeout = -1;

	eng_session_pollfds(session, fds, &timeout); /* events came just now: one more look */
	eng_session_pump(session);
	timeout = -1;
	eng_session_pollfds(session, fds, &timeout);
	assert_int_equal(timeout, -1); /* nothing to wake up for */
	assert_int_equal(eng_session_single_step(session, 5), 0);
	assert_int_equal(eng_session_input(session, "ping", 4), 0);
	assert_int_equal(eng_session_resume(session), 0);
	pump_until(ENG_RUNNING);
	assert_int_equal(eng_session_pause(session), 0);
	pump_until(ENG_PAUSED);
	assert_string_equal(eng_session_evidence(session, 0)->out[RS_STREAM_SERIAL].p, "ping");
	assert_int_equal(eng_session_stop(session), 0);
	pump_until(ENG_ENDED);
	assert_int_equal(result(0, 0)->verdict, ENG_PASS);
}

static void stop_of_the_deaf(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	double t;

	(void)state;
	fake_lesson(&fake, three, exec_spin);
	open_session(NULL);
	assert_int_equal(eng_session_run(session, false, &err), 0);
	pump_until(ENG_RUNNING);
	t = seconds();
	assert_int_equal(eng_session_stop(session), 0);
	pump_until(ENG_ENDED);
	assert_true(seconds() - t < 3);
}

static void steps_and_predictions(void **state)
{
	struct rs_err err = RS_ERR_INIT;

	(void)state;
	fake_lesson(&fake, "  - id: a\n" RUN
		    "  - id: b\n    text: {en: x, zh-TW: x}\n"
		    "    predict: {ask: {en: q, zh-TW: q}, answer: 'count(cpu.ring where to == 0)'}\n",
		    exec_rings);
	open_session(NULL);
	assert_int_equal(eng_session_predict(session, 1, &err), -EINVAL);
	assert_int_equal(eng_session_goto(session, 2, &err), -EINVAL);
	assert_int_equal(eng_session_goto(session, 1, &err), 0);
	assert_int_equal(eng_session_step(session), 1);
	assert_int_equal(eng_session_predict(session, 3, &err), 0);
	run_to_end();
	const struct eng_prediction *p = eng_session_prediction(session, 1);

	assert_true(p->made && p->known && p->right);
	assert_int_equal(p->actual, 3);
	assert_int_equal(eng_session_predict(session, 4, &err), -EBUSY);
}

static void goto_kills(void **state)
{
	struct rs_err err = RS_ERR_INIT;

	(void)state;
	fake_lesson(&fake, "  - id: a\n" RUN "  - id: b\n    text: {en: x, zh-TW: x}\n", exec_sleep);
	open_session(NULL);
	assert_int_equal(eng_session_run(session, false, &err), 0);
	pump_until(ENG_RUNNING);
	pid_t pid = eng_experiment_pid(session->live.exp);

	assert_int_equal(eng_session_goto(session, 1, &err), 0);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
	assert_int_equal(eng_session_phase(session), ENG_IDLE);
	int fds[4], timeout = -1;

	assert_int_equal(eng_session_pollfds(session, fds, &timeout), 0);
	assert_int_equal(timeout, -1);
	assert_false(eng_session_pump(session));
}

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Whatever the load of the machine: one pump costs little processor time, and it does not wait,
 * which would be a voluntary switch to another process. */
static void pump_never_blocks(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	double worst = 0;
	long waits = 0, pumps = 0;

	(void)state;
	fake_lesson(&fake, flood, exec_flood);
	open_session(NULL);
	assert_int_equal(eng_session_run(session, false, &err), 0);
	while (eng_session_phase(session) == ENG_RUNNING) {
		struct rusage a, b;
		double t = cpu_seconds();

		getrusage(RUSAGE_SELF, &a);
		eng_session_pump(session);
		getrusage(RUSAGE_SELF, &b);
		waits += b.ru_nvcsw - a.ru_nvcsw;
		pumps++;
		if (cpu_seconds() - t > worst)
			worst = cpu_seconds() - t;
	}
	assert_true(pumps > 20);
	if (worst > 0.15 || waits > 5)
		fail_msg("the worst pump took %.3f s, %ld of %ld waited", worst, waits, pumps);
}

static void foreign_names_stay_outside(void **state)
{
	char path[200];

	(void)state;
	fake_lesson(&fake, "  - id: s\n" RUN
		    "    checks:\n"
		    "      - {id: up, points: 1, expect: 'file(\"link\") == \"x\"'}\n"
		    "      - {id: in, points: 1, expect: 'file(\"note\") == \"x\"'}\n", exec_rings);
	snprintf(path, sizeof(path), "%s/link", fake.work);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	fake_write(&fake, "note", "x");
	open_session(NULL);
	run_to_end();
	assert_int_not_equal(result(0, 0)->verdict, ENG_PASS);
	assert_null(strstr(result(0, 0)->note.p, "root"));
	assert_int_equal(result(0, 1)->verdict, ENG_PASS);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(passes_and_fails), T(stream_is_numbered), T(flood_blocks_and_nothing_is_lost),
		T(lost_events_are_inconclusive), T(endless_flood_is_judged), T(sleeper_times_out), T(spinner_times_out),
		T(crash_is_explained), T(forbidden_call_is_named), T(missing_kvm_is_ungradable),
		T(bad_image_is_the_students), T(missing_image), T(prints_are_captured),
		T(results_cannot_be_forged), T(orders), T(stop_of_the_deaf), T(steps_and_predictions),
		T(goto_kills), T(pump_never_blocks), T(foreign_names_stay_outside),
	};

	return cmocka_run_group_tests_name("engine_session", tests, NULL, NULL);
}
