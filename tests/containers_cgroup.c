/* Control groups of their own on this machine's hierarchies (as root; else this says that it is skipped). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "tests/containers_cgroup.h"

static struct ctr_cgroup_host host;
static unsigned numbered;

static struct ctr_cgroup *make(const struct ctr_resources *r)
{
	rs_auto_free char *path = rs_xasprintf("/ringside-test-%d/g%u", (int)getpid(), numbered++);
	struct ctr_cgroup_opts o = { .path = path };
	struct rs_err err = RS_ERR_INIT;
	struct ctr_cgroup *cg;

	if (geteuid() || host.layout == CTR_LAYOUT_NONE) {
		print_message("skipped: only root makes groups here (layout %s)\n", ctr_layout_name(host.layout));
		skip();
	}
	cg = ctr_cgroup_make(&host, &o, r, &err);
	if (!cg)
		print_error("%s\n", err.text[RS_LANG_EN]);
	assert_non_null(cg);
	assert_true(ctr_cgroup_exists(cg));
	return cg;
}

static void drop(struct ctr_cgroup *cg)
{
	struct rs_err err = RS_ERR_INIT;

	if (ctr_cgroup_delete(cg, &err) < 0)
		print_error("%s\n", err.text[RS_LANG_EN]);
	assert_int_equal(err.code, 0);
	ctr_cgroup_free(cg);
}

/* A process in the group that runs f. */
static pid_t in_group(struct ctr_cgroup *cg, void (*f)(void))
{
	struct ctr_cgroup_entry e;
	struct rs_err err = RS_ERR_INIT;
	unsigned which;
	pid_t pid;

	assert_int_equal(ctr_cgroup_entry_open(cg, false, &e, &err), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (ctr_cgroup_entry_join(&e, &which) < 0)
			_exit(99);
		f();
		_exit(0);
	}
	ctr_cgroup_entry_close(&e);
	return pid;
}

static void apply(struct ctr_cgroup *cg, const struct ctr_resources *r, struct ctr_plan *p)
{
	struct rs_err err = RS_ERR_INIT;

	ctr_cgroup_plan(cg, r, p);
	if (ctr_cgroup_apply(cg, p, false, &err) < 0)
		print_error("%s\n", err.text[RS_LANG_EN]);
	assert_int_equal(err.code, 0);
	for (unsigned i = 0; i < p->n; i++)
		if (p->w[i].state != CTR_W_NOTHING)
			assert_int_equal(p->w[i].state, CTR_W_HELD);
}

static void limits_are_held(void **state)
{
	struct ctr_resources r = { 0 };
	struct ctr_plan p;
	struct ctr_stats s;
	struct ctr_cgroup *cg;

	(void)state;
	if (!ctr_cgroup_host_find(&host, "memory") || !ctr_cgroup_host_find(&host, "pids"))
		skip();
	set_i(&r, CTR_SET_MEMORY_LIMIT, 48 << 20);
	set_i(&r, CTR_SET_CPU_QUOTA, 20000);
	set_i(&r, CTR_SET_CPU_PERIOD, 50000);
	set_i(&r, CTR_SET_CPU_SHARES, 512);
	set_i(&r, CTR_SET_PIDS_LIMIT, 33);
	r.v[CTR_SET_CPU_CPUS] = (struct ctr_value){ .set = true, .text = rs_xstrdup("0") };
	cg = make(&r);
	apply(cg, &r, &p);
	ctr_plan_release(&p);
	ctr_cgroup_stats(cg, &s);
	assert_int_equal(s.memory.limit, 48 << 20);
	assert_int_equal(s.pids.limit, 33);
	assert_int_equal(s.cpu.quota_us, 20000);
	assert_int_equal(s.cpu.period_us, 50000);
	/* Update, both ways: a shorter period than the old quota allows, then a longer one; more memory. */
	set_i(&r, CTR_SET_CPU_QUOTA, 1000);
	set_i(&r, CTR_SET_CPU_PERIOD, 1000);
	set_i(&r, CTR_SET_MEMORY_LIMIT, 100 << 20);
	apply(cg, &r, &p);
	ctr_plan_release(&p);
	set_i(&r, CTR_SET_CPU_QUOTA, 900000);
	set_i(&r, CTR_SET_CPU_PERIOD, 1000000);
	apply(cg, &r, &p);
	ctr_plan_release(&p);
	ctr_cgroup_stats(cg, &s);
	assert_int_equal(s.cpu.quota_us, 900000);
	assert_int_equal(s.memory.limit, 100 << 20);
	drop(cg);
	ctr_resources_release(&r);
}

static void refusals_say_where_and_why(void **state)
{
	struct ctr_resources r = { 0 };
	struct rs_err err = RS_ERR_INIT;
	struct ctr_plan p;
	struct ctr_cgroup *cg;

	(void)state;
	r.v[CTR_SET_CPU_CPUS] = (struct ctr_value){ .set = true, .text = rs_xstrdup("1000-1001") };
	cg = make(&r);
	ctr_cgroup_plan(cg, &r, &p);
	assert_true(ctr_cgroup_apply(cg, &p, false, &err) < 0);
	assert_non_null(strstr(err.text[RS_LANG_EN], "cpu.cpus=1000-1001"));
	assert_non_null(strstr(err.text[RS_LANG_EN], "cpuset.cpus"));
	assert_int_equal(ctr_cgroup_apply(cg, &p, true, NULL), 0); /* lenient: the row says it */
	ctr_plan_release(&p);
	drop(cg);
	ctr_resources_release(&r);
}

static void eat_memory(void)
{
	for (unsigned i = 0; i < 256; i++) {
		char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			_exit(98);
		memset(p, 1, 1 << 20);
	}
}

static void too_much_memory_is_killed(void **state)
{
	struct ctr_resources r = { 0 };
	struct ctr_stats s;
	struct ctr_plan p;
	struct rs_err err = RS_ERR_INIT;
	struct ctr_cgroup *cg;
	char what[512]; /* an eventfd's number, or inotify's records */
	int status, fd;

	(void)state;
	set_i(&r, CTR_SET_MEMORY_LIMIT, 16 << 20);
	cg = make(&r);
	/* A swap limit only where the machine has swap to limit. */
	apply(cg, &r, &p);
	ctr_plan_release(&p);
	fd = ctr_cgroup_oom_fd(cg, &err);
	assert_true(fd >= 0);
	assert_int_equal(waitpid(in_group(cg, eat_memory), &status, 0) > 0, 1);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_true(read(fd, what, sizeof(what)) > 0);
	close(fd);
	ctr_cgroup_stats(cg, &s);
	assert_int_equal(s.memory.oom_kill, 1);
	assert_true(s.memory.peak <= 16 << 20 && s.memory.peak > 15 << 20);
	assert_true(s.memory.max > 0);
	drop(cg);
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

#define BURN_NS 60000000u

static void burn(void)
{
	while (now_ns(CLOCK_PROCESS_CPUTIME_ID) < BURN_NS)
		;
}

/* A fifth and not a half: on two busy processors half of one may be all that there is to get. */
static void a_fifth_of_a_processor_takes_five_times_as_long(void **state)
{
	struct ctr_resources r = { 0 };
	struct ctr_stats s;
	struct ctr_plan p;
	struct ctr_cgroup *cg;
	uint64_t t;
	double ratio;
	struct rusage used;
	uint64_t own;
	int status;

	(void)state;
	set_i(&r, CTR_SET_CPU_QUOTA, 4000);
	set_i(&r, CTR_SET_CPU_PERIOD, 20000);
	cg = make(&r);
	apply(cg, &r, &p);
	ctr_plan_release(&p);
	t = now_ns(CLOCK_MONOTONIC);
	assert_true(wait4(in_group(cg, burn), &status, 0, &used) > 0);
	assert_int_equal(status, 0);
	own = (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000000u +
	      (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1000u;
	ratio = (double)(now_ns(CLOCK_MONOTONIC) - t) / BURN_NS;
	ctr_cgroup_stats(cg, &s);
	print_message("60 ms of processor time took %.2f times as long at 20 %%; throttled in %llu of %llu periods\n", ratio,
		      (unsigned long long)s.cpu.throttled, (unsigned long long)s.cpu.periods);
	assert_true(ratio > 4); /* a busy machine makes it longer, never shorter */
	if (ratio < 7) { /* else others left it so little that the limit had nothing to do */
		assert_true(s.cpu.throttled >= 3);
		assert_true(s.cpu.throttled_ns > 0);
	}
	/* the group's account against the process's own, which began a little earlier */
	assert_in_range(s.cpu.usage_ns, BURN_NS - BURN_NS / 10, own + BURN_NS / 2);
	drop(cg);
}

static void wait_forever(void)
{
	if (fork() == 0)
		fork();
	for (;;)
		pause();
}

static unsigned settle(struct ctr_cgroup *cg, unsigned want)
{
	struct rs_err err = RS_ERR_INIT;
	unsigned n = 0;

	for (unsigned i = 0; i < 2000 && n != want; i++) {
		pid_t *pids = NULL;

		n = (unsigned)ctr_cgroup_pids(cg, &pids, &err);
		free(pids);
		usleep(1000);
	}
	return n;
}

static void groups_freeze_die_and_go(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	rs_auto_str saved = RS_STR_INIT;
	struct ctr_cgroup *cg = make(NULL), *again;
	pid_t pid = in_group(cg, wait_forever);
	bool frozen;
	int status;

	(void)state;
	assert_int_equal(settle(cg, 3), 3);
	assert_int_equal(ctr_cgroup_freeze(cg, true, &err), 0);
	assert_int_equal(ctr_cgroup_frozen(cg, &frozen, &err), 0);
	assert_true(frozen);
	assert_int_equal(ctr_cgroup_freeze(cg, false, &err), 0);
	ctr_cgroup_save(cg, &saved);
	again = ctr_cgroup_restore(saved.p, &err);
	assert_non_null(again);
	assert_int_equal(settle(again, 3), 3);
	/* Also a frozen group can be removed. */
	assert_int_equal(ctr_cgroup_freeze(again, true, &err), 0);
	drop(again);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(ctr_cgroup_delete(cg, &err), 0); /* what is gone already is no error */
	ctr_cgroup_free(cg);
}

static void clone3_is_born_into_the_group(void **state)
{
	struct ctr_cgroup *cg = make(NULL);
	struct ctr_cgroup_entry e;
	struct rs_err err = RS_ERR_INIT;
	uint64_t args[11] = { 0 }; /* struct clone_args: flags first, exit_signal fifth, cgroup eleventh */
	long pid;

	(void)state;
	assert_int_equal(ctr_cgroup_entry_open(cg, true, &e, &err), 0);
	if (e.clone_fd < 0) {
		drop(cg);
		skip();
	}
	args[0] = 0x200000000ull; /* CLONE_INTO_CGROUP */
	args[4] = SIGCHLD;
	args[10] = (uint64_t)e.clone_fd;
	pid = syscall(SYS_clone3, args, sizeof(args));
	assert_true(pid >= 0);
	if (pid == 0)
		for (;;)
			pause();
	ctr_cgroup_entry_close(&e);
	rs_auto_free char *path = rs_xasprintf("/proc/%ld/cgroup", pid);
	char text[4096] = "";
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	assert_true(fread(text, 1, sizeof(text) - 1, f) > 0);
	fclose(f);
	assert_non_null(strstr(text, "0::/ringside-test-"));
	drop(cg);
	waitpid((pid_t)pid, NULL, 0);
}

/* Another container was the last user of a folder that both share, and removes it at the worst moment. */
static int pull_away(void *pulled, const char *dir, struct rs_err *err)
{
	rs_auto_free char *parent = rs_xstrdup(dir);
	char *slash = strrchr(parent, '/');

	(void)err;
	if (strcmp(slash, "/leaf") != 0 || *(unsigned *)pulled >= 3)
		return 0;
	*slash = '\0';
	*(unsigned *)pulled += rmdir(parent) == 0;
	return 0;
}

static void a_shared_folder_may_go(void **state)
{
	rs_auto_free char *path = rs_xasprintf("/ringside-test-%d/leaf", (int)getpid());
	unsigned pulled = 0;
	struct ctr_cgroup_opts o = { .path = path, .will_make = pull_away, .arg = &pulled };
	struct rs_err err = RS_ERR_INIT;
	struct ctr_cgroup *cg;

	(void)state;
	drop(make(NULL)); /* says when it is skipped */
	cg = ctr_cgroup_make(&host, &o, NULL, &err);
	if (!cg)
		print_error("%s\n", err.text[RS_LANG_EN]);
	assert_non_null(cg);
	assert_int_equal(pulled, 3);
	drop(cg);
}

static void devices_are_denied(void **state)
{
	struct ctr_device_rule rules[] = { { false, 'a', -1, -1, CTR_DEV_ALL }, { true, 'c', 1, 3, CTR_DEV_READ | CTR_DEV_WRITE } };
	struct ctr_resources r = { .device = rules, .devices = 2 };
	struct ctr_cgroup *cg = make(&r);
	struct ctr_plan p;
	struct ctr_cgroup_entry e;
	struct rs_err err = RS_ERR_INIT;
	unsigned which;
	int status;
	pid_t pid;

	(void)state;
	apply(cg, &r, &p);
	ctr_plan_release(&p);
	assert_int_equal(ctr_cgroup_entry_open(cg, false, &e, &err), 0);
	pid = fork();
	if (pid == 0) {
		int good = ctr_cgroup_entry_join(&e, &which) == 0 && open("/dev/null", O_RDWR) >= 0 &&
			   open("/dev/zero", O_RDONLY) < 0 && errno == EPERM;

		_exit(good ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	ctr_cgroup_entry_close(&e);
	drop(cg);
}

static int open_host(void **state)
{
	(void)state;
	if (ctr_cgroup_host_read(&host, NULL) < 0)
		return -1;
	if (host.layout != CTR_LAYOUT_V2)
		print_message("skipped: what only pure cgroup v2 has (this machine: %s)\n", ctr_layout_name(host.layout));
	return 0;
}

static int close_host(void **state)
{
	(void)state;
	/* The folder above the groups goes with the last of them. */
	const char *dir = host.n ? host.h[0].mount : "";
	rs_auto_free char *path = rs_xasprintf("%s/ringside-test-%d", dir, (int)getpid());
	int left = access(path, F_OK) == 0;

	/* A test that failed half-way left its group: the next run must not find it. */
	rs_auto_free char *clean = rs_xasprintf("find /sys/fs/cgroup -depth -type d -path '*/ringside-test-%d*' -exec rmdir {} ';' 2>/dev/null",
						(int)getpid());

	if (left)
		(void)!system(clean);
	ctr_cgroup_host_release(&host);
	return left;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_are_held),
		cmocka_unit_test(refusals_say_where_and_why),
		cmocka_unit_test(too_much_memory_is_killed),
		cmocka_unit_test(a_fifth_of_a_processor_takes_five_times_as_long),
		cmocka_unit_test(groups_freeze_die_and_go),
		cmocka_unit_test(clone3_is_born_into_the_group),
		cmocka_unit_test(devices_are_denied),
		cmocka_unit_test(a_shared_folder_may_go),
	};

	return cmocka_run_group_tests(tests, open_host, close_host);
}
