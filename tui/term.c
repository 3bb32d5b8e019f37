#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <curses.h>
#include <term.h>

#include "engine/base/cleanup.h"
#include "engine/base/str.h"
#include "tui/restore.h"
#include "tui/term.h"

#define KEYS_MAX 40
struct tui_term {
	int w, h;
	bool ascii;
	struct tui_theme theme;
	/* tui_theme_look, remembered: finding the nearest of 256 colours takes a while */
	struct tui_look looks[TUI_STYLES][TUI_BACKS];
	bool looked[TUI_STYLES][TUI_BACKS];
	struct tui_theme looks_of; /* the theme that they are of */
	struct termios raw;
	struct rs_str enter, out;
	struct tui_grid shown;    /* what is on the screen */
	bool known;               /* ... if this says so */
	int x, y;                 /* cursor; x -1: unknown */
	struct tui_look look;
	bool look_known;
	struct tui_decoder dec;
	struct tui_keyseq keyseq[KEYS_MAX];
	int sig_pipe[2];
};

/* ---- output ---- */

static void add_cap(struct rs_str *s, const char *cap)
{
	if (!cap || cap == (char *)-1)
		return;
	/* padding "$<5>" is for real terminals of the 1970s */
	for (const char *p = cap; *p; p++) {
		const char *end = p[0] == '$' && p[1] == '<' ? strchr(p, '>') : NULL;
		if (end)
			p = end;
		else
			rs_str_addc(s, *p);
	}
}

static void write_all(const char *p, size_t n)
{
	int tries = 0;
	while (n) {
		ssize_t k = write(STDOUT_FILENO, p, n);
		if (k > 0) {
			p += k;
			n -= (size_t)k;
		} else if (errno == EAGAIN) {
			struct pollfd f = { STDOUT_FILENO, POLLOUT, 0 };
			poll(&f, 1, 100);
			if (++tries > 20)
				return; /* two seconds: it does not take anything any more */
		} else if (errno != EINTR) {
			return; /* the terminal is gone; the keyboard will say so */
		}
	}
}

static void color(struct tui_term *t, int32_t c, bool fg)
{
	if (c < 0)
		return;
	if (t->theme.depth == TUI_RGB)
		rs_str_addf(&t->out, "\033[%d;2;%d;%d;%dm", fg ? 38 : 48, c >> 16 & 255, c >> 8 & 255,
			    c & 255);
	else if (t->theme.depth == TUI_256)
		rs_str_addf(&t->out, "\033[%d;5;%dm", fg ? 38 : 48, c);
	else if (c >= 8 && max_colors < 16 && fg)
		/* eight colours: the bright ones are bold */
		add_cap(&t->out, enter_bold_mode), add_cap(&t->out, tparm(set_a_foreground, c - 8));
	else
		add_cap(&t->out, tparm(fg ? set_a_foreground : set_a_background,
				       (long)(max_colors < 16 ? c & 7 : c)));
}

static struct tui_look look_of(struct tui_term *t, enum tui_style s, enum tui_back b)
{
	if (t->looks_of.depth != t->theme.depth || t->looks_of.light != t->theme.light) {
		memset(t->looked, 0, sizeof(t->looked));
		t->looks_of = t->theme;
	}
	if (!t->looked[s][b]) {
		t->looks[s][b] = tui_theme_look(&t->theme, s, b);
		t->looked[s][b] = true;
	}
	return t->looks[s][b];
}

static void look(struct tui_term *t, struct tui_look l)
{
	if (t->look_known && t->look.fg == l.fg && t->look.bg == l.bg && t->look.attr == l.attr)
		return;
	bool reset = !t->look_known || t->look.attr != l.attr || (l.fg < 0 && t->look.fg >= 0) ||
		     (l.bg < 0 && t->look.bg >= 0) || t->theme.depth == TUI_16;
	if (reset) {
		add_cap(&t->out, exit_attribute_mode);
		if (l.attr & TUI_BOLD)
			add_cap(&t->out, enter_bold_mode);
		if (l.attr & TUI_FADED)
			add_cap(&t->out, enter_dim_mode);
		if (l.attr & TUI_UNDERLINE)
			add_cap(&t->out, enter_underline_mode);
		if (l.attr & TUI_REVERSE)
			add_cap(&t->out, enter_reverse_mode);
	}
	if (reset || t->look.fg != l.fg)
		color(t, l.fg, true);
	if (reset || t->look.bg != l.bg)
		color(t, l.bg, false);
	t->look = l;
	t->look_known = true;
}

/* Characters whose columns terminals disagree about (East Asian "ambiguous"): the cursor's
 * place is not trusted after them. */
static bool ambiguous(const struct tui_cell *c)
{
	uint32_t cp;
	if ((unsigned char)c->ch[0] < 0x80)
		return c->ch[1] != 0;
	size_t n = strlen(c->ch);
	int k = rs_utf8_decode(c->ch, n, &cp);
	if ((size_t)k != n)
		return true; /* combining marks */
	return c->width == 1;
}

static bool same(const struct tui_cell *a, const struct tui_cell *b)
{
	return a->width == b->width && a->style == b->style && a->back == b->back &&
	       !strcmp(a->ch, b->ch);
}

static void show_row(struct tui_term *t, const struct tui_grid *g, int y)
{
	for (int x = 0; x < g->w; x++) {
		const struct tui_cell *c = tui_grid_at(g, x, y);
		if (!c->width)
			continue; /* came with its left half */
		bool pair_same = c->width < 2 || x + 1 >= g->w ||
				 same(tui_grid_at(g, x + 1, y), tui_grid_at(&t->shown, x + 1, y));
		if (t->known && pair_same && same(c, tui_grid_at(&t->shown, x, y)))
			continue;
		if (t->x != x || t->y != y)
			add_cap(&t->out, tparm(cursor_address, (long)y, (long)x));
		look(t, look_of(t, c->style, c->back));
		rs_str_add(&t->out, c->ch);
		t->x = ambiguous(c) || x + c->width >= g->w ? -1 : x + c->width;
		t->y = y;
	}
}

void tui_term_show(struct tui_term *t, const struct tui_grid *g)
{
	rs_str_clear(&t->out);
	if (t->shown.w != g->w || t->shown.h != g->h) {
		tui_grid_resize(&t->shown, g->w, g->h);
		t->known = false;
	}
	if (!t->known) {
		t->look_known = false;
		look(t, look_of(t, TUI_S_TEXT, TUI_B_BASE));
		add_cap(&t->out, clear_screen);
		t->x = -1;
	}
	for (int y = 0; y < g->h; y++)
		show_row(t, g, y);
	memcpy(t->shown.cell, g->cell, sizeof(*g->cell) * (size_t)g->w * (size_t)g->h);
	t->known = true;
	if (t->out.len)
		write_all(t->out.p, t->out.len);
}

void tui_term_forget(struct tui_term *t)
{
	t->known = false;
	t->x = -1;
}

/* ---- entering and leaving ---- */

static void size_read(struct tui_term *t)
{
	struct winsize ws;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col && ws.ws_row) {
		t->w = ws.ws_col;
		t->h = ws.ws_row;
	} else {
		t->w = columns > 0 ? columns : 80;
		t->h = lines > 0 ? lines : 24;
	}
}

void tui_term_enter(struct tui_term *t)
{
	/* Stopped and continued by others, the screen is still ours: entering it twice would save its
	 * state in place of what was there before. */
	bool fresh = tui_restore_arm();
	tcgetattr(STDIN_FILENO, &t->raw);
	t->raw.c_iflag &= ~(tcflag_t)(ICRNL | INLCR | IGNCR | IXON | IXOFF | ISTRIP | BRKINT);
	t->raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ECHONL | ISIG | IEXTEN);
	t->raw.c_cc[VMIN] = 1;
	t->raw.c_cc[VTIME] = 0;
	tcsetattr(STDIN_FILENO, TCSADRAIN, &t->raw);
	if (fresh)
		write_all(t->enter.p, t->enter.len);
	size_read(t);
	tui_term_forget(t);
}

void tui_term_leave(struct tui_term *t)
{
	(void)t;
	tui_restore_now();
}

void tui_term_suspend(struct tui_term *t)
{
	tui_term_leave(t);
	struct sigaction dfl = { .sa_handler = SIG_DFL }, mine;
	sigaction(SIGTSTP, &dfl, &mine);
	raise(SIGTSTP); /* stands still here until SIGCONT */
	sigaction(SIGTSTP, &mine, NULL);
	tui_restore_forget();
	tui_term_enter(t);
}

static void keys_learn(struct tui_term *t)
{
	const struct tui_keyseq all[] = {
		{ key_up, TUI_K_UP },       { key_down, TUI_K_DOWN },   { key_left, TUI_K_LEFT },
		{ key_right, TUI_K_RIGHT }, { key_home, TUI_K_HOME },   { key_end, TUI_K_END },
		{ key_ppage, TUI_K_PGUP },  { key_npage, TUI_K_PGDN },  { key_dc, TUI_K_DELETE },
		{ key_ic, TUI_K_INSERT },   { key_btab, TUI_K_BACKTAB }, { key_enter, TUI_K_ENTER },
		{ key_f1, TUI_K_F1 },       { key_f2, TUI_K_F1 + 1 },   { key_f3, TUI_K_F1 + 2 },
		{ key_f4, TUI_K_F1 + 3 },   { key_f5, TUI_K_F1 + 4 },
	};
	int n = 0;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && n < KEYS_MAX - 1; i++)
		if (all[i].seq && all[i].seq != (char *)-1)
			t->keyseq[n++] = all[i];
	t->dec.seq = t->keyseq;
}

static bool only_ascii(void)
{
	const char *force = getenv("RINGSIDE_ASCII"), *name = getenv("TERM");
	if (force && *force)
		return *force != '0';
	setlocale(LC_CTYPE, "");
	if (strcmp(nl_langinfo(CODESET), "UTF-8"))
		return true;
	/* the kernel's console has a font of 512 characters */
	return name && (!strcmp(name, "linux") || !strncmp(name, "vt", 2));
}

struct tui_term *tui_term_open(struct rs_err *err)
{
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		rs_err_set(err, -ENOTTY, N_("the lab needs a terminal; \"ringside run --plain LESSON\" does without"));
		return NULL;
	}
	int status = 0;
	if (setupterm(NULL, STDOUT_FILENO, &status) == ERR || !cursor_address || !clear_screen) {
		const char *name = getenv("TERM");
		rs_err_set(err, -ENODEV,
			   N_("the terminal \"%s\" cannot position its cursor, so the lab cannot be drawn there; \"ringside run --plain LESSON\" does without"),
			   name ? name : "");
		return NULL;
	}
	struct tui_term *t = rs_xcalloc(1, sizeof(*t));
	t->enter = t->out = (struct rs_str)RS_STR_INIT;
	if (pipe2(t->sig_pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
		rs_err_errno(err, errno, N_("cannot make a pipe"));
		free(t);
		return NULL;
	}
	t->ascii = only_ascii();
	t->theme = tui_theme_from_env(max_colors);
	keys_learn(t);
	tui_grid_init(&t->shown, 1, 1, false);

	/* private modes are xterm's (ctlseqs): 7 wrap, 1000 and 1006 mouse, 2004 bracketed paste */
	bool ansi = !strncmp(cursor_address, "\033[", 2);
	add_cap(&t->enter, enter_ca_mode);
	add_cap(&t->enter, keypad_xmit);
	add_cap(&t->enter, cursor_invisible);
	add_cap(&t->enter, exit_am_mode);
	if (ansi)
		rs_str_add(&t->enter, "\033[?1000h\033[?1006h\033[?2004h");
	const char *theme = getenv("RINGSIDE_THEME");
	if (ansi && t->theme.depth >= TUI_256 && !(theme && *theme))
		rs_str_add(&t->enter, "\033]11;?\033\\"); /* dark or light? The answer is an input */

	rs_auto_str back = RS_STR_INIT;
	if (ansi)
		rs_str_add(&back, "\033[?2004l\033[?1006l\033[?1000l");
	add_cap(&back, enter_am_mode);
	add_cap(&back, exit_attribute_mode);
	add_cap(&back, keypad_local);
	add_cap(&back, exit_ca_mode);
	add_cap(&back, cursor_normal); /* last: leaving the screen may bring an older cursor back */
	tui_restore_begin(back.p, back.len, t->sig_pipe[1]);
	tui_term_enter(t);
	return t;
}

void tui_term_close(struct tui_term *t)
{
	if (!t)
		return;
	tui_restore_now();
	tui_restore_end();
	close(t->sig_pipe[0]);
	close(t->sig_pipe[1]);
	rs_str_release(&t->enter);
	rs_str_release(&t->out);
	tui_grid_release(&t->shown);
	del_curterm(cur_term);
	free(t);
}

/* ---- input ---- */

void tui_term_size(const struct tui_term *t, int *w, int *h)
{
	*w = t->w;
	*h = t->h;
}

bool tui_term_ascii(const struct tui_term *t)
{
	return t->ascii;
}

struct tui_theme *tui_term_theme(struct tui_term *t)
{
	return &t->theme;
}

void tui_term_fds(const struct tui_term *t, int *keyboard, int *signals)
{
	*keyboard = STDIN_FILENO;
	*signals = t->sig_pipe[0];
}

bool tui_term_read(struct tui_term *t)
{
	char buf[256];
	size_t room = tui_decoder_room(&t->dec);
	ssize_t n = read(STDIN_FILENO, buf, room < sizeof(buf) ? room : sizeof(buf));
	if (n > 0)
		tui_decoder_feed(&t->dec, buf, (size_t)n);
	return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

bool tui_term_next(struct tui_term *t, bool flush, struct tui_input *in)
{
	return tui_decoder_next(&t->dec, flush, in);
}

bool tui_term_pending(const struct tui_term *t)
{
	return tui_decoder_pending(&t->dec);
}

struct tui_signals tui_term_news(struct tui_term *t)
{
	char sink[64];
	while (read(t->sig_pipe[0], sink, sizeof(sink)) > 0)
		;
	struct tui_signals n = tui_restore_news();
	if (n.resized || n.continued)
		size_read(t);
	return n;
}
