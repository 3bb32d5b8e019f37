/* Guest code into the IR of one block: where a block ends is decided here.
 *
 * A block has one entry and several exits. It goes on past a forward conditional branch and through a
 * forward jump; when it comes to where an earlier branch leads, the two meet at a label, so that an if
 * with its else is one block. After a jump back, a return and the like it goes on where a branch leads
 * that is not far ahead. Addresses only grow on the way, so no instruction stands in a block twice, and a
 * jump back to the block's own start makes it a loop. What a branch leads to beyond the block's end
 * becomes an exit.
 */
#include <errno.h>
#include <string.h>

#include "emu/soft.h"

#define MAX_BRANCHES 12
#define SIDES 24
#define SIDES_OF_INSN 5 /* at most */
#define JOIN_INSNS 24           /* a block of so many ends at a join where another one begins */
#define NEAR 256                /* bytes ahead at which an open branch is worth going on for */

/* emu_xlat and what the front ends do not see. */
struct maker {
	struct emu_xlat x;
	struct emu_world *w;
	struct { int64_t label; uint64_t pc; unsigned exc; } side[SIDES]; /* exc 0: GOTO pc */
	unsigned sides;
	uint32_t page[EMU_BLOCK_PAGES];
	unsigned pages;
	unsigned jumps;         /* computed ones */
	bool follow;            /* x.next is where the block goes on, after a jump */
};

void *emu_x_owner(const struct emu_xlat *x)
{
	return ((const struct maker *)x)->w->soft->arg;
}

static void settle(struct emu_xlat *x, uint64_t pc)
{
	if (x->guest->settle)
		x->guest->settle(x, pc);
}

static void emit_goto(struct emu_ir *ir, uint64_t pc)
{
	emu_ir_emit(ir, EMU_OP_GOTO, ir->exits++, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, (int64_t)pc);
}

/* The block ends here. */
static void leave(struct emu_xlat *x, uint64_t pc)
{
	settle(x, pc);
	emit_goto(x->ir, pc);
	x->end = true;
}

/* The nearest open branch target from `pc` on, or NULL. */
static uint64_t *nearest(struct maker *m, uint64_t pc)
{
	uint64_t *best = NULL;

	for (unsigned i = 0; i < m->sides; i++) {
		if (m->side[i].pc >= pc && (!best || m->side[i].pc < *best))
			best = &m->side[i].pc;
	}
	return best;
}

/* At a join the front end knows nothing. */
static void forget(struct emu_xlat *x)
{
	memset(&x->flags, 0, sizeof(x->flags));
	memset(x->note, 0, sizeof(x->note));
	x->reversed_pc = 0;
}

/* Nothing falls out of the instruction at x->pc: the block goes on at an open branch, or ends. */
static void end_path(struct maker *m)
{
	const uint64_t *open = nearest(m, m->x.next);

	m->follow = open && !m->w->opt.no_superblock && *open - m->x.next < NEAR;
	m->x.end = !m->follow;
	if (m->follow)
		m->x.next = *open;
	forget(&m->x);
}

/* A label for a branch to `pc`, which must be placed later. */
static int64_t open_side(struct maker *m, uint64_t pc)
{
	int64_t label = emu_ir_label(m->x.ir);

	m->side[m->sides].label = label;
	m->side[m->sides].exc = 0;
	m->side[m->sides++].pc = pc;
	return label;
}

void emu_x_branch(struct emu_xlat *x, unsigned cond, uint16_t a, uint16_t b, uint64_t target)
{
	struct maker *m = (struct maker *)x;
	const uint64_t *open = nearest(m, x->next);

	settle(x, target);
	emu_ir_emit(x->ir, EMU_OP_BRCOND, cond, EMU_NOTEMP, a, b, EMU_NOTEMP, open_side(m, target));
	x->branches++;
	/* a backward branch closes a loop: what comes after it is another block, unless more of the loop follows */
	if ((target <= x->pc && (m->w->opt.no_superblock || !open || *open - x->next >= NEAR)) ||
	    x->branches >= x->max_branches || m->sides > SIDES - SIDES_OF_INSN)
		leave(x, x->next);
}

void emu_x_except_if(struct emu_xlat *x, enum emu_cond cond, uint16_t a, uint16_t b, unsigned exc)
{
	struct maker *m = (struct maker *)x;
	int64_t label = open_side(m, x->pc);

	emu_ir_emit(x->ir, EMU_OP_BRCOND, cond, EMU_NOTEMP, a, b, EMU_NOTEMP, label);
	m->side[m->sides - 1].exc = exc;
}

void emu_x_jump(struct emu_xlat *x, uint64_t target)
{
	struct maker *m = (struct maker *)x;
	const uint64_t *open = nearest(m, x->next);

	if (x->max_branches <= 1 || target <= x->pc || m->pages >= EMU_BLOCK_PAGES - 1 || m->sides > SIDES - SIDES_OF_INSN) {
		leave(x, target);
		end_path(m);
	} else if (open && *open < target && !m->w->opt.no_superblock && *open - x->next < NEAR) {
		settle(x, target);
		emu_ir_emit(x->ir, EMU_OP_BR, 0, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, open_side(m, target));
		end_path(m);
	} else {
		x->next = target;
		m->follow = true;
	}
}

/* A call is on its way: the block goes on where it returns to, if host code keeps return addresses. */
static void after_call(struct maker *m)
{
	const struct emu_options *o = &m->w->opt;

	if (o->no_superblock || o->no_return_stack || o->no_chain || o->no_jump_cache || m->x.max_branches <= 1 ||
	    m->x.ir->insns + 1 >= m->x.max_insns || m->x.ir->insns > 40) {
		end_path(m);
		return;
	}
	m->x.end = false;
	m->follow = true;
	forget(&m->x);
	emu_ir_emit(m->x.ir, EMU_OP_LANDING, 0, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, (int64_t)m->x.next);
	emu_ir_emit(m->x.ir, EMU_OP_LABEL, 0, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, emu_ir_label(m->x.ir));
}

static void emit_link(struct emu_xlat *x)
{
	emu_ir_emit(x->ir, EMU_OP_LINK, x->ir->exits++, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, (int64_t)x->next);
}

void emu_x_call(struct emu_xlat *x, uint64_t target)
{
	emit_link(x);
	leave(x, target);
	after_call((struct maker *)x);
}

void emu_x_jump_reg(struct emu_xlat *x, uint16_t a, unsigned kind)
{
	settle(x, EMU_ANYWHERE);
	if (kind == EMU_JUMP_CALL)
		emit_link(x);
	emu_ir_emit(x->ir, EMU_OP_GOTO_REG, kind, EMU_NOTEMP, a, EMU_NOTEMP, EMU_NOTEMP, 0);
	if (++((struct maker *)x)->jumps == EMU_BLOCK_JUMPS)
		x->end = true;
	else if (kind == EMU_JUMP_CALL)
		after_call((struct maker *)x);
	else
		end_path((struct maker *)x);
}

void emu_x_exception(struct emu_xlat *x, enum emu_exc exc)
{
	bool after = exc == EMU_EXC_SYSCALL || exc == EMU_EXC_FENCE_I;

	settle(x, EMU_ANYWHERE);
	emu_ir_emit(x->ir, EMU_OP_EXC, exc, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP,
		    (int64_t)(after ? x->next : x->pc));
	end_path((struct maker *)x);
}

void emu_x_stop(struct emu_xlat *x)
{
	leave(x, x->next);
}

/* How many bytes of code can be fetched at pc, up to insn_max. */
static unsigned fetchable(const struct emu_mem *mem, uint64_t pc, unsigned max)
{
	unsigned left = EMU_PAGE - (unsigned)(pc % EMU_PAGE);

	if (pc >= EMU_MEM_SIZE || !(mem->right[pc / EMU_PAGE] & PROT_EXEC))
		return 0;
	if (left >= max)
		return max;
	if (pc + left < EMU_MEM_SIZE && (mem->right[(pc + left) / EMU_PAGE] & PROT_EXEC))
		return max;
	return left;
}

/* Notes the pages of [pc, pc + len); false when the block cannot take another one. */
static bool note_pages(struct maker *m, uint64_t pc, unsigned len)
{
	for (uint64_t p = pc / EMU_PAGE; p <= (pc + len - 1) / EMU_PAGE; p++) {
		uint32_t page = m->w->soft ? emu_soft_page(m->w, p * EMU_PAGE) : (uint32_t)p;
		unsigned i = 0;

		while (i < m->pages && m->page[i] != page)
			i++;
		if (i == m->pages && m->pages == EMU_BLOCK_PAGES)
			return false;
		if (i == m->pages)
			m->page[m->pages++] = page;
	}
	return true;
}

/* The bytes at pc. */
static const uint8_t *code_at(struct emu_world *w, uint64_t pc, unsigned *avail)
{
	if (w->soft)
		return emu_soft_code(w, pc, w->guest->insn_max, avail);
	*avail = fetchable(&w->mem, pc, w->guest->insn_max);
	return *avail ? w->mem.base + pc : NULL; /* such a pc may be anything */
}

/* One instruction. False: the block ends before it. */
static bool one(struct maker *m, uint64_t pc, uint64_t *next)
{
	struct emu_ir *ir = m->x.ir;
	const struct emu_guest *g = m->w->guest;
	unsigned avail, ops = ir->ops, len;
	const uint8_t *code = code_at(m->w, pc, &avail);
	unsigned temps = ir->temps, exits = ir->exits;
	struct emu_x_flags flags = m->x.flags;

	if (avail < g->insn_align || pc % g->insn_align)
		return false;
	m->x.pc = pc;
	m->x.page = m->w->soft ? NULL : m->w->mem.base + (pc & ~(uint64_t)(EMU_PAGE - 1));
	m->follow = false;
	emu_ir_emit(ir, EMU_OP_INSN, 0, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, (int64_t)pc);
	len = g->translate(&m->x, code, avail);
	if (len == 0 && m->w->soft && ir->insns == 0 && (code = emu_soft_cross(m->w, pc, g->insn_max, &avail)))
		len = g->translate(&m->x, code, avail);
	if (len == 0 || !note_pages(m, pc, len)) {
		ir->ops = ops;
		ir->temps = temps;
		ir->exits = exits;
		memset(ir->const_hash, 0xff, sizeof(ir->const_hash));
		m->x.end = false;
		m->x.flags = flags;
		m->x.page = NULL; /* the block does not depend on what stands there */
		return false;
	}
	ir->insns++;
	*next = m->follow ? m->x.next : pc + len;
	return true;
}

/* Open branches that lead to `pc`, or all of them when the block is at its end (as exits). */
static void place_labels(struct maker *m, uint64_t pc, bool all)
{
	struct emu_ir *ir = m->x.ir;
	unsigned kept = 0;

	for (unsigned i = 0; i < m->sides; i++) {
		if (!all && (m->side[i].pc != pc || m->w->opt.no_superblock)) {
			m->side[kept++] = m->side[i];
			continue;
		}
		if (!all) {
			settle(&m->x, pc);
			forget(&m->x);
		}
		emu_ir_emit(ir, EMU_OP_LABEL, 0, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, m->side[i].label);
		if (all && m->side[i].exc)
			emu_ir_emit(ir, EMU_OP_EXC, m->side[i].exc, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP,
				    (int64_t)m->side[i].pc);
		else if (all)
			emit_goto(ir, m->side[i].pc);
	}
	m->sides = kept;
}

static void make(struct maker *m, uint64_t pc, unsigned max_insns, bool exact)
{
	struct emu_ir *ir = m->x.ir;

	while (!m->x.end) {
		bool room = ir->insns < max_insns && ir->ops < EMU_OPS_MAX - 160 &&
			    ir->temps < EMU_TEMPS_MAX - 160 && m->sides <= SIDES - SIDES_OF_INSN;
		unsigned sides;

		place_labels(m, pc, false);
		sides = m->sides;
		/* a long block rather ends where paths meet, so that blocks with different starts come together */
		if (!exact && ir->insns > max_insns / 2 && ir->op[ir->ops - 1].op == EMU_OP_LABEL &&
		    (!sides || ir->insns > max_insns * 3 / 4))
			room = false;
		/* ... and where a block begins already: code is not translated again and again */
		if (!exact && ir->insns >= JOIN_INSNS && ir->op[ir->ops - 1].op == EMU_OP_LABEL && emu_block_find(m->w, pc))
			room = false;
		if (!room || !one(m, pc, &pc)) {
			m->sides = sides;
			leave(&m->x, pc);
		}
	}
	place_labels(m, pc, true);
}

/* exact: the block has max_insns if the code does not end it before. */
static int translate(struct emu_world *w, uint64_t pc, unsigned max_insns, bool exact, struct emu_ir *ir, uint32_t *page,
		     unsigned *pages)
{
	struct maker m = { .x = { .ir = ir, .guest = w->guest, .pc = pc, .special_rm = w->special_rm }, .w = w };
	unsigned avail;

	if (w->soft)
		w->soft->second = false;
	code_at(w, pc, &avail);
	if (avail < w->guest->insn_align)
		return -EFAULT;
	m.x.max_insns = max_insns;
	m.x.max_branches = w->opt.max_branches ? w->opt.max_branches : MAX_BRANCHES;
	emu_ir_reset(ir, pc);
	ir->counted = w->opt.count || w->opt.interp;
	make(&m, pc, max_insns, exact);
	if (ir->insns == 0)
		return -EFAULT; /* the instruction reaches into a page that cannot be executed */
	memcpy(page, m.page, sizeof(m.page));
	*pages = m.pages;
	return ir->full ? -E2BIG : 0;
}

int emu_translate_raw(struct emu_world *w, uint64_t pc, struct emu_ir *ir, uint32_t *page, unsigned *pages)
{
	return translate(w, pc, w->opt.max_insns ? w->opt.max_insns : EMU_BLOCK_INSNS, false, ir, page, pages);
}

int emu_translate_again(struct emu_world *w, uint64_t pc, unsigned insns, struct emu_ir *ir)
{
	uint32_t page[EMU_BLOCK_PAGES];
	unsigned pages;

	return translate(w, pc, insns, true, ir, page, &pages);
}

void emu_passes(struct emu_world *w, struct emu_ir *ir)
{
	for (unsigned p = 0; p < EMU_PASSES; p++) {
		if (!(w->opt.passes_off >> p & 1))
			emu_pass_run(ir, (enum emu_pass)p);
	}
}
