/* Undoes what journals without an owner still hold.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"
#include "engine/eng.h"
#include "engine/journal.h"

#define JOURNAL_MAX (1u << 20) /* bytes of one journal file; an honest one has a few hundred */

struct entry {
	int id;
	enum eng_made kind;
	char *arg;
	bool open;
};

struct list {
	struct entry *v;
	unsigned n, cap;
	char boot[64], token[40];
	unsigned long pidns;
};

static void list_release(struct list *l)
{
	for (unsigned i = 0; i < l->n; i++)
		free(l->v[i].arg);
	free(l->v);
}

static int parse_kind(const char *s, size_t n)
{
	for (int k = 0; k < ENG_MADE_COUNT; k++) {
		const char *name = eng_made_name((enum eng_made)k);

		if (strlen(name) == n && memcmp(name, s, n) == 0)
			return k;
	}
	return -1;
}

/* A torn or foreign line is skipped: what it would have named was then not made yet, or is not ours. */
static void parse_line(struct list *l, char *line)
{
	char *end;
	long id = strtol(line + 1, &end, 10);

	if (id <= 0 || id > INT32_MAX || end == line + 1)
		return;
	if (line[0] == '-' && *end == '\0') {
		for (unsigned i = 0; i < l->n; i++)
			if (l->v[i].id == id)
				l->v[i].open = false;
	} else if (line[0] == '+' && *end == ' ') {
		char *kind = end + 1, *arg = strchr(kind, ' ');
		int k = arg ? parse_kind(kind, (size_t)(arg - kind)) : -1;

		if (k < 0)
			return;
		if (l->n == l->cap) {
			l->cap = l->cap ? 2 * l->cap : 16;
			l->v = rs_xrealloc(l->v, l->cap, sizeof(*l->v));
		}
		l->v[l->n++] = (struct entry){ (int)id, (enum eng_made)k, rs_xstrdup(arg + 1), true };
	}
}

/* Returns false when the file is not a journal. */
static bool parse(struct list *l, char *text)
{
	char *line = text, *nl = strchr(text, '\n');

	if (!nl)
		return false; /* the owner died before the first line was whole: nothing was made */
	*nl = '\0';
	if (sscanf(line, "ringside journal 1 %63s %lu %39s", l->boot, &l->pidns, l->token) != 3)
		return false;
	for (line = nl + 1; (nl = strchr(line, '\n')) != NULL; line = nl + 1) {
		*nl = '\0';
		parse_line(l, line);
	}
	return true;
}

/* The owner's name: PID-START.N. Is that process alive? */
static bool owner_alive(const char *name)
{
	int pid;
	uint64_t start, now;
	char state;

	if (sscanf(name, "%d-%" SCNu64 ".", &pid, &start) != 2 || pid <= 0)
		return false;
	return eng_proc_stat(pid, &now, &state, NULL) == 0 && now == start && state != 'Z' &&
	       state != 'X';
}

/* Names of folders that journals which stay still speak of. */
struct kept {
	char **v;
	unsigned n;
};

static void keep_folders(struct kept *k, const struct list *l)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->v[i].open && l->v[i].kind == ENG_MADE_DIR) {
			k->v = rs_xrealloc(k->v, k->n + 1, sizeof(*k->v));
			k->v[k->n++] = rs_xstrdup(l->v[i].arg);
		}
}

static unsigned sweep_file(int dirfd, const char *name, struct kept *kept)
{
	rs_auto_close int fd = openat(dirfd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	rs_auto_str text = RS_STR_INIT;
	struct list l = { 0 };
	struct stat st;
	char boot[64], buf[4096];
	unsigned swept = 0, left = 0;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return 0;
	bool locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
	while (text.len < JOURNAL_MAX && (n = read(fd, buf, sizeof(buf))) > 0)
		rs_str_addn(&text, buf, (size_t)n);
	eng_boot_id(boot);
	if (!parse(&l, text.p)) {
		if (locked && !owner_alive(name))
			unlinkat(dirfd, name, 0);
		return 0;
	}
	bool same_boot = strcmp(l.boot, boot) == 0;
	bool ours = same_boot && l.pidns == eng_pid_ns();

	/* Where the owner's pid means something to us, it decides: the lock of a dead lab may be held
	 * for a moment by a child that is dying with it. In another PID namespace of this boot pids mean
	 * nothing to us, and whoever lives there sweeps. Another boot may be another machine with the
	 * same home, and there the lock decides. */
	if (ours ? owner_alive(name) : same_boot || !locked) {
		keep_folders(kept, &l);
		list_release(&l);
		return 0;
	}
	for (unsigned i = l.n; i-- > 0;) {
		if (!l.v[i].open)
			continue;
		if (eng_undo(l.v[i].kind, l.v[i].arg, same_boot, l.token))
			swept++;
		else
			left++;
	}
	if (left == 0)
		unlinkat(dirfd, name, 0);
	list_release(&l);
	return swept;
}

/* Files of the state folder that a dead lab was about to save (rs_file_save: NAME.tmp-PID-...). */
static unsigned sweep_unsaved(void)
{
	rs_auto_free char *path = rs_dir_path(RS_DIR_STATE, "", NULL);
	rs_auto_closedir DIR *d = path ? opendir(path) : NULL;
	unsigned swept = 0;
	struct dirent *e;

	while (d && (e = readdir(d)) != NULL) {
		const char *tmp = strstr(e->d_name, ".json.tmp-");
		int pid;

		if (tmp && sscanf(tmp, ".json.tmp-%d-", &pid) == 1 && pid > 0 && kill(pid, 0) < 0 &&
		    errno == ESRCH && unlinkat(dirfd(d), e->d_name, 0) == 0)
			swept++;
	}
	return swept;
}

/* Unix time of this boot (/proc/stat btime); 0 when unknown. */
static time_t boot_time(void)
{
	rs_auto_fclose FILE *f = fopen("/proc/stat", "re");
	char line[256];
	long long t = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "btime %lld", &t) == 1)
			break;
	return (time_t)t;
}

/* Scratch folders from before this boot that no journal speaks of: a power cut took the journal's
 * last lines. */
static unsigned sweep_orphans(const struct kept *kept)
{
	rs_auto_free char *root = eng_scratch_root(NULL);
	rs_auto_closedir DIR *d = root ? opendir(root) : NULL;
	time_t boot = boot_time();
	unsigned swept = 0;
	struct dirent *e;

	while (d && (e = readdir(d)) != NULL) {
		struct stat st;
		bool spoken_of = false;

		for (unsigned i = 0; i < kept->n; i++)
			spoken_of |= strcmp(kept->v[i], e->d_name) == 0;
		if (e->d_name[0] == '.' || spoken_of ||
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_mtime >= boot)
			continue;
		swept += eng_undo(ENG_MADE_DIR, e->d_name, false, "");
	}
	return swept;
}

unsigned eng_sweep(struct rs_err *err)
{
	rs_auto_free char *path = rs_dir_path(RS_DIR_STATE, "journal", err);
	rs_auto_closedir DIR *d = path ? opendir(path) : NULL;
	struct kept kept = { NULL, 0 };
	unsigned swept = 0;
	struct dirent *e;

	if (!d) {
		if (path)
			rs_err_errno(err, errno, "the journal folder %s cannot be read", path);
		return 0;
	}
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			swept += sweep_file(dirfd(d), e->d_name, &kept);
	swept += sweep_unsaved() + sweep_orphans(&kept);
	for (unsigned i = 0; i < kept.n; i++)
		free(kept.v[i]);
	free(kept.v);
	return swept;
}
