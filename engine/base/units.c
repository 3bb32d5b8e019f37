/* Units: how the value of an event argument is named and printed. The units with names are the
 * groups of enums.def, KVM exit reasons, x86 vectors, errno values, signals and ring crossings. */
#include "engine/base/event.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* The groups count from 0, so a name's index is its value. The array ends each group with at
 * least one NULL; a group of more than GROUP_MAX names does not compile. */
#define GROUP_MAX 48
static const char *const groups[RS_UNIT_COUNT][GROUP_MAX + 1] = {
#define RS_ENUM(group, id, name) [RS_UNIT_##group][RS_##id] = name,
#include "engine/base/enums.def"
};

/* The other lists: X(value, "name"). */
/* x86 exceptions: SDM vol. 3A, table 6-1; NMI's name and 28 to 30: APM vol. 2, table 8-1. */
#define VECTORS(X)                                                                                 \
	X(0, "#DE") X(1, "#DB") X(2, "NMI") X(3, "#BP") X(4, "#OF") X(5, "#BR") X(6, "#UD")        \
	X(7, "#NM") X(8, "#DF") X(10, "#TS") X(11, "#NP") X(12, "#SS") X(13, "#GP") X(14, "#PF")   \
	X(16, "#MF") X(17, "#AC") X(18, "#MC") X(19, "#XM") X(20, "#VE") X(21, "#CP")              \
	X(28, "#HV") X(29, "#VC") X(30, "#SX")
/* Ring crossings: from * 4 + to. */
#define CROSSINGS(X)                                                                               \
	X(0, "0->0") X(1, "0->1") X(2, "0->2") X(3, "0->3") X(4, "1->0") X(5, "1->1")              \
	X(6, "1->2") X(7, "1->3") X(8, "2->0") X(9, "2->1") X(10, "2->2") X(11, "2->3")            \
	X(12, "3->0") X(13, "3->1") X(14, "3->2") X(15, "3->3")
#define E(X, id) X(id, #id)
#define ERRNOS(X)                                                                                  \
	E(X, EPERM) E(X, ENOENT) E(X, ESRCH) E(X, EINTR) E(X, EIO) E(X, ENXIO) E(X, E2BIG)         \
	E(X, ENOEXEC) E(X, EBADF) E(X, ECHILD) E(X, EAGAIN) E(X, ENOMEM) E(X, EACCES)              \
	E(X, EFAULT) E(X, ENOTBLK) E(X, EBUSY) E(X, EEXIST) E(X, EXDEV) E(X, ENODEV)               \
	E(X, ENOTDIR) E(X, EISDIR) E(X, EINVAL) E(X, ENFILE) E(X, EMFILE) E(X, ENOTTY)             \
	E(X, ETXTBSY) E(X, EFBIG) E(X, ENOSPC) E(X, ESPIPE) E(X, EROFS) E(X, EMLINK)               \
	E(X, EPIPE) E(X, EDOM) E(X, ERANGE) E(X, EDEADLK) E(X, ENAMETOOLONG) E(X, ENOSYS)          \
	E(X, ENOTEMPTY) E(X, ELOOP) E(X, ENODATA) E(X, ETIME) E(X, EPROTO) E(X, EBADMSG)           \
	E(X, EOVERFLOW) E(X, EILSEQ) E(X, EUSERS) E(X, ENOTSOCK) E(X, EMSGSIZE)                    \
	E(X, EOPNOTSUPP) E(X, EADDRINUSE) E(X, EADDRNOTAVAIL) E(X, ENETDOWN)                       \
	E(X, ENETUNREACH) E(X, ECONNABORTED) E(X, ECONNRESET) E(X, ENOBUFS) E(X, ENOTCONN)         \
	E(X, ETIMEDOUT) E(X, ECONNREFUSED) E(X, EHOSTUNREACH) E(X, EALREADY)                       \
	E(X, EINPROGRESS) E(X, ESTALE) E(X, EDQUOT) E(X, ECANCELED)
#define SIGNALS(X)                                                                                 \
	E(X, SIGHUP) E(X, SIGINT) E(X, SIGQUIT) E(X, SIGILL) E(X, SIGTRAP) E(X, SIGABRT)           \
	E(X, SIGBUS) E(X, SIGFPE) E(X, SIGKILL) E(X, SIGUSR1) E(X, SIGSEGV) E(X, SIGUSR2)          \
	E(X, SIGPIPE) E(X, SIGALRM) E(X, SIGTERM) E(X, SIGCHLD) E(X, SIGCONT) E(X, SIGSTOP)        \
	E(X, SIGTSTP) E(X, SIGTTIN) E(X, SIGTTOU) E(X, SIGURG) E(X, SIGXCPU) E(X, SIGXFSZ)         \
	E(X, SIGVTALRM) E(X, SIGPROF) E(X, SIGWINCH) E(X, SIGIO) E(X, SIGPWR) E(X, SIGSYS)

#define VALUE(v, n) v,
#define NAME(v, n) n,
#define RS_EXIT(number, id, name, handler, handled, sentence) number,
static const uint64_t exit_values[] = {
#include "engine/base/exits.def"
};
#define RS_EXIT(number, id, name, handler, handled, sentence) name,
static const char *const exit_names[] = {
#include "engine/base/exits.def"
	NULL
};
static const uint64_t vector_values[] = { VECTORS(VALUE) };
static const char *const vector_names[] = { VECTORS(NAME) NULL };
static const uint64_t errno_values[] = { ERRNOS(VALUE) };
static const char *const errno_names[] = { ERRNOS(NAME) NULL };
static const uint64_t signal_values[] = { SIGNALS(VALUE) };
static const char *const signal_names[] = { SIGNALS(NAME) NULL };
static const uint64_t crossing_values[] = { CROSSINGS(VALUE) };
static const char *const crossing_names[] = { CROSSINGS(NAME) NULL };

/* The lists by unit; a group has no values (they are the indices). */
static const struct list {
	const char *const *names;
	const uint64_t *values;
} lists[RS_UNIT_COUNT] = {
	[RS_UNIT_exit] = { exit_names, exit_values },
	[RS_UNIT_vector] = { vector_names, vector_values },
	[RS_UNIT_errno] = { errno_names, errno_values },
	[RS_UNIT_signal] = { signal_names, signal_values },
	[RS_UNIT_crossing] = { crossing_names, crossing_values },
#define RS_X(g) [RS_UNIT_##g] = { groups[RS_UNIT_##g], NULL },
	RS_ENUM_GROUPS(RS_X)
#undef RS_X
};

static struct list list_of(enum rs_unit unit)
{
	return (unsigned)unit < RS_UNIT_COUNT ? lists[unit] : (struct list){ NULL, NULL };
}

const char *const *rs_unit_value_names(enum rs_unit unit)
{
	return list_of(unit).names;
}

const char *rs_unit_value_name(enum rs_unit unit, uint64_t value)
{
	struct list l = list_of(unit);

	/* An errno travels as it was returned: positive, or negative from our own functions. */
	if (unit == RS_UNIT_errno && (int64_t)value < 0)
		value = 0 - value;
	if (l.names && !l.values)
		return value < GROUP_MAX ? l.names[value] : NULL;
	for (unsigned i = 0; l.names && l.names[i]; i++)
		if (l.values[i] == value)
			return l.names[i];
	return NULL;
}

int rs_unit_value(enum rs_unit unit, const char *name, uint64_t *value)
{
	struct list l = list_of(unit);

	for (unsigned i = 0; l.names && l.names[i]; i++) {
		if (strcmp(l.names[i], name) == 0) {
			*value = l.values ? l.values[i] : i;
			return 0;
		}
	}
	return -ENOENT;
}

const char *rs_vector_mnemonic(unsigned vector)
{
	return rs_unit_value_name(RS_UNIT_vector, vector);
}

/* "950 ns", "1.2 us", "35.0 ms", "2.1 s". */
static void format_ns(uint64_t ns, char *buf, size_t size)
{
	static const char *const unit[] = { "us", "ms", "s" };
	unsigned u = 0;

	if (ns < 1000) {
		snprintf(buf, size, "%" PRIu64 " ns", ns);
		return;
	}
	/* 999950 ns and more would round to "1000.0 us" */
	for (; u < 2 && ns >= 999950; u++)
		ns /= 1000;
	ns += ns % 100 >= 50 ? 50 : 0;
	snprintf(buf, size, "%" PRIu64 ".%u %s", ns / 1000, (unsigned)(ns % 1000 / 100), unit[u]);
}

/* Exact, because checks compare it: "4 KiB" only for whole KiB. */
static void format_bytes(uint64_t n, char *buf, size_t size)
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	unsigned u = 0;

	for (; u < 4 && n && n % 1024 == 0; u++)
		n /= 1024;
	snprintf(buf, size, "%" PRIu64 " %s", n, unit[u]);
}

const char *rs_unit_format(enum rs_unit unit, uint64_t value, char *buf, size_t size)
{
	const char *name = rs_unit_value_name(unit, value);

	if (!size)
		return buf;
	if (name) {
		snprintf(buf, size, "%s", name);
		return buf;
	}
	switch (unit) {
	case RS_UNIT_hex:
		snprintf(buf, size, "0x%" PRIx64, value);
		break;
	case RS_UNIT_ns:
		format_ns(value, buf, size);
		break;
	case RS_UNIT_bytes:
		format_bytes(value, buf, size);
		break;
	case RS_UNIT_ms:
		snprintf(buf, size, "%" PRIu64 " ms", value);
		break;
	default:
		snprintf(buf, size, "%" PRId64, (int64_t)value);
	}
	return buf;
}
