/* Words and variables of a Dockerfile. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "containers/dockerfile.h"
#include "containers/image_json.h"
#include "engine/base/cleanup.h"

void ctr_words_release(struct ctr_words *w)
{
	for (unsigned i = 0; i < w->n; i++)
		free(w->v[i]);
	free(w->v);
	free(w->at);
	memset(w, 0, sizeof(*w));
}

void ctr_words_add(struct ctr_words *w, const char *s, size_t n, size_t at)
{
	char *p = strndup(s, n);

	if (!p)
		rs_oom();
	w->v = rs_xrealloc(w->v, w->n + 2, sizeof(*w->v));
	w->at = rs_xrealloc(w->at, w->n + 2, sizeof(*w->at));
	w->v[w->n] = p;
	w->at[w->n++] = at;
	w->v[w->n] = NULL;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

void ctr_words_split(const char *s, bool quotes, char escape, struct ctr_words *out)
{
	size_t i = 0;

	memset(out, 0, sizeof(*out));
	for (;;) {
		char quote = '\0';
		size_t begin;

		while (blank(s[i]))
			i++;
		if (!s[i])
			return;
		for (begin = i; s[i] && (quote || !blank(s[i])); i++) {
			if (!quotes)
				continue;
			if (quote) {
				if (s[i] == escape && quote == '"' && s[i + 1])
					i++;
				else if (s[i] == quote)
					quote = '\0';
			} else if (s[i] == escape && s[i + 1]) {
				i++;
			} else if (s[i] == '"' || s[i] == '\'') {
				quote = s[i];
			}
		}
		ctr_words_add(out, s + begin, i - begin, begin);
	}
}

int ctr_words_json(const char *s, struct ctr_words *out, size_t *bad)
{
	struct json_tokener *t;
	struct json_object *list;
	size_t n = strlen(s);
	bool strings;

	memset(out, 0, sizeof(*out));
	if (bad)
		*bad = SIZE_MAX;
	if (*s != '[')
		return 0;
	t = json_tokener_new_ex(8);
	json_tokener_set_flags(t, JSON_TOKENER_STRICT);
	list = json_tokener_parse_ex(t, s, (int)n);
	if (bad && json_tokener_get_error(t) != json_tokener_success)
		*bad = json_tokener_get_parse_end(t);
	strings = json_tokener_get_error(t) == json_tokener_success && json_tokener_get_parse_end(t) == n &&
		  json_object_is_type(list, json_type_array);
	json_tokener_free(t);
	for (size_t i = 0; strings && i < json_object_array_length(list); i++)
		strings = json_object_is_type(json_object_array_get_idx(list, i), json_type_string);
	for (size_t i = 0; strings && i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);

		ctr_words_add(out, json_object_get_string(o), (size_t)json_object_get_string_len(o), 0);
	}
	json_object_put(list);
	return strings;
}

/* ---- variables ---- */

static int fail(struct ctr_expand *x, size_t at, const char *why, const char *what)
{
	x->at = at;
	x->why = why;
	snprintf(x->what, sizeof(x->what), "%s", what);
	return -EINVAL;
}

static int expand(struct ctr_expand *x, const char *s, size_t n, size_t base, bool quotes, unsigned depth,
		  struct rs_str *out);

/* The end of the word in ${name:-word}: the brace that closes it. n when there is none. */
static size_t closing(const char *s, size_t i, size_t n, char escape)
{
	unsigned depth = 1;

	for (; i < n; i++) {
		if (s[i] == escape && i + 1 < n)
			i++;
		else if (s[i] == '$' && i + 1 < n && s[i + 1] == '{')
			depth++;
		else if (s[i] == '}' && --depth == 0)
			return i;
	}
	return n;
}

/* "${...}" at i. Returns 0 and moves *i behind it. */
static int braces(struct ctr_expand *x, const char *s, size_t *i, size_t n, size_t base, bool quotes,
		  unsigned depth, struct rs_str *out)
{
	size_t begin = *i + 2, end = begin, close, word;
	const char *value;
	bool colon, set;
	char op;

	while (end < n && (isalnum((unsigned char)s[end]) || s[end] == '_'))
		end++;
	if (end == begin || isdigit((unsigned char)s[begin]))
		return fail(x, base + *i, N_("\"%s\" is not a variable"), "${");
	rs_auto_free char *name = strndup(s + begin, end - begin);
	if (!name)
		rs_oom();
	close = closing(s, end, n, x->escape);
	if (close == n)
		return fail(x, base + *i, N_("the brace of ${%s is not closed"), name);
	*i = close + 1;
	value = x->var(x->arg, name);
	if (close == end) {
		rs_str_add(out, value ? value : "");
		return 0;
	}
	colon = s[end] == ':';
	op = s[end + colon];
	word = end + colon + 1;
	if (!strchr("-+?", op) || word > close)
		return fail(x, base + end, N_("${%s can be followed by :-, -, :+, +, :? or ?"), name);
	set = value && (*value || !colon);
	if (op == '+')
		return set ? expand(x, s + word, close - word, base + word, quotes, depth + 1, out) : 0;
	if (set) {
		rs_str_add(out, value);
		return 0;
	}
	if (op == '?')
		return fail(x, base + begin, N_("the variable %s must have a value"), name);
	return expand(x, s + word, close - word, base + word, quotes, depth + 1, out);
}

/* "$..." at *i. */
static int variable(struct ctr_expand *x, const char *s, size_t *i, size_t n, size_t base, bool quotes,
		    unsigned depth, struct rs_str *out)
{
	size_t end = *i + 1;
	const char *value;

	if (end < n && s[end] == '{')
		return braces(x, s, i, n, base, quotes, depth, out);
	while (end < n && (isalnum((unsigned char)s[end]) || s[end] == '_') &&
	       !(end == *i + 1 && isdigit((unsigned char)s[end])))
		end++;
	if (end == *i + 1) { /* a dollar, and nothing else */
		rs_str_addc(out, '$');
		*i = end;
		return 0;
	}
	rs_auto_free char *name = strndup(s + *i + 1, end - *i - 1);
	if (!name)
		rs_oom();
	value = x->var(x->arg, name);
	rs_str_add(out, value ? value : "");
	*i = end;
	return 0;
}

#define DEPTH_MAX 32

static int expand(struct ctr_expand *x, const char *s, size_t n, size_t base, bool quotes, unsigned depth,
		  struct rs_str *out)
{
	char quote = '\0';
	size_t i = 0, open = 0;
	int ret = 0;

	if (depth > DEPTH_MAX)
		return fail(x, base, N_("variables inside of variables: %s"), "too deep");
	while (ret == 0 && i < n) {
		char c = s[i];

		if (quotes && quote == '\'') {
			if (c == '\'')
				quote = '\0';
			else
				rs_str_addc(out, c);
			i++;
		} else if (quotes && (c == '"' || (c == '\'' && !quote))) {
			quote = quote ? '\0' : c;
			open = i++;
		} else if (c == x->escape && i + 1 < n) {
			/* inside double quotes only these need it */
			if ((quotes && quote == '"' && !strchr("\"$", s[i + 1]) && s[i + 1] != x->escape) ||
			    (!quotes && s[i + 1] != '$'))
				rs_str_addc(out, c);
			rs_str_addc(out, s[i + 1]);
			i += 2;
		} else if (c == '$') {
			ret = variable(x, s, &i, n, base, quotes, depth, out);
		} else {
			rs_str_addc(out, c);
			i++;
		}
	}
	if (ret == 0 && quote) {
		char q[2] = { quote, '\0' };

		return fail(x, base + open, N_("the quote %s is not closed"), q);
	}
	return ret;
}

int ctr_expand(struct ctr_expand *x, const char *s, struct rs_str *out)
{
	return expand(x, s, strlen(s), 0, true, 0, out);
}

int ctr_expand_text(struct ctr_expand *x, const char *s, struct rs_str *out)
{
	return expand(x, s, strlen(s), 0, false, 0, out);
}
