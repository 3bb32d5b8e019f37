/* ringside start LESSON: a workspace with the starter files. */
#include <limits.h>
#include <stdlib.h>

#include "engine/base/cleanup.h"
#include "engine/cli.h"

static int run(struct eng_cli *c)
{
	struct rs_err err = RS_ERR_INIT, why = RS_ERR_INIT;
	const char *given = eng_cli_opt(c, "dir");
	struct eng_lesson *l = eng_cli_lesson(c->arg[0], &err);
	rs_auto_free char *dir = NULL;
	const char *edit = NULL;

	if (!l)
		return eng_cli_fail(c, eng_cli_exit_of(&err), &err);
	dir = given ? rs_xstrdup(given) : eng_workspace_path(l, &err);
	if (!dir || eng_workspace_prepare(l, dir, eng_cli_flag(c, "reset"), &err) < 0) {
		eng_lesson_free(l);
		return eng_cli_fail(c, ENG_EXIT_INTERNAL, &err);
	}
	for (unsigned i = 0; i < l->steps && !edit; i++)
		if (l->step[i].task)
			edit = l->step[i].task->edit;
	eng_cli_out(c, N_("%s is ready in\n  %s\n\n"), eng_text(&l->title, c->lang), dir);
	eng_cli_out(c, N_("What next:\n"));
	eng_cli_out(c, N_("  ringside lab %s        open it in the lab\n"), l->id);
	if (edit)
		eng_cli_out(c, N_("  $EDITOR %s/%s   change the guest\n"), dir, edit);
	if (given) {
		eng_cli_out(c, N_("  ringside watch %s --workspace %s   check it on every save\n"), l->id,
			    dir);
		eng_cli_out(c, N_("  ringside grade %s --workspace %s   points\n"), l->id, dir);
	} else {
		eng_cli_out(c, N_("  ringside watch %s      check it on every save\n"), l->id);
		eng_cli_out(c, N_("  ringside grade %s      points\n"), l->id);
	}
	if (eng_lesson_runnable(l, NULL, &why) < 0) {
		eng_cli_note(c, N_("\nThis machine cannot run it yet. "));
		fprintf(c->err, "%s\n", why.text[c->lang]);
	}
	eng_lesson_free(l);
	return ENG_EXIT_OK;
}

static const struct eng_opt opts[] = {
	{ 'd', "dir", N_("DIR"), N_("put the workspace there, not in the data directory"), ENG_ARG_DIR,
	  NULL },
	{ 0, "reset", NULL, N_("start again; changed files are kept as NAME.orig-N"), 0, NULL },
	{ 0, NULL, NULL, NULL, 0, NULL },
};

const struct eng_cmd eng_cmd_start = {
	.name = "start", .args = N_("LESSON"), .args_min = 1, .args_max = 1, .arg = ENG_ARG_LESSON,
	.opts = opts,
	.brief = N_("copy a lesson's starter files and say what to do next"),
	.help = N_("LESSON is a number (202), an id, or the path of a lesson folder. Files that are "
		   "there already stay as they are."),
	.run = run,
};
