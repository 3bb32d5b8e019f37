/* Device nodes and links below /dev (config-linux.md, "Devices", "Default Devices"; runtime-linux.md, "Dev
 * symbolic links"). */
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "containers/mounts.h"
#include "engine/base/cleanup.h"

struct node {
	const char *path;
	mode_t mode;             /* with S_IFCHR, ... */
	dev_t dev;
	uid_t uid;
	gid_t gid;
	const char *place;
};

/* Where mknod is not permitted (a user namespace), the host's node is bound. */
static int bind_node(struct ctr_init *in, const struct node *n, int parent, const char *name)
{
	rs_auto_close int host = open(n->path, O_PATH | O_CLOEXEC);
	rs_auto_close int fd = -1;
	struct stat st;

	if (host < 0)
		return -errno;
	if (fstat(host, &st) < 0 || (st.st_mode & S_IFMT) != (n->mode & S_IFMT) || st.st_rdev != n->dev)
		return -ENODEV;
	fd = openat(parent, name, O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
	if (fd < 0)
		return -errno;
	close(fd);
	fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : ctr_mount_at(&in->t, n->path, fd, NULL, MS_BIND, NULL);
}

static int make(struct ctr_init *in, const struct node *n)
{
	rs_auto_free char *name = NULL;
	rs_auto_close int parent = ctr_resolve_parent(in->root, n->path, &name);
	struct stat st;
	int rc;

	if (parent < 0)
		return CTR_FAIL(&in->t, in->err, -parent, "there is no place for the device %s", n->path);
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if ((st.st_mode & S_IFMT) == (n->mode & S_IFMT) && (S_ISFIFO(n->mode) || st.st_rdev == n->dev))
			return 0;
		/* an empty file is what an earlier container without mknod left for its bind mount */
		if (!S_ISREG(st.st_mode) || st.st_size)
			return CTR_FAIL(&in->t, in->err, EEXIST, "something else is at %s already", n->path);
		rc = bind_node(in, n, parent, name);
		return rc ? CTR_FAIL(&in->t, in->err, -rc, "the device %s cannot be made", n->path) : 0;
	}
	rc = in->user_ns && !S_ISFIFO(n->mode) ? -EPERM :
	     CTR_CALL(&in->t, "mknodat", mknodat(parent, name, n->mode, n->dev), "%s, %06o, %u:%u", n->path,
		      (unsigned)n->mode, major(n->dev), minor(n->dev)) < 0 ? -errno : 0;
	if (rc == -EPERM)
		rc = bind_node(in, n, parent, name);
	else if (rc == 0 && (fchmodat(parent, name, n->mode & 07777, 0) < 0 ||
			     fchownat(parent, name, n->uid, n->gid, AT_SYMLINK_NOFOLLOW) < 0))
		rc = -errno;
	return rc ? CTR_FAIL(&in->t, in->err, -rc, "the device %s cannot be made", n->path) : 0;
}

static int links(struct ctr_init *in, bool ptmx)
{
	static const struct {
		const char *from, *to;
	} rows[] = {
		{ "fd", "/proc/self/fd" }, { "stdin", "/proc/self/fd/0" }, { "stdout", "/proc/self/fd/1" },
		{ "stderr", "/proc/self/fd/2" },
	};
	rs_auto_close int dev = ctr_resolve_make(in->root, "/dev", true, 0755);
	rs_auto_close int there = ctr_resolve(in->root, "/proc/self", O_PATH | O_NOFOLLOW);
	struct stat st;

	if (dev < 0)
		return CTR_FAIL(&in->t, in->err, -dev, "there is no /dev in the root");
	for (unsigned i = 0; there >= 0 && i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (symlinkat(rows[i].to, dev, rows[i].from) < 0 && errno != EEXIST)
			return CTR_FAIL(&in->t, in->err, errno, "the link /dev/%s cannot be made", rows[i].from);
	}
	if (!ptmx)
		return 0;
	if (fstatat(dev, "ptmx", &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISLNK(st.st_mode) && unlinkat(dev, "ptmx", 0) < 0)
		return CTR_FAIL(&in->t, in->err, errno, "the link /dev/%s cannot be made", "ptmx");
	if (symlinkat("pts/ptmx", dev, "ptmx") < 0 && errno != EEXIST)
		return CTR_FAIL(&in->t, in->err, errno, "the link /dev/%s cannot be made", "ptmx");
	return 0;
}

/* /dev with MS_RDONLY was left writable for us. */
static int seal(struct ctr_init *in)
{
	for (unsigned i = 0; i < in->cfg->mounts.n; i++) {
		const struct ctr_mount *m = &in->cfg->mounts.v[i];

		if (ctr_mount_is_dev(m->destination) && (m->flags & MS_RDONLY) && !(m->flags & MS_BIND)) {
			rs_auto_close int fd = ctr_resolve(in->root, m->destination, O_PATH);
			char path[40];
			int rc;

			snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
			rc = fd < 0 ? fd : ctr_mount_flags(&in->t, fd, path, MS_RDONLY | ctr_mount_kept(fd));
			if (rc)
				return CTR_FAIL(&in->t, in->err, -rc, "the flags of the mount at %s cannot be set", "/dev");
		}
	}
	return 0;
}

int ctr_devices(struct ctr_init *in)
{
	static const struct {
		const char *path;
		unsigned major, minor;
	} defaults[] = {
		{ "/dev/null", 1, 3 },   { "/dev/zero", 1, 5 },    { "/dev/full", 1, 7 },
		{ "/dev/random", 1, 8 }, { "/dev/urandom", 1, 9 }, { "/dev/tty", 5, 0 },
	};
	mode_t umask_before;
	bool host_dev = false;
	int rc = 0;

	for (unsigned i = 0; i < in->cfg->mounts.n; i++)
		if (ctr_mount_is_dev(in->cfg->mounts.v[i].destination) && (in->cfg->mounts.v[i].flags & MS_BIND))
			host_dev = true; /* another one's /dev: it is not ours to fill */
	if (host_dev)
		return 0;
	umask_before = umask(0);
	for (unsigned i = 0; rc == 0 && i < sizeof(defaults) / sizeof(defaults[0]); i++) {
		struct node n = { .path = defaults[i].path, .mode = S_IFCHR | 0666,
				  .dev = makedev(defaults[i].major, defaults[i].minor) };

		bool own = false;

		for (unsigned k = 0; k < in->cfg->devices.n; k++)
			own |= strcmp(in->cfg->devices.v[k].path, n.path) == 0;
		if (!own) /* the configuration's row counts */
			rc = make(in, &n);
	}
	for (unsigned i = 0; rc == 0 && i < in->cfg->devices.n; i++) {
		const struct ctr_device *d = &in->cfg->devices.v[i];
		mode_t type = *d->type == 'b' ? S_IFBLK : *d->type == 'p' ? S_IFIFO : S_IFCHR;
		struct node n = {
			.path = d->path, .mode = type | (d->mode.set ? (mode_t)d->mode.u & 07777 : 0666),
			.dev = type == S_IFIFO ? 0 : makedev((unsigned)d->major.i, (unsigned)d->minor.i),
			.uid = d->uid.set ? (uid_t)d->uid.u : 0, .gid = d->gid.set ? (gid_t)d->gid.u : 0,
		};

		snprintf(in->t.place, sizeof(in->t.place), "linux.devices[%u]", i);
		rc = make(in, &n);
	}
	if (rc == 0)
		rc = links(in, true);
	umask(umask_before);
	return rc ? rc : seal(in);
}
