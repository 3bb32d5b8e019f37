/* execve: the process stays, its guest memory is emptied and another program is loaded. A program of
 * the host's own machine becomes what the process is. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"
#include "emu/linux_calls.h"

#define WORDS_MAX 32768u
#define WORDS_BYTES (EMU_STACK_SIZE / 4)
#define SCRIPT_LINE 256

/* A vector of strings, NULL at the end. */
struct words {
	char **v;
	unsigned n;
	uint64_t bytes;
};

static void words_release(struct words *w)
{
	for (unsigned i = 0; i < w->n; i++)
		free(w->v[i]);
	free(w->v);
}

static void words_add(struct words *w, const char *text)
{
	w->v = rs_xrealloc(w->v, w->n + 2, sizeof(*w->v));
	w->v[w->n++] = rs_xstrdup(text);
	w->v[w->n] = NULL;
	w->bytes += strlen(text) + 9;
}

static int64_t words_read(struct emu_thread *t, uint64_t addr, struct words *w)
{
	w->v = rs_xcalloc(1, sizeof(*w->v));
	for (; addr; addr += 8) {
		uint64_t at;
		int64_t n;

		if (!emu_mem_read(&t->l->w->mem, addr, &at, 8))
			return -EFAULT;
		if (!at)
			break;
		n = emu_mem_strlen(&t->l->w->mem, at, 128 << 10);
		if (n < 0)
			return n == -ENAMETOOLONG ? -E2BIG : n;
		if (w->n == WORDS_MAX || w->bytes + (uint64_t)n > WORDS_BYTES)
			return -E2BIG;
		words_add(w, emu_in(t, at, (uint64_t)n + 1));
	}
	return 0;
}

/* ---- the file ---- */

static int64_t read_program(const char *path, struct rs_str *file)
{
	struct rs_err err = RS_ERR_INIT;
	struct stat s;

	if (stat(path, &s) < 0)
		return -errno;
	if (!S_ISREG(s.st_mode) || access(path, X_OK) < 0)
		return -EACCES;
	return rs_file_read(path, EMU_FILE_MAX, file, &err);
}

/* "#! interpreter argument": the words that go before the script's arguments. */
static bool script(const struct rs_str *file, const char *path, struct words *argv, char **interpreter)
{
	char line[SCRIPT_LINE], *arg, *end;
	struct words now = { NULL, 0, 0 };
	size_t n = file->len < sizeof(line) - 1 ? file->len : sizeof(line) - 1;

	if (n < 3 || memcmp(file->p, "#!", 2))
		return false;
	memcpy(line, file->p + 2, n - 2);
	line[n - 2] = 0;
	line[strcspn(line, "\n")] = 0;
	*interpreter = line + strspn(line, " \t");
	if (!**interpreter)
		return false;
	arg = *interpreter + strcspn(*interpreter, " \t");
	if (*arg)
		*arg++ = 0;
	arg += strspn(arg, " \t");
	for (end = arg + strlen(arg); end > arg && (end[-1] == ' ' || end[-1] == '\t');)
		*--end = 0;
	*interpreter = rs_xstrdup(*interpreter);
	words_add(&now, *interpreter);
	if (*arg)
		words_add(&now, arg);
	words_add(&now, path);
	for (unsigned i = 1; i < argv->n; i++)
		words_add(&now, argv->v[i]);
	words_release(argv);
	*argv = now;
	return true;
}

/* ---- the change ---- */

static void other_threads_end(struct emu_thread *t)
{
	struct emu_linux *l = t->l;

	pthread_mutex_lock(&l->lock);
	for (struct emu_thread *x = l->threads; x; x = x->next)
		if (x != t) {
			x->exited = true;
			emu_thread_wake(x);
		}
	while (l->live > 1)
		pthread_cond_wait(&l->gone, &l->lock);
	pthread_mutex_unlock(&l->lock);
}

/* The guest's descriptors with close-on-exec; not those that the lab had before the guest. */
static void close_on_exec(struct emu_linux *l)
{
	rs_auto_closedir DIR *d = opendir("/proc/self/fd");
	struct dirent *e;

	while (d && (e = readdir(d))) {
		int fd = atoi(e->d_name), flags;

		if (e->d_name[0] == '.' || fd == dirfd(d) || emu_linux_is_lab_fd(l, fd))
			continue;
		flags = fcntl(fd, F_GETFD);
		if (flags < 0 || !(flags & FD_CLOEXEC))
			continue;
		close(fd);
		if (fd < EMU_CAPTURED)
			l->captured[fd] = 0;
	}
}

/* From here on there is no way back: an error kills the process, as in Linux. */
static int64_t become(struct emu_thread *t, const struct rs_str *file, const char *path, char *const *argv,
		      char *const *envp)
{
	struct emu_linux *l = t->l;
	struct emu_mem *m = &l->w->mem;
	struct emu_cpu *cpu = t->cpu;
	struct rs_err err = RS_ERR_INIT;
	struct emu_image im;
	int64_t sp = -ENOMEM;
	char *slash;

	other_threads_end(t);
	emu_mem_unmap(m, EMU_MEM_LOW, EMU_MEM_TOP - EMU_MEM_LOW);
	close_on_exec(l);
	emu_signals_reset(l);
	emu_timers_free(l, false);
	if (t->vfork_fd >= 0)
		emu_vfork_done(t, true);
	free(l->exe);
	free(l->name);
	l->exe = realpath(path, NULL);
	if (!l->exe)
		l->exe = rs_xstrdup(path);
	slash = strrchr(l->exe, '/');
	l->name = rs_xstrdup(slash ? slash + 1 : l->exe);
	memset(cpu->r, 0, sizeof(cpu->r));
	memset(cpu->x, 0, sizeof(cpu->x));
	memset(cpu->v, 0, sizeof(cpu->v));
	emu_cpu_set_fflags(cpu, 0);
	emu_cpu_set_frm(cpu, 0);
	cpu->res_addr = ~0ull;
	t->alt_size = t->clear_tid = t->robust = 0;
	*emu_guest_global(cpu, l->w->guest->tp) = 0;
	snprintf(t->name, sizeof(t->name), "%s", l->name);
	t->keep = true;
	if (emu_load_bytes(l->w, file->p, file->len, path, &im, &err) == 0) {
		l->trampoline = emu_frame_trampoline(l);
		sp = l->trampoline ? emu_linux_stack(l, &im, argv, envp) : -ENOMEM;
	}
	if (sp < 0) {
		if (err.code && l->warn)
			l->warn(l->warn_arg, &err);
		emu_linux_end(l, RS_OUT_KILLED, 0, SIGKILL, 0);
		return 0;
	}
	cpu->pc = im.entry;
	cpu->r[l->w->guest->sp] = (uint64_t)sp;
	if (l->em)
		rs_emit(l->em, RS_EV_EMU_LOAD, RS_SRC_EMU, cpu->id, im.start, im.end - im.start, im.entry, 0,
			l->w->guest->name);
	return 0;
}

int64_t emu_sys_execve(struct emu_thread *t, const uint64_t a[6])
{
	rs_cleanup(words_release) struct words argv = { NULL, 0, 0 };
	rs_cleanup(words_release) struct words envp = { NULL, 0, 0 };
	rs_auto_free char *path = NULL;
	rs_auto_str file = RS_STR_INIT;
	int64_t r;
	const char *name = emu_string(t, a[0], &r);

	if (!name)
		return r;
	path = rs_xstrdup(strcmp(name, "/proc/self/exe") ? name : t->l->exe);
	r = words_read(t, a[1], &argv);
	if (!r)
		r = words_read(t, a[2], &envp);
	for (unsigned depth = 0; !r; depth++) {
		char *interpreter;

		rs_str_clear(&file);
		r = read_program(path, &file);
		if (r || !script(&file, path, &argv, &interpreter))
			break;
		free(path);
		path = interpreter;
		if (depth == 4)
			r = -ELOOP;
	}
	if (r)
		return r;
	/* Not for this guest: the host may know what to do with it (a shell behind system(3)). */
	if (emu_load_guest(file.p, file.len, path, NULL) != t->l->w->guest)
		return execve(path, argv.v, envp.v) < 0 ? -errno : 0;
	return become(t, &file, path, argv.v, envp.v);
}
