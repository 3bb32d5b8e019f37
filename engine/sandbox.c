/* Resource limits, and how a table of allowed system calls (sandbox_vm.c, sandbox_emu.c) becomes a
 * seccomp filter.
 */
#include "engine/sandbox_rows.h"

#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SHADOWED 1 /* gcc; the sanitizers map terabytes of shadow */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define SHADOWED 1
#endif
#endif
#ifndef SHADOWED
#define SHADOWED 0
#endif

static int lower(int which, uint64_t to, struct rs_err *err)
{
	/* At the soft limit comes SIGXCPU, which has a name; at the hard one SIGKILL. */
	uint64_t hard = which == RLIMIT_CPU ? to + 1 : to;
	struct rlimit r;

	if (getrlimit(which, &r) < 0)
		return rs_err_errno(err, errno, "the resource limits cannot be read");
	/* Only downwards: raising needs a capability that even root may lack. */
	if (r.rlim_max == RLIM_INFINITY || r.rlim_max > hard)
		r.rlim_max = hard;
	if (r.rlim_cur == RLIM_INFINITY || r.rlim_cur > to)
		r.rlim_cur = to < r.rlim_max ? to : r.rlim_max;
	if (setrlimit(which, &r) < 0)
		return rs_err_errno(err, errno, "a resource limit cannot be set");
	return 0;
}

int eng_limits_apply(const struct eng_limits *l, struct rs_err *err)
{
	const struct {
		int which;
		uint64_t to;
	} v[] = {
		{ RLIMIT_AS, SHADOWED ? 0 : l->address_space },
		{ RLIMIT_CPU, l->cpu_seconds },
		{ RLIMIT_NOFILE, l->files },
		{ RLIMIT_FSIZE, l->file_size },
	};
	int rc = lower(RLIMIT_CORE, 0, err);

	for (unsigned i = 0; rc == 0 && i < sizeof(v) / sizeof(v[0]); i++)
		if (v[i].to)
			rc = lower(v[i].which, v[i].to, err);
	return rc;
}

const char *eng_syscall_name(long nr, char *buf, unsigned size)
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int)nr);

	if (name)
		snprintf(buf, size, "%s", name);
	else
		snprintf(buf, size, "call %ld", nr);
	free(name);
	return buf;
}

/* A thread that has all signals blocked (glibc does so while it starts one) is killed without this
 * handler, and so without a name. */

/* Where the handler leaves the number. A signal handler has no argument of its own; the process has
 * one filter, for good, so this is no state that a second object could want. */
static _Atomic long *denied_slot;

/* The filter answers a forbidden call with a signal, so that it can be named. The process does not
 * go on from here: the filter knows one call that kills outright. */
static void on_sigsys(int sig, siginfo_t *info, void *context)
{
	long none = -1;

	(void)sig;
	(void)context;
	atomic_compare_exchange_strong(denied_slot, &none, (long)info->si_syscall);
	for (;;)
		syscall(__NR_vhangup);
}

static int fill(scmp_filter_ctx ctx, const struct eng_sandbox_row *rows, unsigned n)
{
	int rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);

	/* Foreign architectures (int 0x80 from 64-bit code) die without a name. */
	if (rc == 0)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, __NR_vhangup, 0);
	for (unsigned i = 0; rc == 0 && i < n; i++) {
		const struct eng_sandbox_row *r = &rows[i];
		struct scmp_arg_cmp cmp[2];

		for (unsigned k = 0; k < r->conds; k++)
			cmp[k] = SCMP_CMP(r->cond[k].arg, SCMP_CMP_MASKED_EQ, r->cond[k].mask,
					  r->cond[k].self ? (uint64_t)getpid() : r->cond[k].value);
		rc = seccomp_rule_add_array(ctx, r->error ? SCMP_ACT_ERRNO(r->error) : SCMP_ACT_ALLOW, r->nr, r->conds, cmp);
	}
	return rc;
}

int eng_sandbox_close(const struct eng_sandbox_row *rows, unsigned n, _Atomic long *denied, struct rs_err *err)
{
	struct sigaction sa = { .sa_flags = SA_SIGINFO | SA_NODEFER };
	scmp_filter_ctx ctx;
	int rc;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return rs_err_errno(err, errno, "no_new_privs cannot be set");
	denied_slot = denied;
	sa.sa_sigaction = on_sigsys;
	if (sigaction(SIGSYS, &sa, NULL) < 0)
		return rs_err_errno(err, errno, "the sandbox's signal handler cannot be set");
	ctx = seccomp_init(SCMP_ACT_TRAP);
	if (!ctx)
		return rs_err_set(err, -ENOMEM, "the sandbox could not be made");
	rc = fill(ctx, rows, n);
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	if (rc == -EINVAL || rc == -ENOSYS || rc == -EOPNOTSUPP)
		return rs_err_set(err, -ENOSYS, "this kernel has no seccomp filters, so the "
				  "experiment cannot be locked in");
	if (rc < 0)
		return rs_err_errno(err, -rc, "the sandbox could not be closed");
	return 0;
}
