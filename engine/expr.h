/* The check language, inside: tokens, tree, evaluation state. Private to engine/expr_*.c. Read
 * in this order:
 *
 *   functions.def   what a check can call
 *   expr_lex.c      text -> tokens
 *   expr_parse.c    tokens -> tree, by precedence
 *   expr_call.c     the arguments of function calls: selections, fields, counters
 *   expr_type.c     operand types; texts that name a value become that value
 *   expr_eval.c     tree + evidence -> value
 *   expr_call_eval.c  the functions
 *   expr_note.c     why: sub-values, deciding events
 *   value.c         values as the rest of the program sees them
 *
 * What must stay true: evaluation is linear. A call that does not look at "the event at hand" is
 * evaluated once (slot), also inside a condition; whatever a condition evaluates per event costs a
 * bounded amount (event texts have RS_TEXT_SIZE bytes, list constants LIST_CONST_MAX items) and
 * allocates nothing.
 */
#ifndef ENGINE_EXPR_H
#define ENGINE_EXPR_H

#include <regex.h>
#include <stdlib.h>

#include "engine/eng.h"
#include "engine/lesson.h"

#define EXPR_TEXT_MAX 4096    /* bytes of one expression */
#define EXPR_DEPTH_MAX 64     /* nesting */
#define EXPR_LIST_MAX 65536   /* items of a list made from a run */
#define LIST_CONST_MAX 256    /* items of [a, b, ...] */
#define EXPR_SELECTS_MAX 32   /* of one sequence or order */
#define EXPR_NOTE_EVENTS 8

enum tok {
	T_END, T_INT, T_STR, T_NAME,
	/* keywords */
	T_OR, T_AND, T_NOT, T_IN, T_WHERE, T_TRUE, T_FALSE,
	/* operators and marks */
	T_EQ, T_NE, T_LT, T_LE, T_GT, T_GE, T_BOR, T_XOR, T_BAND, T_SHL, T_SHR, T_ADD, T_SUB, T_MUL,
	T_DIV, T_MOD, T_BNOT, T_LPAR, T_RPAR, T_LBRK, T_RBRK, T_COMMA,
};
struct token {
	enum tok t;
	size_t from, to;      /* bytes of the expression */
	int64_t i;            /* INT */
	struct rs_str s;      /* STR: the bytes meant; NAME: the dotted name */
};

enum op {
	X_CONST,              /* i, or s/n, or a list of constants in arg[] */
	X_FIELD,              /* of the event at hand: field */
	X_NAMED,              /* arg[0] is a number with a unit: its name as text */
	X_LIST,               /* arg[] */
	X_OR, X_AND, X_NOT,
	X_EQ, X_NE, X_LT, X_LE, X_GT, X_GE, X_IN,
	X_BOR, X_XOR, X_BAND, X_SHL, X_SHR, X_ADD, X_SUB, X_MUL, X_DIV, X_MOD, X_NEG, X_BNOT,
	X_CALL,
};

enum func {
#define ENG_FUNC(name, args, shown, result, sentence) F_##name,
#include "engine/functions.def"
	F_FUNCS
};
struct func_info {
	const char *name, *args, *result, *sentence;
};
extern const struct func_info func_infos[F_FUNCS];

/* Fields of an event: its arguments 0..3, then these. */
enum field { FIELD_TEXT = 4, FIELD_SOURCE, FIELD_ACTOR, FIELD_TIME, FIELD_SEQ };

/* A static type. unit: what a number means; for a list, what its items mean. A unit with names
 * (rs_unit_value_names) makes the value readable as text. */
struct type {
	enum eng_type t;
	enum eng_type item;   /* of a list; NONE: mixed or unknown */
	enum rs_unit unit;
};

struct select {
	int kind;
	struct node *where;   /* NULL: all */
	size_t from, to;
};

struct node {
	enum op op;
	struct type type;
	size_t from, to;      /* its bytes in the expression */
	struct node **arg;
	unsigned args;
	bool per_event;       /* looks at the event at hand */
	bool ended;           /* value of ended(): -1 is "none" */
	int64_t i;            /* CONST */
	char *s;              /* CONST text, file name (owned); n bytes */
	size_t n;
	unsigned field;       /* FIELD, and calls with a KIND.FIELD */
	unsigned slot;        /* of lists, and of calls that are not per_event: where their result is */
	/* X_CALL */
	enum func func;
	struct select *sel;
	unsigned sels;
	unsigned first, len;  /* counter slots; stream in first */
	regex_t *regex;
};

struct eng_expr {
	char *text;
	struct node *root;
	unsigned slots;
};

/* ---- parsing ---- */
struct parser {
	const char *text;
	size_t len, pos;
	struct token tok;     /* the one at hand */
	const char *file;
	int line, col;
	struct rs_err *err;
	unsigned depth, slots;
	int kind;             /* of the condition being parsed; -1 outside of conditions */
	char shown[48], shown2[48]; /* expr_tok_text, expr_shown */
};
/* Reports at byte `at` of the expression. The value is NULL, to be returned. */
#define EXPR_FAIL(p, at, ...)                                                                      \
	({                                                                                         \
		int fl_, fc_;                                                                      \
		expr_place((p), (at), &fl_, &fc_);                                                 \
		rs_err_at((p)->err, -EINVAL, (p)->file, fl_, fc_, __VA_ARGS__);                    \
		NULL;                                                                              \
	})
void expr_place(const struct parser *p, size_t at, int *line, int *col);
int expr_next(struct parser *p);              /* the next token into p->tok */
const char *expr_tok_text(struct parser *p);  /* the token as written, cut; valid until the next call */

struct node *expr_or(struct parser *p);       /* a whole (sub-)expression */
struct node *expr_call(struct parser *p, enum func f, size_t from); /* tok is behind the "(" */
struct node *expr_node(enum op op, size_t from, size_t to);
void expr_node_free(struct node *n);
bool expr_expect(struct parser *p, enum tok t, const char *what); /* takes it, or fails */

/* The type of a field of a kind. */
struct type expr_field_type(int kind, unsigned field);
int expr_field_by_name(int kind, const char *name); /* enum field or 0..3, or -ENOENT */
const char *expr_field_near(int kind, const char *name);

/* Gives an operator node (args set) its type. NULL after an error; n is freed then. */
struct node *expr_type_op(struct parser *p, struct node *n, size_t op_at);
/* Makes n a text: named numbers by name. NULL after an error; n is freed then. */
struct node *expr_to_text(struct parser *p, struct node *n);
/* A node as written, cut to the buffer (p->shown, p->shown2). */
const char *expr_shown(const struct parser *p, const struct node *n, char buf[48]);
/* Must n be of type t? Reports and returns false if not. */
bool expr_must_be(struct parser *p, const struct node *n, enum eng_type t);
static inline bool expr_named(enum rs_unit u)
{
	return rs_unit_value_names(u) != NULL;
}

/* ---- evaluation ---- */
struct val {
	enum eng_type type;
	int64_t i;
	const char *s;
	size_t n;
	struct val *item;
	unsigned items;
};
struct slot {                 /* the result of a call, and what decided it */
	bool done;
	struct val v;
	size_t matched;       /* events selected */
	size_t of_kind;       /* events of the kind(s), selected or not */
	size_t ev[EXPR_SELECTS_MAX]; /* indices: the first EXPR_NOTE_EVENTS selected, or the chain */
	unsigned evs;
	unsigned missing;     /* sequence, order: 1 + the selection that no event met; 0: none */
};
struct arena {
	struct arena *next;
};
struct eval {
	const struct eng_expr *x;
	const struct eng_evidence *e;
	struct slot *slot;
	struct arena *arena;
	struct rs_err *err;
};
int expr_eval(struct eval *c, const struct node *n, const struct rs_event *ev, struct val *out);
int expr_eval_call(struct eval *c, const struct node *n, const struct rs_event *ev, struct val *out);
void expr_field_get(const struct rs_event *ev, unsigned field, struct type t, struct val *out);
bool expr_val_equal(const struct val *a, const struct val *b);
void *expr_alloc(struct eval *c, size_t n);
void expr_val_format(const struct val *v, struct type t, bool ended, struct rs_str *out);
/* The bytes of a node as written, white space runs made one blank. */
void expr_source(const struct eng_expr *x, size_t from, size_t to, struct rs_str *out);
void expr_notes(struct eval *c, struct rs_str *note);
void expr_text_format(const char *s, size_t n, struct rs_str *out); /* quoted, escaped, cut */

#endif
