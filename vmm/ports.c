/* The buses and the devices of a lab machine but the serial port: who answers at
 * which port. One small sorted table a bus; the devices stand at the end.
 */
#include "vmm/machine.h"

#include <errno.h>
#include <string.h>

int vmm_bus_add(struct vmm_bus *b, const struct vmm_region *r)
{
	unsigned at = 0;

	if (b->n == VMM_REGIONS_MAX)
		return -ENOSPC;
	while (at < b->n && b->region[at].base < r->base)
		at++;
	if ((at > 0 && b->region[at - 1].base + b->region[at - 1].len > r->base) ||
	    (at < b->n && r->base + r->len > b->region[at].base))
		return -EEXIST;
	memmove(&b->region[at + 1], &b->region[at], (b->n - at) * sizeof(b->region[0]));
	b->region[at] = *r;
	b->n++;
	b->last = 0;
	return 0;
}

const struct vmm_region *vmm_bus_find(struct vmm_bus *b, uint64_t addr)
{
	unsigned lo = 0, hi = b->n;

	if (b->last < b->n && addr - b->region[b->last].base < b->region[b->last].len)
		return &b->region[b->last];
	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (addr < b->region[mid].base) {
			hi = mid;
		} else if (addr - b->region[mid].base >= b->region[mid].len) {
			lo = mid + 1;
		} else {
			b->last = mid;
			return &b->region[mid];
		}
	}
	return NULL;
}

static uint64_t mask_of(unsigned size)
{
	return size >= 8 ? ~0ull : (1ull << (8 * size)) - 1;
}

uint64_t vmm_bus_read(struct vmm_bus *b, uint64_t addr, unsigned size)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < size;) {
		const struct vmm_region *r = vmm_bus_find(b, addr + i);
		unsigned n = r ? r->width : 1;
		uint64_t part = ~0ull;

		if (n > size - i)
			n = size - i;
		if (r)
			part = r->read(r->dev, (unsigned)(addr + i - r->base), n);
		v |= (part & mask_of(n)) << (8 * i);
		i += n;
	}
	return v;
}

void vmm_bus_write(struct vmm_bus *b, uint64_t addr, unsigned size, uint64_t value)
{
	for (unsigned i = 0; i < size;) {
		const struct vmm_region *r = vmm_bus_find(b, addr + i);
		unsigned n = r ? r->width : 1;

		if (n > size - i)
			n = size - i;
		if (r)
			r->write(r->dev, (unsigned)(addr + i - r->base), n,
				 (value >> (8 * i)) & mask_of(n));
		i += n;
	}
}

/* -- text streams -- */

void vmm_out_flush(struct vmm_out *o)
{
	if (!o->n)
		return;
	rs_emit_out(o->em, RS_SRC_MONITOR, 0, o->stream, &o->offset, o->buf, o->n);
	o->n = 0;
}

void vmm_out_byte(struct vmm_out *o, unsigned char c)
{
	if (o->offset + o->n >= o->limit) {
		o->dropped++;
		return;
	}
	o->buf[o->n++] = c;
	if (c == '\n' || o->n == sizeof(o->buf))
		vmm_out_flush(o);
}

/* -- devices -- */

static uint64_t read_ones(void *dev, unsigned off, unsigned size)
{
	(void)dev, (void)off, (void)size;
	return ~0ull;
}

static void serial_tx(void *arg, unsigned char c)
{
	struct vmm_machine *m = arg;

	rs_count(m->em, RS_CTR_VM_SERIAL_BYTES, 1);
	vmm_out_byte(&m->serial_out, c);
}

/* Port 0xe9 of Bochs and QEMU: a byte out is a byte of text; reading gives 0xe9, by which a guest
 * finds out that the port is there. */
static uint64_t debugcon_read(void *dev, unsigned off, unsigned size)
{
	(void)dev, (void)off, (void)size;
	return VMM_PORT_DEBUGCON;
}

static void debugcon_write(void *dev, unsigned off, unsigned size, uint64_t value)
{
	struct vmm_machine *m = dev;

	(void)off, (void)size;
	vmm_out_byte(&m->debug_out, (unsigned char)value);
}

static void debug_exit_write(void *dev, unsigned off, unsigned size, uint64_t value)
{
	struct vmm_machine *m = dev;

	(void)off, (void)size;
	vmm_vcpu_end(&m->vcpu, RS_OUT_DEBUG_EXIT, value);
}

/* Keyboard controller, as far as a guest needs it to reset the machine: command 0xfe pulses the CPU's
 * reset line (IBM PC/AT Technical Reference, 8042 commands). Status: self-test passed, buffers empty. */
static uint64_t kbc_read(void *dev, unsigned off, unsigned size)
{
	(void)dev, (void)off, (void)size;
	return 0x1c;
}

static void kbc_write(void *dev, unsigned off, unsigned size, uint64_t value)
{
	struct vmm_machine *m = dev;

	(void)off, (void)size;
	if (value == 0xfe)
		vmm_vcpu_end(&m->vcpu, RS_OUT_RESET, 0);
}

/* Reset control register of the chipset (Intel PIIX3 data sheet, RC): bit 2 going high resets. */
static void rcr_write(void *dev, unsigned off, unsigned size, uint64_t value)
{
	struct vmm_machine *m = dev;

	(void)off, (void)size;
	if (value & 4)
		vmm_vcpu_end(&m->vcpu, RS_OUT_RESET, 0);
}

static uint64_t hypercall_read(void *dev, unsigned off, unsigned size)
{
	struct vmm_machine *m = dev;
	uint64_t r = m->hc_result;

	(void)off, (void)size;
	m->hc_result >>= 32;
	return r & 0xffffffff;
}

static void hypercall_write(void *dev, unsigned off, unsigned size, uint64_t value)
{
	struct vmm_machine *m = dev;
	struct vmm_cpu_state s;
	int bits;

	(void)off, (void)size;
	if (m->ops->get_state(&m->vcpu, &s, NULL) < 0)
		return;
	bits = vmm_mode_bits(&s);
	m->hc_result = vmm_hypercall(&m->vcpu, value,
				     bits == 64 ? s.gpr[RBX] : (uint32_t)s.gpr[RBX],
				     bits == 64 ? s.gpr[RCX] : (uint32_t)s.gpr[RCX]);
}

#define HC_PRINT_MAX 4096u

static uint64_t hc_print(struct vmm_vcpu *v, uint64_t linear)
{
	struct vmm_machine *m = v->m;
	struct vmm_cpu_state s;
	uint64_t done = 0;

	if (m->ops->get_state(v, &s, NULL) < 0)
		return VMM_HC_UNKNOWN;
	while (done < HC_PRINT_MAX) {
		unsigned char buf[64];
		size_t n = vmm_read_linear(m, &s, linear + done, buf, sizeof(buf));

		for (size_t i = 0; i < n; i++, done++) {
			if (!buf[i])
				return done;
			vmm_out_byte(&m->debug_out, buf[i]);
		}
		if (n < sizeof(buf))
			break;
	}
	return done;
}

void vmm_hypercall_tell(struct vmm_vcpu *v, uint64_t nr, uint64_t a0, uint64_t a1)
{
	rs_emit(v->m->em, RS_EV_VM_HYPERCALL, RS_SRC_EXIT, v->index, nr, a0, a1, v->cpl, NULL);
}

uint64_t vmm_hypercall(struct vmm_vcpu *v, uint64_t nr, uint64_t a0, uint64_t a1)
{
	struct vmm_machine *m = v->m;
	uint64_t result = VMM_HC_UNKNOWN;

	vmm_hypercall_tell(v, nr, a0, a1);
	switch (nr) {
	case VMM_HC_PRINT:
		result = hc_print(v, a0);
		break;
	case VMM_HC_MARK:
		result = a0;
		break;
	case VMM_HC_TIME:
		result = vmm_now_ns() - m->start_ns;
		break;
	}
	return result;
}

static int add(struct vmm_machine *m, const struct vmm_region *ports, unsigned n, struct rs_err *err)
{
	for (unsigned i = 0; i < n; i++) {
		int r = vmm_bus_add(&m->pio, &ports[i]);

		if (r < 0)
			return rs_err_set(err, r, N_("the port device \"%s\" has no place"),
					  ports[i].name);
	}
	return 0;
}

int vmm_ports_init(struct vmm_machine *m, struct rs_err *err)
{
	const struct vmm_region all[] = {
		{ VMM_PORT_DEBUGCON, 1, "debugcon", m, 1, debugcon_read, debugcon_write },
		{ VMM_PORT_DEBUG_EXIT, 1, "debug-exit", m, 4, read_ones, debug_exit_write },
		{ VMM_PORT_COM1, 8, "com1", &m->com1, 1, vmm_serial_read, vmm_serial_write },
		{ VMM_PORT_HYPERCALL, 1, "hypercall", m, 4, hypercall_read, hypercall_write },
	};
	const struct vmm_region lab[] = { /* a PC has larger devices there (pc.c) */
		{ 0x64, 1, "kbc", m, 1, kbc_read, kbc_write },
		{ 0xcf9, 1, "reset", m, 1, read_ones, rcr_write },
	};
	const struct vmm_region pc[] = {
		{ VMM_PORT_FIRMWARE, 1, "firmware", m, 1, debugcon_read, debugcon_write },
	};
	int r;

	vmm_serial_init(&m->com1, serial_tx, m);
	if (m->desc.serial_input)
		vmm_serial_input(&m->com1, m->desc.serial_input, strlen(m->desc.serial_input));
	r = add(m, all, sizeof(all) / sizeof(all[0]), err);
	if (r < 0)
		return r;
	return m->desc.pc ? add(m, pc, sizeof(pc) / sizeof(pc[0]), err)
			  : add(m, lab, sizeof(lab) / sizeof(lab[0]), err);
}
