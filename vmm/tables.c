/* GDT, LDT, IDT and TSS, read from guest memory and told as text.
 */
#include "vmm/tables.h"

#include <inttypes.h>
#include <string.h>

static void decode(uint64_t raw, struct vmm_seg *out)
{
	uint32_t limit = (uint32_t)(raw & 0xffff) | (uint32_t)(raw >> 32 & 0xf0000);

	*out = (struct vmm_seg){
		.base = (raw >> 16 & 0xffffff) | (raw >> 56) << 24,
		.type = raw >> 40 & 15,
		.s = raw >> 44 & 1,
		.dpl = raw >> 45 & 3,
		.present = raw >> 47 & 1,
		.avl = raw >> 52 & 1,
		.l = raw >> 53 & 1,
		.db = raw >> 54 & 1,
		.g = raw >> 55 & 1,
	};
	out->limit = out->g ? limit << 12 | 0xfff : limit;
}

bool vmm_descriptor_read(const struct vmm_machine *m, const struct vmm_cpu_state *s,
			 unsigned selector, struct vmm_seg *out, uint64_t *raw)
{
	bool local = selector & 4;
	uint64_t base = local ? s->ldtr.base : s->gdt_base;
	uint32_t limit = local ? s->ldtr.limit : s->gdt_limit;
	unsigned at = selector & 0xfff8;

	*raw = 0;
	*out = (struct vmm_seg){.selector = (uint16_t)selector};
	if ((local && s->ldtr.unusable) || at + 7 > limit)
		return false;
	if (vmm_read_linear(m, s, base + at, raw, 8) != 8)
		return false;
	decode(*raw, out);
	out->selector = (uint16_t)selector;
	return true;
}

bool vmm_gate_read(const struct vmm_machine *m, const struct vmm_cpu_state *s, unsigned vector,
		   struct vmm_gate *out)
{
	unsigned size = vmm_real_mode(s) ? 4 : vmm_long_mode(s) ? 16 : 8;
	uint64_t w[2] = {0};

	*out = (struct vmm_gate){.at = s->idt_base + (uint64_t)vector * size};
	out->in_limit = vector * size + size - 1 <= s->idt_limit;
	if (!out->in_limit)
		return false;
	out->readable = vmm_read_linear(m, s, out->at, w, size) == size;
	out->selector = w[0] >> 16 & 0xffff;
	out->offset = w[0] & 0xffff;
	if (size == 4) {
		out->present = 1;
		return out->readable;
	}
	out->offset |= w[0] >> 32 & 0xffff0000;
	out->offset |= w[1] << 32; /* 0 outside long mode */
	out->type = w[0] >> 40 & 15;
	out->s = w[0] >> 44 & 1;
	out->dpl = w[0] >> 45 & 3;
	out->present = w[0] >> 47 & 1;
	out->ist = size == 16 ? w[0] >> 32 & 7 : 0;
	return out->readable;
}

/* ---- text ---- */

#define LINES_MAX 64 /* of one table: a snapshot has a limit */

static const char *system_type(unsigned type)
{
	static const char *const name[16] = {
		[1] = "TSS (16-bit)", [2] = "LDT", [3] = "TSS (16-bit, busy)", [4] = "call gate (16-bit)",
		[5] = "task gate", [6] = "interrupt gate (16-bit)", [7] = "trap gate (16-bit)",
		[9] = "TSS", [11] = "TSS (busy)", [12] = "call gate", [14] = "interrupt gate",
		[15] = "trap gate",
	};

	return name[type] ? name[type] : "reserved type";
}

static void put_descriptor(const struct vmm_seg *d, struct rs_str *out)
{
	rs_str_addf(out, "  0x%02x  ", d->selector);
	if (!d->s) {
		rs_str_addf(out, "%s, base 0x%" PRIx64 ", limit 0x%x", system_type(d->type), d->base,
			    d->limit);
	} else {
		bool code = d->type & 8;

		rs_str_addf(out, "%s ring %u, ", code ? "code" : "data", d->dpl);
		if (code && d->l)
			rs_str_add(out, "64-bit");
		else
			rs_str_addf(out, "%s, base 0x%" PRIx64 ", limit 0x%x", d->db ? "32-bit" : "16-bit",
				    d->base, d->limit);
		rs_str_add(out, code ? d->type & 2 ? ", readable" : ", execute only"
				     : d->type & 2 ? ", writable" : ", read-only");
		if (code && (d->type & 4))
			rs_str_add(out, ", conforming");
	}
	rs_str_add(out, d->present ? "\n" : ", not present\n");
}

static void put_gdt(const struct vmm_machine *m, const struct vmm_cpu_state *s, struct rs_str *out)
{
	unsigned lines = 0;

	rs_str_addf(out, "GDT at 0x%" PRIx64 ", limit 0x%x\n", s->gdt_base, s->gdt_limit);
	for (unsigned sel = 8; sel + 7 <= (s->gdt_limit & 0xffff); sel += 8) {
		struct vmm_seg d;
		uint64_t raw, high;

		if (!vmm_descriptor_read(m, s, sel, &d, &raw)) {
			rs_str_addf(out, "  0x%02x  not readable\n", sel);
			return;
		}
		if (!raw)
			continue;
		if (lines++ == LINES_MAX) {
			rs_str_add(out, "  ...\n");
			return;
		}
		/* in long mode TSS and LDT take two places; the second holds bits 63:32 of the base */
		if (!d.s && vmm_long_mode(s)) {
			if (vmm_descriptor_read(m, s, sel + 8, &(struct vmm_seg){0}, &high))
				d.base |= high << 32;
			put_descriptor(&d, out);
			sel += 8;
			continue;
		}
		put_descriptor(&d, out);
	}
}

static bool put_gate(const struct vmm_cpu_state *s, unsigned vector, const struct vmm_gate *g,
		     struct rs_str *out)
{
	const char *name = rs_vector_mnemonic(vector);

	if (vmm_real_mode(s)) {
		if (!g->selector && !g->offset)
			return false;
		rs_str_addf(out, "  0x%02x  %-4s -> %04x:%04x\n", vector, name ? name : "",
			    g->selector, (unsigned)g->offset);
		return true;
	}
	if (!g->present)
		return false;
	rs_str_addf(out, "  0x%02x  %-4s -> 0x%02x:0x%" PRIx64 ", %s, ring %u may call it", vector,
		    name ? name : "", g->selector, g->offset, system_type(g->type), g->dpl);
	if (g->ist)
		rs_str_addf(out, ", stack IST%u", g->ist);
	rs_str_add(out, g->s ? ", not a gate\n" : "\n");
	return true;
}

static void put_idt(const struct vmm_machine *m, const struct vmm_cpu_state *s, struct rs_str *out)
{
	unsigned lines = 0;

	rs_str_addf(out, "IDT at 0x%" PRIx64 ", limit 0x%x\n", s->idt_base, s->idt_limit);
	for (unsigned vector = 0; vector < 256; vector++) {
		struct vmm_gate g;

		vmm_gate_read(m, s, vector, &g);
		if (!g.in_limit)
			break;
		if (!g.readable) {
			rs_str_addf(out, "  0x%02x  not readable\n", vector);
			return;
		}
		if (lines == LINES_MAX) {
			rs_str_add(out, "  ...\n");
			return;
		}
		lines += put_gate(s, vector, &g, out);
	}
	if (!lines)
		rs_str_add(out, "  no gate is present\n");
}

static void put_tss(const struct vmm_machine *m, const struct vmm_cpu_state *s, struct rs_str *out)
{
	unsigned char tss[104];

	rs_str_addf(out, "TSS at 0x%" PRIx64 ", limit 0x%x (TR 0x%02x)\n", s->tr.base, s->tr.limit,
		    s->tr.selector);
	if (vmm_read_linear(m, s, s->tr.base, tss, sizeof(tss)) != sizeof(tss)) {
		rs_str_add(out, "  not readable\n");
		return;
	}
	if (vmm_long_mode(s)) {
		for (unsigned i = 0; i < 3; i++) {
			uint64_t rsp;

			memcpy(&rsp, tss + 4 + 8 * i, 8);
			if (rsp || !i)
				rs_str_addf(out, "  RSP%u  0x%" PRIx64 "\n", i, rsp);
		}
		for (unsigned i = 1; i < 8; i++) {
			uint64_t ist;

			memcpy(&ist, tss + 28 + 8 * i, 8);
			if (ist)
				rs_str_addf(out, "  IST%u  0x%" PRIx64 "\n", i, ist);
		}
	} else {
		uint32_t esp0;
		uint16_t ss0;

		memcpy(&esp0, tss + 4, 4);
		memcpy(&ss0, tss + 8, 2);
		rs_str_addf(out, "  SS0:ESP0  0x%02x:0x%x\n", ss0, esp0);
	}
}

void vmm_tables_format(const struct vmm_machine *m, const struct vmm_cpu_state *s, struct rs_str *out)
{
	if (!vmm_real_mode(s))
		put_gdt(m, s, out);
	put_idt(m, s, out);
	if (!vmm_real_mode(s))
		put_tss(m, s, out);
}
