/* Vectors of integers as AVX code: arithmetic, logic, comparisons, shifts, other widths. */
#include "emu/x86_vec.h"

/* One instruction, by the size of the element; 0: there is none. */
struct simple {
	uint8_t op, marks;
	bool swap;
	uint16_t code[4];
};
static const struct simple simples[] = {
	{ EMU_OP_VAND, 0, false, { 0x1db, 0x1db, 0x1db, 0x1db } },
	{ EMU_OP_VOR, 0, false, { 0x1eb, 0x1eb, 0x1eb, 0x1eb } },
	{ EMU_OP_VXOR, 0, false, { 0x1ef, 0x1ef, 0x1ef, 0x1ef } },
	{ EMU_OP_VBIC, 0, true, { 0x1df, 0x1df, 0x1df, 0x1df } },
	{ EMU_OP_VADD, 0, false, { 0x1fc, 0x1fd, 0x1fe, 0x1d4 } },
	{ EMU_OP_VSUB, 0, false, { 0x1f8, 0x1f9, 0x1fa, 0x1fb } },
	{ EMU_OP_VMUL, 0, false, { 0, 0x1d5, 0x240, 0 } },
	{ EMU_OP_VCMGT, 0, false, { 0x164, 0x165, 0x166, 0x237 } },
	{ EMU_OP_VMIN, 0, false, { 0x238, 0x1ea, 0x239, 0 } },
	{ EMU_OP_VMIN, EMU_VU, false, { 0x1da, 0x23a, 0x23b, 0 } },
	{ EMU_OP_VMAX, 0, false, { 0x23c, 0x1ee, 0x23d, 0 } },
	{ EMU_OP_VMAX, EMU_VU, false, { 0x1de, 0x23e, 0x23f, 0 } },
	{ EMU_OP_VHADD, EMU_VU | EMU_VR, false, { 0x1e0, 0x1e3, 0, 0 } },
};
static const uint16_t equal[4] = { 0x174, 0x175, 0x176, 0x229 }, greater[4] = { 0x164, 0x165, 0x166, 0x237 };

/* Marks that change an operation where the element's signedness does not matter are no marks. */
static unsigned simple_code(const struct emu_op *op, unsigned name, unsigned marks, bool *swap)
{
	for (unsigned i = 0; i < sizeof(simples) / sizeof(simples[0]); i++) {
		if (simples[i].op != name || simples[i].marks != marks)
			continue;
		*swap = simples[i].swap;
		return simples[i].code[op->aux & 3];
	}
	return 0;
}

static unsigned minmax_code(const struct emu_op *op, unsigned name)
{
	bool swap;

	return simple_code(op, name, op->aux & EMU_VU, &swap);
}

static bool simple(struct gen *g, const struct emu_op *op)
{
	bool swap = false, signless = op->op == EMU_OP_VADD || op->op == EMU_OP_VSUB || op->op == EMU_OP_VMUL;
	unsigned code = simple_code(op, op->op, signless ? 0 : op->aux & (EMU_VU | EMU_VR | EMU_VHI | EMU_VSAT), &swap);
	int a, b, d;

	if (!code)
		return false;
	a = gen_fuse(g, op->a);
	b = gen_fuse(g, op->b);
	d = gen_fdef(g, op->d, 0);
	v2(g, code, d, swap ? b : a, swap ? a : b);
	vec_set(g, op, d, true);
	return true;
}

static void invert(struct gen *g, int d, int tmp)
{
	vones(g, tmp);
	v2(g, 0x1ef, d, d, tmp);
}

/* The orders that are not one instruction. */
static bool compare(struct gen *g, const struct emu_op *op)
{
	unsigned e = op->aux & 3;
	bool u = op->aux & EMU_VU, ge = op->op == EMU_OP_VCMGE;
	int a = gen_fuse(g, op->a), b = gen_fuse(g, op->b), t = gen_fscratch(g), s;

	if (e < EMU_V64) { /* a >= b when a is the larger one; a > b when it is not the smaller one */
		v2(g, minmax_code(op, ge ? EMU_OP_VMAX : EMU_OP_VMIN), t, a, b);
		v2(g, equal[e], t, t, a);
		if (!ge)
			invert(g, t, gen_fscratch(g));
	} else {
		s = gen_fscratch(g);
		if (u) {
			v2c(g, 0x1ef, t, a, X86_SIGNS64);
			v2c(g, 0x1ef, s, b, X86_SIGNS64);
			a = t;
			b = s;
		}
		v2(g, greater[e], t, ge ? b : a, ge ? a : b);
		if (ge)
			invert(g, t, s);
	}
	vec_set(g, op, t, false);
	return true;
}

static bool logic(struct gen *g, const struct emu_op *op)
{
	int a, b, c, t, d;

	switch (op->op) {
	case EMU_OP_VNOT:
		a = gen_fuse(g, op->a);
		t = gen_fscratch(g);
		vones(g, t);
		v2(g, 0x1ef, t, t, a);
		vec_set(g, op, t, false);
		return true;
	case EMU_OP_VORN: /* ~(~a & b) */
		a = gen_fuse(g, op->a);
		b = gen_fuse(g, op->b);
		t = gen_fscratch(g);
		v2(g, 0x1df, t, a, b);
		invert(g, t, gen_fscratch(g));
		vec_set(g, op, t, false);
		return true;
	case EMU_OP_VBSL:
		a = gen_fuse(g, op->a);
		b = gen_fuse(g, op->b);
		c = gen_fuse(g, op->c);
		t = gen_fscratch(g);
		d = op->d < EMU_GLOBALS && g->pins->host[op->d] >= 0 ? g->pins->host[op->d] : -1;
		if (d < 0 || d == a || d == b || d == c) {
			/* c ^ (a & (b ^ c)) needs one register only */
			v2(g, 0x1ef, t, b, c);
			v2(g, 0x1db, t, t, a);
			v2(g, 0x1ef, t, t, c);
		} else {
			v2(g, 0x1df, t, a, c);
			v2(g, 0x1db, d, a, b);
			v2(g, 0x1eb, d, d, t);
			t = d;
		}
		vec_set(g, op, t, true);
		return true;
	default: return false;
	}
}

static bool with_temp(struct gen *g, const struct emu_op *op)
{
	unsigned e = op->aux & 3;
	int a, b, t, s;

	if (op->aux & EMU_VSAT)
		return false;
	a = gen_fuse(g, op->a);
	switch (op->op) {
	case EMU_OP_VCMEQ:
		b = gen_fuse(g, op->b);
		t = gen_fdef(g, op->d, 0);
		v2(g, equal[e], t, a, b);
		vec_set(g, op, t, false);
		return true;
	case EMU_OP_VCMTST:
		b = gen_fuse(g, op->b);
		t = gen_fscratch(g);
		s = gen_fscratch(g);
		v2(g, 0x1db, t, a, b);
		vzero(g, s);
		v2(g, equal[e], t, t, s);
		invert(g, t, s);
		vec_set(g, op, t, true);
		return true;
	case EMU_OP_VNEG:
		t = gen_fscratch(g);
		vzero(g, t);
		v2(g, (unsigned)(e == EMU_V64 ? 0x1fb : 0x1f8 + e), t, t, a);
		vec_set(g, op, t, true);
		return true;
	case EMU_OP_VABS:
		if (e < EMU_V64) {
			t = gen_fdef(g, op->d, 0);
			v1(g, 0x21c + e, t, a);
		} else { /* (a ^ sign) - sign */
			t = gen_fscratch(g);
			s = gen_fscratch(g);
			vzero(g, s);
			v2(g, 0x237, s, s, a);
			v2(g, 0x1ef, t, a, s);
			v2(g, 0x1fb, t, t, s);
		}
		vec_set(g, op, t, true);
		return true;
	default: /* VABD */
		if (e == EMU_V64)
			return false;
		b = gen_fuse(g, op->b);
		t = gen_fscratch(g);
		s = gen_fscratch(g);
		v2(g, minmax_code(op, EMU_OP_VMAX), t, a, b);
		v2(g, minmax_code(op, EMU_OP_VMIN), s, a, b);
		v2(g, 0x1f8 + e, t, t, s);
		vec_set(g, op, t, true);
		return true;
	}
}

/* A byte in every byte. */
static void spread_byte(struct gen *g, int d, unsigned byte)
{
	int t = gen_scratch(g);

	as_mov_ri(&g->as, t, byte);
	as_vrr(&g->as, 1, 1, false, 0x6e, d, 0, t);
	v1(g, 0x278, d, d); /* vpbroadcastb */
}

static bool shift(struct gen *g, const struct emu_op *op)
{
	unsigned e = op->aux & 3, bits = 8u << e, n = (unsigned)op->imm, left = op->op == EMU_OP_VSHL;
	bool u = op->aux & EMU_VU;
	int a, t, m;

	if ((op->aux & EMU_VR) || (e == EMU_V8 && !left && !u) || (e == EMU_V64 && !left && !u && n < 63))
		return false;
	a = gen_fuse(g, op->a);
	if (!left && n >= bits) {
		if (u) {
			t = gen_fscratch(g);
			vzero(g, t);
			vec_set(g, op, t, true);
			return true;
		}
		n = bits - 1;
	}
	if (e == EMU_V64 && !left && !u) { /* all sign */
		t = gen_fscratch(g);
		vzero(g, t);
		v2(g, 0x237, t, t, a);
	} else if (e == EMU_V8) {
		t = gen_fscratch(g);
		m = gen_fscratch(g);
		spread_byte(g, m, (left ? 0xffu << n : 0xffu >> n) & 0xff);
		vshift(g, 0x71, left ? 6 : 2, t, a, n);
		v2(g, 0x1db, t, t, m);
	} else {
		t = gen_fdef(g, op->d, 0);
		vshift(g, 0x70 + e, left ? 6 : u ? 2 : 4, t, a, n);
	}
	vec_set(g, op, t, true);
	return true;
}

/* By a register, logical, of 32 and 64 bits: AVX2's variable shifts give 0 for counts that are too large. */
static bool shift_variable(struct gen *g, const struct emu_op *op)
{
	unsigned e = op->aux & 3;
	bool wide = e == EMU_V64;
	int a, b, t, s;

	if (e < EMU_V32 || (op->aux & (EMU_VR | EMU_VSAT)) || (wide && !(op->aux & EMU_VU)))
		return false;
	a = gen_fuse(g, op->a);
	b = gen_fuse(g, op->b);
	t = gen_fscratch(g);
	s = gen_fscratch(g);
	vzero(g, s);
	v2(g, wide ? 0x1fb : 0x1fa, s, s, b);
	v2c(g, 0x1db, s, s, wide ? X86_LOW8_64 : X86_LOW8_32); /* the count to the right */
	v2c(g, 0x1db, t, b, wide ? X86_LOW8_64 : X86_LOW8_32);
	as_vrr(&g->as, 1, 2, wide, 0x47, t, a, t);             /* vpsllv */
	if (op->aux & EMU_VU) {
		as_vrr(&g->as, 1, 2, wide, 0x45, s, a, s);     /* vpsrlv */
		v2(g, 0x1eb, t, t, s);
	} else { /* the sign of the count's low byte decides */
		v2(g, 0x246, s, a, s);                         /* vpsravd */
		if (b < FSCRATCH && op->b >= EMU_GLOBALS && g->last[op->b] <= g->at) {
			vshift(g, 0x72, 6, b, b, 24);
			as_vrr(&g->as, 1, 3, false, 0x4a, t, t, s); /* vblendvps */
			as8(&g->as, (unsigned)b << 4);
		} else {
			/* vpsravd of the count itself gives the mask in a register that is free: t is needed, so
			 * merge by xor: t ^ ((t ^ s) & mask) */
			v2(g, 0x1ef, s, s, t);
			as_vrm(&g->as, 0, 1, false, 0x11, t, 0, RBP, CPU_OFF(vsave));
			vshift(g, 0x72, 6, t, b, 24);
			vshift(g, 0x72, 4, t, t, 31);
			v2(g, 0x1db, s, s, t);
			as_vrm(&g->as, 1, 1, false, 0xef, s, s, RBP, CPU_OFF(vsave));
			t = s;
		}
	}
	vec_set(g, op, t, true);
	return true;
}

static bool narrow(struct gen *g, const struct emu_op *op)
{
	unsigned e = op->aux & 3, n = (unsigned)op->imm;
	int a, t;

	if (op->aux & (EMU_VR | EMU_VSAT | EMU_VSCALAR))
		return false;
	a = gen_fuse(g, op->a);
	t = gen_fscratch(g);
	if (e == EMU_V8) {
		if (n == 8) {
			vshift(g, 0x71, 2, t, a, 8);
		} else {
			if (n)
				vshift(g, 0x71, 2, t, a, n);
			v2c(g, 0x1db, t, n ? t : a, X86_LOW8_16);
		}
		v2(g, 0x167, t, t, t); /* vpackuswb */
	} else if (e == EMU_V16) {
		if (n == 16) {
			vshift(g, 0x72, 2, t, a, 16);
		} else {
			if (n)
				vshift(g, 0x72, 2, t, a, n);
			v2c(g, 0x1db, t, n ? t : a, X86_LOW16_32);
		}
		v2(g, 0x22b, t, t, t); /* vpackusdw */
	} else {
		if (n)
			vshift(g, 0x73, 2, t, a, n);
		v1i(g, 0x170, t, n ? t : a, 0x08); /* vpshufd: elements 0 and 2 */
	}
	vmovq(g, t, t);
	gen_fset_clean(g, op->d, t, 1);
	return true;
}

/* d = a's half with elements of twice the width */
static void extend(struct gen *g, const struct emu_op *op, int d, int a)
{
	static const uint16_t code[2][3] = { { 0x220, 0x223, 0x225 }, { 0x230, 0x233, 0x235 } };

	if (op->aux & EMU_VHI) {
		vshift(g, 0x73, 3, d, a, 8);
		a = d;
	}
	v1(g, code[op->aux & EMU_VU ? 1 : 0][op->aux & 3], d, a);
}

static bool widen(struct gen *g, const struct emu_op *op)
{
	unsigned e = op->aux & 3, u = op->aux & EMU_VU;
	int a, b, t, s;

	if (op->aux & EMU_VSCALAR)
		return false;
	a = gen_fuse(g, op->a);
	if (op->op == EMU_OP_VEXTL) {
		t = gen_fdef(g, op->d, 0);
		extend(g, op, t, a);
		gen_fset(g, op->d, t);
		return true;
	}
	b = gen_fuse(g, op->b);
	t = gen_fscratch(g);
	s = gen_fscratch(g);
	if (e == EMU_V32) { /* elements to places 0 and 2, where vpmul(u)dq wants them */
		v1i(g, 0x170, t, a, op->aux & EMU_VHI ? 0x32 : 0x10);
		v1i(g, 0x170, s, b, op->aux & EMU_VHI ? 0x32 : 0x10);
		v2(g, u ? 0x1f4 : 0x228, t, t, s);
	} else if (e == EMU_V16) {
		v2(g, 0x1d5, t, a, b);
		v2(g, u ? 0x1e4 : 0x1e5, s, a, b);
		v2(g, op->aux & EMU_VHI ? 0x169 : 0x161, t, t, s);
	} else {
		extend(g, op, t, a);
		extend(g, op, s, b);
		v2(g, 0x1d5, t, t, s);
	}
	gen_fset(g, op->d, t);
	return true;
}

bool vec_arith(struct gen *g, const struct emu_op *op)
{
	if ((op->aux & EMU_VSCALAR) && (op->aux & 3) != EMU_V64)
		return false;
	switch (op->op) {
	case EMU_OP_VNOT: case EMU_OP_VORN: case EMU_OP_VBSL: return logic(g, op);
	case EMU_OP_VCMEQ: case EMU_OP_VCMTST: case EMU_OP_VNEG: case EMU_OP_VABS: case EMU_OP_VABD: return with_temp(g, op);
	case EMU_OP_VCMGT: return simple(g, op) || compare(g, op);
	case EMU_OP_VCMGE: return compare(g, op);
	case EMU_OP_VSHL: case EMU_OP_VSHR: return shift(g, op);
	case EMU_OP_VSHLV: return shift_variable(g, op);
	case EMU_OP_VSHRN: return narrow(g, op);
	case EMU_OP_VEXTL: case EMU_OP_VMULL: return widen(g, op);
	default: return simple(g, op);
	}
}
