/* Files of groups: one open, one read or write, one close. */
#include "containers/cgroup_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/cleanup.h"

#define FILE_MAX 65536u

bool ctr_cgroup_has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; *p; p += strcspn(p, ",")) {
		p += *p == ',';
		if (strncmp(p, word, n) == 0 && (p[n] == ',' || !p[n]))
			return true;
	}
	return false;
}

bool ctr_cgroup_core(const char *controller)
{
	return !*controller || !strcmp(controller, "devices") || !strcmp(controller, "freezer") ||
	       !strcmp(controller, "cpuacct");
}

const struct ctr_cgroup_folder *ctr_cgroup_folder(const struct ctr_cgroup *cg, const char *controller)
{
	bool blkio = strcmp(controller, "blkio") == 0 || strcmp(controller, "io") == 0;

	for (unsigned i = 0; i < cg->n && *controller; i++) {
		const struct ctr_cgroup_folder *f = &cg->f[i];

		if (ctr_cgroup_has_word(f->controllers, !blkio ? controller : f->v2 ? "io" : "blkio"))
			return f;
	}
	for (unsigned i = 0; i < cg->n; i++)
		if (cg->f[i].v2 && ctr_cgroup_core(controller))
			return &cg->f[i];
	return NULL;
}

char *ctr_cgroup_own_dir(const struct ctr_hierarchy *h)
{
	const char *own = h->own;
	size_t n = strcmp(h->mount_root, "/") ? strlen(h->mount_root) : 0;

	/* What is mounted may begin below the hierarchy's root. */
	if (n && strncmp(own, h->mount_root, n) == 0 && (own[n] == '/' || !own[n]))
		own += n;
	/* "/.." is a group above the root of this cgroup namespace: the mount's root is the nearest. */
	if (strncmp(own, "/..", 3) == 0)
		own = "";
	return rs_xasprintf("%s%s", h->mount, strcmp(own, "/") ? own : "");
}

int ctr_cgroup_read(const char *dir, const char *file, struct rs_str *out)
{
	rs_auto_free char *path = rs_xasprintf("%s/%s", dir, file);
	rs_auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	char buf[4096];
	ssize_t n;

	rs_str_clear(out);
	if (fd < 0)
		return -errno;
	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (out->len + (size_t)n > FILE_MAX)
			return -EFBIG;
		rs_str_addn(out, buf, (size_t)n);
	}
	return 0;
}

int ctr_cgroup_write(const char *dir, const char *file, const char *value)
{
	rs_auto_free char *path = rs_xasprintf("%s/%s", dir, file);
	rs_auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = write(fd, value, strlen(value))) < 0 && errno == EINTR)
		;
	return n < 0 ? -errno : 0;
}

char *ctr_cgroup_words(const char *dir, const char *file)
{
	rs_auto_str text = RS_STR_INIT, out = RS_STR_INIT;

	if (ctr_cgroup_read(dir, file, &text) == 0)
		for (char *save = NULL, *w = strtok_r(text.p, " \n", &save); w; w = strtok_r(NULL, " \n", &save))
			rs_str_addf(&out, "%s%s", out.len ? "," : "", w);
	return out.len ? rs_str_detach(&out) : rs_xstrdup("");
}

bool ctr_cgroup_has(const char *dir, const char *file)
{
	rs_auto_free char *path = rs_xasprintf("%s/%s", dir, file);

	return access(path, F_OK) == 0;
}

static uint64_t number(const char *s)
{
	unsigned long long v;

	if (*s < '0' || *s > '9')
		return CTR_NO_VALUE;
	errno = 0;
	v = strtoull(s, NULL, 10);
	/* "No limit" of v1 is the largest multiple of a page. */
	return errno || v >= 1ull << 62 ? CTR_NO_VALUE : v;
}

uint64_t ctr_cgroup_number(const char *dir, const char *file)
{
	rs_auto_str text = RS_STR_INIT;

	return dir && ctr_cgroup_read(dir, file, &text) == 0 ? number(text.p) : CTR_NO_VALUE;
}

uint64_t ctr_cgroup_line(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = text; *p; p += strcspn(p, "\n")) {
		p += *p == '\n';
		if (strncmp(p, key, n) == 0 && p[n] == ' ')
			return number(p + n + 1);
	}
	return CTR_NO_VALUE;
}
