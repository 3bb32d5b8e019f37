/* Signals of the guest: dispositions, masks, what is pending, delivery.
 *
 * A signal that the guest sends itself never leaves this file: it is noted as pending and the thread
 * is woken. Signals from outside come through a handler of the host, which notes them in the same
 * place; it is installed for those that the guest handles or waits for, and for timers. What a guest
 * thread blocks, the host blocks for its thread, so that the host's kernel chooses who gets a signal and
 * keeps it meanwhile, also across execve. Faults are the translator's (emu_cpu_run returns them). Of each
 * signal below 32 one instance is kept, with its siginfo; the others queue.
 */
#include "emu/linux.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "emu/x86.h"

#define IGNORE 1ull
#define DEFAULT 0ull
#define SA_NODEFER_ 0x40000000ull
#define SA_RESETHAND_ 0x80000000ull
#define SA_RESTART_ 0x10000000ull
#define QUEUES 32 /* signals from here on */
#define UNBLOCKABLE (EMU_SIGSET(SIGKILL) | EMU_SIGSET(SIGSTOP))
#define IGNORED_BY_DEFAULT                                                                         \
	(EMU_SIGSET(SIGCHLD) | EMU_SIGSET(SIGURG) | EMU_SIGSET(SIGWINCH) | EMU_SIGSET(SIGCONT))
#define STOPS_BY_DEFAULT \
	(EMU_SIGSET(SIGSTOP) | EMU_SIGSET(SIGTSTP) | EMU_SIGSET(SIGTTIN) | EMU_SIGSET(SIGTTOU))

/* The guest thread that this host thread runs. A signal handler has no argument of its own. */
static __thread struct emu_thread *self;

/* ---- what is pending ---- */

uint64_t emu_signal_pending(const struct emu_thread *t)
{
	return atomic_load(&t->pending) | atomic_load(&t->l->pending);
}

/* Nothing happens when it arrives: no reason to end a system call. */
static bool is_ignored(const struct emu_linux *l, int sig)
{
	uint64_t handler = l->action[sig].handler;

	return handler == IGNORE || (handler == DEFAULT && (IGNORED_BY_DEFAULT & EMU_SIGSET(sig)));
}

bool emu_signal_ready(const struct emu_thread *t)
{
	uint64_t set = emu_signal_pending(t) & ~t->mask;

	for (int sig = 1; sig <= EMU_SIGNALS && set >> (sig - 1); sig++)
		if ((set & EMU_SIGSET(sig)) && !is_ignored(t->l, sig))
			return true;
	return false;
}

static int enqueue(struct emu_linux *l, int tid, const struct emu_siginfo *info)
{
	int r = -EAGAIN;

	pthread_mutex_lock(&l->queue_lock);
	if (l->queued < EMU_QUEUE) {
		l->queue[l->queued].tid = tid;
		l->queue[l->queued++].info = *info;
		r = 0;
	}
	pthread_mutex_unlock(&l->queue_lock);
	return r;
}

/* The oldest of its number; *more: others wait behind it. False: it came from outside and did not queue. */
static bool dequeue(struct emu_linux *l, int tid, int sig, struct emu_siginfo *info, bool *more)
{
	unsigned at = EMU_QUEUE;

	*more = false;
	pthread_mutex_lock(&l->queue_lock);
	for (unsigned i = 0; i < l->queued && !*more; i++) {
		if (l->queue[i].tid != tid || l->queue[i].info.signo != sig)
			continue;
		if (at == EMU_QUEUE)
			at = i;
		else
			*more = true;
	}
	if (at < EMU_QUEUE) {
		*info = l->queue[at].info;
		memmove(&l->queue[at], &l->queue[at + 1], (--l->queued - at) * sizeof(l->queue[0]));
	}
	pthread_mutex_unlock(&l->queue_lock);
	return at < EMU_QUEUE;
}

int emu_signal_raise(struct emu_thread *t, const struct emu_siginfo *info)
{
	int sig = info->signo;

	if ((t->mask & EMU_SIGSET(sig)) && emu_signalfd_divert(t->l, info))
		return 0;
	if (sig >= QUEUES && enqueue(t->l, t->tid, info) < 0)
		return -EAGAIN;
	t->info[sig] = *info;
	atomic_fetch_or(&t->pending, EMU_SIGSET(sig));
	if (!(t->mask & EMU_SIGSET(sig)))
		emu_thread_wake(t);
	return 0;
}

int emu_signal_post(struct emu_linux *l, const struct emu_siginfo *info)
{
	struct emu_thread *t;
	int sig = info->signo, r = 0;

	pthread_mutex_lock(&l->lock);
	for (t = l->threads; t && (t->mask & EMU_SIGSET(sig));)
		t = t->next;
	if (!t && emu_signalfd_divert(l, info))
		goto out;
	if (sig >= QUEUES)
		r = enqueue(l, 0, info);
	if (r < 0)
		goto out;
	l->info[sig] = *info;
	atomic_fetch_or(&l->pending, EMU_SIGSET(sig));
	if (t)
		emu_thread_wake(t);
out:
	pthread_mutex_unlock(&l->lock);
	return r;
}

/* ---- from the host ---- */

static void on_host_signal(int sig, siginfo_t *info, void *context)
{
	struct emu_thread *t = self;
	struct emu_siginfo now = { .signo = sig };
	int saved = errno;

	if (!t)
		return;
	if (sig != EMU_WAKE_SIGNAL) {
		now.code = info->si_code;
		now.pid = info->si_pid;
		now.uid = (int32_t)info->si_uid;
		now.value = sig == SIGCHLD ? (uint32_t)info->si_status : (uint64_t)(uintptr_t)info->si_ptr;
		if (!(t->mask & EMU_SIGSET(sig)) || !emu_signalfd_divert(t->l, &now)) {
			t->l->info[sig] = now;
			atomic_fetch_or(&t->l->pending, EMU_SIGSET(sig));
		}
	}
	if (sig == EMU_WAKE_SIGNAL || !(t->mask & EMU_SIGSET(sig))) {
		__atomic_store_n(&t->interrupt, 1, __ATOMIC_SEQ_CST);
		emu_cpu_kick(t->cpu);
		emu_safe_rewind(context);
	}
	errno = saved;
}

/* Which signals the host must tell us of: not faults, and none of the translator's own. */
static bool is_forwardable(int sig)
{
	switch (sig) {
	case SIGSEGV:
	case SIGBUS:
	case SIGILL:
	case SIGFPE:
	case SIGTRAP:
	case SIGSYS: /* the sandbox's */
	case SIGKILL:
	case SIGSTOP:
		return false;
	}
	/* those between are the C library's */
	return sig < QUEUES || (sig >= SIGRTMIN && sig <= SIGRTMAX && sig != EMU_WAKE_SIGNAL && sig != EMU_KICK_SIGNAL);
}

/* One handler at a time: a kick must find the guest's code interrupted, not another handler (x86_signal.c). */
static void mask_async(sigset_t *set)
{
	sigfillset(set);
	sigdelset(set, SIGSEGV);
	sigdelset(set, SIGBUS);
}

/* What ends the process by default is noted, too, so that the end has the guest's shape; but keys of the
 * terminal and termination from outside stay the lab's. */
#define ALWAYS (EMU_SIGSET(SIGALRM) | EMU_SIGSET(SIGVTALRM) | EMU_SIGSET(SIGPROF) | EMU_SIGSET(SIGPIPE))

void emu_signal_disposed(struct emu_linux *l, int sig)
{
	struct sigaction sa = { .sa_flags = SA_SIGINFO };
	uint64_t handler = l->action[sig].handler, bit = EMU_SIGSET(sig);

	if (!is_forwardable(sig))
		return;
	mask_async(&sa.sa_mask);
	if (handler == IGNORE)
		sa.sa_handler = SIG_IGN, sa.sa_flags = 0;
	else if (handler == DEFAULT && !((l->noted | ALWAYS) & bit))
		sa.sa_handler = SIG_DFL, sa.sa_flags = 0;
	else
		sa.sa_sigaction = on_host_signal;
	sigaction(sig, &sa, NULL);
}

/* The host's mask of this thread follows the guest's. */
static void follow_mask(struct emu_thread *t)
{
	uint64_t want = t->mask & ~t->l->unmasked;
	sigset_t set;

	if (want == t->host_mask)
		return;
	t->host_mask = want;
	sigemptyset(&set);
	for (int sig = 1; sig <= EMU_SIGNALS; sig++)
		if ((want & EMU_SIGSET(sig)) && is_forwardable(sig))
			sigaddset(&set, sig);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
}

void emu_signal_set_mask(struct emu_thread *t, uint64_t mask)
{
	t->mask = mask & ~UNBLOCKABLE;
	if (t == self)
		follow_mask(t);
}

void emu_signals_watch(struct emu_thread *t, uint64_t set, bool unmask)
{
	struct emu_linux *l = t->l;

	pthread_mutex_lock(&l->lock);
	if (unmask)
		l->unmasked |= set;
	if (set & ~l->noted) {
		l->noted |= set;
		for (int sig = 1; sig <= EMU_SIGNALS; sig++)
			if (set & EMU_SIGSET(sig))
				emu_signal_disposed(l, sig);
	}
	pthread_mutex_unlock(&l->lock);
	follow_mask(t);
}

int emu_signals_init(struct emu_linux *l)
{
	struct sigaction sa = { .sa_flags = SA_SIGINFO, .sa_sigaction = on_host_signal };

	mask_async(&sa.sa_mask);
	for (int sig = 1; sig <= EMU_SIGNALS; sig++) {
		struct sigaction old;

		/* What the lab was started with ignored (nohup), the guest finds ignored. */
		if (is_forwardable(sig) && sigaction(sig, NULL, &old) == 0 && old.sa_handler == SIG_IGN &&
		    sig != SIGPIPE)
			l->action[sig].handler = IGNORE;
		else if (ALWAYS & EMU_SIGSET(sig))
			emu_signal_disposed(l, sig);
	}
	return sigaction(EMU_WAKE_SIGNAL, &sa, NULL) < 0 ? -errno : 0;
}

void emu_signals_host_thread(struct emu_thread *t)
{
	self = t;
	if (t) {
		t->host_mask = ~t->mask; /* not known */
		follow_mask(t);
	}
}

void emu_signals_reset(struct emu_linux *l)
{
	for (int sig = 1; sig <= EMU_SIGNALS; sig++) {
		if (l->action[sig].handler != IGNORE) {
			memset(&l->action[sig], 0, sizeof(l->action[sig]));
			emu_signal_disposed(l, sig);
		}
	}
}

/* ---- delivery ---- */

void emu_signal_kill(struct emu_thread *t, int sig)
{
	emu_linux_end(t->l, RS_OUT_KILLED, 0, sig, t->cpu->pc);
	emu_linux_stop(t->l, RS_OUT_KILLED);
}

/* The frame of one signal; the mask while its handler runs. */
static void call_handler(struct emu_thread *t, int sig, const struct emu_siginfo *info)
{
	struct emu_sigaction sa = t->l->action[sig];
	uint64_t old = t->restore_mask ? t->saved_mask : t->mask;

	t->restore_mask = false;
	if (sa.flags & SA_RESETHAND_)
		t->l->action[sig].handler = DEFAULT;
	if (!emu_frame_push(t, &sa, info, old)) {
		emu_signal_kill(t, SIGSEGV);
		return;
	}
	emu_signal_set_mask(t, t->mask | sa.mask | (sa.flags & SA_NODEFER_ ? 0 : EMU_SIGSET(sig)));
}

int emu_signal_take(struct emu_thread *t, uint64_t set, struct emu_siginfo *info)
{
	struct emu_linux *l = t->l;
	uint64_t now;
	bool more = false;

	while ((now = emu_signal_pending(t) & set)) {
		int sig = __builtin_ctzll(now) + 1;
		uint64_t bit = EMU_SIGSET(sig);

		*info = t->info[sig];
		if (atomic_fetch_and(&t->pending, ~bit) & bit) {
			if (sig >= QUEUES && dequeue(l, t->tid, sig, info, &more) && more)
				atomic_fetch_or(&t->pending, bit);
			return sig;
		}
		*info = l->info[sig];
		if (atomic_fetch_and(&l->pending, ~bit) & bit) {
			if (sig >= QUEUES && dequeue(l, 0, sig, info, &more) && more)
				atomic_fetch_or(&l->pending, bit);
			return sig;
		}
	}
	return 0;
}

/* Does this call go on after a handler with SA_RESTART (signal(7))? */
static bool restarts(uint64_t number)
{
	switch (number) {
	case 22: case 441:      /* epoll_pwait, epoll_pwait2 */
	case 72: case 73:       /* pselect6, ppoll */
	case 101: case 115:     /* nanosleep, clock_nanosleep */
	case 133: case 137:     /* rt_sigsuspend, rt_sigtimedwait */
		return false;
	}
	return true;
}

/* The system call instruction once more, with its first argument as it was. Both guests' has 4 bytes. */
static void again(struct emu_thread *t)
{
	t->cpu->pc -= 4;
	t->cpu->r[t->l->w->guest->sys_arg[0]] = t->arg0;
}

void emu_signals_deliver(struct emu_thread *t, bool from_call, int64_t ret)
{
	bool ended = from_call && ret == -EINTR, handled = false;
	struct emu_siginfo info;
	int sig;

	__atomic_store_n(&t->interrupt, 0, __ATOMIC_SEQ_CST);
	while (!atomic_load(&t->l->ending) && (sig = emu_signal_take(t, ~t->mask, &info))) {
		struct emu_sigaction *sa = &t->l->action[sig];

		if (is_ignored(t->l, sig))
			continue;
		if (sa->handler == DEFAULT && (STOPS_BY_DEFAULT & EMU_SIGSET(sig))) {
			kill(getpid(), SIGSTOP);
			continue;
		}
		if (sa->handler == DEFAULT) {
			emu_signal_kill(t, sig);
			return;
		}
		if (ended && !handled && (sa->flags & SA_RESTART_) && restarts(t->number))
			again(t);
		call_handler(t, sig, &info);
		handled = true;
	}
	if (ended && !handled && !atomic_load(&t->l->ending))
		again(t); /* nothing that the guest sees ended it */
	if (!handled && t->restore_mask && !ended) {
		t->restore_mask = false;
		emu_signal_set_mask(t, t->saved_mask);
	}
}

void emu_signal_fault(struct emu_thread *t, int sig, int code, uint64_t addr)
{
	struct emu_siginfo info = { .signo = sig, .code = code, .addr = addr, .write = t->cpu->fault_write };
	uint64_t handler = t->l->action[sig].handler;

	if (handler == DEFAULT || handler == IGNORE || (t->mask & EMU_SIGSET(sig)))
		emu_signal_kill(t, sig);
	else
		call_handler(t, sig, &info);
}
