/* A lesson told as linear text or JSON: `run`, `record`, `replay --plain`, and the lab without a
 * terminal. Private to engine/.
 */
#ifndef ENGINE_PLAY_H
#define ENGINE_PLAY_H

#include "engine/cli.h"

struct eng_play_opts {
	bool json;
	bool solution;         /* play a scratch copy of the lesson's solution */
	const char *workspace; /* the student's folder; NULL: the lesson's own, prepared when missing */
	const char *engine;
	const char *step;      /* id: this step alone; NULL: all */
	const char *record;    /* write a recording there */
};

/* Tells the lesson on c->out and returns an exit code. */
int eng_play(struct eng_cli *c, const struct eng_lesson *l, const struct eng_play_opts *o);
/* Tells a recording. speed 0: as fast as it can be read. */
int eng_play_recording(struct eng_cli *c, const char *path, double speed, bool json);

#endif
