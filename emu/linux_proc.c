/* Files of /proc that would speak of the lab: here they speak of the guest. Their text is made when they
 * are opened. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "emu/linux_calls.h"

static void cpuinfo(struct emu_thread *t, struct rs_str *out)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	for (unsigned i = 0; i < (n > 0 ? (unsigned)n : 1); i++)
		t->l->abi->cpuinfo(out, i);
}

/* A line for each run of pages with the same rights (proc_pid_maps(5)). */
static void maps(struct emu_thread *t, struct rs_str *out)
{
	const struct emu_mem *m = &t->l->w->mem;
	const uint8_t kept = EMU_RIGHT_MAPPED | EMU_RIGHT_SHARED | PROT_READ | PROT_WRITE | PROT_EXEC;
	uint64_t stack = EMU_MEM_TOP - EMU_STACK_SIZE, end;

	for (uint64_t p = EMU_MEM_LOW; p < EMU_MEM_TOP; p = end) {
		uint8_t right = m->right[p / EMU_PAGE] & kept;
		const char *name = p == m->brk_start && m->brk > p ? "[heap]" : p == stack ? "[stack]" : "";

		for (end = p + EMU_PAGE; end < EMU_MEM_TOP && (m->right[end / EMU_PAGE] & kept) == right; end += EMU_PAGE)
			if (end == m->brk_start || end == stack)
				break;
		if (right & EMU_RIGHT_MAPPED)
			rs_str_addf(out, "%08llx-%08llx %c%c%c%c 00000000 00:00 0%s%s\n", (unsigned long long)p,
				    (unsigned long long)end, right & PROT_READ ? 'r' : '-',
				    right & PROT_WRITE ? 'w' : '-', right & PROT_EXEC ? 'x' : '-',
				    right & EMU_RIGHT_SHARED ? 's' : 'p', *name ? "                          " : "",
				    name);
	}
}

static void command_line(struct emu_thread *t, struct rs_str *out)
{
	const struct emu_linux *l = t->l;
	const char *p = emu_in(t, l->args_start, l->args_end - l->args_start);

	if (p)
		rs_str_addn(out, p, l->args_end - l->args_start);
}

static void comm(struct emu_thread *t, struct rs_str *out)
{
	rs_str_addf(out, "%s\n", t->name);
}

static const struct {
	const char *name;       /* below /proc/, or below /proc/self/ and /proc/PID/ */
	bool own;
	void (*text)(struct emu_thread *t, struct rs_str *out);
} files[] = {
	{ "cpuinfo", false, cpuinfo },
	{ "maps", true, maps },
	{ "cmdline", true, command_line },
	{ "comm", true, comm },
};

int64_t emu_proc_open(struct emu_thread *t, const char *path, uint64_t flags)
{
	rs_auto_str text = RS_STR_INIT;
	char own[32];
	size_t n;
	int fd;

	if (strncmp(path, "/proc/", 6) || (flags & O_ACCMODE) != O_RDONLY)
		return -ENOENT;
	n = (size_t)snprintf(own, sizeof(own), "/proc/%d/", (int)getpid());
	for (unsigned i = 0; i < sizeof(files) / sizeof(*files); i++) {
		const char *rest = path + 6;

		if (files[i].own)
			rest = !strncmp(path, "/proc/self/", 11) ? path + 11 : !strncmp(path, own, n) ? path + n : "";
		if (strcmp(rest, files[i].name))
			continue;
		pthread_mutex_lock(&t->l->lock);
		files[i].text(t, &text);
		pthread_mutex_unlock(&t->l->lock);
		fd = memfd_create(files[i].name, flags & O_CLOEXEC ? MFD_CLOEXEC : 0);
		if (fd < 0)
			return -errno;
		if (write(fd, text.p, text.len) != (ssize_t)text.len || lseek(fd, 0, SEEK_SET) < 0) {
			close(fd);
			return -EIO;
		}
		return fd;
	}
	return -ENOENT;
}
