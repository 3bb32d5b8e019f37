/* From one segment to another on the virtual CPU: exceptions and interrupts through the guest's IDT, IRET,
 * far returns, far jumps and calls (SDM vol. 3A, 5.8 and 6.12). Everything is looked up in the guest's own
 * tables, with virtual privilege; what the real CPU then loads are the shadows.
 */
#include <string.h>

#include "vmm/virt.h"

static unsigned real_ring(unsigned cpl)
{
	return cpl ? cpl : 1;
}

/* A code segment that runs at `cpl`, non-conforming ones only: the others are not worth their rows here. */
static struct virt_fault check_code(struct vmm_virt *t, unsigned selector, unsigned cpl, struct vmm_seg *out)
{
	if (!virt_descriptor(t, selector, out) || !out->s || !(out->type & 8) || (out->type & 4) || out->dpl != cpl)
		return virt_fault(VEC_GP, selector & 0xfffc);
	if (!out->present)
		return virt_fault(VEC_NP, selector & 0xfffc);
	return virt_ok();
}

static struct virt_fault check_stack(struct vmm_virt *t, unsigned selector, unsigned cpl, unsigned vector)
{
	struct vmm_seg s;

	if (!virt_descriptor(t, selector, &s) || !s.s || (s.type & 10) != 2 || s.dpl != cpl || (selector & 3) != cpl ||
	    !s.present)
		return virt_fault(vector, selector & 0xfffc);
	return virt_ok();
}

/* The CPU goes on at selector:eip with virtual privilege cpl. */
static void go(struct vmm_virt *t, unsigned selector, uint32_t eip, unsigned cpl)
{
	unsigned sel = (selector & 0xfffcu) | cpl;

	t->ring = real_ring(cpl);
	t->cs = (uint16_t)sel;
	virt_shadow(t, sel, &t->s.cs);
	t->s.rip = eip;
	t->translated = t->cache && t->ring == 1;
}

/* ---- inward ---- */

enum { INVALID_TSS = 10 };

/* The stack of an inner ring (SDM vol. 3A, 7.2.1: the 32-bit TSS). */
static struct virt_fault inner_stack(struct vmm_virt *t, unsigned cpl, uint16_t *ss, uint32_t *esp)
{
	uint32_t at = t->tr_base + 4 + 8 * cpl;

	if (!t->tr || 4 + 8 * cpl + 7 > t->tr_limit || !virt_read(t, at, esp, 4) || !virt_read(t, at + 4, ss, 2))
		return virt_fault(INVALID_TSS, t->tr & 0xfffcu);
	return check_stack(t, *ss, cpl, INVALID_TSS);
}

static struct virt_fault push_frame(struct vmm_virt *t, const uint32_t *word, unsigned n)
{
	struct virt_fault f = virt_ok();

	for (unsigned i = 0; i < n && !f.raised; i++)
		f = virt_push(t, word[i], 4);
	return f;
}

static bool pushes_error(unsigned vector, bool software)
{
	return !software && (vector == 8 || (vector >= 10 && vector <= 14) || vector == 17);
}

static struct virt_fault through_gate(struct vmm_virt *t, struct virt_fault what, bool software)
{
	uint32_t old_ss = virt_selector(t->s.ss.selector), old_esp = (uint32_t)t->s.gpr[RSP], esp, offset;
	const struct vmm_cpu_state before = t->s;
	unsigned index = what.vector * 8 + 2 + !software, type, cpl = virt_cpl(t), to, n = 0;
	struct virt_fault f;
	struct vmm_seg code;
	uint32_t word[6];
	uint16_t ss, sel;
	uint64_t gate;

	if (what.vector * 8 + 7 > t->idt_limit || !virt_read(t, t->idt_base + what.vector * 8, &gate, 8))
		return virt_fault(VEC_GP, index);
	type = gate >> 40 & 0x1f;
	if ((type != 14 && type != 15) || (software && (gate >> 45 & 3) < cpl))
		return virt_fault(VEC_GP, index);
	if (!(gate >> 47 & 1))
		return virt_fault(VEC_NP, index);
	sel = gate >> 16 & 0xffff;
	offset = (uint32_t)((gate & 0xffff) | (gate >> 32 & 0xffff0000));
	if (!virt_descriptor(t, sel, &code) || code.dpl > cpl)
		return virt_fault(VEC_GP, (sel & 0xfffcu) + !software);
	to = code.dpl;
	f = check_code(t, sel, to, &code);
	if (f.raised)
		return f;
	if (to < cpl) {
		f = inner_stack(t, to, &ss, &esp);
		if (f.raised)
			return f;
		virt_shadow(t, ss, &t->s.ss);
		t->s.gpr[RSP] = esp;
		word[n++] = old_ss;
		word[n++] = old_esp;
	}
	word[n++] = virt_flags(t);
	word[n++] = virt_cs(t);
	word[n++] = (uint32_t)t->s.rip;
	if (pushes_error(what.vector, software))
		word[n++] = what.error;
	f = push_frame(t, word, n);
	if (f.raised) {
		t->s = before;
		return f;
	}
	if (type == 14)
		t->interrupts = false;
	t->s.rflags &= ~(uint64_t)(RFLAGS_TF | EFLAGS_NT | EFLAGS_RF | RFLAGS_VM);
	virt_tell_reflected(t, what.vector, what.error, word[to < cpl ? 4 : 2], offset);
	go(t, sel, offset, to);
	return virt_ok();
}

/* An exception while another one is delivered: a double fault, and then the end (SDM vol. 3A, 6.15). */
bool virt_deliver(struct vmm_virt *t, struct virt_fault what, unsigned int_len)
{
	uint32_t eip = (uint32_t)t->s.rip;
	struct virt_fault f;

	t->s.rip = eip + int_len;
	f = through_gate(t, what, int_len);
	if (!f.raised)
		return true;
	t->last_vector = what.vector;
	t->last_eip = eip;
	t->s.rip = eip;
	if (int_len) { /* INT n itself was at fault: an exception like others */
		what = f;
		f = through_gate(t, what, false);
		if (!f.raised)
			return true;
	}
	f = through_gate(t, virt_fault(VEC_DF, 0), false);
	return !f.raised;
}

/* ---- outward ---- */

/* What IRET and far RET share: CS:EIP from the stack, and SS:ESP when the way leads to an outer ring. */
static struct virt_fault outward(struct vmm_virt *t, unsigned bytes, bool flags, unsigned drop)
{
	uint32_t eip, cs, fl = 0, esp, ss, sp = (uint32_t)t->s.gpr[RSP];
	unsigned cpl = virt_cpl(t), to;
	struct virt_fault f;
	struct vmm_seg code;

	f = virt_pop(t, &eip, bytes);
	if (!f.raised)
		f = virt_pop(t, &cs, bytes);
	if (!f.raised && flags)
		f = virt_pop(t, &fl, bytes);
	if (f.raised)
		goto back;
	cs = virt_selector(cs & 0xffff); /* also one that the guest read from the real CS */
	to = cs & 3;
	f = to < cpl ? virt_fault(VEC_GP, cs & 0xfffc) : check_code(t, cs, to, &code);
	if (f.raised)
		goto back;
	t->s.gpr[RSP] = (uint32_t)t->s.gpr[RSP] + drop;
	if (to > cpl) {
		f = virt_pop(t, &esp, bytes);
		if (!f.raised)
			f = virt_pop(t, &ss, bytes);
		if (!f.raised)
			f = check_stack(t, ss & 0xffff, to, VEC_GP);
		if (f.raised)
			goto back;
		virt_shadow(t, ss & 0xffff, &t->s.ss);
		t->s.gpr[RSP] = esp + drop;
	}
	if (flags)
		virt_set_flags(t, fl, bytes);
	go(t, cs, eip, to);
	return virt_ok();
back:
	t->s.gpr[RSP] = sp;
	return f;
}

struct virt_fault virt_iret(struct vmm_virt *t, unsigned bytes)
{
	return outward(t, bytes, true, 0);
}

struct virt_fault virt_far_return(struct vmm_virt *t, unsigned bytes, unsigned drop)
{
	return outward(t, bytes, false, drop);
}

struct virt_fault virt_far_jump(struct vmm_virt *t, unsigned selector, uint32_t eip, bool call)
{
	unsigned cpl = virt_cpl(t);
	struct vmm_seg code;
	struct virt_fault f = check_code(t, selector, cpl, &code);

	if (!f.raised && call) {
		uint32_t sp = (uint32_t)t->s.gpr[RSP];

		f = virt_push(t, virt_cs(t), 4);
		if (!f.raised)
			f = virt_push(t, (uint32_t)t->s.rip, 4);
		if (f.raised)
			t->s.gpr[RSP] = sp;
	}
	if (!f.raised)
		go(t, selector, eip, cpl);
	return f;
}
