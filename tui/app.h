/* The lab as a program without a terminal: what is open, what is selected, what an input does,
 * and how it all looks on a grid. loop.c gives it a terminal and time; tests do so by hand.
 *
 *   app.c          making and freeing it, opening lessons and recordings, time, notices
 *   act.c          what each action does      act_move.c   moving and scrolling
 *   act_input.c    keys and mouse to actions; the prompt line
 *   screen.c       header, footer, overlays   screen_list.c, screen_lesson.c, screen_side.c
 *   layout.c       where things stand         pane_*.c     the panes
 *   translator.c   the translator's part of the model; stages.c, graph.c, lines.c serve its panes
 *   probe.c        which lessons can run here
 */
#ifndef TUI_APP_H
#define TUI_APP_H

#include <sys/types.h>

#include "tui/actions.h"
#include "tui/grid.h"
#include "tui/keys.h"
#include "tui/layout.h"
#include "tui/model.h"
#include "tui/pane.h"

/* What a mouse click on a place means. Made anew by every draw. */
enum tui_hit_type {
	TUI_HIT_ACTION,  /* arg: enum tui_action */
	TUI_HIT_LESSON,  /* arg: row of the list */
	TUI_HIT_STEP,    /* arg: step */
	TUI_HIT_FOCUS,   /* arg: focus (enum tui_focus or view index) */
	TUI_HIT_ROW,     /* arg: view index; the row is counted from the hit's top */
	TUI_HIT_CHECK,   /* arg: check */
	TUI_HIT_CHOICE,  /* arg: choice of the prediction */
};
struct tui_hit {
	struct tui_rect r;
	enum tui_hit_type type;
	int arg;
};
#define TUI_HITS_MAX 256

/* Can this machine run a lesson? Found out after the first screen, one lesson at a time. */
enum tui_runnable { TUI_RUN_UNKNOWN, TUI_RUN_YES, TUI_RUN_NO };
struct tui_entry {
	const struct eng_lesson *lesson; /* NULL: the heading of a track */
	int track;
	enum tui_runnable runnable;
	struct rs_err why;               /* NO */
};

struct tui_list {
	struct tui_entry *all;   /* lessons in the order of tracks, without headings */
	int alls;
	int *row;                /* what is shown: index into all, or -1 - track for a heading */
	int rows;
	int sel;                 /* row of a lesson; -1: none */
	int top, page;
	struct rs_str filter;
};

enum tui_prompt { TUI_PROMPT_NONE, TUI_PROMPT_SEARCH, TUI_PROMPT_GUESS, TUI_PROMPT_ADDRESS };

#define TUI_VIEWS_MAX (ENG_VIEW_COUNT + 1)

struct tui_lesson {
	struct eng_session *session; /* NULL: none is open */
	const struct eng_lesson *lesson;
	struct tui_model *model;
	char *recording;             /* path, in a replay */
	double speed;
	bool held;                   /* the replay stands still */
	enum eng_view view[TUI_VIEWS_MAX]; /* the step's, then what the student added */
	int views;
	int extra;                   /* view added by the student, or -1 */
	int focus;                   /* enum tui_focus, or index into view */
	bool zoom;
	struct tui_pane_state pane[ENG_VIEW_COUNT];
	int text_top, text_page, text_rows;
	int task_top, task_page, task_rows;
	int check;                   /* selected check */
	bool show_check;             /* the next draw scrolls to it */
	int choice;                  /* selected choice of the prediction */
	unsigned seen_step;          /* step that the fields above are about */
	enum eng_phase seen_phase;
	unsigned count;              /* number typed before `s`; 0: none */
	bool warned;                 /* told once that a prediction comes first */
	bool have_mem;               /* the memory pane's place was asked for */
	bool have_block;             /* the picked block's stages were asked for in this run */
	uint64_t mem_addr;
	bool mem_virtual;
};

/* What the loop must do that needs a terminal. */
enum tui_want { TUI_WANT_NOTHING, TUI_WANT_LEAVE, TUI_WANT_SUSPEND, TUI_WANT_REDRAW, TUI_WANT_EDIT };

struct tui_app {
	enum rs_lang lang;
	bool ascii;                  /* the terminal can show ASCII only: English only */
	unsigned screen;             /* one of enum tui_screens */
	int w, h;
	uint64_t now;                /* ns, any clock that does not jump; set by the caller */
	bool dirty;                  /* the screen must be drawn */
	struct eng_catalog catalog;
	bool have_catalog;
	struct rs_err bad;           /* the first lesson that could not be loaded; code 0: none */
	unsigned bads;
	struct eng_progress progress;
	struct tui_list list;
	struct tui_lesson ls;
	struct rs_err notice;        /* a sentence in the footer's place; code 0: good news */
	bool have_notice;
	uint64_t notice_until;
	bool help;
	int help_top, help_rows, help_page;
	enum tui_prompt prompt;
	struct rs_str input;
	enum tui_want want;
	char *edit_path;             /* WANT_EDIT */
	pid_t probe_pid;             /* 0: none */
	int probe_fd;
	struct rs_str probe_in;
	struct tui_hit hit[TUI_HITS_MAX];
	int hits;
};

/* Loads lessons and progress. `lesson` (may be NULL) is opened at once. A lesson that cannot be
 * loaded is left out and counted. NULL: no lessons at all. */
struct tui_app *tui_app_new(enum rs_lang lang, bool ascii, const char *lesson, struct rs_err *err);
/* Plays a recording. */
struct tui_app *tui_app_replay(enum rs_lang lang, bool ascii, const char *path, double speed,
			       struct rs_err *err);
/* An app around a session that the caller made (tests). The session becomes the app's. */
struct tui_app *tui_app_session(enum rs_lang lang, bool ascii, struct eng_session *s);
void tui_app_free(struct tui_app *a);

void tui_app_draw(struct tui_app *a, struct tui_grid *g);
void tui_app_input(struct tui_app *a, const struct tui_input *in);
void tui_app_key(struct tui_app *a, int key);
/* Takes what the session has; sets dirty when something changed. */
void tui_app_pump(struct tui_app *a);
/* -- probe.c: which lessons can run here? Probe guests may take seconds, so a child process finds
 * out, after the first screen. -- */
void tui_probe_start(struct tui_app *a);
int tui_probe_fd(const struct tui_app *a); /* poll for POLLIN; -1: nothing is under way */
void tui_probe_take(struct tui_app *a);
void tui_probe_stop(struct tui_app *a);
/* Milliseconds until the screen changes by itself (a running clock, a notice that goes);
 * -1: never. */
int tui_app_timeout(const struct tui_app *a);
/* $EDITOR came back; changed: the file is another one now; status: of the editor. */
void tui_app_edited(struct tui_app *a, bool changed, int status);

/* -- between the app's files -- */
const char *tui_app_tr(const struct tui_app *a, const char *en);
void tui_app_say(struct tui_app *a, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void tui_app_fail(struct tui_app *a, const struct rs_err *err);
int tui_app_open(struct tui_app *a, const struct eng_lesson *l); /* 0, or a notice was set */
void tui_app_close_lesson(struct tui_app *a);
/* The step, its views and the student's place in it, after the session moved. */
void tui_app_sync(struct tui_app *a);
void tui_app_goto(struct tui_app *a, unsigned step);
void tui_act(struct tui_app *a, enum tui_action action);
/* Does the action make sense right now? (footer hints, mouse) */
bool tui_act_enabled(const struct tui_app *a, enum tui_action action);
/* Its short name right now ("pause" or "go on"); a translation key. */
const char *tui_act_name(const struct tui_app *a, enum tui_action action);
/* The screen and the states of the focused pane (enum tui_screens); with `all`, of every pane here. */
unsigned tui_act_screens(const struct tui_app *a, bool all);
/* What a key does right now; TUI_ACTIONS: nothing. */
enum tui_action tui_act_of_key(const struct tui_app *a, int key);
void tui_move(struct tui_app *a, enum tui_action how);
void tui_move_sideways(struct tui_app *a, int by);
void tui_scroll_at(struct tui_app *a, int x, int y, int rows);
void tui_answer(struct tui_app *a, int64_t guess);

void tui_list_build(struct tui_app *a);  /* rows from all and the filter; keeps the selection */
const struct tui_entry *tui_list_selected(const struct tui_app *a);
void tui_list_select(struct tui_app *a, const struct eng_lesson *l);

const struct eng_step *tui_step(const struct tui_app *a); /* NULL: no lesson is open */
/* Where the file of this step is: malloc'd path, or NULL. */
char *tui_step_file(const struct tui_app *a);
/* Predictions and checks of this step are there? */
bool tui_has_task(const struct tui_app *a);
/* The next hint's check: the selected one, else the first that has a hint left; -1. */
int tui_hint_check(const struct tui_app *a);

void tui_hit_add(struct tui_app *a, struct tui_area at, enum tui_hit_type type, int arg);
void tui_draw_list(struct tui_app *a, struct tui_area body);
void tui_draw_lesson(struct tui_app *a, struct tui_area all);
void tui_draw_text(struct tui_app *a, struct tui_area in);  /* screen_side.c */
void tui_draw_task(struct tui_app *a, struct tui_area in);
int tui_task_wanted(struct tui_app *a, int width);          /* rows of its content */
/* A framed panel: title in the border, lit when it has the focus. Returns the inside. */
struct tui_area tui_draw_panel(struct tui_area a, const char *title, bool focus);
/* A thumb on the right border of a panel that scrolls. */
void tui_draw_thumb(struct tui_area panel, int rows, int page, int top, bool focus);
int tui_draw_badge(struct tui_area a, int x, int y, enum tui_back back, const char *text);

/* The milliseconds for which a notice stays. */
#define TUI_NOTICE_MS 5000

#endif
