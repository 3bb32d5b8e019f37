/* A recording replays into the same screens. The recordings in tests/recordings/ were made with KVM or the translator;
 * their final screens stand in tests/golden/ and must come out on every machine. With KVM here, a
 * lesson is played now, recorded, and its last screen compared with the replay's.
 * GOLDEN_UPDATE=1 writes the golden screens anew.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"
#include "tui/app.h"

static const struct {
	int w, h;
} sizes[] = { { 80, 24 }, { 120, 40 }, { 200, 60 } };

/* The screen without its last two rows: they offer other keys in a replay than in a run. */
static void screen(struct tui_app *app, int w, int h, struct rs_str *out)
{
	struct tui_grid grid;

	tui_grid_init(&grid, w, h, false);
	app->have_notice = false;
	tui_app_pump(app);
	tui_app_draw(app, &grid);
	tui_grid_dump(&grid, false, out);
	tui_grid_release(&grid);
	char *end = out->p;
	for (int row = 0; row < h - 2 && end; row++)
		end = strchr(end + 1, '\n');
	assert_non_null(end);
	out->len = (size_t)(end - out->p);
	*end = '\0';
}

static struct tui_app *play(const char *recording, enum rs_lang lang)
{
	struct rs_err err = RS_ERR_INIT;
	struct eng_session *s = eng_session_replay(recording, 0, &err);
	struct tui_app *app;

	if (!s)
		fail_msg("%s: %s", recording, err.text[0]);
	app = tui_app_session(lang, false, s);
	app->now = 1;
	while (!eng_session_replay_done(s))
		tui_app_pump(app);
	return app;
}

static void same(const char *what, const char *now, const char *golden)
{
	const char *a = now, *b = golden;

	for (int row = 1; *a || *b; row++) {
		size_t na = strcspn(a, "\n"), nb = strcspn(b, "\n");

		if (na != nb || memcmp(a, b, na))
			fail_msg("%s, row %d differs\n  now:    %.*s\n  wanted: %.*s", what, row, (int)na, a,
				 (int)nb, b);
		a += na + (a[na] == '\n');
		b += nb + (b[nb] == '\n');
	}
}

static void recordings_end_on_their_golden_screens(void **state)
{
	static const char *const names[] = { "302", "201", "202.starter", "301", "405", "406.starter", "407" };

	(void)state;
	for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++)
		for (int lang = 0; lang < RS_LANGS; lang++) {
			rs_auto_free char *rec = rs_xasprintf("tests/recordings/%s.rec", names[n]);
			struct tui_app *app = play(rec, (enum rs_lang)lang);

			for (size_t i = 0; i < 3; i++) {
				rs_auto_str have = RS_STR_INIT, want = RS_STR_INIT;
				struct rs_err err = RS_ERR_INIT;
				rs_auto_free char *path =
					rs_xasprintf("tests/golden/replay-%s-%s-%dx%d.txt", names[n],
						     rs_lang_name((enum rs_lang)lang), sizes[i].w, sizes[i].h);

				screen(app, sizes[i].w, sizes[i].h, &have);
				if (getenv("GOLDEN_UPDATE")) {
					assert_int_equal(rs_file_save(path, have.p, have.len, &err), 0);
					continue;
				}
				if (rs_file_read(path, 1 << 20, &want, &err) < 0)
					fail_msg("%s: %s", path, err.text[0]);
				same(path, have.p, want.p);
			}
			tui_app_free(app);
		}
}

/* One pane over the whole screen. (The panel with the task is left out: it offers keys that a replay
 * does not have.) */
static void zoomed(struct tui_app *app, int view, struct rs_str *out)
{
	*out = (struct rs_str)RS_STR_INIT;
	app->ls.focus = view;
	app->ls.zoom = true;
	screen(app, 120, 40, out);
}

static void a_run_and_its_replay_end_on_the_same_screen(void **state)
{
	char dir[] = "/tmp/ringside-replay-XXXXXX";
	struct rs_err err = RS_ERR_INIT;
	struct eng_lesson *l = eng_lesson_load("labs/202-rings-syscall", &err);
	struct tui_app *app;

	(void)state;
	assert_non_null(l);
	if (eng_lesson_runnable(l, NULL, &err) < 0) {
		eng_lesson_free(l);
		print_message("skipped: %s\n", err.text[0]);
		skip();
	}
	assert_non_null(mkdtemp(dir));
	rs_auto_free char *work = rs_xasprintf("%s/work", dir);
	rs_auto_free char *rec = rs_xasprintf("%s/run.rec", dir);
	assert_int_equal(setenv("XDG_STATE_HOME", dir, 1), 0);
	assert_int_equal(rs_mkdirs(work, &err), 0);
	assert_int_equal(eng_workspace_prepare(l, work, false, &err), 0);

	struct eng_session_opts o = { .lesson = l, .workspace = work, .full = RS_FULL_BLOCK, .record = rec };
	struct eng_session *s = eng_session_new(&o, &err);
	assert_non_null(s);
	app = tui_app_session(RS_LANG_EN, false, s);
	app->now = 1;
	for (unsigned i = 0; i < l->steps; i++) {
		if (l->step[i].task) { /* solved: a failed check would offer hints, which a replay does not */
			rs_auto_str solution = RS_STR_INIT;
			rs_auto_free char *from = rs_xasprintf("%s/solution/guest.S", l->dir);
			rs_auto_free char *to = rs_xasprintf("%s/guest.S", work);

			assert_int_equal(rs_file_read(from, 1 << 20, &solution, &err), 0);
			assert_int_equal(rs_file_save(to, solution.p, solution.len, &err), 0);
		}
		assert_int_equal(eng_session_goto(s, i, &err), 0);
		tui_app_pump(app);
		assert_int_equal(eng_session_run(s, false, &err), 0);
		eng_session_wait(s);
		tui_app_pump(app);
		assert_int_equal(eng_session_phase(s), ENG_ENDED);
	}
	struct rs_str live[ENG_VIEW_COUNT];
	int views = app->ls.views;
	for (int i = 0; i < views; i++)
		zoomed(app, i, &live[i]);
	tui_app_free(app); /* and the session: the recording is complete */

	app = play(rec, RS_LANG_EN);
	assert_int_equal(app->ls.views, views);
	assert_true(views >= 4);
	for (int i = 0; i < views; i++) {
		struct rs_str replayed;

		zoomed(app, i, &replayed);
		same("the replay's last screen", replayed.p, live[i].p);
		assert_non_null(strstr(replayed.p, "5 of 5 points"));
		rs_str_release(&replayed);
		rs_str_release(&live[i]);
	}
	tui_app_free(app);
	eng_lesson_free(l);
	assert_int_equal(rs_rmtree(dir, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recordings_end_on_their_golden_screens),
		cmocka_unit_test(a_run_and_its_replay_end_on_the_same_screen),
	};

	return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
