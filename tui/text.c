#include "tui/text.h"

#include <string.h>

void tui_lines_md(const char *text, int width, struct eng_md_lines *out)
{
	struct eng_md md;
	eng_md_parse(text, &md);
	eng_md_layout(&md, width, out);
	eng_md_release(&md);
}

static enum tui_style run_style(unsigned bits, enum tui_style base)
{
	if (bits & ENG_MD_MARKER)
		return TUI_S_DIM;
	if (bits & ENG_MD_CODE_SPAN)
		return TUI_S_CODE;
	if (bits & ENG_MD_STRONG)
		return TUI_S_STRONG;
	if (bits & (ENG_MD_EM | ENG_MD_TITLE))
		return TUI_S_ACCENT;
	return base;
}

int tui_put_line(struct tui_area a, int x, int y, enum tui_style s, const struct eng_md_line *l)
{
	int used = 0;
	for (unsigned i = 0; i < l->runs; i++) {
		const struct eng_md_run *r = &l->run[i];
		used += tui_put_raw(a, x, y, a.w - x, run_style(r->style, s), r->text, strlen(r->text));
		x += r->cols;
		if (r->style & ENG_MD_MARKER && r->cols >= 2 && r->text[r->cols - 2] == '-')
			tui_put_raw(a, x - 2, y, 1, TUI_S_DIM, "•", strlen("•"));
	}
	return used;
}

void tui_lines_draw(struct tui_area a, const struct eng_md_lines *l, int top)
{
	for (int y = 0; y < a.h && top + y < (int)l->n; y++) {
		const struct eng_md_line *line = &l->v[top + y];
		if (line->type == ENG_MD_CODE)
			tui_back_row(a, 0, y, a.w, TUI_B_CODE);
		tui_put_line(a, 0, y, TUI_S_TEXT, line);
	}
}

int tui_put_wrapped(struct tui_area a, int x, int y, int width, int rows, enum tui_style s,
		    const char *text)
{
	tui_auto_lines l = { 0 };
	int used = 0;
	eng_md_layout_text(text, width, &l);
	for (; used < rows && used < (int)l.n; used++) {
		bool cut = used == rows - 1 && used + 1 < (int)l.n;
		struct tui_area in = tui_area_sub(a, 0, 0, cut ? x + width - 1 : a.w, a.h);
		int c = tui_put_line(in, x, y + used, s, &l.v[used]);
		if (cut)
			tui_put_raw(a, x + c, y + used, 1, s, "…", strlen("…"));
	}
	return used;
}

int tui_wrap_rows(const char *text, int width)
{
	tui_auto_lines l = { 0 };
	eng_md_layout_text(text, width, &l);
	return (int)l.n;
}

int tui_put_centered(struct tui_area a, int y, int width, enum tui_style s, const char *text)
{
	tui_auto_lines l = { 0 };
	eng_md_layout_text(text, width, &l);
	for (int i = 0; i < (int)l.n; i++) {
		int x = (a.w - l.v[i].cols) / 2;
		tui_put_line(a, x < 0 ? 0 : x, y + i, s, &l.v[i]);
	}
	return (int)l.n;
}
