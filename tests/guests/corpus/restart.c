/* Calls that signals end or that go on, timers of all kinds, sleeping. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile int ticks, value;
static int out;

static void tick(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	ticks++;
	value = info->si_value.sival_int;
	if (out > 0 && write(out, "x", 1) < 0)
		ticks = -1000;
}

/* ... and again after a second: on a busy machine the first may come before the call that it is meant for. */
static void after(long us)
{
	struct itimerval t = { { us ? 1 : 0, 0 }, { 0, us } };

	setitimer(ITIMER_REAL, &t, NULL);
}

static void by_thread(union sigval v)
{
	(void)!write(v.sival_int, "t", 1);
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = tick, .sa_flags = SA_SIGINFO };
	struct timespec want = { 5, 0 }, left = { 0, 0 };
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec its = { { 0, 5000000 }, { 0, 5000000 } }, now;
	struct timeval start, end;
	int p[2], q[2], r, status;
	sigset_t none, block, old;
	timer_t timer;
	fd_set fds;
	char c;

	if (pipe(p) < 0 || pipe(q) < 0)
		return 1;
	sigaction(SIGALRM, &sa, NULL);
	after(60000);
	r = (int)read(p[0], &c, 1);
	printf("read: %d %d ticks %d\n", r, errno == EINTR, ticks > 0);
	after(60000);
	r = nanosleep(&want, &left);
	printf("nanosleep: %d %d left %d\n", r, errno == EINTR, left.tv_sec == 4 && left.tv_nsec > 0);
	after(60000);
	r = poll(NULL, 0, 5000);
	printf("poll: %d %d\n", r, errno == EINTR);
	sa.sa_flags = SA_SIGINFO | SA_RESTART;
	sigaction(SIGALRM, &sa, NULL);
	after(60000);
	r = select(0, NULL, NULL, NULL, &(struct timeval){ 5, 0 });
	printf("select, SA_RESTART: %d %d\n", r, errno == EINTR);
	out = p[1];
	after(60000);
	r = (int)read(p[0], &c, 1);
	printf("read, SA_RESTART: %d %c\n", r, c);
	after(0);
	out = ticks = 0;

	/* a signal that is let in only while pselect waits */
	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGALRM);
	sigprocmask(SIG_BLOCK, &block, &old);
	after(10000);
	gettimeofday(&start, NULL);
	do
		gettimeofday(&end, NULL);
	while ((end.tv_sec - start.tv_sec) * 1000000 + end.tv_usec - start.tv_usec < 30000);
	printf("blocked: ticks %d\n", ticks);
	FD_ZERO(&fds);
	FD_SET(p[0], &fds);
	r = pselect(p[0] + 1, &fds, NULL, NULL, &(struct timespec){ 5, 0 }, &none);
	printf("pselect: %d %d ticks %d\n", r, errno == EINTR, ticks > 0);
	after(0);
	ticks = 0;
	sigprocmask(SIG_SETMASK, &old, NULL);
	after(60000);
	sigsuspend(&none);
	printf("sigsuspend: ticks %d\n", ticks > 0);
	after(0);

	/* POSIX timers */
	sigaction(SIGUSR1, &sa, NULL);
	ticks = 0;
	e.sigev_value.sival_int = 42;
	printf("timer_create %d\n", timer_create(CLOCK_MONOTONIC, &e, &timer));
	timer_settime(timer, 0, &its, NULL);
	while (ticks < 3)
		pause();
	timer_gettime(timer, &now);
	printf("value %d interval %ld\n", value, now.it_interval.tv_nsec);
	printf("delete %d\n", timer_delete(timer));
	e.sigev_notify = SIGEV_THREAD;
	e.sigev_notify_function = by_thread;
	e.sigev_notify_attributes = NULL;
	e.sigev_value.sival_int = q[1];
	its.it_interval.tv_nsec = 0;
	timer_create(CLOCK_REALTIME, &e, &timer);
	timer_settime(timer, 0, &its, NULL);
	r = (int)read(q[0], &c, 1);
	printf("thread: %d %c\n", r, c);
	timer_delete(timer);

	/* a child that SIGALRM ends */
	if (fork() == 0) {
		signal(SIGALRM, SIG_DFL);
		alarm(1);
		after(5000);
		for (;;)
			pause();
	}
	wait(&status);
	printf("child: %d\n", WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);
	return 0;
}
