/* A Linux kernel's setup header is a stranger's: whatever it says, the loader stays inside the guest's RAM, or says
 * in one sentence why not. The first byte chooses the memory; the rest is laid over a sound header. */
#include <stdlib.h>
#include <string.h>

#include "vmm/machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t file[0x4000];
	struct rs_err err = RS_ERR_INIT;
	struct vmm_image image;
	struct vmm_machine *m;
	struct vmm_desc d;
	int r;

	if (size < 1 || size > sizeof(file))
		return 0;
	vmm_desc_init(&d);
	d.pc = true;
	d.memory = (uint64_t)(1 + data[0] % 32) << 20;
	d.append = "console=ttyS0";
	memset(file, 0, sizeof(file));
	memcpy(file + 0x1fe, "\x55\xaa\xeb\x66HdrS\x0f\x02", 10);
	file[0x236] = 1;
	file[0x238] = 0xff;
	file[0x25a] = 0x10; /* 1 MiB */
	for (size_t i = 1; i < size; i++)
		file[(0x1f0 + i) % sizeof(file)] ^= data[i];
	m = vmm_machine_new(&d, NULL, &err);
	if (!m)
		abort();
	r = vmm_load_bytes(m, &d, file, sizeof(file), "fuzz", &image, &err);
	if (r && (!err.code || !err.text[RS_LANG_EN][0]))
		abort();
	for (unsigned i = 0; !r && i < image.parts; i++)
		if (!vmm_ram(m, image.part[i].gpa, image.part[i].size))
			abort();
	vmm_machine_free(m);
	return 0;
}
