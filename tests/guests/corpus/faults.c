/* A program that lives with its faults: pages that a handler makes accessible, the end of a mapped file,
 * an overflowing stack, jumps out of handlers. */
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char *area;
static size_t page;
static volatile int repairs;
static sigjmp_buf env;
static siginfo_t last;

static void repair(int sig, siginfo_t *info, void *context)
{
	char *at = (char *)((uintptr_t)info->si_addr & ~(page - 1));

	(void)sig;
	(void)context;
	repairs++;
	if (mprotect(at, page, PROT_READ | PROT_WRITE) < 0)
		abort();
}

static void leave(int sig, siginfo_t *info, void *context)
{
	(void)context;
	last = *info;
	siglongjmp(env, sig);
}

static int overflow(int n)
{
	volatile char room[4096];

	room[0] = (char)n;
	return overflow(n + 1) + room[0];
}

static void *volatile nowhere = (void *)0x123450;

int main(void)
{
	struct sigaction sa = { .sa_sigaction = repair, .sa_flags = SA_SIGINFO };
	char name[] = "/tmp/ringside-fault-XXXXXX", *file;
	unsigned long sum = 0;
	static char room[65536];
	stack_t alt = { .ss_sp = room, .ss_size = sizeof(room) };
	int fd, sig;

	page = (size_t)sysconf(_SC_PAGESIZE);
	sigaction(SIGSEGV, &sa, NULL);
	area = mmap(NULL, 64 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < 64 * page; i += 100)
		area[i] = (char)i;
	for (size_t i = 0; i < 64 * page; i += 100)
		sum = sum * 3 + (unsigned char)area[i];
	printf("%d repairs, sum %lx\n", repairs, sum);
	mprotect(area, 64 * page, PROT_READ);
	/* an access that crosses into a page that cannot be written */
	repairs = 0;
	memset(area + page - 3, 'x', 6);
	printf("%d repairs %.6s\n", repairs, area + page - 3);

	sa.sa_sigaction = leave;
	sa.sa_flags = SA_SIGINFO | SA_ONSTACK;
	sigaltstack(&alt, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	mprotect(area, page, PROT_READ);
	sig = sigsetjmp(env, 1);
	if (!sig)
		area[5] = 1;
	printf("write: %d code %d at %ld\n", sig, last.si_code, (long)((char *)last.si_addr - area));
	munmap(area, page);
	sig = sigsetjmp(env, 1);
	if (!sig)
		printf("%d", ((volatile char *)area)[7]);
	printf("read: %d code %d at %ld\n", sig, last.si_code, (long)((char *)last.si_addr - area));
	sig = sigsetjmp(env, 1);
	if (!sig)
		((void (*)(void))nowhere)();
	printf("jump: %d code %d at %lx\n", sig, last.si_code, (long)last.si_addr);
	sig = sigsetjmp(env, 1);
	if (!sig)
		((void (*)(void))(area + 2 * page))();
	printf("data: %d code %d at %ld\n", sig, last.si_code, (long)((char *)last.si_addr - area));
	fd = mkstemp(name);
	unlink(name);
	if (ftruncate(fd, (off_t)page) < 0)
		return 1;
	file = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	sig = sigsetjmp(env, 1);
	if (!sig)
		file[2 * page + 9] = 1;
	printf("past the end: %d code %d at %ld\n", sig, last.si_code, (long)((char *)last.si_addr - file));
	for (int i = 0; i < 3; i++) {
		sig = sigsetjmp(env, 1);
		if (!sig)
			overflow(1);
		printf("stack: %d\n", sig);
	}
	return 0;
}
