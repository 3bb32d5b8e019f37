/* Events as sentences. A sink for the bus that tells a run as it happens, for people who read lines
 * instead of panes. Private to engine/.
 */
#ifndef ENGINE_TELL_H
#define ENGINE_TELL_H

#include <stdio.h>

#include "engine/eng.h"

#define ENG_TELL_LINES 60 /* sentences of one kind in one run; the others are counted */

struct eng_tell {
	struct rs_sink sink;
	FILE *out;
	enum rs_lang lang;
	unsigned told[RS_KIND_COUNT], more[RS_KIND_COUNT];
	uint64_t explained;    /* exit reasons whose meaning was told in this run, a bit each */
	struct rs_str line[8]; /* unfinished output lines, by enum rs_stream */
};
void eng_tell_init(struct eng_tell *t, FILE *out, enum rs_lang lang);
/* At the end of a run: unfinished lines, and how many events were not told. Ready for another run. */
void eng_tell_finish(struct eng_tell *t);
void eng_tell_release(struct eng_tell *t);

#endif
