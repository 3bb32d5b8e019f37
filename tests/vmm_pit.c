/* The 8254 against its data sheet (Intel, 231164-005): modes, latches, read-back, BCD, the gate at port 0x61,
 * and interrupts in time that the test makes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "vmm/pc.h"

static struct vmm_pit p;
static uint64_t clock_ns;
static unsigned rises;
static bool line;

static uint64_t ns(void *arg)
{
	(void)arg;
	return clock_ns;
}

static void on_line(void *arg, unsigned n, bool level)
{
	(void)arg, (void)n;
	rises += level && !line;
	line = level;
}

static int setup(void **state)
{
	(void)state;
	clock_ns = 5000000;
	line = false;
	vmm_pit_init(&p, (struct vmm_time){ ns, NULL }, (struct vmm_line){ on_line, NULL, 0 });
	assert_true(line); /* high until a mode is chosen */
	rises = 0;
	return 0;
}

static void wr(unsigned off, unsigned v) { vmm_pit_write(&p, off, 1, v); }
static unsigned rd(unsigned off) { return (unsigned)vmm_pit_read(&p, off, 1); }
static void at_tick(uint64_t t) { clock_ns = vmm_ns_of(t, VMM_PIT_HZ); }
static uint64_t tick_now(void) { return vmm_ticks_of(clock_ns, VMM_PIT_HZ); }
static void forward(uint64_t ticks) { at_tick(tick_now() + ticks); }

static unsigned count_of(unsigned counter)
{
	unsigned low;

	wr(3, counter << 6);
	low = rd(counter);
	return low | rd(counter) << 8;
}

static void load(unsigned counter, unsigned mode, unsigned n)
{
	at_tick(tick_now());
	wr(3, counter << 6 | 0x30 | mode << 1);
	wr(counter, n & 0xff);
	wr(counter, n >> 8);
}

static void mode0(void **state)
{
	(void)state;
	load(0, 0, 1000);
	assert_false(vmm_pit_out(&p, 0));
	forward(400);
	assert_int_equal(count_of(0), 600);
	assert_int_equal(vmm_pit_next(&p), vmm_ns_of(tick_now() + 600, VMM_PIT_HZ));
	clock_ns = vmm_pit_next(&p);
	vmm_pit_tick(&p);
	assert_int_equal(rises, 1);
	assert_true(vmm_pit_out(&p, 0));
	assert_int_equal(vmm_pit_next(&p), VMM_NEVER);
	forward(10);
	assert_int_equal(count_of(0), 0x10000 - 10); /* goes on, around */
}

static void mode2(void **state)
{
	(void)state;
	load(0, 2, 100);
	assert_true(vmm_pit_out(&p, 0));
	for (unsigned i = 0; i < 5; i++) {
		clock_ns = vmm_pit_next(&p);
		vmm_pit_tick(&p);
	}
	assert_int_equal(rises, 5);
	forward(99);
	assert_false(vmm_pit_out(&p, 0)); /* low for one clock */
	assert_int_equal(count_of(0), 1);
	forward(1);
	assert_true(vmm_pit_out(&p, 0));
	assert_int_equal(count_of(0), 100);
	forward(1000); /* nobody came round: one interrupt tells of all */
	vmm_pit_tick(&p);
	assert_int_equal(rises, 7);
}

/* A new count takes over at the end of the period under way. */
static void reload(void **state)
{
	(void)state;
	load(0, 2, 100);
	forward(30);
	wr(0, 200);
	wr(0, 0);
	assert_int_equal(count_of(0), 70);
	forward(70);
	assert_int_equal(count_of(0), 200);
}

static void mode3(void **state)
{
	(void)state;
	load(0, 3, 10);
	assert_true(vmm_pit_out(&p, 0));
	assert_int_equal(count_of(0), 10);
	forward(4);
	assert_int_equal(count_of(0), 2);
	forward(1);
	assert_false(vmm_pit_out(&p, 0));
	assert_int_equal(count_of(0), 10);
	load(0, 3, 5); /* odd: high for three, low for two */
	forward(2);
	assert_true(vmm_pit_out(&p, 0));
	forward(1);
	assert_false(vmm_pit_out(&p, 0));
	forward(2);
	assert_true(vmm_pit_out(&p, 0));
}

static void mode4(void **state)
{
	(void)state;
	load(0, 4, 50);
	assert_true(vmm_pit_out(&p, 0));
	forward(50);
	assert_false(vmm_pit_out(&p, 0));
	forward(1);
	assert_true(vmm_pit_out(&p, 0));
	vmm_pit_tick(&p);
	assert_int_equal(rises, 1);
}

/* Counter 2: the way by which firmware and kernels measure the CPU. */
static void gate(void **state)
{
	(void)state;
	load(2, 0, 1000);
	forward(500);
	assert_int_equal(count_of(2), 1000); /* the gate is closed after reset */
	vmm_pit_port61_write(&p, 0, 1, 1);
	forward(300);
	assert_int_equal(count_of(2), 700);
	vmm_pit_port61_write(&p, 0, 1, 0);
	forward(300);
	assert_int_equal(count_of(2), 700);
	assert_int_equal(vmm_pit_port61_read(&p, 0, 1) & 0x23, 0);
	vmm_pit_port61_write(&p, 0, 1, 3);
	forward(700);
	assert_int_equal(vmm_pit_port61_read(&p, 0, 1) & 0x23, 0x23);
}

/* Mode 1 waits for its gate, mode 2 begins anew with it. */
static void trigger(void **state)
{
	(void)state;
	load(2, 1, 100);
	forward(10);
	assert_true(vmm_pit_out(&p, 2));
	vmm_pit_port61_write(&p, 0, 1, 1);
	assert_false(vmm_pit_out(&p, 2));
	forward(60);
	vmm_pit_port61_write(&p, 0, 1, 0);
	vmm_pit_port61_write(&p, 0, 1, 1); /* again: from the start */
	forward(60);
	assert_false(vmm_pit_out(&p, 2));
	forward(40);
	assert_true(vmm_pit_out(&p, 2));
}

static void latches(void **state)
{
	(void)state;
	load(0, 2, 0x1234);
	wr(3, 0x00);
	forward(0x100);
	wr(3, 0x00); /* the first latch stays */
	assert_int_equal(rd(0), 0x34);
	assert_int_equal(rd(0), 0x12);
	assert_int_equal(rd(0), 0x34); /* not latched: as it is */
	assert_int_equal(rd(0), 0x11);
	wr(3, 0x10); /* LSB only */
	wr(0, 0x77);
	assert_int_equal(rd(0), 0x77);
	assert_int_equal(rd(0), 0x77);
}

static void read_back(void **state)
{
	(void)state;
	load(0, 3, 1000);
	wr(3, 0xc2); /* count and status of counter 0 */
	assert_int_equal(rd(0), 0x80 | 0x30 | 3 << 1); /* OUT high, count loaded, LSB and MSB, mode 3 */
	assert_int_equal(rd(0), 1000 & 0xff);
	assert_int_equal(rd(0), 1000 >> 8);
	wr(3, 0x36);
	wr(3, 0xe2);
	assert_int_equal(rd(0) & 0x40, 0x40); /* null count: none since the control word */
}

static void bcd(void **state)
{
	(void)state;
	at_tick(tick_now());
	wr(3, 0x31);
	wr(0, 0x00);
	wr(0, 0x10); /* 1000 */
	forward(1);
	assert_int_equal(count_of(0), 0x0999);
	forward(1000);
	assert_int_equal(count_of(0), 0x9999);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(mode0, setup),
		cmocka_unit_test_setup(mode2, setup),
		cmocka_unit_test_setup(reload, setup),
		cmocka_unit_test_setup(mode3, setup),
		cmocka_unit_test_setup(mode4, setup),
		cmocka_unit_test_setup(gate, setup),
		cmocka_unit_test_setup(trigger, setup),
		cmocka_unit_test_setup(latches, setup),
		cmocka_unit_test_setup(read_back, setup),
		cmocka_unit_test_setup(bcd, setup),
	};

	return cmocka_run_group_tests_name("vmm_pit", tests, NULL, NULL);
}
