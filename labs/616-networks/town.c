/* A host and three containers: "web" and "db" on one network with the host, "vault" on none. */
#include "net.h"

/* On the host, before there is any container. It shall be 10.0.0.1. */
static void host(void)
{
}

/* On the host, once for "web" and once for "db". `pid` is in the container's network namespace. */
static void connect_container(const char *name, pid_t pid)
{
	(void)name, (void)pid;
}

/* In the container: 10.0.0.2 for "web", 10.0.0.3 for "db". */
static void inside(const char *address_text)
{
	(void)address_text;
}

static pid_t container(const char *name, const char *address_text, const char *calls)
{
	int born[2], wired[2], done[2];
	char c;
	pid_t pid;

	must(pipe(born), "pipe"), must(pipe(wired), "pipe"), must(pipe(done), "pipe");
	pid = fork();
	must(pid, "fork");
	if (pid == 0) {
		must(unshare(CLONE_NEWNET), "unshare");
		must((int)write(born[1], "x", 1), "write");
		must((int)read(wired[0], &c, 1), "read");
		if (address_text)
			inside(address_text);
		if (calls) {
			usleep(200000);
			call(name, calls);
		}
		must((int)write(done[1], "x", 1), "write");
		answer_as(name);
		exit(0);
	}
	must((int)read(born[0], &c, 1), "read");
	if (address_text)
		connect_container(name, pid);
	must((int)write(wired[1], "x", 1), "write");
	must((int)read(done[0], &c, 1), "read");
	usleep(100000);
	return pid;
}

int main(void)
{
	pid_t pid[3];

	host();
	pid[0] = container("db", "10.0.0.3", NULL);
	pid[1] = container("web", "10.0.0.2", "10.0.0.3");
	pid[2] = container("vault", NULL, "10.0.0.3");
	call("the host", "10.0.0.2");
	for (int i = 0; i < 3; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
	}
	return 0;
}
