/* Control groups: v1, v2 and hybrid hosts behind one interface (cgroups(7); the kernel's
 * admin-guide/cgroup-v2.rst and cgroup-v1/; runtime-spec 1.2, config-linux.md). The map:
 *
 *   cgroup_set.def    every setting: its name in config.json, its file on v1 and v2, what becomes of it
 *   cgroup_res.c      struct ctr_resources          cgroup_host.c   what this machine has, where
 *   cgroup.c          make, enter, save             cgroup_plan.c   settings -> writes
 *   cgroup_apply.c    writes, and what the kernel then holds
 *   cgroup_dev.c      devices: v1 files, v2 eBPF    cgroup_run.c    freeze, thaw, kill, processes, delete
 *   cgroup_stat.c     accounting; OOM kills and throttling as they happen
 *   cgroup_dir.c/.h   the files of a folder, for the files above
 *
 * Private to containers/ but for what containers/ctr.h passes on.
 */
#ifndef CONTAINERS_CGROUP_H
#define CONTAINERS_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/base/channel.h"
#include "engine/base/err.h"
#include "engine/base/str.h"

/* ---- what may be asked: linux.resources ---- */

enum ctr_setting {
#define CTR_SET(id, json, type, min, max, controller, v1, v2, how, sentence) CTR_SET_##id,
#include "containers/cgroup_set.def"
	CTR_SET_COUNT
};

enum ctr_set_type {
	CTR_T_I64, CTR_T_U64, CTR_T_BOOL, CTR_T_TEXT, /* one value: ctr_resources.v[] */
	CTR_T_WEIGHT, CTR_T_RATE, CTR_T_PAGES, CTR_T_PRIO, CTR_T_RDMA, CTR_T_DEVICES, CTR_T_UNIFIED
};
enum ctr_set_how {
	CTR_HOW_SAME, CTR_HOW_LIMIT, CTR_HOW_SHARES, CTR_HOW_QUOTA, CTR_HOW_SWAP, CTR_HOW_IO_WEIGHT, CTR_HOW_ALWAYS,
	CTR_HOW_FIRST, CTR_HOW_DEVICES, CTR_HOW_PAGES, CTR_HOW_RATE, CTR_HOW_WEIGHT, CTR_HOW_RDMA, CTR_HOW_PRIO,
	CTR_HOW_UNIFIED
};
struct ctr_set_info {
	const char *json;          /* "memory.limit": the path below linux.resources */
	enum ctr_set_type type;
	int64_t min;               /* I64 */
	uint64_t max;              /* I64 (as int64_t), U64, members of RATE, WEIGHT, PAGES, PRIO, RDMA */
	const char *controller;    /* v1's name: "memory", "cpuset", "blkio" ("io" on v2) */
	const char *v1, *v2;       /* files; NULL: none */
	enum ctr_set_how how;
	const char *sentence;      /* translation key */
};
extern const struct ctr_set_info ctr_set_infos[CTR_SET_COUNT];
/* The setting with this path ("cpu.quota"), or -ENOENT. */
int ctr_set_by_json(const char *json);

struct ctr_value {
	bool set;                  /* it stood in config.json */
	union {
		int64_t i;         /* I64 */
		uint64_t u;        /* U64 */
		bool b;
	};
	char *text;                /* TEXT; owned */
};
struct ctr_rate {
	enum ctr_setting which;    /* CTR_SET_IO_READ_BPS ... _WRITE_IOPS */
	int64_t major, minor;
	uint64_t rate;             /* bytes or operations a second; 0: no limit */
};
struct ctr_weight {
	int64_t major, minor;
	bool has_weight, has_leaf;
	uint16_t weight, leaf;     /* 10 to 1000 */
};
struct ctr_pages {
	char *size;                /* "2MB"; owned */
	uint64_t limit;            /* bytes */
};
struct ctr_prio {
	char *name;                /* interface; owned */
	uint32_t priority;
};
struct ctr_rdma {
	char *device;              /* owned */
	bool has_handles, has_objects;
	uint32_t handles, objects;
};
#define CTR_DEV_READ 1u
#define CTR_DEV_WRITE 2u
#define CTR_DEV_MKNOD 4u
#define CTR_DEV_ALL 7u
struct ctr_device_rule {
	bool allow;
	char type;                 /* 'a' all, 'c', 'b' */
	int64_t major, minor;      /* -1: any */
	unsigned access;           /* CTR_DEV_...; 0 is refused by ctr_resources_check */
};
struct ctr_unified {
	char *file, *value;        /* owned */
};

/* Zeroed is empty. Lists grow with rs_xrealloc; the strings are owned. */
struct ctr_resources {
	struct ctr_value v[CTR_SET_COUNT];
	struct ctr_rate *rate;
	struct ctr_weight *weight;
	struct ctr_pages *pages;
	struct ctr_prio *prio;
	struct ctr_rdma *rdma;
	struct ctr_device_rule *device;
	struct ctr_unified *unified;
	unsigned rates, weights, pageses, prios, rdmas, devices, unifieds;
};
void ctr_resources_release(struct ctr_resources *r);
/* What the parser need not know: that access is there, that a unified file is one of a group's own
 * files and is not asked for twice, a swap limit below the memory limit. The error names the setting.
 * 0 or -EINVAL. */
int ctr_resources_check(const struct ctr_resources *r, struct rs_err *err);
/* Does it ask for anything at all? Device rules count only when `devices`. */
bool ctr_resources_any(const struct ctr_resources *r, bool devices);

/* ---- what this machine has ---- */

enum ctr_layout { CTR_LAYOUT_NONE, CTR_LAYOUT_V1, CTR_LAYOUT_V2, CTR_LAYOUT_HYBRID };
const char *ctr_layout_name(enum ctr_layout l); /* "v1" */

#define CTR_HIERARCHIES 20
struct ctr_hierarchy {
	bool v2;
	char *controllers;         /* "cpu,cpuacct", "name=systemd"; of v2 what it offers: "memory,pids" */
	char *mount;               /* "/sys/fs/cgroup/memory" */
	char *mount_root;          /* which group of the hierarchy is mounted there; "/" but inside containers */
	char *own;                 /* this process's group, as /proc/self/cgroup says it */
};
struct ctr_cgroup_host {
	enum ctr_layout layout;
	struct ctr_hierarchy h[CTR_HIERARCHIES];
	unsigned n;
};
/* Reads /proc/self/mountinfo and /proc/self/cgroup. A machine without cgroups is layout NONE, no error. */
int ctr_cgroup_host_read(struct ctr_cgroup_host *host, struct rs_err *err);
/* The same of text; the controllers of v2 are left empty. For tests and the fuzzer. */
int ctr_cgroup_host_parse(const char *mountinfo, const char *self_cgroup, struct ctr_cgroup_host *host,
			  struct rs_err *err);
void ctr_cgroup_host_release(struct ctr_cgroup_host *host);
/* The hierarchy that has a controller (v1's name; "io" is found for "blkio"), or NULL. */
const struct ctr_hierarchy *ctr_cgroup_host_find(const struct ctr_cgroup_host *host, const char *controller);
/* May this process make groups below `own` of h? 0, or -EACCES, -EROFS, ... */
int ctr_hierarchy_writable(const struct ctr_hierarchy *h);

/* ---- one container's group ---- */

struct ctr_cgroup; /* its folders in every hierarchy */

struct ctr_cgroup_opts {
	/* linux.cgroupsPath: absolute is below each mount, relative below this process's own group (on v2
	 * beside it, since a group with processes cannot give controllers to groups below it). */
	const char *path;
	/* Where the host gives no right to make a group: false is an error, true a group that does not
	 * exist. What is asked of that one is not lost: its writes say why they did not happen. */
	bool if_possible;
	/* Called before a folder is made, with its absolute path: the owner's journal. May be NULL. */
	int (*will_make)(void *arg, const char *dir, struct rs_err *err);
	void *arg;
	struct rs_emitter *em;     /* events of cgroup.*; may be NULL */
	uint32_t actor;
};
/* Makes the group's folders, gives controllers down the way on v2, fills cpuset on v1. `r` says which
 * controllers are wanted on v2; NULL: all that there are. Nothing stays of a failure. The caller
 * frees. -EEXIST: there is such a group and it has processes. NULL on error. */
struct ctr_cgroup *ctr_cgroup_make(const struct ctr_cgroup_host *host, const struct ctr_cgroup_opts *o,
				   const struct ctr_resources *r, struct rs_err *err);
/* The group as text, for a state file, one line a folder; and back. */
void ctr_cgroup_save(const struct ctr_cgroup *cg, struct rs_str *out);
struct ctr_cgroup *ctr_cgroup_restore(const char *text, struct rs_err *err);
void ctr_cgroup_emit_to(struct ctr_cgroup *cg, struct rs_emitter *em, uint32_t actor);
void ctr_cgroup_free(struct ctr_cgroup *cg); /* the handle, not the group; NULL is fine */
/* Did the host let it be made at all? */
bool ctr_cgroup_exists(const struct ctr_cgroup *cg);
/* Absolute folder of a controller ("memory"; "" is v2's), or NULL. Owned by cg. */
const char *ctr_cgroup_dir(const struct ctr_cgroup *cg, const char *controller);

/* ---- enter ---- */

/* How a new process gets in. On v2 (also a hybrid host's) clone3 puts it there at birth. A v1
 * hierarchy is joined by the new process itself, which must have one thread: it writes "0" to `tasks`
 * through descriptors that were opened before it lost its rights. That way the kernel needs no grace
 * period, which costs 6-13 ms a hierarchy when somebody writes its pid to cgroup.procs
 * (kernel/cgroup/cgroup.c, cgroup_procs_write_start). */
struct ctr_cgroup_entry {
	int clone_fd;              /* for CLONE_INTO_CGROUP, or -1 */
	int tasks[CTR_HIERARCHIES]; /* O_CLOEXEC; of v1, and of v2 (cgroup.procs) when clone3 cannot do it */
	unsigned n;
};
/* clone_into: clone3 may be used with CLONE_INTO_CGROUP. */
int ctr_cgroup_entry_open(const struct ctr_cgroup *cg, bool clone_into, struct ctr_cgroup_entry *e, struct rs_err *err);
/* In the new process; only write(2), so it is safe after clone. 0 or negative errno with *which the
 * index in tasks[] that refused. */
int ctr_cgroup_entry_join(const struct ctr_cgroup_entry *e, unsigned *which);
void ctr_cgroup_entry_close(struct ctr_cgroup_entry *e);
/* Moves another process with all its threads. */
int ctr_cgroup_add(const struct ctr_cgroup *cg, pid_t pid, struct rs_err *err);

/* ---- limits ---- */

enum ctr_write_state {
	CTR_W_PLANNED,
	CTR_W_HELD,                /* written, and the kernel holds it */
	CTR_W_CHANGED,             /* written, and the kernel holds something else */
	CTR_W_REFUSED,             /* the kernel said no: `error` */
	CTR_W_NO_FILE,             /* this version or kernel has no such file */
	CTR_W_NO_CONTROLLER,       /* no hierarchy has the controller, or it is not given to the group */
	CTR_W_NO_RIGHT,            /* the group could not be made */
	CTR_W_NOTHING,             /* nothing to do: the kernel always does it, or the value says "leave it" */
};
const char *ctr_write_state_name(enum ctr_write_state s); /* "held" */
struct ctr_write {
	enum ctr_setting setting;
	const char *controller;    /* static */
	char *file;                /* absolute path, or NULL; owned like the rest */
	char *value;               /* what is written */
	char *asked;               /* as config.json said it: "memory.limit=33554432" */
	char *now;                 /* what the kernel holds, after ctr_cgroup_apply or _read_back; NULL: not known */
	const char *why;           /* translation key: how the value came about or why there is none; NULL: as asked */
	enum ctr_write_state state;
	int error;                 /* errno of REFUSED and NO_RIGHT */
};
struct ctr_plan {
	struct ctr_write *w;       /* in the order in which they are made */
	unsigned n;
};
/* Every setting that was asked for becomes at least one row, whether it can be done or not. */
void ctr_cgroup_plan(const struct ctr_cgroup *cg, const struct ctr_resources *r, struct ctr_plan *p);
/* Makes the writes and reads back. Each is an event (cgroup.set). A setting that the kernel refused or
 * that this machine has no file for is an error that names the setting, file, value, reason and
 * cure; those that were made before stay. With `lenient` such rows only say so in their state. */
int ctr_cgroup_apply(struct ctr_cgroup *cg, struct ctr_plan *p, bool lenient, struct rs_err *err);
/* Only reads what the kernel holds now, and sets the states. */
void ctr_cgroup_read_back(const struct ctr_cgroup *cg, struct ctr_plan *p);
void ctr_plan_release(struct ctr_plan *p);

/* The v2 device program for these rules, as struct bpf_insn of <linux/bpf.h>; the caller frees. */
struct bpf_insn;
struct bpf_insn *ctr_device_program(const struct ctr_device_rule *rule, unsigned n, unsigned *insns);
/* What that program answers, computed without the kernel: for the lesson and the tests. */
bool ctr_device_allowed(const struct ctr_device_rule *rule, unsigned n, char type, unsigned major, unsigned minor,
			unsigned access);

/* ---- while it runs ---- */

/* Returns when every process stands still (or runs again). -EOPNOTSUPP without a freezer. */
int ctr_cgroup_freeze(struct ctr_cgroup *cg, bool frozen, struct rs_err *err);
int ctr_cgroup_frozen(const struct ctr_cgroup *cg, bool *frozen, struct rs_err *err);
/* Sends sig to every process of the group and the groups below it, also to those that fork meanwhile:
 * SIGKILL through cgroup.kill, or with the group frozen. */
int ctr_cgroup_kill(struct ctr_cgroup *cg, int sig, struct rs_err *err);
/* Pids in the group and below, in this PID namespace. The caller frees. Count, or negative. */
int ctr_cgroup_pids(const struct ctr_cgroup *cg, pid_t **out, struct rs_err *err);
/* Kills what is left and removes the folders that make made. What is gone already is no error. */
int ctr_cgroup_delete(struct ctr_cgroup *cg, struct rs_err *err);

/* ---- accounting ---- */

#define CTR_NO_VALUE UINT64_MAX    /* this machine does not count it; also: no limit */
struct ctr_pressure {              /* PSI, microseconds in total (Documentation/accounting/psi.rst) */
	uint64_t some, full;
};
struct ctr_stats {
	struct {
		uint64_t usage_ns, user_ns, system_ns;
		uint64_t periods, throttled, throttled_ns;
		uint64_t quota_us, period_us;
	} cpu;
	struct {
		uint64_t current, peak, limit;
		uint64_t swap, swap_limit;
		uint64_t anon, file, kernel;
		uint64_t low, high, max, oom, oom_kill; /* memory.events; v1: max is failcnt */
	} memory;
	struct {
		uint64_t current, limit, refused;
	} pids;
	struct {
		uint64_t read_bytes, write_bytes, reads, writes;
	} io;
	struct ctr_pressure pressure_cpu, pressure_memory, pressure_io;
};
/* Fields that this machine does not count are CTR_NO_VALUE. Never fails: a group that is gone has none. */
void ctr_cgroup_stats(const struct ctr_cgroup *cg, struct ctr_stats *s);
/* Puts a snapshot into the counters (ctr.*), for which it is called ten times a second, and says
 * what became more since `before`: cgroup.oom, cgroup.throttle, cgroup.limit. */
void ctr_cgroup_report(const struct ctr_cgroup *cg, const struct ctr_stats *before, const struct ctr_stats *now,
		       struct rs_emitter *em);
/* A descriptor that becomes readable when the group runs out of memory (v1: an eventfd on
 * memory.oom_control; v2: an inotify on memory.events, which other changes of that file wake, too). The
 * caller closes. -EOPNOTSUPP where there is no memory controller. */
int ctr_cgroup_oom_fd(const struct ctr_cgroup *cg, struct rs_err *err);
/* Takes what the descriptor says, so that it can be polled again. */
void ctr_cgroup_oom_taken(int fd);

#endif
