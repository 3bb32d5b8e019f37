/* Fusion: operations that stand together become one (passes.c has the list of passes).
 *
 *   shifts    shl + shr or sar become an extension; shr + shl of one number, joined, a rotation
 *   choices   a branch over a move becomes a selection
 *   compare   setcond + brcond (or select) becomes one comparison
 *   results   an operation writes where a copy that follows would put its result
 */
#include <stdlib.h>
#include <string.h>

#include "emu/passes.h"
#include "emu/world.h"

/* -- what is known of temps on the way down. Versions change at each write; at a label all is forgotten: the
 * stretch of code is another one. -- */
struct known {
	uint16_t stretch;
	uint16_t version[EMU_TEMPS_MAX];
	/* In version `of`, the temp is source (in its version) shifted by count; op 0: not known. Of 32-bit shifts the
	 * low half is meant: `sext` says what stands above. */
	struct shifted { uint16_t of, source, source_version, stretch; uint8_t op, count; } shift[EMU_TEMPS_MAX];
	uint16_t sext[EMU_TEMPS_MAX];   /* in this stretch its high half repeats bit 31 */
};

static struct known *known_new(const struct emu_ir *ir)
{
	struct known *k = rs_xmalloc(sizeof(*k));

	k->stretch = 1;
	memset(k->version, 0, ir->temps * sizeof(k->version[0]));
	memset(k->shift, 0, ir->temps * sizeof(k->shift[0]));
	memset(k->sext, 0, ir->temps * sizeof(k->sext[0]));
	return k;
}

/* A temp that was made in the meantime. */
static void known_add(struct known *k, uint16_t t)
{
	k->version[t] = k->sext[t] = 0;
	k->shift[t].op = 0;
}

static bool has_sext(const struct emu_ir *ir, const struct known *k, uint16_t t)
{
	int64_t v;

	return k->sext[t] == k->stretch || (emu_ir_is_const(ir, t, &v) && v == (int32_t)v);
}

/* What shift made `t`, if it and its source still are what they were. */
static const struct shifted *shift_of(const struct known *k, uint16_t t)
{
	const struct shifted *s = &k->shift[t];

	return s->op && s->stretch == k->stretch && s->of == k->version[t] && s->source_version == k->version[s->source] ? s : NULL;
}

static bool is_sext(const struct emu_ir *ir, const struct known *k, const struct emu_op *op)
{
	int64_t n;

	switch (op->op) {
	case EMU_OP_SEXT8: case EMU_OP_SEXT16: case EMU_OP_SEXT32: case EMU_OP_ZEXT8: case EMU_OP_ZEXT16:
	case EMU_OP_SETCOND:
		return true;
	case EMU_OP_LD:
		return op->aux < EMU_M32 || (op->aux & EMU_MSIGN);
	case EMU_OP_MOV: case EMU_OP_NOT:
		return has_sext(ir, k, op->a);
	case EMU_OP_SHR32:
		return emu_ir_is_const(ir, op->b, &n) && n & 31;
	case EMU_OP_SAR:
		return emu_ir_is_const(ir, op->b, &n) && (n & 63) >= 32;
	case EMU_OP_SHR:
		return emu_ir_is_const(ir, op->b, &n) && (n & 63) > 32;
	case EMU_OP_AND: /* a mask that leaves bits 0 to 30 is enough */
		if (emu_ir_is_const(ir, op->b, &n) && n >= 0 && n <= INT32_MAX)
			return true;
		return has_sext(ir, k, op->a) && has_sext(ir, k, op->b);
	case EMU_OP_OR: case EMU_OP_XOR: case EMU_OP_MINS: case EMU_OP_MAXS: case EMU_OP_MINU: case EMU_OP_MAXU:
		return has_sext(ir, k, op->a) && has_sext(ir, k, op->b);
	case EMU_OP_SELECT:
		return has_sext(ir, k, op->b) && has_sext(ir, k, op->c);
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
	const struct shifted *s;
	int64_t n;

	if ((op->op == EMU_OP_SHR || op->op == EMU_OP_SAR) && emu_ir_is_const(ir, op->b, &n) &&
	    extension(op->op, n) != EMU_OP_MOV && (s = shift_of(k, op->a)) && s->op == EMU_OP_SHL && s->count == n)
		emu_op_become(op, extension(op->op, n), s->source);
	if (op->op == EMU_OP_SEXT32 && has_sext(ir, k, op->a))
		emu_op_become(op, EMU_OP_MOV, op->a);
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
	if ((op->op != EMU_OP_SHR && op->op != EMU_OP_SAR) || first->op != EMU_OP_SHL || !emu_ir_is_const(ir, op->b, &n) ||
	    !emu_ir_is_const(ir, first->b, &m) || n != m || first->d != op->a || first->a != op->a || op->d != op->a)
		return;
	if (extension(op->op, n) == EMU_OP_MOV)
		return;
	emu_op_become(first, EMU_OP_MOV, first->a); /* of itself: nothing */
	emu_op_become(op, extension(op->op, n), op->a);
}

/* Room for one more operation before number `i`. False: there is none. */
static bool insert(struct emu_ir *ir, unsigned i)
{
	if (ir->ops >= EMU_OPS_MAX - 1 || ir->temps >= EMU_TEMPS_MAX - 1)
		return false;
	memmove(&ir->op[i + 1], &ir->op[i], (ir->ops - i) * sizeof(ir->op[0]));
	ir->ops++;
	return true;
}

/* The two parts of a number rotated right, joined by or, xor or a sum: they have no bit in common. */
static void rotate(struct emu_ir *ir, struct known *k, unsigned i)
{
	struct emu_op *op = &ir->op[i];
	const struct shifted *down, *up;
	bool narrow, sext;
	uint16_t d = op->d, t, high;

	if (op->op != EMU_OP_OR && op->op != EMU_OP_XOR && op->op != EMU_OP_ADD && op->op != EMU_OP_ADD32)
		return;
	down = shift_of(k, op->a);
	up = shift_of(k, op->b);
	high = op->b;
	if (down && (down->op == EMU_OP_SHL || down->op == EMU_OP_SHL32)) {
		const struct shifted *other = down;

		down = up;
		up = other;
		high = op->a;
	}
	if (!down || !up || down->source != up->source)
		return;
	narrow = down->op == EMU_OP_SHR32 && up->op == EMU_OP_SHL32;
	if (!narrow && (down->op != EMU_OP_SHR || up->op != EMU_OP_SHL || op->op == EMU_OP_ADD32))
		return;
	if (down->count + up->count != (narrow ? 32 : 64))
		return;
	sext = narrow && op->op != EMU_OP_ADD32 && has_sext(ir, k, high);
	t = emu_ir_const(ir, down->count);
	known_add(k, t);
	if (sext && !insert(ir, i))
		return;
	op->op = narrow ? EMU_OP_ROTR32 : EMU_OP_ROTR;
	op->a = down->source;
	op->b = t;
	if (sext) {
		op->d = emu_ir_temp(ir);
		known_add(k, op->d);
		emu_op_become(&op[1], EMU_OP_SEXT32, op->d);
		op[1].d = d;
	}
}

/* The operation's result may be a shifted number that rotate() looks for, or the low half of one. */
static struct shifted shift_made(const struct emu_ir *ir, const struct known *k, const struct emu_op *op)
{
	const struct shifted *s;
	int64_t n;

	switch (op->op) {
	case EMU_OP_SHL: case EMU_OP_SHR: case EMU_OP_SHL32: case EMU_OP_SHR32:
		if (op->a == op->d || !emu_ir_is_const(ir, op->b, &n))
			break;
		n &= op->op == EMU_OP_SHL || op->op == EMU_OP_SHR ? 63 : 31;
		if (n)
			return (struct shifted){ 0, op->a, k->version[op->a], 0, op->op, (uint8_t)n };
		break;
	case EMU_OP_SEXT32: case EMU_OP_MOV:
		s = shift_of(k, op->a);
		if (s && s->source != op->d && (op->op == EMU_OP_MOV || s->op == EMU_OP_SHL32 || s->op == EMU_OP_SHR32))
			return *s;
		break;
	}
	return (struct shifted){ .op = 0 };
}

static void shifts(struct emu_ir *ir)
{
	struct known *k = known_new(ir);

	for (unsigned i = 0; i < ir->ops; i++) {
		struct emu_op *op = &ir->op[i];
		struct shifted made;
		bool sext;

		if (op->op == EMU_OP_LABEL)
			k->stretch++;
		shorten(ir, k, op);
		shorten_in_place(ir, i);
		rotate(ir, k, i);
		if (!(ir->shape[op->op] & EMU_HAS_D) || op->d == EMU_NOTEMP)
			continue;
		made = shift_made(ir, k, op);
		sext = is_sext(ir, k, op);
		k->version[op->d]++;
		k->sext[op->d] = sext ? k->stretch : 0;
		made.of = k->version[op->d];
		made.stretch = k->stretch;
		k->shift[op->d] = made;
	}
	free(k);
}

/* -- choices -- */

static bool cheap(unsigned op)
{
	return (op >= EMU_OP_MOV && op <= EMU_OP_ROTR) || op == EMU_OP_ADD32 || op == EMU_OP_SUB32 ||
	       (op >= EMU_OP_NOT && op <= EMU_OP_ZEXT32);
}

/* A branch over one instruction, which computes a register from others: it is computed always, and chosen. What
 * gains is that nobody has to foresee the branch. */
static void choose(struct emu_ir *ir, unsigned i, const uint8_t *jumps)
{
	struct emu_op br = ir->op[i], *op = &ir->op[i + 1], *last = NULL;
	unsigned n = 0;
	uint16_t t, d;

	if (op->op != EMU_OP_INSN || jumps[br.imm & 255] != 1 || ir->temps >= EMU_TEMPS_MAX - 2)
		return;
	for (op++; n < 2 && op < ir->op + ir->ops - 1 && cheap(op->op) && op->d != EMU_NOTEMP; op++, n++) {
		if (last && last->d < EMU_GLOBALS)
			return;
		last = op;
	}
	if (!last || op->op != EMU_OP_LABEL || op->imm != br.imm || last->d >= EMU_GLOBALS)
		return;
	d = last->d;
	if (last->op == EMU_OP_MOV) { /* its source is what is chosen; of itself: nothing */
		t = last->a;
		last->a = d;
	} else {
		t = last->d = emu_ir_temp(ir);
	}
	ir->op[i] = ir->op[i + 1]; /* insn, what is computed, the comparison, the choice */
	memmove(&ir->op[i + 1], &ir->op[i + 2], n * sizeof(ir->op[0]));
	br.op = EMU_OP_SETCOND;
	br.d = emu_ir_temp(ir);
	br.imm = 0;
	ir->op[i + n + 1] = br;
	ir->op[i + n + 2] = (struct emu_op){ EMU_OP_SELECT, 0, d, br.d, d, t, 0 };
}

static void choices(struct emu_ir *ir)
{
	uint8_t jumps[256] = { 0 };

	if (ir->counted)
		return;
	for (unsigned i = 0; i < ir->ops; i++) {
		if ((ir->op[i].op == EMU_OP_BRCOND || ir->op[i].op == EMU_OP_BR) && jumps[ir->op[i].imm & 255] < 2)
			jumps[ir->op[i].imm & 255]++;
	}
	for (unsigned i = 0; i + 3 < ir->ops; i++) {
		if (ir->op[i].op == EMU_OP_BRCOND)
			choose(ir, i, jumps);
	}
}

/* -- comparisons -- */
struct set {
	uint16_t d, a, b;
	uint8_t cond;
};
#define SETS 8
static void compares(struct emu_ir *ir)
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
		    emu_ir_is_const(ir, op->b, &zero) && zero == 0) {
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

/* -- results: t = op ...; d = t, where nobody else reads t -- */
static void results(struct emu_ir *ir)
{
	uint8_t *reads = emu_ir_reads(ir);

	for (unsigned i = 1; i < ir->ops; i++) {
		struct emu_op *op = &ir->op[i];

		if (op->op != EMU_OP_MOV || !emu_ir_is_local(ir, op->a) || reads[op->a] != 1 || op[-1].d != op->a ||
		    !(ir->shape[op[-1].op] & EMU_HAS_D) || !(emu_op_info(op[-1].op)->flags & EMU_OPF_P))
			continue;
		op[-1].d = op->d;
		op->a = op->d; /* of itself: nothing */
	}
	free(reads);
}

void emu_pass_fuse(struct emu_ir *ir)
{
	shifts(ir);
	choices(ir);
	compares(ir);
	results(ir);
}
