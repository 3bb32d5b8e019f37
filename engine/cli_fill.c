/* Where a line may end is markdown.c's knowledge. */
#include "engine/cli_fill.h"

#include <stdbool.h>
#include <string.h>

#include "engine/markdown.h"

void eng_add_clean(struct rs_str *out, const char *s, size_t n)
{
	while (n) {
		uint32_t cp;
		size_t k = (size_t)rs_utf8_decode(s, n, &cp);

		if (cp != '\t' && (cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || (cp == 0xfffd && k == 1)))
			for (size_t i = 0; i < k; i++)
				rs_str_addf(out, "\\x%02x", (unsigned char)s[i]);
		else
			rs_str_addn(out, s, k);
		s += k;
		n -= k;
	}
}

/* Length in bytes of the unit at s that must not be broken: a word, or a wide character with the
 * punctuation that clings to it. */
static size_t unit(const char *s, size_t n)
{
	size_t i = 0;
	uint32_t cp, next;

	while (i < n && s[i] != ' ') {
		i += (size_t)rs_utf8_decode(s + i, n - i, &cp);
		if (i >= n || s[i] == ' ')
			break;
		rs_utf8_decode(s + i, n - i, &next);
		if (eng_md_may_break(cp, next))
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

/* Lines become one: with a blank between them, or none between Chinese characters. */
static void flatten(struct rs_str *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t k = 0;

		while (i + k < n && s[i + k] != '\n' && s[i + k] != '\t')
			k++;
		eng_add_clean(out, s + i, k);
		i += k;
		if (i + 1 < n && !eng_md_joins(s, i, s + i + 1))
			rs_str_addc(out, ' ');
		i++;
	}
}

static void keep_lines(struct filler *f, const char *s, size_t n)
{
	while (n) {
		const char *nl = memchr(s, '\n', n);
		size_t k = nl ? (size_t)(nl - s) : n;

		spaces(f->out, f->indent - f->column);
		eng_add_clean(f->out, s, k);
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
		/* too long for its column: the text begins below, unless the text belongs right behind it */
		if (f.column >= indent && *first && first[strlen(first) - 1] != ' ') {
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
