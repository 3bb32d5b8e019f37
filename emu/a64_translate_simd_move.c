/* Advanced SIMD that moves elements into IR: copies, permutations, tables, immediates. */
#include "emu/a64_translate_simd.h"

/* An integer register as what goes into elements: 31 is zr. */
bool a64_v_copy(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;
	uint16_t d = EMU_F(i->rd), n = EMU_F(i->rn), t;
	unsigned aux = a64_vec(i, i->size);

	switch (i->id) {
	case A64_dup_el_v:
		emu_ir_emit(ir, EMU_OP_VDUPE, aux, d, n, EMU_NOTEMP, EMU_NOTEMP, i->index);
		return true;
	case A64_dup_s: /* the element alone */
		emu_ir_emit(ir, EMU_OP_VDUPE, aux, d, n, EMU_NOTEMP, EMU_NOTEMP, i->index);
		return true;
	case A64_dup_gp_v:
		emu_ir_emit(ir, EMU_OP_VDUP, aux, d, a64_src(ir, i->rn), EMU_NOTEMP, EMU_NOTEMP, 0);
		return true;
	case A64_umov_v:
		emu_ir_emit(ir, EMU_OP_VGET, i->size | EMU_VU, a64_dst(ir, i->rd), n, EMU_NOTEMP, EMU_NOTEMP, i->index);
		return true;
	case A64_smov_v:
		t = i->sf ? a64_dst(ir, i->rd) : emu_ir_temp(ir);
		emu_ir_emit(ir, EMU_OP_VGET, i->size, t, n, EMU_NOTEMP, EMU_NOTEMP, i->index);
		if (!i->sf)
			emu_ir_1(ir, EMU_OP_ZEXT32, a64_dst(ir, i->rd), t);
		return true;
	case A64_ins_gp_v:
		emu_ir_emit(ir, EMU_OP_VINS, i->size, d, d, a64_src(ir, i->rn), EMU_NOTEMP, i->index);
		return true;
	case A64_ins_el_v:
		emu_ir_emit(ir, EMU_OP_VINSE, i->size, d, d, n, EMU_NOTEMP, i->index | i->imm << 4);
		return true;
	default:
		return false;
	}
}

bool a64_v_permute(struct emu_xlat *x, const struct a64_insn *i)
{
	bool second = i->id == A64_zip2_v || i->id == A64_uzp2_v || i->id == A64_trn2_v;
	enum emu_opcode op = i->id == A64_zip1_v || i->id == A64_zip2_v ? EMU_OP_VZIP
			   : i->id == A64_uzp1_v || i->id == A64_uzp2_v ? EMU_OP_VUZP : EMU_OP_VTRN;

	emu_ir_emit(x->ir, op, a64_vec(i, i->size) | (second ? EMU_VHI : 0), EMU_F(i->rd), EMU_F(i->rn), EMU_F(i->rm),
		    EMU_NOTEMP, 0);
	return true;
}

bool a64_v_ext(struct emu_xlat *x, const struct a64_insn *i)
{
	emu_ir_emit(x->ir, EMU_OP_VEXT, a64_vec(i, 0), EMU_F(i->rd), EMU_F(i->rn), EMU_F(i->rm), EMU_NOTEMP, i->imm);
	return true;
}

/* tbl, tbx: one register of the table after the other; each leaves what it does not have. */
bool a64_v_table(struct emu_xlat *x, const struct a64_insn *i)
{
	struct emu_ir *ir = x->ir;
	uint16_t sum = i->id == A64_tbx_v ? EMU_F(i->rd) : a64_vconst(ir, 0, true);

	for (unsigned k = 0; k < i->index; k++) {
		uint16_t t = k + 1u == i->index ? EMU_F(i->rd) : emu_ir_ftemp(ir);

		emu_ir_emit(ir, EMU_OP_VTBL, a64_vec(i, 0), t, EMU_F((i->rn + k) % 32), EMU_F(i->rm), sum, 16 * k);
		sum = t;
	}
	return true;
}

bool a64_v_imm(struct emu_xlat *x, const struct a64_insn *i)
{
	uint16_t d = EMU_F(i->rd), v;

	switch (i->id) {
	case A64_mvni_w_v: case A64_mvni_h_v: case A64_mvni_msl_v:
		emu_ir_emit(x->ir, EMU_OP_VCONST, a64_vec(i, EMU_V64), d, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, ~i->imm);
		return true;
	case A64_orr_w_imm_v: case A64_orr_h_imm_v: case A64_bic_w_imm_v: case A64_bic_h_imm_v:
		v = a64_vconst(x->ir, (uint64_t)i->imm, i->q);
		emu_ir_emit(x->ir, i->id == A64_orr_w_imm_v || i->id == A64_orr_h_imm_v ? EMU_OP_VOR : EMU_OP_VBIC,
			    a64_vec(i, EMU_V64), d, d, v, EMU_NOTEMP, 0);
		return true;
	default:
		emu_ir_emit(x->ir, EMU_OP_VCONST, a64_vec(i, EMU_V64), d, EMU_NOTEMP, EMU_NOTEMP, EMU_NOTEMP, i->imm);
		return true;
	}
}
