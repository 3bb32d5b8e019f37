/* The report on a bad end: the cause that its first sentence names, for guests that went wrong in
 * known ways. */
#include <linux/kvm.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "vmm/machine.h"
#include "vmm/tables.h"

struct fixture {
	struct vmm_desc d;
	struct vmm_machine *m;
	struct vmm_cpu_state s;
	struct vmm_exit exit;
	struct rs_str text;
	struct rs_err err;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	vmm_desc_init(&f->d);
	f->text = (struct rs_str)RS_STR_INIT;
	f->m = vmm_machine_new(&f->d, NULL, &f->err);
	*state = f;
	return !f->m || vmm_entry_setup(f->m, &f->d, 0x10000, &f->s, &f->err);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	vmm_machine_free(f->m);
	rs_str_release(&f->text);
	free(f);
	return 0;
}

static void code(struct fixture *f, const char *bytes, size_t n)
{
	memcpy(vmm_ram(f->m, 0x10000, n), bytes, n);
}
#define CODE(f, bytes) code(f, bytes, sizeof(bytes) - 1)

/* A gate in the monitor's IDT. */
static void gate(struct fixture *f, unsigned vector, uint64_t handler, unsigned selector,
		 unsigned rights)
{
	uint64_t w[2] = {(handler & 0xffff) | (uint64_t)selector << 16 | (uint64_t)rights << 40 |
				 (handler >> 16 & 0xffff) << 48,
			 handler >> 32};

	memcpy(vmm_ram(f->m, VMM_IDT + vector * 16, 16), w, 16);
}

static void ring3(struct fixture *f)
{
	f->s.cs.selector = VMM_SEL_CODE3;
	f->s.ss.selector = VMM_SEL_DATA3;
	f->s.cs.dpl = f->s.ss.dpl = 3;
	f->s.gpr[RSP] = VMM_STACK3_TOP;
}

static void says(struct fixture *f, enum rs_outcome outcome, const char *first_line)
{
	const char *end;

	rs_str_clear(&f->text);
	vmm_explain(f->m, &f->s, &f->exit, outcome, &f->text);
	end = strchr(f->text.p, '\n');
	assert_non_null(end);
	if (strlen(first_line) != (size_t)(end - f->text.p) ||
	    strncmp(f->text.p, first_line, strlen(first_line)))
		fail_msg("said:     %.*s\nexpected: %s", (int)(end - f->text.p), f->text.p, first_line);
}

static void contains(struct fixture *f, const char *part)
{
	if (!strstr(f->text.p, part))
		fail_msg("\"%s\" is not in:\n%s", part, f->text.p);
}

static void test_ud2_without_idt(void **state)
{
	struct fixture *f = *state;

	CODE(f, "\x0f\x0b");
	f->s.idt_limit = 0;
	says(f, RS_OUT_SHUTDOWN,
	     "Triple fault: \"ud2\" at 0x10000 raised #UD, which could not be delivered, because the "
	     "interrupt table's limit leaves it out; nor could the double fault, because the interrupt "
	     "table's limit leaves it out.");
	contains(f, "64-bit mode, CPL 0");
	contains(f, "code at RIP: 0f 0b");
	contains(f, "> 0000000000010000  0f 0b");
	contains(f, "#UD  the interrupt table's limit leaves it out (0x2060) -> #GP");
	contains(f, "page walk of RIP: 0x10000");
}

static void test_hlt_in_ring3(void **state)
{
	struct fixture *f = *state;

	CODE(f, "\xf4");
	ring3(f);
	says(f, RS_OUT_SHUTDOWN,
	     "Triple fault: \"hlt\" at 0x10000 raised #GP, which could not be delivered, because its "
	     "entry in the interrupt table is empty; nor could the double fault, because its entry in "
	     "the interrupt table is empty.");
	contains(f, "CPL 3");
	/* a gate for #GP that leads to a data segment */
	gate(f, 13, 0x10100, VMM_SEL_DATA0, 0x8e);
	says(f, RS_OUT_SHUTDOWN,
	     "Triple fault: \"hlt\" at 0x10000 raised #GP, which could not be delivered, because its "
	     "gate does not name a code segment that may be entered; nor could the double fault, "
	     "because its entry in the interrupt table is empty.");
}

static void test_page_fault(void **state)
{
	struct fixture *f = *state;

	CODE(f, "\xa1\x00\x00\x00\x40\x00\x00\x00\x00"); /* mov eax, [0x40000000] */
	f->s.cr2 = 0x40000000;
	gate(f, 8, 0x10100, VMM_SEL_CODE3, 0x0e);
	says(f, RS_OUT_SHUTDOWN,
	     "Triple fault: the page fault at 0x10000 (address 0x40000000) could not be delivered, "
	     "because its entry in the interrupt table is empty; nor could the double fault, because "
	     "its gate is not present (P = 0).");
	contains(f, "page walk of CR2: 0x40000000");
	contains(f, "not mapped: the PDPTE is not present (P = 0)");
}

static void test_jump_to_nowhere(void **state)
{
	struct fixture *f = *state;

	f->s.rip = 0x12345678;
	says(f, RS_OUT_SHUTDOWN,
	     "Triple fault: the page fault at 0x12345678 (address 0x12345678) could not be delivered, "
	     "because its entry in the interrupt table is empty; nor could the double fault, because "
	     "its entry in the interrupt table is empty.");
	contains(f, "(no memory there)");
}

static void test_stack_is_gone(void **state)
{
	struct fixture *f = *state;
	struct vmm_delivery d;

	CODE(f, "\xcd\x80");
	ring3(f);
	gate(f, 0x80, 0x10100, VMM_SEL_CODE0, 0xee);
	memcpy(vmm_ram(f->m, VMM_TSS + 4, 8), &(uint64_t){0x77777000}, 8); /* RSP0 */
	vmm_deliver(f->m, &f->s, 0x80, true, &d);
	assert_false(d.arrives);
	assert_int_equal(d.then, 14);
	assert_string_equal(d.why, "the stack that it must push to is not mapped and writable");
	memcpy(vmm_ram(f->m, VMM_TSS + 4, 8), &(uint64_t){1ull << 47}, 8);
	vmm_deliver(f->m, &f->s, 0x80, true, &d);
	assert_int_equal(d.then, 12);
	memcpy(vmm_ram(f->m, VMM_TSS + 4, 8), &(uint64_t){VMM_STACK0_TOP}, 8);
	vmm_deliver(f->m, &f->s, 0x80, true, &d);
	assert_true(d.arrives);
	assert_int_equal(d.handler, 0x10100);
	/* through an IST entry that is 0: the top of the address space, where nothing is */
	gate(f, 0x80, 0x10100, VMM_SEL_CODE0, 0xee);
	((unsigned char *)vmm_ram(f->m, VMM_IDT + 0x80 * 16, 16))[4] = 1;
	vmm_deliver(f->m, &f->s, 0x80, true, &d);
	assert_int_equal(d.then, 14);
}

static void test_gate_rights(void **state)
{
	struct fixture *f = *state;
	struct vmm_delivery chain[VMM_CHAIN_MAX];
	struct vmm_delivery d;
	bool shutdown;
	unsigned n;

	ring3(f);
	gate(f, 0x80, 0x10100, VMM_SEL_CODE0, 0x8e); /* DPL 0: INT from ring 3 may not */
	gate(f, 13, 0x10200, VMM_SEL_CODE0, 0x8e);
	n = vmm_deliver_chain(f->m, &f->s, 0x80, true, chain, &shutdown);
	assert_int_equal(n, 2);
	assert_false(shutdown);
	assert_int_equal(chain[1].vector, 13);
	assert_int_equal(chain[1].handler, 0x10200);
	/* ... but an interrupt of the same number may */
	vmm_deliver(f->m, &f->s, 0x80, false, &d);
	assert_true(d.arrives);
	/* INT 13 is no exception, so its refusal is not a second one */
	n = vmm_deliver_chain(f->m, &f->s, 13, true, chain, &shutdown);
	assert_int_equal(n, 2);
	assert_int_equal(chain[1].vector, 13);
	assert_true(chain[1].arrives);
	gate(f, 0x80, 1ull << 47, VMM_SEL_CODE0, 0xee);
	vmm_deliver(f->m, &f->s, 0x80, true, &d);
	assert_string_equal(d.why, "the handler's address is not canonical");
	gate(f, 0x80, 0x10100, 0, 0xee);
	vmm_deliver(f->m, &f->s, 0x80, true, &d);
	assert_string_equal(d.why, "its gate names the null segment");
	gate(f, 0x80, 0x10100, 0x100, 0xee);
	vmm_deliver(f->m, &f->s, 0x80, true, &d);
	assert_string_equal(d.why, "the code segment that its gate names lies beyond the table");
	gate(f, 0x80, 0x10100, VMM_SEL_CODE0, 0xe9); /* a TSS is no gate */
	vmm_deliver(f->m, &f->s, 0x80, true, &d);
	assert_int_equal(d.then, 13);
}

/* SDM vol. 3A, table 6-5: #PF while #PF is delivered is a double fault; #PF during #GP is not. */
static void test_double_fault_table(void **state)
{
	struct fixture *f = *state;
	struct vmm_delivery chain[VMM_CHAIN_MAX];
	bool shutdown;
	unsigned n;

	f->s.idt_base = 0x40000000; /* not mapped: every delivery meets a page fault */
	n = vmm_deliver_chain(f->m, &f->s, 13, false, chain, &shutdown);
	assert_true(shutdown);
	assert_int_equal(n, 3);
	assert_int_equal(chain[1].vector, 14);
	assert_int_equal(chain[2].vector, 8);
	n = vmm_deliver_chain(f->m, &f->s, 14, false, chain, &shutdown);
	assert_int_equal(n, 2);
	assert_int_equal(chain[1].vector, 8);
}

static void test_amd_reset(void **state)
{
	struct fixture *f = *state;

	f->s = (struct vmm_cpu_state){.rip = 0xfff0, .cs.base = 0xffff0000, .cs.selector = 0xf000,
				      .rflags = 2, .cr0 = 0x60000010};
	says(f, RS_OUT_SHUTDOWN,
	     "Triple fault: an exception could not be delivered, and neither could the double fault "
	     "that followed. This CPU keeps no registers after it: what is shown are the values after "
	     "a reset.");
}

/* ... but the monitor knows how the guest was last entered. */
static void test_amd_last_entry(void **state)
{
	struct fixture *f = *state;
	struct vmm_cpu_state before;

	CODE(f, "\xb8\x05\x00\x00\x00\xeb\x01\x90\xf4"); /* mov eax, 5; jmp +1; nop; hlt */
	ring3(f);
	before = f->s;
	f->s = (struct vmm_cpu_state){.rip = 0xfff0, .cs.base = 0xffff0000, .cs.selector = 0xf000,
				      .rflags = 2, .cr0 = 0x60000010};
	f->exit.reason = KVM_EXIT_SHUTDOWN;
	f->exit.shutdown.before = &before;
	says(f, RS_OUT_SHUTDOWN,
	     "Triple fault: probably \"hlt\" at 0x10008 raised #GP, which could not be delivered, because "
	     "its entry in the interrupt table is empty. This CPU keeps no registers after it: what is "
	     "shown is how the guest was last entered.");
	contains(f, "> 0000000000010000  b8 05");
	/* behind a choice of ways nothing is certain */
	CODE(f, "\xb8\x05\x00\x00\x00\x75\x01\x90\xf4");
	says(f, RS_OUT_SHUTDOWN,
	     "Triple fault, somewhere after 0x10000: an exception could not be delivered, and neither "
	     "could the double fault that followed. This CPU keeps no registers after it: what is shown "
	     "is how the guest was last entered.");
	contains(f, "what an exception would meet on its way:");
	contains(f, "#PF  its entry in the interrupt table is empty");
}

/* Which exception an instruction raises shows in its operands. */
static void test_guess(void **state)
{
	static const struct {
		const char *code;
		size_t n;
		int ring, vector;
		uint64_t address;
	} row[] = {
#define ROW(code, ring, vector, address) {code, sizeof(code) - 1, ring, vector, address}
		ROW("\x90", 0, -1, 0),
		ROW("\x0f\x0b", 0, 6, 0),
		ROW("\xf4", 0, -1, 0),
		ROW("\xf4", 3, 13, 0),
		ROW("\xfa", 3, 13, 0),
		ROW("\xe6\x80", 3, 13, 0),
		ROW("\x0f\x05", 3, 6, 0),                                 /* syscall without EFER.SCE */
		ROW("\xcd\x21", 3, 0x21, 0),
		ROW("\x48\x8b\x04\x25\x00\x10\x00\x00", 0, -1, 0),      /* mov rax, [0x1000] */
		ROW("\x48\x8b\x04\x25\x00\x10\x00\x00", 3, 14, 0x1000),
		ROW("\x48\x8b\x03", 0, 14, 0x7ffffff000),               /* mov rax, [rbx] */
		ROW("\x48\x8b\x01", 0, 13, 0),                          /* mov rax, [rcx]: not canonical */
		ROW("\x48\x8d\x03", 0, -1, 0),                          /* lea rax, [rbx] */
		ROW("\x0f\x1f\x03", 0, -1, 0),                          /* nop [rbx] */
		ROW("\x0f\x18\x0b", 0, -1, 0),                          /* prefetcht0 [rbx] */
		ROW("\xf3\xaa", 0, 14, 0x400000),                        /* rep stosb to RDI */
		ROW("\x48\xf7\xf2", 0, 0, 0),                           /* div rdx: #DE is possible */
		ROW("\x8b\x87\xfe\xff\xff\xff", 0, 14, 0x400000),        /* mov eax, [rdi - 2]: two pages */
#undef ROW
	};
	struct fixture *f = *state;
	struct vmm_cpu_state ring0 = f->s;

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		uint64_t address;
		bool software;
		int vector;

		f->s = ring0;
		if (row[i].ring)
			ring3(f);
		f->s.gpr[RBX] = 0x7ffffff000;
		f->s.gpr[RCX] = 1ull << 47;
		f->s.gpr[RDI] = f->d.memory;
		code(f, row[i].code, row[i].n);
		vector = vmm_guess_exception(f->m, &f->s, &software, &address);
		if (vector != row[i].vector)
			fail_msg("row %u: vector %d, not %d", i, vector, row[i].vector);
		if (vector == 14)
			assert_int_equal(address, row[i].address);
		assert_int_equal(software, vector == 0x21);
	}
	/* the stack is an operand too */
	f->s = ring0;
	CODE(f, "\x50");
	f->s.gpr[RSP] = f->d.memory + 8;
	assert_int_equal(vmm_guess_exception(f->m, &f->s, &(bool){0}, &(uint64_t){0}), 14);
	f->s.gpr[RSP] = f->d.memory;
	assert_int_equal(vmm_guess_exception(f->m, &f->s, &(bool){0}, &(uint64_t){0}), -1);
	CODE(f, "\x58");
	assert_int_equal(vmm_guess_exception(f->m, &f->s, &(bool){0}, &(uint64_t){0}), 14);
	CODE(f, "\xc3");
	assert_int_equal(vmm_guess_exception(f->m, &f->s, &(bool){0}, &(uint64_t){0}), 14);
	/* read-only pages */
	f->s = ring0;
	CODE(f, "\xc6\x04\x25\x00\x00\x02\x00\x01"); /* mov byte ptr [0x20000], 1 */
	assert_int_equal(vmm_guess_exception(f->m, &f->s, &(bool){0}, &(uint64_t){0}), -1);
	*(uint64_t *)vmm_ram(f->m, VMM_PAGE_TABLES + 0x3000 + 0x20 * 8, 8) &= ~PTE_W;
	assert_int_equal(vmm_guess_exception(f->m, &f->s, &(bool){0}, &(uint64_t){0}), 14);
	f->s.cr0 &= ~CR0_WP;
	assert_int_equal(vmm_guess_exception(f->m, &f->s, &(bool){0}, &(uint64_t){0}), -1);
}

static void test_fail_entry(void **state)
{
	struct fixture *f = *state;

	f->exit.reason = KVM_EXIT_FAIL_ENTRY;
	f->exit.fail.hardware_reason = 0x80000021;
	f->s.tr.type = 9;
	says(f, RS_OUT_FAIL_ENTRY,
	     "The CPU refused to enter the guest: TR must hold a busy task state segment: type 11, or 3 "
	     "(16-bit) outside IA-32e mode. (tr.type, SDM vol. 3C, 27.3.1.2; hardware reason 0x80000021)");
	f->s.tr.type = 11;
	says(f, RS_OUT_FAIL_ENTRY,
	     "The CPU refused to enter the guest (hardware reason 0x80000021), though its state keeps "
	     "every rule that this monitor knows.");
}

static void test_watchdog(void **state)
{
	struct fixture *f = *state;

	CODE(f, "\xeb\xfe");
	says(f, RS_OUT_WATCHDOG, "The time limit ran out: the guest jumps to itself at 0x10000.");
	CODE(f, "\x90\xff\xc0\x74\x01\x90\xeb\xf8"); /* nop; inc eax; jz +1; nop; jmp 0x10000 */
	f->s.rip = 0x10001;
	says(f, RS_OUT_WATCHDOG, "The time limit ran out: the guest loops between 0x10000 and 0x10006.");
	CODE(f, "\x90\xc3");
	f->s.rip = 0x10000;
	says(f, RS_OUT_WATCHDOG, "The time limit ran out while the guest was at 0x10000: \"nop\".");
}

static void test_emulation_failure(void **state)
{
	struct fixture *f = *state;

	CODE(f, "\x0f\x01\xca");
	f->exit.reason = KVM_EXIT_INTERNAL_ERROR;
	f->exit.internal.suberror = KVM_INTERNAL_ERROR_EMULATION;
	says(f, RS_OUT_UNHANDLED, "KVM could not emulate the instruction \"clac\" at 0x10000.");
	/* the bytes that KVM itself saw count more */
	f->exit.internal.ndata = 4;
	f->exit.internal.data[0] = 1;
	memcpy(&f->exit.internal.data[1], "\x03\x0f\x01\xcb", 4);
	says(f, RS_OUT_UNHANDLED, "KVM could not emulate the instruction \"stac\" at 0x10000.");
	f->exit.internal.suberror = KVM_INTERNAL_ERROR_DELIVERY_EV;
	rs_str_clear(&f->text);
	vmm_explain(f->m, &f->s, &f->exit, RS_OUT_UNHANDLED, &f->text);
	contains(f, "while it delivered an exception or interrupt");
	f->exit.reason = 9999;
	says(f, RS_OUT_UNHANDLED,
	     "Nobody handles exit number 9999 at 0x10000: this monitor does not know it.");
	f->exit.reason = KVM_EXIT_NMI;
	rs_str_clear(&f->text);
	vmm_explain(f->m, &f->s, &f->exit, RS_OUT_UNHANDLED, &f->text);
	contains(f, "Nobody handles the exit \"nmi\" at 0x10000: A non-maskable interrupt");
}

static void test_tables_text(void **state)
{
	struct fixture *f = *state;

	gate(f, 0x80, 0x10100, VMM_SEL_CODE0, 0xee);
	vmm_tables_format(f->m, &f->s, &f->text);
	assert_string_equal(f->text.p,
			    "GDT at 0x1000, limit 0x37\n"
			    "  0x08  code ring 0, 64-bit, readable\n"
			    "  0x10  data ring 0, 32-bit, base 0x0, limit 0xffffffff, writable\n"
			    "  0x18  data ring 3, 32-bit, base 0x0, limit 0xffffffff, writable\n"
			    "  0x20  code ring 3, 64-bit, readable\n"
			    "  0x28  TSS (busy), base 0x1100, limit 0x67\n"
			    "IDT at 0x2000, limit 0xfff\n"
			    "  0x80       -> 0x08:0x10100, interrupt gate, ring 3 may call it\n"
			    "TSS at 0x1100, limit 0x67 (TR 0x28)\n"
			    "  RSP0  0x4000\n");
}

static void test_real_mode(void **state)
{
	struct fixture *f = *state;

	f->d.entry = VMM_ENTRY_REAL16;
	assert_int_equal(vmm_entry_setup(f->m, &f->d, 0x10000, &f->s, &f->err), 0);
	CODE(f, "\xeb\xfe");
	says(f, RS_OUT_WATCHDOG, "The time limit ran out: the guest jumps to itself at 0x0.");
	contains(f, "real mode, CPL 0");
	contains(f, "> 1000:0000  eb fe");
}

/* Every language says it. */
static void test_languages(void **state)
{
	struct fixture *f = *state;
	const char *key = N_("The time limit ran out: the guest jumps to itself at 0x%llx.");
	const char *line;

	if (rs_tr(RS_LANG_ZH_TW, key) == key)
		skip();
	CODE(f, "\xeb\xfe");
	says(f, RS_OUT_WATCHDOG, "The time limit ran out: the guest jumps to itself at 0x10000.");
	line = strchr(f->text.p, '\n') + 1;
	assert_true((unsigned char)*line >= 0xe0);
	assert_non_null(strstr(line, "0x10000"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_ud2_without_idt), T(test_hlt_in_ring3), T(test_page_fault),
		T(test_jump_to_nowhere), T(test_stack_is_gone), T(test_gate_rights),
		T(test_double_fault_table), T(test_amd_reset), T(test_amd_last_entry), T(test_guess),
		T(test_fail_entry), T(test_watchdog),
		T(test_emulation_failure), T(test_tables_text), T(test_real_mode), T(test_languages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
