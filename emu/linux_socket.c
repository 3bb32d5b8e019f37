/* Sockets. Addresses, options and control messages are the host's own; the messages around them hold
 * pointers. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "emu/linux_calls.h"

#define ADDRESS_MAX 128u /* sizeof(struct sockaddr_storage) */

/* accept, getsockname and their like: an address and its length, which goes in and out; both may be
 * missing. `at` is the argument of the address. */
static int64_t with_address(struct emu_thread *t, long nr, const uint64_t a[6], unsigned at)
{
	uint64_t b[6];

	memcpy(b, a, sizeof(b));
	if (a[at]) {
		uint32_t *len = emu_out(t, a[at + 1], 4);
		uint64_t room;

		if (!len)
			return -EFAULT;
		if ((int32_t)*len < 0)
			return -EINVAL;
		room = *len < ADDRESS_MAX ? *len : ADDRESS_MAX;
		b[at] = (uintptr_t)emu_out(t, a[at], room);
		b[at + 1] = (uintptr_t)len;
		if (!b[at])
			return -EFAULT;
	} else {
		b[at + 1] = 0;
	}
	return emu_safe_syscall(t, nr, b[0], b[1], b[2], b[3], b[4], b[5]);
}

int64_t emu_sys_accept(struct emu_thread *t, const uint64_t a[6])
{
	const uint64_t b[6] = { a[0], a[1], a[2], 0 };

	return with_address(t, SYS_accept4, b, 1);
}

int64_t emu_sys_accept4(struct emu_thread *t, const uint64_t a[6])
{
	return with_address(t, SYS_accept4, a, 1);
}

int64_t emu_sys_getsockname(struct emu_thread *t, const uint64_t a[6])
{
	return a[1] ? with_address(t, SYS_getsockname, a, 1) : -EFAULT;
}

int64_t emu_sys_getpeername(struct emu_thread *t, const uint64_t a[6])
{
	return a[1] ? with_address(t, SYS_getpeername, a, 1) : -EFAULT;
}

int64_t emu_sys_sendto(struct emu_thread *t, const uint64_t a[6])
{
	void *data = emu_in(t, a[1], a[2]);
	uint64_t to;

	if (a[4] && a[5] > ADDRESS_MAX)
		return -EINVAL;
	if (!data || !emu_optional(t, a[4], a[5], false, &to))
		return -EFAULT;
	return emu_safe_syscall(t, SYS_sendto, a[0], (uintptr_t)data, a[2], a[3], to, to ? a[5] : 0);
}

int64_t emu_sys_recvfrom(struct emu_thread *t, const uint64_t a[6])
{
	uint64_t b[6];

	memcpy(b, a, sizeof(b));
	b[1] = (uintptr_t)emu_out(t, a[1], a[2]);
	return b[1] ? with_address(t, SYS_recvfrom, b, 4) : -EFAULT;
}

/* ---- options ---- */

/* Filters hold pointers to programs: not passed on. */
static bool holds_pointers(const uint64_t a[6])
{
	return a[1] == SOL_SOCKET && (a[2] == SO_ATTACH_FILTER || a[2] == SO_ATTACH_REUSEPORT_CBPF);
}

int64_t emu_sys_setsockopt(struct emu_thread *t, const uint64_t a[6])
{
	uint64_t value;

	if (holds_pointers(a))
		return -ENOPROTOOPT;
	if (!emu_optional(t, a[3], a[4], false, &value))
		return -EFAULT;
	return emu_host_syscall(SYS_setsockopt, a[0], a[1], a[2], value, a[4], 0);
}

int64_t emu_sys_getsockopt(struct emu_thread *t, const uint64_t a[6])
{
	uint32_t *len = emu_out(t, a[4], 4);
	void *value = len ? emu_out(t, a[3], *len) : NULL;

	if (holds_pointers(a))
		return -ENOPROTOOPT;
	if (!value)
		return -EFAULT;
	return emu_host_syscall(SYS_getsockopt, a[0], a[1], a[2], (uintptr_t)value, (uintptr_t)len, 0);
}

/* ---- messages ---- */

struct message {
	struct msghdr host;
	struct iovec v[IOV_MAX];
};

/* struct msghdr of the guest is the host's but for its pointers. */
static int64_t read_message(struct emu_thread *t, uint64_t addr, bool receive, struct message *m)
{
	struct msghdr *h = &m->host;
	uint64_t name, control;
	int64_t r;

	if (!emu_mem_read(&t->l->w->mem, addr, h, sizeof(*h)))
		return -EFAULT;
	if (h->msg_iovlen > IOV_MAX)
		return -EMSGSIZE;
	if (h->msg_namelen > ADDRESS_MAX)
		h->msg_namelen = ADDRESS_MAX;
	if (!h->msg_control)
		h->msg_controllen = 0;
	r = emu_vector(t, (uintptr_t)h->msg_iov, h->msg_iovlen, receive ? PROT_WRITE : PROT_READ, m->v);
	if (r < 0)
		return r;
	if (!emu_optional(t, (uintptr_t)h->msg_name, h->msg_namelen, receive, &name) ||
	    !emu_optional(t, (uintptr_t)h->msg_control, h->msg_controllen, receive, &control))
		return -EFAULT;
	h->msg_iov = m->v;
	h->msg_name = (void *)(uintptr_t)name;
	h->msg_control = (void *)(uintptr_t)control;
	return 0;
}

/* What receiving changes: lengths and flags. */
static int64_t write_message(struct emu_thread *t, uint64_t addr, const struct msghdr *h)
{
	struct msghdr *g = emu_out(t, addr, sizeof(*g));

	if (!g)
		return -EFAULT;
	g->msg_namelen = h->msg_namelen;
	g->msg_controllen = h->msg_controllen;
	g->msg_flags = h->msg_flags;
	return 0;
}

static int64_t one_message(struct emu_thread *t, uint64_t fd, uint64_t addr, uint64_t flags, bool receive)
{
	struct message m;
	int64_t r = read_message(t, addr, receive, &m), e;

	if (r < 0)
		return r;
	r = emu_safe_syscall(t, receive ? SYS_recvmsg : SYS_sendmsg, fd, (uintptr_t)&m.host, flags, 0, 0, 0);
	if (r < 0 || !receive)
		return r;
	e = write_message(t, addr, &m.host);
	return e < 0 ? e : r;
}

int64_t emu_sys_sendmsg(struct emu_thread *t, const uint64_t a[6])
{
	return one_message(t, a[0], a[1], a[2], false);
}

int64_t emu_sys_recvmsg(struct emu_thread *t, const uint64_t a[6])
{
	return one_message(t, a[0], a[1], a[2], true);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* struct mmsghdr: a message and how many bytes were moved. After the first, an error ends the series
 * without being told. */
#define MMSG 64u

static int64_t messages(struct emu_thread *t, const uint64_t a[6], bool receive)
{
	uint64_t n = 0, flags = a[3] & ~(uint64_t)MSG_WAITFORONE, end = 0;
	struct timespec limit;
	int64_t r = 0;

	/* The time limit is looked at between messages, as Linux does (recvmmsg(2), BUGS). */
	if (receive && a[4]) {
		if (!emu_mem_read(&t->l->w->mem, a[4], &limit, sizeof(limit)))
			return -EFAULT;
		end = now_ns() + (uint64_t)limit.tv_sec * 1000000000u + (uint64_t)limit.tv_nsec;
	}
	while (n < (a[2] < IOV_MAX ? a[2] : IOV_MAX)) {
		uint64_t at = a[1] + n * MMSG;
		uint32_t moved;

		r = one_message(t, a[0], at, flags, receive);
		if (r < 0)
			break;
		moved = (uint32_t)r;
		if (!emu_mem_write(&t->l->w->mem, at + sizeof(struct msghdr), &moved, 4))
			return -EFAULT;
		n++;
		if (a[3] & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		if (end && now_ns() >= end)
			break;
	}
	return n ? (int64_t)n : r;
}

int64_t emu_sys_sendmmsg(struct emu_thread *t, const uint64_t a[6])
{
	return messages(t, a, false);
}

int64_t emu_sys_recvmmsg(struct emu_thread *t, const uint64_t a[6])
{
	return messages(t, a, true);
}
