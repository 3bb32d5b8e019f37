/* The 16550 serial port, as a guest's driver sees it (National PC16550D data sheet,
 * June 1995, section 8: registers). Transmission takes no time: the transmitter is
 * always empty. Bits of a character are not modelled, so parity and framing errors
 * never happen; an overrun does, when a guest turns loopback on and floods itself.
 */
#include "vmm/machine.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/str.h"

/* Register offsets; DLAB is LCR bit 7. */
enum { RBR = 0, THR = 0, DLL = 0, IER = 1, DLM = 1, IIR = 2, FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6,
       SCR = 7 };
#define IER_ERBFI 0x01u /* received data available */
#define IER_ETBEI 0x02u /* transmitter holding register empty */
#define IER_ELSI 0x04u  /* receiver line status */
#define IER_EDSSI 0x08u /* modem status */
#define IIR_NONE 0x01u
#define IIR_MODEM 0x00u
#define IIR_THRE 0x02u
#define IIR_DATA 0x04u
#define IIR_LINE 0x06u
#define IIR_TIMEOUT 0x0cu
#define IIR_FIFO 0xc0u
#define LCR_DLAB 0x80u
#define MCR_DTR 0x01u
#define MCR_RTS 0x02u
#define MCR_OUT1 0x04u
#define MCR_OUT2 0x08u
#define MCR_LOOP 0x10u
#define LSR_DR 0x01u
#define LSR_OE 0x02u
#define LSR_THRE 0x20u
#define LSR_TEMT 0x40u
#define MSR_CTS 0x10u
#define MSR_DSR 0x20u
#define MSR_RI 0x40u
#define MSR_DCD 0x80u

void vmm_serial_init(struct vmm_serial *s, void (*tx)(void *, unsigned char), void *tx_arg)
{
	memset(s, 0, sizeof(*s));
	s->tx = tx;
	s->tx_arg = tx_arg;
	s->trigger = 1;
	s->dll = 1; /* 115200 baud; the data sheet leaves it undefined after reset */
	s->msr = MSR_CTS | MSR_DSR | MSR_DCD; /* somebody is at the other end */
}

void vmm_serial_release(struct vmm_serial *s)
{
	free(s->line);
	s->line = NULL;
	s->line_len = s->line_pos = s->line_cap = 0;
}

/* Depth of the receiver: 16 bytes with FIFOs on, one without. */
static unsigned depth(const struct vmm_serial *s)
{
	return s->fifo_on ? VMM_SERIAL_FIFO : 1;
}

static void fifo_put(struct vmm_serial *s, uint8_t c)
{
	s->fifo[(s->head + s->count) % VMM_SERIAL_FIFO] = c;
	s->count++;
}

/* The other end sends while there is room: it honours flow control and never overruns. In loopback
 * the receiver is cut off from the line (8.7, MCR bit 4). */
static void fill(struct vmm_serial *s)
{
	if (s->mcr & MCR_LOOP)
		return;
	while (s->line_pos < s->line_len && s->count < depth(s))
		fifo_put(s, s->line[s->line_pos++]);
	if (s->line_pos == s->line_len)
		s->line_pos = s->line_len = 0;
}

/* The highest pending interrupt, in the order of the data sheet's table IV. */
static uint8_t pending(const struct vmm_serial *s)
{
	if ((s->ier & IER_ELSI) && s->overrun)
		return IIR_LINE;
	if ((s->ier & IER_ERBFI) && s->count >= (s->fifo_on ? s->trigger : 1u))
		return IIR_DATA;
	if ((s->ier & IER_ERBFI) && s->count) /* fewer than the trigger: they wait since long */
		return IIR_TIMEOUT;
	if ((s->ier & IER_ETBEI) && s->thr_empty_pending)
		return IIR_THRE;
	if ((s->ier & IER_EDSSI) && (s->msr & 0x0f))
		return IIR_MODEM;
	return IIR_NONE;
}

static void interrupt(struct vmm_serial *s, bool level)
{
	if (level != s->irq)
		vmm_line_set(&s->out, level);
	s->irq = level;
}

static void update(struct vmm_serial *s)
{
	fill(s);
	/* OUT2 gates the interrupt on a PC (IBM PC/AT Technical Reference, serial adapter). */
	interrupt(s, pending(s) != IIR_NONE && ((s->mcr & MCR_OUT2) || (s->mcr & MCR_LOOP)));
}

/* MSR as loopback shows it: RTS, DTR, OUT1, OUT2 come back as CTS, DSR, RI, DCD (8.7). The low four
 * bits say what changed since the last read; RI counts only on its trailing edge. */
static void modem_lines(struct vmm_serial *s)
{
	uint8_t lines = MSR_CTS | MSR_DSR | MSR_DCD, change;

	if (s->mcr & MCR_LOOP)
		lines = (uint8_t)((s->mcr & MCR_RTS ? MSR_CTS : 0) | (s->mcr & MCR_DTR ? MSR_DSR : 0) |
				  (s->mcr & MCR_OUT1 ? MSR_RI : 0) |
				  (s->mcr & MCR_OUT2 ? MSR_DCD : 0));
	change = (uint8_t)((lines ^ s->msr) >> 4);
	if ((lines & MSR_RI) && (change & 4))
		change &= (uint8_t)~4u;
	s->msr = (uint8_t)(lines | (s->msr & 0x0f) | (change & 0x0f));
}

size_t vmm_serial_input(struct vmm_serial *s, const void *data, size_t n)
{
	if (s->line_pos) {
		memmove(s->line, s->line + s->line_pos, s->line_len - s->line_pos);
		s->line_len -= s->line_pos;
		s->line_pos = 0;
	}
	if (n > VMM_SERIAL_LINE_MAX - s->line_len)
		n = VMM_SERIAL_LINE_MAX - s->line_len;
	if (!n)
		return 0;
	if (s->line_len + n > s->line_cap) {
		s->line_cap = s->line_len + n < 256 ? 256 : s->line_len + n;
		s->line = rs_xrealloc(s->line, s->line_cap, 1);
	}
	memcpy(s->line + s->line_len, data, n);
	s->line_len += n;
	update(s);
	return n;
}

uint64_t vmm_serial_read(void *serial, unsigned off, unsigned size)
{
	struct vmm_serial *s = serial;
	uint8_t v = 0;

	(void)size;
	fill(s);
	switch (off) {
	case RBR:
		if (s->lcr & LCR_DLAB) {
			v = s->dll;
		} else if (s->count) {
			v = s->fifo[s->head];
			s->head = (s->head + 1) % VMM_SERIAL_FIFO;
			s->count--;
			/* The next byte takes its time on the line: in between there is nothing, and the
			 * interrupt falls. */
			if (!s->count)
				interrupt(s, false);
		}
		break;
	case IER:
		v = s->lcr & LCR_DLAB ? s->dlm : s->ier;
		break;
	case IIR:
		v = pending(s);
		if (v == IIR_THRE) /* reading IIR resets this one (table IV) */
			s->thr_empty_pending = false;
		if (s->fifo_on)
			v |= IIR_FIFO;
		break;
	case LCR:
		v = s->lcr;
		break;
	case MCR:
		v = s->mcr;
		break;
	case LSR:
		v = (uint8_t)(LSR_THRE | LSR_TEMT | (s->count ? LSR_DR : 0) | (s->overrun ? LSR_OE : 0));
		s->overrun = false;
		break;
	case MSR:
		v = s->msr;
		s->msr &= 0xf0;
		break;
	case SCR:
		v = s->scr;
		break;
	}
	update(s);
	return v;
}

static void transmit(struct vmm_serial *s, uint8_t c)
{
	s->thr_empty_pending = true; /* it leaves at once, and THR is empty again */
	if (!(s->mcr & MCR_LOOP)) {
		s->tx(s->tx_arg, c);
		return;
	}
	if (s->count == depth(s)) {
		s->overrun = true;
		if (!s->fifo_on) /* without FIFOs the new byte overwrites the old one (8.4) */
			s->fifo[s->head] = c;
		return;
	}
	fifo_put(s, c);
}

static void fifo_control(struct vmm_serial *s, uint8_t v)
{
	static const uint8_t trigger[4] = { 1, 4, 8, 14 };
	bool on = v & 1;

	if (on != s->fifo_on || (v & 2)) /* a change of mode clears the FIFOs, as does bit 1 (8.5) */
		s->head = s->count = 0;
	s->fifo_on = on;
	s->trigger = trigger[v >> 6];
}

void vmm_serial_write(void *serial, unsigned off, unsigned size, uint64_t value)
{
	struct vmm_serial *s = serial;
	uint8_t v = (uint8_t)value;

	(void)size;
	switch (off) {
	case THR:
		if (s->lcr & LCR_DLAB)
			s->dll = v;
		else
			transmit(s, v);
		break;
	case IER:
		if (s->lcr & LCR_DLAB) {
			s->dlm = v;
			break;
		}
		/* Enabling the interrupt while THR is empty raises it. */
		if ((v & IER_ETBEI) && !(s->ier & IER_ETBEI))
			s->thr_empty_pending = true;
		s->ier = v & 0x0f;
		break;
	case FCR:
		fifo_control(s, v);
		break;
	case LCR:
		s->lcr = v;
		break;
	case MCR:
		s->mcr = v & 0x1f;
		modem_lines(s);
		break;
	case SCR:
		s->scr = v;
		break;
	default: /* LSR and MSR are for reading */
		break;
	}
	update(s);
}
