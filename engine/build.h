/* Assembles and links the student's source, as assets/doc/lessons.md says. Private to engine/.
 */
#ifndef ENGINE_BUILD_H
#define ENGINE_BUILD_H

#include <stdbool.h>

#include "engine/experiment.h"

struct eng_build {
	const char *workspace;   /* absolute; the source is named relative to it */
	const char *source;      /* .S (preprocessed), .s, .c (for the monitor: 64-bit code) */
	const char *include;     /* second -I after the workspace; NULL = none */
	const char *scratch;     /* absolute; object, linker script and image go here */
	const char *token;       /* eng_journal_token: marks the compiler's processes */
	uint64_t base;           /* link address */
	bool flat;               /* a flat binary, not an ELF executable */
	/* A Linux program for another machine (build_guest.c), not a guest of the monitor: */
	const char *guest;       /* "riscv64", "aarch64", ENG_HOST_TOOL; NULL: not so, and nothing below counts */
	char *const *with;       /* further sources */
	unsigned withs;
	char *const *flag;       /* of the compiler; none: -O2 */
	unsigned flags;
	bool libc;               /* with the C library, statically; else without any, entry _start or main */
};

/* Names of files that a build knows what to do with: .S, .s, .c; and .c. */
bool eng_is_source(const char *name);
bool eng_is_c(const char *name);

/* The built image's path in the scratch folder. The caller frees. */
char *eng_build_image(const struct eng_build *b);
/* Can it be built here? -ENOENT and a sentence when there is no compiler or no linker, -ENOEXEC when
 * there is no source. */
int eng_build_check(const struct eng_build *b, struct rs_err *err);
/* What an experiment's `main` runs in the child; arg is the struct eng_build. 0, or negative:
 * -ENOEXEC when the student's source does not build (the messages went to stdout and stderr). */
int eng_build_main(void *arg, struct eng_child *c, struct rs_err *err);
extern const struct eng_limits eng_build_limits;

/* The cross compilers, one row a guest. */
struct eng_guest_tool {
	const char *guest;       /* "riscv64" */
	const char *var, *cc;    /* environment variable that names it, and its usual name */
	const char *ability;     /* abilities.def */
	const char *package;     /* Debian's */
};
extern const struct eng_guest_tool eng_guest_tools[]; /* until guest is NULL */
/* A program for this machine: eng_guest_tool knows it, too, though it is no row of the table. */
#define ENG_HOST_TOOL "host"
const struct eng_guest_tool *eng_guest_tool(const char *guest); /* NULL: none */

#endif
