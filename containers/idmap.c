/* User and group ids of a new user namespace (user_namespaces(7)). The kernel takes a map of several
 * ranges from a privileged process, and of one, the writer's own id, from anybody. For more the
 * set-user-id programs newuidmap and newgidmap look into /etc/subuid and /etc/subgid.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "containers/run.h"
#include "engine/base/cleanup.h"

static int put(struct ctr_trace *t, pid_t pid, const char *file, const char *text)
{
	char path[64];
	size_t n = strlen(text);

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	rs_auto_close int fd = (int)CTR_CALL(t, "open", open(path, O_WRONLY | O_CLOEXEC), "%s", path);

	if (fd < 0)
		return -errno;
	return CTR_CALL(t, "write", write(fd, text, n), "%s, \"%s\"", path, text) == (long)n ? 0 : -errno;
}

/* newuidmap PID CONTAINER HOST SIZE ... */
static int by_program(struct ctr_trace *t, const char *program, pid_t pid, const struct ctr_idmaps *maps)
{
	char **argv = rs_xcalloc(maps->n * 3 + 3, sizeof(*argv));
	uint64_t began = ctr_now();
	unsigned n = 0;
	int status = -1, rc;
	pid_t child;

	argv[n++] = rs_xstrdup(program);
	argv[n++] = rs_xasprintf("%d", (int)pid);
	for (unsigned i = 0; i < maps->n; i++) {
		argv[n++] = rs_xasprintf("%llu", (unsigned long long)maps->v[i].container);
		argv[n++] = rs_xasprintf("%llu", (unsigned long long)maps->v[i].host);
		argv[n++] = rs_xasprintf("%llu", (unsigned long long)maps->v[i].size);
	}
	rc = -posix_spawnp(&child, program, NULL, NULL, argv, environ);
	if (rc == 0) {
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
		rc = WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPERM;
	}
	errno = -rc;
	if (t->on)
		ctr_call_note(t, program, began, rc ? -1 : 0, "%d, %u ranges", (int)pid, maps->n);
	for (unsigned i = 0; i < n; i++)
		free(argv[i]);
	free(argv);
	return rc;
}

static int map(struct ctr_trace *t, pid_t pid, const char *file, const char *program, const struct ctr_idmaps *maps)
{
	rs_auto_str text = RS_STR_INIT;
	int rc;

	for (unsigned i = 0; i < maps->n; i++)
		rs_str_addf(&text, "%llu %llu %llu\n", (unsigned long long)maps->v[i].container,
			    (unsigned long long)maps->v[i].host, (unsigned long long)maps->v[i].size);
	rc = put(t, pid, file, text.p);
	if (rc == -EPERM && geteuid() != 0) {
		int other = by_program(t, program, pid, maps);

		rc = other == -ENOENT ? rc : other;
	}
	return rc;
}

int ctr_idmap_write(struct ctr_trace *t, const struct ctr_config *cfg, pid_t pid, struct rs_err *err)
{
	int rc;

	/* A process could drop a group to gain what the group is denied: without privileges setgroups is
	 * switched off before the map is written (user_namespaces(7)). With newgidmap it need not be. */
	if (geteuid() != 0 && cfg->gids.n == 1 && cfg->gids.v[0].size == 1) {
		rc = put(t, pid, "setgroups", "deny");
		if (rc && rc != -ENOENT)
			return CTR_FAIL(t, err, -rc, "setgroups cannot be denied");
	}
	snprintf(t->place, sizeof(t->place), "linux.uidMappings");
	rc = map(t, pid, "uid_map", "newuidmap", &cfg->uids);
	if (rc)
		return CTR_FAIL(t, err, -rc, "the user ids cannot be mapped");
	snprintf(t->place, sizeof(t->place), "linux.gidMappings");
	rc = map(t, pid, "gid_map", "newgidmap", &cfg->gids);
	if (rc)
		return CTR_FAIL(t, err, -rc, "the group ids cannot be mapped");
	return 0;
}
