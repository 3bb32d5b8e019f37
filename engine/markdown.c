/* The small Markdown of lesson texts: lines -> blocks, blocks -> spans. Layout is in
 * markdown_layout.c.
 */
#include "engine/markdown.h"

#include <stdlib.h>
#include <string.h>

#define LEVELS 8

struct builder {
	struct eng_md *md;
	struct rs_str text;       /* of the open block, its source lines joined */
	bool open;
	bool blank;               /* an empty line was seen since the last block */
	int indent[LEVELS];       /* columns where the text of each open list level starts */
	unsigned level;
};

static struct eng_md_block *block_add(struct eng_md *md, enum eng_md_type type, unsigned level)
{
	ENG_MD_GROW(md->v, md->n);
	md->v[md->n] = (struct eng_md_block){ .type = type, .level = level };
	return &md->v[md->n++];
}

static void span_add(struct eng_md_block *b, unsigned style, struct rs_str *text)
{
	if (!text->len)
		return;
	if (b->spans && b->span[b->spans - 1].style == style) {
		char *joined = rs_xasprintf("%s%s", b->span[b->spans - 1].text, text->p);

		free(b->span[b->spans - 1].text);
		b->span[b->spans - 1].text = joined;
		rs_str_clear(text);
		return;
	}
	ENG_MD_GROW(b->span, b->spans);
	b->span[b->spans++] = (struct eng_md_span){ style, rs_str_detach(text) };
}

/* ---- inside a block ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || !c;
}

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (unsigned char)c >= 0x80;
}

/* Which marks belong together: pair[i] is where the partner of the mark at byte i starts, 0 for
 * none, and size[i] how many bytes the mark has. Found in one pass, so that a text full of marks
 * costs no more than another. */
struct pairs {
	size_t *pair;
	unsigned char *size;
};
#define OPEN_MAX 16           /* marks that wait for a partner; one more pushes none */
#define TICKS_MAX 8

struct opener {
	size_t at;
	char mark;
	unsigned size;
};

/* A run of ticks belongs to the next run of as many. */
static void pair_ticks(const char *s, size_t n, struct pairs *p)
{
	size_t next[TICKS_MAX + 1] = { 0 };

	for (size_t i = n; i-- > 0;) {
		if (s[i] != '`')
			continue;
		size_t end = i + 1;
		while (i && s[i - 1] == '`')
			i--;
		size_t run = end - i;
		if (run > TICKS_MAX)
			continue;
		p->pair[i] = next[run];
		p->size[i] = (unsigned char)run;
		next[run] = i;
	}
}

static void pair_stars(const char *s, size_t at, size_t run, struct opener *open, unsigned *opens,
		       struct pairs *p)
{
	char mark = s[at];
	bool can_open = !is_blank(s[at + run]) && (mark == '*' || !at || !is_word(s[at - 1]));
	bool can_close = at && !is_blank(s[at - 1]) && (mark == '*' || !is_word(s[at + run]));

	while (run) {
		unsigned k = can_close ? *opens : 0;

		while (k && (open[k - 1].mark != mark || open[k - 1].size > run))
			k--;
		if (k) {
			unsigned size = open[k - 1].size;

			p->pair[open[k - 1].at] = at;
			p->size[open[k - 1].at] = (unsigned char)size;
			*opens = k - 1;
			at += size;
			run -= size;
			continue;
		}
		unsigned size = run >= 2 ? 2 : 1;
		if (can_open && *opens < OPEN_MAX)
			open[(*opens)++] = (struct opener){ at, mark, size };
		at += size;
		run -= size;
	}
}

static bool escapes(const char *s)
{
	return *s == '\\' && s[1] && strchr("\\`*_#-{}[]()<>.!|\"'+~", s[1]);
}

static void pair_marks(const char *s, size_t n, struct pairs *p)
{
	struct opener open[OPEN_MAX];
	unsigned opens = 0;

	pair_ticks(s, n, p);
	for (size_t i = 0; i < n;) {
		if (escapes(s + i)) {
			i += 2;
		} else if (s[i] == '`') {
			size_t run = strspn(s + i, "`");

			if (run > TICKS_MAX || !p->pair[i]) {
				i += run;
				continue;
			}
			i = p->pair[i] + run;
		} else if (s[i] == '*' || s[i] == '_') {
			size_t run = strspn(s + i, s[i] == '*' ? "*" : "_");

			pair_stars(s, i, run, open, &opens, p);
			i += run;
		} else {
			i++;
		}
	}
}

static void code_span(struct eng_md_block *b, unsigned style, const char *p, const char *end)
{
	rs_auto_str code = RS_STR_INIT;

	/* `` ` `` : one blank on each side belongs to the marks */
	if (end - p > 2 && *p == ' ' && end[-1] == ' ') {
		p++;
		end--;
	}
	for (; p < end; p++)
		rs_str_addc(&code, *p == '\n' ? ' ' : *p);
	span_add(b, style | ENG_MD_CODE_SPAN, &code);
}

static void spans(struct eng_md_block *b, unsigned style, const char *s, size_t i, size_t end,
		  const struct pairs *p)
{
	rs_auto_str plain = RS_STR_INIT;

	while (i < end) {
		if (escapes(s + i)) {
			rs_str_addc(&plain, s[i + 1]);
			i += 2;
			continue;
		}
		if (!p->pair[i]) {
			/* ticks without a partner stand for themselves, all of them */
			size_t run = s[i] == '`' ? strspn(s + i, "`") : 1;

			rs_str_addn(&plain, s + i, run);
			i += run;
			continue;
		}
		size_t from = i + p->size[i], to = p->pair[i];
		span_add(b, style, &plain);
		if (s[i] == '`')
			code_span(b, style, s + from, s + to);
		else
			spans(b, style | (p->size[i] == 2 ? ENG_MD_STRONG : ENG_MD_EM), s, from, to, p);
		i = to + p->size[i];
	}
	span_add(b, style, &plain);
}

static void inline_spans(struct eng_md_block *b, unsigned style, const struct rs_str *text)
{
	struct pairs p = {
		.pair = rs_xcalloc(text->len + 1, sizeof(*p.pair)),
		.size = rs_xcalloc(text->len + 1, 1),
	};

	pair_marks(text->p, text->len, &p);
	spans(b, style, text->p, 0, text->len, &p);
	free(p.pair);
	free(p.size);
}

/* Puts source lines together: "\n" in the text is a soft break, "\n\n" a hard one. */
static void soft_breaks(const char *s, struct rs_str *out)
{
	while (*s) {
		size_t n = strcspn(s, "\n");

		rs_str_addn(out, s, n);
		s += n;
		if (!*s)
			break;
		if (s[1] == '\n') {
			rs_str_addc(out, '\n');
			s += 2;
			continue;
		}
		s++;
		if (!eng_md_joins(out->p, out->len, s))
			rs_str_addc(out, ' ');
	}
}

static void finish(struct builder *w)
{
	if (!w->open)
		return;
	struct eng_md_block *b = &w->md->v[w->md->n - 1];
	rs_auto_str text = RS_STR_INIT;

	w->open = false;
	if (b->type == ENG_MD_CODE) {
		if (w->text.len && w->text.p[w->text.len - 1] == '\n')
			w->text.p[--w->text.len] = 0;
		span_add(b, ENG_MD_CODE_SPAN, &w->text);
		rs_str_clear(&w->text);
		return;
	}
	while (w->text.len && w->text.p[w->text.len - 1] == '\n')
		w->text.p[--w->text.len] = 0;
	soft_breaks(w->text.p, &text);
	inline_spans(b, b->type == ENG_MD_HEADING ? ENG_MD_TITLE : 0, &text);
	rs_str_clear(&w->text);
}

static struct eng_md_block *start(struct builder *w, enum eng_md_type type, unsigned level)
{
	finish(w);
	w->open = true;
	struct eng_md_block *b = block_add(w->md, type, level);
	b->tight = type == ENG_MD_ITEM && !w->blank && w->md->n > 1 && b[-1].type == ENG_MD_ITEM;
	w->blank = false;
	return b;
}

/* ---- lines ---- */

/* Columns of the blanks in front of a line; *s gets behind them. */
static int indentation(const char **s, const char *end)
{
	int col = 0;

	for (; *s < end && (**s == ' ' || **s == '\t'); ++*s)
		col = **s == '\t' ? (col / 4 + 1) * 4 : col + 1;
	return col;
}

/* Length of a list marker with its blank ("- ", "12. "), 0 if there is none. */
static size_t marker(const char *s, const char *end)
{
	size_t n = (size_t)(end - s), digits = 0;

	if (n >= 2 && strchr("-*+", *s) && s[1] == ' ')
		return 2;
	while (digits < n && digits < 3 && s[digits] >= '0' && s[digits] <= '9')
		digits++;
	if (digits && digits + 1 < n && (s[digits] == '.' || s[digits] == ')') && s[digits + 1] == ' ')
		return digits + 2;
	return 0;
}

static void line_text(struct builder *w, const char *s, const char *end)
{
	bool hard = false;

	if (end - s >= 2 && end[-1] == ' ' && end[-2] == ' ')
		hard = true;
	while (end > s && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	if (end > s && end[-1] == '\\' && (end - s < 2 || end[-2] != '\\')) {
		hard = true;
		end--;
	}
	/* the break that the line before left open is a soft one */
	if (w->text.len && w->text.p[w->text.len - 1] != '\n')
		rs_str_addc(&w->text, '\n');
	rs_str_addn(&w->text, s, (size_t)(end - s));
	if (hard)
		rs_str_add(&w->text, "\n\n");
}

static void item(struct builder *w, int col, const char *s, const char *end, size_t m)
{
	/* a marker left of a level's text closes that level */
	while (w->level && col < w->indent[w->level - 1])
		w->level--;
	if (w->level < LEVELS)
		w->level++;
	w->indent[w->level - 1] = col + (int)m;
	struct eng_md_block *b = start(w, ENG_MD_ITEM, w->level);
	if (m == 2)
		strcpy(b->marker, "- ");
	else
		memcpy(b->marker, s, m);
	s += m;
	while (s < end && *s == ' ')
		s++;
	line_text(w, s, end);
}

/* A fence from the line `s` on. Returns the line behind it. */
static const char *fence(struct builder *w, int col, const char *s)
{
	size_t ticks = strspn(s, "`");

	while (w->level && col < w->indent[w->level - 1])
		w->level--;
	start(w, ENG_MD_CODE, w->level);
	s += strcspn(s, "\n");
	while (*s) {
		const char *p = ++s, *end = s + strcspn(s, "\n");
		int in = 0;

		const char *q = p;
		indentation(&q, end);
		size_t close = strspn(q, "`");
		if (close >= ticks && q + close + strspn(q + close, " \t\r") == end) {
			finish(w);
			return *end ? end + 1 : end;
		}
		while (p < end && *p == ' ' && in < col) {
			p++;
			in++;
		}
		if (!*p && !*end && p == end)
			break; /* the text ends here, the fence was never closed */
		while (end > p && end[-1] == '\r')
			end--;
		rs_str_addn(&w->text, p, (size_t)(end - p));
		rs_str_addc(&w->text, '\n');
		s += strcspn(s, "\n");
	}
	finish(w);
	return s;
}

/* ``` and perhaps a language; with more ticks behind them it is code inside a line. */
static bool is_fence(const char *s, const char *end)
{
	size_t ticks = strspn(s, "`");

	return ticks >= 3 && !memchr(s + ticks, '`', (size_t)(end - s) - ticks);
}

static void line(struct builder *w, const char *s, const char *end)
{
	int col = indentation(&s, end);
	size_t hashes = strspn(s, "#"), m = marker(s, end);

	if (hashes && hashes <= 6 && s + hashes < end && s[hashes] == ' ' && col < 4) {
		w->level = 0;
		start(w, ENG_MD_HEADING, (unsigned)hashes);
		line_text(w, s + hashes + 1, end);
		finish(w);
		return;
	}
	if (m) {
		item(w, col, s, end, m);
		return;
	}
	if (!w->open) {
		while (w->level && col < w->indent[w->level - 1])
			w->level--;
		start(w, ENG_MD_PARAGRAPH, w->level);
	}
	line_text(w, s, end);
}

void eng_md_parse(const char *text, struct eng_md *out)
{
	struct builder w = { .md = out, .text = RS_STR_INIT };

	*out = (struct eng_md){ 0 };
	while (*text) {
		const char *end = text + strcspn(text, "\n"), *s = text;
		int col = indentation(&s, end);

		while (end > s && end[-1] == '\r')
			end--;
		if (s == end) {
			finish(&w);
			w.blank = true;
		} else if (is_fence(s, end)) {
			text = fence(&w, col, s);
			continue;
		} else {
			line(&w, text, end);
		}
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	finish(&w);
	rs_str_release(&w.text);
}

void eng_md_release(struct eng_md *md)
{
	for (unsigned i = 0; i < md->n; i++) {
		for (unsigned k = 0; k < md->v[i].spans; k++)
			free(md->v[i].span[k].text);
		free(md->v[i].span);
	}
	free(md->v);
	*md = (struct eng_md){ 0 };
}
