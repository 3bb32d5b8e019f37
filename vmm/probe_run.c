/* One probe guest in a machine of its own, under a watchdog.
 */
#include "vmm/probe.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LIMIT_NS 1000000000ull /* a guest's time */
#define GRACE_NS 500000000ull  /* for KVM_RUN to come back after a kick */
#define EXITS_MAX 1000

/* ---- the machine ---- */

static void put64(const struct vmm_machine *m, uint64_t gpa, uint64_t a, uint64_t b)
{
	uint64_t v[2] = {a, b};
	void *p = vmm_ram(m, gpa, sizeof(v));

	if (p)
		memcpy(p, v, sizeof(v));
}

/* A gate in the monitor's IDT and, behind it, "mov eax, PROBE_VECTOR + v; out 0xf4, eax". Ring 3
 * may call it. */
static void put_stub(const struct vmm_machine *m, unsigned v)
{
	uint64_t at = PROBE_STUBS + v * 16ull;
	uint64_t code = 0xb8 | (uint64_t)(PROBE_VECTOR + v) << 8 | 0xf4e7ull << 40 | 0xf4ull << 56;

	put64(m, at, code, 0);
	put64(m, VMM_IDT + v * 16ull,
	      (at & 0xffff) | VMM_SEL_CODE0 << 16 | 0xee00ull << 32 | (at >> 16) << 48, 0);
}

static int fill(struct vmm_probe_run *r, struct rs_err *err)
{
	size_t n = (size_t)((const char *)r->g->end - (const char *)r->g->code);
	struct vmm_cpu_state s;
	uint32_t *dir;
	int e = vmm_entry_setup(r->m, &r->m->desc, PROBE_CODE, &s, err);

	if (e < 0)
		return e;
	memcpy(vmm_ram(r->m, PROBE_CODE, n), r->g->code, n);
	if (r->g->entry == VMM_ENTRY_LONG64) {
		for (unsigned v = 0; v < 32; v++)
			put_stub(r->m, v);
		put_stub(r->m, 0x80);
		put_stub(r->m, 0x81);
	}
	dir = vmm_ram(r->m, PROBE_DIR, 4096);
	for (unsigned i = 0; i < 1024; i++)
		dir[i] = i << 22 | 0x83; /* present, writable, 4 MiB */
	return r->m->ops->set_state(&r->m->vcpu, &s, err);
}

static int build(struct vmm_probe_run *r, struct rs_err *err)
{
	struct vmm_desc d;
	int e;

	vmm_desc_init(&d);
	d.entry = r->g->entry;
	d.memory = PROBE_MEMORY;
	d.holes = r->g->mmio;
	d.hole[0] = (struct vmm_hole){PROBE_HOLE, 4096};
	r->m = vmm_machine_new(&d, NULL, err);
	if (!r->m)
		return err->code;
	r->m->ops = &vmm_engine_kvm;
	e = r->m->ops->vm_new(r->m, err);
	if (!e)
		e = r->m->ops->vcpu_new(r->m, 0, err);
	if (!e)
		e = fill(r, err);
	if (!e && r->g->step)
		e = r->m->ops->set_debug(&r->m->vcpu, true, NULL, 0, err);
	if (!e && r->g->breakpoint)
		e = r->m->ops->set_debug(&r->m->vcpu, false, &(uint64_t){PROBE_CODE + 3}, 1, err);
	if (!e && r->g->dirty_log)
		e = vmm_kvm_dirty_start(r->m, err);
	return e;
}

/* ---- its run ---- */

/* What the guest reads back from the port and from the hole. */
#define ANSWER 0x5555aaaau

static void io(struct vmm_probe_run *r)
{
	const struct vmm_exit *x = &r->exit;
	uint32_t v = ANSWER;

	if (x->io.in) {
		memcpy(x->io.data, &v, x->io.size <= 4 ? x->io.size : 4);
		return;
	}
	if (x->io.port == VMM_PORT_DEBUGCON)
		r->mark_ns = vmm_now_ns();
	if (x->io.port != VMM_PORT_DEBUG_EXIT)
		return;
	v = 0;
	memcpy(&v, x->io.data, x->io.size <= 4 ? x->io.size : 4);
	r->code = v;
	r->end = PROBE_END_CODE;
}

static void mmio(struct vmm_probe_run *r)
{
	const struct vmm_exit *x = &r->exit;
	uint32_t v = ANSWER, written = 0;

	if (!x->mmio.write && x->mmio.gpa == PROBE_HOLE + 0x20 && x->mmio.len == 4)
		memcpy(x->mmio.data, &v, 4);
	memcpy(&written, x->mmio.data, x->mmio.len <= 4 ? x->mmio.len : 4);
	if (x->mmio.write && x->mmio.gpa == PROBE_HOLE + 0x10 && written == 0x12345678)
		r->mmio++;
}

static void debug(struct vmm_probe_run *r)
{
	uint64_t rip;
	unsigned cpl;

	if (r->m->ops->peek(&r->m->vcpu, &rip, &cpl, &r->err) < 0)
		return;
	if (r->g->step) {
		r->steps[cpl & 3]++;
		/* again: IRET has taken RFLAGS.TF from the stack, where it is 0 */
		r->m->ops->set_debug(&r->m->vcpu, true, NULL, 0, &r->err);
	}
	if (r->g->breakpoint && rip == PROBE_CODE + 3) {
		r->breakpoints++;
		/* or it would be hit again before its instruction ran */
		r->m->ops->set_debug(&r->m->vcpu, false, NULL, 0, &r->err);
	}
}

static void one_exit(struct vmm_probe_run *r)
{
	switch (r->exit.reason) {
	case KVM_EXIT_IO:
		io(r);
		break;
	case KVM_EXIT_MMIO:
		mmio(r);
		break;
	case KVM_EXIT_DEBUG:
		debug(r);
		break;
	case KVM_EXIT_INTR:
		break;
	case KVM_EXIT_HLT:
		r->end = PROBE_END_HALT;
		break;
	case KVM_EXIT_SHUTDOWN:
		r->end = PROBE_END_SHUTDOWN;
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		r->end = PROBE_END_INTERNAL;
		break;
	case KVM_EXIT_FAIL_ENTRY:
		r->end = PROBE_END_FAIL_ENTRY;
		break;
	default:
		r->end = PROBE_END_OTHER_EXIT;
	}
}

static void *vcpu_main(void *arg)
{
	struct vmm_probe_run *r = arg;
	uint64_t start = vmm_now_ns();

	while (r->end == PROBE_END_NONE) {
		int e = r->m->ops->run(&r->m->vcpu, &r->exit, &r->err);

		if (atomic_load(&r->time_is_up))
			r->end = PROBE_END_TIME;
		else if (e < 0 && e != -EINTR)
			r->end = PROBE_END_ENGINE;
		else if (e == 0)
			one_exit(r);
		if (++r->exits == EXITS_MAX && r->end == PROBE_END_NONE)
			r->end = PROBE_END_TIME;
	}
	r->ns = vmm_now_ns() - (r->mark_ns ? r->mark_ns : start);
	if (r->m->ops->get_state(&r->m->vcpu, &r->state, NULL) < 0 && r->end != PROBE_END_ENGINE)
		r->state = (struct vmm_cpu_state){.rip = 0};
	r->hardware_exits = r->m->ops->hardware_exits(&r->m->vcpu);
	if (r->g->dirty_log)
		vmm_kvm_dirty_get(r->m, &r->dirty);
	atomic_store(&r->done, true);
	return NULL;
}

static bool wait_done(struct vmm_probe_run *r, uint64_t ns)
{
	uint64_t until = vmm_now_ns() + ns;
	long pause = 50000; /* ns; grows, so that a quick guest costs little and a slow one few wake-ups */

	while (!atomic_load(&r->done)) {
		if (vmm_now_ns() >= until)
			return false;
		nanosleep(&(struct timespec){.tv_nsec = pause}, NULL);
		if (pause < 5000000)
			pause *= 2;
	}
	return true;
}

struct vmm_probe_run *vmm_probe_run_guest(const struct probe_guest *g)
{
	struct vmm_probe_run *r = rs_xcalloc(1, sizeof(*r));
	int e;

	r->g = g;
	e = build(r, &r->err);
	if (!e) {
		e = pthread_create(&r->m->vcpu.thread, NULL, vcpu_main, r);
		if (e)
			e = rs_err_errno(&r->err, e, N_("no thread for the virtual CPU"));
	}
	if (e) {
		r->end = PROBE_END_ENGINE;
		return r;
	}
	if (!wait_done(r, LIMIT_NS)) {
		atomic_store(&r->time_is_up, true);
		for (int i = 0; i < 5; i++) {
			r->m->ops->kick(&r->m->vcpu);
			if (wait_done(r, GRACE_NS / 5))
				break;
		}
	}
	if (!atomic_load(&r->done)) {
		/* The thread still uses r and its machine: leave both to it. */
		struct vmm_probe_run *copy = rs_xcalloc(1, sizeof(*copy));

		pthread_detach(r->m->vcpu.thread);
		copy->g = g;
		copy->end = PROBE_END_STUCK;
		return copy;
	}
	pthread_join(r->m->vcpu.thread, NULL);
	return r;
}

void vmm_probe_run_free(struct vmm_probe_run *r)
{
	if (r->m)
		vmm_machine_free(r->m);
	free(r);
}
