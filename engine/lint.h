/* Proof of a lesson. Private to engine/.
 *
 *   lint.c       the proof, in the order of assets/doc/lessons.md "Proof"
 *   lint_text.c  typography and vocabulary of the Chinese texts
 *   lint_host.c  is anything left on the host?
 */
#ifndef ENGINE_LINT_H
#define ENGINE_LINT_H

#include "engine/eng.h"

enum eng_lint_kind {
	ENG_LINT_PROVED,
	ENG_LINT_NOTE,      /* worth knowing */
	ENG_LINT_WARNING,   /* a text that should be looked at */
	ENG_LINT_REFUSED,   /* the lesson is wrong */
	ENG_LINT_NEEDS,     /* could not be proved on this machine: what it needs */
};

struct eng_lint {
	/* Receives one line at a time, in both languages; a place is set where there is one. */
	void (*say)(void *arg, enum eng_lint_kind kind, const struct rs_err *line);
	void *arg;
	bool is_static;     /* prove only what needs no run */
	const char *engine; /* run on this one alone; NULL: on each that the lesson claims */
	unsigned count[ENG_LINT_NEEDS + 1];
};

/* Proves one lesson (a lesson.yaml or its folder). */
void eng_lint_lesson(struct eng_lint *lt, const char *path);
/* What the lessons of one folder mean for each other. */
void eng_lint_catalog(struct eng_lint *lt, const char *labs_dir);
/* ENG_EXIT_USAGE when something was refused, else ENG_EXIT_UNGRADABLE when something could not be
 * proved, else ENG_EXIT_OK. */
int eng_lint_exit(const struct eng_lint *lt);

void eng_lint_say(struct eng_lint *lt, enum eng_lint_kind kind, const char *file, int line, int col,
		  const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* ---- lint_text.c ---- */
/* Warns about the zh-TW texts of the lesson. Returns how many texts were looked at. */
unsigned eng_lint_texts(struct eng_lint *lt, const struct eng_lesson *l);
/* The first thing in a Chinese text that a reader in Taiwan would stumble over: its offset in bytes,
 * and in `what` and `better` (translation keys or words; may be "") why. -1 when there is none from
 * `from` on. Code spans and fences are passed over. */
long eng_lint_zh(const char *text, long from, const char **what, char better[64], size_t *len);

/* ---- lint_host.c ---- */
struct eng_lint_host {
	struct rs_str mounts, cgroups, links;
};
void eng_lint_host_before(struct eng_lint_host *h);
/* Names what is there now and was not before: child processes of this one, open journal entries of
 * it, mounts, cgroups, links of the lab. Waits up to 2 s for what is just going. 0 when nothing is. */
int eng_lint_host_after(struct eng_lint_host *h, struct rs_str *left);
void eng_lint_host_release(struct eng_lint_host *h);

#endif
