/* Random programs that look like compiled ones: ifs with and without else, counted loops, switches through a
 * computed jump, functions that call each other. Included by a guest's generator (a64_program.h,
 * rv_program.h), which has defined `struct program` with a member `struct flow flow`, below(), and:
 *
 *	unsigned here(p)                      where the next instruction will stand
 *	void one(p)                           what stands between: instructions that fall through
 *	unsigned branch(p)                    a conditional branch of any kind (or always taken), forward, for aim_branch
 *	unsigned jump(p)                      a jump, for aim_branch
 *	void aim_branch(p, at, target)        that one leads to `target`
 *	void loop_begin(p, level, n)          counter `level` for n turns; loop_end: the next turn
 *	void loop_end(p, level, n, top)
 *	unsigned select_begin(p)              jumps to one of the SELECT jumps that the caller puts next
 *	void call(p, target)
 *	void function_begin(p), function_end(p)
 */
#ifndef TESTS_FLOW_H
#define TESTS_FLOW_H

#define FLOW_FUNCTIONS 4u
#define FLOW_LEVELS 2u          /* of loops; the counters of each are registers that nothing else writes */
#define FLOW_SELECT 4u
#define FLOW_CALL_MOST 3000u    /* most statements that one call may stand for, with all its turns */

struct flow {
	unsigned function[FLOW_FUNCTIONS], cost[FLOW_FUNCTIONS], functions;
	unsigned level;         /* of loops */
	unsigned weight, ran;   /* how often what is made now will run; statements that will, about */
};

#endif

#ifdef FLOW_GENERATE
static void statement(struct program *p, unsigned depth);

static void statements(struct program *p, unsigned depth, unsigned n)
{
	while (n--)
		statement(p, depth);
}

static void flow_if(struct program *p, unsigned depth)
{
	unsigned at = branch(p), over;

	statements(p, depth, 1 + below(p, 3));
	if (below(p, 2)) {
		over = jump(p);
		aim_branch(p, at, here(p));
		at = over;
		statements(p, depth, 1 + below(p, 3));
	}
	aim_branch(p, at, here(p));
}

static void flow_loop(struct program *p, unsigned depth)
{
	unsigned n = 1 + below(p, 6), level = p->flow.level++, weight = p->flow.weight, top;

	loop_begin(p, level, n);
	top = here(p);
	p->flow.weight *= n;
	statements(p, depth, 1 + below(p, 3));
	p->flow.weight = weight;
	p->flow.level--;
	loop_end(p, level, n, top);
}

static void flow_select(struct program *p, unsigned depth)
{
	unsigned at[FLOW_SELECT], end[FLOW_SELECT];

	select_begin(p);
	for (unsigned i = 0; i < FLOW_SELECT; i++)
		at[i] = jump(p);
	for (unsigned i = 0; i < FLOW_SELECT; i++) {
		aim_branch(p, at[i], here(p));
		statements(p, depth, 1 + below(p, 2));
		end[i] = jump(p);
	}
	for (unsigned i = 0; i < FLOW_SELECT; i++)
		aim_branch(p, end[i], here(p));
}

static void flow_call(struct program *p)
{
	unsigned f = p->flow.functions ? below(p, p->flow.functions) : 0;

	if (!p->flow.functions || p->flow.weight * p->flow.cost[f] > FLOW_CALL_MOST)
		return;
	p->flow.ran += p->flow.weight * p->flow.cost[f];
	call(p, p->flow.function[f]);
}

static void statement(struct program *p, unsigned depth)
{
	unsigned kind = below(p, 24);

	p->flow.ran += p->flow.weight;
	if (kind < 2 && depth < 2)
		flow_if(p, depth + 1);
	else if (kind < 4 && depth < 2 && p->flow.level < FLOW_LEVELS)
		flow_loop(p, depth + 1);
	else if (kind == 4 && depth < 2)
		flow_select(p, depth + 1);
	else if (kind < 7)
		flow_call(p);
	else
		one(p);
}

/* Functions, of which each may call the earlier ones, behind a jump over them. */
static void flow_functions(struct program *p)
{
	unsigned over = jump(p);

	while (p->flow.functions < FLOW_FUNCTIONS) {
		unsigned f = p->flow.functions, before = p->flow.ran;

		p->flow.function[f] = here(p);
		p->flow.weight = 1;
		function_begin(p);
		statements(p, 0, 2 + below(p, 5));
		function_end(p);
		p->flow.cost[f] = p->flow.ran - before;
		p->flow.functions++;
	}
	p->flow.ran = 0;
	p->flow.weight = 1;
	aim_branch(p, over, here(p));
}
#endif
