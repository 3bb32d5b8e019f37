/* A machine's PC platform (desc.pc): the guest's clock, the interrupt line of the CPU, and waking up in time.
 *
 * The vCPU's thread alone touches the devices. Between two entries (on an engine that calls devices from
 * inside the guest's run, after each access) it catches the devices up, tells the engine the level of the
 * interrupt line, and sets one timer for the next thing that a device will do by itself. When that runs
 * out the monitor's thread kicks the vCPU, which then comes round here.
 */
#include "vmm/machine.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <time.h>

#include "engine/base/cleanup.h"

#define SECOND 1000000000u

/* Time stands still for the guest while it is paused. */
uint64_t vmm_guest_ns(const struct vmm_machine *m)
{
	return vmm_now_ns() - m->start_ns - atomic_load_explicit(&m->paused_ns, memory_order_relaxed);
}

static uint64_t device_ns(void *arg)
{
	return vmm_guest_ns(arg);
}

static void on_reset(void *arg)
{
	struct vmm_machine *m = arg;

	vmm_vcpu_end(&m->vcpu, RS_OUT_RESET, 0);
}

/* ACPI's S5: the outcome is the same, the code says which. */
static void on_off(void *arg)
{
	struct vmm_machine *m = arg;

	vmm_vcpu_end(&m->vcpu, RS_OUT_RESET, VMM_POWERED_OFF);
}

static void on_nmi(void *arg)
{
	struct vmm_machine *m = arg;

	if (m->ops->nmi)
		m->ops->nmi(&m->vcpu);
}

int vmm_board_new(struct vmm_machine *m, struct rs_err *err)
{
	const struct vmm_pc_owner owner = { .arg = m, .reset = on_reset, .off = on_off, .nmi = on_nmi };
	int r;

	m->pc = rs_xcalloc(1, sizeof(*m->pc));
	m->timer_at = VMM_NEVER;
	r = vmm_pc_init(m->pc, &owner, (struct vmm_time){ device_ns, m }, m->desc.memory, (int64_t)time(NULL),
			&m->pio, &m->mmio);
	if (r < 0)
		return rs_err_set(err, r, N_("the port device \"%s\" has no place"), "pc");
	m->com1.out = (struct vmm_line){ vmm_pc_irq, m->pc, VMM_IRQ_COM1 };
	m->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (m->timer_fd < 0)
		return rs_err_errno(err, errno, N_("no timer for the machine's devices"));
	return 0;
}

void vmm_board_free(struct vmm_machine *m)
{
	rs_cleanup_closep(&m->timer_fd);
	free(rs_steal(m->pc));
}

static struct timespec host_time(const struct vmm_machine *m, uint64_t guest_ns)
{
	uint64_t at = guest_ns + m->start_ns + atomic_load(&m->paused_ns);

	return (struct timespec){ .tv_sec = (time_t)(at / SECOND), .tv_nsec = (long)(at % SECOND) };
}

static void set_timer(struct vmm_machine *m, uint64_t next, uint64_t now)
{
	struct itimerspec t = { 0 };

	/* A timer that is too early costs one turn of the loop; setting it costs a system call each time. */
	if (next == VMM_NEVER || (next >= m->timer_at && now < m->timer_at))
		return;
	m->timer_at = next;
	t.it_value = host_time(m, next);
	timerfd_settime(m->timer_fd, TFD_TIMER_ABSTIME, &t, NULL);
}

void vmm_board_line(struct vmm_vcpu *v)
{
	struct vmm_machine *m = v->m;
	bool level = vmm_pc_pending(m->pc);

	if (level == m->irq_line)
		return;
	m->irq_line = level;
	m->ops->irq(v, level);
}

/* Lets happen what is due. When the next thing is. */
static uint64_t catch_up(struct vmm_machine *m, uint64_t now)
{
	uint64_t next = vmm_pc_next(m->pc);

	if (next > now)
		return next;
	vmm_pc_tick(m->pc);
	return vmm_pc_next(m->pc);
}

void vmm_board_sync(struct vmm_vcpu *v)
{
	struct vmm_machine *m = v->m;
	uint64_t now = vmm_guest_ns(m), next = catch_up(m, now);

	m->pc->changed = false;
	vmm_board_line(v);
	set_timer(m, next, now);
}

void vmm_board_touched(struct vmm_vcpu *v)
{
	if (v->m->pc->changed)
		vmm_board_sync(v);
	else
		vmm_board_line(v);
}

int vmm_board_ack(struct vmm_vcpu *v)
{
	int vector = vmm_pc_ack(v->m->pc);

	vmm_board_line(v);
	return vector;
}

/* Until an order arrives or, by the guest's clock, until `at`. */
static void rest(struct vmm_machine *m, uint64_t at)
{
	struct timespec t = host_time(m, at);
	uint64_t began = vmm_ticks();

	pthread_mutex_lock(&m->orders.lock);
	if (!atomic_load(&m->orders.pending)) {
		if (at == VMM_NEVER)
			pthread_cond_wait(&m->orders.cond, &m->orders.lock);
		else
			pthread_cond_timedwait(&m->orders.cond, &m->orders.lock, &t);
	}
	pthread_mutex_unlock(&m->orders.lock);
	m->vcpu.idle += vmm_ticks() - began;
}

bool vmm_board_wait(struct vmm_vcpu *v)
{
	struct vmm_machine *m = v->m;
	struct vmm_cpu_state s;

	if (m->ops->get_state(v, &s, NULL) < 0 || !(s.rflags & RFLAGS_IF))
		return false;
	vmm_out_flush(&m->serial_out);
	vmm_out_flush(&m->debug_out);
	while (!v->ended) {
		uint64_t next = catch_up(m, vmm_guest_ns(m));

		vmm_board_line(v);
		if (m->irq_line)
			break;
		if (next == VMM_NEVER && m->control_fd < 0)
			return false; /* nothing can happen any more */
		rest(m, next);
		if (atomic_load(&m->orders.pending))
			vmm_orders_do(v);
	}
	return true;
}
