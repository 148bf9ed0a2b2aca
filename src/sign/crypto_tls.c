/* crypto_tls.c - parses certificates and keys from PEM text. It does so once, with the
 * configuration, and apart from the handshakes that use the result. */

#include "sign/crypto_tls.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

#include "base/assert.h"
#include "sign/crypto.h"
#include "sign/crypto_int.h"

static void name_set(char name[RP_TLS_NAME_MAX], struct rp_span pem)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char sum[RP_SHA256_BYTES];
	size_t i;

	rp_sha256(&pem, 1, sum);
	for (i = 0; i < sizeof sum; i++) {
		name[2 * i] = digits[sum[i] >> 4];
		name[2 * i + 1] = digits[sum[i] & 15];
	}
	name[2 * i] = '\0';
}

/* What OpenSSL has to say, and its queue emptied: see done() in crypto.c. */
static enum rp_err fail_openssl(struct rp_error *err, const char *what)
{
	unsigned long number = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(number);
	bool no_memory = ERR_GET_REASON(number) == ERR_R_MALLOC_FAILURE;

	ERR_clear_error();
	return rp_fail(err, no_memory ? RP_ERR_NOMEM : RP_ERR_INVAL, "%s%s%s", what,
		       reason != NULL ? ": " : "", reason != NULL ? reason : "");
}

static enum rp_err no_memory(struct rp_error *err)
{
	ERR_clear_error();
	return rp_fail(err, RP_ERR_NOMEM, "out of memory");
}

/* OpenSSL's own way to get one is to ask at the terminal. */
static int refuse_pass_phrase(char *buf, int size, int writing, void *asked)
{
	(void)buf;
	(void)size;
	(void)writing;
	*(bool *)asked = true;
	return -1;
}

/* The next certificate; NULL at the end, or with *code set when there is none to be had. */
static X509 *next_certificate(BIO *bio, size_t n_before, enum rp_err *code, struct rp_error *err)
{
	bool asked = false;
	X509 *cert = PEM_read_bio_X509_AUX(bio, NULL, refuse_pass_phrase, &asked);
	char what[64];

	*code = RP_OK;
	if (cert != NULL)
		return cert;
	if (n_before > 0 && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) {
		ERR_clear_error(); /* the end */
		return NULL;
	}
	if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) {
		ERR_clear_error();
		*code = rp_fail(err, RP_ERR_INVAL,
				"there is no certificate in it; accepted: PEM, which begins with "
				"-----BEGIN CERTIFICATE-----");
		return NULL;
	}
	snprintf(what, sizeof what, "certificate %zu cannot be read", n_before + 1);
	*code = fail_openssl(err, what);
	return NULL;
}

static BIO *bio_of(struct rp_span pem)
{
	return rp_crypto_ready() && pem.len <= INT_MAX
		   ? BIO_new_mem_buf(pem.len > 0 ? pem.ptr : "", (int)pem.len)
		   : NULL;
}

/* PARTIAL_CHAIN: a certificate that is named is believed also when it is not a root, as libcurl
 * sets it by default. */
static enum rp_err store_fill(X509_STORE *store, BIO *bio, struct rp_error *err)
{
	enum rp_err code;
	size_t n = 0;
	X509 *cert;
	bool ok;

	for (; (cert = next_certificate(bio, n, &code, err)) != NULL; n++) {
		ok = X509_STORE_add_cert(store, cert) == 1;
		X509_free(cert); /* the store has its own reference */
		if (!ok)
			return no_memory(err);
	}
	if (code == RP_OK &&
	    X509_STORE_set_flags(store, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN) != 1)
		return no_memory(err);
	return code;
}

static enum rp_err store_new(struct rp_span pem, X509_STORE **out, struct rp_error *err)
{
	BIO *bio = bio_of(pem);
	enum rp_err code;

	*out = bio != NULL ? X509_STORE_new() : NULL;
	code = *out != NULL ? store_fill(*out, bio, err) : no_memory(err);
	BIO_free(bio);
	if (code == RP_OK)
		return RP_OK;
	X509_STORE_free(*out);
	*out = NULL;
	return code;
}

enum rp_err rp_tls_anchors_new(struct rp_span pem, struct rp_tls_anchors **out,
			       struct rp_error *err)
{
	struct rp_tls_anchors *anchors = calloc(1, sizeof *anchors);
	enum rp_err code = anchors != NULL ? store_new(pem, &anchors->store, err) : no_memory(err);

	*out = NULL;
	if (code != RP_OK) {
		free(anchors);
		return code;
	}
	name_set(anchors->name, pem);
	*out = anchors;
	return RP_OK;
}

enum rp_err rp_tls_anchors_of_system(struct rp_span pem, struct rp_tls_anchors **out,
				     struct rp_error *err)
{
	struct rp_tls_anchors *anchors = calloc(1, sizeof *anchors);

	*out = anchors;
	if (anchors != NULL)
		anchors->text = malloc(pem.len + 1);
	if (anchors == NULL || anchors->text == NULL) {
		free(anchors);
		*out = NULL;
		return no_memory(err);
	}
	memcpy(anchors->text, pem.ptr, pem.len);
	anchors->text_bytes = pem.len;
	return RP_OK;
}

X509_STORE *rp_tls_anchors_store(struct rp_tls_anchors *anchors)
{
	struct rp_span text = {anchors->text, anchors->text_bytes};

	if (anchors->store == NULL && store_new(text, &anchors->store, NULL) == RP_OK) {
		rp_tls_anchors_name(anchors);
		free(anchors->text);
		anchors->text = NULL;
	}
	return anchors->store;
}

void rp_tls_anchors_free(struct rp_tls_anchors *anchors)
{
	if (anchors == NULL)
		return;
	X509_STORE_free(anchors->store);
	free(anchors->text);
	free(anchors);
}

static enum rp_err identity_fill(struct rp_tls_identity *identity, BIO *bio, struct rp_error *err)
{
	enum rp_err code;
	X509 *cert;
	size_t n;

	identity->cert = next_certificate(bio, 0, &code, err);
	for (n = 1; code == RP_OK && (cert = next_certificate(bio, n, &code, err)) != NULL; n++) {
		if (sk_X509_push(identity->chain, cert) > 0)
			continue;
		X509_free(cert);
		return no_memory(err);
	}
	return code;
}

enum rp_err rp_tls_identity_new(struct rp_span pem, struct rp_tls_identity **out,
				struct rp_error *err)
{
	struct rp_tls_identity *identity = calloc(1, sizeof *identity);
	BIO *bio = identity != NULL ? bio_of(pem) : NULL;
	enum rp_err code;

	*out = NULL;
	if (bio != NULL)
		identity->chain = sk_X509_new_null();
	if (bio == NULL || identity->chain == NULL)
		code = no_memory(err);
	else
		code = identity_fill(identity, bio, err);
	BIO_free(bio);
	if (code != RP_OK) {
		rp_tls_identity_free(identity);
		return code;
	}
	name_set(identity->name, pem);
	*out = identity;
	return RP_OK;
}

enum rp_err rp_tls_identity_set_key(struct rp_tls_identity *identity, struct rp_span pem,
				    struct rp_error *err)
{
	BIO *bio = bio_of(pem);
	bool asked = false;

	assert(identity->key == NULL);
	if (bio == NULL)
		return no_memory(err);
	identity->key = PEM_read_bio_PrivateKey(bio, NULL, refuse_pass_phrase, &asked);
	BIO_free(bio);
	if (asked) {
		ERR_clear_error();
		return rp_fail(
		    err, RP_ERR_DENIED,
		    "the key is encrypted, and nobody is there to ask for its pass phrase");
	}
	if (identity->key == NULL)
		return fail_openssl(err, "there is no private key to be read in it; accepted: PEM");
	if (X509_check_private_key(identity->cert, identity->key) == 1)
		return RP_OK;
	ERR_clear_error();
	return rp_fail(err, RP_ERR_INVAL, "the key is not that of the certificate");
}

void rp_tls_identity_free(struct rp_tls_identity *identity)
{
	if (identity == NULL)
		return;
	X509_free(identity->cert);
	sk_X509_pop_free(identity->chain, X509_free);
	EVP_PKEY_free(identity->key);
	free(identity);
}

/* A program that sends by plain http alone never asks, and a system's text is large. */
const char *rp_tls_anchors_name(struct rp_tls_anchors *anchors)
{
	if (anchors == NULL)
		return "none";
	if (anchors->name[0] == '\0')
		name_set(anchors->name, (struct rp_span){anchors->text, anchors->text_bytes});
	return anchors->name;
}

const char *rp_tls_identity_name(const struct rp_tls_identity *identity)
{
	return identity != NULL ? identity->name : "none";
}
