/* Names of images, digests, times. */
#include "containers/image.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

const char *const ctr_compress_names[] = { "gzip", "zstd", "none", NULL };

bool ctr_digest_ok(const char *digest)
{
	if (strncmp(digest, "sha256:", 7) != 0)
		return false;
	return strspn(digest + 7, "0123456789abcdef") == 64 && !digest[71];
}

static bool lower_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* One component of a path: words of [a-z0-9] with ".", "_", "__" or dashes between them. Returns its
 * length, 0 when there is none. */
static size_t component(const char *s)
{
	size_t n = 0;

	while (lower_or_digit(s[n])) {
		size_t sep;

		while (lower_or_digit(s[n]))
			n++;
		sep = s[n] == '.' ? 1 : s[n] == '_' ? (s[n + 1] == '_' ? 2 : 1) : strspn(s + n, "-");
		if (!sep || !lower_or_digit(s[n + sep]))
			break;
		n += sep;
	}
	return n;
}

/* A registry's host, with a port: what stands before the first "/" and has a ".", a ":" or is
 * "localhost". Returns its length, 0 when the name has none. */
static size_t host(const char *s)
{
	size_t n = strcspn(s, "/");

	if (s[n] != '/' || !(isalnum((unsigned char)*s) || *s == '['))
		return 0;
	if (!memchr(s, '.', n) && !memchr(s, ':', n) && !(n == 9 && memcmp(s, "localhost", 9) == 0))
		return 0;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr(".-:[]", s[i]))
			return 0;
	return n;
}

static int bad_name(struct rs_err *err, const char *text, size_t at)
{
	if (isupper((unsigned char)text[at]))
		return rs_err_set(err, -EINVAL, "the image name \"%s\" has a capital letter at character %zu; only small ones may be used",
				  text, at + 1);
	return rs_err_set(err, -EINVAL, "the image name \"%s\" is wrong at character %zu; a name is NAME[:TAG][@sha256:DIGEST] in small letters",
			  text, at + 1);
}

int ctr_ref_parse(const char *text, struct ctr_ref *out, struct rs_err *err)
{
	size_t at = host(text), n;

	memset(out, 0, sizeof(*out));
	if (at)
		at++;
	for (;;) {
		n = component(text + at);
		if (!n)
			return bad_name(err, text, at);
		at += n;
		if (text[at] != '/')
			break;
		at++;
	}
	if (at >= sizeof(out->name))
		return bad_name(err, text, sizeof(out->name));
	memcpy(out->name, text, at);
	if (text[at] == ':') {
		at++;
		while (isalnum((unsigned char)text[at + (n = strlen(out->tag))]) || text[at + n] == '_' ||
		       (n && (text[at + n] == '.' || text[at + n] == '-'))) {
			if (n + 1 >= sizeof(out->tag))
				return bad_name(err, text, at + n);
			out->tag[n] = text[at + n];
		}
		if (!n)
			return bad_name(err, text, at);
		at += n;
	}
	if (text[at] == '@') {
		if (!ctr_digest_ok(text + at + 1))
			return bad_name(err, text, at + 1);
		memcpy(out->digest, text + at + 1, sizeof(out->digest));
		return 0;
	}
	if (text[at])
		return bad_name(err, text, at);
	if (!out->tag[0])
		strcpy(out->tag, "latest");
	return 0;
}

const char *ctr_time_text(int64_t epoch, char buf[32])
{
	time_t t = (time_t)epoch;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(buf, 32, "%Y-%m-%dT%H:%M:%SZ", &tm))
		strcpy(buf, "1970-01-01T00:00:00Z");
	return buf;
}

#define EPOCH_MAX 253402300799ll /* the last second of the year 9999: RFC 3339 has four digits */

int ctr_epoch_from_env(int64_t *epoch, struct rs_err *err)
{
	const char *s = getenv("SOURCE_DATE_EPOCH");
	char *end;

	*epoch = 0;
	if (!s || !*s)
		return 0;
	errno = 0;
	*epoch = strtoll(s, &end, 10);
	if (*end || errno || *epoch < 0 || *epoch > EPOCH_MAX)
		return rs_err_set(err, -EINVAL, "SOURCE_DATE_EPOCH is \"%s\"; it must be a number of seconds since 1970", s);
	return 0;
}

/* Kernel names of machines and what Go, and so the image-spec, calls them. */
static const struct {
	const char *machine, *arch;
} arches[] = {
	{ "x86_64", "linux/amd64" }, { "aarch64", "linux/arm64" }, { "riscv64", "linux/riscv64" },
	{ "i686", "linux/386" },     { "i586", "linux/386" },      { "armv7l", "linux/arm/v7" },
	{ "armv6l", "linux/arm/v6" }, { "ppc64le", "linux/ppc64le" }, { "s390x", "linux/s390x" },
	{ "loongarch64", "linux/loong64" },
};

const char *ctr_platform_here(void)
{
	struct utsname u;

	uname(&u);
	for (unsigned i = 0; i < sizeof(arches) / sizeof(arches[0]); i++)
		if (strcmp(u.machine, arches[i].machine) == 0)
			return arches[i].arch;
	return "linux/unknown";
}
