/* Processes: fork, exec, pipes, waiting, vfork, posix_spawn, system, popen, exit handlers, environment. */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static void bye(void) { puts("at exit"); fflush(stdout); }

static int status_of(pid_t pid)
{
	int s;

	waitpid(pid, &s, 0);
	return WIFEXITED(s) ? WEXITSTATUS(s) : 1000 + WTERMSIG(s);
}

int main(int argc, char **argv)
{
	char *self[] = { argv[0], "child", "with words", NULL };
	char *missing[] = { "/nonexistent/program", NULL }, *sh[] = { "sh", "-c", "exit 23", NULL };
	char buf[100] = "", path[4096];
	int p[2], q[2], r, sum = 0;
	siginfo_t info;
	volatile int word = 1;
	pid_t pid, kids[10];
	FILE *f;
	ssize_t n;

	if (argc > 1 && !strcmp(argv[1], "child")) {
		printf("child: %d %s %s\n", argc, argv[2], getenv("RS_WORD") ? getenv("RS_WORD") : "none");
		return 17;
	}
	setvbuf(stdout, NULL, _IONBF, 0);
	n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = 0;
	self[0] = path;
	setenv("RS_WORD", "set", 1);

	pid = fork();
	if (pid == 0)
		execv(self[0], self);
	printf("exec: %d\n", status_of(pid));
	pid = fork();
	if (pid == 0) {
		unsetenv("RS_WORD");
		execve("/proc/self/exe", self, environ);
		_exit(99);
	}
	printf("exec: %d\n", status_of(pid));
	pid = fork();
	if (pid == 0) {
		execv(missing[0], missing);
		_exit(errno == ENOENT ? 5 : 6);
	}
	printf("missing: %d\n", status_of(pid));

	/* a pipeline of two processes */
	if (pipe(p) < 0 || pipe(q) < 0)
		return 1;
	if (fork() == 0) {
		dup2(p[1], 1);
		close(p[0]), close(p[1]), close(q[0]), close(q[1]);
		for (int i = 0; i < 1000; i++)
			printf("%d\n", i);
		fflush(stdout);
		_exit(0);
	}
	if (fork() == 0) {
		FILE *in = fdopen(p[0], "r");
		char line[32];
		long total = 0;

		close(p[1]);
		while (fgets(line, sizeof(line), in))
			total += atol(line);
		dprintf(q[1], "%ld", total);
		_exit(0);
	}
	close(p[0]), close(p[1]), close(q[1]);
	r = (int)read(q[0], buf, sizeof(buf) - 1);
	printf("pipeline: %s %d\n", buf, r);
	while (wait(NULL) > 0)
		;

	for (int i = 0; i < 10; i++) {
		kids[i] = fork();
		if (kids[i] == 0) {
			usleep(1000 * (unsigned)(10 - i));
			_exit(i * 3);
		}
	}
	for (int i = 0; i < 10; i++)
		sum += status_of(kids[i]);
	printf("ten: %d, then %d %d\n", sum, (int)wait(NULL), errno == ECHILD);

	pid = vfork();
	if (pid == 0) {
		word = 7;
		_exit(3);
	}
	printf("vfork: %d word %d\n", status_of(pid), word);
	r = posix_spawn(&pid, self[0], NULL, NULL, self, environ);
	sum = status_of(pid);
	printf("spawn: %d %d\n", r, sum);
	r = posix_spawn(&pid, missing[0], NULL, NULL, missing, environ);
	printf("spawn of nothing: %d\n", r == ENOENT);
	r = posix_spawnp(&pid, "sh", NULL, NULL, sh, environ);
	printf("spawnp: %d", r);
	printf(" %d\n", status_of(pid));
	r = system("exit 9");
	printf("system: %d\n", WEXITSTATUS(r));
	f = popen("echo from a shell; cat", "w");
	fputs("and more\n", f);
	printf("pclose %d\n", pclose(f));
	f = popen("echo $RS_WORD", "r");
	printf("%s", fgets(buf, sizeof(buf), f));
	pclose(f);

	pid = fork();
	if (pid == 0) {
		raise(SIGSTOP);
		_exit(8);
	}
	r = waitid(P_PID, (id_t)pid, &info, WSTOPPED | WEXITED);
	printf("stopped: %d %d %d\n", r, info.si_code == CLD_STOPPED, info.si_status == SIGSTOP);
	kill(pid, SIGCONT);
	r = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	printf("ended: %d %d %d\n", r, info.si_code == CLD_EXITED, info.si_status);
	printf("%d\n", status_of(pid));
	for (int sig = 1; sig <= 9; sig += 4) {
		pid = fork();
		if (pid == 0) {
			kill(getpid(), sig);
			_exit(0);
		}
		printf("killed: %d\n", status_of(pid));
	}
	pid = fork();
	if (pid == 0)
		abort();
	printf("aborted: %d\n", status_of(pid));
	pid = fork();
	if (pid == 0) {
		printf("group %d session %d", getpgrp() == getppid(), getsid(0) == getsid(getppid()));
		printf(" new %d\n", setsid() == getpid());
		_exit(0);
	}
	status_of(pid);
	atexit(bye);
	return 12;
}
