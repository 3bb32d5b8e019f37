/* What can this host run? Asked by running it: what each probe guest does is compared with what it
 * should do.
 */
#include "vmm/probe.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>

/* A CPL-0 instruction that takes longer than this many natural ones is not run by the CPU itself.
 * Emulators need thousands. */
#define SLOW_RATIO 100.0

/* ---- judging it ---- */

static uint32_t mark_of(const struct vmm_probe_run *r)
{
	uint32_t v;

	memcpy(&v, vmm_ram(r->m, PROBE_MARK, 4), 4);
	return v;
}

/* CS of what an exit stub interrupted: below it on the stack lies RIP, and an error code for some. */
static unsigned interrupted_cs(const struct vmm_probe_run *r)
{
	unsigned v = r->code - PROBE_VECTOR;
	unsigned skip = v == 8 || (v >= 10 && v <= 14) || v == 17 || v == 21 ? 16 : 8;
	const uint64_t *p = vmm_ram(r->m, r->state.gpr[RSP] + skip, 8);

	return p ? (unsigned)*p : 0;
}

static void insn_at_rip(const struct vmm_probe_run *r, char *buf, size_t size)
{
	unsigned char code[15];
	struct vmm_insn in;
	int bits = vmm_mode_bits(&r->state);
	size_t n = vmm_read_linear(r->m, &r->state,
				   r->state.rip + (bits == 64 ? 0 : r->state.cs.base), code,
				   sizeof(code));

	vmm_decode(code, n, bits, r->state.rip, &in);
	snprintf(buf, size, "%s", in.text);
}

/* How the run ended, when that is not what was wanted. */
static void describe_end(const struct vmm_probe_run *r, struct rs_text *out)
{
	unsigned long long rip = r->state.rip;
	char insn[RS_TEXT_SIZE] = "";

	if (r->end == PROBE_END_INTERNAL || r->end == PROBE_END_TIME)
		insn_at_rip(r, insn, sizeof(insn));
	switch (r->end) {
	case PROBE_END_CODE:
		if (r->code >= PROBE_VECTOR && r->code < PROBE_VECTOR + 256) {
			const char *name = rs_vector_mnemonic(r->code - PROBE_VECTOR);

			rs_text_set(out, N_("vector %u (%s) arrived from ring %u"), r->code - PROBE_VECTOR,
				 name ? name : "interrupt", interrupted_cs(r) & 3);
		} else {
			rs_text_set(out, N_("the guest computed a wrong result (code %u)"), r->code);
		}
		break;
	case PROBE_END_HALT:
		rs_text_set(out, N_("the guest went past its end"));
		break;
	case PROBE_END_SHUTDOWN:
		rs_text_set(out, N_("triple fault"));
		break;
	case PROBE_END_INTERNAL:
		rs_text_set(out, N_("KVM gave up at 0x%llx: \"%s\" (internal error %u)"), rip, insn,
			 r->exit.internal.suberror);
		break;
	case PROBE_END_FAIL_ENTRY:
		rs_text_set(out, N_("the CPU refused to enter the guest (hardware reason 0x%llx)"),
			 (unsigned long long)r->exit.fail.hardware_reason);
		break;
	case PROBE_END_TIME:
		rs_text_set(out, N_("it did not end within a second; it was at 0x%llx: \"%s\""), rip, insn);
		break;
	case PROBE_END_STUCK:
		rs_text_set(out, N_("it did not end within a second, and KVM_RUN cannot be interrupted"));
		break;
	case PROBE_END_ENGINE:
		for (int l = 0; l < RS_LANGS; l++)
			snprintf(out->in[l], sizeof(out->in[l]), "%.190s", r->err.text[l]);
		break;
	default:
		rs_text_set(out, N_("KVM_RUN came back for the unexpected reason %u"), r->exit.reason);
	}
}

/* Did what was to be watched happen too? An empty string, or what is missing (a translation key). */
static const char *unseen(const struct vmm_probe_run *r)
{
	const struct probe_guest *g = r->g;

	if (g->mark_wanted && mark_of(r) != g->mark_wanted)
		return N_("ring 3 was not reached");
	if (g->from_ring3 && (interrupted_cs(r) & 3) != 3)
		return N_("the code that was interrupted was not in ring 3");
	if (g->code_wanted == PROBE_SYSCALL && vmm_cpl(&r->state) != 0)
		return N_("syscall jumped to the kernel, but the CPU stayed in ring 3");
	if (g->code_wanted == PROBE_VECTOR + 14 && r->state.cr2 != 0x1000)
		return N_("CR2 does not hold the address of the page fault");
	if (g->step && r->steps[g->steps_cpl] < 3)
		return g->steps_cpl ? N_("no single-step exits came from ring 3")
				    : N_("no single-step exits came from ring 0");
	if (g->breakpoint && r->breakpoints != 1)
		return N_("the breakpoint was not reported");
	if (g->mmio && r->mmio != 1)
		return N_("the write did not reach the monitor");
	if (g->count_exits && r->hardware_exits < 100)
		return N_("KVM does not count the exits that the kernel handles");
	if (g->dirty_log && !(r->dirty >> (PROBE_MARK >> 12) & 1))
		return N_("the page that the guest wrote is not in the log");
	return "";
}

/* The row; its detail comes from rs_text_set. */
static void set(struct vmm_ability *a, const char *name, enum vmm_ability_state state, const char *advice)
{
	a->name = name;
	a->state = state;
	a->advice = state == VMM_REAL ? NULL : advice;
}

static void judge(const struct vmm_probe_run *r, bool slow, struct vmm_ability *a)
{
	const struct probe_guest *g = r->g;

	if (r->end == PROBE_END_CODE && r->code == g->code_wanted) {
		const char *lack = unseen(r);

		if (*lack) {
			set(a, g->name, VMM_BROKEN, g->advice);
			rs_text_key(&a->detail, lack);
		} else if (slow && g->group == PROBE_RING0) {
			set(a, g->name, VMM_EMULATED, N_("It works, slowly; nothing needs to be done."));
			rs_text_set(&a->detail, N_("works, in KVM's instruction emulator"));
		} else {
			set(a, g->name, VMM_REAL, NULL);
			rs_text_set(&a->detail, N_("works"));
		}
		return;
	}
	if (r->end == PROBE_END_CODE && r->code == PROBE_NO_CPUID) {
		set(a, g->name, VMM_MISSING, g->advice);
		rs_text_set(&a->detail, N_("the guest's CPU does not have it (CPUID)"));
		return;
	}
	set(a, g->name, r->end == PROBE_END_ENGINE && r->err.code == -ENOSYS ? VMM_MISSING : VMM_BROKEN,
	    g->advice);
	describe_end(r, &a->detail);
}

/* ---- the rows that are no guests ---- */

/* The same loop here, in ns a turn. */
static double native_turn(void)
{
	uint64_t best = ~0ull;

	for (int i = 0; i < 3; i++) { /* the best of a few: others want the CPU too */
		uint64_t t = vmm_now_ns();
		unsigned n = 100 * VMM_PROBE_LOOPS;

		__asm__ volatile("1: dec %0\n\tjnz 1b" : "+r"(n) : : "cc");
		t = vmm_now_ns() - t;
		best = t < best ? t : best;
	}
	return (double)(best ? best : 1) / (100.0 * VMM_PROBE_LOOPS);
}

/* Is code at CPL 0 run by the CPU, or an instruction at a time by an emulator? Slow once may mean
 * that somebody else had the CPU. */
static bool probe_speed(struct vmm_ability *a)
{
	double native = native_turn();
	bool slow = true;

	for (int i = 0; i < 3 && slow; i++) {
		struct vmm_probe_run *r = vmm_probe_run_guest(&vmm_probe_speed);
		double turn = (double)r->ns / VMM_PROBE_LOOPS;

		if (r->end != PROBE_END_CODE || r->code != PROBE_OK) {
			judge(r, false, a);
			slow = r->end == PROBE_END_TIME; /* only an emulator is as slow as that */
			vmm_probe_run_free(r);
			break;
		}
		slow = turn > SLOW_RATIO * native;
		set(a, vmm_probe_speed.name, slow ? VMM_EMULATED : VMM_REAL,
		    N_("Ring 0 runs in an instruction emulator: expect long runs, and take the software CPU for large guests."));
		rs_text_set(&a->detail,
			    N_("a loop of two instructions: %.1f ns a turn, %.1f ns outside the guest"), turn,
			    native);
		vmm_probe_run_free(r);
	}
	return slow;
}

#define TURN_ON N_("Switch on VT-x or AMD-V in the firmware and load kvm_intel or kvm_amd; in a virtual machine, allow nested virtualization.")

static unsigned probe_device(struct vmm_ability *out, struct vmm_kvm_facts *f)
{
	if (f->open_errno) {
		bool denied = f->open_errno == EACCES || f->open_errno == EPERM;

		set(&out[0], "kvm.device", VMM_MISSING,
		    denied ? N_("Join the group kvm: sudo usermod -aG kvm $USER, then log in again.") : TURN_ON);
		rs_text_set(&out[0].detail, "/dev/kvm: %s", strerror(f->open_errno));
		set(&out[1], "kvm.vm", VMM_MISSING, TURN_ON);
		rs_text_set(&out[1].detail, N_("there is no /dev/kvm to ask"));
		return 2;
	}
	set(&out[0], "kvm.device", VMM_REAL, NULL);
	rs_text_set(&out[0].detail, N_("/dev/kvm opens"));
	set(&out[1], "kvm.api", f->api == KVM_API_VERSION ? VMM_REAL : VMM_BROKEN,
	    N_("This kernel's KVM speaks another interface: update the kernel."));
	rs_text_set(&out[1].detail, N_("version %d of the interface"), f->api);
	set(&out[2], "kvm.vm", f->create_errno ? VMM_BROKEN : VMM_REAL, TURN_ON);
	if (f->create_errno)
		rs_text_set(&out[2].detail, "KVM_CREATE_VM: %s", strerror(f->create_errno));
	else
		rs_text_set(&out[2].detail, N_("a virtual machine can be made"));
	set(&out[3], "kvm.sync-regs", f->sync_regs ? VMM_REAL : VMM_MISSING,
	    N_("Registers are read by system call instead: slower, nothing else."));
	rs_text_set(&out[3].detail, f->sync_regs ? N_("registers travel in the shared page")
						 : N_("the kernel does not offer it"));
	set(&out[4], "kvm.immediate-exit", f->immediate_exit ? VMM_REAL : VMM_MISSING,
	    N_("The monitor interrupts the guest by signal instead."));
	rs_text_set(&out[4].detail, f->immediate_exit ? N_("KVM_RUN can be interrupted without a race")
						      : N_("the kernel does not offer it"));
	return 5;
}

/* The software CPU runs everywhere; how fast? The loop of probe_speed in a machine like those of the probes. */
static void probe_soft(struct vmm_ability *a)
{
	const struct probe_guest *g = &vmm_probe_speed;
	size_t size = (size_t)((const char *)g->end - (const char *)g->code);
	struct vmm_cpu_state s;
	struct vmm_machine *m;
	struct rs_err err = RS_ERR_INIT;
	struct vmm_desc d;
	uint64_t t = 0;

	vmm_desc_init(&d);
	d.entry = g->entry;
	d.memory = PROBE_MEMORY;
	m = vmm_machine_new(&d, NULL, &err);
	if (m) {
		m->ops = &vmm_engine_soft;
		memcpy(vmm_ram(m, PROBE_CODE, size), g->code, size);
		if (vmm_trace_new(&m->vcpu, &err) == 0 && m->ops->vm_new(m, &err) == 0 &&
		    vmm_entry_setup(m, &d, PROBE_CODE, &s, &err) == 0 && m->ops->vcpu_new(m, 0, &err) == 0 &&
		    m->ops->set_state(&m->vcpu, &s, &err) == 0) {
			t = vmm_now_ns();
			while (!m->vcpu.ended && m->ops->run(&m->vcpu, &m->vcpu.exit, &err) == -EINTR)
				;
			t = vmm_now_ns() - t;
		}
	}
	if (m && m->vcpu.ended && m->vcpu.code == PROBE_OK) {
		set(a, "soft", VMM_REAL, NULL);
		rs_text_set(&a->detail, N_("the software CPU runs: a loop of two instructions takes %.1f ns a turn"),
			    (double)t / VMM_PROBE_LOOPS);
	} else {
		set(a, "soft", VMM_BROKEN, N_("This is a fault of Ringside: report it."));
		for (int l = 0; l < RS_LANGS; l++)
			snprintf(a->detail.in[l], sizeof(a->detail.in[l]), "%.190s", err.text[l]);
	}
	vmm_machine_free(m);
}

unsigned vmm_probe(struct vmm_ability *out, unsigned max)
{
	struct vmm_ability row[VMM_ABILITIES_MAX];
	struct vmm_kvm_facts facts;
	unsigned n;

	memset(row, 0, sizeof(row));
	vmm_kvm_facts(&facts);
	n = probe_device(row, &facts);
	if (!facts.open_errno && !facts.create_errno && facts.api == KVM_API_VERSION) {
		bool slow = probe_speed(&row[n++]);

		for (unsigned i = 0; i < vmm_probe_guest_count && n < VMM_ABILITIES_MAX; i++) {
			struct vmm_probe_run *r = vmm_probe_run_guest(&vmm_probe_guests[i]);

			judge(r, slow, &row[n++]);
			vmm_probe_run_free(r);
		}
	}
	if (n < VMM_ABILITIES_MAX)
		probe_soft(&row[n++]);
	n = n < max ? n : max;
	memcpy(out, row, n * sizeof(row[0]));
	return n;
}

int vmm_available(const char *engine, struct rs_err *err)
{
	struct rs_err local = RS_ERR_INIT;

	err = err ? err : &local;
	return vmm_engine_pick(engine, err) ? 0 : err->code;
}
