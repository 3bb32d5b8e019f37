/* What stands between fork and an experiment's own work. Private to experiment.c and child.c.
 */
#ifndef ENGINE_CHILD_H
#define ENGINE_CHILD_H

#include <stdatomic.h>

#include "engine/experiment.h"

/* Shared memory that a child leaves its last words in. The parent copies and range-checks. */
struct eng_last_words {
	_Atomic long denied;   /* refused system call, or -1 */
	_Atomic int said;      /* err is filled */
	int code;
	struct rs_err err;
};

struct eng_child_fds {
	int go;                /* a byte comes when the parent has journaled us; EOF: it is dead */
	int out, err;
	int channel, wake, control;
};

/* The child's whole life. `parent` is the pid that forked. */
_Noreturn void eng_child_run(const struct eng_experiment_opts *o, const struct eng_child_fds *fds,
			     pid_t parent, struct eng_last_words *words);

#endif
