/* RUN. */
#include <errno.h>

#include "containers/build.h"

int ctr_build_run(struct ctr_builder *b, struct ctr_stage *st, const struct ctr_df_insn *i, struct rs_err *err)
{
	(void)st;
	ctr_df_fail(b->file, i, 0, err, N_("RUN is not supported yet"));
	return -ENOSYS;
}
