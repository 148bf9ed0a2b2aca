/* http_kept.h - private to src/deliver/http: whether a connection may be used again. */
#ifndef RP_DELIVER_HTTP_HTTP_KEPT_H
#define RP_DELIVER_HTTP_HTTP_KEPT_H

#include "deliver/http/http_transfer.h"

/* What an engine of so many connections knows of those it keeps; NULL: out of memory. */
struct rp_http_kept *rp_http_kept_new(unsigned connections);
void rp_http_kept_free(struct rp_http_kept *kept);

/* The two ends of a connection, as libcurl tells them. */
struct rp_http_ends {
	const char *local_ip, *peer_ip;
	int local_port, peer_port;
};
/* The TLS session of the connection under way: OpenSSL's SSL; NULL: none. Within callbacks only. */
void *rp_transfer_tls(struct rp_transfer *t);
/* A connected transfer is about to write its request: finds t->fd, and looks whether a kept
 * connection is as the last answer should have left it, open and empty. false: it is not
 * (notes->unfit). */
bool rp_http_kept_is_fit(struct rp_transfer *t, const struct rp_http_ends *ends);
/* The first line of an answer on a kept connection has come: whether it came before its receiver's
 * host had confirmed a byte of the request (RFC 9293, 3.4), and so answers something else. Known
 * of requests that are written at once. */
bool rp_http_kept_is_foreign(const struct rp_transfer *t);

/* Receivers (scheme, host, port) that sent bytes nobody asked for: an hour long their connections
 * are not kept. */
bool rp_http_spills(const struct rp_http_kept *kept, const char *url);
void rp_http_spill_note(struct rp_http_kept *kept, const char *url);

#endif
