/* The seccomp filter of a container's experiment: of the process that watches the container from
 * outside. The container itself was born before the filter closed and has one of its own
 * (containers/box_root.c). What the watcher reads of the container are texts and numbers; it starts
 * nothing, mounts nothing and talks to nobody but the lab.
 */
#include <errno.h>
#include <sys/mman.h>

#include "engine/sandbox_rows.h"

static const struct eng_sandbox_row rows[] = {
	CALL(ptrace, "stop and let go the container's processes"),
	CALL(wait4, "which of them stopped or ended"),
	CALL(process_vm_readv, "texts that they give to the kernel"),
	CALL(kill, "end the container"),
	CALL(tgkill, "abort names its process"),
	CALL(poll, "wait for stops, orders, the next reading"),
	CALL(ppoll, "wait for stops, orders, the next reading"),
	CALL(read, "files of /proc and of cgroups, the descriptor of signals"),
	CALL(pread64, "files of /proc"),
	CALL(write, "wake the lab; cgroup.kill; the journal"),
	CALL(openat, "files of /proc and of cgroups"),
	CALL(openat2, "layers of an overlay, as the container sees them"),
	CALL(close, "... and close them"),
	CALL(lseek, "files of /proc"),
	CALL(fcntl, "a folder that is read"),
	CALL(fstat, "a folder that is read"),
	CALL(newfstatat, "namespaces, roots, layers"),
	CALL(readlinkat, "root and working directories"),
#ifdef __NR_readlink
	CALL(readlink, "root and working directories"),
	CALL(stat, "namespaces"),
	CALL(access, "is there such a file of a cgroup?"),
	CALL(rmdir, "remove the container's cgroup"),
	CALL(unlink, "remove the journal"),
#endif
	CALL(faccessat, "is there such a file of a cgroup?"),
	CALL(faccessat2, "is there such a file of a cgroup?"),
	CALL(unlinkat, "remove the container's cgroup and the journal"),
	CALL(getdents64, "folders of layers and of cgroups"),
	CALL(fgetxattr, "is a directory of a layer opaque?"),
	CALL(sendto, "answer on the control socket"),
	CALL(sendmsg, "answer on the control socket"),
	CALL(recvfrom, "orders from the control socket"),
	CALL(recvmsg, "orders from the control socket"),
	CALL(futex, "a full event ring waits for the lab"),
	CALL(sched_yield, "spin politely"),
	CALL(clock_gettime, "time stamps where the vDSO cannot"),
	CALL(clock_nanosleep, "wait for the kernel to bury what was killed"),
	CALL(nanosleep, "wait for the kernel to bury what was killed"),
	CALL(restart_syscall, "the kernel goes on with a sleep after a signal"),
	CALL(rt_sigreturn, "return from a handler"),
	CALL(rt_sigprocmask, "the C library"),
	CALL(rt_sigaction, "the C library"),
	CALL(sigaltstack, "a thread ends (sanitizers)"),
	CALL(getpid, "not to kill oneself with a group"),
	CALL(gettid, "the C library"),
	CALL(geteuid, "whose container it is"),
	CALL(sysinfo, "sorting asks how much memory there is"),
	CALL_IF(mmap, 2, PROT_EXEC, 0, "the allocator; never executable"),
	CALL_IF(mprotect, 2, PROT_EXEC, 0, "the allocator; never executable"),
	CALL(munmap, "give memory back"),
	CALL(mremap, "the allocator grows a large block"),
	CALL(brk, "the allocator's heap"),
	CALL(madvise, "give memory back"),
	CALL(exit, "a thread ends"),
	CALL(exit_group, "the experiment ends"),
};

const struct eng_sandbox_row *eng_sandbox_ctr_rows(unsigned *n)
{
	*n = sizeof(rows) / sizeof(rows[0]);
	return rows;
}

int eng_sandbox_ctr(_Atomic long *denied, struct rs_err *err)
{
	return eng_sandbox_close(rows, sizeof(rows) / sizeof(rows[0]), denied, err);
}
