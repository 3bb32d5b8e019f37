#include <stdlib.h>
#include <string.h>

#include "tui/text.h"

/* A paragraph on its way: its text with one style a byte. */
struct para {
	struct rs_str text, style;
	enum tui_style base;
	bool bold, emph, code;
};

static void para_clear(struct para *p)
{
	rs_str_clear(&p->text);
	rs_str_clear(&p->style);
	p->base = TUI_S_TEXT;
	p->bold = p->emph = p->code = false;
}

static enum tui_style para_style(const struct para *p)
{
	return p->code ? TUI_S_CODE : p->bold ? TUI_S_STRONG : p->emph ? TUI_S_ACCENT : p->base;
}

/* A * that opens or closes emphasis touches a letter on one side and none on the other. */
static bool emphasis_mark(const struct para *p, const char *s, size_t i, size_t n)
{
	bool space_after = i + 1 >= n || s[i + 1] == ' ';
	bool space_before = i == 0 ? !p->text.len : s[i - 1] == ' ';
	return p->emph ? !space_before : !space_after;
}

static void para_add(struct para *p, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '`') {
			p->code = !p->code;
			continue;
		}
		if (!p->code && s[i] == '*' && i + 1 < n && s[i + 1] == '*') {
			p->bold = !p->bold;
			i++;
			continue;
		}
		if (!p->code && s[i] == '*' && emphasis_mark(p, s, i, n)) {
			p->emph = !p->emph;
			continue;
		}
		rs_str_addc(&p->text, s[i]);
		rs_str_addc(&p->style, (char)para_style(p));
	}
}

static bool wide_before_end(const struct rs_str *s)
{
	size_t i = s->len;
	uint32_t cp;
	if (!i)
		return false;
	do
		i--;
	while (i && ((unsigned char)s->p[i] & 0xc0) == 0x80);
	rs_utf8_decode(s->p + i, s->len - i, &cp);
	return rs_utf8_cp_width(cp) == 2;
}

/* Lines of a paragraph are joined with a space, but not between two Chinese characters. */
static void para_join(struct para *p, const char *s, size_t n)
{
	uint32_t cp;
	if (p->text.len) {
		bool wide = rs_utf8_decode(s, n, &cp) && rs_utf8_cp_width(cp) == 2;
		if (!(wide && wide_before_end(&p->text)))
			para_add(p, " ", 1);
	}
	para_add(p, s, n);
}

static void line_add(struct tui_doc *d, const char *text, const char *style, size_t n, int indent,
		     const char *lead, bool fence)
{
	d->v = rs_xrealloc(d->v, (size_t)d->n + 1, sizeof(*d->v));
	struct tui_line *l = &d->v[d->n++];
	*l = (struct tui_line){ .n = n, .indent = indent, .lead = lead, .fence = fence };
	l->text = rs_xmalloc(n + 1);
	l->style = rs_xmalloc(n + 1);
	if (n) {
		memcpy(l->text, text, n);
		memcpy(l->style, style, n);
	}
}

static void para_flush(struct tui_doc *d, struct para *p, int width, int indent, const char *lead)
{
	struct tui_wrap w = { .text = p->text.p, .width = width - indent };
	if (!p->text.len)
		return;
	while (tui_wrap_next(&w)) {
		line_add(d, w.line, p->style.p + (w.line - p->text.p), w.len, indent, lead, false);
		lead = NULL;
	}
	para_clear(p);
}

static void gap(struct tui_doc *d)
{
	if (d->n && (d->v[d->n - 1].n || d->v[d->n - 1].fence))
		line_add(d, NULL, NULL, 0, 0, NULL, false);
}

void tui_doc_layout(struct tui_doc *d, const char *text, int width)
{
	struct para p = { .text = RS_STR_INIT, .style = RS_STR_INIT };
	bool fence = false;
	int indent = 0;
	const char *lead = NULL;
	*d = (struct tui_doc){ 0 };
	para_clear(&p);
	for (const char *s = text, *next; *s; s = next) {
		size_t n = strcspn(s, "\n");
		next = s + n + (s[n] == '\n');
		size_t sp = strspn(s, " ");
		if (sp > n)
			sp = n;
		if (n - sp >= 3 && !strncmp(s + sp, "```", 3)) {
			para_flush(d, &p, width, indent, lead);
			fence = !fence;
			indent = 0;
			lead = NULL;
			continue;
		}
		if (fence) {
			rs_auto_str style = RS_STR_INIT;
			for (size_t i = 0; i < n; i++)
				rs_str_addc(&style, (char)TUI_S_CODE);
			line_add(d, s, style.p, n, 1, NULL, true);
			continue;
		}
		if (sp == n) { /* an empty line ends a paragraph */
			para_flush(d, &p, width, indent, lead);
			gap(d);
			indent = 0;
			lead = NULL;
			continue;
		}
		if (n - sp > 2 && s[sp] == '-' && s[sp + 1] == ' ') {
			para_flush(d, &p, width, indent, lead);
			indent = 2 + (int)sp;
			lead = "•";
			para_join(&p, s + sp + 2, n - sp - 2);
			continue;
		}
		if (s[0] == '#') {
			size_t h = strspn(s, "#");
			para_flush(d, &p, width, indent, lead);
			p.base = TUI_S_ACCENT;
			para_join(&p, s + h + strspn(s + h, " "), n - h - strspn(s + h, " "));
			para_flush(d, &p, width, 0, NULL);
			continue;
		}
		para_join(&p, s + sp, n - sp);
	}
	para_flush(d, &p, width, indent, lead);
	while (d->n && !d->v[d->n - 1].n && !d->v[d->n - 1].fence) {
		d->n--;
		free(d->v[d->n].text);
		free(d->v[d->n].style);
	}
	rs_str_release(&p.text);
	rs_str_release(&p.style);
}

void tui_doc_release(struct tui_doc *d)
{
	for (int i = 0; i < d->n; i++) {
		free(d->v[i].text);
		free(d->v[i].style);
	}
	free(d->v);
	*d = (struct tui_doc){ 0 };
}

void tui_doc_draw(struct tui_area a, const struct tui_doc *d, int top)
{
	for (int y = 0; y < a.h && top + y < d->n; y++) {
		const struct tui_line *l = &d->v[top + y];
		if (l->fence)
			tui_back_row(a, 0, y, a.w, TUI_B_CODE);
		if (l->lead)
			tui_put(a, l->indent - 2, y, TUI_S_DIM, l->lead);
		int x = l->indent;
		for (size_t i = 0, j; i < l->n; i = j) {
			for (j = i + 1; j < l->n && l->style[j] == l->style[i]; j++)
				;
			x += tui_put_raw(a, x, y, a.w - x, l->style[i], l->text + i, j - i);
		}
	}
}
