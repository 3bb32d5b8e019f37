/* One guest CPU (a guest thread): what translated code, interpreter, front ends and the Linux layer
 * share. The layout serves the back end: rbp points at r[16], so that r[] has 8-bit displacements.
 */
#ifndef EMU_CPU_H
#define EMU_CPU_H

#include <stdbool.h>
#include <stdint.h>

struct emu_world;
struct emu_block;

/* Why emu_cpu_run returned. cpu->pc is exact in every case. */
enum emu_exc {
	EMU_EXC_NONE,
	EMU_EXC_SYSCALL,    /* pc = the instruction after it */
	EMU_EXC_BREAK,      /* pc = the breakpoint instruction */
	EMU_EXC_ILLEGAL,    /* pc = the instruction; SIGILL */
	EMU_EXC_FENCE_I,    /* handled in the run loop; never returned */
	EMU_EXC_ASSIST,     /* the guest's assist() does the instruction at pc; never returned */
	EMU_EXC_SEGV,       /* data: pc = the instruction, cpu->fault_addr, cpu->fault_write;
			       fetch: pc = fault_addr = the address that cannot be executed */
	EMU_EXC_BUS,        /* past the end of a mapped file, same fields; SIGBUS */
	EMU_EXC_MISALIGNED, /* atomic access or jump target; SIGBUS */
	EMU_EXC_KICK,       /* emu_cpu_kick was called; nothing happened in the guest */
	EMU_EXC_LIMIT,      /* the instruction limit is used up (interpreter) */
	EMU_EXC_COMPLEX,    /* x86: pc = a system instruction, which nobody here does */
	EMU_EXC_ALONE,      /* behind a TLB: pc = an instruction that must be a block of its own, for it wrote
			       over code or accesses a device; never returned */
	EMU_EXC_ASSISTED,   /* behind a TLB: soft->assist did the instruction, and what it left is to be seen to;
			       never returned */
	EMU_EXC_COUNT,
	EMU_EXC_VECTOR = 64 /* x86: + n is the exception with vector n (SDM volume 3A, 6.3); pc = what the
			       CPU would push as the return address */
};
const char *emu_exc_name(enum emu_exc e);

union emu_vec {
	uint64_t q[2];
	uint32_t w[4];
	uint16_t h[8];
	uint8_t b[16];
	double d;
	float f;
};

/* Operands of one vector operation (vec.h). `n` is its integer operand (VDUP, VINS, VCONST) or integer result
 * (VGET, VFCMP). */
struct emu_vop {
	union emu_vec d, a, b, c;
	uint64_t n;
};

/* An entry of the indirect-branch cache: guest pc -> entry of host code. */
struct emu_jump {
	uint64_t pc;        /* 0 when empty, ~0 in the entry that pc 0 would have (no guest code stands there) */
	const void *code;
};
#define EMU_JUMPS 16384u    /* power of two; index: emu_jump_entry (world.h). There are two halves */
/* Return addresses of host code: the stack on which translated code runs, one entry a guest call. Below it
 * is room for helpers and signal handlers. */
#define EMU_RETURNS 4096u
#define EMU_RETURN_ROOM (96u << 10)
#define EMU_SPILLS 64

struct emu_cpu {
	uint64_t r[32];         /* RISC-V x0..x31 (x0 stays 0); AArch64 x0..x30, sp */
	uint64_t x[8];          /* further globals of the guest: AArch64 n z c v ... */
	union emu_vec v[32];    /* RISC-V f0..f31 in q[0] (NaN-boxed); AArch64 v0..v31 */
	uint64_t pc;
	uint64_t res_addr;      /* reservation: guest address, ~0 = none */
	uint64_t res_value;     /* what was loaded, as it stands in memory (zero-extended) */
	uint64_t res_high;      /* ... and the upper half of 128 bits */
	uint64_t fault_addr;
	bool fault_write;
	uint8_t rm;             /* 0..3: MXCSR.RC holds the rounding mode; 4 and above: RISC-V frm as
				   written (rmm, or a reserved value), which ops handle apart */
	uint32_t mxcsr;         /* guest's FP environment as MXCSR while it is not running: all exceptions
				   masked, RC, and the six sticky flags */
	uint32_t mxcsr_tmp, host_mxcsr;
	uint32_t fpcr;          /* AArch64: as written; rounding and FZ stand in mxcsr, too */
	uint32_t qc;            /* AArch64: FPSR.QC, 0 or 1 */
	uint64_t scratch[2];    /* operands of helpers that need more than two */
	uint64_t tmp;           /* of one operation in host code */
	/* Guest memory behind a TLB (soft.h): */
	void *tlb;              /* entries for accesses as they are made now */
	uint64_t seg_end[2][6]; /* x86 segments, [write][es ...]: offsets below it need no closer look */
	uint64_t slow_value;    /* what an access that missed loaded, or stores */
	uint32_t slow_failed;   /* ... it did not happen: exc and pc say why */
	uint32_t exc;           /* enum emu_exc set by code that leaves */
	uint32_t exit_request;  /* atomic; set by emu_cpu_kick */
	uint32_t in_code;       /* atomic; 1 between entry into and exit from translated code */
	const void *exit_site;  /* exit (struct emu_exit) through which code left, or NULL */
	uint64_t host_sp;       /* the thread's own stack pointer, while translated code runs */
	uint64_t ret_sp;        /* stack pointer of translated code, while it does not run or a helper does */
	uint64_t ret_base, ret_limit; /* ... with no entry; where there is no room for another one */
	uint64_t insns;         /* guest instructions executed: exact in the interpreter; with options.count */
	uint64_t insns_told;    /* ... of which the counter knows */
	uint64_t since, translator_since; /* CLOCK_MONOTONIC in ns, and the world's translator_ns, from which
				   its time is not told yet; since 0: it does not run */
	uint64_t tls;           /* free for the front end or the Linux layer */
	uint64_t spill[EMU_SPILLS];
	struct emu_vop vop;     /* of an operation that host code calls */
	uint64_t vop_back;      /* where that goes on in host code */
	union emu_vec vsave[16]; /* host registers meanwhile */
	uint64_t save[9];
	struct emu_world *world;
	void *thread;           /* the Linux layer's own state of this thread */
	uint32_t id;            /* 0 = the first thread; actor of events */
	int32_t host_tid;
	struct emu_cpu *next;   /* list of the world */
	uint64_t jump_half;     /* of a CPU with rings: added to the index of `jumps`, in emu_jump_shift. What one ring
				   may execute says nothing of another one */
	struct emu_jump jumps[2 * EMU_JUMPS]; /* pages that nobody wrote take no memory */
	union emu_vec frame[];  /* interpreter: locals of the block */
};

/* Sticky flags between MXCSR order (IE DE ZE OE UE PE) and RISC-V fflags (NX UF OF DZ NV). */
static inline unsigned emu_flags_from_mxcsr(uint32_t mxcsr)
{
	return ((mxcsr & 1) << 4) | ((mxcsr >> 2 & 1) << 3) | ((mxcsr >> 3 & 1) << 2) |
	       ((mxcsr >> 4 & 1) << 1) | (mxcsr >> 5 & 1);
}
static inline uint32_t emu_flags_to_mxcsr(unsigned fflags)
{
	return (fflags >> 4 & 1) | (fflags >> 3 & 1) << 2 | (fflags >> 2 & 1) << 3 |
	       (fflags >> 1 & 1) << 4 | (fflags & 1) << 5;
}
#define EMU_MXCSR_DEFAULT 0x1f80u  /* all masked, nearest, no flags (SDM vol. 1, 10.2.3) */

/* The FP environment, for CSR helpers and for signal frames. Valid inside a helper and outside
 * emu_cpu_run. frm is RISC-V's: 0 rne 1 rtz 2 rdn 3 rup 4 rmm. */
unsigned emu_cpu_fflags(struct emu_cpu *cpu);
void emu_cpu_set_fflags(struct emu_cpu *cpu, unsigned fflags);
unsigned emu_cpu_frm(struct emu_cpu *cpu);
void emu_cpu_set_frm(struct emu_cpu *cpu, unsigned frm);
/* AArch64's registers of the same (DDI 0487, C5.2): FPSR has IOC DZC OFC UFC IXC and QC; of FPCR rounding, FZ
 * and DN are kept. Underflow is seen after rounding, as the host and not as Arm does it, and IDC stays 0. */
unsigned emu_cpu_fpsr(struct emu_cpu *cpu);
void emu_cpu_set_fpsr(struct emu_cpu *cpu, unsigned fpsr);
unsigned emu_cpu_fpcr(struct emu_cpu *cpu);
void emu_cpu_set_fpcr(struct emu_cpu *cpu, unsigned fpcr);

/* Empties the indirect-branch cache and the stack of return addresses (not while the CPU is in code). */
void emu_cpu_forget(struct emu_cpu *cpu);

/* Runs `cpu` on the calling thread until something must be handled outside. Never EMU_EXC_NONE. */
enum emu_exc emu_cpu_run(struct emu_cpu *cpu);

/* A new CPU of the world, all registers 0 (or a copy of `from`, for clone). NULL: no memory. */
struct emu_cpu *emu_cpu_new(struct emu_world *w, const struct emu_cpu *from);
void emu_cpu_free(struct emu_cpu *cpu);

/* Makes emu_cpu_run of that CPU return EMU_EXC_KICK soon (the next call, if it is not running).
 * Any thread, also in a signal handler. The kick is used up by the return. */
void emu_cpu_kick(struct emu_cpu *cpu);

#endif
