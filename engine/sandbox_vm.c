/* The seccomp filter of the VM experiment as one table: each row is a system call that it may still make
 * once the machine stands, and why. What is not here kills it.
 */
#include <linux/kvm.h>
#include <sys/mman.h>

#include "engine/sandbox_rows.h"

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
	IOCTL(KVM_GET_XSAVE, "an assist needs the floating-point state"),
	IOCTL(KVM_SET_XSAVE, "write it back after an assist"),
	IOCTL(KVM_GET_MP_STATE, "is the CPU halted"),
	IOCTL(KVM_SET_MP_STATE, "wake it"),
	IOCTL(KVM_TRANSLATE, "ask the CPU for a page walk"),
	IOCTL(KVM_INTERRUPT, "inject an interrupt"),
	IOCTL(KVM_NMI, "inject an NMI"),
	IOCTL(KVM_IRQ_LINE, "raise an interrupt line"),
	IOCTL(KVM_GET_DIRTY_LOG, "see which pages the guest wrote"),

	CALL(read, "drain an eventfd or timerfd"),
	CALL(pread64, "KVM's own count of exits, when the run ends"),
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

int eng_sandbox_vm(_Atomic long *denied, struct rs_err *err)
{
	return eng_sandbox_close(rows, sizeof(rows) / sizeof(rows[0]), denied, err);
}
