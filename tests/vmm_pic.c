/* The 8259A pair against its data sheet (Intel, 231468-003): initialization, priorities, end of interrupt,
 * rotation, masks, the cascade, spurious interrupts, levels.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "vmm/pc.h"

static struct vmm_pic p;
static bool out;

static void on_out(void *arg, unsigned n, bool level)
{
	(void)arg, (void)n;
	out = level;
}

static void wr(unsigned port, unsigned v)
{
	if (port >= 0xa0)
		vmm_pic_slave_write(&p, port - 0xa0, 1, v);
	else
		vmm_pic_write(&p, port - 0x20, 1, v);
}

static unsigned rd(unsigned port)
{
	return (unsigned)(port >= 0xa0 ? vmm_pic_slave_read(&p, port - 0xa0, 1) : vmm_pic_read(&p, port - 0x20, 1));
}

static void begin(unsigned icw4)
{
	wr(0x20, 0x11);
	wr(0x21, 0x30);
	wr(0x21, 0x04);
	wr(0x21, icw4);
	wr(0xa0, 0x11);
	wr(0xa1, 0x38);
	wr(0xa1, 0x02);
	wr(0xa1, icw4);
}

static int setup(void **state)
{
	(void)state;
	out = false;
	vmm_pic_init(&p, (struct vmm_line){ on_out, NULL, 0 });
	begin(0x01);
	return 0;
}

static void up(unsigned line) { vmm_pic_input(&p, line, true); }
static void down(unsigned line) { vmm_pic_input(&p, line, false); }

static void edge(void **state)
{
	(void)state;
	up(4);
	assert_true(out);
	assert_int_equal(rd(0x20), 0x10); /* IRR by default */
	assert_int_equal(vmm_pic_ack(&p), 0x34);
	assert_false(out);
	wr(0x20, 0x0b);
	assert_int_equal(rd(0x20), 0x10); /* ISR */
	wr(0x20, 0x20);
	assert_int_equal(rd(0x20), 0);
	assert_false(out); /* still high: no new edge */
	down(4);
	up(4);
	assert_true(out);
}

static void nested(void **state)
{
	(void)state;
	up(5);
	assert_int_equal(vmm_pic_ack(&p), 0x35);
	up(6);
	assert_false(out); /* lower than the one in service */
	up(3);
	assert_true(out);
	assert_int_equal(vmm_pic_ack(&p), 0x33);
	wr(0x20, 0x20); /* ends 3, the highest in service */
	wr(0x20, 0x0b);
	assert_int_equal(rd(0x20), 0x20);
	wr(0x20, 0x65); /* ends 5 by name */
	assert_true(out);
	assert_int_equal(vmm_pic_ack(&p), 0x36);
}

static void masks(void **state)
{
	(void)state;
	wr(0x21, 0x02);
	up(1);
	assert_false(out);
	assert_int_equal(rd(0x21), 0x02);
	wr(0x21, 0x00);
	assert_true(out);
}

static void cascade(void **state)
{
	(void)state;
	up(8);
	assert_true(out);
	assert_int_equal(vmm_pic_ack(&p), 0x38);
	up(12);
	assert_false(out);
	wr(0xa0, 0x20);
	assert_false(out); /* the master still has IR2 in service */
	wr(0x20, 0x20);
	assert_true(out);
	assert_int_equal(vmm_pic_ack(&p), 0x3c);
	up(2); /* not an input of a PC */
	wr(0x20, 0x0a);
	assert_int_equal(rd(0x20), 0);
}

/* Special fully nested mode: a higher input of the slave interrupts a lower one (page 17). */
static void special_nested(void **state)
{
	(void)state;
	begin(0x11);
	up(12);
	assert_int_equal(vmm_pic_ack(&p), 0x3c);
	up(8);
	assert_true(out);
	assert_int_equal(vmm_pic_ack(&p), 0x38);
}

static void spurious(void **state)
{
	(void)state;
	up(4);
	down(4); /* before INTA */
	assert_false(out);
	assert_int_equal(vmm_pic_ack(&p), 0x37);
	wr(0x20, 0x0b);
	assert_int_equal(rd(0x20), 0); /* nothing is in service */
}

static void automatic_eoi(void **state)
{
	(void)state;
	begin(0x03);
	up(1);
	assert_int_equal(vmm_pic_ack(&p), 0x31);
	wr(0x20, 0x0b);
	assert_int_equal(rd(0x20), 0);
	wr(0x20, 0x80); /* rotates with each */
	down(1);
	up(1);
	assert_int_equal(vmm_pic_ack(&p), 0x31);
	up(0);
	up(2);
	down(1);
	up(1);
	up(7);
	assert_int_equal(vmm_pic_ack(&p), 0x37); /* 1 is the lowest now: 2 ... 7, 0, 1 */
}

static void rotation(void **state)
{
	(void)state;
	wr(0x20, 0xc3); /* 3 is the lowest: 4 comes first */
	up(3);
	up(4);
	assert_int_equal(vmm_pic_ack(&p), 0x34);
	wr(0x20, 0xa0); /* ends it and makes it the lowest */
	up(5);
	assert_int_equal(vmm_pic_ack(&p), 0x35);
	wr(0x20, 0x20);
	assert_int_equal(vmm_pic_ack(&p), 0x33);
}

static void special_mask(void **state)
{
	(void)state;
	up(3);
	vmm_pic_ack(&p);
	wr(0x21, 0x08);
	wr(0x20, 0x68);
	up(6); /* lower, but what is in service is masked */
	assert_true(out);
	assert_int_equal(vmm_pic_ack(&p), 0x36);
}

static void polling(void **state)
{
	(void)state;
	up(6);
	wr(0x20, 0x0c);
	assert_int_equal(rd(0x20), 0x86);
	assert_false(out);
	wr(0x20, 0x0c);
	assert_int_equal(rd(0x20), 0);
}

static void levels(void **state)
{
	(void)state;
	vmm_pic_elcr_write(&p, 1, 1, 0xff);
	assert_int_equal(vmm_pic_elcr_read(&p, 1, 1), 0xde); /* 8 and 13 are always edges */
	up(11);
	assert_int_equal(vmm_pic_ack(&p), 0x3b);
	wr(0xa0, 0x20);
	wr(0x20, 0x20);
	assert_true(out); /* the line still asks */
	down(11);
	assert_false(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(edge, setup),
		cmocka_unit_test_setup(nested, setup),
		cmocka_unit_test_setup(masks, setup),
		cmocka_unit_test_setup(cascade, setup),
		cmocka_unit_test_setup(special_nested, setup),
		cmocka_unit_test_setup(spurious, setup),
		cmocka_unit_test_setup(automatic_eoi, setup),
		cmocka_unit_test_setup(rotation, setup),
		cmocka_unit_test_setup(special_mask, setup),
		cmocka_unit_test_setup(polling, setup),
		cmocka_unit_test_setup(levels, setup),
	};

	return cmocka_run_group_tests_name("vmm_pic", tests, NULL, NULL);
}
