/* crypto.c - calls libcrypto for signatures and base64. Certificates are in crypto_tls.c, what
 * needs libssl is in crypto_ssl.c, and what every program needs is in crypto_hash.c. */

#include "sign/crypto.h"

#include <limits.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

struct rp_mac_key {
	EVP_MAC_CTX *ctx; /* holds the key; a re-init without a key starts the next message */
};

struct rp_ed25519_key {
	EVP_PKEY *pkey;
};

/* The TLS library of this process reads the same per-thread error queue: an error left there would
 * be taken for one of a connection. */
static bool done(bool ok)
{
	if (!ok)
		ERR_clear_error();
	return ok;
}

bool rp_crypto_ready(void)
{
	return OSSL_LIB_CTX_get0_global_default() != NULL;
}

static EVP_MAC_CTX *hmac_sha256_ctx(const void *secret, size_t n)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
	    OSSL_PARAM_construct_end(),
	};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;

	EVP_MAC_free(mac); /* the context has its own reference */
	if (ctx != NULL && EVP_MAC_init(ctx, secret, n, params))
		return ctx;
	EVP_MAC_CTX_free(ctx);
	return NULL;
}

struct rp_mac_key *rp_mac_key_new(const void *secret, size_t n)
{
	struct rp_mac_key *key = rp_crypto_ready() ? calloc(1, sizeof *key) : NULL;

	if (key == NULL)
		return NULL;
	/* a NULL key means "keep the one you have" to the library; an empty key must not */
	key->ctx = hmac_sha256_ctx(n > 0 ? secret : "", n);
	if (done(key->ctx != NULL))
		return key;
	free(key);
	return NULL;
}

void rp_mac_key_free(struct rp_mac_key *key)
{
	if (key == NULL)
		return;
	EVP_MAC_CTX_free(key->ctx); /* wipes the key */
	free(key);
}

bool rp_mac_sign(struct rp_mac_key *key, const struct rp_span *parts, size_t n_parts,
		 unsigned char out[RP_SHA256_BYTES])
{
	bool ok = EVP_MAC_init(key->ctx, NULL, 0, NULL);
	size_t n_out = 0;
	size_t i;

	for (i = 0; ok && i < n_parts; i++)
		ok = EVP_MAC_update(key->ctx, (const unsigned char *)parts[i].ptr, parts[i].len);
	return done(ok && EVP_MAC_final(key->ctx, out, &n_out, RP_SHA256_BYTES) &&
		    n_out == RP_SHA256_BYTES);
}

/* Takes pkey over. */
static struct rp_ed25519_key *ed25519_key(EVP_PKEY *pkey)
{
	struct rp_ed25519_key *key = done(pkey != NULL) ? calloc(1, sizeof *key) : NULL;

	if (key == NULL)
		EVP_PKEY_free(pkey);
	else
		key->pkey = pkey;
	return key;
}

struct rp_ed25519_key *rp_ed25519_key_new(const unsigned char seed[32])
{
	return !rp_crypto_ready()
		   ? NULL
		   : ed25519_key(EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, seed, 32));
}

struct rp_ed25519_key *rp_ed25519_public_new(const unsigned char pub[32])
{
	return !rp_crypto_ready()
		   ? NULL
		   : ed25519_key(EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, pub, 32));
}

void rp_ed25519_key_free(struct rp_ed25519_key *key)
{
	if (key == NULL)
		return;
	EVP_PKEY_free(key->pkey); /* wipes a private key */
	free(key);
}

bool rp_ed25519_public_bytes(const struct rp_ed25519_key *key, unsigned char out[32])
{
	size_t n = 32;

	return done(EVP_PKEY_get_raw_public_key(key->pkey, out, &n) && n == 32);
}

bool rp_ed25519_sign(const struct rp_ed25519_key *key, const void *msg, size_t n,
		     unsigned char out[RP_ED25519_BYTES])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n_out = RP_ED25519_BYTES;
	bool ok = ctx != NULL &&
		  EVP_DigestSignInit_ex(ctx, NULL, NULL, NULL, NULL, key->pkey, NULL) == 1 &&
		  EVP_DigestSign(ctx, out, &n_out, msg, n) == 1 && n_out == RP_ED25519_BYTES;

	EVP_MD_CTX_free(ctx);
	return done(ok);
}

bool rp_ed25519_verify(const struct rp_ed25519_key *key, const void *msg, size_t n,
		       const unsigned char sig[RP_ED25519_BYTES])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx != NULL &&
		  EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, NULL, key->pkey, NULL) == 1 &&
		  EVP_DigestVerify(ctx, sig, RP_ED25519_BYTES, msg, n) == 1;

	EVP_MD_CTX_free(ctx);
	return done(ok);
}

bool rp_base64_encode(const void *bytes, size_t n, struct rp_buf *out)
{
	if (n > INT_MAX / 2 || !rp_buf_reserve(out, (n + 2) / 3 * 4))
		return false;
	if (n > 0)
		out->len +=
		    (size_t)EVP_EncodeBlock((unsigned char *)out->data + out->len, bytes, (int)n);
	out->data[out->len] = '\0';
	return true;
}
