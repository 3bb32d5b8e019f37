/* The mounts of the configuration, in their order. Every destination is looked up inside the new root. */
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "containers/mounts.h"
#include "engine/base/cleanup.h"

/* What is a bit of the mount, and not of the file system. */
#define PER_MOUNT                                                                                  \
	(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_RELATIME | \
	 MS_STRICTATIME | MS_NOSYMFOLLOW)

static bool is_type(const struct ctr_mount *m, const char *type)
{
	return m->type && strcmp(m->type, type) == 0;
}

/* The mount that now covers `destination`. */
static int again(struct ctr_init *in, const char *destination)
{
	return ctr_resolve(in->root, destination, O_PATH);
}

static int attributes(struct ctr_init *in, const struct ctr_mount *m)
{
	struct mount_attr a = { .attr_set = m->rec_set, .attr_clr = m->rec_clear };
	rs_auto_close int fd = -1;

	for (unsigned i = 0; i < m->propagations; i++) {
		int rc;

		if (fd < 0)
			fd = again(in, m->destination);
		rc = fd < 0 ? fd : ctr_mount_at(&in->t, NULL, fd, NULL, m->propagation[i], NULL);
		if (rc)
			return CTR_FAIL(&in->t, in->err, -rc, "the propagation of %s cannot be set", m->destination);
	}
	if (!m->rec_set && !m->rec_clear)
		return 0;
	if ((a.attr_set | a.attr_clr) & MOUNT_ATTR__ATIME)
		a.attr_clr |= MOUNT_ATTR__ATIME; /* a field, not bits (mount_setattr(2)) */
	if (fd < 0)
		fd = again(in, m->destination);
	if (fd < 0 || CTR_CALL(&in->t, "mount_setattr",
			       syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &a, sizeof(a)),
			       "%s, AT_RECURSIVE, {set=0x%llx, clr=0x%llx}", m->destination,
			       (unsigned long long)a.attr_set, (unsigned long long)a.attr_clr) < 0)
		return CTR_FAIL(&in->t, in->err, errno, "recursive attributes of %s cannot be set", m->destination);
	return 0;
}

static int place_of(struct ctr_init *in, const struct ctr_mount *m, bool folder)
{
	int fd = ctr_resolve_make(in->root, m->destination, folder, 0755);

	if (fd < 0) {
		/* a read-only root without the folder, or a hostile link */
		CTR_FAIL(&in->t, in->err, -fd, "there is no place for the mount at %s, and none can be made", m->destination);
	}
	return fd;
}

/* ---- bind ---- */

static int bind(struct ctr_init *in, const struct ctr_mount *m)
{
	rs_auto_free char *source = *m->source == '/' ? rs_xstrdup(m->source) :
							rs_xasprintf("%s/%s", in->c->bundle, m->source);
	unsigned long wanted = m->flags & PER_MOUNT;
	rs_auto_close int target = -1;
	rs_auto_close int fd = -1;
	struct stat st;
	char path[40];
	int rc;

	if (CTR_CALL(&in->t, "stat", stat(source, &st), "%s", source) < 0)
		return CTR_FAIL(&in->t, in->err, errno, "the source %s of the mount at %s cannot be looked at", source,
				m->destination);
	target = place_of(in, m, S_ISDIR(st.st_mode));
	if (target < 0)
		return target;
	if (m->ext & CTR_EXT_IDMAP)
		rc = ctr_mount_idmapped(in, m, source, target);
	else
		rc = ctr_mount_at(&in->t, source, target, NULL, MS_BIND | (m->flags & MS_REC), NULL);
	if (rc)
		return in->err->code ? rc : CTR_FAIL(&in->t, in->err, -rc, "%s cannot be bound to %s", source, m->destination);
	fd = again(in, m->destination);
	if (fd < 0)
		return CTR_FAIL(&in->t, in->err, -fd, "%s cannot be bound to %s", source, m->destination);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (wanted || (m->cleared & PER_MOUNT)) {
		rc = ctr_mount_flags(&in->t, fd, path, wanted);
		if (rc)
			return CTR_FAIL(&in->t, in->err, -rc, "the flags of the mount at %s cannot be set", m->destination);
	}
	if (!m->propagations) { /* what is mounted inside stays inside, unless it was asked for */
		rc = ctr_mount_at(&in->t, NULL, fd, NULL, MS_PRIVATE | MS_REC, NULL);
		if (rc)
			return CTR_FAIL(&in->t, in->err, -rc, "the propagation of %s cannot be set", m->destination);
	}
	return 0;
}

/* ---- file systems ---- */

/* In a user namespace only mapped ids may be named: devpts takes gid=5 where there is a group 5. */
static char *mapped_data(struct ctr_init *in, const struct ctr_mount *m)
{
	rs_auto_str out = RS_STR_INIT;
	const char *s = m->data;

	while (s && *s) {
		size_t n = strcspn(s, ",");
		bool drop = false;

		if (in->user_ns && is_type(m, "devpts") && strncmp(s, "gid=", 4) == 0) {
			uint64_t gid = strtoull(s + 4, NULL, 10);

			drop = true;
			for (unsigned i = 0; i < in->cfg->gids.n; i++)
				drop &= gid < in->cfg->gids.v[i].container ||
					gid >= in->cfg->gids.v[i].container + in->cfg->gids.v[i].size;
			drop = drop && in->cfg->gids.n;
		}
		if (!drop)
			rs_str_addf(&out, "%s%.*s", out.len ? "," : "", (int)n, s);
		s += n + (s[n] == ',');
	}
	if (in->cfg->mount_label && *in->cfg->mount_label && !is_type(m, "sysfs") && !is_type(m, "proc"))
		rs_str_addf(&out, "%scontext=\"%s\"", out.len ? "," : "", in->cfg->mount_label);
	return out.len ? rs_str_detach(&out) : NULL;
}

/* Where the kernel gives no new instance, because this one would show more than the old one, the
 * host's stands in, as runc and crun do for rootless containers. */
static int stand_in(struct ctr_init *in, const struct ctr_mount *m, int target, int rc)
{
	const char *host = is_type(m, "sysfs") ? "/sys" : is_type(m, "mqueue") ? "/dev/mqueue" : NULL;
	rs_auto_close int fd = -1;
	char path[40];

	if (rc != -EPERM || !host || (is_type(m, "sysfs") && ctr_ns_new(in->cfg, CTR_NS_NETWORK)))
		return rc;
	rc = ctr_mount_at(&in->t, host, target, NULL, MS_BIND | MS_REC, NULL);
	if (rc || !(m->flags & PER_MOUNT))
		return rc;
	fd = again(in, m->destination);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return fd < 0 ? fd : ctr_mount_flags(&in->t, fd, path, m->flags & PER_MOUNT);
}

static int file_system(struct ctr_init *in, const struct ctr_mount *m)
{
	rs_auto_free char *data = mapped_data(in, m);
	rs_auto_close int target = place_of(in, m, true);
	unsigned long flags = m->flags & ~(unsigned long)MS_REC;
	int rc;

	if (target < 0)
		return target;
	if (!m->type && !(m->flags & MS_REMOUNT)) {
		errno = EINVAL;
		return CTR_FAIL(&in->t, in->err, EINVAL, "the mount at %s has no type and is no bind mount", m->destination);
	}
	if ((m->ext & CTR_EXT_COPYUP) || ctr_mount_is_dev(m->destination))
		flags &= ~(unsigned long)MS_RDONLY; /* filled first */
	if (m->ext & CTR_EXT_COPYUP)
		rc = ctr_mount_copyup(in, m, target, flags, data);
	else
		rc = ctr_mount_at(&in->t, m->source ? m->source : m->type, target, m->type, flags, data);
	if (rc)
		rc = stand_in(in, m, target, rc);
	if (rc)
		return in->err->code ? rc : CTR_FAIL(&in->t, in->err, -rc, "%s cannot be mounted at %s",
						     m->type ? m->type : "remount", m->destination);
	if ((m->ext & CTR_EXT_IDMAP) && !(m->flags & MS_REMOUNT)) {
		rs_auto_close int fd = again(in, m->destination);

		rc = fd < 0 ? fd : ctr_mount_idmap_fd(in, m, fd);
		if (rc)
			return in->err->code ? rc : CTR_FAIL(&in->t, in->err, -rc, "the ids of the mount at %s cannot be mapped",
							     m->destination);
	}
	if ((m->ext & CTR_EXT_COPYUP) && (m->flags & MS_RDONLY)) {
		rs_auto_close int fd = again(in, m->destination);
		char path[40];

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		rc = fd < 0 ? fd : ctr_mount_flags(&in->t, fd, path, m->flags & PER_MOUNT);
		if (rc)
			return CTR_FAIL(&in->t, in->err, -rc, "the flags of the mount at %s cannot be set", m->destination);
	}
	return 0;
}

bool ctr_mount_is_dev(const char *destination)
{
	while (*destination == '/')
		destination++;
	return strcmp(destination, "dev") == 0 || strcmp(destination, "dev/") == 0;
}

int ctr_mounts(struct ctr_init *in)
{
	for (unsigned i = 0; i < in->cfg->mounts.n; i++) {
		const struct ctr_mount *m = &in->cfg->mounts.v[i];
		int rc = ctr_step_begin(&in->t, CTR_STEP_MOUNT, i, in->err, "mounts[%u]", i);

		if (rc == 0) {
			if (m->flags & MS_BIND && !(m->flags & MS_REMOUNT))
				rc = bind(in, m);
			else if (is_type(m, "cgroup") || is_type(m, "cgroup2"))
				rc = ctr_mount_cgroups(in, m);
			else
				rc = file_system(in, m);
			if (rc == 0)
				rc = attributes(in, m);
		}
		ctr_step_end(&in->t, rc);
		if (rc)
			return rc;
	}
	return 0;
}
