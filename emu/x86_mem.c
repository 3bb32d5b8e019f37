/* Guest memory as x86-64 code: [r32 + disp32] with 32-bit address size, so that the effective address is the
 * low 32 bits of the sum; gs adds where the guest's memory begins, if that is not host address 0 (mem.h).
 */
#include "emu/x86_gen.h"

/* The instruction at hand may fault: the side table must know it. */
unsigned gen_note(struct gen *g)
{
	uint32_t guest = (uint32_t)(g->pc - g->b->pc);

	if (g->maps && g->map[g->maps - 1].guest == guest && g->map[g->maps - 1].begun == g->insn)
		return g->maps - 1;
	g->map[g->maps].host = (uint32_t)(g->as.p - g->x->rw);
	g->map[g->maps].begun = (uint16_t)g->insn;
	g->map[g->maps].write = g->op->op == EMU_OP_AMO;
	g->map[g->maps].guest = guest;
	return g->maps++;
}

struct address {
	int base;               /* register, or -1 */
	int32_t disp;
	bool indexed;
	uint8_t shift;
	int index;              /* register, shifted left by `shift` */
};

static struct address address_of(struct gen *g, uint16_t a, int64_t imm)
{
	struct address m = { .base = -1, .disp = (int32_t)imm };
	int64_t v;

	if (a == g->fold.temp) {
		m.base = gen_use(g, g->fold.base);
		m.index = gen_use(g, g->fold.index);
		m.shift = g->fold.shift;
		m.indexed = true;
	} else if (gen_const(g, a, &v))
		m.disp = (int32_t)(v + imm);
	else
		m.base = gen_use(g, a);
	return m;
}

bool gen_fold_address(struct gen *g, const struct emu_op *op)
{
	const struct emu_op *end = g->ir->op + g->ir->ops, *sum = op, *access;
	unsigned shift = 0;
	uint16_t index;
	int64_t v;

	if (g->w->soft)
		return false;
	if (op->op == EMU_OP_SHL) {
		if (!gen_const(g, op->b, &v) || v < 0 || v > 3 || op->d < EMU_GLOBALS)
			return false;
		shift = (unsigned)v;
		sum = op + 1;
	}
	access = sum + 1;
	if (access >= end || sum->op != EMU_OP_ADD || sum->d < EMU_GLOBALS || access->a != sum->d ||
	    g->last[sum->d] != access - g->ir->op ||
	    (access->op != EMU_OP_LD && access->op != EMU_OP_ST && access->op != EMU_OP_FLD && access->op != EMU_OP_FST) ||
	    (access->op == EMU_OP_ST && access->b == sum->d))
		return false;
	index = sum->b;
	if (sum != op) {
		if (sum->b != op->d || sum->a == op->d || g->last[op->d] != sum - g->ir->op)
			return false;
		index = op->a;
	}
	if (gen_const(g, sum->a, &v) || gen_const(g, index, &v))
		return false;
	g->fold.temp = sum->d;
	g->fold.base = sum->a;
	g->fold.index = index;
	g->fold.shift = (uint8_t)shift;
	for (unsigned i = 0; i < 2; i++) { /* they are read later than it seemed */
		uint16_t t = i ? index : sum->a;

		if (t >= EMU_GLOBALS && g->last[t] < access - g->ir->op)
			g->last[t] = (uint16_t)(access - g->ir->op);
	}
	g->skip = sum != op;
	return true;
}

static void prefixes(struct gen *g)
{
	if (g->w->mem.base)
		as8(&g->as, 0x65);
	as8(&g->as, 0x67);
}

static void modrm(struct gen *g, int reg, const struct address *m)
{
	if (m->indexed) {
		as_modrm_sib(&g->as, reg, m->base, m->index, m->shift, m->disp);
		return;
	}
	if (m->base >= 0) {
		as_modrm(&g->as, reg, m->base, m->disp);
		return;
	}
	as8(&g->as, 0x04u | (unsigned)(reg & 7) << 3);
	as8(&g->as, 0x25); /* SIB: no base, no index */
	as32(&g->as, (uint32_t)m->disp);
}

/* [prefix] op reg, gs:[m] */
static void access_gs(struct gen *g, unsigned prefix, bool w, unsigned op, int reg, const struct address *m, bool byte)
{
	gen_note(g);
	prefixes(g);
	if (prefix)
		as8(&g->as, prefix);
	as_rex(&g->as, w, reg, m->indexed ? m->index : 0, m->base < 0 ? 0 : m->base, byte);
	as_op(&g->as, op);
	modrm(g, reg, m);
}

static void vex_gs(struct gen *g, unsigned pp, unsigned op, int reg, const struct address *m)
{
	gen_note(g);
	prefixes(g);
	as_vex(&g->as, pp, 1, false, reg, 0, m->indexed ? m->index : 0, m->base < 0 ? 0 : m->base);
	as8(&g->as, op);
	modrm(g, reg, m);
}

/* reg = extended value at m. */
static void load(struct gen *g, unsigned size, int reg, const struct address *m)
{
	switch (size) {
	case EMU_M8: access_gs(g, 0, false, 0x0fb6, reg, m, false); break;
	case EMU_M16: access_gs(g, 0, false, 0x0fb7, reg, m, false); break;
	case EMU_M32: access_gs(g, 0, false, 0x8b, reg, m, false); break;
	case EMU_M8 | EMU_MSIGN: access_gs(g, 0, true, 0x0fbe, reg, m, false); break;
	case EMU_M16 | EMU_MSIGN: access_gs(g, 0, true, 0x0fbf, reg, m, false); break;
	case EMU_M32 | EMU_MSIGN: access_gs(g, 0, true, 0x63, reg, m, false); break;
	default: access_gs(g, 0, true, 0x8b, reg, m, false); break;
	}
}

static void store(struct gen *g, const struct emu_op *op)
{
	struct address m = address_of(g, op->a, op->imm);
	unsigned size = op->aux & 7;
	int64_t v;
	int reg;

	if (gen_const(g, op->b, &v) && (size < EMU_M64 || v == (int32_t)v)) {
		access_gs(g, size == EMU_M16 ? 0x66 : 0, size == EMU_M64, size == EMU_M8 ? 0xc6 : 0xc7, 0, &m, false);
		if (size == EMU_M8) {
			as8(&g->as, (uint8_t)v);
		} else if (size == EMU_M16) {
			as8(&g->as, (uint8_t)v);
			as8(&g->as, (uint8_t)(v >> 8));
		} else {
			as32(&g->as, (uint32_t)v);
		}
		return;
	}
	reg = gen_use(g, op->b);
	access_gs(g, size == EMU_M16 ? 0x66 : 0, size == EMU_M64, size == EMU_M8 ? 0x88 : 0x89, reg, &m,
		  size == EMU_M8 && reg >= RSP);
}

/* [lock] op reg, gs:[m] of 1 << size bytes; the opcode of bytes is one less. */
static void access_size(struct gen *g, bool lock, unsigned size, unsigned op, int reg, const struct address *m)
{
	gen_note(g);
	if (lock)
		as8(&g->as, 0xf0);
	access_gs(g, size == EMU_M16 ? 0x66 : 0, size == EMU_M64, size == EMU_M8 ? op - 1 : op, reg, m,
		  size == EMU_M8 && reg >= RSP);
}

/* reg = reg, extended from 1 << size bytes. */
static void extend(struct gen *g, unsigned size, int reg)
{
	switch (size) {
	case EMU_M8: as_movzx8(&g->as, reg, reg); break;
	case EMU_M16: as_rr(&g->as, false, 0x0fb7, reg, reg); break;
	case EMU_M32: as_rr(&g->as, false, 0x8b, reg, reg); break;
	case EMU_M8 | EMU_MSIGN:
		as_rex(&g->as, true, reg, 0, reg, true);
		as_op(&g->as, 0x0fbe);
		as8(&g->as, 0xc0u | (unsigned)(reg & 7) << 3 | (unsigned)(reg & 7));
		break;
	case EMU_M16 | EMU_MSIGN: as_rr(&g->as, true, 0x0fbf, reg, reg); break;
	case EMU_M32 | EMU_MSIGN: as_rr(&g->as, true, 0x63, reg, reg); break;
	}
}

/* Atomic accesses must be aligned. */
static void check_aligned(struct gen *g, unsigned bytes, int reg, bool write)
{
	struct cold *c;
	uint8_t *at;

	if (bytes == 1)
		return;
	as_rex(&g->as, false, 0, 0, reg, reg >= RSP);
	as8(&g->as, 0xf6); /* test reg8, imm8 */
	as8(&g->as, 0xc0u | (unsigned)(reg & 7));
	as8(&g->as, bytes - 1);
	at = as_jcc(&g->as, CC_NE);
	c = gen_cold(g, COLD_MISALIGNED);
	c->from[0] = at;
	c->a = (uint8_t)reg;
	c->w = write;
}

static void load_reserved(struct gen *g, const struct emu_op *op)
{
	unsigned size = op->aux & 7;
	struct address m = { .base = gen_use(g, op->a) };
	int v, low;

	check_aligned(g, 1u << size, m.base, false);
	v = gen_scratch(g);
	load(g, size, v, &m);
	as_store(&g->as, v, RBP, CPU_OFF(res_value));
	low = gen_scratch(g);
	as_rr(&g->as, false, 0x8b, low, m.base);
	as_store(&g->as, low, RBP, CPU_OFF(res_addr));
	if (op->aux & EMU_MSIGN)
		extend(g, op->aux, v);
	gen_set(g, op->d, v);
}

/* Address in rcx, as a register of its own; everything else is in memory or pinned. */
static int atomic_address(struct gen *g, const struct emu_op *op, unsigned bytes)
{
	int base;

	gen_spill_all(g);
	base = gen_use(g, op->a);
	if (base < SCRATCH && base != RCX) {
		as_mov_rr(&g->as, RCX, base);
		gen_take(g, base);
		g->busy &= ~BIT(base);
		base = RCX;
	}
	gen_take(g, RCX);
	check_aligned(g, bytes, base, true);
	gen_take(g, RAX);
	gen_take(g, RDX);
	return base;
}

/* reg = an operand that is pinned, constant or in memory. */
static void fetch(struct gen *g, int reg, uint16_t t)
{
	int32_t disp;
	int64_t v;

	if (t < EMU_GLOBALS && g->pins->host[t] >= 0)
		as_mov_rr(&g->as, reg, g->pins->host[t]);
	else if (gen_const(g, t, &v))
		as_mov_ri(&g->as, reg, v);
	else if (gen_in_memory(g, t, &disp))
		as_load(&g->as, reg, RBP, disp);
	else
		g->failed = true;
}

static void store_conditional(struct gen *g, const struct emu_op *op)
{
	unsigned size = op->aux & 7;
	struct address m = { .base = atomic_address(g, op, 1u << size) };
	uint8_t *other, *failed, *done;

	as_rr(&g->as, false, 0x8b, RAX, m.base);
	as_rm(&g->as, true, 0x3b, RAX, RBP, CPU_OFF(res_addr));
	other = as_jcc8(&g->as, CC_NE);
	as_load(&g->as, RAX, RBP, CPU_OFF(res_value));
	fetch(g, RDX, op->b);
	access_size(g, true, size, 0x0fb1, RDX, &m);
	failed = as_jcc8(&g->as, CC_NE);
	as_mov_ri(&g->as, RAX, 0);
	done = as_jmp8(&g->as);
	as_here(&g->as, other);
	as_here(&g->as, failed);
	as_mov_ri(&g->as, RAX, 1);
	as_here(&g->as, done);
	as_rm(&g->as, true, 0xc7, 0, RBP, CPU_OFF(res_addr));
	as32(&g->as, 0xffffffff);
	gen_set(g, op->d, RAX);
}

static void compare_and_swap(struct gen *g, const struct emu_op *op)
{
	unsigned size = op->aux & 7;
	struct address m = { .base = atomic_address(g, op, 1u << size) };

	fetch(g, RAX, op->b);
	fetch(g, RDX, op->c);
	access_size(g, true, size, 0x0fb1, RDX, &m);
	extend(g, size, RAX);
	gen_set(g, op->d, RAX);
}

static void amo(struct gen *g, const struct emu_op *op)
{
	static const uint8_t alu_of[] = { 0, 0, 0x23, 0x0b, 0x33 };                /* and or xor */
	static const uint8_t keep_b[] = { CC_GE, CC_LE, CC_AE, CC_BE };            /* min max minu maxu */
	unsigned kind = op->aux >> 4, size = op->aux & 7;
	unsigned sign = kind == EMU_AMO_MIN || kind == EMU_AMO_MAX ? EMU_MSIGN : 0;
	struct address m = { .base = atomic_address(g, op, 1u << size) };
	uint8_t *again;

	if (kind == EMU_AMO_SWAP || kind == EMU_AMO_ADD) {
		fetch(g, RAX, op->b);
		access_size(g, kind == EMU_AMO_ADD, size, kind == EMU_AMO_ADD ? 0x0fc1 : 0x87, RAX, &m);
	} else {
		fetch(g, RDX, op->b);
		extend(g, size | sign, RDX);
		as_store(&g->as, RDX, RBP, CPU_OFF(tmp));
		again = g->as.p;
		load(g, size == EMU_M64 ? size : size | sign, RAX, &m);
		as_mov_rr(&g->as, RDX, RAX);
		if (kind <= EMU_AMO_XOR) {
			as_rm(&g->as, true, alu_of[kind], RDX, RBP, CPU_OFF(tmp));
		} else {
			as_rm(&g->as, true, 0x3b, RDX, RBP, CPU_OFF(tmp));
			as_rm(&g->as, true, 0x0f40u | keep_b[kind - EMU_AMO_MIN], RDX, RBP, CPU_OFF(tmp));
		}
		access_size(g, true, size, 0x0fb1, RDX, &m);
		as8(&g->as, 0x75); /* jne again */
		as8(&g->as, (uint8_t)(again - (g->as.p + 1)));
	}
	extend(g, op->aux & 15, RAX);
	gen_set(g, op->d, RAX);
}

bool gen_memory(struct gen *g, const struct emu_op *op)
{
	struct address m;
	int reg;

	if (g->w->soft && gen_soft(g, op))
		return true;
	switch (op->op) {
	case EMU_OP_LD:
		m = address_of(g, op->a, op->imm);
		if (op->d == EMU_NOTEMP)
			reg = gen_scratch(g);
		else
			reg = gen_def(g, op->d, 0);
		load(g, op->aux, reg, &m);
		gen_set(g, op->d, reg);
		return true;
	case EMU_OP_ST: store(g, op); return true;
	case EMU_OP_FLD:
		m = address_of(g, op->a, op->imm);
		reg = gen_fdef(g, op->d, 0);
		/* vmovss, vmovsd, vmovups */
		vex_gs(g, op->aux == EMU_W32 ? 2 : op->aux == EMU_W64 ? 3 : 0, 0x10, reg, &m);
		gen_fset_clean(g, op->d, reg, op->aux == EMU_W32 ? 2 : op->aux == EMU_W64 ? 1 : 0);
		return true;
	case EMU_OP_FST:
		m = address_of(g, op->a, op->imm);
		reg = gen_fuse(g, op->b);
		vex_gs(g, op->aux == EMU_W32 ? 2 : op->aux == EMU_W64 ? 3 : 0, 0x11, reg, &m);
		return true;
	case EMU_OP_LR: load_reserved(g, op); return true;
	case EMU_OP_SC: store_conditional(g, op); return true;
	case EMU_OP_AMO: amo(g, op); return true;
	case EMU_OP_CAS: compare_and_swap(g, op); return true;
	case EMU_OP_FENCE: /* lock or dword [rsp], 0: a full barrier, faster than mfence */
		as8(&g->as, 0xf0);
		as_alu_mi(&g->as, false, ALU_OR, RSP, 0, 0);
		return true;
	default:
		return false;
	}
}
