/* The I/O APIC of a PC (Intel 82093AA data sheet, 290566-001, section 3). A pin's level here means "asks for
 * service": the polarity that the guest writes is kept, but every device of this board agrees with it.
 */
#include <string.h>

#include "vmm/pc.h"

enum { E_VECTOR = 0xff, E_LOGICAL = 1 << 11, E_REMOTE = 1 << 14, E_LEVEL = 1 << 15,
       E_MASKED = 1 << 16 };
enum { R_ID, R_VERSION, R_ARBITRATION, R_ENTRY = 0x10 };
enum { SELECT = 0x00, WINDOW = 0x10 };

void vmm_ioapic_init(struct vmm_ioapic *i)
{
	memset(i, 0, sizeof(*i));
	for (unsigned n = 0; n < VMM_IOAPIC_PINS; n++)
		i->entry[n] = E_MASKED;
}

static void service(struct vmm_ioapic *i, unsigned pin)
{
	uint64_t e = i->entry[pin];

	if (e & E_MASKED)
		return;
	if (e & E_LEVEL) {
		if (e & E_REMOTE)
			return; /* until the CPU has ended the one before */
		i->entry[pin] |= E_REMOTE;
	}
	if (i->deliver)
		i->deliver(i->arg, (unsigned)(e >> 56), e & E_LOGICAL, e >> 8 & 7, e & E_VECTOR, e & E_LEVEL);
}

void vmm_ioapic_input(void *ioapic, unsigned pin, bool level)
{
	struct vmm_ioapic *i = ioapic;
	uint32_t bit = 1u << pin;
	bool rises;

	if (pin >= VMM_IOAPIC_PINS)
		return;
	rises = level && !(i->level & bit);
	i->level = level ? i->level | bit : i->level & ~bit;
	/* 3.2.4: an edge at a masked pin is lost; a level waits. */
	if (rises)
		service(i, pin);
}

void vmm_ioapic_eoi(struct vmm_ioapic *i, unsigned vector)
{
	for (unsigned n = 0; n < VMM_IOAPIC_PINS; n++) {
		if (!(i->entry[n] & E_REMOTE) || (i->entry[n] & E_VECTOR) != vector)
			continue;
		i->entry[n] &= ~(uint64_t)E_REMOTE;
		if (i->level >> n & 1)
			service(i, n);
	}
}

static uint32_t read_register(const struct vmm_ioapic *i)
{
	unsigned n = (i->select - R_ENTRY) / 2u;

	switch (i->select) {
	case R_ID:
	case R_ARBITRATION:
		return (uint32_t)i->id << 24;
	case R_VERSION:
		return (VMM_IOAPIC_PINS - 1) << 16 | 0x11;
	}
	if (i->select < R_ENTRY || n >= VMM_IOAPIC_PINS)
		return 0;
	return (uint32_t)(i->select & 1 ? i->entry[n] >> 32 : i->entry[n]);
}

static void write_register(struct vmm_ioapic *i, uint32_t v)
{
	unsigned n = (i->select - R_ENTRY) / 2u;
	uint64_t e;

	if (i->select == R_ID)
		i->id = v >> 24 & 15;
	if (i->select < R_ENTRY || n >= VMM_IOAPIC_PINS)
		return;
	e = i->entry[n];
	if (i->select & 1) {
		i->entry[n] = (e & 0xffffffff) | (uint64_t)(v & 0xff000000) << 32;
		return;
	}
	e = (e & ~0xffffffffull) | (v & 0x1afff) | (e & E_REMOTE);
	if (!(e & E_LEVEL))
		e &= ~(uint64_t)E_REMOTE; /* it has no meaning for edges (3.2.4) */
	i->entry[n] = e;
	if ((e & E_LEVEL) && i->level >> n & 1)
		service(i, n);
}

uint64_t vmm_ioapic_read(void *ioapic, unsigned off, unsigned size)
{
	const struct vmm_ioapic *i = ioapic;

	(void)size;
	return off == SELECT ? i->select : off == WINDOW ? read_register(i) : 0;
}

void vmm_ioapic_write(void *ioapic, unsigned off, unsigned size, uint64_t value)
{
	struct vmm_ioapic *i = ioapic;

	(void)size;
	if (off == SELECT)
		i->select = (uint8_t)value;
	else if (off == WINDOW)
		write_register(i, (uint32_t)value);
}
