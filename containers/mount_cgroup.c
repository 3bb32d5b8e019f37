/* /sys/fs/cgroup of the container: its own part of each hierarchy, and nothing above it. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "containers/mounts.h"
#include "engine/base/cleanup.h"

#define FLAGS (MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RELATIME)

/* The folder on the host that is the container's in this hierarchy. The caller frees. */
static char *folder(const struct ctr_container *c, const struct ctr_hierarchy *h)
{
	rs_auto_free char *first = rs_xstrdup(h->v2 ? "" : h->controllers);
	const char *dir, *own = h->own ? h->own : "/";
	size_t n = h->mount_root ? strlen(h->mount_root) : 0;

	first[strcspn(first, ",")] = '\0';
	dir = c->cg ? ctr_cgroup_dir(c->cg, first) : NULL;
	if (dir)
		return rs_xstrdup(dir);
	if (n > 1 && strncmp(own, h->mount_root, n) == 0)
		own += n;
	return rs_xasprintf("%s%s", h->mount, own);
}

/* A new mount shows the cgroup namespace's root; without such a namespace, or where the kernel does not
 * allow one, the folder is bound. */
static int one(struct ctr_init *in, const struct ctr_hierarchy *h, int target, unsigned long flags)
{
	rs_auto_free char *dir = NULL;
	int rc;

	if (ctr_ns_new(in->cfg, CTR_NS_CGROUP)) {
		rc = ctr_mount_at(&in->t, "cgroup", target, h->v2 ? "cgroup2" : "cgroup", flags, h->v2 ? NULL : h->controllers);
		if (rc == 0)
			return 0;
	}
	dir = folder(in->c, h);
	rc = ctr_mount_at(&in->t, dir, target, NULL, MS_BIND, NULL);
	return rc;
}

/* Flags of a bind mount need a second call, on the mount and not on what it covers. */
static int seal(struct ctr_init *in, const char *where, unsigned long flags)
{
	rs_auto_close int fd = ctr_resolve(in->root, where, O_PATH);
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return fd < 0 ? fd : ctr_mount_flags(&in->t, fd, path, flags);
}

static int hierarchies(struct ctr_init *in, const struct ctr_mount *m, int target, unsigned long flags)
{
	const struct ctr_cgroup_host *host = &in->c->host;
	rs_auto_close int top = -1;
	int rc = ctr_mount_at(&in->t, "tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755");

	if (rc)
		return rc;
	top = ctr_resolve(in->root, m->destination, O_RDONLY | O_DIRECTORY);
	if (top < 0)
		return top;
	for (unsigned i = 0; rc == 0 && i < host->n; i++) {
		const struct ctr_hierarchy *h = &host->h[i];
		const char *slash = strrchr(h->mount, '/'), *name = slash ? slash + 1 : h->mount;
		rs_auto_free char *where = rs_xasprintf("%s/%s", m->destination, name);
		rs_auto_close int dir = -1;

		if (mkdirat(top, name, 0755) < 0 && errno != EEXIST)
			return -errno;
		dir = openat(top, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		rc = dir < 0 ? -errno : one(in, h, dir, flags);
		if (rc == 0)
			rc = seal(in, where, flags);
		/* cpu and cpuacct are found by their own names, too */
		for (const char *s = h->v2 || strncmp(h->controllers, "name=", 5) == 0 ? "" : h->controllers; rc == 0 && *s;) {
			size_t n = strcspn(s, ",");
			rs_auto_free char *word = strndup(s, n);

			if (word && strcmp(word, name) != 0 && symlinkat(name, top, word) < 0 && errno != EEXIST)
				rc = -errno;
			s += n + (s[n] == ',');
		}
	}
	return rc ? rc : flags & MS_RDONLY ? seal(in, m->destination, (flags & MS_RDONLY) | MS_NOSUID | MS_NODEV | MS_NOEXEC) : 0;
}

int ctr_mount_cgroups(struct ctr_init *in, const struct ctr_mount *m)
{
	const struct ctr_cgroup_host *host = &in->c->host;
	unsigned long flags = FLAGS | (m->flags & MS_RDONLY);
	rs_auto_close int target = -1;
	int rc;

	if (host->layout == CTR_LAYOUT_NONE) { /* nothing to show */
		struct rs_err e = RS_ERR_INIT;

		rs_err_set(&e, -ENODEV, "this machine has no cgroups, so %s stays empty", m->destination);
		ctr_warn(&in->t, &e);
		return 0;
	}
	target = ctr_resolve_make(in->root, m->destination, true, 0755);
	if (target < 0)
		return CTR_FAIL(&in->t, in->err, -target, "there is no place for the mount at %s, and none can be made",
				m->destination);
	if (host->layout == CTR_LAYOUT_V2) {
		rc = one(in, &host->h[0], target, flags);
		if (rc == 0)
			rc = seal(in, m->destination, flags);
	} else {
		rc = hierarchies(in, m, target, flags);
	}
	return rc ? CTR_FAIL(&in->t, in->err, -rc, "the cgroups cannot be mounted at %s", m->destination) : 0;
}
