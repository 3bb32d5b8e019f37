/* Control, debug and model-specific registers of the software x86 CPU (SDM volume 3A, 2.5; volume 3B, chapter 17;
 * volume 4).
 */
#include <string.h>
#include <x86intrin.h>

#include "emu/ia_sys.h"

/* -- control registers -- */

#define CR0_KNOWN (IA_CR0_PE | IA_CR0_MP | IA_CR0_EM | IA_CR0_TS | IA_CR0_ET | IA_CR0_NE | IA_CR0_WP | IA_CR0_AM | IA_CR0_NW | \
		   IA_CR0_CD | IA_CR0_PG)
#define CR4_KNOWN (IA_CR4_TSD | IA_CR4_DE | IA_CR4_PSE | IA_CR4_PAE | IA_CR4_PGE | IA_CR4_PCE | IA_CR4_OSFXSR | \
		   IA_CR4_OSXMMEXCPT | IA_CR4_FSGSBASE | IA_CR4_SMEP | IA_CR4_SMAP)
#define EFER_KNOWN (IA_EFER_SCE | IA_EFER_LME | IA_EFER_LMA | IA_EFER_NXE)

int ia_set_control(struct emu_ia_vcpu *v, uint64_t cr0, uint64_t cr3, uint64_t cr4, uint64_t efer, bool cr3_written)
{
	/* MOV to CR3 leaves global pages in the TLB, and jumps to them */
	bool all = v->mmu.cr0 != cr0 || v->mmu.cr4 != cr4 || v->mmu.efer != efer || !(cr4 & IA_CR4_PGE);
	bool same = v->mmu.cr0 == cr0 && v->mmu.cr4 == cr4 && v->mmu.efer == efer && v->mmu.cr3 == cr3 && !cr3_written;

	if (!emu_ia_mmu_control(&v->mmu, (uint32_t)cr0, cr3, (uint32_t)cr4, (uint32_t)efer, cr3_written))
		return IA_GP0(v);
	if (!same)
		ia_flush_jumps(v, all);
	ia_mode_changed(v);
	return 0;
}

static int write_cr0(struct emu_ia_vcpu *v, uint64_t value)
{
	uint64_t efer = v->mmu.efer, old = v->mmu.cr0;
	bool paging = value & IA_CR0_PG;

	if (value >> 32 || (paging && !(value & IA_CR0_PE)) || ((value & IA_CR0_NW) && !(value & IA_CR0_CD)))
		return IA_GP0(v);
	value = (value & CR0_KNOWN) | IA_CR0_ET;
	if (paging && !(old & IA_CR0_PG) && (efer & IA_EFER_LME)) {
		if (!(v->mmu.cr4 & IA_CR4_PAE) || v->seg[IA_CS].l)
			return IA_GP0(v);
		efer |= IA_EFER_LMA;
	}
	if (!paging && (old & IA_CR0_PG)) {
		if (ia_code64(v))
			return IA_GP0(v);
		efer &= ~(uint64_t)IA_EFER_LMA;
	}
	/* real mode has CPL 0 */
	if (!(value & IA_CR0_PE))
		v->cpl = 0;
	return ia_set_control(v, value, v->mmu.cr3, v->mmu.cr4, efer, false);
}

static int write_cr3(struct emu_ia_vcpu *v, uint64_t value)
{
	if (ia_long(v) && value >> v->mmu.physical_bits)
		return IA_GP0(v);
	return ia_set_control(v, v->mmu.cr0, value, v->mmu.cr4, v->mmu.efer, true);
}

static int write_cr4(struct emu_ia_vcpu *v, uint64_t value)
{
	if ((value & ~(uint64_t)CR4_KNOWN) || (ia_long(v) && !(value & IA_CR4_PAE)))
		return IA_GP0(v);
	return ia_set_control(v, v->mmu.cr0, v->mmu.cr3, value, v->mmu.efer, false);
}

static int write_cr8(struct emu_ia_vcpu *v, uint64_t value)
{
	if (value > 15)
		return IA_GP0(v);
	v->cr8 = value;
	if (v->desc.cr8)
		v->desc.cr8(v->desc.arg, value);
	return 0;
}

static int move_cr(struct emu_ia_vcpu *v, const struct emu_ia_insn *i, bool write)
{
	uint64_t *r = &v->cpu->r[i->rm], value = i->bits == 64 ? *r : (uint32_t)*r;

	if (i->reg != 0 && i->reg != 2 && i->reg != 3 && i->reg != 4 && i->reg != 8)
		return IA_UNDEFINED_INSN(v);
	if (v->cpl)
		return IA_GP0(v);
	switch (i->reg) {
	case 0: return write ? write_cr0(v, value) : (*r = v->mmu.cr0, 0);
	case 2:
		if (write)
			v->cr2 = value;
		else
			*r = v->cr2;
		return 0;
	case 3: return write ? write_cr3(v, value) : (*r = v->mmu.cr3, 0);
	case 4: return write ? write_cr4(v, value) : (*r = v->mmu.cr4, 0);
	default: return write ? write_cr8(v, value) : (*r = v->cr8, 0);
	}
}

/* -- debug registers -- */

#define DR6_FIXED 0xffff0ff0u
#define DR7_GD (1u << 13)
#define DR6_BD (1u << 13)

static int move_dr(struct emu_ia_vcpu *v, const struct emu_ia_insn *i, bool write)
{
	uint64_t *r = &v->cpu->r[i->rm], value = i->bits == 64 ? *r : (uint32_t)*r;
	unsigned n = i->reg;

	if (n > 7 || ((n == 4 || n == 5) && (v->mmu.cr4 & IA_CR4_DE)))
		return IA_UNDEFINED_INSN(v);
	if (v->cpl)
		return IA_GP0(v);
	if (v->dr7 & DR7_GD) {
		v->dr6 |= DR6_BD;
		v->dr7 &= ~(uint64_t)DR7_GD;
		return ia_fault(v, IA_V_DB, 0);
	}
	if (n >= 4 && write && value >> 32)
		return IA_GP0(v);
	if (n < 4) {
		if (write)
			v->dr[n] = value;
		else
			*r = v->dr[n];
	} else if (n == 4 || n == 6) {
		if (write)
			v->dr6 = (value & 0xe00f) | DR6_FIXED;
		else
			*r = v->dr6;
	} else if (write) {
		v->dr7 = (value & 0xffff2bff) | 0x400;
	} else {
		*r = v->dr7;
	}
	if (write)
		emu_ia_mmu_flush(&v->mmu, true); /* other pages are watched now */
	return 0;
}

/* DR6 bits of the enabled breakpoints of one kind (R/W field of DR7) that cover the bytes. */
uint32_t ia_breakpoint_code(const struct emu_ia_vcpu *v, uint64_t linear)
{
	uint32_t hit = 0;

	for (unsigned n = 0; n < 4; n++)
		if ((v->dr7 >> 2 * n & 3) && !(v->dr7 >> (16 + 4 * n) & 15) && v->dr[n] == linear)
			hit |= 1u << n;
	return hit;
}

static unsigned breakpoint_bytes(const struct emu_ia_vcpu *v, unsigned n)
{
	static const uint8_t bytes[4] = { 1, 2, 8, 4 };

	return bytes[v->dr7 >> (18 + 4 * n) & 3];
}

uint32_t ia_breakpoint_data(const struct emu_ia_vcpu *v, uint64_t linear, unsigned bytes, bool write)
{
	uint32_t hit = 0;

	for (unsigned n = 0; n < 4; n++) {
		unsigned how = v->dr7 >> (16 + 4 * n) & 3, size = breakpoint_bytes(v, n);
		uint64_t at = v->dr[n] & ~(uint64_t)(size - 1);

		if ((v->dr7 >> 2 * n & 3) && (how == 3 || (how == 1 && write)) && linear < at + size && at < linear + bytes)
			hit |= 1u << n;
	}
	return hit;
}

bool ia_watched(void *arg, uint64_t page)
{
	const struct emu_ia_vcpu *v = arg;

	if (!(v->dr7 & 0xff))
		return false;
	for (unsigned n = 0; n < 4; n++)
		if ((v->dr7 >> 2 * n & 3) && (v->dr7 >> (16 + 4 * n) & 1) && (v->dr[n] ^ page) < 4096)
			return true;
	return false;
}

/* -- model-specific registers -- */

enum { MSR_TSC = 0x10, MSR_PLATFORM_ID = 0x17, MSR_UCODE = 0x8b, MSR_MTRRCAP = 0xfe, MSR_ARCH_CAP = 0x10a, MSR_SYSENTER_CS = 0x174,
       MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_MISC_ENABLE = 0x1a0, MSR_DEBUGCTL = 0x1d9, MSR_MTRR_VAR = 0x200, MSR_PAT = 0x277,
       MSR_MTRR_DEF = 0x2ff };
#define MSR_EFER 0xc0000080u
#define MSR_STAR 0xc0000081u
#define MSR_LSTAR 0xc0000082u
#define MSR_CSTAR 0xc0000083u
#define MSR_FMASK 0xc0000084u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_TSC_AUX 0xc0000103u
/* Not vulnerable to what needs speculation: RDCL, L1TF, SSB, MDS, PSCHANGE, TAA, MMIO stale data, RFDS, ... */
#define ARCH_CAP ((1ull << 0) | (1 << 3) | (1 << 4) | (1 << 5) | (1 << 6) | (1 << 8) | (1 << 13) | (1 << 14) | (1 << 15) | \
		  (1 << 24) | (1 << 26) | (1 << 27))
#define MTRRCAP 0x508 /* 8 variable ranges, fixed ones, write-combining */

uint64_t ia_tsc(const struct emu_ia_vcpu *v)
{
	return (v->desc.tsc ? v->desc.tsc(v->desc.arg) : __rdtsc()) + v->tsc_offset;
}

/* Number of a memory-type range register in mtrr[], or -1. */
static int mtrr(uint32_t index)
{
	static const uint16_t fixed[] = { 0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f, MSR_MTRR_DEF };

	if (index >= MSR_MTRR_VAR && index < MSR_MTRR_VAR + 16)
		return (int)(index - MSR_MTRR_VAR);
	for (unsigned k = 0; k < sizeof(fixed) / sizeof(fixed[0]); k++)
		if (fixed[k] == index)
			return (int)(16 + k);
	return -1;
}

static uint64_t *plain(struct emu_ia_vcpu *v, uint32_t index)
{
	int n = mtrr(index);

	if (n >= 0)
		return &v->mtrr[n];
	switch (index) {
	case MSR_SYSENTER_CS: return &v->sysenter_cs;
	case MSR_MISC_ENABLE: return &v->misc_enable;
	case MSR_STAR: return &v->star;
	case MSR_TSC_AUX: return &v->tsc_aux;
	default: return NULL;
	}
}

/* Registers that hold an address: it must be canonical. */
static uint64_t *address(struct emu_ia_vcpu *v, uint32_t index)
{
	switch (index) {
	case MSR_SYSENTER_ESP: return &v->sysenter_esp;
	case MSR_SYSENTER_EIP: return &v->sysenter_eip;
	case MSR_LSTAR: return &v->lstar;
	case MSR_CSTAR: return &v->cstar;
	case MSR_KERNEL_GS_BASE: return &v->kernel_gs_base;
	case MSR_FS_BASE: return &v->seg[IA_FS].base;
	case MSR_GS_BASE: return &v->seg[IA_GS].base;
	default: return NULL;
	}
}

static int write_efer(struct emu_ia_vcpu *v, uint64_t value)
{
	uint64_t old = v->mmu.efer;

	if ((value & ~(uint64_t)EFER_KNOWN) || ((v->mmu.cr0 & IA_CR0_PG) && ((old ^ value) & IA_EFER_LME)))
		return IA_GP0(v);
	value = (value & ~(uint64_t)IA_EFER_LMA) | (old & IA_EFER_LMA);
	return ia_set_control(v, v->mmu.cr0, v->mmu.cr3, v->mmu.cr4, value, false);
}

static bool pat_ok(uint64_t value)
{
	for (unsigned k = 0; k < 8; k++) {
		unsigned type = value >> 8 * k & 0xff;

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

static int write_msr(struct emu_ia_vcpu *v, uint32_t index, uint64_t value)
{
	uint64_t *p = plain(v, index);

	if (p) {
		*p = value;
		return 0;
	}
	p = address(v, index);
	if (p) {
		if (!ia_canonical(value))
			return IA_GP0(v);
		*p = value;
		v->cpu->r[IA_G_SEGBASE + IA_FS] = v->seg[IA_FS].base;
		v->cpu->r[IA_G_SEGBASE + IA_GS] = v->seg[IA_GS].base;
		return 0;
	}
	switch (index) {
	case MSR_TSC: v->tsc_offset += value - ia_tsc(v); return 0;
	case MSR_UCODE: return 0;
	case MSR_DEBUGCTL: return value ? IA_GP0(v) : 0;
	case MSR_EFER: return write_efer(v, value);
	case MSR_FMASK: v->fmask = (uint32_t)value; return value >> 32 ? IA_GP0(v) : 0;
	case MSR_PAT:
		if (!pat_ok(value))
			return IA_GP0(v);
		v->pat = value;
		return 0;
	default:
		return v->desc.msr && v->desc.msr(v->desc.arg, index, true, &value) >= 0 ? 0 : IA_GP0(v);
	}
}

static int read_msr(struct emu_ia_vcpu *v, uint32_t index, uint64_t *value)
{
	const uint64_t *p = plain(v, index);

	if (!p)
		p = address(v, index);
	if (p) {
		*value = *p;
		return 0;
	}
	switch (index) {
	case MSR_TSC: *value = ia_tsc(v); return 0;
	case MSR_UCODE: case MSR_PLATFORM_ID: case MSR_DEBUGCTL: *value = 0; return 0;
	case MSR_MTRRCAP: *value = MTRRCAP; return 0;
	case MSR_ARCH_CAP: *value = ARCH_CAP; return 0;
	case MSR_EFER: *value = v->mmu.efer; return 0;
	case MSR_FMASK: *value = v->fmask; return 0;
	case MSR_PAT: *value = v->pat; return 0;
	default:
		*value = 0;
		return v->desc.msr && v->desc.msr(v->desc.arg, index, false, value) >= 0 ? 0 : IA_GP0(v);
	}
}

static int move_msr(struct emu_ia_vcpu *v, bool write)
{
	uint64_t *r = v->cpu->r, value = (r[IA_RDX] & 0xffffffff) << 32 | (uint32_t)r[IA_RAX];
	uint32_t index = (uint32_t)r[IA_RCX];
	int e;

	if (v->cpl)
		return IA_GP0(v);
	if (write)
		return write_msr(v, index, value);
	e = read_msr(v, index, &value);
	if (!e) {
		r[IA_RAX] = (uint32_t)value;
		r[IA_RDX] = value >> 32;
	}
	return e;
}

int ia_control(struct emu_ia_vcpu *v, const struct emu_ia_insn *i)
{
	switch (i->op) {
	case IA_movcr: return move_cr(v, i, false);
	case IA_loadcr: return move_cr(v, i, true);
	case IA_movdr: return move_dr(v, i, false);
	case IA_loaddr: return move_dr(v, i, true);
	case IA_rdmsr: return move_msr(v, false);
	case IA_wrmsr: return move_msr(v, true);
	case IA_clts:
		return v->cpl ? IA_GP0(v) : ia_set_control(v, v->mmu.cr0 & ~(uint64_t)IA_CR0_TS, v->mmu.cr3, v->mmu.cr4, v->mmu.efer, false);
	default: return EMU_EXC_COMPLEX;
	}
}
