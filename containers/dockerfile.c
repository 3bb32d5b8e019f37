#include "containers/dockerfile.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "containers/image_json.h"
#include "engine/base/cleanup.h"

static const struct {
	const char *name, *flags;
	bool docs, onbuild;
} rows[] = {
#define CTR_DF_INSN(id, flags, docs, onbuild) { #id, flags, docs, onbuild },
#include "containers/dockerfile.def"
};

const char *ctr_df_name(enum ctr_df_op op)
{
	return rows[op].name;
}

/* ---- places ---- */

int ctr_df_fail(const struct ctr_dockerfile *d, const struct ctr_df_insn *i, size_t at, struct rs_err *err,
		const char *fmt, ...)
{
	int line = 0, col = 0;
	va_list ap;

	for (unsigned k = 0; k < i->places && i->place[k].at <= at; k++) {
		line = i->place[k].line;
		col = i->place[k].col;
		for (size_t p = i->place[k].at; p < at && i->text[p]; p++)
			col += (i->text[p] & 0xc0) != 0x80;
	}
	va_start(ap, fmt);
	ctr_err_vat(err, -EINVAL, d->file, line, col, "", fmt, ap);
	va_end(ap);
	return -EINVAL;
}

void ctr_df_insn_release(struct ctr_df_insn *i)
{
	for (unsigned k = 0; k < i->flags; k++) {
		free(i->flag[k].name);
		free(i->flag[k].value);
	}
	for (unsigned k = 0; k < i->docs; k++) {
		free(i->doc[k].name);
		free(i->doc[k].text);
	}
	free(i->flag);
	free(i->doc);
	free(i->place);
	free(i->text);
	memset(i, 0, sizeof(*i));
}

void ctr_dockerfile_free(struct ctr_dockerfile *d)
{
	if (!d)
		return;
	for (unsigned i = 0; i < d->n; i++)
		ctr_df_insn_release(&d->v[i]);
	free(d->v);
	free(d->file);
	free(d);
}

/* ---- lines ---- */

struct lines {
	const char *p, *end;
	int line;                /* number of the next one */
};

/* The next line without its end; false when there is none. */
static bool next_line(struct lines *s, const char **p, size_t *n)
{
	const char *nl;

	if (s->p >= s->end)
		return false;
	nl = memchr(s->p, '\n', (size_t)(s->end - s->p));
	*p = s->p;
	*n = (size_t)((nl ? nl : s->end) - s->p);
	s->p = nl ? nl + 1 : s->end;
	s->line++;
	if (*n && (*p)[*n - 1] == '\r')
		--*n;
	return true;
}

static size_t blanks(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && (p[i] == ' ' || p[i] == '\t'))
		i++;
	return i;
}

static void add_place(struct ctr_df_insn *i, size_t at, int line, size_t col)
{
	i->place = rs_xrealloc(i->place, i->places + 1, sizeof(*i->place));
	i->place[i->places++] = (struct ctr_df_place){ at, line, (int)col + 1 };
}

/* Joins one instruction's lines. False at the end of the file. */
static bool join(struct lines *s, char escape, struct ctr_df_insn *i)
{
	struct rs_str text = RS_STR_INIT;
	const char *p;
	size_t n, skip, keep;
	bool more = true, any = false;

	while (more && next_line(s, &p, &n)) {
		skip = blanks(p, n);
		if (skip == n || p[skip] == '#') /* empty lines and comments, also between continued lines */
			continue;
		if (any)
			skip = 0; /* white space at the start of a continued line counts */
		any = true;
		keep = n;
		while (keep > skip && (p[keep - 1] == ' ' || p[keep - 1] == '\t'))
			keep--;
		more = keep > skip && p[keep - 1] == escape;
		if (more)
			keep--;
		else
			keep = n;
		add_place(i, text.len, s->line - 1, skip);
		rs_str_addn(&text, p + skip, keep - skip);
	}
	while (text.len && strchr(" \t", text.p[text.len - 1]))
		text.p[--text.len] = '\0';
	i->text = rs_str_detach(&text);
	return any;
}

/* ---- directives ---- */

/* "# name=value" before everything else. Unknown ones are comments, as everywhere. */
static int directives(struct lines *s, struct ctr_dockerfile *d, struct rs_err *err)
{
	for (;;) {
		struct lines save = *s;
		char name[32], value[64];
		const char *p;
		size_t n, at;

		if (!next_line(s, &p, &n))
			return 0;
		at = blanks(p, n);
		rs_auto_free char *line = strndup(p + at, n - at);
		if (!line)
			rs_oom();
		if (sscanf(line, "# %31[a-zA-Z0-9-] = %63[^\n]", name, value) != 2 &&
		    sscanf(line, "#%31[a-zA-Z0-9-] = %63[^\n]", name, value) != 2) {
			*s = save;
			return 0;
		}
		if (strcasecmp(name, "escape") == 0) {
			struct ctr_df_insn i = { 0 };

			if ((value[0] == '\\' || value[0] == '`') && !value[1 + strspn(value + 1, " \t")]) {
				d->escape = value[0];
				continue;
			}
			i.text = line;
			add_place(&i, 0, s->line - 1, at);
			ctr_df_fail(d, &i, (size_t)(strchr(line, '=') - line) + 1, err,
				    N_("the escape character can be \\ or `, not \"%s\""), value);
			free(i.place);
			return -EINVAL;
		}
		if (strcasecmp(name, "syntax") != 0 && strcasecmp(name, "check") != 0) {
			*s = save;
			return 0;
		}
	}
}

/* ---- here-documents ---- */

/* One "<<NAME" at p. Returns its length, 0 when it is none. */
static size_t heredoc_at(const char *p, struct ctr_df_heredoc *doc, bool *strip)
{
	const char *s = p;
	char quote;
	size_t n;

	while (isdigit((unsigned char)*s)) /* a file descriptor: left to the shell */
		s++;
	if (s[0] != '<' || s[1] != '<' || s[2] == '<')
		return 0;
	s += 2;
	*strip = *s == '-';
	s += *strip;
	quote = *s == '"' || *s == '\'' ? *s : '\0';
	s += quote != '\0';
	for (n = 0; isalnum((unsigned char)s[n]) || s[n] == '_' || s[n] == '.' || s[n] == '-'; n++)
		;
	if (!n || (quote && s[n] != quote))
		return 0;
	doc->name = strndup(s, n);
	if (!doc->name)
		rs_oom();
	doc->expand = !quote;
	return (size_t)(s - p) + n + (quote != '\0');
}

static int read_heredoc(struct lines *s, struct ctr_dockerfile *d, struct ctr_df_insn *i, size_t at,
			struct ctr_df_heredoc *doc, bool strip, struct rs_err *err)
{
	struct rs_str text = RS_STR_INIT;
	const char *p;
	size_t n;

	doc->line = s->line;
	while (next_line(s, &p, &n)) {
		size_t tabs = 0;

		while (strip && tabs < n && p[tabs] == '\t')
			tabs++;
		if (n - tabs == strlen(doc->name) && memcmp(p + tabs, doc->name, n - tabs) == 0) {
			doc->text = rs_str_detach(&text);
			return 0;
		}
		rs_str_addn(&text, p + tabs, n - tabs);
		rs_str_addc(&text, '\n');
	}
	rs_str_release(&text);
	return ctr_df_fail(d, i, at, err, N_("the here-document has no end: there is no line \"%s\""), doc->name);
}

static int heredocs(struct lines *s, struct ctr_dockerfile *d, struct ctr_df_insn *i, struct rs_err *err)
{
	char quote = '\0';

	for (size_t at = i->args; i->text[at]; at++) {
		struct ctr_df_heredoc doc = { 0 };
		bool strip;
		size_t n;
		int ret;

		if (quote) {
			quote = i->text[at] == quote ? '\0' : quote;
			continue;
		}
		if (i->text[at] == '"' || i->text[at] == '\'')
			quote = i->text[at];
		if (i->text[at] == d->escape && i->text[at + 1])
			at++;
		if (at > i->args && !strchr(" \t;&|(){}", i->text[at - 1]))
			continue;
		n = heredoc_at(i->text + at, &doc, &strip);
		if (!n)
			continue;
		ret = read_heredoc(s, d, i, at, &doc, strip, err);
		i->doc = rs_xrealloc(i->doc, i->docs + 1, sizeof(*i->doc));
		i->doc[i->docs++] = doc;
		if (ret < 0)
			return ret;
		at += n - 1;
	}
	return 0;
}

/* ---- instructions ---- */

static int unknown(struct ctr_dockerfile *d, struct ctr_df_insn *i, size_t at, const char *word, struct rs_err *err)
{
	const char *names[DF_OPS + 1], *near;

	for (unsigned k = 0; k < DF_OPS; k++)
		names[k] = rows[k].name;
	names[DF_OPS] = NULL;
	near = rs_did_you_mean(word, names);
	if (near)
		return ctr_df_fail(d, i, at, err, N_("there is no instruction %s; did you mean %s?"), word, near);
	return ctr_df_fail(d, i, at, err, N_("there is no instruction %s"), word);
}

static int one_flag(struct ctr_dockerfile *d, struct ctr_df_insn *i, size_t at, size_t n, struct rs_err *err)
{
	rs_auto_free char *word = strndup(i->text + at + 2, n - 2);
	const char *known = rows[i->op].flags, *names[16], *near;
	rs_auto_free char *list = rs_xstrdup(known);
	char *eq, *save = NULL;
	unsigned k = 0;

	if (!word)
		rs_oom();
	eq = strchr(word, '=');
	if (eq)
		*eq++ = '\0';
	rs_auto_free char *padded = rs_xasprintf(" %s ", word);
	if (!strstr(known, padded)) {
		for (char *w = strtok_r(list, " ", &save); w && k < 15; w = strtok_r(NULL, " ", &save))
			names[k++] = w;
		names[k] = NULL;
		near = rs_did_you_mean(word, names);
		if (near)
			return ctr_df_fail(d, i, at, err, N_("%s has no option --%s; did you mean --%s?"), rows[i->op].name, word, near);
		return ctr_df_fail(d, i, at, err, N_("%s has no option --%s"), rows[i->op].name, word);
	}
	i->flag = rs_xrealloc(i->flag, i->flags + 1, sizeof(*i->flag));
	i->flag[i->flags++] = (struct ctr_df_flag){ rs_xstrdup(word), eq ? rs_xstrdup(eq) : NULL, at };
	return 0;
}

/* Keyword and flags of the text from `at` on. */
static int head(struct ctr_dockerfile *d, struct ctr_df_insn *i, size_t at, struct rs_err *err)
{
	size_t n = strcspn(i->text + at, " \t");
	rs_auto_free char *word = strndup(i->text + at, n);
	unsigned op = 0;

	if (!word)
		rs_oom();
	while (op < DF_OPS && strcasecmp(word, rows[op].name) != 0)
		op++;
	if (op == DF_OPS)
		return unknown(d, i, at, word, err);
	if (i->onbuild && !rows[op].onbuild)
		return ctr_df_fail(d, i, at, err, N_("%s cannot stand behind ONBUILD"), rows[op].name);
	i->op = (enum ctr_df_op)op;
	at += n;
	for (;;) {
		at += strspn(i->text + at, " \t");
		if (strncmp(i->text + at, "--", 2) != 0 || op == DF_ONBUILD)
			break;
		/* "--" alone, and a flag of the program behind CMD, are no flags of ours */
		if (!isalpha((unsigned char)i->text[at + 2]) || strcmp(rows[op].flags, " ") == 0)
			break;
		n = strcspn(i->text + at, " \t");
		int ret = one_flag(d, i, at, n, err);
		if (ret < 0)
			return ret;
		at += n;
	}
	i->args = at;
	if (!i->text[at])
		return ctr_df_fail(d, i, at, err, N_("%s needs an argument"), rows[op].name);
	return 0;
}

static int instruction(struct lines *s, struct ctr_dockerfile *d, struct ctr_df_insn *i, struct rs_err *err)
{
	int ret = head(d, i, 0, err);

	if (ret == 0 && i->op == DF_ONBUILD) {
		/* checked now, executed later: whoever builds upon the image should not meet its mistakes */
		struct ctr_df_insn inner = *i;

		inner.onbuild = true;
		inner.flag = NULL;
		inner.doc = NULL;
		inner.flags = inner.docs = 0;
		ret = head(d, &inner, i->args, err);
		for (unsigned k = 0; k < inner.flags; k++) {
			free(inner.flag[k].name);
			free(inner.flag[k].value);
		}
		free(inner.flag);
	}
	if (ret == 0 && rows[i->op].docs)
		ret = heredocs(s, d, i, err);
	return ret;
}

/* FROM must come first, with ARG alone before it. */
static int check_order(struct ctr_dockerfile *d, struct rs_err *err)
{
	for (unsigned i = 0; i < d->n; i++) {
		if (d->v[i].op == DF_FROM)
			return 0;
		if (d->v[i].op != DF_ARG)
			return ctr_df_fail(d, &d->v[i], 0, err, N_("a Dockerfile begins with FROM; only ARG may stand before it, not %s"),
					   rows[d->v[i].op].name);
	}
	return rs_err_at(err, -EINVAL, d->file, 1, 1, N_("there is no FROM in this Dockerfile; \"FROM scratch\" begins with nothing"));
}

struct ctr_dockerfile *ctr_dockerfile_parse(const char *file, const char *text, size_t n, struct rs_err *err)
{
	struct ctr_dockerfile *d = rs_xcalloc(1, sizeof(*d));
	struct lines s = { text, text + n, 1 };
	const char *nul = memchr(text, '\0', n);
	int ret = 0;

	d->file = rs_xstrdup(file);
	d->escape = '\\';
	if (nul) {
		int line = 1;

		for (const char *p = text; p < nul; p++)
			line += *p == '\n';
		ret = rs_err_at(err, -EINVAL, file, line, 1, N_("a NUL byte: this is no text file"));
	}
	if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) /* a byte order mark */
		s.p += 3;
	if (ret == 0)
		ret = directives(&s, d, err);
	while (ret == 0) {
		struct ctr_df_insn i = { 0 };

		if (!join(&s, d->escape, &i)) {
			ctr_df_insn_release(&i);
			break;
		}
		d->v = rs_xrealloc(d->v, d->n + 1, sizeof(*d->v));
		d->v[d->n] = i;
		ret = instruction(&s, d, &d->v[d->n++], err);
	}
	if (ret == 0)
		ret = check_order(d, err);
	if (ret < 0) {
		ctr_dockerfile_free(d);
		return NULL;
	}
	return d;
}

int ctr_df_insn_parse(const char *file, const char *text, char escape, struct ctr_df_insn *out, struct rs_err *err)
{
	struct ctr_dockerfile d = { (char *)file, escape, NULL, 0 };
	struct lines s = { text, text + strlen(text), 1 };
	int ret;

	memset(out, 0, sizeof(*out));
	out->onbuild = true;
	if (!join(&s, escape, out)) {
		ctr_df_insn_release(out);
		return rs_err_at(err, -EINVAL, file, 1, 1, N_("an empty instruction"));
	}
	ret = instruction(&s, &d, out, err);
	if (ret < 0)
		ctr_df_insn_release(out);
	return ret;
}
