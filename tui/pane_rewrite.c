/* A block of the guest kernel beside what it became in the monitor's code cache (BLOCK_REWRITE, state.h). */
#include <stdlib.h>
#include <string.h>

#include "tui/pane.h"

/* One line of the snapshot, cut at its tabs. */
enum { F_PC, F_ORIGINAL, F_CODE, F_MARK, F_MADE, FIELDS };
struct row {
	struct { const char *s; int n; } f[FIELDS];
	int fields;
};

/* Line i, 0 being the head; false: there is none. */
static bool line_at(const struct rs_str *text, int i, struct row *r)
{
	const char *s = text->p, *end = s + text->len;
	for (; i > 0 && s < end; i--) {
		const char *nl = memchr(s, '\n', (size_t)(end - s));
		s = nl ? nl + 1 : end;
	}
	if (s >= end)
		return false;
	const char *nl = memchr(s, '\n', (size_t)(end - s));
	end = nl ? nl : end;
	for (r->fields = 0; r->fields < FIELDS && s <= end; r->fields++) {
		const char *tab = r->fields < FIELDS - 1 ? memchr(s, '\t', (size_t)(end - s)) : NULL;
		const char *stop = tab ? tab : end;
		r->f[r->fields].s = s;
		r->f[r->fields].n = (int)(stop - s);
		s = stop + 1;
	}
	return true;
}

static int rows_of(const struct tui_pane *p, int width)
{
	int n = 0;
	(void)width;
	for (size_t i = 0; i < p->m->rewrite.len; i++)
		n += p->m->rewrite.p[i] == '\n';
	return n > 1 ? n - 1 : 0;
}

static void put_field(struct tui_area a, int x, int y, int max, enum tui_style s, const struct row *r, int f)
{
	rs_auto_str t = RS_STR_INIT;
	rs_str_addn(&t, r->f[f].s, (size_t)r->f[f].n);
	tui_put_max(a, x, y, max, s, t.p);
}

static void draw(struct tui_area a, const struct tui_pane *p)
{
	int n = rows_of(p, a.w);
	struct row r;
	if (!n || !line_at(&p->m->rewrite, 0, &r) || r.fields < 4) {
		tui_pane_empty(a, p, N_("When a run with the technique translate ends, its most rewritten block appears here."));
		return;
	}
	bool places = a.w >= 52;
	int pc = places ? 7 : 0, half = (a.w - 3) / 2, made = half + 3;
	tui_put_max(a, pc, 0, half - pc, TUI_S_DIM, tui_tr(p, N_("the guest's code")));
	tui_put_max(a, made + pc, 0, a.w - made - pc, TUI_S_DIM, tui_tr(p, N_("what runs")));
	int top = tui_pane_window(p, &tui_pane_rewrite, n, a.h - 1);
	for (int y = 1; y < a.h && line_at(&p->m->rewrite, top + y, &r) && r.fields == FIELDS; y++) {
		bool other = r.f[F_MARK].s[0] == '!';
		if (places) {
			put_field(a, 0, y, 6, TUI_S_FAINT, &r, F_PC);
			put_field(a, made, y, 6, TUI_S_FAINT, &r, F_CODE);
		}
		put_field(a, pc, y, half - pc, other ? TUI_S_STRONG : TUI_S_TEXT, &r, F_ORIGINAL);
		tui_put(a, half + 1, y, other ? TUI_S_WARN : TUI_S_FAINT, other ? "▸" : "│");
		put_field(a, made + pc, y, a.w - made - pc, other ? TUI_S_WARN : TUI_S_TEXT, &r, F_MADE);
	}
}

const struct tui_pane_ops tui_pane_rewrite = { .draw = draw, .rows = rows_of };
