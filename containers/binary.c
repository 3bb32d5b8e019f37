/* The runtime's binary, out of the containers' reach: CVE-2019-5736.
 *
 * The first process of a container is a copy of the runtime's process until it executes the program, so
 * /proc/PID/exe inside names the runtime's file. Running again from a read-only mount of that file, which
 * is in no mount namespace and so cannot be made writable, costs one exec and no copy. Without the
 * right to mount (rootless), from a sealed memfd.
 */
#include "containers/binary.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/base/cleanup.h"

#define ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static int run(int fd, char *const argv[])
{
	syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
	return -errno;
}

/* A mount that nobody sees. */
static int by_mount(char *const argv[])
{
	struct mount_attr a = { .attr_set = MOUNT_ATTR_RDONLY };
	rs_auto_close int fd = (int)syscall(SYS_open_tree, AT_FDCWD, "/proc/self/exe", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0 || syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &a, sizeof(a)) < 0)
		return -errno;
	return run(fd, argv);
}

static int by_copy(char *const argv[], int exe)
{
	rs_auto_close int fd = memfd_create("ringside-oci", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct stat st;
	off_t at = 0;

	if (fd < 0 || fstat(exe, &st) < 0)
		return -errno;
	while (at < st.st_size) {
		ssize_t n = sendfile(fd, exe, &at, (size_t)(st.st_size - at));

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
	}
	if (fcntl(fd, F_ADD_SEALS, ALL_SEALS) < 0)
		return -errno;
	return run(fd, argv);
}

int ctr_binary_seal(char *const argv[], struct rs_err *err)
{
	rs_auto_close int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct statvfs fs;
	int rc;

	if (exe < 0)
		return rs_err_errno(err, errno, "the runtime's own binary cannot be opened; is /proc mounted?");
	if ((fcntl(exe, F_GET_SEALS) & ALL_SEALS) == ALL_SEALS && fcntl(exe, F_GET_SEALS) > 0)
		return 0;
	if (fstatvfs(exe, &fs) == 0 && fs.f_flag & ST_RDONLY)
		return 0;
	rc = by_mount(argv);
	if (rc)
		rc = by_copy(argv, exe);
	return rs_err_errno(err, -rc, "the runtime's binary cannot be put out of the container's reach");
}
