/* Inside the box. Private to box*.c.
 */
#ifndef CONTAINERS_BOX_PRIVATE_H
#define CONTAINERS_BOX_PRIVATE_H

#include "containers/box.h"
#include "containers/cgroup.h"
#include "containers/overlay.h"
#include "engine/base/state.h"

/* ---- what it is made of (box_plan.c) ---- */

struct box_file {
	const char *name;          /* below /work; "" of the program that busybox is */
	struct rs_str data;
	unsigned mode;
};
/* Everything that the new process needs, read before it is born. */
struct box_plan {
	struct box_file *file;
	unsigned files;
	struct rs_str busybox;
	char **argv, **envp;       /* owned, NULL at the end */
	struct ctr_cgroup_entry entry;
	int input;                 /* memfd */
	int sync;                  /* a byte comes: user ids are mapped; another one: go */
	int report;                /* takes one struct box_report */
};
/* Release in any case. */
int box_plan_make(struct box_plan *p, const struct ctr_box_desc *d, struct rs_err *err);
void box_plan_release(struct box_plan *p);

/* ---- the first process's side (box_root.c) ---- */

struct box_report {
	int32_t step;              /* enum box_step: what failed; BOX_READY: nothing */
	int32_t error;             /* errno */
	char what[56];
};
enum box_step {
	BOX_READY, BOX_MISSES, BOX_IDS, BOX_CGROUP, BOX_MOUNTS, BOX_FILES, BOX_PIVOT, BOX_FILTER, BOX_EXEC
};
/* Does not return. */
_Noreturn void box_child(const struct box_plan *p);

/* ---- calls (box_call.c) ---- */

struct box_call_info {
	long nr;                   /* -1: this architecture has no such call */
	const char *name, *args;
};
extern const struct box_call_info box_calls[]; /* by enum rs_lcall */
#define BOX_CALLS (RS_LCALL_SETGID + 1)
int box_call_of(uint64_t nr);  /* enum rs_lcall, or -1 */
/* Arguments as text; strings are read from the process. */
void box_call_text(pid_t pid, enum rs_lcall call, const uint64_t args[6], char *buf, size_t size);
/* The namespace flags that a clone, clone3 or unshare asks for. */
uint64_t box_call_ns_flags(pid_t pid, enum rs_lcall call, const uint64_t args[6]);
/* Reads a string of another process: at most size - 1 bytes. */
void box_read_text(pid_t pid, uint64_t at, char *buf, size_t size);

/* ---- the run ---- */

struct box_proc {
	pid_t pid, parent;         /* on the host */
	int inside[RS_BOX_PIDS_MAX]; /* from the box's PID namespace inwards */
	unsigned depth;            /* how many of them */
	uint64_t ns[8];
	ino_t root_ino;            /* of its root directory */
	dev_t root_dev;
	char root[RS_TEXT_SIZE];
	bool known;                /* its start was told */
	bool held;                 /* it stands still because of a pause ... */
	int held_signal;           /* ... and goes on with this signal */
	bool in_call;
	enum rs_lcall call;
	uint64_t args[6], ns_flags, t0;
	char text[RS_TEXT_SIZE];
};

#define BOX_PROCS_MAX 4096
struct box {
	const struct ctr_box_desc *d;
	struct rs_emitter *em;
	int control_fd, signal_fd, oom_fd;
	pid_t first;
	struct box_proc *proc;
	unsigned procs;
	struct ctr_cgroup_host host;
	struct ctr_cgroup *cg;
	struct ctr_plan plan;
	struct ctr_stats stats;
	struct ctr_overlay overlay;
	ino_t root_ino;            /* of the box's root directory */
	dev_t root_dev;
	uint64_t t0, deadline, next_tick, paused_at, next_look;
	struct box_procs *fullest; /* the snapshot with the most processes, for when all have ended; NULL: none yet */
	uint64_t steps;            /* calls until it stands still again; 0: runs */
	bool paused, stepping, stopped, timed_out, ended;
	int status;                /* wait status of the first process */
};

uint64_t box_now(void);
struct box_proc *box_proc_of(struct box *b, pid_t pid); /* NULL: not known */
int box_inner(const struct box_proc *p);                /* its number in its own PID namespace */
/* One wait status of one process. */
void box_trace_event(struct box *b, pid_t pid, int status);
/* Lets all that are held go on; asks all that run to stand still. */
void box_trace_release(struct box *b);
void box_trace_hold(struct box *b);
/* Takes charge of a process that was just seen first. */
struct box_proc *box_trace_adopt(struct box *b, pid_t pid, pid_t parent);

/* ---- snapshots (box_look.c) ---- */
void box_look_ns(pid_t pid, uint64_t ns[8]);
void box_look_pids(struct box_proc *p);
bool box_look_root(struct box_proc *p);   /* true: another one than before */
void box_look(struct box *b);             /* sends what the screens show */
/* A process is about to end: what short programs do is seen, too. */
void box_look_before_exit(struct box *b);

#endif
