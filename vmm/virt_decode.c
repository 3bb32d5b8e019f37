/* Sensitive instructions, found with Zydis and the rows of virt_insn.def.
 */
#include <Zydis/Zydis.h>
#include <stdio.h>
#include <string.h>

#include "vmm/virt.h"

static void by_mnemonic(ZydisMnemonic mnemonic, struct virt_insn *out)
{
	switch (mnemonic) {
#define VIRT_INSN(name, id, kind)                                                                  \
	case ZYDIS_MNEMONIC_##name:                                                                \
		out->op = VIRT_##id;                                                               \
		out->how = VIRT_##kind;                                                            \
		return;
#include "vmm/virt_insn.def"
	default:
		return;
	}
}

static ZydisRegisterClass class_of(const ZydisDecodedOperand *o)
{
	return o->type == ZYDIS_OPERAND_TYPE_REGISTER ? ZydisRegisterGetClass(o->reg.value) :
							ZYDIS_REGCLASS_INVALID;
}

/* MOV, PUSH and POP are sensitive with a system register only. Number and direction of that one. */
static void system_register(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *op,
			    struct virt_insn *out)
{
	for (unsigned i = 0; i < zi->operand_count_visible && i < 2; i++) {
		ZydisRegisterClass c = class_of(&op[i]);
		bool segment = c == ZYDIS_REGCLASS_SEGMENT;

		if (!segment && c != ZYDIS_REGCLASS_CONTROL && c != ZYDIS_REGCLASS_DEBUG)
			continue;
		out->system = (unsigned)ZydisRegisterGetId(op[i].reg.value);
		out->to_system = i == 0 && zi->mnemonic != ZYDIS_MNEMONIC_PUSH;
		if (!segment) {
			out->op = c == ZYDIS_REGCLASS_CONTROL ? VIRT_MOV_CR : VIRT_MOV_DR;
			out->how = VIRT_TRAPS;
			return;
		}
		if (out->to_system && out->system != 2)
			return; /* DS and others load their shadow */
		out->op = zi->mnemonic == ZYDIS_MNEMONIC_PUSH ? VIRT_PUSH_SEG :
			  !out->to_system ? VIRT_MOV_FROM_SEG :
			  zi->mnemonic == ZYDIS_MNEMONIC_POP ? VIRT_POP_SS : VIRT_MOV_TO_SS;
		out->how = out->to_system ? VIRT_SOMETIMES : VIRT_SILENT;
		return;
	}
}

static void far_branch(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *op,
		       struct virt_insn *out)
{
	out->how = VIRT_SOMETIMES;
	out->op = zi->meta.category == ZYDIS_CATEGORY_CALL ? VIRT_FAR_CALL :
		  zi->meta.category == ZYDIS_CATEGORY_RET ? VIRT_FAR_RET : VIRT_FAR_JUMP;
	if (op[0].type == ZYDIS_OPERAND_TYPE_POINTER) {
		out->direct = true;
		out->far_sel = op[0].ptr.segment;
		out->imm = op[0].ptr.offset;
	}
}

static void near_branch(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *op, uint32_t eip,
			struct virt_insn *out)
{
	bool loop = zi->opcode >= 0xe0 && zi->opcode <= 0xe3;
	uint64_t target;

	out->branch = zi->meta.category == ZYDIS_CATEGORY_RET ? VIRT_RET :
		      zi->meta.category == ZYDIS_CATEGORY_CALL ? VIRT_CALL :
		      zi->meta.category == ZYDIS_CATEGORY_COND_BR ? (loop ? VIRT_LOOP : VIRT_COND) : VIRT_JUMP;
	out->opcode = zi->opcode;
	out->short_address = zi->address_width == 16;
	if (op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && op[0].imm.is_relative &&
	    ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(zi, &op[0], eip, &target))) {
		out->direct = true;
		out->target = (uint32_t)target;
	}
}

static void operands(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *op, struct virt_insn *out)
{
	out->bytes = zi->operand_width / 8;
	for (unsigned i = 0; i < zi->operand_count_visible; i++) {
		switch (class_of(&op[i])) {
		case ZYDIS_REGCLASS_GPR8:
		case ZYDIS_REGCLASS_GPR16:
		case ZYDIS_REGCLASS_GPR32:
			/* of LAR and LSL the first is the result; IN and OUT name AL, AX, EAX and DX */
			if (i == 0 || (out->op != VIRT_LAR && out->op != VIRT_LSL))
				out->reg = (unsigned)ZydisRegisterGetId(op[i].reg.value) & 15;
			if (out->op == VIRT_LAR || out->op == VIRT_LSL)
				out->system = (unsigned)ZydisRegisterGetId(op[i].reg.value) & 15;
			break;
		default:
			break;
		}
		if (op[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
			out->memory = true;
		if (op[i].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && !op[i].imm.is_relative) {
			out->imm = (uint32_t)op[i].imm.value.u;
			out->has_imm = true;
		}
	}
	if (out->op == VIRT_IN || out->op == VIRT_INS)
		out->bytes = op[0].size / 8;
	if (out->op == VIRT_OUT || out->op == VIRT_OUTS)
		out->bytes = op[1].size / 8;
}

void virt_decode(const uint8_t *code, size_t n, int bits, uint32_t eip, struct virt_insn *out)
{
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction zi;
	ZydisFormatter formatter;
	ZydisDecoder decoder;

	*out = (struct virt_insn){ .len = 0 };
	ZydisDecoderInit(&decoder, bits == 32 ? ZYDIS_MACHINE_MODE_LEGACY_32 : ZYDIS_MACHINE_MODE_LEGACY_16,
			 bits == 32 ? ZYDIS_STACK_WIDTH_32 : ZYDIS_STACK_WIDTH_16);
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code, n, &zi, op)))
		return;
	out->len = zi.length;
	out->rep = zi.attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE);
	by_mnemonic(zi.mnemonic, out);
	switch (zi.mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
	case ZYDIS_MNEMONIC_PUSH:
	case ZYDIS_MNEMONIC_POP:
		system_register(&zi, op, out);
		break;
	default:
		break;
	}
	if (zi.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR && out->op == VIRT_PLAIN)
		far_branch(&zi, op, out);
	else if (zi.meta.branch_type == ZYDIS_BRANCH_TYPE_SHORT || zi.meta.branch_type == ZYDIS_BRANCH_TYPE_NEAR)
		near_branch(&zi, op, eip, out);
	operands(&zi, op, out);
	out->ends = out->branch != VIRT_NO_BRANCH || out->op == VIRT_IRET || out->op == VIRT_FAR_RET ||
		    out->op == VIRT_FAR_JUMP || out->op == VIRT_FAR_CALL;
	ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
	ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_ADDR_PADDING_ABSOLUTE, ZYDIS_PADDING_DISABLED);
	ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_HEX_UPPERCASE, ZYAN_FALSE);
	if (!ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&formatter, &zi, op, zi.operand_count_visible, out->text,
							  sizeof(out->text), eip, NULL)))
		snprintf(out->text, sizeof(out->text), "%s", ZydisMnemonicGetString(zi.mnemonic));
}
