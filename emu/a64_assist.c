/* AArch64: instructions on 128 bits of memory at once, in C. They are rare. */
#include "emu/a64_translate.h"
#include "emu/world.h"

struct pair {
	uint64_t low, high;
};

/* lock cmpxchg16b: memory becomes `value` if it is `old`. Returns what it was. */
static struct pair exchange(void *p, struct pair old, struct pair value)
{
#ifdef __x86_64__
	__asm__ volatile("lock cmpxchg16b %0"
			 : "+m"(*(unsigned __int128 *)p), "+a"(old.low), "+d"(old.high)
			 : "b"(value.low), "c"(value.high)
			 : "cc", "memory");
	return old;
#else
	unsigned __int128 was = old.low | (unsigned __int128)old.high << 64;

	__atomic_compare_exchange_n((unsigned __int128 *)p, &was, value.low | (unsigned __int128)value.high << 64, false,
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return (struct pair){ (uint64_t)was, (uint64_t)(was >> 64) };
#endif
}

static enum emu_exc fault(struct emu_cpu *cpu, enum emu_exc exc, uint64_t addr, bool write)
{
	cpu->exc = exc;
	cpu->fault_addr = addr;
	cpu->fault_write = write;
	return exc;
}

static uint64_t value_of(const struct emu_cpu *cpu, unsigned r)
{
	return r == 31 ? 0 : cpu->r[r];
}

static void set(struct emu_cpu *cpu, unsigned r, uint64_t v)
{
	if (r != 31)
		cpu->r[r] = v;
}

static bool same(struct pair a, struct pair b)
{
	return a.low == b.low && a.high == b.high;
}

/* Does it with the 16 bytes at p. The one access of 128 bits that x86 has writes; a load that may not
 * write is two loads, repeated until they agree. */
static void perform(struct emu_cpu *cpu, const struct a64_insn *i, uint64_t *p, uint64_t addr)
{
	struct pair old = { __atomic_load_n(p, __ATOMIC_SEQ_CST), __atomic_load_n(p + 1, __ATOMIC_SEQ_CST) }, now;
	struct pair value = { value_of(cpu, i->rd), value_of(cpu, i->class == A64_CLASS_CAS_PAIR ? i->rd | 1u : i->ra) };

	if (i->class == A64_CLASS_CAS_PAIR) {
		now = exchange(p, (struct pair){ value_of(cpu, i->rm), value_of(cpu, i->rm | 1u) }, value);
		set(cpu, i->rm, now.low);
		set(cpu, i->rm | 1u, now.high);
	} else if (i->bits >> 22 & 1) {
		while (now = (struct pair){ __atomic_load_n(p, __ATOMIC_SEQ_CST), __atomic_load_n(p + 1, __ATOMIC_SEQ_CST) },
		       !same(now, old))
			old = now;
		cpu->res_addr = (uint32_t)addr;
		cpu->res_value = old.low;
		cpu->res_high = old.high;
		set(cpu, i->rd, old.low);
		set(cpu, i->ra, old.high);
	} else {
		struct pair was = { cpu->res_value, cpu->res_high };
		bool ok = cpu->res_addr == (uint32_t)addr && same(exchange(p, was, value), was);

		cpu->res_addr = ~0ull;
		set(cpu, i->rm, !ok);
	}
}

enum emu_exc a64_assist(struct emu_cpu *cpu)
{
	struct emu_mem *m = &cpu->world->mem;
	struct a64_insn i;
	uint32_t bits;
	uint64_t addr;
	bool write;
	void *p;

	/* The code may have changed since it was translated: then it is another instruction by now. */
	if (!emu_mem_read(m, cpu->pc, &bits, sizeof(bits)) || !a64_decode(bits, &i) || i.size != 3 ||
	    (i.class != A64_CLASS_EXCLUSIVE_PAIR && i.class != A64_CLASS_CAS_PAIR))
		return EMU_EXC_NONE;
	write = i.class == A64_CLASS_CAS_PAIR || !(bits >> 22 & 1);
	addr = (uint32_t)cpu->r[i.rn];
	if (addr % 16)
		return fault(cpu, EMU_EXC_MISALIGNED, addr, write);
	p = emu_mem_host(m, addr, 16, write ? PROT_READ | PROT_WRITE : PROT_READ);
	if (!p)
		return fault(cpu, EMU_EXC_SEGV, addr, write);
	perform(cpu, &i, p, addr);
	cpu->pc += 4;
	return EMU_EXC_NONE;
}
