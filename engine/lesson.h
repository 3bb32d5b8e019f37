/* What the files that make up the lesson loader share. Private to engine/. Read in this order:
 * schema.h (what a lesson.yaml may hold), lesson.c (tree -> struct eng_lesson), lesson_step.c,
 * lesson_files.c (starter, solution, wrong), kind_<name>.c (what stands under run:), find.c.
 */
#ifndef ENGINE_LESSON_H
#define ENGINE_LESSON_H

#include "engine/eng.h"
#include "engine/yaml.h"

struct eng_loader {
	struct eng_lesson *l;
	const char *file;         /* stands in errors */
	const char *text;         /* the document */
	size_t size;
	struct rs_err *err;
};
/* Reports a mistake at a node. Returns -EINVAL. */
#define LESSON_FAIL(ld, node, ...)                                                                 \
	rs_err_at((ld)->err, -EINVAL, (ld)->file, (node)->line, (node)->col, __VA_ARGS__)

/* One step's node into l->step[index]; the steps before it are complete. */
int eng_lesson_step(struct eng_loader *ld, const struct eng_node *n, unsigned index);
void eng_step_release(struct eng_step *s);
/* Bilingual text, list of words. Nodes have passed the schema; n may be NULL. */
void eng_lesson_text(const struct eng_node *n, struct eng_text *out);
void eng_lesson_strings(const struct eng_node *n, struct eng_strings *out);
/* The name of the lesson's folder, and the number in front of it: "202-rings-syscall". */
void eng_lesson_name(struct eng_lesson *l, const char *folder);
bool eng_strings_have(const struct eng_strings *s, const char *word);
void eng_strings_release(struct eng_strings *s);
/* Do the files named in `files:` exist, does every folder of wrong/ name a check? Fills l->wrong.
 * Nothing is looked at when the lesson has no folder. */
int eng_lesson_files(struct eng_loader *ld, const struct eng_node *root);

/* Is it a relative file name that stays inside its folder: no "..", no leading "/", no empty
 * parts, no control characters? */
bool eng_file_name_ok(const char *name);

#endif
