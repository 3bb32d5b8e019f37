/* The event loop: the only place where the app, a terminal and time meet. It sleeps until a key,
 * a signal or the experiment has something; an idle lab does not wake up at all.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "tui/app.h"
#include "tui/term.h"
#include "tui/tui.h"

#define FRAME_NS 16000000ull  /* a busy guest is drawn at 60 Hz */
#define ESC_MS 30             /* so long an Esc may be the start of a sequence */

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct loop {
	struct tui_term *term;
	struct tui_app *app;
	struct tui_grid grid;
	uint64_t drawn;       /* when */
	bool key;             /* something was typed: draw at once */
	uint64_t esc_at;      /* since when an unfinished sequence waits; 0 */
};

static void draw(struct loop *l)
{
	int w, h;
	tui_term_size(l->term, &w, &h);
	if (w != l->grid.w || h != l->grid.h)
		tui_grid_resize(&l->grid, w, h);
	tui_app_draw(l->app, &l->grid);
	tui_term_show(l->term, &l->grid);
	l->drawn = now_ns();
	l->key = false;
}

/* ---- a program in between ---- */

static void run_editor(const char *path)
{
	static const int defaults[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP, SIGPIPE, SIGALRM };
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
		signal(defaults[i], SIG_DFL);
	const char *ed = getenv("VISUAL");
	if (!ed || !*ed)
		ed = getenv("EDITOR");
	if (!ed || !*ed)
		ed = "\"$(command -v sensible-editor || command -v nano || command -v vi || echo vi)\"";
	/* $EDITOR may hold arguments ("code -w"), so the shell splits it */
	rs_auto_free char *cmd = rs_xasprintf("exec %s \"$1\"", ed);
	execl("/bin/sh", "sh", "-c", cmd, "sh", path, (char *)NULL);
	_exit(127);
}

static void edit(struct loop *l)
{
	struct stat before = { 0 }, after = { 0 };
	const char *path = l->app->edit_path;
	stat(path, &before);
	tui_term_leave(l->term);
	int status = -1;
	pid_t pid = fork();
	if (pid == 0)
		run_editor(path);
	if (pid > 0)
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	tui_term_enter(l->term);
	stat(path, &after);
	bool changed = before.st_size != after.st_size || before.st_ino != after.st_ino ||
		       before.st_mtim.tv_sec != after.st_mtim.tv_sec ||
		       before.st_mtim.tv_nsec != after.st_mtim.tv_nsec;
	l->app->now = now_ns();
	tui_app_edited(l->app, changed, status == -1 ? 127 : WIFEXITED(status) ? WEXITSTATUS(status) :
									128 + WTERMSIG(status));
}

/* True: leave. */
static bool serve_want(struct loop *l)
{
	enum tui_want want = l->app->want;
	l->app->want = TUI_WANT_NOTHING;
	switch (want) {
	case TUI_WANT_NOTHING:
		return false;
	case TUI_WANT_LEAVE:
		return true;
	case TUI_WANT_SUSPEND:
		tui_term_suspend(l->term);
		break;
	case TUI_WANT_REDRAW:
		tui_term_forget(l->term);
		break;
	case TUI_WANT_EDIT:
		edit(l);
		break;
	}
	l->app->dirty = l->key = true;
	return false;
}

static void take_input(struct loop *l, bool flush)
{
	struct tui_input in;
	while (tui_term_next(l->term, flush, &in)) {
		if (in.type == TUI_IN_BACKGROUND) {
			struct tui_theme *t = tui_term_theme(l->term);
			if (t->light != in.light) {
				t->light = in.light;
				tui_term_forget(l->term);
				l->app->dirty = true;
			}
			continue;
		}
		l->app->now = now_ns();
		tui_app_input(l->app, &in);
		l->key = true;
		if (l->app->want != TUI_WANT_NOTHING)
			break; /* an editor or a suspend comes before the keys behind it */
	}
	l->esc_at = tui_term_pending(l->term) ? (l->esc_at ? l->esc_at : now_ns()) : 0;
}

static void sooner(int *ms, uint64_t at, uint64_t now)
{
	int want = at > now ? (int)((at - now + 999999) / 1000000) : 0;
	if (*ms < 0 || want < *ms)
		*ms = want;
}

static int timeout_of(struct loop *l, int session_ms)
{
	uint64_t now = now_ns();
	int ms = session_ms, app = tui_app_timeout(l->app);
	if (app >= 0 && (ms < 0 || app < ms))
		ms = app;
	if (l->app->dirty)
		sooner(&ms, l->drawn + FRAME_NS, now);
	if (l->esc_at)
		sooner(&ms, l->esc_at + ESC_MS * 1000000ull, now);
	return ms;
}

/* One turn. Returns false when the lab is to be left; *signo: the signal that wants it. */
static bool turn(struct loop *l, int *signo)
{
	struct pollfd p[7];
	int session_fd[4], ms = -1, keyboard, signals;
	unsigned n = l->app->ls.session ? eng_session_pollfds(l->app->ls.session, session_fd, &ms) : 0;
	tui_term_fds(l->term, &keyboard, &signals);
	p[0] = (struct pollfd){ .fd = keyboard, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = signals, .events = POLLIN };
	for (unsigned i = 0; i < n; i++)
		p[2 + i] = (struct pollfd){ .fd = session_fd[i], .events = POLLIN };
	int probe = tui_probe_fd(l->app);
	if (probe >= 0)
		p[2 + n++] = (struct pollfd){ .fd = probe, .events = POLLIN };
	int ready = poll(p, 2 + n, timeout_of(l, ms));
	if (ready < 0 && errno != EINTR)
		return false;
	l->app->now = now_ns();
	struct tui_signals news = tui_term_news(l->term);
	if (news.end) {
		*signo = news.end;
		return false;
	}
	if (news.suspend)
		l->app->want = TUI_WANT_SUSPEND;
	if (news.continued) {
		tui_term_enter(l->term);
		l->app->dirty = true;
	}
	if (news.resized)
		l->app->dirty = l->key = true;
	if (ready > 0 && p[0].revents) {
		if (!tui_term_read(l->term))
			return false; /* the terminal is gone */
		l->esc_at = 0;
		take_input(l, false);
	} else if (l->esc_at && now_ns() >= l->esc_at + ESC_MS * 1000000ull) {
		take_input(l, true);
	}
	if (serve_want(l))
		return false;
	if (ready > 0 && probe >= 0 && p[1 + n].revents)
		tui_probe_take(l->app);
	tui_app_pump(l->app);
	uint64_t now = now_ns();
	bool clock = l->app->ls.model && tui_app_timeout(l->app) >= 0 && now >= l->drawn + 100000000ull;
	if ((l->app->dirty && (l->key || now >= l->drawn + FRAME_NS)) || clock)
		draw(l);
	return true;
}

static void die_of(int signo)
{
	signal(signo, SIG_DFL);
	raise(signo);
}

static int run(struct tui_app *app, struct rs_err *err)
{
	struct loop l = { .app = app, .term = tui_term_open(err) };
	int signo = 0;
	if (!l.term)
		return err->code;
	bool ascii = tui_term_ascii(l.term);
	app->ascii = ascii;
	if (ascii)
		app->lang = RS_LANG_EN;
	tui_grid_init(&l.grid, 1, 1, ascii);
	app->now = now_ns();
	draw(&l);
	tui_probe_start(app);
	while (turn(&l, &signo))
		;
	tui_term_close(l.term);
	tui_grid_release(&l.grid);
	tui_app_free(app);
	if (signo)
		die_of(signo);
	return 0;
}

static int complain(const struct rs_err *err, enum rs_lang lang, int code)
{
	char text[1200];
	fprintf(stderr, "ringside: %s\n", rs_err_format(err, lang, text, sizeof(text)));
	return code;
}

static int run_or_complain(struct tui_app *app, enum rs_lang lang)
{
	struct rs_err err = RS_ERR_INIT;
	if (run(app, &err) < 0) {
		tui_app_free(app);
		return complain(&err, lang, ENG_EXIT_USAGE);
	}
	return ENG_EXIT_OK;
}

int tui_lab(const char *lesson, enum rs_lang lang)
{
	struct rs_err err = RS_ERR_INIT;
	struct tui_app *app = tui_app_new(lang, false, lesson, &err);
	return app ? run_or_complain(app, lang) : complain(&err, lang, ENG_EXIT_USAGE);
}

int tui_replay(const char *path, double speed, enum rs_lang lang)
{
	struct rs_err err = RS_ERR_INIT;
	struct tui_app *app = tui_app_replay(lang, false, path, speed, &err);
	return app ? run_or_complain(app, lang) : complain(&err, lang, ENG_EXIT_USAGE);
}
