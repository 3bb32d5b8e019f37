/* ringside grade LESSON|DIR... */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"
#include "engine/cli.h"
#include "engine/copy.h"
#include "engine/grade.h"

/* What is to be graded: a lesson, and where the student's files are. */
struct job {
	struct eng_lesson *lesson;
	char *workspace;        /* NULL: the lesson's own, or its starter when there is none */
};
struct jobs {
	struct job *v;
	unsigned n;
	bool bad;               /* an argument was no valid lesson: exit code 2 in the end */
};

static void jobs_add(struct jobs *j, struct eng_lesson *l, const char *workspace)
{
	j->v = rs_xrealloc(j->v, j->n + 1, sizeof(*j->v));
	j->v[j->n++] = (struct job){ l, workspace ? rs_xstrdup(workspace) : NULL };
}

static void jobs_release(struct jobs *j)
{
	for (unsigned i = 0; i < j->n; i++) {
		eng_lesson_free(j->v[i].lesson);
		free(j->v[i].workspace);
	}
	free(j->v);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* A folder of lessons or of workspaces: each one below it. Returns how many there were. */
static unsigned add_folder(struct eng_cli *c, struct jobs *j, const char *dir)
{
	struct dirent **names = NULL;
	int n = scandir(dir, &names, NULL, by_name);
	unsigned found = 0;

	for (int i = 0; i < n; i++) {
		rs_auto_free char *path = rs_xasprintf("%s/%s", dir, names[i]->d_name);
		rs_auto_free char *marked = NULL;
		struct rs_err err = RS_ERR_INIT;
		struct eng_lesson *l;

		if (names[i]->d_name[0] != '.' && eng_is_dir(path)) {
			marked = eng_workspace_lesson(path);
			if (marked || eng_is_lesson_dir(path)) {
				found++;
				l = eng_cli_lesson(path, &err);
				if (l) {
					jobs_add(j, l, marked ? path : NULL);
				} else {
					eng_cli_fail(c, 0, &err);
					j->bad = true;
				}
			}
		}
		free(names[i]);
	}
	free(names);
	return found;
}

static void add_argument(struct eng_cli *c, struct jobs *j, const char *arg)
{
	struct rs_err err = RS_ERR_INIT;
	rs_auto_free char *marked = NULL;
	struct eng_lesson *l;

	if (eng_is_dir(arg) && !eng_is_lesson_dir(arg)) {
		marked = eng_workspace_lesson(arg);
		if (!marked && add_folder(c, j, arg))
			return;
	}
	l = eng_cli_lesson(arg, &err);
	if (!l) {
		eng_cli_fail(c, 0, &err);
		j->bad = true;
		return;
	}
	jobs_add(j, l, marked ? arg : NULL);
}

/* DIR/202-rings-syscall, DIR/rings-syscall, DIR/202, or DIR itself. The caller frees. */
static char *workspace_in(const char *dir, const struct eng_lesson *l, bool several)
{
	rs_auto_free char *number = rs_xasprintf("%d", l->number);
	const char *names[] = { l->folder, l->id, l->number ? number : NULL };

	for (unsigned i = 0; i < 3; i++) {
		rs_auto_free char *path = names[i] ? rs_xasprintf("%s/%s", dir, names[i]) : NULL;

		if (path && eng_is_dir(path))
			return rs_steal(path);
	}
	return several ? NULL : rs_xstrdup(dir);
}

/* Grades one job on a scratch copy. An error is about the command line or the disk. */
static int grade_one(struct eng_cli *c, const struct job *job, bool several, struct eng_grade *g,
		     struct rs_err *err)
{
	rs_cleanup(eng_copy_release) struct eng_copy copy = ENG_COPY_INIT;
	struct eng_grade_opts o = { .engine = eng_cli_opt(c, "engine"), .step = eng_cli_opt(c, "step") };
	const char *dir = eng_cli_opt(c, "workspace");
	rs_auto_free char *from = NULL;
	rs_auto_free char *own = NULL, *marked = NULL;
	int rc;

	rc = eng_copy_new(&copy, err);
	if (rc < 0)
		return rc;
	o.workspace = copy.path;
	if (eng_cli_flag(c, "solution")) {
		rc = eng_copy_solution(&copy, job->lesson, err);
		from = rs_xasprintf("%s/solution", job->lesson->dir);
		if (rc < 0)
			return rc;
	} else {
		if (job->workspace)
			from = rs_xstrdup(job->workspace);
		else if (dir)
			from = workspace_in(dir, job->lesson, several);
		if (dir && !from)
			return rs_err_set(err, -ENOENT, N_("%s has no folder %s for that lesson"), dir,
					  job->lesson->folder);
		if (!from) {
			own = eng_workspace_path(job->lesson, err);
			if (!own)
				return err->code;
			marked = eng_workspace_lesson(own);
			if (marked)
				from = rs_xstrdup(own);
		}
		if (!from)
			eng_cli_note(c, N_("ringside: no workspace for %s yet, so its starter files are "
					   "graded\n"), job->lesson->id);
		rc = from ? eng_copy_work(&copy, job->lesson, from, err) :
			    eng_copy_starter(&copy, job->lesson, err);
		if (rc < 0)
			return rc;
	}
	o.shown = from ? from : "";
	eng_grade_run(g, job->lesson, &o);
	return 0;
}

static int write_result(struct eng_cli *c, const struct eng_grade *g, unsigned n)
{
	const char *format = eng_cli_opt(c, "format"), *file = eng_cli_opt(c, "output");
	const struct eng_grade_format *f = eng_grade_formats;
	struct rs_err err = RS_ERR_INIT;
	rs_auto_str out = RS_STR_INIT;

	while (format && f->name && strcmp(f->name, format) != 0)
		f++;
	f->write(g, n, c->lang, c->color && !file, &out);
	if (!file || strcmp(file, "-") == 0) {
		fwrite(out.p, 1, out.len, c->out);
		return 0;
	}
	if (rs_file_save(file, out.p, out.len, &err) < 0)
		return eng_cli_fail(c, ENG_EXIT_INTERNAL, &err);
	return 0;
}

/* Best points of the student's own workspaces. */
static void note_progress(struct eng_cli *c, const struct eng_grade *g, unsigned n)
{
	struct eng_progress p = { 0 };
	struct rs_err err = RS_ERR_INIT;

	if (eng_progress_load(&p, &err) < 0)
		eng_cli_fail(c, 0, &err);
	for (unsigned i = 0; i < n; i++)
		if (g[i].verdict == ENG_PASS || g[i].verdict == ENG_FAIL)
			eng_progress_note(&p, g[i].lesson,
					  g[i].verdict == ENG_PASS ? g[i].lesson->steps - 1 : 0,
					  g[i].points);
	if (eng_progress_save(&p, &err) < 0)
		eng_cli_fail(c, 0, &err);
	eng_progress_release(&p);
}

static int run(struct eng_cli *c)
{
	struct jobs jobs = { 0 };
	const char *step = eng_cli_opt(c, "step");
	rs_auto_free struct eng_grade *g = NULL;
	unsigned n = 0;
	bool own = !eng_cli_opt(c, "workspace") && !eng_cli_flag(c, "solution") && !step;
	int rc = 0, code;

	for (unsigned i = 0; i < c->args; i++)
		add_argument(c, &jobs, c->arg[i]);
	g = rs_xcalloc(jobs.n + 1, sizeof(*g));
	for (unsigned i = 0; i < jobs.n && !rc; i++) {
		struct rs_err err = RS_ERR_INIT;

		own &= jobs.v[i].workspace == NULL;
		if (step && !eng_lesson_has_step(jobs.v[i].lesson, step)) {
			rc = eng_cli_usage(c, N_("lesson %s has no step \"%s\""), jobs.v[i].lesson->id, step);
		} else if (grade_one(c, &jobs.v[i], jobs.n > 1, &g[n], &err) < 0) {
			eng_cli_fail(c, 0, &err);
			if (eng_cli_exit_of(&err) == ENG_EXIT_USAGE)
				jobs.bad = true;
			else
				rc = ENG_EXIT_INTERNAL;
		} else {
			n++;
		}
	}
	/* nothing graded: no document either, so that nobody takes it for a result */
	if (n && !rc)
		rc = write_result(c, g, n);
	code = jobs.bad ? ENG_EXIT_USAGE : eng_grade_exit(g, n);
	if (own && n && !rc)
		note_progress(c, g, n);
	for (unsigned i = 0; i < n; i++)
		eng_grade_release(&g[i]);
	jobs_release(&jobs);
	return rc ? rc : code;
}

static const struct eng_opt opts[] = {
	{ 'w', "workspace", N_("DIR"), N_("the student's files: DIR itself, or a folder in it named after "
	  "the lesson"), ENG_ARG_DIR, NULL },
	{ 'f', "format", N_("FORMAT"), N_("how to say it"), ENG_ARG_CHOICE, eng_grade_format_names },
	{ 'o', "output", N_("FILE"), N_("write there, as a whole or not at all"), ENG_ARG_FILE, NULL },
	{ 'e', "engine", N_("ENGINE"), N_("run on this engine: kvm or soft a machine, jit or interp a translated program"), ENG_ARG_ENGINE, NULL },
	{ 's', "step", N_("ID"), N_("grade this step alone"), ENG_ARG_TEXT, NULL },
	{ 0, "solution", NULL, N_("grade the lesson's own solution"), 0, NULL },
	{ 0, NULL, NULL, NULL, 0, NULL },
};

const struct eng_cmd eng_cmd_grade = {
	.name = "grade", .args = N_("LESSON|DIR..."), .args_min = 1, .arg = ENG_ARG_LESSON, .opts = opts,
	.brief = N_("run the checks and say the points"),
	.help = N_("LESSON is a number (202), an id, or a lesson folder. DIR is a workspace that "
		   "\"ringside start\" made, or a folder that holds lessons or workspaces; all of them are "
		   "graded.\n\n"
		   "A copy of the workspace is graded, so the files stay as they are. No event is ever "
		   "dropped: a verdict that could not be reached is inconclusive (exit code 3), never "
		   "passed. A lesson that this machine cannot run is not graded (exit code 77): that is "
		   "neither zero points nor full points."),
	.run = run,
};
