/* A bare machine around the software x86 CPU for tests: RAM from 0, a log port, an exit port, an MMIO register. */
#ifndef TESTS_IA_MACHINE_H
#define TESTS_IA_MACHINE_H

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "emu/ia_cpu.h"

#define PORT_EXIT 0xf4  /* the run stops; the value is `code` */
#define PORT_LOG 0xe9   /* a value of any size goes to `log` */
#define PORT_IRQ 0xea   /* writing n: the interrupt line goes up with vector n */
#define PORT_ECHO 0xeb  /* reads what was written there */
#define MMIO_BASE 0xfe000000u
#define LOG_MAX 512

struct ia_machine {
	struct emu_ia_vcpu *cpu;
	uint8_t *ram;
	uint64_t bytes;
	uint32_t log[LOG_MAX];
	unsigned logged, code, mmios;
	uint32_t echo;
	uint64_t mmio_value;
	int vector;
	unsigned crossings;
	struct emu_ia_cross cross[64];
};

static int machine_port(void *arg, uint16_t port, unsigned bytes, bool write, uint32_t *value)
{
	struct ia_machine *m = arg;

	(void)bytes;
	switch (port) {
	case PORT_EXIT:
		m->code = *value;
		return write ? EMU_IA_STOP : EMU_IA_GO_ON;
	case PORT_LOG:
		if (write && m->logged < LOG_MAX)
			m->log[m->logged++] = *value;
		return m->logged == LOG_MAX ? EMU_IA_STOP : EMU_IA_GO_ON;
	case PORT_IRQ:
		m->vector = (int)*value;
		emu_ia_irq(m->cpu, true);
		return EMU_IA_GO_ON;
	case PORT_ECHO:
		if (write)
			m->echo = *value;
		else
			*value = m->echo;
		return EMU_IA_GO_ON;
	default:
		return EMU_IA_GO_ON;
	}
}

static int machine_mmio(void *arg, uint64_t gpa, unsigned bytes, bool write, uint64_t *value)
{
	struct ia_machine *m = arg;

	(void)bytes;
	m->mmios++;
	if (write)
		m->mmio_value = *value;
	else
		*value = gpa == MMIO_BASE ? m->mmio_value : ~0ull;
	return EMU_IA_GO_ON;
}

static int machine_acknowledge(void *arg)
{
	struct ia_machine *m = arg;

	emu_ia_irq(m->cpu, false);
	return m->vector;
}

static void machine_cross(void *arg, const struct emu_ia_cross *c)
{
	struct ia_machine *m = arg;

	if (m->crossings < 64)
		m->cross[m->crossings++] = *c;
}

static struct ia_machine *machine_new(const char *engine, uint64_t bytes)
{
	struct ia_machine *m = calloc(1, sizeof(*m));
	struct emu_ia_desc d = { .arg = m, .port = machine_port, .mmio = machine_mmio, .acknowledge = machine_acknowledge,
				 .cross = machine_cross, .engine = engine };
	struct emu_ia_slot slot = { .size = bytes };
	struct rs_err err = { 0 };

	m->bytes = bytes;
	m->ram = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	slot.host = m->ram;
	m->cpu = emu_ia_new(&d, &slot, 1, &err);
	if (!m->cpu) {
		munmap(m->ram, bytes);
		free(m);
		return NULL;
	}
	return m;
}

static inline void machine_free(struct ia_machine *m)
{
	emu_ia_free(m->cpu);
	munmap(m->ram, m->bytes);
	free(m);
}

static inline void machine_put64(struct ia_machine *m, uint64_t at, uint64_t value)
{
	memcpy(m->ram + at, &value, 8);
}

/* Long mode, ring 0, interrupts off, flat; identity-mapped by 2 MiB pages (the first GiB and the one with MMIO_BASE).
 * Tables at 0x1000 ... 0x3fff; GDT at 0x500: 8 code, 10 data, 18 user data, 20 user code, 28 TSS (at 0x600),
 * 38 code32, 40 user code32; IDT at 0x4000. */
enum { GDT = 0x500, TSS = 0x600, PML4 = 0x1000, PDPT = 0x2000, PD = 0x3000, IDT = 0x4000, PD3 = 0x5000 };

static void machine_tables(struct ia_machine *m)
{
	static const uint64_t gdt[] = { 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cff3000000ffff, 0x00affb000000ffff,
					0x0000890006000067, 0, 0x00cf9b000000ffff, 0x00cffb000000ffff };

	memcpy(m->ram + GDT, gdt, sizeof(gdt));
	machine_put64(m, PML4, PDPT | 7);
	machine_put64(m, PDPT, PD | 7);
	machine_put64(m, PDPT + 8 * 3, PD3 | 7);
	for (unsigned k = 0; k < 512; k++) {
		machine_put64(m, PD + 8 * k, (uint64_t)k << 21 | 0x87);
		machine_put64(m, PD3 + 8 * k, (3ull << 30 | (uint64_t)k << 21) | 0x87);
	}
	machine_put64(m, TSS + 4, 0x9000);      /* RSP0 */
	machine_put64(m, TSS + 36, 0xa000);     /* IST1 */
	memset(m->ram + TSS + 0x66, 0xff, 2);
}

static struct emu_ia_seg flat_segment(uint16_t selector, unsigned type, unsigned dpl, bool l, bool db)
{
	return (struct emu_ia_seg){ .limit = 0xffffffff, .selector = selector, .type = (uint8_t)type, .s = true, .present = true,
				    .l = l, .db = db, .g = true, .dpl = (uint8_t)dpl };
}

static inline void machine_long(struct ia_machine *m, uint64_t rip)
{
	struct emu_ia_state s;

	machine_tables(m);
	emu_ia_get(m->cpu, &s);
	memset(s.gpr, 0, sizeof(s.gpr));
	s.rip = rip;
	s.rflags = 2;
	s.gpr[4] = 0x8000;
	s.cr0 = 0x80010033;
	s.cr3 = PML4;
	s.cr4 = 0x620; /* PAE, OSFXSR, OSXMMEXCPT */
	s.efer = 0xd01; /* SCE LME LMA NXE */
	for (unsigned k = 0; k < 6; k++)
		s.seg[k] = flat_segment(0x10, 3, 0, false, true);
	s.seg[EMU_IA_CS] = flat_segment(8, 11, 0, true, false);
	s.seg[EMU_IA_TR] = (struct emu_ia_seg){ .base = TSS, .limit = 0x67, .selector = 0x28, .type = 11, .present = true };
	s.seg[EMU_IA_LDTR] = (struct emu_ia_seg){ .unusable = true };
	s.gdt_base = GDT;
	s.gdt_limit = 9 * 8 - 1;
	s.idt_base = IDT;
	s.idt_limit = 0xfff;
	emu_ia_set(m->cpu, &s, NULL);
}

/* Protected mode without paging, ring 0, flat 32-bit segments. GDT at 0x500: 8 code, 10 data, 18 user data, 20 user code,
 * 28 TSS (at 0x600, SS0:ESP0 10:9000), 30 a second TSS (at 0x700), 38 ... 78 free for the guest; IDT at 0x4000. */
enum { TSS2 = 0x700 };

static inline void machine_protected(struct ia_machine *m, uint64_t rip)
{
	static const uint64_t gdt[] = { 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00cff3000000ffff, 0x00cffb000000ffff,
					0x0000890006000067, 0x0000890007000067 };
	struct emu_ia_state s;

	memcpy(m->ram + GDT, gdt, sizeof(gdt));
	machine_put64(m, TSS + 4, 0x1000009000);
	machine_put64(m, TSS2 + 4, 0x1000009000);
	emu_ia_get(m->cpu, &s);
	memset(s.gpr, 0, sizeof(s.gpr));
	s.rip = rip;
	s.rflags = 2;
	s.gpr[4] = 0x8000;
	s.cr0 = 0x33;
	s.cr3 = s.cr4 = s.efer = 0;
	for (unsigned k = 0; k < 6; k++)
		s.seg[k] = flat_segment(0x10, 3, 0, false, true);
	s.seg[EMU_IA_CS] = flat_segment(8, 11, 0, false, true);
	s.seg[EMU_IA_TR] = (struct emu_ia_seg){ .base = TSS, .limit = 0x67, .selector = 0x28, .type = 11, .present = true };
	s.seg[EMU_IA_LDTR] = (struct emu_ia_seg){ .unusable = true };
	s.gdt_base = GDT;
	s.gdt_limit = 16 * 8 - 1;
	s.idt_base = IDT;
	s.idt_limit = 0x7ff;
	m->ram[GDT + 0x2d] |= 2; /* the TSS is busy */
	emu_ia_set(m->cpu, &s, NULL);
}

#endif
