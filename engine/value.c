/* Values of check expressions as the rest of the program sees them. */
#include <stdlib.h>

#include "engine/expr.h"

void eng_value_release(struct eng_value *v)
{
	for (unsigned i = 0; i < v->items; i++)
		eng_value_release(&v->item[i]);
	free(v->item);
	if (v->s.p)
		rs_str_release(&v->s);
	*v = (struct eng_value){ .type = ENG_T_NONE, .s = RS_STR_INIT };
}

void eng_value_format(const struct eng_value *v, struct rs_str *out)
{
	switch (v->type) {
	case ENG_T_BOOL:
		rs_str_add(out, v->i ? "yes" : "no");
		break;
	case ENG_T_INT:
		rs_str_addf(out, "%lld", (long long)v->i);
		break;
	case ENG_T_STR:
		expr_text_format(v->s.p, v->s.len, out);
		break;
	case ENG_T_LIST:
		rs_str_addc(out, '[');
		for (unsigned i = 0; i < v->items; i++) {
			rs_str_add(out, i ? ", " : "");
			eng_value_format(&v->item[i], out);
		}
		rs_str_addc(out, ']');
		break;
	default:
		rs_str_addc(out, '?');
	}
}
