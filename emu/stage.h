/* The stages of one block as text. Private to emu/. */
#ifndef EMU_STAGE_H
#define EMU_STAGE_H

#include "emu/emu.h"
#include "emu/world.h"

/* Each appends lines to `out`. With `numbered`, a line begins with the number of its guest instruction
 * in the block, from 0, and a tab; "-" for none (state.h, struct rs_emu_stage). */
/* The instructions that the IR marks, in its order. */
void emu_stage_guest(struct emu_world *w, const struct emu_ir *ir, bool numbered, struct rs_str *out);
void emu_stage_ir(struct emu_world *w, const struct emu_ir *ir, bool numbered, struct rs_str *out);
/* The block's host code; `host` NULL: bytes. With `numbered` the world must have opt.lab. */
void emu_stage_host(struct emu_world *w, const struct emu_block *b, emu_host_text *host, bool numbered,
		    struct rs_str *out);
/* One line: address, bytes, text. Returns the instruction's length, 0 when there is no code. */
unsigned emu_stage_insn(struct emu_world *w, uint64_t pc, struct rs_str *out);

#endif
