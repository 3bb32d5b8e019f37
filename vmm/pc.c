/* The board of a PC with one CPU: devices on the buses, and the wires between them.
 *
 *   ISA lines --+-- 8259A pair -- INT --> LINT0 of the local APIC --+
 *               +-- I/O APIC ------------ messages ---------------->+--> CPU
 */
#include <string.h>

#include "vmm/machine.h"

static uint64_t tsc(void *arg)
{
	const struct vmm_pc *pc = arg;

	return vmm_time_ns(&pc->lapic.time);
}

static uint64_t tsc_ns(void *arg, uint64_t value)
{
	(void)arg;
	return value;
}

/* -- wires -- */

void vmm_pc_irq(void *arg, unsigned irq, bool level)
{
	struct vmm_pc *pc = arg;

	vmm_pic_input(&pc->pic, irq, level);
	vmm_ioapic_input(&pc->ioapic, irq == VMM_IRQ_TIMER ? 2 : irq, level);
}

static struct vmm_line isa(struct vmm_pc *pc, unsigned irq)
{
	return (struct vmm_line){ vmm_pc_irq, pc, irq };
}

static void message(void *arg, unsigned dest, bool logical, unsigned mode, unsigned vector, bool level)
{
	struct vmm_pc *pc = arg;

	if (vmm_lapic_is_for(&pc->lapic, dest, logical))
		vmm_lapic_deliver(&pc->lapic, mode, vector, level);
}

static void eoi(void *arg, unsigned vector)
{
	struct vmm_pc *pc = arg;

	vmm_ioapic_eoi(&pc->ioapic, vector);
}

static void signal_cpu(void *arg, enum vmm_lapic_signal what, unsigned vector)
{
	struct vmm_pc *pc = arg;

	(void)vector;
	if (what == VMM_LAPIC_NMI && pc->owner.nmi)
		pc->owner.nmi(pc->owner.arg);
	if (what == VMM_LAPIC_INIT)
		pc->owner.reset(pc->owner.arg);
	/* A start-up message finds a CPU that runs, and SMM is not there. */
}

bool vmm_pc_pending(const struct vmm_pc *pc)
{
	return vmm_lapic_pending(&pc->lapic) >= 0 || vmm_lapic_ext_pending(&pc->lapic);
}

int vmm_pc_ack(struct vmm_pc *pc)
{
	if (vmm_lapic_ext_pending(&pc->lapic))
		return (int)vmm_pic_ack(&pc->pic);
	return vmm_lapic_ack(&pc->lapic);
}

/* -- time -- */

uint64_t vmm_pc_next(struct vmm_pc *pc)
{
	uint64_t at[3] = { vmm_pit_next(&pc->pit), vmm_lapic_next(&pc->lapic), vmm_rtc_next(&pc->rtc) };
	uint64_t first = at[0];

	for (unsigned i = 1; i < 3; i++)
		first = at[i] < first ? at[i] : first;
	return first;
}

void vmm_pc_tick(struct vmm_pc *pc)
{
	vmm_pit_tick(&pc->pit);
	vmm_lapic_tick(&pc->lapic);
	vmm_rtc_tick(&pc->rtc);
}

/* -- ports that are no device -- */

/* POST code and the delay port of old drivers. */
static uint64_t port80_read(void *dev, unsigned off, unsigned size)
{
	const struct vmm_pc *pc = dev;

	(void)off, (void)size;
	return pc->port80;
}

static void port80_write(void *dev, unsigned off, unsigned size, uint64_t value)
{
	struct vmm_pc *pc = dev;

	(void)off, (void)size;
	pc->port80 = (uint8_t)value;
}

/* -- devices whose plans a write may change -- */

static uint64_t pit_read(void *dev, unsigned off, unsigned size)
{
	struct vmm_pc *pc = dev;

	return vmm_pit_read(&pc->pit, off, size);
}

static void pit_write(void *dev, unsigned off, unsigned size, uint64_t value)
{
	struct vmm_pc *pc = dev;

	pc->changed = true;
	vmm_pit_write(&pc->pit, off, size, value);
}

static uint64_t rtc_read(void *dev, unsigned off, unsigned size)
{
	struct vmm_pc *pc = dev;

	pc->changed = true; /* it catches up first */
	return vmm_rtc_read(&pc->rtc, off, size);
}

static void rtc_write(void *dev, unsigned off, unsigned size, uint64_t value)
{
	struct vmm_pc *pc = dev;

	pc->changed = true;
	vmm_rtc_write(&pc->rtc, off, size, value);
}

static uint64_t lapic_read(void *dev, unsigned off, unsigned size)
{
	struct vmm_pc *pc = dev;

	return vmm_lapic_read(&pc->lapic, off, size);
}

static void lapic_write(void *dev, unsigned off, unsigned size, uint64_t value)
{
	struct vmm_pc *pc = dev;

	pc->changed = true;
	vmm_lapic_write(&pc->lapic, off, size, value);
}

static int place(struct vmm_pc *pc, struct vmm_bus *pio, struct vmm_bus *mmio)
{
	const struct vmm_region ports[] = {
		{ 0x20, 2, "pic", &pc->pic, 1, vmm_pic_read, vmm_pic_write },
		{ 0x40, 4, "pit", pc, 1, pit_read, pit_write },
		{ 0x60, 1, "kbc", &pc->kbc, 1, vmm_kbc_data_read, vmm_kbc_data_write },
		{ 0x61, 1, "speaker", &pc->pit, 1, vmm_pit_port61_read, vmm_pit_port61_write },
		{ 0x64, 1, "kbc", &pc->kbc, 1, vmm_kbc_status_read, vmm_kbc_command_write },
		{ 0x70, 2, "rtc", pc, 1, rtc_read, rtc_write },
		{ 0x80, 1, "post", pc, 1, port80_read, port80_write },
		{ 0x92, 1, "port92", &pc->kbc, 1, vmm_kbc_port92_read, vmm_kbc_port92_write },
		{ 0xa0, 2, "pic", &pc->pic, 1, vmm_pic_slave_read, vmm_pic_slave_write },
		{ 0x4d0, 2, "elcr", &pc->pic, 1, vmm_pic_elcr_read, vmm_pic_elcr_write },
		{ 0x510, 2, "fw_cfg", &pc->fwcfg, 2, vmm_fwcfg_read, vmm_fwcfg_write },
		{ VMM_PM_BASE, 12, "pm", &pc->pm, 4, vmm_pm_read, vmm_pm_write },
		{ 0xcf8, 8, "pci", &pc->pci, 4, vmm_pci_read, vmm_pci_write },
	};
	const struct vmm_region pages[] = {
		{ VMM_IOAPIC_BASE, 4096, "ioapic", &pc->ioapic, 4, vmm_ioapic_read, vmm_ioapic_write },
		{ VMM_LAPIC_BASE, 4096, "lapic", pc, 4, lapic_read, lapic_write },
	};
	int r = 0;

	for (unsigned i = 0; !r && i < sizeof(ports) / sizeof(ports[0]); i++)
		r = vmm_bus_add(pio, &ports[i]);
	for (unsigned i = 0; !r && i < sizeof(pages) / sizeof(pages[0]); i++)
		r = vmm_bus_add(mmio, &pages[i]);
	return r;
}

/* What firmware reads (fw_cfg.rst: numbers of CPUs, size of RAM). */
static void tell_firmware(struct vmm_pc *pc)
{
	enum { KEY_RAM = 0x03, KEY_CPUS = 0x05, KEY_CPUS_MAX = 0x0f };

	pc->cpus = 1;
	vmm_fwcfg_init(&pc->fwcfg);
	vmm_fwcfg_add(&pc->fwcfg, KEY_RAM, &pc->memory, sizeof(pc->memory));
	vmm_fwcfg_add(&pc->fwcfg, KEY_CPUS, &pc->cpus, sizeof(pc->cpus));
	vmm_fwcfg_add(&pc->fwcfg, KEY_CPUS_MAX, &pc->cpus, sizeof(pc->cpus));
}

int vmm_pc_init(struct vmm_pc *pc, const struct vmm_pc_owner *owner, struct vmm_time time, uint64_t memory, int64_t now,
		struct vmm_bus *pio, struct vmm_bus *mmio)
{
	memset(pc, 0, sizeof(*pc));
	pc->owner = *owner;
	pc->memory = memory;
	vmm_lapic_init(&pc->lapic, 0, time);
	pc->lapic.tsc = tsc;
	pc->lapic.tsc_ns = tsc_ns;
	pc->lapic.eoi = eoi;
	pc->lapic.signal = signal_cpu;
	pc->lapic.tsc_arg = pc->lapic.arg = pc;
	vmm_ioapic_init(&pc->ioapic);
	pc->ioapic.deliver = message;
	pc->ioapic.arg = pc;
	vmm_pic_init(&pc->pic, (struct vmm_line){ vmm_lapic_lint0, &pc->lapic, 0 });
	vmm_pit_init(&pc->pit, time, isa(pc, VMM_IRQ_TIMER));
	vmm_rtc_init(&pc->rtc, time, isa(pc, VMM_IRQ_RTC), now, memory);
	vmm_kbc_init(&pc->kbc, owner->reset, owner->arg);
	pc->kbc.irq1 = isa(pc, VMM_IRQ_KEYBOARD);
	pc->kbc.irq12 = isa(pc, VMM_IRQ_MOUSE);
	vmm_pm_init(&pc->pm, time, owner->off, owner->arg);
	vmm_pci_init(&pc->pci, owner->reset, owner->arg);
	tell_firmware(pc);
	return place(pc, pio, mmio);
}

void vmm_pc_after_bios(struct vmm_pc *pc)
{
	pc->lapic.lvt[VMM_LVT_LINT0] = 0x700; /* ExtINT */
	pc->lapic.lvt[VMM_LVT_LINT1] = 0x400; /* NMI */
}
