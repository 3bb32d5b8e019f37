/* Virtualizing a CPU in software: the guest kernel runs in ring 1, the monitor has ring 0. Private to
 * vmm/virt*.c; the rest of vmm/ uses what stands at the end.
 *
 *   virt.c            set-up, what reaches the monitor, and where it goes from there
 *   virt_memory.c     the monitor's pages in the guest: shadow GDT, IDT, TSS, the way in and out
 *   virt_decode.c     which instructions are sensitive (virt_insn.def), and do they trap?
 *   virt_emulate.c    does what such an instruction would have done on the virtual CPU
 *   virt_far.c        transfers between segments: exceptions, interrupts, IRET, far returns
 *   virt_translate.c  kernel code rewritten block by block before it runs
 *   virt_report.c     events, and the report on a guest that the monitor gave up
 *
 * The guest is in 32-bit protected mode without paging. Its kernel believes to run in ring 0 (its virtual
 * CPL) while it runs in ring 1 (its real CPL); its programs run in ring 3. The real GDT, IDT and TSS are
 * the monitor's own. They lie above the guest's memory, where no segment of the guest reaches: each
 * descriptor of the guest's GDT has a shadow whose limit ends with the guest's memory and whose DPL is 1
 * instead of 0 ("ring compression"; Robin and Irvine, USENIX Security 2000, name what is wrong with that
 * on this processor: 17 instructions are sensitive but not privileged).
 *
 * Every exception, and every software interrupt, enters ring 0 in a stub of three instructions: an OUT to
 * VMM_PORT_MONITOR, which leaves the guest, then ADD ESP and IRET. While the guest stands at the OUT, the
 * monitor changes the frame on the ring-0 stack and the registers; the IRET then goes on where it wants.
 *
 * Not done: paging, LDTs, V86, task gates, rings 1 and 2 of the guest, 16-bit stacks. Translated code is
 * not looked at again when the guest overwrites the original.
 */
#ifndef VMM_VIRT_H
#define VMM_VIRT_H

#include "vmm/machine.h"
#include "vmm/trace.h"

/* -- the monitor's pages: offsets from virt->base, the end of the guest's memory -- */
#define VIRT_GDT 0x0000u           /* 256 descriptors, the guest's shadows first */
#define VIRT_TSS 0x0800u
#define VIRT_IDT 0x1000u           /* 256 gates */
#define VIRT_STUBS 0x2000u         /* 16 bytes a vector */
#define VIRT_LEAVE 0x3000u         /* out, add esp, iret: where all stubs go */
#define VIRT_BEGIN 0x3010u         /* ltr, iret: the first instructions of all */
#define VIRT_STACK_TOP 0x5000u
#define VIRT_CACHE 0x5000u         /* translated code, to the end */
#define VIRT_SIZE VMM_VIRT_SIZE

/* The monitor's own selectors, behind the VIRT_SHADOWS first descriptors. */
#define VIRT_SHADOWS 252u
#define VIRT_SEL_CODE (252u * 8)
#define VIRT_SEL_DATA (253u * 8)
#define VIRT_SEL_TSS (254u * 8)
#define VIRT_SEL_CACHE (255u * 8 + 1) /* ring 1, execute only: reaches the translated code */

/* Software interrupts that ring 1 may use; all other gates are for ring 0, so that INT n faults and the
 * monitor sees which one. */
#define VIRT_INT_CALLOUT 0x81u     /* stands for a rewritten instruction */
#define VIRT_INT_HYPERCALL 0x82u   /* as on Xen (32-bit) */
#define VIRT_INT_LINK 0x83u        /* an exit of a translated block */

/* Bits of EFLAGS (SDM vol. 1, 3.4.3). */
#define EFLAGS_ZF (1u << 6)
#define EFLAGS_DF (1u << 10)
#define EFLAGS_IOPL (3u << 12)
#define EFLAGS_NT (1u << 14)
#define EFLAGS_RF (1u << 16)
#define EFLAGS_SYSTEM ((uint32_t)(RFLAGS_IF | EFLAGS_IOPL | RFLAGS_VM)) /* never what the guest says */

enum { VEC_DB = 1, VEC_OF = 4, VEC_UD = 6, VEC_DF = 8, VEC_NP = 11, VEC_SS = 12, VEC_GP = 13 };

/* What the stub left on the ring-0 stack, lowest address first. */
struct virt_frame {
	uint32_t vector, error, eip, cs, eflags, esp, ss;
};

/* An exception to be raised in the guest, or nothing. */
struct virt_fault {
	bool raised;
	unsigned vector;
	uint32_t error;
};
static inline struct virt_fault virt_ok(void)
{
	return (struct virt_fault){ .raised = false };
}
static inline struct virt_fault virt_fault(unsigned vector, uint32_t error)
{
	return (struct virt_fault){ true, vector, error };
}

struct vmm_virt {
	struct vmm_machine *m;
	struct vmm_vcpu *v;
	enum rs_technique technique;
	uint32_t base;             /* where the monitor's pages begin */
	uint8_t *pages;            /* ... and in our memory */

	/* The virtual CPU, as far as the real one does not hold it. */
	uint32_t gdt_base, idt_base, gdt_limit, idt_limit;
	uint32_t cr0, cr2, cr3, cr4, dr[8];
	uint16_t ldtr, tr;
	uint32_t tr_base, tr_limit;
	bool interrupts;           /* IF */
	uint64_t waiting[4];       /* external interrupts that IF holds back, a bit each */
	unsigned iopl;
	uint16_t cs;               /* while translated code runs: CS of the original */
	uint8_t gdt[VIRT_SHADOWS * 8]; /* the guest's GDT that the shadows were made from */

	/* While the monitor has control: the guest as the real CPU left it, translated addresses mapped
	 * back. s.rip, gpr[RSP], rflags, cs and ss come from the frame and go back into it. */
	struct virt_frame *frame;
	struct vmm_cpu_state s, was;
	unsigned ring;             /* real CPL of the interrupted code: 1 or 3 */
	bool translated;           /* it ran in the code cache */
	struct virt_cache *cache;

	/* Why the monitor gave up; NULL: it did not. Translation key. */
	const char *gave_up;
	unsigned last_vector;      /* the exception that could not be delivered */
	uint32_t last_eip;
};

/* -- virt_memory.c -- */
/* Writes the monitor's pages and makes *s enter them: the guest then begins where *s wanted. */
int virt_memory_init(struct vmm_virt *t, struct vmm_cpu_state *s, struct rs_err *err);
/* Makes the shadows again when the guest's GDT is not what they were made from. True when it was not. */
bool virt_shadow_sync(struct vmm_virt *t);
/* Guest memory at a linear address, if all of it is the guest's; NULL. */
void *virt_ram(struct vmm_virt *t, uint32_t linear, uint32_t len);
bool virt_read(struct vmm_virt *t, uint32_t linear, void *to, uint32_t len);
bool virt_write(struct vmm_virt *t, uint32_t linear, const void *from, uint32_t len);
/* A descriptor of the guest's own GDT. False: beyond its limit, null, or of an LDT. */
bool virt_descriptor(struct vmm_virt *t, unsigned selector, struct vmm_seg *out);
/* The real segment register that the CPU loads for a selector of the guest. */
void virt_shadow(struct vmm_virt *t, unsigned selector, struct vmm_seg *out);

/* -- the virtual CPU's view (inline: everybody needs it) -- */
static inline unsigned virt_cpl(const struct vmm_virt *t)
{
	return t->ring == 1 ? 0 : t->ring;
}
/* A selector as the guest would see it on a CPU of its own. */
static inline uint16_t virt_selector(unsigned real)
{
	return (uint16_t)((real & 3) == 1 ? real & ~3u : real);
}
static inline uint16_t virt_real_selector(unsigned sel)
{
	return (uint16_t)((sel & 3) ? sel : sel | 1);
}
static inline uint16_t virt_cs(const struct vmm_virt *t)
{
	return t->translated ? t->cs : virt_selector(t->s.cs.selector);
}
static inline uint32_t virt_flags(const struct vmm_virt *t)
{
	return ((uint32_t)t->s.rflags & ~EFLAGS_SYSTEM) | (t->interrupts ? (uint32_t)RFLAGS_IF : 0) | t->iopl << 12;
}
/* Flags as POPF or IRET would load them at the present virtual CPL (SDM vol. 2, POPF). */
void virt_set_flags(struct vmm_virt *t, uint32_t flags, unsigned bytes);

/* -- virt_decode.c -- */
enum virt_op {
	VIRT_PLAIN,
#define VIRT_OP(id) VIRT_##id,
#define VIRT_INSN(mnemonic, id, how)
#include "vmm/virt_insn.def"
	VIRT_OPS
};
enum virt_how {
	VIRT_TRAPS,    /* faults in ring 1: trap-and-emulate is enough */
	VIRT_SILENT,   /* sensitive, but does not fault: gives a wrong answer, or does nothing */
	VIRT_SOMETIMES /* faults or not, as its operands are */
};
enum virt_branch { VIRT_NO_BRANCH, VIRT_JUMP, VIRT_CALL, VIRT_COND, VIRT_LOOP, VIRT_RET };
struct virt_insn {
	unsigned len;            /* 0: no instruction */
	enum virt_op op;
	enum virt_how how;       /* of a sensitive one */
	enum virt_branch branch; /* within the segment; how it is done, in case of VIRT_COND and _LOOP: */
	uint8_t opcode;          /* ... its last opcode byte (7x or 8x or Ex) */
	bool short_address;      /* ... LOOP, JCXZ on CX */
	bool direct;
	uint32_t target;         /* of a direct one */
	bool ends;               /* control does not simply go on behind it */
	unsigned bytes;          /* operand size: 2 or 4 (1 for byte forms) */
	unsigned reg;            /* general register operand, enum vmm_gpr */
	bool memory;             /* its other operand is memory (vmm_accesses knows where) */
	bool to_system;          /* MOV: into the segment, control or debug register */
	unsigned system;         /* its number: ES CS SS DS FS GS; CR, DR */
	uint32_t imm;            /* INT vector, port, RET n; far target */
	uint16_t far_sel;
	bool has_imm, rep;
	char text[RS_TEXT_SIZE];
};
void virt_decode(const uint8_t *code, size_t n, int bits, uint32_t eip, struct virt_insn *out);

/* -- virt_emulate.c -- */
/* Does *in at t->s. On success t->s.rip stands behind it, or where it led. */
struct virt_fault virt_emulate(struct vmm_virt *t, const struct virt_insn *in);
struct virt_fault virt_push(struct vmm_virt *t, uint32_t value, unsigned bytes);
struct virt_fault virt_pop(struct vmm_virt *t, uint32_t *value, unsigned bytes);

/* -- virt_far.c -- */
/* Has the guest's own handler called, as its virtual IDT says. int_len: bytes of the INT instruction that asked for
 * it, 0: an exception or an interrupt. False: there is none,
 * nor one for the double fault: the virtual CPU shuts down. */
bool virt_deliver(struct vmm_virt *t, struct virt_fault f, unsigned int_len);
struct virt_fault virt_iret(struct vmm_virt *t, unsigned bytes);
struct virt_fault virt_far_return(struct vmm_virt *t, unsigned bytes, unsigned drop);
struct virt_fault virt_far_jump(struct vmm_virt *t, unsigned selector, uint32_t eip, bool call);
struct virt_fault virt_load_ss(struct vmm_virt *t, unsigned selector);

/* -- virt_translate.c -- */
void virt_cache_new(struct vmm_virt *t);
void virt_cache_free(struct vmm_virt *t);
/* Where the code at eip was rewritten to; rewrites it when it was not yet. 0: no code can be read there. */
uint32_t virt_translated(struct vmm_virt *t, uint32_t eip);
/* The instruction that a place in the cache stands for. False: none. */
bool virt_original(struct vmm_virt *t, uint32_t at, uint32_t *eip);
/* VIRT_INT_LINK came, from behind `at`: where the guest wants to go. The way is patched to lead there
 * directly from now on. False: not an exit of a block. */
bool virt_link(struct vmm_virt *t, uint32_t at, uint32_t *eip);
/* The block with most that was rewritten, as a snapshot for the screens. */
void virt_show(struct vmm_virt *t);

/* -- virt_report.c -- */
void virt_tell_trap(struct vmm_virt *t);
void virt_tell_emulated(struct vmm_virt *t, const struct virt_insn *in, uint32_t eip);
void virt_tell_reflected(struct vmm_virt *t, unsigned vector, uint32_t error, uint32_t eip, uint32_t handler);
/* The monitor cannot go on with this guest. */
void virt_give_up(struct vmm_virt *t, const char *why);

/* -- hypercalls of a guest that knows (virt.c) -- */
/* Those that only a monitor in ring 0 has to offer; true: done, result in EAX. */
struct virt_fault virt_hypercall(struct vmm_virt *t);

#endif
