/* Languages and the table of translations that the Makefile makes from assets/i18n. */
#include "engine/base/lang.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Sorted bytewise by `en`, each `en` once (tests/tools/po2c.awk). */
static const struct entry {
	const char *en, *tr;
} zh_tw[] = {
#include "i18n.inc"
	{ NULL, NULL },
};

static const char *const lang_names[RS_LANGS] = { "en", "zh-TW" };

static int compare(const void *key, const void *entry)
{
	return strcmp(key, ((const struct entry *)entry)->en);
}

const char *rs_tr(enum rs_lang lang, const char *en)
{
	const struct entry *e = NULL;

	if (lang == RS_LANG_ZH_TW)
		e = bsearch(en, zh_tw, sizeof(zh_tw) / sizeof(zh_tw[0]) - 1, sizeof(zh_tw[0]), compare);
	return e ? e->tr : en;
}

const char *rs_lang_name(enum rs_lang lang)
{
	return (unsigned)lang < RS_LANGS ? lang_names[lang] : NULL;
}

/* Does a tag begin with this word, ended by a separator of BCP 47 or of locale(7)? */
static bool tag_begins(const char *tag, const char *word)
{
	size_t n = strlen(word);

	return strncasecmp(tag, word, n) == 0 && (tag[n] == '\0' || strchr("-_.@", tag[n]));
}

int rs_lang_parse(const char *tag, enum rs_lang *out)
{
	/* Traditional Chinese of Hong Kong and Macau is nearer to zh-TW than to English; what is
	 * written in simplified characters is not ours. */
	static const struct {
		const char *word;
		enum rs_lang lang;
	} words[] = {
		{ "zh-TW", RS_LANG_ZH_TW }, { "zh_TW", RS_LANG_ZH_TW }, { "zh-Hant", RS_LANG_ZH_TW },
		{ "zh_Hant", RS_LANG_ZH_TW }, { "zh-HK", RS_LANG_ZH_TW }, { "zh_HK", RS_LANG_ZH_TW },
		{ "zh-MO", RS_LANG_ZH_TW }, { "zh_MO", RS_LANG_ZH_TW }, { "en", RS_LANG_EN },
		{ "C", RS_LANG_EN }, { "POSIX", RS_LANG_EN },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (tag_begins(tag, words[i].word)) {
			*out = words[i].lang;
			return 0;
		}
	}
	return -ENOENT;
}

enum rs_lang rs_lang_from_env(void)
{
	static const char *const vars[] = { "RINGSIDE_LANG", "LC_ALL", "LC_MESSAGES", "LANG" };
	enum rs_lang lang;

	/* The first variable that is set and not empty decides, as in locale(7). RINGSIDE_LANG is
	 * ours alone, so a value there that is none of ours does not hide the locale. */
	for (size_t i = 0; i < sizeof(vars) / sizeof(vars[0]); i++) {
		const char *v = getenv(vars[i]);

		if (!v || !*v)
			continue;
		if (rs_lang_parse(v, &lang) == 0)
			return lang;
		if (i > 0)
			break;
	}
	return RS_LANG_EN;
}
