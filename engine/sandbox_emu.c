/* The seccomp filter of a translated program's experiment. The program's own system calls pass two
 * doors: emu/confine.def says what a lesson's program may ask for and answers everything else with
 * EPERM; this table says what the process may then do. A row that the guest can reach allows no more
 * than the same row there.
 */
#include <errno.h>
#include <sched.h>
#include <sys/mman.h>

#include "engine/sandbox_rows.h"

#define THREAD (CLONE_VM | CLONE_THREAD | CLONE_SIGHAND)

static const struct eng_sandbox_row rows[] = {
	CALL(read, "the guest reads its input; the monitor drains an eventfd"),
	CALL(readv, "the guest reads its input"),
	CALL(pread64, "the guest reads a file"),
	CALL(preadv, "the guest reads a file"),
	CALL(write, "wake the lab through its eventfd; the guest writes into a pipe of its own"),
	CALL(writev, "the guest writes into a pipe of its own"),
	CALL(lseek, "the guest moves in a file"),
	CALL(close, "the guest closes what it opened; the program is taken down"),
	CALL(dup, "the guest copies a descriptor"),
	CALL(dup3, "the guest copies a descriptor"),
	CALL(fcntl, "the guest asks for flags of a descriptor"),
	CALL(fstat, "the guest asks what a descriptor is"),
	CALL(openat2, "the guest opens a file below its folder, to read it (emu/confine.c)"),
	CALL(pipe2, "the guest makes a pipe between its threads"),
	CALL(eventfd2, "the guest makes a counter between its threads"),
	CALL(sendto, "answer on the control socket"),
	CALL(sendmsg, "answer on the control socket"),
	CALL(recvfrom, "orders from the control socket"),
	CALL(recvmsg, "orders from the control socket"),
	CALL(poll, "wait for orders"),
	CALL(ppoll, "the guest waits"),
	CALL(pselect6, "the guest waits"),
	CALL(futex, "threads wait for each other; a full event ring waits for the lab"),
	CALL(get_robust_list, "a thread that was made just before goes through its start"),
	CALL(set_robust_list, "a thread that was made just before goes through its start"),
	CALL(rseq, "a thread that was made just before goes through its start"),
	CALL_FAILS(clone3, ENOSYS, "its flags lie in memory, where no filter sees them; clone is used instead"),
	CALL_IF(clone, 0, THREAD, THREAD, "a thread of the guest; never a process"),
	CALL(sched_yield, "spin politely"),
	CALL(sched_getaffinity, "malloc counts the processors; the guest may, too"),
	CALL(getcpu, "the guest asks where it runs"),
	CALL(clock_gettime, "time stamps where the vDSO cannot"),
	CALL(clock_getres, "the guest asks how fine a clock is"),
	CALL(gettimeofday, "time where the vDSO cannot"),
	CALL(clock_nanosleep, "the guest sleeps"),
	CALL(nanosleep, "the guest sleeps"),
	CALL(restart_syscall, "the kernel goes on with a sleep after a signal"),
	CALL(times, "the guest asks for its processor time"),
	CALL(getrusage, "the guest asks for its processor time"),
	CALL(getitimer, "the guest's timer"),
	CALL(setitimer, "the guest's timer"),
	CALL(sysinfo, "the guest asks how much memory there is"),
	CALL(uname, "the guest asks for the kernel's name"),
	CALL(getrandom, "random bytes for the guest"),
	CALL_SELF(tgkill, "kick a thread out of translated code; a signal of the guest to itself; this process alone"),
	CALL_SELF(kill, "a signal of the guest to itself"),
	CALL(rt_sigreturn, "return from a handler"),
	CALL(rt_sigprocmask, "block signals while a thread begins"),
	CALL(rt_sigaction, "the guest handles a signal"),
	CALL(rt_sigpending, "the guest looks for signals"),
	CALL(sigaltstack, "a thread ends (sanitizers)"),
	CALL(pause, "a thread of the guest waits for a signal"),
	CALL(arch_prctl, "a thread points gs at the guest's memory"),
	CALL(getpid, "thread library"),
	CALL(gettid, "thread library"),
	CALL(getppid, "the guest asks who started it"),
	CALL(getuid, "the guest asks who it is"),
	CALL(geteuid, "the guest asks who it is"),
	CALL(getgid, "the guest asks who it is"),
	CALL(getegid, "the guest asks who it is"),
	CALL_IF(mmap, 2, PROT_EXEC, 0, "guest memory, the allocator, stacks of threads; never executable: code "
				       "memory was mapped before"),
	CALL_IF(mprotect, 2, PROT_EXEC, 0, "guest pages change their rights; never executable"),
	CALL(munmap, "give memory back"),
	CALL(mremap, "the allocator grows a large block"),
	CALL(brk, "the allocator's heap"),
	CALL(madvise, "the guest or a thread's stack gives memory back"),
	CALL_IF2(prlimit64, 0, UINT32_MAX, 0, 2, UINT64_MAX, 0, "the guest asks for its limits; none is changed"),
	CALL(msync, "the guest writes back a mapping, which can only be a private or a read-only one"),
	CALL(mincore, "the guest asks which pages are there"),
	CALL(membarrier, "threads of the guest agree on the order of writes"),
	CALL(exit, "a thread ends"),
	CALL(exit_group, "the experiment ends"),
};

const struct eng_sandbox_row *eng_sandbox_emu_rows(unsigned *n)
{
	*n = sizeof(rows) / sizeof(rows[0]);
	return rows;
}

int eng_sandbox_emu(_Atomic long *denied, struct rs_err *err)
{
	return eng_sandbox_close(rows, sizeof(rows) / sizeof(rows[0]), denied, err);
}
