/* Disassembly around the instruction pointer. The snapshot is text of vmm's disassembler, or of emu's:
 *   "> 0000000000010040  cd 80                    int 0x80"
 *   ">    10646:  862a      mv a2,a0"
 */
#include <ctype.h>
#include <string.h>

#include "tui/pane.h"

struct line {
	bool current;
	const char *addr, *bytes, *text;
	size_t addr_n, bytes_n, text_n;
};

static bool parse(const char *s, size_t n, struct line *l)
{
	memset(l, 0, sizeof(*l));
	if (n < 4)
		return false;
	l->current = s[0] == '>';
	size_t i = 2, digits, skip;
	uint64_t addr;
	while (i < n && s[i] == ' ')
		i++;
	l->addr = s + i;
	skip = tui_asm_place(s + i, n - i, &addr, &digits);
	if (digits) {
		l->addr_n = digits;
		l->bytes = s + i + digits + 1 + strspn(s + i + digits + 1, " ");
		l->text = s + i + skip;
		l->text_n = n - i - skip;
		l->bytes_n = l->text > l->bytes ? strcspn(l->bytes, " ") : 0;
		return true;
	}
	while (i < n && s[i] != ' ')
		i++;
	l->addr_n = (size_t)(s + i - l->addr);
	while (i < n && s[i] == ' ')
		i++;
	l->bytes = s + i;
	while (i + 2 < n && isxdigit((unsigned char)s[i]) && isxdigit((unsigned char)s[i + 1]) &&
	       s[i + 2] == ' ')
		i += 3;
	l->bytes_n = (size_t)(s + i - l->bytes);
	while (i < n && s[i] == ' ')
		i++;
	l->text = s + i;
	l->text_n = n - i;
	return true;
}

static int rows_of(const struct tui_pane *p, int width)
{
	(void)width;
	int n = 0;
	for (const char *c = p->m->code.p; (c = strchr(c, '\n')); c++)
		n++;
	return n;
}

static void draw_line(struct tui_area a, int y, const struct line *l)
{
	int x = 2;
	if (l->current) {
		tui_back_row(a, 0, y, a.w, TUI_B_MARK);
		tui_put(a, 0, y, TUI_S_CHANGED, "▶");
	}
	const char *addr = l->addr;
	size_t n = l->addr_n;
	if (a.w < 72) /* leading zeros of a 64-bit address say nothing */
		while (n > 8)
			addr++, n--;
	x += tui_put_raw(a, x, y, a.w, TUI_S_FAINT, addr, n) + 2;
	if (a.w >= 56) {
		int room = a.w >= 72 ? 26 : 22;
		tui_put_raw(a, x, y, room, TUI_S_FAINT, l->bytes, l->bytes_n);
		x += room;
	}
	size_t op = 0;
	while (op < l->text_n && l->text[op] != ' ')
		op++;
	enum tui_style s = l->text_n && l->text[0] == '(' ? TUI_S_FAINT : TUI_S_STRONG;
	x += tui_put_raw(a, x, y, a.w, s, l->text, op);
	tui_put_raw(a, x, y, a.w, TUI_S_TEXT, l->text + op, l->text_n - op);
}

static void draw(struct tui_area a, const struct tui_pane *p)
{
	const struct rs_str *code = &p->m->code;
	if (!code->len) {
		tui_pane_empty(a, p, N_("The guest's instructions appear here when it stands still or ends."));
		return;
	}
	int rows = rows_of(p, a.w), row = 0;
	int top = tui_pane_window(p, &tui_pane_code, rows, a.h);
	for (const char *s = code->p, *nl; (nl = strchr(s, '\n')); s = nl + 1, row++) {
		struct line l;
		if (row >= top && row - top < a.h && parse(s, (size_t)(nl - s), &l))
			draw_line(a, row - top, &l);
	}
}

const struct tui_pane_ops tui_pane_code = { .draw = draw, .rows = rows_of };
