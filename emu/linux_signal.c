/* Signals of the guest: dispositions, masks, what is pending, delivery.
 *
 * A signal that the guest sends itself never leaves this file: it is noted as pending and the thread
 * is woken. Signals from outside come through a handler of the host, which notes them in the same
 * place; it is installed for those that the guest handles and for timers. Faults are the translator's
 * (emu_cpu_run returns them). Of each signal one instance is kept, with its siginfo; those from 32 on
 * do not queue.
 */
#include "emu/linux.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emu/linux_calls.h"

#define IGNORE 1ull
#define DEFAULT 0ull
#define SA_NODEFER_ 0x40000000ull
#define SA_RESTORER_ 0x04000000ull
#define SA_RESETHAND_ 0x80000000ull
#define SA_RESTART_ 0x10000000ull
#define UNBLOCKABLE (EMU_SIGSET(SIGKILL) | EMU_SIGSET(SIGSTOP))
#define IGNORED_BY_DEFAULT                                                                         \
	(EMU_SIGSET(SIGCHLD) | EMU_SIGSET(SIGURG) | EMU_SIGSET(SIGWINCH) | EMU_SIGSET(SIGCONT))
#define STOPS_BY_DEFAULT (EMU_SIGSET(SIGTSTP) | EMU_SIGSET(SIGTTIN) | EMU_SIGSET(SIGTTOU))

/* The guest thread that this host thread runs. A signal handler has no argument of its own. */
static __thread struct emu_thread *self;

/* ---- what is pending ---- */

static uint64_t deliverable(const struct emu_thread *t)
{
	return (atomic_load(&t->pending) | atomic_load(&t->l->pending)) & ~t->mask;
}

/* Nothing happens when it arrives: no reason to end a system call. */
static bool is_ignored(const struct emu_linux *l, int sig)
{
	uint64_t handler = l->action[sig].handler;

	return handler == IGNORE || (handler == DEFAULT && (IGNORED_BY_DEFAULT & EMU_SIGSET(sig)));
}

bool emu_signal_ready(const struct emu_thread *t)
{
	uint64_t set = deliverable(t);

	for (int sig = 1; set >> (sig - 1) && sig <= EMU_SIGNALS; sig++)
		if ((set & EMU_SIGSET(sig)) && !is_ignored(t->l, sig))
			return true;
	return false;
}

void emu_signal_raise(struct emu_thread *t, const struct emu_siginfo *info)
{
	t->info[info->signo] = *info;
	atomic_fetch_or(&t->pending, EMU_SIGSET(info->signo));
	if (!(t->mask & EMU_SIGSET(info->signo)))
		emu_thread_wake(t);
}

void emu_signal_post(struct emu_linux *l, const struct emu_siginfo *info)
{
	l->info[info->signo] = *info;
	atomic_fetch_or(&l->pending, EMU_SIGSET(info->signo));
	pthread_mutex_lock(&l->lock);
	for (struct emu_thread *t = l->threads; t; t = t->next)
		if (!(t->mask & EMU_SIGSET(info->signo))) {
			emu_thread_wake(t);
			break;
		}
	pthread_mutex_unlock(&l->lock);
}

/* ---- from the host ---- */

static void on_host_signal(int sig, siginfo_t *info, void *context)
{
	struct emu_thread *t = self;
	int saved = errno;

	if (!t)
		return;
	if (sig != EMU_WAKE_SIGNAL) {
		struct emu_siginfo *to = &t->l->info[sig];

		to->signo = sig;
		to->code = info->si_code;
		to->pid = info->si_pid;
		to->uid = (int32_t)info->si_uid;
		to->value = sig == SIGCHLD ? (uint32_t)info->si_status : (uint64_t)(uintptr_t)info->si_ptr;
		atomic_fetch_or(&t->l->pending, EMU_SIGSET(sig));
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
	case SIGKILL:
	case SIGSTOP:
		return false;
	}
	return sig <= 31;
}

/* One handler at a time: a kick must find the guest's code interrupted, not another handler (x86_signal.c). */
static void mask_async(sigset_t *set)
{
	sigfillset(set);
	sigdelset(set, SIGSEGV);
	sigdelset(set, SIGBUS);
}

static void host_disposition(struct emu_linux *l, int sig, uint64_t handler)
{
	struct sigaction sa = { .sa_flags = SA_SIGINFO };

	if (!is_forwardable(sig))
		return;
	mask_async(&sa.sa_mask);
	/* What ends the process by default is noted, too, so that the end has the guest's shape; but
	 * keys of the terminal and termination from outside stay the lab's. */
	if (handler == IGNORE)
		sa.sa_handler = SIG_IGN, sa.sa_flags = 0;
	else if (handler == DEFAULT && sig != SIGALRM && sig != SIGVTALRM && sig != SIGPROF && sig != SIGPIPE)
		sa.sa_handler = SIG_DFL, sa.sa_flags = 0;
	else
		sa.sa_sigaction = on_host_signal;
	sigaction(sig, &sa, NULL);
	if (sa.sa_flags & SA_SIGINFO)
		l->host_handled |= EMU_SIGSET(sig);
	else
		l->host_handled &= ~EMU_SIGSET(sig);
}

int emu_signals_init(struct emu_linux *l)
{
	struct sigaction sa = { .sa_flags = SA_SIGINFO, .sa_sigaction = on_host_signal };

	mask_async(&sa.sa_mask);
	for (int sig = 1; sig < 32; sig++)
		if (is_forwardable(sig)) {
			struct sigaction old;

			/* What the lab was started with ignored (nohup), the guest finds ignored. */
			if (sigaction(sig, NULL, &old) == 0 && old.sa_handler == SIG_IGN && sig != SIGPIPE)
				l->action[sig].handler = IGNORE;
		}
	host_disposition(l, SIGALRM, DEFAULT);
	host_disposition(l, SIGVTALRM, DEFAULT);
	host_disposition(l, SIGPROF, DEFAULT);
	host_disposition(l, SIGPIPE, DEFAULT);
	return sigaction(EMU_WAKE_SIGNAL, &sa, NULL) < 0 ? -errno : 0;
}

void emu_signals_host_thread(struct emu_thread *t)
{
	self = t;
}

/* ---- delivery ---- */

static void kill_process(struct emu_thread *t, int sig)
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
		kill_process(t, SIGSEGV);
		return;
	}
	t->mask |= sa.mask | (sa.flags & SA_NODEFER_ ? 0 : EMU_SIGSET(sig));
	t->mask &= ~UNBLOCKABLE;
}

/* Takes the lowest signal that may be delivered; 0: none. */
static int take(struct emu_thread *t, struct emu_siginfo *info)
{
	for (;;) {
		uint64_t set = deliverable(t), bit;
		int sig;

		if (!set)
			return 0;
		sig = __builtin_ctzll(set) + 1;
		bit = EMU_SIGSET(sig);
		*info = t->info[sig];
		if (atomic_fetch_and(&t->pending, ~bit) & bit)
			return sig;
		*info = t->l->info[sig];
		if (atomic_fetch_and(&t->l->pending, ~bit) & bit)
			return sig;
	}
}

/* Does this call go on after a handler with SA_RESTART (signal(7))? */
static bool restarts(uint64_t number)
{
	switch (number) {
	case 72: case 73: case 101: case 115: case 133: case 137: /* select, poll, sleeps, sigsuspend ... */
		return false;
	}
	return true;
}

/* The system call instruction once more, with its first argument as it was. */
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
	while (!atomic_load(&t->l->ending) && (sig = take(t, &info))) {
		struct emu_sigaction *sa = &t->l->action[sig];

		if (is_ignored(t->l, sig))
			continue;
		if (sa->handler == DEFAULT && (STOPS_BY_DEFAULT & EMU_SIGSET(sig))) {
			kill(getpid(), SIGSTOP);
			continue;
		}
		if (sa->handler == DEFAULT) {
			kill_process(t, sig);
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
		t->mask = t->saved_mask;
		t->restore_mask = false;
	}
}

void emu_signal_fault(struct emu_thread *t, int sig, int code, uint64_t addr)
{
	struct emu_siginfo info = { .signo = sig, .code = code, .addr = addr, .write = t->cpu->fault_write };
	uint64_t handler = t->l->action[sig].handler;

	if (handler == DEFAULT || handler == IGNORE || (t->mask & EMU_SIGSET(sig)))
		kill_process(t, sig);
	else
		call_handler(t, sig, &info);
}

/* ---- system calls ---- */

/* struct sigaction of the guest: handler, flags, on some machines sa_restorer, mask. */
static bool read_action(struct emu_thread *t, uint64_t addr, struct emu_sigaction *out)
{
	uint64_t v[4] = { 0 };
	bool restorer = t->l->abi->restorer;

	if (!emu_mem_read(&t->l->w->mem, addr, v, restorer ? 32 : 24))
		return false;
	*out = (struct emu_sigaction){ .handler = v[0], .flags = v[1], .mask = v[restorer ? 3 : 2] };
	if (restorer && (out->flags & SA_RESTORER_))
		out->restorer = v[2];
	return true;
}

static bool write_action(struct emu_thread *t, uint64_t addr, const struct emu_sigaction *sa)
{
	uint64_t with[4] = { sa->handler, sa->flags, sa->restorer, sa->mask };
	uint64_t without[3] = { sa->handler, sa->flags, sa->mask };

	return t->l->abi->restorer ? emu_mem_write(&t->l->w->mem, addr, with, sizeof(with)) :
				     emu_mem_write(&t->l->w->mem, addr, without, sizeof(without));
}

int64_t emu_sys_rt_sigaction(struct emu_thread *t, const uint64_t a[6])
{
	struct emu_linux *l = t->l;
	struct emu_sigaction now;
	int sig = (int)a[0];

	if (a[3] != 8 || sig < 1 || sig > EMU_SIGNALS || (a[1] && (EMU_SIGSET(sig) & UNBLOCKABLE)))
		return -EINVAL;
	if (a[1] && !read_action(t, a[1], &now))
		return -EFAULT;
	if (a[2] && !write_action(t, a[2], &l->action[sig]))
		return -EFAULT;
	if (!a[1])
		return 0;
	pthread_mutex_lock(&l->lock);
	l->action[sig] = now;
	host_disposition(l, sig, now.handler);
	pthread_mutex_unlock(&l->lock);
	return 0;
}

int64_t emu_sys_rt_sigprocmask(struct emu_thread *t, const uint64_t a[6])
{
	uint64_t set, old = t->mask;

	if (a[3] != 8)
		return -EINVAL;
	if (a[1]) {
		if (!emu_mem_read(&t->l->w->mem, a[1], &set, 8))
			return -EFAULT;
		switch (a[0]) {
		case SIG_BLOCK:
			set |= old;
			break;
		case SIG_UNBLOCK:
			set = old & ~set;
			break;
		case SIG_SETMASK:
			break;
		default:
			return -EINVAL;
		}
		t->mask = set & ~UNBLOCKABLE;
	}
	return a[2] && !emu_mem_write(&t->l->w->mem, a[2], &old, 8) ? -EFAULT : 0;
}

int64_t emu_sys_rt_sigpending(struct emu_thread *t, const uint64_t a[6])
{
	uint64_t set = (atomic_load(&t->pending) | atomic_load(&t->l->pending)) & t->mask;

	if (a[1] > 8)
		return -EINVAL;
	return emu_mem_write(&t->l->w->mem, a[0], &set, a[1]) ? 0 : -EFAULT;
}

int64_t emu_sys_rt_sigsuspend(struct emu_thread *t, const uint64_t a[6])
{
	uint64_t mask;

	if (a[1] != 8)
		return -EINVAL;
	if (!emu_mem_read(&t->l->w->mem, a[0], &mask, 8))
		return -EFAULT;
	if (!t->restore_mask) /* else the call was made once more */
		t->saved_mask = t->mask;
	t->restore_mask = true;
	t->mask = mask & ~UNBLOCKABLE;
	if (!emu_signal_ready(t))
		emu_safe_syscall(t, SYS_pause, 0, 0, 0, 0, 0, 0);
	return -EINTR;
}

int64_t emu_sys_rt_sigtimedwait(struct emu_thread *t, const uint64_t a[6])
{
	uint64_t set, got = 0, old = t->mask;
	struct timespec *timeout = a[2] ? emu_in(t, a[2], 16) : NULL;
	struct emu_siginfo info;
	int32_t out[32] = { 0 };
	int64_t r = -EINTR;

	if (a[3] != 8)
		return -EINVAL;
	if (!emu_mem_read(&t->l->w->mem, a[0], &set, 8) || (a[2] && !timeout))
		return -EFAULT;
	t->mask = old & ~set; /* so that arrivals wake the thread */
	if (!(deliverable(t) & set))
		r = emu_safe_syscall(t, SYS_ppoll, 0, 0, (uintptr_t)timeout, 0, 0, 0);
	t->mask = ~set;
	got = (uint64_t)take(t, &info);
	t->mask = old;
	if (!got)
		return r == 0 ? -EAGAIN : r;
	out[0] = (int32_t)got;
	out[2] = info.code;
	out[4] = info.pid;
	out[5] = info.uid;
	memcpy(out + 6, &info.value, 8);
	if (a[1] && !emu_mem_write(&t->l->w->mem, a[1], out, sizeof(out)))
		return -EFAULT;
	return (int64_t)got;
}

int64_t emu_sys_rt_sigreturn(struct emu_thread *t, const uint64_t a[6])
{
	(void)a;
	t->keep = true;
	if (!emu_frame_pop(t))
		kill_process(t, SIGSEGV);
	return 0;
}

int64_t emu_sys_sigaltstack(struct emu_thread *t, const uint64_t a[6])
{
	struct { uint64_t sp; int32_t flags, pad; uint64_t size; } s, old = { t->alt_sp, 0, 0, t->alt_size };
	bool on = t->alt_size && t->cpu->r[t->l->w->guest->sp] - t->alt_sp < t->alt_size;

	old.flags = !t->alt_size ? SS_DISABLE : on ? SS_ONSTACK : 0;
	if (a[0]) {
		if (!emu_mem_read(&t->l->w->mem, a[0], &s, sizeof(s)))
			return -EFAULT;
		if (on)
			return -EPERM;
		if (s.flags & ~(SS_DISABLE | SS_ONSTACK))
			return -EINVAL;
		if (!(s.flags & SS_DISABLE) && s.size < t->l->abi->signal_stack)
			return -ENOMEM;
		t->alt_sp = s.sp;
		t->alt_size = s.flags & SS_DISABLE ? 0 : s.size;
	}
	return a[1] && !emu_mem_write(&t->l->w->mem, a[1], &old, sizeof(old)) ? -EFAULT : 0;
}

/* ---- sending ---- */

static int64_t to_thread(struct emu_thread *t, int tid, int sig, int code)
{
	struct emu_siginfo info = { .signo = sig, .code = code, .pid = getpid(), .uid = (int32_t)getuid() };
	int64_t r = -ESRCH;

	if (sig < 0 || sig > EMU_SIGNALS)
		return -EINVAL;
	pthread_mutex_lock(&t->l->lock);
	for (struct emu_thread *x = t->l->threads; x; x = x->next)
		if (x->tid == tid) {
			if (sig == SIGKILL)
				emu_linux_end(t->l, RS_OUT_KILLED, 0, SIGKILL, x->cpu->pc);
			else if (sig)
				emu_signal_raise(x, &info);
			r = 0;
		}
	pthread_mutex_unlock(&t->l->lock);
	return r;
}

int64_t emu_sys_kill(struct emu_thread *t, const uint64_t a[6])
{
	struct emu_siginfo info = { .signo = (int)a[1], .code = SI_USER, .pid = getpid(), .uid = (int32_t)getuid() };

	if ((int)a[1] < 0 || (int)a[1] > EMU_SIGNALS)
		return -EINVAL;
	/* Its own children and groups are host processes. */
	if ((pid_t)a[0] != getpid() || a[1] == SIGSTOP)
		return emu_host_syscall(SYS_kill, a[0], a[1], 0, 0, 0, 0);
	if (a[1] == SIGKILL)
		kill_process(t, SIGKILL);
	else if (a[1])
		emu_signal_post(t->l, &info);
	return 0;
}

int64_t emu_sys_tkill(struct emu_thread *t, const uint64_t a[6])
{
	return to_thread(t, (int)a[0], (int)a[1], SI_TKILL);
}

int64_t emu_sys_tgkill(struct emu_thread *t, const uint64_t a[6])
{
	return (pid_t)a[0] == getpid() ? to_thread(t, (int)a[1], (int)a[2], SI_TKILL) : -ESRCH;
}

int64_t emu_sys_rt_sigqueueinfo(struct emu_thread *t, const uint64_t a[6])
{
	struct emu_siginfo info = { .signo = (int)a[1] };
	int32_t in[32];

	if ((int)a[1] < 0 || (int)a[1] > EMU_SIGNALS)
		return -EINVAL;
	if ((pid_t)a[0] != getpid())
		return -EPERM;
	if (!emu_mem_read(&t->l->w->mem, a[2], in, sizeof(in)))
		return -EFAULT;
	info.code = in[2];
	info.pid = in[4];
	info.uid = in[5];
	memcpy(&info.value, in + 6, 8);
	if (a[1])
		emu_signal_post(t->l, &info);
	return 0;
}

void emu_signals_reset(struct emu_linux *l)
{
	for (int sig = 1; sig <= EMU_SIGNALS; sig++) {
		if (l->action[sig].handler != IGNORE) {
			memset(&l->action[sig], 0, sizeof(l->action[sig]));
			host_disposition(l, sig, DEFAULT);
		}
	}
}
