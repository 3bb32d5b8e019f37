#include <stdlib.h>
#include <string.h>

#include "engine/base/cleanup.h"
#include "engine/base/str.h"
#include "tui/stages.h"

/* A piece of a column: the lines of one guest instruction. */
struct piece {
	int insn;
	unsigned from, to; /* lines */
};
struct line {
	const char *s;
	size_t n;
	int insn;
};
struct column {
	struct line *line;
	unsigned lines;
	struct piece *piece;
	unsigned pieces, next; /* next: not placed yet */
};

static bool starts(const struct line *l, const char *word)
{
	size_t n = strlen(word);
	return l->n >= n && !memcmp(l->s, word, n);
}

/* Lines that belong together stand together: a side exit beside its branch. Stable, and nearly sorted
 * already. */
static void sort_lines(struct column *c)
{
	for (unsigned i = 1; i < c->lines; i++) {
		struct line l = c->line[i];
		unsigned k = i;
		for (; k && c->line[k - 1].insn > l.insn; k--)
			c->line[k] = c->line[k - 1];
		c->line[k] = l;
	}
}

/* Splits a text into lines and pieces. */
static void split(struct column *c, const char *text)
{
	size_t n = 1;
	int from = TUI_ROW_IN;
	memset(c, 0, sizeof(*c));
	for (const char *s = text; s && *s; s++)
		n += *s == '\n';
	c->line = rs_xcalloc(n + 1, sizeof(*c->line));
	c->piece = rs_xcalloc(n + 1, sizeof(*c->piece));
	for (const char *s = text; s && *s;) {
		size_t len = strcspn(s, "\n"), tab = strcspn(s, "\t\n");
		struct line l = { s + tab + 1, len - tab - 1, from };
		if (*s >= '0' && *s <= '9') {
			l.insn = atoi(s) < TUI_ROW_OUT ? atoi(s) : TUI_ROW_OUT;
			from = TUI_ROW_OUT; /* what belongs to none comes before all of them, or after */
		}
		s += len + (s[len] == '\n');
		while (tab < len && l.n && *l.s == ' ')
			l.s++, l.n--;
		if (tab < len && !starts(&l, "insn 0x")) /* the marks of instructions are the rows themselves */
			c->line[c->lines++] = l;
	}
	sort_lines(c);
	for (unsigned i = 0; i < c->lines; i++) {
		if (!i || c->line[i].insn != c->line[i - 1].insn)
			c->piece[c->pieces++] = (struct piece){ c->line[i].insn, i, i };
		c->piece[c->pieces - 1].to = i + 1;
	}
}

static void column_release(struct column *c)
{
	free(c->line);
	free(c->piece);
}

/* The instruction that comes next in any column; false: all is placed. */
static bool next_insn(const struct column c[TUI_STAGES], int *insn)
{
	bool found = false;
	for (int i = 0; i < TUI_STAGES; i++)
		if (c[i].next < c[i].pieces && (!found || c[i].piece[c[i].next].insn < *insn)) {
			*insn = c[i].piece[c[i].next].insn;
			found = true;
		}
	return found;
}

static const struct piece *take(struct column *c, int insn)
{
	if (c->next < c->pieces && c->piece[c->next].insn == insn)
		return &c->piece[c->next++];
	return NULL;
}

static bool same(const struct line *a, const struct line *b)
{
	return a->n == b->n && !memcmp(a->s, b->s, a->n);
}

/* Is one operation what became of the other? They write the same (the word behind the name says what),
 * or they do the same. */
static bool same_target(const struct line *a, const struct line *b)
{
	size_t i = 0, k = 0, n = 0;
	while (i < a->n && a->s[i] != ' ')
		i++;
	while (k < b->n && b->s[k] != ' ')
		k++;
	while (i + n < a->n && k + n < b->n && a->s[i + n] == b->s[k + n] && a->s[i + n] != ',')
		n++;
	if (i == k && !memcmp(a->s, b->s, i))
		return true;
	bool end_a = i + n == a->n || a->s[i + n] == ',', end_b = k + n == b->n || b->s[k + n] == ',';
	return n > 1 && end_a && end_b;
}

static struct tui_stage_cell cell(const struct line *l, enum tui_stage_mark mark)
{
	return l ? (struct tui_stage_cell){ l->s, l->n, mark } : (struct tui_stage_cell){ NULL, 0, mark };
}

/* IR before (a) and after the passes (b), side by side, into rows from `at` on. Returns their number.
 * Longest common subsequence; between two common lines, operations that write the same are one that
 * changed. */
static unsigned compare(struct tui_stage_row *at, const struct line *a, unsigned na, const struct line *b,
			unsigned nb)
{
	unsigned w = nb + 1, rows = 0, i = 0, k = 0;
	unsigned short *best = rs_xcalloc((size_t)(na + 1) * w, sizeof(*best));
	for (unsigned x = na; x-- > 0;)
		for (unsigned y = nb; y-- > 0;) {
			unsigned down = best[(x + 1) * w + y], right = best[x * w + y + 1];
			best[x * w + y] = (unsigned short)(same(&a[x], &b[y]) ? best[(x + 1) * w + y + 1] + 1u :
							   down > right ? down : right);
		}
	while (i < na || k < nb) {
		struct tui_stage_row *r = &at[rows++];
		if (i < na && k < nb && same(&a[i], &b[k])) {
			r->cell[1] = cell(&a[i++], TUI_SM_SAME);
			r->cell[2] = cell(&b[k++], TUI_SM_SAME);
		} else if (i < na && k < nb && same_target(&a[i], &b[k]) &&
			   best[(i + 1) * w + k + 1] == best[i * w + k]) {
			r->cell[1] = cell(&a[i++], TUI_SM_CHANGED);
			r->cell[2] = cell(&b[k++], TUI_SM_CHANGED);
		} else if (i < na && (k == nb || best[(i + 1) * w + k] == best[i * w + k])) {
			r->cell[1] = cell(&a[i++], TUI_SM_GONE);
			r->cell[2] = cell(NULL, TUI_SM_GONE);
		} else {
			r->cell[2] = cell(&b[k++], TUI_SM_NEW);
		}
	}
	free(best);
	return rows;
}

/* Labels are places, not operations. */
static unsigned operations(const struct column *c)
{
	unsigned n = 0;
	for (unsigned i = 0; i < c->lines; i++)
		n += !starts(&c->line[i], "label ");
	return n;
}

/* One column alone. */
static unsigned fill(struct tui_stage_row *at, int column, const struct line *l, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		at[i].cell[column] = cell(&l[i], TUI_SM_SAME);
	return n;
}

static const struct line *lines_of(const struct column *c, const struct piece *p)
{
	return p ? c->line + p->from : NULL;
}

/* The rows of one instruction. */
static void place(struct tui_stages *st, struct column c[TUI_STAGES], int insn, unsigned show)
{
	struct tui_stage_row *at = &st->row[st->rows];
	const struct line *l[TUI_STAGES];
	unsigned n[TUI_STAGES], rows = 0, got;
	for (int i = 0; i < TUI_STAGES; i++) {
		const struct piece *p = take(&c[i], insn);
		l[i] = lines_of(&c[i], p);
		n[i] = p && (show >> i & 1 || i == TUI_STAGE_IR || i == TUI_STAGE_OPT) ? p->to - p->from : 0;
	}
	fill(at, TUI_STAGE_GUEST, l[TUI_STAGE_GUEST], n[TUI_STAGE_GUEST]);
	fill(at, TUI_STAGE_HOST, l[TUI_STAGE_HOST], n[TUI_STAGE_HOST]);
	if (c[TUI_STAGE_IR].lines && c[TUI_STAGE_OPT].lines)
		got = compare(at, l[TUI_STAGE_IR], n[TUI_STAGE_IR], l[TUI_STAGE_OPT], n[TUI_STAGE_OPT]);
	else /* one of them was not reported: nothing to compare with */
		got = fill(at, TUI_STAGE_IR, l[TUI_STAGE_IR], n[TUI_STAGE_IR]) +
		      fill(at, TUI_STAGE_OPT, l[TUI_STAGE_OPT], n[TUI_STAGE_OPT]);
	rows = n[TUI_STAGE_GUEST] > n[TUI_STAGE_HOST] ? n[TUI_STAGE_GUEST] : n[TUI_STAGE_HOST];
	rows = got > rows ? got : rows;
	for (unsigned i = 0; i < rows; i++) {
		at[i].insn = insn;
		at[i].first = i == 0;
	}
	st->rows += rows;
}

void tui_stages_make(struct tui_stages *st, const char *const text[TUI_STAGES], unsigned show)
{
	struct column c[TUI_STAGES];
	size_t most = 1;
	int insn = 0;
	memset(st, 0, sizeof(*st));
	for (int i = 0; i < TUI_STAGES; i++) {
		split(&c[i], text[i]);
		st->count[i] = operations(&c[i]);
		most += c[i].lines;
	}
	st->row = rs_xcalloc(most, sizeof(*st->row));
	while (next_insn(c, &insn))
		place(st, c, insn, show);
	for (int i = 0; i < TUI_STAGES; i++)
		column_release(&c[i]);
}

void tui_stages_release(struct tui_stages *st)
{
	free(st->row);
	memset(st, 0, sizeof(*st));
}
