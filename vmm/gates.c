/* Where gates lead: the handlers that the IDT, the call gates of the GDT and the
 * MSRs of SYSCALL and SYSENTER name, and the HLT bytes over their first bytes.
 *
 * Only handlers in ring 0 count: HLT in another ring would be a fault of its own.
 */
#include <string.h>

#include "vmm/trace.h"

static void add(const struct vmm_machine *m, struct vmm_gates *g, const struct vmm_cpu_state *s,
		uint64_t linear, struct vmm_handler **out)
{
	struct vmm_handler *h = vmm_gates_at(g, linear);
	struct vmm_walk w;

	*out = h;
	if (h || g->n == VMM_HANDLERS_MAX)
		return;
	vmm_walk(m, s, linear, &w);
	g->partial |= !w.mapped;
	if (!w.mapped || !vmm_ram(m, w.gpa, 1))
		return;
	h = &g->h[g->n];
	memset(h, 0, sizeof(*h));
	h->linear = linear;
	h->gpa = w.gpa;
	for (unsigned i = 0; i < g->n; i++)
		h->alias |= g->h[i].gpa == w.gpa;
	g->n++;
	*out = h;
}

/* The code segment that a gate names, when it is one of ring 0. */
static bool ring0_code(const struct vmm_machine *m, const struct vmm_cpu_state *s, unsigned selector,
		       struct vmm_seg *code)
{
	uint64_t raw;

	if (!(selector & 0xfffc) || !vmm_descriptor_read(m, s, selector, code, &raw))
		return false;
	return code->present && code->s && (code->type & 8) && !(code->type & 4) && !code->dpl;
}

static void add_vectors(const struct vmm_machine *m, struct vmm_gates *g,
			const struct vmm_cpu_state *s)
{
	unsigned size = vmm_real_mode(s) ? 4 : vmm_long_mode(s) ? 16 : 8;

	for (unsigned vec = 0; vec < 256; vec++) {
		struct vmm_handler *h;
		struct vmm_gate gate;
		struct vmm_seg code;
		uint64_t linear;

		/* an empty entry costs no look-up */
		if ((vec + 1) * size > sizeof(g->now.idt) || !memcmp(g->now.idt + vec * size,
								     (char[16]){ 0 }, size))
			continue;
		if (!vmm_gate_read(m, s, vec, &gate) || !gate.present)
			continue;
		if (vmm_real_mode(s)) {
			linear = gate.selector * 16ull + gate.offset;
		} else {
			if (gate.s || gate.type < 6 || !ring0_code(m, s, gate.selector, &code))
				continue;
			linear = vmm_long_mode(s) ? gate.offset : (uint32_t)(code.base + gate.offset);
		}
		add(m, g, s, linear, &h);
		if (h)
			h->vec[vec / 64] |= 1ull << (vec % 64);
	}
}

/* Call gates (SDM vol. 3A, 5.8.3): the target's code segment and offset stand in the descriptor. */
static void add_call_gates(const struct vmm_machine *m, struct vmm_gates *g,
			   const struct vmm_cpu_state *s)
{
	bool wide = vmm_long_mode(s);
	unsigned size = wide ? 16 : 8;

	if (vmm_real_mode(s))
		return;
	for (unsigned at = 8; at + size <= sizeof(g->now.gdt) && at + size - 1 <= s->gdt_limit; at += 8) {
		uint64_t d[2] = { 0, 0 };
		struct vmm_handler *h;
		struct vmm_seg code;
		uint64_t offset;

		memcpy(d, g->now.gdt + at, size);
		if ((d[0] >> 40 & 0x1f) != 0x0c || !(d[0] >> 47 & 1))
			continue;
		if (!ring0_code(m, s, d[0] >> 16 & 0xffff, &code))
			continue;
		offset = (d[0] & 0xffff) | (d[0] >> 32 & 0xffff0000) | (wide ? d[1] << 32 : 0);
		add(m, g, s, wide ? offset : (uint32_t)(code.base + offset), &h);
		if (h)
			h->call_gate = true;
	}
}

static void add_msrs(const struct vmm_machine *m, struct vmm_gates *g, const struct vmm_cpu_state *s)
{
	struct vmm_handler *h;

	if ((s->efer & EFER_SCE) && vmm_long_mode(s) && s->lstar) {
		add(m, g, s, s->lstar, &h);
		if (h)
			h->syscall = true;
	}
	if (!vmm_real_mode(s) && s->sysenter_eip) {
		add(m, g, s, s->sysenter_eip, &h);
		if (h)
			h->sysenter = true;
	}
}

void vmm_gates_update(struct vmm_vcpu *v, struct vmm_gates *g, const struct vmm_cpu_state *s)
{
	const struct vmm_machine *m = v->m;
	size_t idt = (size_t)s->idt_limit + 1, gdt = (size_t)s->gdt_limit + 1;

	memset(&g->now, 0, sizeof(g->now));
	g->now.cr0 = s->cr0;
	g->now.cr3 = s->cr3;
	g->now.cr4 = s->cr4;
	g->now.efer = s->efer;
	g->now.idt_base = s->idt_base;
	g->now.gdt_base = s->gdt_base;
	g->now.ldt_base = s->ldtr.base;
	g->now.idt_limit = s->idt_limit;
	g->now.gdt_limit = s->gdt_limit;
	g->now.ldt_limit = s->ldtr.limit;
	g->now.lstar = s->lstar;
	g->now.sysenter = s->sysenter_eip;
	vmm_read_linear(m, s, s->idt_base, g->now.idt, idt < sizeof(g->now.idt) ? idt : sizeof(g->now.idt));
	if (!vmm_real_mode(s))
		vmm_read_linear(m, s, s->gdt_base, g->now.gdt,
				gdt < sizeof(g->now.gdt) ? gdt : sizeof(g->now.gdt));
	if (g->valid && !g->partial && !memcmp(&g->now, &g->made, sizeof(g->now)))
		return;
	vmm_gates_clear(m, g);
	g->n = 0;
	g->partial = false;
	add_vectors(m, g, s);
	add_call_gates(m, g, s);
	add_msrs(m, g, s);
	g->made = g->now;
	g->valid = true;
}

struct vmm_handler *vmm_gates_at(struct vmm_gates *g, uint64_t linear)
{
	for (unsigned i = 0; i < g->n; i++)
		if (g->h[i].linear == linear)
			return &g->h[i];
	return NULL;
}

#define HLT 0xf4

void vmm_plant(const struct vmm_machine *m, struct vmm_handler *h)
{
	uint8_t *p = h->planted ? NULL : vmm_ram(m, h->gpa, 1);

	if (!p)
		return;
	h->saved = *p;
	*p = HLT;
	h->planted = true;
}

void vmm_unplant(const struct vmm_machine *m, struct vmm_handler *h)
{
	uint8_t *p = h->planted ? vmm_ram(m, h->gpa, 1) : NULL;

	h->planted = false;
	if (p && *p == HLT) /* else the guest wrote something new there */
		*p = h->saved;
}

void vmm_gates_plant(const struct vmm_machine *m, struct vmm_gates *g, uint64_t except)
{
	const struct vmm_handler *ex = vmm_gates_at(g, except);

	for (unsigned i = 0; i < g->n; i++) {
		struct vmm_handler *h = &g->h[i];

		if (h->alias)
			continue;
		if (ex && h->gpa == ex->gpa)
			vmm_unplant(m, h);
		else
			vmm_plant(m, h);
	}
	g->any_planted = g->n > 0;
}

void vmm_gates_clear(const struct vmm_machine *m, struct vmm_gates *g)
{
	if (!g->any_planted)
		return;
	for (unsigned i = 0; i < g->n; i++)
		vmm_unplant(m, &g->h[i]);
	g->any_planted = false;
}
