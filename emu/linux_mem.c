/* brk, mmap and their family, over emu/mem.h. All under the process's lock. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "emu/linux_calls.h"

static uint64_t page_up(uint64_t n)
{
	return (n + EMU_PAGE - 1) & ~(uint64_t)(EMU_PAGE - 1);
}

static bool all_free(const struct emu_mem *m, uint64_t from, uint64_t to)
{
	for (uint64_t p = from / EMU_PAGE; p < to / EMU_PAGE; p++)
		if (m->right[p])
			return false;
	return true;
}

/* brk(2): the new end, or the old one when it cannot be. */
static uint64_t set_brk(struct emu_mem *m, uint64_t want)
{
	uint64_t old = page_up(m->brk), now = page_up(want);

	if (want < m->brk_start || want >= EMU_MEM_TOP)
		return m->brk;
	if (now > old && (!all_free(m, old, now) ||
			  emu_mem_map(m, old, now - old, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1, 0) < 0))
		return m->brk;
	if (now < old)
		emu_mem_unmap(m, now, old - now);
	m->brk = want;
	return want;
}

int64_t emu_sys_brk(struct emu_thread *t, const uint64_t a[6])
{
	uint64_t r;

	pthread_mutex_lock(&t->l->lock);
	r = set_brk(&t->l->w->mem, a[0]);
	pthread_mutex_unlock(&t->l->lock);
	return (int64_t)r;
}

static int64_t map(struct emu_mem *m, uint64_t addr, uint64_t len, int prot, int flags, int fd, uint64_t offset)
{
	bool fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
	int r;

	if (!len || offset % EMU_PAGE)
		return -EINVAL;
	if (len > EMU_MEM_SIZE)
		return -ENOMEM;
	len = page_up(len);
	if (fixed) {
		if (addr % EMU_PAGE)
			return -EINVAL;
		if (addr >= EMU_MEM_TOP || len > EMU_MEM_TOP - addr)
			return -ENOMEM;
		if (addr < EMU_MEM_LOW)
			return -EPERM;
		if ((flags & MAP_FIXED_NOREPLACE) && !all_free(m, addr, addr + len))
			return -EEXIST;
	} else {
		addr = emu_mem_find(m, addr < EMU_MEM_TOP ? addr : 0, len);
		if (!addr)
			return -ENOMEM;
	}
	r = emu_mem_map(m, addr, len, prot, flags & (MAP_SHARED | MAP_PRIVATE), flags & MAP_ANONYMOUS ? -1 : fd,
			offset);
	return r < 0 ? r : (int64_t)addr;
}

int64_t emu_sys_mmap(struct emu_thread *t, const uint64_t a[6])
{
	int64_t r;

	if (!(a[3] & (MAP_SHARED | MAP_PRIVATE)))
		return -EINVAL;
	if (!(a[3] & MAP_ANONYMOUS) && (int32_t)a[4] < 0)
		return -EBADF;
	pthread_mutex_lock(&t->l->lock);
	r = map(&t->l->w->mem, a[0], a[1], (int)a[2] & 7, (int)a[3], (int)a[4], a[5]);
	pthread_mutex_unlock(&t->l->lock);
	return r;
}

/* The part of [addr, addr + len) that guest memory can hold; 0 when nothing is left. */
static uint64_t clip(uint64_t *addr, uint64_t len)
{
	uint64_t end = *addr + len;

	if (end > EMU_MEM_TOP || end < *addr)
		end = EMU_MEM_TOP;
	if (*addr < EMU_MEM_LOW)
		*addr = EMU_MEM_LOW;
	return *addr < end ? end - *addr : 0;
}

int64_t emu_sys_munmap(struct emu_thread *t, const uint64_t a[6])
{
	uint64_t addr = a[0], len;
	int64_t r = 0;

	if (a[0] % EMU_PAGE || !a[1] || a[0] >= EMU_MEM_SIZE || a[1] > EMU_MEM_SIZE - a[0])
		return -EINVAL;
	len = clip(&addr, page_up(a[1]));
	if (!len)
		return 0;
	pthread_mutex_lock(&t->l->lock);
	r = emu_mem_unmap(&t->l->w->mem, addr, len);
	pthread_mutex_unlock(&t->l->lock);
	return r;
}

int64_t emu_sys_mprotect(struct emu_thread *t, const uint64_t a[6])
{
	int64_t r;

	if (a[0] % EMU_PAGE)
		return -EINVAL;
	if (a[0] >= EMU_MEM_SIZE || a[1] > EMU_MEM_SIZE - a[0])
		return a[1] ? -ENOMEM : 0;
	pthread_mutex_lock(&t->l->lock);
	r = emu_mem_protect(&t->l->w->mem, a[0], page_up(a[1]), (int)a[2] & 7);
	pthread_mutex_unlock(&t->l->lock);
	return r;
}

/* What mremap must keep of a range: its rights, when they are the same all over. -EFAULT. */
static int uniform_rights(const struct emu_mem *m, uint64_t addr, uint64_t len)
{
	int prot = -EFAULT;

	for (uint64_t p = addr / EMU_PAGE; p < (addr + len) / EMU_PAGE; p++) {
		int here = m->right[p] & (PROT_READ | PROT_WRITE | PROT_EXEC);

		if (!(m->right[p] & EMU_RIGHT_MAPPED) || (prot >= 0 && here != prot))
			return -EFAULT;
		prot = here;
	}
	return prot;
}

static int64_t move(struct emu_mem *m, uint64_t old, uint64_t old_len, uint64_t new, uint64_t len)
{
	int r = emu_mem_move(m, old, old_len, new, len);

	return r < 0 ? r : (int64_t)new;
}

static int64_t remap(struct emu_mem *m, uint64_t old, uint64_t old_len, uint64_t len, int flags, uint64_t want)
{
	int prot = uniform_rights(m, old, old_len);
	uint64_t new;

	if (prot < 0)
		return prot;
	if (flags & MREMAP_FIXED) {
		if (want % EMU_PAGE || want < EMU_MEM_LOW || want >= EMU_MEM_TOP || len > EMU_MEM_TOP - want ||
		    (want < old + old_len && old < want + len))
			return -EINVAL;
		return move(m, old, old_len, want, len);
	}
	if (len <= old_len) {
		if (len < old_len)
			emu_mem_unmap(m, old + len, old_len - len);
		return (int64_t)old;
	}
	if (!(m->right[old / EMU_PAGE] & EMU_RIGHT_SHARED) && old + len <= EMU_MEM_TOP &&
	    all_free(m, old + old_len, old + len)) {
		int r = emu_mem_map(m, old + old_len, len - old_len, prot, MAP_PRIVATE, -1, 0);

		return r < 0 ? r : (int64_t)old;
	}
	if (!(flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	new = emu_mem_find(m, 0, len);
	return new ? move(m, old, old_len, new, len) : -ENOMEM;
}

int64_t emu_sys_mremap(struct emu_thread *t, const uint64_t a[6])
{
	uint64_t old_len = page_up(a[1]), len = page_up(a[2]);
	int64_t r;

	if (a[0] % EMU_PAGE || !len || (a[3] & ~3ull) || (a[3] & 3) == MREMAP_FIXED)
		return -EINVAL;
	if (a[0] < EMU_MEM_LOW || a[0] >= EMU_MEM_TOP || !old_len || old_len > EMU_MEM_TOP - a[0])
		return -EFAULT;
	if (a[2] > EMU_MEM_SIZE)
		return -ENOMEM;
	pthread_mutex_lock(&t->l->lock);
	r = remap(&t->l->w->mem, a[0], old_len, len, (int)a[3], a[4]);
	pthread_mutex_unlock(&t->l->lock);
	return r;
}

/* ---- advice and the like: on the host's pages ---- */

static int64_t on_pages(struct emu_thread *t, long nr, const uint64_t a[6])
{
	uint64_t len = page_up(a[1]);

	if (a[0] % EMU_PAGE)
		return -EINVAL;
	if (a[0] >= EMU_MEM_SIZE || a[1] > EMU_MEM_SIZE || len > EMU_MEM_SIZE - a[0])
		return -ENOMEM;
	for (uint64_t p = a[0] / EMU_PAGE; p < (a[0] + len) / EMU_PAGE; p++)
		if (!(t->l->w->mem.right[p] & EMU_RIGHT_MAPPED))
			return -ENOMEM;
	return emu_host_syscall(nr, (uintptr_t)t->l->w->mem.base + a[0], len, a[2], 0, 0, 0);
}

/* Code on pages that will be empty must not stay. */
static void drop_advice(struct emu_thread *t, const uint64_t a[6])
{
	struct emu_mem *m = &t->l->w->mem;

	for (uint64_t at = a[0]; at < EMU_MEM_TOP && at < a[0] + page_up(a[1]); at += EMU_PAGE)
		if ((m->right[at / EMU_PAGE] & EMU_RIGHT_CODE) && m->on_code_change)
			m->on_code_change(m->on_code_arg, at, EMU_PAGE);
}

/* Only advice that keeps the host's mappings as they are, or empties pages. */
int64_t emu_sys_madvise(struct emu_thread *t, const uint64_t a[6])
{
	switch (a[2]) {
	case MADV_DONTNEED:
		drop_advice(t, a);
		return on_pages(t, SYS_madvise, a);
	case MADV_FREE: /* may be done at any time, or never */
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
	case MADV_DONTDUMP:
	case MADV_DODUMP:
		return 0;
	}
	return -EINVAL;
}

int64_t emu_sys_msync(struct emu_thread *t, const uint64_t a[6])
{
	return on_pages(t, SYS_msync, a);
}

int64_t emu_sys_mlock(struct emu_thread *t, const uint64_t a[6])
{
	return on_pages(t, SYS_mlock, a);
}

int64_t emu_sys_munlock(struct emu_thread *t, const uint64_t a[6])
{
	return on_pages(t, SYS_munlock, a);
}

int64_t emu_sys_mincore(struct emu_thread *t, const uint64_t a[6])
{
	uint64_t b[6] = { a[0], a[1], 0 };
	void *out = emu_out(t, a[2], page_up(a[1] & 0xffffffff) / EMU_PAGE);

	if (!out)
		return -EFAULT;
	b[2] = (uintptr_t)out;
	return on_pages(t, SYS_mincore, b);
}

int64_t emu_sys_riscv_flush_icache(struct emu_thread *t, const uint64_t a[6])
{
	(void)a;
	emu_code_fence(t->l->w);
	return 0;
}
