/* State of an x86 guest CPU beside struct emu_cpu (which has the general registers, the lazy flags and the xmm
 * registers), and the C routines for instructions that are not translated.
 *
 *   ia_assist.c   which routine does an instruction; addresses and memory for them
 *   ia_sse.c      MMX to SSSE3        ia_x87.c   x87, FXSAVE
 *   ia_host.c     lends them the arithmetic of an x86 host
 *
 * The owner of the CPU keeps a struct emu_ia_cpu and puts its address into cpu->tls; without one, such
 * instructions return EMU_EXC_COMPLEX.
 */
#ifndef EMU_IA_STATE_H
#define EMU_IA_STATE_H

#include "emu/cpu.h"
#include "emu/ia.h"

/* As FNSAVE writes it, 32-bit protected-mode format (SDM volume 1, figure 8-9); st[0] is the top. */
struct emu_ia_x87 {
	uint16_t cw, pad0, sw, pad1, tag, pad2;
	uint32_t ip;
	uint16_t cs, opcode;
	uint32_t dp;
	uint16_t ds, pad3;
	uint8_t st[8][10];
} __attribute__((packed));

struct emu_ia_vcpu;
struct emu_ia_cpu {
	struct emu_ia_x87 x87;
	uint32_t mxcsr;         /* control, and the flags so far */
	struct emu_ia_vcpu *sys; /* its system level (ia_sys.h); NULL: a user-level guest */
	/* of the memory operand of the instruction at hand: segment, offset, linear address (sys) */
	uint8_t seg;
	uint64_t offset, linear;
};
/* As FNINIT and a reset of MXCSR leave them. */
void emu_ia_fpu_init(struct emu_ia_cpu *s);

static inline struct emu_ia_cpu *emu_ia_state(const struct emu_cpu *cpu)
{
	return (struct emu_ia_cpu *)(uintptr_t)cpu->tls;
}

/* x87, MXCSR and xmm0-15 as FXSAVE64 writes them; back: the first `xmm` of the registers, false (nothing is done) for
 * an MXCSR with reserved bits. */
void emu_ia_fxsave(const struct emu_cpu *cpu, uint8_t area[512]);
bool emu_ia_fxrstor(struct emu_cpu *cpu, const uint8_t area[512], unsigned xmm);

/* struct emu_guest's `assist`, for code of so many bits. */
enum emu_exc emu_ia_assist(struct emu_cpu *cpu, unsigned bits);
enum emu_exc emu_ia_assist64(struct emu_cpu *cpu);
enum emu_exc emu_ia_assist32(struct emu_cpu *cpu);

/* -- for the routines: 0, or the exception; nothing of the guest has changed then -- */
/* Linear address of the memory operand of the instruction. */
uint64_t emu_ia_address(const struct emu_cpu *cpu, const struct emu_ia_insn *i);
uint64_t emu_ia_in_segment(const struct emu_cpu *cpu, const struct emu_ia_insn *i, uint64_t effective, unsigned seg);
int emu_ia_read(struct emu_cpu *cpu, uint64_t at, void *to, unsigned bytes);
int emu_ia_write(struct emu_cpu *cpu, uint64_t at, const void *from, unsigned bytes);
/* Would the write fault? */
int emu_ia_writable(struct emu_cpu *cpu, uint64_t at, unsigned bytes);
#define EMU_IA_UD ((int)EMU_EXC_VECTOR + 6)
#define EMU_IA_GP ((int)EMU_EXC_VECTOR + 13)
#define EMU_IA_MF ((int)EMU_EXC_VECTOR + 16)
#define EMU_IA_XM ((int)EMU_EXC_VECTOR + 19)

/* ... of one instruction of their family; EMU_EXC_COMPLEX: not theirs. */
int emu_ia_sse(struct emu_cpu *cpu, const struct emu_ia_insn *i);
int emu_ia_do_x87(struct emu_cpu *cpu, const struct emu_ia_insn *i);
/* General registers as operands: bytes 4 and 8. */
uint64_t emu_ia_gpr(const struct emu_cpu *cpu, unsigned reg, unsigned bytes);
void emu_ia_set_gpr(struct emu_cpu *cpu, unsigned reg, unsigned bytes, uint64_t v);

/* -- ia_host.c: false when this host is no x86 -- */
struct emu_ia_vector {
	uint64_t q[2];
};
/* a = OP(a, b) as the instruction of the row would have it on registers; mmx: a or b are MMX registers (q[0]). *mxcsr
 * is the guest's; exceptions are masked, raised flags are added. *rflags gets RFLAGS. `predicate` of CMPcc. */
bool emu_ia_host_sse(const struct emu_ia_row *row, unsigned opcode, unsigned predicate, bool mmx,
		     struct emu_ia_vector *a, const struct emu_ia_vector *b, uint32_t *mxcsr, uint64_t *rflags);
/* CVTSI2SS ... CVTTSD2SI (op: enum emu_ia_op) with an integer of 64 bits, or 32: the low number of a, or the
 * integer a.q[0], from b. */
bool emu_ia_host_convert(unsigned op, bool wide, struct emu_ia_vector *a, const struct emu_ia_vector *b,
			 uint32_t *mxcsr);
/* Runs one x87 instruction (escape D8 + e, ModRM) on the state with all exceptions masked; memory operands
 * are in `memory`. */
bool emu_ia_host_x87(unsigned escape, unsigned modrm, struct emu_ia_x87 *state, void *memory, uint64_t *rflags);

#endif
