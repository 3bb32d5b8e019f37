#include "containers/image_json.h"

#include <errno.h>
#include <json-c/json_pointer.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 64

/* ---- where something stands ---- */

static void line_col(const char *text, size_t at, int *line, int *col)
{
	*line = 1;
	*col = 1;
	for (size_t i = 0; i < at; i++) {
		if (text[i] == '\n') {
			++*line;
			*col = 1;
		} else if ((text[i] & 0xc0) != 0x80) { /* characters, not bytes */
			++*col;
		}
	}
}

struct scan {
	const char *p, *end;
};

static void spaces(struct scan *s)
{
	while (s->p < s->end && strchr(" \t\r\n", *s->p) && *s->p)
		s->p++;
}

static void skip_string(struct scan *s)
{
	for (s->p++; s->p < s->end && *s->p != '"'; s->p++)
		if (*s->p == '\\' && s->p + 1 < s->end)
			s->p++;
	if (s->p < s->end)
		s->p++;
}

/* Past one value; the text is known to be JSON. */
static void skip_value(struct scan *s)
{
	unsigned depth = 0;

	do {
		spaces(s);
		if (s->p >= s->end)
			return;
		if (*s->p == '"') {
			skip_string(s);
		} else if (*s->p == '{' || *s->p == '[') {
			depth++;
			s->p++;
		} else if (*s->p == '}' || *s->p == ']') {
			depth--;
			s->p++;
		} else if (*s->p == ',' || *s->p == ':') {
			s->p++;
		} else {
			do
				s->p++;
			while (s->p < s->end && !strchr(" \t\r\n,:]}", *s->p));
		}
	} while (depth);
}

/* Does the pointer's token (to the next "/") equal this key? */
static bool token_is(const char *token, size_t n, const char *key, size_t kn)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++, k++) {
		char c = token[i];

		if (c == '~' && i + 1 < n)
			c = token[++i] == '1' ? '/' : '~';
		if (k >= kn || key[k] != c)
			return false;
	}
	return k == kn;
}

/* Into the member that the token names. */
static bool enter(struct scan *s, const char *token, size_t n)
{
	bool object;
	unsigned long want = strtoul(token, NULL, 10);

	spaces(s);
	if (s->p >= s->end || (*s->p != '{' && *s->p != '['))
		return false;
	object = *s->p++ == '{';
	for (unsigned long i = 0;; i++) {
		spaces(s);
		if (s->p >= s->end || *s->p == '}' || *s->p == ']')
			return false;
		if (object) {
			const char *key = s->p + 1;
			size_t kn;

			skip_string(s);
			kn = s->p > key ? (size_t)(s->p - key - 1) : 0;
			spaces(s);
			s->p += s->p < s->end; /* the colon */
			spaces(s);
			if (token_is(token, n, key, kn))
				return true;
		} else if (i == want) {
			return true;
		}
		skip_value(s);
		spaces(s);
		s->p += s->p < s->end && *s->p == ',';
	}
}

void ctr_json_place(const char *text, size_t n, const char *pointer, int *line, int *col)
{
	struct scan s = { text, text + n };
	const char *found;

	spaces(&s);
	found = s.p;
	while (*pointer == '/') {
		size_t len = strcspn(pointer + 1, "/");

		if (!enter(&s, pointer + 1, len))
			break;
		found = s.p;
		pointer += 1 + len;
	}
	line_col(text, (size_t)(found - text), line, col);
}

/* ---- reading ---- */

/* The library takes keys in single quotes even when it is strict. Returns the offset of the first, or n. */
static size_t single_quote(const char *text, size_t n)
{
	bool in = false;

	for (size_t i = 0; i < n; i++) {
		if (in && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			in = !in;
		else if (!in && text[i] == '\'')
			return i;
	}
	return n;
}

int ctr_json_parse(struct ctr_json *j, const char *name, const char *text, size_t n, struct rs_err *err)
{
	struct json_tokener *t = json_tokener_new_ex(DEPTH_MAX);
	enum json_tokener_error e;
	size_t end;
	long bad;
	int line, col;

	memset(j, 0, sizeof(*j));
	snprintf(j->name, sizeof(j->name), "%s", name);
	bad = rs_utf8_check(text, n);
	if (bad >= 0) {
		json_tokener_free(t);
		line_col(text, (size_t)bad, &line, &col);
		return rs_err_at(err, -EBADMSG, name, line, col, "this is not UTF-8, and so not JSON");
	}
	json_tokener_set_flags(t, JSON_TOKENER_STRICT);
	j->root = json_tokener_parse_ex(t, text, n > INT32_MAX ? INT32_MAX : (int)n);
	e = json_tokener_get_error(t);
	end = json_tokener_get_parse_end(t);
	json_tokener_free(t);
	while (e == json_tokener_success && end < n && strchr(" \t\r\n", text[end]) && text[end])
		end++;
	if (e == json_tokener_success && end == n)
		end = single_quote(text, n);
	if (e != json_tokener_success || end < n) {
		json_object_put(j->root);
		j->root = NULL;
		line_col(text, end < n ? end : n, &line, &col);
		if (e == json_tokener_continue || n == 0)
			return rs_err_at(err, -EBADMSG, name, line, col, "the JSON document ends too early");
		return rs_err_at(err, -EBADMSG, name, line, col, "this is not JSON: %s",
				 e == json_tokener_success ? "text behind the end" : json_tokener_error_desc(e));
	}
	j->n = n;
	j->text = rs_xmalloc(n + 1);
	memcpy(j->text, text, n);
	j->text[n] = '\0';
	if (!json_object_is_type(j->root, json_type_object)) {
		int ret = ctr_json_fail(j, "", err, "the document must be an object");

		ctr_json_release(j);
		return ret;
	}
	return 0;
}

void ctr_json_release(struct ctr_json *j)
{
	json_object_put(j->root);
	free(j->text);
	j->root = NULL;
	j->text = NULL;
}

int ctr_json_fail(const struct ctr_json *j, const char *pointer, struct rs_err *err, const char *fmt, ...)
{
	va_list ap;
	int line, col;

	ctr_json_place(j->text, j->n, pointer, &line, &col);
	va_start(ap, fmt);
	ctr_err_vat(err, -EBADMSG, j->name, line, col, pointer, fmt, ap);
	va_end(ap);
	return -EBADMSG;
}

struct json_object *ctr_json_at(const struct ctr_json *j, const char *pointer)
{
	struct json_object *o = NULL;

	if (!*pointer)
		return j->root;
	return json_pointer_get(j->root, pointer, &o) == 0 ? o : NULL;
}

static int wanted(const struct ctr_json *j, const char *pointer, bool required, enum json_type type,
		  struct json_object **out, struct rs_err *err)
{
	struct json_object *o = ctr_json_at(j, pointer);

	*out = NULL;
	if (!o)
		return required ? ctr_json_fail(j, pointer, err, N_("this is missing")) : 0;
	if (json_object_get_type(o) != type)
		return ctr_json_fail(j, pointer, err, N_("this must be of type %s, not %s"),
				     json_type_to_name(type), json_type_to_name(json_object_get_type(o)));
	*out = o;
	return 0;
}

int ctr_json_string(const struct ctr_json *j, const char *pointer, bool required, const char **out,
		    struct rs_err *err)
{
	struct json_object *o;
	int ret = wanted(j, pointer, required, json_type_string, &o, err);

	*out = o ? json_object_get_string(o) : NULL;
	if (o && strlen(*out) != (size_t)json_object_get_string_len(o))
		return ctr_json_fail(j, pointer, err, N_("a NUL character inside a string"));
	return ret;
}

int ctr_json_number(const struct ctr_json *j, const char *pointer, bool required, uint64_t *out,
		    struct rs_err *err)
{
	struct json_object *o;
	int ret = wanted(j, pointer, required, json_type_int, &o, err);
	int64_t v = o ? json_object_get_int64(o) : 0;

	if (o && (v < 0 || v == INT64_MAX)) /* json-c clamps what does not fit */
		return ctr_json_fail(j, pointer, err, N_("this number is out of range"));
	*out = (uint64_t)v;
	return ret;
}

int ctr_json_array(const struct ctr_json *j, const char *pointer, bool required, unsigned *n, struct rs_err *err)
{
	struct json_object *o;
	int ret = wanted(j, pointer, required, json_type_array, &o, err);

	*n = o ? (unsigned)json_object_array_length(o) : 0;
	return ret;
}

/* ---- writing ---- */

void ctr_json_text(struct json_object *o, bool pretty, struct rs_str *out)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE;

	flags |= pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : JSON_C_TO_STRING_PLAIN;
	rs_str_add(out, json_object_to_json_string_ext(o, flags));
}

struct json_object *ctr_json_str(const char *s)
{
	rs_auto_str fixed = RS_STR_INIT;
	size_t n = strlen(s);

	while (n) {
		long bad = rs_utf8_check(s, n);
		size_t good = bad < 0 ? n : (size_t)bad;

		rs_str_addn(&fixed, s, good);
		s += good;
		n -= good;
		if (n) {
			rs_str_add(&fixed, "\xef\xbf\xbd");
			s++;
			n--;
		}
	}
	return json_object_new_string_len(fixed.p, (int)fixed.len);
}
