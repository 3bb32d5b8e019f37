/* What a lesson.yaml may hold: one table. It drives the loader, the did-you-mean of unknown keys,
 * and the JSON schema for editors (assets/schema/). Private to engine/.
 */
#ifndef ENGINE_SCHEMA_H
#define ENGINE_SCHEMA_H

#include <stdint.h>

#include "engine/eng.h"
#include "engine/yaml.h"

#define ENG_LIST_MAX 64    /* items of a list whose key sets no limit */

enum eng_key_type {
	ENG_K_SCHEMA,    /* the words ringside/lesson/v1 */
	ENG_K_ID,        /* lower-case words joined by hyphens */
	ENG_K_IDS,       /* a list of them */
	ENG_K_NAME,      /* one of names() */
	ENG_K_NAMES,     /* a list of some of names() */
	ENG_K_TEXT,      /* a text in every language */
	ENG_K_TEXTS,     /* a list of such texts */
	ENG_K_STRING,    /* text */
	ENG_K_STRINGS,   /* a list of them */
	ENG_K_EXPR,      /* a check expression */
	ENG_K_FILE,      /* a file name inside the folder */
	ENG_K_FILES,     /* a list of them */
	ENG_K_INT,       /* min .. max */
	ENG_K_ADDR,      /* a number, decimal or 0x, or a size: min .. max */
	ENG_K_SIZE,      /* 4K, 4M: min .. max bytes */
	ENG_K_DURATION,  /* 10s, 250ms: min .. max ns */
	ENG_K_BOOL,
	ENG_K_MAP,       /* the keys of section `sub` */
	ENG_K_MAPS,      /* a list of such maps */
	ENG_K_RUN,       /* a map with one key: a kind of experiment (kinds.h); its section has the kind's name */
};

struct eng_key {
	const char *section;     /* where the key is allowed: "lesson", "step", "vm", ... */
	const char *name;
	enum eng_key_type type;
	bool required;
	const char *sub;         /* MAP, MAPS */
	const char *const *(*names)(void); /* NAME, NAMES: NULL-terminated */
	uint64_t min, max;       /* INT, ADDR, SIZE, DURATION; lists: number of items, max 0 = ENG_LIST_MAX */
	const char *sentence;    /* translation key */
};
extern const struct eng_key eng_keys[]; /* ends with section NULL; sections are contiguous */

/* Is the map `n` a sound `section`: no unknown key, nothing missing, every value of its type and in
 * its range, all the way down? `file` stands in errors. 0, or -EINVAL at the first mistake. */
int eng_schema_check(const struct eng_node *n, const char *section, const char *file,
		     struct rs_err *err);

/* Values of nodes that have passed; `fallback` when n is NULL. */
uint64_t eng_node_uint(const struct eng_node *n, uint64_t fallback); /* INT, ADDR, SIZE */
uint64_t eng_node_duration(const struct eng_node *n, uint64_t fallback); /* ns */
bool eng_node_bool(const struct eng_node *n, bool fallback);
char *eng_node_str(const struct eng_node *n);                        /* copied; NULL for NULL */

/* The names that tables elsewhere give, NULL-terminated. */
const char *const *eng_track_names(void);
const char *const *eng_view_names(void);
const char *const *eng_engine_names(void);
const char *const *eng_ability_names(void); /* abilities.c */

/* Abilities for the reference page: name, advice in `args`, sentence; rows until name is NULL. */
const struct eng_func_doc *eng_ability_docs(void);

#endif
