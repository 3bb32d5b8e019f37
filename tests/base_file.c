/* Files and directories: whole or not at all, also on a full disk; trees removed and nothing else. */
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
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"

static char dir[64]; /* the test's own folder; each test runs in it */

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/ringside-base-XXXXXX");
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	struct rs_err err;
	(void)state;
	return chdir("/") == 0 && rs_rmtree(dir, &err) == 0 ? 0 : -1;
}

static unsigned entries(const char *path)
{
	rs_auto_closedir DIR *d = opendir(path);
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	return n - 2;
}

static void put(const char *path, const char *text)
{
	rs_auto_fclose FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
}

static void assert_holds(const char *path, const char *text)
{
	rs_auto_str s = RS_STR_INIT;
	struct rs_err err = RS_ERR_INIT;

	if (rs_file_read(path, 1 << 20, &s, &err) < 0)
		fail_msg("%s", err.text[RS_LANG_EN]);
	assert_string_equal(s.p, text);
}

/* Runs `body` in a child that may change limits and mounts. Its exit status; 77 becomes a skip. */
static void in_child(int (*body)(void), const char *why_skipped)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(body());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		printf("skip: %s\n", why_skipped);
		skip();
	}
	assert_int_equal(status, 0);
}

/* ---- reading ---- */

static void test_read(void **state)
{
	rs_auto_str s = RS_STR_INIT;
	struct rs_err err = RS_ERR_INIT;
	char big[40000];
	(void)state;

	put("a", "hello");
	rs_str_add(&s, "before ");
	assert_int_equal(rs_file_read("a", 5, &s, &err), 0);
	assert_string_equal(s.p, "before hello");
	assert_int_equal(rs_file_read("a", 4, &s, &err), -EFBIG);
	assert_string_equal(s.p, "before hello"); /* as it was */
	assert_int_equal(s.len, 12);
	assert_int_equal(rs_file_read("a", 0, &s, &err), -EFBIG);
	assert_int_equal(rs_file_read("missing", 5, &s, &err), -ENOENT);
	assert_non_null(strstr(err.text[RS_LANG_EN], "missing"));
	assert_int_equal(rs_file_read(".", 5, &s, &err), -EISDIR);
	assert_int_equal(rs_file_read("/dev/zero", 5, &s, &err), -EINVAL);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	alarm(5); /* nobody writes into it */
	assert_int_equal(rs_file_read("fifo", 5, &s, &err), -EINVAL);
	alarm(0);
	memset(big, 'x', sizeof(big));
	assert_int_equal(rs_file_save("big", big, sizeof(big), &err), 0);
	assert_int_equal(rs_file_read("big", sizeof(big) - 1, &s, &err), -EFBIG);
	assert_int_equal(s.len, 12);
	assert_int_equal(rs_file_read("big", sizeof(big), &s, &err), 0);
	assert_int_equal(s.len, 12 + sizeof(big));
	/* files whose size says 0 */
	rs_str_clear(&s);
	assert_int_equal(rs_file_read("/proc/self/status", 1 << 20, &s, &err), 0);
	assert_non_null(strstr(s.p, "VmRSS"));
	put("empty", "");
	rs_str_clear(&s);
	assert_int_equal(rs_file_read("empty", 0, &s, &err), 0);
	assert_int_equal(s.len, 0);
}

/* ---- saving ---- */

static void test_save(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	struct stat st, link;
	mode_t mask = umask(027);
	(void)state;

	assert_int_equal(rs_file_save("new", "one", 3, &err), 0);
	assert_holds("new", "one");
	assert_int_equal(stat("new", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640); /* as the umask asks */
	assert_int_equal(chmod("new", 0600), 0);
	assert_int_equal(rs_file_save("new", "two!", 4, &err), 0);
	assert_holds("new", "two!");
	assert_int_equal(stat("new", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600); /* as it was */
	umask(mask);
	/* through a symbolic link: the link stays, its target changes */
	assert_int_equal(symlink("new", "link"), 0);
	assert_int_equal(rs_file_save("link", "three", 5, &err), 0);
	assert_int_equal(lstat("link", &link), 0);
	assert_true(S_ISLNK(link.st_mode));
	assert_holds("new", "three");
	assert_int_equal(rs_file_save("new", "", 0, &err), 0);
	assert_holds("new", "");
	assert_int_equal(entries("."), 2); /* nothing else is left */
}

static void test_save_refuses(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	(void)state;

	assert_int_equal(rs_file_save("no/such/folder", "x", 1, &err), -ENOENT);
	assert_non_null(strstr(err.text[RS_LANG_EN], "no/such/folder"));
	assert_null(strstr(err.text[RS_LANG_EN], ".tmp")); /* the user's name for it, not ours */
	assert_int_equal(rs_file_save("/dev/full", "x", 1, &err), -EINVAL);
	assert_int_equal(rs_file_save(".", "x", 1, &err), -EINVAL);
	assert_int_equal(rs_file_save("", "x", 1, &err) < 0, 1);
	assert_int_equal(entries("."), 0);
}

/* Too large for RLIMIT_FSIZE: the old file is as it was, and the new one is gone. */
static int limited(void)
{
	struct rlimit limit = { 8192, 8192 };
	struct rs_err err = RS_ERR_INIT;
	static char big[100000];

	signal(SIGXFSZ, SIG_IGN);
	if (rs_file_save("f", "old", 3, &err) < 0 || setrlimit(RLIMIT_FSIZE, &limit) < 0)
		return 1;
	if (rs_file_save("f", big, sizeof(big), &err) != -EFBIG || err.code != -EFBIG)
		return 2;
	if (rs_file_save("g", big, sizeof(big), &err) != -EFBIG)
		return 3;
	return entries(".") == 1 ? 0 : 4;
}

static void test_save_over_the_limit(void **state)
{
	(void)state;
	in_child(limited, "");
	assert_holds("f", "old");
}

/* A disk that is really full: a tmpfs of 64 KiB. */
static int full_disk(void)
{
	struct rs_err err = RS_ERR_INIT;
	rs_auto_str s = RS_STR_INIT;
	static char big[200000];

	memset(big, 'x', sizeof(big));
	if (mkdir("disk", 0700) < 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "disk", "tmpfs", 0, "size=64k") < 0)
		return 77;
	if (rs_file_save("disk/f", "old contents", 12, &err) < 0)
		return 1;
	for (int i = 0; i < 3; i++)
		if (rs_file_save("disk/f", big, sizeof(big), &err) != -ENOSPC)
			return 2;
	if (!strstr(err.text[RS_LANG_EN], "disk/f") || !strstr(err.text[RS_LANG_ZH_TW], "空間"))
		return 3;
	if (rs_file_read("disk/f", 100, &s, &err) < 0 || strcmp(s.p, "old contents") != 0)
		return 4;
	if (entries("disk") != 1) /* no half-written file keeps the disk full */
		return 5;
	return rs_file_save("disk/f", "new", 3, &err) == 0 ? 0 : 6;
}

static void test_save_on_a_full_disk(void **state)
{
	(void)state;
	in_child(full_disk, "mounting a tmpfs needs root");
}

/* Killed at any moment, the file holds the old or the new text, whole. */
static void test_save_is_atomic(void **state)
{
	static char old[30000], new[30000];
	struct rs_err err = RS_ERR_INIT;
	(void)state;

	memset(old, 'o', sizeof(old) - 1);
	memset(new, 'n', sizeof(new) - 1);
	for (unsigned i = 0; i < 60; i++) {
		rs_auto_str s = RS_STR_INIT;
		pid_t pid;

		assert_int_equal(rs_file_save("f", old, sizeof(old) - 1, &err), 0);
		pid = fork();
		if (pid == 0) {
			for (;;) {
				rs_file_save("f", new, sizeof(new) - 1, &err);
				rs_file_save("f", old, sizeof(old) - 1, &err);
			}
		}
		usleep(200 + i * 131 % 3000);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		assert_int_equal(rs_file_read("f", 100000, &s, &err), 0);
		if (strcmp(s.p, old) != 0 && strcmp(s.p, new) != 0)
			fail_msg("torn after %u kills: %zu bytes", i, s.len);
	}
	assert_int_equal(rs_file_save("f", "x", 1, &err), 0);
	assert_int_equal(entries("."), 1); /* what the killed ones left is gone */
}

/* An unfinished file of a process that died is removed by the next save, one of a living process
 * and files of other names are not. */
static void test_save_sweeps(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	rs_auto_free char *mine = rs_xasprintf("f.tmp-%d-1", (int)getpid()), *dead = NULL;
	pid_t pid = fork();
	(void)state;

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	dead = rs_xasprintf("f.tmp-%d-77", (int)pid);
	put(dead, "half");
	put(mine, "x");
	put("f.tmp-x", "x");
	put("other.tmp-1-1", "x");
	assert_int_equal(rs_file_save("f", "x", 1, &err), 0);
	assert_int_equal(access(dead, F_OK), -1);
	assert_int_equal(entries("."), 4);
}

/* Without /proc a file without a name cannot get one: the other way, with a name from the start. */
static int no_proc(void)
{
	struct rlimit limit = { 8192, 8192 };
	struct rs_err err = RS_ERR_INIT;
	rs_auto_str s = RS_STR_INIT;
	static char big[20000];

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", "/proc", "tmpfs", 0, "size=4k") < 0)
		return 77;
	if (rs_file_save("f", "one", 3, &err) < 0 || rs_file_save("f", "two", 3, &err) < 0)
		return 1;
	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &limit) < 0 || rs_file_save("f", big, sizeof(big), &err) != -EFBIG)
		return 2;
	if (rs_file_read("f", 10, &s, &err) < 0 || strcmp(s.p, "two") != 0)
		return 3;
	return entries(".") == 1 ? 0 : 4;
}

static void test_save_without_proc(void **state)
{
	(void)state;
	in_child(no_proc, "mounting a tmpfs needs root");
}

/* ---- directories ---- */

static void test_mkdirs(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	rs_auto_free char *absolute = rs_xasprintf("%s/x//y/z/", dir);
	struct stat st;
	(void)state;

	assert_int_equal(rs_mkdirs("a/b/c", &err), 0);
	assert_int_equal(rs_mkdirs("a/b/c", &err), 0);
	assert_int_equal(rs_mkdirs("a/b/c/d/", &err), 0);
	assert_int_equal(stat("a/b/c/d", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(rs_mkdirs(absolute, &err), 0);
	assert_int_equal(access("x/y/z", F_OK), 0);
	assert_int_equal(rs_mkdirs("/", &err), 0);
	assert_int_equal(rs_mkdirs(".", &err), 0);
	put("file", "x");
	assert_int_equal(rs_mkdirs("file", &err), -ENOTDIR);
	assert_int_equal(rs_mkdirs("file/deeper", &err), -ENOTDIR);
	assert_string_equal(err.text[RS_LANG_EN], "file is not a folder");
	assert_int_equal(symlink("a", "link"), 0); /* a link to a folder is one */
	assert_int_equal(rs_mkdirs("link/e", &err), 0);
	assert_int_equal(access("a/e", F_OK), 0);
	assert_true(rs_mkdirs("/proc/self/nothing/here", &err) < 0);
}

static void test_rmtree(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	(void)state;

	assert_int_equal(rs_rmtree("missing", &err), 0);
	put("file", "x");
	assert_int_equal(rs_rmtree("file", &err), 0);
	assert_int_equal(access("file", F_OK), -1);

	assert_int_equal(rs_mkdirs("keep/inner", &err), 0);
	put("keep/inner/precious", "x");
	assert_int_equal(rs_mkdirs("t/a/b", &err), 0);
	assert_int_equal(rs_mkdirs("t/closed/in", &err), 0);
	put("t/a/f", "x");
	put("t/closed/f", "x");
	assert_int_equal(chmod("t/closed", 0), 0);
	assert_int_equal(symlink("../keep", "t/link"), 0);
	assert_int_equal(symlink("../../keep/inner", "t/a/link"), 0);
	assert_int_equal(symlink("nowhere", "t/a/dangling"), 0);
	assert_int_equal(mkfifo("t/a/fifo", 0600), 0);
	for (int i = 0; i < 3000; i++) { /* more entries than one read of the directory gives */
		char name[40];

		snprintf(name, sizeof(name), "t/a/b/%d", i);
		put(name, "");
	}
	assert_int_equal(rs_rmtree("t", &err), 0);
	assert_int_equal(access("t", F_OK), -1);
	assert_int_equal(access("keep/inner/precious", F_OK), 0);
	/* a link as the argument: the link goes, what it names stays */
	assert_int_equal(symlink("keep", "top"), 0);
	assert_int_equal(rs_rmtree("top", &err), 0);
	assert_int_equal(access("keep/inner/precious", F_OK), 0);
	assert_int_equal(rs_rmtree("keep", &err), 0);
	assert_int_equal(entries("."), 0);
}

/* Deeper than descriptors last, with the names that the removal itself uses in the way. */
static void test_rmtree_deep(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	struct rlimit few = { 100, 100 }, before;
	int fd;
	(void)state;

	assert_int_equal(mkdir("t", 0700), 0);
	assert_int_equal(rs_mkdirs("t/.ringside-rm-0/x", &err), 0);
	put("t/.ringside-rm-1", "a file");
	fd = open("t", O_RDONLY | O_DIRECTORY);
	for (int i = 0; i < 3000; i++) {
		int next;

		assert_int_equal(mkdirat(fd, "d", 0700), 0);
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY);
		assert_true(next >= 0);
		close(fd);
		fd = next;
	}
	close(fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	if (rs_rmtree("t", &err) < 0)
		fail_msg("%s", err.text[RS_LANG_EN]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(access("t", F_OK), -1);
}

static int with_mounts(void)
{
	struct rs_err err = RS_ERR_INIT;

	if (rs_mkdirs("t/a/other", &err) < 0 || rs_mkdirs("t/a/bind", &err) < 0 || rs_mkdirs("keep", &err) < 0)
		return 1;
	put("keep/precious", "x");
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "t/a/other", "tmpfs", 0, "size=64k") < 0)
		return 77;
	put("t/a/other/precious", "x");
	if (rs_rmtree("t", &err) >= 0 || access("t/a/other/precious", F_OK) != 0)
		return 2;
	if (umount("t/a/other") < 0 || rs_rmtree("t/a/other", &err) < 0)
		return 3;
	/* the same file system, mounted a second time: the device number does not tell */
	if (rs_mkdirs("t/a/bind", &err) < 0 || mount("keep", "t/a/bind", NULL, MS_BIND, NULL) < 0)
		return 77;
	if (rs_rmtree("t", &err) >= 0 || access("keep/precious", F_OK) != 0)
		return 4;
	umount("t/a/bind");
	return rs_rmtree("t", &err) == 0 ? 0 : 5;
}

static void test_rmtree_stays_out_of_mounts(void **state)
{
	(void)state;
	in_child(with_mounts, "mounting needs root");
}

/* ---- XDG ---- */

static void test_xdg(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	rs_auto_free char *old_home = rs_xstrdup(getenv("HOME") ? getenv("HOME") : "/");
	char want[200], *p;
	(void)state;

	setenv("HOME", dir, 1);
	unsetenv("XDG_STATE_HOME");
	setenv("XDG_DATA_HOME", "relative", 1); /* must be ignored */
	snprintf(want, sizeof(want), "%s/cache", dir);
	setenv("XDG_CACHE_HOME", want, 1);

	p = rs_dir_path(RS_DIR_STATE, "", &err);
	snprintf(want, sizeof(want), "%s/.local/state/ringside", dir);
	assert_string_equal(p, want);
	assert_int_equal(access(p, W_OK), 0);
	free(p);
	p = rs_dir_path(RS_DIR_DATA, "work/302", &err);
	snprintf(want, sizeof(want), "%s/.local/share/ringside/work/302", dir);
	assert_string_equal(p, want);
	assert_int_equal(access(p, W_OK), 0);
	free(p);
	p = rs_dir_path(RS_DIR_CACHE, "", &err);
	snprintf(want, sizeof(want), "%s/cache/ringside", dir);
	assert_string_equal(p, want);
	free(p);
	put("cache/file", "x");
	snprintf(want, sizeof(want), "%s/cache/file", dir);
	setenv("XDG_STATE_HOME", want, 1);
	assert_null(rs_dir_path(RS_DIR_STATE, "", &err));
	assert_int_equal(err.code, -ENOTDIR);
	unsetenv("XDG_STATE_HOME");
	unsetenv("XDG_DATA_HOME");
	unsetenv("XDG_CACHE_HOME");
	setenv("HOME", old_home, 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_read),
		T(test_save),
		T(test_save_refuses),
		T(test_save_over_the_limit),
		T(test_save_on_a_full_disk),
		T(test_save_is_atomic),
		T(test_save_sweeps),
		T(test_save_without_proc),
		T(test_mkdirs),
		T(test_rmtree),
		T(test_rmtree_deep),
		T(test_rmtree_stays_out_of_mounts),
		T(test_xdg),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
