/* Tables of the words of runtime-spec. */
#include "containers/words.h"

#include <linux/capability.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

#define ROW(word, value) { word, (uint64_t)(value) },

const struct ctr_word ctr_words_rlimit[] = {
#define CTR_RLIMIT ROW
#include "containers/words.def"
	{ NULL, 0 }
};
const struct ctr_word ctr_words_sched_policy[] = {
#define CTR_SCHED_POLICY ROW
#include "containers/words.def"
	{ NULL, 0 }
};
const struct ctr_word ctr_words_sched_flag[] = {
#define CTR_SCHED_FLAG ROW
#include "containers/words.def"
	{ NULL, 0 }
};
const struct ctr_word ctr_words_ioprio[] = {
#define CTR_IOPRIO ROW
#include "containers/words.def"
	{ NULL, 0 }
};
const struct ctr_word ctr_words_mempolicy[] = {
#define CTR_MEMPOLICY ROW
#include "containers/words.def"
	{ NULL, 0 }
};
const struct ctr_word ctr_words_mempolicy_flag[] = {
#define CTR_MEMPOLICY_FLAG ROW
#include "containers/words.def"
	{ NULL, 0 }
};
const struct ctr_word ctr_words_personality[] = {
#define CTR_PERSONALITY ROW
#include "containers/words.def"
	{ NULL, 0 }
};
const struct ctr_word ctr_words_propagation[] = {
#define CTR_PROPAGATION ROW
#include "containers/words.def"
	{ NULL, 0 }
};
const struct ctr_word ctr_words_ns[] = {
#define CTR_NS(id, word, flag, file) { word, CTR_NS_##id },
#include "containers/words.def"
	{ NULL, 0 }
};
const struct ctr_word ctr_words_hook[] = {
#define CTR_HOOK(id, word) { #word, CTR_HOOK_##id },
#include "containers/words.def"
	{ NULL, 0 }
};
const struct ctr_word ctr_words_cap[] = {
#define CTR_CAP(name) { "CAP_" #name, CAP_##name },
#include "containers/words.def"
	{ NULL, 0 }
};

const struct ctr_ns_info ctr_ns_infos[CTR_NAMESPACES] = {
#define CTR_NS(id, word, flag, file) { word, file, flag },
#include "containers/words.def"
};

const struct ctr_mount_opt ctr_mount_opts[] = {
#define CTR_MOUNT_OPT(word, clear, flags, kind) { word, clear, flags, CTR_OPT_##kind },
#include "containers/words.def"
	{ NULL, 0, 0, CTR_OPT_FLAG }
};

const struct ctr_word *ctr_word_find(const struct ctr_word *list, const char *word)
{
	for (; list->word; list++)
		if (strcmp(list->word, word) == 0)
			return list;
	return NULL;
}

const char *ctr_word_of(const struct ctr_word *list, uint64_t value)
{
	for (; list->word; list++)
		if (list->value == value)
			return list->word;
	return NULL;
}
