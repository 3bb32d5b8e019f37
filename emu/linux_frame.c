/* The frame of a signal on the guest's stack, as Linux lays it out (arch/riscv and arch/arm64,
 * kernel/signal.c; include/uapi/asm/ucontext.h): siginfo_t, ucontext_t, and in it the registers, which
 * alone differ from machine to machine (emu_linux_abi.save). Linux returns through its vDSO; here a
 * page of guest memory holds the same two instructions, which unwinders know.
 */
#include <string.h>

#include "emu/linux.h"

#define SA_ONSTACK_ 0x08000000ull

struct head {
	/* siginfo_t, 128 bytes */
	int32_t signo, error, code, pad;
	union {
		struct { int32_t pid, uid; uint64_t value; } from;
		struct { int32_t timer, overrun; uint64_t value; } timer;
		uint64_t addr;
		uint8_t bytes[112];
	} u;
	/* ucontext_t; both machines leave room for 1024 signals and align what follows to 16 */
	uint64_t flags, link;
	uint64_t ss_sp;
	int32_t ss_flags, ss_pad;
	uint64_t ss_size;
	uint64_t mask;
	uint8_t unused[120];
	uint64_t align;
};
_Static_assert(offsetof(struct head, flags) == 128, "siginfo");
_Static_assert(sizeof(struct head) == 128 + 176, "mcontext");

#define CONTEXT_MAX 4608u /* bytes of the largest emu_linux_abi.context_size */

uint64_t emu_frame_trampoline(struct emu_linux *l)
{
	uint64_t at = emu_mem_find(&l->w->mem, EMU_MEM_TOP - EMU_STACK_SIZE - 0x80000, EMU_PAGE);

	if (!at || emu_mem_map(&l->w->mem, at, EMU_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1, 0) < 0)
		return 0;
	emu_mem_write(&l->w->mem, at, l->abi->sigreturn, sizeof(l->abi->sigreturn));
	return emu_mem_protect(&l->w->mem, at, EMU_PAGE, PROT_READ | PROT_EXEC) < 0 ? 0 : at;
}

static bool on_alt(const struct emu_thread *t, uint64_t sp)
{
	return t->alt_size && sp - t->alt_sp < t->alt_size;
}

static void fill_info(struct head *f, const struct emu_siginfo *info)
{
	f->signo = info->signo;
	f->code = info->code;
	if (info->code > 0 && info->code < 0x80 &&
	    (info->signo == SIGSEGV || info->signo == SIGBUS || info->signo == SIGILL ||
	     info->signo == SIGTRAP || info->signo == SIGFPE)) {
		f->u.addr = info->addr;
	} else {
		f->u.from.pid = info->pid;
		f->u.from.uid = info->uid;
		f->u.from.value = info->value;
	}
}

/* A link of the chain of frames, so that a backtrace goes on behind the handler. */
static bool join_chain(struct emu_thread *t, uint64_t *sp, uint64_t *record)
{
	const struct emu_linux_abi *abi = t->l->abi;
	uint64_t pair[2];

	if (abi->frame_pointer == EMU_NOTEMP)
		return true;
	pair[0] = t->cpu->r[abi->frame_pointer];
	pair[1] = t->cpu->r[abi->link];
	*sp = *record = (*sp - sizeof(pair)) & ~15ull;
	return emu_mem_write(&t->l->w->mem, *sp, pair, sizeof(pair));
}

bool emu_frame_push(struct emu_thread *t, const struct emu_sigaction *sa, const struct emu_siginfo *info,
		    uint64_t old_mask)
{
	const struct emu_guest *g = t->l->w->guest;
	const struct emu_linux_abi *abi = t->l->abi;
	struct emu_cpu *cpu = t->cpu;
	struct { struct head head; uint8_t context[CONTEXT_MAX]; } f;
	unsigned size = sizeof(f.head) + abi->context_size;
	uint64_t before = cpu->r[g->sp], sp = before, record = 0;

	if ((sa->flags & SA_ONSTACK_) && t->alt_size && !on_alt(t, sp))
		sp = t->alt_sp + t->alt_size;
	memset(&f, 0, size);
	fill_info(&f.head, info);
	f.head.ss_sp = t->alt_sp;
	f.head.ss_size = t->alt_size;
	f.head.ss_flags = !t->alt_size ? SS_DISABLE : on_alt(t, before) ? SS_ONSTACK : 0;
	f.head.mask = old_mask;
	abi->save(t, info, f.context);
	if (!join_chain(t, &sp, &record))
		return false;
	sp = (sp - size) & ~15ull;
	if (!emu_mem_write(&t->l->w->mem, sp, &f, size))
		return false;
	if (record)
		cpu->r[abi->frame_pointer] = record;
	cpu->r[abi->link] = sa->restorer ? sa->restorer : t->l->trampoline;
	cpu->r[g->sp] = sp;
	cpu->r[g->sys_arg[0]] = (uint64_t)info->signo;
	cpu->r[g->sys_arg[1]] = sp;
	cpu->r[g->sys_arg[2]] = sp + offsetof(struct head, flags);
	cpu->pc = sa->handler;
	cpu->res_addr = ~0ull; /* a reservation does not outlive a signal */
	return true;
}

bool emu_frame_pop(struct emu_thread *t)
{
	struct { struct head head; uint8_t context[CONTEXT_MAX]; } f;
	uint16_t sp = t->l->w->guest->sp;
	struct emu_cpu *cpu = t->cpu;

	if (cpu->r[sp] % 16 ||
	    !emu_mem_read(&t->l->w->mem, cpu->r[sp], &f, sizeof(f.head) + t->l->abi->context_size) ||
	    !t->l->abi->load(t, f.context))
		return false;
	emu_signal_set_mask(t, f.head.mask);
	if (f.head.ss_flags & SS_DISABLE) {
		t->alt_size = 0;
	} else if (!on_alt(t, cpu->r[sp])) {
		t->alt_sp = f.head.ss_sp;
		t->alt_size = f.head.ss_size;
	}
	cpu->res_addr = ~0ull;
	return true;
}
