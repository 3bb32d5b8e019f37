/* Command lines of the tools that a build calls. Private to engine/. */
#ifndef ENGINE_BUILD_COMMAND_H
#define ENGINE_BUILD_COMMAND_H

#include "engine/build.h"

#define ENG_COMMAND_WORDS 64
struct eng_command {
	char *word[ENG_COMMAND_WORDS + 1];
	unsigned n;
};
void eng_command_release(struct eng_command *c);
void eng_command_add(struct eng_command *c, char *word);       /* takes the word */
void eng_command_add_all(struct eng_command *c, const char *const *words); /* copies; NULL at the end */
/* The program named by the environment ("ccache gcc" is two words), else the default. */
void eng_command_tool(struct eng_command *c, const char *var, const char *fallback);
/* Runs it to its end. Returns its exit status, 128 + signal, or 127 when it could not start. */
int eng_command_run(struct eng_command *c);

/* Where execvp would find it; NULL when nowhere. The caller frees. */
char *eng_find_program(const char *program);
/* Is the program that eng_command_tool would name here? */
bool eng_have_tool(const char *var, const char *fallback);

/* build_guest.c: the steps of eng_build_main for a `guest`: compile (exit status of the compiler) and
 * link into image. Negative with err when nothing could be tried. */
int eng_build_guest_compile(const struct eng_build *b);
int eng_build_guest_link(const struct eng_build *b, const char *image, struct rs_err *err);
/* Everything that is needed is here, or -ENOENT, -ENOEXEC and a sentence. */
int eng_build_guest_check(const struct eng_build *b, struct rs_err *err);

/* No headers in the image, code first: the address of _start is the link address whenever it stands
 * first. Sections that the guest cannot use are left out. */
void eng_build_script(struct rs_str *out, uint64_t base, unsigned align);

#endif
