/* A gate was passed: the guest stands before a handler's first instruction (behind the
 * HLT that the tracer had put there). The frame on the stack and the instruction
 * that it points to say from which ring and by what (SDM vol. 3A, 6.12.1, 6.14.2;
 * vol. 2, SYSCALL).
 */
#include <string.h>

#include "vmm/trace.h"

enum { BP = 3, OF = 4, DF = 8, TS = 10, NP = 11, SS_ = 12, GP = 13, PF = 14, AC = 17, CP = 21, VC = 29,
       SX = 30 };

/* What the CPU pushed. */
struct frame {
	unsigned word;            /* bytes */
	bool has_error;
	uint64_t error, rip, cs, flags, rsp, ss;
	uint64_t flags_at;        /* linear address of the RFLAGS image */
};

static bool pushes_error(unsigned vector)
{
	return vector == DF || (vector >= TS && vector <= PF) || vector == AC || vector == CP ||
	       vector == VC || vector == SX;
}

static bool has_vector(const struct vmm_handler *h, unsigned vector)
{
	return h->vec[vector / 64] >> (vector % 64) & 1;
}

static bool any_vector(const struct vmm_handler *h)
{
	return h->vec[0] | h->vec[1] | h->vec[2] | h->vec[3];
}

static bool write_linear(const struct vmm_machine *m, const struct vmm_cpu_state *s, uint64_t linear,
			 uint8_t value)
{
	struct vmm_walk w;
	uint8_t *p;

	vmm_walk(m, s, linear, &w);
	p = w.mapped ? vmm_ram(m, w.gpa, 1) : NULL;
	if (!p)
		return false;
	*p = value;
	return true;
}

static bool is_code(const struct vmm_machine *m, const struct vmm_cpu_state *s, uint64_t selector)
{
	struct vmm_seg code;
	uint64_t raw;

	return selector <= 0xffff && (selector & 0xfffc) &&
	       vmm_descriptor_read(m, s, (unsigned)selector, &code, &raw) && code.s && (code.type & 8);
}

static unsigned word_of(const struct vmm_machine *m, const struct vmm_cpu_state *s,
			const struct vmm_handler *h)
{
	if (vmm_real_mode(s))
		return 2;
	if (vmm_long_mode(s))
		return 8;
	for (unsigned vec = 0; vec < 256; vec++) {
		struct vmm_gate g;

		if (has_vector(h, vec) && vmm_gate_read(m, s, vec, &g))
			return g.type & 8 ? 4 : 2;
	}
	return 4;
}

/* Reads the frame at the top of the stack. An error code in front of it is told by where the code
 * segment's selector stands; where that fits both ways, by what instruction was under way. */
static bool read_frame(struct vmm_vcpu *v, const struct vmm_cpu_state *s, const struct vmm_handler *h,
		       struct frame *f)
{
	const struct vmm_trace_state *t = v->trace;
	unsigned char raw[6 * 8] = { 0 };
	uint64_t top = s->gpr[RSP], w[6] = { 0 };
	bool plain, coded;
	unsigned i, n;

	memset(f, 0, sizeof(*f));
	f->word = word_of(v->m, s, h);
	if (!vmm_long_mode(s))
		top = (s->ss.db ? (uint32_t)top : (uint16_t)top) + s->ss.base;
	n = (unsigned)vmm_read_linear(v->m, s, top, raw, 6 * f->word) / f->word;
	for (i = 0; i < n; i++)
		memcpy(&w[i], raw + i * f->word, f->word);
	if (n < 3)
		return false;
	plain = vmm_real_mode(s) || is_code(v->m, s, w[1]);
	coded = !vmm_real_mode(s) && is_code(v->m, s, w[2]);
	if (plain && coded) {
		bool before = t->flight && w[1] == t->s.rip;
		bool after = t->flight && (w[0] == t->s.rip || w[0] == t->s.rip + t->insn.len);

		if (before != after) {
			plain = after;
		} else { /* whichever more vectors of this handler would push */
			plain = false;
			for (unsigned vec = 0; vec < 256; vec++)
				plain |= has_vector(h, vec) && !pushes_error(vec);
		}
	}
	if (!plain && !coded)
		return false;
	f->has_error = !plain;
	i = f->has_error;
	f->error = i ? w[0] : 0;
	f->rip = w[i];
	f->cs = w[i + 1] & 0xffff;
	f->flags = w[i + 2];
	f->flags_at = top + (i + 2) * f->word;
	f->rsp = w[i + 3];
	f->ss = i + 4 < 6 ? w[i + 4] & 0xffff : 0;
	return true;
}

/* The code segment base and width of the code that was left. */
static int bits_of(const struct vmm_machine *m, const struct vmm_cpu_state *s, uint64_t cs,
		   uint64_t *base)
{
	struct vmm_seg code;
	uint64_t raw;

	*base = 0;
	if (vmm_real_mode(s)) {
		*base = cs * 16;
		return 16;
	}
	if (!vmm_descriptor_read(m, s, (unsigned)cs, &code, &raw))
		return vmm_long_mode(s) ? 64 : 32;
	if (vmm_long_mode(s) && code.l)
		return 64;
	*base = code.base;
	return code.db ? 32 : 16;
}

static bool decode_at(struct vmm_vcpu *v, const struct vmm_cpu_state *s, uint64_t cs, uint64_t rip,
		      struct vmm_insn *insn)
{
	unsigned char code[15];
	uint64_t base;
	int bits = bits_of(v->m, s, cs, &base);
	size_t n = vmm_read_linear(v->m, s, base + rip, code, sizeof(code));

	return n && vmm_decode(code, n, bits, rip, insn);
}

/* The instruction of this kind that ends at `rip`. */
static bool decode_before(struct vmm_vcpu *v, const struct vmm_cpu_state *s, uint64_t cs, uint64_t rip,
			  unsigned gate, struct vmm_insn *insn)
{
	for (unsigned len = 1; len <= 10; len++)
		if (decode_at(v, s, cs, rip - len, insn) && insn->len == len && insn->gate == gate)
			return true;
	return false;
}

/* Which of the handler's vectors it was, for an exception at f->rip. */
static unsigned which_exception(struct vmm_vcpu *v, const struct vmm_cpu_state *s,
				const struct vmm_handler *h, const struct frame *f)
{
	static const uint8_t likely[] = { GP, PF, 6, 0, SS_, NP, 7, TS, DF, 16, 19, AC, 1, 5, BP, OF, 2 };
	struct vmm_cpu_state at = *s;
	uint64_t raw, address;
	unsigned only = 256;
	bool software;
	int guess;

	for (unsigned vec = 0; vec < 256; vec++)
		if (has_vector(h, vec) && pushes_error(vec) == f->has_error)
			only = only == 256 ? vec : 257;
	if (only < 256)
		return only;
	/* Ask what that instruction would raise in the state it had. */
	at.rip = f->rip;
	at.rflags = f->flags;
	if (!vmm_real_mode(s)) {
		vmm_descriptor_read(v->m, s, (unsigned)f->cs, &at.cs, &raw);
		at.ss.dpl = f->cs & 3;
	}
	guess = vmm_guess_exception(v->m, &at, &software, &address);
	if (guess >= 0 && has_vector(h, (unsigned)guess) && pushes_error((unsigned)guess) == f->has_error)
		return (unsigned)guess;
	for (unsigned i = 0; i < sizeof(likely); i++)
		if (has_vector(h, likely[i]) && pushes_error(likely[i]) == f->has_error)
			return likely[i];
	for (unsigned vec = 32; vec < 256; vec++)
		if (has_vector(h, vec))
			return vec;
	return GP;
}

/* The guest as the step never was: RFLAGS images must not show the tracer's TF. */
static void hide_tf(struct vmm_vcpu *v, const struct vmm_cpu_state *s, uint64_t flags_at)
{
	uint8_t b;

	if (v->trace->stepping && vmm_read_linear(v->m, s, flags_at + 1, &b, 1) == 1 && (b & 1))
		write_linear(v->m, s, flags_at + 1, b & 0xfe);
}

/* Ring 3 jumped to a handler's address by itself and met the HLT there: that #GP is the tracer's
 * fault. Takes it back, as an IRET would. */
static int take_back(struct vmm_vcpu *v, struct vmm_cpu_state *s, const struct frame *f,
		     struct rs_err *err)
{
	struct vmm_seg cs, ss;
	uint64_t raw;

	if (vmm_descriptor_read(v->m, s, (unsigned)f->cs, &cs, &raw))
		s->cs = cs;
	if (vmm_descriptor_read(v->m, s, (unsigned)f->ss, &ss, &raw))
		s->ss = ss;
	s->ss.dpl = f->cs & 3;
	s->rip = f->rip;
	s->gpr[RSP] = f->rsp;
	s->rflags = f->flags & ~RFLAGS_TF;
	v->trace->once = true; /* over this instruction, with the byte put back */
	v->rip = s->rip;
	v->cpl = f->cs & 3;
	return v->m->ops->set_state(v, s, err);
}

/* Both ends of a crossing are known now. */
static void enter(struct vmm_vcpu *v, unsigned from, enum rs_via via, uint64_t rip, const char *text)
{
	struct vmm_trace_state *t = v->trace;

	if (t->cpl != from)
		vmm_crossed(v, from, RS_VIA_UNSEEN, rip, RS_SRC_EXIT, NULL);
	if (t->cpl != 0)
		vmm_crossed(v, 0, via, rip, RS_SRC_STEP, text);
}

static bool by_syscall(struct vmm_vcpu *v, struct vmm_cpu_state *s, const struct vmm_handler *h)
{
	struct vmm_trace_state *t = v->trace;
	unsigned char code[2];
	uint64_t at = s->gpr[RCX] - 2;

	if (!h->syscall || vmm_read_linear(v->m, s, at, code, 2) != 2 || code[0] != 0x0f ||
	    code[1] != 0x05)
		return false;
	if (t->flight && t->cpl == 0 && t->insn.gate != VMM_INSN_SYSCALL && any_vector(h))
		return false;
	if (t->stepping)
		s->gpr[R11] &= ~RFLAGS_TF;
	vmm_returned(v, 3);
	enter(v, t->cpl, RS_VIA_SYSCALL, at, "syscall");
	return true;
}

static void by_call_gate(struct vmm_vcpu *v, const struct vmm_cpu_state *s, uint64_t top)
{
	uint64_t w[2] = { 0, 0 };
	struct vmm_insn insn;
	unsigned word = vmm_long_mode(s) ? 8 : 4;

	if (!vmm_long_mode(s))
		top = (uint32_t)(top + s->ss.base);
	vmm_read_linear(v->m, s, top, &w[0], word);
	vmm_read_linear(v->m, s, top + word, &w[1], word);
	vmm_returned(v, w[1] & 3);
	if (decode_before(v, s, w[1] & 0xffff, w[0], VMM_INSN_FAR, &insn))
		enter(v, w[1] & 3, RS_VIA_CALL_GATE, w[0] - insn.len, insn.text);
	else
		enter(v, w[1] & 3, RS_VIA_CALL_GATE, w[0], NULL);
}

/* By the IDT. Returns whether the instruction under way was executed (INT n), not refused. */
static bool by_vector(struct vmm_vcpu *v, const struct vmm_cpu_state *s, const struct vmm_handler *h,
		      const struct frame *f)
{
	unsigned from = vmm_real_mode(s) ? 0 : f->cs & 3, vector;
	struct vmm_insn insn;
	bool known;

	vmm_returned(v, from);
	hide_tf(v, s, f->flags_at);
	if (!f->has_error && decode_before(v, s, f->cs, f->rip, VMM_INSN_INT, &insn) &&
	    has_vector(h, insn.vector)) {
		enter(v, from, RS_VIA_INT, f->rip - insn.len, insn.text);
		return true;
	}
	vector = which_exception(v, s, h, f);
	known = decode_at(v, s, f->cs, f->rip, &insn);
	if (vector < 32)
		rs_emit(v->m->em, RS_EV_CPU_FAULT, RS_SRC_STEP, v->index, vector, f->error, f->rip, from,
			known ? insn.text : NULL);
	enter(v, from, vector < 32 ? RS_VIA_EXCEPTION : RS_VIA_INTERRUPT, f->rip,
	      known ? insn.text : NULL);
	return false;
}

int vmm_arrived(struct vmm_vcpu *v, struct vmm_handler *h, struct rs_err *err)
{
	struct vmm_trace_state *t = v->trace;
	struct vmm_cpu_state s;
	struct frame f;
	bool executed = false;
	int r = v->m->ops->get_state(v, &s, err);

	if (r < 0)
		return r;
	s.rip -= 1; /* back over the HLT */
	v->rip = s.rip;
	if (t->flight && t->insn.gate == VMM_INSN_SYSRET)
		s.gpr[R11] &= ~RFLAGS_TF;
	if (by_syscall(v, &s, h)) {
		executed = true;
	} else if (any_vector(h) && read_frame(v, &s, h, &f)) {
		const struct vmm_handler *met = vmm_gates_at(&t->gates, f.rip);

		if (f.has_error && !f.error && has_vector(h, GP) && (f.cs & 3) && met && met->planted)
			return take_back(v, &s, &f, err);
		executed = by_vector(v, &s, h, &f);
	} else if (h->call_gate) {
		executed = true;
		by_call_gate(v, &s, s.gpr[RSP]);
	} else if (h->sysenter) {
		executed = true;
		vmm_returned(v, 3);
		enter(v, t->cpl, RS_VIA_SYSENTER, s.gpr[RDX], "sysenter");
	} else if (t->cpl != v->cpl) { /* a jump to the handler cannot change the ring, so this is odd */
		vmm_crossed(v, v->cpl, RS_VIA_UNSEEN, v->rip, RS_SRC_EXIT, NULL);
	}
	if (executed && t->flight)
		vmm_stepped(v);
	t->flight = false;
	return v->m->ops->set_state(v, &s, err);
}
