/* The system level of the software x86 CPU: what the files below share. Private to emu/; ia_cpu.h is what others
 * see.
 *
 *   ia_vcpu.c      life of a CPU, its state in and out
 *   ia_run.c       the run loop: blocks, single steps, when events are taken
 *   ia_mem.c       memory through the MMU: for C routines, and for what translated code cannot do itself
 *   ia_segment.c   descriptors, segment registers, what of the mode translated code relies on
 *   ia_event.c     exceptions and interrupts through the IDT, double fault, shutdown
 *   ia_iret.c      IRET       ia_far.c   far jumps, calls, returns, gates      ia_task.c   task switches
 *   ia_fast.c      syscall, sysret, sysenter, sysexit, swapgs
 *   ia_door.c      from translated code to C      ia_system.c    system instructions: which routine
 *   ia_control.c   CR, DR, MSR      ia_cpuid.c   CPUID
 *   ia_io.c        ports, string I/O, the I/O permission bitmap
 *
 * A routine returns 0, or an exception (EMU_EXC_VECTOR + n) with its error code in sys->error; nothing of the
 * guest has changed then, as SDM volume 3A, 6.5 asks of faults.
 */
#ifndef EMU_IA_SYS_H
#define EMU_IA_SYS_H

#include <stdatomic.h>

#include "emu/ia_cpu.h"
#include "emu/ia_mmu.h"
#include "emu/ia_state.h"
#include "emu/ia_translate.h"
#include "emu/soft.h"

/* Vectors (SDM volume 3A, table 6-1). */
enum { IA_V_DE, IA_V_DB, IA_V_NMI, IA_V_BP, IA_V_OF, IA_V_BR, IA_V_UD, IA_V_NM, IA_V_DF, IA_V_TS = 10, IA_V_NP, IA_V_SS, IA_V_GP,
       IA_V_PF, IA_V_MF = 16, IA_V_AC, IA_V_MC, IA_V_XM };
/* CR0, CR4, EFER beyond ia_mmu.h. */
enum { IA_CR0_PE = 1, IA_CR0_MP = 2, IA_CR0_EM = 4, IA_CR0_TS = 8, IA_CR0_ET = 16, IA_CR0_NE = 32, IA_CR0_AM = 1 << 18,
       IA_CR0_NW = 1 << 29, IA_CR0_CD = 1 << 30 };
enum { IA_CR4_TSD = 4, IA_CR4_DE = 8, IA_CR4_PCE = 256, IA_CR4_OSFXSR = 512, IA_CR4_OSXMMEXCPT = 1024,
       IA_CR4_FSGSBASE = 1 << 16 };
enum { IA_EFER_SCE = 1, IA_EFER_LME = 256 };

#define IA_SLOTS 32
#define IA_BREAKS 16

struct emu_ia_event {
	bool pending, has_error;
	uint8_t vector, cause, length; /* cause: enum emu_ia_cause; length: of a software interrupt */
	uint32_t error;
};

#define IA_JUMP_LIST 2048u
#define IA_JUMP_GLOBAL 0x8000u  /* it leads to a global page */

/* Does one instruction; EMU_EXC_COMPLEX: not here. *next: RIP (linear) afterwards. */
typedef int ia_routine(struct emu_ia_vcpu *v, const struct emu_ia_insn *i, uint64_t *next);

/* An instruction that C did before: found by its linear address, and good until code or its mapping changes. */
#define IA_DECODED_CACHE 256u
struct ia_decoded {
	uint64_t pc, since;     /* since: decode_age then */
	uint8_t bits;
	ia_routine *routine;
	struct emu_ia_insn i;
};

/* Beside struct emu_cpu (general registers, flags, xmm) and struct emu_ia_cpu (x87). */
struct emu_ia_vcpu {
	struct emu_ia_cpu fpu;          /* cpu->tls points here; sys is this */
	struct emu_world *world;
	struct emu_cpu *cpu;
	struct emu_ia_desc desc;
	struct emu_soft soft;
	struct emu_ia_slot slot[IA_SLOTS];
	unsigned slots, last_slot;
	uint64_t ram_end;               /* first address after all RAM */
	struct emu_ia_mmu mmu;          /* CR0, CR3, CR4, EFER stand here */
	struct emu_ia_seg seg[EMU_IA_SEGS];
	uint64_t gdt_base, idt_base;
	uint32_t gdt_limit, idt_limit;
	uint64_t cr2, cr8, dr[4], dr6, dr7;
	uint64_t star, lstar, cstar, fmask, kernel_gs_base, tsc_aux, tsc_offset;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip, pat, misc_enable, mtrr[32];
	uint8_t cpl;
	uint8_t shadow;
	bool halted, nmi_masked, dead;  /* dead: shut down */
	bool resume;                    /* RF-like: the breakpoint at RIP was told already */
	bool alone;                     /* the block that runs is one instruction */
	bool stop;                      /* a callback asked for it */
	bool no_code;
	uint32_t error;                 /* of the exception that a routine returns, when it has one */
	bool external;                  /* EXT in error codes: delivering something external */
	struct emu_ia_event event;
	struct ia_decoded decoded[IA_DECODED_CACHE];
	uint64_t decode_age;            /* counts changes of code and of mappings */
	uint32_t db;                    /* DR6 bits of a debug trap after this instruction */
	struct emu_ia_mode mode;
	uint64_t mode_key;
	uint16_t jump_list[IA_JUMP_LIST]; /* entries of the indirect-branch cache in use, IA_JUMP_GLOBAL, ... */
	unsigned jump_count;            /* ... unless there are more */
	uint64_t jump_pages[64];        /* a hash of the pages that they lead to */
	bool jump_large;                /* ... some of them large */
	bool fetch_global;              /* the page of the block at hand is global */
	uint64_t flushes_seen;          /* of the code memory */
	int fetch_fault;                /* why the second page of an instruction could not be had */
	bool next_alone;                /* the next instruction must be a block of its own */
	int assisted;                   /* with EMU_EXC_ASSISTED: what the instruction raises, or 0 */
	uint64_t breaks[IA_BREAKS];
	unsigned break_count;
	struct emu_ia_counters count;
	atomic_bool irq, nmi, kicked;   /* the line; edges */
	uint8_t *code_page;             /* a bit for each physical page with code */
	struct emu_ia_cross cross;      /* being told: `from` was noted */
};

static inline struct emu_ia_vcpu *ia_sys(const struct emu_cpu *cpu)
{
	return emu_ia_state(cpu)->sys;
}
/* The exception with an error code. */
static inline int ia_fault(struct emu_ia_vcpu *v, unsigned vector, uint32_t error)
{
	v->error = error;
	return (int)(EMU_EXC_VECTOR + vector);
}
#define IA_GP0(v) ia_fault(v, IA_V_GP, 0)
#define IA_UNDEFINED_INSN(v) ia_fault(v, IA_V_UD, 0)

static inline bool ia_protected(const struct emu_ia_vcpu *v) { return v->mmu.cr0 & IA_CR0_PE; }
static inline bool ia_vm86(const struct emu_ia_vcpu *v) { return v->cpu->r[IA_G_RFLAGS] & IA_VM; }
static inline bool ia_real(const struct emu_ia_vcpu *v) { return !ia_protected(v) || ia_vm86(v); } /* or VM86 */
static inline bool ia_long(const struct emu_ia_vcpu *v) { return v->mmu.efer & IA_EFER_LMA; }
static inline bool ia_code64(const struct emu_ia_vcpu *v) { return ia_long(v) && v->seg[EMU_IA_CS].l; }
static inline unsigned ia_iopl(const struct emu_ia_vcpu *v) { return (unsigned)(v->cpu->r[IA_G_RFLAGS] >> 12 & 3); }
static inline bool ia_canonical(uint64_t a) { return (int64_t)(a << 16) >> 16 == (int64_t)a; }
/* Offset of RIP in the code segment; setting it (linear address in cpu->pc). */
static inline uint64_t ia_ip(const struct emu_ia_vcpu *v)
{
	return ia_code64(v) ? v->cpu->pc : (uint32_t)(v->cpu->pc - v->seg[EMU_IA_CS].base);
}
static inline uint64_t ia_pc_of(const struct emu_ia_vcpu *v, uint64_t ip)
{
	return ia_code64(v) ? ip : (uint32_t)(ip + v->seg[EMU_IA_CS].base);
}

/* -- ia_mem.c -- */
uint8_t *ia_ram(void *v, uint64_t gpa, unsigned bytes);         /* inside one slot, ROM too; NULL */
/* Memory at a linear address. As: of the CPU now, or the processor itself (`system`: descriptor tables, TSS). */
int ia_mem_read(struct emu_ia_vcpu *v, uint64_t linear, void *to, unsigned bytes, bool system);
int ia_mem_write(struct emu_ia_vcpu *v, uint64_t linear, const void *from, unsigned bytes, bool system);
int ia_mem_probe(struct emu_ia_vcpu *v, uint64_t linear, unsigned bytes, bool write, bool system);
/* Offsets in a segment: limits and rights, then as above. */
int ia_seg_check(struct emu_ia_vcpu *v, unsigned seg, uint64_t offset, unsigned bytes, bool write);
uint64_t ia_seg_linear(const struct emu_ia_vcpu *v, unsigned seg, uint64_t offset);
void ia_mem_mode(struct emu_ia_vcpu *v);  /* after a change of CPL, AC: which TLB */
void ia_code_written(struct emu_ia_vcpu *v, uint64_t gpa, uint64_t bytes); /* blocks from there go */
bool ia_code_hit(struct emu_ia_vcpu *v, uint64_t gpa, unsigned bytes);     /* ... are there any? */
void ia_protect_page(void *v, uint64_t page);
void ia_soft_init(struct emu_ia_vcpu *v); /* ia_run.c */

/* -- ia_segment.c -- */
struct ia_descriptor {
	struct emu_ia_seg seg;  /* selector not filled; base of 64 bits for system descriptors in long mode */
	uint64_t at;            /* linear address, for the accessed or busy bit */
	uint8_t raw[16];
	/* gates */
	uint16_t gate_selector;
	uint64_t gate_offset;
	uint8_t gate_count, gate_ist;
};
/* Reads a descriptor; error code for what lies beyond the table: selector. `vector`: #GP, #TS, #NP. */
int ia_descriptor(struct emu_ia_vcpu *v, uint16_t selector, struct ia_descriptor *d, unsigned vector);
void ia_unpack(const struct emu_ia_vcpu *v, struct ia_descriptor *d);
int ia_mark_accessed(struct emu_ia_vcpu *v, struct ia_descriptor *d);
/* MOV, POP ... to a data or stack segment. */
int ia_load_segment(struct emu_ia_vcpu *v, unsigned seg, uint16_t selector);
void ia_load_real(struct emu_ia_vcpu *v, unsigned seg, uint16_t selector);
/* A new CS, checked already. */
void ia_set_segment(struct emu_ia_vcpu *v, unsigned seg, const struct ia_descriptor *d, uint16_t selector);
void ia_null_segment(struct emu_ia_vcpu *v, unsigned seg, uint16_t selector);
/* Stack segment for a new CPL (`vector`: #TS, #GP ...). */
int ia_check_stack(struct emu_ia_vcpu *v, uint16_t selector, unsigned cpl, struct ia_descriptor *d, unsigned vector);
/* After segments, CR0, EFER or RFLAGS.VM changed. */
void ia_mode_changed(struct emu_ia_vcpu *v);
/* Data segments that an outer ring may not keep (SDM volume 2, RET). */
void ia_drop_segments(struct emu_ia_vcpu *v);
int ia_lldt(struct emu_ia_vcpu *v, uint16_t selector);
int ia_ltr(struct emu_ia_vcpu *v, uint16_t selector);
int ia_look_at_segment(struct emu_ia_vcpu *v, const struct emu_ia_insn *i, uint16_t selector); /* lar lsl verr verw */

/* -- ia_event.c -- */
void ia_deliver(struct emu_ia_vcpu *v, struct emu_ia_event e);
int ia_soft_interrupt(struct emu_ia_vcpu *v, unsigned vector, unsigned length, bool privileged);
/* RSPn or ISTn of the TSS; SS:ESP of a 16- or 32-bit one. */
int ia_tss_stack(struct emu_ia_vcpu *v, unsigned cpl, uint16_t *ss, uint64_t *sp);
void ia_cross_begin(struct emu_ia_vcpu *v, unsigned cause);
void ia_cross_end(struct emu_ia_vcpu *v);
void ia_set_cpl(struct emu_ia_vcpu *v, unsigned cpl);
/* RFLAGS as they are; setting those of `mask`. */
void ia_change_flags(struct emu_ia_vcpu *v, uint64_t value, uint64_t mask);

/* A stack being written or read: nothing changes until it is committed. */
struct ia_stack {
	struct emu_ia_vcpu *v;
	uint64_t base, sp, mask; /* mask: width of the stack pointer */
	bool system;            /* accessed as a supervisor: the new stack of an inner ring */
	uint32_t limit;
	bool check, down, big;  /* limits; expand-down */
	unsigned vector;        /* of what lies beyond the limit: #SS, #TS */
	uint32_t error;
};
void ia_stack_now(struct emu_ia_vcpu *v, struct ia_stack *s);
void ia_stack_of(struct emu_ia_vcpu *v, struct ia_stack *s, const struct emu_ia_seg *ss, uint64_t sp, unsigned cpl);
int ia_stack_push(struct ia_stack *s, uint64_t value, unsigned bytes);
int ia_stack_pop(struct ia_stack *s, uint64_t *value, unsigned bytes);
void ia_stack_commit(const struct ia_stack *s);

/* -- ia_iret.c, ia_far.c, ia_task.c, ia_fast.c -- */
int ia_iret(struct emu_ia_vcpu *v, unsigned bytes);
int ia_jump_far(struct emu_ia_vcpu *v, uint16_t selector, uint64_t offset, unsigned bytes);
int ia_call_far(struct emu_ia_vcpu *v, uint16_t selector, uint64_t offset, unsigned bytes, uint64_t next);
int ia_return_far(struct emu_ia_vcpu *v, unsigned bytes, unsigned release);
enum ia_task_cause { IA_TASK_JUMP, IA_TASK_CALL, IA_TASK_IRET };
int ia_task_switch(struct emu_ia_vcpu *v, uint16_t selector, enum ia_task_cause cause, uint64_t next, bool has_error,
		   uint32_t error);
ia_routine ia_syscall, ia_sysret, ia_sysenter, ia_sysexit;

/* -- ia_system.c ... -- */
ia_routine *ia_routine_of(const struct emu_ia_insn *i); /* those that are wanted often have one of their own */
ia_routine ia_system;
int ia_control(struct emu_ia_vcpu *v, const struct emu_ia_insn *i);
ia_routine ia_in_out, ia_string_io;
void ia_cpuid(struct emu_ia_vcpu *v, uint32_t leaf, uint32_t subleaf, uint32_t r[4]);
bool ia_has(enum emu_ia_feature f);
uint64_t ia_tsc(const struct emu_ia_vcpu *v);
/* New control registers, with everything that hangs on them. */
int ia_set_control(struct emu_ia_vcpu *v, uint64_t cr0, uint64_t cr3, uint64_t cr4, uint64_t efer, bool cr3_written);
void ia_flush_jumps(struct emu_ia_vcpu *v, bool globals_too);
void ia_flush_jumps_to(struct emu_ia_vcpu *v, uint64_t linear); /* one page, or the large page around it */
enum emu_exc ia_assist(struct emu_cpu *cpu);
/* Would a fetch, or a data access, there hit a debug register? DR6 bits. */
uint32_t ia_breakpoint_code(const struct emu_ia_vcpu *v, uint64_t linear);
uint32_t ia_breakpoint_data(const struct emu_ia_vcpu *v, uint64_t linear, unsigned bytes, bool write);
bool ia_watched(void *v, uint64_t page); /* is there a data breakpoint in that linear page? */

#endif
