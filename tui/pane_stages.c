/* One block in its four stages, side by side: each row stands beside what its guest instruction became.
 * A narrow pane shows some of the columns; Left and Right move.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/pane.h"

static const char *const titles[TUI_STAGES] = { N_("guest"), N_("IR"), N_("IR after the passes"), N_("host code") };

/* The pass whose work is shown alone, from 1; 0: all together. */
static int pass_of(const struct tui_pane *p, const struct tui_block_stages *s)
{
	return p->st->pass <= tui_translator_passes(s) ? p->st->pass : 0;
}

/* Which reported stage stands in which column; -1: none. The IR columns stand before and after the shown
 * pass, or all of them. */
static void columns_of(const struct tui_pane *p, const struct tui_block_stages *s, int at[TUI_STAGES])
{
	int passes = tui_translator_passes(s), pass = pass_of(p, s);
	at[TUI_STAGE_GUEST] = 0;
	at[TUI_STAGE_IR] = s->n < 2 ? -1 : pass ? pass : 1;
	at[TUI_STAGE_OPT] = s->n < 2 ? -1 : 1 + (pass ? pass : passes); /* no pass is on: the IR stays as it is */
	at[TUI_STAGE_HOST] = (int)s->n == passes + 3 ? (int)s->n - 1 : -1;
}

/* The block that the student picked, else the one reported last. */
static const struct tui_block_stages *shown(const struct tui_pane *p)
{
	return tui_translator_stages(&p->m->tr, p->st->key, !p->st->picked);
}

static int columns_in(int width)
{
	return width >= 112 ? 4 : width >= 92 ? 3 : width >= 38 ? 2 : 1;
}

/* How much stands before an instruction: nothing, where it lies, its bytes, too. */
enum detail { BARE, PLACES, BYTES };

static int sides_of(const struct tui_pane *p, int width)
{
	return shown(p) ? TUI_STAGES + 1 - columns_in(width) : 1;
}

/* The rows of the columns that are shown. */
static void make(const struct tui_pane *p, int width, const struct tui_block_stages *s, struct tui_stages *out)
{
	const char *text[TUI_STAGES];
	int at[TUI_STAGES];
	columns_of(p, s, at);
	for (int i = 0; i < TUI_STAGES; i++)
		text[i] = at[i] < 0 ? NULL : s->text[at[i]];
	tui_stages_make(out, text, ((1u << columns_in(width)) - 1) << p->st->side);
}

static int rows_of(const struct tui_pane *p, int width)
{
	const struct tui_block_stages *s = shown(p);
	struct tui_stages st;
	if (!s)
		return 0;
	make(p, width, s, &st);
	int rows = (int)st.rows;
	tui_stages_release(&st);
	return rows;
}

static void put_code(struct tui_area a, int x, int y, const char *s, size_t n, bool faint)
{
	size_t word = 0;
	while (word < n && s[word] != ' ')
		word++;
	rs_auto_str name = RS_STR_INIT, rest = RS_STR_INIT;
	rs_str_addn(&name, s, word);
	rs_str_addn(&rest, s + word, n - word);
	x += tui_put(a, x, y, faint ? TUI_S_FAINT : TUI_S_STRONG, name.p);
	tui_put(a, x, y, faint ? TUI_S_FAINT : TUI_S_TEXT, rest.p);
}

static void put_cell(struct tui_area a, int y, int column, const struct tui_stage_cell *c, enum detail how)
{
	uint64_t addr;
	size_t digits, skip = 0;
	int x = 1;
	if (column == TUI_STAGE_IR || column == TUI_STAGE_OPT) {
		bool label = c->s && c->n > 6 && !memcmp(c->s, "label ", 6);
		if (c->mark == TUI_SM_GONE && !c->s)
			tui_put(a, 1, y, TUI_S_FAINT, "·");
		else if (c->mark == TUI_SM_GONE)
			tui_put(a, 0, y, TUI_S_FAIL, "-");
		else if (c->mark == TUI_SM_NEW)
			tui_put(a, 0, y, TUI_S_OK, "+");
		else if (c->mark == TUI_SM_CHANGED && column == TUI_STAGE_OPT)
			tui_put(a, 0, y, TUI_S_CHANGED, "~");
		if (!c->s)
			return;
		if (label) {
			rs_auto_str t = RS_STR_INIT;
			rs_str_addn(&t, c->s + 6, c->n - 6);
			rs_str_add(&t, ":");
			tui_put(a, 1, y, c->mark == TUI_SM_GONE ? TUI_S_FAINT : TUI_S_ACCENT, t.p);
		} else if (c->mark == TUI_SM_CHANGED && column == TUI_STAGE_OPT) {
			rs_auto_str t = RS_STR_INIT;
			rs_str_addn(&t, c->s, c->n);
			tui_put(a, 1, y, TUI_S_CHANGED, t.p);
		} else {
			put_code(a, 1, y, c->s, c->n, c->mark == TUI_SM_GONE);
		}
		return;
	}
	if (!c->s)
		return;
	skip = tui_asm_place(c->s, c->n, &addr, &digits);
	if (digits && how != BARE) {
		int room = column == TUI_STAGE_HOST ? 3 : 6;
		x += room > (int)digits ? room - (int)digits : 0;
		x += tui_put_raw(a, x, y, a.w, TUI_S_FAINT, c->s, digits) + 2;
		if (column == TUI_STAGE_GUEST && how == BYTES)
			x += tui_put_raw(a, x, y, a.w, TUI_S_DIM, c->s + digits + 3, skip - digits - 3);
	}
	put_code(a, x, y, c->s + skip, c->n - skip, false);
}

/* "7 instructions → 12 operations → 9 left → 88 bytes", or the numbers alone where that is too long. */
static void put_counts(struct tui_area a, int from, const struct tui_pane *p, const struct tui_stages *st,
		       unsigned host_bytes, bool one_pass)
{
	rs_auto_str full = RS_STR_INIT, brief = RS_STR_INIT;
	const unsigned n[] = { st->count[TUI_STAGE_GUEST], st->count[TUI_STAGE_IR], st->count[TUI_STAGE_OPT],
			       host_bytes };
	static const char *const words[] = { N_("%u instructions"), N_("%u operations"), N_("%u after the passes"),
					     N_("%u bytes of host code") };
	for (int i = 0; i < TUI_STAGES; i++) {
		if (!n[i])
			continue;
		if (full.len) {
			rs_str_add(&full, " → ");
			rs_str_add(&brief, " → ");
		}
		rs_str_addf(&full, tui_tr(p, words[i]), n[i]);
		rs_str_addf(&brief, i == TUI_STAGE_HOST ? "%u B" : "%u", n[i]);
	}
	const char *text = !one_pass && from + tui_width(a.g, full.p) <= a.w ? full.p : brief.p;
	if (from + tui_width(a.g, text) <= a.w)
		tui_put_right(a, a.w, 0, TUI_S_DIM, text);
}

static void draw_head(struct tui_area a, const struct tui_pane *p, const struct tui_block_stages *s,
		      const struct tui_stages *st)
{
	const struct tui_translator *t = &p->m->tr;
	const struct rs_emu_stage *h = &s->head[0];
	int at = tui_translator_block(t, h->pc), host[TUI_STAGES], x = 0;
	uint64_t runs = h->runs == ~0ull ? 0 : h->runs;
	char n[32];
	if (at >= 0 && t->blocks.counted && t->block[at].runs > runs)
		runs = t->block[at].runs;
	columns_of(p, s, host);
	if (h->symbol[0])
		x += tui_put_max(a, x, 0, a.w / 2, TUI_S_ACCENT, h->symbol) + 2;
	x += tui_putf(a, x, 0, TUI_S_DIM, "0x%llx", (unsigned long long)h->pc) + 2;
	if (runs)
		x += tui_putf(a, x, 0, TUI_S_STRONG, "×%s", tui_fmt_count(runs, n, sizeof(n))) + 2;
	put_counts(a, x, p, st, host[TUI_STAGE_HOST] >= 0 ? s->head[host[TUI_STAGE_HOST]].code_size : 0,
		   pass_of(p, s));
}

/* What the marks mean, where there is room for it. */
static void draw_legend(struct tui_area a, int y, const struct tui_pane *p)
{
	static const struct {
		const char *mark, *text;
		enum tui_style style;
	} marks[] = {
		{ "-", N_("removed"), TUI_S_FAIL },
		{ "~", N_("changed"), TUI_S_CHANGED },
		{ "+", N_("added"), TUI_S_OK },
	};
	int x = 1;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		if (x + 2 + tui_width(a.g, tui_tr(p, marks[i].text)) > a.w)
			return;
		x += tui_put(a, x, y, marks[i].style, marks[i].mark) + 1;
		x += tui_put(a, x, y, TUI_S_DIM, tui_tr(p, marks[i].text)) + 3;
	}
}

/* The instruction at which the program stands. */
static bool current(const struct tui_pane *p, const struct tui_stage_row *r)
{
	const struct tui_stage_cell *c = &r->cell[TUI_STAGE_GUEST];
	uint64_t addr;
	size_t digits;
	if (!c->s || !p->m->tr.have_regs || p->m->state == TUI_RUN_GOING)
		return false;
	tui_asm_place(c->s, c->n, &addr, &digits);
	return digits && addr == p->m->tr.regs.pc;
}

/* Columns of text that a cell would like, marks included. */
static int wanted(const struct tui_stage_cell *c, int column, enum detail how)
{
	uint64_t addr;
	size_t digits, skip;
	if (!c->s)
		return 0;
	if (column == TUI_STAGE_IR || column == TUI_STAGE_OPT)
		return 2 + (int)c->n;
	skip = tui_asm_place(c->s, c->n, &addr, &digits);
	if (column == TUI_STAGE_HOST)
		return 2 + (how == BARE ? 0 : 5) + (int)(c->n - skip);
	return 2 + (how == BARE ? 0 : how == PLACES ? 8 : (int)skip - (int)digits + 6) + (int)(c->n - skip);
}

static int widest(const struct tui_stages *st, int column, enum detail how)
{
	int most = 14;
	for (unsigned r = 0; r < st->rows; r++) {
		int w = wanted(&st->row[r].cell[column], column, how);
		most = w > most ? w : most;
	}
	return most;
}

/* Gives `k` columns from `first` on what they want; what is left over goes to all, what is missing is
 * taken from the widest. Returns how much detail they have room for. */
static enum detail share_width(const struct tui_stages *st, int first, int k, int width, int *out)
{
	enum detail how = BYTES;
	int left;
	for (;; how--) {
		left = width - (k - 1);
		for (int i = 0; i < k; i++)
			left -= out[i] = widest(st, first + i, how);
		if (left >= 0 || how == BARE || (how == PLACES && width >= 60))
			break;
	}
	for (; left < 0; left++) {
		int most = 0;
		for (int i = 1; i < k; i++)
			most = out[i] > out[most] ? i : most;
		out[most]--;
	}
	for (int i = 0; i < k; i++) { /* the last one takes the rest */
		int more = i + 1 < k ? left / (k - i) : left;
		if (i + 1 < k && more > 4)
			more = 4;
		out[i] += more;
		left -= more;
	}
	return how;
}

static void title_of(const struct tui_pane *p, const struct tui_block_stages *s, int column, struct rs_str *out)
{
	int pass = pass_of(p, s);
	if (pass && column == TUI_STAGE_OPT)
		rs_str_addf(out, tui_tr(p, N_("after %s (pass %d of %d)")), s->head[pass + 1].name, pass,
			    tui_translator_passes(s));
	else if (pass && column == TUI_STAGE_IR)
		rs_str_addf(out, tui_tr(p, N_("IR before %s")), s->head[pass + 1].name);
	else
		rs_str_add(out, tui_tr(p, titles[column]));
}

static void draw_columns(struct tui_area a, const struct tui_pane *p, const struct tui_block_stages *s,
			 const struct tui_stages *st)
{
	int k = columns_in(a.w), first = p->st->side, at[TUI_STAGES];
	struct tui_area list = tui_area_sub(a, 0, 1, a.w, a.h - 1);
	int top = tui_pane_window(p, &tui_pane_stages, (int)st->rows, list.h);
	columns_of(p, s, at);
	bool band = true;
	for (int r = 0; r - top < list.h && r < (int)st->rows; r++) { /* bands tell the instructions apart */
		band ^= st->row[r].first;
		if (band && r >= top)
			tui_back_row(list, 0, r - top, list.w, TUI_B_PANEL);
	}
	int now = -2;
	for (unsigned i = 0; i < st->rows; i++)
		if (current(p, &st->row[i]))
			now = st->row[i].insn;
	int widths[TUI_STAGES];
	enum detail how = share_width(st, first, k, a.w, widths);
	for (int i = 0, x = 0; i < k; i++) {
		int w = widths[i], column = first + i;
		struct tui_area c = tui_area_sub(list, x, 0, w, list.h);
		struct tui_area t = tui_area_sub(a, x, 0, w, 1);
		rs_auto_str title = RS_STR_INIT;
		title_of(p, s, column, &title);
		int used = tui_put(t, 1, 0, TUI_S_STRONG, title.p);
		if (column == TUI_STAGE_OPT && at[column] >= 0 && at[column] == at[TUI_STAGE_IR])
			tui_put(t, used + 2, 0, TUI_S_DIM, tui_tr(p, N_("(all off)")));
		if (at[column] < 0)
			tui_put(c, 1, 0, TUI_S_FAINT, tui_tr(p, column != TUI_STAGE_HOST ? N_("not reported") :
				p->m->tr.have_cache && p->m->tr.cache.size ? N_("not translated yet") :
									      N_("the interpreter makes none")));
		for (int y = 0; y < list.h && top + y < (int)st->rows; y++)
			put_cell(c, y, column, &st->row[top + y].cell[column], how);
		x += w;
		if (i + 1 < k)
			for (int y = 0; y < a.h; y++)
				tui_hline(a, x, y, 1, TUI_S_BORDER, "│");
		x++;
	}
	for (int y = 0; y < list.h && top + y < (int)st->rows; y++)
		if (st->row[top + y].insn == now) {
			tui_back_row(list, 0, y, list.w, TUI_B_MARK);
			if (st->row[top + y].first)
				tui_put(list, 0, y, TUI_S_CHANGED, "▶");
		}
	tui_back_row(a, 0, 0, a.w, TUI_B_CODE);
	if (first > 0)
		tui_put(a, 0, 0, TUI_S_ACCENT, "◀");
	if (first + k < TUI_STAGES)
		tui_put(a, a.w - 1, 0, TUI_S_ACCENT, "▶");
}

static void draw(struct tui_area a, const struct tui_pane *p)
{
	const struct tui_block_stages *s = shown(p);
	struct tui_stages st;
	if (!s && p->st->picked) {
		rs_auto_str t = RS_STR_INIT;
		rs_str_addf(&t, tui_tr(p, N_("The stages of the block at 0x%llx were not reported. They are asked for while the program runs or stands still.")),
			    (unsigned long long)p->st->key);
		tui_pane_empty(a, p, t.p);
		return;
	}
	if (!s) {
		tui_pane_empty(a, p, N_("One block appears here when the program stands still or ends: the guest's instructions, the IR, the IR after the passes, and host code. Choose a block in the pane of blocks and press Enter."));
		return;
	}
	int most = sides_of(p, a.w) - 1;
	if (p->st->side > most)
		p->st->side = most;
	make(p, a.w, s, &st);
	draw_head(a, p, s, &st);
	bool legend = a.h >= 16;
	if (legend)
		draw_legend(a, a.h - 1, p);
	draw_columns(tui_area_sub(a, 0, 1, a.w, a.h - 1 - legend), p, s, &st);
	tui_stages_release(&st);
}

int tui_stages_passes(const struct tui_pane *p)
{
	const struct tui_block_stages *s = shown(p);
	return s ? tui_translator_passes(s) : 0;
}

const struct tui_pane_ops tui_pane_stages = { .draw = draw, .rows = rows_of, .sides = sides_of };
