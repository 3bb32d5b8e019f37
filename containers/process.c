/* Attributes of the first process: who it is, how it is scheduled, what it may use, and its last step:
 * becoming the program. */
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "containers/run.h"
#include "engine/base/cleanup.h"

int ctr_identity(struct ctr_init *in)
{
	if (in->user_ns) {
		/* root of the new user namespace: what is made from here on belongs to it */
		if (CTR_CALL(&in->t, "setresgid", setresgid(0, 0, 0), "0, 0, 0") < 0 ||
		    CTR_CALL(&in->t, "setresuid", setresuid(0, 0, 0), "0, 0, 0") < 0) {
			if (errno != EINVAL) /* a map without 0 is allowed: then it stays who it is */
				return CTR_FAIL(&in->t, in->err, errno, "it cannot become root of its user namespace");
		}
		/* changing ids made /proc/self belong to the host's root; here it is needed */
		prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	}
	if (CTR_CALL(&in->t, "setsid", setsid(), "%s", "") < 0 && errno != EPERM)
		return CTR_FAIL(&in->t, in->err, errno, "a session cannot be begun");
	if (!in->c->o.no_new_keyring)
		/* the caller's keys must not be within reach; a kernel without keyrings has none */
		CTR_CALL(&in->t, "keyctl", syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL), "KEYCTL_JOIN_SESSION_KEYRING");
	return 0;
}

/* ---- limits: by the process itself (pid 0), or from outside ---- */

int ctr_process_rlimits(struct ctr_trace *t, const struct ctr_process *p, pid_t pid, struct rs_err *err)
{
	for (unsigned i = 0; i < p->rlimits.n; i++) {
		const struct ctr_rlimit *r = &p->rlimits.v[i];
		struct rlimit l = { r->soft, r->hard };
		const char *name = ctr_word_of(ctr_words_rlimit, r->type);

		snprintf(t->place, sizeof(t->place), "process.rlimits[%u]", i);
		if (CTR_CALL(t, "prlimit", prlimit(pid, (enum __rlimit_resource)r->type, &l, NULL), "%d, %s, {%llu, %llu}", (int)pid, name,
			     (unsigned long long)r->soft, (unsigned long long)r->hard) < 0)
			return CTR_FAIL(t, err, errno, "the limit %s cannot be set to %llu, %llu", name,
					(unsigned long long)r->soft, (unsigned long long)r->hard);
	}
	return 0;
}

int ctr_process_oom(struct ctr_trace *t, const struct ctr_process *p, pid_t pid, struct rs_err *err)
{
	char path[64] = "/proc/self/oom_score_adj", text[24];
	rs_auto_close int fd = -1;
	int n;

	if (!p->oom_score_adj.set)
		return 0;
	snprintf(t->place, sizeof(t->place), "process.oomScoreAdj");
	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
	n = snprintf(text, sizeof(text), "%lld", (long long)p->oom_score_adj.i);
	fd = (int)CTR_CALL(t, "open", open(path, O_WRONLY | O_CLOEXEC), "%s", path);
	if (fd < 0 || CTR_CALL(t, "write", write(fd, text, (size_t)n), "%s, \"%s\"", path, text) != n)
		return CTR_FAIL(t, err, errno, "the score of the OOM killer cannot be set to %s", text);
	return 0;
}

/* ---- scheduling and the like ---- */

struct sched_attr_v1 { /* sched_setattr(2) */
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

/* "0-3,7" into bits; false: not of this form. Up to `max` bits. */
static bool list_bits(const char *s, unsigned long *bits, unsigned max)
{
	while (*s) {
		char *end;
		unsigned long a = strtoul(s, &end, 10), b = a;

		if (end == s)
			return false;
		if (*end == '-') {
			s = end + 1;
			b = strtoul(s, &end, 10);
			if (end == s)
				return false;
		}
		if (b < a || b >= max)
			return false;
		for (; a <= b; a++)
			bits[a / 64] |= 1ul << a % 64;
		while (*end == ' ')
			end++;
		if (*end && *end != ',')
			return false;
		s = end + (*end == ',');
	}
	return true;
}

int ctr_process_cpus(struct ctr_init *in, const char *list, const char *place)
{
	cpu_set_t set;

	if (!list || !*list)
		return 0;
	CPU_ZERO(&set);
	snprintf(in->t.place, sizeof(in->t.place), "%s", place);
	if (!list_bits(list, (unsigned long *)&set, CPU_SETSIZE))
		return CTR_FAIL(&in->t, in->err, EINVAL, "\"%s\" is no list of processors such as 0-3,7", list);
	if (CTR_CALL(&in->t, "sched_setaffinity", sched_setaffinity(0, sizeof(set), &set), "0, %s", list) < 0)
		return CTR_FAIL(&in->t, in->err, errno, "it cannot be bound to the processors %s", list);
	return 0;
}

static int label(struct ctr_init *in, const char *file, const char *text, const char *place)
{
	rs_auto_close int fd = -1;
	size_t n = strlen(text);

	snprintf(in->t.place, sizeof(in->t.place), "%s", place);
	fd = (int)CTR_CALL(&in->t, "open", open(file, O_WRONLY | O_CLOEXEC), "%s", file);
	if (fd < 0 || CTR_CALL(&in->t, "write", write(fd, text, n), "%s, \"%s\"", file, text) != (long)n)
		return CTR_FAIL(&in->t, in->err, errno == ENOENT ? ENOSYS : errno, "the label %s cannot be set; the kernel's security module is not there or refuses it", text);
	return 0;
}

int ctr_process_attributes(struct ctr_init *in)
{
	const struct ctr_process *p = in->p;
	const struct ctr_config *c = in->cfg;
	int rc = 0;

	if (p->sched.set) {
		struct sched_attr_v1 a = {
			.size = sizeof(a), .policy = (uint32_t)p->sched.policy, .flags = p->sched.flags,
			.nice = (int32_t)p->sched.nice.i, .priority = (uint32_t)p->sched.priority.i,
			.runtime = p->sched.runtime.u, .deadline = p->sched.deadline.u, .period = p->sched.period.u,
		};

		snprintf(in->t.place, sizeof(in->t.place), "process.scheduler");
		if (CTR_CALL(&in->t, "sched_setattr", syscall(SYS_sched_setattr, 0, &a, 0), "{policy=%u, nice=%d, priority=%u}",
			     a.policy, a.nice, a.priority) < 0)
			return CTR_FAIL(&in->t, in->err, errno, "the scheduling policy cannot be set");
	}
	if (p->ioprio.set) {
		int value = (int)(p->ioprio.klass << 13 | (p->ioprio.priority.set ? p->ioprio.priority.u : 0));

		snprintf(in->t.place, sizeof(in->t.place), "process.ioPriority");
		if (CTR_CALL(&in->t, "ioprio_set", syscall(SYS_ioprio_set, 1, 0, value), "IOPRIO_WHO_PROCESS, 0, 0x%x",
			     (unsigned)value) < 0)
			return CTR_FAIL(&in->t, in->err, errno, "the priority of input and output cannot be set");
	}
	if (c && c->personality.set) {
		snprintf(in->t.place, sizeof(in->t.place), "linux.personality");
		if (CTR_CALL(&in->t, "personality", personality(c->personality.domain), "0x%llx",
			     (unsigned long long)c->personality.domain) < 0)
			return CTR_FAIL(&in->t, in->err, errno, "the personality cannot be set");
	}
	if (c && c->mempolicy.set) {
		unsigned long nodes[16] = { 0 };

		snprintf(in->t.place, sizeof(in->t.place), "linux.memoryPolicy");
		if (c->mempolicy.nodes && !list_bits(c->mempolicy.nodes, nodes, 1024))
			return CTR_FAIL(&in->t, in->err, EINVAL, "\"%s\" is no list of nodes such as 0-3,7", c->mempolicy.nodes);
		if (CTR_CALL(&in->t, "set_mempolicy",
			     syscall(SYS_set_mempolicy, (int)(c->mempolicy.mode | c->mempolicy.flags),
				     c->mempolicy.nodes && *c->mempolicy.nodes ? nodes : NULL,
				     c->mempolicy.nodes && *c->mempolicy.nodes ? 1024 : 0),
			     "0x%llx, %s", (unsigned long long)(c->mempolicy.mode | c->mempolicy.flags),
			     c->mempolicy.nodes ? c->mempolicy.nodes : "NULL") < 0)
			return CTR_FAIL(&in->t, in->err, errno, "the memory policy cannot be set");
	}
	if (p->apparmor && *p->apparmor) {
		rs_auto_free char *text = rs_xasprintf("exec %s", p->apparmor);

		rc = label(in, "/proc/self/attr/apparmor/exec", text, "process.apparmorProfile");
	}
	if (rc == 0 && p->selinux && *p->selinux)
		rc = label(in, "/proc/self/attr/exec", p->selinux, "process.selinuxLabel");
	return rc;
}

/* ---- user ---- */

int ctr_process_user(struct ctr_init *in)
{
	const struct ctr_process *p = in->p;
	uid_t uid = p->uid.set ? (uid_t)p->uid.u : 0;
	gid_t gid = p->gid.set ? (gid_t)p->gid.u : 0;
	rs_auto_free gid_t *groups = rs_xcalloc(p->gids.n + 1, sizeof(*groups));

	if (p->umask.set)
		CTR_CALL(&in->t, "umask", umask((mode_t)p->umask.u), "%04o", (unsigned)p->umask.u);
	for (unsigned i = 0; i < p->gids.n; i++)
		groups[i] = (gid_t)p->gids.v[i];
	/* Where setgroups is denied (a user namespace of somebody without privileges), the caller's groups
	 * stay, and show as nobody's; asking for others is an error. */
	if (CTR_CALL(&in->t, "setgroups", setgroups(p->gids.n, groups), "%u", p->gids.n) < 0 &&
	    !(errno == EPERM && p->gids.n == 0)) {
		snprintf(in->t.place, sizeof(in->t.place), "process.user.additionalGids");
		return CTR_FAIL(&in->t, in->err, errno, "the additional groups cannot be set");
	}
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return CTR_FAIL(&in->t, in->err, errno, "capabilities cannot be kept over the change of user");
	if (CTR_CALL(&in->t, "setresgid", setresgid(gid, gid, gid), "%u", (unsigned)gid) < 0)
		return CTR_FAIL(&in->t, in->err, errno, "the group cannot become %u", (unsigned)gid);
	if (CTR_CALL(&in->t, "setresuid", setresuid(uid, uid, uid), "%u", (unsigned)uid) < 0)
		return CTR_FAIL(&in->t, in->err, errno, "the user cannot become %u", (unsigned)uid);
	prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
	return 0;
}

int ctr_process_cwd(struct ctr_init *in)
{
	char buf[64];

	snprintf(in->t.place, sizeof(in->t.place), "process.cwd");
	if (CTR_CALL(&in->t, "chdir", chdir(in->p->cwd), "%s", in->p->cwd) < 0) {
		/* the folder is made where it is missing, as others do */
		if (errno != ENOENT || in->exec)
			return CTR_FAIL(&in->t, in->err, errno, "the working folder %s cannot be entered", in->p->cwd);
		rs_auto_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		rs_auto_close int fd = ctr_resolve_make(root, in->p->cwd, true, 0755);

		if (fd < 0 || fchdir(fd) < 0)
			return CTR_FAIL(&in->t, in->err, fd < 0 ? -fd : errno, "the working folder %s cannot be entered",
					in->p->cwd);
	}
	/* a folder that was left open outside the root would be named here (CVE-2024-21626) */
	if (syscall(SYS_getcwd, buf, sizeof(buf)) < 0 ? errno != ERANGE : buf[0] != '/')
		return CTR_FAIL(&in->t, in->err, EPERM, "the working folder %s lies outside the root", in->p->cwd);
	return 0;
}

/* ---- the program ---- */

/* HOME from /etc/passwd of the container, as runc does it. */
static char *home_of(uid_t uid)
{
	FILE *f = fopen("/etc/passwd", "re");
	char line[1024], *home = NULL;

	while (f && fgets(line, sizeof(line), f)) {
		char *field[7], *s = line;
		unsigned n = 0;

		while (n < 7 && s)
			field[n++] = strsep(&s, ":\n");
		if (n >= 6 && strtoul(field[2], NULL, 10) == uid && *field[5]) {
			home = rs_xstrdup(field[5]);
			break;
		}
	}
	if (f)
		fclose(f);
	return home ? home : rs_xstrdup("/");
}

int ctr_process_env(struct ctr_init *in, char ***env)
{
	const struct ctr_process *p = in->p;
	char **v = rs_xcalloc(p->env.n + 4, sizeof(*v));
	bool home = false;
	unsigned n = 0;

	for (unsigned i = 0; i < p->env.n; i++) {
		v[n++] = p->env.v[i];
		home |= strncmp(p->env.v[i], "HOME=", 5) == 0;
	}
	if (!home) {
		rs_auto_free char *dir = home_of(p->uid.set ? (uid_t)p->uid.u : 0);

		v[n++] = rs_xasprintf("HOME=%s", dir);
	}
	if (in->preserve) {
		v[n++] = rs_xasprintf("LISTEN_FDS=%s", in->preserve);
		v[n++] = rs_xstrdup("LISTEN_PID=1");
	}
	*env = v;
	return 0;
}

/* Where the program is: args[0], or the first file in the PATH of its own environment (execvp(3)). Looked
 * for before the container counts as created, so that who creates it hears of a mistake. */
int ctr_process_find(struct ctr_init *in)
{
	const struct ctr_process *p = in->p;
	const char *path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", *name = p->args.v[0];
	bool denied = false;

	for (unsigned i = 0; i < p->env.n; i++)
		if (strncmp(p->env.v[i], "PATH=", 5) == 0)
			path = p->env.v[i] + 5;
	in->t.step = CTR_STEP_EXEC;
	snprintf(in->t.place, sizeof(in->t.place), "process.args[0]");
	if (strchr(name, '/')) {
		in->program = rs_xstrdup(name);
		if (faccessat(AT_FDCWD, name, X_OK, AT_EACCESS) < 0)
			return CTR_FAIL(&in->t, in->err, errno, "the program %s cannot be run", name);
		return 0;
	}
	while (*path) {
		size_t n = strcspn(path, ":");
		char *file = rs_xasprintf("%.*s%s%s", (int)n, path, n ? "/" : "./", name);
		struct stat st;

		if (faccessat(AT_FDCWD, file, X_OK, AT_EACCESS) == 0 && stat(file, &st) == 0 && S_ISREG(st.st_mode)) {
			in->program = file;
			return 0;
		}
		denied |= errno == EACCES;
		free(file);
		path += n + (path[n] == ':');
	}
	return CTR_FAIL(&in->t, in->err, denied ? EACCES : ENOENT, "the program %s: executable file not found in $PATH", name);
}

int ctr_process_exec(struct ctr_init *in)
{
	char **env;

	ctr_process_env(in, &env);
	snprintf(in->t.place, sizeof(in->t.place), "process.args[0]");
	execve(in->program, in->p->args.v, env);
	return CTR_FAIL(&in->t, in->err, errno, "the program %s cannot be run", in->program);
}
