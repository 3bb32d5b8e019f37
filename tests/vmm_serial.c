/* The 16550 against its data sheet (PC16550D, National, June 1995): registers, FIFOs, loopback,
 * interrupts. No KVM.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/machine.h"

static struct rs_str sent = RS_STR_INIT;
static struct vmm_serial s;

static void tx(void *arg, unsigned char c)
{
	rs_str_addc(arg, (char)c);
}

static int setup(void **state)
{
	(void)state;
	rs_str_clear(&sent);
	vmm_serial_init(&s, tx, &sent);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vmm_serial_release(&s);
	return 0;
}

static unsigned rd(unsigned off)
{
	return (unsigned)vmm_serial_read(&s, off, 1);
}

static void wr(unsigned off, unsigned v)
{
	vmm_serial_write(&s, off, 1, v);
}

/* Table I: state after reset. */
static void reset(void **state)
{
	(void)state;
	assert_int_equal(rd(1), 0x00); /* IER */
	assert_int_equal(rd(2), 0x01); /* IIR: none pending */
	assert_int_equal(rd(3), 0x00); /* LCR */
	assert_int_equal(rd(4), 0x00); /* MCR */
	assert_int_equal(rd(5), 0x60); /* LSR: transmitter empty */
	assert_int_equal(rd(6) & 0x0f, 0);
}

/* DLAB lays the divisor over RBR/THR and IER. */
static void divisor(void **state)
{
	(void)state;
	wr(1, 0x05);
	wr(3, 0x83);
	wr(0, 0x0c);
	wr(1, 0x01);
	assert_int_equal(rd(0), 0x0c);
	assert_int_equal(rd(1), 0x01);
	assert_int_equal(sent.len, 0); /* that was no character */
	wr(3, 0x03);
	assert_int_equal(rd(1), 0x05);
	assert_int_equal(rd(3), 0x03);
	wr(0, 'x');
	assert_string_equal(sent.p, "x");
	wr(7, 0xa5);
	assert_int_equal(rd(7), 0xa5);
	wr(1, 0xff); /* the upper half of IER stays 0 */
	assert_int_equal(rd(1), 0x0f);
	wr(4, 0xff); /* so do bits 5-7 of MCR */
	assert_int_equal(rd(4), 0x1f);
}

static void receive(void **state)
{
	(void)state;
	assert_int_equal(rd(0), 0);
	assert_int_equal(vmm_serial_input(&s, "abc", 3), 3);
	assert_int_equal(rd(5), 0x61);
	assert_int_equal(rd(0), 'a');
	assert_int_equal(rd(0), 'b');
	assert_int_equal(rd(5), 0x61);
	assert_int_equal(rd(0), 'c');
	assert_int_equal(rd(5), 0x60);
}

/* The line is long but bounded, and keeps order across many fills of the FIFO. */
static void long_line(void **state)
{
	static unsigned char big[VMM_SERIAL_LINE_MAX + 100];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (unsigned char)(i * 7);
	wr(2, 0x01);
	n = vmm_serial_input(&s, big, sizeof(big));
	assert_int_equal(n, VMM_SERIAL_LINE_MAX);
	/* 16 of them are in the FIFO now, which leaves room for 16 */
	assert_int_equal(vmm_serial_input(&s, big + n, 100), 16);
	for (size_t i = 0; i < n + 16; i++)
		assert_int_equal(rd(0), big[i]);
	assert_int_equal(rd(5) & 1, 0);
	assert_int_equal(vmm_serial_input(&s, "z", 1), 1);
	assert_int_equal(rd(0), 'z');
}

/* Table IV: priorities, and what resets each source. */
static void interrupts(void **state)
{
	(void)state;
	wr(4, 0x08); /* OUT2 lets the interrupt out */
	wr(1, 0x02);
	assert_int_equal(rd(2), 0x02); /* THRE, at once when enabled */
	assert_int_equal(rd(2), 0x01); /* reading IIR reset it */
	wr(0, 'x');
	assert_true(s.irq);
	wr(1, 0x03);
	vmm_serial_input(&s, "a", 1);
	assert_int_equal(rd(2), 0x04); /* data comes before THRE, and reading IIR leaves it */
	assert_int_equal(rd(2), 0x04);
	rd(0);
	assert_int_equal(rd(2), 0x02);
	assert_false(s.irq);
	wr(1, 0x08);
	wr(4, 0x18); /* loopback: DCD alone is up, CTS and DSR fall */
	assert_int_equal(rd(2), 0x00);
	assert_int_equal(rd(6), 0x83); /* DCD; delta CTS and DSR */
	assert_int_equal(rd(2), 0x01);
	wr(4, 0x00);
	wr(1, 0x01);
	vmm_serial_input(&s, "a", 1);
	assert_false(s.irq); /* pending, but OUT2 is low */
}

static void fifos(void **state)
{
	(void)state;
	assert_int_equal(rd(2) & 0xc0, 0);
	wr(2, 0x81); /* on, trigger at 8 */
	assert_int_equal(rd(2), 0xc1);
	wr(1, 0x01);
	vmm_serial_input(&s, "1234567", 7);
	assert_int_equal(rd(2), 0xcc); /* below the trigger: character timeout */
	vmm_serial_input(&s, "8", 1);
	assert_int_equal(rd(2), 0xc4);
	wr(2, 0x83); /* clear the receiver's FIFO */
	assert_int_equal(rd(5) & 1, 0);
	vmm_serial_input(&s, "ab", 2);
	wr(2, 0x00); /* leaving FIFO mode clears, too */
	assert_int_equal(rd(5) & 1, 0);
	assert_int_equal(rd(2), 0x01);
}

/* 8.7: the transmitter feeds the receiver; the modem outputs feed the inputs. */
static void loopback(void **state)
{
	(void)state;
	vmm_serial_input(&s, "L", 1);
	rd(0);
	wr(4, 0x10);
	vmm_serial_input(&s, "x", 1); /* cut off from the line */
	assert_int_equal(rd(5) & 1, 0);
	wr(0, 'q');
	assert_int_equal(sent.len, 0);
	assert_int_equal(rd(5), 0x61);
	assert_int_equal(rd(0), 'q');
	wr(0, '1');
	wr(0, '2'); /* overrun: one byte is all there is without FIFOs */
	assert_int_equal(rd(5), 0x63);
	assert_int_equal(rd(5), 0x61); /* reading LSR resets it */
	assert_int_equal(rd(0), '2');
	wr(4, 0x1f);
	assert_int_equal(rd(6), 0xfb); /* all up; a rising RI is no event */
	wr(4, 0x1b); /* OUT1 falls: the trailing edge of RI */
	assert_int_equal(rd(6), 0xb4);
	wr(4, 0x00);
	assert_int_equal(rd(0), 'x'); /* the line is back */
}

/* Whatever a guest writes and reads, sizes and counts stay in their bounds. */
static void noise(void **state)
{
	uint32_t x = 12345;

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		x = x * 1664525 + 1013904223;
		switch (x >> 30) {
		case 0:
			vmm_serial_input(&s, &x, x >> 8 & 3);
			break;
		case 1:
			rd(x >> 16 & 7);
			break;
		default:
			wr(x >> 16 & 7, x >> 20 & 0xff);
		}
		assert_true(s.count <= VMM_SERIAL_FIFO && s.head < VMM_SERIAL_FIFO);
		assert_true(s.line_pos <= s.line_len && s.line_len <= VMM_SERIAL_LINE_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reset, setup, teardown),
		cmocka_unit_test_setup_teardown(divisor, setup, teardown),
		cmocka_unit_test_setup_teardown(receive, setup, teardown),
		cmocka_unit_test_setup_teardown(long_line, setup, teardown),
		cmocka_unit_test_setup_teardown(interrupts, setup, teardown),
		cmocka_unit_test_setup_teardown(fifos, setup, teardown),
		cmocka_unit_test_setup_teardown(loopback, setup, teardown),
		cmocka_unit_test_setup_teardown(noise, setup, teardown),
	};
	int r = cmocka_run_group_tests(tests, NULL, NULL);

	rs_str_release(&sent);
	return r;
}
