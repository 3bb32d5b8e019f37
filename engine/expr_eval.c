/* Tree + evidence -> value: operators and fields. The functions are in expr_call_eval.c. */
#include <errno.h>

#include "engine/expr.h"

void *expr_alloc(struct eval *c, size_t n)
{
	struct arena *a = rs_xmalloc(sizeof(*a) + n);

	a->next = c->arena;
	c->arena = a;
	return a + 1;
}

static int bad(struct eval *c, const struct node *n, const char *fmt)
{
	rs_auto_str s = RS_STR_INIT;

	expr_source(c->x, n->from, n->to, &s);
	return rs_err_set(c->err, -ENODATA, fmt, s.p);
}

void expr_field_get(const struct rs_event *ev, unsigned field, struct type t, struct val *out)
{
	*out = (struct val){ .type = t.t };
	switch (field) {
	case FIELD_TEXT:
		out->s = ev->text;
		/* two kinds carry bytes, and an argument says how many (event.h) */
		if (ev->kind == RS_EV_OUT_DATA || ev->kind == RS_EV_STATE_BLOCK) {
			uint64_t len = ev->arg[ev->kind == RS_EV_OUT_DATA ? 2 : 3];

			out->n = len < RS_TEXT_SIZE ? (size_t)len : RS_TEXT_SIZE;
		} else {
			out->n = strnlen(ev->text, RS_TEXT_SIZE);
		}
		return;
	case FIELD_SOURCE:
		out->i = ev->source;
		return;
	case FIELD_ACTOR:
		out->i = ev->actor;
		return;
	case FIELD_TIME:
		out->i = (int64_t)ev->time;
		return;
	case FIELD_SEQ:
		out->i = (int64_t)ev->seq;
		return;
	default:
		out->i = (int64_t)ev->arg[field];
		if (t.t == ENG_T_BOOL)
			out->i = out->i != 0;
	}
}

bool expr_val_equal(const struct val *a, const struct val *b)
{
	if (a->type != b->type)
		return false;
	if (a->type == ENG_T_STR)
		return a->n == b->n && !memcmp(a->s, b->s, a->n);
	if (a->type != ENG_T_LIST)
		return a->i == b->i;
	if (a->items != b->items)
		return false;
	for (unsigned i = 0; i < a->items; i++)
		if (!expr_val_equal(&a->item[i], &b->item[i]))
			return false;
	return true;
}

static int arithmetic(struct eval *c, const struct node *n, int64_t a, int64_t b, int64_t *r)
{
	bool over = false;

	switch (n->op) {
	case X_ADD:
		over = __builtin_add_overflow(a, b, r);
		break;
	case X_SUB:
		over = __builtin_sub_overflow(a, b, r);
		break;
	case X_MUL:
		over = __builtin_mul_overflow(a, b, r);
		break;
	case X_DIV:
	case X_MOD:
		if (!b)
			return bad(c, n, "division by zero in %s");
		over = a == INT64_MIN && b == -1;
		if (!over)
			*r = n->op == X_DIV ? a / b : a % b;
		break;
	case X_BOR:
		*r = a | b;
		break;
	case X_XOR:
		*r = a ^ b;
		break;
	case X_BAND:
		*r = a & b;
		break;
	default: /* X_SHL, X_SHR */
		if (b < 0 || b > 63)
			return bad(c, n, "a shift by less than 0 or more than 63 bits in %s");
		*r = n->op == X_SHR ? a >> b : (int64_t)((uint64_t)a << b);
		over = n->op == X_SHL && *r >> b != a;
	}
	return over ? bad(c, n, "the result does not fit in 64 bits: %s") : 0;
}

/* Addresses and other hexadecimal values are compared as unsigned numbers, everything else as
 * signed ones. */
static int order(const struct node *n, int64_t a, int64_t b)
{
	if (n->arg[0]->type.unit == RS_UNIT_hex || n->arg[1]->type.unit == RS_UNIT_hex)
		return (uint64_t)a < (uint64_t)b ? -1 : (uint64_t)a > (uint64_t)b;
	return a < b ? -1 : a > b;
}

static int binary(struct eval *c, const struct node *n, const struct rs_event *ev, struct val *out)
{
	struct val a, b;
	int rc = expr_eval(c, n->arg[0], ev, &a);

	if (rc)
		return rc;
	if ((n->op == X_AND && !a.i) || (n->op == X_OR && a.i)) {
		*out = a;
		return 0;
	}
	rc = expr_eval(c, n->arg[1], ev, &b);
	if (rc)
		return rc;
	*out = (struct val){ .type = n->type.t };
	switch (n->op) {
	case X_AND:
	case X_OR:
		out->i = b.i;
		return 0;
	case X_EQ:
		out->i = expr_val_equal(&a, &b);
		return 0;
	case X_NE:
		out->i = !expr_val_equal(&a, &b);
		return 0;
	case X_LT:
		out->i = order(n, a.i, b.i) < 0;
		return 0;
	case X_LE:
		out->i = order(n, a.i, b.i) <= 0;
		return 0;
	case X_GT:
		out->i = order(n, a.i, b.i) > 0;
		return 0;
	case X_GE:
		out->i = order(n, a.i, b.i) >= 0;
		return 0;
	case X_IN:
		for (unsigned i = 0; i < b.items && !out->i; i++)
			out->i = expr_val_equal(&a, &b.item[i]);
		return 0;
	default:
		return arithmetic(c, n, a.i, b.i, &out->i);
	}
}

static int unary(struct eval *c, const struct node *n, const struct rs_event *ev, struct val *out)
{
	int rc = expr_eval(c, n->arg[0], ev, out);

	if (rc)
		return rc;
	switch (n->op) {
	case X_NOT:
		out->i = !out->i;
		return 0;
	case X_BNOT:
		out->i = ~out->i;
		return 0;
	case X_NEG:
		if (out->i == INT64_MIN)
			return bad(c, n, "the result does not fit in 64 bits: %s");
		out->i = -out->i;
		return 0;
	default: { /* X_NAMED */
		const char *s = n->ended && out->i < 0 ? "none" :
			rs_unit_value_name(n->arg[0]->type.unit, (uint64_t)out->i);

		*out = (struct val){ .type = ENG_T_STR, .s = s ? s : "?" };
		out->n = strlen(out->s);
		return 0;
	}
	}
}

/* A written list never looks at the event at hand, so it is made once. */
static int list(struct eval *c, const struct node *n, struct val *out)
{
	struct slot *s = &c->slot[n->slot];

	if (!s->done) {
		s->v = (struct val){ .type = ENG_T_LIST, .items = n->args };
		s->v.item = expr_alloc(c, n->args * sizeof(*s->v.item));
		for (unsigned i = 0; i < n->args; i++) {
			int rc = expr_eval(c, n->arg[i], NULL, &s->v.item[i]);

			if (rc)
				return rc;
		}
		s->done = true;
	}
	*out = s->v;
	return 0;
}

int expr_eval(struct eval *c, const struct node *n, const struct rs_event *ev, struct val *out)
{
	switch (n->op) {
	case X_CONST:
		if (n->type.t == ENG_T_LIST)
			return list(c, n, out);
		*out = (struct val){ .type = n->type.t, .i = n->i, .s = n->s, .n = n->n };
		return 0;
	case X_LIST:
		return list(c, n, out);
	case X_FIELD:
		expr_field_get(ev, n->field, n->type, out);
		return 0;
	case X_CALL:
		return expr_eval_call(c, n, ev, out);
	case X_NOT:
	case X_BNOT:
	case X_NEG:
	case X_NAMED:
		return unary(c, n, ev, out);
	default:
		return binary(c, n, ev, out);
	}
}

static void finish(const struct val *v, struct type t, bool ended, struct eng_value *out)
{
	const char *name;

	*out = (struct eng_value){ .type = v->type, .i = v->i, .s = RS_STR_INIT };
	if (v->type == ENG_T_INT && expr_named(t.unit)) {
		name = ended && v->i < 0 ? "none" : rs_unit_value_name(t.unit, (uint64_t)v->i);
		out->type = ENG_T_STR;
		if (name)
			rs_str_add(&out->s, name);
		else
			rs_str_addf(&out->s, "%lld", (long long)v->i);
	} else if (v->type == ENG_T_STR) {
		rs_str_addn(&out->s, v->s, v->n);
	} else if (v->type == ENG_T_LIST) {
		struct type item = { t.item, ENG_T_NONE, t.unit };

		out->items = v->items;
		out->item = rs_xcalloc(v->items ? v->items : 1, sizeof(*out->item));
		for (unsigned i = 0; i < v->items; i++)
			finish(&v->item[i], item, false, &out->item[i]);
	}
}

static void eval_open(struct eval *c, const struct eng_expr *x, const struct eng_evidence *e,
		      struct rs_err *err)
{
	*c = (struct eval){ .x = x, .e = e, .err = err };
	c->slot = rs_xcalloc(x->slots ? x->slots : 1, sizeof(*c->slot));
}

static void eval_close(struct eval *c)
{
	while (c->arena) {
		struct arena *next = c->arena->next;

		free(c->arena);
		c->arena = next;
	}
	free(c->slot);
}

int eng_expr_eval(const struct eng_expr *x, const struct eng_evidence *e, struct eng_value *out,
		  struct rs_str *note, struct rs_err *err)
{
	struct eval c;
	struct val v = { .type = ENG_T_NONE };

	*out = (struct eng_value){ .type = ENG_T_NONE, .s = RS_STR_INIT };
	eval_open(&c, x, e, err);
	int rc = expr_eval(&c, x->root, NULL, &v);
	if (!rc)
		finish(&v, x->root->type, x->root->ended, out);
	if (note)
		expr_notes(&c, note);
	eval_close(&c);
	return rc;
}

/* The part that makes a check fail: the first conjunct that is false. */
static const struct node *culprit(struct eval *c, const struct node *n)
{
	struct val v;

	while (n->op == X_AND) {
		if (expr_eval(c, n->arg[0], NULL, &v))
			return n->arg[0];
		n = v.i ? n->arg[1] : n->arg[0];
	}
	return n;
}

int eng_expr_found(const struct eng_expr *x, const struct eng_evidence *e, struct rs_str *found,
		   struct rs_str *wanted, struct rs_err *err)
{
	struct eval c;
	struct val v;

	eval_open(&c, x, e, err);
	const struct node *n = culprit(&c, x->root);
	if (wanted)
		expr_source(x, n->from, n->to, wanted);
	/* of a comparison, the side that is no constant */
	if (n->op >= X_EQ && n->op <= X_IN)
		n = n->arg[0]->op == X_CONST ? n->arg[1] : n->arg[0];
	int rc = expr_eval(&c, n, NULL, &v);
	if (!rc)
		expr_val_format(&v, n->type, n->ended, found);
	eval_close(&c);
	return rc;
}
