/* A scripted lesson for the tests of the screens: a session without an experiment whose bus is fed
 * with the events that a run would send. Everything is fixed, so screens can be compared.
 */
#ifndef TESTS_TUI_SCENE_H
#define TESTS_TUI_SCENE_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "tui/app.h"

static const char scene_yaml[] =
	"schema: ringside/lesson/v1\n"
	"id: scene\n"
	"title: {en: Crossing the rings, zh-TW: 跨越特權環}\n"
	"summary: {en: A program asks its kernel for a service., zh-TW: 程式請核心幫忙。}\n"
	"track: rings\n"
	"minutes: 15\n"
	"concepts: [ring, cpl]\n"
	"steps:\n"
	"  - id: watch\n"
	"    text:\n"
	"      en: |\n"
	"        A program in ring 3 cannot touch a device. It asks the kernel, and asking means\n"
	"        crossing into ring 0 at a place that the *kernel* chose: a **system call**.\n"
	"\n"
	"        - `int 0x80` goes in\n"
	"        - `iretq` comes back\n"
	"\n"
	"        ```\n"
	"        mov eax, 1\n"
	"        int 0x80\n"
	"        ```\n"
	"\n"
	"        Press **r** and watch.\n"
	"      zh-TW: |\n"
	"        特權環 3 的程式碰不到裝置，只能請核心代勞；而要請核心，就得從「核心」選定的地方\n"
	"        跨進特權環 0。這就是**系統呼叫**。\n"
	"\n"
	"        - `int 0x80` 進去\n"
	"        - `iretq` 回來\n"
	"\n"
	"        ```\n"
	"        mov eax, 1\n"
	"        int 0x80\n"
	"        ```\n"
	"\n"
	"        按 **r** 看看。\n"
	"    run: {vm: {source: guest.S, entry: long64, memory: 4M}}\n"
	"    views: [rings, timeline, registers, code, serial]\n"
	"  - id: guess\n"
	"    text: {en: Think first., zh-TW: 先想一想。}\n"
	"    predict:\n"
	"      ask: {en: How often will the CPU cross from ring 3 to ring 0?, zh-TW: CPU 會從特權環 3 跨到特權環 0 幾次？}\n"
	"      answer: count(cpu.ring where from == 3 and to == 0)\n"
	"  - id: choose\n"
	"    text: {en: Think again., zh-TW: 再想一想。}\n"
	"    predict:\n"
	"      ask: {en: Where does the CPU look?, zh-TW: CPU 會去哪裡找？}\n"
	"      answer: count(cpu.ring where to == 1)\n"
	"      choices:\n"
	"        - {en: \"In the IDT, at gate `0x80`\", zh-TW: IDT 的 `0x80` 號閘}\n"
	"        - {en: In the GDT, zh-TW: GDT}\n"
	"        - {en: In the page tables, zh-TW: 分頁表}\n"
	"  - id: task\n"
	"    text: {en: Now make do with fewer crossings., zh-TW: 現在少跨幾次。}\n"
	"    task: {edit: guest.S}\n"
	"    views: [exits, calls, memory, output]\n"
	"    checks:\n"
	"      - id: same-text\n"
	"        points: 1\n"
	"        expect: output(serial) == \"Hi\\n\"\n"
	"        why: {en: The line on the serial port is the same., zh-TW: 序列埠上的那一行和原來一樣。}\n"
	"      - id: two-crossings\n"
	"        points: 3\n"
	"        expect: count(cpu.ring where from == 3 and to == 0) == 2\n"
	"        why: {en: One crossing writes the line and one ends the machine., zh-TW: 一次跨越寫出整行，一次結束機器。}\n"
	"        hint:\n"
	"          - {en: Move the loop into the kernel., zh-TW: 把迴圈搬進核心。}\n"
	"          - {en: \"Compare EAX with 2, then `iretq`.\", zh-TW: \"比較 EAX 是不是 2，最後 `iretq`。\"}\n"
	"files: {starter: [guest.S], solution: [guest.S]}\n";

struct scene {
	struct eng_lesson *lesson;
	struct eng_session *session; /* belongs to app */
	struct tui_app *app;
	struct tui_grid grid;
	char dir[64];
	uint64_t seq;
};

static inline void scene_open_text(struct scene *s, const char *yaml, enum rs_lang lang, bool ascii)
{
	struct rs_err err = RS_ERR_INIT;
	memset(s, 0, sizeof(*s));
	strcpy(s->dir, "/tmp/ringside-scene-XXXXXX");
	s->lesson = eng_lesson_parse(yaml, strlen(yaml), "scene.yaml", NULL, &err);
	if (!s->lesson || !mkdtemp(s->dir)) {
		fprintf(stderr, "scene: %s:%d: %s\n", err.file, err.line, err.text[0]);
		abort();
	}
	struct eng_session_opts o = { .lesson = s->lesson, .workspace = s->dir, .full = RS_FULL_DROP };
	s->session = eng_session_new(&o, &err);
	if (!s->session)
		abort();
	s->app = tui_app_session(lang, ascii, s->session);
	s->app->now = 1;
	tui_grid_init(&s->grid, 80, 24, ascii);
}

static inline void scene_open(struct scene *s, enum rs_lang lang, bool ascii)
{
	scene_open_text(s, scene_yaml, lang, ascii);
}

static inline void scene_close(struct scene *s)
{
	tui_app_free(s->app);
	eng_lesson_free(s->lesson);
	tui_grid_release(&s->grid);
	rmdir(s->dir);
}

static inline void scene_draw(struct scene *s, int w, int h)
{
	tui_grid_resize(&s->grid, w, h);
	tui_app_pump(s->app);
	tui_app_draw(s->app, &s->grid);
}

static inline void scene_event(struct scene *s, uint64_t us, enum rs_kind kind, enum rs_source src, uint64_t a0,
			uint64_t a1, uint64_t a2, uint64_t a3, const char *text)
{
	struct rs_event ev = { .seq = ++s->seq, .time = us * 1000, .kind = (uint16_t)kind,
			       .source = (uint16_t)src, .arg = { a0, a1, a2, a3 } };
	if (text)
		strncpy(ev.text, text, RS_TEXT_SIZE - 1);
	rs_bus_event(eng_session_bus(s->session), &ev);
}

static inline void scene_out(struct scene *s, uint64_t us, enum rs_stream stream, const char *text)
{
	uint64_t at = 0;
	for (size_t n = strlen(text); n;) {
		size_t k = n < RS_TEXT_SIZE ? n : RS_TEXT_SIZE;
		struct rs_event ev = { .seq = ++s->seq, .time = us * 1000, .kind = RS_EV_OUT_DATA,
				       .source = RS_SRC_MONITOR, .arg = { stream, at, k, 0 } };
		memcpy(ev.text, text, k);
		rs_bus_event(eng_session_bus(s->session), &ev);
		text += k;
		at += k;
		n -= k;
	}
}

static inline void scene_state(struct scene *s, uint64_t us, enum rs_block block, const void *data, size_t n)
{
	const char *p = data;
	for (size_t at = 0; at < n;) {
		size_t k = n - at < RS_TEXT_SIZE ? n - at : RS_TEXT_SIZE;
		struct rs_event ev = { .seq = ++s->seq, .time = us * 1000, .kind = RS_EV_STATE_BLOCK,
				       .source = RS_SRC_MONITOR, .arg = { block, at, n, k } };
		memcpy(ev.text, p + at, k);
		rs_bus_event(eng_session_bus(s->session), &ev);
		at += k;
	}
}

#define M RS_SRC_MONITOR
/* Build, set-up of the machine, a few crossings (exact and sampled), a pause at a breakpoint. */
static inline void scene_run_to_pause(struct scene *s)
{
	static const struct {
		enum rs_call call;
		enum rs_fd fd;
		int64_t result;
		unsigned ns;
		const char *args;
	} calls[] = {
		{ RS_CALL_OPEN, RS_FD_SYSTEM, 6, 14200, "\"/dev/kvm\"" },
		{ RS_CALL_GET_API_VERSION, RS_FD_SYSTEM, 12, 2100, "" },
		{ RS_CALL_CREATE_VM, RS_FD_SYSTEM, 7, 1312000, "type=0" },
		{ RS_CALL_CHECK_EXTENSION, RS_FD_VM, 1, 900, "KVM_CAP_SYNC_REGS" },
		{ RS_CALL_SET_TSS_ADDR, RS_FD_VM, -22, 1700, "0xfffbd000" },
		{ RS_CALL_SET_USER_MEMORY_REGION, RS_FD_VM, 0, 58300, "slot=0 gpa=0x0 size=4M" },
		{ RS_CALL_CREATE_VCPU, RS_FD_VM, 8, 412000, "id=0" },
		{ RS_CALL_SET_SREGS, RS_FD_VCPU, 0, 24000, "cr0=0x80010033 cr4=0x620 efer=0xd00 cs=8" },
		{ RS_CALL_SET_REGS, RS_FD_VCPU, 0, 3000, "rip=0x10000 rflags=0x2 rsp=0x5000" },
	};
	scene_event(s, 0, RS_EV_BUILD_START, RS_SRC_ENGINE, 0, 0, 0, 0, "guest.S");
	scene_out(s, 10, RS_STREAM_BUILD, "guest.S:12: Warning: a label without a purpose\n");
	scene_event(s, 41200, RS_EV_BUILD_DONE, RS_SRC_ENGINE, 0, 41000000, 4896, 0, NULL);
	scene_event(s, 42000, RS_EV_EXP_START, RS_SRC_ENGINE, 4711, 0, 0, 0, "vm");
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		scene_event(s, 43000 + 100 * i, RS_EV_KVM_CALL, M, calls[i].call, calls[i].fd,
			    (uint64_t)calls[i].result, calls[i].ns, calls[i].args);
		if (calls[i].call == RS_CALL_SET_USER_MEMORY_REGION)
			scene_event(s, 43000 + 100 * i, RS_EV_VM_MEMORY, M, 0, 0, 4u << 20, 0, NULL);
	}
	scene_event(s, 44000, RS_EV_VM_LOAD, M, 0x10000, 4096, 0x10000, 0, NULL);
	scene_event(s, 44100, RS_EV_EXP_READY, M, 1, 0, 0, 0, NULL);
	scene_event(s, 44200, RS_EV_CPU_RING, M, 0, 0, RS_VIA_RESET, 0x10000, NULL);
	scene_event(s, 44210, RS_EV_CPU_RING, RS_SRC_STEP, 0, 3, RS_VIA_IRET, 0x10064, NULL);
	for (unsigned i = 0; i < 2; i++) {
		scene_event(s, 44300 + 90 * i, RS_EV_CPU_RING, RS_SRC_STEP, 3, 0, RS_VIA_INT, 0x1004a, NULL);
		scene_event(s, 44310 + 90 * i, RS_EV_VM_EXIT, RS_SRC_EXIT, 2, 0x10058, 0, 0x3f8, NULL);
		scene_event(s, 44311 + 90 * i, RS_EV_VM_PIO, M, 0x3f8, 1, RS_DIR_OUT, i ? 'i' : 'H', NULL);
		scene_event(s, 44340 + 90 * i, RS_EV_CPU_RING, RS_SRC_STEP, 0, 3, RS_VIA_IRET, 0x1006c, NULL);
	}
	scene_out(s, 44500, RS_STREAM_SERIAL, "Hi\n");
	scene_event(s, 44510, RS_EV_CPU_RING, RS_SRC_EXIT, 3, 0, RS_VIA_UNSEEN, 0x1004a, NULL);
	struct rs_counters c = { 0 };
	c.v[RS_CTR_VM_EXITS + 2] = 1903;
	c.v[RS_CTR_VM_EXITS + 4] = 212;
	c.v[RS_CTR_VM_EXITS + 6] = 37;
	c.v[RS_CTR_VM_EXITS + 10] = 3;
	c.v[RS_CTR_EVENTS_LOST] = 0;
	c.v[RS_CTR_CPU_RING_CROSSINGS + 12] = 3;
	c.v[RS_CTR_CPU_RING_CROSSINGS + 3] = 3;
	rs_bus_counters(eng_session_bus(s->session), &c, 400000000);
	struct rs_x86_regs r = { .rax = 1, .rbx = 0x48, .rcx = 0x1006c, .rdi = 0x11000, .rsi = 3, .rsp = 0x7ff8,
				 .rip = 0x1004a, .rflags = 0x246, .cpl = 3, .cs = 0x1b, .ss = 0x23, .ds = 0x23,
				 .es = 0x23, .tr = 0x28, .cr0 = 0x80010033, .cr3 = 0x2000, .cr4 = 0x620,
				 .efer = 0xd00, .gdt_base = 0x1000, .gdt_limit = 0x37, .idt_base = 0x1800,
				 .idt_limit = 0xfff };
	scene_state(s, 44600, RS_BLOCK_REGS, &r, sizeof(r));
	r.rax = 0x80;
	r.rip = 0x1004c;
	r.cpl = 0;
	r.cs = 0x8;
	r.ss = 0x10;
	r.rflags = 0x2;
	scene_state(s, 44700, RS_BLOCK_REGS, &r, sizeof(r));
	static const char code[] =
		"  0000000000010040  b8 01 00 00 00           mov eax, 0x01\n"
		"  0000000000010045  bf 48 00 00 00           mov edi, 0x48\n"
		"  000000000001004a  cd 80                    int 0x80\n"
		"> 000000000001004c  ff c6                    inc esi\n"
		"  000000000001004e  83 fe 03                 cmp esi, 0x03\n"
		"  0000000000010051  75 ed                    jnz 0x0000000000010040\n"
		"  0000000000010053  66 ba f4 00              mov dx, 0x00F4\n"
		"  0000000000010057  31 c0                    xor eax, eax\n"
		"  0000000000010059  ef                       out dx, eax\n"
		"  000000000001005a  f4                       hlt\n";
	scene_state(s, 44700, RS_BLOCK_CODE, code, strlen(code));
	struct {
		struct rs_mem_head head;
		unsigned char b[256];
	} mem = { .head = { .addr = 0x10000, .gpa = 0x10000, .len = 256 } };
	for (unsigned i = 0; i < 256; i++)
		mem.b[i] = i < 64 ? (unsigned char)(i * 37) : i < 96 ? (unsigned char)("Hello from ring 3"[i % 17]) : 0;
	scene_state(s, 44710, RS_BLOCK_MEMORY, &mem, sizeof(mem));
	mem.b[0x45] = '!';
	mem.b[0x80] = 0x7f;
	scene_state(s, 44720, RS_BLOCK_MEMORY, &mem, sizeof(mem));
	static const char rewrite[] =
		"10005\t401005\t4\t2\n"
		"10005\tcli\t405000\t=\tcli\n"
		"10006\tpushfd\t405001\t!\tint 0x81\n"
		"10007\tmov eax, cs\t405003\t!\tint 0x81\n"
		"10009\tcall 0x10040\t405005\t=\tpush 0x1000e; jmp 0x405010\n";
	scene_state(s, 44725, RS_BLOCK_REWRITE, rewrite, strlen(rewrite));
	scene_event(s, 44730, RS_EV_EXP_PAUSED, M, 0x1004c, 0, 0, 0, NULL);
}

static inline void scene_run_to_end(struct scene *s)
{
	scene_event(s, 45000, RS_EV_EXP_RESUMED, M, 0, 0, 0, 0, NULL);
	scene_event(s, 45200, RS_EV_CPU_FAULT, RS_SRC_STEP, 13, 0, 0x1005a, 3, NULL);
	scene_event(s, 45300, RS_EV_VM_END, M, RS_OUT_DEBUG_EXIT, 0, 0x10059, 2155, NULL);
	scene_event(s, 46000, RS_EV_EXP_EXIT, RS_SRC_ENGINE, 0, 0, 4000000, 0, NULL);
}
#undef M

/* Verdicts as the engine would give them. */
static inline void scene_verdicts(struct scene *s)
{
	unsigned n;
	struct eng_check_result *r = eng_session_results(s->session, 3, &n);
	r[0].verdict = ENG_PASS;
	r[0].points = 1;
	r[1].verdict = ENG_FAIL;
	rs_str_clear(&r[1].wanted);
	rs_str_clear(&r[1].found);
	rs_str_clear(&r[1].note);
	rs_str_add(&r[1].wanted, "count(cpu.ring where from == 3 and to == 0) == 2");
	rs_str_add(&r[1].found, "3");
	rs_str_add(&r[1].note, "count(cpu.ring where from == 3 and to == 0) = 3\n"
			       "  #19  cpu.ring from=3 to=0 via=int rip=0x1004a\n");
}

#endif
