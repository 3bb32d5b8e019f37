/* ringside watch LESSON: the checks again on every save. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"
#include "engine/cli.h"
#include "engine/copy.h"
#include "engine/grade.h"

#define QUIET_MS 150   /* an editor's save is several events; wait until they have ended */
#define FILE_MAX (4u << 20)

/* What the student may change, as one number: FNV-1a over names and contents. A save that changes
 * nothing, and the lab's own files, start no run. */
static uint64_t fingerprint(const struct eng_lesson *l, const char *dir)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (unsigned i = 0; i < l->starter.n; i++) {
		rs_auto_free char *path = rs_xasprintf("%s/%s", dir, l->starter.v[i]);
		rs_auto_str s = RS_STR_INIT;

		rs_file_read(path, FILE_MAX, &s, NULL);
		rs_str_addn(&s, l->starter.v[i], strlen(l->starter.v[i]) + 1);
		for (size_t k = 0; k < s.len; k++)
			h = (h ^ (unsigned char)s.p[k]) * 0x100000001b3u;
	}
	return h;
}

/* Watches the folder, not the files: editors that write a new file and rename it over the old one
 * would leave a watch on a file that is gone. */
static int add_watches(int fd, const struct eng_lesson *l, const char *dir, struct rs_err *err)
{
	const uint32_t mask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF |
			      IN_ONLYDIR;

	if (inotify_add_watch(fd, dir, mask) < 0)
		return rs_err_errno(err, errno, N_("cannot watch %s"), dir);
	for (unsigned i = 0; i < l->starter.n; i++) {
		const char *slash = strrchr(l->starter.v[i], '/');

		if (slash) {
			rs_auto_free char *sub = rs_xasprintf("%s/%.*s", dir,
							      (int)(slash - l->starter.v[i]),
							      l->starter.v[i]);

			inotify_add_watch(fd, sub, mask); /* again for the same folder: the same watch */
		}
	}
	return 0;
}

/* Takes the events that are there. False when the folder itself is gone. */
static bool drain(int fd)
{
	char buf[8192] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n = read(fd, buf, sizeof(buf));

	for (char *p = buf; n > 0 && p < buf + n;) {
		const struct inotify_event *e = (const struct inotify_event *)p;

		if (e->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT))
			return false;
		p += sizeof(*e) + e->len;
	}
	return true;
}

/* Waits for a change and for the quiet after it. */
static bool wait_for_save(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	bool any = false;

	for (;;) {
		int n = poll(&p, 1, any ? QUIET_MS : -1);

		if (n == 0)
			return true;
		if (n < 0)
			continue;
		any = true;
		if (!drain(fd))
			return false;
	}
}

static int check(struct eng_cli *c, const struct eng_lesson *l, const char *dir, bool own, int *code)
{
	rs_cleanup(eng_copy_release) struct eng_copy copy = ENG_COPY_INIT;
	struct eng_grade_opts o = { .shown = dir, .engine = eng_cli_opt(c, "engine") };
	struct rs_err err = RS_ERR_INIT;
	rs_auto_str out = RS_STR_INIT;
	struct eng_grade g;
	char clock[16] = "";
	time_t now = time(NULL);
	struct tm tm;

	if (localtime_r(&now, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	fprintf(c->out, "%s--- %s%s\n", eng_cli_sgr(c, "2"), clock, eng_cli_sgr(c, "0"));
	if (eng_copy_new(&copy, &err) < 0 || eng_copy_work(&copy, l, dir, &err) < 0)
		return eng_cli_fail(c, ENG_EXIT_INTERNAL, &err);
	o.workspace = copy.path;
	eng_grade_run(&g, l, &o);
	eng_grade_text(&g, 1, c->lang, c->color, &out);
	fputs(out.p, c->out);
	fflush(c->out);
	if (own && (g.verdict == ENG_PASS || g.verdict == ENG_FAIL)) {
		struct eng_progress p = { 0 };

		if (eng_progress_load(&p, &err) < 0)
			eng_cli_fail(c, 0, &err);
		eng_progress_note(&p, l, g.verdict == ENG_PASS ? l->steps - 1 : 0, g.points);
		if (eng_progress_save(&p, &err) < 0)
			eng_cli_fail(c, 0, &err);
		eng_progress_release(&p);
	}
	*code = eng_grade_exit(&g, 1);
	eng_grade_release(&g);
	return 0;
}

static int watch(struct eng_cli *c, const struct eng_lesson *l, const char *dir, bool own)
{
	rs_auto_close int fd = inotify_init1(IN_CLOEXEC);
	struct rs_err err = RS_ERR_INIT;
	uint64_t seen = 0;
	int code = ENG_EXIT_OK, rc;

	if (fd < 0 || add_watches(fd, l, dir, &err) < 0) {
		if (fd < 0)
			rs_err_errno(&err, errno, N_("cannot watch %s"), dir);
		return eng_cli_fail(c, ENG_EXIT_INTERNAL, &err);
	}
	eng_cli_note(c, N_("ringside: watching %s; end it with Ctrl-C\n"), dir);
	for (;;) {
		uint64_t now = fingerprint(l, dir);

		if (now != seen) {
			seen = now;
			rc = check(c, l, dir, own, &code);
			if (rc)
				return rc;
			if (code == ENG_EXIT_UNGRADABLE)
				return code;
			if (code == ENG_EXIT_OK && eng_cli_flag(c, "until-done"))
				return code;
		}
		if (!wait_for_save(fd)) {
			eng_cli_note(c, N_("ringside: the folder %s is gone\n"), dir);
			return ENG_EXIT_INTERNAL;
		}
	}
}

static int run(struct eng_cli *c)
{
	struct rs_err err = RS_ERR_INIT;
	struct eng_lesson *l = eng_cli_lesson(c->arg[0], &err);
	const char *given = eng_cli_opt(c, "workspace");
	rs_auto_free char *dir = NULL, *marked = NULL;
	int rc;

	if (!l)
		return eng_cli_fail(c, eng_cli_exit_of(&err), &err);
	if (!given && eng_is_dir(c->arg[0]) && !eng_is_lesson_dir(c->arg[0])) {
		marked = eng_workspace_lesson(c->arg[0]);
		given = marked ? c->arg[0] : NULL;
	}
	dir = given ? rs_xstrdup(given) : eng_workspace_path(l, &err);
	if (!dir || (!given && eng_workspace_prepare(l, dir, false, &err) < 0))
		rc = eng_cli_fail(c, eng_cli_exit_of(&err), &err);
	else
		rc = watch(c, l, dir, !given);
	eng_lesson_free(l);
	return rc;
}

static const struct eng_opt opts[] = {
	{ 'w', "workspace", N_("DIR"), N_("the files to watch, not those in the data directory"),
	  ENG_ARG_DIR, NULL },
	{ 'e', "engine", N_("ENGINE"), N_("run on this engine: kvm or soft a machine, jit or interp a translated program"), ENG_ARG_ENGINE, NULL },
	{ 0, "until-done", NULL, N_("end with exit code 0 once everything passes"), 0, NULL },
	{ 0, NULL, NULL, NULL, 0, NULL },
};

const struct eng_cmd eng_cmd_watch = {
	.name = "watch", .args = N_("LESSON"), .args_min = 1, .args_max = 1, .arg = ENG_ARG_LESSON,
	.opts = opts,
	.brief = N_("run the checks again on every save"),
	.help = N_("Checks the files of the workspace now, and again whenever one of them changes. A save "
		   "that changes nothing starts no run. Editors that replace the file are understood."),
	.run = run,
};
