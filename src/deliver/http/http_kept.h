/* http_kept.h - private to src/deliver/http: whether a connection may be used again. */
#ifndef RP_DELIVER_HTTP_HTTP_KEPT_H
#define RP_DELIVER_HTTP_HTTP_KEPT_H

#include "deliver/http/http_transfer.h"

/* What an engine knows of the connections that it keeps. NULL: out of memory. */
struct rp_http_kept *rp_http_kept_new(unsigned connections);
void rp_http_kept_free(struct rp_http_kept *kept);
/* The descriptor of a connection is closed now. */
void rp_http_kept_forget(struct rp_http_kept *kept, int fd);

/* The two ends of a connection, as libcurl tells them. */
struct rp_http_ends {
	const char *local_ip, *peer_ip;
	int local_port, peer_port;
};
/* The TLS session of the connection under way: OpenSSL's SSL; NULL: none. Within callbacks only. */
void *rp_transfer_tls(struct rp_transfer *t);
/* Call when a connected transfer is about to write its request. Finds t->fd, and checks that a kept
 * connection is as the last answer should have left it, open and empty. false: it is not
 * (notes->unfit). */
bool rp_http_kept_is_fit(struct rp_transfer *t, const struct rp_http_ends *ends);
/* Call when the first line of an answer has come. Whether it came on a kept connection before the
 * host of the receiver had confirmed a byte of the request (RFC 9293, 3.4). Then it answers
 * something else. This is known only of requests that are written at once. */
bool rp_http_kept_is_premature(const struct rp_transfer *t);

/* The hash of a URL's beginning that names its receiver, scheme, host and port as they are spelt,
 * and its length. It is the whole URL where libcurl might read it in another way. */
uint64_t rp_http_receiver(const char *url, size_t *bytes);
/* Whether a receiver (scheme, host, port) has sent surplus bytes, which nobody asked for, within
 * the last hour. Its connections are not kept. */
bool rp_http_kept_has_surplus(const struct rp_http_kept *kept, const char *url);
/* Notes such a receiver, and logs it. */
void rp_http_kept_note_surplus(struct rp_http_kept *kept, const char *url);

#endif
