/* vmm/: the virtual machine monitor. The one public header; the map:
 *
 *   vmm.h        describe a machine, run it, ask what this host can run
 *   engine.h     the small table of functions a CPU engine fills     soft.c   the software CPU of emu/
 *   assist.c     one instruction on it, for an engine that cannot
 *   kvm.c        the only file that issues KVM ioctls; each one can be watched
 *   kvm_vcpu.c   a vCPU on KVM: registers, single-step, kicks, exits
 *   machine.c    builds the machine: memory slots and holes, buses, devices
 *   run.c        the run loop: watchdog, exits -> events     orders.c  pause, step, inspect
 *   exits.c      one handler a row of engine/base/exits.def     snapshot.c   what is shown meanwhile
 *   entry.c      entry modes: GDT, IDT, TSS, page tables and CPU state
 *   entry_check.c, entry_rules.def  the VM-entry rules as a pure function, a row each
 *   load.c       flat binaries and ELF into guest memory
 *   serial.c, ports.c   the 16550, debug-exit, port 0xe9
 *   pc.h, pc.c   the platform of a PC: interrupt controllers, timers, clock, firmware interface
 *   board.c      a machine's PC platform: its clock, its interrupt line     boot.c, acpi.c   Linux, firmware
 *   trace.c      ring crossings, exact or sampled; gates.c, arrive.c: handlers and how
 *                they were reached; exact.c: from an engine that knows
 *   diff.c       lock-step on two engines     prepare.c    a machine before its first instruction
 *   walk.c       the page walk     disasm.c   Zydis     tables.c   GDT, IDT, TSS
 *   deliver.c    what an exception meets on its way     explain.c  why a run ended
 *   virt.c       the guest kernel in ring 1 under a monitor in ring 0: virt.h is the map
 *   probe.c, probe_run.c, probe_guests.c  tiny guests for `ringside doctor`
 *
 * Guest-physical map of a lab machine (all entry modes):
 *   0x00000000  RAM, `memory` bytes, minus the holes of the description
 *   0x00000500  where the monitor may put its tables when the lesson asks for them:
 *               GDT, IDT, TSS and page tables live in VMM_TABLES_BASE..VMM_TABLES_END
 *   0x00010000  flat binaries are loaded here unless the description says otherwise
 */
#ifndef VMM_VMM_H
#define VMM_VMM_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/channel.h"
#include "engine/base/err.h"
#include "engine/base/state.h"
#include "engine/base/str.h"

#define VMM_TABLES_BASE 0x1000u  /* monitor-made GDT, IDT, TSS, stacks, page tables ... */
#define VMM_TABLES_END 0xf000u   /* ... end here */
#define VMM_LOAD_DEFAULT 0x10000u
#define VMM_MEMORY_MIN 0x20000ull
#define VMM_MEMORY_MAX (1ull << 30)

/* What the monitor puts into its area. labs/include/lab.inc has
 * the same names without VMM_ for guests. */
#define VMM_GDT 0x1000u          /* 7 descriptors: null, code0, data0, data3, code3, TSS (16 bytes) */
#define VMM_TSS 0x1100u          /* 104 bytes, no I/O permission bitmap; RSP0 = VMM_STACK0_TOP */
#define VMM_IDT 0x2000u          /* 256 gates, all not present */
#define VMM_STACK0_TOP 0x4000u   /* stack on which ring 0 is entered from ring 3: 4 KiB below */
#define VMM_STACK_TOP 0x5000u    /* stack of the guest's first instruction: 4 KiB below */
#define VMM_PAGE_TABLES 0x5000u  /* long64: PML4 first, then the others, up to VMM_TABLES_END */
#define VMM_STACK3_TOP 0x10000u  /* 4 KiB above the area, for a ring-3 stack: pages are the guest's */

/* Selectors of the monitor's GDT. SYSCALL takes code0 and the one above it, SYSRET to 64-bit code
 * the two above STAR[63:48] (SDM vol. 2B, SYSCALL and SYSRET), which gives data3 before code3. */
#define VMM_SEL_CODE0 0x08u
#define VMM_SEL_DATA0 0x10u
#define VMM_SEL_DATA3 0x1bu
#define VMM_SEL_CODE3 0x23u
#define VMM_SEL_TSS 0x28u
#define VMM_STAR_HIGH 0x00130008u /* upper half of IA32_STAR that fits these selectors */

/* Ports of a lab machine. */
#define VMM_PORT_COM1 0x3f8       /* 16550 UART, 8 ports */
#define VMM_PORT_DEBUGCON 0xe9    /* a byte out is a byte of the stream `debug` */
#define VMM_PORT_FIRMWARE 0x402   /* `pc`: the same, where SeaBIOS writes its messages */
#define VMM_PORT_HYPERCALL 0x5c0  /* out dx, eax: number in EAX, arguments in EBX/RBX, ECX/RCX; result
				     in EAX of a following `in`. Works at any CPL that may do I/O, on
				     every engine; see VMM_HC_* in machine.c */
#define VMM_PORT_DEBUG_EXIT 0xf4  /* out: the run ends with outcome debug-exit and code = value */

/* State of the CPU at the guest's first instruction. */
enum vmm_entry {
	VMM_ENTRY_REAL16,   /* 16-bit real mode, CS base = load address rounded to 16, IP = 0 */
	VMM_ENTRY_PROT32,   /* 32-bit protected mode, flat segments, paging off */
	VMM_ENTRY_LONG64,   /* 64-bit mode, 4-level paging, identity map of RAM */
	VMM_ENTRY_RESET,    /* as after power-on: the image is firmware, mapped below 4 GiB, and begins 16 bytes
			       before its end. Needs `pc` */
	VMM_ENTRY_COUNT
};
const char *vmm_entry_name(enum vmm_entry e);  /* "real16", "prot32", "long64", "reset" */
int vmm_entry_by_name(const char *name);       /* -ENOENT */

struct vmm_hole {                /* a range without memory: accesses are MMIO exits */
	uint64_t gpa, size;      /* bytes; both multiples of 4096 */
};
#define VMM_HOLES_MAX 8

enum vmm_trace {
	VMM_TRACE_EXITS,   /* CPL is read at every exit: sampled */
	VMM_TRACE_RINGS,   /* every ring crossing exact where the engine can (single-step with
			      breakpoints on the gates), else sampled */
	VMM_TRACE_STEPS,   /* RINGS, and a cpu.step event an instruction when that kind is wanted */
};

/* What to build and run. Plain data; the strings stay the caller's until vmm_run returns. */
struct vmm_desc {
	const char *image;        /* path of a flat binary or an ELF executable (static, x86) */
	const char *engine;       /* "kvm", "soft", or NULL for the best one here */
	enum vmm_entry entry;
	uint64_t memory;          /* bytes of RAM; multiple of 4096, VMM_MEMORY_MIN..MAX */
	uint64_t load;            /* where a flat binary goes; 0 = VMM_LOAD_DEFAULT */
	struct vmm_hole hole[VMM_HOLES_MAX];
	unsigned holes;
	bool pc;                  /* the devices of a PC (pc.h) beside the lab's: interrupts, timers, clock */
	/* The image is a Linux kernel (bzImage; needs `pc` and long64): initial RAM disk (NULL: none) and command
	 * line (NULL: empty). */
	const char *initrd, *append;
	bool tables;              /* the monitor makes GDT (with ring-3 segments), IDT (empty), TSS; else
				     only the GDT that the entry mode cannot do without */
	bool user_pages;          /* long64: pages above the tables are user-accessible (U/S = 1) */
	enum vmm_trace trace;     /* a monitor in ring 0 sees every crossing but those by which ring 1 goes to
				     ring 3 on its own: then it is EXITS whatever stands here */
	enum rs_technique technique; /* how the CPU is virtualized; all but ASSIST need prot32 and tables */
	uint64_t timeout_ns;      /* watchdog over the run, paused time excluded; 0 = 10 s */
	uint64_t exit_limit;      /* 0 = none */
	uint64_t serial_limit;    /* bytes of one output stream kept; 0 = 1 MiB. More is counted, not kept */
	bool has_until;           /* set-up stops after the first successful call `until` of the KVM API: */
	enum rs_call until;       /* ... no guest instruction runs, and the outcome is reached */
	bool start_paused;        /* stand still before the first instruction */
	const char *serial_input; /* bytes waiting in the serial port's receiver; NULL = none */
};
void vmm_desc_init(struct vmm_desc *d);  /* defaults: long64, 4 MiB, tables, user_pages, RINGS */
/* Is the description sound? 0, or an error that names the field and the value. */
int vmm_desc_check(const struct vmm_desc *d, struct rs_err *err);

/* How it ended. */
#define VMM_POWERED_OFF 1u        /* code of the outcome reset: the guest switched the machine off */
struct vmm_result {
	enum rs_outcome outcome;
	uint64_t code;            /* debug-exit: the value written; fail-entry: hardware reason */
	uint64_t rip, exits;
};

/* Builds the machine and runs it to its end on the calling process: the caller's thread
 * becomes the monitor thread (orders from control_fd, watchdog), each vCPU a thread of its own.
 * Every step is an event on `em`. Before the first guest instruction, and after all set-up,
 * `seal` is called once (may be NULL): the experiment's seccomp filter goes there.
 * control_fd may be -1.
 * Returns 0 with *res filled, also when the guest failed (that is an outcome);
 * negative when the machine could not be built or the engine failed:
 *   -ENOENT no /dev/kvm, -EACCES may not open it, -ENOSYS the engine cannot do what is asked,
 *   -EINVAL bad description, -ENOEXEC bad image, -ENOMEM, -EIO. */
int vmm_run(const struct vmm_desc *d, struct rs_emitter *em, int control_fd,
	    int (*seal)(void *arg, struct rs_err *err), void *seal_arg, struct vmm_result *res,
	    struct rs_err *err);

/* -- the same guest on two engines (diff.c) -- */
struct vmm_difference {
	bool found;
	uint64_t exits;           /* compared and equal */
	uint64_t rip;             /* found: of the instruction after which the engines differ, if `exact` */
	bool exact;               /* ... else it lies behind this point, where they still agreed */
};
/* Runs d on the engines a and b in lock-step: after each exit, registers, memory and what the exit asked for are
 * compared. At the first difference both run again up to the exit before it and are stepped from there, as far as they
 * can be. Arithmetic flags are compared through what the guest does with them, for many instructions leave
 * some undefined. `out`: the report, in `lang`. plant: for tests, an address of RAM whose byte is changed on b after that
 * many exits (plant_after), 0: none. Errors as vmm_run; `seal` likewise. */
struct vmm_diff_opts {
	const char *a, *b;
	enum rs_lang lang;
	uint64_t plant, plant_after;
};
int vmm_diff(const struct vmm_desc *d, const struct vmm_diff_opts *o, int (*seal)(void *arg, struct rs_err *err),
	     void *seal_arg, struct vmm_difference *found, struct rs_str *out, struct rs_err *err);

/* -- what this host can run -- */
enum vmm_ability_state { VMM_MISSING, VMM_BROKEN, VMM_EMULATED, VMM_REAL };
struct vmm_ability {
	const char *name;     /* "kvm.long64", "kvm.ring3.syscall", ...; static */
	enum vmm_ability_state state;
	struct rs_text detail; /* what the probe guest saw */
	const char *advice;   /* what to do about it; translation key; NULL when real */
};
#define VMM_ABILITIES_MAX 40
/* Runs the probe guests (each with a watchdog of 1 s). Returns how many rows were filled. Never
 * fails: a host without KVM has rows that say missing and why. Takes up to a few seconds;
 * run it in a child process. */
unsigned vmm_probe(struct vmm_ability *out, unsigned max);
/* 0 when an x86 guest can run here on `engine` (NULL = any); else -ENOENT, -EACCES, -ENOSYS with
 * one sentence in err. Cheap: opens /dev/kvm and creates a VM. */
int vmm_available(const char *engine, struct rs_err *err);

/* -- machine code of the host -- */
/* Appends one 64-bit instruction as text (Intel syntax). Returns its length in bytes, 0 when it
 * cannot be decoded (nothing is appended). */
unsigned vmm_host_text(const uint8_t *code, unsigned avail, uint64_t address, struct rs_str *out);

/* -- VM-entry rules -- */
/* Everything the rules look at (SDM vol. 3C, 27.3.1; APM vol. 2, 15.5.1). */
struct vmm_seg {
	uint64_t base;
	uint32_t limit;
	uint16_t selector;
	uint8_t type, s, dpl, present, avl, l, db, g, unusable;
};
struct vmm_entry_state {
	uint64_t cr0, cr3, cr4, efer, rip, rflags;
	struct vmm_seg cs, ss, ds, es, fs, gs, tr, ldtr;
	uint64_t gdt_base, idt_base;
	uint32_t gdt_limit, idt_limit;
	unsigned phys_bits;      /* MAXPHYADDR, for CR3; 0 = 52 */
	bool unrestricted_guest; /* real mode and unpaged protected mode are allowed as they are */
};
struct vmm_entry_rule {
	const char *name;      /* "cs.type", "cr0.pg-needs-pe" */
	const char *section;   /* "SDM vol. 3C, 27.3.1.2" */
	const char *sentence;  /* translation key */
};
/* The first rule that `s` breaks, or NULL. Pure. */
const struct vmm_entry_rule *vmm_entry_check(const struct vmm_entry_state *s);
/* All rules, for the reference page and the tests. */
const struct vmm_entry_rule *vmm_entry_rules(unsigned *count);

#endif
