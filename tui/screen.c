/* The frame around every screen: header, footer with the keys, overlays. */
#include <stdio.h>
#include <string.h>

#include "tui/app.h"
#include "tui/text.h"

void tui_hit_add(struct tui_app *a, struct tui_area at, enum tui_hit_type type, int arg)
{
	if (a->hits < TUI_HITS_MAX && at.w > 0 && at.h > 0)
		a->hit[a->hits++] = (struct tui_hit){ { at.x, at.y, at.w, at.h }, type, arg };
}

struct tui_area tui_draw_panel(struct tui_area a, const char *title, bool focus)
{
	tui_frame(a, focus ? TUI_S_FOCUS : TUI_S_BORDER, false);
	if (title && a.w > 6) {
		int x = 2;
		x += tui_put(a, x, 0, TUI_S_BORDER, " ");
		x += tui_put_max(a, x, 0, a.w - 6, focus ? TUI_S_ACCENT : TUI_S_STRONG, title);
		tui_put(a, x, 0, TUI_S_BORDER, " ");
	}
	return tui_area_sub(a, 2, 1, a.w - 4, a.h - 2);
}

void tui_draw_thumb(struct tui_area panel, int rows, int page, int top, bool focus)
{
	int track = panel.h - 2;
	if (rows <= page || page < 1 || track < 3)
		return;
	int size = track * page / rows < 1 ? 1 : track * page / rows;
	int at = (track - size) * top / (rows - page);
	for (int i = 0; i < size; i++)
		tui_hline(panel, panel.w - 1, 1 + at + i, 1, focus ? TUI_S_FOCUS : TUI_S_DIM, "┃");
}

int tui_draw_badge(struct tui_area a, int x, int y, enum tui_back back, const char *text)
{
	int w = tui_put(a, x, y, TUI_S_INK, " ");
	w += tui_put(a, x + w, y, TUI_S_INK, text);
	w += tui_put(a, x + w, y, TUI_S_INK, " ");
	tui_back_row(a, x, y, w, back);
	return w;
}

/* "EN 中文": which language is on; a click switches. Returns the first column. */
static int draw_languages(struct tui_app *a, struct tui_area row)
{
	if (a->ascii)
		return row.w - 1;
	int x = row.w - 9, from = x;
	bool en = a->lang == RS_LANG_EN;
	x += tui_put(row, x, 0, en ? TUI_S_STRONG : TUI_S_DIM, "EN") + 1;
	tui_put(row, x, 0, TUI_S_DIM, "·");
	tui_put(row, x + 2, 0, en ? TUI_S_DIM : TUI_S_STRONG, "中文");
	tui_hit_add(a, tui_area_sub(row, from, 0, 8, 1), TUI_HIT_ACTION, TUI_A_LANGUAGE);
	return from;
}

static unsigned points_earned(const struct tui_app *a)
{
	unsigned points = 0;
	for (unsigned i = 0; i < a->ls.lesson->steps; i++) {
		unsigned n;
		const struct eng_check_result *r = eng_session_results(a->ls.session, i, &n);
		for (unsigned k = 0; k < n; k++)
			points += r[k].points;
	}
	return points;
}

static void draw_header(struct tui_app *a, struct tui_area row)
{
	tui_fill(row, TUI_S_TEXT, TUI_B_HEADER);
	int end = draw_languages(a, row);
	char text[96];
	if (a->ls.session && a->ls.lesson->points) {
		snprintf(text, sizeof(text), tui_app_tr(a, N_("%u of %u points")), points_earned(a),
			 a->ls.lesson->points);
		end = tui_put_right(row, end - 3, 0, TUI_S_DIM, text);
	}
	int x = 1;
	x += tui_put(row, x, 0, TUI_S_ACCENT, "◉ ");
	x += tui_put(row, x, 0, TUI_S_STRONG, "Ringside") + 2;
	if (!a->ls.session) {
		if (a->w >= 70)
			tui_put_max(row, x, 0, end - x - 2, TUI_S_DIM,
				    tui_app_tr(a, N_("a virtualization lab in your terminal")));
		return;
	}
	if (a->ls.lesson->number)
		x += tui_putf(row, x, 0, TUI_S_DIM, "%d", a->ls.lesson->number) + 1;
	tui_put_max(row, x, 0, end - x - 2, TUI_S_TEXT, eng_text(&a->ls.lesson->title, a->lang));
}

/* ---- footer ---- */

static int draw_hint(struct tui_app *a, struct tui_area row, int x, enum tui_action act, bool measure)
{
	char key[16];
	const char *name = tui_app_tr(a, tui_act_name(a, act));
	tui_key_label(tui_action_key(act, 0), key, sizeof(key));
	int w = tui_width(row.g, key) + 1 + tui_width(row.g, name);
	if (measure)
		return w;
	int from = x;
	x += tui_put(row, x, 0, TUI_S_KEY, key) + 1;
	tui_put(row, x, 0, TUI_S_DIM, name);
	tui_hit_add(a, tui_area_sub(row, from, 0, w, 1), TUI_HIT_ACTION, act);
	return w;
}

static void draw_hints(struct tui_app *a, struct tui_area row)
{
	static const enum tui_action pinned[] = { TUI_A_HELP, TUI_A_QUIT };
	int end = row.w - 1;
	for (int i = 1; i >= 0; i--) {
		end -= draw_hint(a, row, 0, pinned[i], true);
		draw_hint(a, row, end, pinned[i], false);
		end -= 3;
	}
	unsigned screens = tui_act_screens(a, false);
	int x = 1;
	for (int rank = 1; rank < 20; rank++)
		for (int i = 0; i < TUI_ACTIONS; i++) {
			enum tui_action act = (enum tui_action)i;
			const struct tui_action_info *info = &tui_action_infos[i];
			if (info->rank != rank || !(info->screens & screens) || !tui_act_enabled(a, act) ||
			    tui_act_of_key(a, tui_action_key(act, 0)) != act)
				continue;
			int w = draw_hint(a, row, 0, act, true);
			if (x + w > end)
				return;
			x += draw_hint(a, row, x, act, false) + 3;
		}
}

static void draw_prompt(struct tui_app *a, struct tui_area row)
{
	static const char *const labels[] = { "", N_("search:"), N_("your answer:"), N_("address:") };
	int x = 1 + tui_put(row, 1, 0, TUI_S_ACCENT, tui_app_tr(a, labels[a->prompt])) + 1;
	x += tui_put(row, x, 0, TUI_S_STRONG, a->input.p);
	tui_put(row, x, 0, TUI_S_ACCENT, "▏");
	const char *keys = tui_app_tr(a, N_("Enter: done   Esc: cancel"));
	if (x + 4 + tui_width(row.g, keys) < row.w)
		tui_put_right(row, row.w - 1, 0, TUI_S_DIM, keys);
}

/* What the notice says, with its place if it has one. */
static const char *notice_text(const struct tui_app *a, char *buf, size_t size)
{
	if (a->notice.file[0])
		return rs_err_format(&a->notice, a->lang, buf, (unsigned)size);
	return a->notice.text[a->lang];
}

/* Needs a notice more than the footer's row? */
static bool notice_long(const struct tui_app *a, const struct tui_area all)
{
	char text[1200];
	return a->have_notice && tui_width(all.g, notice_text(a, text, sizeof(text))) > all.w - 4;
}

static void draw_footer(struct tui_app *a, struct tui_area row)
{
	tui_fill(row, TUI_S_TEXT, TUI_B_BAR);
	if (a->prompt != TUI_PROMPT_NONE) {
		draw_prompt(a, row);
	} else if (a->have_notice && !notice_long(a, row)) {
		char text[1200];
		bool bad = a->notice.code != 0;
		int x = 1 + tui_put(row, 1, 0, bad ? TUI_S_FAIL : TUI_S_OK, bad ? "✗ " : "▸ ");
		tui_put_max(row, x, 0, row.w - x - 1, TUI_S_STRONG,
			    notice_text(a, text, sizeof(text)));
	} else {
		draw_hints(a, row);
	}
}

/* ---- overlays ---- */

/* A long error needs more than the footer: it gets the rows above it. */
static void draw_long_notice(struct tui_app *a, struct tui_area all)
{
	char buf[1200];
	if (a->prompt != TUI_PROMPT_NONE || !notice_long(a, all))
		return;
	const char *text = notice_text(a, buf, sizeof(buf));
	int width = all.w - 6, rows = tui_wrap_rows(text, width);
	if (rows > all.h / 2)
		rows = all.h / 2;
	struct tui_area box = tui_area_sub(all, 0, all.h - 1 - rows - 2, all.w, rows + 2);
	tui_fill(box, TUI_S_TEXT, TUI_B_PANEL);
	tui_frame(box, a->notice.code ? TUI_S_FAIL : TUI_S_OK, false);
	tui_put_wrapped(box, 3, 1, width, rows, TUI_S_STRONG, text);
}

static int help_rows(const struct tui_app *a, int width)
{
	int rows = 0;
	for (int i = 0; i < TUI_ACTIONS; i++)
		if (tui_action_infos[i].screens & tui_act_screens(a, true))
			rows += tui_wrap_rows(tui_app_tr(a, tui_action_infos[i].sentence), width);
	return rows;
}

static void draw_help(struct tui_app *a, struct tui_area all)
{
	int w = all.w - 4 > 88 ? 88 : all.w - 4;
	int key_w = 14, text_w = w - 6 - key_w;
	int rows = help_rows(a, text_w) + 2;
	int h = rows + 2 > all.h - 2 ? all.h - 2 : rows + 2;
	tui_restyle(all, TUI_S_FAINT, TUI_B_BASE);
	struct tui_area box = tui_area_sub(all, (all.w - w) / 2, (all.h - h) / 2, w, h);
	tui_fill(box, TUI_S_TEXT, TUI_B_PANEL);
	struct tui_area in = tui_draw_panel(box, tui_app_tr(a, N_("Keys")), true);
	a->hits = 0; /* what lies behind cannot be clicked */
	a->help_rows = rows;
	a->help_page = in.h;
	if (a->help_top > rows - in.h)
		a->help_top = rows - in.h;
	if (a->help_top < 0)
		a->help_top = 0;
	int y = -a->help_top;
	for (int i = 0; i < TUI_ACTIONS; i++) {
		char keys[48];
		const struct tui_action_info *info = &tui_action_infos[i];
		if (!(info->screens & tui_act_screens(a, true)))
			continue;
		tui_put_max(in, 0, y, key_w - 1, TUI_S_KEY,
			    tui_action_keys_label((enum tui_action)i, keys, sizeof(keys)));
		y += tui_put_wrapped(in, key_w, y, text_w, rows, TUI_S_TEXT, tui_app_tr(a, info->sentence));
	}
	tui_put(in, 0, y + 1, TUI_S_DIM,
		tui_app_tr(a, N_("The mouse works too: click a pane, a row or a key; the wheel scrolls.")));
	tui_back_area(box, TUI_B_PANEL);
	tui_draw_thumb(box, rows, in.h, a->help_top, true);
}

static void draw_too_small(struct tui_app *a, struct tui_area all)
{
	char need[96];
	snprintf(need, sizeof(need), tui_app_tr(a, N_("needs %d × %d, has %d × %d")), TUI_MIN_W,
		 TUI_MIN_H, a->w, a->h);
	const char *text[] = { tui_app_tr(a, N_("The terminal is too small.")), need };
	int rows = tui_wrap_rows(text[0], all.w) + tui_wrap_rows(text[1], all.w);
	int y = (all.h - rows) / 2 < 0 ? 0 : (all.h - rows) / 2;
	for (int i = 0; i < 2; i++)
		y += tui_put_centered(all, y, all.w, i ? TUI_S_DIM : TUI_S_STRONG, text[i]);
}

void tui_app_draw(struct tui_app *a, struct tui_grid *g)
{
	struct tui_area all = tui_area_all(g);
	a->w = g->w;
	a->h = g->h;
	a->hits = 0;
	a->dirty = false;
	tui_grid_clear(g);
	if (a->w < TUI_MIN_W || a->h < TUI_MIN_H) {
		draw_too_small(a, all);
		return;
	}
	draw_header(a, tui_area_sub(all, 0, 0, all.w, 1));
	if (a->screen == TUI_IN_LIST)
		tui_draw_list(a, tui_area_sub(all, 0, 1, all.w, all.h - 2));
	else
		tui_draw_lesson(a, all);
	draw_footer(a, tui_area_sub(all, 0, all.h - 1, all.w, 1));
	draw_long_notice(a, all);
	if (a->help)
		draw_help(a, all);
}
