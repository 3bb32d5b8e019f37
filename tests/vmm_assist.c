/* The software CPU executes single instructions for a vCPU on KVM: its results arrive in KVM's registers, x87 and SSE
 * included, KVM's arrive there, and what it cannot do is left alone. KVM itself could execute these on
 * most machines: here it is not asked.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/machine.h"

static struct vmm_machine *m;
static struct rs_err err;

/* A machine on KVM before the first instruction of `code`. */
static void start(const void *code, size_t n)
{
	struct vmm_cpu_state s;
	struct vmm_desc d;

	err = (struct rs_err)RS_ERR_INIT;
	if (vmm_available("kvm", &err) < 0) {
		print_message("skipped: no KVM: %s\n", err.text[0]);
		skip();
	}
	vmm_desc_init(&d);
	d.trace = VMM_TRACE_EXITS;
	m = vmm_machine_new(&d, NULL, &err);
	assert_non_null(m);
	m->ops = vmm_engine_pick("kvm", &err);
	memcpy(vmm_ram(m, VMM_LOAD_DEFAULT, n), code, n);
	assert_int_equal(m->ops->vm_new(m, &err), 0);
	assert_int_equal(vmm_entry_setup(m, &d, VMM_LOAD_DEFAULT, &s, &err), 0);
	assert_int_equal(m->ops->vcpu_new(m, 0, &err), 0);
	m->vcpu.thread = pthread_self();
	assert_int_equal(m->ops->set_state(&m->vcpu, &s, &err), 0);
	assert_int_equal(vmm_trace_new(&m->vcpu, &err), 0);
}

static int teardown(void **state)
{
	(void)state;
	vmm_machine_free(m);
	m = NULL;
	return 0;
}

static uint64_t assists(void)
{
	return m->mute_counters[RS_CTR_VM_ASSISTS];
}

/* mov eax, 0x12345678; movd xmm0, eax; fld1; clac / movd ebx, xmm0; fistp dword [0x20000]; mov eax, [0x20000];
 * add eax, ebx; out 0xf4, eax. The first four by assist. */
static void to_and_fro(void **state)
{
	static const unsigned char code[] = "\xb8\x78\x56\x34\x12\x66\x0f\x6e\xc0\xd9\xe8\x0f\x01\xca"
					    "\x66\x0f\x7e\xc3\xdb\x1c\x25\x00\x00\x02\x00\x8b\x04\x25\x00\x00\x02\x00"
					    "\x01\xd8\xe7\xf4";
	struct vmm_cpu_state s;

	(void)state;
	start(code, sizeof(code) - 1);
	for (unsigned i = 0; i < 4; i++)
		assert_true(vmm_assist(&m->vcpu));
	assert_int_equal(assists(), 4);
	assert_int_equal(m->ops->get_state(&m->vcpu, &s, NULL), 0);
	assert_int_equal(s.rip, VMM_LOAD_DEFAULT + 14);
	assert_int_equal(s.gpr[RAX], 0x12345678);
	while (!m->vcpu.ended) {
		int r = m->ops->run(&m->vcpu, &m->vcpu.exit, &err);

		assert_true(r == 0 || r == -EINTR);
		assert_int_equal(m->ops->peek(&m->vcpu, &m->vcpu.rip, &m->vcpu.cpl, &err), 0);
		if (r == 0)
			vmm_guest_exit(&m->vcpu);
	}
	assert_int_equal(m->vcpu.outcome, RS_OUT_DEBUG_EXIT);
	assert_int_equal(m->vcpu.code, 0x12345679);
}

/* wrmsr of STAR; out 0xe9, al; mov [0x20000], al */
static void registers_devices_memory(void **state)
{
	static const unsigned char code[] = "\xb9\x81\x00\x00\xc0\xb8\x41\x00\x00\x00\xba\x08\x00\x13\x00\x0f\x30\xe6\xe9"
					    "\x88\x04\x25\x00\x00\x02\x00";
	struct vmm_cpu_state s = { 0 };

	(void)state;
	start(code, sizeof(code) - 1);
	for (unsigned i = 0; i < 6; i++)
		assert_true(vmm_assist(&m->vcpu));
	assert_int_equal(m->ops->get_msrs(&m->vcpu, &s, NULL), 0);
	assert_int_equal(s.star, 0x0013000800000041);
	assert_int_equal(m->debug_out.n, 1);
	assert_int_equal(*(uint8_t *)vmm_ram(m, 0x20000, 1), 0x41);
	assert_int_equal(m->mute_counters[RS_CTR_VM_PIO_COUNT], 1);
}

static void left_alone(const void *code, size_t n)
{
	struct vmm_cpu_state before, after;

	start(code, n);
	assert_int_equal(m->ops->get_state(&m->vcpu, &before, NULL), 0);
	assert_false(vmm_assist(&m->vcpu));
	assert_int_equal(m->ops->get_state(&m->vcpu, &after, NULL), 0);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(assists(), 0);
	teardown(NULL);
}

/* What the software CPU does not know, HLT, and a triple fault. */
static void unable(void **state)
{
	(void)state;
	left_alone("\x0f\x0b", 2);
	left_alone("\x0f\x01\xd0", 3); /* xgetbv */
	left_alone("\xf7\xf1", 2);     /* a division by 0 that the empty IDT does not take */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(to_and_fro, teardown),
		cmocka_unit_test_teardown(registers_devices_memory, teardown),
		cmocka_unit_test_teardown(unable, teardown),
	};

	return cmocka_run_group_tests_name("vmm_assist", tests, NULL, NULL);
}
