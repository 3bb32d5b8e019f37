/* What the student has done: one JSON file, replaced as a whole.
 *   {"ringside-progress": 1, "lessons": {"rings-syscall": {"points": 4, "max": 6, "step": 2,
 *    "done": false, "when": 1700000000}, ...}}
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"
#include "engine/eng.h"

#define PROGRESS_MAX (4u << 20) /* bytes */

static void json_putp(json_object **o)
{
	json_object_put(*o);
}
#define auto_json rs_cleanup(json_putp) json_object

static char *progress_path(struct rs_err *err)
{
	rs_auto_free char *dir = rs_dir_path(RS_DIR_STATE, "", err);

	return dir ? rs_xasprintf("%s/progress.json", dir) : NULL;
}

static struct eng_progress_entry *entry(struct eng_progress *p, const char *id)
{
	for (unsigned i = 0; i < p->n; i++)
		if (strcmp(p->v[i].lesson, id) == 0)
			return &p->v[i];
	p->v = rs_xrealloc(p->v, p->n + 1, sizeof(*p->v));
	p->v[p->n] = (struct eng_progress_entry){ .lesson = rs_xstrdup(id) };
	return &p->v[p->n++];
}

static int64_t number(json_object *o, const char *key, int64_t max)
{
	json_object *v;
	int64_t n = json_object_object_get_ex(o, key, &v) ? json_object_get_int64(v) : 0;

	return n < 0 ? 0 : n > max ? max : n;
}

static bool parse(struct eng_progress *p, const struct rs_str *text)
{
	struct json_tokener *t = json_tokener_new();
	json_object *version, *lessons, *done;

	if (!t)
		return false;
	auto_json *top = json_tokener_parse_ex(t, text->p, (int)text->len);
	bool whole = json_tokener_get_error(t) == json_tokener_success &&
		     json_tokener_get_parse_end(t) <= text->len;

	json_tokener_free(t);
	if (!whole || !json_object_is_type(top, json_type_object) ||
	    !json_object_object_get_ex(top, "ringside-progress", &version) ||
	    json_object_get_int64(version) != 1 ||
	    !json_object_object_get_ex(top, "lessons", &lessons) ||
	    !json_object_is_type(lessons, json_type_object))
		return false;
	json_object_object_foreach(lessons, id, o) {
		if (!json_object_is_type(o, json_type_object) || !*id)
			return false;
		struct eng_progress_entry *e = entry(p, id);

		e->points = (unsigned)number(o, "points", 1000000);
		e->max = (unsigned)number(o, "max", 1000000);
		e->step = (unsigned)number(o, "step", 1000000);
		e->when = number(o, "when", INT64_MAX);
		e->done = json_object_object_get_ex(o, "done", &done) && json_object_get_boolean(done);
	}
	return true;
}

/* Nobody's work is thrown away: a damaged file is kept beside the new one. */
static int move_damaged(const char *path, struct rs_err *err)
{
	for (unsigned n = 1; n < 1000; n++) {
		rs_auto_free char *to = rs_xasprintf("%s.damaged-%u", path, n);

		if (renameat2(AT_FDCWD, path, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
			return rs_err_set(err, -EBADMSG, "the progress file was damaged; it is kept as "
					  "%s, and progress starts anew", to);
		if (errno != EEXIST)
			break;
	}
	return rs_err_errno(err, errno, "the progress file %s is damaged and cannot be moved aside", path);
}

int eng_progress_load(struct eng_progress *p, struct rs_err *err)
{
	rs_auto_free char *path = progress_path(err);
	rs_auto_str text = RS_STR_INIT;

	*p = (struct eng_progress){ NULL, 0 };
	if (!path)
		return -EIO;
	int rc = rs_file_read(path, PROGRESS_MAX, &text, err);

	if (rc == -ENOENT) {
		if (err)
			*err = (struct rs_err)RS_ERR_INIT;
		return 0;
	}
	if (rc < 0 && rc != -EFBIG)
		return rc;
	if (rc == 0 && parse(p, &text))
		return 0;
	eng_progress_release(p);
	return move_damaged(path, err);
}

int eng_progress_save(const struct eng_progress *p, struct rs_err *err)
{
	rs_auto_free char *path = progress_path(err);
	auto_json *top = json_object_new_object();
	json_object *lessons = json_object_new_object();

	if (!path)
		return -EIO;
	json_object_object_add(top, "ringside-progress", json_object_new_int(1));
	json_object_object_add(top, "lessons", lessons);
	for (unsigned i = 0; i < p->n; i++) {
		const struct eng_progress_entry *e = &p->v[i];
		json_object *o = json_object_new_object();

		json_object_object_add(o, "points", json_object_new_int64(e->points));
		json_object_object_add(o, "max", json_object_new_int64(e->max));
		json_object_object_add(o, "step", json_object_new_int64(e->step));
		json_object_object_add(o, "done", json_object_new_boolean(e->done));
		json_object_object_add(o, "when", json_object_new_int64(e->when));
		json_object_object_add(lessons, e->lesson, o);
	}
	const char *text = json_object_to_json_string_ext(top, JSON_C_TO_STRING_PRETTY);
	int rc = rs_file_save(path, text, strlen(text), err);

	return rc < 0 ? rs_err_wrap(err, "progress was not saved; what was saved before is still there")
		      : 0;
}

void eng_progress_release(struct eng_progress *p)
{
	for (unsigned i = 0; i < p->n; i++)
		free(p->v[i].lesson);
	free(p->v);
	*p = (struct eng_progress){ NULL, 0 };
}

const struct eng_progress_entry *eng_progress_find(const struct eng_progress *p, const char *id)
{
	for (unsigned i = 0; i < p->n; i++)
		if (strcmp(p->v[i].lesson, id) == 0)
			return &p->v[i];
	return NULL;
}

void eng_progress_note(struct eng_progress *p, const struct eng_lesson *l, unsigned step,
		       unsigned points)
{
	struct eng_progress_entry *e = entry(p, l->id);

	/* An older name of this lesson may stand in the file. */
	for (unsigned i = 0; i < l->aliases.n; i++) {
		const struct eng_progress_entry *old = eng_progress_find(p, l->aliases.v[i]);

		if (old && old->points > e->points)
			e->points = old->points;
		if (old && old->step > e->step)
			e->step = old->step;
	}
	if (points > e->points)
		e->points = points;
	if (step > e->step)
		e->step = step;
	e->max = l->points;
	if (e->points > e->max)
		e->points = e->max; /* the lesson has become smaller since */
	e->done = e->done || (e->max > 0 ? e->points == e->max : step + 1 >= l->steps);
	e->when = (int64_t)time(NULL);
}
