/* AArch64: condition flags as late as possible (a64_translate.h). */
#include "emu/a64_translate.h"
#include "emu/mem.h"

unsigned a64_flags_pack(unsigned nzcv)
{
	return (nzcv & 8 ? EMU_FLAG_N : 0) | (nzcv & 4 ? EMU_FLAG_Z : 0) | (nzcv & 2 ? EMU_FLAG_C : 0) |
	       (nzcv & 1 ? EMU_FLAG_V : 0);
}

/* A copy that later writes to the register do not change. */
static uint16_t keep(struct emu_ir *ir, uint16_t t)
{
	return t < EMU_GLOBALS ? a64_new(ir, EMU_OP_MOV, t, EMU_NOTEMP) : t;
}

void a64_flags_set_if(struct emu_xlat *x, enum emu_opcode op, bool wide, uint16_t a, uint16_t b, uint16_t c,
		      unsigned nzcv)
{
	x->flags = (struct emu_x_flags){
		.op = (uint8_t)op, .w = wide ? EMU_W64 : EMU_W32, .a = keep(x->ir, a),
		.b = b == EMU_NOTEMP ? b : keep(x->ir, b), .c = c, .nzcv = (uint8_t)nzcv, .known = true, .late = true,
	};
}

void a64_flags_set(struct emu_xlat *x, enum emu_opcode op, bool wide, uint16_t a, uint16_t b)
{
	a64_flags_set_if(x, op, wide, a, b, EMU_NOTEMP, 0);
}

void a64_flags_set_packed(struct emu_xlat *x, uint16_t t)
{
	emu_ir_1(x->ir, EMU_OP_MOV, A64_FLAGS, t);
	x->flags = (struct emu_x_flags){ .known = false };
}

void a64_flags_set_bits(struct emu_xlat *x, uint16_t t)
{
	struct emu_ir *ir = x->ir;
	uint16_t nz = a64_new_i(ir, EMU_OP_SHL, a64_new_i(ir, EMU_OP_AND, t, 12), 12);
	uint16_t c = a64_new_i(ir, EMU_OP_SHL, a64_new_i(ir, EMU_OP_AND, t, 2), 7);
	uint16_t v = a64_new_i(ir, EMU_OP_AND, t, 1);

	a64_flags_set_packed(x, a64_new(ir, EMU_OP_OR, a64_new(ir, EMU_OP_OR, nz, c), v));
}

/* ---- who reads them ---- */

static bool reads(unsigned class, const struct a64_insn *i)
{
	switch (class) {
	case A64_CLASS_CARRY: case A64_CLASS_COND_CMP: case A64_CLASS_COND_SEL: case A64_CLASS_FP_COND_CMP:
	case A64_CLASS_FP_SELECT: case A64_CLASS_SYSTEM: case A64_CLASS_EXCEPTION: case A64_CLASS_BRANCH_REG:
		return true;
	}
	return i->id == A64_b_cond;
}

static bool writes(const struct a64_insn *i)
{
	switch (i->id) {
	case A64_adds_imm: case A64_subs_imm: case A64_adds_reg: case A64_subs_reg: case A64_adds_ext: case A64_subs_ext:
	case A64_ands_imm: case A64_ands_reg: case A64_bics_reg:
		return true;
	}
	return i->class == A64_CLASS_FP_COMPARE;
}

/* May they be read from pc on before they are written? Looks at the page of the instruction being
 * translated, which the block depends on; elsewhere the answer is yes. */
static bool live_at(const struct emu_xlat *x, uint64_t pc, unsigned *budget)
{
	struct a64_insn i;

	while (*budget) {
		const uint8_t *code = x->page + pc % EMU_PAGE;

		--*budget; /* before any way on: a branch may lead to itself */
		if (pc / EMU_PAGE != x->pc / EMU_PAGE || pc % 4 ||
		    !a64_decode(code[0] | (uint32_t)code[1] << 8 | (uint32_t)code[2] << 16 | (uint32_t)code[3] << 24, &i) ||
		    reads(i.class, &i))
			return true;
		if (writes(&i))
			return false;
		pc += i.class == A64_CLASS_BRANCH ? (uint64_t)i.imm : 4;
		if (i.class == A64_CLASS_BRANCH_COND && live_at(x, pc - 4 + (uint64_t)i.imm, budget))
			return true;
	}
	return true;
}

static bool live(const struct emu_xlat *x, uint64_t pc)
{
	unsigned budget = 48;

	return pc == EMU_ANYWHERE || !x->page || live_at(x, pc, &budget);
}

static void compute(struct emu_xlat *x, const struct emu_x_flags *f, uint16_t d)
{
	struct emu_ir *ir = x->ir;
	uint16_t a = f->a, b = f->b;

	if (f->op == EMU_OP_FLAGLOGIC) {
		if (b != a)
			a = a64_new(ir, EMU_OP_AND, a, b);
		b = EMU_NOTEMP;
	}
	emu_ir_emit(ir, (enum emu_opcode)f->op, f->w, d, a, b, EMU_NOTEMP, 0);
}

void a64_flags_settle(struct emu_xlat *x, uint64_t pc)
{
	struct emu_x_flags *f = &x->flags;
	struct emu_ir *ir = x->ir;

	if (!f->late || !live(x, pc))
		return;
	f->late = false;
	if (f->c == EMU_NOTEMP) {
		compute(x, f, A64_FLAGS);
	} else {
		uint16_t t = emu_ir_temp(ir);

		compute(x, f, t);
		emu_ir_emit(ir, EMU_OP_SELECT, 0, A64_FLAGS, f->c, t, emu_ir_const(ir, a64_flags_pack(f->nzcv)), 0);
	}
}

void a64_flags_fault(struct emu_xlat *x)
{
	a64_flags_settle(x, x->pc);
}

/* ---- conditions ---- */

static bool nzcv_holds(unsigned nzcv, unsigned cond)
{
	bool n = nzcv & 8, z = nzcv & 4, c = nzcv & 2, v = nzcv & 1, r;

	switch (cond >> 1) {
	case 0: r = z; break;
	case 1: r = c; break;
	case 2: r = n; break;
	case 3: r = v; break;
	case 4: r = c && !z; break;
	case 5: r = n == v; break;
	case 6: r = n == v && !z; break;
	default: return true;
	}
	return r != (cond & 1);
}

static struct a64_test constant(struct emu_xlat *x, bool holds)
{
	uint16_t zero = emu_ir_const(x->ir, 0);

	return (struct a64_test){ zero, zero, holds ? EMU_EQ : EMU_NE };
}

/* From the operation that set them. False: that says nothing about this condition. */
static bool from_operation(struct emu_xlat *x, unsigned cond, struct a64_test *t)
{
	static const uint8_t sub[16] = {
		[A64_CEQ] = EMU_EQ, [A64_CNE] = EMU_NE, [A64_CCS] = EMU_GEU, [A64_CCC] = EMU_LTU, [A64_CHI] = EMU_GTU,
		[A64_CLS] = EMU_LEU, [A64_CGE] = EMU_GE, [A64_CLT] = EMU_LT, [A64_CGT] = EMU_GT, [A64_CLE] = EMU_LE,
	};
	static const uint8_t zero[16] = { /* against 0, when C and V are 0 */
		[A64_CEQ] = EMU_EQ, [A64_CNE] = EMU_NE, [A64_CMI] = EMU_LT, [A64_CPL] = EMU_GE, [A64_CGE] = EMU_GE,
		[A64_CLT] = EMU_LT, [A64_CGT] = EMU_GT, [A64_CLE] = EMU_LE,
	};
	struct emu_ir *ir = x->ir;
	const struct emu_x_flags *f = &x->flags;
	bool wide = f->w == EMU_W64, sign = cond == A64_CMI || cond == A64_CPL;

	if (cond == A64_CVS || cond == A64_CVC) {
		*t = constant(x, cond == A64_CVC);
		return f->op == EMU_OP_FLAGLOGIC;
	}
	if (f->op == EMU_OP_FLAGSUB && !sign) {
		*t = (struct a64_test){ f->a, f->b, sub[cond] };
	} else if (f->op == EMU_OP_FLAGLOGIC) {
		if (cond == A64_CCS || cond == A64_CHI || cond == A64_CCC || cond == A64_CLS) {
			*t = constant(x, cond == A64_CCC || cond == A64_CLS);
			return true;
		}
		if (cond <= A64_CNE && f->a != f->b)
			*t = (struct a64_test){ f->a, f->b, cond == A64_CEQ ? EMU_TSTEQ : EMU_TSTNE };
		else
			*t = (struct a64_test){ f->a == f->b ? f->a : a64_new(ir, EMU_OP_AND, f->a, f->b), emu_ir_const(ir, 0),
						zero[cond] };
	} else if (f->op == EMU_OP_FLAGADD && (cond == A64_CCS || cond == A64_CCC)) {
		*t = (struct a64_test){ a64_new(ir, wide ? EMU_OP_ADD : EMU_OP_ADD32, f->a, f->b), f->a,
					cond == A64_CCS ? EMU_LTU : EMU_GEU };
	} else if (sign || cond <= A64_CNE) {
		bool add = f->op == EMU_OP_FLAGADD;

		*t = (struct a64_test){ a64_new(ir, add ? EMU_OP_ADD : EMU_OP_SUB, f->a, f->b), emu_ir_const(ir, 0),
					zero[cond] };
	} else {
		return false;
	}
	t->cond |= wide ? 0 : EMU_C32;
	return true;
}

/* From the packed flags. */
static struct a64_test from_flags(struct emu_xlat *x, unsigned cond)
{
	static const uint16_t bit[4] = { EMU_FLAG_Z, EMU_FLAG_C, EMU_FLAG_N, EMU_FLAG_V };
	struct emu_ir *ir = x->ir;
	unsigned flip = cond & 1;
	uint16_t t;

	if (cond >> 1 < 4)
		return (struct a64_test){ A64_FLAGS, emu_ir_const(ir, bit[cond >> 1]), (uint8_t)(EMU_TSTNE ^ flip) };
	if (cond >> 1 == 4) {
		t = a64_new_i(ir, EMU_OP_AND, A64_FLAGS, EMU_FLAG_C | EMU_FLAG_Z);
		return (struct a64_test){ t, emu_ir_const(ir, EMU_FLAG_C), (uint8_t)(EMU_EQ ^ flip) };
	}
	/* less is N, equal Z and C, greater C, unordered C and V: no other flags come of a comparison */
	if (x->flags.compared && cond >> 1 == 5)
		return (struct a64_test){ A64_FLAGS, emu_ir_const(ir, EMU_FLAG_N | EMU_FLAG_V),
					  (uint8_t)(EMU_TSTEQ ^ flip) };
	if (x->flags.compared)
		return (struct a64_test){ A64_FLAGS, emu_ir_const(ir, EMU_FLAG_C), (uint8_t)(EMU_EQ ^ flip) };
	/* bit 0: N differs from V */
	t = a64_new(ir, EMU_OP_XOR, a64_new_i(ir, EMU_OP_SHR, A64_FLAGS, 15), A64_FLAGS);
	if (cond >> 1 == 5)
		return (struct a64_test){ t, emu_ir_const(ir, 1), (uint8_t)(EMU_TSTEQ ^ flip) };
	/* and Z, which is bit 14 there */
	return (struct a64_test){ t, emu_ir_const(ir, EMU_FLAG_Z | 1), (uint8_t)(EMU_TSTEQ ^ flip) };
}

uint16_t a64_condition_value(struct emu_xlat *x, unsigned cond)
{
	struct a64_test t = a64_condition(x, cond);
	uint16_t d = emu_ir_temp(x->ir);

	emu_ir_emit(x->ir, EMU_OP_SETCOND, t.cond, d, t.a, t.b, EMU_NOTEMP, 0);
	return d;
}

struct a64_test a64_condition(struct emu_xlat *x, unsigned cond)
{
	struct emu_ir *ir = x->ir;
	struct emu_x_flags *f = &x->flags;
	struct a64_test t;

	if (cond >= A64_CAL)
		return constant(x, true);
	if (f->known && from_operation(x, cond, &t)) {
		uint16_t d, one = emu_ir_const(ir, 1);

		if (f->c == EMU_NOTEMP)
			return t;
		d = emu_ir_temp(ir);
		emu_ir_emit(ir, EMU_OP_SETCOND, t.cond, d, t.a, t.b, EMU_NOTEMP, 0);
		if (nzcv_holds(f->nzcv, cond))
			d = a64_new(ir, EMU_OP_OR, d, a64_new(ir, EMU_OP_XOR, f->c, one));
		else
			d = a64_new(ir, EMU_OP_AND, d, f->c);
		return (struct a64_test){ d, emu_ir_const(ir, 0), EMU_NE };
	}
	a64_flags_settle(x, EMU_ANYWHERE);
	return from_flags(x, cond);
}

void a64_select(struct emu_xlat *x, unsigned cond, uint16_t d, uint16_t a, uint16_t b)
{
	uint16_t t = a64_condition_value(x, cond);

	emu_ir_emit(x->ir, EMU_OP_SELECT, 0, d, t, a, b, 0);
}
