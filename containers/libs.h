/* Libraries that only some commands need, loaded when the first of these needs them. libcurl and libarchive bring some
 * forty others; linked, they cost every start of the program several milliseconds (ld.so(8)), a lesson's experiments
 * and translated programs too. Private to containers/.
 */
#ifndef CONTAINERS_LIBS_H
#define CONTAINERS_LIBS_H

#include <archive.h>
#include <archive_entry.h>
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#undef curl_easy_setopt
#undef curl_easy_getinfo

#include "engine/base/err.h"

#define CTR_CURL(F) \
	F(curl_easy_cleanup) F(curl_easy_escape) F(curl_easy_getinfo) F(curl_easy_init) F(curl_easy_perform) \
	F(curl_easy_reset) F(curl_easy_setopt) F(curl_easy_strerror) F(curl_free) F(curl_slist_append) \
	F(curl_slist_free_all)

#define CTR_ARCHIVE(F) \
	F(archive_entry_gid) F(archive_entry_hardlink) F(archive_entry_mode) F(archive_entry_mtime) \
	F(archive_entry_mtime_is_set) F(archive_entry_mtime_nsec) F(archive_entry_pathname) F(archive_entry_rdev) \
	F(archive_entry_size) F(archive_entry_symlink) F(archive_entry_uid) F(archive_entry_xattr_next) \
	F(archive_entry_xattr_reset) F(archive_error_string) F(archive_read_data_block) F(archive_read_free) \
	F(archive_read_new) F(archive_read_next_header) F(archive_read_open) F(archive_read_set_option) \
	F(archive_read_support_filter_gzip) F(archive_read_support_filter_zstd) F(archive_read_support_format_empty) \
	F(archive_read_support_format_raw) F(archive_read_support_format_tar) F(archive_set_error)

#define CTR_FUNCTION(name) __typeof__(name) *name;
struct ctr_curl { CTR_CURL(CTR_FUNCTION) };
struct ctr_archive { CTR_ARCHIVE(CTR_FUNCTION) };
#undef CTR_FUNCTION

/* The library's functions, for the rest of the process; NULL with -ENOENT when it is not installed. Any thread. */
const struct ctr_curl *ctr_curl(struct rs_err *err);
const struct ctr_archive *ctr_archive(struct rs_err *err);

#endif
