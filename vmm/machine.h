/* One virtual machine and its parts. Private to vmm/. Read this before run.c.
 *
 * Everything hangs off struct vmm_machine, so two machines live in one process.
 * Threads: vmm_run's caller is the monitor thread; the vCPU has a thread, which
 * alone touches the vCPU, the devices and the buses once the guest runs. The two
 * share what stands in struct vmm_orders and a few atomics.
 */
#ifndef VMM_MACHINE_H
#define VMM_MACHINE_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine/base/control.h"
#include "vmm/cpu.h"
#include "vmm/engine.h"
#include "vmm/pc.h"
#include "vmm/tables.h"

/* -- RAM -- */
struct vmm_slot {            /* a piece of RAM between two holes, or the firmware */
	uint64_t gpa, size;
	uint8_t *host;
	bool readonly;
};
#define VMM_SLOTS_MAX (VMM_HOLES_MAX + 2)

/* -- buses (ports.c): who answers at a port or a guest-physical address -- */
struct vmm_region {
	uint64_t base, len;
	const char *name;
	void *dev;
	unsigned width;      /* bytes of one device register: wider accesses are split */
	/* off: bytes from base. size <= width. Value: zero-extended. */
	uint64_t (*read)(void *dev, unsigned off, unsigned size);
	void (*write)(void *dev, unsigned off, unsigned size, uint64_t value);
};
#define VMM_REGIONS_MAX 32
struct vmm_bus {
	struct vmm_region region[VMM_REGIONS_MAX]; /* sorted by base, no overlap */
	unsigned n, last;                          /* last: where the previous access hit */
};
/* -EEXIST when it overlaps another region, -ENOSPC when the table is full. */
int vmm_bus_add(struct vmm_bus *b, const struct vmm_region *r);
const struct vmm_region *vmm_bus_find(struct vmm_bus *b, uint64_t addr); /* NULL: unclaimed */
/* One access of 1, 2, 4 or 8 bytes. Unclaimed bytes read as all ones and swallow writes. */
uint64_t vmm_bus_read(struct vmm_bus *b, uint64_t addr, unsigned size);
void vmm_bus_write(struct vmm_bus *b, uint64_t addr, unsigned size, uint64_t value);

/* -- text streams (ports.c): batched by line, limited -- */
struct vmm_out {
	struct rs_emitter *em;
	enum rs_stream stream;
	unsigned n;               /* bytes waiting in buf */
	uint64_t offset;          /* bytes sent */
	uint64_t limit, dropped;  /* bytes kept at most; bytes counted but not kept */
	unsigned char buf[RS_TEXT_SIZE];
};
void vmm_out_byte(struct vmm_out *o, unsigned char c);
void vmm_out_flush(struct vmm_out *o);

/* -- the 16550 (serial.c; PC16550D data sheet, June 1995) -- */
#define VMM_SERIAL_FIFO 16
struct vmm_serial {
	uint8_t ier, lcr, mcr, scr, dll, dlm, msr;
	bool fifo_on, thr_empty_pending, overrun;
	uint8_t trigger;                   /* receiver FIFO trigger level, bytes */
	uint8_t fifo[VMM_SERIAL_FIFO];     /* what the guest can read now */
	unsigned head, count;
	/* Bytes waiting on the line: they enter the FIFO as the guest makes room. */
	uint8_t *line;
	size_t line_len, line_pos, line_cap;
	void (*tx)(void *arg, unsigned char c);
	void *tx_arg;
	bool irq;                          /* level of the interrupt output ... */
	struct vmm_line out;               /* ... which is told here */
};
#define VMM_SERIAL_LINE_MAX 65536          /* bytes that may wait on the line */
void vmm_serial_init(struct vmm_serial *s, void (*tx)(void *, unsigned char), void *tx_arg);
void vmm_serial_release(struct vmm_serial *s);
/* Puts bytes on the line. Returns how many were taken (less when the line is full). */
size_t vmm_serial_input(struct vmm_serial *s, const void *data, size_t n);
uint64_t vmm_serial_read(void *serial, unsigned off, unsigned size);
void vmm_serial_write(void *serial, unsigned off, unsigned size, uint64_t value);

/* -- hypercalls: port VMM_PORT_HYPERCALL and KVM_EXIT_HYPERCALL -- */
enum vmm_hc {
	VMM_HC_PRINT = 0, /* a0: linear address of a NUL-terminated string, 4 KiB at most, printed on
			     stream `debug`. Result: bytes printed */
	VMM_HC_MARK = 1,  /* a0: any value; only the event matters. Result: a0 */
	VMM_HC_TIME = 2,  /* Result: ns since the run began, 64 bits (the second `in` gives the upper half) */
	/* What a paravirtual guest (technique para, INT 0x82) has besides: */
	VMM_HC_FLAGS = 3, /* a0: the new virtual IF, 0 or 1. Result: the old one */
	VMM_HC_WRITE = 4, /* a0: address, a1: bytes, for the serial port. Result: a1 */
	VMM_HC_IRET = 5,  /* IRET with the frame at SS:ESP. No result: EAX is lost */
	VMM_HC_COUNT
};
#define VMM_HC_UNKNOWN (~0ull) /* result for any other number */

/* -- time: TSC ticks turned into ns without a system call -- */
struct vmm_clock {
	uint64_t tsc0, ns0;
	uint64_t mult;            /* ns = ticks * mult >> 32 */
};
uint64_t vmm_now_ns(void);        /* CLOCK_MONOTONIC */
static inline uint64_t vmm_ticks(void)
{
	return __builtin_ia32_rdtsc();
}
static inline uint64_t vmm_ticks_ns(const struct vmm_clock *c, uint64_t ticks)
{
	return (uint64_t)(((unsigned __int128)ticks * c->mult) >> 32);
}
void vmm_clock_start(struct vmm_clock *c);
void vmm_clock_tune(struct vmm_clock *c); /* call some time after the start, then now and then */

/* -- one virtual CPU -- */
struct vmm_trace_state;
struct vmm_vcpu {
	struct vmm_machine *m;
	unsigned index;                /* actor of its events */
	void *engine;                  /* the engine's own part */
	pthread_t thread;

	/* read after every exit */
	uint64_t rip;
	unsigned cpl;
	bool pending;                  /* the last exit's access completes at the next entry only */
	bool paused;                   /* stands still until an order lets it go */
	uint64_t steps_left;           /* instructions that the user let it go; 0: free */
	uint64_t inside;               /* ticks of exits that were handled inside `run` */
	uint64_t idle;                 /* ticks in HLT since then: nobody's time */

	bool ended;
	enum rs_outcome outcome;
	uint64_t code;
	struct vmm_exit exit;          /* the last one */
	struct vmm_virt *virt;         /* virt.h: the monitor in ring 0, when it is not the hardware's task; NULL */
	struct vmm_trace_state *trace; /* trace.c */
};

/* -- orders from the monitor thread to the vCPU thread -- */
#define VMM_ORDERS_MAX 32
struct vmm_orders {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	struct rs_control q[VMM_ORDERS_MAX];
	unsigned head, count;
	_Atomic bool pending;          /* something is in q, or `stop` is set */
	_Atomic int stop;              /* 0, or 1 + enum rs_outcome with which the run must end */
	bool pause_now;                /* the vCPU thread's own wish: its steps are done */
	int go;                        /* 0: the vCPU thread waits; 1: it runs; -1: it ends at once */
};

struct vmm_machine {
	struct vmm_desc desc;          /* the caller's, zeros replaced by their defaults */
	const struct vmm_engine_ops *ops;
	struct rs_emitter *em;         /* never NULL */
	uint8_t *ram;                  /* ram_size bytes; ram[gpa], also under the holes */
	uint64_t ram_size;             /* desc.memory, and behind it the pages of a monitor in ring 0 */
	uint8_t *rom;                  /* firmware below 4 GiB, rom_size bytes; NULL: none */
	uint64_t rom_size;
	struct vmm_slot slot[VMM_SLOTS_MAX];
	unsigned slots;
	struct vmm_image image;        /* what was loaded */
	void *engine;                  /* the engine's own part */
	struct vmm_assist *assist;     /* assist.c; NULL until it is needed */

	struct vmm_bus pio, mmio;
	struct vmm_serial com1;
	/* desc.pc (board.c): */
	struct vmm_pc *pc;             /* NULL: a lab machine, whose devices raise no interrupt */
	bool irq_line;                 /* the level that the engine was told */
	int timer_fd;                  /* readable when a device wants to be looked at ... */
	uint64_t timer_at;             /* ... at this time of the guest */
	struct vmm_out serial_out, debug_out, report_out;
	uint64_t hc_result;            /* what the hypercall port gives next */

	struct vmm_vcpu vcpu;
	bool have_vcpu;                /* its state can be read */
	bool reached;                  /* desc.until was reached: no more calls of the API */
	struct vmm_clock clock;
	uint64_t start_ns;
	uint64_t exits;                /* vCPU thread writes, monitor reads after join */
	_Atomic uint64_t alive;        /* counts loop turns: the monitor sees that the vCPU comes round */

	int control_fd;                /* -1: nobody gives orders */
	struct vmm_orders orders;
	_Atomic uint64_t paused_ns, paused_since; /* sum of finished pauses; 0 or when this one began */
	_Atomic bool done;             /* the vCPU thread has finished */
	int done_fd;                   /* eventfd that says so */

	/* Told of every exit before it is handled; engines that handle exits inside `run` come back after each one
	 * then (diff.c). NULL: nobody. */
	void (*on_exit)(struct vmm_vcpu *v, void *arg);
	void *on_exit_arg;

	struct rs_err error;           /* outcome error: why */
	struct rs_emitter mute;        /* em of a machine to which nobody listens */
	_Atomic uint64_t mute_counters[RS_CTR_TOTAL];
	_Atomic uint64_t mute_wanted[4];
};

/* RAM, slots, buses and devices of `d` (copied; its strings stay the caller's): no engine yet.
 * `em` NULL: nobody listens. NULL on error. vmm_machine_free takes NULL. */
struct vmm_machine *vmm_machine_new(const struct vmm_desc *d, struct rs_emitter *em,
				    struct rs_err *err);
void vmm_machine_free(struct vmm_machine *m);
/* Marks the end of the run: the first call wins. */
void vmm_vcpu_end(struct vmm_vcpu *v, enum rs_outcome outcome, uint64_t code);
/* The devices of a lab machine on its buses (ports.c). */
int vmm_ports_init(struct vmm_machine *m, struct rs_err *err);
/* Does one hypercall and returns its result. */
uint64_t vmm_hypercall(struct vmm_vcpu *v, uint64_t nr, uint64_t a0, uint64_t a1);
/* The event of one, for those that are done elsewhere. */
void vmm_hypercall_tell(struct vmm_vcpu *v, uint64_t nr, uint64_t a0, uint64_t a1);

/* -- prepare.c -- */
/* The engine m->ops makes its VM and vCPU; image, tables and CPU state are those of the first instruction. */
int vmm_machine_prepare(struct vmm_machine *m, struct rs_err *err);
/* An event when the vCPU's state breaks a VM-entry rule. */
void vmm_check_entry(struct vmm_vcpu *v);

/* -- board.c: the machine's part of a PC platform; vCPU thread -- */
int vmm_board_new(struct vmm_machine *m, struct rs_err *err);
void vmm_board_free(struct vmm_machine *m);
/* ns since the machine began, pauses left out. */
uint64_t vmm_guest_ns(const struct vmm_machine *m);
/* Catches the devices up, tells the engine the interrupt line, sets the timer. */
void vmm_board_sync(struct vmm_vcpu *v);
void vmm_board_line(struct vmm_vcpu *v); /* the line alone */
/* After an access of the guest: as much of it as the access can have changed. */
void vmm_board_touched(struct vmm_vcpu *v);
/* The CPU takes an interrupt: the vector, or -1. */
int vmm_board_ack(struct vmm_vcpu *v);
/* After HLT: waits for an interrupt, orders meanwhile. False: none can come. */
bool vmm_board_wait(struct vmm_vcpu *v);

/* -- assist.c -- */
/* Executes the instruction that the guest stands before on the software CPU. False: it cannot either. */
bool vmm_assist(struct vmm_vcpu *v);
void vmm_assist_free(struct vmm_machine *m);

/* -- exits.c -- */
/* An exit that the guest caused, v->exit, v->rip and v->cpl filled: counts it, tells it, handles it. Engines
 * that call devices from inside `run` use it there. */
void vmm_guest_exit(struct vmm_vcpu *v);
/* Does what v->exit asks for; v->ended when that was the end. */
void vmm_exit_handle(struct vmm_vcpu *v);
/* Port, address or vector of an exit: the argument `detail` of vm.exit. */
uint64_t vmm_exit_detail(const struct vmm_exit *x);

/* -- orders.c -- */
/* Monitor thread: hands an order over. -EAGAIN when too many wait. */
int vmm_orders_put(struct vmm_machine *m, const struct rs_control *order);
/* Monitor thread: the run must end with this outcome as soon as the vCPU comes round. */
void vmm_orders_stop(struct vmm_machine *m, enum rs_outcome outcome);
/* vCPU thread: carries out what waits; stands still while paused. */
void vmm_orders_do(struct vmm_vcpu *v);
/* vCPU thread: stands still from here on (vmm_orders_do then waits). */
void vmm_pause(struct vmm_vcpu *v);

/* -- snapshot.c -- */
/* Sends snapshots of the vCPU: registers, code around RIP. Engine state must be readable. */
void vmm_snapshot(struct vmm_vcpu *v);

/* -- trace.c: ring crossings, faults, steps -- */
/* What an exact engine (engine.h) saw: a gate was passed, or the ring changed. Real mode: selectors alone. */
struct vmm_crossing {
	enum rs_via via;
	unsigned from, to;             /* CPL */
	uint64_t rip;                  /* of the instruction that did it, or was interrupted */
	bool fault;                    /* an exception: */
	unsigned vector;
	uint32_t error;
	uint16_t from_cs, from_ss, to_cs, to_ss;
	uint64_t from_rsp, to_rip, to_rsp;
	bool has_gate, stack_switched;
	uint8_t gate[16], code[8];     /* descriptors as they stand in memory */
};
/* The engine stands behind the crossing. */
void vmm_trace_cross(struct vmm_vcpu *v, const struct vmm_crossing *x);
/* An exact engine met an exit: where nobody asked for exact crossings, the ring is told as it is now. */
void vmm_exact_sample(struct vmm_vcpu *v);
int vmm_trace_new(struct vmm_vcpu *v, struct rs_err *err);
void vmm_trace_free(struct vmm_vcpu *v);
/* Once, before the first entry: tells where the CPU starts. */
void vmm_trace_start(struct vmm_vcpu *v);
/* Before the guest is entered: arms single-step and breakpoints as the mode wants. */
int vmm_trace_before(struct vmm_vcpu *v, struct rs_err *err);
/* After an exit, v->rip and v->cpl read: says what was crossed. 1: the exit was the tracer's own and asks
 * for nothing; 0: the guest's; negative with err. */
int vmm_trace_after(struct vmm_vcpu *v, struct rs_err *err);
/* The instruction before which the guest stood was executed by somebody else than the engine. */
void vmm_trace_assisted(struct vmm_vcpu *v);
/* The vCPU was asked to come round: nothing that the guest did. */
void vmm_trace_kicked(struct vmm_vcpu *v);
/* Puts guest memory into the state that the guest knows: before anybody looks at it. */
void vmm_trace_hide(struct vmm_vcpu *v);
/* The run is over: a last sample. */
void vmm_trace_end(struct vmm_vcpu *v);

/* -- virt.c: a guest kernel in ring 1 under a monitor in ring 0 (desc.technique) -- */
/* Puts the monitor into guest memory and changes *s, the state of the guest's first instruction, to that of
 * the monitor's. Does nothing for RS_TECHNIQUE_ASSIST. */
int vmm_virt_new(struct vmm_vcpu *v, struct vmm_cpu_state *s, struct rs_err *err);
void vmm_virt_free(struct vmm_vcpu *v);
void vmm_virt_start(struct vmm_vcpu *v); /* behind vmm_trace_start */
void vmm_virt_entered(struct vmm_vcpu *v); /* the guest wrote VMM_PORT_MONITOR */
/* *s as the guest's code left it, when the monitor's has the CPU. */
void vmm_virt_seen(const struct vmm_virt *t, struct vmm_cpu_state *s);
void vmm_virt_end(struct vmm_vcpu *v);   /* a last snapshot */
void vmm_virt_explain(const struct vmm_virt *t, struct rs_str *out);
#define VMM_VIRT_SIZE 0x20000u           /* bytes of its pages */
#define VMM_PORT_MONITOR 0xb0            /* written by its stubs alone */

#endif
