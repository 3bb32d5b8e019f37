/* Does a tree follow the table of lesson keys? The first mistake is named at its place. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/kinds.h"
#include "engine/lesson.h"
#include "engine/schema.h"

#define ID_MAX 64
#define NAME_LEN_MAX 128

struct checker {
	const char *file;
	struct rs_err *err;
};
#define FAIL(c, n, ...)                                                                            \
	rs_err_at((c)->err, -EINVAL, (c)->file, (n)->line, (n)->col, __VA_ARGS__)

/* What a node looks like in an error: its text, cut. */
static const char *shown(const struct eng_node *n, char buf[48])
{
	size_t len = n->n;

	if (n->type != ENG_NODE_SCALAR)
		return n->type == ENG_NODE_MAP ? "{...}" : "[...]";
	if (len > 44) {
		len = 40;
		while (len && (n->s[len] & 0xc0) == 0x80)
			len--;
	}
	memcpy(buf, n->s, len);
	strcpy(buf + len, len < n->n ? "..." : "");
	for (char *p = buf; *p; p++)
		if ((unsigned char)*p < 0x20)
			*p = ' ';
	return buf;
}

static bool is_empty(const struct eng_node *n)
{
	return n->type == ENG_NODE_SCALAR && !n->quoted && eng_yaml_plain(n->s) == ENG_PLAIN_NULL;
}

/* A scalar that every YAML reader takes for text. */
static int text_scalar(struct checker *c, const struct eng_node *n, const char *key)
{
	char buf[48];

	if (n->type != ENG_NODE_SCALAR)
		return FAIL(c, n, "\"%s\" must be text", key);
	if (n->quoted)
		return 0;
	switch (eng_yaml_plain(n->s)) {
	case ENG_PLAIN_TEXT:
		return 0;
	case ENG_PLAIN_NULL:
		return FAIL(c, n, "\"%s\" is empty", key);
	case ENG_PLAIN_BOOL:
		return FAIL(c, n, "YAML reads %s as true or false; put it in quotes to make it text", n->s);
	default:
		return FAIL(c, n, "YAML reads %s as a number or a date; put it in quotes to make it text",
			    shown(n, buf));
	}
}

static bool id_ok(const char *s)
{
	size_t n = strlen(s);

	if (!n || n > ID_MAX || s[0] < 'a' || s[0] > 'z')
		return false;
	for (size_t i = 0; i < n; i++) {
		bool word = (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' && s[i] <= '9');

		if (!word && (s[i] != '-' || i + 1 == n || s[i + 1] == '-'))
			return false;
	}
	return true;
}

bool eng_file_name_ok(const char *name)
{
	size_t n = strlen(name);

	if (!n || n > NAME_LEN_MAX || *name == '/' || name[n - 1] == '/' || strchr(name, '\\'))
		return false;
	for (const char *p = name; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	for (const char *p = name; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL) {
		size_t part = strcspn(p, "/");

		/* a hidden file would not be seen, and .ringside is the lab's own */
		if (!part || *p == '.')
			return false;
	}
	return true;
}

static int check_id(struct checker *c, const struct eng_node *n, const char *key)
{
	char buf[48];
	int rc = text_scalar(c, n, key);

	if (rc)
		return rc;
	if (!id_ok(n->s))
		return FAIL(c, n, "\"%s\" is no id: lower-case letters, digits and single hyphens, a letter "
				  "first, at most %d characters", shown(n, buf), ID_MAX);
	return 0;
}

static int check_name(struct checker *c, const struct eng_node *n, const struct eng_key *k)
{
	const char *const *names = k->names();
	rs_auto_str all = RS_STR_INIT;
	char buf[48];
	int rc = text_scalar(c, n, k->name);

	if (rc)
		return rc;
	for (unsigned i = 0; names[i]; i++) {
		if (!strcmp(n->s, names[i]))
			return 0;
		rs_str_addf(&all, "%s%s", i ? ", " : "", names[i]);
	}
	const char *near = rs_did_you_mean(n->s, names);
	if (near)
		return FAIL(c, n, "unknown value \"%s\" of \"%s\"; did you mean \"%s\"?",
			    shown(n, buf), k->name, near);
	return FAIL(c, n, "unknown value \"%s\" of \"%s\"; it is one of: %s", shown(n, buf), k->name, all.p);
}

static int check_file(struct checker *c, const struct eng_node *n, const char *key)
{
	char buf[48];
	int rc = text_scalar(c, n, key);

	if (rc)
		return rc;
	if (!eng_file_name_ok(n->s))
		return FAIL(c, n, "\"%s\" must name a file inside the folder: no \"..\", no \"/\" in front, "
				  "no hidden file", shown(n, buf));
	return 0;
}

/* A ``` fence without an end would swallow the rest of the text. */
static int check_fences(struct checker *c, const struct eng_node *n)
{
	struct eng_node at = *n;
	bool open = false;
	int line = n->text_line;

	for (const char *p = n->s; *p; line++) {
		const char *q = p + strspn(p, " ");

		if (!strncmp(q, "```", 3)) {
			open = !open;
			/* in a block the lines of the text are lines of the file */
			if (n->text_line > n->line) {
				at.line = line;
				at.col = n->text_col + (int)(q - p);
			}
		}
		p += strcspn(p, "\n");
		p += *p == '\n';
	}
	return open ? FAIL(c, &at, "this ``` fence is not closed") : 0;
}

/* A text in every language. */
static int check_text(struct checker *c, const struct eng_node *n, const char *key)
{
	const char *langs[RS_LANGS + 1] = { NULL };
	int rc;

	for (int i = 0; i < RS_LANGS; i++)
		langs[i] = rs_lang_name((enum rs_lang)i);
	if (n->type != ENG_NODE_MAP)
		return FAIL(c, n, "\"%s\" needs a text for each language: {en: ..., zh-TW: ...}", key);
	for (unsigned i = 0; i < n->items; i++) {
		const char *k = n->key[i]->s;
		bool known = false;

		for (int l = 0; l < RS_LANGS; l++)
			known |= !strcmp(k, langs[l]);
		if (known)
			continue;
		const char *near = rs_did_you_mean(k, langs);
		if (near)
			return FAIL(c, n->key[i], "unknown language \"%s\"; did you mean \"%s\"?", k, near);
		if (is_empty(n->item[i]) && i)
			return FAIL(c, n->key[i], "\"%s\" is taken for a language; between { and }, text that "
						  "holds a comma needs quotes", shown(n->key[i], (char[48]){ 0 }));
		return FAIL(c, n->key[i], "unknown language \"%s\"; en and zh-TW are known",
			    shown(n->key[i], (char[48]){ 0 }));
	}
	for (int l = 0; l < RS_LANGS; l++) {
		const struct eng_node *t = eng_node_get(n, langs[l], NULL);

		if (!t)
			return FAIL(c, n, "\"%s\" has no translation for %s", key, langs[l]);
		rc = text_scalar(c, t, langs[l]);
		if (rc)
			return rc;
		if (strspn(t->s, " \t\r\n") == t->n)
			return FAIL(c, t, "\"%s\" has an empty text for %s", key, langs[l]);
		rc = check_fences(c, t);
		if (rc)
			return rc;
	}
	return 0;
}

/* The digits of a number without quotes; NULL after an error. */
static const char *number_scalar(struct checker *c, const struct eng_node *n, const char *key)
{
	char buf[48];

	if (n->type != ENG_NODE_SCALAR || n->quoted || !n->n) {
		FAIL(c, n, "\"%s\" must be a number, without quotes", key);
		return NULL;
	}
	if (n->s[0] == '0' && n->n > 1 && strspn(n->s, "01234567") == n->n) {
		FAIL(c, n, "YAML reads %s as an octal number; leave out the leading 0", shown(n, buf));
		return NULL;
	}
	return n->s;
}

/* 131072 as "128K": the largest unit that divides it. */
static const char *size_name(uint64_t v, char buf[32])
{
	static const char units[] = " KMG";
	unsigned u = 0;

	while (v && !(v % 1024) && u < 3) {
		v /= 1024;
		u++;
	}
	snprintf(buf, 32, u ? "%llu%c" : "%llu", (unsigned long long)v, units[u]);
	return buf;
}

static int range(struct checker *c, const struct eng_node *n, const struct eng_key *k, uint64_t v)
{
	char buf[48];

	if (v >= k->min && v <= k->max)
		return 0;
	if (k->type == ENG_K_DURATION)
		return FAIL(c, n, "\"%s\" is %s, but must be from %llums to %llus", k->name, shown(n, buf),
			    (unsigned long long)k->min / 1000000, (unsigned long long)k->max / 1000000000);
	if (k->type == ENG_K_SIZE)
		return FAIL(c, n, "\"%s\" is %s, but must be from %s to %s", k->name, shown(n, buf),
			    size_name(k->min, (char[32]){ 0 }), size_name(k->max, (char[32]){ 0 }));
	if (k->type == ENG_K_ADDR)
		return FAIL(c, n, "\"%s\" is %s, but must be from %#llx to %#llx", k->name, shown(n, buf),
			    (unsigned long long)k->min, (unsigned long long)k->max);
	return FAIL(c, n, "\"%s\" is %s, but must be from %llu to %llu", k->name, shown(n, buf),
		    (unsigned long long)k->min, (unsigned long long)k->max);
}

static int check_number(struct checker *c, const struct eng_node *n, const struct eng_key *k)
{
	const char *s = number_scalar(c, n, k->name);
	char buf[48];
	uint64_t v;
	int rc;

	if (!s)
		return -EINVAL;
	if (k->type == ENG_K_INT) {
		if (strspn(s, "0123456789") != n->n)
			return FAIL(c, n, "\"%s\" must be a whole number, not %s", k->name, shown(n, buf));
		rc = rs_parse_size(s, &v);
	} else if (k->type == ENG_K_DURATION) {
		rc = rs_parse_duration(s, &v);
		if (rc == -EINVAL)
			return FAIL(c, n, "\"%s\" must be a time such as 10s or 250ms, not %s", k->name,
				    shown(n, buf));
	} else {
		rc = rs_parse_size(s, &v);
		if (rc == -EINVAL && k->type == ENG_K_SIZE)
			return FAIL(c, n, "\"%s\" must be a size such as 64K or 4M, not %s", k->name,
				    shown(n, buf));
		if (rc == -EINVAL)
			return FAIL(c, n, "\"%s\" must be an address such as 0x10000, not %s", k->name,
				    shown(n, buf));
	}
	if (rc)
		return FAIL(c, n, "\"%s\" is %s, which does not fit in 64 bits", k->name, shown(n, buf));
	return range(c, n, k, v);
}

static int check_bool(struct checker *c, const struct eng_node *n, const char *key)
{
	char buf[48];

	if (n->type == ENG_NODE_SCALAR && !n->quoted && (!strcmp(n->s, "true") || !strcmp(n->s, "false")))
		return 0;
	if (n->quoted)
		return FAIL(c, n, "\"%s\" must be true or false, without quotes", key);
	return FAIL(c, n, "\"%s\" must be true or false, not %s", key, shown(n, buf));
}

static int check_value(struct checker *c, const struct eng_node *n, const struct eng_key *k);

/* Each item of a list by `one`; names and files must not repeat, free text may. */
static int check_list(struct checker *c, const struct eng_node *n, const struct eng_key *k,
		      enum eng_key_type item_type)
{
	struct eng_key item = *k;

	if (n->type != ENG_NODE_LIST)
		return FAIL(c, n, "\"%s\" must be a list", k->name);
	uint64_t max = k->max ? k->max : ENG_LIST_MAX;
	if (n->items < k->min || n->items > max)
		return FAIL(c, n, "the length of the list \"%s\" is %u, but must be from %llu to %llu", k->name, n->items,
			    (unsigned long long)k->min, (unsigned long long)max);
	item.type = item_type;
	for (unsigned i = 0; i < n->items; i++) {
		int rc = check_value(c, n->item[i], &item);

		if (rc)
			return rc;
		for (unsigned j = 0; j < i && n->item[i]->type == ENG_NODE_SCALAR && item_type != ENG_K_STRING; j++)
			if (!strcmp(n->item[i]->s, n->item[j]->s))
				return FAIL(c, n->item[i], "\"%s\" stands in this list twice", n->item[i]->s);
	}
	return 0;
}

static int check_run(struct checker *c, const struct eng_node *n)
{
	const char *names[16];
	unsigned kinds = eng_kind_count < 15 ? eng_kind_count : 15;

	for (unsigned i = 0; i < kinds; i++)
		names[i] = eng_kinds[i].name;
	names[kinds] = NULL;
	if (n->type != ENG_NODE_MAP || !n->items)
		return FAIL(c, n, "\"run\" needs a kind of experiment: {vm: {...}}");
	if (!eng_kind_by_name(n->key[0]->s)) {
		const char *near = rs_did_you_mean(n->key[0]->s, names);

		if (near)
			return FAIL(c, n->key[0], "unknown kind of experiment \"%s\"; did you mean \"%s\"?",
				    n->key[0]->s, near);
		return FAIL(c, n->key[0], "unknown kind of experiment \"%s\"", n->key[0]->s);
	}
	if (n->items > 1)
		return FAIL(c, n->key[1], "\"run\" has one kind of experiment, and \"%s\" is a second one",
			    n->key[1]->s);
	return eng_schema_check(n->item[0], n->key[0]->s, c->file, c->err);
}

static int check_value(struct checker *c, const struct eng_node *n, const struct eng_key *k)
{
	if (is_empty(n))
		return FAIL(c, n, "\"%s\" is empty", k->name);
	switch (k->type) {
	case ENG_K_ID:
		return check_id(c, n, k->name);
	case ENG_K_SCHEMA:
	case ENG_K_NAME:
		return check_name(c, n, k);
	case ENG_K_TEXT:
		return check_text(c, n, k->name);
	case ENG_K_STRING:
		return text_scalar(c, n, k->name);
	case ENG_K_EXPR:
		/* its types are checked by its parser; a plain number or true is one */
		return n->type == ENG_NODE_SCALAR ? 0 : FAIL(c, n, "\"%s\" must be an expression; put it in "
								   "quotes", k->name);
	case ENG_K_FILE:
		return check_file(c, n, k->name);
	case ENG_K_INT:
	case ENG_K_ADDR:
	case ENG_K_SIZE:
	case ENG_K_DURATION:
		return check_number(c, n, k);
	case ENG_K_BOOL:
		return check_bool(c, n, k->name);
	case ENG_K_MAP:
		return eng_schema_check(n, k->sub, c->file, c->err);
	case ENG_K_RUN:
		return check_run(c, n);
	case ENG_K_IDS:
		return check_list(c, n, k, ENG_K_ID);
	case ENG_K_NAMES:
		return check_list(c, n, k, ENG_K_NAME);
	case ENG_K_TEXTS:
		return check_list(c, n, k, ENG_K_TEXT);
	case ENG_K_FILES:
		return check_list(c, n, k, ENG_K_FILE);
	case ENG_K_STRINGS:
		return check_list(c, n, k, ENG_K_STRING);
	case ENG_K_MAPS:
		return check_list(c, n, k, ENG_K_MAP);
	}
	return 0;
}

/* Where else is the key at home? NULL when nowhere. */
static const char *other_section(const char *name, const char *section)
{
	for (const struct eng_key *k = eng_keys; k->section; k++)
		if (!strcmp(k->name, name) && strcmp(k->section, section))
			return k->section;
	return NULL;
}

static int unknown_key(struct checker *c, const struct eng_node *key, const char *section)
{
	const char *names[64];
	unsigned n = 0;

	for (const struct eng_key *k = eng_keys; k->section && n < 63; k++)
		if (!strcmp(k->section, section))
			names[n++] = k->name;
	names[n] = NULL;
	char buf[48];
	const char *near = rs_did_you_mean(key->s, names), *home;
	if (near)
		return FAIL(c, key, "unknown key \"%s\"; did you mean \"%s\"?", shown(key, buf), near);
	home = other_section(key->s, section);
	if (home)
		return FAIL(c, key, "the key \"%s\" belongs to \"%s\", not to \"%s\"", shown(key, buf), home,
			    section);
	return FAIL(c, key, "unknown key \"%s\" in \"%s\"", shown(key, buf), section);
}

int eng_schema_check(const struct eng_node *n, const char *section, const char *file,
		     struct rs_err *err)
{
	struct checker c = { file, err };

	if (n->type != ENG_NODE_MAP)
		return FAIL(&c, n, "a map with the keys of \"%s\" is needed here", section);
	for (unsigned i = 0; i < n->items; i++) {
		const struct eng_key *k = eng_keys;

		while (k->section && (strcmp(k->section, section) || strcmp(k->name, n->key[i]->s)))
			k++;
		if (!k->section)
			return unknown_key(&c, n->key[i], section);
		int rc = check_value(&c, n->item[i], k);
		if (rc)
			return rc;
	}
	for (const struct eng_key *k = eng_keys; k->section; k++)
		if (k->required && !strcmp(k->section, section) && !eng_node_get(n, k->name, NULL))
			return FAIL(&c, n, "the key \"%s\" is missing in \"%s\"", k->name, section);
	return 0;
}

uint64_t eng_node_uint(const struct eng_node *n, uint64_t fallback)
{
	uint64_t v;

	if (!n)
		return fallback;
	return rs_parse_size(n->s, &v) ? fallback : v;
}

uint64_t eng_node_duration(const struct eng_node *n, uint64_t fallback)
{
	uint64_t v;

	/* apart from eng_node_uint: 1m is a minute here and a mebibyte there */
	if (!n)
		return fallback;
	return rs_parse_duration(n->s, &v) ? fallback : v;
}

bool eng_node_bool(const struct eng_node *n, bool fallback)
{
	return n ? !strcmp(n->s, "true") : fallback;
}

char *eng_node_str(const struct eng_node *n)
{
	return n ? rs_xstrdup(n->s) : NULL;
}
