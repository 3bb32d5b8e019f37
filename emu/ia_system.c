/* System instructions of the software x86 CPU: which routine does one, and those that are short (SDM volume 2;
 * volume 3A, 2.8).
 */
#include <string.h>

#include "emu/ia_sys.h"

/* -- operands -- */

static int read_operand(struct emu_ia_vcpu *v, const struct emu_ia_insn *i, unsigned bytes, uint64_t *value)
{
	*value = 0;
	if (i->memory)
		return emu_ia_read(v->cpu, emu_ia_address(v->cpu, i), value, bytes);
	*value = emu_ia_gpr(v->cpu, i->rm, bytes);
	return 0;
}

/* A selector or machine status word: 16 bits in memory, the operand size in a register. */
static int write_operand(struct emu_ia_vcpu *v, const struct emu_ia_insn *i, uint64_t value)
{
	if (i->memory)
		return emu_ia_write(v->cpu, emu_ia_address(v->cpu, i), &value, 2);
	emu_ia_set_gpr(v->cpu, i->rm, i->osize, value);
	return 0;
}

static int ring0(struct emu_ia_vcpu *v)
{
	return v->cpl ? IA_GP0(v) : 0;
}

/* IOPL-sensitive: cli, sti; in VM86 also pushf, popf, int n. */
static bool may_interrupts(const struct emu_ia_vcpu *v)
{
	return !ia_protected(v) || (ia_vm86(v) ? ia_iopl(v) == 3 : v->cpl <= ia_iopl(v));
}

/* -- segment registers -- */

static unsigned segment_of(const struct emu_ia_insn *i)
{
	switch (i->row->operand[0]) {
	case IA_O_ES: return IA_ES;
	case IA_O_CS: return IA_CS;
	case IA_O_SS: return IA_SS;
	case IA_O_DS: return IA_DS;
	case IA_O_FS: return IA_FS;
	default: return IA_GS;
	}
}

static int load_segment(struct emu_ia_vcpu *v, unsigned seg, uint64_t selector)
{
	int e = ia_load_segment(v, seg, (uint16_t)selector);

	if (!e && seg == IA_SS)
		v->shadow = 2;
	return e;
}

static int move_segment(struct emu_ia_vcpu *v, const struct emu_ia_insn *i)
{
	uint64_t value;
	int e;

	if (i->reg > IA_GS || (i->op == IA_loadseg && i->reg == IA_CS))
		return IA_UNDEFINED_INSN(v);
	if (i->op == IA_movseg)
		return write_operand(v, i, v->seg[i->reg].selector);
	e = read_operand(v, i, 2, &value);
	return e ? e : load_segment(v, i->reg, value);
}

static int stack_segment(struct emu_ia_vcpu *v, const struct emu_ia_insn *i)
{
	unsigned seg = segment_of(i);
	struct ia_stack s;
	uint64_t value;
	int e;

	ia_stack_now(v, &s);
	if (i->op == IA_pushseg) {
		e = ia_stack_push(&s, v->seg[seg].selector, i->osize);
		if (!e)
			ia_stack_commit(&s);
		return e;
	}
	e = ia_stack_pop(&s, &value, i->osize == 2 ? 2 : i->osize);
	if (!e)
		e = load_segment(v, seg, value);
	if (!e)
		ia_stack_commit(&s);
	return e;
}

static int far_pointer(struct emu_ia_vcpu *v, const struct emu_ia_insn *i, uint64_t *offset, uint16_t *selector)
{
	uint8_t b[10];
	int e;

	if (!i->memory) {
		*offset = (uint64_t)i->imm & (i->osize == 2 ? 0xffff : 0xffffffff);
		*selector = (uint16_t)i->imm2;
		return 0;
	}
	*offset = 0;
	e = emu_ia_read(v->cpu, emu_ia_address(v->cpu, i), b, i->osize + 2u);
	if (!e) {
		memcpy(offset, b, i->osize);
		memcpy(selector, b + i->osize, 2);
	}
	return e;
}

static int load_far(struct emu_ia_vcpu *v, const struct emu_ia_insn *i)
{
	unsigned seg = i->op == IA_les ? IA_ES : i->op == IA_lds ? IA_DS : i->op == IA_lss ? IA_SS : i->op == IA_lfs ? IA_FS
		: IA_GS;
	uint64_t offset;
	uint16_t selector;
	int e = far_pointer(v, i, &offset, &selector);

	if (!e)
		e = load_segment(v, seg, selector);
	if (!e)
		emu_ia_set_gpr(v->cpu, i->reg, i->osize, offset);
	return e;
}

/* -- descriptor tables -- */

static int store_table(struct emu_ia_vcpu *v, const struct emu_ia_insn *i)
{
	uint64_t base = i->op == IA_sgdt ? v->gdt_base : v->idt_base;
	uint32_t limit = i->op == IA_sgdt ? v->gdt_limit : v->idt_limit;
	uint8_t b[10];

	memcpy(b, &limit, 2);
	memcpy(b + 2, &base, 8);
	return emu_ia_write(v->cpu, emu_ia_address(v->cpu, i), b, i->bits == 64 ? 10 : 6);
}

static int load_table(struct emu_ia_vcpu *v, const struct emu_ia_insn *i)
{
	uint8_t b[10] = { 0 };
	uint16_t limit;
	uint64_t base;
	int e = ring0(v);

	if (!e)
		e = emu_ia_read(v->cpu, emu_ia_address(v->cpu, i), b, i->bits == 64 ? 10 : 6);
	if (e)
		return e;
	memcpy(&limit, b, 2);
	memcpy(&base, b + 2, 8);
	if (i->bits != 64)
		base &= i->osize == 2 ? 0xffffff : 0xffffffff;
	if (!ia_canonical(base))
		return IA_GP0(v);
	if (i->op == IA_lgdt) {
		v->gdt_base = base;
		v->gdt_limit = limit;
	} else {
		v->idt_base = base;
		v->idt_limit = limit;
	}
	return 0;
}

static int local_table(struct emu_ia_vcpu *v, const struct emu_ia_insn *i)
{
	uint64_t selector;
	int e;

	if (ia_real(v))
		return IA_UNDEFINED_INSN(v);
	if (i->op == IA_sldt || i->op == IA_str)
		return write_operand(v, i, v->seg[i->op == IA_sldt ? EMU_IA_LDTR : EMU_IA_TR].selector);
	e = ring0(v);
	if (!e)
		e = read_operand(v, i, 2, &selector);
	if (e)
		return e;
	return i->op == IA_lldt ? ia_lldt(v, (uint16_t)selector) : ia_ltr(v, (uint16_t)selector);
}

static int look_at(struct emu_ia_vcpu *v, const struct emu_ia_insn *i)
{
	uint64_t selector;
	int e = read_operand(v, i, 2, &selector);

	return e ? e : ia_look_at_segment(v, i, (uint16_t)selector);
}

static int adjust_rpl(struct emu_ia_vcpu *v, const struct emu_ia_insn *i)
{
	unsigned rpl = v->cpu->r[i->reg] & 3;
	uint64_t value;
	bool less;
	int e;

	if (ia_real(v))
		return IA_UNDEFINED_INSN(v);
	e = read_operand(v, i, 2, &value);
	if (e)
		return e;
	less = (value & 3) < rpl;
	if (less) {
		value = (value & ~3ull) | rpl;
		if (i->memory)
			e = emu_ia_write(v->cpu, emu_ia_address(v->cpu, i), &value, 2);
		else
			emu_ia_set_gpr(v->cpu, i->rm, 2, value);
	}
	if (!e)
		ia_change_flags(v, less ? IA_ZF : 0, IA_ZF);
	return e;
}

/* -- the machine status word -- */

static int load_msw(struct emu_ia_vcpu *v, const struct emu_ia_insn *i)
{
	uint64_t value, cr0 = v->mmu.cr0;
	int e = ring0(v);

	if (!e)
		e = read_operand(v, i, 2, &value);
	if (e)
		return e;
	/* PE can be set, not cleared */
	cr0 = (cr0 & ~14ull) | (value & 15);
	return ia_set_control(v, cr0, v->mmu.cr3, v->mmu.cr4, v->mmu.efer, false);
}

/* -- flags -- */

static int pop_flags(struct emu_ia_vcpu *v, const struct emu_ia_insn *i)
{
	uint64_t mask = IA_ARITH | IA_TF | IA_DF | IA_NT | (i->osize > 2 ? IA_AC | IA_ID : 0), value;
	struct ia_stack s;
	int e;

	if (ia_vm86(v) && ia_iopl(v) < 3)
		return IA_GP0(v);
	ia_stack_now(v, &s);
	e = ia_stack_pop(&s, &value, i->osize);
	if (e)
		return e;
	ia_stack_commit(&s);
	if (may_interrupts(v))
		mask |= IA_IF;
	if (v->cpl == 0)
		mask |= IA_IOPL;
	ia_change_flags(v, value, mask);
	ia_mem_mode(v);
	return 0;
}

static int push_flags(struct emu_ia_vcpu *v, const struct emu_ia_insn *i)
{
	struct ia_stack s;
	int e;

	if (ia_vm86(v) && ia_iopl(v) < 3)
		return IA_GP0(v);
	ia_stack_now(v, &s);
	e = ia_stack_push(&s, emu_ia_rflags(v->cpu) & ~(uint64_t)(IA_RF | IA_VM), i->osize);
	if (!e)
		ia_stack_commit(&s);
	return e;
}

static int interrupt_flag(struct emu_ia_vcpu *v, const struct emu_ia_insn *i, uint64_t *next)
{
	uint64_t *flags = &v->cpu->r[IA_G_RFLAGS];

	(void)next;
	if (!may_interrupts(v))
		return IA_GP0(v);
	if (i->op == IA_sti && !(*flags & IA_IF))
		v->shadow = 1;
	*flags = i->op == IA_sti ? *flags | IA_IF : *flags & ~(uint64_t)IA_IF; /* the lazy ones stay as they are */
	return 0;
}

/* AC for SMAP. */
static int access_flag(struct emu_ia_vcpu *v, const struct emu_ia_insn *i)
{
	if (v->cpl)
		return IA_UNDEFINED_INSN(v);
	ia_change_flags(v, i->op == IA_stac ? IA_AC : 0, IA_AC);
	ia_mem_mode(v);
	return 0;
}

/* -- frames, bounds -- */

/* ENTER with a nesting level. */
static int enter(struct emu_ia_vcpu *v, const struct emu_ia_insn *i)
{
	unsigned level = (unsigned)i->imm2 & 31, bytes = i->osize;
	uint64_t bp = v->cpu->r[IA_RBP], frame, value;
	struct ia_stack s, from;
	int e;

	ia_stack_now(v, &s);
	from = s;
	from.sp = bp & s.mask;
	e = ia_stack_push(&s, bp, bytes);
	frame = s.sp;
	for (unsigned k = 1; !e && k < level; k++) {
		from.sp = (from.sp - bytes) & from.mask;
		e = ia_stack_pop(&from, &value, bytes);
		from.sp = (from.sp - bytes) & from.mask;
		if (!e)
			e = ia_stack_push(&s, value, bytes);
	}
	if (!e && level)
		e = ia_stack_push(&s, frame, bytes);
	s.sp = (s.sp - ((uint64_t)i->imm & 0xffff)) & s.mask;
	if (!e)
		e = ia_mem_probe(v, s.check ? (uint32_t)(s.base + s.sp) : s.sp, bytes, true, false);
	if (e)
		return e;
	ia_stack_commit(&s);
	emu_ia_set_gpr(v->cpu, IA_RBP, bytes, frame);
	return 0;
}

static int bound(struct emu_ia_vcpu *v, const struct emu_ia_insn *i)
{
	int64_t index, low, high;
	uint64_t b = 0;
	int e = emu_ia_read(v->cpu, emu_ia_address(v->cpu, i), &b, i->osize * 2u);

	if (e)
		return e;
	index = i->osize == 2 ? (int16_t)v->cpu->r[i->reg] : (int32_t)v->cpu->r[i->reg];
	low = i->osize == 2 ? (int16_t)b : (int32_t)b;
	high = i->osize == 2 ? (int16_t)(b >> 16) : (int32_t)(b >> 32);
	return index < low || index > high ? ia_fault(v, IA_V_BR, 0) : 0;
}

/* -- bases of FS and GS -- */

static int segment_base(struct emu_ia_vcpu *v, const struct emu_ia_insn *i)
{
	bool write = i->op == IA_wrfsbase || i->op == IA_wrgsbase;
	unsigned seg = i->op == IA_rdfsbase || i->op == IA_wrfsbase ? IA_FS : IA_GS;
	uint64_t value = emu_ia_gpr(v->cpu, i->rm, i->osize);

	if (!ia_code64(v) || !(v->mmu.cr4 & IA_CR4_FSGSBASE))
		return IA_UNDEFINED_INSN(v);
	if (!write) {
		emu_ia_set_gpr(v->cpu, i->rm, i->osize, v->seg[seg].base);
		return 0;
	}
	if (!ia_canonical(value))
		return IA_GP0(v);
	v->seg[seg].base = v->cpu->r[IA_G_SEGBASE + seg] = value;
	return 0;
}

static int swap_gs(struct emu_ia_vcpu *v)
{
	uint64_t old = v->seg[IA_GS].base;

	if (v->cpl)
		return IA_GP0(v);
	v->seg[IA_GS].base = v->cpu->r[IA_G_SEGBASE + IA_GS] = v->kernel_gs_base;
	v->kernel_gs_base = old;
	return 0;
}

/* -- the rest -- */

static int read_time(struct emu_ia_vcpu *v, const struct emu_ia_insn *i)
{
	uint64_t t;

	if ((v->mmu.cr4 & IA_CR4_TSD) && v->cpl)
		return IA_GP0(v);
	t = ia_tsc(v);
	v->cpu->r[IA_RAX] = (uint32_t)t;
	v->cpu->r[IA_RDX] = t >> 32;
	if (i->op == IA_rdtscp)
		v->cpu->r[IA_RCX] = (uint32_t)v->tsc_aux;
	return 0;
}

static int tell(struct emu_ia_vcpu *v)
{
	uint32_t r[4];

	ia_cpuid(v, (uint32_t)v->cpu->r[IA_RAX], (uint32_t)v->cpu->r[IA_RCX], r);
	v->cpu->r[IA_RAX] = r[0];
	v->cpu->r[IA_RBX] = r[1];
	v->cpu->r[IA_RCX] = r[2];
	v->cpu->r[IA_RDX] = r[3];
	return 0;
}

static int invalidate(struct emu_ia_vcpu *v, const struct emu_ia_insn *i)
{
	uint64_t at;

	if (v->cpl)
		return IA_GP0(v);
	at = emu_ia_address(v->cpu, i);
	ia_flush_jumps_to(v, at);
	return 0;
}

static int software_interrupt(struct emu_ia_vcpu *v, const struct emu_ia_insn *i)
{
	switch (i->op) {
	case IA_int3: return ia_soft_interrupt(v, IA_V_BP, i->len, false);
	case IA_int1: return ia_soft_interrupt(v, IA_V_DB, i->len, true);
	case IA_into: return ia_soft_interrupt(v, IA_V_OF, i->len, false);
	default:
		if (ia_vm86(v) && ia_iopl(v) < 3)
			return IA_GP0(v);
		return ia_soft_interrupt(v, (uint8_t)i->imm, i->len, false);
	}
}

static int hypercall(struct emu_ia_vcpu *v)
{
	return v->desc.hypercall && v->desc.hypercall(v->desc.arg) ? 0 : IA_UNDEFINED_INSN(v);
}

/* Where the linear address of the next instruction is in *next; these set it themselves. */
static int control_transfer(struct emu_ia_vcpu *v, const struct emu_ia_insn *i, uint64_t *next)
{
	uint64_t offset, ip = ia_ip(v) + i->len;
	uint16_t selector;
	int e;

	if (!ia_code64(v))
		ip = i->bits == 16 ? (uint16_t)ip : (uint32_t)ip;
	switch (i->op) {
	case IA_int: case IA_int3: case IA_int1: e = software_interrupt(v, i); break;
	case IA_into:
		if (!(emu_ia_rflags(v->cpu) & IA_OF))
			return 0;
		e = software_interrupt(v, i);
		break;
	case IA_iret: e = ia_iret(v, i->osize); break;
	case IA_retf: e = ia_return_far(v, i->osize, i->row->operand[0] == IA_O__ ? 0 : (unsigned)i->imm & 0xffff); break;
	case IA_jmpf: case IA_callf:
		e = far_pointer(v, i, &offset, &selector);
		if (e)
			return e;
		e = i->op == IA_jmpf ? ia_jump_far(v, selector, offset, i->osize) : ia_call_far(v, selector, offset, i->osize, ip);
		break;
	default: return EMU_EXC_COMPLEX;
	}
	*next = v->cpu->pc;
	return e;
}

ia_routine *ia_routine_of(const struct emu_ia_insn *i)
{
	switch (i->op) {
	case IA_syscall: return ia_syscall;
	case IA_sysret: return ia_sysret;
	case IA_sysenter: return ia_sysenter;
	case IA_sysexit: return ia_sysexit;
	case IA_cli: case IA_sti: return interrupt_flag;
	case IA_in: case IA_out: return ia_in_out;
	case IA_ins: case IA_outs: return ia_string_io;
	case IA_int: case IA_int3: case IA_int1: case IA_into: case IA_iret: case IA_retf: case IA_jmpf: case IA_callf:
		return control_transfer;
	default: return ia_system;
	}
}

int ia_system(struct emu_ia_vcpu *v, const struct emu_ia_insn *i, uint64_t *next)
{
	int e;

	(void)next;
	switch (i->op) {
	case IA_movseg: case IA_loadseg: return move_segment(v, i);
	case IA_pushseg: case IA_popseg: return stack_segment(v, i);
	case IA_les: case IA_lds: case IA_lss: case IA_lfs: case IA_lgs: return load_far(v, i);
	case IA_sgdt: case IA_sidt: return store_table(v, i);
	case IA_lgdt: case IA_lidt: return load_table(v, i);
	case IA_sldt: case IA_str: case IA_lldt: case IA_ltr: return local_table(v, i);
	case IA_lar: case IA_lsl: case IA_verr: case IA_verw: return look_at(v, i);
	case IA_arpl: return adjust_rpl(v, i);
	case IA_smsw: return write_operand(v, i, v->mmu.cr0);
	case IA_lmsw: return load_msw(v, i);
	case IA_popf: return pop_flags(v, i);
	case IA_pushf: return push_flags(v, i);
	case IA_clac: case IA_stac: return access_flag(v, i);
	case IA_enter: return enter(v, i);
	case IA_bound: return bound(v, i);
	case IA_rdfsbase: case IA_rdgsbase: case IA_wrfsbase: case IA_wrgsbase: return segment_base(v, i);
	case IA_swapgs: return swap_gs(v);
	case IA_rdtsc: case IA_rdtscp: return read_time(v, i);
	case IA_rdpmc: return IA_GP0(v);
	case IA_cpuid: return tell(v);
	case IA_invlpg: return invalidate(v, i);
	case IA_wbinvd: case IA_invd: return ring0(v);
	case IA_clflush: return ia_mem_probe(v, emu_ia_address(v->cpu, i), 1, false, false);
	case IA_vmcall: case IA_vmmcall: return hypercall(v);
	case IA_hlt:
		e = ring0(v);
		v->halted = !e;
		return e;
	default: return ia_control(v, i);
	}
}
