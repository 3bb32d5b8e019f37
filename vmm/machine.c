/* From a description to a machine: RAM and its slots around the holes, buses, devices.
 * No engine is touched here, so tests of what stands on RAM need none.
 */
#include "vmm/machine.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>

#include "engine/base/cleanup.h"

#define PAGE 4096u

static const char *const entry_names[] = { "real16", "prot32", "long64", "reset" };
_Static_assert(sizeof(entry_names) / sizeof(entry_names[0]) == VMM_ENTRY_COUNT, "one name a mode");

const char *vmm_entry_name(enum vmm_entry e)
{
	return (unsigned)e < VMM_ENTRY_COUNT ? entry_names[e] : "?";
}

int vmm_entry_by_name(const char *name)
{
	for (unsigned i = 0; i < VMM_ENTRY_COUNT; i++)
		if (!strcmp(name, entry_names[i]))
			return (int)i;
	return -ENOENT;
}

void vmm_desc_init(struct vmm_desc *d)
{
	*d = (struct vmm_desc){
		.entry = VMM_ENTRY_LONG64,
		.memory = 4ull << 20,
		.tables = true,
		.user_pages = true,
		.trace = VMM_TRACE_RINGS,
	};
}

static int check_holes(const struct vmm_desc *d, struct rs_err *err)
{
	if (d->holes > VMM_HOLES_MAX)
		return rs_err_set(err, -EINVAL, N_("holes: %u are too many; at most %u"), d->holes,
				  (unsigned)VMM_HOLES_MAX);
	for (unsigned i = 0; i < d->holes; i++) {
		const struct vmm_hole *h = &d->hole[i];

		if (h->gpa % PAGE || h->size % PAGE || !h->size)
			return rs_err_set(err, -EINVAL,
					  N_("holes: 0x%llx of 0x%llx bytes does not begin and end on a page (4 KiB)"),
					  (unsigned long long)h->gpa, (unsigned long long)h->size);
		if (h->size > d->memory || h->gpa > d->memory - h->size)
			return rs_err_set(err, -EINVAL,
					  N_("holes: 0x%llx of 0x%llx bytes lies outside the memory"),
					  (unsigned long long)h->gpa, (unsigned long long)h->size);
		for (unsigned k = 0; k < i; k++)
			if (h->gpa < d->hole[k].gpa + d->hole[k].size &&
			    d->hole[k].gpa < h->gpa + h->size)
				return rs_err_set(err, -EINVAL,
						  N_("holes: 0x%llx overlaps the hole at 0x%llx"),
						  (unsigned long long)h->gpa,
						  (unsigned long long)d->hole[k].gpa);
	}
	return 0;
}

int vmm_desc_check(const struct vmm_desc *d, struct rs_err *err)
{
	if ((unsigned)d->entry >= VMM_ENTRY_COUNT)
		return rs_err_set(err, -EINVAL, N_("entry: there is no mode number %u"),
				  (unsigned)d->entry);
	if ((unsigned)d->trace > VMM_TRACE_STEPS)
		return rs_err_set(err, -EINVAL, N_("trace: there is no mode number %u"),
				  (unsigned)d->trace);
	if (d->engine && strcmp(d->engine, "kvm") && strcmp(d->engine, "soft"))
		return rs_err_set(err, -EINVAL, N_("engine: \"%s\" is neither kvm nor soft"), d->engine);
	if (d->memory % PAGE)
		return rs_err_set(err, -EINVAL, N_("memory: 0x%llx is not a multiple of 4 KiB"),
				  (unsigned long long)d->memory);
	if (d->memory < VMM_MEMORY_MIN || d->memory > VMM_MEMORY_MAX)
		return rs_err_set(err, -EINVAL,
				  N_("memory: 0x%llx bytes; from 0x%llx to 0x%llx can be had"),
				  (unsigned long long)d->memory, (unsigned long long)VMM_MEMORY_MIN,
				  (unsigned long long)VMM_MEMORY_MAX);
	if (d->entry == VMM_ENTRY_RESET && !d->pc)
		return rs_err_set(err, -EINVAL, N_("entry: firmware needs a machine with a PC's devices"));
	if (d->load >= d->memory)
		return rs_err_set(err, -EINVAL, N_("load: 0x%llx lies outside the memory"),
				  (unsigned long long)d->load);
	if ((unsigned)d->technique > RS_TECHNIQUE_PARA)
		return rs_err_set(err, -EINVAL, N_("technique: there is none with number %u"), (unsigned)d->technique);
	if (d->technique != RS_TECHNIQUE_ASSIST && (d->entry != VMM_ENTRY_PROT32 || !d->tables))
		return rs_err_set(err, -EINVAL, N_("technique: a monitor in ring 0 needs the entry prot32 and the monitor's tables"));
	return check_holes(d, err);
}

/* RAM is what the holes leave. */
static void make_slots(struct vmm_machine *m)
{
	struct vmm_hole h[VMM_HOLES_MAX];
	unsigned n = m->desc.holes;
	uint64_t at = 0;

	memcpy(h, m->desc.hole, sizeof(h));
	for (unsigned i = 1; i < n; i++)
		for (unsigned k = i; k > 0 && h[k].gpa < h[k - 1].gpa; k--) {
			struct vmm_hole t = h[k];

			h[k] = h[k - 1];
			h[k - 1] = t;
		}
	for (unsigned i = 0; i <= n; i++) {
		uint64_t end = i < n ? h[i].gpa : m->ram_size;

		if (end > at)
			m->slot[m->slots++] = (struct vmm_slot){ .gpa = at, .size = end - at, .host = m->ram + at };
		if (i < n)
			at = h[i].gpa + h[i].size;
	}
}

void *vmm_ram(const struct vmm_machine *m, uint64_t gpa, uint64_t len)
{
	for (unsigned i = 0; i < m->slots; i++) {
		const struct vmm_slot *s = &m->slot[i];

		if (gpa >= s->gpa && gpa - s->gpa < s->size)
			return len <= s->size - (gpa - s->gpa) ? s->host + (gpa - s->gpa) : NULL;
	}
	return NULL;
}

uint64_t vmm_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void vmm_clock_start(struct vmm_clock *c)
{
	c->ns0 = vmm_now_ns();
	c->tsc0 = vmm_ticks();
	c->mult = 1ull << 32; /* one tick a ns until tuned */
}

void vmm_clock_tune(struct vmm_clock *c)
{
	uint64_t ticks = vmm_ticks() - c->tsc0, ns = vmm_now_ns() - c->ns0;

	if (ticks && ns)
		c->mult = (uint64_t)(((unsigned __int128)ns << 32) / ticks);
}

void vmm_vcpu_end(struct vmm_vcpu *v, enum rs_outcome outcome, uint64_t code)
{
	if (v->ended)
		return;
	v->ended = true;
	v->outcome = outcome;
	v->code = code;
}

static void out_init(struct vmm_machine *m, struct vmm_out *o, enum rs_stream stream)
{
	o->em = m->em;
	o->stream = stream;
	o->limit = m->desc.serial_limit;
}

struct vmm_machine *vmm_machine_new(const struct vmm_desc *d, struct rs_emitter *em,
				    struct rs_err *err)
{
	struct vmm_machine *m;
	pthread_condattr_t clock;
	void *ram;

	if (vmm_desc_check(d, err) < 0)
		return NULL;
	m = rs_xcalloc(1, sizeof(*m));
	m->desc = *d;
	m->desc.load = d->load ? d->load : VMM_LOAD_DEFAULT;
	m->desc.timeout_ns = d->timeout_ns ? d->timeout_ns : 10000000000ull;
	m->desc.serial_limit = d->serial_limit ? d->serial_limit : 1u << 20;
	m->mute.counters = m->mute_counters;
	m->mute.wanted = m->mute_wanted;
	m->mute.wake_fd = -1;
	m->em = em ? em : &m->mute;
	m->control_fd = m->done_fd = m->timer_fd = -1;
	m->vcpu.m = m;
	m->start_ns = vmm_now_ns();
	vmm_clock_start(&m->clock);
	pthread_mutex_init(&m->orders.lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&m->orders.cond, &clock);
	pthread_condattr_destroy(&clock);

	/* Touched pages alone cost memory; whoever asks for more RAM than there is dies alone. */
	m->ram_size = d->memory + (d->technique == RS_TECHNIQUE_ASSIST ? 0 : VMM_VIRT_SIZE);
	ram = mmap(NULL, m->ram_size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (ram == MAP_FAILED) {
		rs_err_errno(err, errno, N_("no room for 0x%llx bytes of guest memory"),
			     (unsigned long long)d->memory);
		vmm_machine_free(m);
		return NULL;
	}
	m->ram = ram;
	make_slots(m);
	out_init(m, &m->serial_out, RS_STREAM_SERIAL);
	out_init(m, &m->debug_out, RS_STREAM_DEBUG);
	out_init(m, &m->report_out, RS_STREAM_REPORT);
	m->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (m->done_fd < 0) {
		rs_err_errno(err, errno, N_("no event descriptor for the vCPU's thread"));
		vmm_machine_free(m);
		return NULL;
	}
	if (vmm_ports_init(m, err) < 0 || (d->pc && vmm_board_new(m, err) < 0)) {
		vmm_machine_free(m);
		return NULL;
	}
	return m;
}

void vmm_machine_free(struct vmm_machine *m)
{
	if (!m)
		return;
	vmm_trace_free(&m->vcpu);
	vmm_assist_free(m);
	vmm_virt_free(&m->vcpu);
	if (m->ops)
		m->ops->vm_free(m);
	vmm_serial_release(&m->com1);
	vmm_board_free(m);
	if (m->rom)
		munmap(m->rom, m->rom_size);
	if (m->ram)
		munmap(m->ram, m->ram_size);
	rs_cleanup_closep(&m->done_fd);
	pthread_mutex_destroy(&m->orders.lock);
	pthread_cond_destroy(&m->orders.cond);
	free(m);
}
