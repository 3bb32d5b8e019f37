/* x86 bit instructions in IR: bt and family, bsf to popcnt, bswap, crc32. */
#include "emu/ia_translate.h"

/* A bit of memory may be far away: the register's number counts from the operand (SDM volume 2A, BT). */
static struct ia_address bit_address(struct ia *t, uint16_t number, unsigned bytes)
{
	unsigned shift = 3 + ia_log2(bytes);
	uint16_t units = ia_2k(t, EMU_OP_SAR, ia_sext(t, number, bytes), shift);

	return ia_address(t, ia_2k(t, EMU_OP_SHL, units, ia_log2(bytes)));
}

static void bit_test(struct ia *t)
{
	unsigned bytes = emu_ia_size(&t->i, 0);
	bool by_register = emu_ia_place(&t->i, 1) == IA_PLACE_G;
	struct ia_address at = { 0 };
	uint16_t number = by_register ? ia_read(t, 1, NULL) : ia_k(t, t->i.imm), a, bit, mask, r = EMU_NOTEMP;

	if (t->i.memory && by_register) {
		at = bit_address(t, number, bytes);
		a = t->i.op == IA_bt ? ia_load(t, at, bytes) : ia_load_to_write(t, at, bytes);
	} else {
		a = ia_read(t, 0, t->i.op == IA_bt ? NULL : &at);
	}
	number = ia_2k(t, EMU_OP_AND, number, bytes * 8 - 1);
	bit = ia_2k(t, EMU_OP_AND, ia_2(t, EMU_OP_SHR, a, number), 1);
	mask = ia_2(t, EMU_OP_SHL, ia_k(t, 1), number);
	if (t->i.op == IA_bts)
		r = ia_2(t, EMU_OP_OR, a, mask);
	else if (t->i.op == IA_btr)
		r = ia_2(t, EMU_OP_ANDN, a, mask);
	else if (t->i.op == IA_btc)
		r = ia_2(t, EMU_OP_XOR, a, mask);
	if (r != EMU_NOTEMP && t->i.memory)
		ia_write(t, 0, &at, r);
	ia_flags_change(t, IA_CF, bit);
	ia_flags_carry(t, bit);
	if (r != EMU_NOTEMP && !t->i.memory)
		ia_write(t, 0, NULL, r);
}

/* BSF, BSR: a source of 0 leaves the destination as it is, as Intel's and AMD's processors do. */
static void scan(struct ia *t)
{
	unsigned bytes = emu_ia_size(&t->i, 0);
	uint16_t a = ia_read(t, 1, NULL), n, r;

	if (a < EMU_GLOBALS)
		a = ia_1(t, EMU_OP_MOV, a);
	n = t->i.op == IA_bsf ? ia_1(t, EMU_OP_CTZ, a) : ia_2(t, EMU_OP_SUB, ia_k(t, 63), ia_1(t, EMU_OP_CLZ, a));
	r = ia_select(t, a, n, bytes == 2 ? ia_get(t, t->i.reg, 2) : EMU_R(t->i.reg));
	ia_flags_write(t, IA_CC_LOGIC, bytes, a, EMU_NOTEMP, EMU_NOTEMP);
	ia_put(t, t->i.reg, bytes, r);
}

static void count_zeros(struct ia *t)
{
	unsigned bytes = emu_ia_size(&t->i, 0);
	uint16_t a = ia_read(t, 1, NULL), r, none, f;

	if (a < EMU_GLOBALS)
		a = ia_1(t, EMU_OP_MOV, a);
	if (t->i.op == IA_tzcnt)
		r = ia_1(t, EMU_OP_CTZ, bytes == 8 ? a : ia_2k(t, EMU_OP_OR, a, (int64_t)(1ull << bytes * 8)));
	else
		r = ia_2k(t, EMU_OP_SUB, ia_1(t, EMU_OP_CLZ, a), 64 - bytes * 8);
	none = ia_set(t, EMU_EQ, a, ia_k(t, 0));
	f = ia_2k(t, EMU_OP_SHL, ia_set(t, EMU_EQ, r, ia_k(t, 0)), 6);
	ia_flags_set(t, ia_2(t, EMU_OP_OR, none, f));
	ia_put(t, t->i.reg, bytes, r);
}

static void population(struct ia *t)
{
	uint16_t a = ia_read(t, 1, NULL), r = ia_1(t, EMU_OP_POPCNT, a);

	ia_flags_set(t, ia_2k(t, EMU_OP_SHL, ia_set(t, EMU_EQ, a, ia_k(t, 0)), 6));
	ia_put(t, t->i.reg, t->i.osize, r);
}

static void swap_bytes(struct ia *t)
{
	unsigned bytes = emu_ia_size(&t->i, 0);
	uint16_t r;

	if (bytes == 2) { /* undefined; processors give 0 */
		ia_write(t, 0, NULL, ia_k(t, 0));
		return;
	}
	r = ia_1(t, EMU_OP_BSWAP, ia_read(t, 0, NULL));
	ia_write(t, 0, NULL, bytes == 8 ? r : ia_2k(t, EMU_OP_SHR, r, 32));
}

static void movbe(struct ia *t)
{
	unsigned bytes = emu_ia_size(&t->i, 0);
	uint16_t r = ia_1(t, EMU_OP_BSWAP, ia_read(t, 1, NULL));

	ia_write(t, 0, NULL, bytes == 8 ? r : ia_2k(t, EMU_OP_SHR, r, 64 - bytes * 8));
}

static void crc(struct ia *t)
{
	unsigned bytes = emu_ia_size(&t->i, 1);
	uint16_t v = ia_read(t, 1, NULL), d = emu_ir_temp(t->ir);

	emu_ir_call(t->ir, emu_ia_stash, EMU_NOTEMP, ia_k(t, bytes), ia_k(t, 0));
	emu_ir_call(t->ir, emu_ia_crc32, d, EMU_R(t->i.reg), v);
	ia_put(t, t->i.reg, 8, d);
}

bool ia_translate_bits(struct ia *t)
{
	switch (t->i.op) {
	case IA_bt: case IA_bts: case IA_btr: case IA_btc: bit_test(t); return true;
	case IA_bsf: case IA_bsr: scan(t); return true;
	case IA_tzcnt: case IA_lzcnt: count_zeros(t); return true;
	case IA_popcnt: population(t); return true;
	case IA_bswap: swap_bytes(t); return true;
	case IA_movbe: movbe(t); return true;
	case IA_crc32: crc(t); return true;
	default: return false;
	}
}
