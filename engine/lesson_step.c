/* One step of a lesson: run, prediction, task, checks, and what they mean for each other. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/cleanup.h"
#include "engine/expr.h"
#include "engine/kinds.h"
#include "engine/schema.h"

#define TIMEOUT_DEFAULT_NS 10000000000ull

/* Parses the expression of a node; its errors stand where the writer sees them. */
static struct eng_expr *expression(struct eng_loader *ld, const struct eng_node *n)
{
	struct rs_err e = RS_ERR_INIT;
	/* columns are not known before the text is unfolded: count in bytes on one line first */
	rs_auto_str flat = RS_STR_INIT;
	size_t at = 0;

	for (size_t i = 0; i < n->n; i++)
		rs_str_addc(&flat, n->s[i] == '\n' ? ' ' : n->s[i]);
	struct eng_expr *x = eng_expr_parse(flat.p, ld->file, 1, 1, &e);
	if (x)
		return x;
	for (int col = 1; col < e.col && at < n->n; col++) {
		at++;
		while (at < n->n && (n->s[at] & 0xc0) == 0x80)
			at++;
	}
	eng_node_place(n, ld->text, ld->size, at, &e.line, &e.col);
	if (ld->err)
		*ld->err = e;
	return NULL;
}

static bool looks_at_run(const struct node *n)
{
	if (n->op == X_CALL && (n->sels || !n->args))
		return true; /* every function without value arguments reads the evidence */
	for (unsigned i = 0; i < n->args; i++)
		if (looks_at_run(n->arg[i]))
			return true;
	return false;
}

static void texts(const struct eng_node *n, struct eng_text **out, unsigned *count)
{
	if (!n)
		return;
	*out = rs_xcalloc(n->items, sizeof(**out));
	for (unsigned i = 0; i < n->items; i++)
		eng_lesson_text(n->item[i], &(*out)[(*count)++]);
}

static int take_hints(struct eng_loader *ld, const struct eng_node *n, struct eng_check *c)
{
	texts(n, &c->hint, &c->hints);
	for (unsigned i = 1; i < c->hints; i++)
		for (int l = 0; l < RS_LANGS; l++)
			if (!strcmp(c->hint[i].s[l], c->hint[i - 1].s[l]))
				return LESSON_FAIL(ld, n->item[i], "this hint repeats the one before it");
	return 0;
}

static int take_check(struct eng_loader *ld, const struct eng_node *n, const struct eng_step *s,
		      struct eng_check *c)
{
	const struct eng_node *id = eng_node_get(n, "id", NULL), *why = eng_node_get(n, "why", NULL);
	const struct eng_node *expect = eng_node_get(n, "expect", NULL);
	const struct eng_lesson *l = ld->l;

	c->line = n->line;
	c->col = n->col;
	c->id = eng_node_str(id);
	c->points = (unsigned)eng_node_uint(eng_node_get(n, "points", NULL), 1);
	c->source = eng_node_str(expect);
	c->expr = expression(ld, expect);
	if (!c->expr)
		return -EINVAL;
	if (eng_expr_type(c->expr) != ENG_T_BOOL)
		return LESSON_FAIL(ld, expect, "the check \"%s\" is not a condition: compare the value with what "
					       "it must be", c->id);
	if (!looks_at_run(c->expr->root))
		return LESSON_FAIL(ld, expect, "the check \"%s\" does not look at the run, so it never changes "
					       "and its hints cannot be reached", c->id);
	if (why) {
		c->why = rs_xcalloc(1, sizeof(*c->why));
		eng_lesson_text(why, c->why);
	}
	int rc = take_hints(ld, eng_node_get(n, "hint", NULL), c);
	if (rc)
		return rc;
	for (unsigned i = 0; i < l->steps; i++)
		for (unsigned k = 0; k < l->step[i].checks; k++) {
			const struct eng_check *o = &l->step[i].check[k];

			if (o != c && o->id && !strcmp(o->id, c->id))
				return LESSON_FAIL(ld, id, "the check \"%s\" is defined twice; the first is in "
							   "line %d", c->id, o->line);
		}
	if (!s->run)
		return LESSON_FAIL(ld, n, "the check \"%s\" and its hints can never be reached: neither this "
					  "step nor one before it has a \"run\"", c->id);
	return 0;
}

static int take_predict(struct eng_loader *ld, const struct eng_node *n, struct eng_step *s)
{
	const struct eng_node *answer = eng_node_get(n, "answer", NULL);
	struct eng_predict *p = s->predict = rs_xcalloc(1, sizeof(*p));

	p->line = n->line;
	p->col = n->col;
	eng_lesson_text(eng_node_get(n, "ask", NULL), &p->ask);
	texts(eng_node_get(n, "choices", NULL), &p->choice, &p->choices);
	p->source = eng_node_str(answer);
	p->answer = expression(ld, answer);
	if (!p->answer)
		return -EINVAL;
	if (eng_expr_type(p->answer) != ENG_T_INT) {
		if (p->choices)
			return LESSON_FAIL(ld, answer, "the answer must be the index of the right choice, from 0");
		return LESSON_FAIL(ld, answer, "the answer to a prediction must be a number");
	}
	const struct node *root = p->answer->root;
	if (p->choices && root->op == X_CONST && (root->i < 0 || root->i >= p->choices))
		return LESSON_FAIL(ld, answer, "there is no choice %lld; the last one is %u",
				   (long long)root->i, p->choices - 1);
	if (!s->run)
		return LESSON_FAIL(ld, n, "a prediction needs a run that decides it: neither this step nor one "
					  "before it has a \"run\"");
	return 0;
}

/* Is the file that a run needs one that comes with the lesson? */
static int known_file(struct eng_loader *ld, const struct eng_node *n)
{
	if (!n || eng_strings_have(&ld->l->starter, n->s) || eng_strings_have(&ld->l->readonly, n->s))
		return 0;
	return LESSON_FAIL(ld, n, "\"%s\" is neither a starter nor a read-only file of the lesson", n->s);
}

static int take_run(struct eng_loader *ld, const struct eng_node *n, struct eng_step *s)
{
	struct eng_run *r = rs_xcalloc(1, sizeof(*r));

	s->run = r;
	s->own_run = true;
	r->kind = eng_kind_by_name(n->key[0]->s);
	r->line = n->key[0]->line;
	r->col = n->key[0]->col;
	int rc = r->kind->parse(n->item[0], ld->file, r, ld->err);
	if (rc)
		return rc;
	const struct eng_node *at = eng_node_get(n->item[0], r->source ? "source" : "image", NULL);
	const struct eng_node *with = eng_node_get(n->item[0], "with", NULL);
	rc = known_file(ld, at);
	for (unsigned i = 0; !rc && with && i < with->items; i++)
		rc = known_file(ld, with->item[i]);
	return rc;
}

static int take_task(struct eng_loader *ld, const struct eng_node *n, struct eng_step *s)
{
	const struct eng_node *edit = eng_node_get(n, "edit", NULL);
	const struct eng_lesson *l = ld->l;
	char *const *names;

	s->task = rs_xcalloc(1, sizeof(*s->task));
	s->task->line = n->line;
	s->task->col = n->col;
	s->task->edit = eng_node_str(edit);
	if (eng_strings_have(&l->starter, edit->s))
		return 0;
	rs_auto_free const char **list = rs_xcalloc(l->starter.n + 1, sizeof(*list));
	names = l->starter.v;
	for (unsigned i = 0; i < l->starter.n; i++)
		list[i] = names[i];
	const char *near = rs_did_you_mean(edit->s, list);
	if (near)
		return LESSON_FAIL(ld, edit, "\"%s\" is not a starter file; did you mean \"%s\"?", edit->s, near);
	return LESSON_FAIL(ld, edit, "\"%s\" is not a starter file, so the student cannot change it", edit->s);
}

/* After take_run. Views of the step before stay as far as they fit this step's experiment. */
static int take_views(struct eng_loader *ld, const struct eng_node *n, struct eng_step *s,
		      const struct eng_step *before)
{
	const char *const *names = eng_view_names();

	for (unsigned i = 0; !n && before && i < before->views; i++)
		if (eng_view_fits(before->view[i], s->run))
			s->view[s->views++] = before->view[i];
	for (unsigned i = 0; n && i < n->items && s->views < ENG_VIEW_COUNT; i++)
		for (unsigned v = 0; names[v]; v++) {
			if (strcmp(names[v], n->item[i]->s))
				continue;
			if (!eng_view_fits((enum eng_view)v, s->run))
				return LESSON_FAIL(ld, n->item[i], "the view \"%s\" shows nothing of a run of kind \"%s\"",
						   names[v], s->run->kind->name);
			s->view[s->views++] = (enum eng_view)v;
		}
	return 0;
}

int eng_lesson_step(struct eng_loader *ld, const struct eng_node *n, unsigned index)
{
	struct eng_step *s = &ld->l->step[index], *before = index ? s - 1 : NULL;
	const struct eng_node *id = eng_node_get(n, "id", NULL), *run = eng_node_get(n, "run", NULL);
	const struct eng_node *predict = eng_node_get(n, "predict", NULL);
	const struct eng_node *task = eng_node_get(n, "task", NULL);
	const struct eng_node *checks = eng_node_get(n, "checks", NULL);
	int rc = 0;

	s->line = n->line;
	s->col = n->col;
	s->id = eng_node_str(id);
	for (unsigned i = 0; i < index; i++)
		if (!strcmp(ld->l->step[i].id, s->id))
			return LESSON_FAIL(ld, id, "the step \"%s\" is defined twice; the first is in line %d",
					   s->id, ld->l->step[i].line);
	eng_lesson_text(eng_node_get(n, "text", NULL), &s->text);
	s->timeout_ns = eng_node_duration(eng_node_get(n, "timeout", NULL), TIMEOUT_DEFAULT_NS);
	s->run = before ? before->run : NULL;
	if (run)
		rc = take_run(ld, run, s);
	if (!rc)
		rc = take_views(ld, eng_node_get(n, "views", NULL), s, before);
	if (!rc && predict)
		rc = take_predict(ld, predict, s);
	if (!rc && task)
		rc = take_task(ld, task, s);
	if (checks)
		s->check = rs_xcalloc(checks->items, sizeof(*s->check));
	for (unsigned i = 0; !rc && checks && i < checks->items; i++) {
		s->checks++;
		rc = take_check(ld, checks->item[i], s, &s->check[i]);
	}
	return rc;
}
