/* Which lessons can run on this machine? A child process asks eng_lesson_runnable for one after
 * the other and writes each answer into a pipe. Whatever a probe guest does to it, the lab goes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tui/app.h"

struct answer {
	int index;          /* into tui_list.all */
	int runnable;       /* enum tui_runnable */
	struct rs_err why;
};

static _Noreturn void probe_child(const struct tui_app *a, int fd)
{
	static const int mine[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGSEGV, SIGABRT, SIGBUS, SIGALRM,
				    SIGWINCH, SIGTSTP, SIGCONT };
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; i < sizeof(mine) / sizeof(mine[0]); i++)
		signal(mine[i], SIG_DFL); /* the lab's handlers are about the lab's terminal */
	int null = open("/dev/null", O_RDWR);
	for (int k = 0; null >= 0 && k < 3; k++)
		dup2(null, k);
	for (int i = 0; i < a->list.alls; i++) {
		struct answer x = { .index = i };
		int rc = eng_lesson_runnable(a->list.all[i].lesson, NULL, &x.why);
		x.runnable = rc == 0 ? TUI_RUN_YES : TUI_RUN_NO;
		if (write(fd, &x, sizeof(x)) != (ssize_t)sizeof(x))
			break;
	}
	_exit(0);
}

void tui_probe_start(struct tui_app *a)
{
	int fd[2];
	if (a->probe_pid || !a->list.alls || pipe2(fd, O_CLOEXEC) < 0)
		return;
	pid_t pid = fork();
	if (pid == 0)
		probe_child(a, fd[1]);
	close(fd[1]);
	if (pid < 0) {
		close(fd[0]);
		return;
	}
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
	a->probe_pid = pid;
	a->probe_fd = fd[0];
}

int tui_probe_fd(const struct tui_app *a)
{
	return a->probe_fd;
}

void tui_probe_take(struct tui_app *a)
{
	char buf[4096];
	ssize_t n;
	while ((n = read(a->probe_fd, buf, sizeof(buf))) > 0)
		rs_str_addn(&a->probe_in, buf, (size_t)n);
	bool end = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
	size_t done = 0;
	struct answer x;
	for (; a->probe_in.len - done >= sizeof(x); done += sizeof(x)) {
		memcpy(&x, a->probe_in.p + done, sizeof(x));
		if (x.index < 0 || x.index >= a->list.alls)
			continue;
		a->list.all[x.index].runnable = x.runnable == TUI_RUN_YES ? TUI_RUN_YES : TUI_RUN_NO;
		a->list.all[x.index].why = x.why;
		a->dirty = true;
	}
	struct rs_str rest = RS_STR_INIT;
	rs_str_addn(&rest, a->probe_in.p + done, a->probe_in.len - done);
	rs_str_release(&a->probe_in);
	a->probe_in = rest;
	if (end)
		tui_probe_stop(a);
}

void tui_probe_stop(struct tui_app *a)
{
	if (a->probe_pid) {
		kill(a->probe_pid, SIGKILL);
		while (waitpid(a->probe_pid, NULL, 0) < 0 && errno == EINTR)
			;
		close(a->probe_fd);
	}
	a->probe_pid = 0;
	a->probe_fd = -1;
	rs_str_release(&a->probe_in);
}
