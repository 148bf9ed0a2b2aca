/* http.h - POSTs requests and reports outcomes. The only door to libcurl; knows nothing of the
 * store or of retries.
 *
 * One engine per process and thread, driven by the caller's loop: poll its fd for reading and call
 * its run when that is readable or its timeout_ms has passed. Connections are kept and reused. The
 * guard judges the connected address of every new connection before a packet is sent and of every
 * reused one before the request is written. A connection, or a TLS session, serves only requests
 * whose anchors and identity have the same names as those it began with: what changed in a
 * certificate's file holds from the next request on. Redirects, proxies, cookies, netrc and
 * content decoding are off; TLS is verified, 1.2 at least; response bodies are read up to
 * RP_HTTP_BODY_MAX and then cut (a status line is enough to judge). */
#ifndef RP_DELIVER_HTTP_HTTP_H
#define RP_DELIVER_HTTP_HTTP_H

#include "base/bytes.h"
#include "base/err.h"
#include "sign/crypto_tls.h"
#include "net/guard.h"
#include "model/outcome.h"

/* bytes of a response body read before the transfer is ended */
#define RP_HTTP_BODY_MAX ((size_t)64 << 10)

/* Borrowed until the request is done. */
struct rp_request {
	const char *url;
	const char *const *headers; /* "Name: value", without CR or LF (asserted) */
	size_t n_headers;
	struct rp_span body; /* with read_body: its length alone */
	/* Copies the n bytes of the body that begin at `at`; called from inside run, in order, but
	 * from the beginning again when a request is repeated on another connection. false: they
	 * cannot be had; the request is broken off. NULL: the body is in memory. */
	bool (*read_body)(void *owner, size_t at, char *out, size_t n);
	/* Whether the request may still be written; called from inside run where that is later than
	 * the start: a connection had to be made first, or the request is repeated on another one.
	 * false: it is not written. NULL: it always may. */
	bool (*may_write)(void *owner);
	int64_t timeout_ms, connect_timeout_ms;
	const struct rp_guard_policy *guard;
	/* a receiver's certificate must end in one; NULL: none does */
	struct rp_tls_anchors *anchors;
	const struct rp_tls_identity *identity; /* NULL: none */
	const char *pins; /* "sha256//BASE64;..." of accepted public keys; NULL: any */
	unsigned tls_min; /* 13: TLS 1.3 at least; else 1.2 */
	bool redact_path; /* no detail tells a path (config/redact.h) */
	void *owner;      /* comes back with the outcome */
};

/* The seam between the sender and the network: the HTTP engine is one implementation, tests bring
 * a scripted one. */
struct rp_transport {
	/* Begins a POST. RP_OK: `done` will be called for it exactly once, from inside run.
	 * Anything else: not begun; RP_ERR_BUSY: as many as the transport was opened for are under
	 * way. */
	enum rp_err (*start)(struct rp_transport *t, const struct rp_request *request,
			     struct rp_error *err);
	/* Does what can be done without waiting; calls done(done_arg, owner, outcome) for every
	 * finished request. done may call start. */
	void (*run)(struct rp_transport *t,
		    void (*done)(void *arg, void *owner, const struct rp_outcome *outcome),
		    void *done_arg);
	int (*fd)(struct rp_transport *t); /* readable when run has something to do */
	/* call run after so long at the latest; -1: no need */
	int (*timeout_ms)(struct rp_transport *t);
};

/* max_in_flight bounds kept connections and descriptors. *out->... as above. Close with
 * rp_http_close: requests under way are dropped without a `done`. SIGPIPE, unless handled, is
 * ignored from then on: TLS writes raise it. RP_ERR_NOMEM, _IO: libcurl or epoll failed. */
enum rp_err rp_http_open(unsigned max_in_flight, struct rp_transport **out, struct rp_error *err);
void rp_http_close(struct rp_transport *t);

#endif
