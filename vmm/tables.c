/* GDT, IDT and TSS as the CPU reads them out of guest memory (SDM vol. 3A, 3.4.5, 6.11, 6.14.1, 7.2).
 * For the tracer, which must know where a gate leads, and for the reader.
 */
#include "vmm/machine.h"

#include <string.h>

static uint64_t bits(uint64_t v, unsigned lo, unsigned n)
{
	return v >> lo & ((1ull << n) - 1);
}

bool vmm_gate_read(const struct vmm_machine *m, const struct vmm_cpu_state *s, unsigned vector,
		   struct vmm_gate *out)
{
	bool real = !(s->cr0 & CR0_PE), wide = s->efer & EFER_LMA;
	unsigned size = real ? 4 : wide ? 16 : 8;
	uint64_t q[2] = { 0, 0 };

	memset(out, 0, sizeof(*out));
	if ((uint64_t)vector * size + size - 1 > s->idt_limit)
		return false;
	if (vmm_read_linear(m, s, s->idt_base + (uint64_t)vector * size, q, size) != size)
		return false;
	if (real) {
		out->present = true;
		out->type = 6;
		out->selector = (uint16_t)bits(q[0], 16, 16);
		out->offset = bits(q[0], 0, 16);
		return true;
	}
	out->offset = bits(q[0], 0, 16) | bits(q[0], 48, 16) << 16;
	if (wide) {
		out->offset |= (q[1] & 0xffffffff) << 32;
		out->ist = (uint8_t)bits(q[0], 32, 3);
	}
	out->selector = (uint16_t)bits(q[0], 16, 16);
	out->type = (uint8_t)bits(q[0], 40, 4);
	out->dpl = (uint8_t)bits(q[0], 45, 2);
	out->present = bits(q[0], 47, 1);
	return true;
}

static const char *segment_name(uint64_t d)
{
	static const char *const system[16] = {
		[1] = "TSS16", [2] = "LDT", [3] = "TSS16 busy", [4] = "call gate16", [5] = "task gate",
		[6] = "interrupt gate16", [7] = "trap gate16", [9] = "TSS", [11] = "TSS busy",
		[12] = "call gate", [14] = "interrupt gate", [15] = "trap gate",
	};
	const char *name = system[bits(d, 40, 4)];

	if (!bits(d, 44, 1))
		return name ? name : "reserved";
	if (bits(d, 43, 1))
		return bits(d, 53, 1) ? "code64" : bits(d, 54, 1) ? "code32" : "code16";
	return bits(d, 54, 1) ? "data32" : "data16";
}

static void gdt(const struct vmm_machine *m, const struct vmm_cpu_state *s, struct rs_str *out)
{
	rs_str_addf(out, "GDT base=%016llx limit=%04x\n", (unsigned long long)s->gdt_base, s->gdt_limit);
	for (unsigned i = 0; i * 8 + 7 <= s->gdt_limit && i < 64; i++) {
		uint64_t d, high = 0, base, limit;
		bool wide;

		if (vmm_read_linear(m, s, s->gdt_base + i * 8, &d, 8) != 8)
			break;
		if (!d)
			continue;
		wide = (s->efer & EFER_LMA) && !bits(d, 44, 1);
		if (wide)
			vmm_read_linear(m, s, s->gdt_base + i * 8 + 8, &high, 8);
		base = bits(d, 16, 24) | bits(d, 56, 8) << 24 | (wide ? high << 32 : 0);
		limit = bits(d, 0, 16) | bits(d, 48, 4) << 16;
		if (bits(d, 55, 1))
			limit = limit << 12 | 0xfff;
		rs_str_addf(out, "  %04x  %-12s DPL %u  base=%llx limit=%llx%s\n", i * 8,
			    segment_name(d), (unsigned)bits(d, 45, 2), (unsigned long long)base,
			    (unsigned long long)limit, bits(d, 47, 1) ? "" : "  not present");
		i += wide;
	}
}

static void idt(const struct vmm_machine *m, const struct vmm_cpu_state *s, struct rs_str *out)
{
	bool any = false;

	rs_str_addf(out, "IDT base=%016llx limit=%04x\n", (unsigned long long)s->idt_base, s->idt_limit);
	for (unsigned v = 0; v < 256; v++) {
		const char *name = rs_vector_mnemonic(v);
		struct vmm_gate g;

		if (!vmm_gate_read(m, s, v, &g) || !g.present)
			continue;
		if (!(s->cr0 & CR0_PE) && !g.offset && !g.selector)
			continue; /* nobody set this real-mode vector */
		any = true;
		rs_str_addf(out, "  %3u %-4s %s  DPL %u  %04x:%llx", v, name ? name : "",
			    g.type == 0xe ? "interrupt" : g.type == 0xf ? "trap     " : "16-bit   ",
			    g.dpl, g.selector, (unsigned long long)g.offset);
		if (g.ist)
			rs_str_addf(out, "  IST %u", g.ist);
		rs_str_addc(out, '\n');
	}
	if (!any)
		rs_str_add(out, "  no gate is present\n");
}

static void tss(const struct vmm_machine *m, const struct vmm_cpu_state *s, struct rs_str *out)
{
	uint64_t rsp[3] = { 0 }, ist[7] = { 0 };

	rs_str_addf(out, "TSS base=%016llx limit=%04x\n", (unsigned long long)s->tr.base, s->tr.limit);
	if (!(s->efer & EFER_LMA)) {
		uint32_t esp0[2] = { 0 };

		if (vmm_read_linear(m, s, s->tr.base + 4, esp0, 8) == 8)
			rs_str_addf(out, "  ring 0 stack %04x:%08x\n", esp0[1] & 0xffff, esp0[0]);
		return;
	}
	if (vmm_read_linear(m, s, s->tr.base + 4, rsp, sizeof(rsp)) != sizeof(rsp) ||
	    vmm_read_linear(m, s, s->tr.base + 36, ist, sizeof(ist)) != sizeof(ist))
		return;
	for (unsigned i = 0; i < 3; i++)
		if (rsp[i])
			rs_str_addf(out, "  RSP%u %016llx\n", i, (unsigned long long)rsp[i]);
	for (unsigned i = 0; i < 7; i++)
		if (ist[i])
			rs_str_addf(out, "  IST%u %016llx\n", i + 1, (unsigned long long)ist[i]);
}

void vmm_tables_format(const struct vmm_machine *m, const struct vmm_cpu_state *s, struct rs_str *out)
{
	if (s->cr0 & CR0_PE)
		gdt(m, s, out);
	idt(m, s, out);
	if ((s->cr0 & CR0_PE) && !s->tr.unusable && s->tr.present)
		tss(m, s, out);
}
