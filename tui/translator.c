#include <stdlib.h>
#include <string.h>

#include "tui/translator.h"

static void stages_release(struct tui_block_stages *s)
{
	for (unsigned i = 0; i < s->n; i++)
		free(s->text[i]);
	memset(s, 0, sizeof(*s));
}

void tui_translator_clear(struct tui_translator *t)
{
	for (unsigned i = 0; i < TUI_STAGES_KEPT; i++)
		stages_release(&t->kept[i]);
	memset(t, 0, sizeof(*t));
}

/* Names come from another process: they end where their field ends. */
#define END_NAME(field) ((field)[sizeof(field) - 1] = 0)

/* Where the stages of this block are kept, or else the place that was filled longest ago. */
static struct tui_block_stages *stages_place(struct tui_translator *t, uint64_t pc)
{
	struct tui_block_stages *oldest = &t->kept[0];
	for (unsigned i = 0; i < TUI_STAGES_KEPT; i++) {
		struct tui_block_stages *s = &t->kept[i];
		if (s->order && s->head[0].pc == pc)
			return s;
		if (s->order < oldest->order)
			oldest = s;
	}
	return oldest;
}

static void take_stage(struct tui_translator *t, const unsigned char *p, size_t n)
{
	struct rs_emu_stage h;
	if (n < sizeof(h))
		return;
	memcpy(&h, p, sizeof(h));
	END_NAME(h.name);
	END_NAME(h.symbol);
	if (h.index == 0) {
		t->filling = stages_place(t, h.pc);
		stages_release(t->filling);
		t->filling->order = ++t->order;
	}
	struct tui_block_stages *s = t->filling;
	if (!s || h.index != s->n || s->n == TUI_STAGES_MAX || (s->n && s->head[0].pc != h.pc)) {
		t->filling = NULL; /* one was lost: the set ends here */
		return;
	}
	s->head[s->n] = h;
	s->text[s->n] = rs_xcalloc(n - sizeof(h) + 1, 1);
	memcpy(s->text[s->n], p + sizeof(h), n - sizeof(h));
	s->n++;
}

/* Head and items of a snapshot; false when the sizes do not agree. */
static bool take_items(void *head, size_t head_size, void *item, size_t item_size, uint32_t count,
		       unsigned most, const unsigned char *p, size_t n)
{
	if (count > most || n != head_size + count * item_size)
		return false;
	memcpy(head, p, head_size);
	memcpy(item, p + head_size, count * item_size);
	return true;
}

static void take_blocks(struct tui_translator *t, const unsigned char *p, size_t n)
{
	struct rs_emu_blocks h;
	if (n < sizeof(h))
		return;
	memcpy(&h, p, sizeof(h));
	if (!take_items(&t->blocks, sizeof(h), t->block, sizeof(t->block[0]), h.n, RS_EMU_BLOCKS_MAX, p, n))
		return;
	for (unsigned i = 0; i < h.n; i++) {
		END_NAME(t->block[i].symbol);
		if (t->block[i].exits > RS_EMU_EXITS_MAX)
			t->block[i].exits = RS_EMU_EXITS_MAX;
	}
	t->have_blocks = true;
}

static void take_cache(struct tui_translator *t, const unsigned char *p, size_t n)
{
	struct rs_emu_cache h;
	if (n < sizeof(h))
		return;
	memcpy(&h, p, sizeof(h));
	if (take_items(&t->cache, sizeof(h), t->span, sizeof(t->span[0]), h.n, RS_EMU_SPANS_MAX, p, n))
		t->have_cache = true;
}

static void take_regs(struct tui_translator *t, const unsigned char *p, size_t n)
{
	struct rs_emu_regs h;
	struct rs_emu_reg was[RS_EMU_REGS_MAX];
	unsigned count = t->regs.n, cpu = t->regs.cpu;
	if (n < sizeof(h))
		return;
	memcpy(&h, p, sizeof(h));
	memcpy(was, t->reg, sizeof(was));
	if (!take_items(&t->regs, sizeof(h), t->reg, sizeof(t->reg[0]), h.n, RS_EMU_REGS_MAX, p, n))
		return;
	END_NAME(t->regs.insn);
	END_NAME(t->regs.guest);
	END_NAME(t->regs.symbol);
	for (unsigned i = 0; i < h.n; i++)
		END_NAME(t->reg[i].name);
	t->have_prev = t->have_regs && count == h.n && cpu == h.cpu;
	memcpy(t->prev, was, sizeof(was));
	t->have_regs = true;
}

void tui_translator_take(struct tui_translator *t, enum rs_block kind, const unsigned char *p, size_t n)
{
	switch (kind) {
	case RS_BLOCK_EMU_STAGE: take_stage(t, p, n); break;
	case RS_BLOCK_EMU_BLOCKS: take_blocks(t, p, n); break;
	case RS_BLOCK_EMU_CACHE: take_cache(t, p, n); break;
	case RS_BLOCK_EMU_REGS: take_regs(t, p, n); break;
	default: break;
	}
}

const struct tui_block_stages *tui_translator_stages(const struct tui_translator *t, uint64_t pc, bool any)
{
	const struct tui_block_stages *best = NULL;
	for (unsigned i = 0; i < TUI_STAGES_KEPT; i++) {
		const struct tui_block_stages *s = &t->kept[i];
		if (s->order && (any ? !best || s->order > best->order : s->head[0].pc == pc))
			best = s;
	}
	return best;
}

int tui_translator_passes(const struct tui_block_stages *s)
{
	int n = (int)s->n - 2; /* the first two are guest and IR */
	return n <= 0 ? 0 : n - !strcmp(s->head[s->n - 1].name, "host");
}

int tui_translator_block(const struct tui_translator *t, uint64_t pc)
{
	for (unsigned i = 0; i < t->blocks.n; i++)
		if (t->block[i].pc == pc)
			return (int)i;
	return -1;
}

uint64_t tui_translator_most(const struct tui_translator *t)
{
	uint64_t most = 0;
	for (unsigned i = 0; i < t->blocks.n; i++)
		if (t->block[i].runs > most)
			most = t->block[i].runs;
	return most;
}

bool tui_translator_changed(const struct tui_translator *t, unsigned reg)
{
	return t->have_prev && memcmp(t->reg[reg].v, t->prev[reg].v, sizeof(t->prev[reg].v)) != 0;
}
