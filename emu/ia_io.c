/* Ports of the software x86 CPU: IN, OUT, INS, OUTS, and who may (SDM volume 1, 19.5). */
#include "emu/ia_sys.h"

#define TURNS 4096 /* of REP INS and OUTS, before somebody else may look */

/* The I/O permission bitmap of the TSS: two bytes are read, for a range may cross. */
static int allowed(struct emu_ia_vcpu *v, uint16_t port, unsigned bytes)
{
	const struct emu_ia_seg *tr = &v->seg[EMU_IA_TR];
	uint16_t at, bits;
	int e;

	if (!ia_protected(v) || (v->cpl <= ia_iopl(v) && !ia_vm86(v)))
		return 0;
	if (tr->unusable || !(tr->type & 8) || tr->limit < 0x67)
		return IA_GP0(v);
	e = ia_mem_read(v, tr->base + 0x66, &at, 2, true);
	if (e)
		return e;
	if (at + port / 8u + 1 > tr->limit)
		return IA_GP0(v);
	e = ia_mem_read(v, tr->base + at + port / 8u, &bits, 2, true);
	if (e)
		return e;
	return bits >> port % 8 & ((1u << bytes) - 1) ? IA_GP0(v) : 0;
}

static void access_port(struct emu_ia_vcpu *v, uint16_t port, unsigned bytes, bool write, uint32_t *value)
{
	v->count.ports++;
	if (!write)
		*value = ~0u;
	if (v->desc.port && v->desc.port(v->desc.arg, port, bytes, write, value) == EMU_IA_STOP)
		v->stop = true;
}

int ia_in_out(struct emu_ia_vcpu *v, const struct emu_ia_insn *i, uint64_t *next)
{
	bool write = i->op == IA_out;
	/* E4 to E7 and EC to EF: bit 0 not for bytes, bit 3 the port in DX */
	unsigned bytes = !(i->opcode & 1) ? 1 : i->osize == 2 ? 2 : 4;
	bool fixed = !(i->opcode & 8);
	uint16_t port = fixed ? (uint8_t)i->imm : (uint16_t)v->cpu->r[IA_RDX];
	uint64_t *rax = &v->cpu->r[IA_RAX];
	uint32_t value = (uint32_t)*rax;
	int e = allowed(v, port, bytes);

	(void)next;
	if (e)
		return e;
	if (bytes < 4)
		value &= (1u << 8 * bytes) - 1;
	access_port(v, port, bytes, write, &value);
	if (write)
		return 0;
	if (bytes == 4)
		*rax = value;
	else
		*rax = (*rax & ~((1ull << 8 * bytes) - 1)) | (value & ((1u << 8 * bytes) - 1));
	return 0;
}

static void step(struct emu_ia_vcpu *v, const struct emu_ia_insn *i, unsigned reg, unsigned bytes)
{
	uint64_t by = (int64_t)v->cpu->r[IA_G_DIR] < 0 ? -(uint64_t)bytes : bytes;

	emu_ia_set_gpr(v->cpu, reg, i->asize, v->cpu->r[reg] + by);
}

static int turn(struct emu_ia_vcpu *v, const struct emu_ia_insn *i, unsigned bytes)
{
	bool write = i->op == IA_outs;
	unsigned seg = write ? i->seg : IA_ES, reg = write ? IA_RSI : IA_RDI;
	uint64_t offset = emu_ia_gpr(v->cpu, reg, i->asize), at = ia_seg_linear(v, seg, offset);
	uint32_t value = 0;
	int e = ia_seg_check(v, seg, offset, bytes, !write);

	if (e)
		return e;
	if (write) {
		e = ia_mem_read(v, at, &value, bytes, false);
		if (!e)
			access_port(v, (uint16_t)v->cpu->r[IA_RDX], bytes, true, &value);
	} else {
		e = ia_mem_probe(v, at, bytes, true, false);
		if (!e)
			access_port(v, (uint16_t)v->cpu->r[IA_RDX], bytes, false, &value);
		if (!e)
			e = ia_mem_write(v, at, &value, bytes, false);
	}
	if (!e)
		step(v, i, reg, bytes);
	return e;
}

int ia_string_io(struct emu_ia_vcpu *v, const struct emu_ia_insn *i, uint64_t *next)
{
	unsigned bytes, turns = v->alone ? 1 : TURNS;
	bool rep = i->repe || i->repne, again = false;
	int e;

	bytes = emu_ia_size(i, i->op == IA_ins ? 0 : 0);
	if (!bytes)
		bytes = emu_ia_size(i, 1);
	e = allowed(v, (uint16_t)v->cpu->r[IA_RDX], bytes);
	if (e)
		return e;
	if (!rep)
		return turn(v, i, bytes);
	while (emu_ia_gpr(v->cpu, IA_RCX, i->asize)) {
		e = turn(v, i, bytes);
		if (e)
			return e;
		emu_ia_set_gpr(v->cpu, IA_RCX, i->asize, v->cpu->r[IA_RCX] - 1);
		again = emu_ia_gpr(v->cpu, IA_RCX, i->asize);
		if (!--turns || v->stop || __atomic_load_n(&v->cpu->exit_request, __ATOMIC_RELAXED))
			break;
	}
	if (again)
		*next = v->cpu->pc;
	return 0;
}
