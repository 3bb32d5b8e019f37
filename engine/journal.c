/* The owner's side of the journal. */
#include "engine/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"

struct eng_journal {
	int fd;
	char *path;
	int last_id;
	unsigned open;      /* entries not struck */
	char token[40];
};

static const char *const made_names[ENG_MADE_COUNT] = {
	[ENG_MADE_PROC] = "proc",     [ENG_MADE_DIR] = "dir",   [ENG_MADE_MOUNT] = "mount",
	[ENG_MADE_CGROUP] = "cgroup", [ENG_MADE_LINK] = "link",
};

const char *eng_made_name(enum eng_made kind)
{
	return (unsigned)kind < ENG_MADE_COUNT ? made_names[kind] : NULL;
}

void eng_boot_id(char buf[64])
{
	rs_auto_close int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, 63);

	while (n > 0 && buf[n - 1] == '\n')
		n--;
	if (n <= 0 || memchr(buf, ' ', (size_t)n)) {
		buf[0] = '?';
		n = 1;
	}
	buf[n] = '\0';
}

unsigned long eng_pid_ns(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) == 0 ? (unsigned long)st.st_ino : 0;
}

int eng_proc_stat(pid_t pid, uint64_t *start, char *state, pid_t *pgrp)
{
	char path[64], buf[1024];
	char st = 0;
	int grp = 0;
	uint64_t ticks;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	rs_auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

	if (n <= 0)
		return -ESRCH;
	buf[n] = '\0';
	/* The command name stands in parentheses and may hold any character: search from the end. */
	char *p = strrchr(buf, ')');

	if (!p || sscanf(p + 1, " %c %*d %d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
				"%*d %*d %" SCNu64, &st, &grp, &ticks) != 3)
		return -ESRCH;
	*start = ticks;
	if (state)
		*state = st;
	if (pgrp)
		*pgrp = grp;
	return 0;
}

char *eng_scratch_root(struct rs_err *err)
{
	return rs_dir_path(RS_DIR_STATE, "scratch", err);
}

/* Not synced: a page that a killed process wrote is there for the next one. A power cut takes the
 * processes, mounts, cgroups and links with it; folders that it leaves are found without a journal
 * (sweep.c). So starting a run never waits for the disk. */
static int put(struct eng_journal *j, const char *line, size_t n)
{
	/* One write a line: a reader after a crash sees whole lines and at most one torn end. */
	ssize_t w = write(j->fd, line, n);

	return w == (ssize_t)n ? 0 : w < 0 ? -errno : -ENOSPC;
}

static int random_hex(char *out, unsigned bytes)
{
	unsigned char r[16];

	if (bytes > sizeof(r) || getrandom(r, bytes, 0) != (ssize_t)bytes)
		return -EIO;
	for (unsigned i = 0; i < bytes; i++)
		sprintf(out + 2 * i, "%02x", r[i]);
	return 0;
}

/* Creates and locks PID-START.N. A sweep that meets the file between the two may unlink it: then
 * the next N is tried. */
static int create(struct eng_journal *j, const char *dir, uint64_t start)
{
	for (unsigned n = 0; n < 1000; n++) {
		struct stat st;
		char *path = rs_xasprintf("%s/%d-%" PRIu64 ".%u", dir, (int)getpid(), start, n);
		rs_auto_close int fd = open(path,
					    O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);

		if (fd < 0) {
			int e = errno;

			free(path);
			if (e == EEXIST)
				continue;
			return -e;
		}
		if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && st.st_nlink > 0) {
			j->fd = rs_steal_fd(&fd);
			j->path = path;
			return 0;
		}
		unlink(path);
		free(path);
	}
	return -EEXIST;
}

struct eng_journal *eng_journal_open(struct rs_err *err)
{
	rs_auto_free char *dir = rs_dir_path(RS_DIR_STATE, "journal", err);
	rs_auto_str head = RS_STR_INIT;
	char boot[64];
	uint64_t start = 0;
	int rc;

	if (!dir)
		return NULL;
	struct eng_journal *j = rs_xcalloc(1, sizeof(*j));

	j->fd = -1;
	eng_proc_stat(getpid(), &start, NULL, NULL);
	rc = random_hex(j->token, 16);
	if (rc == 0)
		rc = create(j, dir, start);
	if (rc == 0) {
		eng_boot_id(boot);
		rs_str_addf(&head, "ringside journal 1 %s %lu %s\n", boot, eng_pid_ns(), j->token);
		rc = put(j, head.p, head.len);
	}
	if (rc < 0) {
		rs_err_errno(err, -rc, "the journal in %s cannot be written", dir);
		eng_journal_close(j);
		return NULL;
	}
	return j;
}

void eng_journal_close(struct eng_journal *j)
{
	if (!j)
		return;
	if (j->path && j->open == 0)
		unlink(j->path);
	if (j->fd >= 0)
		close(j->fd);
	free(j->path);
	free(j);
}

const char *eng_journal_token(const struct eng_journal *j)
{
	return j->token;
}

static int add(struct eng_journal *j, enum eng_made kind, const char *arg, struct rs_err *err)
{
	rs_auto_str line = RS_STR_INIT;
	int rc;

	rs_str_addf(&line, "+%d %s %s\n", j->last_id + 1, made_names[kind], arg);
	rc = put(j, line.p, line.len);
	if (rc < 0)
		return rs_err_errno(err, -rc, "the journal %s cannot be written", j->path);
	j->open++;
	return ++j->last_id;
}

int eng_journal_add(struct eng_journal *j, enum eng_made kind, const char *name, struct rs_err *err)
{
	if (strchr(name, '\n'))
		return rs_err_set(err, -EINVAL, "a name in the journal may not hold a line break");
	return add(j, kind, name, err);
}

int eng_journal_add_proc(struct eng_journal *j, pid_t pid, struct rs_err *err)
{
	char arg[64];
	uint64_t start;

	if (eng_proc_stat(pid, &start, NULL, NULL) < 0)
		return rs_err_set(err, -ESRCH, "process %d ended before it was started", (int)pid);
	snprintf(arg, sizeof(arg), "%d %" PRIu64, (int)pid, start);
	return add(j, ENG_MADE_PROC, arg, err);
}

void eng_journal_done(struct eng_journal *j, int id)
{
	char line[32];

	if (!j || id <= 0)
		return;
	j->open--;
	/* A line that cannot be written only means that a sweep looks for what is already gone. */
	(void)put(j, line, (size_t)snprintf(line, sizeof(line), "-%d\n", id));
}

char *eng_journal_scratch(struct eng_journal *j, int *id, struct rs_err *err)
{
	rs_auto_free char *root = eng_scratch_root(err);
	char name[40] = "run-";

	if (!root)
		return NULL;
	if (random_hex(name + 4, 12) < 0) {
		rs_err_set(err, -EIO, "the kernel gave no random numbers");
		return NULL;
	}
	*id = eng_journal_add(j, ENG_MADE_DIR, name, err);
	if (*id < 0)
		return NULL;
	char *path = rs_xasprintf("%s/%s", root, name);

	if (mkdir(path, 0700) < 0) {
		rs_err_errno(err, errno, "the folder %s cannot be made", path);
		eng_journal_done(j, *id);
		free(path);
		return NULL;
	}
	return path;
}

void eng_journal_unscratch(struct eng_journal *j, const char *path, int id)
{
	if (path && rs_rmtree(path, NULL) == 0)
		eng_journal_done(j, id);
}
