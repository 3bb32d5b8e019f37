/* A guest process: its start, the loop of each thread, and how it ends. */
#include "emu/linux.h"
#include "emu/orders.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* ---- end ---- */

void emu_linux_end(struct emu_linux *l, enum rs_outcome outcome, int status, int signal, uint64_t pc)
{
	int no = 0;

	if (!atomic_compare_exchange_strong(&l->ending, &no, 1))
		return;
	l->outcome = outcome;
	l->status = status;
	l->signal = signal;
	l->end_pc = pc;
	atomic_store(&l->ending, 2);
}

void emu_linux_stop(struct emu_linux *l, enum rs_outcome outcome)
{
	emu_linux_end(l, outcome, 0, 0, 0);
	pthread_mutex_lock(&l->lock);
	for (struct emu_thread *t = l->threads; t; t = t->next)
		emu_thread_wake(t);
	pthread_mutex_unlock(&l->lock);
	pthread_mutex_lock(&l->w->lock); /* those that stand still look, too */
	pthread_cond_broadcast(&l->w->idle);
	pthread_mutex_unlock(&l->w->lock);
}

/* ---- threads ---- */

void emu_thread_wake(struct emu_thread *t)
{
	__atomic_store_n(&t->interrupt, 1, __ATOMIC_SEQ_CST);
	emu_cpu_kick(t->cpu);
	if (t->tid)
		syscall(SYS_tgkill, getpid(), t->tid, EMU_WAKE_SIGNAL);
}

struct emu_thread *emu_thread_new(struct emu_linux *l, struct emu_cpu *cpu)
{
	struct emu_thread *t = rs_xcalloc(1, sizeof(*t));

	t->l = l;
	t->cpu = cpu;
	t->vfork_fd = -1;
	cpu->thread = t;
	return t;
}

void emu_thread_enter(struct emu_thread *t)
{
	t->tid = (int)syscall(SYS_gettid);
	emu_signals_host_thread(t);
	pthread_mutex_lock(&t->l->lock);
	t->next = t->l->threads;
	t->l->threads = t;
	t->l->live++;
	pthread_mutex_unlock(&t->l->lock);
}

/* ---- the loop ---- */

/* The instruction at pc as text, "" when it cannot be read. */
static void text_at(struct emu_world *w, uint64_t pc, char *text, size_t size)
{
	const uint8_t *code = NULL;
	unsigned avail = w->guest->insn_max;

	*text = 0;
	while (avail && !(code = emu_mem_host(&w->mem, pc, avail, PROT_EXEC)))
		avail--;
	if (code)
		w->guest->disasm(code, avail, pc, text, size);
}

static void fault(struct emu_thread *t, int sig, int code, uint64_t addr)
{
	struct emu_linux *l = t->l;
	uint64_t pc = t->cpu->pc;
	char text[64];

	text_at(l->w, pc, text, sizeof(text));
	if (l->em)
		rs_emit(l->em, RS_EV_EMU_FAULT, RS_SRC_EMU, t->cpu->id, (uint64_t)sig, pc, addr, 0, text);
	emu_signal_fault(t, sig, code, addr);
	if (atomic_load(&l->ending) == 2 && l->signal == sig && l->end_pc == pc) {
		memcpy(l->end_insn, text, sizeof(text));
		l->end_addr = addr;
	}
}

static void segv(struct emu_thread *t)
{
	uint64_t addr = t->cpu->fault_addr;
	bool mapped = addr < EMU_MEM_SIZE && (t->l->w->mem.right[addr / EMU_PAGE] & EMU_RIGHT_MAPPED);

	fault(t, SIGSEGV, mapped ? SEGV_ACCERR : SEGV_MAPERR, addr);
}

static void system_call(struct emu_thread *t)
{
	const struct emu_guest *g = t->l->w->guest;
	struct emu_cpu *cpu = t->cpu;
	uint64_t a[6];
	int64_t r;

	for (unsigned i = 0; i < 6; i++)
		a[i] = cpu->r[g->sys_arg[i]];
	t->number = cpu->r[g->sys_nr];
	t->arg0 = a[0];
	t->keep = false;
	if (t->l->em && rs_wanted(t->l->em, RS_EV_EMU_SYSCALL)) {
		const struct emu_syscall *c = emu_syscall_find(t->number);

		rs_emit_slow(t->l->em, RS_EV_EMU_SYSCALL, RS_SRC_EMU, cpu->id, t->number, a[0], a[1], a[2],
			     c ? c->name : NULL);
	}
	r = emu_syscall_do(t, t->number, a);
	if (!t->keep)
		cpu->r[g->sys_ret] = (uint64_t)r;
	if (!t->exited && !atomic_load(&t->l->ending))
		emu_signals_deliver(t, !t->keep, r);
}

void emu_thread_loop(struct emu_thread *t)
{
	struct emu_cpu *cpu = t->cpu;

	while (!t->exited && !atomic_load(&t->l->ending)) {
		switch (emu_cpu_run(cpu)) {
		case EMU_EXC_SYSCALL:
			system_call(t);
			break;
		case EMU_EXC_BREAK:
			fault(t, SIGTRAP, TRAP_BRKPT, cpu->pc);
			break;
		case EMU_EXC_ILLEGAL:
			fault(t, SIGILL, ILL_ILLOPC, cpu->pc);
			break;
		case EMU_EXC_SEGV:
			segv(t);
			break;
		case EMU_EXC_BUS:
			fault(t, SIGBUS, BUS_ADRERR, cpu->fault_addr);
			break;
		case EMU_EXC_MISALIGNED:
			fault(t, SIGBUS, BUS_ADRALN, cpu->fault_addr);
			break;
		case EMU_EXC_LIMIT:
			emu_linux_stop(t->l, RS_OUT_WATCHDOG);
			break;
		default: /* kicked */
			emu_signals_deliver(t, false, 0);
		}
	}
}

/* ---- a run ---- */

static void note_lab_fds(struct emu_linux *l)
{
	for (int fd = 3; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			l->lab_fds[fd / 64] |= 1ull << fd % 64;
}

bool emu_linux_is_lab_fd(const struct emu_linux *l, int fd)
{
	return fd >= 0 && fd < 1024 && (l->lab_fds[fd / 64] >> fd % 64 & 1);
}

struct emu_linux *emu_linux_new(struct emu_world *w, struct rs_emitter *em, bool capture, const char *path,
				const struct emu_image *im, char *const *argv, char *const *envp,
				struct rs_err *err)
{
	struct emu_linux *l = rs_xcalloc(1, sizeof(*l));
	struct emu_cpu *cpu;
	int64_t sp;
	char *slash;

	l->w = w;
	l->abi = w->guest->linux_abi;
	l->em = em;
	note_lab_fds(l);
	if (capture && em) {
		l->captured[1] = 1;
		l->captured[2] = 2;
	}
	pthread_mutex_init(&l->lock, NULL);
	pthread_mutex_init(&l->queue_lock, NULL);
	pthread_cond_init(&l->gone, NULL);
	l->exe = realpath(path, NULL);
	if (!l->exe)
		l->exe = rs_xstrdup(path);
	slash = strrchr(l->exe, '/');
	l->name = rs_xstrdup(slash ? slash + 1 : l->exe);
	l->trampoline = emu_family_init(l) < 0 ? 0 : emu_frame_trampoline(l);
	sp = l->trampoline ? emu_linux_stack(l, im, argv, envp) : -ENOMEM;
	if (sp < 0) {
		if (sp == -E2BIG)
			rs_err_set(err, -E2BIG, N_("arguments and environment do not fit on the guest's stack"));
		else
			rs_err_set(err, -ENOMEM, N_("there is no guest memory left for the stack"));
		emu_linux_free(l);
		return NULL;
	}
	cpu = emu_cpu_new(w, NULL);
	cpu->pc = im->entry;
	cpu->r[w->guest->sp] = (uint64_t)sp;
	l->threads = emu_thread_new(l, cpu);
	snprintf(l->threads->name, sizeof(l->threads->name), "%s", l->name);
	if (em)
		rs_emit(em, RS_EV_EMU_LOAD, RS_SRC_EMU, cpu->id, im->start, im->end - im->start, im->entry, 0,
			w->guest->name);
	return l;
}

/* Waits for the other threads; one that does not come within a second is left behind: the process is
 * about to end anyway. */
static void wait_for_threads(struct emu_linux *l)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 1;
	pthread_mutex_lock(&l->lock);
	while (l->live) {
		if (atomic_load(&l->ending) == 2) {
			for (struct emu_thread *t = l->threads; t; t = t->next)
				emu_thread_wake(t);
			if (pthread_cond_timedwait(&l->gone, &l->lock, &until) == ETIMEDOUT)
				break;
		} else {
			pthread_cond_wait(&l->gone, &l->lock);
		}
	}
	pthread_mutex_unlock(&l->lock);
}

void emu_linux_run(struct emu_linux *l, struct emu_result *res)
{
	struct emu_thread *t = l->threads;
	pid_t pid = getpid();

	l->threads = NULL;
	emu_signals_init(l);
	emu_thread_enter(t);
	emu_thread_loop(t);
	emu_lab_last(l->w->lab, t->cpu);
	emu_thread_leave(t);
	wait_for_threads(l);
	emu_timers_free(l, false);
	emu_lab_end(l->w->lab);
	if (getpid() != pid) { /* a child of the guest's fork ends here, as its parent expects */
		if (l->outcome == RS_OUT_KILLED) {
			signal(l->signal, SIG_DFL);
			raise(l->signal);
		}
		_exit(l->status);
	}
	if (l->outcome != RS_OUT_EXITED && l->outcome != RS_OUT_KILLED)
		emu_family_kill(l);
	res->outcome = l->outcome;
	res->status = l->status;
	res->signal = l->signal;
	res->pc = l->end_pc;
	res->fault_addr = l->end_addr;
	memcpy(res->insn, l->end_insn, sizeof(res->insn));
	if (l->em)
		rs_emit(l->em, RS_EV_EMU_END, RS_SRC_EMU, 0, res->outcome, (uint64_t)res->status,
			(uint64_t)res->signal, res->pc, NULL);
}

void emu_linux_free(struct emu_linux *l)
{
	if (!l)
		return;
	/* The CPUs belong to the world. A thread that was left behind still uses the rest. */
	if (!l->live) {
		emu_family_free(l);
		free(l->exe);
		free(l->name);
		pthread_cond_destroy(&l->gone);
		pthread_mutex_destroy(&l->lock);
		free(l);
	}
}
