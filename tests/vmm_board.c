/* A PC's devices under a running guest, on both engines: timer interrupts through the 8259A and through the local APIC,
 * a CPU that sleeps in HLT meanwhile, serial input by interrupt, and the ways to switch off.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/vmm_guests.h"
#include "tests/vmm_kvm.h"

static const char *engine;

/* Vectors 0x20 and up from the master, IRQ 0 alone, 1000 Hz; five ticks, asleep between them. */
GUEST(pit, 64,
      "gate 0x20, 2f\n"
      "mov al, 0x11; out 0x20, al; mov al, 0x20; out 0x21, al; mov al, 4; out 0x21, al; mov al, 1; out 0x21, al\n"
      "mov al, 0xfe; out 0x21, al\n"
      "mov al, 0x34; out 0x43, al; mov al, 0xa9; out 0x40, al; mov al, 4; out 0x40, al\n"
      "xor ebx, ebx\n"
      "1: sti; hlt; cli; cmp ebx, 5; jb 1b\n"
      "mov eax, ebx; out 0xf4, eax\n"
      "2: inc ebx; push rax; mov al, 0x20; out 0x20, al; pop rax; iretq")

/* The local APIC's timer, 1 ms each, in unpaged mode; LINT0 is left as it is. */
GUEST(apic, 32,
      "call 1f; 1: pop ebx\n"
      "lea eax, [ebx + 3f - 1b]; mov [0x2000 + 0x40 * 8], ax; mov word ptr [0x2002 + 0x40 * 8], 0x08\n"
      "mov word ptr [0x2004 + 0x40 * 8], 0x8e00; shr eax, 16; mov [0x2006 + 0x40 * 8], ax\n"
      "mov esi, 0xfee00000\n"
      "mov dword ptr [esi + 0xf0], 0x1ff; mov dword ptr [esi + 0x3e0], 0xb\n"
      "mov dword ptr [esi + 0x320], 0x20040; mov dword ptr [esi + 0x380], 1000000\n"
      "xor ecx, ecx\n"
      "2: sti; hlt; cli; cmp ecx, 4; jb 2b\n"
      "mov eax, ecx; out 0xf4, eax\n"
      "3: inc ecx; mov dword ptr [esi + 0xb0], 0; iretd")

/* The serial port tells of input by IRQ 4; the sum of two bytes is the result. */
GUEST(serial, 64,
      "gate 0x24, 2f\n"
      "mov al, 0x11; out 0x20, al; mov al, 0x20; out 0x21, al; mov al, 4; out 0x21, al; mov al, 1; out 0x21, al\n"
      "mov al, 0xef; out 0x21, al\n"
      "mov dx, 0x3fc; mov al, 0x08; out dx, al; mov dx, 0x3f9; mov al, 1; out dx, al\n"
      "xor ebx, ebx; xor ecx, ecx\n"
      "1: sti; hlt; cli; cmp ecx, 2; jb 1b\n"
      "mov eax, ebx; out 0xf4, eax\n"
      "2: mov dx, 0x3f8; in al, dx; movzx eax, al; add ebx, eax; inc ecx; mov al, 0x20; out 0x20, al; iretq")

GUEST(acpi_off, 64, "mov dx, 0x604; mov ax, 0x3400; out dx, ax; hlt")
GUEST(kbc_reset, 64, "mov al, 0xfe; out 0x64, al; hlt")
/* HLT with interrupts off, and with nothing that could come. */
GUEST(asleep, 64, "cli; hlt")

static struct vmm_result run(const unsigned char *code, const unsigned char *end, enum vmm_entry entry, const char *input)
{
	char path[] = "/tmp/ringside-board-XXXXXX";
	int fd = mkstemp(path);
	struct rs_err err = RS_ERR_INIT;
	struct vmm_result res;
	struct vmm_desc d;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, code, (size_t)(end - code)), end - code);
	close(fd);
	vmm_desc_init(&d);
	d.image = path;
	d.engine = engine;
	d.entry = entry;
	d.pc = true;
	d.trace = VMM_TRACE_EXITS;
	d.serial_input = input;
	d.timeout_ns = 5000000000ull;
	if (vmm_run(&d, NULL, -1, NULL, NULL, &res, &err) < 0)
		fail_msg("%s", err.text[RS_LANG_EN]);
	unlink(path);
	return res;
}
#define RUN(name, entry, input) run(guest_##name, guest_##name##_end, entry, input)

static void ends(struct vmm_result r, enum rs_outcome outcome, uint64_t code)
{
	assert_string_equal(rs_unit_value_name(RS_UNIT_outcome, r.outcome), rs_unit_value_name(RS_UNIT_outcome, outcome));
	assert_int_equal(r.code, code);
}

static void timer(void **state)
{
	struct vmm_result r = RUN(pit, VMM_ENTRY_LONG64, NULL);

	(void)state;
	assert_int_equal(r.outcome, RS_OUT_DEBUG_EXIT);
	assert_in_range(r.code, 5, 10); /* on a busy machine the next tick may wait already */
}

static void local_timer(void **state)
{
	struct vmm_result r = RUN(apic, VMM_ENTRY_PROT32, NULL);

	(void)state;
	assert_int_equal(r.outcome, RS_OUT_DEBUG_EXIT);
	assert_in_range(r.code, 4, 8);
}

static void serial_input(void **state)
{
	(void)state;
	ends(RUN(serial, VMM_ENTRY_LONG64, "a!"), RS_OUT_DEBUG_EXIT, 'a' + '!');
}

static void ways_out(void **state)
{
	(void)state;
	ends(RUN(acpi_off, VMM_ENTRY_LONG64, NULL), RS_OUT_RESET, VMM_POWERED_OFF);
	ends(RUN(kbc_reset, VMM_ENTRY_LONG64, NULL), RS_OUT_RESET, 0);
	ends(RUN(asleep, VMM_ENTRY_LONG64, NULL), RS_OUT_HALTED, 0);
}

int main(void)
{
	static const char *const engines[] = { "soft", "kvm" };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timer),
		cmocka_unit_test(local_timer),
		cmocka_unit_test(serial_input),
		cmocka_unit_test(ways_out),
	};
	int failed = 0;

	for (unsigned i = 0; i < 2; i++) {
		engine = engines[i];
		if (strcmp(engine, "kvm") ? soft_is_due() : sound_kvm())
			failed += cmocka_run_group_tests_name(engine, tests, NULL, NULL);
	}
	return failed;
}
