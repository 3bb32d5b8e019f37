/* The arena of lesson 803: a service that must work, and four attacks that must not. */
#ifndef ARENA_H
#define ARENA_H

#include <arpa/inet.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"

/* ---- what a jailer has ---- */

/* This process and its children keep these capabilities alone: one bit each, 1ull << CAP_...; see
 * capabilities(7). */
static inline void keep_only(unsigned long long keep)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { 0 };

	for (int i = 0; i < 41; i++)
		if (!(keep >> i & 1) && prctl(PR_CAPBSET_READ, i) == 1)
			must(prctl(PR_CAPBSET_DROP, i), "bounding set");
	for (int i = 0; i < 2; i++)
		d[i].effective = d[i].permitted = (unsigned)(keep >> 32 * i);
	must((int)syscall(SYS_capset, &h, d), "capset");
}

/* From here on these system calls fail with EPERM, before the kernel does anything; see seccomp(2). */
static inline void refuse(const long *calls, unsigned n)
{
	struct sock_filter f[64];
	struct sock_fprog p = { .filter = f };

	f[p.len++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (unsigned i = 0; i < n && i < 30; i++) {
		f[p.len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i], 0, 1);
		f[p.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	}
	f[p.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p), "seccomp");
}

/* ---- the service: port 80, and a child that answers ---- */

static inline void service(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(80) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	pid_t child;

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 5) < 0) {
		printf("the service cannot have port 80: %s\n", strerror(errno));
		return;
	}
	fflush(stdout);
	child = fork();
	if (child < 0) {
		printf("the service cannot have children: %s\n", strerror(errno));
		return;
	}
	if (child == 0) {
		printf("the service listens on port 80\n");
		exit(0);
	}
	waitpid(child, NULL, 0);
}

/* ---- the attacks: what a program does that was taken over ---- */

static inline int rename_machine(void)
{
	return sethostname("owned", 5) == 0;
}

static inline int mount_something(void)
{
	return mount("evil", "/mnt", "tmpfs", 0, NULL) == 0;
}

static inline int leave_chroot(void)
{
	mkdir("/hole", 0755);
	return chroot("/hole") == 0 && chdir("..") == 0 && chroot(".") == 0;
}

/* Root again, in a namespace of its own. */
static inline int back_door(void)
{
	return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && mount("evil", "/mnt", "tmpfs", 0, NULL) == 0;
}

static inline void attack(const char *name, int (*how)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		exit(how() ? 0 : 1);
	waitpid(pid, &status, 0);
	printf("attack \"%s\": %s\n", name, WIFEXITED(status) && WEXITSTATUS(status) == 0 ? "SUCCEEDED" : "failed");
}

static inline void attacks(void)
{
	attack("rename the machine", rename_machine);
	attack("mount a file system", mount_something);
	attack("leave the chroot", leave_chroot);
	attack("be root elsewhere", back_door);
}

#endif
