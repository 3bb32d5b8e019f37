/* The VM experiment's sandbox: what is not in its table dies and is named; what is, lives. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "engine/experiment.h"
#include "tests/engine_fake.h"

static struct fake fake;
static struct eng_journal *journal;

static int setup(void **state)
{
	struct rs_err err = RS_ERR_INIT;

	(void)state;
	memset(&fake, 0, sizeof(fake));
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

static void ignore(void *arg, struct rs_event *ev)
{
	(void)arg;
	(void)ev;
}

static struct eng_death run(int (*fn)(void *arg, struct eng_child *c, struct rs_err *err), void *arg,
			    const struct eng_limits *limits)
{
	struct rs_err err = RS_ERR_INIT;
	struct eng_experiment_opts o = { .name = "test",
					 .main = fn,
					 .arg = arg,
					 .full = RS_FULL_BLOCK,
					 .out = RS_STREAM_STDOUT,
					 .err = RS_STREAM_STDERR,
					 .journal = journal,
					 .event = ignore };
	struct eng_experiment *x;
	struct eng_death d;

	if (limits)
		o.limits = *limits;
	x = eng_experiment_start(&o, &err);
	if (!x)
		fail_msg("%s", err.text[0]);
	while (!eng_experiment_death(x)) {
		struct pollfd p = { .fd = eng_experiment_fd(x), .events = POLLIN };

		if (eng_experiment_sleep(x))
			poll(&p, 1, 1000);
		eng_experiment_pump(x, 1000);
	}
	d = *eng_experiment_death(x);
	eng_experiment_free(x);
	return d;
}

struct forbidden {
	const char *name;
	void (*call)(void);
};

static void do_open(void) { syscall(SYS_open, "/etc/passwd", O_RDONLY); }
static void do_openat(void) { syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY); }
static void do_socket(void) { socket(AF_INET, SOCK_STREAM, 0); }
static void do_execve(void) { execl("/bin/true", "true", NULL); }
static void do_ptrace(void) { ptrace(PTRACE_TRACEME, 0, NULL, NULL); }
static void do_fork(void) { syscall(SYS_fork); }
static void do_kill(void) { kill(1, 0); }
static void do_unlink(void) { unlink("/nowhere"); }
static void do_mount(void) { syscall(SYS_mount, "a", "b", "c", 0, NULL); }
static void do_setuid(void) { syscall(SYS_setuid, 0); }
static void do_prctl(void) { syscall(SYS_prctl, 1, 0, 0, 0, 0); }
static void do_exec_memory(void) { mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }
static void do_file_memory(void) { mmap(NULL, 4096, PROT_READ, MAP_SHARED, 4, 0); }
static void do_mprotect(void) { mprotect((void *)0x1000, 4096, PROT_READ | PROT_EXEC); }
static void do_create_vm(void) { ioctl(0, KVM_CREATE_VM, 0); }
static void do_tty(void) { ioctl(0, 0x5412 /* TIOCSTI */, "x"); }
static void do_tgkill(void) { syscall(SYS_tgkill, 1, 1, SIGKILL); }
static void do_handler(void) { signal(SIGSYS, SIG_IGN); }
static void do_clone3(void) { syscall(SYS_clone3, NULL, 0); }

static const struct forbidden forbidden[] = {
	{ "open", do_open }, { "openat", do_openat }, { "socket", do_socket }, { "execve", do_execve },
	{ "ptrace", do_ptrace }, { "fork", do_fork }, { "kill", do_kill }, { "unlink", do_unlink },
	{ "mount", do_mount }, { "setuid", do_setuid }, { "prctl", do_prctl },
	{ "mmap", do_exec_memory }, { "mmap", do_file_memory }, { "mprotect", do_mprotect },
	{ "ioctl", do_create_vm }, { "ioctl", do_tty }, { "tgkill", do_tgkill },
	{ "rt_sigaction", do_handler }, { "clone3", do_clone3 },
};

static int call_forbidden(void *arg, struct eng_child *c, struct rs_err *err)
{
	const struct forbidden *f = arg;
	int rc = eng_child_seal(c, err);

	if (rc == 0)
		f->call();
	return rc;
}

static void forbidden_dies_and_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
		struct forbidden f = forbidden[i];
		struct eng_death d = run(call_forbidden, &f, NULL);
		char want[80];

		snprintf(want, sizeof(want), "(%s)", f.name);
		if (d.signal != SIGSYS || !strstr(d.err.text[RS_LANG_EN], want))
			fail_msg("%s: signal %d, \"%s\"", f.name, d.signal, d.err.text[RS_LANG_EN]);
	}
}

/* -- the filter of a translated program -- */

static void do_process(void) { syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }
static void do_kill_parent(void) { kill(getppid(), SIGKILL); }
static void do_rename(void) { rename("/nowhere", "/elsewhere"); }
static void do_ioctl(void) { ioctl(0, 0x5401 /* TCGETS */, NULL); }

static const struct forbidden forbidden_emu[] = {
	{ "open", do_open }, { "openat", do_openat }, { "socket", do_socket }, { "execve", do_execve },
	{ "ptrace", do_ptrace }, { "fork", do_fork }, { "clone", do_process }, { "kill", do_kill },
	{ "kill", do_kill_parent }, { "tgkill", do_tgkill }, { "unlink", do_unlink }, { "rename", do_rename },
	{ "mount", do_mount }, { "setuid", do_setuid }, { "prctl", do_prctl }, { "mmap", do_exec_memory },
	{ "mprotect", do_mprotect }, { "ioctl", do_ioctl },
};

static int call_forbidden_emu(void *arg, struct eng_child *c, struct rs_err *err)
{
	c->sandbox = eng_sandbox_emu;
	return call_forbidden(arg, c, err);
}

static void *idle_thread(void *arg)
{
	return arg;
}

/* What a translated program needs: threads (clone3 fails politely), its own signals, memory. */
static int live_emu(void *arg, struct eng_child *c, struct rs_err *err)
{
	pthread_t t;
	void *p;

	(void)arg;
	c->sandbox = eng_sandbox_emu;
	if (eng_child_seal(c, err) < 0)
		return err->code;
	if (syscall(SYS_clone3, NULL, 0) != -1 || errno != ENOSYS)
		return rs_err_set(err, -EIO, "clone3");
	if (pthread_create(&t, NULL, idle_thread, NULL) || pthread_join(t, NULL))
		return rs_err_set(err, -EIO, "thread");
	if (signal(SIGUSR1, SIG_IGN) == SIG_ERR || kill(getpid(), SIGUSR1) < 0)
		return rs_err_set(err, -EIO, "signal");
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED || mprotect(p, 4096, PROT_READ) < 0)
		return rs_err_set(err, -EIO, "memory");
	return 0;
}

static void translated_programs(void **state)
{
	struct eng_death d;
	unsigned n;
	const struct eng_sandbox_row *r = eng_sandbox_emu_rows(&n);

	(void)state;
	for (size_t i = 0; i < sizeof(forbidden_emu) / sizeof(forbidden_emu[0]); i++) {
		struct forbidden f = forbidden_emu[i];
		char want[80];

		d = run(call_forbidden_emu, &f, NULL);
		snprintf(want, sizeof(want), "(%s)", f.name);
		if (d.signal != SIGSYS || !strstr(d.err.text[RS_LANG_EN], want))
			fail_msg("%s: signal %d, \"%s\"", f.name, d.signal, d.err.text[RS_LANG_EN]);
	}
	d = run(live_emu, NULL, NULL);
	if (d.code)
		fail_msg("%s", d.err.text[RS_LANG_EN]);
	for (unsigned i = 0; i < n; i++)
		assert_true(r[i].reason && strlen(r[i].reason) > 5);
}

/* -- threads that were there before the filter are under it too -- */

static _Atomic int sealed;

static void *thread_opens(void *arg)
{
	(void)arg;
	while (!sealed)
		sched_yield();
	do_openat();
	return NULL;
}

static int in_a_thread(void *arg, struct eng_child *c, struct rs_err *err)
{
	pthread_t t;

	(void)arg;
	assert_int_equal(pthread_create(&t, NULL, thread_opens, NULL), 0);
	int rc = eng_child_seal(c, err);

	sealed = 1;
	pthread_join(t, NULL);
	return rc;
}

static void threads_are_under_it(void **state)
{
	(void)state;
	struct eng_death d = run(in_a_thread, NULL, NULL);

	assert_int_equal(d.signal, SIGSYS);
	assert_non_null(strstr(d.err.text[0], "(openat)"));
}

/* -- what a monitor does goes on working -- */

static void on_kick(int sig)
{
	(void)sig;
}

static void *worker(void *arg)
{
	struct pollfd p = { .fd = -1 };

	(void)arg;
	while (!sealed)
		sched_yield();
	poll(&p, 0, 2000); /* until kicked */
	for (int i = 0; i < 100; i++) {
		void *m = malloc(300000);

		memset(m, i, 300000);
		free(m);
	}
	return NULL;
}

static int monitor(void *arg, struct eng_child *c, struct rs_err *err)
{
	struct sigaction sa = { .sa_handler = on_kick };
	struct timespec nap = { .tv_nsec = 1000000 };
	pthread_t t;
	uint64_t off = 0;

	(void)arg;
	sigaction(SIGUSR1, &sa, NULL);
	if (pthread_create(&t, NULL, worker, NULL))
		return -EIO;
	int rc = eng_child_seal(c, err);

	if (rc < 0)
		return rc;
	sealed = 1;
	nanosleep(&nap, NULL);
	nanosleep(&nap, NULL);
	pthread_kill(t, SIGUSR1);
	pthread_join(t, NULL);
	rs_emit_out(&c->em, RS_SRC_MONITOR, 0, RS_STREAM_SERIAL, &off, "done", 4);
	ioctl(0, KVM_RUN, 0); /* refused by /dev/null, not by the filter */
	struct rs_control m = { .op = 1 };

	rs_control_send(c->control_fd, &m);
	fprintf(stderr, "written\n");
	return 0;
}

static void allowed_lives(void **state)
{
	(void)state;
	struct eng_death d = run(monitor, NULL, NULL);

	if (d.code != 0 || d.status != 0)
		fail_msg("signal %d: %s", d.signal, d.err.text[0]);
}

/* -- limits -- */

#ifdef __SANITIZE_ADDRESS__
static const bool sanitized = true;
#else
static const bool sanitized = false;
#endif

static int eat_memory(void *arg, struct eng_child *c, struct rs_err *err)
{
	(void)arg;
	(void)c;
	void *p = mmap(NULL, 2ull << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? rs_err_set(err, -ENOMEM, "no more memory") : 0;
}

static int eat_files(void *arg, struct eng_child *c, struct rs_err *err)
{
	(void)arg;
	(void)c;
	for (int i = 0; i < 100; i++)
		if (dup(0) < 0)
			return rs_err_set(err, -EMFILE, "no more files");
	return 0;
}

static int eat_cpu(void *arg, struct eng_child *c, struct rs_err *err)
{
	(void)arg;
	(void)c;
	(void)err;
	for (volatile unsigned i = 1; i; i |= 1)
		;
	return 0;
}

static int eat_disk(void *arg, struct eng_child *c, struct rs_err *err)
{
	char *path = arg;
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	(void)c;
	(void)err;
	for (int i = 0; i < 100; i++)
		if (write(fd, path, 1000) < 0)
			return -1;
	return 0;
}

static void limits_hold(void **state)
{
	struct eng_limits l = { .address_space = 1ull << 30, .files = 32, .cpu_seconds = 1,
				.file_size = 4096 };
	char path[1024] = "";
	struct eng_death d;

	(void)state;
	d = run(eat_memory, NULL, &l);
	if (!sanitized) { /* its shadow needs more than any limit */
		assert_int_equal(d.code, -ENOMEM);
		assert_string_equal(d.err.text[0], "no more memory");
	}
	d = run(eat_files, NULL, &l);
	assert_int_equal(d.code, -EMFILE);
	d = run(eat_cpu, NULL, &l);
	assert_true(d.signal == SIGXCPU || d.signal == SIGKILL);
	assert_non_null(strstr(d.err.text[0], "processor time"));
	snprintf(path, sizeof(path), "%s/big", fake.home);
	d = run(eat_disk, path, &l);
	assert_int_equal(d.signal, SIGXFSZ);
	assert_non_null(strstr(d.err.text[0], "SIGXFSZ"));
}

static void every_row_has_a_reason(void **state)
{
	unsigned n;
	const struct eng_sandbox_row *r = eng_sandbox_rows(&n);

	(void)state;
	assert_true(n > 30);
	for (unsigned i = 0; i < n; i++) {
		assert_true(strlen(r[i].reason) > 4);
		assert_true(r[i].conds <= 2);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(forbidden_dies_and_is_named), T(translated_programs), T(threads_are_under_it), T(allowed_lives),
		T(limits_hold), T(every_row_has_a_reason),
	};

	return cmocka_run_group_tests_name("engine_sandbox", tests, NULL, NULL);
}
