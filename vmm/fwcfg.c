/* fw_cfg: what firmware asks the monitor about the machine (QEMU docs/specs/fw_cfg.rst). Items are bytes under
 * a 16-bit key; named ones stand in a directory. Read only, through ports alone: the DMA interface is not
 * announced (bit 1 of the item ID is 0).
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "vmm/pc.h"

enum { KEY_SIGNATURE = 0x00, KEY_ID = 0x01, KEY_DIRECTORY = 0x19, KEY_FILES = 0x20 };
enum { SELECTOR = 0, DATA = 1 };

struct entry { /* of the directory, big-endian */
	uint32_t size;
	uint16_t key, reserved;
	char name[56];
};
_Static_assert(sizeof(struct entry) == 64, "as fw_cfg.rst has it");

int vmm_fwcfg_add(struct vmm_fwcfg *f, uint16_t key, const void *data, uint32_t size)
{
	if (f->items == sizeof(f->item) / sizeof(f->item[0]))
		return -ENOSPC;
	f->item[f->items++] = (struct vmm_fwcfg_item){ .key = key, .data = data, .size = size };
	return 0;
}

int vmm_fwcfg_add_file(struct vmm_fwcfg *f, const char *name, const void *data, uint32_t size)
{
	struct entry e = { .size = htobe32(size), .key = htobe16((uint16_t)(KEY_FILES + f->files)) };
	uint32_t count = htobe32(f->files + 1);
	int r;

	if (f->files == VMM_FWCFG_FILES || strlen(name) >= sizeof(e.name))
		return -ENOSPC;
	r = vmm_fwcfg_add(f, (uint16_t)(KEY_FILES + f->files), data, size);
	if (r < 0)
		return r;
	memcpy(e.name, name, strlen(name));
	memcpy(f->directory + 4 + f->files * sizeof(e), &e, sizeof(e));
	memcpy(f->directory, &count, sizeof(count));
	f->files++;
	return 0;
}

void vmm_fwcfg_init(struct vmm_fwcfg *f)
{
	static const uint8_t id[4] = { 1, 0, 0, 0 };

	memset(f, 0, sizeof(*f));
	vmm_fwcfg_add(f, KEY_SIGNATURE, "QEMU", 4);
	vmm_fwcfg_add(f, KEY_ID, id, sizeof(id));
	vmm_fwcfg_add(f, KEY_DIRECTORY, f->directory, sizeof(f->directory));
}

uint64_t vmm_fwcfg_read(void *fwcfg, unsigned off, unsigned size)
{
	struct vmm_fwcfg *f = fwcfg;

	(void)size;
	if (off != DATA)
		return ~0ull;
	for (unsigned i = 0; i < f->items; i++)
		if (f->item[i].key == f->key)
			return f->at < f->item[i].size ? ((const uint8_t *)f->item[i].data)[f->at++] : 0;
	return 0;
}

void vmm_fwcfg_write(void *fwcfg, unsigned off, unsigned size, uint64_t value)
{
	struct vmm_fwcfg *f = fwcfg;

	if (off != SELECTOR || size != 2)
		return;
	f->key = value & 0xbfff; /* bit 14 once meant writing; bit 15: items of the architecture, of which there are none */
	f->at = 0;
}
