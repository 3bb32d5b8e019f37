/* Progress and workspaces: what a student did is never lost. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

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

static int nothing(const struct eng_exec *x, struct rs_err *err)
{
	(void)x;
	(void)err;
	return 0;
}

static const char steps[] =
	"  - id: a\n    text: {en: x, zh-TW: x}\n    run: {vm: {image: image.bin}}\n"
	"    checks: [{id: c, points: 3, expect: 'ended() == \"halted\"'}]\n"
	"  - id: b\n    text: {en: x, zh-TW: x}\n";

static void round_trip(void **state)
{
	struct eng_progress p, q;
	struct rs_err err = RS_ERR_INIT;

	(void)state;
	fake_lesson(&fake, steps, nothing);
	assert_int_equal(eng_progress_load(&p, &err), 0);
	assert_int_equal(p.n, 0);
	assert_int_equal(err.code, 0);
	eng_progress_note(&p, fake.lesson, 0, 2);
	eng_progress_note(&p, fake.lesson, 1, 1); /* the best of both */
	assert_int_equal(eng_progress_save(&p, &err), 0);
	assert_int_equal(eng_progress_load(&q, &err), 0);
	assert_int_equal(q.n, 1);
	const struct eng_progress_entry *e = eng_progress_find(&q, "fake-lesson");

	assert_non_null(e);
	assert_int_equal(e->points, 2);
	assert_int_equal(e->max, 3);
	assert_int_equal(e->step, 1);
	assert_false(e->done);
	assert_true(e->when > 1000000000);
	eng_progress_note(&q, fake.lesson, 1, 3);
	assert_true(eng_progress_find(&q, "fake-lesson")->done);
	assert_null(eng_progress_find(&q, "other"));
	eng_progress_release(&p);
	eng_progress_release(&q);
}

static void put(const char *text)
{
	char path[200];
	char *dir = rs_dir_path(RS_DIR_STATE, "", NULL);
	FILE *f;

	snprintf(path, sizeof(path), "%s/progress.json", dir);
	free(dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void damaged_is_kept(void **state)
{
	static const char *const v[] = {
		"", "{", "[]", "null", "{}", "{\"ringside-progress\": 2, \"lessons\": {}}",
		"{\"ringside-progress\": 1, \"lessons\": []}",
		"{\"ringside-progress\": 1, \"lessons\": {\"a\": 3}}",
		"{\"ringside-progress\": 1, \"lessons\": {\"a\": {}}",
	};
	struct eng_progress p;

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct rs_err err = RS_ERR_INIT;
		char want[60], path[300];

		put(v[i]);
		assert_int_equal(eng_progress_load(&p, &err), -EBADMSG);
		assert_int_equal(p.n, 0);
		snprintf(want, sizeof(want), "progress.json.damaged-%zu", i + 1);
		assert_non_null(strstr(err.text[0], want));
		snprintf(path, sizeof(path), "%s/state/ringside/%s", fake.home, want);
		assert_int_equal(access(path, F_OK), 0);
	}
	/* odd numbers are no damage */
	struct rs_err err = RS_ERR_INIT;

	put("{\"ringside-progress\": 1, \"lessons\": {\"a\": {\"points\": -5, \"max\": 1e30, "
	    "\"step\": \"x\"}}, \"more\": 1}");
	assert_int_equal(eng_progress_load(&p, &err), 0);
	assert_int_equal(p.v[0].points, 0);
	eng_progress_release(&p);
}

/* The old file survives a disk that fills, and one sentence says so. */
static void full_disk(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	fake_lesson(&fake, steps, nothing);
	pid = fork();
	if (pid == 0) {
		struct rs_err err = RS_ERR_INIT;
		struct eng_progress p;
		char dir[100], path[200];

		snprintf(dir, sizeof(dir), "%s/state", fake.home);
		mkdir(dir, 0700);
		if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount("none", dir, "tmpfs", 0, "size=16k") < 0)
			_exit(77);
		eng_progress_load(&p, &err);
		eng_progress_note(&p, fake.lesson, 1, 3);
		if (eng_progress_save(&p, &err) < 0)
			_exit(1);
		snprintf(path, sizeof(path), "%s/ringside/filler", dir);
		int fd = open(path, O_WRONLY | O_CREAT, 0600);

		while (write(fd, path, sizeof(path)) > 0)
			;
		for (unsigned i = 0; i < 3000; i++) { /* more than a page */
			p.v = rs_xrealloc(p.v, p.n + 1, sizeof(*p.v));
			p.v[p.n++] = (struct eng_progress_entry){ .lesson = rs_xasprintf("l-%u", i) };
		}
		if (eng_progress_save(&p, &err) == 0)
			_exit(2);
		if (!strstr(err.text[0], "progress was not saved"))
			_exit(3);
		eng_progress_release(&p);
		if (eng_progress_load(&p, &err) != 0 || p.n != 1 || p.v[0].points != 3)
			_exit(4);
		/* no half-written file beside it */
		snprintf(path, sizeof(path), "test $(ls -A %s/ringside | wc -l) = 2", dir);
		_exit(system(path) == 0 ? 0 : 5);
	}
	waitpid(pid, &status, 0);
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

/* -- workspaces -- */

static void lesson_on_disk(void)
{
	struct rs_err err = RS_ERR_INIT;
	char cmd[600], buf[600];

	snprintf(cmd, sizeof(cmd),
		 "mkdir -p %s/labs/101-x && cd %s/labs/101-x && echo start >guest.S && echo lib >lib.inc && "
		 "printf 'schema: ringside/lesson/v1\\nid: disk-lesson\\ntitle: {en: T, zh-TW: T}\\n"
		 "summary: {en: S, zh-TW: S}\\ntrack: rings\\nminutes: 1\\n"
		 "files: {starter: [guest.S], readonly: [lib.inc]}\\n"
		 "steps:\\n  - id: a\\n    text: {en: x, zh-TW: x}\\n' >lesson.yaml", fake.home, fake.home);
	assert_int_equal(system(cmd), 0);
	snprintf(cmd, sizeof(cmd), "%s/labs/101-x", fake.home);
	fake.lesson = eng_lesson_load(cmd, &err);
	if (!fake.lesson)
		fail_msg("%s", rs_err_format(&err, RS_LANG_EN, buf, sizeof(buf)));
}

static void content(const char *name, const char *want)
{
	char path[300];
	rs_auto_str s = RS_STR_INIT;

	snprintf(path, sizeof(path), "%s/%s", fake.work, name);
	assert_int_equal(rs_file_read(path, 1000, &s, NULL), 0);
	assert_string_equal(s.p, want);
}

static void prepared_and_reset(void **state)
{
	struct rs_err err = RS_ERR_INIT;

	(void)state;
	lesson_on_disk();
	assert_int_equal(eng_workspace_prepare(fake.lesson, fake.work, false, &err), 0);
	content("guest.S", "start\n");
	content("lib.inc", "lib\n");
	content(".ringside", "disk-lesson\n");
	fake_write(&fake, "guest.S", "mine\n");
	fake_write(&fake, "lib.inc", "broken\n");
	/* again: the student's file stays, the lesson's own is renewed */
	assert_int_equal(eng_workspace_prepare(fake.lesson, fake.work, false, &err), 0);
	content("guest.S", "mine\n");
	content("lib.inc", "lib\n");
	/* reset: theirs is kept aside */
	assert_int_equal(eng_workspace_prepare(fake.lesson, fake.work, true, &err), 0);
	content("guest.S", "start\n");
	content("guest.S.orig-1", "mine\n");
	fake_write(&fake, "guest.S", "again\n");
	assert_int_equal(eng_workspace_prepare(fake.lesson, fake.work, true, &err), 0);
	content("guest.S.orig-1", "mine\n");
	content("guest.S.orig-2", "again\n");
	/* unchanged: nothing to keep */
	assert_int_equal(eng_workspace_prepare(fake.lesson, fake.work, true, &err), 0);
	char path[200];

	snprintf(path, sizeof(path), "%s/guest.S.orig-3", fake.work);
	assert_int_not_equal(access(path, F_OK), 0);
	/* another lesson's folder is left alone */
	fake_write(&fake, ".ringside", "other-lesson\n");
	assert_int_equal(eng_workspace_prepare(fake.lesson, fake.work, true, &err), -EEXIST);
	assert_non_null(strstr(err.text[0], "other-lesson"));
}

static void readonly_is_restored_before_a_run(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	char path[200];

	(void)state;
	lesson_on_disk();
	assert_int_equal(eng_workspace_prepare(fake.lesson, fake.work, false, &err), 0);
	struct eng_session_opts o = { .lesson = fake.lesson, .workspace = fake.work };
	struct eng_session *s = eng_session_new(&o, &err);

	assert_non_null(s);
	/* a step with nothing to run says so */
	assert_int_equal(eng_session_run(s, false, &err), -ENOENT);
	eng_session_free(s);
	snprintf(path, sizeof(path), "%s/nowhere", fake.home);
	o.workspace = path;
	assert_null(eng_session_new(&o, &err));
	assert_int_equal(err.code, -ENOENT);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(round_trip), T(damaged_is_kept), T(full_disk), T(prepared_and_reset),
		T(readonly_is_restored_before_a_run),
	};

	return cmocka_run_group_tests_name("engine_progress", tests, NULL, NULL);
}
