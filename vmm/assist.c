/* One instruction for an engine that cannot execute it: its CPU's whole state goes into a software CPU over the same
 * memory, which executes it and what it raises, and comes back.
 *
 * What the software CPU does not know either (its CPUID has less than the engine's) is left alone: the run
 * then ends with the report that it would have had without it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/cleanup.h"
#include "vmm/soft.h"

#define UD 6u

struct vmm_assist {
	struct emu_ia_vcpu *cpu;
	bool unknown;              /* it raised #UD */
	struct emu_ia_state state;
};

/* Devices are reached as ever, but this is no exit. */
static int on_port(void *arg, uint16_t port, unsigned bytes, bool write, uint32_t *value)
{
	struct vmm_vcpu *v = arg;
	struct vmm_machine *m = v->m;

	if (write)
		vmm_bus_write(&m->pio, port, bytes, *value);
	else
		*value = (uint32_t)vmm_bus_read(&m->pio, port, bytes);
	rs_count(m->em, RS_CTR_VM_PIO_COUNT, 1);
	rs_emit(m->em, RS_EV_VM_PIO, RS_SRC_MONITOR, v->index, port, bytes, write ? RS_DIR_OUT : RS_DIR_IN, *value, NULL);
	return EMU_IA_GO_ON;
}

static int on_mmio(void *arg, uint64_t gpa, unsigned bytes, bool write, uint64_t *value)
{
	struct vmm_vcpu *v = arg;
	struct vmm_machine *m = v->m;

	if (write)
		vmm_bus_write(&m->mmio, gpa, bytes, *value);
	else
		*value = vmm_bus_read(&m->mmio, gpa, bytes);
	rs_count(m->em, RS_CTR_VM_MMIO_COUNT, 1);
	rs_emit(m->em, RS_EV_VM_MMIO, RS_SRC_MONITOR, v->index, gpa, bytes, write ? RS_DIR_OUT : RS_DIR_IN, *value, NULL);
	return EMU_IA_GO_ON;
}

static int on_acknowledge(void *arg)
{
	(void)arg;
	return -1;
}

static void on_cross(void *arg, const struct emu_ia_cross *c)
{
	struct vmm_vcpu *v = arg;
	struct vmm_crossing x = vmm_soft_crossing(c);

	if (x.fault && x.vector == UD)
		v->m->assist->unknown = true;
	else if (!v->m->assist->unknown)
		vmm_trace_cross(v, &x);
}

/* Made when it is first needed; interpreted, for code memory cannot be had behind the seal. */
static struct vmm_assist *assist_of(struct vmm_vcpu *v)
{
	struct vmm_machine *m = v->m;
	struct emu_ia_slot slot[VMM_SLOTS_MAX];
	const struct emu_ia_desc d = {
		.arg = v, .port = on_port, .mmio = on_mmio, .acknowledge = on_acknowledge, .cross = on_cross,
		.engine = "interp",
	};

	if (!m->assist) {
		m->assist = rs_xcalloc(1, sizeof(*m->assist));
		m->assist->cpu = emu_ia_new(&d, slot, vmm_soft_slots(m, slot), NULL);
	}
	return m->assist->cpu ? m->assist : NULL;
}

void vmm_assist_free(struct vmm_machine *m)
{
	if (m->assist)
		emu_ia_free(m->assist->cpu);
	free(rs_steal(m->assist));
}

static void take(struct emu_ia_state *s, const struct vmm_cpu_state *cpu, const struct vmm_cpu_rest *r)
{
	vmm_soft_take(cpu, s);
	s->star = r->star;
	s->lstar = r->lstar;
	s->cstar = r->cstar;
	s->fmask = r->fmask;
	s->kernel_gs_base = r->kernel_gs_base;
	s->tsc_aux = r->tsc_aux;
	s->sysenter_cs = r->sysenter_cs;
	s->sysenter_esp = r->sysenter_esp;
	s->sysenter_eip = r->sysenter_eip;
	memcpy(s->fxsave, r->fxsave, sizeof(s->fxsave));
	s->halted = s->event = s->nmi_pending = false;
	s->shadow = 0;
}

static void give(const struct emu_ia_state *s, struct vmm_cpu_state *cpu, struct vmm_cpu_rest *r)
{
	vmm_soft_state(s, cpu);
	r->star = s->star;
	r->lstar = s->lstar;
	r->cstar = s->cstar;
	r->fmask = s->fmask;
	r->kernel_gs_base = s->kernel_gs_base;
	r->tsc_aux = s->tsc_aux;
	r->sysenter_cs = s->sysenter_cs;
	r->sysenter_esp = s->sysenter_esp;
	r->sysenter_eip = s->sysenter_eip;
	memcpy(r->fxsave, s->fxsave, sizeof(r->fxsave));
}

bool vmm_assist(struct vmm_vcpu *v)
{
	struct vmm_machine *m = v->m;
	const struct vmm_engine_ops *ops = m->ops;
	struct vmm_cpu_state cpu;
	struct vmm_cpu_rest rest;
	struct vmm_assist *a;
	struct vmm_insn insn;
	unsigned char code[15];
	uint64_t rip, began = vmm_ticks();
	unsigned cpl;
	size_t n;

	if (!ops->get_rest || ops->get_state(v, &cpu, NULL) < 0 || ops->get_rest(v, &rest, NULL) < 0)
		return false;
	a = assist_of(v);
	if (!a)
		return false;
	rip = cpu.rip;
	cpl = vmm_cpl(&cpu);
	vmm_trace_hide(v); /* it sees memory as the guest knows it */
	n = vmm_read_linear(m, &cpu, vmm_mode_bits(&cpu) == 64 ? rip : (uint32_t)(cpu.cs.base + rip), code, sizeof(code));
	emu_ia_get(a->cpu, &a->state);
	take(&a->state, &cpu, &rest);
	emu_ia_written(a->cpu, 0, m->desc.memory); /* by the other engine */
	a->unknown = false;
	if (emu_ia_set(a->cpu, &a->state, NULL) < 0 || emu_ia_step(a->cpu, false) != IA_EXIT_BUDGET || a->unknown)
		return false;
	emu_ia_get(a->cpu, &a->state);
	give(&a->state, &cpu, &rest);
	if (ops->set_rest(v, &rest, NULL) < 0 || ops->set_state(v, &cpu, NULL) < 0)
		return false;
	rs_count(m->em, RS_CTR_VM_ASSISTS, 1);
	if (rs_wanted(m->em, RS_EV_VM_ASSIST)) {
		bool known = n && vmm_decode(code, n, vmm_mode_bits(&cpu), rip, &insn);

		rs_emit(m->em, RS_EV_VM_ASSIST, RS_SRC_MONITOR, v->index, rip, cpl, v->exit.internal.suberror,
			vmm_ticks_ns(&m->clock, vmm_ticks() - began), known ? insn.text : NULL);
	}
	v->rip = cpu.rip;
	v->cpl = vmm_cpl(&cpu);
	vmm_trace_assisted(v);
	return true;
}
