/* Guest code into the IR of one block: where a block ends is decided here.
 *
 * A block goes on past a forward conditional branch (the taken side becomes an exit at the end of
 * the block) and through a direct jump to a place that is not in the block yet. So it has one entry
 * and several exits.
 */
#include <errno.h>
#include <string.h>

#include "emu/world.h"

#define MAX_BRANCHES 6
#define SIDES 24
#define SIDES_OF_INSN 5 /* at most */
#define PIECES 16

/* emu_xlat and what the front ends do not see. */
struct maker {
	struct emu_xlat x;
	struct emu_world *w;
	struct { int64_t label; uint64_t pc; unsigned exc; } side[SIDES]; /* exc 0: GOTO pc */
	unsigned sides;
	uint32_t page[EMU_BLOCK_PAGES];
	unsigned pages;
	uint64_t start[PIECES];  /* first instruction of each piece */
	unsigned pieces;
	bool follow;            /* x.next is where the block goes on, after a jump */
};

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

void emu_x_branch(struct emu_xlat *x, unsigned cond, uint16_t a, uint16_t b, uint64_t target)
{
	struct maker *m = (struct maker *)x;
	int64_t label = emu_ir_label(x->ir);

	settle(x, target);
	emu_ir_emit(x->ir, EMU_OP_BRCOND, cond, EMU_NOTEMP, a, b, EMU_NOTEMP, label);
	m->side[m->sides].label = label;
	m->side[m->sides++].pc = target;
	x->branches++;
	/* a backward branch closes a loop: what comes after it is another block */
	if (target <= x->pc || x->branches >= x->max_branches || m->sides > SIDES - SIDES_OF_INSN)
		leave(x, x->next);
}

void emu_x_except_if(struct emu_xlat *x, enum emu_cond cond, uint16_t a, uint16_t b, unsigned exc)
{
	struct maker *m = (struct maker *)x;
	int64_t label = emu_ir_label(x->ir);

	emu_ir_emit(x->ir, EMU_OP_BRCOND, cond, EMU_NOTEMP, a, b, EMU_NOTEMP, label);
	m->side[m->sides].label = label;
	m->side[m->sides].exc = exc;
	m->side[m->sides++].pc = x->pc;
}

/* Is this address in the block already, or does it take one page more than a block may have? */
static bool can_follow(const struct maker *m, uint64_t target)
{
	if (m->x.max_branches <= 1 || m->pieces >= PIECES || target <= m->x.pc)
		return false;
	return m->pages < EMU_BLOCK_PAGES - 1;
}

void emu_x_jump(struct emu_xlat *x, uint64_t target)
{
	struct maker *m = (struct maker *)x;

	if (can_follow(m, target)) {
		m->start[m->pieces++] = target;
		x->next = target;
		m->follow = true;
		return;
	}
	leave(x, target);
}

void emu_x_call(struct emu_xlat *x, uint64_t target)
{
	leave(x, target);
}

void emu_x_jump_reg(struct emu_xlat *x, uint16_t a, unsigned kind)
{
	settle(x, EMU_ANYWHERE);
	emu_ir_emit(x->ir, EMU_OP_GOTO_REG, kind, EMU_NOTEMP, a, EMU_NOTEMP, EMU_NOTEMP, (int64_t)x->next);
	x->end = true;
}

void emu_x_exception(struct emu_xlat *x, enum emu_exc exc)
{
	bool after = exc == EMU_EXC_SYSCALL || exc == EMU_EXC_FENCE_I;

	settle(x, EMU_ANYWHERE);
	emu_ir_emit(x->ir, EMU_OP_EXC, exc, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP,
		    (int64_t)(after ? x->next : x->pc));
	x->end = true;
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
		unsigned i = 0;

		while (i < m->pages && m->page[i] != p)
			i++;
		if (i == m->pages && m->pages == EMU_BLOCK_PAGES)
			return false;
		if (i == m->pages)
			m->page[m->pages++] = (uint32_t)p;
	}
	return true;
}

/* One instruction. False: the block ends before it. */
static bool one(struct maker *m, uint64_t pc, uint64_t *next)
{
	struct emu_ir *ir = m->x.ir;
	const struct emu_guest *g = m->w->guest;
	unsigned avail = fetchable(&m->w->mem, pc, g->insn_max), ops = ir->ops, len;
	unsigned temps = ir->temps, exits = ir->exits;
	struct emu_x_flags flags = m->x.flags;

	if (avail < g->insn_align || pc % g->insn_align)
		return false;
	m->x.pc = pc;
	m->x.page = m->w->mem.base + (pc & ~(uint64_t)(EMU_PAGE - 1));
	m->follow = false;
	emu_ir_emit(ir, EMU_OP_INSN, 0, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, (int64_t)pc);
	len = g->translate(&m->x, m->w->mem.base + pc, avail);
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

static void make(struct maker *m, uint64_t pc, unsigned max_insns)
{
	struct emu_ir *ir = m->x.ir;

	while (!m->x.end) {
		bool room = ir->insns < max_insns && ir->ops < EMU_OPS_MAX - 160 &&
			    ir->temps < EMU_TEMPS_MAX - 160 && m->sides <= SIDES - SIDES_OF_INSN;
		unsigned sides = m->sides;

		if (!room || !one(m, pc, &pc)) {
			m->sides = sides;
			leave(&m->x, pc);
		}
	}
	for (unsigned i = 0; i < m->sides; i++) {
		emu_ir_emit(ir, EMU_OP_LABEL, 0, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP,
			    m->side[i].label);
		if (m->side[i].exc)
			emu_ir_emit(ir, EMU_OP_EXC, m->side[i].exc, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP,
				    (int64_t)m->side[i].pc);
		else
			emit_goto(ir, m->side[i].pc);
	}
}

int emu_translate_raw(struct emu_world *w, uint64_t pc, struct emu_ir *ir, uint32_t *page, unsigned *pages)
{
	struct maker m = { .x = { .ir = ir, .guest = w->guest, .pc = pc }, .w = w };
	unsigned max_insns = w->opt.max_insns ? w->opt.max_insns : EMU_BLOCK_INSNS;

	if (fetchable(&w->mem, pc, w->guest->insn_max) < w->guest->insn_align)
		return -EFAULT;
	m.x.max_insns = max_insns;
	m.x.max_branches = w->opt.max_branches ? w->opt.max_branches : MAX_BRANCHES;
	m.start[m.pieces++] = pc;
	emu_ir_reset(ir, pc);
	make(&m, pc, max_insns);
	if (ir->insns == 0)
		return -EFAULT; /* the instruction reaches into a page that cannot be executed */
	memcpy(page, m.page, sizeof(m.page));
	*pages = m.pages;
	return ir->full ? -E2BIG : 0;
}

void emu_passes(struct emu_world *w, struct emu_ir *ir)
{
	for (unsigned p = 0; p < EMU_PASSES; p++) {
		if (!(w->opt.passes_off >> p & 1))
			emu_pass_run(ir, (enum emu_pass)p);
	}
}
