/* The frame of a signal on the guest's stack, as Linux lays it out for RISC-V (arch/riscv/kernel/
 * signal.c, include/uapi/asm/ucontext.h and sigcontext.h). Linux returns through its vDSO; here a page
 * of guest memory holds the same two instructions, which unwinders know.
 */
#include <string.h>

#include "emu/linux.h"

#define SA_ONSTACK_ 0x08000000ull

struct frame {
	/* siginfo_t, 128 bytes */
	int32_t signo, error, code, pad;
	union {
		struct { int32_t pid, uid; uint64_t value; } from;
		uint64_t addr;
		uint8_t bytes[112];
	} u;
	/* ucontext_t */
	uint64_t flags, link;
	uint64_t ss_sp;
	int32_t ss_flags, ss_pad;
	uint64_t ss_size;
	uint64_t mask;
	uint8_t unused[120];
	uint64_t align;
	/* mcontext_t, aligned to 16 */
	uint64_t pc, x[31];
	uint64_t f[32];
	uint32_t fcsr, pad2;
	uint8_t q[528 - 32 * 8 - 8]; /* room of the Q extension's state */
};
_Static_assert(offsetof(struct frame, flags) == 128, "siginfo");
_Static_assert(offsetof(struct frame, pc) == 128 + 176, "mcontext");
_Static_assert(sizeof(struct frame) == 128 + 176 + 256 + 528, "frame");

uint64_t emu_frame_trampoline(struct emu_linux *l)
{
	static const uint32_t code[2] = { 0x08b00893 /* li a7, 139 */, 0x00000073 /* ecall */ };
	uint64_t at = emu_mem_find(&l->w->mem, EMU_MEM_TOP - EMU_STACK_SIZE - 0x80000, EMU_PAGE);

	if (!at || emu_mem_map(&l->w->mem, at, EMU_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1, 0) < 0)
		return 0;
	emu_mem_write(&l->w->mem, at, code, sizeof(code));
	return emu_mem_protect(&l->w->mem, at, EMU_PAGE, PROT_READ | PROT_EXEC) < 0 ? 0 : at;
}

static bool on_alt(const struct emu_thread *t, uint64_t sp)
{
	return t->alt_size && sp - t->alt_sp < t->alt_size;
}

static void fill_info(struct frame *f, const struct emu_siginfo *info)
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

bool emu_frame_push(struct emu_thread *t, const struct emu_sigaction *sa, const struct emu_siginfo *info,
		    uint64_t old_mask)
{
	struct emu_cpu *cpu = t->cpu;
	struct frame f;
	uint64_t sp = cpu->r[2];

	if ((sa->flags & SA_ONSTACK_) && t->alt_size && !on_alt(t, sp))
		sp = t->alt_sp + t->alt_size;
	sp = (sp - sizeof(f)) & ~15ull;
	memset(&f, 0, sizeof(f));
	fill_info(&f, info);
	f.ss_sp = t->alt_sp;
	f.ss_size = t->alt_size;
	f.ss_flags = !t->alt_size ? SS_DISABLE : on_alt(t, cpu->r[2]) ? SS_ONSTACK : 0;
	f.mask = old_mask;
	f.pc = cpu->pc;
	memcpy(f.x, cpu->r + 1, sizeof(f.x));
	for (unsigned i = 0; i < 32; i++)
		f.f[i] = cpu->v[i].q[0];
	f.fcsr = emu_cpu_frm(cpu) << 5 | emu_cpu_fflags(cpu);
	if (!emu_mem_write(&t->l->w->mem, sp, &f, sizeof(f)))
		return false;
	cpu->r[1] = t->l->trampoline;
	cpu->r[2] = sp;
	cpu->r[10] = (uint64_t)info->signo;
	cpu->r[11] = sp;
	cpu->r[12] = sp + offsetof(struct frame, flags);
	cpu->pc = sa->handler;
	cpu->res_addr = ~0ull; /* a reservation does not outlive a signal */
	return true;
}

bool emu_frame_pop(struct emu_thread *t)
{
	struct emu_cpu *cpu = t->cpu;
	struct frame f;

	if (!emu_mem_read(&t->l->w->mem, cpu->r[2], &f, sizeof(f)))
		return false;
	cpu->pc = f.pc;
	memcpy(cpu->r + 1, f.x, sizeof(f.x));
	for (unsigned i = 0; i < 32; i++)
		cpu->v[i].q[0] = f.f[i];
	emu_cpu_set_fflags(cpu, f.fcsr & 31);
	emu_cpu_set_frm(cpu, f.fcsr >> 5 & 7);
	t->mask = f.mask & ~(EMU_SIGSET(SIGKILL) | EMU_SIGSET(SIGSTOP));
	if (f.ss_flags & SS_DISABLE) {
		t->alt_size = 0;
	} else if (!on_alt(t, cpu->r[2])) {
		t->alt_sp = f.ss_sp;
		t->alt_size = f.ss_size;
	}
	cpu->res_addr = ~0ull;
	return true;
}
