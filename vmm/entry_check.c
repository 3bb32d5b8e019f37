/* The VM-entry rules as a pure function. The rules themselves stand in entry_rules.def.
 */
#include "vmm/cpu.h"

#define CR4_PCIDE (1ull << 17)
#define CR4_CET (1ull << 23)
/* Bits that some CPU defines; which of them this one has says CPUID, and KVM asks it.
 * CR4: SDM vol. 3A, 2.5. EFER: APM vol. 2, 3.1.7 (Intel's are among them). */
#define CR4_DEFINED 0x11bff7fffull
#define EFER_DEFINED 0x0036fd01ull
#define RFLAGS_DEFINED 0x003f7fd7ull

static bool lma(const struct vmm_entry_state *s)
{
	return s->efer & EFER_LMA;
}

static bool v86(const struct vmm_entry_state *s)
{
	return s->rflags & RFLAGS_VM;
}

static bool usable(const struct vmm_seg *seg)
{
	return !seg->unusable;
}

static unsigned rpl(const struct vmm_seg *seg)
{
	return seg->selector & 3;
}

static bool code_accessed(const struct vmm_seg *seg)
{
	return (seg->type & 9) == 9;
}

/* Access rights as VMCS fields hold them (SDM vol. 3C, table 25-2). */
static unsigned rights(const struct vmm_seg *seg)
{
	return seg->type | (unsigned)seg->s << 4 | (unsigned)seg->dpl << 5 |
	       (unsigned)seg->present << 7 | (unsigned)seg->avl << 12 | (unsigned)seg->l << 13 |
	       (unsigned)seg->db << 14 | (unsigned)seg->g << 15 | (unsigned)seg->unusable << 16;
}

static bool bad_granularity(const struct vmm_seg *seg)
{
	return ((seg->limit & 0xfff) != 0xfff && seg->g) || (seg->limit >> 20 && !seg->g);
}

static uint64_t low_bits(unsigned n)
{
	return n >= 64 ? ~0ull : (1ull << n) - 1;
}

static unsigned phys_bits(const struct vmm_entry_state *s)
{
	return s->phys_bits ? s->phys_bits : 52;
}

static unsigned linear_bits(const struct vmm_entry_state *s)
{
	return s->cr4 & CR4_LA57 ? 57 : 48;
}

static bool canonical(const struct vmm_entry_state *s, uint64_t address)
{
	int64_t rest = (int64_t)address >> (linear_bits(s) - 1);

	return rest == 0 || rest == -1;
}

/* RIP alone need not agree with the bit below. */
static bool same_high_bits(const struct vmm_entry_state *s, uint64_t address)
{
	int64_t rest = (int64_t)address >> linear_bits(s);

	return rest == 0 || rest == -1;
}

#define RULE(id, name, section, broken, sentence)                                                  \
	static bool id(const struct vmm_entry_state *s)                                            \
	{                                                                                          \
		return broken;                                                                     \
	}
#include "vmm/entry_rules.def"

static const struct vmm_entry_rule rules[] = {
#define RULE(id, name, section, broken, sentence) {name, section, sentence},
#include "vmm/entry_rules.def"
};
static bool (*const is_broken[])(const struct vmm_entry_state *) = {
#define RULE(id, name, section, broken, sentence) id,
#include "vmm/entry_rules.def"
};

const struct vmm_entry_rule *vmm_entry_check(const struct vmm_entry_state *s)
{
	for (unsigned i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (is_broken[i](s))
			return &rules[i];
	return NULL;
}

const struct vmm_entry_rule *vmm_entry_rules(unsigned *count)
{
	*count = sizeof(rules) / sizeof(rules[0]);
	return rules;
}
