/* Machine descriptions, RAM around its holes, the buses and the small devices. No KVM.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/machine.h"

struct probe {
	unsigned off[16], size[16], n;
	uint64_t value[16];
};

static uint64_t probe_read(void *dev, unsigned off, unsigned size)
{
	struct probe *p = dev;

	p->off[p->n] = off;
	p->size[p->n++] = size;
	return 0x1111111111111111ull * (off + 1);
}

static void probe_write(void *dev, unsigned off, unsigned size, uint64_t value)
{
	struct probe *p = dev;

	p->off[p->n] = off;
	p->size[p->n] = size;
	p->value[p->n++] = value;
}

static void bus(void **state)
{
	struct vmm_bus b = { .n = 0 };
	struct probe p = { .n = 0 };
	struct vmm_region r = { 0x100, 8, "p", &p, 1, probe_read, probe_write };

	(void)state;
	assert_int_equal(vmm_bus_add(&b, &r), 0);
	assert_int_equal(vmm_bus_add(&b, &r), -EEXIST);
	r.base = 0x0f9;
	assert_int_equal(vmm_bus_add(&b, &r), -EEXIST);
	r.base = 0x107;
	assert_int_equal(vmm_bus_add(&b, &r), -EEXIST);
	r.base = 0x108;
	r.width = 4;
	assert_int_equal(vmm_bus_add(&b, &r), 0);
	r.base = 0x10;
	assert_int_equal(vmm_bus_add(&b, &r), 0);
	assert_int_equal(b.region[0].base, 0x10);
	assert_null(vmm_bus_find(&b, 0x0f));
	assert_null(vmm_bus_find(&b, 0x18));
	assert_null(vmm_bus_find(&b, 0xff));
	assert_null(vmm_bus_find(&b, 0x110));
	assert_null(vmm_bus_find(&b, ~0ull));
	assert_int_equal(vmm_bus_find(&b, 0x10f)->base, 0x108);
	assert_int_equal(vmm_bus_find(&b, 0x107)->base, 0x100);

	/* bytes of one word reach byte-wide registers one by one */
	assert_int_equal(vmm_bus_read(&b, 0x102, 4), 0x66554433);
	assert_int_equal(p.n, 4);
	assert_int_equal(p.off[3], 5);
	p.n = 0;
	vmm_bus_write(&b, 0x106, 4, 0xddccbbaa); /* two bytes here, two in the next region at once */
	assert_int_equal(p.n, 3);
	assert_int_equal(p.value[0], 0xaa);
	assert_int_equal(p.value[1], 0xbb);
	assert_int_equal(p.value[2], 0xddcc);
	assert_int_equal(p.size[2], 2);
	/* half claimed, half not */
	p.n = 0;
	assert_int_equal(vmm_bus_read(&b, 0x0fe, 4), 0x2211ffff);
	assert_int_equal(vmm_bus_read(&b, 0x5000, 8), ~0ull);
	vmm_bus_write(&b, 0x5000, 8, 1);
	assert_int_equal(vmm_bus_read(&b, ~0ull, 2), 0xffff); /* wraps into nobody's land */
}

static void full_bus(void **state)
{
	struct vmm_region r = { 0, 1, "p", NULL, 1, probe_read, probe_write };
	struct vmm_bus b = { .n = 0 };

	(void)state;
	for (unsigned i = 0; i < VMM_REGIONS_MAX; i++, r.base += 2)
		assert_int_equal(vmm_bus_add(&b, &r), 0);
	assert_int_equal(vmm_bus_add(&b, &r), -ENOSPC);
}

static struct vmm_machine *machine(void (*change)(struct vmm_desc *), int code)
{
	struct rs_err err = RS_ERR_INIT;
	struct vmm_machine *m;
	struct vmm_desc d;

	vmm_desc_init(&d);
	if (change)
		change(&d);
	m = vmm_machine_new(&d, NULL, &err);
	assert_int_equal(err.code, code);
	assert_int_equal(m == NULL, code < 0);
	return m;
}

static void holes(struct vmm_desc *d)
{
	d->hole[0] = (struct vmm_hole){ 0x300000, 0x1000 };
	d->hole[1] = (struct vmm_hole){ 0x100000, 0x2000 };
	d->holes = 2;
}

static void hole_at_both_ends(struct vmm_desc *d)
{
	d->hole[0] = (struct vmm_hole){ 0, 0x1000 };
	d->hole[1] = (struct vmm_hole){ d->memory - 0x1000, 0x1000 };
	d->holes = 2;
}

/* One door to RAM: nothing outside, nothing across a hole, no overflow. */
static void ram(void **state)
{
	struct vmm_machine *m = machine(holes, 0);

	(void)state;
	assert_int_equal(m->slots, 3);
	assert_ptr_equal(vmm_ram(m, 0, 0x100000), m->ram);
	assert_null(vmm_ram(m, 0, 0x100001));
	assert_null(vmm_ram(m, 0x100000, 1));
	assert_null(vmm_ram(m, 0x101fff, 1));
	assert_ptr_equal(vmm_ram(m, 0x102000, 0x1fe000), m->ram + 0x102000);
	assert_null(vmm_ram(m, 0x102000, 0x1fe001));
	assert_ptr_equal(vmm_ram(m, 0x3fffff, 1), m->ram + 0x3fffff);
	assert_null(vmm_ram(m, 0x3fffff, 2));
	assert_null(vmm_ram(m, 0x400000, 0));
	assert_null(vmm_ram(m, 0x1000, ~0ull));
	assert_null(vmm_ram(m, 0x1000, ~0ull - 0xfff));
	assert_null(vmm_ram(m, ~0ull, 1));
	assert_null(vmm_ram(m, ~0ull, ~0ull));
	vmm_machine_free(m);
	m = machine(hole_at_both_ends, 0);
	assert_int_equal(m->slots, 1);
	assert_null(vmm_ram(m, 0, 1));
	assert_non_null(vmm_ram(m, 0x1000, 0x3fe000));
	assert_null(vmm_ram(m, 0x1000, 0x3fe001));
	vmm_machine_free(m);
	vmm_machine_free(NULL);
}

static void odd_memory(struct vmm_desc *d)
{
	d->memory = 0x400001;
}
static void small(struct vmm_desc *d)
{
	d->memory = 0x1f000;
}
static void large(struct vmm_desc *d)
{
	d->memory = VMM_MEMORY_MAX + 4096;
}
static void far_load(struct vmm_desc *d)
{
	d->load = 0x400000;
}
static void bad_entry(struct vmm_desc *d)
{
	d->entry = (enum vmm_entry)9;
}
static void bad_trace(struct vmm_desc *d)
{
	d->trace = (enum vmm_trace)9;
}
static void bad_engine(struct vmm_desc *d)
{
	d->engine = "xen";
}
static void odd_hole(struct vmm_desc *d)
{
	holes(d);
	d->hole[0].size = 0x800;
}
static void empty_hole(struct vmm_desc *d)
{
	holes(d);
	d->hole[0].size = 0;
}
static void wrapping_hole(struct vmm_desc *d)
{
	holes(d);
	d->hole[0].gpa = 0xfffffffffffff000ull;
}
static void outer_hole(struct vmm_desc *d)
{
	holes(d);
	d->hole[0].gpa = 0x3ff000;
	d->hole[0].size = 0x2000;
}
static void overlapping_holes(struct vmm_desc *d)
{
	holes(d);
	d->hole[0].gpa = 0x101000;
}
static void many_holes(struct vmm_desc *d)
{
	d->holes = VMM_HOLES_MAX + 1;
}

static void descriptions(void **state)
{
	static void (*const bad[])(struct vmm_desc *) = {
		odd_memory, small, large, far_load, bad_entry, bad_trace, bad_engine, odd_hole,
		empty_hole, wrapping_hole, outer_hole, overlapping_holes, many_holes,
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		machine(bad[i], -EINVAL);
	for (int i = 0; i < VMM_ENTRY_COUNT; i++)
		assert_int_equal(vmm_entry_by_name(vmm_entry_name((enum vmm_entry)i)), i);
	assert_int_equal(vmm_entry_by_name("real"), -ENOENT);
}

/* The devices' ports as a guest uses them. */
static void ports(void **state)
{
	struct vmm_machine *m = machine(NULL, 0);

	(void)state;
	assert_int_equal(vmm_bus_read(&m->pio, 0xe9, 1), 0xe9);
	assert_int_equal(vmm_bus_read(&m->pio, 0x80, 1), 0xff);
	assert_int_equal(vmm_bus_read(&m->pio, 0x3fd, 1), 0x60);
	assert_int_equal(vmm_bus_read(&m->pio, 0x64, 1) & 3, 0); /* nothing to read, ready to be written */
	vmm_bus_write(&m->pio, 0x64, 1, 0xad);
	vmm_bus_write(&m->pio, 0xcf9, 1, 2);
	assert_false(m->vcpu.ended);
	vmm_bus_write(&m->pio, 0xf4, 4, 0xdeadbeef);
	assert_true(m->vcpu.ended);
	assert_int_equal(m->vcpu.outcome, RS_OUT_DEBUG_EXIT);
	assert_int_equal(m->vcpu.code, 0xdeadbeef);
	vmm_bus_write(&m->pio, 0x64, 1, 0xfe); /* the first end stands */
	assert_int_equal(m->vcpu.outcome, RS_OUT_DEBUG_EXIT);
	vmm_machine_free(m);
}

static void streams(void **state)
{
	struct vmm_machine *m = machine(NULL, 0);
	struct vmm_out *o = &m->serial_out;

	(void)state;
	o->limit = 100;
	for (unsigned i = 0; i < 250; i++)
		vmm_bus_write(&m->pio, 0x3f8, 1, 'x');
	vmm_out_flush(o);
	assert_int_equal(o->offset, 100);
	assert_int_equal(o->dropped, 150);
	assert_int_equal(o->n, 0);
	assert_int_equal(m->mute_counters[RS_CTR_VM_SERIAL_BYTES], 250);
	vmm_machine_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bus), cmocka_unit_test(full_bus), cmocka_unit_test(ram),
		cmocka_unit_test(descriptions), cmocka_unit_test(ports), cmocka_unit_test(streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
