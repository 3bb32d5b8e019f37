/* What a program finds: arguments, environment, auxiliary vector, limits, identity, scheduling. */
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <pthread.h>
#include <unistd.h>

extern char **environ;
extern char __ehdr_start[];

int main(int argc, char **argv)
{
	struct utsname u;
	struct rlimit lim;
	struct sysinfo si;
	struct sched_param sp;
	pthread_attr_t attr;
	cpu_set_t cpus;
	char name[20], line[300], *stack;
	size_t size;
	uid_t r, e, s;
	int n = 0, found = 0;
	FILE *f;

	printf("%d %s %d\n", argc, argc > 1 ? argv[1] : "", argv[argc] == NULL);
	printf("%s\n", getenv("EMU_TEST"));
	for (char **p = environ; *p; p++)
		n += strchr(*p, '=') != NULL;
	printf("environment %d\n", n > 0);
	printf("page %lu %ld\n", getauxval(AT_PAGESZ), sysconf(_SC_PAGESIZE));
	printf("aux %d %d %d %d\n", getauxval(AT_PHNUM) > 0, getauxval(AT_RANDOM) != 0, getauxval(AT_SECURE) == 0,
	       getauxval(AT_PHENT) == sizeof(ElfW(Phdr)));
	printf("ids %d %d\n", getauxval(AT_UID) == getuid(), getauxval(AT_EGID) == getegid());
	printf("execfn %d\n", access((char *)getauxval(AT_EXECFN), X_OK));
	uname(&u);
	printf("%s\n", u.sysname);
#if defined(__aarch64__)
	printf("machine %d\n", !strcmp(u.machine, "aarch64") && !strcmp((char *)getauxval(AT_PLATFORM), "aarch64"));
#elif defined(__riscv)
	printf("machine %d\n", !strcmp(u.machine, "riscv64"));
#else
	printf("machine %d\n", !strcmp(u.machine, "x86_64"));
#endif
	getresuid(&r, &e, &s);
	printf("uid %d %d\n", r == getuid(), s == geteuid());
	n = getrlimit(RLIMIT_NOFILE, &lim);
	printf("limits %d %d\n", n, lim.rlim_cur > 10);
	lim.rlim_cur = 100;
	printf("set %d", setrlimit(RLIMIT_NOFILE, &lim));
	getrlimit(RLIMIT_NOFILE, &lim);
	printf(" %d %ld\n", (int)lim.rlim_cur, sysconf(_SC_OPEN_MAX));
	n = sysinfo(&si);
	printf("sysinfo %d %d\n", n, si.totalram > 0);
	prctl(PR_SET_NAME, "a new name that is long");
	prctl(PR_GET_NAME, name);
	printf("name %s\n", name);
	n = sched_getaffinity(0, sizeof(cpus), &cpus);
	printf("cpus %d %d\n", n, CPU_COUNT(&cpus) > 0);
	printf("affinity %d\n", sched_setaffinity(0, sizeof(cpus), &cpus));
	printf("cpu %d\n", sched_getcpu() >= 0);
	n = sched_getparam(0, &sp);
	printf("scheduler %d %d %d\n", sched_getscheduler(0), n, sp.sched_priority);
	printf("priority %d %d\n", sched_get_priority_max(SCHED_FIFO), sched_get_priority_min(SCHED_FIFO));
	errno = 0;
	printf("nice %d %d\n", getpriority(PRIO_PROCESS, 0) == nice(0), errno);
	/* the stack, as the C library finds it in /proc/self/maps */
	pthread_getattr_np(pthread_self(), &attr);
	pthread_attr_getstack(&attr, (void **)&stack, &size);
	printf("stack %d\n", (char *)&n > stack && (char *)&n < stack + size);
	f = fopen("/proc/self/cmdline", "r");
	size = fread(line, 1, sizeof(line) - 1, f);
	fclose(f);
	printf("cmdline %d\n", size > strlen(argv[0]) && !strcmp(line, argv[0]) && !strcmp(line + strlen(line) + 1, argv[1]));
	f = fopen("/proc/cpuinfo", "r");
	while (fgets(line, sizeof(line), f))
		found += !strncmp(line, "processor", 9);
	fclose(f);
	printf("cpuinfo %d\n", found == get_nprocs());
	printf("%d %d\n", confstr(_CS_PATH, NULL, 0) > 0, pathconf("/", _PC_NAME_MAX) > 50);
	return 0;
}
