#include <openssl/err.h>
#include <openssl/ssl.h>

#include "core/crypto_int.h"

bool rp_tls_apply(void *ssl_ctx, struct rp_tls_anchors *anchors, const struct rp_tls_identity *identity)
{
	SSL_CTX *ctx = ssl_ctx;
	X509_STORE *store = NULL;

	if (anchors != NULL) {
		store = rp_tls_anchors_store(anchors);
		if (store == NULL)
			return false;
		SSL_CTX_set1_cert_store(ctx, store);
	}
	if (identity == NULL || SSL_CTX_use_cert_and_key(ctx, identity->cert, identity->key, identity->chain, 1) == 1)
		return true;
	ERR_clear_error();
	return false;
}
