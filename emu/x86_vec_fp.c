#include "emu/x86_vec.h"

bool vec_float(struct gen *g, const struct emu_op *op)
{
	(void)g;
	(void)op;
	return false;
}
