/* The RISC-V table against binutils: every 16-bit encoding, every row of 32 bits with random and
 * special operands, and random words, must read as objdump writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "emu/rv.h"
#include "engine/base/cleanup.h"
#include "engine/base/str.h"

#define PER_ROW 400
#define RANDOM_WORDS 60000
#define MARCH "rv64gc_zba_zbb_zbs_zihintpause"

static const char *text_of(uint32_t bits, uint64_t pc, enum rv_style style)
{
	static char buf[RV_TEXT_MAX];
	struct rv_insn i;

	rv_decode(bits, &i);
	return rv_disasm(&i, pc, style, buf, sizeof(buf));
}

static void test_table_is_sorted(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RV_COUNT; i++) {
		const struct rv_row *r = &rv_rows[i];

		assert_int_equal(r->match & ~r->mask, 0);
		assert_int_equal(rv_length(rv_rows[r->op].match) == 4 || i == RV_c_unimp, 1);
		if (i)
			assert_true(rv_key(r[-1].match) <= rv_key(r->match));
		/* The bits that make the key belong to the mask, or the index would miss the row. */
		assert_int_equal(~r->mask & (rv_length(r->match) == 4 ? 0x7f : 0xe003), 0);
	}
}

static void test_texts(void **state)
{
	(void)state;
	/* Zicond and long forms are newer than some objdumps. */
	assert_string_equal(text_of(0x0ec5d533, 0, RV_STYLE_ALIASES), "czero.eqz\ta0,a1,a2");
	assert_string_equal(text_of(0x0ec5f533, 0, RV_STYLE_ALIASES), "czero.nez\ta0,a1,a2");
	assert_string_equal(text_of(0x00008067, 0, RV_STYLE_EXACT), "jalr\tzero,0(ra)");
	assert_string_equal(text_of(0x8082, 0, RV_STYLE_EXACT), "c.jr\tra");
	assert_string_equal(text_of(0x4505, 0, RV_STYLE_EXACT), "c.li\ta0,1");
	assert_string_equal(text_of(0x4505, 0, RV_STYLE_ALIASES), "li\ta0,1");
	assert_string_equal(text_of(0xc0001073, 0, RV_STYLE_ALIASES), "unimp");
	assert_string_equal(text_of(0xffffffff, 0, RV_STYLE_ALIASES), ".4byte\t0xffffffff");
	assert_string_equal(text_of(0x8002, 0, RV_STYLE_ALIASES), ".2byte\t0x8002"); /* c.jr zero */
}

static void test_small_buffer(void **state)
{
	struct rv_insn i;
	char buf[6];

	(void)state;
	rv_decode(0xff010113, &i);
	assert_string_equal(rv_disasm(&i, 0, RV_STYLE_ALIASES, buf, sizeof(buf)), "addi\t");
	assert_string_equal(rv_disasm(&i, 0, RV_STYLE_ALIASES, buf, 1), "");
}

/* ---- objdump ---- */

struct oracle {
	struct rs_str code;
	unsigned count, differ;
};

static void add(struct oracle *o, uint32_t bits)
{
	rs_str_addn(&o->code, &bits, rv_length(bits) == 2 ? 2 : 4);
	o->count++;
}

static uint32_t random_bits(void)
{
	return (uint32_t)random() << 16 ^ (uint32_t)random();
}

static uint32_t set_field(uint32_t bits, unsigned at, unsigned width, uint32_t value)
{
	uint32_t mask = ((1u << width) - 1) << at;

	return (bits & ~mask) | (value << at & mask);
}

/* Random operands; often special ones, which have names of their own. */
static uint32_t random_operands(const struct rv_row *r)
{
	static const uint32_t special[] = { 0, 0, 1, 2, 5, 31 }, imms[] = { 0, 1, 255, 4095, 2048 };
	static const uint32_t csrs[] = { 1, 2, 3, 0xc00, 0xc01, 0xc02 };
	uint32_t bits = random_bits();

	if (random() % 2)
		bits = set_field(bits, 7, 5, special[random() % 6]);
	if (random() % 2)
		bits = set_field(bits, 15, 5, special[random() % 6]);
	if (random() % 3 == 0)
		bits = set_field(bits, 20, 5, bits >> 15);
	else if (random() % 3 == 0)
		bits = set_field(bits, 20, 12, imms[random() % 5]);
	if (r->format == RV_FORMAT_CSR)
		bits = set_field(bits, 20, 12, csrs[random() % 6]);
	if (r->format == RV_FORMAT_FENCE) /* objdump knows no empty sets */
		bits = set_field(bits, 20, 8, bits & 1 ? 255 : 0x11 | bits >> 8);
	if (r->match == 0x100f)
		bits = 0; /* fence.i, likewise */
	if (r->format == RV_FORMAT_FENCE) /* reserved fields are ignored, and objdump knows none */
		bits = set_field(set_field(set_field(bits, 28, 4, 0), 7, 5, 0), 15, 5, 0);
	if (strchr(r->operands, 'n')) /* exact conversions: objdump 2.40 knows no rounding mode */
		bits = set_field(bits, 12, 3, 0);
	return (bits & ~r->mask) | r->match;
}

static bool have_objdump(void)
{
	if (system("riscv64-linux-gnu-objdump --version >/dev/null 2>&1") == 0 &&
	    system("riscv64-linux-gnu-as --version >/dev/null 2>&1") == 0)
		return true;
	printf("skip: no riscv64-linux-gnu-objdump (binutils-riscv64-linux-gnu)\n");
	return false;
}

/* What objdump 2.40 writes for its own reasons: "add a0,a1,1" for addi (the assembler's short hand),
 * and reserved rounding modes as operands. */
static void normalize(char *text, uint32_t bits, size_t size)
{
	static const char *const short_hand[] = {
		"add\t", "and\t", "or\t", "xor\t", "addw\t", "sll\t", "srl\t", "sra\t", "ror\t",
		"sllw\t", "srlw\t", "sraw\t", "rorw\t", "bclr\t", "bext\t", "binv\t", "bset\t",
		"csrrw\t", "csrrs\t", "csrrc\t", "csrw\t", "csrs\t", "csrc\t", NULL,
	};
	char *last = strrchr(text, ','), *tab = strchr(text, '\t');

	if (last && !strcmp(last, ",unknown")) {
		snprintf(text, size, ".4byte\t0x%x", bits);
		return;
	}
	for (unsigned k = 0; last && tab && short_hand[k]; k++)
		if (!strncmp(text, short_hand[k], strlen(short_hand[k])) && !strchr("astgrz", last[1])) {
			tab -= tab[-1] == 'w' && *text != 'c';
			memmove(tab + 1, tab, strlen(tab) + 1);
			*tab = 'i';
			return;
		}
}

/* objdump's columns: address, bytes, mnemonic, operands, comments. */
static void compare_line(struct oracle *o, char *line)
{
	char *colon = strchr(line, ':'), *at, *end, text[200];
	uint64_t pc = strtoull(line, &end, 16);
	uint32_t bits;

	if (!colon || end != colon)
		return;
	bits = (uint32_t)strtoul(colon + 1, &at, 16);
	at += strspn(at, " \t");
	at[strcspn(at, "\n")] = 0;
	snprintf(text, sizeof(text), "%s", at);
	end = strstr(text, " #");
	if (end)
		*end = 0;
	end = strstr(text, " <");
	if (end)
		*end = 0;
	for (end = text + strlen(text); end > text && (end[-1] == ' ' || end[-1] == '\t');)
		*--end = 0;
	normalize(text, bits, sizeof(text));
	o->count++;
	if (strcmp(text_of(bits, pc, RV_STYLE_ALIASES), text) && o->differ++ < 40)
		printf("%08x: objdump \"%s\", here \"%s\"\n", bits, text,
		       text_of(bits, pc, RV_STYLE_ALIASES));
}

static void run_objdump(struct oracle *o)
{
	char dir[] = "/tmp/ringside-rv.XXXXXX", *line = NULL;
	rs_auto_free char *file = NULL, *cmd = NULL;
	size_t cap = 0;
	unsigned sent = o->count;
	FILE *f;

	assert_non_null(mkdtemp(dir));
	file = rs_xasprintf("%s/code", dir);
	f = fopen(file, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(o->code.p, 1, o->code.len, f), o->code.len);
	fclose(f);
	/* Without symbols objdump decodes what .incbin marked as data. */
	cmd = rs_xasprintf("cd %s && echo '.incbin \"code\"' | riscv64-linux-gnu-as -march=" MARCH
			   " -o a.o - && riscv64-linux-gnu-objcopy --strip-all a.o &&"
			   " riscv64-linux-gnu-objdump -z -d a.o; rm -r %s", dir, dir);
	f = popen(cmd, "r");
	assert_non_null(f);
	o->count = o->differ = 0;
	while (getline(&line, &cap, f) > 0)
		compare_line(o, line);
	free(line);
	assert_int_equal(pclose(f), 0);
	assert_int_equal(o->count, sent);
	printf("%u encodings, %u differ\n", o->count, o->differ);
	assert_int_equal(o->differ, 0);
}

static void test_objdump_compressed(void **state)
{
	struct oracle o = { RS_STR_INIT, 0, 0 };

	(void)state;
	if (!have_objdump())
		skip();
	for (uint32_t bits = 0; bits < 0x10000; bits++)
		if ((bits & 3) != 3 && bits != 0x6101) /* c.addi16sp of 0 is reserved; objdump differs */
			add(&o, bits);
	run_objdump(&o);
	rs_str_release(&o.code);
}

static void test_objdump_rows(void **state)
{
	struct oracle o = { RS_STR_INIT, 0, 0 };

	(void)state;
	if (!have_objdump())
		skip();
	for (unsigned i = 0; i < RV_COUNT; i++)
		if (rv_length(rv_rows[i].match) == 4 && rv_rows[i].ext != RV_EXT_ZICOND)
			for (unsigned n = 0; n < PER_ROW; n++)
				add(&o, random_operands(&rv_rows[i]));
	run_objdump(&o);
	rs_str_release(&o.code);
}

/* What this table does not have, objdump does not know either: except privileged instructions and
 * other extensions of the assembler's defaults. */
static void test_objdump_random(void **state)
{
	struct oracle o = { RS_STR_INIT, 0, 0 };
	struct rv_insn i;

	(void)state;
	if (!have_objdump())
		skip();
	while (o.count < RANDOM_WORDS) {
		uint32_t bits = random_bits() | 3, major = bits >> 2 & 31;

		if (major == 0x1c || major == 3 || rv_length(bits) != 4)
			continue; /* SYSTEM, MISC-MEM: above, with the operands that user mode has */
		if (major == 0xc && bits >> 25 == 7)
			continue; /* Zicond */
		if (rv_decode(bits, &i) && strchr(rv_rows[i.id].operands, 'n') && i.rm)
			continue; /* exact conversions with a rounding mode */
		add(&o, bits);
	}
	run_objdump(&o);
	rs_str_release(&o.code);
}

int main(void)
{
	const char *seed = getenv("SEED");
	unsigned s = seed ? (unsigned)strtoul(seed, NULL, 0) : 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_is_sorted),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_small_buffer),
		cmocka_unit_test(test_objdump_compressed),
		cmocka_unit_test(test_objdump_rows),
		cmocka_unit_test(test_objdump_random),
	};

	printf("seed %u (SEED=)\n", s);
	srandom(s);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
