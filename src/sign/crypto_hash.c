/* crypto_hash.c - SHA-256, HMAC without a kept key, base64 that is read, comparing and wiping. It
 * is apart from crypto.c because it needs so little of libcrypto that a program may have that
 * inside: to load the whole of the library takes longer than the ingest of a line. */

#define OPENSSL_SUPPRESS_DEPRECATED /* for rp_sha256 */
#include "sign/crypto.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#define HMAC_BLOCK_BYTES 64 /* what SHA-256 takes at a time */
#define HMAC_INNER 0x36
#define HMAC_OUTER 0x5c

/* The older interface: it needs no memory, so it cannot fail where the caller could only give up,
 * and loads no providers, which costs a program that just hashes a name 5,000 allocations at its
 * start. */
void rp_sha256(const struct rp_span *parts, size_t n_parts, unsigned char out[RP_SHA256_BYTES])
{
	SHA256_CTX ctx;
	size_t i;

	SHA256_Init(&ctx);
	for (i = 0; i < n_parts; i++)
		SHA256_Update(&ctx, parts[i].ptr, parts[i].len);
	SHA256_Final(out, &ctx);
}

/* RFC 2104: one of the two hashes, over the key with each byte changed by `pad`, then `parts`. */
static void hmac_pass(const unsigned char key[HMAC_BLOCK_BYTES], unsigned char pad,
		      const struct rp_span *parts, size_t n_parts,
		      unsigned char out[RP_SHA256_BYTES])
{
	unsigned char block[HMAC_BLOCK_BYTES];
	SHA256_CTX ctx;
	size_t i;

	for (i = 0; i < sizeof block; i++)
		block[i] = key[i] ^ pad;
	SHA256_Init(&ctx);
	SHA256_Update(&ctx, block, sizeof block);
	for (i = 0; i < n_parts; i++)
		SHA256_Update(&ctx, parts[i].ptr, parts[i].len);
	SHA256_Final(out, &ctx);
	rp_wipe(block, sizeof block);
	rp_wipe(&ctx, sizeof ctx);
}

void rp_hmac_sha256(struct rp_span key, const struct rp_span *parts, size_t n_parts,
		    unsigned char out[RP_SHA256_BYTES])
{
	unsigned char block[HMAC_BLOCK_BYTES] = {0}, inner[RP_SHA256_BYTES];
	struct rp_span hashed = {(const char *)inner, sizeof inner};

	if (key.len > sizeof block)
		rp_sha256(&key, 1, block);
	else if (key.len > 0)
		memcpy(block, key.ptr, key.len);
	hmac_pass(block, HMAC_INNER, parts, n_parts, inner);
	hmac_pass(block, HMAC_OUTER, &hashed, 1, out);
	rp_wipe(block, sizeof block);
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* EVP_DecodeBlock skips white space, demands padding and counts it as data; hence our own. */
bool rp_base64_decode(struct rp_span text, unsigned char *out, size_t capacity, size_t *n_out)
{
	size_t digits = text.len;
	unsigned bits = 0, held = 0;
	size_t n = 0, i;
	int v;

	while (digits > 0 && text.len - digits < 2 && text.ptr[digits - 1] == '=')
		digits--;
	if (digits % 4 == 1 || (digits < text.len && text.len % 4 != 0))
		return false;
	if (digits / 4 * 3 + digits % 4 * 3 / 4 > capacity)
		return false;
	for (i = 0; i < digits; i++) {
		v = base64_value(text.ptr[i]);
		if (v < 0)
			return false;
		bits = (bits << 6 | (unsigned)v) & 0xfff;
		held += 6;
		if (held >= 8) {
			held -= 8;
			out[n++] = (unsigned char)(bits >> held);
		}
	}
	*n_out = n;
	return true;
}

bool rp_equal_constant_time(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

void rp_wipe(void *p, size_t n)
{
	OPENSSL_cleanse(p, n);
}
