/* linux.seccomp: compiled by libseccomp in the runtime's process, where a mistake is still harmless, and
 * loaded by the first process with one system call. The only file here that knows libseccomp. */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "containers/run.h"
#include "containers/wire.h"
#include "engine/base/cleanup.h"

#define ROW(word, value) { word, (uint64_t)(value) },
const struct ctr_word ctr_words_seccomp_action[] = {
#define CTR_SECCOMP_ACTION ROW
#include "containers/seccomp.def"
	{ NULL, 0 }
};
const struct ctr_word ctr_words_seccomp_op[] = {
#define CTR_SECCOMP_OP ROW
#include "containers/seccomp.def"
	{ NULL, 0 }
};
const struct ctr_word ctr_words_seccomp_flag[] = {
#define CTR_SECCOMP_FLAG ROW
#include "containers/seccomp.def"
	{ NULL, 0 }
};
const struct ctr_word ctr_words_seccomp_arch[] = {
#define CTR_SECCOMP_ARCH ROW
#include "containers/seccomp.def"
	{ NULL, 0 }
};

/* The action with its error number (config-linux.md: EPERM when none is given). */
static uint32_t with_errno(uint64_t action, const struct ctr_opt_num *ret)
{
	if (action == SCMP_ACT_ERRNO(0) || action == SCMP_ACT_TRACE(0))
		return (uint32_t)action | (ret->set ? (uint32_t)ret->u & 0xffff : EPERM);
	return (uint32_t)action;
}

static int add(scmp_filter_ctx ctx, uint32_t action, int nr, const struct ctr_seccomp_rule *r, unsigned from, unsigned n)
{
	struct scmp_arg_cmp a[6];

	for (unsigned i = 0; i < n; i++)
		a[i] = (struct scmp_arg_cmp){ (unsigned)r->args[from + i].index, (enum scmp_compare)r->args[from + i].op,
					      r->args[from + i].value, r->args[from + i].value_two };
	return seccomp_rule_add_array(ctx, action, nr, n, a);
}

static int add_rule(struct ctr_init *in, scmp_filter_ctx ctx, const struct ctr_seccomp_rule *r, uint32_t fallback)
{
	uint32_t action = with_errno(r->action, &r->errno_ret);
	bool twice = r->n_args > 6;

	for (unsigned i = 0; i < r->n_args; i++)
		for (unsigned k = 0; k < i; k++)
			twice |= r->args[i].index == r->args[k].index;
	if (action == fallback)
		return 0; /* says what is so anyway; libseccomp refuses it */
	for (unsigned i = 0; i < r->names.n; i++) {
		int nr = seccomp_syscall_resolve_name(r->names.v[i]), rc = 0;

		if (nr == __NR_SCMP_ERROR)
			continue; /* of a newer kernel or another processor: nobody here can make it */
		if (action == SCMP_ACT_NOTIFY) {
			if (strcmp(r->names.v[i], "sendmsg") == 0 || strcmp(r->names.v[i], "recvmsg") == 0)
				return CTR_FAIL(&in->t, in->err, EINVAL, "SCMP_ACT_NOTIFY on %s would stop the runtime itself",
						r->names.v[i]);
			in->filter_notifies = true;
		}
		/* several comparisons of one argument are alternatives: one rule each */
		if (!twice)
			rc = add(ctx, action, nr, r, 0, r->n_args);
		for (unsigned k = 0; twice && rc == 0 && k < r->n_args; k++)
			rc = add(ctx, action, nr, r, k, 1);
		if (rc && rc != -EEXIST)
			return CTR_FAIL(&in->t, in->err, -rc, "the rule for %s cannot be made", r->names.v[i]);
	}
	return 0;
}

/* The filter as BPF, out of libseccomp's hands. */
static int export(struct ctr_init *in, scmp_filter_ctx ctx)
{
	rs_auto_close int fd = memfd_create("seccomp", MFD_CLOEXEC);
	struct stat st;
	int rc = fd < 0 ? -errno : seccomp_export_bpf(ctx, fd);

	if (rc == 0 && fstat(fd, &st) < 0)
		rc = -errno;
	if (rc == 0) {
		struct sock_fprog *f = rs_xcalloc(1, sizeof(*f) + (size_t)st.st_size);

		f->filter = (struct sock_filter *)(f + 1);
		f->len = (unsigned short)((size_t)st.st_size / sizeof(struct sock_filter));
		if (pread(fd, f->filter, (size_t)st.st_size, 0) != st.st_size)
			rc = -EIO;
		in->filter = f;
	}
	return rc ? CTR_FAIL(&in->t, in->err, -rc, "the filter cannot be made") : 0;
}

int ctr_seccomp_compile(struct ctr_init *in)
{
	const struct ctr_seccomp *s = &in->cfg->seccomp;
	uint32_t fallback = with_errno(s->default_action, &s->default_errno);
	scmp_filter_ctx ctx = seccomp_init(fallback);
	int rc = ctx ? 0 : -EINVAL;

	in->t.step = CTR_STEP_SECCOMP;
	snprintf(in->t.place, sizeof(in->t.place), "linux.seccomp.architectures");
	for (unsigned i = 0; rc == 0 && i < s->archs.n; i++) {
		rc = seccomp_arch_add(ctx, (uint32_t)s->archs.v[i]);
		rc = rc == -EEXIST ? 0 : rc;
	}
	if (rc)
		rc = CTR_FAIL(&in->t, in->err, -rc, "the filter cannot be made");
	for (unsigned i = 0; rc == 0 && i < s->n_rules; i++) {
		snprintf(in->t.place, sizeof(in->t.place), "linux.seccomp.syscalls[%u]", i);
		rc = add_rule(in, ctx, &s->rules[i], fallback);
	}
	snprintf(in->t.place, sizeof(in->t.place), "linux.seccomp");
	if (rc == 0 && in->filter_notifies && !s->listener_path)
		rc = CTR_FAIL(&in->t, in->err, EINVAL, "SCMP_ACT_NOTIFY needs listenerPath");
	if (rc == 0) {
		/* a long list of equal calls is searched in halves */
		seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
		rc = export(in, ctx);
	}
	in->filter_flags = (unsigned)s->flags;
	if (ctx)
		seccomp_release(ctx);
	return rc;
}

int ctr_seccomp_load(struct ctr_init *in)
{
	unsigned flags = in->filter_flags | (in->filter_notifies ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0);
	rs_auto_close int fd = -1;

	/* one thread: there is nobody to synchronise, and with a listener the kernel wants another flag, too */
	if (in->filter_notifies)
		flags &= ~(unsigned)SECCOMP_FILTER_FLAG_TSYNC;
	fd = (int)CTR_CALL(&in->t, "seccomp", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, in->filter),
			   "SECCOMP_SET_MODE_FILTER, 0x%x, {%u instructions}", flags, in->filter->len);
	if (fd < 0 && (errno == ENOSYS || (errno == EINVAL && !flags))) {
		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, in->filter, 0, 0) == 0)
			return 0;
	}
	if (fd < 0)
		return CTR_FAIL(&in->t, in->err, errno, "the filter cannot be loaded");
	if (!in->filter_notifies) {
		fd = -1;
		return 0;
	}
	if (ctr_wire_ask(in->t.wire, CTR_SAY_SECCOMP, fd) < 0)
		return CTR_FAIL(&in->t, in->err, ECANCELED, "the listener of the filter could not be handed over");
	return 0;
}

int ctr_seccomp_send(struct ctr_container *c, int fd, struct rs_err *err)
{
	const struct ctr_seccomp *s = &c->cfg->seccomp;
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	rs_auto_close int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	rs_auto_str text = RS_STR_INIT;
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u = { { 0 } };
	struct iovec iov;
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.buf, .msg_controllen = sizeof(u.buf) };
	struct cmsghdr *m = CMSG_FIRSTHDR(&h);

	c->t.step = CTR_STEP_SECCOMP;
	snprintf(c->t.place, sizeof(c->t.place), "linux.seccomp.listenerPath");
	if (strlen(s->listener_path) >= sizeof(a.sun_path))
		return CTR_FAIL(&c->t, err, ENAMETOOLONG, "the socket %s cannot be reached", s->listener_path);
	strcpy(a.sun_path, s->listener_path);
	if (sock < 0 || connect(sock, (struct sockaddr *)&a, sizeof(a)) < 0)
		return CTR_FAIL(&c->t, err, errno, "the socket %s cannot be reached", s->listener_path);
	rs_str_add(&text, "{\"ociVersion\":\"1.2.0\",\"fds\":[\"seccompFd\"],");
	rs_str_addf(&text, "\"pid\":%d,\"metadata\":", (int)c->pid);
	ctr_json_quote(&text, s->listener_metadata ? s->listener_metadata : "");
	rs_str_add(&text, ",\"state\":");
	ctr_state_text(c, CTR_CREATING, false, &text);
	rs_str_add(&text, "}");
	iov = (struct iovec){ text.p, text.len };
	m->cmsg_level = SOL_SOCKET;
	m->cmsg_type = SCM_RIGHTS;
	m->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(m), &fd, sizeof(int));
	if (sendmsg(sock, &h, MSG_NOSIGNAL) != (ssize_t)text.len)
		return CTR_FAIL(&c->t, err, errno, "the socket %s cannot be reached", s->listener_path);
	return 0;
}
