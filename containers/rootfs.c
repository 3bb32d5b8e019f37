/* The root of the container: bound onto itself, and then made / while the host's goes away. */
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "containers/run.h"
#include "engine/base/cleanup.h"

int ctr_mount_at(struct ctr_trace *t, const char *source, int target, const char *type, unsigned long flags,
		 const char *data)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", target);
	if (CTR_CALL(t, "mount", mount(source, path, type, flags, data), "%s, %s, %s, 0x%lx, %s", source ? source : "NULL",
		     *t->place ? t->place : path, type ? type : "NULL", flags, data ? data : "NULL") < 0)
		return -errno;
	return 0;
}

unsigned long ctr_mount_kept(int fd)
{
	static const struct {
		unsigned long st, ms;
	} rows[] = {
		{ ST_RDONLY, MS_RDONLY },   { ST_NOSUID, MS_NOSUID },     { ST_NODEV, MS_NODEV },
		{ ST_NOEXEC, MS_NOEXEC },   { ST_NOATIME, MS_NOATIME },   { ST_NODIRATIME, MS_NODIRATIME },
		{ ST_RELATIME, MS_RELATIME },
	};
	unsigned long keep = 0;
	struct statvfs st;

	if (fstatvfs(fd, &st) == 0)
		for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			if (st.f_flag & rows[i].st)
				keep |= rows[i].ms;
	return keep;
}

int ctr_mount_flags(struct ctr_trace *t, int fd, const char *path, unsigned long flags)
{
	unsigned long how = MS_BIND | MS_REMOUNT | flags, keep;

	if (CTR_CALL(t, "mount", mount(NULL, path, NULL, how, NULL), "NULL, %s, NULL, 0x%lx", path, how) == 0)
		return 0;
	if (errno != EPERM)
		return -errno;
	keep = ctr_mount_kept(fd);
	if (flags & (MS_NOATIME | MS_RELATIME | MS_STRICTATIME))
		keep &= ~(unsigned long)(MS_NOATIME | MS_RELATIME);
	if (CTR_CALL(t, "mount", mount(NULL, path, NULL, how | keep, NULL), "NULL, %s, NULL, 0x%lx", path, how | keep) == 0)
		return 0;
	return -errno;
}

/* Of the root, without MS_REC; 0: not asked for. */
static unsigned long asked(const struct ctr_config *c)
{
	return c->propagation.set ? c->propagation.u & ~(uint64_t)MS_REC : 0;
}

int ctr_root_propagation(struct ctr_init *in)
{
	const struct ctr_config *c = in->cfg;
	/* Nothing from here ever goes to the host. What the host mounts still comes in where a mount of the
	 * configuration asks for it (slave), unless the root is to hear nothing. */
	unsigned long how = asked(c) == MS_PRIVATE || asked(c) == MS_UNBINDABLE ?
				    MS_PRIVATE : MS_SLAVE;

	if (CTR_CALL(&in->t, "mount", mount(NULL, "/", NULL, MS_REC | how, NULL), "NULL, /, NULL, MS_REC|%s, NULL",
		     how == MS_SLAVE ? "MS_SLAVE" : "MS_PRIVATE") < 0)
		return CTR_FAIL(&in->t, in->err, errno, "the mounts cannot be cut off from the host's");
	return 0;
}

int ctr_root_bind(struct ctr_init *in)
{
	const char *root = in->c->rootfs;

	if (in->cfg->ns[CTR_NS_MOUNT]) {
		if (CTR_CALL(&in->t, "mount", mount(root, root, NULL, MS_BIND | MS_REC, NULL),
			     "%s, %s, NULL, MS_BIND|MS_REC, NULL", root, root) < 0)
			return CTR_FAIL(&in->t, in->err, errno, "the root %s cannot be bound", root);
		if (asked(in->cfg) != MS_SLAVE &&
		    CTR_CALL(&in->t, "mount", mount(NULL, root, NULL, MS_PRIVATE | MS_REC, NULL),
			     "NULL, %s, NULL, MS_REC|MS_PRIVATE, NULL", root) < 0)
			return CTR_FAIL(&in->t, in->err, errno, "the root %s cannot be bound", root);
	}
	in->root = (int)CTR_CALL(&in->t, "open", open(root, O_PATH | O_DIRECTORY | O_CLOEXEC), "%s, O_PATH", root);
	return in->root < 0 ? CTR_FAIL(&in->t, in->err, errno, "the root %s cannot be opened", root) : 0;
}

/* MS_MOVE and chroot: for a host whose own root is a ramdisk, which cannot be put aside. What is left
 * below the old root is covered, not gone. */
static int move_root(struct ctr_init *in)
{
	if (CTR_CALL(&in->t, "mount", mount(in->c->rootfs, "/", NULL, MS_MOVE, NULL), "%s, /, NULL, MS_MOVE", in->c->rootfs) < 0)
		return CTR_FAIL(&in->t, in->err, errno, "the root cannot be moved to /");
	if (CTR_CALL(&in->t, "chroot", chroot("."), ".") < 0 || CTR_CALL(&in->t, "chdir", chdir("/"), "/") < 0)
		return CTR_FAIL(&in->t, in->err, errno, "the root cannot be changed");
	return 0;
}

int ctr_root_pivot(struct ctr_init *in)
{
	rs_auto_close int old = -1;

	if (CTR_CALL(&in->t, "fchdir", fchdir(in->root), "the new root") < 0)
		return CTR_FAIL(&in->t, in->err, errno, "the root cannot be changed");
	if (!in->cfg->ns[CTR_NS_MOUNT]) { /* the runtime's own mounts: all that can be done is this */
		if (CTR_CALL(&in->t, "chroot", chroot("."), ".") < 0 || chdir("/") < 0)
			return CTR_FAIL(&in->t, in->err, errno, "the root cannot be changed");
		return 0;
	}
	if (in->c->o.no_pivot)
		return move_root(in);
	/* The old root is stacked onto the new one at the same place, so no folder for it is needed; then
	 * it is unmounted (pivot_root(2), "pivot_root(".", ".")"). */
	old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (old < 0)
		return CTR_FAIL(&in->t, in->err, errno, "the old root cannot be opened");
	if (CTR_CALL(&in->t, "pivot_root", syscall(SYS_pivot_root, ".", "."), "., .") < 0)
		return CTR_FAIL(&in->t, in->err, errno, "the root cannot be changed to %s", in->c->rootfs);
	if (CTR_CALL(&in->t, "fchdir", fchdir(old), "the old root") < 0 ||
	    /* its unmounting must not reach the host */
	    CTR_CALL(&in->t, "mount", mount(NULL, ".", NULL, MS_SLAVE | MS_REC, NULL), "NULL, ., NULL, MS_REC|MS_SLAVE") < 0 ||
	    CTR_CALL(&in->t, "umount2", umount2(".", MNT_DETACH), "., MNT_DETACH") < 0 ||
	    CTR_CALL(&in->t, "chdir", chdir("/"), "/") < 0)
		return CTR_FAIL(&in->t, in->err, errno, "the old root cannot be unmounted");
	return 0;
}

int ctr_root_attr(struct ctr_init *in)
{
	const struct ctr_config *c = in->cfg;
	unsigned long prop = asked(c);

	if ((prop == MS_SHARED || prop == MS_UNBINDABLE) &&
	    CTR_CALL(&in->t, "mount", mount(NULL, "/", NULL, c->propagation.u, NULL), "NULL, /, NULL, 0x%lx", prop) < 0)
		return CTR_FAIL(&in->t, in->err, errno, "the propagation of the root cannot be set");
	if (c->root.readonly) {
		rs_auto_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		int rc = root < 0 ? -errno : 0;

		snprintf(in->t.place, sizeof(in->t.place), "root.readonly");
		if (rc == 0)
			rc = ctr_mount_flags(&in->t, root, "/", MS_RDONLY | ctr_mount_kept(root));
		if (rc)
			return CTR_FAIL(&in->t, in->err, -rc, "the root cannot be made read-only");
	}
	return 0;
}
