/* How an experiment died, as a sentence. Private to experiment.c.
 */
#ifndef ENGINE_DEATH_H
#define ENGINE_DEATH_H

#include "engine/child.h"

/* Fills d->code and d->err from the rest of d and what the child left. */
void eng_death_explain(struct eng_death *d, const struct eng_last_words *words);
/* Processes that the kernel's out-of-memory killer killed since boot (/proc/vmstat oom_kill). */
uint64_t eng_oom_kills(void);

#endif
