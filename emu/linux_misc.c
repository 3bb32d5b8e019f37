/* Who the process is, its limits, and what the kernel says of itself. */
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emu/linux_calls.h"

#define PLAIN(name, nr)                                                                            \
	int64_t emu_sys_##name(struct emu_thread *t, const uint64_t a[6])                          \
	{                                                                                          \
		(void)t;                                                                           \
		return emu_host_syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);                   \
	}
PLAIN(getpid, SYS_getpid)
PLAIN(getppid, SYS_getppid)
PLAIN(getuid, SYS_getuid)
PLAIN(geteuid, SYS_geteuid)
PLAIN(getgid, SYS_getgid)
PLAIN(getegid, SYS_getegid)
PLAIN(gettid, SYS_gettid)
PLAIN(setpgid, SYS_setpgid)
PLAIN(getpgid, SYS_getpgid)
PLAIN(getsid, SYS_getsid)
PLAIN(setsid, SYS_setsid)
PLAIN(umask, SYS_umask)
PLAIN(sched_yield, SYS_sched_yield)

/* A record of `size` bytes in argument `at` that the host fills. */
static int64_t filled(struct emu_thread *t, long nr, const uint64_t a[6], unsigned at, uint64_t size)
{
	uint64_t b[6];
	void *out = emu_out(t, a[at], size);

	if (!out)
		return -EFAULT;
	memcpy(b, a, sizeof(b));
	b[at] = (uintptr_t)out;
	return emu_host_syscall(nr, b[0], b[1], b[2], b[3], b[4], b[5]);
}

int64_t emu_sys_sysinfo(struct emu_thread *t, const uint64_t a[6])
{
	return filled(t, SYS_sysinfo, a, 0, 112);
}

int64_t emu_sys_getrusage(struct emu_thread *t, const uint64_t a[6])
{
	return filled(t, SYS_getrusage, a, 1, 144);
}

int64_t emu_sys_getrandom(struct emu_thread *t, const uint64_t a[6])
{
	return filled(t, SYS_getrandom, a, 0, a[1]);
}

int64_t emu_sys_sched_getaffinity(struct emu_thread *t, const uint64_t a[6])
{
	return filled(t, SYS_sched_getaffinity, a, 2, a[1]);
}

int64_t emu_sys_getgroups(struct emu_thread *t, const uint64_t a[6])
{
	if (!a[0])
		return emu_host_syscall(SYS_getgroups, 0, 0, 0, 0, 0, 0);
	return a[0] > 65536 ? -EINVAL : filled(t, SYS_getgroups, a, 1, a[0] * 4);
}

int64_t emu_sys_getcpu(struct emu_thread *t, const uint64_t a[6])
{
	void *cpu = a[0] ? emu_out(t, a[0], 4) : NULL, *node = a[1] ? emu_out(t, a[1], 4) : NULL;

	if ((a[0] && !cpu) || (a[1] && !node))
		return -EFAULT;
	return emu_host_syscall(SYS_getcpu, (uintptr_t)cpu, (uintptr_t)node, 0, 0, 0, 0);
}

int64_t emu_sys_uname(struct emu_thread *t, const uint64_t a[6])
{
	struct utsname u;

	if (uname(&u) < 0)
		return -errno;
	memset(u.machine, 0, sizeof(u.machine));
	strncpy(u.machine, t->l->w->guest->name, sizeof(u.machine) - 1);
	return emu_mem_write(&t->l->w->mem, a[0], &u, sizeof(u)) ? 0 : -EFAULT;
}

/* ---- limits ---- */

/* What the guest reads of its stack and address space is what it has, not what the lab has. */
static void guest_limit(struct emu_linux *l, uint64_t which, struct rlimit *r)
{
	if (which == RLIMIT_STACK) {
		r->rlim_cur = EMU_STACK_SIZE;
		r->rlim_max = RLIM_INFINITY;
	} else if (which == RLIMIT_AS || which == RLIMIT_DATA) {
		r->rlim_cur = r->rlim_max = l->w->mem.limit ? l->w->mem.limit : RLIM_INFINITY;
	}
}

static int64_t get_limit(struct emu_thread *t, uint64_t which, uint64_t addr)
{
	struct rlimit r;

	if (getrlimit((__rlimit_resource_t)which, &r) < 0)
		return -errno;
	guest_limit(t->l, which, &r);
	return emu_mem_write(&t->l->w->mem, addr, &r, sizeof(r)) ? 0 : -EFAULT;
}

int64_t emu_sys_getrlimit(struct emu_thread *t, const uint64_t a[6])
{
	return get_limit(t, a[0], a[1]);
}

/* Limits of memory hold for guest memory, which is not the host's: a new one is accepted and has no
 * effect. Of other processes none can be set. */
int64_t emu_sys_prlimit64(struct emu_thread *t, const uint64_t a[6])
{
	struct rlimit *now;
	int64_t r = 0;

	if (a[0] && (pid_t)a[0] != getpid())
		return -EPERM;
	if (a[3])
		r = get_limit(t, a[1], a[3]);
	if (r < 0 || !a[2])
		return r;
	now = emu_in(t, a[2], sizeof(*now));
	if (!now)
		return -EFAULT;
	switch (a[1]) {
	case RLIMIT_STACK:
	case RLIMIT_AS:
	case RLIMIT_DATA:
	case RLIMIT_CORE:
		return 0;
	}
	return setrlimit((__rlimit_resource_t)a[1], now) < 0 ? -errno : 0;
}

/* ---- prctl ---- */

int64_t emu_sys_prctl(struct emu_thread *t, const uint64_t a[6])
{
	void *p;

	switch (a[0]) {
	case PR_SET_NAME:
		p = emu_in(t, a[1], 1);
		return p ? 0 : -EFAULT;
	case PR_GET_NAME: {
		char name[16] = "";

		strncpy(name, t->l->name, sizeof(name) - 1);
		return emu_mem_write(&t->l->w->mem, a[1], name, sizeof(name)) ? 0 : -EFAULT;
	}
	case PR_GET_DUMPABLE:
		return 1;
	case PR_SET_DUMPABLE:
	case PR_SET_VMA:
		return 0;
	case PR_SET_PDEATHSIG:
	case PR_SET_NO_NEW_PRIVS:
	case PR_GET_NO_NEW_PRIVS:
	case PR_SET_CHILD_SUBREAPER:
		return emu_host_syscall(SYS_prctl, a[0], a[1], a[2], a[3], a[4], 0);
	}
	return -EINVAL;
}

/* Guest threads are host threads, so the host's barriers serve. Expedited ones were not registered
 * for by the guest; a plain one is as good. */
int64_t emu_sys_membarrier(struct emu_thread *t, const uint64_t a[6])
{
	(void)t;
	return emu_host_syscall(SYS_membarrier, a[0], a[1], a[2], 0, 0, 0);
}

/* ---- children ---- */

int64_t emu_sys_wait4(struct emu_thread *t, const uint64_t a[6])
{
	void *status = a[1] ? emu_out(t, a[1], 4) : NULL, *usage = a[3] ? emu_out(t, a[3], 144) : NULL;

	if ((a[1] && !status) || (a[3] && !usage))
		return -EFAULT;
	return emu_safe_syscall(t, SYS_wait4, a[0], (uintptr_t)status, a[2], (uintptr_t)usage, 0, 0);
}

int64_t emu_sys_waitid(struct emu_thread *t, const uint64_t a[6])
{
	void *info = a[2] ? emu_out(t, a[2], 128) : NULL, *usage = a[4] ? emu_out(t, a[4], 144) : NULL;

	if ((a[2] && !info) || (a[4] && !usage))
		return -EFAULT;
	return emu_safe_syscall(t, SYS_waitid, a[0], a[1], (uintptr_t)info, a[3], (uintptr_t)usage, 0);
}
