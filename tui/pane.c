#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "tui/pane.h"
#include "tui/text.h"

const struct tui_pane_ops *const tui_panes[ENG_VIEW_COUNT] = {
#define ENG_VIEW(id, name, kinds, title, sentence) &tui_pane_##id,
#include "engine/views.def"
};

int tui_pane_window(const struct tui_pane *p, const struct tui_pane_ops *ops, int rows, int page)
{
	struct tui_pane_state *st = p->st;
	int last = ops->select ? rows - 1 : rows - page;
	if (page < 1)
		page = 1;
	if (last < 0)
		last = 0;
	if (!st->moved)
		st->sel = ops->tail ? last : 0;
	if (st->sel > last)
		st->sel = last;
	if (st->sel < 0)
		st->sel = 0;
	st->page = page;
	if (!ops->select) {
		st->top = st->sel;
		return st->top;
	}
	if (st->sel < st->top)
		st->top = st->sel;
	if (st->sel >= st->top + page)
		st->top = st->sel - page + 1;
	if (st->top > rows - page)
		st->top = rows - page;
	if (st->top < 0)
		st->top = 0;
	return st->top;
}

void tui_pane_empty(struct tui_area a, const struct tui_pane *p, const char *text)
{
	const char *t = tui_tr(p, text);
	int width = a.w - 4 < 44 ? a.w - 4 : 44;
	int rows = tui_wrap_rows(t, width);
	tui_put_centered(a, (a.h - rows) / 2 < 0 ? 0 : (a.h - rows) / 2, width, TUI_S_FAINT, t);
}

struct tui_area tui_pane_detail(struct tui_area a, const char *title, const char *text)
{
	int most = a.h / 3, width = a.w - 1;
	if (a.h < 8 || !text || !*text)
		return a;
	int rows = tui_wrap_rows(text, width);
	bool head = title && *title;
	if (rows + 1 + head > most)
		rows = most - 1 - head;
	if (rows < 1) {
		head = false;
		rows = 1;
	}
	int y = a.h - rows - head - 1;
	tui_hline(a, 0, y++, a.w, TUI_S_BORDER, "─");
	if (head)
		tui_put(a, 0, y++, TUI_S_STRONG, title);
	tui_put_wrapped(a, 0, y, width, rows, TUI_S_DIM, text);
	return tui_area_sub(a, 0, 0, a.w, a.h - rows - head - 1);
}

/* One row of a text stream: up to a newline or the width. Returns the bytes to skip. */
static size_t text_row(const char *s, size_t n, int width, size_t *len)
{
	size_t i = 0;
	int cols = 0;
	while (i < n && s[i] != '\n') {
		uint32_t cp;
		int k = rs_utf8_decode(s + i, n - i, &cp);
		int w = cp < 0x20 ? (cp == '\r' ? 0 : 1) : rs_utf8_cp_width(cp);
		if (cols + w > width && i) {
			*len = i;
			return i;
		}
		cols += w;
		i += (size_t)k;
	}
	*len = i;
	return i + (i < n);
}

int tui_text_rows(const char *text, size_t n, int width)
{
	int rows = 0;
	for (size_t i = 0; i < n; rows++) {
		size_t len;
		i += text_row(text + i, n - i, width, &len);
	}
	return rows;
}

void tui_text_draw(struct tui_area a, const char *text, size_t n, int top, enum tui_style s)
{
	int row = 0;
	for (size_t i = 0; i < n && row - top < a.h; row++) {
		size_t len, skip = text_row(text + i, n - i, a.w, &len);
		if (row >= top) {
			if (len && text[i + len - 1] == '\r')
				len--;
			tui_put_raw(a, 0, row - top, a.w, s, text + i, len);
		}
		i += skip;
	}
}

const char *tui_fmt_time(uint64_t ns, char *buf, size_t size)
{
	if (ns < 1000000)
		snprintf(buf, size, "%.1f µs", (double)ns / 1e3);
	else if (ns < 1000000000)
		snprintf(buf, size, "%.2f ms", (double)ns / 1e6);
	else
		snprintf(buf, size, "%.3f s", (double)ns / 1e9);
	return buf;
}

const char *tui_fmt_count(uint64_t n, char *buf, size_t size)
{
	char raw[24];
	int len = snprintf(raw, sizeof(raw), "%llu", (unsigned long long)n);
	size_t o = 0;
	for (int i = 0; i < len && o + 2 < size; i++) {
		if (i && (len - i) % 3 == 0)
			buf[o++] = ',';
		buf[o++] = raw[i];
	}
	buf[o] = 0;
	return buf;
}

const char *tui_fmt_rate(double r, char *buf, size_t size)
{
	if (r < 1000)
		snprintf(buf, size, "%.0f/s", r);
	else if (r < 1e6)
		snprintf(buf, size, "%.1fk/s", r / 1e3);
	else
		snprintf(buf, size, "%.1fM/s", r / 1e6);
	return buf;
}

void tui_bar(struct tui_area a, int x, int y, int width, enum tui_style s, uint64_t n, uint64_t most)
{
	static const char *const part[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
	int eighths = most ? (int)((double)n / (double)most * width * 8) : 0;
	if (n && eighths < 2)
		eighths = 2;
	tui_hline(a, x, y, eighths / 8, s, "█");
	if (eighths % 8 && !a.g->ascii)
		tui_put(a, x + eighths / 8, y, s, part[eighths % 8]);
}

/* Times 16, so that a level does not hang on a power of two. */
static unsigned log2_16(uint64_t n)
{
	unsigned bits = 0;
	while (n >> bits > 1)
		bits++;
	uint64_t rest = bits >= 4 ? n >> (bits - 4) & 15 : n << (4 - bits) & 15;
	return n ? bits * 16 + (unsigned)rest : 0;
}

int tui_heat(uint64_t n, uint64_t most)
{
	static const unsigned limit[TUI_HEATS - 1] = { 30, 55, 75, 92 }; /* percent of the logarithm */
	unsigned share = n >= most ? 100 : log2_16(n + 1) * 100 / log2_16(most + 1);
	int level = 0, most_level = n < 4 ? 0 : n < 16 ? 1 : n < 64 ? 2 : n < 256 ? 3 : TUI_HEATS - 1;
	while (n && level < TUI_HEATS - 1 && share >= limit[level])
		level++;
	return level < most_level ? level : most_level;
}

const char *tui_heat_glyph(int level)
{
	static const char *const glyphs[TUI_HEATS] = { "░", "▒", "▒", "▓", "█" };
	return glyphs[level];
}

enum tui_style tui_ring_style(unsigned cpl)
{
	return cpl < 4 ? (enum tui_style)(TUI_S_RING0 + cpl) : TUI_S_DIM;
}

enum tui_back tui_ring_badge(unsigned cpl)
{
	return cpl < 4 ? (enum tui_back)(TUI_B_RING0 + cpl) : TUI_B_B_IDLE;
}

const char *tui_family(unsigned kind, enum tui_style *s)
{
	static const struct {
		const char *prefix, *glyph;
		enum tui_style style;
	} rows[] = {
		{ "kvm.", "◆", TUI_S_F_KVM },    { "vm.exit", "▲", TUI_S_F_VM },
		{ "vm.", "■", TUI_S_F_VM },      { "cpu.ring", "●", TUI_S_F_CPU },
		{ "cpu.fault", "✗", TUI_S_FAIL }, { "cpu.", "·", TUI_S_F_CPU },
		{ "build.", "□", TUI_S_F_OUT },  { "lesson.", "◇", TUI_S_F_LAB },
		{ "check.", "◇", TUI_S_F_LAB },
	};
	const char *name = rs_kind_info(kind)->name;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!strncmp(name, rows[i].prefix, strlen(rows[i].prefix))) {
			*s = rows[i].style;
			return rows[i].glyph;
		}
	*s = TUI_S_DIM;
	return "○";
}

static unsigned hex_digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
}

size_t tui_asm_place(const char *s, size_t n, uint64_t *addr, size_t *digits)
{
	size_t i = 0, word = 0;
	*addr = 0;
	for (; i < n && isxdigit((unsigned char)s[i]); i++)
		*addr = *addr << 4 | hex_digit(s[i]);
	*digits = i;
	if (!i || i == n || s[i] != ':')
		return *digits = 0;
	for (i++; i < n && s[i] == ' ';)
		i++;
	while (i + word < n && isxdigit((unsigned char)s[i + word]))
		word++;
	if (word >= 4 && !(word & 1) && i + word < n && s[i + word] == ' ')
		for (i += word; i < n && s[i] == ' ';)
			i++;
	return i;
}

int tui_put_hex(struct tui_area a, int x, int y, int digits, uint64_t v, enum tui_style s)
{
	char text[20];
	snprintf(text, sizeof(text), "%0*llx", digits, (unsigned long long)v);
	size_t zeros = strspn(text, "0");
	if (!text[zeros])
		zeros--; /* the last digit of 0 counts */
	tui_put_raw(a, x, y, digits, TUI_S_FAINT, text, zeros);
	return (int)zeros + tui_put(a, x + (int)zeros, y, s, text + zeros);
}
