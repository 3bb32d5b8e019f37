/* ringside lint PATH... */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "engine/base/cleanup.h"
#include "engine/cli.h"
#include "engine/lint.h"

struct reporter {
	struct eng_cli *c;
	bool quiet;
};

static void say(void *arg, enum eng_lint_kind kind, const struct rs_err *e)
{
	static const struct {
		const char *word, *sgr;
	} words[] = {
		[ENG_LINT_PROVED] = { N_("proved"), "32" },   [ENG_LINT_NOTE] = { N_("note"), "2" },
		[ENG_LINT_WARNING] = { N_("warning"), "33" }, [ENG_LINT_REFUSED] = { N_("refused"), "31" },
		[ENG_LINT_NEEDS] = { N_("not proved"), "33" },
	};
	struct reporter *r = arg;
	char buf[1024];

	if (r->quiet && (kind == ENG_LINT_PROVED || kind == ENG_LINT_NOTE))
		return;
	fprintf(r->c->out, "  %s%s%s  %s\n", eng_cli_sgr(r->c, words[kind].sgr),
		rs_tr(r->c->lang, words[kind].word), eng_cli_sgr(r->c, "0"),
		rs_err_format(e, r->c->lang, buf, sizeof(buf)));
	fflush(r->c->out);
}

static void heading(struct eng_cli *c, const char *path)
{
	fprintf(c->out, "%s%s%s\n", eng_cli_sgr(c, "1"), path, eng_cli_sgr(c, "0"));
}

static int visible(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

/* The lessons of a folder; a folder that begins with a number is meant to be one. */
static unsigned lint_folder(struct eng_cli *c, struct eng_lint *lt, const char *dir)
{
	struct dirent **list = NULL;
	int n = scandir(dir, &list, visible, alphasort);
	unsigned lessons = 0;

	for (int i = 0; i < n; i++) {
		rs_auto_free char *path = rs_xasprintf("%s/%s", dir, list[i]->d_name);
		bool number = list[i]->d_name[0] >= '0' && list[i]->d_name[0] <= '9';

		if (eng_is_dir(path) && (number || eng_is_lesson_dir(path))) {
			heading(c, path);
			eng_lint_lesson(lt, path);
			lessons++;
		}
		free(list[i]);
	}
	free(list);
	if (lessons) {
		heading(c, dir);
		eng_lint_catalog(lt, dir);
	}
	return lessons;
}

static int run(struct eng_cli *c)
{
	struct reporter r = { .c = c, .quiet = eng_cli_flag(c, "quiet") };
	struct eng_lint lt = { .say = say, .arg = &r, .is_static = eng_cli_flag(c, "static"),
			       .engine = eng_cli_opt(c, "engine") };
	unsigned lessons = 0;

	for (unsigned i = 0; i < c->args; i++) {
		rs_auto_str path = RS_STR_INIT;

		rs_str_add(&path, c->arg[i]);
		while (path.len > 1 && path.p[path.len - 1] == '/')
			path.p[--path.len] = 0;
		if (eng_is_dir(path.p) && !eng_is_lesson_dir(path.p)) {
			unsigned n = lint_folder(c, &lt, path.p);

			if (n) {
				lessons += n;
				continue;
			}
		}
		heading(c, path.p);
		eng_lint_lesson(&lt, path.p);
		lessons++;
	}
	eng_cli_out(c, N_("\nLessons: %u; proved: %u, warnings: %u, refused: %u, not proved: %u\n"), lessons,
		    lt.count[ENG_LINT_PROVED], lt.count[ENG_LINT_WARNING], lt.count[ENG_LINT_REFUSED],
		    lt.count[ENG_LINT_NEEDS]);
	return eng_lint_exit(&lt);
}

static const struct eng_opt opts[] = {
	{ 0, "static", NULL, N_("prove only what needs no run"), 0, NULL },
	{ 'e', "engine", N_("ENGINE"), N_("run the lessons on this engine alone"), ENG_ARG_ENGINE, NULL },
	{ 'q', "quiet", NULL, N_("say only what is wrong or not proved"), 0, NULL },
	{ 0, NULL, NULL, NULL, 0, NULL },
};

const struct eng_cmd eng_cmd_lint = {
	.name = "lint", .args = N_("PATH..."), .args_min = 1, .arg = ENG_ARG_DIR, .opts = opts,
	.brief = N_("prove that lessons are right, or say where they are not"),
	.help = N_("PATH is a lesson folder, a lesson.yaml, or a folder of lessons. Proved is: the schema "
		   "holds; both languages are complete; every hint can be reached; the starter fails; each "
		   "answer in wrong/ fails the check that it names; the solution earns every point on every "
		   "CPU engine that the lesson claims and this machine has; and the runs leave nothing on "
		   "the host.\n\n"
		   "A lesson that cannot run here is proved as far as possible, and the exit code is 77, "
		   "unless --static asks for no more."),
	.run = run,
};
