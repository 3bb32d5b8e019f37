/* Growable strings, and memory that is there or ends the program. */
#include "engine/base/str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char rs_str_empty[1];

void rs_oom(void)
{
	static const char msg[] = "ringside: out of memory\n";

	/* abort, not exit: no handler may want memory, and a terminal is restored on SIGABRT */
	if (write(STDERR_FILENO, msg, sizeof(msg) - 1) < 0)
		abort();
	abort();
}

void *rs_xmalloc(size_t n)
{
	void *p = malloc(n ? n : 1);

	if (!p)
		rs_oom();
	return p;
}

void *rs_xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (!p)
		rs_oom();
	return p;
}

void *rs_xrealloc(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		rs_oom();
	p = realloc(p, bytes ? bytes : 1);
	if (!p)
		rs_oom();
	return p;
}

char *rs_xstrdup(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(rs_xmalloc(n), s, n);
}

char *rs_xasprintf(const char *fmt, ...)
{
	struct rs_str s = RS_STR_INIT;
	va_list ap;

	va_start(ap, fmt);
	rs_str_vaddf(&s, fmt, ap);
	va_end(ap);
	return rs_str_detach(&s);
}

/* Makes room for n more bytes and the terminator. A string without memory of its own (cap 0)
 * points at rs_str_empty, or at NULL if it was zero-initialised. */
static void grow(struct rs_str *s, size_t n)
{
	size_t need, cap = s->cap ? s->cap : 32;

	if (__builtin_add_overflow(s->len, n, &need) || __builtin_add_overflow(need, 1, &need))
		rs_oom();
	if (need <= s->cap)
		return;
	while (cap < need)
		if (__builtin_mul_overflow(cap, 2, &cap))
			rs_oom();
	s->p = rs_xrealloc(s->cap ? s->p : NULL, cap, 1);
	s->cap = cap;
	s->p[s->len] = '\0';
}

void rs_str_release(struct rs_str *s)
{
	if (s->cap)
		free(s->p);
	*s = (struct rs_str)RS_STR_INIT;
}

void rs_str_clear(struct rs_str *s)
{
	s->len = 0;
	if (s->cap)
		s->p[0] = '\0';
	else
		s->p = rs_str_empty;
}

void rs_str_addn(struct rs_str *s, const void *data, size_t n)
{
	grow(s, n);
	if (n)
		memcpy(s->p + s->len, data, n);
	s->len += n;
	s->p[s->len] = '\0';
}

void rs_str_add(struct rs_str *s, const char *text)
{
	rs_str_addn(s, text, strlen(text));
}

void rs_str_addc(struct rs_str *s, char c)
{
	rs_str_addn(s, &c, 1);
}

void rs_str_vaddf(struct rs_str *s, const char *fmt, va_list ap)
{
	va_list copy;
	int n;

	va_copy(copy, ap);
	n = vsnprintf(NULL, 0, fmt, copy);
	va_end(copy);
	if (n < 0) /* longer than INT_MAX, or a wide character that the locale lacks */
		return;
	grow(s, (size_t)n);
	vsnprintf(s->p + s->len, (size_t)n + 1, fmt, ap);
	s->len += (size_t)n;
}

void rs_str_addf(struct rs_str *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	rs_str_vaddf(s, fmt, ap);
	va_end(ap);
}

char *rs_str_detach(struct rs_str *s)
{
	char *p = s->cap ? s->p : rs_xcalloc(1, 1);

	*s = (struct rs_str)RS_STR_INIT;
	return p;
}
