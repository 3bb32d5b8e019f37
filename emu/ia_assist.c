/* Instructions that are not translated, done in C: which routine, and the addresses and memory for it. */
#include <string.h>

#include "emu/ia_sys.h"

uint64_t emu_ia_gpr(const struct emu_cpu *cpu, unsigned reg, unsigned bytes)
{
	return bytes == 8 ? cpu->r[reg] : bytes == 4 ? (uint32_t)cpu->r[reg] : (uint16_t)cpu->r[reg];
}

void emu_ia_set_gpr(struct emu_cpu *cpu, unsigned reg, unsigned bytes, uint64_t v)
{
	cpu->r[reg] = bytes == 8 ? v : bytes == 4 ? (uint32_t)v : (cpu->r[reg] & ~0xffffull) | (uint16_t)v;
}

uint64_t emu_ia_in_segment(const struct emu_cpu *cpu, const struct emu_ia_insn *i, uint64_t effective, unsigned seg)
{
	struct emu_ia_cpu *s = emu_ia_state(cpu);

	if (i->asize < 8)
		effective &= i->asize == 4 ? 0xffffffff : 0xffff;
	if (s && s->sys) {
		s->seg = (uint8_t)seg;
		s->offset = effective;
		s->linear = ia_seg_linear(s->sys, seg, effective);
		return s->linear;
	}
	if (i->bits == 64)
		return seg >= IA_FS ? effective + cpu->r[IA_G_SEGBASE + seg] : effective;
	return (uint32_t)(effective + cpu->r[IA_G_SEGBASE + seg]);
}

uint64_t emu_ia_address(const struct emu_cpu *cpu, const struct emu_ia_insn *i)
{
	uint64_t a = (uint64_t)i->disp;

	if (i->base == IA_RIP)
		a += cpu->pc + i->len;
	else if (i->base != IA_NOREG)
		a += cpu->r[i->base];
	if (i->index != IA_NOREG)
		a += cpu->r[i->index] << i->scale;
	return emu_ia_in_segment(cpu, i, a, i->seg);
}

/* The first byte that may not be accessed is the address of the fault. */
static int fault(struct emu_cpu *cpu, uint64_t at, unsigned bytes, bool write)
{
	struct emu_mem *m = &cpu->world->mem;
	uint64_t next = (at | (EMU_PAGE - 1)) + 1;
	int prot = write ? PROT_WRITE : PROT_READ;

	cpu->fault_addr = at;
	if (next - at < bytes && emu_mem_host(m, at, next - at, prot))
		cpu->fault_addr = next;
	cpu->fault_write = write;
	return EMU_EXC_SEGV;
}

/* An access wraps at 4 GiB as translated ones do (mem.h). */
/* Behind an MMU: what the segment of the last address says of an access near it. */
static int in_segment(const struct emu_ia_cpu *s, uint64_t at, unsigned bytes, bool write)
{
	return ia_seg_check(s->sys, s->seg, (s->offset + (at - s->linear)) & (s->sys->mode.bits == 64 ? ~0ull : 0xffffffff), bytes,
			    write);
}

static int through_mmu(struct emu_cpu *cpu, uint64_t at, void *data, unsigned bytes, bool write)
{
	const struct emu_ia_cpu *s = emu_ia_state(cpu);
	int e = in_segment(s, at, bytes, write);

	if (e)
		return e;
	e = write ? ia_mem_write(s->sys, at, data, bytes, false) : ia_mem_read(s->sys, at, data, bytes, false);
	return e == EMU_EXC_VECTOR + IA_V_GP && s->seg == IA_SS ? ia_fault(s->sys, IA_V_SS, 0) : e;
}

int emu_ia_read(struct emu_cpu *cpu, uint64_t at, void *to, unsigned bytes)
{
	if (cpu->world->soft)
		return through_mmu(cpu, at, to, bytes, false);
	at = (uint32_t)at;
	return emu_mem_read(&cpu->world->mem, at, to, bytes) ? 0 : fault(cpu, at, bytes, false);
}

int emu_ia_write(struct emu_cpu *cpu, uint64_t at, const void *from, unsigned bytes)
{
	if (cpu->world->soft)
		return through_mmu(cpu, at, (void *)(uintptr_t)from, bytes, true);
	at = (uint32_t)at;
	return emu_mem_write(&cpu->world->mem, at, from, bytes) ? 0 : fault(cpu, at, bytes, true);
}

int emu_ia_writable(struct emu_cpu *cpu, uint64_t at, unsigned bytes)
{
	if (cpu->world->soft) {
		int e = in_segment(emu_ia_state(cpu), at, bytes, true);

		return e ? e : ia_mem_probe(ia_sys(cpu), at, bytes, true, false);
	}
	at = (uint32_t)at;
	return emu_mem_host(&cpu->world->mem, at, bytes, PROT_WRITE) ? 0 : fault(cpu, at, bytes, true);
}

/* The linear address of the next instruction. */
static uint64_t after(const struct emu_cpu *cpu, const struct emu_ia_insn *i)
{
	uint64_t base = cpu->r[IA_G_SEGBASE + IA_CS];

	if (i->bits == 64)
		return cpu->pc + i->len;
	return (uint32_t)(base + ((cpu->pc + i->len - base) & (i->bits == 16 ? 0xffff : 0xffffffff)));
}

enum emu_exc emu_ia_assist(struct emu_cpu *cpu, unsigned bits)
{
	uint8_t code[IA_INSN_MAX];
	struct emu_ia_insn i;
	unsigned n = IA_INSN_MAX;
	int e;

	/* it was fetched before, so what it needs can be read */
	while (n && !emu_mem_read(&cpu->world->mem, cpu->pc, code, n))
		n--;
	if (emu_ia_decode(code, n, bits, &i) != IA_DECODED || !emu_ia_state(cpu))
		return EMU_EXC_COMPLEX;
	e = emu_ia_do_x87(cpu, &i);
	if (e == EMU_EXC_COMPLEX)
		e = emu_ia_sse(cpu, &i);
	if (!e)
		cpu->pc = after(cpu, &i);
	return (enum emu_exc)e;
}

enum emu_exc emu_ia_assist64(struct emu_cpu *cpu)
{
	return emu_ia_assist(cpu, 64);
}

enum emu_exc emu_ia_assist32(struct emu_cpu *cpu)
{
	return emu_ia_assist(cpu, 32);
}
