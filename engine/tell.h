/* Events as sentences. A sink for the bus that tells a run as it happens, for people who read lines
 * instead of panes. Private to engine/.
 */
#ifndef ENGINE_TELL_H
#define ENGINE_TELL_H

#include <stdio.h>

#include "engine/base/state.h"
#include "engine/eng.h"

#define ENG_TELL_LINES 60 /* sentences of one kind in one run; the others are counted */

/* A block of translated code, as the program left it: the texts of its stages. */
struct eng_stages {
	struct rs_state_assembler in;
	char symbol[48];
	struct rs_str text[4]; /* guest, IR, IR after the passes, host code; empty when there is none */
};

struct eng_tell {
	struct rs_sink sink;
	FILE *out;
	enum rs_lang lang;
	unsigned told[RS_KIND_COUNT], more[RS_KIND_COUNT];
	uint64_t explained;    /* exit reasons whose meaning was told in this run, a bit each */
	struct rs_str line[8]; /* unfinished output lines, by enum rs_stream */
	struct eng_stages stages;
};
void eng_tell_init(struct eng_tell *t, FILE *out, enum rs_lang lang);
/* At the end of a run: unfinished lines, and how many events were not told. Ready for another run. */
void eng_tell_finish(struct eng_tell *t);
void eng_tell_release(struct eng_tell *t);

/* -- among the files tell*.c -- */
/* Numbers are formatted by their units first, so that formats take only texts and a translation may
 * reorder them. */
struct eng_words {
	char a[4][64];    /* arguments by their units */
	const char *text;
};
/* Appends the translated format. */
void eng_say(struct rs_str *out, enum rs_lang lang, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The words for the events emu.*. False: nothing is said of this one. */
bool eng_tell_emu(const struct rs_event *ev, const struct eng_words *w, enum rs_lang lang,
		  struct rs_str *out);
/* The same for box.*, overlay.* and cgroup.*; false also for those without words of their own. */
bool eng_tell_ctr(const struct rs_event *ev, const struct eng_words *w, enum rs_lang lang, struct rs_str *out);
/* Takes a STATE_BLOCK event in. */
void eng_stages_take(struct eng_stages *s, const struct rs_event *ev);
/* The stages as lines; nothing when none came. Ready for another run. */
void eng_stages_tell(struct eng_stages *s, enum rs_lang lang, struct rs_str *out);
void eng_stages_release(struct eng_stages *s);
/* What the translator counted in a run, as lines; nothing when there was no translator. */
void eng_tell_emu_counts(const struct rs_counters *c, enum rs_lang lang, struct rs_str *out);

#endif
