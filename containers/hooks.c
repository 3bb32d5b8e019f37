/* Hooks (config.md, "POSIX-platform Hooks"): in order, with the state on their standard input. A hook may
 * hang, fork, write without end or not read: it gets its time, its output is kept as far as it may
 * explain a failure, and its children are not waited for. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "containers/run.h"
#include "engine/base/cleanup.h"

struct talk {
	int in, out, pidfd;
	const char *state;
	size_t left;
	char said[300];
	size_t said_n;
};

static int spawn(const struct ctr_hook *h, int in, int out, pid_t *pid)
{
	char *only[] = { h->path, NULL }, *none[] = { NULL };
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	sigset_t all, empty;
	int rc;

	sigfillset(&all);
	sigemptyset(&empty);
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, in, 0);
	posix_spawn_file_actions_adddup2(&fa, out, 1);
	posix_spawn_file_actions_adddup2(&fa, out, 2);
	posix_spawnattr_init(&at);
	posix_spawnattr_setsigdefault(&at, &all);
	posix_spawnattr_setsigmask(&at, &empty);
	posix_spawnattr_setpgroup(&at, 0);
	posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
	rc = posix_spawn(pid, h->path, &fa, &at, h->args.n ? h->args.v : only, h->env.v ? h->env.v : none);
	posix_spawnattr_destroy(&at);
	posix_spawn_file_actions_destroy(&fa);
	return -rc;
}

/* Feeds and listens until the process ends; false: its time is over. */
static bool attend(struct talk *t, pid_t pid, uint64_t deadline)
{
	for (;;) {
		struct pollfd p[3] = {
			{ t->left ? t->in : -1, POLLOUT, 0 }, { t->out, POLLIN, 0 }, { t->pidfd, POLLIN, 0 },
		};
		uint64_t now = ctr_now();
		int ms = !deadline ? -1 : now >= deadline ? 0 : (int)((deadline - now) / 1000000) + 1;
		char buf[4096];
		ssize_t n;

		if (t->pidfd < 0 && (ms < 0 || ms > 20)) /* no pidfd: look now and then */
			ms = 20;
		if (poll(p, 3, ms) < 0 && errno != EINTR)
			return true;
		if (t->left && p[0].revents) {
			n = write(t->in, t->state, t->left);
			if (n > 0) {
				t->state += n;
				t->left -= (size_t)n;
			} else if (errno != EAGAIN && errno != EINTR) {
				t->left = 0; /* it does not want to read */
			}
			if (!t->left) {
				close(t->in);
				t->in = -1;
			}
		}
		while (t->out >= 0 && (n = read(t->out, buf, sizeof(buf))) >= 0) {
			size_t room = sizeof(t->said) - 1 - t->said_n, take = (size_t)n < room ? (size_t)n : room;

			memcpy(t->said + t->said_n, buf, take);
			t->said_n += take;
			if (n == 0) {
				close(t->out);
				t->out = -1;
			}
		}
		siginfo_t si = { 0 };

		if (waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT) == 0 && si.si_pid == pid)
			return true;
		if (deadline && ctr_now() >= deadline)
			return false;
	}
}

static int run(struct ctr_trace *t, const struct ctr_hook *h, const char *state, struct rs_err *err)
{
	struct talk talk = { .in = -1, .out = -1, .pidfd = -1, .state = state, .left = strlen(state) };
	uint64_t began = ctr_now();
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, rc, status = 0;
	pid_t pid = -1;
	bool in_time = true;

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		rc = -errno;
	else
		rc = spawn(h, in[0], out[1], &pid);
	close(in[0]);
	close(out[1]);
	talk.in = in[1];
	talk.out = out[0];
	if (rc == 0) {
		void (*before)(int) = signal(SIGPIPE, SIG_IGN);

		fcntl(talk.in, F_SETFL, O_NONBLOCK);
		fcntl(talk.out, F_SETFL, O_NONBLOCK);
		talk.pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		in_time = attend(&talk, pid, h->timeout.set ? began + (uint64_t)h->timeout.i * 1000000000u : 0);
		if (!in_time)
			kill(-pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		signal(SIGPIPE, before);
	}
	for (unsigned i = 0; i < 3; i++) {
		int fd = (int[]){ talk.in, talk.out, talk.pidfd }[i];

		if (fd >= 0)
			close(fd);
	}
	errno = -rc;
	if (t->on)
		ctr_call_note(t, "execve", began, rc ? -1 : status, "%s", h->path);
	if (rc)
		return CTR_FAIL(t, err, -rc, "the hook %s cannot be run", h->path);
	if (in_time && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	talk.said[strcspn(talk.said, "\r\n")] = '\0';
	if (!in_time)
		rs_err_set(err, -ETIMEDOUT, "the hook %s was ended: it took longer than its %lld s", h->path,
			   (long long)h->timeout.i);
	else if (WIFSIGNALED(status))
		rs_err_set(err, -EIO, "the hook %s was ended by signal %d", h->path, WTERMSIG(status));
	else
		rs_err_set(err, -EIO, "the hook %s ended with exit status %d: %s", h->path, WEXITSTATUS(status), talk.said);
	return ctr_fail_finish(t, err);
}

int ctr_hooks(struct ctr_trace *t, const struct ctr_config *cfg, enum ctr_hook_kind kind, enum ctr_step step,
	      const char *state, struct rs_err *err)
{
	const struct ctr_hook_list *l = &cfg->hooks[kind];

	for (unsigned i = 0; i < l->n; i++) {
		int rc = ctr_step_begin(t, step, i, err, "hooks.%s[%u]", ctr_words_hook[kind].word, i);

		if (rc == 0)
			rc = run(t, &l->v[i], state, err);
		ctr_step_end(t, rc);
		if (rc == 0)
			continue;
		if (kind != CTR_HOOK_POSTSTOP)
			return rc;
		/* runtime.md, "Lifecycle" 13: a warning, and the rest goes on */
		ctr_warn(t, err);
		*err = (struct rs_err)RS_ERR_INIT;
	}
	return 0;
}
