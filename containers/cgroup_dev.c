/* Which devices a group may use. On v1 the rules are written to files; on v2 the kernel runs a program
 * at each access, and this file writes that program.
 *
 * Rules are a list, and for each right (read, write, mknod) the last rule that fits decides; where none
 * fits, the group above decides, as on v1.
 */
#include "containers/cgroup_dev.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/base/cleanup.h"

bool ctr_device_allowed(const struct ctr_device_rule *rule, unsigned n, char type, unsigned major, unsigned minor,
			unsigned access)
{
	unsigned open = access & CTR_DEV_ALL;

	for (unsigned i = n; i-- > 0 && open;) {
		const struct ctr_device_rule *r = &rule[i];

		if ((r->type != 'a' && r->type != type) || (r->major >= 0 && r->major != (int64_t)major) ||
		    (r->minor >= 0 && r->minor != (int64_t)minor) || !(r->access & open))
			continue;
		if (!r->allow)
			return false;
		open &= ~r->access;
	}
	return true;
}

int ctr_device_rule_parse(const char *text, struct ctr_device_rule *rule)
{
	char verb[8], access[8], major[24], minor[24];

	*rule = (struct ctr_device_rule){ .major = -1, .minor = -1 };
	if (sscanf(text, "%7s %c %23[0-9*]:%23[0-9*] %7s", verb, &rule->type, major, minor, access) != 5)
		return -EINVAL;
	rule->allow = strcmp(verb, "allow") == 0;
	if (*major != '*')
		rule->major = atoll(major);
	if (*minor != '*')
		rule->minor = atoll(minor);
	for (const char *a = access; *a; a++)
		rule->access |= *a == 'r' ? CTR_DEV_READ : *a == 'w' ? CTR_DEV_WRITE : CTR_DEV_MKNOD;
	return 0;
}

/* ---- the program ---- */

#define INSN(c, d, s, o, i)                                                                                          \
	((struct bpf_insn){ .code = (__u8)(c), .dst_reg = (d), .src_reg = (s), .off = (__s16)(o), .imm = (__s32)(i) })
#define LOAD(dst, member) INSN(BPF_LDX | BPF_MEM | BPF_W, dst, 1, offsetof(struct bpf_cgroup_dev_ctx, member), 0)
#define MOV(dst, src) INSN(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0)
#define MOV_K(dst, k) INSN(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, k)
#define AND_K(dst, k) INSN(BPF_ALU64 | BPF_AND | BPF_K, dst, 0, 0, k)
#define SHIFT_K(dst, k) INSN(BPF_ALU64 | BPF_RSH | BPF_K, dst, 0, 0, k)
#define JUMP_NE(dst, k, off) INSN(BPF_JMP | BPF_JNE | BPF_K, dst, 0, off, k)
#define JUMP_EQ(dst, k, off) INSN(BPF_JMP | BPF_JEQ | BPF_K, dst, 0, off, k)
#define EXIT() INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

enum { R_ANSWER = 0, R_TYPE = 2, R_OPEN = 3, R_MAJOR = 4, R_MINOR = 5, R_TEMP = 6 };

static unsigned kernel_access(unsigned access)
{
	return (access & CTR_DEV_READ ? BPF_DEVCG_ACC_READ : 0) | (access & CTR_DEV_WRITE ? BPF_DEVCG_ACC_WRITE : 0) |
	       (access & CTR_DEV_MKNOD ? BPF_DEVCG_ACC_MKNOD : 0);
}

/* One rule: at most ten instructions. Jumps out of it go behind its last one. */
static unsigned emit_rule(struct bpf_insn *p, const struct ctr_device_rule *r)
{
	unsigned access = kernel_access(r->access), n = 0, jumps[4], js = 0;

	if (r->type != 'a') {
		jumps[js++] = n;
		p[n++] = JUMP_NE(R_TYPE, r->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR, 0);
	}
	if (r->major >= 0) {
		jumps[js++] = n;
		p[n++] = JUMP_NE(R_MAJOR, r->major, 0);
	}
	if (r->minor >= 0) {
		jumps[js++] = n;
		p[n++] = JUMP_NE(R_MINOR, r->minor, 0);
	}
	if (r->allow) {
		/* these rights are settled; when none is open any more the answer is yes */
		p[n++] = AND_K(R_OPEN, ~access);
		jumps[js++] = n;
		p[n++] = JUMP_NE(R_OPEN, 0, 0);
		p[n++] = MOV_K(R_ANSWER, 1);
	} else {
		p[n++] = MOV(R_TEMP, R_OPEN);
		p[n++] = AND_K(R_TEMP, access);
		jumps[js++] = n;
		p[n++] = JUMP_EQ(R_TEMP, 0, 0);
		p[n++] = MOV_K(R_ANSWER, 0);
	}
	p[n++] = EXIT();
	for (unsigned i = 0; i < js; i++)
		p[jumps[i]].off = (__s16)(n - jumps[i] - 1);
	return n;
}

struct bpf_insn *ctr_device_program(const struct ctr_device_rule *rule, unsigned n, unsigned *insns)
{
	struct bpf_insn *p = rs_xcalloc(8 + 10 * (size_t)n, sizeof(*p));
	unsigned at = 0;

	p[at++] = LOAD(R_TYPE, access_type);
	p[at++] = MOV(R_OPEN, R_TYPE);
	p[at++] = AND_K(R_TYPE, 0xffff);
	p[at++] = SHIFT_K(R_OPEN, 16);
	p[at++] = LOAD(R_MAJOR, major);
	p[at++] = LOAD(R_MINOR, minor);
	for (unsigned i = n; i-- > 0;)
		at += emit_rule(p + at, &rule[i]);
	p[at++] = MOV_K(R_ANSWER, 1);
	p[at++] = EXIT();
	*insns = at;
	return p;
}

/* ---- the kernel's side ---- */

static int bpf(int cmd, union bpf_attr *attr)
{
	long rc = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return rc < 0 ? -errno : (int)rc;
}

#define IDS_MAX 16

/* The programs of the group itself. Count or negative errno. */
static int attached(int dir, __u32 ids[IDS_MAX])
{
	union bpf_attr a = { 0 };
	int rc;

	a.query.target_fd = (__u32)dir;
	a.query.attach_type = BPF_CGROUP_DEVICE;
	a.query.prog_ids = (__u64)(uintptr_t)ids;
	a.query.prog_cnt = IDS_MAX;
	rc = bpf(BPF_PROG_QUERY, &a);
	return rc < 0 ? rc : (int)a.query.prog_cnt;
}

static int load(const struct ctr_device_rule *rule, unsigned n)
{
	unsigned insns;
	rs_auto_free struct bpf_insn *p = ctr_device_program(rule, n, &insns);
	union bpf_attr a = { 0 };

	a.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	a.insns = (__u64)(uintptr_t)p;
	a.insn_cnt = insns;
	a.license = (__u64)(uintptr_t)"GPL";
	snprintf(a.prog_name, sizeof(a.prog_name), "devices");
	return bpf(BPF_PROG_LOAD, &a);
}

static void detach(int dir, __u32 id)
{
	union bpf_attr a = { 0 };

	a.prog_id = id;
	rs_auto_close int fd = bpf(BPF_PROG_GET_FD_BY_ID, &a);

	if (fd < 0)
		return;
	a = (union bpf_attr){ 0 };
	a.target_fd = (__u32)dir;
	a.attach_bpf_fd = (__u32)fd;
	a.attach_type = BPF_CGROUP_DEVICE;
	bpf(BPF_PROG_DETACH, &a);
}

int ctr_device_attach(const char *path, const struct ctr_device_rule *rule, unsigned n)
{
	rs_auto_close int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), prog = -1;
	__u32 before[IDS_MAX];
	union bpf_attr a = { 0 };
	int had, rc;

	if (dir < 0)
		return -errno;
	had = attached(dir, before);
	prog = load(rule, n);
	if (prog < 0)
		return prog;
	a.target_fd = (__u32)dir;
	a.attach_bpf_fd = (__u32)prog;
	a.attach_type = BPF_CGROUP_DEVICE;
	a.attach_flags = BPF_F_ALLOW_MULTI;
	rc = bpf(BPF_PROG_ATTACH, &a);
	if (rc < 0)
		return rc;
	/* The new one holds before the old ones go: there is no moment without rules. */
	for (int i = 0; i < had; i++)
		detach(dir, before[i]);
	return 0;
}

char *ctr_device_attached(const char *path)
{
	rs_auto_close int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rs_auto_str out = RS_STR_INIT;
	__u32 ids[IDS_MAX];
	int n = dir < 0 ? -1 : attached(dir, ids);

	for (int i = 0; i < n; i++)
		rs_str_addf(&out, "%sprogram %u", i ? ", " : "", ids[i]);
	return n > 0 ? rs_str_detach(&out) : NULL;
}
