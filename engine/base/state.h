/* Snapshots of machine state. They travel as STATE_BLOCK events, so a recording
 * shows the same registers and memory as the live run.
 */
#ifndef RS_BASE_STATE_H
#define RS_BASE_STATE_H

#include "engine/base/event.h"

/* BLOCK_REGS */
struct rs_x86_regs {
#define RS_X86_REG(field, name, group, bits) uint64_t field;
#include "engine/base/x86regs.def"
};
enum rs_x86_group { RS_X86_general, RS_X86_control, RS_X86_segment, RS_X86_system };
struct rs_x86_reg_info {
	const char *name;
	enum rs_x86_group group;
	int bits;
	size_t offset;           /* of a uint64_t in struct rs_x86_regs */
};
extern const struct rs_x86_reg_info rs_x86_reg_infos[];
extern const unsigned rs_x86_reg_count;

/* BLOCK_MEMORY: this head, then `len` bytes. */
struct rs_mem_head {
	uint64_t addr;           /* as asked for */
	uint64_t gpa;            /* what it translated to; ~0 when not mapped */
	uint32_t len;            /* bytes that follow */
	uint32_t is_virtual;     /* addr is linear (translated through CR3), not physical */
};

#define RS_STATE_MAX 16384 /* largest snapshot in bytes */

/* Puts the pieces of one block kind back together. Zero-initialise. */
struct rs_state_assembler {
	uint32_t have, total;
	unsigned char buf[RS_STATE_MAX];
};
/* Feeds one STATE_BLOCK event. Returns the size of the snapshot when this piece
 * completed it (bytes in a->buf), else 0. Pieces out of order reset the assembly. */
size_t rs_state_feed(struct rs_state_assembler *a, const struct rs_event *ev);

#endif
