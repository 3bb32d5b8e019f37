/* libyaml's events -> a tree whose nodes know where they stand. */
#include "engine/yaml.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "engine/base/str.h"

struct reader {
	yaml_parser_t parser;
	yaml_event_t ev;
	bool have;
	const char *text, *name;
	size_t size;
	unsigned nodes;
	struct rs_err *err;
};

/* libyaml's words -> a sentence that says what to do. Whatever is not here is passed on. */
static const struct {
	const char *problem, *sentence;
} sentences[] = {
	{ "mapping values are not allowed in this context",
	  N_("a colon is out of place; text that holds \": \" needs quotes") },
	{ "found character that cannot start any token",
	  N_("this character cannot stand here; lines are indented with blanks, never tabs, and text "
	     "that starts with @ ` or %% needs quotes") },
	{ "did not find expected key",
	  N_("a key is expected here; look at the indentation, and at quotes in the line before") },
	{ "did not find expected '-' indicator",
	  N_("\"- \" is expected here; look at the indentation of this list") },
	{ "did not find expected ',' or ']'",
	  N_("\",\" or \"]\" is expected here, to close the list that starts in line %d") },
	{ "did not find expected ',' or '}'",
	  N_("\",\" or \"}\" is expected here, to close the map that starts in line %d; text that holds "
	     "{ } [ ] or a comma needs quotes") },
	{ "could not find expected ':'", N_("a key without \": \"; look at the indentation and at quotes") },
	{ "found unexpected end of stream", N_("the file ends inside the quotes that start in line %d") },
	{ "found a tab character that violates indentation",
	  N_("lines are indented with blanks, never tabs") },
	{ "found a tab character where an indentation space is expected",
	  N_("lines are indented with blanks, never tabs") },
	{ "found unknown escape character",
	  N_("unknown escape in double quotes; write a backslash twice, or use single quotes") },
	{ "block sequence entries are not allowed in this context",
	  N_("a list cannot start here; put it on a line of its own") },
};

static int fail_at(struct reader *r, const yaml_mark_t *m, const char *sentence)
{
	/* some of the sentences name the line where the unfinished thing starts */
	int start = (int)r->parser.context_mark.line + 1;

	return rs_err_at(r->err, -EINVAL, r->name, (int)m->line + 1, (int)m->column + 1, sentence, start);
}

static int parser_error(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	const char *problem = p->problem ? p->problem : "?";

	if (p->error == YAML_MEMORY_ERROR)
		rs_oom();
	if (p->error == YAML_READER_ERROR) {
		/* it gives an offset, not a line; the text is valid UTF-8, so this is a control character */
		yaml_mark_t m = { 0, 0, 0 };

		for (size_t i = 0; i < p->problem_offset && i < r->size; i++) {
			m.column += (r->text[i] & 0xc0) != 0x80;
			if (r->text[i] == '\n') {
				m.line++;
				m.column = 0;
			}
		}
		return fail_at(r, &m, "a control character does not belong here");
	}
	for (unsigned i = 0; i < sizeof(sentences) / sizeof(*sentences); i++)
		if (!strcmp(problem, sentences[i].problem))
			return fail_at(r, &p->problem_mark, sentences[i].sentence);
	return rs_err_at(r->err, -EINVAL, r->name, (int)p->problem_mark.line + 1,
			 (int)p->problem_mark.column + 1, "this is not YAML: %s", problem);
}

static int next(struct reader *r)
{
	if (r->have)
		yaml_event_delete(&r->ev);
	r->have = false;
	if (!yaml_parser_parse(&r->parser, &r->ev))
		return parser_error(r);
	r->have = true;
	return 0;
}

void eng_node_free(struct eng_node *n)
{
	if (!n)
		return;
	for (unsigned i = 0; i < n->items; i++) {
		eng_node_free(n->item[i]);
		if (n->key)
			eng_node_free(n->key[i]);
	}
	free(n->item);
	free(n->key);
	free(n->s);
	free(n);
}

static struct eng_node *node_new(struct reader *r, enum eng_node_type type)
{
	struct eng_node *n;

	if (++r->nodes > ENG_YAML_NODES_MAX) {
		fail_at(r, &r->ev.start_mark, "the file has too many parts");
		return NULL;
	}
	n = rs_xcalloc(1, sizeof(*n));
	n->type = type;
	n->line = (int)r->ev.start_mark.line + 1;
	n->col = (int)r->ev.start_mark.column + 1;
	return n;
}

/* The start of a line (1-based) in the document. */
static const char *line_start(const char *text, size_t size, int line)
{
	const char *p = text, *end = text + size;

	for (; line > 1 && p; line--) {
		p = memchr(p, '\n', (size_t)(end - p));
		if (p)
			p++;
	}
	return p ? p : end;
}

/* A block scalar's text starts at the indentation of its first line that is not empty. */
static void block_place(struct reader *r, struct eng_node *n)
{
	const char *p = line_start(r->text, r->size, n->line + 1), *end = r->text + r->size;

	n->text_line = n->line + 1;
	n->text_col = 1;
	while (p < end) {
		const char *q = p;

		while (q < end && *q == ' ')
			q++;
		if (q < end && *q != '\n' && *q != '\r') {
			n->text_col = (int)(q - p) + 1;
			return;
		}
		/* leading empty lines are part of the text; columns come from the first full line */
		p = memchr(q, '\n', (size_t)(end - q));
		if (!p)
			return;
		p++;
	}
}

static struct eng_node *scalar(struct reader *r)
{
	const char *s = (const char *)r->ev.data.scalar.value;
	size_t len = r->ev.data.scalar.length;
	yaml_scalar_style_t style = r->ev.data.scalar.style;
	struct eng_node *n;

	if (r->ev.data.scalar.anchor) {
		fail_at(r, &r->ev.start_mark, "anchors (&name) are not part of a lesson; write the text again");
		return NULL;
	}
	if (r->ev.data.scalar.tag) {
		fail_at(r, &r->ev.start_mark, "tags (!name) are not part of a lesson; use quotes to make a "
					      "value text");
		return NULL;
	}
	if (memchr(s, 0, len)) {
		fail_at(r, &r->ev.start_mark, "a NUL byte cannot stand in a text");
		return NULL;
	}
	n = node_new(r, ENG_NODE_SCALAR);
	if (!n)
		return NULL;
	n->s = rs_xmalloc(len + 1);
	memcpy(n->s, s, len);
	n->s[len] = 0;
	n->n = len;
	n->quoted = style != YAML_PLAIN_SCALAR_STYLE;
	n->text_line = n->line;
	n->text_col = n->col;
	if (style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE)
		block_place(r, n);
	else if (n->quoted)
		n->text_col++;
	return n;
}

static struct eng_node *value(struct reader *r, unsigned depth);

static int add(struct reader *r, struct eng_node *n, unsigned depth)
{
	struct eng_node *k = NULL, *v;

	if (n->type == ENG_NODE_MAP) {
		if (r->ev.type != YAML_SCALAR_EVENT)
			return fail_at(r, &r->ev.start_mark, "a key must be a word, not a list or a map");
		k = scalar(r);
		if (!k)
			return -EINVAL;
		if (!k->quoted && !strcmp(k->s, "<<")) {
			eng_node_free(k);
			return fail_at(r, &r->ev.start_mark, "merge keys (<<) are not part of a lesson");
		}
		const struct eng_node *first;
		if (eng_node_get(n, k->s, &first)) {
			rs_err_at(r->err, -EINVAL, r->name, k->line, k->col,
				  "the key \"%s\" stands here a second time; the first is in line %d", k->s,
				  first->line);
			eng_node_free(k);
			return -EINVAL;
		}
		if (next(r)) {
			eng_node_free(k);
			return -EINVAL;
		}
	}
	v = value(r, depth + 1);
	if (!v) {
		eng_node_free(k);
		return -EINVAL;
	}
	n->item = rs_xrealloc(n->item, n->items + 1, sizeof(*n->item));
	n->item[n->items] = v;
	if (k) {
		n->key = rs_xrealloc(n->key, n->items + 1, sizeof(*n->key));
		n->key[n->items] = k;
	}
	n->items++;
	return next(r);
}

/* The value whose first event is at hand; its last event is at hand afterwards. */
static struct eng_node *value(struct reader *r, unsigned depth)
{
	bool map = r->ev.type == YAML_MAPPING_START_EVENT;
	yaml_event_type_t end = map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;

	if (depth > ENG_YAML_DEPTH_MAX) {
		fail_at(r, &r->ev.start_mark, "the file is nested too deeply");
		return NULL;
	}
	if (r->ev.type == YAML_SCALAR_EVENT)
		return scalar(r);
	if (r->ev.type == YAML_ALIAS_EVENT) {
		fail_at(r, &r->ev.start_mark, "aliases (*name) are not part of a lesson; write the text again");
		return NULL;
	}
	if (map ? r->ev.data.mapping_start.anchor : r->ev.data.sequence_start.anchor) {
		fail_at(r, &r->ev.start_mark, "anchors (&name) are not part of a lesson; write the text again");
		return NULL;
	}
	if (map ? r->ev.data.mapping_start.tag : r->ev.data.sequence_start.tag) {
		fail_at(r, &r->ev.start_mark, "tags (!name) are not part of a lesson; use quotes to make a "
					      "value text");
		return NULL;
	}
	struct eng_node *n = node_new(r, map ? ENG_NODE_MAP : ENG_NODE_LIST);
	if (!n)
		return NULL;
	if (map) /* so that an empty map is told from a list by its keys, too */
		n->key = rs_xcalloc(1, sizeof(*n->key));
	int rc = next(r);
	while (!rc && r->ev.type != end)
		rc = add(r, n, depth);
	if (!rc)
		return n;
	eng_node_free(n);
	return NULL;
}

static struct eng_node *document(struct reader *r)
{
	struct eng_node *root;

	if (next(r) || next(r)) /* stream start; document start or stream end */
		return NULL;
	if (r->ev.type != YAML_DOCUMENT_START_EVENT) {
		rs_err_at(r->err, -EINVAL, r->name, 1, 1, "the file is empty");
		return NULL;
	}
	if (next(r))
		return NULL;
	root = value(r, 0);
	if (!root)
		return NULL;
	if (!next(r) && !next(r)) { /* document end; stream end or the next document */
		if (r->ev.type == YAML_STREAM_END_EVENT)
			return root;
		fail_at(r, &r->ev.start_mark, "a second document (---) is not part of a lesson");
	}
	eng_node_free(root);
	return NULL;
}

struct eng_node *eng_yaml_parse(const char *text, size_t n, const char *name, struct rs_err *err)
{
	struct reader r = { .text = text, .size = n, .name = name, .err = err };
	struct eng_node *root;
	long bad = rs_utf8_check(text, n);

	if (n > ENG_YAML_MAX) {
		rs_err_at(err, -EFBIG, name, 1, 1, "the file is larger than %u bytes", ENG_YAML_MAX);
		return NULL;
	}
	if (bad >= 0) {
		int line = 1, col = 1;

		for (long i = 0; i < bad; i++) {
			col += (text[i] & 0xc0) != 0x80;
			if (text[i] == '\n') {
				line++;
				col = 1;
			}
		}
		rs_err_at(err, -EINVAL, name, line, col, "this is not valid UTF-8 (byte 0x%02x)",
			  (unsigned char)text[bad]);
		return NULL;
	}
	if (!yaml_parser_initialize(&r.parser))
		rs_oom();
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, n);
	root = document(&r);
	if (r.have)
		yaml_event_delete(&r.ev);
	yaml_parser_delete(&r.parser);
	return root;
}

const struct eng_node *eng_node_get(const struct eng_node *map, const char *name,
				    const struct eng_node **key)
{
	for (unsigned i = 0; map && map->type == ENG_NODE_MAP && i < map->items; i++) {
		if (strcmp(map->key[i]->s, name))
			continue;
		if (key)
			*key = map->key[i];
		return map->item[i];
	}
	return NULL;
}

static bool one_of(const char *s, const char *const *words)
{
	for (; *words; words++)
		if (!strcasecmp(s, *words))
			return true;
	return false;
}

enum eng_plain eng_yaml_plain(const char *s)
{
	/* https://yaml.org/type/: bool, null, int, float, timestamp of YAML 1.1 */
	static const char *const nulls[] = { "", "~", "null", NULL };
	static const char *const bools[] = { "y", "yes", "n", "no", "true", "false", "on", "off", NULL };
	static const char *const floats[] = { ".inf", "+.inf", "-.inf", ".nan", NULL };
	const char *p = s + (*s == '-' || *s == '+');
	size_t n = strlen(p);

	if (one_of(s, nulls))
		return ENG_PLAIN_NULL;
	if (one_of(s, bools))
		return ENG_PLAIN_BOOL;
	if (one_of(s, floats))
		return ENG_PLAIN_NUMBER;
	if (n >= 8 && strspn(p, "0123456789") == 4 && p[4] == '-' && strspn(p + 5, "0123456789") &&
	    strspn(p, "0123456789-:. TtZz+") == n)
		return ENG_PLAIN_DATE;
	if (p[0] == '0' && (p[1] == 'x' || p[1] == 'b') && n > 2 &&
	    strspn(p + 2, p[1] == 'x' ? "0123456789abcdefABCDEF_" : "01_") == n - 2)
		return ENG_PLAIN_NUMBER;
	if (!isdigit((unsigned char)*p) && !(*p == '.' && isdigit((unsigned char)p[1])))
		return ENG_PLAIN_TEXT;
	/* decimal, octal, sexagesimal (1:30), float, with an exponent */
	size_t digits = strspn(p, "0123456789_.:");
	if (digits == n)
		return ENG_PLAIN_NUMBER;
	if ((p[digits] | 0x20) == 'e' && p[digits + 1]) {
		const char *e = p + digits + 1;

		e += *e == '-' || *e == '+';
		if (*e && strspn(e, "0123456789") == strlen(e))
			return ENG_PLAIN_NUMBER;
	}
	return ENG_PLAIN_TEXT;
}

void eng_node_place(const struct eng_node *n, const char *text, size_t size, size_t at, int *line,
		    int *col)
{
	const char *end = text + size, *p = line_start(text, size, n->text_line);
	size_t done = 0;

	*line = n->text_line;
	*col = n->text_col;
	for (int c = 1; c < n->text_col && p < end && *p != '\n'; c++) {
		p++;
		while (p < end && (*p & 0xc0) == 0x80)
			p++;
	}
	/* Walks the file beside the text: a run of white space in the one matches a run in the other
	 * (line folding), everything else character by character. Escapes in double quotes end the
	 * walk where they stand. */
	while (done < at && done < n->n && p < end) {
		if (isspace((unsigned char)n->s[done]) && isspace((unsigned char)*p)) {
			bool folded = false;

			while (done < at && done < n->n && isspace((unsigned char)n->s[done]))
				done++;
			for (; p < end && isspace((unsigned char)*p); p++) {
				++*col;
				if (*p == '\n') {
					folded = true;
					++*line;
					*col = 1;
				}
			}
			if (!folded && done == at)
				return;
			continue;
		}
		if (n->s[done] != *p)
			return;
		*col += (*p & 0xc0) != 0x80;
		done++;
		p++;
	}
}
