/* SIGKILL of the lab at random moments, then the sweep, then nothing is left; and journals that
 * somebody else wrote. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "engine/session.h"
#include "tests/engine_fake.h"

static struct fake fake;

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
	fake_done(&fake);
	return 0;
}

static unsigned sweep(void)
{
	struct rs_err err = RS_ERR_INIT;
	unsigned n = eng_sweep(&err);

	assert_int_equal(err.code, 0);
	return n;
}

/* Processes other than this one that run this very program or carry a lab's token. */
static unsigned strays(bool tell)
{
	char self[PATH_MAX] = "", other[PATH_MAX], path[64], env[65536];
	DIR *d = opendir("/proc");
	unsigned n = 0;
	struct dirent *e;

	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	while ((e = readdir(d)) != NULL) {
		pid_t pid = (pid_t)atoi(e->d_name), grp;
		uint64_t start;
		char state;
		bool stray = false;
		ssize_t len;
		int fd;

		if (pid <= 1 || pid == getpid() || eng_proc_stat(pid, &start, &state, &grp) < 0 ||
		    state == 'Z')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/exe", pid);
		len = readlink(path, other, sizeof(other) - 1);
		if (len > 0) {
			other[len] = '\0';
			stray = strcmp(self, other) == 0;
		}
		snprintf(path, sizeof(path), "/proc/%d/environ", pid);
		fd = open(path, O_RDONLY);
		len = fd < 0 ? 0 : read(fd, env, sizeof(env));
		if (fd >= 0)
			close(fd);
		if (len > 0 && memmem(env, (size_t)len, fake.home, strlen(fake.home)) &&
		    memmem(env, (size_t)len, ENG_TOKEN_ENV "=", strlen(ENG_TOKEN_ENV "=")))
			stray = true;
		if (stray && tell)
			print_message("stray process %d, state %c, group %d\n", pid, state, grp);
		n += stray;
	}
	closedir(d);
	return n;
}

static int exec_sleep(const struct eng_exec *x, struct rs_err *err)
{
	int rc = x->seal(x->seal_arg, err);

	if (rc == 0)
		sleep(1000);
	return rc;
}

/* What the lab does all day: sessions that build and run. */
static void lab(void)
{
	for (;;) {
		struct rs_err err = RS_ERR_INIT;
		struct eng_session_opts o = { .lesson = fake.lesson, .workspace = fake.work,
					      .full = RS_FULL_BLOCK };
		struct eng_session *s;

		eng_sweep(NULL);
		s = eng_session_new(&o, &err);
		if (!s || eng_session_run(s, false, &err) < 0)
			_exit(1);
		for (int i = 0; i < 20; i++) {
			eng_session_pump(s);
			usleep(1000);
		}
		eng_session_free(s);
	}
}

static void killed_at_any_moment(void **state)
{
	unsigned rounds = getenv("JOURNAL_ROUNDS") ? (unsigned)atoi(getenv("JOURNAL_ROUNDS")) : 40;
	char cc[200];

	(void)state;
	fake_lesson(&fake, "  - id: s\n    text: {en: x, zh-TW: x}\n"
			   "    run: {vm: {source: guest.S}}\n", exec_sleep);
	fake_write(&fake, "guest.S", ".globl _start\n_start: hlt\n");
	/* A compiler with children of its own, now quick, now slow. */
	fake_write(&fake, "cc.sh", "#!/bin/sh\nif [ $(($$ % 3)) = 0 ]; then sleep 900 & sleep 900; fi\n"
		   "exec cc \"$@\"\n");
	snprintf(cc, sizeof(cc), "%s/cc.sh", fake.work);
	assert_int_equal(chmod(cc, 0755), 0);
	setenv("CC", cc, 1);
	srandom((unsigned)getpid());
	for (unsigned i = 0; i < rounds; i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0)
			lab();
		usleep((useconds_t)(random() % 120000));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		sweep();
		/* A child that was not journaled yet waits for its parent, and dies with it: soon. */
		for (int t = 0; t < 100 && strays(false); t++)
			usleep(5000);
		if (strays(false) || fake_count(&fake, "state/ringside/journal") ||
		    fake_count(&fake, "state/ringside/scratch")) {
			char cmd[300];

			strays(true);
			snprintf(cmd, sizeof(cmd), "find %s/state; cat %s/state/ringside/journal/*",
				 fake.home, fake.home);
			if (system(cmd) != 0)
				print_message("(no journal)\n");
			fail_msg("something is left after round %u", i);
		}
	}
	unsetenv("CC");
}

static void a_living_lab_is_left_alone(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	struct eng_journal *j = eng_journal_open(&err);
	int id;
	char *path;

	(void)state;
	assert_non_null(j);
	path = eng_journal_scratch(j, &id, &err);
	assert_non_null(path);
	assert_int_equal(sweep(), 0);
	/* from another process too */
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(eng_sweep(NULL) == 0 ? 0 : 1);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(access(path, F_OK), 0);
	eng_journal_unscratch(j, path, id);
	eng_journal_close(j);
	free(path);
	assert_int_equal(fake_count(&fake, "state/ringside/journal"), 0);
}

/* A journal that nobody owns, with these entries. */
static void write_journal(const char *boot, unsigned long ns, const char *token, const char *entries)
{
	char path[200];
	FILE *f;
	char *dir = rs_dir_path(RS_DIR_STATE, "journal", NULL);

	snprintf(path, sizeof(path), "%s/999999-1.0", dir);
	free(dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "ringside journal 1 %s %lu %s\n%s", boot, ns, token, entries);
	fclose(f);
}

static void crafted(const char *entries)
{
	char boot[64];

	eng_boot_id(boot);
	write_journal(boot, eng_pid_ns(), "token", entries);
	sweep();
	assert_int_equal(fake_count(&fake, "state/ringside/journal"), 0);
}

static void crafted_folders(void **state)
{
	char path[300], root[200];
	char *scratch = eng_scratch_root(NULL);

	(void)state;
	snprintf(path, sizeof(path), "%s/precious", fake.home);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(root, sizeof(root), "%s", scratch);
	crafted("+1 dir ../../precious\n+2 dir /etc\n+3 dir ..\n+4 dir .\n+5 dir \n+6 dir a/../..\n");
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(access(root, F_OK), 0);
	/* a link in the scratch root does not lead out of it */
	snprintf(path, sizeof(path), "%s/precious/file", fake.home);
	fclose(fopen(path, "w"));
	char link[300], target[200];

	snprintf(link, sizeof(link), "%s/run-link", root);
	snprintf(target, sizeof(target), "%s/precious", fake.home);
	assert_int_equal(symlink(target, link), 0);
	crafted("+1 dir run-link\n");
	assert_int_equal(access(path, F_OK), 0);
	assert_int_not_equal(access(link, F_OK), 0);
	/* what is ours goes; what is struck stays */
	snprintf(path, sizeof(path), "%s/run-a", root);
	mkdir(path, 0700);
	snprintf(link, sizeof(link), "%s/run-b", root);
	mkdir(link, 0700);
	crafted("+1 dir run-a\n+2 dir run-b\n-2\n");
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_equal(access(link, F_OK), 0);
	free(scratch);
}

/* The power was cut before the journal's lines were on the disk. */
static void orphans_of_another_boot(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	struct eng_journal *j = eng_journal_open(&err);
	char cmd[1000], old[300], young[300];
	char *root = eng_scratch_root(NULL), *mine;
	int id;

	(void)state;
	mine = eng_journal_scratch(j, &id, &err);
	assert_non_null(mine);
	snprintf(old, sizeof(old), "%s/run-old", root);
	snprintf(young, sizeof(young), "%s/run-young", root);
	snprintf(cmd, sizeof(cmd), "mkdir -p %s/a/b %s && touch -d '2001-01-01' %s %s", old, young, old,
		 mine);
	assert_int_equal(system(cmd), 0);
	assert_int_equal(sweep(), 1);
	assert_int_not_equal(access(old, F_OK), 0);
	assert_int_equal(access(young, F_OK), 0); /* of this boot: its journal will tell */
	assert_int_equal(access(mine, F_OK), 0);  /* a living lab's */
	rmdir(young);
	eng_journal_unscratch(j, mine, id);
	eng_journal_close(j);
	free(mine);
	free(root);
}

static void crafted_processes(void **state)
{
	char entries[200], boot[64];
	uint64_t start;
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		setpgid(0, 0);
		sleep(1000);
		_exit(0);
	}
	setpgid(pid, pid);
	assert_int_equal(eng_proc_stat(pid, &start, NULL, NULL), 0);
	/* the number is right, the start time is not: somebody else */
	snprintf(entries, sizeof(entries), "+1 proc %d %" PRIu64 "\n+2 proc 1 1\n+3 proc -1 0\n"
		 "+4 proc 0 0\n+5 proc %d x\n", pid, start + 1, pid);
	crafted(entries);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	/* after a reboot the same words mean nothing */
	snprintf(entries, sizeof(entries), "+1 proc %d %" PRIu64 "\n", pid, start);
	write_journal("another-boot", eng_pid_ns(), "t", entries);
	sweep();
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	/* in another PID namespace they are not ours to judge, and stay */
	eng_boot_id(boot);
	write_journal(boot, 1, "t", entries);
	sweep();
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	assert_int_equal(fake_count(&fake, "state/ringside/journal"), 1);
	/* and this is the one */
	crafted(entries);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void crafted_others(void **state)
{
	(void)state;
	/* nothing of this may be touched, and nothing may hang or crash */
	crafted("+1 cgroup /sys/fs/cgroup\n+2 cgroup /sys/fs/cgroup/../../../tmp/ringside-x\n"
		"+3 cgroup /tmp/ringside-x\n+4 cgroup /sys/fs/cgroup/other\n"
		"+5 mount ../../..\n+6 mount /\n+7 mount \n+8 link lo\n+9 link eth0\n"
		"+10 link rs-there-is-no-such\n+11 nonsense x\n+x\n-\n+99999999999999999999 dir a\n"
		"+12 link rs-none\n+13");
}

static void garbage(void **state)
{
	char path[200];
	char *dir = rs_dir_path(RS_DIR_STATE, "journal", NULL);

	(void)state;
	srandom(7);
	/* half-saved files of the dead go, those of the living stay */
	char dead[220], alive[220];

	snprintf(dead, sizeof(dead), "%s/../progress.json.tmp-4194303-1f", dir);
	snprintf(alive, sizeof(alive), "%s/../progress.json.tmp-%d-1f", dir, getpid());
	fclose(fopen(dead, "w"));
	fclose(fopen(alive, "w"));
	for (int i = 0; i < 300; i++) {
		FILE *f;

		snprintf(path, sizeof(path), "%s/%d-%d.0", dir, 900000 + i, i);
		f = fopen(path, "w");
		assert_non_null(f);
		if (i % 2)
			fprintf(f, "ringside journal 1 boot 0 t\n");
		for (long n = random() % 300; n > 0; n--)
			fputc(i % 3 ? (int)(random() & 0xff) : "+-0123 dirproc\n/."[random() % 17], f);
		fclose(f);
	}
	snprintf(path, sizeof(path), "%s/fifo", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	eng_sweep(NULL); /* a FIFO must not make it wait */
	assert_int_not_equal(access(dead, F_OK), 0);
	assert_int_equal(access(alive, F_OK), 0);
	unlink(path);
	free(dir);
}

/* A lab that made a mount and died (needs privilege; in a mount namespace of its own). */
static void mounts(void **state)
{
	char path[300], boot[64], cmd[400];
	char *scratch = eng_scratch_root(NULL);
	int status;
	pid_t pid;

	(void)state;
	eng_boot_id(boot);
	snprintf(path, sizeof(path), "%s/run-m", scratch);
	mkdir(path, 0700);
	write_journal(boot, eng_pid_ns(), "t", "+1 dir run-m\n+2 mount run-m\n");
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount("none", path, "tmpfs", 0, NULL) < 0)
			_exit(77);
		eng_sweep(NULL);
		snprintf(cmd, sizeof(cmd), "grep -q run-m /proc/self/mounts");
		_exit(system(cmd) == 0 ? 1 : access(path, F_OK) == 0 ? 2 : 0);
	}
	waitpid(pid, &status, 0);
	free(scratch);
	if (WEXITSTATUS(status) == 77) {
		sweep();
		skip();
	}
	assert_int_equal(status, 0);
}

static void cgroups(void **state)
{
	static const char *const roots[] = { "/sys/fs/cgroup/pids", "/sys/fs/cgroup", NULL };
	char path[200], entries[300], boot[64], file[300];
	int status;

	(void)state;
	for (int i = 0; roots[i]; i++) {
		snprintf(path, sizeof(path), "%s/" ENG_PREFIX "test-%d", roots[i], getpid());
		if (access(roots[i], W_OK) == 0 && mkdir(path, 0755) == 0)
			break;
		path[0] = '\0';
	}
	if (!path[0])
		skip();
	snprintf(file, sizeof(file), "%s/child", path);
	(void)mkdir(file, 0755);
	pid_t pid = fork();

	if (pid == 0) {
		snprintf(file, sizeof(file), "%s/child/cgroup.procs", path);
		FILE *f = fopen(file, "w");

		if (!f || fprintf(f, "%d\n", getpid()) < 0 || fclose(f) != 0)
			_exit(77);
		sleep(1000);
	}
	usleep(200000);
	snprintf(entries, sizeof(entries), "+1 cgroup %s\n", path);
	eng_boot_id(boot);
	write_journal(boot, eng_pid_ns(), "t", entries);
	/* a zombie keeps its cgroup: reap it as its parent, as init would */
	pid_t reaper = fork();

	if (reaper == 0)
		_exit(eng_sweep(NULL) == 1 ? 0 : 1);
	waitpid(pid, &status, 0);
	assert_true(WIFSIGNALED(status));
	waitpid(reaper, &status, 0);
	assert_int_equal(status, 0);
	assert_int_not_equal(access(path, F_OK), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_living_lab_is_left_alone), T(crafted_folders), T(orphans_of_another_boot), T(crafted_processes),
		T(crafted_others), T(garbage), T(mounts), T(cgroups), T(killed_at_any_moment),
	};

	return cmocka_run_group_tests_name("engine_journal", tests, NULL, NULL);
}
