/* The table of system calls, those that the host makes as they are, and what becomes of those that are
 * not in it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "emu/linux_calls.h"

enum {
#define PASS(number, name, shape) AT_##name,
#define CALL(number, name) AT_##name,
#define QUIET(number, name) AT_##name,
#define NAMED(number, name) AT_##name,
#include "emu/linux_calls.def"
	CALLS
};

static const struct emu_syscall calls[CALLS] = {
#define PASS(number, name, shape) { number, #name, NULL, false, shape, SYS_##name },
#define CALL(number, name) { number, #name, emu_sys_##name, false, NULL, 0 },
#define QUIET(number, name) { number, #name, NULL, true, NULL, 0 },
#define NAMED(number, name) { number, #name, NULL, false, NULL, 0 },
#include "emu/linux_calls.def"
};

#define DENSE 512u /* numbers are below this */

const struct emu_syscall *emu_syscall_find(uint64_t number)
{
	/* The index of a number in the table, plus one. */
	static const uint16_t at[DENSE] = {
#define PASS(number, name, shape) [number] = AT_##name + 1,
#define CALL(number, name) [number] = AT_##name + 1,
#define QUIET(number, name) [number] = AT_##name + 1,
#define NAMED(number, name) [number] = AT_##name + 1,
#include "emu/linux_calls.def"
	};

	return number < DENSE && at[number] ? &calls[at[number] - 1] : NULL;
}

/* ---- the host's own calls ---- */

/* One argument by its letter: the number becomes a host address. False: not accessible, *error. */
static bool argument(struct emu_thread *t, const char **shape, const uint64_t a[6], unsigned i, uint64_t *out,
		     int64_t *error)
{
	char letter = *(*shape)++;
	uint64_t size = 0, len;
	bool write = letter == 'w' || letter == 'B' || letter == 'P';

	while (**shape >= '0' && **shape <= '9')
		size = size * 10 + (uint64_t)(*(*shape)++ - '0');
	*out = a[i];
	if (**shape == '?') {
		(*shape)++;
		if (!a[i])
			return true;
	}
	*error = -EFAULT;
	switch (letter) {
	case 's':
		*out = (uintptr_t)emu_path(t, a[i], error);
		return *out;
	case 'r':
	case 'w':
		len = size;
		break;
	case 'b':
	case 'B':
		len = a[i + 1];
		break;
	case 'p':
	case 'P':
		len = a[i - 1];
		if (size && len <= EMU_MEM_SIZE)
			len *= size;
		break;
	default:
		return true;
	}
	*out = (uintptr_t)(write ? emu_out(t, a[i], len) : emu_in(t, a[i], len));
	return *out;
}

static int64_t pass(struct emu_thread *t, const struct emu_syscall *c, const uint64_t a[6])
{
	const char *shape = c->shape;
	bool blocks = *shape == '!';
	uint64_t b[6];
	int64_t error;

	memcpy(b, a, sizeof(b));
	shape += blocks;
	for (unsigned i = 0; i < 6 && *shape; i++) {
		shape += *shape == ' ';
		if (!argument(t, &shape, a, i, &b[i], &error))
			return error;
	}
	return blocks ? emu_safe_syscall(t, c->host, b[0], b[1], b[2], b[3], b[4], b[5]) :
			emu_host_syscall(c->host, b[0], b[1], b[2], b[3], b[4], b[5]);
}

/* ---- any call ---- */

/* One warning for each call, whatever the number of threads. */
static void warn(struct emu_thread *t, uint64_t number, const char *name)
{
	unsigned slot = number < DENSE ? (unsigned)number : DENSE - 1;
	struct rs_err e = RS_ERR_INIT;

	emu_refused(t, number, name, ENOSYS);
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
	int64_t r;

	if (c && t->l->confined && !emu_confine(t, c, a, &r))
		return r;
	if (c && c->shape)
		return pass(t, c, a);
	if (c && c->fn)
		return c->fn(t, a);
	if (!c || !c->quiet)
		warn(t, number, c ? c->name : NULL);
	return -ENOSYS;
}

/* ---- arguments ---- */

const char *emu_string(struct emu_thread *t, uint64_t addr, int64_t *error)
{
	int64_t n = emu_mem_strlen(&t->l->w->mem, addr, 4096);

	*error = n < 0 ? n : 0;
	return n < 0 ? NULL : emu_in(t, addr, (uint64_t)n + 1);
}

bool emu_is_self_exe(const char *path)
{
	char own[40];

	if (strncmp(path, "/proc/", 6))
		return false;
	snprintf(own, sizeof(own), "/proc/%d/exe", (int)getpid());
	return !strcmp(path, "/proc/self/exe") || !strcmp(path, own);
}

const char *emu_path(struct emu_thread *t, uint64_t addr, int64_t *error)
{
	const char *path = emu_string(t, addr, error);

	return path && emu_is_self_exe(path) ? t->l->exe : path;
}

bool emu_optional(struct emu_thread *t, uint64_t addr, uint64_t len, bool write, uint64_t *host)
{
	*host = 0;
	if (addr)
		*host = (uintptr_t)(write ? emu_out(t, addr, len) : emu_in(t, addr, len));
	return !addr || *host;
}
