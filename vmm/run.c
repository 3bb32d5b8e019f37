/* The run: builds the machine, lets the vCPU's thread loop, and watches over it.
 *
 * The loop is the hot path: besides KVM_RUN it makes no system call, formats nothing
 * and allocates nothing. Time is taken from the TSC. What the tracer itself causes
 * (steps, breakpoints, kicks) counts as steps, not as exits: exits are the guest's.
 */
#include "vmm/machine.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>


#define TICK_NS 50000000u          /* a snapshot of a running guest at most this often */
#define TICK_PART 200u             /* ... and for no more than this part of the time */
#define KICK_MS 100                /* a vCPU without exits is asked to come round this often */
#define GRACE_NS 2000000000ull     /* a stopped vCPU that does not come out of KVM_RUN is given up */

/* -- the vCPU's thread -- */

static void report(struct vmm_machine *m, const struct rs_str *s)
{
	for (size_t i = 0; i < s->len; i++)
		vmm_out_byte(&m->report_out, (unsigned char)s->p[i]);
	vmm_out_flush(&m->report_out);
}

static void report_dropped(struct vmm_machine *m, const struct vmm_out *o, const char *name)
{
	rs_auto_str text = RS_STR_INIT;

	if (!o->dropped)
		return;
	rs_str_addf(&text, "%llu further bytes on stream %s were counted but not kept (limit %llu).\n",
		    (unsigned long long)o->dropped, name, (unsigned long long)o->limit);
	report(m, &text);
}

static bool needs_report(enum rs_outcome o)
{
	switch (o) {
	case RS_OUT_SHUTDOWN:
	case RS_OUT_UNHANDLED:
	case RS_OUT_FAIL_ENTRY:
	case RS_OUT_WATCHDOG:
		return true;
	default:
		return false;
	}
}

/* What the hardware left the guest for and the monitor never heard of. */
static void count_kernel_exits(struct vmm_vcpu *v)
{
	uint64_t all = v->m->ops->hardware_exits ? v->m->ops->hardware_exits(v) : 0;

	if (all > v->m->exits)
		rs_count(v->m->em, RS_CTR_VM_KERNEL_EXITS, all - v->m->exits);
}

/* Everything that is said at the end, in the thread that owns the registers. */
static void finish(struct vmm_vcpu *v)
{
	struct vmm_machine *m = v->m;
	struct vmm_cpu_state s;

	vmm_out_flush(&m->serial_out);
	vmm_out_flush(&m->debug_out);
	count_kernel_exits(v);
	vmm_trace_end(v);
	vmm_virt_end(v);
	if (v->outcome == RS_OUT_FAIL_ENTRY)
		vmm_check_entry(v);
	vmm_snapshot(v);
	if (needs_report(v->outcome) && m->ops->get_state(v, &s, NULL) == 0) {
		rs_auto_str text = RS_STR_INIT;

		if (v->virt)
			vmm_virt_explain(v->virt, &text);
		else
			vmm_explain(m, &s, &v->exit, v->outcome, &text);
		report(m, &text);
	}
	report_dropped(m, &m->serial_out, "serial");
	report_dropped(m, &m->debug_out, "debug");
	rs_emit(m->em, RS_EV_VM_END, RS_SRC_MONITOR, v->index, v->outcome, v->code, v->rip, m->exits,
		NULL);
}

/* Now and then while the guest runs. */
static void tick(struct vmm_vcpu *v)
{
	struct vmm_machine *m = v->m;

	vmm_trace_hide(v);
	vmm_clock_tune(&m->clock);
	vmm_out_flush(&m->serial_out);
	vmm_out_flush(&m->debug_out);
	vmm_snapshot(v);
}

/* The TSC of another CPU may lag behind a little. */
static uint64_t since(const struct vmm_clock *c, uint64_t from, uint64_t to)
{
	return (int64_t)(to - from) > 0 ? vmm_ticks_ns(c, to - from) : 0;
}

static int loop(struct vmm_vcpu *v, struct rs_err *err)
{
	struct vmm_machine *m = v->m;
	const struct vmm_engine_ops *ops = m->ops;
	uint64_t left, entered, tick_at = vmm_ticks();
	uint64_t tick_ticks = (uint64_t)(((unsigned __int128)TICK_NS << 32) / m->clock.mult), took;

	left = tick_at;
	while (!v->ended) {
		int r;

		if (__builtin_expect(m->orders.pause_now, 0)) {
			m->orders.pause_now = false;
			vmm_pause(v);
		}
		if (__builtin_expect(atomic_load_explicit(&m->orders.pending, memory_order_acquire), 0)) {
			vmm_trace_hide(v);
			vmm_orders_do(v);
			if (v->ended)
				break;
			left = vmm_ticks(); /* standing still is nobody's time */
		}
		r = vmm_trace_before(v, err);
		if (r < 0)
			return r;
		if (m->pc)
			vmm_board_sync(v);
		entered = vmm_ticks();
		v->inside = 0;
		rs_count(m->em, RS_CTR_VM_MONITOR_NS, since(&m->clock, left + v->idle, entered));
		v->idle = 0;
		r = ops->run(v, &v->exit, err);
		left = vmm_ticks();
		rs_count(m->em, RS_CTR_VM_GUEST_NS, since(&m->clock, entered + v->inside, left));
		if (v->inside)
			rs_count(m->em, RS_CTR_VM_MONITOR_NS, vmm_ticks_ns(&m->clock, v->inside));
		atomic_store_explicit(&m->alive, left, memory_order_relaxed);
		if (__builtin_expect(r < 0 && r != -EINTR, 0))
			return r;
		if (ops->peek(v, &v->rip, &v->cpl, err) < 0)
			return err->code;
		if (r == 0) {
			v->pending = false; /* the access before it is complete */
			r = vmm_trace_after(v, err);
			if (r < 0)
				return r;
			if (r == 0)
				vmm_guest_exit(v);
		} else {
			v->pending = false; /* it was completed on the way */
			vmm_trace_kicked(v);
		}
		if (__builtin_expect(left - tick_at > tick_ticks, 0)) {
			tick(v);
			tick_at = vmm_ticks();
			tick_ticks = (uint64_t)(((unsigned __int128)TICK_NS << 32) / m->clock.mult);
			took = TICK_PART * (tick_at - left);
			if (took > tick_ticks)
				tick_ticks = took;
		}
	}
	return 0;
}

static void *vcpu_main(void *arg)
{
	struct vmm_vcpu *v = arg;
	struct vmm_machine *m = v->m;
	uint64_t one = 1;
	int go;

	pthread_mutex_lock(&m->orders.lock);
	while (!m->orders.go)
		pthread_cond_wait(&m->orders.cond, &m->orders.lock);
	go = m->orders.go;
	pthread_mutex_unlock(&m->orders.lock);

	if (go > 0) {
		vmm_clock_tune(&m->clock);
		if (m->ops->peek(v, &v->rip, &v->cpl, NULL) == 0)
			vmm_trace_start(v);
		vmm_virt_start(v);
		if (m->desc.start_paused)
			vmm_pause(v);
		if (loop(v, &m->error) < 0) {
			v->ended = false;
			vmm_vcpu_end(v, RS_OUT_ERROR, (uint64_t)-m->error.code);
		}
		finish(v);
	}
	atomic_store(&m->done, true);
	while (write(m->done_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	return NULL;
}

/* -- the monitor's thread -- */

/* Takes all orders that have arrived. False when the lab is gone. */
static bool take_orders(struct vmm_machine *m)
{
	struct rs_control c;
	int r;

	while ((r = rs_control_recv(m->control_fd, &c)) == 0) {
		r = vmm_orders_put(m, &c);
		if (r < 0) {
			c.result = r;
			rs_control_send(m->control_fd, &c);
		}
	}
	return r == -EAGAIN || r == -EINTR;
}

static uint64_t running_ns(struct vmm_machine *m, uint64_t start, uint64_t now)
{
	uint64_t since = atomic_load(&m->paused_since), paused = atomic_load(&m->paused_ns);

	if (since && now > since)
		paused += now - since;
	return now - start > paused ? now - start - paused : 0;
}

/* Until the vCPU's thread is done. False when it had to be given up: it sits in KVM_RUN for good. */
static bool watch(struct vmm_machine *m)
{
	struct pollfd p[3] = { { .fd = m->done_fd, .events = POLLIN },
			       { .fd = m->control_fd, .events = POLLIN },
			       { .fd = m->timer_fd, .events = POLLIN } };
	uint64_t start = vmm_now_ns(), stopped = 0, alive = 0, ticks;

	while (!atomic_load(&m->done)) {
		bool paused = atomic_load(&m->paused_since) != 0;
		uint64_t now = vmm_now_ns(), ran = running_ns(m, start, now);
		uint64_t left = ran < m->desc.timeout_ns ? m->desc.timeout_ns - ran : 0;
		int ms = paused && !stopped ? -1 : KICK_MS;

		if (!stopped && !paused && left < KICK_MS * 1000000ull)
			ms = (int)(left / 1000000 + 1);
		poll(p, 3, ms);
		if (m->timer_fd >= 0 && read(m->timer_fd, &ticks, sizeof(ticks)) > 0)
			m->ops->kick(&m->vcpu);
		if (p[1].fd >= 0 && p[1].revents && !take_orders(m)) {
			p[1].fd = -1;
			vmm_orders_stop(m, RS_OUT_STOPPED);
			stopped = stopped ? stopped : vmm_now_ns();
		}
		now = vmm_now_ns();
		if (!stopped && running_ns(m, start, now) >= m->desc.timeout_ns) {
			vmm_orders_stop(m, RS_OUT_WATCHDOG);
			stopped = now;
		}
		if (stopped && now - stopped > GRACE_NS)
			return atomic_load(&m->done);
		if (!atomic_load(&m->paused_since)) {
			uint64_t turn = atomic_load(&m->alive);

			if (turn == alive)
				m->ops->kick(&m->vcpu);
			alive = turn;
		}
	}
	return true;
}

static void let_go(struct vmm_machine *m, int how)
{
	pthread_mutex_lock(&m->orders.lock);
	m->orders.go = how;
	pthread_cond_broadcast(&m->orders.cond);
	pthread_mutex_unlock(&m->orders.lock);
}

/* Set-up came to the call that it was to stop after: shows what there is so far. */
static void stop_short(struct vmm_machine *m, struct vmm_result *res)
{
	m->reached = false; /* the snapshot may ask the engine again */
	m->desc.has_until = false;
	if (m->have_vcpu)
		vmm_snapshot(&m->vcpu);
	*res = (struct vmm_result){ .outcome = RS_OUT_REACHED };
	rs_emit(m->em, RS_EV_VM_END, RS_SRC_MONITOR, 0, res->outcome, 0, 0, 0, NULL);
}

int vmm_run(const struct vmm_desc *d, struct rs_emitter *em, int control_fd,
	    int (*seal)(void *arg, struct rs_err *err), void *seal_arg, struct vmm_result *res,
	    struct rs_err *err)
{
	const struct vmm_engine_ops *ops;
	struct vmm_machine *m;
	struct rs_err local = RS_ERR_INIT;
	int r;

	err = err ? err : &local;
	memset(res, 0, sizeof(*res));
	r = vmm_desc_check(d, err);
	if (r < 0)
		return r;
	ops = vmm_engine_pick(d->engine, err);
	if (!ops)
		return err->code;
	m = vmm_machine_new(d, em, err);
	if (!m)
		return err->code;
	m->ops = ops;
	m->control_fd = control_fd;
	r = vmm_machine_prepare(m, err);
	if (m->reached) {
		stop_short(m, res);
		r = 0;
		goto out;
	}
	if (r < 0)
		goto out;
	/* All threads exist before the seal: its filter must be loaded for all of them. */
	r = pthread_create(&m->vcpu.thread, NULL, vcpu_main, &m->vcpu);
	if (r) {
		r = rs_err_errno(err, r, N_("no thread for the virtual CPU"));
		goto out;
	}
	r = seal ? seal(seal_arg, err) : 0;
	let_go(m, r < 0 ? -1 : 1);
	if (r >= 0 && !watch(m)) {
		int stop = atomic_load(&m->orders.stop);

		/* The thread still uses the machine: neither is ever freed. The process ends soon. */
		pthread_detach(m->vcpu.thread);
		res->outcome = (enum rs_outcome)(stop - 1);
		rs_emit(m->em, RS_EV_VM_END, RS_SRC_MONITOR, 0, res->outcome, 0, 0, 0,
			"the vCPU did not come back from KVM_RUN");
		return 0;
	}
	pthread_join(m->vcpu.thread, NULL);
	if (r < 0)
		goto out;
	*res = (struct vmm_result){ m->vcpu.outcome, m->vcpu.code, m->vcpu.rip, m->exits };
	if (res->outcome == RS_OUT_ERROR) {
		*err = m->error;
		r = err->code ? err->code : -EIO;
	}
out:
	vmm_machine_free(m);
	return r;
}
