/* SHA-256 through libcrypto, which uses the processor's own instructions for it. */
#include <string.h>

#include "containers/store.h"

void ctr_hash_begin(struct ctr_hash *h)
{
	h->ctx = EVP_MD_CTX_new();
	if (!h->ctx || EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL) != 1)
		rs_oom();
}

void ctr_hash_add(struct ctr_hash *h, const void *data, size_t n)
{
	EVP_DigestUpdate(h->ctx, data, n);
}

void ctr_hash_raw(struct ctr_hash *h, unsigned char sum[32])
{
	unsigned n = 32;

	EVP_DigestFinal_ex(h->ctx, sum, &n);
	ctr_hash_drop(h);
}

void ctr_hash_end(struct ctr_hash *h, char digest[CTR_DIGEST_SIZE])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char sum[32];

	ctr_hash_raw(h, sum);
	memcpy(digest, "sha256:", 7);
	for (unsigned i = 0; i < 32; i++) {
		digest[7 + 2 * i] = hex[sum[i] >> 4];
		digest[8 + 2 * i] = hex[sum[i] & 15];
	}
	digest[71] = '\0';
}

void ctr_hash_drop(struct ctr_hash *h)
{
	EVP_MD_CTX_free(h->ctx);
	h->ctx = NULL;
}

void ctr_digest_of(const void *data, size_t n, char digest[CTR_DIGEST_SIZE])
{
	struct ctr_hash h;

	ctr_hash_begin(&h);
	ctr_hash_add(&h, data, n);
	ctr_hash_end(&h, digest);
}
