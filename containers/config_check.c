/* Which values of config.json fit together (the MUSTs of config.md and config-linux.md that name more
 * than one property), and which the kernel could never take. */
#include "containers/config_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

/* One check at a path: the path is taken off again whatever comes out. */
#define AT(p, key, call)                                                                           \
	({                                                                                         \
		size_t at_mark_ = ctr_path_key(p, key);                                            \
		int at_rc_ = (call);                                                               \
		ctr_path_cut(p, at_mark_);                                                         \
		at_rc_;                                                                            \
	})
#define EACH(p, key, list, call)                                                                   \
	for (unsigned i = 0; i < (list).n; i++) {                                                  \
		size_t each_mark_ = ctr_path_key(p, key);                                          \
		int each_rc_;                                                                      \
		ctr_path_index(p, i);                                                              \
		each_rc_ = (call);                                                                 \
		ctr_path_cut(p, each_mark_);                                                       \
		if (each_rc_)                                                                      \
			return each_rc_;                                                           \
	}

static int absolute(struct ctr_parse *p, const char *path)
{
	return path && *path == '/' ? 0 : CTR_BAD(p, N_("%s: must be an absolute path, not \"%.200s\""),
						     path ? path : "");
}

/* SemVer 2.0.0: MAJOR.MINOR.PATCH and what may follow. */
static int version(struct ctr_parse *p, const char *s)
{
	const char *at = s;

	for (unsigned part = 0; part < 3; part++) {
		size_t digits = strspn(at, "0123456789");

		if (!digits || (digits > 1 && *at == '0') || (part < 2 && at[digits] != '.'))
			return CTR_BAD(p, N_("%s: \"%.50s\" is no version such as 1.2.0"), s);
		at += digits + (part < 2);
	}
	if (*at && *at != '-' && *at != '+')
		return CTR_BAD(p, N_("%s: \"%.50s\" is no version such as 1.2.0"), s);
	if (strncmp(s, "1.", 2) != 0)
		return CTR_BAD(p, N_("%s: version %.50s is not supported; this is a runtime for 1.x"), s);
	return 0;
}

static int rlimit(struct ctr_parse *p, const struct ctr_process *proc, unsigned i)
{
	const struct ctr_rlimit *r = &proc->rlimits.v[i];

	for (unsigned k = 0; k < i; k++)
		if (proc->rlimits.v[k].type == r->type)
			return CTR_BAD(p, N_("%s: %s is there twice"), ctr_word_of(ctr_words_rlimit, r->type));
	if (r->soft > r->hard)
		return CTR_BAD(p, N_("%s: soft is above hard"));
	return 0;
}

int ctr_process_check(struct ctr_parse *p, const struct ctr_process *proc)
{
	int rc = AT(p, "cwd", absolute(p, proc->cwd));

	if (rc)
		return rc;
	if (proc->args.v && !proc->args.n)
		return AT(p, "args", CTR_BAD(p, N_("%s: needs at least the program's name")));
	EACH(p, "env", proc->env, strchr(proc->env.v[i], '=') && proc->env.v[i][0] != '=' ? 0 :
			CTR_BAD(p, N_("%s: must look like NAME=value")));
	EACH(p, "rlimits", proc->rlimits, rlimit(p, proc, i));
	if (proc->sched.set) {
		uint64_t policy = proc->sched.policy;
		bool rt = policy == 1 || policy == 2, deadline = policy == 6;

		if (proc->sched.priority.set && proc->sched.priority.i && !rt)
			return AT(p, "scheduler", CTR_BAD(p, N_("%s: a priority is for SCHED_FIFO and SCHED_RR")));
		if (deadline && !(proc->sched.runtime.u && proc->sched.period.u))
			return AT(p, "scheduler", CTR_BAD(p, N_("%s: SCHED_DEADLINE needs runtime and period")));
	}
	return 0;
}

static int namespace(struct ctr_parse *p, struct ctr_config *c, unsigned i)
{
	const struct ctr_namespace *n = &c->namespaces.v[i];

	if (c->ns[n->type])
		return CTR_BAD(p, N_("%s: a namespace of type \"%s\" is there twice"), ctr_ns_infos[n->type].word);
	c->ns[n->type] = n;
	if (n->path && !*n->path) { /* "" is what some writers leave for none */
		free(c->namespaces.v[i].path);
		c->namespaces.v[i].path = NULL;
	}
	return n->path ? AT(p, "path", absolute(p, n->path)) : 0;
}

static int ids(struct ctr_parse *p, const struct ctr_idmaps *maps, unsigned i)
{
	const struct ctr_idmap *m = &maps->v[i];

	if (m->size == 0)
		return CTR_BAD(p, N_("%s: a size of 0 maps nothing"));
	if (m->container + m->size > UINT32_MAX || m->host + m->size > UINT32_MAX)
		return CTR_BAD(p, N_("%s: there are no ids that high"));
	return 0;
}

static int id_maps(struct ctr_parse *p, const struct ctr_config *c)
{
	bool user = ctr_ns_new(c, CTR_NS_USER);

	EACH(p, "linux.uidMappings", c->uids, ids(p, &c->uids, i));
	EACH(p, "linux.gidMappings", c->gids, ids(p, &c->gids, i));
	if (user && !c->uids.n)
		return AT(p, "linux.uidMappings", CTR_BAD(p, N_("%s: a new user namespace without mappings has no users")));
	if (user && !c->gids.n)
		return AT(p, "linux.gidMappings", CTR_BAD(p, N_("%s: a new user namespace without mappings has no users")));
	if (c->uids.n && !c->ns[CTR_NS_USER])
		return AT(p, "linux.uidMappings", CTR_BAD(p, N_("%s: needs a namespace of type \"%s\" in linux.namespaces"), "user"));
	return 0;
}

static int mount_entry(struct ctr_parse *p, const struct ctr_config *c, struct ctr_mount *m)
{
	int rc;

	if (!*m->destination)
		return AT(p, "destination", CTR_BAD(p, N_("%s: must not be empty")));
	rc = ctr_mount_options(p, m);
	if (rc)
		return rc;
	if ((m->ext & CTR_EXT_IDMAP) && !m->uids.n && !c->uids.n)
		return AT(p, "options", CTR_BAD(p, N_("%s: idmap without mappings needs a user namespace to take them from")));
	return 0;
}

static int device(struct ctr_parse *p, const struct ctr_device *d)
{
	if (strlen(d->type) != 1 || !strchr("cbup", *d->type))
		return AT(p, "type", CTR_BAD(p, N_("%s: \"%.100s\" is not one of %s"), d->type, "c, b, u, p"));
	if (*d->type != 'p' && !(d->major.set && d->minor.set))
		return CTR_BAD(p, N_("%s: a device of this type needs major and minor"));
	return AT(p, "path", absolute(p, d->path));
}

/* Which namespace a kernel parameter belongs to; CTR_NAMESPACES: to the whole machine. */
static enum ctr_ns sysctl_ns(const char *key)
{
	static const struct {
		const char *prefix;
		enum ctr_ns ns;
	} rows[] = {
		{ "net.", CTR_NS_NETWORK },         { "fs.mqueue.", CTR_NS_IPC },
		{ "kernel.shm", CTR_NS_IPC },       { "kernel.msg", CTR_NS_IPC },
		{ "kernel.sem", CTR_NS_IPC },       { "kernel.auto_msgmni", CTR_NS_IPC },
		{ "kernel.hostname", CTR_NS_UTS },  { "kernel.domainname", CTR_NS_UTS },
		{ "user.", CTR_NS_USER },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strncmp(key, rows[i].prefix, strlen(rows[i].prefix)) == 0)
			return rows[i].ns;
	return CTR_NAMESPACES;
}

static int sysctl(struct ctr_parse *p, const struct ctr_config *c, const char *key)
{
	rs_auto_str dotted = RS_STR_INIT;
	enum ctr_ns ns;

	for (const char *k = key; *k; k++) /* sysctl(8): both are separators */
		rs_str_addc(&dotted, *k == '/' ? '.' : *k);
	if (strstr(dotted.p, "..") || *dotted.p == '.' || !*dotted.p)
		return CTR_BAD(p, N_("%s: no name of a kernel parameter"));
	ns = sysctl_ns(dotted.p);
	if (ns == CTR_NAMESPACES)
		return CTR_BAD(p, N_("%s: this kernel parameter belongs to no namespace; setting it would change the host"));
	if (!c->ns[ns])
		return CTR_BAD(p, N_("%s: needs a namespace of type \"%s\" in linux.namespaces"), ctr_ns_infos[ns].word);
	return 0;
}

static int seccomp_rule(struct ctr_parse *p, const struct ctr_seccomp_rule *r)
{
	const char *action = ctr_word_of(ctr_words_seccomp_action, r->action);

	if (!r->names.n)
		return AT(p, "names", CTR_BAD(p, N_("%s: needs at least one name")));
	if (r->errno_ret.set && strcmp(action, "SCMP_ACT_ERRNO") != 0 && strcmp(action, "SCMP_ACT_TRACE") != 0)
		return AT(p, "errnoRet", CTR_BAD(p, N_("%s: %s takes no error number"), action));
	return 0;
}

static int seccomp(struct ctr_parse *p, const struct ctr_seccomp *s)
{
	const char *action = ctr_word_of(ctr_words_seccomp_action, s->default_action);

	if (s->default_errno.set && strcmp(action, "SCMP_ACT_ERRNO") != 0 && strcmp(action, "SCMP_ACT_TRACE") != 0)
		return AT(p, "linux.seccomp.defaultErrnoRet", CTR_BAD(p, N_("%s: %s takes no error number"), action));
	if (strcmp(action, "SCMP_ACT_NOTIFY") == 0)
		return AT(p, "linux.seccomp.defaultAction", CTR_BAD(p, N_("%s: SCMP_ACT_NOTIFY for every call would stop the runtime itself")));
	if (s->listener_metadata && !s->listener_path)
		return AT(p, "linux.seccomp.listenerMetadata", CTR_BAD(p, N_("%s: needs listenerPath")));
	for (unsigned i = 0; i < s->n_rules; i++) {
		size_t mark = ctr_path_key(p, "linux.seccomp.syscalls");
		int rc;

		ctr_path_index(p, i);
		rc = seccomp_rule(p, &s->rules[i]);
		ctr_path_cut(p, mark);
		if (rc)
			return rc;
	}
	return 0;
}

static int hooks(struct ctr_parse *p, const struct ctr_config *c)
{
	for (unsigned k = 0; k < CTR_HOOKS; k++) {
		rs_auto_str key = RS_STR_INIT;

		rs_str_addf(&key, "hooks.%s", ctr_words_hook[k].word);
		EACH(p, key.p, c->hooks[k], AT(p, "path", absolute(p, c->hooks[k].v[i].path)));
	}
	return 0;
}

/* Properties that need a namespace of the container's own. */
static int needs_ns(struct ctr_parse *p, const struct ctr_config *c)
{
	const struct {
		const char *key;
		bool there;
		enum ctr_ns ns;
		bool new; /* a joined one will not do */
	} rows[] = {
		{ "hostname", c->hostname != NULL, CTR_NS_UTS, false },
		{ "domainname", c->domainname != NULL, CTR_NS_UTS, false },
		{ "mounts", c->mounts.n > 0, CTR_NS_MOUNT, false },
		{ "linux.maskedPaths", c->masked.n > 0, CTR_NS_MOUNT, false },
		{ "linux.readonlyPaths", c->readonly.n > 0, CTR_NS_MOUNT, false },
		{ "linux.rootfsPropagation", c->propagation.set, CTR_NS_MOUNT, false },
		{ "linux.netDevices", c->netdevs.n > 0, CTR_NS_NETWORK, false },
		{ "linux.timeOffsets", c->monotonic.secs.set || c->monotonic.nanosecs.set || c->boottime.secs.set ||
			c->boottime.nanosecs.set, CTR_NS_TIME, true },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].there && (rows[i].new ? !ctr_ns_new(c, rows[i].ns) : !c->ns[rows[i].ns]))
			return AT(p, rows[i].key,
				  CTR_BAD(p, N_("%s: needs a namespace of type \"%s\" in linux.namespaces"),
					  ctr_ns_infos[rows[i].ns].word));
	return 0;
}

static int mempolicy(struct ctr_parse *p, const struct ctr_config *c)
{
	bool none = c->mempolicy.mode == 0 || c->mempolicy.mode == 4; /* MPOL_DEFAULT, MPOL_LOCAL */
	bool nodes = c->mempolicy.nodes && *c->mempolicy.nodes;

	if (none && nodes)
		return CTR_BAD(p, N_("%s: this mode takes no nodes"));
	if (!none && !nodes && c->mempolicy.mode != 1) /* MPOL_PREFERRED without nodes is MPOL_LOCAL */
		return CTR_BAD(p, N_("%s: this mode needs nodes"));
	return 0;
}

/* Where devices are restricted, those that every container has stay usable (config-linux.md, "Default
 * Devices"), and nodes may be made: making one is not opening it. As runc and crun do it. */
static void default_devices(struct ctr_resources *r)
{
	static const struct ctr_device_rule rows[] = {
		{ true, 'c', -1, -1, CTR_DEV_MKNOD }, { true, 'b', -1, -1, CTR_DEV_MKNOD },
		{ true, 'c', 1, 3, CTR_DEV_ALL },     { true, 'c', 1, 5, CTR_DEV_ALL },
		{ true, 'c', 1, 7, CTR_DEV_ALL },     { true, 'c', 1, 8, CTR_DEV_ALL },
		{ true, 'c', 1, 9, CTR_DEV_ALL },     { true, 'c', 5, 0, CTR_DEV_ALL },
		{ true, 'c', 5, 1, CTR_DEV_ALL },     { true, 'c', 5, 2, CTR_DEV_ALL },
		{ true, 'c', 136, -1, CTR_DEV_ALL },
	};
	unsigned n = sizeof(rows) / sizeof(rows[0]);

	if (!r->devices)
		return;
	r->device = rs_xrealloc(r->device, r->devices + n, sizeof(*r->device));
	memcpy(r->device + r->devices, rows, sizeof(rows));
	r->devices += n;
}

int ctr_config_check(struct ctr_parse *p, struct ctr_config *c)
{
	int rc = AT(p, "ociVersion", version(p, c->version));

	if (rc)
		return rc;
	if (!c->root.set)
		return AT(p, "root", CTR_BAD(p, N_("%s: is missing")));
	if (!*c->root.path)
		return AT(p, "root.path", CTR_BAD(p, N_("%s: must not be empty")));
	if (c->process.set)
		rc = AT(p, "process", ctr_process_check(p, &c->process));
	if (rc)
		return rc;
	EACH(p, "linux.namespaces", c->namespaces, namespace(p, c, i));
	rc = id_maps(p, c);
	if (rc == 0)
		rc = needs_ns(p, c);
	if (rc)
		return rc;
	EACH(p, "mounts", c->mounts, mount_entry(p, c, &c->mounts.v[i]));
	EACH(p, "linux.devices", c->devices, device(p, &c->devices.v[i]));
	EACH(p, "linux.maskedPaths", c->masked, absolute(p, c->masked.v[i]));
	EACH(p, "linux.readonlyPaths", c->readonly, absolute(p, c->readonly.v[i]));
	for (unsigned i = 0; i < c->sysctl.n; i++) {
		rs_auto_str key = RS_STR_INIT;

		rs_str_addf(&key, "linux.sysctl.%s", c->sysctl.v[i].key);
		rc = AT(p, key.p, sysctl(p, c, c->sysctl.v[i].key));
		if (rc)
			return rc;
	}
	if (c->seccomp.set)
		rc = seccomp(p, &c->seccomp);
	if (rc == 0)
		rc = hooks(p, c);
	if (rc == 0 && c->personality.set && c->personality.flags.n)
		rc = AT(p, "linux.personality.flags", CTR_BAD(p, N_("%s: no flags are defined")));
	if (rc == 0 && c->mempolicy.set)
		rc = AT(p, "linux.memoryPolicy", mempolicy(p, c));
	if (rc == 0 && c->rdt_set)
		rc = AT(p, "linux.intelRdt", CTR_BAD(p, N_("%s: cache and memory bandwidth allocation is not supported")));
	if (rc == 0 && c->netdevs.n)
		rc = AT(p, "linux.netDevices", CTR_BAD(p, N_("%s: moving the host's network devices is not supported")));
	if (rc == 0 && c->resources_set)
		rc = ctr_resources_check(&c->resources, p->err);
	if (rc == 0)
		default_devices(&c->resources);
	return rc;
}
