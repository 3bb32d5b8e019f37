/* The 8254 timer of a PC (Intel 8254 data sheet, 231164-005, "Mode Definitions") and port 0x61 (PIIX3 data
 * sheet, 2.5.4, NMI status and control), which has the gate of counter 2 and shows its output.
 *
 * Nothing counts: what a counter holds is computed from the time at which it began. One clock lies between the
 * write of a count and its loading in hardware; here there is none.
 */
#include <string.h>

#include "vmm/pc.h"

enum { LATCH = 0, LOW = 1, HIGH = 2, BOTH = 3 };
#define REFRESH_NS 15085u /* port 0x61, bit 4 changes with each refresh of memory */

static uint64_t now(const struct vmm_pit *p)
{
	return vmm_ticks_of(vmm_time_ns(&p->time), VMM_PIT_HZ);
}

/* Gate low stops these where they are; modes 2 and 3 begin again, and 1 and 5 do not mind. */
static bool holds(const struct vmm_pit_counter *c)
{
	return c->mode == 0 || c->mode == 4;
}

static uint64_t elapsed(const struct vmm_pit_counter *c, uint64_t t)
{
	if (holds(c))
		return c->held + (c->running && c->gate ? t - c->start : 0);
	return c->running ? t - c->start : 0;
}

static bool high(const struct vmm_pit_counter *c, uint64_t t)
{
	uint64_t d = elapsed(c, t);

	switch (c->mode) {
	case 0:
		return c->running && d >= c->count;
	case 1:
		return !c->running || d >= c->count;
	case 2:
		return !c->running || !c->gate || d % c->count != c->count - 1;
	case 3:
		return !c->running || !c->gate || d % c->count < (c->count + 1) / 2;
	}
	return !c->running || d != c->count;
}

static uint32_t value(const struct vmm_pit_counter *c, uint64_t t)
{
	uint32_t wrap = c->bcd ? 10000 : 0x10000, half = (c->count + 1) / 2;
	uint64_t d = elapsed(c, t), phase = d % c->count;

	switch (c->mode) {
	case 2:
		return (uint32_t)(c->count - phase) % wrap;
	case 3: /* by twos, from an even number, in each half */
		return (uint32_t)((c->count & ~1u) - 2 * (phase < half ? phase : phase - half)) % wrap;
	}
	return (uint32_t)((c->count + wrap - d % wrap) % wrap);
}

/* The first tick after `t` at which OUT rises. */
static uint64_t next_rise(const struct vmm_pit_counter *c, uint64_t t)
{
	uint64_t at;

	if (!c->running || (!c->gate && c->mode != 1 && c->mode != 5))
		return VMM_NEVER;
	if (c->mode == 2 || c->mode == 3)
		return c->start + ((t < c->start ? 0 : (t - c->start) / c->count) + 1) * c->count;
	at = c->start + c->count - (holds(c) ? c->held : 0) + (c->mode >= 4);
	return at > t ? at : VMM_NEVER;
}

static void show(struct vmm_pit *p, bool level)
{
	if (level == p->irq_level)
		return;
	p->irq_level = level;
	vmm_line_set(&p->irq, level);
}

void vmm_pit_tick(struct vmm_pit *p)
{
	struct vmm_pit_counter *c = &p->counter[0];
	uint64_t t = now(p);
	bool rose = next_rise(c, p->told) <= t;

	p->told = t;
	/* However many rises were missed, the controller behind the line remembers one. */
	if (rose)
		show(p, false);
	show(p, rose || high(c, t));
}

uint64_t vmm_pit_next(struct vmm_pit *p)
{
	uint64_t at = next_rise(&p->counter[0], p->told);

	return at == VMM_NEVER ? at : vmm_ns_of(at, VMM_PIT_HZ);
}

bool vmm_pit_out(struct vmm_pit *p, unsigned counter)
{
	return high(&p->counter[counter], now(p));
}

void vmm_pit_init(struct vmm_pit *p, struct vmm_time time, struct vmm_line irq)
{
	memset(p, 0, sizeof(*p));
	p->time = time;
	p->irq = irq;
	for (unsigned i = 0; i < 3; i++) {
		p->counter[i].access = BOTH;
		p->counter[i].count = 0x10000;
		p->counter[i].gate = i != 2;
		p->counter[i].mode = 3; /* the data sheet leaves it open; OUT is high so, as after a BIOS */
	}
	p->told = now(p);
	show(p, true);
}

static uint32_t from_bcd(uint32_t v)
{
	return (v >> 12 & 15) * 1000 + (v >> 8 & 15) * 100 + (v >> 4 & 15) * 10 + (v & 15);
}

static uint16_t to_bcd(uint32_t v)
{
	return (uint16_t)(v / 1000 % 10 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10);
}

static uint16_t reading(const struct vmm_pit_counter *c, uint64_t t)
{
	uint32_t v = value(c, t);

	return c->bcd ? to_bcd(v) : (uint16_t)v;
}

static void latch(struct vmm_pit_counter *c, uint64_t t)
{
	if (c->latched_bytes) /* the first latch stays until it is read */
		return;
	c->latch = reading(c, t);
	c->latched_bytes = c->access == BOTH ? 2 : 1;
}

static void read_back(struct vmm_pit *p, uint8_t v)
{
	uint64_t t = now(p);

	for (unsigned i = 0; i < 3; i++) {
		struct vmm_pit_counter *c = &p->counter[i];

		if (!(v & 2u << i))
			continue;
		if (!(v & 0x20))
			latch(c, t);
		if (!(v & 0x10) && !c->status_latched) {
			c->status_latched = true;
			c->status = (uint8_t)(high(c, t) << 7 | c->null_count << 6 | c->access << 4 |
					      c->mode << 1 | c->bcd);
		}
	}
}

static void control(struct vmm_pit *p, uint8_t v)
{
	struct vmm_pit_counter *c;
	unsigned mode = v >> 1 & 7;

	if (v >> 6 == 3) {
		read_back(p, v);
		return;
	}
	c = &p->counter[v >> 6];
	if ((v >> 4 & 3) == LATCH) {
		latch(c, now(p));
		return;
	}
	c->access = v >> 4 & 3;
	c->mode = (uint8_t)(mode > 5 ? mode - 4 : mode); /* bit 2 of modes 2 and 3 does not count */
	c->bcd = v & 1;
	c->write_high = c->read_high = c->running = c->status_latched = false;
	c->latched_bytes = 0;
	c->null_count = true;
	c->held = 0;
}

static void load(struct vmm_pit_counter *c, uint16_t v, uint64_t t)
{
	uint32_t n = c->bcd ? from_bcd(v) : v, old = c->count;

	c->null_count = false;
	n = n ? n : c->bcd ? 10000 : 0x10000;
	if (c->running && (c->mode == 2 || c->mode == 3)) { /* ... from the end of the period on */
		uint64_t end = t < c->start ? c->start : c->start + ((t - c->start) / old + 1) * old;

		c->count = n; /* ... which looks as if the period had always been the new one */
		c->start = end >= n && end - n <= t ? end - n : t;
		return;
	}
	c->count = n;
	c->held = 0;
	c->start = t;
	if (c->mode != 1 && c->mode != 5) /* those wait for the gate */
		c->running = true;
}

static void write_count(struct vmm_pit_counter *c, uint8_t v, uint64_t t)
{
	switch (c->access) {
	case LOW:
		load(c, v, t);
		return;
	case HIGH:
		load(c, (uint16_t)(v << 8), t);
		return;
	}
	if (!c->write_high) {
		c->low = v;
		if (c->mode == 0) { /* the first byte stops the counting */
			c->held = elapsed(c, t);
			c->running = false;
		}
	} else {
		load(c, (uint16_t)(v << 8 | c->low), t);
	}
	c->write_high = !c->write_high;
}

static uint8_t read_count(struct vmm_pit_counter *c, uint64_t t)
{
	uint16_t v;

	if (c->status_latched) {
		c->status_latched = false;
		return c->status;
	}
	if (c->latched_bytes) {
		bool upper = c->access == HIGH || (c->access == BOTH && c->latched_bytes == 1);

		c->latched_bytes--;
		return (uint8_t)(upper ? c->latch >> 8 : c->latch);
	}
	v = reading(c, t);
	if (c->access == BOTH)
		c->read_high = !c->read_high;
	return (uint8_t)(c->access == HIGH || (c->access == BOTH && !c->read_high) ? v >> 8 : v);
}

uint64_t vmm_pit_read(void *pit, unsigned off, unsigned size)
{
	struct vmm_pit *p = pit;

	(void)size;
	return off < 3 ? read_count(&p->counter[off], now(p)) : 0xff; /* the control word is write-only */
}

void vmm_pit_write(void *pit, unsigned off, unsigned size, uint64_t v)
{
	struct vmm_pit *p = pit;

	(void)size;
	vmm_pit_tick(p); /* what happened under the old settings */
	if (off == 3)
		control(p, (uint8_t)v);
	else
		write_count(&p->counter[off], (uint8_t)v, now(p));
	p->told = now(p);
	show(p, high(&p->counter[0], p->told));
}

static void gate(struct vmm_pit_counter *c, bool level, uint64_t t)
{
	if (level == c->gate)
		return;
	if (holds(c) && !level)
		c->held = elapsed(c, t);
	if (level) {
		c->start = t;
		if (!holds(c) && !c->null_count)
			c->running = true; /* the rising edge is the trigger, or begins anew */
	}
	c->gate = level;
}

uint64_t vmm_pit_port61_read(void *pit, unsigned off, unsigned size)
{
	struct vmm_pit *p = pit;

	(void)off, (void)size;
	return (uint64_t)p->counter[2].gate | (uint64_t)p->speaker << 1 |
	       (vmm_time_ns(&p->time) / REFRESH_NS & 1) << 4 | (uint64_t)vmm_pit_out(p, 2) << 5;
}

void vmm_pit_port61_write(void *pit, unsigned off, unsigned size, uint64_t v)
{
	struct vmm_pit *p = pit;

	(void)off, (void)size;
	gate(&p->counter[2], v & 1, now(p));
	p->speaker = v & 2;
}
