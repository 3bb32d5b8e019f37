/* The error object. */
#include "engine/base/err.h"

#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/str.h"

#define TEXT_SIZE sizeof(((struct rs_err *)0)->text[0])

/* Ends text that filled its buffer at the last whole character. */
static void trim(char *text, size_t size)
{
	size_t n = strnlen(text, size);

	if (n == size - 1)
		text[rs_utf8_fit(text, n, size - 2)] = '\0';
}

/* The format in `lang`, or the English one when the translation asks for other arguments. */
static const char *format_in(enum rs_lang lang, const char *fmt)
{
	const char *tr = rs_tr(lang, fmt);

	return tr == fmt || rs_format_matches(fmt, tr) ? tr : fmt;
}

/* `text`: RS_LANGS buffers of `size` bytes, one after the other. */
static void format_all(char *text, size_t size, const char *fmt, va_list ap)
{
	for (int l = 0; l < RS_LANGS; l++, text += size) {
		va_list copy;

		va_copy(copy, ap);
		vsnprintf(text, size, format_in(l, fmt), copy);
		va_end(copy);
		trim(text, size);
	}
}

void rs_text_set(struct rs_text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	format_all(t->in[0], sizeof(t->in[0]), fmt, ap);
	va_end(ap);
}

void rs_text_key(struct rs_text *t, const char *key)
{
	for (int l = 0; l < RS_LANGS; l++) {
		snprintf(t->in[l], sizeof(t->in[l]), "%s", rs_tr(l, key));
		trim(t->in[l], sizeof(t->in[l]));
	}
}

int rs_err_set(struct rs_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	err->code = code;
	err->file[0] = '\0';
	err->line = err->col = 0;
	va_start(ap, fmt);
	format_all(err->text[0], TEXT_SIZE, fmt, ap);
	va_end(ap);
	return code;
}

int rs_err_at(struct rs_err *err, int code, const char *file, int line, int col, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	err->code = code;
	snprintf(err->file, sizeof(err->file), "%s", file ? file : "");
	trim(err->file, sizeof(err->file));
	err->line = line;
	err->col = col;
	va_start(ap, fmt);
	format_all(err->text[0], TEXT_SIZE, fmt, ap);
	va_end(ap);
	return code;
}

/* Appends "sep text" to what stands in dst. */
static void append(char *dst, const char *sep, const char *text)
{
	size_t n = strlen(dst);

	snprintf(dst + n, TEXT_SIZE - n, "%s%s", sep, text);
	trim(dst, TEXT_SIZE);
}

int rs_err_errno(struct rs_err *err, int errno_value, const char *fmt, ...)
{
	/* In the C locale, whatever the program set: the English text is the translation key. */
	locale_t c;
	const char *why;
	va_list ap;

	if (!err)
		return -errno_value;
	err->code = -errno_value;
	err->file[0] = '\0';
	err->line = err->col = 0;
	va_start(ap, fmt);
	format_all(err->text[0], TEXT_SIZE, fmt, ap);
	va_end(ap);
	c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	why = c ? strerror_l(errno_value, c) : "";
	for (int l = 0; l < RS_LANGS; l++)
		append(err->text[l], rs_tr(l, ": "), rs_tr(l, why));
	if (c)
		freelocale(c);
	return -errno_value;
}

int rs_err_wrap(struct rs_err *err, const char *fmt, ...)
{
	struct rs_err outer;
	va_list ap;

	if (!err)
		return 0;
	va_start(ap, fmt);
	format_all(outer.text[0], TEXT_SIZE, fmt, ap);
	va_end(ap);
	for (int l = 0; l < RS_LANGS; l++) {
		append(outer.text[l], rs_tr(l, ": "), err->text[l]);
		memcpy(err->text[l], outer.text[l], TEXT_SIZE);
	}
	return err->code;
}

const char *rs_err_format(const struct rs_err *err, enum rs_lang lang, char *buf, unsigned size)
{
	rs_auto_str s = RS_STR_INIT;
	size_t n;

	if (!size)
		return buf;
	if (err->file[0]) {
		rs_str_add(&s, err->file);
		if (err->line > 0)
			rs_str_addf(&s, ":%d", err->line);
		if (err->line > 0 && err->col > 0)
			rs_str_addf(&s, ":%d", err->col);
		rs_str_add(&s, ": ");
	}
	rs_str_add(&s, err->text[(unsigned)lang < RS_LANGS ? lang : RS_LANG_EN]);
	n = rs_utf8_fit(s.p, s.len, size - 1);
	memcpy(buf, s.p, n);
	buf[n] = '\0';
	return buf;
}
