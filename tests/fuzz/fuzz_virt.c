/* A guest kernel in ring 1 may do what it likes: the monitor in ring 0 (vmm/virt*.c) stays what it is, and what it
 * lets the CPU load is never ring 0, never the monitor's memory, never with interrupts off. The CPU is played: the
 * input says where the guest stands, what reaches the monitor, and what lies in guest memory. */
#include <stdlib.h>
#include <string.h>

#include "tests/vmm_played.h"
#include "vmm/virt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CODE 0x10000u
#define ROUNDS 16

static void holds(bool what)
{
	if (!what)
		abort();
}

static void check_shadows(const struct vmm_virt *t)
{
	for (unsigned i = 0; i < VIRT_SHADOWS; i++) {
		uint64_t d, base, limit;

		memcpy(&d, t->pages + VIRT_GDT + i * 8, 8);
		if (!d)
			continue;
		base = (d >> 16 & 0xffffff) | (d >> 32 & 0xff000000);
		limit = (d & 0xffff) | (d >> 32 & 0xf0000);
		limit = d >> 55 & 1 ? limit << 12 | 0xfff : limit;
		holds((d >> 44 & 1) && (d >> 45 & 3) && base + limit < t->base);
	}
}

static void check_frame(const struct vmm_virt *t)
{
	const struct virt_frame *f = t->frame;
	uint32_t at = f->eip - t->base;

	holds(f->cs & 3);
	holds((f->eflags & (RFLAGS_IF | EFLAGS_IOPL | RFLAGS_VM)) == RFLAGS_IF);
	if (f->cs == VIRT_SEL_CACHE)
		holds(t->cache && at >= VIRT_CACHE && at < VIRT_SIZE);
	else
		holds((f->cs & 0xfffcu) < VIRT_SHADOWS * 8 && !(t->cache && (f->cs & 3) == 1));
	holds((f->ss & 0xfffcu) < VIRT_SHADOWS * 8);
}

/* The CPU comes to a stub. Ring 1 of a translating monitor is always in the cache. */
static void arrive(struct vmm_virt *t, const uint8_t *p)
{
	static const uint8_t vectors[] = { 13, 13, 13, VIRT_INT_CALLOUT, VIRT_INT_LINK, VIRT_INT_HYPERCALL, 6, 14, 12, 0x21 };
	struct virt_frame *f = t->frame;
	bool user = p[0] & 1;

	f->vector = vectors[p[1] % sizeof(vectors)];
	f->error = p[2];
	f->eflags = RFLAGS_FIXED | RFLAGS_IF | (p[3] & 0xd5u) | (p[3] & 8 ? EFLAGS_DF : 0);
	f->eip = CODE + (p[4] & 63u);
	f->esp = p[0] & 2 ? 0x5000u - p[5] : 0x10000u * p[5];
	f->cs = user ? VMM_SEL_CODE3 : VMM_SEL_CODE0 | 1;
	f->ss = user ? VMM_SEL_DATA3 : VMM_SEL_DATA0 | 1;
	if (t->cache && !user) {
		f->eip = virt_translated(t, f->eip);
		f->cs = VIRT_SEL_CACHE;
	}
	if (f->cs == VIRT_SEL_CACHE || f->vector == VIRT_INT_LINK)
		f->eip += p[6] & 31u;
	cpu.gpr[RSP] = t->base + VIRT_STACK_TOP - sizeof(*f);
	cpu.gpr[RAX] = p[7];
	cpu.gpr[RCX] = p[6] * 0x01010101u;
	cpu.cs.selector = VIRT_SEL_CODE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t stubs[VIRT_STACK_TOP - 0x1000 - VIRT_TSS];
	struct rs_str text = RS_STR_INIT;
	struct vmm_machine *m;
	struct vmm_virt *t;
	struct vmm_desc d;
	size_t used = 1;

	if (size < 12)
		return 0;
	vmm_desc_init(&d);
	d.entry = VMM_ENTRY_PROT32;
	d.memory = 1 << 20;
	d.technique = (enum rs_technique)(RS_TECHNIQUE_TRAP + data[0] % 3);
	m = vmm_machine_new(&d, NULL, NULL);
	holds(m);
	m->ops = &played_ops;
	holds(!vmm_entry_setup(m, &m->desc, CODE, &cpu, NULL));
	/* The end of the input is code; a part of it is also laid over the guest's tables. */
	memcpy(m->ram + CODE, data + size / 2, size - size / 2 < 0x1000 ? size - size / 2 : 0x1000);
	holds(!vmm_virt_new(&m->vcpu, &cpu, NULL));
	holds(!vmm_trace_new(&m->vcpu, NULL));
	t = m->vcpu.virt;
	memcpy(stubs, t->pages + VIRT_TSS, sizeof(stubs));
	for (unsigned i = 0; i < ROUNDS && !m->vcpu.ended && used + 8 <= size; i++, used += 8) {
		if (data[used] & 0x80)
			m->ram[VMM_GDT + data[used + 5] % 0x30] ^= data[used + 6];
		if (data[used] & 0x40)
			m->ram[VMM_IDT + data[used + 5] * 8u + data[used + 7] % 8] ^= data[used + 6];
		arrive(t, data + used);
		vmm_virt_entered(&m->vcpu);
		check_shadows(t);
		holds(!memcmp(stubs, t->pages + VIRT_TSS, sizeof(stubs)));
		if (!m->vcpu.ended)
			check_frame(t);
	}
	vmm_virt_end(&m->vcpu);
	vmm_virt_explain(t, &text);
	rs_str_release(&text);
	vmm_machine_free(m);
	return 0;
}
