/* MMX to SSSE3 on the state of the CPU: moves and shuffles in C, arithmetic by the host (ia_host.c).
 * An operand in memory of 16 bytes must be aligned, except where the name says unaligned
 * (SDM volume 1, 10.4.1.1).
 */
#include <string.h>

#include "emu/ia_state.h"
#include "emu/ia_translate.h"

typedef struct emu_ia_vector vec;

/* -- MMX registers: the x87's significands, with the top at 0 -- */

static void mmx_begin(struct emu_ia_x87 *f)
{
	unsigned top = f->sw >> 11 & 7;
	uint8_t old[8][10];

	memcpy(old, f->st, sizeof(old));
	for (unsigned n = 0; n < 8; n++)
		memcpy(f->st[n], old[(n - top) & 7], 10);
	f->sw &= (uint16_t)~0x3800u;
	f->tag = 0;
}

static vec mmx_get(const struct emu_ia_x87 *f, unsigned n)
{
	vec v = { { 0, 0 } };

	memcpy(v.q, f->st[n & 7], 8);
	return v;
}

static void mmx_set(struct emu_ia_x87 *f, unsigned n, uint64_t q)
{
	memcpy(f->st[n & 7], &q, 8);
	memset(f->st[n & 7] + 8, 0xff, 2);
}

static bool is_mmx_place(enum emu_ia_place p)
{
	return p == IA_PLACE_P || p == IA_PLACE_Q || p == IA_PLACE_N;
}

/* -- operands -- */

static bool may_be_unaligned(unsigned op)
{
	return op == IA_movups || op == IA_movupd || op == IA_movdqu || op == IA_lddqu;
}

static vec get_xmm(const struct emu_cpu *cpu, unsigned n)
{
	return (vec){ { cpu->v[n].q[0], cpu->v[n].q[1] } };
}

static void set_xmm(struct emu_cpu *cpu, unsigned n, vec v)
{
	cpu->v[n].q[0] = v.q[0];
	cpu->v[n].q[1] = v.q[1];
}

static int check_aligned(const struct emu_ia_insn *i, uint64_t at, unsigned bytes)
{
	return bytes == 16 && (at & 15) && !may_be_unaligned(i->op) ? EMU_IA_GP : 0;
}

/* Operand n; from memory its bytes, zeros above. */
static int get(struct emu_cpu *cpu, const struct emu_ia_insn *i, unsigned n, vec *v)
{
	unsigned bytes = emu_ia_size(i, n);
	uint64_t at;
	int e;

	*v = (vec){ { 0, 0 } };
	switch (emu_ia_place(i, n)) {
	case IA_PLACE_V: *v = get_xmm(cpu, i->reg); return 0;
	case IA_PLACE_P: *v = mmx_get(&emu_ia_state(cpu)->x87, i->reg); return 0;
	case IA_PLACE_G: v->q[0] = emu_ia_gpr(cpu, i->reg, bytes); return 0;
	case IA_PLACE_I: v->q[0] = (uint64_t)i->imm; return 0;
	default: break;
	}
	if (i->memory) {
		at = emu_ia_address(cpu, i);
		e = check_aligned(i, at, bytes);
		return e ? e : emu_ia_read(cpu, at, v->q, bytes);
	}
	switch (emu_ia_place(i, n)) {
	case IA_PLACE_W: case IA_PLACE_U: *v = get_xmm(cpu, i->rm); return 0;
	case IA_PLACE_Q: case IA_PLACE_N: *v = mmx_get(&emu_ia_state(cpu)->x87, i->rm); return 0;
	default: v->q[0] = emu_ia_gpr(cpu, i->rm, bytes); return 0;
	}
}

static int set(struct emu_cpu *cpu, const struct emu_ia_insn *i, unsigned n, vec v)
{
	unsigned bytes = emu_ia_size(i, n);
	uint64_t at;
	int e;

	switch (emu_ia_place(i, n)) {
	case IA_PLACE_V: set_xmm(cpu, i->reg, v); return 0;
	case IA_PLACE_P: mmx_set(&emu_ia_state(cpu)->x87, i->reg, v.q[0]); return 0;
	case IA_PLACE_G: emu_ia_set_gpr(cpu, i->reg, bytes, v.q[0]); return 0;
	default: break;
	}
	if (i->memory) {
		at = emu_ia_address(cpu, i);
		e = check_aligned(i, at, bytes);
		return e ? e : emu_ia_write(cpu, at, v.q, bytes);
	}
	switch (emu_ia_place(i, n)) {
	case IA_PLACE_W: case IA_PLACE_U: set_xmm(cpu, i->rm, v); return 0;
	case IA_PLACE_Q: case IA_PLACE_N: mmx_set(&emu_ia_state(cpu)->x87, i->rm, v.q[0]); return 0;
	default: emu_ia_set_gpr(cpu, i->rm, bytes, v.q[0]); return 0;
	}
}

/* -- moves: what the destination keeps differs -- */

static int move(struct emu_cpu *cpu, const struct emu_ia_insn *i)
{
	enum emu_ia_place to = emu_ia_place(i, 0);
	vec v, old;
	int e = get(cpu, i, 1, &v);

	if (e)
		return e;
	old = to == IA_PLACE_V ? get_xmm(cpu, i->reg) : get_xmm(cpu, i->memory ? 0 : i->rm);
	switch (i->op) {
	case IA_movss:
		if (!i->memory)
			v = (vec){ { (old.q[0] & ~0xffffffffull) | (uint32_t)v.q[0], old.q[1] } };
		break;
	case IA_movsd:
		if (!i->memory)
			v.q[1] = old.q[1];
		break;
	case IA_movlps: case IA_movlpd:
		if (to == IA_PLACE_V)
			v.q[1] = old.q[1];
		break;
	case IA_movhps: case IA_movhpd:
		v = to == IA_PLACE_V ? (vec){ { old.q[0], v.q[0] } } : (vec){ { v.q[1], 0 } };
		break;
	case IA_movhlps: v = (vec){ { v.q[1], old.q[1] } }; break;
	case IA_movlhps: v = (vec){ { old.q[0], v.q[0] } }; break;
	case IA_movd: v = (vec){ { (uint32_t)v.q[0], 0 } }; break;
	case IA_movq: case IA_movq2dq: case IA_movdq2q: v.q[1] = 0; break;
	default: break; /* all 16 bytes, or 8 of MMX */
	}
	return set(cpu, i, 0, v);
}

static bool is_move(unsigned op)
{
	switch (op) {
	case IA_movups: case IA_movupd: case IA_movss: case IA_movsd: case IA_movlps: case IA_movlpd: case IA_movhlps:
	case IA_movlhps: case IA_movhps: case IA_movhpd: case IA_movaps: case IA_movapd: case IA_movntps:
	case IA_movntpd: case IA_movd: case IA_movq: case IA_movdqa: case IA_movdqu: case IA_lddqu: case IA_movntdq:
	case IA_movntq: case IA_movq2dq: case IA_movdq2q:
		return true;
	default:
		return false;
	}
}

/* -- with an immediate, or between the two kinds of registers -- */

static uint32_t dword(const vec *v, unsigned n)
{
	return (uint32_t)(v->q[n / 2 & 1] >> (n & 1) * 32);
}
static uint16_t word(const vec *v, unsigned n)
{
	return (uint16_t)(v->q[n / 4 & 1] >> (n & 3) * 16);
}
static void put_word(vec *v, unsigned n, uint16_t w)
{
	unsigned shift = (n & 3) * 16;

	v->q[n / 4 & 1] = (v->q[n / 4 & 1] & ~(0xffffull << shift)) | (uint64_t)w << shift;
}

static vec shuffle_words(vec b, unsigned from, unsigned imm)
{
	vec r = b;

	for (unsigned n = 0; n < 4; n++)
		put_word(&r, from + n, word(&b, from + (imm >> 2 * n & 3)));
	return r;
}

static vec shift_bytes(vec a, int n) /* n > 0: left */
{
	uint8_t in[48] = { 0 };
	vec r;

	memcpy(in + 16, a.q, 16);
	n = n > 16 ? 16 : n < -16 ? -16 : n;
	memcpy(r.q, in + 16 - n, 16);
	return r;
}

static vec align_right(vec high, vec low, unsigned n, unsigned bytes)
{
	uint8_t in[64] = { 0 };
	vec r = { { 0, 0 } };

	memcpy(in, low.q, bytes);
	memcpy(in + bytes, high.q, bytes);
	if (n < 2 * bytes)
		memcpy(r.q, in + n, bytes);
	return r;
}

static uint64_t byte_signs(vec v, unsigned bytes)
{
	uint64_t m = 0;

	for (unsigned n = 0; n < bytes; n++)
		m |= (v.q[n / 8] >> (n % 8 * 8 + 7) & 1) << n;
	return m;
}

/* False: no such operation here. */
static bool shuffle(const struct emu_ia_insn *i, vec *a, vec b)
{
	unsigned imm = (unsigned)i->imm & 0xff, bytes = is_mmx_place(emu_ia_place(i, 0)) ? 8 : 16;

	switch (i->op) {
	case IA_shufps:
		*a = (vec){ { dword(a, imm & 3) | (uint64_t)dword(a, imm >> 2 & 3) << 32,
			      dword(&b, imm >> 4 & 3) | (uint64_t)dword(&b, imm >> 6) << 32 } };
		return true;
	case IA_shufpd: *a = (vec){ { a->q[imm & 1], b.q[imm >> 1 & 1] } }; return true;
	case IA_pshufd:
		*a = (vec){ { dword(&b, imm & 3) | (uint64_t)dword(&b, imm >> 2 & 3) << 32,
			      dword(&b, imm >> 4 & 3) | (uint64_t)dword(&b, imm >> 6) << 32 } };
		return true;
	case IA_pshufw: case IA_pshuflw: *a = shuffle_words(b, 0, imm); return true;
	case IA_pshufhw: *a = shuffle_words(b, 4, imm); return true;
	case IA_palignr: *a = align_right(*a, b, imm, bytes); return true;
	case IA_pslldq: *a = shift_bytes(*a, (int)imm); return true;
	case IA_psrldq: *a = shift_bytes(*a, -(int)imm); return true;
	case IA_pinsrw: put_word(a, imm & (bytes / 2 - 1), (uint16_t)b.q[0]); return true;
	case IA_movmskps:
		*a = (vec){ { byte_signs(b, 16) & 0x8888, 0 } };
		a->q[0] = (a->q[0] >> 3 & 1) | (a->q[0] >> 6 & 2) | (a->q[0] >> 9 & 4) | (a->q[0] >> 12 & 8);
		return true;
	case IA_movmskpd: *a = (vec){ { b.q[0] >> 63 | b.q[1] >> 63 << 1, 0 } }; return true;
	default: return false;
	}
}

/* PMOVMSKB and PEXTRW look at a register of either kind. */
static bool extract(const struct emu_ia_insn *i, vec *a, vec b)
{
	unsigned bytes = is_mmx_place(emu_ia_place(i, 1)) ? 8 : 16;

	if (i->op == IA_pmovmskb)
		*a = (vec){ { byte_signs(b, bytes), 0 } };
	else if (i->op == IA_pextrw)
		*a = (vec){ { word(&b, (unsigned)i->imm & (bytes / 2 - 1)), 0 } };
	else
		return false;
	return true;
}

/* -- arithmetic -- */

/* A shift by an immediate is the shift by a register with that count. */
static unsigned host_opcode(const struct emu_ia_insn *i)
{
	static const uint8_t right[3] = { 0xd1, 0xd2, 0xd3 };

	if (i->row->map != 2 || i->opcode < 0x71 || i->opcode > 0x73)
		return i->opcode;
	return right[i->opcode - 0x71] + ((i->reg & 7) == 4 ? 0x10u : (i->reg & 7) == 6 ? 0x20u : 0);
}

static int finish(struct emu_cpu *cpu, const struct emu_ia_insn *i, vec a, uint32_t mxcsr)
{
	struct emu_ia_cpu *s = emu_ia_state(cpu);
	uint32_t raised = mxcsr & 0x3f & ~(s->mxcsr >> 7);
	int e = 0;

	/* an exception that is not masked leaves the destination alone */
	if (!(raised & ~(s->mxcsr & 0x3f)))
		e = i->op == IA_ucomiss || i->op == IA_ucomisd || i->op == IA_comiss || i->op == IA_comisd
			    ? 0 : set(cpu, i, 0, a);
	else
		e = EMU_IA_XM;
	if (!e || e == EMU_IA_XM)
		s->mxcsr |= mxcsr & 0x3f;
	return e;
}

/* Conversions from and to general registers, whose size REX.W gives. */
static int convert(struct emu_cpu *cpu, const struct emu_ia_insn *i)
{
	uint32_t mxcsr = emu_ia_state(cpu)->mxcsr & ~0x3fu;
	vec a, b;
	int e = get(cpu, i, 1, &b);

	if (!e)
		e = get(cpu, i, 0, &a);
	if (e)
		return e;
	if (!emu_ia_host_convert(i->op, i->rex & 8, &a, &b, &mxcsr))
		return EMU_EXC_COMPLEX;
	return finish(cpu, i, a, mxcsr);
}

static int arithmetic(struct emu_cpu *cpu, const struct emu_ia_insn *i)
{
	struct emu_ia_cpu *s = emu_ia_state(cpu);
	bool mmx = is_mmx_place(emu_ia_place(i, 0)) || is_mmx_place(emu_ia_place(i, 1)); /* for the host */
	uint32_t mxcsr = s->mxcsr & ~0x3fu;
	uint64_t rflags;
	vec a, b;
	int e = get(cpu, i, 1, &b);

	if (!e)
		e = get(cpu, i, 0, &a);
	if (e)
		return e;
	if (extract(i, &a, b) || shuffle(i, &a, b))
		return set(cpu, i, 0, a);
	if (!emu_ia_host_sse(i->row, host_opcode(i), (unsigned)i->imm, mmx, &a, &b, &mxcsr, &rflags))
		return EMU_EXC_COMPLEX;
	e = finish(cpu, i, a, mxcsr);
	if (!e && (i->op == IA_ucomiss || i->op == IA_ucomisd || i->op == IA_comiss || i->op == IA_comisd)) {
		cpu->r[IA_G_CC_OP] = IA_CC_FLAGS;
		cpu->r[IA_G_CC_SRC] = rflags & IA_ARITH;
	}
	return e;
}

/* Bytes whose mask has its top bit set go to DS:rDI. All of them must be writable, whatever the mask: the SDM
 * leaves that open, and hardware checks so, the upper half first. */
static int masked_store(struct emu_cpu *cpu, const struct emu_ia_insn *i)
{
	unsigned bytes = i->op == IA_maskmovq ? 8 : 16;
	uint64_t at = emu_ia_in_segment(cpu, i, cpu->r[IA_RDI], i->seg), mask;
	vec v, m;
	int e = bytes == 16 ? emu_ia_writable(cpu, at + 8, 8) : 0;

	if (!e)
		e = emu_ia_writable(cpu, at, 8);
	get(cpu, i, 0, &v);
	get(cpu, i, 1, &m);
	mask = byte_signs(m, bytes);
	for (unsigned n = 0; n < bytes && !e; n++) {
		uint8_t b = (uint8_t)(v.q[n / 8] >> n % 8 * 8);

		if (mask >> n & 1)
			e = emu_ia_write(cpu, at + n, &b, 1);
	}
	return e;
}

static int control(struct emu_cpu *cpu, const struct emu_ia_insn *i)
{
	struct emu_ia_cpu *s = emu_ia_state(cpu);
	uint32_t v;
	int e;

	if (i->op == IA_stmxcsr)
		return emu_ia_write(cpu, emu_ia_address(cpu, i), &s->mxcsr, 4);
	e = emu_ia_read(cpu, emu_ia_address(cpu, i), &v, 4);
	if (!e && (v & 0xffff0000u))
		return EMU_IA_GP;
	if (!e)
		s->mxcsr = v;
	return e;
}

int emu_ia_sse(struct emu_cpu *cpu, const struct emu_ia_insn *i)
{
	struct emu_ia_cpu *s = emu_ia_state(cpu);

	switch (emu_ia_ops[i->op].feature) {
	case IA_FEATURE_MMX: case IA_FEATURE_SSE: case IA_FEATURE_SSE2: case IA_FEATURE_SSE3: case IA_FEATURE_SSSE3:
		break;
	default:
		return EMU_EXC_COMPLEX;
	}
	/* an instruction with MMX registers waits for the x87, and takes its registers; not so CVTPI2PD
	 * (SDM volume 2A) and, on hardware, CVTPI2PS from memory */
	if (i->op == IA_emms || is_mmx_place(emu_ia_place(i, 0)) ||
	    (is_mmx_place(emu_ia_place(i, 1)) && !(i->memory && (i->op == IA_cvtpi2pd || i->op == IA_cvtpi2ps)))) {
		struct emu_ia_x87 before = s->x87;
		int e;

		if (before.sw & 0x80)
			return EMU_IA_MF;
		mmx_begin(&s->x87);
		if (i->op == IA_emms) {
			s->x87.tag = 0xffff;
			return 0;
		}
		e = i->op == IA_maskmovq ? masked_store(cpu, i) : is_move(i->op) ? move(cpu, i) : arithmetic(cpu, i);
		if (e)
			s->x87 = before;
		return e;
	}
	switch (i->op) {
	case IA_ldmxcsr: case IA_stmxcsr: return control(cpu, i);
	case IA_maskmovdqu: return masked_store(cpu, i);
	case IA_cvtsi2ss: case IA_cvtsi2sd: case IA_cvtss2si: case IA_cvtsd2si: case IA_cvttss2si: case IA_cvttsd2si:
		return convert(cpu, i);
	default:
		return is_move(i->op) ? move(cpu, i) : arithmetic(cpu, i);
	}
}
