/* Where COPY and ADD take things from. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "containers/build_copy.h"
#include "engine/base/cleanup.h"

void ctr_sources_release(struct ctr_sources *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		free(s->v[i].path);
		free(s->v[i].own_name);
	}
	free(s->v);
	if (s->close_root)
		close(s->root);
	memset(s, 0, sizeof(*s));
}

int ctr_source_open(int root, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)flags | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

/* The path of an open file below the root: without links. NULL: it is outside, or has no path. */
static char *real_path(int root, int fd)
{
	char self[40], a[4200], b[4200];
	ssize_t n, k;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", root);
	n = readlink(self, a, sizeof(a) - 1);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	k = readlink(self, b, sizeof(b) - 1);
	if (n < 0 || k < n)
		return NULL;
	a[n] = b[k] = '\0';
	if (strcmp(a, "/") == 0)
		return rs_xstrdup(b + 1);
	if (strncmp(a, b, (size_t)n) != 0 || (b[n] && b[n] != '/'))
		return NULL;
	return rs_xstrdup(b[n] ? b + n + 1 : "");
}

static int add_source(struct ctr_builder *b, const struct ctr_df_insn *i, size_t at, const char *path,
		      struct ctr_sources *s, struct rs_err *err)
{
	rs_auto_close int fd = ctr_source_open(s->root, path, O_PATH);
	const char *slash;
	struct ctr_source *k;
	struct stat st;
	bool prune;

	if (fd < 0 && (fd == -ENOENT || fd == -ENOTDIR))
		return ctr_df_fail(b->file, i, at, err, N_("there is no %s in the context"), path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return rs_err_errno(err, fd < 0 ? -fd : errno, "cannot open %s", path);
	if (s->root == b->context && *path && !ctr_ignore_want(b->ignore, path, S_ISDIR(st.st_mode), &prune) &&
	    (!S_ISDIR(st.st_mode) || prune))
		return ctr_df_fail(b->file, i, at, err, N_("%s is kept out of the context by .dockerignore"), path);
	s->v = rs_xrealloc(s->v, s->n + 1, sizeof(*s->v));
	k = &s->v[s->n];
	memset(k, 0, sizeof(*k));
	k->path = real_path(s->root, fd);
	if (!k->path)
		return rs_err_set(err, -EINVAL, "%s leads out of the context", path);
	slash = strrchr(path, '/');
	k->own_name = rs_xstrdup(slash ? slash + 1 : path);
	k->name = k->own_name;
	k->folder = S_ISDIR(st.st_mode);
	s->n++;
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Goes down the pattern, component by component. */
static void match(struct ctr_sources *s, const char *done, const char *pattern, struct ctr_words *out)
{
	size_t n = strcspn(pattern, "/");
	rs_auto_free char *part = strndup(pattern, n);
	rs_auto_close int fd = ctr_source_open(s->root, done, O_RDONLY | O_DIRECTORY);
	rs_auto_closedir DIR *d = fd < 0 ? NULL : fdopendir(dup(fd));
	struct dirent *e;

	while (d && part && (e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || fnmatch(part, e->d_name, 0) != 0)
			continue;
		rs_auto_free char *path = *done ? rs_xasprintf("%s/%s", done, e->d_name) : rs_xstrdup(e->d_name);

		if (pattern[n])
			match(s, path, pattern + n + 1, out);
		else
			ctr_words_add(out, path, strlen(path), 0);
	}
}

int ctr_source_find(struct ctr_builder *b, const struct ctr_df_insn *i, const char *word, size_t at,
		    struct ctr_sources *s, struct rs_err *err)
{
	rs_auto_str clean = RS_STR_INIT;
	struct ctr_words found = { NULL, NULL, 0 };
	unsigned taken = 0;
	int ret = 0;

	/* "..", "." and "/" at the start: never out of the context */
	for (const char *p = word; *p;) {
		size_t n = strcspn(p, "/");

		if (n == 2 && memcmp(p, "..", 2) == 0) {
			while (clean.len && clean.p[clean.len - 1] != '/')
				clean.len--;
			clean.len -= clean.len > 0;
			if (clean.cap)
				clean.p[clean.len] = '\0';
		} else if (n && !(n == 1 && *p == '.')) {
			if (clean.len)
				rs_str_addc(&clean, '/');
			rs_str_addn(&clean, p, n);
		}
		p += n + strspn(p + n, "/");
	}
	if (!strpbrk(clean.p, "*?[\\"))
		return add_source(b, i, at, clean.p, s, err);
	s->wild = true;
	match(s, "", clean.p, &found);
	if (found.n)
		qsort(found.v, found.n, sizeof(*found.v), by_text);
	for (unsigned k = 0; ret == 0 && k < found.n; k++) {
		struct stat st;
		bool prune;
		rs_auto_close int fd = ctr_source_open(s->root, found.v[k], O_PATH);

		if (fd < 0 || fstat(fd, &st) < 0)
			continue;
		if (s->root == b->context && !ctr_ignore_want(b->ignore, found.v[k], S_ISDIR(st.st_mode), &prune))
			continue;
		ret = add_source(b, i, at, found.v[k], s, err);
		taken++;
	}
	if (ret == 0 && !taken)
		ret = ctr_df_fail(b->file, i, at, err, N_("nothing in the context fits %s"), word);
	ctr_words_release(&found);
	return ret;
}

/* ---- archives ---- */

bool ctr_source_is_archive(int root, const char *path)
{
	rs_auto_close int fd = ctr_source_open(root, path, O_RDONLY | O_NONBLOCK);
	unsigned char head[264] = { 0 };
	struct ctr_layer_reader *r;
	struct ctr_entry e;
	bool is;

	if (fd < 0 || read(fd, head, sizeof(head)) < 5 || lseek(fd, 0, SEEK_SET) < 0)
		return false;
	if (memcmp(head, "\x1f\x8b", 2) != 0 && memcmp(head, "BZh", 3) != 0 && memcmp(head, "\xfd" "7zXZ", 5) != 0 &&
	    memcmp(head, "\x28\xb5\x2f\xfd", 4) != 0 && memcmp(head + 257, "ustar", 5) != 0)
		return false;
	/* compressed, but what? */
	r = ctr_reader_open(fd, path, NULL, NULL, NULL, NULL);
	is = r && ctr_reader_next(r, &e, NULL) > 0;
	ctr_reader_close(r);
	return is;
}

/* Content from the reader to the layer, holes as zeros. */
static int content(struct ctr_layer_reader *r, struct ctr_layer *l, uint64_t size, struct rs_err *err)
{
	static const char zero[65536];
	uint64_t done = 0, at;
	const void *data;
	size_t n;
	int ret;

	while ((ret = ctr_reader_data(r, &data, &n, &at, err)) > 0) {
		while (done < at) {
			size_t k = at - done < sizeof(zero) ? (size_t)(at - done) : sizeof(zero);

			ret = ctr_layer_data(l, zero, k, err);
			if (ret < 0)
				return ret;
			done += k;
		}
		ret = ctr_layer_data(l, data, n, err);
		if (ret < 0)
			return ret;
		done += n;
	}
	while (ret == 0 && done < size) {
		size_t k = size - done < sizeof(zero) ? (size_t)(size - done) : sizeof(zero);

		ret = ctr_layer_data(l, zero, k, err);
		done += k;
	}
	return ret;
}

int ctr_source_unpack(struct ctr_layer *l, int root, const char *path, const char *to, struct rs_err *err)
{
	rs_auto_close int fd = ctr_source_open(root, path, O_RDONLY | O_NONBLOCK);
	struct ctr_layer_reader *r = fd < 0 ? NULL : ctr_reader_open(fd, path, NULL, NULL, NULL, err);
	struct ctr_entry e;
	int ret = 1;

	if (!r)
		return fd < 0 ? rs_err_errno(err, -fd, "cannot open %s", path) : -EBADMSG;
	while (ret > 0 && (ret = ctr_reader_next(r, &e, err)) > 0) {
		rs_auto_free char *full = *to && *e.path ? rs_xasprintf("%s/%s", to, e.path) : rs_xstrdup(*to ? to : e.path);
		rs_auto_free char *link = e.hard && *to ? rs_xasprintf("%s/%s", to, e.link) : NULL;

		if (!*e.path && (!*to || !S_ISDIR(e.mode)))
			continue; /* the archive's own root is the folder that it is unpacked into */
		e.path = full;
		if (link)
			e.link = link;
		e.mtime_ns = 0;
		if (ctr_layer_entry(l, &e, err) < 0 ||
		    (S_ISREG(e.mode) && !e.hard && content(r, l, e.size, err) < 0))
			ret = err && err->code ? err->code : -EIO;
	}
	ctr_reader_close(r);
	return ret;
}

/* ---- owners ---- */

/* A file of the stage's image, at most 1 MiB; empty when there is none. */
static int image_file(struct ctr_builder *b, struct ctr_stage *st, const char *path, struct rs_str *out, struct rs_err *err)
{
	struct ctr_model *m = ctr_stage_model(b, st, err);
	struct ctr_node *n = m ? ctr_model_find(m, path, true) : NULL;
	struct ctr_layer_reader *r;
	struct ctr_entry e;
	uint64_t number = 0, offset;
	const void *data;
	size_t len;
	int ret;

	if (!m)
		return -EBADMSG;
	if (!n || !S_ISREG(n->inode->mode) || n->inode->size > 1u << 20)
		return 0;
	rs_auto_close int fd = ctr_blob_open(b->store, &st->layer[n->inode->layer], err);
	if (fd < 0)
		return fd;
	r = ctr_reader_open(fd, st->layer[n->inode->layer].digest, NULL, NULL, NULL, err);
	if (!r)
		return -EBADMSG;
	while ((ret = ctr_reader_next(r, &e, err)) > 0 && number++ < n->inode->entry)
		;
	while (ret > 0 && (ret = ctr_reader_data(r, &data, &len, &offset, err)) > 0)
		rs_str_addn(out, data, len);
	ctr_reader_close(r);
	return ret;
}

/* The third field (and the fourth) of the line that begins with this name. */
static bool look_up(const char *text, const char *name, uint32_t *id, uint32_t *group)
{
	size_t n = strlen(name);

	for (const char *p = text; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL) {
		unsigned a = 0, g = 0;

		if (strncmp(p, name, n) != 0 || p[n] != ':')
			continue;
		if (sscanf(p + n, ":%*[^:]:%u:%u", &a, &g) < 1 && sscanf(p + n, "::%u:%u", &a, &g) < 1)
			continue;
		*id = a;
		if (group)
			*group = g;
		return true;
	}
	return false;
}

static bool number(const char *s, uint32_t *id)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);

	*id = (uint32_t)v;
	return *s >= '0' && *s <= '9' && !*end && v < UINT32_MAX;
}

int ctr_build_owner(struct ctr_builder *b, struct ctr_stage *st, const struct ctr_df_insn *i, size_t at,
		    const char *text, bool alone, uint32_t *uid, uint32_t *gid, struct rs_err *err)
{
	rs_auto_str users = RS_STR_INIT, groups = RS_STR_INIT;
	rs_auto_free char *user = rs_xstrdup(text);
	char *group = strchr(user, ':');
	int ret;

	if (group)
		*group++ = '\0';
	if (number(user, uid)) {
		*gid = alone ? *uid : 0;
	} else {
		ret = image_file(b, st, "etc/passwd", &users, err);
		if (ret < 0)
			return ret;
		if (!look_up(users.p, user, uid, gid))
			return ctr_df_fail(b->file, i, at, err, N_("the image has no user %s (in /etc/passwd)"), user);
	}
	if (!group || number(group, gid))
		return 0;
	ret = image_file(b, st, "etc/group", &groups, err);
	if (ret < 0)
		return ret;
	if (!look_up(groups.p, group, gid, NULL))
		return ctr_df_fail(b->file, i, at, err, N_("the image has no group %s (in /etc/group)"), group);
	return 0;
}
