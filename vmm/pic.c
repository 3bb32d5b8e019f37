/* The two 8259A interrupt controllers of a PC (Intel 8259A data sheet, 231468-003; pages are
 * its own). The slave's INT is input 2 of the master. Inputs are edge-triggered unless ELCR (PIIX3 data
 * sheet, 2.5.5) says level; an input that falls before INTA leaves a spurious IR7 behind (page 18).
 */
#include <string.h>

#include "vmm/pc.h"

#define CASCADE 2
enum { ICW1_IC4 = 0x01, ICW1 = 0x10, ICW4_AEOI = 0x02, ICW4_SFNM = 0x10,
       OCW3 = 0x08 };

/* How far below the highest priority the best input of `mask` stands: 0 to 7; 8 when there is none. */
static unsigned rank(const struct vmm_pic_chip *c, uint8_t mask)
{
	for (unsigned r = 0; r < 8; r++)
		if (mask & 1u << ((c->lowest + 1 + r) & 7))
			return r;
	return 8;
}

static unsigned input_of(const struct vmm_pic_chip *c, unsigned r)
{
	return (c->lowest + 1 + r) & 7;
}

/* The input that asks for service, or -1 (page 13: fully nested, special fully nested, special mask). */
static int asks(const struct vmm_pic *p, unsigned n)
{
	const struct vmm_pic_chip *c = &p->chip[n];
	uint8_t busy = c->isr;
	unsigned r = rank(c, (uint8_t)(c->irr & ~c->imr));

	if (c->special_mask)
		busy &= (uint8_t)~c->imr;
	if (c->nested && n == 0) /* the slave may interrupt itself through the master */
		busy &= (uint8_t)~(1u << CASCADE);
	return r < rank(c, busy) ? (int)input_of(c, r) : -1;
}

static void chip_input(struct vmm_pic_chip *c, unsigned i, bool level)
{
	uint8_t bit = (uint8_t)(1u << i);

	if (!level)
		c->irr &= (uint8_t)~bit;
	else if ((c->elcr & bit) || !(c->level & bit))
		c->irr |= bit;
	c->level = (uint8_t)(level ? c->level | bit : c->level & ~bit);
}

static void update(struct vmm_pic *p)
{
	bool out;

	chip_input(&p->chip[0], CASCADE, asks(p, 1) >= 0);
	out = asks(p, 0) >= 0;
	if (out != p->out_level) {
		p->out_level = out;
		vmm_line_set(&p->out, out);
	}
}

void vmm_pic_init(struct vmm_pic *p, struct vmm_line out)
{
	memset(p, 0, sizeof(*p));
	p->out = out;
	p->chip[0].lowest = p->chip[1].lowest = 7;
	p->chip[0].imr = p->chip[1].imr = 0xff; /* the data sheet leaves it open; so a BIOS leaves it */
}

void vmm_pic_input(void *pic, unsigned line, bool level)
{
	struct vmm_pic *p = pic;

	if (line == CASCADE || line > 15)
		return;
	chip_input(&p->chip[line >> 3], line & 7, level);
	update(p);
}

static void chip_ack(struct vmm_pic_chip *c, unsigned i)
{
	uint8_t bit = (uint8_t)(1u << i);

	if (!c->aeoi)
		c->isr |= bit;
	else if (c->rotate_aeoi)
		c->lowest = (uint8_t)i;
	if (!(c->elcr & bit)) /* a level stays as long as its line */
		c->irr &= (uint8_t)~bit;
}

unsigned vmm_pic_ack(struct vmm_pic *p)
{
	int i = asks(p, 0);
	unsigned vector;

	if (i < 0)
		return p->chip[0].base + 7u;
	chip_ack(&p->chip[0], (unsigned)i);
	vector = p->chip[0].base + (unsigned)i;
	if (i == CASCADE) {
		i = asks(p, 1);
		if (i >= 0)
			chip_ack(&p->chip[1], (unsigned)i);
		vector = p->chip[1].base + (i < 0 ? 7u : (unsigned)i);
	}
	update(p);
	return vector;
}

/* -- command words -- */

static void icw1(struct vmm_pic_chip *c, uint8_t v)
{
	/* Page 11: what initialization resets. Lines that are high have to fall first. */
	c->irr = c->isr = c->imr = 0;
	c->lowest = 7;
	c->aeoi = c->rotate_aeoi = c->nested = c->special_mask = c->read_isr = c->poll = false;
	c->icw4 = v & ICW1_IC4;
	c->expect = 2;
}

static void end(struct vmm_pic_chip *c, uint8_t v)
{
	unsigned r = rank(c, c->isr), i = input_of(c, r);

	switch (v >> 5) { /* page 14: R, SL, EOI */
	case 0: /* rotate in automatic EOI mode: clear */
	case 4: /* ... set */
		c->rotate_aeoi = v >> 7;
		return;
	case 1: /* non-specific EOI, and with rotation */
	case 5:
		if (r == 8)
			return;
		break;
	case 3: /* specific EOI, and with rotation */
	case 7:
		i = v & 7;
		break;
	case 6: /* set priority */
		c->lowest = v & 7;
		return;
	default: /* no operation */
		return;
	}
	c->isr &= (uint8_t)~(1u << i);
	if (v >> 7)
		c->lowest = (uint8_t)i;
}

static void ocw3(struct vmm_pic_chip *c, uint8_t v)
{
	if (v & 0x40)
		c->special_mask = v & 0x20;
	if (v & 0x04)
		c->poll = true;
	if (v & 0x02)
		c->read_isr = v & 1;
}

static void odd(struct vmm_pic_chip *c, uint8_t v)
{
	switch (c->expect) {
	case 2:
		c->base = v & 0xf8;
		c->expect = 3; /* a PC's controllers are never alone */
		return;
	case 3:
		c->expect = c->icw4 ? 4 : 0;
		return;
	case 4:
		c->aeoi = v & ICW4_AEOI;
		c->nested = v & ICW4_SFNM;
		c->expect = 0;
		return;
	}
	c->imr = v;
}

static void chip_write(struct vmm_pic *p, unsigned n, unsigned off, uint8_t v)
{
	struct vmm_pic_chip *c = &p->chip[n];

	if (off)
		odd(c, v);
	else if (v & ICW1)
		icw1(c, v);
	else if (v & OCW3)
		ocw3(c, v);
	else
		end(c, v);
	update(p);
}

/* Page 16: a read after the poll command is an acknowledge. */
static uint8_t polled(struct vmm_pic *p, unsigned n)
{
	int i = asks(p, n);

	p->chip[n].poll = false;
	if (i < 0)
		return 0;
	chip_ack(&p->chip[n], (unsigned)i);
	update(p);
	return (uint8_t)(0x80 | i);
}

static uint8_t chip_read(struct vmm_pic *p, unsigned n, unsigned off)
{
	const struct vmm_pic_chip *c = &p->chip[n];

	if (c->poll)
		return polled(p, n);
	if (off)
		return c->imr;
	return c->read_isr ? c->isr : c->irr;
}

uint64_t vmm_pic_read(void *pic, unsigned off, unsigned size)
{
	(void)size;
	return chip_read(pic, 0, off);
}

void vmm_pic_write(void *pic, unsigned off, unsigned size, uint64_t value)
{
	(void)size;
	chip_write(pic, 0, off, (uint8_t)value);
}

uint64_t vmm_pic_slave_read(void *pic, unsigned off, unsigned size)
{
	(void)size;
	return chip_read(pic, 1, off);
}

void vmm_pic_slave_write(void *pic, unsigned off, unsigned size, uint64_t value)
{
	(void)size;
	chip_write(pic, 1, off, (uint8_t)value);
}

uint64_t vmm_pic_elcr_read(void *pic, unsigned off, unsigned size)
{
	struct vmm_pic *p = pic;

	(void)size;
	return p->chip[off & 1].elcr;
}

void vmm_pic_elcr_write(void *pic, unsigned off, unsigned size, uint64_t value)
{
	struct vmm_pic *p = pic;

	(void)size;
	/* The timer, the keyboard, the cascade, the clock and the coprocessor are always edges. */
	p->chip[off & 1].elcr = (uint8_t)(value & (off & 1 ? 0xde : 0xf8));
	update(p);
}
