/* The lab without a terminal: keys and mouse in, state and screen out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "engine/base/file.h"
#include "tests/tui_scene.h"

static void keys(struct scene *s, const char *text)
{
	for (; *text; text++)
		tui_app_key(s->app, *text == '\n' ? TUI_K_ENTER : *text == '\t' ? TUI_K_TAB :
				    *text == '\033' ? TUI_K_ESC : *text);
}

static bool shows(struct scene *s, const char *text)
{
	rs_auto_str all = RS_STR_INIT;
	scene_draw(s, s->grid.w, s->grid.h);
	tui_grid_dump(&s->grid, false, &all);
	return strstr(all.p, text) != NULL;
}

static void click(struct scene *s, int x, int y)
{
	struct tui_input in = { .type = TUI_IN_MOUSE, .mouse = TUI_MOUSE_PRESS, .x = x, .y = y };
	tui_app_input(s->app, &in);
}

/* Clicks the first place where the text stands. */
static bool click_on(struct scene *s, const char *text)
{
	rs_auto_str all = RS_STR_INIT;
	scene_draw(s, s->grid.w, s->grid.h);
	tui_grid_dump(&s->grid, false, &all);
	const char *at = strstr(all.p, text);
	if (!at)
		return false;
	int y = 0;
	const char *row = all.p;
	for (const char *p = all.p; p < at; p++)
		if (*p == '\n')
			y++, row = p + 1;
	click(s, rs_utf8_width(row, (size_t)(at - row)), y);
	return true;
}

static void test_steps_and_language(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, RS_LANG_EN, false);
	assert_true(shows(&s, "A program in ring 3"));
	keys(&s, "L");
	assert_true(shows(&s, "特權環 3 的程式"));
	assert_true(shows(&s, "觀察"));
	keys(&s, "n");
	assert_int_equal(eng_session_step(s.session), 1);
	assert_true(shows(&s, "先想一想。"));
	tui_app_key(s.app, TUI_K_LEFT);
	assert_int_equal(eng_session_step(s.session), 0);
	keys(&s, "N"); /* there is none before the first */
	assert_int_equal(eng_session_step(s.session), 0);
	keys(&s, "nnnnnn");
	assert_int_equal(eng_session_step(s.session), 3);
	assert_true(click_on(&s, "2 預測"));
	assert_int_equal(eng_session_step(s.session), 1);
	scene_close(&s);
}

static void test_prediction(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, RS_LANG_EN, false);
	keys(&s, "n");
	keys(&s, "r"); /* first the question */
	assert_true(shows(&s, "First the question"));
	assert_int_equal(s.app->ls.focus, TUI_FOCUS_TASK);
	keys(&s, "1x");
	assert_int_equal(s.app->prompt, TUI_PROMPT_GUESS);
	keys(&s, "\n");
	assert_true(shows(&s, "The answer is a number."));
	keys(&s, "\n18");
	assert_true(shows(&s, "your answer: 18"));
	tui_app_key(s.app, TUI_K_BACKSPACE);
	keys(&s, "9\n");
	const struct eng_prediction *p = eng_session_prediction(s.session, 1);
	assert_true(p->made);
	assert_int_equal(p->guess, 19);
	assert_true(shows(&s, "You expect 19."));
	/* Esc leaves the answer as it was */
	keys(&s, "\n5\033");
	assert_int_equal(p->guess, 19);
	/* choices: digits and arrows select, Enter answers */
	keys(&s, "n2");
	assert_int_equal(s.app->ls.choice, 1);
	tui_app_key(s.app, TUI_K_DOWN);
	keys(&s, "\n");
	assert_int_equal(eng_session_prediction(s.session, 2)->guess, 2);
	assert_true(click_on(&s, "In the IDT"));
	assert_true(click_on(&s, "In the IDT"));
	assert_int_equal(eng_session_prediction(s.session, 2)->guess, 0);
	scene_close(&s);
}

static void test_hints(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, RS_LANG_EN, false);
	tui_grid_resize(&s.grid, 120, 40);
	keys(&s, "nnn");
	scene_verdicts(&s);
	assert_false(shows(&s, "Move the loop"));
	keys(&s, "h");
	assert_int_equal(s.app->ls.check, 1); /* the first check has no hints */
	assert_true(shows(&s, "Move the loop"));
	assert_false(shows(&s, "Compare EAX"));
	keys(&s, "h");
	assert_true(shows(&s, "Compare EAX"));
	keys(&s, "h");
	assert_true(shows(&s, "There is no further hint."));
	assert_true(shows(&s, "wanted"));
	assert_true(shows(&s, "found 3"));
	scene_close(&s);
}

static void test_panes_and_focus(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, RS_LANG_EN, false);
	scene_run_to_pause(&s);
	assert_true(shows(&s, "ring 3 · programs")); /* 80x24: one pane */
	keys(&s, "\t\t");
	assert_true(shows(&s, "cpu.ring"));
	assert_false(shows(&s, "ring 3 · programs"));
	keys(&s, "z");
	assert_false(shows(&s, "A program in ring 3"));
	keys(&s, "q"); /* back from the zoom, not from the lesson */
	assert_true(shows(&s, "A program in ring 3"));
	/* the timeline follows until the student moves, and again after End */
	struct tui_pane_state *st = &s.app->ls.pane[ENG_VIEW_timeline];
	int last = (int)s.app->ls.model->events.n - 1;
	assert_int_equal(st->sel, last);
	tui_app_key(s.app, TUI_K_UP);
	scene_run_to_end(&s);
	shows(&s, "");
	assert_int_equal(st->sel, last - 1);
	tui_app_key(s.app, TUI_K_END);
	shows(&s, "");
	assert_int_equal(st->sel, (int)s.app->ls.model->events.n - 1);
	tui_app_key(s.app, TUI_K_HOME);
	shows(&s, "");
	assert_int_equal(st->sel, 0);
	assert_int_equal(st->top, 0);
	/* v adds a view that the lesson did not ask for */
	int views = s.app->ls.views;
	keys(&s, "v");
	assert_int_equal(s.app->ls.views, views + 1);
	assert_int_equal(s.app->ls.focus, views);
	shows(&s, "");
	scene_close(&s);
}

static void test_mouse(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, RS_LANG_EN, false);
	tui_grid_resize(&s.grid, 120, 40);
	scene_run_to_pause(&s);
	assert_true(click_on(&s, "vm.pio"));
	assert_int_equal(s.app->ls.view[s.app->ls.focus], ENG_VIEW_timeline);
	shows(&s, "");
	const struct rs_event *ev = tui_ring_at(&s.app->ls.model->events,
						(unsigned)s.app->ls.pane[ENG_VIEW_timeline].sel);
	assert_int_equal(ev->kind, RS_EV_VM_PIO);
	struct tui_input wheel = { .type = TUI_IN_MOUSE, .mouse = TUI_MOUSE_WHEEL_UP, .x = 60, .y = 30 };
	int sel = s.app->ls.pane[ENG_VIEW_timeline].sel;
	tui_app_input(s.app, &wheel);
	shows(&s, "");
	assert_int_equal(s.app->ls.pane[ENG_VIEW_timeline].sel, sel - 3);
	assert_true(click_on(&s, "help")); /* a hint of the footer */
	assert_true(s.app->help);
	assert_true(shows(&s, "Let the running guest stand still"));
	click(&s, 0, 0);
	assert_false(s.app->help);
	/* everywhere: a click never does harm */
	for (int y = 0; y < 40; y++)
		for (int x = 0; x < 120; x += 3) {
			click(&s, x, y);
			s.app->prompt = TUI_PROMPT_NONE;
			s.app->want = TUI_WANT_NOTHING;
			if (x % 30 == 0)
				scene_draw(&s, 120, 40);
		}
	scene_close(&s);
}

/* Every key, on every screen, at awkward sizes: nothing breaks. */
static void test_any_key(void **state)
{
	static const int sizes[][2] = { { 80, 24 }, { 1, 1 }, { 60, 16 }, { 77, 17 }, { 200, 60 } };
	unsigned seed = 7;
	(void)state;
	struct scene s;
	scene_open(&s, RS_LANG_EN, false);
	scene_run_to_pause(&s);
	for (int i = 0; i < 6000; i++) {
		seed = seed * 1103515245u + 12345u;
		unsigned r = seed >> 16;
		int k = r % 3 ? (int)(' ' + r % 95) : TUI_K_UP + (int)(r % 12);
		/* not the ones that need a compiler: run, step, restart */
		if (k == 'r' || k == 's' || k == 'x' || k == TUI_K_F1 + 4)
			k = TUI_K_TAB;
		if (r % 17 == 0)
			k = TUI_K_ENTER;
		tui_app_key(s.app, k);
		s.app->want = TUI_WANT_NOTHING;
		const int *z = sizes[(r >> 4) % 5];
		if (i % 3 == 0)
			scene_draw(&s, z[0], z[1]);
		if (i % 500 == 0)
			scene_run_to_pause(&s);
	}
	scene_close(&s);
}

static void test_paste_is_no_command(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, RS_LANG_EN, false);
	struct tui_input in = { .type = TUI_IN_KEY, .key = 'n', .pasted = true };
	tui_app_input(s.app, &in);
	assert_int_equal(eng_session_step(s.session), 0);
	scene_close(&s);
}

/* An error of several lines is shown whole, and goes with the next key. */
static void test_notices(void **state)
{
	struct scene s;
	struct rs_err e = RS_ERR_INIT;
	(void)state;
	scene_open(&s, RS_LANG_EN, false);
	rs_err_at(&e, -EINVAL, "guest.S", 12, 3, "%s %s %s", "a long explanation of what went wrong,",
		  "longer than the footer has room for on a screen of eighty columns,",
		  "with its end in sight");
	tui_app_fail(s.app, &e);
	assert_true(shows(&s, "guest.S:12:3"));
	assert_true(shows(&s, "end in sight"));
	assert_true(tui_app_timeout(s.app) > 0);
	keys(&s, "L");
	assert_false(shows(&s, "guest.S:12:3"));
	/* an idle lab has nothing to wake up for */
	assert_int_equal(tui_app_timeout(s.app), -1);
	scene_close(&s);
}

static void test_lost_events(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, RS_LANG_EN, false);
	tui_grid_resize(&s.grid, 120, 40);
	scene_run_to_pause(&s);
	assert_false(shows(&s, "dropped"));
	struct rs_counters c = { 0 };
	c.v[RS_CTR_EVENTS_LOST] = 1234;
	rs_bus_counters(eng_session_bus(s.session), &c, 500000000);
	assert_true(shows(&s, "the live view dropped 1,234 events"));
	scene_close(&s);
}

/* ---- the lesson list, on lessons of its own ---- */

struct labs {
	char dir[64];
	struct tui_app *app;
	struct tui_grid grid;
};

static void lesson_write(const char *dir, const char *folder, const char *id, const char *title,
			 const char *zh, const char *track)
{
	struct rs_err err = RS_ERR_INIT;
	rs_auto_free char *sub = rs_xasprintf("%s/labs/%s", dir, folder);
	rs_auto_free char *path = rs_xasprintf("%s/lesson.yaml", sub);
	rs_auto_free char *src = rs_xasprintf("%s/guest.S", sub);
	rs_auto_free char *sol = rs_xasprintf("%s/solution", sub);
	rs_auto_free char *sol_src = rs_xasprintf("%s/guest.S", sol);
	rs_auto_str y = RS_STR_INIT;
	rs_str_addf(&y,
		    "schema: ringside/lesson/v1\nid: %s\ntitle: {en: %s, zh-TW: %s}\n"
		    "summary: {en: About %s., zh-TW: 說明。}\ntrack: %s\nminutes: 5\n"
		    "files: {starter: [guest.S], solution: [guest.S]}\n"
		    "steps:\n  - id: a\n    text: {en: Text., zh-TW: 文字。}\n"
		    "    run: {vm: {source: guest.S, entry: long64, memory: 4M}}\n    views: [rings]\n",
		    id, title, zh, title, track);
	assert_int_equal(rs_mkdirs(sub, &err), 0);
	assert_int_equal(rs_mkdirs(sol, &err), 0);
	assert_int_equal(rs_file_save(path, y.p, y.len, &err), 0);
	assert_int_equal(rs_file_save(src, "hlt\n", 4, &err), 0);
	assert_int_equal(rs_file_save(sol_src, "hlt\n", 4, &err), 0);
}

static void labs_open(struct labs *l)
{
	struct rs_err err = RS_ERR_INIT;
	strcpy(l->dir, "/tmp/ringside-labs-XXXXXX");
	assert_non_null(mkdtemp(l->dir));
	lesson_write(l->dir, "201-one", "one", "The first", "第一課", "rings");
	lesson_write(l->dir, "202-two", "two", "The second", "第二課", "rings");
	lesson_write(l->dir, "302-three", "three", "The third", "第三課", "levels");
	rs_auto_free char *labs = rs_xasprintf("%s/labs", l->dir);
	setenv("RINGSIDE_LABS", labs, 1);
	setenv("XDG_STATE_HOME", l->dir, 1);
	setenv("XDG_DATA_HOME", l->dir, 1);
	setenv("XDG_CACHE_HOME", l->dir, 1);
	l->app = tui_app_new(RS_LANG_EN, false, NULL, &err);
	if (!l->app)
		fail_msg("%s", err.text[0]);
	tui_grid_init(&l->grid, 80, 24, false);
}

static void labs_close(struct labs *l)
{
	struct rs_err err = RS_ERR_INIT;
	tui_app_free(l->app);
	tui_grid_release(&l->grid);
	rs_rmtree(l->dir, &err);
}

static bool list_shows(struct labs *l, const char *text)
{
	rs_auto_str all = RS_STR_INIT;
	tui_app_draw(l->app, &l->grid);
	tui_grid_dump(&l->grid, false, &all);
	return strstr(all.p, text) != NULL;
}

static const char *selected(struct labs *l)
{
	const struct tui_entry *e = tui_list_selected(l->app);
	return e ? e->lesson->id : "";
}

static void test_list(void **state)
{
	struct labs l;
	(void)state;
	labs_open(&l);
	assert_true(list_shows(&l, "The first"));
	assert_true(list_shows(&l, "The five levels"));
	assert_string_equal(selected(&l), "one");
	tui_app_key(l.app, TUI_K_DOWN);
	assert_string_equal(selected(&l), "two");
	tui_app_key(l.app, TUI_K_DOWN); /* over the heading */
	assert_string_equal(selected(&l), "three");
	tui_app_key(l.app, TUI_K_DOWN);
	assert_string_equal(selected(&l), "three");
	tui_app_key(l.app, TUI_K_HOME);
	assert_string_equal(selected(&l), "one");
	tui_app_key(l.app, TUI_K_END);
	assert_string_equal(selected(&l), "three");
	/* search in both languages, live */
	for (const char *k = "/SECOND"; *k; k++)
		tui_app_key(l.app, *k);
	assert_string_equal(selected(&l), "two");
	assert_false(list_shows(&l, "The third"));
	tui_app_key(l.app, TUI_K_ESC);
	assert_true(list_shows(&l, "The third"));
	tui_app_key(l.app, '/');
	tui_app_key(l.app, 0x7b2c); /* 第 */
	tui_app_key(l.app, 0x4e09); /* 三 */
	assert_string_equal(selected(&l), "three");
	tui_app_key(l.app, TUI_K_ENTER);
	assert_true(list_shows(&l, "/第三"));
	/* Enter opens it, q comes back to the filtered list, q again lifts the filter, then leaves */
	tui_app_key(l.app, TUI_K_ENTER);
	assert_int_equal(l.app->screen, TUI_IN_LESSON);
	assert_true(list_shows(&l, "302 The third"));
	tui_app_key(l.app, 'q');
	assert_int_equal(l.app->screen, TUI_IN_LIST);
	assert_false(list_shows(&l, "The first"));
	tui_app_key(l.app, 'q');
	assert_true(list_shows(&l, "The first"));
	assert_int_equal(l.app->want, TUI_WANT_NOTHING);
	tui_app_key(l.app, 'q');
	assert_int_equal(l.app->want, TUI_WANT_LEAVE);
	/* nothing matches */
	for (const char *k = "/zzz"; *k; k++)
		tui_app_key(l.app, *k);
	assert_true(list_shows(&l, "No lesson matches."));
	tui_app_key(l.app, TUI_K_ENTER);
	tui_app_key(l.app, TUI_K_ENTER);
	assert_int_equal(l.app->screen, TUI_IN_LIST);
	labs_close(&l);
}

/* A student's progress is kept, and c goes on with it. */
static void test_resume(void **state)
{
	struct labs l;
	struct rs_err err = RS_ERR_INIT;
	(void)state;
	labs_open(&l);
	tui_app_key(l.app, 'c');
	assert_int_equal(l.app->screen, TUI_IN_LIST);
	assert_true(list_shows(&l, "No lesson was begun"));
	tui_app_key(l.app, TUI_K_DOWN);
	tui_app_key(l.app, TUI_K_ENTER);
	tui_app_goto(l.app, 0); /* as any step that is reached */
	tui_app_free(l.app);
	l.app = tui_app_new(RS_LANG_EN, false, NULL, &err);
	assert_non_null(l.app);
	assert_string_equal(selected(&l), "two");
	assert_true(list_shows(&l, "so far:"));
	tui_app_key(l.app, TUI_K_HOME);
	tui_app_key(l.app, 'c');
	assert_int_equal(l.app->screen, TUI_IN_LESSON);
	assert_string_equal(l.app->ls.lesson->id, "two");
	labs_close(&l);
}

/* One lesson that is broken does not take the others with it, and is named. */
static void test_broken_lesson(void **state)
{
	struct labs l;
	struct rs_err err = RS_ERR_INIT;
	(void)state;
	labs_open(&l);
	rs_auto_free char *path = rs_xasprintf("%s/labs/202-two/lesson.yaml", l.dir);
	assert_int_equal(rs_file_save(path, "schema: [\n", 10, &err), 0);
	tui_app_free(l.app);
	l.app = tui_app_new(RS_LANG_EN, false, NULL, &err);
	assert_non_null(l.app);
	assert_int_equal(l.app->bads, 1);
	assert_true(list_shows(&l, "The third"));
	assert_true(list_shows(&l, "cannot be loaded"));
	tui_app_free(l.app);
	l.app = tui_app_new(RS_LANG_EN, false, "nothing-like-it", &err);
	assert_null(l.app);
	assert_int_equal(err.code, -ENOENT);
	labs_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps_and_language), cmocka_unit_test(test_prediction),
		cmocka_unit_test(test_hints),              cmocka_unit_test(test_panes_and_focus),
		cmocka_unit_test(test_mouse),              cmocka_unit_test(test_any_key),
		cmocka_unit_test(test_paste_is_no_command), cmocka_unit_test(test_notices),
		cmocka_unit_test(test_lost_events),        cmocka_unit_test(test_list),
		cmocka_unit_test(test_resume),             cmocka_unit_test(test_broken_lesson),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
