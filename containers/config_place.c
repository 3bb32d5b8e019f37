/* From a JSON path to line and column. The parser keeps no places, so the text is scanned again, but
 * only when there is something to complain about. The text has been parsed: it is valid JSON, or it
 * ends early. No recursion: nesting is counted.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "containers/config.h"

struct scan {
	const char *s, *end;
};

static void blank(struct scan *c)
{
	for (; c->s < c->end; c->s++) {
		if (*c->s == '/' && c->s + 1 < c->end && c->s[1] == '*') { /* json-c takes comments */
			const char *close = memmem(c->s + 2, (size_t)(c->end - c->s - 2), "*/", 2);

			c->s = close ? close + 1 : c->end - 1;
		} else if (!strchr(" \t\r\n", *c->s)) {
			break;
		}
	}
}

/* Past a string; the text between the quotes is *from, *n. */
static void string(struct scan *c, const char **from, size_t *n)
{
	*from = ++c->s;
	while (c->s < c->end && *c->s != '"')
		c->s += *c->s == '\\' ? 2 : 1;
	if (c->s > c->end)
		c->s = c->end;
	*n = (size_t)(c->s - *from);
	if (c->s < c->end)
		c->s++;
}

/* Past one value. */
static void skip(struct scan *c)
{
	const char *from;
	size_t n, depth = 0;

	do {
		blank(c);
		if (c->s >= c->end)
			return;
		if (*c->s == '"') {
			string(c, &from, &n);
		} else if (*c->s == '{' || *c->s == '[') {
			depth++;
			c->s++;
		} else if (*c->s == '}' || *c->s == ']') {
			if (depth == 0)
				return;
			depth--;
			c->s++;
		} else if (*c->s == ',' || *c->s == ':') {
			if (depth == 0)
				return;
			c->s++;
		} else {
			while (c->s < c->end && !strchr(",:]}{[ \t\r\n\"", *c->s))
				c->s++;
		}
	} while (depth > 0);
}

/* Goes to the value of `key` in the object at hand; false: it is not there. */
static bool member(struct scan *c, const char *key, size_t len)
{
	const char *from;
	size_t n;

	blank(c);
	if (c->s >= c->end || *c->s != '{')
		return false;
	for (c->s++;;) {
		blank(c);
		if (c->s >= c->end || *c->s != '"')
			return false;
		string(c, &from, &n);
		blank(c);
		if (c->s < c->end && *c->s == ':')
			c->s++;
		blank(c);
		if (n == len && memcmp(from, key, n) == 0)
			return true;
		skip(c);
		blank(c);
		if (c->s >= c->end || *c->s != ',')
			return false;
		c->s++;
	}
}

static bool element(struct scan *c, size_t index)
{
	blank(c);
	if (c->s >= c->end || *c->s != '[')
		return false;
	for (c->s++;; index--) {
		blank(c);
		if (c->s >= c->end || *c->s == ']')
			return false;
		if (index == 0)
			return true;
		skip(c);
		blank(c);
		if (c->s >= c->end || *c->s != ',')
			return false;
		c->s++;
	}
}

void ctr_config_place(const char *text, size_t n, const char *path, int *line, int *col)
{
	struct scan c = { text, text + n };
	const char *at;

	*line = *col = 0;
	blank(&c);
	at = c.s;
	while (*path) {
		bool there;

		if (*path == '[') {
			there = element(&c, strtoul(path + 1, NULL, 10));
			path += strcspn(path, "]");
			path += *path == ']';
		} else {
			path += *path == '.';
			/* a map's key may hold dots and brackets: the shortest beginning that is there counts */
			struct scan here = c;
			size_t len = strcspn(path, ".[");

			while (!(there = member(&c, path, len)) && path[len]) {
				c = here;
				len += 1 + strcspn(path + len + 1, ".[");
			}
			path += len;
		}
		if (!there)
			break;
		at = c.s;
	}
	if (at >= text + n)
		return;
	*line = *col = 1;
	for (const char *s = text; s < at; s++) {
		++*col;
		if (*s == '\n') {
			++*line;
			*col = 1;
		}
	}
}
