/* Clocks, sleeping, interval timers. struct timespec, timeval and itimerval are the host's. */
#include <errno.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>

#include "emu/linux_calls.h"

#define TIMESPEC 16
#define ITIMERVAL 32

/* An optional record: false when the address is not 0 and not accessible. */
static bool optional(struct emu_thread *t, uint64_t addr, uint64_t len, bool write, uint64_t *host)
{
	*host = 0;
	if (addr)
		*host = (uintptr_t)(write ? emu_out(t, addr, len) : emu_in(t, addr, len));
	return !addr || *host;
}

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

int64_t emu_sys_clock_getres(struct emu_thread *t, const uint64_t a[6])
{
	uint64_t out;

	if (!optional(t, a[1], TIMESPEC, true, &out))
		return -EFAULT;
	return emu_host_syscall(SYS_clock_getres, a[0], out, 0, 0, 0, 0);
}

int64_t emu_sys_gettimeofday(struct emu_thread *t, const uint64_t a[6])
{
	uint64_t tv, tz;

	if (!optional(t, a[0], 16, true, &tv) || !optional(t, a[1], 8, true, &tz))
		return -EFAULT;
	return emu_host_syscall(SYS_gettimeofday, tv, tz, 0, 0, 0, 0);
}

int64_t emu_sys_nanosleep(struct emu_thread *t, const uint64_t a[6])
{
	uint64_t want = (uintptr_t)emu_in(t, a[0], TIMESPEC), left;

	if (!want || !optional(t, a[1], TIMESPEC, true, &left))
		return -EFAULT;
	return emu_safe_syscall(t, SYS_nanosleep, want, left, 0, 0, 0, 0);
}

int64_t emu_sys_clock_nanosleep(struct emu_thread *t, const uint64_t a[6])
{
	uint64_t want = (uintptr_t)emu_in(t, a[2], TIMESPEC), left;

	if (!want || !optional(t, a[3], TIMESPEC, true, &left))
		return -EFAULT;
	return emu_safe_syscall(t, SYS_clock_nanosleep, a[0], a[1], want, left, 0, 0);
}

int64_t emu_sys_getitimer(struct emu_thread *t, const uint64_t a[6])
{
	void *out = emu_out(t, a[1], ITIMERVAL);

	return out ? emu_host_syscall(SYS_getitimer, a[0], (uintptr_t)out, 0, 0, 0, 0) : -EFAULT;
}

int64_t emu_sys_setitimer(struct emu_thread *t, const uint64_t a[6])
{
	uint64_t now, old;

	if (!optional(t, a[1], ITIMERVAL, false, &now) || !optional(t, a[2], ITIMERVAL, true, &old))
		return -EFAULT;
	return emu_host_syscall(SYS_setitimer, a[0], now, old, 0, 0, 0);
}

int64_t emu_sys_times(struct emu_thread *t, const uint64_t a[6])
{
	uint64_t out;

	if (!optional(t, a[0], 32, true, &out))
		return -EFAULT;
	return emu_host_syscall(SYS_times, out, 0, 0, 0, 0, 0);
}

/* ---- waiting for descriptors ---- */

/* The mask that pselect6 and ppoll set while they wait: as rt_sigsuspend, taken back after the
 * signal was delivered. */
static bool enter_mask(struct emu_thread *t, uint64_t addr)
{
	uint64_t mask;

	if (!addr)
		return true;
	if (!emu_mem_read(&t->l->w->mem, addr, &mask, 8))
		return false;
	t->saved_mask = t->mask;
	t->restore_mask = true;
	t->mask = mask & ~(EMU_SIGSET(SIGKILL) | EMU_SIGSET(SIGSTOP));
	return true;
}

static int64_t leave_mask(struct emu_thread *t, int64_t r)
{
	if (r != -EINTR && t->restore_mask) {
		t->mask = t->saved_mask;
		t->restore_mask = false;
	}
	return r;
}

int64_t emu_sys_ppoll(struct emu_thread *t, const uint64_t a[6])
{
	void *fds = emu_out(t, a[0], (a[1] & 0xffffff) * 8);
	uint64_t timeout;

	if (a[1] > 0xffffff)
		return -EINVAL;
	if (!fds || !optional(t, a[2], TIMESPEC, true, &timeout) || !enter_mask(t, a[3]))
		return -EFAULT;
	if (emu_signal_ready(t))
		return -EINTR;
	return leave_mask(t, emu_safe_syscall(t, SYS_ppoll, (uintptr_t)fds, a[1], timeout, 0, 8, 0));
}

int64_t emu_sys_pselect6(struct emu_thread *t, const uint64_t a[6])
{
	uint64_t set[3], timeout, pair[2] = { 0, 0 }, bytes = ((a[0] & 0xffff) + 63) / 64 * 8;

	if ((int64_t)a[0] < 0 || a[0] > 1024)
		return -EINVAL;
	for (unsigned i = 0; i < 3; i++)
		if (!optional(t, a[1 + i], bytes, true, &set[i]))
			return -EFAULT;
	if (!optional(t, a[4], TIMESPEC, true, &timeout) ||
	    (a[5] && !emu_mem_read(&t->l->w->mem, a[5], pair, 16)) || !enter_mask(t, pair[0]))
		return -EFAULT;
	if (emu_signal_ready(t))
		return -EINTR;
	return leave_mask(t, emu_safe_syscall(t, SYS_pselect6, a[0], set[0], set[1], set[2], timeout, 0));
}
