/* Is anything left on the host? */
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"
#include "engine/journal.h"
#include "engine/lint.h"

/* A file of /proc: its size is not known before. */
static void read_proc(const char *path, struct rs_str *out)
{
	rs_auto_fclose FILE *f = fopen(path, "re");
	char buf[4096];
	size_t n;

	while (f && (n = fread(buf, 1, sizeof(buf), f)) > 0)
		rs_str_addn(out, buf, n);
}

/* Mount points below the scratch root, one a line. */
static void list_mounts(struct rs_str *out)
{
	rs_auto_free char *root = eng_scratch_root(NULL);
	rs_auto_str all = RS_STR_INIT;

	read_proc("/proc/self/mountinfo", &all);
	for (char *s = all.p, *nl; root && *s; s = nl) {
		char point[4096];

		nl = strchrnul(s, '\n');
		if (*nl)
			*nl++ = 0;
		/* proc_pid_mountinfo(5): the mount point is the fifth field */
		if (sscanf(s, "%*d %*d %*s %*s %4095s", point) == 1 &&
		    strncmp(point, root, strlen(root)) == 0)
			rs_str_addf(out, "%s\n", point);
	}
}

static void list_dir(struct rs_str *out, const char *path, const char *prefix, unsigned depth)
{
	rs_auto_closedir DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		rs_auto_free char *below = NULL;

		if (e->d_name[0] == '.')
			continue;
		below = rs_xasprintf("%s/%s", path, e->d_name);
		if (strncmp(e->d_name, prefix, strlen(prefix)) == 0)
			rs_str_addf(out, "%s\n", below);
		else if (depth && (e->d_type == DT_DIR))
			list_dir(out, below, prefix, depth - 1);
	}
}

void eng_lint_host_before(struct eng_lint_host *h)
{
	h->mounts = h->cgroups = h->links = (struct rs_str)RS_STR_INIT;
	list_mounts(&h->mounts);
	list_dir(&h->cgroups, "/sys/fs/cgroup", ENG_PREFIX, 4);
	list_dir(&h->links, "/sys/class/net", ENG_LINK_PREFIX, 0);
}

void eng_lint_host_release(struct eng_lint_host *h)
{
	rs_str_release(&h->mounts);
	rs_str_release(&h->cgroups);
	rs_str_release(&h->links);
}

/* What is named after a process that lives is that process's to remove: another lab's, or a child that is told anyway. */
static bool in_use(const char *line, size_t n)
{
	size_t digits = 0;

	while (digits < n && line[n - 1 - digits] >= '0' && line[n - 1 - digits] <= '9')
		digits++;
	return digits && digits < n && line[n - 1 - digits] == '-' && kill((pid_t)atoi(line + n - digits), 0) == 0;
}

/* Lines of `now` that `before` does not have. */
static void added(const char *what, const struct rs_str *before, const struct rs_str *now,
		  struct rs_str *left)
{
	for (const char *s = now->p; *s;) {
		size_t n = strcspn(s, "\n");
		rs_auto_free char *line = rs_xasprintf("%.*s\n", (int)n, s);

		if (!strstr(before->p, line) && !in_use(line, n))
			rs_str_addf(left, "%s%s %.*s", left->len ? ", " : "", what, (int)n, s);
		s += n + (s[n] == '\n');
	}
}

static void look(const struct eng_lint_host *h, struct rs_str *left)
{
	rs_auto_str children = RS_STR_INIT;
	rs_auto_free char *path = rs_xasprintf("/proc/self/task/%d/children", (int)getpid());
	rs_auto_free char *journals = rs_dir_path(RS_DIR_STATE, "journal", NULL);
	rs_auto_free char *own = rs_xasprintf("%d-", (int)getpid());
	struct eng_lint_host now;
	rs_auto_str open = RS_STR_INIT;

	read_proc(path, &children); /* empty without CONFIG_PROC_CHILDREN */
	while (children.len && (children.p[children.len - 1] == ' ' || children.p[children.len - 1] == '\n'))
		children.p[--children.len] = 0;
	if (children.len)
		rs_str_addf(left, "process %s", children.p);
	/* the scratch folders of this process are entries of its journals */
	if (journals)
		list_dir(&open, journals, own, 0);
	if (open.len)
		rs_str_addf(left, "%sjournal %.*s", left->len ? ", " : "", (int)strcspn(open.p, "\n"),
			    open.p);
	eng_lint_host_before(&now);
	added("mount", &h->mounts, &now.mounts, left);
	added("cgroup", &h->cgroups, &now.cgroups, left);
	added("link", &h->links, &now.links, left);
	eng_lint_host_release(&now);
}

int eng_lint_host_after(struct eng_lint_host *h, struct rs_str *left)
{
	struct timespec pause = { .tv_nsec = 100000000 };

	for (unsigned tries = 0; tries < 20; tries++) {
		rs_str_clear(left);
		look(h, left);
		if (!left->len)
			return 0;
		nanosleep(&pause, NULL);
	}
	return -1;
}
