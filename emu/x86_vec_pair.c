/* Vectors as AVX code: neighbours, all elements to one, ones in bytes. */
#include "emu/x86_vec.h"

/* The instruction that joins two elements of signed or unsigned integers. */
static unsigned join_code(const struct emu_op *op)
{
	static const uint16_t add[4] = { 0x1fc, 0x1fd, 0x1fe, 0x1d4 };
	static const uint16_t code[4][3] = { /* min, max, of signed, unsigned */
		{ 0x238, 0x1ea, 0x239 }, { 0x1da, 0x23a, 0x23b }, { 0x23c, 0x1ee, 0x23d }, { 0x1de, 0x23e, 0x23f },
	};
	unsigned e = op->aux & 3, u = op->aux & EMU_VU ? 1 : 0;

	switch (op->op) {
	case EMU_OP_VADDP: case EMU_OP_VADDV: return add[e];
	case EMU_OP_VMINP: case EMU_OP_VMINV: return code[u][e];
	default: return code[2 + u][e];
	}
}

/* x's pairs of bytes or words are joined in the lower one of each; the upper one becomes 0. */
static void join_lower(struct gen *g, const struct emu_op *op, int d, int x)
{
	bool bytes = (op->aux & 3) == EMU_V8;

	vshift(g, bytes ? 0x71 : 0x72, 2, d, x, bytes ? 8 : 16);
	v2(g, join_code(op), d, d, x);
	v2c(g, 0x1db, d, d, bytes ? X86_LOW8_16 : X86_LOW16_32);
}

static bool pairs(struct gen *g, const struct emu_op *op)
{
	unsigned e = op->aux & 3;
	int a = gen_fuse(g, op->a), b = gen_fuse(g, op->b), t = gen_fscratch(g), s;

	if (!vec_q(op) || op->a == op->b) { /* one register has all pairs */
		if (!vec_q(op)) {
			v2(g, 0x16c, t, a, b);
			a = t;
		}
		b = a;
	}
	s = gen_fscratch(g);
	if (e <= EMU_V16) {
		join_lower(g, op, s, b);
		if (a != b)
			join_lower(g, op, t, a);
		v2(g, e == EMU_V8 ? 0x167 : 0x22b, t, a != b ? t : s, s); /* vpackuswb, vpackusdw */
	} else if (e == EMU_V32) {
		as_vrr(&g->as, 0, 1, false, 0xc6, s, a, b); /* vshufps: odd, then even elements */
		as8(&g->as, 0xdd);
		as_vrr(&g->as, 0, 1, false, 0xc6, t, a, b);
		as8(&g->as, 0x88);
		v2(g, join_code(op), t, t, s);
	} else {
		v2(g, 0x16d, s, a, b);
		v2(g, 0x16c, t, a, b);
		v2(g, join_code(op), t, t, s);
	}
	vec_set(g, op, t, false);
	return true;
}

static bool add_pairs(struct gen *g, const struct emu_op *op)
{
	unsigned e = op->aux & 3;
	bool u = op->aux & EMU_VU;
	int a, t, s;

	if (!u && e == EMU_V32)
		return false;
	a = gen_fuse(g, op->a);
	t = gen_fscratch(g);
	if (e == EMU_V8 && u) {
		v2c(g, 0x204, t, a, X86_ONES8); /* vpmaddubsw: unsigned times signed ones */
	} else if (e == EMU_V8) {
		as_vrip(&g->as, 0, 0x28, t, 0, gen_konst(g, X86_ONES8));
		v2(g, 0x204, t, t, a);
	} else if (!u) {
		v2c(g, 0x1f5, t, a, X86_ONES16); /* vpmaddwd */
	} else {
		s = gen_fscratch(g);
		vshift(g, e == EMU_V16 ? 0x72 : 0x73, 2, s, a, 8u << e);
		v2c(g, 0x1db, t, a, e == EMU_V16 ? X86_LOW16_32 : X86_LOW32_64);
		v2(g, e == EMU_V16 ? 0x1fe : 0x1d4, t, t, s);
	}
	vec_set(g, op, t, true);
	return true;
}

static void keep_lowest(struct gen *g, const struct emu_op *op, unsigned e, int t)
{
	if (e == EMU_V64)
		vmovq(g, t, t);
	else
		v2c(g, 0x1db, t, t, e == EMU_V8 ? X86_LOW8 : e == EMU_V16 ? X86_LOW16 : X86_LOW32);
	gen_fset_clean(g, op->d, t, e == EMU_V64 ? 1 : 2);
}

/* Sum of unsigned bytes. */
static void add_bytes(struct gen *g, const struct emu_op *op)
{
	int a = gen_fuse(g, op->a), t = gen_fscratch(g), s = gen_fscratch(g);

	vzero(g, s);
	v2(g, 0x1f6, t, a, s); /* vpsadbw */
	if (vec_q(op)) {
		v1i(g, 0x170, s, t, 0x4e);
		v2(g, 0x1d4, t, t, s);
	}
	keep_lowest(g, op, op->op == EMU_OP_VADDV ? EMU_V8 : EMU_V16, t);
}

static bool across(struct gen *g, const struct emu_op *op)
{
	unsigned e = op->aux & 3, code;
	int a, t, s;

	if (e == EMU_V8 && (op->op == EMU_OP_VADDV || (op->op == EMU_OP_VADDLV && (op->aux & EMU_VU)))) {
		add_bytes(g, op);
		return true;
	}
	if (op->op == EMU_OP_VADDLV || (e == EMU_V64 && op->op != EMU_OP_VADDV))
		return false;
	code = join_code(op);
	a = gen_fuse(g, op->a);
	t = gen_fscratch(g);
	s = gen_fscratch(g);
	if (vec_q(op)) { /* halves, quarters ... */
		v1i(g, 0x170, s, a, 0x4e);
		v2(g, code, t, a, s);
		a = t;
	}
	if (e < EMU_V64) {
		v1i(g, 0x170, s, a, 0xb1);
		v2(g, code, t, a, s);
	}
	if (e < EMU_V32) {
		vshift(g, 0x72, 2, s, t, 16);
		v2(g, code, t, t, s);
	}
	if (e < EMU_V16) {
		vshift(g, 0x71, 2, s, t, 8);
		v2(g, code, t, t, s);
	}
	keep_lowest(g, op, e, t);
	return true;
}

/* Ones of each half of a byte, by a table. */
static bool count(struct gen *g, const struct emu_op *op)
{
	int a = gen_fuse(g, op->a), t = gen_fscratch(g), s = gen_fscratch(g), m = gen_fscratch(g);

	as_vrip(&g->as, 0, 0x28, m, 0, gen_konst(g, X86_POPCNT));
	v2c(g, 0x1db, t, a, X86_NIBBLES);
	vshift(g, 0x71, 2, s, a, 4);
	v2c(g, 0x1db, s, s, X86_NIBBLES);
	v2(g, 0x200, t, m, t);
	v2(g, 0x200, s, m, s);
	v2(g, 0x1fc, t, t, s);
	vec_set(g, op, t, true);
	return true;
}

bool vec_reduce(struct gen *g, const struct emu_op *op)
{
	switch (op->op) {
	case EMU_OP_VADDP: return pairs(g, op);
	case EMU_OP_VMINP: case EMU_OP_VMAXP: return (op->aux & 3) < EMU_V64 && pairs(g, op);
	case EMU_OP_VADDLP: return add_pairs(g, op);
	case EMU_OP_VADDV: case EMU_OP_VADDLV: case EMU_OP_VMINV: case EMU_OP_VMAXV: return across(g, op);
	case EMU_OP_VCNT: return count(g, op);
	default: return false;
	}
}
