#include "containers/registry_http.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* %XX undone; false when it does not fit, is wrong, or hides a NUL. */
static bool decode(const char *s, size_t n, char *out, size_t size)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		char c = s[i];

		if (c == '%') {
			if (i + 2 >= n || hex(s[i + 1]) < 0 || hex(s[i + 2]) < 0)
				return false;
			c = (char)(hex(s[i + 1]) * 16 + hex(s[i + 2]));
			i += 2;
		}
		if (!c || k + 1 >= size)
			return false;
		out[k++] = c;
	}
	out[k] = '\0';
	return true;
}

bool ctr_http_query(const struct ctr_http *h, const char *name, char *out, size_t size)
{
	size_t len = strlen(name);

	for (const char *p = h->query; *p; p += *p == '&') {
		size_t n = strcspn(p, "&");

		if (n > len && strncmp(p, name, len) == 0 && p[len] == '=')
			return decode(p + len + 1, n - len - 1, out, size);
		p += n;
	}
	return false;
}

static bool copy(char *out, size_t size, const char *s, size_t n)
{
	if (n >= size)
		return false;
	memcpy(out, s, n);
	out[n] = '\0';
	return true;
}

static int take_header(struct ctr_http *h, const char *line, size_t n)
{
	const char *colon = memchr(line, ':', n), *v;
	size_t name = colon ? (size_t)(colon - line) : 0, len;
	char text[256];

	/* white space before the colon, or a continued line, has been used to smuggle requests */
	if (!name || isspace((unsigned char)line[0]) || isspace((unsigned char)line[name - 1]))
		return 400;
	v = colon + 1;
	len = n - name - 1;
	while (len && isspace((unsigned char)*v)) {
		v++;
		len--;
	}
	while (len && isspace((unsigned char)v[len - 1]))
		len--;
#define IS(s) (name == sizeof(s) - 1 && strncasecmp(line, s, name) == 0)
	if (IS("Content-Length")) {
		char *end;

		if (!copy(text, sizeof(text), v, len) || strspn(text, "0123456789") != len || !len || len > 18)
			return 400;
		if (h->has_length && h->length != strtoull(text, &end, 10))
			return 400;
		h->length = strtoull(text, &end, 10);
		h->has_length = true;
	} else if (IS("Transfer-Encoding")) {
		if (len != 7 || strncasecmp(v, "chunked", 7) != 0)
			return 501;
		h->chunked = true;
	} else if (IS("Content-Type")) {
		if (!copy(h->type, sizeof(h->type), v, len))
			return 400;
	} else if (IS("Range")) {
		if (!copy(h->range, sizeof(h->range), v, len))
			h->range[0] = '\0';
	} else if (IS("Content-Range")) {
		if (!copy(h->content_range, sizeof(h->content_range), v, len))
			return 400;
	} else if (IS("Expect")) {
		h->expect = len == 12 && strncasecmp(v, "100-continue", 12) == 0;
	} else if (IS("Connection")) {
		h->close = len == 5 && strncasecmp(v, "close", 5) == 0;
	}
#undef IS
	return 0;
}

int ctr_http_parse(const char *head, size_t n, struct ctr_http *out)
{
	const char *end = memchr(head, '\n', n), *target, *space, *query;
	size_t line, tn;

	memset(out, 0, sizeof(*out));
	if (!end || memchr(head, '\0', n))
		return 400;
	line = (size_t)(end - head);
	line -= line && head[line - 1] == '\r';
	space = memchr(head, ' ', line);
	if (!space || !copy(out->method, sizeof(out->method), head, (size_t)(space - head)))
		return 400;
	target = space + 1;
	space = memchr(target, ' ', line - (size_t)(target - head));
	if (!space || line - (size_t)(space - head) != 9 || memcmp(space + 1, "HTTP/1.", 7) != 0)
		return 400;
	out->close = space[8] == '0';
	tn = (size_t)(space - target);
	query = memchr(target, '?', tn);
	if (query && !copy(out->query, sizeof(out->query), query + 1, tn - (size_t)(query + 1 - target)))
		return 414;
	if (!decode(target, query ? (size_t)(query - target) : tn, out->path, sizeof(out->path)) || out->path[0] != '/')
		return 400;
	for (const char *p = end + 1; p < head + n;) {
		const char *nl = memchr(p, '\n', (size_t)(head + n - p));
		size_t len = nl ? (size_t)(nl - p) : 0;
		int ret;

		if (!nl)
			return 400;
		len -= len && p[len - 1] == '\r';
		if (!len)
			break;
		ret = take_header(out, p, len);
		if (ret)
			return ret;
		p = nl + 1;
	}
	return out->chunked && out->has_length ? 400 : 0;
}
