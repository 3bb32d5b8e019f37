/* Clocks, and POSIX timers. struct timespec and itimerspec are the host's.
 *
 * A timer of the guest is a timerfd of the host: a thread of the lab reads it and sends the signal, as
 * signals of the guest are not the host's (linux_signal.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "emu/linux_calls.h"

#define TIMESPEC 16
#define TIMERS 64

int64_t emu_sys_clock_gettime(struct emu_thread *t, const uint64_t a[6])
{
	struct timespec *out = emu_out(t, a[1], TIMESPEC);

	if (!out)
		return -EFAULT;
	return clock_gettime((clockid_t)a[0], out) < 0 ? -errno : 0;
}

int64_t emu_sys_clock_settime(struct emu_thread *t, const uint64_t a[6])
{
	(void)t;
	(void)a;
	return -EPERM;
}

/* ---- timers ---- */

struct timer {
	int fd;                 /* -1: unused */
	int sig;                /* 0: none is sent */
	int tid;                /* 0: to the process */
	int overrun;            /* of the last signal */
	uint64_t value;
};

struct emu_timers {
	struct timer v[TIMERS]; /* guarded by the process's lock */
	int wake_fd;            /* eventfd: look at the table again */
	bool quit;
	pthread_t thread;
};

int emu_high_fd(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, 512);

	if (high < 0)
		high = fcntl(fd, F_DUPFD_CLOEXEC, 64); /* a low limit on descriptors */
	if (high < 0)
		return fd;
	close(fd);
	return high;
}

/* Timer i, whose descriptor was `fd`, can be read: its signal. */
static void expire(struct emu_linux *l, int i, int fd)
{
	struct emu_siginfo info = { .code = SI_TIMER, .pid = i };
	struct timer now;
	uint64_t n;

	pthread_mutex_lock(&l->lock);
	/* it may be deleted by now, and the number be a file of the guest's */
	if (l->timers->v[i].fd != fd || read(fd, &n, 8) != 8) {
		pthread_mutex_unlock(&l->lock);
		return;
	}
	l->timers->v[i].overrun = (int)n - 1;
	now = l->timers->v[i];
	info.signo = now.sig;
	info.uid = now.overrun;
	info.value = now.value;
	if (now.sig && now.tid)
		for (struct emu_thread *x = l->threads; x; x = x->next)
			if (x->tid == now.tid)
				emu_signal_raise(x, &info);
	pthread_mutex_unlock(&l->lock);
	if (now.sig && !now.tid)
		emu_signal_post(l, &info);
}

static void *timers_main(void *arg)
{
	struct emu_linux *l = arg;
	struct emu_timers *ts = l->timers;

	for (;;) {
		struct pollfd p[TIMERS + 1] = { { .fd = ts->wake_fd, .events = POLLIN } };
		uint64_t n;

		pthread_mutex_lock(&l->lock);
		for (int i = 0; i < TIMERS; i++)
			p[i + 1] = (struct pollfd){ .fd = ts->v[i].fd, .events = POLLIN };
		if (ts->quit) {
			pthread_mutex_unlock(&l->lock);
			return NULL;
		}
		pthread_mutex_unlock(&l->lock);
		if (poll(p, TIMERS + 1, -1) < 0)
			continue;
		if (p[0].revents && read(ts->wake_fd, &n, 8) < 0)
			continue;
		for (int i = 0; i < TIMERS; i++)
			if (p[i + 1].revents & POLLIN)
				expire(l, i, p[i + 1].fd);
	}
}

static void wake(struct emu_timers *ts)
{
	eventfd_write(ts->wake_fd, 1);
}

void emu_timers_free(struct emu_linux *l, bool child)
{
	struct emu_timers *ts = l->timers;

	if (!ts)
		return;
	if (!child) {
		pthread_mutex_lock(&l->lock);
		ts->quit = true;
		pthread_mutex_unlock(&l->lock);
		wake(ts);
		pthread_join(ts->thread, NULL);
	}
	for (int i = 0; i < TIMERS; i++)
		if (ts->v[i].fd >= 0)
			close(ts->v[i].fd);
	close(ts->wake_fd);
	free(ts);
	l->timers = NULL;
}

/* The table and its thread, when the first timer is made. Lock held. */
static int start(struct emu_linux *l)
{
	struct emu_timers *ts;
	sigset_t all, old;
	int r;

	if (l->timers)
		return 0;
	ts = l->timers = rs_xcalloc(1, sizeof(*ts));
	for (int i = 0; i < TIMERS; i++)
		ts->v[i].fd = -1;
	ts->wake_fd = emu_high_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&ts->thread, NULL, timers_main, l);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r) {
		close(ts->wake_fd);
		free(ts);
		l->timers = NULL;
		return -EAGAIN;
	}
	return 0;
}

static struct timer *find(struct emu_linux *l, uint64_t id)
{
	return l->timers && id < TIMERS && l->timers->v[id].fd >= 0 ? &l->timers->v[id] : NULL;
}

/* struct sigevent: value, signal, how to tell, thread. */
struct event {
	uint64_t value;
	int32_t signo, notify, tid, pad;
};

static int64_t create(struct emu_linux *l, uint64_t clock, const struct event *e, bool given)
{
	int i = 0, fd, r = start(l);

	if (r < 0)
		return r;
	while (i < TIMERS && l->timers->v[i].fd >= 0)
		i++;
	if (i == TIMERS)
		return -EAGAIN;
	fd = timerfd_create((int)clock, TFD_CLOEXEC | TFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	l->timers->v[i] = (struct timer){
		.fd = emu_high_fd(fd),
		.sig = e->notify == SIGEV_NONE ? 0 : e->signo,
		.tid = e->notify == SIGEV_THREAD_ID ? e->tid : 0,
		.value = given ? e->value : (uint64_t)i,
	};
	wake(l->timers);
	return i;
}

int64_t emu_sys_timer_create(struct emu_thread *t, const uint64_t a[6])
{
	struct event e = { 0, SIGALRM, SIGEV_SIGNAL, 0, 0 };
	int32_t *id = emu_out(t, a[2], 4);
	int64_t r;

	if (!id || (a[1] && !emu_mem_read(&t->l->w->mem, a[1], &e, sizeof(e))))
		return -EFAULT;
	if ((e.notify != SIGEV_NONE && (e.signo < 1 || e.signo > EMU_SIGNALS)) ||
	    (e.notify != SIGEV_NONE && e.notify != SIGEV_SIGNAL && e.notify != SIGEV_THREAD_ID))
		return -EINVAL;
	pthread_mutex_lock(&t->l->lock);
	r = create(t->l, a[0], &e, a[1]);
	pthread_mutex_unlock(&t->l->lock);
	if (r >= 0)
		*id = (int32_t)r;
	return r < 0 ? r : 0;
}

int64_t emu_sys_timer_settime(struct emu_thread *t, const uint64_t a[6])
{
	struct itimerspec *now = emu_in(t, a[2], sizeof(*now));
	uint64_t old;
	struct timer *x;
	int64_t r = -EINVAL;

	if (!emu_optional(t, a[3], sizeof(struct itimerspec), true, &old))
		return -EFAULT;
	pthread_mutex_lock(&t->l->lock);
	x = find(t->l, a[0]);
	if (x && now)
		r = emu_host_syscall(SYS_timerfd_settime, (uint64_t)x->fd, a[1] & TFD_TIMER_ABSTIME, (uintptr_t)now,
				     old, 0, 0);
	pthread_mutex_unlock(&t->l->lock);
	return r;
}

int64_t emu_sys_timer_gettime(struct emu_thread *t, const uint64_t a[6])
{
	void *out = emu_out(t, a[1], sizeof(struct itimerspec));
	struct timer *x;
	int64_t r = -EINVAL;

	if (!out)
		return -EFAULT;
	pthread_mutex_lock(&t->l->lock);
	x = find(t->l, a[0]);
	if (x)
		r = emu_host_syscall(SYS_timerfd_gettime, (uint64_t)x->fd, (uintptr_t)out, 0, 0, 0, 0);
	pthread_mutex_unlock(&t->l->lock);
	return r;
}

int64_t emu_sys_timer_getoverrun(struct emu_thread *t, const uint64_t a[6])
{
	struct timer *x;
	int64_t r = -EINVAL;

	pthread_mutex_lock(&t->l->lock);
	x = find(t->l, a[0]);
	if (x)
		r = x->overrun;
	pthread_mutex_unlock(&t->l->lock);
	return r;
}

int64_t emu_sys_timer_delete(struct emu_thread *t, const uint64_t a[6])
{
	struct timer *x;
	int64_t r = -EINVAL;

	pthread_mutex_lock(&t->l->lock);
	x = find(t->l, a[0]);
	if (x) {
		close(x->fd);
		x->fd = -1;
		wake(t->l->timers);
		r = 0;
	}
	pthread_mutex_unlock(&t->l->lock);
	return r;
}
