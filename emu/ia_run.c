/* The run loop of the software x86 CPU: blocks of translated code, single instructions, and when events are taken. */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "emu/ia_sys.h"
#include "emu/x86_gen.h"

#define PAGE 4096u
#define KEY_ALONE (1ull << 8) /* the block is one instruction */
#define DR6_BS (1u << 14)

/* -- code -- */

static const uint8_t *host_code(void *arg, uint64_t gpa)
{
	return ia_ram(arg, gpa, 1);
}

static enum emu_ia_as fetch_as(const struct emu_ia_vcpu *v)
{
	return v->cpl == 3 ? IA_AS_USER : IA_AS_KERNEL;
}

/* Where code at a linear address is. */
static int translate_fetch(struct emu_ia_vcpu *v, uint64_t linear, uint64_t *gpa, uint8_t **host)
{
	uint32_t error;

	switch (emu_ia_translate_address(&v->mmu, linear, IA_FETCH, fetch_as(v), gpa, host, &error)) {
	case IA_MAPPED: return 0;
	case IA_PAGE_FAULT:
		v->cpu->fault_addr = linear;
		v->cpu->fault_write = false;
		return ia_fault(v, IA_V_PF, error);
	default: return IA_GP0(v);
	}
}

static bool cross(void *arg, uint64_t linear)
{
	struct emu_ia_vcpu *v = arg;
	uint8_t *host;
	uint64_t gpa;

	if (!ia_long(v))
		linear = (uint32_t)linear;
	v->fetch_fault = translate_fetch(v, linear, &gpa, &host);
	if (v->fetch_fault || !host)
		return false;
	v->soft.next_page = gpa / PAGE;
	v->soft.next = host;
	return true;
}

static uint32_t assist_in_code(struct emu_cpu *cpu);

void ia_soft_init(struct emu_ia_vcpu *v)
{
	v->soft = (struct emu_soft){ .host = host_code, .arg = v, .cross = cross, .protect = ia_protect_page,
				     .assist = assist_in_code };
}

/* Does a block of two mappings still stand where it was made from? */
static int check_crossing(struct emu_ia_vcpu *v, struct emu_block **b)
{
	uint64_t gpa, linear = ((*b)->pc | (PAGE - 1)) + 1;
	uint8_t *host;
	int e;

	if ((*b)->pages < 2)
		return 0;
	e = translate_fetch(v, ia_long(v) ? linear : (uint32_t)linear, &gpa, &host);
	if (e)
		return e;
	if (gpa / PAGE != (*b)->page[1]) {
		emu_block_invalidate(v->world, *b);
		*b = NULL;
	}
	return 0;
}

/* The block at RIP; an exception of the fetch. *b NULL and 0: RIP leads to no RAM. */
static int find_block(struct emu_ia_vcpu *v, bool alone, struct emu_block **b)
{
	struct emu_world *w = v->world;
	struct emu_soft *s = &v->soft;
	uint64_t pc = v->cpu->pc, gpa;
	uint8_t *host;
	int e;

	*b = NULL;
	if (pc > s->limit)
		return IA_GP0(v);
	e = translate_fetch(v, pc, &gpa, &host);
	if (e || !host)
		return e;
	s->key = v->mode_key | (alone ? KEY_ALONE : 0);
	s->span = emu_ia_mapping(&v->mmu, pc, fetch_as(v), &v->fetch_global);
	s->base = pc & ~s->span;
	s->gpa = gpa & ~s->span;
	if (gpa - s->gpa != (pc & s->span)) { /* a mapping that is not aligned: a page of it */
		s->span = PAGE - 1;
		s->base = pc & ~s->span;
		s->gpa = gpa & ~s->span;
	}
	*b = emu_block_find(w, pc);
	if (*b && !(*b)->span) {
		e = check_crossing(v, b);
		if (e)
			return e;
	}
	if (*b)
		return 0;
	v->fetch_fault = 0;
	w->opt.max_insns = alone ? 1 : 0;
	*b = emu_block_get(w, v->cpu, pc);
	w->opt.max_insns = 0;
	v->count.blocks++;
	if (*b)
		return 0;
	/* no instruction fits before the end of the segment, or of the mapping */
	return v->fetch_fault ? v->fetch_fault : IA_GP0(v);
}

/* -- chains -- */

static unsigned page_hash(uint64_t linear)
{
	return (unsigned)((linear / PAGE ^ linear >> 24) % 4096);
}

void ia_flush_jumps(struct emu_ia_vcpu *v, bool globals_too)
{
	struct emu_cpu *cpu = v->cpu;
	unsigned kept = 0;

	v->decode_age++;
	if (v->jump_count > IA_JUMP_LIST) {
		emu_cpu_forget(cpu);
	} else {
		for (unsigned k = 0; k < v->jump_count; k++) {
			unsigned at = v->jump_list[k] & ~IA_JUMP_GLOBAL;

			if (globals_too || !(v->jump_list[k] & IA_JUMP_GLOBAL))
				emu_jump_empty(cpu, at);
			else
				v->jump_list[kept++] = v->jump_list[k];
		}
		cpu->ret_sp = cpu->ret_base;
	}
	v->jump_count = kept;
	if (kept)
		return; /* what the hash of pages says of others does no harm */
	memset(v->jump_pages, 0, sizeof(v->jump_pages));
	v->jump_large = false;
}

void ia_flush_jumps_to(struct emu_ia_vcpu *v, uint64_t linear)
{
	unsigned h = page_hash(linear);
	bool large = emu_ia_mmu_large(&v->mmu, linear);

	emu_ia_mmu_invalidate(&v->mmu, linear);
	/* blocks of a mapping are entered first through the cache: who is not in it is not to be found */
	if ((v->jump_pages[h / 64] >> h % 64 & 1) || (large && v->jump_large))
		ia_flush_jumps(v, true);
}

/* What is known of code in these pages must go with their mapping. */
static void note_pages(struct emu_ia_vcpu *v, const struct emu_block *b)
{
	v->jump_pages[page_hash(b->pc) / 64] |= 1ull << page_hash(b->pc) % 64;
	if (b->pages == 2) /* it may go on in another mapping */
		v->jump_pages[page_hash(b->pc + PAGE) / 64] |= 1ull << page_hash(b->pc + PAGE) % 64;
	v->jump_large |= b->span != PAGE - 1;
}

static void note_jump(struct emu_ia_vcpu *v, const struct emu_block *b)
{
	struct emu_jump *j = emu_jump_entry(v->world->guest, v->cpu, b->pc);
	unsigned at = (unsigned)(j - v->cpu->jumps);

	if (v->jump_count < IA_JUMP_LIST)
		v->jump_list[v->jump_count] = (uint16_t)(at | (v->fetch_global ? IA_JUMP_GLOBAL : 0));
	v->jump_count++;
	j->code = v->world->x86->rx + b->code;
	__atomic_store_n(&j->pc, b->pc, __ATOMIC_RELEASE);
}

/* The way from one block to the next without the run loop: only inside one mapping, where the first one's being
 * there says that the second one is. */
static void chain(struct emu_ia_vcpu *v, struct emu_exit *e, struct emu_block *to)
{
	const struct emu_block *from = e->from;

	if (from->dead || (from->key & KEY_ALONE) || from->key != to->key || !to->span || from->span != to->span ||
	    ((from->pc ^ to->pc) & ~to->span) || from->page[0] - (uint32_t)(from->pc / PAGE) != to->page[0] - (uint32_t)(to->pc / PAGE) ||
	    __atomic_load_n(&v->cpu->exit_request, __ATOMIC_RELAXED))
		return;
	if (e->to != to) {
		if (e->to)
			return;
		e->to = to;
		e->next = to->incoming;
		to->incoming = e;
	}
	emu_x86_patch(v->world, e, to);
}

/* Runs one block (`alone`: one instruction). What it ended with: EMU_EXC_*. */
static int run_block(struct emu_ia_vcpu *v, bool alone)
{
	struct emu_cpu *cpu = v->cpu;
	struct emu_exit *site = (struct emu_exit *)cpu->exit_site;
	const struct emu_jump *j = emu_jump_entry(v->world->guest, cpu, cpu->pc);
	struct emu_block *b;
	int e;

	cpu->exit_site = NULL;
	v->error = 0;
	v->no_code = false;
	if (!alone && !site && j->pc == cpu->pc) { /* as translated code itself would go there */
		cpu->exc = EMU_EXC_NONE;
		emu_x86_enter_at(cpu, j->code);
		return (int)cpu->exc;
	}
	pthread_mutex_lock(&v->world->lock);
	if (v->world->flushes != v->flushes_seen) { /* blocks were thrown away since that exit */
		v->flushes_seen = v->world->flushes;
		site = NULL;
	}
	e = find_block(v, alone, &b);
	if (!e && b)
		note_pages(v, b);
	if (!e && b && v->world->x86 && !alone) {
		if (v->world->flushes != v->flushes_seen)
			site = NULL;
		if (site)
			chain(v, site, b);
		else
			note_jump(v, b);
	}
	pthread_mutex_unlock(&v->world->lock);
	v->no_code = !e && !b;
	if (e || !b)
		return e;
	cpu->exc = EMU_EXC_NONE;
	v->alone = alone;
	if (v->world->opt.interp)
		emu_interp_run(cpu, b);
	else
		emu_x86_enter(cpu, b);
	v->alone = false;
	return (int)cpu->exc;
}

/* -- events -- */

static void raise(struct emu_ia_vcpu *v, unsigned vector, uint32_t error)
{
	struct emu_ia_event e = { .vector = (uint8_t)vector, .cause = IA_CAUSE_EXCEPTION, .error = error };

	e.has_error = vector == IA_V_DF || (vector >= IA_V_TS && vector <= IA_V_PF) || vector == IA_V_AC;
	ia_deliver(v, e);
}

static void take_events(struct emu_ia_vcpu *v)
{
	struct emu_ia_event e = v->event;
	int vector;

	if (e.pending) {
		v->event.pending = false;
		ia_deliver(v, e);
		return;
	}
	if (v->shadow)
		return;
	if (!v->nmi_masked && atomic_load_explicit(&v->nmi, memory_order_relaxed) && atomic_exchange(&v->nmi, false)) {
		ia_deliver(v, (struct emu_ia_event){ .vector = IA_V_NMI, .cause = IA_CAUSE_NMI });
		return;
	}
	if (!atomic_load_explicit(&v->irq, memory_order_relaxed) || !(v->cpu->r[IA_G_RFLAGS] & IA_IF))
		return;
	vector = v->desc.acknowledge ? v->desc.acknowledge(v->desc.arg) : -1;
	if (vector >= 0)
		ia_deliver(v, (struct emu_ia_event){ .vector = (uint8_t)vector, .cause = IA_CAUSE_IRQ });
}

/* A debug exception in front of the instruction: true when it was raised. */
static bool instruction_breakpoint(struct emu_ia_vcpu *v)
{
	uint32_t hit;

	if (!(v->dr7 & 0xff) || (v->cpu->r[IA_G_RFLAGS] & IA_RF))
		return false;
	hit = ia_breakpoint_code(v, v->cpu->pc);
	if (!hit)
		return false;
	v->dr6 |= hit;
	raise(v, IA_V_DB, 0);
	return true;
}

static bool is_break(const struct emu_ia_vcpu *v)
{
	for (unsigned k = 0; k < v->break_count; k++)
		if (v->breaks[k] == v->cpu->pc)
			return true;
	return false;
}

/* Must the next instruction be a block of its own? */
static bool must_be_alone(const struct emu_ia_vcpu *v)
{
	return v->shadow || (v->cpu->r[IA_G_RFLAGS] & (IA_TF | IA_RF)) || v->break_count || (v->dr7 & 0xff);
}

/* -- instructions for C on the way through code -- */

static inline bool interrupts(const struct emu_ia_vcpu *v)
{
	return (atomic_load_explicit(&v->irq, memory_order_relaxed) && (v->cpu->r[IA_G_RFLAGS] & IA_IF)) ||
	       (atomic_load_explicit(&v->nmi, memory_order_relaxed) && !v->nmi_masked);
}

/* Who raises one sets exit_request afterwards, so that this comes again before it may be late. */
static inline void note_waiting(struct emu_ia_vcpu *v)
{
	v->cpu->r[IA_G_WAITING] = atomic_load_explicit(&v->irq, memory_order_relaxed) ||
				  atomic_load_explicit(&v->nmi, memory_order_relaxed);
}

/* soft->assist. What turn() and run() would do between two blocks when nothing is pending is nothing; so code goes on at
 * once then. The shadow of STI needs its instruction to be alone only when an interrupt waits: else it is enough to know
 * where it stands, should a kick come there. */
static uint32_t assist_in_code(struct emu_cpu *cpu)
{
	struct emu_ia_vcpu *v = ia_sys(cpu);

	emu_x86_current = NULL; /* a kick is seen when this has returned */
	v->resume = false;
	cpu->r[IA_G_SHADOW] = ~0ull;
	v->assisted = (int)ia_assist(cpu);
	cpu->exc = EMU_EXC_NONE;
	if (v->shadow == 1 && !v->assisted && !interrupts(v)) {
		v->shadow = 0;
		cpu->r[IA_G_SHADOW] = cpu->pc;
	}
	note_waiting(v);
	emu_x86_current = cpu;
	if (!(v->assisted | (int)v->db) && !v->stop && !v->halted && !v->dead && !v->event.pending && !must_be_alone(v) &&
	    !interrupts(v))
		return 0;
	cpu->exc = EMU_EXC_ASSISTED;
	return 1;
}

/* Did code leave right behind an STI? */
static bool behind_sti(struct emu_ia_vcpu *v)
{
	bool behind = v->cpu->r[IA_G_SHADOW] == v->cpu->pc && (v->cpu->r[IA_G_RFLAGS] & IA_IF);

	v->cpu->r[IA_G_SHADOW] = ~0ull;
	return behind;
}

/* One block or instruction, and what it raises. True: an instruction was completed or raised something. */
static bool turn(struct emu_ia_vcpu *v, bool alone)
{
	uint64_t flags = v->cpu->r[IA_G_RFLAGS];
	uint32_t db;
	bool behind;
	int e;

	if (instruction_breakpoint(v))
		return true;
	v->db = 0;
	e = run_block(v, alone);
	behind = behind_sti(v);
	/* KICK: before the first instruction */
	if (v->no_code || e == EMU_EXC_ALONE || e == EMU_EXC_KICK) {
		v->shadow |= behind;
		v->next_alone |= !v->no_code && e == EMU_EXC_ALONE;
		return false;
	}
	if (e == EMU_EXC_ASSISTED) {
		v->shadow |= behind;
		e = v->assisted;
	} else {
		v->shadow = e == EMU_EXC_NONE && behind;
		v->resume = false;
	}
	if (e == EMU_EXC_ASSIST) {
		v->alone = alone;
		e = (int)ia_assist(v->cpu);
		v->alone = false;
	}
	if (e >= EMU_EXC_VECTOR) {
		raise(v, (unsigned)e - EMU_EXC_VECTOR, v->error);
		return true;
	}
	if (!alone && !v->db)
		return true;
	if (alone && (flags & IA_RF))
		v->cpu->r[IA_G_RFLAGS] &= ~(uint64_t)IA_RF;
	db = v->db | (alone && flags & IA_TF && v->shadow != 2 ? DR6_BS : 0);
	if (db && !v->dead) {
		v->dr6 |= db;
		raise(v, IA_V_DB, 0);
	}
	return true;
}

/* -- running -- */

/* The CPU that this thread runs: it need not be kicked out of code by itself. */
static _Thread_local const struct emu_ia_vcpu *mine;

/* All the run counts as in code: who kicks then sends the signal, and the way into code looks at exit_request after
 * its handler. */
static void start(struct emu_ia_vcpu *v)
{
	__atomic_store_n(&v->cpu->host_tid, (int32_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	__atomic_store_n(&v->cpu->in_code, 1, __ATOMIC_SEQ_CST);
	v->cpu->exit_site = NULL;
	mine = v;
}

static enum emu_ia_exit finish(struct emu_ia_vcpu *v, enum emu_ia_exit why)
{
	mine = NULL;
	__atomic_store_n(&v->cpu->in_code, 0, __ATOMIC_SEQ_CST);
	return why;
}

/* In C, on the CPU's own thread, it is seen soon; a signal handler may have come in the middle of translated code. */
static void come_round(struct emu_ia_vcpu *v)
{
	if (mine == v && !emu_x86_current)
		__atomic_store_n(&v->cpu->exit_request, 1, __ATOMIC_SEQ_CST);
	else
		emu_cpu_kick(v->cpu);
}

/* Something that ends the run before the next instruction: true, with *why. */
static bool ends(struct emu_ia_vcpu *v, enum emu_ia_exit *why)
{
	if (v->dead)
		*why = IA_EXIT_SHUTDOWN;
	else if (v->stop)
		*why = IA_EXIT_STOP;
	else if (v->no_code)
		*why = IA_EXIT_NO_CODE;
	else
		return false;
	v->stop = v->no_code = false;
	return true;
}

/* Was the CPU asked to come out of code? True when it is its owner who wants it back. */
static bool kicked(struct emu_ia_vcpu *v)
{
	if (!__atomic_load_n(&v->cpu->exit_request, __ATOMIC_RELAXED))
		return false;
	__atomic_store_n(&v->cpu->exit_request, 0, __ATOMIC_SEQ_CST);
	return atomic_exchange(&v->kicked, false);
}

static enum emu_ia_exit run(struct emu_ia_vcpu *v, uint64_t budget)
{
	uint64_t left = budget;
	enum emu_ia_exit why;

	for (;;) {
		bool alone;

		if (ends(v, &why))
			return why;
		if (kicked(v))
			return IA_EXIT_KICK;
		note_waiting(v);
		take_events(v);
		if (v->dead)
			continue;
		if (v->halted)
			return IA_EXIT_HLT;
		if (v->break_count && !v->resume && is_break(v)) {
			v->resume = true;
			return IA_EXIT_DEBUG;
		}
		if (budget && !left)
			return IA_EXIT_BUDGET;
		alone = budget || v->next_alone || must_be_alone(v);
		v->next_alone = false;
		if (turn(v, alone) && budget) {
			left--;
			v->count.insns++;
		}
	}
}

enum emu_ia_exit emu_ia_run(struct emu_ia_vcpu *v, uint64_t budget)
{
	start(v);
	return finish(v, run(v, budget));
}

static enum emu_ia_exit step(struct emu_ia_vcpu *v, bool events)
{
	enum emu_ia_exit why;

	if (ends(v, &why))
		return why;
	if (kicked(v))
		return IA_EXIT_KICK;
	if (events)
		take_events(v);
	if (!v->dead && v->halted)
		return IA_EXIT_HLT;
	for (unsigned k = 0; !v->dead && !v->no_code && !turn(v, true) && k < 4; k++)
		if (kicked(v))
			return IA_EXIT_KICK;
	v->next_alone = false;
	v->count.insns++;
	return ends(v, &why) ? why : IA_EXIT_BUDGET;
}

enum emu_ia_exit emu_ia_step(struct emu_ia_vcpu *v, bool events)
{
	start(v);
	return finish(v, step(v, events));
}

void emu_ia_kick(struct emu_ia_vcpu *v)
{
	atomic_store(&v->kicked, true);
	come_round(v);
}

void emu_ia_irq(struct emu_ia_vcpu *v, bool level)
{
	if (atomic_exchange(&v->irq, level) != level && level)
		come_round(v);
}

void emu_ia_nmi(struct emu_ia_vcpu *v)
{
	atomic_store(&v->nmi, true);
	come_round(v);
}

int emu_ia_break(struct emu_ia_vcpu *v, uint64_t linear)
{
	if (v->break_count == IA_BREAKS)
		return -ENOSPC;
	v->breaks[v->break_count++] = linear;
	return 0;
}

void emu_ia_unbreak(struct emu_ia_vcpu *v, uint64_t linear)
{
	unsigned kept = 0;

	for (unsigned k = 0; k < v->break_count; k++)
		if (v->breaks[k] != linear)
			v->breaks[kept++] = v->breaks[k];
	v->break_count = kept;
}
