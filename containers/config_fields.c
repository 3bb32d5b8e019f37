/* Every property of config.json that a Linux container has (config.md, config-linux.md; the JSON
 * schema of runtime-spec 1.2), once. What is not here is ignored, as config.md asks.
 */
#include "containers/config_fields.h"

#include <limits.h>
#include <stddef.h>

#define AT(type, field) .off = offsetof(struct type, field)
#define STR(key, type, field) { key, CTR_F_STR, AT(type, field) }
#define NEED_STR(key, type, field) { key, CTR_F_STR, AT(type, field), .required = true }
#define BOOL(key, type, field) { key, CTR_F_BOOL, AT(type, field) }
#define STRINGS(key, type, field) { key, CTR_F_STRINGS, AT(type, field) }
#define UINT(key, type, field, most) { key, CTR_F_UINT, AT(type, field), .max = most }
#define INT(key, type, field, least, most) { key, CTR_F_INT, AT(type, field), .min = least, .max = most }
#define LIST(key, type, field, element, fields)                                                    \
	{ key, CTR_F_LIST, AT(type, field.v), .off2 = offsetof(struct type, field.n),              \
	  .size = sizeof(struct element), .sub = fields }
#define END { 0 }

static const struct ctr_field idmap[] = {
	{ "containerID", CTR_F_U64, AT(ctr_idmap, container), .required = true, .max = UINT32_MAX },
	{ "hostID", CTR_F_U64, AT(ctr_idmap, host), .required = true, .max = UINT32_MAX },
	{ "size", CTR_F_U64, AT(ctr_idmap, size), .required = true, .max = UINT32_MAX },
	END,
};

static const struct ctr_field mount[] = {
	NEED_STR("destination", ctr_mount, destination),
	STR("source", ctr_mount, source),
	STR("type", ctr_mount, type),
	STRINGS("options", ctr_mount, options),
	LIST("uidMappings", ctr_mount, uids, ctr_idmap, idmap),
	LIST("gidMappings", ctr_mount, gids, ctr_idmap, idmap),
	END,
};

static const struct ctr_field hook[] = {
	NEED_STR("path", ctr_hook, path),
	STRINGS("args", ctr_hook, args),
	STRINGS("env", ctr_hook, env),
	INT("timeout", ctr_hook, timeout, 1, INT_MAX),
	END,
};
/* sub-objects lie at the offset of their parent where they are no struct of their own */
static const struct ctr_field hooks[] = {
#define CTR_HOOK(id, word) LIST(#word, ctr_config, hooks[CTR_HOOK_##id], ctr_hook, hook),
#include "containers/words.def"
	END,
};

static const struct ctr_field console_size[] = {
	{ "height", CTR_F_UINT, AT(ctr_process, height), .required = true, .max = USHRT_MAX },
	{ "width", CTR_F_UINT, AT(ctr_process, width), .required = true, .max = USHRT_MAX },
	END,
};
static const struct ctr_field user[] = {
	UINT("uid", ctr_process, uid, UINT32_MAX - 1),
	UINT("gid", ctr_process, gid, UINT32_MAX - 1),
	UINT("umask", ctr_process, umask, 07777),
	{ "additionalGids", CTR_F_NUMBERS, AT(ctr_process, gids), .max = UINT32_MAX - 1 },
	END,
};
static const struct ctr_field capabilities[] = {
	{ "bounding", CTR_F_CAPS, AT(ctr_process, bounding) },
	{ "permitted", CTR_F_CAPS, AT(ctr_process, permitted) },
	{ "inheritable", CTR_F_CAPS, AT(ctr_process, inheritable) },
	{ "effective", CTR_F_CAPS, AT(ctr_process, effective) },
	{ "ambient", CTR_F_CAPS, AT(ctr_process, ambient) },
	END,
};
static const struct ctr_field rlimit[] = {
	{ "type", CTR_F_WORD, AT(ctr_rlimit, type), .required = true, .words = ctr_words_rlimit },
	{ "soft", CTR_F_U64, AT(ctr_rlimit, soft), .required = true, .max = UINT64_MAX },
	{ "hard", CTR_F_U64, AT(ctr_rlimit, hard), .required = true, .max = UINT64_MAX },
	END,
};
static const struct ctr_field scheduler[] = {
	{ "policy", CTR_F_WORD, AT(ctr_process, sched.policy), .required = true,
	  .words = ctr_words_sched_policy },
	INT("nice", ctr_process, sched.nice, -20, 19),
	INT("priority", ctr_process, sched.priority, 0, 99),
	{ "flags", CTR_F_WORDS, AT(ctr_process, sched.flags), .words = ctr_words_sched_flag },
	UINT("runtime", ctr_process, sched.runtime, UINT64_MAX),
	UINT("deadline", ctr_process, sched.deadline, UINT64_MAX),
	UINT("period", ctr_process, sched.period, UINT64_MAX),
	END,
};
static const struct ctr_field ioprio[] = {
	{ "class", CTR_F_WORD, AT(ctr_process, ioprio.klass), .required = true, .words = ctr_words_ioprio },
	INT("priority", ctr_process, ioprio.priority, 0, 7),
	END,
};
static const struct ctr_field affinity[] = {
	STR("initial", ctr_process, cpus_initial),
	STR("final", ctr_process, cpus_final),
	END,
};
const struct ctr_field ctr_fields_process[] = {
	BOOL("terminal", ctr_process, terminal),
	{ "consoleSize", CTR_F_OBJECT, .sub = console_size },
	NEED_STR("cwd", ctr_process, cwd),
	STRINGS("env", ctr_process, env),
	STRINGS("args", ctr_process, args),
	{ "user", CTR_F_OBJECT, .sub = user },
	{ "capabilities", CTR_F_OBJECT, .off2 = offsetof(struct ctr_process, caps_set), .sub = capabilities },
	LIST("rlimits", ctr_process, rlimits, ctr_rlimit, rlimit),
	BOOL("noNewPrivileges", ctr_process, no_new_privs),
	STR("apparmorProfile", ctr_process, apparmor),
	STR("selinuxLabel", ctr_process, selinux),
	INT("oomScoreAdj", ctr_process, oom_score_adj, -1000, 1000),
	{ "scheduler", CTR_F_OBJECT, .off2 = offsetof(struct ctr_process, sched.set), .sub = scheduler },
	{ "ioPriority", CTR_F_OBJECT, .off2 = offsetof(struct ctr_process, ioprio.set), .sub = ioprio },
	{ "execCPUAffinity", CTR_F_OBJECT, .sub = affinity },
	END,
};

static const struct ctr_field root[] = {
	NEED_STR("path", ctr_config, root.path),
	BOOL("readonly", ctr_config, root.readonly),
	END,
};

static const struct ctr_field namespace[] = {
	{ "type", CTR_F_WORD, AT(ctr_namespace, type), .required = true, .words = ctr_words_ns },
	STR("path", ctr_namespace, path),
	END,
};
static const struct ctr_field device[] = {
	NEED_STR("type", ctr_device, type),
	NEED_STR("path", ctr_device, path),
	INT("major", ctr_device, major, 0, UINT32_MAX),
	INT("minor", ctr_device, minor, 0, UINT32_MAX),
	UINT("fileMode", ctr_device, mode, UINT32_MAX), /* some write the type's bits, too */
	UINT("uid", ctr_device, uid, UINT32_MAX - 1),
	UINT("gid", ctr_device, gid, UINT32_MAX - 1),
	END,
};
static const struct ctr_field netdev[] = {
	STR("name", ctr_netdev, name),
	END,
};
static const struct ctr_field monotonic[] = {
	INT("secs", ctr_config, monotonic.secs, INT64_MIN, INT64_MAX),
	UINT("nanosecs", ctr_config, monotonic.nanosecs, 999999999),
	END,
};
static const struct ctr_field boottime[] = {
	INT("secs", ctr_config, boottime.secs, INT64_MIN, INT64_MAX),
	UINT("nanosecs", ctr_config, boottime.nanosecs, 999999999),
	END,
};
static const struct ctr_field time_offsets[] = {
	{ "monotonic", CTR_F_OBJECT, .sub = monotonic },
	{ "boottime", CTR_F_OBJECT, .sub = boottime },
	END,
};

static const struct ctr_field seccomp_arg[] = {
	{ "index", CTR_F_U64, AT(ctr_seccomp_arg, index), .required = true, .max = 5 },
	{ "value", CTR_F_U64, AT(ctr_seccomp_arg, value), .required = true, .max = UINT64_MAX },
	{ "valueTwo", CTR_F_U64, AT(ctr_seccomp_arg, value_two), .max = UINT64_MAX },
	{ "op", CTR_F_WORD, AT(ctr_seccomp_arg, op), .required = true, .words = ctr_words_seccomp_op },
	END,
};
static const struct ctr_field seccomp_rule[] = {
	{ "names", CTR_F_STRINGS, AT(ctr_seccomp_rule, names), .required = true },
	{ "action", CTR_F_WORD, AT(ctr_seccomp_rule, action), .required = true,
	  .words = ctr_words_seccomp_action },
	UINT("errnoRet", ctr_seccomp_rule, errno_ret, 65535),
	{ "args", CTR_F_LIST, AT(ctr_seccomp_rule, args), .off2 = offsetof(struct ctr_seccomp_rule, n_args),
	  .size = sizeof(struct ctr_seccomp_arg), .sub = seccomp_arg },
	END,
};
static const struct ctr_field seccomp[] = {
	{ "defaultAction", CTR_F_WORD, AT(ctr_config, seccomp.default_action), .required = true,
	  .words = ctr_words_seccomp_action },
	UINT("defaultErrnoRet", ctr_config, seccomp.default_errno, 65535),
	{ "architectures", CTR_F_WORD_LIST, AT(ctr_config, seccomp.archs), .words = ctr_words_seccomp_arch },
	{ "flags", CTR_F_WORDS, AT(ctr_config, seccomp.flags), .words = ctr_words_seccomp_flag },
	STR("listenerPath", ctr_config, seccomp.listener_path),
	STR("listenerMetadata", ctr_config, seccomp.listener_metadata),
	{ "syscalls", CTR_F_LIST, AT(ctr_config, seccomp.rules), .off2 = offsetof(struct ctr_config, seccomp.n_rules),
	  .size = sizeof(struct ctr_seccomp_rule), .sub = seccomp_rule },
	END,
};

static const struct ctr_field personality[] = {
	{ "domain", CTR_F_WORD, AT(ctr_config, personality.domain), .required = true,
	  .words = ctr_words_personality },
	STRINGS("flags", ctr_config, personality.flags),
	END,
};
static const struct ctr_field mempolicy[] = {
	{ "mode", CTR_F_WORD, AT(ctr_config, mempolicy.mode), .required = true, .words = ctr_words_mempolicy },
	STR("nodes", ctr_config, mempolicy.nodes),
	{ "flags", CTR_F_WORDS, AT(ctr_config, mempolicy.flags), .words = ctr_words_mempolicy_flag },
	END,
};

static const struct ctr_field linux_fields[] = {
	LIST("namespaces", ctr_config, namespaces, ctr_namespace, namespace),
	LIST("uidMappings", ctr_config, uids, ctr_idmap, idmap),
	LIST("gidMappings", ctr_config, gids, ctr_idmap, idmap),
	{ "timeOffsets", CTR_F_OBJECT, .sub = time_offsets },
	LIST("devices", ctr_config, devices, ctr_device, device),
	{ "netDevices", CTR_F_MAP, AT(ctr_config, netdevs.v), .off2 = offsetof(struct ctr_config, netdevs.n),
	  .size = sizeof(struct ctr_netdev), .sub = netdev },
	STR("cgroupsPath", ctr_config, cgroups_path),
	{ "resources", CTR_F_RESOURCES, AT(ctr_config, resources),
	  .off2 = offsetof(struct ctr_config, resources_set) },
	{ "sysctl", CTR_F_PAIRS, AT(ctr_config, sysctl) },
	{ "seccomp", CTR_F_OBJECT, .off2 = offsetof(struct ctr_config, seccomp.set), .sub = seccomp },
	{ "rootfsPropagation", CTR_F_OPT_WORD, AT(ctr_config, propagation), .words = ctr_words_propagation },
	STRINGS("maskedPaths", ctr_config, masked),
	STRINGS("readonlyPaths", ctr_config, readonly),
	STR("mountLabel", ctr_config, mount_label),
	{ "personality", CTR_F_OBJECT, .off2 = offsetof(struct ctr_config, personality.set), .sub = personality },
	{ "memoryPolicy", CTR_F_OBJECT, .off2 = offsetof(struct ctr_config, mempolicy.set), .sub = mempolicy },
	{ "intelRdt", CTR_F_PRESENT, AT(ctr_config, rdt_set) },
	END,
};

const struct ctr_field ctr_fields_config[] = {
	NEED_STR("ociVersion", ctr_config, version),
	{ "process", CTR_F_OBJECT, AT(ctr_config, process), .off2 = offsetof(struct ctr_config, process.set),
	  .sub = ctr_fields_process },
	{ "root", CTR_F_OBJECT, .off2 = offsetof(struct ctr_config, root.set), .sub = root },
	STR("hostname", ctr_config, hostname),
	STR("domainname", ctr_config, domainname),
	LIST("mounts", ctr_config, mounts, ctr_mount, mount),
	{ "hooks", CTR_F_OBJECT, .sub = hooks },
	{ "annotations", CTR_F_PAIRS, AT(ctr_config, annotations) },
	{ "linux", CTR_F_OBJECT, .sub = linux_fields },
	END,
};
