#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "engine/base/str.h"
#include "tui/restore.h"

static struct {
	pid_t owner;                  /* forked children must not touch the terminal */
	volatile sig_atomic_t active; /* the screen is ours: restore it */
	struct termios before;
	char bytes[256];
	size_t len;
	int pipe_w;
	volatile sig_atomic_t resized, continued, suspend, end;
	struct sigaction old[NSIG];
	void *stack;
} st = { .pipe_w = -1 };

/* Async-signal-safe: write, tcsetattr and getpid only (signal-safety(7)). */
void tui_restore_now(void)
{
	if (!st.active || getpid() != st.owner)
		return;
	for (size_t done = 0; done < st.len;) {
		ssize_t n = write(STDOUT_FILENO, st.bytes + done, st.len - done);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	tcsetattr(STDIN_FILENO, TCSANOW, &st.before);
	st.active = 0; /* last: a signal in the middle of this does it all again before it kills us */
}

bool tui_restore_arm(void)
{
	if (st.active)
		return false;
	tcgetattr(STDIN_FILENO, &st.before);
	st.active = 1;
	return true;
}

static void die_of(int signo)
{
	signal(signo, SIG_DFL);
	sigset_t one;
	sigemptyset(&one);
	sigaddset(&one, signo);
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	raise(signo);
}

static void on_crash(int signo)
{
	if (getpid() == st.owner) {
		static const char said[] = "ringside: the lab crashed; the terminal was restored\r\n";
		bool was = st.active;
		tui_restore_now();
		if (was && write(STDERR_FILENO, said, sizeof(said) - 1) < 0) {
			/* nobody listens */
		}
	}
	die_of(signo);
}

static void tell(char c)
{
	if (write(st.pipe_w, &c, 1) < 0) {
		/* the pipe is full: the reader wakes anyway */
	}
}

static void on_end(int signo)
{
	int saved = errno;
	if (getpid() != st.owner) {
		die_of(signo);
	} else if (st.end || signo == SIGALRM) {
		/* the second time, or the lab did not leave within two seconds */
		tui_restore_now();
		die_of(st.end ? st.end : signo);
	} else {
		st.end = signo;
		alarm(2);
		tell('e');
	}
	errno = saved;
}

static void on_news(int signo)
{
	int saved = errno;
	if (getpid() == st.owner) {
		if (signo == SIGWINCH)
			st.resized = 1;
		else if (signo == SIGCONT)
			st.continued = 1;
		else
			st.suspend = 1;
		tell('n');
	}
	errno = saved;
}

static const struct {
	int signo;
	void (*handler)(int);
} handlers[] = {
	{ SIGSEGV, on_crash }, { SIGBUS, on_crash },  { SIGABRT, on_crash }, { SIGFPE, on_crash },
	{ SIGILL, on_crash },  { SIGTERM, on_end },   { SIGHUP, on_end },    { SIGINT, on_end },
	{ SIGQUIT, on_end },   { SIGALRM, on_end },   { SIGWINCH, on_news }, { SIGCONT, on_news },
	{ SIGTSTP, on_news },  { SIGPIPE, SIG_IGN },
};
#define HANDLERS (sizeof(handlers) / sizeof(handlers[0]))

void tui_restore_begin(const char *bytes, size_t n, int pipe_w)
{
	memset(&st, 0, sizeof(st));
	st.len = n < sizeof(st.bytes) ? n : sizeof(st.bytes);
	memcpy(st.bytes, bytes, st.len);
	st.owner = getpid();
	st.pipe_w = pipe_w;
	static bool once;
	if (!once)
		atexit(tui_restore_now), once = true;
	/* a stack of its own, so that a stack overflow is survived too */
	size_t size = 64 * 1024;
	st.stack = rs_xmalloc(size);
	stack_t ss = { .ss_sp = st.stack, .ss_size = size };
	sigaltstack(&ss, NULL);
	for (size_t i = 0; i < HANDLERS; i++) {
		struct sigaction sa = { .sa_handler = handlers[i].handler };
		sigemptyset(&sa.sa_mask);
		sa.sa_flags = handlers[i].handler == on_crash ? (int)(SA_ONSTACK | SA_RESETHAND) :
								SA_ONSTACK | SA_RESTART;
		sigaction(handlers[i].signo, &sa, &st.old[handlers[i].signo]);
	}
}

void tui_restore_end(void)
{
	for (size_t i = 0; i < HANDLERS; i++)
		sigaction(handlers[i].signo, &st.old[handlers[i].signo], NULL);
	alarm(0);
	st.pipe_w = -1;
	stack_t ss = { .ss_flags = SS_DISABLE };
	sigaltstack(&ss, NULL);
	free(st.stack);
	st.stack = NULL;
}

struct tui_signals tui_restore_news(void)
{
	struct tui_signals n = { .resized = st.resized, .continued = st.continued,
				 .suspend = st.suspend, .end = st.end };
	st.resized = st.continued = st.suspend = 0;
	return n;
}

void tui_restore_forget(void)
{
	st.suspend = st.continued = 0;
}
