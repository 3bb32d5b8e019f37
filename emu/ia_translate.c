/* x86 front end: one instruction into IR. Moves, stack, flag instructions; the families have files of
 * their own (ia_translate.h).
 */
#include "emu/ia_translate.h"

#include <stdio.h>

#include "emu/ia_state.h"


void ia_complex(struct ia *t)
{
	emu_x_exception(t->x, EMU_EXC_ASSIST);
}

static void move(struct ia *t)
{
	ia_write(t, 0, NULL, ia_read(t, 1, NULL));
}

static void extend(struct ia *t, bool sign)
{
	uint16_t v = ia_read(t, 1, NULL);

	if (sign)
		v = ia_zext(t, ia_sext(t, v, emu_ia_size(&t->i, 1)), emu_ia_size(&t->i, 0));
	ia_write(t, 0, NULL, v);
}

static void exchange(struct ia *t)
{
	struct ia_address at = { 0 };
	uint16_t a = ia_read(t, 0, &at), b = ia_read(t, 1, NULL);

	a = ia_1(t, EMU_OP_MOV, a);
	b = ia_1(t, EMU_OP_MOV, b);
	ia_write(t, 0, &at, b);
	ia_write(t, 1, NULL, a);
}

static void load_address(struct ia *t)
{
	ia_write(t, 0, NULL, ia_zext(t, ia_effective(t), t->i.osize));
}

static void translate_byte(struct ia *t)
{
	uint16_t at = ia_zext(t, ia_2(t, EMU_OP_ADD, EMU_R(IA_RBX), ia_get(t, IA_RAX, 1)), t->i.asize);

	ia_put(t, IA_RAX, 1, ia_load(t, ia_linear(t, at, t->i.seg), 1));
}

static void push(struct ia *t)
{
	ia_push(t, ia_read(t, 0, NULL), t->i.osize);
}

static void pop(struct ia *t)
{
	unsigned bytes = t->i.osize;
	uint16_t v = ia_stack_load(t, 0, bytes);

	if (t->i.memory) {
		/* an address with rSP is computed after rSP was moved (SDM volume 2B, POP) */
		if (t->i.base == IA_RSP)
			t->i.disp += bytes;
		ia_write(t, 0, NULL, v);
		ia_stack_move(t, ia_k(t, bytes));
		return;
	}
	ia_stack_move(t, ia_k(t, bytes));
	ia_write(t, 0, NULL, v);
}

static void push_all(struct ia *t)
{
	unsigned bytes = t->i.osize;
	uint16_t sp = ia_1(t, EMU_OP_MOV, EMU_R(IA_RSP));

	for (unsigned n = 0; n < 8; n++) {
		uint16_t at = ia_zext(t, ia_2k(t, EMU_OP_SUB, sp, (n + 1) * bytes), ia_stack_bytes(t));

		ia_store(t, ia_linear(t, at, IA_SS), bytes, ia_get(t, n, bytes));
	}
	ia_stack_move(t, ia_k(t, -8 * (int64_t)bytes));
}

static void pop_all(struct ia *t)
{
	unsigned bytes = t->i.osize;
	uint16_t v[8];

	for (unsigned n = 0; n < 8; n++)
		v[n] = ia_stack_load(t, (7 - n) * bytes, bytes);
	for (unsigned n = 0; n < 8; n++)
		if (n != IA_RSP)
			ia_put(t, n, bytes, v[n]);
	ia_stack_move(t, ia_k(t, 8 * bytes));
}

static void conditional_move(struct ia *t)
{
	unsigned bytes = t->i.osize;
	uint16_t v = ia_read(t, 1, NULL), c = ia_condition_value(t, t->i.opcode & 15);

	/* the upper half becomes 0 in either case */
	ia_put(t, t->i.reg, bytes, ia_select(t, c, v, ia_get(t, t->i.reg, bytes)));
}

static void widen(struct ia *t)
{
	unsigned bytes = t->i.osize;

	ia_put(t, IA_RAX, bytes, ia_zext(t, ia_sext(t, EMU_R(IA_RAX), bytes / 2), bytes));
}

static void spread_sign(struct ia *t)
{
	unsigned bytes = t->i.osize;

	ia_put(t, IA_RDX, bytes,
	       ia_zext(t, ia_2k(t, EMU_OP_SAR, ia_sext(t, EMU_R(IA_RAX), bytes), 63), bytes));
}

/* -- flags -- */

#define LOW_FLAGS (IA_SF | IA_ZF | IA_AF | IA_PF | IA_CF)

static void load_ah(struct ia *t)
{
	uint16_t f = ia_2k(t, EMU_OP_OR, ia_2k(t, EMU_OP_AND, ia_flags(t), LOW_FLAGS), 2);
	uint16_t keep = ia_2k(t, EMU_OP_AND, EMU_R(IA_RAX), ~0xff00ll);

	emu_ir_2(t->ir, EMU_OP_OR, EMU_R(IA_RAX), keep, ia_2k(t, EMU_OP_SHL, f, 8));
}

static void store_ah(struct ia *t)
{
	uint16_t ah = ia_2k(t, EMU_OP_SHR, EMU_R(IA_RAX), 8);

	ia_flags_change(t, LOW_FLAGS, ia_2k(t, EMU_OP_AND, ah, LOW_FLAGS));
}

static void push_flags(struct ia *t)
{
	uint16_t f = ia_2(t, EMU_OP_OR, ia_flags(t), EMU_R(IA_G_RFLAGS));
	uint16_t d = ia_2k(t, EMU_OP_AND, EMU_R(IA_G_DIR), IA_DF); /* -1 & DF, or 1 & DF */

	f = ia_2(t, EMU_OP_OR, f, d);
	f = ia_2k(t, EMU_OP_AND, f, ~(int64_t)(IA_RF | IA_VM));
	ia_push(t, ia_zext(t, f, t->i.osize), t->i.osize);
}

/* At CPL 3 with IOPL 0 IF and IOPL stay; in other rings POPF is for the C routine. */
static void pop_flags(struct ia *t)
{
	const int64_t others = t->i.osize == 2 ? IA_TF | IA_NT : IA_TF | IA_NT | IA_AC | IA_ID;
	uint16_t v, d;

	if (!t->mode->user) {
		ia_complex(t);
		return;
	}
	v = ia_stack_load(t, 0, t->i.osize);
	ia_flags_set(t, ia_2k(t, EMU_OP_AND, v, IA_ARITH));
	/* DF is bit 10: 0 becomes 1, DF becomes -1 */
	d = ia_2k(t, EMU_OP_SHR, ia_2k(t, EMU_OP_AND, v, IA_DF), 9);
	emu_ir_2(t->ir, EMU_OP_SUB, EMU_R(IA_G_DIR), ia_k(t, 1), d);
	emu_ir_2(t->ir, EMU_OP_OR, EMU_R(IA_G_RFLAGS), ia_2k(t, EMU_OP_AND, EMU_R(IA_G_RFLAGS), ~others),
		 ia_2k(t, EMU_OP_AND, v, others));
	ia_stack_move(t, ia_k(t, t->i.osize));
	emu_x_stop(t->x); /* TF may be set now */
}

/* CLI, STI of a whole CPU. Whether they may in real, VM86 and protected mode alike: CPL is 0 or 3 in the first two. */
static void interrupt_flag(struct ia *t)
{
	const uint16_t flags = EMU_R(IA_G_RFLAGS);
	uint16_t was;

	emu_x_except_if(t->x, EMU_GTU, EMU_R(IA_G_CPL), ia_2k(t, EMU_OP_AND, flags, IA_IOPL), EMU_EXC_ASSIST);
	if (t->i.op == IA_cli) {
		emu_ir_2(t->ir, EMU_OP_AND, flags, flags, ia_k(t, ~(int64_t)IA_IF));
		return;
	}
	emu_x_except_if(t->x, EMU_NE, EMU_R(IA_G_WAITING), ia_k(t, 0), EMU_EXC_ASSIST);
	was = ia_2k(t, EMU_OP_AND, flags, IA_IF);
	ia_mov(t, EMU_R(IA_G_SHADOW), ia_select(t, was, ia_k(t, -1), ia_k(t, (int64_t)t->x->next)));
	emu_ir_2(t->ir, EMU_OP_OR, flags, flags, ia_k(t, IA_IF));
}

static bool translate_flags(struct ia *t)
{
	switch (t->i.op) {
	case IA_lahf: load_ah(t); return true;
	case IA_sahf: store_ah(t); return true;
	case IA_clc: ia_flags_change(t, IA_CF, ia_k(t, 0)); return true;
	case IA_stc: ia_flags_change(t, IA_CF, ia_k(t, IA_CF)); return true;
	case IA_cmc: ia_flags_set(t, ia_2k(t, EMU_OP_XOR, ia_flags(t), IA_CF)); return true;
	case IA_cld: ia_mov(t, EMU_R(IA_G_DIR), ia_k(t, 1)); return true;
	case IA_std: ia_mov(t, EMU_R(IA_G_DIR), ia_k(t, -1)); return true;
	case IA_pushf:
		if (t->mode->system && t->mode->bits == 16)
			return false; /* in VM86 it depends on IOPL */
		push_flags(t);
		return true;
	case IA_popf: pop_flags(t); return true;
	case IA_cli: case IA_sti:
		if (!t->mode->system)
			return false;
		interrupt_flag(t);
		return true;
	default: return false;
	}
}

static bool translate_moves(struct ia *t)
{
	switch (t->i.op) {
	case IA_mov: case IA_movnti: move(t); return true;
	case IA_movzx: extend(t, false); return true;
	case IA_movsx: case IA_movsxd: extend(t, true); return true;
	case IA_xchg: exchange(t); return true;
	case IA_lea: load_address(t); return true;
	case IA_xlat: translate_byte(t); return true;
	case IA_push: push(t); return true;
	case IA_pop: pop(t); return true;
	case IA_pusha: push_all(t); return true;
	case IA_popa: pop_all(t); return true;
	case IA_cmov: conditional_move(t); return true;
	case IA_setcc: ia_write(t, 0, NULL, ia_condition_value(t, t->i.opcode & 15)); return true;
	case IA_cbw: widen(t); return true;
	case IA_cwd: spread_sign(t); return true;
	case IA_salc:
		ia_put(t, IA_RAX, 1, ia_zext(t, ia_2(t, EMU_OP_SUB, ia_k(t, 0), ia_condition_value(t, IA_CC_B)), 1));
		return true;
	case IA_nop: case IA_pause: case IA_prefetch: case IA_prefetchw: case IA_prefetchnta: case IA_prefetcht0:
	case IA_prefetcht1: case IA_prefetcht2:
		return true;
	case IA_lfence: case IA_mfence: case IA_sfence:
		emu_ir_emit(t->ir, EMU_OP_FENCE, 0, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, 0);
		return true;
	default: return false;
	}
}

unsigned emu_ia_translate(struct emu_xlat *x, const struct emu_ia_mode *mode, const uint8_t *code, unsigned avail)
{
	struct ia t = { .x = x, .ir = x->ir, .mode = mode };

	switch (emu_ia_decode(code, avail, mode->bits, &t.i)) {
	case IA_SHORT: return 0;
	case IA_DECODED: break;
	case IA_UNDEFINED:
		emu_x_exception(x, (enum emu_exc)(EMU_EXC_VECTOR + 6));
		return t.i.len;
	case IA_TOO_LONG:
		emu_x_exception(x, (enum emu_exc)(EMU_EXC_VECTOR + 13));
		return t.i.len;
	}
	x->next = ia_target(&t, x->pc + t.i.len, mode->bits / 8);
	if (mode->system && t.i.op == IA_tzcnt)
		t.i.op = IA_bsf; /* the prefix means nothing to a CPU that does not know it */
	if (mode->system && !ia_has((enum emu_ia_feature)emu_ia_ops[t.i.op].feature) && t.i.op != IA_vmcall && t.i.op != IA_vmmcall) {
		emu_x_exception(x, (enum emu_exc)(EMU_EXC_VECTOR + 6));
	} else if (mode->system && t.i.op == IA_int3) {
		ia_complex(&t);
	} else if (t.i.op == IA_int3) { /* a trap: the return address is the next instruction */
		emu_ir_emit(x->ir, EMU_OP_EXC, EMU_EXC_VECTOR + 3, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP,
			    (int64_t)x->next);
		x->end = true;
	} else if (!translate_moves(&t) && !ia_translate_alu(&t) && !ia_translate_control(&t) &&
		   !ia_translate_shift(&t) && !ia_translate_bits(&t) && !ia_translate_mul(&t) &&
		   !ia_translate_string(&t) && !translate_flags(&t) && !ia_translate_sse(&t)) {
		ia_complex(&t);
	}
	return t.i.len;
}

static unsigned translate64(struct emu_xlat *x, const uint8_t *code, unsigned avail)
{
	static const struct emu_ia_mode mode = { .bits = 64, .flat = true, .user = true, .stack_bytes = 8 };

	return emu_ia_translate(x, &mode, code, avail);
}

static unsigned translate32(struct emu_xlat *x, const uint8_t *code, unsigned avail)
{
	static const struct emu_ia_mode mode = { .bits = 32, .flat = true, .user = true, .stack_bytes = 4 };

	return emu_ia_translate(x, &mode, code, avail);
}

/* Until somebody brings a disassembler: the mnemonic. */
static unsigned text(const uint8_t *code, unsigned avail, unsigned bits, char *buf, size_t size)
{
	struct emu_ia_insn i;
	char name[16];

	if (emu_ia_decode(code, avail, bits, &i) == IA_SHORT)
		return 0;
	snprintf(buf, size, "%s", emu_ia_name(&i, name));
	return i.len;
}

static unsigned text64(const uint8_t *code, unsigned avail, uint64_t pc, char *buf, size_t size)
{
	(void)pc;
	return text(code, avail, 64, buf, size);
}

static unsigned text32(const uint8_t *code, unsigned avail, uint64_t pc, char *buf, size_t size)
{
	(void)pc;
	return text(code, avail, 32, buf, size);
}

static const uint16_t hot[] = {
	EMU_R(IA_RSP), EMU_R(IA_RAX), EMU_R(IA_RCX), EMU_R(IA_RDX), EMU_R(IA_RBX), EMU_R(IA_RDI), EMU_R(IA_RSI),
	EMU_R(IA_RBP), EMU_R(8), EMU_R(IA_G_CC_DST), EMU_R(IA_G_CC_SRC), EMU_R(9), EMU_NOTEMP
};
static const uint16_t hot_fp[] = { EMU_F(0), EMU_F(1), EMU_F(2), EMU_F(3), EMU_NOTEMP };

#define NAMES(a, c, d, b, sp, bp, si, di) \
	a, c, d, b, sp, bp, si, di, "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "cc_op", "cc_dst", "cc_src", \
	"cc_src2", "es.base", "cs.base", "ss.base", "ds.base", "fs.base", "gs.base", "dir", "rflags"
#define XMM_NAMES \
	[EMU_F(0)] = "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", \
	"xmm11", "xmm12", "xmm13", "xmm14", "xmm15"
#define NO_LINUX .sys_nr = IA_RAX, .sys_ret = IA_RAX, .sp = IA_RSP, .tp = IA_G_SEGBASE + IA_FS

const struct emu_guest emu_guest_ia64 = {
	.name = "x86_64", .elf_machine = 62, .insn_align = 1, .insn_max = IA_INSN_MAX,
	.reg = { NAMES("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"), XMM_NAMES },
	.hot = hot, .hot_fp = hot_fp, NO_LINUX, .translate = translate64, .assist = emu_ia_assist64, .disasm = text64,
};
const struct emu_guest emu_guest_ia32 = {
	.name = "i386", .elf_machine = 3, .insn_align = 1, .insn_max = IA_INSN_MAX,
	.reg = { NAMES("eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"), XMM_NAMES },
	.hot = hot, .hot_fp = hot_fp, NO_LINUX, .translate = translate32, .assist = emu_ia_assist32, .disasm = text32,
};
