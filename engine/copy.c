#include "engine/copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"

int eng_copy_new(struct eng_copy *c, struct rs_err *err)
{
	c->journal = eng_journal_open(err);
	if (!c->journal)
		return err ? err->code : -EIO;
	c->path = eng_journal_scratch(c->journal, &c->entry, err);
	if (!c->path) {
		eng_copy_release(c);
		return err ? err->code : -EIO;
	}
	return 0;
}

void eng_copy_release(struct eng_copy *c)
{
	if (c->path)
		eng_journal_unscratch(c->journal, c->path, c->entry);
	free(c->path);
	eng_journal_close(c->journal);
	*c = (struct eng_copy)ENG_COPY_INIT;
}

int eng_copy_starter(struct eng_copy *c, const struct eng_lesson *l, struct rs_err *err)
{
	return eng_workspace_prepare(l, c->path, false, err);
}

struct budget {
	unsigned files;
	size_t bytes;
};

/* One regular file. It may change while it is read; what counts is what was read. */
static int copy_file(int from_dir, const char *name, int to_dir, const char *shown, mode_t mode,
		     struct budget *b, struct rs_err *err)
{
	rs_auto_close int in = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	rs_auto_close int out = -1;
	char buf[65536];
	ssize_t n;

	if (in < 0)
		return rs_err_errno(err, errno, N_("cannot read %s/%s"), shown, name);
	unlinkat(to_dir, name, 0); /* a read-only one of the starter may be there */
	out = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600 | (mode & 0100));
	if (out < 0)
		return rs_err_errno(err, errno, N_("cannot write a copy of %s/%s"), shown, name);
	while ((n = read(in, buf, sizeof(buf))) > 0) {
		b->bytes += (size_t)n;
		if (b->bytes > ENG_COPY_BYTES_MAX)
			return rs_err_set(err, -EFBIG, N_("%s holds more than %u MiB; a workspace is "
							  "smaller"), shown, ENG_COPY_BYTES_MAX >> 20);
		for (ssize_t done = 0; done < n;) {
			ssize_t w = write(out, buf + done, (size_t)(n - done));

			if (w < 0)
				return rs_err_errno(err, errno, N_("cannot write a copy of %s/%s"),
						    shown, name);
			done += w;
		}
	}
	if (n < 0)
		return rs_err_errno(err, errno, N_("cannot read %s/%s"), shown, name);
	return 0;
}

static int copy_dir(int from, int to, const char *shown, unsigned depth, struct budget *b,
		    struct rs_err *err)
{
	rs_auto_closedir DIR *d = fdopendir(from);
	struct dirent *e;
	int rc;

	if (!d) {
		rc = rs_err_errno(err, errno, N_("cannot read the folder %s"), shown);
		close(from);
		return rc;
	}
	while ((e = readdir(d))) {
		struct stat st;

		if (e->d_name[0] == '.' || fstatat(from, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
			continue;
		if (++b->files > ENG_COPY_FILES_MAX)
			return rs_err_set(err, -EFBIG, N_("%s holds more than %u files; a workspace is "
							  "smaller"), shown, ENG_COPY_FILES_MAX);
		if (S_ISREG(st.st_mode)) {
			rc = copy_file(from, e->d_name, to, shown, st.st_mode, b, err);
		} else {
			rs_auto_free char *below = rs_xasprintf("%s/%s", shown, e->d_name);
			rs_auto_close int sub_to = -1;
			int sub;

			if (depth >= 16)
				return rs_err_set(err, -EFBIG, N_("%s is nested too deeply"), below);
			mkdirat(to, e->d_name, 0700);
			sub_to = openat(to, e->d_name, O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			sub = openat(from, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (sub < 0 || sub_to < 0) {
				rc = rs_err_errno(err, errno, N_("cannot read the folder %s"), below);
				if (sub >= 0)
					close(sub);
				return rc;
			}
			rc = copy_dir(sub, sub_to, below, depth + 1, b, err);
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

int eng_copy_folder(struct eng_copy *c, const char *folder, struct rs_err *err)
{
	rs_auto_close int to = open(c->path, O_DIRECTORY | O_CLOEXEC);
	struct budget b = { 0, 0 };
	int from;

	if (to < 0)
		return rs_err_errno(err, errno, N_("cannot read the folder %s"), c->path);
	from = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (from < 0)
		return rs_err_errno(err, errno, N_("cannot read the folder %s"), folder);
	return copy_dir(from, to, folder, 0, &b, err);
}

int eng_copy_work(struct eng_copy *c, const struct eng_lesson *l, const char *folder,
		  struct rs_err *err)
{
	int rc = eng_copy_starter(c, l, err);

	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < l->steps; i++) {
		rs_auto_free char *path = NULL;

		if (!l->step[i].task)
			continue;
		path = rs_xasprintf("%s/%s", c->path, l->step[i].task->edit);
		unlink(path);
	}
	return eng_copy_folder(c, folder, err);
}

int eng_copy_solve(struct eng_copy *c, const struct eng_lesson *l, struct rs_err *err)
{
	rs_auto_free char *dir = rs_xasprintf("%s/solution", l->dir ? l->dir : "");

	if (!l->dir || !l->solution.n)
		return rs_err_set(err, -ENOENT, N_("lesson %s has no solution"), l->id);
	return eng_copy_folder(c, dir, err);
}

int eng_copy_solution(struct eng_copy *c, const struct eng_lesson *l, struct rs_err *err)
{
	int rc = eng_copy_starter(c, l, err);

	return rc < 0 ? rc : eng_copy_solve(c, l, err);
}
