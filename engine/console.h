/* The user's terminal as the serial line of a guest: raw while it is open, Ctrl-] ends the run. */
#ifndef ENGINE_CONSOLE_H
#define ENGINE_CONSOLE_H

#include <stdbool.h>
#include <termios.h>

#include "engine/experiment.h"

struct eng_console {
	int fd;                /* -1: closed, or at its end */
	bool raw;              /* `before` is to be put back */
	struct termios before;
};
/* A terminal becomes raw; anything else is read as it is. Pair with eng_console_close, also after a failure. */
void eng_console_open(struct eng_console *c, int fd);
void eng_console_close(struct eng_console *c);
int eng_console_fd(const struct eng_console *c); /* to poll for POLLIN; -1: nothing will come */
/* Hands over what has arrived. False: the user wants to end the run. */
bool eng_console_pass(struct eng_console *c, struct eng_experiment *x);

#endif
