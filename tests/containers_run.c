/* Containers step by step: every step is told in its order; whatever ends a creation, at whichever step,
 * leaves nothing behind; and with the newer system calls forbidden the fall-backs do the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "containers/ctr.h"
#include "engine/base/cleanup.h"
#include "engine/base/file.h"

static char dir[64], bundle[96], root[96];
static bool able;

static const char config[] =
	"{\"ociVersion\":\"1.0.2\",\"process\":{\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"/bin/busybox\",\"%s\",\"%s\"],\"cwd\":\"/\","
	"\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":64,\"hard\":64}],\"capabilities\":{\"bounding\":[\"CAP_KILL\"]}},"
	"\"root\":{\"path\":\"rootfs\"},\"hostname\":\"x\","
	"\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\"},{\"destination\":\"/dev\",\"type\":\"tmpfs\"},"
	"{\"destination\":\"/link/sub\",\"type\":\"tmpfs\"},{\"destination\":\"/etc\",\"type\":\"bind\",\"source\":\"rootfs/bin\",\"options\":[\"bind\",\"ro\"]}],"
	"\"hooks\":{\"createRuntime\":[{\"path\":\"/bin/true\"}],\"createContainer\":[{\"path\":\"/bin/true\"}],"
	"\"poststart\":[{\"path\":\"/bin/true\"}],\"poststop\":[{\"path\":\"/bin/true\"}]},"
	"\"linux\":{\"cgroupsPath\":\"/ringside-test-%d\",\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"mount\"},"
	"{\"type\":\"network\"},{\"type\":\"cgroup\"},{\"type\":\"time\"}],"
	"\"resources\":{\"pids\":{\"limit\":50}},\"timeOffsets\":{\"boottime\":{\"secs\":1000}},"
	"\"sysctl\":{\"net.ipv4.ip_forward\":\"1\"},\"maskedPaths\":[\"/proc/kcore\"],\"readonlyPaths\":[\"/proc/sys\"],"
	"\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"reboot\"],\"action\":\"SCMP_ACT_ERRNO\"}]}}}";

static void write_config(const char *applet, const char *arg)
{
	rs_auto_free char *path = rs_xasprintf("%s/config.json", bundle);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fprintf(f, config, applet, arg, (int)getpid());
	fclose(f);
}

static int setup(void **state)
{
	rs_auto_str cmd = RS_STR_INIT;

	(void)state;
	if (geteuid() != 0 || access("/bin/busybox", X_OK) < 0)
		return 0;
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(unshare(CLONE_NEWNS | CLONE_NEWTIME) < 0);
	waitpid(pid, &status, 0);
	if (status)
		return 0;
	strcpy(dir, "/tmp/ringside-ctr-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(bundle, sizeof(bundle), "%s/b", dir);
	snprintf(root, sizeof(root), "%s/root", dir);
	rs_str_addf(&cmd, "mkdir -p %s/rootfs/bin %s && cp /bin/busybox %s/rootfs/bin/ && ln -s / %s/rootfs/link", bundle, root, bundle,
		    bundle);
	able = system(cmd.p) == 0;
	return able ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	if (able)
		rs_rmtree(dir, NULL);
	return 0;
}

static void need(void)
{
	if (!able) {
		print_message("skipped: containers need root, namespaces and a static busybox\n");
		skip();
	}
}

/* ---- what is left ---- */

/* cgroup folders of ours, in whichever hierarchy. */
static unsigned groups(void)
{
	rs_auto_free char *cmd = rs_xasprintf("find /sys/fs/cgroup -maxdepth 3 -type d -name 'ringside-test-%d' 2>/dev/null | wc -l", (int)getpid());
	unsigned n = 99;
	FILE *f = popen(cmd, "r");

	assert_int_equal(fscanf(f, "%u", &n), 1);
	pclose(f);
	return n;
}

static unsigned mounts(void)
{
	rs_auto_str text = RS_STR_INIT;
	unsigned n = 0;

	assert_int_equal(rs_file_read("/proc/self/mountinfo", 1 << 20, &text, NULL), 0);
	for (const char *s = text.p; (s = strstr(s, dir)); s++)
		n++;
	return n;
}

static void nothing_left(const char *after)
{
	rs_auto_free char *path = rs_xasprintf("%s/c", root);

	if (access(path, F_OK) == 0)
		fail_msg("after %s: the folder %s is left", after, path);
	if (groups())
		fail_msg("after %s: %u cgroups are left", after, groups());
	if (mounts())
		fail_msg("after %s: %u mounts are left", after, mounts());
}

/* ---- looking on ---- */

struct seen {
	unsigned begun[CTR_STEPS], done[CTR_STEPS], calls, made, gone;
	int last;
	bool out_of_order;
	pid_t pid;
	int stop_at, kill_at;   /* the number of the beginning at which it ends; -1: never */
	int begins;
	int tell;               /* where the first process's pid is written to; -1 */
};

static int step(void *ctx, const struct ctr_moment *m)
{
	struct seen *s = ctx;

	if (m->pid)
		s->pid = m->pid;
	if (m->done) {
		s->done[m->step]++;
		return 0;
	}
	if (s->tell >= 0 && m->pid && write(s->tell, &m->pid, sizeof(m->pid)) < 0)
		return -EIO;
	/* the runtime's and the first process's steps interleave only where they wait for each other */
	if ((int)m->step < s->last && m->step < CTR_STEP_KILL)
		s->out_of_order = true;
	s->last = (int)m->step;
	s->begun[m->step]++;
	if (s->begins == s->kill_at)
		kill(getpid(), SIGKILL);
	return s->begins++ == s->stop_at ? -ECANCELED : 0;
}

static void call(void *ctx, const struct ctr_call *c)
{
	struct seen *s = ctx;

	assert_non_null(c->args);
	s->calls++;
}

static int made(void *ctx, enum ctr_made kind, const char *name)
{
	struct seen *s = ctx;

	(void)kind;
	(void)name;
	s->made++;
	return 0;
}

static void gone(void *ctx, enum ctr_made kind, const char *name)
{
	struct seen *s = ctx;

	(void)kind;
	(void)name;
	s->gone++;
}

static void seen_init(struct seen *s)
{
	*s = (struct seen){ .stop_at = -1, .kill_at = -1, .tell = -1, .last = -1 };
}

/* From create to delete; 0, or the error. */
static int live(struct seen *s, int *status, struct rs_err *err)
{
	struct ctr_watch w = { .ctx = s, .step = step, .call = call, .made = made, .gone = gone };
	struct ctr_options o = { .id = "c", .root = root, .bundle = bundle, .attached = true, .watch = &w };
	struct ctr_container *c = ctr_create(&o, err);
	int rc;

	if (!c)
		return err->code;
	rc = ctr_start(c, err);
	if (rc == 0)
		rc = ctr_wait(c, status, err);
	if (rc == 0)
		rc = ctr_delete(c, false, err);
	else
		ctr_delete(c, true, NULL);
	ctr_free(c);
	return rc;
}

static void test_steps(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	struct seen s;
	int status = -1;

	(void)state;
	need();
	write_config("true", "");
	seen_init(&s);
	if (live(&s, &status, &err))
		fail_msg("%s", err.text[RS_LANG_EN]);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_false(s.out_of_order);
	for (int i = 0; i < CTR_STEPS; i++) {
		bool expected = i != CTR_STEP_IDMAP && i != CTR_STEP_TERMINAL && i != CTR_STEP_HOOKS_START && i != CTR_STEP_KILL;

		if (i == CTR_STEP_CGROUP || i == CTR_STEP_CGROUP_JOIN || i == CTR_STEP_CGROUP_DELETE)
			continue; /* as the host has it */
		if (!!s.begun[i] != expected)
			fail_msg("step %s: begun %u times", ctr_step_info((unsigned)i)->name, s.begun[i]);
		if (s.begun[i] != s.done[i] && i != CTR_STEP_EXEC) /* the program's beginning is that one's end */
			fail_msg("step %s: %u begun, %u done", ctr_step_info((unsigned)i)->name, s.begun[i], s.done[i]);
	}
	assert_int_equal(s.begun[CTR_STEP_MOUNT], 4);
	assert_true(s.calls > 40);
	assert_true(s.made >= 1);
	nothing_left("a whole life");
}

/* Told to end at the n-th step, for every n. */
static void test_stopped_at_each_step(void **state)
{
	int n = 0, rc;

	(void)state;
	need();
	write_config("true", "");
	do {
		struct rs_err err = RS_ERR_INIT;
		struct seen s;
		char what[80];
		int status;

		seen_init(&s);
		s.stop_at = n++;
		rc = live(&s, &status, &err);
		snprintf(what, sizeof(what), "being stopped at step %d (%s)", n, s.last < 0 ? "?" : ctr_step_info((unsigned)s.last)->name);
		if (s.begins <= s.stop_at)
			break; /* past the last step */
		if (s.last != CTR_STEP_HOOKS_POSTSTOP && s.last != CTR_STEP_CGROUP_DELETE && s.last != CTR_STEP_STATE_DELETE) {
			if (rc != -ECANCELED)
				fail_msg("%s: %d, %s", what, rc, err.text[RS_LANG_EN]);
			nothing_left(what);
		} else { /* a removal that was stopped is done again */
			struct ctr_container *c = ctr_open(root, "c", NULL, &err);

			if (c)
				ctr_delete(c, true, &err);
			ctr_free(c);
			nothing_left(what);
		}
	} while (n < 200);
	assert_true(n > 25 && n < 200);
}

static bool alive(pid_t pid)
{
	char path[40], line[512] = "";
	char *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *f = fopen(path, "r");

	if (!f)
		return false;
	p = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	fclose(f);
	return p && p[2] != 'Z' && p[2] != 'X';
}

/* The runtime is killed with SIGKILL before the n-th step, for every n; `delete --force` sweeps. */
static void test_killed_at_each_step(void **state)
{
	int n = 0;

	(void)state;
	need();
	write_config("sleep", "0.01");
	for (; n < 200; n++) {
		struct rs_err err = RS_ERR_INIT;
		int tell[2], status;
		pid_t first = 0, p;
		char what[40];

		assert_int_equal(pipe2(tell, O_CLOEXEC), 0);
		pid_t pid = fork();

		if (pid == 0) {
			struct seen s;

			seen_init(&s);
			s.kill_at = n;
			s.tell = tell[1];
			_exit(live(&s, &status, &err) ? 1 : 0);
		}
		close(tell[1]);
		waitpid(pid, &status, 0);
		while (read(tell[0], &p, sizeof(p)) == sizeof(p))
			first = p;
		close(tell[0]);
		snprintf(what, sizeof(what), "SIGKILL at step %d", n + 1);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			break; /* past the last step */
		}
		struct ctr_container *c = ctr_open(root, "c", NULL, &err);

		if (c && ctr_delete(c, true, &err) < 0)
			fail_msg("%s: %s", what, err.text[RS_LANG_EN]);
		ctr_free(c);
		for (unsigned i = 0; first && i < 300 && alive(first); i++)
			usleep(10000);
		if (first && alive(first))
			fail_msg("after %s: process %d lives", what, (int)first);
		nothing_left(what);
	}
	assert_true(n > 25 && n < 200);
}

/* Every listed call fails with ENOSYS from here on. */
static void forbid(const int *nr, unsigned n)
{
	struct sock_filter f[20];
	unsigned k = 0;

	f[k++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (unsigned i = 0; i < n; i++) {
		f[k++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)nr[i], 0, 1);
		f[k++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	}
	f[k++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog prog = { (unsigned short)k, f };

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) < 0)
		_exit(99);
}

static void test_fall_backs(void **state)
{
	static const int sets[][6] = {
		{ SYS_clone3, 0 },
		{ SYS_openat2, 0 },
		{ SYS_mount_setattr, SYS_open_tree, SYS_move_mount, 0 },
		{ SYS_close_range, SYS_pidfd_open, SYS_pidfd_send_signal, 0 },
		{ SYS_clone3, SYS_openat2, SYS_mount_setattr, SYS_pidfd_open, SYS_close_range, 0 },
	};

	(void)state;
	need();
	write_config("true", "");
	for (unsigned i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			struct rs_err err = RS_ERR_INIT;
			struct seen s;
			unsigned n = 0;

			while (sets[i][n])
				n++;
			forbid(sets[i], n);
			seen_init(&s);
			if (live(&s, &status, &err) == 0 && WIFEXITED(status))
				_exit(WEXITSTATUS(status));
			fprintf(stderr, "set %u: %s\n", i, err.text[RS_LANG_EN]);
			_exit(98);
		}
		waitpid(pid, &status, 0);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
		nothing_left("a life with forbidden calls");
	}
}

/* An error names the step, the place in the file, the kernel's reason and the cure. */
static void test_error(void **state)
{
	rs_auto_free char *path = rs_xasprintf("%s/config.json", bundle);
	struct rs_err err = RS_ERR_INIT;
	rs_auto_str text = RS_STR_INIT;
	struct seen s;
	char *at;
	int status;

	(void)state;
	need();
	write_config("true", "");
	assert_int_equal(rs_file_read(path, 1 << 16, &text, NULL), 0);
	at = strstr(text.p, "\"type\":\"tmpfs\"},{\"destination\":\"/etc\"");
	assert_non_null(at);
	memcpy(at, "\"type\":\"tmpfz\"", 14);
	assert_int_equal(rs_file_save(path, text.p, text.len, NULL), 0);
	seen_init(&s);
	assert_int_equal(live(&s, &status, &err), -ENODEV);
	assert_non_null(strstr(err.text[RS_LANG_EN], "step mount, mounts[2]"));
	assert_non_null(strstr(err.text[RS_LANG_EN], "No such device"));
	assert_non_null(strstr(err.text[RS_LANG_EN], "/proc/filesystems"));
	assert_string_equal(err.file, path);
	assert_int_equal(err.line, 1);
	assert_true(err.col > 100);
	nothing_left("a mount that failed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_stopped_at_each_step),
		cmocka_unit_test(test_killed_at_each_step),
		cmocka_unit_test(test_fall_backs),
		cmocka_unit_test(test_error),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
