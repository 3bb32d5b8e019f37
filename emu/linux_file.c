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

/* A handler for a call whose arguments hold no pointers. */
#define PLAIN(name, nr)                                                                            \
	int64_t emu_sys_##name(struct emu_thread *t, const uint64_t a[6])                          \
	{                                                                                          \
		(void)t;                                                                           \
		return emu_host_syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);                   \
	}
PLAIN(eventfd2, SYS_eventfd2)
PLAIN(dup, SYS_dup)
PLAIN(flock, SYS_flock)
PLAIN(ftruncate, SYS_ftruncate)
PLAIN(fallocate, SYS_fallocate)
PLAIN(fchdir, SYS_fchdir)
PLAIN(fchmod, SYS_fchmod)
PLAIN(fchown, SYS_fchown)
PLAIN(lseek, SYS_lseek)
PLAIN(sync, SYS_sync)
PLAIN(fsync, SYS_fsync)
PLAIN(fdatasync, SYS_fdatasync)
PLAIN(fadvise64, SYS_fadvise64)

int64_t emu_sys_dup3(struct emu_thread *t, const uint64_t a[6])
{
	int64_t r = emu_host_syscall(SYS_dup3, a[0], a[1], a[2], 0, 0, 0);

	if (r >= 0 && r < 3)
		t->l->captured[r] = false;
	return r;
}

int64_t emu_sys_close(struct emu_thread *t, const uint64_t a[6])
{
	if (a[0] < 3)
		t->l->captured[a[0]] = false;
	return emu_host_syscall(SYS_close, a[0], 0, 0, 0, 0, 0);
}

int64_t emu_sys_close_range(struct emu_thread *t, const uint64_t a[6])
{
	for (uint64_t fd = a[0]; fd < 3 && fd <= a[1]; fd++)
		t->l->captured[fd] = false;
	return emu_host_syscall(SYS_close_range, a[0], a[1], a[2], 0, 0, 0);
}

/* ---- data ---- */

static int64_t captured(struct emu_thread *t, unsigned fd, const void *data, uint64_t n)
{
	struct emu_linux *l = t->l;

	pthread_mutex_lock(&l->lock);
	rs_emit_out(l->em, RS_SRC_EMU, t->cpu->id, fd == 1 ? RS_STREAM_STDOUT : RS_STREAM_STDERR,
		    &l->out_offset[fd], data, n);
	pthread_mutex_unlock(&l->lock);
	return (int64_t)n;
}

static bool is_captured(const struct emu_thread *t, uint64_t fd)
{
	return fd < 3 && t->l->captured[fd];
}

int64_t emu_sys_read(struct emu_thread *t, const uint64_t a[6])
{
	void *p = emu_out(t, a[1], a[2]);

	return p ? emu_safe_syscall(t, SYS_read, a[0], (uintptr_t)p, a[2], 0, 0, 0) : -EFAULT;
}

int64_t emu_sys_write(struct emu_thread *t, const uint64_t a[6])
{
	void *p = emu_in(t, a[1], a[2]);

	if (!p)
		return -EFAULT;
	if (is_captured(t, a[0]))
		return captured(t, (unsigned)a[0], p, a[2]);
	return emu_safe_syscall(t, SYS_write, a[0], (uintptr_t)p, a[2], 0, 0, 0);
}

int64_t emu_sys_pread64(struct emu_thread *t, const uint64_t a[6])
{
	void *p = emu_out(t, a[1], a[2]);

	return p ? emu_safe_syscall(t, SYS_pread64, a[0], (uintptr_t)p, a[2], a[3], 0, 0) : -EFAULT;
}

int64_t emu_sys_pwrite64(struct emu_thread *t, const uint64_t a[6])
{
	void *p = emu_in(t, a[1], a[2]);

	return p ? emu_safe_syscall(t, SYS_pwrite64, a[0], (uintptr_t)p, a[2], a[3], 0, 0) : -EFAULT;
}

/* The guest's vector with host addresses. 0 or -errno. */
static int64_t vector(struct emu_thread *t, uint64_t addr, uint64_t n, int prot, struct iovec *out)
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
	int64_t r = vector(t, a[1], a[2], prot, v), sum = 0;

	if (r < 0)
		return r;
	if (nr == SYS_writev && is_captured(t, a[0])) {
		for (uint64_t i = 0; i < a[2]; i++)
			sum += captured(t, (unsigned)a[0], v[i].iov_base, v[i].iov_len);
		return sum;
	}
	return emu_safe_syscall(t, nr, a[0], (uintptr_t)v, a[2], a[3], a[4], 0);
}

int64_t emu_sys_readv(struct emu_thread *t, const uint64_t a[6])
{
	return transfer(t, SYS_readv, a, PROT_WRITE);
}

int64_t emu_sys_writev(struct emu_thread *t, const uint64_t a[6])
{
	return transfer(t, SYS_writev, a, PROT_READ);
}

int64_t emu_sys_preadv(struct emu_thread *t, const uint64_t a[6])
{
	return transfer(t, SYS_preadv, a, PROT_WRITE);
}

int64_t emu_sys_pwritev(struct emu_thread *t, const uint64_t a[6])
{
	return transfer(t, SYS_pwritev, a, PROT_READ);
}

int64_t emu_sys_sendfile(struct emu_thread *t, const uint64_t a[6])
{
	void *offset = a[2] ? emu_out(t, a[2], 8) : NULL;

	if (a[2] && !offset)
		return -EFAULT;
	if (is_captured(t, a[0]))
		return -EINVAL; /* programs copy by themselves then */
	return emu_safe_syscall(t, SYS_sendfile, a[0], a[1], (uintptr_t)offset, a[3], 0, 0);
}

int64_t emu_sys_copy_file_range(struct emu_thread *t, const uint64_t a[6])
{
	void *in = a[1] ? emu_out(t, a[1], 8) : NULL, *out = a[3] ? emu_out(t, a[3], 8) : NULL;

	if ((a[1] && !in) || (a[3] && !out))
		return -EFAULT;
	return emu_safe_syscall(t, SYS_copy_file_range, a[0], (uintptr_t)in, a[2], (uintptr_t)out, a[4], a[5]);
}

/* ---- paths ---- */

/* One path in argument `at`: the call with the host's pointer in its place. */
static int64_t with_path(struct emu_thread *t, long nr, const uint64_t a[6], unsigned at)
{
	uint64_t b[6];
	int64_t error;
	const char *path = emu_string(t, a[at], &error);

	if (!path)
		return error;
	memcpy(b, a, sizeof(b));
	b[at] = (uintptr_t)path;
	return emu_host_syscall(nr, b[0], b[1], b[2], b[3], b[4], b[5]);
}

static int64_t with_paths(struct emu_thread *t, long nr, const uint64_t a[6], unsigned at, unsigned at2)
{
	uint64_t b[6];
	int64_t error;
	const char *first = emu_string(t, a[at], &error), *second;

	if (!first)
		return error;
	second = emu_string(t, a[at2], &error);
	if (!second)
		return error;
	memcpy(b, a, sizeof(b));
	b[at] = (uintptr_t)first;
	b[at2] = (uintptr_t)second;
	return emu_host_syscall(nr, b[0], b[1], b[2], b[3], b[4], b[5]);
}

#define PATH(name, nr, at)                                                                         \
	int64_t emu_sys_##name(struct emu_thread *t, const uint64_t a[6])                          \
	{                                                                                          \
		return with_path(t, nr, a, at);                                                    \
	}
#define PATHS(name, nr, at, at2)                                                                   \
	int64_t emu_sys_##name(struct emu_thread *t, const uint64_t a[6])                          \
	{                                                                                          \
		return with_paths(t, nr, a, at, at2);                                              \
	}
PATH(mkdirat, SYS_mkdirat, 1)
PATH(unlinkat, SYS_unlinkat, 1)
PATH(truncate, SYS_truncate, 0)
PATH(faccessat, SYS_faccessat, 1)
PATH(faccessat2, SYS_faccessat2, 1)
PATH(chdir, SYS_chdir, 0)
PATH(fchmodat, SYS_fchmodat, 1)
PATH(fchownat, SYS_fchownat, 1)
PATHS(symlinkat, SYS_symlinkat, 0, 2)
PATHS(linkat, SYS_linkat, 1, 3)
PATHS(renameat, SYS_renameat, 1, 3)
PATHS(renameat2, SYS_renameat2, 1, 3)

/* The program's own link says the guest's program, not the lab. */
static bool is_self_exe(struct emu_thread *t, const char *path)
{
	char own[40];

	snprintf(own, sizeof(own), "/proc/%d/exe", (int)getpid());
	(void)t;
	return !strcmp(path, "/proc/self/exe") || !strcmp(path, own);
}

int64_t emu_sys_openat(struct emu_thread *t, const uint64_t a[6])
{
	int64_t error;
	const char *path = emu_string(t, a[1], &error);

	if (!path)
		return error;
	if (is_self_exe(t, path))
		path = t->l->exe;
	return emu_safe_syscall(t, SYS_openat, a[0], (uintptr_t)path, emu_open_flags(t, a[2]), a[3], 0, 0);
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
	if (!is_self_exe(t, path))
		return emu_host_syscall(SYS_readlinkat, a[0], (uintptr_t)path, (uintptr_t)out, a[3], 0, 0);
	if ((int64_t)a[3] <= 0)
		return -EINVAL;
	n = strlen(t->l->exe);
	n = n < a[3] ? n : a[3];
	memcpy(out, t->l->exe, n);
	return (int64_t)n;
}

int64_t emu_sys_utimensat(struct emu_thread *t, const uint64_t a[6])
{
	int64_t error = 0;
	const char *path = a[1] ? emu_string(t, a[1], &error) : NULL;
	void *times = a[2] ? emu_in(t, a[2], 32) : NULL;

	if (error < 0)
		return error;
	if (a[2] && !times)
		return -EFAULT;
	return emu_host_syscall(SYS_utimensat, a[0], (uintptr_t)path, (uintptr_t)times, a[3], 0, 0);
}

int64_t emu_sys_getcwd(struct emu_thread *t, const uint64_t a[6])
{
	void *out = emu_out(t, a[0], a[1]);

	return out ? emu_host_syscall(SYS_getcwd, (uintptr_t)out, a[1], 0, 0, 0, 0) : -EFAULT;
}

int64_t emu_sys_getdents64(struct emu_thread *t, const uint64_t a[6])
{
	void *out = emu_out(t, a[1], a[2]);

	return out ? emu_host_syscall(SYS_getdents64, a[0], (uintptr_t)out, a[2], 0, 0, 0) : -EFAULT;
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
		{ FIONBIO, 4 }, { TIOCOUTQ, 4 }, { FIOCLEX, 0 }, { FIONCLEX, 0 }, { TCSBRK, 0 },
		{ TCXONC, 0 }, { TCFLSH, 0 }, { TIOCSCTTY, 0 }, { TIOCNOTTY, 0 },
	};

	for (unsigned i = 0; i < sizeof(known) / sizeof(*known); i++) {
		void *p = NULL;

		if (known[i].request != (uint32_t)a[1])
			continue;
		if (known[i].size && !(p = emu_out(t, a[2], known[i].size)))
			return -EFAULT;
		if (is_captured(t, a[0]))
			return -ENOTTY;
		return emu_safe_syscall(t, SYS_ioctl, a[0], a[1], known[i].size ? (uintptr_t)p : a[2], 0, 0, 0);
	}
	return -ENOTTY;
}
