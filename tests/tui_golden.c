/* Screens as text, compared with tests/golden/. GOLDEN_UPDATE=1 writes them anew; look at the
 * difference before you commit it. A file holds the screen, then the letters of its styles and
 * backgrounds (tui/theme.def).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "engine/base/file.h"
#include "tests/tui_scene.h"

static void compare(struct scene *s, const char *name, int w, int h)
{
	rs_auto_str have = RS_STR_INIT, want = RS_STR_INIT;
	rs_auto_free char *path = rs_xasprintf("tests/golden/%s-%dx%d.txt", name, w, h);
	struct rs_err err = RS_ERR_INIT;
	scene_draw(s, w, h);
	tui_grid_dump(&s->grid, true, &have);
	if (getenv("GOLDEN_UPDATE")) {
		assert_int_equal(rs_file_save(path, have.p, have.len, &err), 0);
		return;
	}
	if (rs_file_read(path, 1 << 20, &want, &err) < 0)
		fail_msg("%s: %s", path, err.text[0]);
	if (have.len == want.len && !memcmp(have.p, want.p, have.len))
		return;
	/* the first row that differs says most */
	const char *a = have.p, *b = want.p;
	for (int row = 0; *a || *b; row++) {
		size_t na = strcspn(a, "\n"), nb = strcspn(b, "\n");
		if (na != nb || memcmp(a, b, na))
			fail_msg("%s:%d differs\n  now:    %.*s\n  golden: %.*s", path, row + 1, (int)na, a,
				 (int)nb, b);
		a += na + (a[na] == '\n');
		b += nb + (b[nb] == '\n');
	}
}

static const struct {
	int w, h;
} sizes[] = { { 80, 24 }, { 120, 40 }, { 200, 60 } };

static void all_sizes(const char *name, void (*prepare)(struct scene *))
{
	for (int lang = 0; lang < RS_LANGS; lang++)
		for (size_t i = 0; i < 3; i++) {
			struct scene s;
			rs_auto_free char *file = rs_xasprintf("%s-%s", name, rs_lang_name((enum rs_lang)lang));
			scene_open(&s, (enum rs_lang)lang, false);
			scene_draw(&s, sizes[i].w, sizes[i].h);
			prepare(&s);
			s.app->have_notice = false;
			compare(&s, file, sizes[i].w, sizes[i].h);
			scene_close(&s);
		}
}

static void watch_fresh(struct scene *s)
{
	(void)s;
}

static void watch_paused(struct scene *s)
{
	scene_run_to_pause(s);
	s->app->ls.focus = 0;
}

static void predict(struct scene *s)
{
	tui_app_goto(s->app, 1);
	tui_app_key(s->app, '7');
	tui_app_key(s->app, TUI_K_ENTER);
}

static void choices(struct scene *s)
{
	tui_app_goto(s->app, 2);
	tui_app_key(s->app, '2');
}

static void task_failed(struct scene *s)
{
	tui_app_goto(s->app, 3);
	scene_run_to_pause(s);
	scene_run_to_end(s);
	scene_verdicts(s);
	tui_app_key(s->app, 'h');
}

static void help(struct scene *s)
{
	tui_app_key(s->app, '?');
}

static void test_lesson_screens(void **state)
{
	(void)state;
	all_sizes("watch", watch_fresh);
	all_sizes("paused", watch_paused);
	all_sizes("predict", predict);
	all_sizes("choices", choices);
	all_sizes("task", task_failed);
	all_sizes("help", help);
}

/* Every view at a size where it stands alone. */
static void test_panes(void **state)
{
	(void)state;
	for (int v = 0; v < ENG_VIEW_COUNT; v++) {
		struct scene s;
		rs_auto_free char *name = rs_xasprintf("pane-%s", eng_view_infos[v].name);
		scene_open(&s, RS_LANG_EN, false);
		scene_run_to_pause(&s);
		scene_run_to_end(&s);
		s.app->ls.extra = v;
		tui_app_sync(s.app);
		for (int i = 0; i < s.app->ls.views; i++)
			if ((int)s.app->ls.view[i] == v)
				s.app->ls.focus = i;
		s.app->ls.zoom = true;
		compare(&s, name, 96, 30);
		scene_close(&s);
	}
}

static void test_ascii(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, RS_LANG_ZH_TW, true); /* Chinese cannot be shown: English instead */
	scene_run_to_pause(&s);
	compare(&s, "ascii", 80, 24);
	for (int i = 0; i < s.grid.w * s.grid.h; i++)
		assert_true((unsigned char)s.grid.cell[i].ch[0] < 0x80);
	scene_close(&s);
}

static void test_small(void **state)
{
	static const struct {
		int w, h;
	} small[] = { { 60, 16 }, { 59, 16 }, { 20, 5 }, { 1, 1 } };
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct scene s;
		scene_open(&s, RS_LANG_EN, false);
		scene_run_to_pause(&s);
		compare(&s, "small", small[i].w, small[i].h);
		scene_close(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lesson_screens),
		cmocka_unit_test(test_panes),
		cmocka_unit_test(test_ascii),
		cmocka_unit_test(test_small),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
