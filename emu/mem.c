/* Guest memory: mappings, rights, and the checked way in (mem.h). */
#include "emu/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/base/lang.h"

#define PAGES (EMU_MEM_SIZE / EMU_PAGE)
#define RIGHT_PROT (PROT_READ | PROT_WRITE | PROT_EXEC)

/* Address space for the guest: where guest address 0 is host address 0, or anywhere. */
static bool reserve(struct emu_mem *m, bool low)
{
	uintptr_t from = low ? EMU_MEM_LOW : 0;
	uint64_t len = EMU_MEM_SIZE + EMU_MEM_GUARD - from;
	void *p = mmap((void *)from, len, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (low ? MAP_FIXED_NOREPLACE : 0), -1, 0);

	if (p == MAP_FAILED)
		return false;
	m->reserved = p;
	m->reserved_len = len;
	m->base = (uint8_t *)((uintptr_t)p - from);
	if (!low || !m->base)
		return true;
	munmap(p, len); /* a kernel before 4.17 takes the address as a wish */
	return false;
}

int emu_mem_init(struct emu_mem *m, bool low, struct rs_err *err)
{
	void *right = mmap(NULL, PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	memset(m, 0, sizeof(*m));
	if (right == MAP_FAILED || ((!low || !reserve(m, true)) && !reserve(m, false))) {
		int e = errno;

		if (right != MAP_FAILED)
			munmap(right, PAGES);
		return rs_err_errno(err, e, N_("cannot reserve 4 GiB of address space for the guest"));
	}
	m->right = right;
	return 0;
}

void emu_mem_release(struct emu_mem *m)
{
	if (!m->right)
		return;
	munmap(m->reserved, m->reserved_len);
	munmap(m->right, PAGES);
	m->right = NULL;
}

static bool range_ok(uint64_t addr, uint64_t len)
{
	return addr % EMU_PAGE == 0 && len % EMU_PAGE == 0 && len > 0 && addr >= EMU_MEM_LOW &&
	       addr < EMU_MEM_TOP && len <= EMU_MEM_TOP - addr;
}

static void drop_code(struct emu_mem *m, uint64_t addr, uint64_t len)
{
	uint64_t end = (addr + len + EMU_PAGE - 1) / EMU_PAGE;

	for (uint64_t p = addr / EMU_PAGE; p < end; p++) {
		if ((m->right[p] & EMU_RIGHT_CODE) && m->on_code_change)
			m->on_code_change(m->on_code_arg, p * EMU_PAGE, EMU_PAGE);
	}
}

/* The host's protection: code is read by the translator, and what can be written can be read. */
static int host_prot(int prot)
{
	return (prot ? PROT_READ : 0) | (prot & PROT_WRITE);
}

static uint8_t right_of(int prot)
{
	return (uint8_t)(EMU_RIGHT_MAPPED | (prot & RIGHT_PROT) | (prot & PROT_WRITE ? PROT_READ : 0));
}

static uint64_t count_mapped(const struct emu_mem *m, uint64_t addr, uint64_t len)
{
	uint64_t n = 0;

	for (uint64_t p = addr / EMU_PAGE; p < (addr + len) / EMU_PAGE; p++)
		n += m->right[p] != 0;
	return n * EMU_PAGE;
}

int emu_mem_map(struct emu_mem *m, uint64_t addr, uint64_t len, int prot, int flags, int fd, uint64_t offset)
{
	uint64_t before;
	int host = (flags & (MAP_SHARED | MAP_PRIVATE)) | MAP_FIXED | (fd < 0 ? MAP_ANONYMOUS : 0) |
		   MAP_NORESERVE;

	if (!range_ok(addr, len))
		return addr % EMU_PAGE || len == 0 ? -EINVAL : -ENOMEM;
	before = count_mapped(m, addr, len);
	if (m->limit && m->mapped - before + len > m->limit)
		return -ENOMEM;
	drop_code(m, addr, len);
	if (mmap(m->base + addr, len, host_prot(prot), host, fd, (off_t)offset) == MAP_FAILED)
		return -errno;
	memset(m->right + addr / EMU_PAGE, right_of(prot) | (fd >= 0 || (flags & MAP_SHARED) ? EMU_RIGHT_SHARED : 0),
	       len / EMU_PAGE);
	m->mapped += len - before;
	return 0;
}

int emu_mem_unmap(struct emu_mem *m, uint64_t addr, uint64_t len)
{
	if (!range_ok(addr, len))
		return -EINVAL;
	drop_code(m, addr, len);
	m->mapped -= count_mapped(m, addr, len);
	memset(m->right + addr / EMU_PAGE, 0, len / EMU_PAGE);
	if (mmap(m->base + addr, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
		 0) == MAP_FAILED)
		return -errno;
	return 0;
}

int emu_mem_protect(struct emu_mem *m, uint64_t addr, uint64_t len, int prot)
{
	if (len == 0 && addr % EMU_PAGE == 0)
		return 0;
	if (!range_ok(addr, len))
		return addr % EMU_PAGE ? -EINVAL : -ENOMEM;
	for (uint64_t p = addr / EMU_PAGE; p < (addr + len) / EMU_PAGE; p++) {
		if (!(m->right[p] & EMU_RIGHT_MAPPED))
			return -ENOMEM;
	}
	drop_code(m, addr, len);
	if (mprotect(m->base + addr, len, host_prot(prot)) < 0)
		return -errno;
	for (uint64_t p = addr / EMU_PAGE; p < (addr + len) / EMU_PAGE; p++)
		m->right[p] = (uint8_t)(right_of(prot) | (m->right[p] & EMU_RIGHT_SHARED));
	return 0;
}

int emu_mem_move(struct emu_mem *m, uint64_t from, uint64_t len, uint64_t to, uint64_t new_len)
{
	uint64_t before;
	uint8_t right;

	if (!range_ok(from, len) || !range_ok(to, new_len))
		return -EINVAL;
	right = m->right[from / EMU_PAGE];
	before = count_mapped(m, to, new_len);
	if (m->limit && m->mapped - before - len + new_len > m->limit)
		return -ENOMEM;
	drop_code(m, from, len);
	drop_code(m, to, new_len);
	if (mremap(m->base + from, len, new_len, MREMAP_MAYMOVE | MREMAP_FIXED, m->base + to) == MAP_FAILED)
		return -errno;
	m->mapped += new_len - before;
	memset(m->right + to / EMU_PAGE, right & (uint8_t)~EMU_RIGHT_CODE, new_len / EMU_PAGE);
	return emu_mem_unmap(m, from, len); /* the hole is reserved again */
}

static bool is_free(const struct emu_mem *m, uint64_t addr, uint64_t len)
{
	for (uint64_t p = addr / EMU_PAGE; p < (addr + len) / EMU_PAGE; p++) {
		if (m->right[p])
			return false;
	}
	return true;
}

uint64_t emu_mem_find(struct emu_mem *m, uint64_t hint, uint64_t len)
{
	uint64_t run = 0;

	len = (len + EMU_PAGE - 1) & ~(uint64_t)(EMU_PAGE - 1);
	hint &= ~(uint64_t)(EMU_PAGE - 1);
	if (len == 0 || len > EMU_MEM_TOP - EMU_MEM_LOW)
		return 0;
	if (hint && range_ok(hint, len) && is_free(m, hint, len))
		return hint;
	for (uint64_t p = EMU_MEM_TOP / EMU_PAGE; p-- > EMU_MEM_LOW / EMU_PAGE;) {
		run = m->right[p] ? 0 : run + EMU_PAGE;
		if (run == len)
			return p * EMU_PAGE;
	}
	return 0;
}

/* The kernel reads the signal set before it finds that the first argument is none of its own: an error of
 * -EFAULT tells of the page, and nothing else happens. */
static bool can_read(const void *p)
{
	return syscall(SYS_rt_sigprocmask, -1, (uintptr_t)p & ~7ul, NULL, 8) == 0 || errno != EFAULT;
}

bool emu_mem_backed(const struct emu_mem *m, uint64_t addr, uint64_t len)
{
	for (uint64_t p = addr / EMU_PAGE; len && p <= (addr + len - 1) / EMU_PAGE; p++) {
		if ((m->right[p] & EMU_RIGHT_SHARED) && (m->right[p] & RIGHT_PROT) && !can_read(m->base + p * EMU_PAGE))
			return false;
	}
	return true;
}

void *emu_mem_host(struct emu_mem *m, uint64_t addr, uint64_t len, int prot)
{
	if (addr >= EMU_MEM_SIZE || len > EMU_MEM_SIZE - addr)
		return NULL;
	if (len == 0)
		return addr || m->base ? m->base + addr : m->right;
	for (uint64_t p = addr / EMU_PAGE; p <= (addr + len - 1) / EMU_PAGE; p++) {
		if ((m->right[p] & prot) != prot)
			return NULL;
		if ((prot & PROT_WRITE) && (m->right[p] & EMU_RIGHT_CODE))
			drop_code(m, p * EMU_PAGE, EMU_PAGE);
	}
	if (!emu_mem_backed(m, addr, len))
		return NULL;
	return m->base + addr;
}

bool emu_mem_read(struct emu_mem *m, uint64_t addr, void *to, uint64_t len)
{
	const void *from = emu_mem_host(m, addr, len, PROT_READ);

	if (from)
		memcpy(to, from, len);
	return from;
}

bool emu_mem_write(struct emu_mem *m, uint64_t addr, const void *from, uint64_t len)
{
	void *to = emu_mem_host(m, addr, len, PROT_WRITE);

	if (to)
		memcpy(to, from, len);
	return to;
}

int64_t emu_mem_strlen(struct emu_mem *m, uint64_t addr, uint64_t max)
{
	uint64_t n = 0;

	while (n < max) {
		uint64_t chunk = EMU_PAGE - (addr + n) % EMU_PAGE;
		const char *p = emu_mem_host(m, addr + n, 1, PROT_READ), *end;

		if (!p)
			return -EFAULT;
		if (chunk > max - n)
			chunk = max - n;
		end = memchr(p, 0, chunk);
		if (end)
			return (int64_t)(n + (uint64_t)(end - p));
		n += chunk;
	}
	return -ENAMETOOLONG;
}
