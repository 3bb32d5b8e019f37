/* System calls about signals: masks, waiting, sending. */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "emu/linux_calls.h"

#define UNBLOCKABLE (EMU_SIGSET(SIGKILL) | EMU_SIGSET(SIGSTOP))
#define SA_RESTORER_ 0x04000000ull

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
	emu_signal_disposed(l, sig);
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
		emu_signal_set_mask(t, set);
	}
	return a[2] && !emu_mem_write(&t->l->w->mem, a[2], &old, 8) ? -EFAULT : 0;
}

/* What the host keeps back from us. */
static uint64_t host_pending(void)
{
	uint64_t set = 0;
	sigset_t host;

	sigpending(&host);
	for (int sig = 1; sig <= EMU_SIGNALS; sig++)
		if (sigismember(&host, sig) == 1)
			set |= EMU_SIGSET(sig);
	return set;
}

int64_t emu_sys_rt_sigpending(struct emu_thread *t, const uint64_t a[6])
{
	uint64_t set = (emu_signal_pending(t) | host_pending()) & t->mask;

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
	emu_signal_set_mask(t, mask);
	if (!emu_signal_ready(t))
		emu_safe_syscall(t, SYS_pause, 0, 0, 0, 0, 0, 0);
	return -EINTR;
}

bool emu_mask_enter(struct emu_thread *t, uint64_t addr)
{
	uint64_t mask;

	if (!addr)
		return true;
	if (!emu_mem_read(&t->l->w->mem, addr, &mask, 8))
		return false;
	t->saved_mask = t->mask;
	t->restore_mask = true;
	emu_signal_set_mask(t, mask);
	return true;
}

int64_t emu_mask_leave(struct emu_thread *t, int64_t r)
{
	if (r != -EINTR && t->restore_mask) {
		t->restore_mask = false;
		emu_signal_set_mask(t, t->saved_mask);
	}
	return r;
}

int64_t emu_sys_rt_sigtimedwait(struct emu_thread *t, const uint64_t a[6])
{
	struct timespec limit;
	uint64_t set, old = t->mask, timeout = a[2] ? (uintptr_t)&limit : 0;
	int got;
	struct emu_siginfo info;
	int32_t out[32] = { 0 };
	int64_t r = -EINTR;

	if (a[3] != 8)
		return -EINVAL;
	if (!emu_mem_read(&t->l->w->mem, a[0], &set, 8) ||
	    (a[2] && !emu_mem_read(&t->l->w->mem, a[2], &limit, sizeof(limit))))
		return -EFAULT;
	emu_signals_watch(t, set, false);
	emu_signal_set_mask(t, old & ~set); /* so that arrivals wake the thread */
	if (!(emu_signal_pending(t) & set))
		r = emu_safe_syscall(t, SYS_ppoll, 0, 0, timeout, 0, 0, 0);
	emu_signal_set_mask(t, old);
	got = emu_signal_take(t, set, &info);
	if (!got)
		return r == 0 ? -EAGAIN : r;
	out[0] = got;
	out[2] = info.code;
	out[4] = info.pid;
	out[5] = info.uid;
	memcpy(out + 6, &info.value, 8);
	if (a[1] && !emu_mem_write(&t->l->w->mem, a[1], out, sizeof(out)))
		return -EFAULT;
	return got;
}

int64_t emu_sys_rt_sigreturn(struct emu_thread *t, const uint64_t a[6])
{
	(void)a;
	t->keep = true;
	if (!emu_frame_pop(t))
		emu_signal_kill(t, SIGSEGV);
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

static int64_t to_thread(struct emu_thread *t, int tid, const struct emu_siginfo *info)
{
	int64_t r = -ESRCH;
	int sig = info->signo;

	if (sig < 0 || sig > EMU_SIGNALS)
		return -EINVAL;
	pthread_mutex_lock(&t->l->lock);
	for (struct emu_thread *x = t->l->threads; x; x = x->next)
		if (x->tid == tid) {
			if (sig == SIGKILL)
				emu_linux_end(t->l, RS_OUT_KILLED, 0, SIGKILL, x->cpu->pc);
			r = sig && sig != SIGKILL ? emu_signal_raise(x, info) : 0;
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
		emu_signal_kill(t, SIGKILL);
	else if (a[1])
		return emu_signal_post(t->l, &info);
	return 0;
}

static int64_t from_self(struct emu_thread *t, int tid, int sig)
{
	struct emu_siginfo info = { .signo = sig, .code = SI_TKILL, .pid = getpid(), .uid = (int32_t)getuid() };

	return to_thread(t, tid, &info);
}

int64_t emu_sys_tkill(struct emu_thread *t, const uint64_t a[6])
{
	return from_self(t, (int)a[0], (int)a[1]);
}

int64_t emu_sys_tgkill(struct emu_thread *t, const uint64_t a[6])
{
	return (pid_t)a[0] == getpid() ? from_self(t, (int)a[1], (int)a[2]) : -ESRCH;
}

/* siginfo_t as the guest sends it along (rt_sigqueueinfo(2)); 0 or -errno. */
static int64_t read_info(struct emu_thread *t, uint64_t sig, uint64_t addr, struct emu_siginfo *info)
{
	int32_t in[32];

	if ((int)sig < 0 || (int)sig > EMU_SIGNALS)
		return -EINVAL;
	if (!emu_mem_read(&t->l->w->mem, addr, in, sizeof(in)))
		return -EFAULT;
	*info = (struct emu_siginfo){ .signo = (int)sig, .code = in[2], .pid = in[4], .uid = in[5] };
	memcpy(&info->value, in + 6, 8);
	return 0;
}

int64_t emu_sys_rt_sigqueueinfo(struct emu_thread *t, const uint64_t a[6])
{
	struct emu_siginfo info;
	int64_t r = read_info(t, a[1], a[2], &info);

	if (r < 0)
		return r;
	if ((pid_t)a[0] != getpid())
		return emu_host_syscall(SYS_rt_sigqueueinfo, a[0], a[1], (uintptr_t)emu_in(t, a[2], 128), 0, 0, 0);
	return a[1] ? emu_signal_post(t->l, &info) : 0;
}

int64_t emu_sys_rt_tgsigqueueinfo(struct emu_thread *t, const uint64_t a[6])
{
	struct emu_siginfo info;
	int64_t r = read_info(t, a[2], a[3], &info);

	if (r < 0)
		return r;
	return (pid_t)a[0] == getpid() ? to_thread(t, (int)a[1], &info) : -EPERM;
}
