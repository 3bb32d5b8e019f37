/* Random bytes as code of a whole x86 CPU, in every mode: whatever the guest does, the host goes on, and the run ends. */
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>

#include "tests/ia_machine.h"

static struct emu_ia_vcpu *running;

static void on_alarm(int sig)
{
	(void)sig;
	emu_ia_kick(running);
}

static void set_mode(struct ia_machine *m, unsigned mode, const uint8_t *data, size_t n)
{
	struct emu_ia_state s;

	machine_long(m, 0x10000);
	emu_ia_get(m->cpu, &s);
	for (unsigned k = 0; k < 16; k++)
		s.gpr[k] = n ? (uint64_t)data[k % n] << (k % 3 * 8) | 0x8000 : 0x8000;
	s.rflags = 2 | (n > 3 && data[3] & 1 ? 0x100 : 0) | (n > 4 ? (uint64_t)(data[4] & 3) << 12 : 0);
	switch (mode % 6) {
	case 0: break;
	case 1: /* ring 3 */
		for (unsigned k = 0; k < 6; k++)
			s.seg[k] = flat_segment(0x1b, 3, 3, false, true);
		s.seg[EMU_IA_CS] = flat_segment(0x23, 11, 3, true, false);
		break;
	case 2: /* compatibility mode */
		s.seg[EMU_IA_CS] = flat_segment(0x38, 11, 0, false, true);
		break;
	case 3: /* protected, no paging */
		s.seg[EMU_IA_CS] = flat_segment(0x38, 11, 0, false, true);
		s.cr0 = 0x33;
		s.efer = 0;
		break;
	case 4: /* 16-bit segments */
		s.cr0 = 0x33;
		s.efer = 0;
		s.seg[EMU_IA_CS] = flat_segment(0x38, 11, 0, false, false);
		s.seg[EMU_IA_SS].db = false;
		break;
	default: /* real mode */
		s.cr0 = 0x30;
		s.efer = 0;
		for (unsigned k = 0; k < 6; k++)
			s.seg[k] = (struct emu_ia_seg){ .limit = 0xffff, .type = 3, .s = true, .present = true };
		s.seg[EMU_IA_CS].selector = 0x1000;
		s.seg[EMU_IA_CS].base = 0x10000;
		s.rip = 0;
		s.idt_base = 0;
		break;
	}
	emu_ia_set(m->cpu, &s, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct ia_machine *machine[2];
	struct sigaction sa = { .sa_handler = on_alarm };
	struct ia_machine *m;
	unsigned which, mode;

	if (n < 8 || n > 4096)
		return 0;
	which = data[0] & 1;
	mode = data[1];
	if (!machine[which])
		machine[which] = machine_new(which ? "jit" : "interp", 1u << 20);
	m = machine[which];
	if (!m)
		return 0;
	memset(m->ram, 0, 0x20000);
	memcpy(m->ram + 0x10000, data + 2, n - 2);
	emu_ia_written(m->cpu, 0, m->bytes);
	m->logged = m->crossings = 0;
	set_mode(m, mode, data + 2, n - 2);
	for (unsigned k = 0; k < 8; k++) {
		enum emu_ia_exit e = emu_ia_run(m->cpu, 200);

		if (e == IA_EXIT_SHUTDOWN || e == IA_EXIT_HLT || e == IA_EXIT_NO_CODE)
			break;
	}
	/* and without a budget: the fastest way; a run that goes on is kicked after a millisecond */
	running = m->cpu;
	sigfillset(&sa.sa_mask); /* ia_cpu.h */
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 1000 }, { 0, 1000 } }, NULL);
	for (unsigned k = 0; k < 1000 && emu_ia_run(m->cpu, 0) == IA_EXIT_STOP; k++)
		;
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	return 0;
}
