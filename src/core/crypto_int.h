/* crypto_int.h - what the files behind the door to OpenSSL share. Nobody else includes it. */
#ifndef RP_CORE_CRYPTO_INT_H
#define RP_CORE_CRYPTO_INT_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "core/crypto_tls.h"

struct rp_tls_anchors {
	X509_STORE *store;
	char name[RP_TLS_NAME_MAX];
};

struct rp_tls_identity {
	X509 *cert;
	STACK_OF(X509) * chain;
	EVP_PKEY *key;
	char name[RP_TLS_NAME_MAX];
};

#endif
