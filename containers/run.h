/* One container, as the files of this folder share it. Private to containers/. */
#ifndef CONTAINERS_RUN_H
#define CONTAINERS_RUN_H

#include "containers/cgroup.h"
#include "containers/config.h"
#include "containers/ctr.h"
#include "containers/watch.h"

struct ctr_container {
	char *root, *id;
	char *dir;                  /* root/id */
	int dirfd;                  /* -1: not made */
	char *bundle;               /* absolute */
	char *rootfs;               /* absolute */
	struct ctr_config *cfg;
	bool own_cfg;
	struct ctr_options o;
	struct ctr_trace t;

	pid_t pid;                  /* 0: none yet */
	uint64_t start;             /* of the process, in clock ticks since boot; proc(5) */
	int pidfd;
	int wire;                   /* to the first process; -1 */
	int terminal;               /* the other end; -1 */
	bool child;                 /* the first process is a child of ours */
	bool reaped;
	int status;                 /* wait status, when reaped */
	bool created;               /* state.json is written */
	bool at_once;               /* the first process starts by itself (ctr_options) */

	struct ctr_cgroup_host host;
	struct ctr_cgroup *cg;      /* NULL: none */
	char created_at[80];
	unsigned owner;
};

/* What the first process works with: everything it inherits from the runtime's process. */
struct ctr_init {
	const struct ctr_container *c;
	const struct ctr_config *cfg;
	const struct ctr_process *p;
	struct ctr_trace t;
	struct rs_err *err;
	int listen;                 /* where `start` will call; -1: the wire stays */
	struct ctr_cgroup_entry entry;
	bool exec;                  /* a process that is added to a container that exists */
	bool say_pid;               /* it was born behind an intermediate process */
	bool at_once;               /* it does not wait for START */
	bool user_ns;               /* it lives in another user namespace than the runtime */
	int root;                   /* O_PATH of the new root, before pivot_root */
	int terminal;               /* its own end; -1 */
	int *idmap;                 /* for each mount with mapped ids a user namespace; NULL: none */
	char *program;              /* what is executed */
	struct sock_fprog *filter;  /* NULL: none */
	unsigned filter_flags;
	bool filter_notifies;
	const char *preserve;       /* LISTEN_FDS */
};

/* ---- resolve.c: paths inside a root that somebody else wrote ---- */

/* Opens `path` as it is inside the folder `root`: symbolic links, also absolute ones, and ".." never lead
 * out. flags as for open(2). A descriptor, or negative errno. */
int ctr_resolve(int root, const char *path, int flags);
/* The same, and what is missing is made: folders, and at the end a folder or an empty file. O_PATH. */
int ctr_resolve_make(int root, const char *path, bool folder, mode_t mode);
/* The folder that `path` lies in (made when it is missing), and in *name its last part, which the caller
 * frees. */
int ctr_resolve_parent(int root, const char *path, char **name);

/* ---- ns.c, idmap.c ---- */
/* clone3(2), or clone(2) where there is none. As fork: 0 in the child. cgroup_fd -1: no
 * CLONE_INTO_CGROUP. *pidfd may be NULL. */
pid_t ctr_clone(struct ctr_trace *t, uint64_t flags, int cgroup_fd, int *pidfd);
uint64_t ctr_ns_flags(const struct ctr_config *cfg); /* of the new namespaces, for clone */
/* Does the first process have to be born behind an intermediate one that joins namespaces? */
bool ctr_ns_join_first(const struct ctr_config *cfg);
int ctr_ns_join(struct ctr_trace *t, const struct ctr_config *cfg, bool before_clone, struct rs_err *err);
int ctr_ns_time(struct ctr_init *in);
int ctr_ns_loopback(struct ctr_init *in);
int ctr_idmap_write(struct ctr_trace *t, const struct ctr_config *cfg, pid_t pid, struct rs_err *err);

/* ---- rootfs.c, mounts.c, devices.c, paths.c ---- */
int ctr_root_propagation(struct ctr_init *in);
int ctr_root_bind(struct ctr_init *in);
int ctr_root_pivot(struct ctr_init *in);
int ctr_root_attr(struct ctr_init *in);
int ctr_mounts(struct ctr_init *in);
/* Before the first process is born, and when it was: the user namespaces of id-mapped mounts. */
int ctr_mount_idmap_prepare(struct ctr_init *in);
void ctr_mount_idmap_done(struct ctr_init *in);
int ctr_devices(struct ctr_init *in);
int ctr_paths_readonly(struct ctr_init *in);
int ctr_paths_masked(struct ctr_init *in);
int ctr_sysctl(struct ctr_init *in);
/* Changes the flags of a bind mount at `path`, which fd is open on; those that the host locked stay
 * (mount_namespaces(7)). 0 or negative errno. */
int ctr_mount_flags(struct ctr_trace *t, int fd, const char *path, unsigned long flags);
/* The flags (MS_...) that the mount has now. */
unsigned long ctr_mount_kept(int fd);
/* mount(2) on an open descriptor. */
int ctr_mount_at(struct ctr_trace *t, const char *source, int target, const char *type, unsigned long flags,
		 const char *data);

/* ---- process.c, caps.c, seccomp.c, terminal.c, hooks.c ---- */
int ctr_identity(struct ctr_init *in);
int ctr_process_attributes(struct ctr_init *in);
/* process.execCPUAffinity: NULL or "" changes nothing. */
int ctr_process_cpus(struct ctr_init *in, const char *list, const char *place);
int ctr_process_user(struct ctr_init *in);
/* pid 0: of the caller. */
int ctr_process_rlimits(struct ctr_trace *t, const struct ctr_process *p, pid_t pid, struct rs_err *err);
int ctr_process_oom(struct ctr_trace *t, const struct ctr_process *p, pid_t pid, struct rs_err *err);
int ctr_process_env(struct ctr_init *in, char ***env); /* the program's environment */
int ctr_process_find(struct ctr_init *in);             /* sets in->program */
int ctr_process_exec(struct ctr_init *in);             /* returns only on failure */
int ctr_process_cwd(struct ctr_init *in);
/* Names that no capability has are left out with a warning (config.md, "Linux Process"). */
void ctr_caps_warn(struct ctr_trace *t, const struct ctr_process *p);
int ctr_caps_bounding(struct ctr_init *in);
int ctr_caps_set(struct ctr_init *in, bool last);
/* Compiles linux.seccomp into in->filter. */
int ctr_seccomp_compile(struct ctr_init *in);
int ctr_seccomp_load(struct ctr_init *in);
/* Sends the listener's descriptor to listenerPath, with the container's state. */
int ctr_seccomp_send(struct ctr_container *c, int fd, struct rs_err *err);
int ctr_terminal_make(struct ctr_init *in);
int ctr_terminal_take(struct ctr_init *in);            /* becomes 0, 1, 2 and the controlling one */
int ctr_terminal_send(const char *socket, int fd, struct rs_err *err);
/* Runs the hooks of one kind in order. `status` is what the state on their stdin says. */
int ctr_hooks(struct ctr_trace *t, const struct ctr_config *cfg, enum ctr_hook_kind kind, enum ctr_step step,
	      const char *state, struct rs_err *err);

/* ---- init.c ---- */
/* The first process: never returns. */
_Noreturn void ctr_init(struct ctr_init *in, int wire);
/* From CREATED to the program. */
_Noreturn void ctr_init_start(struct ctr_init *in);

/* ---- state.c ---- */
int ctr_state_make(struct ctr_container *c, struct rs_err *err);   /* the folder */
int ctr_state_cgroup(struct ctr_container *c, struct rs_err *err);
bool ctr_alive(const struct ctr_container *c);
int ctr_state_write(struct ctr_container *c, struct rs_err *err);  /* state.json */
int ctr_state_remove(struct ctr_container *c, struct rs_err *err);
int ctr_state_listen(struct ctr_container *c, struct rs_err *err); /* the socket that `start` calls; a descriptor */
int ctr_state_call(struct ctr_container *c, struct rs_err *err);
void ctr_state_started(struct ctr_container *c);
void ctr_state_text(const struct ctr_container *c, enum ctr_status status, bool inside, struct rs_str *out);
void ctr_now_text(char *buf, size_t size);                          /* "2026-01-31T12:00:00.123456789Z" */
void ctr_json_quote(struct rs_str *out, const char *s);
int ctr_proc_start(pid_t pid, uint64_t *start, char *state);       /* or -ESRCH */

/* ---- ops.c ---- */
/* Removes the groups and the folder; the processes are gone. */
int ctr_destroy(struct ctr_container *c, struct rs_err *err);

/* ---- create.c ---- */
/* ctr_clone into the groups of in->entry, or, where clone3 cannot do it, beside them. */
pid_t ctr_clone_in(struct ctr_container *c, struct ctr_init *in, uint64_t flags, int *pidfd);
void ctr_reaped(struct ctr_container *c); /* somebody else has taken its end */
int ctr_pid_file(const char *path, pid_t pid, struct rs_err *err); /* path NULL: nothing */
/* GO, or STOP when rc is not 0. */
int ctr_wire_answer(struct ctr_container *c, int rc);
/* Takes messages of the first process until `until` (then 0) or its end or failure. */
int ctr_serve(struct ctr_container *c, unsigned until, struct rs_err *err);

#endif
