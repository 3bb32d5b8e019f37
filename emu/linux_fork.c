/* Another process of the guest: fork, vfork, and all of them together.
 *
 * A guest process is a process of the host, which is forked with all of the lab's memory. One that shares
 * memory until it execs (vfork, posix_spawn) gets a copy, and its parent waits; at its end, what it wrote
 * on the stack above is given back, where such children leave word of what went wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "emu/linux_calls.h"
#include "emu/x86.h"

/* ---- all processes ---- */

/* Shared between them: who lives. A place is free when its process is gone. */
#define FAMILY_MAX 512
struct emu_family {
	atomic_int closed;              /* no more children */
	atomic_int pid[FAMILY_MAX];
};

int emu_family_init(struct emu_linux *l)
{
	void *p = mmap(NULL, sizeof(*l->family), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	l->family = p == MAP_FAILED ? NULL : p;
	return l->family ? 0 : -ENOMEM;
}

void emu_family_free(struct emu_linux *l)
{
	if (l->family)
		munmap(l->family, sizeof(*l->family));
	l->family = NULL;
}

/* A place for a child, with -1 in it; NULL: there are too many. */
static atomic_int *reserve(struct emu_family *f)
{
	for (unsigned i = 0; i < FAMILY_MAX && !atomic_load(&f->closed); i++) {
		int pid = atomic_load(&f->pid[i]);

		if (pid > 0 && kill(pid, 0) < 0 && errno == ESRCH)
			atomic_compare_exchange_strong(&f->pid[i], &pid, 0);
		pid = 0;
		if (atomic_compare_exchange_strong(&f->pid[i], &pid, -1))
			return &f->pid[i];
	}
	return NULL;
}

void emu_family_kill(struct emu_linux *l)
{
	atomic_store(&l->family->closed, 1);
	for (unsigned i = 0; i < FAMILY_MAX; i++) {
		int pid = atomic_load(&l->family->pid[i]);

		/* a child that is being made stores its number itself, and looks at `closed` after it */
		if (pid > 0)
			kill(pid, SIGKILL);
	}
}

/* ---- vfork ---- */

#define WINDOW 16384u /* bytes of the parent's stack that come back */

/* The part of the window that is mapped. */
static void *window(struct emu_thread *t, uint64_t sp, uint64_t *len)
{
	uint64_t end = sp;

	while (end < EMU_MEM_TOP && end - sp < WINDOW && emu_in(t, end, 1))
		end = (end & ~(uint64_t)(EMU_PAGE - 1)) + EMU_PAGE;
	*len = end - sp;
	return *len ? emu_out(t, sp, *len) : NULL;
}

void emu_vfork_done(struct emu_thread *t, bool exec)
{
	uint64_t len, done = 0;
	const char *p = exec ? NULL : window(t, t->vfork_sp, &len);

	while (p && done < len) {
		ssize_t n = write(t->vfork_fd, p + done, len - done);

		if (n <= 0)
			break;
		done += (uint64_t)n;
	}
	close(t->vfork_fd);
	t->vfork_fd = -1;
}

/* The parent goes on when the child has ended or execs, or when this process must end. */
static void wait_for_child(struct emu_thread *t, int fd, uint64_t sp)
{
	char *copy = rs_xcalloc(1, WINDOW + EMU_PAGE);
	uint64_t len, n = 0;
	void *to = window(t, sp, &len);

	while (!atomic_load(&t->l->ending)) {
		int64_t r = emu_safe_syscall(t, SYS_read, (uint64_t)fd, (uintptr_t)copy + n, WINDOW + EMU_PAGE - n, 0, 0, 0);

		if (r == -EINTR) { /* signals wait until then */
			__atomic_store_n(&t->interrupt, 0, __ATOMIC_SEQ_CST);
			continue;
		}
		if (r <= 0)
			break;
		n += (uint64_t)r;
	}
	if (to && n == len)
		memcpy(to, copy, len);
	free(copy);
	close(fd);
	/* what came meanwhile is looked at when the call returns */
}

/* ---- fork ---- */

/* In the child of a fork: the CPUs of other threads are gone, and translated code is its own: code
 * memory is shared with the parent. */
static void fork_world(struct emu_world *w, struct emu_cpu *self)
{
	for (struct emu_cpu *c = w->cpus, *next; c; c = next) {
		next = c->next;
		if (c != self)
			free(c);
	}
	w->cpus = self;
	self->next = NULL;
	w->em = NULL; /* the lab watches the parent alone */
	w->lab = NULL;
	w->let = NULL;
	atomic_store(&w->exclusive, 1);
	emu_x86_release(w);
	if (!w->opt.interp && emu_x86_init(w, NULL) < 0)
		_exit(125);
	emu_cache_flush(w, self);
}

static void fork_linux(struct emu_thread *t, const uint64_t a[6])
{
	struct emu_linux *l = t->l;

	l->em = NULL; /* the event ring is the parent's */
	memset(l->sigfd, 0, sizeof(l->sigfd));
	l->queued = 0;
	emu_timers_free(l, true);
	memset(l->captured, 0, sizeof(l->captured));
	l->threads = t;
	l->live = 1;
	t->next = NULL;
	t->tid = (int)syscall(SYS_gettid);
	atomic_store(&t->pending, 0);
	atomic_store(&l->pending, 0);
	t->robust = 0;
	t->clear_tid = a[0] & CLONE_CHILD_CLEARTID ? a[4] : 0;
}

/* Everything that another thread of the lab might hold is held while the process is copied. */
int64_t emu_clone_process(struct emu_thread *t, const uint64_t a[6])
{
	struct emu_world *w = t->l->w;
	uint64_t sp = t->cpu->r[w->guest->sp];
	atomic_int *place = reserve(t->l->family);
	int32_t tid;
	int pipe[2] = { -1, -1 };
	pid_t pid;

	if (!place)
		return -EAGAIN;
	pthread_mutex_lock(&t->l->lock);
	/* No child of another thread gets the end that this one's writes to: it is closed under the lock. */
	if ((a[0] & CLONE_VFORK) && pipe2(pipe, O_CLOEXEC) < 0) {
		pthread_mutex_unlock(&t->l->lock);
		atomic_store(place, 0);
		return -EAGAIN;
	}
	pthread_mutex_lock(&t->l->queue_lock);
	pthread_mutex_lock(&w->lock);
	emu_exclusive_begin(w, t->cpu);
	pid = fork();
	if (pid == 0) {
		atomic_store(place, (int)getpid());
		if (atomic_load(&t->l->family->closed))
			_exit(125);
		fork_world(w, t->cpu);
		fork_linux(t, a);
	}
	emu_exclusive_end(w);
	pthread_mutex_unlock(&w->lock);
	pthread_mutex_unlock(&t->l->queue_lock);
	if (pid && pipe[1] >= 0)
		close(pipe[1]);
	pthread_mutex_unlock(&t->l->lock);
	if (pid) {
		if (pid < 0)
			atomic_store(place, 0);
		if (pipe[0] >= 0)
			wait_for_child(t, pipe[0], sp);
		return pid < 0 ? -EAGAIN : pid;
	}
	if (t->vfork_fd >= 0) /* its parent waits for another */
		close(t->vfork_fd);
	t->vfork_fd = -1;
	if (pipe[0] >= 0) {
		close(pipe[0]);
		t->vfork_fd = emu_high_fd(pipe[1]);
		t->vfork_sp = sp;
	}
	emu_child_registers(t, t->cpu, a);
	tid = t->tid;
	if (a[0] & CLONE_CHILD_SETTID)
		emu_mem_write(&w->mem, a[4], &tid, 4);
	return 0;
}
