/* An engine whose CPU only has registers: the test plays what it executes. */
#ifndef TESTS_VMM_PLAYED_H
#define TESTS_VMM_PLAYED_H

#include "vmm/machine.h"

static struct vmm_cpu_state cpu;

static int played_get(struct vmm_vcpu *v, struct vmm_cpu_state *out, struct rs_err *err)
{
	(void)v, (void)err;
	*out = cpu;
	return 0;
}

static int played_set(struct vmm_vcpu *v, const struct vmm_cpu_state *in, struct rs_err *err)
{
	(void)v, (void)err;
	cpu = *in;
	return 0;
}

static void played_eager(struct vmm_vcpu *v, bool on)
{
	(void)v, (void)on;
}

static void played_free(struct vmm_machine *m)
{
	(void)m;
}

static const struct vmm_engine_ops played_ops = { .name = "played",
						  .get_state = played_get,
						  .set_state = played_set,
						  .eager = played_eager,
						  .vm_free = played_free };

#endif
