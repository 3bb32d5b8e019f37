/* Read-only and masked paths, and kernel parameters. All of it before pivot_root: /proc/self/fd of the
 * host serves to name what was opened inside the new root. */
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "containers/run.h"
#include "engine/base/cleanup.h"

/* A path that is not there needs no cover. */
static bool gone(int fd)
{
	return fd == -ENOENT || fd == -ENOTDIR || fd == -EACCES;
}

int ctr_paths_readonly(struct ctr_init *in)
{
	for (unsigned i = 0; i < in->cfg->readonly.n; i++) {
		const char *path = in->cfg->readonly.v[i];
		rs_auto_close int fd = ctr_resolve(in->root, path, O_PATH);
		rs_auto_close int cover = -1;
		char self[40];
		int rc;

		snprintf(in->t.place, sizeof(in->t.place), "linux.readonlyPaths[%u]", i);
		if (gone(fd))
			continue;
		snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
		rc = fd < 0 ? fd : ctr_mount_at(&in->t, self, fd, NULL, MS_BIND | MS_REC, NULL);
		if (rc == 0) {
			cover = ctr_resolve(in->root, path, O_PATH);
			snprintf(self, sizeof(self), "/proc/self/fd/%d", cover);
			rc = cover < 0 ? cover : ctr_mount_flags(&in->t, cover, self,
								 MS_RDONLY | ctr_mount_kept(cover));
		}
		if (rc)
			return CTR_FAIL(&in->t, in->err, -rc, "%s cannot be made read-only", path);
	}
	return 0;
}

int ctr_paths_masked(struct ctr_init *in)
{
	/* What covers must be the real /dev/null: one of the root file system could be anything. */
	rs_auto_close int null = in->cfg->masked.n ? open("/dev/null", O_PATH | O_CLOEXEC) : -1;
	struct stat st;
	char source[40];

	if (!in->cfg->masked.n)
		return 0;
	if (null < 0 || fstat(null, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		return CTR_FAIL(&in->t, in->err, ENODEV, "the host's /dev/null is not the null device");
	snprintf(source, sizeof(source), "/proc/self/fd/%d", null);
	for (unsigned i = 0; i < in->cfg->masked.n; i++) {
		const char *path = in->cfg->masked.v[i];
		rs_auto_close int fd = ctr_resolve(in->root, path, O_PATH);
		int rc;

		snprintf(in->t.place, sizeof(in->t.place), "linux.maskedPaths[%u]", i);
		if (gone(fd))
			continue;
		rc = fd < 0 ? fd : fstat(fd, &st) < 0 ? -errno : 0;
		if (rc == 0 && S_ISDIR(st.st_mode))
			rc = ctr_mount_at(&in->t, "tmpfs", fd, "tmpfs", MS_RDONLY, "size=0k,mode=555");
		else if (rc == 0)
			rc = ctr_mount_at(&in->t, source, fd, NULL, MS_BIND, NULL);
		if (rc)
			return CTR_FAIL(&in->t, in->err, -rc, "%s cannot be masked", path);
	}
	return 0;
}

int ctr_sysctl(struct ctr_init *in)
{
	for (unsigned i = 0; i < in->cfg->sysctl.n; i++) {
		const struct ctr_pair *s = &in->cfg->sysctl.v[i];
		rs_auto_str path = RS_STR_INIT;
		size_t n = strlen(s->value);
		bool slashes = strchr(s->key, '/') != NULL;

		snprintf(in->t.place, sizeof(in->t.place), "linux.sysctl.%.100s", s->key);
		/* sysctl(8): net/ipv4/conf/eth0.1/... keeps its dot when slashes separate */
		for (const char *k = s->key; *k; k++)
			rs_str_addc(&path, *k == '.' && !slashes ? '/' : *k);
		/* the host's /proc shows the parameters of the reader's own namespaces */
		rs_auto_close int proc = open("/proc/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
		rs_auto_close int fd = proc < 0 ? -1 : (int)CTR_CALL(&in->t, "openat",
								    openat(proc, path.p, O_WRONLY | O_NOFOLLOW | O_CLOEXEC),
								    "/proc/sys, %s", path.p);

		if (fd < 0 || CTR_CALL(&in->t, "write", write(fd, s->value, n), "%s, \"%s\"", path.p, s->value) != (long)n)
			return CTR_FAIL(&in->t, in->err, errno, "the kernel parameter %s cannot be set to %s", s->key,
					s->value);
	}
	return 0;
}
