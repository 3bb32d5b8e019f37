/* Signals in host code: a fault of the guest becomes an exact guest state; a kick makes a CPU leave.
 *
 * While translated code runs, its thread holds no lock, so the handler of a fault may take one. A kick
 * may come anywhere: it only cuts the chains of the block that runs now, by single stores. Handlers of
 * other signals that kick their own CPU must block EMU_KICK_SIGNAL (sa_mask), so that it comes when they
 * have returned.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "emu/x86.h"
#include "emu/x86_gen.h"

/* Register numbers of the instruction set -> indices of gregs. */
static const int greg[16] = {
	REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
	REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

static bool in_code(const struct emu_x86 *x, uint64_t rip)
{
	return rip - (uint64_t)(uintptr_t)x->rx < x->size;
}

/* What pinned registers hold goes to where it is looked for outside of code. */
static void save_pins(struct emu_cpu *cpu, const struct emu_block *b, const ucontext_t *uc)
{
	const struct emu_pins *p = b->pins ? b->pins : &cpu->world->x86->pins;

	for (unsigned i = 0; i < EMU_PINS; i++) {
		uint16_t g = p->pinned[i];

		if (g != EMU_NOTEMP)
			*emu_x86_slot(cpu, g) = (uint64_t)uc->uc_mcontext.gregs[greg[p->host[g]]];
	}
	for (unsigned i = 0; i < EMU_FPINS; i++) {
		if (p->pinned_fp[i] != EMU_NOTEMP)
			memcpy(emu_x86_slot(cpu, p->pinned_fp[i]), &uc->uc_mcontext.fpregs->_xmm[4 + i], 16);
	}
}

static void leave(struct emu_cpu *cpu, ucontext_t *uc)
{
	uc->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)(cpu->world->x86->rx + cpu->world->x86->leave_fault);
	uc->uc_mcontext.gregs[REG_RSP] = (greg_t)cpu->host_sp;
}

/* The return address on top of the stack gives way to one that looks again. */
static void cut_return(struct emu_cpu *cpu, uint64_t sp)
{
	uint64_t miss = (uintptr_t)(cpu->world->x86->rx + cpu->world->x86->ret_miss);

	if (sp >= cpu->ret_limit - 64 && sp <= cpu->ret_base)
		memcpy((void *)(uintptr_t)sp, &miss, sizeof(miss));
}

/* The guest instruction that host code at the offset belongs to, with what the block did not count up to it;
 * does that instruction write, whatever the host did first? */
static bool locate(struct emu_cpu *cpu, const struct emu_block *b, uint32_t offset)
{
	unsigned begun = 0;
	bool write = false;

	cpu->pc = b->pc;
	offset -= b->code;
	for (unsigned i = 0; i < b->maps && b->map[i].host <= offset; i++) {
		cpu->pc = b->pc + (uint64_t)(int64_t)(int32_t)b->map[i].guest;
		begun = b->map[i].begun;
		write = b->map[i].write;
	}
	if (cpu->world->opt.count)
		cpu->insns += begun;
	return write;
}

/* A fault of the guest: true when it was one, and has been dealt with. */
static bool guest_fault(struct emu_cpu *cpu, int sig, const siginfo_t *si, ucontext_t *uc)
{
	struct emu_world *w = cpu->world;
	uint64_t rip = (uint64_t)uc->uc_mcontext.gregs[REG_RIP];
	uint64_t address = (uint64_t)(uintptr_t)si->si_addr - (uint64_t)(uintptr_t)w->mem.base;
	bool write = uc->uc_mcontext.gregs[REG_ERR] & 2; /* page-fault error code, SDM vol. 3A, 4.7 */
	struct emu_block *b;

	if (w->soft || !w->x86 || !in_code(w->x86, rip) || address >= EMU_MEM_SIZE + EMU_MEM_GUARD)
		return false;
	if (sig == SIGSEGV && write && address < EMU_MEM_SIZE &&
	    (w->mem.right[address / EMU_PAGE] & (PROT_WRITE | EMU_RIGHT_CODE)) == (PROT_WRITE | EMU_RIGHT_CODE)) {
		emu_code_changed(w, address, 1);
		return true;
	}
	pthread_mutex_lock(&w->lock);
	b = emu_block_by_code(w, (uint32_t)(rip - (uint64_t)(uintptr_t)w->x86->rx));
	pthread_mutex_unlock(&w->lock);
	if (!b)
		return false;
	/* another thread may have made the page writable again in the meantime: try once more */
	if (sig == SIGSEGV && write && address < EMU_MEM_SIZE && (w->mem.right[address / EMU_PAGE] & PROT_WRITE) &&
	    cpu->fault_addr != address) {
		cpu->fault_addr = address;
		return true;
	}
	save_pins(cpu, b, uc);
	cpu->ret_sp = (uint64_t)uc->uc_mcontext.gregs[REG_RSP];
	write |= locate(cpu, b, (uint32_t)(rip - (uint64_t)(uintptr_t)w->x86->rx));
	cpu->exc = sig == SIGBUS ? EMU_EXC_BUS : EMU_EXC_SEGV;
	cpu->fault_addr = address;
	cpu->fault_write = write;
	leave(cpu, uc);
	return true;
}

static void on_fault(int sig, siginfo_t *si, void *context)
{
	struct emu_cpu *cpu = emu_x86_current;

	if (cpu && cpu->in_code && guest_fault(cpu, sig, si, context))
		return;
	signal(sig, SIG_DFL); /* a fault of the lab itself: it comes again, and ends the process */
}

/* Where the thread is in translated code: at rip, or, while a helper runs, where that returns to (the
 * stack's slot keeps an old address otherwise; then a block loses its chains for nothing). */
static uint64_t place_in_code(const struct emu_cpu *cpu, uint64_t rip)
{
	uint64_t back;

	if (in_code(cpu->world->x86, rip))
		return rip;
	memcpy(&back, (const void *)(uintptr_t)((cpu->ret_sp & ~15ull) - 8), sizeof(back));
	return back;
}

static void on_kick(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;
	struct emu_cpu *cpu = emu_x86_current;
	const struct emu_x86 *x;
	struct emu_block *b;
	uint64_t at, sp;
	bool inside, vector;

	(void)sig;
	(void)si;
	if (!cpu || !cpu->in_code || !cpu->world->x86)
		return;
	x = cpu->world->x86;
	inside = in_code(x, (uint64_t)uc->uc_mcontext.gregs[REG_RIP]);
	at = place_in_code(cpu, (uint64_t)uc->uc_mcontext.gregs[REG_RIP]);
	if (!in_code(x, at))
		return;
	at -= (uint64_t)(uintptr_t)x->rx;
	vector = (at >= x->vector && at < x->vector_end) || (at >= x->slow && at < x->slow_end);
	if (vector) /* on behalf of the block that it goes back to */
		at = cpu->vop_back - (uint64_t)(uintptr_t)x->rx;
	if (inside && at >= x->enter_pins && at < x->leave_exit) {
		leave(cpu, uc); /* on the way in: the guest's state is still in memory */
		return;
	}
	emu_cpu_forget_jumps(cpu);
	sp = inside && !vector ? (uint64_t)uc->uc_mcontext.gregs[REG_RSP] : cpu->ret_sp;
	cut_return(cpu, sp);
	/* it may be aligned already for a call of a helper, or still after it (gen_call); if not, one return more
	 * than necessary looks again */
	if ((cpu->ret_sp & ~15ull) == sp)
		cut_return(cpu, cpu->ret_sp);
	if (inside && at > x->ret_miss && at < x->ret_miss_end)
		uc->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)(x->rx + x->ret_miss);
	if (inside && at > x->look && at < x->look_end)
		uc->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)(x->rx + x->look);
	b = emu_block_by_code(cpu->world, (uint32_t)at);
	/* what was found in that cache a moment ago is looked for again */
	for (unsigned i = 0; b && inside && i < b->jumps; i++) {
		if (at > b->jump[i].from && at < b->jump[i].to)
			uc->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)(x->rx + b->jump[i].from);
	}
	for (unsigned i = 0; b && i < b->exits; i++) {
		if (b->exit[i].patch && !b->exit[i].landing)
			emu_x86_patch(cpu->world, &b->exit[i], NULL);
	}
}

int emu_x86_signals(struct rs_err *err)
{
	struct sigaction sa = { .sa_flags = SA_SIGINFO | SA_NODEFER };

	sa.sa_sigaction = on_fault;
	if (sigaction(SIGSEGV, &sa, NULL) < 0 || sigaction(SIGBUS, &sa, NULL) < 0)
		return rs_err_errno(err, errno, N_("cannot catch the guest's faults"));
	sa.sa_sigaction = on_kick;
	sa.sa_flags = SA_SIGINFO | SA_RESTART;
	/* no other handler between this one and the code that it looks at */
	sigfillset(&sa.sa_mask);
	sigdelset(&sa.sa_mask, SIGSEGV);
	sigdelset(&sa.sa_mask, SIGBUS);
	if (sigaction(EMU_KICK_SIGNAL, &sa, NULL) < 0)
		return rs_err_errno(err, errno, N_("cannot catch the translator's own signal"));
	return 0;
}
