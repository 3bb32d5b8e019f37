/* Mount options: words into flags (config.md, "Linux mount options"). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "containers/config_check.h"

static const struct ctr_mount_opt *find(const char *word)
{
	for (const struct ctr_mount_opt *o = ctr_mount_opts; o->word; o++)
		if (strcmp(o->word, word) == 0)
			return o;
	return NULL;
}

static void apply(struct ctr_mount *m, const struct ctr_mount_opt *o)
{
	switch (o->kind) {
	case CTR_OPT_FLAG:
		/* the last word on a bit holds, and that it was cleared is kept: a bind mount of something
		 * read-only must be made writable again when "rw" is asked for */
		m->flags = (m->flags & ~o->clear) | o->set;
		m->cleared = (m->cleared & ~o->set) | o->clear;
		break;
	case CTR_OPT_PROP:
		if (m->propagations < sizeof(m->propagation) / sizeof(m->propagation[0]))
			m->propagation[m->propagations++] = o->set;
		break;
	case CTR_OPT_REC:
		m->rec_set = (m->rec_set & ~o->clear) | o->set;
		m->rec_clear = (m->rec_clear & ~o->set) | o->clear;
		break;
	case CTR_OPT_EXT:
		m->ext |= (unsigned)o->set;
		break;
	}
}

int ctr_mount_options(struct ctr_parse *p, struct ctr_mount *m)
{
	rs_auto_str data = RS_STR_INIT;

	for (unsigned i = 0; i < m->options.n; i++) {
		const char *word = m->options.v[i];
		const struct ctr_mount_opt *o = find(word);

		if (o)
			apply(m, o);
		else if (*word) /* it belongs to the file system */
			rs_str_addf(&data, "%s%s", data.len ? "," : "", word);
	}
	if (m->type && strcmp(m->type, "bind") == 0 && !(m->flags & MS_BIND))
		m->flags |= MS_BIND | MS_REC; /* as runc takes it: the type says what the options left out */
	if (data.len)
		m->data = rs_str_detach(&data);
	if ((m->uids.n == 0) != (m->gids.n == 0))
		return CTR_BAD(p, N_("%s: uidMappings and gidMappings go together"));
	if (m->uids.n)
		m->ext |= CTR_EXT_IDMAP;
	if ((m->flags & MS_BIND) && !m->source)
		return CTR_BAD(p, N_("%s: a bind mount needs a source"));
	if ((m->ext & CTR_EXT_COPYUP) && (!m->type || strcmp(m->type, "tmpfs") != 0))
		return CTR_BAD(p, N_("%s: tmpcopyup is for a tmpfs alone"));
	return 0;
}
