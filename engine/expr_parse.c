/* Tokens -> tree. One level of precedence after the other, loosest first (assets/doc/lessons.md). */
#include <errno.h>

#include "engine/expr.h"

const struct func_info func_infos[F_FUNCS] = {
#define ENG_FUNC(name, args, shown, result, sentence) { #name, args, #result, sentence },
#include "engine/functions.def"
};

const struct eng_func_doc *eng_func_docs(void)
{
	static const struct eng_func_doc docs[] = {
#define ENG_FUNC(name, args, shown, result, sentence) { #name, shown, sentence },
#include "engine/functions.def"
		{ 0 }
	};

	return docs;
}

struct node *expr_node(enum op op, size_t from, size_t to)
{
	struct node *n = rs_xcalloc(1, sizeof(*n));

	n->op = op;
	n->from = from;
	n->to = to;
	n->type.item = ENG_T_NONE;
	return n;
}

void expr_node_free(struct node *n)
{
	if (!n)
		return;
	for (unsigned i = 0; i < n->args; i++)
		expr_node_free(n->arg[i]);
	for (unsigned i = 0; i < n->sels; i++)
		expr_node_free(n->sel[i].where);
	if (n->regex)
		regfree(n->regex);
	free(n->regex);
	free(n->sel);
	free(n->arg);
	free(n->s);
	free(n);
}

static void add_arg(struct node *n, struct node *arg)
{
	n->arg = rs_xrealloc(n->arg, n->args + 1, sizeof(*n->arg));
	n->arg[n->args++] = arg;
	n->per_event |= arg->per_event;
}

bool expr_expect(struct parser *p, enum tok t, const char *what)
{
	if (p->tok.t == t)
		return expr_next(p) == 0;
	if (p->tok.t == T_END)
		EXPR_FAIL(p, p->tok.from, "%s is missing at the end", what);
	else
		EXPR_FAIL(p, p->tok.from, "%s is missing before \"%s\"", what, expr_tok_text(p));
	return false;
}

static struct node *list(struct parser *p)
{
	struct node *n = expr_node(X_LIST, p->tok.from, 0);
	bool constant = true;

	if (expr_next(p))
		goto fail;
	while (p->tok.t != T_RBRK) {
		if (n->args && !expr_expect(p, T_COMMA, "\",\""))
			goto fail;
		struct node *item = expr_or(p);
		if (!item)
			goto fail;
		constant &= item->op == X_CONST;
		add_arg(n, item);
		if (item->type.t == ENG_T_LIST) {
			EXPR_FAIL(p, item->from, "a list cannot hold a list");
			goto fail;
		}
		if (item->per_event) {
			EXPR_FAIL(p, item->from, "a list inside a condition cannot hold fields of the event");
			goto fail;
		}
		if (n->args > LIST_CONST_MAX) {
			EXPR_FAIL(p, item->from, "a list has at most %d items", LIST_CONST_MAX);
			goto fail;
		}
	}
	n->to = p->tok.to;
	if (expr_next(p))
		goto fail;
	if (constant)
		n->op = X_CONST;
	n->slot = p->slots++;
	n->type.t = ENG_T_LIST;
	n->type.item = n->args ? n->arg[0]->type.t : ENG_T_NONE;
	for (unsigned i = 1; i < n->args; i++)
		if (n->arg[i]->type.t != n->type.item)
			n->type.item = ENG_T_NONE;
	return n;
fail:
	expr_node_free(n);
	return NULL;
}

static struct node *literal(struct parser *p, enum eng_type t)
{
	struct node *n = expr_node(X_CONST, p->tok.from, p->tok.to);

	n->type.t = t;
	n->i = t == ENG_T_BOOL ? p->tok.t == T_TRUE : p->tok.i;
	if (t == ENG_T_STR) {
		n->n = p->tok.s.len;
		n->s = rs_str_detach(&p->tok.s);
	}
	if (expr_next(p)) {
		expr_node_free(n);
		return NULL;
	}
	return n;
}

static const char *func_near(const char *name)
{
	const char *names[F_FUNCS + 1];

	for (unsigned i = 0; i < F_FUNCS; i++)
		names[i] = func_infos[i].name;
	names[F_FUNCS] = NULL;
	return rs_did_you_mean(name, names);
}

/* A name outside of a condition, or one that the event at hand does not have. */
static struct node *unknown_name(struct parser *p, const char *name, size_t at)
{
	const char *near;

	for (unsigned i = 0; i < F_FUNCS; i++)
		if (!strcmp(name, func_infos[i].name))
			return EXPR_FAIL(p, at, "%s is a function; write %s(...)", name, name);
	if (rs_kind_by_name(name) >= 0)
		return EXPR_FAIL(p, at, "%s is a kind of event; write count(%s) or exists(%s)", name, name,
				 name);
	if (p->kind < 0) {
		near = func_near(name);
		if (near)
			return EXPR_FAIL(p, at, "unknown name \"%s\"; did you mean %s(...)?", name, near);
		return EXPR_FAIL(p, at, "unknown name \"%s\"; text needs double quotes", name);
	}
	for (unsigned i = 0; i < 4; i++) {
		const struct rs_kind_info *k = rs_kind_info((unsigned)p->kind);
		uint64_t v;

		if (k->arg[i].name && expr_named(k->arg[i].unit) &&
		    !rs_unit_value(k->arg[i].unit, name, &v))
			return EXPR_FAIL(p, at, "%s is a value of %s; write it in double quotes", name,
					 k->arg[i].name);
	}
	near = expr_field_near(p->kind, name);
	if (near)
		return EXPR_FAIL(p, at, "%s has no field \"%s\"; did you mean \"%s\"?",
				 rs_kind_info((unsigned)p->kind)->name, name, near);
	return EXPR_FAIL(p, at, "%s has no field \"%s\"; text needs double quotes",
			 rs_kind_info((unsigned)p->kind)->name, name);
}

static struct node *name(struct parser *p)
{
	rs_auto_str id = RS_STR_INIT;
	size_t from = p->tok.from, to = p->tok.to;

	rs_str_add(&id, p->tok.s.p);
	if (expr_next(p))
		return NULL;
	if (p->tok.t == T_LPAR) {
		for (unsigned f = 0; f < F_FUNCS; f++) {
			if (strcmp(id.p, func_infos[f].name))
				continue;
			return expr_next(p) ? NULL : expr_call(p, (enum func)f, from);
		}
		const char *near = func_near(id.p);
		if (near)
			return EXPR_FAIL(p, from, "unknown function \"%s\"; did you mean \"%s\"?", id.p, near);
		return EXPR_FAIL(p, from, "unknown function \"%s\"", id.p);
	}
	int field = p->kind < 0 ? -ENOENT : expr_field_by_name(p->kind, id.p);
	if (field < 0)
		return unknown_name(p, id.p, from);
	struct node *n = expr_node(X_FIELD, from, to);
	n->field = (unsigned)field;
	n->type = expr_field_type(p->kind, n->field);
	n->per_event = true;
	return n;
}

static struct node *primary(struct parser *p)
{
	struct node *n;
	size_t from = p->tok.from, to;

	switch (p->tok.t) {
	case T_INT:
		return literal(p, ENG_T_INT);
	case T_STR:
		return literal(p, ENG_T_STR);
	case T_TRUE:
	case T_FALSE:
		return literal(p, ENG_T_BOOL);
	case T_LBRK:
		return list(p);
	case T_NAME:
		return name(p);
	case T_LPAR:
		if (expr_next(p))
			return NULL;
		n = expr_or(p);
		to = p->tok.to;
		if (n && !expr_expect(p, T_RPAR, "\")\"")) {
			expr_node_free(n);
			return NULL;
		}
		if (n) { /* as written, with its parentheses */
			n->from = from;
			n->to = to;
		}
		return n;
	case T_NOT:
		return EXPR_FAIL(p, p->tok.from, "put \"not\" and what follows it in parentheses");
	case T_END:
		if (strspn(p->text, " \t\r\n") == p->len)
			return EXPR_FAIL(p, 0, "the expression is empty");
		return EXPR_FAIL(p, p->tok.from, "the expression breaks off: a value is missing at the end");
	default:
		return EXPR_FAIL(p, p->tok.from, "a value is missing before \"%s\"", expr_tok_text(p));
	}
}

static struct node *unary(struct parser *p)
{
	struct node *n = NULL;
	size_t from = p->tok.from;
	enum op op = p->tok.t == T_SUB ? X_NEG : X_BNOT;

	if (p->tok.t != T_SUB && p->tok.t != T_BNOT)
		return primary(p);
	if (++p->depth > EXPR_DEPTH_MAX) {
		EXPR_FAIL(p, from, "the expression is nested too deeply");
	} else if (!expr_next(p)) {
		struct node *a = unary(p);

		if (a) {
			n = expr_node(op, from, a->to);
			add_arg(n, a);
			n = expr_type_op(p, n, from);
		}
	}
	p->depth--;
	return n;
}

struct binary {
	enum tok t;
	enum op op;
	unsigned level;
};
enum { LEVEL_COMPARE = 0, LEVEL_UNARY = 6 };
static const struct binary binaries[] = {
	{ T_EQ, X_EQ, LEVEL_COMPARE }, { T_NE, X_NE, LEVEL_COMPARE }, { T_LT, X_LT, LEVEL_COMPARE },
	{ T_LE, X_LE, LEVEL_COMPARE }, { T_GT, X_GT, LEVEL_COMPARE }, { T_GE, X_GE, LEVEL_COMPARE },
	{ T_IN, X_IN, LEVEL_COMPARE },
	{ T_BOR, X_BOR, 1 }, { T_XOR, X_XOR, 1 },
	{ T_BAND, X_BAND, 2 },
	{ T_SHL, X_SHL, 3 }, { T_SHR, X_SHR, 3 },
	{ T_ADD, X_ADD, 4 }, { T_SUB, X_SUB, 4 },
	{ T_MUL, X_MUL, 5 }, { T_DIV, X_DIV, 5 }, { T_MOD, X_MOD, 5 },
};

static const struct binary *binary_at(enum tok t, unsigned level)
{
	for (unsigned i = 0; i < sizeof(binaries) / sizeof(*binaries); i++)
		if (binaries[i].t == t && binaries[i].level == level)
			return &binaries[i];
	return NULL;
}

/* Joins a and a right side of `level` with op. NULL after an error; a is freed then. */
static struct node *join(struct parser *p, enum op op, struct node *a,
			 struct node *(*right)(struct parser *, unsigned), unsigned level)
{
	size_t at = p->tok.from;
	struct node *b = expr_next(p) ? NULL : right(p, level);

	if (!b) {
		expr_node_free(a);
		return NULL;
	}
	struct node *n = expr_node(op, a->from, b->to);
	add_arg(n, a);
	add_arg(n, b);
	return expr_type_op(p, n, at);
}

static struct node *arithmetic(struct parser *p, unsigned level)
{
	if (level == LEVEL_UNARY)
		return unary(p);
	struct node *a = arithmetic(p, level + 1);
	const struct binary *b;

	while (a && (b = binary_at(p->tok.t, level)))
		a = join(p, b->op, a, arithmetic, level + 1);
	return a;
}

static struct node *comparison(struct parser *p)
{
	struct node *a = arithmetic(p, LEVEL_COMPARE + 1);
	const struct binary *b = a ? binary_at(p->tok.t, LEVEL_COMPARE) : NULL;

	if (b)
		a = join(p, b->op, a, arithmetic, LEVEL_COMPARE + 1);
	if (a && binary_at(p->tok.t, LEVEL_COMPARE)) {
		expr_node_free(a);
		return EXPR_FAIL(p, p->tok.from,
				 "comparisons cannot be chained; join two of them with \"and\"");
	}
	return a;
}

static struct node *negation(struct parser *p, unsigned level)
{
	struct node *n = NULL;
	size_t from = p->tok.from;

	(void)level;
	if (p->tok.t != T_NOT)
		return comparison(p);
	if (++p->depth > EXPR_DEPTH_MAX) {
		EXPR_FAIL(p, from, "the expression is nested too deeply");
	} else if (!expr_next(p)) {
		struct node *a = negation(p, 0);

		if (a) {
			n = expr_node(X_NOT, from, a->to);
			add_arg(n, a);
			n = expr_type_op(p, n, from);
		}
	}
	p->depth--;
	return n;
}

static struct node *conjunction(struct parser *p, unsigned level)
{
	struct node *a = negation(p, 0);

	(void)level;
	while (a && p->tok.t == T_AND)
		a = join(p, X_AND, a, negation, 0);
	return a;
}

struct node *expr_or(struct parser *p)
{
	if (++p->depth > EXPR_DEPTH_MAX) {
		p->depth--;
		return EXPR_FAIL(p, p->tok.from, "the expression is nested too deeply");
	}
	struct node *a = conjunction(p, 0);
	while (a && p->tok.t == T_OR)
		a = join(p, X_OR, a, conjunction, 0);
	p->depth--;
	return a;
}

struct eng_expr *eng_expr_parse(const char *text, const char *file, int line, int col,
				struct rs_err *err)
{
	struct parser p = {
		.text = text, .len = strlen(text), .tok.s = RS_STR_INIT, .file = file, .line = line,
		.col = col, .err = err, .kind = -1,
	};
	struct node *root = NULL;
	long bad = rs_utf8_check(text, p.len);

	if (p.len > EXPR_TEXT_MAX)
		EXPR_FAIL(&p, 0, "the expression is longer than %d bytes", EXPR_TEXT_MAX);
	else if (bad >= 0)
		EXPR_FAIL(&p, (size_t)bad, "this is not valid UTF-8");
	else if (!expr_next(&p))
		root = expr_or(&p);
	if (root && p.tok.t != T_END) {
		EXPR_FAIL(&p, p.tok.from, "\"%s\" does not belong here", expr_tok_text(&p));
		expr_node_free(root);
		root = NULL;
	}
	rs_str_release(&p.tok.s);
	if (!root)
		return NULL;
	struct eng_expr *x = rs_xcalloc(1, sizeof(*x));
	x->text = rs_xstrdup(text);
	x->root = root;
	x->slots = p.slots;
	return x;
}

void eng_expr_free(struct eng_expr *x)
{
	if (!x)
		return;
	expr_node_free(x->root);
	free(x->text);
	free(x);
}

enum eng_type eng_expr_type(const struct eng_expr *x)
{
	const struct node *n = x->root;

	/* a named value leaves the expression as text */
	return n->type.t == ENG_T_INT && expr_named(n->type.unit) ? ENG_T_STR : n->type.t;
}

static void mark_kinds(const struct node *n, bool want[RS_KIND_COUNT])
{
	for (unsigned i = 0; i < n->args; i++)
		mark_kinds(n->arg[i], want);
	for (unsigned i = 0; i < n->sels; i++) {
		want[n->sel[i].kind] = true;
		if (n->sel[i].where)
			mark_kinds(n->sel[i].where, want);
	}
	if (n->op == X_CALL && (n->func == F_ended || n->func == F_code))
		want[RS_EV_VM_END] = want[RS_EV_EMU_END] = want[RS_EV_BOX_END] = true;
	if (n->op == X_CALL && n->func == F_sym)
		want[RS_EV_EMU_SYMBOL] = true;
	if (n->op == X_CALL && n->func == F_output)
		want[RS_EV_OUT_DATA] = true;
}

void eng_expr_kinds(const struct eng_expr *x, bool want[RS_KIND_COUNT])
{
	mark_kinds(x->root, want);
}
