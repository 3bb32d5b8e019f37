/* The files beside lesson.yaml: are they there, and does wrong/ fit the checks? */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/base/cleanup.h"
#include "engine/lesson.h"

/* A regular file that is not a way out of the folder. */
static int file_there(struct eng_loader *ld, const struct eng_node *n, const char *sub)
{
	rs_auto_free char *path = rs_xasprintf("%s/%s%s", ld->l->dir, sub, n->s);
	struct stat st;

	if (lstat(path, &st))
		return LESSON_FAIL(ld, n, "the file \"%s%s\" does not exist in the lesson's folder", sub, n->s);
	if (!S_ISREG(st.st_mode))
		return LESSON_FAIL(ld, n, "\"%s%s\" is not a regular file", sub, n->s);
	return 0;
}

static int files_there(struct eng_loader *ld, const struct eng_node *list, const char *sub)
{
	int rc = 0;

	for (unsigned i = 0; !rc && list && i < list->items; i++)
		rc = file_there(ld, list->item[i], sub);
	return rc;
}

static bool has_check(const struct eng_lesson *l, const char *id)
{
	for (unsigned i = 0; i < l->steps; i++)
		for (unsigned k = 0; k < l->step[i].checks; k++)
			if (!strcmp(l->step[i].check[k].id, id))
				return true;
	return false;
}

static const char *near_check(const struct eng_lesson *l, const char *id)
{
	const char *names[257];
	unsigned n = 0;

	for (unsigned i = 0; i < l->steps; i++)
		for (unsigned k = 0; k < l->step[i].checks && n < 256; k++)
			names[n++] = l->step[i].check[k].id;
	names[n] = NULL;
	return rs_did_you_mean(id, names);
}

/* Every file of a wrong answer replaces one that the student may change. */
static int wrong_files(struct eng_loader *ld, const char *path)
{
	rs_auto_closedir DIR *d = opendir(path);
	const struct dirent *e;
	unsigned files = 0;

	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		files++;
		if (!eng_strings_have(&ld->l->starter, e->d_name))
			return rs_err_at(ld->err, -EINVAL, path, 0, 0,
					 "\"%s\" is not one of the lesson's starter files", e->d_name);
	}
	if (!files)
		return rs_err_at(ld->err, -EINVAL, path, 0, 0, "the folder holds no file");
	return 0;
}

static int take_wrong(struct eng_loader *ld, const char *name)
{
	struct eng_lesson *l = ld->l;
	rs_auto_free char *path = rs_xasprintf("%s/wrong/%s", l->dir, name);
	rs_auto_free char *check = rs_xstrdup(name);
	struct stat st;

	check[strcspn(check, ".")] = 0;
	if (stat(path, &st) || !S_ISDIR(st.st_mode))
		return rs_err_at(ld->err, -EINVAL, path, 0, 0,
				 "wrong/ holds folders, each named after the check that it must fail");
	if (!has_check(l, check)) {
		const char *near = near_check(l, check);

		if (near)
			return rs_err_at(ld->err, -EINVAL, path, 0, 0,
					 "the folder names no check: there is no \"%s\"; did you mean \"%s\"?", check,
					 near);
		return rs_err_at(ld->err, -EINVAL, path, 0, 0, "the folder names no check: there is no \"%s\"",
				 check);
	}
	l->wrong = rs_xrealloc(l->wrong, l->wrongs + 1, sizeof(*l->wrong));
	l->wrong[l->wrongs].name = rs_xstrdup(name);
	l->wrong[l->wrongs].check = rs_steal(check);
	l->wrongs++;
	return wrong_files(ld, path);
}

static int visible(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static int take_wrongs(struct eng_loader *ld)
{
	rs_auto_free char *dir = rs_xasprintf("%s/wrong", ld->l->dir);
	struct dirent **list = NULL;
	int n = scandir(dir, &list, visible, alphasort), rc = 0;

	for (int i = 0; i < n; i++) {
		if (!rc)
			rc = take_wrong(ld, list[i]->d_name);
		free(list[i]);
	}
	free(list);
	return rc;
}

int eng_lesson_files(struct eng_loader *ld, const struct eng_node *root)
{
	const struct eng_node *files = eng_node_get(root, "files", NULL);
	int rc;

	if (!ld->l->dir)
		return 0;
	rc = files_there(ld, eng_node_get(files, "starter", NULL), "");
	if (!rc)
		rc = files_there(ld, eng_node_get(files, "readonly", NULL), "");
	if (!rc)
		rc = files_there(ld, eng_node_get(files, "solution", NULL), "solution/");
	return rc ? rc : take_wrongs(ld);
}
