/* The translator's part of the model: blocks, code memory, stages and guest registers, as the last
 * snapshots reported them. Filled by model.c; the panes read it.
 */
#ifndef TUI_TRANSLATOR_H
#define TUI_TRANSLATOR_H

#include <stdbool.h>

#include "engine/base/state.h"
#include "engine/base/str.h"
#include "tui/stages.h"

#define TUI_STAGES_KEPT 64  /* blocks whose stages are remembered: the newest stay */
#define TUI_STAGES_MAX 16   /* stages of one block: guest, IR, IR after each pass, host */

/* One block's stages as reported. */
struct tui_block_stages {
	struct rs_emu_stage head[TUI_STAGES_MAX];
	char *text[TUI_STAGES_MAX];
	unsigned n;          /* that have arrived, in order */
	uint64_t order;      /* grows; 0: free */
};

struct tui_translator {
	bool have_blocks;
	struct rs_emu_blocks blocks;
	struct rs_emu_block block[RS_EMU_BLOCKS_MAX]; /* blocks.n of them */
	bool have_cache;
	struct rs_emu_cache cache;
	struct rs_emu_span span[RS_EMU_SPANS_MAX];    /* cache.n of them */
	struct tui_block_stages kept[TUI_STAGES_KEPT];
	struct tui_block_stages *filling; /* the set that grows; NULL */
	uint64_t order;
	bool have_regs, have_prev;
	struct rs_emu_regs regs;
	struct rs_emu_reg reg[RS_EMU_REGS_MAX], prev[RS_EMU_REGS_MAX];
};

void tui_translator_clear(struct tui_translator *t);
/* A complete snapshot of this kind. Something malformed changes nothing. */
void tui_translator_take(struct tui_translator *t, enum rs_block kind, const unsigned char *p, size_t n);
/* The stages of the block at pc; of the newest report when `any`. NULL: none was reported. */
const struct tui_block_stages *tui_translator_stages(const struct tui_translator *t, uint64_t pc, bool any);
/* How many passes over the IR were reported one by one. */
int tui_translator_passes(const struct tui_block_stages *s);
/* Index of the block that begins at pc; -1. */
int tui_translator_block(const struct tui_translator *t, uint64_t pc);
/* The most runs of one block; 0: none was counted. */
uint64_t tui_translator_most(const struct tui_translator *t);
/* Does this register differ from the snapshot before? */
bool tui_translator_changed(const struct tui_translator *t, unsigned reg);

#endif
