/* Themes: what a (style, background) pair looks like on this terminal. Pure; knows no
 * terminal. The table is theme.def.
 */
#ifndef TUI_THEME_H
#define TUI_THEME_H

#include <stdbool.h>
#include <stdint.h>

/* Attributes of a cell. */
#define TUI_BOLD 1u
#define TUI_FADED 2u     /* terminfo `dim` */
#define TUI_UNDERLINE 4u
#define TUI_REVERSE 8u

enum tui_style {
#define TUI_STYLE(id, letter, dark, light, ansi, attr, mono) TUI_S_##id,
#include "tui/theme.def"
	TUI_STYLES
};
enum tui_back {
#define TUI_BACK(id, letter, dark, light, ansi, on, mono) TUI_B_##id,
#include "tui/theme.def"
	TUI_BACKS
};

enum tui_depth { TUI_MONO, TUI_16, TUI_256, TUI_RGB };

struct tui_theme {
	enum tui_depth depth;
	bool light;        /* dark text on a light background; RGB and 256 only */
};

/* Colours are 0xrrggbb for TUI_RGB, a palette index for TUI_256 and TUI_16; -1 is the
 * terminal's default. */
struct tui_look {
	int32_t fg, bg;
	unsigned attr;
};
struct tui_look tui_theme_look(const struct tui_theme *t, enum tui_style s, enum tui_back b);
/* The entry of the xterm 256-colour palette (16..255) nearest to an RGB colour. */
int tui_theme_256(uint32_t rgb);
/* Letters of golden screens. */
char tui_style_letter(enum tui_style s);
char tui_back_letter(enum tui_back b);

/* The theme that the environment asks for: NO_COLOR (no-color.org), RINGSIDE_COLOR =
 * mono|16|256|truecolor, COLORTERM, RINGSIDE_THEME = dark|light, COLORFGBG; `colors` is
 * what the terminal's description says it has (-1: none). */
struct tui_theme tui_theme_from_env(int colors);

#endif
