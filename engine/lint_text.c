/* Chinese texts as a reader in Taiwan expects them: traditional characters, Taiwan's terms, full-width
 * punctuation between Chinese characters. Warnings, not mistakes: quotations may have reasons. */
#include <errno.h>
#include <iconv.h>
#include <stdio.h>
#include <string.h>

#include "engine/lint.h"

/* Terms of other regions, and what a textbook in Taiwan writes. */
static const struct {
	const char *term, *better;
	const char *but; /* NULL, or a longer word in which the term is fine */
} terms[] = {
	{ "程序", "程式、行程、步驟", "程序性" },
	{ "內存", "記憶體", "內存在" },   { "内存", "記憶體", NULL },   { "內核", "核心", NULL },
	{ "内核", "核心", NULL },     { "默認", "預設", NULL },     { "默认", "預設", NULL },
	{ "缺省", "預設", NULL },     { "信息", "訊息、資訊", NULL }, { "網絡", "網路", NULL },
	{ "网络", "網路", NULL },     { "虚拟", "虛擬", NULL },     { "硬件", "硬體", NULL },
	{ "軟件", "軟體", NULL },     { "固件", "韌體", NULL },     { "數據", "資料", NULL },
	{ "服務器", "伺服器", NULL }, { "進程", "行程", NULL },     { "線程", "執行緒", NULL },
	{ "緩存", "快取", NULL },     { "緩衝存", "快取", NULL },   { "寄存器", "暫存器", NULL },
	{ "指針", "指標", NULL },     { "字節", "位元組", NULL },   { "比特", "位元", "比特幣" },
	{ "調用", "呼叫", NULL },     { "打印", "列印", NULL },     { "運行", "執行", NULL },     { "硬盤", "硬碟", NULL },
	{ "磁盤", "磁碟", NULL },     { "接口", "介面", NULL },     { "字符", "字元", NULL },     { "支持", "支援", NULL },     { "用戶", "使用者", "用戶端" },
	{ "屏幕", "螢幕", NULL },     { "鼠標", "滑鼠", NULL },     { "模塊", "模組", NULL },
	{ "端口", "連接埠、埠", NULL }, { "二進制", "二進位", NULL }, { "十六進制", "十六進位", NULL },
	{ "全局", "全域", NULL },     { "變量", "變數", NULL },     { "加載", "載入", NULL },
	{ "地址", "位址", NULL },     { "訪問", "存取", NULL },     { "鏈接", "連結", NULL },     { "隊列", "佇列", NULL },     { "命令行", "命令列", "命令行為" },
	{ "響應", "回應", NULL },     { "視頻", "影片", NULL },
	{ "注釋", "註解", NULL },     { "數組", "陣列", NULL },
	{ "宿主機", "主機、宿主", NULL }, { "鏡像", "映像檔", NULL },
};

/* Simplified characters that Big5 has too, as rare ones; nobody means those. */
static const char simplified_in_big5[] = "个机体么与";

static bool converts(iconv_t cd, const char *ch, size_t n)
{
	char in[8], out[16], *ip = in, *op = out;
	size_t il = n, ol = sizeof(out);

	memcpy(in, ch, n);
	iconv(cd, NULL, NULL, NULL, NULL);
	return iconv(cd, &ip, &il, &op, &ol) == 0 && il == 0;
}

struct scripts {
	iconv_t big5, gb; /* (iconv_t)-1: this C library has no such table */
};

static void scripts_open(struct scripts *s)
{
	s->big5 = iconv_open("BIG5", "UTF-8");
	s->gb = iconv_open("GB2312", "UTF-8");
}

static void scripts_close(struct scripts *s)
{
	if (s->big5 != (iconv_t)-1)
		iconv_close(s->big5);
	if (s->gb != (iconv_t)-1)
		iconv_close(s->gb);
}

static bool is_han(uint32_t cp)
{
	return (cp >= 0x3400 && cp <= 0x9fff) || (cp >= 0xf900 && cp <= 0xfaff) ||
	       (cp >= 0x20000 && cp <= 0x3ffff);
}

/* The simplified script is what GB 2312 has and Big5 has not. */
static bool is_simplified(const struct scripts *s, const char *ch, size_t n)
{
	char word[8] = { 0 };

	if (n != 3)
		return false;
	memcpy(word, ch, n);
	if (strstr(simplified_in_big5, word))
		return true;
	return s->big5 != (iconv_t)-1 && s->gb != (iconv_t)-1 && !converts(s->big5, ch, n) &&
	       converts(s->gb, ch, n);
}

/* The full-width form of ASCII punctuation. */
static const char *full_width(uint32_t cp)
{
	switch (cp) {
	case ',':
		return "，";
	case ';':
		return "；";
	case ':':
		return "：";
	case '!':
		return "！";
	case '?':
		return "？";
	case '.':
		return "。";
	default:
		return NULL;
	}
}

/* Skips `code` and ``` fences that begin at i. Returns the offset behind, or i. */
static size_t skip_code(const char *s, size_t i)
{
	size_t ticks = strspn(s + i, "`");
	const char *p;

	if (!ticks)
		return i;
	for (p = s + i + ticks; (p = strchr(p, '`')); p += strspn(p, "`"))
		if (strspn(p, "`") == ticks)
			return (size_t)(p - s) + ticks;
	return strlen(s);
}

static long find(const struct scripts *sc, const char *s, long from, const char **what, char better[64],
		 size_t *len)
{
	size_t n = strlen(s);
	uint32_t before = 0;

	better[0] = 0;
	for (size_t i = 0; i < n;) {
		size_t skipped = skip_code(s, i);
		uint32_t cp, next = 0;
		size_t k;

		if (skipped != i) {
			before = 'x';
			i = skipped;
			continue;
		}
		k = (size_t)rs_utf8_decode(s + i, n - i, &cp);
		rs_utf8_decode(s + i + k, n - i - k, &next);
		*len = k;
		if ((long)i < from) {
			/* only to know the character before */
		} else if (full_width(cp) && is_han(before) &&
			   (is_han(next) || next == ' ' || next == '\n' || next == 0)) {
			*what = N_("half-width punctuation after a Chinese character");
			strcpy(better, full_width(cp));
			return (long)i;
		} else if ((cp >= 0xff10 && cp <= 0xff19) || (cp >= 0xff21 && cp <= 0xff3a) ||
			   (cp >= 0xff41 && cp <= 0xff5a)) {
			*what = N_("a full-width letter or digit");
			snprintf(better, 64, "%c", (char)(cp - 0xfee0));
			return (long)i;
		} else if (is_han(cp)) {
			for (size_t t = 0; t < sizeof(terms) / sizeof(terms[0]); t++) {
				size_t w = strlen(terms[t].term);

				if (strncmp(s + i, terms[t].term, w) != 0)
					continue;
				if (terms[t].but && strncmp(s + i, terms[t].but, strlen(terms[t].but)) == 0)
					continue;
				*what = N_("a term that is not Taiwan's");
				*len = w;
				snprintf(better, 64, "%s", terms[t].better);
				return (long)i;
			}
			if (is_simplified(sc, s + i, k)) {
				*what = N_("a simplified character");
				return (long)i;
			}
		}
		before = cp;
		i += k;
	}
	return -1;
}

long eng_lint_zh(const char *text, long from, const char **what, char better[64], size_t *len)
{
	struct scripts sc;
	long at;

	scripts_open(&sc);
	at = find(&sc, text, from, what, better, len);
	scripts_close(&sc);
	return at;
}

/* ---- the texts of a lesson ---- */

struct walk {
	struct eng_lint *lt;
	const struct eng_lesson *l;
	struct scripts sc;
	unsigned texts;
};

static void look(struct walk *w, const struct eng_text *t)
{
	const char *s = t ? t->s[RS_LANG_ZH_TW] : NULL, *what;
	char better[64];
	size_t len;
	long at = 0;

	if (!s)
		return;
	w->texts++;
	while ((at = find(&w->sc, s, at, &what, better, &len)) >= 0) {
		rs_auto_str around = RS_STR_INIT;
		struct rs_err e = { .code = -ECANCELED, .line = t->line, .col = t->col };
		size_t a = (size_t)at, b = a + len;

		/* up to eight bytes more to each side, whole characters */
		for (unsigned n = 0; n < 12 && a > 0 && s[a - 1] != '\n'; n++)
			a--;
		while (a < (size_t)at && ((unsigned char)s[a] & 0xc0) == 0x80)
			a++;
		for (unsigned n = 0; n < 12 && s[b] && s[b] != '\n'; n++)
			b++;
		while (((unsigned char)s[b] & 0xc0) == 0x80)
			b++;
		rs_str_addn(&around, s + a, b - a);
		snprintf(e.file, sizeof(e.file), "%s", w->l->path);
		for (unsigned l = 0; l < RS_LANGS; l++) {
			int k = snprintf(e.text[l], sizeof(e.text[l]), rs_tr(l, N_("%s in \"%s\"")),
					 rs_tr(l, what), around.p);

			if (better[0] && k > 0 && (size_t)k < sizeof(e.text[l]))
				snprintf(e.text[l] + k, sizeof(e.text[l]) - (size_t)k,
					 rs_tr(l, N_("; better: %s")), better);
		}
		w->lt->count[ENG_LINT_WARNING]++;
		w->lt->say(w->lt->arg, ENG_LINT_WARNING, &e);
		at += (long)len;
	}
}

unsigned eng_lint_texts(struct eng_lint *lt, const struct eng_lesson *l)
{
	struct walk w = { .lt = lt, .l = l };

	scripts_open(&w.sc);
	look(&w, &l->title);
	look(&w, &l->summary);
	for (unsigned i = 0; i < l->steps; i++) {
		const struct eng_step *st = &l->step[i];

		look(&w, &st->text);
		if (st->predict) {
			look(&w, &st->predict->ask);
			for (unsigned k = 0; k < st->predict->choices; k++)
				look(&w, &st->predict->choice[k]);
		}
		for (unsigned k = 0; k < st->checks; k++) {
			look(&w, st->check[k].why);
			for (unsigned h = 0; h < st->check[k].hints; h++)
				look(&w, &st->check[k].hint[h]);
		}
	}
	scripts_close(&w.sc);
	return w.texts;
}
