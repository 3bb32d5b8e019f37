/* JSON documents from outside: every mistake has its line and column. Private to containers/. */
#ifndef CONTAINERS_IMAGE_JSON_H
#define CONTAINERS_IMAGE_JSON_H

#include <json-c/json.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/err.h"
#include "engine/base/str.h"

struct ctr_json {
	char name[160];            /* of the document, for messages */
	char *text;
	size_t n;
	struct json_object *root;  /* an object */
};

/* An error at a place: "prefix: sentence", without the colon when there is no prefix. `fmt` is a
 * translation key. Returns `code`. */
int ctr_err_vat(struct rs_err *err, int code, const char *file, int line, int col, const char *prefix,
		const char *fmt, va_list ap);

/* Parses a copy of `text`. RFC 8259, no extensions; the root must be an object; nested 64 deep at most. */
int ctr_json_parse(struct ctr_json *j, const char *name, const char *text, size_t n, struct rs_err *err);
void ctr_json_release(struct ctr_json *j);

/* Fails with the place of what the JSON pointer (RFC 6901) names, or of the nearest thing that
 * encloses it. Returns -EBADMSG. */
int ctr_json_fail(const struct ctr_json *j, const char *pointer, struct rs_err *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* What the pointer names; NULL when it is not there or null. */
struct json_object *ctr_json_at(const struct ctr_json *j, const char *pointer);
/* A string (owned by the document): *out is NULL when it is missing and not `required`. */
int ctr_json_string(const struct ctr_json *j, const char *pointer, bool required, const char **out,
		    struct rs_err *err);
/* A number from 0 to 2^63-1. */
int ctr_json_number(const struct ctr_json *j, const char *pointer, bool required, uint64_t *out,
		    struct rs_err *err);
/* An array of *n members; 0 when it is missing and not `required`. */
int ctr_json_array(const struct ctr_json *j, const char *pointer, bool required, unsigned *n, struct rs_err *err);

/* Line and column of what the pointer names in `text`. For tests and messages. */
void ctr_json_place(const char *text, size_t n, const char *pointer, int *line, int *col);

/* o as text, on one line or indented; appended to out. */
void ctr_json_text(struct json_object *o, bool pretty, struct rs_str *out);
/* A string as JSON allows it: bytes that are no UTF-8 become U+FFFD. */
struct json_object *ctr_json_str(const char *s);

#endif
