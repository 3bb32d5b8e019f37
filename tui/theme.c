#include <stdlib.h>
#include <string.h>

#include "tui/theme.h"

static const struct {
	char letter;
	uint32_t dark, light;
	int ansi;
	unsigned attr, mono;
} styles[] = {
#define TUI_STYLE(id, letter, dark, light, ansi, attr, mono)                                       \
	{ letter, dark, light, ansi, attr, mono },
#include "tui/theme.def"
};
static const struct {
	char letter;
	uint32_t dark, light;
	int ansi, on;
	unsigned mono;
} backs[] = {
#define TUI_BACK(id, letter, dark, light, ansi, on, mono) { letter, dark, light, ansi, on, mono },
#include "tui/theme.def"
};

char tui_style_letter(enum tui_style s)
{
	return s < TUI_STYLES ? styles[s].letter : '?';
}

char tui_back_letter(enum tui_back b)
{
	return b < TUI_BACKS ? backs[b].letter : '?';
}

static int distance(uint32_t a, int r, int g, int b)
{
	int dr = (int)(a >> 16 & 255) - r, dg = (int)(a >> 8 & 255) - g, db = (int)(a & 255) - b;
	/* the eye weighs green most, blue least */
	return 3 * dr * dr + 4 * dg * dg + 2 * db * db;
}

int tui_theme_256(uint32_t rgb)
{
	static const int level[6] = { 0, 95, 135, 175, 215, 255 };
	int best = 16, best_d = -1;
	for (int i = 0; i < 216; i++) {
		int d = distance(rgb, level[i / 36], level[i / 6 % 6], level[i % 6]);
		if (best_d < 0 || d < best_d)
			best_d = d, best = 16 + i;
	}
	for (int i = 0; i < 24; i++) {
		int v = 8 + 10 * i, d = distance(rgb, v, v, v);
		if (d < best_d)
			best_d = d, best = 232 + i;
	}
	return best;
}

struct tui_look tui_theme_look(const struct tui_theme *t, enum tui_style s, enum tui_back b)
{
	struct tui_look l = { -1, -1, 0 };
	if (s >= TUI_STYLES || b >= TUI_BACKS)
		return l;
	switch (t->depth) {
	case TUI_MONO:
		l.attr = styles[s].mono ^ (styles[s].mono & backs[b].mono & TUI_REVERSE);
		l.attr |= backs[b].mono;
		if (backs[b].mono & TUI_REVERSE)
			l.attr &= ~TUI_FADED; /* faded on reverse cannot be read */
		break;
	case TUI_16:
		l.fg = styles[s].ansi;
		l.bg = backs[b].ansi;
		l.attr = styles[s].attr;
		if (backs[b].on >= 0)
			l.fg = backs[b].on;
		else if (backs[b].mono & TUI_REVERSE)
			l.fg = -1, l.attr |= TUI_REVERSE;
		break;
	case TUI_256:
		l.fg = tui_theme_256(t->light ? styles[s].light : styles[s].dark);
		l.bg = tui_theme_256(t->light ? backs[b].light : backs[b].dark);
		l.attr = styles[s].attr;
		break;
	case TUI_RGB:
		l.fg = (int32_t)(t->light ? styles[s].light : styles[s].dark);
		l.bg = (int32_t)(t->light ? backs[b].light : backs[b].dark);
		l.attr = styles[s].attr;
		break;
	}
	return l;
}

static bool env_is(const char *name, const char *value)
{
	const char *v = getenv(name);
	return v && !strcmp(v, value);
}

struct tui_theme tui_theme_from_env(int colors)
{
	struct tui_theme t = { TUI_MONO, false };
	const char *no = getenv("NO_COLOR"), *fgbg = getenv("COLORFGBG");
	if (colors >= 8)
		t.depth = TUI_16;
	if (colors >= 256)
		t.depth = TUI_256;
	if (colors >= 8 && (env_is("COLORTERM", "truecolor") || env_is("COLORTERM", "24bit")))
		t.depth = TUI_RGB;
	if (colors > 256)
		t.depth = TUI_RGB;
	if (no && *no)
		t.depth = TUI_MONO;
	if (env_is("RINGSIDE_COLOR", "mono"))
		t.depth = TUI_MONO;
	else if (env_is("RINGSIDE_COLOR", "16"))
		t.depth = TUI_16;
	else if (env_is("RINGSIDE_COLOR", "256"))
		t.depth = TUI_256;
	else if (env_is("RINGSIDE_COLOR", "truecolor"))
		t.depth = TUI_RGB;
	/* "15;0": text, background; 7 and 15 are light backgrounds */
	const char *bg = fgbg ? strrchr(fgbg, ';') : NULL;
	if (bg && (!strcmp(bg, ";15") || !strcmp(bg, ";7")))
		t.light = true;
	if (env_is("RINGSIDE_THEME", "light"))
		t.light = true;
	else if (env_is("RINGSIDE_THEME", "dark"))
		t.light = false;
	return t;
}
