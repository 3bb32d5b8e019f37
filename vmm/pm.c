/* Power management as ACPI's fixed hardware (ACPI 6.4, 4.8.3): enough for a guest to switch the machine off
 * and to measure time. There is no button and no SMI: ACPI mode is always on, and SCI never comes.
 */
#include <string.h>

#include "vmm/pc.h"

enum { STATUS = 0, ENABLE = 2, CONTROL = 4, TIMER = 8 };
enum { SCI_EN = 1, SLP_EN = 1 << 13 };

void vmm_pm_init(struct vmm_pm *p, struct vmm_time time, void (*off)(void *arg), void *arg)
{
	memset(p, 0, sizeof(*p));
	p->time = time;
	p->off = off;
	p->arg = arg;
}

static uint32_t word(const struct vmm_pm *p, unsigned at)
{
	switch (at) {
	case STATUS:
		return p->status;
	case ENABLE:
		return p->enable;
	case CONTROL:
		return p->control | SCI_EN;
	case TIMER: /* 24 bits (4.8.3.3) */
		return vmm_ticks_of(vmm_time_ns(&p->time), VMM_PM_TIMER_HZ) & 0xffffff;
	}
	return 0;
}

uint64_t vmm_pm_read(void *pm, unsigned off, unsigned size)
{
	const struct vmm_pm *p = pm;
	unsigned at = off >= TIMER ? TIMER : off & ~1u;
	uint64_t v = word(p, at);

	if (at < CONTROL && size == 4) /* status and enable in one access */
		v |= (uint64_t)word(p, at + 2) << 16;
	return v >> 8 * (off - at);
}

void vmm_pm_write(void *pm, unsigned off, unsigned size, uint64_t value)
{
	struct vmm_pm *p = pm;
	uint32_t v = (uint32_t)value;

	switch (off) {
	case STATUS:
		p->status &= (uint16_t)~v; /* ones clear */
		if (size == 4)
			p->enable = (uint16_t)(v >> 16);
		break;
	case ENABLE:
		p->enable = (uint16_t)v;
		break;
	case CONTROL:
		p->control = v & 0x1c06; /* SLP_EN reads as 0 */
		if ((v & SLP_EN) && (v >> 10 & 7) == VMM_PM_S5)
			p->off(p->arg);
		break;
	}
}
