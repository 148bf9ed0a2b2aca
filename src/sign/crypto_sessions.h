/* crypto_sessions.h - TLS sessions of a client, kept for the next handshake with the same receiver:
 * a resumed one costs half. Behind the door to libssl, as crypto_ssl.c.
 *
 * A session is lent to one handshake at a time: a ticket of TLS 1.3 is for a single use. It is lent
 * only under the name that it was kept under, so the name must hold everything that a handshake
 * proves: a resumed one looks at no certificate. When a handshake with a session does not end well,
 * none is kept or lent under its name for an hour. */
#ifndef RP_SIGN_CRYPTO_SESSIONS_H
#define RP_SIGN_CRYPTO_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

/* what all sessions together may take; the oldest go first. One takes 1 to 2 KiB */
#define RP_TLS_SESSIONS_BYTES ((size_t)32 << 20)
/* sessions under one name, so that all its connections can be made again at once; when half of the
 * room is taken, one each */
#define RP_TLS_SESSIONS_EACH 64u
/* and no session is older, whatever its receiver allows */
#define RP_TLS_SESSIONS_S ((long)24 * 3600)

struct rp_tls_sessions;

/* NULL: no memory. Free it after every SSL_CTX that it was applied to. */
struct rp_tls_sessions *rp_tls_sessions_new(size_t bytes_max);
void rp_tls_sessions_free(struct rp_tls_sessions *sessions);

/* For an SSL_CTX of one connection, which has not begun: its handshake gets a session, and those
 * that the receiver gives are kept, both under the name that the parts make up. The parts must be
 * such that their joint text is no other name's. false: no memory. */
bool rp_tls_sessions_apply(struct rp_tls_sessions *sessions, void *ssl_ctx,
			   const struct rp_span *parts, size_t n_parts);

/* how many are kept, and the bytes they take */
size_t rp_tls_sessions_count(const struct rp_tls_sessions *sessions);
size_t rp_tls_sessions_bytes(const struct rp_tls_sessions *sessions);

#endif
