/* The real program on a pseudo-terminal: keys in, screens out, as libvterm (a terminal that we did
 * not write) understands them. And however it ends, the terminal is as it was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <vterm.h>

#include "engine/base/file.h"
#include "tests/pty_lab.h"

struct rig {
	struct pty_lab lab;
	struct termios before;
	VTerm *vt;
	VTermScreen *screen;
	struct rs_str bytes;   /* everything that was written */
	bool alt, cursor;      /* as the terminal sees it */
	int mouse;
	int cols, rows;
};

static int on_prop(VTermProp prop, VTermValue *val, void *user)
{
	struct rig *r = user;
	if (prop == VTERM_PROP_ALTSCREEN)
		r->alt = val->boolean;
	else if (prop == VTERM_PROP_CURSORVISIBLE)
		r->cursor = val->boolean;
	else if (prop == VTERM_PROP_MOUSE)
		r->mouse = val->number;
	return 1;
}

static const VTermScreenCallbacks callbacks = { .settermprop = on_prop };

static void rig_open(struct rig *r, int cols, int rows, const char *const *env, const char *const *args)
{
	memset(r, 0, sizeof(*r));
	r->bytes = (struct rs_str)RS_STR_INIT;
	r->cols = cols;
	r->rows = rows;
	r->cursor = true;
	r->vt = vterm_new(rows, cols);
	vterm_set_utf8(r->vt, 1);
	r->screen = vterm_obtain_screen(r->vt);
	vterm_screen_enable_altscreen(r->screen, 1);
	vterm_screen_set_callbacks(r->screen, &callbacks, r);
	vterm_screen_reset(r->screen, 1);
	if (pty_lab_start(&r->lab, cols, rows, env, args) < 0)
		fail_msg("%s cannot be started on a pseudo-terminal", getenv("RINGSIDE"));
	tcgetattr(r->lab.slave, &r->before);
}

static void rig_close(struct rig *r)
{
	struct rs_err err;
	pty_lab_close(&r->lab);
	rs_rmtree(r->lab.home, &err);
	vterm_free(r->vt);
	rs_str_release(&r->bytes);
}

/* Takes what arrives until nothing has come for `quiet` ms. */
static void settle(struct rig *r, int quiet)
{
	char buf[65536];
	ssize_t n;
	while ((n = pty_lab_read(&r->lab, buf, sizeof(buf), quiet)) > 0) {
		rs_str_addn(&r->bytes, buf, (size_t)n);
		vterm_input_write(r->vt, buf, (size_t)n);
	}
}

/* Waits for the lab's end and returns its wait status, -1 when it did not come. What the lab still
 * writes is taken meanwhile: a full pseudo-terminal would stop it. */
static int wait_end(struct rig *r)
{
	int status;
	for (double end = pty_now_ms() + 20000; pty_now_ms() < end;) {
		if (waitpid(r->lab.pid, &status, WNOHANG) == r->lab.pid) {
			r->lab.pid = 0;
			return status;
		}
		settle(r, 2);
	}
	return -1;
}

static void text_of(struct rig *r, struct rs_str *out)
{
	for (int y = 0; y < r->rows; y++) {
		for (int x = 0; x < r->cols; x++) {
			VTermScreenCell c;
			vterm_screen_get_cell(r->screen, (VTermPos){ y, x }, &c);
			if (c.chars[0] == (uint32_t)-1)
				continue; /* right half of a wide character */
			if (!c.chars[0])
				rs_str_addc(out, ' ');
			for (int i = 0; i < VTERM_MAX_CHARS_PER_CELL && c.chars[i]; i++) {
				uint32_t u = c.chars[i];
				char b[5] = { 0 };
				if (u < 0x80)
					b[0] = (char)u;
				else if (u < 0x800)
					b[0] = (char)(0xc0 | u >> 6), b[1] = (char)(0x80 | (u & 63));
				else
					b[0] = (char)(0xe0 | u >> 12), b[1] = (char)(0x80 | (u >> 6 & 63)),
					b[2] = (char)(0x80 | (u & 63));
				rs_str_add(out, b);
			}
		}
		rs_str_addc(out, '\n');
	}
}

static bool shows(struct rig *r, const char *text)
{
	rs_auto_str all = RS_STR_INIT;
	text_of(r, &all);
	return strstr(all.p, text) != NULL;
}

/* Waits at most 10 s for the text; then says what is there instead. */
static void expect(struct rig *r, const char *text)
{
	for (double end = pty_now_ms() + 20000; pty_now_ms() < end;) {
		settle(r, 30);
		if (shows(r, text))
			return;
	}
	rs_auto_str all = RS_STR_INIT;
	text_of(r, &all);
	fail_msg("\"%s\" did not appear; the screen:\n%s", text, all.p);
}

static void type(struct rig *r, const char *keys)
{
	pty_lab_write(&r->lab, keys);
}

/* The terminal is as it was before the lab came. */
static void restored(struct rig *r)
{
	struct termios now;
	settle(r, 50);
	tcgetattr(r->lab.slave, &now);
	assert_false(r->alt);
	assert_true(r->cursor);
	assert_int_equal(r->mouse, VTERM_PROP_MOUSE_NONE);
	assert_int_equal(now.c_lflag, r->before.c_lflag);
	assert_int_equal(now.c_iflag, r->before.c_iflag);
	assert_int_equal(now.c_oflag, r->before.c_oflag);
	assert_non_null(strstr(r->bytes.p, "\033[?1049l")); /* rmcup of xterm */
	assert_non_null(strstr(r->bytes.p, "\033[?2004l"));
}

static void test_tour(void **state)
{
	struct rig r;
	(void)state;
	rig_open(&r, 80, 24, NULL, NULL);
	expect(&r, "Ringside");
	expect(&r, "Lessons");
	expect(&r, "Crossing the rings");
	assert_true(r.alt);
	assert_false(r.cursor);
	assert_true(r.mouse != VTERM_PROP_MOUSE_NONE);
	type(&r, "/302\r");
	expect(&r, "/302");
	type(&r, "\r");
	expect(&r, "1 watch");
	expect(&r, "KVM calls");
	type(&r, "L");
	expect(&r, "觀察");
	type(&r, "?");
	expect(&r, "按鍵");
	type(&r, "\033");      /* a lone Esc closes it */
	expect(&r, "步驟 1");
	type(&r, "\033[C");    /* the arrow key is not an Esc */
	expect(&r, "步驟 2");
	type(&r, "L");
	expect(&r, "step 2");
	type(&r, "q");
	expect(&r, "/302");
	type(&r, "qq");
	int status = wait_end(&r);
	assert_true(status != -1 && WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	restored(&r);
	rig_close(&r);
}

static void resize(struct rig *r, int cols, int rows)
{
	struct winsize ws = { .ws_col = (unsigned short)cols, .ws_row = (unsigned short)rows };
	r->cols = cols;
	r->rows = rows;
	vterm_set_size(r->vt, rows, cols);
	ioctl(r->lab.master, TIOCSWINSZ, &ws); /* the kernel sends SIGWINCH */
}

static void test_resize(void **state)
{
	struct rig r;
	(void)state;
	rig_open(&r, 80, 24, NULL, (const char *const[]){ "lab", "202", NULL });
	expect(&r, "Rings");
	resize(&r, 120, 40);
	expect(&r, "Code");
	resize(&r, 20, 5);
	expect(&r, "needs 60");
	resize(&r, 1, 1);
	settle(&r, 100);
	type(&r, "n?Lj");
	settle(&r, 100);
	type(&r, "L?N");
	resize(&r, 200, 60);
	expect(&r, "Registers");
	type(&r, "\003"); /* Ctrl-C leaves */
	assert_int_equal(wait_end(&r), 0);
	restored(&r);
	rig_close(&r);
}

static void ends_by(int signo)
{
	struct rig r;
	rig_open(&r, 80, 24, NULL, (const char *const[]){ "lab", "202", NULL });
	expect(&r, "Crossing the rings");
	kill(r.lab.pid, signo);
	int status = wait_end(&r);
	assert_true(status != -1 && WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), signo);
	restored(&r);
	rig_close(&r);
}

static void test_signals(void **state)
{
	static const int all[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGSEGV, SIGABRT, SIGBUS, SIGFPE };
	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		ends_by(all[i]);
}

/* Two times SIGTERM, or a lab that stands still: it dies at once, restored all the same. */
static void test_signal_twice(void **state)
{
	struct rig r;
	(void)state;
	rig_open(&r, 80, 24, NULL, NULL);
	expect(&r, "Lessons");
	kill(r.lab.pid, SIGTERM);
	kill(r.lab.pid, SIGTERM);
	int status = wait_end(&r);
	assert_true(status != -1 && WIFSIGNALED(status));
	restored(&r);
	rig_close(&r);
}

static void test_suspend(void **state)
{
	struct rig r;
	int status;
	(void)state;
	rig_open(&r, 80, 24, NULL, NULL);
	expect(&r, "Lessons");
	/* An orphaned process group is not stopped by SIGTSTP (POSIX 2.4.3); ours has no shell, so the
	 * lab must come back by itself or after SIGCONT. Either way the screen was given back first. */
	type(&r, "\032");
	settle(&r, 200);
	assert_non_null(strstr(r.bytes.p, "\033[?1049l"));
	if (waitpid(r.lab.pid, &status, WUNTRACED | WNOHANG) == r.lab.pid)
		assert_true(WIFSTOPPED(status));
	kill(r.lab.pid, SIGCONT);
	expect(&r, "Lessons");
	settle(&r, 100);
	assert_true(r.alt);
	type(&r, "q");
	assert_int_equal(wait_end(&r), 0);
	restored(&r);
	rig_close(&r);
}

static void test_editor(void **state)
{
	struct rig r;
	(void)state;
	rig_open(&r, 80, 24, (const char *const[]){ "EDITOR=sh -c 'echo EDITING \"$1\"; stty -a | grep -o \" echo \"; echo nop >>\"$1\"; sleep 0.4' -", NULL },
		 (const char *const[]){ "lab", "202", NULL });
	expect(&r, "Crossing the rings");
	type(&r, "e");
	expect(&r, "guest.S");
	expect(&r, "Saved. Press r to run it.");
	assert_non_null(strstr(r.bytes.p, "EDITING"));
	assert_non_null(strstr(r.bytes.p, " echo ")); /* the editor had an ordinary terminal */
	assert_true(r.alt);
	type(&r, "q");
	type(&r, "q");
	assert_int_equal(wait_end(&r), 0);
	restored(&r);
	rig_close(&r);
}

static void test_colors(void **state)
{
	struct rig r;
	(void)state;
	rig_open(&r, 80, 24, (const char *const[]){ "NO_COLOR=1", NULL }, NULL);
	expect(&r, "Lessons");
	assert_null(strstr(r.bytes.p, "\033[38;"));
	assert_null(strstr(r.bytes.p, "\033[48;"));
	rig_close(&r);
	rig_open(&r, 80, 24, (const char *const[]){ "COLORTERM=truecolor", NULL }, NULL);
	expect(&r, "Lessons");
	assert_non_null(strstr(r.bytes.p, "\033[38;2;"));
	rig_close(&r);
	rig_open(&r, 80, 24, NULL, NULL);
	expect(&r, "Lessons");
	assert_non_null(strstr(r.bytes.p, "\033[38;5;"));
	assert_null(strstr(r.bytes.p, ";2;"));
	rig_close(&r);
}

static void test_ascii(void **state)
{
	static const char *const linux_console[] = { "TERM=linux", NULL };
	static const char *const c_locale[] = { "LC_ALL=C", "LANG=C", NULL };
	static const char *const vt100[] = { "TERM=vt100", NULL };
	const char *const *all[] = { linux_console, c_locale, vt100 };
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct rig r;
		rig_open(&r, 80, 24, all[i], NULL);
		expect(&r, "Lessons");
		for (size_t k = 0; k < r.bytes.len; k++)
			assert_true((unsigned char)r.bytes.p[k] < 0x80);
		type(&r, "L");
		expect(&r, "ASCII only");
		rig_close(&r);
	}
}

/* A terminal that cannot move its cursor gets one sentence. */
static void test_no_cursor(void **state)
{
	struct rig r;
	(void)state;
	rig_open(&r, 80, 24, (const char *const[]){ "TERM=no-such-terminal", NULL }, NULL);
	settle(&r, 300);
	int status = wait_end(&r);
	assert_true(status != -1 && WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 2);
	settle(&r, 100);
	assert_non_null(strstr(r.bytes.p, "no-such-terminal"));
	rig_close(&r);
}

/* What the diff leaves on a terminal is what a fresh drawing gives. */
static void test_diff_is_exact(void **state)
{
	struct rig r;
	(void)state;
	rig_open(&r, 120, 40, NULL, (const char *const[]){ "lab", "202", NULL });
	expect(&r, "step 1");
	type(&r, "\t\tLnLNLz");
	settle(&r, 150);
	type(&r, "zLnLjjLL?");
	settle(&r, 150);
	type(&r, "?N");
	settle(&r, 200);
	rs_auto_str diffed = RS_STR_INIT, fresh = RS_STR_INIT;
	text_of(&r, &diffed);
	type(&r, "\014"); /* Ctrl-L */
	settle(&r, 200);
	text_of(&r, &fresh);
	assert_string_equal(diffed.p, fresh.p);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tour),    cmocka_unit_test(test_resize),
		cmocka_unit_test(test_signals), cmocka_unit_test(test_signal_twice),
		cmocka_unit_test(test_suspend), cmocka_unit_test(test_editor),
		cmocka_unit_test(test_colors),  cmocka_unit_test(test_ascii),
		cmocka_unit_test(test_no_cursor), cmocka_unit_test(test_diff_is_exact),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
