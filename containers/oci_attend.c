/* The foreground: signals are passed on to the process, and what is typed goes to its terminal. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "containers/oci.h"
#include "engine/base/cleanup.h"

static int exit_status(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Takes the ends of children; true: ours is among them. */
static bool reap(pid_t pid, int *status)
{
	int s;
	pid_t p;

	while ((p = waitpid(-1, &s, WNOHANG)) > 0)
		if (p == pid) {
			*status = exit_status(s);
			return true;
		}
	return p < 0 && errno == ECHILD;
}

static bool forwarded(int sig)
{
	return sig != SIGCHLD && sig != SIGURG && sig != SIGPIPE && sig != SIGKILL && sig != SIGSTOP;
}

/* All signals are blocked: the caller did it before the process was born. */
static int without_terminal(pid_t pid)
{
	sigset_t all;
	int status = 0;

	sigfillset(&all);
	for (;;) {
		int sig;

		if (reap(pid, &status))
			return status;
		sig = sigwaitinfo(&all, NULL);
		if (sig > 0 && forwarded(sig))
			kill(pid, sig);
	}
}

/* ---- with one ---- */

static struct termios saved;
static bool raw;

static void restore(void)
{
	if (raw)
		tcsetattr(0, TCSADRAIN, &saved);
	raw = false;
}

static void make_raw(void)
{
	struct termios t;

	if (tcgetattr(0, &saved) < 0)
		return;
	t = saved;
	cfmakeraw(&t);
	raw = tcsetattr(0, TCSADRAIN, &t) == 0;
}

static void copy_size(int terminal)
{
	struct winsize w;

	if (ioctl(0, TIOCGWINSZ, &w) == 0 && w.ws_row)
		ioctl(terminal, TIOCSWINSZ, &w);
}

static bool put(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t w = write(fd, p, n);

		if (w < 0 && errno == EAGAIN) {
			struct pollfd wait = { fd, POLLOUT, 0 };

			poll(&wait, 1, 100);
			continue;
		}
		if (w < 0 && errno != EINTR)
			return false;
		if (w > 0) {
			p += w;
			n -= (size_t)w;
		}
	}
	return true;
}

static int with_terminal(pid_t pid, int terminal)
{
	sigset_t all;
	rs_auto_close int sfd = -1;
	int status = 0, in = 0;
	bool ended = false;
	char buf[16384];

	sigfillset(&all);
	sfd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	make_raw();
	copy_size(terminal);
	ended = reap(pid, &status);
	for (;;) {
		struct pollfd p[3] = { { terminal, POLLIN, 0 }, { in, POLLIN, 0 }, { sfd, POLLIN, 0 } };
		struct signalfd_siginfo si;
		ssize_t n;

		if (poll(p, 3, ended ? 0 : -1) < 0 && errno != EINTR)
			break;
		if (p[0].revents & (POLLIN | POLLHUP | POLLERR)) {
			n = read(terminal, buf, sizeof(buf));
			if (n > 0 && !put(1, buf, (size_t)n))
				terminal = -1; /* nobody reads: what it writes is lost, it is not */
			else if (n <= 0 && errno != EINTR && errno != EAGAIN)
				terminal = -1;
			if (n > 0)
				continue;
		}
		if (ended)
			break;
		if (p[1].revents & (POLLIN | POLLHUP)) {
			n = read(in, buf, sizeof(buf));
			if (n > 0 && terminal >= 0)
				put(terminal, buf, (size_t)n);
			else if (n == 0) {
				char eof = 4; /* as if Ctrl-D was typed */

				put(terminal, &eof, 1);
				in = -1;
			} else if (n < 0 && errno != EINTR) {
				in = -1;
			}
		}
		while (read(sfd, &si, sizeof(si)) == sizeof(si)) {
			if (si.ssi_signo == SIGWINCH)
				copy_size(terminal);
			else if (forwarded((int)si.ssi_signo))
				kill(pid, (int)si.ssi_signo);
		}
		ended = reap(pid, &status);
	}
	restore();
	return status;
}

int oci_attend(pid_t pid, int terminal)
{
	return terminal >= 0 ? with_terminal(pid, terminal) : without_terminal(pid);
}
