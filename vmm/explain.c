/* Why a run ended badly: one sentence of cause, then what the CPU and the memory look like.
 *
 * The report is made in the experiment, which does not know who will read it, and a recording keeps
 * it; so the sentence stands there in every language, and the tables below it need none.
 */
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>

#include "vmm/engine.h"
#include "vmm/tables.h"

struct report {
	const struct vmm_machine *m;
	const struct vmm_cpu_state *s;
	const struct vmm_exit *exit;
	enum rs_outcome outcome;
	/* a triple fault: the way that its exceptions went */
	struct vmm_delivery chain[VMM_CHAIN_MAX];
	unsigned links;
	bool fatal;           /* the chain ends in a shutdown */
	bool reset;           /* the CPU kept no registers; s is what it was last entered with, ... */
	bool lost;            /* ... or not even that is known */
	struct vmm_cpu_state at; /* where the first exception was raised: *s, or ahead of it */
	int vector;           /* the first exception, or -1 */
	uint64_t address;     /* ... of a page fault */
};

/* A sentence part in the language. */
#define T(text) rs_tr(lang, text)

static uint64_t linear_rip(const struct vmm_cpu_state *s)
{
	return vmm_mode_bits(s) == 64 ? s->rip : s->cs.base + s->rip;
}

/* The instruction at RIP, or "(bad)". */
static void current_insn(const struct report *r, const struct vmm_cpu_state *s,
			 struct vmm_insn *out)
{
	unsigned char code[15];
	size_t n = vmm_read_linear(r->m, s, linear_rip(s), code, sizeof(code));

	vmm_decode(code, n, vmm_mode_bits(s), s->rip, out);
}

static const char *vector_name(unsigned vector, char buf[16])
{
	const char *name = rs_vector_mnemonic(vector);

	if (name)
		snprintf(buf, 16, "%s", name);
	else
		snprintf(buf, 16, "%u", vector);
	return buf;
}

/* ---- the cause ---- */

static void triple_fault(const struct report *r, enum rs_lang lang, struct rs_str *out)
{
	const struct vmm_delivery *first = r->chain, *last = r->chain;
	struct vmm_insn in;
	char name[16];

	if (r->links)
		last = &r->chain[r->links - 1];
	if (r->lost) {
		rs_str_add(out, T("Triple fault: an exception could not be delivered, and neither could the double fault that followed. This CPU keeps no registers after it: what is shown are the values after a reset."));
		return;
	}
	current_insn(r, &r->at, &in);
	if (r->reset && r->vector < 0) {
		rs_str_addf(out, T("Triple fault, somewhere after 0x%llx: an exception could not be delivered, and neither could the double fault that followed. This CPU keeps no registers after it: what is shown is how the guest was last entered."),
			    (unsigned long long)r->s->rip);
		return;
	}
	if (r->vector < 0) {
		rs_str_addf(out, T("Triple fault at 0x%llx: an exception at \"%s\" could not be delivered, and neither could the double fault that followed."),
			    (unsigned long long)r->s->rip, in.text);
		return;
	}
	vector_name((unsigned)r->vector, name);
	if (r->reset && r->at.rip != r->s->rip)
		rs_str_addf(out, T("Triple fault: probably \"%s\" at 0x%llx raised %s, which could not be delivered, because %s. This CPU keeps no registers after it: what is shown is how the guest was last entered."),
			    in.text, (unsigned long long)r->at.rip, name, T(first->why));
	else if (r->fatal && r->vector == 14)
		rs_str_addf(out, T("Triple fault: the page fault at 0x%llx (address 0x%llx) could not be delivered, because %s; nor could the double fault, because %s."),
			    (unsigned long long)r->s->rip, (unsigned long long)r->address,
			    T(first->why), T(last->why));
	else if (r->fatal)
		rs_str_addf(out, T("Triple fault: \"%s\" at 0x%llx raised %s, which could not be delivered, because %s; nor could the double fault, because %s."),
			    in.text, (unsigned long long)r->s->rip, name, T(first->why), T(last->why));
	else
		rs_str_addf(out, T("Triple fault: \"%s\" at 0x%llx probably raised %s; its handler can be reached, so the faults came one inside the other."),
			    in.text, (unsigned long long)r->s->rip, name);
}

static void fail_entry(const struct report *r, enum rs_lang lang, struct rs_str *out)
{
	struct vmm_entry_state es;
	const struct vmm_entry_rule *rule;

	vmm_cpu_to_entry_state(r->s, &es);
	rule = vmm_entry_check(&es);
	if (rule)
		rs_str_addf(out, T("The CPU refused to enter the guest: %s (%s, %s; hardware reason 0x%llx)"),
			    T(rule->sentence), rule->name, rule->section,
			    (unsigned long long)r->exit->fail.hardware_reason);
	else
		rs_str_addf(out, T("The CPU refused to enter the guest (hardware reason 0x%llx), though its state keeps every rule that this monitor knows."),
			    (unsigned long long)r->exit->fail.hardware_reason);
}

/* Follows the code from RIP to a jump that leads back to RIP or before it. */
static bool find_loop(const struct report *r, uint64_t *from, uint64_t *to)
{
	uint64_t rip = r->s->rip;
	uint64_t base = vmm_mode_bits(r->s) == 64 ? 0 : r->s->cs.base;

	for (int i = 0; i < 64; i++) {
		unsigned char code[15];
		struct vmm_insn in;
		size_t n = vmm_read_linear(r->m, r->s, base + rip, code, sizeof(code));

		if (!vmm_decode(code, n, vmm_mode_bits(r->s), rip, &in) || in.gate == VMM_INSN_IRET)
			return false;
		if (in.target <= r->s->rip && strncmp(in.text, "call", 4)) {
			*from = in.target;
			*to = rip;
			return true;
		}
		if (!strncmp(in.text, "ret", 3) || (!strncmp(in.text, "jmp", 3) && in.target == VMM_NO_TARGET))
			return false;
		rip = !strncmp(in.text, "jmp", 3) ? in.target : rip + in.len;
	}
	return false;
}

static void watchdog(const struct report *r, enum rs_lang lang, struct rs_str *out)
{
	struct vmm_insn in;
	uint64_t from, to;

	current_insn(r, r->s, &in);
	if (!find_loop(r, &from, &to))
		rs_str_addf(out, T("The time limit ran out while the guest was at 0x%llx: \"%s\"."),
			    (unsigned long long)r->s->rip, in.text);
	else if (from == to)
		rs_str_addf(out, T("The time limit ran out: the guest jumps to itself at 0x%llx."),
			    (unsigned long long)to);
	else
		rs_str_addf(out, T("The time limit ran out: the guest loops between 0x%llx and 0x%llx."),
			    (unsigned long long)from, (unsigned long long)to);
}

/* KVM adds the instruction's bytes when it has them (api.rst, KVM_INTERNAL_ERROR_EMULATION). */
static void emulation_failure(const struct report *r, enum rs_lang lang, struct rs_str *out)
{
	const struct vmm_exit *x = r->exit;
	struct vmm_insn in;

	current_insn(r, r->s, &in);
	if (x->internal.ndata >= 3 && (x->internal.data[0] & 1)) {
		unsigned char bytes[16];

		memcpy(bytes, &x->internal.data[1], sizeof(bytes));
		if (bytes[0] && bytes[0] <= 15)
			vmm_decode(bytes + 1, bytes[0], vmm_mode_bits(r->s), r->s->rip, &in);
	}
	if (in.len)
		rs_str_addf(out, T("KVM could not emulate the instruction \"%s\" at 0x%llx."), in.text,
			    (unsigned long long)r->s->rip);
	else
		rs_str_addf(out, T("KVM could not emulate what stands at 0x%llx: it is no instruction."),
			    (unsigned long long)r->s->rip);
}

static void unhandled(const struct report *r, enum rs_lang lang, struct rs_str *out)
{
	const struct vmm_exit *x = r->exit;
	const struct rs_exit_info *info = rs_exit_info(x->reason);

	if (x->reason == KVM_EXIT_INTERNAL_ERROR) {
		switch (x->internal.suberror) {
		case KVM_INTERNAL_ERROR_EMULATION:
			emulation_failure(r, lang, out);
			return;
		case KVM_INTERNAL_ERROR_SIMUL_EX:
			rs_str_addf(out, T("KVM met a second exception at 0x%llx while it delivered a first one."),
				    (unsigned long long)r->s->rip);
			return;
		case KVM_INTERNAL_ERROR_DELIVERY_EV:
			rs_str_addf(out, T("KVM met an exit that it cannot handle at 0x%llx while it delivered an exception or interrupt: the guest's interrupt table or stack may lie where no memory is."),
				    (unsigned long long)r->s->rip);
			return;
		default:
			rs_str_addf(out, T("KVM could not go on at 0x%llx (internal error %u)."),
				    (unsigned long long)r->s->rip, x->internal.suberror);
			return;
		}
	}
	if (info)
		rs_str_addf(out, T("Nobody handles the exit \"%s\" at 0x%llx: %s"), info->name,
			    (unsigned long long)r->s->rip, T(info->sentence));
	else
		rs_str_addf(out, T("Nobody handles exit number %u at 0x%llx: this monitor does not know it."),
			    x->reason, (unsigned long long)r->s->rip);
}

static void cause(const struct report *r, enum rs_lang lang, struct rs_str *out)
{
	const char *name = rs_unit_value_name(RS_UNIT_outcome, r->outcome);

	switch (r->outcome) {
	case RS_OUT_SHUTDOWN:
		triple_fault(r, lang, out);
		break;
	case RS_OUT_FAIL_ENTRY:
		fail_entry(r, lang, out);
		break;
	case RS_OUT_WATCHDOG:
		watchdog(r, lang, out);
		break;
	case RS_OUT_UNHANDLED:
		unhandled(r, lang, out);
		break;
	case RS_OUT_EXIT_LIMIT:
		rs_str_addf(out, T("The guest left for the monitor more often than the run allows; it was at 0x%llx."),
			    (unsigned long long)r->s->rip);
		break;
	default:
		rs_str_addf(out, T("The run ended (%s) at 0x%llx."), name ? name : "?",
			    (unsigned long long)r->s->rip);
	}
	rs_str_addc(out, '\n');
}

/* ---- the state ---- */

static const char *mode_name(const struct vmm_cpu_state *s)
{
	if (vmm_real_mode(s))
		return "real mode";
	if (s->rflags & RFLAGS_VM)
		return "virtual-8086 mode";
	if (vmm_long_mode(s))
		return s->cs.l ? "64-bit mode" : s->cs.db ? "compatibility mode (32-bit)"
							   : "compatibility mode (16-bit)";
	return s->cs.db ? "protected mode (32-bit)" : "protected mode (16-bit)";
}

/* Registers of the group in columns, short ones as they are wide. */
static void put_registers(const struct rs_x86_regs *regs, enum rs_x86_group group, unsigned columns,
			  struct rs_str *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < rs_x86_reg_count; i++) {
		const struct rs_x86_reg_info *info = &rs_x86_reg_infos[i];
		uint64_t v;

		if (info->group != group)
			continue;
		memcpy(&v, (const char *)regs + info->offset, sizeof(v));
		rs_str_addf(out, "  %-3s %0*" PRIx64, info->name,
			    info->bits / 4, v);
		if (++n % columns == 0)
			rs_str_addc(out, '\n');
	}
	if (n % columns)
		rs_str_addc(out, '\n');
}

static void put_flags(uint64_t rflags, struct rs_str *out)
{
	static const struct { uint64_t bit; const char *name; } flag[] = {
		{1 << 0, "CF"}, {1 << 2, "PF"}, {1 << 4, "AF"}, {1 << 6, "ZF"}, {1 << 7, "SF"},
		{1 << 8, "TF"}, {1 << 9, "IF"}, {1 << 10, "DF"}, {1 << 11, "OF"}, {1 << 14, "NT"},
		{1 << 16, "RF"}, {1 << 17, "VM"}, {1 << 18, "AC"},
	};

	rs_str_addf(out, "  RFLAGS %08" PRIx64, rflags);
	for (unsigned i = 0; i < sizeof(flag) / sizeof(flag[0]); i++)
		if (rflags & flag[i].bit)
			rs_str_addf(out, " %s", flag[i].name);
	rs_str_addf(out, " IOPL=%u\n", (unsigned)(rflags >> 12 & 3));
}

static void put_segment(const char *name, const struct vmm_seg *seg, struct rs_str *out)
{
	rs_str_addf(out, "  %-4s %04x", name, seg->selector);
	if (seg->unusable) {
		rs_str_add(out, "  unusable\n");
		return;
	}
	rs_str_addf(out, "  base %016" PRIx64 " limit %08x  %s type %-2u DPL %u%s%s%s%s\n", seg->base,
		    seg->limit, !seg->s ? "system" : seg->type & 8 ? "code  " : "data  ", seg->type,
		    seg->dpl, seg->present ? "" : " not-present", seg->l ? " L" : "",
		    seg->db ? " D/B" : "", seg->g ? " G" : "");
}

static void put_state(const struct vmm_cpu_state *s, struct rs_str *out)
{
	struct rs_x86_regs regs;

	vmm_cpu_to_regs(s, &regs);
	rs_str_addf(out, "\n%s, CPL %u, RIP %016" PRIx64 "\n", mode_name(s), vmm_cpl(s), s->rip);
	put_registers(&regs, RS_X86_general, 4, out);
	put_flags(s->rflags, out);
	rs_str_addf(out,
		    "  CR0 %08" PRIx64 "  CR2 %016" PRIx64 "  CR3 %016" PRIx64 "  CR4 %08" PRIx64
		    "  EFER %04" PRIx64 "\n",
		    s->cr0, s->cr2, s->cr3, s->cr4, s->efer);
	put_segment("CS", &s->cs, out);
	put_segment("SS", &s->ss, out);
	put_segment("DS", &s->ds, out);
	put_segment("ES", &s->es, out);
	put_segment("FS", &s->fs, out);
	put_segment("GS", &s->gs, out);
	put_segment("TR", &s->tr, out);
	put_segment("LDTR", &s->ldtr, out);
	rs_str_addf(out, "  GDTR base %016" PRIx64 " limit %04x   IDTR base %016" PRIx64 " limit %04x\n",
		    s->gdt_base, s->gdt_limit, s->idt_base, s->idt_limit);
}

static void put_code(const struct report *r, struct rs_str *out)
{
	unsigned char code[16];
	size_t n = vmm_read_linear(r->m, r->s, linear_rip(r->s), code, sizeof(code));

	rs_str_add(out, "\ncode at RIP:");
	for (size_t i = 0; i < n; i++)
		rs_str_addf(out, " %02x", code[i]);
	rs_str_add(out, n ? "\n" : " (no memory there)\n");
	vmm_disasm_around(r->m, r->s, 4, 5, out);
}

static void put_walk(const struct report *r, const char *what, uint64_t linear, struct rs_str *out)
{
	struct vmm_walk w;

	vmm_walk(r->m, r->s, linear, &w);
	rs_str_addf(out, "\npage walk of %s: ", what);
	vmm_walk_format(&w, linear, out);
}

static void put_links(const struct vmm_delivery *chain, unsigned links, struct rs_str *out)
{
	char name[16];

	for (unsigned i = 0; i < links; i++) {
		const struct vmm_delivery *d = &chain[i];

		rs_str_addf(out, "  %-4s ", vector_name(d->vector, name));
		if (d->arrives)
			rs_str_addf(out, "reaches its handler at 0x%" PRIx64 "\n", d->handler);
		else
			rs_str_addf(out, "%s (0x%" PRIx64 ") -> %s\n", d->why, d->at,
				    d->vector == 8 ? "shutdown" : vector_name(d->then, name));
	}
}

/* The way of the exception that was seen, or the ways of the usual ones. */
static void put_chains(const struct report *r, struct rs_str *out)
{
	static const unsigned char usual[] = {6, 13, 14, 8};

	if (r->links) {
		rs_str_add(out, "\nthe exceptions on their way:\n");
		put_links(r->chain, r->links, out);
		return;
	}
	rs_str_add(out, "\nwhat an exception would meet on its way:\n");
	for (unsigned i = 0; i < sizeof(usual); i++) {
		struct vmm_delivery d;

		vmm_deliver(r->m, r->s, usual[i], false, &d);
		put_links(&d, 1, out);
	}
}

/* After a triple fault AMD-V's registers are lost, and KVM shows those of a reset CPU. */
static bool looks_reset(const struct vmm_cpu_state *s)
{
	return s->rip == 0xfff0 && s->cs.base == 0xffff0000 && !(s->cr0 & CR0_PE);
}

void vmm_explain(const struct vmm_machine *m, const struct vmm_cpu_state *s,
		 const struct vmm_exit *exit, enum rs_outcome outcome, struct rs_str *out)
{
	struct report r = {.m = m, .s = s, .exit = exit, .outcome = outcome, .vector = -1};
	rs_auto_str first = RS_STR_INIT;

	if (outcome == RS_OUT_SHUTDOWN) {
		bool software;

		r.reset = looks_reset(s);
		r.lost = r.reset && !(exit->reason == KVM_EXIT_SHUTDOWN && exit->shutdown.before);
		if (r.reset && !r.lost)
			r.s = s = exit->shutdown.before;
		r.at = *s;
		if (!r.lost)
			r.vector = r.reset ? vmm_guess_ahead(m, &r.at, &software, &r.address)
					   : vmm_guess_exception(m, s, &software, &r.address);
		if (r.vector >= 0)
			r.links = vmm_deliver_chain(m, &r.at, (unsigned)r.vector, software, r.chain,
						    &r.fatal);
		/* the guest ran on from there: unless it shows at once, the cause came later */
		if (r.reset && !r.fatal) {
			r.vector = -1;
			r.links = 0;
		}
	}
	for (int lang = 0; lang < RS_LANGS; lang++) {
		rs_auto_str sentence = RS_STR_INIT;

		cause(&r, (enum rs_lang)lang, &sentence);
		if (!lang)
			rs_str_add(&first, sentence.p);
		if (!lang || strcmp(sentence.p, first.p)) /* not where a translation is missing */
			rs_str_add(out, sentence.p);
	}
	put_state(s, out);
	if (r.lost)
		return;
	put_code(&r, out);
	if (outcome == RS_OUT_SHUTDOWN)
		put_chains(&r, out);
	if (s->cr0 & CR0_PG) {
		put_walk(&r, "RIP", linear_rip(s), out);
		if (s->cr2 && s->cr2 != linear_rip(s) &&
		    (outcome == RS_OUT_SHUTDOWN || outcome == RS_OUT_UNHANDLED))
			put_walk(&r, "CR2", s->cr2, out);
	}
}
