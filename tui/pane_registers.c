/* The registers, grouped; what changed since the snapshot before is marked. */
#include <stddef.h>
#include <stdio.h>

#include "tui/pane.h"

static const struct {
	size_t offset;
	int bit;
	const char *name;
} bits[] = {
#define TUI_BIT(field, bit, name) { offsetof(struct rs_x86_regs, field), bit, name },
#include "tui/bits.def"
};

static const char *const groups[] = { N_("general"), N_("control"), N_("segments"), N_("system") };

static bool has_bits(unsigned reg)
{
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if (bits[i].offset == rs_x86_reg_infos[reg].offset)
			return true;
	return false;
}

static int cell_width(unsigned reg)
{
	int digits = rs_x86_reg_infos[reg].bits / 4;
	return 7 + (digits < 2 ? 2 : digits);
}

/* Draws one register; returns the columns used. */
static int draw_reg(struct tui_area a, int x, int y, const struct tui_pane *p, unsigned reg)
{
	const struct rs_x86_reg_info *info = &rs_x86_reg_infos[reg];
	uint64_t v = tui_model_reg(p->m, reg);
	bool changed = tui_model_reg_changed(p->m, reg);
	int digits = info->bits / 4 < 2 ? 2 : info->bits / 4;
	tui_put_max(a, x, y, 7, changed ? TUI_S_CHANGED : TUI_S_DIM, info->name);
	if (info->offset == offsetof(struct rs_x86_regs, cpl)) {
		tui_putf(a, x + 7, y, tui_ring_style((unsigned)v), "%llu", (unsigned long long)v);
		return 9;
	}
	if (info->bits == 64 || info->bits == 32)
		tui_put_hex(a, x + 7, y, digits, v, changed ? TUI_S_CHANGED : TUI_S_TEXT);
	else
		tui_putf(a, x + 7, y, changed ? TUI_S_CHANGED : TUI_S_TEXT, "%0*llx", digits,
			 (unsigned long long)v);
	return 7 + digits;
}

static void draw_bits(struct tui_area a, int x, int y, const struct tui_pane *p, unsigned reg)
{
	uint64_t v = tui_model_reg(p->m, reg);
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if (bits[i].offset == rs_x86_reg_infos[reg].offset && (v >> bits[i].bit & 1))
			x += 1 + tui_put(a, x, y, TUI_S_F_KVM, bits[i].name);
}

/* Lays the registers out; draws those in rows top .. top + a.h - 1. Returns all rows. */
static int layout(struct tui_area a, const struct tui_pane *p, int top, bool paint)
{
	int y = -1, x = 0;
	int group = -1;
	for (unsigned i = 0; i < rs_x86_reg_count; i++) {
		const struct rs_x86_reg_info *info = &rs_x86_reg_infos[i];
		int w = cell_width(i);
		bool own_row = has_bits(i);
		if ((int)info->group != group) {
			group = (int)info->group;
			y++;
			if (paint && y >= top && y - top < a.h) {
				int used = tui_put(a, 0, y - top, TUI_S_ACCENT, tui_tr(p, groups[group]));
				tui_hline(a, used + 1, y - top, a.w - used - 1, TUI_S_BORDER, "─");
			}
			y++;
			x = 0;
		} else if (x && (own_row || x + w > a.w)) {
			y++;
			x = 0;
		}
		if (paint && y >= top && y - top < a.h) {
			draw_reg(a, x, y - top, p, i);
			if (own_row)
				draw_bits(a, x + w + 2, y - top, p, i);
		}
		x += own_row ? a.w : w + 3;
		if (!own_row && x > a.w)
			x = a.w;
	}
	return y + 1;
}

static int rows_of(const struct tui_pane *p, int width)
{
	struct tui_area a = { .w = width };
	return p->m->have_regs ? layout(a, p, 0, false) : 0;
}

static void draw(struct tui_area a, const struct tui_pane *p)
{
	if (!p->m->have_regs) {
		tui_pane_empty(a, p, N_("The registers appear here when the guest stands still or ends."));
		return;
	}
	int top = tui_pane_window(p, &tui_pane_registers, rows_of(p, a.w), a.h);
	layout(a, p, top, true);
}

const struct tui_pane_ops tui_pane_registers = { .draw = draw, .rows = rows_of };
