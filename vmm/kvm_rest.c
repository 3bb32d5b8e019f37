/* x87, SSE and the registers of system calls of a vCPU on KVM (Linux Documentation/virt/kvm/api.rst, 4.42, 4.43, 4.18,
 * 4.19), for an assist. AVX state stays where it is: the software CPU has none and touches none.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "vmm/kvm.h"

static const struct {
	uint32_t index;
	size_t at;
} msrs[] = {
	{ MSR_STAR, offsetof(struct vmm_cpu_rest, star) },
	{ MSR_LSTAR, offsetof(struct vmm_cpu_rest, lstar) },
	{ MSR_FMASK, offsetof(struct vmm_cpu_rest, fmask) },
	{ 0xc0000102, offsetof(struct vmm_cpu_rest, kernel_gs_base) },
	{ 0xc0000083, offsetof(struct vmm_cpu_rest, cstar) },
	{ 0x174, offsetof(struct vmm_cpu_rest, sysenter_cs) },
	{ 0x175, offsetof(struct vmm_cpu_rest, sysenter_esp) },
	{ MSR_SYSENTER_EIP, offsetof(struct vmm_cpu_rest, sysenter_eip) },
	{ 0xc0000103, offsetof(struct vmm_cpu_rest, tsc_aux) }, /* the last: not every CPU has it */
};
#define MSRS (sizeof(msrs) / sizeof(msrs[0]))
#define NEEDED (MSRS - 1)

struct request { /* struct kvm_msrs with its entries */
	uint32_t n, pad;
	struct kvm_msr_entry entry[MSRS];
};
_Static_assert(offsetof(struct request, entry) == sizeof(struct kvm_msrs), "as KVM reads it");

/* KVM's image of XSAVE (4.42, 4.43; SDM vol. 1, 13.4): FXSAVE's comes first, then the header, whose bits 0 and 1 say that
 * x87 and SSE are not in their initial state. (KVM_SET_FPU leaves the header alone, so that its registers may be
 * lost.) */
#define XSTATE_BV 512
#define X87_SSE 3u
#define SOFTWARE_BYTES 464 /* the last 48 of FXSAVE's 512 are not the CPU's */

int vmm_kvm_get_rest(struct vmm_vcpu *v, struct vmm_cpu_rest *o, struct rs_err *err)
{
	struct request q = { .n = MSRS };
	struct kvm_xsave x;
	long r;

	for (unsigned i = 0; i < MSRS; i++)
		q.entry[i].index = msrs[i].index;
	memset(o, 0, sizeof(*o));
	r = vmm_kvm_quiet(v, KVM_GET_XSAVE, &x);
	if (r < 0)
		return rs_err_errno(err, (int)-r, N_("KVM does not give the registers"));
	memcpy(o->fxsave, x.region, sizeof(o->fxsave));
	r = vmm_kvm_quiet(v, KVM_GET_MSRS, &q);
	if (r < (long)NEEDED)
		return rs_err_errno(err, r < 0 ? (int)-r : ENOSYS, N_("KVM does not give the model-specific registers"));
	for (unsigned i = 0; i < (unsigned)r; i++)
		memcpy((char *)o + msrs[i].at, &q.entry[i].data, 8);
	return 0;
}

int vmm_kvm_set_rest(struct vmm_vcpu *v, const struct vmm_cpu_rest *in, struct rs_err *err)
{
	struct vmm_cpu_rest now;
	struct request q = { 0 };
	struct kvm_xsave x;
	int e = vmm_kvm_get_rest(v, &now, err);
	long r = 0;

	if (e < 0)
		return e;
	if (memcmp(now.fxsave, in->fxsave, sizeof(now.fxsave))) {
		r = vmm_kvm_quiet(v, KVM_GET_XSAVE, &x); /* AVX stays */
		memcpy(x.region, in->fxsave, SOFTWARE_BYTES);
		x.region[XSTATE_BV / 4] |= X87_SSE;
		if (r >= 0)
			r = vmm_kvm_quiet(v, KVM_SET_XSAVE, &x);
	}
	for (unsigned i = 0; i < MSRS; i++) { /* those that changed */
		uint64_t value;

		memcpy(&value, (const char *)in + msrs[i].at, 8);
		if (memcmp((const char *)&now + msrs[i].at, &value, 8))
			q.entry[q.n++] = (struct kvm_msr_entry){ .index = msrs[i].index, .data = value };
	}
	if (r >= 0 && q.n)
		r = vmm_kvm_quiet(v, KVM_SET_MSRS, &q);
	return r < 0 ? rs_err_errno(err, (int)-r, N_("KVM refuses the registers")) : 0;
}
