/* The calls that the box is watched for, and their arguments as text. */
#include "containers/box_private.h"

#include <linux/sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

/* AArch64 has only the forms with a directory. */
#ifndef __NR_fork
#define __NR_fork (-1)
#endif
#ifndef __NR_vfork
#define __NR_vfork (-1)
#endif
#ifndef __NR_mknod
#define __NR_mknod (-1)
#endif

const struct box_call_info box_calls[] = {
#define RS_BOXCALL(id, name, args, sentence) { __NR_##name, #name, args },
#include "engine/base/boxcalls.def"
};
_Static_assert(sizeof(box_calls) / sizeof(box_calls[0]) == BOX_CALLS, "the last row of boxcalls.def");

int box_call_of(uint64_t nr)
{
	for (int i = 0; i < BOX_CALLS; i++)
		if (box_calls[i].nr >= 0 && (uint64_t)box_calls[i].nr == nr)
			return i;
	return -1;
}

static size_t read_bytes(pid_t pid, uint64_t at, void *buf, size_t n)
{
	struct iovec to = { buf, n }, from = { (void *)(uintptr_t)at, n };
	ssize_t got = process_vm_readv(pid, &to, 1, &from, 1, 0);

	return got < 0 ? 0 : (size_t)got;
}

/* In pieces that end with a page: what lies behind the text may not be there. */
void box_read_text(pid_t pid, uint64_t at, char *buf, size_t size)
{
	size_t n = 0;

	while (at && n < size - 1) {
		size_t want = 64 - (at + n) % 64, got;

		want = want < size - 1 - n ? want : size - 1 - n;
		got = read_bytes(pid, at + n, buf + n, want);
		n += got;
		if (got < want || memchr(buf + n - got, 0, got))
			break;
	}
	buf[n] = '\0';
}

struct flag {
	uint64_t bit;
	const char *name;
};
static const struct flag ns_flags[] = {
	{ CLONE_NEWNS, "NEWNS" }, { CLONE_NEWUTS, "NEWUTS" }, { CLONE_NEWIPC, "NEWIPC" }, { CLONE_NEWUSER, "NEWUSER" },
	{ CLONE_NEWPID, "NEWPID" }, { CLONE_NEWNET, "NEWNET" }, { CLONE_NEWCGROUP, "NEWCGROUP" }, { CLONE_NEWTIME, "NEWTIME" },
	{ 0, NULL },
};
static const struct flag mount_flags[] = {
	{ MS_RDONLY, "RDONLY" }, { MS_NOSUID, "NOSUID" }, { MS_NODEV, "NODEV" }, { MS_NOEXEC, "NOEXEC" }, { MS_REMOUNT, "REMOUNT" },
	{ MS_BIND, "BIND" }, { MS_MOVE, "MOVE" }, { MS_REC, "REC" }, { MS_PRIVATE, "PRIVATE" }, { MS_SLAVE, "SLAVE" },
	{ MS_SHARED, "SHARED" }, { MS_UNBINDABLE, "UNBINDABLE" }, { 0, NULL },
};

#define CLONE_NEWTIME_BIT 0x80ull /* in clone's flags these bits are the signal; only clone3 and unshare have it */

static void put_flags(char *buf, size_t size, const struct flag *f, uint64_t v)
{
	size_t n = strlen(buf);
	bool any = false;

	for (; f->name && n < size; f++)
		if (v & f->bit) {
			n += (size_t)snprintf(buf + n, size - n, "%s%s", any ? "|" : "", f->name);
			any = true;
		}
	if (!any && n < size)
		snprintf(buf + n, size - n, "0");
}

uint64_t box_call_ns_flags(pid_t pid, enum rs_lcall call, const uint64_t args[6])
{
	uint64_t v = args[0];

	switch (call) {
	case RS_LCALL_CLONE:
		v &= ~CLONE_NEWTIME_BIT;
		break;
	case RS_LCALL_CLONE3:
		if (read_bytes(pid, args[0], &v, sizeof(v)) != sizeof(v))
			v = 0;
		break;
	case RS_LCALL_UNSHARE:
		break;
	case RS_LCALL_SETNS:
		v = args[1];
		break;
	default:
		return 0;
	}
	uint64_t all = 0;

	for (const struct flag *f = ns_flags; f->name; f++)
		all |= f->bit;
	return v & all;
}

void box_call_text(pid_t pid, enum rs_lcall call, const uint64_t args[6], char *buf, size_t size)
{
	const char *kinds = box_calls[call].args;
	char text[RS_TEXT_SIZE];

	buf[0] = '\0';
	for (unsigned i = 0; kinds[i] && strlen(buf) + 3 < size; i++) {
		size_t n = strlen(buf);

		if (i)
			n += (size_t)snprintf(buf + n, size - n, ", ");
		switch (kinds[i]) {
		case 'p':
			box_read_text(pid, args[i], text, sizeof(text));
			snprintf(buf + n, size - n, args[i] ? "\"%s\"" : "NULL", text);
			break;
		case 's':
			box_read_text(pid, args[i], text, args[i + 1] + 1 < sizeof(text) ? (size_t)args[i + 1] + 1 : sizeof(text));
			snprintf(buf + n, size - n, "\"%s\"", text);
			break;
		case 'f':
			put_flags(buf, size, ns_flags, box_call_ns_flags(pid, call, args));
			break;
		case '3':
			put_flags(buf, size, ns_flags, box_call_ns_flags(pid, call, args));
			break;
		case 'm':
			put_flags(buf, size, mount_flags, args[i]);
			break;
		case 'o':
			snprintf(buf + n, size - n, "%#o", (unsigned)args[i]);
			break;
		case 'D':
			snprintf(buf + n, size - n, "%u:%u", major(args[i]), minor(args[i]));
			break;
		default:
			snprintf(buf + n, size - n, "%d", (int)args[i]);
			break;
		}
	}
}
