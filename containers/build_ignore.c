/* .dockerignore: patterns of what is not part of the context (docs.docker.com/build/concepts/context).
 * A pattern also covers what is inside of a folder that it names; the last pattern that fits decides;
 * "!" takes back. "**" stands for any number of folders. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "containers/build.h"

struct ctr_ignore {
	struct {
		char *pattern;
		bool not;
	} *v;
	unsigned n;
	bool any_not;
};

/* "./a//b/../c/" becomes "a/c". */
static void clean(const char *s, size_t n, struct rs_str *out)
{
	size_t i = 0;

	while (i < n) {
		size_t k = i;

		while (k < n && s[k] != '/')
			k++;
		if (k - i == 2 && memcmp(s + i, "..", 2) == 0) {
			while (out->len && out->p[--out->len] != '/')
				;
			if (out->cap)
				out->p[out->len] = '\0';
		} else if (k > i && !(k - i == 1 && s[i] == '.')) {
			if (out->len)
				rs_str_addc(out, '/');
			rs_str_addn(out, s + i, k - i);
		}
		i = k + 1;
	}
}

struct ctr_ignore *ctr_ignore_parse(const char *text, size_t n)
{
	struct ctr_ignore *g = rs_xcalloc(1, sizeof(*g));
	const char *end = text + n;

	if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	while (text < end) {
		const char *nl = memchr(text, '\n', (size_t)(end - text)), *stop = nl ? nl : end;
		struct rs_str p = RS_STR_INIT;
		bool not;

		if (*text != '#') {
			while (text < stop && strchr(" \t\r", *text))
				text++;
			while (stop > text && strchr(" \t\r", stop[-1]))
				stop--;
			not = text < stop && *text == '!';
			for (text += not; text < stop && strchr(" \t", *text);)
				text++;
			clean(text, (size_t)(stop - text), &p);
		}
		if (p.len) {
			g->v = rs_xrealloc(g->v, g->n + 1, sizeof(*g->v));
			g->v[g->n].pattern = rs_str_detach(&p);
			g->v[g->n++].not = not;
			g->any_not |= not;
		}
		rs_str_release(&p);
		text = nl ? nl + 1 : end;
	}
	return g;
}

void ctr_ignore_free(struct ctr_ignore *g)
{
	for (unsigned i = 0; g && i < g->n; i++)
		free(g->v[i].pattern);
	if (g)
		free(g->v);
	free(g);
}

/* Does the pattern fit this path, or a folder that it is in? Component by component. */
static bool fits(const char *pattern, const char *path, unsigned depth)
{
	size_t pn = strcspn(pattern, "/"), n = strcspn(path, "/");
	char a[256], b[256];

	if (depth > 256)
		return false;
	if (!*pattern)
		return true; /* what is left of the path is inside */
	if (pn == 2 && memcmp(pattern, "**", 2) == 0) {
		const char *rest = pattern + pn + (pattern[pn] == '/');

		if (!*rest)
			return *path;
		for (;; path += n + 1, n = strcspn(path, "/")) {
			if (fits(rest, path, depth + 1))
				return true;
			if (!path[n])
				return false;
		}
	}
	if (!*path || pn >= sizeof(a) || n >= sizeof(b))
		return false;
	memcpy(a, pattern, pn);
	a[pn] = '\0';
	memcpy(b, path, n);
	b[n] = '\0';
	if (fnmatch(a, b, 0) != 0)
		return false;
	return fits(pattern + pn + (pattern[pn] == '/'), path + n + (path[n] == '/'), depth + 1);
}

bool ctr_ignore_want(void *arg, const char *path, bool folder, bool *prune)
{
	const struct ctr_ignore *g = arg;
	bool ignored = false;

	for (unsigned i = 0; g && i < g->n; i++)
		if (g->v[i].not == ignored && fits(g->v[i].pattern, path, 0))
			ignored = !g->v[i].not;
	*prune = folder && ignored && !g->any_not;
	return !ignored;
}
