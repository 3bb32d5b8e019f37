/* Limits and use: a gauge and a graph for processor and memory, a gauge for processes, and what each
 * setting became: asked, file, what the kernel holds.
 */
#include <stdio.h>
#include <string.h>

#include "tui/pane.h"

#define GAUGES 6 /* rows above the table */

static int table_rows(const struct tui_pane *p)
{
	int n = 0;
	for (const char *s = p->m->box.limits.p; *s; s += strcspn(s, "\n"), s += *s == '\n')
		n++;
	return n;
}

static int rows_of(const struct tui_pane *p, int width)
{
	(void)width;
	return p->m->box.samples || p->m->box.limits.len ? GAUGES + 1 + table_rows(p) : 0;
}

static uint64_t value(const struct tui_pane *p, enum rs_counter c)
{
	return p->m->counters.v[c];
}

/* One column a sample, the newest at the right edge; height in eighths of a cell. */
static void draw_graph(struct tui_area a, const struct tui_container *c, bool memory, uint64_t most)
{
	static const char *const eighths[] = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
	for (int x = 0; x < a.w; x++) {
		int i = (int)c->samples - a.w + x;
		if (i < 0 || !most)
			continue;
		uint64_t v = memory ? c->sample[i].memory : c->sample[i].cpu;
		uint64_t e = v * 8 / most;
		enum tui_style s = memory ? (v * 10 > most * 9 ? TUI_S_FAIL : TUI_S_RING3) :
					    c->sample[i].throttled ? TUI_S_WARN : TUI_S_OK;
		tui_put(a, x, 0, s, eighths[e > 8 ? 8 : v && !e ? 1 : e]);
	}
}

static void draw_gauge(struct tui_area a, const char *name, const char *text, enum tui_style s, uint64_t n, uint64_t most)
{
	int bar = a.w > 70 ? 24 : 12;
	tui_put_max(a, 0, 0, 11, TUI_S_STRONG, name);
	if (most)
		tui_bar(a, 12, 0, bar, s, n < most ? n : most, most);
	else
		tui_hline(a, 12, 0, bar, TUI_S_BORDER, "·");
	tui_put(a, 13 + bar, 0, TUI_S_TEXT, text);
}

static const char *bytes(uint64_t v, char *buf)
{
	return rs_unit_format(RS_UNIT_bytes, v, buf, 64);
}

static void draw_gauges(struct tui_area a, int top, const struct tui_pane *p)
{
	const struct tui_container *c = &p->m->box;
	const struct tui_sample *last = c->samples ? &c->sample[c->samples - 1] : NULL;
	uint64_t quota = value(p, RS_CTR_CTR_QUOTA_US), period = value(p, RS_CTR_CTR_PERIOD_US);
	uint64_t limit = value(p, RS_CTR_CTR_MEMORY_LIMIT), most = value(p, RS_CTR_CTR_MEMORY_PEAK);
	unsigned share = quota && period ? (unsigned)(quota * 1000 / period) : 0;
	char x[64], y[64], z[64];
	rs_auto_str t = RS_STR_INIT;
	for (int row = 0; row < GAUGES; row++) {
		struct tui_area line = tui_area_sub(a, 0, row - top, a.w, 1);
		if (row < top || row - top >= a.h)
			continue;
		rs_str_clear(&t);
		switch (row) {
		case 0:
			if (share)
				rs_str_addf(&t, tui_tr(p, N_("%u.%u %% of a processor, limit %u %%; throttled %s times, waited %s")),
					    last ? last->cpu / 10 : 0, last ? last->cpu % 10 : 0, share / 10,
					    tui_fmt_count(value(p, RS_CTR_CTR_THROTTLED), x, sizeof(x)),
					    tui_fmt_time(value(p, RS_CTR_CTR_THROTTLED_NS), y, sizeof(y)));
			else
				rs_str_addf(&t, tui_tr(p, N_("%u.%u %% of a processor, no limit")), last ? last->cpu / 10 : 0,
					    last ? last->cpu % 10 : 0);
			draw_gauge(line, tui_tr(p, N_("processor")), t.p, TUI_S_OK, last ? last->cpu : 0, share ? share : 1000);
			break;
		case 1:
			draw_graph(tui_area_sub(line, 12, 0, line.w - 12, 1), c, false, share && share < 1000 ? share * 5 / 4 : 1000);
			break;
		case 2:
			if (limit)
				rs_str_addf(&t, tui_tr(p, N_("%s in use, at most %s; limit %s; OOM kills: %s")), bytes(value(p, RS_CTR_CTR_MEMORY), x),
					    bytes(most, y), bytes(limit, z), tui_fmt_count(value(p, RS_CTR_CTR_OOM_KILLS), (char[32]){ 0 }, 32));
			else
				rs_str_addf(&t, tui_tr(p, N_("%s in use, at most %s; no limit")), bytes(value(p, RS_CTR_CTR_MEMORY), x),
					    bytes(most, y));
			draw_gauge(line, tui_tr(p, N_("memory")), t.p, TUI_S_RING3, value(p, RS_CTR_CTR_MEMORY), limit);
			break;
		case 3:
			draw_graph(tui_area_sub(line, 12, 0, line.w - 12, 1), c, true, limit ? limit : most);
			break;
		case 4:
			rs_str_addf(&t, tui_tr(p, N_("%s of %s; forks refused: %s")), tui_fmt_count(value(p, RS_CTR_CTR_PIDS), x, sizeof(x)),
				    value(p, RS_CTR_CTR_PIDS_LIMIT) ? tui_fmt_count(value(p, RS_CTR_CTR_PIDS_LIMIT), y, sizeof(y)) : "∞",
				    tui_fmt_count(value(p, RS_CTR_CTR_FORKS_REFUSED), z, sizeof(z)));
			draw_gauge(line, tui_tr(p, N_("processes")), t.p, TUI_S_RING2, value(p, RS_CTR_CTR_PIDS), value(p, RS_CTR_CTR_PIDS_LIMIT));
			break;
		default:
			rs_str_addf(&t, tui_tr(p, N_("read %s, written %s")), bytes(value(p, RS_CTR_CTR_READ_BYTES), x),
				    bytes(value(p, RS_CTR_CTR_WRITE_BYTES), y));
			draw_gauge(line, tui_tr(p, N_("disk")), t.p, TUI_S_RING1, 0, 0);
		}
	}
}

/* "ASKED TAB FILE TAB VALUE TAB NOW TAB STATE" */
static void draw_setting(struct tui_area a, int y, const char *line)
{
	int at[] = { 0, a.w * 5 / 16, a.w * 10 / 16, a.w * 13 / 16, a.w };
	size_t part[5];
	const char *s = line, *f[5];
	for (unsigned i = 0; i < 5; i++) {
		f[i] = s;
		part[i] = strcspn(s, "\t\n");
		s += part[i];
		s += *s == '\t';
	}
	bool held = part[4] == 4 && !strncmp(f[4], "held", 4);
	tui_put_raw(a, at[0], y, at[1] - at[0] - 1, TUI_S_STRONG, f[0], part[0]);
	int x = at[1] + tui_put_raw(a, at[1], y, at[2] - at[1] - 1, TUI_S_DIM, f[1], part[1]);
	if (x + 3 < at[2]) {
		x += tui_put(a, x, y, TUI_S_FAINT, " ← ");
		tui_put_raw(a, x, y, at[2] - x - 1, TUI_S_NUMBER, f[2], part[2]);
	}
	tui_put_raw(a, at[2], y, at[3] - at[2] - 1, held ? TUI_S_OK : TUI_S_WARN, f[4], part[4]);
	tui_put_raw(a, at[3], y, at[4] - at[3], TUI_S_NUMBER, f[3], part[3]);
}

static void draw(struct tui_area a, const struct tui_pane *p)
{
	int rows = rows_of(p, a.w), row = GAUGES + 1;
	if (!rows) {
		tui_pane_empty(a, p, N_("What the container may use and what it uses appears here, where this user can make a cgroup."));
		return;
	}
	int top = tui_pane_window(p, &tui_pane_limits, rows, a.h);
	draw_gauges(a, top, p);
	if (GAUGES >= top && GAUGES - top < a.h && p->m->box.limits.len)
		tui_put(a, 0, GAUGES - top, TUI_S_FAINT, tui_tr(p, N_("asked for, file and value written, and what the kernel holds:")));
	for (const char *s = p->m->box.limits.p; *s; s += strcspn(s, "\n"), s += *s == '\n', row++)
		if (row >= top && row - top < a.h)
			draw_setting(a, row - top, s);
}

const struct tui_pane_ops tui_pane_limits = { .draw = draw, .rows = rows_of };
