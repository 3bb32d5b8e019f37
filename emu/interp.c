/* The IR interpreter: the meaning of every operation in plain C, and the oracle of the back ends.
 *
 * A block is prepared once: each operand becomes a byte offset, from the CPU (globals, and locals in
 * cpu->frame) or, when negative, into the block's constants. Guest memory is checked against the
 * rights of its pages on every access, so that no signal is needed.
 */
#include <stdlib.h>
#include <string.h>
#include <xmmintrin.h>

#include "emu/fp.h"
#include "emu/soft.h"
#include "emu/vec.h"
#include "emu/world.h"

typedef unsigned __int128 u128;
typedef __int128 s128;

struct emu_iop {
	uint8_t op, aux;
	int32_t d, a, b, c;
	int64_t imm;            /* BRCOND, BR: index of the operation to go to */
};

static int32_t offset_of(const struct emu_ir *ir, uint16_t t, int32_t *consts, uint64_t *value)
{
	if (t == EMU_NOTEMP)
		return (int32_t)offsetof(struct emu_cpu, spill); /* nothing looks there */
	if (t < EMU_F(0))
		return (int32_t)(offsetof(struct emu_cpu, r) + 8u * t);
	if (t < EMU_X(0))
		return (int32_t)(offsetof(struct emu_cpu, v) + 16u * (t - 32u));
	if (t < EMU_GLOBALS)
		return (int32_t)(offsetof(struct emu_cpu, x) + 8u * (t - 64u));
	if (ir->temp[t].kind == EMU_TK_LOCAL)
		return (int32_t)(offsetof(struct emu_cpu, frame) + 16u * (t - EMU_GLOBALS));
	value[*consts] = (uint64_t)ir->temp[t].value;
	return -8 * ++*consts;
}

void emu_interp_prepare(struct emu_world *w, struct emu_block *b, const struct emu_ir *ir)
{
	uint64_t value[3 * EMU_OPS_MAX];
	int64_t label[256];
	int32_t consts = 0;

	(void)w;
	b->iop = rs_xcalloc(ir->ops, sizeof(*b->iop));
	for (unsigned i = 0; i < ir->ops; i++) {
		const struct emu_op *op = &ir->op[i];

		b->iop[i] = (struct emu_iop){ op->op, op->aux, offset_of(ir, op->d, &consts, value),
					      offset_of(ir, op->a, &consts, value),
					      offset_of(ir, op->b, &consts, value),
					      offset_of(ir, op->c, &consts, value), op->imm };
		if (op->op == EMU_OP_LABEL)
			label[op->imm] = i;
	}
	for (unsigned i = 0; i < ir->ops; i++) {
		if (b->iop[i].op == EMU_OP_BRCOND || b->iop[i].op == EMU_OP_BR)
			b->iop[i].imm = label[b->iop[i].imm];
	}
	/* constant n stands at iconst_end - 8 * (n + 1) */
	b->iconst = rs_xcalloc((size_t)consts + 1, sizeof(uint64_t));
	for (int32_t i = 0; i < consts; i++)
		b->iconst[consts - 1 - i] = value[i];
	b->iconsts = (uint16_t)consts;
}

void emu_interp_release(struct emu_block *b)
{
	free(b->iop);
	free(b->iconst);
}

struct run {
	struct emu_cpu *cpu;
	char *base[2];          /* CPU; end of the block's constants */
	uint64_t pc;            /* of the guest instruction */
};

static inline uint64_t *at(const struct run *r, int32_t off)
{
	return (uint64_t *)(r->base[off < 0] + off);
}

static bool holds(unsigned cond, uint64_t a, uint64_t b)
{
	if (cond & EMU_C32) {
		/* sign-extended both, so that signed and unsigned order stay what they are */
		cond &= ~EMU_C32;
		a = (uint64_t)(int32_t)a;
		b = (uint64_t)(int32_t)b;
	}
	switch (cond) {
	case EMU_EQ: return a == b;
	case EMU_NE: return a != b;
	case EMU_LT: return (int64_t)a < (int64_t)b;
	case EMU_GE: return (int64_t)a >= (int64_t)b;
	case EMU_LTU: return a < b;
	case EMU_GEU: return a >= b;
	case EMU_LE: return (int64_t)a <= (int64_t)b;
	case EMU_GT: return (int64_t)a > (int64_t)b;
	case EMU_LEU: return a <= b;
	case EMU_GTU: return a > b;
	case EMU_TSTEQ: return !(a & b);
	default: return a & b;
	}
}

/* Host address of a guest access, or NULL with the fault noted. */
static uint8_t *access_mem(struct run *r, uint64_t address, unsigned size, bool write)
{
	struct emu_mem *m = &r->cpu->world->mem;
	uint32_t addr = (uint32_t)address;
	uint64_t first = addr / EMU_PAGE, last = (addr + (uint64_t)size - 1) / EMU_PAGE;
	uint8_t need = write ? PROT_WRITE : PROT_READ;

	for (uint64_t p = first; p <= last; p++) {
		if (p >= EMU_MEM_SIZE / EMU_PAGE || !(m->right[p] & need)) {
			r->cpu->exc = EMU_EXC_SEGV;
			r->cpu->fault_addr = p == first ? addr : p * EMU_PAGE;
			r->cpu->fault_write = write;
			r->cpu->pc = r->pc;
			return NULL;
		}
		if (write && (m->right[p] & EMU_RIGHT_CODE))
			emu_code_changed(r->cpu->world, p * EMU_PAGE, EMU_PAGE);
	}
	if ((m->right[last] & EMU_RIGHT_SHARED) && !emu_mem_backed(m, addr, size)) {
		r->cpu->exc = EMU_EXC_BUS;
		r->cpu->fault_addr = addr;
		r->cpu->fault_write = write;
		r->cpu->pc = r->pc;
		return NULL;
	}
	return m->base + addr;
}

static uint64_t extend(uint64_t v, unsigned size)
{
	switch (size) {
	case EMU_M8: return (uint8_t)v;
	case EMU_M16: return (uint16_t)v;
	case EMU_M32: return (uint32_t)v;
	case EMU_M8 | EMU_MSIGN: return (uint64_t)(int8_t)v;
	case EMU_M16 | EMU_MSIGN: return (uint64_t)(int16_t)v;
	case EMU_M32 | EMU_MSIGN: return (uint64_t)(int32_t)v;
	default: return v;
	}
}

static bool load(struct run *r, const struct emu_iop *op)
{
	const uint8_t *p = access_mem(r, *at(r, op->a) + (uint64_t)op->imm, 1u << (op->aux & 7), false);
	uint64_t v = 0;

	if (!p)
		return false;
	memcpy(&v, p, 1u << (op->aux & 7));
	*at(r, op->d) = extend(v, op->aux);
	return true;
}

static bool store(struct run *r, const struct emu_iop *op, unsigned bytes)
{
	uint8_t *p = access_mem(r, *at(r, op->a) + (uint64_t)op->imm, bytes, true);

	if (p)
		memcpy(p, at(r, op->b), bytes);
	return p;
}

static bool soft_load(struct run *r, const struct emu_iop *op)
{
	if (emu_soft_access(r->cpu, *at(r, op->a) + (uint64_t)op->imm, op->aux, r->pc))
		return false;
	*at(r, op->d) = r->cpu->slow_value;
	return true;
}

static bool soft_store(struct run *r, const struct emu_iop *op)
{
	r->cpu->slow_value = *at(r, op->b);
	return !emu_soft_access(r->cpu, *at(r, op->a) + (uint64_t)op->imm, op->aux | EMU_SOFT_STORE, r->pc);
}

static bool fload(struct run *r, const struct emu_iop *op)
{
	unsigned bytes = 4u << op->aux;
	const uint8_t *p = access_mem(r, *at(r, op->a) + (uint64_t)op->imm, bytes, false);
	uint64_t *d = at(r, op->d);

	if (!p)
		return false;
	d[0] = d[1] = 0;
	memcpy(d, p, bytes);
	return true;
}

/* Atomic accesses are aligned, or they fault (RISC-V A extension; SIGBUS on Linux). */
static bool aligned(struct run *r, uint64_t address, unsigned size, bool write)
{
	if (!(address & (size - 1)))
		return true;
	r->cpu->exc = EMU_EXC_MISALIGNED;
	r->cpu->fault_addr = (uint32_t)address;
	r->cpu->fault_write = write;
	r->cpu->pc = r->pc;
	return false;
}

static uint8_t *access_atomic(struct run *r, uint64_t address, unsigned size, bool write)
{
	return aligned(r, address, size, write) ? access_mem(r, address, size, write) : NULL;
}

/* Memory of 1 << size bytes becomes `value` if it is `old`. Returns what it was. */
static uint64_t exchange(uint8_t *p, unsigned size, uint64_t old, uint64_t value)
{
	uint8_t old8 = (uint8_t)old;
	uint16_t old16 = (uint16_t)old;
	uint32_t old32 = (uint32_t)old;

#define EXCHANGE(type, was)                                                                        \
	__atomic_compare_exchange_n((type *)(void *)p, &was, (type)value, false, __ATOMIC_SEQ_CST, \
				    __ATOMIC_SEQ_CST);                                             \
	return was
	switch (size) {
	case EMU_M8: EXCHANGE(uint8_t, old8);
	case EMU_M16: EXCHANGE(uint16_t, old16);
	case EMU_M32: EXCHANGE(uint32_t, old32);
	default: EXCHANGE(uint64_t, old);
	}
#undef EXCHANGE
}

static uint64_t load_atomic(const uint8_t *p, unsigned size)
{
	switch (size) {
	case EMU_M8: return __atomic_load_n(p, __ATOMIC_SEQ_CST);
	case EMU_M16: return __atomic_load_n((const uint16_t *)(const void *)p, __ATOMIC_SEQ_CST);
	case EMU_M32: return __atomic_load_n((const uint32_t *)(const void *)p, __ATOMIC_SEQ_CST);
	default: return __atomic_load_n((const uint64_t *)(const void *)p, __ATOMIC_SEQ_CST);
	}
}

static bool load_reserved(struct run *r, const struct emu_iop *op)
{
	unsigned size = op->aux & 7;
	uint64_t addr = *at(r, op->a);
	uint8_t *p = access_atomic(r, addr, 1u << size, false);

	if (!p)
		return false;
	r->cpu->res_addr = (uint32_t)addr;
	r->cpu->res_value = load_atomic(p, size);
	*at(r, op->d) = extend(r->cpu->res_value, op->aux);
	return true;
}

static bool store_conditional(struct run *r, const struct emu_iop *op)
{
	unsigned size = op->aux & 7;
	uint64_t addr = *at(r, op->a), value = *at(r, op->b);
	bool ok = r->cpu->res_addr == (uint32_t)addr;
	uint8_t *p;

	if (!aligned(r, addr, 1u << size, true))
		return false;
	if (ok) {
		p = access_mem(r, addr, 1u << size, true);
		if (!p)
			return false;
		ok = exchange(p, size, r->cpu->res_value, value) == extend(r->cpu->res_value, size);
	}
	r->cpu->res_addr = ~0ull;
	*at(r, op->d) = !ok;
	return true;
}

static bool compare_and_swap(struct run *r, const struct emu_iop *op)
{
	unsigned size = op->aux & 7;
	uint8_t *p = access_atomic(r, *at(r, op->a), 1u << size, true);

	if (!p)
		return false;
	*at(r, op->d) = exchange(p, size, *at(r, op->b), *at(r, op->c));
	return true;
}

/* `old` and `b` zero-extended from 1 << size bytes. */
static uint64_t amo_result(unsigned kind, uint64_t old, uint64_t b, unsigned size)
{
	int64_t so = (int64_t)extend(old, size | EMU_MSIGN), sb = (int64_t)extend(b, size | EMU_MSIGN);

	switch (kind) {
	case EMU_AMO_SWAP: return b;
	case EMU_AMO_ADD: return old + b;
	case EMU_AMO_AND: return old & b;
	case EMU_AMO_OR: return old | b;
	case EMU_AMO_XOR: return old ^ b;
	case EMU_AMO_MIN: return so < sb ? old : b;
	case EMU_AMO_MAX: return so > sb ? old : b;
	case EMU_AMO_MINU: return old < b ? old : b;
	default: return old > b ? old : b;
	}
}

static bool amo(struct run *r, const struct emu_iop *op)
{
	unsigned size = op->aux & 7;
	uint64_t b = extend(*at(r, op->b), size), old, was;
	uint8_t *p = access_atomic(r, *at(r, op->a), 1u << size, true);

	if (!p)
		return false;
	was = load_atomic(p, size);
	do {
		old = was;
		was = exchange(p, size, old, amo_result(op->aux >> 4, old, b, size));
	} while (was != old);
	*at(r, op->d) = extend(old, op->aux & 15);
	return true;
}

static uint64_t orcb(uint64_t v)
{
	for (unsigned i = 0; i < 64; i += 8) {
		if (v >> i & 0xff)
			v |= 0xffull << i;
	}
	return v;
}

static uint64_t rotr(uint64_t a, unsigned n)
{
	return n % 64 ? a >> (n % 64) | a << (64 - n % 64) : a;
}
static uint32_t rotr32(uint32_t a, unsigned n)
{
	return n % 32 ? a >> (n % 32) | a << (32 - n % 32) : a;
}

/* RISC-V unprivileged ISA, M extension: what division by zero and overflow give. */
static uint64_t divide(unsigned op, uint64_t a, uint64_t b)
{
	bool overflow = (int64_t)a == INT64_MIN && (int64_t)b == -1;

	switch (op) {
	case EMU_OP_DIVS: return !b ? ~0ull : overflow ? a : (uint64_t)((int64_t)a / (int64_t)b);
	case EMU_OP_DIVU: return !b ? ~0ull : a / b;
	case EMU_OP_REMS: return !b ? a : overflow ? 0 : (uint64_t)((int64_t)a % (int64_t)b);
	default: return !b ? a : a % b;
	}
}
static uint32_t divide32(unsigned op, uint32_t a, uint32_t b)
{
	bool overflow = (int32_t)a == INT32_MIN && (int32_t)b == -1;

	switch (op) {
	case EMU_OP_DIVS32: return !b ? ~0u : overflow ? a : (uint32_t)((int32_t)a / (int32_t)b);
	case EMU_OP_DIVU32: return !b ? ~0u : a / b;
	case EMU_OP_REMS32: return !b ? a : overflow ? 0 : (uint32_t)((int32_t)a % (int32_t)b);
	default: return !b ? a : a % b;
	}
}

/* N and Z of a result, with C and V. */
static uint64_t flags_of(uint64_t result, bool carry, bool overflow, bool wide)
{
	uint64_t top = wide ? result >> 63 : result >> 31 & 1;

	return (top ? EMU_FLAG_N : 0) | ((wide ? !result : !(uint32_t)result) ? EMU_FLAG_Z : 0) | (carry ? EMU_FLAG_C : 0) |
	       (overflow ? EMU_FLAG_V : 0);
}

/* Of a + b + carry (Arm ARM, AddWithCarry). */
static uint64_t add_flags(uint64_t a, uint64_t b, unsigned carry, bool wide)
{
	u128 sum;
	uint64_t r, sign = wide ? 1ull << 63 : 1ull << 31;

	if (!wide) {
		a = (uint32_t)a;
		b = (uint32_t)b;
	}
	sum = (u128)a + b + carry;
	r = (uint64_t)sum;
	return flags_of(r, sum >> (wide ? 64 : 32) & 1, ~(a ^ b) & (a ^ r) & sign, wide);
}

uint64_t emu_eval(unsigned op, unsigned aux, uint64_t a, uint64_t b, uint64_t c)
{
	uint32_t a32 = (uint32_t)a, b32 = (uint32_t)b;

	switch (op) {
	case EMU_OP_MOV: return a;
	case EMU_OP_ADD: return a + b;
	case EMU_OP_SUB: return a - b;
	case EMU_OP_AND: return a & b;
	case EMU_OP_OR: return a | b;
	case EMU_OP_XOR: return a ^ b;
	case EMU_OP_ANDN: return a & ~b;
	case EMU_OP_SHL: return a << (b & 63);
	case EMU_OP_SHR: return a >> (b & 63);
	case EMU_OP_SAR: return (uint64_t)((int64_t)a >> (b & 63));
	case EMU_OP_ROTR: return rotr(a, (unsigned)(b & 63));
	case EMU_OP_MUL: return a * b;
	case EMU_OP_MULHU: return (uint64_t)((u128)a * b >> 64);
	case EMU_OP_MULHS: return (uint64_t)((s128)(int64_t)a * (int64_t)b >> 64);
	case EMU_OP_MULHSU: return (uint64_t)((s128)(int64_t)a * (s128)(u128)b >> 64);
	case EMU_OP_DIVS: case EMU_OP_DIVU: case EMU_OP_REMS: case EMU_OP_REMU: return divide(op, a, b);
	case EMU_OP_ADD32: return a32 + b32;
	case EMU_OP_SUB32: return a32 - b32;
	case EMU_OP_SHL32: return a32 << (b & 31);
	case EMU_OP_SHR32: return a32 >> (b & 31);
	case EMU_OP_SAR32: return (uint32_t)((int32_t)a32 >> (b & 31));
	case EMU_OP_ROTR32: return rotr32(a32, (unsigned)(b & 31));
	case EMU_OP_MUL32: return a32 * b32;
	case EMU_OP_DIVS32: case EMU_OP_DIVU32: case EMU_OP_REMS32: case EMU_OP_REMU32:
		return divide32(op, a32, b32);
	case EMU_OP_NOT: return ~a;
	case EMU_OP_SEXT8: return (uint64_t)(int8_t)a;
	case EMU_OP_SEXT16: return (uint64_t)(int16_t)a;
	case EMU_OP_SEXT32: return (uint64_t)(int32_t)a;
	case EMU_OP_ZEXT8: return (uint8_t)a;
	case EMU_OP_ZEXT16: return (uint16_t)a;
	case EMU_OP_ZEXT32: return a32;
	case EMU_OP_CLZ: return a ? (uint64_t)__builtin_clzll(a) : 64;
	case EMU_OP_CTZ: return a ? (uint64_t)__builtin_ctzll(a) : 64;
	case EMU_OP_POPCNT: return (uint64_t)__builtin_popcountll(a);
	case EMU_OP_CLZ32: return a32 ? (uint64_t)__builtin_clz(a32) : 32;
	case EMU_OP_CTZ32: return a32 ? (uint64_t)__builtin_ctz(a32) : 32;
	case EMU_OP_POPCNT32: return (uint64_t)__builtin_popcount(a32);
	case EMU_OP_BSWAP: return __builtin_bswap64(a);
	case EMU_OP_ORCB: return orcb(a);
	case EMU_OP_FLAGADD: return add_flags(a, b, 0, aux == EMU_W64);
	case EMU_OP_FLAGSUB: return add_flags(a, ~b, 1, aux == EMU_W64);
	case EMU_OP_FLAGADC: return add_flags(a, b, c & 1, aux == EMU_W64);
	case EMU_OP_FLAGLOGIC: return flags_of(a, false, false, aux == EMU_W64);
	case EMU_OP_SETCOND: return holds(aux, a, b);
	case EMU_OP_SELECT: return a ? b : c;
	case EMU_OP_MINS: return (int64_t)a < (int64_t)b ? a : b;
	case EMU_OP_MAXS: return (int64_t)a > (int64_t)b ? a : b;
	case EMU_OP_MINU: return a < b ? a : b;
	default: return a > b ? a : b; /* MAXU */
	}
}

static uint64_t eval_fp(struct run *r, const struct emu_iop *op)
{
	uint64_t a = *at(r, op->a), b = *at(r, op->b), c = *at(r, op->c);
	uint64_t sign = op->aux ? 1ull << 63 : 1ull << 31;

	switch (op->op) {
	case EMU_OP_FMADD: return emu_fp_fma(a, b, c, op->aux);
	case EMU_OP_FMSUB: return emu_fp_fma(a, b, c ^ sign, op->aux);
	case EMU_OP_FNMSUB: return emu_fp_fma(a ^ sign, b, c, op->aux);
	case EMU_OP_FNMADD: return emu_fp_fma(a ^ sign, b, c ^ sign, op->aux);
	case EMU_OP_FMIN: case EMU_OP_FMAX:
		return emu_fp_minmax(a, b, op->aux, op->op == EMU_OP_FMAX);
	case EMU_OP_FSGNJ: case EMU_OP_FSGNJN: case EMU_OP_FSGNJX: return emu_fp_sign(op->op, a, b, op->aux);
	case EMU_OP_FEQ: case EMU_OP_FLT: case EMU_OP_FLE: return emu_fp_compare(op->op, a, b, op->aux);
	case EMU_OP_FCLASS: return emu_fp_class(a, op->aux);
	case EMU_OP_FTOI: return emu_fp_ftoi(a, op->aux);
	case EMU_OP_ITOF: return emu_fp_itof(a, op->aux);
	case EMU_OP_FCANON: return emu_fp_canon(a, op->aux);
	case EMU_OP_FBOX: return (uint32_t)a | 0xffffffff00000000ull;
	case EMU_OP_FUNBOX: return a >> 32 == 0xffffffff ? (uint32_t)a : EMU_NAN32;
	case EMU_OP_MOVIF: case EMU_OP_MOVFI: return a;
	default: return emu_fp_arith(op->op, a, b, op->aux);
	}
}

static void vector(struct run *r, const struct emu_iop *op)
{
	const char *operands = emu_op_info(op->op)->operands;
	struct emu_vop v = { .n = (uint64_t)op->imm };

	for (const char *p = operands; *p; p++) {
		switch (*p) {
		case 'A': memcpy(&v.a, at(r, op->a), 16); break;
		case 'B': memcpy(&v.b, at(r, op->b), 16); break;
		case 'C': memcpy(&v.c, at(r, op->c), 16); break;
		case 'a': v.n = *at(r, op->a); break;
		case 'b': v.n = *at(r, op->b); break;
		default: break;
		}
	}
	emu_vec_eval(r->cpu, emu_vec_what(op->op, op->aux, op->imm), &v);
	if (*operands == 'D')
		memcpy(at(r, op->d), &v.d, 16);
	else
		*at(r, op->d) = v.n;
}

static void set_rounding(struct emu_cpu *cpu, unsigned rm)
{
	static const uint8_t rc[4] = { 0, 3, 1, 2 };
	uint32_t csr = _mm_getcsr();

	if (rm == EMU_RDYN)
		csr = (csr & ~0x6000u) | (cpu->mxcsr & 0x6000u);
	else
		csr = (csr & ~0x6000u) | (uint32_t)rc[rm & 3] << 13;
	_mm_setcsr(csr);
}

/* False: the block is left. */
static bool control(struct run *r, const struct emu_iop *op, const struct emu_iop **next,
		    const struct emu_iop *first)
{
	uint64_t v;

	switch (op->op) {
	case EMU_OP_INSN:
		r->pc = (uint64_t)op->imm;
		r->cpu->insns++;
		return true;
	case EMU_OP_LD: return r->cpu->world->soft ? soft_load(r, op) : load(r, op);
	case EMU_OP_ST: return r->cpu->world->soft ? soft_store(r, op) : store(r, op, 1u << (op->aux & 7));
	case EMU_OP_SEG: return !emu_soft_access(r->cpu, *at(r, op->a), op->aux | EMU_SOFT_SEG | (unsigned)op->imm << 8, r->pc);
	case EMU_OP_FLD: return fload(r, op);
	case EMU_OP_FST: return store(r, op, 4u << op->aux);
	case EMU_OP_LR: return load_reserved(r, op);
	case EMU_OP_SC: return store_conditional(r, op);
	case EMU_OP_AMO: return amo(r, op);
	case EMU_OP_CAS: return compare_and_swap(r, op);
	case EMU_OP_LINK: case EMU_OP_LANDING:
		return true;
	case EMU_OP_FENCE:
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		return true;
	case EMU_OP_FMOV:
		memmove(at(r, op->d), at(r, op->a), 16);
		return true;
	case EMU_OP_FRM:
		set_rounding(r->cpu, op->aux);
		return true;
	case EMU_OP_CALL:
		v = ((emu_helper *)(uintptr_t)op->imm)(r->cpu, *at(r, op->a), *at(r, op->b));
		*at(r, op->d) = v;
		return true;
	case EMU_OP_BRCOND:
		if (holds(op->aux, *at(r, op->a), *at(r, op->b)))
			*next = first + op->imm;
		return true;
	case EMU_OP_BR:
		*next = first + op->imm;
		return true;
	case EMU_OP_LABEL:
		return true;
	case EMU_OP_GOTO:
		r->cpu->pc = (uint64_t)op->imm;
		return false;
	case EMU_OP_GOTO_REG:
		r->cpu->pc = *at(r, op->a);
		return false;
	default: /* EXC */
		r->cpu->pc = (uint64_t)op->imm;
		r->cpu->exc = op->aux;
		return false;
	}
}

void emu_interp_run(struct emu_cpu *cpu, struct emu_block *b)
{
	struct run r = { cpu, { (char *)cpu, (char *)(b->iconst + b->iconsts) }, b->pc };
	const struct emu_iop *op = b->iop, *next;

	b->runs++;
	for (;; op = next) {
		next = op + 1;
		if (op->op >= EMU_OP_MOVIF && op->op <= EMU_OP_FUNBOX) {
			uint64_t v = eval_fp(&r, op), *d = at(&r, op->d);

			d[0] = v;
			if (*emu_op_info(op->op)->operands == 'D')
				d[1] = 0;
		} else if (op->op >= EMU_OP_MOV && op->op <= EMU_OP_MAXU) {
			*at(&r, op->d) = emu_eval(op->op, op->aux, *at(&r, op->a), *at(&r, op->b),
						  *at(&r, op->c));
		} else if (emu_op_is_vector(op->op)) {
			vector(&r, op);
		} else if (!control(&r, op, &next, b->iop)) {
			return;
		}
	}
}
