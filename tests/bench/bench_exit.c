/* What a VM exit costs that the monitor handles with events on, against a bare KVM_RUN loop with
 * nothing in it. The guest is the same: real mode, OUT to a port that nobody claims, for ever.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "tests/bench/bench.h"
#include "vmm/vmm.h"

#define ROUNDS 25
#define ROUND_NS 200000000.0 /* about this long is one measurement */
#define WARM 200u            /* exits before measuring */

static const unsigned char guest[] = { 0xe6, 0x80, 0xeb, 0xfc }; /* 1: out 0x80, al; jmp 1b */

static struct bench_row bare = { .name = "bare KVM_RUN loop" };
static struct bench_row quiet = { .name = "handled, events unwanted" };
static struct bench_row loud = { .name = "handled, vm.exit and vm.pio sent" };
static struct bench_row ratio = { .name = "ratio within one round" };
static struct bench_row stepped = { .name = "the same, ring crossings exact" };

/* -- the bare loop -- */

struct vm {
	int sys, vm, cpu;
	struct kvm_run *run;
};

static bool vm_new(struct vm *v)
{
	struct kvm_userspace_memory_region r = { .guest_phys_addr = 0, .memory_size = 0x10000 };
	struct kvm_regs regs = { .rip = 0x1000, .rflags = 2 };
	struct kvm_sregs s;
	unsigned char *ram;
	int size;

	v->sys = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	v->vm = v->sys < 0 ? -1 : ioctl(v->sys, KVM_CREATE_VM, 0);
	if (v->vm < 0)
		return false;
	ram = mmap(NULL, 0x10000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(ram + 0x1000, guest, sizeof(guest));
	r.userspace_addr = (uintptr_t)ram;
	ioctl(v->vm, KVM_SET_TSS_ADDR, 0xfffbd000ul);
	ioctl(v->vm, KVM_SET_USER_MEMORY_REGION, &r);
	v->cpu = ioctl(v->vm, KVM_CREATE_VCPU, 0);
	size = ioctl(v->sys, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (v->cpu < 0 || size <= 0)
		return false;
	v->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, v->cpu, 0);
	ioctl(v->cpu, KVM_GET_SREGS, &s);
	s.cs.base = 0;
	s.cs.selector = 0;
	return ioctl(v->cpu, KVM_SET_SREGS, &s) == 0 && ioctl(v->cpu, KVM_SET_REGS, &regs) == 0;
}

/* ns an exit. */
static double vm_run(struct vm *v, unsigned exits)
{
	uint64_t t = bench_now();

	for (unsigned i = 0; i < exits; i++)
		if (ioctl(v->cpu, KVM_RUN, 0) < 0 || v->run->exit_reason != KVM_EXIT_IO)
			return -1;
	return (double)(bench_now() - t) / exits;
}

/* -- the same company for both: a thread that empties a ring of events every few milliseconds -- */

struct watcher {
	struct rs_channel *ch;
	_Atomic bool over;
	double ns; /* an exit */
};

static uint64_t exits_of(const struct rs_channel *ch)
{
	struct rs_counters c;

	rs_channel_counters(ch, &c);
	return c.v[RS_CTR_VM_EXITS + KVM_EXIT_IO];
}

/* The exits counted between two looks, over the time between them. Also empties the ring. */
static void *watch(void *arg)
{
	struct watcher *w = arg;
	uint64_t t0 = 0, e0 = 0, last = 0;
	static struct rs_event buf[4096];

	while (!atomic_load(&w->over)) {
		uint64_t now = bench_now(), e = exits_of(w->ch);

		if (!t0 && e > WARM) {
			t0 = now;
			e0 = e;
		} else if (t0 && e > last) { /* while it runs: taking the machine down is no exit */
			w->ns = (double)(now - t0) / (double)(e - e0);
		}
		last = e;
		rs_channel_read(w->ch, buf, 4096);
		usleep(5000);
	}
	return NULL;
}

struct bare_run {
	struct vm *vm;
	unsigned exits;
	double ns;
};

static void *bare_main(void *arg)
{
	struct bare_run *b = arg;

	vm_run(b->vm, WARM);
	b->ns = vm_run(b->vm, b->exits);
	return NULL;
}

static double bare_run(struct vm *v, unsigned exits)
{
	struct rs_err err = RS_ERR_INIT;
	struct watcher w = { .ch = rs_channel_new(16384, RS_FULL_DROP, &err) };
	struct bare_run b = { .vm = v, .exits = exits };
	pthread_t watcher, cpu;

	if (!w.ch)
		return -1;
	pthread_create(&watcher, NULL, watch, &w);
	pthread_create(&cpu, NULL, bare_main, &b);
	pthread_join(cpu, NULL);
	atomic_store(&w.over, true);
	pthread_join(watcher, NULL);
	rs_channel_free(w.ch);
	return b.ns;
}

/* -- the monitor -- */

static double monitor_run(const char *image, unsigned exits, bool events, enum vmm_trace trace)
{
	struct rs_err err = RS_ERR_INIT;
	struct vmm_result res;
	struct vmm_desc d;
	struct rs_emitter em;
	struct watcher w = { .ch = rs_channel_new(16384, RS_FULL_DROP, &err) };
	pthread_t thread;
	int rc;

	if (!w.ch || rs_emitter_open(&em, rs_channel_fd(w.ch), rs_channel_wake_fd(w.ch), &err) < 0)
		return -1;
	rs_channel_want(w.ch, RS_EV_VM_EXIT, events);
	rs_channel_want(w.ch, RS_EV_VM_PIO, events);
	vmm_desc_init(&d);
	d.image = image;
	d.engine = "kvm";
	d.entry = VMM_ENTRY_REAL16;
	d.trace = trace;
	d.exit_limit = exits + WARM;
	d.timeout_ns = 60000000000ull;
	pthread_create(&thread, NULL, watch, &w);
	rc = vmm_run(&d, &em, -1, NULL, NULL, &res, &err);
	atomic_store(&w.over, true);
	pthread_join(thread, NULL);
	rs_emitter_close(&em);
	rs_channel_free(w.ch);
	if (rc < 0)
		fprintf(stderr, "bench_exit: %s\n", err.text[RS_LANG_EN]);
	return rc < 0 || res.outcome != RS_OUT_EXIT_LIMIT ? -1 : w.ns;
}

int main(void)
{
	struct rs_err err = RS_ERR_INIT;
	char path[] = "/tmp/ringside-bench-XXXXXX";
	int fd, bad = 0;
	unsigned n;
	struct vm v;

	if (vmm_available("kvm", &err) < 0) {
		printf("VM exits: skipped: %s\n", err.text[RS_LANG_EN]);
		return 77;
	}
	fd = mkstemp(path);
	if (fd < 0 || write(fd, guest, sizeof(guest)) != sizeof(guest) || !vm_new(&v)) {
		fprintf(stderr, "bench_exit: no guest\n");
		return 3;
	}
	close(fd);
	vm_run(&v, WARM);
	n = (unsigned)(ROUND_NS / vm_run(&v, WARM));
	for (int r = 0; r < ROUNDS && !bad; r++) {
		double ns[4] = { bare_run(&v, n), monitor_run(path, n, false, VMM_TRACE_EXITS),
				 monitor_run(path, n, true, VMM_TRACE_EXITS),
				 monitor_run(path, n / 10, true, VMM_TRACE_RINGS) };

		for (int i = 0; i < 4; i++)
			bad |= ns[i] <= 0;
		bench_add(&bare, ns[0]);
		bench_add(&quiet, ns[1]);
		bench_add(&loud, ns[2]);
		bench_add(&stepped, ns[3]);
		bench_add(&ratio, ns[2] / ns[0]);
	}
	unlink(path);
	if (bad) {
		fprintf(stderr, "bench_exit: a run failed\n");
		return 3;
	}
	bench_head("VM exits: from the guest, through the monitor, and back", "ns");
	bench_print(&bare, NULL);
	bench_print(&quiet, &bare);
	bench_print(&loud, &bare);
	bench_print(&stepped, &bare);
	return !bench_budget("an exit handled with events on, over the bare loop", bench_median(&ratio), 1.05, "x");
}
