/* Bytes from a terminal become keys, mouse events and answers. Pure: no terminal, no time.
 */
#ifndef TUI_KEYS_H
#define TUI_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A key is a Unicode character, or one of these; modifiers are added. */
enum tui_keycode {
	TUI_K_NONE = 0,
	TUI_K_TAB = '\t',
	TUI_K_ENTER = '\r',
	TUI_K_ESC = 0x1b,
	TUI_K_BACKSPACE = 0x7f,
	TUI_K_UP = 0x110000,
	TUI_K_DOWN, TUI_K_LEFT, TUI_K_RIGHT, TUI_K_HOME, TUI_K_END, TUI_K_PGUP, TUI_K_PGDN,
	TUI_K_INSERT, TUI_K_DELETE, TUI_K_BACKTAB,
	TUI_K_F1, TUI_K_F12 = TUI_K_F1 + 11,
	TUI_K_CTRL = 1 << 24,   /* with a lower-case letter: C-c is TUI_K_CTRL | 'c' */
	TUI_K_ALT = 1 << 25,
};

/* "r", "Tab", "PgDn", "C-c", "Space"; -1 for a name that is no key. */
int tui_key_by_name(const char *name);
/* The name in the help overlay and the footer ("↑", "Tab", "^C"). Returns buf. */
const char *tui_key_label(int key, char *buf, size_t size);

enum tui_input_type { TUI_IN_KEY, TUI_IN_MOUSE, TUI_IN_BACKGROUND };
enum tui_mouse { TUI_MOUSE_PRESS, TUI_MOUSE_WHEEL_UP, TUI_MOUSE_WHEEL_DOWN };
struct tui_input {
	enum tui_input_type type;
	int key;              /* KEY */
	bool pasted;          /* KEY: part of a paste; no command */
	enum tui_mouse mouse; /* MOUSE */
	int x, y;             /* MOUSE: cell, from 0 */
	bool light;           /* BACKGROUND: the terminal answered that its background is light */
};

/* A key sequence of the terminal's description (terminfo). */
struct tui_keyseq {
	const char *seq;
	int key;
};

struct tui_decoder {
	unsigned char buf[256];
	size_t len;
	bool pasting;
	const struct tui_keyseq *seq; /* ends with seq NULL; may be NULL */
};
/* Room for more bytes; never 0 after tui_decoder_next returned false. */
size_t tui_decoder_room(const struct tui_decoder *d);
void tui_decoder_feed(struct tui_decoder *d, const void *bytes, size_t n);
/* Takes the next input out. False: nothing complete is there. With `flush`, an unfinished
 * sequence counts as what it is so far (a lone Esc). */
bool tui_decoder_next(struct tui_decoder *d, bool flush, struct tui_input *in);
/* Is an unfinished sequence waiting? Then call next with flush after a short while. */
bool tui_decoder_pending(const struct tui_decoder *d);

#endif
