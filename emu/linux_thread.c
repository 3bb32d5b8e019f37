/* Threads: clone, futex, the end of a thread. A guest thread is a thread of the host with the same
 * number, so futexes and robust lists mean the same to both kernels.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "emu/linux_calls.h"

/* ---- futex ---- */

int64_t emu_sys_futex(struct emu_thread *t, const uint64_t a[6])
{
	unsigned op = a[1] & FUTEX_CMD_MASK;
	uint64_t word = (uintptr_t)emu_in(t, a[0], 4), fourth = a[3], second = 0;

	if (a[0] % 4)
		return -EINVAL;
	if (!word)
		return -EFAULT;
	switch (op) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		if (a[3] && !(fourth = (uintptr_t)emu_in(t, a[3], 16)))
			return -EFAULT;
		break;
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
	case FUTEX_WAKE_OP:
		if (a[4] % 4)
			return -EINVAL;
		second = (uintptr_t)emu_out(t, a[4], 4);
		if (!second)
			return -EFAULT;
		break;
	case FUTEX_WAKE:
	case FUTEX_WAKE_BITSET:
	case FUTEX_UNLOCK_PI:
	case FUTEX_TRYLOCK_PI:
		break;
	default:
		return -ENOSYS;
	}
	return emu_safe_syscall(t, SYS_futex, word, a[1], a[2], fourth, second, a[5]);
}

/* ---- end of a thread ---- */

static void wake_word(struct emu_thread *t, uint64_t addr, int count)
{
	void *p = emu_in(t, addr, 4);

	if (p)
		syscall(SYS_futex, p, FUTEX_WAKE, count, NULL, NULL, 0);
}

/* A lock that its owner leaves behind is marked and one waiter woken (Documentation/locking/
 * robust-futexes.rst). */
static void leave_lock(struct emu_thread *t, uint64_t addr)
{
	uint32_t *word = emu_out(t, addr, 4), seen;

	if (!word || addr % 4)
		return;
	seen = __atomic_load_n(word, __ATOMIC_SEQ_CST);
	while ((seen & FUTEX_TID_MASK) == (uint32_t)t->tid) {
		uint32_t now = (seen & FUTEX_WAITERS) | FUTEX_OWNER_DIED;

		if (!__atomic_compare_exchange_n(word, &seen, now, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			continue;
		if (seen & FUTEX_WAITERS)
			wake_word(t, addr, 1);
		return;
	}
}

static void leave_locks(struct emu_thread *t)
{
	struct { uint64_t next, offset, pending; } head;
	uint64_t at, next;

	if (!t->robust || !emu_mem_read(&t->l->w->mem, t->robust, &head, sizeof(head)))
		return;
	at = head.next & ~1ull;
	for (unsigned n = 0; at != t->robust && n < 2048; n++, at = next) {
		if (!emu_mem_read(&t->l->w->mem, at, &next, 8))
			return;
		next &= ~1ull;
		if (at != (head.pending & ~1ull))
			leave_lock(t, at + head.offset);
	}
	if (head.pending)
		leave_lock(t, (head.pending & ~1ull) + head.offset);
}

void emu_thread_leave(struct emu_thread *t)
{
	struct emu_linux *l = t->l;
	struct emu_thread **at;
	uint32_t zero = 0;

	leave_locks(t);
	if (t->vfork_fd >= 0)
		emu_vfork_done(t, false);
	emu_signals_host_thread(NULL);
	pthread_mutex_lock(&l->lock);
	for (at = &l->threads; *at && *at != t; at = &(*at)->next)
		;
	if (*at)
		*at = t->next;
	/* The last one to exit ends the process with its status. */
	if (!l->threads)
		emu_linux_end(l, RS_OUT_EXITED, l->status, 0, t->cpu->pc);
	pthread_mutex_unlock(&l->lock);
	if (t->clear_tid && emu_mem_write(&l->w->mem, t->clear_tid, &zero, 4))
		wake_word(t, t->clear_tid, 1);
	emu_cpu_free(t->cpu);
	free(t);
	/* After this, the one that waits takes everything down. */
	pthread_mutex_lock(&l->lock);
	l->live--;
	pthread_cond_broadcast(&l->gone);
	pthread_mutex_unlock(&l->lock);
}

int64_t emu_sys_exit(struct emu_thread *t, const uint64_t a[6])
{
	t->exited = true;
	pthread_mutex_lock(&t->l->lock);
	if (!atomic_load(&t->l->ending) && !t->l->threads->next)
		emu_linux_end(t->l, RS_OUT_EXITED, (int)a[0] & 255, 0, t->cpu->pc);
	pthread_mutex_unlock(&t->l->lock);
	return 0;
}

int64_t emu_sys_exit_group(struct emu_thread *t, const uint64_t a[6])
{
	emu_linux_end(t->l, RS_OUT_EXITED, (int)a[0] & 255, 0, t->cpu->pc);
	emu_linux_stop(t->l, RS_OUT_EXITED);
	return 0;
}

int64_t emu_sys_set_tid_address(struct emu_thread *t, const uint64_t a[6])
{
	t->clear_tid = a[0];
	return t->tid;
}

int64_t emu_sys_set_robust_list(struct emu_thread *t, const uint64_t a[6])
{
	if (a[1] != 24)
		return -EINVAL;
	t->robust = a[0];
	return 0;
}

int64_t emu_sys_get_robust_list(struct emu_thread *t, const uint64_t a[6])
{
	uint64_t size = 24;

	if (a[0] && (int)a[0] != t->tid)
		return -EPERM;
	return emu_mem_write(&t->l->w->mem, a[1], &t->robust, 8) && emu_mem_write(&t->l->w->mem, a[2], &size, 8) ?
		       0 : -EFAULT;
}

/* ---- clone ---- */

#define THREAD_FLAGS (CLONE_VM | CLONE_THREAD | CLONE_SIGHAND)

struct birth {
	struct emu_thread *t;
	uint64_t tell[2]; /* guest addresses that get the number before anybody can look; 0 = none */
	int tid;
	sem_t ready;
};

static void *thread_main(void *arg)
{
	struct birth *b = arg;
	struct emu_thread *t = b->t;

	emu_thread_enter(t);
	for (unsigned i = 0; i < 2; i++)
		if (b->tell[i])
			emu_mem_write(&t->l->w->mem, b->tell[i], &(int32_t){ t->tid }, 4);
	b->tid = t->tid;
	sem_post(&b->ready); /* b is gone now */
	emu_thread_loop(t);
	emu_thread_leave(t);
	return NULL;
}

void emu_child_registers(struct emu_thread *t, struct emu_cpu *cpu, const uint64_t a[6])
{
	const struct emu_guest *g = t->l->w->guest;

	cpu->r[g->sys_ret] = 0;
	if (a[1])
		cpu->r[g->sp] = a[1];
	if (a[0] & CLONE_SETTLS)
		*emu_guest_global(cpu, g->tp) = a[3];
}

/* clone(flags, stack, parent_tid, tls, child_tid): the order of arguments that RISC-V and AArch64 have. */
static int64_t clone_thread(struct emu_thread *t, const uint64_t a[6])
{
	struct emu_cpu *cpu = emu_cpu_new(t->l->w, t->cpu);
	struct birth b = { .tell = { a[0] & CLONE_PARENT_SETTID ? a[2] : 0,
				     a[0] & CLONE_CHILD_SETTID ? a[4] : 0 } };
	pthread_attr_t attr;
	pthread_t thread;
	int tid, r;

	if (!cpu)
		return -ENOMEM;
	b.t = emu_thread_new(t->l, cpu);
	b.t->mask = t->mask;
	memcpy(b.t->name, t->name, sizeof(t->name));
	if (a[0] & CLONE_CHILD_CLEARTID)
		b.t->clear_tid = a[4];
	emu_child_registers(t, cpu, a);
	sem_init(&b.ready, 0, 0);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 512 << 10);
	r = pthread_create(&thread, &attr, thread_main, &b);
	pthread_attr_destroy(&attr);
	if (r) {
		free(b.t);
		emu_cpu_free(cpu);
		sem_destroy(&b.ready);
		return -EAGAIN;
	}
	while (sem_wait(&b.ready) < 0)
		;
	tid = b.tid; /* the thread may be gone already */
	sem_destroy(&b.ready);
	return tid;
}

int64_t emu_sys_clone(struct emu_thread *t, const uint64_t a[6])
{
	int64_t r;
	int32_t tid;

	if ((a[0] & THREAD_FLAGS) == THREAD_FLAGS)
		return clone_thread(t, a);
	if (a[0] & (CLONE_THREAD | CLONE_SIGHAND | CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |
		    CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP))
		return -EINVAL;
	r = emu_clone_process(t, a);
	tid = (int32_t)r;
	if (r > 0 && (a[0] & CLONE_PARENT_SETTID))
		emu_mem_write(&t->l->w->mem, a[2], &tid, 4);
	return r;
}
