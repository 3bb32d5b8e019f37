/* The monitor in ring 0 (vmm/virt*.c). No KVM: the real CPU is played here, so that every sensitive
 * instruction can be put before the monitor by itself and its effect compared with what the SDM says of it
 * in ring 0. What the CPU does with the monitor's pages is tested by the lessons, on each engine, and at the end
 * of this file.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/vmm_played.h"
#include "vmm/virt.h"

#define CODE 0x10000u
#define STACK 0x5000u

static struct vmm_machine *m;
static struct vmm_virt *t;

static void begin(enum rs_technique technique)
{
	struct vmm_desc d;

	vmm_desc_init(&d);
	d.entry = VMM_ENTRY_PROT32;
	d.technique = technique;
	m = vmm_machine_new(&d, NULL, NULL);
	assert_non_null(m);
	m->ops = &played_ops;
	assert_int_equal(vmm_entry_setup(m, &m->desc, CODE, &cpu, NULL), 0);
	assert_int_equal(vmm_virt_new(&m->vcpu, &cpu, NULL), 0);
	assert_int_equal(vmm_trace_new(&m->vcpu, NULL), 0);
	t = m->vcpu.virt;
}

static int end(void **state)
{
	(void)state;
	vmm_machine_free(m);
	m = NULL;
	return 0;
}

/* The guest has executed up to CODE, where these bytes stand, and the real CPU comes to the stub of
 * `vector` with `error`. Registers other than ESP are cpu.gpr. */
static void trap(const char *bytes, unsigned n, unsigned vector, unsigned error, unsigned ring)
{
	struct virt_frame *f = t->frame;

	memcpy(m->ram + CODE, bytes, n);
	*f = (struct virt_frame){ .vector = vector, .error = error, .eip = CODE, .eflags = 0x202 | 0x8d5,
				  .cs = ring == 3 ? VMM_SEL_CODE3 : VMM_SEL_CODE0 | 1,
				  .ss = ring == 3 ? VMM_SEL_DATA3 : VMM_SEL_DATA0 | 1,
				  .esp = STACK };
	cpu.gpr[RSP] = t->base + VIRT_STACK_TOP - sizeof(*f);
	cpu.cs.selector = VIRT_SEL_CODE;
	vmm_virt_entered(&m->vcpu);
}
#define TRAP(bytes, ring) trap(bytes, sizeof(bytes) - 1, VEC_GP, 0, ring)

/* The same through the code cache: the rewritten instruction calls out. */
static void callout(const char *bytes, unsigned n)
{
	uint32_t at;

	memcpy(m->ram + CODE, bytes, n);
	memset(m->ram + CODE + n, 0x90, 4);
	virt_cache_free(t);
	virt_cache_new(t);
	at = virt_translated(t, CODE);
	assert_int_equal(t->pages[at - t->base], 0xcd);
	assert_int_equal(t->pages[at - t->base + 1], VIRT_INT_CALLOUT);
	*t->frame = (struct virt_frame){ .vector = VIRT_INT_CALLOUT, .eip = at + 2, .eflags = 0x202 | 0x8d5,
					 .cs = VIRT_SEL_CACHE, .ss = VMM_SEL_DATA0 | 1, .esp = STACK };
	cpu.gpr[RSP] = t->base + VIRT_STACK_TOP - sizeof(*t->frame);
	cpu.cs.selector = VIRT_SEL_CODE;
	vmm_virt_entered(&m->vcpu);
}
#define CALLOUT(bytes) callout(bytes, sizeof(bytes) - 1)

static uint32_t word(uint32_t at)
{
	uint32_t v;

	memcpy(&v, m->ram + at, 4);
	return v;
}

static void put_word(uint32_t at, uint32_t v)
{
	memcpy(m->ram + at, &v, 4);
}

static void gate(unsigned vector, uint32_t to, unsigned ring)
{
	put_word(VMM_IDT + vector * 8, (to & 0xffff) | VMM_SEL_CODE0 << 16);
	put_word(VMM_IDT + vector * 8 + 4, (to & 0xffff0000) | 0x8e00 | ring << 13);
}

/* -- tests -- */

/* Robin and Irvine, table 2: the seventeen that are sensitive and not privileged. */
static void seventeen(void **state)
{
	static const struct { const char *bytes; unsigned n; const char *name; } list[] = {
#define I(bytes, name) { bytes, sizeof(bytes) - 1, name }
		I("\x0f\x01\x00", "sgdt"), I("\x0f\x01\x08", "sidt"), I("\x0f\x00\x00", "sldt"),
		I("\x0f\x01\xe0", "smsw"), I("\x9c", "pushf"), I("\x9d", "popf"), I("\x0f\x02\xc1", "lar"),
		I("\x0f\x03\xc1", "lsl"), I("\x0f\x00\xe0", "verr"), I("\x0f\x00\xe8", "verw"), I("\x17", "pop ss"),
		I("\x0e", "push cs"), I("\x9a\0\0\1\0\x08\0", "call far"), I("\xea\0\0\1\0\x08\0", "jmp far"),
		I("\xcb", "retf"), I("\x0f\x00\xc8", "str"), I("\x8c\xc8", "mov from cs"),
	};
	struct virt_insn in;

	(void)state;
	for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		virt_decode((const uint8_t *)list[i].bytes, list[i].n, 32, CODE, &in);
		assert_int_equal(in.len, list[i].n);
		if (in.op == VIRT_PLAIN || in.how == VIRT_TRAPS)
			fail_msg("%s would not be rewritten", list[i].name);
	}
	virt_decode((const uint8_t *)"\xfa", 1, 32, CODE, &in);
	assert_int_equal(in.how, VIRT_TRAPS);
	virt_decode((const uint8_t *)"\x8e\xd8", 2, 32, CODE, &in); /* mov ds, ax: its shadow does */
	assert_int_equal(in.op, VIRT_PLAIN);
}

/* No segment of the guest reaches the monitor, and none is of ring 0. */
static void shadows(void **state)
{
	uint64_t d;

	(void)state;
	begin(RS_TECHNIQUE_TRAP);
	for (unsigned i = 0; i < VIRT_SHADOWS; i++) {
		memcpy(&d, t->pages + VIRT_GDT + i * 8, 8);
		if (!(d >> 47 & 1))
			continue;
		assert_int_not_equal(d >> 45 & 3, 0);
		assert_int_equal(d >> 44 & 1, 1);
		assert_true(((d & 0xffff) | (d >> 32 & 0xf0000)) <= t->base / 4096 - 1);
	}
	/* one more, that the guest makes in its own table: base 64 KiB, 4 GiB long */
	put_word(VMM_GDT + 0x18, 0x0000ffff);
	put_word(VMM_GDT + 0x1c, 0x00cf9301);
	assert_true(virt_shadow_sync(t));
	assert_false(virt_shadow_sync(t));
	memcpy(&d, t->pages + VIRT_GDT + 0x18, 8);
	assert_int_equal((d & 0xffff) | (d >> 32 & 0xf0000), (t->base - 0x10000) / 4096 - 1);
	assert_int_equal(d >> 45 & 3, 1);
}

/* What traps is done on the virtual CPU, and the guest goes on behind it in ring 1. */
static void emulated(void **state)
{
	(void)state;
	begin(RS_TECHNIQUE_TRAP);
	TRAP("\xfb", 1); /* sti */
	assert_true(t->interrupts);
	assert_int_equal(t->frame->eip, CODE + 1);
	assert_int_equal(t->frame->cs, VMM_SEL_CODE0 | 1);
	assert_int_equal(t->frame->eflags & 0x3200, 0x200); /* really: IF set, IOPL 0 */
	TRAP("\xfa", 1); /* cli */
	assert_false(t->interrupts);
	memcpy(m->ram + 0x6000, "\x2f\x01\x00\x30\0\0", 6);
	TRAP("\x0f\x01\x1d\x00\x60\0\0", 1); /* lidt [0x6000] */
	assert_int_equal(t->idt_base, 0x3000);
	assert_int_equal(t->idt_limit, 0x12f);
	cpu.gpr[RAX] = 0x3b; /* PE MP TS ET NE */
	TRAP("\x0f\x22\xc0", 1); /* mov cr0, eax */
	assert_int_equal(t->cr0, 0x3b);
	assert_int_equal(cpu.cr0 & CR0_TS, CR0_TS); /* also for the real FPU */
	TRAP("\x0f\x06", 1); /* clts */
	assert_int_equal(cpu.cr0 & CR0_TS, 0);
	TRAP("\x0f\x20\xc3", 1); /* mov ebx, cr0 */
	assert_int_equal(cpu.gpr[RBX], 0x33);
	cpu.gpr[RAX] = 7;
	TRAP("\xe7\xf4", 1); /* out 0xf4, eax */
	assert_true(m->vcpu.ended);
	assert_int_equal(m->vcpu.outcome, RS_OUT_DEBUG_EXIT);
	assert_int_equal(m->vcpu.code, 7);
}

/* The same instructions, rewritten: the answers of ring 0. */
static void rewritten(void **state)
{
	(void)state;
	begin(RS_TECHNIQUE_TRANSLATE);
	CALLOUT("\x9c"); /* pushfd */
	assert_int_equal(word(STACK - 4), 0x8d5 | 2); /* IF as the guest left it: off */
	assert_int_equal(t->frame->esp, STACK - 4);
	put_word(STACK, 0x246 | 3 << 12);
	CALLOUT("\x9d"); /* popfd */
	assert_true(t->interrupts);
	assert_int_equal(t->iopl, 3);
	assert_int_equal(t->frame->eflags, 0x246);
	CALLOUT("\x8c\xc8"); /* mov eax, cs */
	assert_int_equal(cpu.gpr[RAX], VMM_SEL_CODE0);
	CALLOUT("\x16"); /* push ss */
	assert_int_equal(word(STACK - 4), VMM_SEL_DATA0);
	CALLOUT("\x0f\x01\x0d\x00\x60\0\0"); /* sidt [0x6000] */
	assert_int_equal(word(0x6002), VMM_IDT);
	CALLOUT("\x0f\x01\x05\x00\x60\0\0"); /* sgdt [0x6000] */
	assert_int_equal(word(0x6002), VMM_GDT);
	assert_int_equal(m->ram[0x6000], 0x2f);
	CALLOUT("\x0f\x00\xc8"); /* str eax */
	assert_int_equal(cpu.gpr[RAX], VMM_SEL_TSS);
	CALLOUT("\x0f\x01\xe1"); /* smsw ecx */
	assert_int_equal(cpu.gpr[RCX], t->cr0);
	cpu.gpr[RCX] = VMM_SEL_DATA3;
	CALLOUT("\x0f\x02\xc1"); /* lar eax, ecx */
	assert_int_equal(cpu.gpr[RAX] & 0xff00, 0xf300);
	assert_int_equal(t->frame->eflags & EFLAGS_ZF, EFLAGS_ZF);
	CALLOUT("\x0f\x03\xd1"); /* lsl edx, ecx: the limit that the guest gave, not the shadow's */
	assert_int_equal(cpu.gpr[RDX], 0xffffffff);
	cpu.gpr[RCX] = 0x70;
	CALLOUT("\x0f\x00\xe1"); /* verr cx: beyond the table */
	assert_int_equal(t->frame->eflags & EFLAGS_ZF, 0);
	put_word(STACK, CODE + 0x20);
	CALLOUT("\xc3"); /* ret */
	assert_int_equal(t->frame->esp, STACK + 4);
	assert_int_equal(t->frame->eip, virt_translated(t, CODE + 0x20));
	assert_int_equal(t->frame->cs, VIRT_SEL_CACHE);
}

/* To ring 3 and back: IRET, an exception there, the guest's handler on the stack of its TSS. */
static void rings(void **state)
{
	uint32_t sp = VMM_STACK0_TOP;

	(void)state;
	begin(RS_TECHNIQUE_TRANSLATE);
	put_word(STACK, 0x12000);
	put_word(STACK + 4, VMM_SEL_CODE3);
	put_word(STACK + 8, 0x202);
	put_word(STACK + 12, 0x9000);
	put_word(STACK + 16, VMM_SEL_DATA3);
	CALLOUT("\xcf"); /* iretd */
	assert_int_equal(t->frame->eip, 0x12000);
	assert_int_equal(t->frame->cs, VMM_SEL_CODE3);
	assert_int_equal(t->frame->ss, VMM_SEL_DATA3);
	assert_int_equal(t->frame->esp, 0x9000);
	assert_true(t->interrupts);

	gate(0x80, 0x11000, 3);
	trap("\xcd\x80", 2, VEC_GP, 0x80 * 8 + 2, 3); /* int 0x80 in ring 3 */
	assert_int_equal(t->frame->eip, virt_translated(t, 0x11000));
	assert_int_equal(t->frame->cs, VIRT_SEL_CACHE);
	assert_int_equal(t->frame->esp, sp - 20);
	assert_int_equal(word(sp - 4), VMM_SEL_DATA3);
	assert_int_equal(word(sp - 12), 0x202 | 0x8d5);
	assert_int_equal(word(sp - 16), VMM_SEL_CODE3);
	assert_int_equal(word(sp - 20), CODE + 2);
	assert_false(t->interrupts); /* an interrupt gate */

	gate(13, 0x11100, 0);
	TRAP("\xfa", 3); /* cli is not for ring 3: #GP in the guest */
	assert_int_equal(t->frame->eip, virt_translated(t, 0x11100));
	assert_int_equal(word(sp - 24), 0);
	assert_int_equal(word(sp - 20), CODE);

	trap("\xcd\x0d", 2, VEC_GP, 13 * 8 + 2, 3); /* nor is a gate with DPL 0: the fault names it */
	assert_int_equal(word(sp - 24), 13 * 8 + 2);
	assert_int_equal(word(sp - 20), CODE);

	put_word(VMM_IDT + 13 * 8 + 4, 0);
	TRAP("\xfa", 3); /* no handler, none for the double fault */
	assert_true(m->vcpu.ended);
	assert_int_equal(m->vcpu.outcome, RS_OUT_SHUTDOWN);
}

/* A block, its exits, and the way between the two worlds. */
static void blocks(void **state)
{
	static const uint8_t code[] = {
		0x40,                   /* 10000 inc eax */
		0x9c,                   /* 10001 pushfd */
		0x74, 0xfc,             /* 10002 jz 10000 */
		0xe8, 0x05, 0, 0, 0,    /* 10004 call 1000e */
	};
	uint32_t at, eip, next;
	int32_t rel;

	(void)state;
	begin(RS_TECHNIQUE_TRANSLATE);
	memcpy(m->ram + CODE, code, sizeof(code));
	virt_cache_free(t);
	virt_cache_new(t);
	at = virt_translated(t, CODE);
	assert_int_equal(virt_translated(t, CODE), at);
	assert_memory_equal(t->pages + (at - t->base), "\x40\xcd\x81\x0f\x84", 5);
	assert_true(virt_original(t, at + 1, &eip));
	assert_int_equal(eip, CODE + 1);
	/* jz leads to the block itself; the other way into a link, once */
	memcpy(&rel, t->pages + (at - t->base) + 5, 4);
	assert_int_equal(at + 9 + (uint32_t)rel, at);
	memcpy(&rel, t->pages + (at - t->base) + 10, 4);
	next = at + 14 + (uint32_t)rel;
	assert_int_equal(t->pages[next - t->base + 1], VIRT_INT_LINK);
	assert_true(virt_link(t, next + 2, &eip));
	assert_int_equal(eip, CODE + 4);
	memcpy(&rel, t->pages + (at - t->base) + 10, 4);
	assert_int_equal(at + 14 + (uint32_t)rel, virt_translated(t, CODE + 4));
	/* the call pushes the address of the original */
	assert_memory_equal(t->pages + (virt_translated(t, CODE + 4) - t->base), "\x68\x09\x00\x01\x00\xe9", 6);
	assert_false(virt_link(t, next, &eip));
	/* more blocks than fit: everything is made again */
	for (uint32_t i = 0; i < 6000; i++)
		assert_int_not_equal(virt_translated(t, 0x20000 + i * 2), 0);
	assert_int_not_equal(virt_translated(t, CODE), 0);
	assert_int_equal(virt_translated(t, t->base), 0); /* the monitor's pages are not the guest's code */
}

static void hypercalls(void **state)
{
	(void)state;
	begin(RS_TECHNIQUE_PARA);
	cpu.gpr[RAX] = VMM_HC_FLAGS;
	cpu.gpr[RBX] = 1;
	trap("", 0, VIRT_INT_HYPERCALL, 0, 1);
	assert_true(t->interrupts);
	assert_int_equal(cpu.gpr[RAX], 0);
	cpu.gpr[RAX] = VMM_HC_WRITE;
	cpu.gpr[RBX] = 0x6000;
	cpu.gpr[RCX] = 3;
	memcpy(m->ram + 0x6000, "abc", 3);
	trap("", 0, VIRT_INT_HYPERCALL, 0, 1);
	assert_int_equal(cpu.gpr[RAX], 3);
	assert_int_equal(m->serial_out.n, 3);
	cpu.gpr[RAX] = VMM_HC_WRITE;
	cpu.gpr[RBX] = t->base - 1; /* into the monitor's pages: refused */
	trap("", 0, VIRT_INT_HYPERCALL, 0, 1);
	assert_int_equal((uint32_t)cpu.gpr[RAX], ~0u);
}

/* What this monitor does not virtualize ends the run, with the reason. */
static void given_up(void **state)
{
	rs_auto_str text = RS_STR_INIT;

	(void)state;
	begin(RS_TECHNIQUE_TRAP);
	cpu.gpr[RAX] = 0x80000033;
	TRAP("\x0f\x22\xc0", 1); /* mov cr0, eax: paging */
	assert_true(m->vcpu.ended);
	assert_int_equal(m->vcpu.outcome, RS_OUT_UNHANDLED);
	vmm_virt_explain(t, &text);
	assert_non_null(strstr(text.p, "paging"));
}

/* On a CPU that keeps translations of its own: exits are patched, and it must see that. mov ecx, 10; 1: dec ecx;
 * jz 2f; jmp 1b; 2: mov eax, 7; out 0xf4, eax: three ways that are new once, and the OUT. */
static void patched_code_is_seen(void **state)
{
	static const unsigned char code[] = { 0xb9, 10, 0, 0, 0, 0x49, 0x74, 0x02, 0xeb, 0xfb,
					      0xb8, 7, 0, 0, 0, 0xe7, 0xf4 };
	char path[] = "/tmp/ringside-virt-XXXXXX";
	int fd = mkstemp(path);
	struct rs_err err = RS_ERR_INIT;
	struct vmm_result res;
	struct vmm_desc d;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, code, sizeof(code)), sizeof(code));
	close(fd);
	vmm_desc_init(&d);
	d.image = path;
	d.engine = "soft";
	d.entry = VMM_ENTRY_PROT32;
	d.technique = RS_TECHNIQUE_TRANSLATE;
	assert_int_equal(vmm_run(&d, NULL, -1, NULL, NULL, &res, &err), 0);
	unlink(path);
	assert_int_equal(res.outcome, RS_OUT_DEBUG_EXIT);
	assert_int_equal(res.code, 7);
	assert_int_equal(res.exits, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seventeen),
		cmocka_unit_test_teardown(shadows, end),
		cmocka_unit_test_teardown(emulated, end),
		cmocka_unit_test_teardown(rewritten, end),
		cmocka_unit_test_teardown(rings, end),
		cmocka_unit_test_teardown(blocks, end),
		cmocka_unit_test_teardown(hypercalls, end),
		cmocka_unit_test_teardown(given_up, end),
		cmocka_unit_test(patched_code_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
