/* Guest images are strangers' files: whatever the loader is given, it writes inside the guest's RAM
 * and outside the monitor's tables, or says in one sentence why not. */
#include <stdlib.h>
#include <string.h>

#include "vmm/machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One machine a configuration, its RAM all zeros between two runs. */
static struct vmm_machine *machine(const struct vmm_desc *d)
{
	static struct vmm_machine *have[VMM_ENTRY_COUNT][2];
	struct vmm_machine **m = &have[d->entry][d->holes];
	struct rs_err err = RS_ERR_INIT;

	if (!*m)
		*m = vmm_machine_new(d, NULL, &err);
	if (!*m)
		abort();
	return *m;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rs_err err = RS_ERR_INIT;
	struct vmm_image image;
	struct vmm_machine *m;
	struct vmm_desc d;
	const unsigned char *tables;
	int r;

	vmm_desc_init(&d);
	if (!size)
		return 0;
	d.entry = data[0] % VMM_ENTRY_RESET; /* firmware is not parsed */
	d.memory = 0x40000;
	d.holes = data[0] >> 4 & 1;
	d.hole[0] = (struct vmm_hole){0x30000, 0x1000};
	d.load = data[0] & 0x80 ? (uint64_t)data[0] << 9 : 0;
	m = machine(&d);
	r = vmm_load_bytes(m, &d, data + 1, size - 1, "fuzz", &image, &err);
	if (r && (!err.code || !err.text[RS_LANG_EN][0]))
		abort();
	if (!r && !vmm_ram(m, image.entry, 1))
		abort();
	for (unsigned i = 0; !r && i < image.parts; i++)
		if (!vmm_ram(m, image.part[i].gpa, image.part[i].size))
			abort();
	tables = vmm_ram(m, VMM_TABLES_BASE, VMM_TABLES_END - VMM_TABLES_BASE);
	for (unsigned i = 0; vmm_entry_has_tables(&d) && i < VMM_TABLES_END - VMM_TABLES_BASE; i++)
		if (tables[i])
			abort();
	for (unsigned i = 0; !r && i < image.parts; i++)
		memset(vmm_ram(m, image.part[i].gpa, image.part[i].size), 0, image.part[i].size);
	return 0;
}
