/* Workspace files as a run saw them: what file("...") reads and a recording carries. Private to
 * engine/.
 */
#ifndef ENGINE_KEEP_H
#define ENGINE_KEEP_H

#include "engine/base/err.h"
#include "engine/base/str.h"

#define ENG_KEEP_BYTES (1u << 20) /* of one file */
#define ENG_KEEP_FILES 256u

struct eng_kept {
	char *name;
	struct rs_str data;
};
struct eng_keep {
	struct eng_kept *v;
	unsigned n;
};

void eng_keep_release(struct eng_keep *k);
const struct eng_kept *eng_keep_find(const struct eng_keep *k, const char *name);
/* Adds or replaces; copies. -ENOSPC over ENG_KEEP_FILES. */
int eng_keep_put(struct eng_keep *k, const char *name, const void *data, size_t n);

/* Reads a regular file below `dir`, without following links out of it; at most ENG_KEEP_BYTES.
 * 0 or negative errno (-EFBIG, -ENOENT, -EINVAL for a name that a lesson may not use, -ELOOP,
 * -EXDEV). */
int eng_file_beneath(const char *dir, const char *name, struct rs_str *out);
/* Saves a file (rs_file_save), making its folder when that is missing. */
int eng_file_place(const char *path, const void *data, size_t n, struct rs_err *err);

#endif
