/* The run side of the kind `vm`: a lesson's parameters become a machine, in the child process.
 */
#include "engine/kinds.h"

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
