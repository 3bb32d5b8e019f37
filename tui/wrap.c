/* Line breaking for English and Chinese in one text. A break may stand at a space (which is
 * swallowed) and on either side of an East Asian wide character, except before closing
 * punctuation and after opening punctuation (the usual Chinese layout rules).
 */
#include <string.h>

#include "tui/grid.h"

static bool in_list(uint32_t cp, const char *list)
{
	for (size_t n = strlen(list); n;) {
		uint32_t c;
		int k = rs_utf8_decode(list, n, &c);
		if (c == cp)
			return true;
		list += k;
		n -= (size_t)k;
	}
	return false;
}

static bool closing(uint32_t cp)
{
	return in_list(cp, "，。、；：？！）」』】》〉〕｝…—·,.;:?!)]}%’”");
}

static bool opening(uint32_t cp)
{
	return in_list(cp, "（「『【《〈〔｛([{‘“");
}

bool tui_wrap_next(struct tui_wrap *w)
{
	const char *s = w->text;
	if (!s || !*s)
		return false;
	if (w->width < 2)
		w->width = 2;
	size_t n = strlen(s), i = 0;
	size_t brk = 0, resume = 0; /* where the line may end, and where the next one begins */
	int cols = 0;
	uint32_t prev = 0;
	while (i < n && s[i] != '\n') {
		uint32_t cp;
		size_t k = (size_t)rs_utf8_decode(s + i, n - i, &cp);
		int cw = rs_utf8_cp_width(cp);
		if (cp == ' ' && i > 0) {
			brk = i;
			resume = i + 1;
		} else if (i > 0 && prev != ' ' && (cw == 2 || rs_utf8_cp_width(prev) == 2) &&
			   !closing(cp) && !opening(prev)) {
			brk = resume = i;
		}
		if (cols + cw > w->width && !(cp == ' ' && brk == i)) {
			if (!brk)
				brk = resume = i ? i : k; /* a word longer than the line */
			w->line = s;
			w->len = brk;
			w->text = s + resume;
			while (*w->text == ' ')
				w->text++;
			return true;
		}
		cols += cw;
		prev = cp;
		i += k;
	}
	w->line = s;
	w->len = i;
	w->text = s + i + (i < n);
	return true;
}

int tui_put_wrapped(struct tui_area a, int x, int y, int width, int rows, enum tui_style s,
		    const char *text)
{
	struct tui_wrap w = { .text = text, .width = width };
	int used = 0;
	while (used < rows && tui_wrap_next(&w)) {
		bool cut = used == rows - 1 && *w.text;
		int c = tui_put_raw(a, x, y + used, cut ? width - 1 : width, s, w.line, w.len);
		if (cut)
			tui_put_raw(a, x + c, y + used, 1, s, "…", strlen("…"));
		used++;
	}
	return used;
}

int tui_wrap_rows(const char *text, int width)
{
	struct tui_wrap w = { .text = text, .width = width };
	int rows = 0;
	while (tui_wrap_next(&w))
		rows++;
	return rows;
}
