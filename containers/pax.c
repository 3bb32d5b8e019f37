/* Headers of tar archives. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "containers/layer.h"

/* POSIX.1-2017, pax, "ustar Interchange Format". Numbers are octal text. */
struct ustar {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], chksum[8], typeflag, linkname[100],
		magic[6], version[2], uname[32], gname[32], devmajor[8], devminor[8], prefix[155], pad[12];
};
_Static_assert(sizeof(struct ustar) == CTR_TAR_BLOCK, "one block");

#define OCTAL7 07777777u      /* what fits into 7 digits */
#define OCTAL11 077777777777u

static void octal(char *field, size_t size, uint64_t v)
{
	for (size_t i = size - 1; i-- > 0; v >>= 3)
		field[i] = (char)('0' + (v & 7));
	field[size - 1] = '\0';
}

/* "LENGTH key=value\n", where LENGTH counts itself. */
static void record(struct rs_str *out, const char *key, const void *value, size_t n)
{
	size_t body = strlen(key) + n + 3, len = body + 1;

	while (len != body + (size_t)snprintf(NULL, 0, "%zu", len))
		len = body + (size_t)snprintf(NULL, 0, "%zu", len);
	rs_str_addf(out, "%zu %s=", len, key);
	rs_str_addn(out, value, n);
	rs_str_addc(out, '\n');
}

static void record_number(struct rs_str *out, const char *key, uint64_t v)
{
	char text[24];

	record(out, key, text, (size_t)snprintf(text, sizeof(text), "%llu", (unsigned long long)v));
}

static bool ascii(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s >= 0x80)
			return false;
	return true;
}

/* A name into name[] and prefix[]; false when it needs a record of its own. */
static bool put_name(struct ustar *h, const char *name, size_t n)
{
	if (n <= sizeof(h->name)) {
		memcpy(h->name, name, n);
		return true;
	}
	/* the longest prefix that leaves a rest */
	for (size_t cut = n - 1 < sizeof(h->prefix) ? n - 1 : sizeof(h->prefix); cut > 0; cut--)
		if (name[cut] == '/' && cut + 1 < n) {
			if (n - cut - 1 > sizeof(h->name))
				return false;
			memcpy(h->prefix, name, cut);
			memcpy(h->name, name + cut + 1, n - cut - 1);
			return true;
		}
	return false;
}

static void finish(struct ustar *h, struct rs_str *out)
{
	const unsigned char *p = (const unsigned char *)h;
	unsigned sum = 0;

	memcpy(h->magic, "ustar", 6);
	memcpy(h->version, "00", 2);
	memset(h->chksum, ' ', sizeof(h->chksum));
	for (unsigned i = 0; i < sizeof(*h); i++)
		sum += p[i];
	octal(h->chksum, 7, sum);
	rs_str_addn(out, h, sizeof(*h));
}

static char typeflag(const struct ctr_entry *e)
{
	if (e->hard)
		return '1';
	switch (e->mode & S_IFMT) {
	case S_IFREG: return '0';
	case S_IFLNK: return '2';
	case S_IFCHR: return '3';
	case S_IFBLK: return '4';
	case S_IFDIR: return '5';
	case S_IFIFO: return '6';
	}
	return 0;
}

/* The extended header that stands before the entry: a file whose content is the records. */
static void extended(const struct rs_str *records, struct rs_str *out)
{
	static const char zero[CTR_TAR_BLOCK];
	struct ustar h;

	memset(&h, 0, sizeof(h));
	strcpy(h.name, "PaxHeaders.0/entry");
	octal(h.mode, sizeof(h.mode), 0644);
	octal(h.uid, sizeof(h.uid), 0);
	octal(h.gid, sizeof(h.gid), 0);
	octal(h.size, sizeof(h.size), records->len);
	octal(h.mtime, sizeof(h.mtime), 0);
	h.typeflag = 'x';
	finish(&h, out);
	rs_str_addn(out, records->p, records->len);
	rs_str_addn(out, zero, ctr_tar_padding(records->len));
}

int ctr_pax_header(const struct ctr_entry *e, struct rs_str *out, struct rs_err *err)
{
	rs_auto_str records = RS_STR_INIT, path = RS_STR_INIT;
	struct ustar h;

	memset(&h, 0, sizeof(h));
	h.typeflag = typeflag(e);
	if (!h.typeflag)
		return rs_err_set(err, -EINVAL, "%s is a socket; layers cannot hold one", e->path);
	rs_str_add(&path, *e->path ? e->path : ".");
	if (h.typeflag == '5')
		rs_str_addc(&path, '/');
	if (!put_name(&h, path.p, path.len) || !ascii(path.p)) {
		record(&records, "path", path.p, path.len);
		if (!h.name[0])
			memcpy(h.name, path.p, rs_utf8_fit(path.p, path.len, sizeof(h.name)));
	}
	if (e->link) {
		size_t n = strlen(e->link);

		memcpy(h.linkname, e->link, n <= sizeof(h.linkname) ? n : rs_utf8_fit(e->link, n, sizeof(h.linkname)));
		if (n > sizeof(h.linkname) || !ascii(e->link))
			record(&records, "linkpath", e->link, n);
	}
	octal(h.mode, sizeof(h.mode), e->mode & 07777);
	octal(h.uid, sizeof(h.uid), e->uid & OCTAL7);
	octal(h.gid, sizeof(h.gid), e->gid & OCTAL7);
	if (e->uid > OCTAL7)
		record_number(&records, "uid", e->uid);
	if (e->gid > OCTAL7)
		record_number(&records, "gid", e->gid);
	octal(h.size, sizeof(h.size), h.typeflag == '0' ? e->size & OCTAL11 : 0);
	if (h.typeflag == '0' && e->size > OCTAL11)
		record_number(&records, "size", e->size);
	octal(h.mtime, sizeof(h.mtime), e->mtime < 0 ? 0 : (uint64_t)e->mtime & OCTAL11);
	if (e->mtime < 0 || e->mtime > (int64_t)OCTAL11 || e->mtime_ns) {
		/* negative times count down: -1.5 is half a second before -1 */
		bool neg = e->mtime < 0 && e->mtime_ns;
		char text[48];
		int n = snprintf(text, sizeof(text), "%lld", (long long)e->mtime + neg);

		if (e->mtime_ns)
			n = snprintf(text, sizeof(text), "%s%lld.%09u", neg && e->mtime == -1 ? "-" : "",
				     (long long)e->mtime + neg, neg ? 1000000000u - e->mtime_ns : e->mtime_ns);
		record(&records, "mtime", text, (size_t)n);
	}
	if (h.typeflag == '3' || h.typeflag == '4') {
		octal(h.devmajor, sizeof(h.devmajor), major(e->rdev));
		octal(h.devminor, sizeof(h.devminor), minor(e->rdev));
	}
	for (unsigned i = 0; i < e->xattrs; i++) {
		rs_auto_str key = RS_STR_INIT;

		if (strchr(e->xattr[i].name, '='))
			return rs_err_set(err, -EINVAL, "%s has an extended attribute with a \"=\" in its name; layers cannot hold it", e->path);
		rs_str_addf(&key, "SCHILY.xattr.%s", e->xattr[i].name);
		record(&records, key.p, e->xattr[i].value, e->xattr[i].n);
	}
	if (records.len)
		extended(&records, out);
	finish(&h, out);
	return 0;
}
