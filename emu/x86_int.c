/* Integer operations as x86-64 code. */
#include "emu/x86_gen.h"

struct gen_rhs gen_rhs(struct gen *g, uint16_t t, bool w32)
{
	struct gen_rhs r = { RHS_REG, 0, 0 };
	int64_t v;

	if (gen_const(g, t, &v) && (w32 || v == (int32_t)v)) {
		r.kind = RHS_IMM;
		r.v = (int32_t)v;
	} else if (gen_in_memory(g, t, &r.v)) {
		r.kind = RHS_MEM;
	} else {
		r.reg = gen_use(g, t);
	}
	return r;
}

void gen_alu(struct gen *g, bool w, unsigned kind, int reg, const struct gen_rhs *r)
{
	if (r->kind == RHS_REG)
		as_alu_rr(&g->as, w, kind, reg, r->reg);
	else if (r->kind == RHS_MEM)
		as_rm(&g->as, w, kind << 3 | 3, reg, RBP, r->v);
	else
		as_alu_ri(&g->as, w, kind, reg, r->v);
}

static void mov(struct gen *g, bool w, int to, int from)
{
	if (to != from || !w)
		as_rr(&g->as, w, 0x8b, to, from);
}

/* Is the operation the last one that reads this local, and is it in a scratch register? */
static bool dies(const struct gen *g, uint16_t t)
{
	return t >= EMU_GLOBALS && g->ir->temp[t].kind == EMU_TK_LOCAL && g->last[t] <= g->at && g->reg[t] >= 0;
}

/* A register for the result of d = a OP b, in which the operation may start from a's value: a's own when a
 * dies here. `keep`: registers that must stay. */
static int def_like(struct gen *g, uint16_t d, uint16_t a, int ra, unsigned keep)
{
	if (d < EMU_GLOBALS && g->pins->host[d] >= 0 && !(keep & BIT(g->pins->host[d])))
		return g->pins->host[d];
	if (dies(g, a) && !(keep & BIT(ra))) {
		gen_drop(g, a);
		return ra;
	}
	return gen_scratch(g);
}

const struct emu_op *gen_narrowed(struct gen *g, uint16_t d, unsigned ahead)
{
	const struct emu_op *next = g->op + ahead;

	if (g->at + ahead >= g->ir->ops || next->op != EMU_OP_ZEXT32 || next->a != d || d < EMU_GLOBALS ||
	    g->last[d] != g->at + ahead)
		return NULL;
	g->skip = ahead;
	return next;
}

/* add, or, and, xor, sub */
static void arith(struct gen *g, const struct emu_op *op, unsigned kind, bool w, bool commutes)
{
	const struct emu_op *low = w ? gen_narrowed(g, op->d, 1) : NULL;
	uint16_t a = op->a, b = op->b, d = low ? low->d : op->d;
	int64_t v;
	struct gen_rhs r;
	int ra, rd;

	w = w && !low;
	if (commutes && (gen_const(g, a, &v) || b == d)) {
		a = op->b;
		b = op->a;
	}
	ra = gen_use(g, a);
	r = gen_rhs(g, b, !w);
	rd = def_like(g, d, a, ra, r.kind == RHS_REG && r.reg != ra ? BIT(r.reg) : 0);
	if (kind == ALU_ADD && rd != ra && r.kind == RHS_IMM) {
		as_lea(&g->as, w, rd, ra, r.v);
	} else if (kind == ALU_ADD && rd != ra && r.kind == RHS_REG && rd != r.reg) {
		as_lea_sib(&g->as, w, rd, ra, r.reg, 0, 0);
	} else if (kind == ALU_SUB && r.kind == RHS_IMM && rd != ra && r.v != INT32_MIN) {
		as_lea(&g->as, w, rd, ra, -r.v);
	} else if (rd == r.reg && r.kind == RHS_REG && rd != ra) {
		/* only when keep was not honoured: a == b was excluded, so this does not happen */
		g->failed = true;
	} else {
		if (r.kind == RHS_REG && r.reg == ra && rd != ra)
			r.reg = rd;
		if (rd != ra)
			mov(g, w, rd, ra);
		gen_alu(g, w, kind, rd, &r);
	}
	gen_set(g, d, rd);
}

/* ror by a count that is not known: it must be in cl. */
static void rotate(struct gen *g, const struct emu_op *op, bool w, int ra)
{
	int rb, rd = -1;

	if (ra == RCX) {
		rd = ra = gen_scratch(g);
		as_mov_rr(&g->as, rd, RCX);
	}
	gen_take(g, RCX);
	rb = gen_use(g, op->b);
	as_mov_rr(&g->as, RCX, rb);
	if (rb < SCRATCH && rb != ra && rb != RCX)
		g->busy &= ~BIT(rb);
	if (rd < 0) {
		rd = gen_scratch(g);
		mov(g, w, rd, ra);
	}
	as_rex(&g->as, w, 0, 0, rd, false);
	as8(&g->as, 0xd3);
	as8(&g->as, 0xc0u | SH_ROR << 3 | (unsigned)(rd & 7));
	gen_set(g, op->d, rd);
}

static void shift(struct gen *g, const struct emu_op *op, bool w)
{
	unsigned base = w ? op->op : op->op - EMU_OP_SHL32 + EMU_OP_SHL;
	unsigned sh = base == EMU_OP_SHL ? SH_SHL : base == EMU_OP_SHR ? SH_SHR : base == EMU_OP_SAR ? SH_SAR : SH_ROR;
	int64_t n;
	int ra = gen_use(g, op->a), rb, rd;

	if (gen_const(g, op->b, &n)) {
		n &= w ? 63 : 31;
		rd = def_like(g, op->d, op->a, ra, 0);
		if (sh == SH_SHL && n == 1 && rd != ra) {
			as_lea_sib(&g->as, w, rd, ra, ra, 0, 0);
		} else if (sh == SH_ROR && rd != ra) { /* rorx */
			as_vrr(&g->as, 3, 3, w, 0xf0, rd, 0, ra);
			as8(&g->as, (unsigned)n);
		} else {
			if (rd != ra || (!w && n == 0))
				mov(g, w, rd, ra);
			if (n)
				as_shift_ri(&g->as, w, sh, rd, (unsigned)n);
		}
		gen_set(g, op->d, rd);
		return;
	}
	if (sh == SH_ROR) {
		rotate(g, op, w, ra);
		return;
	}
	rb = gen_use(g, op->b);
	rd = gen_def(g, op->d, 0);
	/* shlx 66, shrx F2, sarx F3: rd = ra shifted by rb */
	as_vrr(&g->as, sh == SH_SHL ? 1 : sh == SH_SHR ? 3 : 2, 2, w, 0xf7, rd, rb, ra);
	gen_set(g, op->d, rd);
}

static void mul(struct gen *g, const struct emu_op *op, bool w)
{
	uint16_t a = op->a, b = op->b;
	int64_t v;
	struct gen_rhs r;
	int ra, rd;

	if (gen_const(g, a, &v) || b == op->d) {
		a = op->b;
		b = op->a;
	}
	ra = gen_use(g, a);
	r = gen_rhs(g, b, !w);
	rd = def_like(g, op->d, a, ra, r.kind == RHS_REG && r.reg != ra ? BIT(r.reg) : 0);
	if (r.kind == RHS_IMM) {
		as_rr(&g->as, w, 0x69, rd, ra);
		as32(&g->as, (uint32_t)r.v);
	} else {
		if (r.kind == RHS_REG && r.reg == ra && rd != ra)
			r.reg = rd;
		if (rd != ra)
			mov(g, w, rd, ra);
		if (r.kind == RHS_MEM)
			as_rm(&g->as, w, 0x0faf, rd, RBP, r.v);
		else
			as_rr(&g->as, w, 0x0faf, rd, r.reg);
	}
	gen_set(g, op->d, rd);
}

/* Brings two operands into rax and rcx, with rdx free. */
static void fixed(struct gen *g, uint16_t a, uint16_t b)
{
	int ra, rb;

	gen_take(g, RDX); /* evicted first, so that operands there are found in memory */
	g->busy &= ~BIT(RDX);
	ra = gen_use(g, a);
	rb = gen_use(g, b);
	if (rb == RAX && ra == RCX) {
		as_rr(&g->as, true, 0x87, RAX, RCX);
	} else if (rb == RAX) {
		if (rb != RCX)
			gen_take(g, RCX);
		as_mov_rr(&g->as, RCX, rb);
		as_mov_rr(&g->as, RAX, ra);
	} else {
		if (ra != RAX) {
			gen_take(g, RAX);
			as_mov_rr(&g->as, RAX, ra);
		}
		as_mov_rr(&g->as, RCX, rb);
	}
	/* the copies in rax, rcx, rdx are used up */
	gen_take(g, RAX);
	gen_take(g, RCX);
	gen_take(g, RDX);
}

static void mulh(struct gen *g, const struct emu_op *op)
{
	gen_spill_all(g);
	fixed(g, op->a, op->b);
	if (op->op == EMU_OP_MULHSU) {
		/* high(signed a * b) = high(unsigned) - (a < 0 ? b : 0) */
		as_store(&g->as, RAX, RBP, CPU_OFF(tmp));
		as_rr(&g->as, true, 0xf7, 4, RCX); /* mul rcx */
		as_load(&g->as, RAX, RBP, CPU_OFF(tmp));
		as_shift_ri(&g->as, true, SH_SAR, RAX, 63);
		as_alu_rr(&g->as, true, ALU_AND, RAX, RCX);
		as_alu_rr(&g->as, true, ALU_SUB, RDX, RAX);
	} else {
		as_rr(&g->as, true, 0xf7, op->op == EMU_OP_MULHU ? 4 : 5, RCX);
	}
	gen_set(g, op->d, RDX);
}

static void divide(struct gen *g, const struct emu_op *op, bool w)
{
	unsigned base = w ? op->op : op->op - EMU_OP_DIVS32 + EMU_OP_DIVS;
	bool sign = base == EMU_OP_DIVS || base == EMU_OP_REMS, rem = base == EMU_OP_REMS || base == EMU_OP_REMU;
	uint8_t *zero, *minus = NULL, *done, *done2 = NULL, *small = NULL, *large;

	gen_spill_all(g);
	fixed(g, op->a, op->b);
	as_rr(&g->as, w, 0x85, RCX, RCX);
	zero = as_jcc8(&g->as, CC_E);
	if (w) { /* numbers that fit in 32 bits: many hosts divide those in half the time or less */
		as_mov_rr(&g->as, RDX, RAX);
		as_alu_rr(&g->as, true, ALU_OR, RDX, RCX);
		as_shift_ri(&g->as, true, SH_SHR, RDX, 32);
		large = as_jcc8(&g->as, CC_NE);
		as_rr(&g->as, false, 0xf7, 6, RCX);
		small = as_jmp8(&g->as);
		as_here(&g->as, large);
	}
	if (sign) {
		as_alu_ri(&g->as, w, ALU_CMP, RCX, -1);
		minus = as_jcc8(&g->as, CC_E);
		as_rex(&g->as, w, 0, 0, 0, false);
		as8(&g->as, 0x99); /* cdq, cqo */
	} else {
		as_mov_ri(&g->as, RDX, 0);
	}
	as_rr(&g->as, w, 0xf7, sign ? 7 : 6, RCX);
	done = as_jmp8(&g->as);
	as_here(&g->as, zero);
	/* by zero: quotient all ones, remainder the dividend */
	if (rem)
		mov(g, w, RDX, RAX);
	else if (w)
		as_mov_ri(&g->as, RAX, -1);
	else
		as_mov_ri(&g->as, RAX, 0xffffffff);
	if (sign) {
		done2 = as_jmp8(&g->as);
		as_here(&g->as, minus);
		/* by -1: negated, remainder 0; the overflow case falls out of it */
		if (rem)
			as_mov_ri(&g->as, RDX, 0);
		else
			as_rr(&g->as, w, 0xf7, 3, RAX); /* neg */
		as_here(&g->as, done2);
	}
	as_here(&g->as, done);
	if (small)
		as_here(&g->as, small);
	gen_set(g, op->d, rem ? RDX : RAX);
}

/* One source register, one instruction: opcode (with REX.W or not), or 0 when it is built otherwise. */
static void unary(struct gen *g, const struct emu_op *op)
{
	int ra = gen_use(g, op->a), rd;
	struct as *a = &g->as;

	switch (op->op) {
	case EMU_OP_SEXT8:
		rd = gen_def(g, op->d, 0);
		as_rex(a, true, rd, 0, ra, true);
		as_op(a, 0x0fbe);
		as8(a, 0xc0u | (unsigned)(rd & 7) << 3 | (unsigned)(ra & 7));
		break;
	case EMU_OP_ZEXT8:
		rd = gen_def(g, op->d, 0);
		as_movzx8(a, rd, ra);
		break;
	case EMU_OP_SEXT16: rd = gen_def(g, op->d, 0); as_rr(a, true, 0x0fbf, rd, ra); break;
	case EMU_OP_ZEXT16: rd = gen_def(g, op->d, 0); as_rr(a, false, 0x0fb7, rd, ra); break;
	case EMU_OP_SEXT32: rd = gen_def(g, op->d, 0); as_rr(a, true, 0x63, rd, ra); break;
	case EMU_OP_ZEXT32: rd = gen_def(g, op->d, 0); as_rr(a, false, 0x8b, rd, ra); break;
	case EMU_OP_CLZ: case EMU_OP_CLZ32:
		rd = gen_def(g, op->d, 0);
		as_rr_prefix(a, 0xf3, op->op == EMU_OP_CLZ, 0x0fbd, rd, ra);
		break;
	case EMU_OP_CTZ: case EMU_OP_CTZ32:
		rd = gen_def(g, op->d, 0);
		as_rr_prefix(a, 0xf3, op->op == EMU_OP_CTZ, 0x0fbc, rd, ra);
		break;
	case EMU_OP_POPCNT: case EMU_OP_POPCNT32:
		rd = gen_def(g, op->d, 0);
		as_rr_prefix(a, 0xf3, op->op == EMU_OP_POPCNT, 0x0fb8, rd, ra);
		break;
	case EMU_OP_NOT:
		rd = gen_def(g, op->d, 0);
		as_mov_rr(a, rd, ra);
		as_rr(a, true, 0xf7, 2, rd);
		break;
	case EMU_OP_BSWAP:
		rd = gen_def(g, op->d, 0);
		as_mov_rr(a, rd, ra);
		as_rex(a, true, 0, 0, rd, false);
		as8(a, 0x0f);
		as8(a, 0xc8u | (unsigned)(rd & 7));
		break;
	default: /* ORCB: a byte compared with 0, and the result turned round */
		rd = gen_def(g, op->d, 0);
		{
			int x = gen_fscratch(g), z = gen_fscratch(g);

			as_vrr(a, 1, 1, true, 0x6e, x, 0, ra);        /* vmovq */
			as_vrr(a, 1, 1, false, 0xef, z, z, z);        /* vpxor */
			as_vrr(a, 1, 1, false, 0x74, x, x, z);        /* vpcmpeqb */
			as_vrr(a, 1, 1, true, 0x7e, x, 0, rd);        /* vmovq rd, x */
			as_rr(a, true, 0xf7, 2, rd);
		}
		break;
	}
	gen_set(g, op->d, rd);
}

static void move(struct gen *g, const struct emu_op *op)
{
	int64_t v;
	int rd;

	if (gen_const(g, op->a, &v)) {
		if (op->d < EMU_GLOBALS && g->pins->host[op->d] < 0 && v == (int32_t)v) {
			/* straight into memory: mov qword [rbp + off], imm32 */
			as_rm(&g->as, true, 0xc7, 0, RBP, emu_x86_global(op->d));
			as32(&g->as, (uint32_t)v);
			if (g->reg[op->d] >= 0) {
				g->hold[g->reg[op->d]] = EMU_NOTEMP;
				g->reg[op->d] = -1;
			}
			return;
		}
		rd = gen_def(g, op->d, 0);
		as_mov_ri(&g->as, rd, v);
		gen_set(g, op->d, rd);
		return;
	}
	if (op->d < EMU_GLOBALS && g->pins->host[op->d] >= 0) {
		int32_t disp;

		if (gen_in_memory(g, op->a, &disp))
			as_load(&g->as, g->pins->host[op->d], RBP, disp);
		else
			as_mov_rr(&g->as, g->pins->host[op->d], gen_use(g, op->a));
		return;
	}
	gen_set(g, op->d, gen_use(g, op->a));
}

static void andn(struct gen *g, const struct emu_op *op)
{
	const struct emu_op *low = gen_narrowed(g, op->d, 1);
	uint16_t d = low ? low->d : op->d;
	int ra = gen_use(g, op->a), rb = gen_use(g, op->b), rd = gen_def(g, d, 0);

	as_vrr(&g->as, 0, 2, !low, 0xf2, rd, rb, ra); /* andn rd, rb, ra: ~rb & ra */
	gen_set(g, d, rd);
}

bool gen_int(struct gen *g, const struct emu_op *op)
{
	switch (op->op) {
	case EMU_OP_MOV: move(g, op); return true;
	case EMU_OP_ADD: arith(g, op, ALU_ADD, true, true); return true;
	case EMU_OP_SUB: arith(g, op, ALU_SUB, true, false); return true;
	case EMU_OP_AND: arith(g, op, ALU_AND, true, true); return true;
	case EMU_OP_OR: arith(g, op, ALU_OR, true, true); return true;
	case EMU_OP_XOR: arith(g, op, ALU_XOR, true, true); return true;
	case EMU_OP_ADD32: arith(g, op, ALU_ADD, false, true); return true;
	case EMU_OP_SUB32: arith(g, op, ALU_SUB, false, false); return true;
	case EMU_OP_ANDN: andn(g, op); return true;
	case EMU_OP_SHL: case EMU_OP_SHR: case EMU_OP_SAR: case EMU_OP_ROTR: shift(g, op, true); return true;
	case EMU_OP_SHL32: case EMU_OP_SHR32: case EMU_OP_SAR32: case EMU_OP_ROTR32:
		shift(g, op, false);
		return true;
	case EMU_OP_MUL: mul(g, op, true); return true;
	case EMU_OP_MUL32: mul(g, op, false); return true;
	case EMU_OP_MULHU: case EMU_OP_MULHS: case EMU_OP_MULHSU: mulh(g, op); return true;
	case EMU_OP_DIVS: case EMU_OP_DIVU: case EMU_OP_REMS: case EMU_OP_REMU: divide(g, op, true); return true;
	case EMU_OP_DIVS32: case EMU_OP_DIVU32: case EMU_OP_REMS32: case EMU_OP_REMU32:
		divide(g, op, false);
		return true;
	default:
		if (op->op < EMU_OP_NOT || op->op > EMU_OP_ORCB)
			return false;
		unary(g, op);
		return true;
	}
}
