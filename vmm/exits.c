/* One handler a row of engine/base/exits.def: does what the guest's exit asks for.
 * The table is made from the rows, so an exit reason without a handler does not build.
 */
#include "vmm/machine.h"

#include <errno.h>
#include <string.h>

#include <linux/kvm.h>

#define LAST_EXIT 128u /* reasons beyond it are unknown to every KVM so far */

static uint64_t little(const void *p, unsigned size)
{
	uint64_t v = 0;

	if (size == 1) /* a byte that is put together with seven others has to wait for memory */
		return *(const uint8_t *)p;
	memcpy(&v, p, size > 8 ? 8 : size);
	return v;
}

static void vmm_exit_io(struct vmm_vcpu *v)
{
	struct vmm_machine *m = v->m;
	const struct vmm_exit *x = &v->exit;
	unsigned char *p = x->io.data;

	if (v->virt && x->io.port == VMM_PORT_MONITOR) {
		vmm_virt_entered(v);
		v->pending = true;
		return;
	}
	/* A repeated string instruction may bring many values at once. */
	for (uint32_t i = 0; i < x->io.count && !v->ended; i++, p += x->io.size) {
		uint64_t value;

		if (x->io.in) {
			value = vmm_bus_read(&m->pio, x->io.port, x->io.size);
			memcpy(p, &value, x->io.size);
		} else {
			value = little(p, x->io.size);
			vmm_bus_write(&m->pio, x->io.port, x->io.size, value);
		}
		rs_count(m->em, RS_CTR_VM_PIO_COUNT, 1);
		rs_emit(m->em, RS_EV_VM_PIO, RS_SRC_EXIT, v->index, x->io.port, x->io.size,
			x->io.in ? RS_DIR_IN : RS_DIR_OUT, value, NULL);
	}
	v->pending = true;
}

static void vmm_exit_mmio(struct vmm_vcpu *v)
{
	struct vmm_machine *m = v->m;
	const struct vmm_exit *x = &v->exit;
	unsigned len = x->mmio.len > 8 ? 8 : x->mmio.len;
	uint64_t value;

	if (x->mmio.write) {
		value = little(x->mmio.data, len);
		vmm_bus_write(&m->mmio, x->mmio.gpa, len, value);
	} else {
		value = vmm_bus_read(&m->mmio, x->mmio.gpa, len);
		memcpy(x->mmio.data, &value, len);
	}
	rs_count(m->em, RS_CTR_VM_MMIO_COUNT, 1);
	rs_emit(m->em, RS_EV_VM_MMIO, RS_SRC_EXIT, v->index, x->mmio.gpa, len,
		x->mmio.write ? RS_DIR_OUT : RS_DIR_IN, value, NULL);
	v->pending = true;
}

static void vmm_exit_hypercall(struct vmm_vcpu *v)
{
	const struct vmm_exit *x = &v->exit;

	*x->hypercall.ret = vmm_hypercall(v, x->hypercall.nr, x->hypercall.args[0],
					  x->hypercall.args[1]);
	v->pending = true;
}

/* No MSR is emulated here: the guest gets #GP, as on a CPU without the register. */
static void vmm_exit_msr(struct vmm_vcpu *v)
{
	*v->exit.msr.error = 1;
	v->pending = true;
}

/* The tracer has looked at it already (trace.c). */
static void vmm_exit_debug(struct vmm_vcpu *v)
{
	(void)v;
}

static void vmm_exit_intr(struct vmm_vcpu *v)
{
	(void)v;
}

/* Devices of a lab machine raise no interrupt, so nothing could wake the CPU, IF set or not. */
static void vmm_exit_hlt(struct vmm_vcpu *v)
{
	if (v->m->pc && vmm_board_wait(v))
		return;
	vmm_vcpu_end(v, RS_OUT_HALTED, 0);
}

static void vmm_exit_shutdown(struct vmm_vcpu *v)
{
	vmm_vcpu_end(v, RS_OUT_SHUTDOWN, 0);
}

static void vmm_exit_fail_entry(struct vmm_vcpu *v)
{
	vmm_vcpu_end(v, RS_OUT_FAIL_ENTRY, v->exit.fail.hardware_reason);
}

/* Some KVMs cannot execute INT n and INT3 in ring 0, where they emulate instructions. What INT would have
 * done can be asked for: an interrupt behind the instruction. */
static bool inject_int(struct vmm_vcpu *v)
{
	const struct vmm_engine_ops *ops = v->m->ops;
	unsigned char code[15];
	struct vmm_cpu_state s;
	struct vmm_insn insn;
	size_t n;

	if (ops->get_state(v, &s, NULL) < 0 || vmm_cpl(&s))
		return false;
	n = vmm_read_linear(v->m, &s, s.rip + (vmm_mode_bits(&s) == 64 ? 0 : s.cs.base), code, sizeof(code));
	if (!vmm_decode(code, n, vmm_mode_bits(&s), s.rip, &insn) || insn.gate != VMM_INSN_INT)
		return false;
	s.rip += insn.len;
	return ops->set_state(v, &s, NULL) == 0 && ops->inject(v, insn.vector, NULL) == 0;
}

static void vmm_exit_internal(struct vmm_vcpu *v)
{
	if (v->exit.internal.suberror == KVM_INTERNAL_ERROR_EMULATION && (inject_int(v) || vmm_assist(v)))
		return;
	vmm_vcpu_end(v, RS_OUT_UNHANDLED, v->exit.internal.suberror);
}

static void vmm_exit_system_event(struct vmm_vcpu *v)
{
	switch (v->exit.system.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
	case KVM_SYSTEM_EVENT_RESET:
		vmm_vcpu_end(v, RS_OUT_RESET, v->exit.system.type);
		return;
	}
	vmm_vcpu_end(v, RS_OUT_UNHANDLED, v->exit.system.type);
}

static void vmm_exit_unhandled(struct vmm_vcpu *v)
{
	vmm_vcpu_end(v, RS_OUT_UNHANDLED, v->exit.reason);
}

static void (*const handlers[LAST_EXIT])(struct vmm_vcpu *v) = {
#define RS_EXIT(number, id, name, handler, handled, sentence) [number] = vmm_exit_##handler,
#include "engine/base/exits.def"
};

void vmm_exit_handle(struct vmm_vcpu *v)
{
	unsigned reason = v->exit.reason;

	v->pending = false;
	if (reason < LAST_EXIT && handlers[reason])
		handlers[reason](v);
	else
		vmm_exit_unhandled(v);
}

/* After a triple fault AMD-V has reset the CPU: what is known is where the guest was last entered. */
static void find_again(struct vmm_vcpu *v)
{
	const struct vmm_cpu_state *before = v->exit.shutdown.before;
	struct vmm_cpu_state s;

	if (!before || v->m->ops->get_state(v, &s, NULL) < 0 || s.rip != 0xfff0 || s.cs.selector != 0xf000)
		return;
	v->rip = before->rip;
	v->cpl = vmm_cpl(before);
}

void vmm_guest_exit(struct vmm_vcpu *v)
{
	struct vmm_machine *m = v->m;
	unsigned reason = v->exit.reason;

	if (__builtin_expect(reason == KVM_EXIT_SHUTDOWN, 0))
		find_again(v);
	m->exits++;
	rs_count(m->em, RS_CTR_VM_EXITS + (reason < 64 ? reason : 0), 1);
	rs_emit(m->em, RS_EV_VM_EXIT, RS_SRC_EXIT, v->index, reason, v->rip, v->cpl,
		vmm_exit_detail(&v->exit), NULL);
	if (__builtin_expect(m->on_exit != NULL, 0))
		m->on_exit(v, m->on_exit_arg);
	vmm_exit_handle(v);
	if (m->desc.exit_limit && m->exits >= m->desc.exit_limit)
		vmm_vcpu_end(v, RS_OUT_EXIT_LIMIT, m->exits);
}

uint64_t vmm_exit_detail(const struct vmm_exit *x)
{
	switch (x->reason) {
	case KVM_EXIT_IO:
		return x->io.port;
	case KVM_EXIT_MMIO:
		return x->mmio.gpa;
	case KVM_EXIT_DEBUG:
		return x->debug.exception;
	case KVM_EXIT_FAIL_ENTRY:
	case KVM_EXIT_UNKNOWN:
		return x->fail.hardware_reason;
	case KVM_EXIT_INTERNAL_ERROR:
		return x->internal.suberror;
	case KVM_EXIT_HYPERCALL:
		return x->hypercall.nr;
	case KVM_EXIT_SYSTEM_EVENT:
		return x->system.type;
	case KVM_EXIT_X86_RDMSR:
	case KVM_EXIT_X86_WRMSR:
		return x->msr.index;
	}
	return 0;
}
