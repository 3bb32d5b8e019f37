/* For tests that need a KVM which does what hardware does. */
#ifndef TESTS_VMM_KVM_H
#define TESTS_VMM_KVM_H

#include <stdlib.h>
#include <string.h>

#include "vmm/probe.h"

/* True when ring 3 works and comes back by INT: imitations of KVM fail there, and then nothing else that is asked of
 * them tells anything about us. Else it says why not, in words by which tests/run tries again on the KVM of an
 * emulated machine. */
static inline bool sound_kvm(void)
{
	static const char *const needed[] = { "kvm.ring3", "kvm.ring3.int" };
	static int known; /* 1: sound, -1: not */
	struct rs_err err = RS_ERR_INIT;

	if (!known && vmm_available("kvm", &err) < 0) {
		print_message("skipped: no KVM: %s\n", err.text[RS_LANG_EN]);
		return false;
	}
	for (unsigned k = 0; !known && k < 2; k++)
		for (unsigned i = 0; i < vmm_probe_guest_count; i++) {
			const struct probe_guest *g = &vmm_probe_guests[i];
			struct vmm_probe_run *r;

			if (strcmp(g->name, needed[k]))
				continue;
			r = vmm_probe_run_guest(g);
			if (r->end != PROBE_END_CODE || r->code != g->code_wanted)
				known = -1;
			vmm_probe_run_free(r);
		}
	if (!known)
		known = 1;
	if (known < 0)
		print_message("skipped: this machine's KVM has no ring 3 that works\n");
	return known > 0;
}

/* The tests that run on both engines leave the software CPU out when they are tried again for KVM's sake alone: it has
 * been tested, and an emulated machine is slow. */
static inline bool soft_is_due(void)
{
	return !getenv("RINGSIDE_TEST_AGAIN");
}

#endif
