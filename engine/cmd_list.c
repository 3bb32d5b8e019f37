/* ringside list: the lessons, what has been done, and what can run here. */
#include <json-c/json.h>
#include <string.h>

#include "engine/base/cleanup.h"
#include "engine/cli.h"
#include "engine/cli_fill.h"
#include "engine/json.h"

static const struct {
	const char *name, *title;
} tracks[] = {
#define ENG_TRACK(id, title) { #id, title },
#include "engine/tracks.def"
};

/* What this machine says about each lesson, asked once. */
struct row {
	const struct eng_lesson *l;
	const struct eng_progress_entry *p; /* NULL: never opened */
	bool runnable;
	struct rs_err why;
};

static void bad_lesson(void *arg, const struct rs_err *e)
{
	eng_cli_fail(arg, 0, e);
}

static void pad(FILE *f, const char *s, int width)
{
	fputs(s, f);
	for (int n = rs_utf8_width(s, strlen(s)); n < width; n++)
		fputc(' ', f);
}

static void print_row(struct eng_cli *c, const struct row *r, int title_width)
{
	char number[16] = "-", points[32] = "";
	const char *state, *sgr = "0";

	if (r->l->number)
		snprintf(number, sizeof(number), "%d", r->l->number);
	if (r->p)
		snprintf(points, sizeof(points), "%u/%u", r->p->points, r->l->points);
	else
		snprintf(points, sizeof(points), "-/%u", r->l->points);
	if (r->p && r->p->done) {
		state = rs_tr(c->lang, N_("done"));
		sgr = "32";
	} else if (r->p) {
		state = rs_tr(c->lang, N_("begun"));
		sgr = "33";
	} else {
		state = rs_tr(c->lang, N_("new"));
	}
	fprintf(c->out, "  %s%-4s%s ", eng_cli_sgr(c, "1"), number, eng_cli_sgr(c, "0"));
	pad(c->out, eng_text(&r->l->title, c->lang), title_width);
	fprintf(c->out, "  %3u %s  %7s  %s%s%s\n", r->l->minutes, rs_tr(c->lang, N_("min")), points,
		eng_cli_sgr(c, sgr), state, eng_cli_sgr(c, "0"));
	if (!r->runnable) {
		rs_auto_str out = RS_STR_INIT;

		eng_fill(&out, r->why.text[c->lang], rs_tr(c->lang, N_("       cannot run here: ")), 9, 80);
		fprintf(c->out, "%s%s%s", eng_cli_sgr(c, "33"), out.p, eng_cli_sgr(c, "0"));
	}
}

static void print_text(struct eng_cli *c, const struct row *rows, unsigned n)
{
	int width = 20;
	unsigned done = 0;

	for (unsigned i = 0; i < n; i++) {
		const char *t = eng_text(&rows[i].l->title, c->lang);
		int w = rs_utf8_width(t, strlen(t));

		if (w > width)
			width = w;
		done += rows[i].p && rows[i].p->done;
	}
	if (width > 48)
		width = 48;
	for (unsigned t = 0; t < sizeof(tracks) / sizeof(tracks[0]); t++) {
		bool head = false;

		for (unsigned i = 0; i < n; i++) {
			if (strcmp(rows[i].l->track, tracks[t].name) != 0)
				continue;
			if (!head)
				fprintf(c->out, "%s%s%s\n", eng_cli_sgr(c, "1"),
					rs_tr(c->lang, tracks[t].title), eng_cli_sgr(c, "0"));
			head = true;
			print_row(c, &rows[i], width);
		}
	}
	eng_cli_out(c, N_("\nLessons: %u, done: %u. \"ringside start NUMBER\" begins one; \"ringside\" opens "
			  "the lab.\n"), n, done);
}

static void print_json(struct eng_cli *c, const struct row *rows, unsigned n)
{
	struct json_object *top = json_object_new_object(), *list = json_object_new_array();

	json_object_object_add(top, "format", json_object_new_string("ringside/list/v1"));
	for (unsigned i = 0; i < n; i++) {
		struct json_object *o = json_object_new_object();
		const struct eng_lesson *l = rows[i].l;
		const struct eng_progress_entry *p = rows[i].p;

		json_object_object_add(o, "id", eng_json_str(l->id));
		json_object_object_add(o, "number", json_object_new_int(l->number));
		json_object_object_add(o, "track", eng_json_str(l->track));
		json_object_object_add(o, "title", eng_json_text(&l->title));
		json_object_object_add(o, "minutes", json_object_new_int64(l->minutes));
		json_object_object_add(o, "folder", eng_json_str(l->dir));
		json_object_object_add(o, "points", json_object_new_int64(p ? p->points : 0));
		json_object_object_add(o, "max", json_object_new_int64(l->points));
		json_object_object_add(o, "begun", json_object_new_boolean(p != NULL));
		json_object_object_add(o, "done", json_object_new_boolean(p && p->done));
		json_object_object_add(o, "runnable", json_object_new_boolean(rows[i].runnable));
		json_object_object_add(o, "missing",
				       rows[i].runnable ? NULL : eng_json_err(&rows[i].why));
		json_object_array_add(list, o);
	}
	json_object_object_add(top, "lessons", list);
	eng_json_print(c->out, top, true);
}

static int run(struct eng_cli *c)
{
	struct eng_catalog cat = { 0 };
	struct eng_progress prog = { 0 };
	struct rs_err err = RS_ERR_INIT;
	rs_auto_free char *dir = eng_labs_dir(&err);
	rs_auto_free struct row *rows = NULL;

	if (!dir)
		return eng_cli_fail(c, ENG_EXIT_INTERNAL, &err);
	if (eng_catalog_load(&cat, dir, bad_lesson, c, &err) < 0)
		return eng_cli_fail(c, eng_cli_exit_of(&err), &err);
	if (eng_cli_flag(c, "names")) {
		for (unsigned i = 0; i < cat.n; i++) {
			if (cat.v[i]->number)
				fprintf(c->out, "%d\n", cat.v[i]->number);
			fprintf(c->out, "%s\n", cat.v[i]->id);
		}
		eng_catalog_release(&cat);
		return ENG_EXIT_OK;
	}
	if (eng_progress_load(&prog, &err) < 0)
		eng_cli_fail(c, 0, &err);
	rows = rs_xcalloc(cat.n + 1, sizeof(*rows));
	for (unsigned i = 0; i < cat.n; i++) {
		rows[i].l = cat.v[i];
		rows[i].p = eng_progress_find(&prog, cat.v[i]->id);
		rows[i].runnable = eng_lesson_runnable(cat.v[i], NULL, &rows[i].why) == 0;
	}
	if (eng_cli_flag(c, "json"))
		print_json(c, rows, cat.n);
	else
		print_text(c, rows, cat.n);
	eng_progress_release(&prog);
	eng_catalog_release(&cat);
	return ENG_EXIT_OK;
}

static const struct eng_opt opts[] = {
	{ 0, "json", NULL, N_("write JSON"), 0, NULL },
	{ 0, "names", NULL, N_("write numbers and ids alone, one a line"), 0, NULL },
	{ 0, NULL, NULL, NULL, 0, NULL },
};

const struct eng_cmd eng_cmd_list = {
	.name = "list", .opts = opts,
	.brief = N_("list the lessons, your progress, and what can run here"),
	.run = run,
};
