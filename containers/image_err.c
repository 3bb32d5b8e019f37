/* An error at a place whose sentence was made elsewhere, in every language. */
#include "containers/image_json.h"

#include <stdio.h>

int ctr_err_vat(struct rs_err *err, int code, const char *file, int line, int col, const char *prefix,
		const char *fmt, va_list ap)
{
	static const char as_it_is[] = "%s";

	rs_err_at(err, code, file, line, col, as_it_is, "");
	for (int l = 0; err && l < RS_LANGS; l++) {
		const char *f = rs_tr(l, fmt);
		size_t n = (size_t)snprintf(err->text[l], sizeof(err->text[l]), "%.200s%s", prefix, *prefix ? ": " : "");
		va_list copy;

		va_copy(copy, ap);
		vsnprintf(err->text[l] + n, sizeof(err->text[l]) - n, rs_format_matches(fmt, f) ? f : fmt, copy);
		va_end(copy);
	}
	return code;
}
