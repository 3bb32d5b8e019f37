/* The run loop of one guest CPU, and the life of a world and its CPUs. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <xmmintrin.h>

#include "emu/orders.h"
#include "emu/symbols.h"
#include "emu/world.h"
#include "emu/x86.h"

static size_t pages_of(const struct emu_world *w)
{
	return w->soft ? w->opt.soft_pages : EMU_MEM_SIZE / EMU_PAGE;
}

struct emu_world *emu_world_new(const struct emu_guest *g, const struct emu_options *opt,
				struct rs_emitter *em, struct rs_err *err)
{
	struct emu_world *w = rs_xcalloc(1, sizeof(*w));

	w->guest = g;
	w->opt = *opt;
	w->em = em;
	w->ir = rs_xcalloc(1, sizeof(*w->ir));
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->idle, NULL);
	w->soft = opt->soft;
	w->page = mmap(NULL, pages_of(w) * sizeof(struct emu_block *), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	w->order = mmap(NULL, EMU_BLOCKS_MAX * sizeof(struct emu_block *), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (w->page == MAP_FAILED || w->order == MAP_FAILED) {
		w->page = w->page == MAP_FAILED ? NULL : w->page;
		w->order = w->order == MAP_FAILED ? NULL : w->order;
		rs_err_errno(err, errno, N_("cannot reserve the table of guest pages"));
	}
	if (!w->page || !w->order || (!w->soft && emu_mem_init(&w->mem, !opt->interp && !opt->no_low, err) < 0) ||
	    (!opt->interp && emu_x86_init(w, err) < 0)) {
		emu_world_free(w);
		return NULL;
	}
	w->mem.on_code_change = emu_code_changed;
	w->mem.on_code_arg = w;
	return w;
}

void emu_world_free(struct emu_world *w)
{
	if (!w)
		return;
	while (w->cpus)
		emu_cpu_free(w->cpus);
	emu_cache_release(w);
	emu_x86_release(w);
	emu_mem_release(&w->mem);
	if (w->page)
		munmap(w->page, pages_of(w) * sizeof(struct emu_block *));
	if (w->order)
		munmap(w->order, EMU_BLOCKS_MAX * sizeof(struct emu_block *));
	pthread_cond_destroy(&w->idle);
	pthread_mutex_destroy(&w->lock);
	emu_symbols_free(w->symbols);
	free(w->ir);
	free(w);
}

#define RETURNS_BYTES (EMU_RETURN_ROOM + 8u * EMU_RETURNS + 64u)

static bool new_returns(struct emu_cpu *cpu)
{
	uint8_t *p = mmap(NULL, RETURNS_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return false;
	cpu->ret_limit = (uintptr_t)p + EMU_RETURN_ROOM;
	cpu->ret_base = cpu->ret_limit + 8u * EMU_RETURNS;
	return true;
}

void emu_cpu_forget_jumps(struct emu_cpu *cpu)
{
	for (unsigned i = 0; i < 2 * EMU_JUMPS; i++) {
		if (cpu->jumps[i].pc) /* pages that were never written stay so */
			emu_jump_empty(cpu, i);
	}
}

void emu_cpu_forget(struct emu_cpu *cpu)
{
	emu_cpu_forget_jumps(cpu);
	cpu->ret_sp = cpu->ret_base;
	if (cpu->ret_base) /* a return with no entry */
		*(uint64_t *)(uintptr_t)cpu->ret_base = (uintptr_t)(cpu->world->x86->rx + cpu->world->x86->ret_miss);
}

struct emu_cpu *emu_cpu_new(struct emu_world *w, const struct emu_cpu *from)
{
	struct emu_cpu *cpu = rs_xcalloc(1, sizeof(*cpu) + (w->opt.interp || w->opt.lab ? EMU_TEMPS_MAX * sizeof(cpu->frame[0]) : 0));

	cpu->mxcsr = EMU_MXCSR_DEFAULT;
	if (from) {
		memcpy(cpu->r, from->r, sizeof(cpu->r));
		memcpy(cpu->x, from->x, sizeof(cpu->x));
		memcpy(cpu->v, from->v, sizeof(cpu->v));
		cpu->pc = from->pc;
		cpu->mxcsr = from->mxcsr;
		cpu->rm = from->rm;
		cpu->fpcr = from->fpcr;
		cpu->qc = from->qc;
		cpu->tls = from->tls;
	}
	cpu->res_addr = ~0ull;
	cpu->world = w;
	if (w->x86 && !new_returns(cpu)) {
		free(cpu);
		return NULL;
	}
	emu_jump_empty(cpu, 0);
	emu_jump_empty(cpu, EMU_JUMPS);
	emu_cpu_forget(cpu);
	pthread_mutex_lock(&w->lock);
	cpu->id = w->next_id++;
	cpu->next = w->cpus;
	w->cpus = cpu;
	pthread_mutex_unlock(&w->lock);
	return cpu;
}

void emu_cpu_free(struct emu_cpu *cpu)
{
	struct emu_cpu **at;

	if (!cpu)
		return;
	pthread_mutex_lock(&cpu->world->lock);
	for (at = &cpu->world->cpus; *at && *at != cpu; at = &(*at)->next)
		;
	if (*at)
		*at = cpu->next;
	cpu->world->insns += cpu->insns;
	emu_lab_gone(cpu);
	pthread_mutex_unlock(&cpu->world->lock);
	if (cpu->ret_limit)
		munmap((void *)(uintptr_t)(cpu->ret_limit - EMU_RETURN_ROOM), RETURNS_BYTES);
	free(cpu);
}

void emu_cpu_nudge(struct emu_cpu *cpu)
{
	int tid = __atomic_load_n(&cpu->host_tid, __ATOMIC_SEQ_CST);

	if (tid && __atomic_load_n(&cpu->in_code, __ATOMIC_SEQ_CST) && !cpu->world->opt.interp)
		syscall(SYS_tgkill, getpid(), tid, EMU_KICK_SIGNAL);
}

void emu_cpu_kick(struct emu_cpu *cpu)
{
	__atomic_store_n(&cpu->exit_request, 1, __ATOMIC_SEQ_CST);
	emu_cpu_nudge(cpu);
}

void emu_cpu_special_rm(struct emu_cpu *cpu)
{
	struct emu_world *w = cpu->world;

	if (w->special_rm)
		return;
	w->special_rm = true;
	atomic_store(&w->stale, true);
	emu_cpu_nudge(cpu);
}

static void renew(struct emu_world *w, struct emu_cpu *cpu)
{
	pthread_mutex_lock(&w->lock);
	if (atomic_exchange(&w->stale, false))
		emu_cache_flush(w, cpu);
	pthread_mutex_unlock(&w->lock);
}

static bool kicks_pending(const struct emu_world *w)
{
	if (atomic_load(&w->exclusive))
		return true;
	for (const struct emu_cpu *c = w->cpus; c; c = c->next) {
		if (__atomic_load_n(&c->exit_request, __ATOMIC_RELAXED))
			return true;
	}
	return false;
}

static void chain(struct emu_world *w, struct emu_cpu *cpu, struct emu_exit *e, struct emu_block *to)
{
	/* while somebody is to leave code, no new loops are closed */
	if (w->opt.no_chain || e->from->dead || kicks_pending(w))
		return;
	if (e->to == to) { /* a kick had cut it */
		emu_x86_patch(w, e, to);
		return;
	}
	e->to = to;
	e->next = to->incoming;
	to->incoming = e;
	emu_x86_patch(w, e, to);
	if (w->em) {
		rs_count(w->em, RS_CTR_EMU_CHAINS, 1);
		rs_emit(w->em, RS_EV_EMU_CHAIN, RS_SRC_EMU, cpu->id, e->from->pc, to->pc, 0, 0, NULL);
	}
}

/* The block to run next, with in_code set and the lock not held. NULL: pc cannot be executed, or, with
 * *held, somebody wants all CPUs out of code. */
static struct emu_block *next_block(struct emu_world *w, struct emu_cpu *cpu, bool *held)
{
	struct emu_exit *e;
	struct emu_block *b;
	struct emu_jump *j = emu_jump_entry(w->guest, cpu, cpu->pc);

	pthread_mutex_lock(&w->lock);
	*held = atomic_load(&w->exclusive);
	if (*held) {
		pthread_mutex_unlock(&w->lock);
		return NULL;
	}
	b = emu_block_get(w, cpu, cpu->pc);
	/* read after emu_block_get: a flush forgets it */
	e = (struct emu_exit *)cpu->exit_site;
	cpu->exit_site = NULL;
	if (b && e)
		chain(w, cpu, e, b);
	if (b && !e && !w->opt.no_jump_cache && w->x86) {
		j->code = w->x86->rx + b->code;
		__atomic_store_n(&j->pc, b->pc, __ATOMIC_RELEASE);
	}
	if (b)
		__atomic_store_n(&cpu->in_code, 1, __ATOMIC_SEQ_CST);
	if (w->em)
		rs_count(w->em, RS_CTR_EMU_LOOKUPS, 1);
	pthread_mutex_unlock(&w->lock);
	return b;
}

static void left_code(struct emu_world *w, struct emu_cpu *cpu)
{
	__atomic_store_n(&cpu->in_code, 0, __ATOMIC_SEQ_CST);
	if (atomic_load(&w->exclusive)) {
		pthread_mutex_lock(&w->lock);
		pthread_cond_broadcast(&w->idle);
		pthread_mutex_unlock(&w->lock);
	}
}

enum emu_exc emu_fetch_fault(struct emu_cpu *cpu)
{
	cpu->exit_site = NULL;
	cpu->fault_addr = cpu->pc;
	cpu->fault_write = false;
	return cpu->pc % cpu->world->guest->insn_align ? EMU_EXC_MISALIGNED : EMU_EXC_SEGV;
}

/* What is done here and not outside: NONE, or the exception that remains. */
static enum emu_exc settle(struct emu_world *w, struct emu_cpu *cpu, enum emu_exc exc)
{
	if (exc == EMU_EXC_ASSIST)
		exc = w->guest->assist(cpu);
	if (exc != EMU_EXC_FENCE_I)
		return exc;
	emu_code_fence(w);
	return EMU_EXC_NONE;
}

static enum emu_exc loop(struct emu_world *w, struct emu_cpu *cpu)
{
	for (;;) {
		struct emu_block *b;
		enum emu_exc exc;
		bool held;

		if (__atomic_exchange_n(&cpu->exit_request, 0, __ATOMIC_SEQ_CST))
			return EMU_EXC_KICK;
		if (w->opt.insn_limit && cpu->insns >= w->opt.insn_limit)
			return EMU_EXC_LIMIT;
		if (atomic_load_explicit(&w->stale, memory_order_relaxed))
			renew(w, cpu);
		b = next_block(w, cpu, &held);
		if (held) {
			exc = settle(w, cpu, emu_lab_stand(w, cpu));
			if (exc != EMU_EXC_NONE)
				return exc;
			continue;
		}
		if (!b)
			return emu_fetch_fault(cpu);
		cpu->exc = EMU_EXC_NONE;
		if (w->opt.interp)
			emu_interp_run(cpu, b);
		else
			emu_x86_enter(cpu, b);
		left_code(w, cpu);
		exc = settle(w, cpu, (enum emu_exc)cpu->exc);
		if (exc != EMU_EXC_NONE)
			return exc;
	}
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void emu_cpu_tell(struct emu_cpu *cpu)
{
	struct emu_world *w = cpu->world;
	/* host code adds to it meanwhile; an aligned word is read whole */
	uint64_t insns = __atomic_load_n(&cpu->insns, __ATOMIC_RELAXED), t, spent, made;

	if (cpu->since) {
		t = now();
		/* the lab's thread tells, too: another one may have told a moment after our look at the clock */
		spent = t > cpu->since ? t - cpu->since : 0;
		made = w->translator_ns - cpu->translator_since;
		rs_count(w->em, RS_CTR_EMU_CODE_NS, spent > made ? spent - made : 0);
		cpu->since = t;
		cpu->translator_since = w->translator_ns;
	}
	rs_count(w->em, RS_CTR_EMU_INSNS, insns - cpu->insns_told);
	cpu->insns_told = insns;
}

enum emu_exc emu_cpu_run(struct emu_cpu *cpu)
{
	struct emu_world *w = cpu->world;
	enum emu_exc exc;

	cpu->host_mxcsr = _mm_getcsr();
	_mm_setcsr(cpu->mxcsr);
	__atomic_store_n(&cpu->host_tid, (int32_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	cpu->exit_site = NULL;
	if (w->em) {
		cpu->since = now();
		cpu->translator_since = w->translator_ns;
	}
	exc = loop(w, cpu);
	cpu->mxcsr = _mm_getcsr();
	_mm_setcsr(cpu->host_mxcsr);
	if (w->em) {
		pthread_mutex_lock(&w->lock);
		emu_cpu_tell(cpu);
		cpu->since = 0;
		pthread_mutex_unlock(&w->lock);
	}
	return exc;
}
