/* AArch64 disassembler: an instruction as text, from the operands of the table and the names of special
 * cases in a64_alias.def. What stands in memory operands and vectors is in a64_operand.c. */
#include "emu/a64_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void a64_put(struct a64_text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->p + t->len, t->size - t->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->len = t->len + (size_t)n < t->size ? t->len + (size_t)n : t->size - 1;
}

/* ---- special cases ---- */

/* Would movz or movn do for this mask? Then it is an orr (Arm ARM, MoveWidePreferred). */
static bool is_wide_move(const struct a64_insn *i)
{
	uint64_t v = (uint64_t)i->imm, all = i->sf ? ~0ull : 0xffffffff;

	for (unsigned s = 0; s < (i->sf ? 64u : 32u); s += 16)
		if (!(v & ~(0xffffull << s)) || !(~v & all & ~(0xffffull << s)))
			return true;
	return false;
}

/* How a special case is written, or false. */
static bool find_alias(const struct a64_insn *i, const char **name, const uint8_t **operands)
{
#define SIZE (i->sf ? 64 : 32)
#define OPS_OF(a, b, c, d, e, ...)                                                                 \
	{ A64_OPERAND_##a, A64_OPERAND_##b, A64_OPERAND_##c, A64_OPERAND_##d, A64_OPERAND_##e }
#define OPS(...) OPS_OF(__VA_ARGS__, NONE, NONE, NONE, NONE, NONE)
#define A64_ALIAS(row, condition, text, ...)                                                       \
	if (i->id == A64_##row && (condition)) {                                                   \
		static const uint8_t ops[A64_OPERANDS_MAX] = __VA_ARGS__;                          \
                                                                                                   \
		*name = text;                                                                      \
		*operands = ops;                                                                   \
		return true;                                                                       \
	}
#include "emu/a64_alias.def"
#undef SIZE
	return false;
}

static const char *hint_name(int64_t number)
{
	switch (number) {
#define A64_HINT(n, name)                                                                          \
	case n:                                                                                    \
		return name;
#include "emu/a64_hint.def"
	}
	return NULL;
}

static const char *const conditions[16] = { "eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc",
					    "hi", "ls", "ge", "lt", "gt", "le", "al", "nv" };

const char *a64_condition_name(unsigned cond)
{
	return conditions[cond & 15];
}

/* ---- the mnemonic ---- */

/* What stands in braces. */
static void put_suffix(struct a64_text *t, const struct a64_insn *i, const char *kind, size_t len)
{
	bool acquire = i->bits >> 23 & 1, release = i->bits >> 22 & 1;

	if (!strncmp(kind, "cond", len)) {
		a64_put(t, "%s", conditions[i->index & 15]);
	} else if (!strncmp(kind, "2", len)) {
		a64_put(t, "%s", i->q ? "2" : "");
	} else if (!strncmp(kind, "bh", len)) {
		a64_put(t, "%s", i->size == 0 ? "b" : i->size == 1 ? "h" : "");
	} else {
		if (!strncmp(kind, "al_cas", len) && len == 6) {
			acquire = i->bits >> 22 & 1;
			release = i->bits >> 15 & 1;
		}
		a64_put(t, "%s%s", acquire ? "a" : "", release ? "l" : "");
	}
}

static void put_name(struct a64_text *t, const struct a64_insn *i, const char *name)
{
	while (*name) {
		size_t n = strcspn(name, "{");

		a64_put(t, "%.*s", (int)n, name);
		name += n;
		if (*name) {
			n = strcspn(name, "}");
			put_suffix(t, i, name + 1, n - 1);
			name += n + 1;
		}
	}
}

const char *a64_disasm(const struct a64_insn *i, uint64_t pc, enum a64_style style, char *buf, size_t size)
{
	struct a64_text t = { buf, size, 0 };
	const uint8_t *operands;
	const char *name;

	if (!size)
		return buf;
	*buf = 0;
	if (i->id >= A64_COUNT) {
		a64_put(&t, ".inst\t0x%08x ; undefined", i->bits);
		return buf;
	}
	if (i->class == A64_CLASS_HINT && style == A64_STYLE_ALIASES && hint_name(i->imm)) {
		a64_put(&t, "%s", hint_name(i->imm));
		return buf;
	}
	if (style == A64_STYLE_EXACT || !find_alias(i, &name, &operands)) {
		name = a64_rows[i->id].name;
		operands = a64_rows[i->id].operand;
	}
	if (i->id == A64_sys && style == A64_STYLE_ALIASES && a64_put_cache(&t, i))
		return buf;
	put_name(&t, i, name);
	for (unsigned k = 0; k < A64_OPERANDS_MAX && operands[k] != A64_OPERAND_NONE; k++) {
		size_t before = t.len;

		a64_put(&t, k ? ", " : "\t");
		if (!a64_put_operand(&t, i, operands[k], pc)) { /* one that may be left out, and is */
			t.len = before;
			t.p[before] = 0;
		}
	}
	return buf;
}
