/* A machine with its engine, up to the guest's first instruction: memory, image, CPU state. */
#include <errno.h>

#include "vmm/machine.h"

void vmm_check_entry(struct vmm_vcpu *v)
{
	const struct vmm_entry_rule *rule;
	struct vmm_entry_state e;
	struct vmm_cpu_state s;
	unsigned n;

	if (v->m->ops->get_state(v, &s, NULL) < 0)
		return;
	vmm_cpu_to_entry_state(&s, &e);
	rule = vmm_entry_check(&e);
	if (rule)
		rs_emit(v->m->em, RS_EV_VM_ENTRY_RULE, RS_SRC_MONITOR, v->index,
			(uint64_t)(rule - vmm_entry_rules(&n)), 0, 0, 0, rule->name);
}

int vmm_machine_prepare(struct vmm_machine *m, struct rs_err *err)
{
	struct vmm_cpu_state s = { 0 };
	int r;

	if (m->desc.pc && !m->ops->irq)
		return rs_err_set(err, -ENOSYS, N_("the engine %s cannot run a machine with a PC's devices"),
				  m->ops->name);
	r = m->desc.entry == VMM_ENTRY_RESET ? vmm_load_firmware(m, &m->image, err) : 0;
	if (r < 0)
		return r;
	r = m->ops->vm_new(m, err);
	if (r < 0)
		return r;
	r = m->desc.entry == VMM_ENTRY_RESET ? 0 : vmm_load(m, &m->desc, &m->image, err);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < m->image.parts; i++)
		rs_emit(m->em, RS_EV_VM_LOAD, RS_SRC_MONITOR, 0, m->image.part[i].gpa,
			m->image.part[i].size, m->image.entry, 0, NULL);
	r = vmm_entry_setup(m, &m->desc, m->image.entry, &s, err);
	if (r < 0)
		return r;
	if (m->image.boot_params)
		vmm_enter_linux(m, &s);
	if (m->pc && m->desc.entry != VMM_ENTRY_RESET)
		vmm_pc_after_bios(m->pc); /* nobody else has let the interrupt controllers' line through */
	r = vmm_virt_new(&m->vcpu, &s, err);
	if (r < 0)
		return r;
	r = m->ops->vcpu_new(m, 0, err);
	if (r < 0)
		return r;
	m->have_vcpu = true;
	r = m->ops->set_state(&m->vcpu, &s, err);
	if (r < 0)
		return r;
	vmm_check_entry(&m->vcpu);
	return vmm_trace_new(&m->vcpu, err);
}
