/* Control groups: how hosts are read, what settings become, the device program against its oracle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "tests/containers_cgroup.h"

/* ---- reading hosts ---- */

static const char v1_mounts[] =
	"31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
	"32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
	"35 31 0:32 /docker/x\\040y /sys/fs/cgroup/memory ro - cgroup cgroup rw,xattr,memory\n"
	"40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/lib/a,name=systemd\n";
static const char v2_mounts[] = "26 23 0:23 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

static void hosts_are_read(void **state)
{
	struct ctr_cgroup_host h;
	rs_auto_str both = RS_STR_INIT;

	(void)state;
	assert_int_equal(ctr_cgroup_host_parse(v1_mounts, "4:memory:/docker/x y\n2:cpu,cpuacct:/a\n1:name=systemd:/s\n0::/u\n", &h,
					       NULL), 0);
	assert_int_equal(h.layout, CTR_LAYOUT_V1);
	assert_int_equal(h.n, 3);
	assert_string_equal(h.h[0].controllers, "cpu,cpuacct");
	assert_string_equal(h.h[0].own, "/a");
	assert_string_equal(h.h[1].mount_root, "/docker/x y");
	assert_string_equal(h.h[1].own, "/docker/x y");
	assert_string_equal(h.h[2].controllers, "name=systemd");
	assert_ptr_equal(ctr_cgroup_host_find(&h, "cpuacct"), &h.h[0]);
	assert_null(ctr_cgroup_host_find(&h, "cpuset"));
	assert_null(ctr_cgroup_host_find(&h, "pids"));
	ctr_cgroup_host_release(&h);

	assert_int_equal(ctr_cgroup_host_parse(v2_mounts, "0::/user.slice/x.scope\n", &h, NULL), 0);
	assert_int_equal(h.layout, CTR_LAYOUT_V2);
	assert_string_equal(h.h[0].own, "/user.slice/x.scope");
	assert_ptr_equal(ctr_cgroup_host_find(&h, "devices"), &h.h[0]);
	ctr_cgroup_host_release(&h);

	rs_str_addf(&both, "%s%s", v1_mounts, v2_mounts);
	assert_int_equal(ctr_cgroup_host_parse(both.p, "", &h, NULL), 0);
	assert_int_equal(h.layout, CTR_LAYOUT_HYBRID);
	ctr_cgroup_host_release(&h);

	/* Named hierarchies alone limit nothing. */
	assert_int_equal(ctr_cgroup_host_parse(strstr(v1_mounts, "40 31"), "", &h, NULL), 0);
	assert_int_equal(h.layout, CTR_LAYOUT_NONE);
	ctr_cgroup_host_release(&h);
	assert_int_equal(ctr_cgroup_host_parse("", "garbage\n::\n1:x\n", &h, NULL), 0);
	assert_int_equal(h.layout, CTR_LAYOUT_NONE);
	ctr_cgroup_host_release(&h);
}

/* ---- what settings become, in folders that look like a group ---- */

struct scene {
	char dir[64];
	struct ctr_cgroup *cg;
};

static void touch(const char *dir, const char *file, const char *text)
{
	rs_auto_free char *path = rs_xasprintf("%s/%s", dir, file);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* Both versions' files, and a group that has one of them. */
static void scene_open(struct scene *s, bool v2)
{
	rs_auto_str text = RS_STR_INIT;
	struct rs_err err = RS_ERR_INIT;

	strcpy(s->dir, "/tmp/ringside-cgXXXXXX");
	assert_non_null(mkdtemp(s->dir));
	for (unsigned i = 0; i < CTR_SET_COUNT; i++) {
		const char *file = v2 ? ctr_set_infos[i].v2 : ctr_set_infos[i].v1;

		if (file && !strchr(file, '*'))
			touch(s->dir, file, "");
	}
	touch(s->dir, "memory.high", "");
	if (v2)
		rs_str_addf(&text, "2 0 0 cpu,cpuset,memory,pids,io %s\n", s->dir);
	else
		rs_str_addf(&text, "1 0 0 cpu,cpuacct,cpuset,memory,devices,freezer,blkio,pids,net_cls,net_prio %s\n", s->dir);
	s->cg = ctr_cgroup_restore(text.p, &err);
	assert_non_null(s->cg);
}

static void scene_close(struct scene *s)
{
	rs_auto_free char *order = rs_xasprintf("rm -rf %s", s->dir);

	ctr_cgroup_free(s->cg);
	assert_int_equal(system(order), 0);
}

static const struct ctr_write *row(const struct ctr_plan *p, enum ctr_setting set)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->w[i].setting == set)
			return &p->w[i];
	return NULL;
}

static void expect(const struct ctr_plan *p, enum ctr_setting set, const char *file, const char *value)
{
	const struct ctr_write *w = row(p, set);

	assert_non_null(w);
	if (!file) {
		assert_int_not_equal(w->state, CTR_W_PLANNED);
		assert_non_null(w->why);
		return;
	}
	assert_int_equal(w->state, CTR_W_PLANNED);
	assert_string_equal(strrchr(w->file, '/') + 1, file);
	assert_string_equal(w->value, value);
}

static void settings_become_writes(void **state)
{
	struct ctr_resources r = { 0 };
	struct ctr_rate rate = { CTR_SET_IO_WRITE_IOPS, 8, 16, 120 };
	struct ctr_unified high = { (char *)"memory.high", (char *)"20000000" };
	struct ctr_plan p;
	struct scene s;

	(void)state;
	set_i(&r, CTR_SET_MEMORY_LIMIT, 64 << 20);
	set_i(&r, CTR_SET_MEMORY_SWAP, 96 << 20);
	set_i(&r, CTR_SET_MEMORY_RESERVATION, -1);
	set_i(&r, CTR_SET_MEMORY_SWAPPINESS, 10);
	set_i(&r, CTR_SET_CPU_SHARES, 1024);
	set_i(&r, CTR_SET_CPU_QUOTA, 50000);
	set_i(&r, CTR_SET_CPU_PERIOD, 200000);
	set_i(&r, CTR_SET_PIDS_LIMIT, -1);
	set_i(&r, CTR_SET_IO_WEIGHT, 1000);
	set_i(&r, CTR_SET_NET_CLASS, 0x100001);
	r.rate = &rate;
	r.rates = 1;
	r.unified = &high;
	r.unifieds = 1;
	assert_int_equal(ctr_resources_check(&r, NULL), 0);

	scene_open(&s, false);
	ctr_cgroup_plan(s.cg, &r, &p);
	expect(&p, CTR_SET_MEMORY_LIMIT, "memory.limit_in_bytes", "67108864");
	expect(&p, CTR_SET_MEMORY_SWAP, "memory.memsw.limit_in_bytes", "100663296");
	expect(&p, CTR_SET_MEMORY_RESERVATION, "memory.soft_limit_in_bytes", "-1");
	expect(&p, CTR_SET_CPU_SHARES, "cpu.shares", "1024");
	expect(&p, CTR_SET_CPU_QUOTA, "cpu.cfs_quota_us", "50000");
	expect(&p, CTR_SET_CPU_PERIOD, "cpu.cfs_period_us", "200000");
	expect(&p, CTR_SET_PIDS_LIMIT, "pids.max", "max");
	expect(&p, CTR_SET_IO_WEIGHT, "blkio.weight", "1000");
	expect(&p, CTR_SET_IO_WRITE_IOPS, "blkio.throttle.write_iops_device", "8:16 120");
	expect(&p, CTR_SET_NET_CLASS, "net_cls.classid", "1048577");
	expect(&p, CTR_SET_UNIFIED, NULL, NULL);
	ctr_plan_release(&p);
	scene_close(&s);

	scene_open(&s, true);
	ctr_cgroup_plan(s.cg, &r, &p);
	expect(&p, CTR_SET_MEMORY_LIMIT, "memory.max", "67108864");
	expect(&p, CTR_SET_MEMORY_SWAP, "memory.swap.max", "33554432"); /* swap alone */
	expect(&p, CTR_SET_MEMORY_RESERVATION, "memory.low", "max");
	expect(&p, CTR_SET_MEMORY_SWAPPINESS, NULL, NULL);
	expect(&p, CTR_SET_CPU_SHARES, "cpu.weight", "100");
	expect(&p, CTR_SET_CPU_QUOTA, "cpu.max", "50000 200000");
	expect(&p, CTR_SET_CPU_PERIOD, NULL, NULL);
	expect(&p, CTR_SET_PIDS_LIMIT, "pids.max", "max");
	expect(&p, CTR_SET_IO_WEIGHT, "io.weight", "default 10000");
	expect(&p, CTR_SET_IO_WRITE_IOPS, "io.max", "8:16 wiops=120");
	expect(&p, CTR_SET_NET_CLASS, NULL, NULL);
	expect(&p, CTR_SET_UNIFIED, "memory.high", "20000000");
	ctr_plan_release(&p);

	/* the ends of the weight */
	static const struct {
		uint64_t shares;
		const char *weight;
	} weights[] = { { 2, "1" }, { 512, "59" }, { 2048, "174" }, { 262144, "10000" } };

	for (unsigned i = 0; i < 4; i++) {
		struct ctr_resources one = { 0 };

		set_i(&one, CTR_SET_CPU_SHARES, (int64_t)weights[i].shares);
		ctr_cgroup_plan(s.cg, &one, &p);
		expect(&p, CTR_SET_CPU_SHARES, "cpu.weight", weights[i].weight);
		ctr_plan_release(&p);
	}
	scene_close(&s);
}

/* No setting of the table is lost: each becomes at least one row, on either version. */
static void nothing_is_lost(void **state)
{
	(void)state;
	for (unsigned v2 = 0; v2 < 2; v2++) {
		struct scene s;

		scene_open(&s, v2);
		for (unsigned i = 0; i < CTR_SET_COUNT; i++) {
			struct ctr_resources r = { 0 };
			struct ctr_plan p;

			if (ctr_set_infos[i].type > CTR_T_TEXT)
				continue;
			r.v[i].set = true;
			r.v[i].text = ctr_set_infos[i].type == CTR_T_TEXT ? rs_xstrdup("0") : NULL;
			if (!r.v[i].text)
				r.v[i].u = 1;
			ctr_cgroup_plan(s.cg, &r, &p);
			assert_int_equal(p.n, 1);
			assert_true(p.w[0].state == CTR_W_PLANNED ? p.w[0].file && p.w[0].value : p.w[0].why != NULL);
			assert_int_equal(ctr_set_by_json(ctr_set_infos[i].json), i);
			ctr_plan_release(&p);
			ctr_resources_release(&r);
		}
		scene_close(&s);
	}
}

static void bad_resources_are_refused(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	struct ctr_resources r = { 0 };
	struct ctr_unified u = { (char *)"../x.y", (char *)"1" };
	struct ctr_device_rule d = { true, 'a', 1, 3, CTR_DEV_ALL };

	(void)state;
	set_i(&r, CTR_SET_MEMORY_SWAP, 10);
	assert_int_equal(ctr_resources_check(&r, &err), -EINVAL);
	set_i(&r, CTR_SET_MEMORY_LIMIT, 20);
	assert_int_equal(ctr_resources_check(&r, &err), -EINVAL);
	assert_non_null(strstr(err.text[RS_LANG_EN], "memory.swap"));
	r = (struct ctr_resources){ 0 };
	set_i(&r, CTR_SET_MEMORY_SWAPPINESS, 101);
	assert_int_equal(ctr_resources_check(&r, &err), -EINVAL);
	r = (struct ctr_resources){ .unified = &u, .unifieds = 1 };
	assert_int_equal(ctr_resources_check(&r, &err), -EINVAL);
	u.file = (char *)"cgroup.procs";
	assert_int_equal(ctr_resources_check(&r, &err), -EINVAL);
	u.file = (char *)"memory.high";
	assert_int_equal(ctr_resources_check(&r, &err), 0);
	r = (struct ctr_resources){ .device = &d, .devices = 1 };
	assert_int_equal(ctr_resources_check(&r, &err), -EINVAL);
	d.major = d.minor = -1;
	assert_int_equal(ctr_resources_check(&r, &err), 0);
}

/* ---- devices: the program against the rules, on a small machine of our own ---- */

/* Runs the few operations that the program is made of (kernel: Documentation/bpf/instruction-set). */
static int run_program(const struct bpf_insn *p, unsigned n, const struct bpf_cgroup_dev_ctx *ctx)
{
	uint64_t r[11] = { 0 };
	unsigned steps = 0;

	for (unsigned pc = 0; pc < n && steps++ < 10000; pc++) {
		const struct bpf_insn *i = &p[pc];
		uint64_t src = BPF_SRC(i->code) == BPF_X ? r[i->src_reg] : (uint64_t)(int64_t)i->imm;

		switch (i->code & ~BPF_X) {
		case BPF_LDX | BPF_MEM | BPF_W:
			assert_int_equal(i->src_reg, 1);
			r[i->dst_reg] = *(const uint32_t *)((const char *)ctx + i->off);
			continue;
		case BPF_ALU64 | BPF_MOV:
			r[i->dst_reg] = src;
			continue;
		case BPF_ALU64 | BPF_AND:
			r[i->dst_reg] &= src;
			continue;
		case BPF_ALU64 | BPF_RSH:
			r[i->dst_reg] >>= src;
			continue;
		case BPF_JMP | BPF_JNE:
			pc += r[i->dst_reg] != src ? (unsigned)i->off : 0;
			continue;
		case BPF_JMP | BPF_JEQ:
			pc += r[i->dst_reg] == src ? (unsigned)i->off : 0;
			continue;
		case BPF_JMP | BPF_EXIT:
			return (int)r[0];
		default:
			if (i->code == (BPF_LDX | BPF_MEM | BPF_W)) {
				r[i->dst_reg] = *(const uint32_t *)((const char *)ctx + i->off);
				continue;
			}
			fail_msg("an instruction that the program should not have: %#x", i->code);
		}
	}
	fail_msg("the program does not end");
	return -1;
}

static void device_programs_say_what_rules_say(void **state)
{
	unsigned seed = 7;

	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		struct ctr_device_rule rule[6];
		unsigned n = round % 7 > 5 ? 5 : round % 7, insns;

		for (unsigned i = 0; i < n; i++) {
			unsigned x = (unsigned)rand_r(&seed);

			rule[i] = (struct ctr_device_rule){ x & 1, "abc"[x / 2 % 3], x / 8 % 3 - 1, x / 32 % 3 - 1, 1 + x / 128 % 7 };
			if (rule[i].type == 'a')
				rule[i].major = rule[i].minor = -1;
		}
		rs_auto_free struct bpf_insn *p = ctr_device_program(rule, n, &insns);

		for (unsigned k = 0; k < 2 * 2 * 2 * 7; k++) {
			char type = "bc"[k % 2];
			unsigned major = k / 2 % 2, minor = k / 4 % 2, access = 1 + k / 8 % 7;
			struct bpf_cgroup_dev_ctx ctx = { 0, major, minor };

			ctx.access_type = (access & CTR_DEV_READ ? BPF_DEVCG_ACC_READ : 0) |
					  (access & CTR_DEV_WRITE ? BPF_DEVCG_ACC_WRITE : 0) |
					  (access & CTR_DEV_MKNOD ? BPF_DEVCG_ACC_MKNOD : 0);
			ctx.access_type = ctx.access_type << 16 | (type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
			assert_int_equal(run_program(p, insns, &ctx), ctr_device_allowed(rule, n, type, major, minor, access));
		}
	}
	/* what the words mean */
	const struct ctr_device_rule usual[] = { { false, 'a', -1, -1, CTR_DEV_ALL },
						 { true, 'c', -1, -1, CTR_DEV_MKNOD },
						 { true, 'c', 1, 3, CTR_DEV_READ | CTR_DEV_WRITE } };

	assert_true(ctr_device_allowed(usual, 3, 'c', 1, 3, CTR_DEV_READ | CTR_DEV_WRITE));
	assert_true(ctr_device_allowed(usual, 3, 'c', 10, 1, CTR_DEV_MKNOD));
	assert_false(ctr_device_allowed(usual, 3, 'c', 10, 1, CTR_DEV_MKNOD | CTR_DEV_READ));
	assert_false(ctr_device_allowed(usual, 3, 'b', 1, 3, CTR_DEV_READ));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_are_read),
		cmocka_unit_test(settings_become_writes),
		cmocka_unit_test(nothing_is_lost),
		cmocka_unit_test(bad_resources_are_refused),
		cmocka_unit_test(device_programs_say_what_rules_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
