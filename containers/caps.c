/* The five capability sets (capabilities(7)). The calls are made directly: libcap would add a library for
 * two structs, and each call is to be seen. */
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "containers/run.h"

static int capset_call(struct ctr_trace *t, uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = {
		{ (uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable },
		{ (uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32) },
	};

	return CTR_CALL(t, "capset", syscall(SYS_capset, &h, d), "effective 0x%llx, permitted 0x%llx, inheritable 0x%llx",
			(unsigned long long)effective, (unsigned long long)permitted, (unsigned long long)inheritable) < 0 ?
		       -errno : 0;
}

static int capget_call(uint64_t *effective, uint64_t *permitted)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d) < 0)
		return -errno;
	*effective = d[0].effective | (uint64_t)d[1].effective << 32;
	*permitted = d[0].permitted | (uint64_t)d[1].permitted << 32;
	return 0;
}

static void warn_names(struct ctr_init *in, const char *set, uint64_t bits)
{
	for (unsigned i = 0; bits && i < 64; i++)
		if (bits >> i & 1) {
			struct rs_err e = RS_ERR_INIT;
			const char *name = ctr_word_of(ctr_words_cap, i);

			rs_err_set(&e, -EPERM, "process.capabilities.%s: %s cannot be granted, for the runtime has it not", set,
				   name ? name : "?");
			ctr_warn(&in->t, &e);
		}
}

void ctr_caps_warn(struct ctr_trace *t, const struct ctr_process *p)
{
	for (unsigned i = 0; i < p->caps_unknown.n; i++) {
		struct rs_err e = RS_ERR_INIT;

		rs_err_set(&e, -EINVAL, "process.capabilities: there is no capability %s; it is left out", p->caps_unknown.v[i]);
		ctr_warn(t, &e);
	}
}

int ctr_caps_bounding(struct ctr_init *in)
{
	const struct ctr_process *p = in->p;

	if (!p->caps_set)
		return 0;
	for (unsigned i = 0; i < 64; i++) {
		int has = prctl(PR_CAPBSET_READ, i, 0, 0, 0);

		if (has < 0) /* past the last one that this kernel knows */
			break;
		if (!has || p->bounding.bits >> i & 1)
			continue;
		if (CTR_CALL(&in->t, "prctl", prctl(PR_CAPBSET_DROP, i, 0, 0, 0), "PR_CAPBSET_DROP, %s",
			     ctr_word_of(ctr_words_cap, i) ? ctr_word_of(ctr_words_cap, i) : "?") < 0)
			return CTR_FAIL(&in->t, in->err, errno, "the bounding set cannot be cut down");
	}
	return 0;
}

int ctr_caps_set(struct ctr_init *in, bool last)
{
	const struct ctr_process *p = in->p;
	/* A filter without no_new_privs needs CAP_SYS_ADMIN (seccomp(2)), so it is kept until then. */
	uint64_t keep = !last && in->filter && !p->no_new_privs ? UINT64_C(1) << CAP_SYS_ADMIN : 0;
	uint64_t effective = 0, permitted = 0;
	int rc;

	if (!p->caps_set)
		return 0;
	rc = capget_call(&effective, &permitted);
	if (rc)
		return CTR_FAIL(&in->t, in->err, -rc, "the capabilities cannot be read");
	if (!last)
		warn_names(in, "permitted", p->permitted.bits & ~permitted);
	rc = capset_call(&in->t, ((p->effective.bits & p->permitted.bits) | keep) & permitted,
			 (p->permitted.bits | keep) & permitted,
			 p->inheritable.bits & permitted);
	if (rc)
		return CTR_FAIL(&in->t, in->err, -rc, "the capabilities cannot be set");
	if (last)
		return 0;
	for (unsigned i = 0; i < 64; i++) {
		if (!(p->ambient.bits >> i & 1))
			continue;
		if (CTR_CALL(&in->t, "prctl", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0),
			     "PR_CAP_AMBIENT_RAISE, %s", ctr_word_of(ctr_words_cap, i)) < 0) {
			if (errno != EPERM)
				return CTR_FAIL(&in->t, in->err, errno, "an ambient capability cannot be raised");
			/* it must be permitted and inheritable, too */
			warn_names(in, "ambient", UINT64_C(1) << i);
		}
	}
	return 0;
}
