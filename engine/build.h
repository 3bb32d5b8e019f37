/* Assembles and links the student's source, as assets/doc/lessons.md says. Private to engine/.
 */
#ifndef ENGINE_BUILD_H
#define ENGINE_BUILD_H

#include <stdbool.h>

#include "engine/experiment.h"

struct eng_build {
	const char *workspace;   /* absolute; the source is named relative to it */
	const char *source;      /* .S (preprocessed) or .s */
	const char *include;     /* second -I after the workspace; NULL = none */
	const char *scratch;     /* absolute; object, linker script and image go here */
	const char *token;       /* eng_journal_token: marks the compiler's processes */
	uint64_t base;           /* link address */
	bool flat;               /* a flat binary, not an ELF executable */
};

/* The built image's path in the scratch folder. The caller frees. */
char *eng_build_image(const struct eng_build *b);
/* Can it be built here? -ENOENT and a sentence when there is no compiler or no linker, -ENOEXEC when
 * there is no source. */
int eng_build_check(const struct eng_build *b, struct rs_err *err);
/* What an experiment's `main` runs in the child; arg is the struct eng_build. 0, or negative:
 * -ENOEXEC when the student's source does not build (the messages went to stdout and stderr). */
int eng_build_main(void *arg, struct eng_child *c, struct rs_err *err);
extern const struct eng_limits eng_build_limits;

#endif
