/* Waiting for descriptors: select, poll, epoll; and signals as a descriptor. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "emu/linux_calls.h"

#define TIMESPEC 16

int64_t emu_sys_ppoll(struct emu_thread *t, const uint64_t a[6])
{
	void *fds = emu_out(t, a[0], (a[1] & 0xffffff) * 8);
	uint64_t timeout;

	if (a[1] > 0xffffff)
		return -EINVAL;
	if (!fds || !emu_optional(t, a[2], TIMESPEC, true, &timeout) || !emu_mask_enter(t, a[3]))
		return -EFAULT;
	if (emu_signal_ready(t))
		return -EINTR;
	return emu_mask_leave(t, emu_safe_syscall(t, SYS_ppoll, (uintptr_t)fds, a[1], timeout, 0, 8, 0));
}

int64_t emu_sys_pselect6(struct emu_thread *t, const uint64_t a[6])
{
	uint64_t set[3], timeout, pair[2] = { 0, 0 }, bytes = ((a[0] & 0xffff) + 63) / 64 * 8;

	if ((int64_t)a[0] < 0 || a[0] > 1024)
		return -EINVAL;
	for (unsigned i = 0; i < 3; i++)
		if (!emu_optional(t, a[1 + i], bytes, true, &set[i]))
			return -EFAULT;
	if (!emu_optional(t, a[4], TIMESPEC, true, &timeout) ||
	    (a[5] && !emu_mem_read(&t->l->w->mem, a[5], pair, 16)) || !emu_mask_enter(t, pair[0]))
		return -EFAULT;
	if (emu_signal_ready(t))
		return -EINTR;
	return emu_mask_leave(t, emu_safe_syscall(t, SYS_pselect6, a[0], set[0], set[1], set[2], timeout, 0));
}

/* ---- epoll: struct epoll_event is packed on x86-64 alone ---- */

struct guest_event {
	uint32_t events, pad;
	uint64_t data;
};

int64_t emu_sys_epoll_ctl(struct emu_thread *t, const uint64_t a[6])
{
	struct guest_event g = { 0, 0, 0 };
	struct epoll_event e;

	if (a[1] != EPOLL_CTL_DEL && !emu_mem_read(&t->l->w->mem, a[3], &g, sizeof(g)))
		return -EFAULT;
	e.events = g.events;
	e.data.u64 = g.data;
	return emu_host_syscall(SYS_epoll_ctl, a[0], a[1], a[2], (uintptr_t)&e, 0, 0);
}

#define EVENTS_MAX 256u /* given at once; the next call gives the rest */

static int64_t epoll_wait_masked(struct emu_thread *t, long nr, const uint64_t a[6], uint64_t timeout)
{
	struct epoll_event e[EVENTS_MAX];
	struct guest_event *g;
	int max = (int)a[2];
	int64_t r;

	if (max <= 0)
		return -EINVAL;
	if (max > (int)EVENTS_MAX)
		max = EVENTS_MAX;
	if (!emu_out(t, a[1], (uint64_t)max * sizeof(*g)) || !emu_mask_enter(t, a[4]))
		return -EFAULT;
	if (emu_signal_ready(t))
		return -EINTR;
	r = emu_mask_leave(t, emu_safe_syscall(t, nr, a[0], (uintptr_t)e, (uint64_t)max, timeout, 0, 8));
	/* another thread may have changed the memory meanwhile */
	g = r > 0 ? emu_out(t, a[1], (uint64_t)r * sizeof(*g)) : NULL;
	if (r > 0 && !g)
		return -EFAULT;
	for (int64_t i = 0; i < r; i++)
		g[i] = (struct guest_event){ e[i].events, 0, e[i].data.u64 };
	return r;
}

int64_t emu_sys_epoll_pwait(struct emu_thread *t, const uint64_t a[6])
{
	return epoll_wait_masked(t, SYS_epoll_pwait, a, a[3]);
}

int64_t emu_sys_epoll_pwait2(struct emu_thread *t, const uint64_t a[6])
{
	uint64_t timeout;

	if (!emu_optional(t, a[3], TIMESPEC, false, &timeout))
		return -EFAULT;
	return epoll_wait_masked(t, SYS_epoll_pwait2, a, timeout);
}

/* ---- signalfd ---- */

/* The guest's signals are its own affair (linux_signal.c), so its descriptor is one end of a pair of
 * sockets: records written to the other end. */
int64_t emu_sys_signalfd4(struct emu_thread *t, const uint64_t a[6])
{
	struct emu_linux *l = t->l;
	int pair[2], flags = (int)a[3];
	uint64_t mask;
	unsigned i = 0;

	if (a[2] != 8 || (flags & ~(O_CLOEXEC | O_NONBLOCK)))
		return -EINVAL;
	if (!emu_mem_read(&l->w->mem, a[1], &mask, 8))
		return -EFAULT;
	mask &= ~(EMU_SIGSET(SIGKILL) | EMU_SIGSET(SIGSTOP));
	if ((int32_t)a[0] >= 0) {
		while (i < EMU_SIGFDS && (!l->sigfd[i].mask || l->sigfd[i].guest != (int)a[0]))
			i++;
		if (i == EMU_SIGFDS)
			return -EINVAL;
		l->sigfd[i].mask = mask;
		emu_signals_watch(t, mask, true);
		return (int64_t)a[0];
	}
	while (i < EMU_SIGFDS && l->sigfd[i].mask)
		i++;
	if (i == EMU_SIGFDS)
		return -EMFILE;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | (flags & O_CLOEXEC ? SOCK_CLOEXEC : 0) |
		       (flags & O_NONBLOCK ? SOCK_NONBLOCK : 0), 0, pair) < 0)
		return -errno;
	l->sigfd[i].host = emu_high_fd(pair[1]);
	l->sigfd[i].guest = pair[0];
	l->sigfd[i].mask = mask;
	emu_signals_watch(t, mask, true);
	return pair[0];
}

/* struct signalfd_siginfo (signalfd(2)), 128 bytes. */
bool emu_signalfd_divert(struct emu_linux *l, const struct emu_siginfo *info)
{
	union {
		uint8_t bytes[128];
		struct {
			uint32_t signo;
			int32_t error, code;
			uint32_t pid, uid;
			int32_t fd;
			uint32_t tid, band, overrun, trapno;
			int32_t status, value;
			uint64_t pointer, utime, stime, addr;
		} f;
	} r;

	for (unsigned i = 0; i < EMU_SIGFDS; i++) {
		if (!(l->sigfd[i].mask & EMU_SIGSET(info->signo)))
			continue;
		memset(&r, 0, sizeof(r));
		r.f.signo = (uint32_t)info->signo;
		r.f.code = info->code;
		r.f.pid = (uint32_t)info->pid;
		r.f.uid = (uint32_t)info->uid;
		r.f.addr = info->addr;
		r.f.pointer = info->value;
		r.f.value = (int32_t)info->value;
		if (info->signo == SIGCHLD)
			r.f.status = (int32_t)info->value;
		if (send(l->sigfd[i].host, &r, sizeof(r), MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(r))
			return true;
		if (errno == EPIPE || errno == ECONNRESET) { /* the guest closed its end */
			l->sigfd[i].mask = 0;
			close(l->sigfd[i].host);
		}
	}
	return false;
}
