/* What an exception or interrupt meets on its way to its handler: the gate, the code segment behind
 * it, the new stack. Pure over state and guest memory (SDM vol. 3A, 6.12.1, 6.14, 6.15).
 *
 * The CPU does not tell why it shut down. But the tables still stand in memory, so the same way can
 * be walked again, slowly.
 */
#include "vmm/tables.h"

#include <string.h>

enum { DE = 0, DB = 1, BP = 3, UD = 6, DF = 8, TS = 10, NP = 11, SS = 12, GP = 13, PF = 14 };

static void fails(struct vmm_delivery *out, unsigned then, uint64_t at, const char *why)
{
	out->then = then;
	out->at = at;
	out->why = why;
}

static bool canonical(const struct vmm_cpu_state *s, uint64_t a)
{
	int64_t rest = (int64_t)a >> (s->cr4 & CR4_LA57 ? 56 : 47);

	return rest == 0 || rest == -1;
}

/* Can n bytes below `top` be pushed by ring 0? */
static bool can_push(const struct vmm_machine *m, const struct vmm_cpu_state *s, uint64_t top,
		     unsigned n)
{
	for (unsigned done = 0; done < n; done += 8) {
		struct vmm_walk w;

		vmm_walk(m, s, top - n + done, &w);
		if (!w.mapped || (!w.writable && (s->cr0 & CR0_WP)))
			return false;
	}
	return true;
}

static bool has_error_code(unsigned vector)
{
	return vector == DF || (vector >= TS && vector <= PF) || vector == 17 || vector == 21;
}

/* The stack of ring `dpl` that the TSS names, or an IST stack. False: `out` says what is wrong. */
static bool stack_from_tss(const struct vmm_machine *m, const struct vmm_cpu_state *s, unsigned dpl,
			   unsigned ist, uint64_t *sp, struct vmm_delivery *out)
{
	unsigned wide = vmm_long_mode(s);
	unsigned at = !wide ? 4 + 8 * dpl : ist ? 28 + 8 * ist : 4 + 8 * dpl;
	unsigned size = wide ? 8 : 4;

	*sp = 0;
	if (at + size - 1 > s->tr.limit) {
		fails(out, TS, s->tr.base + at, N_("the task state segment is too short to name a stack"));
		return false;
	}
	if (vmm_read_linear(m, s, s->tr.base + at, sp, size) != size) {
		fails(out, PF, s->tr.base + at, N_("the task state segment is not mapped"));
		return false;
	}
	if (wide && !canonical(s, *sp)) {
		fails(out, SS, *sp, N_("the new stack's address is not canonical"));
		return false;
	}
	return true;
}

static bool check_stack(const struct vmm_machine *m, const struct vmm_cpu_state *s,
			const struct vmm_seg *code, const struct vmm_gate *g,
			struct vmm_delivery *out)
{
	unsigned cpl = vmm_cpl(s);
	unsigned dpl = code->type & 4 ? cpl : code->dpl; /* conforming: stays at its level */
	bool wide = vmm_long_mode(s);
	bool inner = dpl < cpl;
	unsigned bytes = (wide || inner ? 5 : 3) + has_error_code(out->vector);
	uint64_t sp = s->gpr[RSP];

	bytes *= wide ? 8 : 4;
	if ((inner || g->ist) && !stack_from_tss(m, s, dpl, g->ist, &sp, out))
		return false;
	if (wide)
		sp &= ~15ull;
	else if (!inner)
		sp = s->ss.base + (uint32_t)sp;
	if (!can_push(m, s, sp, bytes)) {
		fails(out, PF, sp - bytes, N_("the stack that it must push to is not mapped and writable"));
		return false;
	}
	return true;
}

static bool check_code(const struct vmm_machine *m, const struct vmm_cpu_state *s,
		       const struct vmm_gate *g, struct vmm_seg *code, struct vmm_delivery *out)
{
	uint64_t at = (g->selector & 4 ? s->ldtr.base : s->gdt_base) + (g->selector & 0xfff8);
	uint64_t raw;

	if (!(g->selector & 0xfffc)) {
		fails(out, GP, g->at, N_("its gate names the null segment"));
		return false;
	}
	if (!vmm_descriptor_read(m, s, g->selector, code, &raw)) {
		fails(out, GP, at, N_("the code segment that its gate names lies beyond the table"));
		return false;
	}
	if (!code->s || !(code->type & 8) || code->dpl > vmm_cpl(s)) {
		fails(out, GP, at, N_("its gate does not name a code segment that may be entered"));
		return false;
	}
	if (!code->present) {
		fails(out, NP, at, N_("the code segment that its gate names is not present"));
		return false;
	}
	if (vmm_long_mode(s) && (!code->l || code->db)) {
		fails(out, GP, at, N_("the code segment that its gate names is not a 64-bit one"));
		return false;
	}
	return true;
}

static bool check_gate(const struct vmm_cpu_state *s, const struct vmm_gate *g, bool software,
		       struct vmm_delivery *out)
{
	bool type_ok = vmm_long_mode(s) ? g->type == 14 || g->type == 15
					: g->type == 5 || g->type == 6 || g->type == 7 ||
						  g->type == 14 || g->type == 15;

	if (!g->in_limit)
		fails(out, GP, g->at, N_("the interrupt table's limit leaves it out"));
	else if (!g->readable)
		fails(out, PF, g->at, N_("its entry in the interrupt table is not mapped"));
	else if (vmm_real_mode(s))
		return true;
	else if (!g->type && !g->present)
		fails(out, GP, g->at, N_("its entry in the interrupt table is empty"));
	else if (g->s || !type_ok)
		fails(out, GP, g->at, N_("its entry in the interrupt table is not a gate"));
	else if (software && g->dpl < vmm_cpl(s))
		fails(out, GP, g->at, N_("its gate's DPL does not let this ring call it"));
	else if (!g->present)
		fails(out, NP, g->at, N_("its gate is not present (P = 0)"));
	else
		return true;
	return false;
}

void vmm_deliver(const struct vmm_machine *m, const struct vmm_cpu_state *s, unsigned vector,
		 bool software, struct vmm_delivery *out)
{
	struct vmm_gate g;
	struct vmm_seg code;

	*out = (struct vmm_delivery){.vector = vector};
	vmm_gate_read(m, s, vector, &g);
	if (!check_gate(s, &g, software, out))
		return;
	if (vmm_real_mode(s)) {
		out->arrives = true;
		out->handler = g.selector * 16ull + g.offset;
		return;
	}
	if (g.type == 5) { /* a task switch: not followed */
		out->arrives = true;
		return;
	}
	if (!check_code(m, s, &g, &code, out) || !check_stack(m, s, &code, &g, out))
		return;
	if (vmm_long_mode(s) && !canonical(s, g.offset)) {
		fails(out, GP, g.at, N_("the handler's address is not canonical"));
		return;
	}
	out->arrives = true;
	out->handler = g.offset;
}

/* SDM vol. 3A, table 6-5: which two exceptions make a double fault. */
static bool contributory(unsigned vector)
{
	return vector == DE || (vector >= TS && vector <= GP);
}

static bool makes_double_fault(unsigned first, unsigned second)
{
	if (first == PF)
		return second == PF || contributory(second);
	return contributory(first) && contributory(second);
}

unsigned vmm_deliver_chain(const struct vmm_machine *m, const struct vmm_cpu_state *s,
			   unsigned vector, bool software, struct vmm_delivery out[VMM_CHAIN_MAX],
			   bool *shutdown)
{
	unsigned n = 0;

	*shutdown = false;
	while (n < VMM_CHAIN_MAX) {
		struct vmm_delivery *d = &out[n++];

		vmm_deliver(m, s, vector, software, d);
		if (d->arrives)
			break;
		if (vector == DF) {
			*shutdown = true;
			break;
		}
		/* an INT n that is refused is a first exception, not a second one */
		vector = !software && makes_double_fault(vector, d->then) ? DF : d->then;
		software = false;
	}
	return n;
}

/* ---- which exception was it? ---- */

enum access { FETCH, READ, WRITE };

static bool page_fault_at(const struct vmm_machine *m, const struct vmm_cpu_state *s, uint64_t linear,
			  enum access access)
{
	bool user = vmm_cpl(s) == 3;
	struct vmm_walk w;

	vmm_walk(m, s, linear, &w);
	if (!w.mapped)
		return true;
	if (!(s->cr0 & CR0_PG))
		return false;
	if (user && !w.user)
		return true;
	if (access == WRITE && !w.writable && (user || (s->cr0 & CR0_WP)))
		return true;
	return access == FETCH && (w.nx || (!user && w.user && (s->cr4 & CR4_SMEP)));
}

/* The first address of the instruction's accesses that faults, in *address. */
static bool access_faults(const struct vmm_machine *m, const struct vmm_cpu_state *s,
			  const void *code, size_t n, uint64_t *address, int *vector)
{
	struct vmm_access a[VMM_ACCESSES_MAX];
	unsigned count = vmm_accesses(s, code, n, a);

	for (unsigned i = 0; i < count; i++) {
		uint64_t last = a[i].linear + a[i].size - 1;

		if (vmm_mode_bits(s) == 64 && !canonical(s, a[i].linear)) {
			*vector = GP;
			return true;
		}
		*vector = PF;
		*address = a[i].linear;
		if (page_fault_at(m, s, a[i].linear, a[i].write ? WRITE : READ))
			return true;
		*address = last & ~0xfffull;
		if ((last ^ a[i].linear) >> 12 &&
		    page_fault_at(m, s, last, a[i].write ? WRITE : READ))
			return true;
	}
	return false;
}

static int exception_of(const struct vmm_cpu_state *s, const struct vmm_insn *in, bool *software)
{
	unsigned cpl = vmm_cpl(s);
	unsigned iopl = s->rflags >> 12 & 3;
	bool by_iopl = in->io || !strncmp(in->text, "cli", 3) || !strncmp(in->text, "sti", 3);

	if (in->gate == VMM_INSN_INT) {
		*software = in->vector != DB;
		return in->vector;
	}
	if (!strncmp(in->text, "ud", 2))
		return UD;
	if ((in->gate == VMM_INSN_SYSCALL || in->gate == VMM_INSN_SYSRET) && !(s->efer & EFER_SCE))
		return UD;
	/* the I/O bitmap of a TSS may still allow a port: then it is no fault, and nobody asks here */
	if (in->privileged && cpl > (by_iopl ? iopl : 0))
		return GP;
	return -1;
}

/* What does the instruction at RIP raise? `memory`: the registers are those that it would use. */
static int guess(const struct vmm_machine *m, const struct vmm_cpu_state *s, bool memory,
		 struct vmm_insn *in, bool *software, uint64_t *address)
{
	int bits = vmm_mode_bits(s);
	uint64_t linear = s->rip + (bits == 64 ? 0 : s->cs.base);
	unsigned char code[15];
	size_t n;
	int vector;

	*software = false;
	*address = linear;
	*in = (struct vmm_insn){.len = 0};
	if (bits == 64 && !canonical(s, linear))
		return GP;
	if (page_fault_at(m, s, linear, FETCH))
		return PF;
	n = vmm_read_linear(m, s, linear, code, sizeof(code));
	if (!vmm_decode(code, n, bits, s->rip, in)) {
		*address = linear + n;
		return n == sizeof(code) ? UD : PF;
	}
	vector = exception_of(s, in, software);
	if (vector >= 0 || !memory)
		return vector;
	return access_faults(m, s, code, n, address, &vector) ? vector : in->divides ? DE : -1;
}

int vmm_guess_exception(const struct vmm_machine *m, const struct vmm_cpu_state *s, bool *software,
			uint64_t *address)
{
	struct vmm_insn in;

	return guess(m, s, true, &in, software, address);
}

/* Only what is certain whatever the registers hold: so not beyond a choice of ways. */
int vmm_guess_ahead(const struct vmm_machine *m, struct vmm_cpu_state *s, bool *software,
		    uint64_t *address)
{
	for (int i = 0; i < 64; i++) {
		struct vmm_insn in;
		int vector = guess(m, s, i == 0, &in, software, address);
		bool jump = in.target != VMM_NO_TARGET && !strncmp(in.text, "jmp", 3);

		if (vector >= 0)
			return vector;
		if (in.gate != VMM_INSN_PLAIN || (in.target != VMM_NO_TARGET && !jump) ||
		    !strncmp(in.text, "ret", 3) || !strncmp(in.text, "call", 4) ||
		    (!strncmp(in.text, "jmp", 3) && !jump) || !strncmp(in.text, "hlt", 3))
			return -1;
		s->rip = jump ? in.target : s->rip + in.len;
	}
	return -1;
}
