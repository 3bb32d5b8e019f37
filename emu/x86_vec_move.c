/* Vectors as AVX code: elements from and to integer registers, permutations, tables. */
#include "emu/x86_vec.h"

static void constant(struct gen *g, const struct emu_op *op)
{
	int d = gen_fdef(g, op->d, 0), t;

	if (op->imm == 0) {
		vzero(g, d);
	} else if (op->imm == -1 && vec_q(op)) {
		vones(g, d);
	} else {
		t = gen_scratch(g);
		as_mov_ri(&g->as, t, op->imm);
		as_vrr(&g->as, 1, 1, true, 0x6e, d, 0, t);
		if (vec_q(op))
			v2(g, 0x16c, d, d, d);
	}
	gen_fset_clean(g, op->d, d, op->imm && vec_q(op) ? 0 : (uint64_t)op->imm >> 32 ? 1 : 2);
}

static bool zero_extend(struct gen *g, const struct emu_op *op)
{
	unsigned e = op->aux & 3, clean = e == EMU_V64 ? 1 : 2;
	int a = gen_fuse(g, op->a), d;

	if (g->clean[op->a] >= clean && e >= EMU_V32) {
		gen_fset_clean(g, op->d, a, g->clean[op->a]);
		return true;
	}
	d = gen_fdef(g, op->d, 0);
	if (e == EMU_V64)
		vmovq(g, d, a);
	else if (e == EMU_V32)
		v2i(g, 0x321, d, a, a, 0x0e); /* vinsertps: zeros above */
	else
		v2c(g, 0x1db, d, a, e == EMU_V16 ? X86_LOW16 : X86_LOW8);
	gen_fset_clean(g, op->d, d, clean);
	return true;
}

static bool duplicate(struct gen *g, const struct emu_op *op)
{
	static const uint16_t broadcast[4] = { 0x278, 0x279, 0x258, 0x259 };
	unsigned e = op->aux & 3, at = (unsigned)op->imm;
	int a, d;

	if (op->op == EMU_OP_VDUP) {
		a = gen_use(g, op->a);
		d = gen_fdef(g, op->d, 0);
		as_vrr(&g->as, 1, 1, e == EMU_V64, 0x6e, d, 0, a);
		if (e < EMU_V64 || vec_q(op))
			v1(g, broadcast[e], d, d);
	} else {
		a = gen_fuse(g, op->a);
		d = gen_fdef(g, op->d, 0);
		if (e == EMU_V32) {
			v1i(g, 0x170, d, a, at * 0x55);
		} else if (e == EMU_V64 && at) {
			v2(g, 0x16d, d, a, a);
		} else {
			if (at) {
				vshift(g, 0x73, 3, d, a, at << e);
				a = d;
			}
			v1(g, broadcast[e], d, a);
		}
		if (op->aux & EMU_VSCALAR) { /* the element alone */
			if (e == EMU_V64)
				vmovq(g, d, d);
			else if (e == EMU_V32)
				v2i(g, 0x321, d, d, d, 0x0e);
			else
				v2c(g, 0x1db, d, d, e == EMU_V16 ? X86_LOW16 : X86_LOW8);
			gen_fset_clean(g, op->d, d, e == EMU_V64 ? 1 : 2);
			return true;
		}
	}
	if (e == EMU_V64 && !vec_q(op) && op->op == EMU_OP_VDUP)
		gen_fset_clean(g, op->d, d, 1);
	else
		vec_set(g, op, d, false);
	return true;
}

/* vpinsrb, w, d, q */
static void insert(struct gen *g, unsigned e, int d, int a, int reg, unsigned at)
{
	static const uint16_t code[4] = { 0x320, 0x1c4, 0x322, 0x322 };

	as_vrr(&g->as, 1, code[e] >> 8, e == EMU_V64, code[e] & 0xff, d, a, reg);
	as8(&g->as, at);
}

/* vpextrb, w, d, q; zero-extended */
static void extract(struct gen *g, unsigned e, int reg, int a, unsigned at)
{
	static const uint8_t code[4] = { 0x14, 0x15, 0x16, 0x16 };

	if (at == 0 && e >= EMU_V32) {
		as_vrr(&g->as, 1, 1, e == EMU_V64, 0x7e, a, 0, reg);
		return;
	}
	as_vrr(&g->as, 1, 3, e == EMU_V64, code[e], a, 0, reg);
	as8(&g->as, at);
}

static bool element(struct gen *g, const struct emu_op *op)
{
	unsigned e = op->aux & 3, at = (unsigned)op->imm & 15, from = (unsigned)op->imm >> 4;
	int a, b, d;

	if (op->op == EMU_OP_VGET) {
		a = gen_fuse(g, op->a);
		d = gen_def(g, op->d, 0);
		extract(g, e, d, a, at);
		if (!(op->aux & EMU_VU) && e < EMU_V64) { /* movsx */
			as_rex(&g->as, true, d, 0, d, false);
			as_op(&g->as, e == EMU_V8 ? 0x0fbe : e == EMU_V16 ? 0x0fbf : 0x63);
			as8(&g->as, 0xc0u | (unsigned)(d & 7) << 3 | (unsigned)(d & 7));
		}
		gen_set(g, op->d, d);
		return true;
	}
	a = gen_fuse(g, op->a);
	if (op->op == EMU_OP_VINS) {
		b = gen_use(g, op->b);
		d = gen_fdef(g, op->d, 0);
		insert(g, e, d, a, b, at);
		gen_fset(g, op->d, d);
		return true;
	}
	b = gen_fuse(g, op->b); /* VINSE */
	d = gen_fdef(g, op->d, 0);
	if (e == EMU_V32) {
		v2i(g, 0x321, d, a, b, from << 6 | at << 4);
	} else if (e == EMU_V64) {
		if (at && !from)
			v2(g, 0x16c, d, a, b);
		else if (!at && from)
			v2i(g, 0x1c6, d, b, a, 3); /* vshufpd: b's upper, a's upper */
		else
			v2i(g, 0x30d, d, a, b, at ? 2 : 1); /* vblendpd */
	} else {
		int t = gen_scratch(g);

		extract(g, e, t, b, from);
		insert(g, e, d, a, t, at);
	}
	gen_fset(g, op->d, d);
	return true;
}

static bool zip(struct gen *g, const struct emu_op *op)
{
	static const uint8_t low[4] = { 0x60, 0x61, 0x62, 0x6c }, high[4] = { 0x68, 0x69, 0x6a, 0x6d };
	unsigned e = op->aux & 3;
	bool hi = op->aux & EMU_VHI;
	int a = gen_fuse(g, op->a), b = gen_fuse(g, op->b), d = gen_fdef(g, op->d, 0);

	v2(g, 0x100u | (hi && vec_q(op) ? high : low)[e], d, a, b);
	if (hi && !vec_q(op)) { /* the upper 64 of the 128 bits are those wanted */
		vshift(g, 0x73, 3, d, d, 8);
		gen_fset_clean(g, op->d, d, 1);
	} else {
		vec_set(g, op, d, false);
	}
	return true;
}

static bool unzip(struct gen *g, const struct emu_op *op)
{
	unsigned e = op->aux & 3;
	bool hi = op->aux & EMU_VHI;
	int a = gen_fuse(g, op->a), b = gen_fuse(g, op->b), t = gen_fscratch(g), s;

	if (!vec_q(op)) { /* both in one register */
		v2(g, 0x16c, t, a, b);
		a = b = t;
	}
	switch (e) {
	case EMU_V64:
		v2(g, hi ? 0x16d : 0x16c, t, a, b);
		break;
	case EMU_V32: /* vshufps */
		as_vrr(&g->as, 0, 1, false, 0xc6, t, a, b);
		as8(&g->as, hi ? 0xdd : 0x88);
		break;
	default:
		s = a == b ? t : gen_fscratch(g);
		if (hi) {
			vshift(g, 0x71 + (e == EMU_V16), 2, s, b, 8u << e);
			if (s != t)
				vshift(g, 0x71 + (e == EMU_V16), 2, t, a, 8u << e);
		} else {
			v2c(g, 0x1db, s, b, e == EMU_V8 ? X86_LOW8_16 : X86_LOW16_32);
			if (s != t)
				v2c(g, 0x1db, t, a, e == EMU_V8 ? X86_LOW8_16 : X86_LOW16_32);
		}
		v2(g, e == EMU_V8 ? 0x167 : 0x22b, t, t, s);
		break;
	}
	vec_set(g, op, t, false);
	return true;
}

static bool transpose(struct gen *g, const struct emu_op *op)
{
	unsigned e = op->aux & 3;
	bool hi = op->aux & EMU_VHI;
	int a, b, t;

	if (e == EMU_V8)
		return false;
	a = gen_fuse(g, op->a);
	b = gen_fuse(g, op->b);
	t = gen_fscratch(g);
	if (e == EMU_V64) {
		v2(g, hi ? 0x16d : 0x16c, t, a, b);
	} else if (hi) { /* a's odd elements down, then every other one from b */
		vshift(g, e == EMU_V32 ? 0x73 : 0x72, 2, t, a, 8u << e);
		v2i(g, 0x30e, t, t, b, e == EMU_V32 ? 0xcc : 0xaa); /* vpblendw */
	} else {
		vshift(g, e == EMU_V32 ? 0x73 : 0x72, 6, t, b, 8u << e);
		v2i(g, 0x30e, t, a, t, e == EMU_V32 ? 0xcc : 0xaa);
	}
	vec_set(g, op, t, false);
	return true;
}

static bool reverse(struct gen *g, const struct emu_op *op)
{
	unsigned e = op->aux & 3, group = (unsigned)op->imm;
	int a = gen_fuse(g, op->a), d = gen_fdef(g, op->d, 0);

	if (e == EMU_V8) {
		v2c(g, 0x200, d, a, group == 1 ? X86_REV16 : group == 2 ? X86_REV32 : X86_REV64);
	} else if (e == EMU_V32) {
		v1i(g, 0x170, d, a, 0xb1);
	} else { /* vpshuflw, vpshufhw */
		as_vrr(&g->as, 3, 1, false, 0x70, d, 0, a);
		as8(&g->as, group == 2 ? 0xb1 : 0x1b);
		as_vrr(&g->as, 2, 1, false, 0x70, d, 0, d);
		as8(&g->as, group == 2 ? 0xb1 : 0x1b);
	}
	vec_set(g, op, d, true);
	return true;
}

static bool bytes_of_two(struct gen *g, const struct emu_op *op)
{
	int a = gen_fuse(g, op->a), b = gen_fuse(g, op->b), d = gen_fdef(g, op->d, 0);

	if (vec_q(op)) {
		v2i(g, 0x30f, d, b, a, (unsigned)op->imm); /* vpalignr */
		gen_fset(g, op->d, d);
		return true;
	}
	v2(g, 0x16c, d, a, b);
	if (op->imm)
		vshift(g, 0x73, 3, d, d, (unsigned)op->imm);
	vec_set(g, op, d, false);
	return true;
}

static bool table(struct gen *g, const struct emu_op *op)
{
	int a = gen_fuse(g, op->a), b = gen_fuse(g, op->b), c = gen_fuse(g, op->c), t = gen_fscratch(g), r;

	/* The index less the constant is at most 15, unsigned, where the table has it; vpshufb looks at bit 7
	 * and the low 4 bits. */
	if (op->imm) {
		r = gen_scratch(g);
		as_mov_ri(&g->as, r, op->imm);
		as_vrr(&g->as, 1, 1, false, 0x6e, t, 0, r);
		v1(g, 0x278, t, t); /* vpbroadcastb */
		v2(g, 0x1f8, t, b, t);
		b = t;
	}
	as_vrm(&g->as, 0, 1, false, 0x11, b, 0, RBP, CPU_OFF(vsave[0]));
	v2(g, 0x200, t, a, b);
	as_vrm(&g->as, 0, 1, false, 0x11, t, 0, RBP, CPU_OFF(vsave[1]));
	as_vrm(&g->as, 0, 1, false, 0x10, t, 0, RBP, CPU_OFF(vsave[0]));
	v2c(g, 0x1da, t, t, X86_NIBBLES);                                 /* vpminub */
	as_vrm(&g->as, 1, 1, false, 0x74, t, t, RBP, CPU_OFF(vsave[0]));  /* all ones where in reach */
	as_vrm(&g->as, 1, 3, false, 0x4c, t, c, RBP, CPU_OFF(vsave[1]));  /* vpblendvb */
	as8(&g->as, (unsigned)t << 4);
	vec_set(g, op, t, false);
	return true;
}

bool vec_move(struct gen *g, const struct emu_op *op)
{
	switch (op->op) {
	case EMU_OP_VCONST: constant(g, op); return true;
	case EMU_OP_VZEXT: return zero_extend(g, op);
	case EMU_OP_VDUP: case EMU_OP_VDUPE: return duplicate(g, op);
	case EMU_OP_VGET: case EMU_OP_VINS: case EMU_OP_VINSE: return element(g, op);
	case EMU_OP_VZIP: return zip(g, op);
	case EMU_OP_VUZP: return unzip(g, op);
	case EMU_OP_VTRN: return transpose(g, op);
	case EMU_OP_VREV: return reverse(g, op);
	case EMU_OP_VEXT: return bytes_of_two(g, op);
	case EMU_OP_VTBL: return table(g, op);
	default: return false;
	}
}
