/* Descriptors and segment registers of the software x86 CPU (SDM volume 3A, chapters 3 and 5), and what of its mode
 * translated code relies on.
 */
#include <string.h>

#include "emu/ia_sys.h"

/* -- descriptors -- */

void ia_unpack(const struct emu_ia_vcpu *v, struct ia_descriptor *d)
{
	struct emu_ia_seg *s = &d->seg;
	uint64_t low, high;

	memcpy(&low, d->raw, 8);
	memcpy(&high, d->raw + 8, 8);
	memset(s, 0, sizeof(*s));
	s->base = (low >> 16 & 0xffffff) | (low >> 56) << 24;
	s->limit = (uint32_t)((low & 0xffff) | (low >> 32 & 0xf0000));
	s->type = low >> 40 & 15;
	s->s = low >> 44 & 1;
	s->dpl = low >> 45 & 3;
	s->present = low >> 47 & 1;
	s->avl = low >> 52 & 1;
	s->l = low >> 53 & 1;
	s->db = low >> 54 & 1;
	s->g = low >> 55 & 1;
	if (s->g)
		s->limit = s->limit << 12 | 0xfff;
	if (!s->s && ia_long(v))
		s->base |= high << 32;
	d->gate_selector = (uint16_t)(low >> 16);
	d->gate_offset = (low & 0xffff) | (low >> 48) << 16;
	if (ia_long(v))
		d->gate_offset |= high << 32;
	d->gate_count = low >> 32 & 31;
	d->gate_ist = low >> 32 & 7;
}

int ia_descriptor(struct emu_ia_vcpu *v, uint16_t selector, struct ia_descriptor *d, unsigned vector)
{
	bool local = selector & 4;
	const struct emu_ia_seg *ldt = &v->seg[EMU_IA_LDTR];
	uint64_t base = local ? ldt->base : v->gdt_base;
	uint32_t limit = local ? ldt->limit : v->gdt_limit, error = (selector & 0xfffcu) | v->external;
	int e;

	memset(d, 0, sizeof(*d));
	if ((local && ldt->unusable) || (selector | 7u) > limit)
		return ia_fault(v, vector, error);
	d->at = base + (selector & 0xfff8u);
	e = ia_mem_read(v, d->at, d->raw, 8, true);
	if (e)
		return e;
	if (ia_long(v) && !(d->raw[5] & 0x10) && (selector | 7u) + 8 <= limit) {
		e = ia_mem_read(v, d->at + 8, d->raw + 8, 8, true);
		if (e)
			return e;
	}
	ia_unpack(v, d);
	return 0;
}

int ia_mark_accessed(struct emu_ia_vcpu *v, struct ia_descriptor *d)
{
	uint8_t b = d->raw[5] | 1;

	if (d->raw[5] & 1)
		return 0;
	d->raw[5] = b;
	d->seg.type |= 1;
	return ia_mem_write(v, d->at + 5, &b, 1, true);
}

/* -- segment registers -- */

void ia_set_segment(struct emu_ia_vcpu *v, unsigned seg, const struct ia_descriptor *d, uint16_t selector)
{
	v->seg[seg] = d->seg;
	v->seg[seg].selector = selector;
	ia_mode_changed(v);
}

void ia_null_segment(struct emu_ia_vcpu *v, unsigned seg, uint16_t selector)
{
	v->seg[seg] = (struct emu_ia_seg){ .selector = selector, .unusable = true, .dpl = v->cpl };
	ia_mode_changed(v);
}

void ia_load_real(struct emu_ia_vcpu *v, unsigned seg, uint16_t selector)
{
	struct emu_ia_seg *s = &v->seg[seg];

	/* the limit stays: how "unreal mode" comes about */
	s->selector = selector;
	s->base = (uint32_t)selector << 4;
	if (ia_vm86(v))
		*s = (struct emu_ia_seg){ .base = s->base, .limit = 0xffff, .selector = selector, .dpl = 3 };
	s->type = 3;
	s->s = s->present = true;
	s->unusable = false;
	ia_mode_changed(v);
}

static bool is_code(const struct emu_ia_seg *s)
{
	return s->s && (s->type & 8);
}

static bool is_writable_data(const struct emu_ia_seg *s)
{
	return s->s && !(s->type & 8) && (s->type & 2);
}

int ia_check_stack(struct emu_ia_vcpu *v, uint16_t selector, unsigned cpl, struct ia_descriptor *d, unsigned vector)
{
	uint32_t error = (selector & 0xfffcu) | v->external;
	int e;

	if (!(selector & 0xfffc))
		return ia_fault(v, vector, vector == IA_V_TS ? error : 0);
	e = ia_descriptor(v, selector, d, vector);
	if (e)
		return e;
	if ((selector & 3u) != cpl || d->seg.dpl != cpl || !is_writable_data(&d->seg))
		return ia_fault(v, vector, error);
	return d->seg.present ? 0 : ia_fault(v, IA_V_SS, error);
}

int ia_load_segment(struct emu_ia_vcpu *v, unsigned seg, uint16_t selector)
{
	uint32_t error = selector & 0xfffcu;
	struct ia_descriptor d;
	unsigned rpl = selector & 3;
	int e;

	if (ia_real(v)) {
		ia_load_real(v, seg, selector);
		return 0;
	}
	if (!error && seg != IA_SS) {
		ia_null_segment(v, seg, selector);
		return 0;
	}
	if (seg == IA_SS) {
		if (!error && ia_code64(v) && v->cpl < 3 && rpl == v->cpl) {
			ia_null_segment(v, seg, selector);
			return 0;
		}
		e = ia_check_stack(v, selector, v->cpl, &d, IA_V_GP);
	} else {
		e = ia_descriptor(v, selector, &d, IA_V_GP);
		if (!e && (!d.seg.s || (is_code(&d.seg) && !(d.seg.type & 2))))
			e = ia_fault(v, IA_V_GP, error);
		/* of conforming code the level does not count */
		if (!e && !(is_code(&d.seg) && (d.seg.type & 4)) && (rpl > d.seg.dpl || v->cpl > d.seg.dpl))
			e = ia_fault(v, IA_V_GP, error);
		if (!e && !d.seg.present)
			e = ia_fault(v, IA_V_NP, error);
	}
	if (!e)
		e = ia_mark_accessed(v, &d);
	if (!e)
		ia_set_segment(v, seg, &d, selector);
	return e;
}

void ia_drop_segments(struct emu_ia_vcpu *v)
{
	static const uint8_t data[] = { IA_ES, IA_DS, IA_FS, IA_GS };

	for (unsigned k = 0; k < 4; k++) {
		struct emu_ia_seg *s = &v->seg[data[k]];

		if (!s->unusable && s->dpl < v->cpl && !(is_code(s) && (s->type & 4)))
			ia_null_segment(v, data[k], 0);
	}
}

int ia_lldt(struct emu_ia_vcpu *v, uint16_t selector)
{
	uint32_t error = selector & 0xfffcu;
	struct ia_descriptor d;
	int e;

	if (!error) {
		v->seg[EMU_IA_LDTR] = (struct emu_ia_seg){ .selector = selector, .unusable = true };
		return 0;
	}
	if (selector & 4)
		return ia_fault(v, IA_V_GP, error);
	e = ia_descriptor(v, selector, &d, IA_V_GP);
	if (e)
		return e;
	if (d.seg.s || d.seg.type != 2 || (ia_long(v) && !ia_canonical(d.seg.base)))
		return ia_fault(v, IA_V_GP, error);
	if (!d.seg.present)
		return ia_fault(v, IA_V_NP, error);
	v->seg[EMU_IA_LDTR] = d.seg;
	v->seg[EMU_IA_LDTR].selector = selector;
	return 0;
}

int ia_ltr(struct emu_ia_vcpu *v, uint16_t selector)
{
	uint32_t error = selector & 0xfffcu;
	struct ia_descriptor d;
	uint8_t busy;
	int e;

	if (!error)
		return IA_GP0(v);
	if (selector & 4)
		return ia_fault(v, IA_V_GP, error);
	e = ia_descriptor(v, selector, &d, IA_V_GP);
	if (e)
		return e;
	if (d.seg.s || !(d.seg.type == 9 || (d.seg.type == 1 && !ia_long(v))) ||
	    (ia_long(v) && ((selector | 7u) + 8 > v->gdt_limit || !ia_canonical(d.seg.base))))
		return ia_fault(v, IA_V_GP, error);
	if (!d.seg.present)
		return ia_fault(v, IA_V_NP, error);
	busy = d.raw[5] | 2;
	e = ia_mem_write(v, d.at + 5, &busy, 1, true);
	if (e)
		return e;
	v->seg[EMU_IA_TR] = d.seg;
	v->seg[EMU_IA_TR].type |= 2;
	v->seg[EMU_IA_TR].selector = selector;
	return 0;
}

/* -- LAR, LSL, VERR, VERW: ZF says whether it may be looked at -- */

static bool may_look(const struct emu_ia_vcpu *v, const struct emu_ia_insn *i, uint16_t selector, const struct emu_ia_seg *s)
{
	bool level = (selector & 3) <= s->dpl && v->cpl <= s->dpl;
	/* types of system descriptors: tables 3-2, and the lists at LAR and LSL */
	const uint16_t lar = ia_long(v) ? 0x1a04 : 0x1a3e, lsl = ia_long(v) ? 0x0a04 : 0x0a0e;

	if (!s->s)
		return level && ((i->op == IA_lar && (lar >> s->type & 1)) || (i->op == IA_lsl && (lsl >> s->type & 1)));
	if (!(is_code(s) && (s->type & 4)) && !level)
		return false;
	if (i->op == IA_verr)
		return !is_code(s) || (s->type & 2);
	return i->op != IA_verw || is_writable_data(s);
}

int ia_look_at_segment(struct emu_ia_vcpu *v, const struct emu_ia_insn *i, uint16_t selector)
{
	struct ia_descriptor d;
	uint64_t high;
	bool ok;
	int e;

	if (ia_real(v))
		return IA_UNDEFINED_INSN(v);
	e = (selector & 0xfffc) ? ia_descriptor(v, selector, &d, IA_V_GP) : EMU_EXC_VECTOR + IA_V_GP;
	if (e == EMU_EXC_VECTOR + IA_V_PF)
		return e;
	ok = !e && may_look(v, i, selector, &d.seg);
	if (ok && i->op == IA_lar) {
		memcpy(&high, d.raw, 8);
		emu_ia_set_gpr(v->cpu, i->reg, i->osize, high >> 32 & 0x00f0ff00);
	} else if (ok && i->op == IA_lsl) {
		emu_ia_set_gpr(v->cpu, i->reg, i->osize, d.seg.limit);
	}
	ia_change_flags(v, ok ? IA_ZF : 0, IA_ZF);
	return 0;
}

/* -- the mode of translated code -- */

static bool is_everything(const struct emu_ia_seg *s, bool code)
{
	return !s->unusable && s->present && s->limit == 0xffffffff && s->base == 0 &&
	       (code ? is_code(s) && (s->type & 2) : is_writable_data(s) && !(s->type & 4));
}

/* Where simple offsets end: limits of segments that grow upwards and allow the access (soft: cpu->seg_end). */
static uint64_t end_of(const struct emu_ia_vcpu *v, const struct emu_ia_seg *s, bool write)
{
	bool code = s->type & 8;

	if (ia_real(v))
		return (uint64_t)s->limit + 1;
	if (s->unusable || (write ? code || !(s->type & 2) : code && !(s->type & 2)) || (!code && (s->type & 4)))
		return 0;
	return (uint64_t)s->limit + 1;
}

/* What 64-bit code relies on is always the same. */
#define KEY_BITS(key) ((key) & 3)
#define KEY_IS_64 2

static void find_mode(struct emu_ia_vcpu *v)
{
	const struct emu_ia_seg *cs = &v->seg[IA_CS];
	struct emu_ia_mode *m = &v->mode;
	uint64_t key;

	m->bits = ia_code64(v) ? 64 : cs->db && !ia_vm86(v) ? 32 : 16;
	m->stack_bytes = m->bits == 64 ? 8 : v->seg[IA_SS].db && !ia_vm86(v) ? 4 : 2;
	m->flat = m->bits == 64 || (!v->seg[IA_ES].base && !cs->base && !v->seg[IA_SS].base && !v->seg[IA_DS].base);
	m->checked = m->bits != 64 && !(is_everything(&v->seg[IA_ES], false) && is_everything(cs, true) &&
					is_everything(&v->seg[IA_SS], false) && is_everything(&v->seg[IA_DS], false));
	m->system = true;
	m->user = false;
	m->cs_base = m->bits == 64 ? 0 : (uint32_t)cs->base;
	for (unsigned k = 0; m->bits != 64 && k < 6; k++) {
		v->cpu->seg_end[0][k] = end_of(v, &v->seg[k], false);
		v->cpu->seg_end[1][k] = end_of(v, &v->seg[k], true);
	}
	v->soft.limit = m->bits == 64 ? ~0ull : (uint64_t)(uint32_t)cs->base + cs->limit;
	key = (m->bits / 32u) | (uint64_t)(m->stack_bytes / 4u) << 2 | (uint64_t)m->flat << 4 | (uint64_t)m->checked << 5 |
	      (uint64_t)m->cs_base << 32;
	if (m->bits != 64) /* blocks know where the segment ends */
		key |= (uint64_t)((uint16_t)(cs->limit ^ cs->limit >> 16)) << 16;
	if (key != v->mode_key) {
		v->mode_key = key;
		ia_flush_jumps(v, true);
	}
}

void ia_mode_changed(struct emu_ia_vcpu *v)
{
	for (unsigned k = 0; k < 6; k++)
		v->cpu->r[IA_G_SEGBASE + k] = v->seg[k].base;
	if (KEY_BITS(v->mode_key) != KEY_IS_64 || !ia_code64(v))
		find_mode(v);
	v->cpu->r[IA_G_SSE] = !(v->mmu.cr0 & (IA_CR0_EM | IA_CR0_TS)) && (v->mmu.cr4 & IA_CR4_OSFXSR);
	ia_mem_mode(v);
}
