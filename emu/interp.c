/* The IR interpreter: the meaning of every operation in plain C, and the oracle of the back ends.
 *
 * A block is prepared once (interp_prepare.c); what integer operations give stands in eval.h. Guest memory is
 * checked against the rights of its pages on every access, so that no signal is needed.
 */
#include <string.h>
#include <xmmintrin.h>

#include "emu/eval.h"
#include "emu/fp.h"
#include "emu/soft.h"
#include "emu/vec.h"

struct run {
	struct emu_cpu *cpu;
	char *base[2];          /* CPU; end of the block's constants */
	uint64_t pc;            /* of the guest instruction */
};

static inline uint64_t *at(const struct run *r, int32_t off)
{
	return (uint64_t *)(r->base[off < 0] + off);
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
		if (emu_holds(op->aux, *at(r, op->a), *at(r, op->b)))
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

uint64_t emu_eval(unsigned op, unsigned aux, uint64_t a, uint64_t b, uint64_t c)
{
	return emu_value(op, aux, a, b, c);
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
			*at(&r, op->d) = emu_value(op->op, op->aux, *at(&r, op->a), *at(&r, op->b),
						  *at(&r, op->c));
		} else if (emu_op_is_vector(op->op)) {
			vector(&r, op);
		} else if (!control(&r, op, &next, b->iop)) {
			return;
		}
	}
}
