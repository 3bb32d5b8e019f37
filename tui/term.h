/* The terminal: the only file behind this header (term.c) includes ncurses. It shows a grid
 * by writing what differs from the screen, decodes input, and gives the terminal back in the
 * state it found it, whatever happens: return, fatal error, signal or crash.
 *
 * ncurses is used at its terminfo level (setupterm, tparm): the diff, the colours (24-bit
 * ones included) and the polling of input stay ours, and nothing runs behind our back.
 */
#ifndef TUI_TERM_H
#define TUI_TERM_H

#include "engine/base/err.h"
#include "tui/grid.h"
#include "tui/keys.h"
#include "tui/restore.h"

struct tui_term;

/* Takes the terminal on stdin and stdout over: full screen, raw keys, mouse, signal handlers.
 * NULL: -ENOTTY no terminal, -ENODEV a terminal that cannot position its cursor, -EIO. */
struct tui_term *tui_term_open(struct rs_err *err);
/* Gives the terminal back and frees. NULL is fine. */
void tui_term_close(struct tui_term *t);

/* For a program in between ($EDITOR) and for suspending. */
void tui_term_leave(struct tui_term *t);
void tui_term_enter(struct tui_term *t);
/* Stops the process (Ctrl-Z) until SIGCONT. */
void tui_term_suspend(struct tui_term *t);

void tui_term_size(const struct tui_term *t, int *w, int *h);
/* Can it show more than ASCII? (the locale's character set, and the kind of terminal) */
bool tui_term_ascii(const struct tui_term *t);
struct tui_theme *tui_term_theme(struct tui_term *t);

/* Makes the screen equal to the grid with one write. */
void tui_term_show(struct tui_term *t, const struct tui_grid *g);
/* The screen's contents are unknown: the next show draws all of it. */
void tui_term_forget(struct tui_term *t);

/* Descriptors to poll for POLLIN: the keyboard, and a pipe that signals write to. */
void tui_term_fds(const struct tui_term *t, int *keyboard, int *signals);
/* Takes what waits in the keyboard. False when the terminal is gone. */
bool tui_term_read(struct tui_term *t);
/* The next decoded input. */
bool tui_term_next(struct tui_term *t, bool flush, struct tui_input *in);
bool tui_term_pending(const struct tui_term *t);

/* What signals have said since the last call. */
struct tui_signals tui_term_news(struct tui_term *t);

#endif
