/* Machine code as text, by Zydis, and what the tracer wants to know about an instruction.
 */
#include <Zydis/Zydis.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vmm/cpu.h"

#define INSN_MAX 15 /* bytes of the longest instruction (SDM vol. 2A, 2.3.11) */

static bool starts_with(const char *s, const char *prefix)
{
	return s && !strncmp(s, prefix, strlen(prefix));
}

/* The ways into another privilege level (SDM vol. 3A, 5.8 and 6.12). */
static void classify_gate(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *op,
			  struct vmm_insn *out)
{
	switch (zi->mnemonic) {
	case ZYDIS_MNEMONIC_INT:
		out->gate = VMM_INSN_INT;
		out->vector = (uint8_t)op[0].imm.value.u;
		return;
	case ZYDIS_MNEMONIC_INT1:
		out->gate = VMM_INSN_INT;
		out->vector = 1;
		return;
	case ZYDIS_MNEMONIC_INT3:
		out->gate = VMM_INSN_INT;
		out->vector = 3;
		return;
	case ZYDIS_MNEMONIC_INTO:
		out->gate = VMM_INSN_INT;
		out->vector = 4;
		return;
	case ZYDIS_MNEMONIC_SYSCALL:
		out->gate = VMM_INSN_SYSCALL;
		return;
	case ZYDIS_MNEMONIC_SYSRET:
		out->gate = VMM_INSN_SYSRET;
		return;
	case ZYDIS_MNEMONIC_SYSENTER:
		out->gate = VMM_INSN_SYSENTER;
		return;
	case ZYDIS_MNEMONIC_SYSEXIT:
		out->gate = VMM_INSN_SYSEXIT;
		return;
	case ZYDIS_MNEMONIC_IRET:
	case ZYDIS_MNEMONIC_IRETD:
	case ZYDIS_MNEMONIC_IRETQ:
		out->gate = VMM_INSN_IRET;
		return;
	default:
		if (zi->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR)
			out->gate = VMM_INSN_FAR;
	}
}

/* At CPL 0 alone, or at a CPL up to IOPL (SDM vol. 3A, 5.9; vol. 1, 19.5.1). Zydis has a mark for
 * it, but not on all of them. */
static bool is_privileged(const ZydisDecodedInstruction *zi)
{
	switch (zi->mnemonic) {
	case ZYDIS_MNEMONIC_CLI:
	case ZYDIS_MNEMONIC_STI:
	case ZYDIS_MNEMONIC_LGDT:
	case ZYDIS_MNEMONIC_LIDT:
	case ZYDIS_MNEMONIC_LLDT:
	case ZYDIS_MNEMONIC_LTR:
	case ZYDIS_MNEMONIC_LMSW:
	case ZYDIS_MNEMONIC_CLTS:
	case ZYDIS_MNEMONIC_INVLPG:
	case ZYDIS_MNEMONIC_INVPCID:
	case ZYDIS_MNEMONIC_INVD:
	case ZYDIS_MNEMONIC_WBINVD:
	case ZYDIS_MNEMONIC_RDMSR:
	case ZYDIS_MNEMONIC_WRMSR:
	case ZYDIS_MNEMONIC_SWAPGS:
	case ZYDIS_MNEMONIC_XSETBV:
	case ZYDIS_MNEMONIC_CLAC:
	case ZYDIS_MNEMONIC_STAC:
	case ZYDIS_MNEMONIC_SYSEXIT:
	case ZYDIS_MNEMONIC_SYSRET:
	case ZYDIS_MNEMONIC_MONITOR:
	case ZYDIS_MNEMONIC_MWAIT:
		return true;
	default:
		return zi->meta.category == ZYDIS_CATEGORY_IO ||
		       zi->meta.category == ZYDIS_CATEGORY_IOSTRINGOP ||
		       (zi->attributes & ZYDIS_ATTRIB_IS_PRIVILEGED);
	}
}

static bool uses_fpu(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *op)
{
	const char *ext = ZydisISAExtGetString(zi->meta.isa_ext);

	if (zi->mnemonic == ZYDIS_MNEMONIC_FWAIT || starts_with(ext, "X87") ||
	    starts_with(ext, "MMX") || starts_with(ext, "SSE") || starts_with(ext, "AVX"))
		return true;
	for (unsigned i = 0; i < zi->operand_count; i++) {
		if (op[i].type != ZYDIS_OPERAND_TYPE_REGISTER)
			continue;
		switch (ZydisRegisterGetClass(op[i].reg.value)) {
		case ZYDIS_REGCLASS_X87:
		case ZYDIS_REGCLASS_MMX:
		case ZYDIS_REGCLASS_XMM:
		case ZYDIS_REGCLASS_YMM:
		case ZYDIS_REGCLASS_ZMM:
			return true;
		default:
			break;
		}
	}
	return false;
}

static void classify(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *op,
		     struct vmm_insn *out)
{
	classify_gate(zi, op, out);
	out->privileged = is_privileged(zi);
	out->rep = zi->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE |
				     ZYDIS_ATTRIB_HAS_REPNE);
	out->io = zi->meta.category == ZYDIS_CATEGORY_IO ||
		  zi->meta.category == ZYDIS_CATEGORY_IOSTRINGOP;
	out->fpu = uses_fpu(zi, op);
	switch (zi->mnemonic) {
	case ZYDIS_MNEMONIC_DIV:
	case ZYDIS_MNEMONIC_IDIV:
	case ZYDIS_MNEMONIC_AAM:
		out->divides = true;
		break;
	case ZYDIS_MNEMONIC_PUSHF:
	case ZYDIS_MNEMONIC_PUSHFD:
	case ZYDIS_MNEMONIC_PUSHFQ:
		out->pushf = true;
		break;
	case ZYDIS_MNEMONIC_POPF:
	case ZYDIS_MNEMONIC_POPFD:
	case ZYDIS_MNEMONIC_POPFQ:
		out->popf = true;
		break;
	default:
		break;
	}
}

static void decoder_init(ZydisDecoder *decoder, int bits)
{
	if (bits == 64)
		ZydisDecoderInit(decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	else if (bits == 32)
		ZydisDecoderInit(decoder, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
	else
		ZydisDecoderInit(decoder, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
}

bool vmm_decode(const void *code, size_t n, int bits, uint64_t rip, struct vmm_insn *out)
{
	ZydisDecoder decoder;
	ZydisFormatter formatter;
	ZydisDecodedInstruction zi;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];

	*out = (struct vmm_insn){.target = VMM_NO_TARGET};
	decoder_init(&decoder, bits);
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code, n, &zi, op))) {
		snprintf(out->text, sizeof(out->text), "(bad)");
		return false;
	}
	out->len = zi.length;
	out->mnemonic = (uint16_t)zi.mnemonic;
	classify(&zi, op, out);
	if (zi.operand_count && op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && op[0].imm.is_relative)
		ZydisCalcAbsoluteAddress(&zi, &op[0], rip, &out->target);
	ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
	/* 0x10040, not 0x0000000000010040: a line has 71 columns */
	ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_ADDR_PADDING_ABSOLUTE,
				  ZYDIS_PADDING_DISABLED);
	ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_HEX_UPPERCASE, ZYAN_FALSE);
	if (!ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&formatter, &zi, op,
							  zi.operand_count_visible, out->text,
							  sizeof(out->text), rip, NULL)))
		snprintf(out->text, sizeof(out->text), "%s", ZydisMnemonicGetString(zi.mnemonic));
	return true;
}

unsigned vmm_host_text(const uint8_t *code, unsigned avail, uint64_t address, struct rs_str *out)
{
	struct vmm_insn in;

	if (!vmm_decode(code, avail, 64, address, &in))
		return 0;
	rs_str_add(out, in.text);
	return in.len;
}

/* ---- the memory that an instruction touches ---- */

static void fill_context(const struct vmm_cpu_state *s, ZydisRegisterContext *c)
{
	for (unsigned i = 0; i < GPRS; i++) {
		c->values[ZYDIS_REGISTER_RAX + i] = s->gpr[i];
		c->values[ZYDIS_REGISTER_EAX + i] = (uint32_t)s->gpr[i];
		c->values[ZYDIS_REGISTER_AX + i] = (uint16_t)s->gpr[i];
	}
	c->values[ZYDIS_REGISTER_AL] = (uint8_t)s->gpr[RAX]; /* XLAT */
}

static uint64_t segment_base(const struct vmm_cpu_state *s, ZydisRegister segment)
{
	bool flat = vmm_mode_bits(s) == 64;

	switch (segment) {
	case ZYDIS_REGISTER_FS: return s->fs.base;
	case ZYDIS_REGISTER_GS: return s->gs.base;
	case ZYDIS_REGISTER_CS: return flat ? 0 : s->cs.base;
	case ZYDIS_REGISTER_SS: return flat ? 0 : s->ss.base;
	case ZYDIS_REGISTER_ES: return flat ? 0 : s->es.base;
	default: return flat ? 0 : s->ds.base;
	}
}

static bool is_access(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *op)
{
	if (op->type != ZYDIS_OPERAND_TYPE_MEMORY || op->mem.type != ZYDIS_MEMOP_TYPE_MEM)
		return false;
	return zi->meta.category != ZYDIS_CATEGORY_PREFETCH &&
	       zi->meta.category != ZYDIS_CATEGORY_NOP &&
	       zi->meta.category != ZYDIS_CATEGORY_WIDENOP;
}

unsigned vmm_accesses(const struct vmm_cpu_state *s, const void *code, size_t n,
		      struct vmm_access out[VMM_ACCESSES_MAX])
{
	ZydisRegisterContext context = {0};
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction zi;
	ZydisDecoder decoder;
	unsigned found = 0;

	decoder_init(&decoder, vmm_mode_bits(s));
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code, n, &zi, op)))
		return 0;
	fill_context(s, &context);
	for (unsigned i = 0; i < zi.operand_count && found < VMM_ACCESSES_MAX; i++) {
		bool write = op[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
		unsigned size = op[i].size / 8;
		uint64_t address;

		if (!is_access(&zi, &op[i]) ||
		    !ZYAN_SUCCESS(ZydisCalcAbsoluteAddressEx(&zi, &op[i], s->rip, &context, &address)))
			continue;
		/* what is pushed goes below the stack pointer */
		if (write && op[i].visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN &&
		    op[i].mem.segment == ZYDIS_REGISTER_SS)
			address -= size;
		address += segment_base(s, op[i].mem.segment);
		if (vmm_mode_bits(s) != 64)
			address &= 0xffffffff;
		out[found++] = (struct vmm_access){address, size ? size : 1, write};
	}
	return found;
}

/* ---- a listing around RIP ---- */

#define BEFORE_MAX 16
#define WINDOW (BEFORE_MAX * INSN_MAX)

/* Where the instructions before code[n] begin. x86 code cannot be read backwards: every byte may
 * start an instruction. But decoding from wrong starts soon falls into step with the right ones, so
 * each possible start votes for the boundaries that its chain meets, and of several instructions
 * that end where the next begins the one with most votes is taken. Returns how many offsets were put
 * into start[], the nearest to code[n] first. */
static unsigned starts_before(const uint8_t *code, unsigned n, int bits, unsigned want,
			      unsigned start[BEFORE_MAX])
{
	unsigned votes[WINDOW + 1] = {0};
	uint8_t len[WINDOW];
	unsigned pos = n, found = 0;
	ZydisDecoder decoder;

	decoder_init(&decoder, bits);
	for (unsigned i = 0; i < n; i++) {
		ZydisDecodedInstruction zi;

		len[i] = 0;
		votes[i]++;
		if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, NULL, code + i, n - i,
								&zi)))
			continue;
		len[i] = zi.length;
		votes[i + len[i]] += votes[i];
	}
	while (found < want && found < BEFORE_MAX) {
		unsigned best = n;

		for (unsigned i = pos > INSN_MAX ? pos - INSN_MAX : 0; i < pos; i++)
			if (len[i] && i + len[i] == pos && (best == n || votes[i] > votes[best]))
				best = i;
		if (best == n)
			break;
		/* Zeros are memory that nobody filled, not instructions. */
		if (pos - best == 2 && !code[best] && !code[best + 1])
			break;
		start[found++] = pos = best;
	}
	return found;
}

static void put_line(const struct vmm_cpu_state *s, uint64_t rip, const uint8_t *code, size_t n,
		     const struct vmm_insn *in, bool current, struct rs_str *out)
{
	int bits = vmm_mode_bits(s);
	bool segmented = !(s->cr0 & CR0_PE) || (s->rflags & RFLAGS_VM);

	rs_str_add(out, current ? "> " : "  ");
	if (segmented)
		rs_str_addf(out, "%04x:%04x", s->cs.selector, (unsigned)rip & 0xffff);
	else
		rs_str_addf(out, "%0*" PRIx64, bits == 64 ? 16 : 8, rip);
	rs_str_add(out, "  ");
	for (size_t i = 0; i < INSN_MAX; i++) {
		if (i < n)
			rs_str_addf(out, "%02x ", code[i]);
		else if (i < 8) /* longer ones push the text to the right: they are rare */
			rs_str_add(out, "   ");
	}
	rs_str_addf(out, " %s\n", in->text);
}

void vmm_disasm_around(const struct vmm_machine *m, const struct vmm_cpu_state *s, unsigned before,
		       unsigned after, struct rs_str *out)
{
	int bits = vmm_mode_bits(s);
	uint64_t base = bits == 64 ? 0 : s->cs.base;
	uint64_t rip = s->rip;
	uint8_t code[WINDOW];
	unsigned start[BEFORE_MAX], n = 0;
	struct vmm_insn in;

	/* The readable bytes that end at RIP: the window may begin in an unmapped page. */
	while (n < WINDOW && n < rip) {
		unsigned piece = (unsigned)((base + rip - n - 1) & 0xfff) + 1;

		if (piece > WINDOW - n)
			piece = WINDOW - n;
		if (piece > rip - n)
			piece = (unsigned)(rip - n);
		if (vmm_read_linear(m, s, base + rip - n - piece, code + WINDOW - n - piece, piece) !=
		    piece)
			break;
		n += piece;
	}
	for (unsigned i = starts_before(code + WINDOW - n, n, bits, before, start); i-- > 0;) {
		uint64_t at = rip - n + start[i];
		const uint8_t *p = code + WINDOW - n + start[i];

		vmm_decode(p, n - start[i], bits, at, &in);
		put_line(s, at, p, in.len, &in, false, out);
	}
	for (unsigned i = 0; i <= after; i++) {
		size_t got = vmm_read_linear(m, s, base + rip, code, INSN_MAX);

		if (!got) {
			if (!i)
				rs_str_addf(out, "> %016" PRIx64 "  (no memory here)\n", rip);
			return;
		}
		if (!vmm_decode(code, got, bits, rip, &in))
			in.len = 0;
		put_line(s, rip, code, in.len ? in.len : 1, &in, !i, out);
		rip += in.len ? in.len : 1;
	}
}
