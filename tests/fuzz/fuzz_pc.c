/* A guest may write anything to any register of the PC's devices, at any time. Bytes become port and memory accesses,
 * interrupt lines, acknowledges and the passing of time; nothing of it may be undefined, and time must go on. */
#include <stdlib.h>
#include <string.h>

#include "vmm/machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t clock_ns;

static uint64_t ns(void *arg)
{
	(void)arg;
	return clock_ns;
}

static void nothing(void *arg)
{
	(void)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t port[] = { 0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x40, 0x41, 0x42, 0x43, 0x61, 0x70, 0x71, 0x60,
					 0x64, 0x92, 0xcf8, 0xcf9, 0xcfc, 0xcfe, 0x510, 0x511, 0x600, 0x604, 0x608, 0x80 };
	const struct vmm_pc_owner owner = { .reset = nothing, .off = nothing, .nmi = nothing };
	struct vmm_bus pio = { 0 }, mmio = { 0 };
	struct vmm_pc pc;

	clock_ns = 0;
	if (vmm_pc_init(&pc, &owner, (struct vmm_time){ ns, NULL }, 256u << 20, 1600000000, &pio, &mmio) < 0)
		abort();
	for (size_t i = 0; i + 6 <= size; i += 6) {
		const uint8_t *p = data + i;
		unsigned n = 1u << (p[0] >> 3 & 3);
		uint64_t v = p[2] | p[3] << 8 | p[4] << 16 | (uint64_t)p[5] << 24, next;

		switch (p[0] & 7) {
		case 0:
			vmm_bus_write(&pio, port[p[1] % (sizeof(port) / 2)], n, v);
			break;
		case 1:
			vmm_bus_read(&pio, port[p[1] % (sizeof(port) / 2)], n);
			break;
		case 2:
			vmm_bus_write(&mmio, (p[0] & 0x80 ? VMM_IOAPIC_BASE : VMM_LAPIC_BASE) + p[1] * 16u, n, v);
			break;
		case 3:
			vmm_bus_read(&mmio, (p[0] & 0x80 ? VMM_IOAPIC_BASE : VMM_LAPIC_BASE) + p[1] * 16u + (p[2] & 15), n);
			break;
		case 4:
			vmm_pc_irq(&pc, p[1] & 31, p[2] & 1);
			break;
		case 5:
			if (vmm_pc_pending(&pc) && vmm_pc_ack(&pc) > 255)
				abort();
			break;
		case 6:
			if (p[1] & 1)
				vmm_lapic_wrmsr(&pc.lapic, p[1] & 2 ? 0x800 + (p[1] >> 2) : p[1] & 4 ? 0x6e0 : 0x1b, v);
			else
				vmm_lapic_rdmsr(&pc.lapic, 0x800 + (p[1] >> 2), &v);
			break;
		case 7:
			clock_ns += v * (p[1] & 1 ? 1 : 1000);
			vmm_pc_tick(&pc);
			next = vmm_pc_next(&pc);
			if (next <= clock_ns) /* what is due was done */
				abort();
			break;
		}
	}
	return 0;
}
