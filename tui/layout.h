/* Where things stand on the lesson screen. Pure arithmetic on the screen's size, so it is
 * tested without a screen.
 *
 *   row 0         header
 *   row 1         steps of the lesson
 *   rows 2..h-3   left the text and below it the task; right the panes
 *   row h-2       state of the run
 *   row h-1       keys
 *
 * Small screens show one pane, middle ones two or three, large ones up to six. A screen too
 * narrow for two columns shows whatever has the focus.
 */
#ifndef TUI_LAYOUT_H
#define TUI_LAYOUT_H

#include "engine/eng.h"

#define TUI_MIN_W 60
#define TUI_MIN_H 16
#define TUI_PANES_MAX 6

struct tui_rect {
	int x, y, w, h; /* w 0: not shown */
};

enum tui_focus { TUI_FOCUS_TEXT = -2, TUI_FOCUS_TASK = -1 }; /* or an index into the views */

struct tui_layout_in {
	int w, h;
	const enum eng_view *view; /* the step's views, and what the student added */
	int views;
	int focus;             /* enum tui_focus, or index of a view */
	bool zoom;             /* what has the focus gets everything */
	int task_rows;         /* rows that the task panel would like; 0: there is no task */
};
struct tui_layout {
	struct tui_rect text, task;
	struct {
		struct tui_rect r;
		int view;          /* index into the views */
	} pane[TUI_PANES_MAX];
	int panes;
};
void tui_layout_make(struct tui_layout *l, const struct tui_layout_in *in);

#endif
