/* Operand types, checked where the expression is read: a check never fails at run time because of
 * a misspelt name or a number compared with text.
 */
#include <errno.h>

#include "engine/expr.h"

const char *expr_shown(const struct parser *p, const struct node *n, char buf[48])
{
	size_t len = n->to - n->from;

	if (len > 47) {
		len = 44;
		while (len && (p->text[n->from + len] & 0xc0) == 0x80)
			len--;
		memcpy(buf, p->text + n->from, len);
		strcpy(buf + len, "...");
	} else {
		memcpy(buf, p->text + n->from, len);
		buf[len] = 0;
	}
	for (char *c = buf; *c; c++)
		if (*c == '\n' || *c == '\t')
			*c = ' ';
	return buf;
}

bool expr_must_be(struct parser *p, const struct node *n, enum eng_type t)
{
	const char *s = expr_shown(p, n, p->shown);

	if (n->type.t == t)
		return true;
	if (t == ENG_T_BOOL)
		EXPR_FAIL(p, n->from, "%s is neither true nor false; a condition is needed here", s);
	else if (t == ENG_T_INT)
		EXPR_FAIL(p, n->from, "%s is not a number; a number is needed here", s);
	else if (t == ENG_T_STR)
		EXPR_FAIL(p, n->from, "%s is not text; text is needed here", s);
	else
		EXPR_FAIL(p, n->from, "%s is not a list; a list is needed here", s);
	return false;
}

struct node *expr_to_text(struct parser *p, struct node *n)
{
	if (n->type.t == ENG_T_INT && expr_named(n->type.unit)) {
		struct node *w = expr_node(X_NAMED, n->from, n->to);

		w->arg = rs_xmalloc(sizeof(*w->arg));
		w->arg[w->args++] = n;
		w->per_event = n->per_event;
		w->ended = n->ended;
		w->type.t = ENG_T_STR;
		return w;
	}
	if (expr_must_be(p, n, ENG_T_STR))
		return n;
	expr_node_free(n);
	return NULL;
}

/* No name is near: show them, as many as fit. */
static void never(struct parser *p, const struct node *c, const char *of, const char *const *all)
{
	rs_auto_str list = RS_STR_INIT;

	for (unsigned i = 0; all[i]; i++) {
		if (list.len + strlen(all[i]) > 200) {
			rs_str_add(&list, ", ...");
			break;
		}
		rs_str_addf(&list, "%s%s", i ? ", " : "", all[i]);
	}
	EXPR_FAIL(p, c->from, "%s is never \"%s\"; it is one of: %s", of, c->s, list.p);
}

/* Turns the text constant c into the value that it names in the unit of `other`. */
static bool name_to_value(struct parser *p, struct node *c, const struct node *other)
{
	enum rs_unit u = other->type.unit;
	uint64_t v;

	if (c->op != X_CONST || c->type.t != ENG_T_STR)
		return true;
	if (other->ended && !strcmp(c->s, "none")) {
		v = UINT64_MAX;
	} else if (strlen(c->s) != c->n || rs_unit_value(u, c->s, &v)) {
		const char *const *all = rs_unit_value_names(u);
		const char *near = all ? rs_did_you_mean(c->s, all) : NULL;
		const char *o = expr_shown(p, other, p->shown);

		if (!all)
			EXPR_FAIL(p, c->from, "%s is a number; compare it with a number, not with text", o);
		else if (near)
			EXPR_FAIL(p, c->from, "%s is never \"%s\"; did you mean \"%s\"?", o, c->s, near);
		else
			never(p, c, o, all);
		return false;
	}
	free(c->s);
	c->s = NULL;
	c->i = (int64_t)v;
	c->type.t = ENG_T_INT;
	c->type.unit = u;
	if (u == RS_UNIT_bool)
		c->type.t = ENG_T_BOOL;
	return true;
}

/* 0 and 1 beside a yes-or-no field are false and true. */
static void number_to_bool(struct node *c, const struct node *other)
{
	if (c->op == X_CONST && c->type.t == ENG_T_INT && other->type.t == ENG_T_BOOL &&
	    other->type.unit == RS_UNIT_bool && (c->i == 0 || c->i == 1))
		c->type.t = ENG_T_BOOL;
}

static bool has_unit(const struct node *n)
{
	return n->type.t == ENG_T_INT || (n->type.t == ENG_T_BOOL && n->type.unit == RS_UNIT_bool);
}

static void mismatch(struct parser *p, const struct node *a, const struct node *b, size_t at)
{
	const char *s = expr_shown(p, a, p->shown), *t = expr_shown(p, b, p->shown2);

	if (a->type.t == ENG_T_STR && b->type.t == ENG_T_INT)
		EXPR_FAIL(p, b->from, "%s is text; compare it with text in double quotes, or use number(...)",
			  s);
	else
		EXPR_FAIL(p, at, "%s and %s cannot be compared: they are not of one type", s, t);
}

/* Makes the two sides comparable: a text constant beside a named number becomes a number, a named
 * number beside any other text becomes text. */
static bool same_type(struct parser *p, struct node **a, struct node **b, size_t at)
{
	if (has_unit(*a) && !name_to_value(p, *b, *a))
		return false;
	if (has_unit(*b) && !name_to_value(p, *a, *b))
		return false;
	number_to_bool(*a, *b);
	number_to_bool(*b, *a);
	if ((*a)->type.t == ENG_T_STR && (*b)->type.t == ENG_T_INT && expr_named((*b)->type.unit))
		return (*b = expr_to_text(p, *b)) != NULL;
	if ((*b)->type.t == ENG_T_STR && (*a)->type.t == ENG_T_INT && expr_named((*a)->type.unit))
		return (*a = expr_to_text(p, *a)) != NULL;
	if ((*a)->type.t != (*b)->type.t ||
	    ((*a)->type.t == ENG_T_INT && (*a)->type.unit != (*b)->type.unit &&
	     expr_named((*a)->type.unit) && expr_named((*b)->type.unit))) {
		mismatch(p, *a, *b, at);
		return false;
	}
	return true;
}

/* A view of a list's items as one operand, for name_to_value. */
static struct node item_of(const struct node *list)
{
	struct node n = *list;

	n.type.t = list->type.item;
	return n;
}

/* Names in a constant list beside numbers with a unit. */
static bool list_names(struct parser *p, struct node *list, const struct node *other)
{
	if (list->op != X_CONST || !has_unit(other) || !expr_named(other->type.unit))
		return true;
	for (unsigned i = 0; i < list->args; i++) {
		if (!name_to_value(p, list->arg[i], other))
			return false;
		number_to_bool(list->arg[i], other);
	}
	if (list->args) {
		list->type.item = list->arg[0]->type.t;
		list->type.unit = other->type.unit;
	}
	for (unsigned i = 1; i < list->args; i++)
		if (list->arg[i]->type.t != list->type.item)
			list->type.item = ENG_T_NONE;
	return true;
}

static bool list_pair(struct parser *p, struct node *a, struct node *b, size_t at)
{
	struct node ia = item_of(a), ib = item_of(b);

	if (a->op != X_CONST && !list_names(p, b, &ia))
		return false;
	if (b->op != X_CONST && !list_names(p, a, &ib))
		return false;
	if (a->type.item != b->type.item && a->type.item != ENG_T_NONE && b->type.item != ENG_T_NONE) {
		mismatch(p, a, b, at);
		return false;
	}
	return true;
}

static bool membership(struct parser *p, struct node **a, struct node *list, size_t at)
{
	if (!expr_must_be(p, list, ENG_T_LIST))
		return false;
	if ((*a)->type.t == ENG_T_LIST) {
		EXPR_FAIL(p, (*a)->from, "a list is not an item of a list");
		return false;
	}
	struct node item = item_of(list);
	if (!list_names(p, list, *a))
		return false;
	if (list->op != X_CONST && has_unit(&item) && !name_to_value(p, *a, &item))
		return false;
	item = item_of(list);
	if (item.type.t != ENG_T_NONE && item.type.t != (*a)->type.t) {
		if (item.type.t == ENG_T_STR && (*a)->type.t == ENG_T_INT && expr_named((*a)->type.unit))
			return (*a = expr_to_text(p, *a)) != NULL;
		mismatch(p, *a, list, at);
		return false;
	}
	return true;
}

static bool number_operand(struct parser *p, const struct node *n)
{
	if (!expr_must_be(p, n, ENG_T_INT))
		return false;
	if (!expr_named(n->type.unit))
		return true;
	EXPR_FAIL(p, n->from, "%s is a name, not a number to count with", expr_shown(p, n, p->shown));
	return false;
}

static bool ordering(struct parser *p, const struct node *a, const struct node *b)
{
	for (int i = 0; i < 2; i++, a = b)
		if (a->type.t == ENG_T_STR) {
			EXPR_FAIL(p, a->from, "%s is text; texts are compared with == and != only",
				  expr_shown(p, a, p->shown));
			return false;
		} else if (!expr_must_be(p, a, ENG_T_INT)) {
			return false;
		}
	return true;
}

static bool check(struct parser *p, struct node *n, size_t at)
{
	struct type boolean = { ENG_T_BOOL, ENG_T_NONE, RS_UNIT_NONE };
	struct type number = { ENG_T_INT, ENG_T_NONE, RS_UNIT_NONE };

	switch (n->op) {
	case X_OR:
	case X_AND:
	case X_NOT:
		n->type = boolean;
		for (unsigned i = 0; i < n->args; i++)
			if (!expr_must_be(p, n->arg[i], ENG_T_BOOL))
				return false;
		return true;
	case X_EQ:
	case X_NE:
		n->type = boolean;
		if (n->arg[0]->type.t == ENG_T_LIST && n->arg[1]->type.t == ENG_T_LIST)
			return list_pair(p, n->arg[0], n->arg[1], at);
		return same_type(p, &n->arg[0], &n->arg[1], at);
	case X_LT:
	case X_LE:
	case X_GT:
	case X_GE:
		n->type = boolean;
		return ordering(p, n->arg[0], n->arg[1]);
	case X_IN:
		n->type = boolean;
		return membership(p, &n->arg[0], n->arg[1], at);
	default:
		n->type = number;
		for (unsigned i = 0; i < n->args; i++)
			if (!number_operand(p, n->arg[i]))
				return false;
		return true;
	}
}

struct node *expr_type_op(struct parser *p, struct node *n, size_t op_at)
{
	if (check(p, n, op_at))
		return n;
	/* an operand that expr_to_text refused is gone already */
	expr_node_free(n);
	return NULL;
}
