/* The rings: nested frames, ring 3 outside, ring 0 inside. The ring the CPU is in is lit; the
 * last crossing is an arrow through the frames between the two rings.
 */
#include <stdio.h>
#include <string.h>

#include "tui/pane.h"

static const struct {
	const char *name, *what;
} ring_names[4] = {
	{ N_("ring 0"), N_("kernel") },
	{ N_("ring 1"), "" },
	{ N_("ring 2"), "" },
	{ N_("ring 3"), N_("programs") },
};

static const struct rs_event *last_crossing(const struct tui_model *m)
{
	for (unsigned i = m->crossings.n; i-- > 0;) {
		const struct rs_event *ev = tui_ring_at(&m->crossings, i);
		if (ev->arg[2] != RS_VIA_RESET && ev->arg[0] < 4 && ev->arg[1] < 4)
			return ev;
	}
	return NULL;
}

static void ring_label(struct tui_area a, const struct tui_pane *p, unsigned ring, bool lit)
{
	char text[64];
	const char *what = ring_names[ring].what, *cpu = tui_tr(p, N_(" CPU "));
	int cpu_w = lit ? tui_width(a.g, cpu) + 1 : 0;
	snprintf(text, sizeof(text), " %s · %s ", tui_tr(p, ring_names[ring].name),
		 what[0] ? tui_tr(p, what) : "");
	if (!what[0] || tui_width(a.g, text) + cpu_w > a.w - 4)
		snprintf(text, sizeof(text), " %s ", tui_tr(p, ring_names[ring].name));
	tui_put_max(a, 2, 0, a.w - 4, lit ? TUI_S_STRONG : tui_ring_style(ring), text);
	if (lit) {
		int w = cpu_w - 1, x = a.w - 2 - w;
		if (x > tui_width(a.g, text) + 1) {
			tui_put(a, x, 0, TUI_S_INK, cpu);
			tui_back_row(a, x, 0, w, tui_ring_badge(ring));
		}
	}
}

/* From the band of the outer ring to that of the inner one, on the middle row. */
static void arrow(struct tui_area d, int inset, const struct rs_event *ev)
{
	unsigned from = (unsigned)ev->arg[0], to = (unsigned)ev->arg[1];
	if (from == to)
		return;
	unsigned outer = from > to ? from : to, inner = from > to ? to : from;
	int x0 = (int)(3 - outer) * inset + 1, x1 = (int)(3 - inner) * inset + 1;
	enum tui_style s = tui_ring_style(to);
	int y = d.h / 2;
	tui_hline(d, x0, y, x1 - x0 + 1, s, "━");
	if (from > to) {
		tui_put(d, x0, y, tui_ring_style(from), "●");
		tui_put(d, x1, y, s, "▶");
	} else {
		tui_put(d, x0, y, s, "◀");
		tui_put(d, x1, y, tui_ring_style(from), "●");
	}
}

static void diagram(struct tui_area d, const struct tui_pane *p)
{
	const struct tui_model *m = p->m;
	int inset = d.w >= 40 ? 3 : 2;
	for (int ring = 3; ring >= 0; ring--) {
		int k = 3 - ring;
		struct tui_area a = tui_area_sub(d, k * inset, k, d.w - 2 * k * inset, d.h - 2 * k);
		bool lit = m->cpl == ring;
		if (lit)
			tui_fill(a, TUI_S_TEXT, (enum tui_back)(TUI_B_LIT0 + ring));
		else
			tui_fill(a, TUI_S_TEXT, TUI_B_BASE);
		tui_frame(a, lit ? tui_ring_style((unsigned)ring) : TUI_S_BORDER, lit);
		ring_label(a, p, (unsigned)ring, lit);
	}
	struct tui_area core = tui_area_sub(d, 3 * inset + 1, 4, d.w - 6 * inset - 2, d.h - 8);
	const struct rs_event *ev = last_crossing(m);
	if (!ev)
		return;
	arrow(d, inset, ev);
	char text[64];
	const char *via = rs_unit_value_name(RS_UNIT_via, ev->arg[2]);
	snprintf(text, sizeof(text), "%u → %u  %s", (unsigned)ev->arg[0], (unsigned)ev->arg[1],
		 via ? via : "?");
	int room = core.w - 3; /* the arrow's head stands in the core */
	if (tui_width(core.g, text) > room)
		snprintf(text, sizeof(text), "%s", via ? via : "?");
	int x = (core.w - tui_width(core.g, text)) / 2;
	tui_put_max(core, x < 2 ? 2 : x, core.h / 2, room, TUI_S_STRONG, text);
}

/* Where there is no room for frames: the four rings side by side. */
static void strip(struct tui_area a, const struct tui_pane *p)
{
	int w = a.w / 4;
	for (unsigned k = 0; k < 4; k++) {
		unsigned ring = 3 - k;
		struct tui_area c = tui_area_sub(a, (int)k * w, 0, w - 1, 1);
		bool lit = p->m->cpl == (int)ring;
		const char *name = tui_tr(p, ring_names[ring].name);
		int x = (c.w - tui_width(c.g, name)) / 2;
		tui_put_max(c, x < 0 ? 0 : x, 0, c.w, lit ? TUI_S_INK : tui_ring_style(ring), name);
		tui_back_area(c, lit ? tui_ring_badge(ring) : TUI_B_SOFT);
	}
}

static void crossing_row(struct tui_area a, int y, const struct rs_event *ev)
{
	char t[32];
	int x = 0, wide = a.w >= 44;
	bool exact = tui_event_exact(ev);
	tui_put(a, x, y, exact ? TUI_S_TEXT : TUI_S_DIM, exact ? "●" : "○");
	x += 2;
	tui_put_right(a, x + 9, y, TUI_S_DIM, tui_fmt_time(ev->time, t, sizeof(t)));
	x += 11;
	const char *via = rs_unit_value_name(RS_UNIT_via, ev->arg[2]);
	if (ev->arg[2] == RS_VIA_RESET) {
		x += tui_put(a, x, y, TUI_S_DIM, "  → ");
	} else {
		x += tui_putf(a, x, y, tui_ring_style((unsigned)ev->arg[0]), "%llu",
			      (unsigned long long)ev->arg[0]);
		x += tui_put(a, x, y, TUI_S_DIM, " → ");
	}
	x += tui_putf(a, x, y, tui_ring_style((unsigned)ev->arg[1]), "%llu",
		      (unsigned long long)ev->arg[1]);
	tui_put_max(a, x + 2, y, 10, TUI_S_TEXT, via ? via : "?");
	x += 2 + (wide ? 11 : 10);
	snprintf(t, sizeof(t), "0x%llx", (unsigned long long)ev->arg[3]);
	if (x + tui_width(a.g, t) <= a.w)
		tui_put(a, x, y, TUI_S_FAINT, t);
}

/* "3→0  18    0→3  17": how often each way was taken. */
static int counts(struct tui_area a, int y, const struct tui_model *m)
{
	int x = 0;
	for (unsigned i = 0; i < 16; i++) {
		unsigned from = 3 - i / 4, to = 3 - i % 4;
		uint64_t n = tui_model_crossings(m, from, to);
		char t[32];
		if (!n || from == to || x + 14 > a.w)
			continue;
		x += tui_putf(a, x, y, tui_ring_style(from), "%u", from);
		x += tui_put(a, x, y, TUI_S_DIM, "→");
		x += tui_putf(a, x, y, tui_ring_style(to), "%u", to);
		x += 1 + tui_putf(a, x, y, TUI_S_STRONG, " ×%s", tui_fmt_count(n, t, sizeof(t)));
		x += 2;
	}
	return x;
}

/* From column `from` on, if there is room. */
static void legend(struct tui_area a, int from, int y, const struct tui_pane *p)
{
	const char *exact = tui_tr(p, N_("exact")), *sampled = tui_tr(p, N_("sampled"));
	int w = tui_width(a.g, exact) + tui_width(a.g, sampled) + 6;
	int x = a.w - w;
	if (x < from)
		return;
	x += tui_put(a, x, y, TUI_S_TEXT, "● ");
	x += tui_put(a, x, y, TUI_S_DIM, exact);
	x += tui_put(a, x, y, TUI_S_DIM, "  ○ ");
	tui_put(a, x, y, TUI_S_DIM, sampled);
}

static int rows_of(const struct tui_pane *p, int width)
{
	(void)width;
	return (int)p->m->crossings.n;
}

static void draw(struct tui_area a, const struct tui_pane *p)
{
	const struct tui_model *m = p->m;
	int y;
	if (a.h >= 12 && a.w >= 24) {
		int h = a.h >= 30 ? 13 : a.h >= 15 ? 11 : 9;
		int w = a.w > 64 ? 64 : a.w;
		diagram(tui_area_sub(a, (a.w - w) / 2, 0, w, h), p);
		y = h;
	} else {
		strip(a, p);
		y = 1;
	}
	if (a.h - y >= 7)
		y++;
	if (!m->crossings.n) {
		tui_pane_empty(tui_area_sub(a, 0, y, a.w, a.h - y), p,
			       N_("Ring crossings appear here when the guest runs."));
		return;
	}
	legend(a, counts(a, y, m), y, p);
	y++;
	struct tui_area list = tui_area_sub(a, 0, y, a.w, a.h - y);
	int top = tui_pane_window(p, &tui_pane_rings, (int)m->crossings.n, list.h);
	for (int i = 0; i < list.h && top + i < (int)m->crossings.n; i++) /* newest first */
		crossing_row(list, i, tui_ring_at(&m->crossings, m->crossings.n - 1 - (unsigned)(top + i)));
}

const struct tui_pane_ops tui_pane_rings = { .draw = draw, .rows = rows_of };
