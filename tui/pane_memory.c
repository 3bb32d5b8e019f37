/* Guest memory: hexadecimal and text; bytes that changed since the last look are marked. */
#include <string.h>

#include "tui/pane.h"

static int bytes_a_row(int width)
{
	return width >= 76 ? 16 : width >= 42 ? 8 : 4;
}

static int rows_of(const struct tui_pane *p, int width)
{
	int per = bytes_a_row(width), text = 0;
	if (!p->m->have_mem)
		return 0;
	for (const char *c = p->m->walk.p; p->m->mem.is_virtual && (c = strchr(c, '\n')); c++)
		text++;
	return ((int)p->m->mem.len + per - 1) / per + text;
}

static bool changed(const struct tui_model *m, unsigned i)
{
	return m->mem_comparable && m->mem_bytes[i] != m->mem_prev[i];
}

static void draw_row(struct tui_area a, int y, const struct tui_model *m, unsigned first, int per)
{
	int digits = m->mem.addr + m->mem.len > 0xffffffffull ? 12 : 8;
	int x = tui_put_hex(a, 0, y, digits, m->mem.addr + first, TUI_S_DIM) + 2;
	int text = x + per * 3 + (per > 8) + 1;
	for (int i = 0; i < per && first + (unsigned)i < m->mem.len; i++) {
		unsigned at = first + (unsigned)i;
		unsigned char c = m->mem_bytes[at];
		enum tui_style s = changed(m, at) ? TUI_S_CHANGED : c ? TUI_S_TEXT : TUI_S_FAINT;
		char one[2] = { (char)c, 0 };
		bool plain = c >= 0x20 && c < 0x7f;
		tui_putf(a, x + i * 3 + (i > 7), y, s, "%02x", c);
		tui_put(a, text + i, y, changed(m, at) ? TUI_S_CHANGED : plain ? TUI_S_CODE : TUI_S_FAINT,
			plain ? one : "·");
	}
}

static void draw(struct tui_area a, const struct tui_pane *p)
{
	const struct tui_model *m = p->m;
	if (!m->have_mem) {
		tui_pane_empty(a, p, N_("Guest memory appears here when the guest stands still. Press g to choose an address."));
		return;
	}
	/* a translated program has one kind of address */
	bool plain = m->seen[RS_EV_EMU_LOAD];
	const char *kind = tui_tr(p, plain ? N_("address") : m->mem.is_virtual ? N_("linear address") :
										 N_("physical address"));
	int x = tui_put(a, 0, 0, TUI_S_DIM, kind) + 1;
	x += tui_putf(a, x, 0, TUI_S_STRONG, "0x%llx", (unsigned long long)m->mem.addr) + 2;
	if (m->mem.gpa == ~0ull)
		tui_put(a, x, 0, TUI_S_FAIL, tui_tr(p, N_("no memory here")));
	else if (m->mem.is_virtual && !plain)
		tui_putf(a, x, 0, TUI_S_DIM, "→ 0x%llx", (unsigned long long)m->mem.gpa);
	struct tui_area list = tui_area_sub(a, 0, 1, a.w, a.h - 1);
	int per = bytes_a_row(a.w), rows = rows_of(p, a.w);
	int dump = ((int)m->mem.len + per - 1) / per;
	int top = tui_pane_window(p, &tui_pane_memory, rows, list.h);
	for (int y = 0; y < list.h && top + y < dump; y++)
		draw_row(list, y, m, (unsigned)((top + y) * per), per);
	if (!m->mem.is_virtual)
		return;
	int row = dump;
	for (const char *s = m->walk.p, *nl; (nl = strchr(s, '\n')); s = nl + 1, row++)
		if (row >= top && row - top < list.h)
			tui_put_raw(list, 0, row - top, list.w, TUI_S_DIM, s, (size_t)(nl - s));
}

const struct tui_pane_ops tui_pane_memory = { .draw = draw, .rows = rows_of };
