/* Clock, keyboard controller, power management, PCI, fw_cfg, each from its manual; and the board: ports on the
 * bus, interrupts from the wire to the CPU.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "vmm/machine.h"

#define SECOND 1000000000ull
#define NOW 1583020798 /* 2020-02-29 23:59:58 UTC, a Saturday */

static struct vmm_pc pc;
static struct vmm_bus pio, mmio;
static uint64_t clock_ns;
static unsigned resets, offs;

static uint64_t ns(void *arg)
{
	(void)arg;
	return clock_ns;
}

static void on_reset(void *arg)
{
	(void)arg;
	resets++;
}

static void on_off(void *arg)
{
	(void)arg;
	offs++;
}

static int setup(void **state)
{
	const struct vmm_pc_owner owner = { .reset = on_reset, .off = on_off };

	(void)state;
	clock_ns = 7 * SECOND;
	resets = offs = 0;
	memset(&pio, 0, sizeof(pio));
	memset(&mmio, 0, sizeof(mmio));
	assert_int_equal(vmm_pc_init(&pc, &owner, (struct vmm_time){ ns, NULL }, 256u << 20, NOW, &pio, &mmio), 0);
	return 0;
}

static void out8(unsigned port, unsigned v) { vmm_bus_write(&pio, port, 1, v); }
static unsigned in8(unsigned port) { return (unsigned)vmm_bus_read(&pio, port, 1); }

static unsigned cmos(unsigned i)
{
	out8(0x70, i);
	return in8(0x71);
}

static void set_cmos(unsigned i, unsigned v)
{
	out8(0x70, i);
	out8(0x71, v);
}

static void assert_time(const unsigned want[6]) /* s m h d month y */
{
	static const unsigned cell[6] = { 0, 2, 4, 7, 8, 9 };

	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(cmos(cell[i]), want[i]);
}

static void rtc_time(void **state)
{
	(void)state;
	assert_time((const unsigned[]){ 0x58, 0x59, 0x23, 0x29, 0x02, 0x20 });
	assert_int_equal(cmos(6), 7); /* Saturday */
	assert_int_equal(cmos(0x32), 0x20);
	clock_ns += 2 * SECOND;
	assert_time((const unsigned[]){ 0, 0, 0, 0x01, 0x03, 0x20 });
	set_cmos(11, 0x04); /* binary, 12 hours */
	assert_int_equal(cmos(4), 12); /* midnight is 12 AM */
	clock_ns += 13 * 3600 * SECOND;
	assert_int_equal(cmos(4), 0x81);
}

static void rtc_set(void **state)
{
	(void)state;
	set_cmos(11, 0x82); /* SET: stands still */
	set_cmos(0, 0x30);
	set_cmos(2, 0x15);
	set_cmos(4, 0x08);
	set_cmos(7, 0x31);
	set_cmos(8, 0x12);
	set_cmos(9, 0x99);
	set_cmos(0x32, 0x19);
	clock_ns += 10 * SECOND;
	assert_int_equal(cmos(0), 0x30);
	set_cmos(11, 0x02);
	clock_ns += SECOND;
	assert_time((const unsigned[]){ 0x31, 0x15, 0x08, 0x31, 0x12, 0x99 });
	set_cmos(2, 0x20); /* one byte of a running clock */
	assert_time((const unsigned[]){ 0x31, 0x20, 0x08, 0x31, 0x12, 0x99 });
}

/* The calendar against the C library's, over four centuries and the turn of the epoch. */
static void rtc_calendar(void **state)
{
	(void)state;
	for (int64_t t = -5000000000; t < 7500000000; t += 86400 * 13 + 7777) {
		time_t c = (time_t)t;
		struct tm tm;

		gmtime_r(&c, &tm);
		vmm_rtc_init(&pc.rtc, (struct vmm_time){ ns, NULL }, (struct vmm_line){ 0 }, t, 1 << 20);
		set_cmos(11, 0x06);
		assert_time((const unsigned[]){ (unsigned)tm.tm_sec, (unsigned)tm.tm_min, (unsigned)tm.tm_hour,
						(unsigned)tm.tm_mday, (unsigned)tm.tm_mon + 1, (unsigned)(tm.tm_year + 1900) % 100 });
		assert_int_equal(cmos(6), tm.tm_wday + 1);
		set_cmos(11, 0x86);
		set_cmos(11, 0x06); /* taken back as it stands */
		assert_int_equal(pc.rtc.epoch + 7, t);
	}
}

static void rtc_uip(void **state)
{
	(void)state;
	assert_int_equal(cmos(10), 0x26);
	clock_ns += SECOND - 1000;
	assert_int_equal(cmos(10), 0xa6);
	clock_ns += 1000;
	assert_int_equal(cmos(10), 0x26);
	assert_int_equal(cmos(13), 0x80);
}

static void pic_on(void)
{
	static const uint8_t words[] = { 0x11, 0x30, 0x04, 0x01, 0x11, 0x38, 0x02, 0x01 };

	for (unsigned i = 0; i < 8; i++)
		out8((i < 4 ? 0x20 : 0xa0) + (i % 4 != 0), words[i]);
	out8(0x21, 0);
	out8(0xa1, 0);
	vmm_pc_after_bios(&pc);
}

static void end_irq8(void)
{
	out8(0xa0, 0x20);
	out8(0x20, 0x20);
}

static void rtc_interrupts(void **state)
{
	(void)state;
	pic_on();
	set_cmos(11, 0x12); /* at each update */
	assert_int_equal(vmm_rtc_next(&pc.rtc), 8 * SECOND);
	clock_ns = 8 * SECOND;
	vmm_pc_tick(&pc);
	assert_true(vmm_pc_pending(&pc));
	assert_int_equal(vmm_pc_ack(&pc), 0x38);
	assert_int_equal(cmos(12) & 0x90, 0x90);
	assert_int_equal(cmos(12), 0);
	end_irq8();
	set_cmos(11, 0x22); /* alarm at **:**:05 */
	set_cmos(1, 0x05);
	set_cmos(3, 0xff);
	set_cmos(5, 0xc0);
	clock_ns += 5 * SECOND; /* 00:00:04 */
	vmm_pc_tick(&pc);
	assert_false(vmm_pc_pending(&pc));
	clock_ns += SECOND;
	vmm_pc_tick(&pc);
	assert_int_equal(vmm_pc_ack(&pc), 0x38);
	assert_int_equal(cmos(12) & 0xa0, 0xa0);
	end_irq8();
	set_cmos(11, 0x42); /* 1024 Hz */
	clock_ns = vmm_rtc_next(&pc.rtc);
	assert_true(clock_ns % SECOND <= SECOND / 1024 + 1);
	vmm_pc_tick(&pc);
	assert_int_equal(vmm_pc_ack(&pc), 0x38);
	assert_int_equal(cmos(12) & 0xc0, 0xc0);
}

static void cmos_memory(void **state)
{
	(void)state;
	assert_int_equal(cmos(0x15) | cmos(0x16) << 8, 640);
	assert_int_equal(cmos(0x17) | cmos(0x18) << 8, 0xfc00);
	assert_int_equal(cmos(0x34) | cmos(0x35) << 8, (256 - 16) << 4);
	set_cmos(0x4f, 0x5a);
	assert_int_equal(cmos(0x4f), 0x5a);
}

static void keyboard(void **state)
{
	(void)state;
	assert_int_equal(in8(0x64) & 1, 0);
	out8(0x64, 0xaa);
	assert_int_equal(in8(0x64) & 0x21, 1);
	assert_int_equal(in8(0x60), 0x55);
	assert_int_equal(in8(0x64) & 1, 0);
	out8(0x64, 0x60);
	out8(0x60, 0x47);
	out8(0x64, 0x20);
	assert_int_equal(in8(0x60), 0x47);
	out8(0x64, 0xd0);
	assert_int_equal(in8(0x60) & 3, 3); /* runs, A20 open */
	out8(0x60, 0xff); /* for a keyboard that is not there */
	assert_int_equal(in8(0x64) & 1, 0);
	pic_on();
	out8(0x64, 0xd2);
	out8(0x60, 0x1e);
	assert_int_equal(vmm_pc_ack(&pc), 0x31);
	out8(0x64, 0xd3);
	out8(0x60, 0x08);
	assert_int_equal(in8(0x64) & 0x21, 0x21);
	assert_int_equal(in8(0x60), 0x08);
}

static void resetting(void **state)
{
	(void)state;
	out8(0x64, 0xfe);
	assert_int_equal(resets, 1);
	assert_int_equal(in8(0x92), 2);
	out8(0x92, 3);
	assert_int_equal(resets, 2);
	out8(0x92, 3); /* not an edge */
	assert_int_equal(resets, 2);
	out8(0xcf9, 2);
	assert_int_equal(resets, 2);
	out8(0xcf9, 6);
	assert_int_equal(resets, 3);
	out8(0x64, 0xd1);
	out8(0x60, 0xde);
	assert_int_equal(resets, 4);
	vmm_lapic_write(&pc.lapic, 0x300, 4, 0x4500); /* INIT to itself */
	assert_int_equal(resets, 5);
}

static void power(void **state)
{
	uint64_t t = vmm_bus_read(&pio, 0x608, 4);

	(void)state;
	clock_ns += SECOND;
	assert_int_equal((vmm_bus_read(&pio, 0x608, 4) - t) & 0xffffff, VMM_PM_TIMER_HZ);
	assert_int_equal(vmm_bus_read(&pio, 0x604, 2) & 1, 1); /* ACPI mode */
	vmm_bus_write(&pio, 0x604, 2, 1 << 10 | 1 << 13); /* another state of sleep */
	assert_int_equal(offs, 0);
	vmm_bus_write(&pio, 0x604, 2, VMM_PM_S5 << 10);
	assert_int_equal(offs, 0);
	vmm_bus_write(&pio, 0x604, 2, VMM_PM_S5 << 10 | 1 << 13);
	assert_int_equal(offs, 1);
}

static uint32_t config(uint32_t at, unsigned size)
{
	vmm_bus_write(&pio, 0xcf8, 4, 0x80000000 | (at & ~3u));
	return (uint32_t)vmm_bus_read(&pio, 0xcfc + (at & 3), size);
}

static void pci(void **state)
{
	(void)state;
	assert_int_equal(config(0, 4), 0x12378086);
	assert_int_equal(config(2, 2), 0x1237);
	assert_int_equal(config(0x0a, 2), 0x0600); /* a host bridge */
	assert_int_equal(config(0x800, 4), 0xffffffff); /* device 1 */
	assert_int_equal(config(0x10000, 4), 0xffffffff); /* bus 1 */
	vmm_bus_write(&pio, 0xcf8, 4, 0x80000058);
	vmm_bus_write(&pio, 0xcfd, 1, 0x10);
	assert_int_equal(config(0x59, 1), 0x10);
	vmm_bus_write(&pio, 0xcf8, 4, 0x80000000);
	vmm_bus_write(&pio, 0xcfc, 4, 0); /* the name cannot be written */
	assert_int_equal(config(0, 4), 0x12378086);
	vmm_bus_write(&pio, 0xcf8, 4, 0);
	assert_int_equal(vmm_bus_read(&pio, 0xcfc, 4), 0xffffffff);
}

static void select_item(unsigned key)
{
	vmm_bus_write(&pio, 0x510, 2, key);
}

static void fw_cfg(void **state)
{
	static const char text[] = "hello";
	char dir[4 + 64];

	(void)state;
	select_item(0);
	assert_int_equal(in8(0x511), 'Q');
	assert_int_equal(in8(0x511), 'E');
	select_item(3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(in8(0x511), 0);
	assert_int_equal(in8(0x511), 0x10); /* 256 MiB */
	assert_int_equal(vmm_fwcfg_add_file(&pc.fwcfg, "etc/hello", text, 5), 0);
	select_item(0x19);
	for (unsigned i = 0; i < sizeof(dir); i++)
		dir[i] = (char)in8(0x511);
	assert_memory_equal(dir, "\0\0\0\1\0\0\0\5\0\x20\0\0" "etc/hello", 22);
	select_item(0x20);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(in8(0x511), text[i]);
	assert_int_equal(in8(0x511), 0); /* past the end */
	select_item(0x77);
	assert_int_equal(in8(0x511), 0);
	select_item(0x8000); /* the first item of the architecture is not the signature */
	assert_int_equal(in8(0x511), 0);
	for (unsigned i = 1; i < VMM_FWCFG_FILES; i++)
		assert_int_equal(vmm_fwcfg_add_file(&pc.fwcfg, "x", text, 5), 0);
	assert_true(vmm_fwcfg_add_file(&pc.fwcfg, "x", text, 5) < 0);
}

/* The timer through the 8259A, as a BIOS sets it up; through the I/O APIC, as an operating system does. */
static void timer(void **state)
{
	(void)state;
	pic_on();
	out8(0x43, 0x34);
	out8(0x40, 0xa9);
	out8(0x40, 0x04); /* 1000 Hz */
	assert_false(vmm_pc_pending(&pc));
	assert_in_range(vmm_pc_next(&pc), clock_ns + 990000, clock_ns + 1010000);
	clock_ns = vmm_pc_next(&pc);
	vmm_pc_tick(&pc);
	assert_true(vmm_pc_pending(&pc));
	assert_int_equal(vmm_pc_ack(&pc), 0x30);
	out8(0x20, 0x20);
	out8(0x21, 0xff);
	vmm_bus_write(&mmio, VMM_LAPIC_BASE + 0xf0, 4, 0x1ff);
	vmm_bus_write(&mmio, VMM_IOAPIC_BASE, 4, 0x14); /* pin 2 */
	vmm_bus_write(&mmio, VMM_IOAPIC_BASE + 0x10, 4, 0x70);
	clock_ns = vmm_pc_next(&pc);
	vmm_pc_tick(&pc);
	assert_int_equal(vmm_pc_ack(&pc), 0x70);
	assert_false(vmm_pc_pending(&pc));
}

/* Two boards share nothing. */
static void two(void **state)
{
	static struct vmm_pc other;
	static struct vmm_bus p2, m2;
	const struct vmm_pc_owner owner = { .reset = on_reset, .off = on_off };

	(void)state;
	assert_int_equal(vmm_pc_init(&other, &owner, (struct vmm_time){ ns, NULL }, 64u << 20, 0, &p2, &m2), 0);
	set_cmos(0x50, 1);
	vmm_bus_write(&p2, 0x70, 1, 0x50);
	assert_int_equal(vmm_bus_read(&p2, 0x71, 1), 0);
	pic_on();
	vmm_pc_irq(&pc, VMM_IRQ_COM1, true);
	assert_int_equal(vmm_pc_ack(&pc), 0x34);
	assert_false(vmm_pc_pending(&other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(rtc_time, setup),
		cmocka_unit_test_setup(rtc_set, setup),
		cmocka_unit_test_setup(rtc_calendar, setup),
		cmocka_unit_test_setup(rtc_uip, setup),
		cmocka_unit_test_setup(rtc_interrupts, setup),
		cmocka_unit_test_setup(cmos_memory, setup),
		cmocka_unit_test_setup(keyboard, setup),
		cmocka_unit_test_setup(resetting, setup),
		cmocka_unit_test_setup(power, setup),
		cmocka_unit_test_setup(pci, setup),
		cmocka_unit_test_setup(fw_cfg, setup),
		cmocka_unit_test_setup(timer, setup),
		cmocka_unit_test_setup(two, setup),
	};

	return cmocka_run_group_tests_name("vmm_pc", tests, NULL, NULL);
}
