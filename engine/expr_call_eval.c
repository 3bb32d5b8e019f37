/* The functions of the check language over the evidence of a run. */
#include <ctype.h>
#include <errno.h>

#include "engine/expr.h"

/* An error about one selection of a call. */
static int no_event(struct eval *c, const struct node *n)
{
	rs_auto_str s = RS_STR_INIT;

	expr_source(c->x, n->sel[0].from, n->sel[0].to, &s);
	return rs_err_set(c->err, -ENODATA, "no such event: %s", s.p);
}

/* Does the event meet the selection? 1, 0, or negative. */
static int meets(struct eval *c, const struct select *s, const struct rs_event *ev)
{
	struct val v;

	if (ev->kind != s->kind)
		return 0;
	if (!s->where)
		return 1;
	int rc = expr_eval(c, s->where, ev, &v);
	return rc ? rc : v.i != 0;
}

/* The next selected event from index *i on. 1 with *i at it, 0 at the end, or negative. */
static int next_event(struct eval *c, const struct select *s, struct slot *slot, size_t *i)
{
	for (; *i < c->e->events; ++*i) {
		const struct rs_event *ev = &c->e->event[*i];

		if (ev->kind != s->kind)
			continue;
		slot->of_kind++;
		int rc = meets(c, s, ev);
		if (rc)
			return rc;
	}
	return 0;
}

static void keep(struct slot *s, size_t i)
{
	s->matched++;
	if (s->evs < EXPR_NOTE_EVENTS)
		s->ev[s->evs++] = i;
}

static void keep_only(struct slot *s, size_t i)
{
	s->matched++;
	s->ev[0] = i;
	s->evs = 1;
}

static int eval_count(struct eval *c, const struct node *n, struct slot *s)
{
	size_t i = 0;
	int rc;

	for (; (rc = next_event(c, n->sel, s, &i)) > 0; i++) {
		keep(s, i);
		s->v.i++;
		if (n->func == F_exists)
			break;
	}
	return rc < 0 ? rc : 0;
}

/* first, last, min, max, sum: one number or text. */
static int eval_pick(struct eval *c, const struct node *n, struct slot *s)
{
	bool is_hex = n->type.unit == RS_UNIT_hex;
	size_t i = 0;
	int rc;

	for (; (rc = next_event(c, n->sel, s, &i)) > 0; i++) {
		struct val v;

		expr_field_get(&c->e->event[i], n->field, n->type, &v);
		if (n->func == F_sum) {
			keep(s, i);
			if (__builtin_add_overflow(s->v.i, v.i, &s->v.i))
				return rs_err_set(c->err, -ENODATA, "the result does not fit in 64 bits: %s",
						  "sum(...)");
			continue;
		}
		bool less = is_hex ? (uint64_t)v.i < (uint64_t)s->v.i : v.i < s->v.i;
		if (!s->matched || n->func == F_last || (n->func == F_min && less) ||
		    (n->func == F_max && !less && v.i != s->v.i)) {
			s->v = v;
			keep_only(s, i);
		}
		if (n->func == F_first)
			break;
	}
	if (rc < 0)
		return rc;
	return s->matched || n->func == F_sum ? 0 : no_event(c, n);
}

/* A set of values, for distinct: open addressing over indices into the list, 0 = free. */
struct set {
	unsigned *slot;
	size_t size;          /* power of two, more than twice EXPR_LIST_MAX */
};

static uint64_t hash(const struct val *v)
{
	uint64_t h = 0xcbf29ce484222325ull; /* FNV-1a */

	if (v->type != ENG_T_STR) {
		h ^= (uint64_t)v->i;
		h *= 0x9e3779b97f4a7c15ull;
		return h ^ h >> 29;
	}
	for (size_t i = 0; i < v->n; i++)
		h = (h ^ (unsigned char)v->s[i]) * 0x100000001b3ull;
	return h ^ h >> 29;
}

/* Where the value stands in the set, or the free place for it. */
static unsigned *set_find(const struct set *set, const struct val *list, const struct val *v)
{
	for (size_t h = hash(v);; h++) {
		unsigned *at = &set->slot[h & (set->size - 1)];

		if (!*at || expr_val_equal(&list[*at - 1], v))
			return at;
	}
}

static int too_long(struct eval *c, const char *name)
{
	return rs_err_set(c->err, -E2BIG, "%s(...) has more than %d items; select fewer events", name,
			  EXPR_LIST_MAX);
}

static int eval_values(struct eval *c, const struct node *n, struct slot *s)
{
	struct type item = { n->type.item, ENG_T_NONE, n->type.unit };
	struct set set = { NULL, 1u << 18 };
	unsigned cap = 0;
	size_t i = 0;
	struct val *list = NULL;
	int rc;

	if (n->func == F_distinct)
		set.slot = rs_xcalloc(set.size, sizeof(*set.slot));
	for (; (rc = next_event(c, n->sel, s, &i)) > 0; i++) {
		struct val v;

		expr_field_get(&c->e->event[i], n->field, item, &v);
		if (set.slot) {
			unsigned *at = set_find(&set, list, &v);

			if (*at) {
				s->matched++;
				continue;
			}
			*at = s->v.items + 1;
		}
		if (s->v.items == EXPR_LIST_MAX) {
			rc = too_long(c, func_infos[n->func].name);
			break;
		}
		if (s->v.items == cap) {
			cap = cap ? cap * 2 : 16;
			list = rs_xrealloc(list, cap, sizeof(*list));
		}
		list[s->v.items++] = v;
		keep(s, i);
	}
	if (rc >= 0 && s->v.items) {
		s->v.item = expr_alloc(c, s->v.items * sizeof(*list));
		memcpy(s->v.item, list, s->v.items * sizeof(*list));
	}
	free(list);
	free(set.slot);
	return rc < 0 ? rc : 0;
}

/* Which of the selections does the event meet? A bit each. Negative: error. */
static int64_t meets_which(struct eval *c, const struct node *n, const struct rs_event *ev)
{
	int64_t mask = 0;

	for (unsigned k = 0; k < n->sels; k++) {
		int rc = meets(c, &n->sel[k], ev);

		if (rc < 0)
			return rc;
		mask |= (int64_t)rc << k;
	}
	return mask;
}

/* Directly one after the other: an automaton with one bit a selection ("the last k + 1 events met
 * the first k + 1 selections"), so that one pass is enough. */
static int eval_sequence(struct eval *c, const struct node *n, struct slot *s)
{
	bool named[RS_KIND_COUNT] = { false };
	size_t recent[EXPR_SELECTS_MAX];
	uint64_t state = 0, seen = 0;
	unsigned best = 0;

	for (unsigned k = 0; k < n->sels; k++)
		named[n->sel[k].kind] = true;
	for (size_t i = 0; i < c->e->events; i++) {
		if (c->e->event[i].kind >= RS_KIND_COUNT || !named[c->e->event[i].kind])
			continue;
		int64_t mask = meets_which(c, n, &c->e->event[i]);
		if (mask < 0)
			return (int)mask;
		s->of_kind++;
		recent[seen++ % EXPR_SELECTS_MAX] = i;
		state = (state << 1 | 1) & (uint64_t)mask;
		unsigned reached = state ? 64 - (unsigned)__builtin_clzll(state) : 0;
		if (reached <= best)
			continue;
		best = reached;
		for (unsigned k = 0; k < best; k++)
			s->ev[k] = recent[(seen - best + k) % EXPR_SELECTS_MAX];
		if (best == n->sels)
			break;
	}
	s->evs = best;
	s->missing = best == n->sels ? 0 : best + 1;
	s->v.i = best == n->sels;
	return 0;
}

/* In this order with gaps: taking the earliest event for each selection finds a chain if there is
 * one. */
static int eval_order(struct eval *c, const struct node *n, struct slot *s)
{
	size_t i = 0;

	for (; s->evs < n->sels; i++) {
		int rc = next_event(c, &n->sel[s->evs], s, &i);

		if (rc < 0)
			return rc;
		if (!rc)
			break;
		s->ev[s->evs++] = i;
	}
	s->missing = s->evs == n->sels ? 0 : s->evs + 1;
	s->v.i = !s->missing;
	return 0;
}

static const struct rs_event *end_event(const struct eval *c)
{
	for (size_t i = c->e->events; i-- > 0;)
		if (c->e->event[i].kind == RS_EV_VM_END || c->e->event[i].kind == RS_EV_EMU_END || c->e->event[i].kind == RS_EV_BOX_END)
			return &c->e->event[i];
	return NULL;
}

static int eval_code(struct eval *c, struct slot *s)
{
	const struct rs_event *end = end_event(c);

	if (end && end->kind == RS_EV_EMU_END && end->arg[0] != RS_OUT_EXITED)
		return rs_err_set(c->err, -ENODATA, "the guest's program did not end by itself");
	if (end && end->kind == RS_EV_BOX_END && end->arg[0] != RS_OUT_EXITED)
		return rs_err_set(c->err, -ENODATA, "the container's first process did not end by itself");
	if (!end || (end->kind == RS_EV_VM_END && end->arg[0] != RS_OUT_DEBUG_EXIT))
		return rs_err_set(c->err, -ENODATA, "the guest did not write to the debug-exit port");
	s->v.i = (int64_t)end->arg[1];
	return 0;
}

static int eval_sym(struct eval *c, const struct node *n, struct slot *s)
{
	for (size_t i = 0; i < c->e->events; i++) {
		const struct rs_event *ev = &c->e->event[i];

		if (ev->kind != RS_EV_EMU_SYMBOL || strcmp(ev->text, n->s))
			continue;
		s->v.i = (int64_t)ev->arg[0];
		keep(s, i);
		return 0;
	}
	return rs_err_set(c->err, -ENODATA, "the guest's program has no symbol \"%s\"", n->s);
}

static int eval_counter(struct eval *c, const struct node *n, struct slot *s)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n->len; i++)
		sum += c->e->counters.v[n->first + i];
	if (sum > INT64_MAX)
		return rs_err_set(c->err, -ENODATA, "the result does not fit in 64 bits: %s", "counter(...)");
	s->v.i = (int64_t)sum;
	return 0;
}

static int eval_file(struct eval *c, const struct node *n, struct slot *s)
{
	rs_auto_str text = RS_STR_INIT;

	if (!c->e->file || c->e->file(c->e->file_arg, n->s, &text))
		return rs_err_set(c->err, -ENODATA, "the file \"%s\" cannot be read in the workspace", n->s);
	char *p = expr_alloc(c, text.len + 1);
	memcpy(p, text.p, text.len);
	s->v.s = p;
	s->v.n = text.len;
	return 0;
}

static void trim(struct val *v)
{
	while (v->n && isspace((unsigned char)v->s[v->n - 1]))
		v->n--;
	while (v->n && isspace((unsigned char)*v->s)) {
		v->s++;
		v->n--;
	}
}

static int eval_number(struct eval *c, struct val t, struct val *out)
{
	char buf[32], *end;
	bool minus;

	trim(&t);
	minus = t.n && *t.s == '-';
	const char *digits = t.s + minus;
	size_t n = t.n - minus;
	bool hex = n > 2 && digits[0] == '0' && (digits[1] | 0x20) == 'x';
	if (n && n < sizeof(buf) && isxdigit((unsigned char)digits[hex ? 2 : 0])) {
		memcpy(buf, digits, n);
		buf[n] = 0;
		errno = 0;
		unsigned long long v = strtoull(buf, &end, hex ? 16 : 10);
		if (!*end && end != buf && !errno && (hex ? !minus : v <= INT64_MAX)) {
			*out = (struct val){ .type = ENG_T_INT,
					     .i = minus ? -(int64_t)v : (int64_t)v };
			return 0;
		}
	}
	rs_auto_str shown = RS_STR_INIT;
	expr_text_format(t.s, t.n, &shown);
	return rs_err_set(c->err, -ENODATA, "%s is not a number", shown.p);
}

static int eval_lines(struct eval *c, const struct val *t, struct val *out)
{
	unsigned n = 0;

	for (size_t i = 0; i < t->n; i++)
		n += t->s[i] == '\n';
	n += t->n && t->s[t->n - 1] != '\n';
	if (n > EXPR_LIST_MAX)
		return too_long(c, "lines");
	*out = (struct val){ .type = ENG_T_LIST, .items = n };
	out->item = expr_alloc(c, n * sizeof(*out->item));
	const char *p = t->s;
	for (unsigned i = 0; i < n; i++) {
		size_t left = t->n - (size_t)(p - t->s);
		const char *nl = memchr(p, '\n', left);
		size_t len = nl ? (size_t)(nl - p) : left;

		/* a serial line may end in CR LF */
		size_t cut = len && p[len - 1] == '\r' ? len - 1 : len;
		out->item[i] = (struct val){ .type = ENG_T_STR, .s = p, .n = cut };
		p += len + 1;
	}
	return 0;
}

/* The functions whose arguments are values; these may look at the event at hand. */
static int eval_on_values(struct eval *c, const struct node *n, const struct rs_event *ev,
			  struct val *out)
{
	struct val a = { .type = ENG_T_NONE }, b = { .type = ENG_T_NONE };
	int rc = expr_eval(c, n->arg[0], ev, &a);

	if (!rc && n->args > 1)
		rc = expr_eval(c, n->arg[1], ev, &b);
	if (rc)
		return rc;
	*out = (struct val){ .type = n->type.t };
	switch (n->func) {
	case F_contains:
		out->i = !b.n || (a.n && memmem(a.s, a.n, b.s, b.n));
		return 0;
	case F_matches: {
		regmatch_t m = { .rm_so = 0, .rm_eo = (regoff_t)a.n };

		out->i = !regexec(n->regex, a.n ? a.s : "", 1, &m, REG_STARTEND);
		return 0;
	}
	case F_length:
		out->i = a.type == ENG_T_LIST ? (int64_t)a.items : (int64_t)a.n;
		return 0;
	case F_lines:
		return eval_lines(c, &a, out);
	case F_trim:
		trim(&a);
		*out = a;
		return 0;
	default:
		return eval_number(c, a, out);
	}
}

static int compute(struct eval *c, const struct node *n, struct slot *s)
{
	const struct rs_event *end;

	s->v = (struct val){ .type = n->type.t };
	switch (n->func) {
	case F_count:
	case F_exists:
		return eval_count(c, n, s);
	case F_first:
	case F_last:
	case F_min:
	case F_max:
	case F_sum:
		return eval_pick(c, n, s);
	case F_values:
	case F_distinct:
		return eval_values(c, n, s);
	case F_sequence:
		return eval_sequence(c, n, s);
	case F_order:
		return eval_order(c, n, s);
	case F_counter:
		return eval_counter(c, n, s);
	case F_output:
		s->v.s = c->e->out[n->first].p;
		s->v.n = c->e->out[n->first].len;
		return 0;
	case F_file:
		return eval_file(c, n, s);
	case F_ended:
		end = end_event(c);
		s->v.i = end ? (int64_t)end->arg[0] : -1;
		return 0;
	case F_code:
		return eval_code(c, s);
	case F_sym:
		return eval_sym(c, n, s);
	default:
		return eval_on_values(c, n, NULL, &s->v);
	}
}

int expr_eval_call(struct eval *c, const struct node *n, const struct rs_event *ev, struct val *out)
{
	if (n->per_event)
		return eval_on_values(c, n, ev, out);
	struct slot *s = &c->slot[n->slot];
	if (!s->done) {
		int rc = compute(c, n, s);

		if (rc) {
			/* it stays in the notes as far as it got */
			s->v.type = ENG_T_NONE;
			return rc;
		}
		s->done = true;
	}
	*out = s->v;
	return 0;
}
