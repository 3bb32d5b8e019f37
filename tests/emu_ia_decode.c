/* The x86 decoder against Zydis, which has tables of its own: every row of ia_insn.def with random
 * operands and prefixes, and random bytes, in the three modes. Both agree on whether the bytes are an
 * instruction, its length, its mnemonic, whether LOCK may stand before it and whether it is privileged;
 * flags are compared row by row. What we do not have (VEX, EVEX, newer extensions) is undefined here.
 *
 * EMU_IA_DECODE=n tries so many; EMU_IA_SEED=n another beginning.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <Zydis/Zydis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/ia.h"

static uint64_t state_of_random;
static uint64_t draw(void)
{
	uint64_t z = (state_of_random += 0x9e3779b97f4a7c15ull);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *v = getenv(name);

	return v ? strtoull(v, NULL, 0) : otherwise;
}

static ZydisDecoder decoders[3];
static const unsigned modes[3] = { 16, 32, 64 };

static void init_zydis(void)
{
	static const ZydisMachineMode mode[3] = { ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_MACHINE_MODE_LEGACY_32,
						  ZYDIS_MACHINE_MODE_LONG_64 };
	static const ZydisStackWidth width[3] = { ZYDIS_STACK_WIDTH_16, ZYDIS_STACK_WIDTH_32, ZYDIS_STACK_WIDTH_64 };

	for (unsigned i = 0; i < 3; i++) {
		ZydisDecoderInit(&decoders[i], mode[i], width[i]);
		/* extensions that give old hint encodings a name */
		ZydisDecoderEnableMode(&decoders[i], ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
		ZydisDecoderEnableMode(&decoders[i], ZYDIS_DECODER_MODE_CET, ZYAN_FALSE);
		ZydisDecoderEnableMode(&decoders[i], ZYDIS_DECODER_MODE_CLDEMOTE, ZYAN_FALSE);
		ZydisDecoderEnableMode(&decoders[i], ZYDIS_DECODER_MODE_WBNOINVD, ZYAN_FALSE);
	}
}

/* Which mnemonics we have, by Zydis' numbers. */
static bool ours[ZYDIS_MNEMONIC_MAX_VALUE + 1];

/* Zydis names one thing twice ("movsd"): both numbers are ours when the name is. */
static void know(const char *name)
{
	for (unsigned m = 0; m <= ZYDIS_MNEMONIC_MAX_VALUE; m++)
		if (strcmp(ZydisMnemonicGetString((ZydisMnemonic)m), name) == 0)
			ours[m] = true;
}

static void print_bytes(const uint8_t *code, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		print_message("%02x ", code[i]);
}

struct totals {
	unsigned long tried, valid, privileged, lock;
};

/* Privileged instructions that Zydis does not mark. */
static bool unmarked(ZydisMnemonic m)
{
	static const ZydisMnemonic list[] = {
		ZYDIS_MNEMONIC_CLI, ZYDIS_MNEMONIC_STI, ZYDIS_MNEMONIC_IN, ZYDIS_MNEMONIC_OUT, ZYDIS_MNEMONIC_INSB,
		ZYDIS_MNEMONIC_INSW, ZYDIS_MNEMONIC_INSD, ZYDIS_MNEMONIC_OUTSB, ZYDIS_MNEMONIC_OUTSW,
		ZYDIS_MNEMONIC_OUTSD, ZYDIS_MNEMONIC_LGDT,
	};

	for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (list[i] == m)
			return true;
	return false;
}

/* Where we follow the SDM and Zydis does not. */
static bool excepted(const ZydisDecodedInstruction *z)
{
	switch (z->mnemonic) {
	case ZYDIS_MNEMONIC_SYSCALL:
	case ZYDIS_MNEMONIC_SYSRET:
		return z->machine_mode != ZYDIS_MACHINE_MODE_LONG_64; /* AMD has them in older modes, too */
	case ZYDIS_MNEMONIC_PREFETCHWT1:
		return true; /* without that extension, the hint PREFETCH */
	default:
		return false;
	}
}

static const char *compare(const uint8_t *code, unsigned mode, struct totals *t)
{
	ZydisDecodedInstruction z;
	struct emu_ia_insn i;
	enum emu_ia_result r = emu_ia_decode(code, IA_INSN_MAX, modes[mode], &i);
	ZyanStatus s = ZydisDecoderDecodeInstruction(&decoders[mode], NULL, code, IA_INSN_MAX, &z);
	bool valid = ZYAN_SUCCESS(s);
	uint8_t privilege;
	char name[16];

	t->tried++;
	if (valid && excepted(&z))
		return NULL;
	if (valid && (z.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY || !ours[z.mnemonic]))
		valid = false; /* an extension that we do not have */
	if (!valid)
		return r == IA_DECODED ? "an instruction here, none for Zydis" : NULL;
	if (r != IA_DECODED)
		return "not an instruction here";
	t->valid++;
	if (i.len != z.length)
		return "other length";
	if (strcmp(emu_ia_name(&i, name), ZydisMnemonicGetString(z.mnemonic)) != 0)
		return "other mnemonic";
	privilege = emu_ia_ops[i.op].privilege;
	t->privileged += privilege == IA_RING0;
	t->lock += i.lock;
	if ((privilege == IA_RING0 || privilege == IA_IOPRIV) != ((z.attributes & ZYDIS_ATTRIB_IS_PRIVILEGED) ||
								    unmarked(z.mnemonic)))
		return "other privilege";
	if (((i.row->attr & IA_A_LOCK) && i.memory) != !!(z.attributes & ZYDIS_ATTRIB_ACCEPTS_LOCK))
		return "other opinion about LOCK";
	if (i.asize * 8 != z.address_width)
		return "other address size";
	return NULL;
}

/* Some bytes with a row's opcode in them. */
static void make(uint8_t code[IA_INSN_MAX + 1], const struct emu_ia_row *r, unsigned mode)
{
	static const uint8_t prefixes[] = { 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65, 0x66, 0xf2,
					    0xf3 };
	unsigned at = 0, n = (unsigned)draw() % 3;

	for (unsigned i = 0; i < IA_INSN_MAX; i++)
		code[i] = (uint8_t)draw();
	if (draw() % 64 == 0)
		n = (unsigned)draw() % 14;
	for (unsigned i = 0; i < n; i++)
		code[at++] = prefixes[draw() % sizeof(prefixes)];
	if (!(r->prefix & IA_P_NP) && draw() % 8 && at < 10)
		code[at++] = r->prefix & IA_P_P66 ? 0x66 : r->prefix & IA_P_PF3 ? 0xf3 : 0xf2;
	if (mode == 2 && draw() % 2 && at < 10)
		code[at++] = 0x40 | (draw() & 15);
	if (r->map > 1 && at < 13)
		code[at++] = 0x0f;
	if (r->map > 2 && at < 13)
		code[at++] = r->map == 3 ? 0x38 : 0x3a;
	if (at < IA_INSN_MAX)
		code[at++] = r->opcode;
	if (at < IA_INSN_MAX && draw() % 2 && r->mod)
		code[at] = (uint8_t)(draw() << 6 | (r->reg < 8 ? r->reg * 8u : draw() & 0x38) |
				     (r->rm < 8 ? r->rm : draw() & 7));
	if (at < IA_INSN_MAX && r->mod == 2)
		code[at] |= 0xc0;
}

static void report(const uint8_t *code, unsigned mode, const char *what)
{
	struct emu_ia_insn i;
	ZydisDecodedInstruction z;
	char name[16];
	bool valid = ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoders[mode], NULL, code, IA_INSN_MAX, &z));

	emu_ia_decode(code, IA_INSN_MAX, modes[mode], &i);
	print_bytes(code, IA_INSN_MAX);
	print_message("\n%u bits: %s: %s (%u bytes) here, %s (%u) Zydis\n", modes[mode], what,
		      emu_ia_name(&i, name), i.len, valid ? ZydisMnemonicGetString(z.mnemonic) : "invalid",
		      valid ? z.length : 0);
}

static void run(uint64_t n, bool rows, struct totals *t)
{
	unsigned bad = 0;

	for (uint64_t k = 0; k < n; k++) {
		uint8_t code[IA_INSN_MAX + 1];
		unsigned mode = (unsigned)(k % 3);
		const char *what;

		if (rows)
			make(code, &emu_ia_rows[k / 3 % emu_ia_row_count], mode);
		else
			for (unsigned i = 0; i < IA_INSN_MAX; i++)
				code[i] = (uint8_t)draw();
		what = compare(code, mode, t);
		if (!what)
			continue;
		report(code, mode, what);
		if (++bad == setting("EMU_IA_REPORT", 1))
			fail_msg("seed %llu, number %llu", (unsigned long long)setting("EMU_IA_SEED", 1),
				 (unsigned long long)k);
	}
	assert_int_equal(bad, 0);
}

static void test_against_zydis(void **state)
{
	uint64_t n = setting("EMU_IA_DECODE", 1000000);
	struct totals t = { 0 };

	(void)state;
	state_of_random = setting("EMU_IA_SEED", 1);
	run(n / 2, true, &t);
	run(n / 2, false, &t);
	print_message("%lu byte strings, %lu instructions, %lu privileged, %lu with LOCK: no difference\n", t.tried,
		      t.valid, t.privileged, t.lock);
	assert_true(n < 100000 || (t.valid > t.tried / 4 && t.privileged > 100 && t.lock > 100));
}

/* -- the table itself -- */

static void test_rows(void **state)
{
	(void)state;
	for (unsigned n = 1; n < emu_ia_row_count; n++) {
		const struct emu_ia_row *a = &emu_ia_rows[n - 1], *b = &emu_ia_rows[n];

		if ((a->map << 8 | a->opcode) > (b->map << 8 | b->opcode))
			fail_msg("row %u (map %u, %02x) is out of order", n, b->map, b->opcode);
	}
	for (unsigned op = 0; op < IA_OPS; op++) {
		unsigned used = 0;

		for (unsigned n = 0; n < emu_ia_row_count; n++)
			used += emu_ia_rows[n].op == op;
		if (!used)
			fail_msg("%s has no encoding", emu_ia_ops[op].name);
		if (emu_ia_ops[op].undefined & ~emu_ia_ops[op].writes)
			fail_msg("%s: undefined flags that it does not write", emu_ia_ops[op].name);
	}
}

/* -- flags: what Zydis says of one encoding of each row -- */

/* The SDM against Zydis: SBB's AF is defined; REPE looks at the ZF that the instruction itself made;
 * MOV CR and DR leave flags undefined; VMCALL's flags are of a VMM that runs in a VMM. */
static bool other_flags(uint16_t op)
{
	return op == IA_sbb || op == IA_cmps || op == IA_scas || op == IA_movcr || op == IA_loadcr || op == IA_movdr ||
	       op == IA_loaddr || op == IA_vmcall;
}

static void test_flags(void **state)
{
	unsigned compared = 0, bad = 0;

	(void)state;
	state_of_random = 7;
	for (unsigned k = 0; k < 200 * emu_ia_row_count; k++) {
		const uint16_t all = IA_ARITH | IA_DF;
		ZydisDecodedInstruction z;
		ZydisDecoderContext context;
		uint8_t code[IA_INSN_MAX + 1];
		struct emu_ia_insn i;
		const struct emu_ia_op_info *op;
		uint32_t changed;
		unsigned mode = k % 3;

		make(code, &emu_ia_rows[k / 200], mode);
		if (emu_ia_decode(code, IA_INSN_MAX, modes[mode], &i) != IA_DECODED ||
		    !ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoders[mode], &context, code, IA_INSN_MAX, &z)))
			continue;
		op = &emu_ia_ops[i.op];
		if (i.op == IA_jcc || i.op == IA_setcc || i.op == IA_cmov || other_flags(i.op))
			continue; /* what they read hangs on the condition */
		changed = z.cpu_flags->modified | z.cpu_flags->set_0 | z.cpu_flags->set_1 | z.cpu_flags->undefined;
		compared++;
		if ((op->reads & all) == (z.cpu_flags->tested & all) && (op->writes & all) == (changed & all) &&
		    (op->undefined & all) == (z.cpu_flags->undefined & all))
			continue;
		print_message("%s: reads %x/%x writes %x/%x undefined %x/%x\n", op->name, op->reads & all,
			      z.cpu_flags->tested & all, op->writes & all, changed & all, op->undefined & all,
			      z.cpu_flags->undefined & all);
		k = (k / 200 + 1) * 200 - 1;
		bad++;
	}
	assert_true(compared > 10000);
	assert_int_equal(bad, 0);
}

/* -- prefixes of a valid instruction are short, and nothing is read past the end -- */

static void test_short(void **state)
{
	(void)state;
	state_of_random = 11;
	for (unsigned k = 0; k < 100000; k++) {
		uint8_t code[IA_INSN_MAX + 1];
		struct emu_ia_insn i, j;

		make(code, &emu_ia_rows[draw() % emu_ia_row_count], k % 3);
		if (emu_ia_decode(code, IA_INSN_MAX, modes[k % 3], &i) != IA_DECODED)
			continue;
		for (unsigned n = 0; n < i.len; n++) {
			uint8_t *exact = malloc(n ? n : 1);

			memcpy(exact, code, n);
			assert_int_equal(emu_ia_decode(exact, n, modes[k % 3], &j), IA_SHORT);
			free(exact);
		}
	}
}

static int setup(void **state)
{
	static const char *const cc[] = { "o", "no", "b", "nb", "z", "nz", "be", "nbe", "s", "ns", "p", "np", "l",
					  "nl", "le", "nle" };
	char name[32];

	(void)state;
	init_zydis();
	for (unsigned op = 0; op < IA_OPS; op++) {
		char names[64], *rest = names;

		snprintf(names, sizeof(names), "%s", emu_ia_ops[op].name);
		for (char *n; (n = strsep(&rest, "/"));)
			know(n);
	}
	for (unsigned c = 0; c < 16; c++) {
		static const char *const stem[] = { "j", "set", "cmov" };

		for (unsigned k = 0; k < 3; k++) {
			snprintf(name, sizeof(name), "%s%s", stem[k], cc[c]);
			know(name);
		}
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_against_zydis),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_short),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
