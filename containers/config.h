/* What config.json says, as a struct (config.md, config-linux.md). Made by config.c from the table of
 * fields in config_fields.c. Lists are arrays with a count; a number that may be absent has `set`.
 * Private to containers/.
 */
#ifndef CONTAINERS_CONFIG_H
#define CONTAINERS_CONFIG_H

#include "containers/cgroup.h"
#include "containers/ctr.h"
#include "containers/words.h"

struct ctr_opt_num {     /* signed and unsigned: which one the field's row says */
	bool set;
	union {
		int64_t i;
		uint64_t u;
	};
};
struct ctr_strings {
	char **v;        /* NULL-terminated when n > 0 or not NULL */
	unsigned n;
};
struct ctr_numbers {
	uint64_t *v;
	unsigned n;
};
struct ctr_pair {
	char *key, *value;
};
struct ctr_pairs {
	struct ctr_pair *v;
	unsigned n;
};

struct ctr_idmap {
	uint64_t container, host, size;
};
struct ctr_idmaps {
	struct ctr_idmap *v;
	unsigned n;
};

struct ctr_mount {
	char *destination, *source, *type;
	struct ctr_strings options;
	struct ctr_idmaps uids, gids;
	/* made of the options */
	uint64_t flags, cleared;         /* MS_..., and those that were asked to be off */
	uint64_t propagation[4];         /* MS_SHARED [| MS_REC], ... in the order given */
	unsigned propagations;
	uint64_t rec_set, rec_clear;     /* MOUNT_ATTR_... */
	unsigned ext;                    /* CTR_EXT_... */
	char *data;                      /* what belongs to the file system; NULL: nothing */
};

struct ctr_hook {
	char *path;
	struct ctr_strings args, env;
	struct ctr_opt_num timeout;      /* seconds */
};
struct ctr_hook_list {
	struct ctr_hook *v;
	unsigned n;
};

struct ctr_rlimit {
	uint64_t type, soft, hard;
};
struct ctr_capset {              /* one bit a capability */
	bool set;
	uint64_t bits;
};
struct ctr_process {
	bool set;                        /* config.json has a process */
	bool terminal, no_new_privs;
	struct ctr_opt_num height, width;
	char *cwd;
	struct ctr_strings args, env;
	struct ctr_opt_num uid, gid, umask;
	struct ctr_numbers gids;
	bool caps_set;                   /* there is a capabilities object */
	struct ctr_capset bounding, permitted, inheritable, effective, ambient;
	struct ctr_strings caps_unknown; /* to be warned about */
	struct {
		struct ctr_rlimit *v;
		unsigned n;
	} rlimits;
	char *apparmor, *selinux;
	struct ctr_opt_num oom_score_adj;
	struct {
		bool set;
		uint64_t policy, flags;
		struct ctr_opt_num nice, priority, runtime, deadline, period;
	} sched;
	struct {
		bool set;
		uint64_t klass;
		struct ctr_opt_num priority;
	} ioprio;
	char *cpus_initial, *cpus_final; /* execCPUAffinity */
};

struct ctr_namespace {
	uint64_t type;                   /* enum ctr_ns */
	char *path;
};

struct ctr_device {
	char *type, *path;
	struct ctr_opt_num major, minor, mode, uid, gid;
};

struct ctr_seccomp_arg {
	uint64_t index, value, value_two, op;
};
struct ctr_seccomp_rule {
	struct ctr_strings names;
	uint64_t action;
	struct ctr_opt_num errno_ret;
	struct ctr_seccomp_arg *args;
	unsigned n_args;
};
struct ctr_seccomp {
	bool set;
	uint64_t default_action;
	struct ctr_opt_num default_errno;
	struct ctr_numbers archs;
	uint64_t flags;
	char *listener_path, *listener_metadata;
	struct ctr_seccomp_rule *rules;
	unsigned n_rules;
};

struct ctr_time_offset {
	struct ctr_opt_num secs, nanosecs;
};
struct ctr_netdev {
	char *host, *name;               /* name NULL: as on the host */
};

struct ctr_config {
	char *version;
	char *text;                      /* the file itself, for places and for the container's folder */
	size_t text_len;
	char *file;                      /* its path */

	struct ctr_process process;
	struct {
		bool set, readonly;
		char *path;
	} root;
	char *hostname, *domainname;
	struct {
		struct ctr_mount *v;
		unsigned n;
	} mounts;
	struct ctr_hook_list hooks[CTR_HOOKS];
	struct ctr_pairs annotations;

	struct {
		struct ctr_namespace *v;
		unsigned n;
	} namespaces;
	const struct ctr_namespace *ns[CTR_NAMESPACES]; /* by type; NULL: the runtime's own */
	struct ctr_idmaps uids, gids;
	struct ctr_time_offset monotonic, boottime;
	struct {
		struct ctr_device *v;
		unsigned n;
	} devices;
	struct {
		struct ctr_netdev *v;
		unsigned n;
	} netdevs;
	char *cgroups_path;
	bool resources_set;
	struct ctr_resources resources;
	struct ctr_pairs sysctl;
	struct ctr_seccomp seccomp;
	struct ctr_opt_num propagation;  /* MS_...; of the root */
	struct ctr_strings masked, readonly;
	char *mount_label;
	struct {
		bool set;
		uint64_t domain;
		struct ctr_strings flags;
	} personality;
	struct {
		bool set;
		uint64_t mode, flags;
		char *nodes;
	} mempolicy;
	bool rdt_set;
};

/* Is this namespace new for the container? */
static inline bool ctr_ns_new(const struct ctr_config *c, enum ctr_ns ns)
{
	return c->ns[ns] && !c->ns[ns]->path;
}

/* A `process` object alone, as exec --process has it. */
int ctr_process_parse(const char *text, size_t n, const char *name, struct ctr_process *p, struct rs_err *err);
void ctr_process_release(struct ctr_process *p);
/* linux.resources alone, as update --resources has it. */
int ctr_resources_parse(const char *text, size_t n, const char *name, struct ctr_resources *r,
			struct rs_err *err);

/* Line and column of what stands at a JSON path ("mounts[3].options[0]"), the nearest that exists; 0, 0
 * when the text has none. */
void ctr_config_place(const char *text, size_t n, const char *path, int *line, int *col);

#endif
