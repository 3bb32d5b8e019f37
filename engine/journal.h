/* The journal of what the lab makes on the host, so that it can be undone after a SIGKILL.
 *
 * A journal is a file below $XDG_STATE_HOME/ringside/journal, named after its owner's pid and start
 * time, which say whether it lives; and locked by it, for those who share the folder but not its
 * pids. An entry is written before the thing is made, and struck when it is gone.
 * eng_sweep (eng.h) undoes what journals without an owner still hold, newest first.
 *
 * A journal is bytes that anybody may have written: entries name things, not paths. Directories and
 * mounts lie below the scratch root, cgroups and links carry the lab's prefix, processes carry
 * their start time. What does not is left alone.
 *
 * Format: "ringside journal 1 BOOT-ID PIDNS\n", then "+ID KIND ARGUMENTS\n" and "-ID\n" lines.
 * Private to engine/.
 */
#ifndef ENGINE_JOURNAL_H
#define ENGINE_JOURNAL_H

#include <stdbool.h>
#include <sys/types.h>

#include "engine/base/err.h"
#include "engine/base/str.h"

enum eng_made {
	ENG_MADE_PROC,   /* eng_journal_add_proc */
	ENG_MADE_DIR,    /* a folder in the scratch root, by its name in it */
	ENG_MADE_MOUNT,  /* a mount point, by its path relative to the scratch root */
	ENG_MADE_CGROUP, /* absolute path below /sys/fs/cgroup; last part begins with ENG_PREFIX */
	ENG_MADE_LINK,   /* network interface; its name begins with ENG_LINK_PREFIX */
	ENG_MADE_COUNT
};
#define ENG_PREFIX "ringside-"
#define ENG_LINK_PREFIX "rs-"

struct eng_journal;

/* Opens a new journal of this process. NULL on error. */
struct eng_journal *eng_journal_open(struct rs_err *err);
/* Closes it; the file is removed when nothing is open in it. NULL is fine. */
void eng_journal_close(struct eng_journal *j);
/* The text that marks this journal's processes: ENG_TOKEN_ENV in their environment. */
#define ENG_TOKEN_ENV "RINGSIDE_RUN"
const char *eng_journal_token(const struct eng_journal *j);

/* Writes down that `name` is going to be made. Returns the entry's id (positive), or negative and
 * err: then it must not be made. */
int eng_journal_add(struct eng_journal *j, enum eng_made kind, const char *name,
		    struct rs_err *err);
/* The same for a child process, which must not yet have done anything and waits for its parent. All
 * members of its process group count as it, if the group is its own. */
int eng_journal_add_proc(struct eng_journal *j, pid_t pid, struct rs_err *err);
/* The thing is gone. id <= 0 is ignored. */
void eng_journal_done(struct eng_journal *j, int id);

/* Makes a folder with a fresh name in the scratch root, journaled. The caller frees the path; *id is
 * its entry. */
char *eng_journal_scratch(struct eng_journal *j, int *id, struct rs_err *err);
/* Removes such a folder and strikes its entry. */
void eng_journal_unscratch(struct eng_journal *j, const char *path, int id);

/* Where scratch folders lie. The caller frees. */
char *eng_scratch_root(struct rs_err *err);
/* Start time of a process in clock ticks since boot (proc(5), field 22), its state and process
 * group; 0 or -ESRCH. The last two may be NULL. */
int eng_proc_stat(pid_t pid, uint64_t *start, char *state, pid_t *pgrp);

/* -- shared with sweep.c -- */
/* One entry, undone. Returns true when nothing of it is left. */
bool eng_undo(enum eng_made kind, const char *arg, bool same_boot, const char *token);
const char *eng_made_name(enum eng_made kind); /* "proc"; NULL out of range */
void eng_boot_id(char buf[64]);                /* "?" when the kernel gives none */
unsigned long eng_pid_ns(void);                /* inode of the PID namespace; 0 unknown */

#endif
