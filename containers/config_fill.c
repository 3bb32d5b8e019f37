/* JSON values into structs, by the table of fields. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "containers/config_fields.h"

size_t ctr_path_key(struct ctr_parse *p, const char *key)
{
	size_t mark = p->path.len;

	rs_str_addf(&p->path, mark ? ".%.200s" : "%.200s", key);
	return mark;
}

size_t ctr_path_index(struct ctr_parse *p, size_t i)
{
	size_t mark = p->path.len;

	rs_str_addf(&p->path, "[%zu]", i);
	return mark;
}

void ctr_path_cut(struct ctr_parse *p, size_t mark)
{
	p->path.len = mark;
	p->path.p[mark] = '\0';
}

static int want(struct ctr_parse *p, struct json_object *o, enum json_type type, const char *what)
{
	if (json_object_is_type(o, type))
		return 0;
	return CTR_BAD(p, N_("%s: must be %s, not %s"), what, json_type_to_name(json_object_get_type(o)));
}

int ctr_take_string(struct ctr_parse *p, struct json_object *o, char **out)
{
	int rc = want(p, o, json_type_string, "string");

	if (rc)
		return rc;
	const char *s = json_object_get_string(o);

	if (strlen(s) != (size_t)json_object_get_string_len(o))
		return CTR_BAD(p, N_("%s: a string of the kernel cannot hold a NUL character"));
	free(*out);
	*out = rs_xstrdup(s);
	return 0;
}

int ctr_take_int(struct ctr_parse *p, struct json_object *o, int64_t min, int64_t max, int64_t *out)
{
	int rc = want(p, o, json_type_int, "integer");

	if (rc)
		return rc;
	*out = json_object_get_int64(o);
	if (*out < min || *out > max || (*out == INT64_MAX && json_object_get_uint64(o) > INT64_MAX))
		return CTR_BAD(p, N_("%s: must be between %lld and %lld"), (long long)min, (long long)max);
	return 0;
}

int ctr_take_uint(struct ctr_parse *p, struct json_object *o, uint64_t max, uint64_t *out)
{
	int rc = want(p, o, json_type_int, "integer");

	if (rc)
		return rc;
	*out = json_object_get_uint64(o);
	if (json_object_get_int64(o) < 0 || *out > max)
		return CTR_BAD(p, N_("%s: must be between 0 and %llu"), (unsigned long long)max);
	return 0;
}

static int take_word(struct ctr_parse *p, struct json_object *o, const struct ctr_word *words, uint64_t *out)
{
	int rc = want(p, o, json_type_string, "string");

	if (rc)
		return rc;
	const char *s = json_object_get_string(o);
	const struct ctr_word *w = ctr_word_find(words, s);

	if (w) {
		*out = w->value;
		return 0;
	}
	rs_auto_str all = RS_STR_INIT;

	for (w = words; w->word; w++)
		rs_str_addf(&all, "%s%s", w == words ? "" : ", ", w->word);
	return CTR_BAD(p, N_("%s: \"%.100s\" is not one of %s"), s, all.p);
}

static void add_string(struct ctr_strings *l, char *s)
{
	l->v = rs_xrealloc(l->v, l->n + 2, sizeof(*l->v));
	l->v[l->n++] = s;
	l->v[l->n] = NULL;
}

/* Calls take(p, element, ctx) for each element of an array. */
static int each(struct ctr_parse *p, struct json_object *o, void *ctx, const struct ctr_field *f,
		int (*take)(struct ctr_parse *, struct json_object *, const struct ctr_field *, void *))
{
	int rc = want(p, o, json_type_array, "array");

	for (size_t i = 0; rc == 0 && i < json_object_array_length(o); i++) {
		size_t mark = ctr_path_index(p, i);

		rc = take(p, json_object_array_get_idx(o, i), f, ctx);
		ctr_path_cut(p, mark);
	}
	return rc;
}

static int one_string(struct ctr_parse *p, struct json_object *o, const struct ctr_field *f, void *out)
{
	char *s = NULL;
	int rc = ctr_take_string(p, o, &s);

	(void)f;
	if (rc == 0)
		add_string(out, s);
	return rc;
}

static void add_number(struct ctr_numbers *l, uint64_t v)
{
	l->v = rs_xrealloc(l->v, l->n + 1, sizeof(*l->v));
	l->v[l->n++] = v;
}

static int one_number(struct ctr_parse *p, struct json_object *o, const struct ctr_field *f, void *out)
{
	uint64_t v;
	int rc = ctr_take_uint(p, o, f->max, &v);

	if (rc == 0)
		add_number(out, v);
	return rc;
}

static int one_word(struct ctr_parse *p, struct json_object *o, const struct ctr_field *f, void *out)
{
	uint64_t v;
	int rc = take_word(p, o, f->words, &v);

	if (rc == 0 && f->kind == CTR_F_WORDS)
		*(uint64_t *)out |= v;
	else if (rc == 0)
		add_number(out, v);
	return rc;
}

static int one_cap(struct ctr_parse *p, struct json_object *o, const struct ctr_field *f, void *out)
{
	struct ctr_capset *set = out;
	char *s = NULL;
	int rc = ctr_take_string(p, o, &s);
	const struct ctr_word *w = rc ? NULL : ctr_word_find(ctr_words_cap, s);

	(void)f;
	if (w)
		set->bits |= UINT64_C(1) << w->value;
	else if (rc == 0 && p->caps_unknown) {
		add_string(p->caps_unknown, s);
		return 0;
	}
	free(s);
	return rc;
}

/* A list or map grows by one zeroed struct. */
static void *grow(void *out, const struct ctr_field *f)
{
	char **v = (char **)((char *)out + f->off);
	unsigned *n = (unsigned *)((char *)out + f->off2);

	*v = rs_xrealloc(*v, *n + 1, f->size);
	void *last = *v + *n * f->size;

	memset(last, 0, f->size);
	++*n;
	return last;
}

static int one_object(struct ctr_parse *p, struct json_object *o, const struct ctr_field *f, void *out)
{
	int rc = want(p, o, json_type_object, "object");

	return rc ? rc : ctr_fill(p, o, f->sub, grow(out, f));
}

static int take_pairs(struct ctr_parse *p, struct json_object *o, struct ctr_pairs *l)
{
	int rc = want(p, o, json_type_object, "object");

	if (rc)
		return rc;
	json_object_object_foreach(o, key, value) {
		struct ctr_pair *pair;
		size_t mark = ctr_path_key(p, key);

		l->v = rs_xrealloc(l->v, l->n + 1, sizeof(*l->v));
		pair = &l->v[l->n++];
		pair->key = rs_xstrdup(key);
		pair->value = NULL;
		rc = *key ? ctr_take_string(p, value, &pair->value) :
			    CTR_BAD(p, N_("%s: a key must not be empty"));
		ctr_path_cut(p, mark);
		if (rc)
			return rc;
	}
	return 0;
}

static int take_map(struct ctr_parse *p, struct json_object *o, const struct ctr_field *f, void *out)
{
	int rc = want(p, o, json_type_object, "object");

	if (rc)
		return rc;
	json_object_object_foreach(o, key, value) {
		size_t mark = ctr_path_key(p, key);
		void *last = grow(out, f);

		*(char **)last = rs_xstrdup(key);
		rc = want(p, value, json_type_object, "object");
		if (rc == 0)
			rc = ctr_fill(p, value, f->sub, last);
		ctr_path_cut(p, mark);
		if (rc)
			return rc;
	}
	return 0;
}

static int take(struct ctr_parse *p, struct json_object *o, const struct ctr_field *f, void *out)
{
	void *at = (char *)out + f->off;
	struct ctr_opt_num *num = at;
	int rc = 0;

	switch (f->kind) {
	case CTR_F_STR:
		return ctr_take_string(p, o, at);
	case CTR_F_BOOL:
		rc = want(p, o, json_type_boolean, "boolean");
		*(bool *)at = rc == 0 && json_object_get_boolean(o);
		return rc;
	case CTR_F_INT:
		num->set = true;
		return ctr_take_int(p, o, f->min, (int64_t)f->max, &num->i);
	case CTR_F_UINT:
		num->set = true;
		return ctr_take_uint(p, o, f->max, &num->u);
	case CTR_F_U64:
		return ctr_take_uint(p, o, f->max, at);
	case CTR_F_WORD:
		return take_word(p, o, f->words, at);
	case CTR_F_OPT_WORD:
		num->set = true;
		return take_word(p, o, f->words, &num->u);
	case CTR_F_WORDS:
	case CTR_F_WORD_LIST:
		return each(p, o, at, f, one_word);
	case CTR_F_STRINGS:
		return each(p, o, at, f, one_string);
	case CTR_F_NUMBERS:
		return each(p, o, at, f, one_number);
	case CTR_F_CAPS:
		((struct ctr_capset *)at)->set = true;
		return each(p, o, at, f, one_cap);
	case CTR_F_PAIRS:
		return take_pairs(p, o, at);
	case CTR_F_LIST:
		return each(p, o, out, f, one_object);
	case CTR_F_MAP:
		return take_map(p, o, f, out);
	case CTR_F_OBJECT:
	case CTR_F_RESOURCES:
		rc = want(p, o, json_type_object, "object");
		if (f->off2)
			*(bool *)((char *)out + f->off2) = true;
		if (rc)
			return rc;
		return f->kind == CTR_F_OBJECT ? ctr_fill(p, o, f->sub, at) : ctr_take_resources(p, o, at);
	case CTR_F_PRESENT:
		*(bool *)at = true;
		return 0;
	}
	return 0;
}

int ctr_fill(struct ctr_parse *p, struct json_object *o, const struct ctr_field *fields, void *out)
{
	for (const struct ctr_field *f = fields; f->key; f++) {
		struct json_object *value = NULL;
		size_t mark;
		int rc = 0;

		json_object_object_get_ex(o, f->key, &value);
		mark = ctr_path_key(p, f->key);
		if (value) /* a null is as good as absent, as Go's writers leave them */
			rc = take(p, value, f, out);
		else if (f->required)
			rc = CTR_BAD(p, N_("%s: is missing"));
		ctr_path_cut(p, mark);
		if (rc)
			return rc;
	}
	return 0;
}

static void free_strings(struct ctr_strings *l)
{
	for (unsigned i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct ctr_strings){ 0 };
}

static void unfill_one(const struct ctr_field *f, void *out)
{
	void *at = (char *)out + f->off;
	struct ctr_pairs *pairs = at;

	switch (f->kind) {
	case CTR_F_STR:
		free(*(char **)at);
		*(char **)at = NULL;
		break;
	case CTR_F_STRINGS:
		free_strings(at);
		break;
	case CTR_F_NUMBERS:
	case CTR_F_WORD_LIST:
		free(((struct ctr_numbers *)at)->v);
		break;
	case CTR_F_PAIRS:
		for (unsigned i = 0; i < pairs->n; i++) {
			free(pairs->v[i].key);
			free(pairs->v[i].value);
		}
		free(pairs->v);
		break;
	case CTR_F_LIST:
	case CTR_F_MAP: {
		unsigned n = *(unsigned *)((char *)out + f->off2);
		char *v = *(char **)at;

		for (unsigned i = 0; i < n; i++) {
			if (f->kind == CTR_F_MAP)
				free(*(char **)(v + i * f->size));
			ctr_unfill(f->sub, v + i * f->size);
		}
		free(v);
		break;
	}
	case CTR_F_OBJECT:
		ctr_unfill(f->sub, at);
		break;
	case CTR_F_RESOURCES:
		ctr_resources_release(at);
		break;
	default:
		break;
	}
}

void ctr_unfill(const struct ctr_field *fields, void *out)
{
	for (const struct ctr_field *f = fields; f->key; f++)
		unfill_one(f, out);
}
