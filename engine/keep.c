/* Workspace files of a run. */
#include "engine/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"
#include "engine/lesson.h"

void eng_keep_release(struct eng_keep *k)
{
	for (unsigned i = 0; i < k->n; i++) {
		free(k->v[i].name);
		rs_str_release(&k->v[i].data);
	}
	free(k->v);
	*k = (struct eng_keep){ NULL, 0 };
}

const struct eng_kept *eng_keep_find(const struct eng_keep *k, const char *name)
{
	for (unsigned i = 0; i < k->n; i++)
		if (strcmp(k->v[i].name, name) == 0)
			return &k->v[i];
	return NULL;
}

int eng_keep_put(struct eng_keep *k, const char *name, const void *data, size_t n)
{
	struct eng_kept *f = (struct eng_kept *)eng_keep_find(k, name);

	if (!f) {
		if (k->n == ENG_KEEP_FILES)
			return -ENOSPC;
		k->v = rs_xrealloc(k->v, k->n + 1, sizeof(*k->v));
		f = &k->v[k->n++];
		*f = (struct eng_kept){ rs_xstrdup(name), RS_STR_INIT };
	}
	rs_str_clear(&f->data);
	rs_str_addn(&f->data, data, n);
	return 0;
}

int eng_file_beneath(const char *dir, const char *name, struct rs_str *out)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
	struct stat st;
	char buf[16384];
	ssize_t n;

	if (!eng_file_name_ok(name))
		return -EINVAL;
	rs_auto_close int top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rs_auto_close int fd = -1;

	if (top < 0)
		return -errno;
	fd = (int)syscall(SYS_openat2, top, name, &how, sizeof(how));
	if (fd < 0 && errno == ENOSYS) /* Linux before 5.6: at least not a link itself */
		fd = openat(top, name, (int)how.flags | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		if (out->len + (size_t)n > ENG_KEEP_BYTES)
			return -EFBIG;
		rs_str_addn(out, buf, (size_t)n);
	}
	return n < 0 ? -errno : 0;
}

int eng_file_place(const char *path, const void *data, size_t n, struct rs_err *err)
{
	rs_auto_free char *dir = rs_xasprintf("%.*s", (int)(strrchr(path, '/') - path), path);
	int rc = access(dir, F_OK) == 0 ? 0 : rs_mkdirs(dir, err);

	return rc < 0 ? rc : rs_file_save(path, data, n, err);
}
