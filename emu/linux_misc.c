/* Who the process is, its limits, and what the kernel says of itself. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emu/linux_calls.h"

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

int64_t emu_sys_setrlimit(struct emu_thread *t, const uint64_t a[6])
{
	const uint64_t b[6] = { 0, a[0], a[1], 0 };

	return emu_sys_prlimit64(t, b);
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
	case PR_SET_NAME: {
		int64_t error;
		const char *name = emu_string(t, a[1], &error);

		if (!name)
			return error;
		snprintf(t->name, sizeof(t->name), "%s", name);
		return 0;
	}
	case PR_GET_NAME:
		return emu_mem_write(&t->l->w->mem, a[1], t->name, sizeof(t->name)) ? 0 : -EFAULT;
	case PR_GET_DUMPABLE:
		return 1;
	case PR_SET_DUMPABLE:
	case PR_SET_VMA:
		return 0;
	case PR_GET_PDEATHSIG:
	case PR_GET_CHILD_SUBREAPER:
		p = emu_out(t, a[1], 4);
		return p ? emu_host_syscall(SYS_prctl, a[0], (uintptr_t)p, 0, 0, 0, 0) : -EFAULT;
	case PR_SET_PDEATHSIG:
	case PR_SET_NO_NEW_PRIVS:
	case PR_GET_NO_NEW_PRIVS:
	case PR_SET_CHILD_SUBREAPER:
	case PR_SET_KEEPCAPS:
	case PR_GET_KEEPCAPS:
	case PR_SET_TIMERSLACK:
	case PR_GET_TIMERSLACK:
	case PR_CAPBSET_READ:
	case PR_GET_SECCOMP:
		return emu_host_syscall(SYS_prctl, a[0], a[1], a[2], a[3], a[4], 0);
	}
	return -EINVAL;
}
