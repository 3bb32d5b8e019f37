/* The state of one x86 CPU as an engine gives it out and takes it in. Private to vmm/.
 */
#ifndef VMM_CPU_H
#define VMM_CPU_H

#include "vmm/vmm.h"

/* Control bits (SDM vol. 3A, 2.3-2.5; vol. 4, IA32_EFER). */
#define CR0_PE (1ull << 0)
#define CR0_MP (1ull << 1)
#define CR0_EM (1ull << 2)
#define CR0_TS (1ull << 3)
#define CR0_ET (1ull << 4)
#define CR0_NE (1ull << 5)
#define CR0_WP (1ull << 16)
#define CR0_AM (1ull << 18)
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)
#define CR0_PG (1ull << 31)
#define CR4_PSE (1ull << 4)
#define CR4_PAE (1ull << 5)
#define CR4_OSFXSR (1ull << 9)
#define CR4_OSXMMEXCPT (1ull << 10)
#define CR4_LA57 (1ull << 12)
#define CR4_SMEP (1ull << 20)
#define CR4_SMAP (1ull << 21)
#define EFER_SCE (1ull << 0)
#define EFER_LME (1ull << 8)
#define EFER_LMA (1ull << 10)
#define EFER_NXE (1ull << 11)
#define RFLAGS_FIXED (1ull << 1)
#define RFLAGS_TF (1ull << 8)
#define RFLAGS_IF (1ull << 9)
#define RFLAGS_VM (1ull << 17)
#define PTE_P (1ull << 0)
#define PTE_W (1ull << 1)
#define PTE_U (1ull << 2)
#define PTE_PS (1ull << 7)
#define PTE_NX (1ull << 63)
#define MSR_EFER 0xc0000080u
#define MSR_STAR 0xc0000081u
#define MSR_LSTAR 0xc0000082u
#define MSR_FMASK 0xc0000084u
#define MSR_SYSENTER_EIP 0x176u

enum vmm_gpr { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, GPRS };

struct vmm_cpu_state {
	uint64_t gpr[GPRS];   /* in instruction-encoding order */
	uint64_t rip, rflags;
	uint64_t cr0, cr2, cr3, cr4, cr8, efer;
	struct vmm_seg cs, ss, ds, es, fs, gs, tr, ldtr;
	uint64_t gdt_base, idt_base;
	uint32_t gdt_limit, idt_limit;
	uint64_t star, lstar, fmask, sysenter_eip; /* read on demand: 0 unless vmm_engine_ops.get_msrs filled them */
};

/* The rest of a CPU: x87, SSE (as FXSAVE64 writes them), registers of system calls. Fetched for an assist alone. */
struct vmm_cpu_rest {
	uint8_t fxsave[512];
	uint64_t star, lstar, cstar, fmask, kernel_gs_base, tsc_aux, sysenter_cs, sysenter_esp, sysenter_eip;
};

/* CPL: SS.DPL on Intel and AMD alike (SDM vol. 3A, 5.5 and 24.4.1), 0 in real mode. */
static inline unsigned vmm_cpl(const struct vmm_cpu_state *s)
{
	if (!(s->cr0 & CR0_PE))
		return 0;
	if (s->rflags & RFLAGS_VM)
		return 3;
	return s->ss.dpl;
}
/* Bits of an instruction at CS: 16, 32 or 64. */
static inline int vmm_mode_bits(const struct vmm_cpu_state *s)
{
	if ((s->efer & EFER_LMA) && s->cs.l)
		return 64;
	return (s->cr0 & CR0_PE) && !(s->rflags & RFLAGS_VM) && s->cs.db ? 32 : 16;
}
void vmm_cpu_to_regs(const struct vmm_cpu_state *s, struct rs_x86_regs *out);
void vmm_cpu_to_entry_state(const struct vmm_cpu_state *s, struct vmm_entry_state *out);

/* Guest-physical memory: one overflow-checked door. NULL unless [gpa, gpa+len) is RAM in one piece. */
struct vmm_machine;
void *vmm_ram(const struct vmm_machine *m, uint64_t gpa, uint64_t len);

/* -- load.c -- */
#define VMM_IMAGE_PARTS_MAX 64
struct vmm_image {
	struct { uint64_t gpa, size; } part[VMM_IMAGE_PARTS_MAX]; /* what was filled: one vm.load event each */
	unsigned parts;
	uint64_t entry;            /* address of the first instruction */
	bool elf;
	uint64_t boot_params;      /* Linux: where its parameters stand; 0: not a Linux kernel */
};
/* Reads d->image (flat binary, or ELF by its magic) into the RAM of m, which is still all zeros.
 * Everything is checked before the first byte is copied. 0; -ENOENT, -EACCES, -EIO as the file
 * system says; -ENOEXEC with the field or offset that lies; -EFBIG when it does not fit. */
int vmm_load(const struct vmm_machine *m, const struct vmm_desc *d, struct vmm_image *out,
	     struct rs_err *err);
/* The same from memory; `name` stands in errors. */
int vmm_load_bytes(const struct vmm_machine *m, const struct vmm_desc *d, const void *data, size_t n,
		   const char *name, struct vmm_image *out, struct rs_err *err);

/* -- boot.c: what a PC is started with -- */
/* Is this a Linux kernel for x86 (bzImage)? */
bool vmm_is_linux(const void *data, size_t n);
/* A Linux kernel, its RAM disk (d->initrd), command line and parameters into RAM, by the 64-bit boot protocol (Linux
 * Documentation/arch/x86/boot.rst). Errors as vmm_load_bytes. */
int vmm_load_linux(const struct vmm_machine *m, const struct vmm_desc *d, const void *data, size_t n, const char *name,
		   struct vmm_image *out, struct rs_err *err);
/* The CPU state of long64 as the protocol asks for it. */
void vmm_enter_linux(const struct vmm_machine *m, struct vmm_cpu_state *s);
/* d->image as firmware: a slot of ROM that ends at 4 GiB, and its last 256 KiB in RAM below 1 MiB, as a chipset shadows
 * it. Before the engine's vm_new. */
int vmm_load_firmware(struct vmm_machine *m, struct vmm_image *out, struct rs_err *err);
/* -- acpi.c: writes the tables of a PC to [gpa, gpa + VMM_ACPI_SIZE). Returns where the RSDP is; 0: no room -- */
#define VMM_ACPI_BASE 0xe0000u
#define VMM_ACPI_SIZE 0x1000u
uint64_t vmm_acpi_write(const struct vmm_machine *m, uint64_t gpa);

/* -- entry.c -- */
/* Writes what the entry mode and d->tables ask for (GDT, IDT, TSS, page tables) into guest memory
 * and fills the CPU state at the first instruction, `entry`. The state passes vmm_entry_check, after
 * a reset but for cr0.ne, which KVM sees to. 0; -EINVAL when the tables' area or the map does not fit the machine. */
int vmm_entry_setup(const struct vmm_machine *m, const struct vmm_desc *d, uint64_t entry,
		    struct vmm_cpu_state *out, struct rs_err *err);
/* Does the monitor keep tables in VMM_TABLES_BASE..END for this machine? (Not in real mode.) */
bool vmm_entry_has_tables(const struct vmm_desc *d);

/* -- walk.c: pure over guest memory (SDM vol. 3A, 4.2-4.5) -- */
struct vmm_walk_step {
	const char *level;    /* "PML4E", "PDPTE", "PDE", "PTE" */
	uint64_t entry_gpa, entry;
	bool readable;        /* the entry lies in RAM */
};
struct vmm_walk {
	struct vmm_walk_step step[5];
	unsigned steps;
	bool mapped;
	uint64_t gpa;         /* when mapped */
	uint64_t page_size;
	bool writable, user, nx; /* of the whole walk */
	char why[96];         /* when not mapped: part of an English sentence */
};
void vmm_walk(const struct vmm_machine *m, const struct vmm_cpu_state *s, uint64_t linear,
	      struct vmm_walk *out);
void vmm_walk_format(const struct vmm_walk *w, uint64_t linear, struct rs_str *out);
/* Copies n bytes at a linear address; returns how many could be read. */
size_t vmm_read_linear(const struct vmm_machine *m, const struct vmm_cpu_state *s, uint64_t linear,
		       void *buf, size_t n);

/* -- disasm.c -- */
#define VMM_NO_TARGET (~0ull)
struct vmm_insn {
	unsigned len;              /* bytes; 0 = invalid */
	char text[RS_TEXT_SIZE];   /* Intel syntax */
	uint16_t mnemonic;         /* ZydisMnemonic */
	enum { VMM_INSN_PLAIN, VMM_INSN_INT, VMM_INSN_SYSCALL, VMM_INSN_SYSRET, VMM_INSN_SYSENTER,
	       VMM_INSN_SYSEXIT, VMM_INSN_IRET, VMM_INSN_FAR } gate;
	uint8_t vector;            /* of VMM_INSN_INT */
	bool privileged;           /* needs CPL 0 (or IOPL) */
	bool rep;                  /* repeated string instruction: a single step is one iteration */
	bool divides;              /* may raise #DE */
	bool pushf, popf;          /* writes RFLAGS to the stack; takes them from there (IRET is a gate) */
	bool io;                   /* IN, OUT, INS, OUTS */
	uint64_t target;           /* of a direct near jump, call or loop; VMM_NO_TARGET = none */
	bool fpu;                  /* x87, MMX, SSE, AVX: may raise #NM, #MF, #XM */
};
bool vmm_decode(const void *code, size_t n, int bits, uint64_t rip, struct vmm_insn *out);
/* The memory that the instruction at `code` would access in state s, hidden operands and the stack
 * too. Linear addresses. Returns how many accesses there are. */
struct vmm_access {
	uint64_t linear;
	unsigned size;             /* bytes */
	bool write;
};
#define VMM_ACCESSES_MAX 4
unsigned vmm_accesses(const struct vmm_cpu_state *s, const void *code, size_t n,
		      struct vmm_access out[VMM_ACCESSES_MAX]);
/* Lines "> 0000000000010040  cd 80  int 0x80" around rip, the current one marked. */
void vmm_disasm_around(const struct vmm_machine *m, const struct vmm_cpu_state *s, unsigned before,
		       unsigned after, struct rs_str *out);

/* -- tables.c -- */
/* GDT, IDT and TSS as the CPU would read them, a line a used entry: "0x08 code ring 0 64-bit ...". */
void vmm_tables_format(const struct vmm_machine *m, const struct vmm_cpu_state *s, struct rs_str *out);

/* -- explain.c -- */
struct vmm_exit;
/* The report on a run that ended badly: one sentence of cause, mode, registers, code bytes,
 * disassembly, page walk of RIP (and of CR2 after a page fault). */
void vmm_explain(const struct vmm_machine *m, const struct vmm_cpu_state *s,
		 const struct vmm_exit *exit, enum rs_outcome outcome, struct rs_str *out);

#endif
