/* lesson.yaml -> struct eng_lesson. The schema has checked names and types (schema_check.c); here
 * stands what one key means for another.
 */
#include "engine/lesson.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"
#include "engine/kinds.h"
#include "engine/schema.h"

const struct eng_view_info eng_view_infos[ENG_VIEW_COUNT] = {
#define ENG_VIEW(id, name, kinds, title, sentence) { name, kinds, title, sentence },
#include "engine/views.def"
};

bool eng_view_fits(enum eng_view v, const struct eng_run *run)
{
	const char *kinds = eng_view_infos[v].kinds;
	size_t n = run ? strlen(run->kind->name) : 0;

	for (const char *k = kinds; run && *k; k += strcspn(k, " "), k += strspn(k, " "))
		if (strcspn(k, " ") == n && !memcmp(k, run->kind->name, n))
			return true;
	return !run || !*kinds;
}

const char *eng_text(const struct eng_text *t, enum rs_lang lang)
{
	if (lang < RS_LANGS && t->s[lang])
		return t->s[lang];
	return t->s[RS_LANG_EN] ? t->s[RS_LANG_EN] : "";
}

void eng_lesson_text(const struct eng_node *n, struct eng_text *out)
{
	if (!n)
		return;
	out->line = n->line;
	out->col = n->col;
	for (int l = 0; l < RS_LANGS; l++)
		out->s[l] = eng_node_str(eng_node_get(n, rs_lang_name((enum rs_lang)l), NULL));
}

void eng_lesson_strings(const struct eng_node *n, struct eng_strings *out)
{
	if (!n)
		return;
	out->line = n->line;
	out->col = n->col;
	out->v = rs_xcalloc(n->items ? n->items : 1, sizeof(*out->v));
	for (unsigned i = 0; i < n->items; i++)
		out->v[out->n++] = eng_node_str(n->item[i]);
}

bool eng_strings_have(const struct eng_strings *s, const char *word)
{
	for (unsigned i = 0; i < s->n; i++)
		if (!strcmp(s->v[i], word))
			return true;
	return false;
}

static void text_release(struct eng_text *t)
{
	for (int l = 0; l < RS_LANGS; l++)
		free(t->s[l]);
}

void eng_strings_release(struct eng_strings *s)
{
	for (unsigned i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
}

static void texts_free(struct eng_text *t, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		text_release(&t[i]);
	free(t);
}

static void check_release(struct eng_check *c)
{
	free(c->id);
	free(c->source);
	eng_expr_free(c->expr);
	texts_free(c->hint, c->hints);
	texts_free(c->why, c->why ? 1 : 0);
}

void eng_step_release(struct eng_step *s)
{
	free(s->id);
	text_release(&s->text);
	if (s->own_run)
		eng_run_free(s->run);
	if (s->predict) {
		text_release(&s->predict->ask);
		free(s->predict->source);
		eng_expr_free(s->predict->answer);
		texts_free(s->predict->choice, s->predict->choices);
		free(s->predict);
	}
	if (s->task)
		free(s->task->edit);
	free(s->task);
	for (unsigned i = 0; i < s->checks; i++)
		check_release(&s->check[i]);
	free(s->check);
}

void eng_lesson_free(struct eng_lesson *l)
{
	if (!l)
		return;
	free(l->dir);
	free(l->path);
	free(l->folder);
	free(l->id);
	eng_strings_release(&l->aliases);
	eng_strings_release(&l->concepts);
	eng_strings_release(&l->prerequisites);
	eng_strings_release(&l->requires_);
	eng_strings_release(&l->starter);
	eng_strings_release(&l->readonly);
	eng_strings_release(&l->solution);
	eng_strings_release(&l->engines);
	for (unsigned i = 0; i < l->wrongs; i++) {
		free(l->wrong[i].name);
		free(l->wrong[i].check);
	}
	free(l->wrong);
	text_release(&l->title);
	text_release(&l->summary);
	free(l->track);
	for (unsigned i = 0; i < l->steps; i++)
		eng_step_release(&l->step[i]);
	free(l->step);
	rs_str_release(&l->yaml);
	free(l);
}

const char *eng_run_kind(const struct eng_run *run)
{
	return run ? run->kind->name : "";
}

const char *eng_run_source(const struct eng_run *run)
{
	if (!run)
		return "";
	return run->source ? run->source : run->image ? run->image : "";
}

uint64_t eng_run_memory_view(const struct eng_run *run)
{
	return run && run->kind->parse == eng_vm_parse ? run->vm.memory_view : 0;
}

void eng_lesson_name(struct eng_lesson *l, const char *folder)
{
	unsigned long n = 0;
	char *end = NULL;

	free(l->folder);
	l->folder = rs_xstrdup(folder);
	if (isdigit((unsigned char)folder[0]))
		n = strtoul(folder, &end, 10);
	l->number = end && (*end == '-' || !*end) && n < 100000 ? (int)n : 0;
}

static void take_folder(struct eng_lesson *l)
{
	rs_auto_free char *real = l->dir ? realpath(l->dir, NULL) : NULL;
	const char *name = real ? strrchr(real, '/') : NULL;

	eng_lesson_name(l, name ? name + 1 : "");
}

static int take_head(struct eng_loader *ld, const struct eng_node *root)
{
	struct eng_lesson *l = ld->l;
	const struct eng_node *files = eng_node_get(root, "files", NULL), *n;

	l->id = eng_node_str(eng_node_get(root, "id", NULL));
	l->track = eng_node_str(eng_node_get(root, "track", NULL));
	l->minutes = (unsigned)eng_node_uint(eng_node_get(root, "minutes", NULL), 0);
	eng_lesson_text(eng_node_get(root, "title", NULL), &l->title);
	eng_lesson_text(eng_node_get(root, "summary", NULL), &l->summary);
	eng_lesson_strings(eng_node_get(root, "aliases", NULL), &l->aliases);
	eng_lesson_strings(eng_node_get(root, "concepts", NULL), &l->concepts);
	eng_lesson_strings(eng_node_get(root, "prerequisites", NULL), &l->prerequisites);
	eng_lesson_strings(eng_node_get(root, "requires", NULL), &l->requires_);
	eng_lesson_strings(eng_node_get(root, "engines", NULL), &l->engines);
	eng_lesson_strings(eng_node_get(files, "starter", NULL), &l->starter);
	eng_lesson_strings(eng_node_get(files, "readonly", NULL), &l->readonly);
	eng_lesson_strings(eng_node_get(files, "solution", NULL), &l->solution);
	for (int lang = 0; lang < RS_LANGS; lang++) {
		const char *const keys[] = { "title", "summary" };

		for (int k = 0; k < 2; k++) {
			n = eng_node_get(eng_node_get(root, keys[k], NULL),
					 rs_lang_name((enum rs_lang)lang), NULL);
			if (strchr(n->s, '\n'))
				return LESSON_FAIL(ld, n, "\"%s\" must be one line", keys[k]);
		}
	}
	n = eng_node_get(root, "prerequisites", NULL);
	for (unsigned i = 0; n && i < n->items; i++)
		if (!strcmp(n->item[i]->s, l->id))
			return LESSON_FAIL(ld, n->item[i], "the lesson names itself as a prerequisite");
	n = eng_node_get(root, "aliases", NULL);
	for (unsigned i = 0; n && i < n->items; i++)
		if (!strcmp(n->item[i]->s, l->id))
			return LESSON_FAIL(ld, n->item[i], "the alias \"%s\" is the lesson's id", l->id);
	n = eng_node_get(files, "readonly", NULL);
	for (unsigned i = 0; n && i < n->items; i++)
		if (eng_strings_have(&l->starter, n->item[i]->s))
			return LESSON_FAIL(ld, n->item[i], "\"%s\" cannot be a starter file and read-only",
					   n->item[i]->s);
	return 0;
}

static int take(struct eng_loader *ld, const struct eng_node *root)
{
	struct eng_lesson *l = ld->l;
	const struct eng_node *steps;
	int rc = eng_schema_check(root, "lesson", ld->file, ld->err);

	if (!rc)
		rc = take_head(ld, root);
	if (rc)
		return rc;
	steps = eng_node_get(root, "steps", NULL);
	l->step = rs_xcalloc(steps->items, sizeof(*l->step));
	for (unsigned i = 0; i < steps->items; i++) {
		l->steps++; /* also a half-made step is released */
		rc = eng_lesson_step(ld, steps->item[i], i);
		if (rc)
			return rc;
		for (unsigned c = 0; c < l->step[i].checks; c++)
			l->points += l->step[i].check[c].points;
	}
	return eng_lesson_files(ld, root);
}

struct eng_lesson *eng_lesson_parse(const char *yaml, size_t n, const char *name, const char *dir,
				    struct rs_err *err)
{
	struct eng_lesson *l = rs_xcalloc(1, sizeof(*l));
	struct eng_loader ld = { .l = l, .file = name, .text = yaml, .size = n, .err = err };
	struct eng_node *root;

	l->yaml = (struct rs_str)RS_STR_INIT;
	l->dir = dir ? rs_xstrdup(dir) : NULL;
	l->path = rs_xstrdup(name);
	take_folder(l);
	root = eng_yaml_parse(yaml, n, name, err);
	if (!root || take(&ld, root)) {
		eng_node_free(root);
		eng_lesson_free(l);
		return NULL;
	}
	eng_node_free(root);
	rs_str_addn(&l->yaml, yaml, n);
	return l;
}

struct eng_lesson *eng_lesson_load(const char *path, struct rs_err *err)
{
	rs_auto_str text = RS_STR_INIT;
	rs_auto_free char *file = NULL;
	rs_auto_free char *dir = NULL;
	struct stat st;

	if (stat(path, &st)) {
		int e = errno;

		rs_err_errno(err, e, "cannot open the lesson %s", path);
		return NULL;
	}
	if (S_ISDIR(st.st_mode)) {
		dir = rs_xstrdup(path);
		for (size_t n = strlen(dir); n > 1 && dir[n - 1] == '/'; n--)
			dir[n - 1] = 0;
		file = rs_xasprintf("%s/lesson.yaml", dir);
		if (stat(file, &st)) {
			rs_err_set(err, -ENOENT, "there is no lesson.yaml in %s", path);
			return NULL;
		}
	} else {
		const char *slash = strrchr(path, '/');

		file = rs_xstrdup(path);
		dir = slash ? rs_xasprintf("%.*s", slash == path ? 1 : (int)(slash - path), path) :
			      rs_xstrdup(".");
	}
	if (rs_file_read(file, ENG_YAML_MAX, &text, err))
		return NULL;
	return eng_lesson_parse(text.p, text.len, file, dir, err);
}
