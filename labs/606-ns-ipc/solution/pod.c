/* Two copies of one program, each with messages of its own, and a helper that belongs to the second. */
#include "box.h"

/* In each copy, before it posts anything. */
static void isolate(void)
{
	must(unshare(CLONE_NEWIPC), "unshare");
}

/* In the helper: go where the process `pid` is. */
static void join(pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/ipc", pid);
	fd = open(path, O_RDONLY);
	must(fd, path);
	must(setns(fd, CLONE_NEWIPC), "setns");
}

static pid_t copy(const char *name, int posted, int go, const char *message)
{
	pid_t pid = fork();

	must(pid, "fork");
	if (pid == 0) {
		isolate();
		post(message);
		tell(posted);
		wait_for(go);
		fetch(name);
		exit(0);
	}
	return pid;
}

int main(void)
{
	int posted[2], go1[2], go2[2];
	pid_t second, helper;

	must(pipe(posted), "pipe"), must(pipe(go1), "pipe"), must(pipe(go2), "pipe");
	copy("the first copy", posted[1], go1[0], "letter to the first");
	wait_for(posted[0]);
	second = copy("the second copy", posted[1], go2[0], "letter to the second");
	wait_for(posted[0]);
	helper = fork();
	must(helper, "fork");
	if (helper == 0) {
		join(second);
		post("note from the helper");
		fetch("the helper"); /* the oldest message there */
		return 0;
	}
	waitpid(helper, NULL, 0);
	tell(go1[1]);
	tell(go2[1]);
	while (wait(NULL) > 0)
		;
	return 0;
}
