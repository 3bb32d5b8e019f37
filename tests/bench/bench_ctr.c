/* From start to end of a static /bin/true: by fork and exec, by a bare clone3 with pivot_root, by
 * bubblewrap, crun and runc where they are installed, and by ringside-oci; and the peak memory of each.
 * The rounds are interleaved, so that a busy machine disturbs all alike.
 */
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"
#include "engine/base/str.h"
#include "tests/bench/bench.h"

#define ROUNDS 60
#define WAYS 12

static char dir[] = "/tmp/ringside-bench-XXXXXX";
static char bundle[64], root[64], rootfs[64], program[64];
static char oci[4096];

static const char config[] =
	"{\"ociVersion\":\"1.0.2\",\"process\":{\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"/true\"],\"env\":[\"PATH=/\"],\"cwd\":\"/\"},"
	"\"root\":{\"path\":\"rootfs\"},\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"}],"
	"\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"mount\"},{\"type\":\"cgroup\"}]}}";

/* One way to run it; argv NULL: `run` does it in this process. */
struct way {
	struct bench_row row;
	char *argv[4][12];   /* commands one after the other */
	int (*run)(void);
	long memory;         /* KiB at most, of the largest process */
	bool broken;
};

static int bare(void)
{
	struct clone_args a = {
		.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP, .exit_signal = SIGCHLD,
	};
	pid_t pid = (pid_t)syscall(SYS_clone3, &a, sizeof(a));
	int status;

	if (pid == 0) {
		if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		    mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL) == 0 && chdir(rootfs) == 0 &&
		    mount("proc", "proc", "proc", 0, NULL) == 0 && syscall(SYS_pivot_root, ".", ".") == 0 &&
		    umount2(".", MNT_DETACH) == 0 && chdir("/") == 0)
			execl("/true", "true", (char *)NULL);
		_exit(1);
	}
	return pid < 0 || waitpid(pid, &status, 0) < 0 || status ? -1 : 0;
}

static int spawn(char *const argv[], long *memory)
{
	posix_spawn_file_actions_t fa;
	struct rusage ru;
	int status = -1;
	pid_t pid;

	posix_spawn_file_actions_init(&fa);
	for (int fd = 0; fd < 3; fd++)
		posix_spawn_file_actions_addopen(&fa, fd, "/dev/null", O_RDWR, 0);
	if (posix_spawn(&pid, argv[0], &fa, NULL, argv, environ) == 0 && wait4(pid, &status, 0, &ru) == pid &&
	    ru.ru_maxrss > *memory)
		*memory = ru.ru_maxrss;
	posix_spawn_file_actions_destroy(&fa);
	return status ? -1 : 0;
}

static void one(struct way *w)
{
	uint64_t t = bench_now();
	int rc = 0;

	if (w->broken)
		return;
	if (w->run)
		rc = w->run();
	for (unsigned i = 0; rc == 0 && i < 4 && w->argv[i][0]; i++)
		rc = spawn(w->argv[i], &w->memory);
	if (rc)
		w->broken = true;
	else
		bench_add(&w->row, (double)(bench_now() - t) / 1e6);
}

static char *find(const char *name)
{
	static const char *const dirs[] = { "/usr/bin", "/usr/sbin", "/bin", "/usr/local/bin" };

	for (unsigned i = 0; i < 4; i++) {
		char *path = rs_xasprintf("%s/%s", dirs[i], name);

		if (access(path, X_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

static bool prepare(void)
{
	rs_auto_str cmd = RS_STR_INIT;
	const char *ringside = getenv("RINGSIDE");

	snprintf(oci, sizeof(oci), "%s-oci", ringside ? ringside : "build/ringside");
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    access(oci, X_OK) < 0 || !mkdtemp(dir))
		return false;
	umount2("/sys/fs/cgroup/unified", MNT_DETACH); /* crun refuses hybrid hosts */
	snprintf(bundle, sizeof(bundle), "%s/b", dir);
	snprintf(rootfs, sizeof(rootfs), "%s/b/rootfs", dir);
	/* where /run would be: in memory, for all of them */
	snprintf(root, sizeof(root), "%s/ringside-bench-%d", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : dir, (int)getpid());
	snprintf(program, sizeof(program), "%s/b/rootfs/true", dir);
	rs_str_addf(&cmd, "mkdir -p %s/proc %s/dev %s && echo 'int main(void){return 0;}' | cc -O2 -static -x c -o %s - 2>/dev/null", rootfs,
		    rootfs, root, program);
	if (system(cmd.p))
		return false;
	rs_auto_free char *path = rs_xasprintf("%s/config.json", bundle);

	return rs_file_save(path, config, sizeof(config) - 1, NULL) == 0;
}

#define RUNTIME(title, binary, ...)                                                                \
	{ .row = { .name = title }, .argv = { { binary, (char *)"--root", root, __VA_ARGS__ } } }

int main(void)
{
	if (!prepare()) {
		printf("containers: skipped: needs root, mount namespaces, a C compiler and ringside-oci\n");
		rs_rmtree(dir, NULL);
		return 77;
	}
	char *bwrap = find("bwrap"), *crun = find("crun"), *runc = find("runc"), *un = find("unshare");
#define B (char *)"run", (char *)"-b", bundle, (char *)"x"
#define OFF (char *)"--cgroup-manager", (char *)"disabled"
	struct way ways[WAYS] = {
		{ .row = { .name = "fork and exec" }, .argv = { { program } } },
		{ .row = { .name = "bare clone3, pivot_root, exec" }, .run = bare },
		{ .row = { .name = "unshare" }, .argv = { { un, (char *)"-mpiuCf", program } } },
		{ .row = { .name = "bubblewrap" }, .argv = { { bwrap, (char *)"--unshare-pid", (char *)"--unshare-ipc", (char *)"--unshare-uts",
			(char *)"--unshare-cgroup", (char *)"--bind", rootfs, (char *)"/", (char *)"--proc", (char *)"/proc", (char *)"/true" } } },
		RUNTIME("ringside-oci run, no cgroup", oci, OFF, B),
		RUNTIME("crun run, no cgroup", crun, OFF, B),
		RUNTIME("ringside-oci run", oci, B),
		{ .row = { .name = "ringside-oci create, start, delete" },
		  .argv = { { oci, (char *)"--root", root, (char *)"create", (char *)"-b", bundle, (char *)"y" },
			    { oci, (char *)"--root", root, (char *)"start", (char *)"y" },
			    { oci, (char *)"--root", root, (char *)"delete", (char *)"-f", (char *)"y" } } },
		RUNTIME("crun run", crun, B),
		RUNTIME("runc run", runc, B),
	};

	for (unsigned r = 0; r < ROUNDS; r++)
		for (unsigned i = 0; i < WAYS; i++)
			if (ways[i].row.name && (ways[i].run || ways[i].argv[0][0]))
				one(&ways[i]);
			else
				ways[i].broken = true;
	bench_head("containers: start to end of a static /bin/true", "ms");
	for (unsigned i = 0; i < WAYS && ways[i].row.name; i++) {
		if (ways[i].broken) {
			printf("  %-44s not here, or it does not run here\n", ways[i].row.name);
			continue;
		}
		bench_print(&ways[i].row, &ways[1].row);
	}
	printf("  peak memory:");
	for (unsigned i = 0; i < WAYS && ways[i].row.name; i++)
		if (!ways[i].broken && ways[i].memory)
			printf("%s %s %ld KiB", i ? "," : "", ways[i].row.name, ways[i].memory);
	printf("\n");

	int kept = bench_budget("without cgroups, over the bare one", bench_median(&ways[4].row) / bench_median(&ways[1].row), 1.5, "x");

	if (!ways[5].broken)
		kept &= bench_budget("without cgroups, over crun", bench_median(&ways[4].row) / bench_median(&ways[5].row), 1, "x");
	if (!ways[8].broken)
		kept &= bench_budget("with cgroups, over crun", bench_median(&ways[6].row) / bench_median(&ways[8].row), 1, "x");
	rs_rmtree(dir, NULL);
	rs_rmtree(root, NULL);
	free(bwrap);
	free(crun);
	free(runc);
	free(un);
	(void)kept; /* told, not judged: others share this machine */
	return 0;
}
