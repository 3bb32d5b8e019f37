/* ACPI tables of the PC (ACPI 6.4, chapter 5): where the interrupt controllers are, which registers power
 * management has (pm.c), and how to switch off. An operating system that finds none would still boot, but
 * with the interrupt controllers of 1985.
 */
#include <stddef.h>
#include <string.h>

#include "vmm/machine.h"

struct header { /* 5.2.6 */
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[6], oem_table[8];
	uint32_t oem_revision;
	char creator[4];
	uint32_t creator_revision;
} __attribute__((packed));

struct rsdp { /* 5.2.5.3 */
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt, length;
	uint64_t xsdt;
	uint8_t extended_checksum, reserved[3];
} __attribute__((packed));

struct address { /* 5.2.3.2 */
	uint8_t space, width, offset, access;
	uint64_t at;
} __attribute__((packed));
enum { SPACE_IO = 1 };

struct fadt { /* 5.2.9, as revision 3 has it */
	struct header h;
	uint32_t facs, dsdt;
	uint8_t model, profile;
	uint16_t sci;
	uint32_t smi_command;
	uint8_t acpi_enable, acpi_disable, s4bios, pstate;
	uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer, gpe0, gpe1;
	uint8_t pm1_event_length, pm1_control_length, pm2_control_length, pm_timer_length, gpe0_length, gpe1_length,
		gpe1_base, cst;
	uint16_t c2_latency, c3_latency, flush_size, flush_stride;
	uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
	uint16_t boot_flags;
	uint8_t reserved;
	uint32_t flags;
	struct address reset;
	uint8_t reset_value, reserved2[3];
	uint64_t x_facs, x_dsdt;
	struct address x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control, x_pm2_control, x_pm_timer, x_gpe0,
		x_gpe1;
} __attribute__((packed));
_Static_assert(sizeof(struct fadt) == 244, "5.2.9 of revision 3");
enum { F_WBINVD = 1 << 0, F_C1 = 1 << 2, F_NO_POWER_BUTTON = 1 << 4, F_NO_SLEEP_BUTTON = 1 << 5, F_RESET = 1 << 10 };
enum { BOOT_LEGACY = 1, BOOT_NO_VGA = 4 };

struct facs { /* 5.2.10 */
	char signature[4];
	uint32_t length;
	uint8_t rest[56];
} __attribute__((packed));

struct madt { /* 5.2.12 */
	struct header h;
	uint32_t lapic, flags;
	struct { uint8_t type, length, processor, id; uint32_t flags; } __attribute__((packed)) cpu;
	struct { uint8_t type, length, id, reserved; uint32_t at, base; } __attribute__((packed)) ioapic;
	struct { uint8_t type, length, bus, source; uint32_t gsi; uint16_t flags; } __attribute__((packed)) timer, sci;
	struct { uint8_t type, length, processor; uint16_t flags; uint8_t lint; } __attribute__((packed)) nmi;
} __attribute__((packed));
enum { HIGH_LEVEL = 0x000d };

/* Name (_S5_, Package () { 5, 5, 0, 0 }): SLP_TYP of PM1a and PM1b (7.4.2.6); AML as in 20.2. */
static const uint8_t aml[] = { 0x08, '_', 'S', '5', '_', 0x12, 0x08, 0x04, 0x0a, VMM_PM_S5, 0x0a, VMM_PM_S5, 0x00, 0x00 };

struct tables {
	struct rsdp rsdp;
	struct { struct header h; uint64_t entry[2]; } __attribute__((packed)) xsdt;
	struct fadt fadt;
	struct madt madt;
	struct { struct header h; uint8_t aml[sizeof(aml)]; } __attribute__((packed)) dsdt;
	struct facs facs __attribute__((aligned(64)));
};
_Static_assert(sizeof(struct tables) <= VMM_ACPI_SIZE, "their place");

static uint8_t checksum(const void *p, size_t n)
{
	const uint8_t *b = p;
	uint8_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum = (uint8_t)(sum + b[i]);
	return (uint8_t)-sum;
}

static void finish(struct header *h, const char *signature, unsigned revision, size_t length)
{
	memcpy(h->signature, signature, 4);
	h->length = (uint32_t)length;
	h->revision = (uint8_t)revision;
	memcpy(h->oem, "RINGSD", 6);
	memcpy(h->oem_table, "RINGSIDE", 8);
	h->oem_revision = 1;
	memcpy(h->creator, "RING", 4);
	h->creator_revision = 1;
	h->checksum = checksum(h, length);
}

static struct address io(unsigned port, unsigned bytes)
{
	return (struct address){ .space = SPACE_IO, .width = (uint8_t)(bytes * 8), .at = port };
}

static void make_fadt(struct fadt *f, uint64_t facs, uint64_t dsdt)
{
	*f = (struct fadt){
		.facs = (uint32_t)facs, .dsdt = (uint32_t)dsdt, .x_dsdt = dsdt,
		.sci = VMM_IRQ_SCI,
		.pm1a_event = VMM_PM_BASE, .pm1_event_length = 4, .x_pm1a_event = io(VMM_PM_BASE, 4),
		.pm1a_control = VMM_PM_BASE + 4, .pm1_control_length = 2, .x_pm1a_control = io(VMM_PM_BASE + 4, 2),
		.pm_timer = VMM_PM_BASE + 8, .pm_timer_length = 4, .x_pm_timer = io(VMM_PM_BASE + 8, 4),
		.c2_latency = 101, .c3_latency = 1001, /* beyond the limits: not there */
		.century = 0x32,
		.boot_flags = BOOT_LEGACY | BOOT_NO_VGA, /* and no keyboard controller worth looking for */
		.flags = F_WBINVD | F_C1 | F_NO_POWER_BUTTON | F_NO_SLEEP_BUTTON | F_RESET,
		.reset = io(0xcf9, 1), .reset_value = 6,
	};
	finish(&f->h, "FACP", 3, sizeof(*f));
}

static void make_madt(struct madt *a)
{
	*a = (struct madt){
		.lapic = VMM_LAPIC_BASE,
		.flags = 1, /* the 8259A pair is there, too */
		.cpu = { 0, sizeof(a->cpu), 0, 0, 1 },
		.ioapic = { 1, sizeof(a->ioapic), 0, 0, VMM_IOAPIC_BASE, 0 },
		.timer = { 2, sizeof(a->timer), 0, VMM_IRQ_TIMER, 2, 0 },
		.sci = { 2, sizeof(a->sci), 0, VMM_IRQ_SCI, VMM_IRQ_SCI, HIGH_LEVEL },
		.nmi = { 4, sizeof(a->nmi), 0xff, 0, 1 },
	};
	finish(&a->h, "APIC", 3, sizeof(*a));
}

uint64_t vmm_acpi_write(const struct vmm_machine *m, uint64_t gpa)
{
	struct tables *t = vmm_ram(m, gpa, sizeof(*t));

	if (!t)
		return 0;
	memset(t, 0, sizeof(*t));
	memcpy(t->facs.signature, "FACS", 4);
	t->facs.length = sizeof(t->facs);
	memcpy(t->dsdt.aml, aml, sizeof(aml));
	finish(&t->dsdt.h, "DSDT", 2, sizeof(t->dsdt));
	make_fadt(&t->fadt, gpa + offsetof(struct tables, facs), gpa + offsetof(struct tables, dsdt));
	make_madt(&t->madt);
	t->xsdt.entry[0] = gpa + offsetof(struct tables, fadt);
	t->xsdt.entry[1] = gpa + offsetof(struct tables, madt);
	finish(&t->xsdt.h, "XSDT", 1, sizeof(t->xsdt));
	t->rsdp = (struct rsdp){ .revision = 2, .length = sizeof(t->rsdp),
				 .xsdt = gpa + offsetof(struct tables, xsdt) };
	memcpy(t->rsdp.signature, "RSD PTR ", 8);
	memcpy(t->rsdp.oem, "RINGSD", 6);
	t->rsdp.checksum = checksum(&t->rsdp, offsetof(struct rsdp, length));
	t->rsdp.extended_checksum = checksum(&t->rsdp, sizeof(t->rsdp));
	return gpa;
}
