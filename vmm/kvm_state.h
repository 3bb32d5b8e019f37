/* Registers between KVM's structures and ours: no calls, no state. Private to kvm.c.
 */
#ifndef VMM_KVM_STATE_H
#define VMM_KVM_STATE_H

#include "vmm/cpu.h"

#include <linux/kvm.h>

struct vmm_cpu_state vmm_kvm_state(const struct kvm_regs *r, const struct kvm_sregs *s);
struct kvm_regs vmm_kvm_regs(const struct vmm_cpu_state *s);
/* Into *out, whose other members (APIC base, pending interrupts) stay. */
void vmm_kvm_sregs(const struct vmm_cpu_state *s, struct kvm_sregs *out);
unsigned vmm_kvm_cpl(const struct kvm_regs *r, const struct kvm_sregs *s);

/* At which ring does the guest stand? SS tells (cpu.h), but reading the segments costs tens of VMREADs
 * on VT-x at every exit. So what SS said is kept by RIP, RSP and the flags that differ between rings:
 * a guest that loops over the same few exits is asked rarely. It would be wrong only for code that
 * runs in two rings at the same address with the same stack pointer and the same IF and IOPL, and
 * even there is asked again after so many uses. */
#define VMM_CPL_MEMO 64
#define VMM_CPL_USES 200
struct vmm_cpl_memo {
	struct {
		uint64_t rip, rsp, flags;
		uint8_t cpl, uses;
	} at[VMM_CPL_MEMO];
};
/* The ring, or -1: read the segments and tell vmm_cpl_learn. */
int vmm_cpl_recall(struct vmm_cpl_memo *m, const struct kvm_regs *r);
void vmm_cpl_learn(struct vmm_cpl_memo *m, const struct kvm_regs *r, unsigned cpl);

#endif
