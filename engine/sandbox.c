/* Resource limits, and the seccomp filter of the VM experiment as one table: each row is a system
 * call that it may still make once the machine stands, and why. What is not here kills it.
 */
#include "engine/sandbox.h"

#include <errno.h>
#include <linux/kvm.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALL(name, why) { #name, __NR_##name, { { 0, 0, 0, 0 } }, 0, why }
#define CALL_IF(name, a, m, v, why) { #name, __NR_##name, { { a, m, v, 0 } }, 1, why }
#define CALL_IF2(name, a, m, v, a2, m2, v2, why)                                                   \
	{ #name, __NR_##name, { { a, m, v, 0 }, { a2, m2, v2, 0 } }, 2, why }
#define CALL_SELF(name, why) { #name, __NR_##name, { { 0, UINT32_MAX, 0, 1 } }, 1, why }
/* The kernel looks at the low half of the command alone (ioctl(2)). */
#define IOCTL(cmd, why) CALL_IF(ioctl, 1, UINT32_MAX, cmd, #cmd ": " why)

static const struct eng_sandbox_row rows[] = {
	IOCTL(KVM_RUN, "enter the guest"),
	IOCTL(KVM_GET_REGS, "show the registers"),
	IOCTL(KVM_SET_REGS, "skip or repair an instruction"),
	IOCTL(KVM_GET_SREGS, "show the segments and control registers"),
	IOCTL(KVM_SET_SREGS, "repair a privilege change"),
	IOCTL(KVM_GET_MSRS, "read LSTAR and its kin for the ring timeline"),
	IOCTL(KVM_SET_MSRS, "write them back"),
	IOCTL(KVM_GET_VCPU_EVENTS, "see a pending exception"),
	IOCTL(KVM_SET_VCPU_EVENTS, "inject an exception"),
	IOCTL(KVM_GET_DEBUGREGS, "read DR6 after a debug exit"),
	IOCTL(KVM_SET_DEBUGREGS, "clear it"),
	IOCTL(KVM_SET_GUEST_DEBUG, "single-step and breakpoints"),
	IOCTL(KVM_GET_FPU, "show the floating-point state"),
	IOCTL(KVM_GET_MP_STATE, "is the CPU halted"),
	IOCTL(KVM_SET_MP_STATE, "wake it"),
	IOCTL(KVM_TRANSLATE, "ask the CPU for a page walk"),
	IOCTL(KVM_INTERRUPT, "inject an interrupt"),
	IOCTL(KVM_NMI, "inject an NMI"),
	IOCTL(KVM_IRQ_LINE, "raise an interrupt line"),
	IOCTL(KVM_GET_DIRTY_LOG, "see which pages the guest wrote"),

	CALL(read, "drain an eventfd or timerfd"),
	CALL(write, "wake the lab through its eventfd"),
	CALL(sendto, "answer on the control socket"),
	CALL(sendmsg, "answer on the control socket"),
	CALL(recvfrom, "orders from the control socket"),
	CALL(recvmsg, "orders from the control socket"),
	CALL(poll, "wait for orders"),
	CALL(ppoll, "wait for orders"),
	CALL(futex, "threads wait for each other; a full event ring waits for the lab"),
	CALL(sched_getaffinity, "malloc counts the processors when a second thread begins to allocate"),
	CALL(clock_gettime, "time stamps where the vDSO cannot"),
	CALL(clock_nanosleep, "the watchdog sleeps"),
	CALL(nanosleep, "the watchdog sleeps"),
	CALL(timerfd_settime, "the watchdog's timer"),
	CALL(timer_settime, "the watchdog's timer"),
	CALL(restart_syscall, "the kernel goes on with a sleep after a signal"),
	CALL_SELF(tgkill, "kick a virtual CPU's thread out of KVM_RUN; this process alone"),
	CALL(rt_sigreturn, "return from the kick's handler"),
	CALL(rt_sigprocmask, "block the kick outside KVM_RUN"),
	CALL(set_robust_list, "a thread that was made just before goes through its start"),
	CALL(rseq, "a thread that was made just before goes through its start"),
	CALL(getpid, "thread library"),
	CALL(gettid, "thread library"),
	CALL(sched_yield, "spin politely"),
	CALL_IF2(mmap, 2, PROT_EXEC, 0, 3, MAP_ANONYMOUS, MAP_ANONYMOUS,
		 "memory for the allocator; never a file, never executable"),
	CALL(munmap, "give memory back"),
	CALL(mremap, "the allocator grows a large block"),
	CALL(brk, "the allocator's heap"),
	CALL(madvise, "a thread's stack is given back"),
	CALL_IF(mprotect, 2, PROT_EXEC, 0, "a thread arena grows; never executable"),
	CALL(sigaltstack, "a thread ends (sanitizers)"),
	CALL(close, "the machine is taken down"),
	CALL(exit, "a thread ends"),
	CALL(exit_group, "the experiment ends"),
};

const struct eng_sandbox_row *eng_sandbox_rows(unsigned *n)
{
	*n = sizeof(rows) / sizeof(rows[0]);
	return rows;
}

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

static int fill(scmp_filter_ctx ctx)
{
	int rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);

	/* Foreign architectures (int 0x80 from 64-bit code) die without a name. */
	if (rc == 0)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, __NR_vhangup, 0);
	for (unsigned i = 0; rc == 0 && i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct eng_sandbox_row *r = &rows[i];
		struct scmp_arg_cmp cmp[2];

		for (unsigned k = 0; k < r->conds; k++)
			cmp[k] = SCMP_CMP(r->cond[k].arg, SCMP_CMP_MASKED_EQ, r->cond[k].mask,
					  r->cond[k].self ? (uint64_t)getpid() : r->cond[k].value);
		rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, r->nr, r->conds, cmp);
	}
	return rc;
}

int eng_sandbox_vm(_Atomic long *denied, struct rs_err *err)
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
	rc = fill(ctx);
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
