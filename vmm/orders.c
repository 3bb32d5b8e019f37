/* Orders of the lab: the monitor thread puts them into a small queue, the vCPU thread
 * carries them out between two entries and answers on the control socket itself.
 * So no register or device is ever touched by two threads.
 */
#include "vmm/machine.h"

#include <errno.h>
#include <string.h>

static void wake(struct vmm_machine *m)
{
	atomic_store(&m->orders.pending, true);
	pthread_cond_signal(&m->orders.cond);
	pthread_mutex_unlock(&m->orders.lock);
	m->ops->kick(&m->vcpu);
}

int vmm_orders_put(struct vmm_machine *m, const struct rs_control *order)
{
	struct vmm_orders *o = &m->orders;

	pthread_mutex_lock(&o->lock);
	if (o->count == VMM_ORDERS_MAX) {
		pthread_mutex_unlock(&o->lock);
		return -EAGAIN;
	}
	o->q[(o->head + o->count++) % VMM_ORDERS_MAX] = *order;
	wake(m);
	return 0;
}

void vmm_orders_stop(struct vmm_machine *m, enum rs_outcome outcome)
{
	int none = 0;

	atomic_compare_exchange_strong(&m->orders.stop, &none, 1 + (int)outcome);
	pthread_mutex_lock(&m->orders.lock);
	wake(m);
}

void vmm_pause(struct vmm_vcpu *v)
{
	struct vmm_machine *m = v->m;

	if (v->paused)
		return;
	v->paused = true;
	v->steps_left = 0;
	atomic_store(&m->paused_since, vmm_now_ns());
	atomic_store(&m->orders.pending, true);
	vmm_trace_hide(v);
	vmm_out_flush(&m->serial_out);
	vmm_out_flush(&m->debug_out);
	vmm_snapshot(v);
	rs_emit(m->em, RS_EV_EXP_PAUSED, RS_SRC_MONITOR, v->index, v->rip, 0, 0, 0, NULL);
}

static void leave_pause(struct vmm_vcpu *v)
{
	struct vmm_machine *m = v->m;
	uint64_t since = atomic_exchange(&m->paused_since, 0);

	if (!v->paused)
		return;
	v->paused = false;
	atomic_fetch_add(&m->paused_ns, vmm_now_ns() - since);
	m->timer_at = VMM_NEVER; /* the guest's clock stood still: it is to be set again */
}

/* The largest piece of memory that one answer holds. */
#define INSPECT_MAX 4096u

static int inspect_memory(struct vmm_vcpu *v, const struct rs_control *c,
			  const struct vmm_cpu_state *s)
{
	struct {
		struct rs_mem_head head;
		unsigned char bytes[INSPECT_MAX];
	} out = { .head = { .addr = c->a, .gpa = c->a, .is_virtual = c->flag != 0 } };
	struct vmm_machine *m = v->m;
	size_t n = c->b < INSPECT_MAX ? (size_t)c->b : INSPECT_MAX;

	if (c->flag) {
		struct vmm_walk w;

		vmm_walk(m, s, c->a, &w);
		out.head.gpa = w.mapped ? w.gpa : ~0ull;
		out.head.len = (uint32_t)vmm_read_linear(m, s, c->a, out.bytes, n);
	} else {
		while (out.head.len < n) {
			const unsigned char *p = vmm_ram(m, c->a + out.head.len, 1);

			if (!p)
				break;
			out.bytes[out.head.len++] = *p;
		}
		if (!out.head.len)
			out.head.gpa = ~0ull;
	}
	rs_emit_state(m->em, RS_SRC_MONITOR, v->index, RS_BLOCK_MEMORY, &out,
		      sizeof(out.head) + out.head.len);
	return 0;
}

static void send_text(struct vmm_vcpu *v, enum rs_block block, const struct rs_str *s)
{
	rs_emit_state(v->m->em, RS_SRC_MONITOR, v->index, block, s->p,
		      s->len < RS_STATE_MAX ? s->len : RS_STATE_MAX);
}

static int inspect(struct vmm_vcpu *v, const struct rs_control *c)
{
	rs_auto_str text = RS_STR_INIT;
	struct vmm_cpu_state s;
	int r = v->m->ops->get_state(v, &s, NULL);

	if (r < 0)
		return r;
	switch (c->block) {
	case RS_BLOCK_REGS:
	case RS_BLOCK_CODE:
		vmm_snapshot(v);
		return 0;
	case RS_BLOCK_MEMORY:
		r = inspect_memory(v, c, &s);
		if (!c->flag || r < 0)
			return r;
		/* fall through: a linear address is shown with its walk */
		__attribute__((fallthrough));
	case RS_BLOCK_WALK: {
		struct vmm_walk w;

		vmm_walk(v->m, &s, c->a, &w);
		vmm_walk_format(&w, c->a, &text);
		send_text(v, RS_BLOCK_WALK, &text);
		return 0;
	}
	case RS_BLOCK_TABLES:
		vmm_tables_format(v->m, &s, &text);
		send_text(v, RS_BLOCK_TABLES, &text);
		return 0;
	}
	return -EINVAL;
}

static int carry_out(struct vmm_vcpu *v, const struct rs_control *c)
{
	struct vmm_machine *m = v->m;
	size_t n;

	switch (c->op) {
	case RS_CONTROL_PAUSE:
		vmm_pause(v);
		return 0;
	case RS_CONTROL_RESUME:
		if (v->paused || v->steps_left)
			rs_emit(m->em, RS_EV_EXP_RESUMED, RS_SRC_MONITOR, v->index, 0, 0, 0, 0, NULL);
		v->steps_left = 0;
		leave_pause(v);
		return 0;
	case RS_CONTROL_STEP:
		v->steps_left = c->a ? c->a : 1;
		leave_pause(v);
		return 0;
	case RS_CONTROL_INSPECT:
		return inspect(v, c);
	case RS_CONTROL_STOP:
		vmm_vcpu_end(v, RS_OUT_STOPPED, 0);
		return 0;
	case RS_CONTROL_INPUT:
		n = c->a < sizeof(c->data) ? (size_t)c->a : sizeof(c->data);
		return vmm_serial_input(&m->com1, c->data, n) == n ? 0 : -ENOSPC;
	}
	return -EINVAL;
}

void vmm_orders_do(struct vmm_vcpu *v)
{
	struct vmm_machine *m = v->m;
	struct vmm_orders *o = &m->orders;

	while (!v->ended) {
		struct rs_control c;
		int stop = atomic_load(&o->stop);

		if (stop) {
			vmm_vcpu_end(v, (enum rs_outcome)(stop - 1), 0);
			break;
		}
		pthread_mutex_lock(&o->lock);
		while (!o->count && v->paused && !atomic_load(&o->stop))
			pthread_cond_wait(&o->cond, &o->lock);
		if (!o->count) {
			if (!atomic_load(&o->stop)) {
				atomic_store(&o->pending, false);
				pthread_mutex_unlock(&o->lock);
				return;
			}
			pthread_mutex_unlock(&o->lock);
			continue;
		}
		c = o->q[o->head];
		o->head = (o->head + 1) % VMM_ORDERS_MAX;
		o->count--;
		pthread_mutex_unlock(&o->lock);
		c.result = carry_out(v, &c);
		if (m->control_fd >= 0)
			rs_control_send(m->control_fd, &c);
	}
	/* Time spent paused does not count against the run, also when it ends there. */
	leave_pause(v);
}
