/* crypto_tls.h - what a TLS client needs of certificates: read from PEM text once, lent to every
 * handshake after that. Behind the door to OpenSSL, as crypto.h. Reads no files and knows no
 * policies.
 *
 * That they are kept parsed is what makes a connection cheap: a system's bundle takes 18 ms to
 * read (measured, 142 certificates), a handshake with it read needs none of that. */
#ifndef RP_SIGN_CRYPTO_TLS_H
#define RP_SIGN_CRYPTO_TLS_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"

#define RP_TLS_NAME_MAX 65 /* with its NUL */

struct rp_tls_anchors; /* the certificates that a receiver's may end in */
/* who we are: a certificate, the ones between it and its root, the private key */
struct rp_tls_identity;

/* Reads every certificate of a PEM text; what else stands in it is passed over. RP_ERR_INVAL:
 * none, or a damaged one; _NOMEM. */
enum rp_err rp_tls_anchors_new(struct rp_span pem, struct rp_tls_anchors **out,
			       struct rp_error *err);
/* Of a text that is parsed when a handshake first needs it, for one that is large and known to be
 * well: a system's. Copied. RP_ERR_NOMEM. */
enum rp_err rp_tls_anchors_of_system(struct rp_span pem, struct rp_tls_anchors **out,
				     struct rp_error *err);
/* NULL is allowed; handshakes keep what they use */
void rp_tls_anchors_free(struct rp_tls_anchors *anchors);

/* Reads a certificate and those that follow it. Not to be used before it has its key. Errors as
 * above. */
enum rp_err rp_tls_identity_new(struct rp_span pem, struct rp_tls_identity **out,
				struct rp_error *err);
/* Once. RP_ERR_DENIED: the key is encrypted; nobody is ever asked for the pass phrase.
 * RP_ERR_INVAL: none, a damaged one, or another certificate's. */
enum rp_err rp_tls_identity_set_key(struct rp_tls_identity *identity, struct rp_span pem,
				    struct rp_error *err);
void rp_tls_identity_free(struct rp_tls_identity *identity); /* NULL is allowed; wipes the key */

/* The same exactly where the text read was the same: hex digits of its SHA-256; "none" for NULL. A
 * key needs no part in it, since its certificate names it. */
const char *rp_tls_anchors_name(struct rp_tls_anchors *anchors);
const char *rp_tls_identity_name(const struct rp_tls_identity *identity);

/* The rest is in crypto_ssl.c: only programs that send link libssl. */

/* For an SSL_CTX that no handshake has begun with. NULL anchors: those it has are left; NULL
 * identity: none. false: OpenSSL refuses the identity, for one as too weak, cannot read the anchors
 * of a system, or has no memory. */
bool rp_tls_apply(void *ssl_ctx, struct rp_tls_anchors *anchors,
		  const struct rp_tls_identity *identity);

/* Sessions of TLS that belong to the HTTP library: SSL *, as it gives them out. Whether one has
 * decrypted bytes that nobody has read; and what the records that came in hold, up to about
 * max_bytes, appended to out: then the connection must not be used any more. false: out of
 * memory. */
bool rp_tls_has_pending(const void *session);
bool rp_tls_decrypt(void *session, struct rp_span records, size_t max_bytes, struct rp_buf *out);

#endif
