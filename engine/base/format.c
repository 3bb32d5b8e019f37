/* Do two printf formats take the same arguments? */
#include "engine/base/lang.h"

#include <ctype.h>
#include <string.h>

#define ARGS_MAX 16

enum kind { NONE, INT, LONG, LLONG, SIZE, INTMAX, PTRDIFF, DOUBLE, LDOUBLE, STRING, POINTER, BAD };

struct scan {
	enum kind arg[ARGS_MAX];
	unsigned next;           /* argument that the next unnumbered conversion takes */
	bool numbered, plain;    /* both in one format is undefined (printf(3)) */
	bool bad;
};

static void take(struct scan *s, unsigned number, enum kind kind)
{
	unsigned i = number ? number - 1 : s->next++;

	if (number)
		s->numbered = true;
	else
		s->plain = true;
	if (i >= ARGS_MAX || kind == BAD || (s->arg[i] != NONE && s->arg[i] != kind))
		s->bad = true;
	else
		s->arg[i] = kind;
}

/* "12$" gives 12 and steps over it, anything else 0. */
static unsigned position(const char **p)
{
	const char *q = *p;
	unsigned n = 0;

	while (isdigit((unsigned char)*q) && n < 1000)
		n = n * 10 + (unsigned)(*q++ - '0');
	if (n == 0 || *q != '$')
		return 0;
	*p = q + 1;
	return n;
}

/* A width or precision: digits, or an argument. */
static void field(struct scan *s, const char **p)
{
	if (**p == '*') {
		++*p;
		take(s, position(p), INT);
		return;
	}
	while (isdigit((unsigned char)**p))
		++*p;
}

static enum kind conversion(const char **p)
{
	enum kind size = INT;

	switch (**p) {
	case 'h':
		*p += (*p)[1] == 'h' ? 2 : 1;
		break;
	case 'l':
		size = (*p)[1] == 'l' ? LLONG : LONG;
		*p += size == LLONG ? 2 : 1;
		break;
	case 'z':
		size = SIZE;
		++*p;
		break;
	case 'j':
		size = INTMAX;
		++*p;
		break;
	case 't':
		size = PTRDIFF;
		++*p;
		break;
	case 'L':
		size = LDOUBLE;
		++*p;
		break;
	}
	switch (*(*p)++) {
	case 'd': case 'i': case 'u': case 'x': case 'X': case 'o':
		return size == LDOUBLE ? BAD : size;
	case 'c':
		return size == INT ? INT : BAD;
	case 's':
		return size == INT ? STRING : BAD;
	case 'p':
		return size == INT ? POINTER : BAD;
	case 'f': case 'F': case 'e': case 'E': case 'g': case 'G': case 'a': case 'A':
		return size == INT ? DOUBLE : size == LDOUBLE ? LDOUBLE : BAD;
	default: /* %n has no place in a translation */
		return BAD;
	}
}

static void scan(struct scan *s, const char *p)
{
	memset(s, 0, sizeof(*s));
	while (!s->bad && (p = strchr(p, '%'))) {
		unsigned number;

		if (*++p == '%') {
			p++;
			continue;
		}
		number = position(&p);
		p += strspn(p, "-+ #0'");
		field(s, &p);
		if (*p == '.') {
			p++;
			field(s, &p);
		}
		if (!*p) {
			s->bad = true;
			break;
		}
		take(s, number, conversion(&p));
	}
	if (s->numbered && s->plain)
		s->bad = true;
}

bool rs_format_matches(const char *fmt, const char *translated)
{
	struct scan a, b;

	scan(&a, fmt);
	scan(&b, translated);
	/* The same arguments, all of them: vprintf cannot step over one that is not named. */
	return !a.bad && !b.bad && memcmp(a.arg, b.arg, sizeof(a.arg)) == 0;
}
