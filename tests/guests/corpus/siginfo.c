/* What handlers are told, nested handlers, queued signals, waiting for signals, signals as descriptors. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static volatile int depth, deepest, order[64], orders;

static void nested(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	depth++;
	if (depth > deepest)
		deepest = depth;
	order[orders++] = sig * 10 + depth;
	if (sig == SIGUSR1 && orders < 20)
		raise(SIGUSR2);
	if (sig == SIGUSR2 && orders < 20)
		raise(SIGUSR1);
	if (info->si_pid != getpid() || sigismember(&uc->uc_sigmask, SIGKILL))
		order[orders++] = -1;
	depth--;
}

static void queued(int sig, siginfo_t *info, void *context)
{
	(void)context;
	printf("queued %d: code %d value %d\n", sig - SIGRTMIN, info->si_code, info->si_value.sival_int);
}

static void on_child(int sig, siginfo_t *info, void *context)
{
	(void)context;
	printf("%d: code %d status %d\n", sig == SIGCHLD, info->si_code, info->si_status);
}

static void *waiter(void *arg)
{
	sigset_t *set = arg;
	int sig = 0;

	sigwait(set, &sig);
	return (void *)(long)sig;
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = nested, .sa_flags = SA_SIGINFO };
	struct timespec no = { 0, 1000000 };
	struct signalfd_siginfo told;
	union sigval value;
	siginfo_t info;
	sigset_t set, old, pending;
	struct pollfd p;
	pthread_t thread;
	pid_t pid;
	void *got;
	int fd;

	setvbuf(stdout, NULL, _IONBF, 0);
	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGUSR2, &sa, NULL);
	raise(SIGUSR1);
	printf("depth %d:", deepest);
	for (int i = 0; i < orders; i++)
		printf(" %d", order[i]);
	puts("");

	/* real-time signals queue, in order; the lowest number first */
	sa.sa_sigaction = queued;
	sigaction(SIGRTMIN + 1, &sa, NULL);
	sigaction(SIGRTMIN + 2, &sa, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	sigaddset(&set, SIGRTMIN + 2);
	sigprocmask(SIG_BLOCK, &set, &old);
	for (int i = 0; i < 3; i++) {
		value.sival_int = 100 + i;
		sigqueue(getpid(), SIGRTMIN + 2, value);
		value.sival_int = 200 + i;
		sigqueue(getpid(), SIGRTMIN + 1, value);
	}
	sigpending(&pending);
	printf("pending %d %d %d\n", sigismember(&pending, SIGRTMIN + 1), sigismember(&pending, SIGRTMIN + 2),
	       sigismember(&pending, SIGRTMIN + 3));
	sigprocmask(SIG_SETMASK, &old, NULL);

	/* waiting */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN + 1);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	printf("none: %d", sigtimedwait(&set, &info, &no));
	printf(" %d\n", errno == EAGAIN);
	value.sival_int = 7;
	sigqueue(getpid(), SIGRTMIN + 1, value);
	printf("got %d", sigwaitinfo(&set, &info) - SIGRTMIN);
	printf(" %d %d\n", info.si_code == SI_QUEUE, info.si_value.sival_int);

	/* from another process, though its default is to end us */
	pid = fork();
	if (pid == 0) {
		kill(getppid(), SIGTERM);
		_exit(4);
	}
	printf("term %d", sigwaitinfo(&set, &info) == SIGTERM);
	printf(" from the child %d\n", info.si_pid == pid);
	waitpid(pid, NULL, 0);

	/* a thread that waits for what all the others block */
	pthread_create(&thread, NULL, waiter, &set);
	kill(getpid(), SIGUSR1);
	pthread_join(thread, &got);
	printf("thread got %d\n", (int)(long)got == SIGUSR1);
	pthread_create(&thread, NULL, waiter, &set);
	pid = fork();
	if (pid == 0) {
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	pthread_join(thread, &got);
	printf("thread got %d\n", (int)(long)got == SIGUSR1);
	waitpid(pid, NULL, 0);

	/* as a descriptor */
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	p.fd = fd;
	p.events = POLLIN;
	printf("poll %d", poll(&p, 1, 0));
	kill(getpid(), SIGUSR1);
	printf(" %d", poll(&p, 1, 1000));
	printf(" %d", (int)read(fd, &told, sizeof(told)));
	printf(" %d %d\n", told.ssi_signo == SIGUSR1, told.ssi_pid == (unsigned)getpid());
	pid = fork();
	if (pid == 0) {
		kill(getppid(), SIGTERM);
		_exit(0);
	}
	printf("read %d", (int)read(fd, &told, sizeof(told)));
	printf(" %d %d\n", told.ssi_signo == SIGTERM, told.ssi_pid == (unsigned)pid);
	waitpid(pid, NULL, 0);
	close(fd);

	sa.sa_sigaction = on_child;
	sa.sa_flags = SA_SIGINFO | SA_RESTART;
	sigaction(SIGCHLD, &sa, NULL);
	pid = fork();
	if (pid == 0)
		_exit(9);
	waitpid(pid, NULL, 0);
	return 0;
}
