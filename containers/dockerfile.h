/* Dockerfiles (docs.docker.com/reference/dockerfile): text in, instructions with their places out.
 * Nothing is executed and no variable is expanded here. Private to containers/.
 *
 *   dockerfile.c        lines, continuations, comments, directives, here-documents, instructions
 *   dockerfile_words.c  words, quotes, variables, JSON lists
 *   dockerfile.def      the instructions
 */
#ifndef CONTAINERS_DOCKERFILE_H
#define CONTAINERS_DOCKERFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/err.h"
#include "engine/base/str.h"

enum ctr_df_op {
#define CTR_DF_INSN(id, ...) DF_##id,
#include "containers/dockerfile.def"
	DF_OPS
};
const char *ctr_df_name(enum ctr_df_op op); /* "FROM" */

/* Where the pieces of a joined line stood: from `at` on, the text stands at line:col. */
struct ctr_df_place {
	size_t at;
	int line, col;
};

struct ctr_df_flag {
	char *name, *value;      /* --name=value; value is NULL without "=" */
	size_t at;               /* of the name, in insn->text */
};

struct ctr_df_heredoc {
	char *name;
	char *text;              /* with its last newline */
	bool expand;             /* the name had no quotes: variables are expanded */
	int line;                /* where it begins */
};

struct ctr_df_insn {
	enum ctr_df_op op;
	char *text;              /* from the keyword on, lines joined */
	size_t args;             /* offset of what follows keyword and flags */
	struct ctr_df_place *place;
	unsigned places;
	struct ctr_df_flag *flag;
	unsigned flags;
	struct ctr_df_heredoc *doc;
	unsigned docs;
	bool onbuild;            /* the instruction stands behind ONBUILD, which is `args` from here */
};

struct ctr_dockerfile {
	char *file;              /* its name, for messages */
	char escape;             /* '\\', or '`' by directive */
	struct ctr_df_insn *v;
	unsigned n;
};

/* NULL when something is wrong: err has file, line, column and what was meant. */
struct ctr_dockerfile *ctr_dockerfile_parse(const char *file, const char *text, size_t n, struct rs_err *err);
void ctr_dockerfile_free(struct ctr_dockerfile *d); /* NULL is fine */
/* One instruction out of a text (an image's OnBuild). The caller releases it. */
int ctr_df_insn_parse(const char *file, const char *text, char escape, struct ctr_df_insn *out, struct rs_err *err);
void ctr_df_insn_release(struct ctr_df_insn *i);

/* Fails at an offset of the instruction's text. `fmt` is a translation key. Returns -EINVAL. */
int ctr_df_fail(const struct ctr_dockerfile *d, const struct ctr_df_insn *i, size_t at, struct rs_err *err,
		const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* ---- words ---- */

struct ctr_words {
	char **v;
	size_t *at;              /* where each begins, in the text that was split */
	unsigned n;
};
void ctr_words_release(struct ctr_words *w);
void ctr_words_add(struct ctr_words *w, const char *s, size_t n, size_t at);
/* At white space. `quotes`: quotes and escapes keep white space inside a word (and stay in it). */
void ctr_words_split(const char *s, bool quotes, char escape, struct ctr_words *out);
/* ["a", "b"]: 1 and the words; 0 when it is no list of strings (*bad, may be NULL, tells that it looks
 * like one: the offset where it stops to be JSON, else SIZE_MAX). */
int ctr_words_json(const char *s, struct ctr_words *out, size_t *bad);

/* Variables: the value of a name, NULL when it has none. */
typedef const char *ctr_var_fn(void *arg, const char *name);
/* Takes quotes and escapes away and puts variables in: $name, ${name}, ${name:-word}, ${name-word},
 * ${name:+word}, ${name+word}, ${name:?word}, ${name?word}. Appended to out. On error *at is the
 * offset in s, and *why a translation key with one %s (what). 0 or -EINVAL. */
struct ctr_expand {
	ctr_var_fn *var;
	void *arg;
	char escape;
	size_t at;               /* out: where it failed */
	const char *why;
	char what[80];
};
int ctr_expand(struct ctr_expand *x, const char *s, struct rs_str *out);
/* Variables alone: quotes stay (here-documents). */
int ctr_expand_text(struct ctr_expand *x, const char *s, struct rs_str *out);

#endif
