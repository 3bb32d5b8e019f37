/* Growable strings. A string is always terminated, so s.p can be printed at any
 * time; contents may hold NUL bytes, s.len counts them. Out of memory ends the
 * program with one sentence (rs_oom), here as in rs_xmalloc and friends.
 */
#ifndef RS_BASE_STR_H
#define RS_BASE_STR_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct rs_str {
	char *p;    /* never NULL after rs_str_init or RS_STR_INIT's first use */
	size_t len; /* bytes, without the terminator */
	size_t cap;
};

extern char rs_str_empty[1];
#define RS_STR_INIT                                                                                \
	{                                                                                          \
		.p = rs_str_empty                                                                  \
	}

void rs_str_release(struct rs_str *s);               /* frees; s is empty and usable again */
void rs_str_clear(struct rs_str *s);                 /* empties, keeps the memory */
void rs_str_add(struct rs_str *s, const char *text);
void rs_str_addn(struct rs_str *s, const void *data, size_t n);
void rs_str_addc(struct rs_str *s, char c);
void rs_str_addf(struct rs_str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void rs_str_vaddf(struct rs_str *s, const char *fmt, va_list ap);
char *rs_str_detach(struct rs_str *s);               /* the caller frees; s is empty again */
#define rs_auto_str __attribute__((cleanup(rs_str_release))) struct rs_str

void *rs_xmalloc(size_t n);
void *rs_xcalloc(size_t n, size_t size);             /* zeroed, overflow-checked */
void *rs_xrealloc(void *p, size_t n, size_t size);   /* n * size, overflow-checked */
char *rs_xstrdup(const char *s);
char *rs_xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void rs_oom(void);

/* Terminal columns of UTF-8 text: East Asian wide characters count 2 and
 * combining marks 0, whatever the locale (Unicode UAX #11). */
int rs_utf8_width(const char *s, size_t n);
/* Decodes one character of at most n bytes. Returns its length in bytes (>= 1;
 * an invalid byte decodes to U+FFFD with length 1) or 0 when n is 0. */
int rs_utf8_decode(const char *s, size_t n, uint32_t *cp);
int rs_utf8_cp_width(uint32_t cp);                   /* 0, 1 or 2 */
/* The largest length <= max (and <= n) at which s can be cut without splitting a character. */
size_t rs_utf8_fit(const char *s, size_t n, size_t max);
/* Is s valid UTF-8? Returns the offset of the first bad byte, or -1. */
long rs_utf8_check(const char *s, size_t n);

/* The candidate nearest to `word` by edit distance when it is near enough to be
 * a likely typing mistake, else NULL. `names` ends with NULL. */
const char *rs_did_you_mean(const char *word, const char *const *names);

/* Parses "64", "0x1f", "4K", "4M", "1G" (binary units). 0 or -EINVAL, -ERANGE. */
int rs_parse_size(const char *s, uint64_t *out);
/* Parses "10s", "250ms", "1m" into nanoseconds. 0 or -EINVAL, -ERANGE. */
int rs_parse_duration(const char *s, uint64_t *ns);

#endif
