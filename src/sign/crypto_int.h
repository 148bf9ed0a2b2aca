/* crypto_int.h - what the files behind the door to OpenSSL share. Nobody else includes it. */
#ifndef RP_SIGN_CRYPTO_INT_H
#define RP_SIGN_CRYPTO_INT_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "sign/crypto_tls.h"

struct rp_tls_anchors {
	X509_STORE *store; /* NULL: the text has not been parsed yet */
	char *text;        /* NULL: it has */
	size_t text_bytes;
	char name[RP_TLS_NAME_MAX]; /* "": of the text, when somebody asks */
};

struct rp_tls_identity {
	X509 *cert;
	STACK_OF(X509) * chain;
	EVP_PKEY *key;
	char name[RP_TLS_NAME_MAX];
};

/* Parses the text, if that has not been done. NULL: it cannot be. */
X509_STORE *rp_tls_anchors_store(struct rp_tls_anchors *anchors);

#endif
