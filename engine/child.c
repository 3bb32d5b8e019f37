/* The child's side of an experiment: it lets go of everything that is the lab's, then does its work.
 */
#include "engine/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* Descriptors from here on belong to the lab. */
enum { FD_CHANNEL = 3, FD_WAKE, FD_CONTROL, FD_GO, FD_FIRST_FOREIGN };

/* Handlers of the lab (a terminal restored after a crash, a resized window) must not run here. */
static void reset_signals(void)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		sigaction(s, &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int move_fds(const struct eng_child_fds *f)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const struct {
		int from, to;
	} map[] = {
		{ null, 0 },
		{ f->out, 1 },
		{ f->err, 2 },
		{ f->channel, FD_CHANNEL },
		{ f->wake, FD_WAKE },
		{ f->control, FD_CONTROL },
		{ f->go, FD_GO },
	};
	enum { N = sizeof(map) / sizeof(map[0]) };
	int high[N];

	/* First out of the way of the numbers that are being filled, then onto them. */
	for (int i = 0; i < N; i++) {
		high[i] = fcntl(map[i].from, F_DUPFD_CLOEXEC, FD_FIRST_FOREIGN);
		if (high[i] < 0)
			return -errno;
	}
	for (int i = 0; i < N; i++)
		if (dup3(high[i], map[i].to, map[i].to > 2 ? O_CLOEXEC : 0) < 0)
			return -errno;
	if (close_range(FD_FIRST_FOREIGN, ~0u, 0) < 0) {
		/* Linux before 5.9 */
		struct rlimit r;
		int top = getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < 65536 ?
				  (int)r.rlim_cur : 65536;

		for (int fd = FD_FIRST_FOREIGN; fd < top; fd++)
			close(fd);
	}
	return 0;
}

static int work(const struct eng_experiment_opts *o, pid_t parent, const struct eng_child_fds *fds,
		struct eng_last_words *words, struct rs_err *err)
{
	struct eng_child c = { .control_fd = FD_CONTROL, .denied = &words->denied, .sandbox = eng_sandbox_vm };
	char go;
	int rc;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* The parent may have died before that line. */
	if (getppid() != parent)
		_exit(1);
	rc = move_fds(fds);
	if (rc < 0)
		return rs_err_errno(err, -rc, "the experiment's descriptors cannot be arranged");
	/* Nothing may be made before the journal knows of this process. */
	while ((rc = (int)read(FD_GO, &go, 1)) < 0 && errno == EINTR)
		;
	if (rc != 1)
		_exit(1);
	close(FD_GO);
	rc = eng_limits_apply(&o->limits, err);
	if (rc == 0)
		rc = rs_emitter_open(&c.em, FD_CHANNEL, FD_WAKE, err);
	if (rc < 0)
		return rc;
	close(FD_CHANNEL);
	return o->main(o->arg, &c, err);
}

void eng_child_run(const struct eng_experiment_opts *o, const struct eng_child_fds *fds,
		   pid_t parent, struct eng_last_words *words)
{
	struct rs_err err = RS_ERR_INIT;

	reset_signals();
	int rc = work(o, parent, fds, words, &err);

	if (rc < 0) {
		words->err = err;
		words->code = rc;
		atomic_store_explicit(&words->said, 1, memory_order_release);
	}
	/* _exit: the lab's atexit handlers and buffered output are not the child's. */
	_exit(rc < 0 ? 1 : 0);
}

int eng_child_seal(void *child, struct rs_err *err)
{
	struct eng_child *c = child;
	int rc = c->sandbox(c->denied, err);

	if (rc == 0)
		rs_emit(&c->em, RS_EV_EXP_READY, RS_SRC_ENGINE, 0, 1, 0, 0, 0, NULL);
	return rc;
}
