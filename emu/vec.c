/* Integer vector operations, element by element (DDI 0487, C7.2, and the functions named there). */
#include "emu/vec.h"

#include <string.h>

typedef __int128 s128;

struct how {
	struct emu_cpu *cpu;
	unsigned e, bits, lanes, aux;
	bool u, hi;
	int64_t imm;
};

static s128 extend(uint64_t x, unsigned bits, bool u)
{
	if (u)
		return bits == 64 ? x : x & ((1ull << bits) - 1);
	return (int64_t)(x << (64 - bits)) >> (64 - bits);
}

static s128 get(const union emu_vec *v, unsigned e, unsigned i, bool u)
{
	return extend(emu_vec_lane(v, e, i), 8u << e, u);
}

static uint64_t saturate(struct how *h, s128 x, unsigned bits, bool u)
{
	s128 max = ((s128)1 << (u ? bits : bits - 1)) - 1, min = u ? 0 : -max - 1;

	if (x >= min && x <= max)
		return (uint64_t)x;
	h->cpu->qc = 1;
	return (uint64_t)(x < min ? min : max);
}

static uint64_t maybe_saturate(struct how *h, s128 x)
{
	return h->aux & EMU_VSAT ? saturate(h, x, h->bits, h->u) : (uint64_t)x;
}

/* Right shift, rounded up at half when the operation rounds. n <= 64 and |x| < 2^65. */
static s128 shift_right(const struct how *h, s128 x, unsigned n)
{
	if (n && (h->aux & EMU_VR))
		x += (s128)1 << (n - 1);
	return x >> n;
}

static uint64_t shift_variable(struct how *h, s128 x, int n)
{
	s128 limit;

	if (n < -(int)h->bits)
		return h->aux & EMU_VR || x >= 0 ? 0 : ~0ull;
	if (n <= 0)
		return (uint64_t)shift_right(h, x, (unsigned)-n);
	if (!(h->aux & EMU_VSAT))
		return n < (int)h->bits ? (uint64_t)x << n : 0;
	if (n > (int)h->bits)
		n = (int)h->bits;
	limit = (s128)1 << (64 - n);
	if (x > limit || x < -limit) /* out of range by far, and of this type, too */
		return saturate(h, x < 0 ? -((s128)1 << 70) : (s128)1 << 70, h->bits, h->u);
	return saturate(h, x * ((s128)1 << n), h->bits, h->u);
}

static uint64_t polynomial(uint64_t x, uint64_t y)
{
	uint64_t r = 0;

	for (unsigned i = 0; i < 8; i++) {
		if (y >> i & 1)
			r ^= (x & 0xff) << i;
	}
	return r;
}

static unsigned leading(const struct how *h, uint64_t x)
{
	unsigned n = 0;

	if (!h->u) /* bits that equal their upper neighbour */
		x = (x ^ x << 1) | 1;
	while (n < h->bits && !(x >> (h->bits - 1 - n) & 1))
		n++;
	return n;
}

static uint64_t reverse_bits(uint64_t x)
{
	uint64_t r = 0;

	for (unsigned i = 0; i < 8; i++)
		r |= (x >> i & 1) << (7 - i);
	return r;
}

/* Operations of one element of a and perhaps of b. */
static uint64_t lane(struct how *h, unsigned op, s128 x, s128 y)
{
	s128 d = x - y;

	switch (op) {
	case EMU_OP_VADD: return (uint64_t)(x + y);
	case EMU_OP_VSUB: return (uint64_t)d;
	case EMU_OP_VMUL: return (uint64_t)x * (uint64_t)y;
	case EMU_OP_VCMEQ: return x == y ? ~0ull : 0;
	case EMU_OP_VCMGT: return x > y ? ~0ull : 0;
	case EMU_OP_VCMGE: return x >= y ? ~0ull : 0;
	case EMU_OP_VCMTST: return (x & y) != 0 ? ~0ull : 0;
	case EMU_OP_VMIN: return (uint64_t)(x < y ? x : y);
	case EMU_OP_VMAX: return (uint64_t)(x > y ? x : y);
	case EMU_OP_VABD: return (uint64_t)(d < 0 ? -d : d);
	case EMU_OP_VABS: return maybe_saturate(h, x < 0 ? -x : x);
	case EMU_OP_VNEG: return maybe_saturate(h, -x);
	case EMU_OP_VHADD: return (uint64_t)shift_right(h, x + y, 1);
	case EMU_OP_VHSUB: return (uint64_t)(d >> 1);
	case EMU_OP_VQADD: return saturate(h, x + y, h->bits, h->u);
	case EMU_OP_VQSUB: return saturate(h, d, h->bits, h->u);
	case EMU_OP_VQADDX: return saturate(h, x + extend((uint64_t)y, h->bits, !h->u), h->bits, h->u);
	case EMU_OP_VSHL: return (uint64_t)x << h->imm;
	case EMU_OP_VSHR: return (uint64_t)shift_right(h, x, (unsigned)h->imm);
	case EMU_OP_VSHLV: return shift_variable(h, x, (int8_t)y);
	case EMU_OP_VQSHL: return saturate(h, x * ((s128)1 << h->imm), h->bits, h->u || h->hi);
	case EMU_OP_VQDMULH: /* doubling alone overflows when both are the smallest */
		return saturate(h, (2 * x * y + (h->aux & EMU_VR ? (s128)1 << (h->bits - 1) : 0)) >> h->bits, h->bits, false);
	case EMU_OP_VPMUL: return polynomial((uint64_t)x, (uint64_t)y);
	case EMU_OP_VCNT: return (uint64_t)__builtin_popcountll((uint64_t)x & 0xff);
	case EMU_OP_VCLS: return leading(h, (uint64_t)x);
	case EMU_OP_VRBIT: return reverse_bits((uint64_t)x);
	default: return emu_arm_estimate_u32((uint32_t)x, h->aux & EMU_VR); /* VEST */
	}
}

/* Two neighbours, or all elements. */
static s128 join(unsigned op, s128 x, s128 y)
{
	switch (op) {
	case EMU_OP_VMINP: case EMU_OP_VMINV: return x < y ? x : y;
	case EMU_OP_VMAXP: case EMU_OP_VMAXV: return x > y ? x : y;
	default: return x + y;
	}
}

static void pairwise(struct how *h, unsigned op, struct emu_vop *v)
{
	for (unsigned i = 0; i < h->lanes; i++) {
		const union emu_vec *from = i < h->lanes / 2 ? &v->a : &v->b;
		unsigned k = 2 * i % h->lanes;

		emu_vec_put(&v->d, h->e, i, (uint64_t)join(op, get(from, h->e, k, h->u), get(from, h->e, k + 1, h->u)));
	}
}

static void across(struct how *h, unsigned op, struct emu_vop *v)
{
	s128 r = get(&v->a, h->e, 0, h->u);

	for (unsigned i = 1; i < h->lanes; i++)
		r = join(op, r, get(&v->a, h->e, i, h->u));
	emu_vec_put(&v->d, op == EMU_OP_VADDLV ? h->e + 1 : h->e, 0, (uint64_t)r);
}

/* Results of twice the width: 128 bits from 64 bits of each source. */
static void widen(struct how *h, unsigned op, struct emu_vop *v)
{
	unsigned n = h->aux & EMU_VSCALAR ? 1 : 64 / h->bits, first = h->hi ? n : 0;

	for (unsigned i = 0; i < n; i++) {
		s128 x = get(&v->a, h->e, first + i, h->u), y = get(&v->b, h->e, first + i, h->u);
		uint64_t r = op == EMU_OP_VMULL ? (uint64_t)(x * y)
			   : op == EMU_OP_VQDMULL ? saturate(h, 2 * x * y, 2 * h->bits, false)
			   : op == EMU_OP_VPMULL ? polynomial((uint64_t)x, (uint64_t)y) : (uint64_t)x;

		emu_vec_put(&v->d, h->e + 1, i, r);
	}
}

/* From elements of twice the width to 64 bits. VU: of the source; with the high mark the result is unsigned
 * though the source is signed. */
static void narrow(struct how *h, struct emu_vop *v)
{
	unsigned n = h->aux & EMU_VSCALAR ? 1 : 64 / h->bits;

	for (unsigned i = 0; i < n; i++) {
		s128 x = shift_right(h, get(&v->a, h->e + 1, i, h->u), (unsigned)h->imm);

		emu_vec_put(&v->d, h->e, i, h->aux & EMU_VSAT ? saturate(h, x, h->bits, h->u || h->hi) : (uint64_t)x);
	}
}

static void add_pairs(struct how *h, struct emu_vop *v)
{
	for (unsigned i = 0; i < h->lanes / 2; i++)
		emu_vec_put(&v->d, h->e + 1, i,
			    (uint64_t)(get(&v->a, h->e, 2 * i, h->u) + get(&v->a, h->e, 2 * i + 1, h->u)));
}

static void permute(struct how *h, unsigned op, struct emu_vop *v)
{
	unsigned n = h->lanes, hi = h->hi;

	for (unsigned i = 0; i < n; i++) {
		const union emu_vec *from = i % 2 ? &v->b : &v->a;
		unsigned k = op == EMU_OP_VZIP ? i / 2 + (hi ? n / 2 : 0) : (i & ~1u) + hi;

		if (op == EMU_OP_VUZP) {
			from = i < n / 2 ? &v->a : &v->b;
			k = 2 * i % n + hi;
		}
		emu_vec_put(&v->d, h->e, i, emu_vec_lane(from, h->e, k));
	}
}

static void three(struct how *h, unsigned op, struct emu_vop *v)
{
	for (unsigned i = 0; i < h->lanes; i++) {
		s128 x = get(&v->a, h->e, i, false), y = get(&v->b, h->e, i, false), z = get(&v->c, h->e, i, false);
		s128 p = 2 * x * y, sum = z;

		if (op == EMU_OP_VQRDMLA) { /* one rounding and one saturation of the whole */
			sum = (z * ((s128)1 << h->bits) + (h->hi ? -p : p) + ((s128)1 << (h->bits - 1))) >> h->bits;
			emu_vec_put(&v->d, h->e, i, saturate(h, sum, h->bits, false));
			continue;
		}
		for (unsigned k = 4 * i; k < 4 * i + 4; k++)
			sum += get(&v->a, EMU_V8, k, h->u) * get(&v->b, EMU_V8, k, h->u);
		emu_vec_put(&v->d, h->e, i, (uint64_t)sum);
	}
}

static void reverse(struct how *h, struct emu_vop *v)
{
	unsigned group = 1u << ((unsigned)h->imm - h->e);

	for (unsigned i = 0; i < h->lanes; i++)
		emu_vec_put(&v->d, h->e, i, emu_vec_lane(&v->a, h->e, i ^ (group - 1)));
}

static void bytes(struct how *h, unsigned op, struct emu_vop *v)
{
	unsigned n = h->aux & EMU_VQ ? 16 : 8;

	for (unsigned i = 0; i < n; i++) {
		unsigned k = i + (unsigned)h->imm, x = v->b.b[i] - (unsigned)h->imm;

		if (op == EMU_OP_VEXT)
			v->d.b[i] = k < n ? v->a.b[k] : v->b.b[k - n];
		else
			v->d.b[i] = x < 16 ? v->a.b[x] : v->c.b[i];
	}
}

static uint64_t logic(unsigned op, uint64_t a, uint64_t b, uint64_t c)
{
	switch (op) {
	case EMU_OP_VAND: return a & b;
	case EMU_OP_VBIC: return a & ~b;
	case EMU_OP_VOR: return a | b;
	case EMU_OP_VORN: return a | ~b;
	case EMU_OP_VXOR: return a ^ b;
	case EMU_OP_VNOT: return ~a;
	default: return (a & b) | (~a & c); /* VBSL */
	}
}

static void elements(struct how *h, unsigned op, struct emu_vop *v)
{
	unsigned at = (unsigned)h->imm;

	switch (op) {
	case EMU_OP_VZEXT:
		emu_vec_put(&v->d, h->e, 0, emu_vec_lane(&v->a, h->e, 0));
		break;
	case EMU_OP_VGET:
		v->n = (uint64_t)get(&v->a, h->e, at, h->u);
		break;
	case EMU_OP_VINS:
		v->d = v->a;
		emu_vec_put(&v->d, h->e, at, v->n);
		break;
	case EMU_OP_VINSE:
		v->d = v->a;
		emu_vec_put(&v->d, h->e, at & 15, emu_vec_lane(&v->b, h->e, at >> 4));
		break;
	default: /* VCONST, VDUP, VDUPE */
		for (unsigned i = 0; i < h->lanes; i++)
			emu_vec_put(&v->d, h->e, i, op == EMU_OP_VDUPE ? emu_vec_lane(&v->a, h->e, at) : v->n);
		break;
	}
}

void emu_vec_eval(struct emu_cpu *cpu, uint64_t what, struct emu_vop *v)
{
	unsigned op = what & 0xff, aux = what >> 8 & 0xff;
	struct how h = { cpu, aux & 3, 8u << (aux & 3), 0, aux, aux & EMU_VU, aux & EMU_VHI, (int64_t)what >> 16 };

	h.lanes = aux & EMU_VSCALAR ? 1 : (aux & EMU_VQ ? 16u : 8u) >> h.e;
	v->d.q[0] = v->d.q[1] = 0;
	switch (op) {
	case EMU_OP_VCONST: case EMU_OP_VZEXT: case EMU_OP_VDUP: case EMU_OP_VDUPE: case EMU_OP_VINS: case EMU_OP_VINSE:
	case EMU_OP_VGET:
		elements(&h, op, v);
		break;
	case EMU_OP_VAND: case EMU_OP_VBIC: case EMU_OP_VOR: case EMU_OP_VORN: case EMU_OP_VXOR: case EMU_OP_VNOT:
	case EMU_OP_VBSL:
		for (unsigned i = 0; i < (aux & EMU_VQ ? 2 : 1); i++)
			v->d.q[i] = logic(op, v->a.q[i], v->b.q[i], v->c.q[i]);
		break;
	case EMU_OP_VADDP: case EMU_OP_VMINP: case EMU_OP_VMAXP: pairwise(&h, op, v); break;
	case EMU_OP_VADDV: case EMU_OP_VADDLV: case EMU_OP_VMINV: case EMU_OP_VMAXV: across(&h, op, v); break;
	case EMU_OP_VMULL: case EMU_OP_VQDMULL: case EMU_OP_VPMULL: case EMU_OP_VEXTL: widen(&h, op, v); break;
	case EMU_OP_VSHRN: narrow(&h, v); break;
	case EMU_OP_VADDLP: add_pairs(&h, v); break;
	case EMU_OP_VZIP: case EMU_OP_VUZP: case EMU_OP_VTRN: permute(&h, op, v); break;
	case EMU_OP_VQRDMLA: case EMU_OP_VDOT: three(&h, op, v); break;
	case EMU_OP_VREV: reverse(&h, v); break;
	case EMU_OP_VEXT: case EMU_OP_VTBL: bytes(&h, op, v); break;
	default:
		if (op >= EMU_OP_VFADD) {
			emu_vec_fp(cpu, op, aux, h.imm, v);
			break;
		}
		for (unsigned i = 0; i < h.lanes; i++)
			emu_vec_put(&v->d, h.e, i, lane(&h, op, get(&v->a, h.e, i, h.u), get(&v->b, h.e, i, h.u)));
		break;
	}
}
