/* The parts below the screens: grid, line breaking, Markdown, keys, themes, layout, actions, model.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/tui_scene.h"
#include "tui/text.h"

/* ---- grid ---- */

static void row_is(const struct tui_grid *g, int y, const char *want)
{
	rs_auto_str s = RS_STR_INIT;
	for (int x = 0; x < g->w; x++)
		rs_str_add(&s, tui_grid_at(g, x, y)->ch);
	while (s.len && s.p[s.len - 1] == ' ')
		s.p[--s.len] = 0;
	assert_string_equal(s.p, want);
}

static void test_grid_wide(void **state)
{
	struct tui_grid g;
	(void)state;
	tui_grid_init(&g, 10, 2, false);
	struct tui_area a = tui_area_all(&g);
	assert_int_equal(tui_put(a, 0, 0, TUI_S_TEXT, "特權環"), 6);
	row_is(&g, 0, "特權環");
	assert_int_equal(tui_grid_at(&g, 0, 0)->width, 2);
	assert_int_equal(tui_grid_at(&g, 1, 0)->width, 0);
	/* writing over one half blanks the other */
	tui_put(a, 1, 0, TUI_S_TEXT, "x");
	row_is(&g, 0, " x權環");
	tui_put(a, 4, 0, TUI_S_TEXT, "y");
	row_is(&g, 0, " x權y");
	assert_int_equal(tui_grid_at(&g, 5, 0)->width, 1); /* no half is left over */
	/* cut by columns, never in the middle of a character */
	tui_grid_clear(&g);
	assert_int_equal(tui_put_max(a, 0, 0, 5, TUI_S_TEXT, "特權環"), 5);
	row_is(&g, 0, "特權…");
	assert_int_equal(tui_put_max(a, 0, 1, 6, TUI_S_TEXT, "特權環"), 6);
	row_is(&g, 1, "特權環");
	tui_grid_clear(&g);
	assert_int_equal(tui_put_max(a, 0, 0, 4, TUI_S_TEXT, "特權環"), 3);
	row_is(&g, 0, "特…");
	/* a wide character does not fit into the last column */
	tui_grid_clear(&g);
	tui_put_raw(a, 9, 0, 5, TUI_S_TEXT, "環", 3);
	row_is(&g, 0, "");
	tui_grid_release(&g);
}

static void test_grid_clip(void **state)
{
	struct tui_grid g;
	(void)state;
	tui_grid_init(&g, 8, 3, false);
	struct tui_area a = tui_area_sub(tui_area_all(&g), 2, 1, 4, 1);
	tui_put(a, 0, 0, TUI_S_TEXT, "abcdefgh");
	tui_put(a, 0, 1, TUI_S_TEXT, "no");
	tui_put(a, 0, -1, TUI_S_TEXT, "no");
	row_is(&g, 0, "");
	row_is(&g, 1, "  abc…");
	row_is(&g, 2, "");
	struct tui_area none = tui_area_sub(a, 3, 0, 100, 100);
	assert_int_equal(none.w, 1);
	assert_int_equal(tui_area_sub(a, 9, 9, 3, 3).w, 0);
	/* an escape sequence of a guest never reaches the terminal */
	tui_grid_clear(&g);
	tui_put(tui_area_all(&g), 0, 0, TUI_S_TEXT, "a\033[2Jb");
	row_is(&g, 0, "a·[2Jb");
	tui_put(tui_area_all(&g), 0, 1, TUI_S_TEXT, "e\xcc\x81x\xff");
	row_is(&g, 1, "e\xcc\x81x\xef\xbf\xbd");
	tui_grid_release(&g);
}

static void test_grid_ascii(void **state)
{
	struct tui_grid g;
	(void)state;
	tui_grid_init(&g, 12, 3, true);
	struct tui_area a = tui_area_all(&g);
	tui_frame(a, TUI_S_BORDER, false);
	row_is(&g, 0, "+----------+");
	tui_put(a, 1, 1, TUI_S_TEXT, "● 1 → 0 環");
	row_is(&g, 1, "|* 1 > 0 ??|");
	tui_grid_release(&g);
}

/* ---- line breaking and Markdown ---- */

static void test_wrap(void **state)
{
	struct tui_grid g;
	(void)state;
	tui_grid_init(&g, 20, 6, false);
	struct tui_area a = tui_area_all(&g);
	assert_int_equal(tui_put_wrapped(a, 2, 0, 7, 9, TUI_S_FAIL, "one `two` three"), 3);
	row_is(&g, 0, "  one");
	row_is(&g, 1, "  `two`");
	row_is(&g, 2, "  three");
	assert_int_equal(tui_grid_at(&g, 2, 2)->style, TUI_S_FAIL);
	assert_int_equal(tui_wrap_rows("one `two` three", 7), 3);
	/* what is left over shows: behind the last row's text, or in its last column */
	tui_grid_clear(&g);
	assert_int_equal(tui_put_wrapped(a, 1, 0, 7, 2, TUI_S_TEXT, "one three five seven"), 2);
	row_is(&g, 0, " one");
	row_is(&g, 1, " three…");
	assert_int_equal(tui_put_wrapped(a, 1, 2, 4, 1, TUI_S_TEXT, "abcdefgh"), 1);
	row_is(&g, 2, " abc…");
	assert_int_equal(tui_put_wrapped(a, 1, 3, 4, 1, TUI_S_TEXT, "特權環"), 1);
	row_is(&g, 3, " 特…");
	assert_int_equal(tui_put_centered(a, 4, 8, TUI_S_TEXT, "in the middle"), 2);
	row_is(&g, 4, "       in the");
	row_is(&g, 5, "       middle");
	assert_int_equal(tui_wrap_rows("", 5), 0);
	tui_grid_release(&g);
}

static void test_markdown(void **state)
{
	tui_auto_lines l = { 0 };
	struct tui_grid g;
	(void)state;
	tui_grid_init(&g, 20, 9, false);
	tui_lines_md("A **b** `c` *d*\nline.\n\n- one\n  - two\n- 2 * 3\n\n```\nx  y\n```\n# `e` f", 20, &l);
	tui_lines_draw(tui_area_all(&g), &l, 0);
	row_is(&g, 0, "A b c d line.");
	row_is(&g, 1, "");
	row_is(&g, 2, "• one");
	row_is(&g, 3, "  • two");
	row_is(&g, 4, "• 2 * 3");
	row_is(&g, 6, "  x  y");
	row_is(&g, 8, "e f");
	assert_int_equal(l.n, 9);
	assert_int_equal(tui_grid_at(&g, 2, 0)->style, TUI_S_STRONG);
	assert_int_equal(tui_grid_at(&g, 4, 0)->style, TUI_S_CODE);
	assert_int_equal(tui_grid_at(&g, 6, 0)->style, TUI_S_ACCENT);
	assert_int_equal(tui_grid_at(&g, 8, 0)->style, TUI_S_TEXT);
	assert_int_equal(tui_grid_at(&g, 2, 3)->style, TUI_S_DIM);
	assert_int_equal(tui_grid_at(&g, 2, 6)->style, TUI_S_CODE);
	assert_int_equal(tui_grid_at(&g, 19, 6)->back, TUI_B_CODE);
	assert_int_equal(tui_grid_at(&g, 19, 5)->back, TUI_B_BASE);
	assert_int_equal(tui_grid_at(&g, 0, 8)->style, TUI_S_CODE);
	assert_int_equal(tui_grid_at(&g, 2, 8)->style, TUI_S_ACCENT);
	tui_grid_clear(&g);
	tui_lines_draw(tui_area_all(&g), &l, 4); /* scrolled */
	row_is(&g, 0, "• 2 * 3");
	tui_grid_release(&g);
}

/* ---- keys ---- */

static void feed(struct tui_decoder *d, const char *s)
{
	tui_decoder_feed(d, s, strlen(s));
}

static void next_is(struct tui_decoder *d, bool flush, int key)
{
	struct tui_input in;
	if (key < 0) {
		assert_false(tui_decoder_next(d, flush, &in));
		return;
	}
	assert_true(tui_decoder_next(d, flush, &in));
	assert_int_equal(in.type, TUI_IN_KEY);
	assert_int_equal(in.key, key);
}

static void test_keys(void **state)
{
	struct tui_decoder d = { 0 };
	struct tui_input in;
	(void)state;
	feed(&d, "r\033[A\033OB\033[5~\033[1;5C\t\033[Z\r\x7f\x1a中");
	next_is(&d, false, 'r');
	next_is(&d, false, TUI_K_UP);
	next_is(&d, false, TUI_K_DOWN);
	next_is(&d, false, TUI_K_PGUP);
	next_is(&d, false, TUI_K_RIGHT | TUI_K_CTRL);
	next_is(&d, false, TUI_K_TAB);
	next_is(&d, false, TUI_K_BACKTAB);
	next_is(&d, false, TUI_K_ENTER);
	next_is(&d, false, TUI_K_BACKSPACE);
	next_is(&d, false, TUI_K_CTRL | 'z');
	next_is(&d, false, 0x4e2d);
	next_is(&d, false, -1);
	/* a lone Esc is a key only after a while; a split sequence is one key */
	feed(&d, "\033");
	next_is(&d, false, -1);
	assert_true(tui_decoder_pending(&d));
	feed(&d, "[");
	next_is(&d, false, -1);
	feed(&d, "B");
	next_is(&d, false, TUI_K_DOWN);
	feed(&d, "\033");
	next_is(&d, true, TUI_K_ESC);
	/* an unknown sequence is swallowed whole */
	feed(&d, "\033[?1;2cq");
	next_is(&d, false, 'q');
	/* mouse: press of the left button, wheel, release */
	feed(&d, "\033[<0;5;3M\033[<65;1;1M\033[<0;5;3mx");
	assert_true(tui_decoder_next(&d, false, &in));
	assert_int_equal(in.type, TUI_IN_MOUSE);
	assert_int_equal(in.x, 4);
	assert_int_equal(in.y, 2);
	assert_true(tui_decoder_next(&d, false, &in));
	assert_int_equal(in.mouse, TUI_MOUSE_WHEEL_DOWN);
	next_is(&d, false, 'x');
	/* a paste is marked as one */
	feed(&d, "\033[200~q\033[201~q");
	assert_true(tui_decoder_next(&d, false, &in));
	assert_true(in.pasted);
	assert_true(tui_decoder_next(&d, false, &in));
	assert_false(in.pasted);
	/* the terminal says that its background is light */
	feed(&d, "\033]11;rgb:ffff/fafa/f0f0\033\\");
	assert_true(tui_decoder_next(&d, false, &in));
	assert_int_equal(in.type, TUI_IN_BACKGROUND);
	assert_true(in.light);
	feed(&d, "\033]11;rgb:10/10/20\a");
	assert_true(tui_decoder_next(&d, false, &in));
	assert_false(in.light);
}

/* Whatever arrives, the decoder ends, and never grows. */
static void test_keys_garbage(void **state)
{
	struct tui_decoder d = { 0 };
	struct tui_input in;
	unsigned seed = 1;
	(void)state;
	for (int i = 0; i < 20000; i++) {
		unsigned char b[40];
		seed = seed * 1103515245u + 12345u;
		size_t n = 1 + (seed >> 16) % sizeof(b);
		for (size_t k = 0; k < n; k++) {
			seed = seed * 1103515245u + 12345u;
			static const char likely[] = "\033\033[]O<;0123456789Mm~A\a\\";
			b[k] = (seed >> 30) ? (unsigned char)likely[(seed >> 16) % (sizeof(likely) - 1)] :
					      (unsigned char)(seed >> 16);
		}
		tui_decoder_feed(&d, b, n);
		while (tui_decoder_next(&d, i % 3 == 0, &in))
			;
		assert_true(tui_decoder_room(&d) > 0);
	}
}

/* ---- themes ---- */

static void test_theme_256(void **state)
{
	(void)state;
	assert_int_equal(tui_theme_256(0x000000), 16);
	assert_int_equal(tui_theme_256(0xffffff), 231);
	assert_int_equal(tui_theme_256(0xff0000), 196);
	assert_int_equal(tui_theme_256(0x080808), 232);
	assert_int_equal(tui_theme_256(0x87afff), 111);
}

/* WCAG 2.1, 1.4.3: relative luminance, and the ratio of text to background. */
/* v^2.4 = v^2 times the fifth root of v^2, by Newton's method. */
static double gamma_24(double v)
{
	double y = 1;
	for (int i = 0; i < 60; i++)
		y -= (y * y * y * y * y - v * v) / (5 * y * y * y * y);
	return v * v * y;
}

static double luminance(uint32_t c)
{
	double sum = 0;
	static const double weight[3] = { 0.2126, 0.7152, 0.0722 };
	for (int i = 0; i < 3; i++) {
		double v = (c >> (16 - 8 * i) & 255) / 255.0;
		double lin = v <= 0.03928 ? v / 12.92 : gamma_24((v + 0.055) / 1.055);
		sum += weight[i] * lin;
	}
	return sum;
}

static double contrast(uint32_t a, uint32_t b)
{
	double x = luminance(a) + 0.05, y = luminance(b) + 0.05;
	return x > y ? x / y : y / x;
}

/* Everything that is read has the contrast that WCAG asks for (4.5; badges and the faint and
 * framing styles, which carry no words that matter, less). */
static void test_theme_contrast(void **state)
{
	(void)state;
	for (int light = 0; light < 2; light++) {
		struct tui_theme t = { TUI_RGB, light };
		static const enum tui_back under[] = { TUI_B_BASE, TUI_B_HEADER, TUI_B_BAR, TUI_B_PANEL,
						       TUI_B_SELECT, TUI_B_SOFT, TUI_B_CODE };
		for (int s = 0; s < TUI_STYLES; s++) {
			double need = s == TUI_S_BORDER ? 1.2 : s == TUI_S_FAINT ? 2.6 : 4.5;
			if (s == TUI_S_INK)
				continue;
			for (size_t i = 0; i < sizeof(under) / sizeof(under[0]); i++) {
				struct tui_look l = tui_theme_look(&t, (enum tui_style)s, under[i]);
				double c = contrast((uint32_t)l.fg, (uint32_t)l.bg);
				if (under[i] == TUI_B_SELECT && need > 3)
					need = 3.9; /* bold or large beside it; still readable */
				if (c < need)
					fail_msg("style %c on %c, %s: contrast %.2f, wanted %.2f",
						 tui_style_letter((enum tui_style)s), tui_back_letter(under[i]),
						 light ? "light" : "dark", c, need);
			}
		}
		for (int b = TUI_B_B_IDLE; b <= TUI_B_B_FAIL; b++) {
			struct tui_look l = tui_theme_look(&t, TUI_S_INK, (enum tui_back)b);
			assert_true(contrast((uint32_t)l.fg, (uint32_t)l.bg) >= 4.5);
		}
	}
}

static void test_theme_env(void **state)
{
	(void)state;
	unsetenv("NO_COLOR");
	unsetenv("RINGSIDE_COLOR");
	unsetenv("RINGSIDE_THEME");
	unsetenv("COLORFGBG");
	unsetenv("COLORTERM");
	assert_int_equal(tui_theme_from_env(-1).depth, TUI_MONO);
	assert_int_equal(tui_theme_from_env(8).depth, TUI_16);
	assert_int_equal(tui_theme_from_env(256).depth, TUI_256);
	setenv("COLORTERM", "truecolor", 1);
	assert_int_equal(tui_theme_from_env(256).depth, TUI_RGB);
	assert_int_equal(tui_theme_from_env(-1).depth, TUI_MONO);
	setenv("NO_COLOR", "1", 1);
	assert_int_equal(tui_theme_from_env(256).depth, TUI_MONO);
	setenv("NO_COLOR", "", 1); /* no-color.org: not empty */
	assert_int_equal(tui_theme_from_env(256).depth, TUI_RGB);
	setenv("COLORFGBG", "0;15", 1);
	assert_true(tui_theme_from_env(256).light);
	setenv("RINGSIDE_THEME", "dark", 1);
	assert_false(tui_theme_from_env(256).light);
}

/* Without colours a selection, a badge and a heading still differ from plain text. */
static void test_theme_mono(void **state)
{
	(void)state;
	struct tui_theme t = { TUI_MONO, false };
	assert_true(tui_theme_look(&t, TUI_S_TEXT, TUI_B_SELECT).attr & TUI_REVERSE);
	assert_true(tui_theme_look(&t, TUI_S_INK, TUI_B_B_OK).attr & TUI_REVERSE);
	assert_int_equal(tui_theme_look(&t, TUI_S_TEXT, TUI_B_BASE).attr, 0);
	for (int s = 0; s < TUI_STYLES; s++) {
		struct tui_look l = tui_theme_look(&t, (enum tui_style)s, TUI_B_BASE);
		assert_int_equal(l.fg, -1);
		assert_int_equal(l.bg, -1);
	}
}

/* ---- actions ---- */

static void test_actions(void **state)
{
	(void)state;
	static const unsigned screens[] = { TUI_IN_LIST, TUI_IN_LESSON, TUI_IN_REPLAY, TUI_IN_TRANSLATED, TUI_IN_SIDES,
					    TUI_IN_BLOCKS, TUI_IN_PICKED, TUI_IN_PASSES };
	for (int a = 0; a < TUI_ACTIONS; a++) {
		int k;
		assert_true(tui_action_key((enum tui_action)a, 0) >= 0);
		for (unsigned i = 0; (k = tui_action_key((enum tui_action)a, i)) >= 0; i++)
			for (size_t s = 0; s < sizeof(screens) / sizeof(screens[0]); s++)
				if (tui_action_infos[a].screens & screens[s]) /* no key has two meanings */
					assert_int_equal(tui_action_of_key(k, screens[s]), a);
		/* every row's words exist in Chinese, too */
		assert_string_not_equal(rs_tr(RS_LANG_ZH_TW, tui_action_infos[a].sentence),
					tui_action_infos[a].sentence);
		assert_string_not_equal(rs_tr(RS_LANG_ZH_TW, tui_action_infos[a].name),
					tui_action_infos[a].name);
	}
	assert_int_equal(tui_action_of_key('r', TUI_IN_LIST), TUI_ACTIONS);
}

/* ---- layout ---- */

static void test_layout(void **state)
{
	static const enum eng_view all[] = { ENG_VIEW_rings, ENG_VIEW_timeline, ENG_VIEW_code,
					     ENG_VIEW_serial, ENG_VIEW_registers, ENG_VIEW_memory,
					     ENG_VIEW_exits, ENG_VIEW_calls, ENG_VIEW_output,
					     ENG_VIEW_stages, ENG_VIEW_blocks, ENG_VIEW_cache,
					     ENG_VIEW_guest };
	(void)state;
	for (int w = TUI_MIN_W; w < 260; w += 7)
		for (int h = TUI_MIN_H; h < 90; h += 3)
			for (int views = 0; views <= 13; views++)
				for (int focus = -2; focus < views; focus++)
					for (int flags = 0; flags < 4; flags++) {
						struct tui_layout l;
						struct tui_layout_in in = { .w = w, .h = h, .view = all,
							.views = views, .focus = focus, .zoom = flags & 1,
							.task_rows = flags & 2 ? 30 : 0 };
						if (focus == TUI_FOCUS_TASK && !in.task_rows)
							continue;
						tui_layout_make(&l, &in);
						struct tui_rect r[TUI_PANES_MAX + 2];
						int n = 0, area = 0;
						bool seen = focus < 0;
						if (l.text.w)
							r[n++] = l.text;
						if (l.task.w)
							r[n++] = l.task;
						for (int i = 0; i < l.panes; i++) {
							r[n++] = l.pane[i].r;
							seen |= l.pane[i].view == focus;
						}
						for (int i = 0; i < n; i++) {
							assert_true(r[i].w >= 20 && r[i].h >= 4);
							assert_true(r[i].x >= 0 && r[i].y >= 2);
							assert_true(r[i].x + r[i].w <= w && r[i].y + r[i].h <= h - 2);
							area += r[i].w * r[i].h;
						}
						/* what has the focus is shown, and no place is wasted or given twice */
						assert_true(seen);
						assert_int_equal(area, w * (h - 4));
					}
	struct tui_layout l;
	struct tui_layout_in in = { .w = 80, .h = 24, .view = all, .views = 5, .focus = -2 };
	tui_layout_make(&l, &in);
	assert_int_equal(l.panes, 1);
	in.w = 120, in.h = 40;
	tui_layout_make(&l, &in);
	assert_true(l.panes >= 2 && l.panes <= 4);
	in.w = 200, in.h = 60;
	tui_layout_make(&l, &in);
	assert_true(l.panes >= 4);
}

/* ---- model ---- */

static void test_model(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, RS_LANG_EN, false);
	const struct tui_model *m = s.app->ls.model;
	assert_int_equal(m->cpl, -1);
	scene_run_to_pause(&s);
	assert_int_equal(m->state, TUI_RUN_PAUSED);
	assert_int_equal(m->cpl, 0);
	assert_int_equal(tui_model_crossings(m, 3, 0), 3);
	assert_int_equal(tui_model_exits(m, 2), 1903); /* the counter, not the two events seen */
	assert_int_equal(tui_model_exits_total(m), 2155);
	assert_string_equal(m->text[RS_STREAM_SERIAL].p, "Hi\n");
	for (unsigned i = 0; i < rs_x86_reg_count; i++) {
		const char *n = rs_x86_reg_infos[i].name;
		bool changed = !strcmp(n, "RAX") || !strcmp(n, "RIP") || !strcmp(n, "RFLAGS") ||
			       !strcmp(n, "CPL") || !strcmp(n, "CS") || !strcmp(n, "SS");
		assert_int_equal(tui_model_reg_changed(m, i), changed);
	}
	assert_true(m->mem_comparable);
	scene_run_to_end(&s);
	assert_int_equal(m->state, TUI_RUN_OVER);
	/* the next run begins anew */
	scene_event(&s, 0, RS_EV_BUILD_START, RS_SRC_ENGINE, 0, 0, 0, 0, "guest.S");
	assert_int_equal(m->state, TUI_RUN_BUILDING);
	assert_int_equal(m->crossings.n, 0);
	assert_int_equal(m->text[RS_STREAM_SERIAL].len, 0);
	assert_int_equal(tui_model_exits_total(m), 0);
	scene_close(&s);
}

/* A flood keeps the newest, and says how much went. */
static void test_model_flood(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, RS_LANG_EN, false);
	struct tui_model *m = s.app->ls.model;
	for (unsigned i = 0; i < TUI_EVENTS_MAX + 100; i++)
		scene_event(&s, i, RS_EV_VM_EXIT, RS_SRC_EXIT, 2, i, 0, 0, NULL);
	assert_int_equal(m->events.n, TUI_EVENTS_MAX);
	assert_int_equal(m->events.dropped, 100);
	assert_int_equal(tui_ring_at(&m->events, TUI_EVENTS_MAX - 1)->arg[1], TUI_EVENTS_MAX + 99);
	char line[61];
	memset(line, 'x', 59);
	line[59] = '\n';
	line[60] = 0;
	for (unsigned i = 0; i < 3 * TUI_TEXT_MAX / 60; i++)
		scene_out(&s, i, RS_STREAM_SERIAL, line);
	assert_true(m->text[RS_STREAM_SERIAL].len <= TUI_TEXT_MAX);
	assert_true(m->text_cut[RS_STREAM_SERIAL] > 0);
	/* kinds, streams and blocks out of range do no harm */
	for (unsigned k = 0; k < 300; k++)
		scene_event(&s, k, (enum rs_kind)k, RS_SRC_EXIT, ~0ull, ~0ull, ~0ull, ~0ull, "x");
	scene_draw(&s, 200, 60);
	scene_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grid_wide),    cmocka_unit_test(test_grid_clip),
		cmocka_unit_test(test_grid_ascii),   cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_markdown),     cmocka_unit_test(test_keys),
		cmocka_unit_test(test_keys_garbage), cmocka_unit_test(test_theme_256),
		cmocka_unit_test(test_theme_contrast), cmocka_unit_test(test_theme_env),
		cmocka_unit_test(test_theme_mono),   cmocka_unit_test(test_actions),
		cmocka_unit_test(test_layout),       cmocka_unit_test(test_model),
		cmocka_unit_test(test_model_flood),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
