/* Orders of the lab, steps, and the watchdog. */
#include "emu/orders.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/control.h"
#include "emu/symbols.h"

#define TICK_NS 300000000u      /* a running program is shown so often */
#define MS 1000000u

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- the CPUs' side ---- */

static void wake(struct emu_lab *lab)
{
	eventfd_write(lab->wake_fd, 1);
}

void emu_lab_gone(struct emu_cpu *cpu)
{
	struct emu_world *w = cpu->world;

	if (w->let != cpu)
		return;
	w->let = NULL;
	wake(w->lab);
}

/* One instruction, or one block, by the interpreter. The lock is held, and let go meanwhile. */
static enum emu_exc step(struct emu_world *w, struct emu_cpu *cpu)
{
	struct emu_block own = { .pc = cpu->pc }, *b = NULL;

	if (w->lab->by_block) {
		b = emu_block_get(w, cpu, cpu->pc);
		if (!b)
			return emu_fetch_fault(cpu);
	}
	if (emu_translate_again(w, cpu->pc, b ? b->insns : 1, w->ir) < 0)
		return emu_fetch_fault(cpu);
	emu_passes(w, w->ir);
	emu_interp_prepare(w, &own, w->ir);
	cpu->exit_site = NULL;
	cpu->exc = EMU_EXC_NONE;
	if (b)
		b->runs++;
	__atomic_store_n(&cpu->in_code, 1, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&w->lock);
	emu_interp_run(cpu, &own);
	pthread_mutex_lock(&w->lock);
	__atomic_store_n(&cpu->in_code, 0, __ATOMIC_SEQ_CST);
	pthread_cond_broadcast(&w->idle);
	emu_interp_release(&own);
	return (enum emu_exc)cpu->exc;
}

enum emu_exc emu_lab_stand(struct emu_world *w, struct emu_cpu *cpu)
{
	enum emu_exc exc = EMU_EXC_NONE;
	uint64_t from = 0;

	pthread_mutex_lock(&w->lock);
	if (w->em) {
		emu_cpu_tell(cpu);
		from = now_ns();
	}
	while (exc == EMU_EXC_NONE && !__atomic_load_n(&cpu->exit_request, __ATOMIC_SEQ_CST)) {
		unsigned held = atomic_load(&w->exclusive);

		if (!held)
			break;
		if (w->let != cpu || held > 1) {
			pthread_cond_wait(&w->idle, &w->lock);
		} else if (w->lab->left) {
			w->lab->left--;
			exc = step(w, cpu);
			emu_cpu_tell(cpu);
		} else {
			w->let = NULL;
			wake(w->lab);
		}
	}
	if (w->em) /* standing still is nobody's time */
		cpu->since += now_ns() - from;
	pthread_mutex_unlock(&w->lock);
	return exc;
}

/* ---- the lab's thread ---- */

struct emu_cpu *emu_lab_focus(struct emu_lab *lab)
{
	struct emu_cpu *first = NULL;

	for (struct emu_cpu *c = lab->w->cpus; c; c = c->next)
		if (!first || c->id < first->id)
			first = c;
	return lab->w->let ? lab->w->let : first;
}

static struct emu_cpu *cpu_by_id(struct emu_lab *lab, uint64_t id)
{
	for (struct emu_cpu *c = lab->w->cpus; c; c = c->next)
		if (c->id == id)
			return c;
	return NULL;
}

/* The program stands still: everything is shown. The lock is held. */
static void show_all(struct emu_lab *lab, struct emu_cpu *cpu)
{
	for (struct emu_cpu *c = lab->w->cpus; c; c = c->next)
		emu_cpu_tell(c);
	if (cpu) {
		emu_snapshot_cpu(lab, cpu);
		emu_snapshot_follow(lab, cpu->pc);
	}
	emu_snapshot_blocks(lab);
	rs_emit(lab->w->em, RS_EV_EXP_PAUSED, RS_SRC_EMU, cpu ? cpu->id : 0, cpu ? cpu->pc : 0, 0, 0, 0, NULL);
}

static void hold(struct emu_lab *lab)
{
	struct emu_world *w = lab->w;

	pthread_mutex_lock(&w->lock);
	emu_exclusive_begin(w, NULL);
	lab->paused = true;
	show_all(lab, emu_lab_focus(lab));
	pthread_mutex_unlock(&w->lock);
}

static void let_go(struct emu_lab *lab)
{
	struct emu_world *w = lab->w;

	pthread_mutex_lock(&w->lock);
	w->let = NULL;
	lab->paused = false;
	emu_exclusive_end(w);
	pthread_mutex_unlock(&w->lock);
}

static void resume(struct emu_lab *lab)
{
	if (!lab->paused)
		return;
	rs_emit(lab->w->em, RS_EV_EXP_RESUMED, RS_SRC_EMU, 0, 0, 0, 0, 0, NULL);
	let_go(lab);
}

static int order_step(struct emu_lab *lab, const struct rs_control *c)
{
	struct emu_world *w = lab->w;
	struct emu_cpu *cpu;

	if (!lab->paused)
		hold(lab);
	pthread_mutex_lock(&w->lock);
	cpu = c->b ? cpu_by_id(lab, c->b) : emu_lab_focus(lab);
	if (cpu) {
		lab->left = c->a ? c->a : 1;
		lab->by_block = c->flag;
		w->let = cpu;
		pthread_cond_broadcast(&w->idle);
	}
	pthread_mutex_unlock(&w->lock);
	return cpu ? 0 : -ESRCH;
}

/* A step is done, or its CPU is gone, or (`cut`) it is to end here. */
static void stepped(struct emu_lab *lab, bool cut)
{
	struct emu_world *w = lab->w;
	eventfd_t n;

	eventfd_read(lab->wake_fd, &n);
	pthread_mutex_lock(&w->lock);
	if (lab->paused && (cut || !w->let)) {
		struct emu_cpu *cpu = emu_lab_focus(lab);

		w->let = NULL;
		emu_exclusive_begin(w, NULL); /* a step that goes on comes to its end */
		show_all(lab, cpu);
		emu_exclusive_end(w);
	}
	pthread_mutex_unlock(&w->lock);
}

static int inspect(struct emu_lab *lab, const struct rs_control *c)
{
	struct emu_world *w = lab->w;
	struct emu_cpu *cpu;
	int r = 0;

	pthread_mutex_lock(&w->lock);
	emu_exclusive_begin(w, NULL);
	cpu = c->block == RS_BLOCK_EMU_REGS && c->a ? cpu_by_id(lab, c->a) : emu_lab_focus(lab);
	switch (c->block) {
	case RS_BLOCK_EMU_STAGE:
		lab->chosen = c->a != 0;
		if (lab->chosen)
			emu_snapshot_stages(lab, c->a, true);
		else if (cpu)
			emu_snapshot_follow(lab, cpu->pc);
		emu_snapshot_blocks(lab);
		break;
	case RS_BLOCK_EMU_BLOCKS:
	case RS_BLOCK_EMU_CACHE:
		emu_snapshot_blocks(lab);
		break;
	case RS_BLOCK_EMU_REGS:
	case RS_BLOCK_CODE:
		if (cpu)
			emu_snapshot_cpu(lab, cpu);
		r = cpu ? 0 : -ESRCH;
		break;
	case RS_BLOCK_MEMORY:
		emu_snapshot_memory(lab, c->a, c->b);
		break;
	default:
		r = -EINVAL;
	}
	emu_exclusive_end(w);
	pthread_mutex_unlock(&w->lock);
	return r;
}

static void stop(struct emu_lab *lab, enum rs_outcome outcome)
{
	emu_linux_stop(lab->l, outcome);
	if (lab->paused)
		let_go(lab);
}

static int carry_out(struct emu_lab *lab, const struct rs_control *c)
{
	switch (c->op) {
	case RS_CONTROL_PAUSE:
		if (!lab->paused)
			hold(lab);
		else
			stepped(lab, true);
		return 0;
	case RS_CONTROL_RESUME:
		resume(lab);
		return 0;
	case RS_CONTROL_STEP:
		return order_step(lab, c);
	case RS_CONTROL_INSPECT:
		return inspect(lab, c);
	case RS_CONTROL_STOP:
		stop(lab, RS_OUT_STOPPED);
		return 0;
	}
	return -EOPNOTSUPP;
}

/* False: nobody is there to give orders any more. */
static bool order(struct emu_lab *lab)
{
	struct rs_control c;
	int r = rs_control_recv(lab->control_fd, &c);

	if (r == -EAGAIN)
		return true;
	if (r < 0)
		return false;
	/* without an emitter there is nobody to show anything to */
	c.result = lab->w->em || c.op == RS_CONTROL_STOP ? carry_out(lab, &c) : -EOPNOTSUPP;
	rs_control_send(lab->control_fd, &c);
	return true;
}

static void tick(struct emu_lab *lab)
{
	struct emu_world *w = lab->w;

	pthread_mutex_lock(&w->lock);
	for (struct emu_cpu *c = w->cpus; c; c = c->next)
		emu_cpu_tell(c);
	emu_snapshot_blocks(lab);
	pthread_mutex_unlock(&w->lock);
}

static int wait_ms(const struct emu_lab *lab, uint64_t now, uint64_t end, uint64_t tick_at)
{
	uint64_t at = lab->paused ? 0 : end;

	if (!lab->paused && lab->watched && (!at || tick_at < at))
		at = tick_at;
	return !at ? -1 : now >= at ? 0 : (int)((at - now) / MS + 1);
}

static void *lab_main(void *arg)
{
	struct emu_lab *lab = arg;
	uint64_t now = now_ns(), end = lab->timeout_ns ? now + lab->timeout_ns : 0, tick_at = now + TICK_NS / 4;

	for (;;) {
		struct pollfd p[3] = { { lab->quit_fd, POLLIN, 0 }, { lab->control_fd, POLLIN, 0 },
				       { lab->wake_fd, POLLIN, 0 } };
		uint64_t before = now;

		if (poll(p, 3, wait_ms(lab, now, end, tick_at)) < 0 && errno != EINTR)
			return NULL;
		now = now_ns();
		if (p[0].revents)
			return NULL;
		if (lab->paused && end) /* time that it stands still does not count */
			end += now - before;
		if (p[1].revents && !order(lab)) {
			lab->control_fd = -1;
			stop(lab, RS_OUT_STOPPED);
		}
		if (p[2].revents)
			stepped(lab, false);
		if (end && !lab->paused && now >= end) {
			stop(lab, RS_OUT_WATCHDOG);
			end = 0;
		}
		if (lab->watched && !lab->paused && now >= tick_at) {
			tick(lab);
			tick_at = now_ns() + TICK_NS;
		}
	}
}

struct emu_lab *emu_lab_start(struct emu_linux *l, const struct emu_desc *d, int control_fd, struct rs_err *err)
{
	struct emu_lab *lab = rs_xcalloc(1, sizeof(*lab));
	sigset_t all, old;
	int r;

	lab->w = l->w;
	lab->l = l;
	lab->host = d->host;
	lab->control_fd = control_fd;
	lab->timeout_ns = d->timeout_ns;
	lab->watched = d->watched && l->w->em;
	lab->shown = lab->sent_shown = ~0ull;
	lab->quit_fd = eventfd(0, EFD_CLOEXEC);
	lab->wake_fd = eventfd(0, EFD_CLOEXEC);
	l->w->lab = lab;
	if (lab->quit_fd < 0 || lab->wake_fd < 0) {
		rs_err_errno(err, errno, N_("the watchdog cannot be started"));
		emu_lab_free(lab);
		return NULL;
	}
	if (d->at && (emu_symbols_find(l->w->symbols, d->at, &lab->shown) ||
		      (lab->shown = strtoull(d->at, NULL, 16)) != 0))
		lab->chosen = true;
	if (d->start_paused && l->w->em)
		hold(lab);
	/* Signals are for the guest's threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&lab->thread, NULL, lab_main, lab);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r) {
		rs_err_errno(err, r, N_("the watchdog cannot be started"));
		emu_lab_free(lab);
		return NULL;
	}
	lab->started = true;
	return lab;
}

void emu_lab_last(struct emu_lab *lab, struct emu_cpu *cpu)
{
	struct emu_world *w;

	if (!lab || !lab->w->em)
		return;
	w = lab->w;
	pthread_mutex_lock(&w->lock);
	emu_snapshot_cpu(lab, cpu);
	if (lab->l->outcome == RS_OUT_KILLED) { /* where it died; else what ran most will be shown */
		emu_snapshot_follow(lab, cpu->pc);
		lab->chosen = true;
	}
	pthread_mutex_unlock(&w->lock);
}

void emu_lab_end(struct emu_lab *lab)
{
	if (!lab || !lab->started)
		return;
	eventfd_write(lab->quit_fd, 1);
	pthread_join(lab->thread, NULL);
	lab->started = false;
	if (!lab->w->em)
		return;
	pthread_mutex_lock(&lab->w->lock);
	emu_snapshot_blocks(lab);
	pthread_mutex_unlock(&lab->w->lock);
}

void emu_lab_free(struct emu_lab *lab)
{
	if (!lab)
		return;
	emu_lab_end(lab);
	if (lab->quit_fd >= 0)
		close(lab->quit_fd);
	if (lab->wake_fd >= 0)
		close(lab->wake_fd);
	lab->w->lab = NULL;
	free(lab);
}
