/* What the lab is shown of a vCPU now and then: its registers and the code around RIP. */
#include "vmm/machine.h"

void vmm_snapshot(struct vmm_vcpu *v)
{
	struct vmm_machine *m = v->m;
	rs_auto_str code = RS_STR_INIT;
	struct vmm_cpu_state s;
	struct rs_x86_regs regs;

	if (m->ops->get_state(v, &s, NULL) < 0)
		return;
	if (v->virt)
		vmm_virt_seen(v->virt, &s);
	vmm_cpu_to_regs(&s, &regs);
	rs_emit_state(m->em, RS_SRC_MONITOR, v->index, RS_BLOCK_REGS, &regs, sizeof(regs));
	vmm_disasm_around(m, &s, 4, 12, &code);
	rs_emit_state(m->em, RS_SRC_MONITOR, v->index, RS_BLOCK_CODE, code.p, code.len);
}
