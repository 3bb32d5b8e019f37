/* The folder where a student works on a lesson.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"
#include "engine/eng.h"
#include "engine/keep.h"

#define MARK ".ringside"

char *eng_workspace_path(const struct eng_lesson *l, struct rs_err *err)
{
	rs_auto_free char *sub = rs_xasprintf("work/%s", l->id);

	return rs_dir_path(RS_DIR_DATA, sub, err);
}

/* A folder that is another lesson's is not touched. One without a mark may be the student's own,
 * prepared by hand. */
static int check_mark(const struct eng_lesson *l, const char *dir, struct rs_err *err)
{
	rs_auto_str id = RS_STR_INIT;
	rs_auto_free char *path = rs_xasprintf("%s/" MARK, dir);
	int rc = access(path, F_OK) < 0 ? 0 : rs_file_read(path, 4096, &id, err);

	if (rc < 0 || id.len == 0)
		return rc;
	while (id.len && id.p[id.len - 1] == '\n')
		id.p[--id.len] = '\0';
	if (strcmp(id.p, l->id) == 0)
		return 0;
	for (unsigned i = 0; i < l->aliases.n; i++)
		if (strcmp(id.p, l->aliases.v[i]) == 0)
			return 0;
	return rs_err_set(err, -EEXIST, "%s is the workspace of another lesson (%s)", dir, id.p);
}

static int move_aside(const char *path, struct rs_err *err)
{
	for (unsigned n = 1; n < 10000; n++) {
		rs_auto_free char *to = rs_xasprintf("%s.orig-%u", path, n);

		if (linkat(AT_FDCWD, path, AT_FDCWD, to, 0) == 0) {
			/* The old content has its new name; the old name goes with the save. */
			return 0;
		}
		if (errno != EEXIST)
			return rs_err_errno(err, errno, "%s cannot be moved aside", path);
	}
	return rs_err_set(err, -EEXIST, "%s cannot be moved aside: too many copies", path);
}

/* readonly: the lesson's own, renewed always. */
static int place(const struct eng_lesson *l, const char *dir, const char *name, bool renew,
		 bool readonly, struct rs_err *err)
{
	rs_auto_str want = RS_STR_INIT, have = RS_STR_INIT;
	rs_auto_free char *path = rs_xasprintf("%s/%s", dir, name);
	int rc = eng_file_beneath(l->dir, name, &want);

	if (rc < 0)
		return rs_err_errno(err, -rc, "the lesson's file %s cannot be read", name);
	rc = eng_file_beneath(dir, name, &have);
	if (rc == 0 && (!renew || (have.len == want.len && memcmp(have.p, want.p, want.len) == 0)))
		return 0;
	if (rc == 0 && !readonly) {
		rc = move_aside(path, err);
		if (rc < 0)
			return rc;
	} else if (rc < 0 && rc != -ENOENT) {
		return rs_err_errno(err, -rc, "%s cannot be read", path);
	}
	return eng_file_place(path, want.p, want.len, err);
}

int eng_workspace_prepare(const struct eng_lesson *l, const char *dir, bool reset, struct rs_err *err)
{
	rs_auto_free char *mark = rs_xasprintf("%s/" MARK, dir);
	rs_auto_free char *line = rs_xasprintf("%s\n", l->id);
	int rc = rs_mkdirs(dir, err);

	if (rc == 0)
		rc = check_mark(l, dir, err);
	for (unsigned i = 0; rc == 0 && l->dir && i < l->starter.n; i++)
		rc = place(l, dir, l->starter.v[i], reset, false, err);
	for (unsigned i = 0; rc == 0 && l->dir && i < l->readonly.n; i++)
		rc = place(l, dir, l->readonly.v[i], true, true, err);
	if (rc == 0 && access(mark, F_OK) < 0)
		rc = rs_file_save(mark, line, strlen(line), err);
	return rc;
}
