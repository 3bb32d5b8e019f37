/* Memory of the software x86 CPU: through segments and MMU for C routines; what translated code could not do itself;
 * pages with code (ia_sys.h, soft.h).
 */
#include <string.h>

#include "emu/ia_sys.h"

#define PAGE 4096u

uint8_t *ia_ram(void *arg, uint64_t gpa, unsigned bytes)
{
	struct emu_ia_vcpu *v = arg;
	const struct emu_ia_slot *s = &v->slot[v->last_slot];

	for (unsigned n = 0; gpa - s->gpa >= s->size; n++) {
		if (n == v->slots)
			return NULL;
		v->last_slot = n;
		s = &v->slot[n];
	}
	return s->size - (gpa - s->gpa) >= bytes ? s->host + (gpa - s->gpa) : NULL;
}

/* -- rights of segments -- */

/* #GP or #SS with error code 0 for what is wrong with an address in this segment. */
static int segment_fault(struct emu_ia_vcpu *v, unsigned seg)
{
	return ia_fault(v, seg == IA_SS ? IA_V_SS : IA_V_GP, 0);
}

/* SDM volume 3A, 5.3: the effective limit; expand-down segments have what is beyond it. */
static bool in_limit(const struct emu_ia_seg *s, uint64_t first, unsigned bytes)
{
	uint64_t last = first + bytes - 1;

	if (s->s && !(s->type & 8) && (s->type & 4))
		return first > s->limit && last <= (s->db ? 0xffffffffu : 0xffffu);
	return last <= s->limit;
}

int ia_seg_check(struct emu_ia_vcpu *v, unsigned seg, uint64_t offset, unsigned bytes, bool write)
{
	const struct emu_ia_seg *s = &v->seg[seg];
	bool code = s->type & 8;

	if (ia_code64(v))
		return 0;
	if (!ia_real(v) && (s->unusable || (write ? code || !(s->type & 2) : code && !(s->type & 2))))
		return segment_fault(v, seg);
	return in_limit(s, offset, bytes) ? 0 : segment_fault(v, seg);
}

uint64_t ia_seg_linear(const struct emu_ia_vcpu *v, unsigned seg, uint64_t offset)
{
	if (ia_code64(v))
		return offset + (seg >= IA_FS ? v->seg[seg].base : 0);
	return (uint32_t)(offset + v->seg[seg].base);
}

/* -- pages -- */

static enum emu_ia_as as_now(const struct emu_ia_vcpu *v)
{
	if (v->cpl == 3)
		return IA_AS_USER;
	return (v->mmu.cr4 & IA_CR4_SMAP) && !(v->cpu->r[IA_G_RFLAGS] & IA_AC) ? IA_AS_KERNEL_SMAP : IA_AS_KERNEL;
}

void ia_mem_mode(struct emu_ia_vcpu *v)
{
	uint64_t half = v->cpl == 3 ? (uint64_t)EMU_JUMPS << emu_jump_shift(v->world->guest) : 0;

	if (v->cpu->jump_half != half) { /* nor is a return of the other ring foreseen */
		v->cpu->jump_half = half;
		v->cpu->ret_sp = v->cpu->ret_base;
	}
	v->cpu->tlb = v->mmu.tlb[as_now(v)];
	v->cpu->r[IA_G_CPL] = (uint64_t)v->cpl << 12;
}

struct piece {
	uint64_t linear, gpa;
	uint8_t *host;
	unsigned bytes;
};

static int translate(struct emu_ia_vcpu *v, struct piece *p, enum emu_ia_access access, enum emu_ia_as as, bool stack)
{
	uint32_t error;

	switch (emu_ia_translate_address(&v->mmu, p->linear, access, as, &p->gpa, &p->host, &error)) {
	case IA_MAPPED: return 0;
	case IA_PAGE_FAULT:
		v->cpu->fault_addr = p->linear;
		v->cpu->fault_write = access == IA_WRITE;
		return ia_fault(v, IA_V_PF, error);
	default: return ia_fault(v, stack ? IA_V_SS : IA_V_GP, 0);
	}
}

/* The one or two pages of an access; *n. All are translated before anything is touched. */
static int cut(struct emu_ia_vcpu *v, uint64_t linear, unsigned bytes, enum emu_ia_access access, enum emu_ia_as as,
	       bool stack, struct piece p[2], unsigned *n)
{
	unsigned first = PAGE - (unsigned)(linear % PAGE);
	int e;

	*n = 1;
	p[0].linear = linear;
	p[0].bytes = bytes;
	if (first < bytes) {
		*n = 2;
		p[0].bytes = first;
		p[1].linear = ia_long(v) ? linear + first : (uint32_t)(linear + first);
		p[1].bytes = bytes - first;
	}
	for (unsigned k = 0; k < *n; k++) {
		e = translate(v, &p[k], access, as, stack);
		if (e)
			return e;
	}
	return 0;
}

static bool is_rom(const struct emu_ia_vcpu *v, uint64_t gpa)
{
	for (unsigned n = 0; n < v->slots; n++)
		if (gpa - v->slot[n].gpa < v->slot[n].size)
			return v->slot[n].readonly;
	return false;
}

static void mmio(struct emu_ia_vcpu *v, uint64_t gpa, uint8_t *data, unsigned bytes, bool write)
{
	while (bytes) {
		unsigned n = bytes > 8 ? 8 : bytes;
		uint64_t value = 0;

		if (write)
			memcpy(&value, data, n);
		v->count.mmios++;
		if (v->desc.mmio && v->desc.mmio(v->desc.arg, gpa, n, write, &value) == EMU_IA_STOP)
			v->stop = true;
		if (!v->desc.mmio)
			value = ~0ull;
		if (!write)
			memcpy(data, &value, n);
		data += n;
		gpa += n;
		bytes -= n;
	}
}

static bool has_code(const struct emu_ia_vcpu *v, uint64_t gpa)
{
	return v->code_page[gpa / PAGE / 8] >> (gpa / PAGE % 8) & 1;
}

static void do_piece(struct emu_ia_vcpu *v, const struct piece *p, uint8_t *data, bool write)
{
	if (!p->host || (write && is_rom(v, p->gpa))) {
		mmio(v, p->gpa, data, p->bytes, write);
	} else if (write) {
		memcpy(p->host, data, p->bytes);
		if (has_code(v, p->gpa))
			ia_code_written(v, p->gpa, p->bytes);
	} else {
		memcpy(data, p->host, p->bytes);
	}
}

static enum emu_ia_as as_of(const struct emu_ia_vcpu *v, bool system)
{
	return !system ? as_now(v) : v->mmu.cr4 & IA_CR4_SMAP ? IA_AS_KERNEL_SMAP : IA_AS_KERNEL;
}

/* The host's memory for an access that the TLB lets through as it is, or NULL. */
static uint8_t *quick(const struct emu_ia_vcpu *v, uint64_t linear, unsigned bytes, bool write, enum emu_ia_as as)
{
	const struct emu_ia_tlb *t = &v->mmu.tlb[as][linear / PAGE % EMU_IA_TLB];

	if (t->tag[write ? IA_WRITE : IA_READ] != (linear & ~(uint64_t)(PAGE - 1)) || linear % PAGE + bytes > PAGE)
		return NULL;
	return (uint8_t *)(uintptr_t)(linear + t->addend);
}

static int access_memory(struct emu_ia_vcpu *v, uint64_t linear, uint8_t *data, unsigned bytes, bool write, bool system)
{
	struct piece p[2];
	unsigned n;
	int e = cut(v, linear, bytes, write ? IA_WRITE : IA_READ, as_of(v, system), false, p, &n);

	if (!e && (v->dr7 & 0xff) && !system)
		v->db |= ia_breakpoint_data(v, linear, bytes, write);
	for (unsigned k = 0; !e && k < n; k++) {
		do_piece(v, &p[k], data, write);
		data += p[k].bytes;
	}
	return e;
}

/* Mostly it is a word of 64 bits: a stack, a descriptor. */
static inline void copy(void *to, const void *from, unsigned bytes)
{
	if (bytes == 8)
		memcpy(to, from, 8);
	else
		memcpy(to, from, bytes);
}

int ia_mem_read(struct emu_ia_vcpu *v, uint64_t linear, void *to, unsigned bytes, bool system)
{
	const uint8_t *host = quick(v, linear, bytes, false, as_of(v, system));

	if (host) {
		copy(to, host, bytes);
		return 0;
	}
	return access_memory(v, linear, to, bytes, false, system);
}

int ia_mem_write(struct emu_ia_vcpu *v, uint64_t linear, const void *from, unsigned bytes, bool system)
{
	uint8_t data[512], *host = quick(v, linear, bytes, true, as_of(v, system));

	if (host) {
		copy(host, from, bytes);
		return 0;
	}
	memcpy(data, from, bytes);
	return access_memory(v, linear, data, bytes, true, system);
}

int ia_mem_probe(struct emu_ia_vcpu *v, uint64_t linear, unsigned bytes, bool write, bool system)
{
	struct piece p[2];
	unsigned n;

	return cut(v, linear, bytes, write ? IA_WRITE : IA_READ, as_of(v, system), false, p, &n);
}

/* -- pages with code -- */

void ia_protect_page(void *arg, uint64_t page)
{
	struct emu_ia_vcpu *v = arg;

	if (v->code_page[page / 8] >> (page % 8) & 1)
		return;
	v->code_page[page / 8] |= (uint8_t)(1u << page % 8);
	emu_ia_mmu_protect(&v->mmu, page * PAGE);
}

/* Does the block stand in [from, to) of its i-th page? Only whole instructions are known, so a little more than that
 * counts. */
static bool stands_in(const struct emu_block *b, unsigned i, unsigned from, unsigned to)
{
	unsigned first = i ? 0 : (unsigned)(b->pc % PAGE);
	uint64_t end = b->last + IA_INSN_MAX;
	uint64_t page = (b->pc & ~(uint64_t)(PAGE - 1)) + (uint64_t)(b->pages == 2 && b->insns == 1 ? i : b->page[i] - b->page[0]) * PAGE;

	if (end < page)
		return false;
	return first < to && from < (end - page < PAGE ? (unsigned)(end - page) : PAGE);
}

static struct emu_block *find_hit(const struct emu_ia_vcpu *v, uint64_t page, unsigned from, unsigned to)
{
	struct emu_block *b = v->world->page[page];

	while (b) {
		unsigned i = 0;

		while (b->page[i] != page)
			i++;
		if (stands_in(b, i, from, to))
			return b;
		b = b->page_next[i];
	}
	return NULL;
}

bool ia_code_hit(struct emu_ia_vcpu *v, uint64_t gpa, unsigned bytes)
{
	return has_code(v, gpa) && find_hit(v, gpa / PAGE, (unsigned)(gpa % PAGE), (unsigned)(gpa % PAGE) + bytes);
}

void ia_code_written(struct emu_ia_vcpu *v, uint64_t gpa, uint64_t bytes)
{
	v->decode_age++;
	while (bytes && gpa < v->ram_end) {
		unsigned from = (unsigned)(gpa % PAGE), n = PAGE - from;
		struct emu_block *b;

		if (n > bytes)
			n = (unsigned)bytes;
		if (has_code(v, gpa)) {
			pthread_mutex_lock(&v->world->lock);
			while ((b = find_hit(v, gpa / PAGE, from, from + n)))
				emu_block_invalidate(v->world, b);
			pthread_mutex_unlock(&v->world->lock);
			if (!v->world->page[gpa / PAGE]) {
				v->code_page[gpa / PAGE / 8] &= (uint8_t)~(1u << gpa / PAGE % 8);
				emu_ia_mmu_unprotect(&v->mmu, gpa);
			}
		}
		gpa += n;
		bytes -= n;
	}
}

/* -- translated code -- */

static uint64_t extend(uint64_t value, unsigned info)
{
	switch (info & (7 | EMU_MSIGN)) {
	case EMU_M8 | EMU_MSIGN: return (uint64_t)(int8_t)value;
	case EMU_M16 | EMU_MSIGN: return (uint64_t)(int16_t)value;
	case EMU_M32 | EMU_MSIGN: return (uint64_t)(int32_t)value;
	default: return value;
	}
}

static int do_access(struct emu_ia_vcpu *v, uint64_t linear, unsigned info)
{
	unsigned bytes = 1u << (info & 7), n, done = 0;
	bool write = info & EMU_SOFT_STORE;
	struct piece p[2];
	uint8_t data[8] = { 0 };
	int e;

	if (!ia_long(v))
		linear = (uint32_t)linear;
	e = cut(v, linear, bytes, info & (EMU_SOFT_STORE | EMU_MWRITE) ? IA_WRITE : IA_READ, as_now(v), info & EMU_MSTACK, p, &n);
	if (e)
		return e;
	if (v->dr7 & 0xff) {
		uint32_t hit = ia_breakpoint_data(v, linear, bytes, write);

		if (hit && !v->alone)
			return EMU_EXC_ALONE;
		v->db |= hit;
	}
	for (unsigned k = 0; !v->alone && k < n; k++)
		if (!p[k].host || (write && (is_rom(v, p[k].gpa) || ia_code_hit(v, p[k].gpa, p[k].bytes))))
			return EMU_EXC_ALONE;
	if (write)
		memcpy(data, &v->cpu->slow_value, bytes);
	for (unsigned k = 0; k < n; k++) {
		do_piece(v, &p[k], data + done, write);
		done += p[k].bytes;
	}
	if (!write) {
		uint64_t value;

		memcpy(&value, data, 8);
		v->cpu->slow_value = extend(value, info);
	}
	return 0;
}

uint32_t emu_soft_access(struct emu_cpu *cpu, uint64_t a, unsigned info, uint64_t pc)
{
	struct emu_ia_vcpu *v = ia_sys(cpu);
	int e;

	if (info & EMU_SOFT_SEG)
		e = ia_seg_check(v, info >> 8 & 7, a, 1u << (info & 7), info & EMU_MWRITE);
	else
		e = do_access(v, a, info);
	if (!e)
		return 0;
	cpu->exc = (uint32_t)e;
	cpu->pc = pc;
	return 1;
}

/* -- REP MOVS, REP STOS -- */

static void store_units(uint8_t *to, uint64_t value, unsigned bytes, uint64_t n)
{
	for (uint64_t k = 0; k < n; k++)
		memcpy(to + k * bytes, &value, bytes);
}

static void move_units(uint8_t *to, const uint8_t *from, unsigned bytes, uint64_t n)
{
	if (to <= from || to >= from + n * bytes) {
		memmove(to, from, n * bytes);
		return;
	}
	/* the source is what was written a moment ago: how a pattern is spread */
	for (uint64_t k = 0; k < n; k++)
		memmove(to + k * bytes, from + k * bytes, bytes);
}

uint64_t emu_ia_bulk(struct emu_cpu *cpu, uint64_t count, uint64_t how)
{
	struct emu_ia_vcpu *v = ia_sys(cpu);
	unsigned size = how & 7, bytes = 1u << size;
	uint64_t to = cpu->scratch[0], from = cpu->scratch[1], n = (PAGE - to % PAGE) >> size;
	enum emu_ia_as as = as_now(v);
	uint8_t *host = quick(v, to, bytes, true, as);
	const uint8_t *source = how & IA_BULK_MOVE ? quick(v, from, bytes, false, as) : NULL;

	if ((how & IA_BULK_DOWN) || !host || ((how & IA_BULK_MOVE) && !source))
		return 0;
	if (source && n > (PAGE - from % PAGE) >> size)
		n = (PAGE - from % PAGE) >> size;
	if (n > count)
		n = count;
	if (source)
		move_units(host, source, bytes, n);
	else
		store_units(host, from, bytes, n);
	return n;
}
