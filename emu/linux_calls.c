/* The table of system calls, and what becomes of those that are not in it. */
#include <errno.h>

#include "emu/linux_calls.h"

enum {
#define CALL(number, name) AT_##name,
#define QUIET(number, name) AT_##name,
#define NAMED(number, name) AT_##name,
#include "emu/linux_calls.def"
	CALLS
};

static const struct emu_syscall calls[CALLS] = {
#define CALL(number, name) { number, #name, emu_sys_##name, false },
#define QUIET(number, name) { number, #name, NULL, true },
#define NAMED(number, name) { number, #name, NULL, false },
#include "emu/linux_calls.def"
};

#define DENSE 512u /* numbers are below this */

const struct emu_syscall *emu_syscall_find(uint64_t number)
{
	/* The index of a number in the table, plus one. */
	static const uint8_t at[DENSE] = {
#define CALL(number, name) [number] = AT_##name + 1,
#define QUIET(number, name) [number] = AT_##name + 1,
#define NAMED(number, name) [number] = AT_##name + 1,
#include "emu/linux_calls.def"
	};

	return number < DENSE && at[number] ? &calls[at[number] - 1] : NULL;
}

/* One warning for each call, whatever the number of threads. */
static void warn(struct emu_thread *t, uint64_t number, const char *name)
{
	unsigned slot = number < DENSE ? (unsigned)number : DENSE - 1;
	struct rs_err e = RS_ERR_INIT;

	if (!t->l->warn || atomic_exchange(&t->l->warned[slot], 1))
		return;
	if (name)
		rs_err_set(&e, -ENOSYS, N_("%s: the system call %s (%u) is not supported (ENOSYS)"), t->l->name,
			   name, (unsigned)number);
	else
		rs_err_set(&e, -ENOSYS, N_("%s: system call %llu is unknown (ENOSYS)"), t->l->name,
			   (unsigned long long)number);
	t->l->warn(t->l->warn_arg, &e);
}

int64_t emu_syscall_do(struct emu_thread *t, uint64_t number, const uint64_t a[6])
{
	const struct emu_syscall *c = emu_syscall_find(number);

	if (c && c->fn)
		return c->fn(t, a);
	if (!c || !c->quiet)
		warn(t, number, c ? c->name : NULL);
	return -ENOSYS;
}

const char *emu_string(struct emu_thread *t, uint64_t addr, int64_t *error)
{
	int64_t n = emu_mem_strlen(&t->l->w->mem, addr, 4096);

	*error = n < 0 ? n : 0;
	return n < 0 ? NULL : emu_in(t, addr, (uint64_t)n + 1);
}
