/* The names in the guest's program, sorted by address. */
#include "emu/symbols.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/str.h"
#include "emu/linux.h"

#define SYMBOLS_MAX 65536u /* of a program; the rest has no names */

struct symbol {
	uint64_t addr, size;
	uint32_t name;           /* offset in names */
	uint8_t rank;            /* of several at one address the highest is shown */
};

struct emu_symbols {
	struct symbol *v;
	size_t n, cap;
	struct rs_str names;
	uint64_t bias;
};

static uint8_t rank(unsigned info)
{
	return (uint8_t)((ELF64_ST_TYPE(info) == STT_FUNC) * 2 + (ELF64_ST_BIND(info) != STB_LOCAL));
}

static bool add(void *arg, const char *name, uint64_t addr, uint64_t size, unsigned info)
{
	struct emu_symbols *s = arg;
	unsigned type = ELF64_ST_TYPE(info);

	/* "$x" and its kind mark what bytes are (ELF for the Arm 64-bit Architecture, 5.5.5) */
	if (type > STT_FUNC || !*name || *name == '$' || !strncmp(name, ".L", 2))
		return false;
	if (s->n == SYMBOLS_MAX)
		return true;
	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 256;
		s->v = rs_xrealloc(s->v, s->cap, sizeof(*s->v));
	}
	s->v[s->n++] = (struct symbol){ addr + s->bias, size, (uint32_t)s->names.len, rank(info) };
	rs_str_addn(&s->names, name, strlen(name) + 1);
	return false;
}

static int by_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return x->rank != y->rank ? (int)x->rank - (int)y->rank : x->name < y->name ? -1 : x->name > y->name;
}

struct emu_symbols *emu_symbols_new(const void *data, size_t size, uint64_t bias)
{
	struct emu_symbols *s = rs_xcalloc(1, sizeof(*s));

	s->names = (struct rs_str)RS_STR_INIT;
	s->bias = bias;
	emu_load_symbols(data, size, add, s);
	if (s->n)
		qsort(s->v, s->n, sizeof(*s->v), by_address);
	return s;
}

void emu_symbols_free(struct emu_symbols *s)
{
	if (!s)
		return;
	rs_str_release(&s->names);
	free(s->v);
	free(s);
}

/* The last symbol at or before pc, when pc lies in it. A label without a size goes on to the next one. */
static const struct symbol *covering(const struct emu_symbols *s, uint64_t pc)
{
	size_t lo = 0, hi = s ? s->n : 0;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (s->v[mid].addr <= pc)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo || (s->v[lo - 1].size && pc >= s->v[lo - 1].addr + s->v[lo - 1].size))
		return NULL;
	return &s->v[lo - 1];
}

const char *emu_symbols_text(const struct emu_symbols *s, uint64_t pc, char *buf, size_t size)
{
	const struct symbol *y = covering(s, pc);
	char more[24] = "";
	size_t n;

	*buf = 0;
	if (!y)
		return buf;
	if (pc > y->addr)
		snprintf(more, sizeof(more), "+0x%llx", (unsigned long long)(pc - y->addr));
	/* a long name is cut, not its end: the place matters */
	n = size > strlen(more) + 1 ? size - strlen(more) - 1 : 0;
	snprintf(buf, size, "%.*s%s", (int)n, s->names.p + y->name, more);
	return buf;
}

bool emu_symbols_start(const struct emu_symbols *s, uint64_t pc, uint64_t *start)
{
	const struct symbol *y = covering(s, pc);

	if (y)
		*start = y->addr;
	return y;
}

bool emu_symbols_find(const struct emu_symbols *s, const char *name, uint64_t *addr)
{
	for (size_t i = 0; s && i < s->n; i++) {
		if (strcmp(s->names.p + s->v[i].name, name))
			continue;
		*addr = s->v[i].addr;
		return true;
	}
	return false;
}

void emu_symbols_tell(const struct emu_symbols *s, struct rs_emitter *em)
{
	for (size_t i = 0; s && i < s->n && i < EMU_SYMBOLS_TOLD; i++)
		rs_emit(em, RS_EV_EMU_SYMBOL, RS_SRC_EMU, 0, s->v[i].addr, s->v[i].size, 0, 0, s->names.p + s->v[i].name);
}
