/* Two machines compared: registers as screens show them (x86regs.def), memory, exits. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/cleanup.h"
#include "vmm/diff.h"

#define PAGE 4096u
#define ARITHMETIC 0x8d5u           /* CF PF AF ZF SF OF (SDM vol. 1, 3.4.3.1) */
#define RESUME 0x10000u             /* RF lives for one instruction */
#define ACCESSED_DIRTY 0x60u
#define RFLAGS_RESERVED_ONE 0x2u
#define LINES 8                     /* differing words of memory that are shown */

static bool regs_of(const struct vmm_machine *m, struct rs_x86_regs *r)
{
	struct vmm_cpu_state s;

	if (m->ops->get_state((struct vmm_vcpu *)&m->vcpu, &s, NULL) < 0)
		return false;
	s.rflags &= ~(uint64_t)(ARITHMETIC | RESUME);
	vmm_cpu_to_regs(&s, r);
	return true;
}

static bool registers(const struct vmm_diff_side *a, const struct vmm_diff_side *b, struct rs_str *out)
{
	struct rs_x86_regs x, y;
	bool same = true;

	if (!regs_of(a->m, &x) || !regs_of(b->m, &y))
		return true;
#define RS_X86_REG(field, title, group, bits)                                                      \
	if (x.field != y.field) {                                                                  \
		same = false;                                                                      \
		rs_str_addf(out, "  %-6s %-4s %016" PRIx64 "   %-4s %016" PRIx64 "\n", title, a->m->ops->name, \
			    (uint64_t)x.field, b->m->ops->name, (uint64_t)y.field);                \
	}
#include "engine/base/x86regs.def"
	return same;
}

/* -- memory -- */

/* Marks the pages that hold page tables of this level and below (4-level paging; SDM vol. 3A, 4.5). */
static void mark_tables(const struct vmm_machine *m, uint64_t gpa, int level, uint8_t *is_table)
{
	const uint64_t *t = vmm_ram(m, gpa, PAGE);

	if (!t || gpa >= m->desc.memory || is_table[gpa / PAGE])
		return;
	is_table[gpa / PAGE] = 1;
	for (unsigned i = 0; level > 1 && i < 512; i++)
		if ((t[i] & PTE_P) && !(level < 4 && (t[i] & PTE_PS)))
			mark_tables(m, t[i] & 0x000ffffffffff000, level - 1, is_table);
}

/* RFLAGS as a fault pushes it: RF is set there (SDM vol. 3B, 17.3.1.1), but not by every KVM on emulated hardware. */
static bool flags_image(uint64_t x, uint64_t y)
{
	return (x ^ y) == RESUME && (x & RFLAGS_RESERVED_ONE) && !(x >> 22);
}

static bool memory(const struct vmm_diff_side *a, const struct vmm_diff_side *b, struct rs_str *out)
{
	uint64_t size = a->m->desc.memory, words = size / 8;
	const uint64_t *x = (const uint64_t *)a->m->ram, *y = (const uint64_t *)b->m->ram;
	rs_auto_free uint8_t *is_table = NULL;
	struct vmm_cpu_state s;
	unsigned shown = 0, more = 0;

	if (!memcmp(x, y, size))
		return true;
	is_table = rs_xcalloc(size / PAGE, 1);
	if (a->m->ops->get_state(&a->m->vcpu, &s, NULL) == 0 && (s.cr0 & CR0_PG))
		mark_tables(a->m, s.cr3 & 0x000ffffffffff000, s.efer & EFER_LMA ? 4 : 2, is_table);
	for (uint64_t i = 0; i < words; i++) {
		if (x[i] == y[i] || (is_table[i * 8 / PAGE] && !((x[i] ^ y[i]) & ~(uint64_t)ACCESSED_DIRTY)) ||
		    flags_image(x[i], y[i]))
			continue;
		if (shown++ < LINES)
			rs_str_addf(out, "  [%08" PRIx64 "] %-4s %016" PRIx64 "   %-4s %016" PRIx64 "\n", i * 8,
				    a->m->ops->name, x[i], b->m->ops->name, y[i]);
		else
			more++;
	}
	if (more)
		rs_str_addf(out, rs_tr(a->lang, N_("  ... and %u more words of 8 bytes\n")), more);
	return !shown;
}

bool vmm_diff_states(const struct vmm_diff_side *a, const struct vmm_diff_side *b, bool with_memory, struct rs_str *out)
{
	bool same = registers(a, b, out);

	return (!with_memory || memory(a, b, out)) && same;
}

/* -- exits -- */

static void exit_text(const struct vmm_diff_exit *e, const struct vmm_diff_side *s, struct rs_str *out)
{
	const char *name = rs_unit_value_name(RS_UNIT_exit, e->reason);

	rs_str_addf(out, "  %-4s %s", s->m->ops->name, name ? name : "?");
	if (e->size)
		rs_str_addf(out, " %s 0x%" PRIx64 " (%u B)", rs_unit_value_name(RS_UNIT_dir, e->write ? RS_DIR_OUT : RS_DIR_IN),
			    e->where, e->size);
	if (e->size && e->write)
		rs_str_addf(out, " 0x%" PRIx64, e->value);
	rs_str_addf(out, " @ 0x%" PRIx64 "\n", e->rip);
}

bool vmm_diff_exits(const struct vmm_diff_exit *a, const struct vmm_diff_exit *b, const struct vmm_diff_side *sa,
		    const struct vmm_diff_side *sb, struct rs_str *out)
{
	if (a->reason == b->reason && a->where == b->where && a->size == b->size && a->write == b->write &&
	    (!a->write || a->value == b->value))
		return true;
	exit_text(a, sa, out);
	exit_text(b, sb, out);
	return false;
}

void vmm_diff_where(const struct vmm_machine *m, const struct vmm_cpu_state *s, struct rs_str *out)
{
	unsigned char code[15];
	struct vmm_insn insn;
	int bits = vmm_mode_bits(s);
	size_t n = vmm_read_linear(m, s, bits == 64 ? s->rip : (uint32_t)(s->cs.base + s->rip), code, sizeof(code));

	rs_str_addf(out, "0x%" PRIx64, s->rip);
	if (n && vmm_decode(code, n, bits, s->rip, &insn))
		rs_str_addf(out, " \"%s\"", insn.text);
}
