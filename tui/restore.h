/* Gives the terminal back, whatever ends the program: a return, exit(), a fatal signal of our own
 * making or somebody else's. Prepared beforehand, so that a signal handler only has to write.
 *
 * Signal handlers have no argument, so this file keeps the little state that they need in one
 * static object; a process has one controlling terminal.
 */
#ifndef TUI_RESTORE_H
#define TUI_RESTORE_H

#include <stdbool.h>
#include <stddef.h>

/* Installs the handlers. `bytes` (at most 256) is what gives the screen back. Signals that are news
 * write a byte to pipe_w, which must not block. Crash handlers run on a stack of their own. */
void tui_restore_begin(const char *bytes, size_t n, int pipe_w);
/* Removes the handlers. */
void tui_restore_end(void);
/* The screen is about to be taken over: remembers the terminal's settings, to which
 * tui_restore_now returns. False when the screen is ours already (nothing is remembered anew). */
bool tui_restore_arm(void);
/* Gives the screen back if it is ours. Async-signal-safe. */
void tui_restore_now(void);

/* What signals have said since the last call. */
struct tui_signals {
	bool resized;   /* SIGWINCH */
	bool continued; /* SIGCONT */
	bool suspend;   /* SIGTSTP */
	int end;        /* SIGTERM, SIGHUP, SIGINT, SIGQUIT; it stays */
};
struct tui_signals tui_restore_news(void);
/* Forgets a SIGTSTP and a SIGCONT that we caused ourselves. */
void tui_restore_forget(void);

#endif
