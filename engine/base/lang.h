/* Languages. English text stands in the source and is its own key; the other
 * languages stand in assets/i18n/<lang>.po and are compiled in by the Makefile.
 */
#ifndef RS_BASE_LANG_H
#define RS_BASE_LANG_H

#include <stdbool.h>

enum rs_lang { RS_LANG_EN, RS_LANG_ZH_TW, RS_LANGS };

/* Marks an English string for translation; xgettext finds N_() and rs_tr(). */
#define N_(s) s

/* The translation of `en` into `lang`, or `en` itself when there is none.
 * Never NULL; static storage. */
const char *rs_tr(enum rs_lang lang, const char *en);

/* Do two printf formats take the same arguments? (The second may name them: %2$s.) A translated
 * format that does not match must not be used. */
bool rs_format_matches(const char *fmt, const char *translated);

/* "en", "zh-TW"; NULL past the end. */
const char *rs_lang_name(enum rs_lang lang);

/* The language named by a tag such as "zh-TW", "zh_TW.UTF-8", "en_US", "C".
 * Returns 0 and sets *out, or -ENOENT for a tag that names none of ours. */
int rs_lang_parse(const char *tag, enum rs_lang *out);

/* The language that the environment asks for: RINGSIDE_LANG, then LC_ALL,
 * LC_MESSAGES, LANG in that order (locale(7)); English when none is known. */
enum rs_lang rs_lang_from_env(void);

#endif
