/* Processes of the box as they are born, call and end (ptrace(2); seccomp(2), SECCOMP_RET_TRACE). A
 * process stops at a watched call, at its return, at birth, exec and exit, and for signals; each stop
 * is told and let go.
 */
#include "containers/box_private.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/cleanup.h"
#include "engine/base/file.h"

struct box_proc *box_proc_of(struct box *b, pid_t pid)
{
	for (unsigned i = 0; i < b->procs; i++)
		if (b->proc[i].pid == pid)
			return &b->proc[i];
	return NULL;
}

int box_inner(const struct box_proc *p)
{
	return p->depth ? p->inside[p->depth - 1] : 0;
}

static void emit(struct box *b, const struct box_proc *p, enum rs_kind kind, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
		 const char *text)
{
	rs_emit(b->em, kind, RS_SRC_CTR, (uint32_t)p->pid, a0, a1, a2, a3, text);
}

/* ---- going on ---- */

static void go_on(struct box *b, struct box_proc *p, int signal)
{
	if (b->paused) {
		p->held = true;
		p->held_signal = signal;
		return;
	}
	ptrace(p->in_call ? PTRACE_SYSCALL : PTRACE_CONT, p->pid, NULL, (void *)(intptr_t)signal);
}

void box_trace_release(struct box *b)
{
	for (unsigned i = 0; i < b->procs; i++)
		if (b->proc[i].held) {
			b->proc[i].held = false;
			go_on(b, &b->proc[i], b->proc[i].held_signal);
		}
}

void box_trace_hold(struct box *b)
{
	for (unsigned i = 0; i < b->procs; i++)
		if (!b->proc[i].held)
			ptrace(PTRACE_INTERRUPT, b->proc[i].pid, NULL, NULL);
}

/* ---- births ---- */

struct box_proc *box_trace_adopt(struct box *b, pid_t pid, pid_t parent)
{
	struct box_proc *p;

	if (b->procs == BOX_PROCS_MAX)
		return NULL;
	p = &b->proc[b->procs++];
	*p = (struct box_proc){ .pid = pid, .parent = parent };
	box_look_pids(p);
	box_look_ns(pid, p->ns);
	box_look_root(p);
	rs_count(b->em, RS_CTR_BOX_PROCESSES, 1);
	return p;
}

/* Differences to `before`, each an event. */
static void tell_namespaces(struct box *b, struct box_proc *p, const uint64_t before[8])
{
	for (unsigned i = 0; i < 8; i++)
		if (p->ns[i] && before[i] && p->ns[i] != before[i])
			emit(b, p, RS_EV_BOX_NAMESPACE, i, (uint64_t)box_inner(p), before[i], p->ns[i], NULL);
}

static void born(struct box *b, struct box_proc *parent, pid_t pid)
{
	struct box_proc *p = box_proc_of(b, pid);
	/* The table may move when it grows. */
	pid_t mother = parent->pid;

	if (!p)
		p = box_trace_adopt(b, pid, mother);
	if (!p || p->known)
		return;
	parent = box_proc_of(b, mother);
	p->known = true;
	p->parent = mother;
	emit(b, p, RS_EV_BOX_FORK, (uint64_t)box_inner(parent), (uint64_t)box_inner(p), (uint64_t)p->inside[0], (uint64_t)pid, NULL);
	tell_namespaces(b, p, parent->ns);
}

/* ---- calls ---- */

static int syscall_info(pid_t pid, struct __ptrace_syscall_info *info)
{
	long n = ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(*info), info);

	return n > 0 ? 0 : -EIO;
}

static void call_begins(struct box_proc *p)
{
	struct __ptrace_syscall_info info;
	int call;

	if (syscall_info(p->pid, &info) < 0 || info.op != PTRACE_SYSCALL_INFO_SECCOMP)
		return;
	call = box_call_of(info.seccomp.nr);
	if (call < 0)
		return;
	p->in_call = true;
	p->call = (enum rs_lcall)call;
	for (unsigned i = 0; i < 6; i++)
		p->args[i] = info.seccomp.args[i];
	box_call_text(p->pid, p->call, p->args, p->text, sizeof(p->text));
	p->ns_flags = box_call_ns_flags(p->pid, p->call, p->args);
	p->t0 = box_now();
}

static void watch_overlay(struct box *b, struct box_proc *p)
{
	char type[16], at[256], path[64];
	char *options;
	rs_auto_close int root = -1, cwd = -1;

	box_read_text(p->pid, p->args[2], type, sizeof(type));
	if (strcmp(type, "overlay") != 0)
		return;
	options = rs_xcalloc(1, 4096);
	box_read_text(p->pid, p->args[1], at, sizeof(at));
	box_read_text(p->pid, p->args[4], options, 4096);
	snprintf(path, sizeof(path), "/proc/%d/root", (int)p->pid);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/cwd", (int)p->pid);
	cwd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ctr_overlay_watch(&b->overlay, root, cwd, at, options, NULL);
	free(options);
}

/* Does the working directory lie below the root? Paths as the mount namespace has them (proc(5)). */
static bool cwd_outside(const struct box_proc *p)
{
	char path[64], cwd[4096];
	size_t n = strcmp(p->root, "/") ? strlen(p->root) : 0;
	ssize_t got;

	snprintf(path, sizeof(path), "/proc/%d/cwd", (int)p->pid);
	got = readlink(path, cwd, sizeof(cwd) - 1);
	cwd[got < 0 ? 0 : got] = '\0';
	return strncmp(cwd, p->root, n) != 0 || (cwd[n] && cwd[n] != '/' && n);
}

static void call_changed(struct box *b, struct box_proc *p)
{
	uint64_t before[8];
	bool was_box = p->root_ino == b->root_ino && p->root_dev == b->root_dev;

	switch (p->call) {
	case RS_LCALL_UNSHARE:
	case RS_LCALL_SETNS:
		memcpy(before, p->ns, sizeof(before));
		box_look_ns(p->pid, p->ns);
		tell_namespaces(b, p, before);
		break;
	case RS_LCALL_CHROOT:
	case RS_LCALL_PIVOT_ROOT:
		if (box_look_root(p))
			emit(b, p, RS_EV_BOX_ROOT, (uint64_t)box_inner(p), cwd_outside(p),
			     !was_box && p->root_ino == b->root_ino && p->root_dev == b->root_dev, 0, p->root);
		break;
	case RS_LCALL_MOUNT:
		watch_overlay(b, p);
		break;
	default:
		break;
	}
}

static void pause_now(struct box *b)
{
	b->stepping = false;
	b->paused = true;
	b->paused_at = box_now();
	rs_emit(b->em, RS_EV_EXP_PAUSED, RS_SRC_CTR, (uint32_t)b->first, 0, 0, 0, 0, NULL);
	box_trace_hold(b);
	box_look(b);
}

static void call_ends(struct box *b, struct box_proc *p)
{
	struct __ptrace_syscall_info info;
	int64_t result = 0;

	p->in_call = false;
	if (syscall_info(p->pid, &info) == 0 && info.op == PTRACE_SYSCALL_INFO_EXIT)
		result = info.exit.rval;
	rs_count(b->em, RS_CTR_BOX_CALLS + (unsigned)p->call, 1);
	/* A plain fork is told by the birth that it was. */
	bool plain = result >= 0 && (p->call == RS_LCALL_FORK || p->call == RS_LCALL_VFORK ||
				     ((p->call == RS_LCALL_CLONE || p->call == RS_LCALL_CLONE3) && !p->ns_flags));

	if (!plain)
		emit(b, p, RS_EV_BOX_CALL, (uint64_t)p->call, (uint64_t)result, (uint64_t)box_inner(p), box_now() - p->t0, p->text);
	if (result >= 0)
		call_changed(b, p);
	if (b->stepping && --b->steps == 0)
		pause_now(b);
}

/* ---- exec and exit ---- */

static void began(struct box *b, struct box_proc *p)
{
	rs_auto_free char *path = rs_xasprintf("/proc/%d/cmdline", (int)p->pid);
	rs_auto_str text = RS_STR_INIT;

	rs_file_read(path, 4096, &text, NULL);
	for (size_t i = 0; i + 1 < text.len; i++)
		if (!text.p[i])
			text.p[i] = ' ';
	emit(b, p, RS_EV_BOX_EXEC, (uint64_t)box_inner(p), 0, 0, 0, text.p);
}

static void ended(struct box *b, struct box_proc *p, int status)
{
	ctr_overlay_look(&b->overlay, b->em, (uint32_t)p->pid);
	emit(b, p, RS_EV_BOX_EXIT, (uint64_t)box_inner(p), WIFEXITED(status) ? (uint64_t)WEXITSTATUS(status) : 0,
	     WIFSIGNALED(status) ? (uint64_t)WTERMSIG(status) : 0, (uint64_t)p->inside[0], NULL);
	if (p->pid == b->first) {
		b->ended = true;
		b->status = status;
	}
	/* Orphans get their namespace's first process as their parent; the box's is always known. */
	for (unsigned i = 0; i < b->procs; i++)
		if (b->proc[i].parent == p->pid)
			b->proc[i].parent = b->first;
	*p = b->proc[--b->procs];
}

/* ---- one stop ---- */

static void stopped_for(struct box *b, struct box_proc *p, int event)
{
	unsigned long message = 0;
	pid_t pid = p->pid;

	switch (event) {
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		ptrace(PTRACE_GETEVENTMSG, pid, NULL, &message);
		born(b, p, (pid_t)message);
		break;
	case PTRACE_EVENT_EXEC:
		began(b, p);
		break;
	case PTRACE_EVENT_SECCOMP:
		call_begins(p);
		break;
	case PTRACE_EVENT_EXIT:
		/* It still has its root and its mounts: the last look at what it did. */
		ctr_overlay_look(&b->overlay, b->em, (uint32_t)pid);
		box_look_before_exit(b);
		break;
	default:
		break;
	}
	p = box_proc_of(b, pid);
	if (p)
		go_on(b, p, 0);
}

void box_trace_event(struct box *b, pid_t pid, int status)
{
	struct box_proc *p = box_proc_of(b, pid);
	int signal, event;

	if (WIFEXITED(status) || WIFSIGNALED(status)) {
		if (p)
			ended(b, p, status);
		return;
	}
	if (!WIFSTOPPED(status))
		return;
	/* A child may be seen before its birth is told. */
	if (!p)
		p = box_trace_adopt(b, pid, b->first);
	if (!p) {
		kill(pid, SIGKILL);
		return;
	}
	signal = WSTOPSIG(status);
	event = status >> 16;
	if (event == PTRACE_EVENT_STOP) {
		/* A group-stop lasts until SIGCONT; anything else here is a birth or our own interrupt. */
		if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU)
			ptrace(PTRACE_LISTEN, pid, NULL, NULL);
		else
			go_on(b, p, 0);
	} else if (event) {
		stopped_for(b, p, event);
	} else if (signal == (SIGTRAP | 0x80)) {
		if (p->in_call)
			call_ends(b, p);
		go_on(b, p, 0);
	} else {
		go_on(b, p, signal);
	}
}
