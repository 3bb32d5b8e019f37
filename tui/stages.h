/* The stages of one block side by side: guest instructions, IR, IR after the passes, host code. Pure:
 * text in (BLOCK_EMU_STAGE, engine/base/state.h), rows out. What one guest instruction became stands
 * beside it, and what the passes did to the IR is found by comparing two texts.
 */
#ifndef TUI_STAGES_H
#define TUI_STAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TUI_STAGE_GUEST, TUI_STAGE_IR, TUI_STAGE_OPT, TUI_STAGE_HOST, TUI_STAGES };

enum tui_stage_mark {
	TUI_SM_NONE,     /* nothing in this column */
	TUI_SM_SAME,
	TUI_SM_GONE,     /* IR: a pass removed it; after the passes: the gap that it left */
	TUI_SM_CHANGED,  /* both sides of what a pass rewrote */
	TUI_SM_NEW,      /* only there after the passes */
};
struct tui_stage_cell {
	const char *s;   /* into the texts, not terminated; NULL with NONE and in gaps */
	size_t n;
	enum tui_stage_mark mark;
};
/* Rows of no instruction: the way into the block, and its exits. */
enum { TUI_ROW_IN = -1, TUI_ROW_OUT = 1 << 20 };
struct tui_stage_row {
	int insn;        /* guest instruction of the block, from 0; TUI_ROW_IN, TUI_ROW_OUT */
	bool first;      /* of its instruction */
	struct tui_stage_cell cell[TUI_STAGES];
};
struct tui_stages {
	struct tui_stage_row *row;
	unsigned rows;
	unsigned count[TUI_STAGES]; /* instructions or operations of each stage; labels are not counted */
};
/* The texts must live as long as the result. A text may be NULL or empty: its column is. Columns of the
 * guest and the host that are not in `show` (a bit each) take no rows. */
void tui_stages_make(struct tui_stages *st, const char *const text[TUI_STAGES], unsigned show);
void tui_stages_release(struct tui_stages *st);

#endif
