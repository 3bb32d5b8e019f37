/* Guest memory behind a TLB as x86-64 code (soft.h): the entry is looked up right here, and what is not in it goes to
 * C. r15 is the address; no guest register is kept there.
 */
#include "emu/soft.h"
#include "emu/x86_gen.h"

#define ENTRY_SHIFT 6 /* sizeof(struct emu_soft_entry) */
_Static_assert(sizeof(struct emu_soft_entry) == 1u << ENTRY_SHIFT, "an entry of the TLB");

/* r15 = the linear address. Its registers are free again. */
static void compute_address(struct gen *g, const struct emu_op *op, int keep)
{
	struct as *a = &g->as;
	int64_t v;
	int base;

	if (gen_const(g, op->a, &v)) {
		as_mov_ri(a, R15, v + op->imm);
		return;
	}
	base = gen_use(g, op->a);
	if (op->imm == (int32_t)op->imm) {
		as_lea(a, true, R15, base, (int32_t)op->imm);
	} else {
		as_mov_ri(a, R15, op->imm);
		as_alu_rr(a, true, ALU_ADD, R15, base);
	}
	if (base < SCRATCH && base != keep)
		g->busy &= ~BIT(base);
}

static struct cold *to_slow(struct gen *g, unsigned cc, unsigned info)
{
	struct cold *c = gen_cold(g, COLD_SOFT);

	c->from[0] = as_jcc(&g->as, cc);
	c->aux = info;
	c->pc = gen_note(g);
	return c;
}

/* Looks the page of r15 up; "not equal": it cannot be accessed so. t: its entry. */
static void look_up(struct gen *g, unsigned bytes, bool write, int t, int u)
{
	struct as *a = &g->as;

	as_rr(a, false, 0x8b, t, R15);
	as_shift_ri(a, false, SH_SHR, t, 12 - ENTRY_SHIFT);
	as_alu_ri(a, false, ALU_AND, t, (EMU_SOFT_TLB - 1) << ENTRY_SHIFT);
	as_rm(a, true, 0x03, t, RBP, CPU_OFF(tlb));
	/* the page of the last byte: an access that crosses does not match */
	as_lea(a, true, u, R15, (int32_t)bytes - 1);
	as_alu_ri(a, true, ALU_AND, u, -(int32_t)EMU_PAGE);
	as_rm(a, true, 0x3b, u, t, write ? 8 : 0);
}

static void load(struct gen *g, const struct emu_op *op)
{
	static const struct { uint16_t op; bool w; } how[16] = {
		[EMU_M8] = { 0x0fb6, false }, [EMU_M16] = { 0x0fb7, false }, [EMU_M32] = { 0x8b, false }, [EMU_M64] = { 0x8b, true },
		[EMU_M8 | EMU_MSIGN] = { 0x0fbe, true }, [EMU_M16 | EMU_MSIGN] = { 0x0fbf, true },
		[EMU_M32 | EMU_MSIGN] = { 0x63, true }, [EMU_M64 | EMU_MSIGN] = { 0x8b, true },
	};
	unsigned kind = op->aux & (7 | EMU_MSIGN);
	struct cold *c;
	int t, u, reg;

	compute_address(g, op, -1);
	t = gen_scratch(g);
	u = gen_scratch(g);
	g->busy &= ~(BIT(t) | BIT(u));
	/* now, for what it moves away must be moved on both ways */
	reg = op->d == EMU_NOTEMP ? gen_scratch(g) : gen_def(g, op->d, 0);
	look_up(g, 1u << (kind & 7), op->aux & EMU_MWRITE, t, u);
	c = to_slow(g, CC_NE, op->aux);
	c->to = (uint8_t)reg;
	as_rm(&g->as, true, 0x03, R15, t, offsetof(struct emu_soft_entry, addend));
	as_rm(&g->as, how[kind].w, how[kind].op, reg, R15, 0);
	c->back = g->as.p;
	gen_set(g, op->d, reg);
}

static void store(struct gen *g, const struct emu_op *op)
{
	unsigned size = op->aux & 7;
	struct as *a = &g->as;
	int value = gen_use(g, op->b), t, u;
	struct cold *c;

	compute_address(g, op, value);
	t = gen_scratch(g);
	u = gen_scratch(g);
	look_up(g, 1u << size, true, t, u);
	c = to_slow(g, CC_NE, op->aux | EMU_SOFT_STORE);
	c->a = (uint8_t)value;
	as_rm(a, true, 0x03, R15, t, offsetof(struct emu_soft_entry, addend));
	if (size == EMU_M16)
		as8(a, 0x66);
	as_rex(a, size == EMU_M64, value, 0, R15, size == EMU_M8);
	as8(a, size == EMU_M8 ? 0x88 : 0x89);
	as_modrm(a, value, R15, 0);
	c->back = a->p;
}

static void segment(struct gen *g, const struct emu_op *op)
{
	int reg = gen_use(g, op->a), t = gen_scratch(g);
	bool write = op->aux & EMU_MWRITE;
	struct cold *c;

	as_lea(&g->as, true, t, reg, 1 << (op->aux & 7));
	as_rm(&g->as, true, 0x3b, t, RBP, CPU_OFF(seg_end) + 8 * ((write ? 6 : 0) + (int32_t)op->imm));
	c = to_slow(g, CC_A, op->aux | EMU_SOFT_SEG | (unsigned)op->imm << 8);
	c->b = (uint8_t)reg;
	c->back = g->as.p;
}

bool gen_soft(struct gen *g, const struct emu_op *op)
{
	switch (op->op) {
	case EMU_OP_LD: load(g, op); return true;
	case EMU_OP_ST: store(g, op); return true;
	case EMU_OP_SEG: segment(g, op); return true;
	default: return false;
	}
}

void gen_soft_cold(struct gen *g, const struct cold *c)
{
	struct as *a = &g->as;
	bool segment = c->aux & EMU_SOFT_SEG, store = c->aux & EMU_SOFT_STORE;
	uint8_t *back, *ok;

	if (store)
		as_store(a, c->a, RBP, CPU_OFF(slow_value));
	if (segment)
		as_mov_rr(a, R15, c->b);
	as_store(a, RAX, RBP, CPU_OFF(save[0]));
	as8(a, 0x48); /* lea rax, [rip + back] */
	as8(a, 0x8d);
	as8(a, 0x05);
	as32(a, 0);
	back = a->p - 4;
	as_store(a, RAX, RBP, CPU_OFF(vop_back));
	as_mov_ri(a, RAX, (int64_t)((uint64_t)c->aux | c->pc << EMU_SOFT_MAP));
	as_patch(as_jmp(a), g->x->rw + g->x->slow);
	as_patch(back, a->p);
	as_alu_mi(a, false, ALU_CMP, RBP, CPU_OFF(slow_failed), 0);
	ok = as_jcc(a, CC_E);
	gen_leave(g);
	as_patch(ok, a->p);
	if (!store && !segment)
		as_load(a, c->to, RBP, CPU_OFF(slow_value));
}

uint32_t gen_way_out(const struct gen *g, unsigned exc)
{
	/* a block of one instruction by order is followed by a look at what is pending */
	return exc == EMU_EXC_ASSIST && g->w->soft && g->w->opt.max_insns != 1 ? g->x->assist : g->x->leave;
}

/* An instruction for C, and on to where it leads without the run loop. A kick sets exit_request, which is looked at after
 * the call; one that comes later finds this code, and empties the cache that `look` looks into (x86_signal.c). */
static void make_assist(struct emu_world *w, struct as *a)
{
	struct emu_x86 *x = w->x86;
	uint8_t *failed, *kicked;

	x->assist = (uint32_t)(a->p - x->rw);
	emu_x86_pins(&x->pins, a, true, true);
	as_store(a, RSP, RBP, CPU_OFF(ret_sp));
	as_load(a, RSP, RBP, CPU_OFF(host_sp));
	as_lea(a, true, RDI, RBP, -CPU_BIAS);
	as_mov_ri(a, RAX, (int64_t)(uintptr_t)w->soft->assist);
	as8(a, 0xff); /* call rax */
	as8(a, 0xd0);
	as_rr(a, false, 0x85, RAX, RAX); /* test */
	failed = as_jcc(a, CC_NE);
	as_alu_mi(a, false, ALU_CMP, RBP, CPU_OFF(exit_request), 0);
	kicked = as_jcc(a, CC_NE);
	as_patch(failed, x->rw + x->leave_fault);
	as_patch(kicked, x->rw + x->leave_fault);
	emu_x86_pins(&x->pins, a, false, true);
	as_load(a, RSP, RBP, CPU_OFF(ret_sp)); /* a flush may have changed it */
	as_load(a, RAX, RBP, CPU_OFF(pc));
	as_patch(as_jmp(a), x->rw + x->look);
}

/* r15 = a, rax = info; its own value is in cpu->save[0], the place to come back to in cpu->vop_back. */
void gen_soft_stubs(struct emu_world *w, struct as *a)
{
	static const uint8_t saved[9] = { RAX, RCX, RDX, RSI, RDI, R8, R9, R10, R11 };
	struct emu_x86 *x = w->x86;

	x->slow = (uint32_t)(a->p - x->rw);
	for (int i = 1; i < 9; i++)
		as_store(a, saved[i], RBP, CPU_OFF(save) + 8 * i);
	for (int i = 0; i < FSCRATCH; i++) /* vmovups; no others are in use */
		as_vrm(a, 0, 1, false, 0x11, i, 0, RBP, CPU_OFF(vsave) + 16 * i);
	as_store(a, RSP, RBP, CPU_OFF(ret_sp));
	as_lea(a, true, RDI, RBP, -CPU_BIAS);
	as_mov_rr(a, RSI, R15);
	as_mov_rr(a, RDX, RAX);
	as_alu_ri(a, true, ALU_AND, RSP, -16);
	as_mov_ri(a, RAX, (int64_t)(uintptr_t)emu_soft_slow);
	as8(a, 0xff); /* call rax */
	as8(a, 0xd0);
	as_load(a, RSP, RBP, CPU_OFF(ret_sp));
	as_rm(a, false, 0x89, RAX, RBP, CPU_OFF(slow_failed));
	for (int i = 0; i < FSCRATCH; i++)
		as_vrm(a, 0, 1, false, 0x10, i, 0, RBP, CPU_OFF(vsave) + 16 * i);
	for (int i = 0; i < 9; i++)
		as_load(a, saved[i], RBP, CPU_OFF(save) + 8 * i);
	as_rm(a, false, 0xff, 4, RBP, CPU_OFF(vop_back)); /* jmp */
	x->slow_end = (uint32_t)(a->p - x->rw);
	/* a jump to the guest address in rax, in another mapping */
	x->look = (uint32_t)(a->p - x->rw);
	emu_x86_look(w, a);
	x->look_end = (uint32_t)(a->p - x->rw);
	make_assist(w, a);
}

uint32_t emu_soft_slow(struct emu_cpu *cpu, uint64_t at, uint64_t info)
{
	struct emu_world *w = cpu->world;
	const struct emu_block *b;

	if (!emu_soft_access(cpu, at, (unsigned)info & 0xffff, 0))
		return 0;
	b = emu_block_by_code(w, (uint32_t)(cpu->vop_back - (uint64_t)(uintptr_t)w->x86->rx));
	if (b)
		cpu->pc = b->pc + (uint64_t)(int64_t)(int32_t)b->map[info >> EMU_SOFT_MAP].guest;
	return 1;
}
