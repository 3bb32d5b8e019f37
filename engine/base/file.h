/* Files that are never half-written, and the places where the lab keeps things
 * (XDG Base Directory Specification 0.8).
 */
#ifndef RS_BASE_FILE_H
#define RS_BASE_FILE_H

#include "engine/base/err.h"
#include "engine/base/str.h"

/* Reads a regular file of at most `max` bytes, appending to out. -EFBIG over max. */
int rs_file_read(const char *path, size_t max, struct rs_str *out, struct rs_err *err);

/* Writes a new file beside `path`, syncs it and renames it over `path`. On any
 * error (a full disk) the old file is as it was and the new one is gone. */
int rs_file_save(const char *path, const void *data, size_t n, struct rs_err *err);

/* mkdir -p, mode 0700 for what it creates. */
int rs_mkdirs(const char *path, struct rs_err *err);

/* Removes a directory tree without following symbolic links or crossing into
 * another file system. A missing path is no error. */
int rs_rmtree(const char *path, struct rs_err *err);

/* $XDG_STATE_HOME/ringside, $XDG_DATA_HOME/ringside, $XDG_CACHE_HOME/ringside
 * (with the specification's defaults under $HOME), created on the way.
 * `sub` ("" or "a/b") is appended; the caller frees the result. NULL on error. */
enum rs_xdg { RS_DIR_STATE, RS_DIR_DATA, RS_DIR_CACHE };
char *rs_dir_path(enum rs_xdg which, const char *sub, struct rs_err *err);

#endif
