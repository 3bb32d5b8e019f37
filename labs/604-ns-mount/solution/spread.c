/* A host and a container, each with a mount table of its own. Decide what spreads from one to the other. */
#include "tables.h"

/* In the host's table, before the container is born. */
static void host_side(void)
{
	must(mount(NULL, "/data", NULL, MS_SHARED, NULL), "MS_SHARED");
	must(mount(NULL, "/media", NULL, MS_SHARED, NULL), "MS_SHARED");
}

/* In the container's copy of the table, before it mounts anything. */
static void container_side(void)
{
	must(mount(NULL, "/media", NULL, MS_SLAVE, NULL), "MS_SLAVE");
}

int main(void)
{
	int to_host[2], to_container[2];
	pid_t pid;

	folder("/data"), folder("/media");
	must(mount("/data", "/data", NULL, MS_BIND, NULL), "bind");   /* only a mount has a way of spreading */
	must(mount("/media", "/media", NULL, MS_BIND, NULL), "bind");
	folder("/data/disk"), folder("/media/usb"), folder("/media/own");
	host_side();
	must(pipe(to_host), "pipe");
	must(pipe(to_container), "pipe");
	pid = fork();
	must(pid, "fork");
	if (pid == 0) {
		must(unshare(CLONE_NEWNS), "unshare");
		container_side();
		plug_in("/data/disk");
		plug_in("/media/own");
		tell(to_host[1]);
		wait_for(to_container[0]);
		look("the container", "/media/usb");
		return 0;
	}
	wait_for(to_host[0]);
	look("the host", "/data/disk");
	look("the host", "/media/own");
	plug_in("/media/usb");
	tell(to_container[1]);
	waitpid(pid, NULL, 0);
	return 0;
}
