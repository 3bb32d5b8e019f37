/* The real-time clock with its memory (Motorola MC146818A data sheet; cells beyond 0x0e as IBM's PC/AT BIOS
 * and its successors use them). The time is the host's, moved by what the guest sets.
 */
#include <string.h>

#include "vmm/pc.h"

enum { SECONDS = 0, SECONDS_ALARM = 1, MINUTES = 2, MINUTES_ALARM = 3, HOURS = 4, HOURS_ALARM = 5, WEEKDAY = 6,
       DAY = 7, MONTH = 8, YEAR = 9, REG_A = 10, REG_B = 11, REG_C = 12, REG_D = 13, CENTURY = 0x32 };
enum { A_UIP = 0x80, B_SET = 0x80, B_PIE = 0x40, B_AIE = 0x20, B_UIE = 0x10, B_BINARY = 0x04, B_24 = 0x02,
       C_IRQ = 0x80, C_PF = 0x40, C_AF = 0x20, C_UF = 0x10, D_VALID = 0x80 };
#define SECOND 1000000000u
#define DAY_SECONDS 86400
#define UPDATE_NS 2228000u     /* 244 us of warning and 1984 us of update (table 5) */
#define CRYSTAL 32768u

static int64_t wall(const struct vmm_rtc *r)
{
	return r->epoch + (int64_t)(vmm_time_ns(&r->time) / SECOND);
}

/* -- the ten bytes of time -- */

static uint8_t encode(const struct vmm_rtc *r, int v)
{
	return (uint8_t)(r->ram[REG_B] & B_BINARY ? v : v / 10 << 4 | v % 10);
}

static int decode(const struct vmm_rtc *r, uint8_t v)
{
	return r->ram[REG_B] & B_BINARY ? v : (v >> 4) * 10 + (v & 15);
}

static uint8_t encode_hour(const struct vmm_rtc *r, int h)
{
	if (r->ram[REG_B] & B_24)
		return encode(r, h);
	return (uint8_t)(encode(r, h % 12 ? h % 12 : 12) | (h >= 12 ? 0x80 : 0));
}

static int decode_hour(const struct vmm_rtc *r, uint8_t v)
{
	if (r->ram[REG_B] & B_24)
		return decode(r, v);
	return decode(r, v & 0x7f) % 12 + (v & 0x80 ? 12 : 0);
}

/* The calendar by hand: the C library's would read files about time zones, which an experiment may not. Years are
 * counted from March, so that the odd day is the last. Days since 1970-01-01. */
static int64_t days_of(int year, int month, int day)
{
	int64_t y = year - (month < 3), era = (y < 0 ? y - 399 : y) / 400;
	int64_t of_year = (153 * (month + (month < 3 ? 9 : -3)) + 2) / 5 + day - 1, of_era = y - era * 400;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, int *year, int *month, int *day)
{
	int64_t d = days + 719468, era = (d < 0 ? d - 146096 : d) / 146097, of_era = d - era * 146097;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;

	*day = (int)(of_year - (153 * m + 2) / 5 + 1);
	*month = (int)(m < 10 ? m + 3 : m - 9);
	*year = (int)(y + era * 400 + (*month < 3));
}

static void show_time(struct vmm_rtc *r, int64_t at)
{
	int64_t days = (at < 0 ? at - DAY_SECONDS + 1 : at) / DAY_SECONDS;
	int year, month, day, s = (int)(at - days * DAY_SECONDS);

	date_of(days, &year, &month, &day);
	r->ram[SECONDS] = encode(r, s % 60);
	r->ram[MINUTES] = encode(r, s / 60 % 60);
	r->ram[HOURS] = encode_hour(r, s / 3600);
	r->ram[WEEKDAY] = encode(r, (int)(((days + 4) % 7 + 7) % 7) + 1); /* the first day was a Thursday */
	r->ram[DAY] = encode(r, day);
	r->ram[MONTH] = encode(r, month);
	r->ram[YEAR] = encode(r, year % 100);
	r->ram[CENTURY] = (uint8_t)(year / 1000 << 4 | year / 100 % 10);
}

static void take_time(struct vmm_rtc *r)
{
	int century = (r->ram[CENTURY] >> 4) * 10 + (r->ram[CENTURY] & 15);
	int64_t days = days_of(century * 100 + decode(r, r->ram[YEAR]), decode(r, r->ram[MONTH]), decode(r, r->ram[DAY]));

	r->epoch = days * DAY_SECONDS + decode_hour(r, r->ram[HOURS]) * 3600 + decode(r, r->ram[MINUTES]) * 60 +
		   decode(r, r->ram[SECONDS]) - (int64_t)(vmm_time_ns(&r->time) / SECOND);
}

static bool set_mode(const struct vmm_rtc *r)
{
	return r->ram[REG_B] & B_SET;
}

/* -- interrupts -- */

static void flag(struct vmm_rtc *r, uint8_t bits)
{
	r->ram[REG_C] |= bits;
	/* The flags of C stand where their enables stand in B. */
	if (r->ram[REG_C] & r->ram[REG_B] & (C_PF | C_AF | C_UF))
		r->ram[REG_C] |= C_IRQ;
	else
		r->ram[REG_C] &= (uint8_t)~C_IRQ;
	vmm_line_set(&r->irq, r->ram[REG_C] & C_IRQ);
}

/* Ticks of the crystal between two periodic interrupts; 0: off (table 3: the first two are as 8 and 9). */
static uint64_t rate(const struct vmm_rtc *r)
{
	unsigned rs = r->ram[REG_A] & 15;

	return !rs ? 0 : 1ull << ((rs < 3 ? rs + 7 : rs) - 1);
}

static void plan(struct vmm_rtc *r)
{
	uint64_t each = rate(r), t = vmm_ticks_of(vmm_time_ns(&r->time), CRYSTAL);

	r->periodic = each ? vmm_ns_of((t / each + 1) * each, CRYSTAL) : VMM_NEVER;
}

static bool alarm(struct vmm_rtc *r, int64_t at)
{
	static const uint8_t reg[3] = { SECONDS, MINUTES, HOURS };

	show_time(r, at);
	for (unsigned i = 0; i < 3; i++) {
		uint8_t want = r->ram[reg[i] + 1];

		if ((want & 0xc0) != 0xc0 && want != r->ram[reg[i]]) /* 0xc0 and above: any */
			return false;
	}
	return true;
}

void vmm_rtc_tick(struct vmm_rtc *r)
{
	uint64_t t = vmm_time_ns(&r->time), s = t / SECOND;
	uint8_t bits = 0;

	if (t >= r->periodic) {
		bits |= C_PF;
		plan(r);
	}
	if (s > r->second && !set_mode(r)) {
		bits |= C_UF;
		/* A day has every alarm. */
		for (uint64_t i = s - r->second > 86400 ? s - 86400 : r->second; i < s && !(bits & C_AF); i++)
			if (alarm(r, r->epoch + (int64_t)i + 1))
				bits |= C_AF;
	}
	r->second = s;
	if (bits)
		flag(r, bits);
}

uint64_t vmm_rtc_next(struct vmm_rtc *r)
{
	uint64_t at = r->ram[REG_B] & B_PIE ? r->periodic : VMM_NEVER, second = (r->second + 1) * SECOND;

	return (r->ram[REG_B] & (B_AIE | B_UIE)) && !set_mode(r) && second < at ? second : at;
}

/* -- memory -- */

static void put16(struct vmm_rtc *r, unsigned cell, uint64_t v)
{
	r->ram[cell] = (uint8_t)v;
	r->ram[cell + 1] = (uint8_t)(v >> 8);
}

static void sizes(struct vmm_rtc *r, uint64_t memory)
{
	uint64_t low = memory < 0xc0000000u ? memory : 0xc0000000u;
	uint64_t above1 = low > 1 << 20 ? (low - (1 << 20)) >> 10 : 0;
	uint64_t above16 = low > 16 << 20 ? (low - (16 << 20)) >> 16 : 0;
	uint64_t high = (memory - low) >> 16;

	put16(r, 0x15, 640);                            /* KiB of base memory */
	put16(r, 0x17, above1 < 0xfc00 ? above1 : 0xfc00); /* KiB above 1 MiB, as far as 64 MiB */
	put16(r, 0x30, above1 < 0xfc00 ? above1 : 0xfc00);
	put16(r, 0x34, above16);                        /* 64 KiB above 16 MiB */
	put16(r, 0x5b, high);                           /* 64 KiB above 4 GiB, 24 bits */
	r->ram[0x5d] = (uint8_t)(high >> 16);
	r->ram[0x14] = 0x02;                            /* equipment: a coprocessor, no floppy, no display */
}

void vmm_rtc_init(struct vmm_rtc *r, struct vmm_time time, struct vmm_line irq, int64_t now, uint64_t memory)
{
	memset(r, 0, sizeof(*r));
	r->time = time;
	r->irq = irq;
	r->second = vmm_time_ns(&time) / SECOND;
	r->epoch = now - (int64_t)r->second;
	r->ram[REG_A] = 0x26; /* 32.768 kHz, 1024 Hz */
	r->ram[REG_B] = B_24;
	r->ram[REG_D] = D_VALID;
	sizes(r, memory);
	plan(r);
}

static uint8_t read_cell(struct vmm_rtc *r)
{
	unsigned i = r->index;
	uint64_t t = vmm_time_ns(&r->time);
	uint8_t v;

	vmm_rtc_tick(r);
	if (!set_mode(r) && (i == SECONDS || i == MINUTES || i == HOURS || (i >= WEEKDAY && i <= YEAR) || i == CENTURY))
		show_time(r, wall(r));
	v = r->ram[i];
	if (i == REG_A && !set_mode(r) && t % SECOND >= SECOND - UPDATE_NS)
		v |= A_UIP;
	if (i == REG_C) { /* a read clears it */
		r->ram[REG_C] = 0;
		vmm_line_set(&r->irq, false);
	}
	return v;
}

static void write_cell(struct vmm_rtc *r, uint8_t v)
{
	unsigned i = r->index;
	bool time = i <= YEAR || i == CENTURY, was_set = set_mode(r);

	vmm_rtc_tick(r);
	if (i == REG_C || i == REG_D)
		return;
	if (time && !was_set)
		show_time(r, wall(r)); /* the other bytes stay what they are now */
	if (i == REG_B && !was_set && (v & B_SET))
		show_time(r, wall(r)); /* the clock stands still from here on */
	r->ram[i] = i == REG_A ? v & 0x7f : v;
	if (i == REG_B && (v & B_SET))
		r->ram[i] &= (uint8_t)~B_UIE;
	if ((time && !was_set) || (i == REG_B && was_set && !(v & B_SET)))
		take_time(r);
	if (i == REG_A)
		plan(r);
	if (i == REG_B)
		flag(r, 0);
}

uint64_t vmm_rtc_read(void *rtc, unsigned off, unsigned size)
{
	struct vmm_rtc *r = rtc;

	(void)size;
	return off ? read_cell(r) : 0xff; /* the index is write-only */
}

void vmm_rtc_write(void *rtc, unsigned off, unsigned size, uint64_t value)
{
	struct vmm_rtc *r = rtc;

	(void)size;
	if (off)
		write_cell(r, (uint8_t)value);
	else
		r->index = value & 0x7f; /* bit 7 gates the NMI, which nothing here raises */
}
