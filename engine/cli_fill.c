/* Line breaking after the rules that matter for English and Chinese prose (Unicode UAX #14:
 * classes CL, OP, ID, SP). */
#include "engine/cli_fill.h"

#include <stdbool.h>
#include <string.h>

/* May not begin a line. */
static bool is_closing(uint32_t cp)
{
	static const char set[] = "，。、：；！？）」』》〉】〕…—,.:;!?)]}%";
	char const *p = set;
	uint32_t c;
	int n;

	for (; (n = rs_utf8_decode(p, strlen(p), &c)) > 0; p += n)
		if (c == cp)
			return true;
	return false;
}

/* May not end a line. */
static bool is_opening(uint32_t cp)
{
	static const char set[] = "（「『《〈【〔([{";
	char const *p = set;
	uint32_t c;
	int n;

	for (; (n = rs_utf8_decode(p, strlen(p), &c)) > 0; p += n)
		if (c == cp)
			return true;
	return false;
}

/* Length in bytes of the unit at s that must not be broken: a word, or a wide character with the
 * punctuation that clings to it. */
static size_t unit(const char *s, size_t n)
{
	size_t i = 0;
	uint32_t cp, next;
	int k;

	while (i < n && s[i] != ' ') {
		bool wide;

		k = rs_utf8_decode(s + i, n - i, &cp);
		wide = rs_utf8_cp_width(cp) == 2;
		i += (size_t)k;
		if (i >= n || s[i] == ' ')
			break;
		rs_utf8_decode(s + i, n - i, &next);
		if (is_opening(cp) || is_closing(next))
			continue;
		if (wide || rs_utf8_cp_width(next) == 2)
			break;
	}
	return i;
}

struct filler {
	struct rs_str *out;
	int indent, width, column;
};

static void spaces(struct rs_str *out, int n)
{
	while (n-- > 0)
		rs_str_addc(out, ' ');
}

static void fill_paragraph(struct filler *f, const char *s, size_t n)
{
	bool space = false, empty = true;

	for (size_t i = 0; i < n;) {
		size_t k;
		int w;

		if (s[i] == ' ') {
			space = true;
			i++;
			continue;
		}
		k = unit(s + i, n - i);
		w = rs_utf8_width(s + i, k);
		if (!empty && f->column + space + w > f->width) {
			rs_str_addc(f->out, '\n');
			spaces(f->out, f->indent);
			f->column = f->indent;
		} else if (space && !empty) {
			rs_str_addc(f->out, ' ');
			f->column++;
		}
		rs_str_addn(f->out, s + i, k);
		f->column += w;
		space = empty = false;
		i += k;
	}
	rs_str_addc(f->out, '\n');
}

/* Newlines become spaces, but nothing between two wide characters: Chinese has no spaces there. */
static void flatten(struct rs_str *out, const char *s, size_t n)
{
	uint32_t cp = 0, next;

	for (size_t i = 0; i < n;) {
		if (s[i] == '\n' || s[i] == '\t') {
			next = 0;
			rs_utf8_decode(s + i + 1, n - i - 1, &next);
			if (rs_utf8_cp_width(cp) != 2 || rs_utf8_cp_width(next) != 2)
				rs_str_addc(out, ' ');
			i++;
		} else {
			int k = rs_utf8_decode(s + i, n - i, &cp);

			rs_str_addn(out, s + i, (size_t)k);
			i += (size_t)k;
		}
	}
}

static void keep_lines(struct filler *f, const char *s, size_t n)
{
	while (n) {
		const char *nl = memchr(s, '\n', n);
		size_t k = nl ? (size_t)(nl - s) : n;

		spaces(f->out, f->indent - f->column);
		rs_str_addn(f->out, s, k);
		rs_str_addc(f->out, '\n');
		f->column = 0;
		s += k + (nl != NULL);
		n -= k + (nl != NULL);
	}
}

void eng_fill(struct rs_str *out, const char *text, const char *first, int indent, int width)
{
	struct filler f = { out, indent, width, 0 };
	bool any = false;

	if (first) {
		rs_str_add(out, first);
		f.column = rs_utf8_width(first, strlen(first));
		if (f.column > indent || (f.column == indent && *first && first[strlen(first) - 1] != ' ')) {
			rs_str_addc(out, '\n');
			f.column = 0;
		}
	}
	while (*text == '\n')
		text++;
	while (*text) {
		const char *end = strstr(text, "\n\n");
		size_t n = end ? (size_t)(end - text) : strlen(text);

		while (n && text[n - 1] == '\n')
			n--;
		if (any)
			rs_str_addc(out, '\n');
		if (text[0] == ' ') {
			keep_lines(&f, text, n);
		} else {
			rs_auto_str flat = RS_STR_INIT;

			flatten(&flat, text, n);
			spaces(out, indent - f.column);
			if (f.column < indent)
				f.column = indent;
			fill_paragraph(&f, flat.p, flat.len);
			f.column = 0;
		}
		any = true;
		text = end ? end : text + n;
		while (*text == '\n')
			text++;
	}
}

static size_t line_length(const char *s)
{
	return strcspn(s, "\n");
}

/* Length of a list mark ("- ", "* ", "12. ") at s, blanks before it included; 0: no list item. */
static size_t list_mark(const char *s)
{
	size_t blanks = strspn(s, " "), n = blanks;

	if ((s[n] == '-' || s[n] == '*') && s[n + 1] == ' ')
		return n + 2;
	n += strspn(s + n, "0123456789");
	return n > blanks && s[n] == '.' && s[n + 1] == ' ' ? n + 2 : 0;
}

/* Copies prose without the stars of **bold**; `code` is copied as it is. */
static void add_prose(struct rs_str *out, const char *s, size_t n)
{
	bool code = false;

	for (size_t i = 0; i < n; i++) {
		if (s[i] == '`')
			code = !code;
		if (!code && s[i] == '*' && i + 1 < n && s[i + 1] == '*') {
			i++;
			continue;
		}
		rs_str_addc(out, s[i]);
	}
}

void eng_fill_markdown(struct rs_str *out, const char *text, int indent, int width)
{
	bool gap = false;

	while (*text) {
		rs_auto_str block = RS_STR_INIT, mark = RS_STR_INIT;
		size_t n = line_length(text), m;

		if (strspn(text, " \t") >= n) { /* an empty line */
			gap = true;
			text += n + (text[n] == '\n');
			continue;
		}
		if (gap && out->len)
			rs_str_addc(out, '\n');
		gap = false;
		if (strncmp(text, "```", 3) == 0) {
			for (text += n + (text[n] == '\n'); *text && strncmp(text, "```", 3) != 0;
			     text += n + (text[n] == '\n')) {
				n = line_length(text);
				spaces(out, indent + 4);
				rs_str_addn(out, text, n);
				rs_str_addc(out, '\n');
			}
			n = line_length(text);
			text += n + (text[n] == '\n');
			continue;
		}
		m = list_mark(text);
		spaces(&mark, indent);
		rs_str_addn(&mark, text, m);
		add_prose(&block, text + m, n - m);
		text += n + (text[n] == '\n');
		/* the lines that go on in the same block */
		while (*text && strncmp(text, "```", 3) != 0 && !list_mark(text)) {
			n = line_length(text);
			if (strspn(text, " \t") >= n)
				break;
			rs_str_addc(&block, '\n');
			add_prose(&block, text + strspn(text, " "), n - strspn(text, " "));
			text += n + (text[n] == '\n');
		}
		eng_fill(out, block.p, m ? mark.p : NULL, indent + (int)m, width);
	}
}
