/* The handlers of linux_calls.def. Private to emu/linux*.c. */
#ifndef EMU_LINUX_CALLS_H
#define EMU_LINUX_CALLS_H

#include "emu/linux.h"

#define PASS(number, name, shape)
#define CALL(number, name) emu_syscall_fn emu_sys_##name;
#define QUIET(number, name)
#define NAMED(number, name)
#include "emu/linux_calls.def"

/* An optional record of a call: *host gets its address, or 0 when addr is 0. False: not accessible. */
bool emu_optional(struct emu_thread *t, uint64_t addr, uint64_t len, bool write, uint64_t *host);

/* linux_signal.c: the mask that a call sets while it waits (addr 0: none), taken back after a signal was
 * delivered, or by emu_mask_leave when none was; it returns r. */
bool emu_mask_enter(struct emu_thread *t, uint64_t addr);
int64_t emu_mask_leave(struct emu_thread *t, int64_t r);

/* linux_file.c: the guest's vector of n buffers with host addresses; 0 or -errno. */
struct iovec;
int64_t emu_vector(struct emu_thread *t, uint64_t addr, uint64_t n, int prot, struct iovec *out);
/* Does what is written to this descriptor become events? */
bool emu_is_captured(const struct emu_thread *t, uint64_t fd);

/* linux_thread.c: what clone sets in the child; linux_fork.c: a child process. Its number, 0 in it, or -errno. */
void emu_child_registers(struct emu_thread *t, struct emu_cpu *cpu, const uint64_t a[6]);
int64_t emu_clone_process(struct emu_thread *t, const uint64_t a[6]);

/* linux_proc.c: a file of /proc that must speak of the guest: a descriptor of its own, or -errno; -ENOENT:
 * the path is none of these. */
int64_t emu_proc_open(struct emu_thread *t, const char *path, uint64_t flags);

#endif
