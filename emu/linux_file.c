/* Files and directories: most calls go to the host with their pointers checked. fcntl commands
 * and most records are the same on x86-64 and with the generic numbers; open flags not on AArch64.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>

#include "emu/linux_calls.h"

/* `r` is a new descriptor, a copy of `from`, or an error. */
static int64_t copied(struct emu_thread *t, uint64_t from, int64_t r)
{
	bool captured = emu_is_captured(t, from);

	if (r >= EMU_CAPTURED && captured) { /* no room to remember it */
		emu_host_syscall(SYS_close, (uint64_t)r, 0, 0, 0, 0, 0);
		return -EMFILE;
	}
	if (r >= 0 && r < EMU_CAPTURED)
		t->l->captured[r] = captured ? t->l->captured[from] : 0;
	return r;
}

int64_t emu_sys_dup(struct emu_thread *t, const uint64_t a[6])
{
	return copied(t, a[0], emu_host_syscall(SYS_dup, a[0], 0, 0, 0, 0, 0));
}

int64_t emu_sys_dup3(struct emu_thread *t, const uint64_t a[6])
{
	return copied(t, a[0], emu_host_syscall(SYS_dup3, a[0], a[1], a[2], 0, 0, 0));
}

int64_t emu_sys_close(struct emu_thread *t, const uint64_t a[6])
{
	if (a[0] < EMU_CAPTURED)
		t->l->captured[a[0]] = 0;
	return emu_host_syscall(SYS_close, a[0], 0, 0, 0, 0, 0);
}

int64_t emu_sys_close_range(struct emu_thread *t, const uint64_t a[6])
{
	for (uint64_t fd = a[0]; fd < EMU_CAPTURED && fd <= a[1] && !(a[2] & CLOSE_RANGE_CLOEXEC); fd++)
		t->l->captured[fd] = 0;
	return emu_host_syscall(SYS_close_range, a[0], a[1], a[2], 0, 0, 0);
}

/* ---- data ---- */

static int64_t captured(struct emu_thread *t, uint64_t fd, const void *data, uint64_t n)
{
	struct emu_linux *l = t->l;
	unsigned stream = l->captured[fd];

	pthread_mutex_lock(&l->lock);
	rs_emit_out(l->em, RS_SRC_EMU, t->cpu->id, stream == 1 ? RS_STREAM_STDOUT : RS_STREAM_STDERR,
		    &l->out_offset[stream], data, n);
	pthread_mutex_unlock(&l->lock);
	return (int64_t)n;
}

bool emu_is_captured(const struct emu_thread *t, uint64_t fd)
{
	return fd < EMU_CAPTURED && t->l->captured[fd];
}

int64_t emu_sys_write(struct emu_thread *t, const uint64_t a[6])
{
	void *p = emu_in(t, a[1], a[2]);

	if (!p)
		return -EFAULT;
	if (emu_is_captured(t, a[0]))
		return captured(t, a[0], p, a[2]);
	return emu_safe_syscall(t, SYS_write, a[0], (uintptr_t)p, a[2], 0, 0, 0);
}

int64_t emu_vector(struct emu_thread *t, uint64_t addr, uint64_t n, int prot, struct iovec *out)
{
	const struct iovec *v;

	if (n > IOV_MAX)
		return -EINVAL;
	v = emu_in(t, addr, n * sizeof(*v));
	if (!v)
		return -EFAULT;
	for (uint64_t i = 0; i < n; i++) {
		out[i].iov_len = v[i].iov_len;
		out[i].iov_base = emu_mem_host(&t->l->w->mem, (uintptr_t)v[i].iov_base, v[i].iov_len, prot);
		if (!out[i].iov_base)
			return -EFAULT;
	}
	return 0;
}

static int64_t transfer(struct emu_thread *t, long nr, const uint64_t a[6], int prot)
{
	struct iovec v[IOV_MAX];
	int64_t r = emu_vector(t, a[1], a[2], prot, v), sum = 0;

	if (r < 0)
		return r;
	if (nr == SYS_writev && emu_is_captured(t, a[0])) {
		for (uint64_t i = 0; i < a[2]; i++)
			sum += captured(t, a[0], v[i].iov_base, v[i].iov_len);
		return sum;
	}
	return emu_safe_syscall(t, nr, a[0], (uintptr_t)v, a[2], a[3], a[4], a[5]);
}

#define VECTOR(name, prot)                                                                         \
	int64_t emu_sys_##name(struct emu_thread *t, const uint64_t a[6])                          \
	{                                                                                          \
		return transfer(t, SYS_##name, a, prot);                                           \
	}
VECTOR(readv, PROT_WRITE)
VECTOR(writev, PROT_READ)
VECTOR(preadv, PROT_WRITE)
VECTOR(pwritev, PROT_READ)
VECTOR(preadv2, PROT_WRITE)
VECTOR(pwritev2, PROT_READ)
VECTOR(vmsplice, PROT_READ)

/* From one descriptor to another. What becomes events cannot be written by the host: programs copy by
 * themselves then. */
int64_t emu_sys_sendfile(struct emu_thread *t, const uint64_t a[6])
{
	uint64_t offset;

	if (emu_is_captured(t, a[0]))
		return -EINVAL;
	if (!emu_optional(t, a[2], 8, true, &offset))
		return -EFAULT;
	return emu_safe_syscall(t, SYS_sendfile, a[0], a[1], offset, a[3], 0, 0);
}

int64_t emu_sys_splice(struct emu_thread *t, const uint64_t a[6])
{
	uint64_t from, to;

	if (emu_is_captured(t, a[2]))
		return -EINVAL;
	if (!emu_optional(t, a[1], 8, true, &from) || !emu_optional(t, a[3], 8, true, &to))
		return -EFAULT;
	return emu_safe_syscall(t, SYS_splice, a[0], from, a[2], to, a[4], a[5]);
}

int64_t emu_sys_tee(struct emu_thread *t, const uint64_t a[6])
{
	if (emu_is_captured(t, a[1]))
		return -EINVAL;
	return emu_safe_syscall(t, SYS_tee, a[0], a[1], a[2], a[3], 0, 0);
}

/* ---- paths ---- */

static int64_t open_path(struct emu_thread *t, uint64_t at, const char *path, uint64_t flags, uint64_t mode)
{
	int64_t r = emu_proc_open(t, path, flags);

	if (r != -ENOENT)
		return r;
	return emu_safe_syscall(t, SYS_openat, at, (uintptr_t)path, flags, mode, 0, 0);
}

int64_t emu_sys_openat(struct emu_thread *t, const uint64_t a[6])
{
	int64_t error;
	const char *path = emu_path(t, a[1], &error);

	return path ? open_path(t, a[0], path, emu_open_flags(t, a[2]), a[3]) : error;
}

/* struct open_how (openat2(2)): a longer one is of a newer kernel and must be zero beyond this. */
int64_t emu_sys_openat2(struct emu_thread *t, const uint64_t a[6])
{
	struct { uint64_t flags, mode, resolve; } how;
	int64_t error;
	const char *path = emu_path(t, a[1], &error);

	if (!path)
		return error;
	if (a[3] != sizeof(how))
		return a[3] < sizeof(how) ? -EINVAL : -E2BIG;
	if (!emu_mem_read(&t->l->w->mem, a[2], &how, sizeof(how)))
		return -EFAULT;
	how.flags = emu_open_flags(t, how.flags);
	return emu_safe_syscall(t, SYS_openat2, a[0], (uintptr_t)path, (uintptr_t)&how, sizeof(how), 0, 0);
}

int64_t emu_sys_readlinkat(struct emu_thread *t, const uint64_t a[6])
{
	int64_t error;
	const char *path = emu_string(t, a[1], &error);
	void *out = emu_out(t, a[2], a[3]);
	uint64_t n;

	if (!path)
		return error;
	if (!out)
		return -EFAULT;
	if (!emu_is_self_exe(path))
		return emu_host_syscall(SYS_readlinkat, a[0], (uintptr_t)path, (uintptr_t)out, a[3], 0, 0);
	if ((int64_t)a[3] <= 0)
		return -EINVAL;
	n = strlen(t->l->exe);
	n = n < a[3] ? n : a[3];
	memcpy(out, t->l->exe, n);
	return (int64_t)n;
}

/* ---- descriptors ---- */

int64_t emu_sys_pipe2(struct emu_thread *t, const uint64_t a[6])
{
	void *out = emu_out(t, a[0], 8);

	return out ? emu_host_syscall(SYS_pipe2, (uintptr_t)out, emu_open_flags(t, a[1]), 0, 0, 0, 0) : -EFAULT;
}

int64_t emu_sys_fcntl(struct emu_thread *t, const uint64_t a[6])
{
	uint64_t arg = a[2], size = 0;
	int64_t r;

	switch (a[1]) {
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		size = sizeof(struct flock);
		break;
	case F_GETOWN_EX:
	case F_SETOWN_EX:
		size = 8;
		break;
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return copied(t, a[0], emu_host_syscall(SYS_fcntl, a[0], a[1], arg, 0, 0, 0));
	case F_GETFL:
		r = emu_host_syscall(SYS_fcntl, a[0], F_GETFL, 0, 0, 0, 0);
		return r < 0 ? r : (int64_t)emu_open_flags(t, (uint64_t)r);
	case F_SETFL:
		arg = emu_open_flags(t, arg);
		break;
	}
	if (size) {
		arg = (uintptr_t)emu_out(t, a[2], size);
		if (!arg)
			return -EFAULT;
	}
	return emu_safe_syscall(t, SYS_fcntl, a[0], a[1], arg, 0, 0, 0);
}

/* Requests of terminals and files, and the bytes behind their argument. What is not here is ENOTTY:
 * its argument's layout is not known. */
int64_t emu_sys_ioctl(struct emu_thread *t, const uint64_t a[6])
{
	static const struct { uint32_t request; uint32_t size; } known[] = {
		{ TCGETS, 36 }, { TCSETS, 36 }, { TCSETSW, 36 }, { TCSETSF, 36 }, { TIOCGWINSZ, 8 },
		{ TIOCSWINSZ, 8 }, { TIOCGPGRP, 4 }, { TIOCSPGRP, 4 }, { TIOCGSID, 4 }, { FIONREAD, 4 },
		{ FIONBIO, 4 }, { FIOASYNC, 4 }, { TIOCOUTQ, 4 }, { TIOCGPTN, 4 }, { TIOCSPTLCK, 4 }, { FIOCLEX, 0 }, { FIONCLEX, 0 }, { TCSBRK, 0 },
		{ TCXONC, 0 }, { TCFLSH, 0 }, { TIOCSCTTY, 0 }, { TIOCNOTTY, 0 },
	};

	for (unsigned i = 0; i < sizeof(known) / sizeof(*known); i++) {
		void *p = NULL;

		if (known[i].request != (uint32_t)a[1])
			continue;
		if (known[i].size && !(p = emu_out(t, a[2], known[i].size)))
			return -EFAULT;
		if (emu_is_captured(t, a[0]))
			return -ENOTTY;
		return emu_safe_syscall(t, SYS_ioctl, a[0], a[1], known[i].size ? (uintptr_t)p : a[2], 0, 0, 0);
	}
	return -ENOTTY;
}
