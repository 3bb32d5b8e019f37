/* The keyboard controller of a PC with nothing plugged in (8042; IBM PC/AT Technical Reference, section 1,
 * "Keyboard Controller"; the second port as in IBM's PS/2), and port 0x92 (PIIX3 data sheet, 2.5.6). Guests
 * need it to find out that there is no keyboard, for the A20 gate, which is always open here, and to reset.
 */
#include <string.h>

#include "vmm/pc.h"

enum { S_FULL = 0x01, S_SYSTEM = 0x04, S_COMMAND = 0x08, S_UNLOCKED = 0x10, S_AUX = 0x20 };
enum { C_IRQ1 = 0x01, C_IRQ12 = 0x02, C_SYSTEM = 0x04, C_OFF1 = 0x10, C_OFF2 = 0x20, C_TRANSLATE = 0x40 };
enum { OUT_RUN = 0x01, OUT_A20 = 0x02 };

void vmm_kbc_init(struct vmm_kbc *k, void (*reset)(void *arg), void *arg)
{
	memset(k, 0, sizeof(*k));
	k->reset = reset;
	k->arg = arg;
	k->command = C_TRANSLATE | C_SYSTEM;
	k->output = OUT_RUN | OUT_A20 | 0xcc;
	k->port92 = 0x02; /* A20 open */
}

static void lines(struct vmm_kbc *k)
{
	vmm_line_set(&k->irq1, k->full && !k->aux && (k->command & C_IRQ1));
	vmm_line_set(&k->irq12, k->full && k->aux && (k->command & C_IRQ12));
}

static void answer(struct vmm_kbc *k, uint8_t v, bool aux)
{
	k->data = v;
	k->full = true;
	k->aux = aux;
	lines(k);
}

static void pulse(struct vmm_kbc *k, unsigned low)
{
	if (low & OUT_RUN)
		k->reset(k->arg);
}

static void command(struct vmm_kbc *k, uint8_t v)
{
	k->pending = 0;
	if (v >= 0xf0) { /* pulses the bits that are 0 */
		pulse(k, ~v & 15u);
		return;
	}
	if (v >= 0x20 && v < 0x40) {
		answer(k, v == 0x20 ? k->command : k->ram[v & 31], false);
		return;
	}
	if (v >= 0x60 && v < 0x80) {
		k->pending = v;
		return;
	}
	switch (v) {
	case 0xa7:
		k->command |= C_OFF2;
		break;
	case 0xa8:
		k->command &= (uint8_t)~C_OFF2;
		break;
	case 0xaa: /* self-test */
		k->command |= C_SYSTEM;
		answer(k, 0x55, false);
		break;
	case 0xa9: /* tests of the two ports' wires: nothing wrong */
	case 0xab:
		answer(k, 0, false);
		break;
	case 0xad:
		k->command |= C_OFF1;
		break;
	case 0xae:
		k->command &= (uint8_t)~C_OFF1;
		break;
	case 0xc0: /* input port: not locked */
		answer(k, 0x80, false);
		break;
	case 0xd0:
		answer(k, k->output, false);
		break;
	case 0xd1:
	case 0xd2:
	case 0xd3:
	case 0xd4:
		k->pending = v;
		break;
	}
}

static void parameter(struct vmm_kbc *k, uint8_t v)
{
	uint8_t to = k->pending;

	k->pending = 0;
	if (to >= 0x60 && to < 0x80) {
		if (to == 0x60)
			k->command = v;
		else
			k->ram[to & 31] = v;
		lines(k);
		return;
	}
	switch (to) {
	case 0xd1:
		k->output = v;
		pulse(k, ~(unsigned)v & OUT_RUN);
		break;
	case 0xd2: /* as if it came from the keyboard, from the mouse */
	case 0xd3:
		answer(k, v, to == 0xd3);
		break;
	default: /* for the keyboard or the mouse: nobody answers */
		break;
	}
}

uint64_t vmm_kbc_data_read(void *kbc, unsigned off, unsigned size)
{
	struct vmm_kbc *k = kbc;

	(void)off, (void)size;
	k->full = false;
	lines(k);
	return k->data;
}

void vmm_kbc_data_write(void *kbc, unsigned off, unsigned size, uint64_t value)
{
	(void)off, (void)size;
	parameter(kbc, (uint8_t)value);
}

uint64_t vmm_kbc_status_read(void *kbc, unsigned off, unsigned size)
{
	const struct vmm_kbc *k = kbc;

	(void)off, (void)size;
	return S_UNLOCKED | (k->command & C_SYSTEM ? S_SYSTEM : 0) | (k->pending ? S_COMMAND : 0) |
	       (k->full ? S_FULL : 0) | (k->full && k->aux ? S_AUX : 0);
}

void vmm_kbc_command_write(void *kbc, unsigned off, unsigned size, uint64_t value)
{
	(void)off, (void)size;
	command(kbc, (uint8_t)value);
}

uint64_t vmm_kbc_port92_read(void *kbc, unsigned off, unsigned size)
{
	const struct vmm_kbc *k = kbc;

	(void)off, (void)size;
	return k->port92;
}

void vmm_kbc_port92_write(void *kbc, unsigned off, unsigned size, uint64_t value)
{
	struct vmm_kbc *k = kbc;
	bool rises = (value & 1) && !(k->port92 & 1);

	(void)off, (void)size;
	k->port92 = value & 3;
	if (rises)
		k->reset(k->arg);
}
