/* Text -> tokens of the check language. */
#include <ctype.h>
#include <errno.h>

#include "engine/expr.h"

void expr_place(const struct parser *p, size_t at, int *line, int *col)
{
	*line = p->line;
	*col = p->col;
	for (size_t i = 0; i < at && i < p->len; i++) {
		if (p->text[i] == '\n') {
			/* a block scalar: every line starts in the same column */
			++*line;
			*col = p->col;
		} else if ((p->text[i] & 0xc0) != 0x80) {
			++*col;
		}
	}
}

const char *expr_tok_text(struct parser *p)
{
	char *buf = p->shown;
	size_t n = p->tok.to - p->tok.from;

	if (n > sizeof(p->shown) - 1) {
		n = sizeof(p->shown) - 1;
		while (n && (p->text[p->tok.from + n] & 0xc0) == 0x80)
			n--; /* whole characters */
	}
	memcpy(buf, p->text + p->tok.from, n);
	buf[n] = 0;
	return buf;
}

static bool name_start(int c)
{
	return isalpha(c) || c == '_';
}

static bool name_char(int c)
{
	return isalnum(c) || c == '_';
}

static int hex_digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int fail(void *null)
{
	(void)null;
	return -EINVAL;
}

static const struct {
	const char *name;
	uint64_t factor;
} suffixes[] = {
	{ "K", 1ull << 10 }, { "M", 1ull << 20 }, { "G", 1ull << 30 },
	{ "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 },
};

static int lex_number(struct parser *p)
{
	const char *t = p->text;
	size_t i = p->pos;
	uint64_t v = 0;
	bool over = false, hex = t[i] == '0' && (t[i + 1] | 0x20) == 'x';

	if (hex) {
		i += 2;
		if (hex_digit(t[i]) < 0)
			return fail(EXPR_FAIL(p, p->pos, "a hexadecimal number needs digits after 0x"));
		for (; hex_digit(t[i]) >= 0; i++) {
			over |= v >> 60 != 0;
			v = v << 4 | (uint64_t)hex_digit(t[i]);
		}
	} else {
		if (t[i] == '0' && isdigit((unsigned char)t[i + 1]))
			return fail(EXPR_FAIL(p, p->pos, "a number does not start with 0; octal is not known here"));
		for (; isdigit((unsigned char)t[i]); i++)
			over |= __builtin_mul_overflow(v, 10u, &v) ||
				__builtin_add_overflow(v, (unsigned)(t[i] - '0'), &v);
	}
	size_t digits_end = i;
	while (name_char((unsigned char)t[i]))
		i++;
	p->tok.to = i;
	if (i > digits_end) {
		size_t n = i - digits_end;
		unsigned k = 0;

		while (k < sizeof(suffixes) / sizeof(*suffixes) &&
		       (strlen(suffixes[k].name) != n || memcmp(suffixes[k].name, t + digits_end, n)))
			k++;
		if (hex || k == sizeof(suffixes) / sizeof(*suffixes))
			return fail(EXPR_FAIL(p, digits_end,
				"\"%s\" is not a number; sizes end in K, M or G, times in ns, us, ms or s",
				expr_tok_text(p)));
		over |= __builtin_mul_overflow(v, suffixes[k].factor, &v);
	}
	/* a hexadecimal number may be any 64-bit pattern, as addresses are */
	if (over || (!hex && v > INT64_MAX))
		return fail(EXPR_FAIL(p, p->pos, "%s does not fit in 64 bits", expr_tok_text(p)));
	p->tok.t = T_INT;
	p->tok.i = (int64_t)v;
	p->pos = i;
	return 0;
}

static int lex_text(struct parser *p)
{
	char quote = p->text[p->pos];
	size_t i = p->pos + 1;

	p->tok.t = T_STR;
	for (;; i++) {
		char c = p->text[i];

		if (i >= p->len)
			return fail(EXPR_FAIL(p, p->pos, "this text has no closing quote"));
		if (c == quote)
			break;
		if (c != '\\') {
			rs_str_addc(&p->tok.s, c);
			continue;
		}
		c = p->text[++i];
		switch (c) {
		case 'n': c = '\n'; break;
		case 't': c = '\t'; break;
		case 'r': c = '\r'; break;
		case '\\': case '"': case '\'': break;
		case 'x':
			if (hex_digit(p->text[i + 1]) < 0 || hex_digit(p->text[i + 2]) < 0)
				return fail(EXPR_FAIL(p, i - 1, "\\x needs two hexadecimal digits"));
			c = (char)(hex_digit(p->text[i + 1]) << 4 | hex_digit(p->text[i + 2]));
			i += 2;
			break;
		default:
			return fail(EXPR_FAIL(p, i - 1,
				"unknown escape in text; \\n \\t \\r \\\\ \\\" \\' and \\xHH are known"));
		}
		rs_str_addc(&p->tok.s, c);
	}
	p->pos = p->tok.to = i + 1;
	if (quote == '\'') {
		if (p->tok.s.len != 1)
			return fail(EXPR_FAIL(p, p->tok.from,
				"'...' is the number of one character; write text in double quotes"));
		p->tok.t = T_INT;
		p->tok.i = (unsigned char)p->tok.s.p[0];
	}
	return 0;
}

static const struct {
	const char *word;
	enum tok t;
} keywords[] = {
	{ "or", T_OR }, { "and", T_AND }, { "not", T_NOT }, { "in", T_IN }, { "where", T_WHERE },
	{ "true", T_TRUE }, { "false", T_FALSE },
};

static int lex_name(struct parser *p)
{
	size_t i = p->pos;

	do { /* dotted: cpu.ring.from */
		while (name_char((unsigned char)p->text[i]))
			i++;
	} while (p->text[i] == '.' && name_start((unsigned char)p->text[i + 1]) && ++i);
	rs_str_addn(&p->tok.s, p->text + p->pos, i - p->pos);
	p->pos = p->tok.to = i;
	p->tok.t = T_NAME;
	for (unsigned k = 0; k < sizeof(keywords) / sizeof(*keywords); k++)
		if (!strcmp(p->tok.s.p, keywords[k].word))
			p->tok.t = keywords[k].t;
	return 0;
}

/* Longer marks stand before their beginnings. `better`: what the writer of C meant. */
static const struct {
	const char *mark;
	enum tok t;
	const char *better;
} marks[] = {
	{ "&&", T_END, "and" }, { "||", T_END, "or" }, { "==", T_EQ, NULL }, { "!=", T_NE, NULL },
	{ "<>", T_END, "!=" }, { "<=", T_LE, NULL }, { ">=", T_GE, NULL }, { "<<", T_SHL, NULL },
	{ ">>", T_SHR, NULL }, { "<", T_LT, NULL }, { ">", T_GT, NULL }, { "=", T_END, "==" },
	{ "!", T_END, "not" }, { "|", T_BOR, NULL }, { "^", T_XOR, NULL }, { "&", T_BAND, NULL },
	{ "+", T_ADD, NULL }, { "-", T_SUB, NULL }, { "*", T_MUL, NULL }, { "/", T_DIV, NULL },
	{ "%", T_MOD, NULL }, { "~", T_BNOT, NULL }, { "(", T_LPAR, NULL }, { ")", T_RPAR, NULL },
	{ "[", T_LBRK, NULL }, { "]", T_RBRK, NULL }, { ",", T_COMMA, NULL },
};

int expr_next(struct parser *p)
{
	while (p->pos < p->len && strchr(" \t\r\n", p->text[p->pos]))
		p->pos++;
	rs_str_clear(&p->tok.s);
	p->tok.from = p->tok.to = p->pos;
	p->tok.t = T_END;
	if (p->pos >= p->len)
		return 0;
	unsigned char c = (unsigned char)p->text[p->pos];
	if (isdigit(c))
		return lex_number(p);
	if (c == '"' || c == '\'')
		return lex_text(p);
	if (name_start(c))
		return lex_name(p);
	for (unsigned i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
		size_t n = strlen(marks[i].mark);

		if (strncmp(p->text + p->pos, marks[i].mark, n))
			continue;
		if (marks[i].better)
			return fail(EXPR_FAIL(p, p->pos, "write \"%s\" instead of \"%s\"",
					      marks[i].better, marks[i].mark));
		p->tok.t = marks[i].t;
		p->pos = p->tok.to = p->pos + n;
		return 0;
	}
	uint32_t cp;
	p->tok.to = p->pos + (size_t)rs_utf8_decode(p->text + p->pos, p->len - p->pos, &cp);
	if (c < 0x20 || c == 0x7f)
		return fail(EXPR_FAIL(p, p->pos, "a control character does not belong here"));
	return fail(EXPR_FAIL(p, p->pos, "\"%s\" does not belong here", expr_tok_text(p)));
}
