/* Id-mapped mounts: the files' owners as another user namespace sees them (mount_setattr(2),
 * MOUNT_ATTR_IDMAP). The map is that of a user namespace, so one is made for it, by a child that does
 * nothing but live in it until it is opened.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "containers/mounts.h"
#include "engine/base/cleanup.h"

/* A user namespace with these maps: a descriptor, or negative errno. In the runtime's process, where
 * /proc shows the child under its own number. */
static int namespace_of(struct ctr_trace *t, const struct ctr_idmaps *uids, const struct ctr_idmaps *gids)
{
	struct ctr_config maps = { .uids = *uids, .gids = *gids };
	struct rs_err err = RS_ERR_INIT;
	struct ctr_trace quiet;
	char path[40];
	int fd = -1, rc;
	pid_t pid;

	ctr_trace_init(&quiet, NULL, NULL);
	pid = ctr_clone(t, CLONE_NEWUSER, -1, NULL);
	if (pid < 0)
		return -errno;
	if (pid == 0)
		for (;;)
			pause();
	rc = ctr_idmap_write(&quiet, &maps, pid, &err);
	if (rc == 0) {
		snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		rc = fd < 0 ? -errno : 0;
	}
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return rc ? rc : fd;
}

int ctr_mount_idmap_prepare(struct ctr_init *in)
{
	const struct ctr_config *c = in->cfg;

	for (unsigned i = 0; i < c->mounts.n; i++) {
		const struct ctr_mount *m = &c->mounts.v[i];

		if (!(m->ext & CTR_EXT_IDMAP))
			continue;
		in->t.step = CTR_STEP_MOUNT;
		snprintf(in->t.place, sizeof(in->t.place), "mounts[%u].uidMappings", i);
		if (!in->idmap)
			in->idmap = rs_xcalloc(c->mounts.n, sizeof(*in->idmap));
		in->idmap[i] = m->uids.n ? namespace_of(&in->t, &m->uids, &m->gids) : namespace_of(&in->t, &c->uids, &c->gids);
		if (in->idmap[i] < 0)
			return CTR_FAIL(&in->t, in->err, -in->idmap[i], "a user namespace with the ids of %s cannot be made",
					m->destination);
	}
	return 0;
}

void ctr_mount_idmap_done(struct ctr_init *in)
{
	for (unsigned i = 0; in->idmap && i < in->cfg->mounts.n; i++)
		if (in->idmap[i] > 0)
			close(in->idmap[i]);
	free(in->idmap);
	in->idmap = NULL;
}

static int set(struct ctr_init *in, const struct ctr_mount *m, int tree)
{
	struct mount_attr a = { .attr_set = MOUNT_ATTR_IDMAP };
	unsigned flags = AT_EMPTY_PATH | (m->ext & CTR_EXT_IDMAP_REC ? AT_RECURSIVE : 0);

	a.userns_fd = (uint64_t)in->idmap[m - in->cfg->mounts.v];
	if (CTR_CALL(&in->t, "mount_setattr", syscall(SYS_mount_setattr, tree, "", flags, &a, sizeof(a)),
		     "%s, MOUNT_ATTR_IDMAP", m->destination) < 0)
		return CTR_FAIL(&in->t, in->err, errno, "the ids of the mount at %s cannot be mapped", m->destination);
	return 0;
}

int ctr_mount_idmapped(struct ctr_init *in, const struct ctr_mount *m, const char *source, int target)
{
	rs_auto_close int tree = (int)CTR_CALL(&in->t, "open_tree",
					       syscall(SYS_open_tree, AT_FDCWD, source,
						       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
							       (m->flags & MS_REC ? AT_RECURSIVE : 0)),
					       "%s, OPEN_TREE_CLONE", source);
	int rc;

	if (tree < 0)
		return CTR_FAIL(&in->t, in->err, errno, "the mount %s cannot be cloned", source);
	rc = set(in, m, tree);
	if (rc)
		return rc;
	if (CTR_CALL(&in->t, "move_mount",
		     syscall(SYS_move_mount, tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH),
		     "%s, %s", source, m->destination) < 0)
		return CTR_FAIL(&in->t, in->err, errno, "%s cannot be bound to %s", source, m->destination);
	return 0;
}

int ctr_mount_idmap_fd(struct ctr_init *in, const struct ctr_mount *m, int fd)
{
	return set(in, m, fd);
}
