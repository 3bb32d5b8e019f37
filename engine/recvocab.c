/* Names of a recording to numbers of today. */
#include "engine/recvocab.h"

#include <stdlib.h>

#include "engine/base/str.h"
#include "engine/recfile.h"

#define NUMBERS_MAX 4096u /* kinds, counters: far more than there will be */

struct group {
	char *name;
	char **value;
	unsigned values;
};
struct kind {
	int local;        /* today's number, -1: gone */
	int arg[4];       /* today's position, -1: gone */
	char *group[4];   /* NULL: a plain number */
};
struct counter {
	unsigned first, len;
	const struct rs_counter_info *local;
};
struct rec_vocab {
	struct kind *kind;
	struct group *group;
	struct counter *counter;
	unsigned kinds, groups, counters;
};

void rec_vocab_free(struct rec_vocab *v)
{
	if (!v)
		return;
	for (unsigned i = 0; i < v->kinds; i++)
		for (int a = 0; a < 4; a++)
			free(v->kind[i].group[a]);
	for (unsigned i = 0; i < v->groups; i++) {
		for (unsigned k = 0; k < v->group[i].values; k++)
			free(v->group[i].value[k]);
		free(v->group[i].value);
		free(v->group[i].name);
	}
	free(v->kind);
	free(v->group);
	free(v->counter);
	free(v);
}

static bool number(const char *word, unsigned long max, unsigned *out)
{
	char *end;
	unsigned long n = word ? strtoul(word, &end, 10) : 0;

	if (!word || !*word || *end || n > max)
		return false;
	*out = (unsigned)n;
	return true;
}

/* "kind N NAME ARG:GROUP ARG:GROUP ARG:GROUP ARG:GROUP"; numbers count up from 0. */
static bool parse_kind(struct rec_vocab *v, char **save)
{
	unsigned n;
	struct kind k = { .local = -1 };

	if (!number(strtok_r(NULL, " ", save), NUMBERS_MAX, &n) || n != v->kinds)
		return false;
	char *name = strtok_r(NULL, " ", save);

	if (!name)
		return false;
	k.local = rs_kind_by_name(name);
	v->kind = rs_xrealloc(v->kind, n + 1, sizeof(*v->kind));
	v->kinds++;
	v->kind[n] = k;
	for (int a = 0; a < 4; a++) {
		char *arg = strtok_r(NULL, " ", save), *colon = arg ? strchr(arg, ':') : NULL;

		if (!colon)
			return false;
		*colon = '\0';
		v->kind[n].arg[a] = -1;
		if (strcmp(colon + 1, "-") != 0)
			v->kind[n].group[a] = rs_xstrdup(colon + 1);
		for (int b = 0; k.local >= 0 && b < 4; b++) {
			const char *here = rs_kind_info((unsigned)k.local)->arg[b].name;

			if (here && strcmp(here, arg) == 0)
				v->kind[n].arg[a] = b;
		}
	}
	return true;
}

static bool parse_group(struct rec_vocab *v, char **save)
{
	char *name = strtok_r(NULL, " ", save), *value;

	if (!name || v->groups == NUMBERS_MAX)
		return false;
	v->group = rs_xrealloc(v->group, v->groups + 1, sizeof(*v->group));
	struct group *g = &v->group[v->groups++];

	*g = (struct group){ .name = rs_xstrdup(name) };
	while ((value = strtok_r(NULL, " ", save)) != NULL && g->values < NUMBERS_MAX) {
		g->value = rs_xrealloc(g->value, g->values + 1, sizeof(*g->value));
		g->value[g->values++] = rs_xstrdup(value);
	}
	return true;
}

static bool parse_counter(struct rec_vocab *v, char **save)
{
	struct counter c;

	if (!number(strtok_r(NULL, " ", save), NUMBERS_MAX, &c.first) ||
	    !number(strtok_r(NULL, " ", save), NUMBERS_MAX, &c.len) || v->counters == NUMBERS_MAX)
		return false;
	char *name = strtok_r(NULL, " ", save);

	if (!name)
		return false;
	c.local = rs_counter_by_name(name);
	v->counter = rs_xrealloc(v->counter, v->counters + 1, sizeof(*v->counter));
	v->counter[v->counters++] = c;
	return true;
}

struct rec_vocab *rec_vocab_new(const char *text, size_t n)
{
	struct rec_vocab *v = rs_xcalloc(1, sizeof(*v));
	rs_auto_str copy = RS_STR_INIT;
	char *lines, *line;
	bool ok = true;

	rs_str_addn(&copy, text, n);
	for (lines = copy.p; ok && (line = strsep(&lines, "\n")) != NULL && *line;) {
		char *save = NULL, *what = strtok_r(line, " ", &save);

		if (what && strcmp(what, "kind") == 0)
			ok = parse_kind(v, &save);
		else if (what && strcmp(what, "group") == 0)
			ok = parse_group(v, &save);
		else if (what && strcmp(what, "counter") == 0)
			ok = parse_counter(v, &save);
		/* another word is a later version's; what we know is still said */
	}
	if (ok && v->kinds)
		return v;
	rec_vocab_free(v);
	return NULL;
}

/* The recorded value of a group, as today's number. */
static bool value_today(const struct rec_vocab *v, const char *group, enum rs_unit unit, uint64_t *value)
{
	for (unsigned i = 0; i < v->groups; i++) {
		const struct group *g = &v->group[i];

		if (strcmp(g->name, group) == 0)
			return *value < g->values &&
			       rs_unit_value(unit, g->value[*value], value) == 0;
	}
	return false;
}

bool rec_vocab_event(const struct rec_vocab *v, struct rs_event *ev)
{
	if (ev->kind >= v->kinds || v->kind[ev->kind].local < 0)
		return false;
	const struct kind *k = &v->kind[ev->kind];
	const struct rs_kind_info *info = rs_kind_info((unsigned)k->local);
	uint64_t arg[4] = { 0 }, source = ev->source;

	for (int a = 0; a < 4; a++) {
		uint64_t x = ev->arg[a];

		if (k->arg[a] < 0)
			continue;
		if (k->group[a] && !value_today(v, k->group[a], info->arg[k->arg[a]].unit, &x))
			return false;
		arg[k->arg[a]] = x;
	}
	if (!value_today(v, REC_SOURCE_GROUP, RS_UNIT_source, &source))
		return false;
	ev->kind = (uint16_t)k->local;
	ev->source = (uint16_t)source;
	memcpy(ev->arg, arg, sizeof(arg));
	return rs_event_check(ev);
}

void rec_vocab_counters(const struct rec_vocab *v, const unsigned char *body, size_t n,
			struct rs_counters *out)
{
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < v->counters; i++) {
		const struct counter *c = &v->counter[i];

		for (unsigned k = 0; c->local && k < c->len && k < c->local->len; k++)
			if (c->first + k < n / 8)
				out->v[c->local->first + k] = rec_get64(body + 8 * (c->first + k));
	}
}
