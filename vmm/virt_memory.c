/* The monitor's pages in the guest, and the shadows of the guest's segments.
 */
#include <errno.h>
#include <string.h>

#include "vmm/virt.h"

/* ---- guest memory: what lies below the monitor's pages, and nothing else ---- */

void *virt_ram(struct vmm_virt *t, uint32_t linear, uint32_t len)
{
	if (linear >= t->base || len > t->base - linear)
		return NULL;
	return vmm_ram(t->m, linear, len);
}

bool virt_read(struct vmm_virt *t, uint32_t linear, void *to, uint32_t len)
{
	const void *p = virt_ram(t, linear, len);

	if (p)
		memcpy(to, p, len);
	return p;
}

bool virt_write(struct vmm_virt *t, uint32_t linear, const void *from, uint32_t len)
{
	void *p = virt_ram(t, linear, len);

	if (p)
		memcpy(p, from, len);
	return p;
}

/* ---- descriptors (SDM vol. 3A, figure 3-8) ---- */

static uint64_t pack(uint32_t base, uint32_t limit, unsigned access, bool big)
{
	bool pages = limit > 0xfffff;
	uint64_t units = pages ? limit >> 12 : limit;

	return (units & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)access << 40 |
	       (units >> 16 & 0xf) << 48 | (uint64_t)big << 54 | (uint64_t)pages << 55 |
	       (uint64_t)(base >> 24) << 56;
}

static void unpack(uint64_t d, unsigned selector, struct vmm_seg *out)
{
	uint32_t limit = (uint32_t)((d & 0xffff) | (d >> 32 & 0xf0000));

	*out = (struct vmm_seg){
		.base = (d >> 16 & 0xffffff) | (d >> 32 & 0xff000000),
		.limit = d >> 55 & 1 ? limit << 12 | 0xfff : limit,
		.selector = (uint16_t)selector,
		.type = d >> 40 & 15,
		.s = d >> 44 & 1,
		.dpl = d >> 45 & 3,
		.present = d >> 47 & 1,
		.avl = d >> 52 & 1,
		.db = d >> 54 & 1,
		.g = d >> 55 & 1,
	};
}

/* What the real CPU may load instead of the guest's descriptor d: a segment that ends with the guest's
 * memory, and never one of ring 0. System descriptors have no shadow, so that their use traps. Nor have
 * segments that grow down: their limit is the lower end. */
static uint64_t shadow_of(const struct vmm_virt *t, uint64_t d)
{
	struct vmm_seg s;
	uint32_t limit;

	unpack(d, 0, &s);
	if (!s.s || !s.present || s.base >= t->base || (s.type & 12) == 4)
		return 0;
	limit = t->base - 1 - (uint32_t)s.base;
	if (s.limit < limit)
		limit = s.limit;
	else if (limit > 0xfffff && (limit & 0xfff) != 0xfff)
		limit -= 0x1000; /* whole pages: rather less than more */
	return pack((uint32_t)s.base, limit, 0x91u | s.type | (s.dpl ? s.dpl : 1u) << 5, s.db);
}

bool virt_shadow_sync(struct vmm_virt *t)
{
	uint8_t now[sizeof(t->gdt)] = { 0 };
	uint32_t len = t->gdt_limit + 1 < sizeof(now) ? t->gdt_limit + 1 : (uint32_t)sizeof(now);
	const uint8_t *p = virt_ram(t, t->gdt_base, len);

	if (p)
		memcpy(now, p, len);
	if (!memcmp(now, t->gdt, sizeof(now)))
		return false;
	memcpy(t->gdt, now, sizeof(now));
	for (unsigned i = 1; i < VIRT_SHADOWS; i++) {
		uint64_t d;

		memcpy(&d, now + i * 8, 8);
		d = shadow_of(t, d);
		memcpy(t->pages + VIRT_GDT + i * 8, &d, 8);
	}
	return true;
}

bool virt_descriptor(struct vmm_virt *t, unsigned selector, struct vmm_seg *out)
{
	unsigned at = selector & 0xfff8;
	uint64_t d;

	if (!(selector & 0xfffc) || (selector & 4) || at + 7 > t->gdt_limit || at + 8 > sizeof(t->gdt))
		return false;
	memcpy(&d, t->gdt + at, 8);
	unpack(d, selector, out);
	return true;
}

void virt_shadow(struct vmm_virt *t, unsigned selector, struct vmm_seg *out)
{
	uint64_t d;

	memcpy(&d, t->pages + VIRT_GDT + (selector & 0x7f8), 8);
	unpack(d, virt_real_selector(selector), out);
}

/* ---- set-up ---- */

/* The exceptions that push an error code (SDM vol. 3A, table 6-1). */
static bool has_error(unsigned vector)
{
	return vector < 32 && (0x60227d00u >> vector & 1);
}

static void make_stub(struct vmm_virt *t, unsigned vector)
{
	uint32_t at = VIRT_STUBS + vector * 16;
	uint8_t *p = t->pages + at;
	int32_t rel;

	if (!has_error(vector)) {
		*p++ = 0x6a; /* push 0 */
		*p++ = 0;
	}
	*p++ = 0x68; /* push vector */
	memcpy(p, &(uint32_t){ vector }, 4);
	p += 4;
	*p++ = 0xe9; /* jmp VIRT_LEAVE */
	rel = (int32_t)VIRT_LEAVE - (int32_t)(p + 4 - t->pages);
	memcpy(p, &rel, 4);
}

static bool open_to_ring1(unsigned vector, enum rs_technique technique)
{
	if (vector == VIRT_INT_HYPERCALL)
		return technique == RS_TECHNIQUE_PARA;
	return technique == RS_TECHNIQUE_TRANSLATE &&
	       (vector == VIRT_INT_CALLOUT || vector == VIRT_INT_LINK);
}

static void make_gate(struct vmm_virt *t, unsigned vector)
{
	uint32_t to = t->base + VIRT_STUBS + vector * 16;
	uint64_t ring = open_to_ring1(vector, t->technique) ? 1 : 0;
	uint64_t gate = (to & 0xffff) | (uint64_t)VIRT_SEL_CODE << 16 | (0x8e00ull | ring << 13) << 32 |
			(uint64_t)(to >> 16) << 48;

	memcpy(t->pages + VIRT_IDT + vector * 8, &gate, 8);
}

static void make_tss(struct vmm_virt *t)
{
	uint8_t *tss = t->pages + VIRT_TSS;
	uint32_t stack = t->base + VIRT_STACK_TOP;
	uint16_t ss0 = VIRT_SEL_DATA, io_map = 104; /* no bitmap: every IN and OUT of the guest traps */

	memcpy(tss + 4, &stack, 4);
	memcpy(tss + 8, &ss0, 2);
	memcpy(tss + 102, &io_map, 2);
}

static void make_gdt(struct vmm_virt *t)
{
	const uint64_t own[] = {
		pack(0, 0xffffffff, 0x9b, true),
		pack(0, 0xffffffff, 0x93, true),
		pack(t->base + VIRT_TSS, 103, 0x89, false),
		pack(0, t->base + VIRT_SIZE - 1, 0xb9, true),
	};

	memcpy(t->pages + VIRT_GDT + VIRT_SHADOWS * 8, own, sizeof(own));
}

/* LTR, as an operating system does it at its start: some CPUs hold a TSS that they were merely given for
 * another one than the one in the GDT. Then IRET, with the guest's first instruction on the stack. */
static void make_code(struct vmm_virt *t)
{
	static const uint8_t leave[] = { 0xe6, VMM_PORT_MONITOR, 0x83, 0xc4, 8, 0xcf };
	static const uint8_t begin[] = { 0x50, 0xb8, VIRT_SEL_TSS & 255, VIRT_SEL_TSS >> 8, 0, 0,
					 0x0f, 0x00, 0xd8, 0x58, 0xcf };

	memcpy(t->pages + VIRT_LEAVE, leave, sizeof(leave));
	memcpy(t->pages + VIRT_BEGIN, begin, sizeof(begin));
}

static struct vmm_seg own_segment(const struct vmm_virt *t, unsigned selector)
{
	struct vmm_seg s;
	uint64_t d;

	memcpy(&d, t->pages + VIRT_GDT + (selector & 0x7f8), 8);
	unpack(d, selector, &s);
	return s;
}

int virt_memory_init(struct vmm_virt *t, struct vmm_cpu_state *s, struct rs_err *err)
{
	t->pages = vmm_ram(t->m, t->base, VIRT_SIZE);
	if (!t->pages)
		return rs_err_set(err, -EINVAL, N_("technique: a hole at the end of the memory leaves no place for the monitor"));
	t->frame = (struct virt_frame *)(void *)(t->pages + VIRT_STACK_TOP - sizeof(*t->frame));
	make_gdt(t);
	make_tss(t);
	make_code(t);
	for (unsigned i = 0; i < 256; i++) {
		make_stub(t, i);
		make_gate(t, i);
	}
	virt_shadow_sync(t);
	/* The frame that the first IRET takes stands where the later ones do. */
	t->frame->eip = (uint32_t)s->rip;
	t->frame->cs = virt_real_selector(s->cs.selector);
	t->frame->eflags = (uint32_t)(s->rflags | RFLAGS_IF);
	t->frame->esp = (uint32_t)s->gpr[RSP];
	t->frame->ss = virt_real_selector(s->ss.selector);
	for (struct vmm_seg *g = &s->ds; g <= &s->gs; g++)
		if (!g->unusable)
			virt_shadow(t, g->selector, g);
	for (struct vmm_seg *g = &s->ds; g <= &s->gs; g++)
		g->selector = virt_selector(g->selector); /* RPL 0 is fine for data */
	s->cs = own_segment(t, VIRT_SEL_CODE);
	s->ss = own_segment(t, VIRT_SEL_DATA);
	s->tr = own_segment(t, VIRT_SEL_TSS);
	s->tr.type = 11; /* busy: VM entry wants it so */
	s->ldtr = (struct vmm_seg){ .unusable = 1 };
	s->gdt_base = t->base + VIRT_GDT;
	s->gdt_limit = 256 * 8 - 1;
	s->idt_base = t->base + VIRT_IDT;
	s->idt_limit = 256 * 8 - 1;
	s->rip = t->base + VIRT_BEGIN;
	s->gpr[RSP] = t->base + VIRT_STACK_TOP - 20;
	return 0;
}
