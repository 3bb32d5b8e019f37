/* The child process: what it is born with, what it hears, how it dies. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "engine/experiment.h"
#include "tests/engine_fake.h"

static struct fake fake;
static struct eng_journal *journal;

struct seen {
	unsigned start, exit, out_bytes;
	char out[4096];
	uint64_t started; /* ns */
	struct rs_event last;
};
static struct seen seen;

static int setup(void **state)
{
	struct rs_err err = RS_ERR_INIT;

	(void)state;
	memset(&fake, 0, sizeof(fake));
	memset(&seen, 0, sizeof(seen));
	fake_home(&fake);
	journal = eng_journal_open(&err);
	assert_non_null(journal);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	eng_journal_close(journal);
	assert_int_equal(fake_count(&fake, "state/ringside/journal"), 0);
	fake_done(&fake);
	return 0;
}

static void on_event(void *arg, struct rs_event *ev)
{
	struct seen *s = arg;

	s->start += ev->kind == RS_EV_EXP_START;
	if (ev->kind == RS_EV_EXP_START)
		s->started = ev->time;
	assert_true(ev->time >= s->started); /* the child's clock is ours */
	s->exit += ev->kind == RS_EV_EXP_EXIT;
	if (ev->kind == RS_EV_OUT_DATA) {
		assert_true(ev->arg[2] <= RS_TEXT_SIZE);
		assert_int_equal(ev->arg[1], s->out_bytes);
		if (s->out_bytes + ev->arg[2] < sizeof(s->out))
			memcpy(s->out + s->out_bytes, ev->text, ev->arg[2]);
		s->out_bytes += (unsigned)ev->arg[2];
	}
	s->last = *ev;
}

static struct eng_experiment *start(int (*fn)(void *arg, struct eng_child *c, struct rs_err *err),
				    void *arg)
{
	struct rs_err err = RS_ERR_INIT;
	struct eng_experiment_opts o = { .name = "test",
					 .main = fn,
					 .arg = arg,
					 .full = RS_FULL_BLOCK,
					 .out = RS_STREAM_STDOUT,
					 .err = RS_STREAM_STDERR,
					 .journal = journal,
					 .event = on_event,
					 .event_arg = &seen };
	struct eng_experiment *x = eng_experiment_start(&o, &err);

	if (!x)
		fail_msg("%s", err.text[0]);
	return x;
}

static struct eng_death finish(struct eng_experiment *x)
{
	struct eng_death d;

	while (!eng_experiment_death(x)) {
		struct pollfd p = { .fd = eng_experiment_fd(x), .events = POLLIN };

		if (eng_experiment_sleep(x))
			poll(&p, 1, 1000);
		eng_experiment_pump(x, 1000);
	}
	assert_false(eng_experiment_pump(x, 1000));
	d = *eng_experiment_death(x);
	eng_experiment_free(x);
	assert_int_equal(seen.start, 1);
	assert_int_equal(seen.exit, 1);
	assert_int_equal(seen.last.kind, RS_EV_EXP_EXIT);
	return d;
}

static int secret_fd;

static int born(void *arg, struct eng_child *c, struct rs_err *err)
{
	pid_t parent = *(pid_t *)arg;
	struct sigaction sa;
	sigset_t set;
	int sig = 0;
	char b;

#define REQUIRE(x) do { if (!(x)) return rs_err_set(err, -EINVAL, "%s", #x); } while (0)
	REQUIRE(getppid() == parent);
	REQUIRE(getpgrp() == getpid());
	REQUIRE(prctl(PR_GET_PDEATHSIG, &sig) == 0 && sig == SIGKILL);
	REQUIRE(fcntl(secret_fd, F_GETFD) < 0 && errno == EBADF);
	for (int fd = 6; fd < 1024; fd++)
		REQUIRE(fcntl(fd, F_GETFD) < 0);
	REQUIRE(read(0, &b, 1) == 0);
	REQUIRE(sigaction(SIGUSR1, NULL, &sa) == 0 && sa.sa_handler == SIG_DFL);
	REQUIRE(sigprocmask(SIG_BLOCK, NULL, &set) == 0 && !sigismember(&set, SIGUSR2));
	REQUIRE(c->control_fd >= 0);
	return 0;
}

static void is_born_clean(void **state)
{
	pid_t me = getpid();
	sigset_t set, old;

	(void)state;
	signal(SIGUSR1, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, &old);
	secret_fd = fcntl(open("/etc/passwd", O_RDONLY), F_DUPFD, 300); /* not close-on-exec */
	struct eng_death d = finish(start(born, &me));

	sigprocmask(SIG_SETMASK, &old, NULL);
	signal(SIGUSR1, SIG_DFL);
	close(secret_fd);
	if (d.code)
		fail_msg("%s", d.err.text[0]);
	assert_int_equal(d.status, 0);
}

static int speaks(void *arg, struct eng_child *c, struct rs_err *err)
{
	(void)arg;
	(void)c;
	(void)err;
	for (int i = 0; i < 300; i++)
		printf("line %d\n", i);
	return 0;
}

static int speaks_flushed(void *arg, struct eng_child *c, struct rs_err *err)
{
	int rc = speaks(arg, c, err);

	fflush(stdout);
	return rc;
}

static void output_arrives_whole(void **state)
{
	(void)state;
	struct eng_death d = finish(start(speaks_flushed, NULL));

	assert_int_equal(d.code, 0);
	assert_int_equal(seen.out_bytes, 10 * 7 + 90 * 8 + 200 * 9);
	assert_memory_equal(seen.out, "line 0\nline 1\n", 14);
}

static int floods(void *arg, struct eng_child *c, struct rs_err *err)
{
	char buf[65536];

	(void)arg;
	(void)c;
	(void)err;
	memset(buf, 'x', sizeof(buf));
	for (int i = 0; i < 160; i++)
		if (write(1, buf, sizeof(buf)) < 0)
			break;
	return 0;
}

static void output_is_bounded(void **state)
{
	(void)state;
	finish(start(floods, NULL));
	assert_int_equal(seen.out_bytes, 1 << 20);
}

static int dies_by(void *arg, struct eng_child *c, struct rs_err *err)
{
	(void)c;
	(void)err;
	raise(*(int *)arg);
	return 0;
}

static void signals_are_named(void **state)
{
	static const struct {
		int sig;
		const char *text;
	} v[] = { { SIGSEGV, "SIGSEGV" }, { SIGABRT, "SIGABRT" }, { SIGFPE, "SIGFPE" },
		  { SIGBUS, "SIGBUS" }, { SIGILL, "SIGILL" }, { SIGTERM, "SIGTERM" },
		  { SIGKILL, "SIGKILL" } };

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		int sig = v[i].sig;

		memset(&seen, 0, sizeof(seen));
		struct eng_death d = finish(start(dies_by, &sig));

		assert_int_equal(d.signal, sig);
		assert_int_equal(d.status, -1);
		assert_int_equal(d.code, -EIO);
		assert_non_null(strstr(d.err.text[RS_LANG_EN], v[i].text));
		assert_int_equal(seen.last.arg[1], (uint64_t)sig);
		assert_false(d.ours);
	}
}

static int says_why(void *arg, struct eng_child *c, struct rs_err *err)
{
	(void)arg;
	(void)c;
	return rs_err_at(err, -ENOEXEC, "guest.elf", 3, 4, "a clear sentence about %d things", 2);
}

static void errors_travel(void **state)
{
	(void)state;
	struct eng_death d = finish(start(says_why, NULL));

	assert_int_equal(d.code, -ENOEXEC);
	assert_int_equal(d.err.code, -ENOEXEC);
	assert_int_equal(d.status, 1);
	assert_string_equal(d.err.file, "guest.elf");
	assert_int_equal(d.err.line, 3);
	assert_string_equal(d.err.text[RS_LANG_EN], "a clear sentence about 2 things");
}

static int exits(void *arg, struct eng_child *c, struct rs_err *err)
{
	(void)arg;
	(void)c;
	(void)err;
	_exit(42);
}

static void silent_exit(void **state)
{
	(void)state;
	struct eng_death d = finish(start(exits, NULL));

	assert_int_equal(d.status, 42);
	assert_non_null(strstr(d.err.text[0], "42"));
}

static int sleeps(void *arg, struct eng_child *c, struct rs_err *err)
{
	(void)arg;
	(void)c;
	(void)err;
	sleep(1000);
	return 0;
}

static void killed_by_us(void **state)
{
	(void)state;
	struct eng_experiment *x = start(sleeps, NULL);

	eng_experiment_kill(x);
	struct eng_death d = finish(x);

	assert_true(d.ours);
	assert_int_equal(d.signal, SIGKILL);
}

static int with_children(void *arg, struct eng_child *c, struct rs_err *err)
{
	pid_t pid = fork();

	(void)arg;
	if (pid == 0) {
		sleep(1000);
		_exit(0);
	}
	rs_emit(&c->em, RS_EV_VM_HYPERCALL, RS_SRC_MONITOR, 0, (uint64_t)pid, 0, 0, 0, NULL);
	(void)err;
	return 0;
}

static pid_t grandchild;

static void note_grandchild(void *arg, struct rs_event *ev)
{
	if (ev->kind == RS_EV_VM_HYPERCALL)
		grandchild = (pid_t)ev->arg[0];
	on_event(arg, ev);
}

static void its_children_go_with_it(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	struct eng_experiment_opts o = { .name = "test", .main = with_children, .out = RS_STREAM_STDOUT,
					 .err = RS_STREAM_STDERR, .journal = journal,
					 .event = note_grandchild, .event_arg = &seen };

	(void)state;
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* so that we can see it end */
	finish(eng_experiment_start(&o, &err));
	assert_true(grandchild > 0);
	int status;

	assert_int_equal(waitpid(grandchild, &status, 0), grandchild);
	assert_int_equal(WTERMSIG(status), SIGKILL);
	prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}

/* The lab dies: so does the experiment, at once, with no sweep. */
static void dies_with_its_lab(void **state)
{
	int p[2], status;
	pid_t lab, pid = 0;

	(void)state;
	assert_int_equal(pipe(p), 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	lab = fork();
	if (lab == 0) {
		struct eng_experiment *x = start(sleeps, NULL);

		pid = eng_experiment_pid(x);
		if (write(p[1], &pid, sizeof(pid)) != sizeof(pid))
			_exit(1);
		pause();
	}
	assert_int_equal(read(p[0], &pid, sizeof(pid)), sizeof(pid));
	kill(lab, SIGKILL);
	assert_int_equal(waitpid(lab, &status, 0), lab);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	/* killed, or still starting: then it found itself orphaned and left */
	if (WIFSIGNALED(status))
		assert_int_equal(WTERMSIG(status), SIGKILL);
	prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
	close(p[0]);
	close(p[1]);
	/* the lab's entry in the journal that we share with it: struck by the sweep's rules */
	eng_journal_close(journal);
	journal = NULL;
	rs_rmtree(fake.home, NULL);
	mkdir(fake.home, 0700);
}

static int answers(void *arg, struct eng_child *c, struct rs_err *err)
{
	struct pollfd p = { c->control_fd, POLLIN, 0 };
	struct rs_control m;

	(void)arg;
	(void)err;
	poll(&p, 1, 5000);
	return rs_control_recv(c->control_fd, &m) == 0 && m.op == RS_CONTROL_STEP && m.a == 7 ? 0 : -1;
}

static void orders_arrive(void **state)
{
	struct rs_control m = { .op = RS_CONTROL_STEP, .a = 7 };

	(void)state;
	struct eng_experiment *x = start(answers, NULL);

	assert_int_equal(eng_experiment_order(x, &m), 0);
	assert_int_equal(finish(x).code, 0);
}

static void deaf_does_not_block_us(void **state)
{
	struct rs_control m = { .op = RS_CONTROL_STEP };
	int rc = 0;

	(void)state;
	struct eng_experiment *x = start(sleeps, NULL);

	for (int i = 0; i < 100000 && rc == 0; i++)
		rc = eng_experiment_order(x, &m);
	assert_int_equal(rc, -EAGAIN);
	eng_experiment_free(x);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(is_born_clean), T(output_arrives_whole), T(output_is_bounded), T(signals_are_named),
		T(errors_travel), T(silent_exit), T(killed_by_us), T(its_children_go_with_it),
		T(orders_arrive), T(deaf_does_not_block_us), T(dies_with_its_lab),
	};

	return cmocka_run_group_tests_name("engine_experiment", tests, NULL, NULL);
}
