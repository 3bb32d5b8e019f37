/* The parent's side of an experiment.
 */
#include "engine/experiment.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "engine/base/cleanup.h"
#include "engine/child.h"
#include "engine/death.h"

#define OUT_MAX (1u << 20)       /* bytes of one captured stream that are kept */
#define OUT_TURN 65536u          /* ... and read in one pump */

struct out {
	int fd;                  /* -1: at its end */
	enum rs_stream stream;
	uint64_t offset;
};

struct eng_experiment {
	pid_t pid;
	int pidfd, epfd, control;
	struct rs_channel *ch;
	struct eng_last_words *words;
	struct out out[2];
	struct eng_journal *journal;
	int journal_id;
	void (*event)(void *arg, struct rs_event *ev);
	void *event_arg;
	uint64_t t0;
	uint64_t ring_t0;        /* when the ring's time began, ns after t0 */
	uint64_t oom_before;
	uint32_t tag;
	bool killed;             /* by us */
	bool reaped, ended;
	struct eng_death death;
};

uint64_t eng_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void emit(struct eng_experiment *x, enum rs_kind kind, uint64_t a0, uint64_t a1, uint64_t a2,
		 uint64_t a3, const void *text, size_t n)
{
	struct rs_event ev = {
		.time = eng_now() - x->t0,
		.kind = (uint16_t)kind,
		.source = RS_SRC_ENGINE,
		.arg = { a0, a1, a2, a3 },
	};

	memcpy(ev.text, text, n < RS_TEXT_SIZE ? n : RS_TEXT_SIZE);
	x->event(x->event_arg, &ev);
}

static int watch(struct eng_experiment *x, int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(x->epfd, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

/* ---- start ---- */

/* The ends that the child gets, closed in the parent when start returns. */
struct ends {
	int go[2], out[2], err[2], control[2];
};

static void ends_close(struct ends *e)
{
	int *v[] = { e->go, e->out, e->err, e->control };

	for (unsigned i = 0; i < 4; i++)
		for (unsigned k = 0; k < 2; k++)
			if (v[i][k] >= 0)
				close(v[i][k]);
}

static int prepare(struct eng_experiment *x, const struct eng_experiment_opts *o, struct ends *e,
		   struct rs_err *err)
{
	x->ch = rs_channel_new(o->slots ? o->slots : ENG_EXPERIMENT_SLOTS, o->full, err);
	if (!x->ch)
		return err && err->code ? err->code : -ENOMEM;
	x->ring_t0 = rs_channel_began(x->ch) - x->t0;
	for (int k = 0; o->want && k < RS_KIND_COUNT; k++)
		if (o->want[k])
			rs_channel_want(x->ch, (enum rs_kind)k, true);
	x->words = mmap(NULL, sizeof(*x->words), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	if (x->words == MAP_FAILED) {
		x->words = NULL;
		return rs_err_errno(err, errno, "no memory for an experiment");
	}
	x->words->denied = -1;
	x->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (x->epfd < 0 || pipe2(e->go, O_CLOEXEC) < 0 || pipe2(e->out, O_CLOEXEC) < 0 ||
	    pipe2(e->err, O_CLOEXEC) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, e->control) < 0)
		return rs_err_errno(err, errno, "no descriptors for an experiment");
	/* Only the lab's ends do not block; an experiment may wait for its reader. */
	fcntl(e->out[0], F_SETFL, O_NONBLOCK);
	fcntl(e->err[0], F_SETFL, O_NONBLOCK);
	fcntl(e->control[0], F_SETFL, O_NONBLOCK);
	return 0;
}

static pid_t spawn(struct eng_experiment *x, const struct eng_experiment_opts *o, struct ends *e)
{
	sigset_t all, old;
	pid_t parent = getpid();

	/* No handler of the lab may run in the child before it has reset them. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	x->pid = fork();
	if (x->pid == 0) {
		struct eng_child_fds f = { e->go[0], e->out[1], e->err[1], rs_channel_fd(x->ch),
					   rs_channel_wake_fd(x->ch), e->control[1] };

		eng_child_run(o, &f, parent, x->words);
	}
	int saved = errno;

	sigprocmask(SIG_SETMASK, &old, NULL);
	errno = saved;
	return x->pid;
}

static int start(struct eng_experiment *x, const struct eng_experiment_opts *o, struct rs_err *err)
{
	struct ends e = { { -1, -1 }, { -1, -1 }, { -1, -1 }, { -1, -1 } };
	int rc = prepare(x, o, &e, err);

	if (rc == 0 && spawn(x, o, &e) < 0)
		rc = rs_err_errno(err, errno, "a process for the experiment cannot be started");
	if (rc == 0) {
		/* Also here, so that a kill of the group cannot come before the child's own call. */
		setpgid(x->pid, x->pid);
		x->journal_id = eng_journal_add_proc(o->journal, x->pid, err);
		rc = x->journal_id < 0 ? x->journal_id : 0;
	}
	if (rc == 0) {
		x->pidfd = (int)syscall(SYS_pidfd_open, x->pid, 0);
		if (x->pidfd < 0)
			rc = rs_err_errno(err, errno, "the experiment's process cannot be watched");
	}
	if (rc == 0) {
		x->out[0] = (struct out){ rs_steal_fd(&e.out[0]), o->out, 0 };
		x->out[1] = (struct out){ rs_steal_fd(&e.err[0]), o->err, 0 };
		x->control = rs_steal_fd(&e.control[0]);
		int w[] = { x->pidfd, rs_channel_wake_fd(x->ch), x->out[0].fd, x->out[1].fd };

		for (unsigned i = 0; rc == 0 && i < 4; i++)
			rc = watch(x, w[i]);
		if (rc < 0)
			rs_err_errno(err, -rc, "the experiment's process cannot be watched");
	}
	if (rc == 0) {
		emit(x, RS_EV_EXP_START, (uint64_t)x->pid, 0, 0, 0, o->name, strlen(o->name));
		rc = write(e.go[1], "g", 1) == 1 ? 0 : -errno;
	}
	ends_close(&e);
	return rc;
}

struct eng_experiment *eng_experiment_start(const struct eng_experiment_opts *o, struct rs_err *err)
{
	struct eng_experiment *x = rs_xcalloc(1, sizeof(*x));

	x->pid = x->pidfd = x->epfd = x->control = x->out[0].fd = x->out[1].fd = -1;
	x->journal = o->journal;
	x->event = o->event;
	x->event_arg = o->event_arg;
	x->oom_before = eng_oom_kills();
	x->t0 = eng_now();
	if (start(x, o, err) < 0) {
		eng_experiment_free(x);
		return NULL;
	}
	return x;
}

void eng_experiment_free(struct eng_experiment *x)
{
	if (!x)
		return;
	if (x->pid > 0 && !x->reaped) {
		eng_experiment_kill(x);
		while (waitpid(x->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	eng_journal_done(x->journal, x->journal_id);
	int fds[] = { x->pidfd, x->epfd, x->control, x->out[0].fd, x->out[1].fd };

	for (unsigned i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	rs_channel_free(x->ch);
	if (x->words)
		munmap(x->words, sizeof(*x->words));
	free(x);
}

/* ---- while it lives ---- */

pid_t eng_experiment_pid(const struct eng_experiment *x)
{
	return x->pid;
}

int eng_experiment_fd(const struct eng_experiment *x)
{
	return x->epfd;
}

bool eng_experiment_sleep(struct eng_experiment *x)
{
	return !x->reaped && rs_channel_sleep(x->ch);
}

int eng_experiment_doze(struct eng_experiment *x)
{
	return x->reaped ? 0 : rs_channel_doze(x->ch);
}

int eng_experiment_order(struct eng_experiment *x, struct rs_control *msg)
{
	if (x->reaped)
		return -ESRCH;
	msg->tag = ++x->tag;
	int rc = rs_control_send(x->control, msg);

	return rc == -EPIPE ? -ESRCH : rc;
}

void eng_experiment_kill(struct eng_experiment *x)
{
	if (x->reaped || x->pid <= 0)
		return;
	x->killed = true;
	/* Not yet reaped: the number is still ours, and so is the group. */
	if (kill(-x->pid, SIGKILL) < 0)
		kill(x->pid, SIGKILL);
}

void eng_experiment_want(struct eng_experiment *x, enum rs_kind kind, bool on)
{
	rs_channel_want(x->ch, kind, on);
}

void eng_experiment_counters(const struct eng_experiment *x, struct rs_counters *out)
{
	rs_channel_counters(x->ch, out);
}

uint64_t eng_experiment_lost(const struct eng_experiment *x)
{
	return rs_channel_lost(x->ch) + (rs_channel_corrupt(x->ch) ? 1 : 0);
}

/* What only the lab may say. */
static bool forged(unsigned kind)
{
	switch (kind) {
	case RS_EV_EXP_START:
	case RS_EV_EXP_EXIT:
	case RS_EV_LESSON_STEP:
	case RS_EV_LESSON_PREDICT:
	case RS_EV_CHECK_RESULT:
		return true;
	default:
		return false;
	}
}

static unsigned take_events(struct eng_experiment *x, unsigned max)
{
	struct rs_event ev[64];
	unsigned taken = 0, n;

	while (taken < max && (n = rs_channel_read(x->ch, ev, 64)) > 0) {
		for (unsigned i = 0; i < n; i++) {
			ev[i].time += x->ring_t0;
			if (!forged(ev[i].kind))
				x->event(x->event_arg, &ev[i]);
		}
		taken += n;
	}
	return taken;
}

static bool take_out(struct eng_experiment *x, struct out *o)
{
	char buf[4096];
	size_t turn = 0;
	ssize_t n = -1;

	if (o->fd < 0)
		return false;
	while (turn < OUT_TURN && (n = read(o->fd, buf, sizeof(buf))) > 0) {
		turn += (size_t)n;
		for (ssize_t i = 0; i < n && o->offset < OUT_MAX; i += RS_TEXT_SIZE) {
			size_t len = (size_t)(n - i) < RS_TEXT_SIZE ? (size_t)(n - i) : RS_TEXT_SIZE;

			emit(x, RS_EV_OUT_DATA, o->stream, o->offset, len, 0, buf + i, len);
			o->offset += len;
		}
	}
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		close(o->fd);
		o->fd = -1;
	}
	return turn > 0;
}

static void drop_answers(struct eng_experiment *x)
{
	struct rs_control msg;

	/* What an order did arrives as events; an answer only frees the child's queue. */
	while (rs_control_recv(x->control, &msg) == 0)
		;
}

/* True when the process has ended. */
static bool reap(struct eng_experiment *x)
{
	siginfo_t si = { .si_pid = 0 };
	int status;

	if (x->reaped || waitid(P_PID, (id_t)x->pid, &si, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	    si.si_pid != x->pid)
		return false;
	/* What it started and left behind, as a compiler's own children. Before the number is given
	 * back: until then the group with it can only be this one. */
	kill(-x->pid, SIGKILL);
	if (waitpid(x->pid, &status, 0) != x->pid)
		return false;
	x->reaped = true;
	rs_channel_producer_died(x->ch);
	x->death = (struct eng_death){
		.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
		.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
		.denied = atomic_load(&x->words->denied),
		.oom = eng_oom_kills() != x->oom_before,
		.ours = x->killed,
		.wall = eng_now() - x->t0,
	};
	eng_death_explain(&x->death, x->words);
	return true;
}

bool eng_experiment_pump(struct eng_experiment *x, unsigned max)
{
	if (x->ended)
		return false;
	/* Reaped first: then everything it ever sent is there to be taken below. */
	bool any = reap(x);
	unsigned taken = take_events(x, max);

	any |= taken > 0;
	any |= take_out(x, &x->out[0]);
	any |= take_out(x, &x->out[1]);
	drop_answers(x);
	if (x->reaped && taken < max) {
		/* A stray grandchild may keep a pipe open: what is in it now is all that counts. */
		while (take_out(x, &x->out[0]) || take_out(x, &x->out[1]))
			;
		emit(x, RS_EV_EXP_EXIT, (uint64_t)(int64_t)x->death.status,
		     (uint64_t)x->death.signal, x->death.wall, eng_experiment_lost(x), "", 0);
		x->ended = true;
		any = true;
	}
	return any;
}

const struct eng_death *eng_experiment_death(const struct eng_experiment *x)
{
	return x->ended ? &x->death : NULL;
}
