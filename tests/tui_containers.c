/* The panes of containers as text, compared with tests/golden/ctr-*. GOLDEN_UPDATE=1 writes them anew; and
 * hostile snapshots, which change nothing. Everything in the scene is fixed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "engine/base/file.h"
#include "tests/tui_scene.h"

static const char ctr_yaml[] =
	"schema: ringside/lesson/v1\n"
	"id: ctr-scene\n"
	"title: {en: Number one, zh-TW: 一號行程}\n"
	"summary: {en: A container at work., zh-TW: 看容器工作。}\n"
	"track: containers\n"
	"minutes: 15\n"
	"steps:\n"
	"  - id: watch\n"
	"    text: {en: Press **r** and watch., zh-TW: 按 **r** 看看。}\n"
	"    run: {ctr: {script: run.sh}}\n"
	"    views: [processes, namespaces, syscalls, mounts, limits, layers]\n"
	"files: {starter: [run.sh], solution: [run.sh]}\n";

static const char mounts[] = "=\t1\n/\ttmpfs\tbox\trw,nosuid,relatime,size=262144k,mode=755\n"
			     "/dev/null\tdevtmpfs\tdevtmpfs\trw,relatime\n/proc\tproc\tproc\trw,nosuid,nodev,noexec,relatime\n"
			     "=\t1\n/\ttmpfs\tbox\trw,nosuid,relatime\n/merged\toverlay\toverlay\trw,lowerdir=/app:/base,upperdir=/up\n";
static const char limits[] = "cpu.quota=50000\tcpu.cfs_quota_us\t50000\t50000\theld\n"
			     "memory.limit=33554432\tmemory.limit_in_bytes\t33554432\t33554432\theld\n"
			     "memory.swappiness=10\t-\t-\t-\tno-file\n";
static const char layers[] = "@\t/merged\n=\t/up\ncopied-up\tetc/port\nwhiteout\tlog/a\ncreated\tlog/kept\nopaque\tdoc\n"
			     "=\t/app\n-\tetc/\n-\tetc/name\n=\t/base\n-\tbig\n-\tetc/\n-\tetc/port\n-\tlog/\n-\tlog/a\n";

static void add(struct rs_box_proc *p, int host, int parent, int a, int b, const char *comm, unsigned apart)
{
	*p = (struct rs_box_proc){ .host = host, .parent = parent, .pid = { a, b }, .uid = a ? 1073741824 : 1000, .state = 'S' };
	snprintf(p->comm, sizeof(p->comm), "%s", comm);
	for (unsigned i = 0; i < 8; i++)
		p->ns[i] = 4026531830u + i + (a ? 100 : 0) + (apart >> i & 1 ? 1000 : 0);
}

static void run(struct scene *s)
{
	struct {
		struct rs_box_procs head;
		struct rs_box_proc row[5];
	} all = { .head = { .n = 5, .total = 5 } };
	struct rs_counters c = { 0 };

	add(&all.row[0], 4711, 1, 0, 0, "ringside", 0);
	add(&all.row[1], 4720, 4711, 1, 0, "inside", 0);
	add(&all.row[2], 4722, 4720, 3, 0, "inside", 0);
	add(&all.row[3], 4723, 4720, 4, 1, "inside", 1u << RS_NS_PID | 1u << RS_NS_MNT);
	add(&all.row[4], 4724, 4723, 5, 2, "worker", 1u << RS_NS_PID | 1u << RS_NS_MNT);
	snprintf(all.row[4].root, sizeof(all.row[4].root), "/jail");
	all.row[4].state = 'Z';
	scene_event(s, 0, RS_EV_EXP_START, RS_SRC_ENGINE, 4711, 0, 0, 0, "ctr");
	scene_event(s, 100, RS_EV_BOX_START, RS_SRC_CTR, 4720, 1, 1, 0, "/work/inside");
	scene_event(s, 200, RS_EV_EXP_READY, RS_SRC_CTR, 1, 0, 0, 0, NULL);
	scene_event(s, 900, RS_EV_BOX_CALL, RS_SRC_CTR, RS_LCALL_UNSHARE, 0, 1, 210000, "NEWPID|NEWNS");
	scene_event(s, 901, RS_EV_BOX_NAMESPACE, RS_SRC_CTR, RS_NS_MNT, 1, 4026531932, 4026532932, NULL);
	scene_event(s, 2500, RS_EV_BOX_CALL, RS_SRC_CTR, RS_LCALL_MOUNT, 0, 1, 600000, "\"proc\", \"/proc\", \"proc\", 0, NULL");
	scene_event(s, 3000, RS_EV_BOX_CALL, RS_SRC_CTR, RS_LCALL_CHROOT, (uint64_t)-2, 2, 90000, "\"/nowhere\"");
	scene_event(s, 3400, RS_EV_BOX_CALL, RS_SRC_CTR, RS_LCALL_CHROOT, 0, 2, 120000, "\"/jail\"");
	scene_event(s, 3401, RS_EV_BOX_ROOT, RS_SRC_CTR, 2, 1, 0, 0, "/jail");
	scene_state(s, 3500, RS_BLOCK_BOX_PROCS, &all, sizeof(all));
	scene_state(s, 3500, RS_BLOCK_BOX_MOUNTS, mounts, strlen(mounts));
	scene_state(s, 3500, RS_BLOCK_BOX_LIMITS, limits, strlen(limits));
	scene_state(s, 3500, RS_BLOCK_BOX_LAYERS, layers, strlen(layers));
	c.v[RS_CTR_CTR_QUOTA_US] = 50000;
	c.v[RS_CTR_CTR_PERIOD_US] = 100000;
	c.v[RS_CTR_CTR_MEMORY_LIMIT] = 32 << 20;
	c.v[RS_CTR_CTR_PIDS_LIMIT] = 512;
	c.v[RS_CTR_CTR_PIDS] = 4;
	for (uint64_t i = 1; i <= 60; i++) {
		c.v[RS_CTR_CTR_CPU_NS] += i < 20 ? 90000000 : 50000000;
		c.v[RS_CTR_CTR_THROTTLED] += i >= 20;
		c.v[RS_CTR_CTR_THROTTLED_NS] += i >= 20 ? 44000000 : 0;
		c.v[RS_CTR_CTR_MEMORY] = i * (31 << 20) / 60;
		c.v[RS_CTR_CTR_MEMORY_PEAK] = c.v[RS_CTR_CTR_MEMORY];
		rs_bus_counters(eng_session_bus(s->session), &c, 1000000 + i * 100000000);
	}
}

static void focus(struct scene *s, enum eng_view view)
{
	run(s);
	tui_app_sync(s->app);
	for (int i = 0; i < s->app->ls.views; i++)
		if (s->app->ls.view[i] == view)
			s->app->ls.focus = i;
	s->app->ls.zoom = true;
}

static void compare(struct scene *s, const char *name, int w, int h)
{
	rs_auto_str have = RS_STR_INIT, want = RS_STR_INIT;
	rs_auto_free char *path = rs_xasprintf("tests/golden/ctr-%s-%dx%d.txt", name, w, h);
	struct rs_err err = RS_ERR_INIT;

	scene_draw(s, w, h);
	tui_grid_dump(&s->grid, true, &have);
	if (getenv("GOLDEN_UPDATE")) {
		assert_int_equal(rs_file_save(path, have.p, have.len, &err), 0);
		return;
	}
	if (rs_file_read(path, 1 << 20, &want, &err) < 0)
		fail_msg("%s: %s", path, err.text[0]);
	if (have.len != want.len || memcmp(have.p, want.p, have.len))
		fail_msg("%s differs; GOLDEN_UPDATE=1 writes it anew:\n%s", path, have.p);
}

static const struct {
	enum eng_view view;
	const char *name;
} panes[] = {
	{ ENG_VIEW_processes, "processes" }, { ENG_VIEW_namespaces, "namespaces" }, { ENG_VIEW_syscalls, "syscalls" },
	{ ENG_VIEW_mounts, "mounts" },	     { ENG_VIEW_limits, "limits" },	     { ENG_VIEW_layers, "layers" },
};

static void panes_show_a_run(void **state)
{
	static const int sizes[][2] = { { 80, 24 }, { 120, 40 } };

	(void)state;
	for (unsigned i = 0; i < sizeof(panes) / sizeof(panes[0]); i++)
		for (int lang = 0; lang < RS_LANGS; lang++)
			for (unsigned k = 0; k < 2; k++) {
				rs_auto_free char *name = rs_xasprintf("%s-%s", panes[i].name, rs_lang_name((enum rs_lang)lang));
				struct scene s;

				scene_open_text(&s, ctr_yaml, (enum rs_lang)lang, false);
				scene_draw(&s, sizes[k][0], sizes[k][1]);
				focus(&s, panes[i].view);
				s.app->have_notice = false;
				compare(&s, name, sizes[k][0], sizes[k][1]);
				scene_close(&s);
			}
}

/* Snapshots come from another process, and from recordings. */
static void hostile_snapshots_change_nothing(void **state)
{
	struct tui_container c = { 0 };
	struct rs_box_procs head = { .n = RS_BOX_PROCS_MAX + 1 };
	unsigned char bytes[600];

	(void)state;
	tui_container_clear(&c);
	memset(bytes, 0xff, sizeof(bytes));
	tui_container_take(&c, RS_BLOCK_BOX_PROCS, bytes, sizeof(bytes));
	tui_container_take(&c, RS_BLOCK_BOX_PROCS, bytes, 3);
	tui_container_take(&c, RS_BLOCK_BOX_PROCS, (unsigned char *)&head, sizeof(head));
	head.n = 0;
	tui_container_take(&c, RS_BLOCK_BOX_PROCS, (unsigned char *)&head, sizeof(head));
	assert_false(c.have_procs);
	/* texts without the tabs and newlines that they should have are drawn, and nothing is read past them */
	for (unsigned i = 0; i < 3; i++) {
		static const char *const odd[] = { "=", "copied-up", "\t\t\t\n\n@\n=\t", };
		struct scene s;

		scene_open_text(&s, ctr_yaml, RS_LANG_EN, false);
		scene_draw(&s, 80, 24);
		scene_state(&s, 1, RS_BLOCK_BOX_MOUNTS, odd[i], strlen(odd[i]));
		scene_state(&s, 2, RS_BLOCK_BOX_LIMITS, odd[i], strlen(odd[i]));
		scene_state(&s, 3, RS_BLOCK_BOX_LAYERS, odd[i], strlen(odd[i]));
		tui_app_sync(s.app);
		for (int v = 0; v < s.app->ls.views; v++) {
			s.app->ls.focus = v;
			s.app->ls.zoom = true;
			scene_draw(&s, 80, 24);
			scene_draw(&s, 30, 8);
		}
		scene_close(&s);
	}
	tui_container_clear(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(panes_show_a_run),
		cmocka_unit_test(hostile_snapshots_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
