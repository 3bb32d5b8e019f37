/* tui/: the terminal UI. Start reading here; the map:
 *
 *   main.c        the program: hands the lab and the replay to the command line
 *   loop.c        the event loop: terminal, time and app meet here and nowhere else
 *   app.h         the lab without a terminal: state, inputs, drawing   act*.c  screen*.c
 *   actions.def   every action: its keys, name, sentence               actions.c
 *   model.c       a sink of events and counters: what the panes show
 *   pane_*.c      one view of engine/views.def each                    pane.h
 *   layout.c      where things stand, by the screen's size
 *   grid.c, wrap.c, text.c   cells, line breaking, the lessons' Markdown
 *   theme.def     every colour, for 24-bit, 256, 16 colours and none   theme.c
 *   keys.c        bytes to keys and mouse
 *   term.c        the one file that includes ncurses: output and input
 *   restore.c     gives the terminal back after any end, crashes included
 *   probe.c       which lessons can run here
 */
#ifndef TUI_TUI_H
#define TUI_TUI_H

#include "engine/base/lang.h"

/* Opens the lab, at the list or at a lesson (number, id, folder; NULL: the list). Returns an exit
 * code. */
int tui_lab(const char *lesson, enum rs_lang lang);
/* Plays a recording on the lesson screen. speed 0: as fast as can be. */
int tui_replay(const char *path, double speed, enum rs_lang lang);

#endif
