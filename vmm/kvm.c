/* The KVM engine: the only file that issues KVM ioctls (Linux
 * Documentation/virt/kvm/api.rst; section numbers below are of that document).
 *
 * Every set-up call goes through call(), which times it, counts it and makes it a
 * kvm.call event, so that a student sees the same walk that the monitor makes.
 * In the loop only KVM_RUN is called: registers travel in the shared page
 * (KVM_CAP_SYNC_REGS) where the kernel can, else by GET_REGS and GET_SREGS on demand.
 */
#include "vmm/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/kvm.h>

#include "engine/base/cleanup.h"
#include "vmm/kvm_state.h"
#include "vmm/probe.h"

#define KVM_PATH "/dev/kvm"
/* Three pages for real-mode emulation and one for an identity map on old Intel CPUs (4.39, 4.56). Both
 * lie above the largest RAM and below 4 GiB. */
#define IDENTITY_MAP_ADDR 0xfffbc000ull
#define TSS_ADDR 0xfffbd000ull
_Static_assert(VMM_MEMORY_MAX <= IDENTITY_MAP_ADDR, "RAM must not meet KVM's own pages");
#define CPUID_MAX 512u
#define SYNC_WANT (KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS)

/* Newer than the oldest header that we build with. */
#ifndef KVM_CAP_EXIT_ON_EMULATION_FAILURE
#define KVM_CAP_EXIT_ON_EMULATION_FAILURE 204
#endif

struct kvm_vm {
	int sys, fd;
	int run_size;
	bool sync, immediate_exit, debug;
};

struct kvm_cpu {
	struct kvm_vm *vm;
	int fd;
	struct kvm_run *run;
	size_t run_size;
	/* Where KVM can only be interrupted by a signal: it stays blocked outside KVM_RUN. */
	bool have_thread, first_run, debug_seen;
	/* What was fetched or written since the last KVM_RUN (have_*). What is not had stands in the
	 * shared page, as far as `synced` says, or is fetched by ioctl. sregs stay when they are old. */
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	bool have_regs, have_sregs;
	uint64_t synced;
	bool eager;              /* system registers are wanted after every exit */
	struct vmm_cpl_memo memo;
	/* Registers at the last entry: after a triple fault AMD-V has no others. */
	struct kvm_regs entry_regs;
	struct vmm_cpu_state before;
};

static const struct cap {
	const char *name;
	int number;
} caps[] = {
	{ "KVM_CAP_USER_MEMORY", KVM_CAP_USER_MEMORY },
	{ "KVM_CAP_SYNC_REGS", KVM_CAP_SYNC_REGS },
	{ "KVM_CAP_IMMEDIATE_EXIT", KVM_CAP_IMMEDIATE_EXIT },
	{ "KVM_CAP_SET_GUEST_DEBUG", KVM_CAP_SET_GUEST_DEBUG },
	{ "KVM_CAP_SET_TSS_ADDR", KVM_CAP_SET_TSS_ADDR },
	{ "KVM_CAP_SET_IDENTITY_MAP_ADDR", KVM_CAP_SET_IDENTITY_MAP_ADDR },
	{ "KVM_CAP_EXT_CPUID", KVM_CAP_EXT_CPUID },
	{ "KVM_CAP_X86_USER_SPACE_MSR", KVM_CAP_X86_USER_SPACE_MSR },
	{ "KVM_CAP_EXIT_ON_EMULATION_FAILURE", KVM_CAP_EXIT_ON_EMULATION_FAILURE },
};

static struct kvm_vm *vm_of(struct vmm_machine *m)
{
	return m->engine;
}

static struct kvm_cpu *cpu_of(struct vmm_vcpu *v)
{
	return v->engine;
}

static void tell(struct vmm_machine *m, enum rs_call id, enum rs_fd which, long result, uint64_t ns,
		 const char *fmt, va_list ap)
{
	char text[RS_TEXT_SIZE];

	rs_count(m->em, RS_CTR_KVM_CALLS, 1);
	if (m->desc.has_until && id == m->desc.until && result >= 0)
		m->reached = true;
	if (!rs_wanted(m->em, RS_EV_KVM_CALL))
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	rs_emit(m->em, RS_EV_KVM_CALL, RS_SRC_MONITOR, 0, id, which, (uint64_t)result, ns, text);
}

/* One call of the KVM API. Returns its result, or -errno. `fmt`: its arguments for the event. */
static long __attribute__((format(printf, 7, 8)))
call(struct vmm_machine *m, enum rs_call id, enum rs_fd which, int fd, unsigned long req,
     unsigned long arg, const char *fmt, ...)
{
	uint64_t t = vmm_now_ns();
	long r;
	va_list ap;

	if (m->reached)
		return -ECANCELED;
	r = ioctl(fd, req, arg);

	if (r < 0)
		r = -errno;
	t = vmm_now_ns() - t;
	va_start(ap, fmt);
	tell(m, id, which, r, t, fmt, ap);
	va_end(ap);
	return r;
}

/* The same for the two calls of the walk that are no ioctls. */
static void __attribute__((format(printf, 6, 7)))
told(struct vmm_machine *m, enum rs_call id, enum rs_fd which, long result, uint64_t ns,
     const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tell(m, id, which, result, ns, fmt, ap);
	va_end(ap);
}

/* A call in the loop: counted, no event. */
static long quiet(struct vmm_vcpu *v, unsigned long req, void *arg)
{
	rs_count(v->m->em, RS_CTR_KVM_CALLS, 1);
	return ioctl(cpu_of(v)->fd, req, arg) < 0 ? -errno : 0;
}

static int open_error(struct rs_err *err, int e)
{
	if (e == ENOENT || e == ENODEV || e == ENXIO)
		return rs_err_set(err, -ENOENT,
				  N_("this machine has no /dev/kvm: the CPU's virtualization is switched off in the firmware, the kvm module is not loaded, or this is a virtual machine without nested virtualization"));
	if (e == EACCES || e == EPERM)
		return rs_err_set(err, -EACCES,
				  N_("/dev/kvm is there, but you may not open it: join the group kvm (sudo usermod -aG kvm $USER, then log in again)"));
	return rs_err_errno(err, e, N_("/dev/kvm does not open"));
}

static int kvm_available(struct rs_err *err)
{
	rs_auto_close int sys = open(KVM_PATH, O_RDWR | O_CLOEXEC);
	rs_auto_close int vm = -1;
	int v;

	if (sys < 0)
		return open_error(err, errno);
	v = ioctl(sys, KVM_GET_API_VERSION, 0);
	if (v != KVM_API_VERSION)
		return rs_err_set(err, -ENOSYS, N_("/dev/kvm speaks version %d of its interface; version %d is needed"),
				  v, KVM_API_VERSION);
	vm = ioctl(sys, KVM_CREATE_VM, 0);
	if (vm < 0)
		return rs_err_set(err, -ENOSYS, N_("/dev/kvm opens, but no virtual machine can be made: %s"),
				  strerror(errno));
	return 0;
}

static void kvm_vm_free(struct vmm_machine *m)
{
	struct kvm_cpu *c = m->vcpu.engine;
	struct kvm_vm *k = m->engine;

	if (c) {
		if (c->run && c->run != MAP_FAILED)
			munmap(c->run, c->run_size);
		rs_cleanup_closep(&c->fd);
		free(c);
		m->vcpu.engine = NULL;
	}
	if (k) {
		rs_cleanup_closep(&k->fd);
		rs_cleanup_closep(&k->sys);
		free(k);
		m->engine = NULL;
	}
}

/* What KVM_CHECK_EXTENSION says: more than 0 when it is there. */
static long has_cap(struct vmm_machine *m, int number)
{
	struct kvm_vm *k = vm_of(m);

	for (unsigned i = 0; i < sizeof(caps) / sizeof(caps[0]); i++)
		if (caps[i].number == number)
			return call(m, RS_CALL_CHECK_EXTENSION, RS_FD_SYSTEM, k->sys,
				    KVM_CHECK_EXTENSION, (unsigned long)number, "%s",
				    caps[i].name);
	return 0;
}

static int open_system(struct vmm_machine *m, struct rs_err *err)
{
	struct kvm_vm *k = vm_of(m);
	uint64_t t = vmm_now_ns();
	long r;

	k->sys = open(KVM_PATH, O_RDWR | O_CLOEXEC);
	r = k->sys < 0 ? -errno : k->sys;
	told(m, RS_CALL_OPEN, RS_FD_SYSTEM, r, vmm_now_ns() - t, "\"" KVM_PATH "\", O_RDWR");
	if (r < 0)
		return open_error(err, (int)-r);
	r = call(m, RS_CALL_GET_API_VERSION, RS_FD_SYSTEM, k->sys, KVM_GET_API_VERSION, 0, "%s", "");
	if (r != KVM_API_VERSION)
		return rs_err_set(err, -ENOSYS, N_("/dev/kvm speaks version %d of its interface; version %d is needed"),
				  (int)r, KVM_API_VERSION);
	if (has_cap(m, KVM_CAP_USER_MEMORY) <= 0)
		return rs_err_set(err, -ENOSYS, N_("this KVM cannot use the monitor's memory (%s is missing)"),
				  "KVM_CAP_USER_MEMORY");
	return 0;
}

static int set_memory(struct vmm_machine *m, struct rs_err *err)
{
	struct kvm_vm *k = vm_of(m);

	for (unsigned i = 0; i < m->slots; i++) {
		struct kvm_userspace_memory_region r = {
			.slot = i,
			.guest_phys_addr = m->slot[i].gpa,
			.memory_size = m->slot[i].size,
			.userspace_addr = (uintptr_t)(m->ram + m->slot[i].gpa),
		};
		long e = call(m, RS_CALL_SET_USER_MEMORY_REGION, RS_FD_VM, k->fd,
			      KVM_SET_USER_MEMORY_REGION, (unsigned long)&r,
			      "slot=%u gpa=0x%llx size=0x%llx", r.slot,
			      (unsigned long long)r.guest_phys_addr,
			      (unsigned long long)r.memory_size);

		if (e < 0)
			return rs_err_errno(err, (int)-e, N_("KVM refuses memory slot %u at 0x%llx"), i,
					    (unsigned long long)r.guest_phys_addr);
		rs_emit(m->em, RS_EV_VM_MEMORY, RS_SRC_MONITOR, 0, i, r.guest_phys_addr,
			r.memory_size, 0, NULL);
	}
	return 0;
}

/* Capabilities that make KVM say what it would otherwise hide. None is needed. */
static void enable_caps(struct vmm_machine *m)
{
	const struct {
		int number;
		uint64_t arg;
		const char *text;
	} want[] = {
		{ KVM_CAP_X86_USER_SPACE_MSR, KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN,
		  "KVM_CAP_X86_USER_SPACE_MSR reasons=invalid|unknown" },
		{ KVM_CAP_EXIT_ON_EMULATION_FAILURE, 1, "KVM_CAP_EXIT_ON_EMULATION_FAILURE on" },
	};

	for (unsigned i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		struct kvm_enable_cap c = { .cap = (uint32_t)want[i].number, .args = { want[i].arg } };

		if (has_cap(m, want[i].number) > 0)
			call(m, RS_CALL_ENABLE_CAP, RS_FD_VM, vm_of(m)->fd, KVM_ENABLE_CAP,
			     (unsigned long)&c, "%s", want[i].text);
	}
}

static int kvm_vm_new(struct vmm_machine *m, struct rs_err *err)
{
	struct kvm_vm *k = rs_xcalloc(1, sizeof(*k));
	uint64_t identity = IDENTITY_MAP_ADDR;
	long r;
	int e;

	k->sys = k->fd = -1;
	m->engine = k;
	e = open_system(m, err);
	if (e < 0)
		return e;
	r = has_cap(m, KVM_CAP_SYNC_REGS);
	k->sync = r > 0 && (r & SYNC_WANT) == SYNC_WANT;
	k->immediate_exit = has_cap(m, KVM_CAP_IMMEDIATE_EXIT) > 0;
	k->debug = has_cap(m, KVM_CAP_SET_GUEST_DEBUG) > 0;
	r = call(m, RS_CALL_CREATE_VM, RS_FD_SYSTEM, k->sys, KVM_CREATE_VM, 0, "type=0");
	if (r < 0)
		return rs_err_set(err, -ENOSYS, N_("/dev/kvm opens, but no virtual machine can be made: %s"),
				  strerror((int)-r));
	k->fd = (int)r;
	/* Before the first vCPU (4.56), and needed by Intel CPUs alone. */
	if (has_cap(m, KVM_CAP_SET_IDENTITY_MAP_ADDR) > 0)
		call(m, RS_CALL_SET_IDENTITY_MAP_ADDR, RS_FD_VM, k->fd, KVM_SET_IDENTITY_MAP_ADDR,
		     (unsigned long)&identity, "addr=0x%llx", (unsigned long long)identity);
	if (has_cap(m, KVM_CAP_SET_TSS_ADDR) > 0) {
		r = call(m, RS_CALL_SET_TSS_ADDR, RS_FD_VM, k->fd, KVM_SET_TSS_ADDR, TSS_ADDR,
			 "addr=0x%llx", (unsigned long long)TSS_ADDR);
		if (r < 0)
			return rs_err_errno(err, (int)-r, N_("KVM refuses the address for its TSS"));
	}
	enable_caps(m);
	return set_memory(m, err);
}

/* The guest's CPU is what this KVM can offer (4.46); nothing is hidden from it. */
static int set_cpuid(struct vmm_machine *m, struct kvm_cpu *c, struct rs_err *err)
{
	rs_auto_free struct kvm_cpuid2 *id =
		rs_xcalloc(1, sizeof(*id) + CPUID_MAX * sizeof(id->entries[0]));
	long r;

	if (has_cap(m, KVM_CAP_EXT_CPUID) <= 0)
		return rs_err_set(err, -ENOSYS, N_("this KVM cannot say what CPU it offers (%s is missing)"),
				  "KVM_CAP_EXT_CPUID");
	id->nent = CPUID_MAX;
	r = call(m, RS_CALL_GET_SUPPORTED_CPUID, RS_FD_SYSTEM, c->vm->sys, KVM_GET_SUPPORTED_CPUID,
		 (unsigned long)id, "room for %u leaves", CPUID_MAX);
	if (r < 0)
		return rs_err_errno(err, (int)-r, N_("KVM does not say what CPU it offers"));
	r = call(m, RS_CALL_SET_CPUID2, RS_FD_VCPU, c->fd, KVM_SET_CPUID2, (unsigned long)id,
		 "%u leaves", id->nent);
	if (r < 0)
		return rs_err_errno(err, (int)-r, N_("KVM refuses the CPUID leaves that it offered"));
	return 0;
}

/* -- kicks -- */

/* A real-time signal that nobody else uses: its only effect is that KVM_RUN returns. */
static int kick_signal(void)
{
	return SIGRTMIN + 5;
}

static void on_kick(int sig)
{
	(void)sig;
}

/* Before the seal: what lets the signal through, in the way this KVM understands. */
static int prepare_kick(struct vmm_machine *m, struct kvm_cpu *c, struct rs_err *err)
{
	struct sigaction sa = { .sa_handler = on_kick };
	struct {
		struct kvm_signal_mask head;
		uint64_t bits;
	} mask = { .head.len = 8 };
	long r;

	sigemptyset(&sa.sa_mask);
	if (sigaction(kick_signal(), &sa, NULL) < 0)
		return rs_err_errno(err, errno, N_("no signal handler for the virtual CPU's thread"));
	if (c->vm->immediate_exit)
		return 0;
	/* 4.21: blocked outside KVM_RUN, open inside, so a signal that comes too early is not lost. */
	r = call(m, RS_CALL_OTHER, RS_FD_VCPU, c->fd, KVM_SET_SIGNAL_MASK, (unsigned long)&mask,
		 "KVM_SET_SIGNAL_MASK none blocked");
	if (r < 0)
		return rs_err_errno(err, (int)-r, N_("KVM cannot be interrupted by a signal"));
	return 0;
}

static int kvm_vcpu_new(struct vmm_machine *m, unsigned index, struct rs_err *err)
{
	struct vmm_vcpu *v = &m->vcpu;
	struct kvm_vm *k = vm_of(m);
	struct kvm_cpu *c = rs_xcalloc(1, sizeof(*c));
	uint64_t t;
	long r;
	int e;

	c->fd = -1;
	c->vm = k;
	c->first_run = true;
	v->engine = c;
	v->index = index;
	r = call(m, RS_CALL_CREATE_VCPU, RS_FD_VM, k->fd, KVM_CREATE_VCPU, index, "id=%u", index);
	if (r < 0)
		return rs_err_errno(err, (int)-r, N_("KVM makes no virtual CPU"));
	c->fd = (int)r;
	r = call(m, RS_CALL_GET_VCPU_MMAP_SIZE, RS_FD_SYSTEM, k->sys, KVM_GET_VCPU_MMAP_SIZE, 0,
		 "%s", "");
	if (r < (long)sizeof(struct kvm_run))
		return rs_err_set(err, -EIO, N_("KVM's shared page of the virtual CPU has an impossible size: %ld"), r);
	c->run_size = (size_t)r;
	t = vmm_now_ns();
	c->run = mmap(NULL, c->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, 0);
	r = c->run == MAP_FAILED ? -errno : 0;
	told(m, RS_CALL_MMAP, RS_FD_VCPU, r, vmm_now_ns() - t, "size=0x%zx struct kvm_run", c->run_size);
	if (r < 0)
		return rs_err_errno(err, (int)-r, N_("KVM's shared page of the virtual CPU cannot be mapped"));
	e = set_cpuid(m, c, err);
	if (e < 0)
		return e;
	if (k->sync)
		c->run->kvm_valid_regs = KVM_SYNC_X86_REGS;
	return prepare_kick(m, c, err);
}

/* -- registers -- */

static int fetch_regs(struct vmm_vcpu *v, struct rs_err *err)
{
	struct kvm_cpu *c = cpu_of(v);
	long r;

	if (c->have_regs)
		return 0;
	if (c->synced & KVM_SYNC_X86_REGS) {
		c->regs = c->run->s.regs.regs;
	} else {
		r = quiet(v, KVM_GET_REGS, &c->regs);
		if (r < 0)
			return rs_err_errno(err, (int)-r, N_("KVM does not give the registers"));
	}
	c->have_regs = true;
	return 0;
}

static int fetch_sregs(struct vmm_vcpu *v, struct rs_err *err)
{
	struct kvm_cpu *c = cpu_of(v);
	long r;

	if (c->have_sregs)
		return 0;
	if (c->synced & KVM_SYNC_X86_SREGS) {
		c->sregs = c->run->s.regs.sregs;
	} else {
		r = quiet(v, KVM_GET_SREGS, &c->sregs);
		if (r < 0)
			return rs_err_errno(err, (int)-r, N_("KVM does not give the system registers"));
	}
	c->have_sregs = true;
	return 0;
}

static int fetch(struct vmm_vcpu *v, struct rs_err *err)
{
	int e = fetch_regs(v, err);

	return e < 0 ? e : fetch_sregs(v, err);
}

static int kvm_peek(struct vmm_vcpu *v, uint64_t *rip, unsigned *cpl, struct rs_err *err)
{
	struct kvm_cpu *c = cpu_of(v);
	int known, e = fetch_regs(v, err);

	if (__builtin_expect(e < 0, 0))
		return e;
	*rip = c->regs.rip;
	known = c->eager ? -1 : vmm_cpl_recall(&c->memo, &c->regs);
	if (__builtin_expect(known >= 0, 1)) {
		*cpl = (unsigned)known;
		return 0;
	}
	e = fetch_sregs(v, err);
	if (e < 0)
		return e;
	*cpl = vmm_kvm_cpl(&c->regs, &c->sregs);
	vmm_cpl_learn(&c->memo, &c->regs, *cpl);
	return 0;
}

static void kvm_eager(struct vmm_vcpu *v, bool on)
{
	struct kvm_cpu *c = cpu_of(v);

	c->eager = on;
	if (c->vm->sync)
		c->run->kvm_valid_regs = on ? SYNC_WANT : KVM_SYNC_X86_REGS;
}

static int kvm_get_state(struct vmm_vcpu *v, struct vmm_cpu_state *o, struct rs_err *err)
{
	struct kvm_cpu *c = cpu_of(v);
	int e = fetch(v, err);

	if (e < 0)
		return e;
	*o = vmm_kvm_state(&c->regs, &c->sregs);
	return 0;
}

/* Writes at once, for guest debug looks at RIP. The first time is part of the walk. */
static int write_sregs(struct vmm_vcpu *v, struct kvm_sregs *s, bool announce, struct rs_err *err)
{
	struct kvm_cpu *c = cpu_of(v);
	long r = announce ? call(v->m, RS_CALL_SET_SREGS, RS_FD_VCPU, c->fd, KVM_SET_SREGS,
				 (unsigned long)s, "cr0=0x%llx cr4=0x%llx efer=0x%llx cs=0x%x", s->cr0,
				 s->cr4, s->efer, s->cs.selector)
			  : quiet(v, KVM_SET_SREGS, s);

	if (r < 0)
		return rs_err_errno(err, (int)-r, N_("KVM refuses the system registers"));
	c->sregs = *s;
	c->have_sregs = true;
	return 0;
}

static int write_regs(struct vmm_vcpu *v, struct kvm_regs *r, bool announce, struct rs_err *err)
{
	struct kvm_cpu *c = cpu_of(v);
	long e = announce ? call(v->m, RS_CALL_SET_REGS, RS_FD_VCPU, c->fd, KVM_SET_REGS,
				 (unsigned long)r, "rip=0x%llx rflags=0x%llx rsp=0x%llx", r->rip,
				 r->rflags, r->rsp)
			  : quiet(v, KVM_SET_REGS, r);

	if (e < 0)
		return rs_err_errno(err, (int)-e, N_("KVM refuses the registers"));
	c->regs = *r;
	c->have_regs = true;
	return 0;
}

static int kvm_set_state(struct vmm_vcpu *v, const struct vmm_cpu_state *i, struct rs_err *err)
{
	struct kvm_cpu *c = cpu_of(v);
	bool first = c->first_run;
	struct kvm_regs r = vmm_kvm_regs(i);
	struct kvm_sregs s;
	int e;

	if (first) { /* the walk shows this one: read, change, write */
		long q = call(v->m, RS_CALL_GET_SREGS, RS_FD_VCPU, c->fd, KVM_GET_SREGS,
			      (unsigned long)&c->sregs, "%s", "");
		if (q < 0)
			return rs_err_errno(err, (int)-q, N_("KVM does not give the system registers"));
		c->have_sregs = true;
	} else {
		e = fetch(v, err);
		if (e < 0)
			return e;
	}
	s = c->sregs;
	vmm_kvm_sregs(i, &s);
	e = first || memcmp(&s, &c->sregs, sizeof(s)) ? write_sregs(v, &s, first, err) : 0;
	if (e < 0)
		return e;
	return first || memcmp(&r, &c->regs, sizeof(r)) ? write_regs(v, &r, first, err) : 0;
}

static int kvm_get_msrs(struct vmm_vcpu *v, struct vmm_cpu_state *io, struct rs_err *err)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry e[4];
	} q = { .head.nmsrs = 4,
		.e = { { .index = MSR_STAR }, { .index = MSR_LSTAR }, { .index = MSR_FMASK },
		       { .index = MSR_SYSENTER_EIP } } };
	int n;

	rs_count(v->m->em, RS_CTR_KVM_CALLS, 1);
	n = ioctl(cpu_of(v)->fd, KVM_GET_MSRS, &q);
	if (n < 0)
		return rs_err_errno(err, errno, N_("KVM does not give the model-specific registers"));
	if (n < 3)
		return rs_err_set(err, -ENOSYS, N_("KVM does not give the registers of SYSCALL"));
	io->star = q.e[0].data;
	io->lstar = q.e[1].data;
	io->fmask = q.e[2].data;
	io->sysenter_eip = n > 3 ? q.e[3].data : 0;
	return 0;
}

/* 4.32. An exception's vector ends at 31; beyond it is an interrupt's place. */
static int kvm_inject(struct vmm_vcpu *v, unsigned vector, struct rs_err *err)
{
	struct kvm_vcpu_events e;
	long r = quiet(v, KVM_GET_VCPU_EVENTS, &e);

	if (r == 0 && vector < 32) {
		e.exception.injected = 1;
		e.exception.nr = (uint8_t)vector;
		e.exception.has_error_code = 0;
	} else if (r == 0) {
		e.interrupt.injected = 1;
		e.interrupt.nr = (uint8_t)vector;
		e.interrupt.soft = 0;
	}
	e.flags = 0;
	if (r == 0)
		r = quiet(v, KVM_SET_VCPU_EVENTS, &e);
	return r < 0 ? rs_err_errno(err, (int)-r, N_("KVM does not take an interrupt")) : 0;
}

static int kvm_set_debug(struct vmm_vcpu *v, bool step, const uint64_t *bp, unsigned n,
			 struct rs_err *err)
{
	struct kvm_cpu *c = cpu_of(v);
	struct kvm_guest_debug d = { 0 };
	long r;

	if (!c->vm->debug)
		return rs_err_set(err, -ENOSYS, N_("this KVM cannot single-step"));
	if (step || n)
		d.control = KVM_GUESTDBG_ENABLE;
	if (step)
		d.control |= KVM_GUESTDBG_SINGLESTEP;
	if (n) {
		d.control |= KVM_GUESTDBG_USE_HW_BP;
		d.arch.debugreg[7] = 0x400; /* bit 10 is always 1 (SDM vol. 3B, 18.2.4) */
	}
	for (unsigned i = 0; i < n && i < 4; i++) {
		d.arch.debugreg[i] = bp[i];
		d.arch.debugreg[7] |= 2ull << (2 * i); /* global enable; R/W and LEN 0: execution */
	}
	if (!c->debug_seen) {
		c->debug_seen = true;
		r = call(v->m, RS_CALL_SET_GUEST_DEBUG, RS_FD_VCPU, c->fd, KVM_SET_GUEST_DEBUG,
			 (unsigned long)&d, "%s%u breakpoints", step ? "single-step, " : "", n);
	} else {
		r = quiet(v, KVM_SET_GUEST_DEBUG, &d);
	}
	if (r < 0)
		return rs_err_errno(err, (int)-r, N_("KVM refuses to single-step"));
	return 0;
}

/* -- running -- */

/* Once, in the vCPU's thread. */
static void prepare_thread(struct kvm_cpu *c)
{
	sigset_t set;

	c->have_thread = true;
	sigemptyset(&set);
	sigaddset(&set, kick_signal());
	pthread_sigmask(c->vm->immediate_exit ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL);
}

static void kvm_kick(struct vmm_vcpu *v)
{
	struct kvm_cpu *c = cpu_of(v);

	__atomic_store_n(&c->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	pthread_kill(v->thread, kick_signal());
}

static void translate(struct kvm_run *run, struct vmm_exit *x)
{
	x->reason = run->exit_reason;
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		x->io.port = run->io.port;
		x->io.size = run->io.size;
		x->io.in = run->io.direction == KVM_EXIT_IO_IN;
		x->io.count = run->io.count;
		x->io.data = (char *)run + run->io.data_offset;
		break;
	case KVM_EXIT_MMIO:
		x->mmio.gpa = run->mmio.phys_addr;
		x->mmio.data = run->mmio.data;
		x->mmio.len = run->mmio.len;
		x->mmio.write = run->mmio.is_write;
		break;
	case KVM_EXIT_DEBUG:
		x->debug.exception = run->debug.arch.exception;
		x->debug.pc = run->debug.arch.pc;
		x->debug.dr6 = run->debug.arch.dr6;
		x->debug.dr7 = run->debug.arch.dr7;
		break;
	case KVM_EXIT_UNKNOWN:
		x->fail.hardware_reason = run->hw.hardware_exit_reason;
		break;
	case KVM_EXIT_FAIL_ENTRY:
		x->fail.hardware_reason = run->fail_entry.hardware_entry_failure_reason;
		x->fail.cpu = run->fail_entry.cpu;
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		x->internal.suberror = run->internal.suberror;
		x->internal.ndata = run->internal.ndata > 16 ? 16 : run->internal.ndata;
		memcpy(x->internal.data, run->internal.data, sizeof(x->internal.data));
		break;
	case KVM_EXIT_HYPERCALL:
		x->hypercall.nr = run->hypercall.nr;
		for (unsigned i = 0; i < 6; i++)
			x->hypercall.args[i] = run->hypercall.args[i];
		x->hypercall.ret = (uint64_t *)&run->hypercall.ret;
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		x->system.type = run->system_event.type;
		break;
	case KVM_EXIT_X86_RDMSR:
	case KVM_EXIT_X86_WRMSR:
		x->msr.index = run->msr.index;
		x->msr.write = run->exit_reason == KVM_EXIT_X86_WRMSR;
		x->msr.data = (uint64_t *)&run->msr.data;
		x->msr.error = &run->msr.error;
		break;
	default:
		break;
	}
}

/* A blocked signal is still pending: let it come, once. */
static int interrupted(struct kvm_cpu *c)
{
	if (!c->vm->immediate_exit) {
		sigset_t set;

		sigemptyset(&set);
		sigaddset(&set, kick_signal());
		pthread_sigmask(SIG_UNBLOCK, &set, NULL);
		pthread_sigmask(SIG_BLOCK, &set, NULL);
	}
	return -EINTR;
}

static int kvm_run_vcpu(struct vmm_vcpu *v, struct vmm_exit *x, struct rs_err *err)
{
	struct kvm_cpu *c = cpu_of(v);
	bool first = c->first_run;
	uint64_t t = 0;
	int r, e;

	if (__builtin_expect(!c->have_thread, 0))
		prepare_thread(c);
	if (first)
		t = vmm_now_ns();
	c->entry_regs = c->regs;
	do
		r = ioctl(c->fd, KVM_RUN, 0);
	while (r < 0 && errno == EAGAIN);
	e = errno;
	/* A kick that comes between the look and the next KVM_RUN makes that one return at once. */
	if (__builtin_expect(__atomic_load_n(&c->run->immediate_exit, __ATOMIC_ACQUIRE), 0))
		__atomic_store_n(&c->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
	c->have_regs = c->have_sregs = false;
	c->synced = c->vm->sync ? c->run->kvm_valid_regs : 0;
	c->first_run = false;
	if (first)
		told(v->m, RS_CALL_RUN, RS_FD_VCPU, r < 0 ? -e : r, vmm_now_ns() - t,
		     "until the first exit");
	else
		rs_count(v->m->em, RS_CTR_KVM_CALLS, 1);
	if (__builtin_expect(r < 0, 0)) {
		if (e == EINTR)
			return interrupted(c);
		return rs_err_errno(err, e, N_("KVM_RUN failed"));
	}
	translate(c->run, x);
	if (__builtin_expect(x->reason == KVM_EXIT_SHUTDOWN, 0)) {
		c->before = vmm_kvm_state(&c->entry_regs, &c->sregs); /* sregs: the last ones seen */
		x->shutdown.before = c->before.rflags ? &c->before : NULL; /* bit 1 is always set */
	}
	return 0;
}

const struct vmm_engine_ops vmm_engine_kvm = {
	.name = "kvm",
	.available = kvm_available,
	.vm_new = kvm_vm_new,
	.vm_free = kvm_vm_free,
	.vcpu_new = kvm_vcpu_new,
	.run = kvm_run_vcpu,
	.kick = kvm_kick,
	.peek = kvm_peek,
	.eager = kvm_eager,
	.get_state = kvm_get_state,
	.set_state = kvm_set_state,
	.get_msrs = kvm_get_msrs,
	.inject = kvm_inject,
	.set_debug = kvm_set_debug,
};

/* -- questions of the probes (probe.c) -- */

void vmm_kvm_facts(struct vmm_kvm_facts *out)
{
	rs_auto_close int sys = open(KVM_PATH, O_RDWR | O_CLOEXEC);
	rs_auto_close int vm = -1;
	int sync;

	*out = (struct vmm_kvm_facts){ .open_errno = sys < 0 ? errno : 0 };
	if (sys < 0)
		return;
	out->api = ioctl(sys, KVM_GET_API_VERSION, 0);
	vm = ioctl(sys, KVM_CREATE_VM, 0);
	out->create_errno = vm < 0 ? errno : 0;
	sync = ioctl(sys, KVM_CHECK_EXTENSION, KVM_CAP_SYNC_REGS);
	out->sync_regs = sync > 0 && (sync & SYNC_WANT) == SYNC_WANT;
	out->immediate_exit = ioctl(sys, KVM_CHECK_EXTENSION, KVM_CAP_IMMEDIATE_EXIT) > 0;
}

/* 4.35: the slot again, with its flag. */
int vmm_kvm_dirty_start(struct vmm_machine *m, struct rs_err *err)
{
	struct kvm_userspace_memory_region r = {
		.slot = 0,
		.flags = KVM_MEM_LOG_DIRTY_PAGES,
		.guest_phys_addr = m->slot[0].gpa,
		.memory_size = m->slot[0].size,
		.userspace_addr = (uintptr_t)(m->ram + m->slot[0].gpa),
	};

	if (ioctl(vm_of(m)->fd, KVM_SET_USER_MEMORY_REGION, &r) < 0)
		return rs_err_errno(err, errno, N_("KVM does not log written pages"));
	return 0;
}

void vmm_kvm_dirty_get(struct vmm_machine *m, uint64_t *pages)
{
	rs_auto_free uint64_t *map = rs_xcalloc(m->slot[0].size / 4096 / 64 + 1, sizeof(*map));
	struct kvm_dirty_log log = { .slot = 0, .dirty_bitmap = map };

	*pages = ioctl(vm_of(m)->fd, KVM_GET_DIRTY_LOG, &log) < 0 ? 0 : map[0];
}
