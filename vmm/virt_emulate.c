/* Does on the virtual CPU what a sensitive instruction would have done on a real one in ring 0 (SDM vol. 2,
 * each instruction). One function an operation of virt_insn.def. The privilege that is asked for is the
 * virtual one: the same code decides what a program in ring 3 may do.
 */
#include <string.h>

#include "vmm/virt.h"

#define GP0 virt_fault(VEC_GP, 0)
#define SEG_SS 2u
#define REP_MAX 4096u  /* turns of a repeated string instruction in one go; it goes on by itself */

/* ---- the stack, registers, memory operands ---- */

struct virt_fault virt_push(struct vmm_virt *t, uint32_t value, unsigned bytes)
{
	uint32_t esp = (uint32_t)t->s.gpr[RSP] - bytes;

	if (!virt_write(t, (uint32_t)t->s.ss.base + esp, &value, bytes))
		return virt_fault(VEC_SS, 0);
	t->s.gpr[RSP] = esp;
	return virt_ok();
}

struct virt_fault virt_pop(struct vmm_virt *t, uint32_t *value, unsigned bytes)
{
	uint32_t esp = (uint32_t)t->s.gpr[RSP];

	*value = 0;
	if (!virt_read(t, (uint32_t)t->s.ss.base + esp, value, bytes))
		return virt_fault(VEC_SS, 0);
	t->s.gpr[RSP] = esp + bytes;
	return virt_ok();
}

static void set_reg(struct vmm_virt *t, unsigned reg, uint32_t value, unsigned bytes)
{
	uint64_t *r = &t->s.gpr[reg & 7];

	*r = bytes == 4 ? value : bytes == 2 ? (*r & ~0xffffull) | (value & 0xffff) : (*r & ~0xffull) | (value & 0xff);
}

/* Linear address of the memory operand at eip; false: none that is the guest's. */
static bool operand_at(struct vmm_virt *t, uint32_t *linear)
{
	struct vmm_access a[VMM_ACCESSES_MAX];
	uint8_t code[15] = { 0 };
	uint32_t eip = (uint32_t)t->s.rip, n = sizeof(code);

	while (n && !virt_read(t, eip, code, n))
		n--;
	if (!vmm_accesses(&t->s, code, n, a))
		return false;
	*linear = (uint32_t)a[0].linear;
	return true;
}

/* r/m16 of an instruction: to be read, or the place to write a selector-sized value to. */
static struct virt_fault read16(struct vmm_virt *t, const struct virt_insn *in, unsigned reg, uint16_t *v)
{
	uint32_t at;

	*v = (uint16_t)t->s.gpr[reg & 7];
	if (!in->memory)
		return virt_ok();
	return operand_at(t, &at) && virt_read(t, at, v, 2) ? virt_ok() : GP0;
}

static struct virt_fault write16(struct vmm_virt *t, const struct virt_insn *in, uint32_t v)
{
	uint32_t at;

	if (!in->memory) {
		set_reg(t, in->reg, v, in->bytes);
		return virt_ok();
	}
	return operand_at(t, &at) && virt_write(t, at, &v, 2) ? virt_ok() : GP0;
}

/* ---- flags ---- */

void virt_set_flags(struct vmm_virt *t, uint32_t flags, unsigned bytes)
{
	uint32_t mine = EFLAGS_SYSTEM | EFLAGS_RF, keep = bytes == 2 ? 0xffff0000u : 0;

	if (virt_cpl(t) == 0)
		t->iopl = flags >> 12 & 3;
	if (virt_cpl(t) <= t->iopl)
		t->interrupts = flags & RFLAGS_IF;
	t->s.rflags = ((uint32_t)t->s.rflags & (mine | keep)) | (flags & ~(mine | keep)) | RFLAGS_FIXED;
}

static bool io_allowed(const struct vmm_virt *t)
{
	return virt_cpl(t) <= t->iopl; /* the virtual TSS has no bitmap either */
}

static struct virt_fault set_interrupts(struct vmm_virt *t, bool on)
{
	if (!io_allowed(t))
		return GP0;
	t->interrupts = on;
	return virt_ok();
}

/* ---- ports ---- */

static struct virt_fault port(struct vmm_virt *t, const struct virt_insn *in)
{
	uint16_t p = in->has_imm ? (uint16_t)in->imm : (uint16_t)t->s.gpr[RDX];
	bool reads = in->op == VIRT_IN;
	uint64_t value;

	if (!io_allowed(t))
		return GP0;
	if (reads) {
		value = vmm_bus_read(&t->m->pio, p, in->bytes);
		set_reg(t, RAX, (uint32_t)value, in->bytes);
	} else {
		value = t->s.gpr[RAX] & (in->bytes == 4 ? 0xffffffffu : in->bytes == 2 ? 0xffffu : 0xffu);
		vmm_bus_write(&t->m->pio, p, in->bytes, value);
	}
	rs_count(t->m->em, RS_CTR_VM_PIO_COUNT, 1);
	rs_emit(t->m->em, RS_EV_VM_PIO, RS_SRC_MONITOR, t->v->index, p, in->bytes, reads ? RS_DIR_IN : RS_DIR_OUT,
		value, NULL);
	return virt_ok();
}

static struct virt_fault port_string(struct vmm_virt *t, const struct virt_insn *in)
{
	unsigned index = in->op == VIRT_INS ? RDI : RSI;
	uint16_t p = (uint16_t)t->s.gpr[RDX];
	uint32_t step = (uint32_t)t->s.rflags & EFLAGS_DF ? 0u - in->bytes : in->bytes;
	uint32_t left = in->rep ? (uint32_t)t->s.gpr[RCX] : 1, turns = left < REP_MAX ? left : REP_MAX;

	if (!io_allowed(t))
		return GP0;
	for (uint32_t i = 0; i < turns; i++) {
		uint64_t value = 0;
		uint32_t at;

		if (!operand_at(t, &at) || !virt_ram(t, at, in->bytes))
			return GP0;
		if (in->op == VIRT_INS) {
			value = vmm_bus_read(&t->m->pio, p, in->bytes);
			virt_write(t, at, &value, in->bytes);
		} else {
			virt_read(t, at, &value, in->bytes);
			vmm_bus_write(&t->m->pio, p, in->bytes, value);
		}
		rs_count(t->m->em, RS_CTR_VM_PIO_COUNT, 1);
		t->s.gpr[index] = (uint32_t)t->s.gpr[index] + step;
		if (in->rep)
			t->s.gpr[RCX] = (uint32_t)t->s.gpr[RCX] - 1;
	}
	return virt_ok();
}

/* ---- tables and system registers ---- */

static struct virt_fault load_table(struct vmm_virt *t, bool gdt)
{
	uint8_t b[6];
	uint32_t at, base;
	uint16_t limit;

	if (!operand_at(t, &at) || !virt_read(t, at, b, sizeof(b)))
		return GP0;
	memcpy(&limit, b, 2);
	memcpy(&base, b + 2, 4);
	if (gdt) {
		t->gdt_base = base;
		t->gdt_limit = limit;
		virt_shadow_sync(t);
	} else {
		t->idt_base = base;
		t->idt_limit = limit;
	}
	return virt_ok();
}

static struct virt_fault store_table(struct vmm_virt *t, uint32_t base, uint32_t limit)
{
	uint8_t b[6];
	uint32_t at;

	memcpy(b, &limit, 2);
	memcpy(b + 2, &base, 4);
	return operand_at(t, &at) && virt_write(t, at, b, sizeof(b)) ? virt_ok() : GP0;
}

static struct virt_fault load_task(struct vmm_virt *t, const struct virt_insn *in)
{
	struct virt_fault f;
	struct vmm_seg s;
	uint16_t sel;

	f = read16(t, in, in->reg, &sel);
	if (f.raised)
		return f;
	if (!virt_descriptor(t, sel, &s) || s.s || (s.type != 9 && s.type != 11))
		return virt_fault(VEC_GP, sel & 0xfffcu);
	if (!s.present)
		return virt_fault(VEC_NP, sel & 0xfffcu);
	t->tr = sel;
	t->tr_base = (uint32_t)s.base;
	t->tr_limit = s.limit;
	return virt_ok();
}

static struct virt_fault load_cr0(struct vmm_virt *t, uint32_t value)
{
	if ((value & CR0_PG) || !(value & CR0_PE)) {
		virt_give_up(t, value & CR0_PG ?
			     N_("the guest switched paging on: this monitor virtualizes protected mode without paging") :
			     N_("the guest switched protected mode off: this monitor virtualizes protected mode alone"));
		return virt_ok();
	}
	t->cr0 = value | CR0_ET;
	return virt_ok();
}

static struct virt_fault move_control(struct vmm_virt *t, const struct virt_insn *in)
{
	uint32_t *const reg[] = { &t->cr0, NULL, &t->cr2, &t->cr3, &t->cr4 };
	uint32_t *r = in->system < 5 ? reg[in->system] : NULL;

	if (!r)
		return virt_fault(VEC_UD, 0);
	if (!in->to_system)
		set_reg(t, in->reg, *r, 4);
	else if (in->system == 0)
		return load_cr0(t, (uint32_t)t->s.gpr[in->reg & 7]);
	else
		*r = (uint32_t)t->s.gpr[in->reg & 7];
	return virt_ok();
}

static struct virt_fault move_debug(struct vmm_virt *t, const struct virt_insn *in)
{
	uint32_t *r = &t->dr[in->system & 7];

	if (in->to_system)
		*r = (uint32_t)t->s.gpr[in->reg & 7];
	else
		set_reg(t, in->reg, *r, 4);
	return virt_ok();
}

/* ---- what is silent in ring 1 ---- */

static uint16_t selector_of(const struct vmm_virt *t, unsigned number)
{
	const struct vmm_seg *const seg[] = { &t->s.es, &t->s.cs, &t->s.ss, &t->s.ds, &t->s.fs, &t->s.gs };

	return number == 1 ? virt_cs(t) : virt_selector(seg[number < 6 ? number : 3]->selector);
}

static struct virt_fault pop_flags(struct vmm_virt *t, unsigned bytes)
{
	uint32_t flags;
	struct virt_fault f = virt_pop(t, &flags, bytes);

	if (!f.raised)
		virt_set_flags(t, flags, bytes);
	return f;
}

/* LAR, LSL, VERR, VERW: ZF says whether the descriptor may be used (SDM vol. 3A, 5.10). */
static struct virt_fault look_at(struct vmm_virt *t, const struct virt_insn *in)
{
	bool code, ok, result = in->op == VIRT_LAR || in->op == VIRT_LSL;
	struct virt_fault f;
	struct vmm_seg s;
	uint16_t sel;
	uint64_t d;

	f = read16(t, in, result ? in->system : in->reg, &sel);
	if (f.raised)
		return f;
	ok = virt_descriptor(t, sel, &s);
	if (ok) {
		code = s.s && (s.type & 8);
		if (!(code && (s.type & 4)))
			ok = s.dpl >= virt_cpl(t) && s.dpl >= (sel & 3u);
		if (in->op == VIRT_VERR)
			ok &= s.s && (!code || (s.type & 2));
		else if (in->op == VIRT_VERW)
			ok &= s.s && !code && (s.type & 2);
		else if (!s.s) /* TSS and LDT; LAR also gates of calls and tasks */
			ok &= s.type == 1 || s.type == 2 || s.type == 3 || s.type == 9 || s.type == 11 ||
			      (in->op == VIRT_LAR && (s.type == 4 || s.type == 5 || s.type == 12));
	}
	t->s.rflags = (t->s.rflags & ~(uint64_t)EFLAGS_ZF) | (ok ? EFLAGS_ZF : 0);
	if (!ok || !result)
		return virt_ok();
	memcpy(&d, t->gdt + (sel & 0xfff8), 8);
	set_reg(t, in->reg, in->op == VIRT_LSL ? s.limit : (uint32_t)(d >> 32) & 0x00f0ff00, in->bytes);
	return virt_ok();
}

/* ---- the stack segment ---- */

struct virt_fault virt_load_ss(struct vmm_virt *t, unsigned selector)
{
	struct vmm_seg s;

	if (!(selector & 0xfffc))
		return GP0;
	if (!virt_descriptor(t, selector, &s) || !s.s || (s.type & 10) != 2 || s.dpl != virt_cpl(t) ||
	    virt_cpl(t) != (selector & 3))
		return virt_fault(VEC_GP, selector & 0xfffc);
	if (!s.present)
		return virt_fault(VEC_SS, selector & 0xfffc);
	virt_shadow(t, selector, &t->s.ss);
	return virt_ok();
}

static struct virt_fault to_ss(struct vmm_virt *t, const struct virt_insn *in)
{
	struct virt_fault f;
	uint32_t value;
	uint16_t sel;

	if (in->op == VIRT_MOV_TO_SS) {
		f = read16(t, in, in->reg, &sel);
		return f.raised ? f : virt_load_ss(t, virt_selector(sel));
	}
	f = virt_pop(t, &value, in->bytes);
	if (f.raised)
		return f;
	f = virt_load_ss(t, virt_selector(value & 0xffff));
	if (f.raised)
		t->s.gpr[RSP] -= in->bytes;
	return f;
}

/* ---- branches whose targets only the monitor can find (rewritten code) ---- */

static struct virt_fault near_branch(struct vmm_virt *t, const struct virt_insn *in, uint32_t next)
{
	uint32_t to = (uint32_t)t->s.gpr[in->reg & 7], at;
	struct virt_fault f = virt_ok();

	if (in->branch == VIRT_RET) {
		f = virt_pop(t, &to, 4);
		if (!f.raised)
			t->s.gpr[RSP] = (uint32_t)t->s.gpr[RSP] + (in->has_imm ? in->imm : 0);
	} else {
		if (in->memory && (!operand_at(t, &at) || !virt_read(t, at, &to, 4)))
			return GP0;
		if (in->branch == VIRT_CALL)
			f = virt_push(t, next, 4);
	}
	if (!f.raised)
		t->s.rip = to;
	return f;
}

static struct virt_fault far_transfer(struct vmm_virt *t, const struct virt_insn *in)
{
	uint32_t at, eip = in->imm, from = (uint32_t)t->s.rip;
	unsigned sel = in->far_sel;
	struct virt_fault f;
	uint8_t b[6];

	if (in->op == VIRT_FAR_RET)
		return virt_far_return(t, in->bytes, in->has_imm ? in->imm : 0);
	if (!in->direct) {
		if (!operand_at(t, &at) || !virt_read(t, at, b, in->bytes + 2))
			return GP0;
		eip = 0;
		memcpy(&eip, b, in->bytes);
		sel = b[in->bytes] | (unsigned)b[in->bytes + 1] << 8;
	}
	t->s.rip = from + in->len; /* where a call returns to */
	f = virt_far_jump(t, virt_selector(sel), eip, in->op == VIRT_FAR_CALL);
	if (f.raised)
		t->s.rip = from;
	return f;
}

/* ---- one instruction ---- */

static bool kernel_only(enum virt_op op)
{
	switch (op) {
	case VIRT_HLT: case VIRT_LGDT: case VIRT_LIDT: case VIRT_LLDT: case VIRT_LTR: case VIRT_LMSW:
	case VIRT_CLTS: case VIRT_MOV_CR: case VIRT_MOV_DR: case VIRT_NOTHING:
		return true;
	default:
		return false;
	}
}

static struct virt_fault one(struct vmm_virt *t, const struct virt_insn *in, uint32_t eip)
{
	struct virt_fault f;
	uint16_t value;

	switch (in->op) {
	case VIRT_CLI:
	case VIRT_STI:
		return set_interrupts(t, in->op == VIRT_STI);
	case VIRT_HLT:
		if (!t->m->pc || !vmm_board_wait(t->v))
			vmm_vcpu_end(t->v, RS_OUT_HALTED, 0);
		return virt_ok();
	case VIRT_IN:
	case VIRT_OUT:
		return port(t, in);
	case VIRT_INS:
	case VIRT_OUTS:
		return port_string(t, in);
	case VIRT_LGDT:
	case VIRT_LIDT:
		return load_table(t, in->op == VIRT_LGDT);
	case VIRT_LLDT:
		f = read16(t, in, in->reg, &value);
		if (!f.raised && (value & 0xfffc))
			virt_give_up(t, N_("the guest loads a local descriptor table, which this monitor does not virtualize"));
		return f;
	case VIRT_LTR:
		return load_task(t, in);
	case VIRT_LMSW:
		f = read16(t, in, in->reg, &value);
		return f.raised ? f : load_cr0(t, (t->cr0 & ~14u) | (value & 15u));
	case VIRT_CLTS:
		t->cr0 &= ~(uint32_t)CR0_TS;
		return virt_ok();
	case VIRT_MOV_CR:
		return move_control(t, in);
	case VIRT_MOV_DR:
		return move_debug(t, in);
	case VIRT_PUSHF:
		return virt_push(t, virt_flags(t) & ~EFLAGS_RF, in->bytes);
	case VIRT_POPF:
		return pop_flags(t, in->bytes);
	case VIRT_SGDT:
		return store_table(t, t->gdt_base, t->gdt_limit);
	case VIRT_SIDT:
		return store_table(t, t->idt_base, t->idt_limit);
	case VIRT_SLDT:
		return write16(t, in, t->ldtr);
	case VIRT_STR:
		return write16(t, in, t->tr);
	case VIRT_SMSW:
		return write16(t, in, t->cr0);
	case VIRT_LAR:
	case VIRT_LSL:
	case VIRT_VERR:
	case VIRT_VERW:
		return look_at(t, in);
	case VIRT_MOV_FROM_SEG:
		return write16(t, in, selector_of(t, in->system));
	case VIRT_PUSH_SEG:
		return virt_push(t, selector_of(t, in->system), in->bytes);
	case VIRT_MOV_TO_SS:
	case VIRT_POP_SS:
		return to_ss(t, in);
	case VIRT_IRET:
		return virt_iret(t, in->bytes);
	case VIRT_FAR_RET:
	case VIRT_FAR_CALL:
	case VIRT_FAR_JUMP:
		return far_transfer(t, in);
	case VIRT_PLAIN:
		if (in->branch != VIRT_NO_BRANCH)
			return near_branch(t, in, eip + in->len);
		return GP0;
	case VIRT_NOTHING:
	case VIRT_INT:
	case VIRT_INT3:
	case VIRT_INTO:
	case VIRT_OPS:
		break;
	}
	return virt_ok();
}

/* A repeated string instruction goes on where it stopped. */
static bool unfinished(const struct vmm_virt *t, const struct virt_insn *in)
{
	return (in->op == VIRT_INS || in->op == VIRT_OUTS) && in->rep && (uint32_t)t->s.gpr[RCX];
}

struct virt_fault virt_emulate(struct vmm_virt *t, const struct virt_insn *in)
{
	uint32_t eip = (uint32_t)t->s.rip;
	struct virt_fault f;

	if (kernel_only(in->op) && virt_cpl(t))
		return GP0;
	f = one(t, in, eip);
	if (!f.raised && !in->ends && !unfinished(t, in))
		t->s.rip = eip + in->len;
	return f;
}
