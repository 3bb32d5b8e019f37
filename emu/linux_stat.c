/* Records about files. struct stat is the one that differs between x86-64 and the generic layout;
 * statx and statfs are the same everywhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "emu/linux_calls.h"

/* include/uapi/asm-generic/stat.h, 64-bit. */
struct guest_stat {
	uint64_t dev, ino;
	uint32_t mode, nlink, uid, gid;
	uint64_t rdev, pad1;
	int64_t size;
	int32_t blksize, pad2;
	int64_t blocks;
	int64_t atime;
	uint64_t atime_ns;
	int64_t mtime;
	uint64_t mtime_ns;
	int64_t ctime;
	uint64_t ctime_ns;
	uint32_t unused[2];
};
_Static_assert(sizeof(struct guest_stat) == 128, "generic struct stat");

static int64_t give(struct emu_thread *t, uint64_t addr, const struct stat *s)
{
	struct guest_stat g = {
		.dev = s->st_dev,
		.ino = s->st_ino,
		.mode = s->st_mode,
		.nlink = (uint32_t)s->st_nlink,
		.uid = s->st_uid,
		.gid = s->st_gid,
		.rdev = s->st_rdev,
		.size = s->st_size,
		.blksize = (int32_t)s->st_blksize,
		.blocks = s->st_blocks,
		.atime = s->st_atim.tv_sec,
		.atime_ns = (uint64_t)s->st_atim.tv_nsec,
		.mtime = s->st_mtim.tv_sec,
		.mtime_ns = (uint64_t)s->st_mtim.tv_nsec,
		.ctime = s->st_ctim.tv_sec,
		.ctime_ns = (uint64_t)s->st_ctim.tv_nsec,
	};

	return emu_mem_write(&t->l->w->mem, addr, &g, sizeof(g)) ? 0 : -EFAULT;
}

int64_t emu_sys_fstat(struct emu_thread *t, const uint64_t a[6])
{
	struct stat s;

	int64_t r = emu_host_syscall(SYS_fstat, a[0], (uintptr_t)&s, 0, 0, 0, 0); /* glibc's may be another call */

	return r < 0 ? r : give(t, a[1], &s);
}

int64_t emu_sys_newfstatat(struct emu_thread *t, const uint64_t a[6])
{
	int64_t error;
	const char *path = a[3] & AT_SYMLINK_NOFOLLOW ? emu_string(t, a[1], &error) : emu_path(t, a[1], &error);
	struct stat s;

	if (!path)
		return error;
	return fstatat((int)a[0], path, &s, (int)a[3]) < 0 ? -errno : give(t, a[2], &s);
}

