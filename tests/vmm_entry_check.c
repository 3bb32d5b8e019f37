/* The VM-entry rules: each one broken in turn from a good state is named, the states of the entry
 * modes pass, and no bit pattern crashes the function. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "vmm/machine.h"

/* 64-bit mode on a CPU without unrestricted guest, nothing left out: every rule can be reached. */
static struct vmm_entry_state good64(void)
{
	struct vmm_seg code = {.limit = ~0u, .selector = 8, .type = 11, .s = 1, .present = 1, .l = 1,
			       .g = 1};
	struct vmm_seg data = {.limit = ~0u, .selector = 16, .type = 3, .s = 1, .present = 1, .db = 1,
			       .g = 1};

	return (struct vmm_entry_state){
		.cr0 = CR0_PE | CR0_PG | CR0_NE | CR0_ET | CR0_WP,
		.cr3 = 0x5000,
		.cr4 = CR4_PAE,
		.efer = EFER_LME | EFER_LMA,
		.rip = 0x10000,
		.rflags = 2,
		.cs = code, .ss = data, .ds = data, .es = data, .fs = data, .gs = data,
		.tr = {.limit = 103, .selector = 0x28, .type = 11, .present = 1},
		.ldtr = {.limit = 15, .selector = 0x38, .type = 2, .present = 1},
		.gdt_limit = 0x3f, .idt_limit = 0xfff,
		.phys_bits = 40,
	};
}

/* Virtual-8086 mode: ring 3, 64 KiB segments. */
static struct vmm_entry_state good86(void)
{
	struct vmm_entry_state s = good64();
	struct vmm_seg seg = {.base = 0x10000, .limit = 0xffff, .selector = 0x1000, .type = 3, .s = 1,
			      .dpl = 3, .present = 1};

	s.cr4 = s.efer = 0;
	s.rflags |= RFLAGS_VM;
	s.cs = s.ss = s.ds = s.es = s.fs = s.gs = seg;
	return s;
}

enum base { LONG, V8086 };

struct breakage {
	const char *rule;
	enum base base;
	void (*apply)(struct vmm_entry_state *s);
};

#define BREAK(id, what)                                                                            \
	static void id(struct vmm_entry_state *s)                                                  \
	{                                                                                          \
		what;                                                                              \
	}
#define BREAKAGES(X)                                                                               \
	X(cr0_high, "cr0.high", LONG, s->cr0 |= 1ull << 32)                                        \
	X(cr0_nw, "cr0.nw-needs-cd", LONG, s->cr0 |= CR0_NW)                                       \
	X(cr0_pe, "cr0.pg-needs-pe", LONG, s->cr0 &= ~CR0_PE)                                      \
	X(cr0_ug, "cr0.unrestricted-guest", LONG, s->cr0 &= ~CR0_PG)                               \
	X(cr4_reserved, "cr4.reserved", LONG, s->cr4 |= 1ull << 15)                                \
	X(cr4_cet, "cr4.cet-needs-wp", LONG, s->cr4 |= 1ull << 23; s->cr0 &= ~CR0_WP)              \
	X(efer_reserved, "efer.reserved", LONG, s->efer |= 2)                                      \
	X(lma_pg, "efer.lma-needs-pg", LONG, s->unrestricted_guest = true; s->cr0 &= ~CR0_PG)      \
	X(lma_pae, "efer.lma-needs-pae", LONG, s->cr4 &= ~CR4_PAE)                                 \
	X(lma_lme, "efer.lma-is-lme", LONG, s->efer &= ~EFER_LME)                                  \
	X(pcide, "cr4.pcide-needs-lma", LONG, s->efer = 0; s->cr4 |= 1ull << 17)                   \
	X(cr3, "cr3.width", LONG, s->cr3 |= 1ull << 40)                                            \
	X(tr_sel, "tr.selector-ti", LONG, s->tr.selector |= 4)                                     \
	X(ldtr_sel, "ldtr.selector-ti", LONG, s->ldtr.selector |= 4)                               \
	X(ss_rpl, "ss.rpl", LONG, s->ss.selector |= 3)                                             \
	X(cs_vb, "cs.v86-base", V8086, s->cs.base++)                                               \
	X(cs_vl, "cs.v86-limit", V8086, s->cs.limit++)                                             \
	X(cs_vr, "cs.v86-rights", V8086, s->cs.dpl = 0)                                            \
	X(ss_vb, "ss.v86-base", V8086, s->ss.base++)                                               \
	X(ss_vl, "ss.v86-limit", V8086, s->ss.limit++)                                             \
	X(ss_vr, "ss.v86-rights", V8086, s->ss.type = 11)                                          \
	X(ds_vb, "ds.v86-base", V8086, s->ds.base++)                                               \
	X(ds_vl, "ds.v86-limit", V8086, s->ds.limit++)                                             \
	X(ds_vr, "ds.v86-rights", V8086, s->ds.unusable = 1)                                       \
	X(es_vb, "es.v86-base", V8086, s->es.base++)                                               \
	X(es_vl, "es.v86-limit", V8086, s->es.limit++)                                             \
	X(es_vr, "es.v86-rights", V8086, s->es.g = 1)                                              \
	X(fs_vb, "fs.v86-base", V8086, s->fs.base++)                                               \
	X(fs_vl, "fs.v86-limit", V8086, s->fs.limit++)                                             \
	X(fs_vr, "fs.v86-rights", V8086, s->fs.avl = 1)                                            \
	X(gs_vb, "gs.v86-base", V8086, s->gs.base++)                                               \
	X(gs_vl, "gs.v86-limit", V8086, s->gs.limit++)                                             \
	X(gs_vr, "gs.v86-rights", V8086, s->gs.db = 1)                                             \
	X(tr_base, "tr.base", LONG, s->tr.base = 1ull << 47)                                       \
	X(fs_base, "fs.base", LONG, s->fs.base = 1ull << 47)                                       \
	X(gs_base, "gs.base", LONG, s->gs.base = 1ull << 63; s->gs.unusable = 1)                   \
	X(ldtr_base, "ldtr.base", LONG, s->ldtr.base = 1ull << 47)                                 \
	X(cs_base, "cs.base", LONG, s->cs.base = 1ull << 32)                                       \
	X(ss_base, "ss.base", LONG, s->ss.base = 1ull << 32)                                       \
	X(ds_base, "ds.base", LONG, s->ds.base = 1ull << 32)                                       \
	X(es_base, "es.base", LONG, s->es.base = 1ull << 32)                                       \
	X(cs_type, "cs.type", LONG, s->cs.type = 10)                                               \
	X(cs_s, "cs.s", LONG, s->cs.s = 0)                                                         \
	X(cs_dpl_data, "cs.dpl-data", LONG,                                                        \
	  s->unrestricted_guest = true; s->cs.type = 3; s->cs.dpl = 3)                             \
	X(cs_dpl, "cs.dpl", LONG, s->cs.dpl = 3)                                                   \
	X(cs_dpl_c, "cs.dpl-conforming", LONG, s->cs.type = 15; s->cs.dpl = 1)                     \
	X(cs_p, "cs.present", LONG, s->cs.present = 0)                                             \
	X(cs_ldb, "cs.l-and-db", LONG, s->cs.db = 1)                                               \
	X(cs_g, "cs.granularity", LONG, s->cs.g = 0)                                               \
	X(ss_type, "ss.type", LONG, s->ss.type = 1)                                                \
	X(ss_s, "ss.s", LONG, s->ss.s = 0)                                                         \
	X(ss_dpl, "ss.dpl", LONG, s->ss.selector |= 3; s->cs.selector |= 3)                        \
	X(ss_dpl_real, "ss.dpl-real", LONG,                                                        \
	  s->unrestricted_guest = true; s->cs.type = 3; s->ss.dpl = 1)                             \
	X(ss_p, "ss.present", LONG, s->ss.present = 0)                                             \
	X(ss_g, "ss.granularity", LONG, s->ss.limit = 0xffffe)                                     \
	X(ds_a, "ds.accessed", LONG, s->ds.type = 2)                                               \
	X(ds_r, "ds.readable", LONG, s->ds.type = 9)                                               \
	X(ds_s, "ds.s", LONG, s->ds.s = 0)                                                         \
	X(ds_dpl, "ds.dpl", LONG, s->ds.selector |= 3)                                             \
	X(ds_p, "ds.present", LONG, s->ds.present = 0)                                             \
	X(ds_g, "ds.granularity", LONG, s->ds.g = 0)                                               \
	X(es_a, "es.accessed", LONG, s->es.type = 2)                                               \
	X(es_r, "es.readable", LONG, s->es.type = 13)                                              \
	X(es_s, "es.s", LONG, s->es.s = 0)                                                         \
	X(es_dpl, "es.dpl", LONG, s->es.selector |= 1)                                             \
	X(es_p, "es.present", LONG, s->es.present = 0)                                             \
	X(es_g, "es.granularity", LONG, s->es.limit = 0xffffff00)                                  \
	X(fs_a, "fs.accessed", LONG, s->fs.type = 0)                                               \
	X(fs_r, "fs.readable", LONG, s->fs.type = 9)                                               \
	X(fs_s, "fs.s", LONG, s->fs.s = 0)                                                         \
	X(fs_dpl, "fs.dpl", LONG, s->fs.selector |= 2)                                             \
	X(fs_p, "fs.present", LONG, s->fs.present = 0)                                             \
	X(fs_g, "fs.granularity", LONG, s->fs.limit = 0)                                           \
	X(gs_a, "gs.accessed", LONG, s->gs.type = 6)                                               \
	X(gs_r, "gs.readable", LONG, s->gs.type = 9)                                               \
	X(gs_s, "gs.s", LONG, s->gs.s = 0)                                                         \
	X(gs_dpl, "gs.dpl", LONG, s->gs.selector |= 3)                                             \
	X(gs_p, "gs.present", LONG, s->gs.present = 0)                                             \
	X(gs_g, "gs.granularity", LONG, s->gs.g = 0)                                               \
	X(tr_u, "tr.usable", LONG, s->tr.unusable = 1)                                             \
	X(tr_t, "tr.type", LONG, s->tr.type = 9)                                                   \
	X(tr_s, "tr.s", LONG, s->tr.s = 1)                                                         \
	X(tr_p, "tr.present", LONG, s->tr.present = 0)                                             \
	X(tr_g, "tr.granularity", LONG, s->tr.g = 1)                                               \
	X(ldtr_t, "ldtr.type", LONG, s->ldtr.type = 11)                                            \
	X(ldtr_s, "ldtr.s", LONG, s->ldtr.s = 1)                                                   \
	X(ldtr_p, "ldtr.present", LONG, s->ldtr.present = 0)                                       \
	X(ldtr_g, "ldtr.granularity", LONG, s->ldtr.limit = 0x100000)                              \
	X(gdtr_b, "gdtr.base", LONG, s->gdt_base = 1ull << 48)                                     \
	X(gdtr_l, "gdtr.limit", LONG, s->gdt_limit = 0x10000)                                      \
	X(idtr_b, "idtr.base", LONG, s->idt_base = 1ull << 47)                                     \
	X(idtr_l, "idtr.limit", LONG, s->idt_limit = ~0u)                                          \
	X(rip_high, "rip.high", LONG, s->cs.l = 0; s->cs.db = 1; s->rip = 1ull << 32)              \
	X(rip_can, "rip.canonical", LONG, s->rip = 1ull << 48)                                     \
	X(rflags_res, "rflags.reserved", LONG, s->rflags |= 1 << 5)                                \
	X(rflags_1, "rflags.bit1", LONG, s->rflags = 0)                                            \
	X(rflags_vm, "rflags.vm", V8086, s->unrestricted_guest = true; s->cr0 &= ~(CR0_PE | CR0_PG)) \
	X(cr0_ne, "cr0.ne", LONG, s->cr0 &= ~CR0_NE)

#define X(id, rule, base, ...) BREAK(break_##id, __VA_ARGS__)
BREAKAGES(X)
#undef X
#define X(id, rule, base, ...) {rule, base, break_##id},
static const struct breakage breakages[] = {BREAKAGES(X)};
#undef X
#define N_BREAKAGES (sizeof(breakages) / sizeof(breakages[0]))

static void test_good_states(void **state)
{
	struct vmm_entry_state s = good64();

	(void)state;
	assert_null(vmm_entry_check(&s));
	s.unrestricted_guest = true;
	assert_null(vmm_entry_check(&s));
	s = good86();
	assert_null(vmm_entry_check(&s));
	/* null data segments, an unused LDTR: nothing but "unusable" counts */
	s = good64();
	s.ds = s.es = s.fs = s.gs = s.ldtr = (struct vmm_seg){.unusable = 1, .limit = 5, .type = 2};
	assert_null(vmm_entry_check(&s));
	/* 57-bit addresses */
	s = good64();
	s.gdt_base = 1ull << 55;
	assert_non_null(vmm_entry_check(&s));
	s.cr4 |= CR4_LA57;
	assert_null(vmm_entry_check(&s));
	/* RIP may be one step past the canonical half */
	s = good64();
	s.rip = 1ull << 47;
	assert_null(vmm_entry_check(&s));
}

static void test_each_rule(void **state)
{
	unsigned n;
	const struct vmm_entry_rule *rule = vmm_entry_rules(&n);

	(void)state;
	assert_int_equal(n, N_BREAKAGES);
	for (unsigned i = 0; i < n; i++) {
		const struct breakage *b = NULL;
		struct vmm_entry_state s;
		const struct vmm_entry_rule *found;

		for (unsigned k = 0; k < N_BREAKAGES; k++)
			if (!strcmp(breakages[k].rule, rule[i].name))
				b = &breakages[k];
		if (!b)
			fail_msg("no test breaks the rule %s", rule[i].name);
		s = b->base == LONG ? good64() : good86();
		b->apply(&s);
		found = vmm_entry_check(&s);
		if (!found)
			fail_msg("breaking %s is not seen", b->rule);
		assert_string_equal(found->name, b->rule);
		assert_ptr_equal(found, &rule[i]);
		assert_true(strstr(found->section, "SDM") || strstr(found->section, "APM"));
		assert_true(found->sentence[strlen(found->sentence) - 1] == '.');
	}
}

static void test_names_are_unique(void **state)
{
	unsigned n;
	const struct vmm_entry_rule *rule = vmm_entry_rules(&n);

	(void)state;
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = i + 1; k < n; k++)
			assert_string_not_equal(rule[i].name, rule[k].name);
}

/* What a guest without the control may not do, one with it may. */
static void test_unrestricted_guest(void **state)
{
	struct vmm_entry_state s = good64();

	(void)state;
	s.unrestricted_guest = true;
	s.cr0 = CR0_NE;
	s.efer = 0;
	s.cr4 = 0;
	s.cs = (struct vmm_seg){.base = 0xf0000, .limit = 0xffff, .selector = 0xf000, .type = 3,
				.s = 1, .present = 1};
	s.ss = s.ds = s.es = s.fs = s.gs = s.cs;
	s.ss.selector = 3;
	assert_null(vmm_entry_check(&s));
	s.unrestricted_guest = false;
	assert_non_null(vmm_entry_check(&s));
}

static void test_entry_modes(void **state)
{
	(void)state;
	for (int mode = 0; mode < VMM_ENTRY_COUNT; mode++)
		for (int tables = 0; tables < 2; tables++) {
			struct vmm_desc d;
			struct rs_err err = RS_ERR_INIT;
			struct vmm_machine *m;
			struct vmm_cpu_state cpu;
			struct vmm_entry_state s;
			const struct vmm_entry_rule *rule;

			vmm_desc_init(&d);
			d.entry = mode;
			d.tables = tables;
			d.pc = mode == VMM_ENTRY_RESET;
			m = vmm_machine_new(&d, NULL, &err);
			assert_non_null(m);
			assert_int_equal(vmm_entry_setup(m, &d, 0x10000, &cpu, &err), 0);
			vmm_cpu_to_entry_state(&cpu, &s);
			rule = vmm_entry_check(&s);
			/* after a reset NE is 0 (SDM vol. 3A, 9.1.1); that rule is the last, and KVM's own */
			if (mode == VMM_ENTRY_RESET) {
				assert_non_null(rule);
				assert_string_equal(rule->name, "cr0.ne");
			} else if (rule)
				fail_msg("%s breaks %s", vmm_entry_name(mode), rule->name);
			/* protected mode with paging holds on the oldest VT-x too */
			if (mode == VMM_ENTRY_LONG64) {
				s.unrestricted_guest = false;
				assert_null(vmm_entry_check(&s));
			}
			vmm_machine_free(m);
		}
}

static void test_random_bits(void **state)
{
	uint64_t x = 0x9e3779b97f4a7c15;
	unsigned passed = 0;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		struct vmm_entry_state s = i & 1 ? good64() : good86();
		unsigned flips = 1 + i % 7;

		while (flips--) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			((unsigned char *)&s)[x % offsetof(struct vmm_entry_state, phys_bits)] ^=
				(unsigned char)(1u << (x >> 32 & 7));
		}
		passed += !vmm_entry_check(&s);
	}
	/* some flips are harmless (GPR-like fields), most are not */
	assert_in_range(passed, 1, 199999);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_states), cmocka_unit_test(test_each_rule),
		cmocka_unit_test(test_names_are_unique), cmocka_unit_test(test_unrestricted_guest),
		cmocka_unit_test(test_entry_modes), cmocka_unit_test(test_random_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
