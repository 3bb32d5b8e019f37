/* ringside, ringside lab: opens the terminal UI. Without a terminal it tells the first lesson. */
#include <stdlib.h>
#include <string.h>

#include "engine/base/cleanup.h"
#include "engine/cli.h"
#include "engine/play.h"

#define BEGIN_WITH "kvm-ioctl-walk" /* as the README does */

/* The lesson to begin with, where it can run; else one that asks for no other lesson before it, can run
 * here, and asks least of the machine, and of several the one with the lowest number. */
static const struct eng_lesson *first_lesson(const struct eng_catalog *cat)
{
	const struct eng_lesson *best = NULL;
	bool best_runs = false;

	for (unsigned i = 0; i < cat->n; i++) {
		const struct eng_lesson *l = cat->v[i];
		struct rs_err why = RS_ERR_INIT;
		bool runs;

		if (l->prerequisites.n)
			continue;
		runs = eng_lesson_runnable(l, NULL, &why) == 0;
		if (runs && strcmp(l->id, BEGIN_WITH) == 0)
			return l;
		if (!best || (runs && !best_runs) ||
		    (runs == best_runs && l->requires_.n < best->requires_.n)) {
			best = l;
			best_runs = runs;
		}
	}
	return best ? best : cat->n ? cat->v[0] : NULL;
}

static void bad_lesson(void *arg, const struct rs_err *e)
{
	eng_cli_fail(arg, 0, e);
}

/* No terminal: the lesson as text, with its own solution, since nobody is there to solve it. */
static int tell(struct eng_cli *c)
{
	struct eng_play_opts o = { .solution = true };
	struct eng_catalog cat = { 0 };
	struct rs_err err = RS_ERR_INIT;
	struct eng_lesson *named = NULL;
	const struct eng_lesson *l;
	int rc;

	if (c->args) {
		named = eng_cli_lesson(c->arg[0], &err);
		if (!named)
			return eng_cli_fail(c, eng_cli_exit_of(&err), &err);
		l = named;
	} else {
		rs_auto_free char *dir = eng_labs_dir(&err);

		if (!dir)
			return eng_cli_fail(c, ENG_EXIT_INTERNAL, &err);
		if (eng_catalog_load(&cat, dir, bad_lesson, c, &err) < 0)
			return eng_cli_fail(c, eng_cli_exit_of(&err), &err);
		l = first_lesson(&cat);
		if (!l) {
			eng_cli_note(c, N_("ringside: there is no lesson in %s\n"), dir);
			return ENG_EXIT_USAGE;
		}
	}
	eng_cli_note(c, N_("ringside: no terminal here, so lesson %s is told as text\n"), l->folder);
	rc = eng_play(c, l, &o);
	eng_lesson_free(named);
	eng_catalog_release(&cat);
	return rc;
}

static int run(struct eng_cli *c)
{
	const char *term = getenv("TERM");

	if (!c->in_tty || !c->out_tty || !c->ui->lab || !term || strcmp(term, "dumb") == 0)
		return tell(c);
	return c->ui->lab(c->args ? c->arg[0] : NULL, c->lang);
}

const struct eng_cmd eng_cmd_lab = {
	.name = "lab", .args = N_("[LESSON]"), .args_max = 1, .arg = ENG_ARG_LESSON,
	.brief = N_("open the lab; this is what \"ringside\" alone does"),
	.help = N_("Opens the lesson list, or LESSON at once. Without a terminal it tells the first "
		   "lesson as text instead, as \"ringside run --plain --solution\" does."),
	.run = run,
};
