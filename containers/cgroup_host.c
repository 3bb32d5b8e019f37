/* What this machine has: the hierarchies of cgroups, where they are mounted and where this process is
 * (proc(5), /proc/PID/mountinfo; cgroups(7), /proc/PID/cgroup). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "containers/cgroup_dir.h"
#include "engine/base/cleanup.h"
#include "engine/base/file.h"

const char *ctr_layout_name(enum ctr_layout l)
{
	static const char *const names[] = { "none", "v1", "v2", "hybrid" };

	return (unsigned)l < 4 ? names[l] : "?";
}

void ctr_cgroup_host_release(struct ctr_cgroup_host *host)
{
	for (unsigned i = 0; i < host->n; i++) {
		free(host->h[i].controllers);
		free(host->h[i].mount);
		free(host->h[i].mount_root);
		free(host->h[i].own);
	}
	*host = (struct ctr_cgroup_host){ 0 };
}

static bool octal(const char *s)
{
	return s[0] >= '0' && s[0] <= '3' && s[1] >= '0' && s[1] <= '7' && s[2] >= '0' && s[2] <= '7';
}

/* mountinfo writes blank, tab, newline and backslash as three octal digits. */
static char *unescaped(const char *s)
{
	char *out = rs_xmalloc(strlen(s) + 1), *o = out;

	while (*s) {
		if (*s == '\\' && octal(s + 1)) {
			*o++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 4;
		} else {
			*o++ = *s++;
		}
	}
	*o = '\0';
	return out;
}

/* The words of a v1 mount's super options that are controllers, or its name. */
static char *v1_controllers(const char *options)
{
	static const char *const not[] = { "rw", "ro", "xattr", "noprefix", "clone_children", "cpuset_v2_mode", "none",
					   "favordynmods", "nofavordynmods", "seclabel" };
	rs_auto_str out = RS_STR_INIT;
	rs_auto_str word = RS_STR_INIT;

	for (const char *p = options; *p; p += *p == ',') {
		size_t n = strcspn(p, ",");
		bool skip = n == 0 || strncmp(p, "release_agent=", 14) == 0;

		rs_str_clear(&word);
		rs_str_addn(&word, p, n);
		for (unsigned i = 0; i < sizeof(not) / sizeof(not[0]); i++)
			skip |= strcmp(word.p, not[i]) == 0;
		if (!skip)
			rs_str_addf(&out, "%s%s", out.len ? "," : "", word.p);
		p += n;
	}
	return rs_str_detach(&out);
}

#define MOUNT_FIELDS 10

/* One line: "31 23 0:28 ROOT POINT OPTIONS [optional ...] - TYPE SOURCE SUPER". */
static void take_mount(struct ctr_cgroup_host *host, char *line)
{
	char *f[MOUNT_FIELDS], *save = NULL, *tail = strstr(line, " - ");
	char *type, *super;
	unsigned n = 0;

	if (!tail)
		return;
	*tail = '\0';
	for (char *w = strtok_r(line, " ", &save); w && n < MOUNT_FIELDS; w = strtok_r(NULL, " ", &save))
		f[n++] = w;
	type = strtok_r(tail + 3, " ", &save);
	strtok_r(NULL, " ", &save);
	super = strtok_r(NULL, " ", &save);
	if (n < 6 || !type || !super)
		return;
	bool v2 = strcmp(type, "cgroup2") == 0;

	if (!v2 && strcmp(type, "cgroup") != 0)
		return;
	struct ctr_hierarchy h = { .v2 = v2, .controllers = v2 ? rs_xstrdup("") : v1_controllers(super) };

	/* A hierarchy may be mounted twice; the first one counts. */
	bool known = host->n == CTR_HIERARCHIES;

	for (unsigned i = 0; i < host->n; i++)
		known |= host->h[i].v2 == v2 && strcmp(host->h[i].controllers, h.controllers) == 0;
	if (known) {
		free(h.controllers);
		return;
	}
	h.mount_root = unescaped(f[3]);
	h.mount = unescaped(f[4]);
	h.own = rs_xstrdup("/");
	host->h[host->n++] = h;
}

/* One line: "4:memory:/user.slice" or "0::/". */
static void take_own(struct ctr_cgroup_host *host, const char *line, size_t n)
{
	rs_auto_str text = RS_STR_INIT;
	char *controllers, *path;

	rs_str_addn(&text, line, n);
	controllers = strchr(text.p, ':');
	path = controllers ? strchr(controllers + 1, ':') : NULL;
	if (!path || path[1] != '/')
		return;
	*path++ = '\0';
	controllers++;
	rs_auto_free char *first = rs_xasprintf("%.*s", (int)strcspn(controllers, ","), controllers);

	for (unsigned i = 0; i < host->n; i++) {
		struct ctr_hierarchy *h = &host->h[i];

		if (h->v2 ? !*controllers : *first && ctr_cgroup_has_word(h->controllers, first)) {
			free(h->own);
			h->own = rs_xstrdup(path);
		}
	}
}

int ctr_cgroup_host_parse(const char *mountinfo, const char *self_cgroup, struct ctr_cgroup_host *host,
			  struct rs_err *err)
{
	rs_auto_free char *copy = rs_xstrdup(mountinfo);
	bool v1 = false, v2 = false;
	char *save = NULL;

	(void)err;
	*host = (struct ctr_cgroup_host){ 0 };
	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		take_mount(host, line);
	for (const char *p = self_cgroup; *p;) {
		size_t n = strcspn(p, "\n");

		take_own(host, p, n);
		p += n + (p[n] == '\n');
	}
	for (unsigned i = 0; i < host->n; i++) {
		v2 |= host->h[i].v2;
		/* A named hierarchy without a controller limits nothing. */
		v1 |= !host->h[i].v2 && strncmp(host->h[i].controllers, "name=", 5) != 0;
	}
	host->layout = v1 && v2 ? CTR_LAYOUT_HYBRID : v1 ? CTR_LAYOUT_V1 : v2 ? CTR_LAYOUT_V2 : CTR_LAYOUT_NONE;
	return 0;
}

int ctr_cgroup_host_read(struct ctr_cgroup_host *host, struct rs_err *err)
{
	rs_auto_str mounts = RS_STR_INIT, own = RS_STR_INIT;
	int rc = rs_file_read("/proc/self/mountinfo", 4u << 20, &mounts, err);

	*host = (struct ctr_cgroup_host){ 0 };
	if (rc < 0)
		return rs_err_wrap(err, "the mount table cannot be read");
	/* A kernel without cgroups has no such file. */
	rs_file_read("/proc/self/cgroup", 65536, &own, NULL);
	rc = ctr_cgroup_host_parse(mounts.p, own.p, host, err);
	for (unsigned i = 0; rc == 0 && i < host->n; i++)
		if (host->h[i].v2) {
			free(host->h[i].controllers);
			host->h[i].controllers = ctr_cgroup_words(host->h[i].mount, "cgroup.controllers");
		}
	return rc;
}

const struct ctr_hierarchy *ctr_cgroup_host_find(const struct ctr_cgroup_host *host, const char *controller)
{
	bool blkio = strcmp(controller, "blkio") == 0 || strcmp(controller, "io") == 0;

	for (unsigned i = 0; i < host->n; i++) {
		const struct ctr_hierarchy *h = &host->h[i];

		if (ctr_cgroup_has_word(h->controllers, !blkio ? controller : h->v2 ? "io" : "blkio"))
			return h;
	}
	for (unsigned i = 0; i < host->n; i++)
		if (host->h[i].v2 && ctr_cgroup_core(controller))
			return &host->h[i];
	return NULL;
}

int ctr_hierarchy_writable(const struct ctr_hierarchy *h)
{
	rs_auto_free char *dir = ctr_cgroup_own_dir(h);

	/* Also a read-only mount says so (access(2), EROFS). */
	return access(dir, W_OK | X_OK) < 0 ? -errno : 0;
}
