/* crypto_ssl.c - calls libssl: it lends certificates to a handshake and reads what a session
 * still holds. It is apart from crypto_tls.c so that everything else needs libcrypto alone. */

#include <limits.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "sign/crypto_int.h"

bool rp_tls_apply(void *ssl_ctx, struct rp_tls_anchors *anchors,
		  const struct rp_tls_identity *identity)
{
	SSL_CTX *ctx = ssl_ctx;
	X509_STORE *store = NULL;

	if (anchors != NULL) {
		store = rp_tls_anchors_store(anchors);
		if (store == NULL)
			return false;
		SSL_CTX_set1_cert_store(ctx, store);
	}
	if (identity == NULL ||
	    SSL_CTX_use_cert_and_key(ctx, identity->cert, identity->key, identity->chain, 1) == 1)
		return true;
	ERR_clear_error();
	return false;
}

bool rp_tls_has_pending(const void *session)
{
	return SSL_pending(session) > 0;
}

/* The session's own BIOs belong to the HTTP library and may be used from within its calls only.
 * Reading may also want to write, an alert or the answer to a key update: that goes nowhere. */
bool rp_tls_decrypt(void *session, struct rp_span records, size_t max_bytes, struct rp_buf *out)
{
	SSL *ssl = session;
	BIO *in = BIO_new_mem_buf(records.ptr, records.len < INT_MAX ? (int)records.len : INT_MAX);
	BIO *nowhere = BIO_new(BIO_s_null()), *was_in = SSL_get_rbio(ssl),
	    *was_out = SSL_get_wbio(ssl);
	char chunk[4096];
	bool whole = false;
	int n = 0;

	if (in == NULL || nowhere == NULL || was_in == NULL || was_out == NULL) {
		BIO_free(in);
		BIO_free(nowhere);
		return false;
	}
	BIO_set_mem_eof_return(in, -1); /* no end of the connection, only no more for now */
	BIO_up_ref(was_in);
	BIO_up_ref(was_out);
	SSL_set0_rbio(ssl, in);
	SSL_set0_wbio(ssl, nowhere);
	ERR_clear_error();
	do
		whole = n <= 0 || rp_buf_add(out, chunk, (size_t)n);
	while (whole && out->len < max_bytes && (n = SSL_read(ssl, chunk, sizeof chunk)) > 0);
	ERR_clear_error();
	SSL_set0_rbio(ssl, was_in);
	SSL_set0_wbio(ssl, was_out);
	return whole;
}
