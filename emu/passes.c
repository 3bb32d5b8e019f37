/* Passes over the IR of one block. Each keeps the rules of ir.h and can be left out.
 *
 *   fold     operations on constants, and simpler forms: x + 0, x & 0, x << 0
 *   copy     a copy's source takes the place of the copy; a box that is opened at once disappears
 *   fuse     setcond + brcond (or select) becomes one comparison; two shifts become one extension
 *   loads    memory that was loaded before, with no write in between, is not loaded again
 *   dead     results that nobody reads are not computed
 *
 * A block runs from top to bottom, and a label is reached only with what was true at its branches; so
 * what is known is forgotten at a label.
 */
#include <stdlib.h>
#include <string.h>

#include "emu/fp.h"
#include "emu/world.h"

static const struct {
	const char *name, *sentence;
} passes[EMU_PASSES] = {
	[EMU_PASS_FOLD] = { "fold", N_("Constant folding: what is known at translation time is computed then.") },
	[EMU_PASS_COPY] = { "copy", N_("Copy propagation: a value is read where it was first put.") },
	[EMU_PASS_FUSE] = { "fuse", N_("Fusion: a comparison and the branch on it become one; two shifts that extend a number do, too.") },
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

static bool is_const(const struct emu_ir *ir, uint16_t t, int64_t *v)
{
	if (t >= ir->temps || ir->temp[t].kind != EMU_TK_CONST)
		return false;
	*v = ir->temp[t].value;
	return true;
}

static void become(struct emu_op *op, enum emu_opcode code, uint16_t a)
{
	op->op = (uint8_t)code;
	op->a = a;
	op->b = op->c = EMU_NOTEMP;
	op->aux = 0;
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

/* a OP constant or constant OP constant into something simpler. */
static void simplify(struct emu_ir *ir, struct emu_op *op)
{
	int64_t a = 0, b = 0, c = 0;
	bool ca = is_const(ir, op->a, &a), cb = is_const(ir, op->b, &b), cc = is_const(ir, op->c, &c);
	bool unary = op->b == EMU_NOTEMP, ternary = op->c != EMU_NOTEMP;

	if (op->op == EMU_OP_SELECT && ca) {
		become(op, EMU_OP_MOV, a ? op->b : op->c);
		return;
	}
	if (op->op == EMU_OP_SELECT && op->b == op->c) {
		become(op, EMU_OP_MOV, op->b);
		return;
	}
	if (ca && (unary || cb) && (!ternary || cc)) {
		if (op->op != EMU_OP_MOV)
			become(op, EMU_OP_MOV,
			       emu_ir_const(ir, (int64_t)emu_eval(op->op, op->aux, (uint64_t)a, (uint64_t)b,
								  (uint64_t)c)));
		return;
	}
	switch (op->op) {
	case EMU_OP_ADD: case EMU_OP_OR: case EMU_OP_XOR:
		if (ca && a == 0)
			become(op, EMU_OP_MOV, op->b);
		else if (cb && b == 0)
			become(op, EMU_OP_MOV, op->a);
		else if (cb && b == -1 && op->op == EMU_OP_XOR)
			become(op, EMU_OP_NOT, op->a);
		break;
	case EMU_OP_SUB: case EMU_OP_SHL: case EMU_OP_SHR: case EMU_OP_SAR: case EMU_OP_ROTR:
		if (cb && (b & (op->op == EMU_OP_SUB ? -1 : 63)) == 0)
			become(op, EMU_OP_MOV, op->a);
		break;
	case EMU_OP_AND:
		if (cb && b == -1)
			become(op, EMU_OP_MOV, op->a);
		else if ((cb && b == 0) || (ca && a == 0))
			become(op, EMU_OP_MOV, emu_ir_const(ir, 0));
		else if (cb && b == 0xff)
			become(op, EMU_OP_ZEXT8, op->a);
		else if (cb && b == 0xffff)
			become(op, EMU_OP_ZEXT16, op->a);
		else if (cb && b == 0xffffffff)
			become(op, EMU_OP_ZEXT32, op->a);
		break;
	case EMU_OP_ADD32: case EMU_OP_SUB32:
		if (cb && (int32_t)b == 0)
			become(op, EMU_OP_ZEXT32, op->a);
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
		if (!(s & EMU_HAS_D) || op->d == EMU_NOTEMP)
			continue;
		written(f, op->d);
		if (op->op == EMU_OP_MOV && op->a != op->d && (copies ? !is_const(ir, op->a, &v) : is_const(ir, op->a, &v)))
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

/* -- idioms: pairs of operations that are one -- */

/* What is known of temps on the way down. Versions change at each write; at a label all is forgotten. */
struct known {
	uint16_t version[EMU_TEMPS_MAX];
	struct { uint16_t of, source, source_version; uint8_t count; } shl[EMU_TEMPS_MAX]; /* source << count, in
								version `of` of the temp; count 0: none */
	bool sext[EMU_TEMPS_MAX];       /* its high half repeats bit 31 */
};

static void known_forget(const struct emu_ir *ir, struct known *k)
{
	int64_t v;

	for (unsigned t = 0; t < ir->temps; t++) {
		k->version[t]++;
		k->sext[t] = is_const(ir, (uint16_t)t, &v) && v == (int32_t)v;
	}
}

static bool is_sext(const struct known *k, const struct emu_op *op)
{
	switch (op->op) {
	case EMU_OP_SEXT8: case EMU_OP_SEXT16: case EMU_OP_SEXT32: case EMU_OP_ZEXT8: case EMU_OP_ZEXT16:
	case EMU_OP_SETCOND:
		return true;
	case EMU_OP_LD:
		return op->aux < EMU_M32 || (op->aux & EMU_MSIGN);
	case EMU_OP_MOV: case EMU_OP_NOT:
		return k->sext[op->a];
	case EMU_OP_AND: case EMU_OP_OR: case EMU_OP_XOR:
		return k->sext[op->a] && k->sext[op->b];
	default:
		return false;
	}
}

/* shl and then `shift` (shr or sar) by the same count: the extension that this is, or MOV for none. */
static enum emu_opcode extension(unsigned shift, int64_t count)
{
	bool zero = shift == EMU_OP_SHR;

	return count == 32 ? (zero ? EMU_OP_ZEXT32 : EMU_OP_SEXT32) : count == 48 ? (zero ? EMU_OP_ZEXT16 : EMU_OP_SEXT16)
		: count == 56 ? (zero ? EMU_OP_ZEXT8 : EMU_OP_SEXT8) : EMU_OP_MOV;
}

static void shorten(const struct emu_ir *ir, const struct known *k, struct emu_op *op)
{
	int64_t n;

	if ((op->op == EMU_OP_SHR || op->op == EMU_OP_SAR) && is_const(ir, op->b, &n) &&
	    extension(op->op, n) != EMU_OP_MOV && k->shl[op->a].count == n && k->shl[op->a].of == k->version[op->a] &&
	    k->shl[op->a].source_version == k->version[k->shl[op->a].source])
		become(op, extension(op->op, n), k->shl[op->a].source);
	if (op->op == EMU_OP_SEXT32 && k->sext[op->a])
		become(op, EMU_OP_MOV, op->a);
}

/* The same in one register, with nothing but the start of an instruction in between. */
static void shorten_in_place(struct emu_ir *ir, unsigned i)
{
	struct emu_op *op = &ir->op[i], *first = op;
	int64_t n, m;

	if (i == 0)
		return;
	while (--first > ir->op && first->op == EMU_OP_INSN)
		;
	if ((op->op != EMU_OP_SHR && op->op != EMU_OP_SAR) || first->op != EMU_OP_SHL || !is_const(ir, op->b, &n) ||
	    !is_const(ir, first->b, &m) || n != m || first->d != op->a || first->a != op->a || op->d != op->a)
		return;
	if (extension(op->op, n) == EMU_OP_MOV)
		return;
	become(first, EMU_OP_MOV, first->a); /* of itself: nothing */
	become(op, extension(op->op, n), op->a);
}

static void idioms(struct emu_ir *ir)
{
	struct known *k = rs_xcalloc(1, sizeof(*k));

	known_forget(ir, k);
	for (unsigned i = 0; i < ir->ops; i++) {
		struct emu_op *op = &ir->op[i];
		uint16_t source;
		int64_t n;
		bool sext;

		if (op->op == EMU_OP_LABEL)
			known_forget(ir, k);
		shorten(ir, k, op);
		shorten_in_place(ir, i);
		if (!(ir->shape[op->op] & EMU_HAS_D) || op->d == EMU_NOTEMP)
			continue;
		sext = is_sext(k, op);
		source = op->a;
		k->version[op->d]++;
		k->sext[op->d] = sext;
		k->shl[op->d].count = 0;
		if (op->op == EMU_OP_SHL && source != op->d && is_const(ir, op->b, &n) && (n & 63)) {
			k->shl[op->d].count = (uint8_t)(n & 63);
			k->shl[op->d].of = k->version[op->d];
			k->shl[op->d].source = source;
			k->shl[op->d].source_version = k->version[source];
		}
	}
	free(k);
}

/* -- fuse -- */
struct set {
	uint16_t d, a, b;
	uint8_t cond;
};
#define SETS 8
static void fuse(struct emu_ir *ir)
{
	struct set set[SETS];
	unsigned n = 0;

	for (unsigned i = 0; i < ir->ops; i++) {
		struct emu_op *op = &ir->op[i];
		unsigned k, kept = 0;
		int64_t zero;

		if (op->op == EMU_OP_LABEL || op->op == EMU_OP_BR)
			n = 0;
		if (op->op == EMU_OP_BRCOND && (op->aux == EMU_NE || op->aux == EMU_EQ) &&
		    is_const(ir, op->b, &zero) && zero == 0) {
			for (k = 0; k < n && set[k].d != op->a; k++)
				;
			if (k < n) {
				op->aux = set[k].cond ^ (op->aux == EMU_EQ);
				op->a = set[k].a;
				op->b = set[k].b;
			}
		}
		if (!(ir->shape[op->op] & EMU_HAS_D) || op->d == EMU_NOTEMP)
			continue;
		for (k = 0; k < n; k++) {
			if (set[k].d != op->d && set[k].a != op->d && set[k].b != op->d)
				set[kept++] = set[k];
		}
		n = kept;
		if (op->op == EMU_OP_SETCOND && op->d != op->a && op->d != op->b && n < SETS)
			set[n++] = (struct set){ op->d, op->a, op->b, op->aux };
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
	case EMU_PASS_FUSE: idioms(ir); fuse(ir); break;
	case EMU_PASS_LOADS: loads(ir); break;
	case EMU_PASS_DEAD: dead(ir); break;
	case EMU_PASSES: break;
	}
}
