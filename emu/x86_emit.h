/* Private to the x86-64 back end: instruction encodings (SDM vol. 2A, chapter 2). */
#ifndef EMU_X86_EMIT_H
#define EMU_X86_EMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };
/* Condition codes of Jcc, SETcc, CMOVcc. */
enum { CC_O, CC_NO, CC_B, CC_AE, CC_E, CC_NE, CC_BE, CC_A, CC_S, CC_NS, CC_P, CC_NP, CC_L, CC_GE, CC_LE, CC_G };
/* The /r numbers of the classic arithmetic group. */
enum { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };
enum { SH_ROL, SH_ROR, SH_SHL = 4, SH_SHR, SH_SAR = 7 };

struct as {
	uint8_t *p, *end;
	bool full;
};

static inline void as8(struct as *a, unsigned v)
{
	if (a->p < a->end)
		*a->p++ = (uint8_t)v;
	else
		a->full = true;
}
static inline void as32(struct as *a, uint32_t v)
{
	if (a->end - a->p >= 4) {
		memcpy(a->p, &v, 4);
		a->p += 4;
	} else {
		a->full = true;
		a->p = a->end;
	}
}
static inline void as64(struct as *a, uint64_t v)
{
	as32(a, (uint32_t)v);
	as32(a, (uint32_t)(v >> 32));
}

/* REX when it is needed. byte: an 8-bit register operand (spl..dil need REX). */
static inline void as_rex(struct as *a, bool w, int reg, int index, int base, bool byte)
{
	unsigned rex = (unsigned)w << 3 | (reg >> 3 & 1) << 2 | (index >> 3 & 1) << 1 | (base >> 3 & 1);

	if (rex || byte)
		as8(a, 0x40 | rex);
}
static inline void as_op(struct as *a, unsigned op)
{
	if (op > 0xffff)
		as8(a, op >> 16);
	if (op > 0xff)
		as8(a, op >> 8 & 0xff);
	as8(a, op & 0xff);
}
/* op reg, rm (registers). op may carry 0f or 0f38 in front. */
static inline void as_rr(struct as *a, bool w, unsigned op, int reg, int rm)
{
	as_rex(a, w, reg, 0, rm, false);
	as_op(a, op);
	as8(a, 0xc0u | (unsigned)(reg & 7) << 3 | (unsigned)(rm & 7));
}
static inline void as_rr_prefix(struct as *a, unsigned prefix, bool w, unsigned op, int reg, int rm)
{
	as8(a, prefix);
	as_rr(a, w, op, reg, rm);
}
/* ModRM, SIB and displacement of [base + disp]. */
static inline void as_modrm(struct as *a, int reg, int base, int32_t disp)
{
	unsigned r = (unsigned)(reg & 7) << 3, b = (unsigned)(base & 7);
	bool small = disp >= -128 && disp < 128;

	if (disp == 0 && b != RBP)
		as8(a, r | b);
	else
		as8(a, (small ? 0x40u : 0x80u) | r | b);
	if (b == RSP)
		as8(a, 0x24);
	if (disp == 0 && b != RBP)
		return;
	if (small)
		as8(a, (uint8_t)disp);
	else
		as32(a, (uint32_t)disp);
}
/* ... of [base + (index << scale) + disp]; index is not rsp. */
static inline void as_modrm_sib(struct as *a, int reg, int base, int index, unsigned scale, int32_t disp)
{
	unsigned r = (unsigned)(reg & 7) << 3, none = disp == 0 && (base & 7) != RBP;
	bool small = disp >= -128 && disp < 128;

	as8(a, (none ? 0x04u : small ? 0x44u : 0x84u) | r);
	as8(a, scale << 6 | (unsigned)(index & 7) << 3 | (unsigned)(base & 7));
	if (none)
		return;
	if (small)
		as8(a, (uint8_t)disp);
	else
		as32(a, (uint32_t)disp);
}
static inline void as_rm(struct as *a, bool w, unsigned op, int reg, int base, int32_t disp)
{
	as_rex(a, w, reg, 0, base, false);
	as_op(a, op);
	as_modrm(a, reg, base, disp);
}
/* op reg, [rip + d] where `target` is the address of the datum in the same mapping as a->p. */
static inline void as_rip(struct as *a, const uint8_t *target, unsigned reg, unsigned imm_bytes)
{
	as8(a, 0x05u | (reg & 7) << 3);
	as32(a, (uint32_t)(target - (a->p + 4 + imm_bytes)));
}
static inline void as_mov_ri(struct as *a, int reg, int64_t v)
{
	if (v == 0) {
		as_rr(a, false, 0x31, reg, reg);
	} else if (v > 0 && v <= 0xffffffff) {
		as_rex(a, false, 0, 0, reg, false);
		as8(a, 0xb8u | (unsigned)(reg & 7));
		as32(a, (uint32_t)v);
	} else if (v == (int32_t)v) {
		as_rex(a, true, 0, 0, reg, false);
		as8(a, 0xc7);
		as8(a, 0xc0u | (unsigned)(reg & 7));
		as32(a, (uint32_t)v);
	} else {
		as_rex(a, true, 0, 0, reg, false);
		as8(a, 0xb8u | (unsigned)(reg & 7));
		as64(a, (uint64_t)v);
	}
}
/* As above, flags untouched. */
static inline void as_mov_ri_flags(struct as *a, int reg, int64_t v)
{
	if (v == 0) {
		as_rex(a, false, 0, 0, reg, false);
		as8(a, 0xb8u | (unsigned)(reg & 7));
		as32(a, 0);
	} else {
		as_mov_ri(a, reg, v);
	}
}
static inline void as_mov_rr(struct as *a, int to, int from)
{
	if (to != from)
		as_rr(a, true, 0x8b, to, from);
}
static inline void as_load(struct as *a, int reg, int base, int32_t disp)
{
	as_rm(a, true, 0x8b, reg, base, disp);
}
static inline void as_store(struct as *a, int reg, int base, int32_t disp)
{
	as_rm(a, true, 0x89, reg, base, disp);
}
static inline void as_alu_rr(struct as *a, bool w, unsigned alu, int to, int from)
{
	as_rr(a, w, alu << 3 | 3, to, from);
}
static inline void as_alu_ri(struct as *a, bool w, unsigned alu, int reg, int32_t v)
{
	bool small = v >= -128 && v < 128;

	as_rex(a, w, 0, 0, reg, false);
	as8(a, small ? 0x83 : 0x81);
	as8(a, 0xc0u | alu << 3 | (unsigned)(reg & 7));
	if (small)
		as8(a, (uint8_t)v);
	else
		as32(a, (uint32_t)v);
}
/* alu qword [base + disp], imm */
static inline void as_alu_mi(struct as *a, bool w, unsigned alu, int base, int32_t disp, int32_t v)
{
	bool small = v >= -128 && v < 128;

	as_rex(a, w, 0, 0, base, false);
	as8(a, small ? 0x83 : 0x81);
	as_modrm(a, (int)alu, base, disp);
	if (small)
		as8(a, (uint8_t)v);
	else
		as32(a, (uint32_t)v);
}
static inline void as_shift_ri(struct as *a, bool w, unsigned sh, int reg, unsigned n)
{
	as_rex(a, w, 0, 0, reg, false);
	as8(a, n == 1 ? 0xd1 : 0xc1);
	as8(a, 0xc0u | sh << 3 | (unsigned)(reg & 7));
	if (n != 1)
		as8(a, n);
}
static inline void as_lea(struct as *a, bool w, int to, int base, int32_t disp)
{
	as_rm(a, w, 0x8d, to, base, disp);
}
/* lea to, [base + index << scale] */
static inline void as_lea_sib(struct as *a, bool w, int to, int base, int index, unsigned scale, int32_t disp)
{
	as_rex(a, w, to, index, base, false);
	as8(a, 0x8d);
	as_modrm_sib(a, to, base, index, scale, disp);
}
static inline void as_setcc(struct as *a, unsigned cc, int reg)
{
	as_rex(a, false, 0, 0, reg, reg >= RSP);
	as8(a, 0x0f);
	as8(a, 0x90 | cc);
	as8(a, 0xc0u | (unsigned)(reg & 7));
}
static inline void as_movzx8(struct as *a, int to, int from)
{
	as_rex(a, false, to, 0, from, from >= RSP);
	as8(a, 0x0f);
	as8(a, 0xb6);
	as8(a, 0xc0u | (unsigned)(to & 7) << 3 | (unsigned)(from & 7));
}
/* `n` bytes that do nothing, 0 to 32. */
static inline void as_nop(struct as *a, unsigned n)
{
	static const uint8_t nop[9][9] = {
		{ 0x90 }, { 0x66, 0x90 }, { 0x0f, 0x1f, 0x00 }, { 0x0f, 0x1f, 0x40, 0 }, { 0x0f, 0x1f, 0x44, 0, 0 },
		{ 0x66, 0x0f, 0x1f, 0x44, 0, 0 }, { 0x0f, 0x1f, 0x80, 0, 0, 0, 0 }, { 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0 },
		{ 0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0 },
	};

	while (n) {
		unsigned k = n < 9 ? n : 9;

		for (unsigned i = 0; i < k; i++)
			as8(a, nop[k - 1][i]);
		n -= k;
	}
}
/* Jumps with a 32-bit displacement; the place of the displacement is returned. */
static inline uint8_t *as_jcc(struct as *a, unsigned cc)
{
	as8(a, 0x0f);
	as8(a, 0x80 | cc);
	as32(a, 0);
	return a->p - 4;
}
static inline uint8_t *as_jmp(struct as *a)
{
	as8(a, 0xe9);
	as32(a, 0);
	return a->p - 4;
}
static inline uint8_t *as_call(struct as *a)
{
	as8(a, 0xe8);
	as32(a, 0);
	return a->p - 4;
}
static inline void as_patch(uint8_t *at, const uint8_t *target)
{
	int32_t d = (int32_t)(target - (at + 4));

	memcpy(at, &d, 4);
}
/* Short forward jump; as_here ends it. */
static inline uint8_t *as_jcc8(struct as *a, unsigned cc)
{
	as8(a, 0x70 | cc);
	as8(a, 0);
	return a->p - 1;
}
static inline uint8_t *as_jmp8(struct as *a)
{
	as8(a, 0xeb);
	as8(a, 0);
	return a->p - 1;
}
static inline void as_here(struct as *a, uint8_t *at)
{
	*at = (uint8_t)(a->p - (at + 1));
}

/* -- VEX: pp 0 none 1 66 2 F3 3 F2; map 1 0F, 2 0F38, 3 0F3A -- */
static inline void as_vex(struct as *a, unsigned pp, unsigned map, bool w, int reg, int vvvv, int index, int base)
{
	as8(a, 0xc4);
	as8(a, (unsigned)(~reg >> 3 & 1) << 7 | (unsigned)(~index >> 3 & 1) << 6 | (unsigned)(~base >> 3 & 1) << 5 | map);
	as8(a, (unsigned)w << 7 | (unsigned)(~vvvv & 15) << 3 | pp);
}
static inline void as_vrr(struct as *a, unsigned pp, unsigned map, bool w, unsigned op, int reg, int vvvv, int rm)
{
	if (map == 1 && !w && rm < 8) {
		as8(a, 0xc5);
		as8(a, (unsigned)(~reg >> 3 & 1) << 7 | (unsigned)(~vvvv & 15) << 3 | pp);
	} else {
		as_vex(a, pp, map, w, reg, vvvv, 0, rm);
	}
	as8(a, op);
	as8(a, 0xc0u | (unsigned)(reg & 7) << 3 | (unsigned)(rm & 7));
}
static inline void as_vrm(struct as *a, unsigned pp, unsigned map, bool w, unsigned op, int reg, int vvvv, int base,
			  int32_t disp)
{
	as_vex(a, pp, map, w, reg, vvvv, 0, base);
	as8(a, op);
	as_modrm(a, reg, base, disp);
}
static inline void as_vrip(struct as *a, unsigned pp, unsigned op, int reg, int vvvv, const uint8_t *target)
{
	as_vex(a, pp, 1, false, reg, vvvv, 0, 0);
	as8(a, op);
	as_rip(a, target, (unsigned)reg, 0);
}

#endif
