/* The real program on a pseudo-terminal, for tests and benchmarks: keys in, bytes out.
 */
#ifndef TESTS_PTY_LAB_H
#define TESTS_PTY_LAB_H

#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

struct pty_lab {
	int master, slave;    /* slave stays open, so that its settings can be read afterwards */
	pid_t pid;
	char home[64];
};

static inline double pty_now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* env: NULL-terminated "NAME=value" beyond the fixed ones ("NAME=" removes); args: NULL-terminated. */
static inline int pty_lab_start(struct pty_lab *l, int cols, int rows, const char *const *env,
				const char *const *args)
{
	const char *bin = getenv("RINGSIDE");
	struct winsize ws = { .ws_col = (unsigned short)cols, .ws_row = (unsigned short)rows };
	char path[4096];
	if (!realpath(bin ? bin : "build/ringside", path))
		return -errno;
	strcpy(l->home, "/tmp/ringside-pty-XXXXXX");
	if (!mkdtemp(l->home) || openpty(&l->master, &l->slave, NULL, NULL, &ws) < 0)
		return -errno;
	l->pid = fork();
	if (l->pid < 0)
		return -errno;
	if (l->pid > 0)
		return 0;
	close(l->master);
	setsid();
	ioctl(l->slave, TIOCSCTTY, 0);
	for (int fd = 0; fd < 3; fd++)
		dup2(l->slave, fd);
	if (l->slave > 2)
		close(l->slave);
	for (const char *const *name = (const char *const[]){ "NO_COLOR", "RINGSIDE_COLOR", "RINGSIDE_LANG",
			"RINGSIDE_ASCII", "COLORFGBG", "COLORTERM", "VISUAL", "EDITOR", "LC_MESSAGES", NULL };
	     *name; name++)
		unsetenv(*name);
	setenv("HOME", l->home, 1);
	setenv("XDG_STATE_HOME", l->home, 1);
	setenv("XDG_DATA_HOME", l->home, 1);
	setenv("XDG_CACHE_HOME", l->home, 1);
	setenv("TERM", "xterm-256color", 1);
	setenv("LANG", "C.UTF-8", 1);
	setenv("LC_ALL", "C.UTF-8", 1);
	setenv("RINGSIDE_THEME", "dark", 1);
	for (; env && *env; env++) {
		char name[128];
		const char *eq = strchr(*env, '=');
		snprintf(name, sizeof(name), "%.*s", (int)(eq - *env), *env);
		if (eq[1])
			setenv(name, eq + 1, 1);
		else
			unsetenv(name);
	}
	char *argv[16] = { path };
	for (int i = 0; args && args[i] && i < 14; i++)
		argv[i + 1] = (char *)(size_t)args[i];
	execv(path, argv);
	_exit(127);
}

/* Bytes that arrive within `ms`; 0: none; -1: the terminal's other side is closed. */
static inline ssize_t pty_lab_read(struct pty_lab *l, char *buf, size_t n, int ms)
{
	struct pollfd p = { l->master, POLLIN, 0 };
	if (poll(&p, 1, ms) <= 0)
		return 0;
	return read(l->master, buf, n);
}

static inline void pty_lab_write(struct pty_lab *l, const char *s)
{
	if (write(l->master, s, strlen(s)) < 0)
		perror("pty");
}

static inline void pty_lab_close(struct pty_lab *l)
{
	if (l->pid > 0) {
		kill(l->pid, SIGKILL);
		waitpid(l->pid, NULL, 0);
	}
	close(l->master);
	close(l->slave);
}

#endif
