/* The platform of a PC: the devices that an operating system expects beside its CPU. Private to vmm/.
 *
 *   pic.c     two 8259A interrupt controllers      pit.c      the 8254 timer, port 0x61
 *   lapic.c   the CPU's local APIC                 ioapic.c   the 82093AA I/O APIC
 *   rtc.c     MC146818A clock and CMOS memory      kbc.c      8042 keyboard controller, port 0x92
 *   pm.c      ACPI power management registers      pci.c      a host bridge in configuration space
 *   fwcfg.c   what firmware asks the monitor       pc.c       the board: who is wired to whom
 *
 * No device knows an engine, a machine or another device: a device has registers, output lines
 * (struct vmm_line) and a clock that its owner gives it. So each can be tested alone, two machines live in
 * one process, and the same code serves an engine that has no interrupt controller of its own.
 *
 * Time is pulled, not pushed: a device says when something will happen (`_next`, ns of its clock, or
 * VMM_NEVER), and its owner calls `_tick` at or after that time. Values that change with time are computed
 * when somebody reads them.
 *
 * Register handlers have the shape of struct vmm_region (machine.h): an offset, a size in bytes, a value.
 */
#ifndef VMM_PC_H
#define VMM_PC_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#define VMM_NEVER UINT64_MAX

/* An output wire: `set` is told each change of level. set NULL: not connected. */
struct vmm_line {
	void (*set)(void *arg, unsigned n, bool level);
	void *arg;
	unsigned n;                /* the number of the wire at the other end */
};
static inline void vmm_line_set(const struct vmm_line *l, bool level)
{
	if (l->set)
		l->set(l->arg, l->n, level);
}

struct vmm_time {
	uint64_t (*ns)(void *arg); /* monotonic; ns since any moment */
	void *arg;
};
static inline uint64_t vmm_time_ns(const struct vmm_time *t)
{
	return t->ns(t->arg);
}
/* Ticks of a clock of `hz` in ns, rounded down, and the first ns at which so many ticks have passed. */
static inline uint64_t vmm_ticks_of(uint64_t ns, uint64_t hz)
{
	return (uint64_t)((unsigned __int128)ns * hz / 1000000000u);
}
static inline uint64_t vmm_ns_of(uint64_t ticks, uint64_t hz)
{
	return (uint64_t)(((unsigned __int128)ticks * 1000000000u + hz - 1) / hz);
}

/* -- 8259A, two of them, cascaded (Intel 8259A data sheet, 231468-003; ELCR: Intel PIIX3, 2.5.5) -- */
struct vmm_pic_chip {
	uint8_t irr, isr, imr;
	uint8_t level;             /* the input lines */
	uint8_t elcr;              /* bit set: that input is level-triggered */
	uint8_t base;              /* ICW2: vector of IR0 */
	uint8_t lowest;            /* the input of lowest priority; 7 after ICW1 */
	uint8_t expect;            /* the ICW that comes next at the odd port; 0: none */
	bool icw4, aeoi, rotate_aeoi, nested, special_mask, read_isr, poll;
};
struct vmm_pic {
	struct vmm_pic_chip chip[2]; /* master, slave on its IR2 */
	struct vmm_line out;       /* INT of the master */
	bool out_level;
};
void vmm_pic_init(struct vmm_pic *p, struct vmm_line out);
/* Input lines 0 to 15; 2 is the cascade and ignored. The shape of vmm_line.set. */
void vmm_pic_input(void *pic, unsigned line, bool level);
/* INTA: the vector that the CPU takes. With nothing pending: IR7 of the chip that asked (spurious). */
unsigned vmm_pic_ack(struct vmm_pic *p);
/* Ports 0x20-0x21; of the slave 0xa0-0xa1; ELCR of both 0x4d0-0x4d1. */
uint64_t vmm_pic_read(void *pic, unsigned off, unsigned size);
void vmm_pic_write(void *pic, unsigned off, unsigned size, uint64_t value);
uint64_t vmm_pic_slave_read(void *pic, unsigned off, unsigned size);
void vmm_pic_slave_write(void *pic, unsigned off, unsigned size, uint64_t value);
uint64_t vmm_pic_elcr_read(void *pic, unsigned off, unsigned size);
void vmm_pic_elcr_write(void *pic, unsigned off, unsigned size, uint64_t value);

/* -- 8254 (Intel 8254 data sheet, 231164-005) and port 0x61 (PIIX3, 2.5.4) -- */
#define VMM_PIT_HZ 1193182u
struct vmm_pit_counter {
	uint8_t mode;              /* 0 to 5 */
	uint8_t access;            /* 1 LSB, 2 MSB, 3 LSB then MSB */
	bool bcd, null_count;
	bool write_high, read_high; /* access 3: the second byte comes next */
	bool running;              /* a count was loaded (modes 1 and 5: and triggered) */
	bool gate;
	bool status_latched;
	uint8_t status, latched_bytes; /* bytes of the latch that wait to be read */
	uint16_t latch;
	uint8_t low;               /* the first byte of a count being written */
	uint32_t count;            /* reload value, 1 to 0x10000 (BCD: 1 to 10000) */
	uint64_t start;            /* tick at which counting began */
	uint64_t held;             /* ticks counted before the gate went low (modes 0, 4) */
};
struct vmm_pit {
	struct vmm_time time;
	struct vmm_line irq;       /* OUT of counter 0 */
	struct vmm_pit_counter counter[3];
	uint64_t told;             /* tick up to which the line was told about counter 0 */
	bool irq_level, speaker;
};
void vmm_pit_init(struct vmm_pit *p, struct vmm_time time, struct vmm_line irq);
uint64_t vmm_pit_next(struct vmm_pit *p);
void vmm_pit_tick(struct vmm_pit *p);
bool vmm_pit_out(struct vmm_pit *p, unsigned counter);
/* Ports 0x40-0x43; port 0x61 (gate of counter 2, speaker, refresh toggle, OUT2). */
uint64_t vmm_pit_read(void *pit, unsigned off, unsigned size);
void vmm_pit_write(void *pit, unsigned off, unsigned size, uint64_t value);
uint64_t vmm_pit_port61_read(void *pit, unsigned off, unsigned size);
void vmm_pit_port61_write(void *pit, unsigned off, unsigned size, uint64_t value);

/* -- local APIC (SDM vol. 3A, chapter 11) -- */
#define VMM_LAPIC_BASE 0xfee00000u
#define VMM_LAPIC_HZ 1000000000u   /* clock of its timer before the divider */
enum vmm_lvt { VMM_LVT_TIMER, VMM_LVT_THERMAL, VMM_LVT_PERF, VMM_LVT_LINT0, VMM_LVT_LINT1, VMM_LVT_ERROR,
	       VMM_LVTS };
/* What comes to the CPU beside fixed interrupts. */
enum vmm_lapic_signal { VMM_LAPIC_NMI, VMM_LAPIC_INIT, VMM_LAPIC_SIPI, VMM_LAPIC_SMI };
struct vmm_lapic {
	struct vmm_time time;
	uint64_t (*tsc)(void *arg); /* the guest's time-stamp counter, for TSC deadlines ... */
	uint64_t (*tsc_ns)(void *arg, uint64_t tsc); /* ... and the time of a value of it; NULL: none */
	void *tsc_arg;
	void (*eoi)(void *arg, unsigned vector); /* a level-triggered interrupt ended: to the I/O APICs */
	void (*signal)(void *arg, enum vmm_lapic_signal what, unsigned vector);
	void *arg;
	uint64_t base;             /* IA32_APIC_BASE */
	uint32_t id, tpr, ldr, dfr, svr, esr, esr_next, lvt[VMM_LVTS], icr_high, icr_low;
	uint32_t irr[8], isr[8], tmr[8];
	uint32_t initial, divide;  /* of the timer */
	uint64_t deadline;         /* ns at which the count is 0; VMM_NEVER: stopped */
	uint64_t tsc_deadline;     /* IA32_TSC_DEADLINE; 0: not armed */
	bool ext;                  /* INT of the 8259A, at LINT0 */
};
/* As after power-on. `id` is the physical APIC ID; bit 8 of the base, BSP, is set. */
void vmm_lapic_init(struct vmm_lapic *a, unsigned id, struct vmm_time time);
/* A message of the APIC bus (11.5.1, delivery modes of the LVT and ICR) arrives. */
void vmm_lapic_deliver(struct vmm_lapic *a, unsigned mode, unsigned vector, bool level);
/* Is this APIC a destination of the message (11.6.2)? */
bool vmm_lapic_is_for(const struct vmm_lapic *a, unsigned dest, bool logical);
void vmm_lapic_lint0(void *lapic, unsigned n, bool level);
/* The vector that the CPU may take now (above the processor priority), or -1. */
int vmm_lapic_pending(const struct vmm_lapic *a);
/* Does the 8259A's INT reach the CPU: the APIC is off, or LINT0 is set to ExtINT? */
bool vmm_lapic_ext_pending(const struct vmm_lapic *a);
/* The CPU takes it: -1, or the vector, which is in service from here on. */
int vmm_lapic_ack(struct vmm_lapic *a);
uint64_t vmm_lapic_next(struct vmm_lapic *a);
void vmm_lapic_tick(struct vmm_lapic *a);
/* CR8 is the upper half of TPR (11.8.6.1). */
static inline unsigned vmm_lapic_cr8(const struct vmm_lapic *a) { return a->tpr >> 4 & 15; }
void vmm_lapic_set_cr8(struct vmm_lapic *a, unsigned cr8);
/* The page at IA32_APIC_BASE. */
uint64_t vmm_lapic_read(void *lapic, unsigned off, unsigned size);
void vmm_lapic_write(void *lapic, unsigned off, unsigned size, uint64_t value);
/* IA32_APIC_BASE (0x1b), IA32_TSC_DEADLINE (0x6e0), x2APIC (0x800-0x83f). False: #GP, or not its MSR. */
bool vmm_lapic_rdmsr(struct vmm_lapic *a, uint32_t index, uint64_t *value);
bool vmm_lapic_wrmsr(struct vmm_lapic *a, uint32_t index, uint64_t value);

/* -- I/O APIC (Intel 82093AA data sheet, 290566-001) -- */
#define VMM_IOAPIC_BASE 0xfec00000u
#define VMM_IOAPIC_PINS 24
struct vmm_ioapic {
	/* One message to the local APICs; `vector` is the vector, also of ExtINT. */
	void (*deliver)(void *arg, unsigned dest, bool logical, unsigned mode, unsigned vector, bool level);
	void *arg;
	uint8_t select, id;
	uint32_t level;            /* the pins */
	uint64_t entry[VMM_IOAPIC_PINS];
};
void vmm_ioapic_init(struct vmm_ioapic *i);
void vmm_ioapic_input(void *ioapic, unsigned pin, bool level);
void vmm_ioapic_eoi(struct vmm_ioapic *i, unsigned vector);
uint64_t vmm_ioapic_read(void *ioapic, unsigned off, unsigned size);
void vmm_ioapic_write(void *ioapic, unsigned off, unsigned size, uint64_t value);

/* -- real-time clock and CMOS memory (Motorola MC146818A data sheet) -- */
struct vmm_rtc {
	struct vmm_time time;
	struct vmm_line irq;
	int64_t epoch;             /* seconds since 1970, UTC, at ns 0 of `time`, as the guest set the clock */
	uint8_t index;
	uint8_t ram[128];          /* with the registers A to D; the time's bytes are computed */
	uint64_t periodic;         /* ns of the next periodic interrupt; VMM_NEVER: off */
	uint64_t second;           /* seconds of `time` up to which updates were seen */
};
/* `now`: seconds since 1970, UTC. memory: bytes of RAM, for the cells that firmware reads. */
void vmm_rtc_init(struct vmm_rtc *r, struct vmm_time time, struct vmm_line irq, int64_t now, uint64_t memory);
uint64_t vmm_rtc_next(struct vmm_rtc *r);
void vmm_rtc_tick(struct vmm_rtc *r);
/* Ports 0x70-0x71. */
uint64_t vmm_rtc_read(void *rtc, unsigned off, unsigned size);
void vmm_rtc_write(void *rtc, unsigned off, unsigned size, uint64_t value);

/* -- keyboard controller without keyboard (IBM PC/AT Technical Reference, 8042), port 0x92 (PIIX3) -- */
struct vmm_kbc {
	void (*reset)(void *arg);
	void *arg;
	struct vmm_line irq1, irq12;
	uint8_t command;           /* the command byte */
	uint8_t output, pending;   /* output port; the command whose data byte comes next, 0: none */
	uint8_t ram[32];
	uint8_t data;              /* output buffer ... */
	bool full, aux;            /* ... holds a byte; it is the mouse's */
	uint8_t port92;
};
void vmm_kbc_init(struct vmm_kbc *k, void (*reset)(void *arg), void *arg);
uint64_t vmm_kbc_data_read(void *kbc, unsigned off, unsigned size);      /* 0x60 */
void vmm_kbc_data_write(void *kbc, unsigned off, unsigned size, uint64_t value);
uint64_t vmm_kbc_status_read(void *kbc, unsigned off, unsigned size);    /* 0x64 */
void vmm_kbc_command_write(void *kbc, unsigned off, unsigned size, uint64_t value);
uint64_t vmm_kbc_port92_read(void *kbc, unsigned off, unsigned size);
void vmm_kbc_port92_write(void *kbc, unsigned off, unsigned size, uint64_t value);

/* -- ACPI fixed hardware (ACPI 6.4, 4.8): power button never, sleep S5, the timer -- */
#define VMM_PM_BASE 0x600u
#define VMM_PM_TIMER_HZ 3579545u
#define VMM_PM_S5 5u               /* SLP_TYP of S5 as the DSDT says it */
struct vmm_pm {
	struct vmm_time time;
	void (*off)(void *arg);    /* the guest went to S5 */
	void *arg;
	uint16_t status, enable, control;
};
void vmm_pm_init(struct vmm_pm *p, struct vmm_time time, void (*off)(void *arg), void *arg);
/* 12 ports: PM1 status, PM1 enable, PM1 control (2 bytes each), 2 unused, the timer (4). */
uint64_t vmm_pm_read(void *pm, unsigned off, unsigned size);
void vmm_pm_write(void *pm, unsigned off, unsigned size, uint64_t value);

/* -- PCI configuration space, mechanism 1 (PCI 3.0, 3.2.2.3.2): a 440FX host bridge alone -- */
struct vmm_pci {
	void (*reset)(void *arg);
	void *arg;
	uint32_t address;
	uint8_t rc;                /* reset control, port 0xcf9 */
	uint8_t bridge[256];       /* of device 0 on bus 0 (Intel 82441FX data sheet, chapter 3) */
};
void vmm_pci_init(struct vmm_pci *p, void (*reset)(void *arg), void *arg);
/* Ports 0xcf8-0xcff. */
uint64_t vmm_pci_read(void *pci, unsigned off, unsigned size);
void vmm_pci_write(void *pci, unsigned off, unsigned size, uint64_t value);

/* -- fw_cfg (QEMU docs/specs/fw_cfg.rst), without DMA -- */
#define VMM_FWCFG_FILES 8
struct vmm_fwcfg_item {
	uint16_t key;
	char name[56];             /* of a file; "" for the numbered items */
	const void *data;          /* the owner's: lives as long as the device */
	uint32_t size;
};
struct vmm_fwcfg {
	struct vmm_fwcfg_item item[8 + VMM_FWCFG_FILES];
	unsigned items, files;
	uint16_t key;
	uint32_t at;
	uint8_t directory[4 + VMM_FWCFG_FILES * 64];
};
void vmm_fwcfg_init(struct vmm_fwcfg *f);
/* -ENOSPC. */
int vmm_fwcfg_add(struct vmm_fwcfg *f, uint16_t key, const void *data, uint32_t size);
int vmm_fwcfg_add_file(struct vmm_fwcfg *f, const char *name, const void *data, uint32_t size);
/* Ports 0x510 (selector, 16 bits) and 0x511 (data): off 0 and 1. */
uint64_t vmm_fwcfg_read(void *fwcfg, unsigned off, unsigned size);
void vmm_fwcfg_write(void *fwcfg, unsigned off, unsigned size, uint64_t value);

/* -- the board (pc.c): one CPU, everything above, and who is wired to whom -- */
/* Interrupt requests of the ISA bus. IRQ 0 is pin 2 of the I/O APIC, as the MADT says (acpi.c). */
enum { VMM_IRQ_TIMER = 0, VMM_IRQ_KEYBOARD = 1, VMM_IRQ_COM1 = 4, VMM_IRQ_RTC = 8, VMM_IRQ_SCI = 9, VMM_IRQ_MOUSE = 12 };
struct vmm_pc_owner {
	void *arg;
	void (*reset)(void *arg);  /* the guest resets the machine ... */
	void (*off)(void *arg);    /* ... switches it off */
	void (*nmi)(void *arg);    /* NULL: none comes */
};
struct vmm_bus;
struct vmm_pc {
	struct vmm_pc_owner owner;
	struct vmm_pic pic;
	struct vmm_pit pit;
	struct vmm_lapic lapic;
	struct vmm_ioapic ioapic;
	struct vmm_rtc rtc;
	struct vmm_kbc kbc;
	struct vmm_pm pm;
	struct vmm_pci pci;
	struct vmm_fwcfg fwcfg;
	bool changed;              /* a register that time depends on was written: vmm_pc_next may give another answer */
	uint8_t port80;            /* firmware writes its progress there; it reads back */
	uint16_t cpus;             /* of fw_cfg; always 1 */
	uint64_t memory;           /* bytes of RAM */
};
/* Puts the devices on the buses. The guest's TSC counts ns of `time`. now: seconds since 1970. 0; -EEXIST or
 * -ENOSPC of the buses. The board must not move afterwards. */
int vmm_pc_init(struct vmm_pc *pc, const struct vmm_pc_owner *owner, struct vmm_time time, uint64_t memory, int64_t now,
		struct vmm_bus *pio, struct vmm_bus *mmio);
/* As a BIOS leaves the interrupt controllers: the 8259A reaches the CPU through LINT0. */
void vmm_pc_after_bios(struct vmm_pc *pc);
/* A line of the ISA bus; the shape of vmm_line.set. */
void vmm_pc_irq(void *pc, unsigned irq, bool level);
/* Is there an interrupt that the CPU would take with IF set? Taking it: the vector, or -1 (it has gone). */
bool vmm_pc_pending(const struct vmm_pc *pc);
int vmm_pc_ack(struct vmm_pc *pc);
/* When the next thing happens by itself, and letting happen what is due. */
uint64_t vmm_pc_next(struct vmm_pc *pc);
void vmm_pc_tick(struct vmm_pc *pc);

#endif
