/* Blocks -> lines of a given width: English breaks at blanks, Chinese between any two characters
 * except where the rules for line starts and ends forbid it (W3C Requirements for Chinese Text
 * Layout, 3.1.3 and 3.1.4; Unicode UAX #14 classes CL, EX, NS, OP).
 */
#include <stdlib.h>
#include <string.h>

#include "engine/base/cleanup.h"
#include "engine/base/str.h"
#include "engine/markdown.h"

#define WIDTH_MIN 8
#define TAB 8

static bool in(uint32_t cp, const char *list)
{
	size_t n = strlen(list);

	while (n) {
		uint32_t c;
		int k = rs_utf8_decode(list, n, &c);

		if (c == cp)
			return true;
		list += k;
		n -= (size_t)k;
	}
	return false;
}

/* Must not start a line. */
static bool closing(uint32_t cp)
{
	return in(cp, "。，、；：？！．）」』】》〉〕｝］〗〙”’…—～·•％‰℃々〻ー゛゜"
		      "ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ"
		      ")]},.;:!?%");
}

/* Must not end a line. */
static bool opening(uint32_t cp)
{
	return in(cp, "（「『【《〈〔｛［〖〘“‘￥＄([{$#");
}

bool eng_md_may_break(uint32_t a, uint32_t b)
{
	if (!rs_utf8_cp_width(b) || a == 0x200d || b == 0x200d)
		return false; /* a combining mark stays with its character */
	if ((a == 0x2014 && b == 0x2014) || (a == 0x2026 && b == 0x2026))
		return false; /* the two halves of a Chinese dash or ellipsis */
	if (rs_utf8_cp_width(a) < 2 && rs_utf8_cp_width(b) < 2)
		return false; /* within a word; words are parted by blanks */
	return !closing(b) && !opening(a);
}

/* Is it fullwidth punctuation, which brings its own space? */
static bool wide_mark(uint32_t cp)
{
	return rs_utf8_cp_width(cp) == 2 && (closing(cp) || opening(cp));
}

bool eng_md_joins(const char *a, size_t n, const char *b)
{
	uint32_t x = 0, y = 0;
	size_t i = n;

	/* marks of emphasis are no characters of the text */
	while (i && strchr("*_`", a[i - 1]))
		i--;
	while (*b && strchr("*_`", *b))
		b++;
	if (!i || !*b)
		return false;
	do
		i--;
	while (i && (a[i] & 0xc0) == 0x80);
	rs_utf8_decode(a + i, n - i, &x);
	rs_utf8_decode(b, strlen(b), &y);
	if (wide_mark(x) || wide_mark(y))
		return true;
	return rs_utf8_cp_width(x) == 2 && rs_utf8_cp_width(y) == 2;
}

struct out {
	struct eng_md_lines *lines;
	struct eng_md_line *line; /* the open one */
	enum eng_md_type type;
	int width;
};

static void line_open(struct out *o)
{
	struct eng_md_lines *l = o->lines;

	ENG_MD_GROW(l->v, l->n);
	o->line = &l->v[l->n++];
	*o->line = (struct eng_md_line){ .type = o->type };
}

static void run_add(struct out *o, unsigned style, const char *s, size_t n, int cols)
{
	struct eng_md_line *l = o->line;
	struct eng_md_run *r = l->runs ? &l->run[l->runs - 1] : NULL;

	if (!n)
		return;
	if (r && r->style == style) {
		char *joined = rs_xasprintf("%s%.*s", r->text, (int)n, s);

		free(r->text);
		r->text = joined;
	} else {
		ENG_MD_GROW(l->run, l->runs);
		r = &l->run[l->runs++];
		*r = (struct eng_md_run){ .style = style, .text = rs_xasprintf("%.*s", (int)n, s) };
	}
	r->cols += cols;
	l->cols += cols;
}

/* A character of a block, with what it costs. */
struct piece {
	const char *s;
	unsigned char n, cols;
	bool blank, newline, may_end; /* a line may end behind it */
	unsigned style;
};

static struct piece *pieces(const struct eng_md_block *b, size_t *count)
{
	size_t total = 0, k = 0;
	struct piece *p;
	uint32_t before = ' ';

	for (unsigned i = 0; i < b->spans; i++)
		total += strlen(b->span[i].text);
	p = rs_xcalloc(total + 1, sizeof(*p));
	for (unsigned i = 0; i < b->spans; i++) {
		const char *s = b->span[i].text;
		size_t left = strlen(s);

		while (left) {
			uint32_t cp;
			int n = rs_utf8_decode(s, left, &cp);
			struct piece *c = &p[k];

			*c = (struct piece){ .s = s, .n = (unsigned char)n, .style = b->span[i].style };
			c->newline = cp == '\n';
			c->blank = cp == ' ' || cp == '\t';
			if (cp < 0x20 || cp == 0x7f)
				c->s = " ", c->n = 1;
			if (cp == 0xfffd && n == 1)
				c->s = "\xef\xbf\xbd", c->n = 3;
			c->cols = c->newline ? 0 : cp < 0x20 || cp == 0x7f ? 1 :
				  (unsigned char)rs_utf8_cp_width(cp);
			if (k && !c->blank && !p[k - 1].blank)
				p[k - 1].may_end = eng_md_may_break(before, cp);
			before = cp;
			k++;
			s += n;
			left -= (size_t)n;
		}
	}
	*count = k;
	return p;
}

static void put(struct out *o, const struct piece *p, size_t n)
{
	while (n) { /* one run for what has one style and stands together */
		size_t k = 1, bytes = p->n;
		int cols = p->cols;

		while (k < n && p[k].style == p->style && p[k].s == p[k - 1].s + p[k - 1].n) {
			bytes += p[k].n;
			cols += p[k].cols;
			k++;
		}
		run_add(o, p->style, p->s, bytes, cols);
		p += k;
		n -= k;
	}
}

/* How many of the n pieces fit in `room` columns; *skip gets how many blanks the break swallows. */
static size_t fit(const struct piece *p, size_t n, int room, size_t *skip)
{
	size_t i = 0, best = 0, best_skip = 0;
	int cols = 0;

	*skip = 0;
	for (; i < n && !p[i].newline; i++) {
		if (p[i].blank) {
			size_t run = 1;

			while (i + run < n && p[i + run].blank)
				run++;
			if (i) { /* the blanks may hang over: they are not drawn at a line's end */
				best = i;
				best_skip = run;
			}
		}
		if (cols + p[i].cols > room)
			break;
		cols += p[i].cols;
		if (p[i].may_end) {
			best = i + 1;
			best_skip = 0;
		}
	}
	if (i == n || p[i].newline) {
		*skip = i < n;
		/* blanks at the end of a line are not drawn */
		while (i && p[i - 1].blank) {
			i--;
			++*skip;
		}
		return i;
	}
	if (!best) { /* one word wider than the line: cut between characters */
		best = i ? i : 1;
		while (best < n && !p[best].cols && !p[best].newline)
			best++;
	}
	/* a real line break right behind the margin is this break, not one more */
	if (best + best_skip < n && p[best + best_skip].newline)
		best_skip++;
	*skip = best_skip;
	return best;
}

static void indent(struct out *o, int cols)
{
	rs_auto_str blanks = RS_STR_INIT;

	for (int i = 0; i < cols; i++)
		rs_str_addc(&blanks, ' ');
	run_add(o, ENG_MD_MARKER, blanks.p, blanks.len, cols);
}

static void flow(struct out *o, const struct eng_md_block *b, int left)
{
	size_t n, at = 0;
	struct piece *p = pieces(b, &n);
	bool first = true;

	do {
		size_t skip, k;

		line_open(o);
		if (first && b->type == ENG_MD_ITEM) {
			int m = (int)strlen(b->marker);

			indent(o, left - m);
			run_add(o, ENG_MD_MARKER, b->marker, (size_t)m, m);
		} else {
			indent(o, left);
		}
		first = false;
		k = fit(p + at, n - at, o->width - left, &skip);
		put(o, p + at, k);
		at += k + skip;
	} while (at < n);
	free(p);
}

/* Code keeps its lines; one that is too long goes on in the next line. */
static void code(struct out *o, const struct eng_md_block *b, int left)
{
	const char *s = b->spans ? b->span[0].text : "";
	int room = o->width - left;

	for (;;) {
		const char *end = s + strcspn(s, "\n");
		int col = 0;

		line_open(o);
		indent(o, left);
		while (s < end) {
			uint32_t cp;
			int n = rs_utf8_decode(s, (size_t)(end - s), &cp), w = rs_utf8_cp_width(cp);
			bool control = cp < 0x20 || cp == 0x7f;

			if (cp == '\t')
				w = TAB - col % TAB;
			else if (control)
				w = 1;
			if (col && col + w > room) {
				line_open(o);
				indent(o, left);
				col = 0;
				if (cp == '\t')
					w = TAB;
			}
			if (w > room)
				w = room;
			if (control)
				for (int i = 0; i < w; i++)
					run_add(o, ENG_MD_CODE_SPAN, " ", 1, 1);
			else if (cp == 0xfffd && n == 1)
				run_add(o, ENG_MD_CODE_SPAN, "\xef\xbf\xbd", 3, 1);
			else
				run_add(o, ENG_MD_CODE_SPAN, s, (size_t)n, w);
			col += w;
			s += n;
		}
		if (!*end)
			return;
		s = end + 1;
	}
}

/* Columns in front of a block's text; deep lists must leave room for it. */
static int left_of(const struct eng_md *md, unsigned i, int width)
{
	const struct eng_md_block *b = &md->v[i];
	int marker = 0, left;

	if (b->type == ENG_MD_HEADING)
		return 0;
	/* text that belongs to an item stands under the item's text */
	for (unsigned k = i + 1; k-- > 0 && b->level;)
		if (md->v[k].type == ENG_MD_ITEM && md->v[k].level == b->level) {
			marker = (int)strlen(md->v[k].marker);
			break;
		}
	left = b->level ? 2 * ((int)b->level - 1) + (marker ? marker : 2) : 0;
	if (b->type == ENG_MD_CODE)
		left += 2;
	if (left > width - WIDTH_MIN / 2) {
		left = width - WIDTH_MIN / 2;
		if (b->type == ENG_MD_ITEM && left < marker)
			left = marker;
	}
	return left;
}

void eng_md_layout(const struct eng_md *md, int width, struct eng_md_lines *out)
{
	struct out o = { .lines = out, .width = width < WIDTH_MIN ? WIDTH_MIN : width };

	for (unsigned i = 0; i < md->n; i++) {
		int left = left_of(md, i, o.width);

		o.type = ENG_MD_PARAGRAPH;
		if (i && !md->v[i].tight)
			line_open(&o);
		o.type = md->v[i].type;
		if (o.type == ENG_MD_CODE)
			code(&o, &md->v[i], left);
		else
			flow(&o, &md->v[i], left);
	}
}

void eng_md_layout_text(const char *text, int width, struct eng_md_lines *out)
{
	rs_auto_free char *copy = rs_xstrdup(text);
	struct eng_md_span span = { .text = copy };
	const struct eng_md_block b = { .type = ENG_MD_PARAGRAPH, .span = &span, .spans = 1 };
	struct out o = { .lines = out, .type = b.type, .width = width < 2 ? 2 : width };

	if (*text)
		flow(&o, &b, 0);
}

void eng_md_lines_release(struct eng_md_lines *l)
{
	for (unsigned i = 0; i < l->n; i++) {
		for (unsigned k = 0; k < l->v[i].runs; k++)
			free(l->v[i].run[k].text);
		free(l->v[i].run);
	}
	free(l->v);
	*l = (struct eng_md_lines){ 0 };
}

void eng_md_plain(const char *text, int indent_cols, int width, struct rs_str *out)
{
	struct eng_md md;
	struct eng_md_lines lines = { 0 };

	eng_md_parse(text, &md);
	eng_md_layout(&md, width - indent_cols, &lines);
	for (unsigned i = 0; i < lines.n; i++) {
		if (lines.v[i].runs)
			for (int k = 0; k < indent_cols; k++)
				rs_str_addc(out, ' ');
		for (unsigned k = 0; k < lines.v[i].runs; k++)
			rs_str_add(out, lines.v[i].run[k].text);
		rs_str_addc(out, '\n');
	}
	eng_md_lines_release(&lines);
	eng_md_release(&md);
}
