/* RISC-V disassembler: an instruction as text, from the operand letters of rv_insn.def and the names
 * of special cases in rv_alias.def. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "emu/rv.h"

const char *rv_reg_name(unsigned r)
{
	static const char *const names[32] = {
		"zero", "ra", "sp", "gp", "tp",	 "t0",	"t1", "t2", "s0", "s1", "a0",
		"a1",	"a2", "a3", "a4", "a5",	 "a6",	"a7", "s2", "s3", "s4", "s5",
		"s6",	"s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
	};

	return names[r & 31];
}

const char *rv_freg_name(unsigned r)
{
	static const char *const names[32] = {
		"ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6",  "ft7",  "fs0",  "fs1",  "fa0",
		"fa1", "fa2", "fa3", "fa4", "fa5", "fa6", "fa7",  "fs2",  "fs3",  "fs4",  "fs5",
		"fs6", "fs7", "fs8", "fs9", "fs10", "fs11", "ft8", "ft9", "ft10", "ft11",
	};

	return names[r & 31];
}

const char *rv_csr_name(unsigned number)
{
	switch (number) {
#define RV_CSR(id, nr, name, writable, text)                                                       \
	case nr:                                                                                   \
		return name;
#include "emu/rv_csr.def"
	}
	return NULL;
}

bool rv_csr_writable(unsigned number)
{
	switch (number) {
#define RV_CSR(id, nr, name, writable, text)                                                       \
	case nr:                                                                                   \
		return writable;
#include "emu/rv_csr.def"
	}
	return false;
}

/* How a special case is written, or false. */
static bool find_alias(const struct rv_insn *i, const char **name, const char **operands)
{
#define RV_ALIAS(operation, condition, text, ops)                                                  \
	if (i->op == RV_##operation && (condition)) {                                              \
		*name = text;                                                                      \
		*operands = ops;                                                                   \
		return true;                                                                       \
	}
#include "emu/rv_alias.def"
	return false;
}

/* ---- text into a buffer ---- */

struct text {
	char *p;
	size_t size, len;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->p + t->len, t->size - t->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->len = t->len + (size_t)n < t->size ? t->len + (size_t)n : t->size - 1;
}

static void put_sets(struct text *t, unsigned sets)
{
	static const char letters[] = "iorw";

	for (unsigned k = 0; k < 4; k++)
		if (sets >> (3 - k) & 1)
			put(t, "%c", letters[k]);
	if (!sets)
		put(t, "unknown");
}

static void put_csr(struct text *t, unsigned number)
{
	const char *name = rv_csr_name(number);

	if (name)
		put(t, "%s", name);
	else
		put(t, "0x%x", number);
}

/* The rounding mode with its comma; nothing when it is dynamic, or when `silent_zero` and 0. */
static void put_rm(struct text *t, unsigned rm, bool silent_zero)
{
	static const char *const names[8] = { "rne", "rtz", "rdn", "rup", "rmm", NULL, NULL, NULL };

	if (t->p[t->len - 1] == ',')
		t->p[--t->len] = 0;
	if (names[rm] && !(silent_zero && !rm))
		put(t, ",%s", names[rm]);
}

static void put_operand(struct text *t, char letter, const struct rv_insn *i, uint64_t pc)
{
	switch (letter) {
	case 'd':
		put(t, "%s", rv_reg_name(i->rd));
		break;
	case 's':
		put(t, "%s", rv_reg_name(i->rs1));
		break;
	case 't':
		put(t, "%s", rv_reg_name(i->rs2));
		break;
	case 'D':
		put(t, "%s", rv_freg_name(i->rd));
		break;
	case 'S':
		put(t, "%s", rv_freg_name(i->rs1));
		break;
	case 'T':
		put(t, "%s", rv_freg_name(i->rs2));
		break;
	case 'R':
		put(t, "%s", rv_freg_name(i->rs3));
		break;
	case 'j':
	case 'o':
		put(t, "%" PRId64, i->imm);
		break;
	case 'h':
		put(t, "0x%" PRIx64, i->imm);
		break;
	case 'u':
		put(t, "0x%" PRIx64, (uint64_t)i->imm >> 12 & 0xfffff);
		break;
	case 'p':
		put(t, "0x%" PRIx64, pc + (uint64_t)i->imm);
		break;
	case 'm':
	case 'n':
		put_rm(t, i->rm, letter == 'n');
		break;
	case 'E':
		put_csr(t, (unsigned)i->imm);
		break;
	case 'Z':
		put(t, "%u", i->rs1);
		break;
	case 'P':
		put_sets(t, (unsigned)i->imm >> 4 & 15);
		break;
	case 'Q':
		put_sets(t, (unsigned)i->imm & 15);
		break;
	default: /* commas and brackets */
		put(t, "%c", letter);
	}
}

const char *rv_disasm(const struct rv_insn *i, uint64_t pc, enum rv_style style, char *buf,
		      size_t size)
{
	struct text t = { buf, size, 0 };
	const char *name, *operands;

	if (!size)
		return buf;
	*buf = 0;
	if (i->id >= RV_COUNT) {
		put(&t, i->len == 2 ? ".2byte\t0x%x" : ".4byte\t0x%x", i->bits);
		return buf;
	}
	if (style == RV_STYLE_EXACT || !find_alias(i, &name, &operands)) {
		const struct rv_row *row = &rv_rows[style == RV_STYLE_EXACT ? i->id : i->op];

		name = row->name;
		operands = row->operands;
	}
	put(&t, "%s%s", name, i->aq && i->rl ? ".aqrl" : i->aq ? ".aq" : i->rl ? ".rl" : "");
	if (*operands)
		put(&t, "\t");
	for (; *operands; operands++)
		put_operand(&t, *operands, i, pc);
	return buf;
}
