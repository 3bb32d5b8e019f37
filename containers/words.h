/* The words of runtime-spec (words.def, seccomp.def) as tables. Private to containers/. */
#ifndef CONTAINERS_WORDS_H
#define CONTAINERS_WORDS_H

#include <stdint.h>

/* A list ends with a row whose word is NULL. */
struct ctr_word {
	const char *word;
	uint64_t value;
};
extern const struct ctr_word ctr_words_rlimit[], ctr_words_sched_policy[], ctr_words_sched_flag[],
	ctr_words_ioprio[], ctr_words_mempolicy[], ctr_words_mempolicy_flag[], ctr_words_personality[],
	ctr_words_propagation[], ctr_words_ns[], ctr_words_cap[], ctr_words_hook[];
extern const struct ctr_word ctr_words_seccomp_action[], ctr_words_seccomp_op[],
	ctr_words_seccomp_flag[], ctr_words_seccomp_arch[]; /* seccomp.c */

/* The row of a word, or NULL. */
const struct ctr_word *ctr_word_find(const struct ctr_word *list, const char *word);
/* The word of a value; NULL when there is none. */
const char *ctr_word_of(const struct ctr_word *list, uint64_t value);

/* Namespaces, by index: enum ctr_ns. */
enum ctr_ns {
#define CTR_NS(id, word, flag, file) CTR_NS_##id,
#include "containers/words.def"
	CTR_NAMESPACES
};
struct ctr_ns_info {
	const char *word, *file; /* "network", "net" */
	uint64_t flag;           /* CLONE_NEWNET */
};
extern const struct ctr_ns_info ctr_ns_infos[CTR_NAMESPACES];

enum ctr_hook_kind {
#define CTR_HOOK(id, word) CTR_HOOK_##id,
#include "containers/words.def"
	CTR_HOOKS
};

/* Mount options. */
#define CTR_EXT_COPYUP 1u
#define CTR_EXT_IDMAP 2u
#define CTR_EXT_IDMAP_REC 4u
enum ctr_opt_kind { CTR_OPT_FLAG, CTR_OPT_PROP, CTR_OPT_REC, CTR_OPT_EXT };
struct ctr_mount_opt {
	const char *word;
	uint64_t clear, set;
	enum ctr_opt_kind kind;
};
extern const struct ctr_mount_opt ctr_mount_opts[]; /* ends with a NULL word */

#endif
