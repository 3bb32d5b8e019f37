/* What a program of a lesson may ask of Linux (confine.def), and how what is refused is said. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "emu/linux_calls.h"

#define THREADS_MAX 64u

/* The file to open is named in guest memory, where another thread may write: the kernel itself must see
 * to it that the path leads nowhere else. */
static int64_t confined_openat(struct emu_thread *t, const uint64_t a[6])
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
	int64_t error;
	const char *path = emu_string(t, a[1], &error);
	uint64_t flags = emu_open_flags(t, a[2]);

	if (!path)
		return error;
	if ((flags & (O_ACCMODE | O_CREAT | O_TRUNC)) != O_RDONLY)
		return -EROFS;
	if ((int)a[0] != AT_FDCWD && emu_linux_is_lab_fd(t->l, (int)a[0]))
		return -EBADF;
	how.flags |= flags & (O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK);
	error = emu_host_syscall(SYS_openat2, a[0], (uintptr_t)path, (uintptr_t)&how, sizeof(how), 0, 0);
	return error == -EXDEV ? -EACCES : error;
}

static int64_t confined_newfstatat(struct emu_thread *t, const uint64_t a[6])
{
	const uint64_t b[6] = { a[0], a[2] };
	int64_t error;
	const char *path = emu_string(t, a[1], &error);

	if (!path)
		return error;
	if (*path || !(a[3] & AT_EMPTY_PATH))
		return -EPERM;
	return emu_linux_is_lab_fd(t->l, (int)a[0]) ? -EBADF : emu_sys_fstat(t, b);
}

static int64_t confined_readlinkat(struct emu_thread *t, const uint64_t a[6])
{
	int64_t error;
	const char *path = emu_string(t, a[1], &error);

	if (!path)
		return error;
	return emu_is_self_exe(path) ? emu_sys_readlinkat(t, a) : -ENOENT;
}

static int64_t confined_dup3(struct emu_thread *t, const uint64_t a[6])
{
	if (emu_linux_is_lab_fd(t->l, (int)a[0]) || emu_linux_is_lab_fd(t->l, (int)a[1]))
		return -EBADF;
	return emu_sys_dup3(t, a);
}

static int64_t confined_fcntl(struct emu_thread *t, const uint64_t a[6])
{
	if (emu_linux_is_lab_fd(t->l, (int)a[0]))
		return -EBADF;
	switch (a[1]) {
	case F_DUPFD: case F_DUPFD_CLOEXEC: case F_GETFD: case F_SETFD: case F_GETFL: case F_SETFL:
		return emu_sys_fcntl(t, a);
	}
	return -EPERM;
}

static int64_t confined_ioctl(struct emu_thread *t, const uint64_t a[6])
{
	(void)t;
	(void)a;
	return -ENOTTY; /* it has no terminal, whatever it asks */
}

static int64_t confined_mmap(struct emu_thread *t, const uint64_t a[6])
{
	if (!(a[3] & MAP_ANONYMOUS) && emu_linux_is_lab_fd(t->l, (int)a[4]))
		return -EBADF;
	return emu_sys_mmap(t, a);
}

static int64_t confined_kill(struct emu_thread *t, const uint64_t a[6])
{
	if ((pid_t)a[0] != getpid() || a[1] == SIGSTOP) /* its watchdog would stand still, too */
		return -EPERM;
	return t->number == 129 ? emu_sys_kill(t, a) : t->number == 131 ? emu_sys_tgkill(t, a) :
								       emu_sys_rt_sigqueueinfo(t, a);
}

static int64_t confined_clone(struct emu_thread *t, const uint64_t a[6])
{
	const uint64_t thread = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;

	if ((a[0] & thread) != thread)
		return -EPERM;
	return t->l->live >= THREADS_MAX ? -EAGAIN : emu_sys_clone(t, a);
}

static int64_t confined_prlimit(struct emu_thread *t, const uint64_t a[6])
{
	return a[2] ? -EPERM : emu_sys_prlimit64(t, a);
}

/* ---- the table ---- */

static int64_t any(struct emu_thread *t, const uint64_t a[6])
{
	(void)t;
	(void)a;
	return 0;
}

#define ANY any
#define FD NULL
static const struct row {
	const char *name;
	emu_syscall_fn *fn;     /* `any`: as it is; NULL: with a look at the descriptor */
} rows[] = {
#define CONFINE(name, how, why) { #name, how },
#include "emu/confine.def"
};

/* A call is looked up by name: its number stands in linux_calls.def alone. */
static const struct row *find(const char *name)
{
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (!strcmp(rows[i].name, name))
			return &rows[i];
	return NULL;
}

void emu_refused(struct emu_thread *t, uint64_t number, const char *name, int error)
{
	unsigned slot = number < sizeof(t->l->refused) ? (unsigned)number : sizeof(t->l->refused) - 1;

	if (t->l->em && !atomic_exchange(&t->l->refused[slot], 1))
		rs_emit(t->l->em, RS_EV_EMU_REFUSED, RS_SRC_EMU, t->cpu->id, number, (uint64_t)error, 0, 0, name);
}

bool emu_confine(struct emu_thread *t, const struct emu_syscall *c, const uint64_t a[6], int64_t *result)
{
	const struct row *r;

	/* what ENOSYS answers does no harm, and asks for other ways */
	if (!c->fn && !c->shape)
		return true;
	r = find(c->name);
	if (r && r->fn == any)
		return true;
	if (r && !r->fn) {
		*result = -EBADF;
		return !emu_linux_is_lab_fd(t->l, (int)a[0]);
	}
	*result = r ? r->fn(t, a) : -EPERM;
	if (*result == -EPERM)
		emu_refused(t, c->number, c->name, EPERM);
	return false;
}
