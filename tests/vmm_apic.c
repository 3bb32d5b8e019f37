/* Local APIC (SDM vol. 3A, chapter 11) and I/O APIC (82093AA data sheet), alone and together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "vmm/pc.h"

enum { ID = 0x20, VERSION = 0x30, TPR = 0x80, PPR = 0xa0, EOI = 0xb0, LDR = 0xd0, DFR = 0xe0, SVR = 0xf0, ISR = 0x100,
       IRR = 0x200, ESR = 0x280, ICR = 0x300, ICR_HIGH = 0x310, TIMER = 0x320, LINT0 = 0x350, ERROR = 0x370,
       INITIAL = 0x380, CURRENT = 0x390, DIVIDE = 0x3e0 };

static struct vmm_lapic a;
static struct vmm_ioapic io;
static uint64_t clock_ns;
static int signalled;

static uint64_t ns(void *arg)
{
	(void)arg;
	return clock_ns;
}

static uint64_t tsc(void *arg)
{
	(void)arg;
	return 2 * clock_ns;
}

static uint64_t tsc_ns(void *arg, uint64_t v)
{
	(void)arg;
	return v / 2;
}

static void on_signal(void *arg, enum vmm_lapic_signal what, unsigned vector)
{
	(void)arg;
	signalled = (int)what << 8 | (int)vector;
}

static void on_eoi(void *arg, unsigned vector)
{
	(void)arg;
	vmm_ioapic_eoi(&io, vector);
}

static void on_message(void *arg, unsigned dest, bool logical, unsigned mode, unsigned vector, bool level)
{
	(void)arg;
	if (vmm_lapic_is_for(&a, dest, logical))
		vmm_lapic_deliver(&a, mode, vector, level);
}

static void wr(unsigned off, uint32_t v) { vmm_lapic_write(&a, off, 4, v); }
static uint32_t rd(unsigned off) { return (uint32_t)vmm_lapic_read(&a, off, 4); }

static int setup(void **state)
{
	(void)state;
	clock_ns = 1000;
	signalled = -1;
	vmm_lapic_init(&a, 0, (struct vmm_time){ ns, NULL });
	a.tsc = tsc;
	a.tsc_ns = tsc_ns;
	a.signal = on_signal;
	a.eoi = on_eoi;
	vmm_ioapic_init(&io);
	io.deliver = on_message;
	wr(SVR, 0x1ff);
	return 0;
}

static void pin(unsigned n, uint64_t e)
{
	vmm_ioapic_write(&io, 0, 4, 0x11 + 2 * n);
	vmm_ioapic_write(&io, 0x10, 4, e >> 32);
	vmm_ioapic_write(&io, 0, 4, 0x10 + 2 * n);
	vmm_ioapic_write(&io, 0x10, 4, e & 0xffffffff);
}

static uint32_t pin_low(unsigned n)
{
	vmm_ioapic_write(&io, 0, 4, 0x10 + 2 * n);
	return (uint32_t)vmm_ioapic_read(&io, 0x10, 4);
}

/* 11.4.7.1: what power-on leaves. */
static void reset(void **state)
{
	(void)state;
	vmm_lapic_init(&a, 3, (struct vmm_time){ ns, NULL });
	assert_int_equal(rd(ID), 3u << 24);
	assert_int_equal(rd(VERSION), 0x50014);
	assert_int_equal(rd(SVR), 0xff);
	assert_int_equal(rd(DFR), 0xffffffff);
	assert_int_equal(rd(LINT0), 0x10000);
	wr(LINT0, 0x700); /* software-disabled: the mask cannot be taken away */
	assert_int_equal(rd(LINT0), 0x10700);
	vmm_lapic_deliver(&a, 0, 0x40, false);
	assert_int_equal(vmm_lapic_pending(&a), -1);
}

/* 11.8.3: priority classes, TPR, PPR. */
static void priorities(void **state)
{
	(void)state;
	vmm_lapic_deliver(&a, 0, 0x41, false);
	vmm_lapic_deliver(&a, 0, 0x52, false);
	assert_int_equal(rd(IRR + 0x20), 1u << 1 | 1u << 18);
	assert_int_equal(vmm_lapic_ack(&a), 0x52);
	assert_int_equal(rd(ISR + 0x20), 1u << 18);
	assert_int_equal(rd(PPR), 0x50);
	assert_int_equal(vmm_lapic_pending(&a), -1);
	vmm_lapic_deliver(&a, 0, 0x5f, false); /* the same class waits */
	assert_int_equal(vmm_lapic_pending(&a), -1);
	vmm_lapic_deliver(&a, 0, 0x60, false);
	assert_int_equal(vmm_lapic_ack(&a), 0x60);
	wr(EOI, 0);
	wr(EOI, 0);
	assert_int_equal(vmm_lapic_pending(&a), 0x5f);
	wr(TPR, 0x55);
	assert_int_equal(vmm_lapic_pending(&a), -1);
	assert_int_equal(vmm_lapic_cr8(&a), 5);
	vmm_lapic_set_cr8(&a, 4);
	assert_int_equal(rd(TPR), 0x40);
	assert_int_equal(vmm_lapic_ack(&a), 0x5f);
}

/* 11.5.3 */
static void errors(void **state)
{
	(void)state;
	wr(ERROR, 0x33);
	wr(ICR, 0x40005); /* to itself, vector 5 */
	assert_int_equal(vmm_lapic_ack(&a), 0x33);
	assert_int_equal(rd(ESR), 0);
	wr(ESR, 0);
	assert_int_equal(rd(ESR), 0x20);
	rd(0x3f0);
	wr(ESR, 0);
	assert_int_equal(rd(ESR), 0x80);
}

static void messages(void **state)
{
	(void)state;
	wr(ICR, 0x40061);
	assert_int_equal(vmm_lapic_ack(&a), 0x61);
	wr(EOI, 0);
	wr(ICR_HIGH, 7u << 24);
	wr(ICR, 0x62); /* for somebody else */
	assert_int_equal(vmm_lapic_pending(&a), -1);
	wr(ICR_HIGH, 0);
	wr(ICR, 0x62);
	assert_int_equal(vmm_lapic_ack(&a), 0x62);
	wr(EOI, 0);
	wr(ICR, 0xc0063); /* all but itself */
	assert_int_equal(vmm_lapic_pending(&a), -1);
	wr(ICR, 0x400);
	assert_int_equal(signalled, VMM_LAPIC_NMI << 8);
	wr(ICR, 0x08500); /* INIT, de-asserted */
	assert_int_equal(signalled, VMM_LAPIC_NMI << 8);
	wr(ICR, 0x0c500);
	assert_int_equal(signalled, VMM_LAPIC_INIT << 8);
}

/* 11.6.2.2: flat and cluster. */
static void logical(void **state)
{
	(void)state;
	wr(LDR, 0x24000000);
	assert_true(vmm_lapic_is_for(&a, 0x04, true));
	assert_true(vmm_lapic_is_for(&a, 0xff, true));
	assert_false(vmm_lapic_is_for(&a, 0x01, true));
	wr(DFR, 0x0fffffff);
	assert_true(vmm_lapic_is_for(&a, 0x26, true));
	assert_false(vmm_lapic_is_for(&a, 0x14, true));
	assert_true(vmm_lapic_is_for(&a, 0xf4, true));
	assert_true(vmm_lapic_is_for(&a, 0xff, false));
	assert_false(vmm_lapic_is_for(&a, 1, false));
}

static void timer(void **state)
{
	(void)state;
	wr(DIVIDE, 0xb); /* by 1 */
	wr(TIMER, 0x40);
	wr(INITIAL, 5000);
	clock_ns += 2000;
	assert_int_equal(rd(CURRENT), 3000);
	assert_int_equal(vmm_lapic_next(&a), 6000);
	clock_ns = 6000;
	vmm_lapic_tick(&a);
	assert_int_equal(vmm_lapic_ack(&a), 0x40);
	assert_int_equal(rd(CURRENT), 0);
	assert_int_equal(vmm_lapic_next(&a), VMM_NEVER);
	wr(EOI, 0);
	wr(TIMER, 0x20041); /* periodic */
	wr(DIVIDE, 0x0); /* by 2 */
	wr(INITIAL, 100);
	clock_ns += 200;
	vmm_lapic_tick(&a);
	assert_int_equal(vmm_lapic_ack(&a), 0x41);
	wr(EOI, 0);
	assert_int_equal(vmm_lapic_next(&a), clock_ns + 200);
	clock_ns += 730;
	vmm_lapic_tick(&a);
	assert_int_equal(vmm_lapic_next(&a), clock_ns + 70);
	wr(TIMER, 0x30041); /* masked: counts, but says nothing */
	vmm_lapic_ack(&a);
	wr(EOI, 0);
	clock_ns += 200;
	vmm_lapic_tick(&a);
	assert_int_equal(vmm_lapic_pending(&a), -1);
	wr(INITIAL, 0);
	assert_int_equal(vmm_lapic_next(&a), VMM_NEVER);
}

/* 11.5.4.1 */
static void tsc_deadline(void **state)
{
	uint64_t v;

	(void)state;
	assert_true(vmm_lapic_wrmsr(&a, 0x6e0, 9000)); /* not in this mode: ignored */
	assert_int_equal(vmm_lapic_next(&a), VMM_NEVER);
	wr(TIMER, 0x40042);
	assert_true(vmm_lapic_wrmsr(&a, 0x6e0, 9000));
	assert_int_equal(vmm_lapic_next(&a), 4500);
	clock_ns = 4499;
	vmm_lapic_tick(&a);
	assert_int_equal(vmm_lapic_pending(&a), -1);
	clock_ns = 4500;
	vmm_lapic_tick(&a);
	assert_int_equal(vmm_lapic_ack(&a), 0x42);
	assert_true(vmm_lapic_rdmsr(&a, 0x6e0, &v));
	assert_int_equal(v, 0);
	vmm_lapic_wrmsr(&a, 0x6e0, 99999);
	wr(TIMER, 0x42); /* another mode disarms */
	assert_int_equal(vmm_lapic_next(&a), VMM_NEVER);
	wr(INITIAL, 5);
	assert_int_equal(vmm_lapic_next(&a), 4510);
}

/* 11.12 */
static void x2apic(void **state)
{
	uint64_t v;

	(void)state;
	assert_false(vmm_lapic_rdmsr(&a, 0x802, &v)); /* not switched on */
	assert_true(vmm_lapic_rdmsr(&a, 0x1b, &v));
	assert_int_equal(v, 0xfee00900);
	assert_false(vmm_lapic_wrmsr(&a, 0x1b, 0xfee00500)); /* extended without enabled */
	assert_true(vmm_lapic_wrmsr(&a, 0x1b, 0xfee00d00));
	assert_true(vmm_lapic_rdmsr(&a, 0x80d, &v));
	assert_int_equal(v, 1);
	assert_true(vmm_lapic_wrmsr(&a, 0x83f, 0x77));
	assert_int_equal(vmm_lapic_ack(&a), 0x77);
	assert_false(vmm_lapic_wrmsr(&a, 0x80b, 1)); /* EOI takes 0 alone */
	assert_true(vmm_lapic_wrmsr(&a, 0x80b, 0));
	assert_true(vmm_lapic_wrmsr(&a, 0x830, 0x0000000000000078));
	assert_int_equal(vmm_lapic_ack(&a), 0x78);
	assert_false(vmm_lapic_wrmsr(&a, 0x802, 1));
	assert_false(vmm_lapic_wrmsr(&a, 0x831, 1));
	assert_false(vmm_lapic_wrmsr(&a, 0x1b, 0xfee00900)); /* only by way of off */
	assert_true(vmm_lapic_wrmsr(&a, 0x1b, 0xfee00100));
	assert_true(vmm_lapic_wrmsr(&a, 0x1b, 0xfee00900));
	assert_int_equal(rd(SVR), 0xff);
}

/* The 8259A behind LINT0. */
static void ext(void **state)
{
	(void)state;
	vmm_lapic_lint0(&a, 0, true);
	assert_false(vmm_lapic_ext_pending(&a));
	wr(LINT0, 0x700);
	assert_true(vmm_lapic_ext_pending(&a));
	wr(LINT0, 0x10700);
	assert_false(vmm_lapic_ext_pending(&a));
	vmm_lapic_wrmsr(&a, 0x1b, 0xfee00100); /* no APIC: the wire goes to the CPU */
	assert_true(vmm_lapic_ext_pending(&a));
	vmm_lapic_wrmsr(&a, 0x1b, 0xfee00900);
	wr(SVR, 0x1ff);
	vmm_lapic_lint0(&a, 0, false);
	wr(LINT0, 0x35); /* fixed */
	vmm_lapic_lint0(&a, 0, true);
	assert_int_equal(vmm_lapic_ack(&a), 0x35);
}

static void io_registers(void **state)
{
	(void)state;
	vmm_ioapic_write(&io, 0, 4, 1);
	assert_int_equal(vmm_ioapic_read(&io, 0x10, 4), 0x170011);
	vmm_ioapic_write(&io, 0, 4, 0);
	vmm_ioapic_write(&io, 0x10, 4, 0xff000000);
	assert_int_equal(vmm_ioapic_read(&io, 0x10, 4), 0x0f000000);
	assert_int_equal(pin_low(5), 0x10000);
	pin(5, 0xff0000000000ffffull);
	assert_int_equal(pin_low(5), 0xafff); /* status bits are not written */
	vmm_ioapic_write(&io, 0, 4, 0x1b);
	assert_int_equal(vmm_ioapic_read(&io, 0x10, 4), 0xff000000);
}

static void io_edge(void **state)
{
	(void)state;
	vmm_ioapic_input(&io, 4, true);
	pin(4, 0x44);
	assert_int_equal(vmm_lapic_pending(&a), -1); /* the edge came while it was masked: lost */
	vmm_ioapic_input(&io, 4, false);
	vmm_ioapic_input(&io, 4, true);
	assert_int_equal(vmm_lapic_ack(&a), 0x44);
	vmm_ioapic_input(&io, 4, true);
	assert_int_equal(vmm_lapic_pending(&a), -1);
	wr(EOI, 0);
	vmm_ioapic_input(&io, 4, false);
	pin(4, 0x0100000000000044ull); /* for another CPU */
	vmm_ioapic_input(&io, 4, true);
	assert_int_equal(vmm_lapic_pending(&a), -1);
}

static void io_level(void **state)
{
	(void)state;
	pin(9, 0x8055);
	vmm_ioapic_input(&io, 9, true);
	assert_int_equal(pin_low(9), 0xc055); /* remote IRR */
	assert_int_equal(vmm_lapic_ack(&a), 0x55);
	wr(EOI, 0); /* the line still asks */
	assert_int_equal(vmm_lapic_ack(&a), 0x55);
	vmm_ioapic_input(&io, 9, false);
	wr(EOI, 0);
	assert_int_equal(vmm_lapic_pending(&a), -1);
	assert_int_equal(pin_low(9), 0x8055);
	pin(9, 0x18055);
	vmm_ioapic_input(&io, 9, true);
	assert_int_equal(vmm_lapic_pending(&a), -1);
	pin(9, 0x8055); /* a level waits behind the mask */
	assert_int_equal(vmm_lapic_ack(&a), 0x55);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(reset, setup),
		cmocka_unit_test_setup(priorities, setup),
		cmocka_unit_test_setup(errors, setup),
		cmocka_unit_test_setup(messages, setup),
		cmocka_unit_test_setup(logical, setup),
		cmocka_unit_test_setup(timer, setup),
		cmocka_unit_test_setup(tsc_deadline, setup),
		cmocka_unit_test_setup(x2apic, setup),
		cmocka_unit_test_setup(ext, setup),
		cmocka_unit_test_setup(io_registers, setup),
		cmocka_unit_test_setup(io_edge, setup),
		cmocka_unit_test_setup(io_level, setup),
	};

	return cmocka_run_group_tests_name("vmm_apic", tests, NULL, NULL);
}
