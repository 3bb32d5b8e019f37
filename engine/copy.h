/* Scratch copies of workspaces: grading and lint run copies, so that the student's files stay as
 * they are and a run sees one state of them. Private to engine/.
 */
#ifndef ENGINE_COPY_H
#define ENGINE_COPY_H

#include "engine/eng.h"
#include "engine/journal.h"

struct eng_copy {
	struct eng_journal *journal;
	char *path;     /* the scratch workspace */
	int entry;
};
#define ENG_COPY_INIT                                                                              \
	{                                                                                          \
		NULL, NULL, 0                                                                      \
	}
#define ENG_COPY_FILES_MAX 2000
#define ENG_COPY_BYTES_MAX (64u << 20)

/* An empty scratch workspace; journaled. 0 or negative. */
int eng_copy_new(struct eng_copy *c, struct rs_err *err);
/* The lesson's starter and readonly files into it. */
int eng_copy_starter(struct eng_copy *c, const struct eng_lesson *l, struct rs_err *err);
/* Lays the regular files of `folder` over it, below it too. Links, devices and hidden files are
 * left out. -EFBIG over the limits above. */
int eng_copy_folder(struct eng_copy *c, const char *folder, struct rs_err *err);
/* A student's work: the starter without the files that tasks ask to change, then `folder`. So a
 * submission may hold the changed files alone, and a missing one is missing. */
int eng_copy_work(struct eng_copy *c, const struct eng_lesson *l, const char *folder,
		  struct rs_err *err);
/* Starter, then the lesson's `solution` files from solution/. */
int eng_copy_solution(struct eng_copy *c, const struct eng_lesson *l, struct rs_err *err);
/* The solution files over a workspace that holds the starter already. */
int eng_copy_solve(struct eng_copy *c, const struct eng_lesson *l, struct rs_err *err);
/* Removes it. */
void eng_copy_release(struct eng_copy *c);

#endif
