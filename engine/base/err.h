/* The error object. Whoever fails says what failed, where and why; the error
 * travels up unprinted; only the program prints it, in the user's language.
 */
#ifndef RS_BASE_ERR_H
#define RS_BASE_ERR_H

#include "engine/base/lang.h"

struct rs_err {
	int code;                  /* negative errno; 0 = no error */
	char file[256];            /* where in the input; "" = no place */
	int line, col;             /* 1-based; 0 = unknown */
	char text[RS_LANGS][512];  /* one sentence per language, no final newline */
};

#define RS_ERR_INIT                                                                                \
	{                                                                                          \
		0                                                                                  \
	}

/* Formats the error and returns `code`, so that a caller writes
 *     return rs_err_set(err, -EINVAL, "memory size %s is not a multiple of 4K", s);
 * `fmt` is a translation key: a translated format takes the same arguments
 * (use %2$s to reorder). `err` may be NULL. An error already set is replaced. */
int rs_err_set(struct rs_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Like rs_err_set, with a place in an input file. */
int rs_err_at(struct rs_err *err, int code, const char *file, int line, int col, const char *fmt,
	      ...) __attribute__((format(printf, 6, 7)));

/* Like rs_err_set, and appends ": " and strerror(errno_value). Returns -errno_value. */
int rs_err_errno(struct rs_err *err, int errno_value, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "context: " in front of an error that is set. Returns err->code. */
int rs_err_wrap(struct rs_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* One sentence in every language, no final newline: what is said of something that is no error. */
struct rs_text {
	char in[RS_LANGS][200];
};
/* `fmt` as for rs_err_set. What does not fit is cut at a whole character. */
void rs_text_set(struct rs_text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* `key` without arguments: a translation key, or a fact that is the same in every language. */
void rs_text_key(struct rs_text *t, const char *key);

/* "file:line:col: sentence" into buf (always terminated). Returns buf. */
const char *rs_err_format(const struct rs_err *err, enum rs_lang lang, char *buf, unsigned size);

#endif
