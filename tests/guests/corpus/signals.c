/* Signals: handlers, masks, faults left by longjmp, alternate stacks, restarted calls, timers. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t last, count;
static sigjmp_buf env;
static void *volatile fault;
static volatile int code;
static char alt[32768];
static volatile int on_alt;

static void note(int sig)
{
	char here;

	last = sig;
	count++;
	on_alt = &here >= alt && &here < alt + sizeof(alt);
}

static void on_fault(int sig, siginfo_t *info, void *uc)
{
	(void)uc;
	last = sig;
	fault = info->si_addr;
	code = info->si_code;
	siglongjmp(env, 1);
}

static void handle(int sig, void (*fn)(int), int flags)
{
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = fn;
	sa.sa_flags = flags;
	sigaction(sig, &sa, NULL);
}

int main(void)
{
	struct sigaction sa;
	struct itimerval t = { { 1, 0 }, { 0, 50000 } }; /* again, should the first come too early */
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) };
	sigset_t set, old, pending;
	char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), c;
	int p[2], status, n;
	double x = 1.5;

	handle(SIGUSR1, note, 0);
	raise(SIGUSR1);
	printf("%d %d %g\n", (int)last, (int)count, x * 2);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, &old);
	raise(SIGUSR1);
	sigpending(&pending);
	printf("blocked: %d %d\n", (int)count, sigismember(&pending, SIGUSR1));
	sigsuspend(&old);
	printf("after: %d\n", (int)count);
	sigprocmask(SIG_SETMASK, &old, NULL);
	sigaltstack(&ss, NULL);
	handle(SIGUSR2, note, SA_ONSTACK | SA_RESETHAND);
	raise(SIGUSR2);
	printf("alternate: %d\n", on_alt);
	memset(&sa, 0, sizeof(sa));
	sa.sa_sigaction = on_fault;
	sa.sa_flags = SA_SIGINFO;
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	if (!sigsetjmp(env, 1))
		*(volatile char *)8 = 1;
	printf("%d %p %d\n", (int)last, fault, code == SEGV_MAPERR);
	if (!sigsetjmp(env, 1))
		page[5] = 1;
	printf("%d %d %d\n", (int)last, (char *)fault == page + 5, code == SEGV_ACCERR);
	handle(SIGALRM, note, 0);
	setitimer(ITIMER_REAL, &t, NULL);
	if (pipe(p) < 0)
		return 1;
	printf("read: %d", (int)read(p[0], &c, 1));
	printf(" %d\n", errno == EINTR);
	handle(SIGALRM, note, SA_RESTART);
	if (fork() == 0) {
		usleep(100000);
		_exit(write(p[1], "z", 1) == 1 ? 9 : 1);
	}
	setitimer(ITIMER_REAL, &t, NULL);
	n = (int)read(p[0], &c, 1);
	printf("restarted: %d %c\n", n, c);
	wait(&status);
	printf("child: %d\n", WEXITSTATUS(status));
	fflush(stdout);
	if (fork() == 0)
		abort();
	wait(&status);
	printf("abort: %d\n", WTERMSIG(status));
	signal(SIGPIPE, SIG_IGN);
	close(p[0]);
	n = (int)write(p[1], "x", 1);
	printf("pipe: %d %d\n", n, errno == EPIPE);
	return 0;
}
