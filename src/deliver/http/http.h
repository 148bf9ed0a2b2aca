/* http.h - POSTs requests and reports outcomes. The only door to libcurl. It knows nothing of the
 * store or of retries.
 *
 * One engine for each process and thread. The caller's loop drives it: poll its fd for reading, and
 * call its run when the fd is readable or its timeout_ms has passed.
 *
 * Connections are kept and reused, as many as the engine was opened for; the one that was used
 * longest ago makes room. One that its receiver closes is closed within some seconds, also when no
 * request comes. The guard judges the address of each new connection before a
 * packet is sent, and the address of each reused connection before the request is written. A
 * connection or TLS session serves only requests whose anchors and identity have the names that it
 * began with, and whose receiver, pins and least TLS version are the same. So a change in a
 * certificate's file holds from the next request on. Sessions outlive their connections: a
 * connection that is made again resumes one (sign/crypto_sessions.h).
 *
 * A name is looked up by one request at a time, for all that need it then, and what was found holds
 * for a minute or a little more.
 *
 * Redirects, proxies, cookies, netrc and content decoding are off. TLS is verified, 1.2 at least.
 * Response bodies are read up to RP_HTTP_BODY_MAX and then cut: a status line is enough to judge.
 */
#ifndef RP_DELIVER_HTTP_HTTP_H
#define RP_DELIVER_HTTP_HTTP_H

#include "base/bytes.h"
#include "base/err.h"
#include "sign/crypto_tls.h"
#include "net/guard.h"
#include "model/outcome.h"

/* a connection is kept for so long after its last request */
#define RP_HTTP_KEPT_IDLE_S 120
/* bytes of a response body read before the transfer is ended */
#define RP_HTTP_BODY_MAX ((size_t)64 << 10)

/* Borrowed until the request is done. */
struct rp_request {
	const char *url;
	const char *const *headers; /* "Name: value", without CR or LF (asserted) */
	size_t n_headers;
	struct rp_span body; /* with read_body: its length alone */
	/* Copies the n bytes of the body that begin at `at`. Called from inside run, in order; from
	 * the beginning again when the request is repeated on another connection. false: the bytes
	 * cannot be read, and the request is broken off. NULL: the body is in memory. */
	bool (*read_body)(void *owner, size_t at, char *out, size_t n);
	/* Whether the request may still be written. Called from inside run when the request is
	 * written later than at the start: a connection had to be made first, it waited for a
	 * name, or it is repeated on another connection. false: it is not written. NULL: it
	 * always may. */
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

/* What the sender knows of the network. The HTTP engine is one implementation; tests have another
 * one, with a script. */
struct rp_transport {
	/* Begins a POST. RP_OK: `done` will be called for it exactly once, from inside run.
	 * Any other result: it has not begun. RP_ERR_BUSY: as many requests are under way as the
	 * transport was opened for. */
	enum rp_err (*start)(struct rp_transport *t, const struct rp_request *request,
			     struct rp_error *err);
	/* Does what can be done without waiting, and calls done(done_arg, owner, outcome) for each
	 * finished request. done may call start. */
	void (*run)(struct rp_transport *t,
		    void (*done)(void *arg, void *owner, const struct rp_outcome *outcome),
		    void *done_arg);
	int (*fd)(struct rp_transport *t); /* readable when run has something to do */
	/* run must be called after so long at the latest; -1: no need */
	int (*timeout_ms)(struct rp_transport *t);
};

/* max_in_flight bounds requests; max_connections, which must be more, bounds connections, those
 * that are kept included. A lookup of a name takes three descriptors besides. From now on the
 * process ignores SIGPIPE, unless it has a handler: TLS writes raise it. RP_ERR_NOMEM, RP_ERR_IO:
 * libcurl or epoll failed. Close *out with rp_http_close: it drops requests under way without a
 * `done`. */
enum rp_err rp_http_open(unsigned max_in_flight, unsigned max_connections,
			 struct rp_transport **out, struct rp_error *err);
void rp_http_close(struct rp_transport *t);

#endif
