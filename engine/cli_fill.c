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
		if (f.column > indent - 1 && indent > 0) {
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

			rs_str_addn(&flat, text, n);
			for (size_t i = 0; i < flat.len; i++)
				if (flat.p[i] == '\n' || flat.p[i] == '\t')
					flat.p[i] = ' ';
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
