/* The reference pages say what the decoder does: every field of an encoding, as it is printed, lands in
 * the operand that its letter names; no bit that counts is printed as ignored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "emu/a64.h"
#include "emu/emu.h"
#include "emu/ir.h"
#include "emu/rv.h"

/* The encoding of a row as it is printed, blanks left out, lowest bit first. Returns its width. */
static unsigned bits_of(const struct emu_insn_doc *d, char bit[32])
{
	unsigned n = 0;

	for (const char *p = d->bits + strlen(d->bits); p-- > d->bits;)
		if (*p != ' ')
			bit[n++] = *p;
	return n;
}

/* The row with the bits of one letter set from `value`, lowest first; other letters are 1, so that
 * nothing is reserved, but for `zero`. */
static uint32_t with(const char bit[32], unsigned n, char letter, uint32_t value, bool zero)
{
	uint32_t w = 0;

	for (unsigned i = 0; i < n; i++) {
		bool one = bit[i] == '1';

		if (bit[i] == letter) {
			one = value & 1;
			value >>= 1;
		} else if (bit[i] != '0' && bit[i] != '1') {
			one = !zero;
		}
		w |= (uint32_t)one << i;
	}
	return w;
}

static unsigned width_of(const char bit[32], unsigned n, char letter)
{
	unsigned k = 0;

	for (unsigned i = 0; i < n; i++)
		k += bit[i] == letter;
	return k;
}

static void check_register(const char *name, unsigned row, const char bit[32], unsigned n, char letter)
{
	unsigned width = width_of(bit, n, letter);

	for (uint32_t v = 1; v < 1u << width; v++) {
		uint32_t w = with(bit, n, letter, v, false);
		struct rv_insn i;
		unsigned got, want = width == 3 ? 8 + v : v;

		if (!rv_decode(w, &i) || i.id != row)
			continue; /* an encoding of an earlier row, or reserved */
		got = letter == 'd' ? i.rd : letter == 's' ? i.rs1 : letter == 't' ? i.rs2 : i.rs3;
		/* a compressed instruction may use one field as rd and rs1 */
		if (got != want)
			fail_msg("%s: field %c = %u, the decoder says %u (%08x)", name, letter, v, got, w);
	}
}

static bool same(const struct rv_insn *a, const struct rv_insn *b)
{
	return a->id == b->id && a->rd == b->rd && a->rs1 == b->rs1 && a->rs2 == b->rs2 && a->rs3 == b->rs3 &&
	       a->imm == b->imm && a->aq == b->aq && a->rl == b->rl;
}

/* A bit of a field matters, an ignored one does not. */
static void check_bits(const char *name, unsigned row, const char bit[32], unsigned n)
{
	struct rv_insn a, b;

	for (unsigned i = 0; i < n; i++) {
		uint32_t w = with(bit, n, 'i', 5, false);

		if (bit[i] == '0' || bit[i] == '1' || bit[i] == 'm' || !rv_decode(w, &a) || a.id != row ||
		    !rv_decode(w ^ 1u << i, &b) || b.id != row)
			continue;
		if (same(&a, &b) != (bit[i] == 'x'))
			fail_msg("%s: bit %u is printed as %c, but it %s (%08x)", name, i, bit[i],
				 same(&a, &b) ? "changes nothing" : "matters", w);
	}
}

static void test_fields(void **state)
{
	struct emu_insn_doc d;

	(void)state;
	for (unsigned row = 0; emu_doc_insn("riscv64", row, &d); row++) {
		char bit[32];
		unsigned n = bits_of(&d, bit);

		assert_int_equal(n, 8 * rv_length(rv_rows[row].match));
		for (unsigned i = 0; i < n; i++) {
			bool fixed = rv_rows[row].mask >> i & 1;

			if ((bit[i] == '0' || bit[i] == '1') != fixed ||
			    (fixed && bit[i] != '0' + (char)(rv_rows[row].match >> i & 1)))
				fail_msg("%s: bit %u is printed as %c", d.name, i, bit[i]);
		}
		for (const char *p = "dstr"; *p; p++)
			check_register(d.name, row, bit, n, *p);
		check_bits(d.name, row, bit, n);
	}
}

/* AArch64: a field that is printed as a register's number is where the decoder finds that number. */
static void test_a64_registers(void **state)
{
	struct emu_insn_doc d;
	unsigned tried = 0;

	(void)state;
	for (unsigned row = 0; emu_doc_insn("aarch64", row, &d); row++) {
		char bit[32];

		assert_int_equal(bits_of(&d, bit), 32);
		for (const char *p = "dtnma"; *p; p++) {
			if (width_of(bit, 32, *p) != 5)
				continue; /* the low half of the registers, or none */
			for (uint32_t v = 0; v < 64; v++) {
				struct a64_insn i;
				/* of elements of 16 bits, Vm has four bits; the fifth is the index's */
				unsigned got, mask = strstr(d.operands, "Vm.T[index]") && *p == 'm' ? 15 : 31;

				if (!a64_decode(with(bit, 32, *p, v & 31, v >= 32), &i) || i.id != row)
					continue; /* reserved, or an earlier row */
				got = *p == 'n' ? i.rn : *p == 'm' ? i.rm : *p == 'a' ? i.ra : i.rd;
				tried++;
				if ((got & mask) != (v & mask))
					fail_msg("%s: field %c = %u, the decoder says %u", d.name, *p, v & 31, got);
			}
		}
	}
	assert_true(tried > 10000);
}

/* Every operand that is written has a part in the effect. */
static void test_effects(void **state)
{
	struct emu_insn_doc d;
	unsigned n = 0;

	(void)state;
	for (; emu_doc_insn("riscv64", n, &d); n++) {
		char *save, *word;

		assert_true(*d.effect);
		for (word = strtok_r(d.operands, ",()", &save); word && d.effect[0] != '=';
		     word = strtok_r(NULL, ",()", &save))
			if (strcmp(word, "rm") && !strstr(d.effect, word))
				fail_msg("%s: \"%s\" says nothing of %s", d.name, d.effect, word);
	}
	assert_int_equal(n, RV_COUNT);
	assert_false(emu_doc_insn("riscv64", n, &d));
	assert_false(emu_doc_insn("pdp11", 0, &d));
}

/* AArch64: every row has an effect; every effect that was written is one of a row. */
static void test_a64_effects(void **state)
{
	static const char *const names[] = {
#define A64_EFFECT(name, effect) name,
#include "emu/a64_effect.def"
	};
	bool used[sizeof(names) / sizeof(names[0])] = { false };
	struct emu_insn_doc d;

	(void)state;
	for (unsigned row = 0; emu_doc_insn("aarch64", row, &d); row++) {
		if (!*d.effect || strlen(d.effect) + 1 == sizeof(d.effect))
			fail_msg("%s has the effect \"%s\"", d.name, d.effect);
		for (unsigned k = 0; k < sizeof(names) / sizeof(names[0]); k++)
			used[k] |= !strcmp(names[k], d.name);
	}
	for (unsigned k = 0; k < sizeof(names) / sizeof(names[0]); k++)
		if (!used[k])
			fail_msg("no instruction is named %s", names[k]);
}

/* All guests have a page. */
static void test_guests(void **state)
{
	(void)state;
	for (unsigned g = 0; emu_guest_names[g]; g++) {
		struct emu_insn_doc d;

		if (!emu_doc_insn(emu_guest_names[g], 0, &d) || !*emu_doc_notation(emu_guest_names[g]))
			fail_msg("%s has no page", emu_guest_names[g]);
		for (unsigned i = 0; emu_doc_insn(emu_guest_names[g], i, &d); i++)
			if (!*d.name || !*d.bits || !d.group || !d.group_text)
				fail_msg("%s: row %u, %s", emu_guest_names[g], i, d.name);
	}
}

static void test_ops(void **state)
{
	struct emu_op_doc d;
	unsigned i = 0;

	(void)state;
	for (; emu_doc_op(i, &d); i++) {
		assert_string_equal(d.name, emu_op_info(i)->name);
		if (strchr(d.operands, '?'))
			fail_msg("%s: an operand letter without a word: %s", d.name, emu_op_info(i)->operands);
	}
	assert_int_equal(i, EMU_OPCODES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_a64_registers),
		cmocka_unit_test(test_effects),
		cmocka_unit_test(test_a64_effects),
		cmocka_unit_test(test_guests),
		cmocka_unit_test(test_ops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
