/* The local APIC of one CPU (SDM vol. 3A, chapter 11; section numbers are of that chapter), as xAPIC and
 * x2APIC: interrupt acceptance, priorities, local vector table, timer, messages to itself.
 */
#include <string.h>

#include "vmm/pc.h"

enum { BASE_BSP = 1 << 8, BASE_X2 = 1 << 10, BASE_EN = 1 << 11 };
enum { R_ID = 0x02, R_VERSION = 0x03, R_TPR = 0x08, R_APR = 0x09, R_PPR = 0x0a, R_EOI = 0x0b, R_LDR = 0x0d,
       R_DFR = 0x0e, R_SVR = 0x0f, R_ISR = 0x10, R_TMR = 0x18, R_IRR = 0x20, R_ESR = 0x28, R_ICR = 0x30,
       R_ICR_HIGH = 0x31, R_LVT = 0x32, R_INITIAL = 0x38, R_CURRENT = 0x39, R_DIVIDE = 0x3e, R_SELF = 0x3f };
enum { MODE_FIXED, MODE_LOWEST, MODE_SMI, MODE_NMI = 4, MODE_INIT, MODE_SIPI, MODE_EXT };
enum { LVT_MASKED = 1 << 16, LVT_LEVEL = 1 << 15 };
enum { TIMER_ONCE, TIMER_PERIODIC, TIMER_TSC };
enum { ESR_SEND_VECTOR = 1 << 5, ESR_VECTOR = 1 << 6, ESR_REGISTER = 1 << 7 };
#define SVR_ON 0x100u
#define VERSION 0x00050014u /* integrated APIC; six entries in the local vector table */
#define MSR_APIC_BASE 0x1bu
#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_X2APIC 0x800u

/* What can be written in each entry of the local vector table (11.5.1, figure 11-8). */
static const uint32_t lvt_bits[VMM_LVTS] = { 0x700ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff };

static void reset(struct vmm_lapic *a)
{
	a->tpr = a->ldr = a->esr = a->esr_next = a->icr_high = a->icr_low = a->initial = a->divide = 0;
	a->dfr = 0xffffffff;
	a->svr = 0xff;
	memset(a->irr, 0, sizeof(a->irr));
	memset(a->isr, 0, sizeof(a->isr));
	memset(a->tmr, 0, sizeof(a->tmr));
	for (unsigned i = 0; i < VMM_LVTS; i++)
		a->lvt[i] = LVT_MASKED;
	a->deadline = VMM_NEVER;
	a->tsc_deadline = 0;
}

void vmm_lapic_init(struct vmm_lapic *a, unsigned id, struct vmm_time time)
{
	memset(a, 0, sizeof(*a));
	a->time = time;
	a->id = id;
	a->base = VMM_LAPIC_BASE | BASE_EN | BASE_BSP;
	reset(a);
}

static bool x2(const struct vmm_lapic *a)
{
	return a->base & BASE_X2;
}

/* -- bit sets of vectors -- */

static int highest(const uint32_t set[8])
{
	for (int i = 7; i >= 0; i--)
		if (set[i])
			return i * 32 + 31 - __builtin_clz(set[i]);
	return -1;
}

static bool has(const uint32_t set[8], unsigned v)
{
	return set[v / 32] >> (v & 31) & 1;
}

static void put(uint32_t set[8], unsigned v, bool on)
{
	uint32_t bit = 1u << (v & 31);

	set[v / 32] = on ? set[v / 32] | bit : set[v / 32] & ~bit;
}

/* -- acceptance (11.8) -- */

static uint32_t ppr(const struct vmm_lapic *a)
{
	int s = highest(a->isr);
	uint32_t service = s < 0 ? 0 : (uint32_t)s & 0xf0;

	return (a->tpr & 0xf0) >= service ? a->tpr : service;
}

static void error(struct vmm_lapic *a, uint32_t bit)
{
	bool first = !a->esr_next;

	a->esr_next |= bit;
	if (first && !(a->lvt[VMM_LVT_ERROR] & LVT_MASKED) && (a->lvt[VMM_LVT_ERROR] & 0xff) > 15)
		vmm_lapic_deliver(a, MODE_FIXED, a->lvt[VMM_LVT_ERROR] & 0xff, false);
}

static void tell(struct vmm_lapic *a, enum vmm_lapic_signal what, unsigned vector)
{
	if (a->signal)
		a->signal(a->arg, what, vector);
}

void vmm_lapic_deliver(struct vmm_lapic *a, unsigned mode, unsigned vector, bool level)
{
	if (!(a->base & BASE_EN))
		return;
	switch (mode) {
	case MODE_FIXED:
	case MODE_LOWEST:
		if (vector < 16) {
			error(a, ESR_VECTOR);
			return;
		}
		if (!(a->svr & SVR_ON))
			return;
		put(a->irr, vector, true);
		put(a->tmr, vector, level);
		return;
	case MODE_SMI:
		tell(a, VMM_LAPIC_SMI, 0);
		return;
	case MODE_NMI:
		tell(a, VMM_LAPIC_NMI, 0);
		return;
	case MODE_INIT:
		tell(a, VMM_LAPIC_INIT, 0);
		return;
	case MODE_SIPI:
		tell(a, VMM_LAPIC_SIPI, vector);
		return;
	}
}

bool vmm_lapic_is_for(const struct vmm_lapic *a, unsigned dest, bool logical)
{
	if (!logical)
		return dest == a->id || dest == (x2(a) ? 0xffffffff : 0xff);
	if (x2(a)) { /* 11.12.10.2: a cluster and one of its sixteen */
		unsigned ldr = a->id >> 4 << 16 | 1u << (a->id & 15);

		return dest == 0xffffffff || (dest >> 16 == ldr >> 16 && (dest & ldr & 0xffff));
	}
	if (a->dfr >> 28 == 15) /* flat */
		return dest & a->ldr >> 24;
	return (dest >> 4 == 15 || dest >> 4 == a->ldr >> 28) && (dest & a->ldr >> 24 & 15);
}

int vmm_lapic_pending(const struct vmm_lapic *a)
{
	int v = highest(a->irr);

	return v >= 0 && ((uint32_t)v & 0xf0) > (ppr(a) & 0xf0) ? v : -1;
}

int vmm_lapic_ack(struct vmm_lapic *a)
{
	int v = vmm_lapic_pending(a);

	if (v < 0)
		return -1;
	put(a->irr, (unsigned)v, false);
	put(a->isr, (unsigned)v, true);
	return v;
}

static void end_of_interrupt(struct vmm_lapic *a)
{
	int v = highest(a->isr);

	if (v < 0)
		return;
	put(a->isr, (unsigned)v, false);
	if (has(a->tmr, (unsigned)v) && a->eoi)
		a->eoi(a->arg, (unsigned)v);
}

void vmm_lapic_set_cr8(struct vmm_lapic *a, unsigned cr8)
{
	a->tpr = (cr8 & 15) << 4;
}

/* -- the 8259A at LINT0 -- */

static unsigned mode_of(uint32_t lvt)
{
	return lvt >> 8 & 7;
}

bool vmm_lapic_ext_pending(const struct vmm_lapic *a)
{
	uint32_t l = a->lvt[VMM_LVT_LINT0];

	return a->ext && (!(a->base & BASE_EN) || (!(l & LVT_MASKED) && mode_of(l) == MODE_EXT));
}

void vmm_lapic_lint0(void *lapic, unsigned n, bool level)
{
	struct vmm_lapic *a = lapic;
	uint32_t l = a->lvt[VMM_LVT_LINT0];
	bool rises = level && !a->ext;

	(void)n;
	a->ext = level;
	if (rises && !(l & LVT_MASKED) && mode_of(l) != MODE_EXT)
		vmm_lapic_deliver(a, mode_of(l), l & 0xff, l & LVT_LEVEL);
}

/* -- the timer (11.5.4) -- */

static unsigned timer_mode(const struct vmm_lapic *a)
{
	return a->lvt[VMM_LVT_TIMER] >> 17 & 3;
}

static unsigned divider(const struct vmm_lapic *a)
{
	unsigned d = (a->divide & 3) | (a->divide >> 1 & 4);

	return d == 7 ? 1 : 2u << d;
}

static uint64_t period(const struct vmm_lapic *a)
{
	return vmm_ns_of((uint64_t)a->initial * divider(a), VMM_LAPIC_HZ);
}

static void start(struct vmm_lapic *a)
{
	a->deadline = a->initial && timer_mode(a) != TIMER_TSC ? vmm_time_ns(&a->time) + period(a) : VMM_NEVER;
}

static uint32_t current(const struct vmm_lapic *a)
{
	uint64_t t = vmm_time_ns(&a->time);

	if (a->deadline == VMM_NEVER || timer_mode(a) == TIMER_TSC || t >= a->deadline)
		return 0;
	return (uint32_t)(vmm_ticks_of(a->deadline - t, VMM_LAPIC_HZ) / divider(a));
}

uint64_t vmm_lapic_next(struct vmm_lapic *a)
{
	return a->deadline;
}

void vmm_lapic_tick(struct vmm_lapic *a)
{
	uint64_t t = vmm_time_ns(&a->time), each;

	if (t < a->deadline)
		return;
	switch (timer_mode(a)) {
	case TIMER_PERIODIC:
		each = period(a);
		a->deadline += each ? ((t - a->deadline) / each + 1) * each : VMM_NEVER - a->deadline;
		break;
	case TIMER_TSC:
		if (a->tsc(a->tsc_arg) < a->tsc_deadline) { /* the two clocks round differently */
			a->deadline = t + 1;
			return;
		}
		a->tsc_deadline = 0;
		/* fall through: armed once */
		__attribute__((fallthrough));
	default:
		a->deadline = VMM_NEVER;
	}
	if (!(a->lvt[VMM_LVT_TIMER] & LVT_MASKED))
		vmm_lapic_deliver(a, MODE_FIXED, a->lvt[VMM_LVT_TIMER] & 0xff, false);
}

static void set_tsc_deadline(struct vmm_lapic *a, uint64_t v)
{
	if (timer_mode(a) != TIMER_TSC || !a->tsc_ns)
		return;
	a->tsc_deadline = v;
	a->deadline = v ? a->tsc_ns(a->tsc_arg, v) : VMM_NEVER;
}

static void write_lvt(struct vmm_lapic *a, unsigned i, uint32_t v)
{
	unsigned before = timer_mode(a);

	a->lvt[i] = (v & lvt_bits[i]) | (a->svr & SVR_ON ? 0 : LVT_MASKED);
	if (i == VMM_LVT_LINT0 && a->ext && !(v & LVT_MASKED) && mode_of(v) != MODE_EXT && (v & LVT_LEVEL))
		vmm_lapic_deliver(a, mode_of(v), v & 0xff, true);
	/* 11.5.4.1: to and from TSC deadlines disarms. */
	if (i == VMM_LVT_TIMER && (before == TIMER_TSC) != (timer_mode(a) == TIMER_TSC)) {
		a->deadline = VMM_NEVER;
		a->tsc_deadline = 0;
	}
}

/* -- messages (11.6) -- */

static void send(struct vmm_lapic *a, uint32_t low, uint32_t dest)
{
	unsigned shorthand = low >> 18 & 3, mode = low >> 8 & 7;
	bool level = low & LVT_LEVEL, assert = low & 1u << 14;

	if (mode <= MODE_LOWEST && (low & 0xff) < 16) {
		error(a, ESR_SEND_VECTOR);
		return;
	}
	if (mode == MODE_INIT && level && !assert) /* de-assert: of old processors */
		return;
	if (shorthand == 3 || (shorthand == 0 && !vmm_lapic_is_for(a, dest, low & 1u << 11)))
		return; /* nobody else is here */
	vmm_lapic_deliver(a, mode, low & 0xff, false);
}

/* -- registers; `r` is the offset in 16 bytes -- */

static uint32_t read_register(struct vmm_lapic *a, unsigned r)
{
	if (r >= R_LVT && r < R_LVT + VMM_LVTS)
		return a->lvt[r - R_LVT];
	if (r >= R_ISR && r < R_ISR + 8)
		return a->isr[r - R_ISR];
	if (r >= R_TMR && r < R_TMR + 8)
		return a->tmr[r - R_TMR];
	if (r >= R_IRR && r < R_IRR + 8)
		return a->irr[r - R_IRR];
	switch (r) {
	case R_ID:
		return x2(a) ? a->id : a->id << 24;
	case R_VERSION:
		return VERSION;
	case R_TPR:
		return a->tpr;
	case R_APR: /* of old processors; no bus arbitrates */
		return 0;
	case R_PPR:
		return ppr(a);
	case R_LDR:
		return x2(a) ? a->id >> 4 << 16 | 1u << (a->id & 15) : a->ldr;
	case R_DFR:
		return a->dfr;
	case R_SVR:
		return a->svr;
	case R_ESR:
		return a->esr;
	case R_ICR:
		return a->icr_low;
	case R_ICR_HIGH:
		return a->icr_high;
	case R_INITIAL:
		return a->initial;
	case R_CURRENT:
		return current(a);
	case R_DIVIDE:
		return a->divide;
	}
	error(a, ESR_REGISTER);
	return 0;
}

static void write_register(struct vmm_lapic *a, unsigned r, uint32_t v)
{
	if (r >= R_LVT && r < R_LVT + VMM_LVTS) {
		write_lvt(a, r - R_LVT, v);
		return;
	}
	switch (r) {
	case R_ID:
		a->id = v >> 24;
		return;
	case R_TPR:
		a->tpr = v & 0xff;
		return;
	case R_EOI:
		end_of_interrupt(a);
		return;
	case R_LDR:
		a->ldr = v & 0xff000000;
		return;
	case R_DFR:
		a->dfr = v | 0x0fffffff;
		return;
	case R_SVR:
		a->svr = v & 0x1ff;
		if (!(v & SVR_ON)) /* 11.4.7.2: masked, and not to be unmasked */
			for (unsigned i = 0; i < VMM_LVTS; i++)
				a->lvt[i] |= LVT_MASKED;
		return;
	case R_ESR: /* 11.5.3: a write shows what was found since the last one */
		a->esr = a->esr_next;
		a->esr_next = 0;
		return;
	case R_ICR:
		a->icr_low = v & 0xccfff; /* delivered at once: never pending */
		send(a, v, x2(a) ? a->icr_high : a->icr_high >> 24);
		return;
	case R_ICR_HIGH:
		a->icr_high = v & 0xff000000;
		return;
	case R_INITIAL:
		if (timer_mode(a) == TIMER_TSC)
			return;
		a->initial = v;
		start(a);
		return;
	case R_DIVIDE: {
		uint32_t left = current(a);

		a->divide = v & 11;
		if (a->deadline != VMM_NEVER && timer_mode(a) != TIMER_TSC)
			a->deadline = vmm_time_ns(&a->time) +
				      vmm_ns_of((uint64_t)left * divider(a), VMM_LAPIC_HZ);
		return;
	}
	case R_VERSION:
	case R_APR:
	case R_PPR:
	case R_CURRENT:
		return;
	}
	error(a, ESR_REGISTER);
}

uint64_t vmm_lapic_read(void *lapic, unsigned off, unsigned size)
{
	struct vmm_lapic *a = lapic;

	/* 11.4.1: 32 bits at multiples of 16. Others read as parts of that, which is as good as any. */
	(void)size;
	return off & 12 ? 0 : read_register(a, off >> 4) >> 8 * (off & 3);
}

void vmm_lapic_write(void *lapic, unsigned off, unsigned size, uint64_t value)
{
	if (!(off & 15) && size == 4)
		write_register(lapic, off >> 4, (uint32_t)value);
}

/* -- MSRs (11.4.4, 11.5.4.1, 11.12) -- */

static bool write_base(struct vmm_lapic *a, uint64_t v)
{
	bool on = v & BASE_EN, extended = v & BASE_X2;

	if (v & ~(0xfffffff000ull | BASE_BSP | BASE_X2 | BASE_EN))
		return false;
	/* 11.12.5: from off to x2APIC, from there to xAPIC, and x2APIC without APIC do not exist. */
	if ((extended && !on) || (extended && !(a->base & BASE_EN)) || (x2(a) && on && !extended))
		return false;
	if ((a->base & BASE_EN) && !on)
		reset(a);
	a->base = v;
	return true;
}

bool vmm_lapic_rdmsr(struct vmm_lapic *a, uint32_t index, uint64_t *value)
{
	unsigned r = index - MSR_X2APIC;

	if (index == MSR_APIC_BASE) {
		*value = a->base;
		return true;
	}
	if (index == MSR_TSC_DEADLINE) {
		*value = a->tsc_deadline;
		return a->tsc_ns;
	}
	if (r > R_SELF || !x2(a) || r == R_EOI || r == R_DFR || r == R_ICR_HIGH || r == R_SELF || r == R_APR)
		return false;
	if (r == R_ICR) {
		*value = (uint64_t)a->icr_high << 32 | a->icr_low;
		return true;
	}
	a->esr_next &= ~(uint32_t)ESR_REGISTER;
	*value = read_register(a, r);
	return !(a->esr_next & ESR_REGISTER);
}

bool vmm_lapic_wrmsr(struct vmm_lapic *a, uint32_t index, uint64_t value)
{
	unsigned r = index - MSR_X2APIC;

	if (index == MSR_APIC_BASE)
		return write_base(a, value);
	if (index == MSR_TSC_DEADLINE) {
		set_tsc_deadline(a, value);
		return a->tsc_ns;
	}
	if (r > R_SELF || !x2(a) || r == R_ID || r == R_VERSION || r == R_PPR || r == R_LDR || r == R_DFR ||
	    r == R_ICR_HIGH || r == R_CURRENT || r == R_APR)
		return false;
	if (r == R_ICR) {
		a->icr_high = (uint32_t)(value >> 32);
		write_register(a, R_ICR, (uint32_t)value);
		return true;
	}
	if (value >> 32 || ((r == R_EOI || r == R_ESR) && value))
		return false;
	if (r == R_SELF) {
		vmm_lapic_deliver(a, MODE_FIXED, value & 0xff, false);
		return true;
	}
	a->esr_next &= ~(uint32_t)ESR_REGISTER;
	write_register(a, r, (uint32_t)value);
	return !(a->esr_next & ESR_REGISTER);
}
