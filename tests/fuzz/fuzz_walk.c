/* A guest may fill its memory and registers with anything. The page walk, the tables, the listing and
 * the report read it all, and must come to an end inside guest memory. */
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum rs_outcome outcome[] = {RS_OUT_SHUTDOWN, RS_OUT_FAIL_ENTRY, RS_OUT_WATCHDOG,
						  RS_OUT_UNHANDLED};
	struct rs_err err = RS_ERR_INIT;
	rs_auto_str text = RS_STR_INIT;
	struct vmm_exit exit = {.reason = KVM_EXIT_INTERNAL_ERROR};
	struct vmm_cpu_state s, before;
	struct vmm_machine *m;
	struct vmm_desc d;

	vmm_desc_init(&d);
	d.memory = VMM_MEMORY_MIN;
	if (size < 2)
		return 0;
	m = vmm_machine_new(&d, NULL, &err);
	if (!m)
		abort();
	vmm_entry_setup(m, &d, 0x10000, &s, &err);
	/* first the state (on top of a sound one), then memory from the tables on */
	for (size_t i = 2; i + 2 < size && i < 2 + 3 * (size_t)data[1]; i += 3)
		((uint8_t *)&s)[(data[i] | data[i + 1] << 8) % sizeof(s)] = data[i + 2];
	exit.internal.suberror = data[0] >> 4;
	exit.internal.ndata = 3;
	memcpy(exit.internal.data, &s, sizeof(exit.internal.data));
	if (size > 2 + 3 * (size_t)data[1]) {
		size_t n = size - 2 - 3 * (size_t)data[1];

		memcpy(vmm_ram(m, 0x1000, 0xf000), data + size - n, n < 0xf000 ? n : 0xf000);
	}
	if (data[0] & 4) { /* as after a triple fault on AMD-V */
		exit.reason = KVM_EXIT_SHUTDOWN;
		before = s;
		exit.shutdown.before = &before;
		s.rip = 0xfff0;
		s.cs.base = 0xffff0000;
		s.cr0 = 0;
	}
	vmm_explain(m, &s, &exit, outcome[data[0] & 3], &text);
	vmm_tables_format(m, &s, &text);
	if (text.len > 64 << 10)
		abort();
	vmm_machine_free(m);
	return 0;
}
