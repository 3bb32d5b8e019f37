/* The run side of the kind `vm`: a lesson's parameters become a machine, in the child process.
 */
#include "engine/build.h"
#include "engine/kinds.h"

void eng_vm_build(const struct eng_run *run, struct eng_build *b)
{
	const struct vmm_desc *d = &run->vm.desc;

	/* A real-mode guest's segments begin where it is loaded, so its addresses count from 0: they
	 * would not fit into 16 bits otherwise. */
	b->flat = d->entry == VMM_ENTRY_REAL16;
	b->base = b->flat ? 0 : d->load ? d->load : VMM_LOAD_DEFAULT;
}

const char *eng_vm_tool(const struct eng_run *run)
{
	(void)run;
	return "cc";
}

int eng_vm_exec(const struct eng_exec *x, struct rs_err *err)
{
	struct vmm_desc d = x->run->vm.desc;
	struct vmm_result res;

	d.image = x->image;
	d.engine = x->engine;
	d.timeout_ns = x->timeout_ns;
	d.start_paused = x->start_paused;
	d.serial_input = x->run->vm.input;
	/* How the guest ended is an event (VM_END); a guest that failed is not an experiment that did. */
	return vmm_run(&d, x->em, x->control_fd, x->seal, x->seal_arg, &res, err);
}
