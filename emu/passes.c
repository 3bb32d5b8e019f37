/* Passes over the IR of one block. Each keeps the rules of ir.h and can be left out.
 *
 *   fold     operations on constants, and simpler forms: x + 0, x & 0, x << 0
 *   copy     a copy's source takes the place of the copy; a box that is opened at once disappears
 *   fuse     operations that stand together become one (passes_fuse.c)
 *   loads    memory that was loaded before, with no write in between, is not loaded again
 *   dead     results that nobody reads are not computed; nor made canonical, if they are NaNs (passes_canon.c)
 *
 * A block runs from top to bottom, and a label is reached only with what was true at its branches; so
 * what is known is forgotten at a label.
 */
#include <stdlib.h>
#include <string.h>

#include "emu/fp.h"
#include "emu/passes.h"
#include "emu/world.h"

static const struct {
	const char *name, *sentence;
} passes[EMU_PASSES] = {
	[EMU_PASS_FOLD] = { "fold", N_("Constant folding: what is known at translation time is computed then.") },
	[EMU_PASS_COPY] = { "copy", N_("Copy propagation: a value is read where it was first put.") },
	[EMU_PASS_FUSE] = { "fuse", N_("Fusion: operations become one: a comparison and its branch, two shifts that extend or rotate, a branch over a move.") },
	[EMU_PASS_LOADS] = { "loads", N_("Redundant loads: memory that was just loaded is not loaded again.") },
	[EMU_PASS_DEAD] = { "dead", N_("Dead code: a result that nobody reads is not computed.") },
};

const char *emu_pass_name(enum emu_pass p)
{
	return (unsigned)p < EMU_PASSES ? passes[p].name : "?";
}

const char *emu_pass_sentence(enum emu_pass p)
{
	return (unsigned)p < EMU_PASSES ? passes[p].sentence : "";
}


uint8_t *emu_ir_reads(const struct emu_ir *ir)
{
	uint8_t *reads = rs_xcalloc(ir->temps + 1u, 1);

	for (unsigned i = 0; i < ir->ops; i++) {
		const struct emu_op *op = &ir->op[i];
		const uint16_t t[3] = { op->a, op->b, op->c };

		for (unsigned n = 0; n < 3; n++) {
			if ((ir->shape[op->op] & EMU_HAS_A << n) && t[n] < ir->temps && reads[t[n]] < 2)
				reads[t[n]]++;
		}
	}
	return reads;
}

/* -- what a temp is known to hold: a constant, or the value of another temp -- */
struct facts {
	uint16_t same[EMU_TEMPS_MAX];     /* as this temp (a constant or a temp), or itself */
	uint16_t gen[EMU_TEMPS_MAX];      /* same[] is valid when gen == now */
	uint16_t now;
	uint16_t touched[EMU_TEMPS_MAX];  /* temps that have a fact, to find those that rely on another */
	unsigned n;
};

static void forget(struct facts *f)
{
	f->now++;
	f->n = 0;
}

static uint16_t resolve(const struct facts *f, uint16_t t)
{
	return t != EMU_NOTEMP && f->gen[t] == f->now ? f->same[t] : t;
}

static void written(struct facts *f, uint16_t t)
{
	if (f->gen[t] == f->now)
		f->same[t] = t;
	for (unsigned i = 0; i < f->n; i++) {
		if (f->same[f->touched[i]] == t)
			f->same[f->touched[i]] = f->touched[i];
	}
}

static void learn(struct facts *f, uint16_t t, uint16_t same)
{
	if (f->n == EMU_TEMPS_MAX)
		return;
	if (f->gen[t] != f->now)
		f->touched[f->n++] = t;
	f->gen[t] = f->now;
	f->same[t] = same;
}

/* -- fold -- */

/* A constant stands on the right; and what is below 1, or above 0, is compared with 0. */
static void simplify_compare(struct emu_ir *ir, struct emu_op *op)
{
	static const uint8_t turned[EMU_CONDS] = {
		EMU_EQ, EMU_NE, EMU_GT, EMU_LE, EMU_GTU, EMU_LEU, EMU_GE, EMU_LT, EMU_GEU, EMU_LTU, EMU_TSTEQ, EMU_TSTNE,
	};
	unsigned cond = op->aux & ~EMU_C32, narrow = op->aux & EMU_C32;
	int64_t a, b;

	if (emu_ir_is_const(ir, op->a, &a) && !emu_ir_is_const(ir, op->b, &b)) {
		uint16_t t = op->a;

		op->a = op->b;
		op->b = t;
		cond = turned[cond];
	}
	if (emu_ir_is_const(ir, op->b, &b)) {
		b = narrow ? (int32_t)b : b;
		if (b == 1 && (cond == EMU_LTU || cond == EMU_GEU)) {
			cond = cond == EMU_LTU ? EMU_EQ : EMU_NE;
			op->b = emu_ir_const(ir, 0);
		} else if (b == 0 && (cond == EMU_GTU || cond == EMU_LEU)) {
			cond = cond == EMU_LEU ? EMU_EQ : EMU_NE;
		}
	}
	op->aux = (uint8_t)(cond | narrow);
}

/* a OP constant or constant OP constant into something simpler. */
static void simplify(struct emu_ir *ir, struct emu_op *op)
{
	int64_t a = 0, b = 0, c = 0;
	bool ca = emu_ir_is_const(ir, op->a, &a), cb = emu_ir_is_const(ir, op->b, &b), cc = emu_ir_is_const(ir, op->c, &c);
	bool unary = op->b == EMU_NOTEMP, ternary = op->c != EMU_NOTEMP;

	if (op->op == EMU_OP_SELECT && ca) {
		emu_op_become(op, EMU_OP_MOV, a ? op->b : op->c);
		return;
	}
	if (op->op == EMU_OP_SELECT && op->b == op->c) {
		emu_op_become(op, EMU_OP_MOV, op->b);
		return;
	}
	if (ca && (unary || cb) && (!ternary || cc)) {
		if (op->op != EMU_OP_MOV)
			emu_op_become(op, EMU_OP_MOV,
			       emu_ir_const(ir, (int64_t)emu_eval(op->op, op->aux, (uint64_t)a, (uint64_t)b,
								  (uint64_t)c)));
		return;
	}
	switch (op->op) {
	case EMU_OP_ADD: case EMU_OP_OR: case EMU_OP_XOR:
		if (ca && a == 0)
			emu_op_become(op, EMU_OP_MOV, op->b);
		else if (cb && b == 0)
			emu_op_become(op, EMU_OP_MOV, op->a);
		else if (cb && b == -1 && op->op == EMU_OP_XOR)
			emu_op_become(op, EMU_OP_NOT, op->a);
		break;
	case EMU_OP_SUB: case EMU_OP_SHL: case EMU_OP_SHR: case EMU_OP_SAR: case EMU_OP_ROTR:
		if (cb && (b & (op->op == EMU_OP_SUB ? -1 : 63)) == 0)
			emu_op_become(op, EMU_OP_MOV, op->a);
		break;
	case EMU_OP_AND:
		if (cb && b == -1)
			emu_op_become(op, EMU_OP_MOV, op->a);
		else if ((cb && b == 0) || (ca && a == 0))
			emu_op_become(op, EMU_OP_MOV, emu_ir_const(ir, 0));
		else if (cb && b == 0xff)
			emu_op_become(op, EMU_OP_ZEXT8, op->a);
		else if (cb && b == 0xffff)
			emu_op_become(op, EMU_OP_ZEXT16, op->a);
		else if (cb && b == 0xffffffff)
			emu_op_become(op, EMU_OP_ZEXT32, op->a);
		break;
	case EMU_OP_ADD32: case EMU_OP_SUB32:
		if (cb && (int32_t)b == 0)
			emu_op_become(op, EMU_OP_ZEXT32, op->a);
		break;
	default:
		break;
	}
}

/* Constants go into operands; `copies` also lets one temp stand for another. */
static void propagate(struct emu_ir *ir, bool copies)
{
	struct facts *f = rs_xmalloc(sizeof(*f));

	memset(f->gen, 0, sizeof(f->gen));
	f->now = 1;
	f->n = 0;
	for (unsigned i = 0; i < ir->ops; i++) {
		struct emu_op *op = &ir->op[i];
		unsigned s = ir->shape[op->op];
		int64_t v;

		if (op->op == EMU_OP_LABEL || op->op == EMU_OP_BR) {
			forget(f);
			continue;
		}
		if ((s & EMU_HAS_A))
			op->a = resolve(f, op->a);
		if ((s & EMU_HAS_B))
			op->b = resolve(f, op->b);
		if ((s & EMU_HAS_C))
			op->c = resolve(f, op->c);
		if (!copies && op->op >= EMU_OP_MOV && op->op <= EMU_OP_MAXU)
			simplify(ir, op);
		if (!copies && (op->op == EMU_OP_SETCOND || op->op == EMU_OP_BRCOND))
			simplify_compare(ir, op);
		if (!(s & EMU_HAS_D) || op->d == EMU_NOTEMP)
			continue;
		written(f, op->d);
		if (op->op == EMU_OP_MOV && op->a != op->d && (copies ? !emu_ir_is_const(ir, op->a, &v) : emu_ir_is_const(ir, op->a, &v)))
			learn(f, op->d, op->a);
		else if (copies && op->op == EMU_OP_FMOV && op->a != op->d)
			learn(f, op->d, op->a);
	}
	free(f);
}

/* BRCOND on constants is decided. The code that cannot be reached stays: it is short, and goes nowhere. */
static void fold(struct emu_ir *ir)
{
	propagate(ir, false);
}

/* A register that was boxed in this block needs no look before it is used. */
static void unbox(struct emu_ir *ir)
{
	bool boxed[EMU_GLOBALS] = { false };

	for (unsigned i = 0; i < ir->ops; i++) {
		struct emu_op *op = &ir->op[i];

		if (op->op == EMU_OP_LABEL)
			memset(boxed, 0, sizeof(boxed));
		/* reading the low half of a box: every user of a 32-bit number looks at the low half only */
		if (op->op == EMU_OP_FUNBOX && op->a < EMU_GLOBALS && boxed[op->a])
			op->op = EMU_OP_FMOV;
		/* the same register opened twice for one operation: once is enough */
		if (op->op == EMU_OP_FUNBOX && i > 0 && op[-1].op == EMU_OP_FUNBOX && op[-1].a == op->a) {
			op->op = EMU_OP_FMOV;
			op->a = op[-1].d;
		}
		if (!(ir->shape[op->op] & EMU_HAS_FPD))
			continue;
		if (op->d < EMU_GLOBALS)
			boxed[op->d] = op->op == EMU_OP_FBOX;
	}
}

/* -- loads: a load that repeats one, with no write to memory in between -- */
struct seen {
	uint16_t d, a;
	int64_t imm;
	uint8_t aux;
};
static void loads(struct emu_ir *ir)
{
	struct seen seen[16];
	unsigned n = 0;

	for (unsigned i = 0; i < ir->ops; i++) {
		struct emu_op *op = &ir->op[i];
		unsigned k = 0, kept = 0;
		bool load = op->op == EMU_OP_LD, pure = emu_op_info(op->op)->flags & (EMU_OPF_P | EMU_OPF_L);

		if (op->op == EMU_OP_LABEL || (!load && !pure && op->op != EMU_OP_INSN && op->op != EMU_OP_FLD &&
					       (emu_op_info(op->op)->flags & (EMU_OPF_M | EMU_OPF_S)) &&
					       !(op->op >= EMU_OP_FADD && op->op <= EMU_OP_FRM)))
			n = 0;
		while (load && k < n && !(seen[k].a == op->a && seen[k].imm == op->imm && seen[k].aux == op->aux))
			k++;
		if (load && k < n && seen[k].d != op->d) {
			/* the first load did not fault, so this one would not */
			op->op = EMU_OP_MOV;
			op->a = seen[k].d;
			op->aux = 0;
			op->imm = 0;
			load = false;
		}
		if (!(ir->shape[op->op] & EMU_HAS_D) || op->d == EMU_NOTEMP)
			continue;
		for (k = 0; k < n; k++) {
			if (seen[k].d != op->d && seen[k].a != op->d)
				seen[kept++] = seen[k];
		}
		n = kept;
		if (load && op->d != op->a && n < 16 && ir->temp[op->d].kind == EMU_TK_GLOBAL)
			seen[n++] = (struct seen){ op->d, op->a, op->imm, op->aux };
	}
}

/* -- dead: backward; at a label and at every operation that may leave, all globals are read -- */
static void dead(struct emu_ir *ir)
{
	bool live[EMU_TEMPS_MAX];
	unsigned out = ir->ops;

	memset(live, 0, sizeof(live));
	for (unsigned i = ir->ops; i-- > 0;) {
		struct emu_op *op = &ir->op[i];
		unsigned s = ir->shape[op->op];
		unsigned flags = emu_op_info(op->op)->flags;

		if (op->op == EMU_OP_CALL && op->aux == EMU_CALL_PURE)
			flags |= EMU_OPF_P;
		if ((flags & EMU_OPF_P) && op->d != EMU_NOTEMP && !live[op->d])
			continue;
		if ((op->op == EMU_OP_MOV || op->op == EMU_OP_FMOV) && op->a == op->d)
			continue;
		if ((s & EMU_HAS_D) && op->d != EMU_NOTEMP)
			live[op->d] = false;
		/* a fault comes before the result is written */
		if (flags & (EMU_OPF_M | EMU_OPF_E | EMU_OPF_L))
			memset(live, 1, EMU_GLOBALS);
		if ((s & EMU_HAS_A) && op->a != EMU_NOTEMP)
			live[op->a] = true;
		if ((s & EMU_HAS_B) && op->b != EMU_NOTEMP)
			live[op->b] = true;
		if ((s & EMU_HAS_C) && op->c != EMU_NOTEMP)
			live[op->c] = true;
		ir->op[--out] = *op;
	}
	memmove(ir->op, ir->op + out, (ir->ops - out) * sizeof(ir->op[0]));
	ir->ops -= out;
}

void emu_pass_run(struct emu_ir *ir, enum emu_pass p)
{
	switch (p) {
	case EMU_PASS_FOLD: fold(ir); break;
	case EMU_PASS_COPY: unbox(ir); propagate(ir, true); break;
	case EMU_PASS_FUSE: emu_pass_fuse(ir); break;
	case EMU_PASS_LOADS: loads(ir); break;
	case EMU_PASS_DEAD: emu_pass_canon(ir); dead(ir); break;
	case EMU_PASSES: break;
	}
}
