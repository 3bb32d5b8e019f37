/* Whole runs on each engine: guests of a few instructions, and what the monitor said of them. On the real
 * /dev/kvm they skip where there is none (tests/tools/kvm-in-qemu brings one); the software CPU runs everywhere,
 * and what is expected of both is the same.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/cleanup.h"
#include "engine/base/control.h"
#include "tests/vmm_guests.h"
#include "tests/vmm_kvm.h"
#include "vmm/vmm.h"

#define EVENTS_MAX 400000u

static const char *engine; /* that the tests run on: all of them on each */

/* One run in a thread of its own, and everything that it says. */
struct run {
	struct vmm_desc d;
	char path[64];
	struct rs_channel *ch;
	struct rs_emitter em;
	int control[2];          /* [0]: ours */
	pthread_t thread;
	_Atomic bool over;
	int rc;
	struct rs_err err;
	struct vmm_result res;
	struct rs_event *ev;
	size_t n;
	struct rs_str out[8];
	struct rs_counters c;
	uint32_t tag;
};

static void *run_main(void *arg)
{
	struct run *r = arg;

	r->rc = vmm_run(&r->d, &r->em, r->control[1], NULL, NULL, &r->res, &r->err);
	atomic_store(&r->over, true);
	return NULL;
}

static void run_init(struct run *r, const unsigned char *image, const unsigned char *end)
{
	int fd;

	memset(r, 0, sizeof(*r));
	vmm_desc_init(&r->d);
	strcpy(r->path, "/tmp/ringside-guest-XXXXXX");
	fd = mkstemp(r->path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, image, (size_t)(end - image)), end - image);
	close(fd);
	r->d.image = r->path;
	r->d.engine = engine;
	r->d.timeout_ns = 20000000000ull;
	r->ev = calloc(EVENTS_MAX, sizeof(*r->ev));
	for (unsigned i = 0; i < 8; i++)
		r->out[i] = (struct rs_str)RS_STR_INIT;
	r->ch = rs_channel_new(4096, RS_FULL_BLOCK, &r->err);
	assert_non_null(r->ch);
	assert_int_equal(rs_emitter_open(&r->em, rs_channel_fd(r->ch), rs_channel_wake_fd(r->ch), &r->err), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, r->control), 0);
}

static void run_start(struct run *r)
{
	assert_int_equal(pthread_create(&r->thread, NULL, run_main, r), 0);
}

static void pump(struct run *r)
{
	static struct rs_event buf[256];
	unsigned n;

	while ((n = rs_channel_read(r->ch, buf, 256)) > 0)
		for (unsigned i = 0; i < n; i++) {
			if (r->n < EVENTS_MAX)
				r->ev[r->n++] = buf[i];
			if (buf[i].kind == RS_EV_OUT_DATA)
				rs_str_addn(&r->out[buf[i].arg[0]], buf[i].text, (size_t)buf[i].arg[2]);
		}
}

static void run_finish(struct run *r)
{
	while (!atomic_load(&r->over)) {
		pump(r);
		usleep(500);
	}
	pthread_join(r->thread, NULL);
	pump(r);
	rs_channel_counters(r->ch, &r->c);
	if (r->rc < 0)
		print_message("run: %s\n", r->err.text[0]);
}

static void run_release(struct run *r)
{
	unlink(r->path);
	free(r->ev);
	for (unsigned i = 0; i < 8; i++)
		rs_str_release(&r->out[i]);
	rs_emitter_close(&r->em);
	rs_channel_free(r->ch);
	close(r->control[0]);
	close(r->control[1]);
}

static void run_whole(struct run *r)
{
	run_start(r);
	run_finish(r);
	assert_int_equal(r->rc, 0);
}

#define RUN_INIT(r, name) run_init(r, guest_##name, guest_##name##_end)

static bool have_engine(void)
{
	return strcmp(engine, "kvm") || sound_kvm();
}
#define NEED_ENGINE()                                                                                 \
	do {                                                                                       \
		if (!have_engine())                                                                   \
			skip();                                                                    \
	} while (0)

/* -- what is asked about events -- */

static const struct rs_event *nth(const struct run *r, enum rs_kind kind, unsigned n)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->ev[i].kind == kind && n-- == 0)
			return &r->ev[i];
	return NULL;
}

static unsigned count(const struct run *r, enum rs_kind kind)
{
	unsigned n = 0;

	for (size_t i = 0; i < r->n; i++)
		n += r->ev[i].kind == kind;
	return n;
}

/* "3>0 int; 0>3 iret; " of all crossings after the reset; a '?' behind the sampled ones. */
static const char *rings(const struct run *r, struct rs_str *s)
{
	rs_str_clear(s);
	for (size_t i = 0; i < r->n; i++) {
		const struct rs_event *e = &r->ev[i];

		if (e->kind == RS_EV_CPU_RING && e->arg[2] != RS_VIA_RESET)
			rs_str_addf(s, "%d>%d %s%s; ", (int)e->arg[0], (int)e->arg[1],
				    rs_unit_value_name(RS_UNIT_via, e->arg[2]),
				    e->source == RS_SRC_STEP ? "" : "?");
	}
	return s->p;
}

static const char *faults(const struct run *r, struct rs_str *s)
{
	rs_str_clear(s);
	for (size_t i = 0; i < r->n; i++) {
		const struct rs_event *e = &r->ev[i];

		if (e->kind == RS_EV_CPU_FAULT)
			rs_str_addf(s, "%d/%llx cpl %d; ", (int)e->arg[0], (unsigned long long)e->arg[1],
				    (int)e->arg[3]);
	}
	return s->p;
}

/* -- the tests -- */

static void hello(void **state)
{
	const enum vmm_trace modes[] = { VMM_TRACE_EXITS, VMM_TRACE_RINGS, VMM_TRACE_STEPS };
	const struct rs_event *e;
	struct run r;

	(void)state;
	NEED_ENGINE();
	for (unsigned i = 0; i < 3; i++) {
		RUN_INIT(&r, hello);
		r.d.trace = modes[i];
		rs_channel_want(r.ch, RS_EV_VM_EXIT, true);
		rs_channel_want(r.ch, RS_EV_VM_PIO, true);
		rs_channel_want(r.ch, RS_EV_CPU_STEP, true);
		run_whole(&r);
		assert_string_equal(r.out[RS_STREAM_SERIAL].p, "hi\n");
		assert_int_equal(r.res.outcome, RS_OUT_HALTED);
		assert_int_equal(r.res.exits, 4);
		assert_int_equal(r.c.v[RS_CTR_VM_EXITS + 2], 3);
		assert_int_equal(r.c.v[RS_CTR_VM_EXITS + 5], 1);
		assert_int_equal(r.c.v[RS_CTR_VM_PIO_COUNT], 3);
		assert_int_equal(r.c.v[RS_CTR_VM_SERIAL_BYTES], 3);
		assert_int_equal(count(&r, RS_EV_VM_EXIT), 4);
		assert_int_equal(count(&r, RS_EV_VM_PIO), 3);
		/* three times mov, mov, out; hlt */
		assert_int_equal(count(&r, RS_EV_CPU_STEP), modes[i] == VMM_TRACE_STEPS ? 10 : 0);
		e = nth(&r, RS_EV_VM_PIO, 1);
		assert_int_equal(e->arg[0], 0x3f8);
		assert_int_equal(e->arg[3], 'i');
		e = nth(&r, RS_EV_VM_END, 0);
		assert_int_equal(e->arg[0], RS_OUT_HALTED);
		assert_int_equal(e->arg[3], 4);
		assert_int_equal(count(&r, RS_EV_VM_LOAD) > 0, 1);
		assert_int_equal(count(&r, RS_EV_VM_MEMORY), 1);
		assert_int_equal(r.out[RS_STREAM_REPORT].len, 0);
		run_release(&r);
	}
}

static void walk_of_the_api(void **state)
{
	static const enum rs_call order[] = {
		RS_CALL_OPEN, RS_CALL_GET_API_VERSION, RS_CALL_CREATE_VM,
		RS_CALL_SET_USER_MEMORY_REGION, RS_CALL_CREATE_VCPU, RS_CALL_GET_VCPU_MMAP_SIZE,
		RS_CALL_MMAP, RS_CALL_SET_CPUID2, RS_CALL_GET_SREGS, RS_CALL_SET_SREGS,
		RS_CALL_SET_REGS, RS_CALL_RUN,
	};
	unsigned at = 0, runs = 0;
	struct run r;

	(void)state;
	if (strcmp(engine, "kvm"))
		skip(); /* its API */
	NEED_ENGINE();
	RUN_INIT(&r, hello);
	r.d.trace = VMM_TRACE_EXITS;
	run_whole(&r);
	for (size_t i = 0; i < r.n; i++) {
		if (r.ev[i].kind != RS_EV_KVM_CALL)
			continue;
		if (at < sizeof(order) / sizeof(order[0]) && r.ev[i].arg[0] == order[at])
			at++;
		runs += r.ev[i].arg[0] == RS_CALL_RUN;
	}
	assert_int_equal(at, sizeof(order) / sizeof(order[0]));
	assert_int_equal(runs, 1);
	/* calls that are events; KVM_RUN for the second, third and fourth exit; and what registers cost */
	assert_true(r.c.v[RS_CTR_KVM_CALLS] >= count(&r, RS_EV_KVM_CALL) + 3);
	run_release(&r);
}

static void other_modes(void **state)
{
	struct run r;

	(void)state;
	NEED_ENGINE();
	RUN_INIT(&r, real16);
	r.d.entry = VMM_ENTRY_REAL16;
	run_whole(&r);
	assert_string_equal(r.out[RS_STREAM_SERIAL].p, "r\n");
	assert_int_equal(r.res.outcome, RS_OUT_HALTED);
	run_release(&r);
	RUN_INIT(&r, prot32);
	r.d.entry = VMM_ENTRY_PROT32;
	run_whole(&r);
	assert_string_equal(r.out[RS_STREAM_SERIAL].p, "p\n");
	assert_int_equal(r.res.outcome, RS_OUT_HALTED);
	run_release(&r);
}

static void crossings(void **state)
{
	rs_auto_str s = RS_STR_INIT;
	struct run r;

	(void)state;
	NEED_ENGINE();
	for (unsigned t = VMM_TRACE_RINGS; t <= VMM_TRACE_STEPS; t++) {
		RUN_INIT(&r, int80);
		r.d.trace = (enum vmm_trace)t;
		run_whole(&r);
		assert_string_equal(rings(&r, &s),
				    "0>3 iret; 3>0 int; 0>3 iret; 3>0 int; 0>3 iret; 3>0 int; ");
		assert_int_equal(r.c.v[RS_CTR_CPU_RING_CROSSINGS + 3], 3);
		assert_int_equal(r.c.v[RS_CTR_CPU_RING_CROSSINGS + 12], 3);
		assert_string_equal(nth(&r, RS_EV_CPU_RING, 2)->text, "int 0x80");
		assert_int_equal(count(&r, RS_EV_CPU_FAULT), 0);
		run_release(&r);
		RUN_INIT(&r, syscall);
		r.d.trace = (enum vmm_trace)t;
		run_whole(&r);
		assert_string_equal(rings(&r, &s),
				    "0>3 iret; 3>0 syscall; 0>3 sysret; 3>0 syscall; 0>3 sysret; 3>0 int; ");
		assert_int_equal(r.res.outcome, RS_OUT_DEBUG_EXIT);
		assert_int_equal(r.res.code, 0);
		run_release(&r);
		RUN_INIT(&r, callgate);
		r.d.trace = (enum vmm_trace)t;
		run_whole(&r);
		assert_string_equal(rings(&r, &s), "0>3 iret; 3>0 callgate; 0>3 retf; 3>0 int; ");
		run_release(&r);
	}
}

static void crossings_of_old(void **state)
{
	rs_auto_str s = RS_STR_INIT;
	struct run r;

	(void)state;
	NEED_ENGINE();
	for (unsigned t = VMM_TRACE_RINGS; t <= VMM_TRACE_STEPS; t++) {
		RUN_INIT(&r, prot_int);
		r.d.entry = VMM_ENTRY_PROT32;
		r.d.trace = (enum vmm_trace)t;
		run_whole(&r);
		assert_string_equal(rings(&r, &s), "0>3 iret; 3>0 int; 0>3 iret; 3>0 int; ");
		assert_int_equal(r.res.code, 5);
		run_release(&r);
	}
	RUN_INIT(&r, real_int);
	r.d.entry = VMM_ENTRY_REAL16;
	r.d.trace = VMM_TRACE_STEPS;
	rs_channel_want(r.ch, RS_EV_CPU_STEP, true);
	run_whole(&r);
	assert_int_equal(r.res.outcome, RS_OUT_HALTED);
	/* xor, mov, mov, mov, int; nop, iret; nop, hlt */
	assert_int_equal(count(&r, RS_EV_CPU_STEP), 9);
	assert_string_equal(nth(&r, RS_EV_CPU_STEP, 6)->text, "iret");
	run_release(&r);
}

static void exceptions(void **state)
{
	rs_auto_str s = RS_STR_INIT;
	struct run r;

	(void)state;
	NEED_ENGINE();
	for (unsigned t = VMM_TRACE_RINGS; t <= VMM_TRACE_STEPS; t++) {
		RUN_INIT(&r, faults);
		r.d.trace = (enum vmm_trace)t;
		run_whole(&r);
		assert_string_equal(faults(&r, &s), "0/0 cpl 3; 6/0 cpl 3; 13/0 cpl 3; 14/6 cpl 3; ");
		assert_string_equal(rings(&r, &s),
				    "0>3 iret; 3>0 exception; 0>3 iret; 3>0 exception; 0>3 iret; "
				    "3>0 exception; 0>3 iret; 3>0 exception; 0>3 iret; "
				    "3>0 int; 0>3 iret; 3>0 int; ");
		assert_int_equal(r.res.code, 0);
		run_release(&r);
		RUN_INIT(&r, nested);
		r.d.trace = (enum vmm_trace)t;
		run_whole(&r);
		assert_string_equal(faults(&r, &s), "13/0 cpl 3; 6/0 cpl 0; ");
		assert_string_equal(rings(&r, &s), "0>3 iret; 3>0 exception; ");
		assert_int_equal(r.res.code, 6);
		run_release(&r);
	}
}

/* The way of each crossing, from an engine that knows it: descriptor and both stacks. */
static void gates(void **state)
{
	const struct rs_event *e;
	struct run r;

	(void)state;
	if (!strcmp(engine, "kvm"))
		skip(); /* it does not tell */
	RUN_INIT(&r, int80);
	rs_channel_want(r.ch, RS_EV_CPU_GATE, true);
	run_whole(&r);
	assert_int_equal(count(&r, RS_EV_CPU_GATE), count(&r, RS_EV_CPU_RING) - 1); /* but of the reset */
	e = nth(&r, RS_EV_CPU_GATE, 0); /* iretq: the code segment of ring 3 */
	assert_int_equal(e->arg[0] >> 40 & 0xff, 0xfb);
	assert_int_equal(e->arg[2], 0x10000);
	assert_string_equal(e->text, "08:10 -> 23:1b");
	e = nth(&r, RS_EV_CPU_GATE, 1); /* int 0x80: an interrupt gate that ring 3 may use */
	assert_int_equal(e->arg[0] >> 40 & 0xff, 0xee);
	assert_int_equal(e->arg[1], 0x10000);
	assert_int_equal(e->arg[2], VMM_STACK0_TOP - 5 * 8);
	assert_string_equal(e->text, "23:1b -> 08:00, other stack");
	run_release(&r);
}

/* Sampling says so: the crossings that no exit showed are missing. */
static void sampled(void **state)
{
	rs_auto_str s = RS_STR_INIT;
	struct run r;

	(void)state;
	NEED_ENGINE();
	RUN_INIT(&r, int80);
	r.d.trace = VMM_TRACE_EXITS;
	run_whole(&r);
	assert_string_equal(rings(&r, &s), "");
	assert_int_equal(r.c.v[RS_CTR_VM_STEPS], 0);
	run_release(&r);
	RUN_INIT(&r, iopl3);
	r.d.trace = VMM_TRACE_EXITS;
	run_whole(&r);
	assert_string_equal(rings(&r, &s), "0>3 unseen?; ");
	assert_int_equal(r.res.code, 7);
	run_release(&r);
	RUN_INIT(&r, iopl3);
	run_whole(&r);
	assert_string_equal(rings(&r, &s), "0>3 iret; ");
	run_release(&r);
}

/* The guest finds itself as if nobody watched. */
static void invisible(void **state)
{
	rs_auto_str s = RS_STR_INIT;
	struct run r;

	(void)state;
	NEED_ENGINE();
	RUN_INIT(&r, pushf);
	run_whole(&r);
	assert_int_equal(r.res.code, 0);
	run_release(&r);
	RUN_INIT(&r, own_tf);
	run_whole(&r);
	assert_int_equal(r.res.outcome, RS_OUT_DEBUG_EXIT);
	assert_int_equal(r.res.code, 3);
	/* nothing of it changes what an engine sees that does not step */
	assert_int_equal(count(&r, RS_EV_CPU_TRACE), !strcmp(engine, "kvm"));
	run_release(&r);
	RUN_INIT(&r, jump_in);
	run_whole(&r);
	assert_int_equal(r.res.code, 6);
	assert_string_equal(faults(&r, &s), "13/0 cpl 3; ");
	assert_string_equal(rings(&r, &s), "0>3 iret; 3>0 exception; ");
	run_release(&r);
}

static void bad_ends(void **state)
{
	struct run r;

	(void)state;
	NEED_ENGINE();
	for (unsigned t = VMM_TRACE_EXITS; t <= VMM_TRACE_RINGS; t++) {
		RUN_INIT(&r, triple);
		r.d.trace = (enum vmm_trace)t;
		run_whole(&r);
		assert_int_equal(r.res.outcome, RS_OUT_SHUTDOWN);
		assert_non_null(strstr(r.out[RS_STREAM_REPORT].p, "ud2"));
		assert_int_equal(count(&r, RS_EV_VM_END), 1);
		run_release(&r);
		RUN_INIT(&r, spin);
		r.d.trace = (enum vmm_trace)t;
		r.d.timeout_ns = 1000000000;
		run_whole(&r);
		assert_int_equal(r.res.outcome, RS_OUT_WATCHDOG);
		assert_int_equal(r.res.rip, 0x10001);
		assert_true(r.out[RS_STREAM_REPORT].len > 100);
		run_release(&r);
	}
	RUN_INIT(&r, reset64);
	run_whole(&r);
	assert_int_equal(r.res.outcome, RS_OUT_RESET);
	run_release(&r);
	RUN_INIT(&r, resetcf9);
	run_whole(&r);
	assert_int_equal(r.res.outcome, RS_OUT_RESET);
	run_release(&r);
}

/* A guest that writes without end: what is kept is bounded, what is counted is exact. */
static void flood(void **state)
{
	struct run r;

	(void)state;
	NEED_ENGINE();
	RUN_INIT(&r, flood);
	r.d.trace = VMM_TRACE_EXITS;
	r.d.serial_limit = 1000;
	r.d.exit_limit = 5000;
	run_whole(&r);
	assert_int_equal(r.res.outcome, RS_OUT_EXIT_LIMIT);
	assert_int_equal(r.res.exits, 5000);
	assert_int_equal(r.out[RS_STREAM_SERIAL].len, 1000);
	assert_int_equal(r.c.v[RS_CTR_VM_SERIAL_BYTES], 5000);
	assert_non_null(strstr(r.out[RS_STREAM_REPORT].p, "4000"));
	run_release(&r);
	RUN_INIT(&r, newlines);
	r.d.timeout_ns = 1000000000;
	run_whole(&r);
	assert_int_equal(r.res.outcome, RS_OUT_WATCHDOG);
	run_release(&r);
}

static void devices(void **state)
{
	const struct rs_event *e;
	struct run r;

	(void)state;
	NEED_ENGINE();
	RUN_INIT(&r, mmio);
	r.d.hole[0] = (struct vmm_hole){ 0x200000, 0x1000 };
	r.d.holes = 1;
	rs_channel_want(r.ch, RS_EV_VM_MMIO, true);
	run_whole(&r);
	assert_int_equal(r.res.code, 0xffffffff);
	assert_int_equal(count(&r, RS_EV_VM_MEMORY), 2);
	assert_int_equal(count(&r, RS_EV_VM_MMIO), 2);
	e = nth(&r, RS_EV_VM_MMIO, 1);
	assert_int_equal(e->arg[0], 0x200008);
	assert_int_equal(e->arg[1], 2);
	assert_int_equal(e->arg[2], RS_DIR_OUT);
	assert_int_equal(e->arg[3], 0x1234);
	run_release(&r);
	RUN_INIT(&r, absent);
	run_whole(&r);
	assert_int_equal(r.res.code, 0xffff);
	run_release(&r);
	RUN_INIT(&r, hypercall);
	run_whole(&r);
	assert_int_equal(r.res.code, 12 + (77 << 8));
	assert_string_equal(r.out[RS_STREAM_DEBUG].p, "from memory\n");
	assert_int_equal(count(&r, RS_EV_VM_HYPERCALL), 4);
	e = nth(&r, RS_EV_VM_HYPERCALL, 1);
	assert_int_equal(e->arg[0], 1);
	assert_int_equal(e->arg[1], 77);
	assert_int_equal(e->arg[2], 88);
	run_release(&r);
	RUN_INIT(&r, outsb);
	run_whole(&r);
	assert_string_equal(r.out[RS_STREAM_SERIAL].p, "string");
	assert_int_equal(r.c.v[RS_CTR_VM_PIO_COUNT], 6);
	run_release(&r);
	RUN_INIT(&r, echo);
	r.d.serial_input = "a longer line than one FIFO holds.";
	r.d.trace = VMM_TRACE_EXITS;
	run_whole(&r);
	assert_string_equal(r.out[RS_STREAM_SERIAL].p, "a longer line than one FIFO holds");
	run_release(&r);
}

static void long_strings(void **state)
{
	struct run r;

	(void)state;
	NEED_ENGINE();
	RUN_INIT(&r, rep);
	run_whole(&r);
	assert_int_equal(r.res.outcome, RS_OUT_DEBUG_EXIT);
	assert_true(r.c.v[RS_CTR_VM_STEPS] < 10);
	run_release(&r);
}

/* -- orders -- */

static int order(struct run *r, enum rs_control_op op, uint32_t block, uint64_t a, uint64_t b,
		 const char *data)
{
	struct rs_control c = { .op = op, .tag = ++r->tag, .block = block, .a = a, .b = b };
	int rc;

	if (data)
		memcpy(c.data, data, strlen(data));
	assert_int_equal(rs_control_send(r->control[0], &c), 0);
	for (unsigned i = 0; i < 20000; i++) {
		struct pollfd p = { .fd = r->control[0], .events = POLLIN };

		pump(r);
		if (poll(&p, 1, 1) == 1) {
			rc = rs_control_recv(r->control[0], &c);
			assert_int_equal(rc, 0);
			assert_int_equal(c.tag, r->tag);
			pump(r);
			return c.result;
		}
	}
	fail_msg("no answer to order %d", (int)op);
	return -1;
}

/* The last snapshot of a block. */
static size_t snapshot(const struct run *r, enum rs_block block, void *out, size_t max)
{
	static struct rs_state_assembler a;
	size_t got = 0;

	memset(&a, 0, sizeof(a));
	for (size_t i = 0; i < r->n; i++) {
		size_t n;

		if (r->ev[i].kind != RS_EV_STATE_BLOCK || r->ev[i].arg[0] != block)
			continue;
		n = rs_state_feed(&a, &r->ev[i]);
		if (n) {
			got = n < max ? n : max;
			memcpy(out, a.buf, got);
		}
	}
	return got;
}

static uint64_t rip(const struct run *r)
{
	struct rs_x86_regs regs;

	assert_int_equal(snapshot(r, RS_BLOCK_REGS, &regs, sizeof(regs)), sizeof(regs));
	return regs.rip;
}

static void wait_paused(struct run *r, unsigned times)
{
	for (unsigned i = 0; i < 20000 && count(r, RS_EV_EXP_PAUSED) < times; i++) {
		pump(r);
		usleep(1000);
	}
	assert_int_equal(count(r, RS_EV_EXP_PAUSED), times);
}

/* Set-up takes its time where KVM itself is emulated. */
static void wait_started(struct run *r)
{
	for (unsigned i = 0; i < 20000 && !count(r, RS_EV_CPU_RING); i++) {
		pump(r);
		usleep(1000);
	}
}

static void single_steps(void **state)
{
	struct rs_x86_regs regs;
	struct run r;

	(void)state;
	NEED_ENGINE();
	for (unsigned t = VMM_TRACE_EXITS; t <= VMM_TRACE_STEPS; t++) {
		/* mov, mov, add, mov, out, nop, mov, out: lengths 5 5 2 4 1 1 5 2 */
		static const unsigned at[] = { 0, 5, 10, 12, 16, 17, 18, 23 };

		RUN_INIT(&r, steps);
		r.d.start_paused = true;
		r.d.trace = (enum vmm_trace)t;
		run_start(&r);
		wait_paused(&r, 1);
		assert_int_equal(rip(&r), 0x10000);
		for (unsigned i = 1; i < 8; i++) {
			assert_int_equal(order(&r, RS_CONTROL_STEP, 0, 1, 0, NULL), 0);
			wait_paused(&r, 1 + i);
			assert_int_equal(rip(&r), 0x10000 + at[i]);
		}
		snapshot(&r, RS_BLOCK_REGS, &regs, sizeof(regs));
		assert_int_equal(regs.rax, 3);
		assert_int_equal(order(&r, RS_CONTROL_RESUME, 0, 0, 0, NULL), 0);
		run_finish(&r);
		assert_int_equal(r.res.outcome, RS_OUT_DEBUG_EXIT);
		assert_int_equal(r.res.code, 3);
		assert_int_equal(r.out[RS_STREAM_SERIAL].len, 1);
		run_release(&r);
	}
	/* several at once; into a handler and back out */
	RUN_INIT(&r, int80);
	r.d.start_paused = true;
	run_start(&r);
	wait_paused(&r, 1);
	assert_int_equal(order(&r, RS_CONTROL_STEP, 0, 14, 0, NULL), 0);
	wait_paused(&r, 2);
	snapshot(&r, RS_BLOCK_REGS, &regs, sizeof(regs));
	assert_int_equal(regs.cpl, 3);
	assert_int_equal(order(&r, RS_CONTROL_STEP, 0, 1, 0, NULL), 0);
	wait_paused(&r, 3);
	snapshot(&r, RS_BLOCK_REGS, &regs, sizeof(regs));
	assert_int_equal(regs.cpl, 0);
	assert_int_equal(order(&r, RS_CONTROL_RESUME, 0, 0, 0, NULL), 0);
	run_finish(&r);
	assert_int_equal(r.res.outcome, RS_OUT_DEBUG_EXIT);
	run_release(&r);
}

static void pause_inspect_stop(void **state)
{
	struct {
		struct rs_mem_head head;
		uint64_t value;
	} mem;
	uint64_t first;
	char text[4096];
	struct run r;

	(void)state;
	NEED_ENGINE();
	for (unsigned t = VMM_TRACE_EXITS; t <= VMM_TRACE_RINGS; t++) {
		RUN_INIT(&r, count);
		r.d.trace = (enum vmm_trace)t;
		r.d.timeout_ns = 4000000000ull;
		run_start(&r);
		wait_started(&r);
		usleep(300000);
		assert_int_equal(order(&r, RS_CONTROL_PAUSE, 0, 0, 0, NULL), 0);
		wait_paused(&r, 1);
		assert_int_equal(order(&r, RS_CONTROL_INSPECT, RS_BLOCK_MEMORY, 0x100000, 8, NULL), 0);
		assert_int_equal(snapshot(&r, RS_BLOCK_MEMORY, &mem, sizeof(mem)), sizeof(mem));
		assert_int_equal(mem.head.len, 8);
		assert_true(mem.value > 0);
		first = mem.value;
		/* paused time is not running time */
		sleep(5);
		assert_int_equal(order(&r, RS_CONTROL_INSPECT, RS_BLOCK_MEMORY, 0x100000, 8, NULL), 0);
		snapshot(&r, RS_BLOCK_MEMORY, &mem, sizeof(mem));
		assert_int_equal(mem.value, first);
		assert_int_equal(order(&r, RS_CONTROL_INSPECT, RS_BLOCK_MEMORY, ~0ull - 3, 8, NULL), 0);
		assert_int_equal(order(&r, RS_CONTROL_INSPECT, RS_BLOCK_TABLES, 0, 0, NULL), 0);
		memset(text, 0, sizeof(text));
		assert_true(snapshot(&r, RS_BLOCK_TABLES, text, sizeof(text) - 1) > 0);
		assert_non_null(strstr(text, "GDT"));
		assert_int_equal(order(&r, RS_CONTROL_INSPECT, RS_BLOCK_WALK, 0x100000, 0, NULL), 0);
		assert_true(snapshot(&r, RS_BLOCK_WALK, text, sizeof(text)) > 0);
		assert_int_equal(order(&r, RS_CONTROL_INSPECT, 99, 0, 0, NULL), -22);
		assert_int_equal(order(&r, 99, 0, 0, 0, NULL), -22);
		assert_int_equal(order(&r, RS_CONTROL_RESUME, 0, 0, 0, NULL), 0);
		usleep(100000);
		assert_int_equal(order(&r, RS_CONTROL_STOP, 0, 0, 0, NULL), 0);
		run_finish(&r);
		assert_int_equal(r.res.outcome, RS_OUT_STOPPED);
		run_release(&r);
	}
}

static void input_by_order(void **state)
{
	struct run r;

	(void)state;
	NEED_ENGINE();
	RUN_INIT(&r, echo);
	r.d.trace = VMM_TRACE_EXITS;
	run_start(&r);
	assert_int_equal(order(&r, RS_CONTROL_INPUT, 0, 3, 0, "abc"), 0);
	assert_int_equal(order(&r, RS_CONTROL_INPUT, 0, 2, 0, "d."), 0);
	run_finish(&r);
	assert_int_equal(r.res.outcome, RS_OUT_HALTED);
	assert_string_equal(r.out[RS_STREAM_SERIAL].p, "abcd");
	run_release(&r);
}

/* A guest that floods its serial port does not keep orders out. */
static void pause_in_a_flood(void **state)
{
	struct run r;

	(void)state;
	NEED_ENGINE();
	RUN_INIT(&r, newlines);
	r.d.trace = VMM_TRACE_EXITS;
	run_start(&r);
	wait_started(&r);
	usleep(100000);
	assert_int_equal(order(&r, RS_CONTROL_PAUSE, 0, 0, 0, NULL), 0);
	assert_int_equal(order(&r, RS_CONTROL_STEP, 0, 1, 0, NULL), 0);
	wait_paused(&r, 2);
	assert_int_equal(order(&r, RS_CONTROL_STOP, 0, 0, 0, NULL), 0);
	run_finish(&r);
	assert_int_equal(r.res.outcome, RS_OUT_STOPPED);
	run_release(&r);
}

/* The lab goes away: the run ends. */
static void orphan(void **state)
{
	struct run r;

	(void)state;
	NEED_ENGINE();
	RUN_INIT(&r, spin);
	run_start(&r);
	wait_started(&r);
	close(r.control[0]);
	r.control[0] = -1;
	run_finish(&r);
	assert_int_equal(r.res.outcome, RS_OUT_STOPPED);
	run_release(&r);
}

static void two_at_once(void **state)
{
	rs_auto_str s = RS_STR_INIT;
	struct run a, b;

	(void)state;
	NEED_ENGINE();
	RUN_INIT(&a, int80);
	RUN_INIT(&b, hello);
	run_start(&a);
	run_start(&b);
	run_finish(&a);
	run_finish(&b);
	assert_int_equal(a.res.outcome, RS_OUT_DEBUG_EXIT);
	assert_string_equal(rings(&a, &s), "0>3 iret; 3>0 int; 0>3 iret; 3>0 int; 0>3 iret; 3>0 int; ");
	assert_string_equal(b.out[RS_STREAM_SERIAL].p, "hi\n");
	run_release(&a);
	run_release(&b);
}

static int refuse(void *arg, struct rs_err *err)
{
	(void)arg;
	return rs_err_set(err, -EPERM, "no");
}

static void refusals(void **state)
{
	struct rs_err err = RS_ERR_INIT;
	struct vmm_result res;
	struct run r;

	(void)state;
	NEED_ENGINE();
	RUN_INIT(&r, hello);
	assert_int_equal(vmm_run(&r.d, &r.em, -1, refuse, NULL, &res, &err), -EPERM);
	r.d.image = "/nonexistent/guest";
	assert_int_equal(vmm_run(&r.d, &r.em, -1, NULL, NULL, &res, &err), -ENOENT);
	r.d.memory = 4097;
	assert_int_equal(vmm_run(&r.d, &r.em, -1, NULL, NULL, &res, &err), -EINVAL);
	run_release(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hello),
		cmocka_unit_test(walk_of_the_api),
		cmocka_unit_test(other_modes),
		cmocka_unit_test(crossings),
		cmocka_unit_test(crossings_of_old),
		cmocka_unit_test(exceptions),
		cmocka_unit_test(gates),
		cmocka_unit_test(sampled),
		cmocka_unit_test(invisible),
		cmocka_unit_test(bad_ends),
		cmocka_unit_test(flood),
		cmocka_unit_test(devices),
		cmocka_unit_test(long_strings),
		cmocka_unit_test(single_steps),
		cmocka_unit_test(pause_inspect_stop),
		cmocka_unit_test(input_by_order),
		cmocka_unit_test(pause_in_a_flood),
		cmocka_unit_test(orphan),
		cmocka_unit_test(two_at_once),
		cmocka_unit_test(refusals),
	};

	static const char *const engines[] = { "soft", "kvm" };
	int failed = 0;

	for (unsigned i = 0; i < 2; i++) {
		engine = engines[i];
		if (!strcmp(engine, "soft") && !soft_is_due())
			continue;
		failed += cmocka_run_group_tests_name(engine, tests, NULL, NULL);
	}
	return failed;
}
