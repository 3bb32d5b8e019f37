/* Mounting an overlay, and watching its upper layer. */
#include "containers/overlay.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <linux/openat2.h>
#include <sys/syscall.h>

#include "engine/base/cleanup.h"

#define ENTRIES_MAX 4096
#define DEPTH_MAX 32

/* ---- options ---- */

void ctr_overlay_options_release(struct ctr_overlay_options *o)
{
	for (unsigned i = 0; i < o->lowers; i++)
		free(o->lower[i]);
	free(o->upper);
	free(o->work);
	*o = (struct ctr_overlay_options){ 0 };
}

/* Up to an unescaped `end` or the terminator; *p is moved behind it. */
static char *piece(const char **p, const char *ends)
{
	rs_auto_str s = RS_STR_INIT;

	while (**p && !strchr(ends, **p)) {
		if (**p == '\\' && (*p)[1])
			++*p;
		rs_str_addc(&s, *(*p)++);
	}
	return s.len ? rs_str_detach(&s) : NULL;
}

static int take_lower(const char **p, struct ctr_overlay_options *o, struct rs_err *err)
{
	for (;;) {
		char *dir = piece(p, ":,");

		if (!dir)
			return rs_err_set(err, -EINVAL, "an overlay's lowerdir has an empty name");
		if (o->lowers == CTR_LAYERS_MAX) {
			free(dir);
			return rs_err_set(err, -E2BIG, "an overlay with more than %d lower layers", CTR_LAYERS_MAX);
		}
		o->lower[o->lowers++] = dir;
		if (**p != ':')
			return 0;
		++*p;
	}
}

int ctr_overlay_parse(const char *options, struct ctr_overlay_options *o, struct rs_err *err)
{
	int rc = 0;

	*o = (struct ctr_overlay_options){ 0 };
	for (const char *p = options; rc == 0 && *p; p += *p == ',') {
		if (strncmp(p, "lowerdir=", 9) == 0 && !o->lowers) {
			p += 9;
			rc = take_lower(&p, o, err);
		} else if (strncmp(p, "upperdir=", 9) == 0 && !o->upper) {
			p += 9;
			o->upper = piece(&p, ",");
		} else if (strncmp(p, "workdir=", 8) == 0 && !o->work) {
			p += 8;
			o->work = piece(&p, ",");
		} else {
			o->userxattr |= strncmp(p, "userxattr", 9) == 0 && (p[9] == ',' || !p[9]);
			p += strcspn(p, ",");
		}
	}
	if (rc == 0 && !o->lowers)
		rc = rs_err_set(err, -EINVAL, "an overlay needs a lowerdir");
	if (rc == 0 && !o->upper != !o->work)
		rc = rs_err_set(err, -EINVAL, "an overlay that can be written needs both upperdir and workdir");
	return rc;
}

static void add_escaped(struct rs_str *s, const char *path)
{
	for (; *path; path++) {
		if (strchr("\\:,", *path))
			rs_str_addc(s, '\\');
		rs_str_addc(s, *path);
	}
}

static const char *mount_cure(int error)
{
	switch (error) {
	case EPERM:
	case EACCES:
		return N_("an overlay in a user namespace needs Linux 5.11 and the option userxattr");
	case EINVAL:
		return N_("upper and work layer must lie in one file system, which can hold extended attributes, and the layers must "
			  "not lie in each other");
	case ENODEV:
		return N_("load the kernel module overlay");
	case ENOENT:
		return N_("one of the folders is not there");
	default:
		return N_("see the kernel's log");
	}
}

int ctr_overlay_mount(const char *at, char *const *lower, unsigned lowers, const char *upper, const char *work, bool userxattr,
		      struct rs_err *err)
{
	rs_auto_str o = RS_STR_INIT;
	struct rs_err out = RS_ERR_INIT;
	int e;

	for (unsigned i = 0; i < lowers; i++) {
		rs_str_add(&o, i ? ":" : "lowerdir=");
		add_escaped(&o, lower[i]);
	}
	if (upper) {
		rs_str_add(&o, ",upperdir=");
		add_escaped(&o, upper);
		rs_str_add(&o, ",workdir=");
		add_escaped(&o, work);
	}
	if (userxattr)
		rs_str_add(&o, ",userxattr");
	if (mount("overlay", at, "overlay", 0, o.p) == 0)
		return 0;
	e = errno;
	out.code = -e;
	for (int l = 0; l < RS_LANGS; l++) {
		struct rs_err one = RS_ERR_INIT;

		rs_err_set(&one, -e, "an overlay of %u layers cannot be mounted at %s: %s; %s", lowers + (upper != NULL), at, strerror(e),
			   rs_tr((enum rs_lang)l, mount_cure(e)));
		memcpy(out.text[l], one.text[l], sizeof(out.text[l]));
	}
	if (err)
		*err = out;
	return -e;
}

/* ---- watching ---- */

void ctr_overlay_close(struct ctr_overlay *w)
{
	for (unsigned i = 0; w->open && i < w->lowers; i++)
		close(w->lower[i]);
	if (w->open)
		close(w->upper);
	for (unsigned i = 0; i <= CTR_LAYERS_MAX; i++)
		free(w->names[i]);
	for (unsigned i = 0; i < w->entries; i++)
		free(w->entry[i].path);
	free(w->entry);
	free(w->merged);
	*w = (struct ctr_overlay){ 0 };
}

/* A folder as a process with this root sees it: no link leads out of it. */
static int open_inside(int root, int cwd, const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };

	return (int)syscall(SYS_openat2, path[0] == '/' ? root : cwd, path, &how, sizeof(how));
}

static struct ctr_overlay_entry *find(struct ctr_overlay *w, const char *path)
{
	for (unsigned i = 0; i < w->entries; i++)
		if (strcmp(w->entry[i].path, path) == 0)
			return &w->entry[i];
	return NULL;
}

/* The first lower layer that has it, from 1; 0: none. A whiteout in between hides those below. */
static unsigned origin(const struct ctr_overlay *w, const char *path)
{
	for (unsigned i = 0; i < w->lowers; i++) {
		struct stat st;

		if (fstatat(w->lower[i], path, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		return S_ISCHR(st.st_mode) && st.st_rdev == 0 ? 0 : i + 1;
	}
	return 0;
}

static bool opaque(int dir)
{
	char v[8];

	return fgetxattr(dir, "user.overlay.opaque", v, sizeof(v)) == 1 || fgetxattr(dir, "trusted.overlay.opaque", v, sizeof(v)) == 1;
}

struct look {
	struct ctr_overlay *w;
	struct rs_emitter *em;     /* NULL: nothing is said */
	uint32_t actor;
	unsigned changes;
};

static void say(struct look *k, const struct ctr_overlay_entry *e, enum rs_layer what)
{
	k->changes++;
	if (k->em)
		rs_emit(k->em, RS_EV_BOX_LAYER, RS_SRC_CTR, k->actor, what, e->size, e->layer, 0, e->path);
}

static void note(struct look *k, const char *path, const struct stat *st, bool is_opaque)
{
	struct ctr_overlay *w = k->w;
	struct ctr_overlay_entry *e = find(w, path);
	bool whiteout = S_ISCHR(st->st_mode) && st->st_rdev == 0, fresh = !e;
	int64_t mtime = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
	int what;

	if (!e) {
		if (w->entries == ENTRIES_MAX)
			return;
		w->entry = rs_xrealloc(w->entry, w->entries + 1, sizeof(*e));
		e = &w->entry[w->entries++];
		*e = (struct ctr_overlay_entry){ .path = rs_xstrdup(path), .layer = origin(w, path), .what = -1 };
	}
	e->seen = true;
	what = whiteout ? RS_LAYER_WHITEOUT : is_opaque ? RS_LAYER_OPAQUE : e->layer ? RS_LAYER_COPIED : RS_LAYER_CREATED;
	bool other = what != e->what || st->st_ino != e->ino;
	bool changed = !S_ISDIR(st->st_mode) && !whiteout && (mtime != e->mtime || (uint64_t)st->st_size != e->size);

	e->what = what;
	e->ino = st->st_ino;
	e->mtime = mtime;
	e->size = S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0;
	if (other)
		say(k, e, (enum rs_layer)what);
	else if (changed && !fresh)
		say(k, e, RS_LAYER_CHANGED);
}

static void walk(struct look *k, int parent, const char *name, const char *path, unsigned depth)
{
	rs_auto_close int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	rs_auto_closedir DIR *d = NULL;
	struct dirent *e;

	if (fd < 0 || depth > DEPTH_MAX)
		return;
	d = fdopendir(fd);
	if (!d)
		return;
	int at = rs_steal_fd(&fd); /* it is d's now */

	while ((e = readdir(d)) != NULL) {
		struct stat st;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || fstatat(at, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		rs_auto_free char *sub = *path ? rs_xasprintf("%s/%s", path, e->d_name) : rs_xstrdup(e->d_name);

		if (S_ISDIR(st.st_mode)) {
			rs_auto_close int dir = openat(at, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			note(k, sub, &st, dir >= 0 && opaque(dir));
			walk(k, at, e->d_name, sub, depth + 1);
		} else {
			note(k, sub, &st, false);
		}
	}
}

unsigned ctr_overlay_look(struct ctr_overlay *w, struct rs_emitter *em, uint32_t actor)
{
	struct look k = { w, em, actor, 0 };

	if (!w->open)
		return 0;
	for (unsigned i = 0; i < w->entries; i++)
		w->entry[i].seen = false;
	walk(&k, w->upper, ".", "", 0);
	for (unsigned i = 0; i < w->entries;) {
		struct ctr_overlay_entry *e = &w->entry[i];

		if (e->seen) {
			i++;
			continue;
		}
		say(&k, e, RS_LAYER_GONE);
		free(e->path);
		*e = w->entry[--w->entries];
	}
	return k.changes;
}

int ctr_overlay_watch(struct ctr_overlay *w, int root, int cwd, const char *merged, const char *options, struct rs_err *err)
{
	struct ctr_overlay_options o;
	int rc;

	ctr_overlay_close(w);
	rc = ctr_overlay_parse(options, &o, err);
	if (rc == 0 && !o.upper)
		rc = rs_err_set(err, -EROFS, "this overlay has no upper layer: nothing can change in it");
	if (rc == 0) {
		w->upper = open_inside(root, cwd, o.upper);
		if (w->upper < 0)
			rc = rs_err_errno(err, errno, "the upper layer %s cannot be watched", o.upper);
	}
	if (rc == 0) {
		w->open = true;
		w->merged = rs_xstrdup(merged);
		w->names[0] = rs_xstrdup(o.upper);
		for (unsigned i = 0; i < o.lowers; i++) {
			int fd = open_inside(root, cwd, o.lower[i]);

			if (fd < 0)
				continue;
			w->lower[w->lowers++] = fd;
			w->names[w->lowers] = rs_xstrdup(o.lower[i]);
		}
		ctr_overlay_look(w, NULL, 0);
	}
	ctr_overlay_options_release(&o);
	return rc;
}

static int by_path(const void *a, const void *b)
{
	const struct ctr_overlay_entry *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static void list_lower(struct rs_str *out, int parent, const char *path, unsigned depth, unsigned *left)
{
	rs_auto_close int fd = openat(parent, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	rs_auto_closedir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d)
		return;
	(void)rs_steal_fd(&fd);
	while (*left && (e = readdir(d)) != NULL) {
		rs_auto_free char *sub = *path ? rs_xasprintf("%s/%s", path, e->d_name) : rs_xstrdup(e->d_name);

		if (e->d_name[0] == '.')
			continue;
		--*left;
		rs_str_addf(out, "-\t%s%s\n", sub, e->d_type == DT_DIR ? "/" : "");
		if (e->d_type == DT_DIR && depth < 4)
			list_lower(out, parent, sub, depth + 1, left);
	}
}

/* One line an entry: WHAT TAB PATH, a layer begins with "=" TAB NAME. */
void ctr_overlay_text(const struct ctr_overlay *w, struct rs_str *out)
{
	if (!w->open)
		return;
	qsort(w->entry, w->entries, sizeof(*w->entry), by_path);
	rs_str_addf(out, "@\t%s\n=\t%s\n", w->merged, w->names[0]);
	for (unsigned i = 0; i < w->entries && i < 200; i++)
		rs_str_addf(out, "%s\t%s\n", rs_unit_value_name(RS_UNIT_layer, (uint64_t)w->entry[i].what), w->entry[i].path);
	for (unsigned i = 0; i < w->lowers; i++) {
		unsigned left = 60;

		rs_str_addf(out, "=\t%s\n", w->names[i + 1]);
		list_lower(out, w->lower[i], "", 0, &left);
	}
}
