/* From words on the command line to lessons and workspaces. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"
#include "engine/cli.h"

/* Does the folder hold a lesson.yaml? */
bool eng_is_lesson_dir(const char *path)
{
	rs_auto_free char *yaml = rs_xasprintf("%s/lesson.yaml", path);

	return access(yaml, F_OK) == 0;
}

bool eng_is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The lesson id that a workspace is marked with (.ringside); NULL if it is none. */
char *eng_workspace_lesson(const char *dir)
{
	rs_auto_free char *mark = rs_xasprintf("%s/.ringside", dir);
	rs_auto_str text = RS_STR_INIT;
	size_t n;

	if (access(mark, R_OK) < 0 || rs_file_read(mark, 256, &text, NULL) < 0)
		return NULL;
	n = strcspn(text.p, " \r\n");
	return n ? rs_xasprintf("%.*s", (int)n, text.p) : NULL;
}

static bool looks_like_path(const char *s)
{
	return strchr(s, '/') || strcmp(s, ".") == 0 || strcmp(s, "..") == 0;
}

struct eng_lesson *eng_cli_lesson(const char *name, struct rs_err *err)
{
	struct eng_catalog cat = { 0 };
	rs_auto_free char *dir = NULL, *path = NULL, *marked = NULL;
	struct eng_lesson *l;

	if (eng_is_dir(name) && (eng_is_lesson_dir(name) || looks_like_path(name))) {
		if (eng_is_lesson_dir(name))
			return eng_lesson_load(name, err);
		marked = eng_workspace_lesson(name);
		if (!marked) {
			rs_err_set(err, -ENOENT, N_("%s is neither a lesson (it has no lesson.yaml) nor a "
						    "workspace"), name);
			return NULL;
		}
		name = marked;
	} else if (looks_like_path(name)) {
		return eng_lesson_load(name, err);
	}
	dir = eng_labs_dir(err);
	/* a lesson that is broken is no reason not to find another one */
	if (!dir || eng_catalog_load(&cat, dir, NULL, NULL, err) < 0)
		return NULL;
	l = eng_catalog_find(&cat, name, err);
	if (l)
		path = rs_xstrdup(l->dir);
	eng_catalog_release(&cat);
	return path ? eng_lesson_load(path, err) : NULL;
}

bool eng_lesson_has_step(const struct eng_lesson *l, const char *id)
{
	for (unsigned i = 0; i < l->steps; i++)
		if (strcmp(l->step[i].id, id) == 0)
			return true;
	return false;
}
