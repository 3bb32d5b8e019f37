/* PCI configuration space, mechanism 1 (PCI Local Bus 3.0, 3.2.2.3.2), with one device on it: the host bridge
 * of a 440FX (Intel 82441FX data sheet, 290549, chapter 3), by which firmware knows the board. Subsystem
 * IDs are those by which firmware for virtual machines finds that it runs on one. Port 0xcf9 between the
 * two registers is the reset control of the PIIX3 (2.5.3).
 */
#include <string.h>

#include "vmm/pc.h"

enum { ADDRESS = 0, RESET = 1, DATA = 4 };
#define ENABLE 0x80000000u

void vmm_pci_init(struct vmm_pci *p, void (*reset)(void *arg), void *arg)
{
	static const uint8_t head[12] = { 0x86, 0x80, 0x37, 0x12, 0x06, 0x00, 0x80, 0x22, 0x02, 0x00, 0x00, 0x06 };

	memset(p, 0, sizeof(*p));
	p->reset = reset;
	p->arg = arg;
	memcpy(p->bridge, head, sizeof(head));
	p->bridge[0x2c] = 0xf4; /* subsystem: 1af4:1100 */
	p->bridge[0x2d] = 0x1a;
	p->bridge[0x2f] = 0x11;
	/* 3.2.18: all of 0xc0000-0xfffff is memory, to be read and written. */
	p->bridge[0x59] = 0x30;
	memset(&p->bridge[0x5a], 0x33, 6);
}

/* The bytes that the address register selects, or NULL. */
static uint8_t *selected(struct vmm_pci *p, unsigned off)
{
	if (!(p->address & ENABLE) || (p->address & 0xffff00))
		return NULL;
	return &p->bridge[(p->address & 0xfc) + (off - DATA)];
}

static bool writable(unsigned reg)
{
	return reg == 0x04 || reg == 0x0d || reg >= 0x50;
}

uint64_t vmm_pci_read(void *pci, unsigned off, unsigned size)
{
	struct vmm_pci *p = pci;
	const uint8_t *b;
	uint64_t v = 0;

	if (off < DATA)
		return off == ADDRESS && size == 4 ? p->address : off == RESET ? p->rc : ~0ull;
	b = selected(p, off);
	if (!b)
		return ~0ull; /* master abort: nobody there */
	for (unsigned i = 0; i < size && off + i < 8; i++)
		v |= (uint64_t)b[i] << 8 * i;
	return v;
}

void vmm_pci_write(void *pci, unsigned off, unsigned size, uint64_t value)
{
	struct vmm_pci *p = pci;
	uint8_t *b;

	if (off == ADDRESS && size == 4) {
		p->address = (uint32_t)value & 0x80fffffc;
		return;
	}
	if (off == RESET) {
		bool rises = (value & 4) && !(p->rc & 4);

		p->rc = value & 6;
		if (rises)
			p->reset(p->arg);
		return;
	}
	if (off < DATA)
		return;
	b = selected(p, off);
	for (unsigned i = 0; b && i < size && off + i < 8; i++)
		if (writable((unsigned)(b + i - p->bridge)))
			b[i] = (uint8_t)(value >> 8 * i);
}
