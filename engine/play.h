/* A lesson told as linear text or JSON: `run`, `record`, `replay --plain`, and the lab without a
 * terminal. Private to engine/.
 */
#ifndef ENGINE_PLAY_H
#define ENGINE_PLAY_H

#include "engine/cli.h"

struct eng_play_opts {
	bool json;
	bool hints;            /* all hints of a failed check, not the first alone */
	bool solution;         /* play a scratch copy: the starter, and from the first task on the solution */
	const char *workspace; /* the student's folder; NULL: the lesson's own, prepared when missing */
	const char *engine;
	const char *step;      /* id: this step alone; NULL: all */
	const char *record;    /* write a recording there */
};

/* Tells the lesson on c->out and returns an exit code. */
int eng_play(struct eng_cli *c, const struct eng_lesson *l, const struct eng_play_opts *o);
/* Tells a recording, in the words in which the run was told. speed 0: as fast as it can be read. */
int eng_play_recording(struct eng_cli *c, const char *path, double speed, bool json, bool hints);

/* The JSON side (play_json.c): a line an object.
 *   {"type": "lesson", ...}  {"type": "step", ...}  {"type": "event", ...}  {"type": "prediction", ...}
 *   {"type": "check", ...}   {"type": "error", ...}  {"type": "end", "verdict": ..., "points": ...}
 */
int eng_play_json(struct eng_cli *c, struct eng_session *s, const struct eng_play_opts *o);
int eng_play_json_replay(struct eng_cli *c, struct eng_session *s);
void eng_play_json_ungradable(struct eng_cli *c, const struct eng_lesson *l, const struct rs_err *why);
/* Makes step i the current one; with o->solution, the solution's files are laid over the scratch
 * copy at a step that has a task or checks. */
int eng_play_arrive(struct eng_session *s, const struct eng_play_opts *o, unsigned i,
		    struct rs_err *err);
/* Asks for the kinds that come only on demand, after the panes of the step. */
void eng_play_want(struct eng_session *s, const struct eng_step *st);

#endif
