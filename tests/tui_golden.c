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
#include "tests/tui_emu_scene.h"

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

static void all_sizes_of(const char *yaml, const char *name, void (*prepare)(struct scene *))
{
	for (int lang = 0; lang < RS_LANGS; lang++)
		for (size_t i = 0; i < 3; i++) {
			struct scene s;
			rs_auto_free char *file = rs_xasprintf("%s-%s", name, rs_lang_name((enum rs_lang)lang));
			scene_open_text(&s, yaml, (enum rs_lang)lang, false);
			scene_draw(&s, sizes[i].w, sizes[i].h);
			prepare(&s);
			s.app->have_notice = false;
			compare(&s, file, sizes[i].w, sizes[i].h);
			scene_close(&s);
		}
}

static void all_sizes(const char *name, void (*prepare)(struct scene *))
{
	all_sizes_of(scene_yaml, name, prepare);
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

/* ---- the translator ---- */

static void translator(struct scene *s, enum eng_view view)
{
	emu_scene_run(s, true);
	tui_app_sync(s->app);
	for (int i = 0; i < s->app->ls.views; i++)
		if (s->app->ls.view[i] == view)
			s->app->ls.focus = i;
}

static void stages(struct scene *s)
{
	translator(s, ENG_VIEW_stages);
}

static void blocks(struct scene *s)
{
	translator(s, ENG_VIEW_blocks);
}

static void cache(struct scene *s)
{
	translator(s, ENG_VIEW_cache);
}

static void guest_registers(struct scene *s)
{
	translator(s, ENG_VIEW_guest);
}

/* Narrow panes show the rest when the student moves sideways; the whole screen has room for all. */
static void stages_right(struct scene *s)
{
	stages(s);
	scene_draw(s, s->grid.w, s->grid.h);
	tui_app_key(s->app, TUI_K_RIGHT);
	tui_app_key(s->app, TUI_K_RIGHT);
}

static void blocks_hottest(struct scene *s)
{
	blocks(s);
	scene_draw(s, s->grid.w, s->grid.h);
	tui_app_key(s->app, TUI_K_RIGHT);
	tui_app_key(s->app, 'z');
}

static void blocks_zoomed(struct scene *s)
{
	blocks(s);
	s->app->ls.zoom = true;
}

static void stages_zoomed(struct scene *s)
{
	stages(s);
	s->app->ls.zoom = true;
}

static void nothing_yet(struct scene *s)
{
	s->app->ls.focus = 1;
}

static void test_translator(void **state)
{
	(void)state;
	all_sizes_of(emu_scene_yaml, "emu-fresh", nothing_yet);
	all_sizes_of(emu_scene_yaml, "emu-stages", stages);
	all_sizes_of(emu_scene_yaml, "emu-stages-right", stages_right);
	all_sizes_of(emu_scene_yaml, "emu-stages-zoom", stages_zoomed);
	all_sizes_of(emu_scene_yaml, "emu-blocks", blocks);
	all_sizes_of(emu_scene_yaml, "emu-blocks-hottest", blocks_hottest);
	all_sizes_of(emu_scene_yaml, "emu-blocks-zoom", blocks_zoomed);
	all_sizes_of(emu_scene_yaml, "emu-cache", cache);
	all_sizes_of(emu_scene_yaml, "emu-guest-registers", guest_registers);
}

static void test_translator_ascii(void **state)
{
	static void (*const prepare[])(struct scene *) = { stages, blocks_zoomed, cache };
	static const char *const names[] = { "emu-ascii-stages", "emu-ascii-blocks", "emu-ascii-cache" };
	(void)state;
	for (size_t k = 0; k < 3; k++) {
		struct scene s;
		scene_open_text(&s, emu_scene_yaml, RS_LANG_EN, true);
		prepare[k](&s);
		compare(&s, names[k], 120, 40);
		int unknown = 0;
		for (int i = 0; i < s.grid.w * s.grid.h; i++) {
			assert_true((unsigned char)s.grid.cell[i].ch[0] < 0x80);
			unknown += s.grid.cell[i].ch[0] == '?';
		}
		assert_int_equal(unknown, 1); /* the key of the help; every other sign has a likeness */
		scene_close(&s);
	}
}

/* Every view of a machine at a size where it stands alone. */
static void test_panes(void **state)
{
	(void)state;
	for (int v = 0; v < ENG_VIEW_COUNT; v++) {
		struct scene s;
		rs_auto_free char *name = rs_xasprintf("pane-%s", eng_view_infos[v].name);
		scene_open(&s, RS_LANG_EN, false);
		if (!eng_view_fits((enum eng_view)v, s.lesson->step[0].run)) {
			scene_close(&s);
			continue;
		}
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
		cmocka_unit_test(test_translator),
		cmocka_unit_test(test_translator_ascii),
		cmocka_unit_test(test_small),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
