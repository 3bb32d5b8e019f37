/* Guest memory: the one door. The guest's 4 GiB are one reserved range of the host with guard pages
 * after it; guest address g stands at base + g, and nothing else of the lab lies inside. What the
 * guest may do with a page stands in `right` (a byte a page); the host's protection is the same,
 * except that a page from which code was translated is not writable until that code is thrown away.
 * Execute rights are kept in `right` alone: the host never maps guest memory executable.
 *
 * A guest address is the low 32 bits of what the guest computed. Functions that take a 64-bit
 * address refuse one with high bits set, as Linux would.
 */
#ifndef EMU_MEM_H
#define EMU_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "engine/base/err.h"

#define EMU_MEM_SIZE (1ull << 32)
#define EMU_MEM_GUARD 0x10000u
#define EMU_PAGE 4096u
#define EMU_MEM_LOW 0x10000ull                  /* nothing is mapped below (mmap_min_addr) */
#define EMU_MEM_TOP (EMU_MEM_SIZE - 0x10000)    /* ... or from here on */

/* right[page]: PROT_READ | PROT_WRITE | PROT_EXEC as the guest asked, and: */
#define EMU_RIGHT_MAPPED 0x08u  /* there is a mapping (it may be PROT_NONE) */
#define EMU_RIGHT_SHARED 0x20u  /* MAP_SHARED, or a file: what adjoins it is not more of the same */
#define EMU_RIGHT_CODE 0x10u    /* code was translated from here: host protection lacks write */

struct emu_mem {
	uint8_t *base;          /* host address of guest address 0; it may be NULL */
	uint8_t *right;         /* EMU_MEM_SIZE / EMU_PAGE bytes, demand-zero */
	void *reserved;         /* the guest's range and its guards */
	uint64_t reserved_len;
	uint64_t brk_start, brk; /* of the Linux layer */
	uint64_t mapped;        /* bytes mapped, and a limit on them (0 = none): mmap fails with -ENOMEM */
	uint64_t limit;
	/* Called before a page with EMU_RIGHT_CODE becomes writable, changes rights or goes away;
	 * throws away what was translated from [addr, addr + len) and clears the flag. */
	void (*on_code_change)(void *arg, uint64_t addr, uint64_t len);
	void *on_code_arg;
};

/* 0, or -ENOMEM when the host does not give the address space. `low`: best in the host's own low 4 GiB, so
 * that a guest address is a host address (base is NULL then): host code needs no segment base, which costs a
 * load several cycles on many hosts. Where these are taken (another world, AddressSanitizer's shadow), it is
 * elsewhere. Nothing else can be mapped between 0 and EMU_MEM_LOW (mmap_min_addr). */
int emu_mem_init(struct emu_mem *m, bool low, struct rs_err *err);
void emu_mem_release(struct emu_mem *m);

/* All four: 0 or negative errno as mmap(2) and its family give it; addr and len multiples of
 * EMU_PAGE inside [EMU_MEM_LOW, EMU_MEM_TOP). */
/* Anonymous (fd = -1) or private/shared file mapping at exactly `addr`; replaces what is there. */
int emu_mem_map(struct emu_mem *m, uint64_t addr, uint64_t len, int prot, int flags, int fd,
		uint64_t offset);
int emu_mem_unmap(struct emu_mem *m, uint64_t addr, uint64_t len);
int emu_mem_protect(struct emu_mem *m, uint64_t addr, uint64_t len, int prot);
/* Moves a mapping as mremap(2) does, to [to, to + new_len), which it replaces; sharing and rights stay. */
int emu_mem_move(struct emu_mem *m, uint64_t from, uint64_t len, uint64_t to, uint64_t new_len);
/* Lowest... highest free range of `len` bytes below EMU_MEM_TOP (top down, as Linux), near `hint`
 * when that is free. 0: none. */
uint64_t emu_mem_find(struct emu_mem *m, uint64_t hint, uint64_t len);

/* Host pointer of [addr, addr + len) when the guest may do all of `prot` (PROT_READ, PROT_WRITE,
 * PROT_EXEC) there, else NULL. With PROT_WRITE, code translated from there is thrown away first.
 * len 0 is fine anywhere inside the 4 GiB: some pointer that is not NULL. */
void *emu_mem_host(struct emu_mem *m, uint64_t addr, uint64_t len, int prot);

/* False: a page of it lies past the end of the file that is mapped there: an access gets SIGBUS. The
 * guest's code finds out by itself; who touches guest memory from C asks first (emu_mem_host has). */
bool emu_mem_backed(const struct emu_mem *m, uint64_t addr, uint64_t len);

/* Copies; false when a byte is not accessible (nothing is copied then). */
bool emu_mem_read(struct emu_mem *m, uint64_t addr, void *to, uint64_t len);
bool emu_mem_write(struct emu_mem *m, uint64_t addr, const void *from, uint64_t len);
/* Length of the C string at addr, or -EFAULT, or -ENAMETOOLONG when it is `max` bytes or longer. */
int64_t emu_mem_strlen(struct emu_mem *m, uint64_t addr, uint64_t max);

#endif
