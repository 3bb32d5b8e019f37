/* Linux for a guest program: one process of the guest, its threads, and the system calls they make.
 * Private to emu/.
 *
 *   load.c            an ELF file into guest memory (static, or static-PIE)
 *   linux.c           the process: start, the loop of a thread, how it ends
 *   linux_stack.c     argv, environment and auxv on the first stack
 *   linux_calls.def   the system calls: number, name, handler     linux_calls.c  the table
 *   linux_file.c      files and directories     linux_stat.c  what their records look like
 *   linux_mem.c       brk, mmap and their family
 *   linux_proc.c      files of /proc that speak of the guest
 *   linux_time.c      clocks, POSIX timers      linux_misc.c   identity, limits
 *   linux_wait.c, linux_socket.c    poll, epoll, signalfd; sockets
 *   linux_signal.c    dispositions, delivery    linux_sigcall.c  their system calls
 *   linux_frame.c     the frame on the guest's stack
 *   linux_rv.c, linux_a64.c         what Linux fixes for a machine: registers in the frame, hwcap ...
 *   linux_thread.c    clone, futex, exit        linux_fork.c  another process
 *   linux_safe.c      calls that a signal can end
 *   linux_exec.c      execve, in this process
 *
 * Where numbers and records are the host's own (errno, open flags, iovec, timespec, termios, most
 * structures) they are passed through; the host is x86-64 Linux. A handler returns its result or a
 * negative errno.
 */
#ifndef EMU_LINUX_H
#define EMU_LINUX_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "emu/emu.h"
#include "emu/world.h"

#define EMU_SIGNALS 64
#define EMU_SIGSET(sig) (1ull << ((sig) - 1))
/* Ends a blocking system call of a thread that must look at something. */
#define EMU_WAKE_SIGNAL (SIGRTMAX - 2)

struct emu_sigaction {
	uint64_t handler, flags, mask;
	uint64_t restorer;              /* 0 unless the machine has one and SA_RESTORER is set */
};

struct emu_siginfo {
	int32_t signo, code;
	int32_t pid, uid;               /* of the sender, or: */
	uint64_t addr;                  /* of a fault */
	bool write;                     /* the fault: of a write */
	uint64_t value;                 /* status of a child, or what sigqueue sent */
};

struct emu_thread;
/* What Linux fixes for one machine, beyond what asm-generic says. */
struct emu_linux_abi {
	uint64_t hwcap;                 /* AT_HWCAP: what the front end translates */
	const char *platform;           /* AT_PLATFORM; NULL: none */
	uint64_t signal_stack;          /* AT_MINSIGSTKSZ and the least that sigaltstack takes, bytes */
	bool restorer;                  /* struct sigaction has sa_restorer before sa_mask */
	/* The frame of a signal. Its registers: struct sigcontext, context_size bytes, aligned to 16. */
	uint32_t sigreturn[2];          /* instructions that call rt_sigreturn; unwinders know them */
	uint16_t link;                  /* register of the return address */
	uint16_t frame_pointer;         /* ... of the chain of frames that a signal joins; EMU_NOTEMP */
	unsigned context_size;
	void (*save)(struct emu_thread *t, const struct emu_siginfo *info, void *context);
	bool (*load)(struct emu_thread *t, const void *context); /* false: not such a record */
	/* Flags of open(2) between the guest's numbers and asm-generic's; its own inverse. NULL: equal. */
	uint64_t (*open_flags)(uint64_t flags);
	/* /proc/cpuinfo: the paragraph of one processor. */
	void (*cpuinfo)(struct rs_str *out, unsigned cpu);
};

struct emu_linux {
	struct emu_world *w;
	const struct emu_linux_abi *abi; /* of its guest */
	struct rs_emitter *em;          /* may be NULL */
	pthread_mutex_t lock;           /* memory map, dispositions, list of threads */
	pthread_cond_t gone;            /* a thread is done */
	struct emu_thread *threads;
	unsigned live;                  /* host threads that still use this, the world or memory */
	struct emu_sigaction action[EMU_SIGNALS + 1];
	atomic_ullong pending;          /* signals for any thread */
	struct emu_siginfo info[EMU_SIGNALS + 1];
	uint64_t host_handled;          /* signals for which the host's handler is ours */
	uint64_t trampoline;            /* guest address of the code that calls rt_sigreturn */
	char *exe;                      /* absolute path of the program */
	char *name;                     /* its last part: comm */
	atomic_int ending;              /* the process ends: set once */
	int status, signal;             /* how */
	uint64_t end_pc, end_addr;
	char end_insn[64];              /* the instruction that raised the fatal fault */
	enum rs_outcome outcome;
	uint64_t lab_fds[16];           /* bits: descriptors of the lab, open before the guest began */
	void (*warn)(void *arg, const struct rs_err *e); /* may be NULL; any thread */
	void *warn_arg;
	_Atomic uint8_t warned[512];    /* system calls that were warned of */
	bool confined;                  /* confine.c */
	_Atomic uint8_t refused[512];   /* system calls that were said to be refused */
	/* Signals as descriptors: the guest's, our end of it, and for which signals (0: unused). */
#define EMU_SIGFDS 16
	struct { int guest, host; uint64_t mask; } sigfd[EMU_SIGFDS];
	uint64_t noted;                 /* the host's handler is ours though the guest has none */
	uint64_t unmasked;              /* ... and the host never blocks them */
	/* Signals from 32 on that wait behind one of their number; tid 0: for the process. */
#define EMU_QUEUE 256
	struct { int tid; struct emu_siginfo info; } queue[EMU_QUEUE];
	unsigned queued;
	pthread_mutex_t queue_lock;     /* taken last; never in a handler */
	struct emu_timers *timers;      /* linux_time.c; NULL: none was made */
	struct emu_family *family;      /* linux_fork.c: the processes of the guest, shared between them */
	uint64_t args_start, args_end;  /* the strings of argv on the first stack */
#define EMU_CAPTURED 1024
	uint8_t captured[EMU_CAPTURED]; /* by descriptor: 1, 2: what is written to it becomes events, as the
					 guest's standard output or error; a copy of one is one, too */
	uint64_t out_offset[3];
};

struct emu_thread {
	struct emu_linux *l;
	struct emu_cpu *cpu;
	struct emu_thread *next;
	int tid;                        /* the host's */
	uint32_t interrupt;             /* atomic: a blocking call must not start */
	uint64_t mask;                  /* blocked signals */
	uint64_t host_mask;             /* what the host blocks for it */
	uint64_t saved_mask;            /* to be restored after sigsuspend and the like */
	bool restore_mask;
	atomic_ullong pending;
	struct emu_siginfo info[EMU_SIGNALS + 1];
	uint64_t alt_sp, alt_size;      /* sigaltstack; size 0: none */
	uint64_t clear_tid, robust;     /* guest addresses, 0 = none */
	uint64_t arg0;                  /* first argument of the system call, which its result replaces */
	uint64_t number;                /* of the system call */
	bool keep;                      /* the call changed the registers itself (rt_sigreturn, execve) */
	bool exited;                    /* this thread alone is done */
	char name[16];                  /* prctl(PR_SET_NAME) */
	int vfork_fd;                   /* the end of a pipe to the parent that waits; -1: none does */
	uint64_t vfork_sp;              /* its stack pointer */
};

/* What load.c put into memory. */
struct emu_image {
	uint64_t bias;                  /* added to the file's addresses (static-PIE), else 0 */
	uint64_t start, end;            /* [lowest, end of the highest segment) */
	uint64_t entry, phdr, phnum;    /* phdr: guest address, 0 when not loaded */
};
/* Is this an ELF program for this guest? Everything is checked before the first byte is copied.
 * `name` is for error messages: one sentence each. 0, -ENOEXEC, -ENOMEM. */
int emu_load_bytes(struct emu_world *w, const void *data, size_t size, const char *name,
		   struct emu_image *out, struct rs_err *err);
/* The front end that the ELF header asks for. NULL: err says what the file is. */
const struct emu_guest *emu_load_guest(const void *data, size_t size, const char *name, struct rs_err *err);
/* Every symbol that the file defines (bias not added; `info` is st_info), until `each` returns true. */
typedef bool emu_symbol_fn(void *arg, const char *name, uint64_t addr, uint64_t size, unsigned info);
void emu_load_symbols(const void *data, size_t size, emu_symbol_fn *each, void *arg);
#define EMU_FILE_MAX (512ull << 20) /* the largest program file */
/* Address of a symbol of the file's symbol table (bias not added). False: there is none. */
bool emu_load_symbol(const void *data, size_t size, const char *symbol, uint64_t *addr);

/* Stack of the first thread: top of guest memory, as large as Linux lets it grow. */
#define EMU_STACK_SIZE (8ull << 20)
/* Maps it and writes argv, environment and auxv. Returns the stack pointer, or a negative errno. */
int64_t emu_linux_stack(struct emu_linux *l, const struct emu_image *im, char *const *argv,
			char *const *envp);

/* Runs a loaded program on the calling thread. argv and envp as emu_desc has them. */
struct emu_linux *emu_linux_new(struct emu_world *w, struct rs_emitter *em, bool capture, const char *path,
				const struct emu_image *im, char *const *argv, char *const *envp,
				struct rs_err *err);
void emu_linux_run(struct emu_linux *l, struct emu_result *res);
void emu_linux_free(struct emu_linux *l);
/* Any thread: ends the guest soon, with this outcome (stopped, watchdog). */
void emu_linux_stop(struct emu_linux *l, enum rs_outcome outcome);

/* ---- inside ---- */

void emu_thread_loop(struct emu_thread *t);
struct emu_thread *emu_thread_new(struct emu_linux *l, struct emu_cpu *cpu);  /* lock held; not in the list */
void emu_thread_enter(struct emu_thread *t);    /* on its own host thread: tid, list, host signals */
void emu_thread_leave(struct emu_thread *t);    /* clear_tid, robust list, out of the list, frees */
void emu_thread_wake(struct emu_thread *t);
bool emu_linux_is_lab_fd(const struct emu_linux *l, int fd);
/* The whole process ends; the first call decides. */
void emu_linux_end(struct emu_linux *l, enum rs_outcome outcome, int status, int signal, uint64_t pc);

typedef int64_t emu_syscall_fn(struct emu_thread *t, const uint64_t a[6]);
struct emu_syscall {
	uint16_t number;
	const char *name;
	emu_syscall_fn *fn;             /* NULL: the host's call, or known by name alone; ENOSYS */
	bool quiet;                     /* ENOSYS without a warning: programs ask and go on */
	const char *shape;              /* of the arguments of the host's call; NULL: not passed on */
	long host;                      /* ... its number */
};
const struct emu_syscall *emu_syscall_find(uint64_t number); /* NULL: not even a name */
/* confine.c: may a confined program make this call? False: *result is its answer. */
bool emu_confine(struct emu_thread *t, const struct emu_syscall *c, const uint64_t a[6], int64_t *result);
/* Says once of each call that it was answered so (an errno). `name` may be NULL. */
void emu_refused(struct emu_thread *t, uint64_t number, const char *name, int error);
int64_t emu_syscall_do(struct emu_thread *t, uint64_t number, const uint64_t a[6]);

/* Flags of open(2): the guest's to the host's, or the other way round. */
static inline uint64_t emu_open_flags(const struct emu_thread *t, uint64_t flags)
{
	return t->l->abi->open_flags ? t->l->abi->open_flags(flags) : flags;
}
/* Guest memory for handlers: host pointers, or NULL (-> -EFAULT). */
static inline void *emu_in(struct emu_thread *t, uint64_t addr, uint64_t len)
{
	return emu_mem_host(&t->l->w->mem, addr, len, PROT_READ);
}
static inline void *emu_out(struct emu_thread *t, uint64_t addr, uint64_t len)
{
	return emu_mem_host(&t->l->w->mem, addr, len, PROT_WRITE);
}
/* A path or other string at addr; NULL with *error. It stays in guest memory: use it at once. */
const char *emu_string(struct emu_thread *t, uint64_t addr, int64_t *error);
/* ... and /proc/self/exe is the guest's program, not the lab. */
const char *emu_path(struct emu_thread *t, uint64_t addr, int64_t *error);
bool emu_is_self_exe(const char *path);

/* A host system call that a signal ends with -EINTR even when it comes just before it. */
int64_t emu_safe_syscall(struct emu_thread *t, long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
			 uint64_t e, uint64_t f);
/* In a signal handler: was it about to start one? Then it will not. */
void emu_safe_rewind(void *ucontext);
/* A plain host system call: result or -errno. */
int64_t emu_host_syscall(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f);

/* A descriptor of the lab's own, moved out of the way of the guest's; close-on-exec. */
int emu_high_fd(int fd);

/* linux_signal.c */
int emu_signals_init(struct emu_linux *l);
void emu_signal_set_mask(struct emu_thread *t, uint64_t mask);
/* Somebody waits for these: they are noted when they come, whatever the disposition is; with `unmask`
 * also while the guest blocks them. */
void emu_signals_watch(struct emu_thread *t, uint64_t set, bool unmask);
/* The guest has set a disposition. Lock held. */
void emu_signal_disposed(struct emu_linux *l, int sig);
/* Takes the lowest of these that is pending; 0: none. */
int emu_signal_take(struct emu_thread *t, uint64_t set, struct emu_siginfo *info);
uint64_t emu_signal_pending(const struct emu_thread *t);
void emu_signals_host_thread(struct emu_thread *t);     /* this host thread runs t from now on */
/* To this thread (lock held), to the process (not held). 0, or -EAGAIN: too many are queued. */
int emu_signal_raise(struct emu_thread *t, const struct emu_siginfo *info);
int emu_signal_post(struct emu_linux *l, const struct emu_siginfo *info);
/* linux_wait.c: written to a descriptor of the guest instead? Also in a signal handler. */
bool emu_signalfd_divert(struct emu_linux *l, const struct emu_siginfo *info);
/* A fault of the instruction at cpu->pc: delivered at once, whatever is blocked. */
void emu_signal_fault(struct emu_thread *t, int sig, int code, uint64_t addr);
/* Before the guest goes on: delivers what is pending; `ret` is the result of the system call that it
 * comes from, or 0. */
void emu_signals_deliver(struct emu_thread *t, bool from_call, int64_t ret);
bool emu_signal_ready(const struct emu_thread *t);      /* something is pending and not blocked */
void emu_signals_reset(struct emu_linux *l);            /* execve: handlers become default */
void emu_signal_kill(struct emu_thread *t, int sig);    /* the process, as a signal without a handler does */

/* linux_frame.c: false when the guest's stack has no room. */
bool emu_frame_push(struct emu_thread *t, const struct emu_sigaction *sa, const struct emu_siginfo *info,
		    uint64_t old_mask);
bool emu_frame_pop(struct emu_thread *t);
uint64_t emu_frame_trampoline(struct emu_linux *l);     /* maps it; 0: no room */

/* linux_time.c: all timers of the process are gone (exec, end; in a fork's child they never were) */
void emu_timers_free(struct emu_linux *l, bool child);

/* linux_fork.c */
int emu_family_init(struct emu_linux *l);
/* The first process ends by force: no other goes on. */
void emu_family_kill(struct emu_linux *l);
void emu_family_free(struct emu_linux *l);
/* A child that its parent waits for (vfork) has come to its end, or execs. */
void emu_vfork_done(struct emu_thread *t, bool exec);

#endif
