/* The KVM engine: the only file that issues KVM ioctls (Linux
 * Documentation/virt/kvm/api.rst; section numbers below are of that document).
 *
 * Every set-up call goes through vmm_kvm_call(), which times it, counts it and makes it
 * a kvm.call event, so that a student sees the same walk that the monitor makes.
 */
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
#include "vmm/kvm.h"
#include "vmm/probe.h"

#define KVM_PATH "/dev/kvm"
/* Three pages for real-mode emulation and one for an identity map on old Intel CPUs (4.39, 4.56). Both
 * lie above the largest RAM and below 4 GiB. */
#define IDENTITY_MAP_ADDR 0xfffbc000ull
#define TSS_ADDR 0xfffbd000ull
_Static_assert(VMM_MEMORY_MAX <= IDENTITY_MAP_ADDR, "RAM must not meet KVM's own pages");
#define CPUID_MAX 512u

/* Newer than the oldest header that we build with. */
#ifndef KVM_CAP_EXIT_ON_EMULATION_FAILURE
#define KVM_CAP_EXIT_ON_EMULATION_FAILURE 204
#endif

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

long vmm_kvm_call(struct vmm_machine *m, enum rs_call id, enum rs_fd which, int fd, unsigned long req,
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

void vmm_kvm_told(struct vmm_machine *m, enum rs_call id, enum rs_fd which, long result, uint64_t ns,
     const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tell(m, id, which, result, ns, fmt, ap);
	va_end(ap);
}

long vmm_kvm_quiet(struct vmm_vcpu *v, unsigned long req, void *arg)
{
	int r = ioctl(cpu_of(v)->fd, req, arg);

	rs_count(v->m->em, RS_CTR_KVM_CALLS, 1);
	return r < 0 ? -errno : r;
}

int vmm_kvm_stats_fd(struct kvm_cpu *c)
{
	return ioctl(c->fd, KVM_GET_STATS_FD, 0);
}

int vmm_kvm_enter(struct kvm_cpu *c)
{
	return ioctl(c->fd, KVM_RUN, 0) < 0 ? -errno : 0;
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
		rs_cleanup_closep(&c->stats_fd);
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
			return vmm_kvm_call(m, RS_CALL_CHECK_EXTENSION, RS_FD_SYSTEM, k->sys,
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
	vmm_kvm_told(m, RS_CALL_OPEN, RS_FD_SYSTEM, r, vmm_now_ns() - t, "\"" KVM_PATH "\", O_RDWR");
	if (r < 0)
		return open_error(err, (int)-r);
	r = vmm_kvm_call(m, RS_CALL_GET_API_VERSION, RS_FD_SYSTEM, k->sys, KVM_GET_API_VERSION, 0, "%s", "");
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
			.userspace_addr = (uintptr_t)m->slot[i].host,
			.flags = m->slot[i].readonly ? KVM_MEM_READONLY : 0,
		};
		long e = vmm_kvm_call(m, RS_CALL_SET_USER_MEMORY_REGION, RS_FD_VM, k->fd,
			      KVM_SET_USER_MEMORY_REGION, (unsigned long)&r,
			      "slot=%u gpa=0x%llx size=0x%llx", r.slot,
			      (unsigned long long)r.guest_phys_addr,
			      (unsigned long long)r.memory_size);

		if (e < 0)
			return rs_err_errno(err, (int)-e, N_("KVM refuses memory slot %u at 0x%llx"), i,
					    (unsigned long long)r.guest_phys_addr);
		rs_emit(m->em, RS_EV_VM_MEMORY, RS_SRC_MONITOR, 0, i, r.guest_phys_addr,
			r.memory_size, m->slot[i].readonly, NULL);
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
			vmm_kvm_call(m, RS_CALL_ENABLE_CAP, RS_FD_VM, vm_of(m)->fd, KVM_ENABLE_CAP,
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
	k->sync = r > 0 && (r & VMM_KVM_SYNC) == VMM_KVM_SYNC;
	k->immediate_exit = has_cap(m, KVM_CAP_IMMEDIATE_EXIT) > 0;
	k->debug = has_cap(m, KVM_CAP_SET_GUEST_DEBUG) > 0;
	r = vmm_kvm_call(m, RS_CALL_CREATE_VM, RS_FD_SYSTEM, k->sys, KVM_CREATE_VM, 0, "type=0");
	if (r < 0)
		return rs_err_set(err, -ENOSYS, N_("/dev/kvm opens, but no virtual machine can be made: %s"),
				  strerror((int)-r));
	k->fd = (int)r;
	/* Before the first vCPU (4.56), and needed by Intel CPUs alone. */
	if (has_cap(m, KVM_CAP_SET_IDENTITY_MAP_ADDR) > 0)
		vmm_kvm_call(m, RS_CALL_SET_IDENTITY_MAP_ADDR, RS_FD_VM, k->fd, KVM_SET_IDENTITY_MAP_ADDR,
		     (unsigned long)&identity, "addr=0x%llx", (unsigned long long)identity);
	if (has_cap(m, KVM_CAP_SET_TSS_ADDR) > 0) {
		r = vmm_kvm_call(m, RS_CALL_SET_TSS_ADDR, RS_FD_VM, k->fd, KVM_SET_TSS_ADDR, TSS_ADDR,
			 "addr=0x%llx", (unsigned long long)TSS_ADDR);
		if (r < 0)
			return rs_err_errno(err, (int)-r, N_("KVM refuses the address for its TSS"));
	}
	enable_caps(m);
	return set_memory(m, err);
}

/* With our own interrupt controllers: the CPU has an xAPIC, whose timer knows no TSC deadline here, and the ways that
 * KVM offers around its own controller are not there. */
static void own_interrupts(struct kvm_cpuid2 *id)
{
	enum { X2APIC = 1 << 21, TSC_DEADLINE = 1 << 24, APIC = 1 << 9 };
	unsigned n = 0;

	for (unsigned i = 0; i < id->nent; i++) {
		struct kvm_cpuid_entry2 *e = &id->entries[i];

		if (e->function >> 16 == 0x4000)
			continue;
		if (e->function == 1) {
			e->ebx &= 0x00ffffff; /* APIC ID 0 */
			e->ecx &= ~(uint32_t)(X2APIC | TSC_DEADLINE);
			e->edx |= APIC;
		}
		id->entries[n++] = *e;
	}
	id->nent = n;
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
	r = vmm_kvm_call(m, RS_CALL_GET_SUPPORTED_CPUID, RS_FD_SYSTEM, c->vm->sys, KVM_GET_SUPPORTED_CPUID,
		 (unsigned long)id, "room for %u leaves", CPUID_MAX);
	if (r < 0)
		return rs_err_errno(err, (int)-r, N_("KVM does not say what CPU it offers"));
	if (m->pc)
		own_interrupts(id);
	r = vmm_kvm_call(m, RS_CALL_SET_CPUID2, RS_FD_VCPU, c->fd, KVM_SET_CPUID2, (unsigned long)id,
		 "%u leaves", id->nent);
	if (r < 0)
		return rs_err_errno(err, (int)-r, N_("KVM refuses the CPUID leaves that it offered"));
	return 0;
}

/* -- kicks -- */

/* Its only effect is that KVM_RUN returns. */
static void on_kick(int sig)
{
	(void)sig;
}

/* Before the seal: what lets the signal through, in the way this KVM understands. */
static int prepare_kick(struct vmm_machine *m, struct kvm_cpu *c, struct rs_err *err)
{
	struct sigaction sa = { .sa_handler = on_kick };
	_Alignas(struct kvm_signal_mask) unsigned char mask[sizeof(struct kvm_signal_mask) + 8] = { 0 };
	long r;

	sigemptyset(&sa.sa_mask);
	if (sigaction(VMM_KVM_KICK, &sa, NULL) < 0)
		return rs_err_errno(err, errno, N_("no signal handler for the virtual CPU's thread"));
	if (c->vm->immediate_exit)
		return 0;
	/* 4.21: blocked outside KVM_RUN, open inside, so a signal that comes too early is not lost. */
	((struct kvm_signal_mask *)mask)->len = 8;
	r = vmm_kvm_call(m, RS_CALL_OTHER, RS_FD_VCPU, c->fd, KVM_SET_SIGNAL_MASK, (unsigned long)mask,
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
	c->stats_fd = -1;
	c->regs = &c->buf[0];
	v->engine = c;
	v->index = index;
	r = vmm_kvm_call(m, RS_CALL_CREATE_VCPU, RS_FD_VM, k->fd, KVM_CREATE_VCPU, index, "id=%u", index);
	if (r < 0)
		return rs_err_errno(err, (int)-r, N_("KVM makes no virtual CPU"));
	c->fd = (int)r;
	r = vmm_kvm_call(m, RS_CALL_GET_VCPU_MMAP_SIZE, RS_FD_SYSTEM, k->sys, KVM_GET_VCPU_MMAP_SIZE, 0,
		 "%s", "");
	if (r < (long)sizeof(struct kvm_run))
		return rs_err_set(err, -EIO, N_("KVM's shared page of the virtual CPU has an impossible size: %ld"), r);
	c->run_size = (size_t)r;
	t = vmm_now_ns();
	c->run = mmap(NULL, c->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, 0);
	r = c->run == MAP_FAILED ? -errno : 0;
	vmm_kvm_told(m, RS_CALL_MMAP, RS_FD_VCPU, r, vmm_now_ns() - t, "size=0x%zx struct kvm_run", c->run_size);
	if (r < 0)
		return rs_err_errno(err, (int)-r, N_("KVM's shared page of the virtual CPU cannot be mapped"));
	e = set_cpuid(m, c, err);
	if (e < 0)
		return e;
	if (k->sync)
		c->run->kvm_valid_regs = KVM_SYNC_X86_REGS;
	vmm_kvm_stats_open(v);
	return prepare_kick(m, c, err);
}

const struct vmm_engine_ops vmm_engine_kvm = {
	.name = "kvm",
	.available = kvm_available,
	.vm_new = kvm_vm_new,
	.vm_free = kvm_vm_free,
	.vcpu_new = kvm_vcpu_new,
	.run = vmm_kvm_run,
	.kick = vmm_kvm_kick,
	.peek = vmm_kvm_peek,
	.eager = vmm_kvm_eager,
	.get_state = vmm_kvm_get_state,
	.set_state = vmm_kvm_set_state,
	.get_msrs = vmm_kvm_get_msrs,
	.get_rest = vmm_kvm_get_rest,
	.set_rest = vmm_kvm_set_rest,
	.inject = vmm_kvm_inject,
	.hardware_exits = vmm_kvm_hardware_exits,
	.irq = vmm_kvm_irq,
	.set_debug = vmm_kvm_set_debug,
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
	out->sync_regs = sync > 0 && (sync & VMM_KVM_SYNC) == VMM_KVM_SYNC;
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
		.userspace_addr = (uintptr_t)m->slot[0].host,
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
