/* The AArch64 table against binutils: every row with random and special operands, and random words,
 * must read as objdump writes them; what the table refuses, objdump must not know either, but for
 * extensions that this guest does not have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "emu/a64.h"
#include "engine/base/cleanup.h"
#include "engine/base/str.h"

#define PER_ROW 400
#define RANDOM_WORDS 100000

static const char *text_of(uint32_t bits, uint64_t pc, enum a64_style style)
{
	static char buf[A64_TEXT_MAX];
	struct a64_insn i;

	a64_decode(bits, &i);
	return a64_disasm(&i, pc, style, buf, sizeof(buf));
}

static void test_rows(void **state)
{
	struct a64_insn i;

	(void)state;
	for (unsigned r = 0; r < A64_COUNT; r++) {
		const struct a64_row *row = &a64_rows[r];
		bool reached = false;

		assert_int_equal(row->match & ~row->mask, 0);
		/* No row is hidden by those before it. */
		for (unsigned n = 0; n < 2000 && !reached; n++) {
			uint32_t bits = (uint32_t)random() << 16 ^ (uint32_t)random();

			reached = a64_decode((bits & ~row->mask) | row->match, &i) && i.id == r;
		}
		if (!reached)
			fail_msg("row %u (%s) is never decoded", r, row->name);
	}
}

static void test_texts(void **state)
{
	(void)state;
	assert_string_equal(text_of(0xd65f03c0, 0, A64_STYLE_ALIASES), "ret");
	assert_string_equal(text_of(0xd65f03c0, 0, A64_STYLE_EXACT), "ret\tx30");
	assert_string_equal(text_of(0xaa0103e0, 0, A64_STYLE_ALIASES), "mov\tx0, x1");
	assert_string_equal(text_of(0xaa0103e0, 0, A64_STYLE_EXACT), "orr\tx0, xzr, x1");
	assert_string_equal(text_of(0x54000041, 0x1000, A64_STYLE_ALIASES), "b.ne\t0x1008");
	assert_string_equal(text_of(0xffffffff, 0, A64_STYLE_ALIASES), ".inst\t0xffffffff ; undefined");
}

static void test_small_buffer(void **state)
{
	struct a64_insn i;
	char buf[6];

	(void)state;
	a64_decode(0x910003fd, &i); /* mov x29, sp */
	assert_string_equal(a64_disasm(&i, 0, A64_STYLE_ALIASES, buf, sizeof(buf)), "mov\tx");
	assert_string_equal(a64_disasm(&i, 0, A64_STYLE_ALIASES, buf, 1), "");
}

/* Immediates, worked out by hand from the manual. */
static void test_immediates(void **state)
{
	struct a64_insn i;

	(void)state;
	assert_true(a64_decode(0x9200f000, &i)); /* and x0, x0, #0x5555555555555555 */
	assert_int_equal(i.imm, 0x5555555555555555);
	assert_false(a64_decode(0x9200fc00, &i)); /* all ones are no mask */
	assert_false(a64_decode(0x12400000, &i)); /* 64-bit elements in a W register */
	assert_true(a64_decode(0x1e6e1000, &i)); /* fmov d0, #1.0 */
	assert_int_equal(i.imm, 0x3ff0000000000000);
	assert_true(a64_decode(0x97ffffff, &i)); /* bl .-4 */
	assert_int_equal(i.imm, -4);
}

/* ---- objdump ---- */

struct oracle {
	struct rs_str code;
	unsigned count, differ;
};

static void add(struct oracle *o, uint32_t bits)
{
	rs_str_addn(&o->code, &bits, 4);
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
static uint32_t random_operands(const struct a64_row *r)
{
	static const uint32_t special[] = { 0, 1, 30, 31, 31, 31 }, imms[] = { 0, 0, 1, 7, 15, 31, 63 };
	static const uint16_t sysregs[] = {
#define A64_SYSREG(id, op0, op1, crn, crm, op2, name, access, text) A64_SYSREG_##id,
#include "emu/a64_sysreg.def"
	};
	uint32_t bits = random_bits();

	if (random() % 2)
		bits = set_field(bits, 0, 5, special[random() % 6]);
	if (random() % 2)
		bits = set_field(bits, 5, 5, special[random() % 6]);
	if (random() % 3 == 0)
		bits = set_field(bits, 16, 5, random() % 2 ? bits >> 5 : special[random() % 6]);
	if (random() % 3 == 0)
		bits = set_field(bits, 10, 6, imms[random() % 7]);
	if (random() % 4 == 0)
		bits = set_field(bits, 16, 6, imms[random() % 7]);
	if (random() % 4 == 0)
		bits = set_field(bits, 22, 2, 0);
	if (r->format == A64_FORMAT_SYSTEM && r->operand[1] != A64_OPERAND_XD_OPTIONAL)
		bits = set_field(bits, 5, 16, sysregs[random() % (sizeof(sysregs) / sizeof(*sysregs))]);
	return (bits & ~r->mask) | r->match;
}

static bool have_objdump(void)
{
	if (system("aarch64-linux-gnu-objdump --version >/dev/null 2>&1") == 0)
		return true;
	printf("skip: no aarch64-linux-gnu-objdump (binutils-aarch64-linux-gnu)\n");
	return false;
}

/* objdump's addresses have no 0x; what it adds after // is a comment. */
static void normalize(char *text, size_t size)
{
	static const char *const targets[] = { "b\t", "bl\t", "b.", "cb", "tb", "adr", "ldr", "prfm", NULL };
	char *end = strstr(text, "//"), *last;

	if (end)
		*end = 0;
	end = strstr(text, " <");
	if (end)
		*end = 0;
	for (end = text + strlen(text); end > text && (end[-1] == ' ' || end[-1] == '\t');)
		*--end = 0;
	last = strrchr(text, ' ');
	last = last ? last + 1 : strchr(text, '\t') ? strchr(text, '\t') + 1 : NULL;
	for (unsigned k = 0; last && targets[k]; k++)
		if (!strncmp(text, targets[k], strlen(targets[k])) && *last &&
		    strspn(last, "0123456789abcdef") == strlen(last)) {
			if (strlen(text) + 3 < size) {
				memmove(last + 2, last, strlen(last) + 1);
				memcpy(last, "0x", 2);
			}
			return;
		}
}

/* Does the word belong to what Armv8.0 and the extensions of a64_ext.def do not have? */
static bool is_newer(uint32_t bits, const char *theirs)
{
	static const char *const names[] = {
		"stg", "st2g", "stz", "ldg", "addg", "subg", "subp", "irg", "gmi",      /* MTE */
		"ldraa", "ldrab", "pac", "aut", "bra", "blra", "reta",                  /* PAuth */
		"ldapu", "stlu",                                                        /* LRCPC2 */
		"xar", "sm3", "sm4", "sha", "eor3", "bcax", "rax1", "aes", "pmull",     /* cryptography */
		"fcmla", "fcadd", "bf", "sudot", "usdot", "smmla", "ummla", "usmmla",   /* FCMA, BF16, I8MM */
		"bc.", "umin", "umax", "smin", "smax", "abs\tw", "abs\tx", "cnt\tw", "cnt\tx", "ctz", "cpy", "set", "fmlal",
		"fmlsl",                                                                /* HBC, CSSC, MOPS, FHM */
		"rmif", "cfinv", "xaflag", "axflag", "tcancel", "tstart", "ttest", "tcommit", "st64", "ld64", "wf",
		"frint32", "frint64", "fjcvt", "sb", "sysp", "fmov\td",
		"dcps", "hvc", "smc", "sysl", "mrs", "msr", "eret", "drps",             /* not for user mode */
	};
	unsigned group = bits >> 25 & 15;

	if (group == 0 || group == 2) /* SME, SVE */
		return true;
	for (unsigned k = 0; k < sizeof(names) / sizeof(*names); k++)
		if (!strncmp(theirs, names[k], strlen(names[k])))
			return true;
	return false;
}

/* FP16: arithmetic of half precision in vectors; every conversion from fixed point, too. */
static bool is_half(const char *theirs)
{
	return (*theirs == 'f' || !strncmp(theirs + 1, "cvtf", 4)) &&
	       (strstr(theirs, ".4h") || strstr(theirs, ".8h") || strstr(theirs, "\th") || strstr(theirs, ".2h"));
}

/* Is this a difference that is meant? `row`: the word was made from a row of the table. */
static bool expected(uint32_t bits, const char *theirs, bool row)
{
	struct a64_insn i;
	enum a64_access access;

	if (!a64_decode(bits, &i)) {
		if (strstr(theirs, "undefined"))
			return true;
		/* half precision as a type of its own (FP16, BF16) */
		if ((bits & 0x7e000000) == 0x1e000000 || (bits & 0xfe000000) == 0x9e000000)
			return (bits >> 22 & 3) == 3 || !strncmp(theirs, "bfcvt", 5) || !row;
		/* objdump does not look at one of the bits of ldar, ldarb that should be one */
		if (!strncmp(theirs, "ldar", 4))
			return !(bits >> 20 & 1);
		return is_half(theirs) || (!row && is_newer(bits, theirs));
	}
	/* Cache and TLB maintenance, and system registers, that only the kernel has. */
	if (i.id == A64_sys)
		return strncmp(theirs, "sys", 3) != 0;
	return (i.id == A64_mrs || i.id == A64_msr) && !a64_sysreg_name((unsigned)i.imm & 0xffff, &access);
}

/* objdump's columns: address, bytes, mnemonic, operands, comments. */
static void compare_line(struct oracle *o, char *line, bool row)
{
	char *colon = strchr(line, ':'), *at, *end, text[200];
	uint64_t pc = strtoull(line, &end, 16);
	const char *ours;
	uint32_t bits;

	if (!colon || end != colon)
		return;
	bits = (uint32_t)strtoul(colon + 1, &at, 16);
	at += strspn(at, " \t");
	at[strcspn(at, "\n")] = 0;
	snprintf(text, sizeof(text), "%s", at);
	normalize(text, sizeof(text));
	o->count++;
	ours = text_of(bits, pc, A64_STYLE_ALIASES);
	if (strcmp(ours, text) && !expected(bits, text, row) && o->differ++ < 60)
		printf("%08x: objdump \"%s\", here \"%s\"\n", bits, text, ours);
}

static void run_objdump(struct oracle *o, bool row)
{
	char dir[] = "/tmp/ringside-a64.XXXXXX", *line = NULL;
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
	cmd = rs_xasprintf("cd %s && aarch64-linux-gnu-objdump -z -D -b binary -m aarch64 code; rm -r %s", dir, dir);
	f = popen(cmd, "r");
	assert_non_null(f);
	o->count = o->differ = 0;
	while (getline(&line, &cap, f) > 0)
		compare_line(o, line, row);
	free(line);
	assert_int_equal(pclose(f), 0);
	assert_int_equal(o->count, sent);
	printf("%u encodings, %u differ\n", o->count, o->differ);
	assert_int_equal(o->differ, 0);
}

static void test_objdump_rows(void **state)
{
	struct oracle o = { RS_STR_INIT, 0, 0 };

	(void)state;
	if (!have_objdump())
		skip();
	for (unsigned i = 0; i < A64_COUNT; i++)
		for (unsigned n = 0; n < PER_ROW; n++)
			add(&o, random_operands(&a64_rows[i]));
	run_objdump(&o, true);
	rs_str_release(&o.code);
}

static void test_objdump_random(void **state)
{
	struct oracle o = { RS_STR_INIT, 0, 0 };

	(void)state;
	if (!have_objdump())
		skip();
	while (o.count < RANDOM_WORDS)
		add(&o, random_bits());
	run_objdump(&o, false);
	rs_str_release(&o.code);
}

int main(void)
{
	const char *seed = getenv("SEED");
	unsigned s = seed ? (unsigned)strtoul(seed, NULL, 0) : 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_small_buffer),
		cmocka_unit_test(test_immediates),
		cmocka_unit_test(test_objdump_rows),
		cmocka_unit_test(test_objdump_random),
	};

	printf("seed %u (SEED=)\n", s);
	srandom(s);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
