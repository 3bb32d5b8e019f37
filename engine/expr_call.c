/* Function calls of the check language: selections, fields, counters, streams, patterns. */
#include <ctype.h>
#include <errno.h>

#include "engine/expr.h"

#define REGEX_MAX 256         /* bytes of a pattern */
#define REGEX_REPEATS_MAX 1000 /* product of all {n} in a pattern: the compiled size follows it */

static const char *const common_fields[] = { "text", "source", "actor", "time", "seq" };

int expr_field_by_name(int kind, const char *name)
{
	const struct rs_kind_info *k = rs_kind_info((unsigned)kind);

	/* an argument comes first: kvm.call has a `time` of its own */
	for (int i = 0; i < 4 && k->arg[i].name; i++)
		if (!strcmp(name, k->arg[i].name))
			return i;
	for (int i = 0; i < 5; i++)
		if (!strcmp(name, common_fields[i]))
			return FIELD_TEXT + i;
	return -ENOENT;
}

const char *expr_field_near(int kind, const char *name)
{
	const struct rs_kind_info *k = rs_kind_info((unsigned)kind);
	const char *names[10];
	unsigned n = 0;

	for (int i = 0; i < 4 && k->arg[i].name; i++)
		names[n++] = k->arg[i].name;
	for (int i = 0; i < 5; i++)
		names[n++] = common_fields[i];
	names[n] = NULL;
	return rs_did_you_mean(name, names);
}

struct type expr_field_type(int kind, unsigned field)
{
	struct type t = { ENG_T_INT, ENG_T_NONE, RS_UNIT_dec };

	if (field < 4)
		t.unit = rs_kind_info((unsigned)kind)->arg[field].unit;
	else if (field == FIELD_TEXT)
		t = (struct type){ ENG_T_STR, ENG_T_NONE, RS_UNIT_NONE };
	else if (field == FIELD_SOURCE)
		t.unit = RS_UNIT_source;
	else if (field == FIELD_TIME)
		t.unit = RS_UNIT_ns;
	if (t.unit == RS_UNIT_bool)
		t.t = ENG_T_BOOL;
	return t;
}

static struct select *add_select(struct node *n, int kind, size_t from)
{
	n->sel = rs_xrealloc(n->sel, n->sels + 1, sizeof(*n->sel));
	n->sel[n->sels] = (struct select){ .kind = kind, .from = from };
	return &n->sel[n->sels++];
}

static bool unknown_kind(struct parser *p, const char *name, size_t at)
{
	const char *near = rs_did_you_mean(name, rs_kind_names());

	if (near)
		EXPR_FAIL(p, at, "unknown kind of event \"%s\"; did you mean \"%s\"?", name, near);
	else
		EXPR_FAIL(p, at, "unknown kind of event \"%s\"; see ringside doc events", name);
	return false;
}

/* [where CONDITION] behind a kind. */
static bool where(struct parser *p, struct node *n)
{
	struct select *s = &n->sel[n->sels - 1];
	int outer = p->kind;

	if (p->tok.t != T_WHERE)
		return true;
	if (expr_next(p))
		return false;
	p->kind = s->kind;
	struct node *w = expr_or(p);
	p->kind = outer;
	if (!w)
		return false;
	n->sel[n->sels - 1].where = w;
	s->to = w->to;
	return expr_must_be(p, w, ENG_T_BOOL);
}

static bool arg_select(struct parser *p, struct node *n)
{
	if (p->tok.t != T_NAME) {
		EXPR_FAIL(p, p->tok.from, "a kind of event such as cpu.ring is missing here");
		return false;
	}
	int kind = rs_kind_by_name(p->tok.s.p);
	char *dot = strrchr(p->tok.s.p, '.');
	if (kind < 0 && dot) {
		*dot = 0;
		bool field = rs_kind_by_name(p->tok.s.p) >= 0;

		if (field) {
			EXPR_FAIL(p, p->tok.from, "%s takes a kind of event without a field: %s",
				  func_infos[n->func].name, p->tok.s.p);
			return false;
		}
		*dot = '.';
	}
	if (kind < 0)
		return unknown_kind(p, p->tok.s.p, p->tok.from);
	add_select(n, kind, p->tok.from)->to = p->tok.to;
	return !expr_next(p) && where(p, n);
}

/* KIND.FIELD [where CONDITION] */
static bool arg_field(struct parser *p, struct node *n, bool number)
{
	const char *fn = func_infos[n->func].name;

	if (p->tok.t != T_NAME) {
		EXPR_FAIL(p, p->tok.from, "%s needs a field of an event such as cpu.ring.to", fn);
		return false;
	}
	char *name = p->tok.s.p, *dot = strrchr(name, '.');
	if (rs_kind_by_name(name) >= 0) {
		const char *arg = rs_kind_info((unsigned)rs_kind_by_name(name))->arg[0].name;

		EXPR_FAIL(p, p->tok.from, "%s needs a field of the event: %s.%s", fn, name,
			  arg ? arg : "text");
		return false;
	}
	if (!dot)
		return unknown_kind(p, name, p->tok.from);
	*dot = 0;
	int kind = rs_kind_by_name(name);
	if (kind < 0)
		return unknown_kind(p, name, p->tok.from);
	int field = expr_field_by_name(kind, dot + 1);
	if (field < 0) {
		const char *near = expr_field_near(kind, dot + 1);
		size_t at = p->tok.from + (size_t)(dot + 1 - name);

		if (near)
			EXPR_FAIL(p, at, "%s has no field \"%s\"; did you mean \"%s\"?", name, dot + 1, near);
		else
			EXPR_FAIL(p, at, "%s has no field \"%s\"", name, dot + 1);
		return false;
	}
	n->field = (unsigned)field;
	n->type = expr_field_type(kind, n->field);
	if (number && (n->type.t != ENG_T_INT || expr_named(n->type.unit))) {
		EXPR_FAIL(p, p->tok.from, "%s needs a number, and %s.%s is none", fn, name, dot + 1);
		return false;
	}
	add_select(n, kind, p->tok.from)->to = p->tok.to;
	return !expr_next(p) && where(p, n);
}

/* A name as enums write it, also with hyphens ("debug-exit"), or text, or a number. */
static bool bare_name(struct parser *p, struct rs_str *out)
{
	rs_str_clear(out);
	if (p->tok.t == T_STR) {
		rs_str_addn(out, p->tok.s.p, p->tok.s.len);
		return !expr_next(p);
	}
	if (p->tok.t < T_NAME || (p->tok.t > T_FALSE)) {
		EXPR_FAIL(p, p->tok.from, "a name is missing here");
		return false;
	}
	size_t from = p->tok.from, to = p->tok.to;
	while (p->text[to] == '-' || p->text[to] == '_' || isalnum((unsigned char)p->text[to]))
		to++;
	rs_str_addn(out, p->text + from, to - from);
	p->pos = to;
	return !expr_next(p);
}

static bool arg_counter(struct parser *p, struct node *n)
{
	rs_auto_str name = RS_STR_INIT;
	size_t at = p->tok.from;
	uint64_t v;

	if (p->tok.t != T_NAME) {
		EXPR_FAIL(p, at, "a counter such as vm.exits is missing here");
		return false;
	}
	const struct rs_counter_info *c = rs_counter_by_name(p->tok.s.p);
	if (!c) {
		const char *near = rs_did_you_mean(p->tok.s.p, rs_counter_names());

		if (near)
			EXPR_FAIL(p, at, "unknown counter \"%s\"; did you mean \"%s\"?", p->tok.s.p, near);
		else
			EXPR_FAIL(p, at, "unknown counter \"%s\"; see ringside doc counters", p->tok.s.p);
		return false;
	}
	n->first = c->first;
	n->len = c->len;
	n->type = (struct type){ ENG_T_INT, ENG_T_NONE, c->len == 1 ? c->unit : RS_UNIT_dec };
	if (expr_next(p))
		return false;
	if (p->tok.t != T_COMMA)
		return true;
	if (expr_next(p))
		return false;
	at = p->tok.from;
	if (c->len == 1) {
		EXPR_FAIL(p, at, "counter %s is a single number, it has no entries", c->name);
		return false;
	}
	if (p->tok.t == T_INT) {
		v = (uint64_t)p->tok.i;
		if (v >= c->len) {
			EXPR_FAIL(p, at, "counter %s has entries 0 to %u", c->name, c->len - 1);
			return false;
		}
		if (expr_next(p))
			return false;
	} else {
		if (!bare_name(p, &name))
			return false;
		if (rs_unit_value(c->unit, name.p, &v) || v >= c->len) {
			const char *const *all = rs_unit_value_names(c->unit);
			const char *near = all ? rs_did_you_mean(name.p, all) : NULL;

			if (near)
				EXPR_FAIL(p, at, "counter %s has no entry \"%s\"; did you mean \"%s\"?",
					  c->name, name.p, near);
			else
				EXPR_FAIL(p, at, "counter %s has no entry \"%s\"", c->name, name.p);
			return false;
		}
	}
	n->first += (unsigned)v;
	n->len = 1;
	return true;
}

static bool arg_stream(struct parser *p, struct node *n)
{
	rs_auto_str name = RS_STR_INIT;
	size_t at = p->tok.from;
	uint64_t v;

	if (!bare_name(p, &name))
		return false;
	if (rs_unit_value(RS_UNIT_stream, name.p, &v)) {
		const char *near = rs_did_you_mean(name.p, rs_unit_value_names(RS_UNIT_stream));

		if (near)
			EXPR_FAIL(p, at, "unknown stream \"%s\"; did you mean \"%s\"?", name.p, near);
		else
			EXPR_FAIL(p, at, "unknown stream \"%s\"; serial, debug, stdout, stderr, build and "
					 "report are known", name.p);
		return false;
	}
	n->first = (unsigned)v;
	return true;
}

/* A text constant into n->s. */
static bool arg_const_text(struct parser *p, struct node *n)
{
	if (p->tok.t != T_STR) {
		EXPR_FAIL(p, p->tok.from, "%s needs a text in double quotes here", func_infos[n->func].name);
		return false;
	}
	n->n = p->tok.s.len;
	if (memchr(p->tok.s.p, 0, n->n)) {
		EXPR_FAIL(p, p->tok.from, "a NUL byte cannot stand here");
		return false;
	}
	n->s = rs_str_detach(&p->tok.s);
	return true;
}

static bool arg_file(struct parser *p, struct node *n)
{
	size_t at = p->tok.from;

	if (!arg_const_text(p, n))
		return false;
	if (!eng_file_name_ok(n->s)) {
		EXPR_FAIL(p, at, "\"%s\" must be the name of a file inside the workspace", n->s);
		return false;
	}
	return !expr_next(p);
}

/* What glibc compiles or matches in more than linear time or space is refused. */
static bool regex_tame(struct parser *p, const char *re, size_t at)
{
	uint64_t repeats = 1;

	if (strlen(re) > REGEX_MAX) {
		EXPR_FAIL(p, at, "a pattern has at most %d bytes", REGEX_MAX);
		return false;
	}
	for (const char *c = re; *c; c++) {
		if (*c == '\\' && c[1]) {
			if (isdigit((unsigned char)*++c)) {
				EXPR_FAIL(p, at, "back references (\\%c) are not part of extended "
						 "regular expressions", *c);
				return false;
			}
		} else if (*c == '{') {
			const char *comma = strpbrk(c, ",}");
			uint64_t n = strtoul(c + 1, NULL, 10);
			uint64_t m = comma && *comma == ',' ? strtoul(comma + 1, NULL, 10) : 0;

			if (m > n)
				n = m;
			if (n > 1)
				repeats *= n < 1000000 ? n : 1000000;
			if (repeats > REGEX_REPEATS_MAX) {
				EXPR_FAIL(p, at, "the repetitions {n} of this pattern multiply to more than %d",
					  REGEX_REPEATS_MAX);
				return false;
			}
		}
	}
	return true;
}

static bool arg_regex(struct parser *p, struct node *n)
{
	size_t at = p->tok.from;

	if (!arg_const_text(p, n) || !regex_tame(p, n->s, at))
		return false;
	regex_t *re = rs_xmalloc(sizeof(*re));
	int rc = regcomp(re, n->s, REG_EXTENDED | REG_NEWLINE | REG_NOSUB);
	if (rc) {
		char why[80];

		regerror(rc, re, why, sizeof(why));
		free(re);
		EXPR_FAIL(p, at, "this is not a regular expression: %s", why);
		return false;
	}
	n->regex = re;
	return !expr_next(p);
}

static bool arg_value(struct parser *p, struct node *n, char what)
{
	struct node *a = expr_or(p);

	if (!a)
		return false;
	if (what == 't' || a->type.t != ENG_T_LIST)
		a = expr_to_text(p, a);
	if (!a)
		return false;
	n->arg = rs_xrealloc(n->arg, n->args + 1, sizeof(*n->arg));
	n->arg[n->args++] = a;
	n->per_event |= a->per_event;
	return true;
}

static bool arguments(struct parser *p, struct node *n)
{
	for (const char *a = func_infos[n->func].args; *a; a++) {
		if (a != func_infos[n->func].args && !expr_expect(p, T_COMMA, "\",\""))
			return false;
		if (p->tok.t == T_RPAR && *a != 's' && *a != 'S') {
			EXPR_FAIL(p, p->tok.from, "%s needs %u arguments, separated by commas",
				  func_infos[n->func].name, (unsigned)strlen(func_infos[n->func].args));
			return false;
		}
		switch (*a) {
		case 's':
			if (!arg_select(p, n))
				return false;
			break;
		case 'S':
			do {
				if (n->sels && expr_next(p))
					return false;
				if (n->sels == EXPR_SELECTS_MAX) {
					EXPR_FAIL(p, p->tok.from, "%s takes at most %d selections",
						  func_infos[n->func].name, EXPR_SELECTS_MAX);
					return false;
				}
				if (!arg_select(p, n))
					return false;
			} while (p->tok.t == T_COMMA);
			break;
		case 'f':
		case 'n':
			if (!arg_field(p, n, *a == 'n'))
				return false;
			break;
		case 'c':
			if (!arg_counter(p, n))
				return false;
			break;
		case 'o':
			if (!arg_stream(p, n))
				return false;
			break;
		case 'F':
			if (!arg_file(p, n))
				return false;
			break;
		case 'y':
			if (!arg_const_text(p, n) || expr_next(p))
				return false;
			break;
		case 'r':
			if (!arg_regex(p, n))
				return false;
			break;
		default:
			if (!arg_value(p, n, *a))
				return false;
		}
	}
	return true;
}

static void result_type(struct node *n)
{
	const char *r = func_infos[n->func].result;

	if (!strcmp(r, "bool"))
		n->type = (struct type){ ENG_T_BOOL, ENG_T_NONE, RS_UNIT_NONE };
	else if (!strcmp(r, "str"))
		n->type = (struct type){ ENG_T_STR, ENG_T_NONE, RS_UNIT_NONE };
	else if (!strcmp(r, "list"))
		n->type = (struct type){ ENG_T_LIST, ENG_T_STR, RS_UNIT_NONE };
	else if (!strcmp(r, "fields"))
		n->type = (struct type){ ENG_T_LIST, n->type.t, n->type.unit };
	else if (!strcmp(r, "outcome"))
		n->type = (struct type){ ENG_T_INT, ENG_T_NONE, RS_UNIT_outcome };
	else if (!strcmp(r, "int") && n->func != F_sum && n->func != F_counter)
		n->type = (struct type){ ENG_T_INT, ENG_T_NONE, RS_UNIT_dec };
	else if (!strcmp(r, "address"))
		n->type = (struct type){ ENG_T_INT, ENG_T_NONE, RS_UNIT_hex };
	n->ended = n->func == F_ended;
}

/* Calls whose result may be as long as the run has no place where it would be looked at once an
 * event. */
static bool long_result(enum func f)
{
	return f == F_values || f == F_distinct || f == F_output || f == F_file || f == F_lines;
}

struct node *expr_call(struct parser *p, enum func f, size_t from)
{
	struct node *n = expr_node(X_CALL, from, 0);

	n->func = f;
	if (p->kind >= 0 && long_result(f)) {
		EXPR_FAIL(p, from, "%s(...) cannot be used inside a condition", func_infos[f].name);
		goto fail;
	}
	if (!arguments(p, n))
		goto fail;
	n->to = p->tok.to;
	if (p->tok.t == T_COMMA) {
		EXPR_FAIL(p, p->tok.from, "too many arguments of %s", func_infos[f].name);
		goto fail;
	}
	if (!expr_expect(p, T_RPAR, "\")\""))
		goto fail;
	result_type(n);
	if (!n->per_event)
		n->slot = p->slots++;
	return n;
fail:
	expr_node_free(n);
	return NULL;
}
