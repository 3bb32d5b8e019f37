/* ringside run, record, replay: a lesson told as text or JSON, live or from a recording. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/cleanup.h"
#include "engine/cli.h"
#include "engine/grade.h"
#include "engine/play.h"

/* ---- run ---- */

static int play(struct eng_cli *c, const struct eng_play_opts *o)
{
	struct rs_err err = RS_ERR_INIT;
	struct eng_lesson *l = eng_cli_lesson(c->arg[0], &err);
	rs_auto_free char *marked = NULL;
	struct eng_play_opts with = *o;
	int rc;

	if (!l)
		return eng_cli_fail(c, eng_cli_exit_of(&err), &err);
	/* "ringside run ." in a workspace means this one */
	if (!with.workspace && !with.solution && eng_is_dir(c->arg[0])) {
		marked = eng_is_lesson_dir(c->arg[0]) ? NULL : eng_workspace_lesson(c->arg[0]);
		if (marked)
			with.workspace = c->arg[0];
	}
	rc = eng_play(c, l, &with);
	eng_lesson_free(l);
	return rc;
}

static int run(struct eng_cli *c)
{
	struct eng_play_opts o = {
		.json = eng_cli_flag(c, "json"),
		.hints = eng_cli_flag(c, "hints"),
		.solution = eng_cli_flag(c, "solution"),
		.workspace = eng_cli_opt(c, "workspace"),
		.engine = eng_cli_opt(c, "engine"),
		.step = eng_cli_opt(c, "step"),
		.record = eng_cli_opt(c, "record"),
	};

	if (o.json && eng_cli_flag(c, "plain"))
		return eng_cli_usage(c, N_("--plain and --json exclude each other"));
	if (o.solution && o.workspace)
		return eng_cli_usage(c, N_("--solution and --workspace exclude each other"));
	/* on a terminal the lab shows it, unless something was asked for that the lab does not do */
	if (c->in_tty && c->out_tty && c->ui->lab && !c->optvals)
		return c->ui->lab(c->arg[0], c->lang);
	return play(c, &o);
}

static const struct eng_opt run_opts[] = {
	{ 'p', "plain", NULL, N_("as text, line by line; the default without a terminal"), 0, NULL },
	{ 'j', "json", NULL, N_("as JSON, an object a line"), 0, NULL },
	{ 0, "solution", NULL, N_("play a copy of the lesson's own solution"), 0, NULL },
	{ 'w', "workspace", N_("DIR"), N_("the files to run, not those in the data directory"),
	  ENG_ARG_DIR, NULL },
	{ 'e', "engine", N_("ENGINE"), N_("run on this engine: kvm or soft a machine, jit or interp a translated program"), ENG_ARG_ENGINE, NULL },
	{ 's', "step", N_("ID"), N_("this step alone"), ENG_ARG_TEXT, NULL },
	{ 0, "hints", NULL, N_("show all hints of a failed check, not the first alone"), 0, NULL },
	{ 'r', "record", N_("FILE"), N_("write a recording, for \"ringside replay\""), ENG_ARG_FILE, NULL },
	{ 0, NULL, NULL, NULL, 0, NULL },
};

const struct eng_cmd eng_cmd_run = {
	.name = "run", .args = N_("LESSON"), .args_min = 1, .args_max = 1, .arg = ENG_ARG_LESSON,
	.opts = run_opts,
	.brief = N_("play a lesson from its first step to its last"),
	.help = N_("On a terminal, without options, it opens the lesson in the lab. With --plain, or "
		   "without a terminal, the whole lesson is told as linear text that a screen reader or a "
		   "log can follow: the texts, what happens as it happens, your predictions (asked for if "
		   "the input is a terminal), and each check with what was expected and what was found."),
	.run = run,
};

/* ---- record ---- */

static int record(struct eng_cli *c)
{
	struct eng_play_opts o = {
		.hints = eng_cli_flag(c, "hints"),
		.solution = eng_cli_flag(c, "solution"),
		.workspace = eng_cli_opt(c, "workspace"),
		.engine = eng_cli_opt(c, "engine"),
		.record = c->arg[1],
	};
	int rc;

	if (o.solution && o.workspace)
		return eng_cli_usage(c, N_("--solution and --workspace exclude each other"));
	rc = play(c, &o);
	/* a failed check is a good recording too */
	if (rc == ENG_EXIT_OK || rc == ENG_EXIT_FAILED)
		eng_cli_note(c, N_("ringside: recorded to %s; \"ringside replay %s\" plays it\n"), c->arg[1],
			     c->arg[1]);
	return rc;
}

static const struct eng_opt record_opts[] = {
	{ 0, "hints", NULL, N_("show all hints of a failed check, not the first alone"), 0, NULL },
	{ 0, "solution", NULL, N_("play a copy of the lesson's own solution"), 0, NULL },
	{ 'w', "workspace", N_("DIR"), N_("the files to run, not those in the data directory"),
	  ENG_ARG_DIR, NULL },
	{ 'e', "engine", N_("ENGINE"), N_("run on this engine: kvm or soft a machine, jit or interp a translated program"), ENG_ARG_ENGINE, NULL },
	{ 0, NULL, NULL, NULL, 0, NULL },
};

const struct eng_cmd eng_cmd_record = {
	.name = "record", .args = N_("LESSON FILE"), .args_min = 2, .args_max = 2, .arg = ENG_ARG_LESSON,
	.opts = record_opts,
	.brief = N_("play a lesson as text and record it to a file"),
	.help = N_("The recording holds every event, so it shows the same screens and earns the same "
		   "grade where there is no KVM, no root and no terminal."),
	.run = record,
};

/* ---- replay ---- */

static int grade_recording(struct eng_cli *c)
{
	const char *format = eng_cli_opt(c, "format");
	const struct eng_grade_format *f = eng_grade_formats;
	struct rs_err err = RS_ERR_INIT;
	struct eng_session *s = eng_session_replay(c->arg[0], 0, &err);
	rs_auto_str out = RS_STR_INIT;
	struct eng_grade g;
	int rc;

	if (!s)
		return eng_cli_fail(c, eng_cli_exit_of(&err), &err);
	eng_session_wait(s);
	eng_grade_session(&g, s);
	while (format && f->name && strcmp(f->name, format) != 0)
		f++;
	f->write(&g, 1, c->lang, c->color, &out);
	fwrite(out.p, 1, out.len, c->out);
	rc = eng_grade_exit(&g, 1);
	if (eng_session_record_error(s))
		rc = eng_cli_fail(c, rc, eng_session_record_error(s));
	eng_grade_release(&g);
	eng_session_free(s);
	return rc;
}

static int replay(struct eng_cli *c)
{
	const char *text = eng_cli_opt(c, "speed");
	bool plain = eng_cli_flag(c, "plain"), json = eng_cli_flag(c, "json");
	double speed = 1;
	char *end;

	if (text) {
		speed = strtod(text, &end);
		if (end == text || *end || !(speed >= 0 && speed <= 1e6))
			return eng_cli_usage(c, N_("--speed wants a factor such as 0.5 or 4 (0: as fast as "
						   "it can be), not \"%s\""), text);
	}
	if (plain + json + eng_cli_flag(c, "grade") > 1)
		return eng_cli_usage(c, N_("--plain, --json and --grade exclude each other"));
	if (eng_cli_flag(c, "grade"))
		return grade_recording(c);
	if (eng_cli_opt(c, "format"))
		return eng_cli_usage(c, N_("--format goes with --grade"));
	if (!plain && !json && c->in_tty && c->out_tty && c->ui->replay)
		return c->ui->replay(c->arg[0], speed, c->lang);
	return eng_play_recording(c, c->arg[0], text ? speed : 0, json, eng_cli_flag(c, "hints"));
}

static const struct eng_opt replay_opts[] = {
	{ 'p', "plain", NULL, N_("as text, line by line; the default without a terminal"), 0, NULL },
	{ 'j', "json", NULL, N_("as JSON, an object a line"), 0, NULL },
	{ 'g', "grade", NULL, N_("evaluate the lesson's checks on the recording"), 0, NULL },
	{ 'f', "format", N_("FORMAT"), N_("with --grade: how to say it"), ENG_ARG_CHOICE,
	  eng_grade_format_names },
	{ 0, "hints", NULL, N_("show all hints of a failed check, not the first alone"), 0, NULL },
	{ 0, "speed", N_("FACTOR"), N_("2 is twice as fast; 0 does not wait at all"), ENG_ARG_TEXT, NULL },
	{ 0, NULL, NULL, NULL, 0, NULL },
};

const struct eng_cmd eng_cmd_replay = {
	.name = "replay", .args = N_("FILE"), .args_min = 1, .args_max = 1, .arg = ENG_ARG_FILE,
	.opts = replay_opts,
	.brief = N_("play a recording; it needs no KVM and no root"),
	.run = replay,
};
