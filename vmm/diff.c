/* One guest on two engines, in lock-step.
 *
 * First exit by exit, at full speed: what the exits ask for, the registers and all of memory must agree after each
 * one. After a difference two fresh machines run up to the exit before it, and are then stepped: the
 * first engine by its single step, the second one until it stands at the same instruction. So the first
 * instruction with a different result is found, where the first engine shows its steps; a software KVM may hide
 * those of ring 3.
 *
 * All four machines exist before the seal. The calling thread runs them in turn; a second thread kicks them
 * when the time is up.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "vmm/diff.h"

#define TURNS_MAX 100000u       /* instructions of the second engine for one step of the first */
#define STEPS_MAX 20000u        /* steps of the first in search of the instruction */
#define WATCH_US 20000u

struct diff {
	struct vmm_desc desc;
	struct vmm_diff_opts opts;
	struct vmm_diff_side side[4];  /* a and b of the first pass, of the second */
	struct vmm_difference *found;
	struct rs_str *out;
	struct rs_err *err;
	_Atomic bool done, late;
};

/* -- one side -- */

/* An exit before it is handled: into the queue. */
static void on_exit_of(struct vmm_vcpu *v, void *arg)
{
	struct vmm_diff_side *s = arg;
	const struct vmm_exit *x = &v->exit;
	bool io = x->reason == KVM_EXIT_IO, mmio = x->reason == KVM_EXIT_MMIO;
	unsigned n = io ? x->io.count : 1;

	for (unsigned i = 0; i < n && s->queued < VMM_DIFF_QUEUE; i++) {
		struct vmm_diff_exit *e = &s->queue[s->queued++];

		*e = (struct vmm_diff_exit){ .reason = x->reason, .rip = v->rip, .where = vmm_exit_detail(x) };
		if (!io && !mmio)
			continue;
		e->size = io ? x->io.size : x->mmio.len;
		e->write = io ? !x->io.in : x->mmio.write;
		if (e->write)
			memcpy(&e->value, io ? (char *)x->io.data + i * x->io.size : (char *)x->mmio.data,
			       e->size < 8 ? e->size : 8);
	}
}

/* Enters once. 1: an exit of the guest was handled; 2: a step; 0: it only came round; negative. */
static int enter(struct diff *d, struct vmm_diff_side *s)
{
	struct vmm_vcpu *v = &s->m->vcpu;
	unsigned before = s->queued;
	int r;

	if (s->m->pc)
		vmm_board_sync(v);
	r = s->m->ops->run(v, &v->exit, d->err);
	if (r < 0 && r != -EINTR)
		return r;
	if (s->m->ops->peek(v, &v->rip, &v->cpl, d->err) < 0)
		return -EIO;
	if (r == 0 && v->exit.reason == KVM_EXIT_DEBUG)
		return 2;
	if (r == 0)
		vmm_guest_exit(v);
	return s->queued > before;
}

/* The last access is complete only when the engine is entered again: it comes back at once, kicked. */
static int settle(struct diff *d, struct vmm_diff_side *s)
{
	int r = 0;

	if (s->m->ops->exact || (s->m->vcpu.ended && s->m->vcpu.outcome != RS_OUT_DEBUG_EXIT))
		return 0;
	s->m->ops->kick(&s->m->vcpu);
	r = s->m->ops->run(&s->m->vcpu, &s->m->vcpu.exit, d->err);
	if (r != 0 && r != -EINTR)
		return r;
	if (r == 0 && !s->m->vcpu.ended) /* it did not mind the kick */
		vmm_guest_exit(&s->m->vcpu);
	return 0;
}

/* Until the side has `n` exits in its queue, or has ended. */
static int until_exits(struct diff *d, struct vmm_diff_side *s, unsigned n)
{
	while (s->queued < n && !s->m->vcpu.ended) {
		int r = enter(d, s);

		if (r < 0)
			return r;
		if (atomic_load(&d->late))
			return -ETIME;
	}
	return settle(d, s);
}

static void drop(struct vmm_diff_side *s, unsigned n)
{
	s->queued -= n;
	memmove(s->queue, s->queue + n, s->queued * sizeof(s->queue[0]));
}

/* -- both sides -- */

enum turn { SAME, DIFFERENT, OVER };

static void plant(struct diff *d, struct vmm_diff_side *b, uint64_t exits)
{
	uint8_t *p = d->opts.plant && exits == d->opts.plant_after ? vmm_ram(b->m, d->opts.plant, 1) : NULL;

	if (p)
		*p ^= 0x01;
}

/* One exit more on both. Negative; enum turn. Differences go to `out`. */
static int one_exit(struct diff *d, struct vmm_diff_side *a, struct vmm_diff_side *b, struct rs_str *out)
{
	struct vmm_vcpu *va = &a->m->vcpu, *vb = &b->m->vcpu;
	int r = until_exits(d, a, 1);
	unsigned n;

	if (!r)
		r = until_exits(d, b, a->queued ? a->queued : 1);
	if (r)
		return r;
	n = a->queued < b->queued ? a->queued : b->queued;
	for (unsigned i = 0; i < n; i++)
		if (!vmm_diff_exits(&a->queue[i], &b->queue[i], a, b, out))
			return DIFFERENT;
	drop(a, n);
	drop(b, n);
	if (va->ended != vb->ended && !a->queued && !b->queued) {
		rs_str_addf(out, rs_tr(d->opts.lang, N_("  one engine ended the run (%s), the other did not\n")),
			    rs_unit_value_name(RS_UNIT_outcome, va->ended ? va->outcome : vb->outcome));
		return DIFFERENT;
	}
	if (va->ended && vb->ended && (va->outcome != vb->outcome || va->code != vb->code)) {
		rs_str_addf(out, "  %-4s %s %" PRIu64 "\n  %-4s %s %" PRIu64 "\n", a->m->ops->name,
			    rs_unit_value_name(RS_UNIT_outcome, va->outcome), va->code, b->m->ops->name,
			    rs_unit_value_name(RS_UNIT_outcome, vb->outcome), vb->code);
		return DIFFERENT;
	}
	if (va->ended && vb->ended && va->outcome == RS_OUT_SHUTDOWN) /* the registers of a dead CPU tell nothing */
		return OVER;
	if (!a->queued && !b->queued && !vmm_diff_states(a, b, true, out))
		return DIFFERENT;
	return va->ended ? OVER : SAME;
}

/* Why engines may differ there and both be right. */
static void reason(struct diff *d, const char *text)
{
	static const struct { const char *word, *why; } rows[] = {
		{ "cpuid", N_("each engine shows a CPU of its own") },
		{ "rdtsc", N_("time passes differently on each engine") },
		{ "rdrand", N_("these are random numbers") },
		{ "rdmsr", N_("each engine has model-specific registers of its own") },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strstr(text, rows[i].word))
			rs_str_addf(d->out, "%s: %s\n", rows[i].word, rs_tr(d->opts.lang, rows[i].why));
}

/* The second pass: steps from the last exit at which both agreed. True: the instruction was found. */
static bool find_instruction(struct diff *d, struct vmm_diff_side *a, struct vmm_diff_side *b)
{
	struct vmm_cpu_state was, s;
	rs_auto_str lines = RS_STR_INIT, where = RS_STR_INIT;

	for (uint64_t i = 0; i < d->found->exits; i++) {
		plant(d, b, i);
		if (one_exit(d, a, b, &lines) != SAME)
			return false; /* another run, another course: the guest looks at time */
	}
	plant(d, b, d->found->exits);
	a->m->ops->get_state(&a->m->vcpu, &was, NULL);
	d->found->rip = was.rip;
	rs_str_clear(&lines);
	if (!vmm_diff_states(a, b, true, &lines)) {
		rs_str_add(d->out, rs_tr(d->opts.lang, N_("memory was changed from outside:\n")));
		rs_str_add(d->out, lines.p);
		return true;
	}
	if (a->m->ops->set_debug(&a->m->vcpu, true, NULL, 0, NULL) < 0 ||
	    b->m->ops->set_debug(&b->m->vcpu, true, NULL, 0, NULL) < 0)
		return false;
	for (unsigned i = 0; i < STEPS_MAX && !atomic_load(&d->late); i++) {
		int r = enter(d, a);

		if (r < 0 || r == 1 || a->m->vcpu.ended || a->m->ops->get_state(&a->m->vcpu, &s, NULL) < 0)
			return false;
		for (unsigned k = 0; k < TURNS_MAX; k++) { /* several, when the first engine hides steps */
			r = enter(d, b);
			if (r < 0 || r == 1 || b->m->vcpu.ended || b->m->vcpu.rip == s.rip)
				break;
		}
		rs_str_clear(&lines);
		if (!vmm_diff_states(a, b, true, &lines)) {
			vmm_diff_where(a->m, &was, &where);
			rs_str_addf(d->out, rs_tr(d->opts.lang, N_("the first instruction with another result: %s\n")), where.p);
			rs_str_add(d->out, lines.p);
			reason(d, where.p);
			d->found->rip = was.rip;
			d->found->exact = true;
			return true;
		}
		was = s;
	}
	return false;
}

static int compare(struct diff *d)
{
	struct vmm_diff_side *a = &d->side[0], *b = &d->side[1];
	rs_auto_str lines = RS_STR_INIT;
	struct vmm_cpu_state s;
	int r;

	for (;;) {
		plant(d, b, d->found->exits);
		if (a->m->ops->get_state(&a->m->vcpu, &s, NULL) == 0)
			d->found->rip = s.rip;
		r = one_exit(d, a, b, &lines);
		if (r == -ETIME) {
			rs_str_addf(d->out, rs_tr(d->opts.lang, N_("the time limit ran out after %llu exits that agree\n")),
				    (unsigned long long)d->found->exits);
			return 0;
		}
		if (r < 0)
			return r;
		if (r != SAME)
			break;
		d->found->exits++;
	}
	if (r == OVER) {
		d->found->exits++;
		rs_str_addf(d->out, rs_tr(d->opts.lang, N_("no difference: %llu exits, registers and %llu KiB of memory agree on %s and %s\n")),
			    (unsigned long long)d->found->exits, (unsigned long long)d->desc.memory >> 10, a->m->ops->name,
			    b->m->ops->name);
		return 0;
	}
	d->found->found = true;
	rs_str_addf(d->out, rs_tr(d->opts.lang, N_("the engines differ (%llu exits agree before it):\n")),
		    (unsigned long long)d->found->exits);
	rs_str_add(d->out, lines.p);
	if (!find_instruction(d, &d->side[2], &d->side[3]))
		rs_str_addf(d->out, rs_tr(d->opts.lang, N_("somewhere behind 0x%llx, where they agreed: %s shows no steps there\n")),
			    (unsigned long long)d->found->rip, a->m->ops->name);
	return 0;
}

/* -- time -- */

static void *watch(void *arg)
{
	struct diff *d = arg;
	uint64_t end = vmm_now_ns() + d->side[0].m->desc.timeout_ns;

	while (!atomic_load(&d->done)) {
		usleep(WATCH_US);
		if (vmm_now_ns() < end)
			continue;
		atomic_store(&d->late, true);
		for (unsigned i = 0; i < 4; i++)
			d->side[i].m->ops->kick(&d->side[i].m->vcpu);
	}
	return NULL;
}

/* -- set-up -- */

static int build(struct diff *d, unsigned i, const char *engine)
{
	struct vmm_diff_side *s = &d->side[i];
	const struct vmm_engine_ops *ops = vmm_engine_pick(engine, d->err);

	if (!ops)
		return d->err->code;
	s->m = vmm_machine_new(&d->desc, NULL, d->err);
	if (!s->m)
		return d->err->code;
	s->m->ops = ops;
	s->m->vcpu.thread = pthread_self();
	s->m->on_exit = on_exit_of;
	s->m->on_exit_arg = s;
	s->lang = d->opts.lang;
	return vmm_machine_prepare(s->m, d->err);
}

int vmm_diff(const struct vmm_desc *desc, const struct vmm_diff_opts *o, int (*seal)(void *arg, struct rs_err *err),
	     void *seal_arg, struct vmm_difference *found, struct rs_str *out, struct rs_err *err)
{
	struct rs_err local = RS_ERR_INIT;
	struct diff *d = rs_xcalloc(1, sizeof(*d));
	pthread_t watcher;
	bool watching = false;
	int r = vmm_desc_check(desc, err ? err : &local);

	memset(found, 0, sizeof(*found));
	d->desc = *desc;
	d->desc.trace = VMM_TRACE_EXITS;
	d->opts = *o;
	d->found = found;
	d->out = out;
	d->err = err ? err : &local;
	for (unsigned i = 0; !r && i < 4; i++)
		r = build(d, i, i % 2 ? o->b : o->a);
	if (!r) {
		r = pthread_create(&watcher, NULL, watch, d);
		watching = !r;
		if (r)
			r = rs_err_errno(d->err, r, N_("no thread for the virtual CPU"));
	}
	if (!r && seal)
		r = seal(seal_arg, d->err);
	if (!r)
		r = compare(d);
	if (watching) {
		atomic_store(&d->done, true);
		pthread_join(watcher, NULL);
	}
	for (unsigned i = 0; i < 4; i++)
		vmm_machine_free(d->side[i].m);
	free(d);
	return r;
}
