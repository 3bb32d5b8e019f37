/* System calls that a signal can end. Between looking at `interrupt` and the host's system call
 * instruction a signal may come: its handler then finds the program counter between the two labels
 * and moves it to the way out, so the call never starts with a signal unseen.
 */
#include <errno.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "emu/linux.h"

#if defined(__x86_64__)
extern const char emu_safe_from[], emu_safe_to[], emu_safe_out[];
int64_t emu_safe_call(const uint32_t *interrupt, long nr, const uint64_t *args);

/* rdi = &interrupt, rsi = number, rdx = arguments. */
__asm__(".text\n"
	".type emu_safe_call, @function\n"
	".globl emu_safe_call\n"
	"emu_safe_call:\n"
	"	.cfi_startproc\n"
	"	push %rbx\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	mov %rdi, %rbx\n"
	"	mov %rsi, %rax\n"
	"	mov %rdx, %r11\n"
	"	mov (%r11), %rdi\n"
	"	mov 8(%r11), %rsi\n"
	"	mov 16(%r11), %rdx\n"
	"	mov 24(%r11), %r10\n"
	"	mov 32(%r11), %r8\n"
	"	mov 40(%r11), %r9\n"
	".globl emu_safe_from\n"
	"emu_safe_from:\n"
	"	cmpl $0, (%rbx)\n"
	"	jne emu_safe_out\n"
	"	syscall\n"
	".globl emu_safe_to\n"
	"emu_safe_to:\n"
	"	pop %rbx\n"
	"	.cfi_remember_state\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	ret\n"
	".globl emu_safe_out\n"
	"emu_safe_out:\n"
	"	.cfi_restore_state\n"
	"	mov $-4, %eax\n"
	"	cltq\n"
	"	pop %rbx\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size emu_safe_call, . - emu_safe_call\n");

int64_t emu_safe_syscall(struct emu_thread *t, long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
			 uint64_t e, uint64_t f)
{
	const uint64_t args[6] = { a, b, c, d, e, f };

	return emu_safe_call(&t->interrupt, nr, args);
}

void emu_safe_rewind(void *ucontext)
{
	ucontext_t *uc = ucontext;
	greg_t *pc = &uc->uc_mcontext.gregs[REG_RIP];

	/* emu_safe_to is the address after the instruction: there, the call has been made. */
	if (*pc >= (greg_t)(uintptr_t)emu_safe_from && *pc < (greg_t)(uintptr_t)emu_safe_to)
		*pc = (greg_t)(uintptr_t)emu_safe_out;
}
#else
/* Elsewhere a signal that comes in between is seen when the call returns by itself. */
int64_t emu_safe_syscall(struct emu_thread *t, long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
			 uint64_t e, uint64_t f)
{
	if (__atomic_load_n(&t->interrupt, __ATOMIC_SEQ_CST))
		return -EINTR;
	return emu_host_syscall(nr, a, b, c, d, e, f);
}

void emu_safe_rewind(void *ucontext)
{
	(void)ucontext;
}
#endif

int64_t emu_host_syscall(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	long r = syscall(nr, a, b, c, d, e, f);

	return r == -1 ? -errno : r;
}
