/* The box: a script runs in it as root, what it does is told as it happens, and nothing is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "containers/box.h"
#include "containers/overlay.h"
#include "engine/base/cleanup.h"
#include "engine/base/control.h"
#include "engine/base/state.h"

#define EVENTS 32768

static char dir[] = "/tmp/ringside-boxXXXXXX";
static struct rs_event ev[EVENTS];
static unsigned events;
static unsigned made, gone;

static int will_make(void *arg, const char *path, struct rs_err *err)
{
	(void)arg;
	(void)err;
	assert_non_null(strstr(path, "/ringside-box-"));
	made++;
	return 0;
}

static void all_gone(void *arg)
{
	(void)arg;
	gone++;
}

/* Runs a script in a process of its own, as the lab does. */
static int run(const char *script, uint64_t timeout_ns)
{
	rs_auto_free char *path = rs_xasprintf("%s/run.sh", dir);
	struct rs_err err = RS_ERR_INIT;
	struct rs_channel *ch = rs_channel_new(EVENTS, RS_FULL_DROP, &err);
	FILE *f = fopen(path, "w");
	int status;
	pid_t pid;

	assert_non_null(ch);
	assert_non_null(f);
	fputs(script, f);
	fclose(f);
	pid = fork();
	if (pid == 0) {
		struct ctr_box_desc d = { .script = "run.sh", .workspace = dir, .timeout_ns = timeout_ns, .watched = true,
					  .will_make = will_make, .all_gone = all_gone };
		struct rs_emitter em;
		int null = open("/dev/null", O_WRONLY);

		dup2(null, 1);
		dup2(null, 2);
		if (rs_emitter_open(&em, rs_channel_fd(ch), rs_channel_wake_fd(ch), &err) < 0)
			_exit(90);
		if (ctr_box_run(&d, &em, -1, NULL, NULL, &err) < 0) {
			rs_emit(&em, RS_EV_EXP_ERROR, RS_SRC_CTR, 0, 0, 0, 0, 0, err.text[RS_LANG_EN]);
			_exit(91);
		}
		_exit(made && gone != 1 ? 92 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	events = rs_channel_read(ch, ev, EVENTS);
	for (unsigned i = 0; i < events; i++)
		if (ev[i].kind == RS_EV_EXP_ERROR)
			print_error("%s\n", ev[i].text);
	assert_int_equal(rs_channel_lost(ch), 0);
	rs_channel_free(ch);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 100;
}

static const struct rs_event *find(enum rs_kind kind, int arg, uint64_t value, const char *text)
{
	for (unsigned i = 0; i < events; i++)
		if (ev[i].kind == kind && (arg < 0 || ev[i].arg[arg] == value) && (!text || strcmp(ev[i].text, text) == 0))
			return &ev[i];
	return NULL;
}

static unsigned left_on_host(void)
{
	unsigned n = 0;
	DIR *d = opendir("/sys/fs/cgroup");
	struct dirent *e;

	while (d && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.' && e->d_type == DT_DIR) {
			rs_auto_free char *sub = rs_xasprintf("/sys/fs/cgroup/%s", e->d_name);
			DIR *s = opendir(sub);
			struct dirent *k;

			while (s && (k = readdir(s)) != NULL)
				n += strncmp(k->d_name, "ringside-box-", 13) == 0;
			if (s)
				closedir(s);
		}
	if (d)
		closedir(d);
	return n;
}

static int setup(void **state)
{
	struct rs_err err = RS_ERR_INIT;

	(void)state;
	if (ctr_box_available(&err) < 0) {
		print_message("skipped: %s\n", err.text[RS_LANG_EN]);
		return 0;
	}
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	rs_auto_free char *order = rs_xasprintf("rm -rf %s", dir);

	(void)state;
	return strstr(dir, "XXXXXX") ? 0 : system(order);
}

static void need_box(void)
{
	if (strstr(dir, "XXXXXX"))
		skip();
}

static void what_happens_is_told(void **state)
{
	const struct rs_event *e, *child;

	(void)state;
	need_box();
	assert_int_equal(run("hostname one\n"
			     "unshare -u sh -c 'hostname two'\n"
			     "unshare -p -f sh -c 'exit 3'\n"
			     "test \"$(hostname)\" = one || exit 9\n"
			     "test $$ = 1 || exit 8\n"
			     "mkdir /jail && cp -r /bin /jail && chroot /jail /bin/sh -c 'test ! -e /work' || exit 7\n"
			     "chroot /nowhere true\n"
			     "kill -9 $$\n" /* process 1 takes no signal of its own namespace */
			     "exit 5\n", 20000000000ull), 0);
	e = find(RS_EV_BOX_END, -1, 0, NULL);
	assert_non_null(e);
	assert_int_equal(e->arg[0], RS_OUT_EXITED);
	assert_int_equal(e->arg[1], 5);
	assert_non_null(find(RS_EV_BOX_CALL, 0, RS_LCALL_SETHOSTNAME, "\"one\", 3"));
	assert_non_null(find(RS_EV_BOX_CALL, 0, RS_LCALL_UNSHARE, "NEWUTS"));
	assert_non_null(find(RS_EV_BOX_NAMESPACE, 0, RS_NS_UTS, NULL));
	/* A new PID namespace is seen from its first process on, which is number 1 in it. */
	child = find(RS_EV_BOX_NAMESPACE, 0, RS_NS_PID, NULL);
	assert_non_null(child);
	assert_int_equal(child->arg[1], 1);
	e = find(RS_EV_BOX_FORK, 1, 1, NULL);
	assert_non_null(e);
	assert_true(e->arg[2] > 1 && e->arg[3] > e->arg[2]);
	assert_non_null(find(RS_EV_BOX_EXIT, 1, 3, NULL));
	e = find(RS_EV_BOX_ROOT, -1, 0, "/jail");
	assert_non_null(e);
	assert_int_equal(e->arg[1], 1); /* chroot leaves the working directory where it was */
	assert_int_equal(e->arg[2], 0);
	e = find(RS_EV_BOX_CALL, -1, 0, "\"/nowhere\"");
	assert_non_null(e);
	assert_int_equal((int64_t)e->arg[1], -ENOENT);
	assert_int_equal(left_on_host(), 0);
}

/* What is over so fast that nobody looked while it ran is in the last snapshot all the same. */
static void the_fullest_moment_stays(void **state)
{
	static struct rs_state_assembler a;
	struct rs_box_procs last = { 0 };

	(void)state;
	need_box();
	assert_int_equal(run("sh -c 'sh -c true; true'; true\n", 20000000000ull), 0);
	memset(&a, 0, sizeof(a));
	for (unsigned i = 0; i < events; i++)
		if (ev[i].kind == RS_EV_STATE_BLOCK && ev[i].arg[0] == RS_BLOCK_BOX_PROCS && rs_state_feed(&a, &ev[i]))
			memcpy(&last, a.buf, sizeof(last));
	assert_int_equal(last.past, 1);
	assert_true(last.n >= 4); /* the lab, number 1, its child and grandchild */
}

static void layers_are_told(void **state)
{
	const struct rs_event *e;
	int fd;

	(void)state;
	need_box();
	assert_int_equal(run("mkdir low up work all low/d && echo old > low/a && echo b > low/b && echo c > low/d/c\n"
			     "mount -t overlay overlay -o lowerdir=low,upperdir=up,workdir=work,userxattr all || exit 77\n"
			     "echo new >> all/a; rm all/b; echo n > all/n; rm -r all/d; mkdir all/d\n", 20000000000ull), 0);
	e = find(RS_EV_BOX_END, -1, 0, NULL);
	assert_non_null(e);
	if (e->arg[1] == 77) {
		print_message("skipped: this kernel mounts no overlay in a user namespace\n");
		skip();
	}
	e = find(RS_EV_BOX_LAYER, 0, RS_LAYER_COPIED, "a");
	assert_non_null(e);
	assert_true(e->arg[1] == 4 || e->arg[1] == 8); /* seen before or after the line was added */
	assert_int_equal(e->arg[2], 1);
	assert_non_null(find(RS_EV_BOX_LAYER, 0, RS_LAYER_WHITEOUT, "b"));
	assert_non_null(find(RS_EV_BOX_LAYER, 0, RS_LAYER_CREATED, "n"));
	/* The mark of an opaque directory is an attribute user.*, which tmpfs has since Linux 6.6. */
	fd = memfd_create("attribute", MFD_CLOEXEC);
	assert_true(fd >= 0);
	if (fsetxattr(fd, "user.x", "1", 1, 0) < 0)
		print_message("skipped: no opaque directories, tmpfs has no user attributes here\n");
	else
		assert_non_null(find(RS_EV_BOX_LAYER, 0, RS_LAYER_OPAQUE, "d"));
	/* Without the mark there is a whiteout for each thing that the old directory had. */
	assert_int_equal(find(RS_EV_BOX_LAYER, 0, RS_LAYER_WHITEOUT, "d/c") == NULL, find(RS_EV_BOX_LAYER, 0, RS_LAYER_OPAQUE, "d") != NULL);
	close(fd);
}

static void what_does_not_end_is_ended(void **state)
{
	const struct rs_event *e;

	(void)state;
	need_box();
	assert_int_equal(run("trap '' TERM INT HUP; while :; do sleep 1000 & wait; done\n", 300000000ull), 0);
	e = find(RS_EV_BOX_END, -1, 0, NULL);
	assert_non_null(e);
	assert_int_equal(e->arg[0], RS_OUT_WATCHDOG);
	/* A program that forks without end meets a limit, not the machine's. */
	assert_int_equal(run("f() { f & f & wait; }; f\n", 1500000000ull), 0);
	assert_non_null(find(RS_EV_BOX_END, -1, 0, NULL));
	assert_int_equal(left_on_host(), 0);
}

static void the_host_is_out_of_reach(void **state)
{
	const struct rs_event *e;

	(void)state;
	need_box();
	assert_int_equal(run("test \"$(ls /)\" = \"$(ls / | grep -v -e boot -e lib)\" || exit 1\n"
			     "mknod /dev/sda b 8 0 2>/dev/null && exit 2\n"
			     "mount -t ext4 /dev/sda /mnt 2>/dev/null && exit 3\n"
			     "echo 1 > /proc/sys/kernel/panic 2>/dev/null && exit 4\n"
			     "test $(ls /proc | grep -c '^[0-9]') -lt 6 || exit 5\n"
			     "ip link 2>/dev/null | grep -q eth && exit 6\n"
			     "exit 0\n", 20000000000ull), 0);
	e = find(RS_EV_BOX_END, -1, 0, NULL);
	assert_non_null(e);
	assert_int_equal(e->arg[1], 0);
}

/* ---- orders ---- */

static const struct rs_event *await(struct rs_channel *ch, enum rs_kind kind, unsigned times)
{
	for (unsigned i = 0; i < 5000; i++) {
		unsigned n = 0;

		events += rs_channel_read(ch, ev + events, EVENTS - events);
		for (unsigned k = 0; k < events; k++)
			if (ev[k].kind == kind && ++n == times)
				return &ev[k];
		usleep(1000);
	}
	return NULL;
}

static unsigned count(enum rs_kind kind)
{
	unsigned n = 0;

	for (unsigned i = 0; i < events; i++)
		n += ev[i].kind == kind;
	return n;
}

static void order(int fd, enum rs_control_op op, uint64_t a)
{
	struct rs_control c = { .op = op, .tag = 1, .a = a };

	assert_int_equal(rs_control_send(fd, &c), 0);
}

/* Paused at its start, one call at a time, let go, stopped. */
static void orders_are_obeyed(void **state)
{
	rs_auto_free char *path = rs_xasprintf("%s/run.sh", dir);
	struct rs_err err = RS_ERR_INIT;
	struct rs_channel *ch = rs_channel_new(EVENTS, RS_FULL_DROP, &err);
	const struct rs_event *e;
	FILE *f = fopen(path, "w");
	int s[2], status;
	pid_t pid;

	(void)state;
	need_box();
	fputs("cd /\ncd /tmp\ncd /\ncd /tmp\nwhile :; do :; done\n", f);
	fclose(f);
	events = 0;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s), 0);
	pid = fork();
	if (pid == 0) {
		struct ctr_box_desc d = { .script = "run.sh", .workspace = dir, .start_paused = true, .watched = true };
		struct rs_emitter em;

		if (rs_emitter_open(&em, rs_channel_fd(ch), rs_channel_wake_fd(ch), &err) < 0)
			_exit(90);
		_exit(ctr_box_run(&d, &em, s[1], NULL, NULL, &err) < 0 ? 91 : 0);
	}
	assert_non_null(await(ch, RS_EV_EXP_PAUSED, 1));
	usleep(50000);
	events += rs_channel_read(ch, ev + events, EVENTS - events);
	assert_int_equal(count(RS_EV_BOX_CALL), 0);
	order(s[0], RS_CONTROL_STEP, 1);
	assert_non_null(await(ch, RS_EV_EXP_PAUSED, 2));
	assert_int_equal(count(RS_EV_BOX_CALL), 1);
	order(s[0], RS_CONTROL_STEP, 2);
	assert_non_null(await(ch, RS_EV_EXP_PAUSED, 3));
	assert_int_equal(count(RS_EV_BOX_CALL), 3);
	order(s[0], RS_CONTROL_RESUME, 0);
	assert_non_null(await(ch, RS_EV_BOX_CALL, 4));
	/* One that only computes stands still, too. */
	order(s[0], RS_CONTROL_PAUSE, 0);
	assert_non_null(await(ch, RS_EV_EXP_PAUSED, 4));
	order(s[0], RS_CONTROL_RESUME, 0);
	order(s[0], RS_CONTROL_STOP, 0);
	e = await(ch, RS_EV_BOX_END, 1);
	assert_non_null(e);
	assert_int_equal(e->arg[0], RS_OUT_STOPPED);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(s[0]);
	close(s[1]);
	rs_channel_free(ch);
	assert_int_equal(left_on_host(), 0);
}

/* Whoever kills the watcher kills the box. */
static void the_watcher_s_death_is_the_end(void **state)
{
	rs_auto_free char *path = rs_xasprintf("%s/run.sh", dir);
	struct rs_err err = RS_ERR_INIT;
	struct rs_channel *ch = rs_channel_new(EVENTS, RS_FULL_DROP, &err);
	const struct rs_event *e;
	FILE *f = fopen(path, "w");
	pid_t pid;

	(void)state;
	need_box();
	fputs("sleep 1000 & sleep 1000\n", f);
	fclose(f);
	events = 0;
	pid = fork();
	if (pid == 0) {
		struct ctr_box_desc d = { .script = "run.sh", .workspace = dir };
		struct rs_emitter em;

		if (rs_emitter_open(&em, rs_channel_fd(ch), rs_channel_wake_fd(ch), &err) < 0)
			_exit(90);
		_exit(ctr_box_run(&d, &em, -1, NULL, NULL, &err) < 0 ? 91 : 0);
	}
	e = await(ch, RS_EV_BOX_FORK, 2);
	assert_non_null(e);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (unsigned i = 0; i < 2000 && kill((pid_t)e->arg[3], 0) == 0; i++)
		usleep(1000);
	assert_int_equal(kill((pid_t)e->arg[3], 0), -1);
	rs_channel_free(ch);
	/* Its cgroup is left for the sweep of the journal, of which this test has none. */
	rs_auto_free char *clean = rs_xasprintf("find /sys/fs/cgroup -depth -type d -name ringside-box-%d -exec rmdir {} + 2>/dev/null",
						(int)pid);

	(void)!system(clean);
}

/* ---- options of overlay mounts ---- */

static void overlay_options_are_parsed(void **state)
{
	struct ctr_overlay_options o;
	struct rs_err err = RS_ERR_INIT;

	(void)state;
	assert_int_equal(ctr_overlay_parse("lowerdir=a\\:b:c,upperdir=u,workdir=w\\,x,userxattr", &o, &err), 0);
	assert_int_equal(o.lowers, 2);
	assert_string_equal(o.lower[0], "a:b");
	assert_string_equal(o.lower[1], "c");
	assert_string_equal(o.upper, "u");
	assert_string_equal(o.work, "w,x");
	assert_true(o.userxattr);
	ctr_overlay_options_release(&o);
	static const char *const bad[] = { "", "upperdir=u,workdir=w", "lowerdir=a,upperdir=u", "lowerdir=", "lowerdir=a::b" };

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(ctr_overlay_parse(bad[i], &o, &err), -EINVAL);
		ctr_overlay_options_release(&o);
	}
}

/* Mounted, looked into, and what is wrong with it said with its cure. */
static void overlays_are_mounted(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	int status;
	pid_t pid;

	(void)state;
	need_box();
	if (geteuid()) {
		print_message("skipped: only root mounts in a namespace without a map\n");
		skip();
	}
	pid = fork();
	if (pid == 0) {
		char *lower[] = { (char *)"l:1", (char *)"l2" };

		if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount("t", dir, "tmpfs", 0, NULL) < 0 || chdir(dir) < 0)
			_exit(1);
		mkdir("l:1", 0755), mkdir("l2", 0755), mkdir("u", 0755), mkdir("w", 0755), mkdir("m", 0755);
		close(open("l:1/a", O_CREAT | O_WRONLY, 0644));
		close(open("l2/b", O_CREAT | O_WRONLY, 0644));
		if (ctr_overlay_mount("m", lower, 2, "u", "w", true, &err) < 0)
			_exit(err.code == -ENODEV ? 77 : 2);
		if (access("m/a", F_OK) < 0 || access("m/b", F_OK) < 0 || open("m/new", O_CREAT | O_WRONLY, 0644) < 0 ||
		    access("u/new", F_OK) < 0)
			_exit(3);
		lower[1] = (char *)"nowhere";
		if (ctr_overlay_mount("m", lower, 2, NULL, NULL, true, &err) != -ENOENT || !strstr(err.text[RS_LANG_EN], "not there"))
			_exit(4);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(overlay_options_are_parsed), cmocka_unit_test(what_happens_is_told),
		cmocka_unit_test(the_fullest_moment_stays), cmocka_unit_test(layers_are_told),
		cmocka_unit_test(what_does_not_end_is_ended),
		cmocka_unit_test(the_host_is_out_of_reach),   cmocka_unit_test(orders_are_obeyed),
		cmocka_unit_test(the_watcher_s_death_is_the_end), cmocka_unit_test(overlays_are_mounted),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
