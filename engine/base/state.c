/* Registers of a snapshot, and putting snapshots back together. */
#include "engine/base/state.h"

#include <string.h>

const struct rs_x86_reg_info rs_x86_reg_infos[] = {
#define RS_X86_REG(field, name, group, bits)                                                       \
	{ name, RS_X86_##group, bits, offsetof(struct rs_x86_regs, field) },
#include "engine/base/x86regs.def"
};
const unsigned rs_x86_reg_count = sizeof(rs_x86_reg_infos) / sizeof(rs_x86_reg_infos[0]);

size_t rs_state_feed(struct rs_state_assembler *a, const struct rs_event *ev)
{
	uint64_t offset = ev->arg[1], total = ev->arg[2], len = ev->arg[3];

	if (ev->kind != RS_EV_STATE_BLOCK)
		return 0;
	if (offset == 0) {
		a->have = 0;
		a->total = total <= RS_STATE_MAX ? (uint32_t)total : 0;
	}
	/* Each piece continues the last one, of the same snapshot; anything else is a piece of a
	 * snapshot whose other pieces were lost. */
	if (offset != a->have || total != a->total || len == 0 || len > RS_TEXT_SIZE ||
	    len > total - offset) {
		a->have = a->total = 0;
		return 0;
	}
	memcpy(a->buf + offset, ev->text, len);
	a->have += (uint32_t)len;
	if (a->have < a->total)
		return 0;
	a->have = a->total = 0;
	return total;
}
